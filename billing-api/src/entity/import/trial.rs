//! What a dry run remembers of the rows it took.
//!
//! Each of its transactions is given up, so the database cannot tell a row from one before it.
//! What a run would have written by now is kept here instead: the keys that records are matched
//! by, the values that no two records may have alike, and the e-mail addresses, which may be
//! there twice and rarely should be. A row takes some 20 octets for each.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value as Json;
use store::Row;
use uuid::Uuid;

use crate::domain::{Fault, FieldFault, Unit};
use crate::entity::{Entity, Field, Kind, Scope, batch};

/// What the rows before have.
#[derive(Default)]
pub(super) struct Trial {
    /// Keys of rows that a run would have created by now.
    seen: HashSet<u64>,
    /// Values that are there once, by their hash.
    claims: HashMap<u64, Claim>,
}

/// Who has a value.
#[derive(Clone, Copy)]
struct Claim {
    /// The row of the file.
    row: u64,
    /// The record, by the hash of its id; that of the row where it is a new one.
    holder: u64,
}

/// E-mail addresses that are there already, by field and text: the records that have them.
pub(super) type Addresses = HashMap<(&'static str, String), Vec<Uuid>>;

impl Trial {
    /// Whether a run would have created a record with this key by now.
    pub(super) fn has_seen(&self, key: &str) -> bool {
        self.seen.contains(&hashed(&key))
    }

    /// By now it would have.
    pub(super) fn saw(&mut self, key: &str) {
        self.seen.insert(hashed(&key));
    }

    /// What a row has that a row before it has and only one can. Otherwise it is the row's from
    /// here on. `record`: the record it changes; nothing where it makes one.
    pub(super) fn claim(
        &mut self,
        entity: &Entity,
        row: u64,
        record: Option<Uuid>,
        view: &Json,
    ) -> Option<FieldFault> {
        let own = Claim { row, holder: record.map_or(hashed(&row), |id| hashed(&id)) };
        let mut claims = Vec::new();
        for (number, unique) in entity.unique().enumerate() {
            let values: Vec<String> = unique
                .fields
                .iter()
                .filter_map(|name| text_of(&view[*name], unique.everywhere))
                .collect();
            // NULL is like nothing, itself included.
            if values.len() < unique.fields.len() {
                continue;
            }
            let within = (!unique.everywhere).then(|| view["organisation_id"].as_str());
            let hash = hashed(&(number, within, values));
            if let Some(other) = self.other(hash, own) {
                let names = unique.fields.join(" and ");
                let detail = format!("row {} of the file has this {names}", other.row);
                let pointer = unique.fields.last().copied().unwrap_or_default();
                return Some(FieldFault { pointer: format!("/{pointer}"), detail });
            }
            claims.push(hash);
        }
        for hash in claims {
            self.claims.insert(hash, own);
        }
        None
    }

    /// What is worth a look before a row is taken: an e-mail address that another record has, or
    /// a row before.
    pub(super) fn look(
        &mut self,
        entity: &Entity,
        row: u64,
        record: Option<Uuid>,
        view: &Json,
        there: &Addresses,
    ) -> Vec<FieldFault> {
        let own = Claim { row, holder: record.map_or(hashed(&row), |id| hashed(&id)) };
        let mut worth = Vec::new();
        for field in addresses(entity) {
            let Some(text) = view[field.name].as_str() else { continue };
            let held = there.get(&(field.name, text.to_owned()));
            let elsewhere = held.is_some_and(|ids| ids.iter().any(|id| Some(*id) != record));
            let hash = hashed(&(field.name, text.to_lowercase()));
            let before = self.other(hash, own);
            self.claims.entry(hash).or_insert(own);
            let detail = match before {
                _ if elsewhere => format!("another {} has this address", entity.name),
                Some(other) => format!("row {} of the file has this address", other.row),
                None => continue,
            };
            worth.push(FieldFault { pointer: format!("/{}", field.name), detail });
        }
        worth
    }

    /// The other one that has a value. A row that is tried again meets itself, and two rows may
    /// change one record.
    fn other(&self, hash: u64, own: Claim) -> Option<Claim> {
        let claim = *self.claims.get(&hash)?;
        (claim.row != own.row && claim.holder != own.holder).then_some(claim)
    }
}

/// E-mail fields that are no key.
fn addresses(entity: &Entity) -> impl Iterator<Item = &'static Field> {
    let keys: BTreeSet<&str> = entity.unique().flat_map(|unique| unique.fields).copied().collect();
    entity.all_fields().filter(move |field| {
        matches!(field.kind, Kind::Email) && field.is_column() && !keys.contains(field.name)
    })
}

