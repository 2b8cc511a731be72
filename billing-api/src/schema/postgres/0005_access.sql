-- Who may do what: roles, the second factor, known browsers, scopes of API tokens.

CREATE TABLE role (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    description TEXT,
    -- A list of patterns of permissions.
    permissions JSONB NOT NULL,
    -- The template it was made from.
    template TEXT,
    -- Whether those who have it must use a second factor.
    second_factor BOOLEAN NOT NULL DEFAULT FALSE,
    external_source TEXT,
    external_id TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at TIMESTAMPTZ,
    deleted_by TEXT
);
CREATE UNIQUE INDEX role_name ON role (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX role_created ON role (organisation_id, created_at);
CREATE INDEX role_updated ON role (organisation_id, updated_at);
CREATE UNIQUE INDEX role_external ON role (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Absent: may do nothing.
ALTER TABLE staff ADD COLUMN role_id UUID REFERENCES role (id);
ALTER TABLE staff ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
-- The key of the second factor, sealed to the id.
ALTER TABLE staff ADD COLUMN totp TEXT;
-- Absent: the second factor is not in force yet.
ALTER TABLE staff ADD COLUMN totp_confirmed_at TIMESTAMPTZ;
-- The last time step a code was taken for: none is taken twice.
ALTER TABLE staff ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;
-- Wrong codes since the last that was right.
ALTER TABLE staff ADD COLUMN code_failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE staff ADD COLUMN code_failed_at TIMESTAMPTZ;
-- Failed attempts from browsers that are not known, since the last that was right.
ALTER TABLE staff ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE staff ADD COLUMN failed_at TIMESTAMPTZ;
-- Addresses and prefixes one may come from; empty: from anywhere.
ALTER TABLE staff ADD COLUMN allow_list JSONB NOT NULL DEFAULT '[]';
ALTER TABLE staff ADD COLUMN password_changed_at TIMESTAMPTZ;
ALTER TABLE staff ADD COLUMN must_change_password BOOLEAN NOT NULL DEFAULT FALSE;
-- Absent: the organisation's.
ALTER TABLE staff ADD COLUMN zone TEXT;
CREATE INDEX staff_role ON staff (role_id);
CREATE INDEX staff_created ON staff (organisation_id, created_at);
CREATE INDEX staff_updated ON staff (organisation_id, updated_at);
CREATE INDEX staff_name ON staff (organisation_id, name);
CREATE UNIQUE INDEX staff_external ON staff (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Who really sits there, where somebody acts as this member of staff.
ALTER TABLE staff_session ADD COLUMN impersonator_id UUID REFERENCES staff (id);
-- That one's own session: this one ends with it. No reference, since old sessions are purged
-- in any order, and without the other this one opens nothing.
ALTER TABLE staff_session ADD COLUMN parent_id UUID;
ALTER TABLE staff_session ADD COLUMN address TEXT;
ALTER TABLE staff_session ADD COLUMN user_agent TEXT;
CREATE INDEX staff_session_staff ON staff_session (staff_id, created_at);

-- The password was right, something is still due: the second factor, or a new password.
CREATE TABLE staff_challenge (
    id UUID PRIMARY KEY,
    staff_id UUID NOT NULL REFERENCES staff (id),
    -- SHA-256 of the cookie's value.
    token_hash BYTEA NOT NULL,
    attempts BIGINT NOT NULL,
    -- Whether the second factor was proven.
    passed BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX staff_challenge_token ON staff_challenge (token_hash);
CREATE INDEX staff_challenge_staff ON staff_challenge (staff_id);
CREATE INDEX staff_challenge_expires ON staff_challenge (expires_at);

-- Browsers somebody has signed in with: what others fail at never holds these up.
CREATE TABLE staff_browser (
    id UUID PRIMARY KEY,
    staff_id UUID NOT NULL REFERENCES staff (id),
    -- SHA-256 of the cookie's value.
    token_hash BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    failed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX staff_browser_token ON staff_browser (token_hash);
CREATE INDEX staff_browser_staff ON staff_browser (staff_id, seen_at);

-- Codes for the day the telephone is lost; each is good once.
CREATE TABLE staff_recovery_code (
    id UUID PRIMARY KEY,
    staff_id UUID NOT NULL REFERENCES staff (id),
    -- SHA-256 of the code.
    code_hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX staff_recovery_code_hash ON staff_recovery_code (staff_id, code_hash);

-- Links to set a password with: an invitation or a reset; each is good once.
CREATE TABLE staff_link (
    id UUID PRIMARY KEY,
    staff_id UUID NOT NULL REFERENCES staff (id),
    -- SHA-256 of the token in the link.
    token_hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX staff_link_token ON staff_link (token_hash);
CREATE INDEX staff_link_staff ON staff_link (staff_id);

-- read, write, full, or patterns of permissions.
ALTER TABLE api_token ADD COLUMN scopes JSONB NOT NULL DEFAULT '["full"]';
ALTER TABLE api_token ADD COLUMN allow_list JSONB NOT NULL DEFAULT '[]';
-- The member of staff whose rights bound it, where one made it.
ALTER TABLE api_token ADD COLUMN staff_id UUID REFERENCES staff (id);
-- The token before the last rotation, and until when it is still taken.
ALTER TABLE api_token ADD COLUMN previous_hash BYTEA;
ALTER TABLE api_token ADD COLUMN previous_until TIMESTAMPTZ;
-- Requests a minute; none: as many as the configuration allows.
ALTER TABLE api_token ADD COLUMN rate_per_minute BIGINT;
CREATE UNIQUE INDEX api_token_previous ON api_token (previous_hash);
CREATE INDEX api_token_staff ON api_token (staff_id);
CREATE INDEX api_token_created ON api_token (organisation_id, created_at);
CREATE INDEX api_token_updated ON api_token (organisation_id, updated_at);
CREATE INDEX api_token_name ON api_token (organisation_id, name);
CREATE UNIQUE INDEX api_token_external ON api_token (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Requests per token and day (UTC).
CREATE TABLE api_token_usage (
    token_id UUID NOT NULL REFERENCES api_token (id),
    -- A civil date, YYYY-MM-DD.
    day TEXT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (token_id, day)
);

-- Who really acted, where somebody acted as another.
ALTER TABLE audit_entry ADD COLUMN impersonator TEXT;

-- Providers that staff sign in through (OpenID Connect). Each is for the staff of its organisation
-- and of those below.
CREATE TABLE identity_provider (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    -- What stands on the button.
    name TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    -- Sealed to the id.
    client_secret TEXT,
    -- Domains of addresses that may come in for the first time; none: all.
    email_domains JSONB NOT NULL DEFAULT '[]',
    -- Whether its addresses count as verified where it does not say.
    email_trusted BOOLEAN NOT NULL,
    -- The role of those who are not staff yet; absent: only staff come in.
    role_id UUID REFERENCES role (id),
    -- unless_proven, always or if_demanded.
    second_factor TEXT NOT NULL,
    -- Whether passwords are not taken any more.
    required BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- What came of the last check; a problem where it failed.
    checked_at TIMESTAMPTZ,
    check_problem TEXT,
    external_source TEXT,
    external_id TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at TIMESTAMPTZ,
    deleted_by TEXT
);
CREATE UNIQUE INDEX identity_provider_name ON identity_provider (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX identity_provider_role ON identity_provider (role_id);
CREATE INDEX identity_provider_created ON identity_provider (organisation_id, created_at);
CREATE INDEX identity_provider_updated ON identity_provider (organisation_id, updated_at);
CREATE UNIQUE INDEX identity_provider_external ON identity_provider (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Whom a provider knows as whom. One member of staff is one subject of a provider: another person
-- who is given the same address there later is not taken for the first.
CREATE TABLE staff_subject (
    id UUID PRIMARY KEY,
    staff_id UUID NOT NULL REFERENCES staff (id) ON DELETE CASCADE,
    provider_id UUID NOT NULL REFERENCES identity_provider (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX staff_subject_subject ON staff_subject (provider_id, issuer, subject);
CREATE UNIQUE INDEX staff_subject_staff ON staff_subject (staff_id, provider_id, issuer);

-- Answers of providers that were taken: none is taken twice.
CREATE TABLE provider_answer (
    -- SHA-256 of the state it carried.
    state_hash BYTEA PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX provider_answer_expires ON provider_answer (expires_at);

-- The provider that somebody came through; absent: a password was right.
ALTER TABLE staff_challenge ADD COLUMN provider_id UUID REFERENCES identity_provider (id) ON DELETE CASCADE;
