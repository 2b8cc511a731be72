//! MAC addresses that were learned here and that the office has not published yet.
//!
//! A service that is bound to the first MAC addresses is so at once: the second device is refused
//! while the first one's address is still on its way to the office and back. A lock is taken only
//! for a login of a service that has still something to learn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::counter;
use model::identity::MacAddress;
use model::policy::{MAC_LIMIT_MAX, MacBinding, MacMode};
use model::{ServiceId, Ts};
use rustc_hash::FxHashMap;

/// Services with something on its way, at most. Beyond that nothing is learned, and nobody is
/// refused for it: the counter says so.
const WAITING_MAX: usize = 100_000;
/// The office is told again of what it does not publish, this often: an event may have been lost.
const TELL_AGAIN_US: i64 = 60_000_000;
const SHARDS: usize = 16;

/// What a binding says to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// It comes from an address that is known.
    Known,
    /// It comes from an address that is known from now on, or that the office should hear of
    /// again.
    Learned(MacAddress),
    /// It comes from another address, or from none.
    Refused,
}

#[derive(Clone, Copy)]
struct Entry {
    generation: u32,
    count: usize,
    addresses: [MacAddress; MAC_LIMIT_MAX as usize],
    told: Ts,
}

impl Entry {
    fn addresses(&self) -> &[MacAddress] {
        &self.addresses[..self.count]
    }
}

/// The table.
#[derive(Default)]
pub(crate) struct Learned {
    shards: [Mutex<FxHashMap<ServiceId, Entry>>; SHARDS],
    len: AtomicUsize,
}

impl Learned {
    fn shard(&self, service: ServiceId) -> MutexGuard<'_, FxHashMap<ServiceId, Entry>> {
        let shard = &self.shards[service.0.as_u128() as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a login of `service` may come from `mac`; learns it where there is room.
    pub(crate) fn admit(
        &self,
        now: Ts,
        service: ServiceId,
        binding: &MacBinding,
        mac: Option<MacAddress>,
    ) -> Admitted {
        let Some(mac) = mac else { return Admitted::Refused };
        if binding.addresses.contains(&mac) {
            return Admitted::Known;
        }
        let limit = usize::from(binding.limit.min(MAC_LIMIT_MAX));
        if binding.mode == MacMode::Fixed || binding.addresses.len() >= limit {
            return Admitted::Refused;
        }
        let mut shard = self.shard(service);
        if !shard.contains_key(&service) {
            if self.len.load(Ordering::Relaxed) >= WAITING_MAX {
                counter!("aaad_macs_not_learned_total").increment(1);
                return Admitted::Known;
            }
            self.len.fetch_add(1, Ordering::Relaxed);
        }
        let fresh = Entry {
            generation: binding.generation,
            count: 0,
            addresses: [MacAddress([0; 6]); MAC_LIMIT_MAX as usize],
            told: now,
        };
        let entry = shard.entry(service).or_insert(fresh);
        if entry.generation != binding.generation {
            *entry = fresh;
        }
        if entry.addresses().contains(&mac) {
            if now.0.saturating_sub(entry.told.0) < TELL_AGAIN_US {
                return Admitted::Known;
            }
            entry.told = now;
            return Admitted::Learned(mac);
        }
        let news = entry.addresses().iter().filter(|own| !binding.addresses.contains(own)).count();
        if binding.addresses.len() + news >= limit || entry.count == entry.addresses.len() {
            return Admitted::Refused;
        }
        entry.addresses[entry.count] = mac;
        entry.count += 1;
        entry.told = now;
        Admitted::Learned(mac)
    }

    /// Forgets what the office has published, or made forgotten. `binding`: what is in force now.
    pub(crate) fn settle(&self, service: ServiceId, binding: Option<&MacBinding>) {
        if self.len.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut shard = self.shard(service);
        let waits = |entry: &Entry| {
            binding.is_some_and(|binding| {
                binding.mode == MacMode::Learn
                    && binding.generation == entry.generation
                    && binding.addresses.len() < usize::from(binding.limit)
                    && !entry.addresses().iter().all(|mac| binding.addresses.contains(mac))
            })
        };
        if shard.get(&service).is_some_and(|entry| !waits(entry)) {
            shard.remove(&service);
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Services with something on its way.
    pub(crate) fn services(&self) -> Vec<ServiceId> {
        if self.len.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let keys = |shard: &Mutex<FxHashMap<ServiceId, Entry>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.keys().copied().collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(keys).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const B: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
    const C: MacAddress = MacAddress([2, 0, 0, 0, 0, 3]);

    fn binding(limit: u8, generation: u32, addresses: &[MacAddress]) -> MacBinding {
        MacBinding { mode: MacMode::Learn, limit, generation, addresses: addresses.to_vec() }
    }

    #[test]
    fn the_first_are_learned_at_once_and_the_next_is_refused() {
        let (learned, service) = (Learned::default(), ServiceId::generate());
        let one = binding(1, 0, &[]);
        let ask = |binding: &MacBinding, mac, at| {
            learned.admit(Ts::from_seconds(at), service, binding, mac)
        };
        assert_eq!(ask(&one, None, 0), Admitted::Refused);
        assert_eq!(ask(&one, Some(A), 0), Admitted::Learned(A));
        assert_eq!(ask(&one, Some(A), 1), Admitted::Known);
        assert_eq!(ask(&one, Some(B), 1), Admitted::Refused);
        // The office has not published it for a minute: it is told again.
        assert_eq!(ask(&one, Some(A), 61), Admitted::Learned(A));
        // A change of something else does not make it forgotten.
        learned.settle(service, Some(&one));
        assert_eq!(ask(&one, Some(B), 62), Admitted::Refused);
        // A second one has room, counted with what is on its way and what is published.
        let two = binding(2, 0, &[A]);
        assert_eq!(ask(&two, Some(B), 63), Admitted::Learned(B));
        assert_eq!(ask(&two, Some(C), 63), Admitted::Refused);
        // What staff made forgotten is so at once, here too.
        let again = binding(1, 1, &[]);
        assert_eq!(ask(&again, Some(C), 64), Admitted::Learned(C));
        assert_eq!(ask(&again, Some(A), 64), Admitted::Refused);
        learned.settle(service, Some(&binding(1, 1, &[C])));
        assert!(learned.services().is_empty(), "published: nothing is kept beside it");
    }

    #[test]
    fn a_fixed_binding_learns_nothing() {
        let learned = Learned::default();
        let fixed = MacBinding { mode: MacMode::Fixed, ..binding(8, 0, &[A]) };
        let ask = |mac| learned.admit(Ts(0), ServiceId::NONE, &fixed, Some(mac));
        assert_eq!((ask(A), ask(B)), (Admitted::Known, Admitted::Refused));
    }
}
