//! The ledger: one customer's account, and all accounts of the books.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use jiff::civil::Date;
use model::CustomerId;
use serde_json::{Value as Json, json};

use super::Problem;
use super::caller::Caller;
use super::query::Query;
use crate::domain::ledger::statement::{self, Asked};
use crate::domain::{Fault, Office};

/// `GET /customers/{id}/statement`
pub(super) async fn statement(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    customer: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let id: CustomerId = customer.parse().map_err(|_| Fault::NotFound("customer"))?;
        let mut query = Query::of(&request)?;
        let asked = Asked {
            from: query.parsed::<Date>("from"),
            to: query.parsed::<Date>("to"),
            after: query.parsed::<u32>("cursor").unwrap_or(0).into(),
            limit: query.limit(),
        };
        query.finish()?;
        Ok(HttpResponse::Ok().json(statement::of_customer(&office, &caller.0, id, &asked).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /ledger/trial-balance`
pub(super) async fn trial_balance(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let organisation = query.parsed("organisation_id");
        let on = query.parsed::<Date>("on");
        query.finish()?;
        let rows = statement::trial_balance(&office, &caller.0, organisation, on).await?;
        Ok(HttpResponse::Ok().json(json!({"data": rows})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// The shape of a statement.
pub(super) fn statement_schema() -> Json {
    let (text, money) = (json!({"type": "string"}), json!({"$ref": "#/components/schemas/Money"}));
    json!({
        "type": "object",
        "required": ["customer_id", "from", "to", "opening", "closing", "entries", "next_cursor"],
        "properties": {
            "customer_id": text,
            "from": {"type": "string", "description": "empty: from the first entry on"},
            "to": {"type": "string", "description": "empty: to the last entry"},
            "opening": money,
            "closing": money,
            "next_cursor": {"type": ["string", "null"]},
            "entries": {"type": "array", "items": {
                "type": "object",
                "required": [
                    "id", "booked_on", "kind", "source", "note", "amount", "balance", "created_at",
                ],
                "properties": {
                    "id": text,
                    "booked_on": text,
                    "kind": text,
                    "source": {"type": "string", "description": "the document it comes from"},
                    "note": {"type": ["string", "null"]},
                    "amount": money,
                    "balance": money,
                    "created_at": {"type": "string", "format": "date-time"},
                },
            }},
        },
    })
}

/// The shape of a trial balance.
pub(super) fn trial_balance_schema() -> Json {
    let (text, money) = (json!({"type": "string"}), json!({"$ref": "#/components/schemas/Money"}));
    json!({
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "array", "items": {
            "type": "object",
            "required": ["organisation_id", "account", "class", "debit", "credit", "balance"],
            "properties": {
                "organisation_id": text,
                "account": text,
                "class": text,
                "debit": money,
                "credit": money,
                "balance": money,
            },
        }}},
    })
}
