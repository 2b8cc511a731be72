//! `aaad`: the RADIUS daemon. Nothing on its packet path waits for anything remote.
//!
//! In the order data meets the modules:
//!
//! - [`config`]: what can be set.
//! - `socket`: batched UDP; the only `unsafe` of the program.
//! - `listener`: the threads that own the sockets, one loop for authentication, one for
//!   accounting.
//! - `strangers`: who was turned away at the door.
//! - `signing`: which NAS sign their requests, and what becomes of those that do not.
//! - `duplicate`: replies kept for retransmissions.
//! - `guard`: logins that fail too often; `blocks` shows them to people.
//! - `cache`: the policy cache: RADIUS clients, NAS, profiles, subscribers.
//! - `engine`: decides a login; plain functions of `now`, cache and request.
//! - `presence`: how many sessions each service has; `pools`: which addresses are leased to whom.
//! - `delay`: refusals wait before they go out.
//! - `auth_log`: what was refused, and why; `events`: what people should hear of.
//! - `class`: the evidence a session carries of what it was given.
//! - `sessions`: the live session table and its checkpoint.
//! - `shipper`: journal → bus, behind a cursor.
//! - `follower`: bus → policy cache, and the local snapshot that outlives the bus.
//! - `coa`: moves live sessions to the policy they should have.
//! - `control`: what `netctl` may ask.

mod auth_log;
mod blocks;
mod cache;
mod class;
mod coa;
pub mod config;
mod control;
mod counters;
#[cfg(test)]
mod counting;
mod delay;
mod duplicate;
mod engine;
mod events;
mod follower;
mod guard;
mod listener;
mod pools;
mod presence;
mod run;
mod sessions;
mod shipper;
mod signing;
mod socket;
mod strangers;

pub use config::Config;
pub use run::{Opened, Parts, RunError, main};
