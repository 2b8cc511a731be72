-- The office's first schema. The two engines' files say the same in their own types; a test
-- compares them.

-- The database's own identity. The epoch is renewed when a backup is restored, so that
-- followers of the policy line load it anew instead of taking it for old.
CREATE TABLE policy_line (
    name TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    -- The last revision given, and the last one the bus has.
    revision BIGINT NOT NULL,
    published BIGINT NOT NULL,
    -- Rows of policy_state that are not deletions.
    live BIGINT NOT NULL
);

-- The present state of every policy record, with the revision it was given. This is the
-- snapshot the bus is filled from, and the relay's queue: rows above policy_line.published.
CREATE TABLE policy_state (
    key TEXT PRIMARY KEY,
    revision BIGINT NOT NULL,
    -- Absent: deleted.
    body JSONB
);
CREATE UNIQUE INDEX policy_state_revision ON policy_state (revision);

CREATE TABLE organisation (
    id UUID PRIMARY KEY,
    parent_id UUID REFERENCES organisation (id),
    -- The ids from the root to here, each followed by a slash: a subtree is a prefix.
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Gives currency, tax ids, fiscal year and number series to those below it.
    legal_entity BOOLEAN NOT NULL,
    currency TEXT NOT NULL,
    zone TEXT NOT NULL,
    locale TEXT NOT NULL,
    -- Under this name its sign-in page has its brand and its identity providers.
    host_name TEXT,
    -- An organisation's record is its own: what is scoped by this column is scoped here too.
    organisation_id UUID GENERATED ALWAYS AS (id) STORED,
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
CREATE UNIQUE INDEX organisation_path ON organisation (path);
CREATE INDEX organisation_name ON organisation (name, id);
CREATE INDEX organisation_created ON organisation (created_at, id);
CREATE INDEX organisation_updated ON organisation (updated_at, id);
CREATE UNIQUE INDEX organisation_host_name ON organisation (host_name) WHERE deleted_at IS NULL AND host_name IS NOT NULL;
-- One root: the parent of all others.
CREATE UNIQUE INDEX organisation_root ON organisation ((1)) WHERE parent_id IS NULL;

-- Short numbers for people, dense per organisation and kind.
CREATE TABLE number_series (
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    kind TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, kind)
);

