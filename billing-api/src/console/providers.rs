//! Signing in through an identity provider: to it, back, and in; and what its own page has.
//!
//! Whoever comes back comes from another site, so our strict cookies are not sent with that
//! request. It is answered by a page that goes on at once to another address of ours, with them.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::cookies::{self, Kind};
use super::failure::Failure;
use super::guard::{self, Fields, Post, Signed};
use super::login;
use super::page::{self, Notice};
use super::place::{self, Base, Place};
use super::words::{self, Key, Words};
use super::{page::Viewer, show};
use crate::domain::{Fault, Office, organisation};
use crate::entity::{Entity, read};
use crate::http::{Problem, Web};
use crate::oidc::provider::{self, IDENTITY_PROVIDER};
use crate::oidc::sign_in::{self, Answer, Refused};

static PROVIDERS: &Entity = &IDENTITY_PROVIDER;

/// What of an answer is passed on to the next page.
const PASSED: [&str; 4] = ["code", "state", "iss", "error"];

/// `GET /login/with/{id}`: to the provider. A link does, for those who are not in; one of another
/// site's asks first, since its provider may say that they are somebody else.
pub(super) async fn begin(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    signed: Option<Signed>,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let query = Fields::of_query(&request);
    let next = guard::safe_next(query.get("next"));
    if signed.is_some() {
        return Ok(page::go(next));
    }
    let site = request.headers().get("sec-fetch-site").map(|site| site.as_bytes());
    if matches!(site, Some(b"cross-site" | b"same-site")) {
        return Ok(ask(&request, &office, &id, next, query.get("here")).await);
    }
    let place = Place::of(&request, &office).await;
    let base = match place.base(&office, &web) {
        Base::Here(base) => base,
        // Behind a proxy that does not pass our name on, this is where it leads: go there once.
        Base::There(base) if query.get("here").is_empty() => {
            let (id, next) = (show::encode(&id), show::encode(next));
            return Ok(page::go(&format!("{base}/login/with/{id}?next={next}&here=1")));
        }
        Base::There(base) => base,
        Base::Unknown => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(again(&request, &office, next, status, words::PROVIDER_NO_ADDRESS).await);
        }
    };
    let visitor = cookies::visitor(&request, &web);
    let begun = match PROVIDERS.id(&id) {
        Ok(id) => sign_in::begin(&office, &visitor, id, &base, next).await,
        Err(fault) => Err(Refused::Fault(fault)),
    };
    match begun {
        Ok(question) => {
            let mut response = page::go(&question.location);
            cookies::set(&request, &mut response, Kind::Provider, Some(&question.cookie))?;
            Ok(response)
        }
        Err(refused) => failed(&request, &office, next, refused).await,
    }
}

/// A page of ours with the link that another site had.
async fn ask(
    request: &HttpRequest,
    office: &Office,
    id: &str,
    next: &str,
    here: &str,
) -> HttpResponse {
    let words = Words::of(request);
    let brand = Place::of(request, office).await.brand(office).await;
    let (id, next, here) = (show::encode(id), show::encode(next), show::encode(here));
    let on = format!("/login/with/{id}?next={next}&here={here}");
    let title = words.say(words::PROVIDER_GOING);
    let body = html! {
        main.alone id="content" tabindex="-1" {
            div.card.login {
                p.brand { (brand.mark()) (brand.name(&words)) }
                h1 { (title) }
                p { a.button href=(on) { (words.say(words::PROVIDER_GO_ON)) } }
            }
        }
    };
    page::send(StatusCode::OK, page::document(&words, &brand, &title, &body))
}

/// `GET /login/callback/{id}`: back from the provider, and on.
pub(super) async fn back(
    request: HttpRequest,
    office: Data<Office>,
    id: Path<String>,
) -> HttpResponse {
    let query = Fields::of_query(&request);
    let parameter = |name: &&str| {
        let value = query.raw(name);
        (!value.is_empty()).then(|| format!("{name}={}", show::encode(value)))
    };
    let parameters: Vec<String> = PASSED.iter().filter_map(parameter).collect();
    let on = format!("/login/callback/{}/in?{}", show::encode(&id), parameters.join("&"));
    let words = Words::of(&request);
    let brand = Place::of(&request, &office).await.brand(&office).await;
    let body = html! {
        main.alone id="content" tabindex="-1" {
            div.card.login {
                p.brand { (brand.mark()) (brand.name(&words)) }
                h1 { (words.say(words::PROVIDER_GOING)) }
                p { a.button href=(on) { (words.say(words::PROVIDER_GO_ON)) } }
            }
        }
    };
    let title = words.say(words::PROVIDER_GOING);
    let page = page::moving(&words, &brand, &title, &on, &body);
    page::send(StatusCode::OK, page)
}

/// `GET /login/callback/{id}/in`
pub(super) async fn complete(
    request: HttpRequest,
    office: Data<Office>,
    web: Data<Web>,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let query = Fields::of_query(&request);
    let cookie = cookies::value(&request, Kind::Provider).unwrap_or_default();
    let answer = Answer {
        code: query.raw("code"),
        state: query.raw("state"),
        issuer: query.raw("iss"),
        error: query.raw("error"),
    };
    let visitor = cookies::visitor(&request, &web);
    let completed = match PROVIDERS.id(&id) {
        Ok(id) => sign_in::complete(&office, &visitor, id, &cookie, answer).await,
        Err(fault) => Err(Refused::Fault(fault)),
    };
    let mut response = match completed {
        Ok((step, next)) => login::go_on(&request, guard::safe_next(&next), &step)?,
        Err(refused) => failed(&request, &office, "/", refused).await?,
    };
    cookies::set(&request, &mut response, Kind::Provider, None)?;
    Ok(response)
}

