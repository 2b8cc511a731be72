//! What those who look after staff do: links to set a password with, disabling, roles, acting
//! as another.
//!
//! Nobody touches somebody who has more rights than they have, and somebody of the root
//! organisation can always do everything.

use daemon::secrets::{random_token, sha256};
use model::{OrganisationId, RoleId, Secret, StaffId, StaffSessionId, Ts};
use serde_json::{Value, json};
use store::args;

use super::{Rights, Visitor, account, role, role_rights, session};
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::entity::Action;
use crate::store::access as sql;
use crate::store::identity_provider;

/// How long one may act as another, seconds.
const IMPERSONATION_S: i64 = 3600;
/// Staff whose role is changed at once, at most.
pub(crate) const ASSIGNED_MAX: usize = 500;

/// A member of staff whom the actor may touch.
struct Target {
    id: StaffId,
    organisation: OrganisationId,
    path: String,
    name: String,
    email: String,
    status: String,
    role: Option<RoleId>,
    rights: Rights,
    /// Whether they have one.
    second_factor: bool,
    version: i64,
}

impl Target {
    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "status": self.status,
            "role_id": self.role,
        })
    }

    /// Records what was done to them.
    async fn note(
        &self,
        unit: &mut Unit<'_>,
        kind: &str,
        before: Option<Value>,
    ) -> Result<(), Fault> {
        let (entity_id, payload) = (self.id.to_string(), self.view());
        let event = Event { kind, entity_id, payload, policy: &[] };
        unit.record(self.organisation, event, before).await
    }
}

/// Reads a member of staff of the subtree; one who has more rights than the actor is refused.
async fn target(unit: &mut Unit<'_>, id: StaffId) -> Result<Target, Fault> {
    role::lock(unit).await?;
    let args = args![unit.actor.path.as_str(), id];
    let row = unit.fetch_optional(&sql::LOAD_STAFF, args).await?;
    let row = row.ok_or(Fault::NotFound("staff"))?;
    let target = Target {
        id,
        organisation: row.get("organisation_id")?,
        path: row.get("path")?,
        name: row.get("name")?,
        email: row.get("email")?,
        status: row.get("status")?,
        role: row.get("role_id")?,
        rights: role_rights(row.get("permissions")?),
        second_factor: row.get::<Option<Ts>>("totp_confirmed_at")?.is_some(),
        version: row.get("version")?,
    };
    role::within(unit.actor, &target.rights)?;
    Ok(target)
}

