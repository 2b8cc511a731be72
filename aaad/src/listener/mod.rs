//! The threads that own the sockets.
//!
//! [`auth`] answers logins on as many threads as there are shards; [`acct`] journals and
//! answers accounting on one thread, because one disk is synced, and a batch waits for it
//! together. Both start with the same door: who sent this, and is it a packet.

mod acct;
mod auth;

use std::net::IpAddr;
use std::sync::Arc;

use model::nas::Vendor;
use model::{NasId, Ts};
use radius_wire::{Attributes, ClientKey, Packet, attr};
use tokio::sync::mpsc;

use crate::cache::{Cache, ClientEntry, NasEntry};
use crate::counters::DropReason;
use crate::socket::Path;

pub(crate) use acct::{AcctLoop, Positions, facts_of};
pub(crate) use auth::{AuthShard, RejectLine};

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

/// Finds the client and reads the packet, before any other work is done for a stranger.
fn admit<'a>(
    cache: &Cache,
    datagram: &'a [u8],
    path: Path,
) -> Result<(Arc<ClientEntry>, Packet<'a>), DropReason> {
    let client = cache
        .clients()
        .find(path.peer.ip().to_canonical())
        .cloned()
        .ok_or(DropReason::UnknownClient)?;
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
