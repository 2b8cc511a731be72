//! Services against what happens to their customers and plans meanwhile.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::access::tests::{Place, places};
use crate::domain::customer::CUSTOMER;
use crate::domain::nas::NAS;
use crate::domain::plan::PLAN;
use crate::domain::setting::tests::{below, office};
use crate::entity::write::Made;

static CUSTOMERS: &Entity = &CUSTOMER;
static PLANS: &Entity = &PLAN;
static SERVICES: &Entity = &SERVICE;
static DEVICES: &Entity = &NAS;

async fn make(office: &Office, actor: &Actor, entity: &'static Entity, body: Value) -> Made {
    let draft = write::parse(entity, &[], body.to_string().as_bytes(), true).unwrap();
    write::create(office, actor, entity, draft).await.unwrap()
}

async fn customer(office: &Office, actor: &Actor) -> Made {
    make(office, actor, CUSTOMERS, json!({"name": "Asha"})).await
}

async fn plan(office: &Office, actor: &Actor, name: &str) -> Made {
    let price = json!({"amount": 500, "currency": "USD"});
    make(office, actor, PLANS, json!({"name": name, "price": price})).await
}

fn draft(customer: &Made, plan: &Made, login: &str) -> Draft {
    let body = json!({"customer_id": customer.view["id"], "plan_id": plan.view["id"],
        "login": login, "password": "s3cret-enough"});
    write::parse(SERVICES, &[], body.to_string().as_bytes(), true).unwrap()
}

/// That somebody waits for what another holds.
async fn waits<F: Future + Unpin>(future: &mut F) {
    assert!(tokio::time::timeout(Duration::from_millis(150), future).await.is_err());
}

#[tokio::test]
async fn what_gets_a_service_is_not_deleted_meanwhile() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        for (n, entity) in [CUSTOMERS, PLANS].into_iter().enumerate() {
            let (asha, fast) =
                (customer(&office, &isp).await, plan(&office, &isp, entity.name).await);
            let root = [&asha, &fast][n].id;
            let mut unit = Unit::begin(&office, &isp).await.unwrap();
            let new = draft(&asha, &fast, &format!("a{n}"));
            write::create_in(&mut unit, SERVICES, new).await.unwrap();
            // It was not there when the deletion began, and it is when the deletion decides.
            let mut deleting = Box::pin(write::delete(&office, &isp, entity, root, None));
            waits(&mut deleting).await;
            unit.commit().await.unwrap();
            let refused = deleting.await;
            assert!(matches!(refused, Err(Fault::Conflict { .. })), "{}: {refused:?}", entity.name);
        }
    }
}

#[tokio::test]
async fn what_is_being_deleted_gets_no_service() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        for (n, entity) in [CUSTOMERS, PLANS].into_iter().enumerate() {
            let (asha, fast) =
                (customer(&office, &isp).await, plan(&office, &isp, entity.name).await);
            let root = [&asha, &fast][n].id;
            let mut unit = Unit::begin(&office, &isp).await.unwrap();
            write::delete_in(&mut unit, entity, root, None).await.unwrap();
            let new = draft(&asha, &fast, &format!("b{n}"));
            let mut creating = Box::pin(write::create(&office, &isp, SERVICES, new));
            waits(&mut creating).await;
            unit.commit().await.unwrap();
            let Err(Fault::Invalid(faults)) = creating.await else { panic!("{}", entity.name) };
            assert_eq!(faults[0].pointer, format!("/{}_id", entity.name));
        }
    }
}

#[tokio::test]
async fn a_service_is_not_restored_or_moved_to_what_is_being_deleted() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let (asha, slow) = (customer(&office, &isp).await, plan(&office, &isp, "Slow").await);
        let fast = plan(&office, &isp, "Fast").await;
        let made = write::create(&office, &isp, SERVICES, draft(&asha, &slow, "c")).await.unwrap();
        let mut unit = Unit::begin(&office, &isp).await.unwrap();
        write::delete_in(&mut unit, PLANS, fast.id, None).await.unwrap();
        let (id, plan) = (ServiceId(made.id), PlanId(fast.id));
        let mut moving = Box::pin(change_plan(&office, &isp, id, plan, None));
        waits(&mut moving).await;
        unit.commit().await.unwrap();
        assert!(matches!(moving.await, Err(Fault::Invalid(_))));

        write::delete(&office, &isp, SERVICES, made.id, None).await.unwrap();
        let mut unit = Unit::begin(&office, &isp).await.unwrap();
        write::delete_in(&mut unit, CUSTOMERS, asha.id, None).await.unwrap();
        let mut restoring = Box::pin(write::restore(&office, &isp, SERVICES, made.id));
        waits(&mut restoring).await;
        unit.commit().await.unwrap();
        assert!(restoring.await.is_err());
        assert!(matches!(find(&office, &isp, id).await, Err(Fault::NotFound(_))));
    }
}

