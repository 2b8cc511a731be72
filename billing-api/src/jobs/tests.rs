//! The engine on both databases, with a clock that is moved by hand.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex};

use daemon::lifecycle::Shutdown;
use daemon::secrets::Keyring;
use model::{JobId, ManualClock, OrganisationId, RunId, Ts};
use serde::Deserialize;
use serde_json::{Value, json};
use store::args;
use store::testing::TestDb;

use super::entities::{JOB, JOB_RUN, MAINTENANCE_WINDOW};
use super::kind::{JobError, Kind, Lost, Outcome};
use super::manage;
use super::runner::Runner;
use super::{enqueue, planner, registry};
use crate::domain::{Actor, Fault, Office, Unit};
use crate::entity::query::ListQuery;
use crate::entity::write::Made;
use crate::entity::{Entity, read, write};
use crate::store::{MIGRATIONS, organisation};

/// How often each run's function was begun.
static BEGUN: LazyLock<Mutex<HashMap<RunId, u32>>> = LazyLock::new(Mutex::default);

fn begun(run: RunId) -> u32 {
    BEGUN.lock().unwrap().get(&run).copied().unwrap_or(0)
}

const COUNTS: Kind = Kind {
    schedule: Some("0 * * * *"),
    run: |context| {
        Box::pin(async move {
            *BEGUN.lock().unwrap().entry(context.run).or_default() += 1;
            Ok(Outcome::done())
        })
    },
    ..Kind::named("test.counts", "Counts")
};
const FLAKY: Kind = Kind {
    run: |context| {
        Box::pin(async move {
            match context.attempt {
                1 => Err(JobError::again("the other side is away")),
                _ => Ok(Outcome::Succeeded(json!({"attempt": context.attempt}))),
            }
        })
    },
    ..Kind::named("test.flaky", "Flaky")
};
const FAILS: Kind = Kind {
    retries: 1,
    run: |_| Box::pin(async { Err(JobError::again("never works")) }),
    ..Kind::named("test.fails", "Fails")
};
const PANICS: Kind = Kind {
    run: |context| {
        Box::pin(async move {
            context.log("before");
            panic!("a secret of the program")
        })
    },
    ..Kind::named("test.panics", "Panics")
};
const WAITS: Kind = Kind {
    run: |context| Box::pin(async move { Err(context.ended().await) }),
    ..Kind::named("test.waits", "Waits")
};
const HANGS: Kind = Kind {
    run: |context| {
        Box::pin(async move {
            *BEGUN.lock().unwrap().entry(context.run).or_default() += 1;
            if !context.taken_over {
                pending::<()>().await;
            }
            Ok(Outcome::done())
        })
    },
    ..Kind::named("test.hangs", "Hangs")
};
const ONCE: Kind =
    Kind { lost: Lost::Fail, run: |_| Box::pin(pending()), ..Kind::named("test.once", "Once") };
const SLOW: Kind = Kind {
    limit: std::time::Duration::ZERO,
    retries: 0,
    run: |_| Box::pin(pending()),
    ..Kind::named("test.slow", "Slow")
};
const SPEAKS: Kind = Kind {
    run: |context| {
        Box::pin(async move {
            context.progress(3, Some(4));
            context.note("rows");
            context.log("row 4: no name");
            Ok(Outcome::by_failures(1, json!({"done": 3, "failed": 1})))
        })
    },
    ..Kind::named("test.speaks", "Speaks")
};
const CARRIES: Kind = Kind {
    queue: "transfer",
    run: |context| Box::pin(async move { Err(context.ended().await) }),
    ..Kind::named("test.carries", "Carries")
};
const KINDS: &[&Kind] =
    &[&COUNTS, &FLAKY, &FAILS, &PANICS, &WAITS, &HANGS, &ONCE, &SLOW, &SPEAKS, &CARRIES];

/// A run as the API shows it.
#[derive(Debug, Deserialize)]
struct Run {
    id: RunId,
    state: String,
    attempt: i64,
    planned_at: Option<Ts>,
    run_at: Ts,
    finished_at: Option<Ts>,
    progress_done: i64,
    progress_total: Option<i64>,
    note: Option<String>,
    result: Option<Value>,
    error: Option<String>,
    retry_of: Option<RunId>,
    cancel_requested: bool,
}

fn run_of(made: &Made) -> Run {
    serde_json::from_value(made.view.clone()).unwrap()
}

static JOBS: &Entity = &JOB;
static RUNS: &Entity = &JOB_RUN;
static WINDOWS: &Entity = &MAINTENANCE_WINDOW;

/// The rows of a list, as somebody sees them.
async fn rows(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    parameters: &[(&str, &str)],
) -> Vec<Value> {
    let owned = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let query = ListQuery::parse(entity, &[], owned.collect::<BTreeMap<_, _>>()).unwrap();
    read::list(office, actor, entity, &query).await.unwrap().rows
}

async fn window(office: &Office, actor: &Actor, body: Value) -> Result<Made, Fault> {
    let draft = write::parse(WINDOWS, &[], body.to_string().as_bytes(), true)?;
    write::create(office, actor, WINDOWS, draft).await
}

