//! Work that goes on at once in this process, bounded in all and for each organisation, so that
//! none holds up the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::OrganisationId;
use uuid::Uuid;

/// Whose share the work of an organisation takes: that of the one right below the root which it is
/// of, so that nobody has a larger share for having made branches.
pub(crate) fn sharer(path: &str, own: OrganisationId) -> OrganisationId {
    let top = path.split('/').nth(1).and_then(|id| Uuid::parse_str(id).ok());
    top.map_or(own, OrganisationId)
}

/// Places for one kind of work. Who finds none comes again: nobody waits in line here.
#[derive(Debug)]
pub(crate) struct Slots {
    all: usize,
    each: usize,
    taken: Mutex<BTreeMap<OrganisationId, usize>>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: &'static Slots,
    organisation: OrganisationId,
}

impl Slots {
    /// So many in all, and so many of one organisation.
    pub(crate) const fn new(all: usize, each: usize) -> Self {
        Self { all, each, taken: Mutex::new(BTreeMap::new()) }
    }

    /// A place for an organisation's work; nothing where there is none, or none for it.
    pub(crate) fn take(&'static self, organisation: OrganisationId) -> Option<Slot> {
        let mut taken = self.lock();
        let own = taken.get(&organisation).copied().unwrap_or(0);
        if own >= self.each || taken.values().sum::<usize>() >= self.all {
            return None;
        }
        taken.insert(organisation, own + 1);
        Some(Slot { slots: self, organisation })
    }

    // Nothing panics while it holds the lock; the counts are whole in any case.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<OrganisationId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        if let Some(own) = taken.get_mut(&self.organisation) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.organisation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_has_its_share_and_never_all_of_it() {
        static SLOTS: Slots = Slots::new(3, 2);
        let (one, two, three) =
            (OrganisationId::generate(), OrganisationId::generate(), OrganisationId::generate());
        let (first, second) = (SLOTS.take(one).unwrap(), SLOTS.take(one).unwrap());
        assert!(SLOTS.take(one).is_none(), "its share is taken");
        let third = SLOTS.take(two).unwrap();
        assert!(SLOTS.take(three).is_none(), "all are taken");
        drop(first);
        let fourth = SLOTS.take(three).unwrap();
        assert!(SLOTS.take(one).is_none());
        drop((second, third, fourth));
        assert!(SLOTS.lock().is_empty(), "what is free is forgotten");
    }
}
