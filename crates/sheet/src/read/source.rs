//! The octets of a file: its beginning can be looked at, and they are counted.

use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};

use super::{MARK, ReadError};

/// How much of a file decides what it is.
const HEAD: u64 = 64 << 10;

pub(super) struct Source<R> {
    head: Vec<u8>,
    /// Whether the head is the whole file.
    whole: bool,
    rest: BufReader<Chain<Cursor<Vec<u8>>, Counted<R>>>,
    limit: u64,
}

/// Gives an error once more was read than the file may have.
struct Counted<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(ErrorKind::FileTooLarge.into()),
        }
    }
}

impl<R: Read> Source<R> {
    pub(super) fn open(inner: R, limit: u64) -> Result<Self, ReadError> {
        let mut counted = Counted { inner, left: limit };
        let mut head = Vec::new();
        let read = counted.by_ref().take(HEAD).read_to_end(&mut head);
        read.map_err(|error| failed(error, limit))?;
        if head.is_empty() {
            return Err(ReadError::Empty);
        }
        let whole = (head.len() as u64) < HEAD;
        let rest = Cursor::new(head.clone()).chain(counted);
        Ok(Self { head, whole, rest: BufReader::with_capacity(64 << 10, rest), limit })
    }

    /// The first octets, at most 64 KiB.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether the file ends with its head.
    pub(super) fn head_is_whole(&self) -> bool {
        self.whole
    }

    /// Leaves a byte order mark out.
    pub(super) fn skip_mark(&mut self) {
        if self.head.starts_with(MARK) {
            self.head.drain(..MARK.len());
            // The mark is in the head, which is in memory: it is there at once.
            if self.rest.fill_buf().is_ok_and(|buffer| buffer.starts_with(MARK)) {
                self.rest.consume(MARK.len());
            }
        }
    }

    /// What comes next; nothing at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8], ReadError> {
        let limit = self.limit;
        loop {
            // Asked twice, because a buffer returned from a loop cannot be borrowed again.
            match self.rest.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error, limit)),
            }
        }
        self.rest.fill_buf().map_err(|error| failed(error, limit))
    }

    /// Goes on behind so many octets.
    pub(super) fn consume(&mut self, count: usize) {
        self.rest.consume(count);
    }

    /// All of it, where it has to be in memory at once.
    pub(super) fn into_bytes(mut self, max: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        let limit = self.limit;
        let read = self.rest.by_ref().take(max as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(error, limit))?;
        match bytes.len() > max {
            true => Err(ReadError::TooLong(max as u64)),
            false => Ok(bytes),
        }
    }
}

fn failed(error: io::Error, limit: u64) -> ReadError {
    match error.kind() {
        ErrorKind::FileTooLarge => ReadError::TooLong(limit),
        _ => ReadError::Source(error),
    }
}
