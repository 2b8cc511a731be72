use std::sync::Arc;
use std::time::Duration;

use daemon::secrets::Keyring;
use model::{OrganisationId, SystemClock};
use serde_json::{Value, json};
use store::args;
use store::testing::TestDb;

use super::registry::{self, PASSWORD_LENGTH, TAX_ID, ZONE};
use super::{Cache, From};
use crate::config::FirstStart;
use crate::domain::access::Rights;
use crate::domain::{Actor, Fault, Office, organisation, setting};
use crate::store::{MIGRATIONS, organisation as tree};

/// An office on a database that exists; every look at the settings asks for the count.
pub(crate) fn office_on(test: &TestDb) -> Office {
    let (db, network) = (test.db.clone(), test.db.clone());
    let office = Office::new(db, network, Keyring::ephemeral(), Arc::new(SystemClock));
    Office { settings: Cache::new(Duration::ZERO), ..office }
}

/// An office after its first start, and the provider's own actor.
pub(crate) async fn office(test: &TestDb) -> (Office, Actor) {
    test.db.migrate(&MIGRATIONS).await.unwrap();
    // A long memory: what these tests see at once, they see because of the commit.
    let settings = Cache::new(Duration::from_secs(3600));
    let office = Office { settings, ..office_on(test) };
    let first = FirstStart { zone: "Asia/Kolkata".to_owned(), ..FirstStart::default() };
    crate::first_start::prepare(&office, &first, None).await.unwrap();
    let root = office.db.fetch_one(&tree::FIND_ROOT, args![]).await.unwrap();
    let root = tree::organisation(&root).unwrap();
    let actor = Actor::system("test", root.id, root.path);
    (office, actor)
}

/// An organisation below the actor's, and somebody who acts in it.
pub(crate) async fn below(office: &Office, above: &Actor, body: Value) -> Actor {
    let new = organisation::New::parse(body.to_string().as_bytes()).unwrap();
    let view = organisation::create(office, above, new).await.unwrap();
    let row = office.db.fetch_one(&tree::FIND, args![view.id]).await.unwrap();
    Actor::system("test", view.id, tree::organisation(&row).unwrap().path)
}

pub(crate) fn pointers(fault: &Fault) -> Vec<&str> {
    match fault {
        Fault::Invalid(faults) => faults.iter().map(|fault| fault.pointer.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

async fn patch(office: &Office, actor: &Actor, fields: Value) -> Result<setting::View, Fault> {
    setting::patch(office, actor, None, fields.as_object().unwrap(), None).await
}

fn item<'a>(view: &'a setting::View, key: &str) -> &'a setting::Item {
    view.data.iter().find(|item| item.key == key).unwrap()
}

#[test]
fn every_default_is_a_value_and_every_key_has_a_group() {
    for setting in registry::ALL {
        let default = setting.default_value();
        assert!(default.is_null() || setting.kind.holds(&default), "{}", setting.key);
        assert_eq!(setting.key.split('.').count(), 2, "{}", setting.key);
        assert_eq!(registry::find(setting.key).map(|found| found.key), Some(setting.key));
    }
    let keys: std::collections::HashSet<_> = registry::ALL.iter().map(|s| s.key).collect();
    assert_eq!(keys.len(), registry::ALL.len());
}

#[tokio::test]
async fn a_value_is_inherited_until_it_is_set_and_again_when_it_is_reset() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let partner = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let branch = below(&office, &partner, json!({"kind": "branch", "name": "Hill"})).await;
        let seen = |view: &setting::View| {
            let item = item(view, "contacts.phone");
            (item.value.clone(), item.own, item.inherited_from)
        };

        let view = patch(&office, &isp, json!({"contacts.phone": "100"})).await.unwrap();
        assert_eq!(seen(&view), (json!("100"), true, None));
        let view = setting::list(&office, &branch, None).await.unwrap();
        assert_eq!(seen(&view), (json!("100"), false, Some(isp.organisation)));

        patch(&office, &partner, json!({"contacts.phone": "200"})).await.unwrap();
        let view = setting::list(&office, &branch, None).await.unwrap();
        assert_eq!(seen(&view), (json!("200"), false, Some(partner.organisation)));
        assert_eq!(view.version, 1, "a branch's version is its own");

        let view = patch(&office, &partner, json!({"contacts.phone": null})).await.unwrap();
        assert_eq!(seen(&view), (json!("100"), false, Some(isp.organisation)));
        patch(&office, &isp, json!({"contacts.phone": null})).await.unwrap();
        let view = setting::list(&office, &branch, None).await.unwrap();
        assert_eq!(seen(&view), (Value::Null, false, None));

        // Papers stop at the legal entity, and only there.
        patch(&office, &isp, json!({"business.tax_id": "T1"})).await.unwrap();
        let own = json!({"kind": "partner", "name": "South", "legal_entity": true,
                         "currency": "EUR"});
        let south = below(&office, &isp, own).await;
        let layers = setting::of(&office, partner.organisation).await.unwrap();
        assert_eq!(layers.text(&TAX_ID), "T1");
        let layers = setting::of(&office, south.organisation).await.unwrap();
        assert_eq!(layers.text(&TAX_ID), "");
        assert_eq!(layers.text(&registry::CURRENCY), "EUR");
        assert_eq!(layers.text(&ZONE), "Asia/Kolkata");
    }
}

