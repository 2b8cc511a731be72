//! The small forms at the edges of pages: rows of a list, appearance, the organisation worked in.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use store::args;

use super::failure::Failure;
use super::guard::{Post, safe_next};
use super::page::{self, Theme};
use super::viewer::{ORGANISATION, SIZE, THEME};
use crate::domain::{Fault, Office, preference};
use crate::store::organisation;

/// `POST /size`
pub(super) async fn size(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let size: i64 = post
            .fields
            .get("size")
            .parse()
            .map_err(|_| Fault::field("/size", "is a number of rows"))?;
        preference::keep(&office, &post.signed.actor, SIZE, Some(json!(size))).await?;
        Ok(page::go(safe_next(post.fields.get("back"))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /theme`
pub(super) async fn theme(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let theme = Theme::from_word(post.fields.get("theme"));
        let word = Theme::ALL.iter().find(|(own, ..)| *own == theme).map(|(_, word, _)| *word);
        preference::keep(&office, &post.signed.actor, THEME, word.map(|word| json!(word))).await?;
        Ok(page::go(&came_from(&request)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /organisation`: from here on pages are about this organisation and those below it. The
/// choice is kept as a wish; each page checks it against who the viewer is.
pub(super) async fn organisation(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let missing = || Fault::NotFound("organisation");
        let id: model::OrganisationId =
            post.fields.get("organisation").parse().map_err(|_| missing())?;
        // The actor may stand further down at the moment, and goes up again: the viewer's list
        // has what is above, and beyond it the subtree is asked.
        let known = post.signed.viewer.branches.iter().any(|branch| branch.id == id.to_string());
        if !known {
            let args = args![post.signed.actor.path.as_str(), id];
            let row = office.db.fetch_optional(&organisation::FIND_BELOW, args).await?;
            row.ok_or_else(missing)?;
        }
        preference::keep(&office, &post.signed.actor, ORGANISATION, Some(json!(id))).await?;
        Ok(page::go("/"))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// The page a form was sent from, where the browser tells and it is one of ours.
fn came_from(request: &HttpRequest) -> String {
    let referer = request.headers().get("referer").and_then(|value| value.to_str().ok());
    let path = referer.and_then(|text| text.split_once("://")).and_then(|(_, rest)| {
        let at = rest.find('/')?;
        Some(&rest[at..])
    });
    safe_next(path.unwrap_or("/")).to_owned()
}
