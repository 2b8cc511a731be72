//! Customers.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::CustomerId;

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, list as listed, replay, shown};
use crate::domain::{Fault, Office, customer};

/// `POST /customers`
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
        let view = customer::create(&office, &caller.0, customer::New::parse(&body.0)?).await?;
        Ok(created(format!("/api/v1/customers/{}", view.id), view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /customers`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit, text) = (query.parsed("cursor"), query.limit(), query.text("q"));
        query.finish()?;
        Ok(listed(customer::list(&office, &caller.0, after, text.as_deref(), limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /customers/{id}`
pub(super) async fn find(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let id: CustomerId = id.parse().map_err(|_| Fault::NotFound("customer"))?;
        let view = customer::find(&office, &caller.0, id).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
