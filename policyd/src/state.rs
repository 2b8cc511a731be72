//! How policyd is: what its tasks tell, and `status` and the metrics show.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon::exit::chain;
use daemon::health::{Health, Part};
use daemon::telemetry::{Metric, describe};
use metrics::{counter, gauge};
use tracing::{error, info, warn};

use crate::batch::Outcome;

/// Something policyd needs and can wait for.
#[derive(Debug)]
pub(crate) struct Link {
    name: &'static str,
    part: Part,
    up: AtomicBool,
}

impl Link {
    fn new(health: &Health, name: &'static str) -> Self {
        // Taken to be up until it fails: that it came up for the first time is no news.
        Self { name, part: health.part(name), up: AtomicBool::new(true) }
    }

    /// It works.
    pub(crate) fn works(&self) {
        self.part.ready(true);
        if !self.up.swap(true, Ordering::Relaxed) {
            info!("{} is back", self.name);
        }
    }

    /// It does not; told once until it works again, however many tasks notice.
    pub(crate) fn fails(&self, error: &dyn Error) {
        self.part.ready(false);
        if self.up.swap(false, Ordering::Relaxed) {
            let error = chain(error);
            warn!(error, "{} is away: records wait, nothing is lost", self.name);
        }
    }

    /// Whether it worked when last used.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }
}

/// What all tasks share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) database: Link,
    pub(crate) bus: Link,
    partitions: AtomicU64,
    applied: AtomicU64,
    dead_letters: AtomicU64,
    /// Partitions that wait for a newer policyd, and the format of their next record.
    too_new: Mutex<BTreeMap<u16, u8>>,
}

impl State {
    pub(crate) fn new(health: &Health) -> Self {
        describe(&[
            Metric::Counter("policyd_records_applied_total", "Accounting records applied."),
            Metric::Counter(
                "policyd_records_skipped_total",
                "Accounting records that came again and had been applied before.",
            ),
            Metric::Counter(
                "policyd_records_refused_total",
                "Accounting records that came behind a gap; they are asked for again.",
            ),
            Metric::Counter("policyd_dead_letters_total", "Accounting records put aside."),
            Metric::Counter("policyd_sessions_opened_total", "Sessions first heard of."),
            Metric::Counter("policyd_sessions_closed_total", "Sessions that ended."),
            Metric::Counter(
                "policyd_sessions_lost_total",
                "Sessions that ended because nothing was heard of them.",
            ),
            Metric::Counter("policyd_partitions_dropped_total", "Partitions of old rows dropped."),
            Metric::Gauge("policyd_partitions_held", "Partitions this program applies."),
            Metric::Histogram("policyd_batch_seconds", "Time to apply one batch of records."),
        ]);
        Self {
            database: Link::new(health, "database"),
            bus: Link::new(health, "bus"),
            partitions: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            too_new: Mutex::default(),
        }
    }

    /// A partition came or went.
    pub(crate) fn holds(&self, one_more: bool) {
        let held = if one_more {
            self.partitions.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            self.partitions.fetch_sub(1, Ordering::Relaxed) - 1
        };
        gauge!("policyd_partitions_held").set(held as f64);
    }

    /// A batch was committed.
    pub(crate) fn committed(&self, outcome: &Outcome) {
        self.applied.fetch_add(outcome.applied, Ordering::Relaxed);
        self.dead_letters.fetch_add(outcome.dead_letters, Ordering::Relaxed);
        counter!("policyd_records_applied_total").increment(outcome.applied);
        counter!("policyd_records_skipped_total").increment(outcome.skipped);
        counter!("policyd_records_refused_total").increment(outcome.refused);
        counter!("policyd_dead_letters_total").increment(outcome.dead_letters);
        counter!("policyd_sessions_opened_total").increment(outcome.opened);
        counter!("policyd_sessions_closed_total").increment(outcome.closed);
    }

    /// A partition's next record is too new for this program; told once until it is not.
    pub(crate) fn waits_for_newer(&self, partition: u16, format: u8) {
        if self.too_new().insert(partition, format) != Some(format) {
            let known = model::accounting::FORMAT;
            error!(
                partition,
                format,
                known,
                "records come from a newer aaad: they wait until policyd is upgraded"
            );
        }
    }

    /// A partition's next record can be read, or is somebody else's.
    pub(crate) fn waits_no_more(&self, partition: u16) {
        if self.too_new().remove(&partition).is_some() {
            info!(partition, "no record waits for a newer policyd any more");
        }
    }

    /// Partitions that wait for a newer policyd, and the newest format among them.
    pub(crate) fn waiting_for_newer(&self) -> Option<(usize, u8)> {
        let too_new = self.too_new();
        Some((too_new.len(), too_new.values().max().copied()?))
    }

    fn too_new(&self) -> MutexGuard<'_, BTreeMap<u16, u8>> {
        // Each change is complete in itself, so a panic elsewhere leaves nothing half done.
        self.too_new.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Partitions held.
    pub(crate) fn partitions(&self) -> u64 {
        self.partitions.load(Ordering::Relaxed)
    }

    /// Records applied since the start.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// Records put aside since the start.
    pub(crate) fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_ready_from_its_first_success_until_it_fails() {
        let health = Health::new();
        let state = State::new(&health);
        assert_eq!(health.not_ready(), ["bus", "database"]);
        state.bus.works();
        state.database.works();
        assert!(health.is_ready());
        state.bus.fails(&std::io::Error::other("gone"));
        assert_eq!(health.not_ready(), ["bus"]);
        assert!(!state.bus.is_up() && state.database.is_up());
        state.bus.works();
        assert!(health.is_ready());
    }
}
