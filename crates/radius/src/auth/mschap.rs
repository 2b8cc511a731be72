//! MS-CHAP (RFC 2433) and MS-CHAPv2 (RFC 2759), in the attributes of RFC 2548 §2.
//!
//! Everything rests on the NT hash, MD4 over the password in UTF-16: whoever holds it can log
//! in, so it is as secret as the password. The LAN Manager response of version 1 is refused:
//! it proves next to nothing.

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use md4::{Digest, Md4};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::hash::same;

/// The fields of MS-CHAP2-Response (RFC 2548 §2.3.2).
pub(crate) struct Fields {
    ident: u8,
    peer_challenge: [u8; 16],
    pub(crate) nt_response: [u8; 24],
}

impl Fields {
    /// Ident, flags, the client's challenge, eight octets of zeros, the response.
    pub(crate) fn of(value: &[u8; 50]) -> Self {
        let mut fields = Self { ident: value[0], peer_challenge: [0; 16], nt_response: [0; 24] };
        fields.peer_challenge.copy_from_slice(&value[2..18]);
        fields.nt_response.copy_from_slice(&value[26..]);
        fields
    }
}

/// The NT hash of a password (RFC 2759 §8.3). Passwords are UTF-8; an octet that is not is
/// taken for the Latin-1 character it then probably is.
pub fn nt_hash(password: impl AsRef<[u8]>) -> [u8; 16] {
    let mut md4 = Md4::new();
    for chunk in password.as_ref().utf8_chunks() {
        for unit in chunk.valid().encode_utf16() {
            md4.update(unit.to_le_bytes());
        }
        for octet in chunk.invalid() {
            md4.update([*octet, 0]);
        }
    }
    md4.finalize().into()
}

/// The hash of the NT hash (RFC 2759 §8.4).
pub(crate) fn hash_of(nt_hash: &[u8; 16]) -> [u8; 16] {
    Md4::digest(nt_hash).into()
}

/// SHA-1 of several pieces, as if they were one.
pub(crate) fn sha1_of(pieces: &[&[u8]]) -> [u8; 20] {
    let mut sha1 = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for piece in pieces {
        sha1.update(piece);
    }
    let mut digest = [0; 20];
    digest.copy_from_slice(sha1.finish().as_ref());
    digest
}

/// The answer to eight octets of challenge (RFC 2433 §A.5, RFC 2759 §8.5): DES under three
/// keys of seven octets, cut from the hash with zeros at its end.
pub fn challenge_response(challenge: &[u8; 8], nt_hash: &[u8; 16]) -> [u8; 24] {
    let mut keys = [0; 21];
    keys[..16].copy_from_slice(nt_hash);
    let mut response = [0; 24];
    for (key, out) in keys.as_chunks::<7>().0.iter().zip(response.as_chunks_mut::<8>().0) {
        let mut block = (*challenge).into();
        Des::new(&des_key(key).into()).encrypt_block(&mut block);
        *out = block.into();
    }
    response
}

/// Seven octets of key spread over eight, their lowest bits left to a parity nobody checks.
fn des_key(key: &[u8; 7]) -> [u8; 8] {
    let mut wide = [0; 8];
    wide[1..].copy_from_slice(key);
    let bits = u64::from_be_bytes(wide);
    let mut out = [0; 8];
    for (n, octet) in out.iter_mut().enumerate() {
        *octet = ((bits >> (49 - 7 * n)) as u8) << 1;
    }
    out
}

/// Whether an MS-CHAP-Response (RFC 2548 §2.1.3) proves the NT hash for the MS-CHAP-Challenge.
/// One whose flags name the LAN Manager response never does.
pub fn mschap1_matches(challenge: &[u8; 8], response: &[u8; 50], nt_hash: &[u8; 16]) -> bool {
    response[1] == 1 && same(&challenge_response(challenge, nt_hash), &response[26..])
}

/// The eight octets both challenges and the name come to (RFC 2759 §8.2). A domain before the
/// name does not count.
fn challenge_hash(peer: &[u8; 16], authenticator: &[u8; 16], user_name: &[u8]) -> [u8; 8] {
    let name = match user_name.iter().position(|octet| *octet == b'\\') {
        Some(at) => &user_name[at + 1..],
        None => user_name,
    };
    let mut challenge = [0; 8];
    challenge.copy_from_slice(&sha1_of(&[peer, authenticator, name])[..8]);
    challenge
}

/// The answer of an MS-CHAPv2 client (RFC 2759 §8.1).
pub fn mschap2_response(
    user_name: &[u8],
    authenticator_challenge: &[u8; 16],
    peer_challenge: &[u8; 16],
    nt_hash: &[u8; 16],
) -> [u8; 24] {
    challenge_response(&challenge_hash(peer_challenge, authenticator_challenge, user_name), nt_hash)
}

/// The value of MS-CHAP2-Response, as a client's NAS sends it.
pub fn mschap2_value(ident: u8, peer_challenge: &[u8; 16], nt_response: &[u8; 24]) -> [u8; 50] {
    let mut value = [0; 50];
    value[0] = ident;
    value[2..18].copy_from_slice(peer_challenge);
    value[26..].copy_from_slice(nt_response);
    value
}

