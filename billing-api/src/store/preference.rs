//! What the console remembers of each member of staff.
//!
//! A row belongs to the person and not to an organisation, so that the scope is the person's
//! own id.

store::statements! {
    /// Everything remembered of someone.
    pub(crate) OF = "SELECT key, value FROM console_preference WHERE staff_id = $1";
    /// Remembers something.
    pub(crate) KEEP = "INSERT INTO console_preference (staff_id, key, value, updated_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (staff_id, key) DO UPDATE SET value = excluded.value,
            updated_at = excluded.updated_at";
    /// Forgets something.
    pub(crate) FORGET = "DELETE FROM console_preference WHERE staff_id = $1 AND key = $2";
}
