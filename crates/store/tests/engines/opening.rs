//! Opening and closing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use model::{PlanId, Secret};
use store::testing::{self, TestDb};
use store::{Db, Options, StoreError, args};

use crate::{COUNT_PLANS, INSERT_PLAN, SCHEMA, engines};

fn options(url: &str) -> Options {
    Options { url: url.into(), schema: "billing", connections_max: 2, read_only: false }
}

/// An error with its causes, as a log shows it.
fn chain(error: &StoreError) -> String {
    let mut shown = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        shown = format!("{shown}: {error}");
        cause = error.source();
    }
    shown
}

#[tokio::test]
async fn a_database_answers_until_it_is_closed() {
    for test in testing::engines("billing").await {
        test.db.ping().await.unwrap();
        test.db.close().await;
        let closed = test.db.ping().await.unwrap_err();
        assert!(matches!(closed, StoreError::Unavailable { .. }), "{closed:?}");
    }
}

#[tokio::test]
async fn a_missing_directory_is_named_with_the_engine() {
    let refused = Db::open(&options("sqlite:/nonexistent/office.db")).await.unwrap_err();
    assert_eq!(
        chain(&refused),
        "cannot open the SQLite database /nonexistent/office.db: \
         the directory /nonexistent does not exist"
    );
}

#[tokio::test]
async fn an_address_of_no_known_kind_is_refused_and_not_shown() {
    for url in ["mysql://anna:hunter2@h/x", "postgres://anna:hunter2@h:port/x", "sqlite:", ""] {
        let refused = Db::open(&options(url)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Url { .. }), "{refused:?}");
        assert!(!chain(&refused).contains("hunter2"));
        assert!(!format!("{refused:?} {:?}", options(url)).contains("hunter2"));
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_named_without_the_password() {
    // The discard port: nothing listens there.
    let away = Db::open(&options("postgres://anna:hunter2@127.0.0.1:9/office")).await.unwrap_err();
    assert!(away.is_transient(), "{away:?}");
    let shown = chain(&away);
    assert!(shown.starts_with("opening the Postgres database office at 127.0.0.1:9: "), "{shown}");
    assert!(shown.contains("refused") && !shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_no_passing_trouble() {
    let Ok(server) = std::env::var(testing::POSTGRES_VARIABLE) else { return };
    let url = server.replace("/postgres", "/no_such_database");
    let refused = Db::open(&options(&url)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Open { .. }) && !refused.is_transient(), "{refused:?}");
    assert!(chain(&refused).contains("no_such_database"), "{}", chain(&refused));
}

/// The file of a SQLite test database.
fn file(test: &TestDb) -> &Path {
    Path::new(test.options().url.expose().strip_prefix("sqlite:").unwrap())
}

#[tokio::test]
async fn nobody_but_the_owner_may_read_the_file() {
    let test = TestDb::sqlite("billing").await;
    test.db.migrate(&SCHEMA).await.unwrap();
    test.db.execute(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file(&test)), 0o600);
    assert_eq!(mode(&file(&test).with_extension("db-wal")), 0o600);

    // One that came from elsewhere, say out of a backup, is put right.
    std::fs::set_permissions(file(&test), std::fs::Permissions::from_mode(0o644)).unwrap();
    test.reopen().await;
    assert_eq!(mode(file(&test)), 0o600);
}

#[tokio::test]
async fn sqlite_runs_as_it_should() {
    let test = TestDb::sqlite("billing").await;
    let read = |db: Db, sql: &'static str| async move {
        db.dynamic_all(sql, args![]).await.unwrap()[0].get::<String>("is").unwrap()
    };
    let mode = "SELECT journal_mode AS \"is\" FROM pragma_journal_mode";
    assert_eq!(read(test.db.clone(), mode).await, "wal");

    store::statements! {
        /// 1 is NORMAL, 2 is FULL.
        SYNCHRONOUS = "SELECT synchronous AS level FROM pragma_synchronous";
        /// 1 is on.
        FOREIGN_KEYS = "SELECT foreign_keys AS checked FROM pragma_foreign_keys";
    }
    let normal = format!("{}?synchronous=normal", test.options().url.expose());
    let normal = Options { url: Secret::new(normal), ..test.options().clone() };
    let normal = Db::open(&normal).await.unwrap();
    for (db, wanted) in [(&test.db, 2), (&normal, 1)] {
        let mut tx = db.begin().await.unwrap();
        let level = tx.fetch_one(&SYNCHRONOUS, args![]).await.unwrap();
        assert_eq!(level.get::<i64>("level").unwrap(), wanted);
        let checked = tx.fetch_one(&FOREIGN_KEYS, args![]).await.unwrap();
        assert_eq!(checked.get::<i64>("checked").unwrap(), 1);
    }
}

#[tokio::test]
async fn postgres_runs_as_it_should() {
    let Some(test) = TestDb::postgres("network").await else { return };
    let sql = "SELECT current_schema()::text AS schema,
                      current_setting('statement_timeout') AS timeout,
                      current_setting('TimeZone') AS zone";
    let rows = test.db.dynamic_all(sql, args![]).await.unwrap();
    assert_eq!(rows[0].get::<String>("schema").unwrap(), "network");
    assert_eq!(rows[0].get::<String>("timeout").unwrap(), "30s");
    assert_eq!(rows[0].get::<String>("zone").unwrap(), "UTC");
}

#[tokio::test]
async fn a_reader_sees_the_owners_rows_and_changes_none() {
    for test in engines().await {
        let reader =
            Db::open(&Options { read_only: true, ..test.options().clone() }).await.unwrap();
        test.db.execute(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await.unwrap();
        let count = |row: store::Row| row.get::<i64>("plans").unwrap();
        assert_eq!(count(reader.fetch_one(&COUNT_PLANS, args![]).await.unwrap()), 1);

        let refused = reader.execute(&INSERT_PLAN, args![PlanId::generate(), "silver"]).await;
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
        let mut tx = reader.begin().await.unwrap();
        let refused = tx.execute(&INSERT_PLAN, args![PlanId::generate(), "silver"]).await;
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
        drop(tx);
        assert_eq!(count(test.db.fetch_one(&COUNT_PLANS, args![]).await.unwrap()), 1);
    }
}

#[tokio::test]
async fn a_reader_creates_no_file() {
    let test = TestDb::sqlite("billing").await;
    let other = file(&test).with_extension("other");
    let url = Secret::new(format!("sqlite:{}", other.display()));
    let refused = Db::open(&Options { url, read_only: true, ..test.options().clone() }).await;
    assert!(refused.is_err());
    assert!(!other.exists());
}

#[tokio::test]
async fn a_test_database_is_gone_after_the_test() {
    let test = TestDb::sqlite("billing").await;
    let directory = file(&test).parent().unwrap().to_owned();
    assert!(directory.is_dir());
    drop(test);
    assert!(!directory.exists());

    let (Some(test), Some(watcher)) =
        (TestDb::postgres("billing").await, TestDb::postgres("billing").await)
    else {
        return;
    };
    let url = test.options().url.expose().clone();
    let name = url.rsplit('/').next().unwrap();
    let mut given = store::Args::new();
    given.push(name);
    let sql = "SELECT datname FROM pg_database WHERE datname = $1";
    assert_eq!(watcher.db.dynamic_all(sql, given.clone()).await.unwrap().len(), 1);
    drop(test);
    assert!(watcher.db.dynamic_all(sql, given).await.unwrap().is_empty());
}
