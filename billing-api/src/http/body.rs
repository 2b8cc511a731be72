//! The body of a request, its failures as problems like any other.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};

use super::Problem;
use crate::domain::Fault;

/// Largest body, octets.
pub(crate) const BODY_OCTETS_MAX: usize = 256 * 1024;

/// Largest request, octets: a form wraps fields around what would be a body of the API.
pub(crate) const REQUEST_OCTETS_MAX: usize = BODY_OCTETS_MAX + 16 * 1024;

/// The whole body.
pub(super) struct Body(pub(super) Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let bytes = bytes.await.map_err(|error| {
                let fault = match error.as_response_error().status_code() {
                    StatusCode::PAYLOAD_TOO_LARGE => Fault::TooLong(BODY_OCTETS_MAX),
                    // The library's words are about its own workings.
                    _ => Fault::field(
                        "",
                        "the body broke off, or is not what its Content-Encoding says",
                    ),
                };
                Problem::new(&request, fault)
            })?;
            if bytes.len() > BODY_OCTETS_MAX {
                return Err(Problem::new(&request, Fault::TooLong(BODY_OCTETS_MAX)));
            }
            Ok(Self(bytes))
        })
    }
}
