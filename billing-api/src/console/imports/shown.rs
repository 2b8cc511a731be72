//! The import itself: how it gets on, what became of its rows, what can be done about it.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Ts;
use serde_json::Value as Json;
use sheet::Format;

use super::{Step, address, begin, button, problem, sentences, target_name, told, trail};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed};
use crate::console::page::{self, Column, Place, Viewer};
use crate::console::words::{self, Key, Words};
use crate::console::{show as said, viewer};
use crate::domain::{Fault, Office};
use crate::entity::custom::{self, Custom};
use crate::entity::import::failed::{self, Told};
use crate::entity::import::{self, IMPORT, Import, job, run as runner, undo as back};
use crate::entity::registry::by_prefix;
use crate::entity::{Entity, read};
use crate::http::{self, Problem};

/// Rows with something to tell on a page.
const TOLD_ROWS: i64 = 50;

/// What the page shows.
struct View<'a> {
    id: &'a str,
    entity: &'static Entity,
    customs: Vec<Custom>,
    /// As the API shows it.
    row: Json,
    now: Ts,
    by: String,
    failed: Rows,
    worth: Vec<Json>,
    kept: Vec<Json>,
    /// The first rows, and what would become of each.
    first: Option<(Json, HashMap<u64, String>)>,
    may_undo: bool,
    faults: Vec<String>,
}

/// A page of failed rows.
#[derive(Default)]
struct Rows {
    rows: Vec<Json>,
    /// The last row of the page before.
    after: i64,
    more: bool,
}

