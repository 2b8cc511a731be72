//! Sends the request, and judges what comes back.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use model::Secret;
use radius_wire::attr::microsoft;
use radius_wire::{
    ClientKey, Code, Full, PACKET_OCTETS_MAX, Packet, ParseError, VerifyError, attr, vendor,
    verify_response,
};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::attribute::Extra;
use super::request::{self, Around, Credentials, Expected};

/// One login to try.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) server: SocketAddr,
    pub(super) secret: Secret<String>,
    pub(super) credentials: Credentials,
    pub(super) nas_identifier: Option<String>,
    pub(super) calling_station_id: Option<String>,
    pub(super) attributes: Vec<Extra>,
    pub(super) timeout: Duration,
    pub(super) tries: u32,
}

/// Why it could not be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("could not open a socket towards {server}")]
    Socket { server: SocketAddr, source: io::Error },
    #[error("could not send to {server}")]
    Send { server: SocketAddr, source: io::Error },
    #[error("the request cannot be written")]
    Write(#[from] Full),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// An answer that is proven to come from the server.
    Answered {
        code: Code,
        accepted: bool,
        round_trip: Duration,
        /// Without the Message-Authenticator.
        attributes: Vec<u8>,
        troubles: Vec<Trouble>,
    },
    /// None.
    Silent {
        server: SocketAddr,
        tries: u32,
        /// Answers that could not be believed, and why the last of them.
        invalid: u32,
        last: Option<Invalid>,
        /// The machine said that no program listens there (ICMP).
        refused: bool,
    },
}

/// What is wrong with an answer that is otherwise proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No Message-Authenticator.
    Unprotected,
    /// No MS-CHAP2-Success.
    NoSuccess,
    /// A wrong MS-CHAP2-Success.
    WrongSuccess,
    /// The server asks for more, and we cannot give it.
    Challenge,
}

impl Trouble {
    /// Whether the subscriber's device would not go on.
    pub(super) fn is_fatal(&self) -> bool {
        !matches!(self, Self::Unprotected)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unprotected => {
                "The answer has no Message-Authenticator: it could have been forged (CVE-2024-3596)"
            }
            Self::NoSuccess => {
                "MS-CHAP2-Success is missing: the server has not proven that it knows the \
                 password, and a client would hang up"
            }
            Self::WrongSuccess => {
                "MS-CHAP2-Success is wrong: the server does not know this password, and a client \
                 would hang up"
            }
            Self::Challenge => "The server asks for more than a password",
        })
    }
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("it is no RADIUS packet ({0})")]
    Packet(#[from] ParseError),
    #[error("its identifier is not the request's")]
    Identifier,
    #[error("{0}")]
    Proof(#[from] VerifyError),
    #[error("{0} is no answer to an Access-Request")]
    Code(Code),
}

impl Probe {
    /// Tries it.
    pub(super) async fn run(&self) -> Result<Verdict, ProbeError> {
        let failed = |source| ProbeError::Socket { server: self.server, source };
        let any: IpAddr = match self.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(failed)?;
        socket.connect(self.server).await.map_err(failed)?;
        let key = ClientKey::new(self.secret.expose().as_bytes());
        let around = Around {
            local: socket.local_addr().map_err(failed)?.ip(),
            nas_identifier: self.nas_identifier.as_deref(),
            calling_station_id: self.calling_station_id.as_deref(),
            attributes: &self.attributes,
        };
        let [identifier] = daemon::secrets::random();
        let mut packet = Vec::with_capacity(512);
        let expected = request::write(identifier, &self.credentials, &around, &key, &mut packet)?;

        let (mut invalid, mut last, mut refused) = (0u32, None, false);
        let mut tries = 0;
        // Once an answer came that cannot be believed, asking again brings no better one.
        while tries < self.tries && last.is_none() {
            tries += 1;
            self.send(&socket, &packet).await?;
            let sent = Instant::now();
            let mut buf = [0; PACKET_OCTETS_MAX];
            loop {
                let until = sent + self.timeout;
                let octets = match tokio::time::timeout_at(until, socket.recv(&mut buf)).await {
                    Ok(Ok(octets)) => octets,
                    // ICMP tells at once; the next try may find that the server has started.
                    Ok(Err(error)) => {
                        refused |= error.kind() == io::ErrorKind::ConnectionRefused;
                        break;
                    }
                    Err(_) => break,
                };
                match judge(&buf[..octets], identifier, &expected, &key, sent.elapsed()) {
                    Ok(verdict) => return Ok(verdict),
                    Err(why) => {
                        invalid += 1;
                        last = Some(why);
                    }
                }
            }
        }
        Ok(Verdict::Silent { server: self.server, tries, invalid, last, refused })
    }

    async fn send(&self, socket: &UdpSocket, packet: &[u8]) -> Result<(), ProbeError> {
        match socket.send(packet).await {
            // What the try before met; this one was not sent, and counts as unanswered too.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(source) => Err(ProbeError::Send { server: self.server, source }),
            Ok(_) => Ok(()),
        }
    }
}

fn judge(
    datagram: &[u8],
    identifier: u8,
    expected: &Expected,
    key: &ClientKey,
    round_trip: Duration,
) -> Result<Verdict, Invalid> {
    let packet = Packet::parse(datagram)?;
    if packet.identifier() != identifier {
        return Err(Invalid::Identifier);
    }
    let proven = verify_response(&packet, &expected.authenticator, key)?;
    let code = packet.code();
    let mut troubles = Vec::new();
    match code {
        Code::ACCESS_ACCEPT => {
            if let Some(success) = &expected.success {
                let given = packet.attributes().vendor(vendor::MICROSOFT, microsoft::CHAP2_SUCCESS);
                match given {
                    None => troubles.push(Trouble::NoSuccess),
                    Some(given) if given != success => troubles.push(Trouble::WrongSuccess),
                    Some(_) => {}
                }
            }
        }
        Code::ACCESS_REJECT => {}
        Code::ACCESS_CHALLENGE => troubles.push(Trouble::Challenge),
        other => return Err(Invalid::Code(other)),
    }
    if !proven.signed() {
        troubles.push(Trouble::Unprotected);
    }
    let mut attributes = Vec::new();
    for attribute in packet.attributes() {
        if attribute.kind != attr::MESSAGE_AUTHENTICATOR {
            let length = attribute.value.len() as u8 + 2;
            attributes.extend_from_slice(&[attribute.kind, length]);
            attributes.extend_from_slice(attribute.value);
        }
    }
    let accepted = code == Code::ACCESS_ACCEPT;
    Ok(Verdict::Answered { code, accepted, round_trip, attributes, troubles })
}
