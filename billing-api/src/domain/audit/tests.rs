use serde_json::json;
use store::args;

use super::*;
use crate::domain::setting::tests::{below, office};
use crate::domain::{Event, Unit, Who};
use crate::entity::Scope;

static LOG: &Entity = &AUDIT_ENTRY;

fn query(parameters: &[(&str, &str)]) -> ListQuery {
    let owned = parameters.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    ListQuery::parse(LOG, &[], owned.collect()).unwrap()
}

async fn found(office: &Office, actor: &Actor, parameters: &[(&str, &str)]) -> Vec<String> {
    let listed = read::list(office, actor, LOG, &query(parameters)).await.unwrap();
    listed.rows.iter().map(|row| row["entity_id"].as_str().unwrap().to_owned()).collect()
}

async fn note(office: &Office, actor: &Actor, kind: &str, id: &str, after: Json) {
    let mut unit = Unit::begin(office, actor).await.unwrap();
    let event = Event { kind, entity_id: id.to_owned(), payload: after, policy: &[] };
    unit.record(actor.organisation, event, Some(json!({"name": "Öld \"name\""}))).await.unwrap();
    unit.commit().await.unwrap();
}

#[test]
fn sign_ins_are_daily_and_rights_money_and_deletions_are_critical() {
    for (entity, action) in [
        ("label", "deleted"),
        ("role", "updated"),
        ("staff", "role_changed"),
        ("staff", "impersonation_started"),
        ("token", "created"),
        ("settings", "changed"),
        ("payment", "created"),
        ("webhook", "secret_revealed"),
    ] {
        assert!(is_critical(entity, action), "{entity}.{action}");
    }
    for (entity, action) in [("staff", "signed_in"), ("label", "created"), ("export", "started")] {
        assert!(!is_critical(entity, action), "{entity}.{action}");
    }
    assert_eq!(category("staff"), "authentication");
    assert_eq!(category("settings"), "system");
    assert_eq!(category("customer"), "records");
    for (name, _) in OF_CATEGORY {
        assert!(CATEGORIES.contains(name), "{name}");
    }
}

#[tokio::test]
async fn the_log_is_filtered_searched_and_told_apart_by_tenant() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        note(&office, &north, "label.created", "lbl_n1", json!({"name": "VÍP 100%"})).await;
        note(&office, &north, "label.deleted", "lbl_n2", json!({"name": "gone"})).await;
        note(&office, &south, "label.created", "lbl_s1", json!({"name": "VÍP"})).await;

        let labels = |actor: &Actor| {
            let (office, actor) = (&office, actor.clone());
            async move { found(office, &actor, &[("entity", "label"), ("sort", "at")]).await }
        };
        assert_eq!(labels(&north).await, ["lbl_n1", "lbl_n2"]);
        assert_eq!(labels(&isp).await, ["lbl_n1", "lbl_n2", "lbl_s1"]);
        let critical = [("critical", "true"), ("entity", "label")];
        assert_eq!(found(&office, &isp, &critical).await, ["lbl_n2"]);
        let south_id = south.organisation.to_string();
        let narrowed = [("organisation_id", south_id.as_str()), ("entity", "label")];
        assert_eq!(found(&office, &isp, &narrowed).await, ["lbl_s1"]);
        assert!(found(&office, &north, &narrowed).await.is_empty(), "not theirs to look into");

        // A text of the record, before or after; signs are only signs.
        for (text, expected) in [
            ("100%", vec!["lbl_n1"]),
            ("GONE", vec!["lbl_n2"]),
            ("ld \"name", vec!["lbl_n1", "lbl_n2"]),
            ("lbl_n2", vec!["lbl_n2"]),
            ("%_", vec![]),
        ] {
            let asked = [("q", text), ("sort", "at"), ("entity", "label")];
            assert_eq!(found(&office, &north, &asked).await, expected, "{text}");
        }
        assert!(found(&office, &south, &[("q", "gone")]).await.is_empty());
        let late = [("q", "gone"), ("at[gt]", "2999-01-01T00:00:00Z")];
        assert!(found(&office, &isp, &late).await.is_empty());

        // The entry itself, and nobody else's.
        let rows = read::list(&office, &north, LOG, &query(&[("entity", "label")])).await.unwrap();
        let id = LOG.id(rows.rows[0]["id"].as_str().unwrap()).unwrap();
        assert!(read::find(&office, &isp, LOG, id).await.is_ok());
        assert!(matches!(read::find(&office, &south, LOG, id).await, Err(Fault::NotFound(_))));
    }
}

