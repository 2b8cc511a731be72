//! Deliveries as staff see them, and sending them again.

use model::{AttemptId, DeliveryId, EventId, OrganisationId, Ts, WebhookId};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Args, Row, StoreError, args};

use super::program::Program;
use crate::domain::{Actor, Event, Fault, Input, Office, Page, Unit};
use crate::store::hook as sql;
use crate::store::hook::DeliveryRow;

/// The states of a delivery.
pub(crate) const STATES: &[&str] = &["waiting", "delivered", "failed", "dropped"];

/// A delivery as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: DeliveryId,
    pub(crate) organisation_id: OrganisationId,
    /// `web` or `cli`.
    pub(crate) kind: String,
    /// Absent: a program.
    pub(crate) webhook_id: Option<WebhookId>,
    /// What the webhook or program was called then.
    pub(crate) hook: String,
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
    pub(crate) event_at: Ts,
    pub(crate) entity_id: String,
    pub(crate) state: String,
    pub(crate) attempts: i64,
    /// When it is tried next, where it waits.
    pub(crate) next_at: Option<Ts>,
    /// The last attempt: HTTP status or exit code, what went wrong, how long it took.
    pub(crate) status: Option<i64>,
    pub(crate) error: Option<String>,
    pub(crate) latency_ms: Option<i64>,
    pub(crate) created_at: Ts,
    pub(crate) settled_at: Option<Ts>,
}

impl From<DeliveryRow> for View {
    fn from(row: DeliveryRow) -> Self {
        let waits = row.state == "waiting";
        Self {
            id: row.id,
            organisation_id: row.organisation,
            webhook_id: (row.kind == "web").then_some(WebhookId(row.target)),
            kind: row.kind,
            hook: row.target_name,
            event_id: row.event,
            event_type: row.event_kind,
            event_at: row.event_at,
            entity_id: row.entity_id,
            state: row.state,
            attempts: row.attempts,
            next_at: waits.then_some(row.next_at),
            status: row.status,
            error: row.error,
            latency_ms: row.latency_ms,
            created_at: row.created_at,
            settled_at: row.settled_at,
        }
    }
}

/// An attempt as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AttemptView {
    pub(crate) id: AttemptId,
    pub(crate) number: i64,
    pub(crate) at: Ts,
    pub(crate) status: Option<i64>,
    pub(crate) error: Option<String>,
    pub(crate) latency_ms: i64,
    /// The beginning of what came back.
    pub(crate) answer: Option<String>,
    pub(crate) truncated: bool,
}

fn attempt(row: &Row) -> Result<AttemptView, StoreError> {
    Ok(AttemptView {
        id: row.get("id")?,
        number: row.get("number")?,
        at: row.get("at")?,
        status: row.get("status")?,
        error: row.get("error")?,
        latency_ms: row.get("latency_ms")?,
        answer: row.get("answer")?,
        truncated: row.get("truncated")?,
    })
}

/// A delivery with all there is to know of it.
#[derive(Debug, Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    pub(crate) view: View,
    /// What is sent.
    pub(crate) request: Value,
    pub(crate) log: Vec<AttemptView>,
}

/// Which deliveries to show.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) webhook: Option<WebhookId>,
    /// `web` or `cli`.
    pub(crate) kind: Option<&'static str>,
    pub(crate) state: Option<&'static str>,
    pub(crate) event_type: Option<String>,
    pub(crate) entity_id: Option<String>,
    pub(crate) from: Option<Ts>,
    pub(crate) until: Option<Ts>,
}

/// A page of the log, the newest first.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    filter: &Filter,
    after: Option<DeliveryId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let mut args = Args::new();
    args.push(actor.path.as_str());
    let mut conditions = vec![
        "organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')".to_owned(),
    ];
    let mut add = |condition: &str, number: usize| {
        conditions.push(format!("{condition} ${number}"));
    };
    if let Some(id) = filter.webhook {
        add("target_id =", args.push(id));
    }
    if let Some(kind) = filter.kind {
        add("kind =", args.push(kind));
    }
    if let Some(state) = filter.state {
        add("state =", args.push(state));
    }
    if let Some(event_type) = &filter.event_type {
        add("event_kind =", args.push(event_type.as_str()));
    }
    if let Some(entity_id) = &filter.entity_id {
        add("entity_id =", args.push(entity_id.as_str()));
    }
    if let Some(from) = filter.from {
        add("created_at >=", args.push(from));
    }
    if let Some(until) = filter.until {
        add("created_at <", args.push(until));
    }
    if let Some(after) = after {
        add("id <", args.push(after));
    }
    let limit_number = args.push(limit + 1);
    let sql = format!(
        "SELECT * FROM webhook_delivery WHERE {} ORDER BY id DESC LIMIT ${limit_number}",
        conditions.join(" AND ")
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let views: Vec<View> =
        rows.iter().map(|row| sql::delivery(row).map(View::from)).collect::<Result<_, _>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}

