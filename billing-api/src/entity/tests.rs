use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daemon::secrets::Keyring;
use model::{OrganisationId, SystemClock};
use serde_json::{Value as Json, json};
use store::args;
use store::testing::TestDb;

use super::query::ListQuery;
use super::registry::{CUSTOMER_LABEL, ENTITIES, LABEL};
use super::{Field, Flags, Kind, Unique, Verbs, read, write};
use crate::domain::access::Rights;
use crate::domain::service::SERVICE;
use crate::domain::{Actor, Fault, Office};
use crate::store::{MIGRATIONS, organisation};

mod rights;

static LABELS: &super::Entity = &LABEL;

pub(crate) async fn offices() -> Vec<(TestDb, Office)> {
    let mut offices = Vec::new();
    for test in store::testing::engines("billing").await {
        test.db.migrate(&MIGRATIONS).await.unwrap();
        let office = Office::new(
            test.db.clone(),
            test.db.clone(),
            Keyring::ephemeral(),
            Arc::new(SystemClock),
        );
        offices.push((test, office));
    }
    offices
}

/// An organisation below another, and somebody who acts in it.
pub(crate) async fn actor(office: &Office, parent: Option<&Actor>) -> Actor {
    let id = OrganisationId::generate();
    let above = parent.map_or("", |parent| parent.path.as_str());
    let path = format!("{above}{}/", id.0.simple());
    let now = office.now();
    let parent = parent.map(|parent| parent.organisation);
    let args =
        args![id, parent, path.as_str(), "isp", "Somebody", true, "USD", "UTC", "en", now, "test"];
    office.db.execute(&organisation::INSERT, args).await.unwrap();
    Actor::system("test", id, path)
}

pub(crate) async fn label(
    office: &Office,
    actor: &Actor,
    body: Json,
) -> Result<(Json, i64), Fault> {
    let draft = write::parse(LABELS, &[], body.to_string().as_bytes(), true)?;
    let made = write::create(office, actor, LABELS, draft).await?;
    Ok((made.view, made.version))
}

fn query(parameters: &[(&str, &str)]) -> Result<ListQuery, Fault> {
    let owned = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    ListQuery::parse(LABELS, &[], owned.collect::<BTreeMap<_, _>>())
}

