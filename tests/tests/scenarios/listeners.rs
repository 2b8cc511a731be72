//! Where `aaad` listens: several addresses of both families, each of which answers for itself.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};

use lab::place::Place;
use lab::{Lab, PATIENCE};
use radius_wire::{ClientKey, Code, Packet, Writer, attr, verify_response};

/// A login through radclient, from `source`; what it printed.
fn radclient(server: SocketAddr, source: IpAddr, secret: &str) -> String {
    let kind = if source.is_ipv4() { "Packet-Src-IP-Address" } else { "Packet-Src-IPv6-Address" };
    let request = format!(
        "User-Name = asha\nUser-Password = s3cret\nMessage-Authenticator = 0x00\n{kind} = {source}\n"
    );
    let mut arguments = vec!["-x", "-r", "5", "-t", "1"];
    if source.is_ipv6() {
        arguments.push("-6");
    }
    let server = server.to_string();
    arguments.extend([server.as_str(), "auth", secret]);
    let mut child = Command::new("radclient")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("radclient is installed where these tests run (Debian: freeradius-utils)");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(request.as_bytes()).expect("write to radclient");
    drop(stdin);
    let output = child.wait_with_output().expect("read from radclient");
    [output.stdout, output.stderr]
        .map(|octets| String::from_utf8_lossy(&octets).into_owned())
        .concat()
}

/// Where the answer to a login asked at `server` came from; it is proven to be one.
fn answered_from(server: SocketAddr, source: IpAddr, secret: &str) -> SocketAddr {
    let key = ClientKey::new(secret.as_bytes());
    let socket = UdpSocket::bind((source, 0)).expect("open a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("set a timeout");
    let authenticator = [server.port() as u8; 16];
    let mut request = Vec::new();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &authenticator, &mut request);
    writer.message_authenticator().expect("room");
    writer.text(attr::USER_NAME, "asha").expect("room");
    writer.user_password(b"s3cret", &key).expect("room");
    writer.finish_access_request(&key);
    // Not connected: an answer from elsewhere would be taken, and show.
    socket.send_to(&request, server).expect("send");
    let mut answer = [0; 4096];
    let (octets, from) = socket.recv_from(&mut answer).expect("an answer");
    let answer = Packet::parse(&answer[..octets]).expect("a packet");
    verify_response(&answer, &authenticator, &key).expect("an authentic answer");
    assert_eq!(answer.code(), Code::ACCESS_ACCEPT, "from {from}");
    from
}

#[test]
fn both_families_and_several_addresses_answer_each_for_itself() {
    let place = Place::new();
    let second = place.port();
    // Ports nobody has at this moment; nothing else here asks the kernel for one that often.
    let free = |address: IpAddr| {
        let socket = UdpSocket::bind((address, 0)).expect("a free port");
        socket.local_addr().expect("it has an address").port()
    };
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, free(Ipv6Addr::LOCALHOST.into())));
    let any = SocketAddr::from(([0, 0, 0, 0], free([0, 0, 0, 0].into())));
    let mut lab = Lab::separate_listening(&[second, six, any]);
    lab.start_all();
    let isp = lab.isp();
    lab.api().create_nas("bng6", "::1", &isp.nas.secret, 3799);
    let (v4, v6): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), Ipv6Addr::LOCALHOST.into());
    lab::eventually("the NAS of IPv6 is known", PATIENCE, || {
        radclient(six, v6, &isp.nas.secret).contains("Received Access-Accept").then_some(())
    });
    for (server, source) in [(isp.nas.auth, v4), (second, v4), (six, v6)] {
        let said = radclient(server, source, &isp.nas.secret);
        assert!(said.contains("Received Access-Accept"), "{server}: {said}");
        assert_eq!(answered_from(server, source, &isp.nas.secret), server);
    }
    // A socket for every address answers from the one that was asked.
    for address in [[127, 0, 0, 1], [127, 0, 0, 99]] {
        let asked = SocketAddr::from((address, any.port()));
        assert_eq!(answered_from(asked, v4, &isp.nas.secret), asked);
    }
    // The same NAS and login, whichever address was asked.
    assert!(lab.metric("aaad", "aaad_accepts_total", "") >= 8.0);
}
