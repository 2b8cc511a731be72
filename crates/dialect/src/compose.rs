//! The two selections of attributes, composed from a vendor's table.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::Ipv6Network;
use model::policy::Effective;
use radius_wire::{Full, attr};

use crate::item::{Item, Unfit, Why};
use crate::places::{Dialect, Dns, Live, Place, Sink, Vlan};
use crate::rate::{self, When};
use crate::text::{NameError, Text, write_name};

/// A part is told, or cannot be.
pub(crate) type Told = Result<(), Unfit>;

/// Where the parts go.
pub(crate) struct Out<'a, S> {
    pub(crate) dialect: &'static Dialect,
    pub(crate) sink: &'a mut S,
    /// Attributes that confine a session of the garden, so far.
    confining: u32,
}

impl<'a, S: Sink> Out<'a, S> {
    pub(crate) fn new(dialect: &'static Dialect, sink: &'a mut S) -> Self {
        Self { dialect, sink, confining: 0 }
    }

    pub(crate) fn unfit(&self, item: Item, why: Why) -> Unfit {
        Unfit { item, vendor: self.dialect.vendor, why }
    }

    /// A part the session does without.
    pub(crate) fn left_out(&mut self, item: Item, why: Why) {
        let unfit = self.unfit(item, why);
        self.sink.left_out(unfit);
    }

    pub(crate) fn octets(&mut self, place: Place, value: &[u8], item: Item) -> Told {
        let pair = |text: &str, kind, vendor, sink: &mut S| {
            let mut octets = [0; radius_wire::write::VALUE_OCTETS_MAX];
            let end = text.len() + value.len();
            let too_long = Full::Value { kind, octets: end, octets_max: octets.len() };
            octets.get_mut(..text.len()).ok_or(too_long)?.copy_from_slice(text.as_bytes());
            octets.get_mut(text.len()..end).ok_or(too_long)?.copy_from_slice(value);
            sink.vendor(vendor, kind, &octets[..end], item)
        };
        let put = match place {
            Place::Standard(kind) => self.sink.standard(kind, value, item),
            Place::Own(vendor, kind) => self.sink.vendor(vendor, kind, value, item),
            Place::Pair(text) => pair(text, 1, radius_wire::vendor::CISCO, self.sink),
            Place::Marked(vendor, kind, mark) => pair(mark, kind, vendor, self.sink),
        };
        put.map_err(|full| match full {
            Full::Value { .. } => self.unfit(item, Why::TooLong),
            Full::Packet => self.unfit(item, Why::PacketFull),
        })
    }

    /// An attribute that the vendor may lack.
    fn put(&mut self, place: Option<Place>, value: &[u8], item: Item) -> Told {
        match place {
            Some(place) => self.octets(place, value, item),
            None => Err(self.unfit(item, Why::NotCarried)),
        }
    }

    fn number(&mut self, kind: u8, value: u32, item: Item) -> Told {
        self.octets(Place::Standard(kind), &value.to_be_bytes(), item)
    }

    /// The name of a profile, with rates in it where it asks for them.
    pub(crate) fn name(&mut self, place: Place, name: &str, policy: &Effective<'_>) -> Told {
        let mut text = Text::new();
        write_name(name, policy, &mut text).map_err(|error| match error {
            NameError::Room => self.unfit(Item::VendorProfiles, Why::TooLong),
            NameError::NoLimit => self.unfit(Item::Rate, Why::CannotLift),
            NameError::NotWhole => self.unfit(Item::Rate, Why::NotWhole),
        })?;
        self.octets(place, text.octets(), Item::VendorProfiles)
    }
}

/// One part of a policy.
pub(crate) type Part<S> = fn(&Effective<'_>, &mut Out<'_, S>) -> Told;

