//! The second step: what the columns mean, beside the first rows of the file.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Map, Value as Json, json};

use super::{Step, address, begin, problem, sentences, target_name, trail};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed};
use crate::console::page::{self, Column, Notice, Place, Viewer};
use crate::console::words::{self, Key, Words};
use crate::domain::{Fault, Office};
use crate::entity::custom::{self, Custom};
use crate::entity::import::{self, IMPORT, Import, job, mapping, run as runner};
use crate::entity::{Entity, Flags, Kind};
use crate::http::{self, Problem};

/// Characters of a sample that are shown.
const SAMPLE_CHARACTERS: usize = 60;

/// Where a record comes from, and what that is called unless somebody says better.
const SOURCE: &str = "external_source";
const SOURCE_UNNAMED: &str = "file";

/// What the page shows.
struct View<'a> {
    id: &'a str,
    entity: &'static Entity,
    customs: &'a [Custom],
    import: &'a Import,
    preview: &'a Json,
    /// What a column can mean for the viewer, and what of it records are told apart by.
    targets: &'a [String],
    keys: &'a [&'static str],
    chosen: Chosen,
    /// What is wrong, and what it is about.
    faults: Vec<String>,
}

/// What is chosen on the page.
#[derive(Debug, Default)]
struct Chosen {
    mapping: BTreeMap<String, String>,
    match_by: String,
    existing: String,
    empty: String,
    values: BTreeMap<String, String>,
}

impl Chosen {
    /// What the import has.
    fn of(import: &Import) -> Self {
        let options = json!(import.options());
        let word = |name: &str| options[name].as_str().unwrap_or_default().to_owned();
        Self {
            mapping: import.mapping().clone(),
            match_by: word("match"),
            existing: word("existing"),
            empty: word("empty"),
            values: import.options().values.clone(),
        }
    }

    /// What a form says; columns go by their place, since any text can be a name.
    fn sent(import: &Import, fields: &Fields) -> Self {
        let named = import.columns().iter().enumerate().filter_map(|(at, column)| {
            let target = fields.get(&format!("column.{at}"));
            (!target.is_empty()).then(|| (column.clone(), target.to_owned()))
        });
        let mapping: BTreeMap<String, String> = named.collect();
        // Where a record comes from says nothing without its id there.
        let external = mapping.values().any(|target| target == "external_id");
        let values = fields.0.iter().filter_map(|(name, value)| {
            let target = name.strip_prefix("value.")?;
            let value = value.trim();
            let counts = !value.is_empty() && (external || target != SOURCE);
            counts.then(|| (target.to_owned(), value.to_owned()))
        });
        let values = values.collect();
        Self {
            mapping,
            match_by: fields.get("match").to_owned(),
            existing: fields.get("existing").to_owned(),
            empty: fields.get("empty").to_owned(),
            values,
        }
    }

    /// As the API is told.
    fn document(&self) -> Json {
        let match_by = match self.match_by.as_str() {
            "" => Json::Null,
            target => json!(target),
        };
        let mut options = Map::new();
        options.insert("match".to_owned(), match_by);
        for (name, word) in [("existing", &self.existing), ("empty", &self.empty)] {
            if !word.is_empty() {
                options.insert(name.to_owned(), json!(word));
            }
        }
        options.insert("values".to_owned(), json!(self.values));
        json!({"mapping": self.mapping, "options": options})
    }
}

