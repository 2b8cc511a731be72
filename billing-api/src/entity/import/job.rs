//! Run, undo and purge as jobs.
//!
//! Any process may take them over where another was interrupted: an import knows where it
//! stands. Changes are written in the name of whoever asked.

use std::time::Duration;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::run::{self, Watch};
use super::{IMPORT, Import, find, purge, undo};
use crate::domain::{Actor, Fault, Input};
use crate::entity::read;
use crate::jobs::{Context, JobError, Kind, Outcome};

/// Imports forgotten together.
const PURGE_AT_ONCE: i64 = 100;

/// Runs an import.
pub(crate) const RUN: Kind = Kind {
    run: |context| Box::pin(import(context, false)),
    ..transfer("imports.run", "Import: run")
};

/// Tries an import without effect.
pub(crate) const CHECK: Kind = Kind {
    run: |context| Box::pin(import(context, true)),
    ..transfer("imports.check", "Import: dry run")
};

/// Undoes an import.
pub(crate) const UNDO: Kind =
    Kind { run: |context| Box::pin(back(context)), ..transfer("imports.undo", "Import: undo") };

/// Forgets files and rows whose window is over.
pub(crate) const PURGE: Kind = Kind {
    queue: "upkeep",
    schedule: Some("25 * * * *"),
    run: |context| Box::pin(forget(context)),
    ..Kind::named("imports.purge", "Imports: forget files")
};

const fn transfer(name: &'static str, title: &'static str) -> Kind {
    Kind {
        queue: "transfer",
        permission: "imports.undo",
        limit: Duration::from_secs(12 * 3600),
        arguments: |input: &mut Input| {
            if input.optional_text("import", 40).is_none() {
                input.missing("import");
            }
        },
        ..Kind::named(name, title)
    }
}

impl Watch for Context {
    fn progress(&self, rows: u64) {
        Context::progress(self, rows, None);
    }

    fn stop(&self) -> bool {
        self.check().is_err()
    }
}

fn asked(context: &Context) -> Result<Uuid, Fault> {
    IMPORT.id(context.arguments["import"].as_str().unwrap_or_default())
}

/// Refuses who may not import these records: the run may be somebody else's that was run once
/// more, or of somebody who has lost the right since. The import stays where it is, and whoever
/// may can go on with it.
fn may(actor: &Actor, import: &Import) -> Result<(), JobError> {
    if read::may(actor, import.entity, "import") {
        return Ok(());
    }
    let path = import.entity.path;
    Err(JobError::failed(format!("whoever asked for this may not import {path} (any more)")))
}

async fn import(context: &Context, dry: bool) -> Result<Outcome, JobError> {
    let (id, actor) = (asked(context)?, context.on_behalf().await?);
    let import = find(&context.office, &actor, id).await?;
    may(&actor, &import)?;
    // An attempt before this one came to its end, or somebody began anew.
    if import.state != run::running(dry) {
        return Ok(Outcome::done());
    }
    run::run(&context.office, &actor, import, dry, context).await?;
    context.check()?;
    let (view, _) = read::find(&context.office, &actor, &IMPORT, id).await?;
    let names = ["state", "created_count", "updated_count", "skipped_count", "failed_count"];
    let result: Json =
        names.into_iter().map(|name| (name.to_owned(), view[name].clone())).collect();
    Ok(Outcome::by_failures(view["failed_count"].as_u64().unwrap_or(0), result))
}

async fn back(context: &Context) -> Result<Outcome, JobError> {
    let (id, actor) = (asked(context)?, context.on_behalf().await?);
    let import = find(&context.office, &actor, id).await?;
    actor.may(UNDO.permission)?;
    may(&actor, &import)?;
    if import.state != "undoing" {
        return Ok(Outcome::done());
    }
    undo::undo(&context.office, &actor, &import).await?;
    let (view, _) = read::find(&context.office, &actor, &IMPORT, id).await?;
    Ok(Outcome::Succeeded(json!({"undone_count": view["undone_count"]})))
}

async fn forget(context: &Context) -> Result<Outcome, JobError> {
    let mut purged = 0;
    loop {
        let some = purge(&context.office, PURGE_AT_ONCE).await?;
        purged += some;
        context.progress(purged, None);
        if some < PURGE_AT_ONCE.unsigned_abs() {
            return Ok(Outcome::Succeeded(json!({"purged": purged})));
        }
        context.check()?;
    }
}
