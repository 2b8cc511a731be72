//! What people do with jobs, besides changing them: run one now, cancel and retry runs, read
//! what a run said, try a schedule.

use model::{JobId, RunId, Ts};
use serde::Serialize;
use store::args;

use super::enqueue::{NewRun, insert, record};
use super::entities::JOB_RUN;
use super::kind::Kind;
use super::registry::{self, KINDS};
use super::schedule::{self, Description, Schedule, ScheduleError};
use crate::domain::{Actor, Fault, Input, Office, Page, Unit};
use crate::entity::read::shown;
use crate::entity::write::Made;
use crate::store::job as sql;
use crate::store::job::Run;
use crate::store::organisation;

/// How many coming times a preview shows.
const PREVIEW: usize = 5;

/// A line of a run's log.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LineView {
    pub(crate) seq: i64,
    pub(crate) at: Ts,
    pub(crate) line: String,
}

/// A schedule in words, and the next times it comes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Preview {
    pub(crate) description: Description,
    pub(crate) zone: String,
    pub(crate) next: Vec<Ts>,
}

/// Runs a job now, beside its schedule, also one that is switched off.
pub(crate) async fn run_job(office: &Office, actor: &Actor, id: JobId) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let row = unit.fetch_optional(&sql::FIND_JOB, args![actor.path.as_str(), id]).await?;
    let job = sql::job(&row.ok_or(Fault::NotFound("job"))?)?;
    let kind = registry::find(KINDS, &job.kind);
    may(actor, kind)?;
    let retries = kind.map_or(0, |kind| kind.retries);
    let run = NewRun {
        organisation: job.organisation,
        job: Some(id),
        kind: &job.kind,
        queue: &job.queue,
        arguments: job.arguments,
        maintenance: &job.maintenance,
        attempts_max: job.retries.unwrap_or(retries) + 1,
        planned_at: None,
        run_at: unit.now,
        retry_of: None,
    };
    let run = insert(&mut unit, run).await?;
    let made = record(&mut unit, run, "job_run.queued", None).await?;
    unit.answers(201, made.view.clone());
    unit.commit().await?;
    Ok(made)
}

/// What a run said, behind a line; the cursor is the last line's number.
pub(crate) async fn list_lines(
    office: &Office,
    actor: &Actor,
    id: RunId,
    after: i64,
    limit: i64,
) -> Result<Page<LineView>, Fault> {
    let run = args![actor.path.as_str(), id];
    office.db.fetch_optional(&sql::FIND_RUN, run).await?.ok_or(Fault::NotFound("job_run"))?;
    let args = args![actor.path.as_str(), id, after, limit + 1];
    let rows = office.db.fetch_all(&sql::LIST_LINES, args).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        views.push(LineView { seq: row.get("seq")?, at: row.get("at")?, line: row.get("line")? });
    }
    Ok(Page::of(views, limit, |view| view.seq.to_string()))
}

/// Ends a run that waits, or asks one under way to end.
pub(crate) async fn cancel(
    office: &Office,
    actor: &Actor,
    id: RunId,
    expected: Option<i64>,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let (run, before) = find_in(&mut unit, id, expected).await?;
    let (now, label) = (unit.now, actor.label());
    let args = || args![id, now, label.as_str()];
    let kind = if unit.execute(&sql::CANCEL_QUEUED, args()).await? == 1 {
        unit.execute(&sql::SET_LAST_STATE, args![run.job, id, "cancelled"]).await?;
        "job_run.cancelled"
    } else if unit.execute(&sql::ASK_CANCEL, args()).await? == 1 {
        "job_run.cancel_requested"
    } else {
        let detail = "it has ended already".to_owned();
        return Err(Fault::Conflict { pointer: "/state", detail });
    };
    let made = record(&mut unit, id, kind, Some(before)).await?;
    unit.wake_runner();
    unit.commit().await?;
    Ok(made)
}

/// Queues a run that does again what one did that failed, partly failed or was cancelled.
pub(crate) async fn retry(
    office: &Office,
    actor: &Actor,
    id: RunId,
    expected: Option<i64>,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let (run, _) = find_in(&mut unit, id, expected).await?;
    may(actor, registry::find(KINDS, &run.kind))?;
    if !["failed", "partial", "cancelled"].contains(&run.state.as_str()) {
        let detail = format!("it is {}; a run that failed can be retried", run.state);
        return Err(Fault::Conflict { pointer: "/state", detail });
    }
    let again = NewRun {
        organisation: run.organisation,
        job: run.job,
        kind: &run.kind,
        queue: &run.queue,
        arguments: run.arguments,
        maintenance: &run.maintenance,
        attempts_max: run.attempts_max,
        planned_at: run.planned_at,
        run_at: unit.now,
        retry_of: Some(id),
    };
    let new = insert(&mut unit, again).await?;
    let made = record(&mut unit, new, "job_run.queued", None).await?;
    unit.answers(201, made.view.clone());
    unit.commit().await?;
    Ok(made)
}

/// What a kind asks for beyond `jobs.run`, which the route asks for.
fn may(actor: &Actor, kind: Option<&Kind>) -> Result<(), Fault> {
    kind.map_or(Ok(()), |kind| actor.may(kind.permission))
}

/// A run of the actor's subtree, and its public form.
async fn find_in(
    unit: &mut Unit<'_>,
    id: RunId,
    expected: Option<i64>,
) -> Result<(Run, serde_json::Value), Fault> {
    let row = unit.fetch_optional(&sql::FIND_RUN, args![unit.actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound("job_run"))?;
    let run = sql::run(&row)?;
    if expected.is_some_and(|expected| expected != run.version) {
        return Err(Fault::Stale);
    }
    Ok((run, shown(&JOB_RUN, &row, &[])?))
}

/// Explains a schedule and says when it comes next; the zone is the caller's organisation's
/// where the body names none.
pub(crate) async fn preview(office: &Office, actor: &Actor, body: &[u8]) -> Result<Preview, Fault> {
    let mut input = Input::parse(body)?;
    let cron = input.optional_text("schedule", 100).unwrap_or_default();
    if cron.is_empty() {
        input.missing("schedule");
    }
    let zone = match input.optional_text("zone", 60) {
        Some(zone) => zone,
        None => {
            let row = office.db.fetch_one(&organisation::FIND, args![actor.organisation]).await?;
            organisation::organisation(&row)?.zone
        }
    };
    let schedule = Schedule::parse(&cron, &zone);
    match &schedule {
        Ok(_) => {}
        Err(ScheduleError::Zone) => input.fault("zone", ScheduleError::Zone.to_string()),
        // That it is missing was said.
        Err(_) if cron.is_empty() => {}
        Err(error) => input.fault("schedule", error.to_string()),
    }
    input.finish()?;
    let refuse = |error: ScheduleError| Fault::field("/schedule", error.to_string());
    let schedule = schedule.map_err(refuse)?;
    let description = schedule::describe(&cron).map_err(refuse)?;
    let next = std::iter::successors(schedule.next(office.now()), |at| schedule.next(*at));
    Ok(Preview { description, zone, next: next.take(PREVIEW).collect() })
}
