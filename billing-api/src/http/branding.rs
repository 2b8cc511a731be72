//! The logo: the request's body is the picture itself.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::body::Octets;
use super::caller::Caller;
use super::settings::organisation;
use super::{Problem, if_match, replay, shown};
use crate::domain::{Office, branding};

/// `PUT /branding/logo`
pub(super) async fn set_logo(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    body: Octets,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let (organisation, expected) = (organisation(&request)?, if_match(&request)?);
        let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let view =
            branding::set_logo(&office, &caller.0, organisation, declared, &body.0, expected)
                .await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `DELETE /branding/logo`
pub(super) async fn remove_logo(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let (organisation, expected) = (organisation(&request)?, if_match(&request)?);
        let view = branding::remove_logo(&office, &caller.0, organisation, expected).await?;
        Ok(shown(view.version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
