//! Organisations: the tree below the viewer's own. One of them has the page that every kind of
//! record has.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::OrganisationId;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::form::{Filled, Input};
use super::guard::{Fields, Post, Signed};
use super::page::{self, Notice, Place, Toast, Viewer};
use super::records::{export_of, toast};
use super::words::{self, Key, Words};
use crate::domain::organisation::{self, Kind, New, ORGANISATION, View};
use crate::domain::{Actor, Fault, Office, PAGE_MAX};
use crate::entity::{Entity, read};
use crate::http::Problem;

static DESCRIPTION: &Entity = &ORGANISATION;

const PLACE: Place = Place::At("organisations");
/// Organisations shown at most: a tree that is longer is not looked through on one page.
const SHOWN_MAX: usize = 2_000;

const PARENT: Input = Input::new("parent_id", words::ORGANISATION_PARENT);
const KIND: Input = Input::new("kind", words::ORGANISATION_KIND);
const NAME: Input = Input::new("name", words::ORGANISATION_NAME);
const ADDRESS: Input = Input::new("address", words::ORGANISATION_ADDRESS).optional();
const ENTITY: Input =
    Input::new("legal_entity", words::ORGANISATION_ENTITY).hint(words::ORGANISATION_ENTITY_HINT);
const CURRENCY: Input = Input::new("currency", words::ORGANISATION_CURRENCY)
    .hint(words::ORGANISATION_CURRENCY_HINT)
    .optional();
const ZONE: Input =
    Input::new("zone", words::ORGANISATION_ZONE).hint(words::ORGANISATION_INHERITS).optional();
const NEW: [Input; 7] = [PARENT, KIND, NAME, ADDRESS, ENTITY, CURRENCY, ZONE];
const MOVE: [Input; 1] = [PARENT];

/// The organisations of a subtree, in the order of the tree, each with its depth.
struct Tree(Vec<(usize, View)>);

impl Tree {
    async fn load(office: &Office, actor: &Actor) -> Result<Self, Fault> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = organisation::list(office, actor, after, PAGE_MAX).await?;
            after = page.rows.last().map(|view| view.id);
            all.extend(page.rows);
            if page.next.is_none() || all.len() >= SHOWN_MAX {
                break;
            }
        }
        Ok(Self::of(all, actor.organisation))
    }

    fn of(all: Vec<View>, top: OrganisationId) -> Self {
        let mut below: HashMap<OrganisationId, Vec<View>> = HashMap::new();
        let mut waiting = Vec::new();
        for view in all {
            match view.parent_id {
                Some(parent) => below.entry(parent).or_default().push(view),
                None if view.id == top => waiting.push((0, view)),
                None => {}
            }
        }
        let mut ordered = Vec::new();
        while let Some((depth, view)) = waiting.pop() {
            let mut children = below.remove(&view.id).unwrap_or_default();
            // Taken from the end: the last comes first.
            children.sort_by(|a, b| b.name.cmp(&a.name));
            waiting.extend(children.into_iter().map(|child| (depth + 1, child)));
            ordered.push((depth, view));
        }
        Self(ordered)
    }

    /// Those that another can be put below; `not` and what is below it are left out.
    fn parents(&self, not: Option<OrganisationId>) -> Vec<(String, String)> {
        let mut skipped: Option<usize> = None;
        let mut choices = Vec::new();
        for (depth, view) in &self.0 {
            if skipped.is_some_and(|skipped| *depth > skipped) {
                continue;
            }
            skipped = (Some(view.id) == not).then_some(*depth);
            if skipped.is_none() && Kind::Branch.fits_below(view.kind) {
                // An em space for each level: ordinary ones are dropped by browsers.
                let name = format!("{}{}", "\u{2003}".repeat(*depth), view.name);
                choices.push((view.id.to_string(), name));
            }
        }
        choices
    }
}

fn kind_name(words: &Words, kind: Kind) -> String {
    words.say(match kind {
        Kind::Isp => words::ORGANISATION_ISP,
        Kind::Partner => words::ORGANISATION_PARTNER,
        Kind::Branch => words::ORGANISATION_BRANCH,
    })
}

/// `GET /organisations`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let tree = Tree::load(&office, &signed.actor).await;
    let tree = tree.map_err(|fault| Failure::new(&request, fault))?;
    let viewer = &signed.viewer;
    let toast = toast(&viewer.words, DESCRIPTION, &Fields::of_query(&request));
    let export = read::may(&signed.actor, DESCRIPTION, "export");
    Ok(page::send(StatusCode::OK, render(viewer, &tree, export, toast)))
}

/// `GET /organisations/new`
pub(super) async fn form(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let tree = Tree::load(&office, &signed.actor).await;
    let tree = tree.map_err(|fault| Failure::new(&request, fault))?;
    let query = Fields::of_query(&request);
    let own = signed.actor.organisation.to_string();
    let parent = match query.get("parent") {
        "" => own.as_str(),
        parent => parent,
    };
    let filled =
        Filled::starting(&[("parent_id", parent), ("kind", "partner"), ("legal_entity", "no")]);
    Ok(page::send(StatusCode::OK, render_form(&signed.viewer, &tree, &filled)))
}

