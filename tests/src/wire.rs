//! A NAS of our own for what `radclient` does not show: the bytes of a reply, and load.
//!
//! It writes with the `radius` crate, and believes what comes back only where that crate, which
//! shares nothing with our codec, calls it authentic.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2866};

/// Room for the longest packet.
const PACKET_OCTETS_MAX: usize = 4096;

/// One socket of a NAS.
#[derive(Debug)]
pub struct WireNas {
    socket: UdpSocket,
    secret: Vec<u8>,
    identifier: u8,
}

/// A request and its reply, as they lay on the wire.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was sent.
    pub request: Vec<u8>,
    /// What came back.
    pub response: Vec<u8>,
}

impl WireNas {
    /// A NAS at `source` that talks to `server`.
    pub fn new(source: Ipv4Addr, server: SocketAddr, secret: &str) -> Self {
        let socket = UdpSocket::bind((source, 0)).expect("bind a UDP socket");
        socket.connect(server).expect("connect a UDP socket");
        Self { socket, secret: secret.as_bytes().to_vec(), identifier: 0 }
    }

    /// A PAP login, without a Message-Authenticator, as old NAS send it; absent where no
    /// authentic reply came within `wait`.
    pub fn login(&mut self, user: &str, password: &str, wait: Duration) -> Option<Exchange> {
        let mut packet = self.packet(Code::AccessRequest);
        rfc2865::add_user_name(&mut packet, user);
        rfc2865::add_user_password(&mut packet, password.as_bytes()).expect("a short password");
        self.exchange(packet.encode().expect("a short packet"), wait)
    }

    /// Reports the start of a session; whether that was acknowledged within `wait`.
    pub fn start(&mut self, login: &str, session: &str, wait: Duration) -> bool {
        let mut packet = self.packet(Code::AccountingRequest);
        rfc2866::add_acct_status_type(&mut packet, rfc2866::ACCT_STATUS_TYPE_START);
        rfc2865::add_user_name(&mut packet, login);
        rfc2866::add_acct_session_id(&mut packet, session);
        self.exchange(packet.encode().expect("a short packet"), wait).is_some()
    }

    fn packet(&mut self, code: Code) -> Packet {
        self.identifier = self.identifier.wrapping_add(1);
        Packet::new_with_identifier(code, &self.secret, self.identifier)
    }

    /// Sends once and waits for the authentic reply.
    pub fn exchange(&mut self, request: Vec<u8>, wait: Duration) -> Option<Exchange> {
        // A server that is down answers with ICMP, which shows here as an error: no reply.
        self.socket.send(&request).ok()?;
        let until = Instant::now() + wait;
        let mut buffer = [0; PACKET_OCTETS_MAX];
        loop {
            let left = until.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())?;
            self.socket.set_read_timeout(Some(left)).expect("set a timeout");
            let octets = match self.socket.recv(&mut buffer) {
                Ok(octets) => octets,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return None,
            };
            let response = &buffer[..octets];
            let ours = response.get(1) == request.get(1);
            if ours && Packet::is_authentic_response(response, &request, &self.secret) {
                let response = response.to_vec();
                return Some(Exchange { request, response });
            }
        }
    }
}

/// The attributes of a packet, read without any codec: type and value.
pub fn attributes_of(packet: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &packet[20..];
    let mut attributes = Vec::new();
    while let [kind, octets, ..] = *rest {
        let octets = usize::from(octets);
        assert!(octets >= 2 && octets <= rest.len(), "a length lies in {packet:02x?}");
        attributes.push((kind, rest[2..octets].to_vec()));
        rest = &rest[octets..];
    }
    assert!(rest.is_empty(), "half an attribute in {packet:02x?}");
    attributes
}

/// The text of the Mikrotik-Rate-Limit in a packet: vendor 14988, type 8.
pub fn mikrotik_rate_limit_of(packet: &[u8]) -> Option<String> {
    attributes_of(packet).into_iter().find_map(|(kind, value)| match &value[..] {
        [0, 0, 0x3a, 0x8c, 8, octets, text @ ..] if kind == 26 => {
            assert_eq!(usize::from(*octets), text.len() + 2, "one sub-attribute an attribute");
            Some(String::from_utf8(text.to_vec()).expect("a rate limit is text"))
        }
        _ => None,
    })
}
