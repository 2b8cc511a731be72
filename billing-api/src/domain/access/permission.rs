//! Permissions: a fixed list of texts `group.verb`, and sets of them.
//!
//! A role and a token's scope are written as lists of patterns: a permission, `customers.*`
//! (a group), `*.view` (a verb) or `*`. They are expanded when they are used, so that a group
//! includes what a later version adds to it. A text that no longer means anything grants
//! nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::domain::Fault;

/// Something one may be allowed to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission {
    /// `group.verb`
    pub(crate) name: &'static str,
    /// One line for those who put roles together.
    pub(crate) about: &'static str,
}

const fn may(name: &'static str, about: &'static str) -> Permission {
    Permission { name, about }
}

/// Every permission there is.
pub(crate) const CATALOGUE: &[Permission] = &[
    may("customers.view", "See customers"),
    may("customers.create", "Add customers"),
    may("customers.edit", "Change customers"),
    may("customers.delete", "Delete and restore customers"),
    may("customers.export", "Export customers to a file"),
    may("customers.import", "Import customers from a file"),
    may("services.view", "See services"),
    may("services.create", "Add services to customers"),
    may("services.edit", "Change services and their plan"),
    may("services.delete", "Delete and restore services"),
    may("services.suspend", "Suspend and activate services"),
    may("services.export", "Export services to a file"),
    may("services.import", "Import services from a file"),
    may("plans.view", "See plans and prices"),
    may("plans.create", "Add plans"),
    may("plans.edit", "Change plans and prices"),
    may("plans.delete", "Delete and restore plans"),
    may("plans.export", "Export plans to a file"),
    may("plans.import", "Import plans from a file"),
    may("billing.view", "See invoices, payments and balances"),
    may("billing.create", "Issue invoices and take payments"),
    may("billing.edit", "Correct invoices and payments"),
    may("billing.export", "Export billing records to a file"),
    may("network.view", "See NAS and RADIUS clients"),
    may("network.create", "Add NAS and RADIUS clients"),
    may("network.edit", "Change NAS and RADIUS clients"),
    may("network.delete", "Delete and restore NAS and RADIUS clients"),
    may("network.export", "Export network devices to a file"),
    may("network.import", "Import network devices from a file"),
    may("network.sessions", "See who is online, past sessions and refused logins"),
    may("network.metrics", "Read the program's own measurements"),
    may("support.view", "See tickets"),
    may("support.create", "Open tickets"),
    may("support.edit", "Answer and close tickets"),
    may("reports.view", "See reports"),
    may("reports.export", "Export reports to a file"),
    may("partners.view", "See organisations below one's own"),
    may("partners.create", "Add organisations"),
    may("partners.edit", "Change organisations"),
    may("partners.delete", "Delete and restore organisations"),
    may("partners.export", "Export organisations to a file"),
    may("partners.import", "Import organisations from a file"),
    may("settings.view", "See settings and modules"),
    may("settings.edit", "Change settings, branding and modules"),
    may("staff.view", "See staff"),
    may("staff.create", "Invite staff"),
    may("staff.edit", "Change, disable and reset staff, and end their sessions"),
    may("staff.delete", "Delete and restore staff"),
    may("staff.export", "Export staff to a file"),
    may("staff.import", "Import staff from a file"),
    may("staff.impersonate", "Act as a member of staff with fewer rights"),
    may("roles.view", "See roles"),
    may("roles.create", "Add and clone roles"),
    may("roles.edit", "Change roles and who has them"),
    may("roles.delete", "Delete and restore roles"),
    may("roles.export", "Export roles to a file"),
    may("roles.import", "Import roles from a file"),
    may("tokens.view", "See API tokens and their use"),
    may("tokens.create", "Create API tokens"),
    may("tokens.edit", "Change and rotate API tokens"),
    may("tokens.delete", "Delete API tokens"),
    may("tokens.export", "Export the list of API tokens"),
    may("hooks.view", "See webhooks and their deliveries"),
    may("hooks.create", "Add webhooks"),
    may("hooks.edit", "Change webhooks and replace their secrets"),
    may("hooks.delete", "Delete and restore webhooks"),
    may("hooks.test", "Send tests to webhooks"),
    may("hooks.replay", "Have deliveries sent again"),
    may("hooks.reveal", "See the secrets of webhooks"),
    may("hooks.export", "Export webhooks to a file"),
    may("hooks.import", "Import webhooks from a file"),
    may("mail.view", "See mail and mail servers"),
    may("mail.edit", "Set mail servers, test them, and send mail again"),
    may("mail.export", "Export the list of mail"),
    may("jobs.view", "See jobs and their runs"),
    may("jobs.create", "Schedule jobs"),
    may("jobs.edit", "Change schedules and maintenance windows"),
    may("jobs.delete", "Delete and restore schedules"),
    may("jobs.run", "Start and cancel runs"),
    may("jobs.export", "Export jobs and runs to a file"),
    may("jobs.import", "Import jobs from a file"),
    may("audit.view", "See who did what"),
    may("audit.export", "Export audit entries to a file"),
    may("labels.view", "See labels"),
    may("labels.create", "Add labels"),
    may("labels.edit", "Change labels"),
    may("labels.delete", "Delete and restore labels"),
    may("labels.export", "Export labels to a file"),
    may("labels.import", "Import labels from a file"),
    may("imports.view", "See imports and exports of others"),
    may("imports.create", "Keep export templates"),
    may("imports.edit", "Change export templates"),
    may("imports.delete", "Delete and restore export templates"),
    may("imports.undo", "Undo an import"),
];

