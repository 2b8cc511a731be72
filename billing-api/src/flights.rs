//! What is under way to others: messages to webhooks, letters. How many there are in all and to
//! each target is known at any time, so that no slow target holds up another.

use std::collections::HashMap;
use std::hash::Hash;

use tokio::task::{Id, JoinError, JoinSet};
use tracing::error;

/// Tasks under way, each bound for a target.
#[derive(Debug)]
pub(crate) struct Flights<T> {
    /// What one is, for the log.
    what: &'static str,
    tasks: JoinSet<()>,
    /// Where each goes.
    bound: HashMap<Id, T>,
    /// How many are under way to each.
    busy: HashMap<T, usize>,
}

impl<T: Copy + Eq + Hash> Flights<T> {
    /// None yet.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, tasks: JoinSet::new(), bound: HashMap::new(), busy: HashMap::new() }
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// How many are under way to one target.
    pub(crate) fn to(&self, target: T) -> usize {
        self.busy.get(&target).copied().unwrap_or(0)
    }

    /// Starts one.
    pub(crate) fn start(&mut self, target: T, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(task);
        self.bound.insert(handle.id(), target);
        *self.busy.entry(target).or_default() += 1;
    }

    /// Waits until one has ended; for ever where none is under way.
    pub(crate) async fn landed(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(landed) => self.forget(landed),
            None => std::future::pending().await,
        }
    }

    /// Forgets all that have ended.
    pub(crate) fn sweep(&mut self) {
        while let Some(landed) = self.tasks.try_join_next_with_id() {
            self.forget(landed);
        }
    }

    /// Waits until none is under way.
    pub(crate) async fn settled(&mut self) {
        while self.len() > 0 {
            self.landed().await;
        }
    }

    fn forget(&mut self, landed: Result<(Id, ()), JoinError>) {
        let id = landed.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        if let Err(error) = landed {
            // What it carried is due again when its time is up.
            error!(error = %error, "sending {} ended unexpectedly", self.what);
        }
        if let Some(target) = self.bound.remove(&id)
            && let Some(busy) = self.busy.get_mut(&target)
        {
            *busy -= 1;
            if *busy == 0 {
                self.busy.remove(&target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_target_has_its_count_and_one_that_breaks_is_no_longer_under_way() {
        let mut flights = Flights::new("a test");
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        flights.start(1, async { drop(gone.await) });
        flights.start(1, std::future::pending());
        flights.start(2, async { panic!("on purpose") });
        assert_eq!((flights.len(), flights.to(1), flights.to(2), flights.to(3)), (3, 2, 1, 0));
        flights.landed().await;
        assert_eq!((flights.to(1), flights.to(2)), (2, 0), "the one that broke");
        go.send(()).unwrap();
        flights.landed().await;
        assert_eq!((flights.len(), flights.to(1)), (1, 1));
        flights.sweep();
        assert_eq!(flights.len(), 1, "the other is still under way");
    }
}
