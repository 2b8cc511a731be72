//! Services.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{CustomerId, ServiceId};

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, if_match, list as listed, replay, shown};
use crate::domain::{Fault, Office, customer, service};

fn service_id(id: &str) -> Result<ServiceId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("service"))
}

fn customer_id(id: &str) -> Result<CustomerId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("customer"))
}

/// `POST /customers/{id}/services`
pub(super) async fn create(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    customer: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let customer = customer_id(&customer)?;
        let new = service::New::parse(&body.0)?;
        let view = service::create(&office, &caller.0, customer, new).await?;
        Ok(created(format!("/api/v1/services/{}", view.id), view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /customers/{id}/services`
pub(super) async fn of_customer(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    customer: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let owner = customer::find(&office, &caller.0, customer_id(&customer)?).await?;
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        query.finish()?;
        Ok(listed(service::list(&office, &caller.0, after, Some(owner.id), limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /services`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        let customer = query.parsed("customer_id");
        query.finish()?;
        Ok(listed(service::list(&office, &caller.0, after, customer, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /services/{id}`
pub(super) async fn find(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let view = service::find(&office, &caller.0, service_id(&id)?).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `PATCH /services/{id}`
pub(super) async fn change(
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
        let id = service_id(&id)?;
        let change = service::Change::parse(&body.0)?;
        let expected = if_match(&request)?;
        let view = service::change(&office, &caller.0, id, change, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /services/{id}/suspend`: places the hold `admin`.
pub(super) async fn suspend(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        let expected = if_match(&request)?;
        let view = service::suspend(&office, &caller.0, service_id(&id)?, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /services/{id}/activate`: lifts the hold `admin`.
pub(super) async fn activate(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        let expected = if_match(&request)?;
        let view = service::activate(&office, &caller.0, service_id(&id)?, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
