//! The vocabulary every Lastmile program shares, in the order data meets it.
//!
//! Nothing here does IO, and nothing reads a clock: `now` is always an argument.
//!
//! - [`id`]: typed identifiers that print with a prefix (`cus_…`, `svc_…`).
//! - [`time`]: instants in microseconds and the [`time::Clock`] the shells read.
//! - [`units`]: money and rates.
//! - [`secret`]: values that never print, and sealed values that may travel.
//! - [`identity`]: what a packet may be recognised by (login, MAC, circuit, port).
//! - [`nas`]: RADIUS clients and the NAS behind them.
//! - [`pool`]: address pools that `aaad` leases from.
//! - [`policy`]: what a subscriber is given, and the one function that decides it.
//! - [`accounting`]: the record `aaad` journals and `policyd` applies.
//! - [`reject`]: why a login was refused.
//! - [`auth_log`]: refused logins on their way from `aaad` to `policyd`.
//! - [`control`]: what `netctl` asks a daemon, and what it answers.
//! - [`text`]: the message catalogue, for every sentence a person reads.

pub mod id;
pub mod time;
pub mod units;

pub mod secret;

pub mod identity;
pub mod nas;
pub mod policy;
pub mod pool;
pub mod reject;

pub mod accounting;
pub mod auth_log;
pub mod control;

pub mod text;

pub use id::*;
pub use secret::{Sealed, Secret};
pub use time::{Clock, ManualClock, SystemClock, Ts};
pub use units::{Currency, Money};
