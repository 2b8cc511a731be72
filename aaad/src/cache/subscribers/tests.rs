use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use daemon::secrets::Keyring;
use model::identity::{Credential, Identity};
use model::policy::{Hold, HoldNetwork, HoldReason};
use model::{IdentityId, Ts};

use super::*;
use crate::counting;

fn subscriber(service: ServiceId, logins: &[&str]) -> Subscriber {
    let identities = logins.iter().map(|login| Identity {
        id: IdentityId::generate(),
        kind: IdentityKind::Login,
        value: (*login).to_owned(),
        credential: None,
    });
    Subscriber {
        identities: identities.collect(),
        ..Subscriber::plain(
            service,
            OrganisationId::generate(),
            CustomerId::generate(),
            PlanVersionId::generate(),
            None,
        )
    }
}

fn put(table: &Subscribers, subscriber: &Subscriber, revision: u64) {
    let mut staged = Staged::default();
    staged.put(subscriber, revision);
    table.apply(&mut staged);
}

fn remove(table: &Subscribers, service: ServiceId) {
    let mut staged = Staged::default();
    staged.remove(service);
    table.apply(&mut staged);
}

fn who(table: &Subscribers, login: &str) -> Option<ServiceId> {
    table.identify(IdentityKind::Login, login.as_bytes()).map(|entry| entry.service())
}

/// How many identities the index has, whether they lead anywhere or not.
fn pairs(table: &Subscribers) -> usize {
    table.identities.iter().map(|pairs| pairs.load().len()).sum()
}

#[test]
fn identities_follow_their_service() {
    let (a, b) = (ServiceId::generate(), ServiceId::generate());
    // The second login moves to another service; either order of the two changes works.
    for b_first in [true, false] {
        let table = Subscribers::default();
        put(&table, &subscriber(a, &["asha", "asha2"]), 1);
        assert_eq!(who(&table, "asha2"), Some(a));
        if b_first {
            put(&table, &subscriber(b, &["asha2"]), 2);
            assert_eq!(who(&table, "asha2"), Some(b));
            put(&table, &subscriber(a, &["asha"]), 3);
        } else {
            put(&table, &subscriber(a, &["asha"]), 2);
            assert_eq!(who(&table, "asha2"), None);
            put(&table, &subscriber(b, &["asha2"]), 3);
        }
        assert_eq!(who(&table, "asha2"), Some(b));
        assert_eq!((table.len(), pairs(&table)), (2, 2));
        remove(&table, b);
        assert_eq!(who(&table, "asha2"), None);
        assert_eq!(who(&table, "asha"), Some(a));
        assert_eq!((table.len(), pairs(&table)), (1, 1));
    }
}

#[test]
fn services_of_one_tag_are_told_apart() {
    let a = ServiceId::generate();
    // The tag mixes the two halves of an id alike.
    let b = ServiceId(uuid::Uuid::from_u128(a.0.as_u128().rotate_left(64)));
    assert_eq!(service_tag(a), service_tag(b));
    let table = Subscribers::default();
    put(&table, &subscriber(a, &["asha", "asha2"]), 1);
    put(&table, &subscriber(b, &["ravi"]), 2);
    assert_eq!((who(&table, "asha2"), who(&table, "ravi")), (Some(a), Some(b)));
    // A login moves between the two, at first in one go and then one after the other.
    let mut staged = Staged::default();
    staged.put(&subscriber(a, &["asha"]), 3);
    staged.put(&subscriber(b, &["ravi", "asha2"]), 4);
    table.apply(&mut staged);
    assert_eq!(who(&table, "asha2"), Some(b));
    put(&table, &subscriber(a, &["asha", "ravi"]), 5);
    put(&table, &subscriber(b, &["asha2"]), 6);
    assert_eq!((who(&table, "asha2"), who(&table, "ravi")), (Some(b), Some(a)));
    remove(&table, b);
    assert_eq!((who(&table, "asha2"), who(&table, "asha")), (None, Some(a)));
    remove(&table, a);
    assert_eq!((table.len(), pairs(&table)), (0, 0));
}

#[test]
fn an_identity_is_found_by_its_kind_too() {
    let table = Subscribers::default();
    let (login, mac) = (ServiceId::generate(), ServiceId::generate());
    put(&table, &subscriber(login, &["00e10c38c8f8"]), 1);
    let mut by_mac = subscriber(mac, &["00e10c38c8f8"]);
    by_mac.identities[0].kind = IdentityKind::Mac;
    put(&table, &by_mac, 2);
    assert_eq!(who(&table, "00e10c38c8f8"), Some(login));
    let found = table.identify(IdentityKind::Mac, b"00e10c38c8f8");
    assert_eq!(found.map(|entry| entry.service()), Some(mac));
}

