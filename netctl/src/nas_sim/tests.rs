//! Against a tiny RADIUS server, real sockets on loopback.

use std::collections::VecDeque;

use radius_wire::auth::chap_matches;
use radius_wire::password::unhide;
use radius_wire::{
    Code, Facts, PACKET_OCTETS_MAX, Packet, Status, Writer, attr, vendor, verify_access_request,
    verify_accounting_request, verify_response,
};
use tokio::sync::mpsc;

use super::exchange::seen;
use super::*;

const SECRET: &str = "testing123";

fn key() -> ClientKey {
    ClientKey::new(SECRET.as_bytes())
}

/// What the server does with the next Access-Request; once the list is empty, its duty.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trick {
    Ignore,
    WrongSecret,
    NoMessageAuthenticator,
}

/// What the server saw of an accounting request.
#[derive(Debug, PartialEq)]
struct Seen {
    status: Status,
    session: String,
    download_octets: u64,
    upload_octets: u64,
    cause: u32,
    class: Option<Vec<u8>>,
}

struct Server {
    auth: SocketAddr,
    acct: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Server {
    async fn start(tricks: &[Trick]) -> Self {
        let auth = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let acct = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let server =
            Self { auth: auth.local_addr().unwrap(), acct: acct.local_addr().unwrap(), seen };
        tokio::spawn(answer_access(auth, tricks.iter().copied().collect()));
        tokio::spawn(answer_accounting(acct, sender));
        server
    }

    async fn nas(&self) -> NasSim {
        let quick = Retry { first: Duration::from_millis(40), sends_max: 4, ..Retry::default() };
        NasSim::start(Options {
            name: "sim1".to_owned(),
            address: [127, 0, 0, 1].into(),
            auth: self.auth,
            acct: self.acct,
            secret: SECRET.into(),
            coa_secret: None,
            coa_port: 0,
            pool: Ipv4Addr::new(100, 64, 0, 10),
            retry: quick,
        })
        .await
        .unwrap()
    }

    async fn next(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }
}

async fn answer_access(socket: UdpSocket, mut tricks: VecDeque<Trick>) {
    let mut buf = [0; PACKET_OCTETS_MAX];
    loop {
        let (octets, from) = socket.recv_from(&mut buf).await.unwrap();
        let packet = Packet::parse(&buf[..octets]).unwrap();
        let request = verify_access_request(&packet, &key()).unwrap();
        assert!(request.signed());
        let trick = tricks.pop_front();
        if trick == Some(Trick::Ignore) {
            continue;
        }
        let good = password_is(&request, b"right");
        let code = if good { Code::ACCESS_ACCEPT } else { Code::ACCESS_REJECT };
        let protect = trick != Some(Trick::NoMessageAuthenticator);
        let mut reply = Vec::new();
        let mut writer = Writer::response(code, &request, &mut reply, protect);
        if good {
            writer.vendor(vendor::MIKROTIK, 8, b"20M/50M").unwrap();
            writer.attribute(attr::CLASS, b"evidence").unwrap();
            writer.attribute_u32(attr::ACCT_INTERIM_INTERVAL, 300).unwrap();
        } else {
            writer.text(attr::REPLY_MESSAGE, "no").unwrap();
        }
        let key = match trick {
            Some(Trick::WrongSecret) => ClientKey::new(b"other"),
            _ => key(),
        };
        writer.finish_response(&key, request.authenticator());
        socket.send_to(&reply, from).await.unwrap();
    }
}

fn password_is(request: &Packet<'_>, expected: &[u8]) -> bool {
    let attributes = request.attributes();
    if let Some(chap) = attributes.first(attr::CHAP_PASSWORD) {
        let challenge = attributes.first(attr::CHAP_CHALLENGE).unwrap();
        return chap_matches(chap.try_into().unwrap(), challenge, expected);
    }
    let hidden = attributes.first(attr::USER_PASSWORD).unwrap();
    let mut clear = [0; 128];
    let octets = unhide(hidden, &key(), request.authenticator(), &mut clear).unwrap();
    &clear[..octets] == expected
}

async fn answer_accounting(socket: UdpSocket, sender: mpsc::UnboundedSender<Seen>) {
    let mut buf = [0; PACKET_OCTETS_MAX];
    loop {
        let (octets, from) = socket.recv_from(&mut buf).await.unwrap();
        let packet = Packet::parse(&buf[..octets]).unwrap();
        let request = verify_accounting_request(&packet, &key()).unwrap();
        let facts = Facts::of(request.attributes());
        let session = facts.acct_session_id.unwrap();
        let seen = Seen {
            status: facts.status,
            session: String::from_utf8(session.to_vec()).unwrap(),
            download_octets: facts.output_octets,
            upload_octets: facts.input_octets,
            cause: facts.terminate_cause,
            class: facts.class.map(<[u8]>::to_vec),
        };
        let mut reply = Vec::new();
        let writer = Writer::response(Code::ACCOUNTING_RESPONSE, &request, &mut reply, false);
        writer.finish_response(&key(), request.authenticator());
        socket.send_to(&reply, from).await.unwrap();
        if sender.send(seen).is_err() {
            return;
        }
    }
}

fn subscriber(method: Method, password: &str) -> Subscriber {
    Subscriber {
        login: "alice".to_owned(),
        password: password.into(),
        method,
        station: "02:00:00:00:00:01".to_owned(),
    }
}

async fn logged_in(nas: &NasSim, method: Method) -> SessionHandle {
    match nas.login(&subscriber(method, "right")).await.unwrap() {
        Login::Accepted(handle) => handle,
        Login::Rejected(why) => panic!("rejected: {why:?}"),
    }
}

/// Sends a CoA- or Disconnect-Request; `None` where no answer comes within `wait`.
async fn dynamic(
    nas: &NasSim,
    code: Code,
    secret: &[u8],
    session: &str,
    rate: Option<&str>,
    wait: Duration,
) -> Option<(Code, Option<u32>)> {
    let key = ClientKey::new(secret);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut packet = Vec::new();
    let mut writer = Writer::request(code, 9, &[0; 16], &mut packet);
    writer.message_authenticator().unwrap();
    writer.text(attr::ACCT_SESSION_ID, session).unwrap();
    if let Some(rate) = rate {
        writer.vendor(vendor::MIKROTIK, 8, rate.as_bytes()).unwrap();
    }
    writer.finish_dynamic_request(&key);
    let authenticator: [u8; 16] = packet[4..20].try_into().unwrap();
    let mut buf = [0; PACKET_OCTETS_MAX];
    let mut answers = Vec::new();
    // Twice, as a server whose first copy seems lost.
    for _ in 0..2 {
        socket.send_to(&packet, nas.coa_address()).await.unwrap();
        let received = tokio::time::timeout(wait, socket.recv(&mut buf)).await;
        let octets = received.ok()?.unwrap();
        let reply = Packet::parse(&buf[..octets]).unwrap();
        let reply = verify_response(&reply, &authenticator, &key).unwrap();
        assert!(reply.signed());
        answers.push((reply.code(), reply.attributes().u32(attr::ERROR_CAUSE)));
    }
    assert_eq!(answers[0], answers[1], "a retransmission meets the same reply");
    answers.pop()
}

const PATIENT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_login_a_session_and_its_end_are_reported() {
    let mut server = Server::start(&[]).await;
    let nas = server.nas().await;
    for method in [Method::Pap, Method::Chap] {
        let handle = logged_in(&nas, method).await;
        let start = server.next().await;
        assert_eq!((start.status, &start.session), (Status::Start, &handle.id));
        assert_eq!(start.class.as_deref(), Some(&b"evidence"[..]));
        let session = nas.session(&handle.id).unwrap();
        assert_eq!(session.rates.download_bps, Some(50_000_000));
        assert_eq!(session.interim, Some(Duration::from_secs(300)));

        nas.transfer(&handle.id, (5 << 32) + 7, 9).unwrap();
        nas.interim(&handle.id).await.unwrap();
        let interim = server.next().await;
        assert_eq!(interim.status, Status::Interim);
        assert_eq!((interim.download_octets, interim.upload_octets), ((5 << 32) + 7, 9));

        nas.logout(&handle.id, Cause::UserRequest).await.unwrap();
        let stop = server.next().await;
        assert_eq!((stop.status, stop.cause), (Status::Stop, 1));
        assert!(nas.sessions().is_empty());
        assert!(matches!(nas.interim(&handle.id).await, Err(SimError::NoSession(_))));
    }
}

#[tokio::test]
async fn a_wrong_password_opens_no_session() {
    let server = Server::start(&[]).await;
    let nas = server.nas().await;
    let login = nas.login(&subscriber(Method::Chap, "wrong")).await.unwrap();
    assert!(matches!(login, Login::Rejected(Some(message)) if message == "no"));
    assert!(nas.sessions().is_empty());
    assert_eq!(seen(&nas.counters().rejects), 1);
}

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    let server = Server::start(&[Trick::Ignore, Trick::Ignore]).await;
    let nas = server.nas().await;
    logged_in(&nas, Method::Pap).await;
    assert_eq!(seen(&nas.shared.auth.counters().retransmitted), 2);
}

