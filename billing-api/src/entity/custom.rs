//! The fields an organisation adds to its records.
//!
//! They are described by rows, not by code: `custom_field` is an entity like any other, and
//! inherited, so that a partner's customers have the ISP's fields too. Values live in the
//! record's column `custom`, one JSON object. They can be filtered by equality
//! (`custom.KEY=value`), which an index on the whole object answers.

use serde_json::{Map, Value as Json};
use store::{StoreError, args};

use super::{Draft, Entity, Field, Flags, Hooks, Kind, Scope, Unique};
use crate::domain::{Fault, Input, Office};

/// Longest text of a custom field, characters.
const TEXT_MAX: usize = 1000;
/// Fields an entity can be given.
const FIELDS_MAX: i64 = 100;

store::statements! {
    /// The fields that records of an organisation with this path have, the nearest
    /// organisation's first.
    pub(crate) OF = "SELECT f.key, f.label, f.kind, f.choices, f.required
        FROM custom_field f JOIN organisation o ON o.id = f.organisation_id
        WHERE $1 LIKE o.path || '%' AND f.entity = $2 AND f.deleted_at IS NULL
        ORDER BY LENGTH(o.path) DESC, f.id LIMIT $3";
}

/// A field that an organisation added.
#[derive(Debug, Clone)]
pub(crate) struct Custom {
    /// Its name in JSON.
    pub(crate) key: String,
    /// Its name for people.
    pub(crate) label: String,
    /// One of [`KINDS`].
    pub(crate) kind: String,
    /// The words of a choice.
    pub(crate) choices: Vec<String>,
    /// Whether a new record needs it.
    pub(crate) required: bool,
}

/// What a custom field can hold.
pub(crate) const KINDS: &[&str] = &["text", "integer", "flag", "date", "choice"];

/// The entities that take custom fields.
const ENTITIES: &[&str] = &["customer", "service", "plan", "nas"];

