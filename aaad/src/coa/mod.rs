//! The CoA engine: moves live sessions to the policy they should have.
//!
//! A nudge says what may have changed; the engine queues the sessions concerned, at most once
//! each, and decides only when a session's turn comes, from the policy and the session as they
//! are then. So ten changes make one CoA, and nothing need be remembered over a restart: the
//! sweep compares every session with its policy and finds the same work again.
//!
//! Each NAS has its own queue, Disconnects before CoA, a bounded number under way and a bounded
//! rate, so that one silent NAS holds up nobody else.

mod blast;
mod decide;
mod exchange;
mod packet;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use model::control::{CoaOutcome, CoaReport};
use model::{Clock, NasId, PlanVersionId, ServiceId, Ts};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::config;
use crate::engine::{Bound, Engine, Replaced};
use crate::pools::Intruder;
use crate::presence::Place;
use crate::sessions::{Session, SessionKey, Sessions};

pub(crate) use blast::BlastRadius;
use decide::{Move, decide};
use exchange::{Exchange, Reply, exchange};

/// Nudges that wait for the engine; beyond that the sweep finds the work.
pub(crate) const NUDGES: usize = 4096;
/// Sessions queued over all NAS; beyond that the sweep finds the work.
const QUEUED_MAX: usize = 200_000;
/// The first pause after a CoA that did not succeed; it doubles.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error("the NAS is not known")]
    UnknownNas,
    #[error("the RADIUS client is not known")]
    UnknownClient,
    #[error("the NAS takes no CoA")]
    NoCoa,
    #[error("the plan is not known")]
    UnknownPlan,
    #[error(transparent)]
    Unfit(#[from] packet::Uncomposed),
}

/// Why sessions should be compared with their policy.
#[derive(Debug)]
pub(crate) enum Nudge {
    /// A service changed or went.
    Service(ServiceId),
    /// A profile changed.
    Profile(PlanVersionId),
    /// The whole policy was loaded.
    Everything,
    /// A login was let in beyond its limit: the oldest sessions elsewhere go.
    Replaced(Replaced),
    /// A session has an address that is a service's own.
    Intruder(Intruder),
    /// An operator ends these sessions; each result is sent back.
    Disconnect(Vec<SessionKey>, mpsc::Sender<CoaReport>),
}

/// One session's turn. `started` tells it from a later session under the same id.
struct Job {
    key: SessionKey,
    started: Ts,
    cause: Cause,
}

enum Cause {
    /// Compare and do what is needed. `named`: the change named this very service, so its
    /// absence from the cache is a deletion and not a cache that is not loaded.
    Compare { named: bool },
    /// Disconnect: another session takes its place or its address.
    Displaced,
    /// Disconnect in any case.
    Operator(mpsc::Sender<CoaReport>),
}

#[derive(Default)]
struct NasQueue {
    urgent: VecDeque<Job>,
    normal: VecDeque<Job>,
    queued: HashSet<SessionKey>,
    in_flight: HashSet<SessionKey>,
    next_start: Option<Instant>,
}

impl NasQueue {
    /// The next job whose session has no exchange under way: two at once could arrive in
    /// either order.
    fn pop(&mut self) -> Option<Job> {
        let in_flight = &self.in_flight;
        let take = |line: &mut VecDeque<Job>| {
            let at = line.iter().position(|job| !in_flight.contains(&job.key))?;
            line.remove(at)
        };
        let job = take(&mut self.urgent).or_else(|| take(&mut self.normal))?;
        self.queued.remove(&job.key);
        Some(job)
    }

    /// A change named the service of a session that is queued already.
    fn name(&mut self, key: &SessionKey) {
        for job in self.urgent.iter_mut().chain(&mut self.normal).filter(|job| job.key == *key) {
            if let Cause::Compare { named } = &mut job.cause {
                *named = true;
            }
        }
    }

    fn len(&self) -> usize {
        self.urgent.len() + self.normal.len()
    }
}

/// What an exchange was for.
struct Done {
    key: SessionKey,
    started: Ts,
    step: Move,
    wanted: u64,
    reply: Reply,
    report_to: Option<mpsc::Sender<CoaReport>>,
}

/// The engine task.
pub(crate) struct Coa {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<Mutex<Sessions>>,
    pub(crate) nudges: mpsc::Receiver<Nudge>,
    pub(crate) blast: Arc<Mutex<BlastRadius>>,
    pub(crate) config: config::Coa,
    pub(crate) stop: daemon::lifecycle::Shutdown,
}