/// Nobody changes how another proves who they are while acting as a third.
fn own_hands(actor: &Actor) -> Result<(), Fault> {
    if actor.impersonator.is_some() {
        let detail = "not while acting as somebody else".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    Ok(())
}

/// Makes a link to set a password with, for an invitation or a reset. The password there is
/// stays good until the link is used. It is mailed to them where mail can be sent.
pub(crate) async fn reset_password(
    office: &Office,
    actor: &Actor,
    id: StaffId,
) -> Result<(Secret<String>, Ts), Fault> {
    own_hands(actor)?;
    let mut unit = Unit::begin(office, actor).await?;
    let target = target(&mut unit, id).await?;
    let link = account::make_link(&mut unit, id).await?;
    target.note(&mut unit, "staff.link_issued", None).await?;
    let (token, until) = &link;
    crate::mail::letters::password_link(&mut unit, id, token, *until).await?;
    unit.commit().await?;
    Ok(link)
}

/// What is done to a member of staff besides changing their fields.
pub(crate) const ACTIONS: &[Action] = &[
    Action {
        name: "disable",
        permission: "staff.edit",
        harms: true,
        applies: |staff| staff["status"] == "active",
        run: |unit, id, expected, _| Box::pin(set_active(unit, StaffId(id), expected, false)),
        ..Action::PLAIN
    },
    Action {
        name: "enable",
        permission: "staff.edit",
        applies: |staff| staff["status"] == "disabled",
        run: |unit, id, expected, _| Box::pin(set_active(unit, StaffId(id), expected, true)),
        ..Action::PLAIN
    },
    Action {
        name: "unlock",
        permission: "staff.edit",
        applies: |staff| staff["status"] == "active",
        run: |unit, id, expected, _| Box::pin(unlock(unit, StaffId(id), expected)),
        ..Action::PLAIN
    },
    Action {
        name: "end-sessions",
        permission: "staff.edit",
        harms: true,
        applies: |staff| staff["status"] == "active",
        run: |unit, id, expected, _| Box::pin(end_sessions(unit, StaffId(id), expected)),
        ..Action::PLAIN
    },
    Action {
        name: "forget-providers",
        permission: "staff.edit",
        harms: true,
        run: |unit, id, expected, _| Box::pin(forget_providers(unit, StaffId(id), expected)),
        ..Action::PLAIN
    },
    Action {
        name: "reset-second-factor",
        permission: "staff.edit",
        harms: true,
        applies: |staff| !staff["totp_confirmed_at"].is_null(),
        run: |unit, id, expected, _| Box::pin(reset_second_factor(unit, StaffId(id), expected)),
        ..Action::PLAIN
    },
];

/// As [`target`], if they are still at the version the caller saw.
async fn expected_target(
    unit: &mut Unit<'_>,
    id: StaffId,
    expected: Option<i64>,
) -> Result<Target, Fault> {
    let target = target(unit, id).await?;
    match expected {
        Some(expected) if expected != target.version => Err(Fault::Stale),
        _ => Ok(target),
    }
}

/// Takes somebody's second factor away, who lost it.
async fn reset_second_factor(
    unit: &mut Unit<'_>,
    id: StaffId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    own_hands(unit.actor)?;
    let target = expected_target(unit, id, expected).await?;
    if !target.second_factor {
        return Ok(());
    }
    account::clear_second_factor(unit, id).await?;
    session::end_others(unit, id, None).await?;
    target.note(unit, "staff.second_factor_disabled", None).await
}

/// No identity provider knows somebody any more: the next sign-in through one goes by the e-mail
/// address again, as the first did.
async fn forget_providers(
    unit: &mut Unit<'_>,
    id: StaffId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    own_hands(unit.actor)?;
    let target = expected_target(unit, id, expected).await?;
    if unit.execute(&identity_provider::FORGET_SUBJECTS, args![id]).await? == 0 {
        return Ok(());
    }
    session::end_others(unit, id, None).await?;
    target.note(unit, "staff.unlinked", None).await
}

/// Forgets what was failed at in somebody's name, so that nobody waits for it.
async fn unlock(unit: &mut Unit<'_>, id: StaffId, expected: Option<i64>) -> Result<(), Fault> {
    let target = expected_target(unit, id, expected).await?;
    unit.execute(&sql::UNLOCK, args![id]).await?;
    unit.forgive(id, &target.email);
    target.note(unit, "staff.unlocked", None).await
}

/// Lets somebody sign in no more, or again.
async fn set_active(
    unit: &mut Unit<'_>,
    id: StaffId,
    expected: Option<i64>,
    active: bool,
) -> Result<(), Fault> {
    let mut target = expected_target(unit, id, expected).await?;
    let (status, kind) =
        if active { ("active", "staff.enabled") } else { ("disabled", "staff.disabled") };
    if target.status == status {
        return Ok(());
    }
    let before = target.view();
    let args = args![unit.actor.path.as_str(), id, status, unit.now, unit.actor.label()];
    if unit.execute(&sql::SET_STATUS, args).await? != 1 {
        return Err(Fault::NotFound("staff"));
    }
    if !active {
        lock_out(unit, id).await?;
        role::keep_an_administrator(unit).await?;
    }
    target.status = status.to_owned();
    target.note(unit, kind, Some(before)).await
}

/// Ends everything that lets somebody in.
pub(crate) async fn lock_out(unit: &mut Unit<'_>, id: StaffId) -> Result<(), Fault> {
    session::end_others(unit, id, None).await?;
    unit.execute(&sql::END_LINKS, args![id, unit.now]).await?;
    unit.execute(&sql::DELETE_CHALLENGES, args![id, unit.now]).await?;
    Ok(())
}

/// The live sessions of somebody.
pub(crate) async fn sessions(
    office: &Office,
    actor: &Actor,
    id: StaffId,
) -> Result<Vec<session::View>, Fault> {
    let args = args![actor.path.as_str(), id];
    let row = office.db.fetch_optional(&sql::LOAD_STAFF, args).await?;
    let organisation = row.ok_or(Fault::NotFound("staff"))?.get("organisation_id")?;
    session::list(office, organisation, id, None).await
}

/// Ends all sessions of somebody.
async fn end_sessions(
    unit: &mut Unit<'_>,
    id: StaffId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    let target = expected_target(unit, id, expected).await?;
    if session::end_others(unit, id, None).await? == 0 {
        return Ok(());
    }
    target.note(unit, "staff.sessions_ended", None).await
}

/// Ends one session of somebody.
pub(crate) async fn end_session(
    office: &Office,
    actor: &Actor,
    id: StaffId,
    session: StaffSessionId,
) -> Result<(), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let target = target(&mut unit, id).await?;
    let now = unit.now;
    if unit.execute(&sql::END_ONE, args![id, session, now]).await? == 0 {
        return Err(Fault::NotFound("session"));
    }
    target.note(&mut unit, "staff.sessions_ended", None).await?;
    unit.commit().await
}

