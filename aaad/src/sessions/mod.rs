//! The live session table: what every NAS says is online now.
//!
//! The accounting thread is the one writer; it applies a record once the record is durable.
//! After a restart the table is the checkpoint plus the journal's tail, applied by the same
//! function. `policyd` alone decides identity and keeps history; this table serves CoA,
//! `netctl`; [`follow`] lets `presence` and the address pools know.

mod checkpoint;
mod follow;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

use model::accounting::Record;
use model::identity::login_key;
use model::{ClientId, CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
use radius_wire::accounting::{Facts, Status};
use radius_wire::{Attributes, Line};
use rustc_hash::FxHashMap;

use crate::presence::Place;

pub(crate) use checkpoint::{load, save};
pub(crate) use follow::{each_live, follow, introduce};

/// What tells a session apart at any one time. Over time NAS use an id again after a reboot;
/// the start tells those apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) nas: NasId,
    pub(crate) acct_session_id: Box<[u8]>,
}

/// A live session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    /// User-Name as the NAS sent it: CoA must echo it byte for byte.
    pub(crate) user_name: Box<[u8]>,
    pub(crate) calling_station: Box<[u8]>,
    /// Where it comes from: its NAS, and its station or line.
    pub(crate) place: Place,
    pub(crate) client: ClientId,
    /// Where the NAS's packets come from.
    pub(crate) source: IpAddr,
    pub(crate) organisation: OrganisationId,
    pub(crate) customer: CustomerId,
    pub(crate) service: ServiceId,
    pub(crate) plan_version: PlanVersionId,
    /// Hash of the policy it was given, or last changed to; 0: not known.
    pub(crate) given: u64,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) started: Ts,
    pub(crate) updated: Ts,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
    pub(crate) download_bps: u64,
    pub(crate) upload_bps: u64,
    pub(crate) coa: CoaState,
}

/// The last CoA or Disconnect of a session. Not kept over a restart: the sweep compares anew.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CoaState {
    /// How it went, for people.
    pub(crate) text: Option<String>,
    /// No further attempt before this.
    pub(crate) not_before: Option<Instant>,
    /// When a Disconnect was acknowledged; its Stop is awaited.
    pub(crate) left_at: Option<Ts>,
    /// Attempts in a row that did not succeed.
    pub(crate) failures: u32,
}

/// Sessions that ended lately, so that a late interim does not bring one back.
const ENDED_MAX: usize = 16_384;
/// Reports that come this long after an acknowledged Disconnect were not under way, seconds.
const LEAVING_S: f64 = 10.0;
/// Two starts closer than this are one: retransmissions and clock steps, seconds.
const SAME_START_S: f64 = 10.0;

/// The table.
pub(crate) struct Sessions {
    fold_case: bool,
    /// The journal sequence up to which the table is true.
    applied: u64,
    /// An incarnation of the journal that sequence is in.
    journal: u128,
    slots: Vec<Option<Session>>,
    free: Vec<u32>,
    by_key: HashMap<SessionKey, u32>,
    by_login: HashMap<Box<[u8]>, Vec<u32>>,
    by_service: FxHashMap<ServiceId, Vec<u32>>,
    /// Which of our addresses each NAS last talked to: CoA must leave from it.
    locals: FxHashMap<NasId, IpAddr>,
    ended: HashMap<SessionKey, Ts>,
    ended_order: VecDeque<SessionKey>,
    /// Those that went since somebody last asked.
    gone: Vec<Session>,
}

impl Sessions {
    pub(crate) fn new(fold_case: bool) -> Self {
        Self {
            fold_case,
            applied: 0,
            journal: 0,
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            by_login: HashMap::new(),
            by_service: FxHashMap::default(),
            locals: FxHashMap::default(),
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
            gone: Vec::new(),
        }
    }

    /// Live sessions.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The journal sequence up to which the table is true.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// Names the journal whose records are applied, by an incarnation that it still has.
    pub(crate) fn name_journal(&mut self, incarnation: u128) {
        self.journal = incarnation;
    }

