//! The kinds that clean up: what is older than it has to be kept.
//!
//! Each deletes in portions of its own transactions, looks between them whether it should end,
//! and loses nothing when it begins again.

use std::time::Duration;

use model::OrganisationId;
use serde_json::{Value, json};
use store::{Args, Statement, StoreError, args};

use super::Context;
use super::kind::{JobError, Kind, Lost, Outcome};
use crate::domain::idempotency::KEPT_S;
use crate::domain::setting::{self, Layers, registry};
use crate::domain::{Event, Fault, Input, Unit};
use crate::entity::registry::ENTITIES;
use crate::entity::{Entity, Verbs};
use crate::store::purge as sql;

/// Rows deleted in one transaction.
const PORTION: i64 = 2000;
/// Rows of described entities purged in one transaction: each leaves an audit entry.
const RECORDS: i64 = 100;
/// The longest anything is kept, days.
const DAYS_MAX: i64 = 36_500;

const DAY_S: i64 = 86_400;

/// A kind of this module.
const fn purge(name: &'static str, title: &'static str, schedule: &'static str) -> Kind {
    Kind {
        queue: "upkeep",
        schedule: Some(schedule),
        limit: Duration::from_secs(4 * 3600),
        lost: Lost::Again,
        ..Kind::named(name, title)
    }
}

/// Audit entries that are older than the settings of their organisation have it.
pub(crate) const AUDIT: Kind = Kind {
    run: |context| Box::pin(audit(context)),
    ..purge("audit.purge", "Audit entries: purge", "10 3 * * *")
};

/// Staff sessions that ended or expired more than `days` ago, 30 unless said otherwise.
pub(crate) const SESSIONS: Kind = Kind {
    arguments: |input| days(input, 1),
    run: |context| {
        Box::pin(async move {
            let days = kept_days(context, 30, 1);
            sweep(context, &sql::SESSIONS, days * DAY_S).await
        })
    },
    ..purge("sessions.purge", "Staff sessions: purge", "20 3 * * *")
};

/// Answers kept for an Idempotency-Key, once nobody may repeat the request any more.
pub(crate) const IDEMPOTENCY: Kind = Kind {
    run: |context| Box::pin(async move { sweep_all(context, &sql::IDEMPOTENCY, KEPT_S).await }),
    ..purge("idempotency.purge", "Repeated requests: purge", "25 * * * *")
};

/// Events that were passed on more than `days` ago, 30 unless said otherwise.
pub(crate) const OUTBOX: Kind = Kind {
    arguments: |input| days(input, 1),
    run: |context| {
        Box::pin(async move {
            let days = kept_days(context, 30, 1);
            sweep(context, &sql::OUTBOX, days * DAY_S).await
        })
    },
    ..purge("outbox.purge", "Events: purge", "30 3 * * *")
};

/// Runs that ended more than `days` ago, 90 unless said otherwise, with their logs. The last
/// run of each job stays.
pub(crate) const JOB_RUNS: Kind = Kind {
    arguments: |input| days(input, 1),
    run: |context| Box::pin(job_runs(context)),
    ..purge("job_runs.purge", "Job runs: purge", "40 3 * * *")
};

/// Deleted records that nobody can want back after `days`, 90 unless said otherwise.
pub(crate) const DELETED: Kind = Kind {
    arguments: |input| days(input, 1),
    run: |context| Box::pin(deleted(context)),
    ..purge("deleted.purge", "Deleted records: purge", "50 3 * * *")
};

fn days(input: &mut Input, min: i64) {
    input.number("days", min, DAYS_MAX);
}

/// The argument `days`; whatever a row says, never fewer than `min`.
fn kept_days(context: &Context, default: i64, min: i64) -> i64 {
    context.number("days").unwrap_or(default).clamp(min, DAYS_MAX)
}

/// Deletes what is older than `kept_s` in the subtree of the run's organisation, in portions.
async fn sweep(context: &Context, st: &Statement, kept_s: i64) -> Result<Outcome, JobError> {
    let path = context.actor.path.clone();
    portions(context, st, |before| args![path.as_str(), before, PORTION], kept_s).await
}

