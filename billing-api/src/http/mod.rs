//! The REST API, `/api/v1`, and what monitoring asks.
//!
//! A handler reads as extract, authorise, call, present. The caller is an extractor that has
//! proven what the route needs ([`ROUTES`]): a handler that does not take one cannot reach a
//! customer's data, since every domain function wants an actor.

pub(crate) mod access;
#[cfg(test)]
mod attack;
mod auth_log;
mod body;
mod branding;
mod caller;
mod describe;
mod entities;
mod export;
mod headers;
mod health;
mod identities;
mod identity_providers;
mod imports;
mod jobs;
mod ledger;
mod limit;
mod me;
mod modules;
mod openapi;
mod organisations;
mod peer;
mod problem;
mod query;
mod search;
mod services;
mod sessions;
mod settings;
mod staff;
mod tagged;
mod target;
mod tokens;
#[cfg(test)]
mod walk;
mod webhooks;

use std::sync::LazyLock;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use ipnetwork::IpNetwork;
use serde::Serialize;

use access::{Need, Needs, Route, delete, get, may, patch, post, put};

use crate::config::{self, ProxyHeader};
use crate::domain::idempotency::{self, Idempotency};
use crate::domain::{Actor, Fault, Office, Page};
use crate::entity::registry::by_prefix;

pub(crate) use body::REQUEST_OCTETS_MAX;
pub(crate) use export::{file_kept, file_of};
pub(crate) use imports::{failed_rows, importing, receive, template_of};
pub(crate) use problem::Problem;
use tagged::{Tagged, tagged};
pub(crate) use target::target;

pub(crate) use headers::headers;
pub(crate) use limit::{Limits, limit};
pub(crate) use peer::{address, visitor};

/// Settings the handlers need.
#[derive(Default)]
pub(crate) struct Web {
    /// Whether the console's cookie is sent over TLS alone.
    pub(crate) secure_cookie: bool,
    /// Whose word on a client's address is taken.
    pub(crate) trusted_proxies: Vec<IpNetwork>,
    /// In which header they give it.
    pub(crate) proxy_header: ProxyHeader,
    /// How many requests anybody may make.
    pub(crate) limits: Limits,
}

impl Web {
    /// As configured.
    pub(crate) fn new(config: &config::Http) -> Self {
        let limit = &config.rate_limit;
        Self {
            secure_cookie: config.secure_cookie,
            trusted_proxies: config.trusted_proxies.clone(),
            proxy_header: config.proxy_header,
            limits: Limits::new(limit.token_per_minute, limit.address_per_minute),
        }
    }
}

