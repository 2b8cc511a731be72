//! The vendors' words.
//!
//! Numbers are those of the vendors' dictionaries (`config/dictionaries`), their meaning that of
//! the vendors' manuals; `docs/vendors.md` shows the whole table. Where a manual does not say
//! that a NAS honours an attribute, the place is empty: a policy that needs it is refused.

use model::nas::Vendor;
use model::policy::VendorProfile as P;
use radius_wire::{attr, vendor};

use crate::places::{Dialect, Dns, Live, Name, Place, Rate, Vlan};
use Place::{Marked, Own, Pair, Standard};

const HUAWEI: u32 = 2011;
const ZTE: u32 = 3902;
const JUNIPER: u32 = 4874;
const NOKIA: u32 = 6527;
const CHILLISPOT: u32 = 14559;
const H3C: u32 = 25506;

const BIT: u64 = 1;
const KBIT: u64 = 1000;

/// The dialect of a vendor.
pub(crate) fn of(vendor: Vendor) -> &'static Dialect {
    match vendor {
        Vendor::Mikrotik => &MIKROTIK,
        Vendor::Cisco => &CISCO,
        Vendor::Huawei => &HUAWEI_BNG,
        Vendor::Juniper => &JUNOS,
        Vendor::Nokia => &SR_OS,
        Vendor::AccelPpp => &ACCEL_PPP,
        Vendor::Chillispot => &CHILLI,
        Vendor::H3c => &COMWARE,
        Vendor::Zte => &ZXR10,
        Vendor::Ubiquiti => &UBIQUITI,
        Vendor::Redback => &SMARTEDGE,
        Vendor::Generic => &GENERIC,
    }
}

const fn name(profile: P, place: Place, up: bool, down: bool) -> Name {
    Name { profile, place, rates: (up, down) }
}

const WISPR_UP: Place = Own(vendor::WISPR, attr::wispr::BANDWIDTH_MAX_UP);
const WISPR_DOWN: Place = Own(vendor::WISPR, attr::wispr::BANDWIDTH_MAX_DOWN);

/// RFC 2865, 2869, 3162, 3580, 4818 and 6911, WISPr for rates, Microsoft (RFC 2548) for
/// resolvers.
const GENERIC: Dialect = Dialect {
    vendor: Vendor::Generic,
    rate: Rate::Numbers { up: WISPR_UP, down: WISPR_DOWN, unit: BIT, peak: None },
    names: &[],
    pool: Some(Standard(attr::FRAMED_POOL)),
    ipv6_address: Some(Standard(attr::FRAMED_IPV6_ADDRESS)),
    ipv6_prefix: Some(Standard(attr::FRAMED_IPV6_PREFIX)),
    ipv6_pool: Some(Standard(attr::FRAMED_IPV6_POOL)),
    delegated_prefix: Some(Standard(attr::DELEGATED_IPV6_PREFIX)),
    delegated_pool: Some(Standard(attr::DELEGATED_IPV6_PREFIX_POOL)),
    routes: Some(Standard(attr::FRAMED_ROUTE)),
    ipv6_routes: Some(Standard(attr::FRAMED_IPV6_ROUTE)),
    dns: Dns::Two(
        Own(vendor::MICROSOFT, attr::microsoft::PRIMARY_DNS_SERVER),
        Own(vendor::MICROSOFT, attr::microsoft::SECONDARY_DNS_SERVER),
    ),
    ipv6_dns: Dns::Each(Standard(attr::DNS_SERVER_IPV6_ADDRESS)),
    vlan: Vlan::Tunnel,
    address_list: None,
    filters: Some(Standard(attr::FILTER_ID)),
    confines: Some(Standard(attr::FILTER_ID)),
    redirect: Some(Own(vendor::WISPR, attr::wispr::REDIRECTION_URL)),
    live: Live::AsAccept,
    live_idle: true,
};

/// RouterOS's RADIUS manual page: no resolvers, no single IPv6 address, no IPv6 routes.
/// WISPr-Redirection-URL leads to a page after the login and confines nobody.
const MIKROTIK: Dialect = Dialect {
    vendor: Vendor::Mikrotik,
    rate: Rate::Mikrotik,
    names: &[name(P::MikrotikGroup, Own(vendor::MIKROTIK, attr::mikrotik::GROUP), false, false)],
    ipv6_address: None,
    ipv6_pool: None,
    delegated_pool: Some(Own(vendor::MIKROTIK, attr::mikrotik::DELEGATED_IPV6_POOL)),
    ipv6_routes: None,
    dns: Dns::Nothing,
    ipv6_dns: Dns::Nothing,
    address_list: Some(Own(vendor::MIKROTIK, attr::mikrotik::ADDRESS_LIST)),
    confines: Some(Own(vendor::MIKROTIK, attr::mikrotik::ADDRESS_LIST)),
    redirect: None,
    ..GENERIC
};

