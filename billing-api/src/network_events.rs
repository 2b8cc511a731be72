//! What `aaad` noticed that people want to hear of becomes events of the office: a NAS that
//! signs its requests, a login that was blocked.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Follower, Position};
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use model::EventId;
use model::auth_log::{EVENTS, FORMAT, NetworkEvent};
use serde_json::json;
use tracing::{error, info, warn};

use crate::domain::{Fault, Office, identity, nas, pool, rules};

/// Events taken at once.
const CHUNK: usize = 100;
/// How long one wait lasts, and how soon what failed is tried again.
const WAIT: Duration = Duration::from_secs(1);

/// The name of the lease.
const LEADER: &str = "network-events";
/// How long the lease lasts; it is renewed with every event and every wait.
const LEASE: Duration = Duration::from_secs(10);

/// The task. One process takes events at a time, by a lease on the bus. Whoever begins, begins
/// with the first of the stream; it is trimmed behind what was taken, and what comes again after
/// a crash is known by its id.
pub(crate) struct NetworkEvents {
    pub(crate) office: Arc<Office>,
    pub(crate) bus: Bus,
    pub(crate) stop: Shutdown,
}

impl NetworkEvents {
    /// Takes until stopped.
    pub(crate) async fn run(self) -> Result<(), std::convert::Infallible> {
        let owner = uuid::Uuid::now_v7().to_string();
        let mut stream = Follower::new(EVENTS);
        while !self.stop.is_soft() {
            if !self.lead(&owner).await {
                stream = Follower::new(EVENTS);
                self.pause().await;
                continue;
            }
            let batch = tokio::select! {
                batch = stream.next(&self.bus, CHUNK, WAIT) => batch,
                () = self.stop.soft() => break,
            };
            let Ok(batch) = batch else {
                self.pause().await;
                continue;
            };
            for entry in batch.entries {
                // Whoever leads instead has begun with this one.
                if !self.lead(&owner).await {
                    stream = Follower::new(EVENTS);
                    break;
                }
                // What could not be taken stays on the stream for the next start.
                if !self.take(&entry.body, entry.position).await {
                    break;
                }
                // Not trimmed now: trimmed after the next one.
                let _ = self.bus.trim(EVENTS, entry.position).await;
            }
        }
        // Best effort: without it the next waits for the lease to end.
        let _ = self.bus.release(LEADER, &owner).await;
        Ok(())
    }

    /// Takes or keeps the lease.
    async fn lead(&self, owner: &str) -> bool {
        matches!(self.bus.lease(LEADER, owner, LEASE).await, Ok(Some(_)))
    }

    async fn pause(&self) {
        tokio::select! {
            // Neither a bus or database that is away nor another's lease tells when it changes.
            () = tokio::time::sleep(WAIT) => {}
            () = self.stop.soft() => {}
        }
    }

    /// Takes one event; false where the program stops before that worked.
    async fn take(&self, body: &[u8], at: Position) -> bool {
        let event: NetworkEvent = match serde_json::from_slice(body) {
            Ok(event) => event,
            Err(error) => {
                warn!(%error, "an event of aaad does not read and is passed over");
                return true;
            }
        };
        if event.format() > FORMAT {
            error!(
                format = event.format(),
                "an event is written by a newer aaad and is passed over: upgrade billing-api"
            );
            return true;
        }
        loop {
            match keep(&self.office, &event, id_at(at)).await {
                Ok(()) => return true,
                Err(_) if self.stop.is_soft() => return false,
                Err(Fault::Unavailable(_) | Fault::Stale) => self.pause().await,
                Err(fault) => {
                    warn!(error = %chain(&fault), "an event of aaad could not be kept");
                    return true;
                }
            }
        }
    }
}

/// The id of the event that an entry of the stream becomes: the same however often it is read.
/// A custom id (RFC 9562 §5.8) with the time in front, as the others have it.
fn id_at(at: Position) -> EventId {
    let bits = (u128::from(at.ms) << 80) | u128::from(at.seq & ((1 << 56) - 1));
    EventId(uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid())
}

