//! Plans.
//!
//! A plan's row has what it gives now. Each edit of that makes a version, so that a service may
//! stay on an old one; each edit of the price makes a price row with its first day.

use model::policy::{Garden, Key, OnHold};
use model::{Money, PlanId, PlanVersionId, PriceId, ServiceId, Ts};
use serde::Serialize;
use serde_json::Value as Json;
use store::{Row, args};

use super::{Actor, Event, Fault, Input, Office, Page, Unit, service};
use crate::entity::query::ListQuery;
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Kind, Scope, Unique, Verb, Written, read, write,
};
use crate::store::organisation;
use crate::store::plan as sql;

/// Highest rate that can be sold, bit/s: beyond it a typing error is likelier than a plan.
const RATE_BPS_MAX: i64 = 1_000_000_000_000;
/// Lowest rate, bit/s.
const RATE_BPS_MIN: i64 = 1_000;
/// A year, seconds.
const YEAR_S: i64 = 31_536_000;
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
        // RFC 2869 §5.16: the interim interval must not be smaller than 60.
        Field::new("interim_s", Kind::Seconds(60, YEAR_S), KEPT),
        Field::new("session_timeout_s", Kind::Seconds(60, YEAR_S), Flags::WRITABLE),
        Field::new("idle_timeout_s", Kind::Seconds(60, YEAR_S), Flags::WRITABLE),
        Field::new("pool", Kind::Text(100), Flags::WRITABLE),
        Field::new("on_expired", Kind::Choice(&["reject", "garden"]), KEPT),
        Field::new("garden", Kind::Document(Some(garden)), KEPT),
        Field::new("current_version_id", Kind::Reference("plv", "plan_version"), Flags::NONE),
    ],
    hooks: Hooks {
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &PLAN;

/// The columns a version repeats.
const GIVEN: &[&str] = &[
    "download_bps",
    "upload_bps",
    "interim_s",
    "session_timeout_s",
    "idle_timeout_s",
    "pool",
    "on_expired",
    "garden",
];

/// Reads the walled garden.
fn garden(input: &mut Input) -> Option<Json> {
    let fallback = Garden::default();
    let mut rate = |field| input.number(field, RATE_BPS_MIN, RATE_BPS_MAX).map(|n| n as u64);
    let (download_bps, upload_bps) = (rate("download_bps"), rate("upload_bps"));
    let garden = Garden {
        address_list: input.optional_text("address_list", 100).unwrap_or(fallback.address_list),
        download_bps: download_bps.unwrap_or(fallback.download_bps),
        upload_bps: upload_bps.unwrap_or(fallback.upload_bps),
    };
    serde_json::to_value(garden).ok()
}

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if verb == Verb::Deleted {
        return service::refuse_in_use(unit, row).await;
    }
    // A version is made where what the plan gives was touched, by anyone for any reason: what
    // is the same again is a version too, and harms nobody.
    let version = match verb {
        Verb::Created => true,
        Verb::Updated => GIVEN.iter().any(|column| draft.value(column).is_some()),
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
        let garden = serde_json::to_value(Garden::default());
        draft.fill("garden", garden.map_err(|e| Fault::Internal(Box::new(e)))?);
    }
    Ok(())
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    let (plan, row) = (PlanId(written.id), written.after);
    let by = unit.actor.label();
    let version: PlanVersionId = row.get("current_version_id")?;
    if written.draft.value("current_version_id").is_some() {
        unit.execute(&sql::INSERT_VERSION, args![version, plan, unit.now, by.as_str()]).await?;
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
    pub(crate) interim_s: u32,
    pub(crate) session_timeout_s: Option<u32>,
    pub(crate) idle_timeout_s: Option<u32>,
    pub(crate) pool: Option<String>,
    pub(crate) on_expired: OnHold,
    pub(crate) garden: Garden,
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
            interim_s: gives.interim_s,
            session_timeout_s: gives.session_timeout_s,
            idle_timeout_s: gives.idle_timeout_s,
            pool: gives.pool,
            on_expired: gives.on_expired,
            garden: gives.garden,
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
