//! A request over UDP: identifiers, retransmission, and which answer is believed.
//!
//! Retransmission follows RFC 5080 §2.2.1: the same octets again after a time that doubles, with
//! some chance in it so that many clients do not beat as one. An answer counts only if its
//! identifier is waiting, its code fits, and its Response Authenticator is right (RFC 2865 §3);
//! an answer to an Access-Request must carry a Message-Authenticator too, as nothing else
//! protects it (CVE-2024-3596).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use radius_wire::{Attributes, ClientKey, Code, Full, PACKET_OCTETS_MAX, Packet, verify_response};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::chance::Chance;

/// Requests under way at once: the identifier is one octet.
pub const UNDER_WAY_MAX: usize = 256;

/// When to send again, and when to give up. The names are those of RFC 5080 §2.2.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// IRT: until the first retransmission.
    pub first: Duration,
    /// MRT: between retransmissions at most.
    pub pause_max: Duration,
    /// MRC: times it is sent at most, the first included.
    pub sends_max: u32,
    /// MRD: until it is given up.
    pub duration_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            pause_max: Duration::from_secs(16),
            sends_max: 5,
            duration_max: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// The wait after the one before, spread by a tenth either way.
    fn next(&self, before: Option<Duration>, chance: &mut Chance) -> Duration {
        let mut spread = |base: Duration| base.mul_f64(chance.between(0.9, 1.1));
        match before {
            None => spread(self.first),
            Some(before) if before * 2 > self.pause_max => spread(self.pause_max),
            Some(before) => before + spread(before),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The request would not be a packet.
    #[error("the request cannot be written")]
    Write(#[from] Full),
    /// It cannot be sent.
    #[error("could not send to {server}")]
    Send {
        /// The server.
        server: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Nobody answered, or nobody who is to be believed.
    #[error("sent {sends} times to {server} without a valid answer")]
    Unanswered {
        /// The server.
        server: SocketAddr,
        /// How often.
        sends: u32,
    },
}

/// An answer that has been proven.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What kind.
    pub code: Code,
    /// From the last transmission to the answer.
    pub round_trip: Duration,
    attributes: Vec<u8>,
}

impl Answer {
    /// What it says.
    pub fn attributes(&self) -> Attributes<'_> {
        // They were well-formed when the packet was parsed.
        Attributes::parse(&self.attributes).unwrap_or_default()
    }
}

/// What a requester has met.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets sent, retransmissions included.
    pub sent: AtomicU64,
    /// Retransmissions alone.
    pub retransmitted: AtomicU64,
    /// Answers nobody waits for: late, or repeated.
    pub unexpected: AtomicU64,
    /// Packets that are no answer of somebody who knows the secret.
    pub invalid: AtomicU64,
}

/// Sends requests from one socket to one server.
#[derive(Debug)]
pub struct Requester {
    shared: Arc<Shared>,
    receiver: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    server: SocketAddr,
    key: ClientKey,
    retry: Retry,
    slots: Mutex<Slots>,
    /// As many as there are identifiers; a request beyond them waits for one.
    room: Semaphore,
    counters: Counters,
}

/// The identifiers, in turn: one is used again as late as possible, so that a late answer to
/// its last request meets nobody.
#[derive(Debug)]
struct Slots {
    next: u8,
    waiting: [Option<Waiting>; UNDER_WAY_MAX],
}

/// What the answer to an identifier must fit.
#[derive(Debug)]
struct Waiting {
    code: Code,
    authenticator: [u8; 16],
    /// Nothing while the request is being written.
    answer: Option<oneshot::Sender<(Code, Vec<u8>)>>,
}

impl Slots {
    fn new() -> Self {
        Self { next: 0, waiting: [const { None }; UNDER_WAY_MAX] }
    }

