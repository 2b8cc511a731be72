//! One definition per entity: const data, read by one interpreter.
//!
//! An [`Entity`] says what a record is: its table, its scope, its fields with their kinds and
//! flags. From it come list (filters, sort, pages, chosen fields, search), detail, create,
//! update, delete and restore, with the audit entry and the event. Business rules stay in typed
//! domain code; where one entity needs more for a facet, its [`Hooks`] name functions.
//! The description is data and never becomes a language of its own.
//!
//! - this file: what a description can say.
//! - [`field`]: what a field can be.
//! - [`registry`]: the descriptions.
//! - [`custom`]: the fields an organisation adds.
//! - [`query`]: a query string becomes a checked request.
//! - [`read`]: the request becomes SQL, rows become JSON.
//! - [`draft`]: JSON becomes checked values.
//! - [`write`]: values become rows, audit entry and event.
//! - [`batch`]: many records, created together.
//! - [`search`]: what can be found by its words.
//! - [`bulk`]: one change to many records.
//! - [`export`]: records leave as a file.
//! - [`import`]: records come from a file.
//! - [`convert`]: the texts of a file become JSON of a field's kind.

pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod convert;
pub(crate) mod custom;
pub(crate) mod draft;
pub(crate) mod export;
pub(crate) mod field;
pub(crate) mod import;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod registry;
pub(crate) mod search;
pub(crate) mod write;

#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::pin::Pin;

use store::{Args, Row, Statement, StoreError};

use crate::domain::{Actor, Fault, Input, Office, Series, Unit};

pub(crate) use draft::Draft;
pub(crate) use field::{BASE, Field, Flags, Kind};

/// Which organisations' rows a caller reads. Writes land in the caller's own organisation, or
/// in one below it that the caller names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The caller's subtree.
    Own,
    /// The subtree, and what the ancestors have: those below may use it, not change it.
    Inherited,
    /// The subtree, and what the ancestors share: the table has a column `shared`. Those below may
    /// use it, not change it.
    Shared,
    /// Everybody's. Rows have no owner that matters, and only typed code writes them.
    #[allow(dead_code, reason = "nothing global is described yet")]
    Global,
}

/// The rows of the caller's subtree; `$1` is the path of the caller's organisation.
const SUBTREE: &str = "organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')";

/// The same, and what those above share.
const SHARED: &str = "(organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
     OR (shared AND organisation_id IN (SELECT id FROM organisation WHERE $1 LIKE path || '%')))";

impl Scope {
    /// Whether what may be referred to depends on who asks, and not on where the record lives.
    pub(crate) fn by_caller(self) -> bool {
        matches!(self, Self::Own | Self::Shared)
    }

    /// The condition on rows a caller reads; `$1` is the path of the caller's organisation.
    pub(crate) fn readable(self) -> &'static str {
        match self {
            Self::Own => SUBTREE,
            Self::Inherited => {
                "organisation_id IN (SELECT id FROM organisation
                 WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')"
            }
            Self::Shared => SHARED,
            Self::Global => "$1 IS NOT NULL",
        }
    }

    /// The condition on rows a caller changes: never an ancestor's.
    pub(crate) const WRITABLE: &'static str = SUBTREE;

    /// The condition on rows that a record of an organisation may refer to; `$1` is the path of
    /// that organisation, or the caller's where [`Scope::by_caller`] says so. What is one's own may be in the subtree: a customer of a branch can
    /// carry the ISP's ticket. What is inherited must be one's own or an ancestor's: nobody is
    /// put on the plan of somebody beside or below them.
    pub(crate) fn usable(self) -> &'static str {
        match self {
            Self::Own => SUBTREE,
            Self::Inherited => {
                "organisation_id IN (SELECT id FROM organisation WHERE $1 LIKE path || '%')"
            }
            Self::Shared => SHARED,
            Self::Global => "$1 IS NOT NULL",
        }
    }
}

/// What can be done with the records of an entity, besides reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verbs(u8);

impl Verbs {
    /// Nothing: written by typed code alone.
    pub(crate) const READ: Verbs = Verbs(0);
    /// New ones.
    pub(crate) const CREATE: Verbs = Verbs(1);
    /// Changes.
    pub(crate) const UPDATE: Verbs = Verbs(2);
    /// Deletion, and restoring what was deleted.
    pub(crate) const DELETE: Verbs = Verbs(4);
    /// Import from files.
    pub(crate) const IMPORT: Verbs = Verbs(8);
    /// All of it.
    pub(crate) const ALL: Verbs = Verbs(15);

    /// Both.
    pub(crate) const fn and(self, other: Verbs) -> Verbs {
        Verbs(self.0 | other.0)
    }

    /// Whether all of `other` are offered.
    pub(crate) const fn has(self, other: Verbs) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One change, for the hooks that take part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Created,
    Updated,
    Deleted,
    Restored,
}

impl Verb {
    /// As in the kinds of events: `customer.created`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
        }
    }
}

