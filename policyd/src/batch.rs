//! Applies entries of one partition in one transaction: all of their effects, or none.
//!
//! Exactly once: the transaction first moves each journal's progress on, on condition that it
//! still is where it was read. Whoever comes second with the same entries, a worker that lost
//! its lease without noticing, fails there and changes nothing.
//!
//! Without a gap: an entry that names one before it that is not in the tables is refused, and
//! what is missing is asked for. Progress never passes a record that was not applied.

use std::collections::{BTreeMap, BTreeSet};

use bus::Entry;
use model::accounting::{Record, Shipped};
use model::{NasId, ServiceId, SessionId, Ts};
use store::{Db, StoreError, Tx};

use crate::report::{self, Key, Message, Report};
use crate::session::{self, Session};
use crate::store::{self as tables, DeadLetter, Step};
use crate::usage::Rollups;

/// Whose entries they are, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) partition: u16,
    /// Whether logins are compared without regard to ASCII case.
    pub(crate) fold_case: bool,
    /// How far the hours of the installation's zone lie behind those of UTC, seconds.
    pub(crate) hour_shift_s: i64,
    pub(crate) now: Ts,
}

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Per journal: everything up to this sequence is in the tables, now or before.
    pub(crate) acks: BTreeMap<u128, u64>,
    /// Per journal with a gap: the highest sequence refused because of it.
    pub(crate) gaps: BTreeMap<u128, u64>,
    pub(crate) applied: u64,
    /// Had been applied before.
    pub(crate) skipped: u64,
    /// Came behind a gap.
    pub(crate) refused: u64,
    pub(crate) dead_letters: u64,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    /// When the newest record that was applied reached us.
    pub(crate) newest: Option<Ts>,
    /// Services that used something.
    pub(crate) services: BTreeSet<ServiceId>,
}

impl Outcome {
    /// Adds what came of the entries behind.
    pub(crate) fn add(&mut self, later: Outcome) {
        for (incarnation, sequence) in later.acks {
            let known = self.acks.entry(incarnation).or_default();
            *known = sequence.max(*known);
        }
        for (incarnation, sequence) in later.gaps {
            let known = self.gaps.entry(incarnation).or_default();
            *known = sequence.max(*known);
        }
        // What was missing, and all that was refused, may have come behind it.
        self.gaps.retain(|incarnation, refused| self.acks.get(incarnation) < Some(&*refused));
        self.refused += later.refused;
        self.applied += later.applied;
        self.skipped += later.skipped;
        self.dead_letters += later.dead_letters;
        self.opened += later.opened;
        self.closed += later.closed;
        self.newest = self.newest.max(later.newest);
        self.services.extend(later.services);
    }
}

/// What an entry is.
enum Content {
    Message(Message),
    Dead(String),
}

/// Where in which journal an entry stood.
#[derive(Debug, Clone, Copy)]
struct Place {
    incarnation: u128,
    sequence: u64,
    /// What has to be in the tables before; 0: no claim.
    previous: u64,
}

/// An entry, read.
struct Item<'a> {
    /// Where that much could be read.
    place: Option<Place>,
    content: Content,
    body: &'a [u8],
}

/// The format of an entry that a newer program wrote. It is not ours to put aside: it waits for
/// whoever reads it.
pub(crate) fn newer_format(body: &[u8]) -> Option<u8> {
    let record = match Shipped::decode(body) {
        Ok(shipped) => Record::decode(shipped.record),
        Err(error) => Err(error),
    };
    record.err()?.newer_format()
}

/// Applies the entries, in their order.
pub(crate) async fn apply(db: &Db, scope: Scope, entries: &[Entry]) -> Result<Outcome, StoreError> {
    let items = entries.iter().map(|entry| read(&entry.body, scope.fold_case)).collect();
    commit(db, scope, entries, items).await
}

/// Puts aside an entry that the database does not take, for a reason that lies in the entry.
pub(crate) async fn put_aside(
    db: &Db,
    scope: Scope,
    entry: &Entry,
    reason: &StoreError,
) -> Result<Outcome, StoreError> {
    let mut item = read(&entry.body, scope.fold_case);
    item.content = Content::Dead(daemon::exit::chain(reason));
    commit(db, scope, std::slice::from_ref(entry), vec![item]).await
}

