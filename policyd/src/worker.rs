//! The worker of one partition: lease, read, apply, acknowledge, trim.
//!
//! It reads from the start of what the bus still has. That is never much, since entries are
//! trimmed once they are committed and acknowledged; and a repeat is recognised by its journal
//! and sequence, and acknowledged again, so that a shipper that missed the first word does not
//! wait for ever. A saved position would be worth less: it means nothing in another epoch.
//!
//! Entries that came behind a gap are refused and trimmed like the others: the worker says how
//! far it is, and their shipper sends again from there. An entry of a newer format stops the
//! partition: the lease goes to a newer policyd, if there is one.
//!
//! Once a minute it ends the sessions that were not heard of for too long. Silence is judged by
//! how far the records were applied, not by the clock, so that a backlog ends nothing; by the
//! clock where nothing has come for as long as the grace is.
//!
//! Whatever fails, the entries stay on the bus, and behind it in the journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, Entry, Follower};
use bytes::Bytes;
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use jiff::tz::TimeZone;
use metrics::{counter, histogram};
use model::accounting::{self, ACKS, Ack};
use model::{Clock, Ts};
use store::{Db, StoreError};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::batch::{self, Outcome, Scope};
use crate::state::State;
use crate::store::{self as tables, REMOVED_MAX, Silence, hex};
use crate::usage::keep::hour_shift_s;

/// The longest between two renewals of the lease.
const RENEW_MAX: Duration = Duration::from_secs(3);
/// The first and the longest pause before a failed step is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// How often what was acknowledged is said again: old acknowledgements are trimmed, and a
/// shipper may have been away when they were new.
const REPEAT_ACKS: Duration = Duration::from_secs(30);

/// How often sessions that are silent are looked for.
const REAP_EVERY: Duration = Duration::from_secs(60);
/// How long a session may be silent that never sent an interim, where its NAS sends them.
const UNHEARD_S: u32 = 86_400;

/// The worker of one partition.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) partition: u16,
    /// Who holds the lease: unique to this start of the program.
    pub(crate) owner: String,
    pub(crate) lease_ttl: Duration,
    pub(crate) batch_max: usize,
    pub(crate) fold_case: bool,
    /// How long a session may be silent beyond three of its own intervals, seconds.
    pub(crate) lost_after_s: u32,
    /// The zone whose hours usage is added up by.
    pub(crate) zone: TimeZone,
    pub(crate) bus: Bus,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state: Arc<State>,
    pub(crate) stop: Shutdown,
}

/// A lease while it is ours.
struct Lease {
    renewed: Instant,
    until: Instant,
}

/// Why a worker lets go of its partition.
#[derive(Debug, thiserror::Error)]
enum LetGo {
    #[error("the program stops")]
    Stop,
    #[error("the lease is somebody else's")]
    Lost,
    #[error("somebody else applied the same records")]
    Overtaken,
    #[error("the next record has format {0}")]
    TooNew(u8),
    #[error("the bus did not take the acknowledgement")]
    Acknowledge(#[source] BusError),
}

impl Worker {
    /// Works until the soft stop.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        let mut pause = PAUSE_MIN;
        while !self.stop.is_soft() {
            let wait = match self.acquire().await {
                Ok(Some(lease)) => {
                    pause = PAUSE_MIN;
                    self.state.holds(true);
                    let reason = self.serve(lease).await;
                    self.state.holds(false);
                    let wait = match reason {
                        LetGo::TooNew(_) => PAUSE_MAX,
                        _ => pause,
                    };
                    self.let_go(reason).await;
                    wait
                }
                Ok(None) => {
                    self.state.waits_no_more(self.partition);
                    self.renew_every()
                }
                Err(error) => {
                    self.state.bus.fails(&error);
                    pause = (pause * 2).min(PAUSE_MAX);
                    pause
                }
            };
            self.sleep(wait).await;
        }
        Ok(())
    }

    fn lease_name(&self) -> String {
        accounting::stream(self.partition)
    }

    fn renew_every(&self) -> Duration {
        (self.lease_ttl / 3).min(RENEW_MAX)
    }

