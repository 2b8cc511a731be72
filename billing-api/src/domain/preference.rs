//! What a member of staff prefers to see: columns, rows of a page, appearance, the organisation
//! worked in.
//!
//! These change nothing for anybody else and nothing of the business, so they are written
//! without an audit entry or an event.

use std::collections::BTreeMap;

use model::StaffId;
use serde_json::Value as Json;
use store::args;

use super::actor::Who;
use super::{Actor, Fault, Office};
use crate::store::preference;

/// Longest value that is kept, octets of JSON.
const OCTETS_MAX: usize = 4000;

/// Everything remembered of someone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preferences(BTreeMap<String, Json>);

impl Preferences {
    /// A text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// A number.
    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key)?.as_i64()
    }

    /// A list of words.
    pub(crate) fn words(&self, key: &str) -> Option<Vec<&str>> {
        Some(self.0.get(key)?.as_array()?.iter().filter_map(Json::as_str).collect())
    }
}

/// The member of staff behind an actor; nobody else has preferences.
fn staff(actor: &Actor) -> Option<StaffId> {
    match actor.who {
        Who::Staff(id) => Some(id),
        Who::Token(_) | Who::System(_) => None,
    }
}

/// What is remembered of the actor.
pub(crate) async fn load(office: &Office, actor: &Actor) -> Result<Preferences, Fault> {
    let Some(staff) = staff(actor) else { return Ok(Preferences::default()) };
    let rows = office.db.fetch_all(&preference::OF, args![staff]).await?;
    let mut preferences = BTreeMap::new();
    for row in rows {
        preferences.insert(row.get("key")?, row.get("value")?);
    }
    Ok(Preferences(preferences))
}

/// Remembers a value, or forgets it. The keys are the program's own words.
pub(crate) async fn keep(
    office: &Office,
    actor: &Actor,
    key: &str,
    value: Option<Json>,
) -> Result<(), Fault> {
    let Some(staff) = staff(actor) else { return Ok(()) };
    match value {
        Some(value) if value.to_string().len() > OCTETS_MAX => {
            return Err(Fault::field("", "is more than can be remembered"));
        }
        Some(value) => {
            let args = args![staff, key, value, office.now()];
            office.db.execute(&preference::KEEP, args).await?;
        }
        None => {
            office.db.execute(&preference::FORGET, args![staff, key]).await?;
        }
    }
    Ok(())
}
