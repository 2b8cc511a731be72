//! What the columns of a file mean.
//!
//! A target is a field's name, `id`, `organisation_id`, `custom.KEY`, or `FIELD.currency` for
//! the currency of an amount. Guesses go by name, then by what other systems call the same
//! thing; a column that means nothing here is left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::Import;
use crate::domain::Input;
use crate::domain::access::Rights;
use crate::entity::custom::Custom;
use crate::entity::{Entity, Field, Flags, Kind, convert};

/// Columns and their targets; a column that is not in it is left out.
pub(crate) type Mapping = BTreeMap<String, String>;

/// The column that files of failed rows have more.
pub(crate) const REASON: &str = "import_error";

/// What columns are called elsewhere: billing systems, RADIUS schemas, spreadsheets.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("external_id", &["customid", "legacyid", "oldid", "clientid", "userid", "accountid"]),
    ("name", &["fullname", "customername", "clientname", "company", "companyname", "title"]),
    ("email", &["emailaddress", "emails", "mail", "emailid"]),
    (
        "phone",
        &["phonenumber", "phones", "mobile", "mobilephone", "mobilenumber", "telephone", "tel"],
    ),
    ("status", &["state", "accountstatus", "customerstatus"]),
    ("login", &["username", "user", "pppoeusername", "radiususername"]),
    ("password", &["pppoepassword", "radiuspassword", "cleartextpassword"]),
    ("plan_id", &["planname", "tariff", "tariffid", "package", "packagename", "internetplan"]),
    ("customer_id", &["client", "subscriber", "account", "customername", "clientname"]),
    ("address", &["nasname", "ip", "ipaddress", "nasip", "host"]),
    ("secret", &["sharedsecret", "radiussecret", "nassecret"]),
    ("vendor", &["type", "nastype", "brand"]),
    ("locale", &["language", "lang"]),
    ("download_bps", &["download", "downloadspeed", "ratedown", "planbandwidthdown"]),
    ("upload_bps", &["upload", "uploadspeed", "rateup", "planbandwidthup"]),
    ("burst_download_bps", &["burstdownload", "planburstdown", "burstratedown"]),
    ("burst_upload_bps", &["burstupload", "planburstup", "burstrateup"]),
    ("pool", &["ippool", "addresspool", "framedpool"]),
    ("ipv4", &["staticip", "framedipaddress", "fixedip"]),
    ("delegated_prefix", &["delegatedipv6prefix", "ipv6delegated"]),
    ("price", &["cost", "amount", "plancost", "monthlyprice"]),
    ("description", &["comment", "comments", "note", "notes"]),
];

/// Everything a column can mean, for somebody with these rights.
pub(crate) fn targets(rights: &Rights, entity: &Entity, customs: &[Custom]) -> Vec<String> {
    let mut targets = vec!["id".to_owned(), "organisation_id".to_owned()];
    let taken = |field: &&Field| field.is_writable() && field.is_seen(rights);
    for field in entity.all_fields().filter(taken) {
        targets.push(field.name.to_owned());
        if field.kind == Kind::Money {
            targets.push(format!("{}.currency", field.name));
        }
    }
    if entity.custom {
        targets.extend(customs.iter().map(|custom| format!("custom.{}", custom.key)));
    }
    targets
}

/// A name without what people write differently.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The likeliest meaning of each column; each target once, the better guess first.
pub(crate) fn guess(
    rights: &Rights,
    entity: &Entity,
    customs: &[Custom],
    columns: &[String],
    first: &[String],
) -> Mapping {
    let targets = targets(rights, entity, customs);
    let mut mapping = Mapping::new();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let is = |target: &str, column: &str, certainty: usize| match certainty {
        0 => target == column,
        1 => plain(target) == plain(column),
        2 => {
            let short = target.strip_suffix("_id").or(target.strip_prefix("custom."));
            let label = customs.iter().find(|c| target.strip_prefix("custom.") == Some(&c.key));
            short.is_some_and(|short| plain(short) == plain(column))
                || label.is_some_and(|custom| plain(&custom.label) == plain(column))
        }
        _ => ELSEWHERE
            .iter()
            .any(|(known, others)| *known == target && others.contains(&plain(column).as_str())),
    };
    // Another system's own numbers are no ids of ours, whatever their column is called.
    let foreign = |at: usize| {
        let text = first.get(at).map_or("", String::as_str).trim();
        !text.is_empty() && model::id::parse(entity.prefix, text).is_err()
    };
    for certainty in 0..4 {
        for (at, column) in columns.iter().enumerate() {
            if mapping.contains_key(column) || column == REASON {
                continue;
            }
            let own = plain(column) == "id" || plain(column) == format!("{}id", entity.name);
            let target = match own && foreign(at) {
                true => targets.iter().find(|target| *target == "external_id"),
                false => targets.iter().find(|target| is(target, column, certainty)),
            };
            if let Some(target) = target.filter(|target| !taken.contains(target.as_str())) {
                taken.insert(target);
                mapping.insert(column.clone(), target.clone());
            }
        }
    }
    mapping
}

