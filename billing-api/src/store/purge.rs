//! Deleting what is older than it has to be kept, in portions.

store::statements! {
    /// The organisations whose entries are looked through, those that are gone too.
    pub(crate) ORGANISATIONS = "SELECT id, deleted_at FROM organisation WHERE path LIKE $1 || '%'
        ORDER BY path";
    /// Audit entries of one organisation: the critical ones, or the others.
    pub(crate) AUDIT = "DELETE FROM audit_entry WHERE id IN (SELECT id FROM audit_entry
        WHERE organisation_id = $1 AND at < $2 AND critical = $3 LIMIT $4)";
    /// Staff sessions that ended or expired.
    pub(crate) SESSIONS = "DELETE FROM staff_session WHERE id IN (SELECT x.id FROM staff_session x
        JOIN staff s ON s.id = x.staff_id
        WHERE s.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND (x.ended_at < $2 OR x.expires_at < $2) LIMIT $3)";
    /// Answers kept for repeated requests.
    pub(crate) IDEMPOTENCY = {
        sqlite: "DELETE FROM idempotency_key WHERE rowid IN
            (SELECT rowid FROM idempotency_key WHERE created_at < $1 LIMIT $2)",
        postgres: "DELETE FROM idempotency_key WHERE ctid IN
            (SELECT ctid FROM idempotency_key WHERE created_at < $1 LIMIT $2)",
    };
    /// Events nobody waits for any more.
    pub(crate) OUTBOX = "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND at < $2 AND fanned_out_at IS NOT NULL
          AND (policy_keys IS NULL OR relayed_at IS NOT NULL) LIMIT $3)";
    /// Runs that ended, the last of each job left out.
    pub(crate) OLD_RUNS = "SELECT id FROM job_run
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND finished_at < $2 AND state NOT IN ('queued', 'running')
          AND NOT EXISTS (SELECT 1 FROM job WHERE job.last_run_id = job_run.id)
        ORDER BY id LIMIT $3";
    /// What became of a run's records.
    pub(crate) RESULTS_OF = "DELETE FROM job_result WHERE run_id = $1";
    /// What a run said.
    pub(crate) LINES_OF = "DELETE FROM job_log WHERE run_id = $1";
    /// A run.
    pub(crate) RUN = "DELETE FROM job_run WHERE id = $1";
}
