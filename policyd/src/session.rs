//! Decides what a report means for the sessions of its id: plain functions, no database.
//!
//! Reports arrive late, twice and in any order; each is folded into a session so that the
//! order does not matter:
//!
//! - *Which session.* The one that began when the report says its own began, give or take
//!   [`SAME_START_S`] and the drift of a NAS clock; else the one that was going on then. A Start
//!   belongs to none but one with the same beginning, since it says that another began.
//! - *Its beginning.* What a Start says beats what is reckoned from Acct-Session-Time; among
//!   equals the earliest report counts.
//! - *Its counters.* The highest value that can have been. One that went back or jumped further
//!   than any line carries is flagged and adds nothing; its delta keeps what was said.
//! - *Its owner, login and line.* What was known first. Later evidence may be of another login.
//! - *Its addresses and policy.* What was reported last.
//! - *Its end.* What a Stop says. Without one, the first restart of the NAS after its last
//!   report, or the beginning of the next session under its id, or its last report where none
//!   came for too long. A report from after such an end shows that the session outlived it.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::{ClientId, SessionId, Ts};

use crate::report::{Key, Kind, Owner, Report};
use crate::usage::{Counters, Delta};

/// Two beginnings at most this far apart are one: retransmissions and clock steps, seconds.
const SAME_START_S: i64 = 10;
/// How far a NAS's clock may run away from ours: one part in a hundred.
const DRIFT: i64 = 100;
/// Faster than this, octets a second (100 Gbit/s), and a counter jumped.
const RATE_OCTETS_MAX: u64 = 12_500_000_000;
/// Seconds added to the time that passed before its counters are called too high.
const RATE_SLACK_S: u64 = 60;

/// A session, as its row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) key: Key,
    pub(crate) client: ClientId,
    pub(crate) owner: Owner,
    pub(crate) login: String,
    pub(crate) login_key: String,
    pub(crate) calling_station: Option<String>,
    pub(crate) nas_port_id: Option<String>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) ipv6_prefix: Option<IpNetwork>,
    pub(crate) delegated_prefix: Option<IpNetwork>,
    pub(crate) policy_hash: u64,
    pub(crate) started: Ts,
    /// Whether a Start said so.
    pub(crate) start_reported: bool,
    /// When the report was sent that `started` is from.
    pub(crate) start_from: Ts,
    /// When its last report was sent.
    pub(crate) updated: Ts,
    /// The highest Acct-Session-Time.
    pub(crate) session_time_s: u32,
    /// The longest time between two reports that count, seconds.
    pub(crate) interim_s: Option<u32>,
    pub(crate) multi_session_id: Option<String>,
    /// How far the NAS's clock was ahead of ours, seconds.
    pub(crate) clock_offset_s: Option<i64>,
    pub(crate) end: Option<End>,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
    pub(crate) counters_flagged: bool,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) at: Ts,
    pub(crate) cause: Cause,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A Stop said so.
    Reported(String),
    /// Its NAS restarted.
    NasRestart,
    /// Another began under its id.
    Replaced,
    /// Nothing was heard of it for too long.
    Lost,
}

impl Cause {
    /// The word in the table.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Reported(cause) => cause,
            Self::NasRestart => "nas_restart",
            Self::Replaced => "replaced",
            Self::Lost => "lost",
        }
    }

    /// Reads what [`Cause::as_str`] wrote.
    pub(crate) fn of(text: String) -> Self {
        match text.as_str() {
            "nas_restart" => Self::NasRestart,
            "replaced" => Self::Replaced,
            "lost" => Self::Lost,
            _ => Self::Reported(text),
        }
    }
}

/// What a report changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decided {
    /// Sessions that are like this now; new where their id is.
    pub(crate) sessions: Vec<Session>,
    /// What came on top of what was counted before.
    pub(crate) delta: Delta,
}

/// What a report changes, given the sessions of its id by their beginnings, and the restarts of
/// its NAS. `fresh` is the id of the session it may open.
pub(crate) fn decide(
    known: &[Session],
    restarts: &[Ts],
    report: &Report,
    fresh: SessionId,
) -> Decided {
    let mut sessions = known.to_vec();
    let found = find(known, report);
    let at = found.unwrap_or_else(|| {
        sessions.push(Session::unheard(fresh, report));
        sessions.len() - 1
    });
    let session = &mut sessions[at];
    let (download, upload) = (session.download_octets, session.upload_octets);
    let counters = session.hear(report);
    let delta = Delta {
        session: session.id,
        owner: session.owner,
        nas: report.key.nas,
        received: report.received,
        at: report.at,
        session_time_s: report.session_time_s,
        download_octets: session.download_octets - download,
        upload_octets: session.upload_octets - upload,
        download_counter: report.download_octets,
        upload_counter: report.upload_octets,
        counters,
        opened: found.is_none(),
    };
    sessions.sort_by_key(|session| session.started);
    settle_ends(&mut sessions, restarts);
    sessions.retain(|session| known.iter().all(|before| before != session));
    Decided { sessions, delta }
}

