//! What a user of the journal relies on, on a disk that works.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::thread;

use tempfile::tempdir;

use super::*;
use crate::segment::FORMAT;
use crate::{JournalError, PAYLOAD_OCTETS_MAX, inspect};

#[test]
fn committed_records_are_read_in_order_and_appended_ones_not_at_all() {
    let dir = tempdir().unwrap();
    let (mut journal, recovery) = open(dir.path());
    assert!(recovery.created && recovery.renewed);
    let handle = journal.handle();
    let mut reader = handle.reader(0);
    assert_eq!(journal.append(b"one").unwrap(), 1);
    assert_eq!(journal.append(b"").unwrap(), 2);
    assert_eq!(read(&mut reader), []);
    assert_eq!(*handle.durable().borrow(), 0);

    assert_eq!(journal.commit().unwrap(), 2);
    assert_eq!(*handle.durable().borrow(), 2);
    let incarnation = journal.incarnation();
    let entry =
        |sequence, payload: &[u8]| Entry { incarnation, sequence, payload: payload.to_vec() };
    assert_eq!(read(&mut reader), [entry(1, b"one"), entry(2, b"")]);
    assert_eq!(read(&mut reader), [], "each once");
    assert_eq!(journal.append(b"three").unwrap(), 3);
    assert_eq!(journal.commit().unwrap(), 3);
    assert_eq!(read(&mut reader), [entry(3, b"three")]);
    assert_eq!(journal.commit().unwrap(), 3, "nothing to do is no failure");
    assert_eq!(read(&mut handle.reader(1)), [entry(2, b""), entry(3, b"three")]);
}

#[test]
fn a_clean_restart_goes_on_with_sequence_and_incarnation_and_forgets_what_was_not_committed() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    let incarnation = journal.incarnation();
    commit(&mut journal, &["one", "two"]);
    journal.append(b"never committed").unwrap();
    drop(journal);

    let (mut journal, recovery) = open(dir.path());
    assert!(!recovery.created && !recovery.renewed);
    assert_eq!((recovery.first_sequence, recovery.last_sequence), (1, 2));
    assert_eq!((recovery.cut_octets, recovery.segments), (0, 1));
    assert_eq!(journal.incarnation(), incarnation);
    assert_eq!(commit(&mut journal, &["three"]), 3);
    let expected = [(1, b"one".to_vec()), (2, b"two".to_vec()), (3, b"three".to_vec())];
    assert_eq!(read_all(&journal.handle()), expected);
}

#[test]
fn readers_follow_from_segment_to_segment_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    let mut reader = journal.handle().reader(0);
    let mut seen = Vec::new();
    for _ in 0..20 {
        commit_large(&mut journal, 1);
        seen.extend(read(&mut reader).into_iter().map(|entry| entry.sequence));
    }
    assert_eq!(seen, (1..=20).collect::<Vec<u64>>());
    assert_eq!(journal.usage().segments, 7, "three in each");
    let incarnation = journal.incarnation();
    drop(journal);

    let (journal, _) = open(dir.path());
    assert_eq!(journal.incarnation(), incarnation);
    let mut reader = journal.handle().reader(11);
    let seen: Vec<u64> = read(&mut reader).iter().map(|entry| entry.sequence).collect();
    assert_eq!(seen, (12..=20).collect::<Vec<u64>>());
    assert_eq!(reader.skipped(), 0);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let dir = tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let error = Journal::open(dir.path(), small()).unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }));
    let text = format!("another process has the journal {} open", dir.path().display());
    assert_eq!(error.to_string(), text);
    drop(journal);
    open(dir.path());
}

