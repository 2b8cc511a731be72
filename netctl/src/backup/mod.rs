//! `netctl backup`: backups of the databases and the configuration, made while everything runs.
//!
//! - `installation`: which databases, which key file.
//! - `show`: what people and programs are told.
//! - this file: the verbs.

mod installation;
mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::backup::{BackupError, Keep, Keys, Kind, Order, Plan, Seal};
use daemon::config::SecretSource;
use daemon::secrets::Keyring;
use model::{Clock, Secret, SystemClock};

use crate::exit::{DONE, Ended, Failure, NO};
use installation::Installation;

/// The key or passphrase does not open it.
const WRONG_KEY: u8 = 4;
/// The file is damaged, or restores to something else.
const DAMAGED: u8 = 5;
/// Written by a newer program.
const NEWER: u8 = 6;
/// The target is in use or not empty.
const REFUSED: u8 = 7;

/// What `netctl backup --help` says of exit codes.
pub(crate) const HELP: &str = "Exit codes:
  0  done; with verify: restored and found the same
  1  list: there is no backup, or the newest does not read
  2  could not be done: arguments, settings, no room, a database or program that is missing
  4  the key file or the passphrase does not open it
  5  it is damaged, cut short, no backup, or restores to something else
  6  it was written by a newer program
  7  restore: the target is in use, or not empty and --replace was not given

A backup holds both databases and the configuration, never the key file: keep a copy of that
elsewhere. docs/backup.md has the whole story.";

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a backup; everything goes on meanwhile
    #[command(after_help = HELP)]
    Now(NowArgs),
    /// The backups in a folder
    #[command(after_help = HELP)]
    List(ListArgs),
    /// Restore a backup into databases made for this, compare, and remove them
    #[command(after_help = HELP)]
    Verify(VerifyArgs),
    /// Restore a backup; the programs must not run
    #[command(after_help = HELP)]
    Restore(RestoreArgs),
}

/// Arguments of `now`.
#[derive(Debug, clap::Args)]
pub(crate) struct NowArgs {
    #[command(flatten)]
    place: installation::Args,

    /// The folder backups lie in; made where missing
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Include a file, such as a configuration file; may be repeated
    #[arg(long, value_name = "FILE")]
    include: Vec<PathBuf>,

    #[command(flatten)]
    passphrase: Passphrase,

    /// Keep this many of the newest and remove others [default, without any --keep: all stay]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep: usize,

    /// Keep the newest of each of this many days
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_daily: usize,

    /// Keep the newest of each of this many weeks
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_weekly: usize,

    /// Keep the newest of each of this many months
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_monthly: usize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The folder backups lie in
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    place: installation::Args,

    /// The backup
    file: PathBuf,

    #[command(flatten)]
    passphrase: Passphrase,

    /// Where SQLite files are made for this [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    place: installation::Args,

    /// The backup
    file: PathBuf,

    #[command(flatten)]
    passphrase: Passphrase,

    /// Replace databases that are there; they are kept under another name
    #[arg(long)]
    replace: bool,

    /// Write the configuration files in it into this folder, over none that is there
    #[arg(long, value_name = "DIR")]
    configuration_to: Option<PathBuf>,

    /// Folder of the control sockets [default: ./var/run if it exists, else /run/lastmile]
    #[arg(long, value_name = "DIR", env = "LASTMILE_RUN")]
    run: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The passphrase, where there is one.
#[derive(Debug, clap::Args)]
struct Passphrase {
    /// A file that holds a passphrase of at least 12 characters [default: the key file's key]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    fn load(&self) -> Result<Option<Secret<String>>, Failure> {
        let Some(path) = &self.passphrase_file else { return Ok(None) };
        Ok(Some(SecretSource::File(path.clone()).load()?))
    }
}

/// Does it.
pub(crate) async fn main(verb: Verb) -> Ended {
    match verb {
        Verb::Now(args) => now(args).await,
        Verb::List(args) => list(&args),
        Verb::Verify(args) => verify(args).await,
        Verb::Restore(args) => restore(args).await,
    }
}

async fn now(args: NowArgs) -> Ended {
    let installation = Installation::find(&args.place)?;
    let seal = match args.passphrase.load()? {
        Some(passphrase) => Seal::Passphrase(passphrase),
        None => Seal::KeyFile(Arc::new(Keyring::load(&installation.key_file)?)),
    };
    let mut configuration = installation.configuration;
    configuration.extend(args.include);
    let plan = Plan {
        databases: installation.databases,
        configuration,
        folder: args.to,
        seal,
        keep: Keep {
            newest: args.keep,
            daily: args.keep_daily,
            weekly: args.keep_weekly,
            monthly: args.keep_monthly,
        },
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let made = ::backup::make(&plan, SystemClock.now()).await.map_err(failure)?;
    show::made(&made, args.json)?;
    Ok(DONE)
}

fn list(args: &ListArgs) -> Ended {
    let listed = ::backup::list(&args.from).map_err(failure)?;
    show::list(&listed, args.json)?;
    let newest_reads = listed.first().is_some_and(|listed| listed.header.is_ok());
    Ok(if newest_reads { DONE } else { NO })
}

async fn verify(args: VerifyArgs) -> Ended {
    let installation = Installation::find(&args.place)?;
    let passphrase = args.passphrase.load()?;
    // With a passphrase the key file may be elsewhere: its check is left out, and that is told.
    let keyring = match Keyring::load(&installation.key_file) {
        Err(_) if passphrase.is_some() => None,
        loaded => Some(Arc::new(loaded?)),
    };
    let keys = Keys { keyring, passphrase };
    let scratch = args.scratch.unwrap_or_else(std::env::temp_dir);
    let verified = ::backup::verify(&args.file, &keys, &installation.databases, &scratch).await;
    show::verified(&args.file, &verified.map_err(failure)?, args.json)?;
    Ok(DONE)
}

async fn restore(args: RestoreArgs) -> Ended {
    let installation = Installation::find(&args.place)?;
    let _lock = installation.hold().map_err(failure)?;
    let run = installation.sockets(args.run.as_deref());
    nobody_answers(&run).await?;
    let keyring = Some(Arc::new(Keyring::load(&installation.key_file)?));
    let order = Order {
        file: args.file,
        keys: Keys { keyring, passphrase: args.passphrase.load()? },
        databases: installation.databases,
        replace: args.replace,
        configuration: args.configuration_to,
    };
    let restored = ::backup::restore(&order, SystemClock.now()).await.map_err(failure)?;
    show::restored(&restored, args.json)?;
    Ok(DONE)
}

/// Refuses while one of the programs that use a database lives. `aaad` may go on: it opens none.
async fn nobody_answers(run: &Path) -> Result<(), Failure> {
    for program in ["billing-api", "policyd"] {
        let socket = run.join(format!("{program}.sock"));
        // Who accepts a connection lives, however it would answer.
        if tokio::net::UnixStream::connect(&socket).await.is_ok() {
            let by = format!("{program} answers on {}", socket.display());
            return Err(failure(BackupError::InUse { target: "the installation".to_owned(), by }));
        }
    }
    Ok(())
}

/// A failure on its way to its exit code.
fn failure(error: BackupError) -> Failure {
    let code = match error.kind() {
        Kind::WrongKey => WRONG_KEY,
        Kind::Damaged => DAMAGED,
        Kind::Newer => NEWER,
        Kind::Refused => REFUSED,
        Kind::Other => crate::exit::CANNOT_START,
    };
    Failure { code, error: error.into() }
}

#[cfg(test)]
mod tests;
