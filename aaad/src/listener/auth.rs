//! The authentication loop: receive → decide → send, a batch at a time. Refusals wait a little
//! before they go out.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use metrics::counter;
use model::auth_log::NetworkEvent;
use model::identity::MacAddress;
use model::reject::RejectReason;
use model::{Clock, NasId, Ts};
use radius_wire::{Code, Line as AccessLine, Packet, Writer, attr, verify_access_request};
use tokio::sync::mpsc;

use super::{Door, Origin, Seen, StatusBudget, admit, nas_of, signing_of, with_keys};
use crate::auth_log::{Line, Tail, Text};
use crate::blocks::{Blocked, Blocks};
use crate::coa::Nudge;
use crate::counters::{Counters, DropReason};
use crate::delay::Delayed;
use crate::duplicate::{Duplicates, Earlier, RequestKey};
use crate::engine::{AccessRequest, Answer, Engine, NewMac, PPP, Scratch, station_of};
use crate::guard::Pair;
use crate::signing::{Asked, Notice, Sources};
use crate::socket::{self, BATCH, Batch, Path};

/// What the shards share. Each part is read without waiting for another shard.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) notices: mpsc::Sender<Notice>,
    pub(crate) begun: mpsc::Sender<Blocked>,
    pub(crate) refusals: mpsc::Sender<Line>,
    pub(crate) seen: mpsc::Sender<Seen>,
    pub(crate) coa: mpsc::Sender<Nudge>,
    /// What the office should hear of.
    pub(crate) events: mpsc::Sender<NetworkEvent>,
    /// Failures that begin a block, for those who are told of one.
    pub(crate) failures: u32,
}

/// One shard: its sockets and all it needs to answer.
pub(crate) struct AuthShard {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sockets: Vec<Batch>,
    /// Closed from the other end when the shard is to stop.
    pub(crate) stop: UnixStream,
    pub(crate) door: Door,
    pub(crate) duplicates: Duplicates,
    pub(crate) delayed: Delayed,
    pub(crate) status: StatusBudget,
    pub(crate) tail: Tail,
    pub(crate) counters: Counters,
    pub(crate) shared: Shared,
}

/// When a reply goes out.
pub(super) enum When {
    Now,
    Later,
}

/// Memory of one request, used again and again.
#[derive(Default)]
pub(super) struct Bench {
    scratch: Scratch,
    login: Vec<u8>,
}