#[tokio::test]
async fn a_change_is_all_or_nothing_and_names_what_is_wrong() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let partner = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let bad = json!({
            "contacts.phone": "100",
            "operation.zone": "Mars/Base",
            "operation.colour": 1,
            "branding.accent_light": "#ffcc00",
            "branding.logo": "00",
        });
        let fault = patch(&office, &isp, bad).await.unwrap_err();
        let expected =
            ["/branding.accent_light", "/branding.logo", "/operation.colour", "/operation.zone"];
        assert_eq!(pointers(&fault), expected);
        let view = setting::list(&office, &isp, None).await.unwrap();
        assert!(!item(&view, "contacts.phone").own);
        assert_eq!(view.version, 0, "nothing was counted either");

        let fault = patch(&office, &partner, json!({"operation.currency": "EUR"})).await;
        assert_eq!(pointers(&fault.unwrap_err()), ["/operation.currency"]);
        let long = json!({"security.session_idle_minutes": 120,
                          "security.session_lifetime_hours": 1});
        let fault = patch(&office, &isp, long).await.unwrap_err();
        assert_eq!(pointers(&fault), ["/security.session_idle_minutes"]);

        // Those below may be stricter and never looser, whoever came first.
        patch(&office, &isp, json!({"security.password_length": 9})).await.unwrap();
        patch(&office, &partner, json!({"security.password_length": 10})).await.unwrap();
        patch(&office, &isp, json!({"security.password_length": 16})).await.unwrap();
        let layers = setting::of(&office, partner.organisation).await.unwrap();
        assert_eq!(layers.integer(&PASSWORD_LENGTH), 16);
        assert!(matches!(layers.find(&PASSWORD_LENGTH).1, From::Ancestor(_)));
        let fault = patch(&office, &partner, json!({"security.password_length": 12})).await;
        assert_eq!(pointers(&fault.unwrap_err()), ["/security.password_length"]);
        patch(&office, &partner, json!({"security.password_length": 20})).await.unwrap();
        patch(&office, &isp, json!({"security.two_factor_required": true})).await.unwrap();
        let fault = patch(&office, &partner, json!({"security.two_factor_required": false})).await;
        assert_eq!(pointers(&fault.unwrap_err()), ["/security.two_factor_required"]);
    }
}

#[tokio::test]
async fn who_looked_at_an_old_version_changes_nothing() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let fields = json!({"contacts.phone": "100"});
        let fields = fields.as_object().unwrap();
        let view = setting::patch(&office, &isp, None, fields, Some(0)).await.unwrap();
        assert_eq!(view.version, 1);
        let fields = json!({"contacts.phone": "200"});
        let fields = fields.as_object().unwrap();
        for version in [0, 2, i64::MAX] {
            let stale = setting::patch(&office, &isp, None, fields, Some(version)).await;
            assert!(matches!(stale, Err(Fault::Stale)), "{version}");
        }
        let view = setting::patch(&office, &isp, None, fields, Some(1)).await.unwrap();
        assert_eq!(view.version, 2);
    }
}

#[tokio::test]
async fn other_organisations_settings_do_not_exist() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let fields = json!({"contacts.phone": "666"});
        let fields = fields.as_object().unwrap();
        for other in [south.organisation, isp.organisation, OrganisationId::generate()] {
            let read = setting::list(&office, &north, Some(other)).await;
            assert!(matches!(read, Err(Fault::NotFound("organisation"))), "{read:?}");
            let written = setting::patch(&office, &north, Some(other), fields, None).await;
            assert!(matches!(written, Err(Fault::NotFound("organisation"))), "{written:?}");
        }
        let view = setting::patch(&office, &isp, Some(north.organisation), fields, None).await;
        assert_eq!(view.unwrap().organisation_id, north.organisation);
        let layers = setting::of(&office, south.organisation).await.unwrap();
        assert_eq!(layers.text(&registry::PHONE), "");
    }
}

