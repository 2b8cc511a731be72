//! Reading one stream for ever, across the loss of the bus's contents.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Bus, BusError, Entry, Position, WAIT_MAX};

/// How long a follower trusts that the epoch is still the same.
const EPOCH_CHECK: Duration = Duration::from_secs(1);

/// A reader of one stream that keeps its own place and notices a new epoch.
///
/// When the bus lost its contents it starts again from [`Position::START`] and says so once, in
/// [`Batch::restarted`]: the caller then loads again whatever it builds on. For up to a second
/// after the loss, entries of the new epoch may come first and then once more.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The stream.
    pub stream: String,
    /// Behind the newest entry handed over.
    pub position: Position,
    /// The epoch the position belongs to; `None` until the bus was first asked.
    pub epoch: Option<u64>,
    /// When the epoch was last seen unchanged.
    checked: Option<Instant>,
    /// A restart nobody was told about yet, since the read after it failed or was dropped.
    restart_untold: bool,
}

/// What came next in a stream.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The bus lost its contents since the last batch, and these entries are the first of the
    /// stream as it is now.
    pub restarted: bool,
    /// The entries, oldest first; empty when nothing came in time.
    pub entries: Vec<Entry>,
}

impl Follower {
    /// Follows a stream from its start.
    pub fn new(stream: impl Into<String>) -> Follower {
        Follower::resume(stream, Position::START, None)
    }

    /// Follows a stream from a saved place. With an epoch, a place from another one is not
    /// used: the first batch says `restarted`.
    pub fn resume(stream: impl Into<String>, position: Position, epoch: Option<u64>) -> Follower {
        Follower { stream: stream.into(), position, epoch, checked: None, restart_untold: false }
    }

    /// The next entries, at most `max`, waiting up to `wait` for the first. A restart is
    /// reported at once, with or without entries.
    ///
    /// May be dropped at any moment: the place moves only with a batch that was handed over.
    pub async fn next(&mut self, bus: &Bus, max: usize, wait: Duration) -> Result<Batch, BusError> {
        let until = Instant::now() + wait.min(WAIT_MAX);
        loop {
            self.check_epoch(bus).await?;
            // A restart is news in itself, so that nobody waits for entries to learn of it.
            let left = until.saturating_duration_since(Instant::now());
            let slice = if self.restart_untold { Duration::ZERO } else { left.min(EPOCH_CHECK) };
            let entries = match bus.read(&self.stream, self.position, max, slice).await {
                Ok(entries) => entries,
                Err(error) => {
                    // Whatever broke may have lost the contents as well.
                    self.checked = None;
                    return Err(error);
                }
            };
            if let Some(newest) = entries.last() {
                self.position = newest.position;
            }
            if !entries.is_empty() || self.restart_untold || Instant::now() >= until {
                let restarted = std::mem::take(&mut self.restart_untold);
                return Ok(Batch { restarted, entries });
            }
        }
    }

    /// Asks for the epoch unless it was seen within the last second.
    async fn check_epoch(&mut self, bus: &Bus) -> Result<(), BusError> {
        if self.checked.is_some_and(|at| at.elapsed() < EPOCH_CHECK) {
            return Ok(());
        }
        let now = bus.epoch().await?;
        self.checked = Some(Instant::now());
        if self.epoch.replace(now).is_some_and(|before| before != now) {
            self.position = Position::START;
            self.restart_untold = true;
        }
        Ok(())
    }
}
