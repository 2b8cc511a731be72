//! The operations and shapes that come from a description.

use actix_web::http::Method;
use serde_json::{Map, Value as Json, json};

use super::super::API;
use super::{common, kinds};
use crate::entity::registry::{self, ENTITIES};
use crate::entity::{Action, Entity, Field, Flags, Verbs, bulk};

/// `customer_label` as a name of a shape: `CustomerLabel`.
fn name(entity: &Entity) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    entity.name.split('_').filter(|part| !part.is_empty()).map(word).collect()
}

/// A reference to the shape of an entity's records.
pub(super) fn shape(entity: &Entity) -> Json {
    reference(&name(entity))
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The shapes of an entity: its records, part of one, and what creates and changes one.
pub(super) fn schemas(entity: &Entity) -> Vec<(String, Json)> {
    let name = name(entity);
    let mut schemas = vec![
        (format!("{name}Part"), part(entity)),
        (name.clone(), whole(entity, &reference(&format!("{name}Part")))),
    ];
    // Where typed code creates them, it takes the same form.
    if entity.all_fields().any(|field| field.is_writable()) {
        schemas.push((format!("New{name}"), new(entity)));
    }
    if entity.verbs.has(Verbs::UPDATE) {
        schemas.push((format!("{name}Change"), change(entity)));
    }
    schemas
}

/// What a record may show. Of these, `fields=` chooses.
fn part(entity: &Entity) -> Json {
    let mut properties = Map::new();
    let mut put = |name: &str, schema: Json| properties.insert(name.to_owned(), schema);
    put("id", kinds::id(entity.prefix));
    put("organisation_id", kinds::id(model::OrganisationId::PREFIX));
    for field in entity.all_fields() {
        if let Some(schema) = kinds::shown(field) {
            put(field.name, schema);
        }
    }
    if entity.custom {
        put("custom", custom());
    }
    put("version", json!({"type": "integer", "format": "int64", "minimum": 1}));
    json!({"type": "object", "required": ["id"], "properties": properties})
}

/// A whole record: everything is there, what takes a permission of its own apart.
fn whole(entity: &Entity, part: &Json) -> Json {
    let mut required = vec!["id", "organisation_id", "version"];
    if entity.custom {
        required.push("custom");
    }
    let there = |field: &&Field| field.permission.is_none() && kinds::shown(field).is_some();
    required.extend(entity.all_fields().filter(there).map(|field| field.name));
    json!({"allOf": [part], "required": required})
}

fn custom() -> Json {
    json!({
        "type": "object",
        "description": "the fields that the organisation added, by key",
        "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
    })
}

/// What creates a record.
pub(super) fn new(entity: &Entity) -> Json {
    let mut properties = taken(entity, |_| true);
    let mut organisation = kinds::nullable(kinds::id(model::OrganisationId::PREFIX));
    organisation["description"] = json!("one's own, or one below it; one's own unless given");
    properties.insert("organisation_id".to_owned(), organisation);
    let required: Vec<&str> = entity
        .all_fields()
        .filter(|field| field.is_writable() && field.flags.has(Flags::REQUIRED))
        .map(|field| field.name)
        .collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// What changes a record: the fields to change, and no other.
fn change(entity: &Entity) -> Json {
    let properties = taken(entity, |field| !field.flags.has(Flags::ONCE));
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn taken(entity: &Entity, also: fn(&Field) -> bool) -> Map<String, Json> {
    let fields = entity.all_fields().filter(|field| field.is_writable() && also(field));
    let mut properties: Map<String, Json> =
        fields.map(|field| (field.name.to_owned(), kinds::given(field))).collect();
    if entity.custom {
        properties.insert("custom".to_owned(), kinds::nullable(custom()));
    }
    properties
}

/// What an action takes.
fn arguments(action: &Action) -> Json {
    let shown = action.arguments.iter().map(|field| (field.name.to_owned(), kinds::given(field)));
    let required = action.arguments.iter().filter(|field| field.flags.has(Flags::REQUIRED));
    json!({
        "type": "object",
        "required": required.map(|field| field.name).collect::<Vec<_>>(),
        "properties": shown.collect::<Map<String, Json>>(),
        "additionalProperties": false,
    })
}

/// The operation of a route that comes from a description.
pub(super) fn operation(pattern: &str, method: &Method) -> Option<Json> {
    let rest = pattern.strip_prefix(API).and_then(|rest| rest.strip_prefix('/')).unwrap_or("");
    let (path, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let entity = registry::by_path(path)?;
    let action = rest.strip_prefix("{id}/").filter(|_| method == Method::POST);
    let action = action.and_then(|word| entity.actions.iter().find(|own| own.name == word));
    let (one, many) = (entity.name, entity.path.replace('-', "_"));
    let (id, words) = match (method.as_str(), rest) {
        ("GET", "") => (format!("list_{many}"), "A page of records"),
        ("POST", "") => (format!("create_{one}"), "Creates a record"),
        ("GET", "{id}") => (format!("get_{one}"), "One record"),
        ("PATCH", "{id}") => (format!("update_{one}"), "Changes a record"),
        ("DELETE", "{id}") => (format!("delete_{one}"), "Deletes a record; it can be restored"),
        ("POST", "{id}/restore") => (format!("restore_{one}"), "Brings a deleted record back"),
        ("GET", "export") => (format!("export_{many}"), "Every record of a list, as a file"),
        ("POST", "bulk") => (format!("bulk_{many}"), "Orders one change to many records, as a job"),
        _ => {
            let word = action?.name.replace('-', "_");
            (format!("{word}_{one}"), "Does this with a record")
        }
    };
    let mut parameters = common::path_parameters(pattern);
    let mut body = None;
    let whole = reference(&name(entity));
    let header = |name: &str| common::parameter(name);
    let (mut responses, errors): (Json, &[u16]) = match (method.as_str(), rest) {
        ("GET", "") => {
            parameters.extend(list_parameters(entity));
            for name in ["limit", "cursor", "page", "total"] {
                parameters.push(header(name));
            }
            let part = reference(&format!("{}Part", name(entity)));
            (json!({"200": common::page(&part)}), &[422])
        }
        ("GET", "export") => {
            parameters.extend(list_parameters(entity));
            // Format, columns and templates are the exporter's own words.
            parameters.push(json!({
                "name": "format", "in": "query", "schema": {"type": "string", "maxLength": 10},
            }));
            let file = json!({"description": "The file", "content": {"*/*": {}}});
            (json!({"200": file}), &[422])
        }
        ("GET", _) => (json!({"200": common::answer("The record", &whole, true)}), &[]),
        ("POST", "") => {
            parameters.push(header("idempotency-key"));
            body = Some(reference(&format!("New{}", name(entity))));
            (json!({"201": common::created(&whole)}), &[409, 413, 415, 422])
        }
        ("POST", "bulk") => {
            parameters.push(header("idempotency-key"));
            body = Some(order(entity));
            let mut run = common::created(&reference("JobRun"));
            run["description"] = json!("The run that does it");
            (json!({"202": run}), &[409, 413, 415, 422])
        }
        ("PATCH", _) => {
            parameters.extend([header("idempotency-key"), header("if-match")]);
            body = Some(reference(&format!("{}Change", name(entity))));
            let answer = common::answer("The record as it is now", &whole, true);
            (json!({"200": answer}), &[409, 412, 413, 415, 422])
        }
        ("DELETE", _) => {
            parameters.push(header("if-match"));
            (json!({"204": {"description": "It is deleted"}}), &[409, 412, 422])
        }
        _ => {
            parameters.push(header("idempotency-key"));
            if action.is_some() {
                parameters.push(header("if-match"));
            }
            if let Some(action) = action.filter(|action| !action.arguments.is_empty()) {
                body = Some(arguments(action));
            }
            let answer = common::answer("The record as it is now", &whole, true);
            (json!({"200": answer}), &[409, 412, 413, 415, 422])
        }
    };
    common::errors(&mut responses, &[401, 403, 404, 429, 503]);
    common::errors(&mut responses, errors);
    let mut operation = json!({
        "operationId": id,
        "summary": words,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = body {
        operation["requestBody"] = json!({"required": action.is_none(), "content": {"application/json": {"schema": schema}}});
    }
    Some(operation)
}

/// One change to many records: which, and what.
fn order(entity: &'static Entity) -> Json {
    let mut order = json!({
        "type": "object",
        "required": ["action"],
        "additionalProperties": false,
        "properties": {
            "action": {"enum": bulk::acts(entity)},
            "ids": {"type": "array", "items": kinds::id(entity.prefix)},
            "filter": {
                "type": "object",
                "description": "parameters of the list, in place of ids",
                "additionalProperties": {"type": ["string", "integer", "boolean"]},
            },
            "set": {"$ref": format!("#/components/schemas/{}Change", name(entity))},
            "dry_run": {"type": "boolean"},
        },
    });
    let own = entity.actions.iter().filter(|action| action.is_for_many());
    let said: Vec<Json> =
        own.filter(|action| !action.arguments.is_empty()).map(arguments).collect();
    if !said.is_empty() {
        order["properties"]["arguments"] = json!({
            "description": "what the action takes besides the record",
            "anyOf": said,
        });
    }
    if bulk::Tie::of(entity).is_some() {
        order["properties"]["label_id"] = kinds::id("lbl");
    }
    order
}

/// What a list, and an export of it, can be asked for.
fn list_parameters(entity: &Entity) -> Vec<Json> {
    let columns: Vec<&str> = ["id"]
        .into_iter()
        .chain(entity.all_fields().filter(|f| f.is_column()).map(|field| field.name))
        .collect();
    let sortable = entity.all_fields().filter(|field| field.flags.has(Flags::SORTABLE));
    let sorts: Vec<String> =
        sortable.flat_map(|field| [field.name.to_owned(), format!("-{}", field.name)]).collect();
    let several = |name: &str, about: &str, words: Json| {
        json!({
            "name": name, "in": "query", "description": about, "style": "form", "explode": false,
            "schema": {"type": "array", "items": {"enum": words}, "uniqueItems": true},
        })
    };
    let mut parameters = vec![
        several("fields", "what to show of each record, besides its id", json!(columns)),
        several("sort", "by these, - for falling; the newest first otherwise", json!(sorts)),
    ];
    for name in ["q", "organisation_id", "deleted"] {
        parameters.push(common::parameter(name));
    }
    parameters.extend(entity.all_fields().flat_map(kinds::filters));
    parameters
}

/// Whose ids follow this word in a pattern.
pub(super) fn by_path(path: &str) -> Option<&'static Entity> {
    ENTITIES.iter().copied().find(|entity| entity.path == path)
}
