//! Search over everything: what the console's search box finds, for programs.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value as Json, json};

use super::caller::Caller;
use super::query::Query;
use super::{API, Problem};
use crate::domain::{Fault, Office};
use crate::entity::registry::by_path;
use crate::entity::search;

/// Records of a kind unless the caller asks for another number.
const EACH_DEFAULT: i64 = 10;
/// Records of a kind at most; the kind's own list has the others.
pub(super) const EACH_MAX: i64 = 50;
/// Longest query, characters.
pub(super) const QUERY_MAX: usize = 200;

/// `GET /search`
pub(super) async fn everywhere(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let (text, kind) = (query.text("q"), query.text("entity"));
        let each = query.parsed::<i64>("limit").unwrap_or(EACH_DEFAULT);
        query.finish()?;
        let text = text.ok_or_else(|| Fault::field("?q", "is required"))?;
        if text.chars().count() > QUERY_MAX {
            return Err(Fault::field("?q", format!("has more than {QUERY_MAX} characters")));
        }
        if !(1..=EACH_MAX).contains(&each) {
            return Err(Fault::field("?limit", format!("is a number from 1 to {EACH_MAX}")));
        }
        let only = kind.map(|path| {
            let entity = by_path(&path).filter(|entity| entity.is_searched());
            entity.ok_or_else(|| Fault::field("?entity", "has no records that search looks into"))
        });
        let only = only.transpose()?;
        let found = search::everywhere(&office, &caller.0, &text, only, each as usize).await?;
        let groups: Vec<Json> = found.iter().map(shown).collect();
        Ok(HttpResponse::Ok().json(json!({"data": groups})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

fn shown(group: &search::Group) -> Json {
    let entity = group.entity;
    let record = |found: &search::Found| {
        let id = model::id::show(entity.prefix, found.id);
        json!({"id": id, "title": found.title, "href": format!("{API}/{}/{id}", entity.path)})
    };
    json!({
        "entity": entity.path,
        "records": group.found.iter().map(record).collect::<Vec<_>>(),
        "more": group.more,
    })
}

/// The shape of the answer.
pub(super) fn shape() -> Json {
    let record = json!({
        "type": "object",
        "required": ["id", "title", "href"],
        "properties": {
            "id": {"type": "string"},
            "title": {"type": "string", "description": "What people know it by."},
            "href": {"type": "string"},
        },
    });
    json!({
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "array", "items": {
            "type": "object",
            "required": ["entity", "records", "more"],
            "properties": {
                "entity": {"type": "string", "description": "As in the address of its list."},
                "records": {"type": "array", "items": record},
                "more": {"type": "boolean", "description": "Whether its list has others."},
            },
        }}},
    })
}
