//! What is counted in memory and written now and then: requests per token and day, failed
//! sign-ins per account.
//!
//! A crash loses what was counted since the last writing, which is at most [`EVERY`] long: the
//! counts are for people and for slowing down, and writing each at once would cost every
//! request a transaction.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use daemon::lifecycle::Shutdown;
use serde_json::json;
use store::args;
use tracing::warn;

use super::attempts::{Noted, forgotten};
use super::sign_in::Account;
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::store::access as sql;

/// How often.
const EVERY: Duration = Duration::from_secs(10);

/// The task that writes.
pub(crate) struct Flush {
    pub(crate) office: Arc<Office>,
    pub(crate) stop: Shutdown,
}

impl Flush {
    /// Writes until the soft stop, and once more then.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        loop {
            let stopping = tokio::select! {
                // Counts are gathered on purpose, to be written seldom.
                () = tokio::time::sleep(EVERY) => false,
                () = self.stop.soft() => true,
            };
            once(&self.office).await;
            if stopping {
                return Ok(());
            }
        }
    }
}

/// Writes what was counted. What cannot be written is lost, and the log says so.
pub(crate) async fn once(office: &Office) {
    for (token, day, requests) in office.usage.take() {
        let args = args![token, day, requests];
        if let Err(error) = office.db.execute(&sql::COUNT_USAGE, args).await {
            let error = daemon::exit::chain(&error);
            warn!(%error, "could not write how often a token was used");
        }
    }
    for noted in office.attempts.take_noted() {
        if let Err(error) = note_failures(office, &noted).await {
            let error = daemon::exit::chain(&error);
            warn!(%error, "could not write failed sign-ins");
        }
    }
}

async fn note_failures(office: &Office, noted: &Noted) -> Result<(), Fault> {
    // Deleted or disabled since: nobody's failures.
    let account = match Account::load(office, noted.staff).await {
        Err(Fault::Unauthenticated) => return Ok(()),
        account => account?,
    };
    let path = account.actor().path;
    let actor = Actor::system("sign_in", account.organisation_id, path);
    let mut unit = Unit::begin(office, &actor).await?;
    let args = args![account.id, noted.failures, noted.last, forgotten(noted.last)];
    unit.execute(&sql::COUNT_FAILURES, args).await?;
    let mut payload = account.view();
    payload["failures"] = json!(noted.failures);
    payload["address"] = json!(noted.address.to_canonical());
    let entity_id = account.id.to_string();
    let event = Event { kind: "staff.sign_in_failed", entity_id, payload, policy: &[] };
    unit.record(account.organisation_id, event, None).await?;
    unit.commit().await
}
