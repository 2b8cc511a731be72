//! A list: search, filters, table, pages, and what can be done with its rows.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::Value as Json;
use sheet::Format;

use super::asked::{Address, Asked, NUMBERED_MAX, SIZES, split};
use super::control::{Control, Widget};
use super::slot::Slot;
use super::{Look, Titles, bulk, columns, offers, require, slots, title_of, toast, value};
use crate::console::NEEDS;
use crate::console::failure::Failure;
use crate::console::guard::{self, Fields, Signed};
use crate::console::page::{self, Place, Toast, Viewer};
use crate::console::show;
use crate::console::words::{self, Key};
use crate::domain::{Fault, Office};
use crate::entity::export::{EXPORT, Export, background, parameters, query_of};
use crate::entity::{Entity, Flags, Kind, Verbs, custom, read};
use crate::http;

/// What the page shows.
pub(super) struct View {
    pub(super) entity: &'static Entity,
    pub(super) slots: Vec<Slot>,
    pub(super) address: Address,
    pub(super) wrong: Vec<(String, String)>,
    pub(super) size: i64,
    /// The number of the page; nothing where a cursor led here.
    pub(super) page: Option<i64>,
    pub(super) rows: Vec<Json>,
    pub(super) next: Option<String>,
    pub(super) total: Option<(i64, bool)>,
    pub(super) titles: Titles,
    /// Records to filter by, for each reference whose set is small.
    pub(super) choices: BTreeMap<String, Vec<(String, String)>>,
    pub(super) allowed: Allowed,
    pub(super) toast: Option<Toast>,
    /// What can be done with picked rows: its word and what it is called.
    pub(super) actions: Vec<(String, String)>,
    /// What this list offers besides new records.
    pub(super) offer: Markup,
}

/// What the viewer may do here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    pub(super) create: bool,
    pub(super) edit: bool,
    pub(super) delete: bool,
    pub(super) export: bool,
    pub(super) import: bool,
}

/// `GET /{path}`
pub(super) async fn show(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor, entity, "view")?;
        let fields = Fields::of_query(&request);
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(&viewer.words, &actor.rights, entity, &customs);
        let asked = Asked::read(&viewer.words, entity, &customs, &slots, &fields, viewer.size)?;
        let listed = read::list(&office, actor, entity, &asked.query).await?;
        let mut titles = Titles::load(&office, actor, &slots, &listed.rows).await?;
        for branch in &viewer.branches {
            titles.add(&branch.id, &branch.name);
        }
        let mut choices = BTreeMap::new();
        for slot in slots.iter().filter(|slot| slot.flags.has(Flags::FILTERABLE)) {
            if let Some(known) = super::lookup::few(&office, actor, slot).await? {
                for (id, title) in &known {
                    titles.add(id, title);
                }
                choices.insert(slot.name.clone(), known);
            }
        }
        let may = |verb, permission| offers(actor, entity, verb, permission);
        let mut view = View {
            entity,
            address: asked.address,
            wrong: asked.wrong,
            size: asked.size,
            page: asked.query.page,
            rows: listed.rows,
            next: listed.next,
            total: listed.total,
            titles,
            choices,
            allowed: Allowed {
                create: may(Verbs::CREATE, "create"),
                edit: may(Verbs::UPDATE, "edit"),
                delete: may(Verbs::DELETE, "delete"),
                export: NEEDS.has(&format!("/{}/export", entity.path))
                    && read::may(actor, entity, "export"),
                import: may(super::IMPORT, "import") && signed.viewer.menu.has("imports"),
            },
            toast: toast(&viewer.words, entity, &fields),
            actions: Vec::new(),
            offer: crate::console::offer(actor, &viewer.words, entity),
            slots,
        };
        view.actions = bulk::actions(actor, &viewer.words, &view);
        Ok(page::send(StatusCode::OK, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

impl View {
    fn path(&self) -> &'static str {
        self.entity.path
    }

    fn is_deleted(&self) -> bool {
        self.address.get("deleted") == "true"
    }

    /// Whether it shows what was not deleted.
    pub(super) fn is_live(&self) -> bool {
        !self.is_deleted()
    }

    fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }
}

