//! Files made in the background: what is asked for is what is made, each organisation has its
//! share, and nothing is kept longer than its time or forgotten before it.

use std::sync::Arc;

use daemon::lifecycle::Shutdown;
use daemon::secrets::Keyring;
use model::ManualClock;
use serde_json::json;
use store::testing::TestDb;

use super::*;
use crate::entity::registry::LABEL;
use crate::entity::tests::{actor, label};
use crate::entity::write;
use crate::jobs::{Runner, enqueue, registry::KINDS};
use crate::store::MIGRATIONS;

static LABELS: &Entity = &LABEL;

struct Lab {
    office: Arc<Office>,
    clock: Arc<ManualClock>,
    root: Actor,
    _db: TestDb,
}

async fn labs() -> Vec<Lab> {
    let mut labs = Vec::new();
    for db in store::testing::engines("billing").await {
        db.db.migrate(&MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::at("2026-05-01T00:15:00Z".parse().unwrap()));
        let (one, two) = (db.db.clone(), db.db.clone());
        let office = Arc::new(Office::new(one, two, Keyring::ephemeral(), clock.clone()));
        let root = actor(&office, None).await;
        labs.push(Lab { office, clock, root, _db: db });
    }
    labs
}

impl Lab {
    async fn order(&self, query: &str) -> Result<String, Fault> {
        let id = order(&self.office, &self.root, LABELS, query).await?;
        Ok(model::id::show(EXPORT.prefix, id))
    }

    /// A round of the runner.
    async fn work(&self) {
        let (_trigger, stop) = Shutdown::new();
        let mut runner = Runner::new(self.office.clone(), KINDS, stop);
        runner.turn().await.unwrap();
        runner.settle().await;
    }

    async fn find(&self, id: &str) -> Kept {
        find(&self.office, &self.root, id).await.unwrap()
    }

