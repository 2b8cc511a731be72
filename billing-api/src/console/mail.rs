//! What the pages of letters and mail servers have besides their fields: sending one again, and
//! a letter to oneself, to see whether mail arrives.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::failure::Failure;
use super::guard::{Post, Signed};
use super::page::{self, Notice};
use super::viewer;
use super::words::{self, Key};
use crate::domain::{Fault, Office, Unit};
use crate::entity::{Entity, read};
use crate::mail::queue::MAIL;
use crate::mail::server::MAIL_SERVER;

/// The descriptions, where ones are wanted that stay.
static LETTERS: &Entity = &MAIL;
static SERVERS: &Entity = &MAIL_SERVER;

fn button(signed: &Signed, address: &str, name: Key) -> Markup {
    html! {
        @if viewer::holds(&signed.actor, "mail.edit") {
            div.actions {
                form method="post" action=(address) {
                    (page::csrf(&signed.viewer))
                    button.quiet type="submit" { (signed.viewer.words.say(name)) }
                }
            }
        }
    }
}

/// What belongs on the page of a letter.
pub(super) async fn of_letter(office: &Office, signed: &Signed, id: &str) -> Result<Markup, Fault> {
    let (row, _) = read::find(office, &signed.actor, LETTERS, LETTERS.id(id)?).await?;
    if row["state"] != "failed" {
        return Ok(html! {});
    }
    Ok(button(signed, &format!("/mail/{id}/retry"), words::MAIL_RETRY))
}

/// What belongs on the page of a mail server.
pub(super) fn of_server(signed: &Signed, id: &str) -> Markup {
    button(signed, &format!("/mail-servers/{id}/test"), words::MAIL_TEST)
}

/// Does the one thing that can be done with a record besides changing it.
async fn act(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    name: &str,
    id: &str,
) -> Result<(), Fault> {
    let action = entity.actions.iter().find(|action| action.name == name);
    let action = action.ok_or(Fault::NotFound("page"))?;
    let mut unit = Unit::begin(office, &signed.actor).await?;
    (action.run)(&mut unit, entity.id(id)?, None).await?;
    unit.commit().await
}

/// `POST /mail/{id}/retry`
pub(super) async fn retry(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        act(&office, &post.signed, LETTERS, "retry", &id).await?;
        Ok(page::go(&Notice::MailQueued.after(&format!("/mail/{}", *id))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /mail-servers/{id}/test`: the letter is in the list, where one sees how it fares.
pub(super) async fn test(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        act(&office, &post.signed, SERVERS, "test", &id).await?;
        let mine = read::may(&post.signed.actor, LETTERS, "view");
        let next = if mine { "/mail".to_owned() } else { format!("/mail-servers/{}", *id) };
        Ok(page::go(&Notice::MailQueued.after(&next)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}