/// The page.
pub(super) fn render(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let many = words.entities(view.entity);
    let title = match view.is_deleted() {
        true => format!("{many}: {}", words.say(words::LIST_DELETED)),
        false => many.clone(),
    };
    let new = words.say_with(words::LIST_NEW, &[("one", words.entity_within(view.entity).into())]);
    let body = html! {
        div.head {
            h1 { (title) }
            div.actions {
                @if view.allowed.create && !view.is_deleted() {
                    a.button data-new href=(format!("/{}/new", view.path())) { (new) }
                }
                (view.offer)
            }
        }
        (tools(viewer, view))
        (applied(viewer, view))
        @if !view.rows.is_empty() {
            (rows(viewer, view))
            (pager(viewer, view))
        } @else if view.address.narrows() || view.is_deleted() || view.page != Some(1) {
            (page::empty(
                &words.say(words::LIST_NOTHING),
                Some((&format!("/{}", view.path()), &words.say(words::LIST_CLEAR))),
            ))
        } @else {
            div.empty {
                p { (words.nothing_yet(view.entity)) }
                @if view.allowed.create {
                    p { a.button href=(format!("/{}/new", view.path())) { (new) } }
                }
            }
        }
    };
    page::page_saying(viewer, Some(Place::At(view.path())), &title, view.toast.as_ref(), &body)
}

