//! A datagram as a RADIUS packet (RFC 2865 §3).
//!
//! ```text
//! octet 0     code
//!       1     identifier
//!       2..4  length, 20 to 4096, header included
//!       4..20 authenticator
//!       20..  attributes
//! ```

use std::fmt;

use crate::attr;
use crate::attributes::{Attributes, walk};

/// Octets before the attributes.
pub const HEADER_OCTETS: usize = 20;

/// The largest packet.
pub const PACKET_OCTETS_MAX: usize = 4096;

/// What kind of packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u8);

impl Code {
    /// Asks whether a user may in.
    pub const ACCESS_REQUEST: Self = Self(1);
    /// The user may in.
    pub const ACCESS_ACCEPT: Self = Self(2);
    /// The user may not.
    pub const ACCESS_REJECT: Self = Self(3);
    /// Reports a session.
    pub const ACCOUNTING_REQUEST: Self = Self(4);
    /// The report is safe.
    pub const ACCOUNTING_RESPONSE: Self = Self(5);
    /// Asks the user something more.
    pub const ACCESS_CHALLENGE: Self = Self(11);
    /// Asks whether the server lives (RFC 5997).
    pub const STATUS_SERVER: Self = Self(12);
    /// Reserved.
    pub const STATUS_CLIENT: Self = Self(13);
    /// Ends a session (RFC 5176).
    pub const DISCONNECT_REQUEST: Self = Self(40);
    /// The session is ended.
    pub const DISCONNECT_ACK: Self = Self(41);
    /// It is not.
    pub const DISCONNECT_NAK: Self = Self(42);
    /// Changes a session (RFC 5176).
    pub const COA_REQUEST: Self = Self(43);
    /// The session is changed.
    pub const COA_ACK: Self = Self(44);
    /// It is not.
    pub const COA_NAK: Self = Self(45);
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ACCESS_REQUEST => "Access-Request",
            Self::ACCESS_ACCEPT => "Access-Accept",
            Self::ACCESS_REJECT => "Access-Reject",
            Self::ACCOUNTING_REQUEST => "Accounting-Request",
            Self::ACCOUNTING_RESPONSE => "Accounting-Response",
            Self::ACCESS_CHALLENGE => "Access-Challenge",
            Self::STATUS_SERVER => "Status-Server",
            Self::STATUS_CLIENT => "Status-Client",
            Self::DISCONNECT_REQUEST => "Disconnect-Request",
            Self::DISCONNECT_ACK => "Disconnect-ACK",
            Self::DISCONNECT_NAK => "Disconnect-NAK",
            Self::COA_REQUEST => "CoA-Request",
            Self::COA_ACK => "CoA-ACK",
            Self::COA_NAK => "CoA-NAK",
            Self(other) => return write!(f, "code {other}"),
        })
    }
}

/// Why a datagram is not a RADIUS packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Shorter than a header.
    #[error("datagram of {octets} octets is shorter than a RADIUS header")]
    Short {
        /// Octets received.
        octets: usize,
    },
    /// The Length field is below 20 or above 4096.
    #[error("length field says {length}, outside 20 to 4096")]
    Length {
        /// What the field says.
        length: u16,
    },
    /// The datagram ends before Length.
    #[error("length field says {length}, but only {octets} octets came")]
    Truncated {
        /// What the field says.
        length: u16,
        /// Octets received.
        octets: usize,
    },
    /// An attribute's length is below 2, or runs past the end.
    #[error("attribute at octet {offset} has a length that cannot be")]
    Attribute {
        /// Where the attribute begins, counted from the start of the packet.
        offset: usize,
    },
}

/// What parsing learned about the Message-Authenticator in passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageAuthenticator {
    Absent,
    /// Its value begins at this octet of the packet.
    At(usize),
    /// Not sixteen octets, or more than one: no rule says which to believe.
    Malformed,
}

/// A well-formed packet, borrowed from its datagram. Well-formed is not authentic: whatever it
/// says is a stranger's word until a function of [`verify`](crate::verify) has proven it.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    header: &'a [u8; HEADER_OCTETS],
    message_authenticator: MessageAuthenticator,
    has_eap: bool,
}

