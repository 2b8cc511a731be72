//! Organisations and number series.

use model::{Currency, OrganisationId, StaffId, Ts};
use store::{Row, StoreError};

store::statements! {
    /// The root of the tree, where there is one.
    pub(crate) FIND_ROOT = "SELECT id, parent_id, path, name, currency, zone, locale
                     FROM organisation WHERE parent_id IS NULL";
    /// Any organisation; not scoped, for those who just proved who they are.
    pub(crate) FIND = "SELECT id, parent_id, path, name, currency, zone, locale
                FROM organisation WHERE id = $1 AND deleted_at IS NULL";
    /// Whose name a host name is; for those who are nobody yet.
    pub(crate) BY_HOST = "SELECT id FROM organisation
        WHERE host_name = $1 AND deleted_at IS NULL";
    /// The host name of an organisation.
    pub(crate) HOST = "SELECT host_name FROM organisation WHERE id = $1";
    /// The caller's subtree.
    pub(crate) SUBTREE = "SELECT id, parent_id FROM organisation WHERE path LIKE $1 || '%'";
    /// One of the caller's subtree.
    pub(crate) FIND_BELOW = "SELECT id, path FROM organisation
        WHERE path LIKE $1 || '%' AND id = $2 AND deleted_at IS NULL";
    /// The caller's subtree, parents before those below them.
    pub(crate) BELOW = "SELECT id, parent_id, path, name, currency, zone, locale
        FROM organisation WHERE path LIKE $1 || '%' AND deleted_at IS NULL
        ORDER BY path LIMIT $2";
    /// Creates one.
    pub(crate) INSERT = "INSERT INTO organisation
        (id, parent_id, path, kind, name, legal_entity, currency, zone, locale,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, $11)";
    /// The last of the next `$4` numbers of a series that begins with `$3`; and the
    /// organisation's language, which whoever takes a number needs too.
    pub(crate) NEXT_NUMBERS = "INSERT INTO number_series (organisation_id, kind, last)
        VALUES ($1, $2, CAST($3 AS BIGINT) + CAST($4 AS BIGINT) - 1)
        ON CONFLICT (organisation_id, kind) DO UPDATE SET last = number_series.last + CAST($4 AS BIGINT)
        RETURNING last, (SELECT locale FROM organisation WHERE id = $1) AS locale";
    /// Another child of a parent with this name.
    pub(crate) FIND_SIBLING = "SELECT id FROM organisation
        WHERE parent_id = $1 AND name = $2 AND id <> $3 AND deleted_at IS NULL";
    /// Holds the tree until the commit: its shape, names and copied settings are changed by one
    /// at a time. Writes of rows that merely belong to an organisation go on.
    pub(crate) LOCK_TREE = {
        sqlite: "SELECT id FROM organisation WHERE parent_id IS NULL",
        postgres: "SELECT id FROM organisation WHERE parent_id IS NULL FOR NO KEY UPDATE",
    };
    /// An organisation that a caller may write into. It cannot be deleted before the commit.
    pub(crate) TARGET = {
        sqlite: "SELECT id, path FROM organisation
            WHERE path LIKE $1 || '%' AND id = $2 AND deleted_at IS NULL",
        postgres: "SELECT id, path FROM organisation
            WHERE path LIKE $1 || '%' AND id = $2 AND deleted_at IS NULL FOR KEY SHARE",
    };
    /// Waits for those who are writing into an organisation, and keeps others from it.
    pub(crate) LOCK_EMPTY = {
        sqlite: "SELECT id FROM organisation WHERE id = $1",
        postgres: "SELECT id FROM organisation WHERE id = $1 FOR UPDATE",
    };
    /// One organisation of the subtree.
    pub(crate) FIND_ONE = "SELECT o.*, (SELECT COUNT(*) FROM organisation c
            WHERE c.parent_id = o.id AND c.deleted_at IS NULL) AS children
        FROM organisation o
        WHERE o.path LIKE $1 || '%' AND o.id = $2 AND o.deleted_at IS NULL";
    /// How many organisations are right below some.
    pub(crate) CHILDREN = {
        sqlite: "SELECT parent_id, COUNT(*) AS children FROM organisation
            WHERE parent_id IN (SELECT unhex(value) FROM json_each($1)) AND deleted_at IS NULL
            GROUP BY parent_id",
        postgres: "SELECT parent_id, COUNT(*) AS children FROM organisation
            WHERE parent_id = ANY($1) AND deleted_at IS NULL GROUP BY parent_id",
    };
    /// A page of the subtree, the newest first.
    pub(crate) LIST = {
        sqlite: "SELECT o.*, (SELECT COUNT(*) FROM organisation c
                WHERE c.parent_id = o.id AND c.deleted_at IS NULL) AS children
            FROM organisation o
            WHERE o.path LIKE $1 || '%' AND o.deleted_at IS NULL AND ($2 IS NULL OR o.id < $2)
            ORDER BY o.id DESC LIMIT $3",
        postgres: "SELECT o.*, (SELECT COUNT(*) FROM organisation c
                WHERE c.parent_id = o.id AND c.deleted_at IS NULL) AS children
            FROM organisation o
            WHERE o.path LIKE $1 || '%' AND o.deleted_at IS NULL
              AND ($2::uuid IS NULL OR o.id < $2)
            ORDER BY o.id DESC LIMIT $3",
    };
    /// Puts it below another.
    pub(crate) MOVE = "UPDATE organisation SET parent_id = $3,
            version = version + 1, updated_at = $4, updated_by = $5
        WHERE path LIKE $1 || '%' AND id = $2 AND deleted_at IS NULL";
    /// Gives everything below a path another path; `$3` is the length of the old one plus one.
    pub(crate) REWRITE_PATHS = "UPDATE organisation SET path = $2 || substr(path, CAST($3 AS INTEGER))
        WHERE path LIKE $1 || '%'";
    /// The paths below a path.
    pub(crate) PATHS = "SELECT path FROM organisation WHERE path LIKE $1 || '%'";
    /// What an organisation still has, in words; nothing where it is empty.
    pub(crate) HOLDS = "SELECT CASE
        WHEN EXISTS (SELECT 1 FROM organisation WHERE parent_id = $1 AND deleted_at IS NULL)
            THEN 'organisations below it'
        WHEN EXISTS (SELECT 1 FROM customer WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'customers'
        WHEN EXISTS (SELECT 1 FROM service WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'services'
        WHEN EXISTS (SELECT 1 FROM staff WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'staff'
        WHEN EXISTS (SELECT 1 FROM role WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'roles'
        WHEN EXISTS (SELECT 1 FROM identity_provider
                WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'identity providers'
        WHEN EXISTS (SELECT 1 FROM api_token WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'API tokens'
        WHEN EXISTS (SELECT 1 FROM plan WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'plans'
        WHEN EXISTS (SELECT 1 FROM nas WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'NAS'
        WHEN EXISTS (SELECT 1 FROM nas_group WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'NAS groups'
        WHEN EXISTS (SELECT 1 FROM pool WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'address pools'
        WHEN EXISTS (SELECT 1 FROM radius_group WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'groups of attributes'
        WHEN EXISTS (SELECT 1 FROM attribute_template
                WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'templates of attributes'
        WHEN EXISTS (SELECT 1 FROM realm WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'realms'
        WHEN EXISTS (SELECT 1 FROM radius_client WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'RADIUS clients'
        WHEN EXISTS (SELECT 1 FROM job WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'jobs'
        WHEN EXISTS (SELECT 1 FROM maintenance_window
                WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'maintenance windows'
        WHEN EXISTS (SELECT 1 FROM label WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'labels'
        WHEN EXISTS (SELECT 1 FROM webhook WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'webhooks'
        WHEN EXISTS (SELECT 1 FROM scheduled_export
                WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'scheduled exports'
        WHEN EXISTS (SELECT 1 FROM payment WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'payments'
        WHEN EXISTS (SELECT 1 FROM adjustment WHERE organisation_id = $1 AND deleted_at IS NULL)
            THEN 'adjustments'
        WHEN EXISTS (SELECT 1 FROM ledger_transaction WHERE books_id = $1)
            THEN 'entries in its books'
        END AS holds";
    /// Staff of the subtree.
    pub(crate) COUNT_STAFF = "SELECT COUNT(*) AS n FROM staff
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND deleted_at IS NULL";
    /// Copies what applies to a subtree into its organisations' columns, which statements join.
    /// `$2`, `$3` and `$4` are the defaults.
    pub(crate) COPY_SETTINGS = {
        sqlite: "UPDATE organisation SET
            zone = COALESCE((SELECT s.value ->> '$' FROM setting s
                JOIN organisation a ON a.id = s.organisation_id
                WHERE s.key = 'operation.zone' AND organisation.path LIKE a.path || '%'
                ORDER BY length(a.path) DESC LIMIT 1), $2),
            currency = COALESCE((SELECT s.value ->> '$' FROM setting s
                JOIN organisation a ON a.id = s.organisation_id
                WHERE s.key = 'operation.currency' AND organisation.path LIKE a.path || '%'
                ORDER BY length(a.path) DESC LIMIT 1), $3),
            locale = COALESCE((SELECT s.value ->> '$' FROM setting s
                JOIN organisation a ON a.id = s.organisation_id
                WHERE s.key = 'operation.locale' AND organisation.path LIKE a.path || '%'
                ORDER BY length(a.path) DESC LIMIT 1), $4)
            WHERE path LIKE $1 || '%'",
        postgres: "UPDATE organisation SET
            zone = COALESCE((SELECT s.value #>> '{}' FROM setting s
                JOIN organisation a ON a.id = s.organisation_id
                WHERE s.key = 'operation.zone' AND organisation.path LIKE a.path || '%'
                ORDER BY length(a.path) DESC LIMIT 1), $2),
            currency = COALESCE((SELECT s.value #>> '{}' FROM setting s
                JOIN organisation a ON a.id = s.organisation_id
                WHERE s.key = 'operation.currency' AND organisation.path LIKE a.path || '%'
                ORDER BY length(a.path) DESC LIMIT 1), $3),
            locale = COALESCE((SELECT s.value #>> '{}' FROM setting s
                JOIN organisation a ON a.id = s.organisation_id
                WHERE s.key = 'operation.locale' AND organisation.path LIKE a.path || '%'
                ORDER BY length(a.path) DESC LIMIT 1), $4)
            WHERE path LIKE $1 || '%'",
    };
}

/// An organisation.
#[derive(Debug, Clone)]
pub(crate) struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// The ids from the root to it, each followed by a slash.
    pub path: String,
    /// Its name.
    pub name: String,
    /// What it charges in.
    pub currency: Currency,
    /// Its IANA time zone.
    pub zone: String,
    /// The language its people read.
    pub locale: String,
}

/// Reads a row of [`FIND`], [`FIND_ROOT`] or [`BELOW`].
pub(crate) fn organisation(row: &Row) -> Result<Organisation, StoreError> {
    Ok(Organisation {
        id: row.get("id")?,
        path: row.get("path")?,
        name: row.get("name")?,
        currency: row.get("currency")?,
        zone: row.get("zone")?,
        locale: row.get("locale")?,
    })
}

/// An organisation as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub id: OrganisationId,
    pub parent: Option<OrganisationId>,
    pub path: String,
    pub kind: String,
    pub name: String,
    pub legal_entity: bool,
    pub currency: Currency,
    pub zone: String,
    pub locale: String,
    pub address: Option<String>,
    pub manager: Option<StaffId>,
    pub external_source: Option<String>,
    pub external_id: Option<String>,
    /// Organisations right below it.
    pub children: i64,
    pub version: i64,
    pub created_at: Ts,
    pub updated_at: Ts,
}

/// Reads a row of [`FIND_ONE`] or [`LIST`].
pub(crate) fn kept(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        id: row.get("id")?,
        parent: row.get("parent_id")?,
        path: row.get("path")?,
        kind: row.get("kind")?,
        name: row.get("name")?,
        legal_entity: row.get("legal_entity")?,
        currency: row.get("currency")?,
        zone: row.get("zone")?,
        locale: row.get("locale")?,
        address: row.get("address")?,
        manager: row.get("manager_id")?,
        external_source: row.get("external_source")?,
        external_id: row.get("external_id")?,
        children: row.get("children")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
