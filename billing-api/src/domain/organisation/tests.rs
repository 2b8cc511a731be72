use model::OrganisationId;
use serde_json::{Value, json};
use store::args;

use super::{DESCRIPTION, Kind, create, find, list, relocate};
use crate::domain::setting::tests::{below, office, pointers};
use crate::domain::{Actor, Fault, Office, Unit, customer, organisation};
use crate::entity::query::ListQuery;
use crate::entity::{Source, read, write};
use crate::store::organisation as sql;

async fn try_create(office: &Office, actor: &Actor, body: Value) -> Result<super::View, Fault> {
    create(office, actor, super::New::parse(body.to_string().as_bytes())?).await
}

async fn edit(
    office: &Office,
    actor: &Actor,
    id: &Actor,
    body: Value,
) -> Result<super::View, Fault> {
    let draft = write::parse(DESCRIPTION, &[], body.to_string().as_bytes(), false)?;
    write::update(office, actor, DESCRIPTION, id.organisation.0, draft, None).await?;
    find(office, actor, id.organisation).await
}

async fn delete(
    office: &Office,
    actor: &Actor,
    id: OrganisationId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    write::delete(office, actor, DESCRIPTION, id.0, expected).await
}

/// The names the actor can see, in the order of the alphabet.
async fn names(office: &Office, actor: &Actor) -> Vec<String> {
    let page = list(office, actor, None, 50).await.unwrap();
    let mut names: Vec<String> = page.rows.into_iter().map(|view| view.name).collect();
    names.sort();
    names
}

/// The same actor after somebody moved it: a request reads the path anew.
async fn again(office: &Office, actor: &Actor) -> Actor {
    let row = office.db.fetch_one(&sql::FIND, args![actor.organisation]).await.unwrap();
    let path = sql::organisation(&row).unwrap().path;
    Actor::system("test", actor.organisation, path)
}

#[test]
fn a_branch_is_at_the_end_and_the_provider_at_the_beginning() {
    assert!(Kind::Partner.fits_below(Kind::Isp) && Kind::Partner.fits_below(Kind::Partner));
    assert!(Kind::Branch.fits_below(Kind::Partner) && !Kind::Branch.fits_below(Kind::Branch));
    assert!(!Kind::Partner.fits_below(Kind::Branch) && !Kind::Isp.fits_below(Kind::Isp));
}

#[tokio::test]
async fn partners_and_branches_are_created_below_oneself_only() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let branch = json!({"kind": "branch", "name": "Hill", "address": "1 Hill Road\nTown"});
        let branch = below(&office, &north, branch).await;
        let view = find(&office, &north, branch.organisation).await.unwrap();
        assert_eq!(view.address.as_deref(), Some("1 Hill Road\nTown"));
        assert_eq!(view.parent_id, Some(north.organisation));
        assert_eq!(find(&office, &isp, north.organisation).await.unwrap().children, 1);
        assert_eq!(names(&office, &north).await, ["Hill", "North"]);
        let own = find(&office, &north, north.organisation).await.unwrap();
        assert_eq!(own.parent_id, None, "what is above is not theirs to see");

        for parent in [south.organisation, isp.organisation] {
            let body = json!({"kind": "branch", "name": "x", "parent_id": parent.to_string()});
            let fault = try_create(&office, &north, body).await.unwrap_err();
            assert_eq!(pointers(&fault), ["/parent_id"]);
            assert!(matches!(find(&office, &north, parent).await, Err(Fault::NotFound(_))));
        }
        let under = json!({"kind": "partner", "name": "x",
                           "parent_id": branch.organisation.to_string()});
        assert_eq!(pointers(&try_create(&office, &isp, under).await.unwrap_err()), ["/parent_id"]);
        let twice = try_create(&office, &isp, json!({"kind": "branch", "name": "North"})).await;
        assert!(matches!(twice, Err(Fault::Conflict { pointer: "/name", .. })), "{twice:?}");
        let bad = json!({"kind": "isp", "currency": "EUR", "zone": "Mars/Base", "nmae": "x"});
        let fault = try_create(&office, &isp, bad).await.unwrap_err();
        let mut found = pointers(&fault);
        found.sort_unstable();
        assert_eq!(found, ["/currency", "/kind", "/name", "/nmae", "/zone"]);
        let nobody = model::StaffId::generate().to_string();
        let body = json!({"kind": "branch", "name": "x", "manager_id": nobody});
        assert_eq!(pointers(&try_create(&office, &isp, body).await.unwrap_err()), ["/manager_id"]);
    }
}

