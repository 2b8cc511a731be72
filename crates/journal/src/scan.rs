//! A segment read through from its first record.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::frame::{self, Cursor, Step};
use crate::segment::{HEADER_OCTETS, Header};

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The last record of the unbroken row; one before the first where there is none.
    pub(crate) last: u64,
    /// Where that record ends.
    pub(crate) end: u64,
    /// The length of the file.
    pub(crate) octets: u64,
}

/// Reads a segment up to the first place that does not hold the next record.
pub(crate) fn scan(file: &File, header: &Header) -> io::Result<Scan> {
    let octets = file.metadata()?.len();
    let mut cursor = Cursor::new(file.try_clone()?, HEADER_OCTETS);
    let mut scan = Scan { last: header.first_sequence - 1, end: HEADER_OCTETS, octets };
    while let Step::Record { sequence, .. } = cursor.next(octets)?
        && sequence == scan.last + 1
    {
        scan.last = sequence;
        scan.end = cursor.offset();
    }
    Ok(scan)
}

/// The highest sequence of a whole record anywhere behind `from`, not below `next`.
pub(crate) fn highest_sequence(file: &File, from: u64, next: u64) -> io::Result<Option<u64>> {
    let octets = file.metadata()?.len().saturating_sub(from);
    let mut bytes = vec![0; octets as usize];
    file.read_exact_at(&mut bytes, from)?;
    Ok(frame::highest_sequence(&bytes, next))
}