/// Words of 64 permissions each that a set takes.
const WORDS: usize = CATALOGUE.len().div_ceil(64);

/// Where a permission stands in the catalogue.
static PLACES: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| CATALOGUE.iter().enumerate().map(|(n, p)| (p.name, n)).collect());

/// The permission a verb takes in a group, where there is one. In a group without a permission
/// of its own for it, such as `settings`, every change takes `edit`.
pub(crate) fn named(group: &str, verb: &str) -> Option<&'static str> {
    let own = PLACES.get(format!("{group}.{verb}").as_str());
    let place = match verb {
        "create" | "delete" | "import" => {
            own.or_else(|| PLACES.get(format!("{group}.edit").as_str()))
        }
        _ => own,
    };
    Some(CATALOGUE[*place?].name)
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights([u64; WORDS]);

impl Rights {
    /// No permission.
    pub(crate) const NONE: Rights = Rights([0; WORDS]);

    /// Every permission.
    pub(crate) fn all() -> Rights {
        Self::matching("*")
    }

    /// What a list of patterns grants.
    pub(crate) fn of<T: AsRef<str>>(patterns: &[T]) -> Rights {
        patterns.iter().fold(Self::NONE, |rights, p| rights.and(Self::matching(p.as_ref())))
    }

    /// What one pattern grants.
    fn matching(pattern: &str) -> Rights {
        let mut rights = Self::NONE;
        for (place, permission) in CATALOGUE.iter().enumerate() {
            if matches(pattern, permission.name) {
                rights.0[place / 64] |= 1 << (place % 64);
            }
        }
        rights
    }

    /// Whether a permission is among them.
    pub(crate) fn has(&self, permission: &str) -> bool {
        PLACES.get(permission).is_some_and(|place| self.0[place / 64] >> (place % 64) & 1 == 1)
    }

    /// One of the others that is not among them.
    pub(crate) fn missing(&self, other: &Rights) -> Option<&'static str> {
        other.names().find(|name| !self.has(name))
    }

    /// These and the others.
    pub(crate) fn and(self, other: Rights) -> Rights {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
        both
    }

    /// Those that are in both.
    pub(crate) fn within(self, other: &Rights) -> Rights {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(own, other)| *own &= other);
        both
    }

    /// Their names, in the order of the catalogue.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        CATALOGUE.iter().map(|permission| permission.name).filter(|name| self.has(name))
    }

    /// Nothing where the permission is among them, else a fault that names it.
    pub(crate) fn require(&self, permission: &'static str) -> Result<(), Fault> {
        if self.has(permission) { Ok(()) } else { Err(Fault::Forbidden(permission)) }
    }
}

impl std::fmt::Debug for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Whether a pattern means anything today.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    CATALOGUE.iter().any(|permission| matches(pattern, permission.name))
}

fn matches(pattern: &str, name: &str) -> bool {
    if pattern == "*" || pattern == name {
        return true;
    }
    let (Some((group, verb)), Some((own_group, own_verb))) =
        (pattern.split_once('.'), name.split_once('.'))
    else {
        return false;
    };
    (verb == "*" && group == own_group) || (group == "*" && verb == own_verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_is_listed_once_and_explained() {
        assert_eq!(PLACES.len(), CATALOGUE.len());
        for permission in CATALOGUE {
            let (group, verb) = permission.name.split_once('.').unwrap();
            let word =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
            assert!(word(group) && word(verb), "{}", permission.name);
            assert!(permission.about.len() > 5 && !permission.about.ends_with('.'));
        }
    }

    #[test]
    fn a_pattern_grants_a_group_a_verb_or_one_permission() {
        let rights = Rights::of(&["customers.*", "*.view", "network.sessions"]);
        for name in ["customers.import", "audit.view", "network.sessions"] {
            assert!(rights.has(name), "{name}");
        }
        for name in ["network.edit", "audit.export", "nothing.view", "", "*", "customers.*"] {
            assert!(!rights.has(name), "{name}");
        }
        assert_eq!(
            Rights::of(&["customers", ".view", "*.", "**", "customers.vie", "x.*"]),
            Rights::NONE
        );
        assert!(is_pattern("*.view") && !is_pattern("*.fly") && !is_pattern("kites.*"));
    }

    #[test]
    fn covering_is_having_all_of_it() {
        let (all, few) = (Rights::all(), Rights::of(&["customers.*"]));
        for covered in [few, Rights::NONE] {
            assert_eq!((all.missing(&covered), few.missing(&covered)), (None, None));
        }
        assert!(few.missing(&all).is_some());
        let other = Rights::of(&["customers.view", "audit.view"]);
        assert_eq!(few.missing(&other), Some("audit.view"));
        assert_eq!(all.within(&few), few);
        assert_eq!(few.names().count(), 6);
        assert_eq!(all.names().count(), CATALOGUE.len());
        assert!(matches!(few.require("audit.view"), Err(Fault::Forbidden("audit.view"))));
    }
}
