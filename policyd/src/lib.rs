//! `policyd`: network control. It applies the accounting stream to the tables of sessions and
//! usage, each record exactly once.
//!
//! `aaad` says what the NAS reported; here it is decided which session that was. Nothing waits
//! for policyd: while it, the bus or the database is away, records stay in `aaad`'s journals.
//!
//! In the order data meets the modules:
//!
//! - [`config`]: what can be set.
//! - `worker`: one leased worker a partition: read, apply, acknowledge, trim.
//! - `batch`: entries of a partition, applied in one transaction with their progress.
//! - `report`: a record becomes what it says.
//! - `session`: decides what a report means for the sessions of its id.
//! - `usage`: what records add: deltas, hours, days; how long they are kept.
//! - `auth_log`: refused logins, with a road of their own.
//! - `store`: the statements and the schema.
//! - `sweep`: old rows and old acknowledgements.
//! - `state`: how policyd is; `control` tells `netctl`.
//! - `run`: puts it together.

pub mod config;

mod auth_log;
mod batch;
mod report;
mod session;
mod store;
mod usage;
mod worker;

mod control;
mod run;
mod state;
mod sweep;

#[cfg(test)]
mod testing;

pub use config::Config;
pub use run::{Opened, Parts, RunError};
pub use store::{ALL as STATEMENTS, MIGRATIONS};
