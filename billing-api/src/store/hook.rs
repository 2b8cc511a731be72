//! Webhooks, deliveries and their attempts.

use model::{DeliveryId, EventId, OrganisationId, Sealed, Ts, WebhookId};
use serde_json::Value;
use store::{Row, StoreError};
use uuid::Uuid;

store::statements! {
    /// One webhook.
    pub(crate) FIND = "SELECT * FROM webhook
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Keeps a new webhook's secret: it is sealed to the id, which comes with the row.
    pub(crate) SET_SECRET = "UPDATE webhook SET secret = $2 WHERE id = $1";
    /// Keeps the token or password of a webhook.
    pub(crate) SET_AUTH_SECRET = "UPDATE webhook SET auth_secret = $2 WHERE id = $1";
    /// Gives a webhook a new secret; the old one signs too for a while.
    pub(crate) ROTATE = "UPDATE webhook
        SET previous_secret = $4, previous_until = $5, secret = $6, version = version + 1,
            updated_at = $7, updated_by = $8
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND version = $3 AND deleted_at IS NULL";
    /// The names of an organisation's webhooks.
    pub(crate) NAMES = "SELECT name FROM webhook WHERE organisation_id = $1 AND deleted_at IS NULL";

    /// Whether any event waits to be given out.
    pub(crate) UNHEARD = "SELECT 1 AS found FROM outbox
        WHERE fanned_out_at IS NULL AND format <= $1 LIMIT 1";
    /// Events to give out. Whoever else does so takes others.
    pub(crate) TAKE_EVENTS = {
        sqlite: "SELECT e.seq, e.id, e.organisation_id, e.at, e.kind, e.entity_id, e.payload, o.path
            FROM outbox e JOIN organisation o ON o.id = e.organisation_id
            WHERE e.fanned_out_at IS NULL AND e.format <= $1 ORDER BY e.seq LIMIT $2",
        postgres: "SELECT e.seq, e.id, e.organisation_id, e.at, e.kind, e.entity_id, e.payload, o.path
            FROM outbox e JOIN organisation o ON o.id = e.organisation_id
            WHERE e.fanned_out_at IS NULL AND e.format <= $1 ORDER BY e.seq LIMIT $2
            FOR UPDATE OF e SKIP LOCKED",
    };
    /// Marks events as given out. The range is for the index; the ids decide.
    pub(crate) MARK_EVENTS = {
        sqlite: "UPDATE outbox SET fanned_out_at = $1
            WHERE fanned_out_at IS NULL AND seq BETWEEN $2 AND $3
              AND id IN (SELECT unhex(value) FROM json_each($4))",
        postgres: "UPDATE outbox SET fanned_out_at = $1
            WHERE fanned_out_at IS NULL AND seq BETWEEN $2 AND $3 AND id = ANY($4)",
    };
    /// Marks events nobody listens to, without looking at them.
    pub(crate) MARK_UNHEARD = {
        sqlite: "UPDATE outbox SET fanned_out_at = $1 WHERE seq IN
            (SELECT seq FROM outbox WHERE fanned_out_at IS NULL AND format <= $2
             ORDER BY seq LIMIT $3)",
        postgres: "UPDATE outbox SET fanned_out_at = $1 WHERE seq = ANY(ARRAY
            (SELECT seq FROM outbox WHERE fanned_out_at IS NULL AND format <= $2
             ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED))",
    };
    /// Every webhook that listens, with the path of its organisation.
    pub(crate) LISTENING = "SELECT w.id, w.organisation_id, w.name, w.events, w.attempts_max,
            w.created_at, o.path
        FROM webhook w JOIN organisation o ON o.id = w.organisation_id
        WHERE w.enabled AND w.deleted_at IS NULL AND o.deleted_at IS NULL";
    /// Puts an event on its way; once.
    pub(crate) INSERT_DELIVERY = "INSERT INTO webhook_delivery
        (id, organisation_id, kind, target_id, target_name, event_id, event_kind, event_at,
         entity_id, body, state, attempts, attempts_left, attempts_max, next_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting', 0, $11, $11, $12, $12)
        ON CONFLICT (target_id, event_id) DO NOTHING";

    /// When each webhook that listens is due.
    pub(crate) DUE = "SELECT w.id, w.throttled_until, w.failing_since,
            (SELECT MIN(d.next_at) FROM webhook_delivery d
             WHERE d.target_id = w.id AND d.state = 'waiting') AS due
        FROM webhook w WHERE w.enabled AND w.deleted_at IS NULL";
    /// When a target is due.
    pub(crate) DUE_ONE = "SELECT MIN(next_at) AS due FROM webhook_delivery
        WHERE target_id = $1 AND state = 'waiting'";
    /// What is needed to send to a webhook.
    pub(crate) SENDING = "SELECT w.*, o.path FROM webhook w
        JOIN organisation o ON o.id = w.organisation_id
        WHERE w.id = $1 AND w.enabled AND w.deleted_at IS NULL";
    /// Takes deliveries that are due, by making them due again later.
    pub(crate) CLAIM = {
        sqlite: "UPDATE webhook_delivery SET next_at = $3 WHERE id IN
            (SELECT id FROM webhook_delivery
             WHERE target_id = $1 AND state = 'waiting' AND next_at <= $2
             ORDER BY next_at, id LIMIT $4) RETURNING *",
        postgres: "UPDATE webhook_delivery SET next_at = $3 WHERE id = ANY(ARRAY
            (SELECT id FROM webhook_delivery
             WHERE target_id = $1 AND state = 'waiting' AND next_at <= $2
             ORDER BY next_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING *",
    };
    /// Writes how an attempt ended, if the delivery is still the one that was taken. One that was
    /// dropped while it was under way is not tried again.
    pub(crate) SETTLE = "UPDATE webhook_delivery
        SET state = CASE WHEN state = 'dropped' AND $3 = 'waiting' THEN 'dropped' ELSE $3 END,
            attempts = attempts + 1, attempts_left = $4, next_at = $5, status = $6,
            error = $7, latency_ms = $8, settled_at = COALESCE($9, settled_at)
        WHERE id = $1 AND state IN ('waiting', 'dropped') AND next_at = $2";
    /// Writes an attempt.
    pub(crate) INSERT_ATTEMPT = "INSERT INTO webhook_attempt
        (id, delivery_id, number, at, status, error, latency_ms, answer, truncated)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Counts a delivery that ended.
    pub(crate) COUNT_DAY = "INSERT INTO webhook_day (webhook_id, day, delivered, failed)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (webhook_id, day) DO UPDATE
        SET delivered = webhook_day.delivered + excluded.delivered,
            failed = webhook_day.failed + excluded.failed";
    /// Writes what an attempt says of its webhook. Counts since a day give the success rate.
    pub(crate) TOUCH = {
        sqlite: "UPDATE webhook SET triggered_at = $2,
                failing_since = CASE WHEN $3 THEN NULL ELSE COALESCE(failing_since, $2) END,
                throttled_until = COALESCE($4, throttled_until),
                success_percent = (SELECT SUM(delivered) * 100 / SUM(delivered + failed)
                    FROM webhook_day WHERE webhook_id = $1 AND day > $5)
            WHERE id = $1 RETURNING failing_since, enabled",
        postgres: "UPDATE webhook SET triggered_at = $2,
                failing_since = CASE WHEN $3 THEN NULL ELSE COALESCE(failing_since, $2) END,
                throttled_until = COALESCE($4, throttled_until),
                success_percent = (SELECT (SUM(delivered) * 100)::bigint / SUM(delivered + failed)::bigint
                    FROM webhook_day WHERE webhook_id = $1 AND day > $5)
            WHERE id = $1 RETURNING failing_since, enabled",
    };
    /// Switches a webhook off; once.
    pub(crate) DISABLE = "UPDATE webhook
        SET enabled = FALSE, disabled_reason = $2, version = version + 1, updated_at = $3,
            updated_by = $4
        WHERE id = $1 AND enabled AND deleted_at IS NULL RETURNING *";
    /// Drops what waits for a target.
    pub(crate) DROP_WAITING = "UPDATE webhook_delivery
        SET state = 'dropped', error = $2, settled_at = $3
        WHERE target_id = $1 AND state = 'waiting'";

    /// One delivery.
    pub(crate) FIND_DELIVERY = "SELECT * FROM webhook_delivery
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2";
    /// Its attempts, the first first.
    pub(crate) ATTEMPTS = "SELECT * FROM webhook_attempt WHERE delivery_id = $1 ORDER BY number, id";
    /// Sends a delivery again: another round of attempts.
    pub(crate) REPLAY = "UPDATE webhook_delivery
        SET state = 'waiting', attempts_left = attempts_max, next_at = $3, settled_at = NULL
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND state <> 'waiting'";
    /// Sends again what did not arrive since an instant.
    pub(crate) REPLAY_FAILED = "UPDATE webhook_delivery
        SET state = 'waiting', attempts_left = attempts_max, next_at = $4, settled_at = NULL
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND target_id = $2 AND created_at >= $3 AND state IN ('failed', 'dropped')";

    /// Forgets deliveries that ended, the oldest first.
    pub(crate) PURGE = "DELETE FROM webhook_delivery WHERE id IN
        (SELECT id FROM webhook_delivery WHERE created_at < $1 AND state <> 'waiting'
         ORDER BY created_at LIMIT $2)";
    /// Drops what waits for a program that is listed no more, and what waited for too long.
    pub(crate) DROP_OLD = "UPDATE webhook_delivery
        SET state = 'dropped', error = $2, settled_at = $3
        WHERE state = 'waiting' AND created_at < $1";
    /// Forgets old counts.
    pub(crate) PURGE_DAYS = "DELETE FROM webhook_day WHERE day < $1";
}

/// A webhook.
#[derive(Debug, Clone)]
pub(crate) struct WebhookRow {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is: it hears of that organisation and those below.
    pub organisation: OrganisationId,
    /// What staff call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// POST or PUT.
    pub method: String,
    /// The patterns of what it hears.
    pub events: Vec<String>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// none, bearer or basic.
    pub auth: String,
    /// The user name for basic.
    pub auth_user: Option<String>,
    /// The token or password.
    pub auth_secret: Option<Sealed>,
    /// What messages are signed with.
    pub secret: Sealed,
    /// The one before, and until when it signs too.
    pub previous: Option<(Sealed, Ts)>,
    /// How the waits between attempts grow.
    pub backoff: String,
    /// Rises with each change by people.
    pub version: i64,
}

/// Reads a list of words.
pub(crate) fn words(row: &Row, name: &str) -> Result<Vec<String>, StoreError> {
    let value: Value = row.get(name)?;
    let list =
        value.as_array().map(|list| list.iter().map(|word| word.as_str().map(str::to_owned)));
    list.and_then(|words| words.collect::<Option<Vec<String>>>())
        .ok_or_else(|| row.bad_column(name, "a list of words", value.to_string()))
}

/// Reads a webhook.
pub(crate) fn webhook(row: &Row) -> Result<WebhookRow, StoreError> {
    let previous: Option<Sealed> = row.get("previous_secret")?;
    let until: Option<Ts> = row.get("previous_until")?;
    Ok(WebhookRow {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        url: row.get("url")?,
        method: row.get("method")?,
        events: words(row, "events")?,
        enabled: row.get("enabled")?,
        auth: row.get("auth")?,
        auth_user: row.get("auth_user")?,
        auth_secret: row.get("auth_secret")?,
        secret: row.get("secret")?,
        previous: previous.zip(until),
        backoff: row.get("backoff")?,
        version: row.get("version")?,
    })
}

/// A delivery.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryRow {
    /// Its id.
    pub id: DeliveryId,
    /// Whose log it is in.
    pub organisation: OrganisationId,
    /// web or cli.
    pub kind: String,
    /// The webhook's id, or one derived from the program's name.
    pub target: Uuid,
    /// What the webhook or program was called then.
    pub target_name: String,
    /// The event.
    pub event: EventId,
    /// Its kind.
    pub event_kind: String,
    /// When it happened.
    pub event_at: Ts,
    /// What it happened to.
    pub entity_id: String,
    /// What is sent.
    pub body: String,
    /// waiting, delivered, failed or dropped.
    pub state: String,
    /// Attempts in all.
    pub attempts: i64,
    /// Attempts left of this round.
    pub attempts_left: i64,
    /// Attempts of a round.
    pub attempts_max: i64,
    /// When it is due, where it waits.
    pub next_at: Ts,
    /// The last attempt's status.
    pub status: Option<i64>,
    /// What went wrong at the last attempt.
    pub error: Option<String>,
    /// How long the last attempt took.
    pub latency_ms: Option<i64>,
    /// When it was put on its way.
    pub created_at: Ts,
    /// When it ended.
    pub settled_at: Option<Ts>,
}

/// Reads a delivery.
pub(crate) fn delivery(row: &Row) -> Result<DeliveryRow, StoreError> {
    Ok(DeliveryRow {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        kind: row.get("kind")?,
        target: row.get("target_id")?,
        target_name: row.get("target_name")?,
        event: row.get("event_id")?,
        event_kind: row.get("event_kind")?,
        event_at: row.get("event_at")?,
        entity_id: row.get("entity_id")?,
        body: row.get("body")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        attempts_left: row.get("attempts_left")?,
        attempts_max: row.get("attempts_max")?,
        next_at: row.get("next_at")?,
        status: row.get("status")?,
        error: row.get("error")?,
        latency_ms: row.get("latency_ms")?,
        created_at: row.get("created_at")?,
        settled_at: row.get("settled_at")?,
    })
}