#[tokio::test]
async fn whoever_is_first_no_live_service_is_left_with_a_deleted_customer() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let fast = plan(&office, &isp, "Fast").await;
        for n in 0..12 {
            let asha = customer(&office, &isp).await;
            let new = draft(&asha, &fast, &format!("d{n}"));
            let (created, deleted) = tokio::join!(
                write::create(&office, &isp, SERVICES, new),
                write::delete(&office, &isp, CUSTOMERS, asha.id, None),
            );
            assert!(created.is_ok() != deleted.is_ok(), "{n}: {created:?} {deleted:?}");
        }
    }
}

/// What was ordered while acting as another names both, in every entry it leaves.
#[tokio::test]
async fn a_bulk_change_ordered_while_acting_as_another_names_both() {
    use crate::jobs::{Context, Kind as JobKind};
    for place in places().await {
        let Place { office, root, .. } = &place;
        let (theirs, _, acting) = place.somebody(json!(["customers.*"])).await;
        let acting = Actor { impersonator: Some(place.admin), ..acting };
        let asha = customer(office, root).await;
        let order = json!({"action": "update", "ids": [asha.view["id"]], "set": {"phone": "100"}});
        let order = order.to_string();
        let run = crate::entity::bulk::order(office, &acting, CUSTOMERS, order.as_bytes());
        let run = run.await.unwrap();
        let row = "SELECT created_by, impersonator, arguments FROM job_run WHERE id = $1";
        let rows = office.db.dynamic_all(row, args![run.id]).await.unwrap();
        let kind: &JobKind = &crate::entity::bulk::BULK;
        let context = |office: std::sync::Arc<Office>| {
            let created_by: String = rows[0].get("created_by").unwrap();
            let impersonator: Option<String> = rows[0].get("impersonator").unwrap();
            let arguments: Value = rows[0].get("arguments").unwrap();
            Context::of(
                office,
                root.clone(),
                model::RunId(run.id),
                arguments,
                created_by,
                impersonator,
            )
        };
        let shared = std::sync::Arc::new(place.again());
        let did = (kind.run)(&context(shared.clone())).await.unwrap();
        assert!(matches!(did, crate::jobs::Outcome::Succeeded(_)), "{did:?}");
        let (action, by, really) = place.audited(asha.view["id"].as_str().unwrap()).await;
        assert_eq!(action, "updated");
        assert_eq!((by, really), (theirs.to_string(), Some(place.admin.to_string())));

        // Whoever may not act as another any more changes nothing that way.
        let role = place.role(root.organisation, json!(["customers.view"])).await;
        let sql = "UPDATE staff SET role_id = $2 WHERE id = $1 RETURNING id";
        let mut tx = office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args![place.admin, role]).await.unwrap();
        tx.commit().await.unwrap();
        let rights = context(shared).on_behalf().await.unwrap().rights;
        assert!(!rights.has("customers.edit") && !rights.has("customers.view"));
    }
}

#[tokio::test]
async fn no_way_in_stays_live_under_a_service_that_is_being_deleted() {
    use crate::domain::identity;
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let (asha, fast) = (customer(&office, &isp).await, plan(&office, &isp, "Fast").await);
        let made = write::create(&office, &isp, SERVICES, draft(&asha, &fast, "e")).await.unwrap();
        let id = ServiceId(made.id);
        let mac = |text: &str| {
            let body = json!({"kind": "mac", "value": text}).to_string();
            identity::New::parse(body.as_bytes()).unwrap()
        };
        let added = identity::add(&office, &isp, id, mac("02:00:00:00:00:01"), Some(made.version));
        let added = added.await.unwrap();
        assert_eq!(added.version, made.version + 1);
        assert_eq!(added.view["identities"].as_array().map(Vec::len), Some(2));
        let seen = Some(made.version);
        let stale = identity::add(&office, &isp, id, mac("02:00:00:00:00:02"), seen).await;
        assert!(matches!(stale, Err(Fault::Stale)));

        let mut unit = Unit::begin(&office, &isp).await.unwrap();
        write::delete_in(&mut unit, SERVICES, made.id, None).await.unwrap();
        let mut adding = Box::pin(identity::add(&office, &isp, id, mac("02:00:00:00:00:03"), None));
        waits(&mut adding).await;
        unit.commit().await.unwrap();
        assert!(adding.await.is_err(), "{}", test.engine());
        let left = office.db.fetch_all(&sql::IDENTITIES, args![vec![id]]).await.unwrap();
        assert!(left.is_empty(), "{}", test.engine());
    }
}

