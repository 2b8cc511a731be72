//! One run: its function works in a task of its own, watched from here. The watch renews the
//! lease, writes what the function says, passes on cancel and stop, and writes how it ended.

use std::sync::Arc;
use std::time::Duration;

use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::policy::Key;
use serde_json::{Value, json};
use store::{StoreError, args};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::context::{Context, Line, Said};
use super::entities::JOB_RUN;
use super::kind::{JobError, Kind, Lost, Outcome, backoff};
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::entity::read::shown;
use crate::mail::letters;
use crate::store::job as sql;
use crate::store::job::Run;

/// How long a lease lasts without a heartbeat.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed.
const BEAT: Duration = Duration::from_secs(5);
/// A lease that could not be renewed is given up this long before it ends.
const MARGIN: Duration = Duration::from_secs(8);
/// How often what the function says is written.
const TICK: Duration = Duration::from_millis(500);
/// How long a function may take to end after it was asked to.
const CANCEL_GRACE: Duration = Duration::from_secs(30);
/// The same at a stop of the program, which does not wait longer than that itself.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// How often one run is taken over: what ends its process again and again must not go on.
const TAKEOVERS_MAX: i64 = 3;
/// How long to wait before writing the end again, where the database failed.
const RETRY: Duration = Duration::from_secs(1);
/// Largest result that is kept, octets.
const RESULT_OCTETS_MAX: usize = 256 * 1024;

const _: () = assert!(BEAT.as_secs() + MARGIN.as_secs() < LEASE.as_secs());

/// A run that was claimed.
pub(super) struct Execution {
    pub(super) office: Arc<Office>,
    /// Nothing where this program does not know the run's kind.
    pub(super) kind: Option<&'static Kind>,
    pub(super) run: Run,
    /// The path of its organisation.
    pub(super) path: String,
    pub(super) owner: String,
    pub(super) said: Arc<Said>,
    pub(super) stop: Shutdown,
    /// When the lease was last renewed.
    pub(super) kept_at: Instant,
}

/// How the function ended, as the watch saw it.
enum End {
    Done(Result<Outcome, JobError>),
    Panicked(String),
    TimedOut(Duration),
    /// Asked to end for a cancel, it did not.
    CancelForced,
    /// Asked to end for a stop, it did not.
    StopForced,
    /// Another runner may have it by now.
    LeaseLost,
}

