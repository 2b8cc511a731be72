//! The policy line: what the relay reads and writes. Not scoped: the network is one.

store::statements! {
    /// Creates a line.
    pub(crate) INSERT_LINE = "INSERT INTO policy_line (name, epoch, revision, published, live)
        VALUES ($1, $2, 0, 0, 0) ON CONFLICT (name) DO NOTHING";
    /// A line.
    pub(crate) FIND_LINE = "SELECT epoch, revision, published, live FROM policy_line WHERE name = $1";
    /// A line, locked until the transaction ends: revisions are given one relay at a time.
    pub(crate) LOCK_LINE = {
        sqlite: "SELECT epoch, revision, published, live FROM policy_line WHERE name = $1",
        postgres: "SELECT epoch, revision, published, live FROM policy_line WHERE name = $1
            FOR UPDATE",
    };
    /// Moves a line on.
    pub(crate) ADVANCE_LINE = "UPDATE policy_line SET revision = $2, live = $3 WHERE name = $1";
    /// Gives a line another epoch.
    pub(crate) RENEW_EPOCH = "UPDATE policy_line SET epoch = $2 WHERE name = $1";
    /// Everything up to here is on the bus.
    pub(crate) SET_PUBLISHED = "UPDATE policy_line SET published = $2 WHERE name = $1 AND published < $2";
    /// Events whose policy has not been taken over.
    pub(crate) WAITING = "SELECT seq, policy_keys FROM outbox
        WHERE policy_keys IS NOT NULL AND relayed_at IS NULL ORDER BY seq LIMIT $1";
    /// Events were taken over; their numbers are a JSON document.
    pub(crate) SET_RELAYED = {
        sqlite: "UPDATE outbox SET relayed_at = $2
            WHERE seq IN (SELECT value FROM json_each($1))",
        postgres: "UPDATE outbox SET relayed_at = $2
            WHERE seq IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb) AS t (value))",
    };
    /// The states of records; their keys are a JSON document.
    pub(crate) FIND_STATES = {
        sqlite: "SELECT key, body FROM policy_state
            WHERE key IN (SELECT value FROM json_each($1))",
        postgres: "SELECT key, body FROM policy_state
            WHERE key IN (SELECT value FROM jsonb_array_elements_text($1::jsonb) AS t (value))",
    };
    /// Sets the states of records: key, revision, and the body as text.
    pub(crate) PUT_STATES = {
        // "WHERE true": without it SQLite takes ON for the condition of a join.
        sqlite: "INSERT INTO policy_state (key, revision, body)
            SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true
            ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, body = excluded.body",
        postgres: "INSERT INTO policy_state (key, revision, body)
            SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::jsonb
            FROM jsonb_array_elements($1::jsonb) AS t (value)
            ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, body = excluded.body",
    };
    /// What is to be published, in the order of its revisions.
    pub(crate) STATES_AFTER = "SELECT key, revision, body FROM policy_state
        WHERE revision > $1 ORDER BY revision LIMIT $2";
    /// Live records in the order of their keys, for a snapshot.
    pub(crate) STATES_BY_KEY = "SELECT key, revision, body FROM policy_state
        WHERE key > $1 AND body IS NOT NULL ORDER BY key LIMIT $2";

    /// A plan version with its plan.
    pub(crate) LOAD_PROFILE = "SELECT v.id, v.plan_id, p.organisation_id, p.name, v.gives
        FROM plan_version v JOIN plan p ON p.id = v.plan_id WHERE v.id = $1";
    /// Services, the plan versions they are on, and their zones where one of the two has hours.
    pub(crate) LOAD_SERVICES = {
        sqlite: "SELECT s.*, v.id AS profile,
                CASE WHEN COALESCE(s.login_time, v.gives -> 'rules' ->> 'login_time') IS NOT NULL
                    THEN s.zone END AS told_zone
            FROM service s JOIN plan p ON p.id = s.plan_id
            JOIN plan_version v ON v.id = COALESCE(s.pinned_version_id, p.current_version_id)
            WHERE s.id IN (SELECT unhex(value) FROM json_each($1)) AND s.deleted_at IS NULL",
        postgres: "SELECT s.*, v.id AS profile,
                CASE WHEN COALESCE(s.login_time, v.gives -> 'rules' ->> 'login_time') IS NOT NULL
                    THEN s.zone END AS told_zone
            FROM service s JOIN plan p ON p.id = s.plan_id
            JOIN plan_version v ON v.id = COALESCE(s.pinned_version_id, p.current_version_id)
            WHERE s.id = ANY($1) AND s.deleted_at IS NULL",
    };
    /// A client.
    pub(crate) LOAD_CLIENT = "SELECT c.id, c.organisation_id, c.source, c.secret, c.previous_secret,
            c.nas_id, c.vendor, COALESCE(n.message_authenticator, 'learn') AS message_authenticator
        FROM radius_client c LEFT JOIN nas n ON n.id = c.nas_id
        WHERE c.id = $1 AND c.deleted_at IS NULL";
    /// A NAS.
    pub(crate) LOAD_NAS = "SELECT * FROM nas WHERE id = $1 AND deleted_at IS NULL";
}
