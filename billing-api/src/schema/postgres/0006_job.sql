-- Jobs: work that runs outside of a request, by schedule or by hand.

CREATE TABLE job (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Cron, five fields; absent: run by hand only.
    schedule TEXT,
    -- The IANA zone the schedule is read in; absent: the organisation's.
    zone TEXT,
    queue TEXT NOT NULL,
    arguments JSONB NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- The next planned time; absent: never by itself.
    next_at TIMESTAMPTZ,
    -- The run that was queued last, and how it is doing.
    last_run_id UUID,
    last_state TEXT,
    -- What becomes of times that passed while nothing ran: once, all, skip.
    catch_up TEXT NOT NULL,
    -- Absent: as its kind says.
    retries BIGINT,
    -- What a maintenance window means to it: wait, ignore, inside.
    maintenance TEXT NOT NULL,
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
CREATE UNIQUE INDEX job_name ON job (organisation_id, name) WHERE deleted_at IS NULL;
CREATE INDEX job_kind ON job (organisation_id, kind);
CREATE INDEX job_last_state ON job (organisation_id, last_state);
CREATE INDEX job_created ON job (organisation_id, created_at);
CREATE INDEX job_updated ON job (organisation_id, updated_at);
CREATE INDEX job_next ON job (next_at) WHERE next_at IS NOT NULL;
CREATE UNIQUE INDEX job_external ON job (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- One execution, with its retries. The row is the queue: whoever works on it has a lease.
CREATE TABLE job_run (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    -- Absent: started without a job's definition.
    job_id UUID REFERENCES job (id),
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    arguments JSONB NOT NULL,
    maintenance TEXT NOT NULL,
    -- queued, running, succeeded, partial, failed, cancelled.
    state TEXT NOT NULL,
    -- Attempts begun, and how many there may be.
    attempt BIGINT NOT NULL,
    attempts_max BIGINT NOT NULL,
    -- How often somebody took it over from a process that was gone.
    takeovers BIGINT NOT NULL,
    -- The time of the schedule it stands for.
    planned_at TIMESTAMPTZ,
    -- Not before this; later than planned after a failed attempt.
    run_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    heartbeat_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    progress_done BIGINT NOT NULL,
    progress_total BIGINT,
    note TEXT,
    result JSONB,
    -- Why it failed, for people; the private cause is in the log.
    error TEXT,
    -- The failed run this one repeats.
    retry_of UUID,
    cancel_requested BOOLEAN NOT NULL,
    -- Whoever really sat there, where it was queued while acting as another.
    impersonator TEXT,
    lease_owner TEXT,
    lease_until TIMESTAMPTZ,
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
CREATE INDEX job_run_waiting ON job_run (queue, run_at) WHERE state = 'queued';
CREATE INDEX job_run_running ON job_run (lease_until) WHERE state = 'running';
-- Runs of one job follow each other.
CREATE UNIQUE INDEX job_run_alone ON job_run (job_id) WHERE state = 'running';
CREATE INDEX job_run_job ON job_run (job_id, id);
CREATE INDEX job_run_kind ON job_run (organisation_id, kind);
CREATE INDEX job_run_state ON job_run (organisation_id, state);
CREATE INDEX job_run_created ON job_run (organisation_id, created_at);
CREATE INDEX job_run_updated ON job_run (organisation_id, updated_at);
CREATE INDEX job_run_finished ON job_run (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX job_run_external ON job_run (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- What runs say, a bounded number of lines each.
CREATE TABLE job_log (
    run_id UUID NOT NULL REFERENCES job_run (id),
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- What became of each record that a run was about.
CREATE TABLE job_result (
    run_id UUID NOT NULL REFERENCES job_run (id),
    seq BIGINT NOT NULL,
    record_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT,
    PRIMARY KEY (run_id, seq)
);

-- Times in which a queue rests, for the organisation and those below it.
CREATE TABLE maintenance_window (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    -- A queue's name, or: all.
    queue TEXT NOT NULL,
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
CREATE INDEX maintenance_window_starts ON maintenance_window (organisation_id, starts_at);
CREATE INDEX maintenance_window_ends ON maintenance_window (ends_at);
CREATE INDEX maintenance_window_created ON maintenance_window (organisation_id, created_at);
CREATE INDEX maintenance_window_updated ON maintenance_window (organisation_id, updated_at);
CREATE UNIQUE INDEX maintenance_window_external ON maintenance_window (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
