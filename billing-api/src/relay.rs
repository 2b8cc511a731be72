//! The relay: outbox → revisions → bus.
//!
//! Two steps, each safe to repeat:
//!
//! 1. *Take over*: in one transaction under the line's lock, read which records changed, load
//!    their present state, and where it differs from the last one, give it the next revision in
//!    `policy_state`. Sequences of the outbox do not commit in order; revisions given here do.
//! 2. *Publish*: rows of `policy_state` above `published` go to the bus in the order of their
//!    revisions, then `published` moves.
//!
//! `policy_state` is the snapshot: a bus that lost its contents (or was never filled) is filled
//! from it. One relay works at a time, by a lease on the bus, renewed between its steps.

mod state;

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError};
use bytes::Bytes;
use daemon::health::Part;
use daemon::lifecycle::Shutdown;
use metrics::{counter, gauge};
use model::policy::{Body, Change, FORMAT, Key, Mark, Message, STREAM, TABLE};
use serde_json::{Value, json};
use store::{Row, StoreError, Tx, args};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::domain::Office;
use crate::store::policy as sql;

/// The name of billing-api's line.
pub(crate) const LINE: &str = "billing";

/// Events taken over in one transaction, at most.
const EVENTS: i64 = 2000;
/// Records after which one transaction takes no further event: one event may name a thousand,
/// and the lease has to outlast the transaction.
const KEYS: usize = 5000;
/// Records read and written with one round of statements.
const SET: usize = 2000;
/// Records published at once.
const CHUNK: i64 = 500;
/// How long the lease lasts; it is renewed at every turn.
const LEASE: Duration = Duration::from_secs(10);
/// How long to wait where another process wrote: its commit does not wake this one.
const POLL: Duration = Duration::from_millis(250);
/// How long to wait after a failure, or while another relay has the lease.
const RETRY: Duration = Duration::from_millis(500);
/// How often the relay says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How often the bus is asked whether it still has the snapshot.
const LOOK: Duration = Duration::from_secs(5);
/// Changes kept on the stream for followers that lag; who lags more loads the snapshot.
const STREAM_KEPT: u64 = 50_000;

