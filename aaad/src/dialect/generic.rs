//! Any other NAS: RFC attributes, and WISPr (vendor 14122) for rates.

use model::policy::Effective;
use radius_wire::{attr, vendor};

use super::{Rule, Sink, Unfit};

const BANDWIDTH_MAX_UP: u8 = 7;
const BANDWIDTH_MAX_DOWN: u8 = 8;

/// WISPr-Bandwidth-Max-Up and -Down: bit/s in 32 bits.
pub(super) fn rate(policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    for (kind, rate) in
        [(BANDWIDTH_MAX_UP, policy.upload_bps), (BANDWIDTH_MAX_DOWN, policy.download_bps)]
    {
        let Some(rate) = rate else { continue };
        let rate = u32::try_from(rate).map_err(|_| Unfit::Rate)?;
        out.vendor(vendor::WISPR, kind, &rate.to_be_bytes(), Rule::Rate)?;
    }
    Ok(())
}

/// Both rates, for a living session: WISPr has no word for "no limit any more".
pub(super) fn rate_in_full(policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    if policy.upload_bps.is_none() || policy.download_bps.is_none() {
        return Err(Unfit::NoLimit);
    }
    rate(policy, out)
}

/// Filter-Id names the filter that confines the session (RFC 2865 §5.11).
pub(super) fn filter(name: &str, out: &mut impl Sink) -> Result<(), Unfit> {
    out.standard(attr::FILTER_ID, name.as_bytes(), Rule::Garden)
}
