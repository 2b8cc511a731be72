//! Faults as pages.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use maud::{Markup, html};
use tracing::{error, warn};

use super::brand::Brand;
use super::page::{self, Viewer};
use super::words::{self, Key, Words};
use super::{guard, show};
use crate::domain::Fault;
use crate::http::{Problem, id_of};

/// A fault on its way out, already a page: it is rendered where the request is at hand.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    page: String,
    /// Where to go instead.
    location: Option<String>,
    retry_after_s: Option<u32>,
}

impl Failure {
    /// A fault of this request. Where the session is over, the way leads through sign-in and
    /// back to a page that was only looked at.
    pub(super) fn new(request: &HttpRequest, fault: Fault) -> Self {
        let id = id_of(request).unwrap_or_default();
        note(&id, &fault);
        let status = Problem::status(&fault).0;
        let location = matches!(fault, Fault::Unauthenticated).then(|| {
            let wanted = request.uri().path_and_query().map_or("/", |uri| uri.as_str());
            if request.method().is_safe() && wanted != "/" {
                format!("/login?next={}", show::encode(wanted))
            } else {
                "/login".to_owned()
            }
        });
        let retry_after_s = match fault {
            Fault::TooMany(seconds) => Some(seconds),
            _ => None,
        };
        let page = render(request, |words| view(words, &fault, &id));
        Self { status, page, location, retry_after_s }
    }

    /// A form that did not come from one of our pages, or from one of an earlier session.
    pub(super) fn foreign(request: &HttpRequest) -> Self {
        let page = render(request, |words| {
            let next = words.say(words::FAULT_FOREIGN_NEXT);
            (words.say(words::FAULT_FOREIGN), sentence(words, words::FAULT_FOREIGN, &next, None))
        });
        Self { status: StatusCode::FORBIDDEN, page, location: None, retry_after_s: None }
    }
}

/// Writes a fault that is ours to the log, once.
fn note(request_id: &str, fault: &Fault) {
    match fault {
        Fault::Internal(_) => {
            error!(request_id, error = %daemon::exit::chain(fault), "request failed");
        }
        Fault::Unavailable(_) => {
            warn!(request_id, error = %daemon::exit::chain(fault), "request refused");
        }
        _ => {}
    }
}

/// A part of a page that may be missing: the rest is shown without it, and the log says why.
pub(super) fn spare<T>(request: &HttpRequest, result: Result<T, Fault>) -> Option<T> {
    let note = |fault: &Fault| note(&id_of(request).unwrap_or_default(), fault);
    result.inspect_err(note).ok()
}

fn render(request: &HttpRequest, body: impl FnOnce(&Words) -> (String, Markup)) -> String {
    let viewer = request.extensions().get::<guard::Known>().map(|known| known.0.clone());
    let page = match viewer {
        Some(viewer) => {
            let viewer: &Viewer = &viewer;
            let (title, body) = body(&viewer.words);
            page::page(viewer, None, &title, None, &body)
        }
        None => {
            let words = Words::of(request);
            let (title, body) = body(&words);
            let body = html! { main.alone id="content" tabindex="-1" { (body) } };
            page::document(&words, &Brand::default(), &title, &body)
        }
    };
    page.into_string()
}

/// The page of a fault: its title and its content.
fn view(words: &Words, fault: &Fault, request_id: &str) -> (String, Markup) {
    let with = |title: Key, next: Key| (title, words.say(next));
    let (title, next) = match fault {
        Fault::NotFound(_) => with(words::FAULT_NOT_FOUND, words::FAULT_NOT_FOUND_NEXT),
        Fault::WrongMethod => with(words::FAULT_NOT_FOUND, words::FAULT_NOT_FOUND_NEXT),
        Fault::Invalid(_)
        | Fault::TooLong(_)
        | Fault::WrongMedia(..)
        | Fault::AddressTooLong(_) => with(words::FAULT_INVALID, words::FAULT_INVALID_NEXT),
        Fault::Conflict { detail, .. } => (words::FAULT_CONFLICT, detail.clone()),
        Fault::Stale => with(words::FAULT_STALE, words::FAULT_STALE_NEXT),
        Fault::Unauthenticated => with(words::FAULT_UNAUTHENTICATED, words::FAULT_FOREIGN_NEXT),
        Fault::Forbidden(permission) => (
            words::FAULT_FORBIDDEN,
            words.say_with(words::FAULT_FORBIDDEN_NEXT, &[("permission", (*permission).into())]),
        ),
        Fault::TooMany(seconds) => (
            words::FAULT_TOO_MANY,
            words.say_with(words::FAULT_TOO_MANY_NEXT, &[("seconds", (*seconds).into())]),
        ),
        Fault::Unavailable(_) => with(words::FAULT_UNAVAILABLE, words::FAULT_UNAVAILABLE_NEXT),
        Fault::Internal(_) => with(words::FAULT_INTERNAL, words::FAULT_INTERNAL_NEXT),
    };
    let ours = matches!(fault, Fault::Internal(_) | Fault::Unavailable(_));
    (words.say(title), sentence(words, title, &next, ours.then_some(request_id)))
}

fn sentence(words: &Words, title: Key, next: &str, request_id: Option<&str>) -> Markup {
    html! {
        div.fault {
            h1 { (words.say(title)) }
            p { (next) }
            @if let Some(id) = request_id.filter(|id| !id.is_empty()) {
                p { code { (words.say_with(words::FAULT_REQUEST_ID, &[("id", id.to_owned().into())])) } }
            }
            p { a.button href="/" { (words.say(words::FAULT_HOME)) } }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the page answers {}", self.status)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        if let Some(location) = &self.location {
            return page::go(location);
        }
        let mut response = page::send_text(self.status, self.page.clone());
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::LOCATION;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_ended_session_leads_through_sign_in_back_to_the_page() {
        let request = TestRequest::with_uri("/customers?q=a%26b").to_http_request();
        let response = Failure::new(&request, Fault::Unauthenticated).error_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(
            response.headers().get(LOCATION).unwrap(),
            "/login?next=%2Fcustomers%3Fq%3Da%2526b"
        );
        let request = TestRequest::post().uri("/services/x/suspend").to_http_request();
        let response = Failure::new(&request, Fault::Unauthenticated).error_response();
        assert_eq!(response.headers().get(LOCATION).unwrap(), "/login", "a deed is not repeated");
    }

    #[test]
    fn a_fault_of_ours_shows_the_request_and_no_cause() {
        let fault = Fault::Internal("secret cause".into());
        let (title, page) = view(&Words::english(), &fault, "req_1");
        let page = page.into_string();
        assert_eq!(title, "Something went wrong here");
        assert!(page.contains("Request req_1") && !page.contains("secret cause"));
        let (_, page) = view(&Words::english(), &Fault::NotFound("customer"), "req_1");
        assert!(!page.into_string().contains("req_1"));
    }
}
