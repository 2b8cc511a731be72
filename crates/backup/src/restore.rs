//! Restoring a backup: over nothing, or over what is kept aside.
//!
//! Nothing is touched before the whole file was read and found sound. Then, by engine:
//!
//! - SQLite: the databases are written beside the old ones, compared, brought up to date, and
//!   only then take their names; the old files keep another one.
//! - Postgres: the old schemas are renamed, `pg_restore` fills new ones in one transaction each,
//!   and where anything fails the old ones get their names back.
//!
//! A restored office is another line of history, so before anybody sees it: the policy line gets
//! another epoch, so that every `aaad` loads it anew instead of taking it for old; and staff sign
//! in again, with no link to set a password left from then. Accounting needs nothing: `policyd` finds that it lacks records, says so, and the
//! journals send them again, as far as they keep them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Secret, Ts};
use store::{Db, Engine, StoreError, args};

use crate::database::{BILLING, Database, office};
use crate::key::Keys;
use crate::load::{self, Into, check, engine_of};
use crate::manifest::Manifest;
use crate::postgres::{self, Address};
use crate::{BackupError, blocking, folder};

/// How long a connection that is being closed may still be listed.
const GOODBYES: u32 = 20;
const GOODBYE: Duration = Duration::from_millis(100);

/// What to restore, and where to.
#[derive(Debug, Clone)]
pub struct Order {
    /// The backup.
    pub file: PathBuf,
    /// What opens it. The key file opens the secrets in it, so it is needed in any case.
    pub keys: Keys,
    /// The databases to restore.
    pub databases: Vec<Database>,
    /// Whether what is there may be put aside.
    pub replace: bool,
    /// A folder for the configuration files in it, none of which may be there yet.
    pub configuration: Option<PathBuf>,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// The policy line's new epoch.
    pub epoch: i64,
    /// Staff sessions that were ended.
    pub sessions_ended: u64,
    /// What was there before, under the names it has now.
    pub aside: Vec<String>,
    /// Configuration files that were written.
    pub configuration: Vec<PathBuf>,
}

store::statements! {
    /// Who else is connected. `pg_stat_activity` shows names of other users' programs too.
    OTHERS = {
        sqlite: "SELECT 'none' AS name, 0 AS n WHERE false",
        postgres: "SELECT coalesce(nullif(application_name, ''), usename::text) AS name,
                count(*) AS n
            FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND application_name LIKE 'lastmile%' GROUP BY 1 ORDER BY 1",
    };
    /// Whether the schema is there.
    HAS_SCHEMA = {
        sqlite: "SELECT 1 AS found WHERE $1 = ''",
        postgres: "SELECT 1 AS found FROM pg_namespace WHERE nspname = $1::text",
    };
    /// How much there is in it, tables, sequences and views.
    RELATIONS = {
        sqlite: "SELECT 0 AS n WHERE $1 = ''",
        postgres: "SELECT count(*) AS n FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text",
    };
}

/// A place that is free, or was found to be replaceable.
struct Target<'a> {
    database: &'a Database,
    /// Where the backup goes at first.
    url: Secret<String>,
    home: Home,
}

enum Home {
    Sqlite {
        path: PathBuf,
        new: PathBuf,
        /// What is there takes this name.
        aside: Option<PathBuf>,
    },
    Postgres {
        address: Address,
        /// What is there takes this name.
        aside: Option<String>,
        /// An empty schema is in the way.
        empty: bool,
    },
}