    async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stop.soft() => {}
        }
    }

    async fn acquire(&self) -> Result<Option<Lease>, BusError> {
        // The lease may run from any moment of the call.
        let renewed = Instant::now();
        let token = self.bus.lease(&self.lease_name(), &self.owner, self.lease_ttl).await?;
        self.state.bus.works();
        Ok(token.map(|_| Lease { renewed, until: renewed + self.lease_ttl }))
    }

    /// Renews the lease where it is time to.
    async fn keep(&self, lease: &mut Lease) -> Result<(), LetGo> {
        if lease.renewed.elapsed() < self.renew_every() {
            return Ok(());
        }
        match self.acquire().await {
            Ok(Some(renewed)) => *lease = renewed,
            Ok(None) => return Err(LetGo::Lost),
            Err(error) => {
                self.state.bus.fails(&error);
                if Instant::now() >= lease.until {
                    return Err(LetGo::Lost);
                }
            }
        }
        Ok(())
    }

    async fn let_go(&self, reason: LetGo) {
        let partition = self.partition;
        match &reason {
            LetGo::Stop => {}
            LetGo::Acknowledge(error) => self.state.bus.fails(error),
            LetGo::TooNew(format) => self.state.waits_for_newer(partition, *format),
            LetGo::Lost | LetGo::Overtaken => {
                warn!(partition, reason = chain(&reason), "gave the partition up");
            }
        }
        // One that is lost lapses by itself.
        if let Err(error) = self.bus.release(&self.lease_name(), &self.owner).await {
            info!(partition, error = chain(&error), "the lease was not released and will lapse");
        }
    }

    /// Applies what comes for as long as the lease is ours.
    async fn serve(&self, mut lease: Lease) -> LetGo {
        let mut follower = Follower::new(accounting::stream(self.partition));
        let mut said = Said::default();
        let mut repeated = Instant::now();
        let mut silence = Silences::default();
        let mut pause = PAUSE_MIN;
        loop {
            if let Err(reason) = self.keep(&mut lease).await {
                return reason;
            }
            let read = tokio::select! {
                read = follower.next(&self.bus, self.batch_max, self.renew_every()) => read,
                () = self.stop.soft() => return LetGo::Stop,
            };
            let batch = match read {
                Ok(batch) => batch,
                Err(error) => {
                    self.state.bus.fails(&error);
                    self.sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
            };
            pause = PAUSE_MIN;
            self.state.bus.works();
            if batch.restarted {
                // The shippers publish again what was not acknowledged; repeats are skipped.
                info!(partition = self.partition, "the bus lost its contents");
            }
            let (entries, too_new) = readable(&batch.entries);
            if !entries.is_empty() {
                self.state.waits_no_more(self.partition);
                match self.apply(&mut lease, entries).await {
                    Ok(outcome) => {
                        said.take(self.partition, &outcome);
                        silence.heard(outcome.newest);
                    }
                    Err(reason) => return reason,
                }
                if let Err(error) = self.settle(&follower, &said, entries).await {
                    return LetGo::Acknowledge(error);
                }
                repeated = Instant::now();
            } else if repeated.elapsed() >= REPEAT_ACKS {
                said.asked.clear();
                if let Err(error) = self.acknowledge(&said).await {
                    return LetGo::Acknowledge(error);
                }
                repeated = Instant::now();
            }
            if let Some(format) = too_new {
                return LetGo::TooNew(format);
            }
            if silence.is_due()
                && let Err(error) = self.end_lost(&mut silence).await
            {
                // It is tried again in a minute.
                self.state.database.fails(&error);
            }
        }
    }

    /// Ends the sessions that were not heard of for too long.
    async fn end_lost(&self, silence: &mut Silences) -> Result<(), StoreError> {
        silence.looked = Instant::now();
        let Some(now) = silence.judged_at(self.clock.now(), self.lost_after_s) else {
            return Ok(());
        };
        let allowed = Silence { grace_s: self.lost_after_s, unheard_s: UNHEARD_S };
        loop {
            let ended = tables::end_lost(&self.db, self.partition, allowed, now).await?;
            counter!("policyd_sessions_lost_total").increment(ended);
            if ended < REMOVED_MAX || self.stop.is_soft() {
                return Ok(());
            }
        }
    }

    /// Applies entries, whatever it takes: waits for a database that is away, and finds the one
    /// record among many that the database does not take.
    async fn apply(&self, lease: &mut Lease, entries: &[Entry]) -> Result<Outcome, LetGo> {
        let mut outcome = Outcome::default();
        let mut left = VecDeque::from([entries]);
        let mut pause = PAUSE_MIN;
        while let Some(chunk) = left.pop_front() {
            let began = Instant::now();
            let failed = match self.apply_or_put_aside(chunk).await {
                Ok(done) => {
                    histogram!("policyd_batch_seconds").record(began.elapsed().as_secs_f64());
                    self.state.database.works();
                    self.state.committed(&done);
                    outcome.add(done);
                    pause = PAUSE_MIN;
                    continue;
                }
                Err(failed) => failed,
            };
            match failed {
                StoreError::Stale => return Err(LetGo::Overtaken),
                failed if is_away(&failed) || chunk.len() == 1 => {
                    self.state.database.fails(&failed);
                    left.push_front(chunk);
                    self.sleep(pause.min(self.renew_every())).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                failed => {
                    let (records, partition) = (chunk.len(), self.partition);
                    warn!(partition, records, error = chain(&failed), "looking for a bad record");
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    left.push_front(second);
                    left.push_front(first);
                }
            }
            if self.stop.is_soft() {
                return Err(LetGo::Stop);
            }
            self.keep(lease).await?;
        }
        Ok(outcome)
    }

    async fn apply_or_put_aside(&self, chunk: &[Entry]) -> Result<Outcome, StoreError> {
        let now = self.clock.now();
        let scope = Scope {
            partition: self.partition,
            fold_case: self.fold_case,
            hour_shift_s: hour_shift_s(&self.zone, now),
            now,
        };
        let failed = match batch::apply(&self.db, scope, chunk).await {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        match chunk {
            [entry] if !is_away(&failed) && !matches!(failed, StoreError::Stale) => {
                let done = batch::put_aside(&self.db, scope, entry, &failed).await?;
                error!(partition = self.partition, error = chain(&failed), "record put aside");
                Ok(done)
            }
            _ => Err(failed),
        }
    }

    /// Tells the shippers, and then forgets the entries.
    async fn settle(
        &self,
        follower: &Follower,
        said: &Said,
        entries: &[Entry],
    ) -> Result<(), BusError> {
        self.acknowledge(said).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        // In another epoch the same position may lie behind entries nobody has applied.
        if follower.epoch == Some(self.bus.epoch().await?) {
            self.bus.trim(&follower.stream, last.position).await?;
        }
        Ok(())
    }

    async fn acknowledge(&self, said: &Said) -> Result<(), BusError> {
        let journals: BTreeSet<u128> = said.acks.keys().chain(&said.asked).copied().collect();
        let acks = journals.into_iter().filter_map(|incarnation| {
            let ack = Ack {
                format: accounting::FORMAT,
                incarnation: hex(incarnation),
                partition: self.partition,
                sequence: said.acks.get(&incarnation).copied().unwrap_or(0),
                missing: said.asked.contains(&incarnation),
            };
            // Numbers and a short text always become JSON.
            serde_json::to_vec(&ack).ok().map(Bytes::from)
        });
        self.bus.append(ACKS, &acks.collect::<Vec<_>>()).await
    }
}

/// By what silence is judged.
struct Silences {
    /// When the newest record that was applied reached aaad.
    newest: Option<Ts>,
    /// When a record was last applied, or this worker began.
    heard: Instant,
    looked: Instant,
}

impl Default for Silences {
    fn default() -> Self {
        Self { newest: None, heard: Instant::now(), looked: Instant::now() }
    }
}

impl Silences {
    fn heard(&mut self, newest: Option<Ts>) {
        self.newest = self.newest.max(newest);
        self.heard = Instant::now();
    }

    fn is_due(&self) -> bool {
        self.looked.elapsed() >= REAP_EVERY
    }

    /// The instant up to which everything is known; nothing while that is not known.
    fn judged_at(&self, now: Ts, grace_s: u32) -> Option<Ts> {
        let idle = self.heard.elapsed() >= Duration::from_secs(grace_s.into());
        if idle { Some(now) } else { self.newest.map(|newest| newest.min(now)) }
    }
}

/// What the shippers are told.
#[derive(Default)]
struct Said {
    /// Per journal: how far it is in the tables.
    acks: BTreeMap<u128, u64>,
    /// Journals with a gap in the last batch.
    asked: BTreeSet<u128>,
    /// Journals whose gap was logged and is not known to be closed.
    gaps: BTreeSet<u128>,
}

impl Said {
    fn take(&mut self, partition: u16, outcome: &Outcome) {
        self.asked = outcome.gaps.keys().copied().collect();
        for incarnation in &self.asked {
            // The database may have had more, before it was restored.
            self.acks.remove(incarnation);
            if self.gaps.insert(*incarnation) {
                let has = outcome.acks.get(incarnation).copied().unwrap_or(0);
                let journal = hex(*incarnation);
                warn!(partition, journal, has, "records are missing: asked for them again");
            }
        }
        for (incarnation, sequence) in &outcome.acks {
            self.acks.insert(*incarnation, *sequence);
            if !self.asked.contains(incarnation) {
                self.gaps.remove(incarnation);
            }
        }
    }
}

/// The entries up to the first that only a newer program can read, and its format.
fn readable(entries: &[Entry]) -> (&[Entry], Option<u8>) {
    let mut formats = entries.iter().map(|entry| batch::newer_format(&entry.body)).enumerate();
    match formats.find_map(|(n, format)| Some((n, format?))) {
        Some((n, format)) => (&entries[..n], Some(format)),
        None => (entries, None),
    }
}

/// Whether the fault is the database's and not a record's. A server that only reads is one that
/// waits to be made the primary.
fn is_away(failed: &StoreError) -> bool {
    failed.is_transient() || matches!(failed, StoreError::ReadOnly { .. })
}

#[cfg(test)]
mod tests;
