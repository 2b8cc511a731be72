//! Settings: what an organisation decides for itself and for those below it.
//!
//! Each is described once in [`registry`]: a key, what it holds, what applies where nobody set
//! it. The value that applies to an organisation is its own row, else its nearest ancestor's,
//! else the default; [`Inherits`] and [`Bound`] say where that is not all.
//!
//! - [`registry`]: the descriptions.
//! - [`kind`]: what a setting can hold, and the check of it.
//! - [`colour`]: whether a colour can be read on our pages.
//! - [`layers`]: what an organisation and its ancestors have set, and what applies.
//! - [`cache`]: that, in memory.
//! - [`change`]: showing and changing.

mod cache;
mod change;
pub(crate) mod colour;
mod kind;
mod layers;
pub(crate) mod registry;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use cache::Cache;
pub(crate) use change::{
    Change, Item, View, apply, copy_to_columns, list, open, patch, read_object, record, show,
};
pub(crate) use kind::Kind;
pub(crate) use layers::{Defaults, From, Layer, Layers};

use model::OrganisationId;
use std::sync::Arc;

use super::{Fault, Office};

/// A setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// `group.name`. Its label in the catalogue is `setting-group-name`, with a hint under
    /// `setting-group-name-hint`.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// What applies where nobody set it.
    pub(crate) default: Default,
    /// Who may change it.
    pub(crate) permission: &'static str,
    pub(crate) inherits: Inherits,
    pub(crate) bound: Bound,
    /// Only a legal entity sets it: its books depend on it, and on its being one for all of
    /// them.
    pub(crate) by_entity: bool,
    /// Only the root sets it: it applies before anybody knows whose staff somebody is.
    pub(crate) at_root: bool,
}

/// What applies where nobody set anything.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    None,
    Text(&'static str),
    Integer(i64),
    Flag(bool),
}

/// Whose value applies where an organisation has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inherits {
    /// The nearest ancestor's.
    Always,
    /// The nearest ancestor's, up to the legal entity: a partner's papers never carry another
    /// company's tax id.
    WithinEntity,
    /// Nobody's.
    Never,
}

/// Whether those below may have it their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// They may.
    Free,
    /// Not below an ancestor's value.
    AtLeast,
    /// Not above an ancestor's value.
    AtMost,
    /// Not off where an ancestor has it on.
    StaysOn,
}

impl Setting {
    /// What comes before the dot.
    pub(crate) fn group(&self) -> &'static str {
        self.key.split('.').next().unwrap_or(self.key)
    }

    /// What applies where nobody set it, as JSON.
    pub(crate) fn default_value(&self) -> serde_json::Value {
        match self.default {
            Default::None => serde_json::Value::Null,
            Default::Text(text) => text.into(),
            Default::Integer(number) => number.into(),
            Default::Flag(flag) => flag.into(),
        }
    }
}

/// What applies to an organisation. A change of this process is seen at once, one of another
/// process within [`cache::FRESH_FOR`].
pub(crate) async fn of(
    office: &Office,
    organisation: OrganisationId,
) -> Result<Arc<Layers>, Fault> {
    office.settings.of(&office.db, organisation).await
}

/// What applies to the root, for those who are nobody yet.
pub(crate) async fn of_root(office: &Office) -> Result<Arc<Layers>, Fault> {
    office.settings.of_root(&office.db).await
}
