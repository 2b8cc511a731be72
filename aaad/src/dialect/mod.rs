//! What a NAS of each vendor is told.
//!
//! A dialect turns an [`Effective`] policy into attributes, in two selections: everything, for
//! an Access-Accept, and what the NAS can change while a session lives, for a CoA-Request.
//! Directions and units change here and nowhere else.

mod compiled;
mod generic;
mod mikrotik;

use model::nas::Vendor;
use model::policy::{Difference, Effective};
use radius_wire::attr;

pub(crate) use compiled::CompiledProfile;

/// Takes attributes in order; the name tells which rule of the policy they come from.
pub(crate) trait Sink {
    /// A standard attribute.
    fn standard(&mut self, kind: u8, value: &[u8], from: Rule) -> Result<(), Unfit>;
    /// A vendor's attribute.
    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], from: Rule) -> Result<(), Unfit>;
}

/// The part of the policy an attribute comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Rate,
    Interim,
    Timeout,
    Address,
    Garden,
}

impl Rule {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Interim => "interim interval",
            Self::Timeout => "timeout",
            Self::Address => "address",
            Self::Garden => "walled garden",
        }
    }
}

/// Why a policy cannot be told to a NAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// The packet is full, or a value is longer than an attribute.
    #[error("the reply does not fit into a RADIUS packet")]
    Full,
    /// The rate is beyond what the vendor's attribute can say.
    #[error("the rate is too high for the NAS's attributes")]
    Rate,
    /// The vendor has no way to take a limit away from a living session.
    #[error("the NAS cannot be told to drop a limit")]
    NoLimit,
    /// The system gave no random numbers for a salt.
    #[error("the system gives no random numbers")]
    NoRandom,
}

impl From<radius_wire::Full> for Unfit {
    fn from(_: radius_wire::Full) -> Self {
        Self::Full
    }
}

/// Everything an Access-Accept says about the policy.
pub(crate) fn accept(
    vendor: Vendor,
    policy: &Effective<'_>,
    out: &mut impl Sink,
) -> Result<(), Unfit> {
    match vendor {
        Vendor::Mikrotik => mikrotik::rate(policy, out)?,
        Vendor::Generic => generic::rate(policy, out)?,
    }
    out.standard(attr::ACCT_INTERIM_INTERVAL, &policy.interim_s.to_be_bytes(), Rule::Interim)?;
    timeouts(policy, out)?;
    if let Some(ipv4) = policy.ipv4 {
        out.standard(attr::FRAMED_IP_ADDRESS, &ipv4.octets(), Rule::Address)?;
    } else if let Some(pool) = policy.pool {
        out.standard(attr::FRAMED_POOL, pool.as_bytes(), Rule::Address)?;
    }
    if let Some(list) = policy.address_list {
        match vendor {
            Vendor::Mikrotik => mikrotik::address_list(list, out)?,
            Vendor::Generic => generic::filter(list, out)?,
        }
    }
    Ok(())
}

/// What a CoA-Request says: the rates, always in full, and the timeouts.
pub(crate) fn change(
    vendor: Vendor,
    policy: &Effective<'_>,
    out: &mut impl Sink,
) -> Result<(), Unfit> {
    match vendor {
        Vendor::Mikrotik => mikrotik::rate_in_full(policy, out)?,
        Vendor::Generic => generic::rate_in_full(policy, out)?,
    }
    timeouts(policy, out)
}

/// Whether a NAS of this vendor can carry a difference by CoA; else it takes a Disconnect.
pub(crate) fn carries(vendor: Vendor, difference: Difference) -> bool {
    match (vendor, difference) {
        (_, Difference::None) => true,
        // RouterOS's list of attributes changeable by CoA has rates and timeouts, but neither
        // address, pool nor address list; RFC 5176 §3 leaves generic NAS no better promise.
        (Vendor::Mikrotik | Vendor::Generic, Difference::Live) => true,
        (Vendor::Mikrotik | Vendor::Generic, Difference::Fixed) => false,
    }
}

fn timeouts(policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    if let Some(seconds) = policy.session_timeout_s {
        out.standard(attr::SESSION_TIMEOUT, &seconds.to_be_bytes(), Rule::Timeout)?;
    }
    if let Some(seconds) = policy.idle_timeout_s {
        out.standard(attr::IDLE_TIMEOUT, &seconds.to_be_bytes(), Rule::Timeout)?;
    }
    Ok(())
}

impl Sink for radius_wire::Writer<'_> {
    fn standard(&mut self, kind: u8, value: &[u8], _: Rule) -> Result<(), Unfit> {
        Ok(self.attribute(kind, value)?)
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Rule) -> Result<(), Unfit> {
        Ok(radius_wire::Writer::vendor(self, vendor, kind, value)?)
    }
}
