//! Plans.
//!
//! A plan's row has what it gives now. Each edit of that makes a version, so that a service may
//! stay on an old one; each edit of the price makes a price row with its first day.

use std::net::IpAddr;

use model::policy::{
    FramedProtocol, Garden, Ipv4Method, Key, LimitAction, ServiceType, VendorProfile,
};
use model::{Money, PlanId, PlanVersionId, PoolId, PriceId, ServiceId, Ts};
use serde::Serialize;
use serde_json::{Value as Json, json};
use store::{Row, args};

use super::{Actor, Event, Fault, Input, Office, Page, Unit, fit, rules, service};
use crate::entity::query::ListQuery;
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Scope, Source, Unique, Verb, Written, read,
    write,
};
use crate::store::organisation;
use crate::store::plan as sql;
use crate::store::service::LOCK_PLAN;

/// Highest rate that can be sold, bit/s: beyond it a typing error is likelier than a plan.
pub(super) const RATE_BPS_MAX: i64 = 1_000_000_000_000;
/// Lowest rate, bit/s.
pub(super) const RATE_BPS_MIN: i64 = 1_000;
/// Sessions at once, at most: beyond it a typing error is likelier.
pub(super) const SESSIONS_MAX: i64 = 10_000;
/// A year, seconds.
pub(super) const YEAR_S: i64 = 31_536_000;
/// Longest name on a NAS, characters: what an attribute of a vendor's own holds.
pub(super) const NAME_MAX: usize = 247;
/// Highest VLAN; 4095 is reserved (IEEE 802.1Q).
pub(super) const VLAN_MAX: i64 = 4094;
/// Resolvers of a plan, two of each family.
const DNS_MAX: usize = 4;
/// Filters of a plan.
const FILTERS_MAX: usize = 8;
/// Seconds between interim updates unless the plan says otherwise.
const INTERIM_S: i64 = 300;
/// Services that one event names, so that no row of the outbox grows without end.
const SERVICES_PER_EVENT: i64 = 1_000;

/// The periods a price can be for.
pub(crate) const PERIODS: &[&str] = &["month", "quarter", "half_year", "year"];

/// What every plan has, whether or not it was said.
const KEPT: Flags = Flags::WRITABLE.and(Flags::FILLED);

const RATE: Field = Field::new(
    "download_bps",
    Kind::Rate(RATE_BPS_MIN, RATE_BPS_MAX),
    Flags::WRITABLE.and(Flags::LISTED),
);

const BURST: Field =
    Field::new("burst", Kind::Rate(RATE_BPS_MIN, RATE_BPS_MAX), Flags::WRITABLE).within("burst");

/// A name on the NAS.
const ON_NAS: Field = Field::new("pool", Kind::Text(NAME_MAX), Flags::WRITABLE);

const PROFILES: Field =
    Field::new("vendor_profiles", Kind::Map(VendorProfile::WORDS, NAME_MAX), Flags::WRITABLE);

