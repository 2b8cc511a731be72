//! Writes the draft through the API.
//!
//! Everything made bears `external_source` `freeradius` and an `external_id` (of a service and
//! its customer: the login), and what bears it already is not made again. So an import that was
//! cut short goes on when it is started again, and one that is repeated makes only what is new.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::draft::{Draft, Nas, Plan, Service, Trouble, Weight};
use super::pairs::Place;
use super::report::signing;
use crate::api::{Api, ApiError};

/// What everything made here bears.
const SOURCE: &str = "freeradius";
/// Services under way at a time: enough to keep the database busy, too few to keep others out.
const TOGETHER: usize = 8;
/// How often a request is repeated that came too fast. With [`PAUSE`] it is more than the minute
/// the API counts in.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_secs(2);

/// What became of one kind of record.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) made: usize,
    pub(super) changed: usize,
    pub(super) there: usize,
    pub(super) refused: usize,
}

/// What became of all.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) counts: [(&'static str, Count); 3],
    /// What the API refused.
    pub(super) troubles: Vec<Trouble>,
}

impl Done {
    /// For programs.
    pub(super) fn as_json(&self) -> Value {
        let counts = self.counts.iter().map(|(kind, count)| {
            let Count { made, changed, there, refused } = count;
            let count =
                json!({"made": made, "changed": changed, "there": there, "refused": refused});
            ((*kind).to_owned(), count)
        });
        let refused: Vec<Value> = (self.troubles.iter())
            .map(
                |trouble| json!({"kind": trouble.kind, "name": trouble.name, "text": trouble.text}),
            )
            .collect();
        json!({"counts": counts.collect::<Map<_, _>>(), "refused": refused})
    }

    fn refused(&mut self, kind: usize, name: &str, place: &Place, error: &ApiError) {
        self.counts[kind].1.refused += 1;
        let (weight, name, place) = (Weight::LeftOut, name.to_owned(), place.clone());
        let (kind, text) = (self.counts[kind].0, error.to_string());
        self.troubles.push(Trouble { weight, kind, name, place, text });
    }
}

const NAS: usize = 0;
const PLAN: usize = 1;
const SERVICE: usize = 2;

/// Why it did not go on. What was written stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    #[error("the API cannot be used; what was made stays, and starting again goes on from there")]
    Api(#[from] ApiError),
    #[error("the API's answer lacks {0}")]
    Answer(&'static str),
    #[error("a task ended early")]
    Task(#[from] tokio::task::JoinError),
}

/// Writes it.
pub(super) async fn apply(
    api: &Api,
    draft: &Draft,
    currency: Option<&str>,
    update: bool,
) -> Result<Done, ApplyError> {
    let mut done = Done {
        counts: [
            ("nas", Count::default()),
            ("plan", Count::default()),
            ("service", Count::default()),
        ],
        ..Done::default()
    };
    let nas = make_nas(api, draft, update, &mut done).await?;
    let plans = make_plans(api, draft, currency, update, &mut done).await?;
    make_services(api, draft, &nas, &plans, update, &mut done).await?;
    Ok(done)
}

/// What is there already, by its external id.
async fn known(api: &Api, path: &str) -> Result<HashMap<String, Value>, ApplyError> {
    let path = format!("/api/v1/{path}?external_source={SOURCE}&limit=500");
    let found = api.all(&path).await?;
    let by_id = found.into_iter().filter_map(|record| {
        let id = record["external_id"].as_str()?.to_owned();
        Some((id, record))
    });
    Ok(by_id.collect())
}

/// The id of the one record with this external id. It may have been made after the lists were
/// read: by an import that was cut short, whose last requests were still under way.
async fn find(api: &Api, path: &str, external_id: &str) -> Result<Option<String>, ApplyError> {
    let external_id = encoded(external_id);
    let path = format!("/api/v1/{path}?external_source={SOURCE}&external_id={external_id}");
    let found = patient(|| api.get(&path)).await?;
    Ok(found.ok().and_then(|page| page["data"][0]["id"].as_str().map(str::to_owned)))
}

/// A text as part of a query (RFC 3986 §2.1).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(octet.into());
            }
            _ => out.push_str(&format!("%{octet:02X}")),
        }
    }
    out
}