/// The description of custom fields themselves.
pub(crate) const CUSTOM_FIELD: Entity = Entity {
    name: "custom_field",
    path: "custom-fields",
    table: "custom_field",
    prefix: "cuf",
    scope: Scope::Inherited,
    permission: "settings",
    title: "label",
    unique: &[Unique::within(&["entity", "key"])],
    fields: &[
        Field::new("entity", Kind::Choice(ENTITIES), KEY.and(Flags::ONCE)),
        Field::new("key", Kind::Text(40), KEY.and(Flags::ONCE)),
        Field::new("label", Kind::Text(60), KEY),
        Field::new("kind", Kind::Choice(KINDS), KEY.and(Flags::ONCE)),
        Field::new("choices", Kind::Words(100, 60), Flags::WRITABLE.and(Flags::FILLED)),
        Field::new("required", Kind::Flag, Flags::WRITABLE.and(Flags::FILLED).and(Flags::LISTED)),
    ],
    hooks: Hooks {
        check,
        before: |_, verb, draft, _| {
            if verb == super::Verb::Created {
                draft.fill("choices", Json::Array(Vec::new()));
                draft.fill("required", false);
            }
            Box::pin(std::future::ready(Ok(())))
        },
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

/// What everything about a custom field is, its choices apart.
const KEY: Flags = Flags::REQUIRED
    .and(Flags::WRITABLE)
    .and(Flags::SORTABLE)
    .and(Flags::FILTERABLE)
    .and(Flags::LISTED);

fn check(draft: &Draft, input: &mut Input) {
    if draft.text("key").is_some_and(|key| !is_key(key)) {
        input.fault("key", "is lower-case letters, digits and _, and begins with a letter");
    }
    let choices = draft.json("choices").and_then(Json::as_array).map_or(0, Vec::len);
    if draft.text("kind") == Some("choice") && choices == 0 {
        input.fault("choices", "a choice needs words to choose from");
    }
}

/// Whether a text can be the key of a custom field. Keys stand in SQL, so this is narrow.
pub(crate) fn is_key(key: &str) -> bool {
    key.len() <= 40
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The fields that records of an organisation with this path have.
pub(crate) async fn of(office: &Office, path: &str, entity: &Entity) -> Result<Vec<Custom>, Fault> {
    if !entity.custom {
        return Ok(Vec::new());
    }
    let about = (path.to_owned(), entity.name);
    let customs = office.describing.ask(&about, async || read(office, path, entity).await).await?;
    Ok(Vec::clone(&customs))
}

async fn read(office: &Office, path: &str, entity: &Entity) -> Result<Vec<Custom>, Fault> {
    let rows = office.db.fetch_all(&OF, args![path, entity.name, FIELDS_MAX]).await?;
    let mut customs: Vec<Custom> = Vec::with_capacity(rows.len());
    for row in rows {
        let choices: Json = row.get("choices")?;
        let custom = Custom {
            key: row.get("key")?,
            label: row.get("label")?,
            kind: row.get("kind")?,
            choices: serde_json::from_value(choices)
                .map_err(|error| row.bad_column("choices", "words", error.to_string()))?,
            required: row.get("required")?,
        };
        // An organisation's own field hides an ancestor's of the same key.
        if !customs.iter().any(|known| known.key == custom.key) {
            customs.push(custom);
        }
    }
    Ok(customs)
}

/// Reads the object `custom` of a document.
pub(super) fn take(customs: &[Custom], input: &mut Input, all: bool) -> Option<Map<String, Json>> {
    let given = input.map("custom");
    let missing = |map: &Map<String, Json>, key: &str| map.get(key).is_none_or(Json::is_null);
    let mut map = given.unwrap_or_default();
    for custom in customs.iter().filter(|custom| custom.required) {
        // A change need not repeat it, and cannot empty it.
        if missing(&map, &custom.key) && (all || map.contains_key(&custom.key)) {
            input.fault(&format!("custom/{}", custom.key), "is required");
        }
    }
    for (key, value) in &mut map {
        let pointer = format!("custom/{key}");
        match customs.iter().find(|custom| custom.key == *key) {
            None => input.fault(&pointer, "is not a field here"),
            Some(custom) => {
                if let Err(detail) = custom.check(value) {
                    input.fault(&pointer, detail);
                }
            }
        }
    }
    (!map.is_empty()).then_some(map)
}

impl Custom {
    /// Checks a value; a text is trimmed, an empty one becomes null.
    fn check(&self, value: &mut Json) -> Result<(), String> {
        if let Json::String(text) = value {
            let trimmed = text.trim();
            *value = if trimmed.is_empty() { Json::Null } else { Json::String(trimmed.to_owned()) };
        }
        if value.is_null() {
            return Ok(());
        }
        match (self.kind.as_str(), &*value) {
            ("text", Json::String(text)) => match text.chars().count() > TEXT_MAX {
                true => Err(format!("has more than {TEXT_MAX} characters")),
                false if text.chars().any(char::is_control) => {
                    Err("has control characters".to_owned())
                }
                false => Ok(()),
            },
            ("text", _) => Err("must be a text".to_owned()),
            ("integer", number) if number.as_i64().is_some() => Ok(()),
            ("integer", _) => Err("must be a whole number".to_owned()),
            ("flag", Json::Bool(_)) => Ok(()),
            ("flag", _) => Err("must be true or false".to_owned()),
            ("date", Json::String(text)) if text.parse::<jiff::civil::Date>().is_ok() => Ok(()),
            ("date", _) => Err("must be a date such as 2026-03-01".to_owned()),
            (_, Json::String(text)) if self.choices.contains(text) => Ok(()),
            _ => Err(format!("is one of {}", self.choices.join(", "))),
        }
    }

    /// A filter's value, as JSON of the field's kind.
    pub(super) fn value(&self, text: &str) -> Result<Json, String> {
        let mut value = match self.kind.as_str() {
            "integer" => text.parse::<i64>().map(Json::from).map_err(|e| e.to_string())?,
            "flag" => match text {
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                _ => return Err("is true or false".to_owned()),
            },
            _ => Json::String(text.to_owned()),
        };
        self.check(&mut value)?;
        Ok(value)
    }
}

/// The values of a record after a change: what was given over what was there.
pub(super) fn merged(before: Json, given: &Map<String, Json>) -> Json {
    let mut map = match before {
        Json::Object(map) => map,
        _ => Map::new(),
    };
    for (key, value) in given {
        match value {
            Json::Null => map.remove(key),
            value => map.insert(key.clone(), value.clone()),
        };
    }
    Json::Object(map)
}

/// The column of a row.
pub(super) fn of_row(row: &store::Row) -> Result<Json, StoreError> {
    row.get("custom")
}
