//! The navigation: every place the viewer may go to, in groups.
//!
//! Most places are entities, found by their descriptions; a new one is shown without a line
//! here, below [`words::NAV_GROUP_ADMINISTRATION`] until it is named in a group.

use maud::{Markup, html};

use super::page::{self, Place};
use super::words::{self, Key, Words};
use crate::entity::Entity;
use crate::entity::registry::ENTITIES;

/// Groups in their order, and the paths of what stands in each, in its order.
const GROUPS: &[(Key, &[&str])] = &[
    (words::NAV_GROUP_CUSTOMERS, &["customers", "services", "labels", "customer-labels"]),
    (
        words::NAV_GROUP_NETWORK,
        &[
            "sessions",
            "auth-log",
            "nas",
            "nas-groups",
            "pools",
            "radius-clients",
            "radius-groups",
            "attribute-templates",
            "realms",
        ],
    ),
    (words::NAV_GROUP_CATALOGUE, &["plans"]),
    (
        words::NAV_GROUP_BILLING,
        &[
            "invoices",
            "payments",
            "adjustments",
            "credit-notes",
            "taxes",
            "ledger-entries",
            "ledger-accounts",
        ],
    ),
    (words::NAV_GROUP_SUPPORT, &["tickets"]),
    (
        words::NAV_GROUP_AUTOMATION,
        &[
            "jobs",
            "job-runs",
            "maintenance-windows",
            "imports",
            "exports",
            "export-templates",
            "scheduled-exports",
            "webhooks",
            "webhook-deliveries",
        ],
    ),
    (
        words::NAV_GROUP_ADMINISTRATION,
        &[
            "organisations",
            "staff",
            "roles",
            "identity-providers",
            "tokens",
            "custom-fields",
            "mail",
            "mail-servers",
            "settings",
            "activity",
            "audit",
        ],
    ),
];

/// Places that no description makes: their path, their name, and what it takes to go there.
const PAGES: &[(&str, Key, &str)] = &[
    ("services", words::NAV_SERVICES, "services.view"),
    ("sessions", words::NAV_SESSIONS, "network.sessions"),
    ("webhook-deliveries", words::NAV_DELIVERIES, "hooks.view"),
    ("auth-log", words::NAV_AUTH_LOG, "network.sessions"),
    ("audit", words::NAV_AUDIT, "audit.view"),
    ("activity", words::NAV_ACTIVITY, "audit.view"),
    ("organisations", words::NAV_ORGANISATIONS, "partners.view"),
    ("settings", words::NAV_SETTINGS, "settings.view"),
];

#[derive(Debug, Clone, Copy)]
enum Name {
    Text(Key),
    Records(&'static Entity),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    path: &'static str,
    name: Name,
}

/// The navigation of one viewer.
#[derive(Debug, Clone, Default)]
pub(super) struct Menu(Vec<(Key, Vec<Entry>)>);

impl Menu {
    /// What someone sees who may `view` some entities, holds some permissions, and whose modules
    /// have some addresses.
    pub(super) fn of(
        views: impl Fn(&'static Entity) -> bool,
        holds: impl Fn(&str) -> bool,
        is_on: impl Fn(&str) -> bool,
    ) -> Self {
        let mut entries: Vec<Entry> = PAGES
            .iter()
            .filter(|(path, _, permission)| holds(permission) && is_on(path))
            .map(|(path, name, _)| Entry { path, name: Name::Text(*name) })
            .collect();
        for entity in ENTITIES.iter().copied() {
            let known = PAGES.iter().any(|(path, ..)| *path == entity.path);
            if !known && is_place(entity) && views(entity) && is_on(entity.path) {
                entries.push(Entry { path: entity.path, name: Name::Records(entity) });
            }
        }
        let mut groups: Vec<(Key, Vec<Entry>)> = Vec::new();
        for (group, paths) in GROUPS {
            let mut own: Vec<Entry> = paths
                .iter()
                .filter_map(|path| entries.iter().find(|entry| entry.path == *path))
                .copied()
                .collect();
            if *group == words::NAV_GROUP_ADMINISTRATION {
                let placed =
                    |entry: &&Entry| !GROUPS.iter().any(|(_, paths)| paths.contains(&entry.path));
                own.extend(entries.iter().filter(placed));
            }
            if !own.is_empty() {
                groups.push((*group, own));
            }
        }
        Self(groups)
    }

    /// Whether the viewer may go to a place.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.iter().flat_map(|(_, entries)| entries).any(|entry| entry.path == path)
    }

    /// The navigation with the present place marked.
    pub(super) fn show(&self, words: &Words, place: Option<Place>) -> Markup {
        let here = |path: &str| place.is_some_and(|place| place.path() == path).then_some("page");
        let name = |entry: &Entry| match entry.name {
            Name::Text(key) => words.say(key),
            Name::Records(entity) => words.entities(entity),
        };
        html! {
            nav.side id="menu" popover aria-label=(words.say(words::NAVIGATION)) {
                div.head {
                    strong { (words.say(words::MENU)) }
                    (page::closing(words, "menu"))
                }
                ul { li { a href="/" aria-current=[here("")] { (words.say(words::NAV_OVERVIEW)) } } }
                // Not headings: they would come before that of the page.
                @for (n, (group, entries)) in self.0.iter().enumerate() {
                    p.group id=(format!("menu-{n}")) { (words.say(*group)) }
                    ul aria-labelledby=(format!("menu-{n}")) {
                        @for entry in entries {
                            li {
                                a href=(format!("/{}", entry.path)) aria-current=[here(entry.path)] {
                                    (name(entry))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether people look for records of this kind by themselves. What only ties two others
/// together is found with those.
fn is_place(entity: &Entity) -> bool {
    entity
        .field(entity.title)
        .is_some_and(|field| !matches!(field.kind, crate::entity::Kind::Reference(..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(menu: &Menu, place: Option<Place>) -> String {
        menu.show(&Words::english(), place).into_string()
    }

    #[test]
    fn every_entity_has_a_place_unless_it_only_ties_others_together() {
        let all = text(&Menu::of(|_| true, |_| true, |_| true), None);
        for entity in ENTITIES.iter().filter(|entity| is_place(entity)) {
            assert!(all.contains(&format!(r#"href="/{}""#, entity.path)), "{}", entity.path);
        }
        assert!(!all.contains("aria-current"));
    }

    #[test]
    fn what_one_may_not_see_is_not_offered_and_empty_groups_are_gone() {
        let menu = Menu::of(|entity| entity.name == "customer", |_| false, |_| true);
        let own = text(&menu, Some(Place::At("customers")));
        assert!(own.contains(r#"<a href="/customers" aria-current="page">"#), "{own}");
        assert!(!own.contains("/audit") && !own.contains("Network"), "{own}");
    }
}
