//! What can be set, with defaults beside the fields.

use std::net::SocketAddr;
use std::path::PathBuf;

use daemon::cli::{Advice, Settings};
use daemon::config::SecretSource;
use serde::{Deserialize, Serialize};

/// The whole of `policyd.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the control socket lives, and the database unless it is elsewhere.
    pub data: PathBuf,
    /// The control socket; absent: `policyd.sock` in `data`.
    pub control: Option<PathBuf>,
    /// Health and metrics over HTTP; absent: not served.
    pub admin: Option<SocketAddr>,
    /// The database of sessions and usage.
    pub database: Database,
    /// The bus.
    pub bus: Bus,
    /// The accounting stream.
    pub accounting: Accounting,
    /// What was used, and how long that is kept.
    pub usage: Usage,
    /// Refused logins.
    pub auth_log: AuthLog,
    /// Logging.
    pub log: daemon::telemetry::LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("/var/lib/lastmile/policyd"),
            control: None,
            admin: None,
            database: Database::default(),
            bus: Bus::default(),
            accounting: Accounting::default(),
            usage: Usage::default(),
            auth_log: AuthLog::default(),
            log: daemon::telemetry::LogConfig::default(),
        }
    }
}

impl Config {
    /// Where the control socket is.
    pub fn control_path(&self) -> PathBuf {
        self.control.clone().unwrap_or_else(|| self.data.join("policyd.sock"))
    }

    /// Remarks on settings that are legal and odd, or that cannot work.
    pub fn validate(&self) -> Vec<Advice> {
        let mut advice = Vec::new();
        if self.accounting.lease_s == 0 {
            advice.push(Advice::fatal("accounting.lease_s", "must be at least 1"));
        } else if self.accounting.lease_s < 3 {
            let text = "a short pause of the bus is enough for partitions to change hands";
            advice.push(Advice::odd("accounting.lease_s", text));
        }
        if self.accounting.batch_max == 0 {
            advice.push(Advice::fatal("accounting.batch_max", "must be at least 1"));
        }
        if self.auth_log.keep_days == 0 {
            advice.push(Advice::fatal("auth_log.keep_days", "must be at least 1"));
        }
        if self.accounting.lost_after_s < 60 {
            let text = "must be at least 60: interims come once a minute at most";
            advice.push(Advice::fatal("accounting.lost_after_s", text));
        }
        if self.usage.time_zone().is_none() {
            let text = "is not an IANA time zone, such as Asia/Kolkata";
            advice.push(Advice::fatal("usage.zone", text));
        }
        for (name, days) in [
            ("usage.keep_deltas_days", self.usage.keep_deltas_days),
            ("usage.keep_hours_days", self.usage.keep_hours_days),
            ("usage.keep_days_days", self.usage.keep_days_days),
            ("usage.keep_sessions_days", self.usage.keep_sessions_days),
        ] {
            if days < 8 {
                // A record may be that late.
                advice.push(Advice::fatal(name, "must be at least 8"));
            }
        }
        if self.database.connections_max == 0 {
            advice.push(Advice::fatal("database.connections_max", "must be at least 1"));
        }
        advice
    }
}

impl Settings for Config {
    fn log(&self) -> &daemon::telemetry::LogConfig {
        &self.log
    }
}

/// The database of sessions and usage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; absent: SQLite, in
    /// `network.db` in `data`.
    pub url: Option<SecretSource>,
    /// Connections at most; each partition that is busy uses one.
    pub connections_max: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: None, connections_max: 10 }
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

/// The accounting stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounting {
    /// How long a partition stays with a program that is not heard of, seconds.
    pub lease_s: u64,
    /// Records applied in one transaction, at most.
    pub batch_max: usize,
    /// Whether logins are compared without regard to ASCII case; the same as in `aaad`.
    pub fold_case: bool,
    /// How long a session may be silent beyond three of its own intervals, before it is taken to
    /// be lost, seconds.
    pub lost_after_s: u32,
}

impl Default for Accounting {
    fn default() -> Self {
        Self { lease_s: 10, batch_max: 2000, fold_case: true, lost_after_s: 600 }
    }
}

/// What was used, and how long that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// The zone whose hours and days usage is added up by.
    pub zone: String,
    /// How long each record's part is kept, days.
    pub keep_deltas_days: u32,
    /// How long hours are kept, days.
    pub keep_hours_days: u32,
    /// How long days are kept, days.
    pub keep_days_days: u32,
    /// How long sessions are kept after their end, days.
    pub keep_sessions_days: u32,
}

impl Usage {
    /// The zone, if there is one of that name.
    pub fn time_zone(&self) -> Option<jiff::tz::TimeZone> {
        jiff::tz::TimeZone::get(&self.zone).ok()
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            zone: "UTC".to_owned(),
            keep_deltas_days: 14,
            keep_hours_days: 90,
            keep_days_days: 1830,
            keep_sessions_days: 366,
        }
    }
}

/// Refused logins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthLog {
    /// How long they are kept, days.
    pub keep_days: u32,
}

impl Default for AuthLog {
    fn default() -> Self {
        Self { keep_days: 90 }
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::{Source, load, print};

    use super::*;

    fn sample() -> Source {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/policyd.toml");
        Source { program: "policyd", file: Some(file.into()), ..Source::default() }
    }

    #[test]
    fn the_shipped_file_loads_and_needs_no_advice() {
        let config: Config = load(&sample()).unwrap();
        assert_eq!(config.validate(), vec![]);
        assert!(config.database.url.is_some());
    }

    #[test]
    fn the_shipped_file_shows_the_defaults() {
        let shipped: Config = load(&sample()).unwrap();
        let database = Database { url: shipped.database.url.clone(), ..Database::default() };
        let expected = Config { database, ..Config::default() };
        assert_eq!(print(&shipped).unwrap(), print(&expected).unwrap());
        let text = std::fs::read_to_string(sample().file.unwrap()).unwrap();
        for key in ["control", "admin"] {
            assert!(text.contains(&format!("# {key} = ")), "{key} is not explained");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let config = Config {
            accounting: Accounting { lease_s: 0, batch_max: 0, fold_case: true, lost_after_s: 0 },
            usage: Usage {
                zone: "Asia/Nowhere".to_owned(),
                keep_deltas_days: 1,
                ..Usage::default()
            },
            database: Database { url: None, connections_max: 0 },
            auth_log: AuthLog { keep_days: 0 },
            ..Config::default()
        };
        assert_eq!(config.validate().iter().filter(|advice| advice.fatal).count(), 7);
    }
}
