//! Refused logins: who cannot get in, and why.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::identity::MacAddress;
use model::reject::RejectReason;

use super::failure::{Failure, spare};
use super::guard::{Fields, Signed};
use super::network;
use super::page::{self, Column, Place, Viewer};
use super::show;
use super::words::{self, Words};
use crate::domain::auth_log::{self, Filter};
use crate::domain::{Office, PAGE_DEFAULT, Page};

/// What the page shows.
struct View<'a> {
    login: &'a str,
    station: &'a str,
    reason: Option<RejectReason>,
    /// Whether these are older rows, behind a cursor.
    later: bool,
    /// Nothing where the network's database is away.
    refused: Option<Page<auth_log::View>>,
    /// What of the address could not be used.
    notice: Markup,
}

/// `GET /auth-log`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let query = Fields::of_query(&request);
    let given = |name| Some(query.get(name)).filter(|text| !text.is_empty());
    let (login, station) = (query.get("login"), query.get("station"));
    let reason = given("reason").and_then(RejectReason::from_word);
    let after = query.get("cursor").parse().ok();
    let filter = Filter {
        login: given("login").map(str::to_owned),
        station: given("station").map(str::to_owned),
        reason,
        ..Filter::default()
    };
    let listed = auth_log::list(&office, &signed.actor, &filter, after, PAGE_DEFAULT).await;
    let refused = spare(&request, listed);
    let later = after.is_some();
    let notice = network::left_out(&signed.viewer.words, &query, |name| match name {
        "reason" => reason.is_some(),
        "cursor" => later,
        name => ["login", "station"].contains(&name),
    });
    let view = View { login, station, reason, later, refused, notice };
    Ok(page::send(StatusCode::OK, render(&signed.viewer, &view)))
}

fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::AUTH_LOG_TITLE);
    let reason = view.reason.map_or("", RejectReason::as_str);
    let address = format!(
        "/auth-log?login={}&station={}&reason={reason}",
        show::encode(view.login),
        show::encode(view.station)
    );
    let filtered = !view.login.is_empty() || !view.station.is_empty() || view.reason.is_some();
    let body = html! {
        div.head { h1 { (title) } }
        form.filter method="get" action="/auth-log" role="search" {
            div.field {
                label for="f-login" { (words.say(words::SESSION_LOGIN)) }
                input id="f-login" name="login" type="search" value=(view.login) data-search
                    autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            div.field {
                label for="f-station" { (words.say(words::SESSION_MAC)) }
                input id="f-station" name="station" type="search" value=(view.station)
                    autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            div.field {
                label for="f-reason" { (words.say(words::AUTH_LOG_REASON)) }
                select id="f-reason" name="reason" {
                    option value="" { (words.say(words::AUTH_LOG_ANY_REASON)) }
                    @for reason in RejectReason::ALL {
                        option value=(reason.as_str()) selected[view.reason == Some(reason)] {
                            (words.refusal(reason))
                        }
                    }
                }
            }
            button type="submit" { (words.say(words::SEARCH)) }
        }
        (view.notice)
        // Older rows hardly change; only the first page follows the network.
        div id="auth-log" data-refresh[!view.later] {
            @match &view.refused {
                None => (page::empty(&words.say(words::AWAY), None)),
                Some(refused) if refused.rows.is_empty() && filtered => {
                    (page::empty(
                        &words.say(words::AUTH_LOG_NOT_FOUND),
                        Some(("/auth-log", &words.say(words::AUTH_LOG_ALL))),
                    ))
                }
                Some(refused) if refused.rows.is_empty() => {
                    (page::empty(&words.say(words::AUTH_LOG_EMPTY), None))
                }
                Some(refused) => {
                    (table(words, &title, &refused.rows))
                    (page::pager(words, &address, view.later, refused.next.as_deref()))
                }
            }
        }
    };
    page::page(viewer, Some(Place::At("auth-log")), &title, None, &body)
}

fn table(words: &Words, caption: &str, rows: &[auth_log::View]) -> Markup {
    let columns = [
        Column::text(words, words::AUTH_LOG_LAST),
        Column::text(words, words::SESSION_LOGIN),
        Column::text(words, words::AUTH_LOG_REASON),
        Column::number(words, words::AUTH_LOG_ATTEMPTS),
        Column::text(words, words::SESSION_MAC),
        Column::text(words, words::SESSION_NAS),
    ];
    let rows: Vec<Vec<Markup>> = rows.iter().map(|refused| row(words, refused)).collect();
    page::table(caption, &columns, &rows)
}

fn row(words: &Words, refused: &auth_log::View) -> Vec<Markup> {
    let reason = match RejectReason::from_word(&refused.reason) {
        Some(reason) => words.refusal(reason),
        // Of a newer version.
        None => refused.reason.clone(),
    };
    vec![
        show::time(words, refused.last_at),
        network::login(
            words,
            &refused.login,
            refused.service_id.map(|id| format!("/services/{id}")),
        ),
        html! { (reason) },
        html! { (refused.attempts) },
        match refused.station.as_deref() {
            // A MAC in the one spelling there is on these pages.
            Some(station) => match station.parse::<MacAddress>() {
                Ok(mac) => html! { code { (mac) } },
                Err(_) => html! { code { (station) } },
            },
            None => html! { span.dim { (words.say(words::NONE)) } },
        },
        network::nas(words, refused.nas_name.as_deref()),
    ]
}

#[cfg(test)]
mod tests {
    use model::{NasId, RefusalId, ServiceId, Ts};
    use uuid::Uuid;

    use super::*;
    use crate::console::page::tests::viewer;

    fn refused(login: &str, reason: &str) -> auth_log::View {
        let at: Ts = "2026-03-01T09:30:00Z".parse().unwrap();
        auth_log::View {
            id: RefusalId(Uuid::from_u128(1)),
            login: login.to_owned(),
            station: Some("02-00-00-00-00-07".to_owned()),
            reason: reason.to_owned(),
            attempts: 41,
            first_at: at,
            last_at: at,
            nas_id: NasId(Uuid::from_u128(2)),
            nas_name: Some("bng-north".to_owned()),
            service_id: Some(ServiceId(Uuid::from_u128(3))),
            customer_id: None,
        }
    }

    fn shown(refused: Option<Page<auth_log::View>>, login: &str) -> String {
        let (station, reason, later) = ("", None, false);
        let query = Fields([("odd".to_owned(), "<x>".to_owned())].into());
        let notice = network::left_out(&Words::english(), &query, |_| false);
        let view = View { login, station, reason, later, refused, notice };
        let text = render(&viewer(), &view).into_string();
        assert!(text.contains("<code>odd</code>: &lt;x&gt;"), "{text}");
        text
    }

    #[test]
    fn a_refusal_says_who_why_how_often_and_from_where() {
        let rows = vec![refused("asha<", "wrong_password"), refused("ravi", "from_the_future")];
        let text = shown(Some(Page { rows, next: Some("rfl_1".to_owned()) }), "a&b");
        for part in [
            "asha&lt;",
            "Wrong password",
            "41",
            "02:00:00:00:00:07",
            "bng-north",
            "2026-03-01 09:30",
            "/services/svc_",
            "from_the_future",
            "login=a%26b&amp;station=&amp;reason=&amp;cursor=rfl_1",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn an_empty_log_says_why() {
        let none = || Some(Page { rows: vec![], next: None });
        assert!(shown(none(), "").contains("No login was refused"));
        assert!(shown(none(), "x").contains("No refused login matches"));
        assert!(shown(None, "").contains("does not answer"));
    }
}
