//! What seals a backup: a key derived from the key file, or a passphrase.
//!
//! The key file is the default because nothing is added that could be lost: without it the
//! secrets in the databases open for nobody, so whoever restores needs it anyway. A passphrase
//! is for copies that leave the house: it opens the backup, with its customers' data, but not
//! the secrets sealed in it, and a stolen key file does not open it.
//!
//! Each backup has a key of its own, derived from a random salt in its header.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use daemon::base64;
use daemon::secrets::{Keyring, constant_time_eq, random};
use model::Secret;
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::BackupError;

/// Characters a passphrase has at least.
pub const PASSPHRASE_MIN: usize = 12;

/// What argon2id costs (RFC 9106 §4, the second recommended option).
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// A header that asks for more is not ours, and would only eat memory.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;

/// What the key file's key is derived for.
const PURPOSE: &str = "backup";

/// What seals new backups.
#[derive(Debug, Clone)]
pub enum Seal {
    /// A key derived from the key file's oldest key, which a rotation leaves in place.
    KeyFile(Arc<Keyring>),
    /// A passphrase.
    Passphrase(Secret<String>),
}

/// What may open a backup: either, or both.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The key file.
    pub keyring: Option<Arc<Keyring>>,
    /// A passphrase.
    pub passphrase: Option<Secret<String>>,
}

/// What a backup's header says of its key; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sealed {
    /// Derived from the key file.
    KeyFile {
        /// The newest key it had, for people.
        key: String,
    },
    /// Derived from a passphrase with argon2id.
    Passphrase {
        /// Memory, KiB.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
}

/// A backup's own key with what its header says of it.
pub(crate) struct FileKey {
    pub(crate) key: Secret<Vec<u8>>,
    pub(crate) sealed: Sealed,
    /// Random; in base64.
    pub(crate) salt: String,
    /// Tells a wrong key from a damaged file; in base64.
    pub(crate) check: String,
}

/// A new key for a new backup.
pub(crate) fn new(seal: &Seal) -> Result<FileKey, BackupError> {
    let salt = random::<32>();
    let (root, sealed) = match seal {
        Seal::KeyFile(keyring) => {
            (from_key_file(keyring), Sealed::KeyFile { key: keyring.newest().to_owned() })
        }
        Seal::Passphrase(passphrase) => {
            let characters = passphrase.expose().chars().count();
            if characters < PASSPHRASE_MIN {
                return Err(BackupError::ShortPassphrase(characters));
            }
            let cost = (MEMORY_KIB, PASSES, LANES);
            let root =
                from_passphrase(passphrase, &salt, cost).ok_or(BackupError::WrongPassphrase)?;
            (root, Sealed::Passphrase { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES })
        }
    };
    let (key, check) = derive(&root, &salt);
    Ok(FileKey { key, sealed, salt: base64::encode(&salt), check: base64::encode(&check) })
}

/// The key of a backup that is there. `None`: its header makes no sense.
pub(crate) fn open(
    sealed: &Sealed,
    salt: &str,
    check: &str,
    keys: &Keys,
) -> Result<Option<Secret<Vec<u8>>>, BackupError> {
    let (Some(salt), Some(check)) = (base64::decode(salt), base64::decode(check)) else {
        return Ok(None);
    };
    let (root, wrong) = match sealed {
        Sealed::KeyFile { key } => {
            let keyring = keys.keyring.as_ref().ok_or(BackupError::KeyFileMissing)?;
            (from_key_file(keyring), BackupError::WrongKeyFile(key.clone()))
        }
        Sealed::Passphrase { memory_kib, passes, lanes } => {
            let passphrase = keys.passphrase.as_ref().ok_or(BackupError::PassphraseMissing)?;
            if *memory_kib > MEMORY_KIB_MAX || *passes > PASSES_MAX {
                return Ok(None);
            }
            let Some(root) = from_passphrase(passphrase, &salt, (*memory_kib, *passes, *lanes))
            else {
                return Ok(None);
            };
            (root, BackupError::WrongPassphrase)
        }
    };
    let (key, expected) = derive(&root, &salt);
    if constant_time_eq(&expected, &check) { Ok(Some(key)) } else { Err(wrong) }
}