/// `GET /{path}/export`: every record that the list has, as a file.
pub(in crate::console) async fn export(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let mut given =
            parameters(request.query_string()).map_err(|detail| Fault::field("", detail))?;
        let wanted = given.remove("background").is_some();
        let query = query_of(&given);
        // Ordering a job is more than looking: nobody else's page has it done.
        let own = guard::is_own_origin(&request);
        let behind = own
            && (wanted || {
                let export = Export::parse(&office, &signed.actor, entity, given).await?;
                let most = background::ROWS_AT_ONCE_MAX;
                // A PDF of that many is refused at once, with a way out.
                export.format() != Format::Pdf
                    && export.exceeds(&office, &signed.actor, most).await?
            });
        if behind {
            let id = background::order(&office, &signed.actor, entity, &query).await?;
            let id = model::id::show(EXPORT.prefix, id);
            return Ok(page::go(&format!("/exports/{id}/ready")));
        }
        http::file_of(entity, &query, office, signed.actor).await
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// Search, filters, columns, files.
fn tools(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let filters = view.slots.iter().any(|slot| slot.flags.has(Flags::FILTERABLE));
    let search =
        words.say_with(words::LIST_SEARCH, &[("many", words.entities_within(view.entity).into())]);
    let back = view.address.to_string();
    let ordered = columns::order(viewer, view.entity, &view.slots);
    html! {
        div.tools {
            @if view.entity.is_searched() {
                form.search method="get" action=(format!("/{}", view.path())) role="search" {
                    (kept(&view.address, &["q", "page", "cursor"]))
                    input name="q" type="search" value=(view.address.get("q")) maxlength="200"
                        autocomplete="off" spellcheck="false" aria-label=(search) placeholder=(search);
                    button.quiet type="submit" { (words.say(words::SEARCH)) }
                }
            }
            div.end {
                @if filters {
                    button.quiet type="button" popovertarget="filters" {
                        (words.say(words::LIST_FILTERS))
                    }
                }
                button.quiet type="button" popovertarget="columns" {
                    (words.say(words::LIST_COLUMNS))
                }
                (files(viewer, view))
            }
        }
        @if filters { (filter_sheet(viewer, view)) }
        div.over id="columns" popover {
            div.head {
                h2 { (words.say(words::LIST_COLUMNS)) }
                (page::closing(words, "columns"))
            }
            (columns::form(viewer, view.entity, &ordered, &back))
        }
    }
}

/// Export, import, and the deleted.
fn files(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let export = |format: &[(&str, &str)]| {
        let mut address = view.address.without(&["page", "cursor", "limit"]);
        address.path = format!("/{}/export", view.path());
        for (name, value) in format {
            address = address.with(name, value);
        }
        address.to_string()
    };
    let formats: [(&[(&str, &str)], Key); 6] = [
        (&[("format", "csv")], words::LIST_EXPORT_CSV),
        (&[("format", "csv"), ("delimiter", "semicolon")], words::LIST_EXPORT_CSV_SEMICOLON),
        (&[("format", "xlsx")], words::LIST_EXPORT_XLSX),
        (&[("format", "json")], words::LIST_EXPORT_JSON),
        (&[("format", "pdf")], words::LIST_EXPORT_PDF),
        (&[("format", "csv"), ("background", "true")], words::LIST_EXPORT_BACKGROUND),
    ];
    let list = format!("/{}", view.path());
    let mut options = view.address.without(&["page", "cursor", "limit"]);
    options.path = format!("{list}/export-options");
    html! {
        @if view.allowed.export {
            details.menu {
                summary { (words.say(words::LIST_EXPORT)) }
                div.list {
                    @for (format, name) in formats {
                        a href=(export(format)) { (words.say(name)) }
                    }
                    a href=(options) { (words.say(words::EXPORT_MORE)) }
                }
            }
        }
        details.menu {
            summary { (words.say(words::RECORD_MORE)) }
            div.list {
                @if view.allowed.import {
                    a href=(format!("/{}/import", view.path())) {
                        (words.say(words::LIST_IMPORT))
                    }
                }
                @if view.is_deleted() {
                    a href=(list) { (words.say(words::LIST_DELETED_HIDE)) }
                } @else if view.allowed.delete {
                    a href=(format!("{list}?deleted=true")) { (words.say(words::LIST_DELETED_SHOW)) }
                }
                a href=(format!("{list}/columns?back={}", show::encode(&view.address.to_string()))) {
                    (words.say(words::LIST_COLUMNS))
                }
            }
        }
    }
}

/// Parameters that a form carries along.
fn kept(address: &Address, without: &[&str]) -> Markup {
    html! {
        @for (name, value) in &address.without(without).parameters {
            input type="hidden" name=(name) value=(value);
        }
    }
}

/// The filters as a form.
fn filter_sheet(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let slots = view.slots.iter().filter(|slot| slot.flags.has(Flags::FILTERABLE));
    let filters: Vec<String> = view.address.filters().map(|(name, _)| name.to_owned()).collect();
    let mut without: Vec<&str> = filters.iter().map(String::as_str).collect();
    without.extend(["page", "cursor"]);
    html! {
        div.over id="filters" popover {
            div.head {
                h2 { (words.say(words::LIST_FILTERS)) }
                (page::closing(words, "filters"))
            }
            form method="get" action=(format!("/{}", view.path())) {
                (kept(&view.address, &without))
                div.fields {
                    @for slot in slots {
                        @for control in filter(viewer, view, slot) { (control.show(words)) }
                    }
                }
                div.actions {
                    button type="submit" { (words.say(words::LIST_FILTER_APPLY)) }
                    a.button.quiet href=(format!("/{}", view.path())) {
                        (words.say(words::LIST_CLEAR))
                    }
                }
            }
        }
    }
}

/// The controls that filter by a field.
fn filter(viewer: &Viewer, view: &View, slot: &Slot) -> Vec<Control> {
    let words = &viewer.words;
    let label = |key: Key| words.say_with(key, &[("label", slot.label.clone().into())]);
    let (from, to) = (format!("{}[gte]", slot.name), format!("{}[lte]", slot.name));
    let one = |name: String, label: String, widget: Widget| {
        let value = view.address.get(name.trim_start_matches("in.")).to_owned();
        Control { value, ..Control::new(name, label, widget) }
    };
    let range = |widget: Widget, shown: &dyn Fn(&str) -> String| {
        let end = |name: &String, key| {
            let value = shown(view.address.get(name));
            Control { value, ..Control::new(format!("in.{name}"), label(key), widget.clone()) }
        };
        vec![end(&from, words::LIST_FROM), end(&to, words::LIST_TO)]
    };
    let number = |text: &str| {
        let value = text.parse::<i64>().map_or(Json::Null, Json::from);
        value::text(words, slot.kind, &value)
    };
    match slot.kind {
        Kind::Text(_) | Kind::Email if slot.custom().is_none() => vec![one(
            format!("{}[contains]", slot.name),
            label(words::LIST_CONTAINS),
            Widget::Text("text"),
        )],
        Kind::Choice(_) | Kind::Flag => vec![one(
            slot.name.clone(),
            slot.label.clone(),
            Widget::Select {
                choices: slot.choices.clone(),
                open: Some(words.say(words::LIST_ANY)),
            },
        )],
        Kind::Reference(..) => {
            let widget = match view.choices.get(&slot.name) {
                Some(choices) => Widget::Select {
                    choices: choices.clone(),
                    open: Some(words.say(words::LIST_ANY)),
                },
                None => Widget::Text("text"),
            };
            vec![one(slot.name.clone(), slot.label.clone(), widget)]
        }
        Kind::Time => range(Widget::Text("date"), &|text| {
            let at = text.parse().ok();
            at.map_or_else(String::new, |at| show::local(words, at).chars().take(10).collect())
        }),
        Kind::Date => range(Widget::Text("date"), &str::to_owned),
        Kind::Integer(..) | Kind::Seconds(..) => range(Widget::Text("number"), &str::to_owned),
        Kind::Rate(..) => range(Widget::Rate, &number),
        Kind::Money | Kind::Words(..) | Kind::Map(..) | Kind::Document(_) | Kind::Secret(_) => {
            Vec::new()
        }
        _ => vec![one(slot.name.clone(), slot.label.clone(), Widget::Text("text"))],
    }
}

/// The filters in force, each with the way to be rid of it; what could not be used.
fn applied(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let chips: Vec<(String, String)> = view
        .address
        .filters()
        .map(|(parameter, value)| {
            let without = view.address.first().without(&[parameter]).to_string();
            (chip(viewer, view, parameter, value), without)
        })
        .collect();
    html! {
        (page::left_out(words, &view.wrong))
        @if !chips.is_empty() {
            div.applied {
                @for (chip, without) in &chips {
                    span.badge {
                        (chip)
                        a href=(without) aria-label=(words.say_with(
                            words::LIST_FILTER_REMOVE, &[("filter", chip.clone().into())]
                        )) { "×" }
                    }
                }
                a.small href=(format!("/{}", view.path())) { (words.say(words::LIST_CLEAR)) }
            }
        }
    }
}

/// A filter in words: `Kind: Customer`.
fn chip(viewer: &Viewer, view: &View, parameter: &str, value: &str) -> String {
    let (name, op) = split(parameter);
    let Some(slot) = view.slot(name) else { return format!("{parameter} = {value}") };
    let shown = match slot.kind {
        Kind::Reference(..) => view.titles.find(value).unwrap_or(value).to_owned(),
        Kind::Time => {
            value.parse().map_or_else(|_| value.to_owned(), |at| show::minute(&viewer.words, at))
        }
        Kind::Rate(..) => value.parse().map_or_else(|_| value.to_owned(), show::rate),
        _ => value.split(',').map(|word| slot.choice(word)).collect::<Vec<_>>().join(", "),
    };
    let sign = match op {
        "gte" | "gt" => " ≥ ",
        "lte" | "lt" => " ≤ ",
        "ne" => " ≠ ",
        "contains" => {
            let label = [("label", slot.label.clone().into())];
            return format!("{}: {shown}", viewer.words.say_with(words::LIST_CONTAINS, &label));
        }
        _ => ": ",
    };
    format!("{}{sign}{shown}", slot.label)
}

/// The table with its picks.
fn rows(viewer: &Viewer, view: &View) -> Markup {
    let actions = &view.actions;
    html! {
        form method="post" action=(format!("/{}/bulk", view.path())) {
            (page::csrf(viewer))
            input type="hidden" name="back" value=(view.address.to_string());
            @if !actions.is_empty() { (bulk_bar(viewer, view, actions)) }
            (table(viewer, view, !actions.is_empty()))
        }
    }
}

fn bulk_bar(viewer: &Viewer, view: &View, actions: &[(String, String)]) -> Markup {
    let words = &viewer.words;
    let all = view.total.filter(|(total, _)| *total > view.rows.len() as i64);
    html! {
        div.bulk data-count="0" {
            span.only-script { strong data-picked { "0" } " " (words.say(words::LIST_PICKED)) }
            @if let Some((total, exact)) = all {
                @let total = format!("{}{}", show::count(total), if exact { "" } else { "+" });
                label.check {
                    input type="checkbox" name="all" value="true";
                    (words.say_with(words::LIST_PICK_MATCHING, &[("total", total.into())]))
                }
            }
            label.inline {
                span.unseen { (words.say(words::BULK_ACTION)) }
                select name="action" {
                    @for (value, name) in actions { option value=(value) { (name) } }
                }
            }
            button.quiet type="submit" { (words.say(words::BULK_GO)) }
        }
    }
}

fn table(viewer: &Viewer, view: &View, picks: bool) -> Markup {
    let words = &viewer.words;
    let ordered = columns::order(viewer, view.entity, &view.slots);
    let columns: Vec<&Slot> =
        ordered.iter().filter(|(_, shown)| *shown).map(|(slot, _)| *slot).collect();
    let look = Look { words, titles: &view.titles, short: true };
    html! {
        div.table {
            table role="table" {
                caption.unseen { (words.entities(view.entity)) }
                thead role="rowgroup" {
                    tr role="row" {
                        @if picks {
                            th.pick scope="col" role="columnheader" {
                                label.only-script {
                                    input type="checkbox" data-all
                                        aria-label=(words.say(words::LIST_PICK_ALL));
                                }
                            }
                        }
                        @for slot in &columns { (heading(viewer, view, slot)) }
                        @if view.is_deleted() { th scope="col" role="columnheader" {} }
                    }
                }
                tbody role="rowgroup" {
                    @for row in &view.rows {
                        (line(viewer, view, &look, &columns, row, picks))
                    }
                }
            }
        }
    }
}

fn heading(viewer: &Viewer, view: &View, slot: &Slot) -> Markup {
    let sort = view.address.get("sort");
    let (state, next) = match sort.strip_prefix('-') {
        Some(name) if name == slot.name => (Some("descending"), String::new()),
        None if sort == slot.name => (Some("ascending"), format!("-{}", slot.name)),
        _ => (None, slot.name.clone()),
    };
    let address = view.address.first();
    // Up, down, and back to the newest first.
    let address = match next.as_str() {
        "" => address.without(&["sort"]),
        next => address.with("sort", next),
    };
    let label = [("label", slot.label.clone().into())];
    html! {
        th role="columnheader" scope="col" class=[slot.is_numeric().then_some("number")]
            aria-sort=[state] {
            @if slot.flags.has(Flags::SORTABLE) {
                a href=(address) title=(viewer.words.say_with(words::LIST_SORT, &label)) {
                    (slot.label)
                }
            } @else {
                (slot.label)
            }
        }
    }
}

fn line(
    viewer: &Viewer,
    view: &View,
    look: &Look<'_>,
    columns: &[&Slot],
    row: &Json,
    picks: bool,
) -> Markup {
    let words = &viewer.words;
    let id = row["id"].as_str().unwrap_or_default();
    let title = title_of(view.entity, look, row);
    let address = format!("/{}/{id}", view.path());
    html! {
        tr role="row" {
            @if picks {
                td.pick role="cell" {
                    label {
                        input type="checkbox" data-row name=(format!("pick.{id}"))
                            aria-label=(words.say_with(
                                words::LIST_PICK, &[("title", title.clone().into())]
                            ));
                    }
                }
            }
            @for (n, slot) in columns.iter().enumerate() {
                @let value = slot.of(row);
                @if n == 0 {
                    th role="rowheader" scope="row" data-label=(slot.label) {
                        span {
                            @if view.is_deleted() { (title) }
                            @else { a href=(address) { (title) } }
                        }
                    }
                } @else {
                    td role="cell" data-label=(slot.label)
                        class=(class(slot, value)) { span { (look.cell(slot, value)) } }
                }
            }
            @if view.is_deleted() {
                td role="cell" {
                    @if view.allowed.delete {
                        button.quiet type="submit" formaction=(format!("{address}/restore")) {
                            (words.say(words::RECORD_RESTORE))
                        }
                    }
                }
            }
        }
    }
}

/// On a phone, where rows are cards, what has no value is left out.
fn class(slot: &Slot, value: &Json) -> &'static str {
    match (slot.is_numeric(), value.is_null()) {
        (true, true) => "number none",
        (true, false) => "number",
        (false, true) => "none",
        (false, false) => "",
    }
}

