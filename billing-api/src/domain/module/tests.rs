use serde_json::{Value, json};

use super::{ALL, find, is_on};
use crate::domain::setting::tests::{below, office, pointers};
use crate::domain::{Actor, Fault, Office, module};

async fn patch(office: &Office, actor: &Actor, fields: Value) -> Result<module::View, Fault> {
    module::patch(office, actor, None, fields.as_object().unwrap(), None).await
}

#[test]
fn names_lead_to_modules_and_parts() {
    assert!(
        find("billing").is_some_and(|(module, part)| module.name == "billing" && part.is_none())
    );
    assert!(find("billing.invoices").is_some_and(|(_, part)| part == Some("invoices")));
    for unknown in ["", "kites", "billing.", "billing.kites", "billing.invoices.x", ".invoices"] {
        assert!(find(unknown).is_none(), "{unknown}");
    }
    let names: std::collections::HashSet<_> = ALL.iter().map(|module| module.name).collect();
    assert_eq!(names.len(), ALL.len());
}

#[tokio::test]
async fn an_off_above_stands_over_an_on_below() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let south = below(&office, &isp, json!({"kind": "partner", "name": "South"})).await;
        let on = async |actor: &Actor, name: &str| {
            is_on(&office, actor.organisation, name).await.unwrap()
        };
        assert!(on(&north, "billing.invoices").await && !on(&north, "kites").await);

        patch(&office, &north, json!({"billing.invoices": false})).await.unwrap();
        assert!(!on(&north, "billing.invoices").await && on(&north, "billing").await);
        assert!(on(&isp, "billing.invoices").await && on(&south, "billing.invoices").await);

        patch(&office, &south, json!({"billing": true})).await.unwrap();
        patch(&office, &isp, json!({"billing": false})).await.unwrap();
        assert!(!on(&south, "billing").await && !on(&south, "billing.payments").await);
        let fault = patch(&office, &south, json!({"billing": true, "vpn": 1})).await.unwrap_err();
        assert_eq!(pointers(&fault), ["/billing", "/vpn"]);
        let view = module::list(&office, &south, None).await.unwrap();
        let billing = view.data.iter().find(|state| state.name == "billing").unwrap();
        assert_eq!(billing.off_at, Some(isp.organisation));
        assert!(billing.parts.iter().all(|part| !part.on));

        patch(&office, &isp, json!({"billing": null})).await.unwrap();
        assert!(on(&south, "billing.payments").await && !on(&north, "billing.invoices").await);
        patch(&office, &north, json!({"billing.invoices": null})).await.unwrap();
        assert!(on(&north, "billing.invoices").await);
    }
}

#[tokio::test]
async fn what_every_organisation_needs_stays_on() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let bad = json!({"customers": false, "customers.labels": false, "kites": true});
        let fault = patch(&office, &isp, bad).await.unwrap_err();
        assert_eq!(pointers(&fault), ["/customers", "/kites"]);
        assert!(is_on(&office, isp.organisation, "customers.labels").await.unwrap());
        patch(&office, &isp, json!({"customers.labels": false})).await.unwrap();
        let off = module::guard(&office, isp.organisation, "/api/v1/labels/{id}").await;
        assert!(matches!(off, Err(Fault::NotFound("resource"))));
        assert!(module::guard(&office, isp.organisation, "/api/v1/customers").await.is_ok());
    }
}
