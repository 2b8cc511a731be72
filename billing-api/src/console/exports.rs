//! Files that are made in the background: how one gets on, and fetching it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::failure::Failure;
use super::guard::Signed;
use super::page::{self, Viewer};
use super::show;
use super::words;
use crate::domain::{Fault, Office};
use crate::entity::export::EXPORT;
use crate::entity::export::background::{self, Kept};
use crate::http;

/// What belongs on the page of an export whose file is kept.
pub(super) async fn of_export(office: &Office, signed: &Signed, id: &str) -> Result<Markup, Fault> {
    match background::find(office, &signed.actor, id).await {
        Ok(kept) => Ok(state(&signed.viewer, &kept)),
        // One that left at once, or one whose file the viewer may not have.
        Err(Fault::NotFound(_)) => Ok(html! {}),
        Err(fault) => Err(fault),
    }
}

/// `GET /exports/{id}/ready`
pub(super) async fn ready(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let kept = background::find(&office, &signed.actor, &id).await?;
        let viewer = &signed.viewer;
        let title = kept.file_name.clone();
        let body = html! {
            h1 { (title) }
            (state(viewer, &kept))
        };
        Ok(page::send(StatusCode::OK, page::page(viewer, None, &title, None, &body)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// How far it is, and the way to the file.
fn state(viewer: &Viewer, kept: &Kept) -> Markup {
    let words = &viewer.words;
    let id = model::id::show(EXPORT.prefix, kept.id);
    let under_way = ["queued", "running"].contains(&kept.state.as_str());
    let rows = [("rows", show::count(kept.rows).into())];
    html! {
        // One that is over does not change any more.
        div id="export" data-refresh[under_way] {
            @match kept.state.as_str() {
                "finished" => {
                    p { (words.say_with(words::EXPORT_READY, &rows)) }
                    @if let Some(until) = kept.purge_at {
                        @let until = [("until", show::minute(words, until).into())];
                        p.dim { (words.say_with(words::EXPORT_UNTIL, &until)) }
                    }
                    p { a.button href=(format!("/exports/{id}/file")) {
                        (words.say(words::EXPORT_FETCH))
                    } }
                }
                "broken" => p { (words.say(words::EXPORT_BROKEN)) },
                "purged" => p { (words.say(words::EXPORT_PURGED)) },
                _ => {
                    p { (words.say(words::EXPORT_MAKING)) }
                    p.dim { (words.say(words::EXPORT_MAKING_HINT)) }
                }
            }
        }
    }
}

/// `GET /exports/{id}/file`
pub(super) async fn file(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let file = http::file_kept(office, &signed.actor, &id).await;
    file.map_err(|fault| Failure::new(&request, fault))
}

#[cfg(test)]
mod tests {
    use sheet::Format;

    use super::*;
    use crate::console::page::tests::viewer;

    fn kept(state: &str) -> Kept {
        Kept {
            id: uuid::Uuid::nil(),
            organisation: model::OrganisationId::NONE,
            file_name: "customers.csv".to_owned(),
            format: Format::Csv,
            state: state.to_owned(),
            rows: 25_000,
            octets: 1_000_000,
            purge_at: Some("2026-03-04T09:30:00Z".parse().unwrap()),
            view: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_file_can_be_fetched_when_it_is_there_and_is_waited_for_before() {
        let text = |of: &str| state(&viewer(), &kept(of)).into_string();
        assert!(text("queued").contains("data-refresh") && !text("queued").contains("/file"));
        assert!(text("finished").contains("/file") && text("finished").contains("2026-03-04"));
        assert!(!text("purged").contains("/file") && !text("broken").contains("data-refresh"));
    }
}
