//! Staff, their roles and sessions, API tokens.
//!
//! These are looked up by what only their owner knows, before there is a scope.

store::statements! {
    /// A token by its hash, with its organisation.
    pub(crate) FIND_TOKEN = "SELECT t.id, t.name, t.organisation_id, t.used_at, t.scopes, o.path
        FROM api_token t JOIN organisation o ON o.id = t.organisation_id
        WHERE t.token_hash = $1 AND t.deleted_at IS NULL
          AND (t.expires_at IS NULL OR t.expires_at > $2)";
    /// Notes that a token was used, at most once a minute.
    pub(crate) TOUCH_TOKEN = "UPDATE api_token SET used_at = $2
        WHERE id = $1 AND (used_at IS NULL OR used_at < $3)";
    /// Creates a token.
    pub(crate) INSERT_TOKEN = "INSERT INTO api_token
        (id, organisation_id, name, token_hash, scopes,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7)";
    /// A member of staff by e-mail.
    pub(crate) FIND_STAFF = "SELECT s.id, s.name, s.email, s.password_hash, s.organisation_id, o.path
        FROM staff s JOIN organisation o ON o.id = s.organisation_id
        WHERE s.email = $1 AND s.deleted_at IS NULL AND s.status = 'active'";
    /// Creates a member of staff.
    pub(crate) INSERT_STAFF = "INSERT INTO staff
        (id, organisation_id, email, name, password_hash, locale, role_id,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)";
    /// Creates a role.
    pub(crate) INSERT_ROLE = "INSERT INTO role
        (id, organisation_id, name, description, permissions, template, second_factor,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)";
    /// The roles there are, deleted ones too.
    pub(crate) COUNT_ROLES = "SELECT COUNT(*) AS roles FROM role";
    /// Gives a role to those who have none.
    pub(crate) GIVE_ROLE = "UPDATE staff SET role_id = $1 WHERE role_id IS NULL";
    /// A live staff session by the hash of its cookie.
    pub(crate) FIND_SESSION = "SELECT x.id, x.seen_at, s.id AS staff_id, s.name, s.email,
            s.organisation_id, o.path, r.permissions
        FROM staff_session x
        JOIN staff s ON s.id = x.staff_id
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        JOIN organisation o ON o.id = s.organisation_id
        WHERE x.token_hash = $1 AND x.ended_at IS NULL AND x.expires_at > $2
          AND x.seen_at > $3 AND s.deleted_at IS NULL AND s.status = 'active'";
    /// Begins a staff session.
    pub(crate) INSERT_SESSION = "INSERT INTO staff_session
        (id, staff_id, token_hash, created_at, seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $4, $5)";
    /// Notes that a session was used.
    pub(crate) TOUCH_SESSION = "UPDATE staff_session SET seen_at = $2 WHERE id = $1 AND seen_at < $3";
    /// Ends a session.
    pub(crate) END_SESSION = "UPDATE staff_session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
}