/// The same for rows that belong to no organisation.
async fn sweep_all(context: &Context, st: &Statement, kept_s: i64) -> Result<Outcome, JobError> {
    portions(context, st, |before| args![before, PORTION], kept_s).await
}

async fn portions(
    context: &Context,
    st: &Statement,
    args: impl Fn(model::Ts) -> Args,
    kept_s: i64,
) -> Result<Outcome, JobError> {
    let before = context.office.now().plus_seconds(-kept_s);
    let mut purged = 0;
    loop {
        context.check()?;
        let portion = context.office.db.execute(st, args(before)).await?;
        purged += portion;
        context.progress(purged, None);
        if portion < PORTION.unsigned_abs() {
            return done(context, purged, before);
        }
    }
}

fn done(context: &Context, purged: u64, before: model::Ts) -> Result<Outcome, JobError> {
    context.log(format!("purged {purged}, older than {before}"));
    Ok(Outcome::Succeeded(json!({"purged": purged, "before": before})))
}

/// How long an organisation keeps its entries: those that are not critical, and those that are.
fn audit_days(layers: &Layers) -> [(bool, i64); 2] {
    let days = layers.integer(&registry::AUDIT_RETENTION);
    let critical = layers.integer(&registry::AUDIT_RETENTION_CRITICAL);
    [(false, days), (true, critical.max(days))]
}

async fn audit(context: &Context) -> Result<Outcome, JobError> {
    let office = &*context.office;
    let now = office.now();
    let path = context.actor.path.as_str();
    let mut purged = 0;
    for row in office.db.fetch_all(&sql::ORGANISATIONS, args![path]).await? {
        let id: OrganisationId = row.get("id")?;
        let gone: Option<model::Ts> = row.get("deleted_at")?;
        // One that is gone has no settings any more: those of the run's organisation hold.
        let decides = if gone.is_some() { context.actor.organisation } else { id };
        let layers = match setting::of(office, decides).await {
            // Deleted since the list was read; the next run looks again.
            Err(Fault::NotFound(_)) => continue,
            layers => layers?,
        };
        for (critical, days) in audit_days(&layers) {
            let before = now.plus_seconds(-days * DAY_S);
            let mut of_one = 0;
            loop {
                context.check()?;
                let portion = args![id, before, critical, PORTION];
                let deleted = office.db.execute(&sql::AUDIT, portion).await?;
                (of_one, purged) = (of_one + deleted, purged + deleted);
                context.progress(purged, None);
                if deleted < PORTION.unsigned_abs() {
                    break;
                }
            }
            if of_one > 0 {
                let what = if critical { "critical" } else { "other" };
                context.log(format!("{id}: purged {of_one} {what} entries, kept {days} days"));
            }
        }
    }
    context.log(format!("purged {purged}"));
    Ok(Outcome::Succeeded(json!({"purged": purged})))
}

async fn job_runs(context: &Context) -> Result<Outcome, JobError> {
    let kept_s = kept_days(context, 90, 1) * DAY_S;
    let before = context.office.now().plus_seconds(-kept_s);
    let path = context.actor.path.as_str();
    let mut purged = 0;
    loop {
        context.check()?;
        let mut tx = context.office.db.begin().await?;
        let rows = tx.fetch_all(&sql::OLD_RUNS, args![path, before, RECORDS]).await?;
        for row in &rows {
            let id: model::RunId = row.get("id")?;
            tx.execute(&sql::RESULTS_OF, args![id]).await?;
            tx.execute(&sql::LINES_OF, args![id]).await?;
            tx.execute(&sql::RUN, args![id]).await?;
        }
        tx.commit().await?;
        purged += rows.len() as u64;
        context.progress(purged, None);
        if (rows.len() as i64) < RECORDS {
            return done(context, purged, before);
        }
    }
}

