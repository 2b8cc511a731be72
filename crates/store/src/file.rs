//! What is done to a SQLite file as a whole: copying it while it is written, taking hold of it,
//! checking it. Backups are made of these.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::{StoreError, sqlite};

/// How long another program may keep the file to itself before it counts as in use.
const CLAIM_WAIT: Duration = Duration::from_secs(1);

/// The file a database URL names; none where it is no SQLite URL.
pub fn path_of(url: &str) -> Result<Option<PathBuf>, StoreError> {
    url.strip_prefix("sqlite:").map(|rest| sqlite::parse(rest).map(|a| a.path)).transpose()
}

/// Copies the database into `target`, which must be missing or empty, as it is at one moment.
/// Programs go on reading and writing meanwhile (SQLite, `VACUUM INTO`).
pub async fn copy(source: &Path, target: &Path) -> Result<(), StoreError> {
    let step = "copying the database";
    // SQLite takes the target as text.
    let text = target.to_str().ok_or(StoreError::Url { reason: "must be Unicode" })?;
    let mut connection = connect(source, true).await?;
    let copied = sqlx::query("VACUUM INTO $1").bind(text).execute(&mut connection).await;
    copied.map_err(|error| sqlite::error(step, error))?;
    connection.close().await.map_err(|error| sqlite::error(step, error))
}

/// Folds the log into the file, for which nobody else may have it open:
/// [`StoreError::Busy`] where somebody has. Afterwards the file is all there is.
pub async fn claim(path: &Path) -> Result<(), StoreError> {
    let step = "taking hold of the database";
    let mut connection = connect(path, false).await?;
    // Leaving WAL needs the file to ourselves; SQLite says so itself.
    let left: Result<String, _> =
        sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut connection).await;
    let left = left.map_err(|error| sqlite::error(step, error));
    connection.close().await.map_err(|error| sqlite::error(step, error))?;
    match left? {
        mode if mode == "delete" => Ok(()),
        _ => Err(StoreError::Busy),
    }
}

/// What SQLite finds wrong with the file: at most ten lines, none where it is sound.
pub async fn check(path: &Path) -> Result<Vec<String>, StoreError> {
    let step = "checking the database";
    let mut connection = connect(path, true).await?;
    let found: Result<Vec<String>, _> =
        sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(&mut connection).await;
    let mut found = found.map_err(|error| sqlite::error(step, error))?;
    found.retain(|line| line != "ok");
    let broken: Result<Vec<String>, _> = sqlx::query_scalar(
        "SELECT DISTINCT 'table ' || \"table\" || ' refers to missing rows of ' || parent
         FROM pragma_foreign_key_check LIMIT 10",
    )
    .fetch_all(&mut connection)
    .await;
    found.extend(broken.map_err(|error| sqlite::error(step, error))?);
    connection.close().await.map_err(|error| sqlite::error(step, error))?;
    Ok(found)
}

async fn connect(path: &Path, read_only: bool) -> Result<SqliteConnection, StoreError> {
    let options =
        SqliteConnectOptions::new().filename(path).read_only(read_only).busy_timeout(CLAIM_WAIT);
    options.connect().await.map_err(|error| match sqlite::error("opening", error) {
        StoreError::Busy => StoreError::Busy,
        other => StoreError::Open {
            database: format!("the SQLite database {}", path.display()),
            source: other.into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::testing::TestDb;

    fn file(test: &TestDb) -> PathBuf {
        path_of(test.options().url.expose()).unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_copy_has_what_was_committed_and_the_original_is_in_use_until_it_is_closed() {
        let test = TestDb::sqlite("x").await;
        test.db.dynamic_all("SELECT 1", args![]).await.unwrap();
        const MAKE: crate::Statement =
            crate::statement_of!(MAKE, "CREATE TABLE t (a INTEGER NOT NULL)");
        const PUT: crate::Statement = crate::statement_of!(PUT, "INSERT INTO t (a) VALUES (7)");
        test.db.execute(&MAKE, args![]).await.unwrap();
        test.db.execute(&PUT, args![]).await.unwrap();
        // A writer in the middle of a transaction holds up no copy.
        let mut tx = test.db.begin().await.unwrap();
        tx.execute(&PUT, args![]).await.unwrap();
        let path = file(&test);
        let target = path.with_extension("copy");
        copy(&path, &target).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(check(&target).await.unwrap(), Vec::<String>::new());

        assert!(matches!(claim(&path).await, Err(StoreError::Busy)));
        test.db.close().await;
        claim(&path).await.unwrap();

        let options = crate::Options {
            url: format!("sqlite:{}", target.display()).into(),
            schema: "x",
            connections_max: 1,
            read_only: true,
        };
        let copied = crate::Db::open(&options).await.unwrap();
        let rows = copied.dynamic_all("SELECT a FROM t", args![]).await.unwrap();
        assert_eq!(rows.len(), 1, "what was not committed is not in the copy");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_told() {
        let test = TestDb::sqlite("x").await;
        let path = file(&test).with_extension("junk");
        std::fs::write(&path, [7; 5000]).unwrap();
        assert!(check(&path).await.is_err());
        assert!(copy(&path, &path.with_extension("copy")).await.is_err());
        assert_eq!(path_of("postgres://h/x").unwrap(), None);
    }
}
