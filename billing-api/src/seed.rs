//! Services by the million, to measure with: one plan, one customer, logins `u0000000` and up,
//! passwords `p0000000` and up.
//!
//! Written in sets: one statement makes thousands of rows from one JSON document. The network
//! hears of them on the usual road: every service has its `service.created` in the outbox, with
//! its policy key, and the relay does the rest. A set is one transaction and has one audit entry;
//! whatever interrupts a seed, the next call goes on after the last whole set.

pub(crate) mod customers;

use model::policy::Key;
use model::{CustomerId, EventId, IdentityId, PlanId, ServiceId};
use serde_json::{Value, json};
use store::{StoreError, args};

use crate::domain::{Actor, Event, Fault, Office, Unit, customer, plan};
use crate::store::organisation;

/// What seeded rows say of their origin.
const SOURCE: &str = "seed";
/// Services written in one transaction.
const SET: u64 = 2000;
/// Seven digits name no more.
const COUNT_MAX: u64 = 10_000_000;

store::statements! {
    /// The seeded plan.
    FIND_PLAN = "SELECT id FROM plan WHERE organisation_id = $1
        AND external_source = 'seed' AND external_id = 'plan' AND deleted_at IS NULL";
    /// The seeded customer.
    FIND_CUSTOMER = "SELECT id FROM customer WHERE organisation_id = $1
        AND external_source = 'seed' AND external_id = 'customer' AND deleted_at IS NULL";
    /// The last seeded service: logins sort as their numbers do.
    FIND_LAST = "SELECT MAX(external_id) AS last FROM service WHERE organisation_id = $1
        AND external_source = 'seed' AND deleted_at IS NULL";
    /// Services from the columns of a set.
    INSERT_SERVICES = {
        sqlite: "INSERT INTO service
            (id, organisation_id, customer_id, plan_id, login, status, zone,
             external_source, external_id, created_at, created_by, updated_at, updated_by)
            SELECT unhex(value ->> 0), $2, $3, $4, value ->> 2, 'active', $5, 'seed',
                value ->> 2, $6, $7, $6, $7
            FROM json_each($1)",
        postgres: "INSERT INTO service
            (id, organisation_id, customer_id, plan_id, login, status, zone,
             external_source, external_id, created_at, created_by, updated_at, updated_by)
            SELECT (value ->> 0)::uuid, $2::uuid, $3::uuid, $4::uuid, value ->> 2, 'active',
                $5::text, 'seed', value ->> 2, $6::timestamptz, $7::text, $6, $7
            FROM jsonb_array_elements($1::jsonb) AS t (value)",
    };
    /// Their logins.
    INSERT_IDENTITIES = {
        sqlite: "INSERT INTO access_identity
            (id, organisation_id, service_id, kind, value, credential_kind, credential,
             created_at, created_by, updated_at, updated_by)
            SELECT unhex(value ->> 1), $2, unhex(value ->> 0), 'login', value ->> 2, 'clear',
                value ->> 3, $3, $4, $3, $4
            FROM json_each($1)",
        postgres: "INSERT INTO access_identity
            (id, organisation_id, service_id, kind, value, credential_kind, credential,
             created_at, created_by, updated_at, updated_by)
            SELECT (value ->> 1)::uuid, $2::uuid, (value ->> 0)::uuid, 'login', value ->> 2,
                'clear', value ->> 3, $3::timestamptz, $4::text, $3, $4
            FROM jsonb_array_elements($1::jsonb) AS t (value)",
    };
    /// Their events, in the order of their logins.
    INSERT_EVENTS = {
        sqlite: "INSERT INTO outbox
            (id, organisation_id, at, kind, entity_id, format, payload, policy_keys)
            SELECT unhex(value ->> 4), $2, $3, 'service.created', value ->> 5, $4, value ->> 6,
                value ->> 5
            FROM json_each($1)",
        postgres: "INSERT INTO outbox
            (id, organisation_id, at, kind, entity_id, format, payload, policy_keys)
            SELECT (value ->> 4)::uuid, $2::uuid, $3::timestamptz, 'service.created', value ->> 5,
                $4::bigint, (value ->> 6)::jsonb, value ->> 5
            FROM jsonb_array_elements($1::jsonb) AS t (value)",
    };
}

/// Creates what is missing up to `count` services; how many that were.
pub(crate) async fn grow(office: &Office, count: u64) -> Result<u64, Fault> {
    let count = count.min(COUNT_MAX);
    let root = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await?;
    let root = organisation::organisation(&root)?;
    let last = office.db.fetch_one(&FIND_LAST, args![root.id]).await?;
    let last: Option<String> = last.get("last")?;
    let first = match last.as_deref().and_then(|login| login.strip_prefix('u')) {
        Some(digits) => digits.parse::<u64>().map_or(0, |number| number + 1),
        None => 0,
    };
    if first >= count {
        return Ok(0);
    }
    let actor = Actor::system(SOURCE, root.id, root.path);
    let seed = Seed {
        office,
        actor: &actor,
        zone: &root.zone,
        plan: plan_id(office, &actor, &root.currency.to_string()).await?,
        customer: customer_id(office, &actor).await?,
    };
    let mut at = first;
    while at < count {
        let end = (at + SET).min(count);
        seed.write(at, end).await?;
        at = end;
    }
    Ok(count - first)
}

async fn plan_id(office: &Office, actor: &Actor, currency: &str) -> Result<PlanId, Fault> {
    if let Some(row) = office.db.fetch_optional(&FIND_PLAN, args![actor.organisation]).await? {
        return Ok(row.get("id")?);
    }
    let body = json!({
        "name": "Seed 50/20",
        "price": {"amount": 2000, "currency": currency},
        "download_bps": 50_000_000,
        "upload_bps": 20_000_000,
        "interim_s": 300,
        "pool": "pool1",
        "external_source": SOURCE,
        "external_id": "plan",
    });
    let new = plan::New::parse(body.to_string().as_bytes())?;
    Ok(plan::create(office, actor, new).await?.id)
}

