//! The shipper: journal → bus, behind a cursor.
//!
//! It reads what is durable, publishes each record to the stream of its partition, and moves
//! the cursor when `policyd` acknowledges. At most [`WINDOW`] records wait unacknowledged: a
//! lost day waits in the journal, not in Redis's memory. Repeats are harmless, since every
//! record carries its place in the journal; so after any doubt (a restart, a bus that lost its
//! contents) it goes back to the last acknowledged record and publishes again.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::{Bus, BusError};
use bytes::Bytes;
use daemon::exit::chain;
use journal::{Entry, Handle, JournalError, Reader};
use metrics::{counter, gauge};
use model::accounting::{self, ACKS, Ack, PARTITIONS, Record, Shipped};
use radius_wire::Attributes;
use radius_wire::accounting::{Facts, Status};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::listener::Positions;

/// Records published and not yet acknowledged, at most.
const WINDOW: u64 = 100_000;
/// Records read from the journal at once.
const CHUNK: usize = 1000;
/// How long to wait before a failed publication is repeated.
const RETRY: Duration = Duration::from_millis(500);
/// How often the cursor is written, at most.
const CURSOR_EVERY: Duration = Duration::from_secs(1);
/// How long one wait for acknowledgements lasts.
const ACK_WAIT: Duration = Duration::from_millis(250);

/// The shipper task.
pub(crate) struct Shipper {
    pub(crate) bus: Bus,
    pub(crate) journal: Handle,
    pub(crate) positions: Arc<Positions>,
    pub(crate) cursor: PathBuf,
    pub(crate) stop: daemon::lifecycle::Shutdown,
}

/// What has been published and not acknowledged.
struct Window {
    /// Everything up to here is acknowledged.
    acknowledged: u64,
    /// The last sequence published.
    published: u64,
    /// Per partition: the last sequence published, while it is not acknowledged.
    waiting: BTreeMap<u16, u64>,
    /// Per partition: the last sequence acknowledged.
    acked: [u64; PARTITIONS as usize],
}

impl Window {
    fn from(acknowledged: u64) -> Self {
        Self {
            acknowledged,
            published: acknowledged,
            waiting: BTreeMap::new(),
            acked: [acknowledged; PARTITIONS as usize],
        }
    }

    fn published(&mut self, partition: u16, sequence: u64) {
        self.waiting.insert(partition, sequence);
        self.published = self.published.max(sequence);
    }

    fn acked(&mut self, partition: u16, sequence: u64) {
        let Some(acked) = self.acked.get_mut(usize::from(partition)) else { return };
        *acked = sequence.max(*acked);
        if self.waiting.get(&partition).is_some_and(|last| *last <= *acked) {
            self.waiting.remove(&partition);
        }
        // A partition that waits vouches for what it acknowledged; the others for everything.
        let lowest = self.waiting.keys().map(|p| self.acked[usize::from(*p)]).min();
        self.acknowledged = self.acknowledged.max(lowest.unwrap_or(self.published));
    }

    fn room(&self) -> bool {
        self.published - self.acknowledged < WINDOW
    }
}