/// A plan: what a service gives, and what it costs.
pub(crate) const PLAN: Entity = Entity {
    name: "plan",
    path: "plans",
    table: "plan",
    prefix: PlanId::PREFIX,
    scope: Scope::Inherited,
    permission: "plans",
    module: Some("catalog.plans"),
    custom: true,
    unique: &[Unique::within(&["name"])],
    actions: &[APPLY],
    fields: &[
        Field::new(
            "name",
            Kind::Text(100),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new(
            "status",
            Kind::Choice(&["active", "retired"]),
            Flags::WRITABLE
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::FILLED)
                .and(Flags::LISTED),
        ),
        Field::new("price", Kind::Money, Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::LISTED)),
        Field::new("period", Kind::Choice(PERIODS), KEPT.and(Flags::LISTED)),
        RATE,
        Field { name: "upload_bps", ..RATE },
        Field { name: "burst_download_bps", ..BURST },
        Field { name: "burst_upload_bps", ..BURST },
        Field { name: "burst_threshold_download_bps", ..BURST },
        Field { name: "burst_threshold_upload_bps", ..BURST },
        Field::new("burst_time_s", Kind::Seconds(1, 3600), Flags::WRITABLE).within("burst"),
        Field::new("priority", Kind::Integer(1, 8), Flags::WRITABLE).within("burst"),
        // RFC 2869 §5.16: the interim interval must not be smaller than 60.
        Field::new("interim_s", Kind::Seconds(60, YEAR_S), KEPT).within("session"),
        Field::new("session_timeout_s", Kind::Seconds(60, YEAR_S), Flags::WRITABLE)
            .within("session"),
        Field::new("idle_timeout_s", Kind::Seconds(60, YEAR_S), Flags::WRITABLE).within("session"),
        Field::new("session_limit", Kind::Integer(1, SESSIONS_MAX), Flags::WRITABLE)
            .within("session"),
        Field::new("session_limit_action", Kind::Choice(LimitAction::WORDS), Flags::WRITABLE)
            .within("session"),
        Field::new("service_type", Kind::Choice(ServiceType::WORDS), Flags::WRITABLE)
            .within("session"),
        Field::new("framed_protocol", Kind::Choice(FramedProtocol::WORDS), Flags::WRITABLE)
            .within("session"),
        Field::new("ipv4_method", Kind::Choice(Ipv4Method::WORDS), Flags::WRITABLE)
            .within("addresses"),
        ON_NAS.within("addresses"),
        Field::new("lease_pool_id", Kind::Reference(PoolId::PREFIX, "pool"), Flags::WRITABLE)
            .within("addresses"),
        Field { name: "ipv6_pool", ..ON_NAS }.within("addresses"),
        Field { name: "delegated_pool", ..ON_NAS }.within("addresses"),
        Field::new("dns", Kind::Words(DNS_MAX, 45), Flags::WRITABLE).within("addresses"),
        Field::new("vlan", Kind::Integer(1, VLAN_MAX), Flags::WRITABLE).within("access_network"),
        Field { name: "address_list", ..ON_NAS }.within("filters"),
        Field::new("filters", Kind::Words(FILTERS_MAX, NAME_MAX), Flags::WRITABLE)
            .within("filters"),
        PROFILES.within("vendor_profiles"),
        rules::NAS.within("login_rules"),
        rules::PORTS.within("login_rules"),
        rules::CALLED_STATIONS.within("login_rules"),
        rules::LOGIN_TIME.within("login_rules"),
        rules::GROUPS.within("attributes"),
        rules::REPLY.within("attributes"),
        rules::CHECK.within("attributes"),
        Field::new("on_expired", Kind::Choice(&["reject", "garden"]), KEPT).within("walled_garden"),
        Field::new("garden_address_list", Kind::Text(NAME_MAX), KEPT).within("walled_garden"),
        Field { name: "garden_download_bps", flags: KEPT, ..RATE }.within("walled_garden"),
        Field { name: "garden_upload_bps", flags: KEPT, ..RATE }.within("walled_garden"),
        Field { name: "garden_pool", ..ON_NAS }.within("walled_garden"),
        Field { name: "garden_redirect_url", ..ON_NAS }.within("walled_garden"),
        Field::new("garden_dns", Kind::Words(DNS_MAX, 45), Flags::WRITABLE).within("walled_garden"),
        Field { name: "garden_vendor_profiles", ..PROFILES }.within("walled_garden"),
        Field::new("current_version_id", Kind::Reference("plv", "plan_version"), Flags::NONE),
        Field::new("vendor_fit", Kind::Document(None), Flags::COMPUTED),
    ],
    hooks: Hooks {
        check,
        extend: |source, rows| Box::pin(extend(source, rows)),
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &PLAN;

/// Adds the lines of a template to its attributes.
const APPLY: Action = Action {
    permission: "plans.edit",
    run: |unit, id, expected, arguments| {
        Box::pin(rules::apply_template(unit, DESCRIPTION, id, expected, arguments))
    },
    ..rules::APPLY
};

/// The columns that a version keeps, besides [`rules::COLUMNS`].
const GIVEN: &[&str] = &[
    "download_bps",
    "upload_bps",
    "burst_download_bps",
    "burst_upload_bps",
    "burst_threshold_download_bps",
    "burst_threshold_upload_bps",
    "burst_time_s",
    "priority",
    "interim_s",
    "session_timeout_s",
    "idle_timeout_s",
    "session_limit",
    "session_limit_action",
    "service_type",
    "framed_protocol",
    "ipv4_method",
    "pool",
    "lease_pool_id",
    "ipv6_pool",
    "delegated_pool",
    "dns",
    "vlan",
    "address_list",
    "filters",
    "vendor_profiles",
    "on_expired",
    "garden_address_list",
    "garden_download_bps",
    "garden_upload_bps",
    "garden_pool",
    "garden_redirect_url",
    "garden_dns",
    "garden_vendor_profiles",
];

/// Checks what one field alone says; what fields say together is checked over the whole row.
fn check(draft: &Draft, input: &mut Input) {
    rules::check(draft, input);
    for field in ["dns", "garden_dns"] {
        let Some(Json::Array(items)) = draft.json(field) else { continue };
        let addresses: Vec<Option<IpAddr>> =
            items.iter().map(|item| item.as_str()?.parse().ok()).collect();
        if addresses.iter().any(Option::is_none) {
            input.fault(field, "has what is not an address, such as 192.0.2.53");
        }
        for (is_v4, family) in [(true, "IPv4"), (false, "IPv6")] {
            let of_family = addresses.iter().flatten().filter(|ip| ip.is_ipv4() == is_v4);
            if of_family.count() > 2 {
                input.fault(field, format!("has more than two {family} addresses"));
            }
        }
    }
    if let Some(url) = draft.text("garden_redirect_url")
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        input.fault("garden_redirect_url", "must begin with http:// or https://");
    }
}

