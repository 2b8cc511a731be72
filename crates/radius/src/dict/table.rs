//! The attributes we meet, one line each.

use super::values;
use crate::vendor;

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Text, UTF-8 in the good case.
    Text,
    /// Octets without meaning for us.
    Octets,
    /// Four octets, most significant first.
    Integer,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An IPv6 prefix (RFC 3162 §2.3).
    Ipv6Prefix,
    /// Eight octets of interface identifier (RFC 3162 §2.2).
    InterfaceId,
    /// Seconds since 1970-01-01 UTC.
    Date,
    /// A tag, then three octets of integer (RFC 2868 §3.1).
    TaggedInteger,
    /// Text after a tag, which is optional (RFC 2868 §3.3).
    TaggedText,
}

/// What is known of one attribute.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The vendor, or 0 for the standard space.
    pub vendor: u32,
    /// The type code.
    pub kind: u8,
    /// The name.
    pub name: &'static str,
    /// How the value is read.
    pub data: Data,
    /// Names of the values, for integers that have them.
    pub values: &'static [(u32, &'static str)],
    /// Whether the value is, or would help to find, a password or key: it does not print.
    pub secret: bool,
}

impl Entry {
    const fn values(mut self, values: &'static [(u32, &'static str)]) -> Self {
        self.values = values;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn of(mut self, vendor: u32) -> Self {
        self.vendor = vendor;
        self
    }

    /// The name of a value.
    pub fn value_name(&self, value: u32) -> Option<&'static str> {
        self.values.iter().find(|(known, _)| *known == value).map(|(_, name)| *name)
    }

    /// The value of a name, in any letter case.
    pub fn value_of(&self, name: &str) -> Option<u32> {
        self.values
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(value, _)| *value)
    }
}

const fn text(kind: u8, name: &'static str) -> Entry {
    Entry { vendor: 0, kind, name, data: Data::Text, values: &[], secret: false }
}

const fn row(kind: u8, name: &'static str, data: Data) -> Entry {
    Entry { vendor: 0, kind, name, data, values: &[], secret: false }
}

const fn octets(kind: u8, name: &'static str) -> Entry {
    row(kind, name, Data::Octets)
}

const fn integer(kind: u8, name: &'static str) -> Entry {
    row(kind, name, Data::Integer)
}

const fn ipv4(kind: u8, name: &'static str) -> Entry {
    row(kind, name, Data::Ipv4)
}

const fn ipv6(kind: u8, name: &'static str) -> Entry {
    row(kind, name, Data::Ipv6)
}

