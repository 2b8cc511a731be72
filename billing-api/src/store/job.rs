//! Jobs, their runs, and what runs say. Lists and changes go by their descriptions.
//!
//! Three kinds of statements: those of people are scoped to the caller's subtree by `$1`; the
//! scheduler's and the runner's see every organisation, because the work is one; those of one
//! run under way name its lease, so that whoever lost it changes nothing.

use model::{JobId, OrganisationId, RunId, Ts};
use serde_json::Value;
use store::{Row, StoreError};

store::statements! {
    /// Creates a job, unless its name is taken.
    pub(crate) INSERT_JOB = "INSERT INTO job
        (id, organisation_id, kind, name, schedule, zone, queue, arguments, enabled, next_at,
         catch_up, retries, maintenance, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $14, $15)
        ON CONFLICT DO NOTHING";
    /// Whether an organisation ever had a job of a kind, a deleted one included.
    pub(crate) HAS_KIND = "SELECT 1 AS found FROM job WHERE organisation_id = $1 AND kind = $2 LIMIT 1";
    /// A job of the subtree.
    pub(crate) FIND_JOB = "SELECT j.*, o.zone AS home_zone
        FROM job j JOIN organisation o ON o.id = j.organisation_id
        WHERE o.path LIKE $1 || '%' AND j.id = $2 AND j.deleted_at IS NULL";

    /// Jobs whose time has come, with the zone their schedule is read in.
    pub(crate) DUE_JOBS = "SELECT j.*, o.zone AS home_zone, o.path AS home_path
        FROM job j JOIN organisation o ON o.id = j.organisation_id
        WHERE j.next_at <= $1 AND j.enabled AND j.deleted_at IS NULL
        ORDER BY j.next_at LIMIT $2";
    /// When the next job's time comes.
    pub(crate) NEXT_JOB = "SELECT MIN(next_at) AS due FROM job WHERE enabled AND deleted_at IS NULL";
    /// Moves a job to its next time: whoever changes the row queues its runs.
    pub(crate) ADVANCE_JOB = "UPDATE job SET next_at = $3
        WHERE id = $1 AND next_at = $2 AND enabled AND deleted_at IS NULL";
    /// The run that was queued last.
    pub(crate) SET_LAST_RUN = "UPDATE job SET last_run_id = $2, last_state = 'queued' WHERE id = $1";
    /// How that is doing.
    pub(crate) SET_LAST_STATE = "UPDATE job SET last_state = $3 WHERE id = $1 AND last_run_id = $2";
    /// Whether a run of a job waits already.
    pub(crate) RUN_WAITS = "SELECT 1 AS found FROM job_run WHERE job_id = $1 AND state = 'queued' LIMIT 1";

    /// Queues a run.
    pub(crate) INSERT_RUN = "INSERT INTO job_run
        (id, organisation_id, job_id, kind, queue, arguments, maintenance, state, attempt,
         attempts_max, takeovers, planned_at, run_at, progress_done, retry_of, cancel_requested,
         created_at, created_by, updated_at, updated_by, impersonator)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', 0, $8, 0, $9, $10, 0, $11, FALSE,
                $12, $13, $12, $13, $14)";
    /// How many runs of an organisation wait, as far as the limit.
    pub(crate) COUNT_WAITING = "SELECT COUNT(*) AS count FROM (SELECT 1 FROM job_run
        WHERE organisation_id = $1 AND state = 'queued' LIMIT $2) AS waiting";
    /// Whether a run of a kind with these arguments waits or is under way.
    pub(crate) IS_OPEN = "SELECT 1 AS found FROM job_run
        WHERE organisation_id = $1 AND kind = $2 AND state IN ('queued', 'running')
          AND arguments = $3 LIMIT 1";
    /// When each queue has something to do: a run that waits, or one whose lease ends.
    pub(crate) DUE_RUNS = "SELECT queue,
            MIN(CASE WHEN state = 'queued' THEN run_at ELSE lease_until END) AS due
        FROM job_run WHERE state IN ('queued', 'running') GROUP BY queue";
    /// Takes a run of a queue: one that waits, or one whose lease has ended. Rows others are
    /// about to take are left to them. An organisation has at most `$5` under way while another
    /// one waits, and never more than `$6`.
    pub(crate) CLAIM = {
        sqlite: "UPDATE job_run SET
                attempt = CASE WHEN state = 'queued' THEN attempt + 1 ELSE attempt END,
                takeovers = CASE WHEN state = 'queued' THEN takeovers ELSE takeovers + 1 END,
                state = 'running', lease_owner = $3, lease_until = $4, heartbeat_at = $2,
                started_at = COALESCE(started_at, $2), updated_at = $2, version = version + 1
            WHERE id = (SELECT r.id FROM job_run r
                JOIN organisation o ON o.id = r.organisation_id
                WHERE r.queue = $1
                  AND ((r.state = 'queued' AND r.run_at <= $2)
                       OR (r.state = 'running' AND r.lease_until < $2))
                  AND (r.maintenance = 'ignore' OR r.state = 'running'
                       OR (r.maintenance = 'inside') = EXISTS (
                        SELECT 1 FROM maintenance_window w
                        JOIN organisation wo ON wo.id = w.organisation_id
                        WHERE w.deleted_at IS NULL AND w.starts_at <= $2 AND w.ends_at > $2
                          AND w.queue IN (r.queue, 'all') AND o.path LIKE wo.path || '%'))
                  AND NOT EXISTS (SELECT 1 FROM job_run x
                        WHERE x.job_id = r.job_id AND x.id <> r.id AND x.state = 'running')
                  AND (r.state = 'running' OR (
                        SELECT COUNT(*) FROM job_run y
                        WHERE y.queue = $1 AND y.organisation_id = r.organisation_id
                          AND y.state = 'running'
                    ) < CASE WHEN (
                        SELECT COUNT(DISTINCT z.organisation_id) FROM job_run z
                        WHERE z.queue = $1 AND z.state = 'queued' AND z.run_at <= $2
                    ) > 1 THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END)
                ORDER BY r.run_at, r.id LIMIT 1)
            RETURNING *",
        postgres: "UPDATE job_run SET
                attempt = CASE WHEN state = 'queued' THEN attempt + 1 ELSE attempt END,
                takeovers = CASE WHEN state = 'queued' THEN takeovers ELSE takeovers + 1 END,
                state = 'running', lease_owner = $3, lease_until = $4, heartbeat_at = $2,
                started_at = COALESCE(started_at, $2), updated_at = $2, version = version + 1
            WHERE id = (SELECT r.id FROM job_run r
                JOIN organisation o ON o.id = r.organisation_id
                WHERE r.queue = $1
                  AND ((r.state = 'queued' AND r.run_at <= $2)
                       OR (r.state = 'running' AND r.lease_until < $2))
                  AND (r.maintenance = 'ignore' OR r.state = 'running'
                       OR (r.maintenance = 'inside') = EXISTS (
                        SELECT 1 FROM maintenance_window w
                        JOIN organisation wo ON wo.id = w.organisation_id
                        WHERE w.deleted_at IS NULL AND w.starts_at <= $2 AND w.ends_at > $2
                          AND w.queue IN (r.queue, 'all') AND o.path LIKE wo.path || '%'))
                  AND NOT EXISTS (SELECT 1 FROM job_run x
                        WHERE x.job_id = r.job_id AND x.id <> r.id AND x.state = 'running')
                  AND (r.state = 'running' OR (
                        SELECT COUNT(*) FROM job_run y
                        WHERE y.queue = $1 AND y.organisation_id = r.organisation_id
                          AND y.state = 'running'
                    ) < CASE WHEN (
                        SELECT COUNT(DISTINCT z.organisation_id) FROM job_run z
                        WHERE z.queue = $1 AND z.state = 'queued' AND z.run_at <= $2
                    ) > 1 THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END)
                ORDER BY r.run_at, r.id LIMIT 1
                FOR UPDATE OF r SKIP LOCKED)
            RETURNING *",
    };
    /// The path of an organisation, a deleted one included: its runs still have to end.
    pub(crate) PATH_OF = "SELECT path FROM organisation WHERE id = $1";
    /// Keeps a lease.
    pub(crate) BEAT = "UPDATE job_run SET heartbeat_at = $3, lease_until = $4
        WHERE id = $1 AND state = 'running' AND lease_owner = $2";
    /// Notes how far a run is.
    pub(crate) PROGRESS = "UPDATE job_run SET progress_done = $3, progress_total = $4, note = $5
        WHERE id = $1 AND state = 'running' AND lease_owner = $2";
    /// Adds a line to a run's log.
    pub(crate) INSERT_LINE = "INSERT INTO job_log (run_id, seq, at, line) VALUES ($1, $2, $3, $4)";
    /// How many lines a run's log has.
    pub(crate) LAST_LINE = "SELECT COALESCE(MAX(seq), 0) AS last FROM job_log WHERE run_id = $1";
    /// Ends a run.
    pub(crate) FINISH = "UPDATE job_run SET state = $3, result = $4, error = $5, finished_at = $6,
            progress_done = $7, progress_total = $8, note = $9,
            lease_owner = NULL, lease_until = NULL, version = version + 1, updated_at = $6
        WHERE id = $1 AND state = 'running' AND lease_owner = $2";
    /// Puts a run back: after a failed attempt (`$5` is 0), or unfinished at a stop (1, and
    /// the attempt does not count).
    pub(crate) PUT_BACK = "UPDATE job_run SET state = 'queued', run_at = $3, error = $4,
            attempt = attempt - $5, takeovers = 0, lease_owner = NULL, lease_until = NULL,
            version = version + 1, updated_at = $6
        WHERE id = $1 AND state = 'running' AND lease_owner = $2";
    /// Runs of an owner that somebody wants to end.
    pub(crate) TO_CANCEL = "SELECT id FROM job_run
        WHERE state = 'running' AND lease_owner = $1 AND cancel_requested";

    /// A run of the subtree.
    pub(crate) FIND_RUN = "SELECT * FROM job_run
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2";
    /// What became of some of a run's records: `[number, id, outcome, detail]` each.
    pub(crate) INSERT_RESULTS = {
        sqlite: "INSERT INTO job_result (run_id, seq, record_id, outcome, detail)
            SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($2)",
        postgres: "INSERT INTO job_result (run_id, seq, record_id, outcome, detail)
            SELECT $1::uuid, (value ->> 0)::bigint, value ->> 1, value ->> 2, value ->> 3
            FROM jsonb_array_elements($2::jsonb) AS t (value)",
    };
    /// What became of a run's records, behind a number.
    pub(crate) LIST_RESULTS = "SELECT x.seq, x.record_id, x.outcome, x.detail FROM job_result x
        JOIN job_run r ON r.id = x.run_id
        WHERE r.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND r.id = $2 AND x.seq > $3 ORDER BY x.seq LIMIT $4";
    /// What became of those that failed.
    pub(crate) LIST_FAILED = "SELECT x.seq, x.record_id, x.outcome, x.detail FROM job_result x
        JOIN job_run r ON r.id = x.run_id
        WHERE r.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND r.id = $2 AND x.seq > $3 AND x.outcome = 'failed' ORDER BY x.seq LIMIT $4";
    /// What a run said, behind a line.
    pub(crate) LIST_LINES = "SELECT l.seq, l.at, l.line FROM job_log l
        JOIN job_run r ON r.id = l.run_id
        WHERE r.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND r.id = $2 AND l.seq > $3 ORDER BY l.seq LIMIT $4";
    /// Ends a run that waits.
    pub(crate) CANCEL_QUEUED = "UPDATE job_run SET state = 'cancelled', finished_at = $2,
            version = version + 1, updated_at = $2, updated_by = $3
        WHERE id = $1 AND state = 'queued'";
    /// Asks a run under way to end.
    pub(crate) ASK_CANCEL = "UPDATE job_run SET cancel_requested = TRUE,
            version = version + 1, updated_at = $2, updated_by = $3
        WHERE id = $1 AND state = 'running'";
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) organisation: OrganisationId,
    pub(crate) kind: String,
    pub(crate) schedule: Option<String>,
    pub(crate) zone: Option<String>,
    /// The organisation's zone, which applies where the job has none.
    pub(crate) home_zone: String,
    pub(crate) queue: String,
    pub(crate) arguments: Value,
    pub(crate) next_at: Option<Ts>,
    pub(crate) catch_up: String,
    pub(crate) retries: Option<i64>,
    pub(crate) maintenance: String,
}

