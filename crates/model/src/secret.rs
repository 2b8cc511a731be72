//! Values that do not print, and values sealed for travel.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A value in clear that must not reach a log: its `Debug` prints dots, it has no `Display`
/// and no `Serialize`, and its memory is overwritten when it goes.
///
/// There is no `PartialEq`: compare through [`Secret::same_as`], whose time does not depend on
/// where two values differ.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret<T: Zeroize = String>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place to look at in a review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Whether the other value is the same, in time that depends on the lengths alone.
    pub fn same_as(&self, other: &[u8]) -> bool {
        let own = self.0.as_ref();
        if own.len() != other.len() {
            return false;
        }
        let difference = own.iter().zip(other).fold(0u8, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

/// A secret encrypted and bound to its record, safe in a database, a stream, a snapshot or a
/// backup. `daemon::secrets::Keyring` seals and opens it.
///
/// The text is `1.KEY.BASE64`: format version, key id, then nonce and ciphertext together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.0.split('.').nth(1).unwrap_or("?");
        write!(f, "Sealed(key {key})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_and_compares() {
        let secret = Secret::from("testing123");
        assert!(!format!("{secret:?}").contains("testing"));
        assert!(secret.same_as(b"testing123"));
        assert!(!secret.same_as(b"testing124"));
        assert!(!secret.same_as(b"testing"));
    }
}