/// The standard space.
pub static STANDARD: &[Entry] = &[
    // RFC 2865
    text(1, "User-Name"),
    octets(2, "User-Password").secret(),
    octets(3, "CHAP-Password").secret(),
    ipv4(4, "NAS-IP-Address"),
    integer(5, "NAS-Port"),
    integer(6, "Service-Type").values(values::SERVICE_TYPE),
    integer(7, "Framed-Protocol").values(values::FRAMED_PROTOCOL),
    ipv4(8, "Framed-IP-Address"),
    ipv4(9, "Framed-IP-Netmask"),
    integer(10, "Framed-Routing").values(values::FRAMED_ROUTING),
    text(11, "Filter-Id"),
    integer(12, "Framed-MTU"),
    integer(13, "Framed-Compression").values(values::FRAMED_COMPRESSION),
    ipv4(14, "Login-IP-Host"),
    integer(15, "Login-Service").values(values::LOGIN_SERVICE),
    integer(16, "Login-TCP-Port"),
    text(18, "Reply-Message"),
    text(19, "Callback-Number"),
    text(20, "Callback-Id"),
    text(22, "Framed-Route"),
    ipv4(23, "Framed-IPX-Network"),
    octets(24, "State"),
    octets(25, "Class"),
    octets(26, "Vendor-Specific"),
    integer(27, "Session-Timeout"),
    integer(28, "Idle-Timeout"),
    integer(29, "Termination-Action").values(values::TERMINATION_ACTION),
    text(30, "Called-Station-Id"),
    text(31, "Calling-Station-Id"),
    text(32, "NAS-Identifier"),
    octets(33, "Proxy-State"),
    text(34, "Login-LAT-Service"),
    text(35, "Login-LAT-Node"),
    octets(36, "Login-LAT-Group"),
    integer(37, "Framed-AppleTalk-Link"),
    integer(38, "Framed-AppleTalk-Network"),
    text(39, "Framed-AppleTalk-Zone"),
    // RFC 2866
    integer(40, "Acct-Status-Type").values(values::ACCT_STATUS_TYPE),
    integer(41, "Acct-Delay-Time"),
    integer(42, "Acct-Input-Octets"),
    integer(43, "Acct-Output-Octets"),
    text(44, "Acct-Session-Id"),
    integer(45, "Acct-Authentic").values(values::ACCT_AUTHENTIC),
    integer(46, "Acct-Session-Time"),
    integer(47, "Acct-Input-Packets"),
    integer(48, "Acct-Output-Packets"),
    integer(49, "Acct-Terminate-Cause").values(values::ACCT_TERMINATE_CAUSE),
    text(50, "Acct-Multi-Session-Id"),
    integer(51, "Acct-Link-Count"),
    // RFC 2869
    integer(52, "Acct-Input-Gigawords"),
    integer(53, "Acct-Output-Gigawords"),
    row(55, "Event-Timestamp", Data::Date),
    // RFC 2865
    octets(60, "CHAP-Challenge"),
    integer(61, "NAS-Port-Type").values(values::NAS_PORT_TYPE),
    integer(62, "Port-Limit"),
    text(63, "Login-LAT-Port"),
    // RFC 2868
    row(64, "Tunnel-Type", Data::TaggedInteger).values(values::TUNNEL_TYPE),
    row(65, "Tunnel-Medium-Type", Data::TaggedInteger).values(values::TUNNEL_MEDIUM_TYPE),
    row(66, "Tunnel-Client-Endpoint", Data::TaggedText),
    row(67, "Tunnel-Server-Endpoint", Data::TaggedText),
    octets(69, "Tunnel-Password").secret(),
    // RFC 2869
    octets(70, "ARAP-Password").secret(),
    octets(71, "ARAP-Features"),
    integer(72, "ARAP-Zone-Access"),
    integer(73, "ARAP-Security"),
    text(74, "ARAP-Security-Data"),
    integer(75, "Password-Retry"),
    integer(76, "Prompt").values(values::PROMPT),
    text(77, "Connect-Info"),
    text(78, "Configuration-Token"),
    // EAP carries CHAP-like responses, which a dictionary attack turns into passwords.
    octets(79, "EAP-Message").secret(),
    octets(80, "Message-Authenticator"),
    // RFC 2868
    row(81, "Tunnel-Private-Group-Id", Data::TaggedText),
    row(82, "Tunnel-Assignment-Id", Data::TaggedText),
    row(83, "Tunnel-Preference", Data::TaggedInteger),
    // RFC 2869
    octets(84, "ARAP-Challenge-Response"),
    integer(85, "Acct-Interim-Interval"),
    text(87, "NAS-Port-Id"),
    text(88, "Framed-Pool"),
    // RFC 4372
    octets(89, "Chargeable-User-Identity"),
    // RFC 2868
    row(90, "Tunnel-Client-Auth-Id", Data::TaggedText),
    row(91, "Tunnel-Server-Auth-Id", Data::TaggedText),
    // RFC 3162
    ipv6(95, "NAS-IPv6-Address"),
    row(96, "Framed-Interface-Id", Data::InterfaceId),
    row(97, "Framed-IPv6-Prefix", Data::Ipv6Prefix),
    ipv6(98, "Login-IPv6-Host"),
    text(99, "Framed-IPv6-Route"),
    text(100, "Framed-IPv6-Pool"),
    // RFC 5176
    integer(101, "Error-Cause").values(values::ERROR_CAUSE),
    // RFC 4818
    row(123, "Delegated-IPv6-Prefix", Data::Ipv6Prefix),
    // RFC 6519
    text(144, "DS-Lite-Tunnel-Name"),
    // RFC 6911
    ipv6(168, "Framed-IPv6-Address"),
    ipv6(169, "DNS-Server-IPv6-Address"),
    row(170, "Route-IPv6-Information", Data::Ipv6Prefix),
    text(171, "Delegated-IPv6-Prefix-Pool"),
    text(172, "Stateful-IPv6-Address-Pool"),
];

