//! Groups, templates, realms, and the rules of plans and services.

use model::policy::{MacBinding, MacMode, Rules};
use store::{Row, StoreError};

use super::plan::{document, small, word};

store::statements! {
    /// Groups by their names (a JSON document) that a record of an organisation can be in, the
    /// nearest organisation's first. $3 is the caller's path, below which or above which they are.
    pub(crate) GROUPS_NAMED = {
        sqlite: "SELECT g.id, g.name FROM radius_group g
            JOIN organisation o ON o.id = g.organisation_id
            JOIN organisation home ON home.id = $1
            WHERE home.path LIKE o.path || '%' AND g.deleted_at IS NULL
              AND (o.path LIKE $3 || '%' OR $3 LIKE o.path || '%')
              AND g.name IN (SELECT value FROM json_each($2))
            ORDER BY LENGTH(o.path) DESC",
        postgres: "SELECT g.id, g.name FROM radius_group g
            JOIN organisation o ON o.id = g.organisation_id
            JOIN organisation home ON home.id = $1
            WHERE home.path LIKE o.path || '%' AND g.deleted_at IS NULL
              AND (o.path LIKE $3 || '%' OR $3 LIKE o.path || '%')
              AND g.name IN (SELECT value FROM jsonb_array_elements_text($2::jsonb) AS t (value))
            ORDER BY LENGTH(o.path) DESC",
    };
    /// NAS by their names (a JSON document), of a record's organisation or one above it, as far as
    /// they are the caller's to see.
    pub(crate) NAS_NAMED = {
        sqlite: "SELECT n.id, n.name FROM nas n
            JOIN organisation o ON o.id = n.organisation_id
            JOIN organisation home ON home.id = $1
            WHERE home.path LIKE o.path || '%' AND o.path LIKE $3 || '%' AND n.deleted_at IS NULL
              AND n.name IN (SELECT value FROM json_each($2))
            ORDER BY LENGTH(o.path) DESC",
        postgres: "SELECT n.id, n.name FROM nas n
            JOIN organisation o ON o.id = n.organisation_id
            JOIN organisation home ON home.id = $1
            WHERE home.path LIKE o.path || '%' AND o.path LIKE $3 || '%' AND n.deleted_at IS NULL
              AND n.name IN (SELECT value FROM jsonb_array_elements_text($2::jsonb) AS t (value))
            ORDER BY LENGTH(o.path) DESC",
    };
    /// Live services and plans that are in a group.
    pub(crate) GROUP_IN_USE = "SELECT
            (SELECT COUNT(*) FROM service WHERE deleted_at IS NULL
                AND CAST(group_ids AS TEXT) LIKE '%' || $1 || '%') AS services,
            (SELECT COUNT(*) FROM plan WHERE deleted_at IS NULL
                AND CAST(group_ids AS TEXT) LIKE '%' || $1 || '%') AS plans";
    /// A NAS has another name: services that name it do so by that. The names are JSON texts.
    pub(crate) RENAME_NAS_OF_SERVICES = {
        sqlite: "UPDATE service SET allowed_nas = REPLACE(allowed_nas, $2, $3)
            WHERE allowed_nas_ids LIKE '%' || $1 || '%'",
        postgres: "UPDATE service SET allowed_nas = REPLACE(allowed_nas::text, $2, $3)::jsonb
            WHERE allowed_nas_ids::text LIKE '%' || $1 || '%'",
    };
    /// The same of plans.
    pub(crate) RENAME_NAS_OF_PLANS = {
        sqlite: "UPDATE plan SET allowed_nas = REPLACE(allowed_nas, $2, $3)
            WHERE allowed_nas_ids LIKE '%' || $1 || '%'",
        postgres: "UPDATE plan SET allowed_nas = REPLACE(allowed_nas::text, $2, $3)::jsonb
            WHERE allowed_nas_ids::text LIKE '%' || $1 || '%'",
    };
    /// A template, the caller's own, an ancestor's, or one of those below.
    pub(crate) TEMPLATE = "SELECT check_attributes, reply_attributes FROM attribute_template
        WHERE organisation_id IN (SELECT id FROM organisation
                WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// A service forgets the MAC addresses it has learned.
    pub(crate) FORGET_MACS = "UPDATE service
        SET macs = NULL, mac_generation = mac_generation + 1, version = version + 1,
            updated_at = $3, updated_by = $4
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL AND mac_binding = 'learn' AND macs IS NOT NULL";
    /// A service and its organisation's path. Not scoped: the network is one.
    pub(crate) BOUND = "SELECT s.*, o.path FROM service s
        JOIN organisation o ON o.id = s.organisation_id
        WHERE s.id = $1 AND s.deleted_at IS NULL";
    /// The MAC addresses of a service, if it is still at a version.
    pub(crate) SET_MACS = "UPDATE service
        SET macs = $2, version = version + 1, updated_at = $4, updated_by = $5
        WHERE id = $1 AND version = $3 AND deleted_at IS NULL";
    /// Every realm.
    pub(crate) REALMS = "SELECT id FROM realm WHERE deleted_at IS NULL ORDER BY id";
    /// Logins with a realm ($2) that are neither an organisation's nor of one below it.
    pub(crate) LOGINS_OF_OTHERS = "SELECT COUNT(*) AS logins FROM access_identity i
        JOIN organisation o ON o.id = i.organisation_id
        JOIN organisation home ON home.id = $1
        WHERE i.kind = 'login' AND i.deleted_at IS NULL AND NOT o.path LIKE home.path || '%'
          AND LENGTH(i.value) > LENGTH(CAST($2 AS TEXT)) + 1
          AND (SUBSTR(i.value, LENGTH(i.value) - LENGTH(CAST($2 AS TEXT)))
                  = '@' || CAST($2 AS TEXT)
              OR SUBSTR(i.value, 1, LENGTH(CAST($2 AS TEXT)) + 1)
                  IN (CAST($2 AS TEXT) || '/', CAST($2 AS TEXT) || '\\'))";
    /// A realm, for the network.
    pub(crate) LOAD_REALM = "SELECT id, organisation_id, name, strip FROM realm
        WHERE id = $1 AND deleted_at IS NULL";
    /// An organisation and all below it.
    pub(crate) REACH = "SELECT o.id FROM organisation o JOIN organisation home ON home.id = $1
        WHERE o.path LIKE home.path || '%' AND o.deleted_at IS NULL ORDER BY o.id";
    /// A group, for the network.
    pub(crate) LOAD_GROUP = "SELECT id, organisation_id, name, priority, check_attributes,
            reply_attributes
        FROM radius_group WHERE id = $1 AND deleted_at IS NULL";
}

/// Reads the rules that plans and services share.
pub(super) fn rules(row: &Row) -> Result<Rules, StoreError> {
    Ok(Rules {
        check: document(row, "check_attributes")?,
        reply: document(row, "reply_attributes")?,
        groups: document(row, "group_ids")?,
        nas: document(row, "allowed_nas_ids")?,
        ports: document(row, "allowed_ports")?,
        called_stations: document(row, "allowed_called_stations")?,
        login_time: row.get("login_time")?,
        zone: None,
        mac: None,
    })
}

/// Reads the binding of a service.
pub(super) fn binding(row: &Row) -> Result<Option<MacBinding>, StoreError> {
    let Some(mode) = word(row, "mac_binding", MacMode::from_word)? else { return Ok(None) };
    Ok(Some(MacBinding {
        mode,
        limit: small(row, "mac_limit")?.unwrap_or(1),
        generation: small(row, "mac_generation")?.unwrap_or(0),
        addresses: document(row, "macs")?,
    }))
}

/// Reads a group for the network.
pub(crate) fn group(row: &Row) -> Result<model::policy::Group, StoreError> {
    Ok(model::policy::Group {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        priority: small(row, "priority")?.unwrap_or(u32::MAX),
        check: document(row, "check_attributes")?,
        reply: document(row, "reply_attributes")?,
    })
}
