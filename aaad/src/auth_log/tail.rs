//! The last logins of a shard, for `netctl auth-log`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Line;

/// Logins a shard remembers.
const LINES: usize = 512;

/// Numbers for the lines of all shards.
type Numbers = Arc<AtomicU64>;

struct Ring {
    lines: Vec<(u64, Line)>,
    next: usize,
}

/// The ring of one shard. Its lock is the shard's, and now and then that of somebody who reads;
/// the shard does not wait for it, and that one line is then missing.
#[derive(Clone)]
pub(crate) struct Tail {
    numbers: Numbers,
    ring: Arc<Mutex<Ring>>,
}

/// As many tails as there are shards.
pub(crate) fn tails(shards: usize) -> Vec<Tail> {
    let numbers = Numbers::default();
    let ring = || Arc::new(Mutex::new(Ring { lines: Vec::with_capacity(LINES), next: 0 }));
    (0..shards).map(|_| Tail { numbers: numbers.clone(), ring: ring() }).collect()
}

impl Tail {
    pub(crate) fn push(&self, line: Line) {
        let Ok(mut ring) = self.ring.try_lock() else { return };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let at = ring.next;
        if ring.lines.len() < LINES {
            ring.lines.push((number, line));
        } else {
            ring.lines[at] = (number, line);
        }
        ring.next = (at + 1) % LINES;
    }
}

/// The newest lines that match, at most `limit`, the oldest of them first; and the number of the
/// newest there is.
pub(crate) fn newest(
    tails: &[Tail],
    after: u64,
    limit: usize,
    matches: impl Fn(&Line) -> bool,
) -> (u64, Vec<(u64, Line)>) {
    let mut newest = after;
    let mut found: Vec<(u64, Line)> = Vec::new();
    for tail in tails {
        let ring = tail.ring.lock().unwrap_or_else(PoisonError::into_inner);
        newest = ring.lines.iter().map(|(number, _)| *number).fold(newest, u64::max);
        let wanted = |(number, line): &&(u64, Line)| *number > after && matches(line);
        found.extend(ring.lines.iter().filter(wanted));
    }
    found.sort_unstable_by_key(|(number, _)| *number);
    found.drain(..found.len().saturating_sub(limit));
    (newest, found)
}

#[cfg(test)]
mod tests {
    use model::{NasId, Ts};

    use super::*;
    use crate::auth_log::Text;

    fn line(login: &str) -> Line {
        Line {
            at: Ts(0),
            nas: NasId::NONE,
            service: None,
            reason: None,
            unfit: None,
            login: Text::of(login.as_bytes()),
            station: Text::of(b""),
        }
    }

    #[test]
    fn the_last_logins_of_all_shards_come_in_order_and_no_more_is_kept() {
        let tails = tails(2);
        for n in 0..2000 {
            tails[n % 2].push(line(&format!("u{n}")));
        }
        let (number, found) = newest(&tails, 0, 3, |_| true);
        assert_eq!(number, 2000);
        let logins: Vec<String> = found.iter().map(|(_, line)| line.login.to_string()).collect();
        assert_eq!(logins, ["u1997", "u1998", "u1999"]);
        assert_eq!(newest(&tails, 0, usize::MAX, |_| true).1.len(), 2 * LINES);
        let one = |line: &Line| line.login.as_bytes() == b"u1990";
        assert_eq!(newest(&tails, 1000, 10, one).1.len(), 1);
        assert!(newest(&tails, 2000, 10, |_| true).1.is_empty());
    }
}
