//! Waiting for the disk, after a commit of Postgres and together with others.
//!
//! Postgres holds a transaction's row locks until its commit is on disk. Rows that many
//! transactions change, such as a number series, would so allow one of them for each turn of
//! the disk. Here a transaction is committed with `synchronous_commit = off`, which releases
//! its locks at once; then one small transaction that does wait for the disk, and so for all
//! that stands before it in the log, serves everybody who is waiting. An answer is given after
//! that, so that a promise is as good as before.
//!
//! What is different: others may see a change a few milliseconds before it is on disk. What
//! they write in turn stands behind it in the log, and cannot outlast it.
//!
//! If the server dies between the commit and the flush, the commit may be lost. That shows on
//! the connection that flushes, because it was opened before the commit: it breaks, and those
//! who wait are told that nobody knows. It is never replaced underneath them, since a new
//! connection would flush what is left and know nothing of what is not: every waiting one has
//! the generation of the connection that it relies on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Mutex;

use crate::db::ACQUIRE_TIMEOUT;

/// How long the disk may take.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that answered this recently is taken to be alive.
const TRUSTED: Duration = Duration::from_secs(1);
/// Writes something to the log and waits for it, as the server's own `synchronous_commit`
/// says: where that asks for a standby too, so does this.
const FLUSH: &str = "SELECT pg_logical_emit_message(true, 'lastmile', '')";

/// Flushes for one database.
pub(crate) struct Flush {
    options: PgConnectOptions,
    /// When times below were measured from.
    epoch: Instant,
    /// The connection's generation, for those who do not want to wait for the lock; 0: none.
    generation: AtomicU64,
    /// When it answered last, milliseconds.
    answered: AtomicU64,
    /// Commits that were made and want to be on disk.
    arrived: AtomicU64,
    /// Held while the disk is waited for.
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    connection: Option<PgConnection>,
    generation: u64,
    /// How many of those who arrived are on disk.
    flushed: u64,
}

/// The right to have a transaction flushed, taken before it begins.
pub(crate) struct Waiting {
    flush: Arc<Flush>,
    generation: u64,
}

impl Flush {
    /// For the database that these options open.
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            epoch: Instant::now(),
            generation: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            line: Mutex::default(),
        }
    }

    /// Makes sure of a connection that lives now, before what it shall flush.
    pub(crate) async fn prepare(flush: &Arc<Self>) -> Result<Waiting, sqlx::Error> {
        let generation = flush.generation.load(Ordering::SeqCst);
        let answered = Duration::from_millis(flush.answered.load(Ordering::SeqCst));
        if generation != 0 && flush.epoch.elapsed().saturating_sub(answered) < TRUSTED {
            return Ok(Waiting { flush: flush.clone(), generation });
        }
        let mut line = flush.line.lock().await;
        if let Some(connection) = &mut line.connection
            && !matches!(within(ACQUIRE_TIMEOUT, connection.ping()).await, Ok(()))
        {
            flush.lost(&mut line);
        }
        if line.connection.is_none() {
            line.connection = Some(within(ACQUIRE_TIMEOUT, flush.options.connect()).await?);
            line.generation += 1;
            flush.generation.store(line.generation, Ordering::SeqCst);
        }
        flush.heard();
        Ok(Waiting { flush: flush.clone(), generation: line.generation })
    }

    fn heard(&self) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(now, Ordering::SeqCst);
    }

    fn lost(&self, line: &mut Line) {
        line.connection = None;
        self.generation.store(0, Ordering::SeqCst);
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        let mut line = self.line.lock().await;
        let connection = line.connection.take();
        self.lost(&mut line);
        if let Some(connection) = connection {
            // The server notices by itself if the goodbye is lost.
            let _ = within(ACQUIRE_TIMEOUT, connection.close()).await;
        }
    }
}

impl Waiting {
    /// Returns when everything committed before the call is on disk.
    pub(crate) async fn flushed(self) -> Result<(), sqlx::Error> {
        let flush = &*self.flush;
        let own = flush.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let mut guard = flush.line.lock().await;
        let line = &mut *guard;
        let connection = match &mut line.connection {
            Some(connection) if line.generation == self.generation => connection,
            _ => return Err(unknown().into()),
        };
        if line.flushed >= own {
            return Ok(());
        }
        // Everybody counted so far has committed: what is written to the log now is behind.
        let all = flush.arrived.load(Ordering::SeqCst);
        let done = within(FLUSH_TIMEOUT, sqlx::query(FLUSH).execute(connection)).await;
        if let Err(error) = done {
            flush.lost(line);
            return Err(error);
        }
        flush.heard();
        line.flushed = all;
        Ok(())
    }
}

fn unknown() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the server went away before the commit was on disk",
    )
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let done = tokio::time::timeout(limit, step).await;
    done.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
