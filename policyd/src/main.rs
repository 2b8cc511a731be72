//! The program; see the library.

use std::process::ExitCode;
use std::sync::Arc;

use bus::{Bus, RedisOptions};
use clap::Parser;
use daemon::cli::DaemonArgs;
use daemon::health::Health;
use daemon::lifecycle::Shutdown;
use model::SystemClock;
use policyd::{Config, Opened, Parts, RunError};

/// Network control: sessions and usage.
#[derive(Debug, Parser)]
#[command(name = "policyd", version)]
struct Args {
    #[command(flatten)]
    daemon: DaemonArgs,
}

fn main() -> ExitCode {
    daemon::cli::main("policyd", Args::parse().daemon, Config::validate, run)
}

async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let mut options = RedisOptions::new(config.bus.redis.as_str());
    options.prefix.clone_from(&config.bus.prefix);
    let bus = Bus::redis(options)?;
    let parts = Parts { bus, health: Health::new(), clock: Arc::new(SystemClock) };
    Opened::open(config, parts).await?.run(shutdown).await
}
