//! Services: one plan for one customer, the ways in, and what holds it.

use std::net::Ipv4Addr;

use ipnetwork::IpNetwork;
use model::identity::{IdentityKind, LOGIN_OCTETS_MAX, normalise_login};
use model::policy::{HoldNetwork, HoldReason, Key, Overrides};
use model::{CustomerId, HoldId, IdentityId, OrganisationId, PlanId, Secret, ServiceId, Ts};
use serde::Serialize;
use serde_json::Value;
use store::{Row, StoreError, args};

use super::{Actor, Event, Fault, Input, Office, Page, Unit, customer, plan};
use crate::store::organisation;
use crate::store::service as sql;
use crate::store::service::{Hold, Identity, Service};

/// Longest password: User-Password carries at most 128 octets (RFC 2865 §5.2).
const PASSWORD_OCTETS_MAX: usize = 128;

/// A service as the API shows it. Passwords are never shown.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: ServiceId,
    pub(crate) organisation_id: model::OrganisationId,
    pub(crate) customer_id: CustomerId,
    pub(crate) plan_id: PlanId,
    pub(crate) pinned_version_id: Option<model::PlanVersionId>,
    /// The first login, which is what most services are known by.
    pub(crate) login: Option<String>,
    pub(crate) identities: Vec<IdentityView>,
    /// `active`, or `held` by what stands in `holds`.
    pub(crate) status: &'static str,
    pub(crate) holds: Vec<HoldView>,
    pub(crate) ipv4: Option<Ipv4Addr>,
    pub(crate) zone: String,
    pub(crate) address: Option<Value>,
    pub(crate) expires_at: Option<Ts>,
    pub(crate) version: i64,
    pub(crate) created_at: Ts,
    pub(crate) updated_at: Ts,
}

/// An access identity as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct IdentityView {
    pub(crate) id: IdentityId,
    pub(crate) kind: IdentityKind,
    pub(crate) value: String,
    pub(crate) has_credential: bool,
}

/// A hold as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HoldView {
    pub(crate) reason: HoldReason,
    pub(crate) network: HoldNetwork,
    pub(crate) billing: String,
    pub(crate) owner: String,
    pub(crate) note: Option<String>,
    pub(crate) placed_at: Ts,
}

fn view(service: Service, identities: &[Identity], holds: &[Hold]) -> View {
    let own = |id: ServiceId| id == service.id;
    let identities: Vec<IdentityView> = identities
        .iter()
        .filter(|i| own(i.service))
        .map(|i| IdentityView {
            id: i.id,
            kind: i.kind,
            value: i.value.clone(),
            has_credential: i.credential.is_some(),
        })
        .collect();
    let holds: Vec<HoldView> = holds
        .iter()
        .filter(|h| own(h.service))
        .map(|h| HoldView {
            reason: h.reason,
            network: h.network,
            billing: h.billing.clone(),
            owner: h.owner.clone(),
            note: h.note.clone(),
            placed_at: h.placed_at,
        })
        .collect();
    let login = identities.iter().find(|i| i.kind == IdentityKind::Login);
    View {
        id: service.id,
        organisation_id: service.organisation,
        customer_id: service.customer,
        plan_id: service.plan,
        pinned_version_id: service.pinned_version,
        login: login.map(|i| i.value.clone()),
        status: if holds.iter().any(|h| h.network != HoldNetwork::None) {
            "held"
        } else {
            "active"
        },
        identities,
        holds,
        ipv4: service.ipv4,
        zone: service.zone,
        address: service.address,
        expires_at: service.expires_at,
        version: service.version,
        created_at: service.created_at,
        updated_at: service.updated_at,
    }
}

