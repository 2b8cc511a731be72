//! The access line a request came over, in the words of whoever puts it there.
//!
//! A DSLAM, OLT or DHCP relay names the line (RFC 3046, RFC 4679, Broadband Forum TR-101); the
//! NAS passes the names on in an attribute of its vendor's choice. They are octets that the
//! operator of the access node chose, and mean nothing else here.
//!
//! | attribute | circuit | remote |
//! |---|---|---|
//! | ADSL-Forum (3561) | 1 | 2 |
//! | Redback (2352), RouterOS for DHCP too | 97 | 96 |
//! | Cisco-AVPair (9/1) | `circuit-id-tag=` | `remote-id-tag=` |
//! | Cisco (9) Relay-Information-Option | 46, sub-option 1 | 46, sub-option 2 |
//! | Juniper ERX (4874) | 110 | 182 |
//! | Juniper ERX (4874) Dhcp-Option-82 | 159, sub-option 1 | 159, sub-option 2 |
//! | Juniper ERX (4874) Dhcp-Options | 55, option 82 inside | the same |
//! | Nokia SR OS (6527) ToServer-Dhcp-Options | 102, option 82 inside | the same |

use crate::attributes::{Attributes, VendorAttribute};
use crate::vendor;

const ERX: u32 = 4874;
const NOKIA: u32 = 6527;

/// DHCP's Relay Agent Information (RFC 3046 §2).
const OPTION_82: u8 = 82;
const PAD: u8 = 0;
const END: u8 = 255;

/// What a request says of its line. The first attribute to name it counts; empty values name
/// nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// Agent-Circuit-Id: the port of the access node.
    pub circuit: Option<&'a [u8]>,
    /// Agent-Remote-Id: the subscriber's end, as the access node names it.
    pub remote: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    /// Reads the attributes once.
    pub fn of(attributes: Attributes<'a>) -> Self {
        let mut line = Self::default();
        for found in attributes.vendor_iter() {
            let said = said_by(found);
            line.circuit = line.circuit.or(said.circuit.filter(|value| !value.is_empty()));
            line.remote = line.remote.or(said.remote.filter(|value| !value.is_empty()));
        }
        line
    }
}

fn said_by(found: VendorAttribute<'_>) -> Line<'_> {
    let circuit = |value| Line { circuit: Some(value), remote: None };
    let remote = |value| Line { circuit: None, remote: Some(value) };
    let value = found.value;
    match (found.vendor, found.kind) {
        (vendor::ADSL_FORUM, 1) | (vendor::REDBACK, 97) | (ERX, 110) => circuit(value),
        (vendor::ADSL_FORUM, 2) | (vendor::REDBACK, 96) | (ERX, 182) => remote(value),
        (vendor::CISCO, 1) => {
            if let Some(value) = value.strip_prefix(b"circuit-id-tag=") {
                circuit(value)
            } else if let Some(value) = value.strip_prefix(b"remote-id-tag=") {
                remote(value)
            } else {
                Line::default()
            }
        }
        (vendor::CISCO, 46) | (ERX, 159) => sub_options(value),
        (ERX, 55) | (NOKIA, 102) => option_82_in(value),
        _ => Line::default(),
    }
}

/// The sub-options of option 82, with or without the option's own code and length before them.
fn sub_options(value: &[u8]) -> Line<'_> {
    let inside = match value {
        [OPTION_82, length, inside @ ..] if usize::from(*length) == inside.len() => inside,
        _ => value,
    };
    let mut line = Line::default();
    let mut rest = inside;
    while let Some((code, value, after)) = split(rest) {
        match code {
            1 => line.circuit = line.circuit.or(Some(value)),
            2 => line.remote = line.remote.or(Some(value)),
            _ => {}
        }
        rest = after;
    }
    // A length that lies makes all of it doubtful.
    if rest.is_empty() { line } else { Line::default() }
}

/// Option 82 in a list of DHCP options (RFC 2132 §2).
fn option_82_in(options: &[u8]) -> Line<'_> {
    let mut rest = options;
    loop {
        rest = match rest {
            [] | [END, ..] => return Line::default(),
            [PAD, after @ ..] => after,
            _ => match split(rest) {
                Some((OPTION_82, value, _)) => return sub_options(value),
                Some((_, _, after)) => after,
                None => return Line::default(),
            },
        };
    }
}

/// Code, value and the rest; unlike an attribute's, the length does not count its own octets.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[code, length], rest) = bytes.split_first_chunk::<2>()?;
    let (value, after) = rest.split_at_checked(length.into())?;
    Some((code, value, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::push_vendor;

    fn line_of(attributes: &[(u32, u8, &[u8])]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let mut bytes = Vec::new();
        for (vendor, kind, value) in attributes {
            push_vendor(&mut bytes, *vendor, *kind, value).unwrap();
        }
        let line = Line::of(Attributes::parse(&bytes).unwrap());
        (line.circuit.map(<[u8]>::to_vec), line.remote.map(<[u8]>::to_vec))
    }

    #[test]
    fn every_vendors_way_of_naming_a_line_is_read() {
        let expected = (Some(b"olt1 eth 0/1".to_vec()), Some(b"ONT\x00\x01".to_vec()));
        let relay = [&[1, 12][..], b"olt1 eth 0/1", &[2, 5], b"ONT\x00\x01"].concat();
        let option = [&[OPTION_82, relay.len() as u8][..], &relay].concat();
        let options = [&[53, 1, 1, PAD][..], &option, &[END]].concat();
        for said in [
            vec![(3561, 1, &b"olt1 eth 0/1"[..]), (3561, 2, b"ONT\x00\x01")],
            vec![(2352, 97, b"olt1 eth 0/1"), (2352, 96, b"ONT\x00\x01")],
            vec![(9, 1, b"circuit-id-tag=olt1 eth 0/1"), (9, 1, b"remote-id-tag=ONT\x00\x01")],
            vec![(4874, 110, b"olt1 eth 0/1"), (4874, 182, b"ONT\x00\x01")],
            vec![(9, 46, &relay)],
            vec![(4874, 159, &option)],
            vec![(4874, 159, &relay)],
            vec![(4874, 55, &options)],
            vec![(6527, 102, &options)],
        ] {
            assert_eq!(line_of(&said), expected, "{said:?}");
        }
    }

    #[test]
    fn the_first_name_counts_and_an_empty_one_is_none() {
        let said = [(3561, 1, &b""[..]), (2352, 97, b"second"), (4874, 110, b"third")];
        assert_eq!(line_of(&said), (Some(b"second".to_vec()), None));
        assert_eq!(line_of(&[(9, 1, b"ip:addr-pool=x")]), (None, None));
    }

    #[test]
    fn an_option_whose_lengths_lie_names_nothing() {
        for bad in [&[1, 200, b'x'][..], &[1], &[1, 1, b'x', 2, 9], &[82, 3, 1, 9, b'x']] {
            assert_eq!(line_of(&[(4874, 159, bad)]), (None, None), "{bad:?}");
        }
        for bad in [&[82, 9, 1, 1, b'x'][..], &[53, 9], &[0, 0, 53], &[255, 82, 3, 1, 1, b'x']] {
            assert_eq!(line_of(&[(6527, 102, bad)]), (None, None), "{bad:?}");
        }
    }
}