#[tokio::test]
async fn actors_are_named_to_those_who_may_know_them() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let row =
            office.db.fetch_optional(&crate::store::access::FIND_STAFF, args!["admin@localhost"]);
        let admin: model::StaffId = row.await.unwrap().unwrap().get("id").unwrap();
        let acting = Actor { who: Who::Staff(admin), impersonator: Some(admin), ..north.clone() };
        note(&office, &acting, "label.created", "lbl_1", json!({"name": "x"})).await;
        let mut seen = Vec::new();
        for reader in [&isp, &north] {
            let asked = query(&[("entity", "label")]);
            let mut listed = read::list(&office, reader, LOG, &asked).await.unwrap();
            let rows = &mut listed.rows;
            (LOG.hooks.extend)(Source::Office(&office, reader), rows).await.unwrap();
            assert_eq!(rows[0]["actor"], admin.to_string());
            assert_eq!(rows[0]["impersonator"], admin.to_string());
            seen.push(rows[0]["actor_name"].clone());
        }
        assert_eq!(
            seen,
            [json!("Administrator"), Json::Null],
            "staff above are not theirs to know"
        );
        assert_eq!(LOG.scope, Scope::Own);
    }
}

#[tokio::test]
async fn what_is_above_a_reader_is_not_in_what_was_written_about_them() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        below(&office, &north, json!({"kind": "branch", "name": "Inner"})).await;
        let own = north.organisation.to_string();
        for fields in ["", "after"] {
            let parents = async |reader: &Actor| -> Vec<Json> {
                let mut asked = vec![("entity", "organisation"), ("action", "created")];
                asked.push(("sort", "at"));
                if !fields.is_empty() {
                    asked.push(("fields", fields));
                }
                let asked = query(&asked);
                let mut listed = read::list(&office, reader, LOG, &asked).await.unwrap();
                assert!(LOG.extends(&asked.fields));
                (LOG.hooks.extend)(Source::Office(&office, reader), &mut listed.rows)
                    .await
                    .unwrap();
                listed.keep(&asked.fields);
                let of = |row: &Json| row["after"]["parent_id"].clone();
                listed.rows.iter().map(of).collect()
            };
            let above = isp.organisation.to_string();
            assert!(parents(&isp).await.contains(&json!(above)), "{fields:?}");
            let seen = parents(&north).await;
            assert!(!seen.contains(&json!(above)), "{fields:?}: {seen:?}");
            assert!(seen.contains(&json!(own)), "{fields:?}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_search_looks_through_what_passes_the_other_filters() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        note(&office, &north, "label.created", "lbl_old", json!({"name": "needle"})).await;
        note(&office, &isp, "label.created", "lbl_other", json!({"name": "needle"})).await;
        // As many newer ones as a search looks through.
        let mut unit = Unit::begin(&office, &isp).await.unwrap();
        for n in 0..SEARCHED_MAX {
            let event = Event {
                kind: "customer.updated",
                entity_id: format!("cus_{n}"),
                payload: json!({"name": "hay"}),
                policy: &[],
            };
            unit.note(isp.organisation, event);
        }
        unit.commit().await.unwrap();
        let all = [("q", "needle")];
        assert!(found(&office, &isp, &all).await.is_empty(), "{}", test.engine());
        let within = north.organisation.to_string();
        for narrowed in [
            [("q", "needle"), ("entity_id", "lbl_old")],
            [("q", "needle"), ("organisation_id", within.as_str())],
        ] {
            assert_eq!(found(&office, &isp, &narrowed).await, ["lbl_old"], "{}", test.engine());
        }
        let labels = [("q", "needle"), ("entity", "label"), ("sort", "at")];
        assert_eq!(found(&office, &isp, &labels).await, ["lbl_old", "lbl_other"]);
    }
}
