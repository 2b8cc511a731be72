//! Customers.

use model::{CustomerId, OrganisationId, Ts};
use store::{Row, StoreError};

store::statements! {
    /// Creates a customer.
    pub(crate) INSERT = "INSERT INTO customer
        (id, organisation_id, number, name, email, phone, status, locale,
         external_source, external_id, created_at, created_by, updated_at, updated_by, search)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $12, $13)";
    /// One customer.
    pub(crate) FIND = "SELECT * FROM customer
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// A page, the newest first: those before an id, where the pattern is met by
    /// name, e-mail address or telephone number.
    pub(crate) LIST = {
        sqlite: "SELECT * FROM customer
            WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
              AND deleted_at IS NULL AND ($2 IS NULL OR id < $2)
              AND ($3 IS NULL OR search LIKE $3 ESCAPE '!')
            ORDER BY id DESC LIMIT $4",
        postgres: "SELECT * FROM customer
            WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
              AND deleted_at IS NULL AND ($2::uuid IS NULL OR id < $2)
              AND ($3::text IS NULL OR search LIKE $3 ESCAPE '!')
            ORDER BY id DESC LIMIT $4",
    };
    /// How many there are.
    pub(crate) COUNT = "SELECT COUNT(*) AS count FROM customer
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND deleted_at IS NULL";
}

/// A customer.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Its number for people.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// Where it gets mail.
    pub email: Option<String>,
    /// Its telephone number.
    pub phone: Option<String>,
    /// Where it is in its life.
    pub status: String,
    /// The language it reads.
    pub locale: String,
    /// The system it was imported from, and its id there.
    pub external: (Option<String>, Option<String>),
    /// Rises with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Ts,
    /// When it last changed.
    pub updated_at: Ts,
}

/// Reads a row.
pub(crate) fn customer(row: &Row) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        number: row.get("number")?,
        name: row.get("name")?,
        email: row.get("email")?,
        phone: row.get("phone")?,
        status: row.get("status")?,
        locale: row.get("locale")?,
        external: (row.get("external_source")?, row.get("external_id")?),
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