#[tokio::test]
async fn a_service_of_a_deleted_nas_is_not_restored() {
    use crate::domain::nas::NAS;
    static ROUTERS: &Entity = &NAS;
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let (asha, fast) = (customer(&office, &isp).await, plan(&office, &isp, "Fast").await);
        let body = json!({"name": "bng1", "address": "192.0.2.1", "secret": "s3cret-enough"});
        let bng = make(&office, &isp, ROUTERS, body).await;
        let mut new = draft(&asha, &fast, "f");
        new.set("nas_id", NasId(bng.id));
        let made = write::create(&office, &isp, SERVICES, new).await.unwrap();
        write::delete(&office, &isp, SERVICES, made.id, None).await.unwrap();
        write::delete(&office, &isp, ROUTERS, bng.id, None).await.unwrap();
        let refused = write::restore(&office, &isp, SERVICES, made.id).await;
        assert!(matches!(refused, Err(Fault::Conflict { pointer: "/nas_id", .. })), "{refused:?}");
        write::restore(&office, &isp, ROUTERS, bng.id).await.unwrap();
        write::restore(&office, &isp, SERVICES, made.id).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_chosen_field_is_computed_from_is_not_cut_and_neighbours_are_not_told_of() {
    use crate::domain::nas::NAS;
    use crate::domain::setting::tests::below;
    use crate::entity::query::ListQuery;
    use crate::entity::read;
    static ROUTERS: &Entity = &NAS;
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        plan(&office, &isp, "Fast").await;
        for (at, vendor, address) in
            [(&isp, "mikrotik", "192.0.2.1"), (&north, "nokia", "192.0.2.2")]
        {
            let body = json!({"name": vendor, "vendor": vendor, "address": address,
                "secret": "s3cret-enough"});
            make(&office, at, ROUTERS, body).await;
        }
        for (reader, expected) in [
            (&isp, vec!["mikrotik", "nokia"]),
            (&north, vec!["mikrotik", "nokia"]),
            (&south, vec!["mikrotik"]),
        ] {
            for fields in ["", "name,vendor_fit"] {
                let mut asked = std::collections::BTreeMap::new();
                if !fields.is_empty() {
                    asked.insert("fields".to_owned(), fields.to_owned());
                }
                let query = ListQuery::parse(PLANS, &[], asked).unwrap();
                let mut listed = read::list(&office, reader, PLANS, &query).await.unwrap();
                let source = Source::Office(&office, reader);
                (PLANS.hooks.extend)(source, &mut listed.rows).await.unwrap();
                listed.keep(&query.fields);
                let fit = listed.rows[0]["vendor_fit"].as_array().unwrap();
                let vendors: Vec<&str> =
                    fit.iter().map(|one| one["vendor"].as_str().unwrap()).collect();
                assert_eq!(vendors, expected, "{} {fields:?}", test.engine());
            }
        }
    }
}

/// A service with something of the IPv6 address space.
async fn with_net(
    office: &Office,
    actor: &Actor,
    roots: (&Made, &Made),
    login: &str,
    nets: Value,
) -> Result<Made, Fault> {
    let mut body = json!({"customer_id": roots.0.view["id"], "plan_id": roots.1.view["id"],
        "login": login, "password": "s3cret-enough"});
    for (field, net) in nets.as_object().unwrap() {
        body[field] = net.clone();
    }
    let draft = write::parse(SERVICES, &[], body.to_string().as_bytes(), true)?;
    write::create(office, actor, SERVICES, draft).await
}

