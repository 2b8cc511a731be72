//! Extended attributes (RFC 6929): types 241 to 246, each a space of 256 types of its own.
//!
//! ```text
//! 241..=244   type  length  extended-type  value
//! 245, 246    type  length  extended-type  flags  value      more = the first bit of flags
//! ```
//!
//! A value that is longer than one attribute is cut into fragments of the long spaces, which
//! follow each other; all but the last have the More bit (§2.2). Extended-Type 26 is
//! Vendor-Specific there, with four octets of vendor and one of type before the value (§2.4).

use crate::attributes::{Attribute, Attributes};
use crate::write::{Full, push};

const FIRST: u8 = 241;
const FIRST_LONG: u8 = 245;
const LAST: u8 = 246;
const MORE: u8 = 0x80;
/// What one fragment of a long space carries.
const FRAGMENT_OCTETS: usize = 253 - 2;

/// Whether a type is a space of further types.
pub fn is_extended(kind: u8) -> bool {
    (FIRST..=LAST).contains(&kind)
}

/// One piece: its space, its type, its part of the value, and whether more follows.
fn piece(attribute: Attribute<'_>) -> Option<(u8, u8, &[u8], bool)> {
    match (attribute.kind, attribute.value) {
        (FIRST..FIRST_LONG, [kind, value @ ..]) => Some((attribute.kind, *kind, value, false)),
        (FIRST_LONG..=LAST, [kind, flags, value @ ..]) => {
            Some((attribute.kind, *kind, value, flags & MORE != 0))
        }
        _ => None,
    }
}

/// Reads the first extended attribute of this space and type into `out`, its fragments put
/// together; false where there is none, or it breaks off: what lacks its end is nothing (§2.2).
pub fn first(attributes: Attributes<'_>, space: u8, kind: u8, out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut begun = false;
    for attribute in attributes {
        match piece(attribute) {
            Some((own, own_kind, value, more)) if (own, own_kind) == (space, kind) => {
                out.extend_from_slice(value);
                if !more {
                    return true;
                }
                begun = true;
            }
            // Fragments follow each other: anything between them breaks the value off.
            _ if begun => break,
            _ => {}
        }
    }
    out.clear();
    false
}

/// Appends an extended attribute, in as many fragments as it takes where its space is a long one.
pub fn push_extended(out: &mut Vec<u8>, space: u8, kind: u8, value: &[u8]) -> Result<(), Full> {
    let mut buffer = [0; 253];
    if space < FIRST_LONG {
        let octets_max = buffer.len() - 1;
        let Some(place) = buffer.get_mut(1..1 + value.len()) else {
            return Err(Full::Value { kind, octets: value.len(), octets_max });
        };
        place.copy_from_slice(value);
        buffer[0] = kind;
        return push(out, space, &buffer[..1 + value.len()]);
    }
    let mut rest = value;
    loop {
        let (part, after) = rest.split_at(rest.len().min(FRAGMENT_OCTETS));
        buffer[..2].copy_from_slice(&[kind, if after.is_empty() { 0 } else { MORE }]);
        buffer[2..2 + part.len()].copy_from_slice(part);
        push(out, space, &buffer[..2 + part.len()])?;
        rest = after;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], space: u8, kind: u8) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        first(Attributes::parse(bytes).unwrap(), space, kind, &mut out).then_some(out)
    }

    #[test]
    fn values_of_every_length_survive_fragments() {
        for octets in [0, 1, 250, 251, 252, 253, 502, 503, 1000, 4000] {
            let value: Vec<u8> = (0..octets).map(|n| n as u8).collect();
            let mut bytes = Vec::new();
            push(&mut bytes, 1, b"asha").unwrap();
            push_extended(&mut bytes, 245, 26, &value).unwrap();
            push_extended(&mut bytes, 241, 5, b"short").unwrap();
            assert_eq!(read(&bytes, 245, 26), Some(value), "{octets}");
            assert_eq!(read(&bytes, 241, 5), Some(b"short".to_vec()));
            assert_eq!(read(&bytes, 246, 26), None);
        }
    }

    #[test]
    fn the_octets_are_those_of_the_rfc() {
        // §2.1 and §2.2: type, length, extended type, flags, value.
        let mut bytes = Vec::new();
        push_extended(&mut bytes, 241, 1, b"bob").unwrap();
        push_extended(&mut bytes, 245, 1, b"bob").unwrap();
        assert_eq!(bytes, [241, 6, 1, b'b', b'o', b'b', 245, 7, 1, 0, b'b', b'o', b'b']);
        let long = [b'a'; 252];
        bytes.clear();
        push_extended(&mut bytes, 246, 9, &long).unwrap();
        assert_eq!(bytes[..4], [246, 255, 9, 0x80]);
        assert_eq!(bytes[255..], [246, 5, 9, 0, b'a']);
    }

    #[test]
    fn what_does_not_fit_or_breaks_off_is_no_value() {
        let mut bytes = Vec::new();
        assert!(push_extended(&mut bytes, 244, 1, &[0; 253]).is_err());
        assert!(bytes.is_empty());
        push_extended(&mut bytes, 244, 1, &[0; 252]).unwrap();
        // The end of a fragment that says that more follows; one with something in between.
        assert_eq!(read(&[245, 5, 1, 0x80, b'a'], 245, 1), None);
        let broken = [245, 5, 1, 0x80, b'a', 1, 3, b'x', 245, 5, 1, 0, b'b'];
        assert_eq!(read(&broken, 245, 1), None);
        // Too short for type and flags.
        assert_eq!(read(&[245, 3, 1, 241, 2], 245, 1), None);
        assert!(is_extended(241) && is_extended(246) && !is_extended(240) && !is_extended(247));
    }
}
