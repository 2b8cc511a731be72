//! Runs are claimed, bounded per queue, and watched until they end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use daemon::lifecycle::Shutdown;
use model::{RunId, Ts};
use store::{Row, args};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info, warn};

use super::context::Said;
use super::execution::{Execution, LEASE};
use super::kind::Kind;
use super::planner;
use super::registry::{self, QUEUES, Queue};
use crate::domain::{Fault, Office};
use crate::store::job as sql;

/// The longest sleep: what another process queued does not wake this one.
const POLL: Duration = Duration::from_secs(2);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The task that works on runs. Any number of them may work on one Postgres; SQLite has one
/// process.
pub(crate) struct Runner {
    office: Arc<Office>,
    kinds: &'static [&'static Kind],
    stop: Shutdown,
    /// What its leases are signed with.
    owner: String,
    executions: JoinSet<()>,
    under_way: HashMap<Id, UnderWay>,
}

struct UnderWay {
    run: RunId,
    queue: &'static str,
    said: Arc<Said>,
}

impl Runner {
    /// A runner that knows these kinds.
    pub(crate) fn new(
        office: Arc<Office>,
        kinds: &'static [&'static Kind],
        stop: Shutdown,
    ) -> Self {
        let owner = uuid::Uuid::now_v7().simple().to_string();
        let (executions, under_way) = (JoinSet::new(), HashMap::new());
        Self { office, kinds, stop, owner, executions, under_way }
    }

    /// Works until stopped. What is under way then is told, given time to end, and put back.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut failing = false;
        while !self.stop.is_soft() {
            let wait = match self.turn().await {
                Ok(wait) => {
                    if std::mem::take(&mut failing) {
                        info!("jobs run again");
                    }
                    wait
                }
                Err(fault) => {
                    if !std::mem::replace(&mut failing, true) {
                        warn!(error = %daemon::exit::chain(&fault), "jobs cannot be looked at");
                    }
                    RETRY
                }
            };
            tokio::select! {
                Some(joined) = self.executions.join_next_with_id() => self.ended(joined),
                () = self.office.queued.notified() => {}
                // Until the next run is due; what another process queued is found by looking.
                () = tokio::time::sleep(wait) => {}
                () = self.stop.soft() => {}
            }
        }
        self.settle().await;
        Ok(())
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn settle(&mut self) {
        while let Some(joined) = self.executions.join_next_with_id().await {
            self.ended(joined);
        }
    }

    /// Plans what is due, begins what can be begun; how long there is nothing to do.
    pub(crate) async fn turn(&mut self) -> Result<Duration, Fault> {
        let planned = planner::plan(&self.office, self.kinds).await;
        // A job that cannot be planned does not hold up the runs that wait.
        if let Err(fault) = &planned {
            warn!(error = %daemon::exit::chain(fault), "jobs could not be planned");
        }
        self.pass_on_cancels().await?;
        let now = self.office.now();
        let mut wait = POLL;
        for row in self.office.db.fetch_all(&sql::DUE_RUNS, args![]).await? {
            let (name, due): (String, Ts) = (row.get("queue")?, row.get("due")?);
            let Some(queue) = QUEUES.iter().find(|queue| queue.name == name) else { continue };
            if due > now {
                wait = wait.min(until(now, due));
                continue;
            }
            while self.busy(queue.name) < queue.at_once && self.claim(queue).await? {}
        }
        if let Some(due) = planner::next_due(&self.office).await? {
            // One that is due still could not be planned: no hurry.
            wait = if due > now { wait.min(until(now, due)) } else { wait };
        }
        Ok(wait)
    }

    fn busy(&self, queue: &str) -> usize {
        self.under_way.values().filter(|execution| execution.queue == queue).count()
    }

    /// Takes one run of a queue and begins it; false where there is none to take.
    async fn claim(&mut self, queue: &'static Queue) -> Result<bool, Fault> {
        // Counted from before the claim: the lease ends no earlier than this believes.
        let claimed_at = tokio::time::Instant::now();
        let now = self.office.now();
        let mut tx = self.office.db.begin().await?;
        let lease = now.plus_seconds(LEASE_S);
        let args = args![queue.name, now, self.owner.as_str(), lease, queue.each, queue.each_max];
        let row: Option<Row> = match tx.fetch_optional(&sql::CLAIM, args).await {
            // Another process began another run of the same job at this moment.
            Err(store::StoreError::Unique { .. }) => return Ok(false),
            row => row?,
        };
        let Some(row) = row else { return Ok(false) };
        let run = sql::run(&row)?;
        let path = tx.fetch_one(&sql::PATH_OF, args![run.organisation]).await?.get("path")?;
        let lines = tx.fetch_one(&sql::LAST_LINE, args![run.id]).await?.get("last")?;
        tx.execute(&sql::SET_LAST_STATE, args![run.job, run.id, "running"]).await?;
        tx.commit().await?;

        let said = Arc::new(Said::after(lines));
        let id = run.id;
        let execution = Execution {
            office: self.office.clone(),
            kind: registry::find(self.kinds, &run.kind),
            run,
            path,
            owner: self.owner.clone(),
            said: said.clone(),
            stop: self.stop.clone(),
            kept_at: claimed_at,
        };
        let handle = self.executions.spawn(execution.carry_out());
        self.under_way.insert(handle.id(), UnderWay { run: id, queue: queue.name, said });
        Ok(true)
    }

    /// Tells runs under way here that somebody wants them to end.
    async fn pass_on_cancels(&self) -> Result<(), Fault> {
        if self.under_way.is_empty() {
            return Ok(());
        }
        let rows = self.office.db.fetch_all(&sql::TO_CANCEL, args![self.owner.as_str()]).await?;
        for row in rows {
            let id: RunId = row.get("id")?;
            for execution in self.under_way.values().filter(|execution| execution.run == id) {
                execution.said.ask_cancel();
            }
        }
        Ok(())
    }

    fn ended(&mut self, joined: Result<(Id, ()), JoinError>) {
        let id = match &joined {
            Ok((id, ())) => *id,
            Err(failed) => failed.id(),
        };
        let Some(execution) = self.under_way.remove(&id) else { return };
        if let Err(failed) = joined {
            // The watching failed, not the job, which has ended with it: the lease runs out.
            error!(run = %execution.run, error = %failed, "a job run lost its watch");
        }
    }
}

const LEASE_S: i64 = LEASE.as_secs() as i64;

/// How long until an instant, as a sleep.
fn until(now: Ts, due: Ts) -> Duration {
    Duration::from_micros(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0))
}
