//! Staff, their roles and sessions, API tokens.
//!
//! Who signs in is looked up by what only they know, before there is a scope. Everything else
//! takes `$1`, the path of the caller's organisation.

store::statements! {
    /// A token by its hash or the one before it, with its organisation and the role that
    /// bounds it.
    pub(crate) FIND_TOKEN = "SELECT t.id, t.name, t.organisation_id, t.used_at, t.scopes,
            t.allow_list, t.staff_id, t.rate_per_minute, o.path, r.permissions,
            s.status AS staff_status
        FROM api_token t
        JOIN organisation o ON o.id = t.organisation_id
        LEFT JOIN staff s ON s.id = t.staff_id AND s.deleted_at IS NULL
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        WHERE (t.token_hash = $1 OR (t.previous_hash = $1 AND t.previous_until > $2))
          AND t.deleted_at IS NULL AND o.deleted_at IS NULL
          AND (t.expires_at IS NULL OR t.expires_at > $2)";
    /// What bounds a token, by its id.
    pub(crate) FIND_TOKEN_BY_ID = "SELECT t.scopes, t.staff_id, r.permissions,
            s.status AS staff_status
        FROM api_token t
        LEFT JOIN staff s ON s.id = t.staff_id AND s.deleted_at IS NULL
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        WHERE t.id = $1 AND t.deleted_at IS NULL
          AND (t.expires_at IS NULL OR t.expires_at > $2)";
    /// Notes that a token was used, at most once a minute.
    pub(crate) TOUCH_TOKEN = "UPDATE api_token SET used_at = $2
        WHERE id = $1 AND (used_at IS NULL OR used_at < $3)";
    /// Creates a token.
    pub(crate) INSERT_TOKEN = "INSERT INTO api_token
        (id, organisation_id, name, token_hash, scopes, allow_list, staff_id, expires_at,
         created_at, created_by, updated_at, updated_by, rate_per_minute)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $10, $11)";
    /// A token as its rotation needs it.
    pub(crate) LOAD_TOKEN = "SELECT t.id, t.organisation_id, t.name, t.scopes, t.allow_list,
            t.staff_id, t.used_at, t.expires_at, t.previous_until, t.version, t.created_at,
            t.token_hash
        FROM api_token t
        WHERE t.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND t.id = $2 AND t.deleted_at IS NULL";
    /// Gives a token a new secret; the one before is taken until then.
    pub(crate) ROTATE_TOKEN = "UPDATE api_token SET previous_hash = token_hash,
            token_hash = $3, previous_until = $4, updated_at = $5, updated_by = $6,
            version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND token_hash = $7 AND deleted_at IS NULL";
    /// Adds to a token's requests of a day.
    pub(crate) COUNT_USAGE = "INSERT INTO api_token_usage (token_id, day, requests)
        VALUES ($1, $2, $3)
        ON CONFLICT (token_id, day) DO UPDATE
        SET requests = api_token_usage.requests + excluded.requests";
    /// A token's requests by day, the latest first.
    pub(crate) LIST_USAGE = "SELECT u.day, u.requests FROM api_token_usage u
        JOIN api_token t ON t.id = u.token_id
        WHERE t.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND t.id = $2 AND u.day >= $3 ORDER BY u.day DESC";

    /// A member of staff by e-mail.
    pub(crate) FIND_STAFF = "SELECT s.id, s.name, s.email, s.password_hash, s.organisation_id,
            s.allow_list, s.totp, s.totp_confirmed_at, s.must_change_password, s.failures,
            s.failed_at, s.code_failures, s.code_failed_at, o.path, o.name AS organisation, r.permissions, r.second_factor
        FROM staff s
        JOIN organisation o ON o.id = s.organisation_id
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        WHERE s.email = $1 AND s.deleted_at IS NULL AND s.status = 'active'
          AND o.deleted_at IS NULL";
    /// The same by id.
    pub(crate) FIND_STAFF_BY_ID = "SELECT s.id, s.name, s.email, s.password_hash,
            s.organisation_id, s.allow_list, s.totp, s.totp_confirmed_at,
            s.must_change_password, s.failures, s.failed_at, s.code_failures, s.code_failed_at,
            o.path, o.name AS organisation, r.permissions, r.second_factor
        FROM staff s
        JOIN organisation o ON o.id = s.organisation_id
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        WHERE s.id = $1 AND s.deleted_at IS NULL AND s.status = 'active'
          AND o.deleted_at IS NULL";
    /// Creates a member of staff.
    pub(crate) INSERT_STAFF = "INSERT INTO staff
        (id, organisation_id, email, name, password_hash, locale, role_id,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)";
    /// A member of staff of the subtree, as those who look after staff see one.
    pub(crate) LOAD_STAFF = "SELECT s.id, s.organisation_id, s.name, s.email, s.status,
            s.role_id, s.allow_list, s.locale, s.zone, s.totp_confirmed_at,
            s.must_change_password, s.version, s.created_at, o.path, r.permissions
        FROM staff s
        JOIN organisation o ON o.id = s.organisation_id
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        WHERE o.path LIKE $1 || '%' AND s.id = $2 AND s.deleted_at IS NULL";
    /// Sets whether one may sign in.
    pub(crate) SET_STATUS = "UPDATE staff SET status = $3, updated_at = $4, updated_by = $5,
            version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Gives a member of staff a role.
    pub(crate) SET_ROLE = "UPDATE staff SET role_id = $3, updated_at = $4, updated_by = $5,
            version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Sets a password; it need not be changed again.
    pub(crate) SET_PASSWORD = "UPDATE staff SET password_hash = $2, password_changed_at = $3,
            must_change_password = FALSE, updated_at = $3, updated_by = $4, version = version + 1
        WHERE id = $1 AND deleted_at IS NULL";
    /// Keeps the key of a second factor that is not in force yet.
    pub(crate) SET_TOTP = "UPDATE staff SET totp = $2
        WHERE id = $1 AND totp_confirmed_at IS NULL AND deleted_at IS NULL";
    /// Puts the second factor into force.
    pub(crate) CONFIRM_TOTP = "UPDATE staff SET totp_confirmed_at = $2, totp_step = $3,
            updated_at = $2, updated_by = $4, version = version + 1
        WHERE id = $1 AND totp_confirmed_at IS NULL AND totp IS NOT NULL AND totp_step < $3";
    /// Takes the second factor away.
    pub(crate) CLEAR_TOTP = "UPDATE staff SET totp = NULL, totp_confirmed_at = NULL,
            updated_at = $2, updated_by = $3, version = version + 1
        WHERE id = $1 AND deleted_at IS NULL";
    /// Takes a code of a time step, once.
    pub(crate) USE_STEP = "UPDATE staff SET totp_step = $2, code_failures = 0
        WHERE id = $1 AND totp_step < $2";
    /// Notes wrong codes.
    pub(crate) CODE_FAILED = "UPDATE staff SET code_failures = CASE
                WHEN code_failed_at > $3 THEN code_failures + 1 ELSE 1 END,
            code_failed_at = $2
        WHERE id = $1";
    /// Adds failed attempts from strange browsers.
    pub(crate) COUNT_FAILURES = "UPDATE staff SET failures = CASE
                WHEN failed_at > $4 THEN failures + $2 ELSE $2 END,
            failed_at = $3
        WHERE id = $1";
    /// Forgets failed attempts and wrong codes.
    pub(crate) UNLOCK = "UPDATE staff SET failures = 0, code_failures = 0 WHERE id = $1";
    /// Forgets failed attempts.
    pub(crate) FORGIVE = "UPDATE staff SET failures = 0 WHERE id = $1 AND failures > 0";
    /// Active staff of the root whose role has rights, to see who can do everything.
    pub(crate) ROOT_STAFF = "SELECT r.permissions FROM staff s
        JOIN organisation o ON o.id = s.organisation_id
        JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        WHERE o.parent_id IS NULL AND s.deleted_at IS NULL AND s.status = 'active'
          AND s.password_hash <> ''";
    /// One change of who may do what at a time: on SQLite every transaction is alone already.
    pub(crate) LOCK_ACCESS = {
        sqlite: "SELECT id FROM organisation WHERE parent_id IS NULL",
        postgres: "SELECT id FROM organisation WHERE parent_id IS NULL FOR UPDATE",
    };

    /// Creates a role.
    pub(crate) INSERT_ROLE = "INSERT INTO role
        (id, organisation_id, name, description, permissions, template, second_factor,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)";
    /// The roles there are, deleted ones too.
    pub(crate) COUNT_ROLES = "SELECT COUNT(*) AS roles FROM role";
    /// Gives a role to those who have none.
    pub(crate) GIVE_ROLE = "UPDATE staff SET role_id = $1 WHERE role_id IS NULL";
    /// A role one can see: the subtree's, and what the ancestors have.
    pub(crate) LOAD_ROLE = "SELECT r.id, r.organisation_id, r.name, r.description,
            r.permissions, r.template, r.second_factor, r.version, r.created_at
        FROM role r JOIN organisation o ON o.id = r.organisation_id
        WHERE (o.path LIKE $1 || '%' OR $1 LIKE o.path || '%')
          AND r.id = $2 AND r.deleted_at IS NULL";
    /// What a role grants, whoever asks.
    pub(crate) ROLE_PERMISSIONS = "SELECT permissions FROM role WHERE id = $1 AND deleted_at IS NULL";
    /// Whether a role is that of an organisation or of one above it.
    pub(crate) USABLE_ROLE = "SELECT r.id FROM role r
        JOIN organisation o ON o.id = r.organisation_id
        WHERE $1 LIKE o.path || '%' AND r.id = $2 AND r.deleted_at IS NULL";
    /// Whether somebody has a role, or is given it at the first sign-in.
    pub(crate) ROLE_IN_USE = "SELECT
            (SELECT COUNT(*) FROM staff WHERE role_id = $1 AND deleted_at IS NULL) AS staff,
            (SELECT COUNT(*) FROM identity_provider
                WHERE role_id = $1 AND deleted_at IS NULL) AS providers";

    /// A live staff session by the hash of its cookie, with whoever really sits there.
    pub(crate) FIND_SESSION = "SELECT x.id, x.created_at, x.seen_at, s.id AS staff_id, s.name, s.email,
            s.organisation_id, s.allow_list, s.locale, s.zone, o.path, r.permissions,
            x.impersonator_id, i.name AS impersonator, i.allow_list AS impersonator_allow_list,
            i.organisation_id AS impersonator_organisation_id,
            ir.permissions AS impersonator_permissions
        FROM staff_session x
        JOIN staff s ON s.id = x.staff_id
        JOIN organisation o ON o.id = s.organisation_id
        LEFT JOIN role r ON r.id = s.role_id AND r.deleted_at IS NULL
        LEFT JOIN staff i ON i.id = x.impersonator_id
        LEFT JOIN role ir ON ir.id = i.role_id AND ir.deleted_at IS NULL
        LEFT JOIN staff_session p ON p.id = x.parent_id
        WHERE x.token_hash = $1 AND x.ended_at IS NULL AND x.expires_at > $2
          AND s.deleted_at IS NULL AND s.status = 'active'
          AND o.deleted_at IS NULL
          AND (x.impersonator_id IS NULL OR (i.deleted_at IS NULL AND i.status = 'active'
               AND p.ended_at IS NULL AND p.expires_at > $2))";
    /// Begins a staff session.
    pub(crate) INSERT_SESSION = "INSERT INTO staff_session
        (id, staff_id, token_hash, created_at, seen_at, expires_at, address, user_agent,
         impersonator_id, parent_id)
        VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9)";
    /// Notes that a session was used.
    pub(crate) TOUCH_SESSION = "UPDATE staff_session SET seen_at = $2 WHERE id = $1 AND seen_at < $3";
    /// The session behind one that acts as another.
    pub(crate) PARENT_SESSION = "SELECT p.id, p.staff_id FROM staff_session x
        JOIN staff_session p ON p.id = x.parent_id
        WHERE x.id = $1 AND p.ended_at IS NULL AND p.expires_at > $2";
    /// Gives a session a new cookie; it counts as just used.
    pub(crate) RENEW_SESSION = "UPDATE staff_session SET token_hash = $2, seen_at = $3
        WHERE id = $1 AND ended_at IS NULL";
    /// Ends a session.
    pub(crate) END_SESSION = "UPDATE staff_session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    /// Ends a session, and the one behind it where it acts as another.
    pub(crate) END_BOTH = "UPDATE staff_session SET ended_at = $2
        WHERE (id = $1 OR id = (SELECT x.parent_id FROM staff_session x WHERE x.id = $1))
          AND ended_at IS NULL";
    /// Ends whichever session a cookie belongs to.
    pub(crate) END_BY_COOKIE = "UPDATE staff_session SET ended_at = $2
        WHERE token_hash = $1 AND ended_at IS NULL";
    /// Ends one of somebody's own sessions, those that grew from it included.
    pub(crate) END_OWN = "UPDATE staff_session SET ended_at = $3
        WHERE staff_id = $1 AND id = $2 AND impersonator_id IS NULL AND ended_at IS NULL";
    /// Ends somebody's sessions but one.
    pub(crate) END_OTHERS = "UPDATE staff_session SET ended_at = $3
        WHERE staff_id = $1 AND id <> $2 AND ended_at IS NULL";
    /// Ends one of somebody's sessions, whoever sits there.
    pub(crate) END_ONE = "UPDATE staff_session SET ended_at = $3
        WHERE staff_id = $1 AND id = $2 AND ended_at IS NULL";
    /// Somebody's live sessions, the latest used first; not those others have as them.
    pub(crate) LIST_SESSIONS = "SELECT id, created_at, seen_at, expires_at, address, user_agent
        FROM staff_session
        WHERE staff_id = $1 AND ended_at IS NULL AND expires_at > $2 AND seen_at > $3
          AND created_at > $4 AND impersonator_id IS NULL
        ORDER BY seen_at DESC, id DESC LIMIT 100";
    /// Whether somebody signed in from an address lately.
    pub(crate) KNOWN_ADDRESS = "SELECT COUNT(*) AS sessions FROM staff_session
        WHERE staff_id = $1 AND created_at > $2 AND address = $3 AND impersonator_id IS NULL";

    /// Begins the second half of a sign-in.
    pub(crate) INSERT_CHALLENGE = "INSERT INTO staff_challenge
        (id, staff_id, token_hash, attempts, passed, created_at, expires_at, provider_id)
        VALUES ($1, $2, $3, 0, FALSE, $4, $5, $6)";
    /// The second factor was proven, something else is due.
    pub(crate) PASS_CHALLENGE = "UPDATE staff_challenge SET passed = TRUE WHERE id = $1";
    /// Takes one attempt of a sign-in that is not complete, while it has any.
    pub(crate) TAKE_CHALLENGE = "UPDATE staff_challenge SET attempts = attempts + 1
        WHERE token_hash = $1 AND expires_at > $2 AND attempts < $3";
    /// A sign-in that is not complete.
    pub(crate) FIND_CHALLENGE = "SELECT id, staff_id, passed, provider_id FROM staff_challenge
        WHERE token_hash = $1 AND expires_at > $2 AND attempts < $3";
    /// Ends it.
    pub(crate) DELETE_CHALLENGE = "DELETE FROM staff_challenge WHERE id = $1";
    /// Ends all of somebody's, and those nobody came back to.
    pub(crate) DELETE_CHALLENGES = "DELETE FROM staff_challenge WHERE staff_id = $1 OR expires_at < $2";

    /// A browser somebody is known with.
    pub(crate) FIND_BROWSER = "SELECT id, failures FROM staff_browser
        WHERE token_hash = $1 AND staff_id = $2 AND seen_at > $3";
    /// Makes a browser known.
    pub(crate) INSERT_BROWSER = "INSERT INTO staff_browser
        (id, staff_id, token_hash, failures, created_at, seen_at)
        VALUES ($1, $2, $3, 0, $4, $4)";
    /// Counts a failure against a known browser.
    pub(crate) BROWSER_FAILED = "UPDATE staff_browser SET failures = failures + 1, failed_at = $2
        WHERE id = $1";
    /// A known browser signed in.
    pub(crate) BROWSER_SEEN = "UPDATE staff_browser SET failures = 0, seen_at = $2 WHERE id = $1";
    /// A browser is known no longer.
    pub(crate) DELETE_BROWSER = "DELETE FROM staff_browser WHERE id = $1";
    /// No browser of somebody's is known.
    pub(crate) DELETE_BROWSERS = "DELETE FROM staff_browser WHERE staff_id = $1";

    /// Keeps a recovery code.
    pub(crate) INSERT_CODE = "INSERT INTO staff_recovery_code (id, staff_id, code_hash, created_at)
        VALUES ($1, $2, $3, $4)";
    /// Takes a recovery code, once.
    pub(crate) USE_CODE = "UPDATE staff_recovery_code SET used_at = $3
        WHERE staff_id = $1 AND code_hash = $2 AND used_at IS NULL";
    /// Recovery codes that are left.
    pub(crate) COUNT_CODES = "SELECT COUNT(*) AS codes FROM staff_recovery_code
        WHERE staff_id = $1 AND used_at IS NULL";
    /// Takes all recovery codes away.
    pub(crate) DELETE_CODES = "DELETE FROM staff_recovery_code WHERE staff_id = $1";

    /// Makes a link to set a password with.
    pub(crate) INSERT_LINK = "INSERT INTO staff_link
        (id, staff_id, token_hash, created_at, created_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    /// Whose link it is, while it is good.
    pub(crate) FIND_LINK = "SELECT l.id, l.staff_id FROM staff_link l
        JOIN staff s ON s.id = l.staff_id
        WHERE l.token_hash = $1 AND l.expires_at > $2 AND l.used_at IS NULL
          AND s.deleted_at IS NULL AND s.status = 'active'";
    /// Takes a link, once.
    pub(crate) USE_LINK = "UPDATE staff_link SET used_at = $2 WHERE id = $1 AND used_at IS NULL";
    /// Takes the links somebody has not used.
    pub(crate) END_LINKS = "UPDATE staff_link SET used_at = $2 WHERE staff_id = $1 AND used_at IS NULL";
}
