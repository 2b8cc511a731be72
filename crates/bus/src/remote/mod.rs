//! The bus in Redis 7.
//!
//! Every key begins with the prefix and lies in one hash tag, so that in a cluster all keys of
//! one stream, shard or lease share a slot:
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{P:epoch}` | string | the epoch, in decimal |
//! | `{P:stream:NAME}` | stream | entries with the one field `b` |
//! | `{P:table:NAME:00}` … `:63` | hash | the rows whose key hashes to this shard |
//! | `{P:table:NAME:mark}` | string | the table's mark |
//! | `{P:lease:NAME}` | string with expiry | the owner |
//! | `{P:lease:NAME}:token` | string | the last fencing token |

mod answer;
mod line;

mod leases;
mod streams;
mod tables;

use std::time::Duration;

use model::Secret;
use redis::Value;
use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, IntoConnectionInfo};
use serde::Deserialize;

use crate::{BusError, random_epoch};
use line::Line;

/// How to reach Redis.
///
/// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, or `rediss://` for TLS, which trusts the
/// system's certificates (or those `SSL_CERT_FILE` names).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisOptions {
    /// The URL, which may hold a password.
    pub url: Secret<String>,
    /// The beginning of every key; installations that share one Redis differ here.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// How long one attempt to connect may take, at most the call timeout.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// How long one call may take, reconnecting included.
    #[serde(default = "default_call_timeout_ms")]
    pub call_timeout_ms: u64,
}

fn default_prefix() -> String {
    "lastmile".to_owned()
}

fn default_connect_timeout_ms() -> u64 {
    1_000
}

fn default_call_timeout_ms() -> u64 {
    3_000
}

impl RedisOptions {
    /// The defaults for a URL.
    pub fn new(url: impl Into<Secret<String>>) -> RedisOptions {
        RedisOptions {
            url: url.into(),
            prefix: default_prefix(),
            connect_timeout_ms: default_connect_timeout_ms(),
            call_timeout_ms: default_call_timeout_ms(),
        }
    }
}

pub(crate) struct Remote {
    line: Line,
    prefix: String,
    address: String,
}

impl Remote {
    pub(crate) fn new(options: RedisOptions) -> Result<Remote, BusError> {
        let unusable = |source: redis::RedisError| BusError::Url { source: source.into() };
        // Nagle's algorithm would hold small commands back behind the answers they wait for.
        let info = options
            .url
            .expose()
            .as_str()
            .into_connection_info()
            .map_err(unusable)?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        if let ConnectionAddr::TcpTls { .. } = info.addr() {
            install_tls_provider();
        }
        let address = info.addr().to_string();
        let client = redis::Client::open(info).map_err(unusable)?;
        // Zero would fail every call before it began.
        let limit = |ms: u64| Duration::from_millis(ms.clamp(1, 3_600_000));
        let call_timeout = limit(options.call_timeout_ms);
        let connect_timeout = limit(options.connect_timeout_ms).min(call_timeout);
        let line = Line::new(client, address.clone(), connect_timeout, call_timeout);
        Ok(Remote { line, prefix: options.prefix, address })
    }

    pub(crate) fn describe(&self) -> String {
        format!("redis {}", self.address)
    }

    /// `{P:KIND:NAME}`: the prefix and a name inside one hash tag.
    fn key(&self, kind: &str, name: &str) -> String {
        format!("{{{}:{kind}:{name}}}", self.prefix)
    }

    pub(crate) async fn ping(&self) -> Result<(), BusError> {
        self.line.call("PING", &redis::cmd("PING")).await.map(drop)
    }

    pub(crate) async fn epoch(&self) -> Result<u64, BusError> {
        let key = format!("{{{}:epoch}}", self.prefix);
        let mut get = redis::cmd("GET");
        get.arg(&key);
        let known = self.line.call("GET", &get).await?;
        if known != Value::Nil {
            return answer::number(&key, known);
        }
        // Whoever is first names the epoch; GET makes the others learn that name.
        let fresh = random_epoch();
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(fresh.to_string()).arg("NX").arg("GET");
        match self.line.call("SET", &set).await? {
            Value::Nil => Ok(fresh),
            earlier => answer::number(&key, earlier),
        }
    }
}

/// rustls needs to be told once per process who does its cryptography.
fn install_tls_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only when somebody else was faster, whose choice is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        for url in ["", "127.0.0.1:6379", "http://h", "redis://u:hunter2@", "redis://:hunter2@h/x"]
        {
            let error = Remote::new(RedisOptions::new(url)).map(drop).unwrap_err();
            let BusError::Url { source } = &error else { panic!("{error:?}") };
            assert!(!format!("{error} {source} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_description_names_the_server_and_no_secret() {
        for scheme in ["redis", "rediss"] {
            let url = format!("{scheme}://user:hunter2@bus.example:6380/2");
            let remote = Remote::new(RedisOptions::new(url)).unwrap();
            assert_eq!(remote.describe(), "redis bus.example:6380");
        }
    }
}