fn id_of(record: &Value) -> Result<String, ApplyError> {
    record["id"].as_str().map(str::to_owned).ok_or(ApplyError::Answer("an id"))
}

/// Repeats what came too fast, and tells apart what is wrong with one record and with all.
async fn patient<F>(mut request: impl FnMut() -> F) -> Result<Result<Value, ApiError>, ApiError>
where
    F: Future<Output = Result<Value, ApiError>>,
{
    let mut tries = 1;
    loop {
        match request().await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(ApiError::Refused { status: 429, .. }) if tries < TRIES => {
                tries += 1;
                // The API counts requests by the minute; there is nothing else to wait for.
                tokio::time::sleep(PAUSE).await;
            }
            Err(error @ ApiError::Refused { status: 400 | 404 | 409 | 412 | 413 | 422, .. }) => {
                return Ok(Err(error));
            }
            // Not let in, too fast for good, or a server in trouble: the next record fares no better.
            Err(error) => return Err(error),
        }
    }
}

async fn make_nas(
    api: &Api,
    draft: &Draft,
    update: bool,
    done: &mut Done,
) -> Result<HashMap<String, String>, ApplyError> {
    // One made by hand counts as well: there is one NAS at an address.
    let mut ids = HashMap::new();
    for record in api.all("/api/v1/nas?limit=500").await? {
        if let Some(address) = record["address"].as_str() {
            ids.insert(address.to_owned(), id_of(&record)?);
        }
    }
    for nas in &draft.nas {
        let address = nas.address.to_string();
        let body = body_of_nas(nas);
        let answer = match ids.get(&address) {
            Some(_) if !update => {
                done.counts[NAS].1.there += 1;
                continue;
            }
            Some(id) => {
                let path = format!("/api/v1/nas/{id}");
                patient(|| api.patch(&path, &body)).await?
            }
            None => patient(|| api.post("/api/v1/nas", &body)).await?,
        };
        match answer {
            Err(error) => done.refused(NAS, &nas.name, &nas.place, &error),
            Ok(record) => {
                let is_new = ids.insert(address, id_of(&record)?).is_none();
                let count = &mut done.counts[NAS].1;
                *(if is_new { &mut count.made } else { &mut count.changed }) += 1;
            }
        }
    }
    Ok(ids)
}

fn body_of_nas(nas: &Nas) -> Value {
    json!({
        "name": nas.name,
        "address": nas.address,
        "secret": nas.secret.expose(),
        "vendor": nas.vendor,
        "message_authenticator": signing(nas.requires_signature).0,
        "external_source": SOURCE,
        "external_id": nas.address.to_string(),
    })
}

/// The ids of the plans, in the order of the draft; `None` for what was refused.
async fn make_plans(
    api: &Api,
    draft: &Draft,
    currency: Option<&str>,
    update: bool,
    done: &mut Done,
) -> Result<Vec<Option<String>>, ApplyError> {
    let known = known(api, "plans").await?;
    let mut ids = Vec::new();
    for plan in &draft.plans {
        let record = known.get(&plan.external_id);
        let differs = record.is_some_and(|record| differs(record, &plan.fields));
        let answer = match record {
            Some(record) if differs && update => {
                let path = format!("/api/v1/plans/{}", id_of(record)?);
                let body = Value::Object(plan.fields.clone());
                patient(|| api.patch(&path, &body)).await?
            }
            Some(record) => {
                done.counts[PLAN].1.there += 1;
                if differs {
                    let text = "it is not what it was when it was imported: --update changes it";
                    done.troubles.push(Trouble {
                        weight: Weight::Less,
                        kind: "plan",
                        name: plan.name.clone(),
                        place: plan.place.clone(),
                        text: text.to_owned(),
                    });
                }
                ids.push(Some(id_of(record)?));
                continue;
            }
            None => {
                let body = body_of_plan(plan, currency);
                patient(|| api.post("/api/v1/plans", &body)).await?
            }
        };
        match answer {
            Err(error) => {
                done.refused(PLAN, &plan.name, &plan.place, &error);
                // What is there stays, unchanged, and services may be on it.
                ids.push(record.map(id_of).transpose()?);
            }
            Ok(made) => {
                let count = &mut done.counts[PLAN].1;
                *(if record.is_none() { &mut count.made } else { &mut count.changed }) += 1;
                ids.push(Some(id_of(&made)?));
            }
        }
    }
    Ok(ids)
}

