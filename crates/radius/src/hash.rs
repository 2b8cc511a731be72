//! MD5 and HMAC-MD5 as RADIUS needs them: fed in pieces, and restartable from a stored state.
//!
//! RADIUS hashes packets with a field replaced (an authenticator, sixteen zeros), so input
//! comes in pieces rather than in a patched copy. A client's HMAC key is hashed once and its
//! two states kept; the hashers of the crate below cannot be copied, so the buffering around
//! its block function is our own.

use fast_md5::transform;
use zeroize::Zeroize;

/// The state MD5 starts from (RFC 1321 §3.3).
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// An MD5 digest in the making.
#[derive(Clone, Copy)]
pub struct Md5 {
    state: [u32; 4],
    block: [u8; 64],
    filled: usize,
    octets: u64,
}

impl Default for Md5 {
    fn default() -> Self {
        Self::new()
    }
}

impl Md5 {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::resume(START, 0)
    }

    /// Continues after `octets` (whole blocks) that led to `state`.
    fn resume(state: [u32; 4], octets: u64) -> Self {
        Self { state, block: [0; 64], filled: 0, octets }
    }

    /// Hashes more data.
    pub fn update(&mut self, mut data: &[u8]) {
        self.octets = self.octets.wrapping_add(data.len() as u64);
        if self.filled > 0 {
            let (head, rest) = data.split_at(data.len().min(64 - self.filled));
            self.block[self.filled..self.filled + head.len()].copy_from_slice(head);
            self.filled += head.len();
            data = rest;
            if self.filled < 64 {
                return;
            }
            transform(&mut self.state, &self.block);
        }
        let (blocks, rest) = data.as_chunks::<64>();
        for block in blocks {
            transform(&mut self.state, block);
        }
        self.block[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// The digest.
    pub fn finish(mut self) -> [u8; 16] {
        let bits = self.octets.wrapping_mul(8);
        self.block[self.filled] = 0x80;
        self.block[self.filled + 1..].fill(0);
        if self.filled >= 56 {
            transform(&mut self.state, &self.block);
            self.block.fill(0);
        }
        self.block[56..].copy_from_slice(&bits.to_le_bytes());
        transform(&mut self.state, &self.block);
        let mut digest = [0; 16];
        for (octets, word) in digest.chunks_exact_mut(4).zip(self.state) {
            octets.copy_from_slice(&word.to_le_bytes());
        }
        digest
    }
}

/// An HMAC-MD5 key (RFC 2104), reduced to the two states every message starts from.
#[derive(Clone)]
pub(crate) struct HmacKey {
    inner: [u32; 4],
    outer: [u32; 4],
}

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = [0; 64];
        if key.len() > 64 {
            block[..16].copy_from_slice(&md5(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let state_of = |pad: u8| {
            let mut state = START;
            transform(&mut state, &block.map(|octet| octet ^ pad));
            state
        };
        let hmac = Self { inner: state_of(0x36), outer: state_of(0x5c) };
        block.zeroize();
        hmac
    }

    /// The HMAC of the pieces, in order.
    pub(crate) fn of(&self, pieces: &[&[u8]]) -> [u8; 16] {
        let mut inner = Md5::resume(self.inner, 64);
        for piece in pieces {
            inner.update(piece);
        }
        let mut outer = Md5::resume(self.outer, 64);
        outer.update(&inner.finish());
        outer.finish()
    }
}

impl Drop for HmacKey {
    /// The states are as good as the key to whoever finds them.
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// MD5 of one piece of data.
pub fn md5(data: &[u8]) -> [u8; 16] {
    md5_of(&[data])
}

/// MD5 of several pieces, as if they were one.
pub(crate) fn md5_of(pieces: &[&[u8]]) -> [u8; 16] {
    let mut md5 = Md5::new();
    for piece in pieces {
        md5.update(piece);
    }
    md5.finish()
}

/// HMAC-MD5 (RFC 2104) with a key used once. For a client's secret use
/// [`ClientKey::hmac`](crate::ClientKey::hmac), which has half of the work done.
pub fn hmac_md5(key: &[u8], data: &[u8]) -> [u8; 16] {
    HmacKey::new(key).of(&[data])
}

/// Whether two values are the same, in time that depends on their lengths alone.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: [u8; 16]) -> String {
        digest.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn md5_agrees_with_the_test_suite_of_rfc_1321() {
        for (input, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
        ] {
            assert_eq!(hex(md5(input.as_bytes())), digest, "{input}");
        }
        assert_eq!(hex(md5(&b"1234567890".repeat(8))), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn md5_in_pieces_is_md5_of_the_whole_at_every_length_and_cut() {
        let data: Vec<u8> = (0..=255).collect();
        for length in 0..200 {
            let whole = fast_md5::digest(&data[..length]);
            for cut in [0, 1, 55, 56, 63, 64, 65, 127, 128, length] {
                let (a, b) = data[..length].split_at(cut.min(length));
                assert_eq!(md5_of(&[a, b]), whole, "{length} octets cut at {cut}");
            }
        }
    }

    #[test]
    fn hmac_agrees_with_rfc_2202() {
        let vectors: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 16], b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
            (b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
            (
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
            ),
        ];
        for (key, data, digest) in vectors {
            assert_eq!(hex(hmac_md5(key, data)), digest);
        }
    }

    #[test]
    fn comparing_sees_every_difference() {
        assert!(same(b"secret", b"secret"));
        assert!(!same(b"secret", b"secreT"));
        assert!(!same(b"secret", b"secre"));
    }
}
