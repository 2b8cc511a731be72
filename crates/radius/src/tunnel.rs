//! Tagged attributes and hidden tunnel passwords (RFC 2868).
//!
//! A tag groups the attributes of one tunnel: its octet stands before a text, and takes the
//! place of an integer's first octet. In a text it may be missing, and then the first octet is
//! above 0x1f (§3.3). A Tunnel-Password (§3.5) has its tag always; behind it a salt of two
//! octets, then length, password and padding, mixed as for User-Password with MD5 over secret,
//! request authenticator and salt.

use crate::key::ClientKey;
use crate::password::mix;

/// The highest tag (RFC 2868 §3.1).
pub const TAG_MAX: u8 = 0x1f;

/// The longest Tunnel-Password: 253 octets of a value less tag and salt make fifteen blocks, and
/// one octet of them is the length.
pub const PASSWORD_OCTETS_MAX: usize = 239;

/// The longest value of a Tunnel-Password.
pub const VALUE_OCTETS_MAX: usize = 3 + 240;

/// Tag and text; a missing tag is 0.
pub fn tagged_text(value: &[u8]) -> (u8, &[u8]) {
    match value {
        [tag @ 0..=TAG_MAX, text @ ..] => (*tag, text),
        _ => (0, value),
    }
}

/// Tag and integer, of 24 bits; absent where it is not four octets. A tag that cannot be is 0.
pub fn tagged_integer(value: &[u8]) -> Option<(u8, u32)> {
    let [tag, rest @ ..] = <[u8; 4]>::try_from(value).ok()?;
    let [a, b, c] = rest;
    Some((if tag > TAG_MAX { 0 } else { tag }, u32::from_be_bytes([0, a, b, c])))
}

/// The value of a tagged integer; absent where it has more than 24 bits, or there is no such
/// tag.
pub fn integer_value(tag: u8, integer: u32) -> Option<[u8; 4]> {
    let [0, a, b, c] = integer.to_be_bytes() else { return None };
    (tag <= TAG_MAX).then_some([tag, a, b, c])
}

/// Hides a password for Tunnel-Password; returns how many octets of `out` it takes. Salts must
/// differ within a packet; the highest bit, which the RFC wants set, is set here. `None` where
/// the password is longer than 239 octets or there is no such tag.
pub fn hide_password(
    tag: u8,
    password: &[u8],
    salt: [u8; 2],
    key: &ClientKey,
    request_authenticator: &[u8; 16],
    out: &mut [u8; VALUE_OCTETS_MAX],
) -> Option<usize> {
    if tag > TAG_MAX || password.len() > PASSWORD_OCTETS_MAX {
        return None;
    }
    let salt = [salt[0] | 0x80, salt[1]];
    out.fill(0);
    out[..3].copy_from_slice(&[tag, salt[0], salt[1]]);
    out[3] = password.len() as u8;
    out[4..4 + password.len()].copy_from_slice(password);
    let octets = (1 + password.len()).div_ceil(16) * 16;
    let mut with = key.md5_before(request_authenticator, &salt);
    for block in out[3..3 + octets].as_chunks_mut::<16>().0 {
        mix(block, &with);
        with = key.md5_before(block, &[]);
    }
    Some(3 + octets)
}

