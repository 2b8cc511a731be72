//! Reply attributes: what an answer says over what the dialect says.

use radius_wire::dictionary::TextError;
use radius_wire::{Attribute, Attributes, Full, PACKET_OCTETS_MAX, attr, vendor};

use super::{Key, Line, LineError, Operator, definition};

const EXAMPLE: &str = "Mikrotik-Group := \"gold\"";

/// Attributes by which server and client prove themselves, or find each other's packets.
const RESERVED: [u8; 15] = [
    attr::USER_PASSWORD,
    attr::CHAP_PASSWORD,
    attr::STATE,
    attr::CLASS,
    attr::PROXY_STATE,
    attr::CHAP_CHALLENGE,
    attr::EAP_MESSAGE,
    attr::MESSAGE_AUTHENTICATOR,
    // Error-Cause (RFC 5176 §3.5), and what belongs to accounting alone.
    101,
    40,
    55,
    // Addresses: the fields of services have them, and see to it that nobody else does.
    8,
    97,
    123,
    168,
];

/// Service-Types that open the NAS's own console (RFC 2865 §5.6), which no plan offers.
const OF_THE_NAS: [u32; 4] = [6, 7, 9, 11];

/// Microsoft's that carry keys and proofs (RFC 2548 §2): all but policy and types of encryption
/// and the addresses of servers.
const RESERVED_OF_MICROSOFT: std::ops::RangeInclusive<u8> = 1..=27;
const FREE_OF_MICROSOFT: [u8; 4] = [7, 8, 13, 14];

/// A reply attribute, as it lies on the wire.
#[derive(Debug, Clone)]
pub struct Reply {
    operator: Operator,
    key: Key,
    /// Where the tag is in the value, and which it is.
    tag: Option<(usize, u8)>,
    octets: Box<[u8]>,
    line: Box<str>,
}

impl Reply {
    /// Compiles a line.
    pub fn compile(text: &str) -> Result<Self, LineError> {
        let line = Line::split(text, EXAMPLE)?;
        line.of_server()?;
        if !matches!(line.operator, Operator::AddUnlessThere | Operator::Replace | Operator::Add) {
            let (operator, wanted) = (line.operator.as_str(), "= := += are");
            return Err(LineError::Operator { operator, list: "reply", wanted });
        }
        if line.value.contains("%{") {
            return Err(LineError::Expansion);
        }
        let parsed = line.parse()?;
        let name = || parsed.name.clone().unwrap_or_else(|| parsed.number.to_string());
        let key = Key::of(&parsed)?;
        let of_microsoft = match &*key.prefix {
            [a, b, c, d, kind] if [*a, *b, *c, *d] == vendor::MICROSOFT.to_be_bytes() => {
                RESERVED_OF_MICROSOFT.contains(kind) && !FREE_OF_MICROSOFT.contains(kind)
            }
            _ => false,
        };
        let standard = key.prefix.is_empty() && RESERVED.contains(&key.kind);
        let service_type = key.prefix.is_empty() && key.kind == attr::SERVICE_TYPE;
        let console = <[u8; 4]>::try_from(&*parsed.value)
            .is_ok_and(|kind| OF_THE_NAS.contains(&u32::from_be_bytes(kind)));
        if standard
            || (service_type && console)
            || (key.kind == attr::VENDOR_SPECIFIC && of_microsoft)
        {
            return Err(LineError::Reserved(name()));
        }
        if parsed.encrypted {
            return Err(TextError::Encrypted(name()).into());
        }
        let octets = super::NAMES.encode(&parsed)?;
        let tag = match definition(&parsed) {
            Some(known) if known.flags.has_tag => {
                // The header of the attribute, and what stands before its value.
                let at = octets.len() - 2 - parsed.value.len();
                Some((at, tag_at(&octets[2..], at)))
            }
            _ => None,
        };
        let shown = format!("{} {} {}", line.name, line.operator.as_str(), line.value);
        Ok(Self { operator: line.operator, key, tag, octets: octets.into(), line: shown.into() })
    }

    /// As it was written.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The attribute with its header.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The attribute.
    pub fn attribute(&self) -> Attribute<'_> {
        Attribute { kind: self.key.kind, value: self.octets.get(2..).unwrap_or_default() }
    }

    fn is(&self, other: &Attribute<'_>) -> bool {
        self.key.is(other) && self.tag.is_none_or(|(at, tag)| tag_at(other.value, at) == tag)
    }

    /// Applies it to the attributes that lie in `packet` behind `from`. Does not allocate where
    /// `packet` has room.
    pub fn apply(&self, packet: &mut Vec<u8>, from: usize) -> Result<(), Full> {
        if self.operator == Operator::Replace {
            remove(packet, from, |own| self.is(own));
        } else if self.operator == Operator::AddUnlessThere {
            let there = packet.get(from..).unwrap_or_default();
            if Attributes::parse(there).is_ok_and(|all| all.iter().any(|own| self.is(&own))) {
                return Ok(());
            }
        }
        if packet.len() + self.octets.len() > PACKET_OCTETS_MAX {
            return Err(Full::Packet);
        }
        packet.extend_from_slice(&self.octets);
        Ok(())
    }
}

/// The tag of a value (RFC 2868 §3.1): 0 where it has none.
fn tag_at(value: &[u8], at: usize) -> u8 {
    value.get(at).copied().filter(|tag| *tag <= 0x1f).unwrap_or(0)
}

/// Takes attributes out, in place.
fn remove(packet: &mut Vec<u8>, from: usize, unwanted: impl Fn(&Attribute<'_>) -> bool) {
    let (mut read, mut write) = (from, from);
    // Every length was checked when it was written; one that lies ends the walk, and the rest
    // stays as it is.
    while let Some(&[kind, length]) = packet.get(read..).and_then(|rest| rest.first_chunk::<2>()) {
        let end = read + usize::from(length);
        let Some(value) = packet.get(read + 2..end) else { break };
        if !unwanted(&Attribute { kind, value }) {
            packet.copy_within(read..end, write);
            write += end - read;
        }
        read = end;
    }
    packet.drain(write..read);
}

/// Shortens the Session-Timeout of the attributes that lie in `packet` behind `from` to
/// `seconds`; `add`: one that is absent is added.
pub fn cap_session_timeout(
    packet: &mut Vec<u8>,
    from: usize,
    seconds: u32,
    add: bool,
) -> Result<(), Full> {
    let rest = packet.get(from..).unwrap_or_default();
    let Ok(attributes) = Attributes::parse(rest) else { return Ok(()) };
    // 0 is no limit to many a NAS, and of several each takes the one it likes.
    let short = |own: &[u8]| {
        let own = own.try_into().map_or(0, u32::from_be_bytes);
        (1..=seconds).contains(&own)
    };
    let done = match attributes.first(attr::SESSION_TIMEOUT) {
        Some(_) => attributes.all(attr::SESSION_TIMEOUT).all(short),
        None => !add,
    };
    if done || seconds == u32::MAX {
        return Ok(());
    }
    remove(packet, from, |own| own.kind == attr::SESSION_TIMEOUT);
    if packet.len() + 6 > PACKET_OCTETS_MAX {
        return Err(Full::Packet);
    }
    packet.extend_from_slice(&[attr::SESSION_TIMEOUT, 6]);
    packet.extend_from_slice(&seconds.to_be_bytes());
    Ok(())
}
