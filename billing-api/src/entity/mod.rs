//! One definition per entity: const data, read by one interpreter.
//!
//! An [`Entity`] says what a record is: its table, its scope, its fields with their kinds and
//! flags. From it come list (filters, sort, pages, chosen fields, search), detail, create,
//! update, delete and restore, with the audit entry and the event. Business rules stay in typed
//! domain code; where one entity needs another way for a facet, its [`Hooks`] name a function.
//! The description is data and never becomes a language of its own.
//!
//! - this file: what a description can say.
//! - [`registry`]: the descriptions.
//! - [`query`]: a query string becomes a checked request.
//! - [`read`]: the request becomes SQL, rows become JSON.
//! - [`write`]: JSON becomes rows, audit entry and event.

pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod registry;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use crate::domain::{Fault, Input};

/// Which organisations' rows a caller reads. Writes land in the caller's own organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The caller's subtree.
    Own,
    /// The subtree, and what the ancestors have.
    #[expect(dead_code, reason = "plans and templates follow")]
    Inherited,
}

impl Scope {
    /// The condition on rows a caller reads; `$1` is the path of the caller's organisation.
    fn readable(self) -> &'static str {
        match self {
            Self::Own => {
                "organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')"
            }
            Self::Inherited => {
                "organisation_id IN (SELECT id FROM organisation
                 WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')"
            }
        }
    }

    /// The condition on rows a caller changes: never an ancestor's.
    const WRITABLE: &'static str =
        "organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')";
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One line of at most so many characters.
    Text(usize),
    /// A whole number within bounds.
    #[expect(dead_code, reason = "the first entities have none")]
    Integer(i64, i64),
    /// Yes or no.
    #[expect(dead_code, reason = "the first entities have none")]
    Flag,
    /// An instant.
    Time,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Another record: what its ids start with, and its table. Only one the caller can read
    /// can be named.
    Reference(&'static str, &'static str),
}

/// What may be done with a field. Combined by [`Flags::and`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    /// Must be given at creation, and cannot be emptied.
    pub(crate) const REQUIRED: Flags = Flags(1);
    /// Can be set by the caller.
    pub(crate) const WRITABLE: Flags = Flags(2);
    /// Lists can be sorted by it; it has an index, and a value in every row.
    pub(crate) const SORTABLE: Flags = Flags(4);
    /// Lists can be filtered by it; it has an index.
    pub(crate) const FILTERABLE: Flags = Flags(8);
    /// Search looks into it.
    pub(crate) const SEARCHED: Flags = Flags(16);

    /// Both.
    pub(crate) const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub(crate) const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One field. Its name is its column, its JSON name and its query parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) flags: Flags,
}

/// Functions that take the place of a facet for one entity.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    /// Checks what the kinds cannot say, on creation and on change.
    pub(crate) check: fn(&Draft, &mut Input),
}

impl Hooks {
    /// Nothing in place of anything.
    pub(crate) const NONE: Hooks = Hooks { check: |_, _| {} };
}

/// The values a caller gave, by field, before they are written.
pub(crate) struct Draft(Vec<(&'static Field, store::Value)>);

impl Draft {
    /// The text given for a field.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field.name == name).and_then(|(_, value)| match value {
            store::Value::Text(Some(text)) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// An entity.
pub(crate) struct Entity {
    /// The singular: events are `name.created`, problems say "no such name".
    pub(crate) name: &'static str,
    /// The plural, as in `/api/v1/labels`.
    pub(crate) path: &'static str,
    pub(crate) table: &'static str,
    /// What its ids start with.
    pub(crate) prefix: &'static str,
    pub(crate) scope: Scope,
    /// Its own fields; every entity has those of [`BASE`] too.
    pub(crate) fields: &'static [Field],
    pub(crate) hooks: Hooks,
}

/// The fields every entity has besides `id`, `organisation_id` and `version`.
pub(crate) const BASE: &[Field] = &[
    Field {
        name: "external_source",
        kind: Kind::Text(50),
        flags: Flags::WRITABLE.and(Flags::FILTERABLE),
    },
    Field {
        name: "external_id",
        kind: Kind::Text(100),
        flags: Flags::WRITABLE.and(Flags::FILTERABLE),
    },
    Field { name: "created_at", kind: Kind::Time, flags: Flags::SORTABLE.and(Flags::FILTERABLE) },
    Field { name: "updated_at", kind: Kind::Time, flags: Flags::SORTABLE.and(Flags::FILTERABLE) },
];

impl Entity {
    /// Its own fields, then those every entity has.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().chain(BASE)
    }

    /// A field by name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name == name)
    }

    /// An id of this entity. Another text is a record that does not exist, not a bad request:
    /// nobody learns which ids are well-formed.
    pub(crate) fn id(&self, text: &str) -> Result<uuid::Uuid, Fault> {
        model::id::parse(self.prefix, text).map_err(|_| Fault::NotFound(self.name))
    }
}
