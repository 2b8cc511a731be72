//! `netctl import freeradius`: what a FreeRADIUS server knows, as NAS, plans and services.
//!
//! In the order it is read and made:
//!
//! - `pairs`: attributes, operators and values, as FreeRADIUS writes them.
//! - `source`: all that was read; `users`, `clients` and `tables` (with `dump`) read it.
//! - `walk`: what FreeRADIUS would find for a login.
//! - `homes`: where each attribute lives here; `given` and `rates` take values there.
//! - `draft`: what would be made, and what would not.
//! - `report`: the draft, for people and programs.
//! - `apply`: writes it through the API.

mod apply;
mod clients;
mod draft;
mod dump;
mod given;
mod homes;
mod pairs;
mod rates;
mod report;
mod source;
mod tables;
mod users;
mod walk;

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use model::Secret;

use crate::api::Api;
use crate::exit::{DONE, Ended, Failure, NO, put, put_json};
use crate::output::Style;

use draft::{Choices, Draft, Trouble, Weight};
use source::Source;

/// What `--help` says below the arguments.
pub(crate) const HELP: &str = "\
Without --apply nothing is written, and the report says what would be: NAS, plans made of groups
and of what users have in common, services with their logins, and whatever does not come over,
each with its place in the files. The report has no password and no secret in it.

Everything made bears external_source freeradius; a service and its customer have the login as
external_id. What is there already is left alone, so the import can be repeated and goes on
where it was cut short. --update also changes what is there, passwords among it.

Exit codes:
  0  all of it comes over as it was
  1  something does not: see the report, or --errors FILE
  2  could not be done: arguments, a file that does not read, an API that does not answer";

/// The vendors of NAS.
const VENDORS: [&str; 12] = [
    "mikrotik",
    "cisco",
    "huawei",
    "juniper",
    "nokia",
    "accel_ppp",
    "chillispot",
    "h3c",
    "zte",
    "ubiquiti",
    "redback",
    "generic",
];

/// Arguments of `import freeradius`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A clients.conf; may be repeated
    #[arg(long, value_name = "FILE")]
    clients: Vec<PathBuf>,

    /// A users file (mods-config/files/authorize); may be repeated
    #[arg(long, value_name = "FILE")]
    users: Vec<PathBuf>,

    /// A dump of the rad* tables by pg_dump, mysqldump or sqlite3; may be repeated
    #[arg(long, value_name = "FILE")]
    sql: Vec<PathBuf>,

    /// Write it, through the API
    #[arg(long, requires = "token")]
    apply: bool,

    /// Change what an earlier import made, too
    #[arg(long, requires = "apply")]
    update: bool,

    /// Where billing-api listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    api: SocketAddr,

    /// A token of the API; others may see it in the list of processes
    #[arg(long, value_name = "TOKEN", env = "LASTMILE_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// The currency of the plans' prices, which are 0
    #[arg(long, value_name = "CODE", default_value = "USD")]
    currency: String,

    /// The vendor of NAS that FreeRADIUS says nothing about [default: the one whose attributes
    /// are given]
    #[arg(long, value_name = "VENDOR", value_parser = VENDORS)]
    vendor: Option<String>,

    /// The zone Expiration is in [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// Write what does not come over into this file, as CSV
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is wrong with the arguments.
#[derive(Debug, thiserror::Error)]
enum ArgumentError {
    #[error("nothing to read: give --clients, --users or --sql")]
    Nothing,
    #[error("--zone {0} is not known")]
    Zone(String),
    #[error("could not write {}", path.display())]
    Errors { path: PathBuf, source: std::io::Error },
}

/// Imports it.
pub(super) async fn main(args: Args) -> Ended {
    if args.clients.is_empty() && args.users.is_empty() && args.sql.is_empty() {
        return Err(ArgumentError::Nothing.into());
    }
    let draft = read(&args)?;
    let done = match &args.token {
        Some(token) if args.apply => {
            let api = Api::new(args.api, Secret::new(token.clone()));
            let done = apply::apply(&api, &draft, Some(&args.currency), args.update).await;
            Some(done.map_err(Failure::from)?)
        }
        _ => None,
    };
    let refused = done.as_ref().map(|done| done.troubles.as_slice()).unwrap_or_default();
    if let Some(path) = &args.errors {
        let text = report::errors(draft.troubles.iter().chain(refused));
        let failed = |source| ArgumentError::Errors { path: path.clone(), source };
        std::fs::write(path, text).map_err(failed)?;
    }
    if args.json {
        put_json(&report::as_json(&draft, done.as_ref()))?;
    } else {
        put(&report::show(&draft, done.as_ref(), &Style::of_stdout()))?;
        for trouble in refused {
            let Trouble { place, kind, name, text, .. } = trouble;
            let line = format!("{place}: {kind} {name}: {text}");
            eprintln!("netctl: {}", crate::output::plain(&line));
        }
    }
    let lost = draft.troubles.iter().any(|trouble| trouble.weight != Weight::Note);
    let whole = !lost && draft.homeless.is_empty() && refused.is_empty();
    Ok(if whole { DONE } else { NO })
}

fn read(args: &Args) -> Result<Draft, Failure> {
    let zone = match &args.zone {
        None => TimeZone::system(),
        Some(name) => {
            TimeZone::get(name).map_err(|_| Failure::from(ArgumentError::Zone(name.clone())))?
        }
    };
    let vendor = args.vendor.as_deref();
    let vendor = vendor.and_then(|name| VENDORS.iter().copied().find(|known| *known == name));
    let mut source = Source::default();
    for path in &args.clients {
        clients::read(path, &mut source)?;
    }
    for path in &args.users {
        users::read(path, &mut source)?;
    }
    for path in &args.sql {
        tables::read(path, &mut source)?;
    }
    Ok(draft::draft(&source, &Choices { vendor, zone }))
}

#[cfg(test)]
mod tests;
