//! The subscriber: one service as the network sees it.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnetwork::Ipv6Network;
use serde::{Deserialize, Serialize};

use super::{Ipv4Method, LimitAction, Rules};
use crate::identity::Identity;
use crate::{CustomerId, NasId, OrganisationId, PlanVersionId, PoolId, ServiceId, Ts};

/// Why a service is held. A payment clears only `nonpayment`; each reason is cleared by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Bills are not paid.
    Nonpayment,
    /// The paid time is over.
    Expired,
    /// Staff suspended it.
    Admin,
    /// Misuse.
    Abuse,
    /// The customer asked for a pause.
    Pause,
    /// The quota is used up.
    Quota,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: [HoldReason; 6] =
        [Self::Nonpayment, Self::Expired, Self::Admin, Self::Abuse, Self::Pause, Self::Quota];

    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nonpayment => "nonpayment",
            Self::Expired => "expired",
            Self::Admin => "admin",
            Self::Abuse => "abuse",
            Self::Pause => "pause",
            Self::Quota => "quota",
        }
    }

    /// The reason of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// What a hold does to the network side of a service; the later in this list, the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldNetwork {
    /// Nothing: only billing is held.
    None,
    /// The walled garden.
    Garden,
    /// No login.
    Reject,
}

impl HoldNetwork {
    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Garden => "garden",
            Self::Reject => "reject",
        }
    }

    /// The treatment of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::None, Self::Garden, Self::Reject].into_iter().find(|x| x.as_str() == word)
    }
}

/// Whether the service is billed while it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldBilling {
    /// Billing goes on.
    On,
    /// Nothing is charged for the time of the hold.
    Off,
}

/// A hold, as far as the network needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// What it does to the network side.
    pub network: HoldNetwork,
}

/// What a subscriber has otherwise than the plan says, or in addition; absent fields follow
/// the plan. Most subscribers have nothing of the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Download rate, bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_bps: Option<u64>,
    /// Upload rate, bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_bps: Option<u64>,
    /// Longest session, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_s: Option<u32>,
    /// Sessions at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_limit: Option<u16>,
    /// What becomes of a login beyond that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_limit_action: Option<LimitAction>,
    /// Where the IPv4 address comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_method: Option<Ipv4Method>,
    /// The address pool named to the NAS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The one pool of ours that addresses are leased from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_pool: Option<PoolId>,
    /// The prefix length of the fixed IPv4 address, told as its netmask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_prefix_length: Option<u8>,
    /// The pool of the link's IPv6 prefix or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_pool: Option<String>,
    /// The pool of delegated IPv6 prefixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegated_pool: Option<String>,
    /// The fixed IPv6 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<Ipv6Addr>,
    /// The fixed IPv6 prefix of the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_prefix: Option<Ipv6Network>,
    /// The fixed delegated IPv6 prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegated_prefix: Option<Ipv6Network>,
    /// IPv4 routes to the subscriber: prefix, gateway, metrics (RFC 2865 §5.22).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// IPv6 routes to the subscriber: prefix, gateway, metrics (RFC 3162 §2.5).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6_routes: Vec<String>,
    /// The VLAN of the subscriber's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// The firewall list the subscriber's address joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_list: Option<String>,
    /// The one NAS it may come through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas: Option<NasId>,
    /// What is asked of its logins, and what is added to the reply.
    #[serde(skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

impl Overrides {
    /// Nothing.
    pub const NONE: Overrides = Overrides {
        download_bps: None,
        upload_bps: None,
        session_timeout_s: None,
        idle_timeout_s: None,
        session_limit: None,
        session_limit_action: None,
        ipv4_method: None,
        pool: None,
        lease_pool: None,
        ipv4_prefix_length: None,
        ipv6_pool: None,
        delegated_pool: None,
        ipv6_address: None,
        ipv6_prefix: None,
        delegated_prefix: None,
        routes: Vec::new(),
        ipv6_routes: Vec::new(),
        vlan: None,
        address_list: None,
        nas: None,
        rules: Rules::NONE,
    };

    /// In a box of its own; nothing where there is nothing, so that most subscribers are small.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::NONE).then(|| Box::new(self))
    }
}

/// A service as the network sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// The service.
    pub service: ServiceId,
    /// The organisation that owns it.
    pub organisation: OrganisationId,
    /// The customer who pays for it.
    pub customer: CustomerId,
    /// The plan version it is on.
    pub profile: PlanVersionId,
    /// The ways in.
    pub identities: Vec<Identity>,
    /// What holds it.
    pub holds: Vec<Hold>,
    /// When its time is over; absent: never.
    pub expires_at: Option<Ts>,
    /// Its fixed address.
    pub ipv4: Option<Ipv4Addr>,
    /// What it has otherwise than the plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Box<Overrides>>,
}

impl Subscriber {
    /// What it has otherwise than the plan says.
    pub fn own(&self) -> &Overrides {
        static NONE: Overrides = Overrides::NONE;
        self.overrides.as_deref().unwrap_or(&NONE)
    }
}

impl Subscriber {
    /// A subscriber who has nothing but a profile and, perhaps, an end: no identities, no
    /// holds, nothing of its own.
    ///
    /// Most subscribers are this and one identity; a cache keeps those in fewer octets. A new
    /// field gets its empty value here.
    pub fn plain(
        service: ServiceId,
        organisation: OrganisationId,
        customer: CustomerId,
        profile: PlanVersionId,
        expires_at: Option<Ts>,
    ) -> Self {
        Self {
            service,
            organisation,
            customer,
            profile,
            identities: Vec::new(),
            holds: Vec::new(),
            expires_at,
            ipv4: None,
            overrides: None,
        }
    }
}