    /// Every live session.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().flatten()
    }

    /// A session.
    pub(crate) fn get(&self, key: &SessionKey) -> Option<&Session> {
        self.slots[*self.by_key.get(key)? as usize].as_ref()
    }

    /// A session, to change what is not indexed.
    pub(crate) fn get_mut(&mut self, key: &SessionKey) -> Option<&mut Session> {
        self.slots[*self.by_key.get(key)? as usize].as_mut()
    }

    /// The sessions of a login, by lookup key.
    pub(crate) fn of_login(&self, key: &[u8]) -> impl Iterator<Item = &Session> {
        let slots = self.by_login.get(key).map_or(&[][..], Vec::as_slice);
        slots.iter().filter_map(|slot| self.slots[*slot as usize].as_ref())
    }

    /// The sessions of a service.
    pub(crate) fn of_service(&self, service: ServiceId) -> impl Iterator<Item = &Session> {
        let slots = self.by_service.get(&service).map_or(&[][..], Vec::as_slice);
        slots.iter().filter_map(|slot| self.slots[*slot as usize].as_ref())
    }

    /// A NAS talked to this address of ours.
    pub(crate) fn heard(&mut self, nas: NasId, local: IpAddr) {
        self.locals.insert(nas, local);
    }

    /// The address of ours a NAS talks to, once it has since the start.
    pub(crate) fn local_of(&self, nas: NasId) -> Option<IpAddr> {
        self.locals.get(&nas).copied()
    }

    /// Applies a durable record. Records that were applied before change nothing.
    pub(crate) fn apply(&mut self, sequence: u64, record: &Record<'_>, facts: &Facts<'_>) {
        if sequence <= self.applied {
            return;
        }
        self.applied = sequence;
        match facts.status {
            Status::Start | Status::Interim => self.report(record, facts),
            Status::Stop => {
                if let Some(key) = key_of(record, facts) {
                    let started = self.end(&key).unwrap_or(start_of(record, facts));
                    self.remember_end(key, started);
                }
            }
            Status::On | Status::Off => self.end_all(record, facts),
            Status::Other(_) => {}
        }
    }

    fn report(&mut self, record: &Record<'_>, facts: &Facts<'_>) {
        let Some(key) = key_of(record, facts) else { return };
        let started = start_of(record, facts);
        let same = |other: Ts| started.since(other).abs() < SAME_START_S;
        if self.ended.get(&key).is_some_and(|ended| same(*ended)) {
            return;
        }
        // A Start under a known id with another beginning: the NAS has begun to use the id
        // again, and the Stop of the first session was lost.
        let reused = facts.status == Status::Start
            && self.get(&key).is_some_and(|known| !same(known.started));
        if reused {
            self.end(&key);
        }
        match self.by_key.get(&key) {
            Some(slot) => {
                let slot = *slot;
                if let Some(session) = &mut self.slots[slot as usize] {
                    session.report(record, facts);
                    if session.service == ServiceId::NONE && record.service != ServiceId::NONE {
                        session.adopt(record);
                        self.by_service.entry(record.service).or_default().push(slot);
                    }
                }
            }
            None => self.insert(Session::begin(key, started, record, facts)),
        }
    }

    fn insert(&mut self, session: Session) {
        let login = self.login_of(&session.user_name);
        let (key, service) = (session.key.clone(), session.service);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(session);
                slot
            }
            None => {
                self.slots.push(Some(session));
                (self.slots.len() - 1) as u32
            }
        };
        self.by_key.insert(key, slot);
        self.by_login.entry(login).or_default().push(slot);
        if service != ServiceId::NONE {
            self.by_service.entry(service).or_default().push(slot);
        }
    }

    fn login_of(&self, user_name: &[u8]) -> Box<[u8]> {
        let mut key = Vec::with_capacity(user_name.len());
        login_key(user_name, self.fold_case, &mut key);
        key.into_boxed_slice()
    }

    /// Takes a session out and returns when it began.
    fn end(&mut self, key: &SessionKey) -> Option<Ts> {
        let slot = self.by_key.remove(key)?;
        let session = self.slots[slot as usize].take()?;
        let started = session.started;
        self.free.push(slot);
        let login = self.login_of(&session.user_name);
        if let Some(slots) = self.by_login.get_mut(&login) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.by_login.remove(&login);
            }
        }
        if let Some(slots) = self.by_service.get_mut(&session.service) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.by_service.remove(&session.service);
            }
        }
        self.gone.push(session);
        Some(started)
    }

    /// Ends the sessions of a service that another one from the same place has taken over, the
    /// oldest first, while there are more than `limit`. Nobody sends them a Disconnect: their NAS
    /// knows. One that lives all the same comes back with its next report.
    fn take_over(&mut self, heir: &SessionKey, limit: u16) {
        let Some(session) = self.get(heir) else { return };
        let (service, place, started) = (session.service, session.place, session.started);
        if place == Place::default() || self.of_service(service).count() <= usize::from(limit) {
            return;
        }
        let mut older: Vec<(Ts, SessionKey)> = self
            .of_service(service)
            .filter(|s| s.place == place && s.started <= started && s.key != *heir)
            .map(|s| (s.started, s.key.clone()))
            .collect();
        older.sort_by_key(|(started, _)| *started);
        for (_, key) in older {
            if self.of_service(service).count() <= usize::from(limit) {
                return;
            }
            self.end(&key);
        }
    }

    /// Ends what the NAS had before it restarted. The word of a restart may be repeated, and
    /// come late: sessions begun since then stay.
    fn end_all(&mut self, record: &Record<'_>, facts: &Facts<'_>) {
        let restarted = record.received.plus_seconds(-i64::from(facts.delay_s));
        let ended =
            |session: &&Session| session.key.nas == record.nas && session.started < restarted;
        let keys: Vec<SessionKey> = self.iter().filter(ended).map(|s| s.key.clone()).collect();
        for key in keys {
            self.end(&key);
        }
    }

    fn remember_end(&mut self, key: SessionKey, started: Ts) {
        if self.ended.insert(key.clone(), started).is_none() {
            self.ended_order.push_back(key);
        }
        if self.ended_order.len() > ENDED_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }
}

