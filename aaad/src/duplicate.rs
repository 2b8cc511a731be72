//! Replies kept for retransmissions (RFC 5080 §2.2.2).
//!
//! One cache per shard, without locks: SO_REUSEPORT hashes by source, so a retransmission
//! meets the same shard. The replies are a ring: the newest takes the place of the oldest, and
//! its memory.
//!
//! Every request looks here, and next to none is a repeat. So the index is made for the answer
//! no: requests are sorted by their hash into buckets of one cache line each, and an entry has 32
//! more bits of the hash beside the number of its reply. Nothing is ever taken out: the number says
//! how old an entry is, and a full bucket gives up its oldest. Buckets are sized so that one in some
//! thousands is full of what is still in the ring; what is given up then is decided once more, as if
//! its NAS had waited too long.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use model::Ts;

/// What makes a request a repeat: everything a client repeats with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    pub(crate) peer: SocketAddr,
    pub(crate) identifier: u8,
    pub(crate) authenticator: [u8; 16],
}

/// What became of a request that comes again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Earlier<'a> {
    /// This was the reply.
    Answered(&'a [u8]),
    /// The reply is held back and will go out.
    Waiting,
}

struct Slot {
    key: Option<RequestKey>,
    at: Ts,
    /// When the reply goes out.
    ready: Ts,
    reply: Vec<u8>,
}

/// The number of a reply, and part of its request's hash; a tag of 0 is no entry.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tag: u32,
    number: u32,
}

/// Entries of a bucket.
const WAYS: usize = 8;
/// Places in the index for each reply.
const SPARE: usize = 4;

/// One cache line.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Bucket([Entry; WAYS]);

/// The ring.
pub(crate) struct Duplicates {
    keep_s: i64,
    /// A power of two of them: so a number leads to its place although numbers begin anew.
    slots: Vec<Slot>,
    /// The number of the next reply.
    next: u32,
    index: Vec<Bucket>,
    // SipHash under keys of this process: what is hashed is what senders choose.
    hashes: RandomState,
}

impl Duplicates {
    /// Keeps the last `capacity` replies, rounded up to a power of two, each for at most `keep_s`
    /// seconds.
    pub(crate) fn new(capacity: usize, keep_s: u32) -> Self {
        let slot = |_| Slot { key: None, at: Ts(0), ready: Ts(0), reply: Vec::new() };
        // Half of all numbers, so that what is older than the ring is told from what is younger.
        let capacity = capacity.clamp(1, 1 << 31).next_power_of_two();
        let buckets = (capacity * SPARE / WAYS).next_power_of_two();
        Self {
            keep_s: keep_s.into(),
            slots: (0..capacity).map(slot).collect(),
            next: 0,
            index: vec![Bucket::default(); buckets],
            hashes: RandomState::new(),
        }
    }

    /// The bucket of a request, and its tag.
    fn place(&self, key: &RequestKey) -> (usize, u32) {
        // All of it in one piece: address, port, identifier, authenticator.
        let mut octets = [0; 40];
        match key.peer.ip() {
            IpAddr::V4(ip) => octets[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => octets[..16].copy_from_slice(&ip.octets()),
        }
        octets[16..18].copy_from_slice(&key.peer.port().to_be_bytes());
        octets[18] = key.identifier;
        octets[24..].copy_from_slice(&key.authenticator);
        let mut hasher = self.hashes.build_hasher();
        hasher.write(&octets);
        let hash = hasher.finish();
        // The number of buckets is a power of two.
        (hash as usize & (self.index.len() - 1), (hash >> 32) as u32 | 1)
    }

    /// The place of a reply.
    fn slot(&self, number: u32) -> usize {
        number as usize & (self.slots.len() - 1)
    }

    /// What this very request got.
    pub(crate) fn find(&self, key: &RequestKey, now: Ts) -> Option<Earlier<'_>> {
        let (bucket, tag) = self.place(key);
        let slot = self.index[bucket]
            .0
            .iter()
            .filter(|entry| entry.tag == tag)
            .map(|entry| &self.slots[self.slot(entry.number)])
            .find(|slot| slot.key.as_ref() == Some(key))?;
        if slot.at.plus_seconds(self.keep_s) <= now {
            return None;
        }
        // A clock that was set back must not make a request wait for ever.
        let waits = slot.ready > now && slot.at <= now;
        Some(if waits { Earlier::Waiting } else { Earlier::Answered(&slot.reply) })
    }

