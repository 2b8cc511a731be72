//! Refusals become rows, and rows are shipped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bytes::Bytes;
use daemon::lifecycle::Shutdown;
use dialect::Unfit;
use metrics::counter;
use model::auth_log::{Batch, FORMAT, ROWS_MAX, Row, STREAM};
use model::identity::login_key;
use model::reject::RejectReason;
use model::{NasId, OrganisationId, ServiceId, Ts};
use tokio::sync::mpsc;
use tracing::info;

use super::{Line, Text};
use crate::cache::Cache;

/// Refusals that wait for the collector; beyond that they are counted as dropped.
pub(crate) const REFUSALS: usize = 1024;
/// Rows that wait to be shipped; beyond that refusals are counted as dropped.
const ROWS_WAITING_MAX: usize = 20_000;
/// Batches that wait for the bus.
const BATCHES_WAITING_MAX: usize = 40;
/// How often rows are shipped.
const SHIP_EVERY: Duration = Duration::from_millis(500);
/// Batches kept on the stream while nobody reads it.
const STREAM_KEPT: u64 = 2_000;
const MINUTE_S: i64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RowKey {
    minute: Ts,
    nas: NasId,
    reason: RejectReason,
    login: Text<128>,
    station: Text<64>,
}

impl<const N: usize> std::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

#[derive(Debug, Clone, Copy)]
struct Added {
    service: Option<ServiceId>,
    unfit: Option<Unfit>,
    attempts: u64,
    first_at: Ts,
    last_at: Ts,
}

/// The collector task.
pub(crate) struct Collector {
    bus: Bus,
    cache: Arc<Cache>,
    refusals: mpsc::Receiver<Line>,
    fold_case: bool,
    stop: Shutdown,
    source: u64,
    sequence: u64,
    rows: HashMap<RowKey, Added>,
    unsent: VecDeque<Bytes>,
}

impl Collector {
    /// A collector for this run of the program; `source` is random.
    pub(crate) fn new(
        bus: Bus,
        cache: Arc<Cache>,
        refusals: mpsc::Receiver<Line>,
        fold_case: bool,
        source: u64,
        stop: Shutdown,
    ) -> Self {
        let (rows, unsent) = (HashMap::new(), VecDeque::new());
        Self { bus, cache, refusals, fold_case, stop, source, sequence: 0, rows, unsent }
    }

    /// Collects until stopped; what is there then is shipped once more.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut ship = tokio::time::interval(SHIP_EVERY);
        ship.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut lines = Vec::with_capacity(REFUSALS);
        while !self.stop.is_soft() {
            tokio::select! {
                _ = self.refusals.recv_many(&mut lines, REFUSALS), if !self.refusals.is_closed() => {
                    for line in lines.drain(..) {
                        self.add(&line);
                    }
                }
                _ = ship.tick() => self.ship().await,
                () = self.stop.soft() => {}
            }
        }
        while let Ok(line) = self.refusals.try_recv() {
            self.add(&line);
        }
        self.ship().await;
        Ok(())
    }

    fn add(&mut self, line: &Line) {
        let Some(reason) = line.reason else { return };
        let minute = Ts::from_seconds(line.at.seconds().div_euclid(MINUTE_S) * MINUTE_S);
        let (nas, login, station) = (line.nas, line.login, line.station);
        let key = RowKey { minute, nas, reason, login, station };
        if self.rows.len() >= ROWS_WAITING_MAX && !self.rows.contains_key(&key) {
            counter!("aaad_auth_log_dropped_total").increment(1);
            return;
        }
        let (service, unfit) = (line.service, line.unfit);
        let fresh = Added { service, unfit, attempts: 0, first_at: line.at, last_at: line.at };
        let added = self.rows.entry(key).or_insert(fresh);
        added.attempts += 1;
        added.first_at = added.first_at.min(line.at);
        added.last_at = added.last_at.max(line.at);
    }

    async fn ship(&mut self) {
        while !self.rows.is_empty() && self.unsent.len() < BATCHES_WAITING_MAX {
            self.seal();
        }
        if self.unsent.is_empty() {
            return;
        }
        // What was appended although the answer got lost comes again under the same sequence.
        let bodies: Vec<Bytes> = self.unsent.iter().cloned().collect();
        if self.bus.append(STREAM, &bodies).await.is_ok() {
            self.unsent.clear();
            self.trim().await;
        }
    }

    /// Makes a batch of the first rows there are.
    fn seal(&mut self) {
        let keys: Vec<RowKey> = self.rows.keys().take(ROWS_MAX).copied().collect();
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(added) = self.rows.remove(&key) else { continue };
            rows.push(self.row(&key, added));
        }
        self.sequence += 1;
        let batch = Batch { format: FORMAT, source: self.source, sequence: self.sequence, rows };
        match serde_json::to_vec(&batch) {
            Ok(body) => self.unsent.push_back(body.into()),
            Err(_) => counter!("aaad_auth_log_dropped_total").increment(batch.rows.len() as u64),
        }
    }

    fn row(&self, key: &RowKey, added: Added) -> Row {
        let clients = self.cache.clients();
        let nas = clients.nas(key.nas);
        let known = added.service.and_then(|service| self.cache.subscribers().find(service));
        let owner = known.as_ref();
        let organisation = owner
            .map(|entry| entry.organisation())
            .or(nas.map(|nas| nas.organisation))
            .unwrap_or(OrganisationId::NONE);
        let mut lookup = Vec::new();
        login_key(key.login.as_bytes(), self.fold_case, &mut lookup);
        let nas_name = nas.map_or("?", |nas| nas.name.as_str());
        info!(target: "aaad::auth", login = %key.login, station = %key.station, nas = nas_name, reason = %key.reason, unfit = added.unfit.map(display), attempts = added.attempts, "login rejected");
        Row {
            minute: key.minute,
            organisation,
            service: added.service,
            customer: owner.map(|entry| entry.customer()),
            nas: key.nas,
            login: clean(key.login.as_bytes()),
            login_key: clean(&lookup),
            station: clean(key.station.as_bytes()),
            reason: key.reason,
            attempts: added.attempts,
            first_at: added.first_at,
            last_at: added.last_at,
        }
    }

    /// Keeps the stream short while nobody takes from it: refusals of long ago are worth less
    /// than the bus.
    async fn trim(&self) {
        let Ok(len) = self.bus.len(STREAM).await else { return };
        if len <= STREAM_KEPT {
            return;
        }
        if let Ok(end) = self.bus.end(STREAM).await
            && self.bus.trim(STREAM, end).await.is_ok()
        {
            counter!("aaad_auth_log_batches_lost_total").increment(len);
        }
    }
}

