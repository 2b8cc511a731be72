//! The threads that own the sockets.
//!
//! [`auth`] answers logins on as many threads as there are shards; [`acct`] journals and
//! answers accounting on one thread, because one disk is synced, and a batch waits for it
//! together. Both start with the same door: who sent this, and is it a packet.

mod acct;
mod auth;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use model::nas::{Signing, Vendor};
use model::{NasId, Ts};
use radius_wire::{Attributes, ClientKey, Packet, VerifyError, attr};
use tokio::sync::mpsc;

use crate::cache::{Cache, ClientEntry, NasEntry};
use crate::counters::DropReason;
use crate::socket::Path;
use crate::strangers::Strangers;

pub(crate) use acct::{AcctLoop, Positions, facts_of};
pub(crate) use auth::{AuthShard, Shared};

/// A NAS seen behind a client for the first time, for the follower to keep and to report.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) client: Arc<ClientEntry>,
    pub(crate) nas: Arc<NasEntry>,
    pub(crate) source: IpAddr,
    pub(crate) at: Ts,
}

/// Seen NAS that wait for the follower; beyond that the next packet of the NAS tells again.
pub(crate) const SEEN_QUEUE: usize = 256;

/// Status-Server requests a packet thread answers in a second, at most.
const STATUS_PER_SECOND: u32 = 50;

/// Where packets are turned away, and it is noted whose they were.
#[derive(Clone, Default)]
pub(crate) struct Door {
    pub(crate) strangers: Strangers,
}

impl Door {
    /// A packet did not prove itself.
    fn refuse(&self, error: VerifyError, path: Path, now: Ts) -> DropReason {
        match error {
            VerifyError::Code(_) => DropReason::UnexpectedCode,
            VerifyError::MessageAuthenticatorMissing => DropReason::Unsigned,
            VerifyError::Authenticator
            | VerifyError::MessageAuthenticator
            | VerifyError::MessageAuthenticatorMalformed => {
                let reason = DropReason::BadAuthenticator;
                self.strangers.note(path.peer.ip().to_canonical(), reason, now);
                reason
            }
        }
    }
}

/// How many Status-Server requests a packet thread still answers: it is asked for a sign of
/// life, and gives fifty a second.
#[derive(Default)]
pub(crate) struct StatusBudget {
    spent: u32,
    since: Option<Instant>,
}

impl StatusBudget {
    /// Whether one more is answered.
    fn spend(&mut self) -> bool {
        let now = Instant::now();
        if self.since.is_none_or(|since| now.duration_since(since).as_secs() >= 1) {
            (self.spent, self.since) = (0, Some(now));
        }
        self.spent += 1;
        self.spent <= STATUS_PER_SECOND
    }
}

/// Finds the client and reads the packet, before any other work is done for a stranger.
fn admit<'a>(
    cache: &Cache,
    door: &Door,
    datagram: &'a [u8],
    path: Path,
    now: Ts,
) -> Result<(Arc<ClientEntry>, Packet<'a>), DropReason> {
    let source = path.peer.ip().to_canonical();
    let Some(client) = cache.clients().find(source).cloned() else {
        door.strangers.note(source, DropReason::UnknownClient, now);
        return Err(DropReason::UnknownClient);
    };
    let packet = Packet::parse(datagram).map_err(|_| DropReason::Malformed)?;
    Ok((client, packet))
}

/// The NAS a packet is from.
struct Origin {
    nas: NasId,
    vendor: Vendor,
    /// Nobody knows it yet. Told to the follower once the packet has proven itself: what
    /// strangers can forge must not leave anything behind.
    new: Option<Seen>,
}

fn nas_of(
    cache: &Cache,
    client: &Arc<ClientEntry>,
    attributes: Attributes<'_>,
    path: Path,
    now: Ts,
) -> Origin {
    let clients = cache.clients();
    if let Some(id) = client.nas {
        let vendor = clients.nas(id).map_or(client.vendor, |nas| nas.vendor);
        return Origin { nas: id, vendor, new: None };
    }
    let source = path.peer.ip().to_canonical();
    let mut text = SourceText { octets: [0; 48], len: 0 };
    let name = attributes
        .first(attr::NAS_IDENTIFIER)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| text.of(nas_ip(attributes).unwrap_or(source)));
    let id = model::nas::derived_nas_id(client.id, name);
    match clients.nas(id) {
        Some(nas) => Origin { nas: id, vendor: nas.vendor, new: None },
        None => {
            let nas = Arc::new(NasEntry::seen(client, name));
            let new = Some(Seen { client: client.clone(), nas, source, at: now });
            Origin { nas: id, vendor: client.vendor, new }
        }
    }
}

/// What becomes of the unsigned Access-Requests of a NAS behind this client.
fn signing_of(cache: &Cache, client: &ClientEntry, nas: NasId) -> Signing {
    if client.nas.is_some() {
        return client.signing;
    }
    let clients = cache.clients();
    let published = clients.nas(nas).filter(|nas| nas.published);
    published.map_or(client.signing, |nas| nas.signing)
}

impl Origin {
    /// Tells the follower of a NAS on first sight. Full: its next packet tells again.
    fn tell(self, seen: &mpsc::Sender<Seen>) {
        if let Some(new) = self.new {
            let _ = seen.try_send(new);
        }
    }
}

fn nas_ip(attributes: Attributes<'_>) -> Option<IpAddr> {
    let v4 = attributes.first(attr::NAS_IP_ADDRESS).and_then(radius_wire::value::ipv4);
    let v6 = attributes.first(attr::NAS_IPV6_ADDRESS).and_then(radius_wire::value::ipv6);
    v4.map(IpAddr::V4).or(v6.map(IpAddr::V6))
}

/// An address as text without allocation: the longest IPv6 text has 45 characters.
struct SourceText {
    octets: [u8; 48],
    len: usize,
}

impl SourceText {
    fn of(&mut self, address: IpAddr) -> &[u8] {
        use std::io::Write;
        let mut rest = &mut self.octets[..];
        let room = rest.len();
        let left = match write!(rest, "{address}") {
            Ok(()) => rest.len(),
            Err(_) => room,
        };
        self.len = room - left;
        &self.octets[..self.len]
    }
}

/// Runs `check` with the client's secrets, the one in use first. `proves`: whether success with
/// this packet proves the secret, so that it decides which one is in use from now on.
fn with_keys<'k, T, E>(
    client: &'k ClientEntry,
    check: impl Fn(&'k ClientKey) -> Result<T, E>,
    proves: impl Fn(&T) -> bool,
) -> Result<(T, &'k ClientKey), E> {
    let (first, second) = client.keys();
    match (check(first), second) {
        (Ok(verified), _) => Ok((verified, first)),
        (Err(_), Some(second)) => {
            let verified = check(second)?;
            if proves(&verified) {
                client.switch_key();
            }
            Ok((verified, second))
        }
        (Err(error), None) => Err(error),
    }
}
