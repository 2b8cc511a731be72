//! Making a backup, while everything runs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use model::Ts;
use store::{Engine, StoreError, args};

use crate::archive::ArchiveWriter;
use crate::database::{self, BILLING, Database};
use crate::folder::{self, Keep, Place};
use crate::key::Seal;
use crate::manifest::{DatabaseFacts, FORMAT, Manifest, PostgresVersions};
use crate::postgres::{self, Address};
use crate::{BackupError, CONFIGURATION, blocking, part_of};

/// How a key file begins; one must not get into a backup.
const KEY_FILE: &[u8] = b"lastmile-keys ";
/// Longest configuration file.
const CONFIGURATION_MAX: u64 = 16 * 1024 * 1024;

/// What to back up, and where to.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The databases; the network's first (see the crate's documentation).
    pub databases: Vec<Database>,
    /// Configuration files.
    pub configuration: Vec<PathBuf>,
    /// The folder backups lie in; made where missing.
    pub folder: PathBuf,
    /// What seals it.
    pub seal: Seal,
    /// Which backups stay afterwards.
    pub keep: Keep,
    /// The program's version.
    pub program: String,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// How long the file is.
    pub octets: u64,
    /// What is in it.
    pub manifest: Manifest,
    /// Older ones that were removed.
    pub removed: Vec<PathBuf>,
}

store::statements! {
    /// Lends the transaction's moment to `pg_dump`.
    EXPORT = {
        sqlite: "SELECT 'none' AS snapshot",
        postgres: "SELECT pg_export_snapshot() AS snapshot",
    };
    /// 15 of 15.8.
    SERVER_VERSION = {
        sqlite: "SELECT 0 AS version",
        postgres: "SELECT current_setting('server_version_num')::bigint / 10000 AS version",
    };
}

/// Makes a backup. It is there under its name when it is whole and on disk, and not before;
/// then those that need not be kept go.
pub async fn make(plan: &Plan, now: Ts) -> Result<Made, BackupError> {
    let configuration = configuration(&plan.configuration)?;
    let (into, made_at) = (plan.folder.clone(), now);
    let place = blocking(move || Place::take(&into, made_at)).await?;

    let mut engines: Vec<String> = Vec::new();
    for database in &plan.databases {
        let engine = database.engine().to_string();
        if !engines.contains(&engine) {
            engines.push(engine);
        }
    }
    let (partial, seal, program) = (place.partial.clone(), plan.seal.clone(), plan.program.clone());
    // A passphrase takes its time.
    let mut writer =
        blocking(move || ArchiveWriter::create(&partial, &seal, &program, now, engines)).await?;
    let mut manifest = Manifest {
        format: FORMAT,
        program: plan.program.clone(),
        made_at: now,
        databases: Vec::new(),
        parts: Vec::new(),
        policy: None,
        keys: Vec::new(),
    };
    for database in &plan.databases {
        writer = match database.engine() {
            Engine::Sqlite => sqlite(database, writer, &mut manifest).await?,
            Engine::Postgres => postgres(database, writer, &mut manifest).await?,
        };
    }
    let manifest = blocking(move || {
        for (name, path) in configuration {
            let file = File::open(&path).map_err(BackupError::io("cannot read", &path))?;
            writer.part(&format!("{CONFIGURATION}{name}"), &mut file.take(CONFIGURATION_MAX))?;
        }
        writer.finish(manifest)
    })
    .await?;
    let (folder, keep) = (plan.folder.clone(), plan.keep);
    blocking(move || {
        place.finish()?;
        let metadata = fs::metadata(&place.path);
        let octets = metadata.map_err(BackupError::io("cannot read", &place.path))?.len();
        let removed = folder::prune(&folder, keep)?;
        Ok(Made { path: place.path.clone(), octets, manifest, removed })
    })
    .await
}

/// The files with their names in the backup.
fn configuration(paths: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let mut names = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.is_empty() || name.len() > 200 || !names.insert(name.to_owned()) {
            return Err(BackupError::Name(name.to_owned()));
        }
        let failed = || BackupError::io("cannot read", path);
        let mut begin = Vec::new();
        let file = File::open(path).map_err(failed())?;
        let metadata = file.metadata().map_err(failed())?;
        if !metadata.is_file() || metadata.len() > CONFIGURATION_MAX {
            let text = "it is no file of at most 16 MiB";
            return Err(failed()(std::io::Error::other(text)));
        }
        file.take(KEY_FILE.len() as u64).read_to_end(&mut begin).map_err(failed())?;
        if begin == KEY_FILE {
            return Err(BackupError::KeyFile(path.clone()));
        }
        files.push((name.to_owned(), path.clone()));
    }
    Ok(files)
}