/// Puts a session in its place among those of its id.
pub(crate) fn put(sessions: &mut Vec<Session>, session: Session) {
    match sessions.iter_mut().find(|known| known.id == session.id) {
        Some(known) => *known = session,
        None => sessions.push(session),
    }
    sessions.sort_by_key(|session| session.started);
}

/// The session a report is about.
fn find(known: &[Session], report: &Report) -> Option<usize> {
    let is_start = report.kind == Kind::Start;
    if !is_start && report.session_time_s == 0 {
        // It does not say when its session began: the last that was there.
        let latest = report.at.plus_seconds(SAME_START_S);
        return known.iter().rposition(|session| session.started <= latest);
    }
    let same = known.iter().enumerate().filter_map(|(at, session)| {
        let reckoned_s = if session.start_reported { 0 } else { session.session_time_s };
        let drifted_s = i64::from(reckoned_s.max(report.session_time_s)) / DRIFT;
        let apart = report.started.0.abs_diff(session.started.0);
        let within = Ts::from_seconds(SAME_START_S + drifted_s).0.unsigned_abs();
        (apart <= within).then_some((apart, at))
    });
    let going_on = |session: &Session| {
        // Younger than the session is known to be, and begun after its last report: another
        // one, whose Start is late or lost.
        let other =
            report.session_time_s < session.session_time_s && report.started >= session.updated;
        session.started <= report.started
            && session.end.as_ref().is_none_or(|end| report.started < end.at)
            && !other
    };
    match same.min() {
        Some((_, at)) => Some(at),
        None if is_start => None,
        // Held up on its way by a NAS that does not say for how long.
        None => known.iter().rposition(going_on),
    }
}

/// Gives every session without a Stop the end that follows from restarts and successors.
fn settle_ends(sessions: &mut [Session], restarts: &[Ts]) {
    for at in 0..sessions.len() {
        let next = sessions.get(at + 1).map(|next| next.started);
        let session = &mut sessions[at];
        let before = match &session.end {
            Some(End { cause: Cause::Reported(_), .. }) => continue,
            // Restarts are forgotten after some days, their consequences are not.
            Some(End { at, cause: Cause::NasRestart }) => Some(*at),
            _ => None,
        };
        let fatal = |at: &Ts| *at > session.started && *at >= session.updated;
        let restart = restarts.iter().copied().chain(before).filter(fatal).min();
        // Ends that were inferred from silence hold until it is broken.
        let lost = session
            .end
            .take_if(|end| matches!(end.cause, Cause::Lost) && session.updated <= end.at);
        session.end = match (restart, next) {
            (Some(at), next) if next.is_none_or(|next| at <= next) => {
                Some(End { at, cause: Cause::NasRestart })
            }
            (_, Some(at)) => Some(End { at, cause: Cause::Replaced }),
            (_, None) => lost,
        };
    }
}

impl Session {
    /// A session of which nothing is known but who speaks of it.
    fn unheard(id: SessionId, report: &Report) -> Self {
        Self {
            id,
            key: report.key.clone(),
            client: report.client,
            owner: report.owner,
            login: report.login.clone(),
            login_key: report.login_key.clone(),
            calling_station: None,
            nas_port_id: None,
            ip: None,
            ipv6_prefix: None,
            delegated_prefix: None,
            policy_hash: 0,
            started: report.started,
            start_reported: report.kind == Kind::Start,
            start_from: report.at,
            updated: report.at,
            session_time_s: 0,
            interim_s: None,
            multi_session_id: None,
            clock_offset_s: None,
            end: None,
            download_octets: 0,
            upload_octets: 0,
            counters_flagged: false,
        }
    }

    /// Folds a report in; how its counters are.
    fn hear(&mut self, report: &Report) -> Counters {
        self.hear_beginning(report);
        self.hear_description(report);
        let counters = self.hear_counters(report);
        if let Kind::Stop { cause } = &report.kind {
            self.hear_end(report.at, cause);
        }
        self.updated = self.updated.max(report.at);
        self.session_time_s = self.session_time_s.max(report.session_time_s);
        counters
    }

