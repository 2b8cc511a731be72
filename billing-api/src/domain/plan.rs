//! Plans.

use model::policy::{Garden, Key, OnHold};
use model::{Money, PlanId, PlanVersionId, PriceId, Ts};
use serde::Serialize;
use store::{StoreError, args};

use super::{Actor, Event, Fault, Input, Office, Page, Unit};
use crate::store::organisation;
use crate::store::plan as sql;
use crate::store::plan::Plan;

/// Highest rate that can be sold, bit/s: beyond it a typing error is likelier than a plan.
const RATE_BPS_MAX: i64 = 1_000_000_000_000;
/// Lowest rate, bit/s.
const RATE_BPS_MIN: i64 = 1_000;
/// Largest price, minor units.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A plan as the API shows it.
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

impl From<Plan> for View {
    fn from(plan: Plan) -> Self {
        let (price, period) = match plan.price {
            Some((currency, amount, period)) => (Some(Money { amount, currency }), Some(period)),
            None => (None, None),
        };
        Self {
            id: plan.id,
            organisation_id: plan.organisation,
            name: plan.name,
            status: plan.status,
            price,
            period,
            download_bps: plan.gives.download_bps,
            upload_bps: plan.gives.upload_bps,
            interim_s: plan.gives.interim_s,
            session_timeout_s: plan.gives.session_timeout_s,
            idle_timeout_s: plan.gives.idle_timeout_s,
            pool: plan.gives.pool,
            on_expired: plan.gives.on_expired,
            garden: plan.gives.garden,
            current_version_id: plan.current_version,
            version: plan.version,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        }
    }
}

/// What a new plan needs.
#[derive(Debug)]
pub(crate) struct New {
    name: String,
    price: Option<Money>,
    period: String,
    gives: sql::Gives,
    external: (Option<String>, Option<String>),
}

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let name = input.text("name", 100);
        if !input.has("price") {
            input.fault("price", "is required");
        }
        let price = input.object("price", |price| {
            let has_amount = price.has("amount");
            let amount = price.number("amount", 0, AMOUNT_MAX);
            if !has_amount {
                price.fault("amount", "is required, in minor units");
            }
            let currency = price.required("currency");
            Some(Money { amount: amount?, currency: currency? })
        });
        let period = match input.optional_text("period", 20) {
            None => "month".to_owned(),
            Some(period) => {
                if !["month", "quarter", "half_year", "year"].contains(&period.as_str()) {
                    input.fault("period", "is one of month, quarter, half_year, year");
                }
                period
            }
        };
        let mut rate = |field| input.number(field, RATE_BPS_MIN, RATE_BPS_MAX).map(|n| n as u64);
        let (download_bps, upload_bps) = (rate("download_bps"), rate("upload_bps"));
        let mut seconds = |field, min| input.number(field, min, 31_536_000).map(|n| n as u32);
        // RFC 2869 §5.16: the interim interval must not be smaller than 60.
        let interim_s = seconds("interim_s", 60).unwrap_or(300);
        let session_timeout_s = seconds("session_timeout_s", 60);
        let idle_timeout_s = seconds("idle_timeout_s", 60);
        let pool = input.optional_text("pool", 100);
        let on_expired = match input.optional_text("on_expired", 20).as_deref() {
            None | Some("reject") => OnHold::Reject,
            Some("garden") => OnHold::Garden,
            Some(_) => {
                input.fault("on_expired", "is reject or garden");
                OnHold::Reject
            }
        };
        let garden = input.object("garden", |garden| {
            let fallback = Garden::default();
            let mut rate =
                |field| garden.number(field, RATE_BPS_MIN, RATE_BPS_MAX).map(|n| n as u64);
            let (download_bps, upload_bps) = (rate("download_bps"), rate("upload_bps"));
            Some(Garden {
                address_list: garden
                    .optional_text("address_list", 100)
                    .unwrap_or(fallback.address_list),
                download_bps: download_bps.unwrap_or(fallback.download_bps),
                upload_bps: upload_bps.unwrap_or(fallback.upload_bps),
            })
        });
        let external =
            (input.optional_text("external_source", 50), input.optional_text("external_id", 100));
        if external.0.is_some() != external.1.is_some() {
            input.fault("external_id", "goes together with external_source");
        }
        input.finish()?;
        Ok(Self {
            name,
            price,
            period,
            gives: sql::Gives {
                download_bps,
                upload_bps,
                interim_s,
                session_timeout_s,
                idle_timeout_s,
                pool,
                on_expired,
                garden: garden.unwrap_or_default(),
            },
            external,
        })
    }
}

/// Creates a plan with its first version and its first price.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let home = unit.fetch_one(&organisation::FIND, args![actor.organisation]).await?;
    let home = organisation::organisation(&home)?;
    let (id, version) = (PlanId::generate(), PlanVersionId::generate());
    let by = actor.label();
    let inserted = unit
        .execute(
            &sql::INSERT,
            args![
                id,
                actor.organisation,
                new.name.as_str(),
                "active",
                version,
                new.external.0,
                new.external.1,
                unit.now,
                by.as_str()
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict {
                pointer: "/name",
                detail: format!(
                    "there is a plan \"{}\" already, or one with this external id",
                    new.name
                ),
            });
        }
        result => result?,
    };
    let gives = new.gives;
    let garden = serde_json::to_value(&gives.garden).map_err(|e| Fault::Internal(Box::new(e)))?;
    let on_expired = match gives.on_expired {
        OnHold::Reject => "reject",
        OnHold::Garden => "garden",
    };
    unit.execute(
        &sql::INSERT_VERSION,
        args![
            version,
            id,
            1,
            gives.download_bps,
            gives.upload_bps,
            gives.interim_s,
            gives.session_timeout_s,
            gives.idle_timeout_s,
            gives.pool,
            on_expired,
            garden,
            unit.now,
            by.as_str()
        ],
    )
    .await?;
    if let Some(price) = new.price {
        unit.execute(
            &sql::INSERT_PRICE,
            args![
                PriceId::generate(),
                id,
                actor.organisation,
                price.currency,
                price.amount,
                new.period,
                super::service::civil_date(unit.now, &home.zone),
                unit.now,
                by
            ],
        )
        .await?;
    }
    let row = unit.fetch_one(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let view = View::from(sql::plan(&row)?);
    let event = Event {
        kind: "plan.created",
        entity_id: id.to_string(),
        payload: serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?,
        policy: &[Key::Profile(version)],
    };
    unit.record(actor.organisation, event, None).await?;
    unit.commit().await?;
    Ok(view)
}

/// One plan, the actor's own or an ancestor's.
pub(crate) async fn find(office: &Office, actor: &Actor, id: PlanId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    Ok(View::from(sql::plan(&row.ok_or(Fault::NotFound("plan"))?)?))
}

/// A plan that an organisation with this path may sell: its own or an ancestor's.
pub(crate) async fn find_usable(office: &Office, path: &str, id: PlanId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND_USABLE, args![path, id]).await?;
    Ok(View::from(sql::plan(&row.ok_or(Fault::NotFound("plan"))?)?))
}

/// A page of plans.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    after: Option<PlanId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let rows =
        office.db.fetch_all(&sql::LIST, args![actor.path.as_str(), after, limit + 1]).await?;
    let views: Vec<View> =
        rows.iter().map(|row| sql::plan(row).map(View::from)).collect::<Result<_, _>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}