/// Makes an event of the office, one for each id.
pub(crate) async fn keep(office: &Office, event: &NetworkEvent, id: EventId) -> Result<(), Fault> {
    match event {
        NetworkEvent::SigningRequired { nas, .. } => {
            if nas::require_signing(office, *nas).await? {
                info!(%nas, "a NAS signs its requests; unsigned ones are refused from now on");
            }
            Ok(())
        }
        NetworkEvent::MacLearned { service, mac, nas, generation, .. } => {
            rules::mac_learned(office, *service, *mac, *nas, *generation).await
        }
        NetworkEvent::LoginBlocked {
            login,
            station,
            nas,
            organisation,
            service,
            failures,
            until,
            at,
            ..
        } => {
            let blocked = json!({
                "login": login,
                "station": station,
                "nas_id": nas,
                "service_id": service,
                "failures": failures,
                "at": at,
                "until": until,
            });
            identity::login_blocked(office, id, *organisation, blocked).await
        }
        NetworkEvent::PoolExhausted { pool: exhausted, logins, at, .. } => {
            pool::exhausted(office, id, *exhausted, *logins, *at).await
        }
        NetworkEvent::PoolUsage { pools, at, .. } => pool::keep_usage(office, pools, *at).await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use daemon::secrets::Keyring;
    use model::nas::NasSeen;
    use model::{ClientId, NasId, OrganisationId, SystemClock, Ts};
    use store::args;

    use super::*;
    use crate::config::FirstStart;
    use crate::domain::Actor;
    use crate::store::{MIGRATIONS, nas as sql, organisation};

    #[tokio::test]
    async fn a_nas_that_signs_is_made_to_and_a_block_is_an_event() {
        for test in store::testing::engines("billing").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let (db, network) = (test.db.clone(), test.db.clone());
            let office = Office::new(db, network, Keyring::ephemeral(), Arc::new(SystemClock));
            crate::first_start::prepare(&office, &FirstStart::default(), None).await.unwrap();
            let root = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await.unwrap();
            let root = organisation::organisation(&root).unwrap();
            let actor = Actor::system("test", root.id, root.path.clone());
            let secret = model::Secret::new("testing123".to_owned());
            let source = "192.0.2.0/24".parse().unwrap();
            nas::ensure_client(&office, &actor, source, &secret).await.unwrap();
            let client = office.db.fetch_one(&sql::FIND_CLIENT_BY_SOURCE, args![source]).await;
            let client: ClientId = client.unwrap().get("id").unwrap();
            let id = NasId::generate();
            let seen = NasSeen {
                format: 1,
                nas: id,
                client,
                name: "tower-7".to_owned(),
                source: [192, 0, 2, 7].into(),
            };
            nas::keep_seen(&office, &seen).await.unwrap();
            let event = NetworkEvent::SigningRequired {
                format: FORMAT,
                at: Ts(0),
                client,
                nas: id,
                source: [192, 0, 2, 7].into(),
            };
            let at = |seq| id_at(Position { ms: 1_800_000_000_000, seq });
            keep(&office, &event, at(0)).await.unwrap();
            keep(&office, &event, at(1)).await.unwrap();
            let row = office.db.fetch_one(&sql::FIND, args![root.path.as_str(), id]).await.unwrap();
            let mode: String = row.get("message_authenticator").unwrap();
            assert_eq!(mode, "require", "{}", test.engine());
            let block = NetworkEvent::LoginBlocked {
                format: FORMAT,
                at: Ts(0),
                login: "asha".to_owned(),
                station: "02:00:00:00:00:01".to_owned(),
                nas: id,
                organisation: OrganisationId::NONE,
                service: None,
                failures: 20,
                until: Ts(1),
            };
            // Read again after a crash: it is one event.
            keep(&office, &block, at(2)).await.unwrap();
            keep(&office, &block, at(2)).await.unwrap();
            let sql = "SELECT kind FROM outbox ORDER BY seq";
            let kinds = office.db.dynamic_all(sql, args![]).await.unwrap();
            let kinds: Vec<String> = kinds.iter().map(|row| row.get("kind").unwrap()).collect();
            let count = |kind: &str| kinds.iter().filter(|own| *own == kind).count();
            assert_eq!((count("nas.signing_required"), count("login.blocked")), (1, 1));
        }
    }
}
