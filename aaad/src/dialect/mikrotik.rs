//! RouterOS (vendor 14988), after MikroTik's RADIUS manual page.

use model::policy::Effective;
use radius_wire::rate::{RateText, mikrotik_rate_limit};
use radius_wire::vendor;

use super::{Rule, Sink, Unfit};

const RATE_LIMIT: u8 = 8;
const ADDRESS_LIST: u8 = 19;

/// Mikrotik-Rate-Limit, where there is a limit.
pub(super) fn rate(policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    if policy.download_bps.is_none() && policy.upload_bps.is_none() {
        return Ok(());
    }
    rate_in_full(policy, out)
}

/// Mikrotik-Rate-Limit in any case: a live session's old limit must be overwritten.
pub(super) fn rate_in_full(policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    let mut text = RateText::new();
    mikrotik_rate_limit(policy.download_bps, policy.upload_bps, &mut text)
        .map_err(|_| Unfit::Rate)?;
    let from = if policy.address_list.is_some() { Rule::Garden } else { Rule::Rate };
    out.vendor(vendor::MIKROTIK, RATE_LIMIT, text.as_str().as_bytes(), from)
}

/// Mikrotik-Address-List: the firewall list that confines the session.
pub(super) fn address_list(list: &str, out: &mut impl Sink) -> Result<(), Unfit> {
    out.vendor(vendor::MIKROTIK, ADDRESS_LIST, list.as_bytes(), Rule::Garden)
}
