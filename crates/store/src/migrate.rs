//! The schema's changes: one forward-only list per program, applied under a lock.
//!
//! A migration is one SQL script per engine, numbered from 1 without end. Each is applied in
//! a transaction of its own, together with its row in `schema_migration {version, name,
//! checksum, applied_at}`; a program killed in between finds either both or neither. Two
//! programs that start at once take turns at each migration: in SQLite because the
//! transaction is the only one that writes, in Postgres through an advisory lock that ends
//! with it. Whoever comes second finds the row and goes on.
//!
//! A script holds no `BEGIN` or `COMMIT`. In SQLite foreign keys are off while it runs, so
//! that a table may be rebuilt, and checked before it is committed.

use crate::{Db, Engine, Row, StoreError, Tx, args};

/// One change of the schema, for one engine.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its place in the list.
    pub version: i64,
    /// What it is called: `0003_services`.
    pub name: &'static str,
    /// The script; several statements are allowed.
    pub sql: &'static str,
}

impl Migration {
    /// A migration whose name starts with its version: `0003_services` is version 3.
    ///
    /// A name without a number does not compile where this makes a constant.
    pub const fn named(name: &'static str, sql: &'static str) -> Self {
        let bytes = name.as_bytes();
        let mut version = 0;
        let mut at = 0;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            version = version * 10 + (bytes[at] - b'0') as i64;
            at += 1;
        }
        assert!(version > 0 && at < bytes.len() && bytes[at] == b'_', "a name is like 0001_plans");
        Self { version, name, sql }
    }

    /// A fingerprint that shows when an applied script was edited (64-bit FNV-1a).
    fn checksum(&self) -> String {
        format!("{:016x}", fnv1a(self.sql))
    }
}

/// Everything a program's database went through, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrations {
    /// Whose schema it is: `billing`. Part of the lock, so it never changes.
    pub name: &'static str,
    /// For SQLite.
    pub sqlite: &'static [Migration],
    /// For Postgres; the same versions and names.
    pub postgres: &'static [Migration],
}

impl Migrations {
    /// Checks the lists: versions rise, and both engines have the same ones. A mistake does
    /// not compile where this makes a constant.
    pub const fn new(
        name: &'static str,
        sqlite: &'static [Migration],
        postgres: &'static [Migration],
    ) -> Self {
        assert!(sqlite.len() == postgres.len(), "both engines need every migration");
        let mut at = 0;
        while at < sqlite.len() {
            assert!(sqlite[at].version == postgres[at].version, "the engines' versions differ");
            assert!(at == 0 || sqlite[at - 1].version < sqlite[at].version, "versions must rise");
            at += 1;
        }
        Self { name, sqlite, postgres }
    }

    /// The version a database has that went through all of them.
    pub fn newest(&self) -> i64 {
        newest(self.sqlite)
    }

    fn of(&self, engine: Engine) -> &'static [Migration] {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// Declares [`Migrations`] from the files `DIR/sqlite/NAME.sql` and `DIR/postgres/NAME.sql`;
/// the directory is seen from the file that says so.
///
/// ```ignore
/// store::migrations! {
///     /// The office's schema.
///     pub BILLING = "billing" in "../migrations" { "0001_organisation", "0002_plan" }
/// }
/// ```
#[macro_export]
macro_rules! migrations {
    ($(#[$doc:meta])* $vis:vis $const:ident = $name:literal in $dir:literal {
        $($file:literal),* $(,)?
    }) => {
        $(#[$doc])*
        $vis const $const: $crate::Migrations = $crate::Migrations::new(
            $name,
            &[$($crate::Migration::named(
                $file,
                include_str!(concat!($dir, "/sqlite/", $file, ".sql")),
            )),*],
            &[$($crate::Migration::named(
                $file,
                include_str!(concat!($dir, "/postgres/", $file, ".sql")),
            )),*],
        );
    };
}

mod sql {
    crate::statements! {
        /// Whether any migration was ever applied.
        pub(super) HAS_LIST = {
            sqlite: "SELECT 1 AS found FROM sqlite_master
                     WHERE type = 'table' AND name = 'schema_migration'",
            postgres: "SELECT 1 AS found WHERE to_regclass('schema_migration') IS NOT NULL",
        };
        /// The list's table.
        pub(super) CREATE_LIST = {
            sqlite: "CREATE TABLE schema_migration (
                         version INTEGER PRIMARY KEY,
                         name TEXT NOT NULL,
                         checksum TEXT NOT NULL,
                         applied_at INTEGER NOT NULL
                             DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)))",
            postgres: "CREATE TABLE schema_migration (
                         version BIGINT PRIMARY KEY,
                         name TEXT NOT NULL,
                         checksum TEXT NOT NULL,
                         applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
        };
        /// What was applied.
        pub(super) LIST = "SELECT version, name, checksum FROM schema_migration ORDER BY version";
        /// Notes one.
        pub(super) INSERT = "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)";
        /// One program at a time, until the transaction ends; SQLite's is alone already.
        pub(super) LOCK = {
            sqlite: "SELECT $1 AS locked",
            postgres: "SELECT pg_advisory_xact_lock($1) IS NULL AS locked",
        };
        /// A row that refers to nothing; Postgres never let its foreign keys go.
        pub(super) BROKEN = {
            sqlite: "SELECT 1 AS broken FROM pragma_foreign_key_check LIMIT 1",
            postgres: "SELECT 1 AS broken WHERE false",
        };
    }
}

