//! A shard: some hundred subscribers in two blocks of memory.

use std::sync::Arc;

use model::ServiceId;
use model::identity::IdentityKind;

use super::record::{Record, SealedCredential};
use super::staged::{Edit, Staged};
use super::whole::Whole;
use super::{SHARD_BITS, seek};

/// One shard; never changed, only replaced.
#[derive(Default)]
pub(super) struct Shard {
    /// By tag, then by service.
    places: Box<[Place]>,
    /// The records of plain subscribers, each where a place says.
    records: Box<[u8]>,
    wholes: Box<[Arc<Whole>]>,
}

/// Where a subscriber is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    tag: u32,
    /// Offset of the record; with [`WHOLE`] set, position of the whole one.
    at: u32,
}

const WHOLE: u32 = 1 << 31;

/// A subscriber of a shard.
pub(super) enum Kept<'a> {
    Plain(Record<'a>),
    Whole(&'a Arc<Whole>),
}

impl<'a> Kept<'a> {
    pub(super) fn service(&self) -> ServiceId {
        match self {
            Self::Plain(record) => record.service(),
            Self::Whole(whole) => whole.subscriber.service,
        }
    }

    pub(super) fn revision(&self) -> u64 {
        match self {
            Self::Plain(record) => record.revision(),
            Self::Whole(whole) => whole.revision,
        }
    }

    /// Whether it has the identity.
    pub(super) fn answers_to(&self, kind: IdentityKind, value: &[u8]) -> bool {
        self.has(kind as u8, value)
    }

    /// The same, with the kind as a number.
    pub(super) fn has(&self, kind: u8, value: &[u8]) -> bool {
        match self {
            Self::Plain(record) => record.kind() == kind && record.value() == value,
            Self::Whole(whole) => {
                let mut identities = whole.subscriber.identities.iter();
                identities.any(|i| i.kind as u8 == kind && i.value.as_bytes() == value)
            }
        }
    }

    pub(super) fn credential(
        &self,
        kind: IdentityKind,
        value: &[u8],
    ) -> Option<SealedCredential<'a>> {
        match self {
            Self::Plain(record) if self.answers_to(kind, value) => record.credential(),
            Self::Plain(_) => None,
            Self::Whole(whole) => whole.credential(kind, value),
        }
    }

    /// Calls `each` with the kind, as a number, and the value of every identity.
    pub(super) fn identities(&self, mut each: impl FnMut(u8, &[u8])) {
        match self {
            Self::Plain(record) => each(record.kind(), record.value()),
            Self::Whole(whole) => {
                for identity in &whole.subscriber.identities {
                    each(identity.kind as u8, identity.value.as_bytes());
                }
            }
        }
    }
}

impl Shard {
    /// The place of the first subscriber of this tag that `wanted` says yes to.
    pub(super) fn find(&self, tag: u32, wanted: impl Fn(&Kept<'_>) -> bool) -> Option<Place> {
        // The highest bits chose the shard; the others spread over it.
        let from = seek(self.len(), tag, tag << SHARD_BITS, |at| self.places[at].tag);
        let same = self.places[from..].iter().take_while(|place| place.tag == tag);
        same.copied().find(|place| wanted(&self.get(*place)))
    }

    /// The subscriber at a place of this shard.
    pub(super) fn get(&self, place: Place) -> Kept<'_> {
        match place.at & WHOLE {
            0 => Kept::Plain(Record::at(&self.records[place.at as usize..])),
            _ => Kept::Whole(&self.wholes[(place.at & !WHOLE) as usize]),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Kept<'_>> {
        self.places.iter().map(|place| self.get(*place))
    }

    /// This shard after `edits`, which are in order of tag and service, one for each service.
    /// `gone` hears of each subscriber that is replaced or taken away, and of the one in its
    /// place.
    pub(super) fn edited(
        &self,
        staged: &Staged,
        edits: &[Edit],
        mut gone: impl FnMut(&Kept<'_>, Option<&Kept<'_>>),
    ) -> Self {
        let mut kept: Vec<(u32, Kept<'_>)> = Vec::with_capacity(self.len() + edits.len());
        let mut stay = self.places.iter().map(|place| {
            let one = self.get(*place);
            (place.tag, one.service(), one)
        });
        let mut next = stay.next();
        for edit in edits {
            let order = (edit.tag, edit.service);
            while let Some((tag, _, one)) =
                next.take_if(|(tag, service, _)| (*tag, *service) < order)
            {
                kept.push((tag, one));
                next = stay.next();
            }
            let new = staged.kept(edit);
            if let Some((_, _, old)) = next.take_if(|(_, service, _)| *service == edit.service) {
                gone(&old, new.as_ref());
                next = stay.next();
            }
            kept.extend(new.map(|new| (edit.tag, new)));
        }
        kept.extend(next.into_iter().chain(stay).map(|(tag, _, one)| (tag, one)));
        Self::of(&kept)
    }

    /// A shard of these, which are in order.
    fn of(kept: &[(u32, Kept<'_>)]) -> Self {
        let octets = kept.iter().map(|(_, one)| match one {
            Kept::Plain(record) => record.octets().len(),
            Kept::Whole(_) => 0,
        });
        // Exactly as much as is needed: this is what a million subscribers are made of.
        let mut records = Vec::with_capacity(octets.sum());
        let mut places = Vec::with_capacity(kept.len());
        let mut wholes = Vec::new();
        for (tag, one) in kept {
            // A shard is far from 2 GiB: 2^12 of them share the table.
            let at = match one {
                Kept::Plain(record) => {
                    let at = records.len() as u32;
                    records.extend_from_slice(record.octets());
                    at
                }
                Kept::Whole(whole) => {
                    wholes.push(Arc::clone(whole));
                    (wholes.len() - 1) as u32 | WHOLE
                }
            };
            places.push(Place { tag: *tag, at });
        }
        Self {
            places: places.into_boxed_slice(),
            records: records.into_boxed_slice(),
            wholes: wholes.into_boxed_slice(),
        }
    }
}