/// Checks what fields say together. Of two that do not go together, the one that was given now
/// is blamed.
fn check_row(row: &Row, draft: &Draft) -> Result<(), Fault> {
    let number = |column: &str| row.get::<Option<i64>>(column);
    let mut faults = Vec::new();
    let mut fault = |fields: [&str; 2], detail: String| {
        faults.push(super::FieldFault::of_one(draft, &fields, detail));
    };
    let bursts = (number("burst_download_bps")?, number("burst_upload_bps")?);
    if bursts.0.is_some() != bursts.1.is_some() {
        let fields = match bursts.0 {
            None => ["burst_download_bps", "burst_upload_bps"],
            Some(_) => ["burst_upload_bps", "burst_download_bps"],
        };
        fault(fields, "a burst has both rates: burst_download_bps and burst_upload_bps".to_owned());
    }
    for (way, burst) in [("download", bursts.0), ("upload", bursts.1)] {
        let (rate, burst_rate, threshold) = (
            format!("{way}_bps"),
            format!("burst_{way}_bps"),
            format!("burst_threshold_{way}_bps"),
        );
        let (limit, mean) = (number(&rate)?, number(&threshold)?);
        match (burst, limit) {
            (Some(_), None) => fault(
                [&burst_rate, &rate],
                format!("{burst_rate} means nothing where {rate} is not limited"),
            ),
            (Some(burst), Some(limit)) if burst < limit => {
                fault([&burst_rate, &rate], format!("{burst_rate} is less than {rate}"));
            }
            _ => {}
        }
        match (mean, burst) {
            (Some(_), None) => fault(
                [&threshold, &burst_rate],
                format!("{threshold} means nothing without {burst_rate}"),
            ),
            (Some(mean), Some(burst)) if mean > burst => {
                fault([&threshold, &burst_rate], format!("{threshold} is more than {burst_rate}"));
            }
            _ => {}
        }
    }
    if number("burst_time_s")?.is_some() && bursts == (None, None) {
        let fields = ["burst_time_s", "burst_download_bps"];
        fault(fields, "burst_time_s means nothing without a burst rate".to_owned());
    }
    let method: Option<String> = row.get("ipv4_method")?;
    let pool: Option<String> = row.get("pool")?;
    if method.as_deref() == Some(Ipv4Method::Pool.as_str()) && pool.is_none() {
        let detail = "is required where ipv4_method is pool".to_owned();
        fault(["pool", "ipv4_method"], detail);
    }
    let lease_pool: Option<PoolId> = row.get("lease_pool_id")?;
    if lease_pool.is_some() && method.as_deref() != Some(Ipv4Method::Leased.as_str()) {
        let detail = "lease_pool_id means nothing unless ipv4_method is leased".to_owned();
        fault(["lease_pool_id", "ipv4_method"], detail);
    }
    let action: Option<String> = row.get("session_limit_action")?;
    if action.is_some() && number("session_limit")?.is_none() {
        let detail = "session_limit_action means nothing without session_limit".to_owned();
        fault(["session_limit_action", "session_limit"], detail);
    }
    if faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(faults)) }
}

