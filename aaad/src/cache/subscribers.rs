//! Services by id and by access identity.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;
use daemon::secrets::Keyring;
use model::identity::{Credential, IdentityKind};
use model::policy::{Overlay, Subscriber};
use model::{Secret, ServiceId};
use tracing::warn;

const SHARDS: usize = 256;

/// A credential ready for use.
pub(crate) enum Opened {
    /// The password.
    Clear(Secret<Vec<u8>>),
    /// MD4 of the UTF-16 password.
    NtHash(Secret<Vec<u8>>),
}

/// A subscriber ready for packets.
pub(crate) struct SubscriberEntry {
    pub(crate) subscriber: Subscriber,
    pub(crate) revision: u64,
    pub(crate) overlays: Vec<Overlay>,
    /// One per identity, in the same order.
    credentials: Vec<Option<Opened>>,
}

impl SubscriberEntry {
    /// Opens the credentials. One that does not open is as good as absent: the login is
    /// refused, and the log says why.
    pub(crate) fn open(subscriber: &Subscriber, revision: u64, keyring: &Keyring) -> Self {
        let open = |sealed, bound: &str| match keyring.open(bound, sealed) {
            Ok(secret) => Some(secret),
            Err(error) => {
                warn!(identity = bound, %error, "a credential does not open");
                None
            }
        };
        let credentials = subscriber.identities.iter().map(|identity| {
            let bound = identity.id.to_string();
            match identity.credential.as_ref()? {
                Credential::Clear(sealed) => open(sealed, &bound).map(Opened::Clear),
                Credential::NtHash(sealed) => open(sealed, &bound).map(Opened::NtHash),
            }
        });
        Self {
            credentials: credentials.collect(),
            subscriber: subscriber.clone(),
            revision,
            overlays: Vec::new(),
        }
    }

    /// The credential of the identity with this kind and value.
    pub(crate) fn credential(&self, kind: IdentityKind, value: &[u8]) -> Option<&Opened> {
        let at = self
            .subscriber
            .identities
            .iter()
            .position(|i| i.kind == kind && i.value.as_bytes() == value)?;
        self.credentials.get(at)?.as_ref()
    }
}

type Shard<K> = ArcSwap<HashMap<K, Arc<SubscriberEntry>>>;

/// Both indexes. Changes one shard at a time; a reader holds what it found by `Arc`.
pub(crate) struct Subscribers {
    hasher: RandomState,
    services: Box<[Shard<ServiceId>]>,
    /// Key: kind, then value. Logins come from outside, so the hash is keyed (SipHash).
    identities: Box<[Shard<Box<[u8]>>]>,
}

impl Default for Subscribers {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Subscribers {
    /// Builds both indexes at once.
    pub(crate) fn of(entries: Vec<SubscriberEntry>) -> Self {
        let hasher = RandomState::new();
        let mut services: Vec<HashMap<_, _>> = (0..SHARDS).map(|_| HashMap::new()).collect();
        let mut identities: Vec<HashMap<_, _>> = (0..SHARDS).map(|_| HashMap::new()).collect();
        for entry in entries {
            let entry = Arc::new(entry);
            for identity in &entry.subscriber.identities {
                let key = identity_key(identity.kind, identity.value.as_bytes());
                identities[shard_of(&hasher, &*key)].insert(key, entry.clone());
            }
            let service = entry.subscriber.service;
            services[shard_of(&hasher, &service)].insert(service, entry);
        }
        let swap = |shard| ArcSwap::new(Arc::new(shard));
        Self {
            hasher,
            services: services.into_iter().map(swap).collect(),
            identities: identities.into_iter().map(|shard| ArcSwap::new(Arc::new(shard))).collect(),
        }
    }

    /// Services in the cache.
    pub(crate) fn len(&self) -> usize {
        self.services.iter().map(|shard| shard.load().len()).sum()
    }

    /// A service.
    pub(crate) fn find(&self, service: ServiceId) -> Option<Arc<SubscriberEntry>> {
        self.services[shard_of(&self.hasher, &service)].load().get(&service).cloned()
    }

