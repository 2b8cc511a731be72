//! Services by id and by access identity: a table for a million of them.
//!
//! A subscriber is a record of some 150 octets in a *shard* that its service's id chooses; a
//! second set of small shards finds it by identity. An access by login is one hash of the
//! login, a look among pairs of numbers, one among tags, and a comparison with the record
//! itself. What it costs is memory that is in no processor cache: hashes say not only the
//! shard but about where in it to look, so each look touches a line or two.
//!
//! Readers never lock and never allocate: they load a pointer to a shard, which is never
//! changed. The one writer (the follower) builds the shard anew, some forty kilobytes with a
//! million subscribers, and swaps the pointer: microseconds. Several subscribers, up to the
//! whole table, change in the same way, each shard touched once.
//!
//! An identity that moves from one service to another is for a moment in both records: the
//! record with the higher revision has it.

mod record;
mod shard;
mod staged;
mod whole;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use arc_swap::{ArcSwap, Guard};
use model::identity::IdentityKind;
use model::policy::{Overlay, Subscriber};
use model::{CustomerId, OrganisationId, PlanVersionId, ServiceId};

use super::Rules;
use shard::{Kept, Place, Shard};
use staged::Edit;

pub(crate) use record::{CredentialKind, SealedCredential};
pub(crate) use staged::{BlockError, Staged};

/// With a million subscribers a shard has some 250: small enough to be built anew for each
/// change, and so few that what leads to them stays in a processor's cache.
const SHARD_BITS: u32 = 12;
const SHARDS: usize = 1 << SHARD_BITS;

/// Fewer edits than this are not worth another thread.
const EDITS_PER_THREAD_MIN: usize = 10_000;

/// The table.
pub(crate) struct Subscribers {
    /// Logins come from outside, so their hash is keyed (SipHash).
    hasher: RandomState,
    services: Box<[ArcSwap<Shard>]>,
    identities: Box<[ArcSwap<Pairs>]>,
    len: AtomicUsize,
}

/// Identities: the tag of the identity above, that of its service below; in order.
type Pairs = Box<[u64]>;

/// An identity and the service it leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    /// The hash of the identity, of which the highest [`SHARD_BITS`] and 32 more count.
    hash: u64,
    service: u32,
}

impl Pair {
    fn shard(&self) -> usize {
        (self.hash >> (64 - SHARD_BITS)) as usize
    }

    fn packed(&self) -> u64 {
        u64::from(identity_tag(self.hash)) << 32 | u64::from(self.service)
    }
}

fn identity_tag(hash: u64) -> u32 {
    (hash >> (32 - SHARD_BITS)) as u32
}

/// The shard of a service above, in [`SHARD_BITS`], and what tells it from others of its shard.
/// Ids are our own, so they need no keyed hash.
fn service_tag(service: ServiceId) -> u32 {
    let id = service.0.as_u128();
    let mixed = (id as u64 ^ (id >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

/// Where the first tag that is not below `tag` is, in order of tags and up to `len`. `spread` is
/// the tag's place among all that may be here, scaled to 32 bits: tags are hashes, so it says
/// nearly where to look, and a step or two corrects it.
fn seek(len: usize, tag: u32, spread: u32, tag_at: impl Fn(usize) -> u32) -> usize {
    let mut at = ((u64::from(spread) * len as u64) >> 32) as usize;
    while at > 0 && tag_at(at - 1) >= tag {
        at -= 1;
    }
    while at < len && tag_at(at) < tag {
        at += 1;
    }
    at
}

fn shard_of(tag: u32) -> usize {
    (tag >> (32 - SHARD_BITS)) as usize
}

/// A subscriber that was found; it stays as it was found, whatever changes meanwhile.
pub(crate) struct SubscriberEntry {
    shard: Guard<Arc<Shard>>,
    place: Place,
}

/// A subscriber as the model has it: made on the spot for a plain one, without allocation.
pub(crate) enum Shown<'a> {
    Plain(Subscriber),
    Whole(&'a Subscriber),
}

impl Deref for Shown<'_> {
    type Target = Subscriber;

    fn deref(&self) -> &Subscriber {
        match self {
            Self::Plain(subscriber) => subscriber,
            Self::Whole(subscriber) => subscriber,
        }
    }
}

impl SubscriberEntry {
    fn kept(&self) -> Kept<'_> {
        self.shard.get(self.place)
    }

    /// The service.
    pub(crate) fn service(&self) -> ServiceId {
        self.kept().service()
    }

    /// The organisation that owns it.
    pub(crate) fn organisation(&self) -> OrganisationId {
        match self.kept() {
            Kept::Plain(record) => record.organisation(),
            Kept::Whole(whole) => whole.subscriber.organisation,
        }
    }

    /// The customer who pays for it.
    pub(crate) fn customer(&self) -> CustomerId {
        match self.kept() {
            Kept::Plain(record) => record.customer(),
            Kept::Whole(whole) => whole.subscriber.customer,
        }
    }

    /// The plan version it is on.
    pub(crate) fn profile(&self) -> PlanVersionId {
        match self.kept() {
            Kept::Plain(record) => record.profile(),
            Kept::Whole(whole) => whole.subscriber.profile,
        }
    }

    /// The revision of its record.
    pub(crate) fn revision(&self) -> u64 {
        self.kept().revision()
    }

    /// The subscriber as the model has it. The identities of a plain one are left out: ask
    /// [`Self::credential`].
    pub(crate) fn subscriber(&self) -> Shown<'_> {
        match self.kept() {
            Kept::Plain(record) => Shown::Plain(Subscriber::plain(
                record.service(),
                record.organisation(),
                record.customer(),
                record.profile(),
                record.expires_at(),
            )),
            Kept::Whole(whole) => Shown::Whole(&whole.subscriber),
        }
    }

    /// What is asked of its own logins, and what is added to their reply.
    pub(crate) fn rules(&self) -> Option<&Rules> {
        match self.kept() {
            Kept::Plain(_) => None,
            Kept::Whole(whole) => whole.rules.as_deref(),
        }
    }

    /// What is laid over it.
    pub(crate) fn overlays(&self) -> &[Overlay] {
        match self.kept() {
            Kept::Plain(_) => &[],
            Kept::Whole(whole) => &whole.overlays,
        }
    }

    /// The credential of the identity with this kind and value.
    pub(crate) fn credential(
        &self,
        kind: IdentityKind,
        value: &[u8],
    ) -> Option<SealedCredential<'_>> {
        self.kept().credential(kind, value)
    }
}

