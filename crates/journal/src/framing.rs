//! Small files that are written whole and read whole: snapshots and checkpoints.
//!
//! **Layout.** A header of 16 octets: the magic `LASTMFRM`, the kind (4), the format of the
//! kind (1), 3 octets of zero. Frames follow without a gap: length of the payload (8), CRC-32
//! (4) over length and payload, payload. Numbers are big-endian.
//!
//! **Write.** Into a buffer; the caller writes it beside the old file, syncs and renames.
//!
//! **Read.** Frame by frame, up to the end or to the first place that is no whole frame. A
//! file cut between two frames looks complete: a kind that minds has an end frame of its own.
//! Where the file is large, a [`Reader`] has one frame of it in memory at a time.

use std::io::{self, Read};

/// The length of the header.
const HEADER_OCTETS: usize = 16;

/// Length and checksum in front of a payload.
const FRAME_HEAD_OCTETS: usize = 12;

const MAGIC: [u8; 8] = *b"LASTMFRM";

/// Why a framed file cannot be read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is no framed file.
    #[error("the file does not begin as one of ours")]
    Magic,
    /// It is one of another kind.
    #[error("the file is of kind \"{}\", not \"{}\"", found.escape_ascii(), expected.escape_ascii())]
    Kind {
        /// What it is.
        found: [u8; 4],
        /// What was wanted.
        expected: [u8; 4],
    },
    /// A newer program wrote it.
    #[error("the file has format {found}, this program reads up to {known}: use the newer program")]
    NewerFormat {
        /// Its format.
        found: u8,
        /// The newest format the reader knows.
        known: u8,
    },
    /// It ends within a frame, or is damaged.
    #[error("the file is cut short or damaged at octet {offset}")]
    Torn {
        /// Where the first bad frame begins, counted from the first frame.
        offset: usize,
    },
}

/// Adds the header of a file.
pub fn write_header(out: &mut Vec<u8>, kind: [u8; 4], format: u8) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&kind);
    out.extend_from_slice(&[format, 0, 0, 0]);
}

/// Adds a frame.
pub fn write_frame(out: &mut Vec<u8>, payload: &[u8]) {
    let length = (payload.len() as u64).to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, payload).to_be_bytes());
    out.extend_from_slice(payload);
}

fn checksum(length: [u8; 8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(payload);
    crc.finalize()
}

/// Checks the header of a file of `kind` and returns its frames. `known` is the newest format
/// the caller reads.
pub fn open(bytes: &[u8], kind: [u8; 4], known: u8) -> Result<Frames<'_>, FrameError> {
    let (header, frames) = bytes.split_first_chunk::<HEADER_OCTETS>().ok_or(FrameError::Magic)?;
    let format = check_header(header, kind, known)?;
    Ok(Frames { format, ..Frames::new(frames) })
}

/// The format of a file with this header.
fn check_header(header: &[u8; HEADER_OCTETS], kind: [u8; 4], known: u8) -> Result<u8, FrameError> {
    if header[..8] != MAGIC {
        return Err(FrameError::Magic);
    }
    let found = [header[8], header[9], header[10], header[11]];
    if found != kind {
        return Err(FrameError::Kind { found, expected: kind });
    }
    let format = header[12];
    if format > known {
        return Err(FrameError::NewerFormat { found: format, known });
    }
    Ok(format)
}

/// The frames of a file, one payload at a time; an error is the last item.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    offset: usize,
    format: u8,
}

impl<'a> Frames<'a> {
    /// Reads frames that have no header in front of them.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0, format: 0 }
    }

    /// The format in the file's header; 0 where there was none.
    pub fn format(&self) -> u8 {
        self.format
    }

    fn split(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = self.rest.split_first_chunk::<8>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let octets = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (payload, rest) = rest.split_at_checked(octets)?;
        (checksum(*length, payload) == u32::from_be_bytes(*crc)).then_some((payload, rest))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.split() {
            Some((payload, rest)) => {
                self.offset += self.rest.len() - rest.len();
                self.rest = rest;
                Some(Ok(payload))
            }
            None => {
                self.rest = &[];
                Some(Err(FrameError::Torn { offset: self.offset }))
            }
        }
    }
}