/// The addresses of some rows that records have already.
pub(super) async fn there<'a>(
    unit: &mut Unit<'_>,
    entity: &Entity,
    documents: impl Iterator<Item = &'a serde_json::Map<String, Json>> + Clone,
) -> Result<Addresses, Fault> {
    let mut there = Addresses::new();
    for field in addresses(entity) {
        let text = |document: &serde_json::Map<String, Json>| {
            document.get(field.name).and_then(Json::as_str).map(str::to_owned)
        };
        let texts: BTreeSet<String> = documents.clone().filter_map(text).collect();
        if texts.is_empty() {
            continue;
        }
        let rows: Vec<Row> =
            batch::by_texts(unit, entity, Scope::WRITABLE, field.name, &texts).await?;
        for row in rows {
            let (id, text): (Uuid, String) = (row.get("id")?, row.get(field.name)?);
            there.entry((field.name, text)).or_default().push(id);
        }
    }
    Ok(there)
}

/// A value as it is compared; nothing where there is none.
fn text_of(value: &Json, fold: bool) -> Option<String> {
    let text = match value {
        Json::Null => return None,
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(if fold { text.trim().to_ascii_lowercase() } else { text })
}

fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::customer::CUSTOMER;
    use crate::domain::service::SERVICE;
    use crate::entity::registry::LABEL;

    #[test]
    fn what_only_one_can_have_is_told_with_the_row_that_has_it() {
        let mut trial = Trial::default();
        let label = |name: &str, kind: &str, organisation: &str| {
            json!({"name": name, "kind": kind, "organisation_id": organisation,
                "external_source": null, "external_id": null})
        };
        assert_eq!(trial.claim(&LABEL, 2, None, &label("VIP", "device", "a")), None);
        assert_eq!(trial.claim(&LABEL, 2, None, &label("VIP", "device", "a")), None, "itself");
        assert_eq!(trial.claim(&LABEL, 3, None, &label("VIP", "service", "a")), None);
        assert_eq!(trial.claim(&LABEL, 4, None, &label("VIP", "device", "b")), None);
        let again = trial.claim(&LABEL, 5, None, &label("VIP", "device", "a")).unwrap();
        assert_eq!(again.detail, "row 2 of the file has this kind and name");
        let login = |login: &str| json!({"login": login, "ipv4": null, "organisation_id": "a"});
        assert_eq!(trial.claim(&SERVICE, 2, None, &login("asha")), None);
        let again = trial.claim(&SERVICE, 3, None, &login(" Asha")).unwrap();
        assert_eq!((again.pointer.as_str(), again.detail.contains("row 2")), ("/login", true));
    }

    #[test]
    fn two_rows_may_change_one_record() {
        let mut trial = Trial::default();
        let id = Uuid::now_v7();
        let view = json!({"external_source": "file", "external_id": "7", "organisation_id": "a",
            "email": "a@example.net"});
        let none = Addresses::new();
        assert_eq!(trial.claim(&CUSTOMER, 2, Some(id), &view), None);
        assert_eq!(trial.claim(&CUSTOMER, 3, Some(id), &view), None);
        assert!(trial.claim(&CUSTOMER, 4, Some(Uuid::now_v7()), &view).is_some());
        assert!(trial.look(&CUSTOMER, 2, Some(id), &view, &none).is_empty());
        assert!(trial.look(&CUSTOMER, 3, Some(id), &view, &none).is_empty());
        let worth = trial.look(&CUSTOMER, 4, None, &view, &none);
        assert_eq!(worth[0].detail, "row 2 of the file has this address");
    }
}