async fn change_job(
    office: &Office,
    actor: &Actor,
    id: JobId,
    body: Value,
    expected: Option<i64>,
) -> Result<Value, Fault> {
    let draft = write::parse(JOBS, &[], body.to_string().as_bytes(), false)?;
    Ok(write::update(office, actor, JOBS, id.0, draft, expected).await?.view)
}

struct Lab {
    office: Arc<Office>,
    clock: Arc<ManualClock>,
    root: Actor,
    stop: Shutdown,
    db: TestDb,
}

/// A quarter past midnight.
const START: &str = "2026-05-01T00:15:00Z";

async fn labs() -> Vec<Lab> {
    let mut labs = Vec::new();
    for db in store::testing::engines("billing").await {
        db.db.migrate(&MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let office = Arc::new(Office::new(
            db.db.clone(),
            db.db.clone(),
            Keyring::ephemeral(),
            clock.clone(),
        ));
        let root = organisation_below(&office, None).await;
        let (_, stop) = Shutdown::new();
        labs.push(Lab { office, clock, root, stop, db });
    }
    labs
}

async fn organisation_below(office: &Office, parent: Option<&Actor>) -> Actor {
    let id = OrganisationId::generate();
    let path = format!("{}{}/", parent.map_or("", |parent| parent.path.as_str()), id.0.simple());
    let parent = parent.map(|parent| parent.organisation);
    let args = args![
        id,
        parent,
        path.as_str(),
        "isp",
        "Somebody",
        true,
        "USD",
        "Europe/Berlin",
        "en",
        office.now(),
        "test"
    ];
    office.db.execute(&organisation::INSERT, args).await.unwrap();
    Actor::system("test", id, path)
}

impl Lab {
    fn runner(&self) -> Runner {
        Runner::new(self.office.clone(), KINDS, self.stop.clone())
    }

    async fn start(&self, kind: &Kind) -> RunId {
        enqueue::start(&self.office, &self.root, kind, json!({}))
            .await
            .map(|made| run_of(&made).id)
            .unwrap()
    }

    async fn run(&self, id: RunId) -> Run {
        let found = read::find(&self.office, &self.root, RUNS, id.0).await.unwrap();
        serde_json::from_value(found.0).unwrap()
    }

    async fn log(&self, id: RunId) -> Vec<String> {
        let page = manage::list_lines(&self.office, &self.root, id, 0, 100).await.unwrap();
        page.rows.into_iter().map(|line| line.line).collect()
    }

    /// The kinds of the outbox's events about a run, oldest first.
    async fn events(&self, id: RunId) -> Vec<String> {
        let sql = "SELECT kind FROM outbox WHERE entity_id = $1 ORDER BY seq";
        let rows = self.office.db.dynamic_all(sql, args![id.to_string()]).await.unwrap();
        rows.iter().map(|row| row.get("kind").unwrap()).collect()
    }

    /// A job of a kind that is due at each full hour.
    async fn job(&self, kind: &'static Kind) -> JobId {
        let kinds: &[&'static Kind] = &[kind];
        registry::ensure_jobs(&self.office, &self.root, kinds, "Europe/Berlin").await.unwrap();
        let jobs = rows(&self.office, &self.root, JOBS, &[("kind", kind.name)]).await;
        jobs[0]["id"].as_str().unwrap().parse().unwrap()
    }

    async fn seen(&self, job: JobId) -> Value {
        read::find(&self.office, &self.root, JOBS, job.0).await.unwrap().0
    }

    async fn change(&self, id: JobId, body: Value) -> Result<Value, Fault> {
        change_job(&self.office, &self.root, id, body, None).await
    }

    async fn runs_of(&self, job: JobId) -> Vec<Run> {
        let job = job.to_string();
        let found = rows(&self.office, &self.root, RUNS, &[("job_id", &job)]).await;
        found.into_iter().map(|row| serde_json::from_value(row).unwrap()).collect()
    }
}

async fn once(runner: &mut Runner) {
    runner.turn().await.unwrap();
    runner.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_runners_never_work_on_one_run_twice() {
    for lab in labs().await {
        let mut runs = Vec::new();
        for _ in 0..60 {
            runs.push(lab.start(&COUNTS).await);
        }
        let work = |mut runner: Runner| {
            tokio::spawn(async move {
                for _ in 0..40 {
                    once(&mut runner).await;
                }
            })
        };
        let workers = [work(lab.runner()), work(lab.runner()), work(lab.runner())];
        for worker in workers {
            worker.await.unwrap();
        }
        for run in runs {
            assert_eq!(begun(run), 1, "{:?}", lab.db.engine());
            assert_eq!(lab.run(run).await.state, "succeeded");
            assert_eq!(lab.events(run).await, ["job_run.queued", "job_run.succeeded"]);
        }
    }
}

#[tokio::test]
async fn one_organisation_s_long_runs_leave_room_for_those_of_another() {
    for lab in labs().await {
        let partner = organisation_below(&lab.office, Some(&lab.root)).await;
        let queued = async |actor: &Actor| {
            enqueue::start(&lab.office, actor, &CARRIES, json!({})).await.unwrap();
        };
        let under_way = async |actor: &Actor| {
            let sql = "SELECT COUNT(*) AS count FROM job_run
                WHERE state = 'running' AND organisation_id = $1";
            let rows = lab.office.db.dynamic_all(sql, args![actor.organisation]).await.unwrap();
            rows[0].get::<i64>("count").unwrap()
        };
        for _ in 0..4 {
            queued(&lab.root).await;
        }
        let mut runner = lab.runner();
        runner.turn().await.unwrap();
        assert_eq!(under_way(&lab.root).await, 2, "never all there is");
        queued(&partner).await;
        runner.turn().await.unwrap();
        assert_eq!((under_way(&lab.root).await, under_way(&partner).await), (2, 1));
        drop(runner);

        // Of those that wait together, each has one before anybody has two.
        let mut tx = lab.office.db.begin().await.unwrap();
        tx.dynamic_all("UPDATE job_run SET state = 'cancelled'", args![]).await.unwrap();
        tx.commit().await.unwrap();
        let third = organisation_below(&lab.office, Some(&lab.root)).await;
        for actor in [&lab.root, &lab.root, &lab.root, &partner, &partner, &third] {
            queued(actor).await;
        }
        let mut runner = lab.runner();
        runner.turn().await.unwrap();
        for actor in [&lab.root, &partner, &third] {
            assert_eq!(under_way(actor).await, 1);
        }
    }
}

#[tokio::test]
async fn a_run_of_a_process_that_is_gone_is_taken_over_when_its_lease_ends() {
    for lab in labs().await {
        let (run, fails) = (lab.start(&HANGS).await, lab.start(&ONCE).await);
        let mut first = lab.runner();
        first.turn().await.unwrap();
        tokio::task::yield_now().await;
        drop(first);
        let mut second = lab.runner();
        lab.clock.advance(29);
        once(&mut second).await;
        assert_eq!(lab.run(run).await.state, "running", "its lease still holds");
        lab.clock.advance(2);
        once(&mut second).await;
        let ended = lab.run(run).await;
        assert_eq!((ended.state.as_str(), ended.attempt), ("succeeded", 1));
        assert_eq!(begun(run), 2);
        let ended = lab.run(fails).await;
        let error = ended.error.as_deref();
        assert_eq!(
            (ended.state.as_str(), error),
            ("failed", Some("its process ended while it ran"))
        );
    }
}

#[tokio::test]
async fn a_run_whose_lease_was_taken_writes_nothing_any_more() {
    for lab in labs().await {
        let run = lab.start(&WAITS).await;
        let mut first = lab.runner();
        first.turn().await.unwrap();
        // The first stands still past its lease, and a second takes the run over.
        lab.clock.advance(31);
        let mut second = lab.runner();
        second.turn().await.unwrap();
        manage::cancel(&lab.office, &lab.root, run, None).await.unwrap();
        second.turn().await.unwrap();
        second.settle().await;
        assert_eq!(lab.run(run).await.state, "cancelled");
        first.settle().await;
        assert_eq!(lab.run(run).await.state, "cancelled");
        assert_eq!(lab.events(run).await.iter().filter(|k| *k == "job_run.cancelled").count(), 1);
    }
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_later_and_not_forever() {
    for lab in labs().await {
        let (flaky, fails) = (lab.start(&FLAKY).await, lab.start(&FAILS).await);
        let mut runner = lab.runner();
        once(&mut runner).await;
        let waits = lab.run(flaky).await;
        assert_eq!((waits.state.as_str(), waits.attempt), ("queued", 1));
        assert_eq!(waits.error.as_deref(), Some("the other side is away"));
        let wait = waits.run_at.since(lab.office.now());
        assert!((24.0..=36.0).contains(&wait), "{wait}");
        once(&mut runner).await;
        assert_eq!(lab.run(flaky).await.attempt, 1, "not before its time");
        lab.clock.advance(40);
        once(&mut runner).await;
        let ended = lab.run(flaky).await;
        assert_eq!((ended.state.as_str(), ended.error), ("succeeded", None));
        assert_eq!(ended.result, Some(json!({"attempt": 2})));
        let ended = lab.run(fails).await;
        assert_eq!((ended.state.as_str(), ended.attempt), ("failed", 2));
        assert_eq!(lab.events(fails).await, ["job_run.queued", "job_run.failed"]);
        let log = lab.log(fails).await;
        assert!(log[0].starts_with("attempt 1 failed: never works; again in"), "{log:?}");
        assert_eq!(log[1], "failed: never works");

        // A person may try again; what has not failed is left alone.
        let again = run_of(&manage::retry(&lab.office, &lab.root, fails, None).await.unwrap());
        assert_eq!((again.retry_of, again.attempt), (Some(fails), 0));
        let refused = manage::retry(&lab.office, &lab.root, flaky, None).await;
        assert!(matches!(refused, Err(Fault::Conflict { pointer: "/state", .. })));
    }
}

#[tokio::test]
async fn a_panic_is_a_failed_run_and_the_runner_lives_on() {
    for lab in labs().await {
        let (panics, after) = (lab.start(&PANICS).await, lab.start(&COUNTS).await);
        let mut runner = lab.runner();
        once(&mut runner).await;
        let ended = lab.run(panics).await;
        assert_eq!(ended.state, "failed");
        assert_eq!(ended.error.as_deref(), Some("something went wrong here"), "nothing private");
        assert_eq!(lab.log(panics).await[0], "before", "what it said is kept");
        assert_eq!(lab.run(after).await.state, "succeeded");
    }
}

#[tokio::test]
async fn one_that_waits_is_cancelled_at_once_and_one_under_way_is_asked() {
    for lab in labs().await {
        let queued = lab.start(&WAITS).await;
        let view = run_of(&manage::cancel(&lab.office, &lab.root, queued, None).await.unwrap());
        assert_eq!(view.state, "cancelled");
        let running = lab.start(&WAITS).await;
        let mut runner = lab.runner();
        runner.turn().await.unwrap();
        let view = run_of(&manage::cancel(&lab.office, &lab.root, running, None).await.unwrap());
        assert_eq!((view.state.as_str(), view.cancel_requested), ("running", true));
        once(&mut runner).await;
        assert_eq!(lab.run(running).await.state, "cancelled");
        let late = manage::cancel(&lab.office, &lab.root, running, None).await;
        assert!(matches!(late, Err(Fault::Conflict { pointer: "/state", .. })));
        let stale = manage::cancel(&lab.office, &lab.root, queued, Some(1)).await;
        assert!(matches!(stale, Err(Fault::Stale)));
    }
}

#[tokio::test]
async fn a_run_past_its_time_limit_is_ended() {
    for lab in labs().await {
        let run = lab.start(&SLOW).await;
        once(&mut lab.runner()).await;
        let ended = lab.run(run).await;
        assert_eq!(ended.state, "failed");
        assert_eq!(ended.error.as_deref(), Some("it took longer than 0 minutes"));
    }
}

#[tokio::test]
async fn progress_note_log_and_result_are_kept() {
    for lab in labs().await {
        let run = lab.start(&SPEAKS).await;
        once(&mut lab.runner()).await;
        let ended = lab.run(run).await;
        assert_eq!(ended.state, "partial");
        assert_eq!((ended.progress_done, ended.progress_total), (3, Some(4)));
        assert_eq!(ended.note.as_deref(), Some("rows"));
        assert_eq!(ended.result, Some(json!({"done": 3, "failed": 1})));
        assert_eq!(lab.log(run).await, ["row 4: no name"]);
        assert_eq!(lab.events(run).await, ["job_run.queued", "job_run.partial"]);
    }
}

#[tokio::test]
async fn a_stop_puts_back_what_is_under_way_without_counting_the_attempt() {
    for lab in labs().await {
        let run = lab.start(&WAITS).await;
        let (trigger, stop) = Shutdown::new();
        let runner = Runner::new(lab.office.clone(), KINDS, stop);
        let task = tokio::spawn(runner.run());
        // Waits for the claim, which the runner makes by itself.
        while lab.run(run).await.state != "running" {
            tokio::task::yield_now().await;
        }
        trigger.soft();
        task.await.unwrap().unwrap();
        let back = lab.run(run).await;
        assert_eq!((back.state.as_str(), back.attempt, back.finished_at), ("queued", 0, None));
    }
}

#[tokio::test]
async fn a_commit_wakes_the_runner() {
    for lab in labs().await {
        let (trigger, stop) = Shutdown::new();
        let task = tokio::spawn(Runner::new(lab.office.clone(), KINDS, stop).run());
        // The clock stands: only the notification can make it look again before its poll.
        let began = std::time::Instant::now();
        for _ in 0..5 {
            let run = lab.start(&COUNTS).await;
            while lab.run(run).await.state != "succeeded" {
                tokio::task::yield_now().await;
            }
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
        trigger.soft();
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_due_job_is_queued_once_however_many_plan_it() {
    for lab in labs().await {
        let job = lab.job(&COUNTS).await;
        // The operator's change stays at the next start.
        let change = json!({"name": "Hourly count", "catch_up": "all"});
        lab.change(job, change).await.unwrap();
        assert_eq!(lab.job(&COUNTS).await, job);
        let seen = lab.seen(job).await;
        assert_eq!(seen["name"], "Hourly count");
        assert_eq!(seen["next_at"], "2026-05-01T01:00:00.000000Z");

        assert_eq!(planner::plan(&lab.office, KINDS).await.unwrap(), 0);
        lab.clock.advance(3600);
        let (a, b, c) = tokio::join!(
            planner::plan(&lab.office, KINDS),
            planner::plan(&lab.office, KINDS),
            planner::plan(&lab.office, KINDS)
        );
        assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 1);
        let runs = lab.runs_of(job).await;
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].planned_at, Some("2026-05-01T01:00:00Z".parse().unwrap()));
        let seen = lab.seen(job).await;
        assert_eq!(seen["next_at"], "2026-05-01T02:00:00.000000Z");
        assert_eq!(
            (&seen["last_run_id"], &seen["last_state"]),
            (&json!(runs[0].id), &json!("queued"))
        );
        assert_eq!(seen["version"], 2, "planning is not a change of the job");

        // While it waits, no other is put behind it.
        lab.change(job, json!({"catch_up": "once"})).await.unwrap();
        lab.clock.advance(3600);
        assert_eq!(planner::plan(&lab.office, KINDS).await.unwrap(), 0);
        once(&mut lab.runner()).await;
        assert_eq!(lab.seen(job).await["last_state"], "succeeded");
    }
}

#[tokio::test]
async fn what_passed_while_nothing_ran_follows_the_rule_of_the_job() {
    for (rule, expected) in [("once", 1), ("all", 4), ("skip", 0)] {
        for lab in labs().await {
            let job = lab.job(&COUNTS).await;
            lab.change(job, json!({"catch_up": rule})).await.unwrap();
            lab.clock.advance(4 * 3600 + 600);
            planner::plan(&lab.office, KINDS).await.unwrap();
            let runs = lab.runs_of(job).await;
            assert_eq!(runs.len(), expected, "{rule}");
            // They follow each other, and all come to their end.
            let mut runner = lab.runner();
            for _ in 0..expected {
                once(&mut runner).await;
            }
            assert!(lab.runs_of(job).await.iter().all(|run| run.state == "succeeded"));
        }
    }
}

#[tokio::test]
async fn runs_of_one_job_follow_each_other() {
    const WAITING: Kind = Kind { schedule: Some("@yearly"), ..WAITS };
    for lab in labs().await {
        let job = lab.job(&WAITING).await;
        for _ in 0..2 {
            // By the row's kind; the definitions of the program do not have it.
            manage::run_job(&lab.office, &lab.root, job).await.unwrap();
        }
        let (mut first, mut second) = (lab.runner(), lab.runner());
        let (a, b) = tokio::join!(first.turn(), second.turn());
        a.unwrap();
        b.unwrap();
        let states = |runs: Vec<Run>| {
            let mut states: Vec<String> = runs.into_iter().map(|run| run.state).collect();
            states.sort();
            states
        };
        assert_eq!(states(lab.runs_of(job).await), ["queued", "running"]);
    }
}

#[tokio::test]
async fn a_window_holds_its_queue_and_those_below() {
    for lab in labs().await {
        let branch = organisation_below(&lab.office, Some(&lab.root)).await;
        let body = |queue: &str| {
            json!({"name": "Move", "queue": queue, "starts_at": "2026-05-01T00:00:00Z",
                   "ends_at": "2026-05-01T02:00:00Z"})
        };
        // A branch's window holds the branch alone, another queue's nobody here.
        window(&lab.office, &branch, body("all")).await.unwrap();
        window(&lab.office, &lab.root, body("transfer")).await.unwrap();
        let free = lab.start(&COUNTS).await;
        let held = enqueue::start(&lab.office, &branch, &COUNTS, json!({})).await.unwrap();
        let held = run_of(&held).id;
        let mut runner = lab.runner();
        once(&mut runner).await;
        assert_eq!(lab.run(free).await.state, "succeeded");
        assert_eq!(lab.run(held).await.state, "queued");

        let job = lab.job(&COUNTS).await;
        lab.change(job, json!({"maintenance": "inside", "schedule": null})).await.unwrap();
        let inside = manage::run_job(&lab.office, &lab.root, job).await.unwrap();
        let inside = run_of(&inside).id;
        once(&mut runner).await;
        assert_eq!(lab.run(inside).await.state, "queued", "it waits for a window of its queue");
        let made = window(&lab.office, &lab.root, body("default")).await.unwrap();
        once(&mut runner).await;
        assert_eq!(lab.run(inside).await.state, "succeeded");
        write::delete(&lab.office, &lab.root, WINDOWS, made.id, None).await.unwrap();
        lab.clock.advance(2 * 3600);
        once(&mut runner).await;
        assert_eq!(lab.run(held).await.state, "succeeded", "the window is over");

        let ends = |ends: &str| json!({"ends_at": ends});
        for (wrong, pointer) in [
            (ends("2026-05-01T00:00:00Z"), "/ends_at"),
            (ends("2027-05-01T00:00:00Z"), "/ends_at"),
            (json!({"queue": "fast"}), "/queue"),
            (json!({"starts_at": null}), "/starts_at"),
        ] {
            let mut whole = body("all");
            whole.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let fault = window(&lab.office, &lab.root, whole).await.map(|made| made.view);
            assert_eq!(pointers(fault), [pointer], "{wrong}");
        }
        // A change is held against what it does not name.
        let made = window(&lab.office, &lab.root, body("all")).await.unwrap();
        let early = json!({"ends_at": "2026-04-30T00:00:00Z"}).to_string();
        let draft = write::parse(WINDOWS, &[], early.as_bytes(), false).unwrap();
        let fault = write::update(&lab.office, &lab.root, WINDOWS, made.id, draft, None).await;
        assert_eq!(pointers(fault.map(|made| made.view)), ["/ends_at"]);
    }
}

fn pointers(result: Result<Value, Fault>) -> Vec<String> {
    match result {
        Err(Fault::Invalid(fields)) => {
            let mut pointers: Vec<String> = fields.into_iter().map(|f| f.pointer).collect();
            pointers.sort();
            pointers
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_is_checked_and_audited_and_moves_the_next_time() {
    for lab in labs().await {
        let root = &lab.root;
        registry::ensure_jobs(&lab.office, root, registry::KINDS, "UTC").await.unwrap();
        let jobs = rows(&lab.office, root, JOBS, &[("kind", "sessions.purge")]).await;
        let id: JobId = jobs[0]["id"].as_str().unwrap().parse().unwrap();
        let wrong = json!({"schedule": "61 * * * *", "catch_up": "maybe", "retries": 99,
                           "maintenance": "now", "kind": "x", "enabled": null});
        assert_eq!(
            pointers(lab.change(id, wrong).await),
            ["/catch_up", "/enabled", "/kind", "/maintenance", "/retries", "/schedule"]
        );
        for (wrong, expected) in [
            (json!({"zone": "Mars/Base"}), vec!["/zone"]),
            (json!({"schedule": "0 0 30 2 *"}), vec!["/schedule"]),
            (
                json!({"arguments": {"days": 0, "dyas": 1}}),
                vec!["/arguments/days", "/arguments/dyas"],
            ),
            (json!({"arguments": null}), vec!["/arguments"]),
            (json!({"arguments": 7}), vec!["/arguments"]),
        ] {
            assert_eq!(pointers(lab.change(id, wrong).await), expected);
        }
        let body =
            json!({"schedule": "30 5 * * *", "zone": "Asia/Kolkata", "arguments": {"days": 60}});
        let changed = lab.change(id, body).await.unwrap();
        assert_eq!(changed["next_at"], "2026-05-02T00:00:00.000000Z");
        assert_eq!((&changed["version"], &changed["arguments"]), (&json!(2), &json!({"days": 60})));
        let home = lab.change(id, json!({"zone": null})).await.unwrap();
        assert_eq!(home["next_at"], "2026-05-01T03:30:00.000000Z", "Berlin's, the organisation's");
        let off = lab.change(id, json!({"enabled": false})).await.unwrap();
        assert_eq!(off["next_at"], Value::Null);
        let audit = "SELECT before, after FROM audit_entry WHERE entity_id = $1 ORDER BY at, id";
        let entries = lab.office.db.dynamic_all(audit, args![id.to_string()]).await.unwrap();
        let (before, after): (Value, Value) =
            (entries[1].get("before").unwrap(), entries[1].get("after").unwrap());
        let schedules = (&before["schedule"], &after["schedule"]);
        assert_eq!(schedules, (&json!("20 3 * * *"), &json!("30 5 * * *")));

        let stale = change_job(&lab.office, root, id, json!({"name": "x"}), Some(1)).await;
        assert!(matches!(stale, Err(Fault::Stale)));
        // Another organisation's jobs and runs do not exist for a branch.
        let branch = organisation_below(&lab.office, Some(root)).await;
        let run = run_of(&manage::run_job(&lab.office, root, id).await.unwrap()).id;
        let foreign = change_job(&lab.office, &branch, id, json!({"name": "x"}), None).await;
        assert!(matches!(foreign, Err(Fault::NotFound(_))));
        for result in [
            manage::run_job(&lab.office, &branch, id).await,
            manage::cancel(&lab.office, &branch, run, None).await,
            manage::retry(&lab.office, &branch, run, None).await,
        ] {
            assert!(matches!(result, Err(Fault::NotFound(_))));
        }
        let log = manage::list_lines(&lab.office, &branch, run, 0, 9).await;
        assert!(matches!(log, Err(Fault::NotFound(_))));
        assert!(rows(&lab.office, &branch, RUNS, &[]).await.is_empty());
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    for lab in labs().await {
        let mut unit = Unit::begin(&lab.office, &lab.root).await.unwrap();
        for _ in 0..enqueue::WAITING_MAX {
            let queued =
                enqueue::enqueue(&mut unit, &COUNTS, lab.root.organisation, json!({})).await;
            queued.unwrap();
        }
        unit.commit().await.unwrap();
        let refused = enqueue::start(&lab.office, &lab.root, &COUNTS, json!({})).await;
        assert!(matches!(refused, Err(Fault::TooMany(60))));
        // Another organisation's queue is its own.
        let branch = organisation_below(&lab.office, Some(&lab.root)).await;
        enqueue::start(&lab.office, &branch, &COUNTS, json!({})).await.unwrap();
    }
}

#[tokio::test]
async fn a_preview_says_what_a_schedule_means_and_when_it_comes() {
    for lab in labs().await {
        let preview = async |body: Value| {
            manage::preview(&lab.office, &lab.root, body.to_string().as_bytes()).await
        };
        let told = preview(json!({"schedule": "0 2 * * MON"})).await.unwrap();
        assert_eq!((told.description.key, told.zone.as_str()), ("weekly", "Europe/Berlin"));
        assert_eq!(told.next.len(), 5);
        assert_eq!(told.next[0], "2026-05-04T00:00:00Z".parse::<Ts>().unwrap());
        for (body, pointer) in [
            (json!({"schedule": "x"}), "/schedule"),
            (json!({}), "/schedule"),
            (json!({"schedule": "0 0 31 2 *"}), "/schedule"),
            (json!({"schedule": "@daily", "zone": "X"}), "/zone"),
        ] {
            let Err(Fault::Invalid(fields)) = preview(body).await else { panic!("accepted") };
            assert_eq!((fields.len(), fields[0].pointer.as_str()), (1, pointer));
        }
    }
}

/// Runs a kind of the program to its end, in an organisation.
async fn purge(lab: &Lab, actor: &Actor, kind: &Kind, arguments: Value) -> Run {
    let made = enqueue::start(&lab.office, actor, kind, arguments).await.unwrap();
    let mut runner = Runner::new(lab.office.clone(), registry::KINDS, lab.stop.clone());
    once(&mut runner).await;
    lab.run(RunId(made.id)).await
}

async fn count(lab: &Lab, sql: &str) -> i64 {
    lab.office.db.dynamic_all(sql, args![]).await.unwrap()[0].get("count").unwrap()
}

#[tokio::test]
async fn audit_entries_are_kept_as_long_as_their_organisation_says() {
    use super::purge::AUDIT;
    use crate::domain::setting;
    for lab in labs().await {
        let branch = organisation_below(&lab.office, Some(&lab.root)).await;
        let set = async |actor: &Actor, fields: Value| {
            let fields = fields.as_object().unwrap();
            setting::patch(&lab.office, actor, None, fields, None).await.map(drop)
        };
        let days = |days: i64| json!({"security.audit_retention_days": days});
        let purged = async |actor: &Actor| {
            let ended = purge(&lab, actor, &AUDIT, json!({"days": 1})).await;
            assert_eq!(ended.state, "succeeded");
            ended.result.unwrap()["purged"].as_i64().unwrap()
        };
        let entries = async |actor: &Actor, critical: bool| {
            let sql = "SELECT COUNT(*) AS count FROM audit_entry
                WHERE organisation_id = $1 AND critical = $2";
            let args = args![actor.organisation, critical];
            let rows = lab.office.db.dynamic_all(sql, args).await.unwrap();
            rows[0].get::<i64>("count").unwrap()
        };

        // Both begin alike: a change of settings, which is critical, and a run, which is not.
        set(&lab.root, days(90)).await.unwrap();
        set(&branch, days(200)).await.unwrap();
        for actor in [&lab.root, &branch] {
            enqueue::start(&lab.office, actor, &WAITS, json!({})).await.unwrap();
        }
        let began = [entries(&lab.root, true).await, entries(&branch, true).await];
        lab.clock.advance(89 * 86_400);
        assert_eq!(purged(&lab.root).await, 0, "whatever the arguments of an old job say");
        lab.clock.advance(2 * 86_400);
        assert_eq!(purged(&lab.root).await, 1, "the root's after 90 days, the branch's stay");
        assert_eq!(entries(&branch, false).await, 1);
        lab.clock.advance(110 * 86_400);
        assert!(purged(&lab.root).await >= 1);
        assert_eq!(entries(&branch, false).await, 0, "and the branch's after 200");
        let kept = [entries(&lab.root, true).await, entries(&branch, true).await];
        assert_eq!(kept, began, "critical ones stay longer");
        lab.clock.advance(1_700 * 86_400);
        purged(&lab.root).await;
        let kept = [entries(&lab.root, true).await, entries(&branch, true).await];
        assert_eq!(kept, [0, 0], "and not for ever");
    }
}

#[tokio::test]
async fn sessions_answers_events_and_runs_go_when_nobody_can_want_them() {
    use super::purge::{IDEMPOTENCY, JOB_RUNS, OUTBOX, SESSIONS};
    for lab in labs().await {
        let db = &lab.office.db;
        let (now, staff) = (lab.office.now(), model::StaffId::generate());
        let (org, hash) = (lab.root.organisation, b"hash".to_vec());
        let mut tx = db.begin().await.unwrap();
        let sql = "INSERT INTO staff (id, organisation_id, email, name, password_hash, locale,
                created_at, created_by, updated_at, updated_by)
            VALUES ($1, $2, 'a@example.net', 'A', 'x', 'en', $3, 'test', $3, 'test') RETURNING id";
        tx.dynamic_all(sql, args![staff, org, now]).await.unwrap();
        for (day, ended) in [(1, true), (60, true), (60, false)] {
            let id = model::StaffSessionId::generate();
            let sql = "INSERT INTO staff_session (id, staff_id, token_hash, created_at, seen_at,
                    expires_at, ended_at) VALUES ($1, $2, $3, $4, $4, $5, $6) RETURNING id";
            let token = id.to_string().into_bytes();
            let expires = now.plus_seconds(day * 86_400);
            let row = args![id, staff, token, now, expires, ended.then_some(now)];
            tx.dynamic_all(sql, row).await.unwrap();
        }
        tx.commit().await.unwrap();
        let answer = args!["tok_x", "key", hash, 200_i64, json!({}), now];
        db.execute(&crate::store::idempotency::INSERT, answer).await.unwrap();
        let job = lab.job(&COUNTS).await;
        let mut runner = lab.runner();
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push(run_of(&manage::run_job(&lab.office, &lab.root, job).await.unwrap()).id);
            once(&mut runner).await;
        }
        lab.change(job, json!({"enabled": false})).await.unwrap();
        let waiting_policy = "UPDATE outbox SET policy_keys = 'service/x'
            WHERE seq = (SELECT MIN(seq) FROM outbox) RETURNING seq";
        let mut tx = db.begin().await.unwrap();
        tx.dynamic_all(waiting_policy, args![]).await.unwrap();
        let heard =
            "UPDATE outbox SET fanned_out_at = at WHERE fanned_out_at IS NULL RETURNING seq";
        tx.dynamic_all(heard, args![]).await.unwrap();
        tx.commit().await.unwrap();

        lab.clock.advance(40 * 86_400);
        let purged = |run: Run| run.result.unwrap()["purged"].as_u64().unwrap();
        assert_eq!(purged(purge(&lab, &lab.root, &SESSIONS, json!({})).await), 2);
        assert_eq!(count(&lab, "SELECT COUNT(*) AS count FROM staff_session").await, 1);
        assert_eq!(purged(purge(&lab, &lab.root, &IDEMPOTENCY, json!({})).await), 1);
        // One queued and one ended for each run, created and updated for the job; the one
        // that the network has not heard of stays.
        assert_eq!(purged(purge(&lab, &lab.root, &OUTBOX, json!({})).await), 7);
        assert_eq!(purged(purge(&lab, &lab.root, &JOB_RUNS, json!({})).await), 0);
        assert_eq!(purged(purge(&lab, &lab.root, &JOB_RUNS, json!({"days": 30})).await), 2);
        let left: Vec<RunId> = lab.runs_of(job).await.into_iter().map(|run| run.id).collect();
        assert_eq!(left, [runs[2]], "the job's last run stays");
    }
}

#[tokio::test]
async fn deleted_records_are_purged_unless_others_refer_to_them() {
    use super::purge::DELETED;
    use crate::entity::registry::{CUSTOMER_LABEL, LABEL};
    static LABELS: &Entity = &LABEL;
    static TAGS: &Entity = &CUSTOMER_LABEL;
    for lab in labs().await {
        let (office, root) = (&lab.office, &lab.root);
        let make = async |entity: &'static Entity, body: Value| {
            let draft = write::parse(entity, &[], body.to_string().as_bytes(), true).unwrap();
            write::create(office, root, entity, draft).await.unwrap()
        };
        let customer = crate::domain::customer::New::parse(br#"{"name":"Asha"}"#).unwrap();
        let customer = crate::domain::customer::create(office, root, customer).await.unwrap();
        let used = make(LABELS, json!({"name": "VIP", "kind": "customer"})).await;
        let free = make(LABELS, json!({"name": "Old", "kind": "customer"})).await;
        let recent = make(LABELS, json!({"name": "New", "kind": "customer"})).await;
        let tag = json!({"customer_id": customer.id, "label_id": used.view["id"]});
        let tag = make(TAGS, tag).await;
        for made in [&used, &free] {
            write::delete(office, root, LABELS, made.id, None).await.unwrap();
        }
        lab.clock.advance(60 * 86_400);
        write::delete(office, root, LABELS, recent.id, None).await.unwrap();
        lab.clock.advance(40 * 86_400);
        let ended = purge(&lab, root, &DELETED, json!({})).await;
        assert_eq!(ended.state, "succeeded");
        let result = ended.result.unwrap();
        assert_eq!((&result["purged"], &result["kept"]), (&json!(1), &json!(1)));
        let log = lab.log(ended.id).await;
        assert_eq!(
            log[0],
            format!("{} stays: others refer to it", used.view["id"].as_str().unwrap())
        );
        assert_eq!(lab.labels().await, 2);
        let free = free.view["id"].as_str().unwrap();
        let audit = format!(
            "SELECT COUNT(*) AS count FROM audit_entry
            WHERE entity_id = '{free}' AND action = 'purged'"
        );
        assert_eq!(count(&lab, &audit).await, 1);

        // What referred to it is deleted too, and both go in one run.
        write::delete(office, root, TAGS, tag.id, None).await.unwrap();
        lab.clock.advance(50 * 86_400);
        let ended = purge(&lab, root, &DELETED, json!({"days": 45})).await;
        assert_eq!(ended.result.unwrap()["purged"], 3);
        assert_eq!(lab.labels().await, 0);
    }
}

impl Lab {
    async fn labels(&self) -> i64 {
        count(self, "SELECT COUNT(*) AS count FROM label").await
    }
}
