//! Where each attribute of FreeRADIUS lives here. What is not in these tables has no home yet:
//! it is counted and named, never dropped in silence.

use model::policy::VendorProfile as P;

/// What becomes of an attribute that is given to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// Rates and bursts in RouterOS's notation.
    MikrotikRate,
    /// A rate towards the network, in units of so many bit/s.
    Upload(u64),
    /// A rate towards the subscriber.
    Download(u64),
    /// A number of seconds, in this field.
    Seconds(&'static str),
    /// A name on the NAS, in this field.
    Name(&'static str),
    /// A resolver.
    Dns,
    /// A filter.
    Filter,
    /// A name that means something on the NAS of one vendor.
    Profile(P),
    /// Cisco's `name=value` texts; see [`pair`].
    Pair,
    /// Cisco's Account-Info, of which an `A` and a name is a service that is on.
    AccountInfo,
    /// Service-Type.
    ServiceType,
    /// Framed-Protocol.
    FramedProtocol,
    /// Tunnel-Type and Tunnel-Medium-Type: a VLAN is said by all three.
    Tunnel(&'static str),
    /// The VLAN.
    Vlan,
    /// One subscriber's IPv4 address.
    Address,
    /// Its mask.
    Netmask,
    /// One subscriber's, in this field.
    Own(&'static str),
    /// One subscriber's routes, in this field.
    Routes(&'static str),
    /// FreeRADIUS's own, that steers how it reads its files.
    Steers,
    /// Nothing has to be carried, because of this.
    Needless(&'static str),
    /// It has no home, because of this.
    Homeless(&'static str),
}

/// What becomes of an attribute that is checked or set before a login is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The password.
    Password,
    /// The password behind the name of its kind in braces.
    HeadedPassword,
    /// A password of which only this is known.
    Hash(&'static str),
    /// When it ends.
    Expiration,
    /// How it is proven, or that it is refused.
    AuthType,
    /// The NAS it may come through.
    Nas,
    /// The login's group, which the tables know.
    Group,
    /// True for every subscriber's request.
    Usual(&'static str),
    /// Nothing has to be carried, because of this.
    Needless(&'static str),
    /// It has no home, because of this.
    Homeless(&'static str),
}

const NO_FIELD: &str = "services have no field for it yet";
const HASHED: &str = "only a hash is known, and services take passwords in clear";
const LINK: &str = "PPP peers agree on it by themselves";

/// Attributes that are given, by their names in lower case, in that order.
const REPLIES: &[(&str, Reply)] = &[
    ("acct-interim-interval", Reply::Seconds("interim_s")),
    ("alc-delegated-ipv6-pool", Reply::Name("delegated_pool")),
    ("alc-primary-dns", Reply::Dns),
    ("alc-secondary-dns", Reply::Dns),
    ("alc-sla-prof-str", Reply::Profile(P::NokiaSlaProfile)),
    ("alc-subsc-prof-str", Reply::Profile(P::NokiaSubscriberProfile)),
    ("alc-subscriber-qos-override", Reply::Profile(P::NokiaQosOverride)),
    ("chillispot-bandwidth-max-down", Reply::Download(1000)),
    ("chillispot-bandwidth-max-up", Reply::Upload(1000)),
    ("chillispot-dhcp-dns1", Reply::Dns),
    ("chillispot-dhcp-dns2", Reply::Dns),
    ("cisco-account-info", Reply::AccountInfo),
    ("cisco-avpair", Reply::Pair),
    ("client-dns-pri", Reply::Dns),
    ("client-dns-sec", Reply::Dns),
    ("delegated-ipv6-prefix", Reply::Own("delegated_prefix")),
    ("delegated-ipv6-prefix-pool", Reply::Name("delegated_pool")),
    ("dns-server-ipv6-address", Reply::Dns),
    ("erx-client-profile-name", Reply::Profile(P::JuniperClientProfile)),
    ("erx-egress-policy-name", Reply::Profile(P::JuniperPolicyOut)),
    ("erx-ingress-policy-name", Reply::Profile(P::JuniperPolicyIn)),
    ("erx-ipv6-delegated-pool-name", Reply::Name("delegated_pool")),
    ("erx-ipv6-primary-dns", Reply::Dns),
    ("erx-ipv6-secondary-dns", Reply::Dns),
    ("erx-primary-dns", Reply::Dns),
    ("erx-qos-profile-name", Reply::Profile(P::JuniperQosProfile)),
    ("erx-secondary-dns", Reply::Dns),
    ("erx-service-activate", Reply::Profile(P::JuniperService)),
    ("fall-through", Reply::Steers),
    ("filter-id", Reply::Filter),
    ("framed-compression", Reply::Needless(LINK)),
    ("framed-ip-address", Reply::Address),
    ("framed-ip-netmask", Reply::Netmask),
    ("framed-ipv6-address", Reply::Own("ipv6_address")),
    ("framed-ipv6-pool", Reply::Name("ipv6_pool")),
    ("framed-ipv6-prefix", Reply::Own("ipv6_prefix")),
    ("framed-ipv6-route", Reply::Routes("ipv6_routes")),
    ("framed-mtu", Reply::Homeless("plans have no field for it yet; a NAS has its own MTU")),
    ("framed-pool", Reply::Name("pool")),
    ("framed-protocol", Reply::FramedProtocol),
    ("framed-route", Reply::Routes("routes")),
    ("h3c-input-average-rate", Reply::Upload(1)),
    ("h3c-output-average-rate", Reply::Download(1)),
    ("h3c-user-group", Reply::Profile(P::H3cUserGroup)),
    ("huawei-delegated-ipv6-prefix-pool", Reply::Name("delegated_pool")),
    ("huawei-dns-server-ipv6-address", Reply::Dns),
    ("huawei-down-qos-profile-name", Reply::Profile(P::HuaweiQosProfileDown)),
    ("huawei-input-average-rate", Reply::Upload(1)),
    ("huawei-output-average-rate", Reply::Download(1)),
    ("huawei-primary-dns", Reply::Dns),
    ("huawei-qos-profile-name", Reply::Profile(P::HuaweiQosProfile)),
    ("huawei-secondary-dns", Reply::Dns),
    ("idle-timeout", Reply::Seconds("idle_timeout_s")),
    ("ip-address-pool-name", Reply::Name("pool")),
    ("mikrotik-address-list", Reply::Name("address_list")),
    ("mikrotik-delegated-ipv6-pool", Reply::Name("delegated_pool")),
    ("mikrotik-group", Reply::Profile(P::MikrotikGroup)),
    ("mikrotik-rate-limit", Reply::MikrotikRate),
    ("ms-primary-dns-server", Reply::Dns),
    ("ms-secondary-dns-server", Reply::Dns),
    ("qos-metering-profile-name", Reply::Profile(P::RedbackMetering)),
    ("qos-policing-profile-name", Reply::Profile(P::RedbackPolicing)),
    ("reply-message", Reply::Homeless("answers have their own words")),
    ("service-type", Reply::ServiceType),
    ("session-timeout", Reply::Seconds("session_timeout_s")),
    ("tunnel-medium-type", Reply::Tunnel("IEEE-802")),
    ("tunnel-private-group-id", Reply::Vlan),
    ("tunnel-type", Reply::Tunnel("VLAN")),
    ("wispr-bandwidth-max-down", Reply::Download(1)),
    ("wispr-bandwidth-max-up", Reply::Upload(1)),
    ("zte-client-dns-pri", Reply::Dns),
    ("zte-client-dns-sec", Reply::Dns),
    ("zte-qos-profile-down", Reply::Profile(P::ZteQosProfileDown)),
    ("zte-qos-profile-up", Reply::Profile(P::ZteQosProfileUp)),
    ("zte-rate-ctrl-scr-down", Reply::Download(1)),
    ("zte-rate-ctrl-scr-up", Reply::Upload(1)),
];

/// Attributes that are checked, likewise.
const CHECKS: &[(&str, Check)] = &[
    ("auth-type", Check::AuthType),
    ("calling-station-id", Check::Homeless("services are not bound to stations yet")),
    ("cleartext-password", Check::Password),
    ("crypt-password", Check::Hash(HASHED)),
    ("expiration", Check::Expiration),
    ("fall-through", Check::Needless("it belongs among what is given, and FreeRADIUS ignores it")),
    ("framed-protocol", Check::Usual("PPP")),
    ("group", Check::Homeless("groups of the operating system are not asked")),
    ("lm-password", Check::Hash(HASHED)),
    ("login-time", Check::Homeless(NO_FIELD)),
    ("md5-password", Check::Hash(HASHED)),
    ("nas-ip-address", Check::Nas),
    ("nt-password", Check::Hash(HASHED)),
    ("password-with-header", Check::HeadedPassword),
    ("pool-name", Check::Homeless("addresses of this pool are given out by FreeRADIUS itself")),
    ("service-type", Check::Usual("Framed-User")),
    ("sha-password", Check::Hash(HASHED)),
    ("sha1-password", Check::Hash(HASHED)),
    ("sha2-password", Check::Hash(HASHED)),
    ("simultaneous-use", Check::Homeless(NO_FIELD)),
    ("smd5-password", Check::Hash(HASHED)),
    ("sql-group", Check::Group),
    ("ssha-password", Check::Hash(HASHED)),
    ("user-password", Check::Password),
];

/// Words of Auth-Type that say how a password is proven, which is found in the request.
pub(super) const METHODS: [&str; 8] =
    ["local", "pap", "chap", "ms-chap", "mschap", "mschapv2", "digest", "eap"];

/// What becomes of an attribute that is given.
pub(super) fn reply(attribute: &str) -> Reply {
    found(REPLIES, attribute).unwrap_or(Reply::Homeless("it is not known here"))
}

/// What becomes of an attribute that is checked.
pub(super) fn check(attribute: &str) -> Check {
    let unknown = Check::Homeless("it is not known here");
    match found(CHECKS, attribute) {
        Some(check) => check,
        None => unknown,
    }
}

fn found<T: Copy>(table: &[(&str, T)], attribute: &str) -> Option<T> {
    let name = attribute.to_ascii_lowercase();
    let at = table.binary_search_by(|(known, _)| known.cmp(&name.as_str()));
    at.ok().map(|at| table[at].1)
}

/// What a Cisco-AVPair says, and its value.
pub(super) fn pair(text: &str) -> (Reply, &str) {
    let unknown = (Reply::Homeless("of Cisco's pairs only policies, pools and resolvers"), text);
    let Some((name, value)) = text.split_once('=') else { return unknown };
    let name = name.trim().to_ascii_lowercase();
    let reply = match name.rsplit(':').next().unwrap_or_default() {
        "sub-qos-policy-in" => Reply::Profile(P::CiscoPolicyIn),
        "sub-qos-policy-out" => Reply::Profile(P::CiscoPolicyOut),
        "addr-pool" => Reply::Name("pool"),
        "dns-servers" => Reply::Dns,
        _ => return unknown,
    };
    (reply, value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order_and_name_attributes_that_exist() {
        let dictionary = radius_wire::dictionary::builtin().unwrap();
        let own = [
            // FreeRADIUS's own, which no packet carries.
            "auth-type",
            "cleartext-password",
            "crypt-password",
            "expiration",
            "fall-through",
            "group",
            "lm-password",
            "login-time",
            "md5-password",
            "nt-password",
            "password-with-header",
            "pool-name",
            "sha-password",
            "sha1-password",
            "sha2-password",
            "simultaneous-use",
            "smd5-password",
            "sql-group",
            "ssha-password",
        ];
        let replies = REPLIES.iter().map(|(name, _)| *name);
        for name in replies.chain(CHECKS.iter().map(|(name, _)| *name)) {
            assert!(own.contains(&name) || dictionary.find(name).is_some(), "{name}");
        }
        assert!(REPLIES.is_sorted_by(|a, b| a.0 < b.0), "replies are looked up by halving");
        assert!(CHECKS.is_sorted_by(|a, b| a.0 < b.0), "checks are looked up by halving");
    }

    #[test]
    fn names_are_found_in_any_letter_case() {
        assert_eq!(reply("WISPr-Bandwidth-Max-Up"), Reply::Upload(1));
        assert_eq!(check("SSHA-Password"), Check::Hash(HASHED));
        assert!(matches!(reply("Shoe-Size"), Reply::Homeless(_)));
        assert_eq!(pair("subscriber:sub-qos-policy-in=gold").1, "gold");
        assert!(matches!(pair("ip:inacl#1=permit ip any any").0, Reply::Homeless(_)));
    }
}