/// What a new service needs.
#[derive(Debug)]
pub(crate) struct New {
    plan: Option<PlanId>,
    login: String,
    password: Secret<String>,
    ipv4: Option<Ipv4Addr>,
    zone: Option<String>,
    expires_at: Option<Ts>,
    external: (Option<String>, Option<String>),
}

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let plan = input.required("plan_id");
        let login = normalise_login(&input.text("login", LOGIN_OCTETS_MAX));
        if login.len() > LOGIN_OCTETS_MAX {
            input.fault("login", format!("has more than {LOGIN_OCTETS_MAX} octets"));
        }
        if !input.has("password") {
            input.fault("password", "is required");
        }
        let password = input.optional_raw_text("password", PASSWORD_OCTETS_MAX);
        let ipv4: Option<Ipv4Addr> = input.parsed("ipv4");
        if ipv4.is_some_and(|ip| !is_host_address(ip)) {
            input.fault("ipv4", "is not the address of a single host");
        }
        let zone = input.optional_text("zone", 60);
        if zone.as_deref().is_some_and(|zone| !is_zone(zone)) {
            input.fault("zone", "is not an IANA time zone, such as Asia/Kolkata");
        }
        let expires_at: Option<Ts> = input.parsed("expires_at");
        if expires_at.is_some_and(|at| !(EXPIRES_FIRST..=EXPIRES_LAST).contains(&at)) {
            input.fault("expires_at", "must lie between the years 2000 and 2200");
        }
        let external =
            (input.optional_text("external_source", 50), input.optional_text("external_id", 100));
        if external.0.is_some() != external.1.is_some() {
            input.fault("external_id", "goes together with external_source");
        }
        input.finish()?;
        let password = Secret::new(password.unwrap_or_default());
        Ok(Self { plan, login, password, ipv4, zone, expires_at, external })
    }
}

/// Creates a service of a customer with its login.
pub(crate) async fn create(
    office: &Office,
    actor: &Actor,
    customer: CustomerId,
    new: New,
) -> Result<View, Fault> {
    let owner = customer::find(office, actor, customer).await?;
    let plan = usable_plan(office, owner.organisation_id, new.plan).await?;
    let identity = IdentityId::generate();
    let credential =
        office.keyring.seal(&identity.to_string(), new.password.expose().as_bytes())?;
    let mut unit = Unit::begin(office, actor).await?;
    let home = unit.fetch_one(&organisation::FIND, args![owner.organisation_id]).await?;
    let zone = match new.zone {
        Some(zone) => zone,
        None => organisation::organisation(&home)?.zone,
    };
    let id = ServiceId::generate();
    let by = actor.label();
    let inserted = unit
        .execute(
            &sql::INSERT,
            args![
                id,
                owner.organisation_id,
                customer,
                plan.id,
                zone,
                None::<Value>,
                new.expires_at,
                new.ipv4.map(|ip| IpNetwork::from(std::net::IpAddr::V4(ip))),
                serde_json::to_value(Overrides::default())
                    .map_err(|e| Fault::Internal(Box::new(e)))?,
                new.external.0,
                new.external.1,
                unit.now,
                by.as_str()
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { constraint }) if constraint.contains("ipv4") => {
            return Err(Fault::Conflict {
                pointer: "/ipv4",
                detail: "another service has this address".to_owned(),
            });
        }
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict {
                pointer: "/external_id",
                detail: "another service has this external id".to_owned(),
            });
        }
        result => result?,
    };
    let inserted = unit
        .execute(
            &sql::INSERT_IDENTITY,
            args![
                identity,
                owner.organisation_id,
                id,
                IdentityKind::Login.as_str(),
                new.login.as_str(),
                "clear",
                credential,
                unit.now,
                by
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict {
                pointer: "/login",
                detail: format!("the login \"{}\" is taken", new.login),
            });
        }
        result => result?,
    };
    let view = load(&mut unit, actor, id).await?;
    let keys = [Key::Profile(plan.current_version_id), Key::Subscriber(id)];
    record(&mut unit, "service.created", &view, None, &keys).await?;
    unit.commit().await?;
    Ok(view)
}

/// A plan that a service of this organisation may be on: its own or an ancestor's. The caller
/// may see more, but must not put a customer on a plan of somebody beside or below them.
async fn usable_plan(
    office: &Office,
    organisation: OrganisationId,
    id: Option<PlanId>,
) -> Result<plan::View, Fault> {
    // An unknown plan is a wrong field of this request, not a missing resource.
    let missing = || Fault::field("/plan_id", "there is no such plan");
    let id = id.ok_or_else(missing)?;
    let home = office.db.fetch_one(&organisation::FIND, args![organisation]).await?;
    let path = organisation::organisation(&home)?.path;
    plan::find_usable(office, &path, id).await.map_err(|fault| match fault {
        Fault::NotFound(_) => missing(),
        other => other,
    })
}

