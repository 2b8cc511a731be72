-- Answers to requests that came with an Idempotency-Key, written in the transaction of what
-- they answer.

CREATE TABLE idempotency_key (
    -- Who sent it: keys of different callers never meet.
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of method, path and body.
    fingerprint BYTEA NOT NULL,
    status BIGINT NOT NULL,
    body JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_key_created ON idempotency_key (created_at);
