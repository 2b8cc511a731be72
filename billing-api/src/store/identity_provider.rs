//! Providers that staff sign in through, and whom they know as whom.
//!
//! Who signs in is looked up below the organisation whose provider it is: its path stands in each
//! of these statements, so that no provider opens an account of another tenant.

store::statements! {
    /// A provider in use, with the path of whose it is.
    pub(crate) FIND = "SELECT p.*, o.path AS home_path
        FROM identity_provider p JOIN organisation o ON o.id = p.organisation_id
        WHERE p.id = $1 AND p.enabled AND p.deleted_at IS NULL AND o.deleted_at IS NULL";
    /// One of the subtree, in use or not.
    pub(crate) LOAD = "SELECT p.*, o.path AS home_path
        FROM identity_provider p JOIN organisation o ON o.id = p.organisation_id
        WHERE o.path LIKE $1 || '%' AND p.id = $2 AND p.deleted_at IS NULL";
    /// Those an organisation offers on its sign-in page.
    pub(crate) OFFERED = "SELECT id, name FROM identity_provider
        WHERE organisation_id = $1 AND enabled AND deleted_at IS NULL ORDER BY name, id LIMIT $2";
    /// The provider that staff of an organisation must use, the nearest first.
    pub(crate) REQUIRED = "SELECT p.name
        FROM organisation me
        JOIN organisation o ON me.path LIKE o.path || '%'
        JOIN identity_provider p ON p.organisation_id = o.id
        WHERE me.id = $1 AND p.required AND p.enabled AND p.deleted_at IS NULL
        ORDER BY LENGTH(o.path) DESC LIMIT 1";
    /// Required ones of an organisation are required no more.
    pub(crate) RELEASE = "UPDATE identity_provider SET required = FALSE, version = version + 1,
            updated_at = $2, updated_by = $3
        WHERE organisation_id = $1 AND required AND deleted_at IS NULL";
    /// Keeps a client secret.
    pub(crate) SET_SECRET = "UPDATE identity_provider SET client_secret = $2 WHERE id = $1";
    /// Keeps what came of a check.
    pub(crate) CHECKED = "UPDATE identity_provider SET checked_at = $3, check_problem = $4
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// What staff of a subtree may do, those too who are disabled for now.
    pub(crate) RIGHTS_BELOW = "SELECT DISTINCT s.role_id FROM staff s
        JOIN organisation o ON o.id = s.organisation_id
        WHERE o.path LIKE $1 || '%' AND s.deleted_at IS NULL AND s.role_id IS NOT NULL";
    /// Whether what is at one path would come under a provider at another that it is not under now.
    pub(crate) COMES_UNDER = "SELECT 1 AS found FROM identity_provider p
        JOIN organisation o ON o.id = p.organisation_id
        WHERE $2 LIKE o.path || '%' AND $1 NOT LIKE o.path || '%' AND p.deleted_at IS NULL
        LIMIT 1";
    /// Whether somebody came through a provider, under the issuer it has now.
    pub(crate) USED = "SELECT COUNT(*) AS staff FROM staff_subject x
        JOIN staff s ON s.id = x.staff_id
        JOIN organisation o ON o.id = s.organisation_id
        WHERE o.path LIKE $1 || '%' AND x.provider_id = $2 AND x.issuer = $3
          AND s.deleted_at IS NULL AND s.status = 'active'";

    /// Whom a provider means by a subject.
    pub(crate) KNOWN = "SELECT s.id, s.status FROM staff_subject x
        JOIN staff s ON s.id = x.staff_id
        JOIN organisation o ON o.id = s.organisation_id
        WHERE o.path LIKE $1 || '%' AND x.provider_id = $2 AND x.issuer = $3 AND x.subject = $4
          AND s.deleted_at IS NULL";
    /// Staff by e-mail, and whether the provider knows them as somebody already.
    pub(crate) BY_EMAIL = "SELECT s.id, s.status,
            (SELECT COUNT(*) FROM staff_subject x WHERE x.staff_id = s.id
                AND x.provider_id = $2 AND x.issuer = $3) AS subjects
        FROM staff s JOIN organisation o ON o.id = s.organisation_id
        WHERE o.path LIKE $1 || '%' AND s.email = $4 AND s.deleted_at IS NULL";
    /// Whether anybody at all has an address.
    pub(crate) EMAIL_TAKEN = "SELECT COUNT(*) AS staff FROM staff
        WHERE email = $1 AND deleted_at IS NULL";
    /// Keeps whom a provider means by a subject.
    pub(crate) INSERT_SUBJECT = "INSERT INTO staff_subject
        (id, staff_id, provider_id, issuer, subject, created_at, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    /// Notes that a subject came in.
    pub(crate) TOUCH_SUBJECT = "UPDATE staff_subject SET used_at = $4
        WHERE provider_id = $1 AND issuer = $2 AND subject = $3";
    /// No provider knows somebody any more.
    pub(crate) FORGET_SUBJECTS = "DELETE FROM staff_subject WHERE staff_id = $1";

    /// Takes an answer, once.
    pub(crate) TAKE_ANSWER = "INSERT INTO provider_answer (state_hash, expires_at) VALUES ($1, $2)
        ON CONFLICT (state_hash) DO NOTHING";
    /// Forgets answers that would not be taken anyway.
    pub(crate) FORGET_ANSWERS = "DELETE FROM provider_answer WHERE expires_at < $1";
}
