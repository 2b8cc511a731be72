//! Customers, besides what their description says.

store::statements! {
    /// One customer.
    pub(crate) FIND = "SELECT * FROM customer
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// How many there are.
    pub(crate) COUNT = "SELECT COUNT(*) AS count FROM customer
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND deleted_at IS NULL";
}
