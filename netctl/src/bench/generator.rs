//! Sends requests and judges answers, on one thread that never sleeps.
//!
//! Request `n` leaves socket `n / 256 mod sockets` with identifier `n mod 256`, so every request
//! under way has a place of its own. Where a place is needed again before its answer came, that
//! request is lost, and every later answer to that identifier is checked in full: it may belong
//! to the lost one.
//!
//! At a fixed rate, latency counts from the moment a request should have left. A generator or a
//! server that stalls then shows in every request it held up, and not only in one.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use radius_wire::{ClientKey, Code, PACKET_OCTETS_MAX, Packet, verify_response};

use super::BenchError;
use super::histogram::Histogram;
use super::packets::Packets;

/// Identifiers of a socket: RADIUS has one octet for them.
pub(super) const IDENTIFIERS: u32 = 256;

/// How long answers are waited for after the last request.
const GRACE: Duration = Duration::from_secs(1);
/// A closed loop gives up on a request after this long, and sends another one in its place.
const GIVE_UP: Duration = Duration::from_secs(1);
/// How often it looks for those.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// One answer in this many has its authenticator checked.
const CHECK_EVERY: u64 = 64;
/// Requests sent before answers are read again.
const BURST: usize = 32;
/// Answers read from a socket before the next one has its turn.
const READ: usize = 64;
/// With so many requests refused and none answered, nobody listens there.
const REFUSED_MAX: u64 = 64;

/// How requests are paced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// So many a second, whatever comes back.
    Rate {
        /// How many.
        per_s: f64,
    },
    /// A new one for every answer.
    Closed {
        /// Requests under way.
        outstanding: u32,
    },
}

/// What one thread does.
#[derive(Debug)]
pub(super) struct Generator<'a> {
    pub(super) server: SocketAddr,
    pub(super) packets: &'a Packets,
    /// Absent: answers prove nothing, and are not asked to.
    pub(super) key: Option<&'a ClientKey>,
    pub(super) load: Load,
    pub(super) sockets: u32,
    /// The first request it sends.
    pub(super) first: u64,
    pub(super) requests_max: u64,
    pub(super) duration: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// Requests sent.
    pub(super) sent: u64,
    /// Requests that were due and not sent: the generator was too slow.
    pub(super) unsent: u64,
    /// Answers Access-Accept.
    pub(super) accepts: u64,
    /// Answers Access-Reject.
    pub(super) rejects: u64,
    /// Answers of another kind.
    pub(super) others: u64,
    /// Answers that came while requests were sent.
    pub(super) answers_in_time: u64,
    /// Requests never answered.
    pub(super) lost: u64,
    /// Datagrams that are no answer of ours: malformed, or wrong under the secret.
    pub(super) invalid: u64,
    /// Answers to nothing that waits: repeated, or too late.
    pub(super) stray: u64,
    /// Answers whose authenticator was checked, and right.
    pub(super) checked: u64,
    /// Times the system said that nobody listens.
    pub(super) refused: u64,
    /// How long requests were sent.
    pub(super) sending: Duration,
    /// Octets of all answers.
    pub(super) answer_octets: u64,
    /// Nanoseconds from request to answer.
    pub(super) latency: Histogram,
}

impl Outcome {
    /// Answers of any kind.
    pub(super) fn answers(&self) -> u64 {
        self.accepts + self.rejects + self.others
    }

    /// Adds what another thread found.
    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.unsent += other.unsent;
        self.accepts += other.accepts;
        self.rejects += other.rejects;
        self.others += other.others;
        self.answers_in_time += other.answers_in_time;
        self.lost += other.lost;
        self.invalid += other.invalid;
        self.stray += other.stray;
        self.checked += other.checked;
        self.refused += other.refused;
        self.sending = self.sending.max(other.sending);
        self.answer_octets += other.answer_octets;
        self.latency.add(&other.latency);
    }
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Since when, nanoseconds from the start; absent: nothing is under way here.
    since: Option<u64>,
    packet: usize,
    /// An earlier request of this place was lost, so its answer may come yet.
    suspect: bool,
}

/// A socket and what is under way on it.
struct Line {
    socket: UdpSocket,
    slots: Vec<Slot>,
    waiting: u32,
}

impl Line {
    fn open(server: SocketAddr) -> io::Result<Self> {
        let local: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let slot = Slot { since: None, packet: 0, suspect: false };
        Ok(Self { socket, slots: vec![slot; IDENTIFIERS as usize], waiting: 0 })
    }
}

impl Generator<'_> {
    /// Sends for as long as it should, and waits for the last answers.
    pub(super) fn run(self) -> Result<Outcome, BenchError> {
        let lines: io::Result<Vec<Line>> =
            (0..self.sockets).map(|_| Line::open(self.server)).collect();
        let lines = lines.map_err(|source| BenchError::Socket { server: self.server, source })?;
        let mut flight = Flight {
            server: self.server,
            packets: self.packets,
            key: self.key,
            first: self.first,
            lines,
            active: Vec::with_capacity(self.sockets as usize),
            waiting: 0,
            outcome: Outcome::default(),
            started: Instant::now(),
        };
        self.send_all(&mut flight)?;
        flight.outcome.answers_in_time = flight.outcome.answers();
        flight.outcome.sending = flight.started.elapsed();

        let until = Instant::now() + GRACE;
        while flight.waiting > 0 && Instant::now() < until {
            flight.receive()?;
        }
        flight.outcome.lost += u64::from(flight.waiting);
        Ok(flight.outcome)
    }

    fn send_all(&self, flight: &mut Flight<'_>) -> Result<(), BenchError> {
        let end = self.duration.as_nanos() as u64;
        let mut look_at = LOOK_EVERY.as_nanos() as u64;
        loop {
            let now = flight.now();
            if now >= end || flight.outcome.sent >= self.requests_max {
                if let Load::Rate { per_s } = self.load {
                    let due = ((now.min(end)) as f64 * per_s / 1e9) as u64;
                    let due = due.min(self.requests_max);
                    flight.outcome.unsent = due.saturating_sub(flight.outcome.sent);
                }
                return Ok(());
            }
            match self.load {
                Load::Rate { per_s } => {
                    for _ in 0..BURST {
                        let due = (flight.outcome.sent as f64 * 1e9 / per_s) as u64;
                        if due > now || flight.outcome.sent >= self.requests_max {
                            break;
                        }
                        flight.send(due)?;
                    }
                }
                Load::Closed { outstanding } => {
                    for _ in 0..BURST {
                        let enough = flight.waiting >= outstanding;
                        if enough || flight.outcome.sent >= self.requests_max {
                            break;
                        }
                        flight.send(flight.now())?;
                    }
                    if now >= look_at {
                        flight.give_up(now);
                        look_at = now + LOOK_EVERY.as_nanos() as u64;
                    }
                }
            }
            flight.receive()?;
        }
    }
}

