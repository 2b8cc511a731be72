//! The log of refused logins: bus → table.
//!
//! A batch is applied in one transaction with the progress of the `aaad` it comes from, so that
//! one that is delivered twice, or to two of us, is applied once. While the database is away
//! batches wait on the stream, which `aaad` keeps short.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::state::State;
use bus::{Bus, Entry, Follower};
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::auth_log::{Batch, FORMAT, Row, STREAM};
use model::{Clock, RefusalId, Ts};
use store::{Db, StoreError, args};
use tracing::{error, warn};

/// Batches taken at once.
const CHUNK: usize = 20;
/// How long one wait for batches lasts.
const WAIT: Duration = Duration::from_secs(1);
/// How soon what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

store::statements! {
    /// A further step of one `aaad`, unless it was made already.
    MOVE_PROGRESS = "INSERT INTO auth_log_progress (source, sequence, updated_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (source) DO UPDATE SET sequence = excluded.sequence,
            updated_at = excluded.updated_at
        WHERE auth_log_progress.sequence < excluded.sequence";
    /// Adds to a row.
    ADD = "INSERT INTO auth_log (id, organisation_id, customer_id, service_id, nas_id, minute,
            login, login_key, station, reason, attempts, first_at, last_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (minute, login_key, station, reason, nas_id) DO UPDATE SET
            attempts = auth_log.attempts + excluded.attempts,
            first_at = CASE WHEN excluded.first_at < auth_log.first_at
                THEN excluded.first_at ELSE auth_log.first_at END,
            last_at = CASE WHEN excluded.last_at > auth_log.last_at
                THEN excluded.last_at ELSE auth_log.last_at END";
    /// Progress of programs that have ended.
    pub(crate) REMOVE_PROGRESS = "DELETE FROM auth_log_progress WHERE source IN (SELECT source
        FROM auth_log_progress WHERE updated_at < $1 ORDER BY updated_at LIMIT $2)";
}

/// The task.
pub(crate) struct AuthLog {
    pub(crate) bus: Bus,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state: Arc<State>,
    pub(crate) stop: Shutdown,
}

impl AuthLog {
    /// Applies until stopped.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        let mut stream = Follower::new(STREAM);
        let mut waiting: VecDeque<Entry> = VecDeque::new();
        let mut told = false;
        while !self.stop.is_soft() {
            if waiting.is_empty() {
                tokio::select! {
                    batch = stream.next(&self.bus, CHUNK, WAIT) => match batch {
                        Ok(batch) => waiting.extend(batch.entries),
                        Err(error) => {
                            self.state.bus.fails(&error);
                            self.pause().await;
                        }
                    },
                    () = self.stop.soft() => {}
                }
                continue;
            }
            let Some(entry) = waiting.front() else { continue };
            match self.take(&entry.body).await {
                Ok(()) => {
                    let position = entry.position;
                    waiting.pop_front();
                    told = false;
                    if waiting.is_empty() {
                        // Not trimmed now: trimmed after the next batch, and applied no more
                        // than once either way.
                        let _ = self.bus.trim(STREAM, position).await;
                    }
                }
                Err(Held::Newer(format)) => {
                    if !std::mem::replace(&mut told, true) {
                        error!(format, "the auth log is written by a newer aaad: upgrade policyd");
                    }
                    self.pause().await;
                }
                Err(Held::Store(error)) => {
                    if error.is_transient() {
                        self.state.database.fails(&error);
                    } else if !std::mem::replace(&mut told, true) {
                        error!(error = chain(&error), "the auth log cannot be kept");
                    }
                    self.pause().await;
                }
            }
        }
        Ok(())
    }

    async fn pause(&self) {
        tokio::select! {
            // A bus or database that is away tells nobody when it is back.
            () = tokio::time::sleep(RETRY) => {}
            () = self.stop.soft() => {}
        }
    }

    async fn take(&self, body: &[u8]) -> Result<(), Held> {
        let format = serde_json::from_slice::<Format>(body).map(|read| read.format);
        match format {
            Ok(format) if format > FORMAT => return Err(Held::Newer(format)),
            _ => {}
        }
        match serde_json::from_slice::<Batch>(body) {
            Ok(batch) => {
                let added = apply(&self.db, &batch, self.clock.now()).await?;
                counter!("policyd_auth_log_rows_total").increment(added);
            }
            Err(error) => {
                counter!("policyd_auth_log_unreadable_total").increment(1);
                warn!(%error, "a batch of the auth log does not read and is passed over");
            }
        }
        Ok(())
    }
}