/// Every route that does not come from a description. What is put here exists, and nothing
/// else does: each line says which permission it takes.
pub(crate) const ROUTES: &[Route] = &[
    // What monitoring asks.
    get("/healthz", Need::Public, || web::to(health::alive)),
    get("/readyz", Need::Public, || web::to(health::ready)),
    get("/metrics", may("network.metrics"), || web::to(health::metrics)),
    // What the API says about itself.
    get("/api/v1/openapi.json", Need::SignedIn, || web::to(openapi::serve)),
    get("/api/v1/schema/{entity}", Need::SignedIn, || web::to(describe::entity)),
    // What is where. Each kind of record is found by those who may see it.
    get("/api/v1/search", Need::SignedIn, || web::to(search::everywhere)),
    // Services.
    get("/api/v1/customers/{id}/services", may("services.view"), || web::to(services::of_customer)),
    post("/api/v1/customers/{id}/services", may("services.create"), || web::to(services::create)),
    post("/api/v1/services/{id}/identities", may("services.edit"), || web::to(identities::add)),
    delete("/api/v1/services/{id}/identities/{identity}", may("services.edit"), || {
        web::to(identities::remove)
    }),
    // Money.
    get("/api/v1/customers/{id}/statement", may("billing.view"), || web::to(ledger::statement)),
    get("/api/v1/ledger/trial-balance", may("billing.view"), || web::to(ledger::trial_balance)),
    // Jobs.
    post("/api/v1/jobs/preview", may("jobs.view"), || web::to(jobs::preview)),
    post("/api/v1/jobs/{id}/run", may("jobs.run"), || web::to(jobs::run_job)),
    get("/api/v1/job-runs/{id}/log", may("jobs.view"), || web::to(jobs::log)),
    get("/api/v1/job-runs/{id}/results", may("jobs.view"), || web::to(jobs::results)),
    post("/api/v1/job-runs/{id}/cancel", may("jobs.run"), || web::to(jobs::cancel)),
    post("/api/v1/job-runs/{id}/retry", may("jobs.run"), || web::to(jobs::retry)),
    // Files that came. Besides this, each asks for the import permission of the file's records.
    get("/api/v1/imports/{id}/preview", may("imports.view"), || web::to(imports::preview)),
    patch("/api/v1/imports/{id}/mapping", may("imports.view"), || web::to(imports::map)),
    post("/api/v1/imports/{id}/dry-run", may("imports.view"), || web::to(imports::dry_run)),
    post("/api/v1/imports/{id}/run", may("imports.view"), || web::to(imports::run)),
    get("/api/v1/imports/{id}/errors", may("imports.view"), || web::to(imports::errors)),
    get("/api/v1/imports/{id}/error-file", may("imports.view"), || web::to(imports::error_file)),
    post("/api/v1/imports/{id}/undo", may("imports.undo"), || web::to(imports::undo)),
    // Files made in the background. Besides this, each asks for the export permission of the
    // file's records.
    post("/api/v1/exports/order", Need::SignedIn, || web::to(export::order)),
    get("/api/v1/exports/{id}/file", Need::SignedIn, || web::to(export::kept)),
    // The network.
    get("/api/v1/sessions", may("network.sessions"), || web::to(sessions::list)),
    get("/api/v1/auth-log", may("network.sessions"), || web::to(auth_log::list)),
    // Webhooks. They are made here, so that the answer can show the secret.
    get("/api/v1/webhooks", may("hooks.view"), || web::to(webhooks::list)),
    post("/api/v1/webhooks", may("hooks.create"), || web::to(webhooks::create)),
    post("/api/v1/webhooks/{id}/duplicate", may("hooks.create"), || web::to(webhooks::duplicate)),
    post("/api/v1/webhooks/{id}/rotate-secret", may("hooks.edit"), || web::to(webhooks::rotate)),
    post("/api/v1/webhooks/{id}/reveal-secret", may("hooks.reveal"), || web::to(webhooks::reveal)),
    post("/api/v1/webhooks/{id}/test", may("hooks.test"), || web::to(webhooks::test)),
    post("/api/v1/webhooks/{id}/replay-failed", may("hooks.replay"), || {
        web::to(webhooks::replay_failed)
    }),
    get("/api/v1/webhook-deliveries", may("hooks.view"), || web::to(webhooks::deliveries)),
    get("/api/v1/webhook-deliveries/{id}", may("hooks.view"), || web::to(webhooks::delivery)),
    post("/api/v1/webhook-deliveries/{id}/replay", may("hooks.replay"), || {
        web::to(webhooks::replay_one)
    }),
    get("/api/v1/webhook-programs", may("hooks.view"), || web::to(webhooks::programs)),
    get("/api/v1/event-types", may("hooks.view"), || web::to(webhooks::event_types)),
    // Organisations, and what each decides for itself. What only some may change, the rules
    // refuse.
    post("/api/v1/organisations/{id}/move", may("partners.edit"), || {
        web::to(organisations::relocate)
    }),
    get("/api/v1/settings", may("settings.view"), || web::to(settings::list)),
    patch("/api/v1/settings", may("settings.view"), || web::to(settings::patch)),
    get("/api/v1/modules", may("settings.view"), || web::to(modules::list)),
    patch("/api/v1/modules", may("settings.edit"), || web::to(modules::patch)),
    put("/api/v1/branding/logo", may("settings.edit"), || web::to(branding::set_logo)),
    delete("/api/v1/branding/logo", may("settings.edit"), || web::to(branding::remove_logo)),
    // The caller's own account.
    get("/api/v1/me", Need::SignedIn, || web::to(me::show)),
    post("/api/v1/me/password", Need::SignedIn, || web::to(me::change_password)),
    post("/api/v1/me/second-factor", Need::SignedIn, || web::to(me::begin_second_factor)),
    post("/api/v1/me/second-factor/confirm", Need::SignedIn, || web::to(me::confirm_second_factor)),
    post("/api/v1/me/second-factor/disable", Need::SignedIn, || web::to(me::disable_second_factor)),
    post("/api/v1/me/recovery-codes", Need::SignedIn, || web::to(me::renew_codes)),
    get("/api/v1/me/sessions", Need::SignedIn, || web::to(me::sessions)),
    post("/api/v1/me/sessions/end", Need::SignedIn, || web::to(me::end_sessions)),
    post("/api/v1/me/sessions/{id}/end", Need::SignedIn, || web::to(me::end_session)),
    // Staff and their roles.
    get("/api/v1/permissions", Need::SignedIn, || web::to(staff::permissions)),
    post("/api/v1/staff/{id}/reset-password", may("staff.edit"), || web::to(staff::reset_password)),
    get("/api/v1/staff/{id}/sessions", may("staff.view"), || web::to(staff::sessions)),
    post("/api/v1/roles/assign", may("roles.edit"), || web::to(staff::assign)),
    post("/api/v1/roles/{id}/clone", may("roles.create"), || web::to(staff::clone_role)),
    post("/api/v1/identity-providers/{id}/check", may("staff.edit"), || {
        web::to(identity_providers::check)
    }),
    // API tokens.
    post("/api/v1/tokens", may("tokens.create"), || web::to(tokens::create)),
    post("/api/v1/tokens/{id}/rotate", may("tokens.edit"), || web::to(tokens::rotate)),
    get("/api/v1/tokens/{id}/usage", may("tokens.view"), || web::to(tokens::usage)),
];