impl Shipper {
    /// Ships until stopped.
    pub(crate) async fn run(self) -> Result<(), JournalError> {
        let mut window = Window::from(self.read_cursor());
        let mut reader = self.journal.reader(window.acknowledged);
        let mut durable = self.journal.durable();
        let mut acks = bus::Follower::new(ACKS);
        let mut chunk: Vec<Entry> = Vec::new();
        let mut written = (window.acknowledged, Instant::now());
        loop {
            if self.stop.is_soft() {
                self.write_cursor(&window, &mut written, true);
                return Ok(());
            }
            let more = if window.room() && chunk.is_empty() {
                reader.read(CHUNK, &mut chunk)? == CHUNK
            } else {
                !chunk.is_empty()
            };
            self.report_skipped(&mut reader);
            if !chunk.is_empty() {
                match self.publish(&chunk, &mut window).await {
                    Ok(()) => chunk.clear(),
                    Err(error) => {
                        counter!("aaad_shipper_failures_total").increment(1);
                        warn!(error = %chain(&error), "the bus takes no records; they wait in the journal");
                        tokio::select! {
                            () = tokio::time::sleep(RETRY) => {}
                            () = self.stop.soft() => {}
                        }
                        continue;
                    }
                }
            }
            // With more to publish, look for acknowledgements without waiting for any.
            let wait = if more && window.room() { Duration::ZERO } else { ACK_WAIT };
            tokio::select! {
                batch = acks.next(&self.bus, 1000, wait) => match batch {
                    Ok(batch) if batch.restarted => {
                        info!(from = window.acknowledged, "the bus lost its contents: publishing again");
                        window = Window::from(window.acknowledged);
                        reader = self.journal.reader(window.acknowledged);
                        chunk.clear();
                        self.take_acks(&batch.entries, &mut window);
                    }
                    Ok(batch) => self.take_acks(&batch.entries, &mut window),
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
                _ = durable.changed(), if window.room() => {}
                () = self.stop.soft() => {}
            }
            self.positions.acknowledged.store(window.acknowledged, Ordering::Relaxed);
            gauge!("aaad_shipper_waiting")
                .set((*durable.borrow()).saturating_sub(window.acknowledged) as f64);
            self.write_cursor(&window, &mut written, false);
        }
    }

    async fn publish(&self, chunk: &[Entry], window: &mut Window) -> Result<(), BusError> {
        let mut streams: Vec<Vec<Bytes>> = vec![Vec::new(); usize::from(PARTITIONS)];
        let mut last = [0; PARTITIONS as usize];
        for entry in chunk {
            let shipped = Shipped {
                incarnation: entry.incarnation,
                sequence: entry.sequence,
                record: &entry.payload,
            };
            let body = Bytes::from(shipped.encode());
            for partition in partitions_of(&entry.payload) {
                streams[usize::from(partition)].push(body.clone());
                last[usize::from(partition)] = entry.sequence;
            }
        }
        for (partition, entries) in (0..PARTITIONS).zip(&streams) {
            if !entries.is_empty() {
                self.bus.append(&accounting::stream(partition), entries).await?;
            }
        }
        for (partition, sequence) in (0..PARTITIONS).zip(last).filter(|(_, last)| *last > 0) {
            window.published(partition, sequence);
        }
        counter!("aaad_records_shipped_total").increment(chunk.len() as u64);
        Ok(())
    }

    fn take_acks(&self, entries: &[bus::Entry], window: &mut Window) {
        for entry in entries {
            let Ok(ack) = serde_json::from_slice::<Ack>(&entry.body) else { continue };
            // Other nodes' journals are acknowledged on the same stream.
            let ours = u128::from_str_radix(&ack.incarnation, 16)
                .is_ok_and(|incarnation| self.journal.knows(incarnation));
            if ack.format == accounting::FORMAT && ours {
                window.acked(ack.partition, ack.sequence);
            }
        }
    }

    fn report_skipped(&self, reader: &mut Reader) {
        let skipped = reader.skipped();
        if skipped > 0 {
            warn!(skipped, "the journal no longer has records that were never acknowledged");
        }
    }

    /// Without a cursor everything the journal still has is published; repeats are harmless.
    fn read_cursor(&self) -> u64 {
        fs::read_to_string(&self.cursor).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    fn write_cursor(&self, window: &Window, written: &mut (u64, Instant), now: bool) {
        let (last, at) = *written;
        if last == window.acknowledged || !(now || at.elapsed() >= CURSOR_EVERY) {
            return;
        }
        let beside = self.cursor.with_extension("new");
        // Not synced: an older cursor only repeats some records.
        let result = fs::write(&beside, format!("{}\n", window.acknowledged))
            .and_then(|()| fs::rename(&beside, &self.cursor));
        match result {
            Ok(()) => *written = (window.acknowledged, Instant::now()),
            Err(error) => warn!(%error, "could not write the shipper's cursor"),
        }
    }
}

/// Where a record goes: its session's partition, or all of them for Accounting-On and Off.
fn partitions_of(payload: &[u8]) -> std::ops::Range<u16> {
    let one = |partition| partition..partition + 1;
    let Ok(record) = Record::decode(payload) else { return one(0) };
    let Ok(attributes) = Attributes::parse(record.attributes) else { return one(0) };
    let facts = Facts::of(attributes);
    match facts.status {
        Status::On | Status::Off => 0..PARTITIONS,
        _ => one(accounting::partition(record.nas, facts.acct_session_id.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves_only_past_what_every_partition_acknowledged() {
        let mut window = Window::from(10);
        window.published(0, 11);
        window.published(1, 12);
        window.published(0, 13);
        window.acked(1, 12);
        assert_eq!(window.acknowledged, 10, "11 and 13 of partition 0 wait");
        window.acked(0, 11);
        assert_eq!(window.acknowledged, 11);
        window.acked(0, 13);
        assert_eq!(window.acknowledged, 13);
        window.acked(0, 5);
        assert_eq!(window.acknowledged, 13, "an old acknowledgement takes nothing back");
    }
}
