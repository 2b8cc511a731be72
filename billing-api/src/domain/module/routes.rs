//! Which address belongs to which module.
//!
//! The resources that come from a description name their module there; these are the others.
//! An address also covers what is below it, and the longest one counts.

use crate::entity::registry::ENTITIES;

/// Addresses with their modules. `{}` stands for any one segment.
const ROUTES: &[(&str, &str)] = &[
    ("/api/v1/customers", "customers"),
    ("/api/v1/customers/{}/services", "customers.services"),
    ("/api/v1/customers/{}/statement", "billing.statements"),
    ("/api/v1/ledger", "billing"),
    ("/api/v1/services", "customers.services"),
    ("/api/v1/labels", "customers.labels"),
    ("/api/v1/customer-labels", "customers.labels"),
    ("/api/v1/plans", "catalog.plans"),
    ("/api/v1/nas", "network.routers"),
    ("/api/v1/sessions", "network.sessions"),
    ("/api/v1/auth-log", "network.sessions"),
    ("/customers", "customers"),
    ("/customers/{}/services", "customers.services"),
    ("/services", "customers.services"),
    ("/plans", "catalog.plans"),
    ("/nas", "network.routers"),
    ("/sessions", "network.sessions"),
    ("/auth-log", "network.sessions"),
];

/// The module of a description whose resource is at an address.
fn module_of_entity(address: &str) -> Option<&'static str> {
    let path = address.strip_prefix("/api/v1/").or_else(|| address.strip_prefix('/'))?;
    let path = path.split('/').next().unwrap_or(path);
    ENTITIES.iter().find(|entity| entity.path == path).and_then(|entity| entity.module)
}

/// The module of an address or of a route's pattern; none for what every organisation has.
pub(crate) fn module_of(address: &str) -> Option<&'static str> {
    let covers = |route: &str| {
        let mut segments = address.split('/');
        route.split('/').all(|own| segments.next().is_some_and(|other| own == "{}" || own == other))
    };
    let found = ROUTES.iter().filter(|(route, _)| covers(route));
    let found = found.max_by_key(|(route, _)| route.len()).map(|(_, module)| *module);
    found.or_else(|| module_of_entity(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_of_the_table_is_in_the_list() {
        for (route, module) in ROUTES {
            assert!(super::super::find(module).is_some(), "{route}: {module}");
        }
        for entity in ENTITIES {
            let known = entity.module.is_none_or(|name| super::super::find(name).is_some());
            assert!(known, "{}: {:?}", entity.name, entity.module);
        }
    }

    #[test]
    fn an_address_belongs_to_the_longest_route_that_covers_it() {
        assert_eq!(module_of("/api/v1/customers/{id}"), Some("customers"));
        assert_eq!(module_of("/api/v1/customers/cus_1/services"), Some("customers.services"));
        assert_eq!(module_of("/plans/new"), Some("catalog.plans"));
        for core in ["/", "/api/v1/settings", "/plansx", "/api/v1", "/settings/modules", ""] {
            assert_eq!(module_of(core), None, "{core}");
        }
    }
}
