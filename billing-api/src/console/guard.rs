//! Who may see a page and send a form.
//!
//! A handler that shows something takes [`Signed`], which has proven what the page needs; one
//! that changes something takes [`Post`], whose fields cannot be read without the proofs: a live
//! session, a request of our own origin, and the session's token in the form.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::header::ORIGIN;
use actix_web::web::{Data, Form, Query};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use daemon::secrets::{constant_time_eq, random, sha256};
use model::StaffSessionId;

use super::cookies::{self, Kind};
use super::failure::Failure;
use super::page::Viewer;
use super::words::Words;
use crate::domain::access::session::{self, Session};
use crate::domain::{Actor, Fault, Office, module};
use crate::http::{Web, id_of};

/// Longest address that is returned to after sign-in, octets.
const NEXT_OCTETS_MAX: usize = 1000;

/// Someone who is signed in.
pub(super) struct Signed {
    pub(super) actor: Actor,
    pub(super) session: StaffSessionId,
    pub(super) viewer: Rc<Viewer>,
}

/// Left with the request, so that a fault's page knows its viewer.
pub(super) struct Known(pub(super) Rc<Viewer>);

impl FromRequest for Signed {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let result = signed(&request).await;
            result.map_err(|fault| Failure::new(&request, fault))
        })
    }
}

/// Whoever looks, signed in or not: enough for the frame of a page, and for nothing else.
pub(super) struct Seen;

impl FromRequest for Seen {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Infallible>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let _ = identify(&request).await;
            Ok(Self)
        })
    }
}

async fn signed(request: &HttpRequest) -> Result<Signed, Fault> {
    let need = super::NEEDS.find(request)?;
    let signed = identify(request).await?;
    // After the viewer is known: the page that says no is a page of theirs.
    need.check(&signed.actor)?;
    module::guard_in(&signed.viewer.settings, &request.match_pattern().unwrap_or_default())?;
    Ok(signed)
}

async fn identify(request: &HttpRequest) -> Result<Signed, Fault> {
    let office = request.app_data::<Data<Office>>().ok_or(Fault::Unauthenticated)?;
    let web = request.app_data::<Data<Web>>().ok_or(Fault::Unauthenticated)?;
    let cookie = cookies::value(request, Kind::Session).ok_or(Fault::Unauthenticated)?;
    let address = crate::http::address(request, web);
    let Session { id, mut actor, impersonator, locale, zone } =
        session::by_cookie(office, &cookie, address).await?;
    actor.request_id = id_of(request);
    let csrf = csrf_token(&cookie);
    let words = Words::of(request).in_language(&locale);
    let mut viewer = Viewer::load(office, &mut actor, csrf, words, zone.as_deref()).await?;
    viewer.impersonator = impersonator;
    let viewer = Rc::new(viewer);
    request.extensions_mut().insert(Known(viewer.clone()));
    Ok(Signed { actor, session: id, viewer })
}

/// The fields of a form or a query string; an absent one reads as empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(pub(super) BTreeMap<String, String>);

impl Fields {
    /// The parameters of an address. What does not read counts as absent: a page is still a
    /// page with a broken filter.
    pub(super) fn of_query(request: &HttpRequest) -> Self {
        let query = Query::<BTreeMap<String, String>>::from_query(request.query_string());
        Self(query.map(Query::into_inner).unwrap_or_default())
    }

    /// A field, without the spaces around it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field as it was typed; for passwords.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// A form sent by someone who is signed in, from one of our pages.
pub(super) struct Post {
    pub(super) signed: Signed,
    pub(super) fields: Fields,
}

impl FromRequest for Post {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let form = Form::<BTreeMap<String, String>>::from_request(request, payload);
        let signed = Signed::from_request(request, &mut Payload::None);
        let request = request.clone();
        Box::pin(async move {
            let signed = signed.await?;
            let unreadable = || Failure::new(&request, Fault::field("", "the form does not read"));
            let fields = Fields(form.await.map_err(|_| unreadable())?.into_inner());
            if !is_proven(&request, &fields) {
                return Err(Failure::foreign(&request));
            }
            Ok(Self { signed, fields })
        })
    }
}

/// Whether a form comes from one of our pages, and from this session.
pub(super) fn is_proven(request: &HttpRequest, fields: &Fields) -> bool {
    let cookie = cookies::value(request, Kind::Session).unwrap_or_default();
    is_own_origin(request) && is_csrf_token(&cookie, fields.raw("csrf"))
}