const API: &str = "/api/v1";

/// What each route needs, those of the descriptions too.
pub(crate) static NEEDS: LazyLock<Needs> = LazyLock::new(|| {
    let listed = ROUTES.iter().map(|r| (r.method.clone(), r.pattern.to_owned(), r.need));
    Needs::of(listed.chain(entities::needs(API)))
});

/// Registers every route of the API. Where a description and the list have the same, the one of
/// the list answers.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let (api, others): (Vec<_>, Vec<_>) =
        ROUTES.iter().partition(|route| route.pattern.starts_with(API));
    for resource in access::resources(others.into_iter().map(|route| route.registered(""))) {
        config.service(resource.default_service(web::to(wrong_method)));
    }
    let listed = api.into_iter().map(|route| route.registered(API));
    let mut scope = web::scope(API);
    for resource in access::resources(listed.chain(entities::routes())) {
        scope = scope.service(resource.default_service(web::to(wrong_method)));
    }
    config.service(scope.default_service(web::to(not_found)));
}

/// The id of a request: in its answer, its problems, its audit entries and the log.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Gives every request an id.
pub(crate) async fn request_id(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = format!("req_{}", uuid::Uuid::now_v7().simple());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

/// The id of this request.
pub(crate) fn id_of(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestId>().map(|id| id.0.clone())
}

/// A resource that is there, but not for this method: 405 says for which (RFC 9110 §15.5.6).
pub(crate) async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let mut response = Problem::new(&request, Fault::WrongMethod).error_response();
    let pattern = request.match_pattern().unwrap_or_default();
    let mut methods: Vec<&str> = NEEDS
        .all()
        .filter(|(own, ..)| *own == pattern)
        .map(|(_, method, _)| method.as_str())
        .collect();
    methods.sort_unstable();
    if let Ok(value) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// No such page or resource.
pub(crate) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(&request, Fault::NotFound("resource")))
}

/// A list as the API shows it.
#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

fn list<T: Serialize>(page: Page<T>) -> HttpResponse {
    HttpResponse::Ok().json(List { data: page.rows, next_cursor: page.next })
}

/// A resource that was created: 201, where it is, and the thing itself.
fn created<T: Serialize>(location: String, version: i64, view: &T) -> HttpResponse {
    HttpResponse::Created()
        .insert_header(("Location", location))
        .insert_header(("ETag", etag(version)))
        .json(view)
}

/// A resource with its version.
fn shown<T: Serialize>(version: i64, view: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header(("ETag", etag(version))).json(view)
}

/// Takes the Idempotency-Key of a request, and the answer it was given before, if it was.
async fn replay(
    office: &Office,
    actor: &mut Actor,
    request: &HttpRequest,
    body: &[u8],
) -> Result<Option<HttpResponse>, Fault> {
    let Some(key) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().unwrap_or("");
    let (method, path) = (request.method().as_str(), request.path());
    actor.idempotency = Some(Idempotency::of(key, method, path, body)?);
    let Some(answer) = idempotency::find(office, actor).await? else { return Ok(None) };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header(("Idempotent-Replayed", "true"));
    if let Some(version) = answer.body["version"].as_i64() {
        response.insert_header(("ETag", etag(version)));
    }
    if matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED)
        && let Some(id) = answer.body["id"].as_str()
        && let Some(entity) = id.split_once('_').and_then(|(prefix, _)| by_prefix(prefix))
    {
        response.insert_header(("Location", format!("{API}/{}/{id}", entity.path)));
    }
    Ok(Some(response.json(answer.body)))
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version named by If-Match, where the caller sends one (RFC 9110 §13.1.1).
fn if_match(request: &HttpRequest) -> Result<Option<i64>, Fault> {
    let Some(value) = request.headers().get("if-match") else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.trim_start_matches("W/").trim_matches('"').parse();
    // An entity tag that is not ours matches nothing.
    number.map(Some).map_err(|_| Fault::Stale)
}
