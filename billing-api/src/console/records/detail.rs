//! A record: its fields, what belongs to it, and what was done to it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::Value as Json;

use super::asked::Address;
use super::slot::{Slot, grouped};
use super::{Look, Titles, action, columns, offers, require, slots, title_of, toast};
use crate::console::audit;
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Signed};
use crate::console::page::{self, Place, Toast, Viewer};
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, Office, organisation};
use crate::entity::query::ListQuery;
use crate::entity::registry::ENTITIES;
use crate::entity::{Action, Entity, Flags, Kind, Source, Verbs, custom, read};

/// Rows of a related list; the whole list is one step away.
const RELATED: i64 = 25;
/// Entries of the record's history.
const HISTORY: i64 = 100;

/// A part of the page.
enum Part {
    /// The fields, and what a page of its own adds.
    Fields(Markup),
    /// The records of another kind that name this one.
    Related(Related),
    /// What was done, in short or field by field.
    History { entries: Vec<audit::Entry>, full: bool },
}

/// Records that name this one.
struct Related {
    entity: &'static Entity,
    field: &'static str,
    slots: Vec<Slot>,
    rows: Vec<Json>,
    titles: Titles,
    /// Whether the viewer may add one.
    create: bool,
}

/// What the page shows.
struct View<'a> {
    entity: &'static Entity,
    slots: Vec<Slot>,
    id: &'a str,
    row: Json,
    version: i64,
    titles: Titles,
    edit: bool,
    delete: bool,
    /// What else can be done.
    actions: Vec<&'static Action>,
    /// The tabs: their words and names.
    tabs: Vec<(String, String)>,
    tab: String,
    part: Part,
    toast: Option<Toast>,
}

