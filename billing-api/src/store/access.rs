//! Staff, their sessions, API tokens.
//!
//! These are looked up by what only their owner knows, before there is a scope.

store::statements! {
    /// A token by its hash, with its organisation.
    pub(crate) FIND_TOKEN = "SELECT t.id, t.name, t.organisation_id, t.used_at, o.path
        FROM api_token t JOIN organisation o ON o.id = t.organisation_id
        WHERE t.token_hash = $1 AND t.deleted_at IS NULL
          AND (t.expires_at IS NULL OR t.expires_at > $2)";
    /// Notes that a token was used, at most once a minute.
    pub(crate) TOUCH_TOKEN = "UPDATE api_token SET used_at = $2
        WHERE id = $1 AND (used_at IS NULL OR used_at < $3)";
    /// Creates a token.
    pub(crate) INSERT_TOKEN = "INSERT INTO api_token
        (id, organisation_id, name, token_hash, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $5, $6)";
    /// A member of staff by e-mail.
    pub(crate) FIND_STAFF = "SELECT s.id, s.name, s.email, s.password_hash, s.organisation_id, o.path
        FROM staff s JOIN organisation o ON o.id = s.organisation_id
        WHERE s.email = $1 AND s.deleted_at IS NULL";
    /// Creates a member of staff.
    pub(crate) INSERT_STAFF = "INSERT INTO staff
        (id, organisation_id, email, name, password_hash, locale,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8)";
    /// A live staff session by the hash of its cookie.
    pub(crate) FIND_SESSION = "SELECT x.id, x.seen_at, s.id AS staff_id, s.name, s.email,
            s.organisation_id, o.path
        FROM staff_session x
        JOIN staff s ON s.id = x.staff_id
        JOIN organisation o ON o.id = s.organisation_id
        WHERE x.token_hash = $1 AND x.ended_at IS NULL AND x.expires_at > $2
          AND x.seen_at > $3 AND s.deleted_at IS NULL";
    /// Begins a staff session.
    pub(crate) INSERT_SESSION = "INSERT INTO staff_session
        (id, staff_id, token_hash, created_at, seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $4, $5)";
    /// Notes that a session was used.
    pub(crate) TOUCH_SESSION = "UPDATE staff_session SET seen_at = $2 WHERE id = $1 AND seen_at < $3";
    /// Ends a session.
    pub(crate) END_SESSION = "UPDATE staff_session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
}
