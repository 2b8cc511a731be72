//! A list as a file, as somebody wants it: which columns, which format. It is taken at once, or
//! kept as a template to be taken again.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Value as Json, json};
use sheet::{Delimiter, Format};
use std::collections::BTreeMap;

use super::asked::{Address, Asked};
use super::slot::Slot;
use super::{offers, require, slots};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed};
use crate::console::page::{self, Place, Viewer};
use crate::console::words::{self, Key, Words};
use crate::domain::{Actor, Fault, Office};
use crate::entity::export::EXPORT_TEMPLATE;
use crate::entity::{Entity, Verbs, custom, read, registry, write};
use crate::http::Problem;

static TEMPLATES: &Entity = &EXPORT_TEMPLATE;

/// Parameters of a list that a file of all of it has no use for.
const NO_USE: &[&str] = &["page", "cursor", "limit"];

/// What the page shows.
struct View<'a> {
    entity: &'static Entity,
    /// The columns: their names in a file, what they are called, and whether they are chosen.
    columns: Vec<(String, String, bool)>,
    /// The list, as the API writes it.
    address: Address,
    format: &'a str,
    delimiter: &'a str,
    header: bool,
    name: &'a str,
    may_keep: bool,
    faults: Vec<String>,
}

/// The columns that a file can have.
fn columns(slots: &[Slot]) -> Vec<(String, String)> {
    let columns = slots.iter().filter(|slot| slot.is_column());
    columns.map(|slot| (slot.name.clone(), slot.label.clone())).collect()
}

