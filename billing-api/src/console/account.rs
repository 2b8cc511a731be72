//! One's own account: password, second factor, sessions; and acting as another.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{Secret, StaffId, StaffSessionId, Ts};

use super::cookies::{self, Kind};
use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::login::{complaint, enrolment_fields, recovery_codes};
use super::page::{self, Column, Notice, Viewer};
use super::show as shown;
use super::words::{self, Key};
use crate::domain::access::sign_in::Account;
use crate::domain::access::{account as domain, session, staff};
use crate::domain::{Fault, Office};
use crate::http::Web;

/// What the page shows.
struct View {
    now: Ts,
    account: Account,
    codes_left: i64,
    sessions: Vec<session::View>,
}

async fn load(office: &Office, signed: &Signed) -> Result<View, Fault> {
    let staff = signed.actor.in_person()?;
    // Whoever acts inside another organisation keeps the sessions of their own.
    let account = Account::load(office, staff).await?;
    let home = account.organisation_id;
    Ok(View {
        now: office.now(),
        codes_left: domain::codes_left(office, staff).await?,
        sessions: session::list(office, home, staff, Some(signed.session)).await?,
        account,
    })
}

/// `GET /account`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let notice = Notice::from_word(Fields::of_query(&request).get("done"));
    let view = load(&office, &signed).await;
    let view = view.map_err(|fault| Failure::new(&request, fault))?;
    Ok(page::send(StatusCode::OK, render(&signed.viewer, &view, notice, None)))
}

/// The page again, with what was wrong.
async fn again(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    field: Key,
    fault: Fault,
) -> Result<HttpResponse, Failure> {
    let (status, text) = complaint(request, &signed.viewer.words, field, fault)?;
    let view = load(office, signed).await.map_err(|fault| Failure::new(request, fault))?;
    Ok(page::send(status, render(&signed.viewer, &view, None, Some(&text))))
}

/// `POST /account/password`
pub(super) async fn change_password(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let (old, new) =
        (Secret::from(fields.raw("password")), Secret::from(fields.raw("new_password")));
    let changed =
        domain::change_password(&office, &signed.actor, old, new, Some(signed.session)).await;
    match changed {
        Ok(()) => Ok(page::go(&Notice::PasswordChanged.after("/account"))),
        Err(fault) => again(&request, &office, &signed, words::LOGIN_PASSWORD, fault).await,
    }
}

/// `POST /account/second-factor`
pub(super) async fn begin_second_factor(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let password = Secret::from(fields.raw("password"));
    match domain::begin_second_factor(&office, &signed.actor, password).await {
        Ok(enrolment) => {
            let (key, uri) = (enrolment.key.expose(), enrolment.uri.expose());
            let page = render_enrolment(&signed.viewer, key, uri, None);
            Ok(page::send(StatusCode::OK, page))
        }
        Err(fault) => again(&request, &office, &signed, words::LOGIN_PASSWORD, fault).await,
    }
}

/// `POST /account/second-factor/confirm`
pub(super) async fn confirm_second_factor(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let (actor, code) = (&signed.actor, fields.get("code"));
    match domain::confirm_second_factor(&office, actor, code, Some(signed.session)).await {
        Ok(codes) => Ok(page::send(StatusCode::OK, render_codes(&signed.viewer, &codes))),
        Err(fault) => {
            let words = &signed.viewer.words;
            let (status, text) = complaint(&request, words, words::STEP_CODE, fault)?;
            let (key, uri) = (fields.get("key"), fields.get("uri"));
            Ok(page::send(status, render_enrolment(&signed.viewer, key, uri, Some(&text))))
        }
    }
}

/// `POST /account/second-factor/disable`
pub(super) async fn disable_second_factor(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let password = Secret::from(fields.raw("password"));
    match domain::disable_second_factor(&office, &signed.actor, password).await {
        Ok(()) => Ok(page::go(&Notice::SecondFactorOff.after("/account"))),
        Err(fault) => again(&request, &office, &signed, words::LOGIN_PASSWORD, fault).await,
    }
}

/// `POST /account/recovery-codes`
pub(super) async fn renew_codes(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let password = Secret::from(fields.raw("password"));
    match domain::renew_codes(&office, &signed.actor, password).await {
        Ok(codes) => Ok(page::send(StatusCode::OK, render_codes(&signed.viewer, &codes))),
        Err(fault) => again(&request, &office, &signed, words::LOGIN_PASSWORD, fault).await,
    }
}

