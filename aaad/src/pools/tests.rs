//! The allocator against a plain model, and what a restart and a change of a pool leave of it.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use daemon::secrets::Keyring;
use model::policy::{Body, Change, FORMAT, Key};
use model::pool::Prefixes;
use model::{CustomerId, OrganisationId, PlanVersionId, PoolId};

use super::*;
use crate::counting;

const NOW: i64 = 1_772_357_400;

fn at(s: i64) -> Ts {
    Ts::from_seconds(NOW + s)
}

fn pool(name: &str, ipv4: &[&str]) -> Pool {
    Pool {
        id: PoolId::generate(),
        organisation: OrganisationId::NONE,
        name: name.to_owned(),
        group: None,
        ipv4: ipv4.iter().map(|text| text.parse().unwrap()).collect(),
        ipv6: None,
        delegated: None,
        lease_s: 3600,
    }
}

fn put(cache: &Cache, pool: &Pool, revision: u64) {
    let (key, body) = (Key::Pool(pool.id), Some(Body::Pool(pool.clone())));
    cache.apply(&Change { format: FORMAT, epoch: 1, revision, after: 0, key, body });
}

fn fix(cache: &Cache, service: ServiceId, revision: u64, ipv4: Option<&str>) {
    let none = (OrganisationId::NONE, CustomerId::NONE, PlanVersionId::NONE);
    let subscriber = Subscriber {
        ipv4: ipv4.map(|text| text.parse().unwrap()),
        ..Subscriber::plain(service, none.0, none.1, none.2, None)
    };
    let (key, body) = (Key::Subscriber(service), Some(Body::Subscriber(subscriber)));
    cache.apply(&Change { format: FORMAT, epoch: 1, revision, after: 0, key, body });
}

/// Pools in force, with nobody's addresses fixed.
fn in_force(wanted: &[Pool]) -> (Pools, Cache) {
    let (pools, cache) = (Pools::default(), Cache::new(Arc::new(Keyring::ephemeral())));
    for (n, pool) in wanted.iter().enumerate() {
        put(&cache, pool, n as u64 + 1);
    }
    assert_eq!(pools.configure(&cache, at(0), &mut |_| {}), []);
    (pools, cache)
}

const ANY: Wanted = Wanted { lease: Lease::Any, group: None, parts: [true; 3] };

fn asking(service: ServiceId, n: u32) -> Asking {
    Asking { service, station: n, session: n, sole: false }
}

fn lease(pools: &Pools, service: ServiceId, n: u32, now: Ts) -> Result<Ipv4Addr, RejectReason> {
    pools.lease(&ANY, &asking(service, n), now).map(|leased| leased.ipv4.unwrap())
}

fn start(pools: &Pools, service: ServiceId, n: u32, ip: Ipv4Addr, now: Ts) {
    let told = Told { ipv4: Some(ip.into()), ..Told::default() };
    pools.report(&told, None, &asking(service, n), now);
}

fn state(pools: &Pools, ip: Ipv4Addr) -> String {
    pools.who(ip.into())[0].state.clone()
}

#[test]
fn an_offer_holds_for_a_minute_and_a_lease_until_its_end_or_silence() {
    let (pools, _) = in_force(&[pool("home", &["100.64.0.0/30"])]);
    let (a, b, c) = (ServiceId::generate(), ServiceId::generate(), ServiceId::generate());
    let first = lease(&pools, a, 1, at(0)).unwrap();
    assert_eq!(lease(&pools, a, 1, at(1)).unwrap(), first, "asked again, it is the same");
    let second = lease(&pools, b, 2, at(0)).unwrap();
    assert_ne!(first, second);
    assert_eq!(lease(&pools, c, 3, at(60)), Err(RejectReason::PoolExhausted), "a asked at 1 s");
    start(&pools, a, 1, first, at(60));
    assert_eq!(lease(&pools, c, 3, at(61)), Ok(second), "b never began");
    start(&pools, c, 3, second, at(62));
    assert_eq!(lease(&pools, b, 2, at(63)), Err(RejectReason::PoolExhausted));
    pools.end(Some(first.into()), a, 1, at(64));
    assert_eq!(lease(&pools, a, 9, at(65)), Ok(first), "the one it had, from elsewhere too");
    pools.withdraw(&Leased { ipv4: Some(first), ..Leased::default() }, a, at(65));
    assert_eq!(lease(&pools, b, 2, at(66)), Ok(first), "nobody else is free");
    // A lease without a word is over after its time.
    assert_eq!(lease(&pools, a, 1, at(62 + 3599)), Ok(first), "b has not begun with it");
    assert_eq!(lease(&pools, b, 2, at(62 + 3600)), Ok(second), "c is silent");
}