/// `GET /{path}/export-options`
pub(super) async fn options(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor, entity, "export")?;
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(&viewer.words, &actor.rights, entity, &customs);
        let fields = Fields::of_query(&request);
        let asked = Asked::read(&viewer.words, entity, &customs, &slots, &fields, None)?;
        let columns = columns(&slots);
        let view = View {
            entity,
            columns: columns.into_iter().map(|(name, label)| (name, label, true)).collect(),
            address: asked.address.without(NO_USE),
            format: "csv",
            delimiter: "comma",
            header: true,
            name: "",
            may_keep: offers(actor, TEMPLATES, Verbs::CREATE, "create"),
            faults: Vec::new(),
        };
        Ok(page::send(StatusCode::OK, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /{path}/export-options`: to the file, or to the template that keeps it.
pub(super) async fn take(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor, entity, "export")?;
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(&viewer.words, &actor.rights, entity, &customs);
        let query = Query::<BTreeMap<String, String>>::from_query(fields.get("list"));
        let query = Fields(query.map(Query::into_inner).unwrap_or_default());
        let asked = Asked::read(&viewer.words, entity, &customs, &slots, &query, None)?;
        let address = asked.address.without(NO_USE);
        let chosen: Vec<(String, String, bool)> = columns(&slots)
            .into_iter()
            .map(|(name, label)| {
                let chosen = !fields.get(&format!("column.{name}")).is_empty();
                (name, label, chosen)
            })
            .collect();
        let header = !fields.get("header").is_empty();
        let mut wanted = Address { path: format!("/{}/export", entity.path), ..address.clone() };
        for name in ["format", "delimiter"] {
            wanted = wanted.with(name, fields.get(name));
        }
        if !header {
            wanted = wanted.with("header", "false");
        }
        if chosen.iter().any(|(.., chosen)| !chosen) {
            let names = chosen.iter().filter(|(.., chosen)| *chosen);
            let names: Vec<&str> = names.map(|(name, ..)| name.as_str()).collect();
            wanted = wanted.with("fields", &names.join(","));
        }
        let may_keep = offers(actor, TEMPLATES, Verbs::CREATE, "create");
        let words = &viewer.words;
        let none = chosen.iter().all(|(.., chosen)| !chosen);
        let (status, faults) = if none {
            (StatusCode::UNPROCESSABLE_ENTITY, vec![words.say(words::EXPORT_NO_COLUMN)])
        } else if fields.get("do") != "keep" {
            return Ok(page::go(&wanted.to_string()));
        } else {
            match keep(&office, actor, entity, fields.get("name"), &wanted).await {
                Ok(address) => return Ok(page::go(&address)),
                Err(fault) => {
                    let status = Problem::status(&fault).0;
                    let faults = match fault {
                        Fault::Invalid(faults) => faults
                            .into_iter()
                            .map(|fault| match fault.pointer.as_str() {
                                "/name" => {
                                    format!("{}: {}", words.say(words::EXPORT_NAME), fault.detail)
                                }
                                _ => fault.detail,
                            })
                            .collect(),
                        Fault::Conflict { detail, .. } => vec![detail],
                        fault => return Err(fault),
                    };
                    (status, faults)
                }
            }
        };
        let view = View {
            entity,
            columns: chosen,
            address,
            format: fields.get("format"),
            delimiter: fields.get("delimiter"),
            header,
            name: fields.get("name"),
            may_keep,
            faults,
        };
        Ok(page::send(status, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// Keeps an export as a template; where that is.
async fn keep(
    office: &Office,
    actor: &Actor,
    entity: &Entity,
    name: &str,
    wanted: &Address,
) -> Result<String, Fault> {
    if !offers(actor, TEMPLATES, Verbs::CREATE, "create") {
        return Err(Fault::NotFound("page"));
    }
    let address = wanted.to_string();
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let body = json!({"name": name, "entity": entity.name, "query": query}).to_string();
    let draft = write::parse(TEMPLATES, &[], body.as_bytes(), true)?;
    let made = write::create(office, actor, TEMPLATES, draft).await?;
    let id = made.view["id"].as_str().unwrap_or_default();
    Ok(super::after(&format!("/{}/{id}", TEMPLATES.path), "created", None))
}

fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let entity = view.entity;
    let title =
        words.say_with(words::EXPORT_TITLE, &[("many", words.entities_within(entity).into())]);
    let list = view.address.to_string();
    let query = list.split_once('?').map_or("", |(_, query)| query);
    let filters = view.address.filters().count() + usize::from(!view.address.get("q").is_empty());
    let formats = [
        (Format::Csv, words::IMPORT_FORMAT_CSV),
        (Format::Xlsx, words::IMPORT_FORMAT_XLSX),
        (Format::Json, words::IMPORT_FORMAT_JSON),
        (Format::JsonLines, words::IMPORT_FORMAT_JSON_LINES),
    ];
    let delimiters = [
        (Delimiter::Comma, words::DELIMITER_COMMA),
        (Delimiter::Semicolon, words::DELIMITER_SEMICOLON),
        (Delimiter::Tab, words::DELIMITER_TAB),
        (Delimiter::Pipe, words::DELIMITER_PIPE),
    ];
    let body = html! {
        p.crumb { a href=(list) { (words.entities(entity)) } }
        h1 { (title) }
        @if !view.faults.is_empty() {
            div.notice.problem role="alert" {
                ul { @for fault in &view.faults { li { (fault) } } }
            }
        }
        form.card method="post" action=(format!("/{}/export-options", entity.path)) {
            (page::csrf(viewer))
            input type="hidden" name="list" value=(query);
            p {
                @if filters > 0 {
                    (words.say_with(words::EXPORT_FILTERED, &[("count", filters.into())]))
                } @else {
                    (words.say(words::EXPORT_ALL))
                }
            }
            div.fields {
                (select(words, "format", words::IMPORT_FORMAT, view.format,
                    &formats.map(|(format, key)| (format.name(), words.say(key)))))
                (select(words, "delimiter", words::IMPORT_DELIMITER, view.delimiter,
                    &delimiters.map(|(delimiter, key)| (delimiter.name(), words.say(key)))))
            }
            label.check {
                input name="header" type="checkbox" value="true" checked[view.header];
                (words.say(words::EXPORT_HEADER))
            }
            fieldset {
                legend { (words.say(words::LIST_COLUMNS)) }
                div.checks {
                    @for (name, label, chosen) in &view.columns {
                        label.check {
                            input name=(format!("column.{name}")) type="checkbox" value="on"
                                checked[*chosen];
                            (label)
                        }
                    }
                }
            }
            div.actions {
                button type="submit" name="do" value="take" { (words.say(words::EXPORT_TAKE)) }
                a.button.quiet href=(list) { (words.say(words::FORM_CANCEL)) }
            }
            @if view.may_keep {
                fieldset {
                    legend { (words.say(words::EXPORT_KEEP)) }
                    div.field {
                        label for="f-name" { (words.say(words::EXPORT_NAME)) }
                        p.hint id="h-name" { (words.say(words::EXPORT_KEEP_TEXT)) }
                        input id="f-name" name="name" type="text" value=(view.name) maxlength="100"
                            autocomplete="off" aria-describedby="h-name";
                    }
                    div.actions {
                        button.quiet type="submit" name="do" value="keep" {
                            (words.say(words::EXPORT_KEEP))
                        }
                    }
                }
            }
        }
    };
    page::page(viewer, Some(Place::At(entity.path)), &title, None, &body)
}

fn select(
    words: &Words,
    name: &str,
    label: Key,
    chosen: &str,
    choices: &[(&'static str, String)],
) -> Markup {
    let id = format!("f-{name}");
    html! {
        div.field {
            label for=(id) { (words.say(label)) }
            select id=(id) name=(name) {
                @for (value, text) in choices {
                    option value=(value) selected[*value == chosen] { (text) }
                }
            }
        }
    }
}

/// What the page of a template offers: its file.
pub(in crate::console) async fn of_template(
    office: &Office,
    signed: &Signed,
    id: &str,
) -> Result<Markup, Fault> {
    let (row, _) = read::find(office, &signed.actor, TEMPLATES, TEMPLATES.id(id)?).await?;
    let name = row["entity"].as_str().unwrap_or_default();
    let entity =
        registry::by_name(name).filter(|entity| read::may(&signed.actor, entity, "export"));
    let words = &signed.viewer.words;
    Ok(html! {
        @if let Some(entity) = entity {
            @let query: Json = row["query"].clone();
            div.actions {
                a.button download href=(format!("/{}/export?template={id}", entity.path)) {
                    (words.say(words::EXPORT_TAKE))
                }
                @if let Some(query) = query.as_str() {
                    // The list itself, as far as the template narrows it.
                    @let filters = without_writing(query);
                    a.button.quiet href=(Address { path: format!("/{}", entity.path), parameters: filters }) {
                        (words.say_with(words::IMPORT_OPEN, &[("many", words.entities_within(entity).into())]))
                    }
                }
            }
        }
    })
}

/// The parameters of a template that are those of a list too.
fn without_writing(query: &str) -> BTreeMap<String, String> {
    let read = Query::<BTreeMap<String, String>>::from_query(query);
    let mut parameters = read.map(Query::into_inner).unwrap_or_default();
    for name in ["format", "delimiter", "header", "bom", "guard", "fields"] {
        parameters.remove(name);
    }
    parameters
}