/// Adds to plans on their way out what the vendors in use do not carry of them.
async fn extend(mut source: Source<'_, '_>, rows: &mut [Json]) -> Result<(), Fault> {
    let vendors = fit::Vendors::of(&mut source, rows).await?;
    let ids: Vec<PlanId> = rows.iter().filter_map(|row| row["id"].as_str()?.parse().ok()).collect();
    let given = source.fetch_all(&sql::GIVEN_BY, args![ids]).await?;
    let mut fits = std::collections::HashMap::new();
    for row in &given {
        let id: PlanId = row.get("id")?;
        fits.insert(id.to_string(), fit::profile(sql::given(row)?));
    }
    for row in rows {
        let Some(profile) = row["id"].as_str().and_then(|id| fits.get(id)) else { continue };
        let shown = vendors.of_row(row).map(|vendor| {
            let found = dialect::of_plan(vendor, profile);
            json!({
                "vendor": vendor.as_str(),
                "fits": !found.iter().any(|finding| finding.refuses),
                "findings": found.iter().map(fit::shown).collect::<Vec<_>>(),
            })
        });
        let shown: Vec<Json> = shown.collect();
        row["vendor_fit"] = shown.into();
    }
    Ok(())
}

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if verb == Verb::Deleted {
        return service::refuse_in_use(unit, &LOCK_PLAN, row).await;
    }
    let organisation = match (draft.organisation, row) {
        (Some(organisation), _) => organisation,
        (None, Some(row)) => row.get("organisation_id")?,
        (None, None) => unit.actor.organisation,
    };
    if verb != Verb::Restored {
        rules::resolve(unit, organisation, draft).await?;
    }
    // A version is made where what the plan gives was touched, by anyone for any reason: what
    // is the same again is a version too, and harms nobody.
    let version = match verb {
        Verb::Created => true,
        Verb::Updated => {
            GIVEN.iter().chain(rules::COLUMNS).any(|column| draft.value(column).is_some())
        }
        Verb::Deleted | Verb::Restored => false,
    };
    if version {
        draft.set("current_version_id", PlanVersionId::generate());
    }
    if verb == Verb::Created {
        draft.fill("status", "active");
        draft.fill("period", PERIODS[0]);
        draft.fill("interim_s", INTERIM_S);
        draft.fill("on_expired", "reject");
        let garden = Garden::default();
        draft.fill("garden_address_list", garden.address_list);
        draft.fill("garden_download_bps", garden.download_bps as i64);
        draft.fill("garden_upload_bps", garden.upload_bps as i64);
    }
    Ok(())
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    let (plan, row) = (PlanId(written.id), written.after);
    let by = unit.actor.label();
    let version: PlanVersionId = row.get("current_version_id")?;
    if written.draft.value("current_version_id").is_some() {
        check_row(row, written.draft)?;
        let gives = serde_json::to_value(sql::gives(row)?);
        let gives = gives.map_err(|error| Fault::Internal(Box::new(error)))?;
        let args = args![version, plan, gives, unit.now, by.as_str()];
        unit.execute(&sql::INSERT_VERSION, args).await?;
        unit.policy(Key::Profile(version));
        if written.before.is_some() {
            followers(unit, plan, row.get("organisation_id")?).await?;
        }
    }
    let amount: Option<i64> = row.get("price_amount")?;
    let priced = ["price_amount", "period"].iter().any(|c| written.draft.value(c).is_some());
    if let Some(amount) = amount.filter(|_| priced) {
        let organisation: model::OrganisationId = row.get("organisation_id")?;
        let home = unit.fetch_one(&organisation::FIND, args![organisation]).await?;
        let today = super::service::civil_date(unit.now, &organisation::organisation(&home)?.zone);
        let (currency, period): (String, String) = (row.get("price_currency")?, row.get("period")?);
        let args = args![
            PriceId::generate(),
            plan,
            organisation,
            currency,
            amount,
            period,
            today,
            unit.now,
            by
        ];
        unit.execute(&sql::INSERT_PRICE, args).await?;
    }
    Ok(())
}

