-- One row a session. A session is (NAS, Acct-Session-Id, start): NAS use ids again.
CREATE TABLE session (
    id UUID NOT NULL PRIMARY KEY,
    -- Whose it is; NULL where aaad did not know.
    organisation_id UUID,
    customer_id UUID,
    service_id UUID,
    plan_version_id UUID,
    client_id UUID NOT NULL,
    nas_id UUID NOT NULL,
    -- As text; 0x and hexadecimal digits where the NAS sent something else.
    acct_session_id TEXT NOT NULL,
    -- What ties the links of a multilink session together.
    acct_multi_session_id TEXT,
    -- The partition of the accounting stream it belongs to.
    partition INTEGER NOT NULL,
    login TEXT NOT NULL,
    login_key TEXT NOT NULL,
    calling_station TEXT,
    ip INET,
    ipv6_prefix INET,
    delegated_prefix INET,
    nas_port_id TEXT,
    started_at TIMESTAMPTZ NOT NULL,
    -- Whether a Start said so; otherwise it was reckoned from Acct-Session-Time.
    start_reported BOOLEAN NOT NULL,
    -- When the record was sent that started_at was taken from.
    start_from TIMESTAMPTZ NOT NULL,
    -- When the NAS last reported it, whatever order the reports arrived in.
    updated_at TIMESTAMPTZ NOT NULL,
    session_time_s BIGINT NOT NULL,
    -- The longest time between two reports that count, seconds; NULL before the second.
    interim_s BIGINT,
    -- How far the NAS's clock was ahead of ours at the last report that said its time, seconds.
    clock_offset_s BIGINT,
    ended_at TIMESTAMPTZ,
    -- What the NAS said, or nas_restart, replaced or lost where it said nothing.
    end_cause TEXT,
    -- The 64 bits of an unsigned hash.
    policy_hash BIGINT NOT NULL,
    download_octets BIGINT NOT NULL,
    upload_octets BIGINT NOT NULL,
    -- A counter went back or jumped; what was counted is the highest that can have been.
    counters_flagged BOOLEAN NOT NULL,
    UNIQUE (nas_id, acct_session_id, started_at)
) WITH (fillfactor = 75);
CREATE INDEX session_open ON session (nas_id, acct_session_id) WHERE ended_at IS NULL;
-- Who is online. The time of the last report is in no index: it changes with every report, and
-- a row whose indexed columns stay is changed in its page alone.
CREATE INDEX session_online ON session (partition) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;
-- Ends we inferred: a restart that is heard of late may move them.
CREATE INDEX session_inferred ON session (nas_id, ended_at)
    WHERE end_cause IN ('nas_restart', 'replaced', 'lost');
CREATE INDEX session_login ON session (login_key, started_at);
CREATE INDEX session_service ON session (service_id);
CREATE INDEX session_organisation ON session (organisation_id, started_at);
CREATE INDEX session_ip ON session (ip);
CREATE INDEX session_station ON session (calling_station);
CREATE INDEX session_acct ON session (acct_session_id);

-- When a NAS said that it restarted (Accounting-On or Off), for reports that come late.
CREATE TABLE nas_restart (
    partition INTEGER NOT NULL,
    nas_id UUID NOT NULL,
    restarted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partition, nas_id, restarted_at)
);
CREATE INDEX nas_restart_time ON nas_restart (restarted_at);

-- What each applied record added, by minute; the nil organisation is "not known".
CREATE TABLE traffic_minute (
    organisation_id UUID NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    -- A row a partition, so that none waits for another.
    partition INTEGER NOT NULL,
    download_octets BIGINT NOT NULL,
    upload_octets BIGINT NOT NULL,
    sessions_started BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, minute, partition)
);
CREATE INDEX traffic_minute_time ON traffic_minute (minute);

-- How far each journal was applied: moved in the transaction of the effects.
CREATE TABLE accounting_progress (
    incarnation TEXT NOT NULL,
    partition INTEGER NOT NULL,
    sequence BIGINT NOT NULL,
    -- Where on the bus that was; for people, since it means nothing in another epoch.
    stream_position TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (incarnation, partition)
);

