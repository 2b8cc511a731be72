//! What can be set, with defaults beside the fields. Flags go over the environment, that over
//! the file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use daemon::config::{ConfigError, SecretSource, Source};
use daemon::telemetry::{LogConfig, LogFormat};
use ipnetwork::IpNetwork;
use model::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

use super::Args;

/// The whole of `netctl.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Console and API.
    pub http: SocketAddr,
    /// How the console is reached, behind a TLS proxy say: what links in mail begin with, and where
    /// identity providers send people back to. Empty: nobody said.
    pub public_url: String,
    /// RADIUS authentication.
    pub auth: SocketAddr,
    /// RADIUS accounting.
    pub acct: SocketAddr,
    /// RADIUS clients that must exist.
    pub nas: Vec<Client>,
    /// The API token of the first start.
    pub token: Option<SecretSource>,
    /// The administrator's password of the first start.
    pub admin_password: Option<SecretSource>,
    /// Whether to add the demo.
    pub demo: bool,
    /// How many services there must be to measure with.
    pub seed: Option<u32>,
    /// Calls to the outside: webhooks.
    pub calls: billing_api::config::Calls,
    /// Webhooks.
    pub webhooks: billing_api::config::Webhooks,
    /// The list of programs that hear of events.
    pub hooks_file: Option<PathBuf>,
    /// Backups that are made by themselves.
    pub backup: billing_api::config::Backup,
    /// Logging.
    pub log: Log,
}

/// Services a seed makes at most: their logins have seven digits.
pub const SEED_MAX: i64 = 10_000_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("var"),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            auth: SocketAddr::from(([0, 0, 0, 0], 1812)),
            acct: SocketAddr::from(([0, 0, 0, 0], 1813)),
            nas: Vec::new(),
            token: None,
            admin_password: None,
            demo: false,
            seed: None,
            calls: billing_api::config::Calls::default(),
            webhooks: billing_api::config::Webhooks::default(),
            hooks_file: None,
            backup: billing_api::config::Backup::default(),
            log: Log::default(),
        }
    }
}

/// Logging. Quieter than the daemons', since a person looks at the same screen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level (`warn`), or levels by module (`warn,aaad::coa=debug`).
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "warn,aaad::auth=info".to_owned(), format: LogFormat::Text }
    }
}

impl From<Log> for LogConfig {
    fn from(Log { filter, format }: Log) -> Self {
        Self { filter, format }
    }
}

/// A RADIUS client: `CIDR=SECRET`.
#[derive(Clone)]
pub struct Client {
    /// Where its packets come from.
    pub source: IpNetwork,
    /// The shared secret.
    pub secret: Secret<String>,
}

/// Why a text is no RADIUS client. The secret is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no `=`.
    #[error("must be CIDR=SECRET, such as 192.0.2.0/24=a-long-secret")]
    Form,
    /// What stands before the `=` is no address or prefix.
    #[error("{0:?} is not an address or prefix, such as 192.0.2.1 or 192.0.2.0/24")]
    Source(String),
    /// An address and a prefix length that do not go together.
    #[error("{given} is ambiguous: write {network} for the prefix, or {address} for one address")]
    HostBits {
        /// As it was given.
        given: IpNetwork,
        /// The prefix.
        network: IpNetwork,
        /// The address.
        address: std::net::IpAddr,
    },
    /// What stands after the `=` is nothing.
    #[error("the secret of {0} is empty")]
    EmptySecret(IpNetwork),
}

impl FromStr for Client {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let (source, secret) = text.split_once('=').ok_or(ClientError::Form)?;
        let source = source.trim();
        let given: IpNetwork =
            source.parse().map_err(|_| ClientError::Source(source.to_owned()))?;
        if given.ip() != given.network() {
            // The prefix length was valid before, and is the same.
            let network = IpNetwork::new(given.network(), given.prefix())
                .map_err(|_| ClientError::Source(source.to_owned()))?;
            return Err(ClientError::HostBits { given, network, address: given.ip() });
        }
        if secret.is_empty() {
            return Err(ClientError::EmptySecret(given));
        }
        Ok(Self { source: given, secret: Secret::from(secret) })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.source)
    }
}