/// What every format has.
#[derive(serde::Deserialize)]
struct Format {
    format: u8,
}

/// Why a batch waits.
enum Held {
    Newer(u8),
    Store(StoreError),
}

impl From<StoreError> for Held {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Applies a batch; how many rows it added to, none where it had been applied before.
pub(crate) async fn apply(db: &Db, batch: &Batch, now: Ts) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let source = format!("{:016x}", batch.source);
    if tx.execute(&MOVE_PROGRESS, args![source, batch.sequence, now]).await? == 0 {
        return Ok(0);
    }
    for row in &batch.rows {
        tx.execute(&ADD, args_of(row)).await?;
    }
    tx.commit().await?;
    Ok(batch.rows.len() as u64)
}

fn args_of(row: &Row) -> store::Args {
    args![
        RefusalId::generate(),
        row.organisation.known(),
        row.customer,
        row.service,
        row.nas,
        row.minute,
        row.login.as_str(),
        row.login_key.as_str(),
        row.station.as_str(),
        row.reason.as_str(),
        row.attempts,
        row.first_at,
        row.last_at
    ]
}

#[cfg(test)]
mod tests {
    use model::reject::RejectReason;
    use model::{NasId, OrganisationId, ServiceId};
    use uuid::Uuid;

    use super::*;
    use crate::store::MIGRATIONS;

    fn row(login: &str, attempts: u64, second: i64) -> Row {
        let at = Ts::from_seconds(1_772_323_200 + second);
        Row {
            minute: Ts::from_seconds(1_772_323_200),
            organisation: OrganisationId::NONE,
            service: Some(ServiceId(Uuid::from_u128(7))),
            customer: None,
            nas: NasId(Uuid::from_u128(1)),
            login: login.to_owned(),
            login_key: login.to_ascii_lowercase(),
            station: "02:00:00:00:00:01".to_owned(),
            reason: RejectReason::WrongPassword,
            attempts,
            first_at: at,
            last_at: at,
        }
    }

    #[tokio::test]
    async fn every_statement_can_be_prepared() {
        for test in store::testing::engines("network").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let failures = store::prepare_all(&test.db, ALL).await;
            assert!(failures.is_empty(), "{}: {failures:?}", test.engine());
        }
    }

    #[tokio::test]
    async fn a_batch_adds_to_its_rows_once_however_often_it_comes() {
        for test in store::testing::engines("network").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let now = Ts::from_seconds(1_772_323_300);
            let batch = |source, sequence, rows| Batch { format: FORMAT, source, sequence, rows };
            let first = batch(1, 1, vec![row("asha", 3, 10), row("ravi", 1, 10)]);
            assert_eq!(apply(&test.db, &first, now).await.unwrap(), 2);
            assert_eq!(apply(&test.db, &first, now).await.unwrap(), 0, "it comes again");
            let more = batch(1, 2, vec![row("asha", 2, 5)]);
            assert_eq!(apply(&test.db, &more, now).await.unwrap(), 1);
            let other = batch(2, 1, vec![row("Asha", 4, 50)]);
            assert_eq!(apply(&test.db, &other, now).await.unwrap(), 1);
            let sql = "SELECT attempts, first_at, last_at FROM auth_log WHERE login_key = 'asha'";
            let rows = test.db.dynamic_all(sql, args![]).await.unwrap();
            assert_eq!(rows.len(), 1, "{}", test.engine());
            assert_eq!(rows[0].get::<i64>("attempts").unwrap(), 9);
            let [first, last] = ["first_at", "last_at"].map(|c| rows[0].get::<Ts>(c).unwrap());
            assert_eq!((first.seconds(), last.seconds()), (1_772_323_205, 1_772_323_250));
        }
    }
}
