//! Against a server of a few lines, on loopback.

use radius_wire::auth::{mschap2_response, mschap2_value, mschap2_verify, nt_hash};
use radius_wire::{
    ClientKey, Code, PACKET_OCTETS_MAX, Packet, Writer, attr, vendor, verify_access_request,
};
use tokio::net::UdpSocket;

use super::*;

const SECRET: &str = "testing123";

/// How the server answers.
#[derive(Clone, Copy)]
enum Server {
    Accept,
    Reject,
    Unprotected,
    OtherSecret,
    /// MS-CHAP2-Success made of this password.
    Success(&'static str),
    /// Passes over the first request.
    Late,
}

async fn serve(server: Server) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buf = [0; PACKET_OCTETS_MAX];
        let mut first = true;
        loop {
            let (octets, from) = socket.recv_from(&mut buf).await.unwrap();
            if matches!(server, Server::Late) && std::mem::take(&mut first) {
                continue;
            }
            let reply = answer(server, &buf[..octets]);
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    address
}

fn answer(server: Server, datagram: &[u8]) -> Vec<u8> {
    let key = ClientKey::new(SECRET.as_bytes());
    let packet = Packet::parse(datagram).unwrap();
    let request = verify_access_request(&packet, &key).unwrap();
    assert!(request.signed(), "requests are protected");
    let code =
        if matches!(server, Server::Reject) { Code::ACCESS_REJECT } else { Code::ACCESS_ACCEPT };
    let mut reply = Vec::new();
    let protect = !matches!(server, Server::Unprotected);
    let mut writer = Writer::response(code, &request, &mut reply, protect);
    match server {
        Server::Reject => writer.text(attr::REPLY_MESSAGE, "No \x1b[2J").unwrap(),
        Server::Success(password) => {
            let attributes = request.attributes();
            let of = |kind| attributes.vendor(vendor::MICROSOFT, kind).unwrap();
            let response: &[u8; 50] = of(25).try_into().unwrap();
            let challenge: &[u8; 16] = of(11).try_into().unwrap();
            // As if the client had used the password the server has: what the server then says
            // is right or wrong for the client's own.
            let peer: &[u8; 16] = response[2..18].try_into().unwrap();
            let hash = nt_hash(password);
            let own = mschap2_response(b"alice", challenge, peer, &hash);
            let response = mschap2_value(response[0], peer, &own);
            let success = mschap2_verify(b"alice", challenge, &response, &hash).unwrap();
            writer.vendor(vendor::MICROSOFT, 26, &success).unwrap();
        }
        _ => writer.vendor(vendor::MIKROTIK, 8, b"20M/50M").unwrap(),
    }
    let key = if matches!(server, Server::OtherSecret) { ClientKey::new(b"other") } else { key };
    writer.finish_response(&key, request.authenticator());
    reply
}

async fn probe(server: SocketAddr, method: Method, tries: u32) -> Verdict {
    let probe = Probe {
        server,
        secret: SECRET.into(),
        credentials: Credentials { user: "alice".to_owned(), password: "right".into(), method },
        nas_identifier: None,
        calling_station_id: Some("02:00:00:00:00:01".to_owned()),
        attributes: vec!["NAS-Port=7".parse().unwrap()],
        timeout: Duration::from_millis(150),
        tries,
    };
    probe.run().await.unwrap()
}

fn told(verdict: &Verdict) -> (u8, String) {
    (code(verdict), show(verdict, &Style::default()))
}

#[tokio::test]
async fn an_accept_is_told_with_its_attributes() {
    let server = serve(Server::Accept).await;
    for method in [Method::Pap, Method::Chap] {
        let (code, text) = told(&probe(server, method, 1).await);
        assert_eq!(code, DONE);
        assert!(text.starts_with("Access-Accept after "), "{text}");
        assert!(text.ends_with(" ms\n  Mikrotik-Rate-Limit = \"20M/50M\"\n"), "{text}");
    }
}

#[tokio::test]
async fn a_reject_is_an_answer_too() {
    let server = serve(Server::Reject).await;
    let verdict = probe(server, Method::Pap, 1).await;
    let (code, text) = told(&verdict);
    assert_eq!(code, NO);
    assert!(text.contains("Access-Reject after ") && !text.contains('\x1b'), "{text}");
    assert_eq!(as_json(&verdict)["result"], "reject");
}

#[tokio::test]
async fn a_missing_message_authenticator_is_told() {
    let server = serve(Server::Unprotected).await;
    let (code, text) = told(&probe(server, Method::Pap, 1).await);
    assert_eq!(code, DONE);
    assert!(text.contains("has no Message-Authenticator"), "{text}");
}

#[tokio::test]
async fn an_answer_under_another_secret_is_not_believed() {
    let server = serve(Server::OtherSecret).await;
    let (code, text) = told(&probe(server, Method::Pap, 3).await);
    assert_eq!(code, NO_ANSWER);
    assert!(text.contains("sent 1 answer that cannot be believed: authenticator"), "{text}");
}

#[tokio::test]
async fn the_server_must_prove_that_it_knows_the_password() {
    for (server, expected, words) in [
        (Server::Success("right"), DONE, "MS-CHAP2-Success = "),
        (Server::Success("other"), NO, "MS-CHAP2-Success is wrong"),
        (Server::Accept, NO, "MS-CHAP2-Success is missing"),
    ] {
        let server = serve(server).await;
        let (code, text) = told(&probe(server, Method::MsChapV2, 1).await);
        assert_eq!(code, expected, "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn a_lost_request_is_sent_again_and_silence_is_explained() {
    let late = serve(Server::Late).await;
    assert_eq!(told(&probe(late, Method::Pap, 2).await).0, DONE);
    let late = serve(Server::Late).await;
    let (code, text) = told(&probe(late, Method::Pap, 1).await);
    assert_eq!(code, NO_ANSWER);
    for cause in ["not running", "not a RADIUS client", "secret is wrong", "after 1 try"] {
        assert!(text.contains(cause), "{text}");
    }
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_told() {
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (code, text) = told(&probe(free, Method::Pap, 2).await);
    assert_eq!(code, NO_ANSWER);
    assert!(text.starts_with("no answer: no program listens on udp 127.0.0.1:"), "{text}");
}

#[test]
fn a_server_that_is_no_address_is_named() {
    let line = daemon::exit::chain(&resolve("--server", "nowhere").unwrap_err());
    assert!(line.starts_with("--server nowhere is not HOST:PORT"), "{line}");
    assert_eq!(resolve("--server", "127.0.0.1:1812").unwrap(), ([127, 0, 0, 1], 1812).into());
}
