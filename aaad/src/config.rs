//! What can be set, with defaults beside the fields.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The whole of `aaad.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the journal, the policy snapshot and the session checkpoint live.
    pub data: PathBuf,
    /// The key file that opens sealed secrets.
    pub key_file: PathBuf,
    /// The control socket; absent: `aaad.sock` in `data`.
    pub control: Option<PathBuf>,
    /// Authentication.
    pub auth: Auth,
    /// Accounting.
    pub acct: Acct,
    /// CoA and Disconnect.
    pub coa: Coa,
    /// The accounting journal.
    pub journal: Journal,
    /// The bus.
    pub bus: Bus,
    /// Health and metrics over HTTP; absent: not served.
    pub admin: Option<SocketAddr>,
    /// Logging.
    pub log: daemon::telemetry::LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("/var/lib/lastmile/aaad"),
            key_file: PathBuf::from("/etc/lastmile/key"),
            control: None,
            auth: Auth::default(),
            acct: Acct::default(),
            coa: Coa::default(),
            journal: Journal::default(),
            bus: Bus::default(),
            admin: None,
            log: daemon::telemetry::LogConfig::default(),
        }
    }
}

impl Config {
    /// Where the control socket is.
    pub fn control_path(&self) -> PathBuf {
        self.control.clone().unwrap_or_else(|| self.data.join("aaad.sock"))
    }
}

/// Authentication.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Addresses to listen on, at most 16.
    pub listen: Vec<SocketAddr>,
    /// Threads, each with its own sockets; 0: one a core.
    pub shards: usize,
    /// How long a reply is kept for retransmissions, seconds (RFC 5080 §2.2.2: 5 to 30).
    pub duplicate_s: u32,
    /// Whether logins are compared without regard to ASCII case.
    pub fold_case: bool,
    /// What becomes of a name with a realm that nobody made.
    pub unknown_realm: UnknownRealm,
    /// How long an Access-Reject waits before it goes out, milliseconds; 0: not at all. Keep it
    /// below half of what the NAS waits for an answer.
    pub reject_delay_ms: u64,
    /// Failed attempts after which a login is refused from that station for a while; 0: never.
    pub block_failures: u32,
    /// Within how many seconds of the first of them.
    pub block_window_s: u32,
    /// For how many seconds it is refused.
    pub block_s: u32,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 1812))],
            shards: 0,
            duplicate_s: 10,
            fold_case: true,
            unknown_realm: UnknownRealm::Keep,
            reject_delay_ms: 200,
            block_failures: 20,
            block_window_s: 120,
            block_s: 300,
        }
    }
}

/// What becomes of a name with a realm that nobody made, as in `asha@elsewhere.example`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownRealm {
    /// The realm is a part of the login.
    Keep,
    /// It is refused.
    Refuse,
}

/// Accounting.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acct {
    /// Addresses to listen on, at most 16.
    pub listen: Vec<SocketAddr>,
}

impl Default for Acct {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([0, 0, 0, 0], 1813))] }
    }
}

/// CoA and Disconnect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Coa {
    /// Requests under way at once per NAS.
    pub in_flight: usize,
    /// Requests started per second and NAS.
    pub per_second: u32,
    /// Time to the first retransmission, milliseconds (RFC 5080 §2.2.1).
    pub timeout_ms: u64,
    /// Times a request is sent before its outcome is unknown.
    pub attempts: u32,
    /// Seconds between comparisons of every live session with its policy.
    pub sweep_s: u64,
}

impl Default for Coa {
    fn default() -> Self {
        Self { in_flight: 20, per_second: 50, timeout_ms: 1000, attempts: 3, sweep_s: 60 }
    }
}

/// The accounting journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Size of a segment file, octets.
    pub segment_octets: u64,
    /// Size limit of the journal, octets; at 80 % `status` warns.
    pub octets_max: u64,
    /// Space kept in reserve, octets.
    pub reserve_octets: u64,
    /// How long shipped records are kept, hours.
    pub keep_h: u32,
}

impl Default for Journal {
    fn default() -> Self {
        Self { segment_octets: 64 << 20, octets_max: 8 << 30, reserve_octets: 16 << 20, keep_h: 72 }
    }
}

/// The bus.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bus {
    /// `redis://HOST:PORT/` or `rediss://…`.
    #[serde(serialize_with = "daemon::config::hidden_in_url")]
    pub redis: String,
    /// What every key begins with.
    pub prefix: String,
}

impl Default for Bus {
    fn default() -> Self {
        Self { redis: "redis://127.0.0.1:6379/".to_owned(), prefix: "lastmile".to_owned() }
    }
}