/// The vendors' spaces.
pub static VENDORS: &[Entry] = &[
    integer(1, "Mikrotik-Recv-Limit").of(vendor::MIKROTIK),
    integer(2, "Mikrotik-Xmit-Limit").of(vendor::MIKROTIK),
    text(3, "Mikrotik-Group").of(vendor::MIKROTIK),
    integer(4, "Mikrotik-Wireless-Forward").of(vendor::MIKROTIK),
    integer(5, "Mikrotik-Wireless-Skip-Dot1x").of(vendor::MIKROTIK),
    integer(6, "Mikrotik-Wireless-Enc-Algo")
        .of(vendor::MIKROTIK)
        .values(values::MIKROTIK_WIRELESS_ENC_ALGO),
    text(7, "Mikrotik-Wireless-Enc-Key").of(vendor::MIKROTIK).secret(),
    text(8, "Mikrotik-Rate-Limit").of(vendor::MIKROTIK),
    text(9, "Mikrotik-Realm").of(vendor::MIKROTIK),
    ipv4(10, "Mikrotik-Host-IP").of(vendor::MIKROTIK),
    text(11, "Mikrotik-Mark-Id").of(vendor::MIKROTIK),
    text(12, "Mikrotik-Advertise-URL").of(vendor::MIKROTIK),
    integer(13, "Mikrotik-Advertise-Interval").of(vendor::MIKROTIK),
    integer(14, "Mikrotik-Recv-Limit-Gigawords").of(vendor::MIKROTIK),
    integer(15, "Mikrotik-Xmit-Limit-Gigawords").of(vendor::MIKROTIK),
    text(16, "Mikrotik-Wireless-PSK").of(vendor::MIKROTIK).secret(),
    integer(17, "Mikrotik-Total-Limit").of(vendor::MIKROTIK),
    integer(18, "Mikrotik-Total-Limit-Gigawords").of(vendor::MIKROTIK),
    text(19, "Mikrotik-Address-List").of(vendor::MIKROTIK),
    text(20, "Mikrotik-Wireless-MPKey").of(vendor::MIKROTIK).secret(),
    text(21, "Mikrotik-Wireless-Comment").of(vendor::MIKROTIK),
    text(22, "Mikrotik-Delegated-IPv6-Pool").of(vendor::MIKROTIK),
    text(23, "Mikrotik-DHCP-Option-Set").of(vendor::MIKROTIK),
    text(24, "Mikrotik-DHCP-Option-Param-STR1").of(vendor::MIKROTIK),
    text(25, "Mikrotik-DHCP-Option-Param-STR2").of(vendor::MIKROTIK),
    integer(26, "Mikrotik-Wireless-VLANID").of(vendor::MIKROTIK),
    integer(27, "Mikrotik-Wireless-VLANID-Type")
        .of(vendor::MIKROTIK)
        .values(values::MIKROTIK_WIRELESS_VLANID_TYPE),
    text(28, "Mikrotik-Wireless-Minsignal").of(vendor::MIKROTIK),
    text(29, "Mikrotik-Wireless-Maxsignal").of(vendor::MIKROTIK),
    text(30, "Mikrotik-Switching-Filter").of(vendor::MIKROTIK),
    text(1, "WISPr-Location-ID").of(vendor::WISPR),
    text(2, "WISPr-Location-Name").of(vendor::WISPR),
    text(3, "WISPr-Logoff-URL").of(vendor::WISPR),
    text(4, "WISPr-Redirection-URL").of(vendor::WISPR),
    integer(5, "WISPr-Bandwidth-Min-Up").of(vendor::WISPR),
    integer(6, "WISPr-Bandwidth-Min-Down").of(vendor::WISPR),
    integer(7, "WISPr-Bandwidth-Max-Up").of(vendor::WISPR),
    integer(8, "WISPr-Bandwidth-Max-Down").of(vendor::WISPR),
    text(9, "WISPr-Session-Terminate-Time").of(vendor::WISPR),
    text(10, "WISPr-Session-Terminate-End-Of-Day").of(vendor::WISPR),
    text(11, "WISPr-Billing-Class-Of-Service").of(vendor::WISPR),
    octets(1, "MS-CHAP-Response").of(vendor::MICROSOFT).secret(),
    text(2, "MS-CHAP-Error").of(vendor::MICROSOFT),
    octets(3, "MS-CHAP-CPW-1").of(vendor::MICROSOFT).secret(),
    octets(4, "MS-CHAP-CPW-2").of(vendor::MICROSOFT).secret(),
    octets(5, "MS-CHAP-LM-Enc-PW").of(vendor::MICROSOFT).secret(),
    octets(6, "MS-CHAP-NT-Enc-PW").of(vendor::MICROSOFT).secret(),
    integer(7, "MS-MPPE-Encryption-Policy")
        .of(vendor::MICROSOFT)
        .values(values::MS_MPPE_ENCRYPTION_POLICY),
    integer(8, "MS-MPPE-Encryption-Types")
        .of(vendor::MICROSOFT)
        .values(values::MS_MPPE_ENCRYPTION_TYPES),
    text(10, "MS-CHAP-Domain").of(vendor::MICROSOFT),
    octets(11, "MS-CHAP-Challenge").of(vendor::MICROSOFT),
    octets(12, "MS-CHAP-MPPE-Keys").of(vendor::MICROSOFT).secret(),
    octets(16, "MS-MPPE-Send-Key").of(vendor::MICROSOFT).secret(),
    octets(17, "MS-MPPE-Recv-Key").of(vendor::MICROSOFT).secret(),
    text(18, "MS-RAS-Version").of(vendor::MICROSOFT),
    octets(25, "MS-CHAP2-Response").of(vendor::MICROSOFT).secret(),
    octets(26, "MS-CHAP2-Success").of(vendor::MICROSOFT),
    octets(27, "MS-CHAP2-CPW").of(vendor::MICROSOFT).secret(),
    ipv4(28, "MS-Primary-DNS-Server").of(vendor::MICROSOFT),
    ipv4(29, "MS-Secondary-DNS-Server").of(vendor::MICROSOFT),
    octets(1, "ADSL-Agent-Circuit-Id").of(vendor::ADSL_FORUM),
    octets(2, "ADSL-Agent-Remote-Id").of(vendor::ADSL_FORUM),
    octets(96, "Agent-Remote-Id").of(vendor::REDBACK),
    octets(97, "Agent-Circuit-Id").of(vendor::REDBACK),
    integer(197, "Ascend-Data-Rate").of(vendor::ASCEND),
    integer(255, "Ascend-Xmit-Rate").of(vendor::ASCEND),
    text(1, "Cisco-AVPair").of(vendor::CISCO),
];
