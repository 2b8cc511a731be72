//! API tokens: 256 random bits, kept as SHA-256: nothing to guess, nothing to read from a stolen
//! database.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon::secrets::{random_token, sha256};
use model::{OrganisationId, Secret, StaffId, TokenId, Ts};
use serde_json::{Value, json};
use store::{Tx, args};

use super::description::TOKEN;
use super::scope::{self, FULL};
use super::{Rights, TOUCH_S, allow_list, role, role_rights, texts, touch};
use crate::domain::actor::Who;
use crate::domain::{Actor, Event, Fault, Input, Office, Unit};
use crate::entity::{Entity, search, write};
use crate::store::access as sql;

/// Requests a minute that one may ask for a token.
pub(crate) const RATE_MAX: i64 = 1_000_000;

static TOKENS: &Entity = &TOKEN;

/// The actor behind a bearer token, and the token's own limit where it has one, requests a
/// minute.
pub(crate) async fn prove(
    office: &Office,
    token: &str,
    address: IpAddr,
) -> Result<(Actor, Option<u32>), Fault> {
    let now = office.now();
    let hash = sha256(token.as_bytes());
    let find = async || {
        office.db.fetch_optional(&sql::FIND_TOKEN, args![hash.to_vec(), office.now()]).await
    };
    let found = office.proving.ask(&hash, find).await?;
    let row = Option::as_ref(&found).ok_or(Fault::Unauthenticated)?;
    if !allow_list::admits(&row.get("allow_list")?, address) {
        return Err(Fault::Unauthenticated);
    }
    let (rights, owner) = bounded(row)?;
    let id: TokenId = row.get("id")?;
    office.usage.count(id, now);
    let used_at: Option<Ts> = row.get("used_at")?;
    let old = now.plus_seconds(-TOUCH_S);
    if used_at.is_none_or(|at| at < old) {
        touch(office.db.execute(&sql::TOUCH_TOKEN, args![id, now, old]).await);
    }
    let rate: Option<i64> = row.get("rate_per_minute")?;
    let actor = Actor {
        who: Who::Token(id),
        name: row.get("name")?,
        organisation: row.get("organisation_id")?,
        path: row.get("path")?,
        rights,
        address: None,
        owner,
        impersonator: None,
        idempotency: None,
        request_id: None,
    };
    Ok((actor, rate.and_then(|rate| u32::try_from(rate).ok())))
}

/// What a token may do: its scopes, and never more than whoever made it may do now.
fn bounded(row: &store::Row) -> Result<(Rights, Option<StaffId>), Fault> {
    let rights = scope::rights(&row.get("scopes")?);
    let owner: Option<StaffId> = row.get("staff_id")?;
    if owner.is_none() {
        return Ok((rights, None));
    }
    let status: Option<String> = row.get("staff_status")?;
    if status.as_deref() != Some("active") {
        return Err(Fault::Unauthenticated);
    }
    Ok((rights.within(&role_rights(row.get("permissions")?)), owner))
}

/// What a token may do now, for work that is done for it later.
pub(super) async fn rights_now(office: &Office, id: TokenId) -> Result<Rights, Fault> {
    let args = args![id, office.now()];
    let row = office.db.fetch_optional(&sql::FIND_TOKEN_BY_ID, args).await?;
    Ok(bounded(&row.ok_or(Fault::Unauthenticated)?)?.0)
}

/// A token that is asked for.
pub(crate) struct New {
    name: String,
    scopes: Value,
    allow_list: Value,
    expires_at: Option<Ts>,
    rate_per_minute: Option<i64>,
}

impl New {
    /// Reads a body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let name = input.optional_text("name", 100).unwrap_or_default();
        if name.is_empty() {
            input.missing("name");
        }
        let none = || json!([]);
        let scopes = input.words("scopes", role::PATTERNS_MAX, 60).unwrap_or_else(none);
        let list = input.words("allow_list", allow_list::ENTRIES_MAX, 60).unwrap_or_else(none);
        let expires_at = input.parsed("expires_at");
        let rate_per_minute = input.number("rate_per_minute", 1, RATE_MAX);
        if !input.complained("scopes") {
            scope::check(&scopes, &mut input);
        }
        for fault in texts(&list).into_iter().filter_map(allow_list::fault) {
            input.fault("allow_list", fault);
        }
        input.finish()?;
        Ok(Self { name, scopes, allow_list: list, expires_at, rate_per_minute })
    }
}