/// ISG and IOS-XR: policies and services by name.
const CISCO: Dialect = Dialect {
    vendor: Vendor::Cisco,
    rate: Rate::Names,
    names: &[
        name(P::CiscoPolicyIn, Pair("subscriber:sub-qos-policy-in="), true, false),
        name(P::CiscoPolicyOut, Pair("subscriber:sub-qos-policy-out="), false, true),
        // ISG Account-Info: A and a name is a service that is on from the login.
        name(P::CiscoService, Marked(vendor::CISCO, 250, "A"), true, true),
    ],
    pool: Some(Pair("ip:addr-pool=")),
    delegated_pool: None,
    dns: Dns::Line(Pair("ip:dns-servers=")),
    ipv6_dns: Dns::Nothing,
    redirect: Some(Pair("url-redirect=")),
    ..GENERIC
};

/// The broadband gateways' meaning of 1 to 6; average rates are bit/s in 32 bits.
const HUAWEI_BNG: Dialect = Dialect {
    vendor: Vendor::Huawei,
    rate: Rate::Numbers {
        up: Own(HUAWEI, 2),
        down: Own(HUAWEI, 5),
        unit: BIT,
        peak: Some((Own(HUAWEI, 3), Own(HUAWEI, 6))),
    },
    names: &[
        name(P::HuaweiQosProfile, Own(HUAWEI, 31), true, true),
        name(P::HuaweiQosProfileDown, Own(HUAWEI, 182), false, true),
    ],
    ipv6_address: Some(Own(HUAWEI, 158)),
    delegated_pool: Some(Own(HUAWEI, 191)),
    dns: Dns::Two(Own(HUAWEI, 135), Own(HUAWEI, 136)),
    ipv6_dns: Dns::Each(Own(HUAWEI, 154)),
    redirect: Some(Own(HUAWEI, 140)),
    ..GENERIC
};

/// Junos and JUNOSe: services with parameters, policies and QoS profiles by name.
const JUNOS: Dialect = Dialect {
    vendor: Vendor::Juniper,
    rate: Rate::Names,
    names: &[
        name(P::JuniperClientProfile, Own(JUNIPER, 174), false, false),
        // RFC 2868 §3.1: the octet before the text is its tag.
        name(P::JuniperService, Marked(JUNIPER, 65, "\u{1}"), true, true),
        name(P::JuniperQosProfile, Own(JUNIPER, 26), true, true),
        name(P::JuniperPolicyIn, Own(JUNIPER, 10), true, false),
        name(P::JuniperPolicyOut, Own(JUNIPER, 11), false, true),
    ],
    delegated_pool: Some(Own(JUNIPER, 161)),
    dns: Dns::Two(Own(JUNIPER, 4), Own(JUNIPER, 5)),
    ipv6_dns: Dns::Two(Own(JUNIPER, 47), Own(JUNIPER, 48)),
    vlan: Vlan::Nothing,
    redirect: None,
    live: Live::Service(P::JuniperService, Marked(JUNIPER, 180, "\u{1}")),
    ..GENERIC
};

/// SR OS: subscriber and SLA profiles by name. It ignores what it does not know, so nothing is
/// sent on trust.
const SR_OS: Dialect = Dialect {
    vendor: Vendor::Nokia,
    rate: Rate::Names,
    names: &[
        name(P::NokiaSubscriberProfile, Own(NOKIA, 12), false, false),
        name(P::NokiaSlaProfile, Own(NOKIA, 13), true, true),
        name(P::NokiaQosOverride, Own(NOKIA, 126), true, true),
    ],
    ipv6_address: Some(Own(NOKIA, 99)),
    delegated_pool: Some(Own(NOKIA, 131)),
    dns: Dns::Two(Own(NOKIA, 9), Own(NOKIA, 10)),
    ipv6_dns: Dns::Two(Own(NOKIA, 105), Own(NOKIA, 106)),
    vlan: Vlan::Nothing,
    filters: Some(Own(NOKIA, 134)),
    // A filter is a number for each direction and family: a list's name says nothing there.
    confines: None,
    redirect: Some(Own(NOKIA, 177)),
    ..GENERIC
};