#[test]
fn a_second_session_of_a_service_has_an_address_of_its_own() {
    let (pools, _) = in_force(&[pool("home", &["100.64.0.0/28"])]);
    let a = ServiceId::generate();
    let first = lease(&pools, a, 1, at(0)).unwrap();
    start(&pools, a, 1, first, at(1));
    let second = lease(&pools, a, 2, at(2)).unwrap();
    assert_ne!(first, second);
    // One that may have a single session comes back from the same place to the same address.
    let sole = Asking { sole: true, session: 7, ..asking(a, 1) };
    assert_eq!(pools.lease(&ANY, &sole, at(3)).unwrap().ipv4, Some(first));
}

#[test]
fn every_part_is_leased_or_none() {
    let net = |text: &str| text.parse::<Ipv6Network>().unwrap();
    let both = Pool {
        ipv6: Some(Prefixes { from: net("2001:db8::/62"), length: 64 }),
        delegated: Some(Prefixes { from: net("2001:db8:100::/55"), length: 56 }),
        ..pool("dual", &["100.64.0.0/24"])
    };
    let (pools, _) = in_force(&[both]);
    let services: Vec<ServiceId> = (0..3).map(|_| ServiceId::generate()).collect();
    let of = |n: usize| pools.lease(&ANY, &asking(services[n], n as u32 + 1), at(0));
    let (first, second) = (of(0).unwrap(), of(1).unwrap());
    assert_eq!(first.ipv6.unwrap().prefix(), 64);
    assert_eq!(first.delegated.unwrap().prefix(), 56);
    assert_ne!((first.ipv6, first.delegated), (second.ipv6, second.delegated));
    assert_eq!(of(2), Err(RejectReason::PoolExhausted), "two prefixes to delegate");
    let used = pools.all()[0].usage(Part::Ipv4).unwrap();
    assert_eq!((used.offered, used.free), (2, 252), "its address was given back");
    // A Start that names none of them begins with those that were offered.
    let wanted = Wanted { parts: [true; 3], ..ANY };
    pools.report(&Told::default(), Some(&wanted), &asking(services[0], 1), at(1));
    for part in Part::ALL {
        assert_eq!(pools.all()[0].usage(part).unwrap().used, 1, "{part:?}");
    }
    pools.end(None, services[0], 1, at(2));
    assert!(Part::ALL.iter().all(|part| pools.all()[0].usage(*part).unwrap().used == 0));
    let nothing = Wanted { lease: Lease::From(PoolId::generate()), ..ANY };
    let refused = pools.lease(&nothing, &asking(services[0], 1), at(3));
    assert_eq!(refused, Err(RejectReason::NoPool));
}

#[test]
fn a_nas_uses_the_pools_of_its_group_and_then_those_of_all() {
    let (north, south) = (NasGroupId::generate(), NasGroupId::generate());
    let of_north = Pool { group: Some(north), ..pool("north", &["10.1.0.1"]) };
    let open = pool("open", &["10.9.0.1"]);
    let (pools, _) = in_force(&[open.clone(), of_north.clone()]);
    let from = |group, lease| {
        let wanted = Wanted { group, lease, ..ANY };
        pools.lease(&wanted, &asking(ServiceId::generate(), 1), at(0)).map(|l| l.ipv4.unwrap())
    };
    assert_eq!(from(Some(north), Lease::Any), Ok([10, 1, 0, 1].into()));
    assert_eq!(from(Some(south), Lease::From(of_north.id)), Err(RejectReason::NoPool));
    assert_eq!(from(Some(north), Lease::Any), Ok([10, 9, 0, 1].into()));
    assert_eq!(from(None, Lease::Any), Err(RejectReason::PoolExhausted));
    assert_eq!(from(Some(north), Lease::From(open.id)), Err(RejectReason::PoolExhausted));
}

