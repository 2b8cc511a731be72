//! The databases of an installation, and what a backup has to know of them.

use std::collections::BTreeMap;

use model::{ClientId, IdentityId, NasId, Sealed, Secret, StaffId, WebhookId};
use store::{Db, Engine, Migrations, Options, Statement, StoreError, Tx, args};
use uuid::Uuid;

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
    /// What its program has in it; absent where that is another program than this: such a
    /// database is restored and compared as it was, and its schema left alone.
    pub migrations: Option<&'static Migrations>,
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
        /// The same of second factors of staff.
        pub(crate) TOTP_KEYS = {
            sqlite: "SELECT min(id) AS id, substr(totp, 3, instr(substr(totp, 3), '.') - 1) AS key
                FROM staff WHERE totp IS NOT NULL GROUP BY 2",
            postgres: "SELECT min(id::text)::uuid AS id, split_part(totp, '.', 2) AS key
                FROM staff WHERE totp IS NOT NULL GROUP BY 2",
        };
        /// The key of a second factor.
        pub(crate) TOTP_SECRET = "SELECT totp AS secret FROM staff WHERE id = $1";
        /// The same of webhooks.
        pub(crate) WEBHOOK_KEYS = {
            sqlite: "SELECT min(id) AS id, substr(secret, 3, instr(substr(secret, 3), '.') - 1) AS key
                FROM webhook WHERE secret IS NOT NULL GROUP BY 2",
            postgres: "SELECT min(id::text)::uuid AS id, split_part(secret, '.', 2) AS key
                FROM webhook WHERE secret IS NOT NULL GROUP BY 2",
        };
        /// What a webhook is signed with.
        pub(crate) WEBHOOK_SECRET = "SELECT secret FROM webhook WHERE id = $1";
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

/// One kind of record with secrets: its keys, one of its secrets, and what that is sealed to.
type Sampled = (&'static Statement, &'static Statement, fn(Uuid) -> String);

/// The keys that the secrets of clients, NAS, subscribers, staff and webhooks are sealed with,
/// each with one secret of each of these.
pub(crate) async fn key_samples(tx: &mut Tx) -> Result<Vec<KeySample>, StoreError> {
    let mut samples = Vec::new();
    let sources: [Sampled; 5] = [
        (&office::CLIENT_KEYS, &office::CLIENT_SECRET, |id| ClientId(id).to_string()),
        (&office::NAS_KEYS, &office::NAS_SECRET, |id| NasId(id).to_string()),
        (&office::IDENTITY_KEYS, &office::IDENTITY_SECRET, |id| IdentityId(id).to_string()),
        // As the office seals it: see its `access::sign_in`.
        (&office::TOTP_KEYS, &office::TOTP_SECRET, |id| format!("{} totp", StaffId(id))),
        (&office::WEBHOOK_KEYS, &office::WEBHOOK_SECRET, |id| WebhookId(id).to_string()),
    ];
    for (keys, secret, record) in sources {
        for row in tx.fetch_all(keys, args![]).await? {
            // A secret is sealed to the id of its record, as people see it.
            let (key, id): (String, Uuid) = (row.get("key")?, row.get("id")?);
            let found = tx.fetch_one(secret, args![id]).await?;
            let secret = Sealed(found.get("secret")?);
            samples.push(KeySample { key, record: record(id), secret });
        }
    }
    Ok(samples)
}