/// `GET /imports/{id}/result`
pub(in crate::console) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let import = http::importing(&office, &signed.actor, &id).await?;
        if import.state == "ready" {
            return Ok(page::go(&address(&id, "/mapping")));
        }
        let after = Fields::of_query(&request).get("cursor").parse().unwrap_or(0);
        let page = page_of(&office, &signed, &id, &import, after, Vec::new()).await?;
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /imports/{id}/dry-run`
pub(in crate::console) async fn dry_run(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    act(request, office, post.signed, id, Act::Try).await
}

/// `POST /imports/{id}/run`
pub(in crate::console) async fn run(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    act(request, office, post.signed, id, Act::Run).await
}

/// `POST /imports/{id}/undo`
pub(in crate::console) async fn undo(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    act(request, office, post.signed, id, Act::Undo).await
}

enum Act {
    Try,
    Run,
    Undo,
}

/// Begins one of the three; the job does the rest. What is refused is told on the import's page.
async fn act(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
    act: Act,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let actor = &signed.actor;
        let import = http::importing(&office, actor, &id).await?;
        let begun = match act {
            Act::Try => runner::begin(&office, actor, import.id, true, Some(&job::CHECK)).await,
            Act::Run => runner::begin(&office, actor, import.id, false, Some(&job::RUN)).await,
            Act::Undo => back::begin(&office, actor, import.id, Some(&job::UNDO)).await,
        };
        match begun {
            Ok(_) => Ok(page::go(&address(&id, ""))),
            Err(fault @ (Fault::Conflict { .. } | Fault::TooMany(_))) => {
                let status = Problem::status(&fault).0;
                let import = http::importing(&office, actor, &id).await?;
                let faults = sentences(fault)?;
                let page = page_of(&office, &signed, &id, &import, 0, faults).await?;
                Ok(page::send(status, page))
            }
            Err(fault) => Err(fault),
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

async fn page_of(
    office: &Data<Office>,
    signed: &Signed,
    id: &str,
    import: &Import,
    after: i64,
    faults: Vec<String>,
) -> Result<Markup, Fault> {
    let actor = &signed.actor;
    let (row, _) = read::find(office, actor, &IMPORT, import.id).await?;
    let customs = custom::of(office, &actor.path, import.entity).await?;
    let list = async |told: Told| failed::list(office, import, told, after, TOLD_ROWS + 1).await;
    let mut rows = list(Told::Failed).await?;
    let more = rows.len() as i64 > TOLD_ROWS;
    rows.truncate(TOLD_ROWS as usize);
    let mut others = [Vec::new(), Vec::new()];
    for (rows, told) in others.iter_mut().zip([Told::Worth, Told::Kept]) {
        *rows = failed::list(office, import, told, 0, TOLD_ROWS).await?;
    }
    let [worth, kept] = others;
    let first = match import.state == "checked" && after == 0 {
        false => None,
        true => {
            let arc = office.clone().into_inner();
            let outcomes = failed::first(office, import, runner::SHOWN_ROWS).await?;
            Some((import::preview(&arc, actor, import).await?, outcomes))
        }
    };
    let by = row["created_by"].as_str().unwrap_or_default();
    let by = name_of(office, signed, by).await?;
    let view = View {
        id,
        entity: import.entity,
        customs,
        row,
        now: office.now(),
        by,
        failed: Rows { rows, after, more },
        worth,
        kept,
        first,
        may_undo: viewer::holds(actor, "imports.undo"),
        faults,
    };
    Ok(render(&signed.viewer, &view))
}

/// What somebody is called, where the viewer may know it.
async fn name_of(office: &Office, signed: &Signed, label: &str) -> Result<String, Fault> {
    if label == signed.actor.label() {
        return Ok(signed.actor.name.clone());
    }
    let words = &signed.viewer.words;
    let prefix = label.split('_').next().unwrap_or_default();
    let unnamed = || match prefix {
        "usr" => words.say(words::BY_STAFF),
        "tok" => words.say(words::BY_TOKEN),
        _ => label.to_owned(),
    };
    let Some(entity) = by_prefix(prefix) else { return Ok(unnamed()) };
    let Ok(id) = entity.id(label) else { return Ok(unnamed()) };
    let titles = read::titles(office, &signed.actor, entity, &[id]).await?;
    Ok(titles.into_iter().next().map_or_else(unnamed, |(_, title)| title))
}

impl View<'_> {
    fn state(&self) -> &str {
        self.row["state"].as_str().unwrap_or_default()
    }

    fn count(&self, name: &str) -> i64 {
        self.row[name].as_i64().unwrap_or(0)
    }

    fn time(&self, name: &str) -> Option<Ts> {
        self.row[name].as_str()?.parse().ok()
    }

    fn is_under_way(&self) -> bool {
        ["checking", "running", "undoing"].contains(&self.state())
    }

    /// Whether the file and its rows are still kept.
    fn is_kept(&self) -> bool {
        self.time("purge_at").is_some_and(|at| at > self.now)
    }
}

fn render(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let title = begin::title(words, view.entity);
    let step = match view.state() {
        "checking" | "checked" => Step::Trial,
        _ => Step::Result,
    };
    let body = html! {
        p.crumb { a href="/imports" { (words.entities(&IMPORT)) } }
        h1 { (title) }
        (trail(words, step))
        @if !view.faults.is_empty() { (problem(words, words::FAULT_CONFLICT, &view.faults)) }
        // What is over does not change any more.
        div.flow id="import" data-refresh[view.is_under_way()] {
            (facts(words, view))
            @if view.is_under_way() { (progress(words, view)) }
            @else { (result(viewer, view)) }
        }
    };
    page::page(viewer, Some(Place::At("imports")), &title, None, &body)
}

/// Which file, whose, when.
fn facts(words: &Words, view: &View<'_>) -> Markup {
    let state = view.state();
    let text = |name: &str| view.row[name].as_str().unwrap_or_default().to_owned();
    let tone = match state {
        "finished" | "checked" if view.count("failed_count") == 0 => "badge good",
        "finished" | "checked" => "badge warn",
        "broken" => "badge bad",
        _ => "badge",
    };
    html! {
        dl.record {
            div { dt { (words.field(&IMPORT, "name")) } dd { (text("name")) } }
            div {
                dt { (words.field(&IMPORT, "state")) }
                dd { span class=(tone) { (words.choice(&IMPORT, "state", state)) } }
            }
            div {
                dt { (words.field(&IMPORT, "row_count")) }
                dd { (said::count(view.count("row_count"))) }
            }
            div { dt { (words.field(&IMPORT, "created_by")) } dd { (view.by) } }
            @if let Some(at) = view.time("created_at") {
                div { dt { (words.field(&IMPORT, "created_at")) } dd { (said::time(words, at)) } }
            }
        }
        @if let Some(problem) = view.row["problem"].as_str() {
            div.notice.problem role="alert" { p { (problem) } }
        }
    }
}

/// How far it is.
fn progress(words: &Words, view: &View<'_>) -> Markup {
    let taken = ["created_count", "updated_count", "skipped_count", "failed_count"];
    let (done, total, key) = match view.state() {
        "undoing" => {
            let changed = view.count("created_count") + view.count("updated_count");
            (view.count("undone_count"), changed, words::IMPORT_UNDOING)
        }
        state => {
            let done = taken.iter().map(|name| view.count(name)).sum();
            let key =
                if state == "checking" { words::IMPORT_TRYING } else { words::IMPORT_RUNNING };
            (done, view.count("row_count"), key)
        }
    };
    let told = [("done", said::count(done).into()), ("total", said::count(total).into())];
    html! {
        div.card role="status" {
            h2 { (words.say(key)) }
            progress.progress max=(total.max(1)) value=(done)
                aria-label=(words.say(key)) {}
            p.dim { (words.say_with(words::RUN_PROGRESS, &told)) }
            p.dim { (words.say(words::IMPORT_MAY_LEAVE)) }
            noscript {
                p { a.button.quiet href=(address(view.id, "")) { (words.say(words::IMPORT_RELOAD)) } }
            }
        }
    }
}

/// What became of the rows, or would.
fn result(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let tried = view.state() == "checked";
    let tile = |name: Key, count: i64, class: &str| {
        html! {
            li {
                div class=(format!("tile {class}")) {
                    span.name { (words.say(name)) }
                    span.figure { (said::count(count)) }
                }
            }
        }
    };
    let failed = view.count("failed_count");
    let name = |trial: Key, run: Key| if tried { trial } else { run };
    html! {
        ul.tiles aria-label=(words.say(words::IMPORT_COUNTS)) {
            (tile(name(words::IMPORT_WOULD_CREATE, words::IMPORT_CREATED),
                view.count("created_count"), ""))
            (tile(name(words::IMPORT_WOULD_UPDATE, words::IMPORT_UPDATED),
                view.count("updated_count"), ""))
            (tile(name(words::IMPORT_WOULD_SKIP, words::IMPORT_SKIPPED),
                view.count("skipped_count"), ""))
            (tile(name(words::IMPORT_WOULD_FAIL, words::IMPORT_FAILED), failed,
                if failed > 0 { "bad" } else { "" }))
        }
        @if tried { (after_trial(viewer, view)) } @else { (after_run(viewer, view)) }
        @if failed > 0 { (failures(words, view)) }
        @if !view.worth.is_empty() {
            section {
                h2 { (words.say(words::IMPORT_WORTH)) }
                p { (words.say(words::IMPORT_WORTH_TEXT)) }
                (table(words, view, words::IMPORT_WORTH, &view.worth))
                @if view.worth.len() as i64 >= TOLD_ROWS {
                    p.dim { (words.say_with(words::IMPORT_FIRST_ONLY, &[("count", TOLD_ROWS.into())])) }
                }
            }
        }
        @if !view.kept.is_empty() {
            section {
                h2 { (words.say(words::IMPORT_KEPT)) }
                p { (words.say(words::IMPORT_KEPT_TEXT)) }
                (table(words, view, words::IMPORT_KEPT, &view.kept))
            }
        }
        @if let Some((preview, outcomes)) = &view.first {
            section {
                h2 { (words.say(words::IMPORT_PREVIEW)) }
                (first_rows(words, view, preview, outcomes))
            }
        }
    }
}

/// What to do after a dry run.
fn after_trial(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let (created, updated) = (view.count("created_count"), view.count("updated_count"));
    let failed = view.count("failed_count");
    html! {
        @if created + updated == 0 {
            div.notice.caution role="status" { p { (words.say(words::IMPORT_NOTHING)) } }
        } @else if failed > 0 {
            p { (words.say_with(words::IMPORT_SOME_FAIL, &[("count", failed.into())])) }
        } @else {
            p { (words.say(words::IMPORT_NONE_FAIL)) }
        }
        div.actions {
            @if created + updated > 0 {
                @let name = words.say_with(words::IMPORT_RUN, &[("count", (created + updated).into())]);
                (button(viewer, &address(view.id, "/run"), &name, "", None))
            }
            a.button.quiet href=(address(view.id, "/mapping")) { (words.say(words::IMPORT_BACK)) }
            (button(viewer, &address(view.id, "/dry-run"), &words.say(words::IMPORT_TRY_AGAIN),
                "quiet", None))
        }
    }
}

/// What to do after a run.
fn after_run(viewer: &Viewer, view: &View<'_>) -> Markup {
    let words = &viewer.words;
    let changed = view.count("created_count") + view.count("updated_count");
    let many = [("many", words.entities_within(view.entity).into())];
    let until = view.time("undo_until").filter(|at| *at > view.now);
    let can_undo = ["finished", "broken"].contains(&view.state()) && changed > 0;
    html! {
        @if view.state() == "undone" {
            p { (words.say_with(words::IMPORT_UNDONE, &[("count", view.count("undone_count").into())])) }
        }
        div.actions {
            a.button href=(format!("/{}", view.entity.path)) { (words.say_with(words::IMPORT_OPEN, &many)) }
            a.button.quiet href=(format!("/{}/import", view.entity.path)) {
                (words.say(words::IMPORT_ANOTHER))
            }
            @if can_undo && view.may_undo && until.is_some() {
                @let confirm = words.say_with(words::IMPORT_UNDO_CONFIRM, &[("count", changed.into())]);
                (button(viewer, &address(view.id, "/undo"), &words.say(words::IMPORT_UNDO), "danger",
                    Some(&confirm)))
            }
        }
        @if can_undo {
            @match until {
                Some(at) => p.dim {
                    (words.say_with(words::IMPORT_UNDO_UNTIL, &[("time", said::minute(words, at).into())]))
                },
                None => p.dim { (words.say(words::IMPORT_UNDO_OVER)) },
            }
        }
    }
}

/// The rows that fail, why, and how to have them as a file.
fn failures(words: &Words, view: &View<'_>) -> Markup {
    let list = address(view.id, "");
    let tried = ["checking", "checked"].contains(&view.state());
    let title = if tried { words::IMPORT_FAILURES } else { words::IMPORT_FAILURES_DONE };
    html! {
        section {
            div.head {
                h2 { (words.say(title)) }
                @if view.is_kept() {
                    div.actions {
                        @for format in [Format::Csv, Format::Xlsx, Format::Json] {
                            a.button.quiet download
                                href=(address(view.id, &format!("/error-file?format={format}"))) {
                                (words.say_with(words::IMPORT_FILE_OF_FAILED,
                                    &[("format", format.name().to_uppercase().into())]))
                            }
                        }
                    }
                }
            }
            @if view.is_kept() {
                p { (words.say(words::IMPORT_FAILURES_TEXT)) }
                @if !view.failed.rows.is_empty() {
                    (table(words, view, title, &view.failed.rows))
                }
                @let last = view.failed.rows.last().map(|row| row["row"].to_string());
                (page::pager(words, &list, view.failed.after > 0,
                    last.as_deref().filter(|_| view.failed.more)))
            } @else {
                p.dim { (words.say(words::IMPORT_FORGOTTEN)) }
            }
        }
    }
}

/// Rows and what there is to tell of them.
fn table(words: &Words, view: &View<'_>, name: Key, rows: &[Json]) -> Markup {
    let columns = [Column::text(words, words::IMPORT_ROW), Column::text(words, words::IMPORT_WHY)];
    let row = |row: &Json| {
        vec![
            html! { (row["row"]) },
            html! { (told(words, view.entity, &view.customs, &row["errors"])) },
        ]
    };
    let rows: Vec<Vec<Markup>> = rows.iter().map(row).collect();
    html! { div.numbered.told { (page::table(&words.say(name), &columns, &rows)) } }
}

/// The first rows as they would be given to the API, and what would become of each.
fn first_rows(
    words: &Words,
    view: &View<'_>,
    preview: &Json,
    outcomes: &HashMap<u64, String>,
) -> Markup {
    let rows = preview["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut targets: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["record"].as_object())
        .flat_map(|record| record.keys().map(String::as_str))
        .filter(|name| *name != "custom")
        .collect();
    targets.sort_by_key(|name| view.entity.all_fields().position(|field| field.name == *name));
    targets.dedup();
    let mut columns =
        vec![Column::text(words, words::IMPORT_ROW), Column::text(words, words::IMPORT_BECOMES)];
    columns.extend(targets.iter().map(|target| {
        Column::named(&target_name(words, view.entity, &view.customs, target), false)
    }));
    let row = |row: &Json| {
        let outcome = row["row"].as_u64().and_then(|number| outcomes.get(&number));
        let (name, class) = match outcome.map(String::as_str) {
            Some("created") => (words::IMPORT_BECOMES_NEW, "badge good"),
            Some("updated") => (words::IMPORT_BECOMES_UPDATED, "badge"),
            Some("skipped") => (words::IMPORT_BECOMES_SKIPPED, "badge"),
            _ => (words::IMPORT_BECOMES_NOTHING, "badge bad"),
        };
        let mut cells =
            vec![html! { (row["row"]) }, html! { span class=(class) { (words.say(name)) } }];
        cells.extend(
            targets.iter().map(|target| super::columns::cell(words, &row["record"][*target])),
        );
        cells
    };
    let rows: Vec<Vec<Markup>> = rows.iter().map(row).collect();
    html! { div.numbered { (page::table(&words.say(words::IMPORT_PREVIEW), &columns, &rows)) } }
}