#[tokio::test]
async fn answers_that_prove_nothing_are_not_believed() {
    let tricks = [Trick::WrongSecret, Trick::NoMessageAuthenticator];
    let server = Server::start(&tricks).await;
    let nas = server.nas().await;
    logged_in(&nas, Method::Pap).await;
    assert_eq!(seen(&nas.shared.auth.counters().invalid), 2);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start(&[Trick::Ignore; 4]).await;
    let nas = server.nas().await;
    let error = nas.login(&subscriber(Method::Pap, "right")).await.unwrap_err();
    let line = daemon::exit::chain(&error);
    assert!(line.contains("no answer to an Access-Request: sent 4 times"), "{line}");
    assert_eq!(seen(&nas.counters().unanswered), 1);
}

#[tokio::test]
async fn more_logins_than_identifiers_wait_for_one() {
    let server = Server::start(&[]).await;
    let nas = Arc::new(server.nas().await);
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..600 {
        let nas = nas.clone();
        logins.spawn(async move { logged_in(&nas, Method::Pap).await.id });
    }
    let ids: std::collections::HashSet<String> = logins.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 600);
    assert_eq!(nas.sessions().len(), 600);
}

#[tokio::test]
async fn a_coa_changes_the_rate_and_a_disconnect_ends_the_session() {
    let mut server = Server::start(&[]).await;
    let nas = server.nas().await;
    let mut handle = logged_in(&nas, Method::Pap).await;
    server.next().await;
    let secret = SECRET.as_bytes();
    let coa = dynamic(&nas, Code::COA_REQUEST, secret, &handle.id, Some("1M/2M"), PATIENT).await;
    assert_eq!(coa, Some((Code::COA_ACK, None)));
    let session = nas.session(&handle.id).unwrap();
    assert_eq!(session.rates.download_bps, Some(2_000_000));
    assert_eq!(session.changes, 1, "the retransmission changed nothing");

    let other = dynamic(&nas, Code::COA_REQUEST, secret, "nobody", Some("1M/2M"), PATIENT).await;
    assert_eq!(other, Some((Code::COA_NAK, Some(503))));

    let end = dynamic(&nas, Code::DISCONNECT_REQUEST, secret, &handle.id, None, PATIENT).await;
    assert_eq!(end, Some((Code::DISCONNECT_ACK, None)));
    handle.ended().await;
    let stop = server.next().await;
    assert_eq!((stop.status, stop.cause), (Status::Stop, 6));
}

