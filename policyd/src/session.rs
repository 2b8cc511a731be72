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
//! - *Its counters.* The highest value. One that went back or jumped is flagged.
//! - *Its owner, login and line.* What was known first. Later evidence may be of another login.
//! - *Its addresses and policy.* What was reported last.
//! - *Its end.* What a Stop says. Without one, the first restart of the NAS after its last
//!   report, or the beginning of the next session under its id. A report from after a restart
//!   shows that the session outlived it.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::{ClientId, OrganisationId, SessionId, Ts};

use crate::report::{Key, Kind, Owner, Report};

/// Two beginnings at most this far apart are one: retransmissions and clock steps, seconds.
const SAME_START_S: i64 = 10;
/// How far a NAS's clock may run away from ours: one part in a hundred.
const DRIFT: i64 = 100;
/// Faster than this, octets a second (100 Gbit/s), and a counter jumped.
const RATE_OCTETS_MAX: u64 = 12_500_000_000;
/// Seconds added to a session's age before its counters are called too high.
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
}

impl Cause {
    /// The word in the table.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Reported(cause) => cause,
            Self::NasRestart => "nas_restart",
            Self::Replaced => "replaced",
        }
    }

    /// Reads what [`Cause::as_str`] wrote.
    pub(crate) fn of(text: String) -> Self {
        match text.as_str() {
            "nas_restart" => Self::NasRestart,
            "replaced" => Self::Replaced,
            _ => Self::Reported(text),
        }
    }
}

/// What a report changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// The session is like this now; it is new where its id is.
    Put(Box<Session>),
    /// This came on top of what was counted before.
    Count(Traffic),
}

/// What a minute of an organisation gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) organisation: OrganisationId,
    pub(crate) minute: Ts,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
    pub(crate) sessions_started: u64,
}

/// What a report changes, given the sessions of its id by their beginnings, and the restarts of
/// its NAS. `fresh` is the id of the session it may open.
pub(crate) fn decide(
    known: &[Session],
    restarts: &[Ts],
    report: &Report,
    fresh: SessionId,
) -> Vec<Effect> {
    let mut sessions = known.to_vec();
    let found = find(known, report);
    let at = found.unwrap_or_else(|| {
        sessions.push(Session::unheard(fresh, report));
        sessions.len() - 1
    });
    let session = &mut sessions[at];
    let (download, upload) = (session.download_octets, session.upload_octets);
    let plausible = session.hear(report);
    let counted = |now: u64, before: u64| if plausible { now - before } else { 0 };
    let traffic = Traffic {
        organisation: session.owner.organisation,
        minute: Ts::from_seconds(report.received.seconds().div_euclid(60) * 60),
        download_octets: counted(session.download_octets, download),
        upload_octets: counted(session.upload_octets, upload),
        sessions_started: u64::from(found.is_none()),
    };
    sessions.sort_by_key(|session| session.started);
    settle_ends(&mut sessions, restarts);
    let changed = |session: &Session| known.iter().all(|before| before != session);
    let mut effects: Vec<Effect> = sessions
        .into_iter()
        .filter(changed)
        .map(|session| Effect::Put(Box::new(session)))
        .collect();
    if (traffic.download_octets, traffic.upload_octets, traffic.sessions_started) != (0, 0, 0) {
        effects.push(Effect::Count(traffic));
    }
    effects
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
        session.end = match (restart, next) {
            (Some(at), next) if next.is_none_or(|next| at <= next) => {
                Some(End { at, cause: Cause::NasRestart })
            }
            (_, Some(at)) => Some(End { at, cause: Cause::Replaced }),
            (_, None) => None,
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
            end: None,
            download_octets: 0,
            upload_octets: 0,
            counters_flagged: false,
        }
    }

    /// Folds a report in; false if its counters cannot be.
    fn hear(&mut self, report: &Report) -> bool {
        self.hear_beginning(report);
        self.hear_description(report);
        let plausible = self.hear_counters(report);
        if let Kind::Stop { cause } = &report.kind {
            self.hear_end(report.at, cause);
        }
        self.updated = self.updated.max(report.at);
        self.session_time_s = self.session_time_s.max(report.session_time_s);
        plausible
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

        let latest = report.at >= self.updated;
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

    fn hear_counters(&mut self, report: &Report) -> bool {
        let told = [report.download_octets, report.upload_octets];
        let own = [self.download_octets, self.upload_octets];
        // The NAS's own count of seconds puts its reports in order, where it gives one.
        let order = match (report.session_time_s, self.session_time_s) {
            (0, _) | (_, 0) => report.at.cmp(&self.updated),
            (told, own) => told.cmp(&own),
        };
        let went_back = report.kind != Kind::Start
            && (order.is_gt() && told.iter().zip(own).any(|(told, own)| *told < own)
                || order.is_lt() && told.iter().zip(own).any(|(told, own)| *told > own));
        let age_s = (report.at.seconds() - self.started.seconds()).max(0) as u64;
        let age_s = age_s.max(report.session_time_s.into()) + RATE_SLACK_S;
        let octets_max = age_s.saturating_mul(RATE_OCTETS_MAX);
        let plausible = told.iter().all(|octets| *octets <= octets_max);
        self.counters_flagged |= went_back || !plausible;
        self.download_octets = self.download_octets.max(report.download_octets);
        self.upload_octets = self.upload_octets.max(report.upload_octets);
        plausible
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
