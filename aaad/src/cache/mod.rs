//! The policy cache: everything a packet needs, in memory.
//!
//! Readers never lock: they load a pointer to something that never changes. The one writer (the
//! follower) builds anew what it changes, a shard of the subscribers or the small tables
//! of clients and profiles, and swaps the pointer. A whole snapshot is compared with what is in
//! force, and what differs changes in the same way.

mod clients;
mod learned;
mod opened;
mod rules;
mod subscribers;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use daemon::secrets::Keyring;
use dialect::CompiledProfile;
use model::policy::{Body, Change, Key, Profile};
use model::pool::Pool;
use model::{PlanVersionId, ServiceId, Ts};
use rustc_hash::{FxHashMap, FxHashSet};
use tracing::warn;

pub(crate) use clients::{ClientEntry, ClientTable, NasEntry};
pub(crate) use learned::{Admitted, Learned};
pub(crate) use opened::Opened;
pub(crate) use rules::{Group, Groups, Realms, Rules, is_of};
pub(crate) use subscribers::{BlockError, SealedCredential, Staged, SubscriberEntry, Subscribers};

/// The cache.
pub(crate) struct Cache {
    keyring: Arc<Keyring>,
    clients: ArcSwap<ClientTable>,
    profiles: ArcSwap<FxHashMap<PlanVersionId, Arc<ProfileEntry>>>,
    groups: ArcSwap<Groups>,
    realms: ArcSwap<Realms>,
    subscribers: Subscribers,
    pools: ArcSwap<Vec<Pool>>,
    learned: Learned,
    /// The records that are no subscribers, as they came: the secrets in them are sealed, so
    /// that the local snapshot can be written from here.
    others: Mutex<HashMap<Key, Change>>,
    epoch: AtomicU64,
    revision: AtomicU64,
    billing_heard: AtomicI64,
    /// A whole snapshot came from the bus since the start: what is absent, is deleted.
    whole: AtomicBool,
}

/// A profile: what its vendors are told, and what is asked of its logins.
pub(crate) struct ProfileEntry {
    compiled: CompiledProfile,
    pub(crate) rules: Option<Box<Rules>>,
}

impl ProfileEntry {
    fn of(profile: &Profile) -> Arc<Self> {
        let rules = Rules::compile(&profile.gives.rules, profile.id);
        Arc::new(Self { compiled: CompiledProfile::compile(profile), rules })
    }
}

impl Deref for ProfileEntry {
    type Target = CompiledProfile;

    fn deref(&self) -> &CompiledProfile {
        &self.compiled
    }
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
    /// The address pools.
    Pools,
    /// A group, of whoever is in it.
    Group,
    /// Nothing a session was given.
    Nothing,
    /// Nothing at all: a newer revision stands already.
    Older,
}

/// A snapshot on its way in, as far as it differs from what is in force.
pub(crate) struct Loading {
    /// Revisions compare: what has the same one is the same.
    same_line: bool,
    staged: Staged,
    seen: FxHashSet<ServiceId>,
    others: HashMap<Key, Change>,
}

impl Loading {
    /// Takes a record; of two about one key the later counts.
    pub(crate) fn take(&mut self, cache: &Cache, change: Change) {
        match (change.key, &change.body) {
            (Key::Subscriber(id), Some(Body::Subscriber(subscriber))) => {
                self.seen.insert(id);
                let in_force = cache.subscribers.find(id);
                let same = |entry: SubscriberEntry| entry.revision() == change.revision;
                if !self.same_line || !in_force.is_some_and(same) {
                    self.staged.put(subscriber, change.revision);
                }
            }
            (_, None) => {}
            _ => {
                self.others.insert(change.key, Change { after: 0, ..change });
            }
        }
    }

    /// Records taken.
    pub(crate) fn len(&self) -> usize {
        self.seen.len() + self.others.len()
    }
}