impl Session {
    fn begin(key: SessionKey, started: Ts, record: &Record<'_>, facts: &Facts<'_>) -> Self {
        let mut session = Session {
            key,
            user_name: facts.user_name.unwrap_or_default().into(),
            calling_station: facts.calling_station.unwrap_or_default().into(),
            place: Place::of(record.nas, station_of(record, facts)),
            client: record.client,
            source: record.source,
            organisation: record.organisation,
            customer: record.customer,
            service: record.service,
            plan_version: record.plan_version,
            given: record.policy_hash,
            ip: None,
            started,
            updated: record.received,
            download_octets: 0,
            upload_octets: 0,
            download_bps: 0,
            upload_bps: 0,
            coa: CoaState::default(),
        };
        session.take_counters(facts);
        session
    }

    /// The session was heard of before its subscriber was known here.
    fn adopt(&mut self, record: &Record<'_>) {
        self.organisation = record.organisation;
        self.customer = record.customer;
        self.service = record.service;
        self.plan_version = record.plan_version;
        self.given = record.policy_hash;
    }

    /// A further word about a session that is known. Whose it is was settled at its beginning,
    /// and what it was given is changed by CoA alone: later evidence may be of another login.
    fn report(&mut self, record: &Record<'_>, facts: &Facts<'_>) {
        let seconds = record.received.since(self.updated);
        let (download, upload) = (self.download_octets, self.upload_octets);
        self.take_counters(facts);
        if seconds >= 1.0 {
            let rate = |now: u64, before: u64| ((now - before) as f64 * 8.0 / seconds) as u64;
            self.download_bps = rate(self.download_octets, download);
            self.upload_bps = rate(self.upload_octets, upload);
        }
        self.updated = self.updated.max(record.received);
        self.source = record.source;
        // The NAS said yes to a Disconnect and reports on all the same: compare it again.
        if self.coa.left_at.is_some_and(|at| record.received.since(at) > LEAVING_S) {
            self.coa.left_at = None;
        }
    }

    /// Counters only grow: a smaller later value never takes back what was counted.
    fn take_counters(&mut self, facts: &Facts<'_>) {
        self.download_octets = self.download_octets.max(facts.output_octets);
        self.upload_octets = self.upload_octets.max(facts.input_octets);
        if let Some(ip) = facts.framed_ip {
            self.ip = Some(ip.into());
        } else if let (None, Some(ip)) = (self.ip, facts.framed_ipv6_address) {
            self.ip = Some(ip.into());
        }
    }
}

/// The calling station, else the line.
fn station_of<'a>(record: &Record<'a>, facts: &Facts<'a>) -> &'a [u8] {
    facts.calling_station.unwrap_or_else(|| {
        let line = Attributes::parse(record.attributes).map(Line::of).unwrap_or_default();
        line.circuit.or(line.remote).unwrap_or_default()
    })
}

fn key_of(record: &Record<'_>, facts: &Facts<'_>) -> Option<SessionKey> {
    Some(SessionKey { nas: record.nas, acct_session_id: facts.acct_session_id?.into() })
}

