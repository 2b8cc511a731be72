//! The address of a list: search, filters, sort and page, as the API writes them.
//!
//! A form cannot write an instant or a rate in bit/s, so its fields are called `in.NAME` and are
//! put into the API's words here. What cannot be used is left out and said, so that a list is
//! still a list with a broken filter.

use std::collections::BTreeMap;

use crate::console::guard::Fields;
use crate::console::show;
use crate::console::words::{self, Words};
use crate::domain::Fault;
use crate::entity::custom::Custom;
use crate::entity::query::ListQuery;
use crate::entity::{Entity, Kind};

use super::slot::Slot;
use super::value;

/// Parameters that are about the page and not about the list.
const ABOUT_PAGE: &[&str] = &["done", "undo", "of", "tab"];
/// Parameters that are no filter.
const NO_FILTER: &[&str] = &["sort", "q", "limit", "cursor", "page", "deleted"];
/// Rows of a page to choose from.
pub(super) const SIZES: [i64; 3] = [25, 50, 100];
/// Rows of a page where nobody chose.
const SIZE: i64 = 50;
/// Rows that numbered pages reach; beyond, a cursor does.
pub(super) const NUMBERED_MAX: i64 = 10_000;

/// An address with parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Address {
    pub(super) path: String,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Address {
    /// An address without parameters.
    pub(in crate::console) fn of(path: impl Into<String>) -> Self {
        Self { path: path.into(), parameters: BTreeMap::new() }
    }

    /// With a parameter, in the place of one of this name.
    pub(in crate::console) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.parameters.insert(name.to_owned(), value.to_owned());
        other
    }

    /// Without some parameters.
    pub(in crate::console) fn without(&self, names: &[&str]) -> Self {
        let mut other = self.clone();
        other.parameters.retain(|name, _| !names.contains(&name.as_str()));
        other
    }

    /// A parameter; empty where it is absent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The parameters that filter: their names and values.
    pub(super) fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !NO_FILTER.contains(name))
    }

    /// Whether it shows less than everything.
    pub(super) fn narrows(&self) -> bool {
        !self.get("q").is_empty() || self.filters().next().is_some()
    }

    /// The first page of everything that search and filters leave.
    pub(super) fn first(&self) -> Self {
        self.without(&["page", "cursor"])
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path)?;
        let mut sign = '?';
        for (name, value) in &self.parameters {
            write!(f, "{sign}{}={}", show::encode(name), show::encode(value))?;
            sign = '&';
        }
        Ok(())
    }
}

/// What a list was asked for.
pub(super) struct Asked {
    pub(super) query: ListQuery,
    /// The address in the API's words, what could not be used left out.
    pub(super) address: Address,
    /// What could not be used: the parameter and why.
    pub(super) wrong: Vec<(String, String)>,
    pub(super) size: i64,
}

impl Asked {
    /// Reads the parameters of an address. `size`: rows of a page that the viewer likes.
    pub(super) fn read(
        words: &Words,
        entity: &'static Entity,
        customs: &[Custom],
        slots: &[Slot],
        fields: &Fields,
        size: Option<i64>,
    ) -> Result<Self, Fault> {
        let mut address = Address::of(format!("/{}", entity.path));
        let mut wrong = Vec::new();
        for (name, value) in &fields.0 {
            let value = value.trim();
            if value.is_empty() || ABOUT_PAGE.contains(&name.as_str()) {
                continue;
            }
            let Some(name) = name.strip_prefix("in.") else {
                address.parameters.insert(name.clone(), value.to_owned());
                continue;
            };
            match in_words(words, slots, name, value) {
                Some(text) => {
                    address.parameters.insert(name.to_owned(), text);
                }
                None => wrong.push((name.to_owned(), value.to_owned())),
            }
        }
        // What the viewer does not see is no field to them.
        let hidden = |name: &str| {
            entity.field(name).is_some() && !slots.iter().any(|slot| slot.name == name)
        };
        let odd = |(name, value): &(&String, &String)| match name.as_str() {
            "sort" => value.split(',').any(|word| hidden(word.trim_start_matches('-'))),
            name => hidden(split(name).0),
        };
        let odd: Vec<String> =
            address.parameters.iter().filter(odd).map(|(name, _)| name.clone()).collect();
        for name in odd {
            address.parameters.remove(&name);
            wrong.push((name, words.say(words::LIST_NO_PARAMETER)));
        }
        let likes = size.filter(|size| SIZES.contains(size)).unwrap_or(SIZE);
        let limit = address.get("limit");
        let size = match limit.parse::<i64>() {
            Ok(size) => size.clamp(1, SIZES[2]),
            Err(_) if limit.is_empty() => likes,
            Err(_) => {
                wrong.push(("limit".to_owned(), limit.to_owned()));
                address.parameters.remove("limit");
                likes
            }
        };
        loop {
            let mut parameters = address.parameters.clone();
            parameters.insert("limit".to_owned(), size.to_string());
            parameters.insert("total".to_owned(), "true".to_owned());
            if !parameters.contains_key("cursor") {
                parameters.entry("page".to_owned()).or_insert_with(|| "1".to_owned());
            }
            let faults = match ListQuery::parse(entity, customs, parameters) {
                Ok(query) => return Ok(Self { query, address, wrong, size }),
                Err(Fault::Invalid(faults)) => faults,
                Err(fault) => return Err(fault),
            };
            let before = address.parameters.len();
            for fault in faults {
                let name = fault.pointer.trim_start_matches('?').to_owned();
                address.parameters.remove(&name);
                wrong.push((name, fault.detail));
            }
            if address.parameters.len() == before {
                // Nothing of the address is to blame: the list is shown as it is.
                address.parameters.clear();
                if before == 0 {
                    return Err(Fault::field("", "the list cannot be asked for"));
                }
            }
        }
    }
}

