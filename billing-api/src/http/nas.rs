//! NAS.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::NasId;

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, list as listed, replay, shown};
use crate::domain::{Fault, Office, nas};

/// `POST /nas`
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
        let view = nas::create(&office, &caller.0, nas::New::parse(&body.0)?).await?;
        Ok(created(format!("/api/v1/nas/{}", view.id), view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /nas`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        query.finish()?;
        Ok(listed(nas::list(&office, &caller.0, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /nas/{id}`
pub(super) async fn find(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let id: NasId = id.parse().map_err(|_| Fault::NotFound("NAS"))?;
        let view = nas::find(&office, &caller.0, id).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
