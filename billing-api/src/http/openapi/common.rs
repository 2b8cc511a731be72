//! What every operation shares: problems, headers, parameters.

use serde_json::{Map, Value as Json, json};
use store::StoreError;

use super::super::problem;
use super::{entity, kinds};
use crate::domain::{Fault, FieldFault, PAGE_DEFAULT, PAGE_MAX};

/// The problems an operation can answer with: an example of each is what the program would say.
fn faults() -> Vec<(&'static str, &'static str, Fault)> {
    vec![
        ("Unauthenticated", "There is no token, or not one that works", Fault::Unauthenticated),
        ("Forbidden", "The token lacks the permission", Fault::Forbidden("customers.edit")),
        (
            "NotFound",
            "There is no such record, or not for this caller",
            Fault::NotFound("customer"),
        ),
        ("WrongMethod", "The resource does not know this method", Fault::WrongMethod),
        (
            "Conflict",
            "It stands against something that exists",
            Fault::Conflict { pointer: "/name", detail: "another label has this name".to_owned() },
        ),
        ("Stale", "It was changed since the version in If-Match", Fault::Stale),
        ("TooLong", "The body is too long", Fault::TooLong(super::super::body::BODY_OCTETS_MAX)),
        (
            "AddressTooLong",
            "The address of the request is too long",
            Fault::AddressTooLong(super::super::target::TARGET_OCTETS_MAX),
        ),
        (
            "WrongMedia",
            "The body is of a kind that is not read here",
            Fault::WrongMedia("text/plain".to_owned(), "application/json"),
        ),
        (
            "Invalid",
            "Fields or parameters are missing, unknown or wrong: all of them, by pointer",
            Fault::Invalid(vec![FieldFault {
                pointer: "/email".to_owned(),
                detail: "is not an e-mail address".to_owned(),
            }]),
        ),
        ("TooMany", "Too many requests", Fault::TooMany(30)),
        ("Unavailable", "The database is busy or away", Fault::Unavailable(StoreError::Stale)),
    ]
}

/// The name of the answer for each status.
const BY_STATUS: &[(u16, &str)] = &[
    (400, NOT_HTTP),
    (401, "Unauthenticated"),
    (403, "Forbidden"),
    (404, "NotFound"),
    (405, "WrongMethod"),
    (409, "Conflict"),
    (412, "Stale"),
    (413, "TooLong"),
    (414, "AddressTooLong"),
    (415, "WrongMedia"),
    (422, "Invalid"),
    (429, "TooMany"),
    (503, "Unavailable"),
];

/// What the server itself answers, before there is a request that one of ours could see.
const NOT_HTTP: &str = "NotHttp";

/// Adds answers for these statuses, where there is none yet, and those that come before it is
/// known what is asked for.
pub(super) fn errors(responses: &mut Json, statuses: &[u16]) {
    let Some(map) = responses.as_object_mut() else { return };
    let named = |status: &u16| [400, 414].contains(status) || statuses.contains(status);
    for (status, name) in BY_STATUS.iter().filter(|(status, _)| named(status)) {
        map.entry(status.to_string())
            .or_insert_with(|| json!({"$ref": format!("#/components/responses/{name}")}));
    }
}

/// An answer in JSON; `versioned`: with its version as entity tag.
pub(super) fn answer(meaning: &str, schema: &Json, versioned: bool) -> Json {
    let mut headers = headers();
    if versioned {
        headers.insert("ETag".to_owned(), header("ETag"));
        headers.insert("Idempotent-Replayed".to_owned(), header("IdempotentReplayed"));
    }
    json!({
        "description": meaning,
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    })
}

/// A record that is new.
pub(super) fn created(schema: &Json) -> Json {
    let mut answer = answer("It is created", schema, true);
    answer["headers"]["Location"] = header("Location");
    answer
}

/// A page of records of this shape.
pub(super) fn page(schema: &Json) -> Json {
    let page = json!({
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": schema},
            "next_cursor": {"type": ["string", "null"]},
            "total": {
                "type": "integer", "minimum": 0,
                "description": "where it was asked for, or pages are numbered",
            },
            "total_exact": {"type": "boolean", "description": "false: there are more"},
        },
    });
    answer("A page", &page, false)
}

fn headers() -> Map<String, Json> {
    let all = [
        ("X-Request-Id", "RequestId"),
        ("RateLimit", "RateLimit"),
        ("RateLimit-Policy", "RateLimitPolicy"),
    ];
    all.into_iter().map(|(name, component)| (name.to_owned(), header(component))).collect()
}

