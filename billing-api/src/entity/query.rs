//! A query string becomes a checked request for a list.
//!
//! `field=value` and `field[op]=value` filter, `sort=-name,created_at` sorts, `q=` searches,
//! `fields=` chooses, `limit=` and `cursor=` page (or `page=`, for tables that count their
//! pages), `total=true` counts, `organisation_id=` looks at one organisation's subtree,
//! `deleted=true` at what can be restored. Everything else is an error that names the parameter.

use std::collections::BTreeMap;

use daemon::base64;
use model::Ts;
use store::Value;

use super::custom::Custom;
use super::{Entity, Field, Flags, Kind};
use crate::domain::access::Rights;
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
            Self::Contains => matches!(kind, Kind::Text(_) | Kind::Email),
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => matches!(
                kind,
                Kind::Integer(..)
                    | Kind::Rate(..)
                    | Kind::Seconds(..)
                    | Kind::Time
                    | Kind::Date
                    | Kind::Text(_)
            ),
        }
    }
}

/// One condition on one field.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) field: &'static Field,
    pub(crate) op: Op,
    pub(crate) values: Vec<Value>,
}

/// One condition on a field that an organisation added: equal to one of these.
#[derive(Debug, Clone)]
pub(crate) struct CustomFilter {
    pub(crate) key: String,
    pub(crate) values: Vec<serde_json::Value>,
}

/// The comparisons a kind of field knows, by their words.
pub(crate) fn ops(kind: Kind) -> impl Iterator<Item = &'static str> {
    OPS.iter().filter(move |(_, op)| op.fits(kind)).map(|(word, _)| *word)
}

/// What a list shall show.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListQuery {
    pub(crate) filters: Vec<Filter>,
    pub(crate) customs: Vec<CustomFilter>,
    /// The organisation whose subtree is looked at, where the caller narrows it.
    pub(crate) organisation: Option<uuid::Uuid>,
    /// Deleted records in place of live ones.
    pub(crate) deleted: bool,
    /// Fields and whether they fall. The id is always the last word.
    pub(crate) sort: Vec<(&'static Field, bool)>,
    pub(crate) search: Option<String>,
    /// Every record that the search finds, however many, in place of the first of them: for what
    /// must not leave any out.
    pub(crate) whole: bool,
    /// Names to show; empty: all.
    pub(crate) fields: Vec<&'static str>,
    pub(crate) limit: i64,
    /// The sort values and the id of the last row before the page.
    pub(crate) after: Option<(Vec<Value>, uuid::Uuid)>,
    /// The page, from 1, where pages are numbered.
    pub(crate) page: Option<i64>,
    pub(crate) total: bool,
}

/// Values of one `[in]`.
pub(crate) const IN_MAX: usize = 200;

/// Words of a query string that are no field.
pub(crate) const RESERVED: &[&str] =
    &["sort", "q", "fields", "limit", "cursor", "page", "total", "organisation_id", "deleted"];

/// Rows that numbered pages reach; beyond, a cursor does.
const NUMBERED_MAX: i64 = 10_000;

