//! One read for all who ask at the same time.
//!
//! A busy office asks the same question many times at once: who has this token, which fields
//! has this organisation. Here a read answers everybody who asked before it began. Nothing is
//! kept for those who come later, so an answer is never older than its question: a token that
//! was revoked is refused from that moment on.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Questions under way, by what they ask about.
pub(crate) struct Together<K, V> {
    lines: Mutex<HashMap<K, Arc<Line<V>>>>,
}

/// Those who ask the same.
struct Line<V> {
    /// How many have asked.
    arrived: AtomicU64,
    /// Held while the answer is read.
    turn: tokio::sync::Mutex<Turn<V>>,
}

struct Turn<V> {
    /// How many of those who arrived the answer is for.
    answered: u64,
    answer: Option<Arc<V>>,
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self { lines: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone, V> Together<K, V> {
    /// The answer of a read that began after this call. An error is for whoever ran into it;
    /// the next one reads anew.
    pub(crate) async fn ask<Q, E>(
        &self,
        about: &Q,
        read: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let _place = Place { together: self, about: about.to_owned() };
        // Declared after the place, so that it is let go of before the place is.
        let line = self.line(about);
        let own = line.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let mut turn = line.turn.lock().await;
        if turn.answered >= own
            && let Some(answer) = &turn.answer
        {
            return Ok(answer.clone());
        }
        // Everybody counted so far has asked: what is read now is news to all of them.
        let all = line.arrived.load(Ordering::SeqCst);
        let answer = Arc::new(read().await?);
        *turn = Turn { answered: all, answer: Some(answer.clone()) };
        Ok(answer)
    }

    fn line<Q>(&self, about: &Q) -> Arc<Line<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let mut lines = self.lock();
        if let Some(line) = lines.get(about) {
            return line.clone();
        }
        let turn = tokio::sync::Mutex::new(Turn { answered: 0, answer: None });
        let line = Arc::new(Line { arrived: AtomicU64::new(0), turn });
        lines.insert(about.to_owned(), line.clone());
        line
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Line<V>>>> {
        // Nothing panics while it is held.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's place in a line; the last to leave takes the line away.
struct Place<'a, K: Eq + Hash + Clone, V> {
    together: &'a Together<K, V>,
    about: K,
}

impl<K: Eq + Hash + Clone, V> Drop for Place<'_, K, V> {
    fn drop(&mut self) {
        let mut lines = self.together.lock();
        // Nobody can join while the map is held: what only the map has, nobody waits in.
        if lines.get(&self.about).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.about);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_read_answers_those_who_asked_before_it_began_and_nobody_else() {
        let (together, reads) = (Together::<String, usize>::default(), AtomicUsize::new(0));
        let gate = Semaphore::new(0);
        let ask = || {
            together.ask("token", async || {
                let read = reads.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(read)
            })
        };
        let open = async {
            // The others are polled before this one, and wait.
            gate.add_permits(2);
        };
        let (first, second, third, ()) = tokio::join!(ask(), ask(), ask(), open);
        // The first read began before the others had asked; one more is for both of them.
        assert_eq!((*first.unwrap(), *second.unwrap(), *third.unwrap()), (0, 1, 1));
        gate.add_permits(1);
        assert_eq!(*ask().await.unwrap(), 2, "what was answered is not kept");
        assert!(together.lock().is_empty());
    }

    #[tokio::test]
    async fn an_error_and_a_caller_who_goes_away_leave_the_turn_to_the_next() {
        let together = Together::<String, u8>::default();
        let failed = together.ask("x", async || Err::<u8, _>("no")).await;
        assert_eq!(failed.unwrap_err(), "no");
        {
            let waits = together.ask("x", async || {
                std::future::pending::<()>().await;
                Ok::<_, Infallible>(0)
            });
            let mut waits = std::pin::pin!(waits);
            let woken = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(woken);
            assert!(waits.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(*together.ask("x", async || Ok::<_, Infallible>(7)).await.unwrap(), 7);
        assert!(together.lock().is_empty());
    }
}