/// Everything under way.
struct Flight<'a> {
    server: SocketAddr,
    packets: &'a Packets,
    key: Option<&'a ClientKey>,
    first: u64,
    lines: Vec<Line>,
    /// The sockets that wait for something.
    active: Vec<usize>,
    waiting: u32,
    outcome: Outcome,
    started: Instant,
}

impl Flight<'_> {
    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Sends the next request; `since`: when it should have left.
    fn send(&mut self, since: u64) -> Result<(), BenchError> {
        let n = self.outcome.sent;
        let at = (n / u64::from(IDENTIFIERS)) as usize % self.lines.len();
        // Threads begin at a multiple of 256 or not at all the same place: the packet's own
        // identifier says which slot it has.
        let packet = ((self.first + n) % self.packets.len()) as usize;
        let bytes = self.packets.get(packet);
        let line = &mut self.lines[at];
        let slot = &mut line.slots[usize::from(bytes[1])];
        let lost = slot.since.replace(since).is_some();
        slot.packet = packet;
        slot.suspect |= lost;
        if lost {
            self.outcome.lost += 1;
        } else {
            if line.waiting == 0 {
                self.active.push(at);
            }
            line.waiting += 1;
            self.waiting += 1;
        }
        self.outcome.sent += 1;
        loop {
            match line.socket.send(bytes) {
                Ok(_) => return Ok(()),
                // It tells of an earlier request; this one has not been sent.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    refused(&mut self.outcome, self.server)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The system has no room for it: sent in vain, and found lost later.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(source) => return Err(BenchError::Send { server: self.server, source }),
            }
        }
    }

    /// Reads what has come.
    fn receive(&mut self) -> Result<(), BenchError> {
        let mut buf = [0; PACKET_OCTETS_MAX];
        let mut n = 0;
        while let Some(at) = self.active.get(n).copied() {
            for _ in 0..READ {
                match self.lines[at].socket.recv(&mut buf) {
                    Ok(octets) => self.judge(at, &buf[..octets]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        refused(&mut self.outcome, self.server)?;
                    }
                    Err(source) => return Err(BenchError::Receive(source)),
                }
            }
            if self.lines[at].waiting == 0 {
                self.active.swap_remove(n);
            } else {
                n += 1;
            }
        }
        Ok(())
    }

    fn judge(&mut self, at: usize, datagram: &[u8]) {
        let now = self.now();
        let outcome = &mut self.outcome;
        let [code, identifier, ..] = *datagram else {
            outcome.invalid += 1;
            return;
        };
        let line = &mut self.lines[at];
        let slot = &mut line.slots[usize::from(identifier)];
        let Some(since) = slot.since else {
            outcome.stray += 1;
            return;
        };
        if let Some(key) = self.key
            && (slot.suspect || outcome.answers().is_multiple_of(CHECK_EVERY))
        {
            let authenticator = self.packets.authenticator(slot.packet);
            let proven = Packet::parse(datagram)
                .is_ok_and(|packet| verify_response(&packet, authenticator, key).is_ok());
            if !proven {
                let which = if slot.suspect { &mut outcome.stray } else { &mut outcome.invalid };
                *which += 1;
                return;
            }
            outcome.checked += 1;
        }
        match Code(code) {
            Code::ACCESS_ACCEPT => outcome.accepts += 1,
            Code::ACCESS_REJECT => outcome.rejects += 1,
            _ => outcome.others += 1,
        }
        outcome.answer_octets += datagram.len() as u64;
        outcome.latency.record(now.saturating_sub(since));
        slot.since = None;
        line.waiting -= 1;
        self.waiting -= 1;
    }

    /// Takes requests for lost that have waited too long, so that others take their turn.
    fn give_up(&mut self, now: u64) {
        let oldest = now.saturating_sub(GIVE_UP.as_nanos() as u64);
        for at in &self.active {
            let line = &mut self.lines[*at];
            for slot in &mut line.slots {
                if slot.since.is_some_and(|since| since < oldest) {
                    *slot = Slot { since: None, suspect: true, ..*slot };
                    line.waiting -= 1;
                    self.waiting -= 1;
                    self.outcome.lost += 1;
                }
            }
        }
        let lines = &self.lines;
        self.active.retain(|at| lines[*at].waiting > 0);
    }
}

/// Counts a refusal; an error where nothing was ever answered.
fn refused(outcome: &mut Outcome, server: SocketAddr) -> Result<(), BenchError> {
    outcome.refused += 1;
    if outcome.refused >= REFUSED_MAX && outcome.answers() == 0 {
        return Err(BenchError::Refused(server));
    }
    Ok(())
}