/// The parts of an Access-Accept, in order; the interim interval apart, which differs by
/// session.
pub(crate) fn parts<S: Sink>() -> impl Iterator<Item = Part<S>> {
    let changing: [Part<S>; 3] =
        [|policy, out| rate::rate(out.dialect, policy, When::Login, out), extras, timeouts];
    changing.into_iter().chain(lasting_parts())
}

/// Those of the parts that no CoA-Request says.
pub(crate) fn lasting_parts<S: Sink>() -> [Part<S>; 8] {
    [service_type, ipv4, ipv6, routes, dns, vlan, lists, garden]
}

pub(crate) fn accept<S: Sink>(
    dialect: &'static Dialect,
    policy: &Effective<'_>,
    sink: &mut S,
) -> Told {
    let mut out = Out::new(dialect, sink);
    parts().try_for_each(|part| part(policy, &mut out))
}

pub(crate) fn change<S: Sink>(
    dialect: &'static Dialect,
    policy: &Effective<'_>,
    sink: &mut S,
) -> Told {
    let mut out = Out::new(dialect, sink);
    match dialect.live {
        Live::Nothing => return Err(out.unfit(Item::Rate, Why::NotLive)),
        Live::AsAccept => {
            // A service that is on would have to be put off by a name nobody keeps.
            let service = model::policy::VendorProfile::CiscoService;
            if policy.vendor_profile(service).is_some() && dialect.vendor == service.vendor() {
                return Err(out.unfit(Item::VendorProfiles, Why::NotLive));
            }
            rate::rate(dialect, policy, When::Living, &mut out)?;
        }
        Live::Numbers { up, down } => {
            rate::numbers(policy, (up, down, 1), When::Living, &mut out)?;
        }
        Live::Service(profile, place) => {
            // Only parameters change in place, so each limit must be one.
            let says_all = |name: &&str| {
                let (up, down) = crate::text::rates_in(name);
                (up || policy.upload_bps.is_none()) && (down || policy.download_bps.is_none())
            };
            let name = policy.vendor_profile(profile).filter(|n| n.contains('{')).filter(says_all);
            let name = name.ok_or_else(|| out.unfit(Item::VendorProfiles, Why::NotLive))?;
            out.name(place, name, policy)?;
        }
    }
    if let Some(seconds) = policy.session_timeout_s {
        out.number(attr::SESSION_TIMEOUT, seconds, Item::SessionTimeout)?;
    }
    if let Some(seconds) = policy.idle_timeout_s {
        if !dialect.live_idle {
            return Err(out.unfit(Item::IdleTimeout, Why::NotLive));
        }
        out.number(attr::IDLE_TIMEOUT, seconds, Item::IdleTimeout)?;
    }
    Ok(())
}

/// What goes with a rate and a session can do without.
fn extras<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    if policy.burst.is_some() && !rate::carries_burst(out.dialect, policy) {
        out.left_out(Item::Burst, Why::NotCarried);
    }
    if policy.priority.is_some() && !rate::carries_priority(out.dialect, policy) {
        out.left_out(Item::Priority, Why::NotCarried);
    }
    Ok(())
}

pub(crate) fn timeouts<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    if let Some(seconds) = policy.session_timeout_s {
        out.number(attr::SESSION_TIMEOUT, seconds, Item::SessionTimeout)?;
    }
    if let Some(seconds) = policy.idle_timeout_s {
        out.number(attr::IDLE_TIMEOUT, seconds, Item::IdleTimeout)?;
    }
    Ok(())
}

fn service_type<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    if let Some(kind) = policy.service_type {
        out.number(attr::SERVICE_TYPE, kind.number(), Item::ServiceType)?;
    }
    if let Some(protocol) = policy.framed_protocol {
        out.number(attr::FRAMED_PROTOCOL, protocol.number(), Item::FramedProtocol)?;
    }
    Ok(())
}