/// The services that follow the plan get its new version: their policy is looked at again, a
/// bounded number of them with each event.
async fn followers(
    unit: &mut Unit<'_>,
    plan: PlanId,
    organisation: model::OrganisationId,
) -> Result<(), Fault> {
    let mut after = ServiceId::NONE;
    loop {
        let rows = unit.fetch_all(&sql::FOLLOWERS, args![plan, after, SERVICES_PER_EVENT]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.get("id")?;
        let ids: Vec<ServiceId> = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
        let keys: Vec<Key> = ids.into_iter().map(Key::Subscriber).collect();
        let event = Event {
            kind: "plan.followed",
            entity_id: plan.to_string(),
            payload: serde_json::json!({"id": plan, "services": keys.len()}),
            policy: &keys,
        };
        unit.announce(organisation, event).await?;
    }
}

/// A plan as typed code sees it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: PlanId,
    pub(crate) organisation_id: model::OrganisationId,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) price: Option<Money>,
    pub(crate) period: Option<String>,
    pub(crate) download_bps: Option<u64>,
    pub(crate) upload_bps: Option<u64>,
    pub(crate) current_version_id: PlanVersionId,
    pub(crate) version: i64,
    pub(crate) created_at: Ts,
    pub(crate) updated_at: Ts,
}

impl View {
    fn of(row: &Row) -> Result<Self, store::StoreError> {
        let gives = sql::gives(row)?;
        let amount: Option<i64> = row.get("price_amount")?;
        let currency: Option<model::Currency> = row.get("price_currency")?;
        Ok(Self {
            id: row.get("id")?,
            organisation_id: row.get("organisation_id")?,
            name: row.get("name")?,
            status: row.get("status")?,
            price: amount.zip(currency).map(|(amount, currency)| Money { amount, currency }),
            period: row.get("period")?,
            download_bps: gives.download_bps,
            upload_bps: gives.upload_bps,
            current_version_id: row.get("current_version_id")?,
            version: row.get("version")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// What a new plan needs.
#[derive(Debug)]
pub(crate) struct New(Draft);

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        Draft::parse(DESCRIPTION, &[], body, true).map(Self)
    }
}

/// Creates a plan with its first version and its first price.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let made = write::create(office, actor, DESCRIPTION, new.0).await?;
    find(office, actor, PlanId(made.id)).await
}

/// One plan, the actor's own or an ancestor's.
pub(crate) async fn find(office: &Office, actor: &Actor, id: PlanId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    Ok(View::of(&row.ok_or(Fault::NotFound("plan"))?)?)
}

/// A page of plans.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    cursor: Option<&str>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let mut parameters = std::collections::BTreeMap::new();
    parameters.insert("limit".to_owned(), limit.to_string());
    cursor.map(|cursor| parameters.insert("cursor".to_owned(), cursor.to_owned()));
    let query = ListQuery::parse(DESCRIPTION, &[], parameters)?;
    let (rows, next) = read::page(office, actor, DESCRIPTION, &query).await?;
    let rows = rows.iter().map(View::of).collect::<Result<_, _>>()?;
    Ok(Page { rows, next })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::setting::tests::{office, pointers};

