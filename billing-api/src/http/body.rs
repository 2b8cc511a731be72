//! The body of a request, its failures as problems like any other.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};

use super::Problem;
use crate::domain::Fault;

/// Largest body, octets.
pub(crate) const BODY_OCTETS_MAX: usize = 256 * 1024;

/// Largest request, octets: a form wraps fields around what would be a body of the API.
pub(crate) const REQUEST_OCTETS_MAX: usize = BODY_OCTETS_MAX + 16 * 1024;

/// The kinds of bodies that are read as JSON; other suffixes `+json` too.
const JSON: &str = "application/json";

/// That a body is JSON as far as it says (RFC 9110 §15.5.16). One that says nothing is taken for
/// it, and judged as it is read.
fn check(request: &HttpRequest, body: &[u8]) -> Result<(), Fault> {
    let Some(given) = request.headers().get(CONTENT_TYPE).filter(|_| !body.is_empty()) else {
        return Ok(());
    };
    let given = media_type(given);
    if given == JSON || (given.starts_with("application/") && given.ends_with("+json")) {
        return Ok(());
    }
    Err(wrong(&given, JSON))
}

/// A media type without its parameters, in lower case.
fn media_type(given: &HeaderValue) -> String {
    let given = given.to_str().unwrap_or("").split(';').next().unwrap_or("");
    given.trim().to_ascii_lowercase()
}

fn wrong(given: &str, wanted: &'static str) -> Fault {
    let readable = given.bytes().all(|b| b.is_ascii_graphic()) && !given.is_empty();
    let shown = if readable { given.chars().take(100).collect() } else { "of no type".to_owned() };
    Fault::WrongMedia(shown, wanted)
}

/// That a body is a file as far as it says: a form around one is not taken apart.
pub(super) fn check_file(request: &HttpRequest) -> Result<(), Fault> {
    let Some(given) = request.headers().get(CONTENT_TYPE).map(media_type) else { return Ok(()) };
    match given.starts_with("multipart/") || given == "application/x-www-form-urlencoded" {
        true => Err(wrong(&given, "the file itself as text/csv, application/json or another type")),
        false => Ok(()),
    }
}

/// The whole body, whatever it is.
pub(super) struct Octets(pub(super) Bytes);

impl FromRequest for Octets {
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

/// The whole body, of a document in JSON.
pub(super) struct Body(pub(super) Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let octets = Octets::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let Octets(bytes) = octets.await?;
            check(&request, &bytes).map_err(|fault| Problem::new(&request, fault))?;
            Ok(Self(bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_json_is_read_as_json() {
        let checked = |kind: &'static str, body: &[u8]| {
            let request = TestRequest::post().insert_header((CONTENT_TYPE, kind));
            check(&request.to_http_request(), body)
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(checked(good, b"{}").is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "text/json", "", "json"] {
            let fault = checked(bad, b"{}").unwrap_err();
            assert!(matches!(fault, Fault::WrongMedia(..)), "{bad}: {fault}");
            assert!(checked(bad, b"").is_ok(), "nothing is of no kind");
        }
        assert!(check(&TestRequest::post().to_http_request(), b"{}").is_ok());
    }
}
