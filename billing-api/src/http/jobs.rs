//! Jobs: what one can do with them besides what their descriptions offer.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{JobId, RunId};

use super::body::Body;
use super::caller::Caller;
use super::query::Query;
use super::{Problem, created, if_match, list as listed, replay, shown};
use crate::domain::{Fault, Office};
use crate::entity::bulk;
use crate::entity::write::Made;
use crate::jobs::manage;

fn job_id(id: &str) -> Result<JobId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("job"))
}

fn run_id(id: &str) -> Result<RunId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("job_run"))
}

/// A run that was queued: 201, and where to see how it goes.
fn queued(made: &Made) -> HttpResponse {
    let id = model::RunId(made.id);
    created(format!("/api/v1/job-runs/{id}"), made.version, &made.view)
}

/// `POST /jobs/{id}/run`
pub(super) async fn run_job(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        let made = manage::run_job(&office, &caller.0, job_id(&id)?).await?;
        Ok(queued(&made))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /jobs/preview`: a schedule in words, and the next five times it comes.
pub(super) async fn preview(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result =
        async { Ok(HttpResponse::Ok().json(manage::preview(&office, &caller.0, &body.0).await?)) };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /job-runs/{id}/log`: oldest first, the cursor is a line's number.
pub(super) async fn log(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor").unwrap_or(0), query.limit());
        query.finish()?;
        Ok(listed(manage::list_lines(&office, &caller.0, run_id(&id)?, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /job-runs/{id}/results`: what became of each record, or with `failed=true` of those that
/// failed; the cursor is a number.
pub(super) async fn results(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (after, limit) = (query.parsed("cursor").unwrap_or(0), query.limit());
        let failed = query.parsed("failed").unwrap_or(false);
        query.finish()?;
        Ok(listed(bulk::results(&office, &caller.0, run_id(&id)?, failed, after, limit).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /job-runs/{id}/cancel`: a run that waits ends at once, one under way is asked to.
pub(super) async fn cancel(
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
        let made = manage::cancel(&office, &caller.0, run_id(&id)?, expected).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /job-runs/{id}/retry`: a new run does again what this one did.
pub(super) async fn retry(
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
        let made = manage::retry(&office, &caller.0, run_id(&id)?, expected).await?;
        Ok(queued(&made))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
