use std::sync::Mutex;

use serde_json::Value as Json;

use super::super::query::ListQuery;
use super::super::registry::LABEL;
use super::super::tests::{actor, label, offices, pointers};
use super::super::{read, write};
use super::run::{Unwatched, Watch};
use super::*;
use crate::domain::customer::CUSTOMER;
use crate::domain::service::SERVICE;

static LABELS: &Entity = &LABEL;
static CUSTOMERS: &Entity = &CUSTOMER;
static SERVICES: &Entity = &SERVICE;

async fn taken(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    file: &str,
) -> Result<Uuid, Fault> {
    let said = Said { name: "file.csv".to_owned(), ..Said::default() };
    take(office, actor, entity, said, bytes::Bytes::copy_from_slice(file.as_bytes())).await
}

async fn run(office: &Arc<Office>, actor: &Actor, id: Uuid, dry: bool) -> Json {
    let import = super::run::begin(office, actor, id, dry, None).await.unwrap();
    super::run::run(office, actor, import, dry, &Unwatched).await.unwrap();
    read::find(office, actor, &IMPORT, id).await.unwrap().0
}

/// created, updated, skipped, failed
fn counts(view: &Json) -> [i64; 4] {
    ["created_count", "updated_count", "skipped_count", "failed_count"]
        .map(|name| view[name].as_i64().unwrap())
}

async fn all(office: &Office, actor: &Actor, entity: &'static Entity) -> Vec<Json> {
    let parameters = [("limit", "500"), ("sort", "name")];
    let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let query = ListQuery::parse(entity, &[], parameters).unwrap();
    read::list(office, actor, entity, &query).await.unwrap().rows
}

async fn failures(office: &Office, actor: &Actor, id: Uuid) -> Vec<(i64, String)> {
    let import = find(office, actor, id).await.unwrap();
    let rows = failed::list(office, &import, failed::Told::Failed, 0, 500).await.unwrap();
    let told = |row: &Json| {
        let error = &row["errors"][0];
        let text = format!("{} {}", error["pointer"], error["detail"]).replace('"', "");
        (row["row"].as_i64().unwrap(), text)
    };
    rows.iter().map(told).collect()
}

