//! The subscriber: one service as the network sees it.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::{CustomerId, OrganisationId, PlanVersionId, ServiceId, Ts};

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

/// What a subscriber has otherwise than the plan says; absent fields follow the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// Download rate, bit/s.
    pub download_bps: Option<u64>,
    /// Upload rate, bit/s.
    pub upload_bps: Option<u64>,
    /// Longest session, seconds.
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    pub idle_timeout_s: Option<u32>,
    /// The address pool named to the NAS.
    pub pool: Option<String>,
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
    pub overrides: Overrides,
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
            overrides: Overrides::default(),
        }
    }
}
