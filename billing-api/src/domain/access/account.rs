//! What people do with their own account: password, second factor, sessions.
//!
//! Whoever changes how an account is proven types its password again, and nobody does it while
//! acting as another.

use daemon::secrets::{random_token, sha256};
use model::{LinkId, Secret, StaffId, StaffSessionId};
use serde_json::{Value, json};
use store::args;

use super::attempts::{of_address, of_own};
use super::sign_in::{Account, bound};
use super::{Rights, Visitor, password, recovery, rules, session, totp};
use crate::domain::actor::Who;
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::store::access as sql;

/// How long a link to set a password with is good, seconds.
const LINK_S: i64 = 3 * 24 * 3600;

/// A second factor that is being set up.
pub(crate) struct Enrolment {
    /// The key as people type it.
    pub(crate) key: Secret<String>,
    /// The key as an app reads it.
    pub(crate) uri: Secret<String>,
}

/// Who the caller is, and what they may do.
pub(crate) async fn me(office: &Office, actor: &Actor) -> Result<Value, Fault> {
    let mut view = json!({
        "id": actor.label(),
        "name": actor.name,
        "organisation_id": actor.organisation,
        "permissions": actor.rights.names().collect::<Vec<_>>(),
        "impersonator_id": actor.impersonator,
        "staff": null,
    });
    let staff = match (actor.who, actor.owner) {
        (Who::Staff(id), _) | (_, Some(id)) => id,
        _ => return Ok(view),
    };
    let account = Account::load(office, staff).await?;
    let left = codes_left(office, staff).await?;
    view["staff"] = account.view();
    view["staff"]["second_factor"] = json!(account.totp_confirmed);
    view["staff"]["recovery_codes_left"] = json!(left);
    Ok(view)
}

/// Recovery codes that are not used yet.
pub(crate) async fn codes_left(office: &Office, staff: StaffId) -> Result<i64, Fault> {
    Ok(office.db.fetch_one(&sql::COUNT_CODES, args![staff]).await?.get("codes")?)
}

/// The account of the actor, who typed its password again.
pub(crate) async fn prove(
    office: &Office,
    actor: &Actor,
    typed: Secret<String>,
) -> Result<Account, Fault> {
    let staff = actor.in_person()?;
    let account = Account::load(office, staff).await?;
    let count = [of_own(staff, rules::lockout(office).await?)];
    office.attempts.begin(&count, office.now()).map_err(Fault::TooMany)?;
    if !password::verify(office, typed, account.password_hash.clone()).await? {
        return Err(Fault::field("/password", "is not right"));
    }
    office.attempts.succeeded(&[], &count);
    Ok(account)
}

/// Records what somebody did with an account.
async fn note(unit: &mut Unit<'_>, account: &Account, kind: &str) -> Result<(), Fault> {
    let (entity_id, payload) = (account.id.to_string(), account.view());
    unit.record(account.organisation_id, Event { kind, entity_id, payload, policy: &[] }, None)
        .await
}

/// Checks a new password and hashes it.
pub(crate) async fn hash_new(
    office: &Office,
    account: &Account,
    new: Secret<String>,
) -> Result<String, Fault> {
    let (min, about) = (account.rules.password_characters_min, [&*account.email, &*account.name]);
    if let Some(fault) = password::fault(new.expose(), min, &about) {
        return Err(Fault::field("/new_password", fault));
    }
    if !account.password_hash.is_empty()
        && password::verify(office, new.clone(), account.password_hash.clone()).await?
    {
        return Err(Fault::field("/new_password", "is the one there was"));
    }
    password::hash(office, new).await
}

/// Puts a new password in place: other sessions end, and so do links that were made for one.
pub(crate) async fn set_password(
    unit: &mut Unit<'_>,
    account: &Account,
    hash: String,
    keep: Option<StaffSessionId>,
) -> Result<(), Fault> {
    let args = args![account.id, hash, unit.now, unit.actor.label()];
    if unit.execute(&sql::SET_PASSWORD, args).await? != 1 {
        return Err(Fault::Unauthenticated);
    }
    session::end_others(unit, account.id, keep).await?;
    unit.execute(&sql::END_LINKS, args![account.id, unit.now]).await?;
    note(unit, account, "staff.password_changed").await
}

