//! Jobs, runs and maintenance windows as entities: what one can see and change of them. What
//! one can do with them is in [`super::manage`].

use serde_json::Value as Json;
use store::{Row, StoreError, Value, args};

use super::registry;
use super::schedule::Schedule;
use crate::domain::{Fault, Input, Unit};
use crate::entity::export::scheduled::DELIVER;
use crate::entity::{Draft, Entity, Field, Flags, Hooks, Kind, Verbs};
use crate::store::organisation;

/// What becomes of times that passed while nothing ran.
const CATCH_UP: &[&str] = &["once", "all", "skip"];
/// What a maintenance window means to a job: it waits for the end, ignores it, or runs only
/// inside one.
const MAINTENANCE: &[&str] = &["wait", "ignore", "inside"];
/// The states of a run.
const STATES: &[&str] = &["queued", "running", "succeeded", "partial", "failed", "cancelled"];
/// What a window can hold: [`registry::QUEUES`], or all of them.
const HELD: &[&str] = &["all", "default", "transfer", "upkeep"];
/// Most attempts after the first.
const RETRIES_MAX: i64 = 20;
/// Longest window, seconds: 31 days.
const WINDOW_S_MAX: f64 = 31.0 * 86_400.0;

const GIVEN: Flags = Flags::REQUIRED.and(Flags::WRITABLE);
const SHOWN: Flags = Flags::LISTED;

