//! The log of logins, made for floods: what is refused is kept as rows with counts, what is let
//! in as counters and a tail in memory.
//!
//! A packet thread copies each login into its [`Tail`], a ring of a fixed size, and queues a
//! refusal for the [`Collector`]. Where that queue is full the refusal is counted as dropped and
//! the reply goes out all the same. The collector adds refusals to rows (see
//! [`model::auth_log`]) and ships what was added twice a second; while the bus is away rows
//! wait, up to a number, and what is beyond is dropped and counted.

mod collect;
mod tail;

use dialect::Unfit;
use model::reject::RejectReason;
use model::{NasId, ServiceId, Ts};

pub(crate) use collect::{Collector, REFUSALS};
pub(crate) use tail::{Tail, newest, tails};

/// The beginning of a text of the network, in place: nothing is allocated for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Text<const N: usize> {
    len: u8,
    octets: [u8; N],
}

impl<const N: usize> Text<N> {
    pub(crate) fn of(octets: &[u8]) -> Self {
        const { assert!(N <= u8::MAX as usize) };
        let mut text = Self { len: 0, octets: [0; N] };
        let len = octets.len().min(N);
        text.octets[..len].copy_from_slice(&octets[..len]);
        text.len = len as u8;
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.len.into()]
    }
}

impl<const N: usize> std::fmt::Display for Text<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

/// A login as the log knows it.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) at: Ts,
    pub(crate) nas: NasId,
    /// The service, where the login is known.
    pub(crate) service: Option<ServiceId>,
    /// Why it was refused; absent: it was let in.
    pub(crate) reason: Option<RejectReason>,
    /// Which part of the policy cannot be told to the NAS.
    pub(crate) unfit: Option<Unfit>,
    pub(crate) login: Text<128>,
    /// Calling-Station-Id, else the line.
    pub(crate) station: Text<64>,
}