/// One delivery, with its attempts.
pub(crate) async fn find(office: &Office, actor: &Actor, id: DeliveryId) -> Result<Detail, Fault> {
    let row = office.db.fetch_optional(&sql::FIND_DELIVERY, args![actor.path.as_str(), id]).await?;
    let row = sql::delivery(&row.ok_or(Fault::NotFound("delivery"))?)?;
    let attempts = office.db.fetch_all(&sql::ATTEMPTS, args![id]).await?;
    let log = attempts.iter().map(attempt).collect::<Result<_, _>>()?;
    // Bodies are written here; one that does not read is shown as the text it is.
    let request = serde_json::from_str(&row.body).unwrap_or_else(|_| json!(row.body));
    Ok(Detail { view: View::from(row), request, log })
}

/// Sends one delivery again, whatever came of it; under the same id, so that a receiver that
/// knows it does nothing twice.
pub(crate) async fn replay(office: &Office, actor: &Actor, id: DeliveryId) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let found = |row: Option<Row>| -> Result<DeliveryRow, Fault> {
        Ok(sql::delivery(&row.ok_or(Fault::NotFound("delivery"))?)?)
    };
    let path = actor.path.as_str();
    let before = found(unit.fetch_optional(&sql::FIND_DELIVERY, args![path, id]).await?)?;
    if before.kind == "web" {
        listening(&mut unit, actor, WebhookId(before.target)).await?;
    } else if office.hooks.programs.iter().all(|program| program.id != before.target) {
        let detail = "the program is not listed any more".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let now = unit.now;
    if unit.execute(&sql::REPLAY, args![path, id, now]).await? == 0 {
        let detail = "the delivery is on its way".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let view = View::from(found(unit.fetch_optional(&sql::FIND_DELIVERY, args![path, id]).await?)?);
    let target = view.webhook_id;
    replayed(&mut unit, view.organisation_id, target, Some(id), None, 1).await?;
    unit.commit().await?;
    Ok(view)
}

/// Since when to send again.
pub(crate) fn parse_since(body: &[u8]) -> Result<Ts, Fault> {
    let mut input = Input::parse(body)?;
    let since = input.required("since");
    input.finish()?;
    // Without a value, finishing has failed.
    since.ok_or_else(|| Fault::field("/since", "is required"))
}

/// Sends everything again that was put on its way to a webhook since an instant and did not
/// arrive; how many that are.
pub(crate) async fn replay_failed(
    office: &Office,
    actor: &Actor,
    id: WebhookId,
    since: Ts,
) -> Result<u64, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let organisation = listening(&mut unit, actor, id).await?;
    let args = args![actor.path.as_str(), id, since, unit.now];
    let count = unit.execute(&sql::REPLAY_FAILED, args).await?;
    replayed(&mut unit, organisation, Some(id), None, Some(since), count).await?;
    unit.commit().await?;
    Ok(count)
}

/// The webhook must be there and switched on: else what is sent again would wait for ever.
async fn listening(
    unit: &mut Unit<'_>,
    actor: &Actor,
    id: WebhookId,
) -> Result<OrganisationId, Fault> {
    let row = unit.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let row = sql::webhook(&row.ok_or(Fault::NotFound("webhook"))?)?;
    if !row.enabled {
        let detail = "the webhook is switched off".to_owned();
        return Err(Fault::Conflict { pointer: "/enabled", detail });
    }
    Ok(row.organisation)
}

async fn replayed(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    webhook: Option<WebhookId>,
    delivery: Option<DeliveryId>,
    since: Option<Ts>,
    count: u64,
) -> Result<(), Fault> {
    let entity_id = webhook.map(|id| id.to_string()).or(delivery.map(|id| id.to_string()));
    let event = Event {
        kind: "webhook.replayed",
        entity_id: entity_id.unwrap_or_default(),
        payload: json!({
            "id": webhook,
            "delivery_id": delivery,
            "since": since,
            "deliveries": count,
        }),
        policy: &[],
    };
    unit.record(organisation, event, None).await
}

/// A program that hears of events, as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ProgramView {
    pub(crate) name: String,
    pub(crate) events: Vec<String>,
    /// The program, without its arguments: those may hold secrets.
    pub(crate) program: String,
    pub(crate) timeout_s: u64,
    pub(crate) attempts_max: i64,
}

/// The programs of the configuration. They are the provider's: nobody below the root sees any.
pub(crate) fn programs(office: &Office, actor: &Actor) -> Vec<ProgramView> {
    let programs = office.hooks.programs.iter().filter(|_| actor.at_root());
    let view = |program: &Program| ProgramView {
        name: program.name.clone(),
        events: program.events.clone(),
        program: program.run.first().cloned().unwrap_or_default(),
        timeout_s: program.timeout_s,
        attempts_max: program.attempts_max,
    };
    programs.map(view).collect()
}