#[test]
fn a_subscriber_is_shown_as_it_came_and_its_credential_opens() {
    let keyring = Keyring::ephemeral();
    let table = Subscribers::default();
    let mut plain = subscriber(ServiceId::generate(), &["asha"]);
    plain.expires_at = Some(Ts(1_772_357_400_000_000));
    let identity = &mut plain.identities[0];
    let sealed = keyring.seal(&identity.id.to_string(), b"secret").unwrap();
    identity.credential = Some(Credential::Clear(sealed));
    let mut held = plain.clone();
    held.service = ServiceId::generate();
    held.identities[0].value = "ravi".to_owned();
    held.holds.push(Hold { reason: HoldReason::Admin, network: HoldNetwork::Reject });
    put(&table, &plain, 1);
    put(&table, &held, 2);

    for (one, login, whole) in [(&plain, "asha", false), (&held, "ravi", true)] {
        let entry = table.identify(IdentityKind::Login, login.as_bytes()).unwrap();
        let shown = entry.subscriber();
        assert_eq!(matches!(shown, Shown::Whole(_)), whole);
        let identities = if whole { one.identities.clone() } else { Vec::new() };
        assert_eq!(*shown, Subscriber { identities, ..one.clone() });
        assert_eq!(entry.organisation(), one.organisation);
        assert_eq!(entry.customer(), one.customer);
        assert_eq!(entry.profile(), one.profile);

        let sealed = entry.credential(IdentityKind::Login, login.as_bytes()).unwrap();
        assert_eq!(sealed.kind, CredentialKind::Clear);
        let mut room = Vec::new();
        let bound = sealed.identity.to_string();
        keyring.open_into(&bound, sealed.key, sealed.octets, &mut room).unwrap();
        assert_eq!(room, b"secret");
        assert!(entry.credential(IdentityKind::Mac, login.as_bytes()).is_none());
    }
}

/// Numbers that are the same in each run (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn whatever_changes_the_table_says_what_a_map_says() {
    let mut numbers = Numbers(7);
    let services: Vec<ServiceId> = (0..400).map(|_| ServiceId::generate()).collect();
    let table = Subscribers::default();
    let mut logins: HashMap<ServiceId, Vec<String>> = HashMap::new();
    let mut revision = 0;
    for round in 0..60 {
        // One change, a few, or more than there are services.
        let mut staged = Staged::default();
        for _ in 0..[1, 20, 1000][round % 3] {
            revision += 1;
            let service = services[numbers.below(services.len())];
            if numbers.below(4) == 0 {
                staged.remove(service);
                logins.remove(&service);
                continue;
            }
            // Each login belongs to one service at a time: its own.
            let mine: Vec<String> = (0..numbers.below(3))
                .map(|_| format!("{}-{}", numbers.below(3), service))
                .collect();
            let texts: Vec<&str> = mine.iter().map(String::as_str).collect();
            staged.put(&subscriber(service, &texts), revision);
            logins.insert(service, mine);
        }
        table.apply(&mut staged);
        assert!(staged.is_empty());
        assert_eq!(table.len(), logins.len());
        for service in &services {
            assert_eq!(table.find(*service).is_some(), logins.contains_key(service));
            for n in 0..3 {
                let login = format!("{n}-{service}");
                let known = logins.get(service).is_some_and(|mine| mine.contains(&login));
                assert_eq!(who(&table, &login), known.then_some(*service), "{login}");
            }
        }
    }
    // Nothing is left behind of what has gone.
    let mut all = 0;
    table.for_each(|_| all += 1);
    assert_eq!(all, logins.len());
    for service in &services {
        remove(&table, *service);
    }
    assert_eq!((table.len(), pairs(&table)), (0, 0));
}

