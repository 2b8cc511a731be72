//! Staff signing in and out.
//!
//! Cookies are 256 random bits, kept as SHA-256. Passwords are kept as argon2id (RFC 9106) with
//! the library's recommended cost.

use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use daemon::secrets::{random_token, sha256};
use model::{OrganisationId, RoleId, Secret, StaffId, StaffSessionId, Ts};
use store::{Tx, args};

use super::{Rights, TOUCH_S, texts, touch};
use crate::domain::actor::Who;
use crate::domain::{Actor, Fault, Office};
use crate::store::access as sql;

/// A session not used for this long is over, seconds.
const IDLE_S: i64 = 8 * 3600;
/// A session is over after this, used or not, seconds.
const LIFETIME_S: i64 = 7 * 24 * 3600;
/// How long a sign-in waits for its turn to hash before it is sent away.
const HASH_WAIT: Duration = Duration::from_secs(5);

/// Creates the first member of staff.
pub(crate) async fn create_first(
    tx: &mut Tx,
    now: Ts,
    organisation: OrganisationId,
    role: RoleId,
    email: &str,
    password_hash: String,
) -> Result<(), Fault> {
    let id = StaffId::generate();
    let email = email.trim().to_lowercase();
    let (name, by) = ("Administrator", "system:first_start");
    let args = args![id, organisation, email, name, password_hash, "en", role, now, by];
    tx.execute(&sql::INSERT_STAFF, args).await?;
    Ok(())
}

/// Signs in and returns the cookie's value. An unknown address takes as long as a wrong
/// password, and is told the same.
pub(crate) async fn sign_in(
    office: &Office,
    email: &str,
    password: Secret<String>,
) -> Result<Secret<String>, Fault> {
    let email: String = email.trim().to_lowercase().chars().filter(|c| !c.is_control()).collect();
    let row = office.db.fetch_optional(&sql::FIND_STAFF, args![email]).await?;
    let (staff, hash): (Option<StaffId>, String) = match &row {
        Some(row) => (Some(row.get("id")?), row.get("password_hash")?),
        None => (None, DUMMY_HASH.to_owned()),
    };
    let right = verify_password(office, password, hash).await?;
    let staff = staff.filter(|_| right).ok_or(Fault::Unauthenticated)?;
    let cookie = random_token("lms_");
    let now = office.now();
    office
        .db
        .execute(
            &sql::INSERT_SESSION,
            args![
                StaffSessionId::generate(),
                staff,
                sha256(cookie.expose().as_bytes()).to_vec(),
                now,
                now.plus_seconds(LIFETIME_S)
            ],
        )
        .await?;
    Ok(cookie)
}

/// The member of staff behind a cookie, and their session.
pub(crate) async fn by_cookie(
    office: &Office,
    cookie: &str,
) -> Result<(Actor, StaffSessionId), Fault> {
    let now = office.now();
    let hash = sha256(cookie.as_bytes()).to_vec();
    let args = args![hash, now, now.plus_seconds(-IDLE_S)];
    let row = office.db.fetch_optional(&sql::FIND_SESSION, args).await?;
    let row = row.ok_or(Fault::Unauthenticated)?;
    let session: StaffSessionId = row.get("id")?;
    let seen_at: Ts = row.get("seen_at")?;
    let old = now.plus_seconds(-TOUCH_S);
    if seen_at < old {
        touch(office.db.execute(&sql::TOUCH_SESSION, args![session, now, old]).await);
    }
    let permissions: Option<serde_json::Value> = row.get("permissions")?;
    let actor = Actor {
        who: Who::Staff(row.get("staff_id")?),
        name: row.get("name")?,
        organisation: row.get("organisation_id")?,
        path: row.get("path")?,
        rights: permissions.map_or(Rights::NONE, |list| Rights::of(&texts(&list))),
        idempotency: None,
        request_id: None,
    };
    Ok((actor, session))
}

/// Ends a session.
pub(crate) async fn sign_out(office: &Office, session: StaffSessionId) -> Result<(), Fault> {
    office.db.execute(&sql::END_SESSION, args![session, office.now()]).await?;
    Ok(())
}

/// A well-formed hash nothing matches, so that an unknown address costs the same.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bGFzdG1pbGUtbm9ib2R5$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password, when it is its turn.
pub(crate) async fn hash_password(
    office: &Office,
    password: Secret<String>,
) -> Result<String, Fault> {
    let _turn = turn(office).await?;
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.expose().as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| error.to_string())
    });
    hashed.await.map_err(|e| Fault::Internal(Box::new(e)))?.map_err(|e| Fault::Internal(e.into()))
}

async fn verify_password(
    office: &Office,
    password: Secret<String>,
    hash: String,
) -> Result<bool, Fault> {
    let _turn = turn(office).await?;
    let verified = tokio::task::spawn_blocking(move || {
        let Ok(hash) = PasswordHash::new(&hash) else { return false };
        Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
    });
    verified.await.map_err(|e| Fault::Internal(Box::new(e)))
}

/// Few passwords are hashed at once, so that a flood of sign-ins cannot take the machine.
async fn turn(office: &Office) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
    match tokio::time::timeout(HASH_WAIT, office.hashing.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Fault::TooMany(HASH_WAIT.as_secs() as u32)),
    }
}
