//! Access-Rejects that wait: whoever guesses passwords gets few guesses a second.
//!
//! All wait equally long, so the first in is the first out, and no thread or timer is spent on
//! any of them: the shard's own wait ends when the first is due. The queue has a size; where it
//! is full, the oldest go out early, so that an attack makes the delay shorter and never
//! leaves a NAS without an answer.

use std::time::{Duration, Instant};

use crate::socket::Path;

/// Rejects a shard holds back at once; at 200 ms that is 20 000 a second.
pub(crate) const WAITING_MAX: usize = 4096;

/// A reject is this long, give or take Proxy-State.
const REPLY_OCTETS: usize = 128;

struct Waiting {
    due: Instant,
    socket: usize,
    path: Path,
    reply: Vec<u8>,
}

/// The queue of one shard. Its memory is taken once and used again.
pub(crate) struct Delayed {
    delay: Duration,
    slots: Vec<Waiting>,
    first: usize,
    len: usize,
}

/// A reject whose time has come.
pub(crate) struct Due<'a> {
    /// Which of the shard's sockets it goes out on.
    pub(crate) socket: usize,
    /// Where to.
    pub(crate) path: Path,
    /// The packet.
    pub(crate) reply: &'a [u8],
}

impl Delayed {
    /// An empty queue; `capacity` is at least one.
    pub(crate) fn new(delay: Duration, capacity: usize) -> Self {
        Self { delay, slots: Vec::with_capacity(capacity.max(1)), first: 0, len: 0 }
    }

    /// How long each waits; zero: none does.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        (self.len > 0).then(|| self.slots[self.first].due)
    }

    /// How many more it can take.
    pub(crate) fn room(&self) -> usize {
        self.slots.capacity() - self.len
    }

    /// Takes a reject in; there must be room.
    pub(crate) fn push(&mut self, now: Instant, socket: usize, path: Path, reply: &[u8]) {
        let capacity = self.slots.capacity();
        debug_assert!(self.len < capacity, "the caller makes room");
        let due = now + self.delay;
        let at = (self.first + self.len) % capacity;
        if at == self.slots.len() {
            let reply_buffer = Vec::with_capacity(REPLY_OCTETS);
            self.slots.push(Waiting { due, socket, path, reply: reply_buffer });
        }
        let slot = &mut self.slots[at];
        (slot.due, slot.socket, slot.path) = (due, socket, path);
        slot.reply.clear();
        slot.reply.extend_from_slice(reply);
        self.len += 1;
    }

    /// Takes the first out where it is due, or `anyway`.
    pub(crate) fn pop(&mut self, now: Instant, anyway: bool) -> Option<Due<'_>> {
        if !anyway && self.next()? > now || self.len == 0 {
            return None;
        }
        let at = self.first;
        self.first = (self.first + 1) % self.slots.capacity();
        self.len -= 1;
        let slot = &self.slots[at];
        Some(Due { socket: slot.socket, path: slot.path, reply: &slot.reply })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_wait_their_time_and_leave_in_order() {
        let mut queue = Delayed::new(Duration::from_millis(200), 3);
        let path = Path { peer: "192.0.2.1:1".parse().unwrap(), local: [0, 0, 0, 0].into() };
        let begun = Instant::now();
        for round in 0..5_u8 {
            let begun = begun + Duration::from_secs(round.into());
            for n in 0..3 {
                assert!(queue.room() > 0);
                queue.push(begun + Duration::from_millis(n), 1, path, &[round, n as u8]);
            }
            assert_eq!(queue.room(), 0);
            assert_eq!(queue.next(), Some(begun + Duration::from_millis(200)));
            assert!(queue.pop(begun + Duration::from_millis(199), false).is_none());
            let later = begun + Duration::from_millis(201);
            assert_eq!(queue.pop(later, false).unwrap().reply, [round, 0]);
            assert_eq!(queue.pop(later, false).unwrap().reply, [round, 1]);
            assert!(queue.pop(later, false).is_none());
            assert_eq!(queue.pop(later, true).unwrap().reply, [round, 2], "full: it goes early");
            assert!(queue.pop(later, true).is_none() && queue.next().is_none());
        }
    }
}
