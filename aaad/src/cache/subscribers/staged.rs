//! Changes of subscribers on their way into the table, one or a million.

use std::sync::Arc;

use daemon::secrets::Keyring;
use model::ServiceId;
use model::policy::Subscriber;

use super::record::{self, Item, Record};
use super::service_tag;
use super::shard::Kept;
use super::whole::Whole;

/// Changes in the order they came; the last about a service counts.
///
/// Records lie in one vector, so that what a load of the whole table takes meanwhile goes back
/// to the system in one piece.
#[derive(Default)]
pub(crate) struct Staged {
    octets: Vec<u8>,
    wholes: Vec<Arc<Whole>>,
    pub(super) edits: Vec<Edit>,
}

/// One change.
pub(super) struct Edit {
    pub(super) tag: u32,
    pub(super) service: ServiceId,
    pub(super) what: What,
}

/// What becomes of a service.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// Its record begins here.
    Plain(usize),
    /// It is the whole one of this position.
    Whole(usize),
    Gone,
}

/// The octets are no records.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("its lengths do not fit together")]
    Record,
    #[error("a subscriber in it does not read")]
    Json(#[from] serde_json::Error),
}

impl Staged {
    /// A subscriber's new state.
    pub(crate) fn put(&mut self, subscriber: &Subscriber, revision: u64) {
        let at = self.octets.len();
        let what = if record::append(subscriber, revision, &mut self.octets) {
            What::Plain(at)
        } else {
            self.push_whole(Whole::new(subscriber.clone(), revision))
        };
        self.push(subscriber.service, what);
    }

    /// A service that is no more.
    pub(crate) fn remove(&mut self, service: ServiceId) {
        self.push(service, What::Gone);
    }

    /// A block of records, as [`Subscribers::write`](super::Subscribers::write) wrote it.
    pub(crate) fn put_block(&mut self, block: &[u8]) -> Result<(), BlockError> {
        let mut rest = block;
        while !rest.is_empty() {
            let (item, after) = Item::split(rest).ok_or(BlockError::Record)?;
            rest = after;
            match item {
                Item::Plain(record) => {
                    let at = self.octets.len();
                    self.octets.extend_from_slice(record.octets());
                    self.push(record.service(), What::Plain(at));
                }
                Item::Whole(revision, json) => {
                    let subscriber: Subscriber = serde_json::from_slice(json)?;
                    let service = subscriber.service;
                    let what = self.push_whole(Whole::new(subscriber, revision));
                    self.push(service, what);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Octets of the records staged.
    pub(crate) fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Credentials that cannot be opened with this keyring, whatever is in them.
    pub(crate) fn unusable(&self, keyring: &Keyring) -> usize {
        let mut count = 0;
        let mut look = |key: &str| count += usize::from(!keyring.holds(key));
        for kept in self.edits.iter().filter_map(|edit| self.kept(edit)) {
            match kept {
                Kept::Plain(record) => {
                    if let Some(credential) = record.credential() {
                        look(credential.key);
                    }
                }
                Kept::Whole(whole) => whole.keys(&mut look),
            }
        }
        count
    }

    /// The state an edit brings; nothing where it takes the service away.
    pub(super) fn kept(&self, edit: &Edit) -> Option<Kept<'_>> {
        match edit.what {
            What::Plain(at) => Some(Kept::Plain(Record::at(&self.octets[at..]))),
            What::Whole(at) => Some(Kept::Whole(&self.wholes[at])),
            What::Gone => None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.wholes.clear();
        self.edits.clear();
    }

    /// Brings the edits into the order of the table, the last about each service.
    pub(super) fn sort(&mut self) {
        self.edits.reverse();
        self.edits.sort_by_key(|edit| (edit.tag, edit.service));
        self.edits.dedup_by_key(|edit| edit.service);
    }

    fn push_whole(&mut self, whole: Whole) -> What {
        self.wholes.push(Arc::new(whole));
        What::Whole(self.wholes.len() - 1)
    }

    fn push(&mut self, service: ServiceId, what: What) {
        self.edits.push(Edit { tag: service_tag(service), service, what });
    }
}