/// Reads a mapping: `{"column": "target"}`, null for a column that is left out.
pub(crate) fn read(
    rights: &Rights,
    entity: &Entity,
    customs: &[Custom],
    columns: &[String],
    given: &Map<String, Json>,
    input: &mut Input,
) -> Mapping {
    let targets = targets(rights, entity, customs);
    let mut mapping = Mapping::new();
    let mut taken = BTreeSet::new();
    for (column, target) in given {
        let pointer = format!("mapping/{column}");
        if !columns.contains(column) {
            input.fault(&pointer, "is no column of the file");
            continue;
        }
        match target {
            Json::Null => {}
            Json::String(target) if targets.contains(target) => {
                if !taken.insert(target.clone()) {
                    input.fault(&pointer, format!("{target} has another column already"));
                }
                mapping.insert(column.clone(), target.clone());
            }
            _ => input.fault(&pointer, format!("is one of {}", targets.join(", "))),
        }
    }
    mapping
}

/// The targets that a new record needs and no column or value gives.
pub(crate) fn missing(
    entity: &Entity,
    customs: &[Custom],
    mapping: &Mapping,
    options: &Options,
) -> Vec<String> {
    let needed = Flags::REQUIRED.and(Flags::WRITABLE);
    let own = entity.all_fields().filter(|field| field.flags.has(needed));
    let own = own.map(|field| field.name.to_owned());
    let added = customs.iter().filter(|custom| entity.custom && custom.required);
    let added = added.map(|custom| format!("custom.{}", custom.key));
    let given = |target: &String| {
        options.values.contains_key(target) || mapping.values().any(|known| known == target)
    };
    own.chain(added).filter(|target| !given(target)).collect()
}

/// The targets that records can be told apart by, for somebody with these rights.
pub(crate) fn keys(rights: &Rights, entity: &Entity) -> Vec<&'static str> {
    let fields = entity.all_fields().filter(|field| field.is_seen(rights)).map(|field| field.name);
    ["id"].into_iter().chain(fields.filter(|name| can_match(entity, name))).collect()
}

/// What is done with what is there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Existing {
    /// It takes the values of the file.
    Update,
    /// It stays as it is.
    Skip,
}

/// What an empty cell means for a record that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Empty {
    /// Nothing was said.
    Keep,
    /// The field is emptied.
    Clear,
}

/// How the rows are taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Options {
    /// The target by which a row is known to be there already; without one every row is new.
    /// `external_id` goes together with `external_source`.
    #[serde(rename = "match")]
    pub(crate) match_by: Option<String>,
    pub(crate) existing: Existing,
    pub(crate) empty: Empty,
    /// The same value for every row, by target.
    pub(crate) values: BTreeMap<String, String>,
}

impl Options {
    /// What most want: who comes with an id is updated.
    pub(crate) fn guess(mapping: &Mapping) -> Self {
        let mapped = |target: &str| mapping.values().any(|known| known == target);
        let match_by = ["id", "external_id"].into_iter().find(|target| mapped(target));
        let mut values = BTreeMap::new();
        if mapped("external_id") && !mapped("external_source") {
            values.insert("external_source".to_owned(), "file".to_owned());
        }
        Self {
            match_by: match_by.map(str::to_owned),
            existing: Existing::Update,
            empty: Empty::Keep,
            values,
        }
    }

    /// Reads `{"match", "existing", "empty", "values"}`.
    pub(crate) fn read(
        rights: &Rights,
        entity: &Entity,
        customs: &[Custom],
        mapping: &Mapping,
        given: Map<String, Json>,
        input: &mut Input,
    ) -> Self {
        let mut options = Self { values: BTreeMap::new(), ..Self::guess(mapping) };
        for (name, value) in given {
            let pointer = format!("options/{name}");
            match (name.as_str(), value) {
                ("match", Json::Null) => options.match_by = None,
                ("match", Json::String(target)) => {
                    if !can_match(entity, &target) {
                        input.fault(&pointer, "is no field that records are known by");
                    }
                    options.match_by = Some(target);
                }
                ("existing", value) => match serde_json::from_value(value) {
                    Ok(existing) => options.existing = existing,
                    Err(_) => input.fault(&pointer, "is one of update, skip"),
                },
                ("empty", value) => match serde_json::from_value(value) {
                    Ok(empty) => options.empty = empty,
                    Err(_) => input.fault(&pointer, "is one of keep, clear"),
                },
                ("values", Json::Object(values)) => {
                    let targets = targets(rights, entity, customs);
                    for (target, value) in values {
                        match value {
                            Json::String(text) if targets.contains(&target) => {
                                options.values.insert(target, text);
                            }
                            Json::Null => {}
                            _ => input.fault(
                                &format!("options/values/{target}"),
                                "is a text for a field that can be imported",
                            ),
                        }
                    }
                }
                _ => input.fault(&pointer, "is one of match, existing, empty, values"),
            }
        }
        if let Some(target) = &options.match_by {
            let given = |target: &str| {
                options.values.contains_key(target) || mapping.values().any(|known| known == target)
            };
            let source = target != "external_id" || given("external_source");
            if !given(target) || !source {
                input.fault("options/match", "needs a column, and external_id its external_source");
            }
        }
        options
    }
}