    fn hear_beginning(&mut self, report: &Report) {
        let is_start = report.kind == Kind::Start;
        let trust = |is_start: bool, time_s: u32| (is_start, time_s > 0);
        let theirs = trust(is_start, report.session_time_s);
        let ours = trust(self.start_reported, self.session_time_s);
        if theirs > ours || (theirs.0 == ours.0 && report.at < self.start_from) {
            self.started = report.started;
            self.start_reported = is_start;
            self.start_from = report.at;
        }
    }

    fn hear_description(&mut self, report: &Report) {
        let (own, told) = (&mut self.owner, report.owner);
        let unowned = own.organisation.known().is_none();
        if own.service.known().is_none() && (unowned || told.service.known().is_some()) {
            *own = told;
        }
        if self.login.is_empty() {
            self.login.clone_from(&report.login);
            self.login_key.clone_from(&report.login_key);
        }
        if self.calling_station.is_none() {
            self.calling_station.clone_from(&report.calling_station);
        }
        if self.nas_port_id.is_none() {
            self.nas_port_id.clone_from(&report.nas_port_id);
        }
        if self.multi_session_id.is_none() {
            self.multi_session_id.clone_from(&report.multi_session_id);
        }

        let latest = report.at >= self.updated;
        if latest || self.clock_offset_s.is_none() {
            self.clock_offset_s = report.clock_offset_s.or(self.clock_offset_s);
        }
        // A dual-stack session is looked for by its IPv4 address.
        let family = |ip: Option<IpAddr>| ip.map(|ip| ip.is_ipv4());
        let (told, own) = (family(report.ip), family(self.ip));
        if told > own || (told.is_some() && told == own && latest) {
            self.ip = report.ip;
        }
        let newer = |own: Option<IpNetwork>, told: Option<IpNetwork>| match (own, told) {
            (Some(own), Some(told)) => Some(if latest { told } else { own }),
            (own, told) => own.or(told),
        };
        self.ipv6_prefix = newer(self.ipv6_prefix, report.ipv6_prefix);
        self.delegated_prefix = newer(self.delegated_prefix, report.delegated_prefix);
        if report.policy_hash != 0 && (latest || self.policy_hash == 0) {
            self.policy_hash = report.policy_hash;
        }
    }

    fn hear_counters(&mut self, report: &Report) -> Counters {
        let told = [report.download_octets, report.upload_octets];
        let own = [self.download_octets, self.upload_octets];
        // The NAS's own count of seconds puts its reports in order, where it gives one.
        let order = match (report.session_time_s, self.session_time_s) {
            (0, _) | (_, 0) => report.at.cmp(&self.updated),
            (told, own) => told.cmp(&own),
        };
        let is_start = report.kind == Kind::Start;
        // A session heard of first by this report has counted since its beginning.
        let silent_s = (report.at.seconds() - self.updated.seconds()).max(0);
        if order.is_gt() && report.kind == Kind::Interim && silent_s > 0 {
            let silent_s = u32::try_from(silent_s).unwrap_or(u32::MAX);
            self.interim_s = self.interim_s.max(Some(silent_s));
        }
        let went_back = !is_start
            && (order.is_gt() && told.iter().zip(own).any(|(told, own)| *told < own)
                || order.is_lt() && told.iter().zip(own).any(|(told, own)| *told > own));
        let age_s = (report.at.seconds() - self.started.seconds()).max(0) as u64;
        let age_s = age_s.max(report.session_time_s.into());
        let reach = |passed_s: u64| (passed_s + RATE_SLACK_S).saturating_mul(RATE_OCTETS_MAX);
        // By the time since the last report where this one follows it, else by its age.
        let (from, octets_max) = match order.is_gt() && self.session_time_s > 0 {
            true => (own, reach(silent_s as u64)),
            false => ([0, 0], reach(age_s)),
        };
        let fits = |(told, from): (&u64, u64)| told.saturating_sub(from) <= octets_max;
        if !told.iter().zip(from).all(fits) {
            self.counters_flagged = true;
            return Counters::Jumped;
        }
        self.counters_flagged |= went_back;
        self.download_octets = self.download_octets.max(report.download_octets);
        self.upload_octets = self.upload_octets.max(report.upload_octets);
        if went_back { Counters::Back } else { Counters::Good }
    }

    fn hear_end(&mut self, at: Ts, cause: &str) {
        let earlier = match &self.end {
            Some(End { at: known, cause: Cause::Reported(_) }) => at < *known,
            _ => true,
        };
        if earlier {
            let cause = Cause::Reported(cause.to_owned());
            self.end = Some(End { at: at.max(self.started), cause });
        }
    }
}