/// Checks an MS-CHAP2-Response against the MS-CHAP-Challenge. Where it proves the NT hash,
/// returns the value of MS-CHAP2-Success (RFC 2548 §2.3.3): the response's ident, then
/// [`authenticator_response`].
///
/// The name is the User-Name octet for octet as it came: letter case counts here.
pub fn mschap2_verify(
    user_name: &[u8],
    authenticator_challenge: &[u8; 16],
    response: &[u8; 50],
    nt_hash: &[u8; 16],
) -> Option<[u8; 43]> {
    let Fields { ident, peer_challenge, nt_response } = Fields::of(response);
    let expected = mschap2_response(user_name, authenticator_challenge, &peer_challenge, nt_hash);
    if !same(&expected, &nt_response) {
        return None;
    }
    let mut value = [ident; 43];
    value[1..].copy_from_slice(&authenticator_response(
        user_name,
        authenticator_challenge,
        &peer_challenge,
        &nt_response,
        nt_hash,
    ));
    Some(value)
}

/// What proves to the client that the server knows the hash too: `S=` and forty hexadecimal
/// digits (RFC 2759 §8.7).
pub fn authenticator_response(
    user_name: &[u8],
    authenticator_challenge: &[u8; 16],
    peer_challenge: &[u8; 16],
    nt_response: &[u8; 24],
    nt_hash: &[u8; 16],
) -> [u8; 42] {
    let digest =
        sha1_of(&[&hash_of(nt_hash), nt_response, b"Magic server to client signing constant"]);
    let challenge = challenge_hash(peer_challenge, authenticator_challenge, user_name);
    let digest = sha1_of(&[&digest, &challenge, b"Pad to make it do more than one iteration"]);
    let mut text = [0; 42];
    text[..2].copy_from_slice(b"S=");
    for (pair, octet) in text[2..].chunks_exact_mut(2).zip(digest) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        pair.copy_from_slice(&[DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 2759 §9.2.
    const AUTHENTICATOR_CHALLENGE: [u8; 16] = *b"[]|}{?/><,`!2&&(";
    const PEER_CHALLENGE: [u8; 16] = *b"!@#$%^&*()_+:3|~";

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02X}")).collect()
    }

    fn nt_response() -> [u8; 24] {
        let hash = nt_hash("clientPass");
        mschap2_response(b"User", &AUTHENTICATOR_CHALLENGE, &PEER_CHALLENGE, &hash)
    }

    #[test]
    fn every_step_agrees_with_rfc_2759() {
        assert_eq!(hex(&AUTHENTICATOR_CHALLENGE), "5B5D7C7D7B3F2F3E3C2C602132262628");
        assert_eq!(hex(&PEER_CHALLENGE), "21402324255E262A28295F2B3A337C7E");
        let challenge = challenge_hash(&PEER_CHALLENGE, &AUTHENTICATOR_CHALLENGE, b"User");
        assert_eq!(hex(&challenge), "D02E4386BCE91226");
        let hash = nt_hash("clientPass");
        assert_eq!(hex(&hash), "44EBBA8D5312B8D611474411F56989AE");
        assert_eq!(hex(&hash_of(&hash)), "41C00C584BD2D91C4017A2A12FA59F3F");
        let expected = "82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF";
        assert_eq!(hex(&nt_response()), expected);
        let response = mschap2_value(7, &PEER_CHALLENGE, &nt_response());
        let success = mschap2_verify(b"User", &AUTHENTICATOR_CHALLENGE, &response, &hash);
        let expected = b"\x07S=407A5589115FD0D6209F510FE9C04566932CDA56";
        assert_eq!(success.as_ref(), Some(expected));
    }

    #[test]
    fn version_2_is_proven_by_the_right_hash_name_and_challenge_alone() {
        let hash = nt_hash("clientPass");
        let response = mschap2_value(7, &PEER_CHALLENGE, &nt_response());
        let proven = |name: &[u8], challenge, hash| {
            mschap2_verify(name, challenge, &response, hash).is_some()
        };
        assert!(proven(b"User", &AUTHENTICATOR_CHALLENGE, &hash));
        assert!(proven(b"OFFICE\\User", &AUTHENTICATOR_CHALLENGE, &hash));
        assert!(!proven(b"user", &AUTHENTICATOR_CHALLENGE, &hash));
        assert!(!proven(b"User", &PEER_CHALLENGE, &hash));
        assert!(!proven(b"User", &AUTHENTICATOR_CHALLENGE, &nt_hash("clientpass")));
    }

    #[test]
    fn version_1_agrees_with_rfc_2433() {
        // RFC 2433 §B.2.
        let hash = nt_hash("MyPw");
        assert_eq!(hex(&hash), "FC156AF7EDCD6C0EDDE3337D427F4EAC");
        let challenge = [0x10, 0x2d, 0xb5, 0xdf, 0x08, 0x5d, 0x30, 0x41];
        let nt_response = challenge_response(&challenge, &hash);
        assert_eq!(hex(&nt_response), "4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61");
        let mut response = [0; 50];
        response[1] = 1;
        response[26..].copy_from_slice(&nt_response);
        assert!(mschap1_matches(&challenge, &response, &hash));
        assert!(!mschap1_matches(&challenge, &response, &nt_hash("mypw")));
        assert!(!mschap1_matches(&[0; 8], &response, &hash));
        // Flags of zero ask for the LAN Manager response to be believed.
        response[1] = 0;
        assert!(!mschap1_matches(&challenge, &response, &hash));
    }

    #[test]
    fn passwords_outside_ascii_have_the_hash_windows_gives_them() {
        let utf16 = |units: &[u16]| -> [u8; 16] {
            Md4::digest(units.iter().flat_map(|u| u.to_le_bytes()).collect::<Vec<_>>()).into()
        };
        assert_eq!(nt_hash("é€"), utf16(&[0xe9, 0x20ac]));
        assert_eq!(nt_hash("\u{1f511}"), utf16(&[0xd83d, 0xdd11]));
        assert_eq!(nt_hash(b"caf\xe9"), nt_hash("café"));
    }
}