/// Gives a role to many at once: all of them, or nobody where one cannot have it.
pub(crate) async fn assign(
    office: &Office,
    actor: &Actor,
    role_id: RoleId,
    staff: &[StaffId],
) -> Result<u64, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    role::lock(&mut unit).await?;
    let given = role::load(&mut unit, role_id).await?;
    role::within(actor, &given.rights())?;
    let mut changed = 0;
    for (n, id) in staff.iter().enumerate() {
        let missing = |fault| match fault {
            Fault::NotFound(_) => Fault::field(format!("/staff/{n}"), "there is no such record"),
            fault => fault,
        };
        let mut target = target(&mut unit, *id).await.map_err(missing)?;
        if target.role == Some(role_id) {
            continue;
        }
        // A role is that of one's own organisation or of one above it.
        let usable = args![target.path.as_str(), role_id];
        if unit.fetch_optional(&sql::USABLE_ROLE, usable).await?.is_none() {
            let detail = "this role is not one of their organisation";
            return Err(Fault::field(format!("/staff/{n}"), detail));
        }
        let before = target.view();
        let args = args![actor.path.as_str(), *id, role_id, unit.now, actor.label()];
        if unit.execute(&sql::SET_ROLE, args).await? != 1 {
            return Err(Fault::NotFound("staff"));
        }
        target.role = Some(role_id);
        target.note(&mut unit, "staff.role_changed", Some(before)).await?;
        changed += 1;
    }
    role::keep_an_administrator(&mut unit).await?;
    unit.commit().await?;
    Ok(changed)
}

/// Begins to act as somebody with fewer rights; the cookie of a session that ends by itself.
pub(crate) async fn impersonate(
    office: &Office,
    actor: &Actor,
    own: StaffSessionId,
    visitor: &Visitor,
    id: StaffId,
) -> Result<Secret<String>, Fault> {
    let staff = actor.in_person()?;
    actor.may("staff.impersonate")?;
    let refuse = |detail: &str| Fault::Conflict { pointer: "", detail: detail.to_owned() };
    let mut unit = Unit::begin(office, actor).await?;
    let target = target(&mut unit, id).await?;
    if id == staff {
        return Err(refuse("you are this member of staff already"));
    }
    if target.status != "active" {
        return Err(refuse("this member of staff is disabled"));
    }
    // In an organisation further down, the same permissions are fewer rights.
    if target.rights == actor.rights && target.path == actor.path {
        return Err(refuse("this member of staff may do as much as you"));
    }
    let cookie =
        session::begin(&mut unit, id, visitor, Some((staff, own)), IMPERSONATION_S).await?;
    target.note(&mut unit, "staff.impersonation_started", None).await?;
    unit.commit().await?;
    Ok(cookie)
}

/// Ends acting as another; a new cookie for one's own session.
pub(crate) async fn stop_impersonating(
    office: &Office,
    actor: &Actor,
    session: StaffSessionId,
) -> Result<Secret<String>, Fault> {
    if actor.impersonator.is_none() {
        return Err(Fault::NotFound("session"));
    }
    let mut unit = Unit::begin(office, actor).await?;
    let now = unit.now;
    unit.execute(&sql::END_SESSION, args![session, now]).await?;
    let row = unit.fetch_optional(&sql::PARENT_SESSION, args![session, now]).await?;
    let own: StaffSessionId = row.ok_or(Fault::Unauthenticated)?.get("id")?;
    let cookie = random_token("lms_");
    let hash = sha256(cookie.expose().as_bytes()).to_vec();
    if unit.execute(&sql::RENEW_SESSION, args![own, hash, now]).await? != 1 {
        return Err(Fault::Unauthenticated);
    }
    let entity_id = actor.label();
    let payload = json!({"id": entity_id, "name": actor.name});
    let event = Event { kind: "staff.impersonation_ended", entity_id, payload, policy: &[] };
    unit.record(actor.organisation, event, None).await?;
    unit.commit().await?;
    Ok(cookie)
}
