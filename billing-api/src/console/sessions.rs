//! Sessions: who is online, who was.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Ts;
use model::units::ShowOctets;

use super::failure::{Failure, spare};
use super::guard::{Fields, Signed};
use super::network;
use super::page::{self, Column, Place, Viewer};
use super::show;
use super::words::{self, Key, Words};
use crate::domain::session::{self, Filter};
use crate::domain::{Office, PAGE_DEFAULT, Page};

/// Which sessions are shown: a word of the address, and what it is called.
const STATES: [(&str, Option<bool>, Key); 3] = [
    ("open", Some(true), words::SESSIONS_OPEN),
    ("closed", Some(false), words::SESSIONS_CLOSED),
    ("all", None, words::SESSIONS_ALL),
];

/// What the page shows.
struct View<'a> {
    now: Ts,
    login: &'a str,
    state: &'a str,
    /// Whether these are older rows, behind a cursor.
    later: bool,
    /// Nothing where the network's database is away.
    sessions: Option<Page<session::View>>,
    /// What of the address could not be used.
    notice: Markup,
}

/// `GET /sessions`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let query = Fields::of_query(&request);
    let known = STATES.iter().find(|(word, ..)| *word == query.get("state"));
    let (word, open, _) = known.unwrap_or(&STATES[0]);
    let login = query.get("login");
    let after = query.get("cursor").parse().ok();
    let notice = network::left_out(&signed.viewer.words, &query, |name| match name {
        "state" => known.is_some(),
        "cursor" => after.is_some(),
        name => name == "login",
    });
    let filter =
        Filter { login: (!login.is_empty()).then(|| login.to_owned()), open: *open, service: None };
    let listed = session::list(&office, &signed.actor, &filter, after, PAGE_DEFAULT).await;
    let sessions = spare(&request, listed);
    let (now, later) = (office.now(), after.is_some());
    let view = View { now, login, state: word, later, sessions, notice };
    Ok(page::send(StatusCode::OK, render(&signed.viewer, &view)))
}

fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::SESSIONS_TITLE);
    let address = format!("/sessions?state={}&login={}", view.state, show::encode(view.login));
    let body = html! {
        div.head { h1 { (title) } }
        form.filter method="get" action="/sessions" role="search" {
            div.field {
                label for="f-login" { (words.say(words::SESSION_LOGIN)) }
                input id="f-login" name="login" type="search" value=(view.login) data-search
                    autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            div.field {
                label for="f-state" { (words.say(words::SESSIONS_SHOW)) }
                select id="f-state" name="state" {
                    @for (word, _, name) in STATES {
                        option value=(word) selected[word == view.state] { (words.say(name)) }
                    }
                }
            }
            button type="submit" { (words.say(words::SEARCH)) }
        }
        (view.notice)
        // Older rows do not change; only the first page follows the network.
        div id="sessions" data-refresh[!view.later] {
            @match &view.sessions {
                None => (page::empty(&words.say(words::AWAY), None)),
                Some(sessions) if sessions.rows.is_empty() => {
                    @if view.state == "open" && view.login.is_empty() {
                        (page::empty(&words.say(words::SESSIONS_EMPTY), None))
                    } @else {
                        (page::empty(
                            &words.say(words::SESSIONS_NOT_FOUND),
                            Some(("/sessions?state=all", &words.say(words::SESSIONS_ALL))),
                        ))
                    }
                }
                Some(sessions) => {
                    (table(words, view.now, &title, &sessions.rows))
                    (page::pager(words, &address, view.later, sessions.next.as_deref()))
                }
            }
        }
    };
    page::page(viewer, Some(Place::Sessions), &title, None, &body)
}

/// A table of sessions; on other pages too.
pub(super) fn table(words: &Words, now: Ts, caption: &str, sessions: &[session::View]) -> Markup {
    let columns = [
        Column::text(words, words::SESSION_LOGIN),
        Column::text(words, words::SESSION_STATE),
        Column::text(words, words::SESSION_NAS),
        Column::text(words, words::SESSION_IP),
        Column::text(words, words::SESSION_MAC),
        Column::text(words, words::SESSION_STARTED),
        Column::number(words, words::SESSION_DURATION),
        Column::number(words, words::SESSION_DOWNLOAD),
        Column::number(words, words::SESSION_UPLOAD),
    ];
    let rows: Vec<Vec<Markup>> = sessions.iter().map(|session| row(words, now, session)).collect();
    page::table(caption, &columns, &rows)
}

