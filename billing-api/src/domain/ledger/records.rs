//! Accounts and entries as the API and the console list them. Nobody writes them but
//! [`super::post`].

use model::CustomerId;

use super::CLASSES;
use crate::entity::{Entity, Field, Flags, Kind, Verbs};

/// What finds an entry.
const FOUND: Flags = Flags::FILTERABLE.and(Flags::LISTED);

/// An entry: one amount from one account to another.
pub(crate) const LEDGER_ENTRY: Entity = Entity {
    name: "ledger_entry",
    path: "ledger-entries",
    table: "ledger_entry",
    prefix: "len",
    permission: "billing",
    module: Some("billing"),
    verbs: Verbs::READ,
    base: false,
    title: "kind",
    fields: &[
        Field::new("booked_on", Kind::Date, FOUND.and(Flags::SORTABLE).and(Flags::FILLED)),
        Field::new("kind", Kind::Choice(KINDS), Flags::LISTED.and(Flags::FILLED)),
        Field::new("debit", Kind::Text(40), Flags::LISTED),
        Field::new("credit", Kind::Text(40), Flags::LISTED),
        Field::new("amount", Kind::Money, Flags::LISTED),
        Field::new("customer_id", Kind::Reference(CustomerId::PREFIX, "customer"), FOUND),
        Field::new("source", Kind::Text(60), FOUND),
        Field::new("note", Kind::LongText(500), Flags::NONE),
        Field::new("created_at", Kind::Time, Flags::SORTABLE.and(Flags::FILLED)),
        Field::new("created_by", Kind::Text(60), Flags::NONE),
    ],
    ..Entity::PLAIN
};

/// What writes entries.
const KINDS: &[&str] = &["payment", "refund", "charge", "credit", "reversal"];

/// An account of a legal entity's books.
pub(crate) const LEDGER_ACCOUNT: Entity = Entity {
    name: "ledger_account",
    path: "ledger-accounts",
    table: "ledger_account",
    prefix: "lac",
    permission: "billing",
    module: Some("billing"),
    verbs: Verbs::READ,
    base: false,
    title: "code",
    fields: &[
        Field::new("code", Kind::Text(40), Flags::LISTED.and(Flags::FILLED)),
        Field::new("currency", Kind::Text(3), Flags::LISTED),
        Field::new("class", Kind::Choice(CLASSES), Flags::LISTED),
        Field::new("created_at", Kind::Time, Flags::SORTABLE.and(Flags::FILLED)),
    ],
    ..Entity::PLAIN
};