impl Db {
    /// Brings the schema up to date, or finds that it is.
    ///
    /// A database opened for reading only is looked at and not changed.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), StoreError> {
        if self.is_read_only() {
            return self.check(migrations).await;
        }
        let dedicated = self.for_migrations()?;
        let mut done = Ok(true);
        while let Ok(true) = done {
            done = apply_next(&dedicated, migrations).await;
        }
        dedicated.close_writer().await;
        done.map(drop)
    }

    /// Whether the schema is the one this program needs, for a reader that must not change it.
    async fn check(&self, migrations: &Migrations) -> Result<(), StoreError> {
        let listed = migrations.of(self.engine());
        let applied = match self.fetch_optional(&sql::HAS_LIST, args![]).await? {
            Some(_) => self.fetch_all(&sql::LIST, args![]).await?,
            None => Vec::new(),
        };
        let found = match applied.last() {
            Some(row) => row.get("version")?,
            None => 0,
        };
        match next(listed, &applied)? {
            None => Ok(()),
            Some(_) => Err(StoreError::OlderSchema { found, known: newest(listed) }),
        }
    }
}

/// Applies the first migration that is missing; false when none is.
async fn apply_next(db: &Db, migrations: &Migrations) -> Result<bool, StoreError> {
    let listed = migrations.of(db.engine());
    let mut tx = db.begin().await?;
    tx.fetch_one(&sql::LOCK, args![fnv1a(migrations.name).cast_signed()]).await?;
    if tx.fetch_optional(&sql::HAS_LIST, args![]).await?.is_none() {
        tx.execute(&sql::CREATE_LIST, args![]).await?;
    }
    let applied = tx.fetch_all(&sql::LIST, args![]).await?;
    let Some(migration) = next(listed, &applied)? else {
        tx.commit().await?;
        return Ok(false);
    };
    run(&mut tx, migration).await?;
    tx.execute(&sql::INSERT, args![migration.version, migration.name, migration.checksum()])
        .await?;
    tx.commit().await?;
    tracing::info!(
        schema = migrations.name,
        migration = migration.name,
        "the database schema was changed"
    );
    Ok(true)
}

async fn run(tx: &mut Tx, migration: &Migration) -> Result<(), StoreError> {
    let done = tx.script(migration.name, migration.sql).await;
    done.map_err(|error| match error {
        // Others hold a lock, or the server is away: not the script's fault.
        error if error.is_transient() => error,
        StoreError::Database { source, .. } => fault(migration.name, "failed", Some(source)),
        error => fault(migration.name, "failed", Some(error.into())),
    })?;
    if tx.fetch_optional(&sql::BROKEN, args![]).await?.is_some() {
        return Err(fault(migration.name, "leaves rows that refer to missing ones", None));
    }
    Ok(())
}

/// The first listed migration that was not applied, after checking that those applied are the
/// listed ones.
fn next<'a>(listed: &'a [Migration], applied: &[Row]) -> Result<Option<&'a Migration>, StoreError> {
    let mut missing = None;
    let mut applied = applied.iter().peekable();
    for migration in listed {
        let version: Option<i64> = applied.peek().map(|row| row.get("version")).transpose()?;
        match version {
            Some(version) if version < migration.version => break,
            Some(version) if version == migration.version => {
                if missing.is_some() {
                    break;
                }
                // Present, as peeked above.
                let checksum = applied.next().map(|row| row.get::<String>("checksum"));
                if checksum.transpose()? != Some(migration.checksum()) {
                    return Err(fault(migration.name, "was changed after it was applied", None));
                }
            }
            _ => missing = missing.or(Some(migration)),
        }
    }
    // Rows that met no migration: newer than all of them, or strangers among them.
    let known = newest(listed);
    match (applied.last(), missing) {
        (None, missing) => Ok(missing),
        (Some(row), missing) => {
            let found = row.get("version")?;
            if found > known {
                return Err(StoreError::NewerSchema { found, known });
            }
            Err(match missing {
                Some(migration) => fault(migration.name, "was listed after newer ones", None),
                None => fault(row.get::<String>("name")?, "was applied and is not listed", None),
            })
        }
    }
}

fn newest(listed: &[Migration]) -> i64 {
    listed.last().map_or(0, |migration| migration.version)
}

fn fault(
    name: impl Into<String>,
    reason: &'static str,
    source: Option<crate::error::Source>,
) -> StoreError {
    StoreError::Migration { name: name.into(), reason, source }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_name() {
        let migration = Migration::named("0012_invoices", "");
        assert_eq!((migration.version, migration.name), (12, "0012_invoices"));
    }

    #[test]
    fn the_checksum_is_the_published_hash() {
        // Test vectors of FNV-1a 64: the empty text and "a".
        assert_eq!(Migration::named("1_a", "").checksum(), "cbf29ce484222325");
        assert_eq!(Migration::named("1_a", "a").checksum(), "af63dc4c8601ec8c");
    }
}