/// How many there are, how many are shown, and the way to the others.
fn pager(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let shown = view.rows.len() as i64;
    let range = view.page.zip(view.total).map(|(page, (total, exact))| {
        let from = (page - 1) * view.size;
        let key = if exact { words::LIST_RANGE } else { words::LIST_RANGE_MORE };
        let part = |n: i64| show::count(n).into();
        let parts = [("from", part(from + 1)), ("to", part(from + shown)), ("total", part(total))];
        words.say_with(key, &parts)
    });
    let address = view.address.first();
    let numbered = |page: i64| match page {
        1 => address.to_string(),
        page => address.with("page", &page.to_string()).to_string(),
    };
    let before = match view.page {
        Some(1) => None,
        Some(page) => Some(numbered(page - 1)),
        // Behind a cursor there is no way back but to the beginning.
        None => Some(address.to_string()),
    };
    let next = view.next.as_ref().map(|cursor| match view.page {
        Some(page) if (page + 1) * view.size <= NUMBERED_MAX => numbered(page + 1),
        _ => address.with("cursor", cursor).to_string(),
    });
    html! {
        nav.pager aria-label=(words.say(words::PAGER)) {
            @if let Some(range) = range { span.count { (range) } }
            form method="post" action="/size" {
                (page::csrf(viewer))
                input type="hidden" name="back" value=(address.without(&["limit"]).to_string());
                label.inline {
                    span { (words.say(words::LIST_SIZE)) }
                    select name="size" data-send {
                        @for size in SIZES { option value=(size) selected[size == view.size] { (size) } }
                    }
                }
                noscript { button.quiet type="submit" { (words.say(words::LIST_SIZE_SET)) } }
            }
            @if let Some(before) = before {
                a.button.quiet rel="prev" href=(before) { (words.say(words::LIST_BEFORE)) }
            }
            @if let Some(next) = next {
                a.button.quiet rel="next" href=(next) { (words.say(words::LIST_NEXT)) }
            }
        }
    }
}
