//! Brute force: a login that fails too often from one station is refused for a while.
//!
//! What counts is the pair of login and station (Calling-Station-Id, else the line), never the
//! NAS: a thousand subscribers share it. Nor the login alone, since then anybody could lock a
//! subscriber out. Without a station there is no pair, and only the reject delay slows guesses.
//!
//! The table is a fixed number of words that every shard reads and writes without a lock: sets
//! of four, found by a keyed hash, so that no sender can choose where it lands. A word is
//!
//! ```text
//! bits 63..44  a part of the hash
//!      43..32  failures so far, or all ones: blocked
//!      31..0   seconds since 1970: of the first failure, or of the block's end
//! ```
//!
//! A set that is full forgets what is least worth keeping: first what is over, then whoever
//! failed least, then the block that ends first.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use model::Ts;

/// Words of the table: half a megabyte.
const WORDS: usize = 1 << 16;
const SET: usize = 4;
const BLOCKED: u32 = 0xfff;
/// Failures that can be asked for, at most.
pub(crate) const FAILURES_MAX: u32 = BLOCKED - 1;

/// When a pair is blocked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// So many failures; 0: never.
    pub(crate) failures: u32,
    /// Within so many seconds of the first of them.
    pub(crate) window_s: u32,
    /// For so many seconds.
    pub(crate) block_s: u32,
}

/// The table.
pub(crate) struct Guard {
    hasher: RandomState,
    limits: Limits,
    words: Box<[AtomicU64]>,
}

/// A pair of login and station, hashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    tag: u32,
    count: u32,
    seconds: u32,
}

impl Word {
    fn of(bits: u64) -> Self {
        Self {
            tag: (bits >> 44) as u32,
            count: (bits >> 32) as u32 & BLOCKED,
            seconds: bits as u32,
        }
    }

    fn bits(self) -> u64 {
        u64::from(self.tag) << 44 | u64::from(self.count) << 32 | u64::from(self.seconds)
    }

