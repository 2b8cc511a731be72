//! How a record lies in a segment: length (4), CRC-32 (4), sequence (8), payload.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The longest payload.
pub const PAYLOAD_OCTETS_MAX: usize = 64 * 1024;

/// What a record takes besides its payload.
pub(crate) const FRAME_OCTETS: usize = 16;

/// How much of a file is read at once.
const READ_OCTETS: usize = 256 * 1024;

// A whole record fits into one reading, and its length into its field.
const _: () = assert!(
    FRAME_OCTETS + PAYLOAD_OCTETS_MAX <= READ_OCTETS && PAYLOAD_OCTETS_MAX < u32::MAX as usize
);

/// Adds a record to `out`. The caller has checked the payload's length.
pub(crate) fn write(out: &mut Vec<u8>, sequence: u64, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    let sequence = sequence.to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, sequence, payload).to_be_bytes());
    out.extend_from_slice(&sequence);
    out.extend_from_slice(payload);
}

fn checksum(length: [u8; 4], sequence: [u8; 8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(&sequence);
    crc.update(payload);
    crc.finalize()
}

/// The fixed part of a record, not yet believed.
#[derive(Clone, Copy)]
struct Prefix {
    length: [u8; 4],
    crc: u32,
    sequence: [u8; 8],
}

impl Prefix {
    /// Reads the prefix, unless the length is out of bounds.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let sequence = rest.first_chunk::<8>()?;
        let prefix = Self { length: *length, crc: u32::from_be_bytes(*crc), sequence: *sequence };
        (prefix.payload_octets() <= PAYLOAD_OCTETS_MAX).then_some(prefix)
    }

    fn payload_octets(&self) -> usize {
        u32::from_be_bytes(self.length) as usize
    }

    fn sequence(&self) -> u64 {
        u64::from_be_bytes(self.sequence)
    }

    /// The payload, if `bytes` hold all of it and the checksum agrees.
    fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(FRAME_OCTETS..FRAME_OCTETS + self.payload_octets())?;
        (checksum(self.length, self.sequence, payload) == self.crc).then_some(payload)
    }
}

/// What a [`Cursor`] met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A whole record.
    Record {
        /// Its sequence.
        sequence: u64,
        /// Its payload.
        payload: &'a [u8],
    },
    /// The end, behind a whole record.
    End,
    /// Something that is no whole record. The cursor stays in front of it.
    Bad,
}

/// Walks the records of a file.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: File,
    /// What was read; `at` is where the next record begins.
    buffer: Vec<u8>,
    at: usize,
    /// Where the next record begins in the file.
    offset: u64,
}

impl Cursor {
    /// A cursor in front of the record at `offset`.
    pub(crate) fn new(file: File, offset: u64) -> Self {
        Self { file, buffer: Vec::new(), at: 0, offset }
    }