    /// The file's lines, the first with the names of its columns apart.
    async fn lines(&self, id: &str) -> Vec<String> {
        let id = EXPORT.id(id).unwrap();
        let file = file(&self.office, id).await.unwrap().unwrap();
        let text = String::from_utf8(file.content).unwrap();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    async fn change(&self, sql: &str, args: store::Args) {
        let mut tx = self.office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn purge(&self) {
        enqueue::start(&self.office, &self.root, &PURGE, json!({})).await.unwrap();
        self.work().await;
    }

    async fn pieces_left(&self) -> i64 {
        let sql = "SELECT COUNT(*) AS count FROM export_chunk";
        let rows = self.office.db.dynamic_all(sql, args![]).await.unwrap();
        rows[0].get("count").unwrap()
    }
}

#[tokio::test]
async fn a_file_made_later_has_the_filters_that_were_asked_for() {
    for lab in labs().await {
        for name in ["+49 Nord", " 49 Nord", "Smith & Sons", "Smith", "100%25", "a=b"] {
            let body = json!({"name": name, "kind": "customer"});
            // A name is trimmed: the second is the text that a plus would be misread as.
            label(&lab.office, &lab.root, body).await.unwrap();
        }
        for (query, expected) in [
            ("name[contains]=%2B49&fields=name&guard=false", vec!["+49 Nord"]),
            ("name=Smith%20%26%20Sons&fields=name&guard=false", vec!["Smith & Sons"]),
            ("name=100%2525&fields=name&guard=false", vec!["100%25"]),
            ("name=a%3Db&fields=name&guard=false", vec!["a=b"]),
            ("q=Smith%20%26%20Sons&fields=name&guard=false", vec!["Smith & Sons"]),
        ] {
            let id = lab.order(query).await.unwrap();
            lab.work().await;
            assert_eq!(lab.find(&id).await.state, "finished", "{query}");
            assert_eq!(lab.lines(&id).await, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn a_file_has_every_record_that_its_search_finds() {
    for lab in labs().await {
        let mut unit = Unit::begin(&lab.office, &lab.root).await.unwrap();
        for n in 0..1250 {
            let body = json!({"name": format!("Zebra {n:04}"), "kind": "device"}).to_string();
            let draft = write::parse(LABELS, &[], body.as_bytes(), true).unwrap();
            write::create_in(&mut unit, LABELS, draft).await.unwrap();
        }
        unit.commit().await.unwrap();
        let partner = actor(&lab.office, Some(&lab.root)).await;
        let foreign = json!({"name": "Zebra there", "kind": "device"});
        label(&lab.office, &partner, foreign).await.unwrap();
        let id = lab.order("q=zebra&fields=name&sort=name").await.unwrap();
        lab.work().await;
        let lines = lab.lines(&id).await;
        assert_eq!((lines.len(), lines[0].as_str()), (1251, "Zebra 0000"));
        let given = parameters("q=zebra").unwrap();
        let export = Export::parse(&lab.office, &lab.root, LABELS, given).await.unwrap();
        assert!(export.exceeds(&lab.office, &lab.root, 1250).await.unwrap());
        assert!(!export.exceeds(&lab.office, &lab.root, 1251).await.unwrap());

        // Of what a page's search left out, the page does not say that it is all.
        let asked = |text: &str| {
            let pair = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
            let given = [("q", text), ("total", "true")].map(pair).into_iter().collect();
            crate::entity::query::ListQuery::parse(LABELS, &[], given).unwrap()
        };
        let listed = read::list(&lab.office, &lab.root, LABELS, &asked("zebra")).await.unwrap();
        assert_eq!(listed.total, Some((1000, false)));
        let few = read::list(&lab.office, &lab.root, LABELS, &asked("zebra 0007")).await.unwrap();
        assert_eq!(few.total, Some((1, true)));

        // A change of many reaches as many, and below nothing but what is theirs.
        let delete = json!({"action": "delete", "filter": {"q": "zebra"}}).to_string();
        for (actor, count) in [(&partner, 1), (&lab.root, 1250)] {
            let made = crate::entity::bulk::order(&lab.office, actor, LABELS, delete.as_bytes());
            let made = made.await.unwrap();
            lab.work().await;
            let sql = "SELECT result FROM job_run WHERE id = $1";
            let row = lab.office.db.dynamic_all(sql, args![made.id]).await.unwrap().remove(0);
            assert_eq!(row.get::<Json>("result").unwrap()["changed"], count);
        }
    }
}

#[tokio::test]
async fn an_organisation_has_so_many_files_under_way_and_so_much_kept() {
    for lab in labs().await {
        label(&lab.office, &lab.root, json!({"name": "A", "kind": "device"})).await.unwrap();
        let mut ids = Vec::new();
        for _ in 0..OPEN_MAX {
            ids.push(lab.order("").await.unwrap());
        }
        let Err(Fault::Conflict { detail, .. }) = lab.order("").await else { panic!("taken") };
        assert!(detail.starts_with("10 files"), "{detail}");
        // Others are not held up.
        let partner = actor(&lab.office, Some(&lab.root)).await;
        order(&lab.office, &partner, LABELS, "").await.unwrap();
        for _ in 0..OPEN_MAX {
            lab.work().await;
        }
        assert_eq!(lab.find(&ids[9]).await.state, "finished");
        lab.order("").await.unwrap();
        let id = EXPORT.id(&ids[0]).unwrap();
        let sql = "UPDATE data_export SET octets = $2 WHERE id = $1";
        lab.change(sql, args![id, KEPT_OCTETS_MAX]).await;
        let Err(Fault::Conflict { detail, .. }) = lab.order("").await else { panic!("taken") };
        assert!(detail.contains("2048 MiB") && detail.contains("72 hours"), "{detail}");
        lab.clock.advance(80 * 3600);
        lab.purge().await;
        lab.order("").await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_nobody_came_to_finish_is_forgotten() {
    for lab in labs().await {
        label(&lab.office, &lab.root, json!({"name": "A", "kind": "device"})).await.unwrap();
        let shown = lab.order("").await.unwrap();
        let id = EXPORT.id(&shown).unwrap();
        // As a program leaves it that dies in the middle.
        lab.change("UPDATE job_run SET state = 'cancelled'", args![]).await;
        lab.change("UPDATE data_export SET state = 'running'", args![]).await;
        keep(&lab.office, id, 0, b"half of it").await.unwrap();
        let limit = LIMIT.as_secs() as i64;
        lab.clock.advance(limit + 71 * 3600);
        lab.purge().await;
        assert_eq!(
            (lab.find(&shown).await.state.as_str(), lab.pieces_left().await),
            ("running", 1)
        );
        lab.clock.advance(2 * 3600);
        lab.purge().await;
        assert_eq!((lab.find(&shown).await.state.as_str(), lab.pieces_left().await), ("broken", 0));
    }
}

#[tokio::test]
async fn a_file_that_is_forgotten_while_it_is_read_does_not_look_whole() {
    for lab in labs().await {
        let mut unit = Unit::begin(&lab.office, &lab.root).await.unwrap();
        for n in 0..3000 {
            let text = format!("{n} {}", "x".repeat(490));
            let body = json!({"name": format!("L{n}"), "kind": "device", "description": text});
            let draft = write::parse(LABELS, &[], body.to_string().as_bytes(), true).unwrap();
            write::create_in(&mut unit, LABELS, draft).await.unwrap();
        }
        unit.commit().await.unwrap();
        let shown = lab.order("").await.unwrap();
        lab.work().await;
        let kept = lab.find(&shown).await;
        assert!(kept.octets > 1_500_000, "{}", kept.octets);
        let whole = async |mut pieces: Pieces| {
            let (mut octets, mut error) = (0, None);
            while let Some(piece) = pieces.recv().await {
                match piece {
                    Ok(piece) => octets += piece.len() as i64,
                    Err(failed) => error = Some(failed.to_string()),
                }
            }
            (octets, error)
        };
        let pieces = super::pieces(lab.office.clone(), &lab.root, &kept).await.unwrap();
        assert_eq!(whole(pieces).await, (kept.octets, None));
        let mut pieces = super::pieces(lab.office.clone(), &lab.root, &kept).await.unwrap();
        pieces.recv().await.unwrap().unwrap();
        lab.clock.advance(80 * 3600);
        lab.purge().await;
        let (octets, error) = whole(pieces).await;
        assert!(octets < kept.octets);
        assert!(error.is_some_and(|error| error.contains("forgotten")), "{octets}");
        // Nor does it go out with a letter in part.
        lab.change("UPDATE data_export SET state = 'finished'", args![]).await;
        keep(&lab.office, EXPORT.id(&shown).unwrap(), 0, b"a part").await.unwrap();
        assert!(file(&lab.office, EXPORT.id(&shown).unwrap()).await.unwrap().is_none());
    }
}
