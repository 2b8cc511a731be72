//! The follower: bus → policy cache, and the local snapshot that outlives the bus.
//!
//! Start-up: the local snapshot is loaded before the first packet, so a node answers with
//! nothing else running. Then the stream's position is noted, the snapshot table is loaded,
//! and the stream is followed from the noted position. A message is a nudge; whatever raises a
//! doubt (a gap, a bus that lost its contents, a mark that is ahead) loads the table again.
//!
//! Blast radius: a table without its end marker, with fewer records than the marker says, or
//! more than 10 % smaller than what is in force never replaces the cache, unless an operator
//! says so (`netctl policy accept`).

mod file;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError};
use bytes::Bytes;
use metrics::{counter, gauge};
use model::nas::NasSeen;
use model::policy::{Body, Change, FORMAT, Mark, Message, STREAM, TABLE};
use model::{Clock, NasId, Ts};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::blocks::Blocks;
use crate::cache::{Cache, Touched};
use crate::coa::Nudge;
use crate::engine::Engine;
use crate::listener::Seen;
use crate::pools::{Asking, Intruder, Told};
use crate::sessions::{Sessions, each_live};
use daemon::exit::chain;

pub(crate) use file::SnapshotFile;

/// The stream NAS on first sight are reported on; billing-api keeps them.
pub(crate) const NAS_SEEN: &str = "nas-seen";

/// Messages taken from the stream at once.
const CHUNK: usize = 1000;
/// How long one wait for messages lasts.
const WAIT: Duration = Duration::from_millis(500);
/// How long to wait after the bus failed.
const RETRY: Duration = Duration::from_millis(500);
/// How often the mark is compared with what is in force.
const COMPARE_EVERY: Duration = Duration::from_secs(30);
/// How often a table that is refused or not there is looked at again.
const RELOAD_EVERY: Duration = Duration::from_secs(5);
/// How soon a mark that is ahead is looked at again.
const AHEAD_AGAIN: Duration = Duration::from_secs(2);
/// NAS that are seen but not published, at most: names are chosen by whoever knows a secret.
const SEEN_MAX: usize = 10_000;
/// Below this many records a shrinking snapshot is taken as it is.
const SHRINK_FLOOR: u64 = 20;

/// What the rest of the program sees of the follower.
#[derive(Default)]
pub(crate) struct FollowerState {
    refused: Mutex<Option<Mark>>,
    accept: Mutex<Option<(u64, u64)>>,
    accepted: Notify,
}

impl FollowerState {
    /// The snapshot that was refused, if one is.
    pub(crate) fn refused(&self) -> Option<Mark> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts the refused snapshot; false where there is none.
    pub(crate) fn accept(&self) -> bool {
        let Some(mark) = self.refused() else { return false };
        let line = (mark.epoch, mark.count);
        *self.accept.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        self.accepted.notify_one();
        true
    }

    fn set_refused(&self, mark: Option<Mark>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = mark;
    }

    /// Whether the operator has accepted this line's snapshot, give or take live changes.
    fn is_accepted(&self, mark: &Mark) -> bool {
        let accepted = *self.accept.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.is_some_and(|(epoch, count)| epoch == mark.epoch && mark.count * 10 >= count * 9)
    }

    /// A snapshot was loaded: an acceptance was for it, and for no later one.
    fn loaded(&self) {
        self.set_refused(None);
        *self.accept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The follower task.
pub(crate) struct Follower {
    pub(crate) bus: Bus,
    pub(crate) cache: Arc<Cache>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<Mutex<Sessions>>,
    pub(crate) file: SnapshotFile,
    pub(crate) seen: mpsc::Receiver<Seen>,
    pub(crate) coa: mpsc::Sender<Nudge>,
    pub(crate) state: Arc<FollowerState>,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) connected: daemon::health::Part,
    pub(crate) stop: daemon::lifecycle::Shutdown,
}

/// Why a table was not loaded.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("could not read the policy snapshot from the bus")]
    Bus(#[from] BusError),
    #[error("the policy snapshot has no end marker yet")]
    NoMark,
    #[error("the policy snapshot was written by a newer program (format {0})")]
    Newer(u8),
    #[error("the policy snapshot is partial: {found} records of {promised}")]
    Partial { found: u64, promised: u64 },
    #[error("a policy record does not read")]
    Record(#[source] serde_json::Error),
    #[error(
        "the policy snapshot has {found} records where {have} are in force; `netctl policy accept` takes it all the same"
    )]
    Shrunk { found: u64, have: u64, again: bool },
}

