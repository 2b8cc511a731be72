//! Who sends packets that are dropped at the door: addresses nobody registered, and registered
//! ones with a wrong secret. The most common trouble of a new NAS, so it is listed.
//!
//! The memory is fixed: sets of eight, found by a keyed hash of the address; a full set forgets
//! whom it has not heard of for longest. Each packet thread has a table of its own. Its lock is
//! taken by that thread, and by `netctl` now and then, whom the thread does not wait for: the
//! packet is then dropped without being listed.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use model::Ts;
use model::control::UnknownSender;

use crate::counters::DropReason;

const SETS: usize = 128;
const SET: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Stranger {
    address: IpAddr,
    reason: DropReason,
    packets: u64,
    first_seen: Ts,
    last_seen: Ts,
}

/// The table of one packet thread.
#[derive(Clone)]
pub(crate) struct Strangers {
    hasher: RandomState,
    slots: Arc<Mutex<Box<[Option<Stranger>]>>>,
}

impl Default for Strangers {
    fn default() -> Self {
        let slots = vec![None; SETS * SET].into_boxed_slice();
        Self { hasher: RandomState::new(), slots: Arc::new(Mutex::new(slots)) }
    }
}

impl Strangers {
    /// A packet from this address was dropped.
    pub(crate) fn note(&self, address: IpAddr, reason: DropReason, now: Ts) {
        let Ok(mut slots) = self.slots.try_lock() else { return };
        let at = self.hasher.hash_one((address, reason as u8)) as usize % SETS * SET;
        let set = &mut slots[at..at + SET];
        let own = |slot: &Option<Stranger>| {
            slot.is_some_and(|known| (known.address, known.reason) == (address, reason))
        };
        let place = match set.iter().position(own) {
            Some(place) => place,
            None => {
                let last = |place: &usize| set[*place].map(|known| known.last_seen);
                let Some(place) = (0..SET).min_by_key(last) else { return };
                let (packets, first_seen, last_seen) = (0, now, now);
                set[place] = Some(Stranger { address, reason, packets, first_seen, last_seen });
                place
            }
        };
        if let Some(known) = &mut set[place] {
            known.packets = known.packets.saturating_add(1);
            known.last_seen = now;
        }
    }
}

/// Everybody in the tables, the most recent first.
pub(crate) fn list(tables: &[Strangers]) -> Vec<UnknownSender> {
    let mut senders: Vec<UnknownSender> = Vec::new();
    for table in tables {
        let slots = table.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for known in slots.iter().flatten() {
            let reason = known.reason.as_str();
            let same = |sender: &&mut UnknownSender| {
                sender.address == known.address && sender.reason == reason
            };
            match senders.iter_mut().find(same) {
                Some(sender) => {
                    sender.packets = sender.packets.saturating_add(known.packets);
                    sender.first_seen = sender.first_seen.min(known.first_seen);
                    sender.last_seen = sender.last_seen.max(known.last_seen);
                }
                None => senders.push(UnknownSender {
                    address: known.address,
                    reason: reason.to_owned(),
                    packets: known.packets,
                    first_seen: known.first_seen,
                    last_seen: known.last_seen,
                }),
            }
        }
    }
    senders.sort_by_key(|sender| std::cmp::Reverse((sender.last_seen, sender.packets)));
    senders
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_sender_is_one_line_over_all_threads() {
        let tables = [Strangers::default(), Strangers::default()];
        let address = IpAddr::from([192, 0, 2, 7]);
        for (second, table) in [(1, 0), (5, 1), (3, 0)] {
            tables[table].note(address, DropReason::UnknownClient, Ts::from_seconds(second));
        }
        tables[0].note(address, DropReason::BadAuthenticator, Ts::from_seconds(9));
        let listed = list(&tables);
        assert_eq!(listed.len(), 2);
        assert_eq!((listed[0].reason.as_str(), listed[0].packets), ("bad_authenticator", 1));
        assert_eq!((listed[1].reason.as_str(), listed[1].packets), ("unknown_client", 3));
        assert_eq!(listed[1].first_seen, Ts::from_seconds(1));
        assert_eq!(listed[1].last_seen, Ts::from_seconds(5));
    }

    #[test]
    fn a_million_forged_addresses_take_no_more_room_than_a_thousand() {
        let table = Strangers::default();
        for n in 0..1_000_000_u32 {
            let now = Ts::from_seconds(n.into());
            table.note(Ipv4Addr::from(n).into(), DropReason::UnknownClient, now);
        }
        let real = IpAddr::from([203, 0, 113, 9]);
        table.note(real, DropReason::UnknownClient, Ts::from_seconds(1_000_001));
        let listed = list(&[table]);
        assert!(listed.len() <= SETS * SET, "{}", listed.len());
        assert_eq!(listed[0].address, real);
    }
}
