//! How a program runs and stops.
//!
//! There are two stops. *Soft*: take no new work, finish what is under way. *Hard*: end now.
//! The second signal, or the grace period, turns the first into the second.

mod signals;
mod systemd;
mod tasks;

use std::sync::Arc;

use tokio::sync::watch;

pub use signals::{GRACE, signals};
pub use systemd::{SystemdState, notify_systemd};
pub use tasks::{TaskError, Tasks};

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    No,
    Soft,
    Hard,
}

/// Stops a program.
#[derive(Debug, Clone)]
pub struct Trigger(Arc<watch::Sender<Stop>>);

/// Tells whoever works whether to stop. Clones see the same stops.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stop: Arc<watch::Sender<Stop>>,
    started: Arc<watch::Sender<bool>>,
}

impl Trigger {
    /// Asks everybody to finish and end. Does nothing after the first time.
    pub fn soft(&self) {
        raise(&self.0, Stop::Soft);
    }

    /// Asks everybody to end now.
    pub fn hard(&self) {
        raise(&self.0, Stop::Hard);
    }
}

impl Shutdown {
    /// A program that nobody has stopped.
    pub fn new() -> (Trigger, Shutdown) {
        let stop = Arc::new(watch::Sender::new(Stop::No));
        let started = Arc::new(watch::Sender::new(false));
        (Trigger(stop.clone()), Shutdown { stop, started })
    }

    /// Waits for the soft stop; a hard one is one too.
    pub async fn soft(&self) {
        self.at_least(Stop::Soft).await;
    }

    /// Waits for the hard stop.
    pub async fn hard(&self) {
        self.at_least(Stop::Hard).await;
    }

    /// Whether the soft stop has come.
    pub fn is_soft(&self) -> bool {
        *self.stop.borrow() >= Stop::Soft
    }

    /// Whether the hard stop has come.
    pub fn is_hard(&self) -> bool {
        *self.stop.borrow() == Stop::Hard
    }

    /// Says that the program does its work: sockets are bound, data is loaded. Until then an
    /// error means that it could not start; from then on that it failed.
    pub fn started(&self) {
        self.started.send_replace(true);
    }

    /// Whether [`Shutdown::started`] was called.
    pub fn is_started(&self) -> bool {
        *self.started.borrow()
    }

    /// Waits for [`Shutdown::started`].
    pub async fn until_started(&self) {
        // `self` holds the sender, so this ends only when the value comes.
        let _ = self.started.subscribe().wait_for(|started| *started).await;
    }

    /// The same stops for another program in this process, which starts on its own.
    pub fn fork(&self) -> Self {
        Self { stop: self.stop.clone(), started: Arc::new(watch::Sender::new(false)) }
    }

    /// What [`Tasks`] does when one of them fails: the others shall finish.
    fn stop_softly(&self) {
        raise(&self.stop, Stop::Soft);
    }

    async fn at_least(&self, wanted: Stop) {
        // As above.
        let _ = self.stop.subscribe().wait_for(|stop| *stop >= wanted).await;
    }
}

fn raise(stop: &watch::Sender<Stop>, to: Stop) {
    stop.send_if_modified(|stop| {
        let higher = *stop < to;
        *stop = to.max(*stop);
        higher
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_soft_stop_is_seen_by_clones_and_a_hard_one_follows() {
        let (trigger, shutdown) = Shutdown::new();
        let clone = shutdown.clone();
        assert!(!clone.is_soft());
        let waiting = tokio::spawn(async move {
            clone.soft().await;
            assert!(!clone.is_hard());
            clone.hard().await;
        });
        trigger.soft();
        shutdown.soft().await;
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        trigger.hard();
        waiting.await.unwrap();
        // A later soft stop takes nothing back.
        trigger.soft();
        assert!(shutdown.is_hard());
    }

    #[tokio::test]
    async fn a_hard_stop_alone_is_also_soft() {
        let (trigger, shutdown) = Shutdown::new();
        trigger.hard();
        shutdown.soft().await;
        shutdown.hard().await;
        assert!(shutdown.is_soft());
    }

    #[tokio::test]
    async fn a_dropped_trigger_stops_nothing() {
        let (trigger, shutdown) = Shutdown::new();
        drop(trigger);
        let waiting = tokio::spawn(async move { shutdown.soft().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        waiting.abort();
    }

    #[tokio::test]
    async fn a_fork_shares_the_stops_and_starts_on_its_own() {
        let (trigger, shutdown) = Shutdown::new();
        let fork = shutdown.fork();
        fork.started();
        fork.until_started().await;
        assert!(fork.is_started() && !shutdown.is_started());
        trigger.soft();
        assert!(fork.is_soft() && shutdown.is_soft());
    }
}
