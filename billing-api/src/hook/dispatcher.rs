//! Outbox → deliveries → attempts.
//!
//! - *Give out*: in one transaction, take events nobody gave out yet, write a delivery for each
//!   webhook and program that hears them, and mark the events. Sequences do not commit in order,
//!   so every event has a mark of its own.
//! - *Take*: a delivery that is due is taken by making it due again later. A process that dies
//!   with it leaves it to whoever looks then; that is why a message may arrive twice.
//! - *Send*, each on its own task.
//! - *Settle*: write the attempt down, and what follows: done, again later, or given up.
//!
//! Several processes do this side by side: rows are locked and skipped on Postgres; on SQLite
//! there is one process.
//!
//! Queues and their limits: what waits is rows. `webhooks.senders` messages are under way at
//! once, `webhooks.senders_each` of them to one webhook, and one only to a webhook that fails,
//! so that no slow endpoint holds up another. Where all are busy, rows wait.

use std::sync::Arc;
use std::time::Duration;

use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::{AttemptId, DeliveryId, EventId, OrganisationId, Ts, WebhookId};
use serde_json::Value;
use store::args;
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::endpoint::{self, Message, Outcome};
use super::program::Program;
use super::schedule::{Backoff, Verdict, judge};
use super::{filter, payload};
use crate::domain::{Actor, EVENT_FORMAT, Event, Fault, Office, Unit};
use crate::flights::Flights;
use crate::store::hook as sql;
use crate::store::hook::{DeliveryRow, WebhookRow};
use crate::store::organisation;

/// Events given out in one transaction.
const EVENTS: i64 = 500;
/// Events marked in one transaction where nobody listens.
const EVENTS_UNHEARD: i64 = 5_000;
/// How long to wait at most: a commit elsewhere does not wake this process.
const POLL: Duration = Duration::from_secs(1);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(2);
/// Seconds between two rounds of forgetting old deliveries.
const PURGE_EVERY_S: i64 = 3600;
/// Deliveries forgotten in one transaction.
const PURGED: i64 = 1_000;
/// Days of counts behind the success rate.
const COUNTED_DAYS: i64 = 30;
/// Days counts are kept.
const COUNTS_KEPT_DAYS: i64 = 400;
const DAY_S: i64 = 86_400;

/// Who acts when the dispatcher changes something.
const PART: &str = "webhooks";

/// The dispatcher task.
pub(crate) struct Dispatcher {
    office: Arc<Office>,
    stop: Shutdown,
    flights: Flights<Uuid>,
    purge_at: Ts,
}

/// Who hears events.
struct Listener {
    id: Uuid,
    kind: &'static str,
    name: String,
    /// In whose log the deliveries are.
    organisation: OrganisationId,
    /// Whose events it hears.
    path: String,
    events: Vec<String>,
    attempts_max: i64,
    since: Ts,
}

/// Who has something due.
struct Due {
    id: Uuid,
    at: Ts,
    limit: usize,
    program: Option<usize>,
}

impl Dispatcher {
    /// A dispatcher with nothing under way.
    pub(crate) fn new(office: Arc<Office>, stop: Shutdown) -> Self {
        let purge_at = office.now();
        Self { office, stop, flights: Flights::new("a webhook"), purge_at }
    }

