//! Jobs do what whoever stands for them may do when they run, not when they were ordered.

use std::sync::Arc;

use model::{RunId, StaffId};
use serde_json::{Value as Json, json};
use store::args;

use super::{LABELS, label};
use crate::domain::access::tests::{Place, places};
use crate::domain::{Actor, Office};
use crate::entity::export::EXPORT_TEMPLATE;
use crate::entity::export::scheduled::SCHEDULED_EXPORT;
use crate::entity::{Entity, bulk, import, read, write};
use crate::jobs::{Runner, manage, registry::KINDS};

static TEMPLATES: &Entity = &EXPORT_TEMPLATE;
static SCHEDULED: &Entity = &SCHEDULED_EXPORT;

/// Runs what waits; how a run ended, and why.
async fn worked(office: &Arc<Office>, run: RunId) -> (String, String) {
    let (_trigger, stop) = daemon::lifecycle::Shutdown::new();
    let mut runner = Runner::new(office.clone(), KINDS, stop);
    runner.turn().await.unwrap();
    runner.settle().await;
    let sql = "SELECT state, error FROM job_run WHERE id = $1";
    let row = office.db.dynamic_all(sql, args![run]).await.unwrap().remove(0);
    (row.get("state").unwrap(), row.get::<Option<String>>("error").unwrap().unwrap_or_default())
}

async fn retried(office: &Office, actor: &Actor, run: RunId) -> RunId {
    RunId(manage::retry(office, actor, run, None).await.unwrap().id)
}