/// The sign-in page again, with what went wrong.
async fn failed(
    request: &HttpRequest,
    office: &Office,
    next: &str,
    refused: Refused,
) -> Result<HttpResponse, Failure> {
    let (status, key) = match refused {
        Refused::Foreign => (StatusCode::BAD_REQUEST, words::PROVIDER_FOREIGN),
        Refused::Cancelled => (StatusCode::OK, words::PROVIDER_CANCELLED),
        Refused::Silent => (StatusCode::BAD_GATEWAY, words::PROVIDER_SILENT),
        Refused::Untrue => (StatusCode::FORBIDDEN, words::PROVIDER_UNTRUE),
        Refused::Stranger => (StatusCode::FORBIDDEN, words::PROVIDER_STRANGER),
        Refused::Fault(fault @ Fault::TooMany(_)) => {
            let words = Words::of(request);
            let status = Problem::status(&fault).0;
            let (_, text) = login::complaint(request, &words, words::LOGIN_EMAIL, fault)?;
            return Ok(login::again(request, office, next, status, &text).await);
        }
        Refused::Fault(fault) => return Err(Failure::new(request, fault)),
    };
    Ok(again(request, office, next, status, key).await)
}

async fn again(
    request: &HttpRequest,
    office: &Office,
    next: &str,
    status: StatusCode,
    key: Key,
) -> HttpResponse {
    let text = Words::of(request).say(key);
    login::again(request, office, next, status, &text).await
}

/// `POST /identity-providers/{id}/check`
pub(super) async fn check(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let shown = provider::test(&office, &post.signed.actor, PROVIDERS.id(&id)?).await?;
        let notice = match shown["check_problem"].is_null() {
            true => Notice::ProviderChecked,
            false => Notice::ProviderSilent,
        };
        Ok(page::go(&notice.after(&format!("/identity-providers/{}", id.as_str()))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// What belongs on the page of a provider: what to register there, the way in, the check.
pub(super) async fn of_provider(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    id: &str,
) -> Result<Markup, Fault> {
    let (row, _) = read::find(office, &signed.actor, PROVIDERS, PROVIDERS.id(id)?).await?;
    let home = row["organisation_id"].as_str().and_then(|id| id.parse().ok());
    let web = request.app_data::<Data<Web>>();
    let mut bases: Vec<String> = office.mail.public_url.iter().cloned().collect();
    if let (Some(home), Some(web)) = (home, web) {
        let scheme = place::scheme(office.mail.public_url.as_deref(), web);
        let own = organisation::host_of(office, home).await?;
        bases.extend(own.map(|host| format!("{scheme}://{host}")));
    }
    if let (true, Some(web)) = (bases.is_empty(), web)
        && let Base::Here(base) = Place::of(request, office).await.base(office, web)
    {
        bases.push(base);
    }
    Ok(render(&signed.viewer, &row, &bases, signed.actor.rights.has("staff.edit")))
}

fn render(viewer: &Viewer, row: &serde_json::Value, bases: &[String], edit: bool) -> Markup {
    let words = &viewer.words;
    let id = row["id"].as_str().unwrap_or_default();
    let problem = row["check_problem"].as_str();
    html! {
        section {
            h2 { (words.say(words::PROVIDER_REGISTER)) }
            @if bases.is_empty() {
                p.notice.problem { (words.say(words::PROVIDER_NO_ADDRESS)) }
            } @else {
                p { (words.say(words::PROVIDER_REGISTER_TEXT)) }
                ul { @for base in bases { li { code { (sign_in::redirect(base, id)) } } } }
                @if row["enabled"] == true {
                    p { (words.say(words::PROVIDER_LINK_TEXT)) }
                    ul { @for base in bases { li { code { (format!("{base}/login/with/{id}")) } } } }
                }
            }
        }
        section {
            h2 { (words.say(words::PROVIDER_CHECK)) }
            @match (row["checked_at"].as_str(), problem) {
                (None, _) => p.dim { (words.say(words::PROVIDER_NOT_CHECKED)) },
                (Some(_), None) => p { (words.say(words::PROVIDER_WELL)) },
                (Some(_), Some(problem)) => p.notice.problem { (problem) },
            }
            @if edit {
                form.inline method="post" action=(format!("/identity-providers/{id}/check")) {
                    (page::csrf(viewer))
                    button type="submit" { (words.say(words::PROVIDER_CHECK_GO)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn the_page_of_a_provider_says_what_to_register_there() {
        let row = json!({"id": "idp_1", "enabled": true, "checked_at": "2026-01-01T00:00:00Z",
            "check_problem": "<b>x</b> answered 500"});
        let text = render(&viewer(), &row, &["https://o.example".to_owned()], true).into_string();
        assert!(text.contains("<code>https://o.example/login/callback/idp_1</code>"), "{text}");
        assert!(text.contains("<code>https://o.example/login/with/idp_1</code>"), "{text}");
        assert!(text.contains("&lt;b&gt;x&lt;/b&gt; answered 500"), "{text}");
        let text = render(&viewer(), &row, &[], false).into_string();
        assert!(!text.contains("<form") && text.contains("http.public_url"), "{text}");
    }
}
