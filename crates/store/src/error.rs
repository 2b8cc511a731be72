//! Failures, sorted by what a caller can do about them.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::Engine;

/// The cause below a [`StoreError`].
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another row has the same key.
    ///
    /// Postgres names the constraint or index. SQLite names an index only where it has
    /// expressions; otherwise it lists columns, which is what `constraint` then holds:
    /// `plan.organisation_id, plan.name`.
    #[error("another row has the same key ({constraint})")]
    Unique {
        /// The constraint's name, or the columns as `table.column, table.column`.
        constraint: String,
    },
    /// A row refers to one that does not exist, or is still referred to.
    #[error("the row refers to a missing row, or others refer to it")]
    ForeignKey,
    /// A column that every row must fill was left empty.
    #[error("the column {column} cannot be empty")]
    Null {
        /// The column, without its table.
        column: String,
    },
    /// A row that had to exist does not.
    #[error("no such row")]
    Missing,
    /// The row was changed or removed by someone else since it was read.
    #[error("the row was changed by someone else in the meantime")]
    Stale,
    /// Others hold what this needed (a lock, the writer); the same work may succeed later.
    #[error("the database is busy")]
    Busy,
    /// The database cannot be reached, has no room, or did not answer in time.
    #[error("{step}: the database is unavailable")]
    Unavailable {
        /// The statement's name, or what was being done.
        step: String,
        /// What failed.
        source: Source,
    },
    /// A statement that writes met a connection that only reads.
    #[error("{statement} writes, and this connection only reads")]
    ReadOnly {
        /// The statement's name.
        statement: String,
    },
    /// The transaction had already lost a statement; nothing of it is kept.
    #[error("the transaction was given up when {statement} failed")]
    Aborted {
        /// The statement that failed first.
        statement: &'static str,
    },
    /// The database was written by a newer program; this one must not touch it.
    #[error("the database has schema version {found}, this program knows up to {known}")]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version this program has.
        known: i64,
    },
    /// A database opened for reading only has not been brought up to date by its owner yet.
    #[error("the database has schema version {found}, this program needs {known}")]
    OlderSchema {
        /// The version in the database.
        found: i64,
        /// The newest version this program has.
        known: i64,
    },
    /// A migration cannot be applied, or one applied earlier is not the one listed today.
    #[error("migration {name} {reason}")]
    Migration {
        /// The migration's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
        /// What the database said, where it was asked.
        source: Option<Source>,
    },
    /// A column does not hold what the program expects.
    #[error("{statement}: column {column}: expected {expected}, found {found}")]
    Column {
        /// The statement's name.
        statement: &'static str,
        /// The column.
        column: String,
        /// What was expected.
        expected: &'static str,
        /// What is there, as a type; never the data.
        found: String,
    },
    /// The address of the database cannot be used.
    #[error("the database URL {reason}")]
    Url {
        /// What is wrong with it; never the URL, which may hold a password.
        reason: &'static str,
    },
    /// The database could not be opened.
    #[error("cannot open {database}")]
    Open {
        /// The engine and the path or host.
        database: String,
        /// What failed.
        source: Source,
    },
    /// Anything else the database refused.
    #[error("{statement} failed")]
    Database {
        /// The statement's name, or what was being done.
        statement: String,
        /// What the database said.
        source: Source,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable { .. })
    }

    /// Sorts a driver's error; `step` is the statement's name or what was being done.
    pub(crate) fn from_driver(engine: Engine, step: &str, error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => from_database(step, error.as_ref()),
            sqlx::Error::RowNotFound => Self::Missing,
            // SQLite's connections are always there to be had: waiting for one means that
            // others hold them all.
            sqlx::Error::PoolTimedOut if engine == Engine::Sqlite => Self::Busy,
            sqlx::Error::Io(source) => {
                Self::Unavailable { step: step.to_owned(), source: Box::new(source) }
            }
            sqlx::Error::Tls(source) => Self::Unavailable { step: step.to_owned(), source },
            error @ (sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed) => {
                Self::Unavailable { step: step.to_owned(), source: Box::new(error) }
            }
            error => Self::Database { statement: step.to_owned(), source: Box::new(error) },
        }
    }
}

/// What the database engine said, with its code.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({code})")]
struct Said {
    message: String,
    code: String,
}

/// What an engine's code means for a caller.
enum Kind {
    Unique,
    ForeignKey,
    Null,
    Busy,
    Unavailable,
    ReadOnly,
    Other,
}