    fn new(more: &Json) -> Result<New, Fault> {
        let mut body = json!({
            "name": "Home",
            "price": {"amount": 2999, "currency": "USD"},
            "download_bps": 50_000_000,
            "upload_bps": 20_000_000,
        });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        New::parse(body.to_string().as_bytes())
    }

    #[tokio::test]
    async fn a_version_keeps_all_that_the_plan_gives() {
        for test in store::testing::engines("billing").await {
            let (office, isp) = office(&test).await;
            let given = json!({
                "burst_download_bps": 100_000_000, "burst_upload_bps": 40_000_000,
                "priority": 3, "pool": "home", "dns": ["192.0.2.53"], "vlan": 7,
                "vendor_profiles": {"nokia.sla_profile": "home50", "cisco.service": null},
                "garden_pool": "unpaid", "ipv4_method": "pool",
            });
            let view = create(&office, &isp, new(&given).unwrap()).await.unwrap();
            let rows = office.db.fetch_all(&sql::GIVEN_BY, args![vec![view.id]]).await.unwrap();
            let kept = sql::given(&rows[0]).unwrap();
            let row = office.db.fetch_optional(&sql::FIND, args![isp.path.as_str(), view.id]).await;
            assert_eq!(kept, sql::gives(&row.unwrap().unwrap()).unwrap());
            assert_eq!(kept.burst.unwrap().upload_bps, 40_000_000);
            assert_eq!(kept.vendor_profiles.get(VendorProfile::NokiaSlaProfile), Some("home50"));
            assert_eq!(kept.vendor_profiles.0.len(), 1, "a name without a text is absent");
            assert_eq!((kept.vlan, kept.garden.pool.as_deref()), (Some(7), Some("unpaid")));

            // Of two that do not go together, the one that is given now is blamed.
            for (change, blamed) in [
                (json!({"burst_upload_bps": 1_000_000}), "/burst_upload_bps"),
                (json!({"download_bps": null}), "/download_bps"),
                (json!({"burst_download_bps": null}), "/burst_download_bps"),
                (json!({"pool": null}), "/pool"),
            ] {
                let fields = change.as_object().unwrap().clone();
                let draft = Draft::of(DESCRIPTION, &[], fields, false).unwrap();
                let refused =
                    write::update(&office, &isp, DESCRIPTION, view.id.0, draft, None).await;
                assert_eq!(pointers(&refused.unwrap_err()), [blamed], "{change}");
            }
        }
    }

    #[test]
    fn what_no_nas_could_be_told_is_refused_at_the_door() {
        for (given, blamed) in [
            (json!({"dns": ["resolver"]}), "/dns"),
            (json!({"dns": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]}), "/dns"),
            (json!({"vlan": 4095}), "/vlan"),
            (json!({"priority": 9}), "/priority"),
            (json!({"garden_redirect_url": "pay.example.net"}), "/garden_redirect_url"),
            (json!({"vendor_profiles": {"nokia.profile": "x"}}), "/vendor_profiles/nokia.profile"),
            (json!({"vendor_profiles": ["x"]}), "/vendor_profiles"),
            (json!({"ipv4_method": "dhcp"}), "/ipv4_method"),
            (json!({"pool": "p".repeat(248)}), "/pool"),
        ] {
            assert_eq!(pointers(&new(&given).unwrap_err()), [blamed], "{given}");
        }
    }
}
