//! `NAME=VALUE` from the command line, as an attribute.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use radius_wire::dict::{self, Data, Entry};
use radius_wire::{Full, Writer};

/// An attribute to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extra {
    /// 0 for the standard space.
    pub(super) vendor: u32,
    pub(super) kind: u8,
    value: Vec<u8>,
}

/// Why it is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExtraError {
    #[error("is not NAME=VALUE")]
    Form,
    #[error("no attribute has the name {0:?}")]
    Unknown(String),
    #[error("{0} is given by an option of its own")]
    Reserved(&'static str),
    #[error("{name} wants {wanted}")]
    Value { name: &'static str, wanted: &'static str },
    #[error("{0} cannot be given here")]
    Unsupported(&'static str),
}

/// What `radius test` writes itself.
const RESERVED: [&str; 6] = [
    "User-Name",
    "User-Password",
    "CHAP-Password",
    "CHAP-Challenge",
    "Message-Authenticator",
    "Vendor-Specific",
];

impl Extra {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self.vendor {
            0 => writer.attribute(self.kind, &self.value),
            vendor => writer.vendor(vendor, self.kind, &self.value),
        }
    }
}

impl FromStr for Extra {
    type Err = ExtraError;

    fn from_str(text: &str) -> Result<Self, ExtraError> {
        let (name, value) = text.split_once('=').ok_or(ExtraError::Form)?;
        let (name, value) = (name.trim(), value.trim());
        let entry = dict::find(name).ok_or_else(|| ExtraError::Unknown(name.to_owned()))?;
        if RESERVED.contains(&entry.name) {
            return Err(ExtraError::Reserved(entry.name));
        }
        Ok(Self { vendor: entry.vendor, kind: entry.kind, value: octets(entry, value)? })
    }
}

fn octets(entry: &Entry, text: &str) -> Result<Vec<u8>, ExtraError> {
    let wrong = |wanted| ExtraError::Value { name: entry.name, wanted };
    match entry.data {
        Data::Text => Ok(text.as_bytes().to_vec()),
        Data::Octets => match text.strip_prefix("0x") {
            Some(digits) => hex(digits).ok_or_else(|| wrong("0x and an even number of hex digits")),
            None => Ok(text.as_bytes().to_vec()),
        },
        Data::Integer | Data::Date => {
            let number = entry.value_of(text).or_else(|| text.parse().ok());
            let wanted =
                if entry.values.is_empty() { "a number" } else { "a number or a known name" };
            Ok(number.ok_or_else(|| wrong(wanted))?.to_be_bytes().to_vec())
        }
        Data::Ipv4 => {
            let address: Ipv4Addr = text.parse().map_err(|_| wrong("an IPv4 address"))?;
            Ok(address.octets().to_vec())
        }
        Data::Ipv6 => {
            let address: Ipv6Addr = text.parse().map_err(|_| wrong("an IPv6 address"))?;
            Ok(address.octets().to_vec())
        }
        Data::Ipv6Prefix => prefix(text).ok_or_else(|| wrong("an IPv6 prefix")),
        Data::InterfaceId | Data::TaggedInteger | Data::TaggedText => {
            Err(ExtraError::Unsupported(entry.name))
        }
    }
}

/// RFC 3162 §2.3.
fn prefix(text: &str) -> Option<Vec<u8>> {
    let (address, length) = text.split_once('/')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let length = length.parse().ok().filter(|length| *length <= 128)?;
    let mut value = vec![0, length];
    value.extend_from_slice(&address.octets()[..usize::from(length).div_ceil(8)]);
    Some(value)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let digits = digits?;
    if digits.is_empty() || digits.len() % 2 == 1 {
        return None;
    }
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Vec<u8> {
        text.parse::<Extra>().unwrap().value
    }

    #[test]
    fn values_are_read_as_the_dictionary_says() {
        assert_eq!(value("NAS-Port=7"), [0, 0, 0, 7]);
        assert_eq!(value("service-type = Framed-User"), [0, 0, 0, 2]);
        assert_eq!(value("Framed-IP-Address=10.0.0.1"), [10, 0, 0, 1]);
        assert_eq!(value("Class=0x00ff"), [0, 255]);
        assert_eq!(value("Class=abc"), b"abc");
        assert_eq!(value("Filter-Id=a=b"), b"a=b");
        assert_eq!(value("Framed-IPv6-Prefix=2001:db8::/32"), [0, 32, 0x20, 0x01, 0x0d, 0xb8]);
        let rate: Extra = "Mikrotik-Rate-Limit=1M/2M".parse().unwrap();
        assert_eq!((rate.vendor, rate.kind), (14988, 8));
    }

    #[test]
    fn what_is_no_attribute_is_named() {
        for (text, message) in [
            ("NAS-Port", "is not NAME=VALUE"),
            ("Shoe-Size=44", "no attribute has the name \"Shoe-Size\""),
            ("NAS-Port=x", "NAS-Port wants a number"),
            ("Service-Type=x", "Service-Type wants a number or a known name"),
            ("Framed-IP-Address=::1", "Framed-IP-Address wants an IPv4 address"),
            ("Class=0xf", "Class wants 0x and an even number of hex digits"),
            ("Framed-IPv6-Prefix=::/129", "Framed-IPv6-Prefix wants an IPv6 prefix"),
            ("User-Password=x", "User-Password is given by an option of its own"),
        ] {
            assert_eq!(text.parse::<Extra>().unwrap_err().to_string(), message, "{text}");
        }
    }
}
