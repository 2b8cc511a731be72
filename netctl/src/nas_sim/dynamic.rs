//! CoA and Disconnect from the server (RFC 5176).
//!
//! A request is checked, its sessions are found, and it is carried out whole or refused whole.
//! The reply to a request is kept for its retransmissions (RFC 5080 §2.2.2): a Disconnect must
//! not be refused because its first copy has already worked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Clock, SystemClock};
use radius_wire::{
    Attributes, Code, PACKET_OCTETS_MAX, Packet, Verified, Writer, attr, verify_dynamic_request,
};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::rate::Rates;
use super::session::Wanted;
use super::{Cause, Shared, accounting, count};

/// How CoA- and Disconnect-Requests are treated.
#[derive(Debug, Clone, Copy, Default)]
pub struct CoaSwitches {
    /// What is answered.
    pub answer: CoaAnswer,
    /// How long the answer takes.
    pub delay: Duration,
}

/// What a CoA- or Disconnect-Request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CoaAnswer {
    /// What it deserves.
    #[default]
    Honest,
    /// No, with this Error-Cause, and nothing is done.
    Nak(u32),
    /// Nothing, and nothing is done.
    Silent,
}

/// RFC 5176 §3.5.
const UNSUPPORTED_ATTRIBUTE: u32 = 401;
const MISSING_ATTRIBUTE: u32 = 402;
const NAS_MISMATCH: u32 = 403;
const NO_SUCH_SESSION: u32 = 503;

/// Requests under way at once; one more is dropped, and the server sends it again.
const UNDER_WAY_MAX: usize = 64;
/// Replies kept for retransmissions.
const KEPT_MAX: usize = 256;
/// How far Event-Timestamp may be from our clock (RFC 5176 §6.3 suggests 300 s).
const SKEW_MAX_S: i64 = 300;

/// What tells a request from others: where it came from, and its authenticator, which covers
/// all of it.
type Mark = (SocketAddr, u8, [u8; 16]);

/// A reply, or nothing while it is being worked on.
type Kept = VecDeque<(Mark, Option<Arc<[u8]>>)>;

/// Receives requests.
pub(super) struct Listener {
    socket: Arc<UdpSocket>,
    shared: Arc<Shared>,
    kept: Arc<Mutex<Kept>>,
}

impl Listener {
    pub(super) fn new(socket: UdpSocket, shared: Arc<Shared>) -> Self {
        Self { socket: Arc::new(socket), shared, kept: Arc::default() }
    }

    /// Works until it is dropped.
    pub(super) async fn run(self) {
        let mut under_way = JoinSet::new();
        let mut buf = vec![0; PACKET_OCTETS_MAX];
        loop {
            let received = tokio::select! {
                received = self.socket.recv_from(&mut buf) => received,
                Some(_) = under_way.join_next() => continue,
            };
            // An error is what a reply met on its way (ICMP), each reported once.
            let Ok((octets, from)) = received else { continue };
            match self.accept(&buf[..octets], from) {
                Accepted::New(mark) if under_way.len() < UNDER_WAY_MAX => {
                    let request = buf[..octets].to_vec();
                    let (socket, shared) = (self.socket.clone(), self.shared.clone());
                    let kept = self.kept.clone();
                    under_way.spawn(answer(socket, shared, kept, request, mark));
                }
                Accepted::New(mark) => {
                    // Forgotten, so that its retransmission is new.
                    lock(&self.kept).retain(|(known, _)| *known != mark);
                    count(&self.shared.counters.coa_dropped);
                }
                Accepted::Repeated(Some(reply)) => {
                    // Lost like any packet if the socket is full: it is asked for again.
                    let _ = self.socket.try_send_to(&reply, from);
                }
                Accepted::Repeated(None) => {}
                Accepted::Dropped => count(&self.shared.counters.coa_dropped),
            }
        }
    }

    fn accept(&self, datagram: &[u8], from: SocketAddr) -> Accepted {
        let verified = Packet::parse(datagram)
            .ok()
            .and_then(|p| verify_dynamic_request(&p, &self.shared.coa_key).ok());
        let Some(request) = verified.filter(is_recent) else { return Accepted::Dropped };
        let mark = (from, request.identifier(), *request.authenticator());
        let mut kept = lock(&self.kept);
        if let Some((_, reply)) = kept.iter().find(|(known, _)| *known == mark) {
            return Accepted::Repeated(reply.clone());
        }
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((mark, None));
        Accepted::New(mark)
    }
}

enum Accepted {
    New(Mark),
    Repeated(Option<Arc<[u8]>>),
    Dropped,
}

