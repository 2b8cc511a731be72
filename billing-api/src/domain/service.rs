//! Services: one plan for one customer, the ways in, and what holds it.

use std::net::{IpAddr, Ipv4Addr};

use model::identity::{IdentityKind, LOGIN_OCTETS_MAX, normalise_login};
use model::policy::{HoldNetwork, HoldReason, Key, Overrides};
use model::{CustomerId, HoldId, IdentityId, OrganisationId, PlanId, PlanVersionId, ServiceId, Ts};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Row, StoreError, args};

use super::{Actor, Fault, Input, Office, Page, Unit};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Source, Unique, Verb, Written, write,
};
use crate::store::organisation;
use crate::store::service as sql;
use crate::store::service::{Hold, Identity, Service};

/// Longest password: User-Password carries at most 128 octets (RFC 2865 §5.2).
const PASSWORD_OCTETS_MAX: usize = 128;

/// A service: what a customer has. It lives where its customer does.
pub(crate) const SERVICE: Entity = Entity {
    name: "service",
    path: "services",
    table: "service",
    prefix: ServiceId::PREFIX,
    permission: "services",
    module: Some("customers.services"),
    custom: true,
    home: Some("customer_id"),
    actions: &[SUSPEND, ACTIVATE],
    title: "login",
    unique: &[Unique::everywhere(&["login"]), Unique::everywhere(&["ipv4"])],
    fields: &[
        Field::new(
            "login",
            Kind::Text(LOGIN_OCTETS_MAX),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::PERSONAL)
                .and(Flags::LISTED),
        ),
        Field::new(
            "password",
            Kind::Secret(PASSWORD_OCTETS_MAX),
            Flags::REQUIRED.and(Flags::WRITABLE),
        ),
        Field::new(
            "customer_id",
            Kind::Reference(CustomerId::PREFIX, "customer"),
            NAMED.and(Flags::ONCE),
        ),
        Field::new("plan_id", Kind::Reference(PlanId::PREFIX, "plan"), NAMED),
        Field::new(
            "status",
            Kind::Choice(&["active", "held"]),
            Flags::SORTABLE.and(Flags::FILTERABLE).and(Flags::FILLED).and(Flags::LISTED),
        ),
        Field::new("ipv4", Kind::Address, Flags::WRITABLE.and(Flags::FILTERABLE)),
        Field::new("expires_at", Kind::Time, Flags::WRITABLE.and(Flags::FILTERABLE)),
        Field::new("zone", Kind::Zone, Flags::WRITABLE.and(Flags::FILLED)),
        Field::new("address", Kind::Document(Some(address)), Flags::WRITABLE.and(Flags::PERSONAL)),
        Field::new(
            "pinned_version_id",
            Kind::Reference(PlanVersionId::PREFIX, "plan_version"),
            Flags::NONE,
        ),
        Field::new("identities", Kind::Document(None), Flags::COMPUTED),
        Field::new("holds", Kind::Document(None), Flags::COMPUTED),
    ],
    hooks: Hooks {
        check,
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        extend: |source, rows| Box::pin(extend(source, rows)),
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &SERVICE;

/// A record that a service is about.
const NAMED: Flags = Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::FILTERABLE).and(Flags::LISTED);

/// Reads where a service is installed.
fn address(input: &mut Input) -> Option<Value> {
    let mut address = serde_json::Map::new();
    for (field, max) in [
        ("street", 200),
        ("street2", 200),
        ("city", 100),
        ("region", 100),
        ("postal_code", 20),
        ("country", 2),
    ] {
        if let Some(text) = input.optional_text(field, max) {
            address.insert(field.to_owned(), text.into());
        }
    }
    Some(Value::Object(address))
}