impl Default for Subscribers {
    fn default() -> Self {
        let shard = Arc::new(Shard::default());
        let pairs = Arc::new(Pairs::default());
        Self {
            hasher: RandomState::new(),
            services: (0..SHARDS).map(|_| ArcSwap::new(shard.clone())).collect(),
            identities: (0..SHARDS).map(|_| ArcSwap::new(pairs.clone())).collect(),
            len: AtomicUsize::new(0),
        }
    }
}

impl Subscribers {
    /// Services in the table.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// A service.
    pub(crate) fn find(&self, service: ServiceId) -> Option<SubscriberEntry> {
        self.find_where(service_tag(service), |one| one.service() == service)
    }

    /// The service behind an identity.
    pub(crate) fn identify(&self, kind: IdentityKind, value: &[u8]) -> Option<SubscriberEntry> {
        let hash = self.hash(kind as u8, value);
        let tag = identity_tag(hash);
        let pairs = self.identities[Pair { hash, service: 0 }.shard()].load();
        let from = seek(pairs.len(), tag, tag, |at| (pairs[at] >> 32) as u32);
        let same = pairs[from..].iter().take_while(|pair| (**pair >> 32) as u32 == tag);
        let entries = same
            .filter_map(|pair| self.find_where(*pair as u32, |one| one.answers_to(kind, value)));
        entries.max_by_key(SubscriberEntry::revision)
    }

