//! Address pools: who is leased what, decided here and now, with nobody asked.
//!
//! - `stripe`: the units of a pool, their states and their order; `space`: one part of a pool.
//! - This module: which pools a NAS may use, what a login is offered, what sessions say.
//! - `file`: what is known, on disk, so that a restart knows it too.
//! - `keeper`: the task that writes it, counts, and tells people.
//!
//! A login is offered the address its service had last, else one that nobody has. The offer holds
//! for a minute; the session's Start makes it a lease, each report prolongs it, and the Stop, the
//! NAS's restart or silence beyond the lease time ends it. What a service has as its own is never
//! leased to another: the follower takes those addresses out.
//!
//! All pools are this node's alone. Blocks are what nodes would share: they are opened one by
//! one, and what is not opened is known to be free.

mod file;
mod keeper;
mod space;
mod stripe;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use dialect::Leased;
use ipnetwork::{IpNetwork, Ipv6Network};
use metrics::counter;
use model::policy::{Lease, Subscriber};
use model::pool::{Holder, Part, Pool, Usage};
use model::reject::RejectReason;
use model::{NasGroupId, ServiceId, Ts};
use rustc_hash::{FxHashMap, FxHashSet};
use tracing::warn;

use crate::cache::Cache;

pub(crate) use file::{restore, save};
pub(crate) use keeper::Keeper;
use space::Space;
pub(crate) use stripe::{Asking, Slot};
use stripe::{Met, State, Times};

/// How long an offer holds until its Start, seconds.
const OFFER_S: u32 = 60;
/// How long an address rests where no plan says how often sessions report, seconds.
const REST_S: u32 = 600;

/// One pool in force.
pub(crate) struct Entry {
    pub(crate) pool: Pool,
    spaces: Arc<[Space; 3]>,
    /// Logins refused because a part had nothing left, since the start.
    exhausted: Arc<AtomicU64>,
}

type Entries = Arc<[Arc<Entry>]>;

/// The pools in force.
#[derive(Default)]
struct Table {
    all: Vec<Arc<Entry>>,
    /// Those that belong to no group: every NAS may use them.
    open: Vec<Arc<Entry>>,
    /// Those of a group, and then the open ones.
    by_group: FxHashMap<NasGroupId, Entries>,
    /// Ranges of IPv4 in order, and whose they are.
    ranges: Vec<(u32, u32, Arc<Entry>)>,
}

/// The addresses and prefixes a login needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) lease: Lease,
    pub(crate) group: Option<NasGroupId>,
    /// By [`Part`]: those that are not fixed.
    pub(crate) parts: [bool; 3],
}

/// What a session says it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) ipv4: Option<IpAddr>,
    pub(crate) ipv6: Option<IpAddr>,
    pub(crate) delegated: Option<IpAddr>,
}

impl Told {
    fn part(&self, part: Part) -> Option<IpAddr> {
        match part {
            Part::Ipv4 => self.ipv4,
            Part::Ipv6 => self.ipv6,
            Part::Delegated => self.delegated,
        }
    }
}

/// Calls what it is given for every session that is online: what it has, who it is, and when it
/// was last heard of.
pub(crate) type Live<'l> = dyn FnMut(&mut dyn FnMut(&Told, &Asking, Ts)) + 'l;

/// A session that has an address which is now a service's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intruder {
    pub(crate) service: ServiceId,
    pub(crate) address: IpAddr,
}

/// The pools.
pub(crate) struct Pools {
    table: ArcSwap<Table>,
    rest_s: AtomicU32,
    /// What services have as their own within pools. Only the follower's.
    fixed: Mutex<FxHashMap<ServiceId, Vec<(Part, IpNetwork)>>>,
}

impl Default for Pools {
    fn default() -> Self {
        Self { table: ArcSwap::default(), rest_s: AtomicU32::new(REST_S), fixed: Mutex::default() }
    }
}

fn seconds(at: Ts) -> u32 {
    u32::try_from(at.seconds()).unwrap_or(0)
}

impl Entry {
    fn space(&self, part: Part) -> Option<&Space> {
        (self.pool.units(part) > 0).then(|| &self.spaces[part as usize])
    }

    fn times(&self, rest_s: u32) -> Times {
        Times { offer_s: OFFER_S, lease_s: self.pool.lease_s, rest_s }
    }

