use std::path::Path;

use bus::Follower;
use bytes::Bytes;
use model::SystemClock;
use model::accounting::{self, ACKS};
use model::control::{FactState, Status};
use store::{Statement, args};

use super::*;
use crate::testing::{Said, nas};

fn config(data: &Path) -> Config {
    Config { data: data.to_owned(), ..Config::default() }
}

#[tokio::test]
async fn it_starts_applies_answers_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("policyd"));
    let bus = Bus::local();
    let (trigger, shutdown) = Shutdown::new();
    let health = Health::new();
    let parts = Parts { bus: bus.clone(), health: health.clone(), clock: Arc::new(SystemClock) };
    let opened = Opened::open(config.clone(), parts).await.unwrap();
    let running = tokio::spawn(opened.run(shutdown.clone()));
    shutdown.until_started().await;
    health.until_ready().await;

    let said: Vec<Said> = (0..40).map(|n| Said::start(&format!("s{n}"), n)).collect();
    let mut waiting = std::collections::BTreeSet::new();
    for (sequence, said) in (1..).zip(&said) {
        let id = format!("s{}", sequence - 1);
        let partition = accounting::partition(nas(1), id.as_bytes());
        waiting.insert(partition);
        let body: Bytes = said.shipped(1, sequence);
        bus.append(&accounting::stream(partition), &[body]).await.unwrap();
    }
    assert_eq!(waiting.len(), usize::from(PARTITIONS), "every partition has some");
    let mut acks = Follower::new(ACKS);
    let path = config.control_path();
    let status = loop {
        acks.next(&bus, 100, Duration::from_secs(10)).await.unwrap();
        let none = serde_json::Value::Null;
        let status: Status = daemon::control::call(&path, "status", &none).await.unwrap();
        if status.facts.iter().any(|fact| fact.value == "40") {
            break status;
        }
    };
    assert!(status.ready && status.program == "policyd");
    let fact = |name: &str| status.facts.iter().find(|fact| fact.name == name).unwrap();
    assert_eq!(fact("partitions").value, "8 of 8 held");
    assert_eq!(fact("database").value, "SQLite");
    assert_eq!(fact("bus").value, "in process");
    assert!(status.facts.iter().all(|fact| fact.state == FactState::Good));
    let unknown = daemon::control::call::<_, Status>(&path, "dance", &()).await;
    assert!(matches!(unknown, Err(ControlError::UnknownCall(_))));

    trigger.soft();
    running.await.unwrap().unwrap();
    assert!(!path.exists());
    let db = open_store(&config).await.unwrap();
    let rows = db.dynamic_all("SELECT count(*) AS n FROM session", args![]).await.unwrap();
    assert_eq!(rows[0].get::<i64>("n").unwrap(), 40);
    db.close().await;
}

#[tokio::test]
async fn a_directory_that_is_none_is_named_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "").unwrap();
    let error = open_store(&config(&path)).await.unwrap_err();
    assert!(matches!(error, RunError::Data { .. }));
    assert!(error.to_string().ends_with("file"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_at_start() {
    const NEWER: Statement = Statement {
        name: "NEWER",
        sqlite: "INSERT INTO schema_migration (version, name, checksum) VALUES (99, 'x', 'y')",
        postgres: "",
    };
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let db = open_store(&config).await.unwrap();
    db.execute(&NEWER, args![]).await.unwrap();
    db.close().await;
    let error = open_store(&config).await.unwrap_err();
    assert!(matches!(error, RunError::Store(StoreError::NewerSchema { found: 99, .. })));
}
