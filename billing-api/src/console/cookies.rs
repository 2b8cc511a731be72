//! The console's cookies: of a session, of a sign-in that is not complete, of a browser that is
//! known, of a question to an identity provider.
//!
//! None is ever read by a script. Over TLS their names begin with `__Host-`, so that no other
//! name of the same domain can set one.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use model::Secret;

use super::failure::Failure;
use crate::domain::Fault;
use crate::domain::access::Visitor;
use crate::domain::access::sign_in::Step;
use crate::http::{self, Web};

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a session. The session behind it ends on its own terms.
    Session,
    /// Of a sign-in that is not complete.
    Challenge,
    /// Of a browser somebody has signed in with.
    Browser,
    /// Of what an identity provider is being asked.
    Provider,
}

impl Kind {
    /// Its name.
    pub(super) fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, false) => "lastmile_session",
            (Self::Session, true) => "__Host-lastmile_session",
            (Self::Challenge, false) => "lastmile_sign_in",
            (Self::Challenge, true) => "__Host-lastmile_sign_in",
            (Self::Provider, false) => "lastmile_provider",
            (Self::Provider, true) => "__Host-lastmile_provider",
            (Self::Browser, false) => "lastmile_browser",
            (Self::Browser, true) => "__Host-lastmile_browser",
        }
    }

    fn age(self) -> Duration {
        match self {
            Self::Session => Duration::days(30),
            Self::Challenge | Self::Provider => Duration::minutes(10),
            Self::Browser => Duration::days(365),
        }
    }

    /// A link in a mail leads to a page of the session; nothing leads into a sign-in.
    fn same_site(self) -> SameSite {
        if self == Self::Session { SameSite::Lax } else { SameSite::Strict }
    }
}

fn is_secure(request: &HttpRequest) -> bool {
    request.app_data::<Data<Web>>().is_some_and(|web| web.secure_cookie)
}

/// The value of a cookie, where it was sent.
pub(super) fn value(request: &HttpRequest, kind: Kind) -> Option<String> {
    request.cookie(kind.name(is_secure(request))).map(|cookie| cookie.value().to_owned())
}

/// Sets a cookie, or takes it away.
pub(super) fn set(
    request: &HttpRequest,
    response: &mut HttpResponse,
    kind: Kind,
    value: Option<&Secret<String>>,
) -> Result<(), Failure> {
    let cookie = cookie(kind, value.map(|value| value.expose().as_str()), is_secure(request));
    let added = response.add_cookie(&cookie);
    added.map_err(|error| Failure::new(request, Fault::Internal(Box::new(error))))
}

fn cookie(kind: Kind, value: Option<&str>, secure: bool) -> Cookie<'_> {
    Cookie::build(kind.name(secure), value.unwrap_or(""))
        .path("/")
        .http_only(true)
        .same_site(kind.same_site())
        .secure(secure)
        .max_age(if value.is_some() { kind.age() } else { Duration::ZERO })
        .finish()
}

/// Sets the cookies that go with a step of signing in.
pub(super) fn keep(
    request: &HttpRequest,
    response: &mut HttpResponse,
    step: &Step,
) -> Result<(), Failure> {
    match step {
        Step::Entered { session, browser } => {
            set(request, response, Kind::Session, Some(session))?;
            set(request, response, Kind::Challenge, None)?;
            if browser.is_some() {
                set(request, response, Kind::Browser, browser.as_ref())?;
            }
        }
        Step::Due { challenge } if challenge.is_some() => {
            set(request, response, Kind::Challenge, challenge.as_ref())?;
        }
        Step::Due { .. } => {}
    }
    Ok(())
}

/// Who knocks.
pub(super) fn visitor(request: &HttpRequest, web: &Web) -> Visitor {
    let (browser, session) = (value(request, Kind::Browser), value(request, Kind::Session));
    http::visitor(request, web, browser, session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
        for kind in [Kind::Session, Kind::Challenge, Kind::Browser, Kind::Provider] {
            let text = cookie(kind, Some("lms_x"), true).to_string();
            for part in ["__Host-lastmile_", "HttpOnly", "SameSite=", "Secure", "Path=/"] {
                assert!(text.contains(part), "{text}");
            }
            assert!(!text.contains("Domain") && !text.contains("SameSite=None"), "{text}");
            let plain = cookie(kind, None, false).to_string();
            assert!(!plain.contains("Secure") && plain.contains("Max-Age=0"), "{plain}");
            assert!(!plain.contains("__Host-"), "a browser refuses that name without Secure");
        }
    }
}
