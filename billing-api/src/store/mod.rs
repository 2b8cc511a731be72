//! SQL of the office, one file per table family.
//!
//! Every statement that reads or changes what an organisation owns has the scope in its text:
//! `$1` is the path of the caller's organisation, and rows outside its subtree do not exist
//! for it. Plans are `inherited`: an ancestor's are readable too.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod auth_log;
pub(crate) mod customer;
pub(crate) mod hook;
pub(crate) mod idempotency;
pub(crate) mod identity_provider;
pub(crate) mod job;
pub(crate) mod ledger;
pub(crate) mod nas;
pub(crate) mod network;
pub(crate) mod organisation;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod pool;
pub(crate) mod preference;
pub(crate) mod prefix;
pub(crate) mod purge;
pub(crate) mod rules;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod setting;

store::migrations! {
    /// The office's schema.
    pub(crate) MIGRATIONS = "billing" in "../schema" { "0001_office", "0002_label", "0003_idempotency", "0004_entity", "0005_access", "0006_job", "0007_webhook", "0008_setting", "0009_transfer", "0010_console", "0011_ledger" }
}

/// Every statement, for the test that prepares them on both engines.
#[cfg(test)]
pub(crate) const OFFICE: &[&[&store::Statement]] = &[
    access::ALL,
    audit::ALL,
    customer::ALL,
    hook::ALL,
    idempotency::ALL,
    identity_provider::ALL,
    job::ALL,
    ledger::ALL,
    nas::ALL,
    organisation::ALL,
    plan::ALL,
    pool::ALL,
    policy::ALL,
    preference::ALL,
    prefix::ALL,
    purge::ALL,
    rules::ALL,
    service::ALL,
    setting::ALL,
    crate::entity::custom::ALL,
    crate::entity::export::ALL,
    crate::entity::export::background::ALL,
    crate::entity::export::scheduled::ALL,
    crate::entity::import::ALL,
    crate::entity::import::failed::ALL,
    crate::entity::import::run::ALL,
    crate::entity::import::undo::ALL,
    crate::entity::search::ALL,
    crate::mail::letters::ALL,
    crate::mail::queue::ALL,
    crate::mail::server::ALL,
    crate::seed::customers::ALL,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_statement_prepares_on_both_engines() {
        for test in ::store::testing::engines("billing").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            for statements in OFFICE {
                let failures = ::store::prepare_all(&test.db, statements).await;
                assert!(failures.is_empty(), "{:?}: {failures:?}", test.engine());
            }
        }
    }

    #[test]
    fn both_schemas_say_the_same_in_their_own_types() {
        let pairs = [
            (
                "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                "INTEGER PRIMARY KEY AUTOINCREMENT",
            ),
            (" TIMESTAMPTZ", " INTEGER"),
            (" JSONB", " TEXT"),
            (" INET", " TEXT"),
            (" BIGINT", " INTEGER"),
            (" BYTEA", " BLOB"),
            (" UUID", " BLOB"),
        ];
        // What only one engine has stands between two marks.
        let shared = |text: &str| {
            let mut shared = true;
            let lines = text.lines().filter(|line| {
                if line.starts_with("-- Both engines again") {
                    shared = true;
                }
                let was = shared;
                if line.starts_with("-- Only in this engine") {
                    shared = false;
                }
                was
            });
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(MIGRATIONS.postgres.len(), MIGRATIONS.sqlite.len());
        for (postgres, sqlite) in MIGRATIONS.postgres.iter().zip(MIGRATIONS.sqlite) {
            let postgres_text = postgres.sql.to_owned();
            let translated =
                pairs.iter().fold(postgres_text, |text, (pg, lite)| text.replace(pg, lite));
            let (expected, found) = (shared(&translated), shared(sqlite.sql));
            for (n, (expected, found)) in expected.iter().zip(&found).enumerate() {
                assert_eq!(found, expected, "{} line {}", sqlite.name, n + 1);
            }
            assert_eq!(expected.len(), found.len(), "{}", sqlite.name);
        }
    }
}