impl<'a> Packet<'a> {
    /// Checks every length of the datagram. Octets after Length are padding and are cut off.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let octets = datagram.len();
        let Some(&[_, _, high, low]) = datagram.first_chunk::<4>() else {
            return Err(ParseError::Short { octets });
        };
        if octets < HEADER_OCTETS {
            return Err(ParseError::Short { octets });
        }
        let length = u16::from_be_bytes([high, low]);
        if !(HEADER_OCTETS..=PACKET_OCTETS_MAX).contains(&usize::from(length)) {
            return Err(ParseError::Length { length });
        }
        let truncated = ParseError::Truncated { length, octets };
        let bytes = datagram.get(..usize::from(length)).ok_or(truncated)?;
        let (header, attributes) = bytes.split_first_chunk().ok_or(truncated)?;

        let mut message_authenticator = MessageAuthenticator::Absent;
        let mut has_eap = false;
        walk(attributes, |offset, attribute| match attribute.kind {
            attr::MESSAGE_AUTHENTICATOR => {
                message_authenticator = match message_authenticator {
                    MessageAuthenticator::Absent if attribute.value.len() == 16 => {
                        MessageAuthenticator::At(HEADER_OCTETS + offset + 2)
                    }
                    _ => MessageAuthenticator::Malformed,
                }
            }
            attr::EAP_MESSAGE => has_eap = true,
            _ => {}
        })
        .map_err(|offset| ParseError::Attribute { offset: HEADER_OCTETS + offset })?;
        Ok(Self { bytes, header, message_authenticator, has_eap })
    }

    /// What kind of packet it is.
    pub fn code(&self) -> Code {
        Code(self.header[0])
    }

    /// The number that matches an answer to its request.
    pub fn identifier(&self) -> u8 {
        self.header[1]
    }

    /// The authenticator.
    pub fn authenticator(&self) -> &'a [u8; 16] {
        // Sixteen octets always follow the first four of twenty.
        self.header.last_chunk().unwrap_or(&[0; 16])
    }

    /// The whole packet, padding cut off.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::of_checked(&self.bytes[HEADER_OCTETS..])
    }

    pub(crate) fn message_authenticator(&self) -> MessageAuthenticator {
        self.message_authenticator
    }

    pub(crate) fn has_eap(&self) -> bool {
        self.has_eap
    }
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("code", &format_args!("{}", self.code()))
            .field("identifier", &self.identifier())
            .field("attributes", &self.attributes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u16) -> Vec<u8> {
        let mut bytes = vec![1, 7];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0xab; 16]);
        bytes
    }

    #[test]
    fn codes_print_as_the_rfcs_call_them() {
        assert_eq!(Code(43).to_string(), "CoA-Request");
        assert_eq!(Code::ACCESS_REJECT.to_string(), "Access-Reject");
        assert_eq!(Code(99).to_string(), "code 99");
    }

    #[test]
    fn the_header_is_read_and_padding_is_cut_off() {
        let mut datagram = header(25);
        datagram.extend([1, 5, b'b', b'o', b'b', 0, 0, 0xff]);
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(packet.code(), Code::ACCESS_REQUEST);
        assert_eq!(packet.identifier(), 7);
        assert_eq!(packet.authenticator(), &[0xab; 16]);
        assert_eq!(packet.bytes(), &datagram[..25]);
        assert_eq!(packet.attributes().text(attr::USER_NAME), Some("bob"));
    }

    #[test]
    fn lengths_that_lie_are_refused_each_in_its_own_words() {
        assert_eq!(Packet::parse(&[]).unwrap_err(), ParseError::Short { octets: 0 });
        assert_eq!(Packet::parse(&[1; 19]).unwrap_err(), ParseError::Short { octets: 19 });
        for length in [0, 19, 4097, 65535] {
            let mut datagram = header(length);
            datagram.resize(5000, 0);
            assert_eq!(Packet::parse(&datagram).unwrap_err(), ParseError::Length { length });
        }
        assert_eq!(
            Packet::parse(&header(21)).unwrap_err(),
            ParseError::Truncated { length: 21, octets: 20 }
        );
        let mut datagram = header(23);
        datagram.extend([1, 4, 0]);
        assert_eq!(Packet::parse(&datagram).unwrap_err(), ParseError::Attribute { offset: 20 });
    }

    #[test]
    fn the_smallest_and_the_largest_packet_are_packets() {
        assert!(Packet::parse(&header(20)).unwrap().attributes().is_empty());
        let mut datagram = header(4096);
        while datagram.len() < 4096 {
            let length = (4096 - datagram.len()).min(254);
            datagram.extend([33, length as u8]);
            datagram.resize(datagram.len() + length - 2, 0);
        }
        assert_eq!(Packet::parse(&datagram).unwrap().attributes().iter().count(), 17);
    }
}
