//! The requests, written before the clock starts: while it runs, sending one costs a system call
//! and nothing else.
//!
//! Request `n` has identifier `n mod 256`, since the Message-Authenticator covers it. They are a
//! multiple of 256, and that multiple shares no factor with the number of sockets: so the same
//! request leaves the same socket again only after *requests × sockets*, and a server's duplicate
//! cache has forgotten it.

use radius_wire::attr::{self, microsoft};
use radius_wire::auth::{chap_response, mschap2_response, mschap2_value, nt_hash};
use radius_wire::{ClientKey, Code, Full, Writer, vendor};

use super::BenchError;
use super::generator::IDENTIFIERS;
use super::logins::Logins;

/// Most logins: their requests take a quarter of a gigabyte.
pub(super) const COUNT_MAX: i64 = 1_000_000;
/// Fewest requests: fewer logins ask several times, each time with another authenticator.
const REQUESTS_MIN: u32 = 16_384;

/// How passwords are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[value(rename_all = "lower")]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    /// The password itself, hidden under the secret
    Pap,
    /// MD5 over a challenge
    Chap,
    /// MS-CHAPv2
    MsChapV2,
}

/// Requests of all logins, one after the other in memory.
#[derive(Debug)]
pub(super) struct Packets {
    bytes: Vec<u8>,
    /// Where each begins, and where the last one ends.
    starts: Vec<usize>,
}

impl Packets {
    /// Writes at least one request for each login.
    pub(super) fn write(
        logins: &Logins,
        count: u32,
        method: Method,
        sockets: u32,
        key: &ClientKey,
    ) -> Result<Self, BenchError> {
        let mut rounds = count.max(REQUESTS_MIN).div_ceil(IDENTIFIERS);
        while gcd(rounds, sockets) != 1 {
            rounds += 1;
        }
        let requests = rounds * IDENTIFIERS;
        let mut packets = Self { bytes: Vec::new(), starts: vec![0] };
        let (mut login, mut password, mut buf) = (String::new(), String::new(), Vec::new());
        for request in 0..requests {
            let number = request % count;
            logins.write(number, &mut login, &mut password);
            // The identifier is the number's lowest octet.
            write(request as u8, number, &login, &password, method, key, &mut buf)
                .map_err(|source| BenchError::Request { login: login.clone(), source })?;
            packets.bytes.extend_from_slice(&buf);
            packets.starts.push(packets.bytes.len());
        }
        Ok(packets)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.starts.len() as u64 - 1
    }

    /// Octets of an average one.
    pub(super) fn octets(&self) -> usize {
        self.bytes.len() / (self.starts.len() - 1)
    }

    /// The one with this index.
    pub(super) fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.starts[index]..self.starts[index + 1]]
    }

    /// Its authenticator.
    pub(super) fn authenticator(&self, index: usize) -> &[u8; 16] {
        // Every request has a header of twenty octets.
        self.get(index)[4..].first_chunk().unwrap_or(&[0; 16])
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// One Access-Request, as a NAS with PPPoE subscribers sends it.
fn write(
    identifier: u8,
    number: u32,
    login: &str,
    password: &str,
    method: Method,
    key: &ClientKey,
    buf: &mut Vec<u8>,
) -> Result<(), Full> {
    let [authenticator, challenge, peer]: [[u8; 16]; 3] = random_blocks();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, identifier, &authenticator, buf);
    writer.message_authenticator()?;
    writer.text(attr::USER_NAME, login)?;
    match method {
        Method::Pap => writer.user_password(password.as_bytes(), key)?,
        Method::Chap => {
            let response = chap_response(identifier, &challenge, password.as_bytes());
            writer.attribute(attr::CHAP_CHALLENGE, &challenge)?;
            writer.attribute(attr::CHAP_PASSWORD, &response)?;
        }
        Method::MsChapV2 => {
            let hash = nt_hash(password);
            let response = mschap2_response(login.as_bytes(), &challenge, &peer, &hash);
            let response = mschap2_value(identifier, &peer, &response);
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP_CHALLENGE, &challenge)?;
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP2_RESPONSE, &response)?;
        }
    }
    let [_, a, b, c] = number.to_be_bytes();
    writer.text(attr::CALLING_STATION_ID, &format!("02:00:00:{a:02X}:{b:02X}:{c:02X}"))?;
    writer.text(attr::NAS_IDENTIFIER, "bench")?;
    writer.attribute_u32(attr::NAS_PORT, number)?;
    writer.attribute_u32(attr::SERVICE_TYPE, 2)?;
    writer.attribute_u32(attr::FRAMED_PROTOCOL, 1)?;
    writer.finish_access_request(key);
    Ok(())
}

/// Three times sixteen random octets for one call of the system.
fn random_blocks() -> [[u8; 16]; 3] {
    let octets: [u8; 48] = daemon::secrets::random();
    let mut blocks = [[0; 16]; 3];
    blocks.as_flattened_mut().copy_from_slice(&octets);
    blocks
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use radius_wire::{Packet, verify_access_request};

    use super::*;

    #[test]
    fn every_login_has_a_signed_request_and_none_is_like_another() {
        let logins: Logins = "u%07d:p%07d".parse().unwrap();
        let key = ClientKey::new(b"s");
        for method in [Method::Pap, Method::Chap, Method::MsChapV2] {
            let packets = Packets::write(&logins, 300, method, 8, &key).unwrap();
            let mut names = HashSet::new();
            let mut authenticators = HashSet::new();
            for index in 0..packets.len() as usize {
                let packet = Packet::parse(packets.get(index)).unwrap();
                assert_eq!(usize::from(packet.identifier()), index % 256);
                assert!(verify_access_request(&packet, &key).unwrap().signed());
                names.insert(packet.attributes().text(attr::USER_NAME).unwrap().to_owned());
                authenticators.insert(*packets.authenticator(index));
            }
            assert_eq!(names.len(), 300);
            assert_eq!(authenticators.len() as u64, packets.len());
        }
    }

    #[test]
    fn a_request_meets_every_socket_before_it_meets_one_again() {
        let logins: Logins = "u%d:p%d".parse().unwrap();
        for sockets in [1, 2, 6, 32] {
            let packets =
                Packets::write(&logins, 1, Method::Pap, sockets, &ClientKey::new(b"s")).unwrap();
            let (rounds, sockets) = (packets.len() / 256, u64::from(sockets));
            let met: HashSet<u64> = (0..sockets).map(|turn| (turn * rounds) % sockets).collect();
            assert_eq!(met.len() as u64, sockets);
        }
    }
}