fn check(draft: &Draft, input: &mut Input) {
    if let Some(login) = draft.text("login") {
        let login = normalise_login(login);
        if login.is_empty() || login.len() > LOGIN_OCTETS_MAX {
            input.fault("login", format!("has 1 to {LOGIN_OCTETS_MAX} octets"));
        }
    }
    match draft.net("ipv4").map(|net| net.ip()) {
        None => {}
        Some(IpAddr::V4(ip)) if is_host_address(ip) => {}
        Some(IpAddr::V4(_)) => input.fault("ipv4", "is not the address of a single host"),
        Some(IpAddr::V6(_)) => input.fault("ipv4", "is not an IPv4 address"),
    }
    if let Some(store::Value::Time(Some(at))) = draft.value("expires_at")
        && !(EXPIRES_FIRST..=EXPIRES_LAST).contains(at)
    {
        input.fault("expires_at", "must lie between the years 2000 and 2200");
    }
}

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if let Some(login) = draft.text("login") {
        let login = normalise_login(login);
        draft.set("login", login);
    }
    let organisation = match (draft.organisation, row) {
        (Some(organisation), _) => organisation,
        (None, Some(row)) => row.get("organisation_id")?,
        (None, None) => unit.actor.organisation,
    };
    if verb == Verb::Created && !draft.has("zone") {
        let home = unit.fetch_one(&organisation::FIND, args![organisation]).await?;
        draft.set("zone", organisation::organisation(&home)?.zone);
    }
    match verb {
        Verb::Created => {
            draft.set("status", "active");
            let overrides = serde_json::to_value(Overrides::default());
            draft.set("overrides", overrides.map_err(|e| Fault::Internal(Box::new(e)))?);
        }
        Verb::Restored => {
            let Some(row) = row else { return Ok(()) };
            let (customer, plan): (CustomerId, PlanId) =
                (row.get("customer_id")?, row.get("plan_id")?);
            let live = unit.fetch_one(&sql::ROOTS, args![customer, plan]).await?;
            for (column, pointer) in [("customer", "/customer_id"), ("plan", "/plan_id")] {
                if live.get::<i64>(column)? == 0 {
                    let detail = format!("its {column} is deleted; restore that first");
                    return Err(Fault::Conflict { pointer, detail });
                }
            }
        }
        // Another plan is taken as it is now.
        Verb::Updated if draft.has("plan_id") => {
            let now: Option<PlanId> = row.map(|row| row.get("plan_id")).transpose()?;
            if now.map(|id| id.0) != draft.id("plan_id") {
                draft.set("pinned_version_id", None::<PlanVersionId>);
            }
        }
        _ => {}
    }
    Ok(())
}

/// That no live service is a customer's or on a plan which is about to be deleted: it would go
/// on, and nobody would find whose it is.
pub(super) async fn refuse_in_use(unit: &mut Unit<'_>, row: Option<&Row>) -> Result<(), Fault> {
    let Some(row) = row else { return Ok(()) };
    let id: uuid::Uuid = row.get("id")?;
    let services: i64 = unit.fetch_one(&sql::IN_USE, args![id]).await?.get("services")?;
    if services == 0 {
        return Ok(());
    }
    let detail = format!("it still has services ({services}); delete or change them first");
    Err(Fault::Conflict { pointer: "", detail })
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    let (service, row) = (ServiceId(written.id), written.after);
    unit.policy(Key::Subscriber(service));
    let organisation: OrganisationId = row.get("organisation_id")?;
    let by = unit.actor.label();
    match written.verb {
        Verb::Deleted => {
            let args = args![service, unit.now, by];
            unit.execute(&sql::DELETE_IDENTITIES, args).await?;
            return Ok(());
        }
        Verb::Restored => {
            let deleted_at: Option<Ts> = match written.before {
                Some(before) => before.get("deleted_at")?,
                None => None,
            };
            let args = args![service, deleted_at, unit.now, by];
            return match unit.execute(&sql::RESTORE_IDENTITIES, args).await {
                Err(StoreError::Unique { .. }) => Err(login_taken("")),
                other => Ok(other.map(drop)?),
            };
        }
        Verb::Created | Verb::Updated => {}
    }
    if written.draft.has("plan_id") {
        let plan: PlanId = row.get("plan_id")?;
        let plan = unit.fetch_one(&sql::PLAN_VERSION, args![plan]).await?;
        unit.policy(Key::Profile(plan.get("current_version_id")?));
    }
    let login: String = row.get("login")?;
    let known = match written.verb {
        Verb::Created => None,
        _ => {
            let rows = unit.fetch_all(&sql::IDENTITIES, args![vec![service]]).await?;
            let identities = all(&rows, sql::identity)?;
            identities.into_iter().find(|identity| identity.kind == IdentityKind::Login)
        }
    };
    let identity = known.as_ref().map_or_else(IdentityId::generate, |identity| identity.id);
    let credential = match written.draft.secret("password") {
        Some(password) => {
            let id = identity.to_string();
            Some(unit.office().keyring.seal(&id, password.expose().as_bytes())?)
        }
        None => None,
    };
    let changed = match known {
        None => {
            let args = args![
                identity,
                organisation,
                service,
                IdentityKind::Login.as_str(),
                login.as_str(),
                "clear",
                credential,
                unit.now,
                by
            ];
            unit.execute(&sql::INSERT_IDENTITY, args).await
        }
        Some(known) if known.value != login || credential.is_some() => {
            let args = args![identity, login.as_str(), credential, unit.now, by];
            unit.execute(&sql::CHANGE_IDENTITY, args).await
        }
        Some(_) => Ok(0),
    };
    match changed {
        Err(StoreError::Unique { .. }) => Err(login_taken(&login)),
        other => Ok(other.map(drop)?),
    }
}

