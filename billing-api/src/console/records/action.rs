//! What can be done with a record besides changing its fields: a button each on its page, and
//! a page that asks where something is taken away or needs to be said.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::Value as Json;

use super::edit::{self, Filled, Sheet};
use super::slot::of_field;
use super::{Look, Titles, after, require, slots, title_of};
use crate::console::failure::Failure;
use crate::console::guard::{Post, Signed};
use crate::console::page::{self, Notice, Place, Viewer};
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, Input, Office, Unit};
use crate::entity::{Action, Draft, Entity, read};
use crate::http::Problem;

/// Buttons that stand side by side; more are folded into a menu.
const BESIDE: usize = 2;

/// What the viewer may do with a record, as far as there is anything to do.
pub(super) async fn offered(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    row: &Json,
) -> Result<Vec<&'static Action>, Fault> {
    let may = |action: &&Action| actor.rights.has(action.permission);
    let own: Vec<&'static Action> = entity.actions.iter().filter(may).collect();
    if own.is_empty() {
        return Ok(own);
    }
    let mut whole = row.clone();
    read::extend(office, actor, entity, std::slice::from_mut(&mut whole)).await?;
    Ok(own.into_iter().filter(|action| (action.applies)(&whole)).collect())
}

/// The buttons of a record's page.
pub(super) fn buttons(
    viewer: &Viewer,
    entity: &Entity,
    id: &str,
    version: i64,
    offered: &[&Action],
) -> Markup {
    let words = &viewer.words;
    let one = |action: &Action| {
        let (address, name) =
            (format!("/{}/{id}/{}", entity.path, action.name), words.deed(entity, action));
        html! {
            @if asks(action) {
                a.button.quiet .danger[action.harms] href=(address) { (name) }
            } @else {
                form method="post" action=(address) {
                    (page::csrf(viewer))
                    input type="hidden" name="version" value=(version);
                    button.quiet type="submit" { (name) }
                }
            }
        }
    };
    html! {
        @if offered.len() <= BESIDE {
            @for action in offered { (one(action)) }
        } @else {
            details.menu {
                summary { (words.say(words::RECORD_ACTIONS)) }
                div.list { @for action in offered { (one(action)) } }
            }
        }
    }
}

/// Whether a page asks before it is done.
fn asks(action: &Action) -> bool {
    action.harms || !action.arguments.is_empty()
}

/// What the page that asks shows.
struct View<'a> {
    entity: &'static Entity,
    action: &'static Action,
    id: &'a str,
    title: String,
    version: Option<i64>,
    sheet: Sheet,
    filled: Filled,
}

impl<'a> View<'a> {
    async fn load(
        office: &Office,
        actor: &Actor,
        words: &Words,
        (entity, action): (&'static Entity, &'static Action),
        id: &'a str,
    ) -> Result<Self, Fault> {
        require(actor, entity, "view")?;
        let (row, version) = read::find(office, actor, entity, entity.id(id)?).await?;
        let fields = slots(words, &actor.rights, entity, &[]);
        let titles = Titles::load(office, actor, &fields, std::slice::from_ref(&row)).await?;
        let look = Look { words, titles: &titles, short: true };
        let arguments = action.arguments.iter().map(|field| of_field(words, entity, field));
        let sheet = Sheet::of(entity, actor, arguments.collect());
        let (title, filled) = (title_of(entity, &look, &row), Filled::default());
        Ok(Self { entity, action, id, title, version: Some(version), sheet, filled })
    }
}

