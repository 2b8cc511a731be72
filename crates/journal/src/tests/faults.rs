//! What happens when the disk does not do what it is told.

use std::fs;
use std::io::ErrorKind;

use tempfile::tempdir;

use super::disk::Call;
use super::*;
use crate::JournalError;

#[test]
fn a_failed_write_counts_for_nothing_and_the_next_commit_succeeds() {
    let dir = tempdir().unwrap();
    let disk = Faulty::default();
    let (mut journal, _) = open_faulty(dir.path(), &disk);
    let incarnation = journal.incarnation();
    let mut reader = journal.handle().reader(0);
    commit(&mut journal, &["one"]);

    disk.fail(Call::Write, ErrorKind::StorageFull);
    disk.written_of_1000(700);
    journal.append(b"lost").unwrap();
    journal.append(b"lost too").unwrap();
    assert!(matches!(journal.commit(), Err(JournalError::Write { .. })));
    assert_eq!(journal.usage().last_sequence, 1);
    assert_eq!(read(&mut reader).len(), 1);
    assert_eq!(journal.commit().unwrap(), 1, "they are not waiting for another try");

    disk.heal();
    assert_eq!(commit(&mut journal, &["two"]), 2);
    assert_eq!(read(&mut reader)[0].payload, b"two");
    assert_eq!(journal.incarnation(), incarnation, "nobody saw the other second record");
    assert_eq!(journal.usage().segments, 1);
    let octets = fs::metadata(&files(dir.path())[0]).unwrap().len();
    assert_eq!(octets, journal.usage().octets);
}

#[test]
fn after_a_failed_sync_the_file_is_left_alone_and_a_new_incarnation_begins() {
    for cut_fails in [false, true] {
        let dir = tempdir().unwrap();
        let disk = Faulty::default();
        let (mut journal, _) = open_faulty(dir.path(), &disk);
        let first = journal.incarnation();
        let mut reader = journal.handle().reader(0);
        commit(&mut journal, &["one"]);

        disk.fail(Call::Sync, ErrorKind::Other);
        if cut_fails {
            disk.fail(Call::Truncate, ErrorKind::Other);
        }
        journal.append(b"lost").unwrap();
        assert!(matches!(journal.commit(), Err(JournalError::Sync { .. })));
        assert_eq!(*journal.handle().durable().borrow(), 1);
        assert!(matches!(journal.append(b"no"), Err(JournalError::Begin { .. })));
        assert_eq!(journal.commit().unwrap(), 1, "nothing was taken");

        disk.heal();
        assert_eq!(commit(&mut journal, &["two"]), 2);
        let second = journal.incarnation();
        assert_ne!(second, first);
        let seen: Vec<_> =
            read(&mut reader).into_iter().map(|e| (e.incarnation, e.sequence, e.payload)).collect();
        let expected = [(first, 1, b"one".to_vec()), (second, 2, b"two".to_vec())];
        assert_eq!(seen, expected);
        assert!(!disk.reused());
        drop(journal);

        let (journal, recovery) = open_faulty(dir.path(), &disk);
        assert!(!recovery.renewed);
        assert_eq!(read_all(&journal.handle()), [(1, b"one".to_vec()), (2, b"two".to_vec())]);
    }
}

#[test]
fn a_crash_right_after_a_failed_commit_does_not_bring_its_records_back() {
    for call in [Call::Write, Call::Sync] {
        let dir = tempdir().unwrap();
        let disk = Faulty::default();
        let (mut journal, _) = open_faulty(dir.path(), &disk);
        commit(&mut journal, &["one"]);
        disk.fail(call, ErrorKind::Other);
        disk.written_of_1000(1000);
        journal.append(b"lost").unwrap();
        assert!(journal.commit().is_err());
        disk.heal();
        drop(journal);
        let (journal, recovery) = Journal::open(dir.path(), small()).unwrap();
        assert_eq!(recovery.cut_octets, 0);
        assert_eq!(read_all(&journal.handle()), [(1, b"one".to_vec())], "{call:?}");
    }
}

