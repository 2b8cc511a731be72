use std::net::UdpSocket;

use daemon::secrets::Keyring;
use model::identity::{Credential, Identity, IdentityKind};
use model::nas::{Client, Ipv6Counters, Nas, Signing, Vendor};
use model::policy::{
    Body, Change, FORMAT, Gives, Group, Ipv4Method, Key, MacBinding, MacMode, Overrides, Profile,
    Rules, Subscriber,
};
use model::pool::Pool;
use model::{
    ClientId, CustomerId, IdentityId, NasId, OrganisationId, PlanId, PlanVersionId, PoolId,
    RadiusGroupId, ServiceId, SystemClock,
};
use radius_wire::attr::microsoft;
use radius_wire::auth::{chap_response, mschap2_response, mschap2_value, nt_hash};
use radius_wire::{ClientKey, vendor};

use super::*;
use crate::auth_log::tails;
use crate::cache::Cache;
use crate::class::ClassKey;
use crate::counting;
use crate::guard::{Guard, Limits};

const SECRET: &[u8] = b"s3cret";

/// The hours of every day but the third from today, so that they do not end while a test runs.
fn hours() -> String {
    let day = SystemClock.now().seconds() / 86_400;
    // 1970-01-01 was a Thursday.
    let name = |n: i64| ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][((day + 3 + n) % 7) as usize];
    [0, 1, 2, 4, 5, 6].map(name).join(",")
}

/// A cache with one client, one NAS, one profile, one plain subscriber, asha, and one with rules
/// of every kind, binod; both have the password "password".
/// `room`: the profile limits sessions and leases addresses from a pool.
fn cache(room: bool) -> Cache {
    let keyring = Keyring::ephemeral();
    let (client, nas) = (ClientId::generate(), NasId::generate());
    let (service, identity) = (ServiceId::generate(), IdentityId::generate());
    let (other, second) = (ServiceId::generate(), IdentityId::generate());
    let (group, wired) = (RadiusGroupId::generate(), RadiusGroupId::generate());
    let profile = PlanVersionId::generate();
    let seal = |to: &str, plain: &[u8]| keyring.seal(to, plain).unwrap();
    let login = Identity {
        id: identity,
        kind: IdentityKind::Login,
        value: "asha".to_owned(),
        credential: Some(Credential::Clear(seal(&identity.text(), b"password"))),
    };
    let none = (OrganisationId::NONE, CustomerId::NONE);
    let binod = Identity {
        id: second,
        value: "binod".to_owned(),
        credential: Some(Credential::Clear(seal(&second.text(), b"password"))),
        ..login.clone()
    };
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let own = Rules {
        check: lines(&["NAS-Port >= 0", "Calling-Station-Id =~ \"^02:\""]),
        reply: lines(&["Mikrotik-Rate-Limit := \"1M/2M\"", "Reply-Message += \"hello\""]),
        groups: vec![group, wired],
        ports: lines(&["ether1", "4*", "0", "1*", "2*", "3*", "5", "6", "7", "8", "9"]),
        login_time: Some(hours()),
        zone: Some("UTC".to_owned()),
        mac: Some(MacBinding {
            mode: MacMode::Learn,
            limit: 2,
            generation: 0,
            addresses: vec!["02:00:00:00:00:07".parse().unwrap()],
        }),
        ..Rules::NONE
    };
    let grouped = |id, check: &[&str], reply: &[&str]| {
        let (name, priority) = ("gold".to_owned(), 10);
        let (check, reply) = (lines(check), lines(reply));
        Body::Group(Group { id, organisation: none.0, name, priority, check, reply })
    };
    let bodies = [
        (
            Key::Client(client),
            Body::Client(Client {
                signing: Signing::Learn,
                id: client,
                organisation: none.0,
                source: "127.0.0.1/32".parse().unwrap(),
                secret: seal(&client.text(), SECRET),
                previous_secret: None,
                nas: Some(nas),
                vendor: Vendor::Mikrotik,
            }),
        ),
        (
            Key::Nas(nas),
            Body::Nas(Nas {
                signing: Signing::Learn,
                id: nas,
                organisation: none.0,
                name: "n1".to_owned(),
                vendor: Vendor::Mikrotik,
                coa_address: None,
                coa_port: model::nas::COA_PORT,
                coa_secret: None,
                accepts_coa: true,
                ipv6_counters: Ipv6Counters::Included,
                group: None,
            }),
        ),
        (
            Key::Profile(profile),
            Body::Profile(Box::new(Profile {
                id: profile,
                plan: PlanId::NONE,
                organisation: none.0,
                name: "home".to_owned(),
                gives: Gives {
                    download_bps: Some(50_000_000),
                    upload_bps: Some(20_000_000),
                    pool: Some("pool1".to_owned()),
                    session_limit: room.then_some(1),
                    ipv4_method: room.then_some(Ipv4Method::Leased),
                    ..Gives::default()
                },
            })),
        ),
        (Key::Group(group), grouped(group, &[], &["Idle-Timeout = 300"])),
        (Key::Group(wired), grouped(wired, &["NAS-Port-Type =* "], &["Idle-Timeout := 60"])),
        (
            Key::Subscriber(other),
            Body::Subscriber(Subscriber {
                identities: vec![binod],
                overrides: Overrides { rules: own, ..Overrides::NONE }.boxed(),
                ..Subscriber::plain(other, none.0, none.1, profile, None)
            }),
        ),
        (
            Key::Pool(PoolId::NONE),
            Body::Pool(Pool {
                id: PoolId::NONE,
                organisation: none.0,
                name: "home".to_owned(),
                group: None,
                ipv4: vec!["100.64.0.0/24".parse().unwrap()],
                ipv6: None,
                delegated: None,
                lease_s: 3600,
            }),
        ),
        (
            Key::Subscriber(service),
            Body::Subscriber(Subscriber {
                identities: vec![login],
                ..Subscriber::plain(service, none.0, none.1, profile, None)
            }),
        ),
    ];
    let cache = Cache::new(Arc::new(keyring));
    for (revision, (key, body)) in (1..).zip(bodies) {
        let body = Some(body);
        cache.apply(&Change { format: FORMAT, epoch: 1, revision, after: 0, key, body });
    }
    cache
}

