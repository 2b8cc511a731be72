//! What callers rely on, checked in both homes, and against a Redis that fails.
//!
//! The checks against Redis run when `LASTMILE_TEST_REDIS` holds a URL; those where Redis is
//! flushed, killed or frozen then start a server of their own (`redis-server` on the path).

mod failures;
mod redis_server;
mod suite;

/// The URL of a Redis to test with, or a note that there is none.
fn test_redis() -> Option<String> {
    let url = std::env::var("LASTMILE_TEST_REDIS").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        eprintln!("not run: LASTMILE_TEST_REDIS names no Redis");
    }
    url
}