#[tokio::test]
async fn a_moved_subtree_is_seen_where_it_is_and_nowhere_else() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let inner = below(&office, &north, json!({"kind": "partner", "name": "Inner"})).await;
        let branch = below(&office, &inner, json!({"kind": "branch", "name": "Hill"})).await;
        let new = customer::New::parse(br#"{"name": "Asha"}"#).unwrap();
        let asha = customer::create(&office, &branch, new).await.unwrap().id;

        let cycle = relocate(&office, &isp, north.organisation, inner.organisation, None)
            .await
            .unwrap_err();
        assert_eq!(pointers(&cycle), ["/parent_id"]);
        let itself = relocate(&office, &isp, inner.organisation, inner.organisation, None)
            .await
            .unwrap_err();
        assert_eq!(pointers(&itself), ["/parent_id"]);
        let under = relocate(&office, &isp, south.organisation, branch.organisation, None)
            .await
            .unwrap_err();
        assert_eq!(pointers(&under), ["/parent_id"]);
        let own = relocate(&office, &north, north.organisation, inner.organisation, None).await;
        assert_eq!(pointers(&own.unwrap_err()), [""]);
        let away = relocate(&office, &north, inner.organisation, south.organisation, None).await;
        assert_eq!(pointers(&away.unwrap_err()), ["/parent_id"], "not theirs to give to");
        let stale = relocate(&office, &isp, inner.organisation, south.organisation, Some(9)).await;
        assert!(matches!(stale, Err(Fault::Stale)));

        assert!(customer::find(&office, &north, asha).await.is_ok());
        let moved = relocate(&office, &isp, inner.organisation, south.organisation, Some(1)).await;
        assert_eq!(moved.unwrap().parent_id, Some(south.organisation));
        assert!(matches!(customer::find(&office, &north, asha).await, Err(Fault::NotFound(_))));
        assert!(customer::find(&office, &south, asha).await.is_ok());
        assert!(customer::find(&office, &isp, asha).await.is_ok());
        assert_eq!(names(&office, &north).await, ["North"]);
        assert_eq!(names(&office, &south).await, ["Hill", "Inner", "South"]);
        // A request that began before the move finds nothing under its old path.
        assert!(matches!(customer::find(&office, &branch, asha).await, Err(Fault::NotFound(_))));
        let branch = again(&office, &branch).await;
        assert!(branch.path.starts_with(&south.path));
        assert!(customer::find(&office, &branch, asha).await.is_ok());
        let inner = again(&office, &inner).await;
        assert_eq!(names(&office, &inner).await, ["Hill", "Inner"]);
    }
}

#[tokio::test]
async fn what_is_inherited_changes_with_the_place() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let lima = json!({"kind": "partner", "name": "North", "zone": "America/Lima"});
        let north = below(&office, &isp, lima).await;
        let inner = below(&office, &isp, json!({"kind": "partner", "name": "Inner"})).await;
        assert_eq!(find(&office, &isp, inner.organisation).await.unwrap().zone, "Asia/Kolkata");
        let moved = relocate(&office, &isp, inner.organisation, north.organisation, None).await;
        assert_eq!(moved.unwrap().zone, "America/Lima");
        let layers = crate::domain::setting::of(&office, inner.organisation).await.unwrap();
        assert_eq!(layers.all().len(), 3);
        assert_eq!(layers.text(&crate::domain::setting::registry::ZONE), "America/Lima");
    }
}

#[tokio::test]
async fn an_organisation_is_renamed_and_becomes_a_legal_entity_for_good() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let branch = below(&office, &isp, json!({"kind": "branch", "name": "Hill"})).await;
        let fault = edit(&office, &isp, &north, json!({"name": "Hill"})).await.unwrap_err();
        assert!(matches!(fault, Fault::Conflict { pointer: "/name", .. }));
        let fault = edit(&office, &isp, &north, json!({"name": null})).await.unwrap_err();
        assert_eq!(pointers(&fault), ["/name"]);
        let fault = edit(&office, &north, &isp, json!({"name": "Mine"})).await.unwrap_err();
        assert!(matches!(fault, Fault::NotFound("organisation")));
        let fault = edit(&office, &isp, &branch, json!({"legal_entity": true})).await.unwrap_err();
        assert_eq!(pointers(&fault), ["/legal_entity"]);

        let body = json!({"name": "North Ltd", "legal_entity": true, "address": "2 Sea Road"});
        let view = edit(&office, &isp, &north, body).await.unwrap();
        assert!(view.legal_entity && view.version == 2 && view.name == "North Ltd");
        let layers = crate::domain::setting::of(&office, north.organisation).await.unwrap();
        assert_eq!(layers.own("operation.currency"), Some(&json!("USD")));
        let fault = edit(&office, &isp, &north, json!({"legal_entity": false})).await.unwrap_err();
        assert_eq!(pointers(&fault), ["/legal_entity"]);
        let view = edit(&office, &isp, &north, json!({"address": null})).await.unwrap();
        assert_eq!(view.address, None);
    }
}