#[tokio::test]
async fn a_file_with_bad_rows_is_tried_run_corrected_and_undone() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let partner = actor(&office, Some(&isp)).await;
        label(&office, &isp, json!({"name": "Old", "kind": "customer"})).await.unwrap();
        let file = "Name;Type;colour;nothing\nVIP;customer;#1c7ed6;x\nBad;dog;red;x\n\
                    Old;Customer;;x\n;;;\nLate;Device;;\"two\nlines\"\nLate;device;;x\n";
        let id = taken(&office, &isp, LABELS, file).await.unwrap();
        let (view, _) = read::find(&office, &isp, &IMPORT, id).await.unwrap();
        assert_eq!(view["mapping"], json!({"Name": "name", "colour": "colour"}));
        assert_eq!(view["row_count"], 5, "a row with nothing in it is none");

        // Nobody else sees it; what makes no sense is refused by column.
        let foreign = find(&office, &partner, id).await;
        assert!(matches!(foreign, Err(Fault::NotFound(_))));
        let import = find(&office, &isp, id).await.unwrap();
        let wrong = br#"{"mapping":{"Name":"name","Typ":"kind","Type":"dog","colour":"name"},
            "options":{"match":"colour","existing":"eat","values":{"x":"y"}}}"#;
        let mut refused =
            pointers(set_mapping(&office, &isp, &import, wrong, None).await.unwrap_err());
        refused.sort();
        assert_eq!(
            refused,
            [
                "/mapping/Typ",
                "/mapping/Type",
                "/mapping/colour",
                "/options/existing",
                "/options/match",
                "/options/match",
                "/options/values/x"
            ]
        );
        let right =
            br#"{"mapping":{"Name":"name","Type":"kind","colour":"colour","nothing":null}}"#;
        let stale = set_mapping(&office, &isp, &import, right, Some(7)).await;
        assert!(matches!(stale, Err(Fault::Stale)));
        set_mapping(&office, &isp, &import, right, Some(import.version)).await.unwrap();

        let import = find(&office, &isp, id).await.unwrap();
        let shown = preview(&office, &isp, &import).await.unwrap();
        assert_eq!(shown["rows"].as_array().unwrap().len(), 5);
        assert_eq!(shown["rows"][0]["record"]["kind"], "customer");

        let checked = run(&office, &isp, id, true).await;
        assert_eq!((&checked["state"], counts(&checked)), (&json!("checked"), [2, 0, 0, 3]));
        let tried = failures(&office, &isp, id).await;
        assert_eq!(all(&office, &isp, LABELS).await.len(), 1, "nothing was done");

        let done = run(&office, &isp, id, false).await;
        assert_eq!((&done["state"], counts(&done)), (&json!("finished"), [2, 0, 0, 3]));
        let told = failures(&office, &isp, id).await;
        assert_eq!(told.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [3, 4, 7]);
        assert_eq!(told[0].1, "/kind is one of customer, service, device");
        assert!(told[1].1.contains("another label has this"), "{told:?}");
        assert_eq!(tried[..2], told[..2], "what a run refuses, a dry run tells");
        assert_eq!(tried[2], (7, "/name row 6 of the file has this kind and name".to_owned()));
        let again = super::run::begin(&office, &isp, id, false, None).await;
        assert!(matches!(again, Err(Fault::Conflict { .. })), "nothing is imported twice");

        // The failed rows come back as a file with the reason, and go in once corrected.
        let import = find(&office, &isp, id).await.unwrap();
        let csv = failed::Wanted { format: Format::Csv, delimiter: None };
        let mut failed = failed::file(&office, &isp, &import, csv).await.unwrap();
        let mut text = String::new();
        std::io::Seek::rewind(&mut failed).unwrap();
        std::io::Read::read_to_string(&mut failed, &mut text).unwrap();
        assert!(text.starts_with("Name;Type;colour;nothing;import_error\r\n"), "{text}");
        assert!(text.contains("Bad;dog;red;x;\"row 3: kind: is one of customer"), "{text}");
        let better = text.replace("Bad;dog;red", "Good;device;").replace("Old;", "New;");
        let better = better.replace("Late;device", "Later;device");
        let second = taken(&office, &isp, LABELS, &better).await.unwrap();
        let import = find(&office, &isp, second).await.unwrap();
        assert!(!import.mapping.contains_key(mapping::REASON));
        set_mapping(&office, &isp, &import, right, None).await.unwrap();
        assert_eq!(counts(&run(&office, &isp, second, false).await), [3, 0, 0, 0]);
        assert_eq!(all(&office, &isp, LABELS).await.len(), 6);

        // Undo: what somebody changed since stays.
        let rows = all(&office, &isp, LABELS).await;
        let vip = rows.iter().find(|row| row["name"] == "VIP").unwrap();
        let vip = LABELS.id(vip["id"].as_str().unwrap()).unwrap();
        let draft = write::parse(LABELS, &[], br##"{"colour":"#000000"}"##, false).unwrap();
        write::update(&office, &isp, LABELS, vip, draft, None).await.unwrap();
        let import = undo::begin(&office, &isp, id, None).await.unwrap();
        undo::undo(&office, &isp, &import).await.unwrap();
        let (view, _) = read::find(&office, &isp, &IMPORT, id).await.unwrap();
        assert_eq!((&view["state"], &view["undone_count"]), (&json!("undone"), &json!(1)));
        let names: Vec<Json> =
            all(&office, &isp, LABELS).await.iter().map(|row| row["name"].clone()).collect();
        assert_eq!(names, ["Good", "Later", "New", "Old", "VIP"]);
    }
}

