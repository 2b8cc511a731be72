//! Following the journal.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tracing::warn;

use crate::JournalError;
use crate::frame::{Cursor, Step};
use crate::segment::HEADER_OCTETS;
use crate::shared::{Segment, Shared};

/// A durable record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The incarnation it was written in.
    pub incarnation: u128,
    /// Its sequence.
    pub sequence: u64,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// Reads records from one place on, in order, each once.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    /// The sequence to be read next.
    next: u64,
    /// The segment being read, by number.
    open: Option<(u64, Cursor)>,
    skipped: u64,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, after: u64) -> Self {
        let state = shared.state();
        let next = match after {
            0 => state.first_sequence(),
            after => after.min(state.last_sequence()) + 1,
        };
        drop(state);
        Self { shared, next, open: None, skipped: 0 }
    }

    /// Adds up to `max_records` durable records to `out` and says how many; 0 where there is
    /// nothing new. After an error `out` is as it was, and the same records can be asked for
    /// again.
    pub fn read(
        &mut self,
        max_records: usize,
        out: &mut Vec<Entry>,
    ) -> Result<usize, JournalError> {
        let mut taken = 0;
        while taken < max_records
            && let Some(segment) = self.segment()
        {
            match self.read_segment(&segment, max_records - taken, out) {
                Ok(read) => taken += read,
                // What was taken before counts; the error will come again.
                Err(_) if taken > 0 => break,
                Err(source) => return Err(JournalError::Read { path: segment.path, source }),
            }
        }
        Ok(taken)
    }

    /// How many records were missing since this was last asked: deleted before they were
    /// read, or damaged.
    pub fn skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// The segment that has the next record, or what is kept behind it; nothing where the
    /// reader is at the end.
    fn segment(&mut self) -> Option<Segment> {
        let segment = {
            let state = self.shared.state();
            let index = state.segments.partition_point(|segment| segment.last < self.next);
            state.segments.get(index)?.clone()
        };
        self.skip_to(segment.header.first_sequence.max(self.next));
        Some(segment)
    }

    fn skip_to(&mut self, next: u64) {
        self.skipped += next - self.next;
        self.next = next;
    }

    /// Reads on in one segment. What was taken before an error is taken back.
    fn read_segment(
        &mut self,
        segment: &Segment,
        max_records: usize,
        out: &mut Vec<Entry>,
    ) -> io::Result<usize> {
        let mut cursor = match self.open.take() {
            Some((number, cursor)) if number == segment.number => cursor,
            _ => match File::open(&segment.path) {
                Ok(file) => Cursor::new(file, HEADER_OCTETS),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Deleted since we looked, or by a stranger's hand: gone either way.
                    self.skip_to(segment.last + 1);
                    return Ok(0);
                }
                Err(error) => return Err(error),
            },
        };
        let (from, before) = (self.next, out.len());
        while out.len() - before < max_records && self.next <= segment.last {
            match cursor.next(segment.octets) {
                // On the way to where the reader begins.
                Ok(Step::Record { sequence, .. }) if sequence < self.next => {}
                Ok(Step::Record { sequence, payload }) if sequence == self.next => {
                    out.push(Entry {
                        incarnation: segment.header.incarnation,
                        sequence,
                        payload: payload.to_vec(),
                    });
                    self.next += 1;
                }
                Ok(_) => {
                    warn!(
                        segment = %segment.path.display(),
                        offset = cursor.offset(),
                        records = segment.last + 1 - self.next,
                        "a journal segment is damaged: the rest of it is passed over"
                    );
                    self.skip_to(segment.last + 1);
                }
                Err(error) => {
                    out.truncate(before);
                    self.next = from;
                    return Err(error);
                }
            }
        }
        self.open = Some((segment.number, cursor));
        Ok(out.len() - before)
    }
}