fn ipv4<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    if let Some(address) = policy.ipv4 {
        out.octets(Place::Standard(attr::FRAMED_IP_ADDRESS), &address.octets(), Item::Ipv4)?;
        if let Some(length) = policy.ipv4_prefix_length {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            let mask = Ipv4Addr::from(mask).octets();
            out.octets(Place::Standard(attr::FRAMED_IP_NETMASK), &mask, Item::Ipv4)?;
        }
    } else if let Some(pool) = policy.pool {
        let own = policy.garden.is_some_and(|garden| garden.pool.as_deref() == Some(pool));
        let place = out.dialect.pool;
        if own && place.is_none() {
            // Another way may confine it; `garden` looks whether one does.
            out.left_out(Item::Pool, Why::NotCarried);
        } else {
            out.put(place, pool.as_bytes(), Item::Pool)?;
            out.confining += u32::from(own);
        }
    }
    Ok(())
}

/// Addresses and prefixes that were leased to one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leased {
    /// The address.
    pub ipv4: Option<Ipv4Addr>,
    /// The prefix of the link.
    pub ipv6: Option<Ipv6Network>,
    /// The delegated prefix.
    pub delegated: Option<Ipv6Network>,
}

pub(crate) fn leased<S: Sink>(dialect: &'static Dialect, leased: &Leased, sink: &mut S) -> Told {
    let mut out = Out::new(dialect, sink);
    if let Some(address) = leased.ipv4 {
        out.octets(Place::Standard(attr::FRAMED_IP_ADDRESS), &address.octets(), Item::Ipv4)?;
    }
    prefixes(leased.ipv6, leased.delegated, &mut out)
}

fn prefixes<S: Sink>(
    link: Option<Ipv6Network>,
    delegated: Option<Ipv6Network>,
    out: &mut Out<'_, S>,
) -> Told {
    for (place, prefix, item) in [
        (out.dialect.ipv6_prefix, link, Item::Ipv6Prefix),
        (out.dialect.delegated_prefix, delegated, Item::DelegatedPrefix),
    ] {
        let Some(prefix) = prefix else { continue };
        // RFC 3162 §2.3: a reserved octet, the length, then the prefix.
        let mut value = [0; 18];
        value[1] = prefix.prefix();
        value[2..].copy_from_slice(&prefix.network().octets());
        out.put(place, &value, item)?;
    }
    Ok(())
}

fn ipv6<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    let dialect = out.dialect;
    if let Some(address) = policy.ipv6_address {
        out.put(dialect.ipv6_address, &address.octets(), Item::Ipv6Address)?;
    }
    prefixes(policy.ipv6_prefix, policy.delegated_prefix, out)?;
    for (place, pool, item) in [
        (dialect.ipv6_pool, policy.ipv6_pool, Item::Ipv6Pool),
        (dialect.delegated_pool, policy.delegated_pool, Item::DelegatedPool),
    ] {
        if let Some(pool) = pool {
            out.put(place, pool.as_bytes(), item)?;
        }
    }
    Ok(())
}

fn routes<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    for (place, routes, item) in [
        (out.dialect.routes, policy.routes, Item::Routes),
        (out.dialect.ipv6_routes, policy.ipv6_routes, Item::Ipv6Routes),
    ] {
        for route in routes {
            out.put(place, route.as_bytes(), item)?;
        }
    }
    Ok(())
}

