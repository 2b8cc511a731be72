use model::{NasId, PlanId};
use serde_json::json;
use store::args;

use super::*;
use crate::domain::radius_group::{ATTRIBUTE_TEMPLATE, RADIUS_GROUP, REALM};
use crate::domain::setting::tests::{office, pointers};
use crate::domain::{customer, plan, service};
use crate::entity::Entity;

static GROUP: &Entity = &RADIUS_GROUP;
static TEMPLATES: &Entity = &ATTRIBUTE_TEMPLATE;
static REALMS: &Entity = &REALM;
static SERVICE: &Entity = &service::SERVICE;

async fn make(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    body: &Value,
) -> Result<Uuid, Fault> {
    let draft = Draft::parse(entity, &[], body.to_string().as_bytes(), true)?;
    Ok(write::create(office, actor, entity, draft).await?.id)
}

async fn change(office: &Office, actor: &Actor, id: Uuid, fields: &Value) -> Result<(), Fault> {
    let fields = fields.as_object().unwrap().clone();
    let draft = Draft::of(SERVICE, &[], fields, false)?;
    write::update(office, actor, SERVICE, id, draft, None).await.map(drop)
}

async fn macs(office: &Office, id: ServiceId) -> (Value, i64) {
    let row = office.db.fetch_one(&sql::BOUND, args![id]).await.unwrap();
    let macs: Option<Value> = row.get("macs").unwrap();
    (macs.unwrap_or_else(|| json!([])), row.get("mac_generation").unwrap())
}

#[tokio::test]
async fn names_are_found_and_addresses_are_learned_once() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let plan = json!({"name": "Home", "price": {"amount": 1, "currency": "USD"}});
        let plan = PlanId(make(&office, &isp, &plan::PLAN, &plan).await.unwrap());
        let body = json!({"name": "Asha", "email": "asha@example.net"});
        let customer = make(&office, &isp, &customer::CUSTOMER, &body).await.unwrap();
        let body = json!({"plan_id": plan, "login": "asha", "password": "x",
            "customer_id": model::CustomerId(customer)});
        let id = make(&office, &isp, SERVICE, &body).await.unwrap();

        // A group is named by those who are in it, and stays while they are.
        let refused = change(&office, &isp, id, &json!({"groups": ["gold"]})).await;
        assert_eq!(pointers(&refused.unwrap_err()), ["/groups"]);
        let group = make(&office, &isp, GROUP, &json!({"name": "gold"})).await.unwrap();
        change(&office, &isp, id, &json!({"groups": ["gold"]})).await.unwrap();
        assert!(matches!(
            write::delete(&office, &isp, GROUP, group, None).await,
            Err(Fault::Conflict { .. })
        ));
        let row = office.db.fetch_one(&sql::BOUND, args![ServiceId(id)]).await.unwrap();
        let rules = service_sql::service(&row).unwrap().overrides.rules;
        assert_eq!(rules.groups, [model::RadiusGroupId(group)], "{}", test.engine());
        change(&office, &isp, id, &json!({"groups": []})).await.unwrap();
        write::delete(&office, &isp, GROUP, group, None).await.unwrap();

        // A template's lines are added once.
        let body = json!({"name": "Slow", "reply_attributes": ["Session-Timeout := 60"]});
        let template = make(&office, &isp, TEMPLATES, &body).await.unwrap();
        let mut arguments = Draft::default();
        arguments.set("template_id", template);
        for _ in 0..2 {
            let mut unit = Unit::begin(&office, &isp).await.unwrap();
            apply_template(&mut unit, SERVICE, id, None, &arguments).await.unwrap();
            unit.commit().await.unwrap();
        }
        let row = office.db.fetch_one(&sql::BOUND, args![ServiceId(id)]).await.unwrap();
        let rules = service_sql::service(&row).unwrap().overrides.rules;
        assert_eq!(rules.reply, ["Session-Timeout := 60"]);

        // What is learned is kept once, up to the limit, and not of an older generation.
        let service = ServiceId(id);
        let learn = |mac: &str, generation| {
            mac_learned(&office, service, mac.parse().unwrap(), NasId::NONE, generation)
        };
        learn("02:00:00:00:00:01", 0).await.unwrap();
        assert_eq!(macs(&office, service).await, (json!([]), 0), "it is bound to nothing");
        change(&office, &isp, id, &json!({"mac_binding": "learn", "mac_limit": 2})).await.unwrap();
        for mac in ["02:00:00:00:00:01", "02:00:00:00:00:01", "02:00:00:00:00:02"] {
            learn(mac, 0).await.unwrap();
        }
        learn("02:00:00:00:00:03", 0).await.unwrap();
        let two = json!(["02:00:00:00:00:01", "02:00:00:00:00:02"]);
        assert_eq!(macs(&office, service).await, (two, 0));
        let mut unit = Unit::begin(&office, &isp).await.unwrap();
        forget_macs(&mut unit, SERVICE, service, None).await.unwrap();
        unit.commit().await.unwrap();
        learn("02:00:00:00:00:01", 0).await.unwrap();
        assert_eq!(macs(&office, service).await, (json!([]), 1), "of the time before");

        // A realm is one in the installation, whatever its letters.
        make(&office, &isp, REALMS, &json!({"name": "Partner.Example"})).await.unwrap();
        let again = make(&office, &isp, REALMS, &json!({"name": "PARTNER.example"})).await;
        assert!(matches!(again, Err(Fault::Conflict { pointer: "/name", .. })));
        let bad = make(&office, &isp, REALMS, &json!({"name": "a@b"})).await;
        assert_eq!(pointers(&bad.unwrap_err()), ["/name"]);
    }
}