/// What is written.
enum Verdict {
    Finish { state: &'static str, result: Option<Value>, error: Option<String> },
    Again { error: String, after: Duration },
    PutBack,
    Nothing,
}

/// The function's task; dropping this ends it.
struct Task(JoinHandle<Result<Outcome, JobError>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Execution {
    /// Works on the run until it ended or was put back.
    pub(super) async fn carry_out(mut self) {
        let began = Instant::now();
        let verdict = match self.refusal() {
            Some(verdict) => verdict,
            None => {
                let end = self.watch().await;
                self.verdict(end)
            }
        };
        let seconds = began.elapsed().as_secs_f64();
        let (run, kind) = (self.run.id, self.run.kind.clone());
        let state: &'static str = match &verdict {
            Verdict::Finish { state, .. } => state,
            Verdict::Again { .. } => "again",
            Verdict::PutBack => "put back",
            Verdict::Nothing => "lost",
        };
        counter!("job_runs_total", "kind" => kind.clone(), "state" => state).increment(1);
        info!(%run, kind, state, seconds, "a job run ended");
        self.write(verdict).await;
    }

    /// Why it is not even begun, where that is so.
    fn refusal(&self) -> Option<Verdict> {
        let finish = |state, error: &str| Verdict::Finish {
            state,
            result: None,
            error: Some(error.to_owned()),
        };
        let Some(kind) = self.kind else {
            return Some(finish("failed", "this version of the program does not know its kind"));
        };
        if self.run.cancel_requested {
            return Some(Verdict::Finish { state: "cancelled", result: None, error: None });
        }
        // Counted from the attempt's beginning: more than none is a run that was taken over.
        let given_up = match kind.lost {
            Lost::Fail => self.run.takeovers > 0,
            Lost::Again => self.run.takeovers > TAKEOVERS_MAX,
        };
        given_up.then(|| finish("failed", "its process ended while it ran"))
    }

    /// Starts the function and watches it to its end.
    async fn watch(&mut self) -> End {
        // Checked by `refusal`.
        let Some(kind) = self.kind else { return End::LeaseLost };
        let context = Context {
            office: self.office.clone(),
            actor: Actor::system(kind.name, self.run.organisation, self.path.clone()),
            run: self.run.id,
            arguments: self.run.arguments.clone(),
            created_by: self.run.created_by.clone(),
            impersonator: self.run.impersonator.clone(),
            attempt: self.run.attempt,
            taken_over: self.run.takeovers > 0,
            said: self.said.clone(),
        };
        let mut task = Task(tokio::spawn(async move { (kind.run)(&context).await }));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let limit = Instant::now() + kind.limit;
        let (mut cancel_by, mut stop_by) = (None, None);
        loop {
            tokio::select! {
                joined = &mut task.0 => return ended(joined),
                _ = ticks.tick() => {}
                () = self.stop.soft(), if stop_by.is_none() => {
                    self.said.ask_stop();
                    stop_by = Some(Instant::now() + STOP_GRACE);
                }
            }
            let now = Instant::now();
            if self.said.is_cancelled() && cancel_by.is_none() {
                cancel_by = Some(now + CANCEL_GRACE);
            }
            let over = |by: Option<Instant>| by.is_some_and(|by| now >= by);
            let forced = if self.keep().await {
                match () {
                    () if over(cancel_by) => End::CancelForced,
                    () if over(stop_by) => End::StopForced,
                    () if now >= limit => End::TimedOut(kind.limit),
                    () => continue,
                }
            } else {
                End::LeaseLost
            };
            // Ended before the run is anybody else's.
            task.0.abort();
            return match (&mut task.0).await {
                Err(failed) if failed.is_cancelled() => forced,
                // It ended by itself at the same moment, and that counts, unless the run is
                // somebody else's.
                joined if !matches!(forced, End::LeaseLost) => ended(joined),
                _ => forced,
            };
        }
    }

    /// Writes what was said and renews the lease, where that is due; false where the lease is
    /// lost, or may be soon.
    async fn keep(&mut self) -> bool {
        let progress = self.said.take_progress();
        let lines = self.said.take_lines();
        if progress.is_none() && lines.is_empty() && self.kept_at.elapsed() < BEAT {
            return true;
        }
        let began = Instant::now();
        let written = async {
            let mut tx = self.office.db.begin().await?;
            let now = self.office.now();
            let lease = args![
                self.run.id,
                self.owner.as_str(),
                now,
                now.plus_seconds(LEASE.as_secs() as i64)
            ];
            if tx.execute(&sql::BEAT, lease).await? == 0 {
                return Err(StoreError::Stale);
            }
            if let Some(progress) = &progress {
                let args = args![
                    self.run.id,
                    self.owner.as_str(),
                    progress.done,
                    progress.total,
                    progress.note.clone()
                ];
                tx.execute(&sql::PROGRESS, args).await?;
            }
            for line in &lines {
                tx.execute(&sql::INSERT_LINE, line_args(self.run.id, line)).await?;
            }
            tx.commit().await
        }
        .await;
        match written {
            Ok(()) => {
                self.kept_at = began;
                true
            }
            Err(StoreError::Stale) => false,
            Err(error) => {
                warn!(run = %self.run.id, %error, "the lease of a job run could not be renewed");
                self.said.give_back(lines);
                if progress.is_some() {
                    self.said.progress_unwritten();
                }
                self.kept_at.elapsed() + MARGIN < LEASE
            }
        }
    }

    /// What becomes of the run; says so in its log.
    fn verdict(&self, end: End) -> Verdict {
        let finish = |state, result, error| Verdict::Finish { state, result, error };
        match end {
            End::Done(Ok(Outcome::Succeeded(result))) => {
                finish("succeeded", self.kept_result(result), None)
            }
            End::Done(Ok(Outcome::Partial(result))) => {
                finish("partial", self.kept_result(result), None)
            }
            End::Done(Err(JobError::Cancelled)) | End::CancelForced => {
                finish("cancelled", None, None)
            }
            End::Done(Err(JobError::Stopped)) if self.stop.is_soft() => Verdict::PutBack,
            End::Done(Err(JobError::Stopped)) => {
                finish("failed", None, Some("it ended without a reason".to_owned()))
            }
            End::StopForced if self.lost() == Lost::Again => Verdict::PutBack,
            End::StopForced => {
                let error = "the program was stopped while it ran";
                finish("failed", None, Some(error.to_owned()))
            }
            End::Done(Err(JobError::Failed { public, source })) => {
                self.tell(&public, source);
                finish("failed", None, Some(public))
            }
            End::Done(Err(JobError::Again { public, source })) => {
                self.tell(&public, source);
                self.again(public)
            }
            End::TimedOut(limit) => {
                self.again(format!("it took longer than {} minutes", limit.as_secs() / 60))
            }
            End::Panicked(message) => {
                error!(run = %self.run.id, kind = %self.run.kind, message, "a job panicked");
                finish("failed", None, Some("something went wrong here".to_owned()))
            }
            End::LeaseLost => Verdict::Nothing,
        }
    }

    fn lost(&self) -> Lost {
        self.kind.map_or(Lost::Fail, |kind| kind.lost)
    }

    /// Another attempt, where there may be one.
    fn again(&self, error: String) -> Verdict {
        if self.run.attempt >= self.run.attempts_max {
            return Verdict::Finish { state: "failed", result: None, error: Some(error) };
        }
        let after = backoff(self.run.id, self.run.attempt);
        Verdict::Again { error, after }
    }

    /// The private cause goes to the program's log.
    fn tell(&self, public: &str, source: Option<Box<dyn std::error::Error + Send + Sync>>) {
        let cause = source.map(|source| daemon::exit::chain(source.as_ref()));
        let cause = cause.as_deref().unwrap_or("");
        warn!(run = %self.run.id, kind = %self.run.kind, error = public, cause, "a job failed");
    }

    /// A result as it is kept; a kind with more to say writes a file or a table.
    fn kept_result(&self, result: Value) -> Option<Value> {
        if result.is_null() {
            return None;
        }
        let octets = result.to_string().len();
        if octets > RESULT_OCTETS_MAX {
            self.said.line(self.office.now(), format!("its result of {octets} octets is left out"));
            return Some(json!({"left_out_octets": octets}));
        }
        Some(result)
    }

    /// Writes how it ended, until that is done: the work must not be forgotten because the
    /// database is away for a moment. Whoever took the run over meanwhile is not disturbed,
    /// since each statement names the lease.
    async fn write(&self, verdict: Verdict) {
        let now = self.office.now();
        match &verdict {
            Verdict::Again { error, after } => {
                let seconds = after.as_secs();
                let text =
                    format!("attempt {} failed: {error}; again in {seconds} s", self.run.attempt);
                self.said.line(now, text);
            }
            Verdict::Finish { error: Some(error), .. } => {
                self.said.line(now, format!("failed: {error}"))
            }
            Verdict::PutBack => {
                self.said.line(now, "the program stops: begins again later".to_owned())
            }
            Verdict::Finish { .. } | Verdict::Nothing => {}
        }
        if matches!(verdict, Verdict::Nothing) {
            return;
        }
        loop {
            let lines = self.said.take_lines();
            let fault = match self.write_once(&verdict, &lines).await {
                // The lease was somebody else's, and so is the log.
                Ok(()) | Err(Fault::Stale) => return,
                Err(fault) => fault,
            };
            self.said.give_back(lines);
            warn!(run = %self.run.id, error = %daemon::exit::chain(&fault), "the end of a job run could not be written");
            tokio::select! {
                // A database that is away tells nobody when it is back.
                () = tokio::time::sleep(RETRY) => {}
                () = self.stop.hard() => return,
            }
        }
    }

    async fn write_once(&self, verdict: &Verdict, lines: &[Line]) -> Result<(), Fault> {
        let actor = Actor::system("jobs", self.run.organisation, self.path.clone());
        let mut unit = Unit::begin(&self.office, &actor).await?;
        let (id, owner, now) = (self.run.id, self.owner.as_str(), unit.now);
        let written = match verdict {
            Verdict::Finish { state, result, error } => {
                let progress = self.said.progress();
                let args = args![
                    id,
                    owner,
                    *state,
                    result.clone(),
                    error.clone(),
                    now,
                    progress.done,
                    progress.total,
                    progress.note
                ];
                unit.execute(&sql::FINISH, args).await?
            }
            Verdict::Again { error, after } => {
                let at = now.plus_seconds(i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
                let args = args![id, owner, at, error.as_str(), 0_i64, now];
                unit.execute(&sql::PUT_BACK, args).await?
            }
            Verdict::PutBack => {
                unit.execute(&sql::PUT_BACK, args![id, owner, now, None::<String>, 1_i64, now])
                    .await?
            }
            Verdict::Nothing => 0,
        };
        if written == 0 {
            return Err(Fault::Stale);
        }
        let state = match verdict {
            Verdict::Finish { state, .. } => *state,
            _ => "queued",
        };
        unit.execute(&sql::SET_LAST_STATE, args![self.run.job, id, state]).await?;
        for line in lines {
            unit.execute(&sql::INSERT_LINE, line_args(id, line)).await?;
        }
        if let Verdict::Finish { state, .. } = verdict {
            let row = unit.fetch_one(&sql::FIND_RUN, args![self.path.as_str(), id]).await?;
            let payload = shown(&JOB_RUN, &row, &[])?;
            let kind = format!("job_run.{state}");
            let event =
                Event { kind: &kind, entity_id: id.to_string(), payload, policy: &[] as &[Key] };
            unit.announce(self.run.organisation, event).await?;
        }
        if let Verdict::Finish { state: "failed", error, .. } = verdict {
            let (run, why) = (id.to_string(), error.as_deref().unwrap_or(""));
            letters::job_failed(&mut unit, self.run.organisation, &run, &self.run.kind, why)
                .await?;
        }
        unit.commit().await
    }
}

fn line_args(run: model::RunId, line: &Line) -> store::Args {
    args![run, line.seq, line.at, line.text.as_str()]
}

fn ended(joined: Result<Result<Outcome, JobError>, JoinError>) -> End {
    match joined {
        Ok(result) => End::Done(result),
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                End::Panicked(text.unwrap_or_default())
            }
            // Nobody but the watch ends the task, and it does not ask again then.
            Err(_) => End::StopForced,
        },
    }
}
