//! Records on their way to the bus.

use std::collections::BTreeMap;

use bus::{Bus, BusError};
use bytes::Bytes;
use journal::Entry;
use model::accounting::{self, PARTITIONS, Record, Shipped};
use radius_wire::Attributes;
use radius_wire::accounting::{Facts, Status};

use super::window::{Lane, Window};

/// One chunk of the journal, by partition. What was appended is gone from it, so that a retry
/// repeats no partition that is through.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    streams: BTreeMap<u16, Vec<Bytes>>,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Drops what has not gone out.
    pub(super) fn clear(&mut self) {
        self.streams.clear();
    }

    /// Takes a chunk in.
    pub(super) fn fill(&mut self, chunk: &[Entry], window: &mut Window) {
        for entry in chunk {
            let (incarnation, sequence) = (entry.incarnation, entry.sequence);
            for partition in partitions_of(&entry.payload) {
                let previous = window.publish(Lane { partition, incarnation }, sequence);
                let record = &entry.payload;
                let shipped = Shipped { incarnation, sequence, previous, record };
                self.streams.entry(partition).or_default().push(shipped.encode().into());
            }
        }
    }

    /// Sends everything, or what goes before the first error.
    pub(super) async fn send(&mut self, bus: &Bus) -> Result<(), BusError> {
        while let Some((&partition, entries)) = self.streams.first_key_value() {
            bus.append(&accounting::stream(partition), entries).await?;
            self.streams.remove(&partition);
        }
        Ok(())
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