fn read(body: &[u8], fold_case: bool) -> Item<'_> {
    let shipped = match Shipped::decode(body) {
        Ok(shipped) => shipped,
        Err(error) => {
            return Item { place: None, content: Content::Dead(error.to_string()), body };
        }
    };
    // Both engines count in signed 64 bits; no journal gets there in this world's lifetime.
    if i64::try_from(shipped.sequence).is_err() {
        let reason = format!("sequence {} cannot be", shipped.sequence);
        return Item { place: None, content: Content::Dead(reason), body };
    }
    let content = match report::read(shipped.record, fold_case) {
        Ok(message) => Content::Message(message),
        Err(error) => Content::Dead(error.to_string()),
    };
    let Shipped { incarnation, sequence, previous, .. } = shipped;
    Item { place: Some(Place { incarnation, sequence, previous }), content, body }
}

async fn commit(
    db: &Db,
    scope: Scope,
    entries: &[Entry],
    items: Vec<Item<'_>>,
) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let position = entries.last().map(|entry| entry.position.to_string()).unwrap_or_default();
    let mut tx = db.begin().await?;
    let fresh = advance(&mut tx, scope, &position, items, &mut outcome).await?;
    let mut work = Work::new(scope);
    // What lies between two restarts is loaded and written together.
    let mut together: Vec<(Place, Box<Report>)> = Vec::new();
    for item in fresh {
        match (item.content, item.place) {
            (Content::Message(message), Some(place)) => {
                outcome.applied += 1;
                outcome.newest = outcome.newest.max(message.received());
                match message {
                    Message::Session(report) => together.push((place, report)),
                    Message::Restart { nas, at, .. } => {
                        let reports = std::mem::take(&mut together);
                        work.take(&mut tx, reports, &mut outcome).await?;
                        work.restart(&mut tx, nas, at, &mut outcome).await?;
                    }
                    Message::Nothing { .. } => {}
                }
            }
            (content, place) => {
                let reason = match content {
                    Content::Dead(reason) => reason,
                    // Only what cannot be read has no place.
                    Content::Message(_) => "it has no place in a journal".to_owned(),
                };
                let place = place.map(|place| (place.incarnation, place.sequence));
                let letter = DeadLetter { place, reason: &reason, body: item.body };
                tables::insert_dead_letter(&mut tx, scope.partition, scope.now, letter).await?;
                outcome.dead_letters += 1;
            }
        }
    }
    work.take(&mut tx, together, &mut outcome).await?;
    outcome.services.extend(work.rollups.services());
    work.rollups.write(&mut tx, scope.partition).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// Moves every journal's progress on and returns the items that are new.
async fn advance<'a>(
    tx: &mut Tx,
    scope: Scope,
    position: &str,
    items: Vec<Item<'a>>,
    outcome: &mut Outcome,
) -> Result<Vec<Item<'a>>, StoreError> {
    let places = items.iter().filter_map(|item| item.place);
    let incarnations: BTreeSet<u128> = places.map(|place| place.incarnation).collect();
    let mut journals: BTreeMap<u128, Progress> = BTreeMap::new();
    for incarnation in incarnations {
        let from = tables::find_progress(tx, incarnation, scope.partition).await?;
        journals.insert(incarnation, Progress::from(from));
    }
    let fresh = sift(items, &mut journals, outcome);
    for (&incarnation, progress) in &journals {
        let Progress { from, reached, refused } = *progress;
        if let Some(to) = reached.filter(|_| from != reached) {
            let partition = scope.partition;
            let step = Step { incarnation, partition, from, to, position, now: scope.now };
            tables::move_progress(tx, step).await?;
        }
        outcome.acks.extend(reached.map(|reached| (incarnation, reached)));
        // What was refused may have come again behind what was missing.
        let gap = refused.filter(|_| refused > reached);
        outcome.gaps.extend(gap.map(|refused| (incarnation, refused)));
    }
    Ok(fresh)
}

/// How far a journal is within a batch; `None`: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// Before the batch.
    from: Option<u64>,
    /// So far.
    reached: Option<u64>,
    /// The highest sequence refused.
    refused: Option<u64>,
}

impl Progress {
    fn from(from: Option<u64>) -> Self {
        Self { from, reached: from, refused: None }
    }
}

