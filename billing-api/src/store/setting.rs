//! Settings of organisations, and the files they show.

store::statements! {
    /// An organisation and its ancestors, the root first, each with what it has set. One row a
    /// setting; an organisation without any has one row without a key.
    pub(crate) LAYERS = "SELECT o.id, o.name, o.legal_entity, s.key, s.value, c.version
        FROM organisation t
        JOIN organisation o ON t.path LIKE o.path || '%'
        LEFT JOIN setting s ON s.organisation_id = o.id
        LEFT JOIN configuration c ON c.organisation_id = t.id
        WHERE t.id = $1 AND t.deleted_at IS NULL
        ORDER BY length(o.path), s.key";
    /// Changes with every committed change of any organisation's settings.
    pub(crate) REVISION = "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) AS revision
        FROM configuration";
    /// Notes a change; its version is the organisation's. Locks the organisation's settings
    /// until the commit.
    pub(crate) TOUCH = "INSERT INTO configuration (organisation_id, version) VALUES ($1, 1)
        ON CONFLICT (organisation_id) DO UPDATE SET version = configuration.version + 1
        RETURNING version";
    /// Sets.
    pub(crate) SET = "INSERT INTO setting
        (organisation_id, key, value, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $4, $5)
        ON CONFLICT (organisation_id, key) DO UPDATE SET value = excluded.value,
            version = setting.version + 1, updated_at = excluded.updated_at,
            updated_by = excluded.updated_by";
    /// Inherits again.
    pub(crate) CLEAR = "DELETE FROM setting WHERE organisation_id = $1 AND key = $2";
    /// Keeps a file; the same one is kept once.
    pub(crate) INSERT_BLOB = "INSERT INTO blob
        (organisation_id, hash, kind, content_type, content, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (organisation_id, hash) DO NOTHING";
    /// A file by its hash, whoever's it is: whoever knows the hash has seen the file.
    pub(crate) FIND_BLOB = "SELECT content_type, content FROM blob
        WHERE hash = $1 AND kind = $2 LIMIT 1";
    /// Removes an organisation's files of a kind, but for one.
    pub(crate) DELETE_BLOBS = "DELETE FROM blob
        WHERE organisation_id = $1 AND kind = $2 AND hash <> $3";
}
