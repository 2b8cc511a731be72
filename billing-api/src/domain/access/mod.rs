//! Who is asking, and what they may do.
//!
//! - [`permission`]: what one may be allowed, and sets of it.
//! - [`template`]: the roles an installation begins with.
//! - [`role`]: permissions by name, for staff, and that nobody gives what they do not have.
//! - [`attempts`]: how often somebody may try, without shutting others out.
//! - [`password`], [`totp`], [`recovery`]: what is proven at sign-in.
//! - [`allow_list`]: where from.
//! - [`rules`]: what an organisation decides about its staff.
//! - [`sign_in`]: the steps of signing in.
//! - [`session`]: who is signed in.
//! - [`account`]: what people do with their own account.
//! - [`staff`]: what those who look after staff do, acting as another included.
//! - [`scope`], [`token`]: API tokens and what they may do.
//! - [`description`]: roles, staff and tokens as entities.
//! - [`flush`]: what is counted in memory and written now and then.

pub(crate) mod permission;
pub(crate) mod role;
pub(crate) mod template;

pub(crate) mod allow_list;
pub(crate) mod attempts;
pub(crate) mod password;
pub(crate) mod recovery;
pub(crate) mod rules;
pub(crate) mod totp;

pub(crate) mod account;
pub(crate) mod scope;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod staff;
pub(crate) mod token;

pub(crate) mod description;
pub(crate) mod flush;

#[cfg(test)]
pub(crate) mod tests;

use super::actor::Who;
use super::{Fault, Office};

pub(crate) use attempts::Attempts;
pub(crate) use permission::Rights;

/// "Last used" of tokens and sessions is written at most this often, seconds.
const TOUCH_S: i64 = 60;

/// What an operator decides about signing in.
pub(crate) use crate::config::Access as Policy;

/// Who knocks, as far as the connection tells.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) address: std::net::IpAddr,
    pub(crate) user_agent: String,
    /// The cookie of a known browser.
    pub(crate) browser: Option<String>,
    /// The cookie of a session from before, which a new one takes the place of.
    pub(crate) session: Option<String>,
}

/// What somebody may do now, for work that is done for them later; nothing where they may not
/// come in any more.
pub(crate) async fn rights_now(office: &Office, who: Who) -> Result<Rights, Fault> {
    let rights = match who {
        Who::System(_) => Ok(Rights::all()),
        Who::Staff(id) => sign_in::Account::load(office, id).await.map(|account| account.rights),
        Who::Token(id) => token::rights_now(office, id).await,
    };
    match rights {
        Err(Fault::Unauthenticated) => Ok(Rights::NONE),
        rights => rights,
    }
}

/// "Last used" is for people: that it cannot be written must not turn a caller away.
fn touch(written: Result<u64, store::StoreError>) {
    if let Err(error) = written {
        let error = daemon::exit::chain(&error);
        tracing::warn!(%error, "could not note when a token or session was used");
    }
}

/// The texts of a list kept as JSON. What is not a text grants nothing.
fn texts(list: &serde_json::Value) -> Vec<&str> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(serde_json::Value::as_str).collect()
}

/// What a role's list of permissions grants; nothing where there is no role.
pub(crate) fn role_rights(permissions: Option<serde_json::Value>) -> Rights {
    permissions.map_or(Rights::NONE, |list| Rights::of(&texts(&list)))
}