fn login_taken(login: &str) -> Fault {
    Fault::Conflict { pointer: "/login", detail: format!("the login \"{login}\" is taken") }
}

/// Adds identities and holds to rows on their way out, with one statement each.
async fn extend(mut source: Source<'_, '_>, rows: &mut [Value]) -> Result<(), Fault> {
    let id = |row: &Value| -> Option<ServiceId> { row["id"].as_str()?.parse().ok() };
    let ids: Vec<ServiceId> = rows.iter().filter_map(id).collect();
    let identities = source.fetch_all(&sql::IDENTITIES, args![ids.clone()]).await?;
    let identities = all(&identities, sql::identity)?;
    let holds = source.fetch_all(&sql::HOLDS, args![ids]).await?;
    let holds = all(&holds, sql::hold)?;
    for row in rows {
        let Some(id) = id(row) else { continue };
        let (identities, holds) = parts(id, &identities, &holds);
        row["identities"] = json!(identities);
        row["holds"] = json!(holds);
    }
    Ok(())
}

fn parts(
    id: ServiceId,
    identities: &[Identity],
    holds: &[Hold],
) -> (Vec<IdentityView>, Vec<HoldView>) {
    let identities = identities.iter().filter(|i| i.service == id).map(|i| IdentityView {
        id: i.id,
        kind: i.kind,
        value: i.value.clone(),
        has_credential: i.credential.is_some(),
    });
    let holds = holds.iter().filter(|h| h.service == id).map(|h| HoldView {
        reason: h.reason,
        network: h.network,
        billing: h.billing.clone(),
        owner: h.owner.clone(),
        note: h.note.clone(),
        placed_at: h.placed_at,
    });
    (identities.collect(), holds.collect())
}

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
    let (identities, holds) = parts(service.id, identities, holds);
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

/// A request body with its customer in it.
pub(crate) fn of_customer(
    customer: CustomerId,
    body: &[u8],
) -> Result<serde_json::Map<String, Value>, Fault> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("customer_id".to_owned(), json!(customer));
            Ok(fields)
        }
        Ok(_) => Err(Fault::field("", "the body must be a JSON object")),
        Err(error) => Err(Fault::field("", format!("the body is not JSON: {error}"))),
    }
}

/// Puts a service on another plan. `expected`: the version the caller saw, where it says so.
pub(crate) async fn change_plan(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    plan: PlanId,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut draft = Draft::default();
    draft.set("plan_id", plan);
    write::update(office, actor, DESCRIPTION, id.0, draft, expected).await?;
    find(office, actor, id).await
}

