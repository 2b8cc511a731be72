//! A fresh database per test, on every engine at hand.
//!
//! SQLite always; Postgres where `LASTMILE_TEST_POSTGRES` holds the URL of a server on which
//! databases may be created. Each test has databases of its own, so tests run side by side,
//! and both are gone when the [`TestDb`] is dropped.
//!
//! Being test support, everything here panics where it cannot go on.

use std::path::PathBuf;
use std::str::FromStr;

use model::Secret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::{Db, Engine, Options};

/// Where the Postgres server for tests is.
pub const POSTGRES_VARIABLE: &str = "LASTMILE_TEST_POSTGRES";

/// A database for one test.
pub struct TestDb {
    /// The open database.
    pub db: Db,
    options: Options,
    home: Home,
}

/// What has to be cleared away.
enum Home {
    Directory(PathBuf),
    Database { server: Box<PgConnectOptions>, name: String },
}

/// A test database on each engine at hand, with the given Postgres schema.
///
/// ```no_run
/// # async fn test() {
/// for test in store::testing::engines("billing").await {
///     assert!(test.db.ping().await.is_ok(), "{}", test.engine());
/// }
/// # }
/// ```
pub async fn engines(schema: &'static str) -> Vec<TestDb> {
    let mut all = vec![TestDb::sqlite(schema).await];
    all.extend(TestDb::postgres(schema).await);
    all
}

impl TestDb {
    /// A SQLite file in a directory of its own under the system's for temporary files.
    pub async fn sqlite(schema: &'static str) -> Self {
        let directory = std::env::temp_dir().join(format!("lastmile-{}", random_name()));
        std::fs::create_dir(&directory).expect("create a directory for the test database");
        let url = format!("sqlite:{}", directory.join("test.db").display());
        Self::open(url, schema, Home::Directory(directory)).await
    }

    /// A new database on the server the environment names, if it names one.
    pub async fn postgres(schema: &'static str) -> Option<Self> {
        let server = std::env::var(POSTGRES_VARIABLE).ok().filter(|url| !url.is_empty())?;
        let options = PgConnectOptions::from_str(&server).expect("a URL of a Postgres server");
        let name = format!("lastmile_test_{}", random_name());
        let mut connection = options.connect().await.expect("connect to the Postgres server");
        create(&mut connection, &name).await.expect("create a database for the test");
        connection.close().await.expect("close the connection");
        let url = with_database(&server, &name);
        Some(Self::open(url, schema, Home::Database { server: Box::new(options), name }).await)
    }

    async fn open(url: String, schema: &'static str, home: Home) -> Self {
        let options =
            Options { url: Secret::new(url), schema, connections_max: 4, read_only: false };
        let db = Db::open(&options).await.expect("open the test database");
        Self { db, options, home }
    }

    /// Which engine it is on; to be shown when an assertion fails.
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }

    /// How it was opened, for opening it a second time.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Opens it a second time, as another program would.
    pub async fn reopen(&self) -> Db {
        Db::open(&self.options).await.expect("open the test database again")
    }
}

impl Drop for TestDb {
    /// A panic here during another one would hide it, so what cannot be cleared is told.
    fn drop(&mut self) {
        match &self.home {
            Home::Directory(directory) => {
                if let Err(error) = std::fs::remove_dir_all(directory) {
                    eprintln!("could not remove {}: {error}", directory.display());
                }
            }
            Home::Database { server, name } => {
                // A thread with a runtime of its own: this one may be ending.
                let (server, shown) = (server.clone(), name.clone());
                let name = name.clone();
                let dropped = std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .map_err(sqlx::Error::Io)?
                        .block_on(drop_database(&server, &name))
                });
                match dropped.join() {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => eprintln!("could not drop the database {shown}: {error}"),
                    Err(_) => eprintln!("could not drop the database {shown}"),
                }
            }
        }
    }
}

/// Unique among all tests that run at once.
fn random_name() -> String {
    Uuid::now_v7().simple().to_string()
}

/// The server's URL with another database in its path.
fn with_database(server: &str, name: &str) -> String {
    let (url, query) = match server.split_once('?') {
        Some((url, query)) => (url, format!("?{query}")),
        None => (server, String::new()),
    };
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    format!("{}/{name}{query}", &url[..end])
}

// The names below are made here, of letters, digits and underscores: a database's name cannot
// be an argument.

async fn create(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

async fn drop_database(server: &PgConnectOptions, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = server.connect().await?;
    let sql = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (server, wanted) in [
            ("postgres://u:p@h:5432/postgres", "postgres://u:p@h:5432/x"),
            ("postgres://u@h", "postgres://u@h/x"),
            ("postgres://h/?sslmode=disable", "postgres://h/x?sslmode=disable"),
        ] {
            assert_eq!(with_database(server, "x"), wanted);
        }
    }
}