/// Restores a backup.
pub async fn restore(order: &Order, now: Ts) -> Result<Restored, BackupError> {
    if order.keys.keyring.is_none() {
        return Err(BackupError::KeyFileMissing);
    }
    let manifest = check(&order.file, &order.keys, &order.databases).await?;
    let mut targets = Vec::new();
    for database in &order.databases {
        targets.push(target(database, &manifest, order.replace, now).await?);
    }
    if let Some(folder) = &order.configuration {
        fs::create_dir_all(folder).map_err(BackupError::io("cannot use", folder))?;
    }
    let mut moved = 0;
    let done = restore_into(order, &targets, &manifest, now, &mut moved).await;
    let (epoch, sessions_ended, configuration) = match done {
        Ok(done) => done,
        Err(error) => {
            undo(&targets, moved).await;
            return Err(error);
        }
    };
    let aside = targets.iter().filter_map(|target| match &target.home {
        Home::Sqlite { aside, .. } => aside.as_ref().map(|path| path.display().to_string()),
        Home::Postgres { aside, .. } => aside.as_ref().map(|schema| format!("schema {schema}")),
    });
    Ok(Restored { epoch, sessions_ended, aside: aside.collect(), configuration, manifest })
}

/// Looks at where a database goes; changes nothing.
async fn target<'a>(
    database: &'a Database,
    manifest: &Manifest,
    replace: bool,
    now: Ts,
) -> Result<Target<'a>, BackupError> {
    let name = database.name;
    let facts = manifest.database(name).ok_or(BackupError::NoDatabase(name))?;
    let (found, wanted) = (engine_of(facts), database.engine());
    if found != wanted {
        return Err(BackupError::OtherEngine { database: name, found, wanted });
    }
    if wanted == Engine::Sqlite {
        return sqlite_target(database, replace, now).await;
    }
    if let Some(versions) = facts.postgres {
        blocking(move || postgres::pg_restore_version(versions.pg_dump)).await?;
    }
    postgres_target(database, replace, now).await
}

async fn sqlite_target(
    database: &Database,
    replace: bool,
    now: Ts,
) -> Result<Target<'_>, BackupError> {
    let failed = BackupError::store(database.name);
    let path = store::file::path_of(database.url.expose()).map_err(failed)?.unwrap_or_default();
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(BackupError::io("cannot read", &path)(error)),
    };
    let aside = match metadata {
        None => None,
        Some(metadata) => {
            if metadata.len() > 0 && !replace {
                return Err(BackupError::NotEmpty(path.display().to_string()));
            }
            match store::file::claim(&path).await {
                Ok(()) => {}
                Err(StoreError::Busy) => {
                    let by = "a program has it open".to_owned();
                    return Err(BackupError::InUse { target: path.display().to_string(), by });
                }
                // What is no database any more is what a backup is for; it is kept all the same.
                Err(error) => tracing::warn!(
                    path = %path.display(),
                    error = %daemon::exit::chain(&error),
                    "what is there is not sound; it is put aside as it is"
                ),
            }
            let aside = beside(&path, &format!(".before-{}", folder::stamp(now)));
            // Undoing relies on it: what has this name is what this restore put aside.
            if aside.try_exists().map_err(BackupError::io("cannot read", &aside))? {
                return Err(BackupError::Exists(aside));
            }
            Some(aside)
        }
    };
    let new = beside(&path, ".restoring");
    let url = format!("sqlite:{}", new.display()).into();
    Ok(Target { database, url, home: Home::Sqlite { path, new, aside } })
}

async fn postgres_target(
    database: &Database,
    replace: bool,
    now: Ts,
) -> Result<Target<'_>, BackupError> {
    let failed = BackupError::store(database.name);
    let address = Address::parse(database.name, &database.url)?;
    let db = database.open(&database.url, true).await?;
    let renamed = format!("{}_before_{}", database.name, folder::stamp(now).to_lowercase());
    let looked = look(&db, database.name, &renamed).await;
    db.close().await;
    let Looked { others, exists, taken, relations } = looked.map_err(failed)?;
    let target = || format!("the schema {}", database.name);
    if let Some(by) = others {
        return Err(BackupError::InUse { target: target(), by });
    }
    if relations > 0 && !replace {
        return Err(BackupError::NotEmpty(target()));
    }
    // Undoing relies on it: what has this name is what this restore put aside.
    if taken {
        return Err(BackupError::Exists(format!("the schema {renamed}").into()));
    }
    let aside = (relations > 0).then_some(renamed);
    let empty = exists && relations == 0;
    let home = Home::Postgres { address, aside, empty };
    Ok(Target { database, url: database.url.clone(), home })
}