#[test]
fn a_reader_never_misses_what_stays_and_never_sees_half_a_change() {
    let table = Subscribers::default();
    let service = ServiceId::generate();
    let neighbours: Vec<Subscriber> =
        (0..2000).map(|n| subscriber(ServiceId::generate(), &[&format!("n{n}")])).collect();
    let mut one = subscriber(service, &["asha"]);
    put(&table, &one, 1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut newest = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let entry = table.identify(IdentityKind::Login, b"asha").unwrap();
                        assert_eq!(entry.service(), service);
                        assert!(entry.revision() >= newest);
                        newest = entry.revision();
                        // The end says which revision it was written with.
                        let end = entry.subscriber().expires_at.map_or(1, |at| at.0 as u64);
                        assert_eq!(end, newest);
                    }
                    newest
                })
            })
            .collect();
        for revision in 2..2000 {
            one.expires_at = Some(Ts(revision as i64));
            put(&table, &one, revision);
            put(&table, &neighbours[revision as usize], revision);
        }
        // More than one thread's worth, the one among them.
        let mut staged = Staged::default();
        for _ in 0..20 {
            neighbours.iter().for_each(|neighbour| staged.put(neighbour, 5000));
        }
        one.expires_at = Some(Ts(5000));
        staged.put(&one, 5000);
        table.apply(&mut staged);
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() >= 1);
        }
    });
    assert_eq!(table.len(), 2001);
}

#[test]
fn a_plain_subscriber_takes_less_than_two_hundred_octets_and_finding_it_none() {
    let keyring = Keyring::ephemeral();
    let table = Subscribers::default();
    let mut staged = Staged::default();
    const COUNT: usize = 50_000;
    for n in 0..COUNT {
        let mut one = subscriber(ServiceId::generate(), &[&format!("u{n:07}")]);
        let identity = &mut one.identities[0];
        let sealed = keyring.seal(&identity.id.text(), format!("p{n:07}").as_bytes()).unwrap();
        identity.credential = Some(Credential::Clear(sealed));
        staged.put(&one, n as u64);
    }
    // What shards and pointers take themselves is shared by more in a larger table.
    let before = counting::held();
    table.apply(&mut staged);
    let octets = usize::try_from(counting::held() - before).unwrap();
    assert!(octets / COUNT < 200, "{} octets a subscriber", octets / COUNT);

    let found = |n: usize| who(&table, ["u0000000", "u0000001", "nobody"][n % 3]).is_some();
    found(0);
    let before = counting::calls();
    let hits = (0..3000).filter(|n| found(*n)).count();
    assert_eq!((hits, counting::calls() - before), (2000, 0));
}

/// The figures of BENCHMARKS.md:
/// `cargo test --release -p aaad a_million -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, which judges nothing"]
fn a_million() {
    use std::time::Instant;
    const COUNT: usize = 1_000_000;
    let keyring = Keyring::ephemeral();
    let mut staged = Staged::default();
    let mut all = Vec::with_capacity(COUNT);
    for n in 0..COUNT {
        let mut one = subscriber(ServiceId::generate(), &[&format!("u{n:07}")]);
        let identity = &mut one.identities[0];
        let sealed = keyring.seal(&identity.id.text(), format!("p{n:07}").as_bytes()).unwrap();
        identity.credential = Some(Credential::Clear(sealed));
        staged.put(&one, 1);
        all.push(one);
    }
    let table = Subscribers::default();
    let (before, begin) = (counting::held(), Instant::now());
    table.apply(&mut staged);
    let octets = counting::held() - before;
    println!("table: {:?}, {} octets a subscriber", begin.elapsed(), octets as usize / COUNT);

    let mut numbers = Numbers(1);
    let order: Vec<usize> = (0..COUNT).map(|_| numbers.below(COUNT)).collect();
    let logins: Vec<String> = order.iter().map(|n| format!("u{n:07}")).collect();
    let begin = Instant::now();
    let mut room = Vec::new();
    let found = logins.iter().filter(|login| who(&table, login).is_some()).count();
    println!("lookup: {} ns, {found} found", begin.elapsed().as_nanos() as usize / COUNT);
    let begin = Instant::now();
    let mut opened = 0;
    for login in &logins {
        let entry = table.identify(IdentityKind::Login, login.as_bytes()).unwrap();
        let sealed = entry.credential(IdentityKind::Login, login.as_bytes()).unwrap();
        let bound = sealed.identity.text();
        opened +=
            usize::from(keyring.open_into(&bound, sealed.key, sealed.octets, &mut room).is_ok());
    }
    println!("and opening: {} ns, {opened}", begin.elapsed().as_nanos() as usize / COUNT);
    let begin = Instant::now();
    for n in &order[..10_000] {
        put(&table, &all[*n], 2);
    }
    println!("change: {} ns", begin.elapsed().as_nanos() / 10_000);
}