/// accel-ppp with the shaper's attribute at its default, Filter-Id. CoA applies the shaper and
/// Session-Timeout.
const ACCEL_PPP: Dialect = Dialect {
    vendor: Vendor::AccelPpp,
    rate: Rate::FilterId,
    ipv6_address: None,
    ipv6_dns: Dns::Nothing,
    vlan: Vlan::Nothing,
    filters: None,
    confines: None,
    redirect: None,
    live_idle: false,
    ..GENERIC
};

/// CoovaChilli: rates in kbit/s. Its CoA changes WISPr's.
const CHILLI: Dialect = Dialect {
    vendor: Vendor::Chillispot,
    rate: Rate::Numbers {
        up: Own(CHILLISPOT, 4),
        down: Own(CHILLISPOT, 5),
        unit: KBIT,
        peak: None,
    },
    pool: None,
    ipv6_address: None,
    ipv6_prefix: None,
    ipv6_pool: None,
    delegated_prefix: None,
    delegated_pool: None,
    routes: None,
    ipv6_routes: None,
    dns: Dns::Two(Own(CHILLISPOT, 62), Own(CHILLISPOT, 63)),
    ipv6_dns: Dns::Nothing,
    vlan: Vlan::Number(Own(CHILLISPOT, 24)),
    live: Live::Numbers { up: WISPR_UP, down: WISPR_DOWN },
    ..GENERIC
};

/// Comware. 1, 2, 4 and 5 mean other things than Huawei's.
const COMWARE: Dialect = Dialect {
    vendor: Vendor::H3c,
    rate: Rate::Numbers {
        up: Own(H3C, 2),
        down: Own(H3C, 5),
        unit: BIT,
        peak: Some((Own(H3C, 1), Own(H3C, 4))),
    },
    names: &[name(P::H3cUserGroup, Own(H3C, 140), false, false)],
    delegated_pool: None,
    dns: Dns::Nothing,
    ipv6_dns: Dns::Nothing,
    redirect: Some(Own(H3C, 250)),
    live: Live::Nothing,
    ..GENERIC
};

/// ZXR10. Rates are taken for bit/s, as in the field; models differ, so names go first.
const ZXR10: Dialect = Dialect {
    vendor: Vendor::Zte,
    rate: Rate::Numbers { up: Own(ZTE, 89), down: Own(ZTE, 83), unit: BIT, peak: None },
    names: &[
        name(P::ZteQosProfileUp, Own(ZTE, 94), true, false),
        name(P::ZteQosProfileDown, Own(ZTE, 82), false, true),
    ],
    ipv6_address: None,
    delegated_pool: None,
    dns: Dns::TwoTexts(Own(ZTE, 1), Own(ZTE, 2)),
    ipv6_dns: Dns::Nothing,
    vlan: Vlan::Nothing,
    redirect: None,
    live: Live::Nothing,
    ..GENERIC
};

/// Wireless and small routers: WISPr rates, a VLAN, one address.
const UBIQUITI: Dialect = Dialect {
    vendor: Vendor::Ubiquiti,
    pool: None,
    ipv6_address: None,
    ipv6_prefix: None,
    ipv6_pool: None,
    delegated_prefix: None,
    delegated_pool: None,
    routes: None,
    ipv6_routes: None,
    dns: Dns::Nothing,
    ipv6_dns: Dns::Nothing,
    live: Live::Nothing,
    ..GENERIC
};

/// SmartEdge: policing (from the subscriber) and metering (to it) by name.
const SMARTEDGE: Dialect = Dialect {
    vendor: Vendor::Redback,
    rate: Rate::Names,
    names: &[
        name(P::RedbackPolicing, Own(vendor::REDBACK, 87), true, false),
        name(P::RedbackMetering, Own(vendor::REDBACK, 88), false, true),
    ],
    pool: Some(Own(vendor::REDBACK, 36)),
    ipv6_address: None,
    delegated_pool: None,
    dns: Dns::Two(Own(vendor::REDBACK, 1), Own(vendor::REDBACK, 2)),
    ipv6_dns: Dns::Nothing,
    vlan: Vlan::Nothing,
    redirect: Some(Own(vendor::REDBACK, 165)),
    live: Live::Nothing,
    ..GENERIC
};
