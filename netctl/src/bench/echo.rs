//! The other end of the scale: a server that receives, turns around and sends. What it costs is
//! what the system's sockets cost; no RADIUS server that handles one datagram at a time can
//! cost less.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use radius_wire::{Code, PACKET_OCTETS_MAX};

use super::BenchError;

/// Arguments of `bench echo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1812")]
    pub(super) listen: SocketAddr,

    /// Octets of an answer: those of the server it is compared with
    #[arg(long, value_name = "N", default_value_t = 96)]
    #[arg(value_parser = clap::value_parser!(u16).range(20..=PACKET_OCTETS_MAX as i64))]
    pub(super) reply_octets: u16,
}

/// Answers until it is killed.
pub(super) fn serve(args: &Args) -> Result<Infallible, BenchError> {
    let address = args.listen;
    if !address.ip().is_loopback() {
        return Err(BenchError::OpenEcho(address));
    }
    let socket =
        UdpSocket::bind(address).map_err(|source| BenchError::Listen { address, source })?;
    answer(&socket, args.reply_octets).map_err(BenchError::Receive)
}

/// Answers everything long enough to have an identifier with an Access-Accept.
pub(super) fn answer(socket: &UdpSocket, reply_octets: u16) -> io::Result<Infallible> {
    let mut buf = [0; PACKET_OCTETS_MAX];
    loop {
        let (octets, from) = socket.recv_from(&mut buf)?;
        if octets < 20 {
            continue;
        }
        buf[0] = Code::ACCESS_ACCEPT.0;
        buf[2..4].copy_from_slice(&reply_octets.to_be_bytes());
        // An answer that cannot be sent is a lost one, as with any server.
        let _ = socket.send_to(&buf[..usize::from(reply_octets)], from);
    }
}