impl ListQuery {
    /// Reads the parameters.
    pub(crate) fn parse(
        entity: &'static Entity,
        customs: &[Custom],
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
                None => fault("fields", no_field(name)),
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
        let mut flag = |name: &'static str| match reserved.remove(name).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                fault(name, "is true or false".to_owned());
                false
            }
        };
        let (total, deleted) = (flag("total"), flag("deleted"));
        let organisation = reserved.remove("organisation_id").and_then(|text| {
            let id = model::id::parse(model::OrganisationId::PREFIX, &text);
            id.map_err(|error| fault("organisation_id", error.to_string())).ok()
        });
        let search = reserved.remove("q").map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
        if search.as_deref().is_some_and(|q| q.chars().any(char::is_control)) {
            fault("q", "has control characters".to_owned());
        }
        let cursor = reserved.remove("cursor");
        let after = cursor.as_deref().and_then(|text| read_cursor(&sort, text));
        if cursor.is_some() && after.is_none() {
            fault("cursor", "does not belong to this list and sort".to_owned());
        }

        let page = match reserved.remove("page").map(|text| text.parse::<i64>()) {
            None => None,
            Some(Ok(page)) if page >= 1 && page.saturating_mul(limit) <= NUMBERED_MAX => Some(page),
            Some(_) => {
                fault(
                    "page",
                    format!("is a number; pages reach {NUMBERED_MAX} rows, then a cursor"),
                );
                None
            }
        };
        if page.is_some() && cursor.is_some() {
            fault("page", "goes without a cursor".to_owned());
        }

        let mut filters = Vec::new();
        let mut custom_filters = Vec::new();
        for (parameter, text) in parameters {
            if let Some(rest) = parameter.strip_prefix("custom.").filter(|_| entity.custom) {
                match custom_filter(customs, rest, &text) {
                    Ok(filter) => custom_filters.push(filter),
                    Err(detail) => fault(&parameter, detail),
                }
                continue;
            }
            match filter(entity, &parameter, &text) {
                Ok(filter) => filters.push(filter),
                Err(detail) => fault(&parameter, detail),
            }
        }
        if faults.is_empty() {
            Ok(Self {
                filters,
                customs: custom_filters,
                organisation,
                deleted,
                sort,
                search,
                whole: false,
                fields,
                limit,
                after,
                page,
                total: total || page.is_some(),
            })
        } else {
            Err(Fault::Invalid(faults))
        }
    }

    /// That nothing is asked of a field which somebody with these rights does not see: for them
    /// it does not exist.
    pub(crate) fn within(&self, entity: &Entity, rights: &Rights) -> Result<(), Fault> {
        let hidden = |name: &str| entity.field(name).is_some_and(|field| !field.is_seen(rights));
        let mut faults = Vec::new();
        for filter in self.filters.iter().filter(|filter| hidden(filter.field.name)) {
            faults.push((filter.field.name, NO_PARAMETER.to_owned()));
        }
        for (field, _) in self.sort.iter().filter(|(field, _)| hidden(field.name)) {
            faults.push(("sort", cannot_sort(field.name)));
        }
        for name in self.fields.iter().filter(|name| hidden(name)) {
            faults.push(("fields", no_field(name)));
        }
        if faults.is_empty() {
            return Ok(());
        }
        let fault = |(name, detail)| FieldFault { pointer: format!("?{name}"), detail };
        Err(Fault::Invalid(faults.into_iter().map(fault).collect()))
    }

    /// The cursor of the page behind a row.
    pub(crate) fn cursor(&self, values: &[serde_json::Value], id: uuid::Uuid) -> String {
        let parts = serde_json::json!({"s": self.sort_text(), "v": values, "id": id});
        base64::encode_url(parts.to_string().as_bytes())
    }

    /// Where the page behind a cursor of this very list begins.
    pub(crate) fn behind(&self, cursor: &str) -> Result<Option<(Vec<Value>, uuid::Uuid)>, Fault> {
        match read_cursor(&self.sort, cursor) {
            Some(after) => Ok(Some(after)),
            None => Err(Fault::field("?cursor", "does not belong to this list and sort")),
        }
    }

    fn sort_text(&self) -> String {
        sort_text(&self.sort)
    }
}

/// What is said of a parameter that means nothing.
const NO_PARAMETER: &str = "is not a parameter here";

fn cannot_sort(name: &str) -> String {
    format!("cannot sort by \"{name}\"")
}

fn no_field(name: &str) -> String {
    format!("\"{name}\" is not a field")
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
        let field = field.ok_or_else(|| cannot_sort(name))?;
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
    let field = entity.field(name).ok_or_else(|| NO_PARAMETER.to_owned())?;
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
    if values.len() > IN_MAX {
        return Err(format!("has more than {IN_MAX} values"));
    }
    Ok(Filter { field, op, values })
}

fn custom_filter(customs: &[Custom], parameter: &str, text: &str) -> Result<CustomFilter, String> {
    let (key, op) = match parameter.split_once('[') {
        None => (parameter, "eq"),
        Some((key, rest)) => (key, rest.strip_suffix(']').unwrap_or(rest)),
    };
    let custom = customs.iter().find(|custom| custom.key == key);
    let custom = custom.ok_or_else(|| NO_PARAMETER.to_owned())?;
    let values = match op {
        "eq" => vec![custom.value(text)?],
        "in" => text.split(',').map(|text| custom.value(text)).collect::<Result<_, _>>()?,
        _ => return Err("the comparison is one of eq, in".to_owned()),
    };
    if values.len() > IN_MAX {
        return Err(format!("has more than {IN_MAX} values"));
    }
    Ok(CustomFilter { key: custom.key.clone(), values })
}

/// A filter's value, by the kind of its field.
fn value(kind: Kind, text: &str) -> Result<Value, String> {
    if text.chars().any(char::is_control) {
        return Err("has control characters".to_owned());
    }
    match kind {
        Kind::Text(_) | Kind::LongText(_) | Kind::Email | Kind::Zone => {
            Ok(Value::Text(Some(text.to_owned())))
        }
        Kind::Integer(..) | Kind::Rate(..) | Kind::Seconds(..) => text
            .parse()
            .map(|number| Value::Int(Some(number)))
            .map_err(|_| "is a whole number".to_owned()),
        Kind::Date => text
            .parse::<jiff::civil::Date>()
            .map(|date| Value::Text(Some(date.to_string())))
            .map_err(|_| "is a date such as 2026-03-01".to_owned()),
        Kind::Address => text
            .parse::<std::net::IpAddr>()
            .map(|ip| Value::Net(Some(ip.into())))
            .map_err(|_| "is an address such as 192.0.2.1".to_owned()),
        Kind::Network => text
            .parse()
            .map(|net| Value::Net(Some(net)))
            .map_err(|_| "is a network such as 192.0.2.0/24".to_owned()),
        Kind::Money | Kind::Words(..) | Kind::Map(..) | Kind::Document(_) | Kind::Secret(_) => {
            Err("cannot be filtered by".to_owned())
        }
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
