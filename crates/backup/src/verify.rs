//! Verifying a backup by restoring it, into databases that are gone afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use model::Secret;
use store::{Db, Engine, Options, args};

use crate::database::Database;
use crate::key::Keys;
use crate::load::{self, Into, check, engine_of};
use crate::manifest::Manifest;
use crate::postgres::{self, Address, with_database};
use crate::{BackupError, blocking};

/// What was found in a backup that is sound.
#[derive(Debug)]
pub struct Verified {
    /// What it says is in it.
    pub manifest: Manifest,
    /// The databases, as restored.
    pub databases: Vec<VerifiedDatabase>,
    /// Whether a key file opened the secrets in it; `false`: none was given.
    pub secrets_opened: bool,
    /// How long it took, seconds.
    pub seconds: f64,
}

/// A database that was restored and compared.
#[derive(Debug)]
pub struct VerifiedDatabase {
    /// `billing` or `network`.
    pub name: &'static str,
    /// Its engine.
    pub engine: Engine,
    /// Tables, all with as many rows as were backed up.
    pub tables: usize,
    /// Rows in them.
    pub rows: u64,
}

/// Reads the backup, restores each database into one made for this, compares tables and rows,
/// lets the engine check it, brings it up to this program's schema, and removes it.
///
/// SQLite files are made in `scratch`; Postgres databases on the server of the URL, whose user
/// must be allowed to create them.
pub async fn verify(
    path: &Path,
    keys: &Keys,
    databases: &[Database],
    scratch: &Path,
) -> Result<Verified, BackupError> {
    let began = Instant::now();
    let manifest = check(path, keys, databases).await?;
    let folder = tempfile::Builder::new().prefix("lastmile-verify-").tempdir_in(scratch);
    let folder = folder.map_err(BackupError::io("cannot use", scratch))?;
    let mut made = Scratch { databases: Vec::new() };
    let verified = restore_into(path, keys, databases, &manifest, folder.path(), &mut made).await;
    let cleared = made.clear().await;
    let databases = verified?;
    cleared?;
    Ok(Verified {
        secrets_opened: keys.keyring.is_some() && !manifest.keys.is_empty(),
        manifest,
        databases,
        seconds: began.elapsed().as_secs_f64(),
    })
}

async fn restore_into(
    path: &Path,
    keys: &Keys,
    databases: &[Database],
    manifest: &Manifest,
    folder: &Path,
    made: &mut Scratch,
) -> Result<Vec<VerifiedDatabase>, BackupError> {
    let mut urls: Vec<Secret<String>> = Vec::new();
    let mut into = BTreeMap::new();
    for database in databases {
        let Some(facts) = manifest.database(database.name) else { continue };
        let (url, target) = match engine_of(facts) {
            Engine::Sqlite => {
                let file: PathBuf = folder.join(format!("{}.db", database.name));
                (format!("sqlite:{}", file.display()).into(), Into::Sqlite(file))
            }
            Engine::Postgres if database.engine() == Engine::Sqlite => {
                return Err(BackupError::OtherEngine {
                    database: database.name,
                    found: Engine::Postgres,
                    wanted: Engine::Sqlite,
                });
            }
            Engine::Postgres => {
                if let Some(versions) = facts.postgres {
                    blocking(move || postgres::pg_restore_version(versions.pg_dump)).await?;
                }
                let url = made.create(database).await?;
                let address = Address::parse(database.name, &url)?;
                (url, Into::Postgres(address))
            }
        };
        urls.push(url);
        into.insert(database.name, target);
    }
    load::load(path, keys, into, None).await?;
    let mut verified = Vec::new();
    for (database, url) in databases.iter().zip(&urls) {
        let Some(facts) = manifest.database(database.name) else { continue };
        let db = load::prove(database, url, facts).await?;
        verified.push(VerifiedDatabase {
            name: database.name,
            engine: db.engine(),
            tables: facts.rows.len(),
            rows: facts.row_count(),
        });
        db.close().await;
    }
    Ok(verified)
}

/// Postgres databases made for this.
struct Scratch {
    databases: Vec<(Database, String)>,
}

impl Scratch {
    async fn create(&mut self, database: &Database) -> Result<Secret<String>, BackupError> {
        let name = format!("lastmile_verify_{}", uuid::Uuid::now_v7().simple());
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        run(database, &sql).await?;
        self.databases.push((database.clone(), name.clone()));
        Ok(with_database(&database.url, &name))
    }

    async fn clear(self) -> Result<(), BackupError> {
        let mut cleared = Ok(());
        for (database, name) in self.databases {
            let dropped = run(&database, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            if let Err(error) = dropped {
                tracing::error!(name, error = %daemon::exit::chain(&error), "not dropped");
                cleared = Err(error);
            }
        }
        cleared
    }
}

/// Runs what concerns the server; names in it are made here, of letters, digits and underscores.
async fn run(database: &Database, sql: &str) -> Result<(), BackupError> {
    let failed = BackupError::store(database.name);
    let url = database.url.clone();
    // In no schema of ours: the one of the database may not be there.
    let options = Options { url, schema: "public", connections_max: 1, read_only: false };
    let db = Db::open(&options).await.map_err(failed)?;
    let done = db.dynamic_all(sql, args![]).await;
    db.close().await;
    done.map(drop).map_err(failed)
}
