//! The databases of an installation, and what a backup has to know of them.

use std::collections::{BTreeMap, BTreeSet};

use model::{ClientId, IdentityId, NasId, Sealed, Secret};
use store::{Db, Engine, Migrations, Options, StoreError, Tx, args};

use crate::BackupError;
use crate::manifest::{KeySample, PolicyLine};

/// The office's database; its part is called so too.
pub const BILLING: &str = "billing";
/// The database of sessions and usage.
pub const NETWORK: &str = "network";

/// A database of the installation.
#[derive(Debug, Clone)]
pub struct Database {
    /// [`BILLING`] or [`NETWORK`]; in Postgres, the schema.
    pub name: &'static str,
    /// `sqlite:PATH` or `postgres://…`.
    pub url: Secret<String>,
    /// What its program has in it.
    pub migrations: &'static Migrations,
}

impl Database {
    /// Which engine its URL names.
    pub fn engine(&self) -> Engine {
        if self.url.expose().starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres }
    }

    /// Opens it, or the one of another URL in its place.
    pub(crate) async fn open(
        &self,
        url: &Secret<String>,
        read_only: bool,
    ) -> Result<Db, BackupError> {
        // One connection: nothing here runs side by side, and a second would show as somebody
        // who uses the database.
        let options =
            Options { url: url.clone(), schema: self.name, connections_max: 1, read_only };
        Db::open(&options).await.map_err(BackupError::store(self.name))
    }
}

store::statements! {
    /// The tables, but for the engine's own.
    TABLES = {
        sqlite: "SELECT name FROM sqlite_master
            WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        postgres: "SELECT tablename::text AS name FROM pg_tables
            WHERE schemaname = current_schema() ORDER BY tablename",
    };
    /// The newest migration that was applied.
    SCHEMA_VERSION = "SELECT max(version) AS version FROM schema_migration";
    /// A transaction that sees one moment, for as long as it takes.
    ONE_MOMENT = {
        sqlite: "SELECT 1 AS alive",
        postgres: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    };
    /// Counting a long table takes longer than a request may.
    NO_TIMEOUT = {
        sqlite: "SELECT 1 AS alive",
        postgres: "SET LOCAL statement_timeout = 0",
    };
    /// While `pg_dump` works, the transaction that lends it its moment is idle.
    NO_IDLE_TIMEOUT = {
        sqlite: "SELECT 1 AS alive",
        postgres: "SET LOCAL idle_in_transaction_session_timeout = 0",
    };
}

/// What concerns the office alone.
pub mod office {
    store::statements! {
        /// The policy line.
        pub(crate) LINE = "SELECT epoch, revision, published FROM policy_line WHERE name = 'billing'";
        /// Gives it another epoch, so that its followers load everything anew.
        pub(crate) RENEW_EPOCH = "UPDATE policy_line SET epoch = $1";
        /// Whoever was signed in when the backup was made signs in again.
        pub(crate) END_STAFF_SESSIONS = "UPDATE staff_session SET ended_at = $1 WHERE ended_at IS NULL";
        /// Signing in that was not finished then.
        pub(crate) REMOVE_CHALLENGES = "DELETE FROM staff_challenge";
        /// Links to set a password with: one may have been used since, and is good once.
        pub(crate) END_STAFF_LINKS = "UPDATE staff_link SET used_at = $1 WHERE used_at IS NULL";
        /// RADIUS clients, one for each key that seals their secrets.
        pub(crate) CLIENT_KEYS = {
            sqlite: "SELECT min(id) AS id, substr(secret, 3, instr(substr(secret, 3), '.') - 1) AS key
                FROM radius_client GROUP BY 2",
            postgres: "SELECT min(id::text)::uuid AS id, split_part(secret, '.', 2) AS key
                FROM radius_client GROUP BY 2",
        };
        /// A RADIUS client's secret.
        pub(crate) CLIENT_SECRET = "SELECT secret FROM radius_client WHERE id = $1";
        /// The same of NAS.
        pub(crate) NAS_KEYS = {
            sqlite: "SELECT min(id) AS id, substr(coa_secret, 3, instr(substr(coa_secret, 3), '.') - 1) AS key
                FROM nas WHERE coa_secret IS NOT NULL GROUP BY 2",
            postgres: "SELECT min(id::text)::uuid AS id, split_part(coa_secret, '.', 2) AS key
                FROM nas WHERE coa_secret IS NOT NULL GROUP BY 2",
        };
        /// A NAS's secret.
        pub(crate) NAS_SECRET = "SELECT coa_secret AS secret FROM nas WHERE id = $1";
        /// The same of subscribers.
        pub(crate) IDENTITY_KEYS = {
            sqlite: "SELECT min(id) AS id, substr(credential, 3, instr(substr(credential, 3), '.') - 1) AS key
                FROM access_identity WHERE credential IS NOT NULL GROUP BY 2",
            postgres: "SELECT min(id::text)::uuid AS id, split_part(credential, '.', 2) AS key
                FROM access_identity WHERE credential IS NOT NULL GROUP BY 2",
        };
        /// A subscriber's credential.
        pub(crate) IDENTITY_SECRET = "SELECT credential AS secret FROM access_identity WHERE id = $1";
    }
}