    /// Where the next record begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record. Nothing at or behind `end` is looked at: there the writer may be at work.
    pub(crate) fn next(&mut self, end: u64) -> io::Result<Step<'_>> {
        if self.offset >= end {
            return Ok(Step::End);
        }
        if !self.fill(FRAME_OCTETS, end)? {
            return Ok(Step::Bad);
        }
        let Some(prefix) = Prefix::parse(&self.buffer[self.at..]) else { return Ok(Step::Bad) };
        let octets = FRAME_OCTETS + prefix.payload_octets();
        if !self.fill(octets, end)? {
            return Ok(Step::Bad);
        }
        let from = self.at;
        let Some(payload) = prefix.payload(&self.buffer[from..]) else { return Ok(Step::Bad) };
        self.at += octets;
        self.offset += octets as u64;
        Ok(Step::Record { sequence: prefix.sequence(), payload })
    }

    /// Has at least `octets` from the next record on in the buffer, or says that there are not
    /// as many in front of `end`.
    fn fill(&mut self, octets: usize, end: u64) -> io::Result<bool> {
        if self.buffer.len() - self.at >= octets {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let have = self.buffer.len();
        let room = end.saturating_sub(self.offset).min(READ_OCTETS as u64) as usize;
        self.buffer.resize(room.max(have), 0);
        let mut filled = have;
        while filled < self.buffer.len() {
            match self.file.read_at(&mut self.buffer[filled..], self.offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(filled >= octets)
    }
}

/// The highest sequence of a whole record anywhere in `bytes`, looked for octet by octet.
///
/// A payload comes from strangers and may look like a record. So only sequences count that
/// could have been written into that much space from `next` on: a forged one wastes some
/// numbers, no more.
pub(crate) fn highest_sequence(bytes: &[u8], next: u64) -> Option<u64> {
    let span = next..=next.saturating_add((bytes.len() / FRAME_OCTETS) as u64);
    (0..bytes.len())
        .filter_map(|from| {
            let prefix = Prefix::parse(&bytes[from..])?;
            let sequence = prefix.sequence();
            (span.contains(&sequence) && prefix.payload(&bytes[from..]).is_some())
                .then_some(sequence)
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn cursor(bytes: &[u8]) -> (Cursor, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        (Cursor::new(file, 0), bytes.len() as u64)
    }

    #[test]
    fn the_cursor_returns_what_was_written_and_then_the_end() {
        let long = vec![7; PAYLOAD_OCTETS_MAX];
        let payloads: Vec<&[u8]> = vec![b"one", b"", &long, &long, &long, &long, &long, b"last"];
        let mut bytes = Vec::new();
        for (n, payload) in payloads.iter().enumerate() {
            write(&mut bytes, n as u64 + 1, payload);
        }
        let (mut cursor, end) = cursor(&bytes);
        for (n, payload) in payloads.iter().enumerate() {
            let record = Step::Record { sequence: n as u64 + 1, payload };
            assert_eq!(cursor.next(end).unwrap(), record);
        }
        assert_eq!(cursor.next(end).unwrap(), Step::End);
    }

    #[test]
    fn the_cursor_sees_nothing_behind_the_end_it_is_given_until_that_moves() {
        let mut bytes = Vec::new();
        write(&mut bytes, 1, b"first");
        let first = bytes.len() as u64;
        write(&mut bytes, 2, b"second");
        let (mut cursor, end) = cursor(&bytes);
        assert!(matches!(cursor.next(first).unwrap(), Step::Record { sequence: 1, .. }));
        assert_eq!(cursor.next(first).unwrap(), Step::End);
        assert!(matches!(cursor.next(end).unwrap(), Step::Record { sequence: 2, .. }));
    }

    #[test]
    fn a_record_with_any_octet_changed_or_missing_is_bad() {
        let mut bytes = Vec::new();
        write(&mut bytes, 258, b"payload");
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 0x41;
            let (mut changed, end) = cursor(&changed);
            assert_eq!(changed.next(end).unwrap(), Step::Bad, "octet {i} changed");
            let (mut cut, end) = cursor(&bytes[..i]);
            let expected = if i == 0 { Step::End } else { Step::Bad };
            assert_eq!(cut.next(end).unwrap(), expected, "cut at {i}");
        }
        let (mut zeros, end) = cursor(&[0; 64]);
        assert_eq!(zeros.next(end).unwrap(), Step::Bad, "what a lost page leaves");
    }

    #[test]
    fn whole_records_behind_a_bad_place_are_found_unless_their_number_is_absurd() {
        let mut bytes = vec![0xee; 100];
        write(&mut bytes, 12, b"twelve");
        bytes.extend_from_slice(&[1, 2, 3]);
        write(&mut bytes, 11, b"eleven");
        assert_eq!(highest_sequence(&bytes, 10), Some(12));
        assert_eq!(highest_sequence(&bytes, 13), None);
        write(&mut bytes, u64::MAX, b"from a stranger");
        assert_eq!(highest_sequence(&bytes, 10), Some(12));
    }
}
