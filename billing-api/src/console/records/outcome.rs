//! What became of a deed for many records: how far it is, and each record with its outcome.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::RunId;
use serde_json::Value as Json;
use uuid::Uuid;

use super::slot::Slot;
use super::{Address, Titles, bulk as deeds, require, slots};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Signed};
use crate::console::page::{self, Column, Place, Viewer};
use crate::console::show;
use crate::console::viewer::holds;
use crate::console::words::{self, Key, Words};
use crate::domain::{Actor, Fault, Office};
use crate::entity::registry::LABEL;
use crate::entity::{Entity, bulk, custom, read};
use crate::jobs::entities::JOB_RUN;

/// Records of a page.
const PAGE: i64 = 100;

/// Where the outcome of a run is shown.
pub(super) fn address(entity: &Entity, run: Uuid) -> String {
    format!("/{}/bulk/{}", entity.path, RunId(run))
}

/// A run that changes, or changed, records of this entity; any other is not there.
pub(super) async fn find(
    office: &Office,
    actor: &Actor,
    entity: &Entity,
    run: &str,
) -> Result<(Json, RunId), Fault> {
    let none = || Fault::NotFound("run");
    let id: RunId = run.parse().map_err(|_| none())?;
    let (row, _) = read::find(office, actor, &JOB_RUN, id.0).await?;
    let own = row["kind"] == bulk::BULK.name && row["arguments"]["entity"] == entity.name;
    if own { Ok((row, id)) } else { Err(none()) }
}

/// What the page shows.
struct View<'a> {
    entity: &'static Entity,
    run: &'a str,
    row: Json,
    name: String,
    results: Vec<Json>,
    titles: Vec<(Uuid, String)>,
    next: Option<String>,
    /// Those that failed alone.
    failed: bool,
    later: bool,
    may_jobs: bool,
}