#[test]
fn an_address_of_a_service_is_leased_to_nobody_else() {
    let (pools, cache) = in_force(&[pool("home", &["100.64.0.0/29"])]);
    let (owner, guest) = (ServiceId::generate(), ServiceId::generate());
    let had = lease(&pools, guest, 1, at(0)).unwrap();
    start(&pools, guest, 1, had, at(1));
    fix(&cache, owner, 10, Some(&had.to_string()));
    let intruders = pools.subscriber_changed(owner, &cache, at(2));
    assert_eq!(intruders, [Intruder { service: guest, address: had.into() }]);
    assert_eq!(pools.subscriber_changed(owner, &cache, at(2)), [], "told once");
    // The guest's session goes on for a moment, and ends: still nobody's but the owner's.
    start(&pools, guest, 1, had, at(3));
    pools.end(Some(had.into()), guest, 1, at(4));
    let all: HashSet<Ipv4Addr> =
        (0..5).map(|n| lease(&pools, ServiceId::generate(), n, at(5)).unwrap()).collect();
    assert!(all.len() == 5 && !all.contains(&had));
    assert_eq!(lease(&pools, guest, 1, at(5)), Err(RejectReason::PoolExhausted));
    // Given up, it rests for an interim: its session may live.
    fix(&cache, owner, 11, None);
    assert_eq!(pools.subscriber_changed(owner, &cache, at(6)), []);
    assert_eq!(state(&pools, had), "resting");
    assert_eq!(lease(&pools, guest, 1, at(7)), Err(RejectReason::PoolExhausted));
    assert_eq!(lease(&pools, owner, 1, at(7)), Ok(had), "but to whose it was");
    let later = at(7 + i64::from(REST_S));
    let all: HashSet<Ipv4Addr> =
        (0..6).map(|n| lease(&pools, ServiceId::generate(), n, later).unwrap()).collect();
    assert!(all.contains(&had));
    // Another pool in force: what is fixed is fixed there too.
    fix(&cache, owner, 12, Some("10.7.0.2"));
    put(&cache, &pool("new", &["10.7.0.1-10.7.0.2"]), 13);
    pools.configure(&cache, at(1000), &mut |_| {});
    assert_eq!(state(&pools, [10, 7, 0, 2].into()), "fixed");
}

#[test]
fn a_session_that_shows_an_address_has_it_and_two_do_not() {
    let (pools, _) = in_force(&[pool("home", &["100.64.0.0/24"])]);
    let (a, b) = (ServiceId::generate(), ServiceId::generate());
    let shown = Ipv4Addr::new(100, 64, 0, 200);
    start(&pools, a, 1, shown, at(0));
    assert_eq!(pools.who(shown.into())[0].service, Some(a));
    start(&pools, b, 2, shown, at(1));
    assert_eq!(pools.who(shown.into())[0].service, Some(a), "the first keeps it");
    pools.end(Some(shown.into()), b, 2, at(2));
    assert_eq!(state(&pools, shown), "used");
    // An offer gives way to what is there.
    let offered = lease(&pools, b, 2, at(3)).unwrap();
    start(&pools, a, 3, offered, at(4));
    assert_eq!(pools.who(offered.into())[0].service, Some(a));
}

#[test]
fn a_new_pool_leases_nothing_that_a_session_has_already() {
    let (pools, cache) = in_force(&[]);
    let guest = ServiceId::generate();
    let has: Ipv4Addr = [10, 7, 0, 1].into();
    put(&cache, &pool("new", &["10.7.0.1-10.7.0.2"]), 1);
    let mut live = |each: &mut dyn FnMut(&Told, &Asking, Ts)| {
        let told = Told { ipv4: Some(has.into()), ..Told::default() };
        each(&told, &asking(ServiceId::NONE, 1), at(0));
    };
    pools.configure(&cache, at(1), &mut live);
    assert_eq!(state(&pools, has), "used");
    // Whose session it is becomes known later.
    start(&pools, guest, 1, has, at(2));
    assert_eq!(pools.who(has.into())[0].service, Some(guest));
    assert!(lease(&pools, ServiceId::generate(), 2, at(3)).is_ok());
    assert_eq!(lease(&pools, ServiceId::generate(), 3, at(3)), Err(RejectReason::PoolExhausted));
    pools.end(Some(has.into()), guest, 1, at(4));
    assert_eq!(state(&pools, has), "free");
}

/// What survives of pools that are written and read.
fn reread(pools: &Pools, cache: &Cache, stopped: bool, live: &[(ServiceId, u32)]) -> Pools {
    let path = std::env::temp_dir().join(format!("lastmile-leases-{}", uuid::Uuid::now_v7()));
    save(&path, &pools.encode(stopped)).unwrap();
    let again = Pools::default();
    again.configure(cache, at(0), &mut |_| {});
    assert_eq!(restore(&path, &again).unwrap(), stopped);
    again.configure(cache, at(0), &mut |_| {});
    again.settle(stopped, |service, session| live.contains(&(service, session)), at(100));
    let bytes = std::fs::read(&path).unwrap();
    for cut in [bytes.len() - 1, bytes.len() / 2, 17, 3] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(restore(&path, &Pools::default()).is_err(), "cut at {cut}");
    }
    std::fs::remove_file(&path).unwrap();
    again
}