/// A job: work by schedule or by hand. The program brings one for each kind with a schedule.
pub(crate) const JOB: Entity = Entity {
    name: "job",
    path: "jobs",
    table: "job",
    prefix: "job",
    permission: "jobs",
    verbs: Verbs::UPDATE,
    fields: &[
        Field::new(
            "name",
            Kind::Text(100),
            GIVEN.and(Flags::SORTABLE).and(Flags::FILTERABLE).and(SHOWN),
        ),
        Field::new(
            "kind",
            Kind::Text(60),
            Flags::FILLED.and(Flags::SORTABLE).and(Flags::FILTERABLE).and(SHOWN),
        ),
        Field::new("schedule", Kind::Text(100), Flags::WRITABLE.and(SHOWN)),
        Field::new("zone", Kind::Zone, Flags::WRITABLE),
        Field::new("enabled", Kind::Flag, GIVEN.and(SHOWN)),
        Field::new("next_at", Kind::Time, SHOWN),
        Field::new("last_run_id", Kind::Reference("run", "job_run"), Flags::NONE),
        Field::new("last_state", Kind::Choice(STATES), Flags::FILTERABLE.and(SHOWN)),
        Field::new("queue", Kind::Text(40), Flags::NONE),
        Field::new(
            "arguments",
            Kind::Document(Some(|input| Some(Json::Object(input.rest())))),
            GIVEN,
        ),
        Field::new("catch_up", Kind::Choice(CATCH_UP), GIVEN),
        Field::new("retries", Kind::Integer(0, RETRIES_MAX), Flags::WRITABLE),
        Field::new("maintenance", Kind::Choice(MAINTENANCE), GIVEN),
    ],
    hooks: Hooks {
        check: check_job,
        before: |unit, _, draft, before| Box::pin(plan(unit, draft, before)),
        // Its next time may come sooner than what the runner sleeps until.
        after: |unit, _| {
            unit.wake_runner();
            Box::pin(std::future::ready(Ok(())))
        },
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

/// One execution of a job, or of a kind without one.
pub(crate) const JOB_RUN: Entity = Entity {
    name: "job_run",
    path: "job-runs",
    table: "job_run",
    prefix: "run",
    permission: "jobs",
    verbs: Verbs::READ,
    title: "kind",
    fields: &[
        Field::new("kind", Kind::Text(60), Flags::FILLED.and(Flags::FILTERABLE).and(SHOWN)),
        Field::new("job_id", Kind::Reference("job", "job"), Flags::FILTERABLE),
        Field::new("state", Kind::Choice(STATES), Flags::FILLED.and(Flags::FILTERABLE).and(SHOWN)),
        Field::new("queue", Kind::Text(40), Flags::NONE),
        Field::new("arguments", Kind::Document(None), Flags::NONE),
        Field::new("attempt", Kind::Integer(0, i64::MAX), Flags::NONE),
        Field::new("attempts_max", Kind::Integer(1, i64::MAX), Flags::NONE),
        Field::new("planned_at", Kind::Time, Flags::NONE),
        Field::new("run_at", Kind::Time, Flags::NONE),
        Field::new("started_at", Kind::Time, SHOWN),
        Field::new("heartbeat_at", Kind::Time, Flags::NONE),
        Field::new("finished_at", Kind::Time, SHOWN),
        Field::new("progress_done", Kind::Integer(0, i64::MAX), SHOWN),
        Field::new("progress_total", Kind::Integer(0, i64::MAX), SHOWN),
        Field::new("note", Kind::Text(500), Flags::NONE),
        Field::new("result", Kind::Document(None), Flags::NONE),
        Field::new("error", Kind::Text(500), SHOWN),
        Field::new("retry_of", Kind::Reference("run", "job_run"), Flags::NONE),
        Field::new("cancel_requested", Kind::Flag, Flags::NONE),
        Field::new("created_by", Kind::Text(100), Flags::NONE),
    ],
    ..Entity::PLAIN
};

/// A time in which a queue rests, for an organisation and those below it.
pub(crate) const MAINTENANCE_WINDOW: Entity = Entity {
    name: "maintenance_window",
    path: "maintenance-windows",
    table: "maintenance_window",
    prefix: "mwn",
    permission: "jobs",
    fields: &[
        Field::new("name", Kind::Text(100), GIVEN.and(Flags::SEARCHED).and(SHOWN)),
        Field::new(
            "starts_at",
            Kind::Time,
            GIVEN.and(Flags::SORTABLE).and(Flags::FILTERABLE).and(SHOWN),
        ),
        Field::new(
            "ends_at",
            Kind::Time,
            GIVEN.and(Flags::SORTABLE).and(Flags::FILTERABLE).and(SHOWN),
        ),
        Field::new("queue", Kind::Choice(HELD), GIVEN.and(SHOWN)),
    ],
    hooks: Hooks {
        before: |_, _, draft, before| Box::pin(std::future::ready(check_window(draft, before))),
        // What waited for it, or for its end, may begin.
        after: |unit, _| {
            unit.wake_runner();
            Box::pin(std::future::ready(Ok(())))
        },
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

fn check_job(draft: &Draft, input: &mut Input) {
    // The zone is checked by its kind.
    if let Some(Err(error)) = draft.text("schedule").map(|cron| Schedule::parse(cron, "UTC")) {
        input.fault("schedule", error.to_string());
    }
}

/// Checks the arguments as the job's kind reads them, and finds the next time where something
/// about it changes.
async fn plan(unit: &mut Unit<'_>, draft: &mut Draft, before: Option<&Row>) -> Result<(), Fault> {
    // Jobs are created by the program, deleted and restored by nobody.
    let Some(before) = before else { return Ok(()) };
    let kind: String = before.get("kind")?;
    if let (Some(arguments), Some(kind)) =
        (draft.json("arguments"), registry::find(registry::KINDS, &kind))
    {
        let body = serde_json::Map::from_iter([("arguments".to_owned(), arguments.clone())]);
        let mut input = Input::of_fields(body);
        input.object("arguments", |arguments| {
            (kind.arguments)(arguments);
            Some(())
        });
        input.finish()?;
    }
    // Its schedule is the scheduled export's, which would not know of a change here.
    if kind == DELIVER.name {
        for (name, pointer) in [
            ("schedule", "/schedule"),
            ("zone", "/zone"),
            ("enabled", "/enabled"),
            ("arguments", "/arguments"),
        ] {
            if draft.value(name).is_some_and(|new| differs(before, name, new)) {
                return Err(Fault::field(pointer, "is changed at the scheduled export"));
            }
        }
    }
    let (schedule, old_schedule) = text_of(draft, before, "schedule")?;
    let (zone, old_zone) = text_of(draft, before, "zone")?;
    let old_enabled: bool = before.get("enabled")?;
    let enabled = draft.flag("enabled").unwrap_or(old_enabled);
    if (&schedule, &zone, enabled) == (&old_schedule, &old_zone, old_enabled) {
        return Ok(());
    }
    let zone = match zone {
        Some(zone) => zone,
        None => {
            let home: model::OrganisationId = before.get("organisation_id")?;
            let home = unit.fetch_one(&organisation::FIND, args![home]).await?;
            organisation::organisation(&home)?.zone
        }
    };
    let next = match schedule.filter(|_| enabled).map(|cron| Schedule::parse(&cron, &zone)) {
        None => None,
        Some(Ok(schedule)) => schedule.next(unit.now),
        Some(Err(error)) => return Err(Fault::field("/schedule", error.to_string())),
    };
    draft.set("next_at", next);
    Ok(())
}

/// Whether a column would change.
fn differs(before: &Row, name: &str, new: &Value) -> bool {
    match new {
        Value::Text(new) => before.get::<Option<String>>(name).ok().as_ref() != Some(new),
        Value::Bool(new) => before.get::<Option<bool>>(name).ok().as_ref() != Some(new),
        Value::Json(new) => before.get::<Option<Json>>(name).ok().as_ref() != Some(new),
        _ => true,
    }
}

/// A text as it will be, and as it was.
fn text_of(
    draft: &Draft,
    before: &Row,
    column: &str,
) -> Result<(Option<String>, Option<String>), StoreError> {
    let old: Option<String> = before.get(column)?;
    let new = match draft.value(column) {
        Some(Value::Text(text)) => text.clone(),
        _ => old.clone(),
    };
    Ok((new, old))
}

fn check_window(draft: &Draft, before: Option<&Row>) -> Result<(), Fault> {
    let time = |column: &str| match (draft.value(column), before) {
        (Some(Value::Time(at)), _) => Ok(*at),
        (_, Some(before)) => before.get(column),
        (_, None) => Ok(None),
    };
    let (Some(starts), Some(ends)) = (time("starts_at")?, time("ends_at")?) else { return Ok(()) };
    let fault = |detail: &str| Err(Fault::field("/ends_at", detail));
    match ends.since(starts) {
        length if length <= 0.0 => fault("must be later than starts_at"),
        length if length > WINDOW_S_MAX => fault("must be at most 31 days after starts_at"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::schedule::CatchUp;

    #[test]
    fn the_words_of_the_descriptions_are_those_of_the_engine() {
        assert!(CATCH_UP.iter().all(|rule| CatchUp::of(rule).is_some()));
        let queues: Vec<&str> = registry::QUEUES.iter().map(|queue| queue.name).collect();
        assert_eq!(HELD[0], "all");
        assert_eq!(HELD[1..], queues);
    }
}