#[tokio::test]
async fn what_is_there_is_updated_and_gets_its_values_back() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let file = "id,full name,email address,mobile\n1,Asha,asha@example.net,+9198\n\
                    2,Bo,bo@example.net,\n3,Cy,not-an-address,\n1,Asha Rao,,\n";
        let id = taken(&office, &isp, CUSTOMERS, file).await.unwrap();
        let (view, _) = read::find(&office, &isp, &IMPORT, id).await.unwrap();
        assert_eq!(view["mapping"]["id"], "external_id", "another system's number");
        let checked = run(&office, &isp, id, true).await;
        assert_eq!(counts(&checked), [2, 1, 0, 1], "the second Asha would be an update");
        let done = run(&office, &isp, id, false).await;
        assert_eq!(counts(&done), [2, 1, 0, 1]);
        let customers = all(&office, &isp, CUSTOMERS).await;
        assert_eq!(customers[0]["name"], "Asha Rao");
        assert_eq!(customers[0]["email"], "asha@example.net", "an empty cell says nothing");
        assert_eq!(customers[0]["phone"], "+9198");

        // What it touched twice is undone from the end, and nobody else was there in between.
        let undoing = undo::begin(&office, &isp, id, None).await.unwrap();
        undo::undo(&office, &isp, &undoing).await.unwrap();
        let (view, _) = read::find(&office, &isp, &IMPORT, id).await.unwrap();
        assert_eq!((&view["state"], &view["undone_count"]), (&json!("undone"), &json!(3)));
        assert!(all(&office, &isp, CUSTOMERS).await.is_empty(), "as if it had never been");
        let again = taken(&office, &isp, CUSTOMERS, file).await.unwrap();
        assert_eq!(counts(&run(&office, &isp, again, false).await), [2, 1, 0, 1]);
        let customers = all(&office, &isp, CUSTOMERS).await;

        // The same file again changes nothing but the name, and back.
        let second = taken(&office, &isp, CUSTOMERS, file).await.unwrap();
        assert_eq!(counts(&run(&office, &isp, second, false).await), [0, 2, 1, 1]);
        // Their own export comes back as no change at all.
        let export = "id,number,name,email,status\n";
        let row = |c: &Json| {
            let text = |name: &str| c[name].as_str().unwrap_or_default().to_owned();
            format!(
                "{},{},{},{},{}\n",
                text("id"),
                c["number"],
                text("name"),
                text("email"),
                text("status")
            )
        };
        let rows: String = customers.iter().map(row).collect();
        let third = taken(&office, &isp, CUSTOMERS, &format!("{export}{rows}")).await.unwrap();
        assert_eq!(counts(&run(&office, &isp, third, false).await), [0, 0, 2, 0]);
        let change = format!("{export}{},,Bo Li,,\n", customers[1]["id"].as_str().unwrap());
        let fourth = taken(&office, &isp, CUSTOMERS, &change).await.unwrap();
        assert_eq!(counts(&run(&office, &isp, fourth, false).await), [0, 1, 0, 0]);
        assert_eq!(all(&office, &isp, CUSTOMERS).await[1]["name"], "Bo Li");
        let import = undo::begin(&office, &isp, fourth, None).await.unwrap();
        undo::undo(&office, &isp, &import).await.unwrap();
        let customers = all(&office, &isp, CUSTOMERS).await;
        assert_eq!(customers[1]["name"], "Bo");
        assert_eq!(customers[1]["email"], "bo@example.net");
    }
}

#[tokio::test]
async fn of_two_who_undo_an_import_each_row_is_undone_by_one() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let rows: String = (0..60).map(|n| format!("L{n},device\n")).collect();
        let id = taken(&office, &isp, LABELS, &format!("name,kind\n{rows}")).await.unwrap();
        run(&office, &isp, id, false).await;
        let kind = Some(&job::UNDO);
        let import = undo::begin(&office, &isp, id, kind).await.unwrap();
        let runs = "SELECT COUNT(*) AS count FROM job_run WHERE kind = 'imports.undo'";
        let count = async |sql: &str| -> i64 {
            office.db.dynamic_all(sql, args![]).await.unwrap()[0].get("count").unwrap()
        };
        undo::begin(&office, &isp, id, kind).await.unwrap();
        assert_eq!(count(runs).await, 1, "who presses twice waits for the first");
        let (one, two) =
            tokio::join!(undo::undo(&office, &isp, &import), undo::undo(&office, &isp, &import));
        one.unwrap();
        two.unwrap();
        let (view, _) = read::find(&office, &isp, &IMPORT, id).await.unwrap();
        assert_eq!((&view["state"], &view["undone_count"]), (&json!("undone"), &json!(60)));
        let kept = "SELECT COUNT(*) AS count FROM import_row WHERE outcome = 'kept'";
        assert_eq!(count(kept).await, 0);
        let told = "SELECT COUNT(*) AS count FROM outbox WHERE kind = 'import.undone'";
        assert_eq!(count(told).await, 1, "its end is told once");
        // One that died is begun again.
        let mut tx = office.db.begin().await.unwrap();
        let sql = "UPDATE job_run SET state = 'failed'";
        tx.dynamic_all(sql, args![]).await.unwrap();
        let sql = "UPDATE data_import SET state = 'undoing'";
        tx.dynamic_all(sql, args![]).await.unwrap();
        tx.commit().await.unwrap();
        undo::begin(&office, &isp, id, kind).await.unwrap();
        assert_eq!(count(runs).await, 2);
    }
}

