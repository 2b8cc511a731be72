//! The door, under packets nobody should send: what is dropped gets no answer, whatever else it
//! says, and no answer is longer than it may be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use daemon::secrets::Keyring;
use model::policy::{Body, Change, FORMAT, Key};
use model::reject::RejectReason;
use model::{
    ClientId, CustomerId, IdentityId, ManualClock, NasId, OrganisationId, PlanId, PlanVersionId,
    ServiceId, Ts,
};
use radius_wire::{
    Attributes, ClientKey, Code, Packet, Writer, attr, verify_access_request, verify_response,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::auth::{AuthShard, Bench, Shared, When};
use super::{Door, StatusBudget};
use crate::auth_log::{Line, tails};
use crate::blocks::{Blocked, Blocks};
use crate::cache::Cache;
use crate::class::ClassKey;
use crate::counters::{Counters, DropReason};
use crate::delay::{Delayed, WAITING_MAX};
use crate::duplicate::Duplicates;
use crate::engine::Engine;
use crate::guard::{Guard, Limits};
use crate::signing::Notice;
use crate::socket::Path;

const SECRET: &[u8] = b"testing123";
const NOW: Ts = Ts::from_seconds(1_772_323_200);
/// Changed packets that are judged.
const ROUNDS: usize = 1_000_000;
/// The seed they are changed by, so that a failure can be repeated.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// How many packets are changed, and by which seed. `tests/run --long` changes forty million, by a
/// seed of its own that it prints.
fn search() -> (usize, u64) {
    if std::env::var_os("LASTMILE_TEST_LONG").is_none() {
        return (ROUNDS, SEED);
    }
    let seed = u64::from_be_bytes(daemon::secrets::random()) | 1;
    println!("seed {seed:#018x}");
    (40 * ROUNDS, seed)
}

/// A shard without sockets, and the other ends of what it tells.
struct Gate {
    shard: AuthShard,
    bench: Bench,
    refusals: mpsc::Receiver<Line>,
    begun: mpsc::Receiver<Blocked>,
    _notices: mpsc::Receiver<Notice>,
}

fn change(key: Key, kind: &str, mut body: Value) -> Change {
    body["kind"] = json!(kind);
    let body: Body = serde_json::from_value(body).unwrap();
    Change { format: FORMAT, epoch: 1, revision: 1, after: 0, key, body: Some(body) }
}

/// One NAS at 192.0.2.1 whose unsigned requests are treated as `signing` says, and one service:
/// login asha, password s3cret, and a line.
fn gate(signing: &str, failures: u32) -> Gate {
    let keyring = Arc::new(Keyring::ephemeral());
    let cache = Arc::new(Cache::new(keyring.clone()));
    let (client, nas, service) = (ClientId::generate(), NasId::generate(), ServiceId::generate());
    let (profile, login) = (PlanVersionId::generate(), IdentityId::generate());
    let secret = keyring.seal(&client.to_string(), SECRET).unwrap();
    let password = keyring.seal(&login.to_string(), b"s3cret").unwrap();
    let organisation = OrganisationId::generate();
    let nas_body = json!({"id": nas, "organisation": organisation, "name": "bng1",
        "vendor": "mikrotik", "coa_address": null, "coa_port": 3799, "coa_secret": null,
        "accepts_coa": true, "signing": signing});
    cache.apply(&change(Key::Nas(nas), "nas", nas_body));
    let client_body = json!({"id": client, "organisation": organisation,
        "source": "192.0.2.1/32", "secret": secret, "previous_secret": null, "nas": nas,
        "vendor": "mikrotik", "signing": signing});
    cache.apply(&change(Key::Client(client), "client", client_body));
    let profile_body = json!({"id": profile, "plan": PlanId::generate(),
        "organisation": organisation, "name": "Home 50", "download_bps": 50_000_000,
        "upload_bps": 20_000_000, "interim_s": 300, "session_timeout_s": null,
        "idle_timeout_s": null, "pool": null, "on_expired": "reject",
        "garden": {"address_list": "garden", "download_bps": 1000, "upload_bps": 1000}});
    cache.apply(&change(Key::Profile(profile), "profile", profile_body));
    let subscriber = json!({"service": service, "organisation": organisation,
    "customer": CustomerId::generate(), "profile": profile, "holds": [],
    "expires_at": null, "ipv4": null, "overrides": {},
    "identities": [
        {"id": login, "kind": "login", "value": "asha",
            "credential": {"kind": "clear", "sealed": password}},
        {"id": IdentityId::generate(), "kind": "circuit", "value": "olt1/1",
            "credential": null},
    ]});
    cache.apply(&change(Key::Subscriber(service), "subscriber", subscriber));

    let (notices, _notices) = mpsc::channel(16);
    let (begun, began) = mpsc::channel(16);
    let (refusals, refused) = mpsc::channel(16);
    let (events, _) = mpsc::channel(16);
    let (seen, _) = mpsc::channel(16);
    let guard = Guard::new(Limits { failures, window_s: 60, block_s: 300 });
    let (stop, _) = UnixStream::pair().unwrap();
    let shard = AuthShard {
        engine: Arc::new(Engine::new(cache, ClassKey::new(&[7; 32]), true)),
        clock: Arc::new(ManualClock::at(NOW)),
        sockets: Vec::new(),
        stop,
        door: Door::default(),
        duplicates: Duplicates::new(1024, 10),
        delayed: Delayed::new(Duration::from_millis(200), WAITING_MAX),
        status: StatusBudget::default(),
        tail: tails(1).remove(0),
        counters: Counters::of("auth"),
        shared: Shared {
            blocks: Arc::new(Blocks::new(guard, true)),
            sources: Arc::default(),
            notices,
            begun,
            refusals,
            seen,
            coa: mpsc::channel(16).0,
            events,
            failures,
        },
    };
    Gate { shard, bench: Bench::default(), refusals: refused, begun: began, _notices }
}

fn path(source: [u8; 4]) -> Path {
    Path { peer: SocketAddr::from((source, 40_000)), local: IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
}

impl Gate {
    fn answer(&mut self, datagram: &[u8], source: [u8; 4]) -> Result<Vec<u8>, DropReason> {
        let mut reply = Vec::new();
        let said = self.shard.answer(NOW, datagram, path(source), &mut self.bench, &mut reply);
        said.map(|when| {
            let refused = reply.first() == Some(&Code::ACCESS_REJECT.0);
            assert_eq!(refused, matches!(when, When::Later), "refusals wait, and nothing else");
            reply
        })
    }
}

fn request(number: u16, signed: bool, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let key = ClientKey::new(SECRET);
    let mut authenticator = [0x5a; 16];
    authenticator[..2].copy_from_slice(&number.to_be_bytes());
    let mut buf = Vec::new();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &authenticator, &mut buf);
    if signed {
        writer.message_authenticator().unwrap();
    }
    fill(&mut writer);
    writer.finish_access_request(&key).to_vec()
}

fn login(number: u16, signed: bool, password: &[u8]) -> Vec<u8> {
    request(number, signed, |writer| {
        writer.text(attr::USER_NAME, "asha").unwrap();
        let mut authenticator = [0x5a; 16];
        authenticator[..2].copy_from_slice(&number.to_be_bytes());
        let mut hidden = [0; 128];
        let key = ClientKey::new(SECRET);
        let octets =
            radius_wire::password::hide(password, &key, &authenticator, &mut hidden).unwrap();
        writer.attribute(attr::USER_PASSWORD, &hidden[..octets]).unwrap();
        writer.text(attr::CALLING_STATION_ID, "02:00:00:00:00:07").unwrap();
        writer.attribute(attr::PROXY_STATE, b"first").unwrap();
        writer.attribute(attr::PROXY_STATE, b"second").unwrap();
    })
}

/// xorshift64*, seeded: a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize) % limit.max(1)
    }
}