/// `GET /{path}/{id}`
pub(super) async fn show(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor, entity, "view")?;
        let fields = Fields::of_query(&request);
        let record = entity.id(&id)?;
        let own = super::super::elsewhere(entity, &id).filter(|_| fields.get("tab").is_empty());
        if let Some(address) = own {
            return Ok(page::go(&address));
        }
        let (mut row, version) = read::find(&office, actor, entity, record).await?;
        if entity.tenant {
            // What is above the reader is hidden.
            let rows = std::slice::from_mut(&mut row);
            (entity.hooks.extend)(Source::Office(&office, actor), rows).await?;
        }
        let words = &viewer.words;
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(words, &actor.rights, entity, &customs);
        let mut titles = Titles::load(&office, actor, &slots, std::slice::from_ref(&row)).await?;
        for branch in &viewer.branches {
            titles.add(&branch.id, &branch.name);
        }
        let related = naming(actor, entity);
        let tabs = tabs(words, actor, &related);
        let wanted = fields.get("tab");
        let tab = if tabs.iter().any(|(word, _)| word == wanted) { wanted } else { "" }.to_owned();
        let part = match tab.as_str() {
            "" => Part::Fields(super::super::extra(&request, &office, &signed, entity, &id).await?),
            "activity" | "audit" => {
                let entries = audit::of_record(&office, actor, &id, HISTORY).await?;
                Part::History { entries, full: tab == "audit" }
            }
            tab => {
                let found = related.iter().find(|(entity, field)| word(entity, field) == tab);
                let (other, field) = found.ok_or(Fault::NotFound("page"))?;
                Part::Related(load(&office, actor, words, other, field, &id).await?)
            }
        };
        // What is an ancestor's is there to be used, and for others to change.
        let home = row["organisation_id"].as_str().and_then(|id| id.parse().ok());
        let own = match organisation::readable(&office, actor, home).await {
            Err(Fault::NotFound(_)) => false,
            found => found.map(|_| true)?,
        };
        let actions = match own {
            true => action::offered(&office, actor, entity, &row).await?,
            false => Vec::new(),
        };
        let view = View {
            entity,
            id: &id,
            row,
            version,
            titles,
            edit: own && offers(actor, entity, Verbs::UPDATE, "edit"),
            delete: own && offers(actor, entity, Verbs::DELETE, "delete"),
            actions,
            tabs,
            tab,
            part,
            toast: toast(words, entity, &fields),
            slots,
        };
        Ok(page::send(StatusCode::OK, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// The entities whose records name one of these, and by which field.
fn naming(actor: &Actor, entity: &Entity) -> Vec<(&'static Entity, &'static str)> {
    let mut naming = Vec::new();
    for other in ENTITIES.iter().copied().filter(|other| read::may(actor, other, "view")) {
        for field in other.fields.iter().filter(|field| field.flags.has(Flags::FILTERABLE)) {
            if !field.is_seen(&actor.rights) {
                continue;
            }
            if matches!(field.kind, Kind::Reference(prefix, _) if prefix == entity.prefix) {
                naming.push((other, field.name));
            }
        }
    }
    naming
}

/// The word of a related list in the address.
fn word(entity: &Entity, field: &str) -> String {
    format!("{}.{field}", entity.path)
}

fn tabs(
    words: &Words,
    actor: &Actor,
    related: &[(&'static Entity, &'static str)],
) -> Vec<(String, String)> {
    let mut tabs = vec![(String::new(), words.say(words::RECORD_DETAILS))];
    for (entity, field) in related {
        // Two ways to the same kind of record are told apart by their fields.
        let twice = related.iter().filter(|(other, _)| other.name == entity.name).count() > 1;
        let name = match twice {
            true => format!("{} ({})", words.entities(entity), words.field(entity, field)),
            false => words.entities(entity),
        };
        tabs.push((word(entity, field), name));
    }
    if audit::may(actor) {
        tabs.push(("activity".to_owned(), words.say(words::RECORD_ACTIVITY)));
        tabs.push(("audit".to_owned(), words.say(words::RECORD_AUDIT)));
    }
    tabs
}

async fn load(
    office: &Office,
    actor: &Actor,
    words: &Words,
    entity: &'static Entity,
    field: &'static str,
    id: &str,
) -> Result<Related, Fault> {
    let customs = custom::of(office, &actor.path, entity).await?;
    let slots = slots(words, &actor.rights, entity, &customs);
    let parameters = [(field, id), ("limit", "25")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let query = ListQuery::parse(entity, &customs, parameters.into())?;
    debug_assert_eq!(query.limit, RELATED);
    let rows = read::list(office, actor, entity, &query).await?.rows;
    let titles = Titles::load(office, actor, &slots, &rows).await?;
    let create = offers(actor, entity, Verbs::CREATE, "create");
    Ok(Related { entity, field, slots, rows, titles, create })
}

fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let look = Look { words, titles: &view.titles, short: false };
    let title = title_of(view.entity, &look, &view.row);
    let list = format!("/{}", view.entity.path);
    let address = format!("{list}/{}", view.id);
    let body = html! {
        p.crumb { a href=(list) { (words.entities(view.entity)) } }
        div.head {
            h1 { (title) }
            div.actions {
                @if view.edit {
                    a.button data-edit href=(format!("{address}/edit")) {
                        (words.say(words::RECORD_EDIT))
                    }
                }
                (action::buttons(viewer, view.entity, view.id, view.version, &view.actions))
                @if view.delete {
                    form method="post" action=(format!("{address}/delete"))
                        data-confirm=(words.say_with(
                            words::RECORD_DELETE_CONFIRM, &[("title", title.clone().into())]
                        )) {
                        (page::csrf(viewer))
                        input type="hidden" name="version" value=(view.version);
                        button.danger type="submit" { (words.delete(view.entity)) }
                    }
                }
            }
        }
        @if view.tabs.len() > 1 {
            nav aria-label=(words.say(words::RECORD_TABS)) {
                ul.tabs {
                    @for (word, name) in &view.tabs {
                        li {
                            a href=(tab_address(&address, word))
                                aria-current=[(*word == view.tab).then_some("page")] { (name) }
                        }
                    }
                }
            }
        }
        @match &view.part {
            Part::Fields(extra) => { (fields(words, view, &look)) (extra) (about(words, view, &look)) }
            Part::Related(part) => (related(viewer, part, view.id)),
            Part::History { entries, full } => (audit::history(viewer, entries, *full)),
        }
    };
    let place = Some(Place::At(view.entity.path));
    page::page_saying(viewer, place, &title, view.toast.as_ref(), &body)
}

fn tab_address(address: &str, word: &str) -> String {
    match word {
        "" => address.to_owned(),
        word => Address::of(address).with("tab", word).to_string(),
    }
}

/// The fields, then those that the organisation added.
fn fields(words: &Words, view: &View<'_>, look: &Look<'_>) -> Markup {
    let shown = |slot: &&Slot| !matches!(slot.kind, Kind::Secret(_));
    let own = view.slots.iter().filter(shown);
    // A document without a value says nothing, and takes a line of its own to say it.
    let silent =
        |slot: &&Slot| matches!(slot.kind, Kind::Document(_)) && slot.of(&view.row).is_null();
    let own = own.filter(|slot| !silent(slot));
    let own: Vec<&Slot> = own.filter(|slot| !slot.is_about() && slot.custom().is_none()).collect();
    let added: Vec<&Slot> = view.slots.iter().filter(|slot| slot.custom().is_some()).collect();
    let facts = |slots: &[&Slot]| {
        html! {
            dl.record {
                @for slot in slots {
                    div .wide[matches!(slot.kind, Kind::LongText(_) | Kind::Document(_) | Kind::Map(..))] {
                        dt { (slot.label) }
                        dd { (look.cell(slot, slot.of(&view.row))) }
                    }
                }
            }
        }
    };
    // A group in which nothing is set says nothing.
    let empty = |slot: &&Slot| match slot.of(&view.row) {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => false,
    };
    let mut groups = grouped(own);
    groups.retain(|(group, slots)| group.is_none() || !slots.iter().all(&empty));
    html! {
        @for (group, slots) in &groups {
            @match group {
                None => div.card { (facts(slots)) },
                Some(group) => section {
                    h2 { (words.group(group)) }
                    div.card { (facts(slots)) }
                },
            }
        }
        @if !added.is_empty() {
            section {
                h2 { (words.say(words::RECORD_CUSTOM)) }
                div.card { (facts(&added)) }
            }
        }
    }
}

/// Where it came from and when.
fn about(words: &Words, view: &View<'_>, look: &Look<'_>) -> Markup {
    let about: Vec<&Slot> =
        view.slots.iter().filter(|slot| slot.is_about() && !slot.of(&view.row).is_null()).collect();
    html! {
        section {
            h2 { (words.say(words::RECORD_ABOUT)) }
            dl.meta {
                div { dt { (words.say(words::RECORD_ID)) } dd { code { (view.id) } } }
                div { dt { (words.say(words::RECORD_VERSION)) } dd { (view.version) } }
                @for slot in about {
                    div { dt { (slot.label) } dd { (look.cell(slot, slot.of(&view.row))) } }
                }
                @if let Some(name) = view.row["organisation_id"].as_str().and_then(|id| look.titles.find(id)) {
                    div { dt { (words.say(words::ORGANISATION)) } dd { (name) } }
                }
            }
        }
    }
}

/// Records that name this one, as a small table.
fn related(viewer: &Viewer, part: &Related, id: &str) -> Markup {
    let words = &viewer.words;
    let many = words.entities(part.entity);
    let list = format!("/{}", part.entity.path);
    let look = Look { words, titles: &part.titles, short: true };
    let ordered = columns::order(viewer, part.entity, &part.slots);
    // The record one comes from needs no column.
    let columns: Vec<&Slot> = ordered
        .iter()
        .filter(|(slot, shown)| *shown && slot.name != part.field)
        .map(|(slot, _)| *slot)
        .collect();
    let headings: Vec<page::Column> =
        columns.iter().map(|slot| page::Column::named(&slot.label, slot.is_numeric())).collect();
    let row = |row: &Json| -> Vec<Markup> {
        let own = row["id"].as_str().unwrap_or_default();
        let cell = |(n, slot): (usize, &&Slot)| match n {
            0 => html! { a href=(format!("{list}/{own}")) { (title_of(part.entity, &look, row)) } },
            _ => look.cell(slot, slot.of(row)),
        };
        columns.iter().enumerate().map(cell).collect()
    };
    let rows: Vec<Vec<Markup>> = part.rows.iter().map(row).collect();
    let all = Address::of(&list).with(part.field, id).to_string();
    let new = Address::of(format!("{list}/new")).with(part.field, id).to_string();
    let told = [("many", words.entities_within(part.entity).into())];
    html! {
        div.head {
            h2 { (many) }
            div.actions {
                @if !rows.is_empty() { a href=(all) { (words.say_with(words::RECORD_ALL_RELATED, &told)) } }
                @if part.create {
                    a.button.quiet data-new href=(new) {
                        (words.say_with(words::LIST_NEW, &[("one", words.entity_within(part.entity).into())]))
                    }
                }
            }
        }
        @if rows.is_empty() {
            (page::empty(&words.say_with(words::RECORD_NO_RELATED, &told), None))
        } @else {
            (page::table(&many, &headings, &rows))
        }
    }
}