impl Serialize for Client {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::new(String::deserialize(deserializer)?);
        text.expose().parse().map_err(serde::de::Error::custom)
    }
}

/// Why `up` will not start.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A flag's value.
    #[error("--nas")]
    Nas(#[source] ClientError),
    /// A flag's value that is not Unicode.
    #[error("--data {0:?} is not Unicode")]
    Data(PathBuf),
    /// Any layer.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// NAS are told a port beforehand.
    #[error("{key}: port 0 cannot be used: NAS must know the port beforehand")]
    AnyPort {
        /// The setting.
        key: &'static str,
    },
    /// More logins than there are names for, or none.
    #[error("seed: give 1 to {SEED_MAX}")]
    Seed,
    /// The demo's NAS has this address.
    #[error(
        "--demo brings a NAS at 127.0.0.1 with a secret of its own: leave out --nas {0}=…, or --demo"
    )]
    DemoAddress(IpNetwork),
}

/// Reads the layers.
pub(super) fn load(args: Args) -> Result<Settings, SettingsError> {
    let Args { data, http, auth, acct, nas, token, admin_password, demo, seed, config } = args;
    let mut source = Source::new("netctl", config)?;
    let mut set = |key: &str, value: Option<Value>| {
        source.flags.extend(value.map(|value| (key.to_owned(), value)));
    };
    let data = match data {
        Some(data) => Some(
            data.into_os_string().into_string().map_err(|name| SettingsError::Data(name.into()))?,
        ),
        None => None,
    };
    set("data", data.map(Value::String));
    set("http", http.map(|address| Value::String(address.to_string())));
    set("auth", auth.map(|address| Value::String(address.to_string())));
    set("acct", acct.map(|address| Value::String(address.to_string())));
    set("token", token.map(Value::String));
    set("admin_password", admin_password.map(Value::String));
    set("demo", demo.then_some(Value::Boolean(true)));
    set("seed", seed.map(|count| Value::Integer(count.into())));
    if !nas.is_empty() {
        // Read here, so that what is wrong is said of the flag by its name.
        for client in &nas {
            client.parse::<Client>().map_err(SettingsError::Nas)?;
        }
        set("nas", Some(Value::Array(nas.into_iter().map(Value::String).collect())));
    }
    let settings: Settings = daemon::config::load(&source)?;
    for (key, address) in [("auth", settings.auth), ("acct", settings.acct)] {
        if address.port() == 0 {
            return Err(SettingsError::AnyPort { key });
        }
    }
    if settings.seed.is_some_and(|count| !(1..=SEED_MAX).contains(&i64::from(count))) {
        return Err(SettingsError::Seed);
    }
    let demo_address = IpNetwork::from(std::net::IpAddr::from([127, 0, 0, 1]));
    if settings.demo && settings.nas.iter().any(|client| client.source == demo_address) {
        return Err(SettingsError::DemoAddress(demo_address));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: Args) -> String {
        daemon::exit::chain(&load(args).unwrap_err())
    }

    fn nas(texts: &[&str]) -> Args {
        Args { nas: texts.iter().map(|text| (*text).to_owned()).collect(), ..Args::default() }
    }

    #[test]
    fn a_bad_client_is_one_line_that_names_the_flag_and_keeps_the_secret() {
        for (text, expected) in [
            ("10.0.0.0/33=hush", "--nas: \"10.0.0.0/33\" is not an address or prefix"),
            ("tower1=hush", "--nas: \"tower1\" is not an address or prefix"),
            ("=hush", "--nas: \"\" is not an address or prefix"),
            ("10.0.0.0/8", "--nas: must be CIDR=SECRET"),
            ("10.0.0.0/8=", "--nas: the secret of 10.0.0.0/8 is empty"),
            (
                "192.0.2.1/24=hush",
                "--nas: 192.0.2.1/24 is ambiguous: write 192.0.2.0/24 for the prefix, or 192.0.2.1 \
                 for one address",
            ),
        ] {
            let line = line(nas(&["192.0.2.9=fine", text]));
            assert!(line.starts_with(expected), "{line}");
            assert!(!line.contains("hush") && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn clients_are_addresses_and_prefixes_of_both_families() {
        let settings = load(nas(&["10.0.0.0/8=a=b", "192.0.2.1=c", "2001:db8::/32= d"])).unwrap();
        let shown: Vec<(String, String)> = settings
            .nas
            .iter()
            .map(|client| (client.source.to_string(), client.secret.expose().clone()))
            .collect();
        let expected = [("10.0.0.0/8", "a=b"), ("192.0.2.1/32", "c"), ("2001:db8::/32", " d")];
        assert_eq!(shown, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(format!("{:?}", settings.nas[0]), "10.0.0.0/8=…");
    }

    #[test]
    fn flags_go_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "http = '127.0.0.1:1'\nauth = '127.0.0.1:2'\nnas = ['10.0.0.0/8=x']\n";
        std::fs::write(file.path(), text).unwrap();
        let args = Args {
            config: Some(file.path().to_owned()),
            http: Some(([127, 0, 0, 1], 3).into()),
            token: Some("12345".to_owned()),
            ..Args::default()
        };
        let settings = load(args).unwrap();
        assert_eq!((settings.http.port(), settings.auth.port()), (3, 2));
        assert_eq!(settings.nas.len(), 1);
        assert_eq!(settings.log.filter, "warn,aaad::auth=info");
        assert!(settings.token.unwrap().load().unwrap().same_as(b"12345"));

        std::fs::write(file.path(), "nas = ['10.0.0.0/99=hush']\n").unwrap();
        let line = line(Args { config: Some(file.path().to_owned()), ..Args::default() });
        assert!(line.contains(":1: `nas[0]`: \"10.0.0.0/99\" is not"), "{line}");
        assert!(!line.contains("hush"), "{line}");
    }

    #[test]
    fn an_empty_secret_and_a_taken_demo_address_are_refused() {
        let line_of = |args| line(args);
        let empty = line_of(Args { token: Some(String::new()), ..Args::default() });
        assert!(empty.contains("`token`: a secret must not be empty"), "{empty}");
        let taken = line_of(Args { demo: true, ..nas(&["127.0.0.1=x"]) });
        assert!(taken.starts_with("--demo brings a NAS at 127.0.0.1"), "{taken}");
        assert!(load(Args { demo: true, ..nas(&["127.0.0.0/8=x"]) }).is_ok());
    }

    #[test]
    fn a_seed_is_bounded_in_the_file_too() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (count, expected) in [(0, None), (1, Some(1)), (10_000_001, None)] {
            std::fs::write(file.path(), format!("seed = {count}\n")).unwrap();
            let args = Args { config: Some(file.path().to_owned()), ..Args::default() };
            match (load(args), expected) {
                (Ok(settings), Some(_)) => assert_eq!(settings.seed, expected),
                (Err(error), None) => assert_eq!(error.to_string(), "seed: give 1 to 10000000"),
                (found, _) => panic!("{count}: {found:?}"),
            }
        }
        let settings = load(Args { seed: Some(7), ..Args::default() }).unwrap();
        assert_eq!(settings.seed, Some(7));
    }

    #[test]
    fn the_shipped_file_shows_the_defaults() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/netctl.toml");
        let source = Source { program: "netctl", file: Some(path.into()), ..Source::default() };
        let shipped: Settings = daemon::config::load(&source).unwrap();
        let print = |settings: &Settings| daemon::config::print(settings).unwrap();
        assert_eq!(print(&shipped), print(&Settings::default()));
        let text = std::fs::read_to_string(path).unwrap();
        for key in ["token", "admin_password"] {
            assert!(text.contains(&format!("# {key} = ")), "{key} is not explained");
        }
    }
}
