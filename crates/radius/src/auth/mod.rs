//! Proofs of a password: given in clear, hashed with a challenge, or as Microsoft does it.
//!
//! | in the request | check | needs stored |
//! |---|---|---|
//! | User-Password | [`pap_matches`], after [`unhide`](crate::password::unhide) | clear, or any hash of it |
//! | CHAP-Password | [`chap_matches`] | clear |
//! | MS-CHAP-Response | [`mschap1_matches`] | clear or NT hash |
//! | MS-CHAP2-Response | [`mschap2_verify`] | clear or NT hash |
//!
//! [`mppe`] turns a successful MS-CHAPv2 into the keys that encrypt the link.

pub mod mppe;
pub mod mschap;

use crate::hash::{md5_of, same};

pub use mppe::{Mppe, mppe_decrypt, mppe_encrypt};
pub use mschap::{
    authenticator_response, mschap1_matches, mschap2_response, mschap2_value, mschap2_verify,
    nt_hash,
};

/// Whether the password given is the one expected.
pub fn pap_matches(given: &[u8], expected: &[u8]) -> bool {
    same(given, expected)
}

/// Whether a CHAP-Password proves the password (RFC 2865 §2.2 and §5.3). The challenge is the
/// CHAP-Challenge attribute where there is one, else the request authenticator.
pub fn chap_matches(chap_password: &[u8; 17], challenge: &[u8], password: &[u8]) -> bool {
    same(&chap_response(chap_password[0], challenge, password), chap_password)
}

/// The CHAP-Password a client sends: the identifier, then MD5 over identifier, password and
/// challenge (RFC 1994 §4.1).
pub fn chap_response(identifier: u8, challenge: &[u8], password: &[u8]) -> [u8; 17] {
    let mut response = [identifier; 17];
    response[1..].copy_from_slice(&md5_of(&[&[identifier], password, challenge]));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chap_proves_the_password_for_its_challenge_alone() {
        let response = chap_response(22, b"challenge", b"secret");
        assert!(chap_matches(&response, b"challenge", b"secret"));
        assert!(!chap_matches(&response, b"challengf", b"secret"));
        assert!(!chap_matches(&response, b"challenge", b"Secret"));
        let mut other = response;
        other[0] = 23;
        assert!(!chap_matches(&other, b"challenge", b"secret"));
        // MD5 of 0x16 "secret" "challenge", computed elsewhere.
        let expected: u128 = 0x4b95382f3ceb8e87696c2f4749bcb482;
        assert_eq!(response[1..], expected.to_be_bytes());
    }

    #[test]
    fn pap_compares_the_whole_password() {
        assert!(pap_matches(b"secret", b"secret"));
        assert!(!pap_matches(b"secre", b"secret"));
        assert!(!pap_matches(b"", b"secret"));
    }
}
