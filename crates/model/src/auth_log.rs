//! The log of refused logins on its way from `aaad` to `policyd`, and what else `aaad` reports
//! of logins.
//!
//! A refusal is not a message: refusals of one login from one station for one reason on one NAS
//! are a row a minute, with a count. A [`Batch`] carries what was added to such rows since the
//! last one. `source` and `sequence` make it apply once, however often it is delivered.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::identity::MacAddress;
use crate::reject::RejectReason;
use crate::{ClientId, CustomerId, NasId, OrganisationId, PoolId, ServiceId, Ts};

/// The stream batches travel on.
pub const STREAM: &str = "auth-log";

/// The stream [`NetworkEvent`]s travel on; `billing-api` makes events of them.
pub const EVENTS: &str = "network-events";

/// The format of this version; readers refuse newer ones.
pub const FORMAT: u8 = 1;

/// Rows of a batch, at most.
pub const ROWS_MAX: usize = 500;

/// What was added to the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// See [`FORMAT`].
    pub format: u8,
    /// Which run of which `aaad` it comes from: random, renewed at each start.
    pub source: u64,
    /// Its number, counted from 1.
    pub sequence: u64,
    /// What to add.
    pub rows: Vec<Row>,
}

/// Refusals of one login, from one station, on one NAS, for one reason, within a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Where the minute begins.
    pub minute: Ts,
    /// The service's organisation; the NAS's where nobody knows the login.
    pub organisation: OrganisationId,
    /// The service, where the login is known.
    pub service: Option<ServiceId>,
    /// Its customer.
    pub customer: Option<CustomerId>,
    /// The NAS.
    pub nas: NasId,
    /// The login as sent.
    pub login: String,
    /// Its lookup key.
    pub login_key: String,
    /// Calling-Station-Id, else the line; empty where neither was sent.
    pub station: String,
    /// Why.
    pub reason: RejectReason,
    /// How many more.
    pub attempts: u64,
    /// The first of these.
    pub first_at: Ts,
    /// The last of these.
    pub last_at: Ts,
}

/// Something `aaad` noticed that people want to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum NetworkEvent {
    /// A NAS has signed so many requests in a row that unsigned ones are dropped from now on.
    SigningRequired {
        /// See [`FORMAT`].
        format: u8,
        /// When.
        at: Ts,
        /// The RADIUS client.
        client: ClientId,
        /// The NAS whose request was the last of them.
        nas: NasId,
        /// Where its requests come from.
        source: IpAddr,
    },
    /// A login failed so often from one station that the pair is refused for a while.
    LoginBlocked {
        /// See [`FORMAT`].
        format: u8,
        /// When.
        at: Ts,
        /// The login as sent.
        login: String,
        /// Calling-Station-Id, else the line.
        station: String,
        /// The NAS of the last attempt.
        nas: NasId,
        /// The service's organisation; the NAS's where nobody knows the login.
        organisation: OrganisationId,
        /// The service, where the login is known.
        service: Option<ServiceId>,
        /// How often it failed.
        failures: u32,
        /// When the pair may try again.
        until: Ts,
    },
    /// Logins were refused because a pool has nothing left.
    PoolExhausted {
        /// See [`FORMAT`].
        format: u8,
        /// When.
        at: Ts,
        /// The pool.
        pool: PoolId,
        /// How many logins since the last such event.
        logins: u64,
    },
    /// How full the pools are.
    PoolUsage {
        /// See [`FORMAT`].
        format: u8,
        /// When.
        at: Ts,
        /// Each part of each pool.
        pools: Vec<crate::pool::PoolUsage>,
    },
    /// A service that is bound to the first MAC addresses logged in from a new one.
    MacLearned {
        /// See [`FORMAT`].
        format: u8,
        /// When.
        at: Ts,
        /// The service.
        service: ServiceId,
        /// Where it logged in from.
        mac: MacAddress,
        /// The NAS.
        nas: NasId,
        /// The binding's generation, see [`crate::policy::MacBinding`]: of an older one it is
        /// forgotten.
        generation: u32,
    },
}

impl NetworkEvent {
    /// The format it was written in.
    pub fn format(&self) -> u8 {
        match self {
            Self::SigningRequired { format, .. }
            | Self::LoginBlocked { format, .. }
            | Self::PoolExhausted { format, .. }
            | Self::PoolUsage { format, .. }
            | Self::MacLearned { format, .. } => *format,
        }
    }
}