/// Whether records are told apart by a target: a field of text that has an index.
fn can_match(entity: &Entity, target: &str) -> bool {
    let text = |field: &Field| {
        field.is_writable()
            && field.is_column()
            && field.flags.has(Flags::FILTERABLE)
            && matches!(field.kind, Kind::Text(_) | Kind::Email)
    };
    target == "id" || entity.field(target).is_some_and(text)
}

/// A row as the API would be given it. A reference may still be a name.
pub(crate) fn document(import: &Import, customs: &[Custom], cells: &[String]) -> Map<String, Json> {
    let cell = |(at, column): (usize, &String)| {
        let target = import.mapping.get(column)?;
        Some((target.as_str(), cells.get(at).map_or("", String::as_str)))
    };
    let given: Vec<(&str, &str)> = import.columns.iter().enumerate().filter_map(cell).collect();
    let same = import.options.values.iter().map(|(target, text)| (target.as_str(), text.as_str()));
    let same = same.filter(|(target, _)| given.iter().all(|(known, _)| known != target));
    let all: Vec<(&str, &str)> = given.iter().copied().chain(same).collect();

    let mut document = Map::new();
    let mut custom_values = Map::new();
    for (target, text) in &all {
        if let Some(key) = target.strip_prefix("custom.") {
            let kind = customs.iter().find(|custom| custom.key == key);
            let value = convert::read_custom(kind.map_or("text", |custom| &custom.kind), text);
            keep(&mut custom_values, key, value, &import.options.empty);
            continue;
        }
        if target.ends_with(".currency") {
            continue;
        }
        let value = match import.entity.field(target).map(|field| field.kind) {
            Some(Kind::Money) if !text.trim().is_empty() => {
                let code = format!("{target}.currency");
                let code = all.iter().find(|(known, _)| *known == code).map(|(_, text)| *text);
                convert::money(text.trim(), code)
            }
            Some(kind) => convert::read(kind, text),
            None => convert::read(Kind::Text(0), text),
        };
        keep(&mut document, target, value, &import.options.empty);
    }
    if !custom_values.is_empty() {
        document.insert("custom".to_owned(), json!(custom_values));
    }
    document
}

fn keep(map: &mut Map<String, Json>, name: &str, value: Json, empty: &Empty) {
    if !value.is_null() || *empty == Empty::Clear {
        map.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::CUSTOMER;
    use crate::domain::service::SERVICE;
    use crate::entity::registry::LABEL;

    fn guessed(entity: &Entity, columns: &[&str], first: &[&str]) -> Vec<(String, String)> {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        guess(&Rights::all(), entity, &[], &texts(columns), &texts(first)).into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> =
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn columns_of_other_systems_are_recognised() {
        let columns = ["id", "Full name", "E-Mail", "phone number", "status", "partner_id"];
        let expected = [
            ("id", "external_id"),
            ("Full name", "name"),
            ("E-Mail", "email"),
            ("phone number", "phone"),
            ("status", "status"),
        ];
        assert_eq!(guessed(&CUSTOMER, &columns, &["1042", "Asha"]), pairs(&expected));
        let columns = ["Customer ID", "name", "Company name"];
        let expected = [("Customer ID", "external_id"), ("name", "name")];
        assert_eq!(guessed(&CUSTOMER, &columns, &["7", "A", "B"]), pairs(&expected));
        let services = guessed(&SERVICE, &["customer", "plan", "username"], &["x", "y", "z"]);
        assert!(services.contains(&("customer".to_owned(), "customer_id".to_owned())));
        assert!(services.contains(&("plan".to_owned(), "plan_id".to_owned())));
    }

    #[test]
    fn our_own_files_map_to_themselves() {
        let id = model::id::show("lbl", uuid::Uuid::now_v7());
        let columns = ["id", "name", "kind", "created_at", REASON];
        let expected = [("id", "id"), ("name", "name"), ("kind", "kind")];
        let first = [id.as_str(), "x", "device", "2026-01-01T00:00:00Z", ""];
        assert_eq!(guessed(&LABEL, &columns, &first), pairs(&expected));
    }
}