/// Keeps what is to be applied. A shipper that goes back repeats everything from there on in
/// order: within one journal what is not higher than what was seen has been seen. What names
/// one before it that was not seen is refused.
fn sift<'a>(
    mut items: Vec<Item<'a>>,
    journals: &mut BTreeMap<u128, Progress>,
    outcome: &mut Outcome,
) -> Vec<Item<'a>> {
    items.retain(|item| {
        let Some(Place { incarnation, sequence, previous }) = item.place else { return true };
        let progress = journals.entry(incarnation).or_insert(Progress::from(None));
        if progress.reached.is_some_and(|reached| sequence <= reached) {
            outcome.skipped += 1;
            return false;
        }
        if previous > progress.reached.unwrap_or(0) {
            progress.refused = progress.refused.max(Some(sequence));
            outcome.refused += 1;
            return false;
        }
        progress.reached = Some(sequence);
        true
    });
    items
}

/// The sessions of one id.
#[derive(Default)]
struct Siblings {
    /// As the table has them.
    stored: Vec<Session>,
    /// As they are.
    now: Vec<Session>,
}

/// What a batch has loaded and changed.
struct Work {
    partition: u16,
    sessions: BTreeMap<Key, Siblings>,
    restarts: BTreeMap<NasId, Vec<Ts>>,
    rollups: Rollups,
}

impl Work {
    fn new(scope: Scope) -> Self {
        Self {
            partition: scope.partition,
            sessions: BTreeMap::new(),
            restarts: BTreeMap::new(),
            rollups: Rollups::new(scope.hour_shift_s),
        }
    }

    /// Applies reports in their order and writes the sessions that changed.
    async fn take(
        &mut self,
        tx: &mut Tx,
        reports: Vec<(Place, Box<Report>)>,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        if reports.is_empty() {
            return Ok(());
        }
        self.load(tx, &reports).await?;
        for (place, report) in &reports {
            self.decide(*place, report);
        }
        self.write(tx, outcome).await
    }

    /// The table ends the sessions by itself, so it has to be up to date before, and what was
    /// loaded is not up to date behind.
    async fn restart(
        &mut self,
        tx: &mut Tx,
        nas: NasId,
        at: Ts,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        self.sessions.clear();
        self.restarts.remove(&nas);
        outcome.closed += tables::restart(tx, self.partition, nas, at).await?;
        Ok(())
    }

    async fn load(
        &mut self,
        tx: &mut Tx,
        reports: &[(Place, Box<Report>)],
    ) -> Result<(), StoreError> {
        let keys: BTreeSet<&Key> = reports.iter().map(|(_, report)| &report.key).collect();
        let nas: BTreeSet<NasId> = keys.iter().map(|key| key.nas).collect();
        let missing = |key: &&Key| !self.sessions.contains_key(*key);
        let keys: Vec<&Key> = keys.into_iter().filter(missing).collect();
        let mut found = tables::load_siblings(tx, &keys).await?;
        for key in keys {
            let stored = found.remove(key).unwrap_or_default();
            let now = stored.clone();
            self.sessions.insert(key.clone(), Siblings { stored, now });
        }
        let nas: Vec<NasId> =
            nas.into_iter().filter(|nas| !self.restarts.contains_key(nas)).collect();
        let mut found = tables::load_restarts(tx, self.partition, &nas).await?;
        for nas in nas {
            self.restarts.insert(nas, found.remove(&nas).unwrap_or_default());
        }
        Ok(())
    }

    fn decide(&mut self, place: Place, report: &Report) {
        let siblings = self.sessions.entry(report.key.clone()).or_default();
        let restarts = self.restarts.entry(report.key.nas).or_default();
        let decided = session::decide(&siblings.now, restarts, report, SessionId::generate());
        for session in decided.sessions {
            session::put(&mut siblings.now, session);
        }
        self.rollups.take((place.incarnation, place.sequence), &decided.delta);
    }

    /// Writes the sessions that changed: first those that may make room for others.
    async fn write(&mut self, tx: &mut Tx, outcome: &mut Outcome) -> Result<(), StoreError> {
        let (mut changed, mut fresh) = (Vec::new(), Vec::new());
        for siblings in self.sessions.values_mut() {
            for session in &siblings.now {
                let stored = siblings.stored.iter().find(|stored| stored.id == session.id);
                let was_open = stored.is_none_or(|stored| stored.end.is_none());
                match stored {
                    Some(stored) if stored == session => continue,
                    Some(_) => changed.push(session.clone()),
                    None => fresh.push(session.clone()),
                }
                outcome.closed += u64::from(was_open && session.end.is_some());
            }
            siblings.stored.clone_from(&siblings.now);
        }
        outcome.opened += fresh.len() as u64;
        tables::update_sessions(tx, &changed).await?;
        tables::insert_sessions(tx, self.partition, &fresh).await
    }
}

#[cfg(test)]
mod tests;