/// A form's value in the API's words; nothing where it does not read.
fn in_words(words: &Words, slots: &[Slot], parameter: &str, text: &str) -> Option<String> {
    let (name, op) = split(parameter);
    let slot = slots.iter().find(|slot| slot.name == name)?;
    match slot.kind {
        Kind::Time => {
            let at = show::instant(words, text)?;
            // "To the 3rd" means to its end.
            let day = text.len() == 10 && op == "lte";
            Some(if day { model::Ts(at.0 + 86_400_000_000 - 1) } else { at }.to_string())
        }
        Kind::Rate(..) | Kind::Seconds(..) => {
            let value = value::read(words, slot, text).ok()?;
            Some(value.to_string())
        }
        _ => Some(text.to_owned()),
    }
}

/// `created_at[gte]` → `created_at`, `gte`.
pub(super) fn split(parameter: &str) -> (&str, &str) {
    match parameter.split_once('[') {
        Some((name, op)) => (name, op.trim_end_matches(']')),
        None => (parameter, "eq"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Rights;
    use crate::entity::registry::LABEL;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        let words = Words::english().in_zone("Asia/Kolkata");
        let slots = super::super::slots(&words, &Rights::all(), &LABEL, &[]);
        let fields = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let read = Asked::read(&words, &LABEL, &[], &slots, &Fields(fields), Some(25));
        read.unwrap()
    }

    #[test]
    fn a_day_of_the_reader_becomes_instants() {
        let day = [("in.created_at[gte]", "2026-03-01"), ("in.created_at[lte]", "2026-03-01")];
        let asked = asked(&day);
        assert!(asked.address.get("created_at[gte]").starts_with("2026-02-28T18:30:00"));
        assert!(asked.address.get("created_at[lte]").starts_with("2026-03-01T18:29:59.999"));
        assert_eq!(asked.query.filters.len(), 2);
        assert_eq!(asked.size, 25);
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_said() {
        let asked = asked(&[
            ("nonsense", "1"),
            ("kind", "starship"),
            ("name[contains]", "vip"),
            ("sort", "colour"),
            ("cursor", "odd"),
            ("limit", "many"),
            ("in.created_at[gte]", "soon"),
            ("q", " "),
        ]);
        assert_eq!(asked.wrong.len(), 6, "{:?}", asked.wrong);
        assert_eq!(asked.address.to_string(), "/labels?name%5Bcontains%5D=vip");
        assert_eq!(asked.query.page, Some(1));
    }

    #[test]
    fn an_address_keeps_what_is_not_changed() {
        let address = Address::of("/labels").with("q", "a&b").with("page", "3");
        assert_eq!(address.with("sort", "-name").to_string(), "/labels?page=3&q=a%26b&sort=-name");
        assert_eq!(address.first().to_string(), "/labels?q=a%26b");
        assert!(address.narrows() && !Address::of("/x").with("sort", "a").narrows());
    }
}
