//! What integers mean: names for the values of the attributes in the table.

/// A list of values with their names.
pub type Values = &'static [(u32, &'static str)];

/// RFC 2865 §5.6, RFC 5176 §3.1.
pub const SERVICE_TYPE: Values = &[
    (1, "Login-User"),
    (2, "Framed-User"),
    (3, "Callback-Login-User"),
    (4, "Callback-Framed-User"),
    (5, "Outbound-User"),
    (6, "Administrative-User"),
    (7, "NAS-Prompt-User"),
    (8, "Authenticate-Only"),
    (9, "Callback-NAS-Prompt"),
    (10, "Call-Check"),
    (11, "Callback-Administrative"),
    (17, "Authorize-Only"),
];

/// RFC 2865 §5.7.
pub const FRAMED_PROTOCOL: Values = &[
    (1, "PPP"),
    (2, "SLIP"),
    (3, "ARAP"),
    (4, "Gandalf-SLML"),
    (5, "Xylogics-IPX-SLIP"),
    (6, "X.75-Synchronous"),
];

/// RFC 2865 §5.10.
pub const FRAMED_ROUTING: Values =
    &[(0, "None"), (1, "Broadcast"), (2, "Listen"), (3, "Broadcast-Listen")];

/// RFC 2865 §5.13.
pub const FRAMED_COMPRESSION: Values =
    &[(0, "None"), (1, "Van-Jacobson-TCP-IP"), (2, "IPX-Header-Compression"), (3, "Stac-LZS")];

/// RFC 2865 §5.15.
pub const LOGIN_SERVICE: Values = &[
    (0, "Telnet"),
    (1, "Rlogin"),
    (2, "TCP-Clear"),
    (3, "PortMaster"),
    (4, "LAT"),
    (5, "X25-PAD"),
    (6, "X25-T3POS"),
    (8, "TCP-Clear-Quiet"),
];

/// RFC 2865 §5.29.
pub const TERMINATION_ACTION: Values = &[(0, "Default"), (1, "RADIUS-Request")];

/// RFC 2865 §5.41.
pub const NAS_PORT_TYPE: Values = &[
    (0, "Async"),
    (1, "Sync"),
    (2, "ISDN"),
    (3, "ISDN-V120"),
    (4, "ISDN-V110"),
    (5, "Virtual"),
    (6, "PIAFS"),
    (7, "HDLC-Clear-Channel"),
    (8, "X.25"),
    (9, "X.75"),
    (10, "G.3-Fax"),
    (11, "SDSL"),
    (12, "ADSL-CAP"),
    (13, "ADSL-DMT"),
    (14, "IDSL"),
    (15, "Ethernet"),
    (16, "xDSL"),
    (17, "Cable"),
    (18, "Wireless-Other"),
    (19, "Wireless-802.11"),
];

/// RFC 2866 §5.1, RFC 2867 §3.
pub const ACCT_STATUS_TYPE: Values = &[
    (1, "Start"),
    (2, "Stop"),
    (3, "Interim-Update"),
    (7, "Accounting-On"),
    (8, "Accounting-Off"),
    (9, "Tunnel-Start"),
    (10, "Tunnel-Stop"),
    (11, "Tunnel-Reject"),
    (12, "Tunnel-Link-Start"),
    (13, "Tunnel-Link-Stop"),
    (14, "Tunnel-Link-Reject"),
    (15, "Failed"),
];

/// RFC 2866 §5.6.
pub const ACCT_AUTHENTIC: Values = &[(1, "RADIUS"), (2, "Local"), (3, "Remote"), (4, "Diameter")];

/// RFC 2866 §5.10, RFC 3580 §2.3.
pub const ACCT_TERMINATE_CAUSE: Values = &[
    (1, "User-Request"),
    (2, "Lost-Carrier"),
    (3, "Lost-Service"),
    (4, "Idle-Timeout"),
    (5, "Session-Timeout"),
    (6, "Admin-Reset"),
    (7, "Admin-Reboot"),
    (8, "Port-Error"),
    (9, "NAS-Error"),
    (10, "NAS-Request"),
    (11, "NAS-Reboot"),
    (12, "Port-Unneeded"),
    (13, "Port-Preempted"),
    (14, "Port-Suspended"),
    (15, "Service-Unavailable"),
    (16, "Callback"),
    (17, "User-Error"),
    (18, "Host-Request"),
    (19, "Supplicant-Restart"),
    (20, "Reauthentication-Failure"),
    (21, "Port-Reinitialized"),
    (22, "Port-Administratively-Disabled"),
];

/// RFC 2868 §3.1, RFC 3580 §3.31.
pub const TUNNEL_TYPE: Values = &[
    (1, "PPTP"),
    (2, "L2F"),
    (3, "L2TP"),
    (4, "ATMP"),
    (5, "VTP"),
    (6, "AH"),
    (7, "IP-IP"),
    (8, "MIN-IP-IP"),
    (9, "ESP"),
    (10, "GRE"),
    (11, "DVS"),
    (12, "IP-in-IP-Tunneling"),
    (13, "VLAN"),
];

/// RFC 2868 §3.2, the two in use.
pub const TUNNEL_MEDIUM_TYPE: Values = &[(1, "IPv4"), (2, "IPv6"), (6, "IEEE-802")];

/// RFC 2869 §5.10.
pub const PROMPT: Values = &[(0, "No-Echo"), (1, "Echo")];

/// RFC 5176 §3.5, RFC 5580 §4.8.
pub const ERROR_CAUSE: Values = &[
    (201, "Residual-Context-Removed"),
    (202, "Invalid-EAP-Packet"),
    (401, "Unsupported-Attribute"),
    (402, "Missing-Attribute"),
    (403, "NAS-Identification-Mismatch"),
    (404, "Invalid-Request"),
    (405, "Unsupported-Service"),
    (406, "Unsupported-Extension"),
    (407, "Invalid-Attribute-Value"),
    (501, "Administratively-Prohibited"),
    (502, "Proxy-Request-Not-Routable"),
    (503, "Session-Context-Not-Found"),
    (504, "Session-Context-Not-Removable"),
    (505, "Proxy-Processing-Error"),
    (506, "Resources-Unavailable"),
    (507, "Request-Initiated"),
    (508, "Multiple-Session-Selection-Unsupported"),
    (509, "Location-Info-Required"),
];

/// RFC 2548 §2.4.4.
pub const MS_MPPE_ENCRYPTION_POLICY: Values =
    &[(1, "Encryption-Allowed"), (2, "Encryption-Required")];

/// RFC 2548 §2.4.5: a set of bits, of which these sums are used.
pub const MS_MPPE_ENCRYPTION_TYPES: Values =
    &[(2, "RC4-40bit-Allowed"), (4, "RC4-128bit-Allowed"), (6, "RC4-40or128-bit-Allowed")];

/// MikroTik's RADIUS client manual.
pub const MIKROTIK_WIRELESS_ENC_ALGO: Values =
    &[(0, "No-encryption"), (1, "40-bit-WEP"), (2, "104-bit-WEP"), (3, "AES-CCM"), (4, "TKIP")];

/// MikroTik's RADIUS client manual.
pub const MIKROTIK_WIRELESS_VLANID_TYPE: Values = &[(0, "802.1q"), (1, "802.1ad")];
