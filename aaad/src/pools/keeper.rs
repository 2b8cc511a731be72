//! The task behind the pools: makes free what is over, keeps the file ahead of what is opened,
//! counts, and tells people what they should know.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use metrics::{counter, gauge};
use model::auth_log::{FORMAT, NetworkEvent};
use model::pool::{Part, PoolUsage};
use model::{Clock, PoolId, Ts};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tracing::warn;

use super::save;
use crate::engine::Engine;

/// How often offers and leases are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How often the office is told how full the pools are, turns.
const TELL_EVERY: u32 = 10;
/// An exhausted pool is told of this often at most, seconds.
const AGAIN_AFTER_S: i64 = 600;

/// The keeper task.
pub(crate) struct Keeper {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) file: PathBuf,
    pub(crate) events: mpsc::Sender<NetworkEvent>,
    pub(crate) stop: Shutdown,
}

impl Keeper {
    /// Keeps until stopped.
    pub(crate) async fn run(self) -> Result<(), std::convert::Infallible> {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut refused: FxHashMap<PoolId, (u64, Ts)> = FxHashMap::default();
        let (mut told, mut pools) = (Vec::new(), 0);
        for turn in 0_u32.. {
            tokio::select! {
                _ = every.tick() => {}
                () = self.stop.soft() => break,
            }
            let now = self.clock.now();
            self.engine.pools.expire(now);
            if turn % 10 == 0 {
                self.engine.presence.sweep(now);
            }
            if self.engine.pools.outgrew_the_file() {
                self.save().await;
            }
            self.tell_exhausted(now, &mut refused);
            // Of a new pool at once.
            if turn % TELL_EVERY == 0 || self.engine.pools.all().len() != pools {
                pools = self.engine.pools.all().len();
                self.tell_usage(now, &mut told);
            }
        }
        Ok(())
    }

    async fn save(&self) {
        let (engine, path) = (self.engine.clone(), self.file.clone());
        let write = move || save(&path, &engine.pools.encode(false));
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(error = %chain(&error), "leases are not on disk"),
            Err(_) => warn!("writing the leases panicked"),
        }
    }

    fn tell(&self, event: NetworkEvent) {
        // Full: people hear of the next one.
        if self.events.try_send(event).is_err() {
            counter!("aaad_events_lost_total").increment(1);
        }
    }

    fn tell_exhausted(&self, now: Ts, refused: &mut FxHashMap<PoolId, (u64, Ts)>) {
        for entry in self.engine.pools.all() {
            let count = entry.exhausted.load(Ordering::Relaxed);
            let (before, at) =
                refused.entry(entry.pool.id).or_insert((0, now.plus_seconds(-AGAIN_AFTER_S)));
            let new = count - *before;
            if new == 0 || now.since(*at) < AGAIN_AFTER_S as f64 {
                continue;
            }
            (*before, *at) = (count, now);
            warn!(pool = %entry.pool.name, logins = new, "an address pool is exhausted: logins are refused");
            self.tell(NetworkEvent::PoolExhausted {
                format: FORMAT,
                at: now,
                pool: entry.pool.id,
                logins: new,
            });
        }
    }

    fn tell_usage(&self, now: Ts, told: &mut Vec<PoolUsage>) {
        let mut pools = Vec::new();
        for entry in self.engine.pools.all() {
            for part in Part::ALL {
                let Some(usage) = entry.usage(part) else { continue };
                for (state, units) in [
                    ("used", usage.used),
                    ("offered", usage.offered),
                    ("resting", usage.resting),
                    ("fixed", usage.fixed),
                    ("free", usage.free),
                ] {
                    let pool = entry.pool.name.clone();
                    gauge!(
                        "aaad_pool_units",
                        "pool" => pool, "part" => part.as_str(), "state" => state
                    )
                    .set(f64::from(units));
                }
                pools.push(PoolUsage { pool: entry.pool.id, part, usage });
            }
        }
        if pools != *told {
            told.clone_from(&pools);
            self.tell(NetworkEvent::PoolUsage { format: FORMAT, at: now, pools });
        }
    }
}
