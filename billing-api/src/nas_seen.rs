//! Keeps the NAS that `aaad` met for the first time behind a client.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Follower};
use daemon::lifecycle::Shutdown;
use model::nas::NasSeen;
use tracing::{info, warn};

use crate::domain::{Fault, Office, nas};

/// The stream `aaad` reports them on.
const NAS_SEEN: &str = "nas-seen";
/// Reports taken at once.
const CHUNK: usize = 100;
/// How long one wait lasts.
const WAIT: Duration = Duration::from_secs(1);

/// The task. Reports are taken from the beginning at every start: keeping one twice is
/// harmless, and the stream is trimmed behind what was kept.
pub(crate) struct NasSeenKeeper {
    pub(crate) office: Arc<Office>,
    pub(crate) bus: Bus,
    pub(crate) stop: Shutdown,
}

impl NasSeenKeeper {
    /// Keeps until stopped.
    pub(crate) async fn run(self) -> Result<(), std::convert::Infallible> {
        let mut stream = Follower::new(NAS_SEEN);
        while !self.stop.is_soft() {
            let batch = tokio::select! {
                batch = stream.next(&self.bus, CHUNK, WAIT) => batch,
                () = self.stop.soft() => break,
            };
            let Ok(batch) = batch else {
                tokio::select! {
                    () = tokio::time::sleep(WAIT) => {}
                    () = self.stop.soft() => {}
                }
                continue;
            };
            let mut through = None;
            for entry in batch.entries {
                // What could not be kept stays on the stream for the next start.
                if !self.keep(&entry.body).await {
                    break;
                }
                through = Some(entry.position);
            }
            if let Some(through) = through {
                // Not trimmed now: trimmed after the next report.
                let _ = self.bus.trim(NAS_SEEN, through).await;
            }
        }
        Ok(())
    }

    /// Keeps one report; false where it should be tried again later.
    async fn keep(&self, body: &[u8]) -> bool {
        let seen: NasSeen = match serde_json::from_slice(body) {
            Ok(seen) => seen,
            Err(error) => {
                warn!(%error, "a report of a NAS does not read");
                return true;
            }
        };
        loop {
            match nas::keep_seen(&self.office, &seen).await {
                Ok(()) => {
                    info!(nas = %seen.nas, name = %seen.name, "a NAS was seen and is kept");
                    return true;
                }
                Err(_) if self.stop.is_soft() => return false,
                // The database is away, or somebody took the name meanwhile: this report waits,
                // the others behind it.
                Err(Fault::Unavailable(_) | Fault::Conflict { .. }) => {
                    tokio::select! {
                        () = tokio::time::sleep(WAIT) => {}
                        () = self.stop.soft() => {}
                    }
                }
                Err(fault) => {
                    warn!(error = %daemon::exit::chain(&fault), nas = %seen.nas, "a NAS that was seen could not be kept");
                    return true;
                }
            }
        }
    }
}