fn dns<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    for (place, is_v4) in [(out.dialect.dns, true), (out.dialect.ipv6_dns, false)] {
        let addresses = || policy.dns.iter().filter(|address| address.is_ipv4() == is_v4).take(2);
        if addresses().next().is_none() {
            continue;
        }
        match place {
            // The NAS has resolvers of its own.
            Dns::Nothing if !is_v4 && out.dialect.dns != Dns::Nothing => {
                out.left_out(Item::Dns, Why::Ipv6NotCarried);
            }
            Dns::Nothing => out.left_out(Item::Dns, Why::NotCarried),
            Dns::Two(first, second) => {
                for (place, address) in [first, second].into_iter().zip(addresses()) {
                    put_address(place, address, out)?;
                }
            }
            Dns::Each(place) => {
                for address in addresses() {
                    put_address(place, address, out)?;
                }
            }
            Dns::TwoTexts(first, second) => {
                for (place, address) in [first, second].into_iter().zip(addresses()) {
                    let mut text = Text::new();
                    write!(text, "{address}").map_err(|_| out.unfit(Item::Dns, Why::TooLong))?;
                    out.octets(place, text.octets(), Item::Dns)?;
                }
            }
            Dns::Line(place) => {
                let mut text = Text::new();
                for (n, address) in addresses().enumerate() {
                    let space = if n == 0 { "" } else { " " };
                    write!(text, "{space}{address}")
                        .map_err(|_| out.unfit(Item::Dns, Why::TooLong))?;
                }
                out.octets(place, text.octets(), Item::Dns)?;
            }
        }
    }
    Ok(())
}

fn put_address<S: Sink>(place: Place, address: &IpAddr, out: &mut Out<'_, S>) -> Told {
    match address {
        IpAddr::V4(v4) => out.octets(place, &v4.octets(), Item::Dns),
        IpAddr::V6(v6) => out.octets(place, &v6.octets(), Item::Dns),
    }
}

/// Tunnel-Type VLAN, and Tunnel-Medium-Type IEEE-802 (RFC 3580 §3.31); both without a tag.
const TUNNEL_VLAN: u32 = 13;
const MEDIUM_IEEE_802: u32 = 6;

fn vlan<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    let Some(vlan) = policy.vlan else { return Ok(()) };
    match out.dialect.vlan {
        Vlan::Nothing => Err(out.unfit(Item::Vlan, Why::NotCarried)),
        Vlan::Number(place) => out.octets(place, &u32::from(vlan).to_be_bytes(), Item::Vlan),
        Vlan::Tunnel => {
            out.number(attr::TUNNEL_TYPE, TUNNEL_VLAN, Item::Vlan)?;
            out.number(attr::TUNNEL_MEDIUM_TYPE, MEDIUM_IEEE_802, Item::Vlan)?;
            let mut text = Text::new();
            write!(text, "{vlan}").map_err(|_| out.unfit(Item::Vlan, Why::TooLong))?;
            out.octets(Place::Standard(attr::TUNNEL_PRIVATE_GROUP_ID), text.octets(), Item::Vlan)
        }
    }
}

fn lists<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    if let Some(list) = policy.address_list.filter(|_| policy.garden.is_none()) {
        out.put(out.dialect.address_list, list.as_bytes(), Item::AddressList)?;
    }
    for filter in policy.filters {
        match out.dialect.filters {
            None if out.dialect.rate == crate::places::Rate::FilterId => {
                return Err(out.unfit(Item::Filters, Why::Shaper));
            }
            place => out.put(place, filter.as_bytes(), Item::Filters)?,
        }
    }
    Ok(())
}

/// Confines: by whichever of the garden's ways the vendor has, and by one at least.
fn garden<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    let Some(garden) = policy.garden else { return Ok(()) };
    let vendor = out.dialect.vendor;
    let named = garden.vendor_profiles.0.keys().any(|profile| profile.vendor() == vendor);
    out.confining += u32::from(named);
    if let Some(place) = out.dialect.confines {
        out.octets(place, garden.address_list.as_bytes(), Item::Garden)?;
        out.confining += 1;
    }
    match (&garden.redirect_url, out.dialect.redirect) {
        (Some(url), Some(place)) => {
            out.octets(place, url.as_bytes(), Item::Redirect)?;
            out.confining += 1;
        }
        (Some(_), None) => out.left_out(Item::Redirect, Why::NotCarried),
        (None, _) => {}
    }
    if out.confining == 0 { Err(out.unfit(Item::Garden, Why::NotCarried)) } else { Ok(()) }
}