async fn record(
    unit: &mut Unit<'_>,
    kind: &'static str,
    view: &View,
    before: Option<&View>,
    policy: &[Key],
) -> Result<(), Fault> {
    let json = |view: &View| serde_json::to_value(view).map_err(|e| Fault::Internal(Box::new(e)));
    let before = before.map(json).transpose()?;
    let event = Event { kind, entity_id: view.id.to_string(), payload: json(view)?, policy };
    unit.record(view.organisation_id, event, before).await
}

async fn load(unit: &mut Unit<'_>, actor: &Actor, id: ServiceId) -> Result<View, Fault> {
    let row = unit.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let service = sql::service(&row.ok_or(Fault::NotFound("service"))?)?;
    let identities = unit.fetch_all(&sql::IDENTITIES, args![vec![id]]).await?;
    let holds = unit.fetch_all(&sql::HOLDS, args![vec![id]]).await?;
    Ok(view(service, &all(&identities, sql::identity)?, &all(&holds, sql::hold)?))
}

/// The service, if it is still at the version the caller saw.
async fn load_expected(
    unit: &mut Unit<'_>,
    actor: &Actor,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let view = load(unit, actor, id).await?;
    match expected {
        Some(expected) if expected != view.version => Err(Fault::Stale),
        _ => Ok(view),
    }
}

fn all<T>(rows: &[Row], read: fn(&Row) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}

/// What may be changed of a service.
#[derive(Debug)]
pub(crate) struct Change {
    plan: Option<PlanId>,
}

impl Change {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let plan = input.parsed("plan_id");
        input.finish()?;
        Ok(Self { plan })
    }

    /// Another plan.
    pub(crate) fn to_plan(plan: PlanId) -> Self {
        Self { plan: Some(plan) }
    }
}

/// Changes a service. `expected`: the version the caller saw, where it says so.
pub(crate) async fn change(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    change: Change,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let plan = match change.plan {
        Some(plan) => {
            let organisation = find(office, actor, id).await?.organisation_id;
            Some(usable_plan(office, organisation, Some(plan)).await?)
        }
        None => None,
    };
    let mut unit = Unit::begin(office, actor).await?;
    let before = load_expected(&mut unit, actor, id, expected).await?;
    let Some(plan) = plan.filter(|plan| plan.id != before.plan_id) else { return Ok(before) };
    let changed = unit
        .execute(
            &sql::CHANGE_PLAN,
            args![actor.path.as_str(), id, plan.id, unit.now, actor.label(), before.version],
        )
        .await?;
    store::changed_one(changed)?;
    let after = load(&mut unit, actor, id).await?;
    let keys = [Key::Profile(plan.current_version_id), Key::Subscriber(id)];
    record(&mut unit, "service.plan_changed", &after, Some(&before), &keys).await?;
    unit.commit().await?;
    Ok(after)
}

/// Suspends: places the hold `admin`. Doing it twice changes nothing.
pub(crate) async fn suspend(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = load_expected(&mut unit, actor, id, expected).await?;
    let placed = unit
        .execute(
            &sql::PLACE_HOLD,
            args![
                HoldId::generate(),
                before.organisation_id,
                id,
                HoldReason::Admin.as_str(),
                HoldNetwork::Reject.as_str(),
                "on",
                "staff",
                None::<String>,
                unit.now,
                actor.label()
            ],
        )
        .await?;
    finish_hold(unit, actor, before, "service.suspended", placed).await
}

/// Activates: lifts the hold `admin`, and no other: a payment is what clears `nonpayment`.
pub(crate) async fn activate(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = load_expected(&mut unit, actor, id, expected).await?;
    let reason = HoldReason::Admin.as_str();
    let lifted = unit.execute(&sql::LIFT_HOLD, args![id, reason, unit.now, actor.label()]).await?;
    finish_hold(unit, actor, before, "service.activated", lifted).await
}

