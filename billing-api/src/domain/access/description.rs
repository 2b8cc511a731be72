//! Roles, staff and tokens as described entities, with the rules of [`super`] as their hooks.

use model::RoleId;
use serde_json::Value;
use store::Row;

use super::permission::Rights;
use super::{allow_list, role, role_rights, scope, sign_in, staff, texts, token};
use crate::domain::{Fault, Input, Unit};
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Kind, Scope, Step, Unique, Verb, Verbs, Written,
};
use crate::store::organisation;

const NAME: Flags = Flags::REQUIRED
    .and(Flags::WRITABLE)
    .and(Flags::SORTABLE)
    .and(Flags::FILTERABLE)
    .and(Flags::SEARCHED)
    .and(Flags::LISTED);
const WRITABLE: Flags = Flags::WRITABLE;
const LISTED: Flags = Flags::LISTED;

/// A role: what its staff may do. Those of an organisation can be given by those below it.
pub(crate) const ROLE: Entity = Entity {
    name: "role",
    path: "roles",
    table: "role",
    prefix: "rol",
    scope: Scope::Inherited,
    permission: "roles",
    unique: &[Unique::within(&["name"])],
    fields: &[
        Field::new("name", Kind::Text(60), NAME),
        Field::new("description", Kind::LongText(500), WRITABLE.and(Flags::SEARCHED).and(LISTED)),
        Field::new(
            "permissions",
            Kind::Words(role::PATTERNS_MAX, 60),
            Flags::REQUIRED.and(WRITABLE),
        ),
        Field::new("second_factor", Kind::Flag, WRITABLE.and(Flags::FILLED).and(LISTED)),
        Field::new("template", Kind::Text(20), Flags::NONE),
    ],
    hooks: Hooks { check: check_role, before: before_role, after: after_role, ..Hooks::NONE },
    ..Entity::PLAIN
};

fn check_role(draft: &Draft, input: &mut Input) {
    if let Some(list) = draft.json("permissions") {
        role::check_patterns(&texts(list), "permissions", input);
    }
}

fn before_role<'a>(
    unit: &'a mut Unit<'_>,
    verb: Verb,
    draft: &'a mut Draft,
    before: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        role::lock(unit).await?;
        if let Some(row) = before {
            role::within(unit.actor, &role_rights(row.get("permissions")?))?;
            if verb == Verb::Deleted {
                role::refuse_in_use(unit, row.get("id")?).await?;
            }
        }
        if let Some(list) = draft.json("permissions") {
            role::within(unit.actor, &Rights::of(&texts(list)))?;
        }
        if verb == Verb::Created {
            draft.fill("second_factor", false);
        }
        Ok(())
    })
}

fn after_role<'a>(unit: &'a mut Unit<'_>, written: Written<'a>) -> Step<'a> {
    Box::pin(async move {
        if written.verb == Verb::Updated {
            role::keep_an_administrator(unit).await?;
        }
        Ok(())
    })
}

/// A member of staff. How they prove who they are is no field: there are actions for it.
pub(crate) const STAFF: Entity = Entity {
    name: "staff",
    path: "staff",
    table: "staff",
    prefix: "usr",
    permission: "staff",
    unique: &[Unique::everywhere(&["email"])],
    actions: staff::ACTIONS,
    fields: &[
        Field::new("name", Kind::Text(100), NAME.and(Flags::PERSONAL)),
        Field::new(
            "email",
            Kind::Email,
            Flags::REQUIRED
                .and(WRITABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::PERSONAL)
                .and(LISTED),
        ),
        Field::new(
            "role_id",
            Kind::Reference("rol", "role"),
            Flags::REQUIRED.and(WRITABLE).and(Flags::FILTERABLE).and(LISTED),
        ),
        Field::new("status", Kind::Choice(&["active", "disabled"]), LISTED.and(Flags::FILLED)),
        Field::new(
            "allow_list",
            Kind::Words(allow_list::ENTRIES_MAX, 60),
            WRITABLE.and(Flags::FILLED),
        ),
        Field::new("locale", Kind::Text(35), WRITABLE.and(Flags::FILLED)),
        Field::new("zone", Kind::Zone, WRITABLE),
        Field::new("must_change_password", Kind::Flag, WRITABLE.and(Flags::FILLED)),
        Field::new("totp_confirmed_at", Kind::Time, Flags::NONE),
        Field::new("password_changed_at", Kind::Time, Flags::NONE),
    ],
    hooks: Hooks { check: check_staff, before: before_staff, after: after_staff, ..Hooks::NONE },
    ..Entity::PLAIN
};

