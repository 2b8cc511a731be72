//! What has to be done now and then: old rows and partitions, the days usage adds up to, old
//! acknowledgements, a look at the database.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, Position};
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use jiff::tz::TimeZone;
use model::accounting::ACKS;
use model::{Clock, Ts};
use store::{Db, Statement, StoreError, args};
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::auth_log::REMOVE_PROGRESS;
use crate::state::State;
use crate::store::{REMOVE_DEAD_LETTERS, REMOVE_RESTARTS, REMOVE_TRAFFIC, REMOVED_MAX};
use crate::usage::keep::{self, Kept};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(15);
/// Looks between two removals of old rows.
const REMOVE_EVERY: u32 = 40;
/// Looks between two additions of all days that may still change: six hours.
const WRITE_DAYS_EVERY: u32 = 1440;
/// Acknowledgements are kept for so many looks: a minute.
const ACKS_KEPT: usize = 4;

/// How long minutes of traffic are kept, seconds.
const TRAFFIC_KEPT_S: i64 = 48 * 3600;
/// How long restarts are, seconds: a report that is older than that has not been on its way.
const RESTARTS_KEPT_S: i64 = 7 * 86_400;
/// How long dead letters are, seconds.
const DEAD_LETTERS_KEPT_S: i64 = 90 * 86_400;

/// How long it is known how far the log of an `aaad` that is gone was applied, seconds.
const AUTH_LOG_PROGRESS_KEPT_S: i64 = 7 * 86_400;

/// The sweeper.
pub(crate) struct Sweeper {
    pub(crate) bus: Bus,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state: Arc<State>,
    /// How long what is kept.
    pub(crate) kept: Kept,
    /// The zone whose days usage is added up by.
    pub(crate) zone: TimeZone,
    pub(crate) stop: Shutdown,
}

impl Sweeper {
    /// Sweeps until the soft stop.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut acks = AckMarks::default();
        let mut looks: u32 = 0;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.stop.soft() => return Ok(()),
            }
            match self.db.ping().await {
                Ok(()) => self.state.database.works(),
                Err(error) => self.state.database.fails(&error),
            }
            if let Err(error) = acks.trim(&self.bus).await {
                self.state.bus.fails(&error);
            }
            if looks.is_multiple_of(REMOVE_EVERY)
                && let Err(error) = self.keep(looks.is_multiple_of(WRITE_DAYS_EVERY)).await
                && !error.is_transient()
            {
                warn!(error = chain(&error), "could not make or remove rows and partitions");
            }
            looks = looks.wrapping_add(1);
        }
    }

    /// Makes partitions, adds days up, and removes what is too old.
    async fn keep(&self, all_days: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        keep::make_partitions(&self.db, self.kept, now).await?;
        keep::write_days(&self.db, &self.zone, now, all_days).await?;
        while !keep::remove_old(&self.db, self.kept, now).await? {
            if self.stop.is_soft() {
                return Ok(());
            }
        }
        self.remove_old().await
    }

    async fn remove_old(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for (statement, kept_s) in [
            (&REMOVE_TRAFFIC, TRAFFIC_KEPT_S),
            (&REMOVE_RESTARTS, RESTARTS_KEPT_S),
            (&REMOVE_DEAD_LETTERS, DEAD_LETTERS_KEPT_S),
            (&REMOVE_PROGRESS, AUTH_LOG_PROGRESS_KEPT_S),
        ] {
            while remove(&self.db, statement, now.plus_seconds(-kept_s)).await? == REMOVED_MAX {
                if self.stop.is_soft() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

async fn remove(db: &Db, statement: &Statement, before: Ts) -> Result<u64, StoreError> {
    db.execute(statement, args![before, REMOVED_MAX]).await
}

/// Where the stream of acknowledgements ended at the last looks.
#[derive(Default)]
struct AckMarks {
    epoch: Option<u64>,
    ends: VecDeque<Position>,
}

impl AckMarks {
    /// Notes where the stream ends, and trims it to where it ended some looks ago.
    async fn trim(&mut self, bus: &Bus) -> Result<(), BusError> {
        let epoch = bus.epoch().await?;
        if self.epoch.replace(epoch) != Some(epoch) {
            self.ends.clear();
        }
        self.ends.push_back(bus.end(ACKS).await?);
        if self.ends.len() > ACKS_KEPT
            && let Some(oldest) = self.ends.pop_front()
        {
            bus.trim(ACKS, oldest).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use model::OrganisationId;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test]
    async fn acknowledgements_are_kept_for_a_minute() {
        let bus = Bus::local();
        let mut marks = AckMarks::default();
        for look in 1..=10 {
            bus.append(ACKS, &[Bytes::from_static(b"ack")]).await.unwrap();
            marks.trim(&bus).await.unwrap();
            let kept = bus.len(ACKS).await.unwrap();
            assert_eq!(kept, look.min(ACKS_KEPT as u64), "look {look}");
        }
    }

    #[tokio::test]
    async fn old_minutes_go_and_young_ones_stay() {
        for bench in Bench::all().await {
            let now = bench.clock.now();
            for hours in [1, 47, 49, 500] {
                let sql = format!(
                    "INSERT INTO traffic_minute (organisation_id, minute, partition,
                        download_octets, upload_octets, sessions_started)
                     VALUES ($1, $2, {hours}, 1, 1, 1)"
                );
                let minute = now.plus_seconds(-hours * 3600);
                let mut tx = bench.db().begin().await.unwrap();
                tx.dynamic_all(&sql, args![OrganisationId::NONE, minute]).await.unwrap();
                tx.commit().await.unwrap();
            }
            bench.sweeper().remove_old().await.unwrap();
            assert_eq!(bench.count("traffic_minute").await, 2);
        }
    }
}