/// When the table is looked at next, and what the last look left open.
struct Looks {
    next: Instant,
    /// No look before this, whatever is nudged: a table that is refused is not read again and
    /// again.
    not_before: Instant,
    /// The table has been loaded since the start, and nothing has raised a doubt since.
    loaded: bool,
    /// A mark that was ahead of us at the last look. The relay sets the mark before it appends
    /// to the stream, so being behind it once is nothing; twice is.
    ahead: Option<Mark>,
}

impl Looks {
    fn doubt(&mut self) {
        self.loaded = false;
        self.next = self.not_before.max(Instant::now());
    }
}

impl Follower {
    /// Follows until stopped.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut stream = bus::Follower::new(STREAM);
        let mut pending: Vec<NasSeen> = Vec::new();
        let mut reported: HashSet<NasId> = HashSet::new();
        let now = Instant::now();
        let mut looks = Looks { next: now, not_before: now, loaded: false, ahead: None };
        while !self.stop.is_soft() {
            if Instant::now() >= looks.next {
                let pause = match self.look(&mut stream, &mut looks).await {
                    Ok(()) if looks.ahead.is_some() => AHEAD_AGAIN,
                    Ok(()) => COMPARE_EVERY,
                    Err(error) => {
                        self.report(&error);
                        looks.not_before = Instant::now() + RELOAD_EVERY;
                        RELOAD_EVERY
                    }
                };
                looks.next = Instant::now() + pause;
            }
            tokio::select! {
                batch = stream.next(&self.bus, CHUNK, WAIT) => match batch {
                    Ok(batch) => {
                        self.connected.ready(true);
                        if batch.restarted {
                            info!("the bus lost its contents: the policy in force stays until it is published again");
                            looks.doubt();
                        }
                        if self.take(&batch.entries) {
                            looks.doubt();
                        }
                    }
                    Err(error) => {
                        self.connected.ready(false);
                        warn!(error = %chain(&error), "the bus cannot be read; the policy in force stays");
                        tokio::select! {
                            () = tokio::time::sleep(RETRY) => {}
                            () = self.stop.soft() => {}
                        }
                    }
                },
                Some(seen) = self.seen.recv() => self.keep_seen(&seen, &mut pending, &mut reported),
                () = self.state.accepted.notified() => {
                    looks.not_before = Instant::now();
                    looks.doubt();
                }
                () = self.stop.soft() => {}
            }
            self.tell_seen(&mut pending).await;
            let extent = self.cache.extent();
            gauge!("aaad_policy_revision").set(extent.revision as f64);
            gauge!("aaad_policy_records").set(extent.count as f64);
        }
        Ok(())
    }

    fn report(&self, error: &LoadError) {
        match error {
            // Billing has not published yet, or is just about to: `status` shows the revision.
            LoadError::NoMark => debug!("the bus has no policy snapshot yet"),
            // Told once; `status` goes on saying it.
            LoadError::Shrunk { again: true, .. } => {}
            LoadError::Shrunk { .. } => {
                error!(error = %chain(error), "the policy snapshot was refused")
            }
            _ => warn!(error = %chain(error), "the policy in force stays"),
        }
    }

    /// Loads the table, unless what is in force is as far as its mark.
    async fn look(
        &mut self,
        stream: &mut bus::Follower,
        looks: &mut Looks,
    ) -> Result<(), LoadError> {
        let extent = self.cache.extent();
        let mark = self.mark().await?;
        if looks.loaded {
            let behind = mark.epoch != extent.epoch || mark.revision > extent.revision;
            let twice = looks.ahead.is_some_and(|ahead| ahead.revision > extent.revision);
            looks.ahead = (behind && !twice).then_some(mark);
            if !behind || !twice && mark.epoch == extent.epoch {
                return Ok(());
            }
        }
        // Told by the mark alone, before anything is read.
        self.refuse_shrunk(&mark, mark.count, extent.count)?;
        let position = self.bus.end(STREAM).await?;
        let before = self.mark().await?;
        let mut loading = self.cache.begin(before.epoch);
        let mut bad = None;
        let mut take = |_: &str, body: &[u8]| match serde_json::from_slice::<Change>(body) {
            Ok(change) => loading.take(&self.cache, change),
            Err(error) => bad = Some(error),
        };
        self.bus.load(TABLE, &mut take).await?;
        if let Some(error) = bad {
            return Err(LoadError::Record(error));
        }
        let after = self.mark().await?;
        let found = loading.len() as u64;
        // The table may change while it is read; the counts before and after bound it.
        let promised = before.count.min(after.count);
        if before.epoch != after.epoch || found < promised {
            return Err(LoadError::Partial { found, promised });
        }
        self.refuse_shrunk(&after, found, extent.count)?;
        let differs = self.cache.replace(before.epoch, before.revision, loading);
        self.cache.set_whole();
        self.state.loaded();
        looks.loaded = true;
        looks.ahead = None;
        *stream = bus::Follower::resume(STREAM, position, None);
        info!(
            epoch = before.epoch,
            revision = before.revision,
            records = found,
            "policy snapshot loaded"
        );
        if differs || !self.file.is_open() {
            self.file.rewrite(&self.cache);
        }
        self.configure_pools();
        self.nudge(Nudge::Everything);
        Ok(())
    }

    fn refuse_shrunk(&self, mark: &Mark, found: u64, have: u64) -> Result<(), LoadError> {
        let shrunk = have >= SHRINK_FLOOR && found * 10 < have * 9;
        if shrunk && !self.state.is_accepted(mark) {
            let again = self.state.refused().is_some_and(|refused| refused.epoch == mark.epoch);
            self.state.set_refused(Some(*mark));
            return Err(LoadError::Shrunk { found, have, again });
        }
        Ok(())
    }

    async fn mark(&self) -> Result<Mark, LoadError> {
        let bytes = self.bus.mark(TABLE).await?.ok_or(LoadError::NoMark)?;
        let mark: Mark = serde_json::from_slice(&bytes).map_err(LoadError::Record)?;
        if mark.format > FORMAT { Err(LoadError::Newer(mark.format)) } else { Ok(mark) }
    }

    /// Applies messages; true where the table should be loaded again.
    fn take(&mut self, entries: &[bus::Entry]) -> bool {
        let mut doubt = false;
        let mut applied = Vec::new();
        let mut heard = None;
        for entry in entries {
            match serde_json::from_slice::<Message>(&entry.body) {
                Ok(Message::Change(change)) if change.format <= FORMAT => {
                    match self.apply(&change) {
                        Applied::Well => applied.push(*change),
                        Applied::Already => {}
                        Applied::AfterAGap => {
                            applied.push(*change);
                            doubt = true;
                        }
                        Applied::OfAnotherLine => doubt = true,
                    }
                }
                Ok(Message::Snapshot(mark)) => {
                    let extent = self.cache.extent();
                    doubt |= mark.epoch != extent.epoch || mark.revision > extent.revision;
                }
                Ok(Message::Heartbeat { format, at }) if format <= FORMAT => heard = Some(at),
                Ok(Message::Change(_) | Message::Heartbeat { .. }) => {
                    error!("the policy line is written by a newer program: upgrade aaad");
                }
                Err(error) => {
                    counter!("aaad_policy_unreadable_total").increment(1);
                    warn!(%error, "a policy message does not read");
                }
            }
        }
        if let Some(at) = heard {
            self.cache.set_billing_heard(at);
        }
        if !applied.is_empty() || heard.is_some() {
            self.file.append(&applied, heard, &self.cache);
        }
        doubt
    }

    /// Applies one change and tells the CoA engine.
    fn apply(&self, change: &Change) -> Applied {
        let extent = self.cache.extent();
        if extent.epoch != change.epoch {
            return Applied::OfAnotherLine;
        }
        counter!("aaad_policy_changes_total").increment(1);
        // Whoever was blocked for a wrong password may just have been given the right one.
        if let Some(Body::Subscriber(subscriber)) = &change.body {
            self.blocks.lift_service(subscriber.service);
            for identity in &subscriber.identities {
                self.blocks.lift(identity.value.as_bytes(), None);
            }
        }
        match self.cache.apply(change) {
            Touched::Service(service) => {
                let now = self.clock.now();
                let pools = &self.engine.pools;
                self.expel(pools.subscriber_changed(service, &self.cache, now));
                self.nudge(Nudge::Service(service));
            }
            Touched::Profile(profile) => self.nudge(Nudge::Profile(profile)),
            Touched::Pools => self.configure_pools(),
            Touched::Group => self.nudge(Nudge::Everything),
            Touched::Nothing => {}
            Touched::Older => return Applied::Already,
        }
        if change.after > extent.revision { Applied::AfterAGap } else { Applied::Well }
    }

    /// Puts the pools of the cache in force.
    fn configure_pools(&self) {
        let mut live = |each: &mut dyn FnMut(&Told, &Asking, Ts)| {
            each_live(&self.sessions.lock().unwrap_or_else(PoisonError::into_inner), each);
        };
        let now = self.clock.now();
        self.expel(self.engine.pools.configure(&self.cache, now, &mut live));
    }

    /// Ends the sessions that have what is a service's own.
    fn expel(&self, intruders: Vec<Intruder>) {
        intruders.into_iter().for_each(|intruder| self.nudge(Nudge::Intruder(intruder)));
    }

    fn nudge(&self, nudge: Nudge) {
        // Full: the sweep compares every session anyway.
        if self.coa.try_send(nudge).is_err() {
            counter!("aaad_coa_nudges_lost_total").increment(1);
        }
    }

    fn keep_seen(&self, seen: &Seen, pending: &mut Vec<NasSeen>, reported: &mut HashSet<NasId>) {
        let clients = self.cache.clients();
        if clients.nas(seen.nas.id).is_some() {
            return;
        }
        if clients.seen_count() >= SEEN_MAX {
            counter!("aaad_nas_seen_refused_total").increment(1);
            return;
        }
        self.cache.add_seen(seen.nas.clone());
        // One that was deleted since is known here again, but not reported again.
        if !reported.insert(seen.nas.id) {
            return;
        }
        info!(nas = %seen.nas.id, name = %seen.nas.name, source = %seen.source, at = %seen.at, "a NAS was seen for the first time");
        pending.push(NasSeen {
            format: 1,
            nas: seen.nas.id,
            client: seen.client.id,
            name: seen.nas.name.clone(),
            source: seen.source,
        });
    }

    async fn tell_seen(&self, pending: &mut Vec<NasSeen>) {
        if pending.is_empty() {
            return;
        }
        let bodies: Vec<Bytes> = pending
            .iter()
            .filter_map(|seen| serde_json::to_vec(seen).ok())
            .map(Bytes::from)
            .collect();
        // On failure they stay for the next round.
        if self.bus.append(NAS_SEEN, &bodies).await.is_ok() {
            pending.clear();
        }
    }
}

/// What became of a change.
enum Applied {
    Well,
    /// Not applied: what is in force is newer, or the same.
    Already,
    /// Applied, but changes before it were missed.
    AfterAGap,
    /// Not applied: its epoch is another one.
    OfAnotherLine,
}

/// Applies the local snapshot, before anything else runs.
pub(crate) fn restore(path: &std::path::Path, cache: &Cache) -> (SnapshotFile, u64) {
    let file = SnapshotFile::open(path, cache);
    (file, cache.extent().count)
}
