//! What the page of a member of staff has besides its fields: the link to set a password with,
//! which whoever was added needs to come in, and whoever forgot theirs to come in again; where
//! they are signed in; acting as them.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{StaffId, StaffSessionId, Ts};
use serde_json::Value as Json;

use super::failure::Failure;
use super::guard::{Post, Signed};
use super::once::{self, Once};
use super::page::{self, Column, Notice, Viewer};
use super::words;
use super::{show, viewer};
use crate::domain::access::{session, staff};
use crate::domain::{Fault, Office};
use crate::entity::{Entity, read};
use crate::mail;

/// What belongs on the page of a member of staff.
pub(super) async fn of_staff(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let actor = &signed.actor;
    let (row, _) = read::find(office, actor, entity, entity.id(id)?).await?;
    let sessions = staff::sessions(office, actor, staff_id(id)?).await?;
    // One looks after one's own account on its own page.
    let own = actor.label() == id;
    let may = Allowed {
        edit: viewer::holds(actor, "staff.edit") && !own,
        impersonate: viewer::holds(actor, "staff.impersonate") && !own,
    };
    Ok(render(&signed.viewer, office.now(), id, &row, &sessions, may))
}

fn staff_id(text: &str) -> Result<StaffId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("staff"))
}

/// What the viewer may do here.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    edit: bool,
    impersonate: bool,
}

fn render(
    viewer: &Viewer,
    now: Ts,
    id: &str,
    row: &Json,
    sessions: &[session::View],
    may: Allowed,
) -> Markup {
    let words = &viewer.words;
    let active = row["status"] == "active";
    let name = row["name"].as_str().unwrap_or_default().to_owned();
    html! {
        @if active && (may.edit || may.impersonate) {
            div.actions {
                @if may.edit {
                    form method="post" action=(format!("/staff/{id}/link")) {
                        (page::csrf(viewer))
                        button.quiet type="submit" { (words.say(words::STAFF_LINK)) }
                    }
                }
                @if may.impersonate {
                    form method="post" action=(format!("/staff/{id}/impersonate"))
                        data-confirm=(words.say_with(
                            words::STAFF_IMPERSONATE_CONFIRM, &[("name", name.into())]
                        )) {
                        (page::csrf(viewer))
                        button.quiet type="submit" { (words.say(words::STAFF_IMPERSONATE)) }
                    }
                }
            }
        }
        section {
            h2 { (words.say(words::STAFF_SESSIONS)) }
            @if sessions.is_empty() {
                (page::empty(&words.say(words::STAFF_NO_SESSIONS), None))
            } @else {
                (table(viewer, now, id, sessions, may.edit))
            }
        }
    }
}

fn table(viewer: &Viewer, now: Ts, id: &str, sessions: &[session::View], ends: bool) -> Markup {
    let words = &viewer.words;
    let mut columns = vec![
        Column::text(words, words::ACCOUNT_SESSION_BROWSER),
        Column::text(words, words::ACCOUNT_SESSION_ADDRESS),
        Column::text(words, words::ACCOUNT_SESSION_SEEN),
    ];
    if ends {
        columns.push(Column::text(words, words::ACCOUNT_SESSION_END));
    }
    let text = |text: &Option<String>| match text.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => html! { (text) },
        None => html! { span.dim { (words.say(words::NONE)) } },
    };
    let row = |session: &session::View| {
        let mut cells = vec![
            text(&session.user_agent),
            text(&session.address),
            show::ago(words, now, session.seen_at),
        ];
        if ends {
            cells.push(html! {
                form method="post" action=(format!("/staff/{id}/end-session")) {
                    (page::csrf(viewer))
                    input type="hidden" name="session" value=(session.id);
                    button.quiet type="submit" { (words.say(words::ACCOUNT_SESSION_END)) }
                }
            });
        }
        cells
    };
    let rows: Vec<Vec<Markup>> = sessions.iter().map(row).collect();
    page::table(&words.say(words::STAFF_SESSIONS), &columns, &rows)
}

/// `POST /staff/{id}/end-session`
pub(super) async fn end_session(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let session = post.fields.get("session").parse::<StaffSessionId>();
        let session = session.map_err(|_| Fault::NotFound("session"))?;
        staff::end_session(&office, &post.signed.actor, staff_id(&id)?, session).await?;
        Ok(page::go(&Notice::SessionsEnded.after(&format!("/staff/{}", *id))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /staff/{id}/link`: the link is on this page and on no other.
pub(super) async fn link(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id = staff_id(&id)?;
        let signed = &post.signed;
        let (token, until) = staff::reset_password(&office, &signed.actor, id).await?;
        let host = request.connection_info().clone();
        let link =
            format!("{}://{}/set-password?token={}", host.scheme(), host.host(), token.expose());
        let until = show::minute(&signed.viewer.words, until);
        let mailed = mail::is_ready(&office, signed.actor.organisation).await?;
        let page = render_link(&signed.viewer, &id.to_string(), &link, until, mailed);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render_link(viewer: &Viewer, id: &str, link: &str, until: String, mailed: bool) -> Markup {
    let words = &viewer.words;
    let mut text = words.say_with(words::STAFF_LINK_TEXT, &[("until", until.into())]);
    if mailed {
        text.push(' ');
        text.push_str(&words.say(words::STAFF_LINK_MAILED));
    }
    let once = Once {
        place: "staff",
        title: words.say(words::STAFF_LINK),
        text,
        label: words.say(words::STAFF_LINK),
        secret: link,
        back: format!("/staff/{id}"),
        onwards: words.say(words::STAFF_LINK_BACK),
    };
    once::render(viewer, &once)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn the_link_is_shown_with_its_last_day() {
        let link = "https://x.example/set-password?token=lml_1";
        let text = render_link(&viewer(), "usr_1", link, "2026-03-04 09:30".to_owned(), true);
        let text = text.into_string();
        for part in [link, "2026-03-04 09:30", r#"/staff/usr_1""#, "by mail"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn sessions_are_ended_one_by_one_by_those_who_may() {
        let now = Ts::from_seconds(1_772_357_400);
        let session = session::View {
            id: StaffSessionId::generate(),
            created_at: now,
            seen_at: now,
            expires_at: now,
            address: Some("192.0.2.1".to_owned()),
            user_agent: Some("Browser <b>".to_owned()),
            current: false,
        };
        let row = json!({"status": "active", "name": "Asha"});
        let show = |may| {
            let sessions = std::slice::from_ref(&session);
            render(&viewer(), now, "usr_1", &row, sessions, may).into_string()
        };
        let text = show(Allowed { edit: true, impersonate: true });
        for part in ["Browser &lt;b&gt;", "/end-session", "/impersonate", "/link"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = show(Allowed { edit: false, impersonate: false });
        assert!(text.contains("192.0.2.1") && !text.contains("<form"), "{text}");
    }
}