/// Reads a row.
pub(crate) fn job(row: &Row) -> Result<Job, StoreError> {
    Ok(Job {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        kind: row.get("kind")?,
        schedule: row.get("schedule")?,
        zone: row.get("zone")?,
        home_zone: row.get("home_zone")?,
        queue: row.get("queue")?,
        arguments: row.get("arguments")?,
        next_at: row.get("next_at")?,
        catch_up: row.get("catch_up")?,
        retries: row.get("retries")?,
        maintenance: row.get("maintenance")?,
    })
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) organisation: OrganisationId,
    pub(crate) job: Option<JobId>,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) arguments: Value,
    pub(crate) maintenance: String,
    pub(crate) state: String,
    pub(crate) attempt: i64,
    pub(crate) attempts_max: i64,
    pub(crate) takeovers: i64,
    pub(crate) planned_at: Option<Ts>,
    pub(crate) cancel_requested: bool,
    pub(crate) version: i64,
    pub(crate) created_by: String,
    /// Who really sat there, where it was queued while acting as another.
    pub(crate) impersonator: Option<String>,
}

/// Reads a row.
pub(crate) fn run(row: &Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        job: row.get("job_id")?,
        kind: row.get("kind")?,
        queue: row.get("queue")?,
        arguments: row.get("arguments")?,
        maintenance: row.get("maintenance")?,
        state: row.get("state")?,
        attempt: row.get("attempt")?,
        attempts_max: row.get("attempts_max")?,
        takeovers: row.get("takeovers")?,
        planned_at: row.get("planned_at")?,
        cancel_requested: row.get("cancel_requested")?,
        version: row.get("version")?,
        created_by: row.get("created_by")?,
        impersonator: row.get("impersonator")?,
    })
}