#[test]
fn after_a_stop_everything_is_as_it_was_and_after_a_crash_the_unknown_rests() {
    let (pools, cache) = in_force(&[pool("home", &["100.64.0.0/23"])]);
    let services: Vec<ServiceId> = (0..4).map(|_| ServiceId::generate()).collect();
    let ips: Vec<Ipv4Addr> =
        (0..4).map(|n| lease(&pools, services[n], n as u32 + 1, at(90)).unwrap()).collect();
    for n in 0..3 {
        start(&pools, services[n], n as u32 + 1, ips[n], at(91));
    }
    pools.end(Some(ips[1].into()), services[1], 2, at(92));
    let live = [(services[0], 1)];
    let states = |pools: &Pools| ips.iter().map(|ip| state(pools, *ip)).collect::<Vec<_>>();

    let again = reread(&pools, &cache, true, &live);
    assert_eq!(states(&again), ["used", "free", "resting", "offered"], "2 lost its session");
    assert_eq!(lease(&again, services[1], 2, at(101)), Ok(ips[1]), "it is remembered");
    let new = lease(&again, ServiceId::generate(), 5, at(101)).unwrap();
    assert!(!ips.contains(&new));

    let again = reread(&pools, &cache, false, &live);
    assert_eq!(states(&again), ["used", "resting", "resting", "offered"]);
    assert_eq!(lease(&again, services[1], 2, at(101)), Ok(ips[1]), "whose it was has it at once");
    // What might have been offered to somebody rests; what was never opened is leased.
    let used = again.all()[0].usage(Part::Ipv4).unwrap();
    assert_eq!((used.resting, used.free), (128 - 3, 510 - 128));
    let new = lease(&again, ServiceId::generate(), 5, at(101)).unwrap();
    assert!(u32::from(new) > u32::from(Ipv4Addr::new(100, 64, 0, 128)), "{new}");
}

#[test]
fn a_pool_that_changes_keeps_who_has_what() {
    let home = pool("home", &["100.64.0.0/24", "100.64.9.0/24"]);
    let (pools, cache) = in_force(std::slice::from_ref(&home));
    let services: Vec<ServiceId> = (0..300).map(|_| ServiceId::generate()).collect();
    let had: Vec<Ipv4Addr> = services
        .iter()
        .enumerate()
        .map(|(n, service)| {
            let ip = lease(&pools, *service, n as u32 + 1, at(0)).unwrap();
            start(&pools, *service, n as u32 + 1, ip, at(1));
            ip
        })
        .collect();
    let ranges =
        ["100.64.0.0/25", "10.0.0.0/20", "100.64.9.0/24"].map(|text| text.parse().unwrap());
    put(&cache, &Pool { ipv4: ranges.to_vec(), ..home }, 2);
    pools.configure(&cache, at(2), &mut |_| {});
    let mut kept = 0;
    for (service, ip) in services.iter().zip(&had) {
        let inside = ip.octets()[2] == 9 || ip.octets()[3] < 127;
        let who = pools.who((*ip).into());
        assert_eq!(who.first().and_then(|holder| holder.service), inside.then_some(*service));
        kept += u32::from(inside);
    }
    assert_eq!(pools.all()[0].usage(Part::Ipv4).unwrap().used, kept);
    // A name or a lease time moves nothing.
    let renamed = Pool { name: "renamed".to_owned(), lease_s: 60, ..cache.pools()[0].clone() };
    put(&cache, &renamed, 3);
    pools.configure(&cache, at(2), &mut |_| {});
    assert_eq!(pools.all()[0].usage(Part::Ipv4).unwrap().used, kept);
}

/// xorshift64*, seeded: a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32 % limit
    }
}