#[test]
fn a_newer_format_is_refused_in_one_line_and_left_alone() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit(&mut journal, &["one"]);
    drop(journal);
    let path = files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = FORMAT + 1;
    fs::write(&path, &bytes).unwrap();

    let error = Journal::open(dir.path(), small()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has journal format 2, this program reads up to 1: use the newer program",
            path.display()
        )
    );
    assert!(matches!(inspect(dir.path()), Err(JournalError::NewerFormat { found: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(files(dir.path()), [path]);
}

#[test]
fn too_long_a_record_and_too_large_a_batch_are_refused_and_the_rest_stays() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    assert!(matches!(
        journal.append(&vec![0; PAYLOAD_OCTETS_MAX + 1]),
        Err(JournalError::PayloadTooLong { octets }) if octets == PAYLOAD_OCTETS_MAX + 1
    ));
    assert_eq!(journal.append(&vec![0; PAYLOAD_OCTETS_MAX]).unwrap(), 1);
    assert!(matches!(journal.append(&vec![0; PAYLOAD_OCTETS_MAX]), Err(JournalError::BatchFull)));
    assert_eq!(journal.commit().unwrap(), 1);
    assert_eq!(journal.append(&vec![0; PAYLOAD_OCTETS_MAX]).unwrap(), 2);
    assert_eq!(journal.commit().unwrap(), 2);
}

#[test]
fn at_the_size_limit_nothing_is_taken_until_something_may_be_removed() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    let payload = vec![1; SEGMENT_OCTETS_MIN as usize / 4];
    let last = loop {
        match journal.append(&payload) {
            Ok(_) => journal.commit().unwrap(),
            Err(JournalError::Full { octets_max }) => {
                assert_eq!(octets_max, small().octets_max);
                break journal.usage().last_sequence;
            }
            Err(other) => panic!("{other}"),
        };
    };
    let usage = journal.usage();
    assert!(usage.octets <= usage.octets_max);
    assert!(usage.octets + payload.len() as u64 + 1000 > usage.octets_max);
    assert_eq!(journal.retain(last, 0, i64::MAX).unwrap(), Removed::default());
    assert!(journal.append(&payload).is_err(), "no checkpoint covers it");

    // Nothing is old, but over three quarters age no longer counts.
    let removed = journal.retain(last, last, i64::MIN).unwrap();
    assert!(removed.segments > 0);
    let usage = journal.usage();
    assert!(usage.octets <= usage.octets_max / 4 * 3);
    assert!(usage.octets + SEGMENT_OCTETS_MIN > usage.octets_max / 4 * 3, "no more than needed");
    assert_eq!(journal.append(&payload).unwrap(), last + 1);
    journal.commit().unwrap();
}

#[test]
fn a_segment_goes_when_it_is_acknowledged_and_checkpointed_and_old() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit_large(&mut journal, 10);
    let handle = journal.handle();
    let later = i64::MAX;
    for (acknowledged, checkpointed, now) in [(2, 10, later), (10, 2, later), (10, 10, 0)] {
        let removed = journal.retain(acknowledged, checkpointed, now).unwrap();
        assert_eq!(removed, Removed::default(), "{acknowledged} {checkpointed} {now}");
    }
    assert_eq!(journal.usage().segments, 4);
    assert_eq!(journal.retain(3, 10, later).unwrap().segments, 1);
    assert_eq!(handle.status().first_sequence, 4);
    let removed = journal.retain(10, 10, later).unwrap();
    assert_eq!(removed.segments, 2, "the current one stays");
    assert_eq!(files(dir.path()).len(), 1);
    let usage = handle.status();
    assert_eq!((usage.first_sequence, usage.last_sequence), (10, 10));
    let on_disk = fs::metadata(&files(dir.path())[0]).unwrap().len();
    assert_eq!(usage.octets, on_disk);
    drop(journal);

    let (journal, recovery) = open(dir.path());
    assert_eq!((recovery.first_sequence, recovery.last_sequence), (10, 10));
    assert_eq!(journal.usage(), usage);
}