/// `POST /account/sessions/{id}/end`
pub(super) async fn end_session(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id: StaffSessionId = id.parse().map_err(|_| Fault::NotFound("session"))?;
        domain::end_session(&office, &post.signed.actor, id).await?;
        Ok(page::go(&Notice::SessionsEnded.after("/account")))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /account/sessions/end`
pub(super) async fn end_sessions(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let (actor, keep) = (&post.signed.actor, Some(post.signed.session));
    let ended = domain::end_other_sessions(&office, actor, keep).await;
    ended.map_err(|fault| Failure::new(&request, fault))?;
    Ok(page::go(&Notice::SessionsEnded.after("/account")))
}

/// `POST /staff/{id}/impersonate`
pub(super) async fn impersonate(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id: StaffId = id.parse().map_err(|_| Fault::NotFound("staff"))?;
        let visitor = cookies::visitor(&request, &web);
        staff::impersonate(&office, &post.signed.actor, post.signed.session, &visitor, id).await
    };
    let cookie = result.await.map_err(|fault| Failure::new(&request, fault))?;
    let mut response = page::go("/");
    cookies::set(&request, &mut response, Kind::Session, Some(&cookie))?;
    Ok(response)
}

/// `POST /impersonation/stop`
pub(super) async fn stop_impersonating(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, .. } = post;
    let stopped = staff::stop_impersonating(&office, &signed.actor, signed.session).await;
    let cookie = stopped.map_err(|fault| Failure::new(&request, fault))?;
    let mut response = page::go("/");
    cookies::set(&request, &mut response, Kind::Session, Some(&cookie))?;
    Ok(response)
}

/// A form that takes the password and does one thing.
fn with_password(
    viewer: &Viewer,
    email: &str,
    action: &str,
    name: &str,
    button: Key,
    more: &Markup,
) -> Markup {
    let words = &viewer.words;
    let id = format!("f-{name}");
    html! {
        form.card method="post" action=(action) {
            (page::csrf(viewer))
            // Password managers want the name beside the password.
            input type="text" hidden readonly autocomplete="username" value=(email);
            div.field {
                label for=(id) { (words.say(words::PASSWORD_NOW)) }
                input id=(id) name="password" type="password" required
                    autocomplete="current-password";
            }
            (more)
            button type="submit" { (words.say(button)) }
        }
    }
}

fn render(viewer: &Viewer, view: &View, notice: Option<Notice>, wrong: Option<&str>) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::ACCOUNT_TITLE);
    let columns = [
        Column::text(words, words::ACCOUNT_SESSION_BROWSER),
        Column::text(words, words::ACCOUNT_SESSION_ADDRESS),
        Column::text(words, words::ACCOUNT_SESSION_SEEN),
        Column::text(words, words::ACCOUNT_SESSION_END),
    ];
    let rows: Vec<Vec<Markup>> =
        view.sessions.iter().map(|session| row(viewer, view.now, session)).collect();
    let new = html! {
        div.field {
            label for="f-new" { (words.say(words::PASSWORD_NEW)) }
            input id="f-new" name="new_password" type="password" required
                autocomplete="new-password";
            p.hint { (words.say(words::PASSWORD_HINT)) }
        }
    };
    let left = words.say_with(words::RECOVERY_LEFT, &[("n", view.codes_left.into())]);
    let email = &view.account.email;
    let form = |action, name, button, more: &Markup| {
        with_password(viewer, email, action, name, button, more)
    };
    let none = html! {};
    let body = html! {
        h1 { (title) }
        @if let Some(text) = wrong { p.notice.problem role="alert" { (text) } }
        p { (view.account.name) " · " (view.account.email) }
        section {
            h2 { (words.say(words::ACCOUNT_PASSWORD)) }
            (form("/account/password", "password", words::PASSWORD_SUBMIT, &new))
        }
        section {
            h2 { (words.say(words::ACCOUNT_SECOND_FACTOR)) }
            @if view.account.totp_confirmed {
                p { (words.say(words::ACCOUNT_SECOND_FACTOR_ON)) " " (left) }
                (form("/account/recovery-codes", "codes", words::RECOVERY_RENEW, &none))
                @if !view.account.second_factor {
                    (form("/account/second-factor/disable", "disable",
                        words::ACCOUNT_SECOND_FACTOR_DISABLE, &none))
                }
            } @else {
                p { (words.say(words::ACCOUNT_SECOND_FACTOR_OFF)) }
                (form("/account/second-factor", "enrol",
                    words::ACCOUNT_SECOND_FACTOR_BEGIN, &none))
            }
        }
        section {
            h2 { (words.say(words::ACCOUNT_SESSIONS)) }
            (page::table(&words.say(words::ACCOUNT_SESSIONS), &columns, &rows))
            @if view.sessions.len() > 1 {
                form method="post" action="/account/sessions/end" {
                    (page::csrf(viewer))
                    button.quiet type="submit" { (words.say(words::ACCOUNT_SESSIONS_END)) }
                }
            }
        }
    };
    page::page(viewer, None, &title, notice, &body)
}

fn row(viewer: &Viewer, now: Ts, session: &session::View) -> Vec<Markup> {
    let words = &viewer.words;
    let text = |text: &Option<String>| match text.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => html! { (text) },
        None => html! { span.dim { (words.say(words::NONE)) } },
    };
    let end = html! {
        @if session.current {
            span.dim { (words.say(words::ACCOUNT_SESSION_THIS)) }
        } @else {
            form method="post" action=(format!("/account/sessions/{}/end", session.id)) {
                (page::csrf(viewer))
                button.quiet type="submit" { (words.say(words::ACCOUNT_SESSION_END)) }
            }
        }
    };
    vec![
        text(&session.user_agent),
        text(&session.address),
        shown::ago(words, now, session.seen_at),
        end,
    ]
}

fn render_enrolment(viewer: &Viewer, key: &str, uri: &str, wrong: Option<&str>) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::STEP_ENROLMENT_TITLE);
    let body = html! {
        h1 { (title) }
        @if let Some(text) = wrong { p.notice.problem role="alert" { (text) } }
        form.card method="post" action="/account/second-factor/confirm" {
            (page::csrf(viewer))
            (enrolment_fields(words, key, uri))
        }
    };
    page::page(viewer, None, &title, None, &body)
}

fn render_codes(viewer: &Viewer, codes: &[Secret<String>]) -> Markup {
    let words = &viewer.words;
    let body = recovery_codes(words, codes, "/account");
    page::page(viewer, None, &words.say(words::RECOVERY_TITLE), None, &body)
}
