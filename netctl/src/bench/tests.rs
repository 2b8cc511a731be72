//! Against servers of a few lines, on loopback.

use std::net::{IpAddr, UdpSocket};

use clap::Parser;
use radius_wire::{Code, PACKET_OCTETS_MAX, Packet, Writer, verify_access_request};

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// How the server answers the request with this number.
type Answer = fn(u64) -> Behaviour;

enum Behaviour {
    Accept,
    Reject,
    Silence,
    WrongSecret,
    Twice,
}

/// Serves from a thread that ends with the test.
fn serve(behave: Answer) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let (key, other) = (ClientKey::new(b"s"), ClientKey::new(b"other"));
        let mut buf = [0; PACKET_OCTETS_MAX];
        let mut reply = Vec::new();
        for n in 0.. {
            let (octets, from) = socket.recv_from(&mut buf).unwrap();
            let packet = Packet::parse(&buf[..octets]).unwrap();
            let request = verify_access_request(&packet, &key).unwrap();
            let behaviour = behave(n);
            let code = match behaviour {
                Behaviour::Reject => Code::ACCESS_REJECT,
                Behaviour::Silence => continue,
                _ => Code::ACCESS_ACCEPT,
            };
            let key = if matches!(behaviour, Behaviour::WrongSecret) { &other } else { &key };
            let writer = Writer::response(code, &request, &mut reply, true);
            writer.finish_response(key, request.authenticator());
            for _ in 0..if matches!(behaviour, Behaviour::Twice) { 2 } else { 1 } {
                socket.send_to(&reply, from).unwrap();
            }
        }
    });
    address
}

fn args(server: SocketAddr, more: &str) -> Args {
    let line = format!("bench --server {server} --secret s --seconds 20 {more}");
    Line::try_parse_from(line.split_whitespace()).unwrap().args
}

fn json(server: SocketAddr, more: &str) -> serde_json::Value {
    let report = measure(&args(server, more)).unwrap();
    let mut json = serde_json::to_value(&report).unwrap();
    json["well"] = report.all_well().into();
    json["text"] = report.show().into();
    json
}

#[test]
fn a_closed_loop_counts_and_checks_every_answer() {
    let server = serve(|_| Behaviour::Accept);
    let pid = std::process::id();
    for method in ["pap", "chap", "mschapv2"] {
        let more = format!("--method {method} --requests 2000 --outstanding 16 --pid {pid}");
        let found = json(server, &more);
        for key in ["sent", "answered", "accepts"] {
            assert_eq!(found[key], 2000, "{found}");
        }
        assert_eq!(found["checked"], 2000u64.div_ceil(64), "{found}");
        assert_eq!(found["well"], true, "{found}");
        assert!(found["rss_octets"].as_u64().unwrap() > 0);
        assert!(found["p50_us"].as_f64() <= found["max_us"].as_f64());
    }
}

#[test]
fn a_rate_is_kept_and_threads_share_it() {
    let server = serve(|_| Behaviour::Accept);
    let found = json(server, "--rate 4000 --requests 2000 --threads 2 --sockets 3");
    assert_eq!((&found["sent"], &found["answered"]), (&2000.into(), &2000.into()), "{found}");
    // The last one is due after half a second, on both threads.
    let seconds = found["seconds"].as_f64().unwrap();
    assert!(seconds > 0.499, "{found}");
}

#[test]
fn silence_is_loss() {
    let server = serve(|n| if n % 10 == 0 { Behaviour::Silence } else { Behaviour::Accept });
    let found = json(server, "--requests 200 --rate 4000");
    assert_eq!((&found["answered"], &found["lost"]), (&180.into(), &20.into()), "{found}");
    assert_eq!((&found["loss_percent"], &found["well"]), (&10.0.into(), &false.into()));
    // The window stays open although some of it never comes back.
    let found = json(server, "--requests 100 --outstanding 5");
    assert_eq!((&found["answered"], &found["lost"]), (&90.into(), &10.into()), "{found}");
}

#[test]
fn a_place_that_is_needed_again_is_a_loss_at_once() {
    let server = serve(|n| if n < 256 { Behaviour::Silence } else { Behaviour::Accept });
    let found = json(server, "--requests 512 --rate 2000 --sockets 1");
    assert_eq!((&found["answered"], &found["lost"]), (&256.into(), &256.into()), "{found}");
    assert_eq!(found["checked"], 256, "every answer there is looked at");
}

#[test]
fn rejects_repeats_and_forgeries_are_told_apart() {
    let server = serve(|_| Behaviour::Reject);
    let found = json(server, "--requests 50");
    assert_eq!((&found["rejects"], &found["well"]), (&50.into(), &false.into()), "{found}");

    let server = serve(|_| Behaviour::WrongSecret);
    let found = json(server, "--requests 1 --rate 1000");
    assert_eq!((&found["invalid"], &found["lost"]), (&1.into(), &1.into()), "{found}");
    assert!(found["text"].as_str().unwrap().contains("1 datagrams are no answers"), "{found}");

    let server = serve(|_| Behaviour::Twice);
    let found = json(server, "--requests 100 --outstanding 4");
    assert_eq!(found["answered"], 100, "{found}");
    assert!(found["stray"].as_u64().unwrap() > 0, "{found}");
}

#[test]
fn the_echo_is_measured_without_proof() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    std::thread::spawn(move || echo::answer(&socket, 150));
    let found = json(server, "--echo --requests 300");
    assert_eq!((&found["accepts"], &found["checked"]), (&300.into(), &0.into()), "{found}");
    assert_eq!(found["answer_octets"], 150);
}

#[test]
fn a_port_nobody_listens_on_is_told() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = daemon::exit::chain(&measure(&args(free, "--outstanding 200")).unwrap_err());
    assert_eq!(line, format!("no program listens on udp {free}"));
}

#[test]
fn others_are_asked_before_they_are_loaded() {
    let line = daemon::exit::chain(&measure(&args(([192, 0, 2, 1], 1812).into(), "")).unwrap_err());
    assert!(line.starts_with("192.0.2.1:1812 is not this machine"), "{line}");
    let echo = echo::Args { listen: (IpAddr::from([0, 0, 0, 0]), 0).into(), reply_octets: 20 };
    let line = daemon::exit::chain(&echo::serve(&echo).unwrap_err());
    assert!(line.starts_with("0.0.0.0:0 is not loopback"), "{line}");
}

#[test]
fn a_window_needs_identifiers() {
    let server = ([127, 0, 0, 1], 9).into();
    let line =
        daemon::exit::chain(&measure(&args(server, "--sockets 1 --outstanding 257")).unwrap_err());
    assert!(line.ends_with("give at least --sockets 2"), "{line}");
}
