//! Answers to requests that came with an Idempotency-Key.

store::statements! {
    /// The answer that was given.
    pub(crate) FIND = "SELECT fingerprint, status, body FROM idempotency_key
        WHERE actor = $1 AND key = $2";
    /// Keeps an answer.
    pub(crate) INSERT = "INSERT INTO idempotency_key
        (actor, key, fingerprint, status, body, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    /// Forgets answers nobody repeats any more.
    pub(crate) FORGET = "DELETE FROM idempotency_key WHERE created_at < $1";
}
