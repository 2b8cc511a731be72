//! A segment's header and its name.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::JournalError;

/// The newest format this program reads, and the one it writes.
pub(crate) const FORMAT: u8 = 1;

/// The length of a header.
pub(crate) const HEADER_OCTETS: u64 = 64;

const MAGIC: [u8; 8] = *b"LASTMJNL";

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The incarnation of all its records.
    pub incarnation: u128,
    /// The sequence of its first record.
    pub first_sequence: u64,
    /// When it was made, microseconds since 1970.
    pub created_us: i64,
}

/// What the first octets of a file are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A header.
    Header(Header),
    /// The header of a newer program.
    Newer(u8),
    /// No header, or one that has suffered.
    Damaged,
}

impl Header {
    /// A header for a segment made now.
    pub(crate) fn new(incarnation: u128, first_sequence: u64) -> Self {
        Self { incarnation, first_sequence, created_us: now_us() }
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_OCTETS as usize] {
        let mut out = [0; HEADER_OCTETS as usize];
        out[..8].copy_from_slice(&MAGIC);
        out[8] = FORMAT;
        out[16..32].copy_from_slice(&self.incarnation.to_be_bytes());
        out[32..40].copy_from_slice(&self.first_sequence.to_be_bytes());
        out[40..48].copy_from_slice(&self.created_us.to_be_bytes());
        let crc = crc32fast::hash(&out[..60]);
        out[60..].copy_from_slice(&crc.to_be_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8; HEADER_OCTETS as usize]) -> Parsed {
        let number = |from: usize| {
            bytes[from..from + 8].iter().fold(0u64, |all, octet| all << 8 | u64::from(*octet))
        };
        // Only magic and format are promised to stay where they are.
        if bytes[..8] == MAGIC && bytes[8] > FORMAT {
            return Parsed::Newer(bytes[8]);
        }
        let good = bytes[..8] == MAGIC
            && bytes[8] == FORMAT
            && crc32fast::hash(&bytes[..60]).to_be_bytes() == bytes[60..]
            && number(32) > 0;
        if !good {
            return Parsed::Damaged;
        }
        Parsed::Header(Self {
            incarnation: u128::from(number(16)) << 64 | u128::from(number(24)),
            first_sequence: number(32),
            created_us: number(40) as i64,
        })
    }

    /// Reads the header of a file; nothing where it is damaged.
    pub(crate) fn load(file: &File, path: &Path) -> Result<Option<Self>, JournalError> {
        let mut bytes = [0; HEADER_OCTETS as usize];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(source) => return Err(JournalError::Read { path: path.to_owned(), source }),
        }
        match Self::parse(&bytes) {
            Parsed::Header(header) => Ok(Some(header)),
            Parsed::Damaged => Ok(None),
            Parsed::Newer(found) => {
                Err(JournalError::NewerFormat { path: path.to_owned(), found, known: FORMAT })
            }
        }
    }
}

/// The machine's time. Not an argument, because a segment may have to be begun in the middle
/// of a commit; only `retain` judges by it, and never by it alone.
fn now_us() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    }
}

/// The path of segment `number`.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.seg"))
}

/// The number in a segment's name; nothing for other files.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// What lies in a journal's directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The segments in order, by number.
    pub(crate) segments: Vec<(u64, PathBuf)>,
    /// Segments whose making was interrupted.
    pub(crate) unfinished: Vec<PathBuf>,
}

/// Lists a journal's directory; other files are left out.
pub(crate) fn list(dir: &Path) -> Result<Listing, JournalError> {
    let failed = |source| JournalError::Directory { path: dir.to_owned(), source };
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(number) = number(name) {
            listing.segments.push((number, entry.path()));
        } else if name.strip_suffix(".new").is_some_and(|name| number(name).is_some()) {
            listing.unfinished.push(entry.path());
        }
    }
    listing.segments.sort();
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_any_changed_octet_is_noticed() {
        let header = Header { incarnation: 1 << 100 | 77, first_sequence: 9, created_us: -5 };
        let bytes = header.encode();
        assert_eq!(Header::parse(&bytes), Parsed::Header(header));
        for i in 0..bytes.len() {
            let mut changed = bytes;
            changed[i] ^= 0x10;
            let expected = if i == 8 { Parsed::Newer(FORMAT | 0x10) } else { Parsed::Damaged };
            assert_eq!(Header::parse(&changed), expected, "octet {i}");
        }
    }

    #[test]
    fn only_segments_have_a_segments_name() {
        assert_eq!(number("000000000042.seg"), Some(42));
        assert_eq!(number("1234567890123.seg"), Some(1_234_567_890_123));
        for other in ["42.seg", "000000000042.seg.new", "lock", "+00000000042.seg", ".seg", ""] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
