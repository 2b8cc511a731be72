//! What was used: deltas by record, and what they add up to by hour and minute.
//!
//! A [`Delta`] is what one applied record said and added. The rollups of a batch are summed in
//! memory and written with one statement a table, in the transaction that moves the progress:
//! each record counts once. Rows are written in the order of their keys and tables always in
//! the same order, so that no two workers wait for each other.

pub(crate) mod keep;
mod statements;

use std::collections::BTreeMap;

use model::{CustomerId, NasId, OrganisationId, ServiceId, SessionId, Ts};
use serde_json::{Value, json};
use store::{StoreError, Tx, args};
use uuid::Uuid;

use crate::report::Owner;
use statements::{ADD_HOURS, ADD_MINUTES, ADD_NAS_HOURS, INSERT_DELTAS};

/// How the counters of a report are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counters {
    /// As they should be.
    Good,
    /// One was lower than before.
    Back,
    /// One was higher than any line can carry in the time.
    Jumped,
}

impl Counters {
    /// The word in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Back => "back",
            Self::Jumped => "jumped",
        }
    }
}

/// What one applied record of a session said and added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Delta {
    pub(crate) session: SessionId,
    /// Whose the session is, as far as it is known now.
    pub(crate) owner: Owner,
    pub(crate) nas: NasId,
    pub(crate) received: Ts,
    /// When the NAS first tried to send it.
    pub(crate) at: Ts,
    pub(crate) session_time_s: u32,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
    /// What the NAS said.
    pub(crate) download_counter: u64,
    pub(crate) upload_counter: u64,
    pub(crate) counters: Counters,
    /// The session was not known before.
    pub(crate) opened: bool,
}

/// Where a record stands: journal and sequence.
pub(crate) type Place = (u128, u64);

/// What a span of time gains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gain {
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
    pub(crate) sessions_started: u64,
}

impl Gain {
    fn add(&mut self, delta: &Delta) {
        self.download_octets = self.download_octets.saturating_add(delta.download_octets);
        self.upload_octets = self.upload_octets.saturating_add(delta.upload_octets);
        self.sessions_started += u64::from(delta.opened);
    }
}

/// What a batch adds.
#[derive(Default)]
pub(crate) struct Rollups {
    /// How far the hours of the installation's zone lie behind those of UTC, seconds.
    hour_shift_s: i64,
    deltas: Vec<Value>,
    hours: BTreeMap<(ServiceId, Ts), (OrganisationId, CustomerId, Gain)>,
    nas: BTreeMap<(NasId, Ts), Gain>,
    minutes: BTreeMap<(OrganisationId, Ts), Gain>,
}

impl Rollups {
    /// Nothing yet.
    pub(crate) fn new(hour_shift_s: i64) -> Self {
        Self { hour_shift_s, ..Self::default() }
    }

    /// Adds a delta.
    pub(crate) fn take(&mut self, (journal, sequence): Place, delta: &Delta) {
        self.deltas.push(json!([
            hex(delta.session.0),
            delta.received.0,
            format!("{journal:032x}"),
            sequence,
            delta.at.0,
            delta.session_time_s,
            delta.download_octets,
            delta.upload_octets,
            delta.download_counter,
            delta.upload_counter,
            delta.counters.as_str(),
        ]));
        if (delta.download_octets, delta.upload_octets, delta.opened) == (0, 0, false) {
            return;
        }
        let owner = delta.owner;
        let shift_s = self.hour_shift_s;
        let hour = floor(delta.at.plus_seconds(shift_s), 3600).plus_seconds(-shift_s);
        if owner.service.known().is_some() {
            let row = self.hours.entry((owner.service, hour)).or_insert((
                owner.organisation,
                owner.customer,
                Gain::default(),
            ));
            row.2.add(delta);
        }
        self.nas.entry((delta.nas, hour)).or_default().add(delta);
        self.minutes.entry((owner.organisation, floor(delta.received, 60))).or_default().add(delta);
    }

    /// The services that gained something.
    pub(crate) fn services(&self) -> impl Iterator<Item = ServiceId> {
        self.hours.keys().map(|(service, _)| *service)
    }

    /// Writes what was added, last before the commit.
    pub(crate) async fn write(self, tx: &mut Tx, partition: u16) -> Result<(), StoreError> {
        let row = |head: [Value; 2], gain: &Gain, tail: &[Value]| {
            let gains = [gain.download_octets, gain.upload_octets, gain.sessions_started];
            let gains = gains.map(|n| n.min(i64::MAX as u64).into());
            Value::Array(head.iter().chain(&gains).chain(tail).cloned().collect())
        };
        let hours = self.hours.iter().map(|((service, hour), (organisation, customer, gain))| {
            let tail = [hex(organisation.0), hex(customer.0)];
            row([hex(service.0), hour.0.into()], gain, &tail)
        });
        let hours = Value::Array(hours.collect());
        let of = |id: Uuid, at: Ts, gain| row([hex(id), at.0.into()], gain, &[]);
        let nas = self.nas.iter().map(|((nas, hour), gain)| of(nas.0, *hour, gain));
        let nas = Value::Array(nas.collect());
        let minutes = self.minutes.iter().map(|((id, minute), gain)| of(id.0, *minute, gain));
        let minutes = Value::Array(minutes.collect());
        for (statement, rows, partition) in [
            (&INSERT_DELTAS, Value::Array(self.deltas), None),
            (&ADD_HOURS, hours, None),
            (&ADD_NAS_HOURS, nas, Some(partition)),
            (&ADD_MINUTES, minutes, Some(partition)),
        ] {
            if rows.as_array().is_some_and(|rows| !rows.is_empty()) {
                let mut args = args![rows];
                if let Some(partition) = partition {
                    args.push(partition);
                }
                tx.execute(statement, args).await?;
            }
        }
        Ok(())
    }
}

/// An id as both engines read it from JSON.
pub(crate) fn hex(id: Uuid) -> Value {
    Value::String(id.simple().to_string())
}

/// The whole number of spans of so many seconds that an instant lies in.
pub(crate) fn floor(at: Ts, span_s: i64) -> Ts {
    Ts::from_seconds(at.seconds().div_euclid(span_s) * span_s)
}

#[cfg(test)]
mod tests;
