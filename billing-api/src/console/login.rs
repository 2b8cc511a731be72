//! Signing in and out.

use std::collections::BTreeMap;

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Secret;

use super::brand::Brand;
use super::failure::Failure;
use super::guard::{self, COOKIE, Fields, Post, Signed};
use super::page;
use super::words::{self, Words};
use crate::domain::access::sign_in as domain;
use crate::domain::{Fault, Office};
use crate::http::Web;

/// How long a browser keeps the cookie, days; the session behind it ends on its own terms.
const COOKIE_DAYS: i64 = 7;

/// `GET /login`
pub(super) async fn form(
    request: HttpRequest,
    office: Data<Office>,
    signed: Option<Signed>,
) -> HttpResponse {
    let fields = Fields::of_query(&request);
    let next = guard::safe_next(fields.get("next"));
    if signed.is_some() {
        return page::go(next);
    }
    let words = Words::of(&request);
    let ended = request.cookie(COOKIE).is_some().then(|| words.say(words::LOGIN_ENDED));
    let brand = Brand::of_root(&office).await;
    page::send(StatusCode::OK, view(&words, &brand, next, "", ended.as_deref()))
}

/// `POST /login`
pub(super) async fn sign_in(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    form: Result<Form<BTreeMap<String, String>>, actix_web::Error>,
) -> Result<HttpResponse, Failure> {
    // Nobody is signed in yet, so there is no token to ask for; the origin keeps others from
    // signing a browser in under a name of theirs.
    if !guard::is_own_origin(&request) {
        return Err(Failure::foreign(&request));
    }
    let fields = Fields(form.map(Form::into_inner).unwrap_or_default());
    let next = guard::safe_next(fields.get("next"));
    let (email, password) = (fields.get("email"), Secret::from(fields.raw("password")));
    let words = Words::of(&request);
    let brand = Brand::of_root(&office).await;
    let again = |status, text: String| {
        Ok(page::send(status, view(&words, &brand, next, email, Some(&text))))
    };
    match domain::sign_in(&office, email, password).await {
        Ok(value) => {
            let mut response = page::go(next);
            let cookie = cookie(&web, value.expose(), Duration::days(COOKIE_DAYS));
            keep(&request, &mut response, &cookie)?;
            Ok(response)
        }
        Err(Fault::Unauthenticated) => {
            again(StatusCode::UNPROCESSABLE_ENTITY, words.say(words::LOGIN_WRONG))
        }
        Err(Fault::TooMany(seconds)) => {
            let args = [("seconds", seconds.into())];
            again(StatusCode::TOO_MANY_REQUESTS, words.say_with(words::LOGIN_TOO_MANY, &args))
        }
        Err(fault) => Err(Failure::new(&request, fault)),
    }
}

/// `POST /logout`
pub(super) async fn sign_out(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let ended = domain::sign_out(&office, post.signed.session).await;
    ended.map_err(|fault| Failure::new(&request, fault))?;
    let mut response = page::go("/login");
    keep(&request, &mut response, &cookie(&web, "", Duration::ZERO))?;
    Ok(response)
}

fn cookie<'a>(web: &Web, value: &'a str, age: Duration) -> Cookie<'a> {
    Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(web.secure_cookie)
        .max_age(age)
        .finish()
}

fn keep(
    request: &HttpRequest,
    response: &mut HttpResponse,
    cookie: &Cookie<'_>,
) -> Result<(), Failure> {
    let added = response.add_cookie(cookie);
    added.map_err(|error| Failure::new(request, Fault::Internal(Box::new(error))))
}

fn view(words: &Words, brand: &Brand, next: &str, email: &str, problem: Option<&str>) -> Markup {
    let body = html! {
        main.alone id="content" tabindex="-1" {
            form.card.login method="post" action="/login" {
                p.brand { (brand.mark()) (brand.name(words)) }
                h1 { (words.say(words::LOGIN_TITLE)) }
                @if let Some(text) = problem { p.notice.problem role="alert" { (text) } }
                @if next != "/" { input type="hidden" name="next" value=(next); }
                div.field {
                    label for="f-email" { (words.say(words::LOGIN_EMAIL)) }
                    input id="f-email" name="email" type="email" value=(email) required
                        autocomplete="username" autofocus[email.is_empty()];
                }
                div.field {
                    label for="f-password" { (words.say(words::LOGIN_PASSWORD)) }
                    input id="f-password" name="password" type="password" required
                        autocomplete="current-password" autofocus[!email.is_empty()];
                }
                button type="submit" { (words.say(words::LOGIN_SUBMIT)) }
            }
        }
    };
    page::document(words, brand, &words.say(words::LOGIN_TITLE), &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_in_page_keeps_the_address_and_never_the_password() {
        let words = Words::english();
        let text =
            view(&words, &Brand::default(), "/nas?a=\"b", "a\"b@example.net", Some("Wrong."))
                .into_string();
        assert!(text.contains(r#"name="next" value="/nas?a=&quot;b""#));
        assert!(text.contains(r#"value="a&quot;b@example.net""#));
        assert!(text.contains(r#"role="alert">Wrong.<"#));
        assert!(
            !view(&words, &Brand::default(), "/", "", None)
                .into_string()
                .contains("role=\"alert\"")
        );
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let web = Web { secure_cookie: true };
        let text = cookie(&web, "lms_x", Duration::days(7)).to_string();
        for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=604800"] {
            assert!(text.contains(part), "{text}");
        }
        let plain = cookie(&Web { secure_cookie: false }, "x", Duration::ZERO).to_string();
        assert!(!plain.contains("Secure") && plain.contains("Max-Age=0"));
    }
}
