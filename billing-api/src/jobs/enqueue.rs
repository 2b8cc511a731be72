//! A run is queued, in the transaction of what asks for it.

use model::policy::Key;
use model::{JobId, OrganisationId, RunId, Ts};
use serde_json::Value;
use store::args;

use super::entities::JOB_RUN;
use super::kind::Kind;
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::entity::read::shown;
use crate::entity::write::Made;
use crate::store::job as sql;

/// Runs of one organisation that wait, at most; who asks for more is told to come again.
pub(crate) const WAITING_MAX: i64 = 1000;
/// When to come again, seconds.
const COME_AGAIN_S: u32 = 60;

/// Queues a run of a kind in an organisation. It begins after the unit is committed; nothing
/// is audited beyond what the unit records itself.
pub(crate) async fn enqueue(
    unit: &mut Unit<'_>,
    kind: &Kind,
    organisation: OrganisationId,
    arguments: Value,
) -> Result<RunId, Fault> {
    let now = unit.now;
    let run = NewRun {
        organisation,
        job: None,
        kind: kind.name,
        queue: kind.queue,
        arguments,
        maintenance: "wait",
        attempts_max: kind.retries + 1,
        planned_at: None,
        run_at: now,
        retry_of: None,
    };
    insert(unit, run).await
}

/// Whether a run of a kind with these arguments waits in an organisation, or is under way.
pub(crate) async fn is_open(
    unit: &mut Unit<'_>,
    kind: &Kind,
    organisation: OrganisationId,
    arguments: &Value,
) -> Result<bool, Fault> {
    let args = args![organisation, kind.name, arguments.clone()];
    Ok(unit.fetch_optional(&sql::IS_OPEN, args).await?.is_some())
}

/// Queues a run of a kind in the actor's organisation, as a change of its own.
pub(crate) async fn start(
    office: &Office,
    actor: &Actor,
    kind: &Kind,
    arguments: Value,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let id = enqueue(&mut unit, kind, actor.organisation, arguments).await?;
    let made = record(&mut unit, id, "job_run.queued", None).await?;
    unit.answers(202, made.view.clone());
    unit.commit().await?;
    Ok(made)
}

/// What a new run is.
pub(super) struct NewRun<'a> {
    pub(super) organisation: OrganisationId,
    pub(super) job: Option<JobId>,
    pub(super) kind: &'a str,
    pub(super) queue: &'a str,
    pub(super) arguments: Value,
    pub(super) maintenance: &'a str,
    pub(super) attempts_max: i64,
    pub(super) planned_at: Option<Ts>,
    pub(super) run_at: Ts,
    pub(super) retry_of: Option<RunId>,
}

/// Writes the row, and wakes the runner with the commit.
pub(super) async fn insert(unit: &mut Unit<'_>, run: NewRun<'_>) -> Result<RunId, Fault> {
    if is_full(unit, run.organisation).await? {
        return Err(Fault::TooMany(COME_AGAIN_S));
    }
    let id = RunId::generate();
    let args = args![
        id,
        run.organisation,
        run.job,
        run.kind,
        run.queue,
        run.arguments,
        run.maintenance,
        run.attempts_max,
        run.planned_at,
        run.run_at,
        run.retry_of,
        unit.now,
        unit.actor.label(),
        unit.actor.impersonator.map(|id| id.to_string())
    ];
    unit.execute(&sql::INSERT_RUN, args).await?;
    if let Some(job) = run.job {
        unit.execute(&sql::SET_LAST_RUN, args![job, id]).await?;
    }
    unit.wake_runner();
    Ok(id)
}

/// Whether an organisation has as many waiting runs as it may.
pub(super) async fn is_full(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
) -> Result<bool, Fault> {
    let row = unit.fetch_one(&sql::COUNT_WAITING, args![organisation, WAITING_MAX]).await?;
    let waiting: i64 = row.get("count")?;
    Ok(waiting >= WAITING_MAX)
}

/// Records what somebody did with a run; how it is now.
pub(super) async fn record(
    unit: &mut Unit<'_>,
    id: RunId,
    kind: &str,
    before: Option<Value>,
) -> Result<Made, Fault> {
    let row = unit.fetch_one(&sql::FIND_RUN, args![unit.actor.path.as_str(), id]).await?;
    let view = shown(&JOB_RUN, &row, &[])?;
    let payload = view.clone();
    let event = Event { kind, entity_id: id.to_string(), payload, policy: &[] as &[Key] };
    unit.record(row.get("organisation_id")?, event, before).await?;
    Ok(Made { id: id.0, view, version: row.get("version")? })
}