fn mutate(packet: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(packet.len());
        match random.below(6) {
            0 if !packet.is_empty() => packet[at] = random.below(256) as u8,
            1 if !packet.is_empty() => packet[at] ^= 1 << random.below(8),
            2 => packet.truncate(at),
            3 => {
                let end = (at + random.below(40)).min(packet.len());
                packet.extend_from_within(at..end);
            }
            4 => packet.insert(at, random.below(256) as u8),
            5 if !packet.is_empty() => {
                packet.remove(at);
            }
            _ => {}
        }
    }
    if random.below(2) == 0 && packet.len() >= 20 {
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

#[test]
fn what_must_be_dropped_gets_no_answer_however_it_is_changed() {
    let key = ClientKey::new(SECRET);
    let (rounds, seed) = search();
    for signing in ["learn", "require"] {
        let mut gate = gate(signing, 0);
        // Kept answers would be given again to what repeats identifier and authenticator.
        gate.shard.duplicates = Duplicates::new(1, 0);
        let seeds = [
            login(1, true, b"s3cret"),
            login(2, false, b"s3cret"),
            request(3, true, |writer| {
                writer.vendor(3561, 1, b"olt1/1").unwrap();
                writer.attribute(attr::EAP_MESSAGE, &[2, 1, 0, 4]).unwrap();
            }),
            request(4, true, |writer| writer.vendor(3561, 1, b"olt1/1").unwrap()),
        ];
        let mut random = Random(seed);
        let mut packet = Vec::new();
        let (mut answered, mut accepted) = (0, 0);
        for round in 0..rounds / 2 {
            packet.clear();
            packet.extend_from_slice(&seeds[round % seeds.len()]);
            mutate(&mut packet, &mut random);
            // The refusals of the ones before are not of interest.
            while gate.refusals.try_recv().is_ok() {}
            let Ok(reply) = gate.answer(&packet, [192, 0, 2, 1]) else { continue };
            answered += 1;
            let read = Packet::parse(&packet).expect("what does not parse is dropped");
            let proven = verify_access_request(&read, &key).expect("what is forged is dropped");
            assert!(proven.signed() || signing == "learn", "an unsigned one passed");
            let answer = Packet::parse(&reply).expect("an answer is a packet");
            assert!(verify_response(&answer, read.authenticator(), &key).unwrap().signed());
            assert_eq!(reply[20..22], [attr::MESSAGE_AUTHENTICATOR, 18]);
            // A refusal is a sentence and what the request brought along; an accept is a plan.
            let echoed: usize =
                read.attributes().all(attr::PROXY_STATE).map(|state| state.len() + 2).sum();
            let limit = if answer.code() == Code::ACCESS_REJECT { 128 } else { 300 };
            assert!(reply.len() <= limit + echoed, "{} octets", reply.len());
            if answer.code() == Code::ACCESS_ACCEPT && read.code() == Code::ACCESS_REQUEST {
                accepted += 1;
                let name = read.attributes().first(attr::USER_NAME).unwrap_or_default();
                let known = name.trim_ascii().eq_ignore_ascii_case(b"asha")
                    || read.attributes().vendor(3561, 1) == Some(b"olt1/1")
                    || read.attributes().vendor(3561, 2) == Some(b"olt1/1");
                assert!(known, "{read:?}");
            }
        }
        assert!(answered > 100 && accepted > 0, "{answered} answered, {accepted} let in");
    }
}

#[test]
fn nobody_else_gets_an_answer() {
    let mut gate = gate("learn", 0);
    let packet = login(1, true, b"s3cret");
    let unknown = gate.answer(&packet, [192, 0, 2, 2]);
    assert_eq!(unknown, Err(DropReason::UnknownClient));
    assert_eq!(gate.answer(&packet, [192, 0, 2, 1]).unwrap()[0], Code::ACCESS_ACCEPT.0);
    let mut forged = packet.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(gate.answer(&forged, [192, 0, 2, 1]), Err(DropReason::BadAuthenticator));
    let eap = request(9, false, |w| w.attribute(attr::EAP_MESSAGE, &[2, 1, 0, 4]).unwrap());
    assert_eq!(gate.answer(&eap, [192, 0, 2, 1]), Err(DropReason::Unsigned));
    let listed = crate::strangers::list(std::slice::from_ref(&gate.shard.door.strangers));
    let reasons: Vec<&str> = listed.iter().map(|sender| sender.reason.as_str()).collect();
    assert_eq!(listed.len(), 2, "{reasons:?}");
}

#[test]
fn a_repeat_gets_the_first_answer_once_that_went_out() {
    let mut gate = gate("learn", 0);
    let right = login(1, true, b"s3cret");
    let first = gate.answer(&right, [192, 0, 2, 1]).unwrap();
    assert_eq!(gate.answer(&right, [192, 0, 2, 1]).as_ref(), Ok(&first));
    let states: Vec<&[u8]> = Packet::parse(&first).unwrap().attributes().all(33).collect();
    assert_eq!(states, [&b"first"[..], b"second"], "in order and unchanged");
    let wrong = login(2, true, b"guess");
    let refused = gate.answer(&wrong, [192, 0, 2, 1]).unwrap();
    assert_eq!(refused[0], Code::ACCESS_REJECT.0);
    assert_eq!(gate.answer(&wrong, [192, 0, 2, 1]), Err(DropReason::AnswerWaits));
    // The same identifier and authenticator from another port is another request.
    let mut elsewhere = path([192, 0, 2, 1]);
    elsewhere.peer.set_port(40_001);
    let mut reply = Vec::new();
    let again = gate.shard.answer(NOW, &wrong, elsewhere, &mut gate.bench, &mut reply);
    assert!(again.is_ok() && reply[0] == Code::ACCESS_REJECT.0);
}

#[test]
fn a_pair_that_guesses_is_blocked_and_told_of() {
    let mut gate = gate("learn", 3);
    for number in 0..3 {
        let reply = gate.answer(&login(number, true, b"guess"), [192, 0, 2, 1]).unwrap();
        assert_eq!(reply[0], Code::ACCESS_REJECT.0);
    }
    let block = gate.begun.try_recv().expect("a block is told of");
    assert_eq!((block.login.as_bytes(), block.failures), (&b"asha"[..], 3));
    assert!(block.service.is_some() && block.until == NOW.plus_seconds(300));
    let right = gate.answer(&login(9, true, b"s3cret"), [192, 0, 2, 1]).unwrap();
    assert_eq!(right[0], Code::ACCESS_REJECT.0);
    let mut reasons = Vec::new();
    while let Ok(line) = gate.refusals.try_recv() {
        assert!(line.service.is_some(), "the log knows whose it was");
        reasons.push(line.reason.unwrap());
    }
    let wrong = RejectReason::WrongPassword;
    assert_eq!(reasons, [wrong, wrong, wrong, RejectReason::Blocked]);
    // Nobody learns from outside that it is blocked.
    let text = |reply: &[u8]| {
        let attributes = Attributes::parse(&reply[20..]).unwrap();
        attributes.first(attr::REPLY_MESSAGE).unwrap().to_vec()
    };
    let other = gate.answer(&request(10, true, |w| w.text(1, "nobody").unwrap()), [192, 0, 2, 1]);
    assert_eq!(text(&right), text(&other.unwrap()));
    assert_eq!(gate.shard.shared.blocks.lift(b"asha", None), 0, "the teller did not run");
}

fn reason(gate: &mut Gate) -> Option<RejectReason> {
    gate.refusals.try_recv().ok().and_then(|line| line.reason)
}

/// Puts one more service behind the gate, named by its own line.
fn put_line(gate: &Gate, line: &str, credential: Value) {
    let cache = &gate.shard.engine.cache;
    let asha = cache.subscribers().identify(model::identity::IdentityKind::Login, b"asha").unwrap();
    let service = ServiceId::generate();
    let subscriber = json!({"service": service, "organisation": OrganisationId::generate(),
        "customer": CustomerId::generate(), "profile": asha.profile(), "holds": [],
        "expires_at": null, "ipv4": null, "overrides": {},
        "identities": [{"id": IdentityId::generate(), "kind": "circuit", "value": line,
            "credential": credential}]});
    cache.apply(&change(Key::Subscriber(service), "subscriber", subscriber));
}

#[test]
fn a_password_that_does_not_read_is_a_password_all_the_same() {
    let mut gate = gate("learn", 0);
    put_line(&gate, "olt1/2", Value::Null);
    put_line(&gate, "olt1/3", json!({"kind": "clear", "sealed": "no sealed value"}));
    put_line(&gate, "olt1/4", json!({"kind": "clear", "sealed": "9.k1.AAAA"}));
    for (number, line, expected) in [
        (1, &b"olt1/2"[..], None),
        (2, b"olt1/3", Some(RejectReason::MethodNotPossible)),
        (3, b"olt1/4", Some(RejectReason::MethodNotPossible)),
    ] {
        let packet = request(number, true, |writer| writer.vendor(3561, 1, line).unwrap());
        gate.answer(&packet, [192, 0, 2, 1]).unwrap();
        assert_eq!(reason(&mut gate), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn whoever_asks_for_the_console_of_the_nas_is_refused() {
    let mut gate = gate("learn", 0);
    for (kind, expected) in [
        (1, None),
        (2, None),
        (6, Some(RejectReason::MethodNotPossible)),
        (7, Some(RejectReason::MethodNotPossible)),
        (9, Some(RejectReason::MethodNotPossible)),
        (11, Some(RejectReason::MethodNotPossible)),
    ] {
        let packet = request(kind as u16, true, |writer| {
            writer.vendor(3561, 1, b"olt1/1").unwrap();
            writer.attribute_u32(attr::SERVICE_TYPE, kind).unwrap();
        });
        gate.answer(&packet, [192, 0, 2, 1]).unwrap();
        assert_eq!(reason(&mut gate), expected, "Service-Type {kind}");
    }
}

#[test]
fn a_plain_plan_too_long_for_a_reply_refuses_the_login() {
    let mut gate = gate("learn", 0);
    let profile = PlanVersionId::generate();
    // Sixteen filters fill 4080 octets, which fit a packet only without its header.
    let body = json!({"id": profile, "plan": PlanId::generate(),
        "organisation": OrganisationId::generate(), "name": "Filters", "download_bps": null,
        "upload_bps": null, "interim_s": 300, "session_timeout_s": null, "idle_timeout_s": null,
        "pool": null, "on_expired": "reject", "filters": vec!["f".repeat(253); 16],
        "garden": {"address_list": "garden", "download_bps": 1000, "upload_bps": 1000}});
    let cache = &gate.shard.engine.cache;
    cache.apply(&change(Key::Profile(profile), "profile", body));
    let service = ServiceId::generate();
    let subscriber = json!({"service": service, "organisation": OrganisationId::generate(),
        "customer": CustomerId::generate(), "profile": profile, "holds": [],
        "expires_at": null, "ipv4": null, "overrides": {},
        "identities": [{"id": IdentityId::generate(), "kind": "circuit", "value": "olt1/2",
            "credential": null}]});
    cache.apply(&change(Key::Subscriber(service), "subscriber", subscriber));
    let packet = request(1, true, |writer| writer.vendor(3561, 1, b"olt1/2").unwrap());
    let reply = gate.answer(&packet, [192, 0, 2, 1]).unwrap();
    assert_eq!(reply[0], Code::ACCESS_REJECT.0);
    assert_eq!(reason(&mut gate), Some(RejectReason::PolicyUnfit));
}

#[test]
fn a_line_nobody_registered_guesses_nothing() {
    let mut gate = gate("learn", 3);
    let fails = |gate: &mut Gate, first: u16, fill: fn(&mut Writer<'_>)| {
        for number in first..first + 5 {
            let packet = request(number, true, |writer| {
                writer.text(attr::USER_NAME, "ipoe").unwrap();
                writer.text(attr::CALLING_STATION_ID, "02:00:00:00:00:07").unwrap();
                fill(writer);
            });
            assert_eq!(gate.answer(&packet, [192, 0, 2, 1]).unwrap()[0], Code::ACCESS_REJECT.0);
        }
        gate.begun.try_recv().is_ok()
    };
    let line = |writer: &mut Writer<'_>| writer.vendor(3561, 1, b"olt9/9").unwrap();
    assert!(!fails(&mut gate, 0, line));
    // Over PPP the name was typed, whatever line it came by.
    assert!(fails(&mut gate, 10, |writer| {
        writer.vendor(3561, 1, b"olt9/9").unwrap();
        writer.attribute_u32(attr::FRAMED_PROTOCOL, 1).unwrap();
    }));
    let mut other = self::gate("learn", 3);
    assert!(fails(&mut other, 0, |_| {}), "without a line a name is all there is");
}

#[test]
fn what_anybody_can_forge_locks_nobody_out_where_the_nas_signs() {
    for (signs, blocked) in [(false, true), (true, false)] {
        let mut gate = gate("learn", 3);
        gate.shard.shared.sources = Arc::new(crate::signing::Sources::knowing(
            gate.shard.engine.cache.clients().find(IpAddr::from([192, 0, 2, 1])).unwrap().id,
            IpAddr::from([192, 0, 2, 1]),
        ));
        if signs {
            gate.answer(&login(100, true, b"s3cret"), [192, 0, 2, 1]).unwrap();
        }
        for number in 0..4 {
            gate.answer(&login(number, false, b"guess"), [192, 0, 2, 1]).unwrap();
        }
        assert_eq!(gate.begun.try_recv().is_ok(), blocked);
        let right = gate.answer(&login(9, true, b"s3cret"), [192, 0, 2, 1]).unwrap();
        assert_eq!(right[0] == Code::ACCESS_REJECT.0, blocked);
    }
}
