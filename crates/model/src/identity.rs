//! What a packet may be recognised by.
//!
//! A service has any number of access identities. `value` is unique per kind in the whole
//! installation, because a packet names no organisation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{IdentityId, NasId, Sealed};

/// The four ways to be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// A user name with a password.
    Login,
    /// A hardware address: see [`MacAddress::write_key`].
    Mac,
    /// An access line, Agent-Circuit-Id or Agent-Remote-Id: see [`circuit_key`].
    Circuit,
    /// A port of a NAS, NAS-Port-Id: see [`port_key`].
    Port,
}

impl IdentityKind {
    /// Every kind, in the order they are looked for: the surest first.
    pub const ALL: [IdentityKind; 4] = [Self::Login, Self::Circuit, Self::Mac, Self::Port];

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Mac => "mac",
            Self::Circuit => "circuit",
            Self::Port => "port",
        }
    }
}

/// How the password of an identity is kept, each sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "sealed", rename_all = "snake_case")]
pub enum Credential {
    /// The password itself: every method works.
    Clear(Sealed),
    /// MD4 of the UTF-16 password (RFC 2759 §8.3): PAP and MS-CHAP work.
    NtHash(Sealed),
}

/// One way into a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity's own id; its credential is sealed to it.
    pub id: IdentityId,
    /// What kind of value it is.
    pub kind: IdentityKind,
    /// The normalised lookup key.
    pub value: String,
    /// The password, where one is needed.
    pub credential: Option<Credential>,
}

/// Longest login: User-Name carries at most 253 octets (RFC 2865 §5.1).
pub const LOGIN_OCTETS_MAX: usize = 253;

/// Writes the lookup key of a login into `out`: trimmed, ASCII letters in lower case (unless
/// `fold` is off). The original bytes stay with the caller: MS-CHAP hashes them.
///
/// Works on bytes, because a NAS may send any; the key of a name that is not UTF-8 matches
/// nothing. Does not allocate once `out` has grown.
pub fn login_key(name: &[u8], fold: bool, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(name.trim_ascii());
    if fold {
        out.make_ascii_lowercase();
    }
}

/// The lookup key of a login as text, for the side that stores it.
pub fn normalise_login(login: &str) -> String {
    login.trim().to_ascii_lowercase()
}

/// Writes the lookup key of a line into `out`: its octets as they are where all of them print,
/// else `0x` and hexadecimal digits. A name that begins with `0x` is written in digits as well,
/// so that no two lines have one key. Does not allocate once `out` has grown.
pub fn circuit_key(circuit: &[u8], out: &mut Vec<u8>) {
    out.clear();
    append_octets(circuit, out);
}

/// Writes the lookup key of a port into `out`: the NAS's id, a slash, and NAS-Port-Id written as
/// [`circuit_key`] writes a line.
pub fn port_key(nas: NasId, port: &[u8], out: &mut Vec<u8>) {
    use std::io::Write;
    out.clear();
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{nas}/");
    append_octets(port, out);
}

fn append_octets(octets: &[u8], out: &mut Vec<u8>) {
    let plain = octets.iter().all(|octet| matches!(octet, b' '..=b'~'));
    if plain && !octets.starts_with(b"0x") {
        out.extend_from_slice(octets);
        return;
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"0x");
    for octet in octets {
        out.push(DIGITS[usize::from(octet >> 4)]);
        out.push(DIGITS[usize::from(octet & 15)]);
    }
}

/// Octets a line's or a port's name may have: what one attribute carries (RFC 2865 §5).
pub const CIRCUIT_OCTETS_MAX: usize = 247;

/// The text is no name of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has 1 to {CIRCUIT_OCTETS_MAX} printable ASCII characters, or 0x and hexadecimal digits")]
pub struct CircuitError;

/// The lookup key of a line as staff write it: text, or `0x` and hexadecimal digits.
pub fn parse_circuit(text: &str) -> Result<String, CircuitError> {
    let text = text.trim();
    let octets = match text.strip_prefix("0x") {
        Some(digits) => octets_of(digits).ok_or(CircuitError)?,
        None if text.bytes().all(|b| matches!(b, b' '..=b'~')) => text.as_bytes().to_vec(),
        None => return Err(CircuitError),
    };
    if octets.is_empty() || octets.len() > CIRCUIT_OCTETS_MAX {
        return Err(CircuitError);
    }
    let mut key = Vec::new();
    circuit_key(&octets, &mut key);
    String::from_utf8(key).map_err(|_| CircuitError)
}

fn octets_of(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let pair = |[high, low]: &[u8; 2]| Some(hex(*high)? << 4 | hex(*low)?);
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
}

/// A hardware address of six octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress(pub [u8; 6]);

/// The text is not a MAC address in any spelling we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a MAC address has 12 hexadecimal digits, with or without separators")]
pub struct MacError;

