//! The list of schema changes.

use store::testing::{TestDb, engines};
use store::{Db, Migration, Migrations, Options, StoreError, args};

store::statements! {
    /// What was applied, as the list itself says.
    APPLIED = "SELECT version, name FROM schema_migration ORDER BY version";
}

const ONE: Migration =
    Migration::named("0001_plan", "CREATE TABLE plan (id INTEGER); INSERT INTO plan VALUES (1);");
const TWO: Migration = Migration::named("0002_price", "ALTER TABLE plan ADD COLUMN price INTEGER");
const THREE: Migration = Migration::named("0003_name", "ALTER TABLE plan ADD COLUMN name TEXT");

store::migrations! {
    /// Scripts in files, as the programs have them.
    FILES = "files" in "files" { "0001_plan", "0002_service" }
}

/// The same scripts on both engines.
const fn list(migrations: &'static [Migration]) -> Migrations {
    Migrations::new("test", migrations, migrations)
}

async fn applied(db: &Db) -> Vec<i64> {
    let rows = db.fetch_all(&APPLIED, args![]).await.unwrap();
    rows.iter().map(|row| row.get("version").unwrap()).collect()
}

#[tokio::test]
async fn migrations_apply_once_and_in_order() {
    for test in engines("billing").await {
        test.db.migrate(&list(&[ONE])).await.unwrap();
        assert_eq!(applied(&test.db).await, [1]);
        test.db.migrate(&list(&[ONE, TWO, THREE])).await.unwrap();
        test.db.migrate(&list(&[ONE, TWO, THREE])).await.unwrap();
        assert_eq!(applied(&test.db).await, [1, 2, 3]);
        let plans = test.db.dynamic_all("SELECT id, price, name FROM plan", args![]).await.unwrap();
        assert_eq!(plans.len(), 1, "{}", test.engine());
    }
}

#[tokio::test]
async fn scripts_in_files_are_listed_by_their_names() {
    for test in engines("billing").await {
        test.db.migrate(&FILES).await.unwrap();
        let rows = test.db.fetch_all(&APPLIED, args![]).await.unwrap();
        let names: Vec<String> = rows.iter().map(|row| row.get("name").unwrap()).collect();
        assert_eq!(names, ["0001_plan", "0002_service"], "{}", test.engine());
        let services = test.db.dynamic_all("SELECT plan_id FROM service", args![]).await.unwrap();
        assert_eq!(services.len(), 1, "a comment and several statements in one file");
    }
}

#[tokio::test]
async fn an_applied_migration_must_stay_as_it_was() {
    const EDITED: Migration = Migration::named("0001_plan", "CREATE TABLE plan (id INTEGER)");
    for test in engines("billing").await {
        test.db.migrate(&list(&[ONE])).await.unwrap();
        let refused = test.db.migrate(&list(&[EDITED, TWO])).await.unwrap_err();
        assert_eq!(refused.to_string(), "migration 0001_plan was changed after it was applied");
        assert_eq!(applied(&test.db).await, [1], "nothing else was applied");
    }
}

#[tokio::test]
async fn a_program_older_than_its_schema_is_refused() {
    for test in engines("billing").await {
        test.db.migrate(&list(&[ONE, TWO])).await.unwrap();
        let refused = test.db.migrate(&list(&[ONE])).await.unwrap_err();
        assert!(matches!(refused, StoreError::NewerSchema { found: 2, known: 1 }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_list_that_does_not_continue_the_applied_one_is_refused() {
    for test in engines("billing").await {
        test.db.migrate(&list(&[ONE, THREE])).await.unwrap();
        let late = test.db.migrate(&list(&[ONE, TWO, THREE])).await.unwrap_err();
        assert_eq!(late.to_string(), "migration 0002_price was listed after newer ones");
        const FOUR: Migration = Migration::named("0004_more", "SELECT 1");
        let gone = test.db.migrate(&list(&[ONE, FOUR])).await.unwrap_err();
        assert_eq!(gone.to_string(), "migration 0003_name was applied and is not listed");
        assert_eq!(applied(&test.db).await, [1, 3]);
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_of_itself() {
    const BROKEN: Migration = Migration::named(
        "0002_broken",
        "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);",
    );
    for test in engines("billing").await {
        let failed = test.db.migrate(&list(&[ONE, BROKEN])).await.unwrap_err();
        assert_eq!(failed.to_string(), "migration 0002_broken failed");
        let cause = std::error::Error::source(&failed).unwrap().to_string();
        assert!(cause.contains("nowhere"), "{cause}");
        assert_eq!(applied(&test.db).await, [1]);
        assert!(test.db.dynamic_all("SELECT id FROM half", args![]).await.is_err());
        // Mended, it applies.
        test.db.migrate(&list(&[ONE, TWO])).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_start_at_once_take_turns() {
    const LISTED: Migrations = list(&[ONE, TWO, THREE]);
    for test in engines("billing").await {
        let starting: Vec<_> = (0..4)
            .map(|_| {
                let options = test.options().clone();
                tokio::spawn(async move {
                    let db = Db::open(&options).await.unwrap();
                    db.migrate(&LISTED).await.unwrap();
                    db.close().await;
                })
            })
            .collect();
        for program in starting {
            program.await.unwrap();
        }
        assert_eq!(applied(&test.db).await, [1, 2, 3], "{}", test.engine());
    }
}

#[tokio::test]
async fn a_table_others_refer_to_can_be_rebuilt_in_sqlite() {
    const START: Migration = Migration::named(
        "0001_start",
        "CREATE TABLE plan (id INTEGER PRIMARY KEY);
         CREATE TABLE service (plan_id INTEGER REFERENCES plan (id) ON DELETE CASCADE);
         INSERT INTO plan VALUES (1); INSERT INTO service VALUES (1);",
    );
    const REBUILD: Migration = Migration::named(
        "0002_rebuild",
        "CREATE TABLE plan_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         INSERT INTO plan_new SELECT id, 'plan ' || id FROM plan;
         DROP TABLE plan;
         ALTER TABLE plan_new RENAME TO plan;",
    );
    const LOSE: Migration = Migration::named("0003_lose", "DELETE FROM plan");
    let test = TestDb::sqlite("billing").await;
    test.db.migrate(&list(&[START, REBUILD])).await.unwrap();
    let services = test.db.dynamic_all("SELECT plan_id FROM service", args![]).await.unwrap();
    assert_eq!(services.len(), 1);

    let refused = test.db.migrate(&list(&[START, REBUILD, LOSE])).await.unwrap_err();
    assert_eq!(refused.to_string(), "migration 0003_lose leaves rows that refer to missing ones");
    assert_eq!(test.db.dynamic_all("SELECT id FROM plan", args![]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reader_waits_for_the_schema_it_needs() {
    for test in engines("network").await {
        test.db.migrate(&list(&[ONE])).await.unwrap();
        let reader =
            Db::open(&Options { read_only: true, ..test.options().clone() }).await.unwrap();
        reader.migrate(&list(&[ONE])).await.unwrap();
        let early = reader.migrate(&list(&[ONE, TWO])).await.unwrap_err();
        assert!(matches!(early, StoreError::OlderSchema { found: 1, known: 2 }), "{early:?}");
        test.db.migrate(&list(&[ONE, TWO])).await.unwrap();
        reader.migrate(&list(&[ONE, TWO])).await.unwrap();
        let late = reader.migrate(&list(&[ONE])).await.unwrap_err();
        assert!(matches!(late, StoreError::NewerSchema { found: 2, known: 1 }), "{late:?}");
    }
}
