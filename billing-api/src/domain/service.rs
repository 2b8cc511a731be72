//! Services: one plan for one customer, the ways in, and what holds it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use model::identity::{IdentityKind, LOGIN_OCTETS_MAX, normalise_login};
use model::policy::{HoldNetwork, HoldReason, Ipv4Method, Key, LimitAction, Profile};
use model::{
    CustomerId, HoldId, IdentityId, NasId, OrganisationId, PlanId, PlanVersionId, PoolId,
    ServiceId, Ts,
};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Row, Statement, StoreError, args};

use super::{Actor, Fault, FieldFault, Input, Office, Page, Unit, fit, plan, prefix, rules};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Source, Unique, Verb, Written, write,
};
use crate::store::organisation;
use crate::store::service as sql;
use crate::store::service::{Hold, Identity, Service};
use crate::store::{nas as nas_sql, plan as plan_sql};

/// Longest password: User-Password carries at most 128 octets (RFC 2865 §5.2).
pub(super) const PASSWORD_OCTETS_MAX: usize = 128;

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
    actions: &[SUSPEND, ACTIVATE, APPLY, FORGET_MACS],
    title: "login",
    unique: &[
        Unique::everywhere(&["login"]),
        Unique::everywhere(&["ipv4"]),
        Unique::everywhere(&["ipv6_address"]),
        Unique::everywhere(&["ipv6_prefix"]),
        Unique::everywhere(&["delegated_prefix"]),
    ],
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
        Field::new("expires_at", Kind::Time, Flags::WRITABLE.and(Flags::FILTERABLE)),
        Field::new("zone", Kind::Zone, Flags::WRITABLE.and(Flags::FILLED)),
        Field::new("address", Kind::Document(Some(address)), Flags::WRITABLE.and(Flags::PERSONAL)),
        Field::new(
            "pinned_version_id",
            Kind::Reference(PlanVersionId::PREFIX, "plan_version"),
            Flags::NONE,
        ),
        // The one NAS it may come through.
        Field::new(
            "nas_id",
            Kind::Reference(NasId::PREFIX, "nas"),
            Flags::WRITABLE.and(Flags::FILTERABLE),
        )
        .within("access_network"),
        Field::new("vlan", Kind::Integer(1, plan::VLAN_MAX), Flags::WRITABLE)
            .within("access_network"),
        ON_NAS.within("access_network"),
        Field::new("ipv4_method", Kind::Choice(Ipv4Method::WORDS), Flags::WRITABLE).within("ipv4"),
        Field::new("ipv4", Kind::Address, Flags::WRITABLE.and(Flags::FILTERABLE)).within("ipv4"),
        Field::new("ipv4_prefix_length", Kind::Integer(8, 32), Flags::WRITABLE).within("ipv4"),
        Field { name: "pool", ..ON_NAS }.within("ipv4"),
        Field::new("lease_pool_id", Kind::Reference(PoolId::PREFIX, "pool"), Flags::WRITABLE)
            .within("ipv4"),
        Field::new("routes", Kind::Words(ROUTES_MAX, 200), Flags::WRITABLE).within("ipv4"),
        Field::new("ipv6_address", Kind::Address, Flags::WRITABLE).within("ipv6"),
        Field::new("ipv6_prefix", Kind::Network, Flags::WRITABLE).within("ipv6"),
        Field { name: "ipv6_pool", ..ON_NAS }.within("ipv6"),
        Field::new("delegated_prefix", Kind::Network, Flags::WRITABLE).within("ipv6"),
        Field { name: "delegated_pool", ..ON_NAS }.within("ipv6"),
        Field::new("ipv6_routes", Kind::Words(ROUTES_MAX, 200), Flags::WRITABLE).within("ipv6"),
        RATE,
        Field { name: "upload_bps", ..RATE },
        TIMEOUT,
        Field { name: "idle_timeout_s", ..TIMEOUT },
        Field::new("session_limit", Kind::Integer(1, plan::SESSIONS_MAX), Flags::WRITABLE)
            .within("session"),
        Field::new("session_limit_action", Kind::Choice(LimitAction::WORDS), Flags::WRITABLE)
            .within("session"),
        rules::NAS.within("login_rules"),
        rules::PORTS.within("login_rules"),
        rules::CALLED_STATIONS.within("login_rules"),
        rules::LOGIN_TIME.within("login_rules"),
        rules::MAC_BINDING.within("mac_binding"),
        rules::MAC_LIMIT.within("mac_binding"),
        rules::MACS.within("mac_binding"),
        rules::GROUPS.within("attributes"),
        rules::REPLY.within("attributes"),
        rules::CHECK.within("attributes"),
        Field::new("warnings", Kind::Document(None), Flags::COMPUTED),
        Field::new("identities", Kind::Document(None), Flags::COMPUTED),
        Field::new("holds", Kind::Document(None), Flags::COMPUTED),
    ],
    hooks: Hooks {
        check,
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        extend: |source, rows| Box::pin(extend(source, rows)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &SERVICE;

/// Routes to one service, of one family.
const ROUTES_MAX: usize = 32;

/// A name on the NAS.
const ON_NAS: Field = Field::new("address_list", Kind::Text(plan::NAME_MAX), Flags::WRITABLE);

const RATE: Field =
    Field::new("download_bps", Kind::Rate(plan::RATE_BPS_MIN, plan::RATE_BPS_MAX), Flags::WRITABLE)
        .within("speed");

const TIMEOUT: Field =
    Field::new("session_timeout_s", Kind::Seconds(60, plan::YEAR_S), Flags::WRITABLE)
        .within("session");

/// What of a service the network is told.
const TOLD: &[&str] = &[
    "plan_id",
    "nas_id",
    "vlan",
    "address_list",
    "ipv4_method",
    "ipv4",
    "ipv4_prefix_length",
    "pool",
    "lease_pool_id",
    "routes",
    "ipv6_address",
    "ipv6_prefix",
    "ipv6_pool",
    "delegated_prefix",
    "delegated_pool",
    "ipv6_routes",
    "download_bps",
    "upload_bps",
    "session_timeout_s",
    "idle_timeout_s",
    "session_limit",
    "session_limit_action",
];

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
    rules::check(draft, input);
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
    match draft.net("ipv6_address").map(|net| net.ip()) {
        Some(IpAddr::V4(_)) => input.fault("ipv6_address", "is not an IPv6 address"),
        Some(IpAddr::V6(ip)) if !is_global(ip) => {
            input.fault("ipv6_address", "is not the address of a single host");
        }
        _ => {}
    }
    for field in ["ipv6_prefix", "delegated_prefix"] {
        match draft.net(field) {
            Some(IpNetwork::V4(_)) => input.fault(field, "is not an IPv6 prefix"),
            Some(IpNetwork::V6(net)) if net.network() != net.ip() => {
                input.fault(
                    field,
                    format!(
                        "has bits behind its length; {}/{} has none",
                        net.network(),
                        net.prefix()
                    ),
                );
            }
            Some(IpNetwork::V6(net)) if net.prefix() < 40 || !is_global(net.ip()) => {
                input.fault(field, "is not a prefix for one subscriber");
            }
            _ => {}
        }
    }
    for (field, is_v4) in [("routes", true), ("ipv6_routes", false)] {
        let Some(Value::Array(routes)) = draft.json(field) else { continue };
        let bad: Vec<&str> =
            routes.iter().filter_map(Value::as_str).filter(|r| !is_route(r, is_v4)).collect();
        if let Some(bad) = bad.first() {
            let example =
                if is_v4 { "198.51.100.0/24 0.0.0.0 1" } else { "2001:db8:200::/48 :: 1" };
            input.fault(field, format!("\"{bad}\" is not a route, such as {example}"));
        }
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
    prefix::hold(unit, verb, draft, row).await?;
    let organisation = match (draft.organisation, row) {
        (Some(organisation), _) => organisation,
        (None, Some(row)) => row.get("organisation_id")?,
        (None, None) => unit.actor.organisation,
    };
    if matches!(verb, Verb::Created | Verb::Updated) {
        rules::resolve(unit, organisation, draft).await?;
    }
    if verb == Verb::Created && !draft.has("zone") {
        let home = unit.fetch_one(&organisation::FIND, args![organisation]).await?;
        draft.set("zone", organisation::organisation(&home)?.zone);
    }
    match verb {
        Verb::Created => {
            draft.set("status", "active");
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
            // The one NAS it may come through: without it nobody could log in.
            if let Some(nas) = row.get::<Option<NasId>>("nas_id")?
                && unit.fetch_optional(&nas_sql::VENDOR_OF, args![nas]).await?.is_none()
            {
                let detail = "its NAS is deleted; restore that first".to_owned();
                return Err(Fault::Conflict { pointer: "/nas_id", detail });
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
/// on, and nobody would find whose it is. `lock` keeps the row from those who are about to refer
/// to it; see [`live_roots`].
pub(super) async fn refuse_in_use(
    unit: &mut Unit<'_>,
    lock: &Statement,
    row: Option<&Row>,
) -> Result<(), Fault> {
    let Some(row) = row else { return Ok(()) };
    let id: uuid::Uuid = row.get("id")?;
    unit.fetch_optional(lock, args![id]).await?;
    let services: i64 = unit.fetch_one(&sql::IN_USE, args![id]).await?.get("services")?;
    if services == 0 {
        return Ok(());
    }
    let detail = format!("it still has services ({services}); delete or change them first");
    Err(Fault::Conflict { pointer: "", detail })
}

/// The version of the service's plan and what it gives, while that and the customer are live.
/// They stay so until the unit ends: what was checked before the row was written may be gone since.
async fn live_roots(unit: &mut Unit<'_>, row: &Row) -> Result<Row, Fault> {
    let (customer, plan): (CustomerId, PlanId) = (row.get("customer_id")?, row.get("plan_id")?);
    let live = unit.fetch_optional(&sql::LIVE_ROOTS, args![customer, plan]).await?;
    if let Some(live) = live {
        return Ok(live);
    }
    let live = unit.fetch_one(&sql::ROOTS, args![customer, plan]).await?;
    let gone = if live.get::<i64>("customer")? == 0 { "customer" } else { "plan" };
    Err(Fault::field(format!("/{gone}_id"), "was deleted meanwhile"))
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
            return prefix::forget(unit, service).await;
        }
        Verb::Restored => {
            let deleted_at: Option<Ts> = match written.before {
                Some(before) => before.get("deleted_at")?,
                None => None,
            };
            live_roots(unit, row).await?;
            prefix::keep(unit, service, row).await?;
            let args = args![service, deleted_at, unit.now, by];
            return match unit.execute(&sql::RESTORE_IDENTITIES, args).await {
                Err(StoreError::Unique { .. }) => Err(login_taken("")),
                other => Ok(other.map(drop)?),
            };
        }
        Verb::Created | Verb::Updated => {}
    }
    if prefix::is_said(written.draft) {
        prefix::keep(unit, service, row).await?;
    }
    rules::check_binding(row, written.draft)?;
    if written.draft.has("plan_id") {
        let plan = live_roots(unit, row).await?;
        unit.policy(Key::Profile(plan.get("current_version_id")?));
        judge(unit, row, written.draft, &plan).await?;
    } else if TOLD.iter().any(|column| written.draft.value(column).is_some()) {
        let given = unit.fetch_all(&plan_sql::GIVEN_TO, args![vec![service]]).await?;
        if let Some(given) = given.first() {
            judge(unit, row, written.draft, given).await?;
        }
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

/// Checks what fields say together, and that the NAS can carry it all where it is known which one
/// the service comes through. Elsewhere `warnings` says what the vendors in use do not carry.
async fn judge(unit: &mut Unit<'_>, row: &Row, draft: &Draft, given: &Row) -> Result<(), Fault> {
    let service = sql::service(row)?;
    let mut faults = Vec::new();
    let mut fault = |fields: &[&str], detail: String| {
        faults.push(FieldFault::of_one(draft, fields, detail));
    };
    let own = &service.overrides;
    if own.ipv4_prefix_length.is_some() && service.ipv4.is_none() {
        let detail = "ipv4_prefix_length means nothing without ipv4".to_owned();
        fault(&["ipv4_prefix_length", "ipv4"], detail);
    }
    let profile = fit::profile(plan_sql::given(given)?);
    let method = own.ipv4_method.or(profile.gives.ipv4_method);
    if method == Some(Ipv4Method::Static) && service.ipv4.is_none() {
        let detail = "a fixed address is required: ipv4_method is static".to_owned();
        fault(&["ipv4", "ipv4_method", "plan_id"], detail);
    }
    if method == Some(Ipv4Method::Pool) && own.pool.is_none() && profile.gives.pool.is_none() {
        let detail = "a pool is required: ipv4_method is pool".to_owned();
        fault(&["pool", "ipv4_method", "plan_id"], detail);
    }
    if own.lease_pool.is_some() && method != Some(Ipv4Method::Leased) {
        let detail = "lease_pool_id means nothing unless ipv4_method is leased".to_owned();
        fault(&["lease_pool_id", "ipv4_method", "plan_id"], detail);
    }
    if own.session_limit_action.is_some()
        && own.session_limit.is_none()
        && profile.gives.session_limit.is_none()
    {
        let detail = "session_limit_action means nothing without session_limit".to_owned();
        fault(&["session_limit_action", "session_limit", "plan_id"], detail);
    }
    if let Some(nas) = own.nas {
        let nas = unit.fetch_optional(&nas_sql::VENDOR_OF, args![nas]).await?;
        let nas = nas.ok_or_else(|| Fault::field("/nas_id", "was deleted meanwhile"))?;
        let vendor = nas_sql::vendor(&nas)?;
        for finding in dialect::of_subscriber(vendor, &profile, &service.subscriber()) {
            if finding.refuses {
                let detail = finding.unfit.to_string();
                match has_own(&service, finding.field) {
                    true => fault(&[finding.field], detail),
                    // The plan's: whoever brings plan and NAS together is told.
                    false => fault(&["nas_id", "plan_id", finding.field], detail),
                }
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(faults)) }
}

/// Whether a service has something of its own by this field.
fn has_own(service: &Service, field: &str) -> bool {
    let own = &service.overrides;
    match field {
        "download_bps" => own.download_bps.is_some() || own.upload_bps.is_some(),
        "ipv4" => service.ipv4.is_some(),
        "pool" => own.pool.is_some(),
        "routes" => !own.routes.is_empty(),
        "ipv6_address" => own.ipv6_address.is_some(),
        "ipv6_prefix" => own.ipv6_prefix.is_some(),
        "ipv6_pool" => own.ipv6_pool.is_some(),
        "delegated_prefix" => own.delegated_prefix.is_some(),
        "delegated_pool" => own.delegated_pool.is_some(),
        "ipv6_routes" => !own.ipv6_routes.is_empty(),
        "vlan" => own.vlan.is_some(),
        "address_list" => own.address_list.is_some(),
        _ => false,
    }
}

fn login_taken(login: &str) -> Fault {
    Fault::Conflict { pointer: "/login", detail: format!("the login \"{login}\" is taken") }
}

/// Adds identities and holds to rows on their way out, with one statement each.
async fn extend(mut source: Source<'_, '_>, rows: &mut [Value]) -> Result<(), Fault> {
    warn(&mut source, rows).await?;
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

/// Adds what the vendors in use, or that of the service's one NAS, do not carry.
async fn warn(source: &mut Source<'_, '_>, rows: &mut [Value]) -> Result<(), Fault> {
    let ids: Vec<ServiceId> =
        rows.iter().filter_map(|row| row["id"].as_str()?.parse().ok()).collect();
    let vendors = fit::Vendors::of(source, rows).await?;
    let mut known: HashMap<String, (Service, Profile, Option<model::nas::Vendor>)> = HashMap::new();
    for row in source.fetch_all(&sql::TOLD, args![ids]).await? {
        let vendor: Option<String> = row.get("vendor")?;
        let vendor = vendor.as_deref().and_then(model::nas::Vendor::from_word);
        let service = sql::service(&row)?;
        let profile = fit::profile(plan_sql::given(&row)?);
        known.insert(service.id.to_string(), (service, profile, vendor));
    }
    for row in rows {
        let Some((service, profile, own)) = row["id"].as_str().and_then(|id| known.get(id)) else {
            continue;
        };
        let subscriber = service.subscriber();
        let used = vendors.of_row(row).filter(|vendor| own.is_none_or(|own| own == *vendor));
        let warnings: Vec<Value> = used
            .flat_map(|vendor| {
                let found = dialect::of_subscriber(vendor, profile, &subscriber);
                found.into_iter().map(move |finding| {
                    let mut shown = fit::shown(&finding);
                    shown["vendor"] = json!(vendor.as_str());
                    shown
                })
            })
            .collect();
        row["warnings"] = warnings.into();
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
    arguments: &[Field::new("note", Kind::LongText(500), Flags::WRITABLE)],
    harms: true,
    applies: |service| !has_hold(service, HoldReason::Admin),
    run: |unit, id, expected, arguments| {
        Box::pin(suspend_in(unit, ServiceId(id), expected, arguments))
    },
};

/// Whether a service as the API shows it has a hold for this reason.
fn has_hold(service: &Value, reason: HoldReason) -> bool {
    let holds = service["holds"].as_array().map(Vec::as_slice).unwrap_or_default();
    holds.iter().any(|hold| hold["reason"] == reason.as_str())
}

/// Activates: lifts the hold `admin`, and no other: a payment is what clears `nonpayment`.
pub(crate) const ACTIVATE: Action = Action {
    name: "activate",
    permission: "services.suspend",
    applies: |service| has_hold(service, HoldReason::Admin),
    run: |unit, id, expected, _| Box::pin(activate_in(unit, ServiceId(id), expected)),
    ..Action::PLAIN
};

/// Adds the lines of a template to its attributes.
const APPLY: Action = Action {
    permission: "services.edit",
    run: |unit, id, expected, arguments| {
        Box::pin(rules::apply_template(unit, DESCRIPTION, id, expected, arguments))
    },
    ..rules::APPLY
};

/// Forgets the MAC addresses it has learned.
const FORGET_MACS: Action = Action {
    name: "unbind",
    permission: "services.edit",
    applies: rules::has_learned,
    run: |unit, id, expected, _| {
        Box::pin(rules::forget_macs(unit, DESCRIPTION, ServiceId(id), expected))
    },
    ..Action::PLAIN
};

async fn suspend_in(
    unit: &mut Unit<'_>,
    id: ServiceId,
    expected: Option<i64>,
    arguments: &Draft,
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
        arguments.text("note"),
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

/// The service, if it is still at the version the caller saw.
pub(super) async fn load_expected(
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

/// Whether a host or a network of a subscriber can have this address.
fn is_global(ip: Ipv6Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_unicast_link_local())
}

/// Whether a text is a route: a prefix, then a gateway, then metrics, of which the later ones may
/// be left out (RFC 2865 §5.22, RFC 3162 §2.5).
fn is_route(text: &str, is_v4: bool) -> bool {
    let mut parts = text.split(' ');
    let prefix = parts.next().and_then(|part| part.parse::<IpNetwork>().ok());
    let of_family = |ip: IpAddr| ip.is_ipv4() == is_v4;
    prefix.is_some_and(|net| of_family(net.ip()) && net.network() == net.ip())
        && parts.next().is_none_or(|gateway| gateway.parse().is_ok_and(of_family))
        && parts.all(|metric| metric.parse::<u32>().is_ok())
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

    #[test]
    fn a_route_is_a_prefix_a_gateway_and_metrics() {
        for good in ["198.51.100.0/24", "198.51.100.0/24 0.0.0.0 1", "203.0.113.7/32 192.0.2.1 1 2"]
        {
            assert!(is_route(good, true), "{good}");
        }
        assert!(is_route("2001:db8:200::/48 :: 1", false));
        for bad in ["", "here", "198.51.100.7/24", "198.51.100.0/24 :: 1", "2001:db8::/32", "0/0 x"]
        {
            assert!(!is_route(bad, true), "{bad}");
        }
        assert!(!is_route("198.51.100.0/24 0.0.0.0  1", true), "two spaces");
    }

    #[test]
    fn prefixes_and_addresses_are_of_one_subscriber() {
        let plan = PlanId::generate();
        for (given, blamed) in [
            (json!({"ipv6_address": "192.0.2.1"}), "/ipv6_address"),
            (json!({"ipv6_address": "fe80::1"}), "/ipv6_address"),
            (json!({"ipv6_prefix": "192.0.2.0/24"}), "/ipv6_prefix"),
            (json!({"delegated_prefix": "2001:db8::1/56"}), "/delegated_prefix"),
            (json!({"delegated_prefix": "::/0"}), "/delegated_prefix"),
            (json!({"routes": ["198.51.100.0/24", "there"]}), "/routes"),
            (json!({"ipv6_routes": ["198.51.100.0/24"]}), "/ipv6_routes"),
            (json!({"ipv4_prefix_length": 33}), "/ipv4_prefix_length"),
        ] {
            let mut body = json!({"plan_id": plan, "login": "a", "password": "b"});
            for (field, value) in given.as_object().unwrap() {
                body[field] = value.clone();
            }
            let fields = of_customer(CustomerId::generate(), body.to_string().as_bytes()).unwrap();
            let Err(Fault::Invalid(faults)) = Draft::of(DESCRIPTION, &[], fields, true) else {
                panic!("accepted {given}")
            };
            assert_eq!(faults[0].pointer, blamed, "{given}");
        }
    }
}

#[cfg(test)]
mod races;
