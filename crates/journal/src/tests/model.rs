//! The journal against a model, under generated work, failures and crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use super::disk::Call;
use super::*;
use crate::inspect;

/// Xorshift: the same work for the same seed.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn payload(&mut self) -> Vec<u8> {
        let octets = match self.below(10) {
            0 => self.below(60_000),
            1..4 => self.below(10_000),
            _ => self.below(200),
        };
        (0..octets).map(|_| self.next() as u8).collect()
    }
}

type Records = BTreeMap<u64, (u128, Vec<u8>)>;

/// What the journal should hold, and the journal.
struct World {
    rng: Rng,
    home: TempDir,
    generation: u32,
    dir: PathBuf,
    disk: Faulty,
    journal: Journal,
    reader: Reader,
    /// What the reader was given last.
    position: u64,
    /// Where it began, how many records it was given, and how many it says were missing.
    reader_from: u64,
    reader_read: u64,
    reader_skipped: u64,
    /// Every committed record that may still be kept.
    committed: Records,
    /// Appended, not committed.
    pending: Records,
    /// Of a commit that failed and could not be cut off: a crash may bring a prefix back.
    ghosts: Records,
    incarnations: BTreeSet<u128>,
    crashes_that_cut: u32,
    crashes_that_did_not: u32,
    failed_commits: u32,
    removed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let home = tempdir().unwrap();
        let disk = Faulty::default();
        let dir = home.path().join("0");
        let (journal, _) = open_faulty(&dir, &disk);
        let reader = journal.handle().reader(0);
        let incarnations = BTreeSet::from([journal.incarnation()]);
        Self {
            rng: Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            home,
            generation: 0,
            dir,
            disk,
            journal,
            reader,
            position: 0,
            reader_from: 0,
            reader_read: 0,
            reader_skipped: 0,
            committed: Records::new(),
            pending: Records::new(),
            ghosts: Records::new(),
            incarnations,
            crashes_that_cut: 0,
            crashes_that_did_not: 0,
            failed_commits: 0,
            removed: 0,
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..45 => self.append(),
            45..70 => self.commit(),
            70..85 => self.read(),
            85..92 => self.retain(),
            92..95 => self.restart(),
            _ => self.crash(),
        }
        self.check();
    }

    /// Makes some calls fail until the disk is healed.
    fn arm(&mut self) {
        for call in Call::ALL {
            if self.rng.one_in(3) {
                let kinds = [ErrorKind::StorageFull, ErrorKind::Other];
                let kind = kinds[self.rng.below(2) as usize];
                self.disk.fail(call, kind);
            }
        }
        self.disk.written_of_1000(self.rng.below(1001) as usize);
    }

    fn append(&mut self) {
        for _ in 0..self.rng.below(4) + 1 {
            let payload = self.rng.payload();
            if self.rng.one_in(20) {
                self.arm();
            }
            let result = self.journal.append(&payload);
            self.disk.heal();
            let Ok(sequence) = result else { continue };
            // Whatever a failed commit left is out of reach now.
            self.ghosts.clear();
            let last = self.pending.keys().next_back().copied();
            assert_eq!(sequence, last.unwrap_or(self.journal.usage().last_sequence) + 1);
            self.pending.insert(sequence, (self.journal.incarnation(), payload));
        }
    }

    fn commit(&mut self) {
        let before = self.journal.usage().last_sequence;
        let failing = self.rng.one_in(4);
        if failing {
            self.arm();
        }
        let result = self.journal.commit();
        let uncut = self.disk.fails(Call::Truncate);
        self.disk.heal();
        let pending = std::mem::take(&mut self.pending);
        match result {
            Ok(last) => {
                assert_eq!(last, pending.keys().next_back().copied().unwrap_or(before));
                self.committed.extend(pending);
            }
            Err(_) => {
                assert!(failing, "the disk was well");
                self.failed_commits += 1;
                assert_eq!(self.journal.usage().last_sequence, before);
                self.ghosts = if uncut { pending } else { Records::new() };
            }
        }
    }

    fn read(&mut self) {
        let max = self.rng.below(20) as usize;
        let mut out = Vec::new();
        assert_eq!(self.reader.read(max, &mut out).unwrap(), out.len());
        self.take(max, out);
    }

    /// What a reader returned is what comes next.
    fn take(&mut self, max: usize, out: Vec<Entry>) {
        let first_kept = self.journal.usage().first_sequence;
        let from = (self.position + 1).max(first_kept);
        let expected: Vec<u64> =
            self.committed.range(from..).take(max).map(|(sequence, _)| *sequence).collect();
        let sequences: Vec<u64> = out.iter().map(|entry| entry.sequence).collect();
        assert_eq!(sequences, expected);
        for entry in out {
            let (incarnation, payload) = &self.committed[&entry.sequence];
            assert_eq!(*incarnation, entry.incarnation);
            assert_eq!(*payload, entry.payload);
            self.position = entry.sequence;
            self.reader_read += 1;
        }
        self.reader_skipped += self.reader.skipped();
    }

    /// A new reader where the last one was.
    fn reader(&mut self) {
        self.reader = self.journal.handle().reader(self.position);
        self.reader_from = match self.position {
            0 => self.journal.usage().first_sequence - 1,
            position => position,
        };
        self.reader_read = 0;
        self.reader_skipped = 0;
    }

    fn retain(&mut self) {
        let last = self.journal.usage().last_sequence;
        let acknowledged = self.rng.below(last + 1);
        let checkpointed = self.rng.below(last + 1);
        let now = if self.rng.one_in(2) { i64::MAX } else { 0 };
        let failing = self.rng.one_in(5);
        if failing {
            self.arm();
        }
        let before = self.journal.usage();
        let result = self.journal.retain(acknowledged, checkpointed, now);
        self.disk.heal();
        let usage = self.journal.usage();
        match result {
            Ok(removed) => {
                assert_eq!(removed.octets, before.octets - usage.octets);
                assert_eq!(removed.segments as usize, before.segments - usage.segments);
                self.removed += removed.segments;
                if now == 0 && before.octets <= before.octets_max / 4 * 3 {
                    assert_eq!(removed.segments, 0, "neither old nor pressed");
                }
            }
            Err(_) => assert!(failing, "the disk was well"),
        }
        let first_kept = usage.first_sequence;
        let gone: Vec<u64> = self.committed.range(..first_kept).map(|(s, _)| *s).collect();
        for sequence in gone {
            assert!(sequence <= acknowledged && sequence <= checkpointed);
            self.committed.remove(&sequence);
        }
    }

    /// Stops in order and starts again.
    fn restart(&mut self) {
        self.reopen(false);
    }

    /// Dies: between two commits, or between a commit's write and its sync.
    fn crash(&mut self) {
        if self.rng.one_in(2) && !self.pending.is_empty() {
            // Dead before the sync: neither that nor the cut happens.
            self.disk.fail(Call::Sync, ErrorKind::Other);
            self.disk.fail(Call::Truncate, ErrorKind::Other);
            assert!(self.journal.commit().is_err());
            self.disk.heal();
            self.ghosts = std::mem::take(&mut self.pending);
        }
        self.reopen(true);
    }

    /// Opens a copy of the directory; after a crash, with what was not synced changed.
    fn reopen(&mut self, crash: bool) {
        let incarnation = self.journal.incarnation();
        let durable = self.journal.usage();
        let end = self.journal.current.end;
        let name = self.journal.current.path.file_name().unwrap().to_owned();
        self.pending.clear();
        self.generation += 1;
        let dir = self.home.path().join(self.generation.to_string());
        copy(&self.dir, &dir);
        fs::remove_dir_all(&self.dir).unwrap();
        self.dir = dir;
        if crash {
            self.spoil(&self.dir.join(name), end);
        }
        self.disk = Faulty::default();

        let (journal, recovery) = open_faulty(&self.dir, &self.disk);
        self.journal = journal;
        let usage = self.journal.usage();
        if recovery.cut_octets > 0 {
            self.crashes_that_cut += 1;
            assert!(self.incarnations.insert(self.journal.incarnation()), "renewed");
        } else {
            self.crashes_that_did_not += 1;
            assert_eq!(self.journal.incarnation(), incarnation);
        }
        assert_eq!(recovery.renewed, recovery.cut_octets > 0);
        assert!(recovery.cut_octets == 0 || !self.ghosts.is_empty(), "there was nothing to cut");
        assert!(!recovery.created);

        // What came back of a commit that was never answered is a prefix of it.
        let mut reader = self.journal.handle().reader(durable.last_sequence);
        let mut last = durable.last_sequence;
        for entry in read(&mut reader) {
            last += 1;
            assert_eq!(entry.sequence, last);
            let ghost = self.ghosts.remove(&last).expect("nobody appended that");
            assert_eq!(ghost, (entry.incarnation, entry.payload.clone()));
            self.committed.insert(last, ghost);
        }
        assert!(usage.last_sequence >= last);
        let highest = self.ghosts.keys().next_back().copied().unwrap_or(last);
        assert!(usage.last_sequence <= highest.max(last), "no number is wasted without a record");
        self.ghosts.clear();
        self.reader();
    }

    /// Cuts or garbles the file at a random octet behind `end`, where nothing was synced.
    fn spoil(&mut self, path: &Path, end: u64) {
        let octets = fs::metadata(path).unwrap().len();
        if octets <= end {
            return;
        }
        let at = end + self.rng.below(octets - end + 1);
        let file = OpenOptions::new().write(true).open(path).unwrap();
        match self.rng.below(3) {
            0 => file.set_len(at).unwrap(),
            1 => {
                let noise: Vec<u8> = (at..octets).map(|_| self.rng.next() as u8).collect();
                file.write_all_at(&noise, at).unwrap();
            }
            // A page that never arrived.
            _ => {
                let zeros = vec![0; (octets - at).min(4096) as usize];
                file.write_all_at(&zeros, at).unwrap();
            }
        }
    }

    fn check(&mut self) {
        let usage = self.journal.usage();
        self.incarnations.insert(self.journal.incarnation());
        assert!(!self.disk.reused(), "a file was used after its sync failed");
        assert!(usage.octets <= usage.octets_max);
        assert!(usage.first_sequence <= usage.last_sequence + 1);
        assert_eq!(*self.journal.handle().durable().borrow(), usage.last_sequence);
    }

    /// Everything that should be there is there, once, in order, and nothing else.
    fn compare(&mut self) {
        let mut reader = self.journal.handle().reader(0);
        let all: Records = read(&mut reader)
            .into_iter()
            .map(|entry| (entry.sequence, (entry.incarnation, entry.payload)))
            .collect();
        assert!(all == self.committed, "the journal and the model differ");

        let out = read(&mut self.reader);
        self.take(usize::MAX, out);
        let passed = self.journal.usage().last_sequence - self.reader_from;
        assert_eq!(self.reader_read + self.reader_skipped, passed, "each record read or missed");

        if self.ghosts.is_empty() {
            let records: u64 = inspect(&self.dir).unwrap().iter().map(|info| info.records).sum();
            assert_eq!(records, self.committed.len() as u64);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn the_journal_holds_what_the_model_holds_through_failures_and_crashes() {
    let (mut cut, mut not_cut, mut failed, mut removed) = (0, 0, 0, 0);
    for seed in 1..=60 {
        // Seen when a seed fails.
        println!("seed {seed}");
        let mut world = World::new(seed);
        for step in 0..150 {
            world.step();
            if step % 10 == 0 {
                world.compare();
            }
        }
        world.compare();
        cut += world.crashes_that_cut;
        not_cut += world.crashes_that_did_not;
        failed += world.failed_commits;
        removed += world.removed;
    }
    // The work reached what it is meant to reach.
    println!("{cut} cut, {not_cut} not cut, {failed} failed commits, {removed} segments removed");
    assert!(cut > 50 && not_cut > 50 && failed > 50 && removed > 50);
}
