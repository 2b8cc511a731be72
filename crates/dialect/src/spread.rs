//! Interim intervals that differ a little by session.
//!
//! After a power cut thousands of sessions begin within seconds, and with one interval they
//! would report in step for ever. Each session's interval lies within a tenth of the plan's; it
//! follows from the session's own facts, so that a repeated request is answered alike.

use model::nas::Fnv;
use radius_wire::{Attributes, attr};

/// No interval is shorter, seconds (RFC 2869 §5.16).
const INTERIM_S_MIN: u32 = 60;

/// The interval of the session with this key: within a tenth of `planned_s`.
pub fn interim_s(planned_s: u32, key: u32) -> u32 {
    let thousandths = 900 + u64::from(key % 201);
    let spread = u64::from(planned_s) * thousandths / 1000;
    u32::try_from(spread).unwrap_or(planned_s).max(INTERIM_S_MIN.min(planned_s))
}

/// What tells one session from another in an Access-Request, in a number.
pub fn session_key(attributes: Attributes<'_>) -> u32 {
    let mut hash = Fnv::default();
    for attribute in attributes {
        if matches!(
            attribute.kind,
            attr::USER_NAME
                | attr::NAS_PORT
                | attr::NAS_PORT_ID
                | attr::CALLING_STATION_ID
                | attr::ACCT_SESSION_ID
        ) {
            hash.write(&[attribute.kind]);
            hash.write(attribute.value);
        }
    }
    hash.fold()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_lie_within_a_tenth_and_spread_evenly() {
        let mut sixths = [0; 6];
        for n in 0..10_000u32 {
            let mut octets = vec![attr::USER_NAME, 10];
            octets.extend_from_slice(format!("u{n:07}").as_bytes());
            let key = session_key(Attributes::parse(&octets).unwrap());
            assert_eq!(key, session_key(Attributes::parse(&octets).unwrap()));
            let interval = interim_s(300, key);
            assert!((270..=330).contains(&interval), "{interval}");
            sixths[(interval as usize - 270) * 6 / 61] += 1;
        }
        assert!(sixths.iter().all(|count| (1400..2050).contains(count)), "{sixths:?}");
    }

    #[test]
    fn no_interval_is_below_what_the_rfc_allows() {
        for key in 0..201 {
            assert!((60..=66).contains(&interim_s(60, key)));
        }
        assert!(interim_s(u32::MAX, 200) >= 3_865_470_565);
    }
}
