//! The key file and what it seals; random tokens, SHA-256, comparison in constant time.

mod keyfile;

use std::fmt;
use std::path::Path;

use model::{Sealed, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

use crate::base64;

pub use keyfile::KeyFileError;

/// Octets of a key.
const KEY_OCTETS: usize = 32;
/// Octets AES-GCM adds (NIST SP 800-38D §5.2.1.2).
const TAG_OCTETS: usize = 16;
/// The format of [`Sealed`] this program writes and reads.
const FORMAT: &str = "1";

/// The keys of an installation. The newest seals, all of them open.
pub struct Keyring {
    /// Never empty; the newest last.
    keys: Vec<Key>,
}

struct Key {
    id: String,
    key: LessSafeKey,
    /// For [`Keyring::derive`].
    root: hmac::Key,
}

/// Why a value was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Longer than one message of AES-GCM may be.
    #[error("the value is too long to seal")]
    TooLong,
    /// Not the text of a sealed value.
    #[error("this is not a sealed value")]
    Malformed,
    /// Sealed by a newer program.
    #[error("the value is sealed in format {0}, this program reads {FORMAT}: upgrade it")]
    NewerFormat(u32),
    /// The key file lacks the key.
    #[error("the value is sealed with key {0}, which the key file does not hold")]
    UnknownKey(String),
    /// Changed since it was sealed, or taken from another record.
    #[error("the sealed value was changed or belongs to another record")]
    NotAuthentic,
}

impl Keyring {
    /// A keyring in memory alone, with one new key: what it seals, nobody opens after it is gone.
    pub fn ephemeral() -> Self {
        let key: Secret<Vec<u8>> = Secret::new(random::<KEY_OCTETS>().to_vec());
        // Never empty by construction, and 32 octets are a key.
        Self { keys: Key::new("k1", key.expose()).into_iter().collect() }
    }

    /// Makes a key file with one new key. It never overwrites, and makes missing folders with
    /// mode 0700.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        keyfile::create(path)?;
        Self::load(path)
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let keys = keyfile::read(path)?;
        let keys = keys.iter().filter_map(|(id, key)| Key::new(id, key.expose())).collect();
        Ok(Self { keys })
    }

    /// Adds a new key to the file, which seals from now on; the older ones still open.
    pub fn rotate(path: &Path) -> Result<Self, KeyFileError> {
        keyfile::add(path)?;
        Self::load(path)
    }

    /// A key for another purpose, the same on every node that has this key file (RFC 5869's
    /// expand step with one block). It comes from the oldest key, so a rotation leaves it.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut derived = [0; 32];
        // `keys` is never empty.
        if let Some(key) = self.keys.first() {
            let mut input = purpose.as_bytes().to_vec();
            input.push(1);
            derived.copy_from_slice(hmac::sign(&key.root, &input).as_ref());
        }
        derived
    }

    /// The id of the key that seals.
    pub fn newest(&self) -> &str {
        self.keys.last().map_or("", |key| &key.id)
    }

    /// Encrypts a value and binds it to its record: it opens only with the same `bound_to`.
    pub fn seal(&self, bound_to: &str, plain: &[u8]) -> Result<Sealed, SecretError> {
        // `keys` is never empty.
        let key = self.keys.last().ok_or(SecretError::TooLong)?;
        // A random nonce is sound for 2^32 values a key (NIST SP 800-38D §8.3), more than an
        // installation has secrets.
        let nonce = random::<NONCE_LEN>();
        // Room for everything at once: growing would leave a copy of the value behind.
        let mut bytes = Vec::with_capacity(NONCE_LEN + plain.len() + TAG_OCTETS);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plain);
        let tag = key
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to.as_bytes()),
                &mut bytes[NONCE_LEN..],
            )
            .map_err(|_| SecretError::TooLong)?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(Sealed(format!("{FORMAT}.{}.{}", key.id, base64::encode_url(&bytes))))
    }

    /// Decrypts a value that was sealed for this record.
    pub fn open(&self, bound_to: &str, sealed: &Sealed) -> Result<Secret<Vec<u8>>, SecretError> {
        let parts = SealedParts::of(sealed)?;
        // Room for everything at once: growing would leave a copy of the value behind.
        let mut plain = Vec::with_capacity(parts.octets.len());
        self.open_into(bound_to, parts.key, &parts.octets, &mut plain)?;
        Ok(Secret::new(plain))
    }

    /// Decrypts a value that was taken apart with [`SealedParts::of`] into `plain`, whose
    /// contents it replaces. Where `plain` has room for [`SealedParts::octets`], nothing is
    /// allocated. The caller overwrites `plain` when it is done.
    pub fn open_into(
        &self,
        bound_to: &str,
        key: &str,
        octets: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), SecretError> {
        plain.clear();
        let (nonce, sealed) =
            octets.split_first_chunk::<NONCE_LEN>().ok_or(SecretError::Malformed)?;
        let known = self.keys.iter().find(|known| known.id == key);
        let known = known.ok_or_else(|| SecretError::UnknownKey(key.to_owned()))?;
        plain.extend_from_slice(sealed);
        let opened = known.key.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(bound_to.as_bytes()),
            plain,
        );
        let len = opened.map_err(|_| SecretError::NotAuthentic)?.len();
        plain.truncate(len);
        Ok(())
    }

    /// Whether the key file holds the key of this id.
    pub fn holds(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known.id == key)
    }
}

