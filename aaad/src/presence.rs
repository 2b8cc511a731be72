//! Simultaneous use: how many sessions each service has, where a login can ask.
//!
//! The live session table is behind one lock that lists and checkpoints hold for long. What a
//! login needs of it is kept here besides: an entry a session, found by service, in shards, each
//! with a lock that is held for a look at one service and no longer. A login that was let in
//! counts at once, before its Start comes, so that many at the same time do not all pass; and a
//! session that was not heard of for a while counts no more, so that a lost Stop locks nobody
//! out.
//!
//! A *place* is where a login comes from: the NAS, and the calling station or the line. A login
//! from the place of a session takes that session's place.

use std::sync::{Mutex, MutexGuard, PoisonError};

use model::nas::Fnv;
use model::policy::LimitAction;
use model::{NasId, ServiceId, Ts};

/// How long a login counts that no Start has followed, seconds.
const PENDING_S: u32 = 60;
/// Interims a session may miss before it counts no more.
const MISSED: u32 = 3;
/// What an interim may be late besides, seconds.
const LATE_S: u32 = 60;

const SHARD_BITS: u32 = 6;
const NONE: u32 = u32::MAX;

/// Where a login comes from, hashed; 0 where nothing tells one place from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place(pub(crate) u32);

impl Place {
    /// The place of a station, or a line, on a NAS.
    pub(crate) fn of(nas: NasId, station: &[u8]) -> Self {
        if station.is_empty() {
            return Self::default();
        }
        let mut hash = Fnv::default();
        hash.write(nas.0.as_bytes());
        hash.write(station);
        Self(hash.fold().max(1))
    }

    fn is_same(self, other: Self) -> bool {
        self.0 != 0 && self == other
    }
}

/// The name of a session here: a hash of its NAS and its Acct-Session-Id, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTag(pub(crate) u64);

impl SessionTag {
    /// The tag of a session.
    pub(crate) fn of(nas: NasId, acct_session_id: &[u8]) -> Self {
        let mut hash = Fnv::default();
        hash.write(nas.0.as_bytes());
        hash.write(acct_session_id);
        Self(hash.0.max(1))
    }

    /// The tag as the pools have it, never 0.
    pub(crate) fn short(self) -> u32 {
        Fnv(self.0).fold().max(1)
    }
}

/// What may be online at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// So many sessions.
    pub(crate) sessions: u16,
    /// What becomes of a login beyond that.
    pub(crate) action: LimitAction,
    /// Seconds between reports.
    pub(crate) interim_s: u32,
}

impl Limit {
    /// How long a session may be silent and still count, seconds.
    pub(crate) fn silence_s(&self) -> u32 {
        self.interim_s.saturating_mul(MISSED).saturating_add(LATE_S)
    }
}

/// What became of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is within the limit.
    Within,
    /// It is let in, and the oldest others must go.
    Replaces,
    /// It is beyond the limit.
    Refused,
}

/// A session, or a login on its way to one.
#[derive(Debug, Clone, Copy)]
struct Entry {
    service: ServiceId,
    /// 0: its Start has not come.
    session: u64,
    place: Place,
    heard: u32,
    next: u32,
}

/// The services of one shard: entries in chains, by a hash of their service.
#[derive(Default)]
struct Shard {
    entries: Vec<Entry>,
    heads: Vec<u32>,
    free: u32,
    len: usize,
}

/// Who is online, and who is about to be.
pub(crate) struct Presence {
    shards: Box<[Mutex<Shard>]>,
}

impl Default for Presence {
    fn default() -> Self {
        let shard = || Mutex::new(Shard { free: NONE, ..Shard::default() });
        Self { shards: (0..1 << SHARD_BITS).map(|_| shard()).collect() }
    }
}

