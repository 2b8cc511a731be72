//! Address pools: what `aaad` leases to subscribers by itself, instead of telling a NAS the name
//! of a pool.
//!
//! A pool has up to three parts: IPv4 addresses, IPv6 prefixes of links, and delegated IPv6
//! prefixes. Each is a row of addresses or prefixes that are counted from 0.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::{Ipv4Network, Ipv6Network};
use serde::{Deserialize, Serialize};

use crate::{NasGroupId, OrganisationId, PoolId, ServiceId, Ts};

/// How many addresses or prefixes one part of a pool may have: as many as a /8 has.
pub const UNITS_MAX: u32 = 1 << 24;
/// Ranges of a pool.
pub const RANGES_MAX: usize = 64;
/// How long a session may be silent before its address is leased to another, seconds, unless
/// the pool says otherwise.
pub const LEASE_S: u32 = 86_400;

/// A part of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 prefixes of links.
    Ipv6,
    /// Delegated IPv6 prefixes.
    Delegated,
}

impl Part {
    /// Each of them, in the order of the variants.
    pub const ALL: [Part; 3] = [Self::Ipv4, Self::Ipv6, Self::Delegated];

    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Delegated => "delegated",
        }
    }
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It is neither a prefix nor two addresses.
    #[error(
        "is neither a prefix such as 100.64.0.0/22 nor a range such as 100.64.0.10-100.64.0.99"
    )]
    Form,
    /// The prefix has bits behind its length.
    #[error("has bits behind its length")]
    HostBits,
    /// The last address comes before the first.
    #[error("ends before it begins")]
    Order,
    /// Some of its addresses are nobody's: 0.0.0.0/8, loopback, multicast and above.
    #[error("has addresses that no subscriber can have")]
    Unusable,
}

/// A range of IPv4 addresses, both ends in it. A prefix up to /30 stands for its addresses
/// without the first and the last, which devices take for those of the network and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address.
    pub last: Ipv4Addr,
}

impl Range {
    /// How many addresses it has.
    pub fn len(&self) -> u32 {
        (u32::from(self.last) - u32::from(self.first)).saturating_add(1)
    }

    /// No range is empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether the two have an address in common.
    pub fn overlaps(&self, other: &Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let text = text.trim();
        let address = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| RangeError::Form);
        let range = if let Some((first, last)) = text.split_once('-') {
            Range { first: address(first)?, last: address(last)? }
        } else if text.contains('/') {
            let net: Ipv4Network = text.parse().map_err(|_| RangeError::Form)?;
            if net.network() != net.ip() {
                return Err(RangeError::HostBits);
            }
            let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
            match net.prefix() {
                0..=30 => Range { first: (first + 1).into(), last: (last - 1).into() },
                _ => Range { first: first.into(), last: last.into() },
            }
        } else {
            Range { first: address(text)?, last: address(text)? }
        };
        if range.first > range.last {
            return Err(RangeError::Order);
        }
        let usable = |ip: Ipv4Addr| (1..224).contains(&ip.octets()[0]) && !ip.is_loopback();
        let around_loopback = range.first.octets()[0] < 127 && range.last.octets()[0] > 127;
        if !usable(range.first) || !usable(range.last) || around_loopback {
            return Err(RangeError::Unusable);
        }
        Ok(range)
    }
}

impl Serialize for Range {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// IPv6 prefixes of one length out of a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefixes {
    /// What they are cut from.
    pub from: Ipv6Network,
    /// How long each is.
    pub length: u8,
}

impl Prefixes {
    /// How many there are, at most [`UNITS_MAX`].
    pub fn len(&self) -> u32 {
        let bits = u32::from(self.length.saturating_sub(self.from.prefix()));
        1_u32.checked_shl(bits).map_or(UNITS_MAX, |units| units.min(UNITS_MAX))
    }

    /// There is always one.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The prefix of that number.
    pub fn at(&self, number: u32) -> Ipv6Addr {
        let shift = 128_u32.saturating_sub(u32::from(self.length));
        let base = u128::from(self.from.network());
        (base | u128::from(number).checked_shl(shift).unwrap_or(0)).into()
    }

    /// The number of the prefix that has this address.
    pub fn number_of(&self, address: Ipv6Addr) -> Option<u32> {
        if !self.from.contains(address) {
            return None;
        }
        let shift = 128_u32.saturating_sub(u32::from(self.length));
        let inside = u128::from(address) ^ u128::from(self.from.network());
        let number = u32::try_from(inside.checked_shr(shift).unwrap_or(0)).ok()?;
        (number < self.len()).then_some(number)
    }
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its id.
    pub id: PoolId,
    /// The organisation that owns it.
    pub organisation: OrganisationId,
    /// What staff call it.
    pub name: String,
    /// The NAS that may use it; absent: every NAS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<NasGroupId>,
    /// Its IPv4 addresses, in order and apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv4: Vec<Range>,
    /// Its prefixes for links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Prefixes>,
    /// Its prefixes to delegate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated: Option<Prefixes>,
    /// How long a session may be silent before its address is leased to another, seconds.
    pub lease_s: u32,
}

impl Pool {
    /// How many addresses or prefixes a part has.
    pub fn units(&self, part: Part) -> u32 {
        match part {
            Part::Ipv4 => {
                let units = self.ipv4.iter().map(|range| u64::from(range.len())).sum::<u64>();
                u32::try_from(units).unwrap_or(UNITS_MAX).min(UNITS_MAX)
            }
            Part::Ipv6 => self.ipv6.map_or(0, |prefixes| prefixes.len()),
            Part::Delegated => self.delegated.map_or(0, |prefixes| prefixes.len()),
        }
    }