#[test]
fn a_reader_whose_segment_was_removed_goes_on_at_the_first_kept_and_says_so() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit_large(&mut journal, 10);
    let handle = journal.handle();
    let mut slow = handle.reader(0);
    let mut out = Vec::new();
    assert_eq!(slow.read(2, &mut out).unwrap(), 2);
    journal.retain(9, 9, i64::MAX).unwrap();
    let seen: Vec<u64> = read(&mut slow).iter().map(|entry| entry.sequence).collect();
    assert_eq!(seen, [10]);
    assert_eq!(slow.skipped(), 7);
    assert_eq!(slow.skipped(), 0, "said once");

    let mut late = handle.reader(4);
    assert_eq!(read(&mut late).len(), 1);
    assert_eq!(late.skipped(), 5);
    let mut fresh = handle.reader(0);
    assert_eq!(read(&mut fresh).len(), 1);
    assert_eq!(fresh.skipped(), 0, "it asked for what is kept");
}

#[test]
fn a_position_the_journal_has_not_reached_means_the_end() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit(&mut journal, &["one", "two"]);
    let mut reader = journal.handle().reader(500);
    assert_eq!(read(&mut reader), []);
    commit(&mut journal, &["three"]);
    assert_eq!(read(&mut reader)[0].sequence, 3);
    assert_eq!(reader.skipped(), 0);
}

#[test]
fn a_torn_tail_is_cut_off_and_the_incarnation_renewed() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    let first = journal.incarnation();
    commit(&mut journal, &["one", "two"]);
    drop(journal);
    let path = files(dir.path()).remove(0);
    let octets = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"torn", octets).unwrap();

    let (mut journal, recovery) = open(dir.path());
    assert!(recovery.renewed && !recovery.created);
    assert_eq!((recovery.cut_octets, recovery.last_sequence), (4, 2));
    let second = journal.incarnation();
    assert_ne!(second, first);
    assert!(journal.handle().knows(first) && journal.handle().knows(second));
    assert!(!journal.handle().knows(first ^ 1));
    assert_eq!(commit(&mut journal, &["three"]), 3);
    let entries = read(&mut journal.handle().reader(0));
    let seen: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.incarnation)).collect();
    assert_eq!(seen, [(1, first), (2, first), (3, second)]);
    drop(journal);

    let (journal, recovery) = open(dir.path());
    assert!(!recovery.renewed, "cut once, not at every start");
    assert_eq!(journal.incarnation(), second);
}

#[test]
fn where_whole_records_lie_behind_the_damage_their_sequences_are_not_given_again() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit(&mut journal, &["one", "two", "three", "four"]);
    drop(journal);
    let path = files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    // The payload of the second record: 64 of header, 16 + 3 of the first, 16 of its own.
    bytes[64 + 19 + 16] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let (mut journal, recovery) = open(dir.path());
    assert!(recovery.renewed);
    assert_eq!(recovery.last_sequence, 4);
    assert_eq!(commit(&mut journal, &["five"]), 5);
    let mut reader = journal.handle().reader(0);
    let seen: Vec<u64> = read(&mut reader).iter().map(|entry| entry.sequence).collect();
    assert_eq!(seen, [1, 5]);
    assert_eq!(reader.skipped(), 3);
    let mut follower = journal.handle().reader(4);
    assert_eq!(read(&mut follower)[0].sequence, 5, "one that had read four misses nothing");
}

#[test]
fn damage_in_an_older_segment_is_passed_over_and_counted() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit_large(&mut journal, 7);
    let path = files(dir.path()).remove(0);
    let second = 64 + 16 + SEGMENT_OCTETS_MIN / 4;
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"?", second + 100).unwrap();
    let mut reader = journal.handle().reader(0);
    let seen: Vec<u64> = read(&mut reader).iter().map(|entry| entry.sequence).collect();
    assert_eq!(seen, [1, 4, 5, 6, 7]);
    assert_eq!(reader.skipped(), 2);

    fs::remove_file(&path).unwrap();
    let mut reader = journal.handle().reader(0);
    let seen: Vec<u64> = read(&mut reader).iter().map(|entry| entry.sequence).collect();
    assert_eq!(seen, [4, 5, 6, 7]);
    assert_eq!(reader.skipped(), 3);
}

