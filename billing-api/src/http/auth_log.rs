//! Refused logins.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use model::reject::RejectReason;

use super::caller::Caller;
use super::query::Query;
use super::{Problem, list as listed};
use crate::domain::{Office, auth_log};

/// `GET /auth-log`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor"), query.limit());
        let reasons = RejectReason::ALL.map(|reason| (reason.as_str(), reason));
        let filter = auth_log::Filter {
            login: query.text("login"),
            station: query.text("station"),
            reason: query.word("reason", &reasons),
            nas: query.parsed("nas_id"),
            service: query.parsed("service_id"),
            since: query.parsed("since"),
            until: query.parsed("until"),
        };
        query.finish()?;
        Ok(listed(auth_log::list(&office, &caller.0, &filter, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
