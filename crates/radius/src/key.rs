//! A client's shared secret, ready for use.

use std::fmt;

use zeroize::Zeroizing;

use crate::hash::{HmacKey, md5_of, same};

/// The secret shared with one RADIUS client. Its HMAC states are computed once, when the
/// client is loaded; it never prints, and its memory is overwritten when it goes.
#[derive(Clone)]
pub struct ClientKey {
    secret: Zeroizing<Box<[u8]>>,
    hmac: HmacKey,
}

impl ClientKey {
    /// Takes the secret in.
    pub fn new(secret: &[u8]) -> Self {
        Self { secret: Zeroizing::new(secret.into()), hmac: HmacKey::new(secret) }
    }

    /// HMAC-MD5 under the secret over the pieces, as if they were one.
    pub fn hmac(&self, pieces: &[&[u8]]) -> [u8; 16] {
        self.hmac.of(pieces)
    }

    /// Whether this is the secret, compared in the same time wherever it differs.
    pub fn is_secret(&self, given: &[u8]) -> bool {
        same(given, &self.secret)
    }

    /// MD5 over the secret, then the pieces: what hides passwords and keys.
    pub(crate) fn md5_before(&self, first: &[u8], second: &[u8]) -> [u8; 16] {
        md5_of(&[&self.secret, first, second])
    }

    /// MD5 over the pieces, then the secret: what authenticators are made of.
    pub(crate) fn md5_after(&self, head: &[u8], authenticator: &[u8], rest: &[u8]) -> [u8; 16] {
        md5_of(&[head, authenticator, rest, &self.secret])
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print_its_secret() {
        assert_eq!(format!("{:?}", ClientKey::new(b"testing123")), "ClientKey(…)");
    }

    #[test]
    fn a_key_knows_its_secret_when_it_is_told() {
        let key = ClientKey::new(b"testing123");
        assert!(key.is_secret(b"testing123"));
        assert!(!key.is_secret(b"testing12") && !key.is_secret(b"testing124"));
    }

    #[test]
    fn the_stored_states_give_the_same_hmac_as_the_secret() {
        let key = ClientKey::new(b"Jefe");
        let expected = crate::hmac_md5(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(key.hmac(&[b"what do ya want ", b"for nothing?"]), expected);
        assert_eq!(key.clone().hmac(&[b"what do ya want for nothing?"]), expected);
    }
}
