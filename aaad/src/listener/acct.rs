//! The accounting loop: receive → append to the journal → sync once → send.
//!
//! The order is the promise: a record is answered only when it is on disk. Where the journal
//! fails there is no answer, so the NAS keeps the record and tries again.

use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use daemon::exit::chain;
use journal::Journal;
use metrics::{Gauge, Histogram, gauge, histogram};
use model::accounting::Record;
use model::nas::Ipv6Counters;
use model::{Clock, Ts};
use radius_wire::accounting::{Facts, Status};
use radius_wire::{Attributes, Code, Writer, verify_access_request, verify_accounting_request};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{Door, Seen, StatusBudget, admit, nas_of, with_keys};
use crate::counters::{Counters, DropReason};
use crate::duplicate::{Duplicates, RequestKey};
use crate::engine::{Engine, Scratch};
use crate::sessions::{Sessions, follow};
use crate::socket::{self, Batch, Path};

/// How often old segments are looked for.
const RETAIN_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// What the journal may forget: set by the shipper and the checkpoint, read here.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    pub(crate) acknowledged: AtomicU64,
    pub(crate) checkpointed: AtomicU64,
    /// The journal failed and has not taken a record since.
    pub(crate) journal_failing: std::sync::atomic::AtomicBool,
}

/// A record appended in this round.
struct Appended {
    sequence: u64,
    bytes: Range<usize>,
    repeat: RequestKey,
    local: IpAddr,
}

/// The accounting thread.
pub(crate) struct AcctLoop {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sockets: Vec<Batch>,
    pub(crate) stop: UnixStream,
    pub(crate) journal: Journal,
    pub(crate) sessions: Arc<Mutex<Sessions>>,
    pub(crate) positions: Arc<Positions>,
    pub(crate) duplicates: Duplicates,
    pub(crate) counters: Counters,
    pub(crate) seen: mpsc::Sender<Seen>,
    pub(crate) door: Door,
    pub(crate) status: StatusBudget,
}

/// Memory of one round, used again and again.
#[derive(Default)]
struct Round {
    arena: Vec<u8>,
    appended: Vec<Appended>,
    scratch: Scratch,
}

struct Gauges {
    journal_octets: Gauge,
    sessions: Gauge,
    commit_s: Histogram,
}

