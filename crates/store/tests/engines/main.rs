//! The same behaviour on every engine at hand. Set `LASTMILE_TEST_POSTGRES` to the URL of a
//! Postgres server to include it.

mod migrations;
mod opening;
mod transactions;
mod values;

use store::{Migration, Migrations, testing};

/// A schema with one column of each kind and two tables that know each other.
pub(crate) const SCHEMA: Migrations = Migrations::new(
    "test",
    &[Migration::named(
        "0001_everything",
        "CREATE TABLE everything (
             id BLOB PRIMARY KEY, flag BOOLEAN, whole INTEGER, part REAL, words TEXT,
             raw BLOB, moment INTEGER, doc TEXT, net TEXT);
         CREATE TABLE plan (id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, sold INTEGER NOT NULL);
         CREATE TABLE service (
             id BLOB PRIMARY KEY, plan_id BLOB NOT NULL REFERENCES plan (id) ON DELETE RESTRICT);",
    )],
    &[Migration::named(
        "0001_everything",
        "CREATE TABLE everything (
             id UUID PRIMARY KEY, flag BOOLEAN, whole BIGINT, part DOUBLE PRECISION, words TEXT,
             raw BYTEA, moment TIMESTAMPTZ, doc JSONB, net INET);
         CREATE TABLE plan (id UUID PRIMARY KEY, name TEXT NOT NULL UNIQUE, sold BIGINT NOT NULL);
         CREATE TABLE service (
             id UUID PRIMARY KEY, plan_id UUID NOT NULL REFERENCES plan (id) ON DELETE RESTRICT);",
    )],
);

store::statements! {
    /// A row of every kind.
    pub(crate) INSERT_EVERYTHING =
        "INSERT INTO everything (id, flag, whole, part, words, raw, moment, doc, net)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Reads it back.
    pub(crate) FIND_EVERYTHING = "SELECT * FROM everything WHERE id = $1";
    /// A plan.
    pub(crate) INSERT_PLAN = "INSERT INTO plan (id, name, sold) VALUES ($1, $2, 0)";
    /// A plan by id, to change it.
    pub(crate) LOCK_PLAN = {
        sqlite: "SELECT sold FROM plan WHERE id = $1",
        postgres: "SELECT sold FROM plan WHERE id = $1 FOR UPDATE",
    };
    /// Writes the number sold.
    pub(crate) SET_SOLD = "UPDATE plan SET sold = $2 WHERE id = $1";
    /// Counts plans.
    pub(crate) COUNT_PLANS = "SELECT COUNT(*) AS plans FROM plan";
    /// Removes a plan.
    pub(crate) DELETE_PLAN = "DELETE FROM plan WHERE id = $1";
    /// A service of a plan.
    pub(crate) INSERT_SERVICE = "INSERT INTO service (id, plan_id) VALUES ($1, $2)";
    /// Plans among these.
    pub(crate) AMONG = {
        sqlite: "SELECT name FROM plan
                 WHERE id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY name",
        postgres: "SELECT name FROM plan WHERE id = ANY($1) ORDER BY name",
    };
}

/// Fresh databases with [`SCHEMA`] in them.
pub(crate) async fn engines() -> Vec<testing::TestDb> {
    let all = testing::engines("billing").await;
    for test in &all {
        test.db.migrate(&SCHEMA).await.unwrap();
    }
    all
}

#[tokio::test]
async fn every_statement_prepares_and_a_bad_one_is_found() {
    const BAD: store::Statement = store::Statement {
        name: "BAD",
        sqlite: "SELECT nmae FROM plan",
        postgres: "SELECT nmae FROM plan",
    };
    for test in engines().await {
        assert!(store::prepare_all(&test.db, ALL).await.is_empty(), "{}", test.engine());
        let failures = store::prepare_all(&test.db, &[&COUNT_PLANS, &BAD]).await;
        assert_eq!(failures.len(), 1, "{}", test.engine());
        let (name, error) = &failures[0];
        assert_eq!(*name, "BAD");
        let cause = std::error::Error::source(error).unwrap().to_string();
        assert!(cause.contains("nmae"), "{cause}");
    }
}
