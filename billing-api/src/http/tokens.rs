//! What is done to API tokens, besides what their description gives.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::TokenId;
use serde_json::json;

use super::body::Body;
use super::caller::Caller;
use super::{Problem, created, replay};
use crate::domain::access::description::TOKEN;
use crate::domain::access::token::{self, OVERLAP_S, OVERLAP_S_MAX};
use crate::domain::{Fault, Input, Office};
use crate::entity::{Entity, read};

static TOKENS: &Entity = &TOKEN;

fn token_id(id: &str) -> Result<TokenId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("token"))
}

/// `POST /tokens`: the token is in this answer and in no other.
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
        let (id, token) = token::create(&office, &caller.0, token::New::parse(&body.0)?).await?;
        let (mut view, version) = read::find(&office, &caller.0, TOKENS, id.0).await?;
        view["token"] = json!(token.expose());
        Ok(created(format!("/api/v1/tokens/{id}"), version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /tokens/{id}/rotate`
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
        let id = token_id(&id)?;
        let mut overlap_s = None;
        if !body.0.is_empty() {
            let mut input = Input::parse(&body.0)?;
            overlap_s = input.number("overlap_s", 0, OVERLAP_S_MAX);
            input.finish()?;
        }
        let overlap_s = overlap_s.unwrap_or(OVERLAP_S);
        let (token, until) = token::rotate(&office, &caller.0, id, overlap_s, None).await?;
        let body = json!({"id": id, "token": token.expose(), "previous_until": until});
        Ok(HttpResponse::Ok().json(body))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /tokens/{id}/usage`
pub(super) async fn usage(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let days = token::usage(&office, &caller.0, token_id(&id)?).await?;
        let day = |(day, requests): &(String, i64)| json!({"day": day, "requests": requests});
        let days: Vec<_> = days.iter().map(day).collect();
        Ok(HttpResponse::Ok().json(json!({"data": days, "next_cursor": null})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