impl Cache {
    /// An empty cache that opens secrets with `keyring`.
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Self {
            keyring,
            clients: ArcSwap::default(),
            profiles: ArcSwap::default(),
            groups: ArcSwap::default(),
            realms: ArcSwap::default(),
            subscribers: Subscribers::default(),
            pools: ArcSwap::default(),
            learned: Learned::default(),
            others: Mutex::default(),
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
    pub(crate) fn profile(&self, id: PlanVersionId) -> Option<Arc<ProfileEntry>> {
        self.profiles.load().get(&id).cloned()
    }

    /// The longest time between reports that a profile asks for, seconds.
    pub(crate) fn longest_interim_s(&self) -> Option<u32> {
        self.profiles.load().values().map(|compiled| compiled.profile.gives.interim_s).max()
    }

    /// The address pools.
    pub(crate) fn pools(&self) -> Guard<Arc<Vec<Pool>>> {
        self.pools.load()
    }

    /// Groups.
    pub(crate) fn groups(&self) -> Guard<Arc<Groups>> {
        self.groups.load()
    }

    /// Realms.
    pub(crate) fn realms(&self) -> Guard<Arc<Realms>> {
        self.realms.load()
    }

    /// MAC addresses that the office has not published yet.
    pub(crate) fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Services and their identities.
    pub(crate) fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// The records that are no subscribers, as they came.
    pub(crate) fn others(&self) -> MutexGuard<'_, HashMap<Key, Change>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a credential into `room`, which is overwritten when the result goes. One that does
    /// not open is as good as absent: the login is refused, and the counter says it.
    pub(crate) fn open<'r>(
        &self,
        sealed: &SealedCredential<'_>,
        room: &'r mut Vec<u8>,
    ) -> Option<Opened<'r>> {
        opened::open(&self.keyring, sealed, room)
    }

    /// How much there is.
    pub(crate) fn extent(&self) -> Extent {
        let clients = self.clients.load();
        let count = clients.client_count() + clients.published_nas_count();
        let count = count + self.groups.load().len() + self.realms.load().len();
        let count = count + self.profiles.load().len() + self.subscribers.len();
        let count = count + self.pools.load().len();
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
        if let Key::Subscriber(id) = change.key {
            return self.apply_subscriber(id, change);
        }
        match &change.body {
            Some(_) => self.others().insert(change.key, Change { after: 0, ..change.clone() }),
            None => self.others().remove(&change.key),
        };
        match (change.key, &change.body) {
            (Key::Profile(id), body) => {
                let mut profiles = FxHashMap::clone(&self.profiles.load());
                match body {
                    Some(Body::Profile(profile)) => {
                        profiles.insert(id, ProfileEntry::of(profile));
                    }
                    _ => {
                        profiles.remove(&id);
                    }
                }
                self.profiles.store(Arc::new(profiles));
                Touched::Profile(id)
            }
            (Key::Pool(id), body) => {
                let mut pools = Vec::clone(&self.pools.load());
                pools.retain(|pool| pool.id != id);
                if let Some(Body::Pool(pool)) = body {
                    pools.push(pool.clone());
                }
                self.pools.store(Arc::new(pools));
                Touched::Pools
            }
            (Key::Group(id), body) => {
                let mut groups = Groups::clone(&self.groups.load());
                match body {
                    Some(Body::Group(group)) => {
                        groups.insert(id, Arc::new(Group::compile(group)));
                    }
                    _ => {
                        groups.remove(&id);
                    }
                }
                self.groups.store(Arc::new(groups));
                Touched::Group
            }
            (Key::Realm(_), _) => {
                self.realms.store(Arc::new(realms_of(&self.others())));
                Touched::Nothing
            }
            _ => {
                let mut clients = ClientTable::clone(&self.clients.load());
                clients.apply(change, &self.keyring);
                self.clients.store(Arc::new(clients));
                Touched::Nothing
            }
        }
    }

    fn apply_subscriber(&self, id: ServiceId, change: &Change) -> Touched {
        let newer = |entry: SubscriberEntry| entry.revision() >= change.revision;
        if self.subscribers.find(id).is_some_and(newer) {
            return Touched::Older;
        }
        let mut staged = Staged::default();
        match &change.body {
            Some(Body::Subscriber(subscriber)) => staged.put(subscriber, change.revision),
            _ => staged.remove(id),
        }
        self.put(&mut staged);
        self.settle(id);
        Touched::Service(id)
    }

    /// Forgets what was learned of a service and is published now.
    fn settle(&self, service: ServiceId) {
        let entry = self.subscribers.find(service);
        let rules = entry.as_ref().and_then(SubscriberEntry::rules);
        self.learned.settle(service, rules.and_then(|rules| rules.mac.as_ref()));
    }

    /// Makes staged changes of subscribers. Only the follower calls this.
    pub(crate) fn put(&self, staged: &mut Staged) {
        let unusable = staged.unusable(&self.keyring);
        if unusable > 0 {
            warn!(credentials = unusable, "credentials cannot be opened: not with this key file");
        }
        self.subscribers.apply(staged);
    }

    /// Puts a NAS that was seen behind a client into the table, until billing publishes it.
    pub(crate) fn add_seen(&self, nas: Arc<NasEntry>) {
        let mut clients = ClientTable::clone(&self.clients.load());
        clients.add_seen(nas);
        self.clients.store(Arc::new(clients));
    }

    /// A snapshot of the line with this epoch begins to come in.
    pub(crate) fn begin(&self, epoch: u64) -> Loading {
        Loading {
            same_line: epoch == self.epoch.load(Ordering::Relaxed),
            staged: Staged::default(),
            seen: FxHashSet::default(),
            others: HashMap::new(),
        }
    }

    /// Replaces everything by a snapshot; false where that is what was in force.
    pub(crate) fn replace(&self, epoch: u64, revision: u64, loading: Loading) -> bool {
        let Loading { same_line, mut staged, seen, others } = loading;
        self.subscribers.for_each(|service| {
            if !seen.contains(&service) {
                staged.remove(service);
            }
        });
        drop(seen);
        let others_differ = *self.others() != others;
        let differs = !same_line || others_differ || !staged.is_empty();
        if others_differ {
            let profiles = self.load_others(&others);
            // Both sets of profiles while subscribers change over, so that none is without its
            // own.
            let mut both: FxHashMap<_, _> = FxHashMap::clone(&self.profiles.load());
            both.extend(profiles.iter().map(|(id, profile)| (*id, profile.clone())));
            self.profiles.store(Arc::new(both));
            self.put(&mut staged);
            self.profiles.store(Arc::new(profiles));
            *self.others() = others;
        } else {
            self.put(&mut staged);
        }
        self.learned.services().into_iter().for_each(|service| self.settle(service));
        self.epoch.store(epoch, Ordering::Relaxed);
        self.revision.store(revision, Ordering::Relaxed);
        differs
    }

    /// Puts clients, NAS, groups and realms in force, and compiles the profiles.
    fn load_others(
        &self,
        others: &HashMap<Key, Change>,
    ) -> FxHashMap<PlanVersionId, Arc<ProfileEntry>> {
        let mut clients = ClientTable::default();
        let mut profiles = FxHashMap::default();
        let mut pools = Vec::new();
        let mut groups = Groups::default();
        for change in others.values() {
            match &change.body {
                Some(Body::Profile(profile)) => {
                    profiles.insert(profile.id, ProfileEntry::of(profile));
                }
                // Clients may name NAS: these go first.
                Some(Body::Nas(_)) => clients.apply(change, &self.keyring),
                Some(Body::Pool(pool)) => pools.push(pool.clone()),
                Some(Body::Group(group)) => {
                    groups.insert(group.id, Arc::new(Group::compile(group)));
                }
                Some(Body::Client(_) | Body::Subscriber(_) | Body::Realm(_)) | None => {}
            }
        }
        self.pools.store(Arc::new(pools));
        for change in others.values() {
            if let Some(Body::Client(_)) = &change.body {
                clients.apply(change, &self.keyring);
            }
        }
        // NAS seen but not yet published stay known, or their sessions would lose their name.
        clients.keep_seen_of(&self.clients.load());
        self.clients.store(Arc::new(clients));
        self.groups.store(Arc::new(groups));
        self.realms.store(Arc::new(realms_of(others)));
        profiles
    }

    /// Puts the rest of the local snapshot in force, whose subscribers are in the table.
    pub(crate) fn restore(&self, epoch: u64, revision: u64, others: HashMap<Key, Change>) {
        let profiles = self.load_others(&others);
        self.profiles.store(Arc::new(profiles));
        *self.others() = others;
        self.epoch.store(epoch, Ordering::Relaxed);
        self.revision.store(revision, Ordering::Relaxed);
    }
}