async fn names(office: &Office, actor: &Actor, parameters: &[(&str, &str)]) -> Vec<String> {
    let listed = read::list(office, actor, LABELS, &query(parameters).unwrap()).await.unwrap();
    listed.rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn pointers(fault: Fault) -> Vec<String> {
    match fault {
        Fault::Invalid(faults) => faults.into_iter().map(|fault| fault.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_can_be_sorted_by_has_a_value_in_every_row() {
    for entity in ENTITIES {
        for field in entity.fields.iter().filter(|field| field.flags.has(Flags::SORTABLE)) {
            let filled = field.flags.has(Flags::REQUIRED) || field.flags.has(Flags::FILLED);
            assert!(filled, "{}.{}", entity.name, field.name);
        }
    }
}

#[tokio::test]
async fn a_column_that_is_never_null_cannot_be_emptied() {
    for test in store::testing::engines("billing").await {
        test.db.migrate(&MIGRATIONS).await.unwrap();
        if test.engine() != store::Engine::Sqlite {
            continue; // Both schemas say the same; one of them is asked.
        }
        for entity in ENTITIES.iter().filter(|entity| entity.verbs.has(super::Verbs::UPDATE)) {
            let sql = format!(
                "SELECT name FROM pragma_table_info('{}') WHERE \"notnull\" = 1",
                entity.table
            );
            for row in test.db.dynamic_all(&sql, store::Args::new()).await.unwrap() {
                let column: String = row.get("name").unwrap();
                let Some(field) = entity.field(&column).filter(|field| field.is_writable()) else {
                    continue;
                };
                let kept = field.flags.has(Flags::REQUIRED) || field.flags.has(Flags::FILLED);
                assert!(kept, "{}.{column} is NOT NULL: REQUIRED or FILLED", entity.name);
            }
        }
    }
}

#[test]
fn a_query_that_means_nothing_is_refused_by_parameter() {
    let refused = |parameters| pointers(query(parameters).unwrap_err());
    assert_eq!(refused(&[("nmae", "x")]), ["?nmae"]);
    assert_eq!(refused(&[("colour", "#000000")]), ["?colour"]);
    assert_eq!(refused(&[("kind", "dog")]), ["?kind"]);
    assert_eq!(refused(&[("kind[gt]", "customer")]), ["?kind[gt]"]);
    assert_eq!(refused(&[("created_at[gte]", "yesterday")]), ["?created_at[gte]"]);
    assert_eq!(refused(&[("sort", "description")]), ["?sort"]);
    assert_eq!(refused(&[("fields", "name,password")]), ["?fields"]);
    assert_eq!(refused(&[("limit", "0")]), ["?limit"]);
    assert_eq!(refused(&[("cursor", "abc")]), ["?cursor"]);
    assert!(query(&[("sort", "-name,kind"), ("name[in]", "a,b"), ("q", "x")]).is_ok());
}

#[tokio::test]
async fn a_label_is_created_changed_deleted_and_restored() {
    for (_db, office) in offices().await {
        let isp = actor(&office, None).await;
        let wrong = json!({"name": " ", "kind": "dog", "colour": "red", "size": 1});
        let faults = pointers(label(&office, &isp, wrong).await.unwrap_err());
        for pointer in ["/name", "/kind", "/colour", "/size"] {
            assert!(faults.contains(&pointer.to_owned()), "{pointer} in {faults:?}");
        }

        let body = json!({"name": "VIP", "kind": "customer", "colour": "#1c7ed6"});
        let (made, version) = label(&office, &isp, body.clone()).await.unwrap();
        assert!(made["id"].as_str().unwrap().starts_with("lbl_"));
        assert_eq!((version, &made["description"]), (1, &Json::Null));
        assert!(matches!(label(&office, &isp, body.clone()).await, Err(Fault::Conflict { .. })));

        let id = LABELS.id(made["id"].as_str().unwrap()).unwrap();
        let change =
            |body: Json| write::parse(LABELS, &[], body.to_string().as_bytes(), false).unwrap();
        let draft = change(json!({"description": "calls first", "colour": null}));
        let made = write::update(&office, &isp, LABELS, id, draft, Some(1)).await.unwrap();
        let (changed, version) = (made.view, made.version);
        assert_eq!((version, &changed["colour"]), (2, &Json::Null));
        assert_eq!(changed["name"], "VIP", "what is not named stays");
        let late = write::update(&office, &isp, LABELS, id, change(json!({"name": "X"})), Some(1));
        assert!(matches!(late.await, Err(Fault::Stale)));
        let emptied = write::parse(LABELS, &[], br#"{"name":null}"#, false);
        assert_eq!(pointers(emptied.err().unwrap()), ["/name"]);

        write::delete(&office, &isp, LABELS, id, None).await.unwrap();
        assert!(matches!(read::find(&office, &isp, LABELS, id).await, Err(Fault::NotFound(_))));
        label(&office, &isp, body).await.unwrap();
        let taken = write::restore(&office, &isp, LABELS, id).await;
        assert!(matches!(taken, Err(Fault::Conflict { .. })), "its name was taken meanwhile");
    }
}

#[tokio::test]
async fn pages_in_any_sort_show_every_row_once() {
    for (_db, office) in offices().await {
        let isp = actor(&office, None).await;
        for n in 0..23 {
            let kind = ["customer", "service", "device"][n % 3];
            let body = json!({"name": format!("L{:02}", n / 2), "kind": kind});
            label(&office, &isp, body).await.unwrap();
        }
        for sort in ["", "name", "-name", "kind,-name", "-kind,name", "created_at", "-updated_at"] {
            let mut seen = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let mut parameters = vec![("sort", sort), ("limit", "4"), ("total", "true")];
                if let Some(cursor) = &cursor {
                    parameters.push(("cursor", cursor));
                }
                let page = query(&parameters).unwrap();
                let listed = read::list(&office, &isp, LABELS, &page).await.unwrap();
                assert_eq!(listed.total, Some((23, true)));
                seen.extend(listed.rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
                cursor = listed.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen.len(), 23, "sort {sort:?}");
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 23, "sort {sort:?}");
        }
        let ordered = names(&office, &isp, &[("sort", "-name"), ("limit", "500")]).await;
        assert!(ordered.is_sorted_by(|a, b| a >= b));
        let other = query(&[("sort", "name"), ("limit", "4")]).unwrap();
        let next = read::list(&office, &isp, LABELS, &other).await.unwrap().next.unwrap();
        assert_eq!(
            pointers(query(&[("sort", "-name"), ("cursor", &next)]).unwrap_err()),
            ["?cursor"]
        );
    }
}

#[tokio::test]
async fn filters_and_search_find_what_they_say() {
    for (_db, office) in offices().await {
        let isp = actor(&office, None).await;
        for (name, kind, description) in [
            ("Gold", "customer", "pays 100% early"),
            ("Silver", "customer", "pays late"),
            ("Gold_2", "service", "under_scored"),
        ] {
            let body = json!({"name": name, "kind": kind, "description": description});
            label(&office, &isp, body).await.unwrap();
        }
        let found = async |parameters: &[(&str, &str)]| {
            let mut found = names(&office, &isp, parameters).await;
            found.sort();
            found
        };
        assert_eq!(found(&[("kind", "customer")]).await, ["Gold", "Silver"]);
        assert_eq!(found(&[("kind[ne]", "customer")]).await, ["Gold_2"]);
        assert_eq!(found(&[("name[in]", "Silver,Gold_2")]).await, ["Gold_2", "Silver"]);
        assert_eq!(found(&[("name[contains]", "OLD")]).await, ["Gold", "Gold_2"]);
        assert_eq!(found(&[("name[gt]", "Gold_")]).await, ["Gold_2", "Silver"]);
        assert_eq!(found(&[("external_id[null]", "true"), ("q", "scor")]).await, ["Gold_2"]);
        assert!(found(&[("q", "_")]).await.is_empty(), "signs are no words");
        assert_eq!(found(&[("q", "100%")]).await, ["Gold"]);
        assert_eq!(
            found(&[("q", "PAYS"), ("created_at[gte]", "2020-01-01T00:00:00Z")]).await,
            ["Gold", "Silver"]
        );
        let chosen = query(&[("fields", "name,kind"), ("limit", "1")]).unwrap();
        let listed = read::list(&office, &isp, LABELS, &chosen).await.unwrap();
        let keys: Vec<&String> = listed.rows[0].as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 3, "{keys:?}");
    }
}

#[tokio::test]
async fn nobody_reaches_the_rows_of_another_organisation() {
    for (_db, office) in offices().await {
        let isp = actor(&office, None).await;
        let partner = actor(&office, Some(&isp)).await;
        let rival = actor(&office, Some(&isp)).await;
        let body = json!({"name": "Secret", "kind": "customer"});
        let (made, _) = label(&office, &rival, body).await.unwrap();
        let id = LABELS.id(made["id"].as_str().unwrap()).unwrap();
        assert_eq!(names(&office, &isp, &[]).await, ["Secret"], "those above see it");
        for parameters in [&[][..], &[("q", "secret")], &[("name", "Secret")], &[("sort", "name")]]
        {
            assert!(names(&office, &partner, parameters).await.is_empty(), "{parameters:?}");
        }
        let draft = || write::parse(LABELS, &[], br#"{"name":"Mine"}"#, false).unwrap();
        let not_found = |result: Result<write::Made, Fault>| {
            assert!(matches!(result, Err(Fault::NotFound("label"))));
        };
        let found = read::find(&office, &partner, LABELS, id).await;
        assert!(matches!(found, Err(Fault::NotFound("label"))));
        not_found(write::update(&office, &partner, LABELS, id, draft(), None).await);
        not_found(write::restore(&office, &partner, LABELS, id).await);
        let deleted = write::delete(&office, &partner, LABELS, id, None).await;
        assert!(matches!(deleted, Err(Fault::NotFound("label"))));
        assert_eq!(names(&office, &rival, &[]).await, ["Secret"]);
    }
}

#[tokio::test]
async fn a_record_can_only_name_what_its_author_can_read() {
    for (_db, office) in offices().await {
        let isp = actor(&office, None).await;
        let partner = actor(&office, Some(&isp)).await;
        let rival = actor(&office, Some(&isp)).await;
        let customer = |body: &str| crate::domain::customer::New::parse(body.as_bytes()).unwrap();
        let ours = crate::domain::customer::create(&office, &partner, customer(r#"{"name":"A"}"#));
        let ours = ours.await.unwrap().id.to_string();
        let tag = json!({"name": "VIP", "kind": "customer"});
        let own = label(&office, &partner, tag.clone()).await.unwrap().0["id"].clone();
        let foreign = label(&office, &rival, tag).await.unwrap().0["id"].clone();

        let put = async |label_id: &Json| {
            let body = json!({"customer_id": ours, "label_id": label_id}).to_string();
            let draft = write::parse(&CUSTOMER_LABEL, &[], body.as_bytes(), true)?;
            write::create(&office, &partner, &CUSTOMER_LABEL, draft).await
        };
        assert_eq!(pointers(put(&foreign).await.unwrap_err()), ["/label_id"]);
        let nowhere = json!(model::id::show("lbl", uuid::Uuid::now_v7()));
        let same_answer = pointers(put(&nowhere).await.unwrap_err());
        assert_eq!(same_answer, ["/label_id"], "as if it were not there");
        put(&own).await.unwrap();
        assert!(matches!(put(&own).await, Err(Fault::Conflict { .. })));
        let parameters =
            BTreeMap::from([("label_id".to_owned(), own.as_str().unwrap().to_owned())]);
        let query = ListQuery::parse(&CUSTOMER_LABEL, &[], parameters).unwrap();
        let listed = read::list(&office, &partner, &CUSTOMER_LABEL, &query).await.unwrap();
        assert_eq!(listed.rows.len(), 1);
    }
}

/// Runs what waits, and says how it ended.
async fn settled(office: &Arc<Office>, made: &write::Made) -> Json {
    let (_trigger, stop) = daemon::lifecycle::Shutdown::new();
    let mut runner = crate::jobs::Runner::new(office.clone(), crate::jobs::registry::KINDS, stop);
    runner.turn().await.unwrap();
    runner.settle().await;
    let id = model::RunId(made.id);
    let row = office
        .db
        .dynamic_all("SELECT state, result FROM job_run WHERE id = $1", args![id])
        .await
        .unwrap();
    let mut result: Json = row[0].get::<Option<Json>>("result").unwrap().unwrap_or_default();
    result["state"] = json!(row[0].get::<String>("state").unwrap());
    result
}

#[tokio::test]
async fn one_change_reaches_many_records_and_one_bad_one_keeps_no_other_back() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let partner = actor(&office, Some(&isp)).await;
        for n in 0..120 {
            let body = json!({"name": format!("L{n:03}"), "kind": "customer"});
            label(&office, &isp, body).await.unwrap();
        }
        // Its place among the services is taken.
        label(&office, &isp, json!({"name": "L007", "kind": "service"})).await.unwrap();
        let foreign = json!({"name": "P", "kind": "customer"});
        label(&office, &partner, foreign).await.unwrap();

        let order = async |actor: &Actor, body: Json| {
            super::bulk::order(&office, actor, LABELS, body.to_string().as_bytes()).await
        };
        let refused = async |body| pointers(order(&isp, body).await.unwrap_err());
        assert_eq!(refused(json!({"action": "fly"})).await, ["/action", "/ids"]);
        assert_eq!(refused(json!({"action": "update", "ids": []})).await, ["/set"]);
        let body = json!({"action": "update", "filter": {"kind": "dog"}, "set": {"kind": "x"}});
        assert_eq!(refused(body).await, ["/filter/kind"]);
        let body = json!({"action": "update", "filter": {}, "set": {"kind": "x", "no": 1}});
        assert_eq!(refused(body).await, ["/set/kind", "/set/no"]);
        let body = json!({"action": "delete", "filter": {}, "arguments": {"note": "x"}});
        assert_eq!(refused(body).await, ["/arguments"]);
        let suspend = async |said: Json| {
            let body = json!({"action": "suspend", "filter": {}, "arguments": said}).to_string();
            super::bulk::order(&office, &isp, &SERVICE, body.as_bytes()).await
        };
        let wrong = suspend(json!({"note": 7, "not": "x"})).await.unwrap_err();
        assert_eq!(pointers(wrong), ["/arguments/note", "/arguments/not"]);
        let made = suspend(json!({"note": "line is cut"})).await.unwrap();
        assert_eq!(settled(&office, &made).await["records"], 0);
        // A field that is not the caller's to see is none to choose or to set either.
        let clerk = Actor { rights: Rights::of(&["labels.*"]), ..isp.clone() };
        for (body, pointer) in [
            (
                json!({"action": "update", "set": {"colour": "#000000"}, "dry_run": true,
                    "filter": {}}),
                "/set/colour",
            ),
            (json!({"action": "delete", "filter": {"colour": "#000000"}}), "/filter/colour"),
        ] {
            let body = body.to_string();
            let made = super::bulk::order(&office, &isp, &KEPT, body.as_bytes()).await.unwrap();
            settled(&office, &made).await;
            let refused = super::bulk::order(&office, &clerk, &KEPT, body.as_bytes()).await;
            assert_eq!(pointers(refused.unwrap_err()), [pointer]);
        }
        let reader = Actor {
            rights: crate::domain::access::Rights::of(&["labels.view", "labels.edit"]),
            ..isp.clone()
        };
        let delete = json!({"action": "delete", "filter": {"kind": "customer"}});
        assert!(matches!(order(&reader, delete.clone()).await, Err(Fault::Forbidden(_))));

        let change = |dry_run: bool| {
            json!({
                "action": "update",
                "filter": {"kind": "customer", "name[contains]": "l"},
                "set": {"kind": "service"},
                "dry_run": dry_run,
            })
        };
        let tried = order(&isp, change(true)).await.unwrap();
        let result = settled(&office, &tried).await;
        assert_eq!((&result["records"], &result["failed"]), (&json!(120), &json!(1)), "{result}");
        assert_eq!(names(&office, &isp, &[("kind", "service")]).await, ["L007"], "dry");

        let done = order(&isp, change(false)).await.unwrap();
        let result = settled(&office, &done).await;
        assert_eq!((&result["changed"], &result["state"]), (&json!(119), &json!("partial")));
        assert_eq!(names(&office, &isp, &[("kind", "customer")]).await, ["P", "L007"]);
        let run = model::RunId(done.id);
        let all = super::bulk::results(&office, &isp, run, false, 0, 500).await.unwrap().rows;
        let bad: Vec<&Json> = all.iter().filter(|row| row["outcome"] == "failed").collect();
        assert_eq!((all.len(), bad.len()), (120, 1));
        assert!(bad[0]["detail"].as_str().unwrap().contains("another label has this"), "{bad:?}");
        let theirs = super::bulk::results(&office, &partner, run, false, 0, 5).await;
        assert!(matches!(theirs, Err(Fault::NotFound(_))));

        // Somebody below reaches nothing above, however it is asked for.
        let gone = settled(&office, &order(&partner, delete).await.unwrap()).await;
        assert_eq!(gone["records"], 1);
        let id = office
            .db
            .dynamic_all("SELECT id FROM label WHERE name = 'L001'", args![])
            .await
            .unwrap();
        let id = model::id::show("lbl", id[0].get("id").unwrap());
        let named = json!({"action": "delete", "ids": [id, "lbl_x"]});
        let result = settled(&office, &order(&partner, named).await.unwrap()).await;
        assert_eq!((&result["changed"], &result["failed"]), (&json!(0), &json!(2)));
        assert_eq!(names(&office, &isp, &[("name", "L001")]).await, ["L001"]);
    }
}

/// What the database keeps apart is named in the descriptions, so that a dry run tells it.
#[tokio::test]
async fn every_unique_key_of_what_is_imported_is_described() {
    let all = offices().await;
    let (db, _) = all.iter().find(|(db, _)| db.engine() == store::Engine::Sqlite).unwrap();
    for entity in ENTITIES.iter().filter(|entity| entity.verbs.has(Verbs::ALL)) {
        let sql = format!(
            "SELECT i.name AS key, c.name AS part FROM pragma_index_list('{}') i
             JOIN pragma_index_info(i.name) c WHERE i.\"unique\" = 1 AND i.origin = 'c'
             AND c.name <> 'organisation_id'",
            entity.table
        );
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in db.db.dynamic_all(&sql, args![]).await.unwrap() {
            keys.entry(row.get("key").unwrap()).or_default().insert(row.get("part").unwrap());
        }
        for (key, parts) in keys {
            let given = |part: &String| entity.field(part).is_some_and(|f| f.is_writable());
            // What the program numbers itself is no duplicate of a file's.
            if !parts.iter().all(given) {
                continue;
            }
            let own = |unique: &&Unique| {
                unique.fields.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>()
                    == parts
            };
            assert!(entity.unique().any(|unique| own(&unique)), "{key} of {}", entity.name);
        }
        for unique in entity.unique() {
            assert!(unique.fields.iter().all(|name| entity.field(name).is_some()), "{unique:?}");
        }
    }
}

/// Labels whose colour and description take a permission of their own.
static KEPT: super::Entity = super::Entity {
    fields: &[
        Field::new("name", Kind::Text(60), NAMED),
        Field::new("kind", Kind::Text(20), NAMED),
        Field::new("colour", Kind::Text(7), NAMED_OR_NOT).for_those_with("audit.view"),
        Field::new("description", Kind::LongText(500), Flags::WRITABLE.and(Flags::SEARCHED))
            .for_those_with("audit.view"),
    ],
    ..LABEL
};
const NAMED_OR_NOT: Flags = Flags::WRITABLE.and(Flags::FILTERABLE).and(Flags::SORTABLE);
const NAMED: Flags = NAMED_OR_NOT.and(Flags::REQUIRED).and(Flags::SEARCHED);

#[test]
fn a_field_with_a_permission_of_its_own_is_neither_required_nor_what_a_record_is_known_by() {
    for (entity, field) in ENTITIES.iter().flat_map(|e| e.all_fields().map(move |f| (e, f))) {
        let Some(permission) = field.permission else { continue };
        let at = format!("{}.{}", entity.name, field.name);
        assert!(Rights::all().has(permission), "{at}");
        assert!(!field.flags.has(Flags::REQUIRED) && !field.flags.has(Flags::SEARCHED), "{at}");
        assert!(field.name != entity.title && Some(field.name) != entity.home, "{at}");
    }
}

#[tokio::test]
async fn who_lacks_a_fields_permission_neither_sees_it_nor_sets_it_nor_asks_by_it() {
    for (_db, office) in offices().await {
        let boss = actor(&office, None).await;
        let clerk = Actor { rights: Rights::of(&["labels.*"]), ..boss.clone() };
        let made = async |actor: &Actor, body: Json| {
            let draft = write::parse(&KEPT, &[], body.to_string().as_bytes(), true)?;
            write::create(&office, actor, &KEPT, draft).await
        };
        let body = json!({"name": "VIP", "kind": "customer", "colour": "#112233",
            "description": "tipsy"});
        let label = made(&boss, body.clone()).await.unwrap();
        assert_eq!(label.view["colour"], "#112233");
        let hidden = |view: &Json| {
            let kept = ["colour", "description"];
            kept.iter().all(|name| view.get(name).is_none()) && view["name"].is_string()
        };

        // Seeing: one, many, and what a change answers.
        let (view, _) = read::find(&office, &clerk, &KEPT, label.id).await.unwrap();
        assert!(hidden(&view), "{view}");
        let (view, _) = read::find(&office, &boss, &KEPT, label.id).await.unwrap();
        assert_eq!(view["description"], "tipsy");
        let all = ListQuery { limit: 10, ..ListQuery::default() };
        let listed = read::list(&office, &clerk, &KEPT, &all).await.unwrap();
        assert!(listed.rows.len() == 1 && hidden(&listed.rows[0]), "{:?}", listed.rows);
        let own = json!({"name": "Own", "kind": "customer"});
        assert!(hidden(&made(&clerk, own).await.unwrap().view));

        // Asking: as of a field that is not there.
        let ask = async |actor: &Actor, parameters: &[(&str, &str)]| {
            let owned = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let query = ListQuery::parse(&KEPT, &[], owned.collect::<BTreeMap<_, _>>())?;
            read::list(&office, actor, &KEPT, &query).await
        };
        for (name, value, unknown, other) in [
            ("colour", "#112233", "colours", "#112233"),
            ("colour[gt]", "#0", "colours[gt]", "#0"),
            ("colour[null]", "true", "colours[null]", "true"),
            ("sort", "name,-colour", "sort", "name,-colours"),
            ("fields", "name,colour", "fields", "name,colours"),
        ] {
            assert!(ask(&boss, &[(name, value)]).await.is_ok(), "{name}");
            let said = async |name, value| match ask(&clerk, &[(name, value)]).await {
                Err(Fault::Invalid(faults)) => faults[0].detail.replace("colours", "colour"),
                other => panic!("{name}: {:?}", other.map(|listed| listed.rows)),
            };
            assert_eq!(said(name, value).await, said(unknown, other).await, "{name}");
        }
        for actor in [&boss, &clerk] {
            let found = ask(actor, &[("q", "tipsy")]).await.unwrap();
            assert!(found.rows.is_empty(), "no search looks into it: who may find may not see");
        }

        // Setting.
        assert_eq!(pointers(made(&clerk, body).await.unwrap_err()), ["/colour", "/description"]);
        let change = async |actor: &Actor, body: Json| {
            let draft = write::parse(&KEPT, &[], body.to_string().as_bytes(), false)?;
            write::update(&office, actor, &KEPT, label.id, draft, None).await
        };
        let refused = change(&clerk, json!({"colour": null})).await.unwrap_err();
        assert_eq!(pointers(refused), ["/colour"]);
        let changed = change(&clerk, json!({"name": "Gold"})).await.unwrap();
        assert!(hidden(&changed.view));
        let (view, _) = read::find(&office, &boss, &KEPT, label.id).await.unwrap();
        assert_eq!((&view["name"], &view["colour"]), (&json!("Gold"), &json!("#112233")));

        // What leaves and what comes.
        let export = async |actor: &Actor, fields: &str| {
            let asked = [("format", "csv"), ("fields", fields)];
            let asked = asked.iter().filter(|(_, value)| !value.is_empty());
            let asked = asked.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            super::export::Export::parse(&office, actor, &KEPT, asked).await
        };
        assert!(export(&boss, "name,colour").await.is_ok());
        assert_eq!(pointers(export(&clerk, "name,colour").await.unwrap_err()), ["?fields"]);
        let targets = |actor: &Actor| super::import::mapping::targets(&actor.rights, &KEPT, &[]);
        assert!(targets(&boss).contains(&"colour".to_owned()));
        assert!(!targets(&clerk).contains(&"colour".to_owned()));
    }
}

/// Every field of every entity, kept back in turn.
#[tokio::test]
async fn any_field_can_be_kept_back_from_those_without_its_permission() {
    const OWN: &str = "network.metrics";
    for (_db, office) in offices().await {
        let boss = actor(&office, None).await;
        let others: Vec<_> = Rights::all().names().filter(|name| *name != OWN).collect();
        let clerk = Actor { rights: Rights::of(&others), ..boss.clone() };
        let mut walked = 0;
        for entity in ENTITIES {
            for (n, field) in entity.fields.iter().enumerate() {
                if field.name == entity.title || field.flags.has(Flags::REQUIRED) {
                    continue;
                }
                let mut fields = entity.fields.to_vec();
                fields[n] = fields[n].for_those_with(OWN);
                let kept = super::Entity { fields: Vec::leak(fields), ..**entity };
                let kept: &'static super::Entity = Box::leak(Box::new(kept));
                let at = format!("{}.{}", entity.name, field.name);
                let mut asked = vec![("fields".to_owned(), field.name.to_owned())];
                if field.flags.has(Flags::FILTERABLE) {
                    asked.push((format!("{}[null]", field.name), "true".to_owned()));
                }
                if field.flags.has(Flags::SORTABLE) {
                    asked.push(("sort".to_owned(), format!("-{}", field.name)));
                }
                for (name, value) in asked {
                    let query = ListQuery::parse(kept, &[], [(name, value)].into()).unwrap();
                    assert!(read::list(&office, &boss, kept, &query).await.is_ok(), "{at}");
                    let refused = read::list(&office, &clerk, kept, &query).await;
                    assert!(matches!(refused, Err(Fault::Invalid(_))), "{at}");
                    walked += 1;
                }
                let mut view = json!({"id": "x", field.name: 1});
                read::conceal(kept, &clerk.rights, &mut view);
                assert_eq!(view, json!({"id": "x"}), "{at}");
            }
        }
        assert!(walked > 100, "{walked}");
    }
}