async fn customer_id(office: &Office, actor: &Actor) -> Result<CustomerId, Fault> {
    if let Some(row) = office.db.fetch_optional(&FIND_CUSTOMER, args![actor.organisation]).await? {
        return Ok(row.get("id")?);
    }
    let body = json!({
        "name": "Seeded subscribers",
        "external_source": SOURCE,
        "external_id": "customer",
    });
    let new = customer::New::parse(body.to_string().as_bytes())?;
    Ok(customer::create(office, actor, new).await?.id)
}

/// What all seeded services share.
struct Seed<'a> {
    office: &'a Office,
    actor: &'a Actor,
    zone: &'a str,
    plan: PlanId,
    customer: CustomerId,
}

impl Seed<'_> {
    /// Writes the services with these numbers, all or none.
    async fn write(&self, first: u64, end: u64) -> Result<(), Fault> {
        let rows: Result<Vec<Value>, Fault> = (first..end).map(|number| self.row(number)).collect();
        let rows = Value::Array(rows?);
        let (organisation, by) = (self.actor.organisation, self.actor.label());
        let mut unit = Unit::begin(self.office, self.actor).await?;
        let now = unit.now;
        unit.execute(
            &INSERT_SERVICES,
            args![
                rows.clone(),
                organisation,
                self.customer,
                self.plan,
                self.zone,
                now,
                by.as_str()
            ],
        )
        .await?;
        let inserted =
            unit.execute(&INSERT_IDENTITIES, args![rows.clone(), organisation, now, by]).await;
        match inserted {
            Err(StoreError::Unique { .. }) => {
                return Err(Fault::Conflict {
                    pointer: "/login",
                    detail: format!(
                        "one of the logins {} to {} is taken",
                        login(first),
                        login(end - 1)
                    ),
                });
            }
            result => result?,
        };
        unit.execute(&INSERT_EVENTS, args![rows, organisation, now, 1]).await?;
        let event = Event {
            kind: "plan.seeded",
            entity_id: self.plan.to_string(),
            payload: json!({"first": login(first), "last": login(end - 1)}),
            policy: &[],
        };
        unit.record(organisation, event, None).await?;
        unit.commit().await
    }

    /// Ids of service and identity, login, sealed password; id, entity and payload of the event.
    fn row(&self, number: u64) -> Result<Value, Fault> {
        let (service, identity) = (ServiceId::generate(), IdentityId::generate());
        let login = login(number);
        let password = format!("p{number:07}");
        let sealed = self.office.keyring.seal(&identity.to_string(), password.as_bytes())?;
        let payload = json!({
            "type": "service.created",
            "data": {
                "id": service,
                "customer_id": self.customer,
                "plan_id": self.plan,
                "login": login,
                "status": "active",
            },
        });
        Ok(json!([
            service.0.simple().to_string(),
            identity.0.simple().to_string(),
            login,
            sealed.0,
            EventId::generate().0.simple().to_string(),
            Key::Subscriber(service).to_string(),
            payload.to_string(),
        ]))
    }
}

fn login(number: u64) -> String {
    format!("u{number:07}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use daemon::secrets::Keyring;
    use model::SystemClock;
    use store::Engine;

    use super::*;
    use crate::store::{MIGRATIONS, policy, service};

    store::statements! {
        COUNT = "SELECT COUNT(*) AS count FROM service";
    }

    #[tokio::test]
    async fn every_statement_prepares_on_both_engines() {
        for test in store::testing::engines("billing").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let failures = store::prepare_all(&test.db, super::ALL).await;
            assert!(failures.is_empty(), "{:?}: {failures:?}", test.engine());
        }
    }

    #[tokio::test]
    async fn a_seed_grows_to_its_count_and_stays_there() {
        for test in store::testing::engines("billing").await {
            let engine: Engine = test.engine();
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let office = Office::new(
                test.db.clone(),
                test.db.clone(),
                Keyring::ephemeral(),
                Arc::new(SystemClock),
            );
            let config = crate::config::FirstStart::default();
            crate::first_start::prepare(&office, &config, None).await.unwrap();
            for (asked, created) in [(3, 3), (3, 0), (2, 0), (SET + 5, SET + 2), (SET + 5, 0)] {
                assert_eq!(grow(&office, asked).await.unwrap(), created, "{engine:?} {asked}");
            }
            let count: i64 =
                office.db.fetch_one(&COUNT, args![]).await.unwrap().get("count").unwrap();
            assert_eq!(count as u64, SET + 5);

            // One event a service, after the plan's own.
            let waiting = office.db.fetch_all(&policy::WAITING, args![1_000_000]).await.unwrap();
            assert_eq!(waiting.len() as u64, SET + 6);
            let key: String = waiting[4].get("policy_keys").unwrap();
            let id: ServiceId = key.parse().unwrap();
            let row = office.db.fetch_one(&policy::LOAD_SERVICES, args![vec![id]]).await.unwrap();
            assert_eq!(row.get::<String>("external_id").unwrap(), "u0000003");
            let rows = office.db.fetch_all(&service::IDENTITIES, args![vec![id]]).await.unwrap();
            let identity = service::identity(&rows[0]).unwrap();
            assert_eq!(identity.value, "u0000003");
            let (kind, sealed) = identity.credential.unwrap();
            let password = office.keyring.open(&identity.id.to_string(), &sealed).unwrap();
            assert_eq!((kind.as_str(), password.expose().as_slice()), ("clear", &b"p0000003"[..]));
        }
    }
}
