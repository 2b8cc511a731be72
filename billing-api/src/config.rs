//! What can be set, with defaults beside the fields.

use std::net::SocketAddr;
use std::path::PathBuf;

use daemon::config::SecretSource;
use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

pub use outcall::Config as Calls;

/// The whole of `billing-api.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The key file that seals secrets; `aaad` opens them with the same one.
    pub key_file: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// The REST API, the console and the portal.
    pub http: Http,
    /// Signing in.
    pub access: Access,
    /// The office's database.
    pub database: Database,
    /// `policyd`'s database, read for sessions and usage.
    pub network: Database,
    /// The bus.
    pub bus: Bus,
    /// Calls to the outside.
    pub calls: Calls,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// Outgoing mail.
    pub mail: Mail,
    /// Exports that leave by themselves, and as PDF.
    pub exports: Exports,
    /// The list of programs that hear of events; absent: there are none.
    pub hooks_file: Option<PathBuf>,
    /// Backups that are made by themselves.
    pub backup: Backup,
    /// What the very first start creates.
    pub first_start: FirstStart,
    /// Logging.
    pub log: daemon::telemetry::LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key_file: PathBuf::from("/etc/lastmile/key"),
            control: PathBuf::from("/run/lastmile/billing-api.sock"),
            http: Http::default(),
            access: Access::default(),
            database: Database::default(),
            network: Database::default(),
            bus: Bus::default(),
            calls: Calls::default(),
            webhooks: Webhooks::default(),
            mail: Mail::default(),
            exports: Exports::default(),
            hooks_file: None,
            backup: Backup::default(),
            first_start: FirstStart::default(),
            log: daemon::telemetry::LogConfig::default(),
        }
    }
}

/// HTTP.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where to listen. Put a TLS proxy in front before it leaves the machine.
    pub listen: SocketAddr,
    /// How the console is reached, `https://office.example.net`: what links in mail begin with, and
    /// where identity providers send people back to. Empty: mail has no links, links with secrets
    /// in them are not mailed, and identity providers work on the machine itself alone.
    pub public_url: String,
    /// Threads that serve requests.
    pub workers: usize,
    /// Whether the console's cookie is sent over TLS alone; false for plain local use.
    pub secure_cookie: bool,
    /// Proxies whose word on a client's address is taken.
    pub trusted_proxies: Vec<IpNetwork>,
    /// The header they write it into. The other is not believed: most proxies pass it on as the
    /// client sent it.
    pub proxy_header: ProxyHeader,
    /// How many requests anybody may make.
    pub rate_limit: RateLimit,
}

/// A header that names the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, of common use.
    #[default]
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// Requests a minute, evenly; as many may come at once. What comes from this machine itself,
/// and not through a proxy, is not counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// Per API token; 0: no limit.
    pub token_per_minute: u32,
    /// Per address (IPv6: per /64), with a token or without; 0: no limit.
    pub address_per_minute: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { token_per_minute: 3000, address_per_minute: 6000 }
    }
}

/// Signing in to the console.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// A session not used for this long is over, seconds.
    pub idle_s: i64,
    /// A session is over after this, used or not, seconds.
    pub lifetime_s: i64,
    /// Characters a new password has at least.
    pub password_characters_min: usize,
}

impl Default for Access {
    fn default() -> Self {
        Self { idle_s: 8 * 3600, lifetime_s: 7 * 24 * 3600, password_characters_min: 12 }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            workers: 2,
            secure_cookie: false,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            rate_limit: RateLimit::default(),
        }
    }
}

/// A database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`; or `{ file = "PATH" }`.
    pub url: SecretSource,
    /// Connections at most.
    pub connections_max: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: SecretSource::Inline("postgres://lastmile@localhost/lastmile".into()),
            connections_max: 10,
        }
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

/// Webhooks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Messages under way at once.
    pub senders: u32,
    /// Of them, to one webhook.
    pub senders_each: u32,
    /// A webhook that failed for so many days is switched off.
    pub disable_after_days: u32,
    /// How long deliveries are kept in the log, days.
    pub keep_days: u32,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { senders: 64, senders_each: 4, disable_after_days: 5, keep_days: 30 }
    }
}

impl Webhooks {
    /// What is wrong with the values, naming the key.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, value, most) in [
            ("senders", self.senders, 1000),
            ("senders_each", self.senders_each, self.senders),
            ("disable_after_days", self.disable_after_days, 365),
            ("keep_days", self.keep_days, 3650),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("webhooks.{key} is from 1 to {most}, not {value}"));
            }
        }
        Ok(())
    }
}

