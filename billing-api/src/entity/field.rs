//! What a field can be.

use serde_json::Value as Json;

use crate::domain::Input;
use crate::domain::access::Rights;

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// One line of at most so many characters.
    Text(usize),
    /// Several lines of at most so many characters.
    LongText(usize),
    /// An e-mail address.
    Email,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A rate, bit/s, within bounds.
    Rate(i64, i64),
    /// A time span, seconds, within bounds.
    Seconds(i64, i64),
    /// Yes or no.
    Flag,
    /// An instant.
    Time,
    /// A civil date, kept as `YYYY-MM-DD`.
    Date,
    /// An IANA time zone.
    Zone,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Another record: what its ids start with, and its table. Only one the caller can read
    /// can be named.
    Reference(&'static str, &'static str),
    /// An address of one host.
    Address,
    /// An address with a prefix length.
    Network,
    /// An amount: `{amount, currency}`, kept in two columns, `NAME_amount` in minor units and
    /// `NAME_currency`.
    Money,
    /// A list of at most so many words of at most so many characters, kept as a JSON array.
    Words(usize, usize),
    /// Texts of at most so many characters under some names: `{name: text}`, kept as JSON. A
    /// name without a text is absent.
    Map(&'static [&'static str], usize),
    /// A document, read by a function; kept as JSON. Without one it is shown only.
    Document(Option<fn(&mut Input) -> Option<Json>>),
    /// A secret of at most so many octets: given, never shown, and no column; a hook seals it.
    Secret(usize),
}

impl PartialEq for Kind {
    /// Whether both are the same kind, whatever their bounds.
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl Kind {
    /// The kind in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::LongText(_) => "long text",
            Self::Email => "e-mail",
            Self::Integer(..) => "integer",
            Self::Rate(..) => "rate",
            Self::Seconds(..) => "seconds",
            Self::Flag => "flag",
            Self::Time => "time",
            Self::Date => "date",
            Self::Zone => "zone",
            Self::Choice(_) => "choice",
            Self::Reference(..) => "reference",
            Self::Address => "address",
            Self::Network => "network",
            Self::Money => "money",
            Self::Words(..) => "words",
            Self::Map(..) => "map",
            Self::Document(_) => "document",
            Self::Secret(_) => "secret",
        }
    }
}

/// What may be done with a field. Combined by [`Flags::and`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// It is shown, and that is all.
    pub(crate) const NONE: Flags = Flags(0);
    /// Must be given at creation, and cannot be emptied.
    pub(crate) const REQUIRED: Flags = Flags(1);
    /// Can be set by the caller.
    pub(crate) const WRITABLE: Flags = Flags(2);
    /// Lists can be sorted by it; it has an index.
    pub(crate) const SORTABLE: Flags = Flags(4);
    /// Lists can be filtered by it; it has an index.
    pub(crate) const FILTERABLE: Flags = Flags(8);
    /// Search looks into it.
    pub(crate) const SEARCHED: Flags = Flags(16);
    /// Can be set at creation and never again; goes with [`Flags::WRITABLE`].
    pub(crate) const ONCE: Flags = Flags(32);
    /// About a person: exports say so, and logs leave it out.
    pub(crate) const PERSONAL: Flags = Flags(64);
    /// A table shows it before anyone chose columns.
    pub(crate) const LISTED: Flags = Flags(128);
    /// Has a value in every row, though the caller need not give one. A field that is sorted
    /// by is this or [`Flags::REQUIRED`]: pages continue behind a value.
    pub(crate) const FILLED: Flags = Flags(256);
    /// No column: the entity's `extend` hook fills it.
    pub(crate) const COMPUTED: Flags = Flags(512);

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
    /// What it takes to see and to set it, besides what the record takes. Without it the field
    /// is not there: no list is filtered or sorted by it. It is neither what the record is known
    /// by nor required, and no search finds it.
    pub(crate) permission: Option<&'static str>,
    /// What it stands with on pages; without one it stands first.
    pub(crate) group: Option<&'static str>,
}

impl Field {
    /// A field.
    pub(crate) const fn new(name: &'static str, kind: Kind, flags: Flags) -> Self {
        Self { name, kind, flags, permission: None, group: None }
    }

    /// Fields that stand together on pages, under a heading.
    pub(crate) const fn within(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }

    /// Seen and set with this permission alone.
    #[allow(dead_code, reason = "no field of the platform's own records is kept back yet")]
    pub(crate) const fn for_those_with(self, permission: &'static str) -> Self {
        Self { permission: Some(permission), ..self }
    }

    /// Whether it is there for somebody with these rights.
    pub(crate) fn is_seen(&self, rights: &Rights) -> bool {
        self.permission.is_none_or(|permission| rights.has(permission))
    }

    /// Whether it is a column of the entity's table (an amount is two).
    pub(crate) fn is_column(&self) -> bool {
        !matches!(self.kind, Kind::Secret(_)) && !self.flags.has(Flags::COMPUTED)
    }

    /// Whether the caller can set it.
    pub(crate) const fn is_writable(&self) -> bool {
        self.flags.has(Flags::WRITABLE)
    }
}

/// The fields every entity has besides `id`, `organisation_id` and `version`.
pub(crate) const BASE: &[Field] = &[
    Field::new("external_source", Kind::Text(50), Flags::WRITABLE.and(Flags::FILTERABLE)),
    Field::new("external_id", Kind::Text(100), Flags::WRITABLE.and(Flags::FILTERABLE)),
    Field::new(
        "created_at",
        Kind::Time,
        Flags::SORTABLE.and(Flags::FILTERABLE).and(Flags::FILLED).and(Flags::LISTED),
    ),
    Field::new("updated_at", Kind::Time, Flags::SORTABLE.and(Flags::FILTERABLE).and(Flags::FILLED)),
];