    /// Takes the next free identifier.
    fn take(&mut self) -> Option<u8> {
        let free = (0..=u8::MAX).map(|n| self.next.wrapping_add(n));
        let identifier = free.into_iter().find(|n| self.waiting[usize::from(*n)].is_none())?;
        self.next = identifier.wrapping_add(1);
        let blank = Waiting { code: Code(0), authenticator: [0; 16], answer: None };
        self.waiting[usize::from(identifier)] = Some(blank);
        Some(identifier)
    }
}

/// An identifier in use; free again when dropped, whatever became of the request.
struct Slot<'a> {
    shared: &'a Shared,
    identifier: u8,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.shared.slots().waiting[usize::from(self.identifier)] = None;
    }
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Plain data, whole between statements.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Slot<'_>> {
        let identifier = self.slots().take()?;
        Some(Slot { shared: self, identifier })
    }

    /// Gives a datagram to whoever waits for it.
    fn receive(&self, datagram: &[u8]) {
        let invalid = || super::count(&self.counters.invalid);
        let Ok(packet) = Packet::parse(datagram) else { return invalid() };
        let mut slots = self.slots();
        let Some(waiting) = &mut slots.waiting[usize::from(packet.identifier())] else {
            return super::count(&self.counters.unexpected);
        };
        if waiting.answer.is_none() {
            return super::count(&self.counters.unexpected);
        }
        let Ok(proven) = verify_response(&packet, &waiting.authenticator, &self.key) else {
            return invalid();
        };
        let protected = proven.signed() || waiting.code != Code::ACCESS_REQUEST;
        if !fits(waiting.code, packet.code()) || !protected {
            return invalid();
        }
        if let Some(answer) = waiting.answer.take() {
            let attributes = packet.attributes().as_bytes().to_vec();
            // Nobody takes it where the request was dropped at this very moment.
            let _ = answer.send((packet.code(), attributes));
        }
    }
}

/// Whether this is an answer to that.
fn fits(request: Code, answer: Code) -> bool {
    match request {
        Code::ACCESS_REQUEST => {
            matches!(answer, Code::ACCESS_ACCEPT | Code::ACCESS_REJECT | Code::ACCESS_CHALLENGE)
        }
        Code::ACCOUNTING_REQUEST => answer == Code::ACCOUNTING_RESPONSE,
        Code::COA_REQUEST => matches!(answer, Code::COA_ACK | Code::COA_NAK),
        Code::DISCONNECT_REQUEST => matches!(answer, Code::DISCONNECT_ACK | Code::DISCONNECT_NAK),
        // RFC 5997 §3: a port answers in its own kind.
        Code::STATUS_SERVER => matches!(answer, Code::ACCESS_ACCEPT | Code::ACCOUNTING_RESPONSE),
        _ => false,
    }
}

