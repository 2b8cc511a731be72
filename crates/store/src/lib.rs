//! Database access for the two engines, SQLite (embedded) and Postgres 15 or newer.
//!
//! There is one small dynamic interface: a statement is one SQL text with `$1…` for both
//! engines (two texts only where the dialects part), arguments are a [`Value`] each, rows are
//! read by column name. No type of the driver and no generic parameter leaks out.
//!
//! In the order data meets the modules:
//!
//! - [`statement`]: SQL as constants, listed so that a test can prepare each one.
//! - [`value`]: what may be bound, and [`args!`] that binds it.
//! - [`db`]: opening a database, reading, writing, transactions.
//! - `sqlite`, `postgres`: what only one engine needs: connections, arguments, cells.
//! - `flush`: commits of Postgres wait for the disk together.
//! - [`row`]: a row's columns as Rust values.
//! - [`error`]: failures a caller can act on.
//! - [`migrate`]: the forward-only list of schema changes, applied under a lock.
//! - [`file`]: a SQLite file as a whole: copied, taken hold of, checked.
//! - [`testing`]: a fresh database per test, on every engine at hand.
//!
//! # Types
//!
//! | value | declare in SQLite | declare in Postgres |
//! |---|---|---|
//! | `bool` | `BOOLEAN` | `BOOLEAN` |
//! | integers | `INTEGER` | `BIGINT`, `INTEGER`, `SMALLINT` |
//! | `f64` | `REAL` | `DOUBLE PRECISION` |
//! | text | `TEXT` | `TEXT` |
//! | bytes | `BLOB` | `BYTEA` |
//! | `Uuid`, typed ids | `BLOB` (16 bytes) | `UUID` |
//! | `Ts` | `INTEGER` (microseconds since 1970) | `TIMESTAMPTZ` |
//! | JSON | `TEXT` | `JSONB` |
//! | `IpNetwork`, `IpAddr` | `TEXT` (always with its prefix length) | `INET`, `CIDR` |
//!
//! In SQLite the declared names matter: a column declared `JSON` or `UUID` has numeric affinity
//! and would turn the text `7` into a number. Addresses as text do not sort as numbers.
//!
//! Three things differ between the engines and are evened out here, so that a program tested
//! on one behaves on the other:
//!
//! - In Postgres a failed statement spoils its transaction, and `COMMIT` then silently rolls
//!   back. A [`Tx`] remembers the failure on both engines and refuses to go on or to commit.
//! - SQLite takes a missing argument for NULL. The number of arguments is checked.
//! - SQLite's readers are connections of their own that cannot write: a statement that writes
//!   goes through [`Db::execute`] or a [`Tx`], also when it has a `RETURNING` clause.

pub mod statement;
pub mod value;

pub mod db;
mod flush;
mod postgres;
mod sqlite;

pub mod error;
pub mod row;

pub mod migrate;

pub mod file;

pub mod testing;

pub use db::{Db, Engine, Options, Tx};
pub use error::{StoreError, changed_one};
pub use migrate::{Migration, Migrations};
pub use row::{Column, Row};
pub use statement::{Statement, any_of, prepare_all};
pub use value::{Args, Bind, Value};