#[tokio::test]
async fn only_what_is_empty_and_below_is_deleted() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let branch = below(&office, &north, json!({"kind": "branch", "name": "Hill"})).await;
        let holds = |result: Result<(), Fault>| match result {
            Err(Fault::Conflict { detail, .. }) => detail,
            other => panic!("{other:?}"),
        };
        let full = delete(&office, &isp, north.organisation, None).await;
        assert!(holds(full).contains("organisations below it"));
        let new = customer::New::parse(br#"{"name": "Asha"}"#).unwrap();
        customer::create(&office, &branch, new).await.unwrap();
        let full = delete(&office, &isp, branch.organisation, None).await;
        assert!(holds(full).contains("customers"));
        let own = delete(&office, &north, north.organisation, None).await;
        assert_eq!(pointers(&own.unwrap_err()), [""]);

        let empty = below(&office, &north, json!({"kind": "branch", "name": "Lake"})).await;
        let stale = delete(&office, &north, empty.organisation, Some(7)).await;
        assert!(matches!(stale, Err(Fault::Stale)));
        delete(&office, &north, empty.organisation, Some(1)).await.unwrap();
        let gone = find(&office, &north, empty.organisation).await;
        assert!(matches!(gone, Err(Fault::NotFound("organisation"))));
        let mut unit = Unit::begin(&office, &north).await.unwrap();
        let target = organisation::target(&mut unit, Some(empty.organisation)).await;
        assert!(matches!(target, Err(Fault::NotFound("organisation"))));
        drop(unit);
        // Its name is free again, and then it is not for the one that comes back.
        let other = below(&office, &north, json!({"kind": "branch", "name": "Lake"})).await;
        let id = empty.organisation.0;
        let taken = write::restore(&office, &north, DESCRIPTION, id).await;
        assert!(matches!(taken, Err(Fault::Conflict { pointer: "/name", .. })), "{taken:?}");
        delete(&office, &north, other.organisation, None).await.unwrap();
        let back = write::restore(&office, &north, DESCRIPTION, id).await.unwrap();
        assert_eq!((&back.view["name"], &back.view["children"]), (&json!("Lake"), &json!(0)));
        let mut unit = Unit::begin(&office, &north).await.unwrap();
        assert!(organisation::target(&mut unit, Some(empty.organisation)).await.is_ok());
    }
}

#[tokio::test]
async fn moves_that_would_cross_do_not_tie_a_knot() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let (one, other) = tokio::join!(
            relocate(&office, &isp, north.organisation, south.organisation, None),
            relocate(&office, &isp, south.organisation, north.organisation, None),
        );
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(names(&office, &isp).await.len(), 3);
    }
}

