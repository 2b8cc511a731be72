//! A NAS without subscribers' cables: it speaks RADIUS over real sockets, as RouterOS would.
//!
//! - [`exchange`]: a request, its retransmissions, and the one answer that is believed.
//! - [`rate`]: the rates an Access-Accept or a CoA gives, in the vendors' notations.
//! - [`session`]: the table of live sessions.
//! - [`access`]: the Access-Request, and what its answer means.
//! - [`accounting`]: Start, interim, Stop, On and Off.
//! - [`dynamic`]: CoA and Disconnect from the server, with switches for bad behaviour.
//!
//! Limits: 256 requests under way towards each port (the identifiers there are); one more
//! waits. CoA requests under way at once are bounded too, and one more is dropped and counted.

pub mod exchange;
pub mod rate;
pub mod session;

mod access;
mod accounting;
mod dynamic;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Secret;
use radius_wire::{ClientKey, Full};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

pub use access::{Login, Method, Subscriber};
pub use accounting::Cause;
pub use dynamic::{CoaAnswer, CoaSwitches};
pub use exchange::Retry;
pub use session::{Session, SessionHandle};

use exchange::{ExchangeError, Requester};
use session::Table;

/// What a simulated NAS needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its NAS-Identifier.
    pub name: String,
    /// Where its packets come from, and where it listens for CoA.
    pub address: IpAddr,
    /// The server's authentication port.
    pub auth: SocketAddr,
    /// The server's accounting port.
    pub acct: SocketAddr,
    /// The secret shared with the server.
    pub secret: Secret<String>,
    /// The secret for CoA; absent: the same.
    pub coa_secret: Option<Secret<String>>,
    /// The port it listens on for CoA; 0: any.
    pub coa_port: u16,
    /// The first address it hands out where the server names none.
    pub pool: Ipv4Addr,
    /// How long it tries.
    pub retry: Retry,
}

/// Why something could not be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A socket cannot be opened.
    #[error("the simulated NAS cannot use udp {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The request would not be a packet: a login is too long, for example.
    #[error("the request cannot be written")]
    Write(#[from] Full),
    /// The server did not answer.
    #[error("no answer to {what}")]
    Exchange {
        /// The request.
        what: &'static str,
        /// Why.
        source: ExchangeError,
    },
    /// No session has this id.
    #[error("no live session {0}")]
    NoSession(String),
}

/// What a simulated NAS has seen.
#[derive(Debug, Default)]
pub struct Counters {
    /// Logins let in.
    pub accepts: AtomicU64,
    /// Logins refused.
    pub rejects: AtomicU64,
    /// Requests that nobody answered, retransmissions and all.
    pub unanswered: AtomicU64,
    /// CoA- and Disconnect-Requests that were acknowledged.
    pub coa_acks: AtomicU64,
    /// CoA- and Disconnect-Requests that were refused.
    pub coa_naks: AtomicU64,
    /// CoA packets passed over: forged, malformed, too old, or too many at once.
    pub coa_dropped: AtomicU64,
}

/// Adds one.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A simulated NAS. It works until it is dropped; sessions then just vanish, as in a power cut.
/// [`NasSim::close`] is the orderly end.
#[derive(Debug)]
pub struct NasSim {
    shared: Arc<Shared>,
    coa_address: SocketAddr,
    listener: JoinHandle<()>,
}

/// What calls and the CoA listener both need.
#[derive(Debug)]
struct Shared {
    name: String,
    address: IpAddr,
    auth: Requester,
    acct: Requester,
    coa_key: ClientKey,
    table: Mutex<Table>,
    switches: Mutex<CoaSwitches>,
    counters: Counters,
}

impl Shared {
    // No call panics while it holds either lock, and both hold plain data that is whole between
    // statements: a poisoned lock is as good as another.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switches(&self) -> CoaSwitches {
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NasSim {
    /// Opens its sockets and begins to answer CoA.
    pub async fn start(options: Options) -> Result<Self, SimError> {
        let Options { name, address, auth, acct, secret, coa_secret, coa_port, pool, retry } =
            options;
        let key = ClientKey::new(secret.expose().as_bytes());
        let coa_key = match coa_secret {
            Some(secret) => ClientKey::new(secret.expose().as_bytes()),
            None => key.clone(),
        };
        let requester = async |server| {
            Requester::open(address, server, key.clone(), retry)
                .await
                .map_err(|source| SimError::Bind { address: SocketAddr::new(address, 0), source })
        };
        let (auth, acct) = (requester(auth).await?, requester(acct).await?);
        let wanted = SocketAddr::new(address, coa_port);
        let bind = |source| SimError::Bind { address: wanted, source };
        let coa = UdpSocket::bind(wanted).await.map_err(bind)?;
        let coa_address = coa.local_addr().map_err(bind)?;
        let shared = Arc::new(Shared {
            name,
            address,
            auth,
            acct,
            coa_key,
            table: Mutex::new(Table::new(pool)),
            switches: Mutex::default(),
            counters: Counters::default(),
        });
        let listener = tokio::spawn(dynamic::Listener::new(coa, shared.clone()).run());
        Ok(Self { shared, coa_address, listener })
    }

    /// Where it listens for CoA.
    pub fn coa_address(&self) -> SocketAddr {
        self.coa_address
    }

    /// What it has seen.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// How it treats CoA from now on.
    pub fn set_coa(&self, switches: CoaSwitches) {
        *self.shared.switches.lock().unwrap_or_else(PoisonError::into_inner) = switches;
    }

    /// The live sessions, by id.
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions: Vec<Session> = self.shared.table().iter().cloned().collect();
        sessions.sort_by(|a, b| a.id.cmp(&b.id));
        sessions
    }

    /// One live session.
    pub fn session(&self, id: &str) -> Option<Session> {
        self.shared.table().get(id).cloned()
    }

    /// Lets a session carry octets: `download` to the subscriber, `upload` from it.
    pub fn transfer(&self, id: &str, download: u64, upload: u64) -> Result<(), SimError> {
        let mut table = self.shared.table();
        let session = table.get_mut(id).ok_or_else(|| SimError::NoSession(id.to_owned()))?;
        session.download_octets = session.download_octets.saturating_add(download);
        session.upload_octets = session.upload_octets.saturating_add(upload);
        Ok(())
    }

    /// Ends every session with a Stop, then says Accounting-Off; gives up after `limit`.
    pub async fn close(self, limit: Duration) {
        let closing = async {
            let mut stops = tokio::task::JoinSet::new();
            for session in self.sessions() {
                let shared = self.shared.clone();
                // As many at once as there are identifiers; the exchange holds back the rest.
                stops.spawn(async move {
                    accounting::stop(&shared, &session.id, Cause::AdminReboot).await
                });
            }
            while stops.join_next().await.is_some() {}
            accounting::whole(&self.shared, radius_wire::Status::Off).await
        };
        // What is not said in time is left to the server's own search for lost sessions.
        let _ = tokio::time::timeout(limit, closing).await;
    }
}

impl Drop for NasSim {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[cfg(test)]
mod tests;