/// Records of every described entity. One that others still refer to stays and is named in
/// the log; entities that refer come before those they refer to, so that a customer goes in
/// the run in which its labels go, or in the next.
async fn deleted(context: &Context) -> Result<Outcome, JobError> {
    let kept_s = kept_days(context, 90, 1) * DAY_S;
    let before = context.office.now().plus_seconds(-kept_s);
    let (mut purged, mut kept) = (0_u64, 0_u64);
    let mut counts = serde_json::Map::new();
    // An organisation stays: its audit log outlives it, and no other row could say whose it was.
    let deletable = ENTITIES
        .iter()
        .rev()
        .copied()
        .filter(|entity| entity.verbs.has(Verbs::DELETE) && !entity.tenant);
    for entity in deletable {
        context.note(entity.path);
        let (gone, stayed) = deleted_of(context, entity, before, purged).await?;
        if gone + stayed > 0 {
            counts.insert(entity.path.to_owned(), json!({"purged": gone, "kept": stayed}));
        }
        (purged, kept) = (purged + gone, kept + stayed);
    }
    context.log(format!("purged {purged}, kept {kept} that others refer to"));
    let result = json!({"purged": purged, "kept": kept, "before": before, "entities": counts});
    Ok(Outcome::Succeeded(result))
}

/// Those of one entity: how many are gone, and how many had to stay.
async fn deleted_of(
    context: &Context,
    entity: &'static Entity,
    before: model::Ts,
    purged_before: u64,
) -> Result<(u64, u64), JobError> {
    let (mut purged, mut kept) = (0_u64, 0_u64);
    let mut after = uuid::Uuid::nil();
    loop {
        context.check()?;
        // Words of the description alone; what varies is an argument.
        let list = format!(
            "SELECT id, organisation_id FROM {} WHERE deleted_at < $2 AND id > $3
               AND organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
             ORDER BY id LIMIT $4",
            entity.table
        );
        let args = args![context.actor.path.as_str(), before, after, RECORDS];
        let rows = context.office.db.dynamic_all(&list, args).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push((row.get("id")?, row.get("organisation_id")?));
        }
        let Some((last, _)) = found.last() else { return Ok((purged, kept)) };
        after = *last;
        // All at once where nothing refers to them, else one by one.
        match remove(context, entity, &found).await {
            Ok(()) => purged += found.len() as u64,
            Err(Fault::Internal(source)) if refers(source.as_ref()) => {
                for one in &found {
                    match remove(context, entity, std::slice::from_ref(one)).await {
                        Ok(()) => purged += 1,
                        Err(Fault::Internal(source)) if refers(source.as_ref()) => {
                            kept += 1;
                            let id = model::id::show(entity.prefix, one.0);
                            context.log(format!("{id} stays: others refer to it"));
                        }
                        Err(fault) => return Err(fault.into()),
                    }
                }
            }
            Err(fault) => return Err(fault.into()),
        }
        context.progress(purged_before + purged, None);
    }
}

/// Whether the database refused because of a reference.
fn refers(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(source.downcast_ref::<StoreError>(), Some(StoreError::ForeignKey))
}

/// Removes rows for good, each with its audit entry and event.
async fn remove(
    context: &Context,
    entity: &'static Entity,
    rows: &[(uuid::Uuid, model::OrganisationId)],
) -> Result<(), Fault> {
    let mut unit = Unit::begin(&context.office, &context.actor).await?;
    let kind = format!("{}.purged", entity.name);
    // Restored meanwhile: it stays.
    let delete = format!(
        "DELETE FROM {} WHERE id = $1 AND deleted_at IS NOT NULL RETURNING id",
        entity.table
    );
    for (id, organisation) in rows {
        if unit.dynamic_all(&delete, args![*id]).await?.is_empty() {
            continue;
        }
        let shown = model::id::show(entity.prefix, *id);
        let payload: Value = json!({"id": shown});
        let event = Event { kind: &kind, entity_id: shown, payload, policy: &[] };
        unit.record(*organisation, event, None).await?;
    }
    unit.commit().await
}
