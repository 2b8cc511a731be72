//! An entity as its caller finds it: fields with labels, kinds, flags and choices, those that
//! the organisation added among them. For programs that draw forms and tables.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::text::{has, text};
use serde_json::{Value as Json, json};

use super::caller::Caller;
use super::{Problem, Tagged, openapi, tagged};
use crate::domain::access::permission;
use crate::domain::{Actor, Fault, Office};
use crate::entity::custom::{self, Custom};
use crate::entity::{Entity, Field, Flags, Kind, Verbs, read, registry};

/// The language of the labels: callers translate field names, not sentences.
const LOCALE: &str = "en";

/// `GET /schema/{entity}`
pub(super) async fn entity(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let entity = registry::by_path(&name).ok_or(Fault::NotFound("entity"))?;
        let view = permission::named(entity.permission, "view");
        caller.0.may(view.ok_or(Fault::NotFound("entity"))?)?;
        let customs = custom::of(&office, &caller.0.path, entity).await?;
        Ok(tagged(&request, &Tagged::of(&described(&caller.0, entity, &customs))))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

fn described(actor: &Actor, entity: &'static Entity, customs: &[Custom]) -> Json {
    let may =
        |verb: &str, offered: Verbs| entity.verbs.has(offered) && read::may(actor, entity, verb);
    let visible = |field: &&Field| field.is_seen(&actor.rights);
    let own = entity.all_fields().filter(visible).map(|field| of_field(entity, field));
    let added = customs.iter().map(of_custom);
    json!({
        "name": entity.name,
        "path": format!("{}/{}", super::API, entity.path),
        "label": label(&[format!("entity-{}", entity.name)], entity.name),
        "label_many": label(&[format!("entity-{}-many", entity.name)], entity.path),
        "id_prefix": entity.prefix,
        "title": entity.title,
        "may": {
            "create": may("create", Verbs::CREATE),
            "edit": may("edit", Verbs::UPDATE),
            "delete": may("delete", Verbs::DELETE),
            "import": may("import", Verbs::IMPORT),
            "export": read::may(actor, entity, "export"),
        },
        "takes_custom_fields": entity.custom,
        "fields": own.chain(added).collect::<Vec<_>>(),
    })
}

fn of_field(entity: &Entity, field: &Field) -> Json {
    let name = field.name;
    let has = |flag: Flags| field.flags.has(flag);
    let mut described = json!({
        "name": name,
        "label": label(&[format!("field-{}-{name}", entity.name), format!("field-{name}")], name),
        "kind": field.kind.word(),
        "required": has(Flags::REQUIRED),
        "writable": field.is_writable(),
        "once": has(Flags::ONCE),
        "sortable": has(Flags::SORTABLE),
        "searched": has(Flags::SEARCHED),
        "personal": has(Flags::PERSONAL),
        "listed": has(Flags::LISTED),
        "secret": matches!(field.kind, Kind::Secret(_)),
        "custom": false,
        "comparisons": openapi::comparisons(field),
        "choices": choices(entity, field),
        "schema": if field.is_writable() { openapi::given(field) } else {
            openapi::shown(field).unwrap_or(Json::Null)
        },
    });
    if let Kind::Reference(prefix, _) = field.kind {
        let path = registry::by_prefix(prefix).map(|to| format!("{}/{}", super::API, to.path));
        described["refers_to"] = json!(path);
    }
    described
}

fn choices(entity: &Entity, field: &Field) -> Vec<Json> {
    let Kind::Choice(words) = field.kind else { return Vec::new() };
    let name = field.name;
    let label_of = |word: &str| {
        let key: String =
            word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let keys = [
            format!("choice-{}-{name}-{key}", entity.name),
            format!("choice-{name}-{key}"),
            format!("choice-{key}"),
        ];
        label(&keys, word)
    };
    words.iter().map(|word| json!({"value": word, "label": label_of(word)})).collect()
}

fn of_custom(custom: &Custom) -> Json {
    let kind = match custom.kind.as_str() {
        "integer" => "integer",
        "flag" => "boolean",
        _ => "string",
    };
    let mut schema = json!({"type": [kind, "null"]});
    if custom.kind == "date" {
        schema["format"] = json!("date");
    }
    let choices: Vec<Json> =
        custom.choices.iter().map(|word| json!({"value": word, "label": word})).collect();
    json!({
        "name": format!("custom.{}", custom.key),
        "label": custom.label,
        "kind": custom.kind,
        "required": custom.required,
        "writable": true,
        "once": false,
        "sortable": false,
        "searched": false,
        "personal": false,
        "listed": false,
        "secret": false,
        "custom": true,
        "comparisons": ["eq", "in"],
        "choices": choices,
        "schema": schema,
    })
}

/// The first of some keys that the catalogue has; else the word itself, made readable.
fn label(keys: &[String], word: &str) -> String {
    if let Some(key) = keys.iter().find(|key| has(key)) {
        return text(LOCALE, key, &[]);
    }
    let plain = word.replace(['_', '-'], " ");
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The shape of the answer.
pub(super) fn schema() -> Json {
    let (text, flag) = (|| json!({"type": "string"}), || json!({"type": "boolean"}));
    let flags = [
        "required", "writable", "once", "sortable", "searched", "personal", "listed", "secret",
        "custom",
    ];
    let mut field = json!({
        "name": text(), "label": text(), "kind": text(),
        "comparisons": {"type": "array", "items": text()},
        "choices": {"type": "array", "items": {
            "type": "object", "required": ["value", "label"],
            "properties": {"value": text(), "label": text()},
        }},
        "schema": {"description": "JSON Schema of its value"},
        "refers_to": {"type": ["string", "null"]},
    });
    for name in flags {
        field[name] = flag();
    }
    let required: Vec<&str> = flags
        .into_iter()
        .chain(["name", "label", "kind", "comparisons", "choices", "schema"])
        .collect();
    let may: serde_json::Map<String, Json> = ["create", "edit", "delete", "import", "export"]
        .into_iter()
        .map(|verb| (verb.to_owned(), flag()))
        .collect();
    json!({
        "type": "object",
        "required": ["name", "path", "label", "id_prefix", "title", "may", "fields"],
        "properties": {
            "name": text(), "path": text(), "label": text(), "label_many": text(),
            "id_prefix": text(), "title": text(), "takes_custom_fields": flag(),
            "may": {"type": "object", "properties": may},
            "fields": {"type": "array", "items": {
                "type": "object", "required": required, "properties": field,
            }},
        },
    })
}
