//! The shipper: journal → bus, behind a cursor.
//!
//! It reads what is durable, publishes each record to the stream of its partition, and moves
//! the cursor when `policyd` acknowledges. What waits unacknowledged is bounded: a lost day
//! waits in the journal, not in Redis's memory. Repeats are harmless, since every record
//! carries its place in the journal; so after any doubt it goes back and publishes again: after
//! a restart, when the bus lost its contents, and when `policyd` says that records are missing,
//! since its database was restored or the bus lost some.
//!
//! - [`window`]: what is published and acknowledged, and what every record claims.
//! - [`cursor`]: that, on disk.
//! - [`outbox`]: a chunk of records on its way.
//! - this file: the loop, and the reader of acknowledgements.

mod cursor;
mod outbox;
mod window;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::{Batch, Bus};
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use journal::{Entry, Handle, Reader};
use metrics::{counter, gauge};
use model::accounting::{self, ACKS, Ack, PARTITIONS};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

use crate::listener::Positions;
use cursor::CursorFile;
use outbox::Outbox;
use window::{Lane, Window};

/// Records read from the journal at once.
const CHUNK: usize = 1000;
/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How often the cursor is written, at most.
const CURSOR_EVERY: Duration = Duration::from_secs(1);
/// How long one wait for acknowledgements lasts.
const ACK_WAIT: Duration = Duration::from_secs(5);
/// Acknowledgements read at once.
const ACKS_READ: usize = 1000;
/// Reads of acknowledgements that wait for the loop; beyond that the reader waits, and the
/// stream keeps the rest.
const ACKS_QUEUE: usize = 4;

/// The shipper task.
pub(crate) struct Shipper {
    pub(crate) bus: Bus,
    pub(crate) journal: Handle,
    /// The incarnation the journal writes.
    pub(crate) incarnation: u128,
    pub(crate) positions: Arc<Positions>,
    pub(crate) cursor: PathBuf,
    pub(crate) stop: Shutdown,
}

impl Shipper {
    /// Ships until stopped.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        let (heard, queue) = mpsc::channel(ACKS_QUEUE);
        let reader = read_acks(self.bus.clone(), heard, self.stop.clone());
        // Side by side, so that nothing the loop does interrupts a read that waits.
        tokio::join!(reader, Shipping::new(self).run(queue));
        Ok(())
    }
}

