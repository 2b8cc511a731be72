//! Makes the demo through the API, as a customer's script would: it looks before it makes, so
//! that running it again, or after it was cut short, makes nothing twice.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Value, json};

use super::NAS_NAME;
use super::plan::{Demo, DemoError};
use super::town::PLANS;
use crate::api::{Api, ApiError};

/// What the demo's things are marked with, where the API keeps such a mark.
const SOURCE: &str = "demo";

/// Why the demo could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    #[error("could not make the demo through the API")]
    Api(#[from] ApiError),
    #[error("the API's answer lacks {0}")]
    Answer(&'static str),
    #[error(transparent)]
    File(#[from] DemoError),
}

/// Makes what is missing, and notes in the file when all of it is there.
pub(crate) async fn seed(api: &Api, demo: &mut Demo, file: &Path) -> Result<(), SeedError> {
    if demo.complete {
        return Ok(());
    }
    let plans = plans(api).await?;
    nas(api, demo).await?;
    let customers = customers(api, demo).await?;
    let services = api.all("/api/v1/services").await?;
    let known: HashSet<&str> =
        services.iter().filter_map(|service| service["login"].as_str()).collect();
    for subscriber in &demo.subscribers {
        if known.contains(subscriber.login.as_str()) {
            continue;
        }
        let plan = plans.get(&subscriber.plan).ok_or(SeedError::Answer("a plan"))?;
        let customer =
            customers.get(&subscriber.customer).ok_or(SeedError::Answer("a customer"))?;
        let body = json!({
            "plan_id": plan,
            "login": subscriber.login,
            "password": subscriber.password,
        });
        api.post(&format!("/api/v1/customers/{customer}/services"), &body).await?;
    }
    demo.complete = true;
    Ok(demo.save(file)?)
}

/// The ids of the plans, by name.
async fn plans(api: &Api) -> Result<HashMap<String, String>, SeedError> {
    let mut ids = by_name(&api.all("/api/v1/plans").await?)?;
    for plan in PLANS {
        if ids.contains_key(plan.name) {
            continue;
        }
        let body = json!({
            "name": plan.name,
            "price": { "amount": plan.price, "currency": "USD" },
            "download_bps": plan.download_mbps * 1_000_000,
            "upload_bps": plan.upload_mbps * 1_000_000,
            "interim_s": 60,
        });
        let made = api.post("/api/v1/plans", &body).await?;
        ids.insert(plan.name.to_owned(), text(&made, "id")?);
    }
    Ok(ids)
}

async fn nas(api: &Api, demo: &Demo) -> Result<(), SeedError> {
    if by_name(&api.all("/api/v1/nas").await?)?.contains_key(NAS_NAME) {
        return Ok(());
    }
    let body = json!({
        "name": NAS_NAME,
        "address": "127.0.0.1",
        "secret": demo.nas_secret,
        "vendor": "mikrotik",
        "coa_port": demo.coa_port,
    });
    api.post("/api/v1/nas", &body).await?;
    Ok(())
}

/// The ids of the customers, by name.
async fn customers(api: &Api, demo: &Demo) -> Result<HashMap<String, String>, SeedError> {
    // By our mark: a real customer may bear an invented name.
    let ours = |customer: &Value| customer["external_source"] == SOURCE;
    let found: Vec<Value> = api.all("/api/v1/customers").await?.into_iter().filter(ours).collect();
    let mut ids = by_name(&found)?;
    for (n, name) in demo.customers().into_iter().enumerate() {
        if ids.contains_key(name) {
            continue;
        }
        let body = json!({
            "name": name,
            // RFC 2606 §3: nobody gets this mail.
            "email": format!("customer{}@example.net", n + 1),
            "external_source": SOURCE,
            "external_id": format!("customer-{}", n + 1),
        });
        let made = api.post("/api/v1/customers", &body).await?;
        ids.insert(name.to_owned(), text(&made, "id")?);
    }
    Ok(ids)
}

fn by_name(items: &[Value]) -> Result<HashMap<String, String>, SeedError> {
    items.iter().map(|item| Ok((text(item, "name")?, text(item, "id")?))).collect()
}

fn text(item: &Value, field: &'static str) -> Result<String, SeedError> {
    item[field].as_str().map(str::to_owned).ok_or(SeedError::Answer(field))
}
