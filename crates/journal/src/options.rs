//! How large, and for how long.

use crate::JournalError;
use crate::frame::{FRAME_OCTETS, PAYLOAD_OCTETS_MAX};
use crate::segment::HEADER_OCTETS;

/// The smallest [`Options::segment_octets`].
pub const SEGMENT_OCTETS_MIN: u64 = 128 * 1024;
/// The largest [`Options::segment_octets`]: recovery reads one segment through.
pub const SEGMENT_OCTETS_MAX: u64 = 1 << 30;

/// [`Options::octets_max`] holds at least this many segments, so that removing one helps.
const SEGMENTS_MIN: u64 = 4;

// The longest record fits into an empty segment of the smallest size.
const _: () = assert!(
    HEADER_OCTETS + (FRAME_OCTETS + PAYLOAD_OCTETS_MAX) as u64 <= SEGMENT_OCTETS_MIN
        && SEGMENT_OCTETS_MIN <= SEGMENT_OCTETS_MAX
);

/// How large the journal may grow and how long it keeps what nobody needs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A segment that would grow beyond this is followed by a new one.
    pub segment_octets: u64,
    /// Size limit of all segments together; the reserve stands beside it.
    pub octets_max: u64,
    /// Space occupied in advance and given up when the disk is full; 0: none.
    pub reserve_octets: u64,
    /// How long a segment is kept after its last record, seconds.
    pub keep_s: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_octets: 64 << 20,
            octets_max: 8 << 30,
            reserve_octets: 16 << 20,
            keep_s: 72 * 3600,
        }
    }
}

impl Options {
    /// Says whether the options fit together; [`crate::Journal::open`] asks too.
    pub fn check(&self) -> Result<(), JournalError> {
        if !(SEGMENT_OCTETS_MIN..=SEGMENT_OCTETS_MAX).contains(&self.segment_octets) {
            return Err(JournalError::Options("segment_octets must lie between 128 KiB and 1 GiB"));
        }
        if self.octets_max / SEGMENTS_MIN < self.segment_octets {
            return Err(JournalError::Options("octets_max must hold at least four segments"));
        }
        if self.keep_s < 0 {
            return Err(JournalError::Options("keep_s must not be negative"));
        }
        Ok(())
    }

    /// Above this, age protects a segment no longer.
    ///
    /// Three quarters, not all of the limit: what is over four fifths, where operators are
    /// alarmed, is then always something that may not be removed, never just a busy day.
    pub(crate) fn octets_pressed(&self) -> u64 {
        self.octets_max / 4 * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_together_and_contradictions_are_refused() {
        let good = Options::default();
        assert!(good.check().is_ok());
        for bad in [
            Options { segment_octets: SEGMENT_OCTETS_MIN - 1, ..good.clone() },
            Options {
                segment_octets: SEGMENT_OCTETS_MAX + 1,
                octets_max: u64::MAX,
                ..good.clone()
            },
            Options { octets_max: good.segment_octets * 4 - 1, ..good.clone() },
            Options { keep_s: -1, ..good.clone() },
        ] {
            assert!(matches!(bad.check(), Err(JournalError::Options(_))), "{bad:?}");
        }
    }
}
