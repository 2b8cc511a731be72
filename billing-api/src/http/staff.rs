//! What is done to staff and their roles, besides what the descriptions give.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{RoleId, StaffId};
use serde_json::json;

use super::body::Body;
use super::caller::Caller;
use super::{Problem, created, replay};
use crate::domain::access::permission::CATALOGUE;
use crate::domain::access::{role, staff};
use crate::domain::{Fault, Input, Office, Unit};

fn staff_id(id: &str) -> Result<StaffId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("staff"))
}

/// `POST /staff/{id}/reset-password`: the link to set one with, for whoever asked to hand over.
pub(super) async fn reset_password(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let (token, until) = staff::reset_password(&office, &caller.0, staff_id(&id)?).await?;
        let link = format!("/set-password?token={}", token.expose());
        Ok(HttpResponse::Ok().json(json!({"link": link, "expires_at": until})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /staff/{id}/sessions`
pub(super) async fn sessions(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let sessions = staff::sessions(&office, &caller.0, staff_id(&id)?).await?;
        Ok(HttpResponse::Ok().json(json!({"data": sessions, "next_cursor": null})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /roles/{id}/clone`
pub(super) async fn clone_role(
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
        let id: RoleId = id.parse().map_err(|_| Fault::NotFound("role"))?;
        let mut input = Input::parse(&body.0)?;
        let name = input.optional_text("name", 60).unwrap_or_default();
        if name.is_empty() {
            input.missing("name");
        }
        input.finish()?;
        let mut unit = Unit::begin(&office, &caller.0).await?;
        let (view, version) = role::clone(&mut unit, id, &name).await?;
        unit.commit().await?;
        let id = view["id"].as_str().unwrap_or_default();
        Ok(created(format!("/api/v1/roles/{id}"), version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /roles/assign`
pub(super) async fn assign(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut input = Input::parse(&body.0)?;
        let role: Option<RoleId> = input.required("role_id");
        let named = input.words("staff", staff::ASSIGNED_MAX, 60);
        if named.is_none() {
            input.missing("staff");
        }
        let mut ids: Vec<StaffId> = Vec::new();
        for (n, id) in named.iter().flat_map(|list| list.as_array()).flatten().enumerate() {
            match id.as_str().unwrap_or_default().parse() {
                Ok(id) => ids.push(id),
                Err(error) => input.fault(&format!("staff/{n}"), format!("{error}")),
            }
        }
        input.finish()?;
        let role = role.ok_or_else(|| Fault::field("/role_id", "is required"))?;
        let changed = staff::assign(&office, &caller.0, role, &ids).await?;
        Ok(HttpResponse::Ok().json(json!({"changed": changed})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /permissions`: what roles and tokens can be made of.
pub(super) async fn permissions(_: Caller) -> HttpResponse {
    let one = |p: &crate::domain::access::permission::Permission| json!({"name": p.name, "about": p.about});
    let all: Vec<_> = CATALOGUE.iter().map(one).collect();
    HttpResponse::Ok().json(json!({"data": all, "next_cursor": null}))
}
