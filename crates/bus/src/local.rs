//! The bus inside one process.
//!
//! One lock over plain maps, held for microseconds and never across an await. Streams are
//! bounded by the caller's limit; tables are state, as large as what they describe.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::{BusError, Entry, Position, next_token, random_epoch};

/// Rows handed over per holding of the lock: a slow sink must not stop the writers.
const LOAD_ROWS: usize = 512;

pub(crate) struct Local {
    epoch: u64,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    streams: HashMap<String, Stream>,
    tables: HashMap<String, Table>,
    leases: HashMap<String, Lease>,
}

#[derive(Default)]
struct Stream {
    entries: VecDeque<Entry>,
    newest: Position,
    appended: Arc<Notify>,
}

#[derive(Default)]
struct Table {
    /// Ordered, so that loading can pause and go on behind the last key.
    rows: BTreeMap<Arc<str>, Bytes>,
    mark: Option<Bytes>,
}

struct Lease {
    /// `None` once released; the entry stays for its token.
    owner: Option<String>,
    until: Instant,
    token: u64,
}

impl Local {
    pub(crate) fn new() -> Local {
        Local { epoch: random_epoch(), contents: Mutex::default() }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// No step under the lock leaves the maps half changed, so a panic elsewhere is no reason
    /// to stop.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(
        &self,
        name: &str,
        bodies: &[Bytes],
        entries_max: usize,
    ) -> Result<(), BusError> {
        let mut contents = self.contents();
        let stream = contents.stream(name);
        if stream.entries.len() + bodies.len() > entries_max {
            return Err(BusError::Full { stream: name.to_owned(), entries_max });
        }
        for body in bodies {
            stream.newest = stream.newest.next();
            stream.entries.push_back(Entry { position: stream.newest, body: body.clone() });
        }
        stream.appended.notify_waiters();
        Ok(())
    }

    pub(crate) async fn read(
        &self,
        name: &str,
        after: Position,
        max: usize,
        wait: Duration,
    ) -> Vec<Entry> {
        let until = Instant::now() + wait;
        let appended = self.contents().stream(name).appended.clone();
        loop {
            // Listen before looking: an append in between must not be missed.
            let mut news = std::pin::pin!(appended.notified());
            news.as_mut().enable();
            let entries = self.contents().stream(name).after(after, max);
            if !entries.is_empty() || wait.is_zero() {
                return entries;
            }
            if timeout_at(until, news).await.is_err() {
                return Vec::new();
            }
        }
    }

    pub(crate) fn end(&self, name: &str) -> Position {
        self.contents().streams.get(name).map_or(Position::START, |stream| stream.newest)
    }

    pub(crate) fn trim(&self, name: &str, through: Position) {
        if let Some(stream) = self.contents().streams.get_mut(name) {
            let dropped = stream.entries.partition_point(|entry| entry.position <= through);
            stream.entries.drain(..dropped);
        }
    }

    pub(crate) fn len(&self, name: &str) -> u64 {
        self.contents().streams.get(name).map_or(0, |stream| stream.entries.len() as u64)
    }

    pub(crate) fn put(&self, name: &str, rows: &[(String, Option<Bytes>)]) {
        let mut contents = self.contents();
        let table = contents.table(name);
        for (key, row) in rows {
            match row {
                Some(row) => table.rows.insert(key.as_str().into(), row.clone()),
                None => table.rows.remove(key.as_str()),
            };
        }
    }

    pub(crate) fn load(&self, name: &str, sink: &mut (dyn FnMut(&str, &[u8]) + Send)) -> u64 {
        let mut handed_over = 0;
        let mut behind: Bound<Arc<str>> = Bound::Unbounded;
        loop {
            let rows: Vec<(Arc<str>, Bytes)> =
                self.contents().tables.get(name).map_or_else(Vec::new, |table| {
                    let rest = table.rows.range((behind.clone(), Bound::Unbounded));
                    rest.take(LOAD_ROWS).map(|(key, row)| (key.clone(), row.clone())).collect()
                });
            let Some((last, _)) = rows.last() else { return handed_over };
            behind = Bound::Excluded(last.clone());
            handed_over += rows.len() as u64;
            for (key, row) in &rows {
                sink(key, row);
            }
        }
    }

    pub(crate) fn clear(&self, name: &str) {
        self.contents().tables.remove(name);
    }

    pub(crate) fn set_mark(&self, name: &str, mark: &[u8]) {
        self.contents().table(name).mark = Some(Bytes::copy_from_slice(mark));
    }

    pub(crate) fn mark(&self, name: &str) -> Option<Bytes> {
        self.contents().tables.get(name)?.mark.clone()
    }

    pub(crate) fn lease(&self, name: &str, owner: &str, ttl: Duration) -> Option<u64> {
        let now = Instant::now();
        let mut contents = self.contents();
        let lease = match contents.leases.get_mut(name) {
            Some(lease) => lease,
            None => contents.leases.entry(name.to_owned()).or_insert(Lease {
                owner: None,
                until: now,
                token: 0,
            }),
        };
        match &lease.owner {
            Some(holder) if lease.until > now && holder != owner => return None,
            Some(_) if lease.until > now => {}
            _ => lease.token = next_token(lease.token),
        }
        lease.owner = Some(owner.to_owned());
        lease.until = now + ttl;
        Some(lease.token)
    }

    pub(crate) fn release(&self, name: &str, owner: &str) {
        if let Some(lease) = self.contents().leases.get_mut(name)
            && lease.owner.as_deref() == Some(owner)
        {
            lease.owner = None;
        }
    }
}

impl Contents {
    fn stream(&mut self, name: &str) -> &mut Stream {
        if !self.streams.contains_key(name) {
            self.streams.insert(name.to_owned(), Stream::default());
        }
        self.streams.get_mut(name).expect("inserted just above")
    }

    fn table(&mut self, name: &str) -> &mut Table {
        self.tables.entry(name.to_owned()).or_default()
    }
}

impl Stream {
    fn after(&self, after: Position, max: usize) -> Vec<Entry> {
        let first = self.entries.partition_point(|entry| entry.position <= after);
        self.entries.range(first..).take(max).cloned().collect()
    }
}