#[test]
fn a_segment_with_a_damaged_header_is_set_aside() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    let first = journal.incarnation();
    commit_large(&mut journal, 5);
    drop(journal);
    let path = files(dir.path()).remove(1);
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"?", 20).unwrap();

    let (mut journal, recovery) = open(dir.path());
    assert!(recovery.renewed && !recovery.created);
    assert_eq!(recovery.set_aside, [path.with_extension("damaged")]);
    assert!(recovery.set_aside[0].exists() && !path.exists());
    assert_ne!(journal.incarnation(), first);
    assert_eq!(recovery.last_sequence, 5, "what the set-aside one had is not given again");
    commit(&mut journal, &["six"]);
    let mut reader = journal.handle().reader(0);
    let seen: Vec<u64> = read(&mut reader).iter().map(|entry| entry.sequence).collect();
    assert_eq!(seen, [1, 2, 3, 6]);
    assert_eq!(reader.skipped(), 2);
    drop(journal);
    assert_eq!(open(dir.path()).1.set_aside, Vec::<std::path::PathBuf>::new());
}

#[test]
fn files_of_two_journals_are_not_taken_for_one() {
    let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
    let (mut journal, _) = open(dir.path());
    commit_large(&mut journal, 4);
    drop(open(other.path()));
    let stray = dir.path().join("000000000009.seg");
    fs::copy(&files(other.path())[0], &stray).unwrap();
    drop(journal);
    let error = Journal::open(dir.path(), small()).unwrap_err();
    assert!(matches!(error, JournalError::Disordered { path } if path == stray));
}

#[test]
fn a_half_made_segment_is_removed_and_other_files_are_left_alone() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit(&mut journal, &["one"]);
    drop(journal);
    let unfinished = dir.path().join("000000000002.seg.new");
    let notes = dir.path().join("notes.txt");
    fs::write(&unfinished, b"LAST").unwrap();
    fs::write(&notes, b"").unwrap();
    let (_, recovery) = open(dir.path());
    assert!(!recovery.renewed);
    assert!(!unfinished.exists() && notes.exists());
}

#[test]
fn a_look_from_outside_shows_the_segments_while_the_writer_runs() {
    let dir = tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    commit_large(&mut journal, 4);
    let path = files(dir.path()).remove(1);
    let octets = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"in flight", octets).unwrap();

    let infos = inspect(dir.path()).unwrap();
    let short: Vec<_> =
        infos.iter().map(|info| (info.records, info.last_sequence, info.octets_behind)).collect();
    assert_eq!(short, [(3, Some(3), 0), (1, Some(4), 9)]);
    assert_eq!(infos[1].header.unwrap().incarnation, journal.incarnation());
    assert_eq!(infos[1].octets, octets + 9);
    commit_large(&mut journal, 1);
    assert_eq!(journal.usage().last_sequence, 5);
}

#[test]
fn readers_on_other_threads_get_everything_in_order() {
    let dir = tempdir().unwrap();
    const LAST: u64 = 3000;
    let options = Options { octets_max: 1 << 30, ..small() };
    let (mut journal, _) = Journal::open(dir.path(), options).unwrap();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let handle = journal.handle();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let mut durable = handle.durable();
                    let mut reader = handle.reader(0);
                    let (mut out, mut next) = (Vec::new(), 1);
                    while next <= LAST {
                        out.clear();
                        if reader.read(100, &mut out).unwrap() == 0 {
                            durable.changed().await.unwrap();
                        }
                        for entry in &out {
                            assert_eq!(entry.sequence, next);
                            assert_eq!(entry.payload, vec![next as u8; next as usize]);
                            next += 1;
                        }
                    }
                    reader.skipped()
                })
            })
        })
        .collect();
    for sequence in 1..=LAST {
        journal.append(&vec![sequence as u8; sequence as usize]).unwrap();
        if sequence % 20 == 0 {
            journal.commit().unwrap();
        }
    }
    for reader in readers {
        assert_eq!(reader.join().unwrap(), 0);
    }
}
