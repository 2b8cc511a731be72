//! What a live session needs, as a pure function.

use model::nas::Vendor;
use model::policy::{Access, Difference, difference};

use crate::dialect;

/// The step to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// It has what it should have.
    Stay,
    /// Change it while it lives.
    Change,
    /// End it; it logs in again and gets what it should have, or nothing.
    Disconnect,
}

/// Compares what a session was given (0: not known) with what it should have (nothing: the
/// service is not in the cache). `named`: a change named this very service.
pub(crate) fn decide(
    given: u64,
    wanted: Option<(Access, u64)>,
    vendor: Vendor,
    named: bool,
) -> Move {
    match wanted {
        // A cache that is not loaded must not end anyone; a deletion must.
        None if named => Move::Disconnect,
        None => Move::Stay,
        Some((Access::Reject(_), _)) => Move::Disconnect,
        // Nothing is known of what it has: trust it until a change names it.
        Some((Access::Full, _)) if given == 0 && !named => Move::Stay,
        Some((Access::Full, _)) if given == 0 => Move::Change,
        Some((Access::Garden(_), _)) if given == 0 => Move::Disconnect,
        Some((_, wanted)) => match difference(given, wanted) {
            Difference::None => Move::Stay,
            other if dialect::carries(vendor, other) => Move::Change,
            _ => Move::Disconnect,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::policy::HoldReason;

    const GIVEN: u64 = 0x0000_0001_0000_0001;
    const OTHER_RATE: u64 = 0x0000_0001_0000_0002;
    const OTHER_POOL: u64 = 0x0000_0002_0000_0001;

    #[test]
    fn a_session_is_changed_where_the_nas_can_and_ended_where_it_cannot() {
        let full = |hash| Some((Access::Full, hash));
        let held = HoldReason::Admin;
        for (given, wanted, named, expected) in [
            (GIVEN, full(GIVEN), true, Move::Stay),
            (GIVEN, full(OTHER_RATE), false, Move::Change),
            (GIVEN, full(OTHER_POOL), false, Move::Disconnect),
            (GIVEN, Some((Access::Reject(held), OTHER_POOL)), false, Move::Disconnect),
            (GIVEN, Some((Access::Garden(held), OTHER_POOL)), false, Move::Disconnect),
            (GIVEN, None, true, Move::Disconnect),
            (GIVEN, None, false, Move::Stay),
            (0, full(GIVEN), false, Move::Stay),
            (0, full(GIVEN), true, Move::Change),
            (0, Some((Access::Garden(held), GIVEN)), false, Move::Disconnect),
        ] {
            let step = decide(given, wanted, Vendor::Mikrotik, named);
            assert_eq!(step, expected, "{given:x} {wanted:x?} {named}");
        }
    }
}