fn check_allow_list(draft: &Draft, input: &mut Input) {
    let list = draft.json("allow_list").map(texts).unwrap_or_default();
    for fault in list.into_iter().filter_map(allow_list::fault) {
        input.fault("allow_list", fault);
    }
}

fn check_staff(draft: &Draft, input: &mut Input) {
    check_allow_list(draft, input);
    let is_tag =
        |tag: &str| !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if draft.text("locale").is_some_and(|tag| !is_tag(tag)) {
        input.fault("locale", "is a language tag such as en or pt-BR");
    }
}

fn before_staff<'a>(
    unit: &'a mut Unit<'_>,
    verb: Verb,
    draft: &'a mut Draft,
    before: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        role::lock(unit).await?;
        if let Some(row) = before {
            let rights = rights_of(unit, row.get("role_id")?).await?;
            role::within(unit.actor, &rights)?;
        }
        if let Some(id) = draft.id("role_id") {
            let rights = rights_of(unit, Some(RoleId(id))).await?;
            role::within(unit.actor, &rights)?;
        }
        if let Some(email) = draft.text("email").map(sign_in::normal_email) {
            draft.set("email", email);
        }
        if verb == Verb::Created {
            // No password yet: the link of an invitation sets one.
            draft.fill("password_hash", "");
            let organisation = draft.organisation.unwrap_or(unit.actor.organisation);
            let home = unit.fetch_one(&organisation::FIND, store::args![organisation]).await?;
            draft.fill("locale", home.get::<String>("locale")?);
        }
        Ok(())
    })
}

/// What a role grants, whoever asks: a role the actor cannot see is not a reason to let them.
async fn rights_of(unit: &mut Unit<'_>, role: Option<RoleId>) -> Result<Rights, Fault> {
    let Some(role) = role else { return Ok(Rights::NONE) };
    let row = unit.fetch_optional(&crate::store::access::ROLE_PERMISSIONS, store::args![role]);
    let Some(row) = row.await? else { return Ok(Rights::NONE) };
    Ok(role_rights(row.get("permissions")?))
}

fn after_staff<'a>(unit: &'a mut Unit<'_>, written: Written<'a>) -> Step<'a> {
    Box::pin(async move {
        if matches!(written.verb, Verb::Deleted | Verb::Restored) {
            // Nothing from before the deletion opens anything after it.
            staff::lock_out(unit, model::StaffId(written.id)).await?;
            // Whom a provider means may be somebody new by then.
            let forget = &crate::store::identity_provider::FORGET_SUBJECTS;
            unit.execute(forget, store::args![written.id]).await?;
        }
        if matches!(written.verb, Verb::Updated | Verb::Deleted) {
            role::keep_an_administrator(unit).await?;
        }
        Ok(())
    })
}

/// An API token. It is created and rotated by actions, since its secret is shown once.
pub(crate) const TOKEN: Entity = Entity {
    name: "token",
    path: "tokens",
    table: "api_token",
    prefix: "tok",
    permission: "tokens",
    verbs: Verbs::UPDATE.and(Verbs::DELETE),
    fields: &[
        Field::new("name", Kind::Text(100), NAME),
        Field::new(
            "scopes",
            Kind::Words(role::PATTERNS_MAX, 60),
            Flags::REQUIRED.and(WRITABLE).and(LISTED),
        ),
        Field::new(
            "allow_list",
            Kind::Words(allow_list::ENTRIES_MAX, 60),
            WRITABLE.and(Flags::FILLED),
        ),
        Field::new("expires_at", Kind::Time, WRITABLE.and(LISTED)),
        Field::new("rate_per_minute", Kind::Integer(1, token::RATE_MAX), WRITABLE),
        Field::new("used_at", Kind::Time, LISTED),
        Field::new("previous_until", Kind::Time, Flags::NONE),
        Field::new("staff_id", Kind::Reference("usr", "staff"), Flags::FILTERABLE),
    ],
    hooks: Hooks { check: check_token, before: before_token, ..Hooks::NONE },
    ..Entity::PLAIN
};

fn check_token(draft: &Draft, input: &mut Input) {
    check_allow_list(draft, input);
    if let Some(scopes) = draft.json("scopes") {
        scope::check(scopes, input);
    }
}

fn before_token<'a>(
    unit: &'a mut Unit<'_>,
    _: Verb,
    draft: &'a mut Draft,
    before: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        let scopes: Option<Value> = before.map(|row| row.get("scopes")).transpose()?;
        for list in [scopes.as_ref(), draft.json("scopes")].into_iter().flatten() {
            role::within(unit.actor, &scope::rights(list))?;
        }
        Ok(())
    })
}
