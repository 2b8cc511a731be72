//! Signing in and out: the password, then what else is due, and links to set a password with.
//!
//! Nobody is signed in yet, so there is no token to ask forms for; the origin keeps others from
//! signing a browser in under a name of theirs.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Secret;

use super::brand::Brand;
use super::cookies::{self, Kind};
use super::failure::Failure;
use super::guard::{self, Fields, Post, Signed};
use super::place::Place;
use super::words::{self, Key, Words};
use super::{page, qr, show};
use crate::domain::access::sign_in::{self as domain, Challenge, Due, Step};
use crate::domain::access::{account, session};
use crate::domain::{Fault, Office};
use crate::http::{Problem, Web};

/// A form that somebody sends who is not signed in.
type Sent = Result<Form<BTreeMap<String, String>>, actix_web::Error>;

/// The fields of a form, if it is from a page of ours.
fn fields(request: &HttpRequest, form: Sent) -> Result<Fields, Failure> {
    if !guard::is_own_origin(request) {
        return Err(Failure::foreign(request));
    }
    Ok(Fields(form.map(Form::into_inner).unwrap_or_default()))
}

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
    let had = cookies::value(&request, Kind::Session).is_some();
    let ended = had.then(|| Words::of(&request).say(words::LOGIN_ENDED));
    show_again(&request, &office, next, "", StatusCode::OK, ended.as_deref()).await
}

/// The sign-in page, with what went wrong.
pub(super) async fn again(
    request: &HttpRequest,
    office: &Office,
    next: &str,
    status: StatusCode,
    problem: &str,
) -> HttpResponse {
    show_again(request, office, next, "", status, Some(problem)).await
}

async fn show_again(
    request: &HttpRequest,
    office: &Office,
    next: &str,
    email: &str,
    status: StatusCode,
    problem: Option<&str>,
) -> HttpResponse {
    let words = Words::of(request);
    let place = Place::of(request, office).await;
    let (brand, offers) = (place.brand(office).await, place.offers(office).await);
    page::send(status, view(&words, &brand, &offers, next, email, problem))
}

/// `POST /login`
pub(super) async fn sign_in(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    form: Sent,
) -> Result<HttpResponse, Failure> {
    let fields = fields(&request, form)?;
    let next = guard::safe_next(fields.get("next"));
    let (email, password) = (fields.get("email"), Secret::from(fields.raw("password")));
    let words = Words::of(&request);
    let visitor = cookies::visitor(&request, &web);
    let fault = match domain::sign_in(&office, &visitor, email, password).await {
        Ok(step) => return go_on(&request, next, &step),
        Err(fault) => fault,
    };
    let (status, text) = complaint(&request, &words, words::LOGIN_PASSWORD, fault)?;
    Ok(show_again(&request, &office, next, email, status, Some(&text)).await)
}

/// What to say of a fault above the form it came from; one that is not about the form is a page
/// of its own.
pub(super) fn complaint(
    request: &HttpRequest,
    words: &Words,
    field: Key,
    fault: Fault,
) -> Result<(StatusCode, String), Failure> {
    let status = Problem::status(&fault).0;
    let text = match &fault {
        Fault::Unauthenticated => {
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, words.say(words::LOGIN_WRONG)));
        }
        Fault::TooMany(seconds) => {
            words.say_with(words::LOGIN_TOO_MANY, &[("seconds", (*seconds).into())])
        }
        Fault::Conflict { detail, .. } => detail.clone(),
        Fault::Invalid(faults) => {
            let detail = faults.iter().map(|fault| fault.detail.as_str()).collect::<Vec<_>>();
            let args = [("label", words.say(field).into()), ("detail", detail.join("; ").into())];
            words.say_with(words::FORM_FIELD_WRONG, &args)
        }
        _ => return Err(Failure::new(request, fault)),
    };
    Ok((status, text))
}

/// To what is due, or in.
pub(super) fn go_on(
    request: &HttpRequest,
    next: &str,
    step: &Step,
) -> Result<HttpResponse, Failure> {
    let mut response = match step {
        Step::Entered { .. } => page::go(next),
        Step::Due { .. } => page::go(&format!("/login/step?next={}", show::encode(next))),
    };
    cookies::keep(request, &mut response, step)?;
    Ok(response)
}

