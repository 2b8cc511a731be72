//! Class: the evidence a session carries of what it was given (RFC 2865 §5.25).
//!
//! 48 printable characters, the base64url of 36 octets:
//!
//! | octets | field |
//! |---|---|
//! | 1 | format, 1 |
//! | 16 | service |
//! | 8 | policy hash |
//! | 4 | when it was minted, seconds since 1970-01-01 |
//! | 7 | HMAC-SHA-256 of the above, cut |
//!
//! It is evidence, never the key of a session: re-authentication may change it mid-session,
//! and several sessions may share one.

use daemon::base64;
use model::{ServiceId, Ts};
use ring::hmac;
use uuid::Uuid;

/// Characters of a Class.
pub(crate) const CLASS_OCTETS: usize = 48;
const FORMAT: u8 = 1;
const SIGNED: usize = 29;
const TAG: usize = 7;
const RAW: usize = SIGNED + TAG;

/// What a Class says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    /// The service that was let in.
    pub(crate) service: ServiceId,
    /// Hash of the policy it was given.
    pub(crate) policy_hash: u64,
    /// When, in whole seconds.
    pub(crate) minted: Ts,
}

/// Signs and checks.
pub(crate) struct ClassKey(hmac::Key);

impl ClassKey {
    /// A key from 32 octets that all nodes share.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Writes the Class.
    pub(crate) fn mint(&self, class: Class) -> [u8; CLASS_OCTETS] {
        let mut raw = [0; RAW];
        raw[0] = FORMAT;
        raw[1..17].copy_from_slice(class.service.0.as_bytes());
        raw[17..25].copy_from_slice(&class.policy_hash.to_be_bytes());
        raw[25..29].copy_from_slice(&(class.minted.seconds() as u32).to_be_bytes());
        let tag = hmac::sign(&self.0, &raw[..SIGNED]);
        raw[SIGNED..].copy_from_slice(&tag.as_ref()[..TAG]);
        let mut text = [0; CLASS_OCTETS];
        base64::encode_url_into(&raw, &mut text);
        text
    }

    /// Reads a Class of ours; nothing for any other's, or one that was changed.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Class> {
        if text.len() != CLASS_OCTETS {
            return None;
        }
        let mut raw = [0; RAW];
        if base64::decode_url_into(text, &mut raw)? != RAW || raw[0] != FORMAT {
            return None;
        }
        let tag = hmac::sign(&self.0, &raw[..SIGNED]);
        if !daemon::secrets::constant_time_eq(&tag.as_ref()[..TAG], &raw[SIGNED..]) {
            return None;
        }
        let mut service = [0; 16];
        service.copy_from_slice(&raw[1..17]);
        let mut hash = [0; 8];
        hash.copy_from_slice(&raw[17..25]);
        let mut minted = [0; 4];
        minted.copy_from_slice(&raw[25..29]);
        Some(Class {
            service: ServiceId(Uuid::from_bytes(service)),
            policy_hash: u64::from_be_bytes(hash),
            minted: Ts::from_seconds(u32::from_be_bytes(minted).into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_reads_back_and_a_changed_one_does_not() {
        let key = ClassKey::new(&[7; 32]);
        let class = Class {
            service: ServiceId::generate(),
            policy_hash: 0x0123_4567_89ab_cdef,
            minted: Ts::from_seconds(1_772_357_400),
        };
        let text = key.mint(class);
        assert!(text.iter().all(u8::is_ascii_graphic));
        assert_eq!(key.read(&text), Some(class));
        for at in 0..text.len() {
            let mut changed = text;
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.read(&changed), None, "octet {at}");
        }
        assert_eq!(ClassKey::new(&[8; 32]).read(&text), None);
        assert_eq!(key.read(b"short"), None);
    }
}
