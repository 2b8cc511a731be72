//! The writer: append, commit, retain.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::disk::{self, Disk};
use crate::frame::{self, FRAME_OCTETS, PAYLOAD_OCTETS_MAX};
use crate::reserve::Reserve;
use crate::segment::{self, HEADER_OCTETS, Header};
use crate::shared::{Segment, Shared};
use crate::{Handle, JournalError, Options, Usage};

/// The batch buffer keeps this much between commits; one large batch does not hold more.
const BUFFER_OCTETS_KEPT: usize = 1 << 20;

/// The writer of a journal. There is one per directory, on one thread.
pub struct Journal {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) reserve: Reserve,
    pub(crate) shared: Arc<Shared>,
    /// Holds the lock as long as it is open.
    pub(crate) _lock: File,
    pub(crate) incarnation: u128,
    pub(crate) next_number: u64,
    pub(crate) current: Current,
    /// The last durable sequence.
    pub(crate) durable: u64,
    /// The records appended since the last commit, as they will lie in the file.
    pub(crate) pending: Vec<u8>,
    pub(crate) pending_records: u64,
    /// The current segment must not be written again.
    pub(crate) abandoned: bool,
}

/// The segment being written.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Where the last durable record ends.
    pub(crate) end: u64,
}

/// What [`Journal::retain`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// How many segments.
    pub segments: u64,
    /// Their octets.
    pub octets: u64,
}

/// A new incarnation: unique, and no other journal can have it.
pub(crate) fn new_incarnation() -> u128 {
    Uuid::now_v7().as_u128()
}

impl Journal {
    /// The incarnation of the next record.
    pub fn incarnation(&self) -> u128 {
        self.incarnation
    }

    /// Takes a record into the next commit and returns the sequence it will have. It is not
    /// durable yet and no reader sees it. An error concerns this payload alone; what was
    /// appended before stays.
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, JournalError> {
        if payload.len() > PAYLOAD_OCTETS_MAX {
            return Err(JournalError::PayloadTooLong { octets: payload.len() });
        }
        if self.abandoned {
            // Nothing is pending: the commit that failed took it along.
            self.begin_segment(new_incarnation())?;
            self.abandoned = false;
        }
        let pending = (self.pending.len() + FRAME_OCTETS + payload.len()) as u64;
        if HEADER_OCTETS + pending > self.options.segment_octets {
            return Err(JournalError::BatchFull);
        }
        // With the header of a segment that the commit may have to begin.
        if self.shared.state().octets + HEADER_OCTETS + pending > self.options.octets_max {
            return Err(JournalError::Full { octets_max: self.options.octets_max });
        }
        let sequence = self.durable + self.pending_records + 1;
        frame::write(&mut self.pending, sequence, payload);
        self.pending_records += 1;
        Ok(sequence)
    }

    /// Makes everything appended durable, shows it to the readers and returns the last durable
    /// sequence. After an error nothing since the last commit counts: its sequences will be
    /// given again, and the next append may succeed.
    pub fn commit(&mut self) -> Result<u64, JournalError> {
        if self.pending_records == 0 {
            return Ok(self.durable);
        }
        let written = self.write_pending();
        let octets = self.pending.len() as u64;
        let records = std::mem::take(&mut self.pending_records);
        self.pending.clear();
        self.pending.shrink_to(BUFFER_OCTETS_KEPT);
        written?;

        self.durable += records;
        self.current.end += octets;
        let mut state = self.shared.state();
        state.octets += octets;
        if let Some(current) = state.segments.back_mut() {
            current.last = self.durable;
            current.octets = self.current.end;
        }
        drop(state);
        self.shared.durable.send_replace(self.durable);
        Ok(self.durable)
    }

    fn write_pending(&mut self) -> Result<(), JournalError> {
        let octets = self.pending.len() as u64;
        if self.current.end + octets > self.options.segment_octets {
            self.begin_segment(self.incarnation)?;
        }
        let Current { file, path, end } = &self.current;
        let disk = &*self.disk;
        let mut written = disk.write(file, &self.pending, *end);
        if written.as_ref().is_err_and(disk::is_full) && self.reserve.release(disk) {
            written = disk.write(file, &self.pending, *end);
            self.shared.state().reserve_held = false;
        }
        if let Err(source) = written {
            self.abandoned = disk.truncate(file, *end).is_err();
            return Err(JournalError::Write { path: path.clone(), source });
        }
        if let Err(source) = disk.sync(file) {
            // Whatever the cut does, nobody will look behind `end` once the next segment
            // begins; until then it keeps a crash from bringing these records back.
            let _ = disk.truncate(file, *end);
            self.abandoned = true;
            return Err(JournalError::Sync { path: path.clone(), source });
        }
        Ok(())
    }

