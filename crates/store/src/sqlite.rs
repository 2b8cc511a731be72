//! What only SQLite needs.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::error::BoxDynError;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments, Decode, Row as _, Sqlite, SqlitePool, TypeInfo, ValueRef};

use crate::db::{ACQUIRE_TIMEOUT, Options, Pools, STATEMENTS_CACHED};
use crate::error::Source;
use crate::row::{Cell, NoCell};
use crate::{Engine, StoreError, Value};

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for a migration, which may wait for another program's migrations to end.
const BUSY_TIMEOUT_MIGRATION: Duration = Duration::from_secs(60);
/// Between two attempts to open a database that another process is just creating.
const REOPEN_PAUSE: Duration = Duration::from_millis(20);

/// A parsed `sqlite:PATH` or `sqlite:PATH?synchronous=normal`.
#[derive(Debug, PartialEq)]
pub(crate) struct Address {
    pub(crate) path: PathBuf,
    /// NORMAL may lose the last commits when the power fails; the file stays sound.
    normal: bool,
}

pub(crate) fn parse(rest: &str) -> Result<Address, StoreError> {
    // `sqlite:///var/lib/x.db` means the same as `sqlite:/var/lib/x.db`.
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = match rest.rsplit_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let normal = match query {
        None | Some("synchronous=full") => false,
        Some("synchronous=normal") => true,
        Some(_) => {
            return Err(StoreError::Url {
                reason: "may end in ?synchronous=full or ?synchronous=normal, nothing else",
            });
        }
    };
    if path.is_empty() || path.contains(":memory:") {
        // The reading connections would each see an empty database of their own.
        return Err(StoreError::Url { reason: "must name a file after \"sqlite:\"" });
    }
    Ok(Address { path: path.into(), normal })
}

/// Opens the file `rest` names: one connection that writes and others that read.
pub(crate) async fn open(rest: &str, options: &Options) -> Result<Pools, StoreError> {
    let address = parse(rest)?;
    let failed = |source: Source| StoreError::Open {
        database: format!("the SQLite database {}", address.path.display()),
        source,
    };
    if !options.read_only {
        prepare_file(&address.path).map_err(|error| failed(error.into()))?;
    }

    let base = SqliteConnectOptions::new()
        .filename(&address.path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS_CACHED);
    // Readers that cannot write find a statement sent the wrong way, and never take the lock.
    let reading = base.clone().read_only(options.read_only).pragma("query_only", "ON");
    let writing = base
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if address.normal {
            SqliteSynchronous::Normal
        } else {
            SqliteSynchronous::Full
        })
        // After a large transaction the log shrinks back to this.
        .pragma("journal_size_limit", "67108864")
        .optimize_on_close(true, 400);

    let write = if options.read_only {
        None
    } else {
        Some(connect(pool(1), writing).await.map_err(|error| failed(error.into()))?)
    };
    let read = connect(pool(options.connections_max.max(1)), reading)
        .await
        .map_err(|error| failed(error.into()))?;
    Ok(Pools::Sqlite { write, read })
}

/// Creates the file with nobody but its owner allowed, and takes such rights away from one
/// that came from elsewhere. SQLite gives its log files the same mode.
fn prepare_file(path: &Path) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            format!("the directory {} does not exist", directory.display()),
        ));
    }
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn pool(connections_max: u32) -> PoolOptions<Sqlite> {
    PoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A file does not hang up: no test, no end of life, the page cache stays warm.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Opens a pool. Two programs that create one database at once collide over the switch to
/// WAL, for which SQLite does not wait by itself.
async fn connect(
    pool: PoolOptions<Sqlite>,
    options: SqliteConnectOptions,
) -> Result<SqlitePool, sqlx::Error> {
    let mut attempts = BUSY_TIMEOUT.as_millis() / REOPEN_PAUSE.as_millis();
    loop {
        let error = match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) => error,
        };
        let busy = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| code & 0xff == 5);
        attempts = attempts.saturating_sub(1);
        if !busy || attempts == 0 {
            return Err(error);
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

/// A writer for migrations: it may rebuild a table that others refer to, so foreign keys are
/// checked at the end of each migration instead of row by row.
pub(crate) fn migration_pool(write: &SqlitePool) -> SqlitePool {
    let options = (*write.connect_options()).clone();
    let options = options.foreign_keys(false).busy_timeout(BUSY_TIMEOUT_MIGRATION);
    pool(1).connect_lazy_with(options)
}

/// The arguments as the driver wants them.
pub(crate) fn arguments(values: Vec<Value>) -> Result<SqliteArguments, BoxDynError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::Float(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Uuid(value) => arguments.add(value),
            Value::Time(value) => arguments.add(value.map(|time| time.0)),
            Value::Json(value) => arguments.add(value.map(|json| json.to_string())),
            Value::Net(value) => arguments.add(value.map(|net| net.to_string())),
            Value::Uuids(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
                arguments.add(serde_json::json!(ids).to_string())
            }
        }?;
    }
    Ok(arguments)
}

pub(crate) fn is_null(row: &SqliteRow, name: &str) -> Result<bool, NoCell> {
    row.try_get_raw(name).map(|value| value.is_null()).map_err(|_| NoCell::Absent)
}

/// The cell by what is stored in it; what the column was declared as does not count.
pub(crate) fn cell(row: &SqliteRow, name: &str) -> Result<Cell, NoCell> {
    let raw = row.try_get_raw(name).map_err(|_| NoCell::Absent)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let cell = match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(Cell::Int),
        "REAL" => <f64 as Decode<Sqlite>>::decode(raw).map(Cell::Float),
        "TEXT" => <String as Decode<Sqlite>>::decode(raw).map(Cell::Text),
        "BLOB" => <Vec<u8> as Decode<Sqlite>>::decode(raw).map(Cell::Bytes),
        _ => Ok(Cell::Other(kind)),
    };
    cell.map_err(|error| NoCell::Unreadable(error.to_string()))
}

/// This engine's errors.
pub(crate) fn error(step: &str, error: sqlx::Error) -> StoreError {
    StoreError::from_driver(Engine::Sqlite, step, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_and_perhaps_how_hard_to_sync() {
        let at = |path: &str, normal| Address { path: path.into(), normal };
        assert_eq!(parse("/var/lib/x.db").unwrap(), at("/var/lib/x.db", false));
        assert_eq!(parse("///var/lib/x.db").unwrap(), at("/var/lib/x.db", false));
        assert_eq!(parse("x.db?synchronous=normal").unwrap(), at("x.db", true));
        for bad in ["", "//", ":memory:", "x.db?mode=ro", "?synchronous=full"] {
            assert!(matches!(parse(bad), Err(StoreError::Url { .. })), "{bad}");
        }
    }
}