/// A record that was just written, for the hook that follows.
pub(crate) struct Written<'a> {
    pub(crate) verb: Verb,
    pub(crate) id: uuid::Uuid,
    /// What the caller gave; empty for deletion and restoring.
    pub(crate) draft: &'a Draft,
    /// The row before; absent for a creation.
    pub(crate) before: Option<&'a Row>,
    /// The row now.
    pub(crate) after: &'a Row,
}

/// A step of a hook.
pub(crate) type Step<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Before a row is written: looks at it, completes the draft with [`Draft::set`], refuses.
pub(crate) type Before =
    for<'a> fn(&'a mut Unit<'_>, Verb, &'a mut Draft, Option<&'a Row>) -> Step<'a>;

/// After a row is written, in the same transaction: writes what belongs to it, and names the
/// policy that may have changed with [`Unit::policy`].
pub(crate) type After = for<'a> fn(&'a mut Unit<'_>, Written<'a>) -> Step<'a>;

/// Completes rows on their way out with what is kept elsewhere, a page at a time.
pub(crate) type Extend = for<'a> fn(Source<'a, '_>, &'a mut [serde_json::Value]) -> Step<'a>;

/// Finds records by a text, where the words that others are found by would cost too much: among
/// the organisations that are the reader's (nothing: all there are), the newest ones first; and
/// whether there may be others.
pub(crate) type Find = for<'a> fn(
    &'a Office,
    &'a Actor,
    Option<&'a [uuid::Uuid]>,
    &'a query::ListQuery,
    &'a str,
) -> Step<'a, (Vec<uuid::Uuid>, bool)>;

/// Takes what a change must hold before anything else in its transaction, so that nobody holds
/// what another needs while waiting for it.
pub(crate) type Hold = for<'a> fn(&'a mut Unit<'_>) -> Step<'a>;

/// Where rows are completed from.
pub(crate) enum Source<'s, 'u> {
    /// What is committed, for this reader.
    Office(&'s Office, &'s Actor),
    /// As well what a unit of work has written so far.
    Unit(&'s mut Unit<'u>),
}

impl Source<'_, '_> {
    /// Whoever reads.
    pub(crate) fn reader(&self) -> &Actor {
        match self {
            Self::Office(_, reader) => reader,
            Self::Unit(unit) => unit.actor,
        }
    }

    /// Reads rows.
    pub(crate) async fn fetch_all(
        &mut self,
        st: &Statement,
        args: Args,
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Office(office, _) => office.db.fetch_all(st, args).await,
            Self::Unit(unit) => unit.fetch_all(st, args).await,
        }
    }
}

/// Functions that add to a facet for one entity.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    /// Checks what the kinds cannot say, on creation and on change, without the database.
    pub(crate) check: fn(&Draft, &mut Input),
    /// Before each write.
    pub(crate) before: Before,
    /// After each write.
    pub(crate) after: After,
    /// Fills the fields that are no columns, for rows on their way out.
    pub(crate) extend: Extend,
    /// Finds by a text, in the place of the search over words.
    pub(crate) find: Option<Find>,
    /// What each write holds first.
    pub(crate) hold: Hold,
}

impl Hooks {
    /// Nothing besides what the description says.
    pub(crate) const NONE: Hooks = Hooks {
        check: |_, _| {},
        before: |_, _, _, _| Box::pin(std::future::ready(Ok(()))),
        after: |_, _| Box::pin(std::future::ready(Ok(()))),
        extend: |_, _| Box::pin(std::future::ready(Ok(()))),
        find: None,
        hold: |_| Box::pin(std::future::ready(Ok(()))),
    };
}

/// Something that can be done with a record besides changing its fields: `POST
/// /api/v1/services/{id}/suspend`, one record at a time or many as a job.
pub(crate) struct Action {
    /// One word, as in the address.
    pub(crate) name: &'static str,
    /// What the caller's role must allow.
    pub(crate) permission: &'static str,
    /// What it takes besides the record: writable fields of no column. One that takes a secret
    /// is done to one record at a time.
    pub(crate) arguments: &'static [Field],
    /// Whether it takes something away: people are asked first, and the button says so.
    pub(crate) harms: bool,
    /// Whether there is anything to do for a record as the API shows it, for those who offer
    /// it. The rules do not ask.
    pub(crate) applies: fn(&serde_json::Value) -> bool,
    /// Does it, if the record is still at the version the caller saw. Doing it twice changes
    /// nothing the second time.
    pub(crate) run: Run,
}

/// What an action does: the record, the version that was seen, the arguments.
pub(crate) type Run = for<'a> fn(&'a mut Unit<'_>, uuid::Uuid, Option<i64>, &'a Draft) -> Step<'a>;

impl Action {
    /// What most share; name the rest with `..Action::PLAIN`.
    pub(crate) const PLAIN: Action = Action {
        name: "",
        permission: "",
        arguments: &[],
        harms: false,
        applies: |_| true,
        run: |_, _, _, _| Box::pin(std::future::ready(Err(Fault::WrongMethod))),
    };