/// An Access-Request of `name`, each with another authenticator.
fn request(name: &str, method: usize, number: u32, key: &ClientKey) -> Vec<u8> {
    let [authenticator, challenge, peer]: [[u8; 16]; 3] =
        std::array::from_fn(|_| daemon::secrets::random());
    let identifier = number as u8;
    let mut packet = Vec::new();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, identifier, &authenticator, &mut packet);
    writer.message_authenticator().unwrap();
    writer.text(attr::USER_NAME, name).unwrap();
    writer.text(attr::CALLING_STATION_ID, "02:00:00:00:00:07").unwrap();
    match method {
        0 => writer.user_password(b"password", key).unwrap(),
        1 => {
            let response = chap_response(identifier, &challenge, b"password");
            writer.attribute(attr::CHAP_CHALLENGE, &challenge).unwrap();
            writer.attribute(attr::CHAP_PASSWORD, &response).unwrap();
        }
        _ => {
            let hash = nt_hash("password");
            let response = mschap2_response(name.as_bytes(), &challenge, &peer, &hash);
            let response = mschap2_value(identifier, &peer, &response);
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP_CHALLENGE, &challenge).unwrap();
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP2_RESPONSE, &response).unwrap();
        }
    }
    writer.attribute_u32(attr::NAS_PORT, number).unwrap();
    writer.finish_access_request(key);
    packet
}

#[test]
fn an_accepted_login_allocates_nothing_from_socket_to_socket() {
    accept_without_allocating(false);
}

#[test]
fn nor_does_one_that_is_counted_and_leased_an_address() {
    accept_without_allocating(true);
}

