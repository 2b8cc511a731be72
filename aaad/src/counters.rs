//! Counters of the packet path: handles are looked up once, a count is one atomic add.

use metrics::{Counter, counter};
use model::reject::RejectReason;

/// Why a datagram got no answer. What a stranger can cause is a counter and nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// No client has this source address.
    UnknownClient,
    /// Not a RADIUS packet.
    Malformed,
    /// The authenticator or Message-Authenticator is wrong: most often a wrong secret.
    BadAuthenticator,
    /// A code this port does not serve.
    UnexpectedCode,
    /// A request that lacks what it must have.
    Incomplete,
    /// The journal could not take the record; the NAS will try again.
    JournalFailed,
    /// The reply would not fit a packet or a vendor's attributes.
    ReplyUnfit,
    /// It is not signed, and its NAS signs, or it is of a kind that must be.
    Unsigned,
    /// More Status-Server requests than are answered.
    StatusLimited,
    /// A repeat of a request whose answer is held back and will come.
    AnswerWaits,
}

impl DropReason {
    const ALL: [DropReason; 10] = [
        Self::UnknownClient,
        Self::Malformed,
        Self::BadAuthenticator,
        Self::UnexpectedCode,
        Self::Incomplete,
        Self::JournalFailed,
        Self::ReplyUnfit,
        Self::Unsigned,
        Self::StatusLimited,
        Self::AnswerWaits,
    ];

    /// The word in counters and lists.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown_client",
            Self::Malformed => "malformed",
            Self::BadAuthenticator => "bad_authenticator",
            Self::UnexpectedCode => "unexpected_code",
            Self::Incomplete => "incomplete",
            Self::JournalFailed => "journal_failed",
            Self::ReplyUnfit => "reply_unfit",
            Self::Unsigned => "unsigned",
            Self::StatusLimited => "status_limited",
            Self::AnswerWaits => "answer_waits",
        }
    }
}

/// Handles to every counter of a port.
pub(crate) struct Counters {
    pub(crate) requests: Counter,
    pub(crate) replies: Counter,
    pub(crate) accepts: Counter,
    pub(crate) duplicates: Counter,
    rejects: [Counter; RejectReason::ALL.len()],
    drops: [Counter; DropReason::ALL.len()],
}

impl Counters {
    /// The counters of `port`: `auth` or `acct`.
    pub(crate) fn of(port: &'static str) -> Self {
        Self {
            requests: counter!("aaad_requests_total", "port" => port),
            replies: counter!("aaad_replies_total", "port" => port),
            accepts: counter!("aaad_accepts_total"),
            duplicates: counter!("aaad_duplicates_total", "port" => port),
            rejects: RejectReason::ALL
                .map(|reason| counter!("aaad_rejects_total", "reason" => reason.as_str())),
            drops: DropReason::ALL.map(
                |reason| counter!("aaad_drops_total", "port" => port, "reason" => reason.as_str()),
            ),
        }
    }

    pub(crate) fn reject(&self, reason: RejectReason) {
        self.rejects[reason as usize].increment(1);
    }

    pub(crate) fn drop(&self, reason: DropReason) {
        self.drops[reason as usize].increment(1);
    }
}

const _: () = {
    // The arrays are indexed by the variants' order.
    let mut n = 0;
    while n < RejectReason::ALL.len() {
        assert!(RejectReason::ALL[n] as usize == n);
        n += 1;
    }
    let mut n = 0;
    while n < DropReason::ALL.len() {
        assert!(DropReason::ALL[n] as usize == n);
        n += 1;
    }
};
