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

struct Slot {
    key: Option<RequestKey>,
    at: Ts,
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
        let slot = |_| Slot { key: None, at: Ts(0), reply: Vec::new() };
        Self {
            keep_s: keep_s.into(),
            slots: (0..capacity.max(1)).map(slot).collect(),
            next: 0,
            index: HashMap::with_capacity(capacity * 2),
        }
    }

    /// The reply that was given to this very request.
    pub(crate) fn find(&self, key: &RequestKey, now: Ts) -> Option<&[u8]> {
        let slot = &self.slots[*self.index.get(key)?];
        (slot.at.plus_seconds(self.keep_s) > now).then_some(slot.reply.as_slice())
    }

    /// Keeps a reply.
    pub(crate) fn keep(&mut self, key: RequestKey, reply: &[u8], now: Ts) {
        let at = self.next;
        self.next = (self.next + 1) % self.slots.len();
        let slot = &mut self.slots[at];
        if let Some(older) = slot.key.take()
            && self.index.get(&older) == Some(&at)
        {
            self.index.remove(&older);
        }
        slot.key = Some(key);
        slot.at = now;
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
        cache.keep(key(1), b"one", now);
        assert_eq!(cache.find(&key(1), now), Some(&b"one"[..]));
        assert_eq!(cache.find(&key(1), now.plus_seconds(10)), None);
        let other = RequestKey { authenticator: [9; 16], ..key(1) };
        assert_eq!(cache.find(&other, now), None, "same identifier, another request");
        cache.keep(key(2), b"two", now);
        cache.keep(key(3), b"three", now);
        assert_eq!(cache.find(&key(1), now), None);
        assert_eq!(cache.find(&key(2), now), Some(&b"two"[..]));
        assert_eq!(cache.index.len(), 2);
    }
}
