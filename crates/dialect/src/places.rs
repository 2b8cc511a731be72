//! Where attributes go.

use model::nas::Vendor;
use model::policy::VendorProfile;
use radius_wire::write::{push, push_vendor};
use radius_wire::{Attribute, Full, PACKET_OCTETS_MAX, Writer, attr};

use crate::item::{Item, Unfit};

/// Takes attributes in order; the item tells which part of the policy they come from.
pub trait Sink {
    /// A standard attribute.
    fn standard(&mut self, kind: u8, value: &[u8], from: Item) -> Result<(), Full>;

    /// A vendor's attribute.
    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], from: Item) -> Result<(), Full>;

    /// A part that is left out, since a session does without it.
    fn left_out(&mut self, _: Unfit) {}
}

impl Sink for Writer<'_> {
    fn standard(&mut self, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        self.attribute(kind, value)
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        Writer::vendor(self, vendor, kind, value)
    }
}

/// Bare attributes, at most a packet's.
impl Sink for Vec<u8> {
    fn standard(&mut self, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        push(self, kind, value)?;
        within(self)
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        push_vendor(self, vendor, kind, value)?;
        within(self)
    }
}

fn within(octets: &[u8]) -> Result<(), Full> {
    if octets.len() > PACKET_OCTETS_MAX { Err(Full::Packet) } else { Ok(()) }
}

/// Whether a CoA-Request of this dialect can say an attribute anew.
pub(crate) fn changes(dialect: &Dialect, attribute: &Attribute<'_>) -> bool {
    let rates = || {
        let rate: [Option<Place>; 4] = match dialect.rate {
            Rate::Mikrotik => {
                let place = Place::Own(radius_wire::vendor::MIKROTIK, attr::mikrotik::RATE_LIMIT);
                [Some(place), None, None, None]
            }
            Rate::Numbers { up, down, peak, .. } => {
                [Some(up), Some(down), peak.map(|(up, _)| up), peak.map(|(_, down)| down)]
            }
            Rate::FilterId => [Some(Place::Standard(attr::FILTER_ID)), None, None, None],
            Rate::Names => [None; 4],
        };
        rate.into_iter().flatten()
    };
    let is = |place: Place| place.is(attribute);
    match dialect.live {
        Live::Nothing => return false,
        Live::AsAccept if rates().any(is) => return true,
        Live::AsAccept if dialect.names.iter().any(|name| is(name.place)) => return true,
        Live::Numbers { up, down } if is(up) || is(down) => return true,
        Live::Service(_, place) if is(place) => return true,
        _ => {}
    }
    attribute.kind == attr::SESSION_TIMEOUT
        || (attribute.kind == attr::IDLE_TIMEOUT && dialect.live_idle)
}

/// An attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the standard space.
    Standard(u8),
    /// A vendor's own.
    Own(u32, u8),
    /// A text of Cisco's AVPair that begins so.
    Pair(&'static str),
    /// A vendor's own, a text that begins so.
    Marked(u32, u8, &'static str),
}

impl Place {
    /// Whether an attribute is of this place.
    fn is(self, attribute: &Attribute<'_>) -> bool {
        let of = |vendor: u32, kind: u8, mark: &str| {
            attribute.kind == attr::VENDOR_SPECIFIC
                && attribute.value.first_chunk() == Some(&vendor.to_be_bytes())
                && attribute.value.get(4) == Some(&kind)
                && attribute.value.get(6..).is_some_and(|v| v.starts_with(mark.as_bytes()))
        };
        match self {
            Self::Standard(kind) => attribute.kind == kind,
            Self::Own(vendor, kind) => of(vendor, kind, ""),
            Self::Pair(text) => of(radius_wire::vendor::CISCO, 1, text),
            Self::Marked(vendor, kind, mark) => of(vendor, kind, mark),
        }
    }
}

/// Resolvers of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dns {
    /// No attribute.
    Nothing,
    /// The first and the second have attributes of their own.
    Two(Place, Place),
    /// As [`Dns::Two`], written as text.
    TwoTexts(Place, Place),
    /// One attribute, repeated.
    Each(Place),
    /// One text, with spaces between.
    Line(Place),
}

/// The VLAN of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vlan {
    /// No attribute.
    Nothing,
    /// Tunnel-Type, Tunnel-Medium-Type and Tunnel-Private-Group-ID (RFC 3580 §3.31).
    Tunnel,
    /// A number in an attribute of the vendor's own.
    Number(Place),
}

/// How rates are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    /// Mikrotik-Rate-Limit.
    Mikrotik,
    /// A number for each direction.
    Numbers {
        up: Place,
        down: Place,
        /// How many bit/s one is.
        unit: u64,
        /// Numbers for the burst.
        peak: Option<(Place, Place)>,
    },
    /// `down/up` in kbit/s in Filter-Id.
    FilterId,
    /// By names of profiles alone.
    Names,
}

/// A name of a profile on the NAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) profile: VendorProfile,
    pub(crate) place: Place,
    /// Whether it stands for the rate from the subscriber, and to it.
    pub(crate) rates: (bool, bool),
}

/// What CoA may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Live {
    /// Nothing we know of.
    Nothing,
    /// Rates, in the words of a login, and timeouts.
    AsAccept,
    /// Rates, in these numbers, and timeouts.
    Numbers { up: Place, down: Place },
    /// Parameters of a service that is on, by this attribute.
    Service(VendorProfile, Place),
}

/// A vendor's words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) vendor: Vendor,
    pub(crate) rate: Rate,
    pub(crate) names: &'static [Name],
    pub(crate) pool: Option<Place>,
    pub(crate) ipv6_address: Option<Place>,
    pub(crate) ipv6_prefix: Option<Place>,
    pub(crate) ipv6_pool: Option<Place>,
    pub(crate) delegated_prefix: Option<Place>,
    pub(crate) delegated_pool: Option<Place>,
    pub(crate) routes: Option<Place>,
    pub(crate) ipv6_routes: Option<Place>,
    pub(crate) dns: Dns,
    pub(crate) ipv6_dns: Dns,
    pub(crate) vlan: Vlan,
    pub(crate) address_list: Option<Place>,
    pub(crate) filters: Option<Place>,
    /// Where the garden's list or filter goes.
    pub(crate) confines: Option<Place>,
    pub(crate) redirect: Option<Place>,
    pub(crate) live: Live,
    /// Whether CoA may change the idle timeout.
    pub(crate) live_idle: bool,
}