    /// Whether it can be done to many at once, with the same arguments: a secret would stand in
    /// the job.
    pub(crate) fn is_for_many(&self) -> bool {
        !self.arguments.iter().any(|field| matches!(field.kind, Kind::Secret(_)))
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.permission == other.permission
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Fields that no two live records have alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unique {
    pub(crate) fields: &'static [&'static str],
    /// In the whole installation, where letters' case is no difference; else within each
    /// organisation.
    pub(crate) everywhere: bool,
}

impl Unique {
    /// What every entity with the base columns has.
    pub(crate) const EXTERNAL: Unique = Unique::within(&["external_source", "external_id"]);

    /// Within each organisation.
    pub(crate) const fn within(fields: &'static [&'static str]) -> Self {
        Self { fields, everywhere: false }
    }

    /// In the whole installation.
    pub(crate) const fn everywhere(fields: &'static [&'static str]) -> Self {
        Self { fields, everywhere: true }
    }
}

/// An entity.
pub(crate) struct Entity {
    /// The singular: events are `name.created`, problems say "no such name", and the
    /// catalogue's texts begin with it.
    pub(crate) name: &'static str,
    /// The plural, as in `/api/v1/labels` and `/labels`.
    pub(crate) path: &'static str,
    /// The table, or the view it is read from where only typed code writes it.
    pub(crate) table: &'static str,
    /// What its ids start with.
    pub(crate) prefix: &'static str,
    pub(crate) scope: Scope,
    /// The group of its permissions: `customers` makes `customers.view`, `.create`, `.edit`,
    /// `.delete`, `.export`, `.import`.
    pub(crate) permission: &'static str,
    /// The module that must be on.
    pub(crate) module: Option<&'static str>,
    pub(crate) verbs: Verbs,
    /// Whether it has the base columns; what is written by typed code alone may have none but
    /// `id`, `organisation_id`, `version` and `deleted_at`.
    pub(crate) base: bool,
    /// Whether its records are organisations: `organisation_id` repeats the record's own id, and
    /// a new one lands below the organisation that the caller names.
    pub(crate) tenant: bool,
    /// Whether `extend` takes from its rows what their reader may not know.
    pub(crate) hides: bool,
    /// Whether organisations may add fields of their own; the table has a column `custom`.
    pub(crate) custom: bool,
    /// What else can be done with a record.
    pub(crate) actions: &'static [Action],
    /// Its own fields; see [`BASE`] for those every entity has.
    pub(crate) fields: &'static [Field],
    /// What no two records have alike, besides [`Unique::EXTERNAL`]. The database keeps it; it is
    /// named here for those who tell before anything is written.
    pub(crate) unique: &'static [Unique],
    /// The reference to the record it belongs to: it lives in that record's organisation.
    pub(crate) home: Option<&'static str>,
    /// The series its records are numbered in.
    pub(crate) series: Option<&'static Series>,
    /// The field that people know a record by.
    pub(crate) title: &'static str,
    pub(crate) hooks: Hooks,
}

impl Entity {
    /// What most descriptions share; name the rest with `..Entity::PLAIN`.
    pub(crate) const PLAIN: Entity = Entity {
        name: "",
        path: "",
        table: "",
        prefix: "",
        scope: Scope::Own,
        permission: "",
        module: None,
        verbs: Verbs::ALL,
        base: true,
        tenant: false,
        hides: false,
        custom: false,
        actions: &[],
        fields: &[],
        unique: &[],
        home: None,
        series: None,
        title: "name",
        hooks: Hooks::NONE,
    };

    /// Its own fields, then those every entity has.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let base = if self.base { BASE } else { &[] };
        self.fields.iter().chain(base)
    }

    /// What no two of its live records have alike.
    pub(crate) fn unique(&self) -> impl Iterator<Item = &'static Unique> + use<> {
        let external: &[Unique] = if self.base { &[Unique::EXTERNAL] } else { &[] };
        self.unique.iter().chain(external)
    }

    /// A field by name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name == name)
    }

    /// Whether its `extend` hook takes from rows what their reader may not know.
    pub(crate) fn hides_more(&self) -> bool {
        self.tenant || self.hides
    }

    /// Whether rows on their way out have to pass its `extend` hook: where what it fills is asked
    /// for, and always where it hides something. `fields` empty: all are.
    pub(crate) fn extends(&self, fields: &[&'static str]) -> bool {
        let computed =
            |name: &&str| self.field(name).is_some_and(|field| field.flags.has(Flags::COMPUTED));
        self.hides_more() || fields.is_empty() || fields.iter().any(computed)
    }

    /// Whether its records are found by their words.
    pub(crate) fn is_searched(&self) -> bool {
        self.all_fields().any(|field| field.flags.has(Flags::SEARCHED))
    }

    /// An id of this entity. Another text is a record that does not exist, not a bad request:
    /// nobody learns which ids are well-formed.
    pub(crate) fn id(&self, text: &str) -> Result<uuid::Uuid, Fault> {
        model::id::parse(self.prefix, text).map_err(|_| Fault::NotFound(self.name))
    }
}