impl AcctLoop {
    /// Serves until stopped.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut sockets = std::mem::take(&mut self.sockets);
        let fds: Vec<_> = sockets.iter().map(Batch::fd).collect();
        let mut round = Round::default();
        let gauges = Gauges {
            journal_octets: gauge!("aaad_journal_octets"),
            sessions: gauge!("aaad_sessions"),
            commit_s: histogram!("aaad_journal_commit_seconds"),
        };
        let mut retained = std::time::Instant::now();
        loop {
            let (readable, stopped) =
                socket::wait(&fds, self.stop.as_raw_fd(), RETAIN_EVERY.as_millis() as i32)?;
            if stopped {
                return Ok(());
            }
            let now = self.clock.now();
            let mut failed = false;
            for (n, batch) in sockets.iter_mut().enumerate() {
                if readable & (1 << n) != 0 {
                    failed |= !self.take_in(now, batch, &mut round)?;
                }
            }
            failed |= !self.commit(now, &mut round, &gauges);
            for batch in &mut sockets {
                if failed {
                    batch.discard();
                } else {
                    let sent = batch.flush()?;
                    self.counters.replies.increment(sent as u64);
                }
            }
            if retained.elapsed() >= RETAIN_EVERY {
                retained = std::time::Instant::now();
                self.retain(now, &gauges);
            }
        }
    }

    /// Appends a batch's records and prepares the answers; false where the journal failed.
    fn take_in(&mut self, now: Ts, batch: &mut Batch, round: &mut Round) -> io::Result<bool> {
        let count = batch.receive()?;
        self.counters.requests.increment(count as u64);
        for n in 0..count {
            let (datagram, path, reply) = batch.exchange(n);
            match self.answer(now, datagram, path, round, reply) {
                Ok(()) => batch.queue(path),
                Err(reason) => {
                    self.counters.drop(reason);
                    if reason == DropReason::JournalFailed {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn answer(
        &mut self,
        now: Ts,
        datagram: &[u8],
        path: Path,
        round: &mut Round,
        reply: &mut Vec<u8>,
    ) -> Result<(), DropReason> {
        let (client, packet) = admit(&self.engine.cache, &self.door, datagram, path, now)?;
        let door = &self.door;
        let bad = |error| door.refuse(error, path, now);
        let (key, signed_reply) = match packet.code() {
            Code::ACCOUNTING_REQUEST => {
                let check = |key| verify_accounting_request(&packet, key);
                (with_keys(&client, check, |_| true).map_err(bad)?.1, false)
            }
            Code::STATUS_SERVER => {
                let check = |key| verify_access_request(&packet, key);
                let (verified, key) =
                    with_keys(&client, check, |verified| verified.signed()).map_err(bad)?;
                // RFC 5997 §3: Status-Server must be signed.
                if !verified.signed() {
                    return Err(DropReason::Unsigned);
                }
                if !self.status.spend() {
                    return Err(DropReason::StatusLimited);
                }
                (key, true)
            }
            _ => return Err(DropReason::UnexpectedCode),
        };
        if packet.code() == Code::ACCOUNTING_REQUEST {
            let attributes = packet.attributes();
            let facts = Facts::of(attributes);
            if matches!(facts.status, Status::Other(0)) {
                return Err(DropReason::Incomplete);
            }
            let repeat = RequestKey {
                peer: path.peer,
                identifier: packet.identifier(),
                authenticator: *packet.authenticator(),
            };
            let in_this_round = round.appended.iter().any(|a| a.repeat == repeat);
            if in_this_round || self.duplicates.find(&repeat, now).is_some() {
                self.counters.duplicates.increment(1);
            } else {
                let origin = nas_of(&self.engine.cache, &client, attributes, path, now);
                let (nas, vendor) = (origin.nas, origin.vendor);
                origin.tell(&self.seen);
                let stamp = self.engine.stamp(now, attributes, (nas, vendor), &mut round.scratch);
                let clients = self.engine.cache.clients();
                let ipv6_counters = clients.nas(nas).map(|n| n.ipv6_counters).unwrap_or_default();
                let from = round.arena.len();
                Record {
                    received: now,
                    client: client.id,
                    nas,
                    organisation: stamp.organisation,
                    customer: stamp.customer,
                    service: stamp.service,
                    plan_version: stamp.plan_version,
                    policy_hash: stamp.policy_hash,
                    ipv6_counters,
                    source: path.peer.ip().to_canonical(),
                    attributes: attributes.as_bytes(),
                }
                .encode(&mut round.arena);
                let bytes = from..round.arena.len();
                match self.journal.append(&round.arena[bytes.clone()]) {
                    Ok(sequence) => {
                        let local = path.local;
                        round.appended.push(Appended { sequence, bytes, repeat, local });
                    }
                    Err(error) => {
                        self.journal_failed(&error);
                        return Err(DropReason::JournalFailed);
                    }
                }
            }
        }
        // RFC 2866 §4.2: nothing but Proxy-State; signed only where it answers Status-Server.
        let mut writer = Writer::response(Code::ACCOUNTING_RESPONSE, &packet, reply, signed_reply);
        writer.proxy_states_of(&packet).map_err(|_| DropReason::ReplyUnfit)?;
        writer.finish_response(key, packet.authenticator());
        Ok(())
    }

    /// Makes the round durable, then lets the live table know; false where that failed.
    fn commit(&mut self, now: Ts, round: &mut Round, gauges: &Gauges) -> bool {
        if round.appended.is_empty() {
            round.arena.clear();
            return true;
        }
        let begun = std::time::Instant::now();
        let committed = self.journal.commit();
        gauges.commit_s.record(begun.elapsed().as_secs_f64());
        let well = match committed {
            Ok(_) => {
                if self.positions.journal_failing.swap(false, Ordering::Relaxed) {
                    info!("the journal takes records again");
                }
                self.apply(now, round, gauges);
                true
            }
            Err(error) => {
                let lost = round.appended.len() as u64;
                for _ in 0..lost {
                    self.counters.drop(DropReason::JournalFailed);
                }
                self.journal_failed(&error);
                false
            }
        };
        round.appended.clear();
        round.arena.clear();
        well
    }

    fn apply(&mut self, now: Ts, round: &Round, gauges: &Gauges) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for appended in &round.appended {
            self.duplicates.keep(appended.repeat, &[], now, now);
            let Ok(record) = Record::decode(&round.arena[appended.bytes.clone()]) else { continue };
            let Ok(attributes) = Attributes::parse(record.attributes) else { continue };
            sessions.heard(record.nas, appended.local);
            let facts = facts_of(&record, attributes);
            sessions.apply(appended.sequence, &record, &facts);
            follow(&mut sessions, &self.engine, &record, &facts);
        }
        // The journal may have a new incarnation after a failed sync.
        sessions.name_journal(self.journal.incarnation());
        gauges.sessions.set(sessions.len() as f64);
    }

    fn journal_failed(&self, error: &journal::JournalError) {
        // Once when it begins; the counter shows how long it lasts.
        if !self.positions.journal_failing.swap(true, Ordering::Relaxed) {
            error!(error = %chain(error), "the journal takes no records: accounting is not answered");
        }
    }

    fn retain(&mut self, now: Ts, gauges: &Gauges) {
        let acknowledged = self.positions.acknowledged.load(Ordering::Relaxed);
        let checkpointed = self.positions.checkpointed.load(Ordering::Relaxed);
        if let Err(error) = self.journal.retain(acknowledged, checkpointed, now.0) {
            warn!(error = %chain(&error), "could not remove old journal segments");
        }
        let usage = self.journal.usage();
        gauges.journal_octets.set(usage.octets as f64);
        if usage.octets * 10 > usage.octets_max * 8 {
            warn!(
                octets = usage.octets,
                octets_max = usage.octets_max,
                "the journal is over 80 % of its size limit"
            );
        }
    }
}

/// What a record says, with the counters of IPv6 that its NAS keeps apart.
pub(crate) fn facts_of<'a>(record: &Record<'_>, attributes: Attributes<'a>) -> Facts<'a> {
    let mut facts = Facts::of(attributes);
    if record.ipv6_counters == Ipv6Counters::Separate {
        facts.add_ipv6_counters(attributes);
    }
    facts
}