#[test]
fn a_segment_that_cannot_be_begun_fails_the_commit_and_not_the_journal() {
    for call in [Call::Create, Call::Write, Call::Sync, Call::Rename, Call::SyncDir] {
        let dir = tempdir().unwrap();
        let disk = Faulty::default();
        let (mut journal, _) = open_faulty(dir.path(), &disk);
        let incarnation = journal.incarnation();
        commit_large(&mut journal, 3);
        disk.fail(call, ErrorKind::PermissionDenied);
        journal.append(&vec![1; SEGMENT_OCTETS_MIN as usize / 4]).unwrap();
        assert!(matches!(journal.commit(), Err(JournalError::Begin { .. })), "{call:?}");
        disk.heal();
        assert_eq!(commit(&mut journal, &["a small one"]), 4);
        commit_large(&mut journal, 3);
        assert_eq!(journal.incarnation(), incarnation);
        assert_eq!(read_all(&journal.handle()).len(), 7);
        assert_eq!(files(dir.path()).len(), journal.usage().segments, "{call:?}");
    }
}

#[test]
fn a_full_disk_takes_the_reserve_then_stops_the_journal_and_space_resumes_it() {
    let dir = tempdir().unwrap();
    let disk = Faulty::default();
    let options = Options { reserve_octets: 20_000, ..small() };
    disk.capacity(dir.path(), Some(30_000));
    let (mut journal, _) = open_on(dir.path(), options.clone(), Box::new(disk.clone())).unwrap();
    assert!(journal.usage().reserve_held);
    let mut committed = 0;
    while journal.usage().reserve_held {
        journal.append(&[5; 984]).unwrap();
        committed = journal.commit().unwrap();
    }
    assert_eq!(committed, 10, "the tenth did not fit beside the reserve");
    let refused = loop {
        journal.append(&[5; 984]).unwrap();
        match journal.commit() {
            Ok(sequence) => committed = sequence,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, JournalError::Write { .. }));
    assert_eq!(committed, 29);
    assert_eq!(journal.retain(0, 0, 0).unwrap(), Removed::default());
    assert!(!journal.usage().reserve_held, "no space to take it back");

    disk.capacity(dir.path(), Some(100_000));
    journal.append(&[5; 984]).unwrap();
    assert_eq!(journal.commit().unwrap(), 30);
    journal.retain(0, 0, 0).unwrap();
    assert!(journal.usage().reserve_held);
    assert_eq!(read_all(&journal.handle()).len(), 30);
    drop(journal);

    // A start on a full disk, with a new segment to begin: the reserve pays for it.
    let path = files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(1);
    fs::write(&path, &bytes).unwrap();
    disk.capacity(dir.path(), Some(bytes.len() as u64 + 20_010));
    let (mut journal, recovery) = open_on(dir.path(), options, Box::new(disk.clone())).unwrap();
    assert!(recovery.renewed && !journal.usage().reserve_held);
    assert_eq!(commit(&mut journal, &["on the reserve"]), 31);
}

#[test]
fn a_segment_that_cannot_be_removed_is_still_kept_and_counted() {
    let dir = tempdir().unwrap();
    let disk = Faulty::default();
    let (mut journal, _) = open_faulty(dir.path(), &disk);
    commit_large(&mut journal, 7);
    let before = journal.usage();
    disk.fail(Call::Remove, ErrorKind::PermissionDenied);
    assert!(matches!(journal.retain(7, 7, i64::MAX), Err(JournalError::Remove { .. })));
    assert_eq!(journal.usage(), before);
    assert_eq!(read_all(&journal.handle()).len(), 7);
    disk.heal();
    assert_eq!(journal.retain(7, 7, i64::MAX).unwrap().segments, 2);
    assert_eq!(read_all(&journal.handle()).len(), 1);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Journal::open(&file.join("journal"), small()).unwrap_err();
    assert!(matches!(error, JournalError::Directory { .. }));
    assert!(error.to_string().contains("file/journal"));
}
