//! Replies kept for retransmissions (RFC 5080 §2.2.2).
//!
//! One cache per shard, without locks: SO_REUSEPORT hashes by source, so a retransmission
//! meets the same shard. The cache is a ring: the newest reply takes the place of the oldest,
//! and its memory.

use std::collections::HashMap;
use std::net::SocketAddr;

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

/// The ring.
pub(crate) struct Duplicates {
    keep_s: i64,
    slots: Vec<Slot>,
    next: usize,
    // SipHash: the key is made of what senders choose.
    index: HashMap<RequestKey, usize>,
}

impl Duplicates {
    /// Keeps the last `capacity` replies, each for at most `keep_s` seconds.
    pub(crate) fn new(capacity: usize, keep_s: u32) -> Self {
        let slot = |_| Slot { key: None, at: Ts(0), ready: Ts(0), reply: Vec::new() };
        Self {
            keep_s: keep_s.into(),
            slots: (0..capacity.max(1)).map(slot).collect(),
            next: 0,
            index: HashMap::with_capacity(capacity * 2),
        }
    }

    /// What this very request got.
    pub(crate) fn find(&self, key: &RequestKey, now: Ts) -> Option<Earlier<'_>> {
        let slot = &self.slots[*self.index.get(key)?];
        if slot.at.plus_seconds(self.keep_s) <= now {
            return None;
        }
        // A clock that was set back must not make a request wait for ever.
        let waits = slot.ready > now && slot.at <= now;
        Some(if waits { Earlier::Waiting } else { Earlier::Answered(&slot.reply) })
    }

    /// Keeps a reply that goes out when it is `ready`.
    pub(crate) fn keep(&mut self, key: RequestKey, reply: &[u8], now: Ts, ready: Ts) {
        let at = self.next;
        self.next = (self.next + 1) % self.slots.len();
        let slot = &mut self.slots[at];
        if let Some(older) = slot.key.take()
            && self.index.get(&older) == Some(&at)
        {
            self.index.remove(&older);
        }
        slot.key = Some(key);
        (slot.at, slot.ready) = (now, ready);
        slot.reply.clear();
        slot.reply.extend_from_slice(reply);
        self.index.insert(key, at);
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
        assert_eq!(cache.index.len(), 2);
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