#[tokio::test]
async fn every_table_that_belongs_to_an_organisation_is_looked_at_before_deleting_it() {
    // These belong to what is looked at, or to nobody but the organisation itself.
    const SILENT: &[&str] = &[
        "access_identity",
        "customer_label",
        "custom_field",
        "data_export",
        "data_import",
        "export_template",
        "job_run",
        "mail",
        "mail_server",
        "organisation",
    ];
    let holds = sql::HOLDS.postgres;
    for migration in crate::store::MIGRATIONS.postgres {
        for table in migration.sql.split("CREATE TABLE ").skip(1) {
            let name = table.split(' ').next().unwrap();
            let body = table.split(");").next().unwrap();
            let is_entity = body.contains("external_source");
            if is_entity && !SILENT.contains(&name) {
                let looked = holds.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(looked.contains(&format!("FROM {name} WHERE")), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn the_description_lists_them_by_their_own_id_and_hides_what_is_above() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let inner = below(&office, &north, json!({"kind": "branch", "name": "Inner"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let listed = async |actor: &Actor, parameters: &[(&str, &str)]| {
            let owned = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let query = ListQuery::parse(DESCRIPTION, &[], owned.collect()).unwrap();
            let mut listed = read::list(&office, actor, DESCRIPTION, &query).await.unwrap();
            let source = Source::Office(&office, actor);
            (DESCRIPTION.hooks.extend)(source, &mut listed.rows).await.unwrap();
            listed.keep(&query.fields);
            listed.rows
        };
        let names = |rows: &[Value]| -> Vec<String> {
            rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&listed(&north, &[("sort", "name")]).await), ["Inner", "North"]);
        let partners = [("kind", "partner"), ("sort", "-name")];
        assert_eq!(names(&listed(&isp, &partners).await), ["South", "North"]);
        assert_eq!(names(&listed(&isp, &[("q", "inn")]).await), ["Inner"]);
        let id = north.organisation.to_string();
        let subtree = [("organisation_id", id.as_str()), ("sort", "name")];
        assert_eq!(names(&listed(&isp, &subtree).await), ["Inner", "North"]);
        assert!(listed(&south, &subtree).await.is_empty());

        // What is above a reader is hidden, whatever they ask for.
        for parameters in [&[("sort", "name")][..], &[("sort", "name"), ("fields", "parent_id")]] {
            let rows = listed(&north, parameters).await;
            assert_eq!(rows[0]["parent_id"], json!(north.organisation));
            assert_eq!(rows[1]["parent_id"], Value::Null);
            assert_eq!(rows[1]["id"], json!(north.organisation));
        }
        let rows = listed(&isp, &[("sort", "name"), ("kind", "partner")]).await;
        assert_eq!((&rows[0]["children"], &rows[1]["children"]), (&json!(1), &json!(0)));
        assert_eq!(rows[0]["organisation_id"], rows[0]["id"]);

        // Where a new one lands is named by either field, and by none of somebody else's.
        let made = try_create(
            &office,
            &isp,
            json!({"kind": "branch", "name": "Lake",
            "organisation_id": north.organisation.to_string()}),
        )
        .await
        .unwrap();
        assert_eq!(made.parent_id, Some(north.organisation));
        let foreign = json!({"kind": "branch", "name": "x",
            "organisation_id": south.organisation.to_string()});
        let refused = try_create(&office, &north, foreign).await.unwrap_err();
        assert_eq!(pointers(&refused), ["/organisation_id"]);
        let moved = edit(&office, &isp, &inner, json!({"parent_id": id})).await.unwrap_err();
        assert_eq!(pointers(&moved), ["/parent_id"], "a move is no change of a field");
        let zone = edit(&office, &isp, &inner, json!({"zone": "UTC"})).await.unwrap_err();
        assert_eq!(pointers(&zone), ["/zone"], "and a zone is a setting");
    }
}

#[tokio::test]
async fn a_host_name_is_given_by_those_above_and_is_nobody_elses() {
    for test in store::testing::engines("billing").await {
        let (mut office, isp) = office(&test).await;
        office.mail.public_url = Some("https://Office.Example:8443/x".to_owned());
        let north = json!({"kind": "partner", "name": "North", "host_name": "Go.North.example."});
        let north = below(&office, &isp, north).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let host = organisation::host_of(&office, north.organisation).await.unwrap();
        assert_eq!(host.as_deref(), Some("go.north.example"));
        for asked in ["go.north.example", "GO.north.example", "go.north.example."] {
            let found = organisation::by_host(&office, asked).await.unwrap();
            assert_eq!(found, Some(north.organisation), "{asked}");
        }
        for asked in ["", "north.example", "a.go.north.example", "go.north.example:80", "%"] {
            assert_eq!(organisation::by_host(&office, asked).await.unwrap(), None, "{asked}");
        }

        // Not by itself, not what another has, and nothing that is no name.
        for body in [json!({"host_name": "isp.example"}), json!({"host_name": null})] {
            let fault = edit(&office, &north, &north, body).await.unwrap_err();
            assert_eq!(pointers(&fault), ["/host_name"]);
        }
        let same = json!({"host_name": "GO.NORTH.example", "name": "North 2"});
        edit(&office, &north, &north, same).await.unwrap();
        let own = json!({"host_name": "isp.example"});
        assert_eq!(pointers(&edit(&office, &isp, &isp, own).await.unwrap_err()), ["/host_name"]);
        let taken = edit(&office, &isp, &south, json!({"host_name": "go.north.example"})).await;
        let Err(Fault::Conflict { pointer: "/host_name", .. }) = taken else { panic!("{taken:?}") };
        for bad in [
            "localhost",
            "192.0.2.1",
            "a b.example",
            "x.example:443",
            "-x.example",
            "é.example",
            "https://x.example",
            "office.example",
            "OFFICE.example.",
        ] {
            let fault = edit(&office, &isp, &south, json!({ "host_name": bad })).await.unwrap_err();
            assert_eq!(pointers(&fault), ["/host_name"], "{bad}");
        }

        // A partner gives one to those below it; one that is gone leaves its name.
        let hill = json!({"kind": "branch", "name": "Hill", "host_name": "hill.example"});
        let hill = below(&office, &north, hill).await;
        delete(&office, &north, hill.organisation, None).await.unwrap();
        assert_eq!(organisation::by_host(&office, "hill.example").await.unwrap(), None);
        edit(&office, &isp, &south, json!({"host_name": "hill.example"})).await.unwrap();
        let back = write::restore(&office, &north, DESCRIPTION, hill.organisation.0).await;
        assert!(matches!(back, Err(Fault::Conflict { .. })), "{back:?}");
    }
}
