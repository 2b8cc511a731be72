//! Sessions, live and ended.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::caller::Caller;
use super::query::Query;
use super::{Problem, list as listed};
use crate::domain::{Office, session};

/// `GET /sessions`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        let filter = session::Filter {
            login: query.text("login"),
            open: query.word("state", &[("open", true), ("closed", false)]),
            service: query.parsed("service_id"),
        };
        query.finish()?;
        Ok(listed(session::list(&office, &caller.0, &filter, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