/// Changes one's own password. `keep`: the session that asks.
pub(crate) async fn change_password(
    office: &Office,
    actor: &Actor,
    typed: Secret<String>,
    new: Secret<String>,
    keep: Option<StaffSessionId>,
) -> Result<(), Fault> {
    let account = prove(office, actor, typed).await?;
    let hash = hash_new(office, &account, new).await?;
    let mut unit = Unit::begin(office, actor).await?;
    set_password(&mut unit, &account, hash, keep).await?;
    unit.commit().await
}

/// A new key for the second factor, not in force yet.
pub(crate) async fn new_key(office: &Office, account: &Account) -> Result<Enrolment, Fault> {
    let key = totp::new_key();
    let sealed = office.keyring.seal(&bound(account.id), key.expose())?;
    if office.db.execute(&sql::SET_TOTP, args![account.id, sealed]).await? != 1 {
        let detail = "a second factor is in force; disable it first".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let text = Secret::new(totp::base32(key.expose()));
    Ok(Enrolment { key: text, uri: totp::uri(&key, &account.organisation, &account.email) })
}

/// Puts the new key into force, once a code shows that the app has it; the recovery codes.
pub(crate) async fn confirm_key(
    unit: &mut Unit<'_>,
    office: &Office,
    account: &Account,
    typed: &str,
) -> Result<Vec<Secret<String>>, Fault> {
    let conflict = |detail: &str| Fault::Conflict { pointer: "", detail: detail.to_owned() };
    if account.totp_confirmed {
        return Err(conflict("a second factor is in force"));
    }
    let key = account.totp_key(office)?;
    let key = key.ok_or_else(|| conflict("begin the set-up of the second factor first"))?;
    let wrong = || Fault::field("/code", "is not right; check the clock of the telephone");
    let step = totp::find_step(&key, typed, 0, unit.now).ok_or_else(wrong)?;
    let args = args![account.id, unit.now, step, unit.actor.label()];
    if unit.execute(&sql::CONFIRM_TOTP, args).await? != 1 {
        return Err(wrong());
    }
    let codes = recovery::renew(unit, account.id).await?;
    note(unit, account, "staff.second_factor_enabled").await?;
    Ok(codes)
}

/// Begins to set up a second factor.
pub(crate) async fn begin_second_factor(
    office: &Office,
    actor: &Actor,
    typed: Secret<String>,
) -> Result<Enrolment, Fault> {
    let account = prove(office, actor, typed).await?;
    new_key(office, &account).await
}

/// Completes it. `keep`: the session that asks; others end, because they were made without.
pub(crate) async fn confirm_second_factor(
    office: &Office,
    actor: &Actor,
    typed: &str,
    keep: Option<StaffSessionId>,
) -> Result<Vec<Secret<String>>, Fault> {
    let account = Account::load(office, actor.in_person()?).await?;
    let count = [of_own(account.id, rules::lockout(office).await?)];
    office.attempts.begin(&count, office.now()).map_err(Fault::TooMany)?;
    let mut unit = Unit::begin(office, actor).await?;
    let codes = confirm_key(&mut unit, office, &account, typed).await?;
    session::end_others(&mut unit, account.id, keep).await?;
    unit.commit().await?;
    office.attempts.succeeded(&[], &count);
    Ok(codes)
}

/// Takes one's second factor away, unless the role or the organisation demands one.
pub(crate) async fn disable_second_factor(
    office: &Office,
    actor: &Actor,
    typed: Secret<String>,
) -> Result<(), Fault> {
    let account = prove(office, actor, typed).await?;
    if account.second_factor {
        let by = if account.rules.second_factor { "organisation" } else { "role" };
        let detail = format!("this {by} demands a second factor");
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let mut unit = Unit::begin(office, actor).await?;
    clear_second_factor(&mut unit, account.id).await?;
    note(&mut unit, &account, "staff.second_factor_disabled").await?;
    unit.commit().await
}

/// Takes a second factor away, with its recovery codes.
pub(crate) async fn clear_second_factor(unit: &mut Unit<'_>, staff: StaffId) -> Result<(), Fault> {
    unit.execute(&sql::CLEAR_TOTP, args![staff, unit.now, unit.actor.label()]).await?;
    unit.execute(&sql::DELETE_CODES, args![staff]).await?;
    Ok(())
}

/// Makes another set of recovery codes.
pub(crate) async fn renew_codes(
    office: &Office,
    actor: &Actor,
    typed: Secret<String>,
) -> Result<Vec<Secret<String>>, Fault> {
    let account = prove(office, actor, typed).await?;
    if !account.totp_confirmed {
        let detail = "there is no second factor to recover".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let mut unit = Unit::begin(office, actor).await?;
    let codes = recovery::renew(&mut unit, account.id).await?;
    note(&mut unit, &account, "staff.recovery_codes_renewed").await?;
    unit.commit().await?;
    Ok(codes)
}

/// Ends one of one's own sessions.
pub(crate) async fn end_session(
    office: &Office,
    actor: &Actor,
    id: StaffSessionId,
) -> Result<(), Fault> {
    let args = args![actor.in_person()?, id, office.now()];
    match office.db.execute(&sql::END_OWN, args).await? {
        0 => Err(Fault::NotFound("session")),
        _ => Ok(()),
    }
}

/// Ends one's other sessions; how many.
pub(crate) async fn end_other_sessions(
    office: &Office,
    actor: &Actor,
    keep: Option<StaffSessionId>,
) -> Result<u64, Fault> {
    let account = Account::load(office, actor.in_person()?).await?;
    let mut unit = Unit::begin(office, actor).await?;
    let ended = session::end_others(&mut unit, account.id, keep).await?;
    note(&mut unit, &account, "staff.sessions_ended").await?;
    unit.commit().await?;
    Ok(ended)
}

/// Makes a link to set a password with; links from before are good for nothing any more.
pub(crate) async fn make_link(
    unit: &mut Unit<'_>,
    staff: StaffId,
) -> Result<(Secret<String>, model::Ts), Fault> {
    unit.execute(&sql::END_LINKS, args![staff, unit.now]).await?;
    let token = random_token("lml_");
    let (hash, expires_at) =
        (sha256(token.expose().as_bytes()).to_vec(), unit.now.plus_seconds(LINK_S));
    let args = args![LinkId::generate(), staff, hash, unit.now, unit.actor.label(), expires_at];
    unit.execute(&sql::INSERT_LINK, args).await?;
    Ok((token, expires_at))
}

/// Whose link it is.
pub(crate) async fn of_link(
    office: &Office,
    visitor: &Visitor,
    token: &str,
) -> Result<(LinkId, Account), Fault> {
    let now = office.now();
    let count = [of_address(visitor.address)];
    office.attempts.begin(&count, now).map_err(Fault::TooMany)?;
    let hash = sha256(token.as_bytes()).to_vec();
    let row = office.db.fetch_optional(&sql::FIND_LINK, args![hash, now]).await?;
    let row = row.ok_or(Fault::NotFound("link"))?;
    office.attempts.succeeded(&count, &[]);
    Ok((row.get("id")?, Account::load(office, row.get("staff_id")?).await?))
}

/// Sets a password by a link. It signs nobody in: what else is due at sign-in stays due.
pub(crate) async fn use_link(
    office: &Office,
    visitor: &Visitor,
    token: &str,
    new: Secret<String>,
) -> Result<(), Fault> {
    let (link, account) = of_link(office, visitor, token).await?;
    let hash = hash_new(office, &account, new).await?;
    // For the record: they act for themselves, with no right beyond that.
    let actor = Actor { rights: Rights::NONE, ..account.actor() };
    let mut unit = Unit::begin(office, &actor).await?;
    if unit.execute(&sql::USE_LINK, args![link, unit.now]).await? != 1 {
        return Err(Fault::NotFound("link"));
    }
    unit.execute(&sql::DELETE_BROWSERS, args![account.id]).await?;
    set_password(&mut unit, &account, hash, None).await?;
    unit.commit().await
}
