//! Finding the record that a reference shall name.
//!
//! Where there are few, a form offers them all. Where there are many one types a name, a number
//! or an id: suggestions come while typing where there is a script, and without one the form
//! comes back with what was found.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;
use serde_json::Value as Json;

use super::require;
use super::slot::Slot;
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Signed};
use crate::console::page;
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, Office};
use crate::entity::query::ListQuery;
use crate::entity::{Entity, Kind, read, registry, search};

/// Records that a form offers as a plain list; of more, one is looked up.
const FEW: i64 = 100;
/// Records that a search suggests.
const SUGGESTED: usize = 12;

/// All records a reference can name, where they are few: their ids and titles. Nothing where
/// they are many, or where it is no reference.
pub(super) async fn few(
    office: &Office,
    actor: &Actor,
    slot: &Slot,
) -> Result<Option<Vec<(String, String)>>, Fault> {
    let Kind::Reference(prefix, _) = slot.kind else { return Ok(None) };
    let Some(entity) = registry::by_prefix(prefix) else { return Ok(None) };
    if !read::may(actor, entity, "view") {
        return Ok(None);
    }
    let Some(title) = entity.field(entity.title) else { return Ok(None) };
    let query = ListQuery { limit: FEW, fields: vec![title.name], ..ListQuery::default() };
    let listed = read::list(office, actor, entity, &query).await?;
    if listed.next.is_some() {
        return Ok(None);
    }
    let known = |row: &Json| {
        let id = row["id"].as_str()?.to_owned();
        let text = row[title.name].as_str().map_or_else(|| id.clone(), str::to_owned);
        Some((id, text))
    };
    let mut known: Vec<(String, String)> = listed.rows.iter().filter_map(known).collect();
    known.sort_by_key(|(_, title)| title.to_lowercase());
    Ok(Some(known))
}

/// What a typed text names.
pub(super) enum Named {
    /// One record.
    One(String),
    /// None, or more than one: what is wrong, and what was found.
    Other(String, Vec<(String, String)>),
}

/// Finds the record that a text names: an id, a suggestion's `Title · id`, or words.
pub(super) async fn named(
    office: &Office,
    actor: &Actor,
    words: &Words,
    prefix: &'static str,
    text: &str,
) -> Result<Named, Fault> {
    let last = text.rsplit(" · ").next().unwrap_or(text).trim();
    if model::id::parse(prefix, last).is_ok() {
        return Ok(Named::One(last.to_owned()));
    }
    let told = [("text", text.to_owned().into())];
    let Some(entity) = registry::by_prefix(prefix) else {
        return Ok(Named::Other(words.say_with(words::EDIT_LOOKUP_NONE, &told), Vec::new()));
    };
    let found = find(office, actor, entity, text).await?;
    let same = |title: &str| title.to_lowercase() == text.trim().to_lowercase();
    let mut exact = found.iter().filter(|(_, title)| same(title));
    Ok(match (exact.next(), exact.next(), found.as_slice()) {
        (Some((id, _)), None, _) | (None, None, [(id, _)]) => Named::One(id.clone()),
        (_, _, []) => Named::Other(words.say_with(words::EDIT_LOOKUP_NONE, &told), Vec::new()),
        _ => Named::Other(words.say_with(words::EDIT_LOOKUP_MANY, &told), found),
    })
}

async fn find(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    text: &str,
) -> Result<Vec<(String, String)>, Fault> {
    let found = search::everywhere(office, actor, text, Some(entity), SUGGESTED).await?;
    let pair = |found: search::Found| (model::id::show(entity.prefix, found.id), found.title);
    Ok(found.into_iter().flat_map(|group| group.found).map(pair).collect())
}

/// `GET /{path}/lookup?q=`: options for a list of suggestions.
pub(super) async fn suggest(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        require(&signed.actor, entity, "view")?;
        let fields = Fields::of_query(&request);
        let found = find(&office, &signed.actor, entity, fields.get("q")).await?;
        let options = html! {
            @for (id, title) in &found { option value=(format!("{title} · {id}")) {} }
        };
        Ok(page::send(StatusCode::OK, options))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}