/// When the session began, by our clock: NAS clocks drift.
fn start_of(record: &Record<'_>, facts: &Facts<'_>) -> Ts {
    record.received.plus_seconds(-i64::from(facts.delay_s) - i64::from(facts.session_time_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use radius_wire::Attributes;

    struct Nas {
        nas: NasId,
        service: ServiceId,
        sequence: u64,
        sessions: Sessions,
    }

    impl Nas {
        fn new() -> Self {
            Self {
                nas: NasId::generate(),
                service: ServiceId::generate(),
                sequence: 0,
                sessions: Sessions::new(true),
            }
        }

        fn say(
            &mut self,
            at_s: i64,
            status: u32,
            id: &str,
            time_s: u32,
            out_octets: u32,
            giga: u32,
        ) {
            let mut attributes = Vec::new();
            let mut put = |kind: u8, value: &[u8]| {
                attributes.extend_from_slice(&[kind, value.len() as u8 + 2]);
                attributes.extend_from_slice(value);
            };
            put(1, b"Asha");
            put(40, &status.to_be_bytes());
            put(44, id.as_bytes());
            put(46, &time_s.to_be_bytes());
            put(43, &out_octets.to_be_bytes());
            put(53, &giga.to_be_bytes());
            let record = Record {
                received: Ts::from_seconds(at_s),
                client: ClientId::NONE,
                nas: self.nas,
                organisation: OrganisationId::NONE,
                customer: CustomerId::NONE,
                service: self.service,
                plan_version: PlanVersionId::NONE,
                policy_hash: 1,
                ipv6_counters: model::nas::Ipv6Counters::Included,
                source: IpAddr::from([192, 0, 2, 1]),
                attributes: &attributes,
            };
            self.sequence += 1;
            let facts = Facts::of(Attributes::parse(&attributes).unwrap());
            self.sessions.apply(self.sequence, &record, &facts);
        }

        fn only(&self) -> &Session {
            assert_eq!(self.sessions.len(), 1);
            self.sessions.of_login(b"asha").next().unwrap()
        }
    }

    #[test]
    fn a_session_lives_from_start_to_stop_and_counts_gigawords() {
        let mut nas = Nas::new();
        nas.say(1000, 1, "8100", 0, 0, 0);
        nas.say(1060, 3, "8100", 60, 5, 1);
        assert_eq!(nas.only().download_octets, (1 << 32) + 5);
        assert_eq!(nas.only().download_bps, ((1u64 << 32) + 5) * 8 / 60);
        nas.say(1120, 3, "8100", 120, 4, 1);
        assert_eq!(nas.only().download_octets, (1 << 32) + 5, "counters only grow");
        assert_eq!(nas.sessions.of_service(nas.service).count(), 1);
        nas.say(1180, 2, "8100", 180, 9, 1);
        assert_eq!(nas.sessions.len(), 0);
        assert_eq!(nas.sessions.of_service(nas.service).count(), 0);
        nas.say(1181, 3, "8100", 180, 9, 1);
        assert_eq!(nas.sessions.len(), 0, "a late interim does not bring it back");
    }

    #[test]
    fn an_id_used_again_is_another_session_and_a_repeat_is_not() {
        let mut nas = Nas::new();
        nas.say(1000, 1, "8100", 0, 0, 0);
        nas.say(1002, 1, "8100", 0, 0, 0);
        assert_eq!(nas.only().started, Ts::from_seconds(1000));
        nas.say(1060, 3, "8100", 60, 77, 0);
        nas.say(9000, 1, "8100", 0, 0, 0);
        assert_eq!(nas.only().started, Ts::from_seconds(9000));
        assert_eq!(nas.only().download_octets, 0);
    }

    #[test]
    fn accounting_on_ends_that_nas_alone() {
        let mut nas = Nas::new();
        nas.say(1000, 1, "a", 0, 0, 0);
        nas.say(1000, 1, "b", 0, 0, 0);
        let first = std::mem::replace(&mut nas.nas, NasId::generate());
        nas.say(1001, 1, "a", 0, 0, 0);
        nas.nas = first;
        nas.say(1002, 7, "", 0, 0, 0);
        assert_eq!(nas.sessions.len(), 1);
        assert_ne!(nas.only().key.nas, first);
    }

    #[test]
    fn a_session_first_heard_of_by_an_interim_began_earlier() {
        let mut nas = Nas::new();
        nas.say(5000, 3, "x", 600, 0, 0);
        assert_eq!(nas.only().started, Ts::from_seconds(4400));
    }
}
