//! The descriptions.

use super::{Draft, Entity, Field, Flags, Hooks, Kind, Scope};
use crate::domain::Input;

/// Every entity the interpreter serves.
pub(crate) const ENTITIES: &[&Entity] = &[&LABEL, &CUSTOMER_LABEL];

/// A label: staff put it on customers, services, tickets …
pub(crate) const LABEL: Entity = Entity {
    name: "label",
    path: "labels",
    table: "label",
    prefix: "lbl",
    scope: Scope::Own,
    fields: &[
        Field {
            name: "name",
            kind: Kind::Text(60),
            flags: Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED),
        },
        Field { name: "colour", kind: Kind::Text(7), flags: Flags::WRITABLE },
        Field {
            name: "kind",
            kind: Kind::Choice(&["customer", "service", "device"]),
            flags: Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::SORTABLE).and(Flags::FILTERABLE),
        },
        Field {
            name: "description",
            kind: Kind::Text(500),
            flags: Flags::WRITABLE.and(Flags::SEARCHED),
        },
    ],
    hooks: Hooks { check: check_label },
};

fn check_label(draft: &Draft, input: &mut Input) {
    let well = |colour: &str| {
        colour.len() == 7
            && colour.starts_with('#')
            && colour.bytes().skip(1).all(|b| b.is_ascii_hexdigit())
    };
    if draft.text("colour").is_some_and(|colour| !well(colour)) {
        input.fault("colour", "is a colour such as #1c7ed6");
    }
}

/// A label on a customer.
pub(crate) const CUSTOMER_LABEL: Entity = Entity {
    name: "customer_label",
    path: "customer-labels",
    table: "customer_label",
    prefix: "cul",
    scope: Scope::Own,
    fields: &[
        Field {
            name: "customer_id",
            kind: Kind::Reference("cus", "customer"),
            flags: Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::FILTERABLE),
        },
        Field {
            name: "label_id",
            kind: Kind::Reference("lbl", "label"),
            flags: Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::FILTERABLE),
        },
    ],
    hooks: Hooks::NONE,
};