fn from_database(step: &str, error: &dyn DatabaseError) -> StoreError {
    let postgres = error.try_downcast_ref::<PgDatabaseError>();
    let code = error.code().unwrap_or_default();
    let kind = match postgres {
        Some(error) => postgres_kind(error.code()),
        None => sqlite_kind(code.parse().unwrap_or(0), error.message()),
    };
    // Only the message: Postgres's detail line repeats the data of the row.
    let said = || {
        let code =
            if postgres.is_some() { format!("SQLSTATE {code}") } else { format!("SQLite {code}") };
        Box::new(Said { message: error.message().to_owned(), code })
    };
    match kind {
        Kind::Unique => StoreError::Unique {
            constraint: match postgres {
                Some(error) => error.constraint().unwrap_or("unknown").to_owned(),
                None => sqlite_unique(error.message()).to_owned(),
            },
        },
        Kind::ForeignKey => StoreError::ForeignKey,
        Kind::Null => StoreError::Null {
            column: match postgres {
                Some(error) => error.column().unwrap_or("unknown").to_owned(),
                None => sqlite_null(error.message()).to_owned(),
            },
        },
        Kind::Busy => StoreError::Busy,
        Kind::Unavailable => StoreError::Unavailable { step: step.to_owned(), source: said() },
        Kind::ReadOnly => StoreError::ReadOnly { statement: step.to_owned() },
        Kind::Other => StoreError::Database { statement: step.to_owned(), source: said() },
    }
}

/// SQLSTATE codes: PostgreSQL manual, appendix A.
fn postgres_kind(code: &str) -> Kind {
    match code {
        "23505" => Kind::Unique,
        "23503" | "23001" => Kind::ForeignKey,
        "23502" => Kind::Null,
        // Serialisation failure, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => Kind::Busy,
        "25006" => Kind::ReadOnly,
        // Cancelled by statement_timeout.
        "57014" => Kind::Unavailable,
        // A protocol violation is a mistake of ours, though it stands among the lost connections.
        "08P01" => Kind::Other,
        // Connection, insufficient resources (full disk too), shutdown, system error.
        _ if ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) => {
            Kind::Unavailable
        }
        _ => Kind::Other,
    }
}

/// Extended result codes: sqlite.org/rescode.html; the low byte is the primary code.
fn sqlite_kind(code: i32, message: &str) -> Kind {
    match (code, code & 0xff) {
        (1555 | 2067 | 2579, _) => Kind::Unique,
        (787, _) => Kind::ForeignKey,
        (1299, _) => Kind::Null,
        // ON DELETE RESTRICT reports itself as a trigger.
        (1811, _) if message.starts_with("FOREIGN KEY") => Kind::ForeignKey,
        (_, 5 | 6) => Kind::Busy,
        (_, 8) => Kind::ReadOnly,
        // Input or output error, full, cannot open.
        (_, 10 | 13 | 14) => Kind::Unavailable,
        _ => Kind::Other,
    }
}

/// The columns or the index out of SQLite's message.
fn sqlite_unique(message: &str) -> &str {
    let named = message.strip_prefix("UNIQUE constraint failed: ").unwrap_or(message);
    named.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')).unwrap_or(named)
}

/// The column out of SQLite's message.
fn sqlite_null(message: &str) -> &str {
    let named = message.strip_prefix("NOT NULL constraint failed: ").unwrap_or(message);
    named.split_once('.').map_or(named, |(_, column)| column)
}

/// For a write that must have met exactly the row and version that were read: no row changed
/// means that somebody else was faster.
pub fn changed_one(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_violation_of_sqlite_names_columns_or_the_index() {
        assert_eq!(
            sqlite_unique("UNIQUE constraint failed: plan.org, plan.name"),
            "plan.org, plan.name"
        );
        assert_eq!(sqlite_unique("UNIQUE constraint failed: index 'plan_live'"), "plan_live");
    }

    #[test]
    fn an_empty_column_is_named() {
        assert_eq!(sqlite_null("NOT NULL constraint failed: plan.name"), "name");
        assert!(matches!(sqlite_kind(1299, ""), Kind::Null));
        assert!(matches!(postgres_kind("23502"), Kind::Null));
    }

    #[test]
    fn a_write_that_met_no_row_is_stale() {
        assert!(changed_one(1).is_ok());
        assert!(matches!(changed_one(0), Err(StoreError::Stale)));
    }

    #[test]
    fn a_full_disk_and_a_lost_server_are_unavailable() {
        assert!(matches!(sqlite_kind(13, "database or disk is full"), Kind::Unavailable));
        assert!(matches!(sqlite_kind(778, "disk I/O error"), Kind::Unavailable));
        assert!(matches!(sqlite_kind(517, "database is locked"), Kind::Busy));
        assert!(matches!(postgres_kind("53100"), Kind::Unavailable));
        assert!(matches!(postgres_kind("57P01"), Kind::Unavailable));
        assert!(matches!(postgres_kind("42P01"), Kind::Other));
    }
}