    /// Dispatches until stopped; what is under way then is finished.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut failing = false;
        while !self.stop.is_soft() {
            let wait = match self.turn().await {
                Ok(next) => {
                    if std::mem::take(&mut failing) {
                        info!("webhooks are sent again");
                    }
                    next.map_or(POLL, |at| self.until(at).min(POLL))
                }
                Err(error) => {
                    counter!("billing_webhook_failures_total").increment(1);
                    if !std::mem::replace(&mut failing, true) {
                        warn!(error = %chain(&error), "webhooks wait");
                    }
                    RETRY
                }
            };
            let office = self.office.clone();
            tokio::select! {
                () = office.hooks.woken.notified() => {}
                () = self.flights.landed() => {}
                // Until the next attempt is due; what another process wrote is found by looking.
                () = tokio::time::sleep(wait) => {}
                () = self.stop.soft() => {}
            }
            self.flights.sweep();
        }
        self.flights.settled().await;
        Ok(())
    }

    /// Waits until nothing is under way.
    #[cfg(test)]
    pub(crate) async fn settled(&mut self) {
        self.flights.settled().await;
    }

    /// Waits until something under way has ended, if anything is.
    #[cfg(test)]
    pub(crate) async fn land(&mut self) {
        if self.flights.len() > 0 {
            self.flights.landed().await;
        }
    }

    fn until(&self, at: Ts) -> Duration {
        Duration::from_micros(u64::try_from(at.0 - self.office.now().0).unwrap_or(0))
    }

    /// One turn: gives out, takes and starts to send. When something is due next, where that is
    /// known.
    pub(crate) async fn turn(&mut self) -> Result<Option<Ts>, Fault> {
        while self.give_out().await? {}
        let next = self.launch().await?;
        let now = self.office.now();
        if now >= self.purge_at {
            self.purge(now).await?;
            self.purge_at = now.plus_seconds(PURGE_EVERY_S);
        }
        Ok(next)
    }

    /// Gives out events; true where there may be more.
    async fn give_out(&self) -> Result<bool, Fault> {
        let db = &self.office.db;
        if db.fetch_optional(&sql::UNHEARD, args![EVENT_FORMAT]).await?.is_none() {
            return Ok(false);
        }
        let now = self.office.now();
        let mut tx = db.begin().await?;
        let mut listeners = Vec::new();
        for row in tx.fetch_all(&sql::LISTENING, args![]).await? {
            let id: WebhookId = row.get("id")?;
            listeners.push(Listener {
                id: id.0,
                kind: "web",
                name: row.get("name")?,
                organisation: row.get("organisation_id")?,
                path: row.get("path")?,
                events: sql::words(&row, "events")?,
                attempts_max: row.get("attempts_max")?,
                since: row.get("created_at")?,
            });
        }
        if !self.office.hooks.programs.is_empty()
            && let Some(root) = tx.fetch_optional(&organisation::FIND_ROOT, args![]).await?
        {
            let root = organisation::organisation(&root)?;
            listeners.extend(self.office.hooks.programs.iter().map(|program| Listener {
                id: program.id,
                kind: "cli",
                name: program.name.clone(),
                // What programs say is the provider's own, and no partner's.
                organisation: root.id,
                path: root.path.clone(),
                events: program.events.clone(),
                attempts_max: program.attempts_max,
                since: Ts(0),
            }));
        }
        if listeners.is_empty() {
            let marked =
                tx.execute(&sql::MARK_UNHEARD, args![now, EVENT_FORMAT, EVENTS_UNHEARD]).await?;
            tx.commit().await?;
            return Ok(marked == EVENTS_UNHEARD as u64);
        }
        let events = tx.fetch_all(&sql::TAKE_EVENTS, args![EVENT_FORMAT, EVENTS]).await?;
        let (mut ids, mut first, mut last) = (Vec::new(), i64::MAX, i64::MIN);
        for event in &events {
            let (id, seq): (EventId, i64) = (event.get("id")?, event.get("seq")?);
            (first, last) = (first.min(seq), last.max(seq));
            ids.push(id);
            let (kind, path): (String, String) = (event.get("kind")?, event.get("path")?);
            let (at, entity_id): (Ts, String) = (event.get("at")?, event.get("entity_id")?);
            let hearing = listeners.iter().filter(|listener| {
                path.starts_with(&listener.path)
                    && at >= listener.since
                    && filter::hears(&listener.events, &kind)
            });
            // What others hear of an organisation, and what it hears of itself.
            let mut bodies = [None, None];
            for listener in hearing {
                let own = entity_id == listener.organisation.to_string();
                let body = &mut bodies[usize::from(own)];
                let text = match body {
                    Some(text) => text,
                    None => {
                        let data: Value = event.get("payload")?;
                        let organisation = event.get("organisation_id")?;
                        &*body.insert(payload::body(
                            &kind,
                            at,
                            organisation,
                            &entity_id,
                            &data,
                            own,
                        ))
                    }
                };
                let delivery = args![
                    DeliveryId::generate(),
                    listener.organisation,
                    listener.kind,
                    listener.id,
                    listener.name.as_str(),
                    id,
                    kind.as_str(),
                    at,
                    entity_id.as_str(),
                    text.as_str(),
                    listener.attempts_max,
                    now
                ];
                tx.execute(&sql::INSERT_DELIVERY, delivery).await?;
            }
        }
        if !ids.is_empty() {
            tx.execute(&sql::MARK_EVENTS, args![now, first, last, ids]).await?;
        }
        tx.commit().await?;
        Ok(events.len() as i64 == EVENTS)
    }

    /// Takes what is due and starts to send it. When the next is due that cannot start now.
    async fn launch(&mut self) -> Result<Option<Ts>, Fault> {
        let now = self.office.now();
        let mut due = self.due().await?;
        let next = due.iter().map(|due| due.at).filter(|at| *at > now).min();
        due.retain(|due| due.at <= now);
        // Who has least under way goes first, then who has waited longest.
        due.sort_by_key(|due| (self.flights.to(due.id), due.at));
        for due in due {
            let senders = self.office.hooks.settings.senders as usize;
            let room = senders.saturating_sub(self.flights.len());
            let free = due.limit.saturating_sub(self.flights.to(due.id));
            let take = room.min(free);
            if take > 0 {
                self.take(&due, take, now).await?;
            }
        }
        Ok(next)
    }

    async fn due(&self) -> Result<Vec<Due>, Fault> {
        let hooks = &self.office.hooks;
        let each = hooks.settings.senders_each as usize;
        let mut all = Vec::new();
        for row in self.office.db.fetch_all(&sql::DUE, args![]).await? {
            let Some(at) = row.get::<Option<Ts>>("due")? else { continue };
            let id: WebhookId = row.get("id")?;
            let throttled: Option<Ts> = row.get("throttled_until")?;
            let failing: Option<Ts> = row.get("failing_since")?;
            let limit = if failing.is_some() { 1 } else { each };
            let at = throttled.map_or(at, |until| at.max(until));
            all.push(Due { id: id.0, at, limit, program: None });
        }
        for (number, program) in hooks.programs.iter().enumerate() {
            let row = self.office.db.fetch_one(&sql::DUE_ONE, args![program.id]).await?;
            if let Some(at) = row.get::<Option<Ts>>("due")? {
                all.push(Due { id: program.id, at, limit: each, program: Some(number) });
            }
        }
        Ok(all)
    }

    async fn take(&mut self, due: &Due, count: usize, now: Ts) -> Result<(), Fault> {
        let hooks = &self.office.hooks;
        let program = due.program.and_then(|number| hooks.programs.get(number)).cloned();
        // Long enough for a slow attempt and for writing it down.
        let limit_s = program.as_ref().map_or(i64::from(hooks.call_s), |p| p.timeout_s as i64);
        let lease = now.plus_seconds(2 * limit_s + 30);
        let mut tx = self.office.db.begin().await?;
        let webhook = match program {
            Some(_) => None,
            None => match tx.fetch_optional(&sql::SENDING, args![due.id]).await? {
                Some(row) => Some((sql::webhook(&row)?, row.get::<String>("path")?)),
                // Switched off meanwhile.
                None => return Ok(()),
            },
        };
        let args = args![due.id, now, lease, count as i64];
        let rows = tx.fetch_all(&sql::CLAIM, args).await?;
        tx.commit().await?;
        for row in rows {
            let delivery = sql::delivery(&row)?;
            let office = self.office.clone();
            match (&program, &webhook) {
                (Some(program), _) => {
                    self.flights.start(due.id, run_program(office, program.clone(), delivery));
                }
                (None, Some((webhook, path))) => {
                    let (webhook, path) = (webhook.clone(), path.clone());
                    self.flights.start(due.id, send(office, webhook, path, delivery));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Forgets deliveries that are older than the log goes back.
    async fn purge(&self, now: Ts) -> Result<(), Fault> {
        let db = &self.office.db;
        let keep = i64::from(self.office.hooks.settings.keep_days);
        let old = now.plus_seconds(-keep * DAY_S);
        db.execute(&sql::DROP_OLD, args![old, "it waited for too long", now]).await?;
        let mut forgotten = 0;
        loop {
            let gone = db.execute(&sql::PURGE, args![old, PURGED]).await?;
            forgotten += gone;
            if gone < PURGED as u64 || self.stop.is_soft() {
                break;
            }
        }
        db.execute(&sql::PURGE_DAYS, args![day(now) - COUNTS_KEPT_DAYS]).await?;
        if forgotten > 0 {
            info!(forgotten, keep_days = keep, "old webhook deliveries are forgotten");
        }
        Ok(())
    }
}

/// Days since 1970-01-01, UTC.
fn day(at: Ts) -> i64 {
    at.seconds().div_euclid(DAY_S)
}

/// One attempt at a webhook.
async fn send(office: Arc<Office>, webhook: WebhookRow, path: String, delivery: DeliveryRow) {
    let now = office.now();
    let (id, organisation) = (webhook.id, webhook.organisation);
    let backoff = Backoff::of(&webhook.backoff);
    let began = Instant::now();
    let (verdict, outcome) = match Message::open(&office, webhook, now) {
        Ok(message) => {
            let message_id = delivery.event.to_string();
            let result = message.send(&office, &message_id, &delivery.body, now).await;
            (judge(&result, office.now()), Outcome::of(&result))
        }
        Err(error) => {
            error!(webhook = %id, error = %chain(&error), "the secret of a webhook cannot be opened");
            let error = Some("its secret cannot be opened here".to_owned());
            let outcome = Outcome { status: None, error, answer: None, truncated: false };
            (Verdict::Failed(None), outcome)
        }
    };
    let actor = Actor::system(PART, organisation, path);
    let attempt = Attempt { verdict, outcome, backoff, latency: began.elapsed(), at: now };
    let settled = settle(&office, &actor, Some(id), &delivery, attempt).await;
    tell(&delivery, settled);
}

/// One run of a program.
async fn run_program(office: Arc<Office>, program: Program, delivery: DeliveryRow) {
    let now = office.now();
    let began = Instant::now();
    let id = delivery.event.to_string();
    let ran = program.run(&delivery.event_kind, &id, &delivery.body).await;
    let verdict = match ran.error {
        None => Verdict::Delivered,
        Some(_) => Verdict::Failed(None),
    };
    let outcome = Outcome {
        status: ran.code,
        error: ran.error,
        answer: Some(endpoint::printable(&ran.output)),
        truncated: ran.truncated,
    };
    let actor = Actor::system(PART, delivery.organisation, String::new());
    let backoff = Backoff::Fast;
    let attempt = Attempt { verdict, outcome, backoff, latency: began.elapsed(), at: now };
    let settled = settle(&office, &actor, None, &delivery, attempt).await;
    tell(&delivery, settled);
}

fn tell(delivery: &DeliveryRow, settled: Result<&'static str, Fault>) {
    match settled {
        Ok(result) => counter!("billing_webhook_attempts_total", "result" => result).increment(1),
        // It stays taken, is due again when its time is up, and then arrives a second time.
        Err(error) => warn!(
            delivery = %delivery.id,
            error = %chain(&error),
            "an attempt could not be written down; the message will be sent again"
        ),
    }
}

/// An attempt that was made.
struct Attempt {
    verdict: Verdict,
    outcome: Outcome,
    backoff: Backoff,
    latency: Duration,
    at: Ts,
}

/// Writes an attempt down, and what follows from it. The word says what that is.
async fn settle(
    office: &Office,
    actor: &Actor,
    webhook: Option<WebhookId>,
    delivery: &DeliveryRow,
    attempt: Attempt,
) -> Result<&'static str, Fault> {
    let Attempt { verdict, outcome, backoff, latency, at } = attempt;
    let latency_ms = i64::try_from(latency.as_millis()).unwrap_or(i64::MAX);
    let mut unit = Unit::begin(office, actor).await?;
    let now = unit.now;
    let left = delivery.attempts_left - 1;
    let throttled = match verdict {
        Verdict::Failed(Some(seconds)) => Some(now.plus_seconds(seconds)),
        _ => None,
    };
    let (state, next) = match verdict {
        Verdict::Delivered => ("delivered", delivery.next_at),
        Verdict::Gone => ("failed", delivery.next_at),
        Verdict::Failed(_) if left <= 0 => ("failed", delivery.next_at),
        Verdict::Failed(_) => {
            let [chance] = daemon::secrets::random::<1>();
            let wait = backoff.wait_s(delivery.attempts_max - left, chance);
            let at = now.plus_seconds(wait);
            ("waiting", throttled.map_or(at, |until| at.max(until)))
        }
    };
    let ended = state != "waiting";
    let settled = unit
        .execute(
            &sql::SETTLE,
            args![
                delivery.id,
                delivery.next_at,
                state,
                left.max(0),
                next,
                outcome.status,
                outcome.error.clone(),
                latency_ms,
                ended.then_some(now)
            ],
        )
        .await?;
    if settled == 0 {
        // Its time was up and somebody else has it; they write down what they see.
        return Ok("overtaken");
    }
    unit.execute(
        &sql::INSERT_ATTEMPT,
        args![
            AttemptId::generate(),
            delivery.id,
            delivery.attempts + 1,
            at,
            outcome.status,
            outcome.error,
            latency_ms,
            outcome.answer,
            outcome.truncated
        ],
    )
    .await?;
    if let Some(id) = webhook {
        let delivered = verdict == Verdict::Delivered;
        if ended {
            let counts = args![id, day(now), i64::from(delivered), i64::from(!delivered)];
            unit.execute(&sql::COUNT_DAY, counts).await?;
        }
        let args = args![id, now, delivered, throttled, day(now) - COUNTED_DAYS];
        let touched = unit.fetch_optional(&sql::TOUCH, args).await?;
        let failing: Option<Ts> = match touched {
            Some(row) => row.get("failing_since")?,
            None => None,
        };
        let days = i64::from(office.hooks.settings.disable_after_days);
        let failing = failing.is_some_and(|since| now >= since.plus_seconds(days * DAY_S));
        match verdict {
            Verdict::Gone => disable(&mut unit, actor, id, "gone").await?,
            Verdict::Failed(_) if failing => disable(&mut unit, actor, id, "failing").await?,
            _ => {}
        }
    }
    unit.commit().await?;
    Ok(state)
}

/// Switches a webhook off, drops what waits for it, and says so.
async fn disable(
    unit: &mut Unit<'_>,
    actor: &Actor,
    id: WebhookId,
    reason: &str,
) -> Result<(), Fault> {
    let args = args![id, reason, unit.now, actor.label()];
    let Some(row) = unit.fetch_optional(&sql::DISABLE, args).await? else { return Ok(()) };
    let webhook = sql::webhook(&row)?;
    let why = match reason {
        "gone" => "the webhook was switched off: nobody listens there any more",
        _ => "the webhook was switched off: it failed for days",
    };
    let dropped = endpoint::drop_waiting(unit, id, why).await?;
    // What follows in the URL may be a token.
    let server = endpoint::origin(&webhook.url);
    warn!(webhook = %id, server, reason, dropped, "a webhook was switched off");
    let event = Event {
        kind: "webhook.disabled",
        entity_id: id.to_string(),
        payload: endpoint::view(&row)?,
        policy: &[],
    };
    unit.record(webhook.organisation, event, None).await
}
