//! Settings: what applies to an organisation, and changing it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, if_match, replay, shown};
use crate::domain::{Fault, Office, setting};

/// The organisation a request is about: `organisation_id`, else the caller's own.
pub(super) fn organisation(request: &HttpRequest) -> Result<Option<model::OrganisationId>, Fault> {
    let mut query = Query::of(request)?;
    let organisation = query.parsed("organisation_id");
    query.finish()?;
    Ok(organisation)
}

/// `GET /settings`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let view = setting::list(&office, &caller.0, organisation(&request)?).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `PATCH /settings`
pub(super) async fn patch(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let organisation = organisation(&request)?;
        let (fields, expected) = (setting::read_object(&body.0)?, if_match(&request)?);
        let view = setting::patch(&office, &caller.0, organisation, &fields, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
