//! The six roles an installation begins with.

/// A role as it is first created; from then on it is a role like any other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template {
    /// What a role remembers of where it came from.
    pub(crate) word: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// Patterns of permissions.
    pub(crate) permissions: &'static [&'static str],
}

/// The role of those who may do everything.
pub(crate) const ADMIN: Template = Template {
    word: "admin",
    name: "Admin",
    description: "May do everything",
    permissions: &["*"],
};

/// Every template.
pub(crate) const TEMPLATES: &[Template] = &[
    ADMIN,
    Template {
        word: "manager",
        name: "Manager",
        description: "Runs the business; cannot change settings, roles, tokens or webhooks",
        permissions: &[
            "*.view",
            "*.export",
            "customers.*",
            "services.*",
            "plans.*",
            "billing.*",
            "support.*",
            "labels.*",
            "network.sessions",
            "partners.create",
            "partners.edit",
            "staff.create",
            "staff.edit",
            "jobs.run",
            "imports.undo",
        ],
    },
    Template {
        word: "support",
        name: "Support Agent",
        description: "Helps customers: sees their services and sessions, answers tickets",
        permissions: &[
            "customers.view",
            "customers.create",
            "customers.edit",
            "services.view",
            "services.create",
            "services.edit",
            "services.suspend",
            "plans.view",
            "billing.view",
            "network.view",
            "network.sessions",
            "support.*",
            "labels.view",
            "labels.create",
            "labels.edit",
        ],
    },
    Template {
        word: "billing",
        name: "Billing Agent",
        description: "Issues invoices, takes payments, suspends those who do not pay",
        permissions: &[
            "customers.view",
            "customers.edit",
            "customers.export",
            "services.view",
            "services.suspend",
            "services.export",
            "plans.view",
            "billing.*",
            "reports.*",
            "labels.view",
        ],
    },
    Template {
        word: "noc",
        name: "NOC Technician",
        description: "Looks after the network and who is online",
        permissions: &[
            "network.*",
            "customers.view",
            "services.view",
            "services.suspend",
            "plans.view",
            "support.view",
            "support.edit",
            "reports.view",
            "jobs.view",
            "labels.view",
        ],
    },
    Template {
        word: "read_only",
        name: "Read-Only",
        description: "Sees everything, changes nothing",
        permissions: &["*.view", "network.sessions"],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::access::Rights;
    use crate::domain::access::permission::is_pattern;

    #[test]
    fn every_pattern_of_a_template_means_something() {
        for template in TEMPLATES {
            for pattern in template.permissions {
                assert!(is_pattern(pattern), "{} has {pattern}", template.name);
            }
        }
        let words: BTreeSet<_> = TEMPLATES.iter().map(|template| template.word).collect();
        let names: BTreeSet<_> = TEMPLATES.iter().map(|template| template.name).collect();
        assert_eq!((words.len(), names.len()), (6, 6));
    }

    #[test]
    fn only_the_administrator_can_change_who_may_do_what() {
        for template in TEMPLATES {
            let rights = Rights::of(template.permissions);
            for name in
                ["roles.edit", "roles.create", "tokens.create", "settings.edit", "hooks.edit"]
            {
                assert_eq!(rights.has(name), template.word == "admin", "{}: {name}", template.name);
            }
            assert!(rights.has("customers.view"), "{}", template.name);
        }
        let reader = Rights::of(TEMPLATES[5].permissions);
        let changes = |name: &&str| !name.ends_with(".view") && *name != "network.sessions";
        assert_eq!(reader.names().filter(changes).count(), 0);
    }
}