#[tokio::test]
async fn secrets_of_rows_that_failed_go_back_to_whoever_sent_them_alone() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let file = "customer,plan,login,secret\nnobody,nothing,asha,hunter2\n";
        let id = taken(&office, &isp, SERVICES, file).await.unwrap();
        let import = find(&office, &isp, id).await.unwrap();
        let map = br#"{"mapping":{"login":"login","secret":"password"}}"#;
        set_mapping(&office, &isp, &import, map, None).await.unwrap();
        assert_eq!(counts(&run(&office, &isp, id, false).await), [0, 0, 0, 1]);
        let import = find(&office, &isp, id).await.unwrap();
        let fetched = async |actor: &Actor| {
            let csv = failed::Wanted { format: Format::Csv, delimiter: None };
            let mut file = failed::file(&office, actor, &import, csv).await.unwrap();
            let mut text = String::new();
            std::io::Seek::rewind(&mut file).unwrap();
            std::io::Read::read_to_string(&mut file, &mut text).unwrap();
            text
        };
        let other = Actor::system("other", isp.organisation, isp.path.clone());
        let theirs = fetched(&other).await;
        assert!(theirs.contains("asha,,") && !theirs.contains("hunter2"), "{theirs}");
        assert!(fetched(&isp).await.contains("asha,hunter2,"));
        let sql = "SELECT actor FROM audit_entry WHERE action = 'fetched' ORDER BY at, id";
        let rows = office.db.dynamic_all(sql, args![]).await.unwrap();
        let by: Vec<String> = rows.iter().map(|row| row.get("actor").unwrap()).collect();
        assert_eq!(by, ["system:other", "system:test"], "and it is written down");
    }
}

/// Stops after the first batch.
struct Once(Mutex<bool>);

impl Watch for Once {
    fn progress(&self, _: u64) {}

    fn stop(&self) -> bool {
        !std::mem::replace(&mut *self.0.lock().unwrap(), true)
    }
}

#[tokio::test]
async fn an_import_that_was_interrupted_goes_on_and_takes_no_row_twice() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let rows: String = (0..1300).map(|n| format!("C{n},c{n}@example.net\n")).collect();
        let file = format!("name,email\n{rows}");
        let id = taken(&office, &isp, CUSTOMERS, &file).await.unwrap();
        let import = super::run::begin(&office, &isp, id, false, None).await.unwrap();
        super::run::run(&office, &isp, import.clone(), false, &Once(Mutex::new(false)))
            .await
            .unwrap();
        let (view, _) = read::find(&office, &isp, &IMPORT, id).await.unwrap();
        assert_eq!((&view["state"], counts(&view)), (&json!("running"), [500, 0, 0, 0]));
        // Somebody who believes to be at the start is held back.
        let late = super::run::run(&office, &isp, import, false, &Unwatched).await;
        assert!(late.is_err(), "the place where it stands is a fence");
        let done = run(&office, &isp, id, false).await;
        assert_eq!((&done["state"], counts(&done)), (&json!("finished"), [1300, 0, 0, 0]));
        let query = ListQuery::parse(
            CUSTOMERS,
            &[],
            [("total".to_owned(), "true".to_owned())].into_iter().collect(),
        );
        let listed = read::list(&office, &isp, CUSTOMERS, &query.unwrap()).await.unwrap();
        assert_eq!(listed.total, Some((1300, true)));
        let sql = "SELECT COUNT(*) AS count FROM outbox WHERE kind = 'customer.created'";
        let events = office.db.dynamic_all(sql, args![]).await.unwrap();
        assert_eq!(events[0].get::<i64>("count").unwrap(), 1300);
        let sql = "SELECT COUNT(*) AS count FROM audit_entry WHERE entity = 'customer'";
        let entries = office.db.dynamic_all(sql, args![]).await.unwrap();
        assert_eq!(entries[0].get::<i64>("count").unwrap(), 1300);
    }
}

