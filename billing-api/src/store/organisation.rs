//! Organisations and number series.

use model::{Currency, OrganisationId};
use store::{Row, StoreError};

store::statements! {
    /// The root of the tree, where there is one.
    pub(crate) FIND_ROOT = "SELECT id, parent_id, path, name, currency, zone, locale
                     FROM organisation WHERE parent_id IS NULL";
    /// Any organisation; not scoped, for those who just proved who they are.
    pub(crate) FIND = "SELECT id, parent_id, path, name, currency, zone, locale
                FROM organisation WHERE id = $1 AND deleted_at IS NULL";
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
    /// The next number of a series, created with its first.
    pub(crate) NEXT_NUMBER = "INSERT INTO number_series (organisation_id, kind, last) VALUES ($1, $2, $3)
        ON CONFLICT (organisation_id, kind) DO UPDATE SET last = number_series.last + 1
        RETURNING last";
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
