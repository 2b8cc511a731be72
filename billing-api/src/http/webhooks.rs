//! Webhooks: what can be done with them beyond the description, the log of deliveries, and the
//! types of events.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{DeliveryId, WebhookId};
use serde_json::json;

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, entities, list as listed, replay, shown};
use crate::domain::{Fault, Office};
use crate::hook::{catalogue, endpoint, log};

fn webhook(id: &str) -> Result<WebhookId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("webhook"))
}

fn answer(made: &endpoint::Revealed) -> HttpResponse {
    created(format!("/api/v1/webhooks/{}", made.id), made.version, &made.view)
}

/// `GET /webhooks`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    entities::list(endpoint::ENTITY, request, office, caller).await
}

/// `POST /webhooks`. A request that is repeated under its key gets the webhook without the
/// secret: that is not kept with the answer.
pub(super) async fn create(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let draft = endpoint::parse(&body.0)?;
        Ok(answer(&endpoint::create(&office, &caller.0, draft).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /webhooks/{id}/duplicate`
pub(super) async fn duplicate(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        Ok(answer(&endpoint::duplicate(&office, &caller.0, webhook(&id)?).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /webhooks/{id}/rotate-secret`
pub(super) async fn rotate(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let rotation = endpoint::Rotation::parse(&body.0)?;
        let made = endpoint::rotate(&office, &caller.0, webhook(&id)?, rotation, None).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /webhooks/{id}/reveal-secret`
pub(super) async fn reveal(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let made = endpoint::reveal(&office, &caller.0, webhook(&id)?).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /webhooks/{id}/test`
pub(super) async fn test(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let kind = endpoint::parse_test(&body.0)?;
        let tested = endpoint::test(&office, &caller.0, webhook(&id)?, kind).await?;
        Ok(HttpResponse::Ok().json(tested))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /webhooks/{id}/replay-failed`
pub(super) async fn replay_failed(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let since = log::parse_since(&body.0)?;
        let count = log::replay_failed(&office, &caller.0, webhook(&id)?, since).await?;
        Ok(HttpResponse::Ok().json(json!({"deliveries": count})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /webhook-deliveries`
pub(super) async fn deliveries(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let words = |words: &'static [&'static str]| -> Vec<(&'static str, &'static str)> {
            words.iter().map(|word| (*word, *word)).collect()
        };
        let filter = log::Filter {
            webhook: query.parsed("webhook_id"),
            kind: query.word("kind", &words(&["web", "cli"])),
            state: query.word("state", &words(log::STATES)),
            event_type: query.text("event_type"),
            entity_id: query.text("entity_id"),
            from: query.parsed("from"),
            until: query.parsed("until"),
        };
        let (after, limit) = (query.parsed("cursor"), query.limit());
        query.finish()?;
        Ok(listed(log::list(&office, &caller.0, &filter, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

fn delivery_id(id: &str) -> Result<DeliveryId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("delivery"))
}

/// `GET /webhook-deliveries/{id}`
pub(super) async fn delivery(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        Ok(HttpResponse::Ok().json(log::find(&office, &caller.0, delivery_id(&id)?).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /webhook-deliveries/{id}/replay`
pub(super) async fn replay_one(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let view = log::replay(&office, &caller.0, delivery_id(&id)?).await?;
        Ok(HttpResponse::Ok().json(view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /webhook-programs`
pub(super) async fn programs(office: Data<Office>, caller: Caller) -> HttpResponse {
    let programs = log::programs(&office, &caller.0);
    HttpResponse::Ok().json(json!({"data": programs, "next_cursor": null}))
}

/// `GET /event-types`
pub(super) async fn event_types(_caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(json!({"data": catalogue::all(), "next_cursor": null}))
}
