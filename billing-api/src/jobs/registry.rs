//! Every kind and queue, and the jobs an installation begins with.

use model::JobId;
use store::args;

use super::backup;
use super::entities::JOB;
use super::kind::Kind;
use super::purge;
use super::schedule::Schedule;
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::entity::export::{background, scheduled};
use crate::entity::import::job as import;
use crate::entity::read::shown;
use crate::store::job as sql;

/// A queue: how many of its runs a process works on at once, and how many an organisation may
/// have under way.
pub(crate) struct Queue {
    pub(crate) name: &'static str,
    pub(crate) at_once: usize,
    /// Of one organisation, while another one waits.
    pub(crate) each: i64,
    /// Of one organisation at any time: for runs that take hours, fewer than there is room for, so
    /// that whoever comes next finds some.
    pub(crate) each_max: i64,
}

/// As many as there are: the root's jobs are everybody's.
const ANY: i64 = i64::MAX;

/// Every queue. Long transfers and cleaning never hold up what somebody waits for.
pub(crate) const QUEUES: &[Queue] = &[
    Queue { name: "default", at_once: 4, each: ANY, each_max: ANY },
    // Imports, exports, bulk changes.
    Queue { name: "transfer", at_once: 3, each: 1, each_max: 2 },
    // Purges, backups.
    Queue { name: "upkeep", at_once: 1, each: ANY, each_max: ANY },
];

/// Every kind.
pub(crate) const KINDS: &[&Kind] = &[
    &backup::RUN,
    &purge::AUDIT,
    &purge::SESSIONS,
    &purge::IDEMPOTENCY,
    &purge::OUTBOX,
    &purge::DELETED,
    &purge::JOB_RUNS,
    &crate::entity::bulk::BULK,
    &import::RUN,
    &import::CHECK,
    &import::UNDO,
    &import::PURGE,
    &background::RUN,
    &background::PURGE,
    &scheduled::DELIVER,
];

/// A kind by name.
pub(crate) fn find(kinds: &[&'static Kind], name: &str) -> Option<&'static Kind> {
    kinds.iter().find(|kind| kind.name == name).copied()
}

/// Makes sure that the root organisation, in which `actor` acts, has a job of each kind with a
/// schedule. A job that was changed or deleted meanwhile stays as it is.
pub(crate) async fn ensure_jobs(
    office: &Office,
    actor: &Actor,
    kinds: &[&'static Kind],
    zone: &str,
) -> Result<(), Fault> {
    for kind in kinds {
        let Some(cron) = kind.schedule.filter(|_| (kind.is_set_up)(office)) else { continue };
        let known = args![actor.organisation, kind.name];
        if office.db.fetch_optional(&sql::HAS_KIND, known).await?.is_some() {
            continue;
        }
        let mut unit = Unit::begin(office, actor).await?;
        let schedule = Schedule::parse(cron, zone).map_err(|e| Fault::Internal(Box::new(e)))?;
        let id = JobId::generate();
        let args = args![
            id,
            actor.organisation,
            kind.name,
            kind.title,
            cron,
            None::<String>,
            kind.queue,
            serde_json::json!({}),
            true,
            schedule.next(unit.now),
            "once",
            None::<i64>,
            "wait",
            unit.now,
            actor.label()
        ];
        // Where two processes start at once, the second one's name is taken.
        if unit.execute(&sql::INSERT_JOB, args).await? == 0 {
            continue;
        }
        let row = unit.fetch_one(&sql::FIND_JOB, args![actor.path.as_str(), id]).await?;
        let payload = shown(&JOB, &row, &[])?;
        let event = Event { kind: "job.created", entity_id: id.to_string(), payload, policy: &[] };
        unit.record(actor.organisation, event, None).await?;
        unit.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own_and_queues_and_schedules_that_exist() {
        let mut names = HashSet::new();
        for kind in KINDS {
            assert!(names.insert(kind.name), "{} is there twice", kind.name);
            assert!(QUEUES.iter().any(|queue| queue.name == kind.queue), "{}", kind.name);
            assert!(kind.name.contains('.') && kind.permission.contains('.'), "{}", kind.name);
            if let Some(cron) = kind.schedule {
                assert!(Schedule::parse(cron, "UTC").is_ok(), "{}", kind.name);
            }
        }
    }
}
