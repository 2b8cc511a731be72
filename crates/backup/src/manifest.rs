//! What a backup says of itself: a header that anybody may read, and a manifest inside.

use std::collections::BTreeMap;

use model::Ts;
use serde::{Deserialize, Serialize};

use crate::key::Sealed;

/// The format this program writes, and the newest it reads.
pub const FORMAT: u16 = 1;

/// What stands in clear at the beginning. It is authenticated with every chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The program's version.
    pub program: String,
    /// When it was begun.
    pub made_at: Ts,
    /// The engines of the databases in it.
    pub engines: Vec<String>,
    /// What opens it.
    pub sealed: Sealed,
    /// Random, for the key; in base64.
    pub salt: String,
    /// Tells a wrong key from a damaged file; in base64.
    pub check: String,
}

/// What stands at the end, inside: what has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u16,
    /// The program's version.
    pub program: String,
    /// When it was begun.
    pub made_at: Ts,
    /// The databases.
    pub databases: Vec<DatabaseFacts>,
    /// The parts in their order.
    pub parts: Vec<Part>,
    /// The policy line.
    pub policy: Option<PolicyLine>,
    /// Keys that secrets in the databases are sealed with, each with one such secret; never a
    /// key.
    pub keys: Vec<KeySample>,
}

/// A database as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// `billing` or `network`.
    pub name: String,
    /// `SQLite` or `Postgres`.
    pub engine: String,
    /// Postgres's major version, and that of the `pg_dump` that wrote the part.
    pub postgres: Option<PostgresVersions>,
    /// The newest migration that was applied.
    pub schema_version: i64,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
}

/// Who wrote a part of a Postgres database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresVersions {
    /// The server.
    pub server: u32,
    /// `pg_dump`.
    pub pg_dump: u32,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `database/billing`, `configuration/aaad.toml`.
    pub name: String,
    /// How long it is.
    pub octets: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Where the policy line stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// The database's epoch; a restore gives another.
    pub epoch: i64,
    /// The last revision given.
    pub revision: i64,
    /// The last one the bus had.
    pub published: i64,
}

/// A key that is needed beside the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySample {
    /// The key's id.
    pub key: String,
    /// The record one of its secrets belongs to.
    pub record: String,
    /// That secret, sealed.
    pub secret: model::Sealed,
}

impl Manifest {
    /// A database of it.
    pub fn database(&self, name: &str) -> Option<&DatabaseFacts> {
        self.databases.iter().find(|database| database.name == name)
    }

    /// Octets of all parts.
    pub fn octets(&self) -> u64 {
        self.parts.iter().map(|part| part.octets).sum()
    }
}

impl DatabaseFacts {
    /// Rows of all tables.
    pub fn row_count(&self) -> u64 {
        self.rows.values().sum()
    }
}
