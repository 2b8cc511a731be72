//! What the writer tells the readers.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Reader;
use crate::segment::Header;

/// A segment as far as it is durable.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    /// The last durable record; one before the first where there is none.
    pub(crate) last: u64,
    /// Where that record ends.
    pub(crate) octets: u64,
}

/// The segments kept, oldest first; never empty.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) segments: VecDeque<Segment>,
    /// The sum of their octets.
    pub(crate) octets: u64,
    pub(crate) reserve_held: bool,
}

impl State {
    pub(crate) fn push(&mut self, segment: Segment) {
        self.octets += segment.octets;
        self.segments.push_back(segment);
    }

    /// The first sequence kept, or the one the next record will have.
    pub(crate) fn first_sequence(&self) -> u64 {
        self.segments.front().map_or(1, |segment| segment.header.first_sequence)
    }

    /// The last durable sequence.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.last)
    }
}

/// What writer and readers share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Changed after `state`. It lives as long as a reader does: to be told that the writer is
    /// gone would help none of them.
    pub(crate) durable: watch::Sender<u64>,
    octets_max: u64,
}

impl Shared {
    pub(crate) fn new(state: State, octets_max: u64) -> Self {
        let durable = watch::Sender::new(state.last_sequence());
        Self { state: Mutex::new(state), durable, octets_max }
    }

    /// The state; it is held for a few lines at a time and never across a call to the disk.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn usage(&self) -> Usage {
        let state = self.state();
        Usage {
            octets: state.octets,
            octets_max: self.octets_max,
            segments: state.segments.len(),
            first_sequence: state.first_sequence(),
            last_sequence: state.last_sequence(),
            reserve_held: state.reserve_held,
        }
    }
}

/// How full the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Octets in all segments.
    pub octets: u64,
    /// Their limit.
    pub octets_max: u64,
    /// How many segments there are.
    pub segments: usize,
    /// The first sequence kept; one more than the last where the journal is empty.
    pub first_sequence: u64,
    /// The last durable sequence; 0 where there has never been one.
    pub last_sequence: u64,
    /// False once a full disk has taken the reserve: the operator has until it is used up.
    pub reserve_held: bool,
}

/// The readers' side of a journal.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// The last durable sequence, as it rises. It stays open when the writer is gone.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.shared.durable.subscribe()
    }

    /// A reader of what follows sequence `after`; 0 means the beginning of what is kept. A
    /// position the journal has not reached belongs to a journal that is no more, and means
    /// the end.
    pub fn reader(&self, after: u64) -> Reader {
        Reader::new(self.shared.clone(), after)
    }

    /// Whether records of this incarnation are kept here.
    pub fn knows(&self, incarnation: u128) -> bool {
        self.shared.state().segments.iter().any(|s| s.header.incarnation == incarnation)
    }

    /// How full the journal is.
    pub fn status(&self) -> Usage {
        self.shared.usage()
    }
}