/// Text for a table: Postgres takes no NUL, and nobody wants control characters on a screen.
fn clean(octets: &[u8]) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(octets).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use bus::Position;
    use daemon::lifecycle::Shutdown;
    use daemon::secrets::Keyring;

    use super::*;

    fn line(login: &str, second: i64, reason: RejectReason) -> Line {
        Line {
            at: Ts::from_seconds(1_772_323_200 + second),
            nas: NasId::NONE,
            service: None,
            reason: Some(reason),
            unfit: None,
            login: Text::of(login.as_bytes()),
            station: Text::of(b"02:00:00:00:00:01"),
        }
    }

    fn collector(bus: &Bus) -> Collector {
        let cache = Arc::new(Cache::new(Arc::new(Keyring::ephemeral())));
        let (_, stop) = Shutdown::new();
        let (_, refusals) = mpsc::channel(1);
        Collector::new(bus.clone(), cache, refusals, true, 7, stop)
    }

    async fn shipped(bus: &Bus) -> Vec<Batch> {
        let entries = bus.read(STREAM, Position::START, 100, Duration::ZERO).await.unwrap();
        entries.iter().map(|entry| serde_json::from_slice(&entry.body).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_flood_of_one_login_is_a_row_a_minute_with_a_count() {
        let bus = Bus::local();
        let mut collector = collector(&bus);
        for n in 0..90_000 {
            collector.add(&line("Asha\0", n / 1000, RejectReason::WrongPassword));
        }
        collector.add(&line("asha", 1, RejectReason::HeldAdmin));
        collector.ship().await;
        let mut rows: Vec<Row> = shipped(&bus).await.into_iter().flat_map(|b| b.rows).collect();
        rows.sort_by_key(|row| (row.reason.as_str(), row.minute));
        let counts: Vec<u64> = rows.iter().map(|row| row.attempts).collect();
        assert_eq!(counts, [1, 60_000, 30_000]);
        assert_eq!(rows[1].login, "Asha\u{fffd}");
        assert_eq!(rows[1].login_key, "asha\u{fffd}");
        assert_eq!(rows[1].last_at.seconds() - rows[1].first_at.seconds(), 59);
        // Nothing new, nothing shipped; something more is another batch of the same row.
        collector.ship().await;
        assert_eq!(shipped(&bus).await.len(), 1);
        collector.add(&line("asha", 2, RejectReason::HeldAdmin));
        collector.ship().await;
        let batches = shipped(&bus).await;
        assert_eq!(
            (batches[1].source, batches[1].sequence, batches[1].rows[0].attempts),
            (7, 2, 1)
        );
    }

    #[tokio::test]
    async fn a_flood_of_logins_is_bounded() {
        let bus = Bus::local();
        let mut collector = collector(&bus);
        for n in 0..100_000 {
            collector.add(&line(&format!("u{n}"), 0, RejectReason::UnknownLogin));
        }
        assert_eq!(collector.rows.len(), ROWS_WAITING_MAX);
        collector.ship().await;
        assert_eq!(shipped(&bus).await.len(), ROWS_WAITING_MAX / ROWS_MAX);
        assert!(collector.rows.is_empty() && collector.unsent.is_empty());
    }
}