/// Outgoing mail. Which server sends is set in the console, for each organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Letters under way at once.
    pub senders: u32,
    /// How long each step of the talk with a server may take, seconds.
    pub timeout_s: u32,
    /// How long letters are kept in the list, days.
    pub keep_days: u32,
    /// Certificates (PEM) of authorities that are trusted besides the machine's: for a mail
    /// server with a certificate of one's own making.
    pub authorities_file: Option<PathBuf>,
}

impl Default for Mail {
    fn default() -> Self {
        Self { senders: 8, timeout_s: 30, keep_days: 90, authorities_file: None }
    }
}

impl Mail {
    /// What is wrong with the values, naming the key.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, value, most) in [
            ("senders", self.senders, 100),
            ("timeout_s", self.timeout_s, 300),
            ("keep_days", self.keep_days, 3650),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("mail.{key} is from 1 to {most}, not {value}"));
            }
        }
        Ok(())
    }
}

/// Exports that leave by themselves, and as PDF.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exports {
    /// OpenSSH's SFTP client.
    pub sftp: PathBuf,
    /// How long sending a file may take, seconds.
    pub sftp_timeout_s: u32,
    /// Where a file, and the key or the password for its server, stand while the client sends it;
    /// of this process alone, and swept at each start.
    pub sftp_directory: PathBuf,
    /// The fonts of a PDF; the first that has a character draws it.
    pub fonts: Vec<PathBuf>,
    /// The same for titles and the names of columns.
    pub fonts_bold: Vec<PathBuf>,
}

impl Default for Exports {
    fn default() -> Self {
        let font = |name: &str| PathBuf::from(format!("/usr/share/fonts/truetype/dejavu/{name}"));
        Self {
            sftp: PathBuf::from("/usr/bin/sftp"),
            sftp_timeout_s: 600,
            sftp_directory: PathBuf::from("/var/lib/lastmile/billing-api/sftp"),
            fonts: vec![font("DejaVuSans.ttf")],
            fonts_bold: vec![font("DejaVuSans-Bold.ttf")],
        }
    }
}

impl Exports {
    /// What is wrong with the values, naming the key.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.sftp.is_absolute() {
            return Err("exports.sftp is an absolute path".to_owned());
        }
        if !(10..=7200).contains(&self.sftp_timeout_s) {
            let found = self.sftp_timeout_s;
            return Err(format!("exports.sftp_timeout_s is from 10 to 7200, not {found}"));
        }
        Ok(())
    }
}

/// Backups that are made by themselves: the job `backup.run`, every night unless its schedule says
/// otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// The folder they lie in; absent: none are made.
    pub folder: Option<PathBuf>,
    /// Configuration files that go into them.
    pub include: Vec<PathBuf>,
    /// How many of the newest stay.
    pub keep: usize,
    /// The newest of each of so many days stays.
    pub keep_daily: usize,
    /// The same of weeks.
    pub keep_weekly: usize,
    /// The same of months.
    pub keep_monthly: usize,
    /// Whether each is restored and compared, as `netctl backup verify` does it.
    pub verify: bool,
    /// Where SQLite files are made for that; absent: the system's folder for temporary files.
    pub scratch: Option<PathBuf>,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            folder: None,
            include: Vec::new(),
            keep: 0,
            keep_daily: 7,
            keep_weekly: 5,
            keep_monthly: 12,
            verify: true,
            scratch: None,
        }
    }
}

/// What the very first start creates; later starts leave it alone, `clients` apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FirstStart {
    /// The name of the root organisation.
    pub organisation: String,
    /// Its currency, ISO 4217.
    pub currency: String,
    /// Its time zone, IANA.
    pub zone: String,
    /// The administrator's e-mail address, which is the name to sign in with.
    pub admin_email: String,
    /// The administrator's password; absent: made up and told once.
    pub admin_password: Option<SecretSource>,
    /// An API token with full rights; absent: made up and told once.
    pub token: Option<SecretSource>,
    /// RADIUS clients that must exist, now and at every start.
    pub clients: Vec<ClientSeed>,
}

impl Default for FirstStart {
    fn default() -> Self {
        Self {
            organisation: "My ISP".to_owned(),
            currency: "USD".to_owned(),
            zone: "UTC".to_owned(),
            admin_email: "admin@localhost".to_owned(),
            admin_password: None,
            token: None,
            clients: Vec::new(),
        }
    }
}

/// A RADIUS client that must exist.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSeed {
    /// The address or prefix its packets come from.
    pub source: IpNetwork,
    /// The shared secret.
    pub secret: SecretSource,
}