/// `GET /{path}/{id}/{action}`
pub(super) async fn ask(
    entity: &'static Entity,
    action: &'static Action,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        let view = View::load(&office, actor, &viewer.words, (entity, action), &id).await?;
        Ok(page::send(StatusCode::OK, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /{path}/{id}/{action}`
pub(super) async fn act(
    entity: &'static Entity,
    action: &'static Action,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        let words = &viewer.words;
        let record = entity.id(&id)?;
        let address = format!("/{}/{}", entity.path, *id);
        let expected = fields.get("version").parse().ok();
        let arguments = action.arguments.iter().map(|field| of_field(words, entity, field));
        let sheet = Sheet::of(entity, actor, arguments.collect());
        let mut filled = sheet.sent(words, &fields);
        let document = sheet.document(&office, actor, words, &mut filled, false).await?;
        let done = match Draft::arguments(action.arguments, Input::of_fields(document)) {
            Ok(arguments) if !filled.is_wrong() => {
                run(&office, actor, action, record, expected, &arguments).await
            }
            Ok(_) => Err(Fault::Invalid(Vec::new())),
            Err(fault) => Err(fault),
        };
        let fault = match done {
            Ok(()) => return Ok(page::go(&after(&address, action.name, None))),
            Err(Fault::Stale) => return Ok(page::go(&Notice::Stale.after(&address))),
            Err(fault @ Fault::Invalid(_)) => fault,
            Err(fault) => return Err(fault),
        };
        let status = Problem::status(&fault).0;
        let mut view = View::load(&office, actor, words, (entity, action), &id).await?;
        view.filled = filled.refused(&view.sheet, fault)?;
        view.version = expected;
        Ok(page::send(status, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

async fn run(
    office: &Office,
    actor: &Actor,
    action: &Action,
    id: uuid::Uuid,
    expected: Option<i64>,
    arguments: &Draft,
) -> Result<(), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    (action.run)(&mut unit, id, expected, arguments).await?;
    unit.commit().await
}

/// The page that asks.
fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let name = words.deed(view.entity, view.action);
    let title = || [("title", view.title.clone().into())];
    let heading = words.say_with(
        words::ACTION_TITLE,
        &[("action", name.clone().into()), ("title", view.title.clone().into())],
    );
    let list = format!("/{}", view.entity.path);
    let record = format!("{list}/{}", view.id);
    let controls = edit::controls(words, &view.sheet, &view.filled, false);
    let body = html! {
        p.crumb {
            a href=(list) { (words.entities(view.entity)) } " / " a href=(record) { (view.title) }
        }
        h1 { (heading) }
        form.card method="post" action=(format!("{record}/{}", view.action.name))
            novalidate[view.filled.is_wrong()] {
            (page::csrf(viewer))
            @if let Some(version) = view.version {
                input type="hidden" name="version" value=(version);
            }
            (edit::problems(words, &controls, view.filled.elsewhere()))
            p { (words.deed_question(view.entity, view.action, &title())) }
            @if !controls.is_empty() {
                div.fields { @for (control, _) in &controls { (control.show(words)) } }
            }
            div.actions {
                button .danger[view.action.harms] type="submit" { (name) }
                a.button.quiet href=(record) { (words.say(words::FORM_CANCEL)) }
            }
        }
    };
    page::page(viewer, Some(Place::At(view.entity.path)), &heading, None, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;
    use crate::entity::registry::{ENTITIES, by_name};

    #[test]
    fn what_takes_something_away_is_asked_first_and_many_are_folded() {
        let service = by_name("service").unwrap();
        let two = |action: &&Action| ["suspend", "activate"].contains(&action.name);
        let all: Vec<&Action> = service.actions.iter().filter(two).collect();
        let text = buttons(&viewer(), service, "svc_1", 7, &all).into_string();
        assert!(text.contains(r#"href="/services/svc_1/suspend""#), "{text}");
        assert!(text.contains(r#"action="/services/svc_1/activate""#), "{text}");
        assert!(text.contains(r#"name="version" value="7""#) && !text.contains("<details"));
        let staff = by_name("staff").unwrap();
        let all: Vec<&Action> = staff.actions.iter().collect();
        let text = buttons(&viewer(), staff, "usr_1", 7, &all).into_string();
        assert!(text.contains("<details") && text.contains(r#"href="/staff/usr_1/disable""#));
    }

    #[test]
    fn every_action_has_its_words_and_a_permission_that_exists() {
        for (entity, action) in
            ENTITIES.iter().flat_map(|entity| entity.actions.iter().map(move |a| (entity, a)))
        {
            for key in Words::deed_keys(entity, action) {
                assert!(model::text::has(&key), "{key}");
            }
            assert!(crate::domain::access::Rights::all().has(action.permission));
        }
    }
}