    /// The service behind an identity. `scratch` is used for the lookup key, so that a
    /// packet's lookup allocates nothing.
    pub(crate) fn identify(
        &self,
        kind: IdentityKind,
        value: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Option<Arc<SubscriberEntry>> {
        scratch.clear();
        scratch.push(kind as u8);
        scratch.extend_from_slice(value);
        let key = scratch.as_slice();
        self.identities[shard_of(&self.hasher, key)].load().get(key).cloned()
    }

    /// Puts a subscriber in; false where a newer revision stands already.
    pub(crate) fn put(&self, entry: SubscriberEntry) -> bool {
        let service = entry.subscriber.service;
        let older = self.find(service);
        if older.as_ref().is_some_and(|older| older.revision >= entry.revision) {
            return false;
        }
        let entry = Arc::new(entry);
        self.edit_service(service, |shard| {
            shard.insert(service, entry.clone());
        });
        // New identities first, so that one that stays is never missing.
        for identity in &entry.subscriber.identities {
            let key = identity_key(identity.kind, identity.value.as_bytes());
            self.edit_identity(key, |shard, key| {
                shard.insert(key, entry.clone());
            });
        }
        if let Some(older) = older {
            self.forget_identities(&older, Some(&entry));
        }
        true
    }

    /// Takes a subscriber out.
    pub(crate) fn remove(&self, service: ServiceId) {
        let Some(older) = self.find(service) else { return };
        self.edit_service(service, |shard| {
            shard.remove(&service);
        });
        self.forget_identities(&older, None);
    }

    /// Removes identities of `older` that `newer` does not have, unless they have moved to
    /// another service meanwhile.
    fn forget_identities(&self, older: &SubscriberEntry, newer: Option<&SubscriberEntry>) {
        let service = older.subscriber.service;
        for identity in &older.subscriber.identities {
            let kept = newer.is_some_and(|n| {
                n.subscriber
                    .identities
                    .iter()
                    .any(|i| (i.kind, &i.value) == (identity.kind, &identity.value))
            });
            if kept {
                continue;
            }
            let key = identity_key(identity.kind, identity.value.as_bytes());
            self.edit_identity(key, |shard, key| {
                if shard.get(&key).is_some_and(|e| e.subscriber.service == service) {
                    shard.remove(&key);
                }
            });
        }
    }

    fn edit_service(
        &self,
        service: ServiceId,
        edit: impl FnOnce(&mut HashMap<ServiceId, Arc<SubscriberEntry>>),
    ) {
        let shard = &self.services[shard_of(&self.hasher, &service)];
        let mut copy = HashMap::clone(&shard.load());
        edit(&mut copy);
        shard.store(Arc::new(copy));
    }

    fn edit_identity(
        &self,
        key: Box<[u8]>,
        edit: impl FnOnce(&mut HashMap<Box<[u8]>, Arc<SubscriberEntry>>, Box<[u8]>),
    ) {
        let shard = &self.identities[shard_of(&self.hasher, &*key)];
        let mut copy = HashMap::clone(&shard.load());
        edit(&mut copy, key);
        shard.store(Arc::new(copy));
    }
}

fn identity_key(kind: IdentityKind, value: &[u8]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(1 + value.len());
    key.push(kind as u8);
    key.extend_from_slice(value);
    key.into_boxed_slice()
}

fn shard_of<K: std::hash::Hash + ?Sized>(hasher: &RandomState, key: &K) -> usize {
    (hasher.hash_one(key) >> 56) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::identity::Identity;
    use model::policy::Overrides;
    use model::{CustomerId, IdentityId, OrganisationId, PlanVersionId};

    fn entry(service: ServiceId, logins: &[&str], revision: u64) -> SubscriberEntry {
        let identities = logins.iter().map(|login| Identity {
            id: IdentityId::generate(),
            kind: IdentityKind::Login,
            value: (*login).to_owned(),
            credential: None,
        });
        SubscriberEntry {
            credentials: logins.iter().map(|_| None).collect(),
            subscriber: Subscriber {
                service,
                organisation: OrganisationId::NONE,
                customer: CustomerId::NONE,
                profile: PlanVersionId::NONE,
                identities: identities.collect(),
                holds: Vec::new(),
                expires_at: None,
                ipv4: None,
                overrides: Overrides::default(),
            },
            revision,
            overlays: Vec::new(),
        }
    }

    fn who(subscribers: &Subscribers, login: &str) -> Option<ServiceId> {
        let found = subscribers.identify(IdentityKind::Login, login.as_bytes(), &mut Vec::new());
        found.map(|entry| entry.subscriber.service)
    }

    #[test]
    fn identities_follow_their_service() {
        let (a, b) = (ServiceId::generate(), ServiceId::generate());
        let subscribers = Subscribers::of(vec![entry(a, &["asha", "asha2"], 1)]);
        assert_eq!(who(&subscribers, "asha2"), Some(a));
        // The second login moves to another service; either order of the two changes works.
        assert!(subscribers.put(entry(b, &["asha2"], 2)));
        assert!(subscribers.put(entry(a, &["asha"], 3)));
        assert_eq!(who(&subscribers, "asha2"), Some(b));
        assert!(!subscribers.put(entry(a, &["old"], 2)), "an older revision changes nothing");
        assert_eq!(who(&subscribers, "old"), None);
        subscribers.remove(b);
        assert_eq!(who(&subscribers, "asha2"), None);
        assert_eq!(who(&subscribers, "asha"), Some(a));
        assert_eq!(subscribers.len(), 1);
    }
}