fn header(name: &str) -> Json {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// A parameter many operations have.
pub(super) fn parameter(name: &str) -> Json {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// The parameters of a pattern; an id is of the entity whose path stands before it.
pub(super) fn path_parameters(pattern: &str) -> Vec<Json> {
    let words: Vec<&str> = pattern.split('/').collect();
    let mut parameters = Vec::new();
    for (n, word) in words.iter().enumerate() {
        let Some(name) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) else {
            continue;
        };
        let before = n.checked_sub(1).and_then(|n| words.get(n)).copied().unwrap_or("");
        let schema = match entity::by_path(before) {
            Some(entity) if name == "id" => kinds::id(entity.prefix),
            None if before == "organisations" => kinds::id(model::OrganisationId::PREFIX),
            _ => json!({"type": "string", "minLength": 1, "maxLength": 100}),
        };
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }
    parameters
}

/// The components, with the shapes of the entities.
pub(super) fn components(entities: impl Iterator<Item = (String, Json)>) -> Json {
    let mut schemas: Map<String, Json> = entities.collect();
    schemas.insert("Money".to_owned(), kinds::money());
    schemas.insert("Problem".to_owned(), problem_schema());
    let mut responses = Map::new();
    for (name, meaning, fault) in faults() {
        let mut headers = headers();
        if matches!(fault, Fault::TooMany(_)) {
            headers.insert("Retry-After".to_owned(), header("RetryAfter"));
        }
        if matches!(fault, Fault::Unauthenticated) {
            headers.insert("WWW-Authenticate".to_owned(), header("WwwAuthenticate"));
        }
        let body = problem::body(&fault, "/api/v1/customers", Some("req_0190f5a1b2c37d4e8f"));
        let response = json!({
            "description": meaning,
            "headers": headers,
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": body,
            }},
        });
        responses.insert(name.to_owned(), response);
    }
    let not_http = "What came is not HTTP, such as a header with octets that none may have: \
                    answered without a body, and the connection is closed";
    responses.insert(NOT_HTTP.to_owned(), json!({"description": not_http}));
    json!({
        "schemas": schemas,
        "responses": responses,
        "parameters": parameters(),
        "headers": {
            "ETag": described("the record's version, for If-Match", json!({"type": "string"})),
            "Location": described("where it is", json!({"type": "string"})),
            "IdempotentReplayed": described(
                "the request was answered before, this is the same answer",
                json!({"const": "true"}),
            ),
            "RequestId": described(
                "names the request in problems, audit and log", json!({"type": "string"}),
            ),
            "RateLimit": described(
                "what is left (draft-ietf-httpapi-ratelimit-headers)", json!({"type": "string"}),
            ),
            "RateLimitPolicy": described(
                "how much there is, and in what time", json!({"type": "string"}),
            ),
            "RetryAfter": described("seconds", json!({"type": "string", "pattern": "^[0-9]+$"})),
            "WwwAuthenticate": described("how to prove who calls", json!({"type": "string"})),
        },
        "securitySchemes": {"bearer": {
            "type": "http", "scheme": "bearer",
            "description": "an API token; `x-permission` names what its scopes must grant",
        }},
    })
}

fn described(words: &str, schema: Json) -> Json {
    json!({"description": words, "schema": schema})
}

fn problem_schema() -> Json {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "description": "RFC 9457",
        "required": [
            "type", "title", "status", "code", "detail", "instance", "errors", "request_id",
        ],
        "properties": {
            "type": text(),
            "title": text(),
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "the last word of `type`"},
            "detail": text(),
            "instance": text(),
            "errors": {"type": "array", "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer (RFC 6901), `?name` for a parameter, or the \
                                        name of a header",
                    },
                    "detail": text(),
                },
            }},
            "request_id": {"type": ["string", "null"]},
        },
    })
}

/// The parameters many operations have.
fn parameters() -> Json {
    let query = |name: &str, about: &str, schema: Json| json!({"name": name, "in": "query", "description": about, "schema": schema});
    let header = |name: &str, about: &str, schema: Json| json!({"name": name, "in": "header", "description": about, "schema": schema});
    json!({
        "limit": query("limit", "rows on the page", json!({
            "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT,
        })),
        "cursor": query(
            "cursor", "`next_cursor` of the page before, in the same sort",
            json!({"type": "string"}),
        ),
        "page": query(
            "page", "numbered pages, in place of a cursor, up to 10000 rows",
            json!({"type": "integer", "minimum": 1, "maximum": 10_000}),
        ),
        "total": query("total", "count them", json!({"type": "boolean", "default": false})),
        "deleted": query(
            "deleted", "what can be restored, in place of what is there",
            json!({"type": "boolean", "default": false}),
        ),
        "q": query(
            "q", "words that begin words of the record",
            json!({"type": "string", "maxLength": 200}),
        ),
        "organisation_id": query(
            "organisation_id", "of this organisation and those below it",
            kinds::id(model::OrganisationId::PREFIX),
        ),
        "idempotency-key": header(
            "Idempotency-Key", "the same request under the same key is done once",
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}),
        ),
        "if-match": header(
            "If-Match", "the entity tag last seen: another one now, and nothing is done",
            json!({"type": "string", "examples": ["\"1\"", "*"]}),
        ),
        "if-none-match": header(
            "If-None-Match", "the entity tag one has", json!({"type": "string"}),
        ),
    })
}