fn realms_of(others: &HashMap<Key, Change>) -> Realms {
    Realms::of(others.values().filter_map(|change| match &change.body {
        Some(Body::Realm(realm)) => Some(realm.clone()),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::identity::{Identity, IdentityKind};
    use model::policy::{FORMAT, Subscriber};
    use model::{CustomerId, IdentityId, OrganisationId};

    fn change(service: ServiceId, revision: u64, login: &str) -> Change {
        let (organisation, customer) = (OrganisationId::NONE, CustomerId::NONE);
        let identity = Identity {
            id: IdentityId::generate(),
            kind: IdentityKind::Login,
            value: login.to_owned(),
            credential: None,
        };
        let subscriber = Subscriber {
            identities: vec![identity],
            ..Subscriber::plain(service, organisation, customer, PlanVersionId::NONE, None)
        };
        let key = Key::Subscriber(service);
        let body = Some(Body::Subscriber(subscriber));
        Change { format: FORMAT, epoch: 1, revision, after: 0, key, body }
    }

    fn replaced(cache: &Cache, epoch: u64, changes: &[Change]) -> bool {
        let mut loading = cache.begin(epoch);
        // A table may be handed over with repeats.
        for change in changes.iter().chain(changes) {
            loading.take(cache, change.clone());
        }
        assert_eq!(loading.len(), changes.len());
        let revision = changes.iter().map(|change| change.revision).max().unwrap_or(0);
        cache.replace(epoch, revision, loading)
    }

    fn who(cache: &Cache, login: &str) -> Option<ServiceId> {
        let found = cache.subscribers().identify(IdentityKind::Login, login.as_bytes());
        found.map(|entry| entry.service())
    }

    #[test]
    fn a_snapshot_brings_what_differs_and_takes_what_is_not_in_it() {
        let cache = Cache::new(Arc::new(Keyring::ephemeral()));
        let (a, b, c) = (ServiceId::generate(), ServiceId::generate(), ServiceId::generate());
        let first = [change(a, 1, "asha"), change(b, 2, "ravi")];
        assert!(replaced(&cache, 1, &first));
        assert!(!replaced(&cache, 1, &first), "nothing differs");

        let second = [change(a, 3, "asha2"), change(c, 4, "ravi")];
        assert!(replaced(&cache, 1, &second));
        assert_eq!((who(&cache, "asha"), who(&cache, "asha2")), (None, Some(a)));
        assert_eq!(who(&cache, "ravi"), Some(c));
        assert_eq!(cache.extent(), Extent { epoch: 1, revision: 4, count: 2 });

        // On another line an equal revision says nothing, and a lower one is not older.
        let third = [change(a, 3, "asha3"), change(c, 1, "ravi")];
        assert!(replaced(&cache, 2, &third));
        assert_eq!((who(&cache, "asha2"), who(&cache, "asha3")), (None, Some(a)));
        assert_eq!(cache.extent(), Extent { epoch: 2, revision: 3, count: 2 });
        assert!(replaced(&cache, 3, &third), "another line, though nothing else");
    }

    #[test]
    fn an_older_change_is_not_applied() {
        let cache = Cache::new(Arc::new(Keyring::ephemeral()));
        let a = ServiceId::generate();
        assert_eq!(cache.apply(&change(a, 5, "asha")), Touched::Service(a));
        assert_eq!(cache.apply(&change(a, 4, "old")), Touched::Older);
        let gone = Change { body: None, ..change(a, 4, "old") };
        assert_eq!(cache.apply(&gone), Touched::Older);
        assert_eq!(who(&cache, "asha"), Some(a));
        assert_eq!(cache.apply(&Change { revision: 6, ..gone }), Touched::Service(a));
        assert_eq!((who(&cache, "asha"), cache.extent().count), (None, 0));
    }
}
