//! From the file into databases: what verifying and restoring share.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::Secret;
use store::{Db, Engine};

use crate::database::{self, Database};
use crate::key::Keys;
use crate::manifest::{DatabaseFacts, Manifest};
use crate::postgres::{self, Address};
use crate::{BackupError, CONFIGURATION, archive, blocking, part_of};

/// Reads the whole file, and finds whether this program could restore it: every part as the
/// manifest says, schemas it knows, a key file that opens the secrets in the databases (where
/// one is given). Nothing is written.
pub async fn check(
    path: &Path,
    keys: &Keys,
    databases: &[Database],
) -> Result<Manifest, BackupError> {
    let (file, with) = (path.to_owned(), keys.clone());
    let manifest = blocking(move || Ok(archive::read(&file, &with, &mut |_, _| Ok(()))?.1)).await?;
    for database in databases {
        let facts = manifest.database(database.name);
        let facts = facts.ok_or(BackupError::NoDatabase(database.name))?;
        let Some(known) = database.migrations.map(|migrations| migrations.newest()) else {
            continue;
        };
        if facts.schema_version > known {
            return Err(BackupError::NewerSchema {
                database: database.name.to_owned(),
                found: facts.schema_version,
                known,
            });
        }
    }
    for sample in &manifest.keys {
        let Some(keyring) = &keys.keyring else { break };
        if keyring.open(&sample.record, &sample.secret).is_err() {
            let (key, record) = (sample.key.clone(), sample.record.clone());
            return Err(BackupError::SealedSecrets { key, record });
        }
    }
    Ok(manifest)
}

/// The engine a database of the backup is of.
pub(crate) fn engine_of(facts: &DatabaseFacts) -> Engine {
    if facts.engine == Engine::Sqlite.to_string() { Engine::Sqlite } else { Engine::Postgres }
}

/// Where a database of the backup goes.
#[derive(Debug)]
pub(crate) enum Into {
    /// A file that is not there yet.
    Sqlite(PathBuf),
    /// A Postgres database without such a schema.
    Postgres(Address),
}

/// Puts the parts where they go, by the names of their databases; configuration into a folder,
/// where one is given, over nothing.
pub(crate) async fn load(
    path: &Path,
    keys: &Keys,
    into: BTreeMap<&'static str, Into>,
    configuration: Option<PathBuf>,
) -> Result<Vec<PathBuf>, BackupError> {
    let (path, keys) = (path.to_owned(), keys.clone());
    blocking(move || {
        let by_part: BTreeMap<String, &Into> =
            into.iter().map(|(name, into)| (part_of(name), into)).collect();
        let mut written = Vec::new();
        archive::read(&path, &keys, &mut |part, from| {
            if let Some(into) = by_part.get(part) {
                return match into {
                    Into::Sqlite(target) => write(target, from),
                    Into::Postgres(address) => postgres::restore(address, from),
                };
            }
            if let (Some(name), Some(folder)) = (part.strip_prefix(CONFIGURATION), &configuration) {
                let target = folder.join(plain_name(&path, name)?);
                write(&target, from)?;
                written.push(target);
            }
            Ok(())
        })?;
        Ok(written)
    })
    .await
}

/// A part's name as that of a file in a folder: never one that leads out of it.
fn plain_name<'a>(path: &Path, name: &'a str) -> Result<&'a str, BackupError> {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    plain.then_some(name).ok_or_else(|| BackupError::Damaged {
        path: path.to_owned(),
        reason: "a part has the name of no file".to_owned(),
    })
}

/// Writes a new file, for its owner alone, and syncs it.
fn write(target: &Path, from: &mut dyn Read) -> Result<(), BackupError> {
    let failed = || BackupError::io("cannot write", target);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target);
    let mut file = file.map_err(failed())?;
    io::copy(from, &mut file).map_err(failed())?;
    file.sync_all().map_err(failed())
}

/// Compares a loaded database with what was backed up, and brings its schema up to this
/// program's. The database is left open.
pub(crate) async fn prove(
    database: &Database,
    url: &Secret<String>,
    facts: &DatabaseFacts,
) -> Result<Db, BackupError> {
    let failed = BackupError::store(database.name);
    if let Some(file) = store::file::path_of(url.expose()).map_err(failed)? {
        let faults = store::file::check(&file).await.map_err(failed)?;
        if let Some(fault) = faults.first() {
            return Err(BackupError::Differs(format!("{}: {fault}", database.name)));
        }
    }
    let db = database.open(url, false).await?;
    let proven = async {
        let mut tx = database::one_moment(&db).await.map_err(failed)?;
        let (version, rows) = database::count(&mut tx).await.map_err(failed)?;
        drop(tx);
        if let Some(difference) = difference(facts, version, &rows) {
            return Err(BackupError::Differs(format!("{}: {difference}", database.name)));
        }
        match database.migrations {
            Some(migrations) => db.migrate(migrations).await.map_err(failed),
            None => Ok(()),
        }
    };
    match proven.await {
        Ok(()) => Ok(db),
        Err(error) => {
            db.close().await;
            Err(error)
        }
    }
}

/// The first difference between what was backed up and what is there.
fn difference(facts: &DatabaseFacts, version: i64, rows: &BTreeMap<String, u64>) -> Option<String> {
    if facts.schema_version != version {
        return Some(format!("schema version {version}, backed up was {}", facts.schema_version));
    }
    let tables = facts.rows.keys().chain(rows.keys());
    tables.into_iter().find_map(|table| {
        let (was, is) = (facts.rows.get(table), rows.get(table));
        let shown =
            |rows: Option<&u64>| rows.map_or("no table".to_owned(), |n| format!("{n} rows"));
        (was != is).then(|| format!("{table}: {}, backed up were {}", shown(is), shown(was)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_its_table() {
        let rows = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|(table, n)| ((*table).to_owned(), *n)).collect()
        };
        let facts = DatabaseFacts {
            name: "billing".to_owned(),
            engine: "SQLite".to_owned(),
            postgres: None,
            schema_version: 3,
            rows: rows(&[("customer", 4), ("plan", 1)]),
        };
        assert_eq!(difference(&facts, 3, &rows(&[("customer", 4), ("plan", 1)])), None);
        for (version, found, expected) in [
            (2, rows(&[]), "schema version 2, backed up was 3"),
            (3, rows(&[("customer", 3), ("plan", 1)]), "customer: 3 rows, backed up were 4 rows"),
            (3, rows(&[("customer", 4)]), "plan: no table, backed up were 1 rows"),
            (
                3,
                rows(&[("customer", 4), ("plan", 1), ("x", 0)]),
                "x: 0 rows, backed up were no table",
            ),
        ] {
            assert_eq!(difference(&facts, version, &found).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_part_never_leads_out_of_its_folder() {
        let path = Path::new("x");
        assert_eq!(plain_name(path, "aaad.toml").unwrap(), "aaad.toml");
        for bad in ["", ".", "..", "../x", "/etc/x", "a/b", "a\0"] {
            assert!(plain_name(path, bad).is_err(), "{bad:?}");
        }
    }
}