impl MacAddress {
    /// Reads every usual spelling: `AA:BB:CC:DD:EE:FF`, dashes, dots (`aabb.ccdd.eeff`), none,
    /// and RouterOS's DHCP client id, a leading type octet and unpadded parts
    /// (`1:0:e1:c:38:c8:f8`).
    pub fn parse(text: &[u8]) -> Result<Self, MacError> {
        let text = text.trim_ascii();
        let separated = text.iter().any(|b| matches!(b, b':' | b'-'));
        if separated { Self::parse_parts(text) } else { Self::parse_digits(text) }
    }

    fn parse_digits(text: &[u8]) -> Result<Self, MacError> {
        let mut mac = [0u8; 6];
        let mut count = 0;
        for byte in text.iter().filter(|b| **b != b'.') {
            let digit = hex(*byte).ok_or(MacError)?;
            let slot = mac.get_mut(count / 2).ok_or(MacError)?;
            *slot = (*slot << 4) | digit;
            count += 1;
        }
        if count == 12 { Ok(Self(mac)) } else { Err(MacError) }
    }

    fn parse_parts(text: &[u8]) -> Result<Self, MacError> {
        let mut octets = [0u8; 7];
        let mut count = 0;
        for part in text.split(|b| matches!(b, b':' | b'-')) {
            let slot = octets.get_mut(count).ok_or(MacError)?;
            if part.is_empty() || part.len() > 2 {
                return Err(MacError);
            }
            for byte in part {
                *slot = (*slot << 4) | hex(*byte).ok_or(MacError)?;
            }
            count += 1;
        }
        match (count, octets) {
            (6, [a, b, c, d, e, f, _]) => Ok(Self([a, b, c, d, e, f])),
            // Type 1 is Ethernet (RFC 2132 §9.14).
            (7, [1, a, b, c, d, e, f]) => Ok(Self([a, b, c, d, e, f])),
            _ => Err(MacError),
        }
    }

    /// The twelve lower-case digits used as a lookup key.
    pub fn key(self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Writes the lookup key into `out`; does not allocate once `out` has grown.
    pub fn write_key(self, out: &mut Vec<u8>) {
        use std::io::Write;
        out.clear();
        for octet in self.0 {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{octet:02x}");
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|d| d as u8)
}

impl FromStr for MacAddress {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_mac_is_one_mac() {
        let expected = MacAddress([0x00, 0xe1, 0x0c, 0x38, 0xc8, 0xf8]);
        for text in [
            "00:E1:0C:38:C8:F8",
            "00-e1-0c-38-c8-f8",
            "00e1.0c38.c8f8",
            "00e10c38c8f8",
            "1:0:e1:c:38:c8:f8",
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for bad in ["", "00:e1:0c:38:c8", "2:0:e1:c:38:c8:f8", "00e10c38c8f80", "gg:e1:0c:38:c8:f8"]
        {
            assert_eq!(bad.parse::<MacAddress>(), Err(MacError), "{bad}");
        }
    }

    #[test]
    fn a_line_is_one_key_whatever_octets_it_has() {
        let key = |octets: &[u8]| {
            let mut out = Vec::new();
            circuit_key(octets, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(key(b"olt1 eth 0/1:100"), "olt1 eth 0/1:100");
        assert_eq!(key(b"\x00\x04ab"), "0x00046162");
        // What looks like digits is not taken for them.
        assert_eq!(key(b"0x6162"), "0x307836313632");
        for (text, expected) in [
            (" olt1 eth 0/1:100 ", "olt1 eth 0/1:100"),
            ("0x00046162", "0x00046162"),
            // Digits of what prints are the text.
            ("0x6162", "ab"),
            ("0xABCD", "0xabcd"),
        ] {
            assert_eq!(parse_circuit(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in ["", "  ", "0x", "0x1", "0xgg", "caf\u{e9}", &"x".repeat(248)] {
            assert_eq!(parse_circuit(bad), Err(CircuitError), "{bad}");
        }
    }

    #[test]
    fn a_port_is_its_nass_alone() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        port_key(NasId(uuid::Uuid::from_u128(1)), b"ether1", &mut one);
        port_key(NasId(uuid::Uuid::from_u128(2)), b"ether1", &mut two);
        assert_ne!(one, two);
        assert!(one.ends_with(b"/ether1") && one.starts_with(b"nas_"));
    }

    #[test]
    fn a_mac_key_is_the_same_written_or_returned() {
        let mac = MacAddress([0, 0xe1, 0x0c, 0x38, 0xc8, 0xf8]);
        let mut key = b"before".to_vec();
        mac.write_key(&mut key);
        assert_eq!(key, mac.key().into_bytes());
    }

    #[test]
    fn a_login_key_is_trimmed_and_folded() {
        let mut key = Vec::new();
        login_key(b" Asha@Example \n", true, &mut key);
        assert_eq!(key, b"asha@example");
        login_key(b"Asha", false, &mut key);
        assert_eq!(key, b"Asha");
        assert_eq!(normalise_login(" Asha "), "asha");
    }
}
