//! Services.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{CustomerId, ServiceId};

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, list as listed, replay};
use crate::domain::service::SERVICE;
use crate::domain::{Fault, Office, Page, customer, service};
use crate::entity::query::ListQuery;
use crate::entity::{Draft, Source, custom, read, write};

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
        // A customer that is not there is the address's mistake, not the body's.
        customer::find(&office, &caller.0, customer).await?;
        let customs = custom::of(&office, &caller.0.path, &SERVICE).await?;
        let fields = service::of_customer(customer, &body.0)?;
        let draft = Draft::of(&SERVICE, &customs, fields, true)?;
        let made = write::create(&office, &caller.0, &SERVICE, draft).await?;
        let id = ServiceId(made.id);
        Ok(created(format!("/api/v1/services/{id}"), made.version, &made.view))
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
        let mut parameters = BTreeMap::from([
            ("customer_id".to_owned(), owner.id.to_string()),
            ("limit".to_owned(), query.limit().to_string()),
        ]);
        query.text("cursor").map(|cursor| parameters.insert("cursor".to_owned(), cursor));
        query.finish()?;
        let query = ListQuery::parse(&SERVICE, &[], parameters)?;
        let mut found = read::list(&office, &caller.0, &SERVICE, &query).await?;
        (SERVICE.hooks.extend)(Source::Office(&office, &caller.0), &mut found.rows).await?;
        Ok(listed(Page { rows: found.rows, next: found.next }))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