/// The challenge's cookie; without one, the way begins anew.
fn challenge(request: &HttpRequest) -> String {
    cookies::value(request, Kind::Challenge).unwrap_or_default()
}

/// `GET /login/step`: what is due.
pub(super) async fn step(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
) -> Result<HttpResponse, Failure> {
    let words = Words::of(&request);
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let next = Fields::of_query(&request);
    let next = guard::safe_next(next.get("next"));
    let (visitor, cookie) = (cookies::visitor(&request, &web), challenge(&request));
    let result = async {
        let page = match Challenge::find(&office, &visitor, &cookie).await?.due() {
            Some(Due::Code) => view_code(&words, &brand, next, None),
            Some(Due::Enrolment) => {
                let enrolment = domain::begin_enrolment(&office, &visitor, &cookie).await?;
                let (key, uri) = (enrolment.key.expose(), enrolment.uri.expose());
                view_enrolment(&words, &brand, next, key, uri, None)
            }
            Some(Due::Password) => view_password(&words, &brand, next, None),
            None => return Err(Fault::Unauthenticated),
        };
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /login/code`
pub(super) async fn code(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    form: Sent,
) -> Result<HttpResponse, Failure> {
    let fields = fields(&request, form)?;
    let (words, next) = (Words::of(&request), guard::safe_next(fields.get("next")));
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let (visitor, cookie) = (cookies::visitor(&request, &web), challenge(&request));
    match domain::prove_code(&office, &visitor, &cookie, fields.get("code")).await {
        Ok(step) => go_on(&request, next, &step),
        Err(Fault::Unauthenticated) => Err(Failure::new(&request, Fault::Unauthenticated)),
        Err(fault) => {
            let (status, text) = complaint(&request, &words, words::STEP_CODE, fault)?;
            Ok(page::send(status, view_code(&words, &brand, next, Some(&text))))
        }
    }
}

/// `POST /login/enrolment`
pub(super) async fn enrolment(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    form: Sent,
) -> Result<HttpResponse, Failure> {
    let fields = fields(&request, form)?;
    let (words, next) = (Words::of(&request), guard::safe_next(fields.get("next")));
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let (visitor, cookie) = (cookies::visitor(&request, &web), challenge(&request));
    let proven = domain::complete_enrolment(&office, &visitor, &cookie, fields.get("code")).await;
    match proven {
        Ok((codes, step)) => {
            // The codes are shown before anything else: they are shown once.
            let further = match &step {
                Step::Entered { .. } => next.to_owned(),
                Step::Due { .. } => format!("/login/step?next={}", show::encode(next)),
            };
            let body = html! {
                main.alone id="content" tabindex="-1" {
                    div.card.login { (recovery_codes(&words, &codes, &further)) }
                }
            };
            let title = words.say(words::RECOVERY_TITLE);
            let mut response =
                page::send(StatusCode::OK, page::document(&words, &brand, &title, &body));
            cookies::keep(&request, &mut response, &step)?;
            Ok(response)
        }
        Err(Fault::Unauthenticated) => Err(Failure::new(&request, Fault::Unauthenticated)),
        Err(fault) => {
            let (status, text) = complaint(&request, &words, words::STEP_CODE, fault)?;
            // The key on the page that was sent, not the one that is kept: whoever does not
            // have it is not told.
            let (key, uri) = (fields.get("key"), fields.get("uri"));
            Ok(page::send(status, view_enrolment(&words, &brand, next, key, uri, Some(&text))))
        }
    }
}

/// `POST /login/password`
pub(super) async fn new_password(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    form: Sent,
) -> Result<HttpResponse, Failure> {
    let fields = fields(&request, form)?;
    let (words, next) = (Words::of(&request), guard::safe_next(fields.get("next")));
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let (visitor, cookie) = (cookies::visitor(&request, &web), challenge(&request));
    let new = Secret::from(fields.raw("new_password"));
    match domain::renew_password(&office, &visitor, &cookie, new).await {
        Ok(step) => go_on(&request, next, &step),
        Err(Fault::Unauthenticated) => Err(Failure::new(&request, Fault::Unauthenticated)),
        Err(fault) => {
            let (status, text) = complaint(&request, &words, words::LOGIN_PASSWORD, fault)?;
            Ok(page::send(status, view_password(&words, &brand, next, Some(&text))))
        }
    }
}

/// `GET /set-password`: the page of a link.
pub(super) async fn link(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
) -> Result<HttpResponse, Failure> {
    let words = Words::of(&request);
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let query = Fields::of_query(&request);
    let visitor = cookies::visitor(&request, &web);
    let found = account::of_link(&office, &visitor, query.get("token")).await;
    let (_, account) = found.map_err(|fault| Failure::new(&request, fault))?;
    let page = view_link(&words, &brand, query.get("token"), &account.email, None);
    Ok(page::send(StatusCode::OK, page))
}

/// `POST /set-password`
pub(super) async fn use_link(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    form: Sent,
) -> Result<HttpResponse, Failure> {
    let fields = fields(&request, form)?;
    let words = Words::of(&request);
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let visitor = cookies::visitor(&request, &web);
    let (token, new) = (fields.get("token"), Secret::from(fields.raw("new_password")));
    match account::use_link(&office, &visitor, token, new).await {
        Ok(()) => Ok(page::go("/login")),
        Err(fault) => {
            let (status, text) = complaint(&request, &words, words::LOGIN_PASSWORD, fault)?;
            let page = view_link(&words, &brand, token, fields.get("email"), Some(&text));
            Ok(page::send(status, page))
        }
    }
}

/// `POST /logout`
pub(super) async fn sign_out(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let ended = session::end(&office, post.signed.session).await;
    ended.map_err(|fault| Failure::new(&request, fault))?;
    let mut response = page::go("/login");
    cookies::set(&request, &mut response, Kind::Session, None)?;
    Ok(response)
}

/// A card alone on its page, with a form in it.
fn card(
    words: &Words,
    brand: &Brand,
    title: Key,
    action: &str,
    next: &str,
    problem: Option<&str>,
    inside: &Markup,
) -> Markup {
    let title = words.say(title);
    let body = html! {
        main.alone id="content" tabindex="-1" {
            form.card.login method="post" action=(action) {
                p.brand { (brand.mark()) (brand.name(words)) }
                h1 { (title) }
                @if let Some(text) = problem { p.notice.problem role="alert" { (text) } }
                @if next != "/" { input type="hidden" name="next" value=(next); }
                (inside)
            }
        }
    };
    page::document(words, brand, &title, &body)
}

fn view(
    words: &Words,
    brand: &Brand,
    offers: &[(String, String)],
    next: &str,
    email: &str,
    problem: Option<&str>,
) -> Markup {
    let inside = html! {
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
        @if !offers.is_empty() {
            div.offers {
                p.dim { (words.say(words::PROVIDER_OR)) }
                @for (id, name) in offers {
                    a.button.quiet href=(format!("/login/with/{id}?next={}", show::encode(next))) {
                        (words.say_with(words::PROVIDER_WITH, &[("name", name.clone().into())]))
                    }
                }
            }
        }
    };
    card(words, brand, words::LOGIN_TITLE, "/login", next, problem, &inside)
}

fn view_code(words: &Words, brand: &Brand, next: &str, problem: Option<&str>) -> Markup {
    let inside = html! {
        p { (words.say(words::STEP_CODE_TEXT)) }
        (code_field(words))
        button type="submit" { (words.say(words::LOGIN_SUBMIT)) }
    };
    card(words, brand, words::STEP_CODE_TITLE, "/login/code", next, problem, &inside)
}

fn code_field(words: &Words) -> Markup {
    html! {
        div.field {
            label for="f-code" { (words.say(words::STEP_CODE)) }
            input id="f-code" name="code" required autofocus autocomplete="one-time-code"
                inputmode="numeric" maxlength="40";
        }
    }
}

fn view_enrolment(
    words: &Words,
    brand: &Brand,
    next: &str,
    key: &str,
    uri: &str,
    problem: Option<&str>,
) -> Markup {
    let inside = enrolment_fields(words, key, uri);
    card(words, brand, words::STEP_ENROLMENT_TITLE, "/login/enrolment", next, problem, &inside)
}

/// The key of a second factor, and the field for a code that shows the app has it.
pub(super) fn enrolment_fields(words: &Words, key: &str, uri: &str) -> Markup {
    let groups: Vec<String> =
        key.as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    html! {
        p { (words.say(words::STEP_ENROLMENT_TEXT)) }
        @if let Some(picture) = qr::picture(uri).filter(|_| uri.starts_with("otpauth://")) {
            p { (words.say(words::STEP_ENROLMENT_CODE)) }
            (picture)
        }
        p { code { (groups.join(" ")) } }
        @if uri.starts_with("otpauth://") {
            p { a href=(uri) { (words.say(words::STEP_ENROLMENT_LINK)) } }
        }
        input type="hidden" name="key" value=(key);
        input type="hidden" name="uri" value=(uri);
        (code_field(words))
        button type="submit" { (words.say(words::STEP_ENROLMENT_SUBMIT)) }
    }
}

/// The recovery codes, once.
pub(super) fn recovery_codes(words: &Words, codes: &[Secret<String>], further: &str) -> Markup {
    html! {
        h1 { (words.say(words::RECOVERY_TITLE)) }
        p { (words.say(words::RECOVERY_TEXT)) }
        ul.codes { @for code in codes { li { code { (code.expose()) } } } }
        p { a.button href=(further) { (words.say(words::RECOVERY_FURTHER)) } }
    }
}

fn new_password_field(words: &Words) -> Markup {
    html! {
        div.field {
            label for="f-new" { (words.say(words::PASSWORD_NEW)) }
            input id="f-new" name="new_password" type="password" required
                autocomplete="new-password";
            p.hint { (words.say(words::PASSWORD_HINT)) }
        }
    }
}

fn view_password(words: &Words, brand: &Brand, next: &str, problem: Option<&str>) -> Markup {
    let inside = html! {
        p { (words.say(words::STEP_PASSWORD_TEXT)) }
        (new_password_field(words))
        button type="submit" { (words.say(words::PASSWORD_SUBMIT)) }
    };
    card(words, brand, words::STEP_PASSWORD_TITLE, "/login/password", next, problem, &inside)
}

fn view_link(
    words: &Words,
    brand: &Brand,
    token: &str,
    email: &str,
    problem: Option<&str>,
) -> Markup {
    let inside = html! {
        p { (words.say_with(words::LINK_TEXT, &[("email", email.to_owned().into())])) }
        input type="hidden" name="token" value=(token);
        // Password managers want the name beside the password.
        input type="text" hidden readonly name="email" value=(email) autocomplete="username";
        (new_password_field(words))
        button type="submit" { (words.say(words::PASSWORD_SUBMIT)) }
    };
    card(words, brand, words::LINK_TITLE, "/set-password", "/", problem, &inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_in_page_keeps_the_address_and_never_the_password() {
        let words = Words::english();
        let text =
            view(&words, &Brand::default(), &[], "/nas?a=\"b", "a\"b@example.net", Some("Wrong."))
                .into_string();
        assert!(text.contains(r#"name="next" value="/nas?a=&quot;b""#));
        assert!(text.contains(r#"value="a&quot;b@example.net""#));
        assert!(text.contains(r#"role="alert">Wrong.<"#));
        assert!(
            !view(&words, &Brand::default(), &[], "/", "", None)
                .into_string()
                .contains("role=\"alert\"")
        );
    }

    #[test]
    fn providers_are_offered_below_the_password() {
        let offers = [("idp_1".to_owned(), "North <Net>".to_owned())];
        let words = Words::english();
        let text = view(&words, &Brand::default(), &offers, "/nas?q=a", "", None).into_string();
        assert!(text.contains("/login/with/idp_1?next=%2Fnas%3Fq%3Da"), "{text}");
        assert!(text.contains("North &lt;Net&gt;"), "{text}");
    }

    #[test]
    fn what_is_wrong_names_its_field() {
        let request = actix_web::test::TestRequest::get().to_http_request();
        let fault = Fault::field("/code", "is not right");
        let (_, text) = complaint(&request, &Words::english(), words::STEP_CODE, fault).unwrap();
        assert_eq!(text, "Code: is not right.");
    }

    #[test]
    fn what_a_form_sends_back_is_only_text() {
        let words = Words::english();
        let hostile = "<script>\"javascript:alert(1)";
        let text = enrolment_fields(&words, hostile, hostile).into_string();
        assert!(!text.contains("<script>") && !text.contains("href=\"<") && !text.contains("<a "));
    }
}
