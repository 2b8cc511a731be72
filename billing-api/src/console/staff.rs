//! What the page of a member of staff has besides its fields: the link to set a password with,
//! which whoever was added needs to come in, and whoever forgot theirs to come in again.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::StaffId;

use super::failure::Failure;
use super::guard::{Post, Signed};
use super::page::{self, Viewer};
use super::words;
use super::{show, viewer};
use crate::domain::access::staff;
use crate::domain::{Fault, Office};
use crate::mail;

/// What belongs on the page of a member of staff.
pub(super) fn of_staff(signed: &Signed, id: &str) -> Markup {
    let viewer = &signed.viewer;
    html! {
        @if viewer::holds(&signed.actor, "staff.edit") {
            div.actions {
                form method="post" action=(format!("/staff/{id}/link")) {
                    (page::csrf(viewer))
                    button.quiet type="submit" { (viewer.words.say(words::STAFF_LINK)) }
                }
            }
        }
    }
}

/// `POST /staff/{id}/link`: the link is on this page and on no other.
pub(super) async fn link(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id: StaffId = id.parse().map_err(|_| Fault::NotFound("staff"))?;
        let signed = &post.signed;
        let (token, until) = staff::reset_password(&office, &signed.actor, id).await?;
        let link = format!("/set-password?token={}", token.expose());
        let until = show::minute(&signed.viewer.words, until);
        let mailed = mail::is_ready(&office, signed.actor.organisation).await?;
        let page = render(&signed.viewer, &id.to_string(), &link, until, mailed);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render(viewer: &Viewer, id: &str, link: &str, until: String, mailed: bool) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::STAFF_LINK);
    let body = html! {
        h1 { (title) }
        p { (words.say_with(words::STAFF_LINK_TEXT, &[("until", until.into())])) }
        @if mailed { p { (words.say(words::STAFF_LINK_MAILED)) } }
        p { a href=(link) { (link) } }
        p { a href=(format!("/staff/{id}")) { (words.say(words::STAFF_LINK_BACK)) } }
    };
    page::page(viewer, None, &title, None, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn the_link_is_shown_with_its_last_day() {
        let link = "/set-password?token=lml_1";
        let text = render(&viewer(), "usr_1", link, "2026-03-04 09:30".to_owned(), true);
        let text = text.into_string();
        for part in [r#"href="/set-password?token=lml_1""#, "2026-03-04 09:30", r#"/staff/usr_1""#]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
