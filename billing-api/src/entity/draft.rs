//! JSON becomes checked values.

use std::borrow::Cow;

use ipnetwork::IpNetwork;
use model::{OrganisationId, Secret};
use serde_json::{Map, Value as Json};
use store::Value;

use super::custom::Custom;
use super::{Entity, Field, Flags, Kind};
use crate::domain::access::Rights;
use crate::domain::{Fault, FieldFault, Input, is_email};

/// What is said of a field that is not there.
const NO_FIELD: &str = "is not a field here";

/// The name of a column.
pub(crate) type Column = Cow<'static, str>;

/// The values a caller gave, before they are written. Hooks complete it.
#[derive(Default)]
pub(crate) struct Draft {
    /// Where the record shall live, where the caller says so.
    pub(crate) organisation: Option<OrganisationId>,
    /// The record's id, from before the first hook: secrets are sealed to it.
    pub(crate) record: uuid::Uuid,
    /// What is written, by column.
    columns: Vec<(Column, Value)>,
    /// The fields that the caller gave, before hooks filled others.
    given: Vec<&'static str>,
    /// What is handed to hooks alone, by field.
    secrets: Vec<(&'static str, Secret<String>)>,
    /// The organisation's own fields that were given; null empties one.
    pub(crate) custom: Option<Map<String, Json>>,
}

/// Shows which columns were given and never what: it may be personal.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.columns.iter().map(|(column, _)| column)).finish()
    }
}

impl Draft {
    /// Nothing yet, for a record that is there.
    pub(crate) fn about(record: uuid::Uuid) -> Self {
        Self { record, ..Self::default() }
    }

    /// That nothing was given which somebody with these rights does not have: for them such a
    /// field does not exist.
    pub(crate) fn within(&self, entity: &Entity, rights: &Rights) -> Result<(), Fault> {
        let hidden = entity.all_fields().filter(|field| !field.is_seen(rights));
        let given = hidden.filter(|field| match field.kind {
            Kind::Money => self.value(&format!("{}_amount", field.name)).is_some(),
            Kind::Secret(_) => self.secret(field.name).is_some(),
            _ => self.value(field.name).is_some(),
        });
        let faults: Vec<FieldFault> = given
            .map(|field| FieldFault {
                pointer: format!("/{}", field.name),
                detail: NO_FIELD.to_owned(),
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(faults)) }
    }

    /// Reads the arguments of an action.
    pub(crate) fn arguments(fields: &'static [Field], mut input: Input) -> Result<Self, Fault> {
        let mut draft = Self::default();
        for field in fields {
            if !draft.take(&mut input, field) && field.flags.has(Flags::REQUIRED) {
                input.missing(field.name);
            }
        }
        input.finish()?;
        Ok(draft)
    }

