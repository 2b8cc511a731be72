//! Records that come from a file: choose it, say what its columns mean, try it, run it, and undo
//! it where it was a mistake.
//!
//! Each step is a page of its own with a plain form, in the order of the steps: `begin` takes
//! the file, `columns` says what they mean, `shown` is the import itself: how it gets on, what
//! became of its rows, and what can be done about it. All of them do what the API does, by the
//! same functions.

mod begin;
mod columns;
mod shown;

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use std::collections::BTreeMap;

use super::failure::Failure;
use super::guard::Signed;
use super::page::{self, Viewer};
use super::words::{self, Key, Words};
use crate::domain::{Fault, FieldFault, Office};
use crate::entity::custom::Custom;
use crate::entity::import::failed::Wanted;
use crate::entity::{Entity, Verbs, read, registry};
use crate::http;

pub(super) use begin::{choose, form, send, template};
pub(super) use columns::{change, show as columns};
pub(super) use shown::{dry_run, run, show, undo};

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    File,
    Columns,
    Trial,
    Result,
}

const STEPS: [(Step, Key); 4] = [
    (Step::File, words::IMPORT_STEP_FILE),
    (Step::Columns, words::IMPORT_STEP_COLUMNS),
    (Step::Trial, words::IMPORT_STEP_TRIAL),
    (Step::Result, words::IMPORT_STEP_RESULT),
];

/// Where one is among the steps.
fn trail(words: &Words, here: Step) -> Markup {
    html! {
        nav.trail aria-label=(words.say(words::IMPORT_STEPS)) {
            ol {
                @for (step, name) in STEPS {
                    li aria-current=[(step == here).then_some("step")] { (words.say(name)) }
                }
            }
        }
    }
}

/// Where an import is, or one of its steps.
fn address(id: &str, rest: &str) -> String {
    match rest {
        "" => format!("/imports/{id}/result"),
        rest => format!("/imports/{id}{rest}"),
    }
}

/// The entities whose records the viewer may import.
fn offered(signed: &Signed) -> Vec<&'static Entity> {
    let all = Verbs::IMPORT.and(Verbs::CREATE);
    let own = registry::ENTITIES.iter().copied();
    own.filter(|entity| entity.verbs.has(all) && read::may(&signed.actor, entity, "import"))
        .filter(|entity| {
            let path = format!("/{}", entity.path);
            crate::domain::module::guard_in(&signed.viewer.settings, &path).is_ok()
        })
        .collect()
}

/// What a target of a column is called: `price.currency` is "Price: currency".
fn target_name(words: &Words, entity: &Entity, customs: &[Custom], target: &str) -> String {
    if let Some(key) = target.strip_prefix("custom.") {
        let custom = customs.iter().find(|custom| custom.key == key);
        return custom.map_or_else(|| key.to_owned(), |custom| custom.label.clone());
    }
    if let Some(field) = target.strip_suffix(".currency") {
        let label = [("label", words.field(entity, field).into())];
        return words.say_with(words::IMPORT_TARGET_CURRENCY, &label);
    }
    match target {
        "id" => words.say(words::IMPORT_TARGET_ID),
        "organisation_id" => words.say(words::ORGANISATION),
        field => words.field(entity, field),
    }
}

/// What is wrong, above what it is about.
fn problem(words: &Words, title: Key, faults: &[String]) -> Markup {
    html! {
        div.notice.problem role="alert" {
            p { b { (words.say(title)) } }
            @if let [only] = faults { p { (only) } }
            @else { ul { @for fault in faults { li { (fault) } } } }
        }
    }
}

/// The sentences of a fault that a form can show; any other is returned.
fn sentences(fault: Fault) -> Result<Vec<String>, Fault> {
    match fault {
        Fault::Invalid(faults) => Ok(faults.iter().map(sentence).collect()),
        Fault::Conflict { detail, .. } => Ok(vec![detail]),
        fault @ (Fault::TooLong(_) | Fault::TooMany(_)) => Ok(vec![fault.to_string()]),
        fault => Err(fault),
    }
}

fn sentence(fault: &FieldFault) -> String {
    match fault.pointer.trim_start_matches(['/', '?']) {
        "" => fault.detail.clone(),
        field => format!("{field}: {}", fault.detail),
    }
}

/// The faults of a row, in the reader's names for its fields.
fn told(words: &Words, entity: &Entity, customs: &[Custom], errors: &serde_json::Value) -> String {
    let one = |error: &serde_json::Value| {
        let detail = error["detail"].as_str().unwrap_or_default();
        let pointer = error["pointer"].as_str().unwrap_or_default().trim_start_matches('/');
        match pointer {
            "" => detail.to_owned(),
            field => {
                let target = field.replace("custom/", "custom.");
                let known = entity.field(field).is_some() || target.starts_with("custom.");
                let name = match known {
                    true => target_name(words, entity, customs, &target),
                    // A column of the file that could not be read.
                    false => field.to_owned(),
                };
                format!("{name}: {detail}")
            }
        }
    };
    let all = errors.as_array().map(|errors| errors.iter().map(one).collect::<Vec<_>>());
    all.unwrap_or_default().join("; ")
}

/// `GET /imports/{id}/error-file?format=`
pub(super) async fn error_file(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let import = http::importing(&office, &signed.actor, &id).await?;
        let query = Query::<BTreeMap<String, String>>::from_query(request.query_string());
        let query = query.map(Query::into_inner).unwrap_or_default();
        let format = match query.get("format") {
            None => sheet::Format::Csv,
            Some(word) => {
                word.parse().map_err(|error| Fault::field("?format", format!("{error}")))?
            }
        };
        let wanted = Wanted { format, delimiter: None };
        http::failed_rows(office, &signed.actor, &import, wanted).await
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// A button of its own that sends one thing.
fn button(viewer: &Viewer, action: &str, name: &str, class: &str, confirm: Option<&str>) -> Markup {
    html! {
        form method="post" action=(action) data-confirm=[confirm] {
            (page::csrf(viewer))
            button class=(class) type="submit" { (name) }
        }
    }
}
