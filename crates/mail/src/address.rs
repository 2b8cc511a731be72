//! What is an address (RFC 5321 §4.1.2), and what only looks like one.

use std::fmt;
use std::str::FromStr;

/// Longest address, octets (RFC 5321 §4.5.3.1.3, less the angle brackets).
const OCTETS_MAX: usize = 254;
/// Longest part before the at sign, octets (RFC 5321 §4.5.3.1.1).
const LOCAL_OCTETS_MAX: usize = 64;

/// An address that a mail server can be told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(lettre::Address);

/// The text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is too long.
    #[error("is longer than an e-mail address may be")]
    TooLong,
    /// It is something else.
    #[error("is not an e-mail address, such as asha@example.net")]
    Shape,
    /// A character that most servers refuse.
    #[error("has characters other than a-z, 0-9 and signs; write the domain in its xn-- form")]
    NotAscii,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > OCTETS_MAX {
            return Err(AddressError::TooLong);
        }
        // Before anything else: no such character reaches a command or a header.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(AddressError::Shape);
        }
        if !text.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Shape)?;
        if local.len() > LOCAL_OCTETS_MAX {
            return Err(AddressError::TooLong);
        }
        // Quoted local parts and address literals are legal, and nobody has them.
        let odd = |c: char| "\"(),:;<>@[\\]".contains(c);
        if local.contains(odd) || domain.contains(odd) || !domain.contains('.') {
            return Err(AddressError::Shape);
        }
        let address = lettre::Address::new(local, domain).map_err(|_| AddressError::Shape)?;
        Ok(Self(address))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Address {
    /// What comes after the at sign.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(crate) fn inner(&self) -> &lettre::Address {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_only_looks_like_them() {
        for good in ["asha@example.net", "a.b+c@mail.example.net", "o'brien@xn--bcher-kva.example"]
        {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "asha",
            "@example.net",
            "asha@",
            "asha@net",
            "a b@example.net",
            "asha@example.net\r\nBcc: all@example.net",
            "asha@example.net\nRCPT TO:<x@example.net>",
            "asha\u{0}@example.net",
            "<asha@example.net>",
            "Asha <asha@example.net>",
            "\"a b\"@example.net",
            "asha@[127.0.0.1]",
            "asha@example..net",
            "a@b@example.net",
            "asha@example.net,b@example.net",
            "asha@bücher.example",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
        let long = format!("{}@example.net", "a".repeat(65));
        assert_eq!(long.parse::<Address>(), Err(AddressError::TooLong));
        let long = format!("a@{}.net", "b.".repeat(130));
        assert_eq!(long.parse::<Address>(), Err(AddressError::TooLong));
    }
}