/// Reads acknowledgements until stopped.
async fn read_acks(bus: Bus, heard: mpsc::Sender<Batch>, stop: Shutdown) {
    let read = async {
        let mut follower = bus::Follower::new(ACKS);
        loop {
            match follower.next(&bus, ACKS_READ, ACK_WAIT).await {
                Ok(batch) if batch.entries.is_empty() && !batch.restarted => {}
                Ok(batch) => {
                    if heard.send(batch).await.is_err() {
                        return;
                    }
                }
                // A bus that is away tells nobody when it is back.
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = stop.soft() => {}
    }
}

/// The state of the loop.
struct Shipping {
    shipper: Shipper,
    /// The incarnation of the last record read.
    incarnation: u128,
    window: Window,
    cursor: CursorFile,
    reader: Reader,
    outbox: Outbox,
    chunk: Vec<Entry>,
    /// A read or a publication failed: nothing is tried before this.
    paused_until: Option<Instant>,
    /// It has failed since it last worked, and that was told.
    failing: bool,
}

impl Shipping {
    fn new(shipper: Shipper) -> Self {
        let (cursor, window) = CursorFile::load(shipper.cursor.clone(), &shipper.journal);
        Self {
            reader: shipper.journal.reader(window.acknowledged()),
            incarnation: shipper.incarnation,
            window,
            cursor,
            outbox: Outbox::default(),
            chunk: Vec::new(),
            paused_until: None,
            failing: false,
            shipper,
        }
    }

    async fn run(mut self, mut heard: mpsc::Receiver<Batch>) {
        let mut durable = self.shipper.journal.durable();
        let mut tick = tokio::time::interval(CURSOR_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.shipper.stop.is_soft() {
            if self.window.is_rewind_due(Instant::now()) {
                self.go_back_for_missing();
            }
            let more = self.step().await;
            let paused = self.paused_until;
            tokio::select! {
                Some(batch) = heard.recv() => self.hear(&batch),
                _ = durable.changed(), if paused.is_none() && self.window.has_room() => {}
                // With more to publish, look for acknowledgements without waiting for any.
                () = tokio::task::yield_now(), if more => {}
                () = until(paused), if paused.is_some() => {}
                _ = tick.tick() => {
                    self.window.forget(|incarnation| self.shipper.journal.knows(incarnation));
                    self.cursor.save(&self.window, self.incarnation);
                }
                () = self.shipper.stop.soft() => {}
            }
            let acknowledged = self.window.acknowledged();
            self.shipper.positions.acknowledged.store(acknowledged, Ordering::Relaxed);
            gauge!("aaad_shipper_waiting")
                .set((*durable.borrow()).saturating_sub(acknowledged) as f64);
        }
        self.cursor.save(&self.window, self.incarnation);
    }

    /// Reads and publishes one chunk; true where there may be more to publish at once.
    async fn step(&mut self) -> bool {
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.paused_until = None;
        let mut full = false;
        if self.outbox.is_empty() && self.window.has_room() {
            match self.reader.read(CHUNK, &mut self.chunk) {
                Ok(read) => full = read == CHUNK,
                Err(error) => {
                    counter!("aaad_shipper_read_failures_total").increment(1);
                    self.fails("the journal cannot be read; its records wait", &error);
                    return false;
                }
            }
            self.report_skipped();
            self.incarnation = self.chunk.last().map_or(self.incarnation, |e| e.incarnation);
            self.outbox.fill(&self.chunk, &mut self.window);
            counter!("aaad_records_shipped_total").increment(self.chunk.len() as u64);
            self.chunk.clear();
        }
        if let Err(error) = self.outbox.send(&self.shipper.bus).await {
            counter!("aaad_shipper_failures_total").increment(1);
            self.fails("the bus takes no records; they wait in the journal", &error);
            return false;
        }
        if std::mem::take(&mut self.failing) {
            info!("records are shipped again");
        }
        full && self.window.has_room()
    }

    /// Pauses, and tells why, once until it works again.
    fn fails(&mut self, what: &str, error: &dyn std::error::Error) {
        self.paused_until = Some(Instant::now() + RETRY);
        if !std::mem::replace(&mut self.failing, true) {
            warn!(error = %chain(error), "{what}");
        }
    }

    fn hear(&mut self, batch: &Batch) {
        if batch.restarted {
            info!(from = self.window.acknowledged(), "the bus lost its contents: publishing again");
            self.go_back();
        }
        for entry in &batch.entries {
            let Ok(ack) = serde_json::from_slice::<Ack>(&entry.body) else { continue };
            let Some(incarnation) = cursor::number(&ack.incarnation) else { continue };
            // Other nodes' journals are acknowledged on the same stream.
            let ours = self.shipper.journal.knows(incarnation);
            if ack.format != accounting::FORMAT || !ours || ack.partition >= PARTITIONS {
                continue;
            }
            let lane = Lane { partition: ack.partition, incarnation };
            if ack.missing {
                self.window.asked(lane, ack.sequence);
            } else {
                self.window.acked(lane, ack.sequence);
            }
        }
    }

    fn go_back_for_missing(&mut self) {
        counter!("aaad_shipper_rewinds_total").increment(1);
        let (from, lanes) = (self.window.acknowledged(), self.window.missing());
        warn!(from, lanes, "records were lost behind the journal: publishing again");
        self.go_back();
    }

    fn go_back(&mut self) {
        self.window.rewind(Instant::now());
        self.reader = self.shipper.journal.reader(self.window.acknowledged());
        self.outbox.clear();
    }

    fn report_skipped(&mut self) {
        let skipped = self.reader.skipped();
        if skipped > 0 {
            warn!(skipped, "the journal no longer has records that were never acknowledged");
        }
    }
}

/// Waits for a deadline, where there is one: the time itself is the event.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
