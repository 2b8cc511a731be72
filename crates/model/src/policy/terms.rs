//! What plans and subscribers name: burst, address method, service type, profiles on the NAS.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nas::Vendor;

/// Higher rates for a short time, as RouterOS's queues and others' peak rates have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// Download rate of the burst, bit/s.
    pub download_bps: u64,
    /// Upload rate of the burst, bit/s.
    pub upload_bps: u64,
    /// Mean download below which bursting is allowed, bit/s; absent: the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_download_bps: Option<u64>,
    /// Mean upload below which bursting is allowed, bit/s; absent: the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_upload_bps: Option<u64>,
    /// Over how many seconds the mean is taken; absent: the NAS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_s: Option<u32>,
}

/// Defines a choice with its words.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Each of them.
            pub const ALL: &'static [$name] = &[$(Self::$variant),*];

            /// Their words, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word used in tables and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one of that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

choice! {
    /// Where a subscriber's IPv4 address comes from.
    Ipv4Method {
        /// Nothing is said about IPv4: a service of IPv6 alone, or a NAS that decides by itself.
        None = "none",
        /// The pool that is named.
        Pool = "pool",
        /// The subscriber's fixed address.
        Static = "static",
        /// The NAS is told to choose (RFC 2865 §5.8: 255.255.255.254).
        Nas = "nas",
        /// An address of one of our pools, leased by `aaad`; the fixed one where there is one.
        Leased = "leased",
    }
}

choice! {
    /// What becomes of a login beyond the limit of sessions.
    LimitAction {
        /// It is let in, and the oldest session is ended.
        ReplaceOldest = "replace_oldest",
        /// It is refused.
        Reject = "reject",
    }
}

choice! {
    /// Service-Type (RFC 2865 §5.6).
    ServiceType {
        /// 1.
        Login = "login",
        /// 2.
        Framed = "framed",
        /// 5.
        Outbound = "outbound",
    }
}

impl ServiceType {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Login => 1,
            Self::Framed => 2,
            Self::Outbound => 5,
        }
    }
}

choice! {
    /// Framed-Protocol (RFC 2865 §5.7).
    FramedProtocol {
        /// 1.
        Ppp = "ppp",
        /// 2.
        Slip = "slip",
    }
}

impl FramedProtocol {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Ppp => 1,
            Self::Slip => 2,
        }
    }
}

choice! {
    /// A name that means something on the NAS of one vendor. `{download_bps}`, `{upload_bps}`,
    /// `{download_kbps}` and `{upload_kbps}` in it are replaced by the rates.
    VendorProfile {
        /// The PPP profile, hotspot user profile or user group.
        MikrotikGroup = "mikrotik.group",
        /// The QoS policy on what the subscriber sends.
        CiscoPolicyIn = "cisco.policy_in",
        /// The QoS policy on what the subscriber receives.
        CiscoPolicyOut = "cisco.policy_out",
        /// The ISG service to activate.
        CiscoService = "cisco.service",
        /// The QoS profile; of both directions, unless the next one is named.
        HuaweiQosProfile = "huawei.qos_profile",
        /// The QoS profile of what the subscriber receives.
        HuaweiQosProfileDown = "huawei.qos_profile_down",
        /// The service to activate, with its parameters.
        JuniperService = "juniper.service",
        /// The client (dynamic) profile.
        JuniperClientProfile = "juniper.client_profile",
        /// The QoS profile.
        JuniperQosProfile = "juniper.qos_profile",
        /// The policy on what the subscriber sends.
        JuniperPolicyIn = "juniper.policy_in",
        /// The policy on what the subscriber receives.
        JuniperPolicyOut = "juniper.policy_out",
        /// The subscriber profile.
        NokiaSubscriberProfile = "nokia.subscriber_profile",
        /// The SLA profile.
        NokiaSlaProfile = "nokia.sla_profile",
        /// The QoS override, such as `e:q:1:pir={download_kbps}`.
        NokiaQosOverride = "nokia.qos_override",
        /// The user group.
        H3cUserGroup = "h3c.user_group",
        /// The QoS profile of what the subscriber sends.
        ZteQosProfileUp = "zte.qos_profile_up",
        /// The QoS profile of what the subscriber receives.
        ZteQosProfileDown = "zte.qos_profile_down",
        /// The policing profile: of what the subscriber sends.
        RedbackPolicing = "redback.policing",
        /// The metering profile: of what the subscriber receives.
        RedbackMetering = "redback.metering",
    }
}

impl VendorProfile {
    /// Whose NAS the name is for.
    pub const fn vendor(self) -> Vendor {
        match self {
            Self::MikrotikGroup => Vendor::Mikrotik,
            Self::CiscoPolicyIn | Self::CiscoPolicyOut | Self::CiscoService => Vendor::Cisco,
            Self::HuaweiQosProfile | Self::HuaweiQosProfileDown => Vendor::Huawei,
            Self::JuniperService
            | Self::JuniperClientProfile
            | Self::JuniperQosProfile
            | Self::JuniperPolicyIn
            | Self::JuniperPolicyOut => Vendor::Juniper,
            Self::NokiaSubscriberProfile | Self::NokiaSlaProfile | Self::NokiaQosOverride => {
                Vendor::Nokia
            }
            Self::H3cUserGroup => Vendor::H3c,
            Self::ZteQosProfileUp | Self::ZteQosProfileDown => Vendor::Zte,
            Self::RedbackPolicing | Self::RedbackMetering => Vendor::Redback,
        }
    }
}

/// Names of profiles on NAS, by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VendorProfiles(pub BTreeMap<VendorProfile, String>);

impl VendorProfiles {
    /// No names.
    pub const NONE: VendorProfiles = VendorProfiles(BTreeMap::new());

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A name.
    pub fn get(&self, profile: VendorProfile) -> Option<&str> {
        self.0.get(&profile).map(String::as_str)
    }
}