fn row(words: &Words, now: Ts, session: &session::View) -> Vec<Markup> {
    let lasted = session.ended_at.unwrap_or(now).seconds() - session.started_at.seconds();
    let none = || html! { span.dim { (words.say(words::NONE)) } };
    let optional = |text: Option<String>| match text {
        Some(text) if !text.is_empty() => html! { code { (text) } },
        _ => none(),
    };
    vec![
        network::login(
            words,
            &session.login,
            session.customer_id.map(|id| format!("/customers/{id}")),
        ),
        match session.ended_at {
            None => html! { span.badge.good { (words.say(words::SESSION_OPEN)) } },
            Some(_) => html! {
                span.badge { (words.say(words::SESSION_CLOSED)) }
                @if let Some(cause) = &session.end_cause { " " small.dim { (cause) } }
            },
        },
        network::nas(words, session.nas_name.as_deref()),
        optional(session.ip.map(|ip| ip.to_string())),
        optional(session.calling_station.clone()),
        show::time(words, session.started_at),
        html! { (show::lasts(words, lasted)) },
        html! { (ShowOctets(session.download_octets)) },
        html! { (ShowOctets(session.upload_octets)) },
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use model::{CustomerId, NasId, SessionId};
    use uuid::Uuid;

    use super::*;
    use crate::console::page::tests::viewer;

    pub(in crate::console) fn session(login: &str) -> session::View {
        let started: Ts = "2026-03-01T09:30:00Z".parse().unwrap();
        session::View {
            id: SessionId(Uuid::from_u128(1)),
            state: "open",
            login: login.to_owned(),
            nas_id: NasId(Uuid::from_u128(2)),
            nas_name: Some("bng-north".to_owned()),
            acct_session_id: "81d0001a".to_owned(),
            service_id: None,
            customer_id: Some(CustomerId(Uuid::from_u128(3))),
            calling_station: Some("02:00:00:00:00:07".to_owned()),
            ip: Some("10.20.0.7".parse().unwrap()),
            started_at: started,
            updated_at: started,
            ended_at: None,
            end_cause: None,
            download_octets: 1_610_612_736,
            upload_octets: 52_428_800,
        }
    }

    fn shown(sessions: Option<Page<session::View>>, login: &str, later: bool) -> String {
        let now = "2026-03-01T11:35:00Z".parse().unwrap();
        let notice = page::left_out(&Words::english(), &[("odd".to_owned(), "<x>".to_owned())]);
        let view = View { now, login, state: "open", later, sessions, notice };
        let text = render(&viewer(), &view).into_string();
        assert!(text.contains("<code>odd</code>: &lt;x&gt;"), "{text}");
        text
    }

    fn page_of(rows: Vec<session::View>, next: Option<&str>) -> Option<Page<session::View>> {
        Some(Page { rows, next: next.map(str::to_owned) })
    }

    #[test]
    fn a_session_shows_who_where_how_long_and_how_much() {
        let text = shown(page_of(vec![session("asha")], None), "", false);
        for part in [
            "asha",
            "bng-north",
            "10.20.0.7",
            "02:00:00:00:00:07",
            "2 h 5 min",
            "1.5 GiB",
            "50 MiB",
            "2026-03-01 09:30",
            "Open",
            "/customers/cus_",
            "data-refresh",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn a_login_from_the_network_is_only_text() {
        let text = shown(page_of(vec![session("<img src=x onerror=alert(1)>")], None), "", false);
        assert!(!text.contains("<img src=x"));
        assert!(text.contains("&lt;img src=x"));
    }

    #[test]
    fn the_filter_stays_in_the_way_to_older_sessions() {
        let text = shown(page_of(vec![session("a&b")], Some("sess_9")), "a&b", true);
        assert!(text.contains("/sessions?state=open&amp;login=a%26b&amp;cursor=sess_9"), "{text}");
        assert!(!text.contains("data-refresh"), "older rows do not change");
    }

    #[test]
    fn an_empty_list_says_why() {
        assert!(shown(page_of(vec![], None), "", false).contains("No session is open."));
        assert!(shown(page_of(vec![], None), "x", false).contains("No session matches."));
        assert!(shown(None, "", false).contains("does not answer"));
    }
}
