//! The caller's own account.
//!
//! A token acts on the account of the member of staff who made it. Whatever changes the
//! account takes the password too: a token alone, however it was lost, takes over nothing.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{Secret, StaffSessionId};
use serde_json::json;

use super::Problem;
use super::body::Body;
use super::caller::Caller;
use crate::domain::access::{account, password, session};
use crate::domain::{Fault, Input, Office};

/// `GET /me`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let view = account::me(&office, &caller.0).await;
    view.map(|view| HttpResponse::Ok().json(view)).map_err(|fault| Problem::new(&request, fault))
}

/// Reads the secrets of a body, all of which must be there.
fn secrets<const N: usize>(
    body: &Body,
    names: [&'static str; N],
) -> Result<[Secret<String>; N], Fault> {
    let mut input = Input::parse(&body.0)?;
    let secrets = names.map(|name| {
        let text = input.optional_raw_text(name, password::OCTETS_MAX);
        if text.is_none() {
            input.missing(name);
        }
        Secret::new(text.unwrap_or_default())
    });
    input.finish()?;
    Ok(secrets)
}

fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

fn shown(codes: &[Secret<String>]) -> HttpResponse {
    let codes: Vec<&str> = codes.iter().map(|code| code.expose().as_str()).collect();
    HttpResponse::Ok().json(json!({"recovery_codes": codes}))
}

/// `POST /me/password`
pub(super) async fn change_password(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let [old, new] = secrets(&body, ["password", "new_password"])?;
        account::change_password(&office, &caller.0, old, new, None).await?;
        Ok(done())
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /me/second-factor`
pub(super) async fn begin_second_factor(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let [password] = secrets(&body, ["password"])?;
        let enrolment = account::begin_second_factor(&office, &caller.0, password).await?;
        let (key, uri) = (enrolment.key.expose(), enrolment.uri.expose());
        Ok(HttpResponse::Ok().json(json!({"key": key, "uri": uri})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /me/second-factor/confirm`
pub(super) async fn confirm_second_factor(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let [code] = secrets(&body, ["code"])?;
        let codes = account::confirm_second_factor(&office, &caller.0, code.expose(), None).await?;
        Ok(shown(&codes))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /me/second-factor/disable`
pub(super) async fn disable_second_factor(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let [password] = secrets(&body, ["password"])?;
        account::disable_second_factor(&office, &caller.0, password).await?;
        Ok(done())
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /me/recovery-codes`
pub(super) async fn renew_codes(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let [password] = secrets(&body, ["password"])?;
        Ok(shown(&account::renew_codes(&office, &caller.0, password).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `GET /me/sessions`
pub(super) async fn sessions(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let staff = caller.0.in_person()?;
        let sessions = session::list(&office, caller.0.organisation, staff, None).await?;
        Ok(HttpResponse::Ok().json(json!({"data": sessions, "next_cursor": null})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /me/sessions/{id}/end`
pub(super) async fn end_session(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let id: StaffSessionId = id.parse().map_err(|_| Fault::NotFound("session"))?;
        let [password] = secrets(&body, ["password"])?;
        account::prove(&office, &caller.0, password).await?;
        account::end_session(&office, &caller.0, id).await?;
        Ok(done())
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `POST /me/sessions/end`
pub(super) async fn end_sessions(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let [password] = secrets(&body, ["password"])?;
        account::prove(&office, &caller.0, password).await?;
        let ended = account::end_other_sessions(&office, &caller.0, None).await?;
        Ok(HttpResponse::Ok().json(json!({"ended": ended})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