    /// How much of a part is in use; nothing where the pool has no such part.
    pub(crate) fn usage(&self, part: Part) -> Option<Usage> {
        self.space(part).map(Space::usage)
    }

    fn prefix(&self, part: Part, unit: u32) -> Option<Ipv6Network> {
        match self.pool.at(part, unit)? {
            IpAddr::V6(ip) => Ipv6Network::new(ip, self.pool.length(part)).ok(),
            IpAddr::V4(_) => None,
        }
    }

    fn holder(&self, part: Part, unit: u32) -> Option<Holder> {
        let address = self.pool.at(part, unit)?;
        let slot = self.space(part)?.get(unit);
        let service = slot.and_then(|slot| slot.service.known());
        Some(Holder {
            pool: self.pool.id,
            pool_name: self.pool.name.clone(),
            part,
            address,
            length: self.pool.length(part),
            state: slot.map_or(State::Idle, |slot| slot.state).as_str().to_owned(),
            service,
            since: slot.filter(|slot| slot.at > 0).map(|slot| Ts::from_seconds(slot.at.into())),
        })
    }

    /// The units of a part that lie in a network, or have it in them.
    fn units_in(&self, part: Part, network: &IpNetwork) -> Option<(u32, u32)> {
        let units = self.pool.units(part);
        if units == 0 {
            return None;
        }
        let number = |address| self.pool.number_of(part, address);
        match (number(network.network()), number(network.broadcast())) {
            (Some(first), Some(last)) => Some((first, last)),
            (Some(first), None) => Some((first, units - 1)),
            (None, Some(last)) => Some((0, last)),
            (None, None) => {
                let inside = network.contains(self.pool.at(part, 0)?);
                inside.then_some((0, units - 1))
            }
        }
    }
}

impl Table {
    fn of_group(&self, group: Option<NasGroupId>) -> &[Arc<Entry>] {
        let own = group.and_then(|group| self.by_group.get(&group));
        own.map_or(self.open.as_slice(), |entries| entries)
    }

    /// A session was heard of.
    fn report(&self, told: &Told, wanted: Option<&Wanted>, asking: &Asking, at: Ts) {
        let at = seconds(at);
        for part in Part::ALL {
            if let Some(address) = told.part(part) {
                let Some((entry, unit)) = self.find(part, address) else { continue };
                if entry.spaces[part as usize].start(unit, asking, at) == Met::Other {
                    counter!("aaad_pool_conflicts_total").increment(1);
                }
            } else if let Some(wanted) = wanted.filter(|wanted| wanted.parts[part as usize]) {
                // In whichever pool it has one.
                for (_, space) in usable(self, wanted, part) {
                    if space.start_of(asking, at) {
                        break;
                    }
                }
            }
        }
    }

    /// The pool that has this address or prefix, and its number there.
    fn find(&self, part: Part, address: IpAddr) -> Option<(&Arc<Entry>, u32)> {
        match (part, address) {
            (Part::Ipv4, IpAddr::V4(v4)) => {
                let v4 = u32::from(v4);
                let at = self.ranges.partition_point(|(_, last, _)| *last < v4);
                let (first, _, entry) = self.ranges.get(at)?;
                let unit = entry.pool.number_of(part, address)?;
                (*first <= v4).then_some((entry, unit))
            }
            _ => self
                .all
                .iter()
                .find_map(|entry| entry.pool.number_of(part, address).map(|unit| (entry, unit))),
        }
    }
}

impl Pools {
    fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    fn rest_s(&self) -> u32 {
        self.rest_s.load(Ordering::Relaxed)
    }

