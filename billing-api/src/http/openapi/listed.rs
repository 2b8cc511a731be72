//! What the routes that come from no description say about themselves: one line each, in the
//! order of [`super::super::ROUTES`].

use actix_web::http::Method;
use serde_json::{Value as Json, json};
use sheet::{Delimiter, Format};

use super::super::access::Route;
use super::super::{describe, ledger, search};
use super::operation::{Answer, Operation, Parameter};
use super::{entity, kinds};
use crate::domain::PAGE_MAX;
use crate::domain::service::SERVICE;
use crate::entity::import::failed::Told;
use crate::entity::registry::ENTITIES;
use crate::entity::{Field, Flags, Kind};
use crate::jobs::entities::JOB_RUN;
use crate::oidc::provider::IDENTITY_PROVIDER;

/// Method, pattern, and what there is to say. A route that is missing here is in the document
/// with its pattern and its permission alone.
pub(super) const LISTED: &[(Method, &str, Operation)] = &[
    (
        Method::GET,
        "/healthz",
        Operation { summary: "The process runs", answer: Answer::Text, ..Operation::PLAIN },
    ),
    (
        Method::GET,
        "/readyz",
        Operation {
            summary: "Whether it does its work, or what does not",
            answer: Answer::Text,
            also: &[(503, "It does not, and why")],
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/metrics",
        Operation {
            summary: "Measurements for Prometheus; on this machine without a token",
            answer: Answer::Text,
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/openapi.json",
        Operation {
            summary: "This document",
            answer: Answer::Json(|| json!({"type": "object", "required": ["openapi", "paths"]})),
            cached: true,
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/schema/{entity}",
        Operation {
            summary: "An entity's fields, those that the organisation added among them",
            answer: Answer::Json(describe::schema),
            cached: true,
            path: &[Parameter {
                name: "entity",
                about: "as in the address of its list",
                schema: || json!({"enum": ENTITIES.iter().map(|entity| entity.path).collect::<Vec<_>>()}),
            }],
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/search",
        Operation {
            summary: "Records of every kind that the caller may see, by their words",
            query: &[
                Parameter {
                    name: "q",
                    about: "words, or beginnings of them; required",
                    schema: || json!({"type": "string", "minLength": 1, "maxLength": search::QUERY_MAX}),
                },
                Parameter {
                    name: "entity",
                    about: "of this kind alone, as in the address of its list",
                    schema: || {
                        let searched = ENTITIES.iter().filter(|entity| entity.is_searched());
                        json!({"enum": searched.map(|entity| entity.path).collect::<Vec<_>>()})
                    },
                },
                Parameter {
                    name: "limit",
                    about: "records of each kind",
                    schema: || json!({"type": "integer", "minimum": 1, "maximum": search::EACH_MAX}),
                },
            ],
            answer: Answer::Json(search::shape),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/customers/{id}/services",
        Operation {
            summary: "The services of a customer",
            answer: Answer::Page(|| entity::shape(&SERVICE)),
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/customers/{id}/services",
        Operation {
            summary: "Creates a service for a customer",
            body: Some(new_service),
            answer: Answer::Created(|| entity::shape(&SERVICE)),
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/jobs/preview",
        Operation {
            summary: "A schedule in words, and when it comes next",
            body: Some(|| json!({"type": "object"})),
            answer: Answer::Json(object),
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/jobs/{id}/run",
        Operation {
            summary: "Queues a run now",
            answer: Answer::Created(|| entity::shape(&JOB_RUN)),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/job-runs/{id}/log",
        Operation {
            summary: "What a run noted, oldest first",
            answer: Answer::Page(object),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/job-runs/{id}/results",
        Operation {
            summary: "What became of each record of a change to many",
            query: &[Parameter {
                name: "failed",
                about: "true: those alone that were not changed",
                schema: || json!({"type": "boolean"}),
            }],
            answer: Answer::Page(object),
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/job-runs/{id}/cancel",
        Operation {
            summary: "Ends a run that waits, and asks one under way to end",
            answer: Answer::Record(|| entity::shape(&JOB_RUN)),
            conditional: true,
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/job-runs/{id}/retry",
        Operation {
            summary: "Queues a new run that does again what this one did",
            answer: Answer::Created(|| entity::shape(&JOB_RUN)),
            conditional: true,
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/imports/{id}/errors",
        Operation {
            summary: "Rows of an import with something to tell, and what",
            query: &[Parameter {
                name: "outcome",
                about: "those that failed, where nothing is said; those of a dry run that are \
                    worth a look; those that could not be undone",
                schema: || json!({"enum": Told::ALL.map(|(word, _)| word)}),
            }],
            answer: Answer::Page(object),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/imports/{id}/error-file",
        Operation {
            summary: "The rows that failed, as a file that can be imported again",
            query: &[
                Parameter {
                    name: "format",
                    about: "CSV, where nothing is said",
                    schema: || json!({"enum": Format::READ.map(Format::name)}),
                },
                Parameter {
                    name: "delimiter",
                    about: "of a CSV; that of the imported file, where nothing is said",
                    schema: || json!({"enum": Delimiter::ALL.map(Delimiter::name)}),
                },
            ],
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/sessions",
        Operation {
            summary: "Sessions, live and ended, the newest first",
            query: &[
                Parameter { name: "login", about: "of this login", schema: one_line },
                Parameter {
                    name: "state",
                    about: "live or ended ones",
                    schema: || json!({"enum": ["open", "closed"]}),
                },
                Parameter {
                    name: "service_id",
                    about: "of this service",
                    schema: || kinds::id(model::ServiceId::PREFIX),
                },
            ],
            answer: Answer::Page(session),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/customers/{id}/statement",
        Operation {
            summary: "A customer's account: what was owed, paid and credited, with the balance",
            query: &[
                Parameter { name: "from", about: "the first day", schema: date },
                Parameter { name: "to", about: "the last day", schema: date },
                Parameter {
                    name: "limit",
                    about: "entries on the page",
                    schema: || json!({"type": "integer", "minimum": 1, "maximum": PAGE_MAX}),
                },
                Parameter {
                    name: "cursor",
                    about: "`next_cursor` of the page before",
                    schema: || json!({"type": "string"}),
                },
            ],
            answer: Answer::Json(ledger::statement_schema),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/ledger/trial-balance",
        Operation {
            summary: "All accounts of the books; in each currency the balances add up to nothing",
            query: &[
                Parameter { name: "on", about: "up to this day", schema: date },
                Parameter {
                    name: "organisation_id",
                    about: "the books of this organisation and those below it",
                    schema: || kinds::id(model::OrganisationId::PREFIX),
                },
            ],
            answer: Answer::Json(ledger::trial_balance_schema),
            ..Operation::PLAIN
        },
    ),
    (
        Method::GET,
        "/api/v1/auth-log",
        Operation {
            summary: "Refused logins and why, a row a minute with a count, the newest first",
            query: &[
                Parameter { name: "login", about: "of this login", schema: one_line },
                Parameter {
                    name: "station",
                    about: "from this calling station or line, as sent",
                    schema: one_line,
                },
                Parameter { name: "reason", about: "for this reason", schema: reason },
                Parameter {
                    name: "nas_id",
                    about: "on this NAS",
                    schema: || kinds::id(model::NasId::PREFIX),
                },
                Parameter {
                    name: "service_id",
                    about: "of this service",
                    schema: || kinds::id(model::ServiceId::PREFIX),
                },
                Parameter { name: "since", about: "from this instant on", schema: instant },
                Parameter { name: "until", about: "before this instant", schema: instant },
            ],
            answer: Answer::Page(refusal),
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/services/{id}/identities",
        Operation {
            summary: "Adds a way in: a further login, a MAC, a line or a port",
            body: Some(new_identity),
            answer: Answer::Record(|| entity::shape(&SERVICE)),
            conditional: true,
            ..Operation::PLAIN
        },
    ),
    (
        Method::DELETE,
        "/api/v1/services/{id}/identities/{identity}",
        Operation {
            summary: "Takes a way in away; the service's own login stays",
            path: &[Parameter {
                name: "identity",
                about: "the way in",
                schema: || kinds::id(model::IdentityId::PREFIX),
            }],
            answer: Answer::Record(|| entity::shape(&SERVICE)),
            conditional: true,
            ..Operation::PLAIN
        },
    ),
    (
        Method::POST,
        "/api/v1/identity-providers/{id}/check",
        Operation {
            summary: "Asks an identity provider what it offers; check_problem says what is wrong",
            answer: Answer::Record(|| entity::shape(&IDENTITY_PROVIDER)),
            ..Operation::PLAIN
        },
    ),
];

/// What there is to say about a route.
pub(super) fn about(route: &Route) -> Option<&'static Operation> {
    let found =
        LISTED.iter().find(|(by, pattern, _)| *by == route.method && *pattern == route.pattern);
    found.map(|(_, _, operation)| operation)
}

fn one_line() -> Json {
    let field = Field::new("", Kind::Text(200), Flags::REQUIRED);
    kinds::given(&field)
}

/// A new service without its customer: the address names it.
fn new_service() -> Json {
    let mut shape = entity::new(&SERVICE);
    if let Some(properties) = shape["properties"].as_object_mut() {
        properties.remove("customer_id");
    }
    if let Some(required) = shape["required"].as_array_mut() {
        required.retain(|name| name != "customer_id");
    }
    shape
}

fn object() -> Json {
    json!({"type": "object"})
}

fn date() -> Json {
    json!({"type": "string", "format": "date"})
}

fn instant() -> Json {
    json!({"type": "string", "format": "date-time"})
}

fn reason() -> Json {
    json!({"enum": model::reject::RejectReason::ALL.map(|reason| reason.as_str())})
}

fn new_identity() -> Json {
    json!({
        "type": "object",
        "required": ["kind", "value"],
        "additionalProperties": false,
        "properties": {
            "kind": {"enum": model::identity::IdentityKind::ALL.map(|kind| kind.as_str())},
            "value": {
                "type": "string",
                "description": "a login; a MAC in any spelling; Agent-Circuit-Id, Agent-Remote-Id \
                    or NAS-Port-Id as text, or 0x and hexadecimal digits",
            },
            "nas_id": kinds::id(model::NasId::PREFIX),
            "password": {"type": "string", "writeOnly": true},
        },
    })
}

fn refusal() -> Json {
    json!({
        "type": "object",
        "required": ["id", "login", "reason", "attempts", "first_at", "last_at", "nas_id"],
        "properties": {
            "id": kinds::id(model::RefusalId::PREFIX),
            "login": {"type": "string"},
            "station": {"type": ["string", "null"]},
            "reason": reason(),
            "attempts": {"type": "integer", "minimum": 1},
            "first_at": instant(),
            "last_at": instant(),
            "nas_id": kinds::id(model::NasId::PREFIX),
            "nas_name": {"type": ["string", "null"]},
            "service_id": kinds::nullable(kinds::id(model::ServiceId::PREFIX)),
            "customer_id": kinds::nullable(kinds::id(model::CustomerId::PREFIX)),
        },
    })
}

fn session() -> Json {
    let time = || json!({"type": "string", "format": "date-time"});
    let octets = || json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "required": [
            "id", "state", "login", "nas_id", "acct_session_id", "started_at", "updated_at",
            "download_octets", "upload_octets",
        ],
        "properties": {
            "id": kinds::id(model::SessionId::PREFIX),
            "state": {"enum": ["open", "closed"]},
            "login": {"type": "string"},
            "nas_id": kinds::id(model::NasId::PREFIX),
            "nas_name": {"type": ["string", "null"]},
            "acct_session_id": {"type": "string"},
            "service_id": kinds::nullable(kinds::id(model::ServiceId::PREFIX)),
            "customer_id": kinds::nullable(kinds::id(model::CustomerId::PREFIX)),
            "calling_station": {"type": ["string", "null"]},
            "ip": kinds::nullable(kinds::value(Kind::Address)),
            "started_at": time(),
            "updated_at": time(),
            "ended_at": kinds::nullable(time()),
            "end_cause": {"type": ["string", "null"]},
            "download_octets": octets(),
            "upload_octets": octets(),
        },
    })
}
