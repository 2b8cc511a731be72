//! Which parts of a program are ready, for `/readyz`, `status` and `netctl up`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// The parts of a program and whether each is ready. Clones share them.
///
/// A program without any part is not ready: it has not come so far as to name them.
#[derive(Debug, Clone)]
pub struct Health {
    parts: Arc<watch::Sender<BTreeMap<String, bool>>>,
}

/// One part, held by whoever knows how it is.
#[derive(Debug, Clone)]
pub struct Part {
    name: String,
    health: Health,
}

impl Health {
    /// No parts yet.
    pub fn new() -> Self {
        Self { parts: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }

    /// Adds a part, not ready at first. The same name again is the same part.
    pub fn part(&self, name: impl Into<String>) -> Part {
        let name = name.into();
        self.parts.send_if_modified(|parts| {
            let known = parts.len();
            parts.entry(name.clone()).or_insert(false);
            parts.len() != known
        });
        Part { name, health: self.clone() }
    }

    /// Whether every part is ready.
    pub fn is_ready(&self) -> bool {
        all_ready(&self.parts.borrow())
    }

    /// The parts that are not ready, sorted; `start` before there is any.
    pub fn not_ready(&self) -> Vec<String> {
        let parts = self.parts.borrow();
        if parts.is_empty() {
            return vec!["start".to_owned()];
        }
        parts.iter().filter(|(_, ready)| !**ready).map(|(name, _)| name.clone()).collect()
    }

    /// Waits until every part is ready.
    pub async fn until_ready(&self) {
        // `self` keeps the sender alive, so the wait ends only when the parts are ready.
        let _ = self.parts.subscribe().wait_for(all_ready).await;
    }

    /// Waits for the next change after this call's first poll and returns whether every part
    /// is ready then.
    pub async fn changed(&self) -> bool {
        let mut parts = self.parts.subscribe();
        // As above: the sender lives as long as `self`.
        let _ = parts.changed().await;
        all_ready(&parts.borrow())
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Part {
    /// Says how this part is.
    pub fn ready(&self, ready: bool) {
        self.health.parts.send_if_modified(|parts| {
            let before = parts.insert(self.name.clone(), ready);
            before != Some(ready)
        });
    }
}

fn all_ready(parts: &BTreeMap<String, bool>) -> bool {
    !parts.is_empty() && parts.values().all(|ready| *ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_ready_when_all_its_parts_are() {
        let health = Health::new();
        assert_eq!((health.is_ready(), health.not_ready()), (false, vec!["start".to_owned()]));
        let (bus, journal) = (health.part("bus"), health.part("journal"));
        journal.ready(true);
        assert_eq!((health.is_ready(), health.not_ready()), (false, vec!["bus".to_owned()]));
        bus.ready(true);
        assert_eq!((health.is_ready(), health.not_ready()), (true, vec![]));
        // Asking for a part again does not forget how it is.
        health.part("bus");
        assert!(health.is_ready());
        bus.ready(false);
        assert!(!health.is_ready());
    }

    #[tokio::test]
    async fn readiness_can_be_awaited() {
        let health = Health::new();
        let bus = health.part("bus");
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.until_ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        bus.ready(true);
        waiting.await.unwrap();
        let (ready, ()) = tokio::join!(health.changed(), async { bus.ready(false) });
        assert!(!ready);
    }
}
