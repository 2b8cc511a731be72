//! Addresses and ports nobody else uses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

/// A loopback address of one lab's own, and ports on it.
///
/// Tests run side by side, each in a process. A port that was free a moment ago may be another
/// test's by now; an address made of the process's id cannot be.
#[derive(Debug)]
pub struct Place {
    address: Ipv4Addr,
    next_port: AtomicU16,
}

/// The first port to try: below the range the kernel takes ports for clients from.
const FIRST_PORT: u16 = 20_000;

impl Place {
    /// An address no other lab has.
    pub fn new() -> Self {
        static LABS: AtomicU8 = AtomicU8::new(0);
        // The second octet counts the labs of this process, away from 127.0.x.x, which tests
        // use for NAS; the last two are the process's id, as far as they hold it.
        let lab = LABS.fetch_add(1, Ordering::Relaxed) % 120 + 1;
        let pid = std::process::id();
        let address = Ipv4Addr::new(127, lab | 0x80, (pid >> 8) as u8, pid as u8);
        Self { address, next_port: AtomicU16::new(FIRST_PORT) }
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// A port that is free for UDP and TCP, and is given out once.
    pub fn port(&self) -> SocketAddr {
        loop {
            let port = self.next_port.fetch_add(1, Ordering::Relaxed);
            let address = SocketAddr::from((self.address, port));
            // A wildcard listener of this machine may have it.
            if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
                return address;
            }
            assert!(port < 30_000, "no free port on {}", self.address);
        }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_share_no_address_and_one_lab_no_port() {
        let (a, b) = (Place::new(), Place::new());
        assert_ne!(a.address(), b.address());
        assert!(a.address().is_loopback());
        let ports = [a.port(), a.port(), a.port()];
        assert!(ports[0] != ports[1] && ports[1] != ports[2]);
    }
}