fn all<T>(rows: &[Row], read: fn(&Row) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}

/// Suspends: places the hold `admin`. Doing it twice changes nothing.
pub(crate) const SUSPEND: Action = Action {
    name: "suspend",
    permission: "services.suspend",
    run: |unit, id, expected| Box::pin(suspend_in(unit, ServiceId(id), expected)),
};

/// Activates: lifts the hold `admin`, and no other: a payment is what clears `nonpayment`.
pub(crate) const ACTIVATE: Action = Action {
    name: "activate",
    permission: "services.suspend",
    run: |unit, id, expected| Box::pin(activate_in(unit, ServiceId(id), expected)),
};

async fn suspend_in(
    unit: &mut Unit<'_>,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    let before = load_expected(unit, id, expected).await?;
    let organisation: OrganisationId = before.get("organisation_id")?;
    let args = args![
        HoldId::generate(),
        organisation,
        id,
        HoldReason::Admin.as_str(),
        HoldNetwork::Reject.as_str(),
        "on",
        "staff",
        None::<String>,
        unit.now,
        unit.actor.label()
    ];
    let placed = unit.execute(&sql::PLACE_HOLD, args).await?;
    finish_hold(unit, id, &before, "suspended", placed).await
}

async fn activate_in(
    unit: &mut Unit<'_>,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    let before = load_expected(unit, id, expected).await?;
    let args = args![id, HoldReason::Admin.as_str(), unit.now, unit.actor.label()];
    let lifted = unit.execute(&sql::LIFT_HOLD, args).await?;
    finish_hold(unit, id, &before, "activated", lifted).await
}

/// Suspends or activates one service.
pub(crate) async fn act(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    action: &'static Action,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    (action.run)(&mut unit, id.0, None).await?;
    unit.commit().await?;
    find(office, actor, id).await
}

/// The service, if it is still at the version the caller saw.
async fn load_expected(
    unit: &mut Unit<'_>,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<Row, Fault> {
    let row = write::load(unit, DESCRIPTION, id.0, false).await?;
    let version: i64 = row.get("version")?;
    match expected {
        Some(expected) if expected != version => Err(Fault::Stale),
        _ => Ok(row),
    }
}

async fn finish_hold(
    unit: &mut Unit<'_>,
    id: ServiceId,
    before: &Row,
    verb: &str,
    changed: u64,
) -> Result<(), Fault> {
    if changed == 0 {
        return Ok(());
    }
    let args = args![unit.actor.path.as_str(), id, unit.now, unit.actor.label()];
    unit.execute(&sql::TOUCH, args).await?;
    let after = write::load(unit, DESCRIPTION, id.0, false).await?;
    unit.policy(Key::Subscriber(id));
    write::record(unit, DESCRIPTION, verb, id.0, Some(before), &after).await?;
    Ok(())
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
            let fields = of_customer(CustomerId::generate(), body.as_bytes()).unwrap();
            let new = Draft::of(DESCRIPTION, &[], fields, true);
            let Err(Fault::Invalid(faults)) = new else { panic!("accepted {body}") };
            let pointers: Vec<&str> = faults.iter().map(|f| f.pointer.as_str()).collect();
            assert_eq!(pointers, ["/login", "/password", "/plan_id"]);
        }
    }

    #[test]
    fn an_address_that_means_something_else_in_radius_is_refused() {
        let plan = PlanId::generate();
        for bad in ["0.0.0.0", "255.255.255.254", "255.255.255.255", "224.0.0.1", "127.0.0.1"] {
            let body =
                format!(r#"{{"plan_id":"{plan}","login":"a","password":"b","ipv4":"{bad}"}}"#);
            let fields = of_customer(CustomerId::generate(), body.as_bytes()).unwrap();
            let new = Draft::of(DESCRIPTION, &[], fields, true);
            let Err(Fault::Invalid(faults)) = new else { panic!("accepted {bad}") };
            assert_eq!(faults[0].pointer, "/ipv4");
        }
    }
}