    /// Whether nothing was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.secrets.is_empty() && self.custom.is_none()
    }

    /// The value for a column, where there is one.
    pub(crate) fn value(&self, column: &str) -> Option<&Value> {
        self.columns.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// Whether a column has a value that is not NULL.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.value(column).is_some_and(|value| !is_null(value))
    }

    /// The text for a column.
    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        match self.value(column) {
            Some(Value::Text(text)) => text.as_deref(),
            _ => None,
        }
    }

    /// The flag for a column.
    pub(crate) fn flag(&self, column: &str) -> Option<bool> {
        match self.value(column) {
            Some(Value::Bool(flag)) => *flag,
            _ => None,
        }
    }

    /// The record named in a column.
    pub(crate) fn id(&self, column: &str) -> Option<uuid::Uuid> {
        match self.value(column) {
            Some(Value::Uuid(id)) => *id,
            _ => None,
        }
    }

    /// The address for a column.
    pub(crate) fn net(&self, column: &str) -> Option<IpNetwork> {
        match self.value(column) {
            Some(Value::Net(net)) => *net,
            _ => None,
        }
    }

    /// The words or the document for a column.
    pub(crate) fn json(&self, column: &str) -> Option<&Json> {
        match self.value(column) {
            Some(Value::Json(json)) => json.as_ref(),
            _ => None,
        }
    }

    /// Whether the caller gave a field a value.
    pub(crate) fn was_given(&self, field: &str) -> bool {
        self.given.contains(&field)
    }

    /// A secret that was given.
    pub(crate) fn secret(&self, field: &str) -> Option<&Secret<String>> {
        self.secrets.iter().find(|(name, _)| *name == field).map(|(_, secret)| secret)
    }

    /// Gives a column its value, whatever it had.
    pub(crate) fn set(&mut self, column: impl Into<Column>, value: impl store::Bind) {
        let (column, value) = (column.into(), value.bind());
        match self.columns.iter_mut().find(|(name, _)| *name == column) {
            Some((_, old)) => *old = value,
            None => self.columns.push((column, value)),
        }
    }

    /// Gives a column its value where it has none.
    pub(crate) fn fill(&mut self, column: &'static str, value: impl store::Bind) {
        if !self.has(column) {
            self.set(column, value);
        }
    }

    /// The columns and their values.
    pub(crate) fn columns(&self) -> &[(Column, Value)] {
        &self.columns
    }

    /// Reads a body. `all`: a creation, where required fields must be there.
    pub(crate) fn parse(
        entity: &'static Entity,
        customs: &[Custom],
        body: &[u8],
        all: bool,
    ) -> Result<Self, Fault> {
        Self::read(entity, customs, Input::parse(body)?, all)
    }

    /// As [`Draft::parse`], of a document that was read already.
    pub(crate) fn of(
        entity: &'static Entity,
        customs: &[Custom],
        fields: Map<String, Json>,
        all: bool,
    ) -> Result<Self, Fault> {
        Self::read(entity, customs, Input::of_fields(fields), all)
    }

    fn read(
        entity: &'static Entity,
        customs: &[Custom],
        mut input: Input,
        all: bool,
    ) -> Result<Self, Fault> {
        let mut draft = Self::default();
        if all {
            draft.organisation = input.parsed("organisation_id");
        }
        for field in entity.all_fields().filter(|field| field.is_writable()) {
            let named = input.names(field.name);
            if named && !all && field.flags.has(Flags::ONCE) {
                input.discard(field.name);
                input.fault(field.name, "can be set at creation only");
                continue;
            }
            let required = field.flags.has(Flags::REQUIRED);
            let found = draft.take(&mut input, field);
            if !found && required && (all || named) {
                input.missing(field.name);
            } else if !found && named && !required && !input.complained(field.name) {
                match field.flags.has(Flags::FILLED) {
                    // At its creation a record gets what it needs; later it keeps something.
                    true if all => {}
                    true => input.fault(field.name, "cannot be emptied"),
                    false => draft.empty(field),
                }
            }
        }
        if entity.base && draft.has("external_source") != draft.has("external_id") {
            input.fault("external_id", "goes together with external_source");
        }
        if entity.custom {
            draft.custom = super::custom::take(customs, &mut input, all);
        }
        (entity.hooks.check)(&draft, &mut input);
        input.finish()?;
        Ok(draft)
    }

    /// Reads a field; whether there was a value, right or wrong.
    fn take(&mut self, input: &mut Input, field: &'static Field) -> bool {
        let name = field.name;
        let had = input.has(name);
        let value = match field.kind {
            Kind::Text(max) => input.optional_text(name, max).map(|text| Value::Text(Some(text))),
            Kind::LongText(max) => input.long_text(name, max).map(|text| Value::Text(Some(text))),
            Kind::Email => input.optional_text(name, 254).map(|text| {
                if !is_email(&text) {
                    input.fault(name, "is not an e-mail address");
                }
                Value::Text(Some(text))
            }),
            Kind::Integer(min, max) | Kind::Rate(min, max) | Kind::Seconds(min, max) => {
                input.number(name, min, max).map(|number| Value::Int(Some(number)))
            }
            Kind::Flag => input.flag(name).map(|flag| Value::Bool(Some(flag))),
            Kind::Time => input.parsed(name).map(|at| Value::Time(Some(at))),
            Kind::Date => input.parsed::<jiff::civil::Date>(name).map(|date| {
                if !(1900..=2200).contains(&date.year()) {
                    input.fault(name, "must lie between the years 1900 and 2200");
                }
                Value::Text(Some(date.to_string()))
            }),
            Kind::Zone => input.optional_text(name, 60).map(|zone| {
                if !crate::domain::service::is_zone(&zone) {
                    input.fault(name, "is not an IANA time zone, such as Asia/Kolkata");
                }
                Value::Text(Some(zone))
            }),
            Kind::Choice(words) => input.optional_text(name, 100).map(|word| {
                if !words.contains(&word.as_str()) {
                    input.fault(name, format!("is one of {}", words.join(", ")));
                }
                Value::Text(Some(word))
            }),
            Kind::Reference(prefix, _) => input.optional_text(name, 100).and_then(|text| {
                match model::id::parse(prefix, &text) {
                    Ok(id) => Some(Value::Uuid(Some(id))),
                    Err(error) => {
                        input.fault(name, error.to_string());
                        None
                    }
                }
            }),
            Kind::Address => input
                .parsed::<std::net::IpAddr>(name)
                .map(|address| Value::Net(Some(IpNetwork::from(address)))),
            Kind::Network => input.parsed::<IpNetwork>(name).map(|net| Value::Net(Some(net))),
            Kind::Money => {
                if let Some(money) = input.money(name) {
                    self.set(format!("{name}_amount"), money.amount);
                    self.set(format!("{name}_currency"), money.currency);
                }
                return had;
            }
            Kind::Words(items, characters) => {
                input.words(name, items, characters).map(|words| Value::Json(Some(words)))
            }
            Kind::Map(names, characters) => input
                .object(name, |inner| {
                    let texts = names.iter().filter_map(|name| {
                        Some(((*name).to_owned(), inner.optional_text(name, characters)?.into()))
                    });
                    Some(Json::Object(texts.collect()))
                })
                .map(|json| Value::Json(Some(json))),
            Kind::Document(read) => {
                read.and_then(|read| input.object(name, read)).map(|json| Value::Json(Some(json)))
            }
            Kind::Secret(max) => {
                if let Some(secret) = input.optional_raw_text(name, max) {
                    self.secrets.push((name, Secret::new(secret)));
                }
                return had;
            }
        };
        match value {
            Some(value) => {
                self.columns.push((Column::Borrowed(name), value));
                self.given.push(name);
                true
            }
            // An empty text counts as absent, a wrong value was already complained about.
            None => had && input.complained(name),
        }
    }

    /// The field is emptied: NULL, of the type of its column.
    fn empty(&mut self, field: &'static Field) {
        let value = match field.kind {
            Kind::Text(_)
            | Kind::LongText(_)
            | Kind::Email
            | Kind::Date
            | Kind::Zone
            | Kind::Choice(_) => Value::Text(None),
            Kind::Integer(..) | Kind::Rate(..) | Kind::Seconds(..) => Value::Int(None),
            Kind::Flag => Value::Bool(None),
            Kind::Time => Value::Time(None),
            Kind::Reference(..) => Value::Uuid(None),
            Kind::Address | Kind::Network => Value::Net(None),
            Kind::Words(..) => Value::Json(Some(Json::Array(Vec::new()))),
            Kind::Map(..) => Value::Json(Some(Json::Object(serde_json::Map::new()))),
            Kind::Document(_) => Value::Json(None),
            Kind::Money => {
                self.set(format!("{}_amount", field.name), None::<i64>);
                self.set(format!("{}_currency", field.name), None::<String>);
                return;
            }
            // What is not shown is not emptied by leaving it out: a hook offers a way.
            Kind::Secret(_) => return,
        };
        self.columns.push((Column::Borrowed(field.name), value));
    }
}

fn is_null(value: &Value) -> bool {
    matches!(
        value,
        Value::Bool(None)
            | Value::Int(None)
            | Value::Float(None)
            | Value::Text(None)
            | Value::Bytes(None)
            | Value::Uuid(None)
            | Value::Time(None)
            | Value::Json(None)
            | Value::Net(None)
    )
}