fn hash_of(service: ServiceId) -> u64 {
    let id = service.0.as_u128();
    (id as u64 ^ (id >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn seconds(at: Ts) -> u32 {
    u32::try_from(at.seconds()).unwrap_or(0)
}

impl Presence {
    fn shard(&self, service: ServiceId) -> MutexGuard<'_, Shard> {
        let at = (hash_of(service) >> (64 - SHARD_BITS)) as usize;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login asks to be let in. Where it may, it counts from now on.
    pub(crate) fn claim(&self, service: ServiceId, place: Place, limit: Limit, now: Ts) -> Claim {
        let now = seconds(now);
        let mut shard = self.shard(service);
        shard.forget(service, now, limit.silence_s());
        let others = shard.of(service).filter(|entry| !entry.place.is_same(place)).count();
        let beyond = others >= usize::from(limit.sessions);
        if beyond && limit.action == LimitAction::Reject {
            return Claim::Refused;
        }
        // Whoever tries again, or comes back from where it is, counts once.
        let again = shard.find(service, |entry| entry.place.is_same(place) && entry.session == 0);
        match again {
            Some(at) => shard.entries[at as usize].heard = now,
            None => shard.insert(Entry { service, session: 0, place, heard: now, next: NONE }),
        }
        if beyond { Claim::Replaces } else { Claim::Within }
    }

    /// The login was not let in after all.
    pub(crate) fn withdraw(&self, service: ServiceId, place: Place) {
        let mut shard = self.shard(service);
        let own = |entry: &Entry| entry.place == place && entry.session == 0;
        if let Some(at) = shard.find(service, own) {
            shard.remove(at);
        }
    }

    /// What a login would meet, without counting it: sessions that count, and the answer.
    pub(crate) fn look(&self, service: ServiceId, limit: Limit, now: Ts) -> (usize, Claim) {
        let now = seconds(now);
        let shard = self.shard(service);
        let online = shard.of(service).filter(|e| e.counts(now, limit.silence_s())).count();
        let claim = match limit.action {
            _ if online < usize::from(limit.sessions) => Claim::Within,
            LimitAction::Reject => Claim::Refused,
            LimitAction::ReplaceOldest => Claim::Replaces,
        };
        (online, claim)
    }

    /// A session was heard of. It takes the place of the login that led to it.
    pub(crate) fn report(&self, service: ServiceId, session: SessionTag, place: Place, at: Ts) {
        let at = seconds(at);
        let mut shard = self.shard(service);
        let known = shard
            .find(service, |entry| entry.session == session.0)
            .or_else(|| shard.find(service, |entry| entry.session == 0 && entry.place == place));
        match known {
            Some(known) => {
                let entry = &mut shard.entries[known as usize];
                (entry.session, entry.place) = (session.0, place);
                entry.heard = entry.heard.max(at);
            }
            None => {
                let entry = Entry { service, session: session.0, place, heard: at, next: NONE };
                shard.insert(entry);
            }
        }
    }

    /// A session ended.
    pub(crate) fn end(&self, service: ServiceId, session: SessionTag) {
        let mut shard = self.shard(service);
        if let Some(at) = shard.find(service, |entry| entry.session == session.0) {
            shard.remove(at);
        }
    }

    /// Forgets logins that no Start has followed: those of services that nobody asks for again.
    pub(crate) fn sweep(&self, now: Ts) {
        let now = seconds(now);
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for at in 0..shard.entries.len() {
                let entry = shard.entries[at];
                let lapsed = entry.session == 0 && !entry.counts(now, 0);
                if lapsed && entry.service != ServiceId::NONE {
                    shard.remove(at as u32);
                }
            }
        }
    }
}

impl Entry {
    fn counts(&self, now: u32, silence_s: u32) -> bool {
        let within = if self.session == 0 { PENDING_S } else { silence_s };
        now.saturating_sub(self.heard) < within
    }
}

impl Shard {
    fn bucket(&self, service: ServiceId) -> usize {
        // A power of two; the highest bits chose the shard.
        hash_of(service) as usize & (self.heads.len() - 1)
    }

    fn chain(&self, service: ServiceId) -> impl Iterator<Item = (u32, &Entry)> {
        let mut at = if self.heads.is_empty() { NONE } else { self.heads[self.bucket(service)] };
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            let here = at;
            at = entry.next;
            Some((here, entry))
        })
    }

    fn of(&self, service: ServiceId) -> impl Iterator<Item = &Entry> {
        self.chain(service).map(|(_, entry)| entry).filter(move |entry| entry.service == service)
    }

    fn find(&self, service: ServiceId, wanted: impl Fn(&Entry) -> bool) -> Option<u32> {
        let mut chain = self.chain(service);
        chain.find(|(_, entry)| entry.service == service && wanted(entry)).map(|(at, _)| at)
    }

    /// Forgets what counts no more of a service: logins for good, sessions as far as the limit is
    /// concerned: their next report brings them back.
    fn forget(&mut self, service: ServiceId, now: u32, silence_s: u32) {
        while let Some(at) = self.find(service, |entry| !entry.counts(now, silence_s)) {
            self.remove(at);
        }
    }

    fn insert(&mut self, entry: Entry) {
        if self.len >= self.heads.len() {
            self.grow();
        }
        let bucket = self.bucket(entry.service);
        let entry = Entry { next: self.heads[bucket], ..entry };
        let at = match self.free {
            NONE => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
            free => {
                self.free = self.entries[free as usize].next;
                self.entries[free as usize] = entry;
                free
            }
        };
        self.heads[bucket] = at;
        self.len += 1;
    }

    fn remove(&mut self, at: u32) {
        let entry = self.entries[at as usize];
        let bucket = self.bucket(entry.service);
        if self.heads[bucket] == at {
            self.heads[bucket] = entry.next;
        } else {
            let mut before = self.heads[bucket];
            while let Some(other) = self.entries.get_mut(before as usize) {
                if other.next == at {
                    other.next = entry.next;
                    break;
                }
                before = other.next;
            }
        }
        let gone = &mut self.entries[at as usize];
        (gone.service, gone.session, gone.next) = (ServiceId::NONE, 0, self.free);
        self.free = at;
        self.len -= 1;
    }

    fn grow(&mut self) {
        self.heads = vec![NONE; (self.heads.len() * 2).max(16)];
        for at in 0..self.entries.len() {
            let service = self.entries[at].service;
            if service != ServiceId::NONE {
                let bucket = self.bucket(service);
                self.entries[at].next = self.heads[bucket];
                self.heads[bucket] = at as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting;

    const NOW: i64 = 1_772_357_400;
    const ONE: Limit = Limit { sessions: 1, action: LimitAction::ReplaceOldest, interim_s: 300 };
    const STRICT: Limit = Limit { action: LimitAction::Reject, ..ONE };

    fn at(s: i64) -> Ts {
        Ts::from_seconds(NOW + s)
    }

    #[test]
    fn many_logins_at_once_do_not_all_pass() {
        let (presence, service) = (Presence::default(), ServiceId::generate());
        let two = Limit { sessions: 2, ..STRICT };
        let claims = (1..=20).map(|n| presence.claim(service, Place(n), two, at(0)));
        assert_eq!(claims.filter(|claim| *claim == Claim::Within).count(), 2);
        // A login that leads to nothing counts for a while only.
        assert_eq!(presence.claim(service, Place(30), two, at(59)), Claim::Refused);
        assert_eq!(presence.claim(service, Place(30), two, at(60)), Claim::Within);
        assert_eq!(presence.claim(ServiceId::generate(), Place(1), ONE, at(0)), Claim::Within);
    }

    #[test]
    fn who_comes_back_from_the_same_place_counts_once() {
        let (presence, service) = (Presence::default(), ServiceId::generate());
        assert_eq!(presence.claim(service, Place(1), STRICT, at(0)), Claim::Within);
        assert_eq!(presence.claim(service, Place(1), STRICT, at(1)), Claim::Within, "again");
        presence.report(service, SessionTag(7), Place(1), at(2));
        assert_eq!(presence.claim(service, Place(1), STRICT, at(3)), Claim::Within, "Stop lost");
        assert_eq!(presence.claim(service, Place(2), STRICT, at(3)), Claim::Refused);
        // Where nothing tells places apart, nobody is taken for another.
        let (nowhere, other) = (Place(0), ServiceId::generate());
        assert_eq!(presence.claim(other, nowhere, STRICT, at(0)), Claim::Within);
        assert_eq!(presence.claim(other, nowhere, STRICT, at(0)), Claim::Refused);
    }

    #[test]
    fn a_session_that_is_silent_or_over_locks_nobody_out() {
        let (presence, service) = (Presence::default(), ServiceId::generate());
        presence.report(service, SessionTag(7), Place(1), at(0));
        presence.report(service, SessionTag(7), Place(1), at(300));
        assert_eq!(presence.claim(service, Place(2), ONE, at(301)), Claim::Replaces);
        presence.withdraw(service, Place(2));
        assert_eq!(presence.look(service, ONE, at(301)), (1, Claim::Replaces));
        assert_eq!(presence.look(service, ONE, at(300 + 959)), (1, Claim::Replaces));
        assert_eq!(presence.look(service, ONE, at(300 + 960)), (0, Claim::Within));
        assert_eq!(presence.claim(service, Place(2), STRICT, at(300 + 960)), Claim::Within);
        // Its next report brings it back.
        presence.report(service, SessionTag(7), Place(1), at(1300));
        assert_eq!(presence.look(service, STRICT, at(1300)).0, 2);
        presence.end(service, SessionTag(7));
        presence.end(service, SessionTag(7));
        assert_eq!(presence.look(service, STRICT, at(1300)).0, 1);
    }

    #[test]
    fn it_agrees_with_a_plain_map_whatever_happens() {
        let presence = Presence::default();
        let services: Vec<ServiceId> = (0..50).map(|_| ServiceId::generate()).collect();
        let mut online: Vec<(usize, u64)> = Vec::new();
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (which, session) = ((state >> 33) as usize % 50, (state >> 45) % 6 + 1);
            if (state >> 60) < 9 {
                let place = Place(session as u32);
                presence.report(services[which], SessionTag(session), place, at(0));
                if !online.contains(&(which, session)) {
                    online.push((which, session));
                }
            } else {
                presence.end(services[which], SessionTag(session));
                online.retain(|one| *one != (which, session));
            }
        }
        for (which, service) in services.iter().enumerate() {
            let expected = online.iter().filter(|(one, _)| *one == which).count();
            assert_eq!(presence.look(*service, ONE, at(0)).0, expected);
        }
    }

    #[test]
    fn coming_and_going_allocates_nothing() {
        let (presence, service) = (Presence::default(), ServiceId::generate());
        let round = |n: u64| {
            presence.claim(service, Place(1), ONE, at(0));
            presence.report(service, SessionTag(n), Place(1), at(0));
            presence.end(service, SessionTag(n));
            presence.sweep(at(n as i64));
        };
        round(1);
        let before = counting::calls();
        (2..1000).for_each(round);
        assert_eq!(counting::calls(), before);
    }
}
