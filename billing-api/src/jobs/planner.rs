//! Jobs whose time has come become runs.
//!
//! No leader is needed: a job's next time moves in the transaction that queues its runs, by an
//! update that names the time it moves from. Of two processes that try, one changes the row.

use model::Ts;
use store::{Row, args};
use tracing::{debug, error, info, warn};

use super::enqueue::{NewRun, insert, is_full};
use super::kind::Kind;
use super::registry;
use super::schedule::{CatchUp, Schedule};
use crate::domain::{Actor, Fault, Office, Unit};
use crate::store::job as sql;

/// Jobs planned in one turn.
const JOBS: i64 = 50;

/// Queues the runs that are due; how many.
pub(super) async fn plan(office: &Office, kinds: &[&'static Kind]) -> Result<usize, Fault> {
    let now = office.now();
    let mut queued = 0;
    for row in office.db.fetch_all(&sql::DUE_JOBS, args![now, JOBS]).await? {
        queued += plan_one(office, kinds, &row, now).await?;
    }
    Ok(queued)
}

/// When the next job's time comes.
pub(super) async fn next_due(office: &Office) -> Result<Option<Ts>, Fault> {
    Ok(office.db.fetch_one(&sql::NEXT_JOB, args![]).await?.get("due")?)
}

async fn plan_one(
    office: &Office,
    kinds: &[&'static Kind],
    row: &Row,
    now: Ts,
) -> Result<usize, Fault> {
    let job = sql::job(row)?;
    let Some(kind) = registry::find(kinds, &job.kind) else {
        // A newer program that works beside this one knows it.
        debug!(job = %job.id, kind = %job.kind, "the kind of a job is not known");
        return Ok(0);
    };
    let (Some(cron), Some(next)) = (&job.schedule, job.next_at) else { return Ok(0) };
    let actor = Actor::system("jobs", job.organisation, row.get("home_path")?);
    let mut unit = Unit::begin(office, &actor).await?;
    let zone = job.zone.as_deref().unwrap_or(&job.home_zone);
    let rule = CatchUp::of(&job.catch_up).unwrap_or(CatchUp::Once);
    let (mut times, following) = match Schedule::parse(cron, zone) {
        Ok(schedule) => schedule.due(next, now, rule),
        Err(fault) => {
            error!(job = %job.id, error = %fault, "the schedule of a job cannot be read: it rests");
            (Vec::new(), None)
        }
    };
    if unit.execute(&sql::ADVANCE_JOB, args![job.id, next, following]).await? == 0 {
        // Another process was first, or the job was changed meanwhile.
        return Ok(0);
    }
    if is_full(&mut unit, job.organisation).await? {
        warn!(job = %job.id, "too many runs wait: the job is planned later");
        return Ok(0);
    }
    // A run that waits stands for those that would come after it.
    if rule != CatchUp::All && unit.fetch_optional(&sql::RUN_WAITS, args![job.id]).await?.is_some()
    {
        info!(job = %job.id, "a run of the job still waits: no other is queued");
        times.clear();
    }
    let queued = times.len();
    for planned in times {
        let run = NewRun {
            organisation: job.organisation,
            job: Some(job.id),
            kind: kind.name,
            queue: &job.queue,
            arguments: job.arguments.clone(),
            maintenance: &job.maintenance,
            attempts_max: job.retries.unwrap_or(kind.retries) + 1,
            planned_at: Some(planned),
            run_at: now,
            retry_of: None,
        };
        insert(&mut unit, run).await?;
    }
    unit.commit().await?;
    Ok(queued)
}
