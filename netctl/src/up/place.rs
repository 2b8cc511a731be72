//! The data directory: made where missing, held while we run.
//!
//! ```text
//! DIR/lock          held by the `netctl up` that uses DIR
//! DIR/key           seals secrets; lies outside backups
//! DIR/billing.db    the office
//! DIR/network.db    sessions and usage
//! DIR/aaad/         journal, policy snapshot, session checkpoint
//! DIR/sftp/         files on their way to an SFTP server
//! DIR/run/*.sock    control sockets
//! DIR/demo.json     the demo's logins, where there is a demo
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use daemon::secrets::{KeyFileError, Keyring};

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("cannot use the data directory {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{} is in use by another `netctl up`", .0.display())]
    InUse(PathBuf),
    #[error("cannot use the data directory {}: its name is not Unicode", .0.display())]
    Name(PathBuf),
    #[error(
        "{} is missing, and the secrets in {} open with nothing else: put it back, or start with \
         an empty directory",
        key.display(),
        database.display()
    )]
    KeyLost { key: PathBuf, database: PathBuf },
    #[error("cannot make the key file")]
    Key(#[from] KeyFileError),
}

/// The data directory, ours until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes what is missing and takes hold of the directory.
    pub(super) fn prepare(folder: &Path) -> Result<Self, PlaceError> {
        let failed = |source| PlaceError::Folder { path: folder.to_owned(), source };
        if folder.to_str().is_none() {
            return Err(PlaceError::Name(folder.to_owned()));
        }
        private(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => PlaceError::InUse(folder.to_owned()),
            TryLockError::Error(source) => failed(source),
        })?;
        for inner in ["run", "aaad"] {
            private(&folder.join(inner)).map_err(failed)?;
        }
        let place = Self { folder: folder.to_owned(), _lock: lock };
        let key = place.key();
        if !key.try_exists().map_err(failed)? {
            let database = place.billing_db();
            if database.try_exists().map_err(failed)? {
                return Err(PlaceError::KeyLost { key, database });
            }
            Keyring::create(&key)?;
        }
        Ok(place)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn key(&self) -> PathBuf {
        self.folder.join("key")
    }

    pub(super) fn billing_db(&self) -> PathBuf {
        self.folder.join("billing.db")
    }

    pub(super) fn network_db(&self) -> PathBuf {
        self.folder.join("network.db")
    }

    pub(super) fn aaad(&self) -> PathBuf {
        self.folder.join("aaad")
    }

    pub(super) fn sftp(&self) -> PathBuf {
        self.folder.join("sftp")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    pub(super) fn socket(&self, program: &str) -> PathBuf {
        self.run().join(format!("{program}.sock"))
    }

    pub(super) fn demo(&self) -> PathBuf {
        self.folder.join("demo.json")
    }
}

/// Makes a folder, and its missing parents, for us alone; one that is there stays as it is.
fn private(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_place_is_private_and_has_a_key() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("a/var");
        let place = Place::prepare(&folder).unwrap();
        for path in [folder.clone(), place.run(), place.aaad()] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
        let key = fs::read(place.key()).unwrap();
        drop(place);
        let place = Place::prepare(&folder).unwrap();
        assert_eq!(fs::read(place.key()).unwrap(), key, "the key stays");
    }

    #[test]
    fn one_directory_has_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let _place = Place::prepare(folder.path()).unwrap();
        let error = Place::prepare(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("is in use by another `netctl up`"), "{error}");
    }

    #[test]
    fn a_lost_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::prepare(folder.path()).unwrap();
        fs::remove_file(place.key()).unwrap();
        fs::write(place.billing_db(), "").unwrap();
        drop(place);
        let error = Place::prepare(folder.path()).unwrap_err();
        assert!(matches!(error, PlaceError::KeyLost { .. }), "{error}");
        assert!(!folder.path().join("key").exists());
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = daemon::exit::chain(&Place::prepare(file.path()).unwrap_err());
        assert!(line.starts_with("cannot use the data directory /"), "{line}");
    }
}
