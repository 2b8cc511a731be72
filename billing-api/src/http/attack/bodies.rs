//! A body that an entity takes, found by asking: each field has values to try, and the problem
//! names the fields that want another.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::entity::{Entity, Field, Flags, Kind};

/// Texts for fields whose form a hook checks.
const TEXTS: &[&str] = &[
    "example",
    "customer.created",
    "#1c7ed6",
    "en",
    "UTC",
    "0 3 * * *",
    "customer",
    "customers.view",
    "https://example.net/",
    "192.0.2.0/24",
    "USD",
];

/// The values a field may be given, the best first; the last resort is none at all.
pub(super) fn candidates(
    field: &Field,
    mark: &str,
    n: usize,
    id_of: &dyn Fn(&str) -> Option<String>,
) -> Vec<Json> {
    let mut values: Vec<Json> = match field.kind {
        Kind::Text(max) | Kind::LongText(max) => {
            let marked = [format!("{mark} {n}"), format!("{mark}{n}"), format!("{mark}_{n}")];
            let texts = TEXTS.iter().map(|text| (*text).to_owned());
            let fitting = marked.into_iter().chain(texts).filter(|text| text.len() <= max);
            fitting.map(Json::from).collect()
        }
        Kind::Email => vec![json!(format!("{mark}{n}@example.net"))],
        Kind::Integer(min, max) | Kind::Rate(min, max) | Kind::Seconds(min, max) => {
            let wide = max.min(1_000_000).max(min);
            // The last is a port of mail.
            [min.max(1).min(max), wide, min, 25.clamp(min, max)].map(Json::from).into()
        }
        Kind::Flag => vec![json!(false), json!(true)],
        Kind::Time => {
            // The second is later than the first, and not by much.
            ["2031-01-01T00", "2031-01-01T06", "2032-01-01T00", "2020-01-01T00"]
                .map(|hour| json!(format!("{hour}:00:00Z")))
                .into()
        }
        Kind::Date => ["2031-01-01", "2032-01-01", "2020-01-01"].map(Json::from).into(),
        Kind::Zone => vec![json!("UTC")],
        Kind::Choice(words) => words.iter().map(|word| json!(word)).collect(),
        Kind::Reference(prefix, _) => id_of(prefix).into_iter().map(Json::from).collect(),
        Kind::Address => vec![
            json!(format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250 + 1)),
            json!(format!("2001:db8::{n:x}")),
        ],
        Kind::Network => vec![json!(format!("10.{}.{}.0/24", n / 250 % 250, n % 250))],
        Kind::Money => vec![json!({"amount": 100, "currency": "USD"})],
        Kind::Words(_, max) => {
            // A range of addresses is nobody else's.
            let range = format!("172.{}.{}.0/29", 16 + n / 250 % 16, n % 250);
            let words = [mark.to_owned(), format!("{mark}@example.net"), range]
                .into_iter()
                .chain(TEXTS.iter().map(|text| (*text).to_owned()))
                .filter(|word| word.len() <= max);
            words.map(|word| json!([word])).collect()
        }
        Kind::Map(names, _) => vec![json!({names[0]: mark})],
        Kind::Document(_) => vec![json!({})],
        Kind::Secret(_) => vec![json!(format!("{mark}-secret-{n:06}")), json!("Aa1!aa1!aa1!aa1!")],
    };
    if !field.flags.has(Flags::REQUIRED) {
        values.push(Json::Null);
    }
    values
}

/// A body being looked for.
pub(super) struct Search {
    fields: BTreeMap<&'static str, Vec<Json>>,
}

impl Search {
    /// Every field that can be written, with its values to try.
    pub(super) fn of(entity: &'static Entity, values: impl Fn(&Field) -> Vec<Json>) -> Self {
        let fields = entity.all_fields().filter(|field| field.is_writable());
        // Whose ids they are is tried elsewhere, and they come in pairs.
        let fields = fields.filter(|field| !field.name.starts_with("external_"));
        let mut fields: BTreeMap<_, _> = fields.map(|field| (field.name, values(field))).collect();
        for values in fields.values_mut() {
            values.reverse();
        }
        Self { fields }
    }

    /// The body as it stands; a field without a value is left out.
    pub(super) fn body(&self) -> Json {
        let given = self.fields.iter().filter_map(|(name, values)| {
            let value = values.last().filter(|value| !value.is_null())?;
            Some(((*name).to_owned(), value.clone()))
        });
        Json::Object(given.collect::<Map<_, _>>())
    }

    /// Takes the next value of each field that a problem names; whether there was any.
    pub(super) fn learn(&mut self, problem: &Json) -> bool {
        let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let pointers = errors.iter().filter_map(|error| error["pointer"].as_str());
        let mut learned = false;
        for pointer in pointers {
            let name = pointer.trim_start_matches('/').split('/').next().unwrap_or("");
            if let Some(values) = self.fields.get_mut(name).filter(|values| values.len() > 1) {
                values.pop();
                learned = true;
            }
        }
        learned
    }
}
