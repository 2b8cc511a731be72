//! `netctl up`: all programs in this process, on SQLite and an in-process bus.
//!
//! - [`settings`]: flags, environment and file, in one.
//! - `place`: the data directory and its key.
//! - `programs`: opens all three before any runs; runs them; stops them in order.
//! - `screen`: what the first start says.

mod place;
mod programs;
mod screen;
pub mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use daemon::lifecycle::{GRACE, Shutdown, signals};
use daemon::telemetry;

use crate::exit::{DONE, Ended, Failure, NO};

pub use settings::Settings;

/// How long after the hard stop what still runs is waited for.
const HARD_LIMIT: Duration = Duration::from_secs(5);

/// Arguments of `up`. Each is a key of the settings file, and a variable: NETCTL__HTTP …
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Where everything is kept [default: ./var]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Console and API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,

    /// RADIUS authentication [default: 0.0.0.0:1812]
    #[arg(long, value_name = "ADDR")]
    auth: Option<SocketAddr>,

    /// RADIUS accounting [default: 0.0.0.0:1813]
    #[arg(long, value_name = "ADDR")]
    acct: Option<SocketAddr>,

    /// A RADIUS client that must exist: where its packets come from, and its secret; may be
    /// repeated
    #[arg(long, value_name = "CIDR=SECRET")]
    nas: Vec<String>,

    /// The API token the first start makes [default: made up and shown once]
    #[arg(long)]
    token: Option<String>,

    /// The administrator's password the first start sets [default: made up and shown once]
    #[arg(long, value_name = "PW")]
    admin_password: Option<String>,

    /// Add a small provider with 40 customers behind a simulated NAS
    #[arg(long)]
    demo: bool,

    /// Make sure of N services on one plan, with logins u0000000 … and passwords p0000000 …
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=settings::SEED_MAX))]
    seed: Option<u32>,

    /// Settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Starts everything, and waits for its end.
pub(crate) fn main(args: Args) -> Ended {
    let settings = settings::load(args)?;
    telemetry::init_logging(&settings.log.clone().into())?;
    telemetry::metrics();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().thread_name("lastmile").build()?;
    let ended = runtime.block_on(live(settings));
    // What still blocks a thread has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn live(settings: Settings) -> Ended {
    let (trigger, shutdown) = Shutdown::new();
    signals(trigger.clone(), GRACE)?;
    // Both end with the runtime.
    tokio::spawn(telemetry::upkeep(shutdown.clone()));
    tokio::spawn(tell_stop(shutdown.clone()));
    tokio::select! {
        ended = start(&settings, &shutdown, &trigger) => ended,
        () = async {
            shutdown.hard().await;
            tokio::time::sleep(HARD_LIMIT).await;
        } => Err(Failure { code: NO, error: "did not end when told to".into() }),
    }
}

/// The log is quiet; whoever pressed Ctrl-C should see that it was heard.
async fn tell_stop(shutdown: Shutdown) {
    shutdown.soft().await;
    eprintln!("netctl: stopping; a second signal ends everything at once");
}

async fn start(
    settings: &Settings,
    shutdown: &Shutdown,
    trigger: &daemon::lifecycle::Trigger,
) -> Ended {
    let place = place::Place::prepare(&settings.data)?;
    let opened = tokio::select! {
        opened = programs::Opened::open(settings, &place) => opened?,
        // Stopped while opening: nothing runs yet, and what was opened closes.
        () = shutdown.soft() => return Ok(DONE),
    };
    opened.run(settings, &place, shutdown, trigger).await
}
