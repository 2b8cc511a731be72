//! What people should hear of: from the packet path to `billing-api`, which makes events of it.

use std::collections::VecDeque;
use std::time::Duration;

use bus::Bus;
use bytes::Bytes;
use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::auth_log::{EVENTS, NetworkEvent};
use tokio::sync::mpsc;

/// Events that wait for the reporter, and then for the bus; beyond that they are counted as
/// lost.
pub(crate) const WAITING_MAX: usize = 256;
/// How soon the bus is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The reporter task.
pub(crate) struct Reporter {
    pub(crate) bus: Bus,
    pub(crate) events: mpsc::Receiver<NetworkEvent>,
    pub(crate) stop: Shutdown,
}

impl Reporter {
    /// Reports until stopped.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut unsent: VecDeque<Bytes> = VecDeque::new();
        while !self.stop.is_soft() {
            tokio::select! {
                Some(event) = self.events.recv() => {
                    match serde_json::to_vec(&event) {
                        Ok(body) if unsent.len() < WAITING_MAX => unsent.push_back(body.into()),
                        _ => counter!("aaad_events_lost_total").increment(1),
                    }
                }
                // A bus that is away tells nobody when it is back.
                () = tokio::time::sleep(RETRY), if !unsent.is_empty() => {}
                () = self.stop.soft() => {}
            }
            if !unsent.is_empty() {
                let bodies: Vec<Bytes> = unsent.iter().cloned().collect();
                if self.bus.append(EVENTS, &bodies).await.is_ok() {
                    unsent.clear();
                }
            }
        }
        Ok(())
    }
}
