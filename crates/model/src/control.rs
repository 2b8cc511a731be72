//! What `netctl` asks over a daemon's control socket, and what it is told.
//!
//! Each call is a name and JSON arguments; see `daemon::control` for the framing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::nas::Signing;
use crate::pool::{Holder, Part, Usage};
use crate::reject::RejectReason;
use crate::{CustomerId, NasId, OrganisationId, PoolId, ServiceId, Ts};

/// `status`: how a program is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The program's name.
    pub program: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started: Ts,
    /// Whether it does its work.
    pub ready: bool,
    /// What else is worth knowing, in the order to show it.
    pub facts: Vec<Fact>,
}

/// One line of a status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about: `journal`, `bus` …
    pub name: String,
    /// How it is, in a few words.
    pub value: String,
    /// Whether that is well.
    pub state: FactState,
}

/// Whether a fact is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactState {
    /// Well.
    Good,
    /// Works, but somebody should look.
    Warning,
    /// Does not work.
    Bad,
}

impl Fact {
    /// A fact that is well.
    pub fn good(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into(), state: FactState::Good }
    }

    /// A fact that is well or else worth a warning.
    pub fn warn_unless(well: bool, name: &str, value: impl Into<String>) -> Self {
        let state = if well { FactState::Good } else { FactState::Warning };
        Self { name: name.to_owned(), value: value.into(), state }
    }
}

/// Arguments of `sessions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsQuery {
    /// Only this login, compared as a lookup key.
    pub login: Option<String>,
    /// Only this NAS, by id or name.
    pub nas: Option<String>,
    /// At most this many; absent: 1000.
    pub limit: Option<usize>,
}

/// Answer of `sessions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// Live sessions that match, whether shown or not.
    pub total: usize,
    /// The most recently started first.
    pub sessions: Vec<LiveSession>,
}

/// A live session as `aaad` knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveSession {
    /// The login as the NAS sent it.
    pub login: String,
    /// The NAS.
    pub nas: NasId,
    /// What staff call the NAS.
    pub nas_name: String,
    /// The NAS's own id of the session.
    pub acct_session_id: String,
    /// The service, where known.
    pub service: Option<ServiceId>,
    /// The customer, where known.
    pub customer: Option<CustomerId>,
    /// The organisation, where known.
    pub organisation: Option<OrganisationId>,
    /// Calling-Station-Id as sent.
    pub calling_station: Option<String>,
    /// The subscriber's address.
    pub ip: Option<IpAddr>,
    /// When it began.
    pub started: Ts,
    /// When the NAS last reported it.
    pub updated: Ts,
    /// Octets to the subscriber.
    pub download_octets: u64,
    /// Octets from the subscriber.
    pub upload_octets: u64,
    /// Mean rate to the subscriber between the last two reports, bit/s.
    pub download_bps: u64,
    /// Mean rate from the subscriber between the last two reports, bit/s.
    pub upload_bps: u64,
    /// The last CoA or Disconnect and how it went.
    pub coa: Option<String>,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The login to explain.
    pub login: String,
    /// As this NAS would be answered, by id or name; absent: as a MikroTik.
    pub nas: Option<String>,
    /// From this MAC address; absent: from one the service may come from.
    #[serde(default)]
    pub mac: Option<String>,
    /// What else the request says, `NAME = VALUE` each.
    #[serde(default)]
    pub with: Vec<String>,
}

/// Answer of `explain`: what a login with the right password would get now, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The lookup key that was used.
    pub login: String,
    /// Whether it is let in.
    pub accepted: bool,
    /// Into the walled garden only.
    pub garden: bool,
    /// Why not, where it is refused.
    pub reason: Option<RejectReason>,
    /// The steps of the decision, in order.
    pub steps: Vec<ExplainStep>,
    /// The attributes of the reply, in order.
    pub attributes: Vec<ExplainAttribute>,
    /// Its live sessions.
    pub sessions: usize,
}

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// The rule: `identity`, `hold`, `profile` …
    pub rule: String,
    /// What it found and did.
    pub outcome: String,
}

/// One attribute of a reply, and the rule it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainAttribute {
    /// Its dictionary name.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// The rule it comes from.
    pub from: String,
}

/// Arguments of `disconnect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisconnectQuery {
    /// Every live session of this login.
    pub login: String,
}

/// Answer of `disconnect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disconnected {
    /// One entry a session.
    pub sessions: Vec<CoaReport>,
}

