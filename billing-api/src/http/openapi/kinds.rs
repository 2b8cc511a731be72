//! A field's kind as JSON Schema: as it is shown, and as it is taken.

use serde_json::{Value as Json, json};

use crate::domain::AMOUNT_MAX;
use crate::entity::query;
use crate::entity::{Field, Flags, Kind};

/// No control characters (C0, DEL, C1), as the interpreter has it.
const ONE_LINE: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";
/// One line with a character that is no space.
const SOMETHING: &str =
    r"^[^\u0000-\u001F\u007F-\u009F]*[^\u0000-\u0020\u007F-\u00A0][^\u0000-\u001F\u007F-\u009F]*$";
/// Several lines.
const LINES: &str = r"^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F]*$";

/// What an id looks like: 128 bits in Crockford's base 32.
pub(super) fn id(prefix: &str) -> Json {
    json!({"type": "string", "pattern": format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$")})
}

/// A field as it is shown; a secret never is.
pub(in crate::http) fn shown(field: &Field) -> Option<Json> {
    let schema = match field.kind {
        Kind::Secret(_) => return None,
        // Lists are empty where there is nothing.
        Kind::Words(..) => {
            return Some(about(field, json!({"type": "array", "items": {"type": "string"}})));
        }
        Kind::Map(names, _) => return Some(about(field, map(names, json!({"type": "string"})))),
        // What a document holds is its reader's business.
        Kind::Document(_) => return Some(about(field, json!({}))),
        kind => value(kind),
    };
    Some(about(field, if is_filled(field) { schema } else { nullable(schema) }))
}

/// Says what a field takes besides what its record takes.
fn about(field: &Field, mut schema: Json) -> Json {
    if let Some(permission) = field.permission {
        let before = schema["description"].as_str().map(|text| format!("{text}; "));
        let text = format!("there for those with the permission {permission} alone");
        schema["description"] = json!(before.unwrap_or_default() + &text);
    }
    schema
}

/// Whether every row has a value. What must be given at creation may still be missing where the
/// program itself wrote the row, such as a NAS on first sight; what is sorted by never is.
pub(super) fn is_filled(field: &Field) -> bool {
    let asked = field.flags.has(Flags::REQUIRED);
    field.flags.has(Flags::FILLED) || asked && field.flags.has(Flags::SORTABLE)
}

/// A field as it is taken.
pub(in crate::http) fn given(field: &Field) -> Json {
    let required = field.flags.has(Flags::REQUIRED);
    let mut schema = match field.kind {
        Kind::Words(items, characters) => json!({
            "type": "array",
            "maxItems": items,
            "items": {
                "type": "string", "minLength": 1, "maxLength": characters, "pattern": SOMETHING,
            },
        }),
        Kind::Map(names, characters) => {
            let text =
                json!({"type": ["string", "null"], "maxLength": characters, "pattern": ONE_LINE});
            map(names, text)
        }
        Kind::Document(_) => json!({"type": "object"}),
        Kind::Secret(max) => {
            json!({"type": "string", "minLength": 1, "maxLength": max, "writeOnly": true})
        }
        kind => value(kind),
    };
    let pattern = match field.kind {
        Kind::Text(_) if required => Some(SOMETHING),
        Kind::Text(_) => Some(ONE_LINE),
        Kind::LongText(_) => Some(LINES),
        _ => None,
    };
    if let Some(pattern) = pattern {
        schema["pattern"] = json!(pattern);
    }
    about(field, if required { schema } else { nullable(schema) })
}

/// A value of a kind, where there is one.
pub(super) fn value(kind: Kind) -> Json {
    match kind {
        Kind::Text(max) | Kind::LongText(max) => json!({"type": "string", "maxLength": max}),
        Kind::Email => json!({"type": "string", "format": "email", "maxLength": 254}),
        Kind::Integer(min, max) => whole(min, max),
        Kind::Rate(min, max) => with(whole(min, max), "description", "bit/s"),
        Kind::Seconds(min, max) => with(whole(min, max), "description", "seconds"),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::Zone => json!({
            "type": "string", "maxLength": 60, "description": "IANA time zone",
            "examples": ["Asia/Kolkata", "UTC"],
        }),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::Reference(prefix, _) => id(prefix),
        Kind::Address => {
            json!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
        }
        Kind::Network => json!({
            "type": "string", "description": "an address with a prefix length",
            "examples": ["192.0.2.0/24", "2001:db8::/32"],
        }),
        Kind::Money => json!({"$ref": "#/components/schemas/Money"}),
        Kind::Words(..) => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Map(..) => json!({"type": "object"}),
        Kind::Document(_) => json!({}),
        Kind::Secret(_) => json!({"type": "string"}),
    }
}

/// An object of texts under known names.
fn map(names: &[&str], text: Json) -> Json {
    let properties: serde_json::Map<String, Json> =
        names.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// An amount of money.
pub(super) fn money() -> Json {
    json!({
        "type": "object",
        "required": ["amount", "currency"],
        "additionalProperties": false,
        "properties": {
            "amount": with(whole(0, AMOUNT_MAX), "description", "minor units: 2999 USD is $29.99"),
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]},
        },
    })
}

fn whole(min: i64, max: i64) -> Json {
    json!({"type": "integer", "format": "int64", "minimum": min, "maximum": max})
}

fn with(mut schema: Json, key: &str, value: &str) -> Json {
    schema[key] = json!(value);
    schema
}

/// The schema, or null.
pub(super) fn nullable(mut schema: Json) -> Json {
    let Some(word) = schema.get("type").and_then(Json::as_str) else {
        return json!({"anyOf": [schema, {"type": "null"}]});
    };
    schema["type"] = json!([word, "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Json::as_array_mut) {
        words.push(Json::Null);
    }
    schema
}

/// The comparisons a filter by this field knows, by their words.
pub(in crate::http) fn comparisons(field: &Field) -> Vec<&'static str> {
    let filtered = field.flags.has(Flags::FILTERABLE) && field.is_column();
    if filtered { query::ops(field.kind).collect() } else { Vec::new() }
}

/// The parameters of a filter by this field: `field` and `field[op]`.
pub(super) fn filters(field: &Field) -> Vec<Json> {
    let mut value = value(field.kind);
    if let (Kind::Text(_), Some(map)) = (field.kind, value.as_object_mut()) {
        map.insert("pattern".to_owned(), json!(ONE_LINE));
    }
    let mut parameters = Vec::new();
    for op in comparisons(field) {
        let name = match op {
            "eq" => field.name.to_owned(),
            op => format!("{}[{op}]", field.name),
        };
        let schema = match op {
            "null" => json!({"type": "boolean"}),
            "in" => json!({
                "type": "array", "items": value, "minItems": 1, "maxItems": query::IN_MAX,
            }),
            _ => value.clone(),
        };
        let mut parameter = json!({"name": name, "in": "query", "schema": schema});
        if op == "in" {
            parameter["style"] = json!("form");
            parameter["explode"] = json!(false);
        }
        parameters.push(parameter);
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_which_permission_it_takes() {
        for kind in [Kind::Rate(0, 9), Kind::Money, Kind::Words(9, 9), Kind::Document(None)] {
            let open = Field::new("x", kind, Flags::WRITABLE);
            let kept = open.for_those_with("audit.view");
            let text = |schema: Option<Json>| schema.unwrap().to_string();
            for (schema, wanted) in [
                (shown(&kept), true),
                (Some(given(&kept)), true),
                (shown(&open), false),
                (Some(given(&open)), false),
            ] {
                let text = text(schema);
                assert_eq!(text.contains("permission audit.view"), wanted, "{kind:?}: {text}");
            }
        }
    }
}