fn accept_without_allocating(leased: bool) {
    let (_stop, stop) = UnixStream::pair().unwrap();
    let (events, _) = mpsc::channel(16);
    let (seen, _) = mpsc::channel(1);
    let (notices, _) = mpsc::channel(1);
    let (begun, _) = mpsc::channel(1);
    let (refusals, _) = mpsc::channel(1);
    let limits = Limits { failures: 20, window_s: 120, block_s: 300 };
    let class_key = ClassKey::new(&[7; 32]);
    let engine = Arc::new(Engine::new(Arc::new(cache(leased)), class_key, true));
    engine.pools.configure(&engine.cache, SystemClock.now(), &mut |_| {});
    let mut shard = AuthShard {
        engine: engine.clone(),
        clock: Arc::new(SystemClock),
        sockets: Vec::new(),
        stop,
        // So few that all have been used before the counting begins.
        duplicates: Duplicates::new(32, 10),
        counters: Counters::of("auth"),
        door: Door::default(),
        delayed: Delayed::new(std::time::Duration::from_millis(200), 64),
        status: StatusBudget::default(),
        tail: tails(1).remove(0),
        shared: Shared {
            blocks: Arc::new(Blocks::new(Guard::new(limits), true)),
            sources: Arc::default(),
            notices,
            begun,
            refusals,
            seen,
            coa: mpsc::channel(16).0,
            events,
            failures: 20,
        },
    };
    let server = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nas = UdpSocket::bind("127.0.0.1:0").unwrap();
    nas.connect(server.local_addr().unwrap()).unwrap();
    nas.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let mut sockets = [Batch::new(server)];
    let mut bench = Bench::default();
    let key = ClientKey::new(SECRET);
    let clock = SystemClock;
    let mut allocated = 0;
    for round in 0..30 {
        let requests: Vec<Vec<u8>> = (0..48)
            .map(|n| (["Asha", "binod"][n / 3 % 2], n))
            .map(|(name, n)| request(name, n % 3, n as u32, &key))
            .collect();
        for request in &requests {
            nas.send(request).unwrap();
        }
        let mut answered = 0;
        let mut reply = [0; 4096];
        let before = counting::calls();
        // What was sent over the loopback is there, perhaps not all in one batch.
        while answered < requests.len() {
            shard.serve(clock.now(), 0, &mut sockets, &mut bench).unwrap();
            nas.set_nonblocking(true).unwrap();
            while nas.recv(&mut reply).is_ok() {
                assert_eq!(reply[0], Code::ACCESS_ACCEPT.0, "request {answered} of {round}");
                answered += 1;
            }
            nas.set_nonblocking(false).unwrap();
        }
        // Buffers and threads' own state grow to their size in the first rounds.
        if round >= 10 {
            allocated += counting::calls() - before;
        }
    }
    assert_eq!(allocated, 0, "allocations in 20 rounds of 48 logins");
    // What a session was given is what it should have: nothing moves it when it is compared.
    for name in ["asha", "binod"] {
        nas.send(&request(name, 0, 200, &key)).unwrap();
        shard.serve(clock.now(), 0, &mut sockets, &mut bench).unwrap();
        let mut reply = [0; 4096];
        let len = nas.recv(&mut reply).unwrap();
        let packet = Packet::parse(&reply[..len]).unwrap();
        let class = packet.attributes().first(attr::CLASS).unwrap();
        let given = engine.class_key.read(class).unwrap().policy_hash;
        let found = engine.cache.subscribers().identify(IdentityKind::Login, name.as_bytes());
        let (entry, mut room) = (found.unwrap(), Vec::new());
        let wanted = engine.wanted(clock.now(), &entry, Vendor::Mikrotik, &mut room).unwrap().1;
        assert_eq!(given, wanted, "{name}");
        assert_eq!(packet.attributes().first(attr::FRAMED_IP_ADDRESS).is_some(), leased);
    }
    let usage = engine.pools.all()[0].usage(model::pool::Part::Ipv4).unwrap();
    // One for each of the two, however often they ask.
    assert_eq!(usage.offered, if leased { 2 } else { 0 });
}