fn lock(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    // Plain data, whole between statements.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the request is not a replay of an old one; without a timestamp there is no telling.
fn is_recent(request: &Verified<'_>) -> bool {
    let now = SystemClock.now().seconds();
    let at = request.attributes().u32(attr::EVENT_TIMESTAMP);
    at.is_none_or(|at| (now - i64::from(at)).abs() <= SKEW_MAX_S)
}

async fn answer(
    socket: Arc<UdpSocket>,
    shared: Arc<Shared>,
    kept: Arc<Mutex<Kept>>,
    request: Vec<u8>,
    mark: Mark,
) {
    let switches = shared.switches();
    if !switches.delay.is_zero() {
        tokio::time::sleep(switches.delay).await;
    }
    // It was parsed when it was accepted.
    let Ok(packet) = Packet::parse(&request) else { return };
    let outcome = match switches.answer {
        CoaAnswer::Honest => carry_out(&shared, &packet),
        CoaAnswer::Nak(cause) => Err(cause),
        CoaAnswer::Silent => return,
    };
    let reply: Arc<[u8]> = reply(&shared, &packet, outcome.as_ref().err().copied()).into();
    for (known, place) in lock(&kept).iter_mut() {
        if *known == mark {
            *place = Some(reply.clone());
        }
    }
    let counters = &shared.counters;
    count(if outcome.is_ok() { &counters.coa_acks } else { &counters.coa_naks });
    // Lost like any packet: its retransmission finds the kept one.
    let _ = socket.send_to(&reply, mark.0).await;
    for session in outcome.unwrap_or_default() {
        let _counted = accounting::stop(&shared, &session, Cause::AdminReset).await;
    }
}

/// Does what is asked; returns the sessions that are to end, or an Error-Cause.
fn carry_out(shared: &Shared, request: &Packet<'_>) -> Result<Vec<String>, u32> {
    let attributes = request.attributes();
    let ours = attributes.text(attr::NAS_IDENTIFIER).is_none_or(|name| name == shared.name);
    if !ours {
        return Err(NAS_MISMATCH);
    }
    let wanted = Wanted {
        id: attributes.first(attr::ACCT_SESSION_ID),
        login: attributes.first(attr::USER_NAME),
        station: attributes.first(attr::CALLING_STATION_ID),
        ip: attributes.ipv4(attr::FRAMED_IP_ADDRESS),
    };
    if wanted.is_empty() {
        return Err(MISSING_ATTRIBUTE);
    }
    let mut table = shared.table();
    let found = table.find(&wanted);
    if found.is_empty() {
        return Err(NO_SUCH_SESSION);
    }
    if request.code() == Code::DISCONNECT_REQUEST {
        return Ok(found);
    }
    let change = Change::of(attributes)?;
    for id in &found {
        if let Some(session) = table.get_mut(id) {
            if let Some(rates) = change.rates {
                session.rates = rates;
            }
            if let Some(interim) = change.interim {
                session.interim = Some(interim);
            }
            session.changes += 1;
        }
    }
    Ok(Vec::new())
}

/// What a CoA-Request changes.
struct Change {
    rates: Option<Rates>,
    interim: Option<Duration>,
}

impl Change {
    /// Reads it; as RouterOS does, an address, a pool or a route cannot be changed.
    fn of(attributes: Attributes<'_>) -> Result<Self, u32> {
        for fixed in [attr::FRAMED_POOL, attr::FRAMED_ROUTE] {
            if attributes.first(fixed).is_some() {
                return Err(UNSUPPORTED_ATTRIBUTE);
            }
        }
        let interim = attributes.u32(attr::ACCT_INTERIM_INTERVAL);
        let interim = interim.map(|seconds| Duration::from_secs(u64::from(seconds)));
        Ok(Self { rates: Rates::of(attributes), interim })
    }
}

fn reply(shared: &Shared, request: &Packet<'_>, error: Option<u32>) -> Vec<u8> {
    let code = match (request.code(), error) {
        (Code::DISCONNECT_REQUEST, None) => Code::DISCONNECT_ACK,
        (Code::DISCONNECT_REQUEST, Some(_)) => Code::DISCONNECT_NAK,
        (_, None) => Code::COA_ACK,
        (_, Some(_)) => Code::COA_NAK,
    };
    let mut buf = Vec::with_capacity(64);
    let mut writer = Writer::response(code, request, &mut buf, true);
    if let Some(cause) = error {
        // Six octets always fit into an empty packet.
        let _ = writer.attribute_u32(attr::ERROR_CAUSE, cause);
    }
    // A proxy that sent more of these than fit gets what fits.
    let _ = writer.proxy_states_of(request);
    writer.finish_response(&shared.coa_key, request.authenticator());
    buf
}