/// Why a framed file could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system did not give it.
    #[error("the file could not be read")]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The frames of a file as they are read from it.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    format: u8,
    end: u64,
    payload: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads and checks the header, as [`open`] does.
    pub fn open(mut from: R, kind: [u8; 4], known: u8) -> Result<Self, ReadError> {
        let mut header = [0; HEADER_OCTETS];
        from.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Frame(FrameError::Magic),
            _ => ReadError::Io(error),
        })?;
        let format = check_header(&header, kind, known)?;
        Ok(Self { from, format, end: HEADER_OCTETS as u64, payload: Vec::new() })
    }

    /// The format in the file's header.
    pub fn format(&self) -> u8 {
        self.format
    }

    /// Where the last whole frame that was read ends, counted from the begin of the file.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The payload of the next frame; nothing at the end of the file.
    pub fn read(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let torn = FrameError::Torn { offset: self.end as usize - HEADER_OCTETS };
        let mut head = Vec::with_capacity(FRAME_HEAD_OCTETS);
        self.from.by_ref().take(FRAME_HEAD_OCTETS as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Ok(None);
        }
        let Some((length, crc)) = head.split_first_chunk::<8>() else { return Err(torn.into()) };
        let Some(crc) = crc.first_chunk::<4>() else { return Err(torn.into()) };
        let octets = u64::from_be_bytes(*length);
        // Grows with what is there, whatever the length claims.
        self.payload.clear();
        self.from.by_ref().take(octets).read_to_end(&mut self.payload)?;
        if self.payload.len() as u64 != octets
            || checksum(*length, &self.payload) != u32::from_be_bytes(*crc)
        {
            return Err(torn.into());
        }
        self.end += FRAME_HEAD_OCTETS as u64 + octets;
        Ok(Some(&self.payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: [u8; 4] = *b"TEST";

    fn file() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&mut bytes, KIND, 3);
        write_frame(&mut bytes, b"first");
        write_frame(&mut bytes, b"");
        write_frame(&mut bytes, &[9; 100_000]);
        bytes
    }

    #[test]
    fn a_file_reads_back() {
        let bytes = file();
        let frames = open(&bytes, KIND, 3).unwrap();
        assert_eq!(frames.format(), 3);
        let frames: Vec<&[u8]> = frames.map(Result::unwrap).collect();
        assert_eq!(frames, [b"first".as_slice(), b"", &[9; 100_000]]);
    }

    #[test]
    fn a_cut_file_gives_its_whole_frames_and_then_one_error() {
        let bytes = file();
        for cut in HEADER_OCTETS..60 {
            let items: Vec<_> = open(&bytes[..cut], KIND, 3).unwrap().collect();
            let ends = [HEADER_OCTETS, HEADER_OCTETS + 17, HEADER_OCTETS + 29];
            let whole = ends[1..].iter().filter(|end| cut >= **end).count();
            assert_eq!(items.iter().filter(|item| item.is_ok()).count(), whole, "cut at {cut}");
            let clean = ends.contains(&cut);
            assert_eq!(items.len(), whole + usize::from(!clean), "cut at {cut}");
            // Reading from a file says the same, and where to go on.
            let mut reader = Reader::open(&bytes[..cut], KIND, 3).unwrap();
            for item in &items {
                match (item, reader.read()) {
                    (Ok(payload), Ok(Some(read))) => assert_eq!(*payload, read),
                    (Err(error), Err(ReadError::Frame(read))) => assert_eq!(*error, read),
                    (_, other) => panic!("cut at {cut}: {other:?}"),
                }
            }
            assert_eq!(reader.end(), ends[whole] as u64, "cut at {cut}");
            assert!(!clean || matches!(reader.read(), Ok(None)), "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_octet_is_noticed() {
        let bytes = file();
        for i in HEADER_OCTETS..60 {
            let mut changed = bytes.clone();
            changed[i] ^= 0x20;
            let error = open(&changed, KIND, 3).unwrap().find_map(Result::err);
            assert!(matches!(error, Some(FrameError::Torn { .. })), "octet {i}");
            let mut reader = Reader::open(changed.as_slice(), KIND, 3).unwrap();
            let torn = loop {
                match reader.read() {
                    Ok(Some(_)) => {}
                    other => break matches!(other, Err(ReadError::Frame(FrameError::Torn { .. }))),
                }
            };
            assert!(torn, "octet {i}");
        }
    }

    #[test]
    fn another_kind_and_a_newer_format_are_refused() {
        let bytes = file();
        assert_eq!(open(&bytes[..15], KIND, 3).unwrap_err(), FrameError::Magic);
        assert_eq!(open(&[7; 40], KIND, 3).unwrap_err(), FrameError::Magic);
        let short = Reader::open(&bytes[..15], KIND, 3).unwrap_err();
        assert!(matches!(short, ReadError::Frame(FrameError::Magic)));
        let error = open(&bytes, KIND, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file has format 3, this program reads up to 2: use the newer program"
        );
        let error = open(&bytes, *b"SNAP", 3).unwrap_err();
        assert_eq!(error.to_string(), "the file is of kind \"TEST\", not \"SNAP\"");
    }
}