/// A form's fields as the rules read them. `clear`: an empty one is a value too.
fn body(fields: &Fields, inputs: &[Input], clear: bool) -> Vec<u8> {
    let mut body = Map::new();
    for input in inputs {
        let text = fields.get(input.name);
        let value = match (input.name, text) {
            ("legal_entity", text) => Value::Bool(text == "yes"),
            (_, "") if clear => Value::Null,
            (_, "") => continue,
            (_, text) => text.into(),
        };
        body.insert(input.name.to_owned(), value);
    }
    Value::Object(body).to_string().into_bytes()
}

/// `POST /organisations`
pub(super) async fn create(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let created = match New::parse(&body(&fields, &NEW, false)) {
            Ok(new) => organisation::create(&office, &signed.actor, new).await,
            Err(fault) => Err(fault),
        };
        let fault = match created {
            Ok(_) => return Ok(page::go(&Notice::OrganisationCreated.after("/organisations"))),
            Err(fault) => fault,
        };
        let status = Problem::status(&fault).0;
        let filled = Filled::sent(&NEW, &fields).refused(&signed.viewer.words, &NEW, fault)?;
        let tree = Tree::load(&office, &signed.actor).await?;
        Ok(page::send(status, render_form(&signed.viewer, &tree, &filled)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn parse(id: &str) -> Result<OrganisationId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("organisation"))
}

/// What the page of an organisation has besides its fields: its settings, what is new below it,
/// and another place for it.
pub(super) async fn of_organisation(
    office: &Office,
    signed: &Signed,
    id: &str,
) -> Result<Markup, Fault> {
    let Signed { actor, viewer, .. } = signed;
    let (words, view) = (&viewer.words, organisation::find(office, actor, parse(id)?).await?);
    let own = view.id == actor.organisation;
    let settings = match own {
        true => "/settings/business".to_owned(),
        false => format!("/settings/business?organisation={id}"),
    };
    let may = |permission| super::viewer::holds(actor, permission);
    let place = match own || !may("partners.edit") {
        true => html! {},
        false => {
            let parent = view.parent_id.map(|id| id.to_string()).unwrap_or_default();
            let filled = Filled::starting(&[("parent_id", &parent)]);
            place(viewer, &view, &Tree::load(office, actor).await?, &filled)
        }
    };
    Ok(html! {
        div.actions {
            @if may("settings.view") {
                a.button.quiet href=(settings) { (words.say(words::SETTINGS_TITLE)) }
            }
            @if view.kind != Kind::Branch && may("partners.create") {
                a.button.quiet href=(format!("/organisations/new?parent={id}")) {
                    (words.say(words::ORGANISATIONS_NEW))
                }
            }
        }
        (place)
    })
}

/// The form that puts it below another.
fn place(viewer: &Viewer, view: &View, tree: &Tree, filled: &Filled) -> Markup {
    let words = &viewer.words;
    html! {
        form.card method="post" action=(format!("/organisations/{}/move", view.id)) {
            (page::csrf(viewer))
            input type="hidden" name="version" value=(view.version);
            h2 { (words.say(words::ORGANISATION_MOVE)) }
            p.dim { (words.say(words::ORGANISATION_MOVE_TEXT)) }
            (filled.problems(words, &MOVE))
            (filled.select(words, &PARENT, &tree.parents(Some(view.id)), false))
            div.actions {
                button.quiet type="submit" { (words.say(words::ORGANISATION_MOVE)) }
            }
        }
    }
}

/// `POST /organisations/{id}/move`
pub(super) async fn relocate(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        let id = parse(&id)?;
        let address = format!("/organisations/{id}");
        let moved = match organisation::parse_move(&body(&fields, &MOVE, false)) {
            Ok(parent) => {
                let expected = fields.get("version").parse().ok();
                organisation::relocate(&office, actor, id, parent, expected).await
            }
            Err(fault) => Err(fault),
        };
        match moved {
            Ok(_) => Ok(page::go(&Notice::OrganisationMoved.after(&address))),
            Err(Fault::Stale) => Ok(page::go(&Notice::Stale.after(&address))),
            Err(fault) => {
                let status = Problem::status(&fault).0;
                let filled = Filled::sent(&MOVE, &fields).refused(&viewer.words, &MOVE, fault)?;
                let view = organisation::find(&office, actor, id).await?;
                let tree = Tree::load(&office, actor).await?;
                let body = html! {
                    p.crumb { a href=(address) { (view.name) } }
                    h1 { (view.name) }
                    (place(viewer, &view, &tree, &filled))
                };
                Ok(page::send(status, page::page(viewer, Some(PLACE), &view.name, None, &body)))
            }
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /organisations/export`
pub(super) async fn export(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    export_of(DESCRIPTION, request, office, signed).await
}

fn render(viewer: &Viewer, tree: &Tree, export: bool, toast: Option<Toast>) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::ORGANISATIONS_TITLE);
    let columns = [
        page::Column::text(words, words::ORGANISATION_NAME),
        page::Column::text(words, words::ORGANISATION_KIND),
        page::Column::text(words, words::ORGANISATION_CURRENCY),
        page::Column::text(words, words::ORGANISATION_ZONE),
    ];
    let row = |(depth, view): &(usize, View)| {
        vec![
            html! {
                // The level is said, not only seen.
                span.level aria-hidden="true" { ("\u{2003}".repeat(*depth)) }
                a href=(format!("/organisations/{}", view.id)) { (view.name) }
                span.unseen {
                    " " (words.say_with(words::ORGANISATION_LEVEL, &[("n", (depth + 1).into())]))
                }
            },
            html! {
                (kind_name(words, view.kind))
                @if view.legal_entity { " " span.badge { (words.say(words::ORGANISATION_ENTITY)) } }
            },
            html! { (view.currency) },
            html! { (view.zone) },
        ]
    };
    let rows: Vec<Vec<Markup>> = tree.0.iter().map(row).collect();
    let body = html! {
        div.head {
            h1 { (title) }
            div.actions {
                @if export {
                    a.button.quiet href="/organisations/export?format=xlsx" download {
                        (words.say_with(words::AUDIT_EXPORT, &[("format", "XLSX".into())]))
                    }
                }
                a.button href="/organisations/new" { (words.say(words::ORGANISATIONS_NEW)) }
            }
        }
        (page::table(&title, &columns, &rows))
        @if tree.0.len() >= SHOWN_MAX {
            p.dim { (words.say_with(words::ORGANISATIONS_MORE, &[("n", SHOWN_MAX.into())])) }
        }
    };
    page::page_saying(viewer, Some(PLACE), &title, toast.as_ref(), &body)
}

fn yes_no(words: &Words) -> [(String, String); 2] {
    let choice = |word: &str, key: Key| (word.to_owned(), words.say(key));
    [choice("no", words::NO), choice("yes", words::YES)]
}

fn render_form(viewer: &Viewer, tree: &Tree, filled: &Filled) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::ORGANISATIONS_NEW);
    let kinds = [Kind::Partner, Kind::Branch]
        .map(|kind| (kind.as_str().to_owned(), kind_name(words, kind)));
    let body = html! {
        h1 { (title) }
        form.card method="post" action="/organisations" {
            (page::csrf(viewer))
            (filled.problems(words, &NEW))
            (filled.input(words, &NAME))
            div.pair {
                (filled.select(words, &KIND, &kinds, false))
                (filled.select(words, &PARENT, &tree.parents(None), false))
            }
            (filled.lines(words, &ADDRESS))
            (filled.select(words, &ENTITY, &yes_no(words), false))
            div.pair {
                (filled.input(words, &CURRENCY))
                (filled.input(words, &ZONE))
            }
            div.actions {
                button type="submit" { (words.say(words::ORGANISATION_CREATE)) }
                a.button.quiet href="/organisations" { (words.say(words::FORM_CANCEL)) }
            }
        }
    };
    page::page(viewer, Some(PLACE), &title, None, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(id: OrganisationId, parent: Option<OrganisationId>, name: &str, kind: Kind) -> View {
        let at = "2026-03-01T09:30:00Z".parse().unwrap();
        View {
            id,
            parent_id: parent,
            kind,
            name: name.to_owned(),
            legal_entity: false,
            currency: "USD".parse().unwrap(),
            zone: "UTC".to_owned(),
            locale: "en".to_owned(),
            address: None,
            manager_id: None,
            external_source: None,
            external_id: None,
            children: 0,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn a_tree_is_shown_in_its_own_order() {
        let [top, a, b, inner] = [(); 4].map(|()| OrganisationId::generate());
        let all = vec![
            view(inner, Some(b), "Inner", Kind::Branch),
            view(b, Some(top), "B", Kind::Partner),
            view(a, Some(top), "A <i>", Kind::Partner),
            view(top, None, "Top", Kind::Isp),
        ];
        let tree = Tree::of(all, top);
        let shown: Vec<(usize, &str)> = tree.0.iter().map(|(d, v)| (*d, v.name.as_str())).collect();
        assert_eq!(shown, [(0, "Top"), (1, "A <i>"), (1, "B"), (2, "Inner")]);
        let names = |not| -> Vec<String> {
            tree.parents(not).into_iter().map(|(_, name)| name.trim().to_owned()).collect()
        };
        assert_eq!(names(None), ["Top", "A <i>", "B"], "nothing is below a branch");
        assert_eq!(names(Some(b)), ["Top", "A <i>"], "nor below itself");
        assert_eq!(names(Some(top)), Vec::<String>::new());
        let page = render(&page::tests::viewer(), &tree, true, None).into_string();
        assert!(page.contains("A &lt;i&gt;") && !page.contains("console-"), "{page}");
    }
}
