//! The parts of a policy, and why one cannot be told to a NAS.

use std::fmt;

use model::nas::Vendor;

/// A part of a policy, from which an attribute comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// Download and upload.
    Rate,
    /// Higher rates for short times.
    Burst,
    /// Who goes first.
    Priority,
    /// Time between interim updates.
    Interim,
    /// Longest session.
    SessionTimeout,
    /// Longest silence.
    IdleTimeout,
    /// The fixed address, with its netmask.
    Ipv4,
    /// The address pool.
    Pool,
    /// The fixed IPv6 address.
    Ipv6Address,
    /// The fixed IPv6 prefix of the link.
    Ipv6Prefix,
    /// The IPv6 pool of the link.
    Ipv6Pool,
    /// The fixed delegated prefix.
    DelegatedPrefix,
    /// The pool of delegated prefixes.
    DelegatedPool,
    /// Routes to the subscriber.
    Routes,
    /// IPv6 routes to the subscriber.
    Ipv6Routes,
    /// Resolvers.
    Dns,
    /// The VLAN.
    Vlan,
    /// Service-Type.
    ServiceType,
    /// Framed-Protocol.
    FramedProtocol,
    /// The firewall list.
    AddressList,
    /// Filters.
    Filters,
    /// Names of profiles on the NAS.
    VendorProfiles,
    /// What confines a session.
    Garden,
    /// Where browsers are sent in the garden.
    Redirect,
    /// Reply attributes that staff wrote, which are no vendor's to carry or not.
    Attributes,
}

impl Item {
    /// Every part that vendors differ in, in the order a table shows them.
    pub const ALL: [Item; 24] = [
        Self::Rate,
        Self::Burst,
        Self::Priority,
        Self::VendorProfiles,
        Self::Interim,
        Self::SessionTimeout,
        Self::IdleTimeout,
        Self::Ipv4,
        Self::Pool,
        Self::Ipv6Address,
        Self::Ipv6Prefix,
        Self::Ipv6Pool,
        Self::DelegatedPrefix,
        Self::DelegatedPool,
        Self::Routes,
        Self::Ipv6Routes,
        Self::Dns,
        Self::Vlan,
        Self::ServiceType,
        Self::FramedProtocol,
        Self::AddressList,
        Self::Filters,
        Self::Garden,
        Self::Redirect,
    ];

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Burst => "burst",
            Self::Priority => "priority",
            Self::Interim => "interim interval",
            Self::SessionTimeout => "session timeout",
            Self::IdleTimeout => "idle timeout",
            Self::Ipv4 => "IPv4 address",
            Self::Pool => "IPv4 pool",
            Self::Ipv6Address => "IPv6 address",
            Self::Ipv6Prefix => "IPv6 prefix",
            Self::Ipv6Pool => "IPv6 pool",
            Self::DelegatedPrefix => "delegated prefix",
            Self::DelegatedPool => "delegated prefix pool",
            Self::Routes => "routes",
            Self::Ipv6Routes => "IPv6 routes",
            Self::Dns => "DNS",
            Self::Vlan => "VLAN",
            Self::ServiceType => "service type",
            Self::FramedProtocol => "framed protocol",
            Self::AddressList => "address list",
            Self::Filters => "filters",
            Self::VendorProfiles => "vendor profile",
            Self::Garden => "walled garden",
            Self::Redirect => "redirection",
            Self::Attributes => "reply attributes",
        }
    }

    /// The field of a plan or a service that asks for it; `garden`: of the walled garden.
    pub const fn field(self, garden: bool) -> &'static str {
        match (self, garden) {
            (Self::Rate, false) => "download_bps",
            (Self::Rate, true) => "garden_download_bps",
            (Self::Burst, _) => "burst_download_bps",
            (Self::Priority, _) => "priority",
            (Self::Interim, _) => "interim_s",
            (Self::SessionTimeout, _) => "session_timeout_s",
            (Self::IdleTimeout, _) => "idle_timeout_s",
            (Self::Ipv4, _) => "ipv4",
            (Self::Pool, false) => "pool",
            (Self::Pool, true) => "garden_pool",
            (Self::Ipv6Address, _) => "ipv6_address",
            (Self::Ipv6Prefix, _) => "ipv6_prefix",
            (Self::Ipv6Pool, _) => "ipv6_pool",
            (Self::DelegatedPrefix, _) => "delegated_prefix",
            (Self::DelegatedPool, _) => "delegated_pool",
            (Self::Routes, _) => "routes",
            (Self::Ipv6Routes, _) => "ipv6_routes",
            (Self::Dns, false) => "dns",
            (Self::Dns, true) => "garden_dns",
            (Self::Vlan, _) => "vlan",
            (Self::ServiceType, _) => "service_type",
            (Self::FramedProtocol, _) => "framed_protocol",
            (Self::AddressList, false) => "address_list",
            (Self::AddressList, true) | (Self::Garden, _) => "garden_address_list",
            (Self::Filters, _) => "filters",
            (Self::VendorProfiles, false) => "vendor_profiles",
            (Self::VendorProfiles, true) => "garden_vendor_profiles",
            (Self::Redirect, _) => "garden_redirect_url",
            (Self::Attributes, _) => "reply_attributes",
        }
    }
}