impl AuthShard {
    /// Serves until stopped.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut sockets = std::mem::take(&mut self.sockets);
        let fds: Vec<_> = sockets.iter().map(Batch::fd).collect();
        let mut bench = Bench::default();
        loop {
            let (readable, stopped) = socket::wait(&fds, self.stop.as_raw_fd(), self.patience())?;
            if stopped {
                // Nobody is left without an answer.
                self.release(&mut sockets, true)?;
                return Ok(());
            }
            let now = self.clock.now();
            for n in 0..sockets.len() {
                self.release(&mut sockets, false)?;
                if readable & (1 << n) != 0 {
                    self.serve(now, n, &mut sockets, &mut bench)?;
                }
            }
        }
    }

    /// How long to wait for packets: until the first refusal is due.
    fn patience(&self) -> i32 {
        let Some(due) = self.delayed.next() else { return -1 };
        let left = due.saturating_duration_since(Instant::now());
        // Rounded up, or the last millisecond would be spent turning round.
        i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
    }

    /// Sends the refusals whose time has come, or all of them; and the oldest before their time
    /// where there would be no room for a batch of new ones.
    fn release(&mut self, sockets: &mut [Batch], all: bool) -> io::Result<()> {
        if self.delayed.next().is_none() {
            return Ok(());
        }
        let now = Instant::now();
        loop {
            let early = self.delayed.room() < BATCH;
            let Some(due) = self.delayed.pop(now, all || early) else { break };
            if let Some(batch) = sockets.get_mut(due.socket) {
                let sent = batch.post(due.path, due.reply)?;
                self.counters.replies.increment(sent as u64);
            }
        }
        for batch in sockets {
            let sent = batch.flush()?;
            self.counters.replies.increment(sent as u64);
        }
        Ok(())
    }

    fn serve(
        &mut self,
        now: Ts,
        socket: usize,
        sockets: &mut [Batch],
        bench: &mut Bench,
    ) -> io::Result<()> {
        let Some(batch) = sockets.get_mut(socket) else { return Ok(()) };
        let count = batch.receive()?;
        self.counters.requests.increment(count as u64);
        for n in 0..count {
            let (datagram, path, reply) = batch.exchange(n);
            match self.answer(now, datagram, path, bench, reply) {
                Ok(When::Now) => batch.queue(path),
                Ok(When::Later) => {
                    self.delayed.push(Instant::now(), socket, path, batch.unqueued());
                }
                Err(reason) => self.counters.drop(reason),
            }
        }
        let sent = batch.flush()?;
        self.counters.replies.increment(sent as u64);
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        now: Ts,
        datagram: &[u8],
        path: Path,
        bench: &mut Bench,
        reply: &mut Vec<u8>,
    ) -> Result<When, DropReason> {
        let (client, packet) = admit(&self.engine.cache, &self.door, datagram, path, now)?;
        let checked = with_keys(
            &client,
            |key| verify_access_request(&packet, key),
            |verified| verified.signed(),
        );
        let (verified, key) = match checked {
            Ok(verified) => verified,
            Err(error) => return Err(self.door.refuse(error, path, now)),
        };
        let attributes = packet.attributes();
        match packet.code() {
            Code::ACCESS_REQUEST => {}
            // RFC 5997 §3: Status-Server must be signed, and is never a duplicate.
            Code::STATUS_SERVER if verified.signed() => {
                if !self.status.spend() {
                    return Err(DropReason::StatusLimited);
                }
                let mut writer = Writer::response(Code::ACCESS_ACCEPT, &packet, reply, true);
                writer.proxy_states_of(&packet).map_err(|_| DropReason::ReplyUnfit)?;
                writer.finish_response(key, packet.authenticator());
                return Ok(When::Now);
            }
            _ => return Err(DropReason::UnexpectedCode),
        }
        let origin = nas_of(&self.engine.cache, &client, attributes, path, now);
        let repeat = RequestKey {
            peer: path.peer,
            identifier: packet.identifier(),
            authenticator: *packet.authenticator(),
        };
        match self.duplicates.find(&repeat, now) {
            Some(Earlier::Answered(earlier)) => {
                self.counters.duplicates.increment(1);
                reply.extend_from_slice(earlier);
                return Ok(When::Now);
            }
            // Its answer waits already, and one is enough.
            Some(Earlier::Waiting) => {
                self.counters.duplicates.increment(1);
                return Err(DropReason::AnswerWaits);
            }
            None => {}
        }
        // Behind the duplicates: a repeat shows nothing about how a NAS signs.
        let asked = Asked {
            source: path.peer.ip().to_canonical(),
            nas: origin.nas,
            signed: verified.signed(),
            must: attributes.first(attr::EAP_MESSAGE).is_some(),
            at: now,
        };
        let mode_of = |nas| signing_of(&self.engine.cache, &client, nas);
        if !self.shared.sources.passes(&client, mode_of, &asked, &self.shared.notices) {
            return Err(DropReason::Unsigned);
        }
        // What anybody can forge must not lock out a subscriber of a NAS that signs.
        let counts = asked.signed || !self.shared.sources.signs(client.id, asked.source);
        let request = AccessRequest { packet, key, vendor: origin.vendor, nas: origin.nas };
        let answer = self.decide(now, &request, counts, bench, reply);
        let accepted = answer == Answer::Accept;
        let when = match answer {
            Answer::Accept => {
                self.counters.accepts.increment(1);
                self.make_room(bench);
                When::Now
            }
            Answer::Reject(reason) => self.refused(reason),
            Answer::Unfit(_) => self.refused(RejectReason::PolicyUnfit),
            Answer::Drop(reason) => return Err(reason),
        };
        self.note(now, &origin, &request.packet, bench, answer);
        if accepted {
            self.tell_learned(now, origin.nas, bench);
        }
        if verified.signed() || accepted {
            origin.tell(&self.shared.seen);
        }
        let ready = match when {
            When::Now => now,
            When::Later => Ts(now.0.saturating_add(self.delayed.delay().as_micros() as i64)),
        };
        self.duplicates.keep(repeat, reply, now, ready);
        Ok(when)
    }

    /// Where the login was let in beyond its limit: the oldest session goes, behind the answer.
    fn make_room(&self, bench: &Bench) {
        let Some(replaced) = bench.scratch.replaced() else { return };
        // Full: the next login of the service asks again.
        if self.shared.coa.try_send(Nudge::Replaced(replaced)).is_err() {
            counter!("aaad_coa_nudges_lost_total").increment(1);
        }
    }

    fn refused(&self, reason: RejectReason) -> When {
        self.counters.reject(reason);
        if self.delayed.delay().is_zero() { When::Now } else { When::Later }
    }

    /// Asks the guard, then the engine, and tells the guard what came of it: of a failure only
    /// where it `counts`.
    fn decide(
        &self,
        now: Ts,
        request: &AccessRequest<'_>,
        counts: bool,
        bench: &mut Bench,
        reply: &mut Vec<u8>,
    ) -> Answer {
        let Bench { scratch, login } = bench;
        let name = request.packet.attributes().first(attr::USER_NAME).unwrap_or_default();
        self.engine.guess_key(name, login);
        let station = station_of(request.packet.attributes());
        let guard = &self.shared.blocks.guard;
        let pair = guard.pair(login, station);
        if let Some(pair) = pair
            && guard.is_blocked(pair, now)
        {
            return self.engine.refuse(request, RejectReason::Blocked, scratch, reply);
        }
        let answer = self.engine.access(now, request, scratch, reply);
        if let Some(pair) = pair {
            match answer {
                Answer::Accept => guard.clear(pair),
                Answer::Reject(reason) if counts && is_a_guess(reason, &request.packet) => {
                    if let Some(until) = guard.failed(pair, now) {
                        self.tell_blocked(now, until, pair, request, scratch);
                    }
                }
                _ => {}
            }
        }
        answer
    }

    /// Tells the office of a MAC address that a service is bound to from now on. Full: the
    /// address counts here all the same, and is told again at a later login.
    fn tell_learned(&self, now: Ts, nas: NasId, bench: &Bench) {
        let Some(NewMac { service, mac, generation }) = bench.scratch.learned() else { return };
        let format = model::auth_log::FORMAT;
        let event = NetworkEvent::MacLearned { format, at: now, service, mac, nas, generation };
        if self.shared.events.try_send(event).is_err() {
            counter!("aaad_events_lost_total").increment(1);
        }
    }

    fn tell_blocked(
        &self,
        now: Ts,
        until: Ts,
        pair: Pair,
        request: &AccessRequest<'_>,
        scratch: &Scratch,
    ) {
        let name = request.packet.attributes().first(attr::USER_NAME).unwrap_or_default();
        let block = Blocked {
            pair,
            login: Text::of(name),
            station: Text::of(station_of(request.packet.attributes())),
            nas: request.nas,
            service: scratch.service(),
            failures: self.shared.failures,
            since: now,
            until,
        };
        if self.shared.begun.try_send(block).is_err() {
            counter!("aaad_events_lost_total").increment(1);
        }
    }

    fn note(&self, now: Ts, origin: &Origin, packet: &Packet<'_>, bench: &Bench, answer: Answer) {
        let (reason, unfit) = match answer {
            Answer::Reject(reason) => (Some(reason), None),
            Answer::Unfit(unfit) => (Some(RejectReason::PolicyUnfit), Some(unfit)),
            Answer::Accept | Answer::Drop(_) => (None, None),
        };
        let line = Line {
            at: now,
            nas: origin.nas,
            service: bench.scratch.service(),
            reason,
            unfit,
            login: Text::of(packet.attributes().first(attr::USER_NAME).unwrap_or_default()),
            station: Text::of(station_of(packet.attributes())),
        };
        self.tail.push(line);
        // Full: the log lags behind an attack; the counters do not.
        if reason.is_some() && self.shared.refusals.try_send(line).is_err() {
            counter!("aaad_auth_log_dropped_total").increment(1);
        }
    }
}

/// Whether a refusal may have been a guess. A device or a line nobody registered asks under its
/// own MAC or whatever name its NAS makes up, again and again, and guesses nothing; over PPP
/// somebody has typed the name.
fn is_a_guess(reason: RejectReason, packet: &Packet<'_>) -> bool {
    match reason {
        RejectReason::WrongPassword => true,
        RejectReason::UnknownLogin => {
            let attributes = packet.attributes();
            let name = attributes.first(attr::USER_NAME).unwrap_or_default();
            let line = AccessLine::of(attributes);
            let typed = attributes.u32(attr::FRAMED_PROTOCOL) == Some(PPP);
            let named = line.circuit.or(line.remote).is_some();
            MacAddress::parse(name).is_err() && (typed || !named)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