/// Takes what somebody may do away from them.
async fn bare(place: &Place, staff: StaffId) {
    let role = place.role(place.root.organisation, json!(["organisations.view"])).await;
    let sql = "UPDATE staff SET role_id = $2 WHERE id = $1";
    let mut tx = place.office.db.begin().await.unwrap();
    tx.dynamic_all(sql, args![staff, role]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn order(office: &Office, actor: &Actor, body: Json) -> RunId {
    let made = bulk::order(office, actor, LABELS, body.to_string().as_bytes()).await.unwrap();
    RunId(made.id)
}

async fn labels(office: &Office, actor: &Actor) -> Vec<Json> {
    let query = super::query(&[("sort", "name")]).unwrap();
    read::list(office, actor, LABELS, &query).await.unwrap().rows
}

#[tokio::test]
async fn a_bulk_change_that_is_run_again_asks_for_the_rights_of_whoever_runs_it() {
    for place in places().await {
        let office = Arc::new(place.again());
        let root = &place.root;
        label(&office, root, json!({"name": "A", "kind": "customer"})).await.unwrap();
        let (_, _, orderer) = place.somebody(json!(["labels.*"])).await;
        let (_, _, clerk) = place.somebody(json!(["jobs.*"])).await;
        let delete = json!({"action": "delete", "filter": {"kind": "customer"}});
        let first = order(&office, &orderer, delete).await;
        manage::cancel(&office, root, first, None).await.unwrap();
        let again = retried(&office, &clerk, first).await;
        let (state, error) = worked(&office, again).await;
        assert_eq!((state.as_str(), error.contains("labels.delete")), ("failed", true), "{error}");
        assert_eq!(labels(&office, root).await.len(), 1, "nothing was done");
        let again = retried(&office, root, first).await;
        assert_eq!(worked(&office, again).await.0, "succeeded");
        assert!(labels(&office, root).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_that_waits_is_void_when_its_orderer_loses_the_right() {
    for place in places().await {
        let office = Arc::new(place.again());
        let root = &place.root;
        label(&office, root, json!({"name": "A", "kind": "customer"})).await.unwrap();
        let (id, _, orderer) = place.somebody(json!(["labels.*"])).await;
        let update =
            json!({"action": "update", "filter": {"kind": "customer"}, "set": {"kind": "device"}});
        let run = order(&office, &orderer, update).await;
        bare(&place, id).await;
        let (state, error) = worked(&office, run).await;
        assert_eq!((state.as_str(), error.contains("labels.edit")), ("failed", true), "{error}");
        assert_eq!(labels(&office, root).await[0]["kind"], "customer");
    }
}

#[tokio::test]
async fn an_import_asks_again_for_the_right_to_import_when_it_runs_and_to_undo_when_it_is_undone() {
    for place in places().await {
        let office = Arc::new(place.again());
        let root = &place.root;
        let rights = json!(["labels.*", "imports.*"]);
        let (id, _, orderer) = place.somebody(rights).await;
        let (_, _, clerk) = place.somebody(json!(["jobs.*", "imports.*"])).await;
        let said = import::Said { name: "l.csv".to_owned(), ..Default::default() };
        let file = bytes::Bytes::from_static(b"name,kind\nA,device\nB,device\n");
        let file = import::take(&office, &orderer, LABELS, said, file).await.unwrap();
        let found = import::find(&office, &orderer, file).await.unwrap();
        let map = br#"{"mapping":{"name":"name","kind":"kind"}}"#;
        import::set_mapping(&office, &orderer, &found, map, None).await.unwrap();
        let kind = Some(&import::job::RUN);
        import::run::begin(&office, &orderer, file, false, kind).await.unwrap();
        let sql = "SELECT id FROM job_run WHERE kind = $1 ORDER BY created_at DESC LIMIT 1";
        let newest = async |kind: &str| -> RunId {
            office.db.dynamic_all(sql, args![kind]).await.unwrap()[0].get("id").unwrap()
        };
        let first = newest("imports.run").await;
        bare(&place, id).await;
        let (state, error) = worked(&office, first).await;
        assert_eq!((state.as_str(), error.contains("may not import labels")), ("failed", true));
        let again = retried(&office, &clerk, first).await;
        assert_eq!(worked(&office, again).await.0, "failed");
        assert!(labels(&office, root).await.is_empty(), "no row was taken");
        let again = retried(&office, root, first).await;
        assert_eq!(worked(&office, again).await.0, "succeeded");
        assert_eq!(labels(&office, root).await.len(), 2);

        // And so with the undo.
        let (keeper, _, undoer) = place.somebody(json!(["labels.*", "imports.*"])).await;
        let kind = Some(&import::job::UNDO);
        import::undo::begin(&office, &undoer, file, kind).await.unwrap();
        bare(&place, keeper).await;
        let undo = newest("imports.undo").await;
        assert_eq!(worked(&office, undo).await.0, "failed");
        assert_eq!(labels(&office, root).await.len(), 2);
        let again = retried(&office, root, undo).await;
        assert_eq!(worked(&office, again).await.0, "succeeded");
        assert!(labels(&office, root).await.is_empty());
    }
}

#[tokio::test]
async fn what_a_bulk_change_did_is_among_its_results_in_the_same_transaction() {
    for place in places().await {
        let office = Arc::new(place.again());
        let root = &place.root;
        for name in ["A", "B", "C"] {
            label(&office, root, json!({"name": name, "kind": "customer"})).await.unwrap();
        }
        // Results that cannot be written keep the change back as well.
        let run = order(&office, root, json!({"action": "delete", "filter": {}})).await;
        let sql =
            "INSERT INTO job_result (run_id, seq, record_id, outcome) VALUES ($1, 2, 'x', 'x')";
        let mut tx = office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args![run]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(worked(&office, run).await.0, "failed");
        assert_eq!(labels(&office, root).await.len(), 3, "nothing is changed that no result tells");
        // One that was refused among others that were not.
        let ids: Vec<Json> = labels(&office, root).await.iter().map(|l| l["id"].clone()).collect();
        let gone = LABELS.id(ids[1].as_str().unwrap()).unwrap();
        write::delete(&office, root, LABELS, gone, None).await.unwrap();
        let run = order(&office, root, json!({"action": "delete", "ids": ids})).await;
        assert_eq!(worked(&office, run).await.0, "partial");
        let told = bulk::results(&office, root, run, false, 0, 10).await.unwrap().rows;
        let told: Vec<_> = told.iter().map(|row| (&row["seq"], &row["outcome"])).collect();
        let (done, not) = (json!("changed"), json!("failed"));
        assert_eq!(told, [(&json!(1), &done), (&json!(2), &not), (&json!(3), &done)]);
    }
}

#[tokio::test]
async fn a_scheduled_export_has_what_the_one_who_changed_its_template_may_export() {
    for place in places().await {
        let office = Arc::new(place.again());
        let root = &place.root;
        let made = async |actor: &Actor, entity: &'static Entity, body: Json| {
            let draft = write::parse(entity, &[], body.to_string().as_bytes(), true).unwrap();
            write::create(&office, actor, entity, draft).await.unwrap()
        };
        let (author, _, acting) = place.somebody(json!(["labels.*", "imports.*"])).await;
        let template = json!({"name": "T", "entity": "label", "query": "fields=name"});
        let template = made(&acting, TEMPLATES, template).await;
        let scheduled = json!({"name": "S", "template_id": template.view["id"],
            "schedule": "0 6 * * 1", "delivery": "mail", "recipients": ["asha@example.net"]});
        let scheduled = made(root, SCHEDULED, scheduled).await;
        let (view, _) = read::find(&office, root, SCHEDULED, scheduled.id).await.unwrap();
        let job = view["job_id"].as_str().unwrap().parse().unwrap();
        let worked_again = async || {
            let run = manage::run_job(&office, root, job).await.unwrap();
            worked(&office, RunId(run.id)).await
        };
        // It comes as far as there is nobody to send it.
        let (_, error) = worked_again().await;
        assert!(error.contains("no mail server"), "{error}");
        let sql = "UPDATE job_run SET state = 'cancelled'";
        let mut tx = office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args![]).await.unwrap();
        tx.commit().await.unwrap();
        bare(&place, author).await;
        let (state, error) = worked_again().await;
        assert_eq!((state.as_str(), error.contains("changed its template last")), ("failed", true));
        let draft = write::parse(TEMPLATES, &[], br#"{"name":"U"}"#, false).unwrap();
        write::update(&office, root, TEMPLATES, template.id, draft, None).await.unwrap();
        let (_, error) = worked_again().await;
        assert!(error.contains("no mail server"), "{error}");
    }
}