/// Whether a request comes from a page of this origin, as its browser tells
/// (Fetch Metadata, else RFC 6454 §7). One that does not tell is refused.
pub(super) fn is_own_origin(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = header(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    // The scheme is not compared: behind a TLS proxy we do not see it.
    origin.is_some_and(|(_, host)| host.eq_ignore_ascii_case(request.connection_info().host()))
}

/// What proves a form: bound to the session, of no use for anything else.
fn proof(cookie: &str) -> [u8; 32] {
    sha256(format!("lastmile console form 1:{cookie}").as_bytes())
}

/// A token for a page's forms. Each page shows another text, because pages are compressed and
/// repeat what was searched for: a constant would leak through its length (BREACH).
fn csrf_token(cookie: &str) -> String {
    let pad: [u8; 32] = random();
    let masked = pad.iter().zip(proof(cookie)).map(|(a, b)| a ^ b);
    pad.iter().copied().chain(masked).map(|byte| format!("{byte:02x}")).collect()
}

fn is_csrf_token(cookie: &str, token: &str) -> bool {
    if token.len() != 128 || !token.is_ascii() || cookie.is_empty() {
        return false;
    }
    let octet = |n: usize| u8::from_str_radix(&token[2 * n..2 * n + 2], 16);
    let Ok(octets) = (0..64).map(octet).collect::<Result<Vec<u8>, _>>() else { return false };
    let (pad, masked) = octets.split_at(32);
    let shown: Vec<u8> = pad.iter().zip(masked).map(|(a, b)| a ^ b).collect();
    constant_time_eq(&shown, &proof(cookie))
}

/// Where to go after sign-in: a page of ours, or the overview.
pub(super) fn safe_next(wanted: &str) -> &str {
    let local = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && wanted.len() <= NEXT_OCTETS_MAX
        // Browsers read a backslash as a slash and drop control characters.
        && wanted.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let path = wanted.split(['?', '#']).next().unwrap_or("");
    let signing = path == "/logout" || path == "/login" || path.starts_with("/login/");
    if local && !signing { wanted } else { "/" }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_token_proves_its_own_session_only() {
        let token = csrf_token("lms_a");
        assert!(is_csrf_token("lms_a", &token));
        assert_ne!(token, csrf_token("lms_a"), "never the same text twice");
        assert!(!is_csrf_token("lms_b", &token));
        let mut other = token.clone();
        other.replace_range(0..1, if token.starts_with('0') { "1" } else { "0" });
        for bad in ["", "00", &"0".repeat(128), &"é".repeat(64), &"+1".repeat(64), &other] {
            assert!(!is_csrf_token("lms_a", bad), "{bad}");
        }
        assert!(!is_csrf_token("", &csrf_token("")), "without a session nothing is proven");
    }

    #[test]
    fn only_a_page_of_this_origin_may_send_a_form() {
        let ask = |headers: &[(&'static str, &'static str)]| {
            let mut request = TestRequest::post().insert_header(("host", "office.example:8080"));
            for header in headers {
                request = request.insert_header(*header);
            }
            is_own_origin(&request.to_http_request())
        };
        assert!(ask(&[("sec-fetch-site", "same-origin")]));
        assert!(ask(&[("origin", "http://office.example:8080")]));
        assert!(ask(&[("origin", "https://Office.example:8080")]));
        assert!(!ask(&[]));
        assert!(!ask(&[("origin", "null")]));
        assert!(!ask(&[("origin", "http://office.example")]));
        assert!(!ask(&[("origin", "http://evil.example")]));
        assert!(!ask(&[("sec-fetch-site", "same-site")]));
        let lying = [("sec-fetch-site", "cross-site"), ("origin", "http://office.example:8080")];
        assert!(!ask(&lying));
    }

    #[test]
    fn after_sign_in_the_way_leads_to_our_own_pages_only() {
        for good in ["/", "/customers?q=a%20b", "/customers/cus_1#svc_2"] {
            assert_eq!(safe_next(good), good);
        }
        let long = format!("/{}", "a".repeat(2000));
        let bad = [
            "",
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "\\\\evil",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "/login?next=/",
            "/logout",
            long.as_str(),
        ];
        for bad in bad {
            assert_eq!(safe_next(bad), "/", "{bad}");
        }
    }
}
