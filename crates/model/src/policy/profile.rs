//! The profile: a plan version as the network sees it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Burst, FramedProtocol, Ipv4Method, LimitAction, Rules, ServiceType, VendorProfiles};
use crate::{OrganisationId, PlanId, PlanVersionId, PoolId};

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

/// The walled garden of a profile: online, but only as far as the payment page. Several ways to
/// confine a session may be named, since vendors differ in those they have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garden {
    /// The address list (or filter) on the NAS that confines the session.
    pub address_list: String,
    /// Download rate inside the garden, bit/s.
    pub download_bps: u64,
    /// Upload rate inside the garden, bit/s.
    pub upload_bps: u64,
    /// The address pool named to the NAS, in place of pool and fixed address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Where browsers are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// Resolvers that answer with the payment page; empty: the plan's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// Names of profiles on the NAS, before the plan's own.
    #[serde(default, skip_serializing_if = "VendorProfiles::is_empty")]
    pub vendor_profiles: VendorProfiles,
}

impl Default for Garden {
    fn default() -> Self {
        Self {
            address_list: "garden".to_owned(),
            download_bps: 1_000_000,
            upload_bps: 1_000_000,
            pool: None,
            redirect_url: None,
            dns: Vec::new(),
            vendor_profiles: VendorProfiles::NONE,
        }
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
    /// What it gives.
    #[serde(flatten)]
    pub gives: Gives,
}

/// What a plan gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gives {
    /// Download rate as the subscriber sees it, bit/s; absent: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_bps: Option<u64>,
    /// Upload rate as the subscriber sees it, bit/s; absent: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_bps: Option<u64>,
    /// Higher rates for short times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
    /// Which sessions go first where a link is full, 1 (first) to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Seconds between interim accounting updates (RFC 2869 §5.16: at least 60).
    pub interim_s: u32,
    /// Longest session, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_s: Option<u32>,
    /// Sessions at once; absent: as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_limit: Option<u16>,
    /// What becomes of a login beyond that; absent: it replaces the oldest session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_limit_action: Option<LimitAction>,
    /// Where the IPv4 address comes from; absent: the fixed one, else the pool, else the NAS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_method: Option<Ipv4Method>,
    /// The address pool named to the NAS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The one pool of ours that addresses are leased from; absent: any that the NAS may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_pool: Option<PoolId>,
    /// The pool of the link's IPv6 prefix or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_pool: Option<String>,
    /// The pool of delegated IPv6 prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_pool: Option<String>,
    /// Resolvers, at most two of each family, the first to be asked first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// The VLAN of the subscriber's port (RFC 3580 §3.31).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Service-Type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_type: Option<ServiceType>,
    /// Framed-Protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framed_protocol: Option<FramedProtocol>,
    /// The firewall list the subscriber's address joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_list: Option<String>,
    /// Filters on the NAS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Names of profiles on the NAS.
    #[serde(default, skip_serializing_if = "VendorProfiles::is_empty")]
    pub vendor_profiles: VendorProfiles,
    /// What is asked of its logins, and what is added to the reply.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
    /// What expiry does.
    pub on_expired: OnHold,
    /// The walled garden.
    pub garden: Garden,
}

impl Default for Gives {
    /// Nothing is limited or named.
    fn default() -> Self {
        Self {
            download_bps: None,
            upload_bps: None,
            burst: None,
            priority: None,
            interim_s: 300,
            session_timeout_s: None,
            idle_timeout_s: None,
            session_limit: None,
            session_limit_action: None,
            ipv4_method: None,
            pool: None,
            lease_pool: None,
            ipv6_pool: None,
            delegated_pool: None,
            dns: Vec::new(),
            vlan: None,
            service_type: None,
            framed_protocol: None,
            address_list: None,
            filters: Vec::new(),
            vendor_profiles: VendorProfiles::NONE,
            rules: Rules::NONE,
            on_expired: OnHold::default(),
            garden: Garden::default(),
        }
    }
}