/// How one CoA or Disconnect went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoaReport {
    /// The NAS.
    pub nas_name: String,
    /// The NAS's own id of the session.
    pub acct_session_id: String,
    /// What came of it.
    pub outcome: CoaOutcome,
    /// Error-Cause and the like.
    pub detail: String,
}

/// What came of a CoA or Disconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoaOutcome {
    /// The NAS said yes.
    Acknowledged,
    /// The NAS said no.
    Refused,
    /// No valid answer came.
    Unknown,
    /// It was not sent: the NAS takes no CoA, or its secret is not known.
    NotSent,
}

/// Answer of `nas`: the RADIUS clients and what is behind them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NasListing {
    /// By name.
    pub nas: Vec<NasState>,
}

/// A NAS, or a RADIUS client no NAS is known of yet, and how it signs its requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NasState {
    /// The NAS; absent for a client that is a prefix.
    pub nas: Option<NasId>,
    /// What staff call it.
    pub name: String,
    /// Where its packets come from: an address or a prefix.
    pub source: String,
    /// Whose attributes it understands.
    pub vendor: String,
    /// What was decided about unsigned Access-Requests.
    pub mode: Signing,
    /// Unsigned Access-Requests are dropped, by decision or because it was learnt.
    pub required: bool,
    /// Signed Access-Requests in a row, up to what is needed.
    pub signed: u32,
    /// Unsigned Access-Requests since the start.
    pub unsigned: u64,
    /// Access-Requests dropped since the start because they were unsigned.
    pub refused: u64,
}

/// Answer of `nas_unknown`: who sent packets that were dropped at the door.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnknownListing {
    /// The most recent first.
    pub senders: Vec<UnknownSender>,
}

/// An address whose packets were dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnknownSender {
    /// The address.
    pub address: IpAddr,
    /// Why: `unknown_client` or `bad_authenticator`.
    pub reason: String,
    /// How many packets.
    pub packets: u64,
    /// The first of them.
    pub first_seen: Ts,
    /// The last of them.
    pub last_seen: Ts,
}

/// Arguments of `auth_log`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthLogQuery {
    /// Only entries after this one.
    pub after: Option<u64>,
    /// Only this login, compared as a lookup key.
    pub login: Option<String>,
    /// Only this NAS, by id or name.
    pub nas: Option<String>,
    /// Only this reason; `accepted` for logins that were let in.
    pub reason: Option<String>,
    /// At most this many; absent: 100.
    pub limit: Option<usize>,
}

/// Answer of `auth_log`: the last logins, refused or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthLog {
    /// The newest entry there is; ask for what comes after it.
    pub newest: u64,
    /// The oldest first.
    pub entries: Vec<AuthLogEntry>,
}

/// One login.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthLogEntry {
    /// Its number since the start.
    pub number: u64,
    /// When.
    pub at: Ts,
    /// The login as sent.
    pub login: String,
    /// Calling-Station-Id, else the line; empty where neither was sent.
    pub station: String,
    /// What staff call the NAS.
    pub nas_name: String,
    /// Why it was refused; absent: it was let in.
    pub reason: Option<RejectReason>,
}

/// Answer of `blocks`: logins that failed too often.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Blocks {
    /// The latest first.
    pub blocks: Vec<Block>,
}

/// A login that is refused from one station for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The login as sent.
    pub login: String,
    /// Calling-Station-Id, else the line.
    pub station: String,
    /// What staff call the NAS of the last attempt.
    pub nas_name: String,
    /// How often it failed.
    pub failures: u32,
    /// Since when.
    pub since: Ts,
    /// Until when.
    pub until: Ts,
}

/// Arguments of `block_lift`; the answer is how many were lifted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockLift {
    /// The login, compared as a lookup key.
    pub login: String,
    /// Only from this station.
    pub station: Option<String>,
}

/// Answer of `pools`: how full each part of each address pool is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolListing {
    /// By name.
    pub pools: Vec<PoolState>,
}

/// A part of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolState {
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    pub name: String,
    /// The part.
    pub part: Part,
    /// How full it is.
    #[serde(flatten)]
    pub usage: Usage,
}

/// Arguments of `pool_who`: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolWhoQuery {
    /// Who has this address.
    pub address: Option<IpAddr>,
    /// What the service of this login has.
    pub login: Option<String>,
}

/// Answer of `pool_who`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolHolders {
    /// What is known; nothing where no pool has the address, or the service nothing of one.
    pub holders: Vec<PoolHolder>,
}

/// An address of a pool with the login that has it, or had it last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolHolder {
    /// What the pool knows.
    #[serde(flatten)]
    pub holder: Holder,
    /// A login of the service, where one of its sessions is live.
    pub login: Option<String>,
}
