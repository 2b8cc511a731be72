//! Who is asking, and what they may do.
//!
//! - [`permission`]: what one may be allowed, and sets of it.
//! - [`template`]: the roles an installation begins with.
//! - [`role`]: permissions by name, for staff.
//! - [`sign_in`]: staff, their passwords and sessions.
//! - [`token`]: API tokens and their scopes.

pub(crate) mod permission;
pub(crate) mod role;
pub(crate) mod sign_in;
pub(crate) mod template;
pub(crate) mod token;

pub(crate) use permission::Rights;

/// "Last used" of tokens and sessions is written at most this often, seconds.
const TOUCH_S: i64 = 60;

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
