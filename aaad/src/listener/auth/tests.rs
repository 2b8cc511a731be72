use std::net::UdpSocket;

use daemon::secrets::Keyring;
use model::identity::{Credential, Identity, IdentityKind};
use model::nas::{Client, Ipv6Counters, Nas, Signing, Vendor};
use model::policy::{Body, Change, FORMAT, Gives, Ipv4Method, Key, Profile, Subscriber};
use model::pool::Pool;
use model::{
    ClientId, CustomerId, IdentityId, NasId, OrganisationId, PlanId, PlanVersionId, PoolId,
    ServiceId, SystemClock,
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

/// A cache with one client, one NAS, one profile, and one plain subscriber: asha, "password".
/// `room`: the profile limits sessions and leases addresses from a pool.
fn cache(room: bool) -> Cache {
    let keyring = Keyring::ephemeral();
    let (client, nas) = (ClientId::generate(), NasId::generate());
    let (service, identity) = (ServiceId::generate(), IdentityId::generate());
    let profile = PlanVersionId::generate();
    let seal = |to: &str, plain: &[u8]| keyring.seal(to, plain).unwrap();
    let login = Identity {
        id: identity,
        kind: IdentityKind::Login,
        value: "asha".to_owned(),
        credential: Some(Credential::Clear(seal(&identity.text(), b"password"))),
    };
    let none = (OrganisationId::NONE, CustomerId::NONE);
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

/// An Access-Request of `asha`, each with another authenticator.
fn request(method: usize, number: u32, key: &ClientKey) -> Vec<u8> {
    let [authenticator, challenge, peer]: [[u8; 16]; 3] =
        std::array::from_fn(|_| daemon::secrets::random());
    let identifier = number as u8;
    let mut packet = Vec::new();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, identifier, &authenticator, &mut packet);
    writer.message_authenticator().unwrap();
    writer.text(attr::USER_NAME, "Asha").unwrap();
    match method {
        0 => writer.user_password(b"password", key).unwrap(),
        1 => {
            let response = chap_response(identifier, &challenge, b"password");
            writer.attribute(attr::CHAP_CHALLENGE, &challenge).unwrap();
            writer.attribute(attr::CHAP_PASSWORD, &response).unwrap();
        }
        _ => {
            let hash = nt_hash("password");
            let response = mschap2_response(b"Asha", &challenge, &peer, &hash);
            let response = mschap2_value(identifier, &peer, &response);
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP_CHALLENGE, &challenge).unwrap();
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP2_RESPONSE, &response).unwrap();
        }
    }
    writer.text(attr::CALLING_STATION_ID, "02:00:00:00:00:07").unwrap();
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

fn accept_without_allocating(room: bool) {
    let (_stop, stop) = UnixStream::pair().unwrap();
    let (seen, _) = mpsc::channel(1);
    let (notices, _) = mpsc::channel(1);
    let (begun, _) = mpsc::channel(1);
    let (refusals, _) = mpsc::channel(1);
    let limits = Limits { failures: 20, window_s: 120, block_s: 300 };
    let class_key = ClassKey::new(&[7; 32]);
    let engine = Arc::new(Engine::new(Arc::new(cache(room)), class_key, true));
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
        let requests: Vec<Vec<u8>> = (0..48).map(|n| request(n % 3, n as u32, &key)).collect();
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
    let usage = engine.pools.all()[0].usage(model::pool::Part::Ipv4).unwrap();
    assert_eq!(usage.offered, u32::from(room), "one address, however often it is asked for");
}
