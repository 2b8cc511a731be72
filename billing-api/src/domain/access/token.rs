//! API tokens: 256 random bits, kept as SHA-256: nothing to guess, nothing to read from a stolen
//! database.

use daemon::secrets::sha256;
use model::{OrganisationId, Secret, TokenId, Ts};
use serde_json::{Value, json};
use store::{Tx, args};

use super::{Rights, TOUCH_S, texts, touch};
use crate::domain::actor::Who;
use crate::domain::{Actor, Fault, Office};
use crate::store::access as sql;

/// The scope of a token that may do everything.
pub(crate) const FULL: &str = "full";

/// What the scopes with a name of their own grant; any other text of a list of scopes is a
/// pattern of permissions.
const SCOPES: [(&str, &[&str]); 3] = [
    ("read", &["*.view", "network.sessions"]),
    // Everything but what decides who may do what, and what the installation is.
    (
        "write",
        &[
            "*.view",
            "customers.*",
            "services.*",
            "plans.*",
            "billing.*",
            "network.*",
            "support.*",
            "reports.*",
            "labels.*",
            "imports.*",
            "jobs.run",
        ],
    ),
    (FULL, &["*"]),
];

/// What a list of scopes grants.
pub(crate) fn rights(scopes: &Value) -> Rights {
    texts(scopes).into_iter().fold(Rights::NONE, |rights, scope| {
        let named = SCOPES.iter().find(|(name, _)| *name == scope);
        rights.and(named.map_or_else(|| Rights::of(&[scope]), |(_, own)| Rights::of(own)))
    })
}

/// The actor behind a bearer token.
pub(crate) async fn prove(office: &Office, token: &str) -> Result<Actor, Fault> {
    let now = office.now();
    let hash = sha256(token.as_bytes()).to_vec();
    let row = office.db.fetch_optional(&sql::FIND_TOKEN, args![hash, now]).await?;
    let row = row.ok_or(Fault::Unauthenticated)?;
    let id: TokenId = row.get("id")?;
    let used_at: Option<Ts> = row.get("used_at")?;
    let old = now.plus_seconds(-TOUCH_S);
    if used_at.is_none_or(|at| at < old) {
        touch(office.db.execute(&sql::TOUCH_TOKEN, args![id, now, old]).await);
    }
    Ok(Actor {
        who: Who::Token(id),
        name: row.get("name")?,
        organisation: row.get("organisation_id")?,
        path: row.get("path")?,
        rights: rights(&row.get("scopes")?),
        idempotency: None,
        request_id: None,
    })
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
    let args = args![id, organisation, "first token", hash, json!([FULL]), now, by];
    tx.execute(&sql::INSERT_TOKEN, args).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_grant_reading_writing_everything_or_what_they_list() {
        let (read, write) = (rights(&json!(["read"])), rights(&json!(["write"])));
        assert!(read.has("customers.view") && !read.has("customers.edit"));
        assert!(write.covers(&read) && write.has("customers.import"));
        for name in ["staff.edit", "roles.edit", "tokens.create", "settings.edit", "hooks.create"] {
            assert!(!write.has(name), "{name}");
        }
        assert_eq!(rights(&json!([FULL])), Rights::all());
        let some = rights(&json!(["customers.*", "plans.view"]));
        assert!(some.has("plans.view") && !some.has("plans.edit") && some.has("customers.edit"));
        for nothing in
            [json!([]), json!(["nothing"]), json!("full"), json!([["full"]]), Value::Null]
        {
            assert_eq!(rights(&nothing), Rights::NONE, "{nothing}");
        }
    }
}