/// `GET /imports/{id}/mapping`
pub(in crate::console) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let import = http::importing(&office, &signed.actor, &id).await?;
        if !import.can_be_mapped() {
            return Ok(page::go(&address(&id, "")));
        }
        let notice = Notice::from_word(Fields::of_query(&request).get("done"));
        let chosen = Chosen::of(&import);
        let page = page_of(&office, &signed, &id, &import, chosen, Vec::new(), notice).await?;
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /imports/{id}/mapping`: keeps it, and looks again or tries it.
pub(in crate::console) async fn change(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let actor = &signed.actor;
        let words = &signed.viewer.words;
        let import = http::importing(&office, actor, &id).await?;
        let chosen = Chosen::sent(&import, &fields);
        let expected = fields.get("version").parse().ok();
        let body = chosen.document().to_string();
        match import::set_mapping(&office, actor, &import, body.as_bytes(), expected).await {
            Ok(()) => {}
            Err(Fault::Stale) => {
                return Ok(page::go(&Notice::Stale.after(&address(&id, "/mapping"))));
            }
            // It was begun meanwhile: its own page says how it gets on.
            Err(Fault::Conflict { .. }) => return Ok(page::go(&address(&id, ""))),
            Err(fault) => {
                let status = Problem::status(&fault).0;
                let faults = named(words, &import, sentences(fault)?);
                let page = page_of(&office, &signed, &id, &import, chosen, faults, None).await?;
                return Ok(page::send(status, page));
            }
        }
        if fields.get("next") != "try" {
            return Ok(page::go(&address(&id, "/mapping")));
        }
        let import = http::importing(&office, actor, &id).await?;
        let missing = missing(&office, &signed, &import).await?;
        if !missing.is_empty() && import.options().match_by.is_none() {
            // Every row would be a new record, and none could be made.
            let page = page_of(&office, &signed, &id, &import, chosen, missing, None).await?;
            return Ok(page::send(StatusCode::UNPROCESSABLE_ENTITY, page));
        }
        runner::begin(&office, actor, import.id, true, Some(&job::CHECK)).await?;
        Ok(page::go(&address(&id, "")))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// Faults whose pointers are in the words of the API, in those of the page.
fn named(words: &Words, import: &Import, faults: Vec<String>) -> Vec<String> {
    let name = |fault: String| {
        let (about, detail) = fault.split_once(": ").unwrap_or(("", &fault));
        let name = |target: &str| target_name(words, import.entity, &[], target);
        let about = match about {
            "options/match" => words.say(words::IMPORT_MATCH),
            "options/existing" => words.say(words::IMPORT_EXISTING),
            "options/empty" => words.say(words::IMPORT_EMPTY),
            about => {
                match (about.strip_prefix("mapping/"), about.strip_prefix("options/values/")) {
                    (Some(column), _) => column.to_owned(),
                    (_, Some(target)) => name(target),
                    _ => about.to_owned(),
                }
            }
        };
        if about.is_empty() { fault } else { format!("{about}: {detail}") }
    };
    faults.into_iter().map(name).collect()
}

/// What no column and no value gives, and each new record needs.
async fn missing(office: &Office, signed: &Signed, import: &Import) -> Result<Vec<String>, Fault> {
    let words = &signed.viewer.words;
    let customs = custom::of(office, &signed.actor.path, import.entity).await?;
    let missing = mapping::missing(import.entity, &customs, import.mapping(), import.options());
    let sentence = |target: &String| {
        let name = target_name(words, import.entity, &customs, target);
        words.say_with(words::IMPORT_MISSING, &[("field", name.into())])
    };
    Ok(missing.iter().map(sentence).collect())
}

async fn page_of(
    office: &Data<Office>,
    signed: &Signed,
    id: &str,
    import: &Import,
    chosen: Chosen,
    faults: Vec<String>,
    notice: Option<Notice>,
) -> Result<Markup, Fault> {
    let arc = office.clone().into_inner();
    let customs = custom::of(office, &signed.actor.path, import.entity).await?;
    let preview = import::preview(&arc, &signed.actor, import).await?;
    let rights = &signed.actor.rights;
    let view = View {
        id,
        entity: import.entity,
        customs: &customs,
        import,
        preview: &preview,
        targets: &mapping::targets(rights, import.entity, &customs),
        keys: &mapping::keys(rights, import.entity),
        chosen,
        faults,
    };
    Ok(render(&signed.viewer, &view, notice))
}

fn render(viewer: &Viewer, view: &View<'_>, notice: Option<Notice>) -> Markup {
    let words = &viewer.words;
    let title = begin::title(words, view.entity);
    let body = html! {
        p.crumb { a href="/imports" { (words.entities(&IMPORT)) } }
        h1 { (title) }
        (trail(words, Step::Columns))
        @if !view.faults.is_empty() { (problem(words, words::IMPORT_COLUMNS_WRONG, &view.faults)) }
        form.wizard method="post" action=(address(view.id, "/mapping")) {
            (page::csrf(viewer))
            input type="hidden" name="version" value=(view.import.version);
            section {
                h2 { (words.say(words::IMPORT_COLUMNS)) }
                p { (words.say(words::IMPORT_COLUMNS_TEXT)) }
                (columns(words, view))
            }
            section {
                h2 { (words.say(words::IMPORT_RULES)) }
                div.card { div.fields { (rules(words, view)) (values(words, view)) } }
            }
            div.actions {
                button type="submit" name="next" value="try" { (words.say(words::IMPORT_TRY)) }
                button.quiet type="submit" name="next" value="look" {
                    (words.say(words::IMPORT_LOOK))
                }
            }
        }
        section {
            h2 { (words.say(words::IMPORT_PREVIEW)) }
            p { (words.say(words::IMPORT_PREVIEW_TEXT)) }
            (preview(words, view))
        }
    };
    page::page(viewer, Some(Place::At("imports")), &title, notice, &body)
}

/// The columns, what stands in them, and what they mean.
fn columns(words: &Words, view: &View<'_>) -> Markup {
    let headings = [
        Column::text(words, words::IMPORT_COLUMN),
        Column::text(words, words::IMPORT_SAMPLES),
        Column::text(words, words::IMPORT_MEANS),
    ];
    let samples = |at: usize| -> Vec<String> {
        let rows = view.preview["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        let cells = rows.iter().filter_map(|row| row["cells"][at].as_str());
        cells.filter(|text| !text.trim().is_empty()).map(short).collect()
    };
    let choice = |at: usize, column: &str| {
        let chosen = view.chosen.mapping.get(column).map_or("", String::as_str);
        let label = words.say_with(words::IMPORT_MEANS_OF, &[("column", column.to_owned().into())]);
        html! {
            select name=(format!("column.{at}")) aria-label=(label) {
                option value="" { (words.say(words::IMPORT_LEAVE_OUT)) }
                @for target in view.targets {
                    option value=(target) selected[target == chosen] {
                        (target_name(words, view.entity, view.customs, target))
                        @if is_required(view, target) { " *" }
                    }
                }
            }
        }
    };
    let row = |(at, column): (usize, &String)| {
        vec![
            html! { (column) },
            html! { span.dim { (samples(at).join(" · ")) } },
            choice(at, column),
        ]
    };
    let rows: Vec<Vec<Markup>> = view.import.columns().iter().enumerate().map(row).collect();
    html! { div.mapping { (page::table(&words.say(words::IMPORT_COLUMNS), &headings, &rows)) } }
}

fn short(text: &str) -> String {
    let mut letters = text.chars();
    let begin: String = letters.by_ref().take(SAMPLE_CHARACTERS).collect();
    if letters.next().is_some() { format!("{begin}…") } else { begin }
}

fn is_required(view: &View<'_>, target: &str) -> bool {
    let own = view.entity.field(target).is_some_and(|field| field.flags.has(Flags::REQUIRED));
    let added = target.strip_prefix("custom.");
    own || view.customs.iter().any(|custom| custom.required && Some(custom.key.as_str()) == added)
}

/// How rows meet what is there.
fn rules(words: &Words, view: &View<'_>) -> Markup {
    let select =
        |name: &str, label: Key, hint: Option<Key>, choices: &[(String, String)], chosen: &str| {
            let (id, hint_id) = (format!("f-{name}"), format!("h-{name}"));
            html! {
                div.field {
                    label for=(id) { (words.say(label)) }
                    @if let Some(hint) = hint { p.hint id=(hint_id) { (words.say(hint)) } }
                    select id=(id) name=(name) aria-describedby=[hint.map(|_| &hint_id)] {
                        @for (value, text) in choices {
                            option value=(value) selected[value == chosen] { (text) }
                        }
                    }
                }
            }
        };
    let own = |value: &str, name: Key| (value.to_owned(), words.say(name));
    let mut keys = vec![own("", words::IMPORT_MATCH_NONE)];
    keys.extend(view.keys.iter().map(|target| {
        ((*target).to_owned(), target_name(words, view.entity, view.customs, target))
    }));
    let existing =
        [own("update", words::IMPORT_EXISTING_UPDATE), own("skip", words::IMPORT_EXISTING_SKIP)];
    let empty = [own("keep", words::IMPORT_EMPTY_KEEP), own("clear", words::IMPORT_EMPTY_CLEAR)];
    html! {
        (select("match", words::IMPORT_MATCH, Some(words::IMPORT_MATCH_HINT), &keys,
            &view.chosen.match_by))
        (select("existing", words::IMPORT_EXISTING, Some(words::IMPORT_EXISTING_HINT), &existing,
            &view.chosen.existing))
        (select("empty", words::IMPORT_EMPTY, Some(words::IMPORT_EMPTY_HINT), &empty,
            &view.chosen.empty))
    }
}

/// One value for every row, for what the file does not have.
fn values(words: &Words, view: &View<'_>) -> Markup {
    let mapped = |target: &str| view.chosen.mapping.values().any(|known| known == target);
    let wanted = view.targets.iter().filter(|target| {
        let given = view.chosen.values.contains_key(*target);
        !mapped(target) && (given || *target == SOURCE || is_required(view, target))
    });
    html! {
        @for target in wanted {
            @let name = format!("value.{target}");
            @let id = format!("f-{name}");
            @let unsaid = if target == SOURCE { SOURCE_UNNAMED } else { "" };
            @let value = view.chosen.values.get(target).map_or(unsaid, String::as_str);
            @let label = target_name(words, view.entity, view.customs, target);
            @let kind = view.entity.field(target).map(|field| field.kind);
            div.field {
                label for=(id) {
                    (words.say_with(words::IMPORT_VALUE, &[("field", label.into())]))
                }
                @match kind {
                    Some(Kind::Choice(choices)) => select id=(id) name=(name) {
                        option value="" { (words.say(words::NONE)) }
                        @for word in choices {
                            option value=(word) selected[*word == value] {
                                (words.choice(view.entity, target, word))
                            }
                        }
                    },
                    // One secret for every record is none.
                    Some(Kind::Secret(_)) => p.hint { (words.say(words::IMPORT_VALUE_SECRET)) },
                    _ => input id=(id) name=(name) type="text" value=(value) maxlength="500"
                        autocomplete="off" autocapitalize="none" spellcheck="false";,
                }
            }
        }
    }
}

/// The first rows, as they would be given to the API.
fn preview(words: &Words, view: &View<'_>) -> Markup {
    let rows = view.preview["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |record: &Json, target: &str| match target.strip_prefix("custom.") {
        Some(key) => record["custom"][key].clone(),
        None => record[target].clone(),
    };
    let used: Vec<&String> = view
        .targets
        .iter()
        .filter(|target| rows.iter().any(|row| !of(&row["record"], target).is_null()))
        .collect();
    let mut headings = vec![Column::text(words, words::IMPORT_ROW)];
    headings.extend(used.iter().map(|target| {
        Column::named(&target_name(words, view.entity, view.customs, target), false)
    }));
    let line = |row: &Json| -> Vec<Markup> {
        let mut cells = vec![html! { (row["row"]) }];
        if let Some(detail) = row["detail"].as_str() {
            cells
                .push(html! { span.badge.bad { (words.say(words::IMPORT_BAD_ROW)) } " " (detail) });
            return cells;
        }
        cells.extend(used.iter().map(|target| cell(words, &of(&row["record"], target))));
        cells
    };
    let lines: Vec<Vec<Markup>> = rows.iter().map(line).collect();
    html! { div.numbered { (page::table(&words.say(words::IMPORT_PREVIEW), &headings, &lines)) } }
}

/// A value as the API would be given it.
pub(super) fn cell(words: &Words, value: &Json) -> Markup {
    match value {
        Json::Null => html! { span.dim { (words.say(words::NONE)) } },
        Json::String(text) => html! { (short(text)) },
        Json::Bool(flag) => html! { (words.say(if *flag { words::YES } else { words::NO })) },
        value => match serde_json::from_value::<model::Money>(value.clone()) {
            Ok(money) => html! { (money.to_string()) },
            Err(_) => html! { (short(&value.to_string())) },
        },
    }
}
