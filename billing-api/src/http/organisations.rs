//! Organisations: the caller's own, and those below it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::OrganisationId;

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, if_match, list as listed, replay, shown};
use crate::domain::{Fault, Office, organisation};

/// `POST /organisations`
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
        let new = organisation::New::parse(&body.0)?;
        let view = organisation::create(&office, &caller.0, new).await?;
        Ok(created(format!("/api/v1/organisations/{}", view.id), view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /organisations`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        query.finish()?;
        Ok(listed(organisation::list(&office, &caller.0, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

fn parse(id: &str) -> Result<OrganisationId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("organisation"))
}

/// `GET /organisations/{id}`
pub(super) async fn find(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let view = organisation::find(&office, &caller.0, parse(&id)?).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `PATCH /organisations/{id}`
pub(super) async fn update(
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
        let (id, edit) = (parse(&id)?, organisation::Edit::parse(&body.0)?);
        let expected = if_match(&request)?;
        let view = organisation::update(&office, &caller.0, id, edit, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /organisations/{id}/move`
pub(super) async fn relocate(
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
        let (id, parent) = (parse(&id)?, organisation::parse_move(&body.0)?);
        let expected = if_match(&request)?;
        let view = organisation::relocate(&office, &caller.0, id, parent, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `DELETE /organisations/{id}`
pub(super) async fn delete(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let expected = if_match(&request)?;
        organisation::delete(&office, &caller.0, parse(&id)?, expected).await?;
        Ok(HttpResponse::NoContent().finish())
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
