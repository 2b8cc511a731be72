//! The authentication loop: receive → decide → send, a batch at a time.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use dialect::Unfit;
use model::reject::RejectReason;
use model::{Clock, NasId, Ts};
use radius_wire::{Code, Writer, attr, verify_access_request};
use tokio::sync::mpsc;

use super::{Seen, admit, nas_of, with_keys};
use crate::counters::{Counters, DropReason};
use crate::duplicate::{Duplicates, RequestKey};
use crate::engine::{AccessRequest, Answer, Engine, Scratch};
use crate::socket::{self, Batch, Path};

/// One refused login, for the log.
#[derive(Debug, Clone)]
pub(crate) struct RejectLine {
    pub(crate) login: String,
    pub(crate) station: String,
    pub(crate) nas: NasId,
    pub(crate) reason: RejectReason,
    /// Which part of the policy cannot be told to the NAS.
    pub(crate) unfit: Option<Unfit>,
}

/// One shard: its sockets and all it needs to answer.
pub(crate) struct AuthShard {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sockets: Vec<Batch>,
    /// Closed from the other end when the shard is to stop.
    pub(crate) stop: UnixStream,
    pub(crate) duplicates: Duplicates,
    pub(crate) counters: Counters,
    pub(crate) seen: mpsc::Sender<Seen>,
    pub(crate) rejects: mpsc::Sender<RejectLine>,
}

impl AuthShard {
    /// Serves until stopped.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut sockets = std::mem::take(&mut self.sockets);
        let fds: Vec<_> = sockets.iter().map(Batch::fd).collect();
        let mut scratch = Scratch::default();
        loop {
            let (readable, stopped) = socket::wait(&fds, self.stop.as_raw_fd(), -1)?;
            if stopped {
                return Ok(());
            }
            let now = self.clock.now();
            for (n, batch) in sockets.iter_mut().enumerate() {
                if readable & (1 << n) != 0 {
                    self.serve(now, batch, &mut scratch)?;
                }
            }
        }
    }

    fn serve(&mut self, now: Ts, batch: &mut Batch, scratch: &mut Scratch) -> io::Result<()> {
        let count = batch.receive()?;
        self.counters.requests.increment(count as u64);
        for n in 0..count {
            let (datagram, path, reply) = batch.exchange(n);
            match self.answer(now, datagram, path, scratch, reply) {
                Ok(()) => batch.queue(path),
                Err(reason) => self.counters.drop(reason),
            }
        }
        let sent = batch.flush()?;
        self.counters.replies.increment(sent as u64);
        Ok(())
    }

    fn answer(
        &mut self,
        now: Ts,
        datagram: &[u8],
        path: Path,
        scratch: &mut Scratch,
        reply: &mut Vec<u8>,
    ) -> Result<(), DropReason> {
        let (client, packet) = admit(&self.engine.cache, datagram, path)?;
        let (verified, key) = with_keys(
            &client,
            |key| verify_access_request(&packet, key),
            |verified| verified.signed(),
        )
        .map_err(|_| DropReason::BadAuthenticator)?;
        match packet.code() {
            Code::ACCESS_REQUEST => {}
            // RFC 5997 §3: Status-Server must be signed, and is never a duplicate.
            Code::STATUS_SERVER if verified.signed() => {
                let mut writer = Writer::response(Code::ACCESS_ACCEPT, &packet, reply, true);
                writer.proxy_states_of(&packet).map_err(|_| DropReason::ReplyUnfit)?;
                writer.finish_response(key, packet.authenticator());
                return Ok(());
            }
            _ => return Err(DropReason::UnexpectedCode),
        }
        let repeat = RequestKey {
            peer: path.peer,
            identifier: packet.identifier(),
            authenticator: *packet.authenticator(),
        };
        if let Some(earlier) = self.duplicates.find(&repeat, now) {
            self.counters.duplicates.increment(1);
            reply.extend_from_slice(earlier);
            return Ok(());
        }
        let origin = nas_of(&self.engine.cache, &client, packet.attributes(), path, now);
        let request = AccessRequest { packet, key, nas: origin.nas, vendor: origin.vendor };
        let answer = self.engine.access(now, &request, scratch, reply);
        match answer {
            Answer::Accept => self.counters.accepts.increment(1),
            Answer::Reject(reason) => self.rejected(&request, reason, None),
            Answer::Unfit(unfit) => {
                self.rejected(&request, RejectReason::PolicyUnfit, Some(unfit));
            }
            Answer::Drop(reason) => return Err(reason),
        }
        if verified.signed() || answer == Answer::Accept {
            origin.tell(&self.seen);
        }
        self.duplicates.keep(repeat, reply, now);
        Ok(())
    }

    fn rejected(&self, request: &AccessRequest<'_>, reason: RejectReason, unfit: Option<Unfit>) {
        self.counters.reject(reason);
        let text = |kind| {
            let value = request.packet.attributes().first(kind).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        // Full: the log lags behind an attack; the counter above does not.
        let _ = self.rejects.try_send(RejectLine {
            login: text(attr::USER_NAME),
            station: text(attr::CALLING_STATION_ID),
            nas: request.nas,
            reason,
            unfit,
        });
    }
}

#[cfg(test)]
mod tests;
