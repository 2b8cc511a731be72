//! Backups of an installation: both databases and the configuration, sealed, in one file.
//!
//! A backup is made while everything runs, is complete or not there, and is proven by restoring
//! it. In the order octets meet the modules:
//!
//! - [`database`]: the databases, and what a backup notes of them.
//! - [`make`](make()): a moment of each database into a new file; old ones go by [`Keep`].
//! - `postgres`: `pg_dump` and `pg_restore`.
//! - `archive`: the file: a header in clear, parts, a [`Manifest`].
//! - `stream`: the encryption around the parts.
//! - [`key`]: what opens it.
//! - `folder`: names, lists, retention.
//! - [`check`], [`verify`], [`restore`](restore()): from looking at a file to living with it.
//!
//! The network's database is copied first and the office's after it: what is missing between
//! the two is accounting, which the journals send again.

pub mod database;
mod make;

mod archive;
pub mod key;
pub mod manifest;
mod postgres;
mod stream;

mod folder;

mod load;
mod restore;
mod verify;

mod error;

pub use archive::read_header;
pub use database::{BILLING, Database, NETWORK};
pub use error::{BackupError, Kind};
pub use folder::{Keep, Listed, list, name_of, prune};
pub use key::{Keys, Seal};
pub use load::check;
pub use make::{Made, Plan, make};
pub use manifest::{Header, Manifest};
pub use restore::{Order, Restored, restore};
pub use verify::{Verified, VerifiedDatabase, verify};

/// Every statement, for the test that prepares them on an office's database.
pub const STATEMENTS: &[&[&store::Statement]] =
    &[database::ALL, database::office::ALL, make::ALL, restore::ALL];

/// The part that holds a database.
pub(crate) fn part_of(database: &str) -> String {
    format!("database/{database}")
}

/// What the parts of configuration files begin with.
pub(crate) const CONFIGURATION: &str = "configuration/";

/// As hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Runs what waits for disks and programs beside the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(ended) => Err(BackupError::Io {
                doing: "was stopped while working on",
                path: "the backup".into(),
                source: std::io::Error::other(ended),
            }),
        },
    }
}
