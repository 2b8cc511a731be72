//! What else follows from a record: who is online, and who has which address.
//!
//! The same whether a record has just been written or is read again after a restart.

use model::Ts;
use model::accounting::Record;
use radius_wire::accounting::{Facts, Status};

use super::{Session, Sessions, key_of};
use crate::engine::Engine;
use crate::pools::{Asking, Told, Wanted};
use crate::presence::SessionTag;

/// Lets `presence` and the pools know of a record that the table has just applied.
pub(crate) fn follow(
    sessions: &mut Sessions,
    engine: &Engine,
    record: &Record<'_>,
    facts: &Facts<'_>,
) {
    let at = record.received;
    if let Status::Start | Status::Interim = facts.status
        && let Some(key) = key_of(record, facts)
    {
        let rules = sessions.get(&key).and_then(|session| engine.rules_of(session, at));
        if let Some(limit) = rules.and_then(|rules| rules.limit)
            && facts.status == Status::Start
        {
            sessions.take_over(&key, limit.sessions);
        }
        if let Some(session) = sessions.get(&key) {
            let prefix = |prefix: Option<(std::net::Ipv6Addr, u8)>| prefix.map(|(ip, _)| ip.into());
            let told = Told {
                ipv4: session.ip.filter(|ip| ip.is_ipv4()),
                ipv6: prefix(facts.framed_ipv6_prefix),
                delegated: prefix(facts.delegated_ipv6_prefix),
            };
            report(session, engine, &told, rules.and_then(|rules| rules.wanted).as_ref(), at);
        }
    }
    depart(sessions, engine, at);
}

/// Lets them know of every session of a table that was read from disk.
pub(crate) fn introduce(sessions: &mut Sessions, engine: &Engine) {
    let now = sessions.iter().map(|session| session.updated).max().unwrap_or(Ts(0));
    depart(sessions, engine, now);
    for session in sessions.iter() {
        let wanted = engine.rules_of(session, session.updated).and_then(|rules| rules.wanted);
        let told = Told { ipv4: session.ip.filter(|ip| ip.is_ipv4()), ..Told::default() };
        report(session, engine, &told, wanted.as_ref(), session.updated);
    }
}

/// Calls `each` with what every live session has.
pub(crate) fn each_live(sessions: &Sessions, each: &mut dyn FnMut(&Told, &Asking, Ts)) {
    for session in sessions.iter() {
        let told = Told { ipv4: session.ip.filter(|ip| ip.is_ipv4()), ..Told::default() };
        each(&told, &asking_of(session), session.updated);
    }
}

fn report(session: &Session, engine: &Engine, told: &Told, wanted: Option<&Wanted>, at: Ts) {
    let tag = tag_of(session);
    if let Some(service) = session.service.known() {
        engine.presence.report(service, tag, session.place, at);
    }
    engine.pools.report(told, wanted, &asking_of(session), at);
}

fn depart(sessions: &mut Sessions, engine: &Engine, at: Ts) {
    for session in sessions.gone.drain(..) {
        let tag = tag_of(&session);
        if let Some(service) = session.service.known() {
            engine.presence.end(service, tag);
        }
        let ipv4 = session.ip.filter(|ip| ip.is_ipv4());
        engine.pools.end(ipv4, session.service, tag.short(), at);
    }
}

fn tag_of(session: &Session) -> SessionTag {
    SessionTag::of(session.key.nas, &session.key.acct_session_id)
}

fn asking_of(session: &Session) -> Asking {
    Asking {
        service: session.service,
        station: session.place.0,
        session: tag_of(session).short(),
        sole: false,
    }
}

impl Sessions {
    /// Calls `each` with the service and the short tag of every live session.
    pub(crate) fn for_each_tag(&self, mut each: impl FnMut(model::ServiceId, u32)) {
        self.iter().for_each(|session| each(session.service, tag_of(session).short()));
    }
}