#[tokio::test]
async fn each_setting_takes_its_own_permission() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let with = |patterns: &[&str]| Actor { rights: Rights::of(patterns), ..isp.clone() };
        let phone = json!({"contacts.phone": "100"});
        let both = json!({"contacts.phone": "100", "security.password_length": 16});
        let looks = with(&["settings.view"]);
        let refused = patch(&office, &looks, phone.clone()).await;
        assert!(matches!(refused, Err(Fault::Forbidden("settings.edit"))), "{refused:?}");
        let edits = with(&["settings.edit"]);
        let refused = patch(&office, &edits, both.clone()).await;
        assert!(matches!(refused, Err(Fault::Forbidden("staff.edit"))), "{refused:?}");
        let view = setting::list(&office, &isp, None).await.unwrap();
        assert!(!item(&view, "contacts.phone").own, "all or nothing");
        patch(&office, &edits, phone).await.unwrap();
        patch(&office, &with(&["settings.edit", "staff.edit"]), both).await.unwrap();
    }
}

#[tokio::test]
async fn the_columns_that_statements_join_follow_the_settings() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let partner = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let inner = json!({"kind": "partner", "name": "Inner", "zone": "Europe/Paris"});
        let inner = below(&office, &partner, inner).await;
        let branch = below(&office, &inner, json!({"kind": "branch", "name": "Hill"})).await;
        let zones = async || {
            let mut zones = Vec::new();
            for actor in [&isp, &partner, &inner, &branch] {
                let view = organisation::find(&office, actor, actor.organisation).await.unwrap();
                zones.push(view.zone);
            }
            zones
        };
        let (kolkata, paris, lima) = ("Asia/Kolkata", "Europe/Paris", "America/Lima");
        assert_eq!(zones().await, [kolkata, kolkata, paris, paris]);
        patch(&office, &isp, json!({"operation.zone": lima})).await.unwrap();
        assert_eq!(zones().await, [lima, lima, paris, paris]);
        patch(&office, &inner, json!({"operation.zone": null})).await.unwrap();
        assert_eq!(zones().await, [lima, lima, lima, lima]);
        patch(&office, &isp, json!({"operation.zone": null})).await.unwrap();
        assert_eq!(zones().await, ["UTC", "UTC", "UTC", "UTC"]);
    }
}

#[tokio::test]
async fn another_process_sees_a_change_when_it_asks_for_the_count() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let (prompt, patient) = (office_on(&test), {
            let settings = Cache::new(Duration::from_secs(3600));
            Office { settings, ..office_on(&test) }
        });
        for other in [&prompt, &patient] {
            setting::of(other, isp.organisation).await.unwrap();
        }
        patch(&office, &isp, json!({"contacts.phone": "100"})).await.unwrap();
        let phone = async |office: &Office| {
            setting::of(office, isp.organisation).await.unwrap().text(&registry::PHONE)
        };
        assert_eq!(phone(&office).await, "100", "at once where it was changed");
        assert_eq!(phone(&prompt).await, "100");
        assert_eq!(phone(&patient).await, "", "what is fresh enough is not asked for");
        patient.settings.committed();
        assert_eq!(phone(&patient).await, "100");
    }
}

#[tokio::test]
async fn a_change_is_audited_with_what_was_and_what_is() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        patch(&office, &isp, json!({"contacts.phone": "100"})).await.unwrap();
        let version = patch(&office, &isp, json!({"contacts.phone": "100"})).await.unwrap().version;
        assert_eq!(version, 1, "nothing changed, nothing is counted");
        patch(&office, &isp, json!({"contacts.phone": null})).await.unwrap();
        let sql = "SELECT before, after FROM audit_entry WHERE entity = 'settings' ORDER BY id";
        let rows = office.db.dynamic_all(sql, args![]).await.unwrap();
        let change = |n: usize, column: &str| {
            let value: Value = rows[n].get(column).unwrap();
            value["values"]["contacts.phone"].clone()
        };
        assert_eq!(rows.len(), 2);
        assert_eq!((change(0, "before"), change(0, "after")), (Value::Null, json!("100")));
        assert_eq!((change(1, "before"), change(1, "after")), (json!("100"), Value::Null));
    }
}
