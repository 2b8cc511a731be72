//! The policy cache: everything a packet needs, in memory.
//!
//! Readers never lock: they load a pointer to an immutable shard. The one writer (the
//! follower) copies the shard it changes and swaps the pointer; with 256 shards a copy of a
//! million subscribers moves four thousand pointers. A whole snapshot is built beside the
//! running cache and swapped in at once.

mod clients;
mod subscribers;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use daemon::secrets::Keyring;
use model::policy::{Body, Change, Key};
use model::{PlanVersionId, Ts};
use rustc_hash::FxHashMap;

use crate::dialect::CompiledProfile;

pub(crate) use clients::{ClientEntry, ClientTable, NasEntry};
pub(crate) use subscribers::{Opened, SubscriberEntry, Subscribers};

/// The cache.
pub(crate) struct Cache {
    keyring: Arc<Keyring>,
    clients: ArcSwap<ClientTable>,
    profiles: ArcSwap<FxHashMap<PlanVersionId, Arc<CompiledProfile>>>,
    subscribers: ArcSwap<Subscribers>,
    epoch: AtomicU64,
    revision: AtomicU64,
    billing_heard: AtomicI64,
    /// A whole snapshot came from the bus since the start: what is absent, is deleted.
    whole: AtomicBool,
}

/// The number of live records, the epoch and the highest revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) epoch: u64,
    pub(crate) revision: u64,
    pub(crate) count: u64,
}

/// What a change touched, so that live sessions can be compared with their policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    /// One service.
    Service(model::ServiceId),
    /// Every service on a profile.
    Profile(PlanVersionId),
    /// Nothing a session was given.
    Nothing,
}

impl Cache {
    /// An empty cache that opens secrets with `keyring`.
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Self {
            keyring,
            clients: ArcSwap::default(),
            profiles: ArcSwap::default(),
            subscribers: ArcSwap::default(),
            epoch: AtomicU64::new(0),
            revision: AtomicU64::new(0),
            billing_heard: AtomicI64::new(0),
            whole: AtomicBool::new(false),
        }
    }

    /// RADIUS clients and NAS.
    pub(crate) fn clients(&self) -> Guard<Arc<ClientTable>> {
        self.clients.load()
    }

    /// A profile.
    pub(crate) fn profile(&self, id: PlanVersionId) -> Option<Arc<CompiledProfile>> {
        self.profiles.load().get(&id).cloned()
    }

    /// Services and their identities.
    pub(crate) fn subscribers(&self) -> Guard<Arc<Subscribers>> {
        self.subscribers.load()
    }

    /// How much there is.
    pub(crate) fn extent(&self) -> Extent {
        let clients = self.clients.load();
        let count = clients.client_count() + clients.published_nas_count();
        let count = count + self.profiles.load().len() + self.subscribers.load().len();
        Extent {
            epoch: self.epoch.load(Ordering::Relaxed),
            revision: self.revision.load(Ordering::Relaxed),
            count: count as u64,
        }
    }

    /// When billing was last heard of.
    pub(crate) fn billing_heard(&self) -> Ts {
        Ts(self.billing_heard.load(Ordering::Relaxed))
    }

    /// Billing was heard of.
    pub(crate) fn set_billing_heard(&self, at: Ts) {
        self.billing_heard.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Whether a record that is absent is known to be deleted.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// The bus has been read to its end.
    pub(crate) fn set_whole(&self) {
        self.whole.store(true, Ordering::Relaxed);
    }

    /// Applies one change. Only the follower calls this, so there is one writer.
    pub(crate) fn apply(&self, change: &Change) -> Touched {
        self.epoch.store(change.epoch, Ordering::Relaxed);
        self.revision.fetch_max(change.revision, Ordering::Relaxed);
        match (change.key, &change.body) {
            (Key::Profile(id), body) => {
                let mut profiles = FxHashMap::clone(&self.profiles.load());
                match body {
                    Some(Body::Profile(profile)) => {
                        profiles.insert(id, Arc::new(CompiledProfile::compile(profile)));
                    }
                    _ => {
                        profiles.remove(&id);
                    }
                }
                self.profiles.store(Arc::new(profiles));
                Touched::Profile(id)
            }
            (Key::Subscriber(id), Some(Body::Subscriber(subscriber))) => {
                let entry = SubscriberEntry::open(subscriber, change.revision, &self.keyring);
                if self.subscribers.load().put(entry) {
                    Touched::Service(id)
                } else {
                    Touched::Nothing
                }
            }
            (Key::Subscriber(id), _) => {
                self.subscribers.load().remove(id);
                Touched::Service(id)
            }
            (Key::Client(_) | Key::Nas(_), _) => {
                let mut clients = ClientTable::clone(&self.clients.load());
                clients.apply(change, &self.keyring);
                self.clients.store(Arc::new(clients));
                Touched::Nothing
            }
        }
    }

    /// Puts a NAS that was seen behind a client into the table, until billing publishes it.
    pub(crate) fn add_seen(&self, nas: Arc<NasEntry>) {
        let mut clients = ClientTable::clone(&self.clients.load());
        clients.add_seen(nas);
        self.clients.store(Arc::new(clients));
    }

    /// Replaces everything by a snapshot.
    pub(crate) fn replace(&self, epoch: u64, revision: u64, changes: &HashMap<Key, Change>) {
        let mut clients = ClientTable::default();
        let mut profiles = FxHashMap::default();
        let mut entries = Vec::new();
        for change in changes.values() {
            match &change.body {
                Some(Body::Profile(profile)) => {
                    profiles.insert(profile.id, Arc::new(CompiledProfile::compile(profile)));
                }
                Some(Body::Subscriber(subscriber)) => {
                    entries.push(SubscriberEntry::open(subscriber, change.revision, &self.keyring));
                }
                // Clients may name NAS: these go first.
                Some(Body::Nas(_)) => clients.apply(change, &self.keyring),
                Some(Body::Client(_)) | None => {}
            }
        }
        for change in changes.values() {
            if let Some(Body::Client(_)) = &change.body {
                clients.apply(change, &self.keyring);
            }
        }
        // NAS seen but not yet published stay known, or their sessions would lose their name.
        clients.keep_seen_of(&self.clients.load());
        self.clients.store(Arc::new(clients));
        // Both sets of profiles while subscribers change over, so that none is without its own.
        let mut both: FxHashMap<_, _> = FxHashMap::clone(&self.profiles.load());
        both.extend(profiles.iter().map(|(id, profile)| (*id, profile.clone())));
        self.profiles.store(Arc::new(both));
        self.subscribers.store(Arc::new(Subscribers::of(entries)));
        self.profiles.store(Arc::new(profiles));
        self.epoch.store(epoch, Ordering::Relaxed);
        self.revision.store(revision, Ordering::Relaxed);
    }
}