fn differs(record: &Value, fields: &Map<String, Value>) -> bool {
    fields.iter().any(|(name, value)| record[name.as_str()] != *value)
}

fn body_of_plan(plan: &Plan, currency: Option<&str>) -> Value {
    let mut body = plan.fields.clone();
    let mut price = json!({"amount": 0});
    price["currency"] = json!(currency.unwrap_or("USD"));
    for (field, value) in [
        ("name", json!(plan.name)),
        ("price", price),
        // FreeRADIUS's expiration refuses.
        ("on_expired", json!("reject")),
        ("external_source", json!(SOURCE)),
        ("external_id", json!(plan.external_id)),
    ] {
        body.insert(field.to_owned(), value);
    }
    Value::Object(body)
}

/// What became of one service.
enum Made {
    New,
    Changed,
    There,
    Refused(ApiError),
}

async fn make_services(
    api: &Api,
    draft: &Draft,
    nas: &HashMap<String, String>,
    plans: &[Option<String>],
    update: bool,
    done: &mut Done,
) -> Result<(), ApplyError> {
    let customers = known(api, "customers").await?;
    let services = known(api, "services").await?;
    let mut tasks: JoinSet<(usize, Result<Made, ApplyError>)> = JoinSet::new();
    for (at, service) in draft.services.iter().enumerate() {
        let known = services.get(&service.login);
        let held = known.is_some_and(|known| known["status"] == "held");
        if known.is_some() && !update && (!service.refused || held) {
            done.counts[SERVICE].1.there += 1;
            continue;
        }
        let Some(plan) = &plans[service.plan] else {
            let text = format!("its plan {:?} was refused", draft.plans[service.plan].name);
            done.counts[SERVICE].1.refused += 1;
            done.troubles.push(Trouble {
                weight: Weight::LeftOut,
                kind: "service",
                name: service.login.clone(),
                place: service.place.clone(),
                text,
            });
            continue;
        };
        let bound = service.nas.map(|address| nas.get(&address.to_string()));
        if bound == Some(None) {
            // Without its NAS it would get in through every one.
            done.counts[SERVICE].1.refused += 1;
            done.troubles.push(Trouble {
                weight: Weight::LeftOut,
                kind: "service",
                name: service.login.clone(),
                place: service.place.clone(),
                text: "the NAS it may come through was refused".to_owned(),
            });
            continue;
        }
        let task = Task {
            api: api.clone(),
            login: service.login.clone(),
            customer: customers.get(&service.login).map(id_of).transpose()?,
            service: known.map(id_of).transpose()?,
            person: person(service),
            body: body_of_service(service, plan, bound.flatten()),
            update,
            suspend: service.refused && !held,
        };
        while tasks.len() >= TOGETHER {
            settle(draft, tasks.join_next().await, done)?;
        }
        tasks.spawn(async move { (at, task.run().await) });
    }
    while let Some(ended) = tasks.join_next().await {
        settle(draft, Some(ended), done)?;
    }
    Ok(())
}

