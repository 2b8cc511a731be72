//! Modules: what the viewer's organisation, or one below it, can do without.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::page::{self, Notice, Viewer};
use super::settings::{self, About};
use super::words::{self, Words};
use crate::domain::module::{self, State, View};
use crate::domain::{Fault, Office};

/// `GET /settings/modules`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let query = Fields::of_query(&request);
        let about = About::of(&office, &signed.actor, &query).await?;
        let id = about.as_ref().map(|about| about.id);
        let view = module::list(&office, &signed.actor, id).await?;
        let notice = Notice::from_word(query.get("done"));
        let body = render(&signed.viewer, about.as_ref(), &view, notice);
        Ok(page::send(StatusCode::OK, body))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /settings/modules`: a box that is not ticked is a module that is off.
pub(super) async fn change(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let about = About::of(&office, &signed.actor, &fields).await?;
        let id = about.as_ref().map(|about| about.id);
        let view = module::list(&office, &signed.actor, id).await?;
        let expected = fields.get("version").parse().ok();
        let address = About::keep(about.as_ref(), "/settings/modules");
        let change = difference(&view, &fields);
        match module::patch(&office, &signed.actor, id, &change, expected).await {
            Ok(_) => Ok(page::go(&Notice::ModulesChanged.after(&address))),
            Err(Fault::Stale) => Ok(page::go(&Notice::Stale.after(&address))),
            Err(fault) => Err(fault),
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// Whether a box would be ticked: what the organisation itself says, whatever stands above it.
fn is_ticked(state: &State) -> bool {
    state.own != Some(false)
}

/// Whether the organisation decides at all.
fn is_open(state: &State) -> bool {
    !state.fixed && state.off_at.is_none()
}

fn difference(view: &View, fields: &Fields) -> Map<String, Value> {
    let mut change = Map::new();
    for state in view.data.iter().flat_map(|state| std::iter::once(state).chain(&state.parts)) {
        let ticked = fields.0.contains_key(&state.name);
        if is_open(state) && ticked != is_ticked(state) {
            // On is what applies without one's own word.
            let value = if ticked { Value::Null } else { Value::Bool(false) };
            change.insert(state.name.clone(), value);
        }
    }
    change
}

fn toggle(words: &Words, state: &State) -> Markup {
    let id = format!("m-{}", state.name);
    html! {
        div.toggle {
            input id=(id) name=(state.name) type="checkbox" value="on"
                checked[is_ticked(state) && state.off_at.is_none()] disabled[!is_open(state)];
            label for=(id) { (words.module(&state.name)) }
            @if let Some(name) = &state.off_name {
                " " span.badge { (words.say_with(words::MODULES_OFF_AT, &[("name", name.clone().into())])) }
            } @else if state.fixed {
                " " span.badge { (words.say(words::MODULES_FIXED)) }
            }
        }
    }
}

fn render(viewer: &Viewer, about: Option<&About>, view: &View, notice: Option<Notice>) -> Markup {
    let words = &viewer.words;
    let body = html! {
        (settings::head(words, about, "modules"))
        form.card method="post" action="/settings/modules" {
            (page::csrf(viewer))
            (About::field(about))
            input type="hidden" name="version" value=(view.version);
            p.dim { (words.say(words::MODULES_TEXT)) }
            ul.tree {
                @for state in &view.data {
                    li {
                        (toggle(words, state))
                        @if !state.parts.is_empty() {
                            ul { @for part in &state.parts { li { (toggle(words, part)) } } }
                        }
                    }
                }
            }
            div.actions { button type="submit" { (words.say(words::FORM_SAVE)) } }
        }
    };
    let title = words.say(words::MODULES_TITLE);
    page::page(viewer, Some(settings::PLACE), &title, notice, &body)
}