    /// Every pool in force, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.table().all.clone()
    }

    /// Offers a login what it needs: each part that a pool of its NAS has. Nothing is offered
    /// where one of them is not to be had.
    pub(crate) fn lease(
        &self,
        wanted: &Wanted,
        asking: &Asking,
        now: Ts,
    ) -> Result<Leased, RejectReason> {
        let table = self.table();
        let mut leased = Leased::default();
        let mut any = false;
        for part in Part::ALL {
            let usable = || usable(&table, wanted, part);
            if usable().next().is_none() {
                continue;
            }
            any = true;
            if !wanted.parts[part as usize] {
                continue;
            }
            let (at, rest_s) = (seconds(now), self.rest_s());
            let own = usable().find_map(|(entry, space)| {
                Some((entry, space.offer_own(asking, at, entry.times(rest_s))?))
            });
            let offered = own.or_else(|| {
                usable().find_map(|(entry, space)| {
                    Some((entry, space.offer_new(asking, at, entry.times(rest_s))?))
                })
            });
            let Some((entry, unit)) = offered else {
                for (entry, _) in usable() {
                    entry.exhausted.fetch_add(1, Ordering::Relaxed);
                }
                self.withdraw(&leased, asking.service, now);
                return Err(RejectReason::PoolExhausted);
            };
            match part {
                Part::Ipv4 => {
                    leased.ipv4 = match entry.pool.at(part, unit) {
                        Some(IpAddr::V4(v4)) => Some(v4),
                        _ => None,
                    }
                }
                Part::Ipv6 => leased.ipv6 = entry.prefix(part, unit),
                Part::Delegated => leased.delegated = entry.prefix(part, unit),
            }
        }
        if any { Ok(leased) } else { Err(RejectReason::NoPool) }
    }

    /// What a login would be offered because its service has it or had it; nothing is offered.
    pub(crate) fn look(&self, wanted: &Wanted, asking: &Asking) -> (bool, Vec<Holder>) {
        let table = self.table();
        let mut any = false;
        let mut held = Vec::new();
        for part in Part::ALL.into_iter().filter(|part| wanted.parts[*part as usize]) {
            any |= usable(&table, wanted, part).next().is_some();
            let own = usable(&table, wanted, part)
                .find_map(|(entry, space)| entry.holder(part, space.own_of(asking)?));
            held.extend(own);
        }
        (any, held)
    }

    /// What was offered to a login is not told to it after all.
    pub(crate) fn withdraw(&self, leased: &Leased, service: ServiceId, now: Ts) {
        let table = self.table();
        let told = told_of(leased);
        for part in Part::ALL {
            let Some(address) = told.part(part) else { continue };
            if let Some((entry, unit)) = table.find(part, address) {
                entry.spaces[part as usize].withdraw(unit, service, seconds(now));
            }
        }
    }

    /// A session was heard of. `wanted`: what it is leased, where it is, for the parts that it
    /// does not name.
    pub(crate) fn report(&self, told: &Told, wanted: Option<&Wanted>, asking: &Asking, at: Ts) {
        let table = self.table();
        if !table.all.is_empty() {
            table.report(told, wanted, asking, at);
        }
    }

    /// A session ended.
    pub(crate) fn end(&self, ipv4: Option<IpAddr>, service: ServiceId, session: u32, at: Ts) {
        let table = self.table();
        let at = seconds(at);
        if let Some((entry, unit)) = ipv4.and_then(|ip| table.find(Part::Ipv4, ip)) {
            entry.spaces[Part::Ipv4 as usize].end(unit, service, session, at);
        }
        for entry in &table.all {
            for part in Part::ALL {
                let known = part == Part::Ipv4 && ipv4.is_some();
                if let Some(space) = entry.space(part).filter(|_| !known) {
                    space.end_of(service, session, at);
                }
            }
        }
    }

    /// Makes free what is over.
    pub(crate) fn expire(&self, now: Ts) {
        let (now, rest_s) = (seconds(now), self.rest_s());
        let mut expired = 0;
        for entry in &self.table().all {
            let spaces = Part::ALL.into_iter().filter_map(|part| entry.space(part));
            expired += spaces.map(|space| space.expire(now, entry.times(rest_s))).sum::<u32>();
        }
        if expired > 0 {
            counter!("aaad_pool_leases_expired_total").increment(expired.into());
        }
    }

    /// Who has an address, and what is known of it, in each part that has it.
    pub(crate) fn who(&self, address: IpAddr) -> Vec<Holder> {
        let table = self.table();
        let holder = |part| {
            let (entry, unit) = table.find(part, address)?;
            entry.holder(part, unit)
        };
        Part::ALL.into_iter().filter_map(holder).collect()
    }

    /// What services have, or had last.
    pub(crate) fn of_service(&self, service: ServiceId) -> Vec<Holder> {
        let mut found = Vec::new();
        for entry in &self.table().all {
            for part in Part::ALL {
                let Some(space) = entry.space(part) else { continue };
                let mut units = Vec::new();
                space.for_each(|unit, slot| {
                    if slot.service == service {
                        units.push(unit);
                    }
                });
                found.extend(units.into_iter().filter_map(|unit| entry.holder(part, unit)));
            }
        }
        found
    }

    // What the follower says.

    /// Puts the pools of the cache in force, and takes out what services have as their own.
    /// Whoever has one of those is returned. `live` tells every session that is online: what
    /// they have is leased to nobody by a pool that is new.
    pub(crate) fn configure(&self, cache: &Cache, now: Ts, live: &mut Live<'_>) -> Vec<Intruder> {
        let longest = cache.longest_interim_s();
        if let Some(interim_s) = longest {
            // Interims vary by a tenth.
            self.rest_s.store(interim_s + interim_s / 10 + 60, Ordering::Relaxed);
        }
        let mut wanted = cache.pools().as_ref().clone();
        wanted.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let old = self.table.load_full();
        let same = old.all.len() == wanted.len()
            && old.all.iter().zip(&wanted).all(|(entry, pool)| entry.pool == *pool);
        if !same {
            let known = |pool: &Pool| old.all.iter().find(|entry| entry.pool.id == pool.id);
            let (mut moved, mut any_new) = (Vec::new(), false);
            let entries = wanted.into_iter().map(|pool| {
                let known = known(&pool);
                let kept = known.filter(|entry| has_same_units(&entry.pool, &pool));
                let spaces = kept.map_or_else(
                    || Arc::new(Part::ALL.map(|part| Space::new(pool.units(part)))),
                    |entry| entry.spaces.clone(),
                );
                let exhausted = known.map(|entry| entry.exhausted.clone()).unwrap_or_default();
                let entry = Arc::new(Entry { pool, spaces, exhausted });
                if kept.is_none() {
                    any_new = true;
                    moved.extend(known.map(|known| (known.clone(), entry.clone())));
                }
                entry
            });
            let table = Arc::new(Table::of(entries.collect()));
            for (from, to) in &moved {
                carry_over(from, to);
            }
            if any_new {
                live(&mut |told, asking, at| table.report(told, None, asking, at));
            }
            self.table.store(table);
            // And what was leased from the old ones meanwhile.
            for (from, to) in &moved {
                carry_over(from, to);
            }
        }
        self.scan(cache, now)
    }

    /// Looks through all subscribers for what they have as their own.
    fn scan(&self, cache: &Cache, now: Ts) -> Vec<Intruder> {
        let mut services = Vec::new();
        if !self.table().all.is_empty() {
            cache.subscribers().for_each(|service| services.push(service));
        }
        let known: FxHashSet<ServiceId> = services.iter().copied().collect();
        let gone: Vec<ServiceId> = {
            let fixed = self.fixed.lock().unwrap_or_else(PoisonError::into_inner);
            fixed.keys().filter(|service| !known.contains(service)).copied().collect()
        };
        services.extend(gone);
        services.iter().flat_map(|service| self.subscriber_changed(*service, cache, now)).collect()
    }

    /// Takes out what a service has as its own now, and lets rest what it has no more.
    pub(crate) fn subscriber_changed(
        &self,
        service: ServiceId,
        cache: &Cache,
        now: Ts,
    ) -> Vec<Intruder> {
        let table = self.table();
        let entry = cache.subscribers().find(service);
        let own = entry.map(|entry| fixed_of(&entry.subscriber())).unwrap_or_default();
        let at = seconds(now);
        let mut fixed = self.fixed.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_empty() && !fixed.contains_key(&service) {
            return Vec::new();
        }
        for (part, network) in fixed.get(&service).map(Vec::as_slice).unwrap_or_default() {
            if !own.contains(&(*part, *network)) {
                for_units(&table, *part, network, |entry, unit| {
                    entry.spaces[*part as usize].unfix(unit, at);
                });
            }
        }
        let mut intruders = Vec::new();
        let mut inside = Vec::new();
        for (part, network) in own {
            let mut any = false;
            for_units(&table, part, &network, |entry, unit| {
                any = true;
                let had = entry.spaces[part as usize].fix(unit, service, at);
                if let (Some(slot), Some(address)) = (had, entry.pool.at(part, unit)) {
                    warn!(%address, had_by = %slot.service, %service, "an address that is leased is a service's own now; its session is ended");
                    intruders.push(Intruder { service: slot.service, address });
                }
            });
            if any {
                inside.push((part, network));
            }
        }
        if inside.is_empty() {
            fixed.remove(&service);
        } else {
            fixed.insert(service, inside);
        }
        intruders
    }
}