/// A sealed value as octets, for whoever keeps very many of them.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedParts<'a> {
    /// The id of the key.
    pub key: &'a str,
    /// Nonce, ciphertext and tag.
    pub octets: Vec<u8>,
}

impl<'a> SealedParts<'a> {
    /// Takes the text of a sealed value apart; that it opens is not said by this.
    pub fn of(sealed: &'a Sealed) -> Result<Self, SecretError> {
        let (format, rest) = sealed.0.split_once('.').ok_or(SecretError::Malformed)?;
        if format != FORMAT {
            let newer = format.parse().map_err(|_| SecretError::Malformed)?;
            return Err(SecretError::NewerFormat(newer));
        }
        let (key, text) = rest.split_once('.').ok_or(SecretError::Malformed)?;
        let octets = base64::decode_url(text).ok_or(SecretError::Malformed)?;
        if octets.len() < NONCE_LEN + TAG_OCTETS {
            return Err(SecretError::Malformed);
        }
        Ok(Self { key, octets })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Key {
    /// A key of 32 octets; nothing for another length.
    fn new(id: &str, octets: &[u8]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, octets).ok()?);
        let root = hmac::Key::new(hmac::HMAC_SHA256, octets);
        Some(Self { id: id.to_owned(), key, root })
    }
}

/// A token nobody guesses: the prefix and 256 random bits in base64 for URLs.
pub fn random_token(prefix: &str) -> Secret<String> {
    let octets: Secret<Vec<u8>> = Secret::new(random::<32>().to_vec());
    let mut token = String::with_capacity(prefix.len() + base64::url_len(32));
    token.push_str(prefix);
    token.push_str(Secret::new(base64::encode_url(octets.expose())).expose());
    Secret::new(token)
}

/// Octets from the system's generator.
///
/// # Panics
///
/// If the system has no randomness to give: then nothing that follows would be safe.
pub fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    if SystemRandom::new().fill(&mut octets).is_err() {
        panic!("the system gives no random octets");
    }
    octets
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Whether two values are the same, in time that depends on their lengths alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0u8, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_for_its_record_only() {
        let keyring = Keyring::ephemeral();
        for plain in [&b""[..], b"testing123", &[7; 5000]] {
            let sealed = keyring.seal("cli_1", plain).unwrap();
            assert!(sealed.0.starts_with("1.k1."));
            assert_eq!(keyring.open("cli_1", &sealed).unwrap().expose(), plain);
            assert_eq!(keyring.open("cli_2", &sealed).unwrap_err(), SecretError::NotAuthentic);
            let parts = SealedParts::of(&sealed).unwrap();
            let mut opened = b"what was there before".to_vec();
            keyring.open_into("cli_1", parts.key, &parts.octets, &mut opened).unwrap();
            assert_eq!(opened, plain);
        }
    }

    #[test]
    fn a_value_sealed_twice_differs() {
        let keyring = Keyring::ephemeral();
        assert_ne!(keyring.seal("x", b"same").unwrap(), keyring.seal("x", b"same").unwrap());
    }

    #[test]
    fn another_key_does_not_open() {
        let sealed = Keyring::ephemeral().seal("x", b"secret").unwrap();
        let other = Keyring::ephemeral();
        assert_eq!(other.open("x", &sealed).unwrap_err(), SecretError::NotAuthentic);
        let renamed = Sealed(sealed.0.replacen("k1", "k7", 1));
        let error = other.open("x", &renamed).unwrap_err();
        assert_eq!(error, SecretError::UnknownKey("k7".to_owned()));
    }

    #[test]
    fn a_changed_value_does_not_open() {
        let keyring = Keyring::ephemeral();
        let sealed = keyring.seal("x", b"secret").unwrap().0;
        for at in "1.k1.".len()..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = Sealed(String::from_utf8(changed).unwrap());
            assert!(keyring.open("x", &changed).is_err(), "character {at}");
        }
        for cut in 0..sealed.len() {
            assert!(keyring.open("x", &Sealed(sealed[..cut].to_owned())).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn foreign_and_newer_texts_are_refused_as_such() {
        let keyring = Keyring::ephemeral();
        let open = |text: &str| keyring.open("x", &Sealed(text.to_owned())).unwrap_err();
        for text in ["", "testing123", "a.b.c", "1", "1.k1", "1.k1.", "1.k1.AAAA", "1.k1.!!!!"] {
            assert_eq!(open(text), SecretError::Malformed, "{text}");
        }
        assert_eq!(open("2.k1.AAAA"), SecretError::NewerFormat(2));
        assert_eq!(
            open("2.x").to_string(),
            "the value is sealed in format 2, this program reads 1: upgrade it"
        );
    }

    #[test]
    fn a_keyring_prints_no_key() {
        assert_eq!(format!("{:?}", Keyring::ephemeral()), "[\"k1\"]");
    }

    #[test]
    fn tokens_carry_their_prefix_and_differ() {
        let (a, b) = (random_token("lm_"), random_token("lm_"));
        assert_eq!(a.expose().len(), 3 + 43);
        assert!(a.expose().starts_with("lm_") && a.expose() != b.expose());
    }

    #[test]
    fn sha256_and_comparison_do_what_they_say() {
        // FIPS 180-4's one-block example, the digest of "abc".
        let digest = sha256(b"abc");
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd") && !constant_time_eq(b"abc", b"ab"));
    }
}