/// What is there before a restore.
struct Looked {
    /// Who else is connected.
    others: Option<String>,
    /// The schema is there.
    exists: bool,
    /// The name it would be kept under is taken.
    taken: bool,
    /// How much is in it.
    relations: u64,
}

async fn look(db: &Db, schema: &str, renamed: &str) -> Result<Looked, StoreError> {
    let mut tx = db.begin().await?;
    let exists = tx.fetch_optional(&HAS_SCHEMA, args![schema]).await?.is_some();
    let taken = tx.fetch_optional(&HAS_SCHEMA, args![renamed]).await?.is_some();
    let relations = tx.fetch_one(&RELATIONS, args![schema]).await?.get("n")?;
    drop(tx);
    let mut others = None;
    for _ in 0..GOODBYES {
        let mut names = Vec::new();
        // One transaction sees one list, so each look is a new one.
        let mut tx = db.begin().await?;
        for row in tx.fetch_all(&OTHERS, args![]).await? {
            let (name, count): (String, i64) = (row.get("name")?, row.get("n")?);
            names.push(format!("{name}, {count} connections"));
        }
        others = (!names.is_empty()).then(|| names.join("; "));
        if others.is_none() {
            break;
        }
        // Connections of ours that were just closed are gone in a moment, and Postgres tells
        // nobody when.
        tokio::time::sleep(GOODBYE).await;
    }
    Ok(Looked { others, exists, taken, relations })
}