#[tokio::test]
async fn a_file_is_kept_sealed_and_forgotten_when_its_time_is_over() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let refused = |fault: Fault| match fault {
            Fault::Invalid(faults) => faults[0].detail.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused(taken(&office, &isp, LABELS, "").await.unwrap_err()),
            "the file is empty"
        );
        let broken = taken(&office, &isp, LABELS, "name\n\"x").await.unwrap_err();
        assert!(refused(broken).starts_with("row 2: the quote"));
        let other = taken(&office, &isp, &IMPORT, "name\nx\n").await;
        assert!(matches!(other, Err(Fault::WrongMethod)), "not everything is imported");

        let file = format!("name,kind\n{}", "Asha,device\n".repeat(40_000));
        let id = taken(&office, &isp, LABELS, &file).await.unwrap();
        let sql = "SELECT sealed FROM import_chunk WHERE import_id = $1 ORDER BY number";
        let pieces = office.db.dynamic_all(sql, args![id]).await.unwrap();
        assert!(pieces.len() > 2);
        for piece in &pieces {
            assert!(!piece.get::<String>("sealed").unwrap().contains("Asha,device"));
        }
        // Pieces that were exchanged do not open.
        let sql =
            "UPDATE import_chunk SET number = number + 100 WHERE import_id = $1 AND number = 0";
        let mut tx = office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args![id]).await.unwrap();
        tx.commit().await.unwrap();
        let import = find(&office, &isp, id).await.unwrap();
        assert!(preview(&office, &isp, &import).await.is_err());

        assert_eq!(purge(&office, 10).await.unwrap(), 0, "its time is not over");
        let sql = "UPDATE data_import SET purge_at = $2 WHERE id = $1";
        let mut tx = office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args![id, office.now().plus_seconds(-1)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(purge(&office, 10).await.unwrap(), 1);
        assert_eq!(purge(&office, 10).await.unwrap(), 0);
        let sql = "SELECT 1 AS there FROM import_chunk WHERE import_id = $1";
        assert!(office.db.dynamic_all(sql, args![id]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_dry_run_tells_every_row_that_a_run_would_refuse() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let there = "id,name,email\n1,Asha,asha@example.net\n";
        let id = taken(&office, &isp, CUSTOMERS, there).await.unwrap();
        run(&office, &isp, id, false).await;

        // Far enough apart to be in different transactions.
        let rows: String =
            (0..700).map(|n| format!("c{n},C{n},c{n}@example.net,active\n")).collect();
        let file = format!(
            "ref,name,email,status\nx,Bo,bo@example.net,active\n{rows}\
             x,Bo again,bo2@example.net,active\ny,,no,sleeping\nz,Cy,bo@example.net,active\n\
             w,Di,asha@example.net,active\n"
        );
        let id = taken(&office, &isp, CUSTOMERS, &file).await.unwrap();
        let mapping = br#"{"mapping":{"ref":"external_id","name":"name","email":"email",
            "status":"status"},"options":{"match":null,"values":{"external_source":"old"}}}"#;
        let import = find(&office, &isp, id).await.unwrap();
        set_mapping(&office, &isp, &import, mapping, None).await.unwrap();
        let checked = run(&office, &isp, id, true).await;
        assert_eq!(counts(&checked), [703, 0, 0, 2]);
        let tried = failures(&office, &isp, id).await;
        assert_eq!(tried[0].0, 703);
        assert!(tried[0].1.contains("row 2 of the file has this external_source and external_id"));
        let import = find(&office, &isp, id).await.unwrap();
        let all = failed::list(&office, &import, failed::Told::Failed, 703, 10).await.unwrap();
        let mut blamed: Vec<&str> = all[0]["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        blamed.sort_unstable();
        assert_eq!(blamed, ["/email", "/name", "/status"], "all of it at once");
        let worth = failed::list(&office, &import, failed::Told::Worth, 0, 10).await.unwrap();
        let details: Vec<&str> =
            worth.iter().map(|row| row["errors"][0]["detail"].as_str().unwrap()).collect();
        let other = "another customer has this address";
        assert_eq!(details, ["row 2 of the file has this address", other]);
        let first = failed::first(&office, &import, 3).await.unwrap();
        assert_eq!(first.len(), 2, "what becomes of the first rows is kept");

        let done = run(&office, &isp, id, false).await;
        assert_eq!(counts(&done), counts(&checked), "as it was tried");
    }
}