-- Records that could not be applied and were passed over.
CREATE TABLE dead_letter (
    id UUID NOT NULL PRIMARY KEY,
    received_at TIMESTAMPTZ NOT NULL,
    partition INTEGER NOT NULL,
    -- NULL where not even that could be read.
    incarnation TEXT,
    sequence BIGINT,
    reason TEXT NOT NULL,
    body BYTEA NOT NULL
);
CREATE INDEX dead_letter_time ON dead_letter (received_at);

-- Refused logins: a row for each login, station, reason and NAS in each minute, with a count.
CREATE TABLE auth_log (
    id UUID NOT NULL,
    -- The service's, or the NAS's where nobody knows the login; NULL where neither is known.
    organisation_id UUID,
    customer_id UUID,
    service_id UUID,
    nas_id UUID NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    login TEXT NOT NULL,
    login_key TEXT NOT NULL,
    -- Calling-Station-Id, else the line; empty where neither was sent.
    station TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (id, minute),
    UNIQUE (minute, login_key, station, reason, nas_id)
) PARTITION BY RANGE (minute);
CREATE TABLE auth_log_rest PARTITION OF auth_log DEFAULT;
CREATE INDEX auth_log_organisation ON auth_log (organisation_id, id);
CREATE INDEX auth_log_login ON auth_log (login_key, id);
CREATE INDEX auth_log_service ON auth_log (service_id, id);
CREATE INDEX auth_log_nas ON auth_log (nas_id, id);

-- How far the log of each run of aaad was applied: moved in the transaction of the rows.
CREATE TABLE auth_log_progress (
    source TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX auth_log_progress_time ON auth_log_progress (updated_at);

-- What each applied record of a session said and added: a row a record, for as long as it can be
-- compared with the journal. A partition a day is made ahead; what fits none goes to the rest.
CREATE TABLE usage_delta (
    session_id UUID NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    -- Where the record stands in which journal.
    journal UUID NOT NULL,
    sequence BIGINT NOT NULL,
    -- When the NAS first tried to send it, by our clock.
    reported_at TIMESTAMPTZ NOT NULL,
    session_time_s BIGINT NOT NULL,
    -- What came on top, and is billed.
    download_octets BIGINT NOT NULL,
    upload_octets BIGINT NOT NULL,
    -- What the NAS said.
    download_counter BIGINT NOT NULL,
    upload_counter BIGINT NOT NULL,
    -- good, back or jumped; only what is good adds.
    counters TEXT NOT NULL
) PARTITION BY RANGE (received_at);
CREATE TABLE usage_delta_rest PARTITION OF usage_delta DEFAULT;
CREATE INDEX usage_delta_session ON usage_delta (session_id, received_at);
CREATE INDEX usage_delta_time ON usage_delta (received_at);

-- What a service used in each hour.
CREATE TABLE usage_hour (
    service_id UUID NOT NULL,
    hour TIMESTAMPTZ NOT NULL,
    organisation_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    download_octets BIGINT NOT NULL,
    upload_octets BIGINT NOT NULL,
    sessions_started BIGINT NOT NULL,
    PRIMARY KEY (service_id, hour)
) PARTITION BY RANGE (hour);
CREATE TABLE usage_hour_rest PARTITION OF usage_hour DEFAULT;
CREATE INDEX usage_hour_time ON usage_hour (hour);

-- The same in each day of the installation's zone, derived from the hours and kept longer.
CREATE TABLE usage_day (
    service_id UUID NOT NULL,
    -- When the day begins.
    day TIMESTAMPTZ NOT NULL,
    organisation_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    download_octets BIGINT NOT NULL,
    upload_octets BIGINT NOT NULL,
    sessions_started BIGINT NOT NULL,
    PRIMARY KEY (service_id, day)
);
CREATE INDEX usage_day_time ON usage_day (day);

-- What went through a NAS in each hour; a row a partition, so that none waits for another.
CREATE TABLE usage_nas_hour (
    nas_id UUID NOT NULL,
    hour TIMESTAMPTZ NOT NULL,
    partition INTEGER NOT NULL,
    download_octets BIGINT NOT NULL,
    upload_octets BIGINT NOT NULL,
    sessions_started BIGINT NOT NULL,
    PRIMARY KEY (nas_id, hour, partition)
) PARTITION BY RANGE (hour);
CREATE TABLE usage_nas_hour_rest PARTITION OF usage_nas_hour DEFAULT;
CREATE INDEX usage_nas_hour_time ON usage_nas_hour (hour);
