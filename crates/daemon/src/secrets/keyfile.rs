//! The key file. It lies outside backups: whoever has both has everything.
//!
//! Text, mode 0600: a line with the format, then a line a key, the newest last.
//!
//! ```text
//! lastmile-keys 1
//! k1 BASE64 of 32 octets
//! k2 BASE64 of 32 octets
//! ```
//!
//! It is written whole under another name, synced, and then put in place, so that a crash
//! leaves the old file or the new one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use model::Secret;

use super::{KEY_OCTETS, random};
use crate::base64;

const HEAD: &str = "lastmile-keys ";
const FORMAT: &str = "1";
/// Far more keys than anybody makes by rotating.
const OCTETS_MAX: u64 = 64 * 1024;

type Keys = Vec<(String, Secret<Vec<u8>>)>;

/// Why a key file cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is none.
    #[error(
        "the key file {} does not exist: make it with `netctl key create`, or restore the one \
         the stored secrets were sealed with",
        .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("could not read the key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read or write it.
    #[error(
        "the key file {} is open to others (mode {mode:04o}): run `chmod 600` on it, and make a \
         new key if somebody may have read it",
        path.display()
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Written by a newer program.
    #[error("the key file {} has format {format}, this program reads {FORMAT}: upgrade it", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Not a key file, or damaged.
    #[error("the key file {} is damaged in line {line}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// There is one already.
    #[error(
        "the key file {} exists already and is not overwritten: without it no stored secret opens",
        .0.display()
    )]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("could not write the key file {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads the keys; there is at least one, and each has its 32 octets.
pub(super) fn read(path: &Path) -> Result<Keys, KeyFileError> {
    let unreadable = |source| KeyFileError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
        _ => unreadable(source),
    })?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is not a file")));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::TooOpen { path: path.to_owned(), mode });
    }
    if metadata.len() > OCTETS_MAX {
        return Err(unreadable(io::Error::other("it is too large to be a key file")));
    }
    // Room for the whole file at once: growing would leave copies of keys behind.
    let mut text = String::with_capacity(OCTETS_MAX as usize + 64);
    file.take(OCTETS_MAX).read_to_string(&mut text).map_err(unreadable)?;
    parse(path, Secret::new(text).expose())
}

fn parse(path: &Path, text: &str) -> Result<Keys, KeyFileError> {
    let damaged = |line, problem| KeyFileError::Damaged { path: path.to_owned(), line, problem };
    let mut lines = text.lines().enumerate();
    let head = lines.next().and_then(|(_, line)| line.strip_prefix(HEAD));
    match head.ok_or_else(|| damaged(1, "it does not say that it is a key file"))? {
        FORMAT => {}
        other => match other.parse() {
            Ok(format) => {
                return Err(KeyFileError::NewerFormat { path: path.to_owned(), format });
            }
            Err(_) => return Err(damaged(1, "its format is not a number")),
        },
    }
    let mut keys = Keys::new();
    for (index, line) in lines {
        let damaged = |problem| damaged(index + 1, problem);
        let (id, key) = line.split_once(' ').ok_or_else(|| damaged("no key after its id"))?;
        number(id).ok_or_else(|| damaged("a key id is `k` and a number"))?;
        if keys.iter().any(|(known, _)| known == id) {
            return Err(damaged("the key id is there twice"));
        }
        let key = base64::decode(key).map(Secret::new);
        let key = key.filter(|key| key.expose().len() == KEY_OCTETS);
        let key = key.ok_or_else(|| damaged("the key is not 32 octets in base64"))?;
        keys.push((id.to_owned(), key));
    }
    if keys.is_empty() { Err(damaged(2, "there is no key")) } else { Ok(keys) }
}

/// The number of a key id: 7 for `k7`.
fn number(id: &str) -> Option<u32> {
    let digits = id.strip_prefix('k')?;
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

/// Makes the file with one new key.
pub(super) fn create(path: &Path) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let draft = write_draft(path, &text(&[new_key(1)])).map_err(failed)?;
    // A link fails where the name is taken; a rename would replace it.
    let linked = fs::hard_link(&draft, path);
    let removed = fs::remove_file(&draft);
    linked.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => failed(source),
    })?;
    removed.and_then(|()| sync_folder(path)).map_err(failed)
}