/// Whatever happens in whatever order: nobody is leased what another has, every unit is counted
/// once, and nobody is refused while one is free.
#[test]
fn nothing_is_ever_leased_twice_and_nothing_is_lost() {
    let rounds = if std::env::var_os("LASTMILE_TEST_LONG").is_some() { 2_000_000 } else { 60_000 };
    for (seed, ranges) in [(1, "100.64.0.0/28"), (2, "100.64.0.0/26"), (3, "10.0.0.0/19")] {
        let (pools, _) = in_force(&[pool("home", &[ranges])]);
        let total = pools.all()[0].usage(Part::Ipv4).unwrap().total;
        let services: Vec<ServiceId> = (0..total * 3 / 2).map(|_| ServiceId::generate()).collect();
        let mut random = Random(seed);
        // Address → service, session, when last heard of; offers alike.
        let mut used: HashMap<Ipv4Addr, (usize, u32, i64)> = HashMap::new();
        let mut offered: HashMap<Ipv4Addr, (usize, u32, i64)> = HashMap::new();
        let mut now = 0_i64;
        for round in 1..rounds {
            now += i64::from(random.below(20) == 0);
            let n = random.below(services.len() as u32) as usize;
            offered.retain(|_, (_, _, since)| now - *since < i64::from(OFFER_S));
            used.retain(|_, (_, _, heard)| now - *heard < 3600);
            match random.below(10) {
                0..5 => match lease(&pools, services[n], round, at(now)) {
                    Ok(ip) => {
                        assert!(!used.contains_key(&ip), "{ip} is used, round {round}");
                        let taken = offered.insert(ip, (n, round, now));
                        assert!(taken.is_none_or(|(by, _, _)| by == n), "{ip}, round {round}");
                    }
                    Err(reason) => {
                        assert_eq!(reason, RejectReason::PoolExhausted);
                        assert_eq!(used.len() + offered.len(), total as usize, "round {round}");
                    }
                },
                5..8 => {
                    let Some((ip, one)) = offered.iter().next().map(|(k, v)| (*k, *v)) else {
                        continue;
                    };
                    offered.remove(&ip);
                    start(&pools, services[one.0], one.1, ip, at(now));
                    used.insert(ip, (one.0, one.1, now));
                }
                _ => {
                    let Some((ip, one)) = used.iter().next().map(|(k, v)| (*k, *v)) else {
                        continue;
                    };
                    pools.end(Some(ip.into()), services[one.0], one.1, at(now));
                    used.remove(&ip);
                }
            }
            if round % 997 == 0 {
                pools.expire(at(now));
                let usage = pools.all()[0].usage(Part::Ipv4).unwrap();
                let counted = (usage.used as usize, usage.offered as usize);
                assert_eq!(counted, (used.len(), offered.len()), "round {round}");
                let sum = usage.used + usage.offered + usage.resting + usage.fixed + usage.free;
                assert_eq!(sum, total);
                for (ip, (n, _, _)) in &used {
                    assert_eq!(pools.who((*ip).into())[0].service, Some(services[*n]), "{ip}");
                }
            }
        }
    }
}

#[test]
fn threads_that_ask_at_once_are_leased_different_addresses() {
    let (pools, _) = in_force(&[pool("home", &["10.0.0.0/18"])]);
    let leased: Vec<Ipv4Addr> = std::thread::scope(|scope| {
        let ask = |n: u32| {
            let pools = &pools;
            scope.spawn(move || {
                let of = |m: u32| lease(pools, ServiceId::generate(), n * 10_000 + m + 1, at(0));
                (0..4000).map(|m| of(m).unwrap()).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..4).map(ask).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(leased.iter().collect::<HashSet<_>>().len(), 16_000);
}

#[test]
fn a_million_leases_cost_some_fifty_octets_each_and_a_login_allocates_nothing() {
    let (pools, _) = in_force(&[pool("home", &["10.0.0.0/12"])]);
    let services: Vec<ServiceId> = (0..1_000_000).map(|_| ServiceId::generate()).collect();
    let before = counting::held();
    let begun = std::time::Instant::now();
    for (n, service) in services.iter().enumerate() {
        let ip = lease(&pools, *service, n as u32 + 1, at(0)).unwrap();
        start(&pools, *service, n as u32 + 1, ip, at(1));
    }
    let took = begun.elapsed();
    let each = (counting::held() - before) as f64 / 1e6;
    eprintln!("{each:.1} octets a lease; {:.2} µs to lease and start", took.as_secs_f64());
    // Other tests allocate meanwhile, so this bounds it from afar.
    assert!(each < 120.0, "{each}");
    let calls = counting::calls();
    for (n, service) in services.iter().enumerate().take(10_000) {
        let n = n as u32 + 1;
        let ip = pools.who_has(*service, n).unwrap();
        pools.end(Some(ip.into()), *service, n, at(2));
        assert_eq!(lease(&pools, *service, n, at(3)), Ok(ip));
        start(&pools, *service, n, ip, at(4));
    }
    assert_eq!(counting::calls(), calls);
}

impl Pools {
    /// The address a session has, found without allocating.
    fn who_has(&self, service: ServiceId, session: u32) -> Option<Ipv4Addr> {
        let asking = Asking { sole: true, ..asking(service, session) };
        let table = self.table();
        let entry = &table.all[0];
        match entry.pool.at(Part::Ipv4, entry.spaces[0].own_of(&asking)?)? {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }
}