fn from_key_file(keyring: &Keyring) -> Secret<Vec<u8>> {
    let mut derived = keyring.derive(PURPOSE);
    let root = Secret::new(derived.to_vec());
    derived.zeroize();
    root
}

/// None where the costs are none argon2 knows, or there is no memory for them.
fn from_passphrase(
    passphrase: &Secret<String>,
    salt: &[u8],
    (memory_kib, passes, lanes): (u32, u32, u32),
) -> Option<Secret<Vec<u8>>> {
    let params = Params::new(memory_kib, passes, lanes, Some(32)).ok()?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    argon.hash_password_into(passphrase.expose().as_bytes(), salt, &mut out).ok()?;
    let root = Secret::new(out.to_vec());
    out.zeroize();
    Some(root)
}

/// The file's key and its check value: two labels, one HMAC each (RFC 5869's expand step).
fn derive(root: &Secret<Vec<u8>>, salt: &[u8]) -> (Secret<Vec<u8>>, [u8; 16]) {
    let root = hmac::Key::new(hmac::HMAC_SHA256, root.expose());
    let labelled = |label: &[u8]| hmac::sign(&root, &[label, salt, &[1]].concat());
    let mut check = [0; 16];
    check.copy_from_slice(&labelled(b"backup check").as_ref()[..16]);
    (Secret::new(labelled(b"backup file").as_ref().to_vec()), check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(file: &FileKey, keys: &Keys) -> Result<Option<Secret<Vec<u8>>>, BackupError> {
        open(&file.sealed, &file.salt, &file.check, keys)
    }

    #[test]
    fn each_backup_has_a_key_of_its_own_that_the_same_key_file_opens() {
        let keyring = Arc::new(Keyring::ephemeral());
        let seal = Seal::KeyFile(keyring.clone());
        let (a, b) = (new(&seal).unwrap(), new(&seal).unwrap());
        assert!(!a.key.same_as(b.key.expose()));
        let keys = Keys { keyring: Some(keyring), passphrase: None };
        assert!(opened(&a, &keys).unwrap().unwrap().same_as(a.key.expose()));
        let other = Keys { keyring: Some(Arc::new(Keyring::ephemeral())), passphrase: None };
        assert!(matches!(opened(&a, &other), Err(BackupError::WrongKeyFile(key)) if key == "k1"));
        assert!(matches!(opened(&a, &Keys::default()), Err(BackupError::KeyFileMissing)));
    }

    #[test]
    fn a_passphrase_opens_what_it_sealed_and_nothing_else_does() {
        let seal = Seal::Passphrase("correct horse battery".into());
        let file = new(&seal).unwrap();
        let with = |text: &str| Keys { keyring: None, passphrase: Some(text.into()) };
        let key = opened(&file, &with("correct horse battery")).unwrap().unwrap();
        assert!(key.same_as(file.key.expose()));
        let wrong = opened(&file, &with("correct horse batterx"));
        assert!(matches!(wrong, Err(BackupError::WrongPassphrase)));
        assert!(matches!(opened(&file, &Keys::default()), Err(BackupError::PassphraseMissing)));
        let short = new(&Seal::Passphrase("short".into()));
        assert!(matches!(short, Err(BackupError::ShortPassphrase(5))));
    }

    #[test]
    fn a_header_that_asks_for_the_moon_is_not_obeyed() {
        let file = new(&Seal::Passphrase("correct horse battery".into())).unwrap();
        let keys = Keys { keyring: None, passphrase: Some("correct horse battery".into()) };
        for (memory_kib, passes, lanes) in [(u32::MAX, 3, 4), (65536, 1000, 4), (65536, 3, 0)] {
            let sealed = Sealed::Passphrase { memory_kib, passes, lanes };
            assert!(open(&sealed, &file.salt, &file.check, &keys).unwrap().is_none());
        }
        let keyed = Sealed::KeyFile { key: "k1".to_owned() };
        assert!(open(&keyed, "!", &file.check, &keys).unwrap().is_none());
    }
}