/// Why a part cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The vendor has no attribute for it.
    NotCarried,
    /// The vendor has an attribute for it, but not for IPv6.
    Ipv6NotCarried,
    /// The vendor counts in 32 bits.
    TooHigh,
    /// A rate of zero would be read as no limit.
    Zero,
    /// The vendor counts in kbit/s.
    NotWhole,
    /// The vendor limits both directions or none.
    OneSided,
    /// The vendor takes names of profiles, and none is given.
    NoName,
    /// The name of a profile stands for the plan's own rate, and this is another.
    NameIsPlans,
    /// Filter-Id is the shaper.
    Shaper,
    /// A living session cannot be told that it has no limit any more.
    CannotLift,
    /// A living session cannot be told of another.
    NotLive,
    /// Longer than an attribute holds.
    TooLong,
    /// The reply is longer than a RADIUS packet.
    PacketFull,
}

impl Why {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotCarried => "not_carried",
            Self::Ipv6NotCarried => "ipv6_not_carried",
            Self::TooHigh => "too_high",
            Self::Zero => "zero",
            Self::NotWhole => "not_whole",
            Self::OneSided => "one_sided",
            Self::NoName => "no_name",
            Self::NameIsPlans => "name_is_plans",
            Self::Shaper => "shaper",
            Self::CannotLift => "cannot_lift",
            Self::NotLive => "not_live",
            Self::TooLong => "too_long",
            Self::PacketFull => "packet_full",
        }
    }
}

/// A part of a policy that cannot be told to a NAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Unfit {
    /// The part.
    pub item: Item,
    /// The NAS's vendor.
    pub vendor: Vendor,
    /// Why not.
    pub why: Why,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (item, vendor) = (self.item.as_str(), self.vendor.title());
        match self.why {
            Why::NotCarried => write!(f, "{item}: {vendor} has no attribute for it"),
            Why::Ipv6NotCarried => write!(f, "{item}: {vendor} has no attribute for those of IPv6"),
            Why::TooHigh => {
                write!(f, "{item}: {vendor} counts to {} bit/s and no further", u32::MAX)
            }
            Why::Zero => write!(f, "{item}: {vendor} would read 0 as no limit"),
            Why::NotWhole => write!(f, "{item}: {vendor} takes whole kbit/s"),
            Why::OneSided => write!(f, "{item}: {vendor} takes a limit each way, or none"),
            Why::NoName => {
                write!(f, "{item}: {vendor} takes it by the name of a profile, and none is given")
            }
            Why::NameIsPlans => write!(
                f,
                "{item}: the profile named for {vendor} stands for another rate; a name with \
                 {{download_kbps}} and {{upload_kbps}} in it carries any"
            ),
            Why::Shaper => write!(f, "{item}: {vendor} takes Filter-Id for the rate"),
            Why::CannotLift => write!(f, "{item}: {vendor} cannot lift a living session's limit"),
            Why::NotLive => write!(f, "{item}: {vendor} cannot change it in a living session"),
            Why::TooLong => write!(f, "{item}: longer than a RADIUS attribute holds"),
            Why::PacketFull => write!(f, "{item}: the reply does not fit into a RADIUS packet"),
        }
    }
}
