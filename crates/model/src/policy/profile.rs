//! The profile: a plan version as the network sees it.

use serde::{Deserialize, Serialize};

use crate::{OrganisationId, PlanId, PlanVersionId};

/// What a hold or an expiry that asks for no particular treatment does on this profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHold {
    /// The login is refused.
    #[default]
    Reject,
    /// The login is accepted into the walled garden.
    Garden,
}

/// The walled garden of a profile: online, but only as far as the payment page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garden {
    /// The address list (or filter) on the NAS that confines the session.
    pub address_list: String,
    /// Download rate inside the garden, bit/s.
    pub download_bps: u64,
    /// Upload rate inside the garden, bit/s.
    pub upload_bps: u64,
}

impl Default for Garden {
    fn default() -> Self {
        Self { address_list: "garden".to_owned(), download_bps: 1_000_000, upload_bps: 1_000_000 }
    }
}

/// One version of a plan, as the network sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The plan version this was compiled from.
    pub id: PlanVersionId,
    /// The plan.
    pub plan: PlanId,
    /// The organisation that sells it.
    pub organisation: OrganisationId,
    /// The plan's name, for people.
    pub name: String,
    /// Download rate as the subscriber sees it, bit/s; absent: not limited.
    pub download_bps: Option<u64>,
    /// Upload rate as the subscriber sees it, bit/s; absent: not limited.
    pub upload_bps: Option<u64>,
    /// Seconds between interim accounting updates (RFC 2869 §5.16: at least 60).
    pub interim_s: u32,
    /// Longest session, seconds.
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    pub idle_timeout_s: Option<u32>,
    /// The address pool named to the NAS.
    pub pool: Option<String>,
    /// What expiry does.
    pub on_expired: OnHold,
    /// The walled garden.
    pub garden: Garden,
}