    /// Begins the next segment behind the last durable record.
    fn begin_segment(&mut self, incarnation: u128) -> Result<(), JournalError> {
        // Spent even if this fails: a half-made segment may be impossible to remove.
        let number = self.next_number;
        self.next_number += 1;
        let header = Header::new(incarnation, self.durable + 1);
        let begun = begin(&*self.disk, &mut self.reserve, &self.dir, number, header);
        let mut state = self.shared.state();
        state.reserve_held = self.reserve.held();
        let (current, segment) = begun?;
        state.push(segment);
        self.current = current;
        self.incarnation = incarnation;
        Ok(())
    }

    /// Removes the oldest segments, as long as everything in them is both acknowledged and
    /// covered by a checkpoint, and they are older than [`Options::keep_s`] at `now_us`
    /// (microseconds since 1970) or the journal has used three quarters of its limit. Takes the
    /// reserve back if it was given up.
    pub fn retain(
        &mut self,
        acknowledged: u64,
        checkpointed: u64,
        now_us: i64,
    ) -> Result<Removed, JournalError> {
        let mut removed = Removed::default();
        while let Some(segment) = self.take_oldest(acknowledged.min(checkpointed), now_us) {
            let gone = match self.disk.remove(&segment.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            };
            if let Err(source) = gone {
                let path = segment.path.clone();
                let mut state = self.shared.state();
                state.octets += segment.octets;
                state.segments.push_front(segment);
                return Err(JournalError::Remove { path, source });
            }
            removed.segments += 1;
            removed.octets += segment.octets;
            // After each, so that a crash cannot leave an older one without its successor.
            self.disk
                .sync_dir(&self.dir)
                .map_err(|source| JournalError::Remove { path: segment.path, source })?;
        }
        self.reserve.fill(&*self.disk);
        self.shared.state().reserve_held = self.reserve.held();
        Ok(removed)
    }

    /// Takes the oldest segment out of the readers' sight, if it may go.
    fn take_oldest(&self, covered: u64, now_us: i64) -> Option<Segment> {
        let mut state = self.shared.state();
        let (oldest, follower) = (state.segments.front()?, state.segments.get(1)?);
        // Its last record was written before the next segment was begun.
        let until_us = follower
            .header
            .created_us
            .saturating_add(self.options.keep_s.saturating_mul(1_000_000));
        let due = until_us <= now_us || state.octets > self.options.octets_pressed();
        if oldest.last > covered || !due {
            return None;
        }
        let oldest = state.segments.pop_front()?;
        state.octets -= oldest.octets;
        Some(oldest)
    }

    /// How full the journal is.
    pub fn usage(&self) -> Usage {
        self.shared.usage()
    }

    /// The readers' side.
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("current", &self.current)
            .field("durable", &self.durable)
            .field("pending_records", &self.pending_records)
            .finish_non_exhaustive()
    }
}

/// Makes a segment durable, with its name; a full disk gets a second try on the reserve.
pub(crate) fn begin(
    disk: &dyn Disk,
    reserve: &mut Reserve,
    dir: &Path,
    number: u64,
    header: Header,
) -> Result<(Current, Segment), JournalError> {
    let path = segment::path(dir, number);
    let mut made = make(disk, dir, &path, &header);
    if made.as_ref().is_err_and(disk::is_full) && reserve.release(disk) {
        made = make(disk, dir, &path, &header);
    }
    let file = made.map_err(|source| JournalError::Begin { path: path.clone(), source })?;
    let last = header.first_sequence - 1;
    let segment = Segment { number, path: path.clone(), header, last, octets: HEADER_OCTETS };
    Ok((Current { file, path, end: HEADER_OCTETS }, segment))
}

fn make(disk: &dyn Disk, dir: &Path, path: &Path, header: &Header) -> io::Result<File> {
    let beside = path.with_extension("seg.new");
    let finish = || {
        let file = disk.create(&beside)?;
        disk.write(&file, &header.encode(), 0)?;
        disk.sync(&file)?;
        disk.rename(&beside, path)?;
        disk.sync_dir(dir)?;
        Ok(file)
    };
    finish().inspect_err(|_| {
        // What cannot be removed does no harm: an unfinished file is removed at the next
        // start, and a finished one has no record.
        let _ = disk.remove(&beside);
        let _ = disk.remove(path);
    })
}
