//! A query string becomes a checked request for a list.
//!
//! `field=value` and `field[op]=value` filter, `sort=-name,created_at` sorts, `q=` searches,
//! `fields=` chooses, `limit=` and `cursor=` page, `total=true` counts. Everything else is an
//! error that names the parameter.

use std::collections::BTreeMap;

use daemon::base64;
use model::Ts;
use store::Value;

use super::{Entity, Field, Flags, Kind};
use crate::domain::{Fault, FieldFault, PAGE_DEFAULT, PAGE_MAX};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Contains,
    Null,
}

const OPS: &[(&str, Op)] = &[
    ("eq", Op::Equal),
    ("ne", Op::NotEqual),
    ("lt", Op::Less),
    ("lte", Op::LessOrEqual),
    ("gt", Op::Greater),
    ("gte", Op::GreaterOrEqual),
    ("in", Op::In),
    ("contains", Op::Contains),
    ("null", Op::Null),
];

impl Op {
    fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Equal | Self::NotEqual | Self::In | Self::Null => true,
            Self::Contains => matches!(kind, Kind::Text(_)),
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => {
                matches!(kind, Kind::Integer(..) | Kind::Time | Kind::Text(_))
            }
        }
    }
}

/// One condition on one field.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) field: &'static Field,
    pub(crate) op: Op,
    pub(crate) values: Vec<Value>,
}

/// What a list shall show.
#[derive(Debug)]
pub(crate) struct ListQuery {
    pub(crate) filters: Vec<Filter>,
    /// Fields and whether they fall. The id is always the last word.
    pub(crate) sort: Vec<(&'static Field, bool)>,
    pub(crate) search: Option<String>,
    /// Names to show; empty: all.
    pub(crate) fields: Vec<&'static str>,
    pub(crate) limit: i64,
    /// The sort values and the id of the last row before the page.
    pub(crate) after: Option<(Vec<Value>, uuid::Uuid)>,
    pub(crate) total: bool,
}

/// Words of a query string that are no field.
const RESERVED: &[&str] = &["sort", "q", "fields", "limit", "cursor", "total"];

impl ListQuery {
    /// Reads the parameters.
    pub(crate) fn parse(
        entity: &'static Entity,
        mut parameters: BTreeMap<String, String>,
    ) -> Result<Self, Fault> {
        let mut faults = Vec::new();
        let mut fault = |name: &str, detail: String| {
            faults.push(FieldFault { pointer: format!("?{name}"), detail });
        };
        let mut reserved: BTreeMap<&str, String> =
            RESERVED.iter().filter_map(|name| Some((*name, parameters.remove(*name)?))).collect();

        let sort = match sort(entity, reserved.remove("sort").as_deref().unwrap_or("")) {
            Ok(sort) => sort,
            Err(detail) => {
                fault("sort", detail);
                Vec::new()
            }
        };
        let mut fields = Vec::new();
        for name in reserved.remove("fields").iter().flat_map(|names| names.split(',')) {
            match entity.field(name).map(|f| f.name).or((name == "id").then_some("id")) {
                Some(name) => fields.push(name),
                None => fault("fields", format!("\"{name}\" is not a field")),
            }
        }
        let limit = match reserved.remove("limit").map(|text| text.parse::<i64>()) {
            None => PAGE_DEFAULT,
            Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => limit,
            Some(_) => {
                fault("limit", format!("is a number from 1 to {PAGE_MAX}"));
                PAGE_DEFAULT
            }
        };
        let total = match reserved.remove("total").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                fault("total", "is true or false".to_owned());
                false
            }
        };
        let search = reserved.remove("q").map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
        if search.as_deref().is_some_and(|q| q.chars().any(char::is_control)) {
            fault("q", "has control characters".to_owned());
        }
        let cursor = reserved.remove("cursor");
        let after = cursor.as_deref().and_then(|text| read_cursor(&sort, text));
        if cursor.is_some() && after.is_none() {
            fault("cursor", "does not belong to this list and sort".to_owned());
        }

        let mut filters = Vec::new();
        for (parameter, text) in parameters {
            match filter(entity, &parameter, &text) {
                Ok(filter) => filters.push(filter),
                Err(detail) => fault(&parameter, detail),
            }
        }
        if faults.is_empty() {
            Ok(Self { filters, sort, search, fields, limit, after, total })
        } else {
            Err(Fault::Invalid(faults))
        }
    }

    /// The cursor of the page behind a row.
    pub(crate) fn cursor(&self, values: &[serde_json::Value], id: uuid::Uuid) -> String {
        let parts = serde_json::json!({"s": self.sort_text(), "v": values, "id": id});
        base64::encode_url(parts.to_string().as_bytes())
    }

    fn sort_text(&self) -> String {
        sort_text(&self.sort)
    }
}

