//! Attribute type codes (RFC 2865, 2866, 2868, 2869, 3162, 4818, 5176, 6911) and, grouped by
//! vendor, the sub-attribute codes of Vendor-Specific.

/// Defines documented constants from `NAME = code, "Dictionary-Name"` lines.
macro_rules! codes {
    ($($name:ident = $code:literal $text:literal,)*) => {
        $(#[doc = $text] pub const $name: u8 = $code;)*
    };
}

codes! {
    USER_NAME = 1 "User-Name",
    USER_PASSWORD = 2 "User-Password",
    CHAP_PASSWORD = 3 "CHAP-Password",
    NAS_IP_ADDRESS = 4 "NAS-IP-Address",
    NAS_PORT = 5 "NAS-Port",
    SERVICE_TYPE = 6 "Service-Type",
    FRAMED_PROTOCOL = 7 "Framed-Protocol",
    FRAMED_IP_ADDRESS = 8 "Framed-IP-Address",
    FRAMED_IP_NETMASK = 9 "Framed-IP-Netmask",
    FILTER_ID = 11 "Filter-Id",
    FRAMED_MTU = 12 "Framed-MTU",
    REPLY_MESSAGE = 18 "Reply-Message",
    FRAMED_ROUTE = 22 "Framed-Route",
    STATE = 24 "State",
    CLASS = 25 "Class",
    VENDOR_SPECIFIC = 26 "Vendor-Specific",
    SESSION_TIMEOUT = 27 "Session-Timeout",
    IDLE_TIMEOUT = 28 "Idle-Timeout",
    TERMINATION_ACTION = 29 "Termination-Action",
    CALLED_STATION_ID = 30 "Called-Station-Id",
    CALLING_STATION_ID = 31 "Calling-Station-Id",
    NAS_IDENTIFIER = 32 "NAS-Identifier",
    PROXY_STATE = 33 "Proxy-State",
    ACCT_STATUS_TYPE = 40 "Acct-Status-Type",
    ACCT_DELAY_TIME = 41 "Acct-Delay-Time",
    ACCT_INPUT_OCTETS = 42 "Acct-Input-Octets",
    ACCT_OUTPUT_OCTETS = 43 "Acct-Output-Octets",
    ACCT_SESSION_ID = 44 "Acct-Session-Id",
    ACCT_AUTHENTIC = 45 "Acct-Authentic",
    ACCT_SESSION_TIME = 46 "Acct-Session-Time",
    ACCT_INPUT_PACKETS = 47 "Acct-Input-Packets",
    ACCT_OUTPUT_PACKETS = 48 "Acct-Output-Packets",
    ACCT_TERMINATE_CAUSE = 49 "Acct-Terminate-Cause",
    ACCT_MULTI_SESSION_ID = 50 "Acct-Multi-Session-Id",
    ACCT_LINK_COUNT = 51 "Acct-Link-Count",
    ACCT_INPUT_GIGAWORDS = 52 "Acct-Input-Gigawords",
    ACCT_OUTPUT_GIGAWORDS = 53 "Acct-Output-Gigawords",
    EVENT_TIMESTAMP = 55 "Event-Timestamp",
    CHAP_CHALLENGE = 60 "CHAP-Challenge",
    NAS_PORT_TYPE = 61 "NAS-Port-Type",
    PORT_LIMIT = 62 "Port-Limit",
    TUNNEL_TYPE = 64 "Tunnel-Type",
    TUNNEL_MEDIUM_TYPE = 65 "Tunnel-Medium-Type",
    TUNNEL_PASSWORD = 69 "Tunnel-Password",
    CONNECT_INFO = 77 "Connect-Info",
    EAP_MESSAGE = 79 "EAP-Message",
    MESSAGE_AUTHENTICATOR = 80 "Message-Authenticator",
    TUNNEL_PRIVATE_GROUP_ID = 81 "Tunnel-Private-Group-Id",
    ACCT_INTERIM_INTERVAL = 85 "Acct-Interim-Interval",
    NAS_PORT_ID = 87 "NAS-Port-Id",
    FRAMED_POOL = 88 "Framed-Pool",
    CHARGEABLE_USER_IDENTITY = 89 "Chargeable-User-Identity",
    NAS_IPV6_ADDRESS = 95 "NAS-IPv6-Address",
    FRAMED_INTERFACE_ID = 96 "Framed-Interface-Id",
    FRAMED_IPV6_PREFIX = 97 "Framed-IPv6-Prefix",
    FRAMED_IPV6_ROUTE = 99 "Framed-IPv6-Route",
    FRAMED_IPV6_POOL = 100 "Framed-IPv6-Pool",
    ERROR_CAUSE = 101 "Error-Cause",
    DELEGATED_IPV6_PREFIX = 123 "Delegated-IPv6-Prefix",
    FRAMED_IPV6_ADDRESS = 168 "Framed-IPv6-Address",
    DNS_SERVER_IPV6_ADDRESS = 169 "DNS-Server-IPv6-Address",
    DELEGATED_IPV6_PREFIX_POOL = 171 "Delegated-IPv6-Prefix-Pool",
    STATEFUL_IPV6_ADDRESS_POOL = 172 "Stateful-IPv6-Address-Pool",
}

/// Sub-attributes of MikroTik, vendor 14988.
pub mod mikrotik {
    codes! {
        RECV_LIMIT = 1 "Mikrotik-Recv-Limit",
        XMIT_LIMIT = 2 "Mikrotik-Xmit-Limit",
        GROUP = 3 "Mikrotik-Group",
        RATE_LIMIT = 8 "Mikrotik-Rate-Limit",
        REALM = 9 "Mikrotik-Realm",
        HOST_IP = 10 "Mikrotik-Host-IP",
        MARK_ID = 11 "Mikrotik-Mark-Id",
        RECV_LIMIT_GIGAWORDS = 14 "Mikrotik-Recv-Limit-Gigawords",
        XMIT_LIMIT_GIGAWORDS = 15 "Mikrotik-Xmit-Limit-Gigawords",
        TOTAL_LIMIT = 17 "Mikrotik-Total-Limit",
        TOTAL_LIMIT_GIGAWORDS = 18 "Mikrotik-Total-Limit-Gigawords",
        ADDRESS_LIST = 19 "Mikrotik-Address-List",
        DELEGATED_IPV6_POOL = 22 "Mikrotik-Delegated-IPv6-Pool",
    }
}

/// Sub-attributes of WISPr, vendor 14122.
pub mod wispr {
    codes! {
        LOCATION_ID = 1 "WISPr-Location-ID",
        LOCATION_NAME = 2 "WISPr-Location-Name",
        LOGOFF_URL = 3 "WISPr-Logoff-URL",
        REDIRECTION_URL = 4 "WISPr-Redirection-URL",
        BANDWIDTH_MIN_UP = 5 "WISPr-Bandwidth-Min-Up",
        BANDWIDTH_MIN_DOWN = 6 "WISPr-Bandwidth-Min-Down",
        BANDWIDTH_MAX_UP = 7 "WISPr-Bandwidth-Max-Up",
        BANDWIDTH_MAX_DOWN = 8 "WISPr-Bandwidth-Max-Down",
        SESSION_TERMINATE_TIME = 9 "WISPr-Session-Terminate-Time",
    }
}

/// Sub-attributes of Microsoft, vendor 311 (RFC 2548).
pub mod microsoft {
    codes! {
        CHAP_RESPONSE = 1 "MS-CHAP-Response",
        CHAP_ERROR = 2 "MS-CHAP-Error",
        MPPE_ENCRYPTION_POLICY = 7 "MS-MPPE-Encryption-Policy",
        MPPE_ENCRYPTION_TYPES = 8 "MS-MPPE-Encryption-Types",
        CHAP_DOMAIN = 10 "MS-CHAP-Domain",
        CHAP_CHALLENGE = 11 "MS-CHAP-Challenge",
        CHAP_MPPE_KEYS = 12 "MS-CHAP-MPPE-Keys",
        MPPE_SEND_KEY = 16 "MS-MPPE-Send-Key",
        MPPE_RECV_KEY = 17 "MS-MPPE-Recv-Key",
        CHAP2_RESPONSE = 25 "MS-CHAP2-Response",
        CHAP2_SUCCESS = 26 "MS-CHAP2-Success",
        PRIMARY_DNS_SERVER = 28 "MS-Primary-DNS-Server",
        SECONDARY_DNS_SERVER = 29 "MS-Secondary-DNS-Server",
    }
}

/// Sub-attributes of the Broadband Forum, vendor 3561 (RFC 4679).
pub mod adsl_forum {
    codes! {
        AGENT_CIRCUIT_ID = 1 "ADSL-Agent-Circuit-Id",
        AGENT_REMOTE_ID = 2 "ADSL-Agent-Remote-Id",
    }
}

/// Sub-attributes of Redback, vendor 2352: RouterOS uses them for DHCP option 82.
pub mod redback {
    codes! {
        AGENT_REMOTE_ID = 96 "Agent-Remote-Id",
        AGENT_CIRCUIT_ID = 97 "Agent-Circuit-Id",
    }
}
