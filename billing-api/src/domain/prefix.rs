//! IPv6 prefixes and addresses of services: what one service has, no other has a part of.
//!
//! Equal ones are kept apart by unique indexes, those that overlap by ranges in a table of their
//! own: first and last address as 32 hexadecimal digits, which both engines compare alike. What
//! writes ranges does so one at a time, since two that do not see each other could both be right.

use std::net::Ipv6Addr;

use ipnetwork::IpNetwork;
use model::ServiceId;
use store::{Row, args};

use super::{Fault, Unit};
use crate::entity::{Draft, Verb};
use crate::store::prefix as sql;

/// The fields that say what a service has, with their pointers.
const FIELDS: [(&str, &str); 3] = [
    ("ipv6_address", "/ipv6_address"),
    ("ipv6_prefix", "/ipv6_prefix"),
    ("delegated_prefix", "/delegated_prefix"),
];

/// Before a service is written: holds the ranges until the unit ends, where it may change them.
pub(super) async fn hold(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    let mut writes = FIELDS.iter().any(|(field, _)| draft.net(field).is_some());
    if verb == Verb::Restored
        && let Some(row) = row
    {
        for (field, _) in FIELDS {
            writes |= row.get::<Option<IpNetwork>>(field)?.is_some();
        }
    }
    if writes {
        unit.fetch_one(&sql::HOLD, args![]).await?;
    }
    Ok(())
}

/// Keeps the ranges of a service that was written; one that overlaps with another's is refused.
pub(super) async fn keep(unit: &mut Unit<'_>, service: ServiceId, row: &Row) -> Result<(), Fault> {
    forget(unit, service).await?;
    for (field, pointer) in FIELDS {
        let Some(net) = row.get::<Option<IpNetwork>>(field)? else { continue };
        let Some((first, last)) = range(net) else { continue };
        let inside = args![first.as_str(), last.as_str(), service];
        let mut overlaps = unit.fetch_optional(&sql::INSIDE, inside).await?.is_some();
        // Of what begins before, the nearest decide: nothing of two services overlaps, so what
        // lies between them and this is the same service's, which has no more than three.
        for near in unit.fetch_all(&sql::BEFORE, args![first.as_str(), service]).await? {
            overlaps |= near.get::<String>("last_address")? >= last;
        }
        if overlaps {
            // Whose it is, and what, is not the caller's to know.
            let detail = "overlaps with what another service has".to_owned();
            return Err(Fault::Conflict { pointer, detail });
        }
        unit.execute(&sql::INSERT, args![service, field, first, last]).await?;
    }
    Ok(())
}

/// Whether a draft says something of these fields.
pub(super) fn is_said(draft: &Draft) -> bool {
    FIELDS.iter().any(|(field, _)| draft.value(field).is_some())
}

/// A service has none any more.
pub(super) async fn forget(unit: &mut Unit<'_>, service: ServiceId) -> Result<(), Fault> {
    unit.execute(&sql::FORGET, args![service]).await?;
    Ok(())
}

/// The first and the last address of an IPv6 network.
fn range(net: IpNetwork) -> Option<(String, String)> {
    let IpNetwork::V6(net) = net else { return None };
    let text = |address: Ipv6Addr| format!("{:032x}", address.to_bits());
    Some((text(net.network()), text(net.broadcast())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_first_and_the_last_address() {
        let of = |text: &str| range(text.parse().unwrap());
        let (first, last) = of("2001:db8:0:100::/56").unwrap();
        assert_eq!(first, "20010db8000001000000000000000000");
        assert_eq!(last, "20010db8000001ffffffffffffffffff");
        let (first, last) = of("2001:db8::7/128").unwrap();
        assert_eq!(first, last);
        assert_eq!(of("192.0.2.0/24"), None);
    }
}
