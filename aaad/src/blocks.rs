//! Which pairs of login and station are blocked, for people: the [`Guard`] itself only knows
//! hashes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::auth_log::{FORMAT, NetworkEvent};
use model::identity::login_key;
use model::{Clock, NasId, OrganisationId, ServiceId, Ts};
use tokio::sync::mpsc;
use tracing::warn;

use crate::auth_log::Text;
use crate::cache::Cache;
use crate::guard::{Guard, Pair};

/// Blocks that can be shown and lifted; more are in force all the same, until they end.
const SHOWN_MAX: usize = 10_000;
/// Blocks that wait to be told; beyond that they are in force, and nobody hears of them.
pub(crate) const WAITING_MAX: usize = 256;

/// A block that began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocked {
    pub(crate) pair: Pair,
    pub(crate) login: Text<128>,
    pub(crate) station: Text<64>,
    pub(crate) nas: NasId,
    pub(crate) service: Option<ServiceId>,
    pub(crate) failures: u32,
    pub(crate) since: Ts,
    pub(crate) until: Ts,
}

/// The guard, and the blocks it has been heard of.
pub(crate) struct Blocks {
    pub(crate) guard: Guard,
    known: Mutex<Vec<Blocked>>,
    /// How many are known, so that those who find none need no lock.
    count: AtomicUsize,
    fold_case: bool,
}

impl Blocks {
    pub(crate) fn new(guard: Guard, fold_case: bool) -> Self {
        Self { guard, known: Mutex::default(), count: AtomicUsize::new(0), fold_case }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Blocked>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks in force, the latest first.
    pub(crate) fn list(&self, now: Ts) -> Vec<Blocked> {
        let mut known = self.known();
        self.forget(&mut known, |block| block.until > now);
        let mut list: Vec<Blocked> =
            known.iter().filter(|block| self.guard.is_blocked(block.pair, now)).copied().collect();
        list.sort_by_key(|block| std::cmp::Reverse(block.since));
        list
    }

    /// Lifts the blocks of a login, from one station or all; how many there were.
    pub(crate) fn lift(&self, login: &[u8], station: Option<&[u8]>) -> usize {
        let (mut wanted, mut key) = (Vec::new(), Vec::new());
        login_key(login, self.fold_case, &mut wanted);
        self.lift_where(|block| {
            login_key(block.login.as_bytes(), self.fold_case, &mut key);
            key == wanted && station.is_none_or(|station| station == block.station.as_bytes())
        })
    }

    /// Lifts the blocks of whatever a service was asked for by: a login, a MAC, a line.
    pub(crate) fn lift_service(&self, service: ServiceId) -> usize {
        self.lift_where(|block| block.service == Some(service))
    }

    fn lift_where(&self, mut lifted: impl FnMut(&Blocked) -> bool) -> usize {
        if self.count.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let mut known = self.known();
        let before = known.len();
        self.forget(&mut known, |block| {
            let lifted = lifted(block);
            if lifted {
                self.guard.clear(block.pair);
            }
            !lifted
        });
        before - known.len()
    }

    fn add(&self, block: Blocked) {
        let mut known = self.known();
        if known.len() >= SHOWN_MAX {
            self.forget(&mut known, |other| other.until > block.since);
        }
        if known.len() < SHOWN_MAX {
            known.push(block);
            self.count.store(known.len(), Ordering::Relaxed);
        }
    }

    fn forget(&self, known: &mut Vec<Blocked>, stays: impl FnMut(&Blocked) -> bool) {
        known.retain(stays);
        self.count.store(known.len(), Ordering::Relaxed);
    }
}

/// Hears of blocks and reports them.
pub(crate) struct Teller {
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) begun: mpsc::Receiver<Blocked>,
    pub(crate) events: mpsc::Sender<NetworkEvent>,
    pub(crate) stop: Shutdown,
}

impl Teller {
    /// Tells until stopped.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        loop {
            tokio::select! {
                Some(block) = self.begun.recv() => self.tell(block),
                () = self.stop.soft() => return Ok(()),
            }
        }
    }

    fn tell(&self, block: Blocked) {
        self.blocks.add(block);
        counter!("aaad_blocks_total").increment(1);
        let clients = self.cache.clients();
        let nas = clients.nas(block.nas);
        let known = block.service.and_then(|service| self.cache.subscribers().find(service));
        let organisation = known
            .map(|entry| entry.organisation())
            .or(nas.map(|nas| nas.organisation))
            .unwrap_or(OrganisationId::NONE);
        let nas_name = nas.map_or("?", |nas| nas.name.as_str());
        let seconds = block.until.seconds() - self.clock.now().seconds();
        warn!(login = %block.login, station = %block.station, nas = nas_name, failures = block.failures, seconds, "a login fails too often and is blocked");
        let event = NetworkEvent::LoginBlocked {
            format: FORMAT,
            at: block.since,
            login: block.login.to_string(),
            station: block.station.to_string(),
            nas: block.nas,
            organisation,
            service: block.service,
            failures: block.failures,
            until: block.until,
        };
        if self.events.try_send(event).is_err() {
            counter!("aaad_events_lost_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Limits;

    #[test]
    fn blocks_are_shown_until_they_end_or_are_lifted() {
        let guard = Guard::new(Limits { failures: 1, window_s: 60, block_s: 300 });
        let blocks = Blocks::new(guard, true);
        let now = Ts::from_seconds(1_772_323_200);
        let line = ServiceId::generate();
        for (login, station, service) in [
            ("Asha", "a", None),
            ("asha", "b", None),
            ("ravi", "a", None),
            ("02-00-00-00-00-09", "c", Some(line)),
        ] {
            let key = login.to_ascii_lowercase();
            let pair = blocks.guard.pair(key.as_bytes(), station.as_bytes()).unwrap();
            let until = blocks.guard.failed(pair, now).unwrap();
            blocks.add(Blocked {
                pair,
                login: Text::of(login.as_bytes()),
                station: Text::of(station.as_bytes()),
                nas: NasId::NONE,
                service,
                failures: 1,
                since: now,
                until,
            });
        }
        assert_eq!(blocks.list(now).len(), 4);
        assert_eq!(blocks.lift_service(ServiceId::generate()), 0);
        assert_eq!(blocks.lift_service(line), 1);
        assert_eq!(blocks.lift(b"ASHA", Some(b"c")), 0);
        assert_eq!(blocks.lift(b"ASHA", Some(b"a")), 1);
        assert_eq!(blocks.lift(b"asha", None), 1);
        let left = blocks.list(now);
        assert_eq!((left.len(), left[0].login.to_string().as_str()), (1, "ravi"));
        let asha = blocks.guard.pair(b"asha", b"a").unwrap();
        assert!(!blocks.guard.is_blocked(asha, now));
        assert!(blocks.list(now.plus_seconds(301)).is_empty());
        assert_eq!(blocks.lift(b"ravi", None), 0);
    }
}