/// Unhides a Tunnel-Password into `out`: its tag and its length. `None` where the value cannot be
/// one, or the length inside says more than there is: most often another secret.
pub fn unhide_password(
    value: &[u8],
    key: &ClientKey,
    request_authenticator: &[u8; 16],
    out: &mut [u8; VALUE_OCTETS_MAX],
) -> Option<(u8, usize)> {
    let (&[tag, high, low], hidden) = value.split_first_chunk::<3>()?;
    let (blocks, rest) = hidden.as_chunks::<16>();
    if blocks.is_empty() || !rest.is_empty() || hidden.len() > 240 || tag > TAG_MAX {
        return None;
    }
    out.fill(0);
    let mut with = key.md5_before(request_authenticator, &[high, low]);
    for (block, clear) in blocks.iter().zip(out.as_chunks_mut::<16>().0) {
        *clear = *block;
        mix(clear, &with);
        with = key.md5_before(block, &[]);
    }
    let octets = usize::from(out[0]);
    if octets >= hidden.len() {
        return None;
    }
    out.copy_within(1..=octets, 0);
    Some((tag, octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHENTICATOR: [u8; 16] = [0x5a; 16];

    #[test]
    fn passwords_of_every_length_survive_hiding() {
        let key = ClientKey::new(b"testing123");
        for length in 0..=PASSWORD_OCTETS_MAX {
            let password: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut hidden = [0; VALUE_OCTETS_MAX];
            let octets =
                hide_password(1, &password, [3, 9], &key, &AUTHENTICATOR, &mut hidden).unwrap();
            assert_eq!(octets % 16, 3);
            assert_eq!(hidden[..3], [1, 0x83, 9], "tag, and a salt whose first bit is set");
            let mut clear = [0; VALUE_OCTETS_MAX];
            let found =
                unhide_password(&hidden[..octets], &key, &AUTHENTICATOR, &mut clear).unwrap();
            assert_eq!((found, &clear[..length]), ((1, length), &password[..]));
        }
    }

    /// The steps of §3.5, done by hand with another MD5.
    #[test]
    fn the_rfcs_steps_give_the_same_octets() {
        let key = ClientKey::new(b"s");
        let mut hidden = [0; VALUE_OCTETS_MAX];
        let octets = hide_password(0, b"pw", [0x80, 1], &key, &AUTHENTICATOR, &mut hidden).unwrap();
        let first = crate::md5(&[&b"s"[..], &AUTHENTICATOR, &[0x80, 1]].concat());
        let mut expected = vec![0, 0x80, 1];
        let clear = [2, b'p', b'w', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        expected.extend(clear.iter().zip(first).map(|(a, b)| a ^ b));
        assert_eq!(&hidden[..octets], expected);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let key = ClientKey::new(b"testing123");
        let mut out = [0; VALUE_OCTETS_MAX];
        assert!(hide_password(0, &[1; 240], [0; 2], &key, &AUTHENTICATOR, &mut out).is_none());
        assert!(hide_password(0x20, b"x", [0; 2], &key, &AUTHENTICATOR, &mut out).is_none());
        for length in [0, 1, 2, 3, 18, 20, 3 + 256] {
            let value = vec![0; length];
            assert!(unhide_password(&value, &key, &AUTHENTICATOR, &mut out).is_none(), "{length}");
        }
        let octets = hide_password(0, b"x", [0; 2], &key, &AUTHENTICATOR, &mut out).unwrap();
        let hidden = out;
        let other = ClientKey::new(b"testing124");
        let wrong = unhide_password(&hidden[..octets], &other, &AUTHENTICATOR, &mut out);
        assert!(wrong.is_none_or(|(_, octets)| &out[..octets] != b"x"));
    }

    #[test]
    fn a_tag_is_told_from_a_text_that_has_none() {
        assert_eq!(tagged_text(b"\x01lns1"), (1, &b"lns1"[..]));
        assert_eq!(tagged_text(b"lns1"), (0, &b"lns1"[..]));
        assert_eq!(tagged_text(b""), (0, &b""[..]));
        assert_eq!(tagged_integer(&[1, 0, 0, 13]), Some((1, 13)));
        assert_eq!(tagged_integer(&[0x20, 0, 0, 13]), Some((0, 13)));
        assert_eq!(tagged_integer(&[0, 0, 13]), None);
        assert_eq!(integer_value(1, 13), Some([1, 0, 0, 13]));
        assert_eq!(integer_value(1, 1 << 24), None);
        assert_eq!(integer_value(32, 1), None);
    }
}