/// Begins a transaction that sees one moment and is not hurried.
pub(crate) async fn one_moment(db: &Db) -> Result<Tx, StoreError> {
    let mut tx = db.begin().await?;
    for statement in [&ONE_MOMENT, &NO_TIMEOUT, &NO_IDLE_TIMEOUT] {
        tx.fetch_all(statement, args![]).await?;
    }
    Ok(tx)
}

/// The names of the tables.
pub(crate) async fn tables(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows = tx.fetch_all(&TABLES, args![]).await?;
    rows.iter().map(|row| row.get("name")).collect()
}

/// The newest migration, and rows of each table.
pub(crate) async fn count(tx: &mut Tx) -> Result<(i64, BTreeMap<String, u64>), StoreError> {
    let version = tx.fetch_one(&SCHEMA_VERSION, args![]).await?;
    let version: Option<i64> = version.get("version")?;
    let mut counts = BTreeMap::new();
    for table in tables(tx).await? {
        let quoted = table.replace('"', "\"\"");
        let sql = format!("SELECT count(*) AS n FROM \"{quoted}\"");
        let rows = tx.dynamic_all(&sql, args![]).await?;
        let n: u64 = rows.first().map_or(Ok(0), |row| row.get("n"))?;
        counts.insert(table, n);
    }
    Ok((version.unwrap_or(0), counts))
}

/// Where the policy line stands.
pub(crate) async fn policy_line(tx: &mut Tx) -> Result<Option<PolicyLine>, StoreError> {
    let Some(row) = tx.fetch_optional(&office::LINE, args![]).await? else { return Ok(None) };
    Ok(Some(PolicyLine {
        epoch: row.get("epoch")?,
        revision: row.get("revision")?,
        published: row.get("published")?,
    }))
}

/// The keys that the secrets of clients, NAS and subscribers are sealed with, each with one.
pub(crate) async fn key_samples(tx: &mut Tx) -> Result<Vec<KeySample>, StoreError> {
    let mut known = BTreeSet::new();
    let mut samples = Vec::new();
    let sources = [
        (&office::CLIENT_KEYS, &office::CLIENT_SECRET),
        (&office::NAS_KEYS, &office::NAS_SECRET),
        (&office::IDENTITY_KEYS, &office::IDENTITY_SECRET),
    ];
    for (n, (keys, secret)) in sources.into_iter().enumerate() {
        for row in tx.fetch_all(keys, args![]).await? {
            let key: String = row.get("key")?;
            if !known.insert(key.clone()) {
                continue;
            }
            // A secret is sealed to the id of its record, as people see it.
            let (record, found) = match n {
                0 => {
                    let id: ClientId = row.get("id")?;
                    (id.to_string(), tx.fetch_one(secret, args![id]).await?)
                }
                1 => {
                    let id: NasId = row.get("id")?;
                    (id.to_string(), tx.fetch_one(secret, args![id]).await?)
                }
                _ => {
                    let id: IdentityId = row.get("id")?;
                    (id.to_string(), tx.fetch_one(secret, args![id]).await?)
                }
            };
            samples.push(KeySample { key, record, secret: Sealed(found.get("secret")?) });
        }
    }
    Ok(samples)
}
