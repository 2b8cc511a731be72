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

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError};
use bytes::Bytes;
use metrics::{counter, gauge};
use model::nas::NasSeen;
use model::policy::{Change, FORMAT, Key, Mark, Message, STREAM, TABLE};
use model::{Clock, NasId};
use tokio::sync::{Notify, mpsc};
use tracing::{debug, error, info, warn};

use crate::cache::{Cache, Touched};
use crate::coa::Nudge;
use crate::listener::Seen;
use daemon::exit::chain;

pub(crate) use file::{FileError, SnapshotFile};

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
}

/// The follower task.
pub(crate) struct Follower {
    pub(crate) bus: Bus,
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) snapshot: PathBuf,
    pub(crate) file: SnapshotFile,
    pub(crate) seen: mpsc::Receiver<Seen>,
    pub(crate) coa: mpsc::Sender<Nudge>,
    pub(crate) state: Arc<FollowerState>,
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
    Shrunk { found: u64, have: u64 },
}

impl Follower {
    /// Follows until stopped.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut stream = bus::Follower::new(STREAM);
        let mut pending: Vec<NasSeen> = Vec::new();
        let mut reported: HashMap<NasId, model::Ts> = HashMap::new();
        let mut loaded = false;
        let mut next_look = tokio::time::Instant::now();
        loop {
            if self.stop.is_soft() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= next_look {
                match self.look(&mut stream, loaded).await {
                    Ok(()) => {
                        loaded = true;
                        next_look = tokio::time::Instant::now() + COMPARE_EVERY;
                    }
                    Err(error) => {
                        self.report(&error);
                        next_look = tokio::time::Instant::now() + RELOAD_EVERY;
                    }
                }
            }
            tokio::select! {
                batch = stream.next(&self.bus, CHUNK, WAIT) => match batch {
                    Ok(batch) => {
                        self.connected.ready(true);
                        if batch.restarted {
                            info!("the bus lost its contents: the policy in force stays until it is published again");
                            next_look = tokio::time::Instant::now() + RELOAD_EVERY;
                        }
                        if self.take(&batch.entries) {
                            loaded = false;
                            next_look = tokio::time::Instant::now();
                        }
                    }
                    Err(error) => {
                        self.connected.ready(false);
                        warn!(error = %chain(&error), "the bus cannot be read; the policy in force stays");
                        next_look = tokio::time::Instant::now() + RETRY;
                        tokio::select! {
                            () = tokio::time::sleep(RETRY) => {}
                            () = self.stop.soft() => {}
                        }
                    }
                },
                Some(seen) = self.seen.recv() => self.keep_seen(seen, &mut pending, &mut reported),
                () = self.state.accepted.notified() => {
                    loaded = false;
                    next_look = tokio::time::Instant::now();
                }
                () = self.stop.soft() => {}
            }
            self.tell_seen(&mut pending).await;
            let extent = self.cache.extent();
            gauge!("aaad_policy_revision").set(extent.revision as f64);
            gauge!("aaad_policy_records").set(extent.count as f64);
        }
    }

    fn report(&self, error: &LoadError) {
        match error {
            // Billing has not published yet, or is just about to: `status` shows the revision.
            LoadError::NoMark => debug!("the bus has no policy snapshot yet"),
            LoadError::Shrunk { .. } => {
                error!(error = %chain(error), "the policy snapshot was refused")
            }
            _ => warn!(error = %chain(error), "the policy in force stays"),
        }
    }

    /// Loads the table, unless what is in force is as far as its mark.
    async fn look(&mut self, stream: &mut bus::Follower, loaded: bool) -> Result<(), LoadError> {
        let extent = self.cache.extent();
        if loaded {
            let mark = self.mark().await?;
            let behind = (mark.epoch, mark.revision) != (extent.epoch, extent.revision)
                && (mark.epoch != extent.epoch || mark.revision > extent.revision);
            if !behind {
                return Ok(());
            }
        }
        let position = self.bus.end(STREAM).await?;
        let before = self.mark().await?;
        let mut changes: HashMap<Key, Change> = HashMap::new();
        let mut bad = None;
        let mut take = |_: &str, body: &[u8]| match serde_json::from_slice::<Change>(body) {
            Ok(change) => {
                changes.insert(change.key, change);
            }
            Err(error) => bad = Some(error),
        };
        self.bus.load(TABLE, &mut take).await?;
        if let Some(error) = bad {
            return Err(LoadError::Record(error));
        }
        let after = self.mark().await?;
        let found = changes.len() as u64;
        // The table may change while it is read; the counts before and after bound it.
        let promised = before.count.min(after.count);
        if before.epoch != after.epoch || found < promised {
            return Err(LoadError::Partial { found, promised });
        }
        let shrunk = extent.count >= SHRINK_FLOOR && found * 10 < extent.count * 9;
        if shrunk && !self.state.is_accepted(&after) {
            self.state.set_refused(Some(after));
            return Err(LoadError::Shrunk { found, have: extent.count });
        }
        self.state.set_refused(None);
        self.cache.replace(before.epoch, before.revision, &changes);
        self.cache.set_billing_heard(self.clock.now());
        *stream = bus::Follower::resume(STREAM, position, None);
        info!(
            epoch = before.epoch,
            revision = before.revision,
            records = found,
            "policy snapshot loaded"
        );
        match SnapshotFile::write(&self.snapshot, &before, changes.values()) {
            Ok(file) => self.file = file,
            Err(error) => warn!(error = %chain(&error), "could not keep the policy snapshot"),
        }
        self.nudge(Nudge::Everything);
        Ok(())
    }

    async fn mark(&self) -> Result<Mark, LoadError> {
        let bytes = self.bus.mark(TABLE).await?.ok_or(LoadError::NoMark)?;
        let mark: Mark = serde_json::from_slice(&bytes).map_err(LoadError::Record)?;
        if mark.format > FORMAT { Err(LoadError::Newer(mark.format)) } else { Ok(mark) }
    }

    /// Applies messages; true where the table should be loaded again.
    fn take(&mut self, entries: &[bus::Entry]) -> bool {
        let mut reload = false;
        let mut changes = Vec::new();
        for entry in entries {
            match serde_json::from_slice::<Message>(&entry.body) {
                Ok(Message::Change(change)) if change.format <= FORMAT => {
                    reload |= self.apply(&change);
                    changes.push(*change);
                }
                Ok(Message::Snapshot(mark)) => {
                    let extent = self.cache.extent();
                    reload |= mark.epoch != extent.epoch || mark.revision > extent.revision;
                }
                Ok(Message::Heartbeat { .. }) => {}
                Ok(Message::Change(change)) => {
                    error!(
                        format = change.format,
                        "a policy change was written by a newer program: upgrade aaad"
                    );
                }
                Err(error) => {
                    counter!("aaad_policy_unreadable_total").increment(1);
                    warn!(%error, "a policy message does not read");
                }
            }
            self.cache.set_billing_heard(self.clock.now());
        }
        if !changes.is_empty() {
            // The bus has it too: a disk that is full must not end the program.
            if let Err(error) = self.file.append(&self.snapshot, &changes) {
                warn!(error = %chain(&error), "could not keep policy changes on disk");
            }
        }
        reload
    }

    /// Applies one change and tells the CoA engine; true where the line is another one.
    fn apply(&self, change: &Change) -> bool {
        let extent = self.cache.extent();
        if extent.count > 0 && extent.epoch != change.epoch {
            return true;
        }
        let missed = change.after > extent.revision;
        counter!("aaad_policy_changes_total").increment(1);
        match self.cache.apply(change) {
            Touched::Service(service) => self.nudge(Nudge::Service(service)),
            Touched::Profile(profile) => self.nudge(Nudge::Profile(profile)),
            Touched::Nothing => {}
        }
        missed
    }

    fn nudge(&self, nudge: Nudge) {
        // Full: the sweep compares every session anyway.
        if self.coa.try_send(nudge).is_err() {
            counter!("aaad_coa_nudges_lost_total").increment(1);
        }
    }

    fn keep_seen(
        &self,
        seen: Seen,
        pending: &mut Vec<NasSeen>,
        reported: &mut HashMap<NasId, model::Ts>,
    ) {
        if reported.insert(seen.nas.id, seen.at).is_some() {
            return;
        }
        info!(nas = %seen.nas.id, name = %seen.nas.name, source = %seen.source, "a NAS was seen for the first time");
        self.cache.add_seen(seen.nas.clone());
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

/// Applies the local snapshot, before anything else runs.
pub(crate) fn restore(
    path: &std::path::Path,
    cache: &Cache,
) -> Result<(SnapshotFile, u64), FileError> {
    let (file, contents) = SnapshotFile::open(path)?;
    let count = contents.changes.len() as u64;
    cache.replace(contents.epoch, contents.revision, &contents.changes);
    Ok((file, count))
}