#[tokio::test]
async fn the_switches_refuse_delay_and_keep_silent() {
    let server = Server::start(&[]).await;
    let nas = server.nas().await;
    let handle = logged_in(&nas, Method::Pap).await;
    let secret = SECRET.as_bytes();
    let end =
        async |wait| dynamic(&nas, Code::DISCONNECT_REQUEST, secret, &handle.id, None, wait).await;
    nas.set_coa(CoaSwitches { answer: CoaAnswer::Nak(506), ..CoaSwitches::default() });
    assert_eq!(end(PATIENT).await, Some((Code::DISCONNECT_NAK, Some(506))));
    nas.set_coa(CoaSwitches { answer: CoaAnswer::Silent, ..CoaSwitches::default() });
    assert_eq!(end(Duration::from_millis(50)).await, None);
    assert_eq!(nas.sessions().len(), 1);
    nas.set_coa(CoaSwitches { delay: Duration::from_millis(60), ..CoaSwitches::default() });
    let before = std::time::Instant::now();
    assert_eq!(end(PATIENT).await, Some((Code::DISCONNECT_ACK, None)));
    assert!(before.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_coa_with_another_secret_is_dropped() {
    let server = Server::start(&[]).await;
    let nas = server.nas().await;
    let handle = logged_in(&nas, Method::Pap).await;
    let wait = Duration::from_millis(50);
    let end = dynamic(&nas, Code::DISCONNECT_REQUEST, b"other", &handle.id, None, wait).await;
    assert_eq!(end, None);
    assert_eq!(nas.sessions().len(), 1);
    assert_eq!(seen(&nas.counters().coa_dropped), 1);
}

#[tokio::test]
async fn closing_stops_every_session_and_says_so() {
    let mut server = Server::start(&[]).await;
    let nas = server.nas().await;
    nas.accounting_on().await.unwrap();
    assert_eq!(server.next().await.status, Status::On);
    for _ in 0..3 {
        logged_in(&nas, Method::Pap).await;
        server.next().await;
    }
    nas.close(PATIENT).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.next().await.status);
    }
    assert_eq!(statuses[..3], [Status::Stop; 3]);
    assert_eq!(statuses[3], Status::Off);
}
