//! Putting the parts together, starting and stopping them in order.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use bus::{Bus, BusError, RedisOptions};
use clap::Parser;
use daemon::cli::{Advice, DaemonArgs, Settings};
use daemon::config::ConfigError;
use daemon::control::ControlError;
use daemon::health::Health;
use daemon::lifecycle::{Shutdown, TaskError, Tasks};
use daemon::secrets::{KeyFileError, Keyring};
use model::{Clock, Secret, SystemClock, Ts};
use store::{Db, Options, StoreError};
use tokio::net::UnixListener;
use tracing::info;

use crate::config::{Access, Config, Database};
use crate::control::Control;
use crate::domain::Office;
use crate::domain::access::flush::Flush;
use crate::domain::access::rules;
use crate::entity::export::sftp;
use crate::first_start::{self, Tell, Welcome};
use crate::hook::Hooks;
use crate::hook::dispatcher::Dispatcher;
use crate::http::{self, Web};
use crate::jobs::backup::Backups;
use crate::jobs::{self, Runner};
use crate::mail::Mail;
use crate::mail::sender::Sender;
use crate::nas_seen::NasSeenKeeper;
use crate::network_events::NetworkEvents;
use crate::relay::Relay;
use crate::seed;
use crate::seed::customers::Tenants;
use crate::store::MIGRATIONS;

