-- Webhooks: who hears of which events, each event's way to each of them, and every attempt.

CREATE TABLE webhook (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    -- A list of patterns: "*", "customer.*", "customer.created".
    events TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    template TEXT NOT NULL,
    -- none, bearer or basic, beside the signature.
    auth TEXT NOT NULL,
    auth_user TEXT,
    -- Sealed to the id and "/auth".
    auth_secret TEXT,
    -- Sealed to the id, as is the one before it, which signs too until previous_until. Absent
    -- only within the transaction that makes the row.
    secret TEXT,
    previous_secret TEXT,
    previous_until INTEGER,
    attempts_max INTEGER NOT NULL,
    backoff TEXT NOT NULL,
    -- Why the program switched it off: gone or failing.
    disabled_reason TEXT,
    -- The first failure since the last success.
    failing_since INTEGER,
    -- Nothing is sent before: the other side asked for time.
    throttled_until INTEGER,
    -- The last time something was sent.
    triggered_at INTEGER,
    -- Deliveries that arrived, of those that ended in the last 30 days.
    success_percent INTEGER,
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE UNIQUE INDEX webhook_name ON webhook (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX webhook_enabled ON webhook (organisation_id, enabled);
CREATE INDEX webhook_created ON webhook (organisation_id, created_at);
CREATE INDEX webhook_updated ON webhook (organisation_id, updated_at);
CREATE UNIQUE INDEX webhook_external ON webhook (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- How deliveries of a webhook ended, by day: the numbers outlive the deliveries.
CREATE TABLE webhook_day (
    webhook_id BLOB NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    -- Days since 1970-01-01, UTC.
    day INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (webhook_id, day)
);

-- One event on its way to one webhook or program. The log, and the queue: rows that wait.
CREATE TABLE webhook_delivery (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    -- web or cli.
    kind TEXT NOT NULL,
    -- The webhook's id, or one derived from the program's name.
    target_id BLOB NOT NULL,
    -- What the webhook or program was called then.
    target_name TEXT NOT NULL,
    event_id BLOB NOT NULL,
    event_kind TEXT NOT NULL,
    event_at INTEGER NOT NULL,
    entity_id TEXT NOT NULL,
    -- What is sent, octet for octet: signatures and repeats need the same text.
    body TEXT NOT NULL,
    -- waiting, delivered, failed or dropped.
    state TEXT NOT NULL,
    -- Attempts in all, and those left of the present round.
    attempts INTEGER NOT NULL,
    attempts_left INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    -- When it is due. Who takes it moves this into the future: where the taker dies, the
    -- delivery is due again then.
    next_at INTEGER NOT NULL,
    -- The last attempt.
    status INTEGER,
    error TEXT,
    latency_ms INTEGER,
    created_at INTEGER NOT NULL,
    settled_at INTEGER
);
-- An event goes to a webhook once, whoever fans it out.
CREATE UNIQUE INDEX webhook_delivery_once ON webhook_delivery (target_id, event_id);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (target_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_log ON webhook_delivery (organisation_id, id);
CREATE INDEX webhook_delivery_created ON webhook_delivery (created_at);

CREATE TABLE webhook_attempt (
    id BLOB PRIMARY KEY,
    delivery_id BLOB NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- The HTTP status, or the program's exit code; absent: there was none.
    status INTEGER,
    error TEXT,
    latency_ms INTEGER NOT NULL,
    -- The beginning of what came back.
    answer TEXT,
    truncated BOOLEAN NOT NULL
);
CREATE INDEX webhook_attempt_delivery ON webhook_attempt (delivery_id, number);

-- Which events were given to webhooks. A mark on each, and no cursor: sequence numbers do not
-- commit in order. What happened before there were webhooks is nobody's news.
ALTER TABLE outbox ADD COLUMN fanned_out_at INTEGER;
UPDATE outbox SET fanned_out_at = at;
CREATE INDEX outbox_unheard ON outbox (seq) WHERE fanned_out_at IS NULL;