#[tokio::test]
async fn what_overlaps_with_anothers_prefix_is_refused() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let (asha, fast) = (customer(&office, &isp).await, plan(&office, &isp, "Fast").await);
        let roots = (&asha, &fast);
        let own = json!({"ipv6_address": "2001:db8:1::7", "ipv6_prefix": "2001:db8:1::/64",
            "delegated_prefix": "2001:db8:1::/56"});
        let first = with_net(&office, &isp, roots, "a", own).await.unwrap();
        for (n, (field, net)) in [
            ("delegated_prefix", "2001:db8:1:80::/57"),
            ("delegated_prefix", "2001:db8::/32"),
            ("delegated_prefix", "2001:db8:1::/57"),
            ("ipv6_prefix", "2001:db8:1:ff::/64"),
            ("ipv6_address", "2001:db8:1:ff:ffff:ffff:ffff:ffff"),
        ]
        .into_iter()
        .enumerate()
        {
            let made = with_net(&office, &isp, roots, &format!("b{n}"), json!({field: net})).await;
            let Err(Fault::Conflict { pointer, detail }) = made else { panic!("{net}: {made:?}") };
            assert_eq!(pointer, format!("/{field}"));
            assert!(!detail.contains("2001"), "{detail}");
        }
        // What lies beside it is free, and so is all of it once the service is gone.
        let beside = json!({"delegated_prefix": "2001:db8:1:100::/56"});
        let beside = with_net(&office, &isp, roots, "c", beside).await.unwrap();
        let wider = json!({"delegated_prefix": "2001:db8:1::/55"}).to_string();
        let wider = || write::parse(SERVICES, &[], wider.as_bytes(), false).unwrap();
        let moved = write::update(&office, &isp, SERVICES, beside.id, wider(), None).await;
        assert!(matches!(moved, Err(Fault::Conflict { pointer: "/delegated_prefix", .. })));
        write::delete(&office, &isp, SERVICES, first.id, None).await.unwrap();
        write::update(&office, &isp, SERVICES, beside.id, wider(), None).await.unwrap();
        let back = write::restore(&office, &isp, SERVICES, first.id).await;
        assert!(matches!(back, Err(Fault::Conflict { .. })), "{back:?}");
        let none = json!({"delegated_prefix": null}).to_string();
        let none = write::parse(SERVICES, &[], none.as_bytes(), false).unwrap();
        write::update(&office, &isp, SERVICES, beside.id, none, None).await.unwrap();
        write::restore(&office, &isp, SERVICES, first.id).await.unwrap();
    }
}

#[tokio::test]
async fn of_two_that_overlap_at_once_one_is_refused() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let (asha, fast) = (customer(&office, &isp).await, plan(&office, &isp, "Fast").await);
        let roots = (&asha, &fast);
        for n in 0..12 {
            let wide = json!({"delegated_prefix": format!("2001:db8:{n:x}00::/40")});
            let narrow = json!({"ipv6_prefix": format!("2001:db8:{n:x}07:5::/64")});
            let (one, other) = (format!("w{n}"), format!("n{n}"));
            let (one, other) = tokio::join!(
                with_net(&office, &isp, roots, &one, wide),
                with_net(&office, &isp, roots, &other, narrow),
            );
            assert_ne!(one.is_ok(), other.is_ok(), "{:?}: {one:?} {other:?}", test.engine());
        }
    }
}

#[tokio::test]
async fn a_partners_service_comes_through_a_nas_that_those_above_share() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let bng = json!({"name": "bng", "address": "192.0.2.1", "secret": "testing123",
            "vendor": "mikrotik"});
        let bng = make(&office, &isp, DEVICES, bng).await;
        assert_eq!(bng.view["shared"], false, "unless it is said");
        let (asha, fast) = (customer(&office, &north).await, plan(&office, &isp, "Fast").await);
        let roots = (&asha, &fast);
        let tied = json!({"nas_id": bng.view["id"]});
        let refused = with_net(&office, &north, roots, "a", tied.clone()).await;
        let Err(Fault::Invalid(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!(faults[0].pointer, "/nas_id");
        let share = json!({"shared": true}).to_string();
        let share = || write::parse(DEVICES, &[], share.as_bytes(), false).unwrap();
        write::update(&office, &isp, DEVICES, bng.id, share(), None).await.unwrap();
        let made = with_net(&office, &north, roots, "a", tied).await.unwrap();
        assert_eq!(made.view["nas_id"], bng.view["id"]);
        let own = write::update(&office, &north, DEVICES, bng.id, share(), None).await;
        assert!(matches!(own, Err(Fault::NotFound(_))), "{own:?}");
        let gone = write::delete(&office, &isp, DEVICES, bng.id, None).await;
        assert!(matches!(gone, Err(Fault::Conflict { .. })), "it is in use: {gone:?}");
    }
}
