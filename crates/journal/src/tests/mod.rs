//! Tests of the journal as a whole.

mod behaviour;
mod disk;
mod faults;
mod model;

use std::path::Path;

use crate::recovery::open_on;
use crate::{Entry, Handle, Journal, Options, Reader, Recovery, Removed, SEGMENT_OCTETS_MIN};
use disk::Faulty;

/// Small segments and no reserve.
fn small() -> Options {
    Options {
        segment_octets: SEGMENT_OCTETS_MIN,
        octets_max: 16 * SEGMENT_OCTETS_MIN,
        reserve_octets: 0,
        keep_s: 3600,
    }
}

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open(dir, small()).unwrap()
}

fn open_faulty(dir: &Path, disk: &Faulty) -> (Journal, Recovery) {
    open_on(dir, small(), Box::new(disk.clone())).unwrap()
}

/// Appends the payloads and commits them.
fn commit<P: AsRef<[u8]>>(journal: &mut Journal, payloads: &[P]) -> u64 {
    for payload in payloads {
        journal.append(payload.as_ref()).unwrap();
    }
    journal.commit().unwrap()
}

/// Commits one record after the other, large enough that a segment takes three.
fn commit_large(journal: &mut Journal, records: u64) {
    for _ in 0..records {
        commit(journal, &[vec![1; SEGMENT_OCTETS_MIN as usize / 4]]);
    }
}

fn read(reader: &mut Reader) -> Vec<Entry> {
    let mut out = Vec::new();
    while reader.read(7, &mut out).unwrap() > 0 {}
    out
}

fn read_all(handle: &Handle) -> Vec<(u64, Vec<u8>)> {
    read(&mut handle.reader(0)).into_iter().map(|entry| (entry.sequence, entry.payload)).collect()
}

/// The segment files, oldest first.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let listing = crate::segment::list(dir).unwrap();
    listing.segments.into_iter().map(|(_, path)| path).collect()
}
