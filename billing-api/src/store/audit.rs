//! Audit entries and the outbox.

/// Where audit entries go, for many at once.
pub(crate) const AUDIT_COLUMNS: &str = "audit_entry
    (id, organisation_id, at, actor, action, entity, entity_id, before, after, request_id,
     impersonator, category, critical)";
/// Where domain events go, for many at once.
pub(crate) const EVENT_COLUMNS: &str =
    "outbox (id, organisation_id, at, kind, entity_id, format, payload, policy_keys)";

store::statements! {
    /// Writes an audit entry.
    pub(crate) INSERT_AUDIT = "INSERT INTO audit_entry
        (id, organisation_id, at, actor, action, entity, entity_id, before, after, request_id, impersonator,
         category, critical)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    /// Writes a domain event.
    pub(crate) INSERT_EVENT = "INSERT INTO outbox
        (id, organisation_id, at, kind, entity_id, format, payload, policy_keys)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// Both at once, and the words of the record where `$17` names one. In Postgres a statement
    /// may write several tables, and each statement is a turn on the wire; SQLite has neither.
    pub(crate) RECORD = {
        sqlite: "SELECT 1 AS unused",
        postgres: "WITH entry AS (INSERT INTO audit_entry
                (id, organisation_id, at, actor, action, entity, entity_id, before, after,
                 request_id, impersonator, category, critical)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $20, $21)),
            found AS (INSERT INTO search_entry (record_id, entity, organisation_id, title, words)
                SELECT $17::uuid, $6, $2, $18::text, $19::text WHERE $17 IS NOT NULL
                ON CONFLICT (record_id) DO UPDATE SET organisation_id = excluded.organisation_id,
                    title = excluded.title, words = excluded.words)
            INSERT INTO outbox
                (id, organisation_id, at, kind, entity_id, format, payload, policy_keys)
            VALUES ($12, $2, $3, $13, $7, $14, $15, $16)",
    };
    /// The latest audit entries of the subtree, for the activity feed.
    pub(crate) LATEST = "SELECT at, actor, action, entity, entity_id FROM audit_entry
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
        ORDER BY at DESC, id DESC LIMIT $2";
}
