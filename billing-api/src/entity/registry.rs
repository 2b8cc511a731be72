//! The descriptions.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::custom::CUSTOM_FIELD;
use super::export::scheduled::SCHEDULED_EXPORT;
use super::export::{EXPORT, EXPORT_TEMPLATE};
use super::import::IMPORT;
use super::{Draft, Entity, Field, Flags, Hooks, Kind, Unique};
use crate::domain::Input;
use crate::domain::access::description::{ROLE, STAFF, TOKEN};
use crate::domain::adjustment::ADJUSTMENT;
use crate::domain::audit::AUDIT_ENTRY;
use crate::domain::customer::CUSTOMER;
use crate::domain::ledger::records::{LEDGER_ACCOUNT, LEDGER_ENTRY};
use crate::domain::nas::NAS;
use crate::domain::organisation::ORGANISATION;
use crate::domain::payment::PAYMENT;
use crate::domain::plan::PLAN;
use crate::domain::pool::{NAS_GROUP, POOL};
use crate::domain::radius_group::{ATTRIBUTE_TEMPLATE, RADIUS_GROUP, REALM};
use crate::domain::service::SERVICE;
use crate::hook::endpoint::WEBHOOK;
use crate::jobs::entities::{JOB, JOB_RUN, MAINTENANCE_WINDOW};
use crate::mail::queue::MAIL;
use crate::mail::server::MAIL_SERVER;
use crate::oidc::provider::IDENTITY_PROVIDER;

/// Every entity the interpreter serves.
pub(crate) static ENTITIES: &[&Entity] = &[
    &CUSTOMER,
    &SERVICE,
    &PLAN,
    &NAS,
    &NAS_GROUP,
    &POOL,
    &RADIUS_GROUP,
    &ATTRIBUTE_TEMPLATE,
    &REALM,
    &LABEL,
    &CUSTOMER_LABEL,
    &CUSTOM_FIELD,
    &JOB,
    &JOB_RUN,
    &MAINTENANCE_WINDOW,
    &WEBHOOK,
    &EXPORT,
    &EXPORT_TEMPLATE,
    &SCHEDULED_EXPORT,
    &IMPORT,
    &MAIL,
    &MAIL_SERVER,
    &ROLE,
    &STAFF,
    &IDENTITY_PROVIDER,
    &TOKEN,
    &AUDIT_ENTRY,
    &ORGANISATION,
    &PAYMENT,
    &ADJUSTMENT,
    &LEDGER_ENTRY,
    &LEDGER_ACCOUNT,
];

/// The entity with this name, as in `customer`.
pub(crate) fn by_name(name: &str) -> Option<&'static Entity> {
    ENTITIES.iter().copied().find(|entity| entity.name == name)
}

/// The entity with this path, as in `customers`.
pub(crate) fn by_path(path: &str) -> Option<&'static Entity> {
    ENTITIES.iter().copied().find(|entity| entity.path == path)
}

/// The entity kept in this table.
pub(crate) fn by_table(table: &str) -> Option<&'static Entity> {
    ENTITIES.iter().copied().find(|entity| entity.table == table)
}

/// The entity whose ids begin like this.
pub(crate) fn by_prefix(prefix: &str) -> Option<&'static Entity> {
    ENTITIES.iter().copied().find(|entity| entity.prefix == prefix)
}

/// The JSON pointer to a field.
pub(crate) fn pointer(field: &str) -> &'static str {
    static POINTERS: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    let pointers = POINTERS.get_or_init(|| {
        let fields = ENTITIES.iter().flat_map(|entity| entity.all_fields());
        fields.map(|field| (field.name, format!("/{}", field.name))).collect()
    });
    pointers.get(field).map_or("", String::as_str)
}

/// A label: staff put it on customers, services, tickets …
pub(crate) const LABEL: Entity = Entity {
    name: "label",
    path: "labels",
    table: "label",
    prefix: "lbl",
    permission: "labels",
    unique: &[Unique::within(&["kind", "name"])],
    fields: &[
        Field::new(
            "name",
            Kind::Text(60),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new("colour", Kind::Text(7), Flags::WRITABLE.and(Flags::LISTED)),
        Field::new(
            "kind",
            Kind::Choice(&["customer", "service", "device"]),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::LISTED),
        ),
        Field::new("description", Kind::LongText(500), Flags::WRITABLE.and(Flags::SEARCHED)),
    ],
    hooks: Hooks { check: check_label, ..Hooks::NONE },
    ..Entity::PLAIN
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
    permission: "customers",
    title: "label_id",
    unique: &[Unique::within(&["customer_id", "label_id"])],
    fields: &[
        Field::new("customer_id", Kind::Reference("cus", "customer"), NAMED),
        Field::new("label_id", Kind::Reference("lbl", "label"), NAMED),
    ],
    ..Entity::PLAIN
};

/// A record that another one is about.
const NAMED: Flags = Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::FILTERABLE).and(Flags::LISTED);
