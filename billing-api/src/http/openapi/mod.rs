//! The API's description of itself: OpenAPI 3.1 at `GET /api/v1/openapi.json`.
//!
//! The document is put together once, from what the program runs on: the routes and their needs
//! ([`super::NEEDS`]), the descriptions of entities, and [`listed`] for
//! the routes that have none. So a route that exists is in the document, and one in the document exists.
//!
//! - [`operation`]: what a route of its own can say about itself.
//! - [`listed`]: what each of them does say.
//! - [`entity`]: the operations and shapes that come from a description.
//! - [`kinds`]: a field's kind as JSON Schema.
//! - [`common`]: what every operation shares: problems, headers, parameters.

mod common;
mod entity;
mod kinds;
mod listed;
mod operation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value as Json, json};

use super::access::Need;
use super::caller::Caller;
use super::{NEEDS, Problem, ROUTES, Tagged, tagged};
use crate::entity::registry::ENTITIES;

pub(super) use kinds::{comparisons, given, shown};

/// The document, as it is sent.
static DOCUMENT: LazyLock<Tagged> = LazyLock::new(|| Tagged::of(&document()));

/// `GET /openapi.json`
pub(super) async fn serve(request: HttpRequest, _: Caller) -> Result<HttpResponse, Problem> {
    Ok(tagged(&request, &DOCUMENT))
}

/// Puts the document together.
fn document() -> Json {
    let mut paths: Map<String, Json> = Map::new();
    let mut tags = BTreeSet::new();
    let mut routes: Vec<_> = NEEDS.all().collect();
    routes.sort_by_key(|(pattern, method, _)| (*pattern, method.as_str()));
    for (pattern, method, need) in routes {
        let tag = tag(pattern, need);
        let mut described = operation(pattern, method);
        described["tags"] = json!([tag]);
        tags.insert(tag);
        match need {
            Need::Public => described["security"] = json!([]),
            Need::SignedIn => {}
            Need::Permission(permission) => described["x-permission"] = json!(permission),
        }
        let path = paths.entry(pattern).or_insert_with(|| json!({}));
        path[method.as_str().to_ascii_lowercase()] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lastmile",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "AGPL-3.0-only", "identifier": "AGPL-3.0-only"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "components": common::components(ENTITIES.iter().flat_map(|e| entity::schemas(e))),
    })
}

const ABOUT: &str = "Lists are paged by cursor; `field=value` and `field[op]=value` filter them, \
    also by fields that an organisation added: `custom.KEY=value`. A request with an \
    `Idempotency-Key` that is sent again gets the first answer. `If-Match` with the version last \
    seen guards against lost updates. Errors are problems (RFC 9457) with a pointer to each \
    field. Bodies are read as JSON whatever their Content-Type says.";

/// The group of its permission; else where it stands.
fn tag(pattern: &str, need: Need) -> &str {
    match need {
        Need::Permission(permission) => permission.split('.').next().unwrap_or(permission),
        _ if pattern.starts_with(super::API) => "self",
        _ => "monitoring",
    }
}

/// One operation: of a listed route, else of a description.
fn operation(pattern: &str, method: &Method) -> Json {
    let listed = ROUTES.iter().find(|r| r.pattern == pattern && r.method == *method);
    match listed {
        Some(route) => match listed::about(route) {
            Some(operation) => operation.document(route),
            // One that stands in the place of a description's does as that says, and more.
            None => entity::operation(pattern, method)
                .unwrap_or_else(|| operation::Operation::PLAIN.document(route)),
        },
        None => entity::operation(pattern, method)
            .unwrap_or_else(|| operation::unknown(pattern, method)),
    }
}