    fn find_where(&self, tag: u32, wanted: impl Fn(&Kept<'_>) -> bool) -> Option<SubscriberEntry> {
        let shard = self.services[shard_of(tag)].load();
        let place = shard.find(tag, wanted)?;
        Some(SubscriberEntry { shard, place })
    }

    /// Calls `each` with every service.
    pub(crate) fn for_each(&self, mut each: impl FnMut(ServiceId)) {
        for shard in &self.services {
            for one in shard.load().iter() {
                each(one.service());
            }
        }
    }

    /// Appends the records of shard after shard to `block`, and hands it to `full` whenever it
    /// has `octets` or more, and at the end.
    pub(crate) fn write<E: From<serde_json::Error>>(
        &self,
        octets: usize,
        mut full: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut block = Vec::with_capacity(octets + octets / 4);
        for shard in &self.services {
            for one in shard.load().iter() {
                match one {
                    Kept::Plain(record) => block.extend_from_slice(record.octets()),
                    Kept::Whole(whole) => {
                        record::append_whole(&whole.subscriber, whole.revision, &mut block)?;
                    }
                }
            }
            if block.len() >= octets {
                full(&block)?;
                block.clear();
            }
        }
        if block.is_empty() { Ok(()) } else { full(&block) }
    }

    /// Makes the staged changes, and empties `staged`. One caller at a time; readers see each
    /// service as it was or as it becomes, and never miss an identity that it keeps.
    pub(crate) fn apply(&self, staged: &mut Staged) {
        staged.sort();
        let mut added = Vec::with_capacity(staged.edits.len());
        for edit in &staged.edits {
            if let Some(new) = staged.kept(edit) {
                new.identities(|kind, value| added.push(self.pair(kind, value, edit.tag)));
            }
        }
        // New identities first: until its service's record has it, one leads nowhere.
        self.edit_identities(&mut added, Pairing::Add);
        let (staged_ref, edits) = (&*staged, staged.edits.as_slice());
        let runs = in_runs(edits, |edit| shard_of(edit.tag));
        let mut removed = on_threads(runs, |run| self.edit_services(staged_ref, run));
        self.edit_identities(&mut removed, Pairing::Remove);
        staged.clear();
    }

    /// Edits the shards of one run of edits; returns the identities that lead there no more.
    fn edit_services(&self, staged: &Staged, run: &[Edit]) -> Vec<Pair> {
        let mut removed = Vec::new();
        for edits in run.chunk_by(|a, b| shard_of(a.tag) == shard_of(b.tag)) {
            // `chunk_by` gives no empty group.
            let Some(first) = edits.first() else { continue };
            let slot = &self.services[shard_of(first.tag)];
            let old = slot.load_full();
            let mut left = Vec::new();
            let new = old.edited(staged, edits, |old, new| {
                let tag = service_tag(old.service());
                old.identities(|kind, value| {
                    if !new.is_some_and(|new| new.has(kind, value)) {
                        left.push((tag, kind, value.to_vec()));
                    }
                });
            });
            // Unless it has moved to another service of this very tag.
            left.retain(|(tag, kind, value)| new.find(*tag, |one| one.has(*kind, value)).is_none());
            removed.extend(left.iter().map(|(tag, kind, value)| self.pair(*kind, value, *tag)));
            self.len.fetch_add(new.len(), Ordering::Relaxed);
            self.len.fetch_sub(old.len(), Ordering::Relaxed);
            slot.store(Arc::new(new));
        }
        removed
    }

    fn edit_identities(&self, pairs: &mut [Pair], pairing: Pairing) {
        pairs.sort_unstable();
        on_threads(in_runs(pairs, Pair::shard), |run| {
            for group in run.chunk_by(|a, b| a.shard() == b.shard()) {
                // `chunk_by` gives no empty group.
                let Some(first) = group.first() else { continue };
                let slot = &self.identities[first.shard()];
                let old = slot.load_full();
                let new = match pairing {
                    Pairing::Add => with(&old, group),
                    Pairing::Remove => without(&old, group),
                };
                if let Some(new) = new {
                    slot.store(Arc::new(new));
                }
            }
            Vec::new()
        });
    }

    fn pair(&self, kind: u8, value: &[u8], service: u32) -> Pair {
        // The bits below those that count would make two of what is one.
        let hash = self.hash(kind, value) & (u64::MAX << (32 - SHARD_BITS));
        Pair { hash, service }
    }

    fn hash(&self, kind: u8, value: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind);
        hasher.write(value);
        hasher.finish()
    }
}

#[derive(Clone, Copy)]
enum Pairing {
    Add,
    Remove,
}

/// The pairs and those of `group`; nothing where they have them all already.
fn with(old: &Pairs, group: &[Pair]) -> Option<Pairs> {
    let known = |pair: &Pair| old.binary_search(&pair.packed()).is_ok();
    if group.iter().all(known) {
        return None;
    }
    let mut new = Vec::with_capacity(old.len() + group.len());
    new.extend_from_slice(old);
    new.extend(group.iter().map(Pair::packed));
    new.sort_unstable();
    new.dedup();
    Some(new.into_boxed_slice())
}

/// The pairs without those of `group`.
fn without(old: &Pairs, group: &[Pair]) -> Option<Pairs> {
    let gone = |packed: &u64| group.iter().any(|pair| pair.packed() == *packed);
    Some(old.iter().copied().filter(|packed| !gone(packed)).collect())
}

/// Splits what is in order of shards into as many runs as there are threads worth starting, no
/// shard in two of them.
fn in_runs<T>(items: &[T], shard: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let worth = items.len() / EDITS_PER_THREAD_MIN;
    // Asking for the processors reads files: not for a single change.
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let count = if worth < 2 { 1 } else { worth.min(processors()) };
    let mut runs = Vec::with_capacity(count);
    let mut rest = items;
    for left in (1..=count).rev() {
        let border = rest.get(rest.len() / left).map_or(usize::MAX, &shard);
        let at = rest.partition_point(|item| shard(item) < border);
        let (run, after) = rest.split_at(if left == 1 { rest.len() } else { at });
        runs.push(run);
        rest = after;
    }
    runs
}

/// Runs `work` over the runs, each on a thread of its own if there are several.
fn on_threads<T: Sync>(runs: Vec<&[T]>, work: impl Fn(&[T]) -> Vec<Pair> + Sync) -> Vec<Pair> {
    if let [run] = runs.as_slice() {
        return work(run);
    }
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> =
            runs.iter().skip(1).map(|run| scope.spawn(move || work(run))).collect();
        let mut all = runs.first().map_or_else(Vec::new, |run| work(run));
        for other in others {
            match other.join() {
                Ok(pairs) => all.extend(pairs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

#[cfg(test)]
mod tests;
