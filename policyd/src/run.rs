//! Putting the parts together, starting and stopping them in order.
//!
//! Start: what can fail is opened first, the data directory, the database and its schema, the
//! control socket, the admin port; then the workers begin. Stop: each worker finishes its batch
//! and releases its lease, then the database is closed.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use daemon::admin::AdminError;
use daemon::config::ConfigError;
use daemon::control::ControlError;
use daemon::health::Health;
use daemon::lifecycle::{Shutdown, TaskError, Tasks};
use jiff::tz::TimeZone;
use model::accounting::PARTITIONS;
use model::{Clock, Secret};
use store::{Db, StoreError};
use tokio::net::{TcpListener, UnixListener};
use tracing::info;
use uuid::Uuid;

use crate::auth_log::AuthLog;
use crate::config::Config;
use crate::control::Control;
use crate::state::State;
use crate::store::MIGRATIONS;
use crate::sweep::Sweeper;
use crate::usage::keep::Kept;
use crate::worker::Worker;

/// What the caller provides: the same for `policyd` itself, `netctl up` and tests.
pub struct Parts {
    /// The bus.
    pub bus: Bus,
    /// Where readiness is told.
    pub health: Health,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Why `policyd` did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path}")]
    Data {
        /// Where it should be.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The database's address cannot be had.
    #[error("cannot read `database.url`")]
    Url(#[from] ConfigError),
    /// The database cannot be used.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// The bus cannot be used.
    #[error("cannot use the bus")]
    Bus(#[from] bus::BusError),
    /// The control socket cannot be opened.
    #[error("cannot open the control socket")]
    Control(#[from] ControlError),
    /// The admin port cannot be listened on.
    #[error("cannot open the admin port")]
    Admin(#[from] AdminError),
    /// A task ended while it should not.
    #[error("a part of policyd ended")]
    Task(#[from] TaskError),
}

/// Opens the database and brings its schema up to date: everything that is wrong with it shows
/// here, before anything else has started.
async fn open_store(config: &Config) -> Result<Db, RunError> {
    let data = |source| RunError::Data { path: config.data.display().to_string(), source };
    fs::create_dir_all(&config.data).map_err(data)?;
    let url = match &config.database.url {
        Some(url) => url.load()?,
        None => Secret::new(format!("sqlite:{}", config.data.join("network.db").display())),
    };
    let options = store::Options {
        url,
        schema: "network",
        connections_max: config.database.connections_max,
        read_only: false,
    };
    let db = Db::open(&options).await?;
    db.migrate(&MIGRATIONS).await?;
    Ok(db)
}

/// Everything that could fail is open; nothing works yet.
pub struct Opened {
    config: Config,
    parts: Parts,
    db: Db,
    control: UnixListener,
    admin: Option<TcpListener>,
}

impl Opened {
    /// Opens database, control socket and admin port.
    pub async fn open(config: Config, parts: Parts) -> Result<Self, RunError> {
        let db = open_store(&config).await?;
        let control = daemon::control::bind(&config.control_path())?;
        let admin = match config.admin {
            Some(address) => Some(daemon::admin::bind(address).await?),
            None => None,
        };
        Ok(Self { config, parts, db, control, admin })
    }

    /// Works until the soft stop, and closes the database.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { config, parts, db, control, admin } = self;
        let Parts { bus, health, clock } = parts;
        let state = Arc::new(State::new(&health));
        state.database.works();

        // `validate` refuses a zone that is none.
        let zone = config.usage.time_zone().unwrap_or(TimeZone::UTC);
        let mut tasks = Tasks::new();
        let owner = format!("policyd-{}", Uuid::now_v7().simple());
        for partition in 0..PARTITIONS {
            let worker = Worker {
                partition,
                owner: owner.clone(),
                lease_ttl: Duration::from_secs(config.accounting.lease_s),
                batch_max: config.accounting.batch_max,
                fold_case: config.accounting.fold_case,
                lost_after_s: config.accounting.lost_after_s,
                zone: zone.clone(),
                bus: bus.clone(),
                db: db.clone(),
                clock: clock.clone(),
                state: state.clone(),
                stop: shutdown.clone(),
            };
            tasks.spawn(format!("worker {partition}"), worker.run());
        }
        let auth_log = AuthLog {
            bus: bus.clone(),
            db: db.clone(),
            clock: clock.clone(),
            state: state.clone(),
            stop: shutdown.clone(),
        };
        tasks.spawn("auth log", auth_log.run());
        let sweeper = Sweeper {
            bus: bus.clone(),
            db: db.clone(),
            clock: clock.clone(),
            state: state.clone(),
            kept: Kept {
                deltas: config.usage.keep_deltas_days,
                hours: config.usage.keep_hours_days,
                days: config.usage.keep_days_days,
                sessions: config.usage.keep_sessions_days,
                auth_log: config.auth_log.keep_days,
            },
            zone,
            stop: shutdown.clone(),
        };
        tasks.spawn("sweeper", sweeper.run());
        info!(database = %db.engine(), bus = bus.describe(), owner, "applying accounting records");
        let started = clock.now();
        let handler = Control { bus, db: db.clone(), health: health.clone(), state, started };
        tasks
            .spawn("control", daemon::control::serve(control, Arc::new(handler), shutdown.clone()));
        if let Some(listener) = admin {
            tasks.spawn("admin", daemon::admin::serve(listener, health, shutdown.clone()));
        }
        shutdown.started();
        let ended = tasks.supervise(&shutdown).await;
        db.close().await;
        Ok(ended?)
    }
}

#[cfg(test)]
mod tests;