CREATE TABLE staff (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    locale TEXT NOT NULL,
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
CREATE UNIQUE INDEX staff_email ON staff (email) WHERE deleted_at IS NULL;

CREATE TABLE staff_session (
    id UUID PRIMARY KEY,
    staff_id UUID NOT NULL REFERENCES staff (id),
    -- SHA-256 of the cookie's value.
    token_hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX staff_session_token ON staff_session (token_hash);

CREATE TABLE api_token (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    -- SHA-256 of the token.
    token_hash BYTEA NOT NULL,
    used_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
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
CREATE UNIQUE INDEX api_token_hash ON api_token (token_hash);

CREATE TABLE customer (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    phone TEXT,
    status TEXT NOT NULL,
    locale TEXT NOT NULL,
    -- The fields its organisation added.
    custom JSONB NOT NULL DEFAULT '{}',
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
-- Lists show what is not deleted: their indexes hold nothing else, and status and organisation
-- beside the order, so that a count and what falls through a filter need not look at rows.
CREATE UNIQUE INDEX customer_number ON customer (organisation_id, number);
CREATE INDEX customer_organisation ON customer (organisation_id, id, status) WHERE deleted_at IS NULL;
CREATE INDEX customer_name ON customer (name, id, status, organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX customer_numbers ON customer (number, id, status, organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX customer_status ON customer (status, id, organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX customer_email ON customer (email) WHERE deleted_at IS NULL;
CREATE INDEX customer_phone ON customer (phone) WHERE deleted_at IS NULL;
CREATE INDEX customer_created ON customer (created_at, id, status, organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX customer_updated ON customer (updated_at, id, status, organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX customer_deleted ON customer (updated_at, id) WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX customer_external ON customer (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

CREATE TABLE plan (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    -- The version new and following services are on; what it gives is repeated here, so that
    -- a list reads one table.
    current_version_id UUID NOT NULL,
    price_amount BIGINT,
    price_currency TEXT,
    period TEXT NOT NULL,
    download_bps BIGINT,
    upload_bps BIGINT,
    burst_download_bps BIGINT,
    burst_upload_bps BIGINT,
    burst_threshold_download_bps BIGINT,
    burst_threshold_upload_bps BIGINT,
    burst_time_s BIGINT,
    priority BIGINT,
    interim_s BIGINT NOT NULL,
    session_timeout_s BIGINT,
    idle_timeout_s BIGINT,
    -- Sessions at once; NULL: in a plan as many as there are.
    session_limit BIGINT,
    session_limit_action TEXT,
    service_type TEXT,
    framed_protocol TEXT,
    ipv4_method TEXT,
    pool TEXT,
    -- The pool of ours that addresses are leased from.
    lease_pool_id UUID,
    ipv6_pool TEXT,
    delegated_pool TEXT,
    dns JSONB,
    vlan BIGINT,
    address_list TEXT,
    filters JSONB,
    vendor_profiles JSONB,
    -- What is asked of its logins, and what is added to the reply. Names are as staff wrote them,
    -- ids what they meant.
    check_attributes JSONB,
    reply_attributes JSONB,
    groups JSONB,
    group_ids JSONB,
    allowed_nas JSONB,
    allowed_nas_ids JSONB,
    allowed_ports JSONB,
    allowed_called_stations JSONB,
    login_time TEXT,
    on_expired TEXT NOT NULL,
    garden_address_list TEXT NOT NULL,
    garden_download_bps BIGINT NOT NULL,
    garden_upload_bps BIGINT NOT NULL,
    garden_pool TEXT,
    garden_redirect_url TEXT,
    garden_dns JSONB,
    garden_vendor_profiles JSONB,
    custom JSONB NOT NULL DEFAULT '{}',
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
CREATE UNIQUE INDEX plan_name ON plan (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX plan_status ON plan (status, id);
CREATE INDEX plan_created ON plan (created_at, id);
CREATE INDEX plan_updated ON plan (updated_at, id);
CREATE UNIQUE INDEX plan_external ON plan (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- What a plan gives; an edit makes a version, so that a service may stay on an old one.
CREATE TABLE plan_version (
    id UUID PRIMARY KEY,
    plan_id UUID NOT NULL REFERENCES plan (id),
    number BIGINT NOT NULL,
    -- Everything the plan gave, as the network is told it.
    gives JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL
);
CREATE UNIQUE INDEX plan_version_number ON plan_version (plan_id, number);

-- What a plan costs: per organisation that sells it, currency, period and first day.
CREATE TABLE price (
    id UUID PRIMARY KEY,
    plan_id UUID NOT NULL REFERENCES plan (id),
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    currency TEXT NOT NULL,
    -- Minor units.
    amount BIGINT NOT NULL,
    period TEXT NOT NULL,
    -- A civil date, YYYY-MM-DD.
    valid_from TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL
);
CREATE UNIQUE INDEX price_key ON price (plan_id, organisation_id, currency, period, valid_from);

CREATE TABLE service (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    customer_id UUID NOT NULL REFERENCES customer (id),
    plan_id UUID NOT NULL REFERENCES plan (id),
    -- Absent: the service follows the plan's current version.
    pinned_version_id UUID REFERENCES plan_version (id),
    -- Its first login, which is what people know it by; the identities are the truth.
    login TEXT,
    -- `active`, or `held` by a standing hold that concerns the network.
    status TEXT NOT NULL,
    -- The IANA zone its billing dates are in.
    zone TEXT NOT NULL,
    address JSONB,
    expires_at TIMESTAMPTZ,
    -- The one NAS it may come through, which is not deleted while it is named here.
    nas_id UUID,
    -- What it has otherwise than its plan says; NULL follows the plan.
    download_bps BIGINT,
    upload_bps BIGINT,
    session_timeout_s BIGINT,
    idle_timeout_s BIGINT,
    session_limit BIGINT,
    session_limit_action TEXT,
    ipv4_method TEXT,
    ipv4 INET,
    ipv4_prefix_length BIGINT,
    pool TEXT,
    -- The pool of ours that addresses are leased from.
    lease_pool_id UUID,
    routes JSONB,
    ipv6_address INET,
    ipv6_prefix INET,
    ipv6_pool TEXT,
    delegated_prefix INET,
    delegated_pool TEXT,
    ipv6_routes JSONB,
    vlan BIGINT,
    address_list TEXT,
    -- What is asked of its logins, and what is added to the reply. Names are as staff wrote them,
    -- ids what they meant.
    check_attributes JSONB,
    reply_attributes JSONB,
    groups JSONB,
    group_ids JSONB,
    allowed_nas JSONB,
    allowed_nas_ids JSONB,
    allowed_ports JSONB,
    allowed_called_stations JSONB,
    login_time TEXT,
    -- The MAC addresses it is bound to: fixed, or learned.
    mac_binding TEXT,
    mac_limit BIGINT,
    macs JSONB,
    -- Rises when what was learned is forgotten.
    mac_generation BIGINT NOT NULL DEFAULT 0,
    custom JSONB NOT NULL DEFAULT '{}',
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
CREATE INDEX service_customer ON service (customer_id);
CREATE INDEX service_plan ON service (plan_id);
CREATE INDEX service_organisation ON service (organisation_id, id);
CREATE INDEX service_login ON service (login);
CREATE INDEX service_status ON service (status, id);
CREATE INDEX service_expires ON service (expires_at);
CREATE INDEX service_created ON service (created_at, id);
CREATE INDEX service_updated ON service (updated_at, id);
-- One routing domain so far: an address belongs to one service.
CREATE UNIQUE INDEX service_ipv4 ON service (ipv4) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX service_ipv6_address ON service (ipv6_address) WHERE deleted_at IS NULL AND ipv6_address IS NOT NULL;
CREATE UNIQUE INDEX service_ipv6_prefix ON service (ipv6_prefix) WHERE deleted_at IS NULL AND ipv6_prefix IS NOT NULL;
CREATE UNIQUE INDEX service_delegated_prefix ON service (delegated_prefix) WHERE deleted_at IS NULL AND delegated_prefix IS NOT NULL;
CREATE INDEX service_nas ON service (nas_id, id) WHERE nas_id IS NOT NULL;
CREATE UNIQUE INDEX service_external ON service (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- What services have of the IPv6 address space: no two have a part of the same. First and last
-- address, in 32 hexadecimal digits.
CREATE TABLE service_prefix (
    service_id UUID NOT NULL REFERENCES service (id) ON DELETE CASCADE,
    field TEXT NOT NULL,
    first_address TEXT NOT NULL,
    last_address TEXT NOT NULL,
    PRIMARY KEY (service_id, field)
);
CREATE INDEX service_prefix_first ON service_prefix (first_address);

-- How a service is recognised. A packet names no organisation, so values are unique per kind
-- in the whole installation.
CREATE TABLE access_identity (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    service_id UUID NOT NULL REFERENCES service (id),
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    credential_kind TEXT,
    -- Sealed to the id.
    credential TEXT,
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
CREATE UNIQUE INDEX access_identity_value ON access_identity (kind, value) WHERE deleted_at IS NULL;
CREATE INDEX access_identity_service ON access_identity (service_id);

-- Why a service is held, and what that does to the network and to billing.
CREATE TABLE hold (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    service_id UUID NOT NULL REFERENCES service (id),
    reason TEXT NOT NULL,
    network TEXT NOT NULL,
    billing TEXT NOT NULL,
    owner TEXT NOT NULL,
    note TEXT,
    placed_at TIMESTAMPTZ NOT NULL,
    placed_by TEXT NOT NULL,
    lifted_at TIMESTAMPTZ,
    lifted_by TEXT
);
-- One standing hold a reason.
CREATE UNIQUE INDEX hold_standing ON hold (service_id, reason) WHERE lifted_at IS NULL;

CREATE TABLE nas (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    -- Absent: seen behind a client that is a prefix or a proxy.
    address INET,
    vendor TEXT NOT NULL,
    coa_address INET,
    coa_port BIGINT NOT NULL,
    -- Sealed to the id.
    coa_secret TEXT,
    accepts_coa BOOLEAN NOT NULL,
    ipv6_counters TEXT NOT NULL,
    -- The group that says which address pools it may use.
    nas_group_id UUID,
    -- What becomes of unsigned Access-Requests: learn, warn or require.
    message_authenticator TEXT NOT NULL DEFAULT 'learn',
    -- Whether organisations below may use it.
    shared BOOLEAN NOT NULL DEFAULT FALSE,
    -- The RADIUS client it was first seen behind.
    seen_client_id UUID,
    seen_at TIMESTAMPTZ,
    custom JSONB NOT NULL DEFAULT '{}',
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
CREATE UNIQUE INDEX nas_name ON nas (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX nas_address ON nas (address);
CREATE INDEX nas_vendor ON nas (vendor, id);
CREATE INDEX nas_group_of ON nas (nas_group_id, id) WHERE nas_group_id IS NOT NULL;
CREATE INDEX nas_created ON nas (created_at, id);
CREATE INDEX nas_updated ON nas (updated_at, id);
CREATE UNIQUE INDEX nas_external ON nas (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- NAS that may use the same address pools.
CREATE TABLE nas_group (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    description TEXT,
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
CREATE UNIQUE INDEX nas_group_name ON nas_group (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX nas_group_created ON nas_group (created_at, id);
CREATE INDEX nas_group_updated ON nas_group (updated_at, id);
CREATE UNIQUE INDEX nas_group_external ON nas_group (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Addresses and prefixes that aaad leases. No two live pools have one in common.
CREATE TABLE pool (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    -- NULL: every NAS may use it.
    nas_group_id UUID,
    -- Ranges of IPv4 addresses, as they were given.
    ipv4 JSONB,
    ipv6_prefix INET,
    ipv6_length BIGINT,
    delegated_prefix INET,
    delegated_length BIGINT,
    lease_s BIGINT NOT NULL,
    -- What aaad said last of how full it is.
    usage JSONB,
    used_percent BIGINT,
    usage_at TIMESTAMPTZ,
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
CREATE UNIQUE INDEX pool_name ON pool (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX pool_nas_group ON pool (nas_group_id, id);
CREATE INDEX pool_created ON pool (created_at, id);
CREATE INDEX pool_updated ON pool (updated_at, id);
CREATE UNIQUE INDEX pool_external ON pool (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Attributes that services share.
CREATE TABLE radius_group (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    -- The lowest first.
    priority BIGINT NOT NULL,
    description TEXT,
    -- Lines, as in FreeRADIUS's users files.
    check_attributes JSONB,
    reply_attributes JSONB,
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
CREATE UNIQUE INDEX radius_group_name ON radius_group (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX radius_group_created ON radius_group (created_at, id);
CREATE INDEX radius_group_updated ON radius_group (updated_at, id);
CREATE UNIQUE INDEX radius_group_external ON radius_group (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Attributes to begin with.
CREATE TABLE attribute_template (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    description TEXT,
    check_attributes JSONB,
    reply_attributes JSONB,
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
CREATE UNIQUE INDEX attribute_template_name ON attribute_template (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX attribute_template_created ON attribute_template (created_at, id);
CREATE INDEX attribute_template_updated ON attribute_template (updated_at, id);
CREATE UNIQUE INDEX attribute_template_external ON attribute_template (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- What stands beside a login. A packet names no organisation, so names are unique in the whole
-- installation.
CREATE TABLE realm (
    id UUID PRIMARY KEY,
    -- Whose logins these are.
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    strip BOOLEAN NOT NULL,
    description TEXT,
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
CREATE UNIQUE INDEX realm_name ON realm (name) WHERE deleted_at IS NULL;
CREATE INDEX realm_organisation ON realm (organisation_id, name);
CREATE INDEX realm_created ON realm (created_at, id);
CREATE INDEX realm_updated ON realm (updated_at, id);
CREATE UNIQUE INDEX realm_external ON realm (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

CREATE TABLE radius_client (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    source INET NOT NULL,
    -- Sealed to the id.
    secret TEXT NOT NULL,
    previous_secret TEXT,
    nas_id UUID REFERENCES nas (id),
    vendor TEXT NOT NULL,
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
CREATE INDEX radius_client_nas ON radius_client (nas_id);
CREATE UNIQUE INDEX radius_client_source ON radius_client (source) WHERE deleted_at IS NULL;

-- Who did what, with the record before and after; secrets are left out of both.
CREATE TABLE audit_entry (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    entity TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    before JSONB,
    after JSONB,
    request_id TEXT,
    -- authentication, records, financial, network, system.
    category TEXT NOT NULL,
    -- Deletions, changes of rights, money.
    critical BOOLEAN NOT NULL,
    -- What every described entity has; an entry is neither changed nor restored.
    version BIGINT NOT NULL DEFAULT 1,
    deleted_at TIMESTAMPTZ
);
CREATE INDEX audit_entry_time ON audit_entry (at, id);
CREATE INDEX audit_entry_actor ON audit_entry (actor, at);
CREATE INDEX audit_entry_entity ON audit_entry (entity_id, at);
CREATE INDEX audit_entry_at ON audit_entry (organisation_id, at);

-- Domain events, written with the change they report. Sequence numbers do not commit in
-- order: the relay takes what it finds and gives revisions of its own.
CREATE TABLE outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id UUID NOT NULL,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    at TIMESTAMPTZ NOT NULL,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    format BIGINT NOT NULL,
    payload JSONB NOT NULL,
    -- Policy keys whose state may have changed, with spaces between.
    policy_keys TEXT,
    relayed_at TIMESTAMPTZ
);
-- What is heard of from outside names its event, so that it becomes one once.
CREATE UNIQUE INDEX outbox_id ON outbox (id);
CREATE INDEX outbox_waiting ON outbox (seq) WHERE policy_keys IS NOT NULL AND relayed_at IS NULL;