impl Requester {
    /// Opens a socket of its own at `from`, any port.
    pub async fn open(
        from: IpAddr,
        server: SocketAddr,
        key: ClientKey,
        retry: Retry,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(from, 0)).await?;
        // Connected: the kernel drops what others than the server send.
        socket.connect(server).await?;
        let shared = Arc::new(Shared {
            socket,
            server,
            key,
            retry,
            slots: Mutex::new(Slots::new()),
            room: Semaphore::new(UNDER_WAY_MAX),
            counters: Counters::default(),
        });
        let receiver = tokio::spawn(receive(shared.clone()));
        Ok(Self { shared, receiver })
    }

    /// Where its packets come from.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// What it has met.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Sends a request until it is answered or given up. `write` fills the buffer with a
    /// finished packet of this identifier.
    pub async fn request(
        &self,
        write: impl FnOnce(u8, &ClientKey, &mut Vec<u8>) -> Result<(), Full>,
    ) -> Result<Answer, ExchangeError> {
        let shared = &*self.shared;
        let unanswered = |sends| ExchangeError::Unanswered { server: shared.server, sends };
        // The semaphore is never closed.
        let _room = shared.room.acquire().await.map_err(|_| unanswered(0))?;
        // A permit is one of as many identifiers as there are.
        let slot = shared.take().ok_or_else(|| unanswered(0))?;

        let mut buf = Vec::with_capacity(256);
        write(slot.identifier, &shared.key, &mut buf)?;
        let (code, authenticator) = match Packet::parse(&buf) {
            Ok(packet) => (packet.code(), *packet.authenticator()),
            // Only a `write` that does not finish its packet comes here.
            Err(_) => return Err(Full::Packet.into()),
        };
        let (sender, mut answer) = oneshot::channel();
        shared.slots().waiting[usize::from(slot.identifier)] =
            Some(Waiting { code, authenticator, answer: Some(sender) });

        let mut chance = Chance::new();
        let give_up = Instant::now() + shared.retry.duration_max;
        let mut pause = None;
        for sends in 1..=shared.retry.sends_max.max(1) {
            if let Err(source) = send(&shared.socket, &buf).await {
                return Err(ExchangeError::Send { server: shared.server, source });
            }
            super::count(&shared.counters.sent);
            if sends > 1 {
                super::count(&shared.counters.retransmitted);
            }
            let sent = Instant::now();
            let wait = shared.retry.next(pause, &mut chance);
            pause = Some(wait);
            let until = give_up.min(sent + wait);
            if let Ok(Ok((code, attributes))) = tokio::time::timeout_at(until, &mut answer).await {
                return Ok(Answer { code, round_trip: sent.elapsed(), attributes });
            }
            if Instant::now() >= give_up {
                return Err(unanswered(sends));
            }
        }
        Err(unanswered(shared.retry.sends_max.max(1)))
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

/// Sends; a "connection refused" that an earlier packet met is no reason to stop, since the
/// server may be starting.
async fn send(socket: &UdpSocket, packet: &[u8]) -> io::Result<()> {
    match socket.send(packet).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            socket.send(packet).await.map(drop).or_else(|again| match again.kind() {
                io::ErrorKind::ConnectionRefused => Ok(()),
                _ => Err(again),
            })
        }
        sent => sent.map(drop),
    }
}

async fn receive(shared: Arc<Shared>) {
    let mut buf = vec![0; PACKET_OCTETS_MAX];
    loop {
        // An error is what an earlier packet met on its way (ICMP), each reported once.
        if let Ok(octets) = shared.socket.recv(&mut buf).await {
            shared.receive(&buf[..octets]);
        }
    }
}

/// How many of a kind were counted.
pub fn seen(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let retry = Retry::default();
        let mut chance = Chance::seeded(1);
        let mut before = None;
        let mut waits = Vec::new();
        for _ in 0..6 {
            let wait = retry.next(before, &mut chance);
            waits.push(wait.as_secs_f64());
            before = Some(wait);
        }
        assert!((1.8..=2.2).contains(&waits[0]), "{waits:?}");
        assert!(waits.windows(2).take(2).all(|w| (1.85..=2.15).contains(&(w[1] / w[0]))));
        assert!(waits[3..].iter().all(|wait| (14.0..=17.7).contains(wait)), "{waits:?}");
    }

    #[test]
    fn identifiers_go_round_and_run_out() {
        let mut slots = Slots::new();
        assert_eq!(slots.take(), Some(0));
        slots.waiting[0] = None;
        // Free again, but used last.
        for expected in 1..=255 {
            assert_eq!(slots.take(), Some(expected));
        }
        assert_eq!(slots.take(), Some(0));
        assert_eq!(slots.take(), None);
        slots.waiting[77] = None;
        assert_eq!(slots.take(), Some(77));
    }

    #[test]
    fn an_answer_must_be_of_the_requests_kind() {
        assert!(fits(Code::ACCESS_REQUEST, Code::ACCESS_REJECT));
        assert!(!fits(Code::ACCESS_REQUEST, Code::ACCOUNTING_RESPONSE));
        assert!(fits(Code::ACCOUNTING_REQUEST, Code::ACCOUNTING_RESPONSE));
        assert!(!fits(Code::DISCONNECT_REQUEST, Code::COA_ACK));
    }
}
