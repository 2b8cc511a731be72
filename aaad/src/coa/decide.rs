//! What a live session needs, as a pure function.

use model::nas::Vendor;
use model::policy::{Access, Difference, difference};

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

/// Compares what a session was given (0: not known) with what it should have. `named`: a
/// change named this very service.
pub(crate) fn decide(given: u64, access: Access, wanted: u64, vendor: Vendor, named: bool) -> Move {
    match access {
        Access::Reject(_) => Move::Disconnect,
        // Nothing is known of what it has: trust it until a change names it.
        Access::Full if given == 0 && !named => Move::Stay,
        Access::Full if given == 0 => Move::Change,
        Access::Garden(_) if given == 0 => Move::Disconnect,
        Access::Full | Access::Garden(_) => match difference(given, wanted) {
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
        let reject = Access::Reject(HoldReason::Admin);
        let garden = Access::Garden(HoldReason::Nonpayment);
        for (given, access, wanted, named, expected) in [
            (GIVEN, Access::Full, GIVEN, true, Move::Stay),
            (GIVEN, Access::Full, OTHER_RATE, false, Move::Change),
            (GIVEN, Access::Full, OTHER_POOL, false, Move::Disconnect),
            (GIVEN, reject, OTHER_POOL, false, Move::Disconnect),
            (GIVEN, garden, OTHER_POOL, false, Move::Disconnect),
            (0, Access::Full, GIVEN, false, Move::Stay),
            (0, Access::Full, GIVEN, true, Move::Change),
            (0, garden, GIVEN, false, Move::Disconnect),
        ] {
            let step = decide(given, access, wanted, Vendor::Mikrotik, named);
            assert_eq!(step, expected, "{given:x} {access:?} {wanted:x} {named}");
        }
    }
}