fn sort_text(sort: &[(&Field, bool)]) -> String {
    let word = |(field, falls): &(&Field, bool)| {
        format!("{}{}", if *falls { "-" } else { "" }, field.name)
    };
    sort.iter().map(word).collect::<Vec<_>>().join(",")
}

fn sort(entity: &'static Entity, text: &str) -> Result<Vec<(&'static Field, bool)>, String> {
    let mut sort = Vec::new();
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let (name, falls) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
        let field = entity.field(name).filter(|field| field.flags.has(Flags::SORTABLE));
        let field = field.ok_or_else(|| format!("cannot sort by \"{name}\""))?;
        if sort.iter().any(|(known, _): &(&Field, bool)| known.name == name) {
            return Err(format!("\"{name}\" is named twice"));
        }
        sort.push((field, falls));
    }
    Ok(sort)
}

fn filter(entity: &'static Entity, parameter: &str, text: &str) -> Result<Filter, String> {
    let (name, op) = match parameter.split_once('[') {
        None => (parameter, "eq"),
        Some((name, rest)) => (name, rest.strip_suffix(']').unwrap_or(rest)),
    };
    let field = entity.field(name).ok_or_else(|| "is not a parameter here".to_owned())?;
    if !field.flags.has(Flags::FILTERABLE) {
        return Err("cannot be filtered by".to_owned());
    }
    let op = OPS.iter().find(|(word, _)| *word == op).map(|(_, op)| *op);
    let op = op.filter(|op| op.fits(field.kind)).ok_or_else(|| {
        let known = OPS.iter().filter(|(_, op)| op.fits(field.kind)).map(|(word, _)| *word);
        format!("the comparison is one of {}", known.collect::<Vec<_>>().join(", "))
    })?;
    let values = match op {
        Op::In => text.split(',').map(|text| value(field.kind, text)).collect::<Result<_, _>>()?,
        Op::Null => match text {
            "true" => vec![Value::Bool(Some(true))],
            "false" => vec![Value::Bool(Some(false))],
            _ => return Err("is true or false".to_owned()),
        },
        _ => vec![value(field.kind, text)?],
    };
    Ok(Filter { field, op, values })
}

/// A filter's value, by the kind of its field.
fn value(kind: Kind, text: &str) -> Result<Value, String> {
    if text.chars().any(char::is_control) {
        return Err("has control characters".to_owned());
    }
    match kind {
        Kind::Text(_) => Ok(Value::Text(Some(text.to_owned()))),
        Kind::Integer(..) => text
            .parse()
            .map(|number| Value::Int(Some(number)))
            .map_err(|_| "is a whole number".to_owned()),
        Kind::Flag => match text {
            "true" => Ok(Value::Bool(Some(true))),
            "false" => Ok(Value::Bool(Some(false))),
            _ => Err("is true or false".to_owned()),
        },
        Kind::Time => text
            .parse::<Ts>()
            .map(|at| Value::Time(Some(at)))
            .map_err(|_| "is an instant such as 2026-03-01T09:30:00Z".to_owned()),
        Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(Some(text.to_owned()))),
        Kind::Choice(words) => Err(format!("is one of {}", words.join(", "))),
        Kind::Reference(prefix, _) => model::id::parse(prefix, text)
            .map(|id| Value::Uuid(Some(id)))
            .map_err(|error| error.to_string()),
    }
}

/// Reads a cursor; nothing where it is of another list or sort.
fn read_cursor(sort: &[(&'static Field, bool)], text: &str) -> Option<(Vec<Value>, uuid::Uuid)> {
    let parts: serde_json::Value = serde_json::from_slice(&base64::decode_url(text)?).ok()?;
    if parts["s"].as_str()? != sort_text(sort) {
        return None;
    }
    let values = parts["v"].as_array()?;
    if values.len() != sort.len() {
        return None;
    }
    let mut read = Vec::with_capacity(values.len());
    for ((field, _), value_of) in sort.iter().zip(values) {
        let text = match value_of {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => return None,
            other => other.to_string(),
        };
        read.push(value(field.kind, &text).ok()?);
    }
    Some((read, serde_json::from_value(parts["id"].clone()).ok()?))
}
