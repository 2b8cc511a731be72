//! The kind that makes backups: a copy of both databases into one sealed file, proven by restoring
//! it. `netctl backup` does the same by hand.
//!
//! Older backups go only after the new one has been proven: of two bad ones none would be left.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::backup::{
    BILLING, BackupError, Database, Keep, Keys, Kind as Failure, Made, NETWORK, Plan, Seal,
};
use daemon::secrets::Keyring;
use serde_json::{Value, json};

use super::Context;
use super::kind::{JobError, Kind, Lost, Outcome};
use crate::config::{self, Config};
use crate::domain::{Event, Fault, Unit};
use crate::run::RunError;
use crate::store::MIGRATIONS;

/// Makes a backup, and restores it to prove it.
pub(crate) const RUN: Kind = Kind {
    queue: "upkeep",
    schedule: Some("30 2 * * *"),
    is_set_up: |office| office.backups.is_some(),
    retries: 1,
    limit: Duration::from_secs(8 * 3600),
    lost: Lost::Again,
    run: |context| Box::pin(run(context)),
    ..Kind::named("backup.run", "Backup")
};

/// Backups as the operator wants them.
#[derive(Debug)]
pub(crate) struct Backups {
    plan: Plan,
    keep: Keep,
    keyring: Arc<Keyring>,
    /// Where SQLite files are restored; absent: they are not proven.
    scratch: Option<PathBuf>,
}

impl Backups {
    /// As configured; nothing where there is no folder for them.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, RunError> {
        let config::Backup { folder, include, verify, scratch, .. } = &config.backup;
        let Some(folder) = folder else { return Ok(None) };
        let keyring = Arc::new(Keyring::load(&config.key_file)?);
        // What the network's database lacks beside the office's is sent again by the journals.
        let databases = vec![
            Database { name: NETWORK, url: config.network.url.load()?, migrations: None },
            Database {
                name: BILLING,
                url: config.database.url.load()?,
                migrations: Some(&MIGRATIONS),
            },
        ];
        let plan = Plan {
            databases,
            configuration: include.clone(),
            folder: folder.clone(),
            seal: Seal::KeyFile(keyring.clone()),
            // All stay until the new one is proven.
            keep: Keep::default(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let keep = Keep {
            newest: config.backup.keep,
            daily: config.backup.keep_daily,
            weekly: config.backup.keep_weekly,
            monthly: config.backup.keep_monthly,
        };
        let scratch = verify.then(|| scratch.clone().unwrap_or_else(std::env::temp_dir));
        Ok(Some(Self { plan, keep, keyring, scratch }))
    }
}

async fn run(context: &Context) -> Result<Outcome, JobError> {
    let Some(backups) = &context.office.backups else {
        return Err(JobError::failed("there is no folder for backups: set backup.folder"));
    };
    if !context.actor.at_root() {
        return Err(JobError::failed("a backup has everybody's records: the provider makes it"));
    }
    context.note("copying the databases");
    let made = match ::backup::make(&backups.plan, context.office.now()).await {
        Ok(made) => made,
        Err(error) => return Err(failed(context, "make", None, &error).await),
    };
    let octets = made.octets;
    let file = made.path.display().to_string();
    context.log(format!("{file}: {octets} octets"));
    // A run that is to end leaves a whole backup that is not proven; the next one proves its own.
    context.check()?;
    let mut result = shown(context, &made);
    if let Some(scratch) = &backups.scratch {
        context.note("restoring it");
        match verify(backups, &made.path, scratch).await {
            Ok(proven) => {
                context.log(format!("restored and compared in {:.1} s", proven.seconds));
                result["verified"] = true.into();
                result["verify_seconds"] = proven.seconds.into();
                result["secrets_opened"] = proven.secrets_opened.into();
            }
            Err(error) => return Err(failed(context, "verify", Some(&made.path), &error).await),
        }
    }
    let (folder, keep) = (backups.plan.folder.clone(), backups.keep);
    let pruned = tokio::task::spawn_blocking(move || ::backup::prune(&folder, keep)).await;
    match pruned.map_err(|error| Fault::Internal(Box::new(error)))? {
        Ok(removed) => {
            for path in &removed {
                context.log(format!("removed {}", path.display()));
            }
            result["removed"] = removed.len().into();
        }
        Err(error) => return Err(failed(context, "prune", Some(&made.path), &error).await),
    }
    announce(context, "backup.finished", result.clone()).await?;
    Ok(Outcome::Succeeded(result))
}

async fn verify(
    backups: &Backups,
    path: &Path,
    scratch: &Path,
) -> Result<::backup::Verified, BackupError> {
    let keys = Keys { keyring: Some(backups.keyring.clone()), passphrase: None };
    ::backup::verify(path, &keys, &backups.plan.databases, scratch).await
}

fn shown(context: &Context, made: &Made) -> Value {
    let rows: u64 = made.manifest.databases.iter().map(|database| database.row_count()).sum();
    let tables: usize = made.manifest.databases.iter().map(|database| database.rows.len()).sum();
    json!({
        "id": context.run,
        "file": made.path.display().to_string(),
        "octets": made.octets,
        "tables": tables,
        "rows": rows,
        "verified": false,
    })
}

/// Tells everybody who listens that there is no good backup of today.
async fn failed(
    context: &Context,
    step: &str,
    file: Option<&Path>,
    error: &BackupError,
) -> JobError {
    let why = daemon::exit::chain(error);
    context.log(format!("{step}: {why}"));
    let payload = json!({
        "id": context.run,
        "step": step,
        "error": why,
        "file": file.map(|file| file.display().to_string()),
    });
    if let Err(fault) = announce(context, "backup.failed", payload).await {
        let error = daemon::exit::chain(&fault);
        tracing::error!(run = %context.run, error, "could not tell that a backup failed");
    }
    match error.kind() {
        // Of the disk, the network, another backup under way: they may pass.
        Failure::Other => JobError::Again { public: why, source: None },
        _ => JobError::failed(why),
    }
}

async fn announce(context: &Context, kind: &str, payload: Value) -> Result<(), Fault> {
    let mut unit = Unit::begin(&context.office, &context.actor).await?;
    let event = Event { kind, entity_id: context.run.to_string(), payload, policy: &[] };
    unit.record(context.actor.organisation, event, None).await?;
    unit.commit().await
}

#[cfg(test)]
mod tests;