/// Notes what is in a database, as a transaction sees it.
async fn note(
    database: &Database,
    tx: &mut store::Tx,
    versions: Option<PostgresVersions>,
    manifest: &mut Manifest,
) -> Result<(), BackupError> {
    let failed = BackupError::store(database.name);
    if database::tables(tx).await.map_err(failed)?.is_empty() {
        return Err(BackupError::Empty(database.name));
    }
    let (schema_version, rows) = database::count(tx).await.map_err(failed)?;
    if database.name == BILLING {
        manifest.policy = database::policy_line(tx).await.map_err(failed)?;
        manifest.keys = database::key_samples(tx).await.map_err(failed)?;
    }
    manifest.databases.push(DatabaseFacts {
        name: database.name.to_owned(),
        engine: database.engine().to_string(),
        postgres: versions,
        schema_version,
        rows,
    });
    Ok(())
}

/// A copy in clear beside the database, where whoever may read the one may read the other; gone
/// when dropped.
struct Copy {
    path: PathBuf,
    _lock: File,
}

impl Copy {
    fn beside(database: &Path) -> Result<Self, BackupError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".backup-copy");
        let path = PathBuf::from(path);
        let lock = folder::lock(&path)?;
        // One that was killed left its copy: SQLite copies into an empty file only.
        lock.set_len(0).map_err(BackupError::io("cannot write", &path))?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::error!(path = %self.path.display(), %error, "a copy in clear is left");
        }
    }
}

async fn sqlite(
    database: &Database,
    mut writer: ArchiveWriter,
    manifest: &mut Manifest,
) -> Result<ArchiveWriter, BackupError> {
    let failed = BackupError::store(database.name);
    let path = store::file::path_of(database.url.expose()).map_err(failed)?.unwrap_or_default();
    if !path.exists() {
        return Err(BackupError::io("cannot read", &path)(std::io::ErrorKind::NotFound.into()));
    }
    let copy = Copy::beside(&path)?;
    store::file::copy(&path, &copy.path).await.map_err(failed)?;
    let url = format!("sqlite:{}", copy.path.display()).into();
    let db = database.open(&url, true).await?;
    let noted = async {
        let mut tx = db.begin().await.map_err(failed)?;
        note(database, &mut tx, None, manifest).await
    };
    let noted = noted.await;
    db.close().await;
    noted?;
    let name = database.name;
    blocking(move || {
        let mut file =
            File::open(&copy.path).map_err(BackupError::io("cannot read", &copy.path))?;
        writer.part(&part_of(name), &mut file)?;
        Ok(writer)
    })
    .await
}

async fn postgres(
    database: &Database,
    mut writer: ArchiveWriter,
    manifest: &mut Manifest,
) -> Result<ArchiveWriter, BackupError> {
    let failed = BackupError::store(database.name);
    let address = Address::parse(database.name, &database.url)?;
    let db = database.open(&database.url, true).await?;
    let found = async {
        let mut tx = database::one_moment(&db).await?;
        let server: u32 = tx.fetch_one(&SERVER_VERSION, args![]).await?.get("version")?;
        let snapshot: String = tx.fetch_one(&EXPORT, args![]).await?.get("snapshot")?;
        Ok::<_, StoreError>((tx, server, snapshot))
    };
    let (mut tx, server, snapshot) = found.await.map_err(failed)?;
    let pg_dump = blocking(move || postgres::pg_dump_version(server)).await?;
    let versions = PostgresVersions { server, pg_dump };
    note(database, &mut tx, Some(versions), manifest).await?;
    let name = database.name;
    let writer = blocking(move || {
        postgres::dump(&address, name, &snapshot, &mut |mut output| {
            writer.part(&part_of(name), &mut output).map(drop)
        })?;
        Ok(writer)
    })
    .await?;
    // The moment was lent until here.
    drop(tx);
    db.close().await;
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_and_two_files_of_one_name_stay_outside() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let (a, b) = (at("aaad.toml", "x"), at("other/aaad.toml", "y"));
        let key = folder.path().join("key");
        daemon::secrets::Keyring::create(&key).unwrap();
        assert_eq!(configuration(std::slice::from_ref(&a)).unwrap()[0].0, "aaad.toml");
        assert!(matches!(configuration(&[a.clone(), b]), Err(BackupError::Name(_))));
        assert!(matches!(configuration(&[a, key]), Err(BackupError::KeyFile(_))));
        let missing = configuration(&[folder.path().join("none")]);
        assert!(matches!(missing, Err(BackupError::Io { .. })));
    }
}