async fn finish_hold(
    mut unit: Unit<'_>,
    actor: &Actor,
    before: View,
    kind: &'static str,
    changed: u64,
) -> Result<View, Fault> {
    if changed == 0 {
        return Ok(before);
    }
    let id = before.id;
    unit.execute(&sql::TOUCH, args![actor.path.as_str(), id, unit.now, actor.label()]).await?;
    let after = load(&mut unit, actor, id).await?;
    record(&mut unit, kind, &after, Some(&before), &[Key::Subscriber(id)]).await?;
    unit.commit().await?;
    Ok(after)
}

/// One service.
pub(crate) async fn find(office: &Office, actor: &Actor, id: ServiceId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let service = sql::service(&row.ok_or(Fault::NotFound("service"))?)?;
    let views = with_parts(office, vec![service]).await?;
    views.into_iter().next().ok_or(Fault::NotFound("service"))
}

/// A page of services, of one customer or of all.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    after: Option<ServiceId>,
    customer: Option<CustomerId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let rows = office
        .db
        .fetch_all(&sql::LIST, args![actor.path.as_str(), after, customer, limit + 1])
        .await?;
    let views = with_parts(office, all(&rows, sql::service)?).await?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}

/// Adds identities and holds with one statement each, however many services there are.
async fn with_parts(office: &Office, services: Vec<Service>) -> Result<Vec<View>, Fault> {
    let ids: Vec<ServiceId> = services.iter().map(|service| service.id).collect();
    let identities = office.db.fetch_all(&sql::IDENTITIES, args![ids.clone()]).await?;
    let identities = all(&identities, sql::identity)?;
    let holds = office.db.fetch_all(&sql::HOLDS, args![ids]).await?;
    let holds = all(&holds, sql::hold)?;
    Ok(services.into_iter().map(|service| view(service, &identities, &holds)).collect())
}

/// How many services there are, and how many of them are held.
pub(crate) async fn count(office: &Office, actor: &Actor) -> Result<(i64, i64), Fault> {
    let row = office.db.fetch_one(&sql::COUNT, args![actor.path.as_str()]).await?;
    Ok((row.get("count")?, row.get("held")?))
}

/// The years a service may end in, in seconds since 1970: what lies outside is a mistake.
const EXPIRES_FIRST: Ts = Ts::from_seconds(946_684_800);
const EXPIRES_LAST: Ts = Ts::from_seconds(7_258_118_400);

/// Whether a subscriber can have this address. RFC 2865 §5.8 gives 255.255.255.254 and .255 a
/// meaning of their own, and RouterOS takes 127/8 and 224/3 for "use a pool".
fn is_host_address(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    first != 0 && first != 127 && first < 224
}

/// Whether this machine knows the time zone.
pub(crate) fn is_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

/// The civil date of an instant in a zone, YYYY-MM-DD; in UTC where the zone is not known.
pub(crate) fn civil_date(at: Ts, zone: &str) -> String {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    at.to_zoned(zone).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_civil_date_is_the_one_where_the_customer_lives() {
        let late: Ts = "2026-03-01T20:00:00Z".parse().unwrap();
        assert_eq!(civil_date(late, "UTC"), "2026-03-01");
        assert_eq!(civil_date(late, "Asia/Kolkata"), "2026-03-02");
    }

    #[test]
    fn a_new_service_needs_plan_login_and_password() {
        for body in ["{}", r#"{"plan_id":null,"login":null,"password":null}"#] {
            let Err(Fault::Invalid(faults)) = New::parse(body.as_bytes()) else {
                panic!("accepted {body}")
            };
            let pointers: Vec<&str> = faults.iter().map(|f| f.pointer.as_str()).collect();
            assert_eq!(pointers, ["/plan_id", "/login", "/password"]);
        }
    }

    #[test]
    fn an_address_that_means_something_else_in_radius_is_refused() {
        let plan = PlanId::generate();
        for bad in ["0.0.0.0", "255.255.255.254", "255.255.255.255", "224.0.0.1", "127.0.0.1"] {
            let body =
                format!(r#"{{"plan_id":"{plan}","login":"a","password":"b","ipv4":"{bad}"}}"#);
            let Err(Fault::Invalid(faults)) = New::parse(body.as_bytes()) else {
                panic!("accepted {bad}")
            };
            assert_eq!(faults[0].pointer, "/ipv4");
        }
    }
}
