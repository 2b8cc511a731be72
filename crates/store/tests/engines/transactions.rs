//! Transactions, and the failures callers act on.

use model::PlanId;
use store::{Db, StoreError, args, changed_one, testing::TestDb};
use uuid::Uuid;

use crate::{
    COUNT_PLANS, DELETE_PLAN, INSERT_PLAN, INSERT_SERVICE, LOCK_PLAN, SCHEMA, SET_SOLD, engines,
};

async fn plans(db: &Db) -> i64 {
    db.fetch_one(&COUNT_PLANS, args![]).await.unwrap().get("plans").unwrap()
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_a_committed_one_stays() {
    for test in engines().await {
        let db = &test.db;
        let mut tx = db.begin().await.unwrap();
        tx.execute(&INSERT_PLAN, args![PlanId::generate(), "lost"]).await.unwrap();
        let inside = tx.fetch_one(&COUNT_PLANS, args![]).await.unwrap();
        assert_eq!(inside.get::<i64>("plans").unwrap(), 1);
        drop(tx);
        assert_eq!(plans(db).await, 0, "{}", test.engine());

        let mut tx = db.begin().await.unwrap();
        tx.execute(&INSERT_PLAN, args![PlanId::generate(), "kept"]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(plans(db).await, 1, "{}", test.engine());
        assert_eq!(plans(&test.reopen().await).await, 1, "{}", test.engine());
    }
}

#[tokio::test]
async fn a_taken_key_and_a_missing_row_are_told_apart() {
    for test in engines().await {
        let db = &test.db;
        let plan = PlanId::generate();
        db.execute(&INSERT_PLAN, args![plan, "gold"]).await.unwrap();

        let taken = db.execute(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await.unwrap_err();
        let StoreError::Unique { constraint } = taken else { panic!("{taken:?}") };
        let wanted = match test.engine() {
            store::Engine::Sqlite => "plan.name",
            store::Engine::Postgres => "plan_name_key",
        };
        assert_eq!(constraint, wanted);
        let same = db.execute(&INSERT_PLAN, args![plan, "silver"]).await.unwrap_err();
        assert!(matches!(same, StoreError::Unique { .. }), "{same:?}");

        let stranger = args![Uuid::now_v7(), PlanId::generate()];
        let refused = db.execute(&INSERT_SERVICE, stranger).await.unwrap_err();
        assert!(matches!(refused, StoreError::ForeignKey), "{refused:?}");

        db.execute(&INSERT_SERVICE, args![Uuid::now_v7(), plan]).await.unwrap();
        let used = db.execute(&DELETE_PLAN, args![plan]).await.unwrap_err();
        assert!(matches!(used, StoreError::ForeignKey), "{used:?}");

        let nobody = db.fetch_one(&LOCK_PLAN, args![PlanId::generate()]).await.err().unwrap();
        assert!(matches!(nobody, StoreError::Missing), "{nobody:?}");
        let met = db.execute(&SET_SOLD, args![PlanId::generate(), 1]).await.unwrap();
        assert!(matches!(changed_one(met), Err(StoreError::Stale)));
    }
}

#[tokio::test]
async fn a_transaction_that_lost_a_statement_cannot_be_committed() {
    for test in engines().await {
        let db = &test.db;
        let mut tx = db.begin().await.unwrap();
        tx.execute(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await.unwrap();
        // That a row is missing is an answer, not a failure.
        let nobody = tx.fetch_one(&LOCK_PLAN, args![PlanId::generate()]).await;
        assert!(matches!(nobody, Err(StoreError::Missing)));
        let twice = tx.execute(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await;
        assert!(matches!(twice, Err(StoreError::Unique { .. })));
        let after = tx.execute(&INSERT_PLAN, args![PlanId::generate(), "silver"]).await;
        assert!(matches!(after, Err(StoreError::Aborted { statement: "INSERT_PLAN" })));
        let commit = tx.commit().await;
        assert!(matches!(commit, Err(StoreError::Aborted { statement: "INSERT_PLAN" })));
        assert_eq!(plans(db).await, 0, "{}", test.engine());
        // The connection is as good as before.
        db.execute(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await.unwrap();
    }
}

/// Reads a number and writes it back plus one.
async fn sell_one(db: &Db, plan: PlanId) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let sold: i64 = tx.fetch_one(&LOCK_PLAN, args![plan]).await?.get("sold")?;
    changed_one(tx.execute(&SET_SOLD, args![plan, sold + 1]).await?)?;
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_at_once_that_read_and_write_back_lose_nothing() {
    for test in engines().await {
        let plan = PlanId::generate();
        test.db.execute(&INSERT_PLAN, args![plan, "gold"]).await.unwrap();
        // Half of them through a second set of connections, as another program would.
        let other = test.reopen().await;
        let sellers: Vec<_> = (0..8)
            .map(|seller| {
                let db = if seller % 2 == 0 { test.db.clone() } else { other.clone() };
                tokio::spawn(async move {
                    for _ in 0..20 {
                        sell_one(&db, plan).await.unwrap();
                    }
                })
            })
            .collect();
        for seller in sellers {
            seller.await.unwrap();
        }
        let row = test.db.fetch_one(&LOCK_PLAN, args![plan]).await.unwrap();
        assert_eq!(row.get::<i64>("sold").unwrap(), 160, "{}", test.engine());
    }
}

#[tokio::test]
async fn who_waits_too_long_for_the_writer_is_told_that_it_is_busy() {
    let test = TestDb::sqlite("billing").await;
    test.db.migrate(&SCHEMA).await.unwrap();
    let holder = test.db.begin().await.unwrap();
    let here = test.db.begin().await.unwrap_err();
    assert!(matches!(here, StoreError::Busy) && here.is_transient(), "{here:?}");
    // Readers go on meanwhile.
    assert_eq!(plans(&test.db).await, 0);
    drop(holder);
    test.db.begin().await.unwrap();
}

#[tokio::test]
async fn a_statement_that_writes_does_not_pass_as_a_read_in_sqlite() {
    let test = TestDb::sqlite("billing").await;
    test.db.migrate(&SCHEMA).await.unwrap();
    let sent = test.db.fetch_all(&INSERT_PLAN, args![PlanId::generate(), "gold"]).await;
    assert!(matches!(sent, Err(StoreError::ReadOnly { .. })));
}

#[tokio::test]
async fn a_lost_connection_is_unavailable_and_the_next_one_works() {
    let Some(test) = TestDb::postgres("billing").await else { return };
    test.db.migrate(&SCHEMA).await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    let plan = PlanId::generate();
    tx.execute(&INSERT_PLAN, args![plan, "gold"]).await.unwrap();
    let ended = "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
                 WHERE datname = current_database() AND state = 'idle in transaction'";
    let ended = test.reopen().await.dynamic_all(ended, args![]).await.unwrap();
    assert_eq!(ended.len(), 1);
    let lost = tx.execute(&SET_SOLD, args![plan, 1]).await.unwrap_err();
    assert!(matches!(lost, StoreError::Unavailable { .. }) && lost.is_transient(), "{lost:?}");
    drop(tx);
    assert_eq!(plans(&test.db).await, 0);
}

#[tokio::test]
async fn a_commit_whose_flush_is_lost_is_not_promised_and_the_next_one_is() {
    let Some(test) = TestDb::postgres("billing").await else { return };
    test.db.migrate(&SCHEMA).await.unwrap();
    let plan = PlanId::generate();
    let mut first = test.db.begin().await.unwrap();
    first.execute(&INSERT_PLAN, args![plan, "gold"]).await.unwrap();
    first.commit().await.unwrap();

    let mut lost = test.db.begin().await.unwrap();
    lost.execute(&SET_SOLD, args![plan, 1]).await.unwrap();
    let ended = "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
                 WHERE datname = current_database() AND query LIKE '%emit_message%'
                   AND pid <> pg_backend_pid()";
    let ended = test.reopen().await.dynamic_all(ended, args![]).await.unwrap();
    assert_eq!(ended.len(), 1, "one connection flushes for all");
    let unknown = lost.commit().await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unavailable { .. }), "{unknown:?}");

    let mut next = test.db.begin().await.unwrap();
    next.execute(&SET_SOLD, args![plan, 2]).await.unwrap();
    next.commit().await.unwrap();
}

#[tokio::test]
async fn many_commits_at_once_are_all_promised() {
    let Some(test) = TestDb::postgres("billing").await else { return };
    test.db.migrate(&SCHEMA).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let db = test.db.clone();
        writers.spawn(async move {
            for _ in 0..20 {
                let mut tx = db.begin().await.unwrap();
                let plan = PlanId::generate();
                tx.execute(&INSERT_PLAN, args![plan, plan.to_string()]).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(plans(&test.db).await, 160);
}
