//! The encrypted stream a backup is: chunks that open only in their order, all of them.
//!
//! ```text
//! chunk := u32 (bit 31: the last one; the rest: octets that follow) · ciphertext · tag
//! ```
//!
//! AES-256-GCM under a key no other file has. The nonce is the chunk's number and whether it is
//! the last one, so a chunk that is left out, moved, repeated, or missing at the end does not
//! open; the associated data is the digest of the header, so neither does one under another
//! header. One chunk is in memory at a time. Chunks hold at most [`CHUNK`] octets, so the
//! 2^32 messages of one key are 256 TiB.

use std::io::{self, Read, Write};

use model::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Octets of plain text in a chunk; only the last one has fewer.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Octets AES-GCM adds.
const TAG: usize = 16;
/// Marks the last chunk.
const LAST: u32 = 1 << 31;

/// What is wrong with a backup, inside of an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Damage(pub(crate) String);

impl Damage {
    pub(crate) fn error(reason: impl Into<String>) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self(reason.into()))
    }
}

fn cipher(key: &Secret<Vec<u8>>) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key.expose());
    key.map(LessSafeKey::new).map_err(|_| io::Error::other("a key of another length"))
}

fn nonce(index: u64, last: bool) -> Nonce {
    let mut octets = [0; NONCE_LEN];
    octets[..8].copy_from_slice(&index.to_be_bytes());
    octets[8] = u8::from(last);
    Nonce::assume_unique_for_key(octets)
}

/// Seals what is written to it.
pub(crate) struct SealWriter<W> {
    out: W,
    cipher: LessSafeKey,
    header: [u8; 32],
    index: u64,
    /// Up to [`CHUNK`] octets that wait, for the last chunk must be known as such.
    waiting: Vec<u8>,
}

impl<W: Write> SealWriter<W> {
    pub(crate) fn new(out: W, key: &Secret<Vec<u8>>, header: [u8; 32]) -> io::Result<Self> {
        let waiting = Vec::with_capacity(CHUNK + TAG);
        Ok(Self { out, cipher: cipher(key)?, header, index: 0, waiting })
    }

    /// Writes the last chunk and gives the writer below back, not flushed.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.cipher.seal_in_place_append_tag(
            nonce(self.index, last),
            Aad::from(self.header),
            &mut self.waiting,
        );
        sealed.map_err(|_| io::Error::other("a chunk too long to seal"))?;
        // At most CHUNK + TAG, far below bit 31.
        let word = self.waiting.len() as u32 | if last { LAST } else { 0 };
        self.out.write_all(&word.to_be_bytes())?;
        self.out.write_all(&self.waiting)?;
        self.waiting.clear();
        self.index += 1;
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.waiting.len() == CHUNK && !octets.is_empty() {
            self.seal(false)?;
        }
        let taken = octets.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what a [`SealWriter`] sealed; reads nothing that was not proven.
pub(crate) struct OpenReader<R> {
    input: R,
    cipher: LessSafeKey,
    header: [u8; 32],
    index: u64,
    plain: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> OpenReader<R> {
    pub(crate) fn new(input: R, key: &Secret<Vec<u8>>, header: [u8; 32]) -> io::Result<Self> {
        let plain = Vec::with_capacity(CHUNK + TAG);
        Ok(Self { input, cipher: cipher(key)?, header, index: 0, plain, at: 0, ended: false })
    }

    /// The next chunk; false behind the last.
    fn next(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut word = [0; 4];
        self.whole(&mut word)?;
        let word = u32::from_be_bytes(word);
        let (last, octets) = (word & LAST != 0, (word & !LAST) as usize);
        if !(TAG..=CHUNK + TAG).contains(&octets) {
            return Err(Damage::error(format!("chunk {} has an impossible length", self.index)));
        }
        self.at = 0;
        let mut chunk = std::mem::take(&mut self.plain);
        chunk.resize(octets, 0);
        self.whole(&mut chunk)?;
        let opened =
            self.cipher.open_in_place(nonce(self.index, last), Aad::from(self.header), &mut chunk);
        let plain = opened.map(|plain| plain.len()).map_err(|_| {
            Damage::error(format!("chunk {} was changed or is not in its place", self.index))
        })?;
        chunk.truncate(plain);
        self.plain = chunk;
        self.index += 1;
        self.ended = last;
        if last && self.input.read(&mut [0])? != 0 {
            return Err(Damage::error("something follows its end"));
        }
        Ok(true)
    }

    fn whole(&mut self, octets: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(octets).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Damage::error(format!("it ends in chunk {}: the rest is missing", self.index))
            }
            _ => error,
        })
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let taken = octets.len().min(self.plain.len() - self.at);
        octets[..taken].copy_from_slice(&self.plain[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Secret<Vec<u8>> {
        Secret::new(vec![7; 32])
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut writer = SealWriter::new(Vec::new(), &key(), [1; 32]).unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    fn opened(octets: &[u8], header: [u8; 32]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        OpenReader::new(octets, &key(), header)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    /// A text of so many octets that has no repeats a swap could hide behind.
    fn text(octets: usize) -> Vec<u8> {
        (0..octets).map(|n| (n / 7 + n / CHUNK) as u8).collect()
    }

    /// One whole chunk with its length word.
    const FRAME: usize = 4 + CHUNK + TAG;

    #[test]
    fn what_was_written_is_read() {
        for octets in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let plain = text(octets);
            assert_eq!(opened(&sealed(&plain), [1; 32]).unwrap(), plain, "{octets}");
        }
    }

    #[test]
    fn a_stream_cut_anywhere_does_not_pass_for_whole() {
        let whole = sealed(&text(2 * CHUNK + 5));
        let cuts = [0, 3, 4, 5, FRAME - 1, FRAME, FRAME + 2, 2 * FRAME, whole.len() - 1];
        for cut in cuts {
            let error = opened(&whole[..cut], [1; 32]).unwrap_err();
            assert!(error.to_string().contains("the rest is missing"), "{cut}: {error}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let whole = sealed(&text(CHUNK + 100));
        for at in (0..whole.len()).step_by(997).chain([0, 1, 2, 3, FRAME, whole.len() - 1]) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(opened(&changed, [1; 32]).is_err(), "octet {at}");
        }
    }

    #[test]
    fn chunks_stay_in_their_order_and_under_their_header() {
        let whole = sealed(&text(3 * CHUNK + 5));
        let (a, b) = (&whole[..FRAME], &whole[FRAME..2 * FRAME]);
        let rest = &whole[2 * FRAME..];
        for mixed in [
            [b, a, rest].concat(),
            [a, rest].concat(),
            [a, a, rest].concat(),
            [a, b, rest, b"x"].concat(),
        ] {
            assert!(opened(&mixed, [1; 32]).is_err());
        }
        assert!(opened(&whole, [2; 32]).is_err(), "another header");
        // A chunk in the middle that claims to be the last one.
        let mut early = whole[..FRAME].to_vec();
        early[0] |= 0x80;
        assert!(opened(&early, [1; 32]).is_err());
    }
}