/// `moved` counts the targets that were begun with.
async fn restore_into(
    order: &Order,
    targets: &[Target<'_>],
    manifest: &Manifest,
    now: Ts,
    moved: &mut usize,
) -> Result<(i64, u64, Vec<PathBuf>), BackupError> {
    let mut into = BTreeMap::new();
    for target in targets {
        *moved += 1;
        let place = match &target.home {
            Home::Sqlite { new, .. } => {
                clear(new)?;
                Into::Sqlite(new.clone())
            }
            Home::Postgres { address, aside, empty } => {
                let name = target.database.name;
                if let Some(aside) = aside {
                    run(target.database, &format!("ALTER SCHEMA {name} RENAME TO {aside}")).await?;
                } else if *empty {
                    run(target.database, &format!("DROP SCHEMA {name}")).await?;
                }
                Into::Postgres(address.clone())
            }
        };
        into.insert(target.database.name, place);
    }
    let configuration = order.configuration.clone();
    let written = load::load(&order.file, &order.keys, into, configuration).await?;
    let (mut epoch, mut sessions_ended) = (0, 0);
    for target in targets {
        let name = target.database.name;
        let facts = manifest.database(name).ok_or(BackupError::NoDatabase(name))?;
        let db = load::prove(target.database, &target.url, facts).await?;
        let begun = match name == BILLING {
            true => begin_anew(&db, manifest, now).await,
            false => Ok((epoch, sessions_ended)),
        };
        // The last connection folds the log into the file.
        db.close().await;
        (epoch, sessions_ended) = begun.map_err(BackupError::store(name))?;
    }
    // Everything is there and proven: now the files take their names.
    for target in targets {
        if let Home::Sqlite { path, new, aside } = &target.home {
            let failed = || BackupError::io("cannot rename", path);
            let file = fs::File::open(new).map_err(failed())?;
            file.sync_all().map_err(failed())?;
            if let Some(aside) = aside {
                rename_database(path, aside)?;
            }
            fs::rename(new, path).map_err(failed())?;
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            folder::sync_folder(folder.unwrap_or(Path::new(".")))?;
        }
    }
    Ok((epoch, sessions_ended, written))
}

/// Makes a restored office another line of history.
async fn begin_anew(db: &Db, manifest: &Manifest, now: Ts) -> Result<(i64, u64), StoreError> {
    let mut tx = db.begin().await?;
    let mut epoch = new_epoch();
    // One in 2^62, and it costs nothing.
    while manifest.policy.is_some_and(|line| line.epoch == epoch) {
        epoch = new_epoch();
    }
    tx.execute(&office::RENEW_EPOCH, args![epoch]).await?;
    let ended = tx.execute(&office::END_STAFF_SESSIONS, args![now]).await?;
    tx.execute(&office::REMOVE_CHALLENGES, args![]).await?;
    tx.execute(&office::END_STAFF_LINKS, args![now]).await?;
    tx.commit().await?;
    Ok((epoch, ended))
}

/// Random, positive, and never 0.
fn new_epoch() -> i64 {
    (i64::from_be_bytes(daemon::secrets::random::<8>()) & i64::MAX) | 1
}

/// Puts back what was there: as many targets as were begun with.
async fn undo(targets: &[Target<'_>], moved: usize) {
    for target in targets.iter().take(moved) {
        let undone = match &target.home {
            Home::Sqlite { path, new, aside } => undo_sqlite(path, new, aside.as_deref()),
            Home::Postgres { aside, .. } => undo_postgres(target.database, aside.as_deref()).await,
        };
        if let Err(error) = undone {
            tracing::error!(
                database = target.database.name,
                error = %daemon::exit::chain(&error),
                "what was there before could not be put back"
            );
        }
    }
}

fn undo_sqlite(path: &Path, new: &Path, aside: Option<&Path>) -> Result<(), BackupError> {
    clear(new)?;
    match aside {
        // The new one has taken the name already, for another one failed after it.
        Some(aside) if aside.exists() => {
            clear(path)?;
            rename_database(aside, path)
        }
        _ => Ok(()),
    }
}

async fn undo_postgres(database: &Database, aside: Option<&str>) -> Result<(), BackupError> {
    let name = database.name;
    if let Some(aside) = aside {
        // Was it renamed at all?
        let db = database.open(&database.url, true).await?;
        let renamed = db.fetch_optional(&HAS_SCHEMA, args![aside]).await;
        db.close().await;
        if renamed.map_err(BackupError::store(name))?.is_none() {
            return Ok(());
        }
    }
    run(database, &format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await?;
    match aside {
        Some(aside) => run(database, &format!("ALTER SCHEMA {aside} RENAME TO {name}")).await,
        None => Ok(()),
    }
}

/// Runs what concerns a whole schema; names in it are made here.
async fn run(database: &Database, sql: &str) -> Result<(), BackupError> {
    let failed = BackupError::store(database.name);
    let url = database.url.clone();
    // In no schema of ours: opening one makes it.
    let options = store::Options { url, schema: "public", connections_max: 1, read_only: false };
    let db = Db::open(&options).await.map_err(failed)?;
    let done = db.dynamic_all(sql, args![]).await;
    db.close().await;
    done.map(drop).map_err(failed)
}

/// The path with something behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The files SQLite has for one database: itself and its logs.
const FILES: [&str; 3] = ["", "-wal", "-shm"];

/// Removes a database that an earlier attempt left.
fn clear(path: &Path) -> Result<(), BackupError> {
    for suffix in FILES {
        let path = beside(path, suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(BackupError::io("cannot remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Renames a database with what belongs to it: a log beside the wrong file would be its end.
fn rename_database(from: &Path, to: &Path) -> Result<(), BackupError> {
    // The log first: killed in between, the old one still stands under its name.
    for suffix in FILES.iter().rev() {
        let (from, to) = (beside(from, suffix), beside(to, suffix));
        match fs::rename(&from, &to) {
            Err(error) if suffix.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(BackupError::io("cannot rename", &from)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_positive_and_never_0() {
        for _ in 0..1000 {
            assert!(new_epoch() > 0);
        }
    }

    #[test]
    fn a_database_is_renamed_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        assert!(rename_database(&from, &to).is_err());
        fs::write(&from, "x").unwrap();
        fs::write(beside(&from, "-wal"), "y").unwrap();
        rename_database(&from, &to).unwrap();
        assert_eq!(fs::read(beside(&to, "-wal")).unwrap(), b"y");
        clear(&to).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        clear(&to).unwrap();
    }
}
