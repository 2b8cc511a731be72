//! Keys for MPPE after MS-CHAPv2 (RFC 3079 §3), and how they travel (RFC 2548 §2.4.2).

use std::fmt;

use super::mschap::{Fields, hash_of, sha1_of};
use crate::key::ClientKey;
use crate::password::mix;

/// Octets of a salted key: the salt, then length, key and padding.
pub const SALTED_OCTETS: usize = 2 + 32;

/// The 128-bit start keys, named from the server's side as the attributes are: `send` goes into
/// MS-MPPE-Send-Key. They do not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mppe {
    /// For what the NAS sends to the subscriber.
    pub send: [u8; 16],
    /// For what the NAS receives.
    pub receive: [u8; 16],
}

impl fmt::Debug for Mppe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mppe(…)")
    }
}

/// The master key (RFC 3079 §3.4, GetMasterKey).
pub fn master_key(nt_hash: &[u8; 16], nt_response: &[u8; 24]) -> [u8; 16] {
    first_16(sha1_of(&[&hash_of(nt_hash), nt_response, b"This is the MPPE Master Key"]))
}

impl Mppe {
    /// The server's start keys (RFC 3079 §3.4, GetAsymmetricStartKey) after an MS-CHAP2-Response
    /// that has been verified.
    pub fn of_mschap2(nt_hash: &[u8; 16], response: &[u8; 50]) -> Self {
        let master = master_key(nt_hash, &Fields::of(response).nt_response);
        let start = |purpose: &[u8]| first_16(sha1_of(&[&master, &[0; 40], purpose, &[0xf2; 40]]));
        Self {
            send: start(
                b"On the client side, this is the receive key; on the server side, it is the send key.",
            ),
            receive: start(
                b"On the client side, this is the send key; on the server side, it is the receive key.",
            ),
        }
    }
}

fn first_16(digest: [u8; 20]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    first
}

/// Encrypts a key for MS-MPPE-Send-Key or MS-MPPE-Recv-Key. Salts must differ within a packet;
/// the highest bit, which the RFC wants set, is set here.
pub fn mppe_encrypt(
    key: &[u8; 16],
    client: &ClientKey,
    request_authenticator: &[u8; 16],
    salt: [u8; 2],
) -> [u8; SALTED_OCTETS] {
    let salt = [salt[0] | 0x80, salt[1]];
    let mut blocks = [[0; 16]; 2];
    blocks[0][0] = 16;
    blocks[0][1..].copy_from_slice(&key[..15]);
    blocks[1][0] = key[15];
    mix(&mut blocks[0], &client.md5_before(request_authenticator, &salt));
    let second = client.md5_before(&blocks[0], &[]);
    mix(&mut blocks[1], &second);
    let mut value = [0; SALTED_OCTETS];
    value[..2].copy_from_slice(&salt);
    value[2..].copy_from_slice(blocks.as_flattened());
    value
}

/// Decrypts what [`mppe_encrypt`] made; absent where it is not a 128-bit key under this secret.
pub fn mppe_decrypt(
    value: &[u8],
    client: &ClientKey,
    request_authenticator: &[u8; 16],
) -> Option<[u8; 16]> {
    let value: &[u8; SALTED_OCTETS] = value.try_into().ok()?;
    let (salt, encrypted) = value.split_at(2);
    let mut clear = [0; 32];
    clear.copy_from_slice(encrypted);
    let blocks = clear.as_chunks_mut::<16>().0;
    mix(&mut blocks[0], &client.md5_before(request_authenticator, salt));
    mix(&mut blocks[1], &client.md5_before(&encrypted[..16], &[]));
    let padded = clear[0] == 16 && clear[17..].iter().all(|octet| *octet == 0);
    if padded { clear[1..17].try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{mschap2_value, nt_hash};

    // RFC 3079 §3.5.3, with the exchange of RFC 2759 §9.2.
    const NT_RESPONSE: [u8; 24] = [
        0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39, 0x81, 0xcd, 0x83,
        0x54, 0x42, 0x33, 0x11, 0x4a, 0x3d, 0x85, 0xd6, 0xdf,
    ];

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02X}")).collect()
    }

    #[test]
    fn the_keys_agree_with_rfc_3079() {
        let hash = nt_hash("clientPass");
        assert_eq!(hex(&master_key(&hash, &NT_RESPONSE)), "FDECE3717A8C838CB388E527AE3CDD31");
        let keys = Mppe::of_mschap2(&hash, &mschap2_value(7, &[1; 16], &NT_RESPONSE));
        assert_eq!(hex(&keys.send), "8B7CDC149B993A1BA118CB153F56DCCB");
        // Not in the RFC's sample; other implementations agree on it.
        assert_eq!(hex(&keys.receive), "D5F0E9521E3EA9589645E86051C82226");
        assert_eq!(format!("{keys:?}"), "Mppe(…)");
    }

    #[test]
    fn a_salted_key_is_read_by_who_knows_secret_and_authenticator() {
        let client = ClientKey::new(b"testing123");
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let value = mppe_encrypt(&key, &client, &[0x5a; 16], [0x12, 0x34]);
        // Computed elsewhere from the formulas of the RFC.
        let expected =
            concat!("9234", "A69BF033D6614FC8764851D52F90815D", "46E953B48AB8181A96AD37C14679FC8D");
        assert_eq!(hex(&value), expected);
        assert_eq!(mppe_decrypt(&value, &client, &[0x5a; 16]), Some(key));
        assert_eq!(mppe_decrypt(&value, &client, &[0x5b; 16]), None);
        assert_eq!(mppe_decrypt(&value, &ClientKey::new(b"other"), &[0x5a; 16]), None);
        assert_eq!(mppe_decrypt(&value[..33], &client, &[0x5a; 16]), None);
        // Another salt, another text.
        assert_ne!(mppe_encrypt(&key, &client, &[0x5a; 16], [0x12, 0x35])[2..], value[2..]);
    }
}
