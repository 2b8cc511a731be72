//! Groups and templates of RADIUS attributes, and realms.

use model::policy::Key;
use model::{OrganisationId, RadiusGroupId, RealmId};
use store::{Row, args};

use super::{Fault, Input, Unit, rules};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Scope, Unique, Verb, Written,
};
use crate::store::rules as sql;

/// What people know a record by.
const NAME: Flags = Flags::REQUIRED
    .and(Flags::WRITABLE)
    .and(Flags::SORTABLE)
    .and(Flags::FILTERABLE)
    .and(Flags::SEARCHED)
    .and(Flags::LISTED);

const DESCRIPTION: Field =
    Field::new("description", Kind::LongText(500), Flags::WRITABLE.and(Flags::SEARCHED));

/// The order of a group unless it is said: room before and behind.
const PRIORITY: i64 = 100;

/// A group: attributes that services share. Its name is what services and plans name it by, so it
/// stays.
pub(crate) const RADIUS_GROUP: Entity = Entity {
    name: "radius_group",
    path: "radius-groups",
    table: "radius_group",
    prefix: RadiusGroupId::PREFIX,
    scope: Scope::Inherited,
    permission: "network",
    module: Some("network.routers"),
    unique: &[Unique::within(&["name"])],
    actions: &[APPLY],
    fields: &[
        Field::new("name", Kind::Text(100), NAME.and(Flags::ONCE)),
        Field::new(
            "priority",
            Kind::Integer(1, 10_000),
            Flags::WRITABLE.and(Flags::FILLED).and(Flags::LISTED),
        ),
        DESCRIPTION,
        Field { flags: Flags::WRITABLE.and(Flags::LISTED), ..rules::REPLY },
        Field { flags: Flags::WRITABLE.and(Flags::LISTED), ..rules::CHECK },
    ],
    hooks: Hooks {
        check: rules::check,
        before: |unit, verb, draft, row| Box::pin(before_group(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after_group(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static GROUP: &Entity = &RADIUS_GROUP;

const APPLY: Action = Action {
    permission: "network.edit",
    run: |unit, id, expected, arguments| {
        Box::pin(rules::apply_template(unit, GROUP, id, expected, arguments))
    },
    ..rules::APPLY
};

async fn before_group(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if verb == Verb::Created {
        draft.fill("priority", PRIORITY);
    }
    if let (Verb::Deleted, Some(row)) = (verb, row) {
        let id: RadiusGroupId = row.get("id")?;
        let used = unit.fetch_one(&sql::GROUP_IN_USE, args![id.to_string()]).await?;
        let (services, plans): (i64, i64) = (used.get("services")?, used.get("plans")?);
        if services + plans > 0 {
            let detail = format!(
                "services ({services}) or plans ({plans}) are in it; take it from them first"
            );
            return Err(Fault::Conflict { pointer: "", detail });
        }
    }
    Ok(())
}

async fn after_group(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    unit.policy(Key::Group(RadiusGroupId(written.id)));
    Ok(())
}

/// A template: attributes to begin with. What it is applied to gets its lines and goes its own
/// way; what is to change together belongs into a group.
pub(crate) const ATTRIBUTE_TEMPLATE: Entity = Entity {
    name: "attribute_template",
    path: "attribute-templates",
    table: "attribute_template",
    prefix: "atp",
    scope: Scope::Inherited,
    permission: "network",
    module: Some("network.routers"),
    unique: &[Unique::within(&["name"])],
    fields: &[
        Field::new("name", Kind::Text(100), NAME),
        Field { flags: DESCRIPTION.flags.and(Flags::LISTED), ..DESCRIPTION },
        Field { flags: Flags::WRITABLE.and(Flags::LISTED), ..rules::REPLY },
        rules::CHECK,
    ],
    hooks: Hooks { check: rules::check, ..Hooks::NONE },
    ..Entity::PLAIN
};

/// A realm: whose login it is that stands beside it.
pub(crate) const REALM: Entity = Entity {
    name: "realm",
    path: "realms",
    table: "realm",
    prefix: RealmId::PREFIX,
    permission: "network",
    module: Some("network.routers"),
    unique: &[Unique::everywhere(&["name"])],
    fields: &[
        Field::new("name", Kind::Text(REALM_CHARACTERS_MAX), NAME),
        Field::new("strip", Kind::Flag, Flags::WRITABLE.and(Flags::FILLED).and(Flags::LISTED)),
        DESCRIPTION,
    ],
    hooks: Hooks {
        check: check_realm,
        before: |unit, verb, draft, row| Box::pin(before_realm(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after_realm(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

/// Longest realm: a domain name's length (RFC 1035 §2.3.4).
const REALM_CHARACTERS_MAX: usize = 253;

fn check_realm(draft: &Draft, input: &mut Input) {
    let Some(name) = draft.text("name") else { return };
    if name.chars().any(|c| c.is_whitespace() || c.is_control() || "@/\\".contains(c)) {
        input.fault(
            "name",
            "is what stands beside a login, such as partner.example, without @ / \\",
        );
    } else if name.len() > REALM_CHARACTERS_MAX {
        input.fault("name", format!("has at most {REALM_CHARACTERS_MAX} octets"));
    }
}

async fn before_realm(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if let Some(name) = draft.text("name") {
        let name = name.to_ascii_lowercase();
        draft.set("name", name);
    }
    if verb == Verb::Created {
        draft.fill("strip", true);
    }
    // Whoever owns a realm owns every name with it: it must not take others' logins from them.
    let name: String = match (draft.text("name").map(str::to_owned), row) {
        (Some(name), _) => name,
        (None, Some(row)) if verb == Verb::Restored => row.get("name")?,
        _ => return Ok(()),
    };
    let home: OrganisationId = match (draft.organisation, row) {
        (Some(organisation), _) => organisation,
        (None, Some(row)) => row.get("organisation_id")?,
        (None, None) => unit.actor.organisation,
    };
    let others: i64 =
        unit.fetch_one(&sql::LOGINS_OF_OTHERS, args![home, name]).await?.get("logins")?;
    if others > 0 {
        let detail = "another organisation's logins bear it".to_owned();
        return Err(Fault::Conflict { pointer: "/name", detail });
    }
    Ok(())
}

async fn after_realm(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    unit.policy(Key::Realm(RealmId(written.id)));
    Ok(())
}

/// Realms are told again which organisations they reach: one was created, moved or deleted. All
/// of them: they are few, and a move concerns those it leaves, too.
pub(crate) async fn realms_reach_anew(unit: &mut Unit<'_>) -> Result<(), Fault> {
    for row in unit.fetch_all(&sql::REALMS, args![]).await? {
        unit.policy(Key::Realm(row.get("id")?));
    }
    Ok(())
}