    fn is_blocked(self, now: u32) -> bool {
        self.count == BLOCKED && self.seconds > now
    }
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        let words = if limits.failures == 0 { 0 } else { WORDS };
        Self {
            hasher: RandomState::new(),
            limits,
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The pair of a login's lookup key and a station; nothing where one of them is missing, or
    /// nobody is ever blocked.
    pub(crate) fn pair(&self, login_key: &[u8], station: &[u8]) -> Option<Pair> {
        let known = !login_key.is_empty() && !station.is_empty() && !self.words.is_empty();
        known.then(|| Pair(self.hasher.hash_one((login_key, station))))
    }

    /// Whether the pair is blocked.
    pub(crate) fn is_blocked(&self, pair: Pair, now: Ts) -> bool {
        let now = seconds(now);
        self.set(pair).iter().any(|word| {
            let word = Word::of(word.load(Ordering::Relaxed));
            word.tag == tag(pair) && word.is_blocked(now)
        })
    }

    /// The pair failed; says until when it is blocked, where that begins now.
    pub(crate) fn failed(&self, pair: Pair, now: Ts) -> Option<Ts> {
        let now = seconds(now);
        // Others may write the same word at the same time; a failure less does no harm.
        for _ in 0..8 {
            let place = self.place(pair, now);
            let bits = place.load(Ordering::Relaxed);
            let old = Word::of(bits);
            let new = self.counted(old, pair, now)?;
            let swapped =
                place.compare_exchange(bits, new.bits(), Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                let begins = new.count == BLOCKED;
                return begins.then(|| Ts::from_seconds(new.seconds.into()));
            }
        }
        None
    }

    /// The pair succeeded, or somebody lifted its block.
    pub(crate) fn clear(&self, pair: Pair) {
        for word in self.set(pair) {
            let bits = word.load(Ordering::Relaxed);
            if bits != 0 && Word::of(bits).tag == tag(pair) {
                // Written meanwhile: it failed again, and that counts.
                let _ = word.compare_exchange(bits, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }

    fn set(&self, pair: Pair) -> &[AtomicU64] {
        let at = pair.0 as usize % (WORDS / SET) * SET;
        self.words.get(at..at + SET).unwrap_or_default()
    }

    /// The pair's word, or the one of its set that is given up for it.
    fn place(&self, pair: Pair, now: u32) -> &AtomicU64 {
        let set = self.set(pair);
        let worth = |word: &&AtomicU64| {
            let bits = word.load(Ordering::Relaxed);
            let word = Word::of(bits);
            let own = bits != 0 && word.tag == tag(pair);
            (!own, !self.is_over(bits, now), word.count, word.seconds)
        };
        // A set is never empty: a Guard without words makes no pairs.
        set.iter().min_by_key(worth).unwrap_or(&self.words[0])
    }

    fn is_over(&self, bits: u64, now: u32) -> bool {
        let word = Word::of(bits);
        let end = match word.count {
            BLOCKED => word.seconds,
            _ => word.seconds.saturating_add(self.limits.window_s),
        };
        bits == 0 || end <= now
    }

    /// The word after one more failure; nothing where it is blocked already.
    fn counted(&self, old: Word, pair: Pair, now: u32) -> Option<Word> {
        if old.tag == tag(pair) && old.is_blocked(now) {
            return None;
        }
        let goes_on = old.tag == tag(pair) && old.count > 0 && !self.is_over(old.bits(), now);
        let (count, since) = if goes_on { (old.count + 1, old.seconds) } else { (1, now) };
        Some(if count >= self.limits.failures {
            let until = now.saturating_add(self.limits.block_s);
            Word { tag: tag(pair), count: BLOCKED, seconds: until }
        } else {
            Word { tag: tag(pair), count, seconds: since }
        })
    }
}

fn tag(pair: Pair) -> u32 {
    (pair.0 >> 44) as u32
}

fn seconds(at: Ts) -> u32 {
    u32::try_from(at.seconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { failures: 3, window_s: 60, block_s: 300 };

    fn at(second: i64) -> Ts {
        Ts::from_seconds(1_772_323_200 + second)
    }

    #[test]
    fn a_pair_that_fails_too_often_is_blocked_for_a_while_and_no_other_is() {
        let guard = Guard::new(LIMITS);
        let pair = guard.pair(b"asha", b"02:00:00:00:00:01").unwrap();
        let elsewhere = guard.pair(b"asha", b"02:00:00:00:00:02").unwrap();
        assert_eq!(guard.failed(pair, at(0)), None);
        assert_eq!(guard.failed(pair, at(1)), None);
        assert_eq!(guard.failed(pair, at(2)), Some(at(302)));
        assert_eq!(guard.failed(pair, at(3)), None, "told once");
        assert!(guard.is_blocked(pair, at(301)));
        assert!(!guard.is_blocked(elsewhere, at(3)));
        assert!(!guard.is_blocked(pair, at(302)));
        assert_eq!(guard.failed(pair, at(303)), None, "it counts from one again");
    }

    #[test]
    fn success_and_time_forget_failures() {
        let guard = Guard::new(LIMITS);
        let pair = guard.pair(b"asha", b"x").unwrap();
        for _ in 0..5 {
            assert_eq!(guard.failed(pair, at(0)), None);
            assert_eq!(guard.failed(pair, at(0)), None);
            guard.clear(pair);
        }
        for second in [0, 59, 60, 119, 120] {
            assert_eq!(guard.failed(pair, at(second)), None, "{second}");
        }
    }

    #[test]
    fn without_a_station_or_a_limit_nobody_is_blocked() {
        assert!(Guard::new(LIMITS).pair(b"asha", b"").is_none());
        assert!(Guard::new(LIMITS).pair(b"", b"x").is_none());
        let off = Guard::new(Limits { failures: 0, ..LIMITS });
        assert!(off.pair(b"asha", b"x").is_none());
    }

    #[test]
    fn a_flood_of_other_pairs_does_not_free_a_blocked_one() {
        let guard = Guard::new(LIMITS);
        let pair = guard.pair(b"asha", b"x").unwrap();
        for _ in 0..3 {
            guard.failed(pair, at(0));
        }
        for n in 0..1_000_000_u32 {
            let other = guard.pair(&n.to_be_bytes(), b"flood").unwrap();
            guard.failed(other, at(1));
        }
        assert!(guard.is_blocked(pair, at(2)));
    }
}