    /// Keeps a reply that goes out when it is `ready`.
    pub(crate) fn keep(&mut self, key: RequestKey, reply: &[u8], now: Ts, ready: Ts) {
        let (bucket, tag) = self.place(&key);
        let number = self.next;
        self.next = number.wrapping_add(1);
        let entries = &self.index[bucket].0;
        let same = |entry: &Entry| {
            let is_of = |slot: &Slot| slot.key.as_ref() == Some(&key);
            entry.tag == tag && is_of(&self.slots[self.slot(entry.number)])
        };
        // How many replies ago. What is empty is as old as can be.
        let age = |entry: &Entry| match entry.tag {
            0 => u32::MAX,
            _ => number.wrapping_sub(entry.number),
        };
        let way = (entries.iter().position(same))
            .or_else(|| (0..WAYS).max_by_key(|way| age(&entries[*way])))
            .unwrap_or(0);
        self.index[bucket].0[way] = Entry { tag, number };
        let at = self.slot(number);
        let slot = &mut self.slots[at];
        slot.key = Some(key);
        (slot.at, slot.ready) = (now, ready);
        slot.reply.clear();
        slot.reply.extend_from_slice(reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> RequestKey {
        RequestKey {
            peer: "192.0.2.1:1024".parse().unwrap(),
            identifier: n,
            authenticator: [n; 16],
        }
    }

    #[test]
    fn a_repeat_gets_the_first_reply_until_it_is_old_or_overwritten() {
        let mut cache = Duplicates::new(2, 10);
        let now = Ts::from_seconds(1000);
        cache.keep(key(1), b"one", now, now);
        assert_eq!(cache.find(&key(1), now), Some(Earlier::Answered(&b"one"[..])));
        assert_eq!(cache.find(&key(1), now.plus_seconds(10)), None);
        let other = RequestKey { authenticator: [9; 16], ..key(1) };
        assert_eq!(cache.find(&other, now), None, "same identifier, another request");
        cache.keep(key(2), b"two", now, now);
        cache.keep(key(3), b"three", now, now);
        assert_eq!(cache.find(&key(1), now), None);
        assert_eq!(cache.find(&key(2), now), Some(Earlier::Answered(&b"two"[..])));
    }

    #[test]
    fn a_full_bucket_gives_up_its_oldest() {
        let mut cache = Duplicates::new(64, 10);
        // All in one bucket, as if their hashes were alike there.
        cache.index.truncate(1);
        let now = Ts::from_seconds(1000);
        for n in 0..=WAYS as u8 {
            cache.keep(key(n), &[n], now, now);
        }
        assert_eq!(cache.find(&key(0), now), None);
        for n in 1..=WAYS as u8 {
            assert_eq!(cache.find(&key(n), now), Some(Earlier::Answered(&[n][..])));
        }
        // Kept again, it has one place and the newer reply.
        cache.keep(key(3), b"again", now, now);
        assert_eq!(cache.find(&key(3), now), Some(Earlier::Answered(&b"again"[..])));
        assert_eq!(cache.find(&key(1), now), Some(Earlier::Answered(&[1][..])));
    }

    #[test]
    fn next_to_nothing_young_is_forgotten_in_a_full_ring() {
        let mut cache = Duplicates::new(4096, 10);
        let now = Ts::from_seconds(1000);
        let request = |n: u32| {
            let mut request = key(n as u8);
            request.authenticator[..4].copy_from_slice(&n.to_be_bytes());
            request
        };
        for n in 0..20_000 {
            cache.keep(request(n), &n.to_be_bytes(), now, now);
        }
        let young = 20_000 - 4096..20_000;
        let found = young.clone().filter(|n| {
            cache.find(&request(*n), now) == Some(Earlier::Answered(&n.to_be_bytes()[..]))
        });
        // Eight of them or more in a bucket for two: fewer than one in a thousand.
        assert!(found.count() >= 4096 - 10);
        assert!((0..20_000 - 4096).all(|n| cache.find(&request(n), now).is_none()));
    }

    #[test]
    fn a_repeat_of_what_waits_gets_nothing_until_it_went_out() {
        let mut cache = Duplicates::new(2, 10);
        let now = Ts::from_seconds(1000);
        cache.keep(key(1), b"no", now, Ts(now.0 + 200_000));
        assert_eq!(cache.find(&key(1), Ts(now.0 + 199_999)), Some(Earlier::Waiting));
        let later = Ts(now.0 + 200_000);
        assert_eq!(cache.find(&key(1), later), Some(Earlier::Answered(&b"no"[..])));
        let before = now.plus_seconds(-3600);
        assert_eq!(cache.find(&key(1), before), Some(Earlier::Answered(&b"no"[..])));
    }
}
