//! `billing-api`: the office. REST API, console and the one place business rows are written.
//!
//! In the order data meets the modules:
//!
//! - [`config`]: what can be set.
//! - `http`: the REST API; a handler reads as extract, authorise, call, present.
//! - `console`: the pages staff see, rendered here from the same services.
//! - `domain`: the rules; every change is one [`domain`] unit of work: rows, audit entry and
//!   event in one transaction.
//! - `entity`: one definition per entity, read by one interpreter.
//! - `store`: SQL, one file per table family, every statement scoped to the caller's subtree.
//! - `relay`: outbox → revisions → bus. What the network does follows from here.
//! - `hook`: outbox → deliveries → webhooks and programs.
//! - `flights`: what is under way to others, counted.
//! - `mail`: what people are told by letter.
//! - `nas_seen`: bus → NAS that `aaad` met for the first time.
//! - `network_events`: bus → events of what `aaad` noticed.
//! - `oidc`: signing in through other directories.
//! - `jobs`: work outside of requests, by schedule or by hand.
//! - `first_start`: what an empty database is given.
//! - `seed`: services and customers by the million, to measure with.

pub mod config;

mod console;
mod control;
mod domain;
mod entity;
mod first_start;
mod flights;
mod hook;
mod http;
mod jobs;
mod mail;
mod nas_seen;
mod network_events;
mod oidc;
mod relay;
mod run;
mod seed;
mod store;

pub use config::Config;
pub use first_start::Welcome;
pub use run::{Opened, Parts, RunError, main, seed_customers};
pub use seed::customers::Tenants;

/// What the office's database went through.
pub const MIGRATIONS: &::store::Migrations = &store::MIGRATIONS;