fn usable<'t>(
    table: &'t Table,
    wanted: &Wanted,
    part: Part,
) -> impl Iterator<Item = (&'t Arc<Entry>, &'t Space)> + use<'t> {
    let only = wanted.lease.pool();
    table
        .of_group(wanted.group)
        .iter()
        .filter(move |entry| only.is_none_or(|only| only == entry.pool.id))
        .filter_map(move |entry| Some((entry, entry.space(part)?)))
}

fn told_of(leased: &Leased) -> Told {
    let first = |prefix: Option<Ipv6Network>| prefix.map(|prefix| IpAddr::V6(prefix.network()));
    Told {
        ipv4: leased.ipv4.map(IpAddr::V4),
        ipv6: first(leased.ipv6),
        delegated: first(leased.delegated),
    }
}

fn has_same_units(a: &Pool, b: &Pool) -> bool {
    (&a.ipv4, a.ipv6, a.delegated) == (&b.ipv4, b.ipv6, b.delegated)
}

/// What is known of the old pool's units, as far as the new one has them.
fn carry_over(from: &Entry, to: &Entry) {
    for part in Part::ALL {
        let (Some(old), Some(new)) = (from.space(part), to.space(part)) else { continue };
        let mut known: Vec<(u32, Slot)> = Vec::new();
        old.for_each(|unit, slot| {
            if slot.service != ServiceId::NONE && slot.state != State::Fixed {
                known.push((unit, *slot));
            }
        });
        // Lists are in the order of time.
        known.sort_by_key(|(_, slot)| slot.at);
        for (unit, slot) in known {
            let address = from.pool.at(part, unit);
            let Some(unit) = address.and_then(|ip| to.pool.number_of(part, ip)) else { continue };
            let newer = |known: Slot| known.service != ServiceId::NONE && known.at >= slot.at;
            if !new.get(unit).is_some_and(newer) {
                new.put(unit, &slot);
            }
        }
    }
}

