//! One server, and asking it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use radius_wire::dictionary::Dictionary;
use radius_wire::{ClientKey, Full, PACKET_OCTETS_MAX, Packet, verify_response};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::answer::Answer;
use super::requests::{Chance, Request};

/// A server to ask.
pub(super) struct Server {
    address: SocketAddr,
    key: ClientKey,
    socket: UdpSocket,
    timeout: Duration,
    tries: u32,
    /// Of the next request.
    identifier: u8,
}

/// Why it cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("could not open a socket towards {server}")]
    Socket { server: SocketAddr, source: io::Error },
    #[error("could not send to {server}")]
    Send { server: SocketAddr, source: io::Error },
    #[error("the request at {place} cannot be written")]
    Write { place: String, source: Full },
}

/// What came back.
#[derive(Debug)]
pub(super) enum Heard {
    Answer(Answer),
    /// Nothing, or nothing that is proven to come from the server; so much of that.
    Nothing {
        invalid: u32,
    },
}

impl Server {
    pub(super) async fn open(
        address: SocketAddr,
        key: ClientKey,
        timeout: Duration,
        tries: u32,
    ) -> Result<Self, ExchangeError> {
        let failed = |source| ExchangeError::Socket { server: address, source };
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(failed)?;
        socket.connect(address).await.map_err(failed)?;
        let [identifier] = daemon::secrets::random();
        Ok(Self { address, key, socket, timeout, tries, identifier })
    }

    /// Asks, and sends again what is not answered.
    pub(super) async fn ask(
        &mut self,
        request: &Request,
        chance: &Chance,
        dictionary: &Dictionary,
    ) -> Result<Heard, ExchangeError> {
        self.identifier = self.identifier.wrapping_add(1);
        let mut packet = Vec::with_capacity(512);
        let written = request.write(self.identifier, chance, &self.key, &mut packet);
        let authenticator = written
            .map_err(|source| ExchangeError::Write { place: request.place.clone(), source })?;
        let mut invalid = 0;
        let mut buf = [0; PACKET_OCTETS_MAX];
        for _ in 0..self.tries {
            match self.socket.send(&packet).await {
                Ok(_) => {}
                // ICMP about the try before.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(source) => return Err(ExchangeError::Send { server: self.address, source }),
            }
            let until = Instant::now() + self.timeout;
            loop {
                let octets = match tokio::time::timeout_at(until, self.socket.recv(&mut buf)).await
                {
                    Ok(Ok(octets)) => octets,
                    // No program listens there: asking again may find that it has started.
                    Ok(Err(_)) | Err(_) => break,
                };
                let Ok(answer) = Packet::parse(&buf[..octets]) else {
                    invalid += 1;
                    continue;
                };
                // A late answer to the request before is none to this one.
                if answer.identifier() != self.identifier {
                    continue;
                }
                if verify_response(&answer, &authenticator, &self.key).is_err() {
                    invalid += 1;
                    continue;
                }
                let (code, attributes) = (answer.code(), answer.attributes());
                let answer = Answer::of(code, attributes, &self.key, &authenticator, dictionary);
                return Ok(Heard::Answer(answer));
            }
        }
        Ok(Heard::Nothing { invalid })
    }
}