/// A task that ended: which service it was about, and what became of it.
type Settled = Result<(usize, Result<Made, ApplyError>), tokio::task::JoinError>;

fn settle(draft: &Draft, ended: Option<Settled>, done: &mut Done) -> Result<(), ApplyError> {
    let Some(ended) = ended else { return Ok(()) };
    let (at, made) = ended?;
    let service = &draft.services[at];
    let count = &mut done.counts[SERVICE].1;
    match made? {
        Made::New => count.made += 1,
        Made::Changed => count.changed += 1,
        Made::There => count.there += 1,
        Made::Refused(error) => done.refused(SERVICE, &service.login, &service.place, &error),
    }
    Ok(())
}

fn is_conflict(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { status: 409, .. })
}

/// One service, with its customer.
struct Task {
    api: Api,
    login: String,
    customer: Option<String>,
    service: Option<String>,
    person: Value,
    body: Value,
    update: bool,
    suspend: bool,
}

impl Task {
    async fn run(self) -> Result<Made, ApplyError> {
        let Self { api, login, customer, service, mut person, body, update, suspend } = self;
        let (service, made) = match service {
            Some(id) if update => {
                let path = format!("/api/v1/services/{id}");
                match patient(|| api.patch(&path, &body)).await? {
                    Ok(_) => (id, Made::Changed),
                    Err(error) => return Ok(Made::Refused(error)),
                }
            }
            Some(id) => (id, Made::There),
            None => {
                let customer = match customer {
                    Some(id) => id,
                    None => {
                        let mut answer = patient(|| api.post("/api/v1/customers", &person)).await?;
                        if answer.is_err() && !person["email"].is_null() {
                            // Tables have anything under e-mail; the name is what counts.
                            person["email"] = Value::Null;
                            answer = patient(|| api.post("/api/v1/customers", &person)).await?;
                        }
                        match answer {
                            Ok(made) => id_of(&made)?,
                            Err(error) => match find(&api, "customers", &login).await? {
                                Some(id) if is_conflict(&error) => id,
                                _ => return Ok(Made::Refused(error)),
                            },
                        }
                    }
                };
                let path = format!("/api/v1/customers/{customer}/services");
                match patient(|| api.post(&path, &body)).await? {
                    Ok(made) => (id_of(&made)?, Made::New),
                    Err(error) => match find(&api, "services", &login).await? {
                        Some(id) if is_conflict(&error) => (id, Made::There),
                        _ => return Ok(Made::Refused(error)),
                    },
                }
            }
        };
        if suspend {
            let path = format!("/api/v1/services/{service}/suspend");
            let note = json!({"note": "FreeRADIUS: Auth-Type := Reject"});
            if let Err(error) = patient(|| api.post(&path, &note)).await? {
                return Ok(Made::Refused(error));
            }
        }
        Ok(made)
    }
}

fn person(service: &Service) -> Value {
    let person = &service.person;
    json!({
        "name": person.name.as_deref().unwrap_or(&service.login),
        "email": person.email,
        "phone": person.phone,
        "external_source": SOURCE,
        "external_id": service.login,
    })
}

fn body_of_service(service: &Service, plan: &str, nas: Option<&String>) -> Value {
    let mut body = service.fields.clone();
    for (field, value) in [
        ("login", json!(service.login)),
        ("password", json!(service.password.expose())),
        ("plan_id", json!(plan)),
        ("external_source", json!(SOURCE)),
        ("external_id", json!(service.login)),
    ] {
        body.insert(field.to_owned(), value);
    }
    if let Some(nas) = nas {
        body.insert("nas_id".to_owned(), json!(nas));
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_cannot_end_its_part_of_a_query() {
        assert_eq!(encoded("a-1._~"), "a-1._~");
        assert_eq!(encoded("b&c=d #é/+%"), "b%26c%3Dd%20%23%C3%A9%2F%2B%25");
    }
}