/// Adds a new key at the end.
pub(super) fn add(path: &Path) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Write { path: path.to_owned(), source };
    let mut keys = read(path)?;
    let last = keys.iter().filter_map(|(id, _)| number(id)).max().unwrap_or(0);
    keys.push(new_key(last.saturating_add(1)));
    let draft = write_draft(path, &text(&keys)).map_err(failed)?;
    fs::rename(&draft, path).and_then(|()| sync_folder(path)).map_err(failed)
}

fn new_key(number: u32) -> (String, Secret<Vec<u8>>) {
    (format!("k{number}"), Secret::new(random::<KEY_OCTETS>().to_vec()))
}

fn text(keys: &[(String, Secret<Vec<u8>>)]) -> Secret<String> {
    let mut text = String::with_capacity(64 + 64 * keys.len());
    text.push_str(HEAD);
    text.push_str(FORMAT);
    text.push('\n');
    for (id, key) in keys {
        text.push_str(id);
        text.push(' ');
        text.push_str(Secret::new(base64::encode(key.expose())).expose());
        text.push('\n');
    }
    Secret::new(text)
}

/// Writes and syncs the file under a name of its own beside the final one.
fn write_draft(path: &Path, text: &Secret<String>) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", base64::encode_url(&random::<9>())));
    let draft = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(text.expose().as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&draft);
    }
    written.map(|()| draft)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Keyring;
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn refused(path: &Path) -> String {
        Keyring::load(path).unwrap_err().to_string().replace(path.to_str().unwrap(), "KEY")
    }

    #[test]
    fn a_created_file_is_private_and_loads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/key");
        let sealed = Keyring::create(&path).unwrap().seal("x", b"secret").unwrap();
        assert_eq!(Keyring::load(&path).unwrap().open("x", &sealed).unwrap().expose(), b"secret");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // Nothing else is left beside it.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Keyring::create(&path).unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(Keyring::create(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn after_a_rotation_the_new_key_seals_and_the_old_one_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let old = Keyring::create(&path).unwrap().seal("x", b"secret").unwrap();
        let keyring = Keyring::rotate(&path).unwrap();
        assert_eq!(keyring.newest(), "k2");
        assert!(keyring.seal("x", b"").unwrap().0.starts_with("1.k2."));
        assert_eq!(keyring.open("x", &old).unwrap().expose(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Keyring::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let text = refused(&path);
            let start = format!("the key file KEY is open to others (mode {mode:04o}): run `chmod");
            assert!(text.starts_with(&start), "{text}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        Keyring::load(&path).unwrap();
    }

    #[test]
    fn missing_newer_and_damaged_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(refused(&path).starts_with("the key file KEY does not exist: make it with"));
        let key = base64::encode(&[7; 32]);
        write(&path, "lastmile-keys 2\nwhatever\n");
        assert_eq!(
            refused(&path),
            "the key file KEY has format 2, this program reads 1: upgrade it"
        );
        for (text, wanted) in [
            (String::new(), "line 1: it does not say that it is a key file"),
            (format!("k1 {key}\n"), "line 1: it does not say that it is a key file"),
            ("lastmile-keys x\n".to_owned(), "line 1: its format is not a number"),
            ("lastmile-keys 1\n".to_owned(), "line 2: there is no key"),
            ("lastmile-keys 1\nk1\n".to_owned(), "line 2: no key after its id"),
            (format!("lastmile-keys 1\n{key} k1\n"), "line 2: a key id is `k` and a number"),
            (format!("lastmile-keys 1\nk.1 {key}\n"), "line 2: a key id is `k` and a number"),
            ("lastmile-keys 1\nk1 AAAA\n".to_owned(), "line 2: the key is not 32 octets in base64"),
            (format!("lastmile-keys 1\nk1 {key}\nk1 {key}\n"), "line 3: the key id is there twice"),
        ] {
            write(&path, &text);
            assert_eq!(refused(&path), format!("the key file KEY is damaged in {wanted}"));
        }
        assert!(matches!(Keyring::load(folder.path()), Err(KeyFileError::Read { .. })));
    }
}