fn for_units(
    table: &Table,
    part: Part,
    network: &IpNetwork,
    mut each: impl FnMut(&Arc<Entry>, u32),
) {
    for entry in &table.all {
        let mut fix = |network: &IpNetwork| {
            if let Some((first, last)) = entry.units_in(part, network) {
                (first..=last).for_each(|unit| each(entry, unit));
            }
        };
        fix(network);
    }
}

/// What a subscriber has as its own.
fn fixed_of(subscriber: &Subscriber) -> Vec<(Part, IpNetwork)> {
    let own = subscriber.own();
    let host = |ip: Ipv6Addr| IpNetwork::from(IpAddr::V6(ip));
    let ipv4 = subscriber.ipv4.map(|ip| (Part::Ipv4, IpNetwork::from(IpAddr::V4(ip))));
    // A prefix of one kind is out of the question for the other kind too.
    let prefixes = [own.ipv6_address.map(host), own.ipv6_prefix.map(IpNetwork::V6)];
    let prefixes = prefixes.into_iter().chain([own.delegated_prefix.map(IpNetwork::V6)]).flatten();
    let both = prefixes.flat_map(|net| [(Part::Ipv6, net), (Part::Delegated, net)]);
    ipv4.into_iter().chain(both).collect()
}

impl Table {
    fn of(all: Vec<Arc<Entry>>) -> Self {
        let open: Vec<Arc<Entry>> =
            all.iter().filter(|entry| entry.pool.group.is_none()).cloned().collect();
        let groups: FxHashSet<NasGroupId> =
            all.iter().filter_map(|entry| entry.pool.group).collect();
        let of_group = |group: NasGroupId| {
            let own = all.iter().filter(move |entry| entry.pool.group == Some(group));
            (group, own.chain(&open).cloned().collect::<Entries>())
        };
        let by_group = groups.into_iter().map(of_group).collect();
        let ranges = all.iter().flat_map(|entry| {
            let range = |range: &model::pool::Range| {
                (u32::from(range.first), u32::from(range.last), entry.clone())
            };
            entry.pool.ipv4.iter().map(range).collect::<Vec<_>>()
        });
        let mut ranges: Vec<_> = ranges.collect();
        ranges.sort_by_key(|(first, _, _)| *first);
        Self { all, open, by_group, ranges }
    }
}
