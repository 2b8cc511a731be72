//! The blast radius: how many sessions policy may take offline before somebody looks.
//!
//! An import gone wrong, a clock that jumps or a run that suspends half the town would
//! otherwise reach every subscriber within a minute. Disconnects that policy asks for are
//! counted over ten minutes; what would go beyond the limit is held, alarmed, and released by
//! hand (`netctl coa release`). Held sessions are not remembered: the sweep finds them again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which Disconnects are counted, and for which a release holds.
const WINDOW: Duration = Duration::from_secs(600);
/// So many are always allowed.
const ALWAYS: usize = 200;
/// And this share of the live sessions, in percent.
const PERCENT: usize = 2;

/// The count.
#[derive(Debug, Default)]
pub(crate) struct BlastRadius {
    disconnected: VecDeque<Instant>,
    released_at: Option<Instant>,
    held: bool,
}

impl BlastRadius {
    /// Whether one more session may be disconnected now, and then counts it.
    pub(crate) fn admit(&mut self, now: Instant, live: usize) -> bool {
        let old = |at: &Instant| now.saturating_duration_since(*at) >= WINDOW;
        while self.disconnected.front().is_some_and(old) {
            self.disconnected.pop_front();
        }
        if self.released_at.is_some_and(|at| old(&at)) {
            self.released_at = None;
        }
        // Those that went lately were live when it began.
        let live = live + self.disconnected.len();
        let limit = ALWAYS.max(live * PERCENT / 100);
        let admitted = self.released_at.is_some() || self.disconnected.len() < limit;
        if admitted {
            self.disconnected.push_back(now);
        }
        self.held = !admitted;
        admitted
    }

    /// Whether the last one that asked was held.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Lets everything through for the next ten minutes; false where nothing is held.
    pub(crate) fn release(&mut self, now: Instant) -> bool {
        if !std::mem::take(&mut self.held) {
            return false;
        }
        self.released_at = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_sessions_are_held_until_they_are_released_or_time_has_passed() {
        let start = Instant::now();
        let mut blast = BlastRadius::default();
        let admitted = |blast: &mut BlastRadius, at: Instant, live: usize, n: usize| {
            (0..n).filter(|_| blast.admit(at, live)).count()
        };
        assert_eq!(admitted(&mut blast, start, 1000, 300), 200, "200 of a small network");
        assert!(blast.is_held());
        let later = start + WINDOW;
        assert_eq!(admitted(&mut blast, later, 50_000, 2000), 1020, "2 % of a large one");
        assert!(blast.release(later));
        assert_eq!(admitted(&mut blast, later, 50_000, 2000), 2000);
        assert!(!blast.release(later), "nothing is held");
        let much_later = later + WINDOW;
        assert_eq!(admitted(&mut blast, much_later, 100, 300), 200, "a release ends");
    }
}