    /// The address, or the prefix's, of that number; without one it is not of this pool.
    pub fn at(&self, part: Part, number: u32) -> Option<IpAddr> {
        match part {
            Part::Ipv4 => {
                let mut left = number;
                for range in &self.ipv4 {
                    if left < range.len() {
                        return Some(Ipv4Addr::from(u32::from(range.first) + left).into());
                    }
                    left -= range.len();
                }
                None
            }
            Part::Ipv6 => Some(self.ipv6?.at(number).into()),
            Part::Delegated => Some(self.delegated?.at(number).into()),
        }
    }

    /// The number of an address, or of the prefix that has it.
    pub fn number_of(&self, part: Part, address: IpAddr) -> Option<u32> {
        match (part, address) {
            (Part::Ipv4, IpAddr::V4(v4)) => {
                let mut before = 0;
                for range in &self.ipv4 {
                    if (range.first..=range.last).contains(&v4) {
                        return Some(before + (u32::from(v4) - u32::from(range.first)));
                    }
                    before += range.len();
                }
                None
            }
            (Part::Ipv6, IpAddr::V6(v6)) => self.ipv6?.number_of(v6),
            (Part::Delegated, IpAddr::V6(v6)) => self.delegated?.number_of(v6),
            _ => None,
        }
    }

    /// The length of a part's prefixes; 32 for addresses of IPv4.
    pub fn length(&self, part: Part) -> u8 {
        match part {
            Part::Ipv4 => 32,
            Part::Ipv6 => self.ipv6.map_or(64, |prefixes| prefixes.length),
            Part::Delegated => self.delegated.map_or(56, |prefixes| prefixes.length),
        }
    }
}

/// How much of a part of a pool is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Addresses or prefixes in it.
    pub total: u32,
    /// Leased to sessions.
    pub used: u32,
    /// Offered to a login whose Start has not come yet.
    pub offered: u32,
    /// Kept from everybody for a while, since somebody may still have them.
    pub resting: u32,
    /// Taken out: a service has them as its own.
    pub fixed: u32,
    /// Free to be leased. Most are kept in mind for who had them last.
    pub free: u32,
}

/// How much of a part of a pool is in use, on its way to the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUsage {
    /// The pool.
    pub pool: PoolId,
    /// The part.
    pub part: Part,
    /// How much.
    #[serde(flatten)]
    pub usage: Usage,
}

/// What is known of one address of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    pub pool_name: String,
    /// The part.
    pub part: Part,
    /// The address, or the first of the prefix.
    pub address: IpAddr,
    /// The length of the prefix; 32 for an address of IPv4.
    pub length: u8,
    /// `used`, `offered`, `resting`, `fixed` or `free`.
    pub state: String,
    /// Who has it, or had it last.
    pub service: Option<ServiceId>,
    /// Since when it is so.
    pub since: Option<Ts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(ipv4: &[&str]) -> Pool {
        Pool {
            id: PoolId::NONE,
            organisation: OrganisationId::NONE,
            name: "home".to_owned(),
            group: None,
            ipv4: ipv4.iter().map(|text| text.parse().unwrap()).collect(),
            ipv6: Some(Prefixes { from: "2001:db8::/40".parse().unwrap(), length: 64 }),
            delegated: Some(Prefixes { from: "2001:db8:8000::/36".parse().unwrap(), length: 56 }),
            lease_s: LEASE_S,
        }
    }

    #[test]
    fn ranges_are_read_and_what_nobody_can_have_is_refused() {
        let read = |text: &str| text.parse::<Range>().map(|range| range.to_string());
        assert_eq!(read("100.64.0.0/29").unwrap(), "100.64.0.1-100.64.0.6");
        assert_eq!(read("100.64.0.0/31").unwrap(), "100.64.0.0-100.64.0.1");
        assert_eq!(read("100.64.0.7").unwrap(), "100.64.0.7-100.64.0.7");
        assert_eq!(read("100.64.0.5 - 100.64.1.9").unwrap(), "100.64.0.5-100.64.1.9");
        for (text, error) in [
            ("100.64.0.9-100.64.0.5", RangeError::Order),
            ("100.64.0.1/29", RangeError::HostBits),
            ("home", RangeError::Form),
            ("100.64.0.0/33", RangeError::Form),
            ("2001:db8::/40", RangeError::Form),
            ("0.0.0.0/0", RangeError::Unusable),
            ("126.0.0.0-128.0.0.0", RangeError::Unusable),
            ("127.0.0.1", RangeError::Unusable),
            ("239.0.0.0-239.0.0.9", RangeError::Unusable),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn every_number_is_an_address_and_back() {
        let pool = pool(&["100.64.0.0/29", "100.64.1.250-100.64.2.3"]);
        assert_eq!(pool.units(Part::Ipv4), 16);
        assert_eq!(pool.units(Part::Ipv6), UNITS_MAX);
        assert_eq!(pool.units(Part::Delegated), 1 << 20);
        for part in Part::ALL {
            for number in [0, 1, 5, 6, 15] {
                let address = pool.at(part, number).unwrap();
                assert_eq!(pool.number_of(part, address), Some(number), "{part:?} {address}");
            }
        }
        assert_eq!(pool.at(Part::Ipv4, 6), Some([100, 64, 1, 250].into()));
        assert_eq!(pool.at(Part::Ipv4, 16), None);
        let second: IpAddr = "2001:db8:8000:100::".parse().unwrap();
        assert_eq!(pool.at(Part::Delegated, 1), Some(second));
        for other in ["100.64.0.7", "100.64.2.4", "2001:db9::"] {
            let other: IpAddr = other.parse().unwrap();
            assert!(Part::ALL.iter().all(|part| pool.number_of(*part, other).is_none()), "{other}");
        }
    }
}
