//! Why a backup was not made, read or restored.

use std::io;
use std::path::{Path, PathBuf};

use store::StoreError;

/// Why a backup was not made, read or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file or folder could not be used.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done: `cannot write`.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// A database failed.
    #[error("the database {database}")]
    Store {
        /// Which: `billing`.
        database: &'static str,
        /// What failed.
        source: StoreError,
    },
    /// There is nothing to back up.
    #[error("the database {0} has no tables: has its program been started once?")]
    Empty(&'static str),
    /// Another backup works on the same.
    #[error("another backup is under way: it holds {}", .0.display())]
    UnderWay(PathBuf),
    /// A backup of that name is there.
    #[error("{} exists already, and a backup is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The key file was given as a file to include.
    #[error("{} is a key file: it belongs outside of backups, since it opens the secrets in them", .0.display())]
    KeyFile(PathBuf),
    /// Two files to include have one name, or one has none.
    #[error("two files to include are called {0:?}, or it is no name for a file")]
    Name(String),

    /// Not one of our files.
    #[error("{} is not a Lastmile backup", .0.display())]
    NotABackup(PathBuf),
    /// Written by a newer program.
    #[error("{} has backup format {found}, this program reads up to {known}: upgrade it", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The newest this program reads.
        known: u16,
    },
    /// Its database is newer than the program.
    #[error(
        "the backup has schema version {found} of {database}, this program knows up to {known}: \
         upgrade it"
    )]
    NewerSchema {
        /// Which database.
        database: String,
        /// Its schema in the backup.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The key file is another one.
    #[error("the key file does not open the backup: it was made with another one (key {0})")]
    WrongKeyFile(String),
    /// The passphrase is another one.
    #[error("the passphrase does not open the backup")]
    WrongPassphrase,
    /// It was sealed with a passphrase and none was given.
    #[error("the backup was sealed with a passphrase: give it with --passphrase-file")]
    PassphraseMissing,
    /// It was sealed with the key file and none was given.
    #[error("the backup was sealed with a key file, and none was given")]
    KeyFileMissing,
    /// The secrets in the databases were sealed with a key the key file lacks.
    #[error("the key file does not open what is sealed in the backup (key {key}, {record})")]
    SealedSecrets {
        /// The key's id.
        key: String,
        /// The record whose secret was tried.
        record: String,
    },
    /// The passphrase is no protection.
    #[error("the passphrase has {0} characters; give at least 12")]
    ShortPassphrase(usize),
    /// Changed, cut short, or mixed up since it was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was noticed.
        reason: String,
    },
    /// What was restored is not what was backed up.
    #[error("what was restored differs from the backup: {0}")]
    Differs(String),

    /// A program still uses the database that is to be replaced.
    #[error("{target} is in use ({by}): stop the programs first")]
    InUse {
        /// The database.
        target: String,
        /// By whom.
        by: String,
    },
    /// There is something where the backup is to go.
    #[error("{0} is not empty: with --replace it is kept aside under another name")]
    NotEmpty(String),
    /// The backup is of the other engine.
    #[error("the backup of {database} is of {found}, and the settings name a {wanted} database")]
    OtherEngine {
        /// Which database.
        database: &'static str,
        /// The backup's engine.
        found: store::Engine,
        /// The target's.
        wanted: store::Engine,
    },
    /// The backup lacks a database.
    #[error("the backup has no database {0}")]
    NoDatabase(&'static str),

    /// A program of Postgres is not there.
    #[error("cannot run {program}: install Postgres's client programs ({hint})")]
    NoTool {
        /// Which.
        program: &'static str,
        /// The package.
        hint: &'static str,
        /// What failed.
        source: io::Error,
    },
    /// A program of Postgres is older than what it is to work with.
    #[error(
        "{program} is version {found}, and {with} is version {wanted}: install a newer {program}"
    )]
    OldTool {
        /// Which.
        program: &'static str,
        /// Its version.
        found: u32,
        /// What it has to work with.
        with: &'static str,
        /// The version that has.
        wanted: u32,
    },
    /// A program of Postgres failed.
    #[error("{program} failed: {said}")]
    Tool {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// The URL has something that Postgres's own programs do not understand.
    #[error("the URL of the database {database}: {reason}")]
    Url {
        /// Which database.
        database: &'static str,
        /// What about it; never the URL.
        reason: String,
    },
}

/// What kind of failure it is, for exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The key file or the passphrase does not open it.
    WrongKey,
    /// The file is damaged, or no backup, or restores to something else.
    Damaged,
    /// Written by a newer program.
    Newer,
    /// The target is in use or not empty.
    Refused,
    /// Anything else.
    Other,
}

impl BackupError {
    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::WrongKeyFile(_)
            | Self::WrongPassphrase
            | Self::PassphraseMissing
            | Self::KeyFileMissing
            | Self::SealedSecrets { .. } => Kind::WrongKey,
            Self::NotABackup(_) | Self::Damaged { .. } | Self::Differs(_) => Kind::Damaged,
            Self::NewerFormat { .. } | Self::NewerSchema { .. } => Kind::Newer,
            Self::InUse { .. } | Self::NotEmpty(_) => Kind::Refused,
            _ => Kind::Other,
        }
    }

    /// For `map_err`: an operation on a file that failed.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// For `map_err`: a database that failed.
    pub(crate) fn store(database: &'static str) -> impl Fn(StoreError) -> Self + Copy {
        move |source| Self::Store { database, source }
    }
}
