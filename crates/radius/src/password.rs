//! User-Password on the wire (RFC 2865 §5.2): padded with zeros to blocks of sixteen, each
//! block mixed with MD5 over the secret and the block before it, the first with the request
//! authenticator.

use crate::key::ClientKey;

/// The longest password, and the longest hidden one.
pub const OCTETS_MAX: usize = 128;

/// Hides a password; returns how many octets of `out` it takes. `None` where the password is
/// longer than 128 octets.
pub fn hide(
    password: &[u8],
    key: &ClientKey,
    authenticator: &[u8; 16],
    out: &mut [u8; OCTETS_MAX],
) -> Option<usize> {
    out.fill(0);
    out.get_mut(..password.len())?.copy_from_slice(password);
    let octets = password.len().div_ceil(16).max(1) * 16;
    let mut previous = *authenticator;
    for block in out[..octets].as_chunks_mut::<16>().0 {
        mix(block, &key.md5_before(&previous, &[]));
        previous = *block;
    }
    Some(octets)
}

/// Unhides a password into `out`; returns its length, the padding stripped. `None` where the
/// length is not 16 to 128 octets in steps of 16. With another secret than the sender's the
/// result is noise, not an error.
pub fn unhide(
    hidden: &[u8],
    key: &ClientKey,
    authenticator: &[u8; 16],
    out: &mut [u8; OCTETS_MAX],
) -> Option<usize> {
    let (blocks, rest) = hidden.as_chunks::<16>();
    if blocks.is_empty() || !rest.is_empty() || hidden.len() > OCTETS_MAX {
        return None;
    }
    out.fill(0);
    let mut previous = authenticator;
    for (block, clear) in blocks.iter().zip(out.as_chunks_mut::<16>().0) {
        *clear = *block;
        mix(clear, &key.md5_before(previous, &[]));
        previous = block;
    }
    Some(out[..hidden.len()].iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1))
}

/// Exclusive-or, in place.
pub(crate) fn mix(block: &mut [u8; 16], with: &[u8; 16]) {
    for (octet, with) in block.iter_mut().zip(with) {
        *octet ^= with;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHENTICATOR: [u8; 16] = [0x5a; 16];

    #[test]
    fn passwords_of_every_length_survive_hiding() {
        let key = ClientKey::new(b"testing123");
        for length in 0..=OCTETS_MAX {
            let password: Vec<u8> = (1..=length as u8).collect();
            let (mut hidden, mut clear) = ([0xff; 128], [0xff; 128]);
            let octets = hide(&password, &key, &AUTHENTICATOR, &mut hidden).unwrap();
            assert!(octets.is_multiple_of(16) && octets >= length.max(16));
            assert!(length == 0 || hidden[..length] != password);
            let octets = unhide(&hidden[..octets], &key, &AUTHENTICATOR, &mut clear).unwrap();
            assert_eq!(&clear[..octets], password);
        }
    }

    #[test]
    fn lengths_outside_the_rules_are_refused() {
        let key = ClientKey::new(b"testing123");
        let mut out = [0; 128];
        for length in [0, 1, 15, 17, 127, 129, 144, 253] {
            let hidden = vec![0; length];
            assert_eq!(unhide(&hidden, &key, &AUTHENTICATOR, &mut out), None, "{length}");
        }
        assert_eq!(hide(&[1; 129], &key, &AUTHENTICATOR, &mut out), None);
    }

    #[test]
    fn a_password_of_zeros_is_empty() {
        let key = ClientKey::new(b"testing123");
        let (mut hidden, mut clear) = ([0; 128], [0xff; 128]);
        let octets = hide(&[0; 20], &key, &AUTHENTICATOR, &mut hidden).unwrap();
        assert_eq!(unhide(&hidden[..octets], &key, &AUTHENTICATOR, &mut clear), Some(0));
    }
}