#[tokio::test]
async fn the_window_in_which_an_import_can_be_undone_is_a_setting() {
    for (_db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        for (hours, may) in [(48, true), (0, false)] {
            let change = [("import.undo_window_hours".to_owned(), json!(hours))];
            let change = serde_json::Map::from_iter(change);
            crate::domain::setting::patch(&office, &isp, None, &change, None).await.unwrap();
            let file = format!("name,kind\nL{hours},device\n");
            let id = taken(&office, &isp, LABELS, &file).await.unwrap();
            let early = undo::begin(&office, &isp, id, None).await.unwrap_err();
            assert_eq!(early.to_string(), "the import was not run yet");
            run(&office, &isp, id, false).await;
            let import = find(&office, &isp, id).await.unwrap();
            let window_s = import.undo_until.unwrap().seconds() - office.now().seconds();
            assert!((hours * 3600 - 60..=hours * 3600).contains(&window_s), "{window_s}");
            assert!(import.purge_at >= office.now().plus_seconds(86_000), "rows are kept longer");
            match undo::begin(&office, &isp, id, None).await {
                Ok(import) => {
                    assert!(may);
                    undo::undo(&office, &isp, &import).await.unwrap();
                    let twice = undo::begin(&office, &isp, id, None).await.unwrap_err();
                    assert_eq!(twice.to_string(), "the import was undone already");
                }
                Err(fault) => {
                    assert!(!may && fault.to_string().contains("is over"), "{fault}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_holds_nothing_to_import_is_refused_with_the_reason() {
    for (_db, office) in offices().await {
        let isp = actor(&office, None).await;
        for (file, why) in [
            ("{\"name\": \"x\"", "no row can be read; row 1: is not a JSON object"),
            ("{name: x}", "no row can be read; row 1: is not a JSON object"),
            ("[{\"name\": x}]", "no row can be read; row 1: is not a JSON object"),
            ("[{\"name\": \"x\"}", "the array has no end"),
            ("[1, 2]", "no row can be read; row 1: is not a JSON object"),
            ("[]", "the file has no rows to import"),
            ("name,kind\n", "the file has no rows to import"),
            ("name,kind\n,\n", "the file has no rows to import"),
            (",,\nx,y,z\n", "the columns cannot be read: the first row has no names"),
        ] {
            let Err(Fault::Invalid(faults)) = taken(&office, &isp, LABELS, file).await else {
                panic!("{file} was taken");
            };
            assert!(faults[0].detail.contains(why), "{file}: {}", faults[0].detail);
        }
        let latin = bytes::Bytes::from_static(b"n\xe4me\nx\n");
        let refused = take(&office, &isp, LABELS, Said::default(), latin).await.unwrap_err();
        let Fault::Invalid(faults) = refused else { panic!("taken") };
        assert_eq!(faults[0].detail, "the file is not UTF-8 text");
    }
}

/// Prints how fast rows become records: `cargo test --release -p billing-api speed -- --ignored
/// --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: it prints a rate, judges nothing and takes minutes"]
async fn the_speed_of_an_import() {
    for (db, office) in offices().await {
        let office = Arc::new(office);
        let isp = actor(&office, None).await;
        let count = 50_000;
        let row = |n| format!("{n},Customer {n},c{n}@example.net,+91 98450 {n:05},active,en\n");
        let rows: String = (0..count).map(row).collect();
        let file = format!("id,name,email,phone,status,locale\n{rows}");
        let id = taken(&office, &isp, CUSTOMERS, &file).await.unwrap();
        for name in ["created", "unchanged"] {
            let id = match name {
                "created" => id,
                _ => taken(&office, &isp, CUSTOMERS, &file).await.unwrap(),
            };
            let start = std::time::Instant::now();
            let view = run(&office, &isp, id, false).await;
            assert_eq!(view["failed_count"], 0);
            let rate = f64::from(count) / start.elapsed().as_secs_f64();
            println!("{:?}: {name} {rate:.0} rows/s", db.engine());
        }
        let arc = office.clone();
        let given = [("format", "csv")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let given = given.into_iter().collect();
        let start = std::time::Instant::now();
        let export = super::super::export::Export::parse(&arc, &isp, CUSTOMERS, given);
        let export = export.await.unwrap();
        let pieces = super::super::export::start(arc, isp.clone(), export).await;
        let mut pieces = pieces.unwrap();
        let mut octets = 0;
        while let Some(piece) = pieces.recv().await {
            octets += piece.unwrap().len();
        }
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        println!("{:?}: exported {rate:.0} rows/s, {octets} octets", db.engine());
    }
}