/// The relay task.
pub(crate) struct Relay {
    pub(crate) office: Arc<Office>,
    pub(crate) bus: Bus,
    pub(crate) part: Part,
    pub(crate) stop: Shutdown,
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the bus failed")]
    Bus(#[from] BusError),
    #[error("a policy record does not serialise")]
    Json(#[from] serde_json::Error),
    #[error("policy record {key}: {reason}")]
    Record { key: String, reason: String },
    #[error("the policy line is missing")]
    NoLine,
}

/// The line as stored.
#[derive(Debug, Clone, Copy)]
struct Line {
    epoch: u64,
    revision: u64,
    published: u64,
    live: u64,
}

fn line(row: &Row) -> Result<Line, StoreError> {
    let epoch: i64 = row.get("epoch")?;
    Ok(Line {
        epoch: epoch as u64,
        revision: row.get("revision")?,
        published: row.get("published")?,
        live: row.get("live")?,
    })
}

/// What the relay knows of the bus between turns.
struct Bench {
    owner: String,
    /// The bus's epoch when its snapshot was last seen whole. Another one means that the bus
    /// lost its contents meanwhile, whatever marks it has now.
    whole_in: Option<u64>,
    look_at: Instant,
    beat_at: Instant,
}

impl Relay {
    /// Relays until stopped.
    pub(crate) async fn run(self) -> Result<(), std::convert::Infallible> {
        let now = Instant::now();
        let owner = uuid::Uuid::now_v7().to_string();
        let mut bench = Bench { owner, whole_in: None, look_at: now, beat_at: now };
        let mut failing = false;
        while !self.stop.is_soft() {
            let wait = match self.turn(&mut bench).await {
                Ok(leading) => {
                    if std::mem::take(&mut failing) {
                        info!("policy is published again");
                    }
                    // Also where another process leads: the bus answered, and policy flows.
                    self.part.ready(true);
                    if leading { POLL } else { RETRY }
                }
                Err(error) => {
                    counter!("billing_relay_failures_total").increment(1);
                    self.part.ready(false);
                    if !std::mem::replace(&mut failing, true) {
                        warn!(error = %daemon::exit::chain(&error), "policy changes wait in the outbox");
                    }
                    bench.look_at = Instant::now();
                    RETRY
                }
            };
            tokio::select! {
                () = self.office.committed.notified() => {}
                () = tokio::time::sleep(wait) => {}
                () = self.stop.soft() => {}
            }
        }
        // Best effort: without it the next relay waits for the lease to end.
        let _ = self.bus.release("relay", &bench.owner).await;
        Ok(())
    }

    /// One turn; false where another relay leads.
    async fn turn(&self, bench: &mut Bench) -> Result<bool, RelayError> {
        if !self.lead(bench).await? {
            return Ok(false);
        }
        while self.take_over().await? {
            if !self.lead(bench).await? {
                return Ok(false);
            }
        }
        let bus_epoch = self.bus.epoch().await?;
        if bench.whole_in != Some(bus_epoch) || Instant::now() >= bench.look_at {
            let lost = bench.whole_in.is_some_and(|epoch| epoch != bus_epoch);
            if !self.fill_if_lost(bench, lost).await? {
                return Ok(false);
            }
            bench.whole_in = Some(bus_epoch);
            bench.look_at = Instant::now() + LOOK;
        }
        while self.publish().await? {
            if !self.lead(bench).await? {
                return Ok(false);
            }
        }
        // A bus that was emptied while we published has only what came after: fill it.
        if self.bus.epoch().await? != bus_epoch {
            bench.look_at = Instant::now();
            return Ok(true);
        }
        if Instant::now() >= bench.beat_at {
            let beat = Message::Heartbeat { format: FORMAT, at: self.office.now() };
            self.send(&[Bytes::from(serde_json::to_vec(&beat)?)]).await?;
            bench.beat_at = Instant::now() + HEARTBEAT;
        }
        Ok(true)
    }

    /// Takes or keeps the lease.
    async fn lead(&self, bench: &Bench) -> Result<bool, RelayError> {
        Ok(self.bus.lease("relay", &bench.owner, LEASE).await?.is_some())
    }

    /// Step one; true where there may be more.
    async fn take_over(&self) -> Result<bool, RelayError> {
        let waiting = self.office.db.fetch_all(&sql::WAITING, args![1]).await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let now = self.office.now();
        let mut tx = self.office.db.begin().await?;
        let row = tx.fetch_optional(&sql::LOCK_LINE, args![LINE]).await?;
        let mut at = line(&row.ok_or(RelayError::NoLine)?)?;
        let events = tx.fetch_all(&sql::WAITING, args![EVENTS]).await?;
        let mut keys: Vec<Key> = Vec::new();
        let mut named: HashSet<Key> = HashSet::new();
        let mut relayed: Vec<i64> = Vec::with_capacity(events.len());
        for event in &events {
            if keys.len() >= KEYS {
                break;
            }
            let text: String = event.get("policy_keys")?;
            for key in text.split(' ').filter(|key| !key.is_empty()) {
                match Key::from_str(key) {
                    Ok(key) if named.insert(key) => keys.push(key),
                    Ok(_) => {}
                    Err(error) => unreadable(key, &error),
                }
            }
            relayed.push(event.get("seq")?);
        }
        for set in keys.chunks(SET) {
            take_over_set(&mut tx, &mut at, set).await?;
        }
        let more = relayed.len() < events.len() || events.len() as i64 == EVENTS;
        tx.execute(&sql::SET_RELAYED, args![json!(relayed), now]).await?;
        tx.execute(&sql::ADVANCE_LINE, args![LINE, at.revision, at.live]).await?;
        tx.commit().await?;
        gauge!("billing_policy_revision").set(at.revision as f64);
        Ok(more)
    }

    /// Step two; true where there may be more.
    async fn publish(&self) -> Result<bool, RelayError> {
        let at = self.line().await?;
        if at.published >= at.revision {
            return Ok(false);
        }
        let rows = self.office.db.fetch_all(&sql::STATES_AFTER, args![at.published, CHUNK]).await?;
        let mut table = Vec::with_capacity(rows.len());
        let mut stream = Vec::with_capacity(rows.len());
        let mut last = at.published;
        for row in &rows {
            let change = change(row, at.epoch, last)?;
            last = change.revision;
            let body = change.body.is_some().then(|| serde_json::to_vec(&change)).transpose()?;
            table.push((change.key.to_string(), body.map(Bytes::from)));
            let message = Message::Change(Box::new(change));
            stream.push(Bytes::from(serde_json::to_vec(&message)?));
        }
        let more = rows.len() as i64 == CHUNK;
        // A row may have moved on to a higher revision since the line was read; the last chunk
        // accounts for everything up to the line's own.
        let last = if more { last } else { last.max(at.revision) };
        self.bus.put(TABLE, &table).await?;
        self.set_mark(at, last).await?;
        self.send(&stream).await?;
        self.office.db.execute(&sql::SET_PUBLISHED, args![LINE, last]).await?;
        counter!("billing_policy_published_total").increment(stream.len() as u64);
        Ok(more)
    }

    async fn set_mark(&self, at: Line, revision: u64) -> Result<(), RelayError> {
        let mark = Mark { format: FORMAT, epoch: at.epoch, revision, count: at.live };
        Ok(self.bus.set_mark(TABLE, &serde_json::to_vec(&mark)?).await?)
    }

    /// Appends to the stream, which keeps to its length: who lags further behind than that
    /// misses a revision, notices, and loads the snapshot.
    async fn send(&self, messages: &[Bytes]) -> Result<(), RelayError> {
        if self.bus.len(STREAM).await? > STREAM_KEPT {
            let end = self.bus.end(STREAM).await?;
            self.bus.trim(STREAM, end).await?;
        }
        Ok(self.bus.append(STREAM, messages).await?)
    }

    /// Fills the bus from `policy_state` where it has another line's snapshot, an older one,
    /// or none.
    ///
    /// `lost`: the bus was emptied, so its mark proves nothing. False where another relay has
    /// taken the lead meanwhile; it fills the bus then.
    async fn fill_if_lost(&self, bench: &Bench, lost: bool) -> Result<bool, RelayError> {
        let mark = self.bus.mark(TABLE).await?;
        let mark = mark.and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
        let mut at = self.line().await?;
        if let Some(mark) = mark.filter(|mark| mark.epoch == at.epoch) {
            if mark.revision > at.revision {
                // The bus is ahead of the database: an older state of it was restored.
                at = self.renew_epoch().await?;
            } else if !lost && mark.revision >= at.published {
                return Ok(true);
            }
        }
        info!(epoch = at.epoch, records = at.live, "publishing the whole policy");
        self.bus.clear(TABLE).await?;
        let mut after = String::new();
        let mut count = 0;
        loop {
            let args = args![after.as_str(), CHUNK];
            let rows = self.office.db.fetch_all(&sql::STATES_BY_KEY, args).await?;
            let mut table = Vec::with_capacity(rows.len());
            for row in &rows {
                let change = change(row, at.epoch, 0)?;
                after = change.key.to_string();
                table.push((after.clone(), Some(Bytes::from(serde_json::to_vec(&change)?))));
            }
            self.bus.put(TABLE, &table).await?;
            count += rows.len() as u64;
            // A long snapshot must not let the lease go. If it went all the same, what was just
            // written may be older than what the new leader wrote: leave nothing, it refills.
            if !self.lead(bench).await? {
                self.bus.clear(TABLE).await?;
                return Ok(false);
            }
            if rows.len() as i64 != CHUNK {
                break;
            }
        }
        // The table has every state up to the line's revision, and perhaps later ones: those are
        // above it, and are published next like any other change.
        let mark = Mark { format: FORMAT, epoch: at.epoch, revision: at.revision, count };
        self.bus.set_mark(TABLE, &serde_json::to_vec(&mark)?).await?;
        self.send(&[Bytes::from(serde_json::to_vec(&Message::Snapshot(mark))?)]).await?;
        self.office.db.execute(&sql::SET_PUBLISHED, args![LINE, at.revision]).await?;
        Ok(true)
    }

    /// Gives the line another epoch, so that followers load it anew.
    async fn renew_epoch(&self) -> Result<Line, RelayError> {
        let mut tx = self.office.db.begin().await?;
        tx.fetch_optional(&sql::LOCK_LINE, args![LINE]).await?;
        let epoch = new_epoch();
        tx.execute(&sql::RENEW_EPOCH, args![LINE, epoch]).await?;
        tx.commit().await?;
        warn!(
            epoch,
            "the database is older than what was published: the policy line has a new epoch"
        );
        self.line().await
    }

    async fn line(&self) -> Result<Line, RelayError> {
        let row = self.office.db.fetch_optional(&sql::FIND_LINE, args![LINE]).await?;
        Ok(line(&row.ok_or(RelayError::NoLine)?)?)
    }
}

/// A new epoch: random, and never 0.
pub(crate) fn new_epoch() -> u64 {
    (u64::from_be_bytes(daemon::secrets::random::<8>()) >> 1) | 1
}

/// Gives each of these records whose state has changed the line's next revision.
async fn take_over_set(tx: &mut Tx, at: &mut Line, keys: &[Key]) -> Result<(), RelayError> {
    let mut found = state::load(tx, keys).await?;
    let texts: Vec<String> = keys.iter().map(Key::to_string).collect();
    let mut before: HashMap<String, Option<Value>> = HashMap::with_capacity(keys.len());
    for row in tx.fetch_all(&sql::FIND_STATES, args![json!(texts)]).await? {
        before.insert(row.get("key")?, row.get("body")?);
    }
    let mut states = Vec::new();
    for (key, text) in keys.iter().zip(texts) {
        let body = match found.remove(key).transpose() {
            Ok(body) => body.map(serde_json::to_value).transpose()?,
            // One record that does not read must not hold up all others: it keeps the state it
            // had.
            Err(error) => {
                unreadable(&text, &error);
                continue;
            }
        };
        let before = before.remove(&text);
        let was_there = before.is_some();
        let known = before.flatten();
        if known == body && (was_there || body.is_none()) {
            continue;
        }
        at.revision += 1;
        at.live = (at.live + u64::from(body.is_some())).saturating_sub(u64::from(known.is_some()));
        states.push(json!([text, at.revision, body.map(|body| body.to_string())]));
    }
    if !states.is_empty() {
        tx.execute(&sql::PUT_STATES, args![Value::Array(states)]).await?;
    }
    Ok(())
}

fn unreadable(key: &str, error: &dyn std::error::Error) {
    counter!("billing_relay_unreadable_total").increment(1);
    error!(
        key,
        reason = %daemon::exit::chain(error),
        "a policy record does not read; the network keeps its last state"
    );
}

fn change(row: &Row, epoch: u64, after: u64) -> Result<Change, RelayError> {
    let key: String = row.get("key")?;
    let body: Option<Value> = row.get("body")?;
    let body: Option<Body> = body.map(serde_json::from_value).transpose()?;
    let parsed = Key::from_str(&key)
        .map_err(|error| RelayError::Record { key: key.clone(), reason: error.to_string() })?;
    Ok(Change { format: FORMAT, epoch, revision: row.get("revision")?, after, key: parsed, body })
}

#[cfg(test)]
mod tests {
    use daemon::health::Health;
    use daemon::secrets::Keyring;
    use model::{ServiceId, SystemClock};

    use super::*;
    use crate::store::MIGRATIONS;

    store::statements! {
        STATES = "SELECT key, revision, body FROM policy_state
            WHERE key LIKE 'svc%' ORDER BY revision";
        /// As a service's change leaves it; several keys and repeats are one event's business.
        NAME = "INSERT INTO outbox (id, organisation_id, at, kind, entity_id, format, payload, policy_keys)
            SELECT $1, organisation_id, at, kind, entity_id, format, payload, $2
            FROM outbox WHERE seq = (SELECT MIN(seq) FROM outbox)";
        SET_LOGIN = "UPDATE access_identity SET value = $2 WHERE service_id = $1";
        SET_KIND = "UPDATE access_identity SET credential_kind = $2 WHERE service_id = $1";
        HOLD = "INSERT INTO hold
            (id, organisation_id, service_id, reason, network, billing, owner, placed_at, placed_by)
            SELECT $1, organisation_id, id, 'admin', 'reject', 'off', 'staff', created_at, 'test'
            FROM service WHERE id = $2";
        DELETE = "UPDATE service SET deleted_at = created_at WHERE id = $1";
    }

    async fn states(office: &Office) -> Vec<Change> {
        let rows = office.db.fetch_all(&STATES, args![]).await.unwrap();
        rows.iter().map(|row| change(row, 1, 0).unwrap()).collect()
    }

    async fn name(office: &Office, keys: &str) {
        let id = model::EventId::generate();
        office.db.execute(&NAME, args![id, keys]).await.unwrap();
    }

    #[tokio::test]
    async fn sets_are_taken_over_as_one_by_one_and_one_bad_record_holds_up_nobody() {
        for test in store::testing::engines("billing").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let office = Arc::new(Office::new(
                test.db.clone(),
                test.db.clone(),
                Keyring::ephemeral(),
                Arc::new(SystemClock),
            ));
            let config = crate::config::FirstStart::default();
            crate::first_start::prepare(&office, &config, None).await.unwrap();
            let relay = Relay {
                office: office.clone(),
                bus: Bus::local(),
                part: Health::new().part("relay"),
                stop: Shutdown::new().1,
            };
            const COUNT: usize = SET + 7;
            crate::seed::grow(&office, COUNT as u64).await.unwrap();
            while relay.take_over().await.unwrap() {}
            let first = states(&office).await;
            assert_eq!(first.len(), COUNT);
            let line = relay.line().await.unwrap();
            // The plan's profile is a record too.
            assert_eq!((line.live, line.revision), (COUNT as u64 + 1, COUNT as u64 + 1));

            let ids: Vec<ServiceId> = first
                .iter()
                .take(5)
                .map(|change| match (&change.key, &change.body) {
                    (Key::Subscriber(id), Some(Body::Subscriber(one))) => {
                        assert_eq!((one.service, one.identities.len()), (*id, 1));
                        *id
                    }
                    other => panic!("{other:?}"),
                })
                .collect();
            let db = &office.db;
            db.execute(&SET_LOGIN, args![ids[0], "renamed"]).await.unwrap();
            db.execute(&SET_KIND, args![ids[1], "rot13"]).await.unwrap();
            db.execute(&HOLD, args![model::HoldId::generate(), ids[2]]).await.unwrap();
            db.execute(&DELETE, args![ids[3]]).await.unwrap();
            let keys: Vec<String> = ids.iter().map(ServiceId::to_string).collect();
            name(&office, &format!("{} nonsense_1 {}", keys.join(" "), keys[0])).await;
            name(&office, &keys[2]).await;
            while relay.take_over().await.unwrap() {}

            let moved = relay.line().await.unwrap();
            assert_eq!((moved.live, moved.revision), (line.live - 1, line.revision + 3));
            let second = states(&office).await;
            let changed = &second[COUNT - 3..];
            let all: Vec<Key> = changed.iter().map(|change| change.key).collect();
            assert_eq!(all, [0, 2, 3].map(|n| Key::Subscriber(ids[n])), "in the order named");
            match [&changed[0].body, &changed[1].body, &changed[2].body] {
                [Some(Body::Subscriber(renamed)), Some(Body::Subscriber(held)), None] => {
                    assert_eq!(renamed.identities[0].value, "renamed");
                    assert_eq!(held.holds.len(), 1);
                }
                other => panic!("{other:?}"),
            }
            // What does not read, and what did not change, keep the state they had.
            for n in [1, 4] {
                let kept = second.iter().find(|change| change.key == Key::Subscriber(ids[n]));
                assert_eq!(kept, Some(&first[n]));
            }
            assert!(!relay.take_over().await.unwrap(), "everything is taken over");

            // Events that name many: one turn takes no more of them than it must.
            let many: Vec<String> = (0..KEYS).map(|_| ServiceId::generate().to_string()).collect();
            for half in many.chunks(KEYS / 2) {
                name(&office, &half.join(" ")).await;
            }
            name(&office, &keys[2]).await;
            assert!(relay.take_over().await.unwrap(), "the third waits");
            let waiting = db.fetch_all(&sql::WAITING, args![EVENTS]).await.unwrap();
            assert_eq!(waiting.len(), 1);
            assert!(!relay.take_over().await.unwrap());
        }
    }
}