/// What the caller provides: the same for `billing-api` itself, `netctl up` and tests.
pub struct Parts {
    /// The bus.
    pub bus: Bus,
    /// Where readiness is told.
    pub health: Health,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Why `billing-api` did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting cannot be used.
    #[error("{0}")]
    Config(String),
    /// A secret of the configuration cannot be read.
    #[error("a setting cannot be read")]
    Setting(#[from] ConfigError),
    /// The key file cannot be used.
    #[error("cannot use the key file")]
    Key(#[from] KeyFileError),
    /// A database cannot be used.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// The first start could not be completed.
    #[error("cannot prepare the database")]
    FirstStart(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP port cannot be listened on.
    #[error("cannot listen on tcp {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The control socket cannot be opened.
    #[error("cannot open the control socket")]
    Control(#[from] ControlError),
    /// The bus cannot be used.
    #[error("cannot use the bus")]
    Bus(#[from] BusError),
    /// What the first start made up cannot be told to anybody.
    #[error("cannot write down the password and token that were made up")]
    Welcome(#[source] io::Error),
    /// A part ended while it should not.
    #[error("a part of billing-api ended")]
    Task(#[from] TaskError),
}

/// Everything that could fail is open; nothing is served yet.
pub struct Opened {
    config: Config,
    parts: Parts,
    office: Arc<Office>,
    listener: TcpListener,
    address: SocketAddr,
    control: UnixListener,
    started: Ts,
    welcome: Option<Welcome>,
}

impl Opened {
    /// Opens databases and ports, migrates, and prepares an empty database. `policyd`'s
    /// database must be there; `policyd` migrates it.
    pub async fn open(config: Config, parts: Parts) -> Result<Self, RunError> {
        Self::open_telling(config, parts, None).await
    }

    async fn open_telling(
        config: Config,
        parts: Parts,
        tell: Option<Tell>,
    ) -> Result<Self, RunError> {
        let keyring = Keyring::load(&config.key_file)?;
        let failed = |source| RunError::Listen { address: config.http.listen, source };
        let listener = TcpListener::bind(config.http.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let control = daemon::control::bind(&config.control)?;
        let db = open(&config.database, "billing", false).await?;
        db.migrate(&MIGRATIONS).await?;
        let network = open(&config.network, "network", true).await?;
        let hooks = Hooks::open(&config).map_err(RunError::Config)?;
        let mail = Mail::open(&config).map_err(RunError::Config)?;
        config.exports.check().map_err(RunError::Config)?;
        sftp::sweep(&config.exports).map_err(|error| {
            let directory = config.exports.sftp_directory.display();
            RunError::Config(format!("exports.sftp_directory: {directory}: {error}"))
        })?;
        let mut office = Office::with(db, network, keyring, parts.clock.clone(), hooks, mail);
        office.exports = config.exports.clone();
        office.policy = policy(&config.access)?;
        let defaults = rules::defaults(&office.policy);
        office.settings = std::mem::take(&mut office.settings).with_defaults(defaults);
        office.backups = Backups::of(&config)?;
        let office = Arc::new(office);
        let welcome = first_start::prepare(&office, &config.first_start, tell).await?;
        let started = office.now();
        Ok(Self { config, parts, office, listener, address, control, started, welcome })
    }

    /// What the very first start made up; nothing at later starts.
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// Where HTTP is served.
    pub fn http_address(&self) -> SocketAddr {
        self.address
    }

    /// Makes sure of `count` services to measure with, logins `u0000000` and up; how many of
    /// them were created now. The network hears of them when this runs.
    pub async fn seed(&self, count: u64) -> Result<u64, RunError> {
        Ok(seed::grow(&self.office, count).await?)
    }

    /// Serves until the soft stop: requests under way are finished, then the tasks end.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { config, parts, office, listener, address, control, started, .. } = self;
        let Parts { bus, health, .. } = parts;
        let serving = health.part("http");
        let relay = Relay {
            office: office.clone(),
            bus: bus.clone(),
            part: health.part("relay"),
            stop: shutdown.clone(),
        };
        let keeper =
            NasSeenKeeper { office: office.clone(), bus: bus.clone(), stop: shutdown.clone() };
        let events =
            NetworkEvents { office: office.clone(), bus: bus.clone(), stop: shutdown.clone() };
        let runner = Runner::new(office.clone(), jobs::registry::KINDS, shutdown.clone());
        let dispatcher = Dispatcher::new(office.clone(), shutdown.clone());
        let sender = Sender::new(office.clone(), shutdown.clone());
        let flush = Flush { office: office.clone(), stop: shutdown.clone() };
        let handler = Arc::new(Control {
            office: office.clone(),
            health: health.clone(),
            bus,
            started,
            listening: address,
        });
        let web = Data::new(Web::new(&config.http));
        let state = Data::from(office.clone());
        let readiness = Data::new(health.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .app_data(web.clone())
                .app_data(readiness.clone())
                .app_data(actix_web::web::PayloadConfig::new(http::REQUEST_OCTETS_MAX))
                .wrap(actix_web::middleware::Compress::default())
                .wrap(actix_web::middleware::from_fn(http::limit))
                .wrap(actix_web::middleware::from_fn(http::target))
                .wrap(actix_web::middleware::from_fn(http::headers))
                .wrap(actix_web::middleware::from_fn(http::request_id))
                .configure(http::routes)
                .configure(crate::console::routes)
                .default_service(actix_web::web::to(http::not_found))
        })
        .workers(config.http.workers.max(1))
        .disable_signals()
        .shutdown_timeout(10)
        .listen(listener)
        .map_err(|source| RunError::Listen { address, source })?
        .run();

        let mut tasks = Tasks::new();
        tasks.spawn("relay", relay.run());
        tasks.spawn("webhooks", dispatcher.run());
        tasks.spawn("mail", sender.run());
        tasks.spawn("nas seen", keeper.run());
        tasks.spawn("network events", events.run());
        tasks.spawn("jobs", runner.run());
        tasks.spawn("flush", flush.run());
        tasks.spawn("control", daemon::control::serve(control, handler, shutdown.clone()));
        tasks.spawn("http stop", stop_http(server.handle(), shutdown.clone()));
        tasks.spawn("http", server);
        serving.ready(true);
        shutdown.started();
        info!(%address, "billing-api serves");
        let result = tasks.supervise(&shutdown).await;
        serving.ready(false);
        office.db.close().await;
        office.network.close().await;
        info!("billing-api stopped");
        Ok(result?)
    }
}

/// Settings of signing in that shut everybody out, or let everybody in, are refused.
fn policy(access: &Access) -> Result<Access, RunError> {
    let refuse = |text: &str| Err(RunError::Config(text.to_owned()));
    if access.idle_s < 60 || access.lifetime_s < access.idle_s {
        return refuse("access.idle_s is at least 60, and access.lifetime_s not less than it");
    }
    if !(8..=64).contains(&access.password_characters_min) {
        return refuse("access.password_characters_min is 8 to 64");
    }
    Ok(access.clone())
}

/// Makes sure of `count` customers to measure with, in a database that `billing-api` has
/// prepared, and of tokens to ask as three tenants. The program may be running.
pub async fn seed_customers(database: &Database, count: u64) -> Result<Tenants, RunError> {
    let db = open(database, "billing", false).await?;
    db.migrate(&MIGRATIONS).await?;
    let hooks = Hooks::open(&Config::default()).map_err(RunError::Config)?;
    let (network, clock) = (db.clone(), Arc::new(SystemClock));
    let mail = Mail::open(&Config::default()).map_err(RunError::Config)?;
    let office = Office::with(db.clone(), network, Keyring::ephemeral(), clock, hooks, mail);
    let grown = seed::customers::grow(&office, count).await;
    db.close().await;
    grown?.ok_or_else(|| {
        RunError::Config("the database is empty: start billing-api on it once".into())
    })
}

async fn stop_http(server: ServerHandle, stop: Shutdown) -> Result<(), std::convert::Infallible> {
    stop.soft().await;
    server.stop(true).await;
    Ok(())
}

async fn open(database: &Database, schema: &'static str, read_only: bool) -> Result<Db, RunError> {
    let options = Options {
        url: database.url.load()?,
        schema,
        connections_max: database.connections_max,
        read_only,
    };
    Ok(Db::open(&options).await?)
}

/// The office: customers, plans, services, and what the network should do about them.
#[derive(Debug, Parser)]
#[command(name = "billing-api", version)]
struct Arguments {
    #[command(flatten)]
    daemon: DaemonArgs,
}

impl Settings for Config {
    fn log(&self) -> &daemon::telemetry::LogConfig {
        &self.log
    }
}

/// The program: reads its arguments and configuration, and serves.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    daemon::cli::main("billing-api", arguments.daemon, advise, |config: Config, shutdown| async {
        let mut options = RedisOptions::new(config.bus.redis.as_str());
        options.prefix.clone_from(&config.bus.prefix);
        let parts = Parts {
            bus: Bus::redis(options)?,
            health: Health::new(),
            clock: Arc::new(SystemClock),
        };
        let control = config.control.clone();
        let tell: Tell = Box::new(move |welcome| tell(welcome, &control));
        let opened = Opened::open_telling(config, parts, Some(tell)).await?;
        opened.run(shutdown).await
    })
}

/// Told once. These are secrets, and a service's output ends in a log: so they are printed to a
/// terminal, and otherwise left in a file that only this user may read.
fn tell(welcome: &Welcome, control: &Path) -> io::Result<()> {
    if welcome.admin_password.is_none() && welcome.token.is_none() {
        return Ok(());
    }
    let mut text = format!("administrator: {}\n", welcome.admin_email);
    if let Some(password) = &welcome.admin_password {
        text.push_str(&format!("password, made up: {}\n", password.expose()));
    }
    if let Some(token) = &welcome.token {
        text.push_str(&format!("API token, made up: {}\n", token.expose()));
    }
    let text = Secret::new(text);
    if io::stdout().is_terminal() {
        print!("first start\n{}", text.expose());
        return Ok(());
    }
    let file = control.with_extension("first-start");
    let mut out =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file)?;
    out.write_all(text.expose().as_bytes())?;
    out.sync_all()?;
    info!(file = %file.display(), "first start: how to sign in is in this file; read it and remove it");
    Ok(())
}

fn advise(config: &Config) -> Vec<Advice> {
    let mut advice = Vec::new();
    if !config.http.listen.ip().is_loopback() && !config.http.secure_cookie {
        advice.push(Advice::odd(
            "http.listen",
            "reachable from outside without TLS; put a TLS proxy in front and set http.secure_cookie",
        ));
    }
    advice
}
