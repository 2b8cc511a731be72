//! What an API token may do: `read`, `write`, `full`, or patterns of permissions.

use serde_json::Value;

use super::{Rights, role, texts};
use crate::domain::Input;

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

/// What is wrong with a list of scopes.
pub(crate) fn check(scopes: &Value, input: &mut Input) {
    let list = texts(scopes);
    if list.is_empty() {
        input.fault("scopes", "has at least one entry: read, write, full, or permissions");
    }
    let named = |scope: &str| SCOPES.iter().any(|(name, _)| *name == scope);
    let patterns: Vec<&str> = list.into_iter().filter(|scope| !named(scope)).collect();
    role::check_patterns(&patterns, "scopes", input);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_grant_reading_writing_everything_or_what_they_list() {
        let (read, write) = (rights(&json!(["read"])), rights(&json!(["write"])));
        assert!(read.has("customers.view") && !read.has("customers.edit"));
        assert!(write.missing(&read).is_none() && write.has("customers.import"));
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
