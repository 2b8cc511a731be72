//! Who is signed in. Cookies are 256 random bits, kept as SHA-256.

use std::net::IpAddr;

use daemon::secrets::{random_token, sha256};
use model::{OrganisationId, Secret, StaffId, StaffSessionId, Ts};
use serde::Serialize;
use store::args;

use super::{Rights, TOUCH_S, Visitor, allow_list, role_rights, rules, touch};
use crate::domain::actor::Who;
use crate::domain::{Actor, Fault, Office, Unit};
use crate::store::access as sql;

/// Characters of a browser's name for itself that are kept.
const USER_AGENT_CHARACTERS: usize = 200;

/// Somebody who is signed in.
pub(crate) struct Session {
    pub(crate) id: StaffSessionId,
    pub(crate) actor: Actor,
    /// The name of whoever really sits there, where somebody acts as another.
    pub(crate) impersonator: Option<String>,
    /// The language they read.
    pub(crate) locale: String,
    /// A zone of their own, where they have one.
    pub(crate) zone: Option<String>,
}

/// The session behind a cookie.
pub(crate) async fn by_cookie(
    office: &Office,
    cookie: &str,
    address: IpAddr,
) -> Result<Session, Fault> {
    let now = office.now();
    let hash = sha256(cookie.as_bytes()).to_vec();
    let row = office.db.fetch_optional(&sql::FIND_SESSION, args![hash, now]).await?;
    let row = row.ok_or(Fault::Unauthenticated)?;
    let impersonator: Option<StaffId> = row.get("impersonator_id")?;
    // The list of whoever sits there: where they act as another, their own.
    let list = if impersonator.is_some() { "impersonator_allow_list" } else { "allow_list" };
    let organisation: OrganisationId = row.get("organisation_id")?;
    let seat: Option<OrganisationId> = row.get("impersonator_organisation_id")?;
    let (created_at, seen_at): (Ts, Ts) = (row.get("created_at")?, row.get("seen_at")?);
    let rules = rules::of(office, seat.unwrap_or(organisation)).await?;
    if !allow_list::admits(&row.get(list)?, address)
        || !rules.admits(address)
        || !rules.lives(created_at, seen_at, now)
    {
        return Err(Fault::Unauthenticated);
    }
    // Acting as another lasts no longer than their own sessions do.
    let theirs = rules::of(office, organisation).await?;
    if seat.is_some() && !theirs.lives(created_at, seen_at, now) {
        return Err(Fault::Unauthenticated);
    }
    let mut rights = role_rights(row.get("permissions")?);
    if impersonator.is_some() {
        // Whatever was changed meanwhile, acting as another never adds a right.
        let own: Rights = role_rights(row.get("impersonator_permissions")?);
        if !own.has("staff.impersonate") {
            return Err(Fault::Unauthenticated);
        }
        rights = rights.within(&own);
    }
    let id: StaffSessionId = row.get("id")?;
    let old = now.plus_seconds(-TOUCH_S);
    if seen_at < old {
        touch(office.db.execute(&sql::TOUCH_SESSION, args![id, now, old]).await);
    }
    let actor = Actor {
        who: Who::Staff(row.get("staff_id")?),
        name: row.get("name")?,
        organisation,
        path: row.get("path")?,
        rights,
        address: Some(address),
        owner: None,
        impersonator,
        idempotency: None,
        request_id: None,
    };
    Ok(Session {
        id,
        actor,
        impersonator: row.get("impersonator")?,
        locale: row.get("locale")?,
        zone: row.get("zone")?,
    })
}

/// Begins a session; returns its cookie. `behind`: who really sits there, and their session.
pub(crate) async fn begin(
    unit: &mut Unit<'_>,
    staff: StaffId,
    visitor: &Visitor,
    behind: Option<(StaffId, StaffSessionId)>,
    lifetime_s: i64,
) -> Result<Secret<String>, Fault> {
    let cookie = random_token("lms_");
    let user_agent: String = visitor
        .user_agent
        .chars()
        .filter(|c| !c.is_control())
        .take(USER_AGENT_CHARACTERS)
        .collect();
    let args = args![
        StaffSessionId::generate(),
        staff,
        sha256(cookie.expose().as_bytes()).to_vec(),
        unit.now,
        unit.now.plus_seconds(lifetime_s),
        visitor.address.to_canonical().to_string(),
        user_agent,
        behind.map(|(impersonator, _)| impersonator),
        behind.map(|(_, session)| session)
    ];
    unit.execute(&sql::INSERT_SESSION, args).await?;
    Ok(cookie)
}

/// Ends a session, and the one behind it where it acts as another.
pub(crate) async fn end(office: &Office, session: StaffSessionId) -> Result<(), Fault> {
    office.db.execute(&sql::END_BOTH, args![session, office.now()]).await?;
    Ok(())
}

/// Ends all of somebody's sessions, one apart.
pub(crate) async fn end_others(
    unit: &mut Unit<'_>,
    staff: StaffId,
    keep: Option<StaffSessionId>,
) -> Result<u64, Fault> {
    let keep = keep.unwrap_or(StaffSessionId(uuid::Uuid::nil()));
    Ok(unit.execute(&sql::END_OTHERS, args![staff, keep, unit.now]).await?)
}

/// A session as its owner sees it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: StaffSessionId,
    pub(crate) created_at: Ts,
    pub(crate) seen_at: Ts,
    pub(crate) expires_at: Ts,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub(crate) current: bool,
}

/// Somebody's live sessions, the latest used first.
pub(crate) async fn list(
    office: &Office,
    organisation: OrganisationId,
    staff: StaffId,
    current: Option<StaffSessionId>,
) -> Result<Vec<View>, Fault> {
    let now = office.now();
    let rules = rules::of(office, organisation).await?;
    let (idle, old) = (now.plus_seconds(-rules.idle_s), now.plus_seconds(-rules.lifetime_s));
    let args = args![staff, now, idle, old];
    let rows = office.db.fetch_all(&sql::LIST_SESSIONS, args).await?;
    let view = |row: &store::Row| {
        let id = row.get("id")?;
        Ok(View {
            id,
            created_at: row.get("created_at")?,
            seen_at: row.get("seen_at")?,
            expires_at: row.get("expires_at")?,
            address: row.get("address")?,
            user_agent: row.get("user_agent")?,
            current: current == Some(id),
        })
    };
    Ok(rows.iter().map(view).collect::<Result<_, store::StoreError>>()?)
}