/// One event of the engine's loop.
enum Event {
    Nudge(Nudge),
    Done(Done),
    Sweep,
    Turn,
    Stop,
}

impl Coa {
    /// Works until stopped; exchanges under way are given up then, and found again by the
    /// sweep after the next start.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut queues: HashMap<NasId, NasQueue> = HashMap::new();
        let mut exchanges: JoinSet<Done> = JoinSet::new();
        let mut sweep = tokio::time::interval(Duration::from_secs(self.config.sweep_s.max(1)));
        loop {
            let turn = self.start_turns(&mut queues, &mut exchanges);
            gauge!("aaad_coa_queued").set(queues.values().map(NasQueue::len).sum::<usize>() as f64);
            let event = tokio::select! {
                Some(nudge) = self.nudges.recv() => Event::Nudge(nudge),
                Some(Ok(done)) = exchanges.join_next() => Event::Done(done),
                _ = sweep.tick() => Event::Sweep,
                () = sleep_until(turn), if turn.is_some() => Event::Turn,
                () = self.stop.soft() => Event::Stop,
            };
            match event {
                Event::Nudge(nudge) => self.queue(nudge, &mut queues),
                Event::Done(done) => self.finish(done, &mut queues),
                Event::Sweep => self.queue(Nudge::Everything, &mut queues),
                Event::Turn => {}
                Event::Stop => return Ok(()),
            }
        }
    }

    /// Queues the sessions a nudge concerns.
    fn queue(&self, nudge: Nudge, queues: &mut HashMap<NasId, NasQueue>) {
        let now = self.clock.now();
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = QUEUED_MAX.saturating_sub(queues.values().map(NasQueue::len).sum());
        let mut add = |session: &Session, cause: Cause| {
            let queue = queues.entry(session.key.nas).or_default();
            let operator = matches!(cause, Cause::Operator(_) | Cause::Displaced);
            if room == 0 {
                return;
            }
            if !operator && !queue.queued.insert(session.key.clone()) {
                if let Cause::Compare { named: true } = cause {
                    queue.name(&session.key);
                }
                return;
            }
            room -= 1;
            let urgent = operator || self.step(now, session, &cause).0 == Move::Disconnect;
            let line = if urgent { &mut queue.urgent } else { &mut queue.normal };
            line.push_back(Job { key: session.key.clone(), started: session.started, cause });
        };
        match nudge {
            Nudge::Service(service) => {
                for session in sessions.of_service(service) {
                    add(session, Cause::Compare { named: true });
                }
            }
            Nudge::Profile(profile) => {
                for session in sessions.iter().filter(|s| self.is_on(s, profile)) {
                    add(session, Cause::Compare { named: false });
                }
            }
            Nudge::Everything => {
                let due = |session: &&Session| {
                    session.coa.not_before.is_none_or(|at| at <= std::time::Instant::now())
                        && session.coa.left_at.is_none()
                        && self.step(now, session, &Cause::Compare { named: false }).0 != Move::Stay
                };
                for session in sessions.iter().filter(due) {
                    add(session, Cause::Compare { named: false });
                }
            }
            Nudge::Replaced(replaced) => {
                for session in displaced(&sessions, &replaced, now) {
                    add(session, Cause::Displaced);
                }
            }
            Nudge::Intruder(Intruder { service, address }) => {
                let has = |session: &&Session| {
                    // What is told of IPv6 is not kept; such a session ends as a whole service.
                    session.ip == Some(address) || address.is_ipv6()
                };
                for session in sessions.of_service(service).filter(has) {
                    add(session, Cause::Displaced);
                }
            }
            Nudge::Disconnect(keys, results) => {
                for session in keys.iter().filter_map(|key| sessions.get(key)) {
                    add(session, Cause::Operator(results.clone()));
                }
            }
        }
    }

    fn is_on(&self, session: &Session, profile: PlanVersionId) -> bool {
        let entry = self.engine.cache.subscribers().find(session.service);
        entry.is_some_and(|entry| entry.profile() == profile)
    }

    /// What a session needs now, and the hash of the policy it should have.
    fn step(&self, now: Ts, session: &Session, cause: &Cause) -> (Move, u64) {
        let named = match cause {
            Cause::Operator(_) | Cause::Displaced => return (Move::Disconnect, 0),
            Cause::Compare { named } => *named,
        };
        let vendor = self.vendor_of(session.key.nas);
        let cache = &self.engine.cache;
        let Some(entry) = cache.subscribers().find(session.service) else {
            // A cache that is not loaded must not end anyone; a deletion must.
            let deleted = session.service != ServiceId::NONE && (named || cache.is_whole());
            return (if deleted { Move::Disconnect } else { Move::Stay }, 0);
        };
        let wanted = self.engine.wanted(now, &entry, vendor, &mut Vec::new());
        // A subscriber may come a moment before its new profile: wait for it.
        let Some((access, hash)) = wanted else { return (Move::Stay, 0) };
        if self.engine.with_policy(now, &entry, |_, _, b| b.overstays(now)).unwrap_or(false) {
            return (Move::Disconnect, hash);
        }
        (decide(session.given, access, hash, vendor, named), hash)
    }

    fn vendor_of(&self, nas: NasId) -> model::nas::Vendor {
        self.engine.cache.clients().nas(nas).map(|nas| nas.vendor).unwrap_or_default()
    }

    /// Starts what may start now; returns when the next may.
    fn start_turns(
        &self,
        queues: &mut HashMap<NasId, NasQueue>,
        exchanges: &mut JoinSet<Done>,
    ) -> Option<Instant> {
        let pause = Duration::from_secs(1) / self.config.per_second.max(1);
        let now = Instant::now();
        let mut next_turn: Option<Instant> = None;
        for queue in queues.values_mut() {
            while queue.len() > 0 && queue.in_flight.len() < self.config.in_flight.max(1) {
                if let Some(at) = queue.next_start.filter(|at| *at > now) {
                    next_turn = Some(next_turn.map_or(at, |t| t.min(at)));
                    break;
                }
                let Some(job) = queue.pop() else { break };
                let key = job.key.clone();
                if self.start(job, exchanges) {
                    queue.in_flight.insert(key);
                    queue.next_start = Some(queue.next_start.map_or(now, |at| at.max(now)) + pause);
                }
            }
        }
        queues.retain(|_, queue| queue.len() > 0 || !queue.in_flight.is_empty());
        next_turn
    }

    /// Decides a session's turn; true where a packet was sent for it.
    fn start(&self, job: Job, exchanges: &mut JoinSet<Done>) -> bool {
        let now = self.clock.now();
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&job.key).filter(|s| s.started == job.started);
        let Some(session) = session else { return false };
        let (mut step, wanted) = self.step(now, session, &job.cause);
        let by_policy = matches!(job.cause, Cause::Compare { .. });
        if step == Move::Stay
            || (step == Move::Disconnect && by_policy && !self.may_disconnect(sessions.len()))
        {
            return false;
        }
        let report_to = match job.cause {
            Cause::Operator(results) => Some(results),
            Cause::Compare { .. } | Cause::Displaced => None,
        };
        let local = sessions.local_of(session.key.nas);
        let mut prepared = self.prepare(now, session, step, local);
        // What cannot be said while the session lives is said when it logs in again.
        if let (Move::Change, Err(NotSent::Unfit(_))) = (step, &prepared) {
            step = Move::Disconnect;
            prepared = self.prepare(now, session, step, local);
        }
        drop(sessions);
        match prepared {
            Ok(prepared) => {
                let (key, started) = (job.key, job.started);
                let (timeout_ms, attempts) = (self.config.timeout_ms, self.config.attempts);
                exchanges.spawn(async move {
                    let reply = exchange(prepared, timeout_ms, attempts).await;
                    Done { key, started, step, wanted, reply, report_to }
                });
                true
            }
            Err(why) => {
                let reply = Reply::NotSent(why.to_string());
                let Job { key, started, .. } = job;
                self.record(&Done { key, started, step, wanted, reply, report_to });
                false
            }
        }
    }

    /// Whether policy may take one more session offline.
    fn may_disconnect(&self, live: usize) -> bool {
        let mut blast = self.blast.lock().unwrap_or_else(PoisonError::into_inner);
        let was_held = blast.is_held();
        let admitted = blast.admit(std::time::Instant::now(), live);
        if !admitted && !was_held {
            error!(
                live,
                "policy would take too many sessions offline at once: the rest is held; look at \
                 what changed, then `netctl coa release`"
            );
        }
        gauge!("aaad_coa_held").set(if admitted { 0.0 } else { 1.0 });
        admitted
    }

    fn prepare(
        &self,
        now: Ts,
        session: &Session,
        step: Move,
        local: Option<IpAddr>,
    ) -> Result<Exchange, NotSent> {
        let clients = self.engine.cache.clients();
        let nas = clients.nas(session.key.nas).ok_or(NotSent::UnknownNas)?.clone();
        let client = clients.client(session.client).ok_or(NotSent::UnknownClient)?;
        if !nas.accepts_coa {
            return Err(NotSent::NoCoa);
        }
        let entry = self.engine.cache.subscribers().find(session.service);
        let compose = |policy: Option<(&model::policy::Effective<'_>, &Bound<'_>)>| {
            let key = nas.coa_key.as_ref().unwrap_or(client.keys().0);
            packet::compose(now, session, step, nas.vendor, policy, key)
        };
        let composed = match (&entry, step) {
            (Some(entry), Move::Change) => {
                self.engine
                    .with_policy(now, entry, |policy, _, bound| compose(Some((policy, bound))))
            }
            _ => Some(compose(None)),
        };
        let request = composed.ok_or(NotSent::UnknownPlan)??;
        Ok(Exchange {
            target: nas.coa_target(session.source),
            local,
            request,
            client: client.clone(),
            nas,
        })
    }

    fn finish(&self, done: Done, queues: &mut HashMap<NasId, NasQueue>) {
        if let Some(queue) = queues.get_mut(&done.key.nas) {
            queue.in_flight.remove(&done.key);
        }
        self.record(&done);
    }

    /// Writes an outcome into the session, the log, the counters and the operator's answer.
    fn record(&self, done: &Done) {
        let now = self.clock.now();
        let what = match done.step {
            Move::Change => "CoA",
            Move::Disconnect | Move::Stay => "Disconnect",
        };
        let (outcome, detail) = done.reply.outcome();
        let word = match outcome {
            CoaOutcome::Acknowledged => "acknowledged",
            CoaOutcome::Refused => "refused",
            CoaOutcome::Unknown => "unknown",
            CoaOutcome::NotSent => "not sent",
        };
        counter!("aaad_coa_total", "kind" => what, "outcome" => word).increment(1);
        let clients = self.engine.cache.clients();
        let nas_name = clients.nas(done.key.nas).map_or_else(String::new, |nas| nas.name.clone());
        let id = String::from_utf8_lossy(&done.key.acct_session_id).into_owned();
        if outcome == CoaOutcome::Acknowledged {
            info!(nas = %nas_name, session = %id, "{what} acknowledged");
        } else {
            warn!(nas = %nas_name, session = %id, detail = %detail, "{what} {word}");
        }
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |session: &&mut Session| session.started == done.started;
        if let Some(session) = sessions.get_mut(&done.key).filter(same) {
            let separator = if detail.is_empty() { "" } else { ": " };
            session.coa.text = Some(format!("{what} {word}{separator}{detail}"));
            if outcome == CoaOutcome::Acknowledged {
                session.coa.failures = 0;
                match done.step {
                    Move::Change => session.given = done.wanted,
                    Move::Disconnect | Move::Stay => session.coa.left_at = Some(now),
                }
            } else {
                let pause = (PAUSE * (1 << session.coa.failures.min(6))).min(PAUSE_MAX);
                session.coa.failures = session.coa.failures.saturating_add(1);
                session.coa.not_before = Some(std::time::Instant::now() + pause);
            }
        }
        drop(sessions);
        if let Some(results) = &done.report_to {
            let report = CoaReport { nas_name, acct_session_id: id, outcome, detail };
            // The operator may have gone; then nobody waits for it.
            let _ = results.try_send(report);
        }
    }
}

/// The sessions that must go so that a login fits: the oldest that are heard of, from elsewhere.
fn displaced<'s>(sessions: &'s Sessions, replaced: &Replaced, now: Ts) -> Vec<&'s Session> {
    let Replaced { service, place, limit } = replaced;
    let silence_s = f64::from(limit.silence_s());
    let counts = |session: &&Session| {
        let elsewhere = session.place != *place || *place == Place::default();
        elsewhere && session.coa.left_at.is_none() && now.since(session.updated) < silence_s
    };
    let mut others: Vec<&Session> = sessions.of_service(*service).filter(counts).collect();
    others.sort_by_key(|session| session.started);
    // One of those that may stay is the login itself.
    let stay = usize::from(limit.sessions).saturating_sub(1);
    others.truncate(others.len().saturating_sub(stay));
    others
}

async fn sleep_until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}
