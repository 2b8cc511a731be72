//! Plans.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::PlanId;

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, list as listed, replay, shown};
use crate::domain::{Fault, Office, plan};

/// `POST /plans`
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
        let view = plan::create(&office, &caller.0, plan::New::parse(&body.0)?).await?;
        Ok(created(format!("/api/v1/plans/{}", view.id), view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /plans`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        query.finish()?;
        Ok(listed(plan::list(&office, &caller.0, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /plans/{id}`
pub(super) async fn find(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let id: PlanId = id.parse().map_err(|_| Fault::NotFound("plan"))?;
        let view = plan::find(&office, &caller.0, id).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
