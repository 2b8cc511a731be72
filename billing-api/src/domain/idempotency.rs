//! Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): a request that is sent again
//! gets the first answer, and does nothing.
//!
//! The answer is written by [`super::Unit::commit`] in the transaction of what it answers, so
//! there is never one without the other. Requests that were refused leave nothing: they may be
//! corrected and sent under the same key.

use daemon::secrets::sha256;
use serde_json::Value;
use store::args;

use super::{Actor, Fault, Office};
use crate::store::idempotency as sql;

/// Longest key, characters.
const KEY_CHARACTERS_MAX: usize = 255;
/// How long answers are kept, seconds.
pub(crate) const KEPT_S: i64 = 48 * 3600;

/// The key of a request, and what the request was.
#[derive(Debug, Clone)]
pub(crate) struct Idempotency {
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
}

/// An answer that was given before.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Idempotency {
    /// The key as sent, and a fingerprint of the request.
    pub(crate) fn of(key: &str, method: &str, path: &str, body: &[u8]) -> Result<Self, Fault> {
        let fits = (1..=KEY_CHARACTERS_MAX).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !fits {
            let detail = format!("has 1 to {KEY_CHARACTERS_MAX} printable characters");
            return Err(Fault::field("Idempotency-Key", detail));
        }
        let mut request = format!("{method} {path}\n").into_bytes();
        request.extend_from_slice(body);
        Ok(Self { key: key.to_owned(), fingerprint: sha256(&request).to_vec() })
    }
}

/// The answer to this request, if it was answered before.
pub(crate) async fn find(office: &Office, actor: &Actor) -> Result<Option<Answer>, Fault> {
    let Some(idempotency) = &actor.idempotency else { return Ok(None) };
    let args = args![actor.label(), idempotency.key.as_str()];
    let Some(row) = office.db.fetch_optional(&sql::FIND, args).await? else { return Ok(None) };
    let fingerprint: Vec<u8> = row.get("fingerprint")?;
    if fingerprint != idempotency.fingerprint {
        return Err(Fault::field("Idempotency-Key", "was used for another request"));
    }
    let status: i64 = row.get("status")?;
    Ok(Some(Answer { status: u16::try_from(status).unwrap_or(200), body: row.get("body")? }))
}