/// Creates a token with at most the rights of whoever asks. It is returned once, and only its
/// hash is kept.
pub(crate) async fn create(
    office: &Office,
    actor: &Actor,
    new: New,
) -> Result<(TokenId, Secret<String>), Fault> {
    if actor.impersonator.is_some() {
        let detail = "not while acting as somebody else".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    role::within(actor, &scope::rights(&new.scopes))?;
    let mut unit = Unit::begin(office, actor).await?;
    if new.expires_at.is_some_and(|at| at <= unit.now) {
        return Err(Fault::field("/expires_at", "is in the past"));
    }
    let token = random_token("lmt_");
    let id = TokenId::generate();
    let owner = match actor.who {
        Who::Staff(id) => Some(id),
        _ => actor.owner,
    };
    let args = args![
        id,
        actor.organisation,
        new.name.as_str(),
        sha256(token.expose().as_bytes()).to_vec(),
        new.scopes.clone(),
        new.allow_list.clone(),
        owner,
        new.expires_at,
        unit.now,
        actor.label(),
        new.rate_per_minute
    ];
    unit.execute(&sql::INSERT_TOKEN, args).await?;
    let row = write::load(&mut unit, TOKENS, id.0, false).await?;
    search::note(&mut unit, TOKENS, id.0, &row, false).await?;
    let payload = json!({
        "id": id,
        "organisation_id": actor.organisation,
        "name": new.name,
        "scopes": new.scopes,
        "allow_list": new.allow_list,
        "expires_at": new.expires_at,
        "rate_per_minute": new.rate_per_minute,
        "staff_id": owner,
        "version": 1,
    });
    let entity_id = id.to_string();
    let event = Event { kind: "token.created", entity_id, payload, policy: &[] };
    unit.record(actor.organisation, event, None).await?;
    unit.commit().await?;
    Ok((id, token))
}

/// How long the token before a rotation stays good unless somebody asks otherwise, seconds.
pub(crate) const OVERLAP_S: i64 = 24 * 3600;
/// And at most.
pub(crate) const OVERLAP_S_MAX: i64 = 30 * 24 * 3600;

/// Gives a token a new secret, which is returned once; the old one stays good for a while.
/// `expected`: the version the caller saw, where it says so.
pub(crate) async fn rotate(
    office: &Office,
    actor: &Actor,
    id: TokenId,
    overlap_s: i64,
    expected: Option<i64>,
) -> Result<(Secret<String>, Ts), Fault> {
    if actor.impersonator.is_some() {
        let detail = "not while acting as somebody else".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let mut unit = Unit::begin(office, actor).await?;
    let row = unit.fetch_optional(&sql::LOAD_TOKEN, args![actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound("token"))?;
    let version: i64 = row.get("version")?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Fault::Stale);
    }
    // Whoever gets the secret can do what the token can.
    let scopes: Value = row.get("scopes")?;
    role::within(actor, &scope::rights(&scopes))?;
    let organisation: OrganisationId = row.get("organisation_id")?;
    let (name, old): (String, Vec<u8>) = (row.get("name")?, row.get("token_hash")?);
    let token = random_token("lmt_");
    let until = unit.now.plus_seconds(overlap_s);
    let hash = sha256(token.expose().as_bytes()).to_vec();
    let args = args![actor.path.as_str(), id, hash, until, unit.now, actor.label(), old];
    if unit.execute(&sql::ROTATE_TOKEN, args).await? != 1 {
        return Err(Fault::Stale);
    }
    let payload = json!({"id": id, "name": name, "scopes": scopes, "previous_until": until});
    let entity_id = id.to_string();
    let event = Event { kind: "token.rotated", entity_id, payload, policy: &[] };
    unit.record(organisation, event, None).await?;
    unit.commit().await?;
    Ok((token, until))
}

/// The version a token is at.
pub(crate) async fn version(office: &Office, actor: &Actor, id: TokenId) -> Result<i64, Fault> {
    let row = office.db.fetch_optional(&sql::LOAD_TOKEN, args![actor.path.as_str(), id]).await?;
    Ok(row.ok_or(Fault::NotFound("token"))?.get("version")?)
}

/// Days of usage that are shown.
const USAGE_DAYS: i64 = 31;

/// A token's requests by day, the latest first.
pub(crate) async fn usage(
    office: &Office,
    actor: &Actor,
    id: TokenId,
) -> Result<Vec<(String, i64)>, Fault> {
    let row = office.db.fetch_optional(&sql::LOAD_TOKEN, args![actor.path.as_str(), id]).await?;
    row.ok_or(Fault::NotFound("token"))?;
    let since = day(office.now().plus_seconds(-USAGE_DAYS * 24 * 3600));
    let args = args![actor.path.as_str(), id, since];
    let rows = office.db.fetch_all(&sql::LIST_USAGE, args).await?;
    let day = |row: &store::Row| Ok((row.get("day")?, row.get("requests")?));
    Ok(rows.iter().map(day).collect::<Result<_, store::StoreError>>()?)
}

/// The civil date of an instant, UTC.
fn day(at: Ts) -> String {
    at.to_string().chars().take(10).collect()
}

/// Requests per token and day that are not written yet. There are as many rows as tokens that
/// were used since the last writing: a token exists before it is counted.
#[derive(Default)]
pub(crate) struct Usage(Mutex<HashMap<(TokenId, String), i64>>);

impl Usage {
    /// Counts a request.
    fn count(&self, token: TokenId, now: Ts) {
        *self.lock().entry((token, day(now))).or_insert(0) += 1;
    }

    /// Takes what was counted.
    pub(crate) fn take(&self) -> Vec<(TokenId, String, i64)> {
        let rows = std::mem::take(&mut *self.lock());
        rows.into_iter().map(|((token, day), requests)| (token, day, requests)).collect()
    }

    /// A panic elsewhere leaves counts that are still counts.
    fn lock(&self) -> MutexGuard<'_, HashMap<(TokenId, String), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the first API token, with full rights; only its hash is kept.
pub(crate) async fn create_first(
    tx: &mut Tx,
    now: Ts,
    organisation: OrganisationId,
    token: &Secret<String>,
) -> Result<(), Fault> {
    let hash = sha256(token.expose().as_bytes()).to_vec();
    let (id, by) = (TokenId::generate(), "system:first_start");
    let (none, ever) = (None::<StaffId>, None::<Ts>);
    let scopes = json!([FULL]);
    let (name, rate) = ("first token", None::<i64>);
    let args = args![id, organisation, name, hash, scopes, json!([]), none, ever, now, by, rate];
    tx.execute(&sql::INSERT_TOKEN, args).await?;
    Ok(())
}
