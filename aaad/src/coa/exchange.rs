//! One exchange with a NAS: send, repeat, and believe only what is signed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use model::control::CoaOutcome;
use radius_wire::{Code, Packet, attr, dict, value, verify_response};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::cache::{ClientEntry, NasEntry};

/// A request ready to go.
pub(crate) struct Exchange {
    pub(crate) target: SocketAddr,
    /// Our address the NAS talks to; it accepts CoA from its RADIUS server alone.
    pub(crate) local: Option<IpAddr>,
    pub(crate) request: Vec<u8>,
    pub(crate) client: Arc<ClientEntry>,
    pub(crate) nas: Arc<NasEntry>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// ACK.
    Acknowledged,
    /// NAK, with every attribute of it: vendors put the reason into their own.
    Refused(String),
    /// No valid answer.
    Silent(String),
    /// It was not sent.
    NotSent(String),
}

impl Reply {
    /// The outcome and its detail.
    pub(crate) fn outcome(&self) -> (CoaOutcome, String) {
        match self {
            Self::Acknowledged => (CoaOutcome::Acknowledged, String::new()),
            Self::Refused(detail) => (CoaOutcome::Refused, detail.clone()),
            Self::Silent(detail) => (CoaOutcome::Unknown, detail.clone()),
            Self::NotSent(detail) => (CoaOutcome::NotSent, detail.clone()),
        }
    }
}

/// Sends the request up to `attempts` times, the wait doubling from `timeout_ms`
/// (RFC 5080 §2.2.1), and returns the first valid answer.
pub(crate) async fn exchange(exchange: Exchange, timeout_ms: u64, attempts: u32) -> Reply {
    match try_exchange(&exchange, timeout_ms, attempts).await {
        Ok(Some(reply)) => reply,
        Ok(None) => {
            Reply::Silent(format!("no answer from {} in {attempts} attempts", exchange.target))
        }
        Err(error) => Reply::Silent(format!("{}: {error}", exchange.target)),
    }
}

async fn try_exchange(
    exchange: &Exchange,
    timeout_ms: u64,
    attempts: u32,
) -> std::io::Result<Option<Reply>> {
    let any = match exchange.target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let local = exchange.local.filter(|local| local.is_ipv4() == any.is_ipv4());
    let socket = UdpSocket::bind((local.unwrap_or(any), 0)).await?;
    socket.connect(exchange.target).await?;
    let mut buffer = [0; 4096];
    let mut wait = Duration::from_millis(timeout_ms.max(1));
    for _ in 0..attempts.max(1) {
        // A refused port shows here or on receiving; the NAS may be back for the next attempt.
        let _ = socket.send(&exchange.request).await;
        let until = Instant::now() + wait;
        loop {
            match timeout_at(until, socket.recv(&mut buffer)).await {
                Err(_) => break,
                Ok(Ok(len)) => {
                    if let Some(reply) = exchange.read(&buffer[..len]) {
                        return Ok(Some(reply));
                    }
                }
                Ok(Err(_)) => {
                    tokio::time::sleep_until(until).await;
                    break;
                }
            }
        }
        wait *= 2;
    }
    Ok(None)
}

impl Exchange {
    /// The reply, if the datagram is a signed answer to this request.
    fn read(&self, datagram: &[u8]) -> Option<Reply> {
        let key = self.nas.coa_key.as_ref().unwrap_or(self.client.keys().0);
        let packet = Packet::parse(datagram).ok()?;
        let request = Packet::parse(&self.request).ok()?;
        if packet.identifier() != request.identifier() {
            return None;
        }
        verify_response(&packet, request.authenticator(), key).ok()?;
        match packet.code() {
            Code::COA_ACK | Code::DISCONNECT_ACK => Some(Reply::Acknowledged),
            Code::COA_NAK | Code::DISCONNECT_NAK => Some(Reply::Refused(detail(&packet))),
            _ => None,
        }
    }
}

fn detail(packet: &Packet<'_>) -> String {
    let attributes = packet.attributes();
    let cause = attributes.first(attr::ERROR_CAUSE).and_then(value::integer);
    let shown: Vec<String> = attributes
        .iter()
        .filter(|a| a.kind != attr::MESSAGE_AUTHENTICATOR)
        .map(|a| dict::show(&a).to_string())
        .collect();
    match (cause, shown.is_empty()) {
        (None, true) => "no reason given".to_owned(),
        _ => shown.join(", "),
    }
}
