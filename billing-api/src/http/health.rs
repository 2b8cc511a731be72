//! What monitoring asks.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use daemon::health::Health;

use super::Problem;
use super::caller::Caller;
use super::peer::is_proxied;
use crate::domain::Fault;

/// `GET /healthz`: the process runs.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// `GET /readyz`: it does its work, or what does not.
pub(super) async fn ready(health: Data<Health>) -> HttpResponse {
    if health.is_ready() {
        return HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n");
    }
    HttpResponse::ServiceUnavailable()
        .content_type("text/plain; charset=utf-8")
        .body(format!("not ready: {}\n", health.not_ready().join(", ")))
}

/// `GET /metrics`: for Prometheus on this machine, or with a token from elsewhere.
pub(super) async fn metrics(
    request: HttpRequest,
    caller: Result<Caller, Problem>,
) -> Result<HttpResponse, Problem> {
    let local = request.peer_addr().is_some_and(|peer| peer.ip().is_loopback());
    // Behind a proxy every peer is local; then only a token tells.
    if !local || is_proxied(&request) {
        let actor = caller?.0;
        // They tell of every organisation.
        if !actor.at_root() {
            return Err(Problem::new(&request, Fault::Forbidden("network.metrics")));
        }
    }
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(daemon::telemetry::metrics().render()))
}