/// `GET /{path}/bulk/{id}`
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
        let words = &viewer.words;
        let (row, run) = find(&office, actor, entity, &id).await?;
        let fields = Fields::of_query(&request);
        let failed = fields.get("failed") == "true";
        let after = fields.get("cursor").parse().unwrap_or(0);
        let results = bulk::results(&office, actor, run, failed, after, PAGE).await?;
        let ids = results.rows.iter().filter_map(|row| entity.id(row["id"].as_str()?).ok());
        let ids: Vec<Uuid> = ids.collect();
        let titles = read::titles(&office, actor, entity, &ids).await?;
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(words, &actor.rights, entity, &customs);
        let label = match row["arguments"]["label_id"].as_str().and_then(|id| LABEL.id(id).ok()) {
            None => None,
            Some(id) => {
                static LABELS: &Entity = &LABEL;
                read::titles(&office, actor, LABELS, &[id]).await?.pop().map(|(_, title)| title)
            }
        };
        let set = std::slice::from_ref(&row["arguments"]["set"]);
        let set = Titles::load(&office, actor, &slots, set).await?;
        let view = View {
            entity,
            run: &id,
            name: name(words, entity, &slots, &set, &row["arguments"], label.as_deref()),
            results: results.rows,
            titles,
            next: results.next,
            failed,
            later: after > 0,
            may_jobs: holds(actor, "jobs.view"),
            row,
        };
        Ok(page::send(StatusCode::OK, render(viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// What an order does, in words.
fn name(
    words: &Words,
    entity: &Entity,
    slots: &[Slot],
    titles: &Titles,
    order: &Json,
    label: Option<&str>,
) -> String {
    let label = [("label", label.unwrap_or_default().to_owned().into())];
    match order["action"].as_str().unwrap_or_default() {
        "delete" => words.say(words::BULK_DELETE),
        "restore" => words.say(words::RECORD_RESTORE),
        "label" => words.say_with(words::BULK_LABELLED, &label),
        "unlabel" => words.say_with(words::BULK_UNLABELLED, &label),
        "update" => {
            let set = order["set"].as_object().cloned().unwrap_or_default();
            let custom = set.get("custom").and_then(Json::as_object).cloned().unwrap_or_default();
            let custom = custom.into_iter().map(|(key, value)| (format!("custom.{key}"), value));
            let own = set.into_iter().filter(|(name, _)| name != "custom");
            let fields: Vec<(String, Json)> = own.chain(custom).collect();
            let slot = |name: &str| slots.iter().find(|slot| slot.name == name);
            if let [(name, value)] = fields.as_slice()
                && let Some(slot) = slot(name).filter(|slot| !slot.choices.is_empty())
            {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                return deeds::set(words, slot, &value);
            }
            if let [(name, value)] = fields.as_slice()
                && let Some(slot) = slot(name)
                && let Some(title) = value.as_str().and_then(|id| titles.find(id))
            {
                return deeds::set_to(words, slot, title);
            }
            let label = |(name, _): &(String, Json)| {
                slot(name).map_or_else(|| name.clone(), |slot| slot.label.clone())
            };
            let labels: Vec<String> = fields.iter().map(label).collect();
            words.say_with(words::BULK_CHANGED_FIELDS, &[("fields", labels.join(", ").into())])
        }
        action => {
            let own = entity.actions.iter().find(|own| own.name == action);
            own.map_or_else(|| action.to_owned(), |own| words.deed(entity, own))
        }
    }
}

fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let entity = view.entity;
    let state = view.row["state"].as_str().unwrap_or_default();
    let under_way = ["queued", "running"].contains(&state);
    let dry = view.row["arguments"]["dry_run"] == true;
    let title = match dry {
        true => words.say_with(words::BULK_TRIAL, &[("action", view.name.clone().into())]),
        false => view.name.clone(),
    };
    let here = address_of(view);
    let body = html! {
        p.crumb { a href=(format!("/{}", entity.path)) { (words.entities(entity)) } }
        h1 { (title) }
        div.flow id="outcome" data-refresh[under_way] {
            @if under_way { (progress(words, view, &here)) }
            @else { (summary(viewer, view, dry)) }
            @if !view.results.is_empty() || view.later { (results(words, view, &here)) }
        }
    };
    page::page(viewer, Some(Place::At(entity.path)), &title, None, &body)
}

fn address_of(view: &View<'_>) -> Address {
    let address = Address::of(format!("/{}/bulk/{}", view.entity.path, view.run));
    if view.failed { address.with("failed", "true") } else { address }
}

fn progress(words: &Words, view: &View<'_>, here: &Address) -> Markup {
    let number = |name: &str| view.row[name].as_i64().unwrap_or(0);
    let (done, total) = (number("progress_done"), number("progress_total"));
    let told = [("done", show::count(done).into()), ("total", show::count(total).into())];
    let waits = view.row["state"] == "queued";
    let name = words.say(if waits { words::BULK_QUEUED } else { words::BULK_RUNNING });
    html! {
        div.card role="status" {
            h2 { (name) }
            progress.progress max=(total.max(1)) value=(done) aria-label=(name) {}
            @if total > 0 { p.dim { (words.say_with(words::RUN_PROGRESS, &told)) } }
            noscript { p { a.button.quiet href=(here) { (words.say(words::IMPORT_RELOAD)) } } }
        }
    }
}

/// How it ended.
fn summary(viewer: &Viewer, view: &View<'_>, dry: bool) -> Markup {
    let words = &viewer.words;
    let result = &view.row["result"];
    let number = |name: &str| result[name].as_i64().unwrap_or(0);
    let tile = |name: Key, count: i64, class: &str| {
        html! {
            li {
                div class=(format!("tile {class}")) {
                    span.name { (words.say(name)) }
                    span.figure { (show::count(count)) }
                }
            }
        }
    };
    let (changed, failed) = (number("changed"), number("failed"));
    let done = if dry { words::BULK_WOULD_CHANGE } else { words::BULK_CHANGED };
    let not = if dry { words::BULK_WOULD_FAIL } else { words::BULK_FAILED };
    html! {
        @if let Some(error) = view.row["error"].as_str() {
            div.notice.problem role="alert" { p { (error) } }
        }
        @if view.row["state"] == "cancelled" {
            div.notice.caution role="status" { p { (words.say(words::BULK_CANCELLED)) } }
        }
        @if !result.is_null() {
            ul.tiles aria-label=(words.say(words::BULK_COUNTS)) {
                (tile(words::BULK_RECORDS, number("records"), ""))
                (tile(done, changed, ""))
                (tile(not, failed, if failed > 0 { "bad" } else { "" }))
            }
        }
        div.actions {
            @if dry && changed > 0 {
                form method="post" action=(format!("/{}/bulk", view.entity.path)) {
                    (page::csrf(viewer))
                    input type="hidden" name="again" value=(view.run);
                    button type="submit" { (words.say(words::BULK_YES)) }
                }
            }
            a.button.quiet href=(format!("/{}", view.entity.path)) {
                (words.entities(view.entity))
            }
            @if view.may_jobs {
                a.button.quiet href=(format!("/job-runs/{}", view.run)) {
                    (words.say(words::BULK_JOB))
                }
            }
        }
    }
}

/// Each record with what became of it.
fn results(words: &Words, view: &View<'_>, here: &Address) -> Markup {
    let columns = [
        Column::named(&words.entity(view.entity), false),
        Column::text(words, words::BULK_OUTCOME),
        Column::text(words, words::IMPORT_WHY),
    ];
    let row = |row: &Json| {
        let id = row["id"].as_str().unwrap_or_default();
        let title = view.entity.id(id).ok();
        let title = title.and_then(|id| view.titles.iter().find(|(own, _)| *own == id));
        let title = title.map_or(id, |(_, title)| title);
        let (name, class) = match row["outcome"].as_str() {
            Some("changed") => (words::BULK_OUTCOME_CHANGED, "badge good"),
            Some("would_change") => (words::BULK_OUTCOME_WOULD, "badge"),
            _ => (words::BULK_OUTCOME_FAILED, "badge bad"),
        };
        vec![
            html! { a href=(format!("/{}/{id}", view.entity.path)) { (title) } },
            html! { span class=(class) { (words.say(name)) } },
            html! { (row["detail"].as_str().unwrap_or_default()) },
        ]
    };
    let rows: Vec<Vec<Markup>> = view.results.iter().map(row).collect();
    let all = here.without(&["failed"]);
    let tab = |address: &Address, name: Key, here: bool| {
        html! {
            li { a href=(address) aria-current=[here.then_some("page")] { (words.say(name)) } }
        }
    };
    html! {
        section {
            h2 { (words.say(words::BULK_RESULTS)) }
            nav aria-label=(words.say(words::BULK_RESULTS)) {
                ul.tabs {
                    (tab(&all, words::BULK_ALL, !view.failed))
                    (tab(&all.with("failed", "true"), words::BULK_ONLY_FAILED, view.failed))
                }
            }
            (page::table(&words.say(words::BULK_RESULTS), &columns, &rows))
            (page::pager(words, &here.to_string(), view.later, view.next.as_deref()))
        }
    }
}
