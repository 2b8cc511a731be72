//! One backup, one file: a header in clear, then parts and a manifest in the encrypted stream.
//!
//! ```text
//! file     := "LMBACKUP" · u16 format · u32 length · header (JSON) · stream
//! stream   := part* · manifest
//! part     := 'P' · u16 length · name · block* · u32 0
//! block    := u32 length · octets
//! manifest := 'M' · u32 length · JSON
//! ```
//!
//! Numbers are big-endian. A part comes in blocks because its length is not known before: the
//! output of `pg_dump` goes straight in. The manifest comes last, with length and SHA-256 of
//! every part. Readers refuse a newer format by name.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::Ts;
use ring::digest::{Context, SHA256};

use crate::key::{self, Keys, Seal};
use crate::manifest::{FORMAT, Header, Manifest, Part};
use crate::stream::{Damage, OpenReader, SealWriter};
use crate::{BackupError, hex};

const MAGIC: &[u8; 8] = b"LMBACKUP";
/// Longest header.
const HEADER_MAX: usize = 64 * 1024;
/// Longest manifest.
const MANIFEST_MAX: usize = 16 * 1024 * 1024;
/// Longest name of a part.
const NAME_MAX: usize = 255;
/// Octets of a block, and what is copied at once.
const BLOCK: usize = 64 * 1024;

const PART: u8 = b'P';
const MANIFEST: u8 = b'M';

/// A backup that is being written.
pub(crate) struct ArchiveWriter {
    path: PathBuf,
    out: SealWriter<BufWriter<File>>,
    parts: Vec<Part>,
}

impl ArchiveWriter {
    /// Begins the file, which must not exist, for its owner alone.
    pub(crate) fn create(
        path: &Path,
        seal: &Seal,
        program: &str,
        made_at: Ts,
        engines: Vec<String>,
    ) -> Result<Self, BackupError> {
        let file_key = key::new(seal)?;
        let header = Header {
            program: program.to_owned(),
            made_at,
            engines,
            sealed: file_key.sealed,
            salt: file_key.salt,
            check: file_key.check,
        };
        let failed = || BackupError::io("cannot write", path);
        let header = serde_json::to_vec(&header).map_err(|error| failed()(error.into()))?;
        let mut front = MAGIC.to_vec();
        front.extend_from_slice(&FORMAT.to_be_bytes());
        // Names and numbers of ours, far below 4 GiB.
        front.extend_from_slice(&(header.len() as u32).to_be_bytes());
        front.extend_from_slice(&header);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::UnderWay(path.to_owned()),
            _ => failed()(error),
        })?;
        let mut out = BufWriter::new(file);
        out.write_all(&front).map_err(failed())?;
        let digest = daemon::secrets::sha256(&front);
        let out = SealWriter::new(out, &file_key.key, digest).map_err(failed())?;
        Ok(Self { path: path.to_owned(), out, parts: Vec::new() })
    }

    /// Adds a part from whatever gives its octets.
    pub(crate) fn part(&mut self, name: &str, from: &mut impl Read) -> Result<u64, BackupError> {
        let path = self.path.clone();
        let written =
            |result: io::Result<()>| result.map_err(BackupError::io("cannot write", &path));
        // Names are ours, or were checked.
        written(self.out.write_all(&[PART]))?;
        written(self.out.write_all(&(name.len() as u16).to_be_bytes()))?;
        written(self.out.write_all(name.as_bytes()))?;
        let mut digest = Context::new(&SHA256);
        let mut octets = 0;
        let mut block = vec![0; BLOCK];
        loop {
            let read = match from.read(&mut block) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(BackupError::io("cannot read", Path::new(name))(error)),
            };
            // A block of length 0 is the end of the part.
            written(self.out.write_all(&(read as u32).to_be_bytes()))?;
            if read == 0 {
                break;
            }
            digest.update(&block[..read]);
            octets += read as u64;
            written(self.out.write_all(&block[..read]))?;
        }
        let sha256 = hex(digest.finish().as_ref());
        self.parts.push(Part { name: name.to_owned(), octets, sha256 });
        Ok(octets)
    }

    /// Ends it with its manifest, whose parts are filled in, and syncs it to disk.
    pub(crate) fn finish(mut self, mut manifest: Manifest) -> Result<Manifest, BackupError> {
        manifest.parts = std::mem::take(&mut self.parts);
        let path = self.path;
        let failed = || BackupError::io("cannot write", &path);
        let json = serde_json::to_vec(&manifest).map_err(|error| failed()(error.into()))?;
        if json.len() > MANIFEST_MAX {
            return Err(failed()(io::Error::other("the manifest is too long")));
        }
        let mut out = self.out;
        out.write_all(&[MANIFEST]).map_err(failed())?;
        out.write_all(&(json.len() as u32).to_be_bytes()).map_err(failed())?;
        out.write_all(&json).map_err(failed())?;
        let file = out.finish().map_err(failed())?.into_inner();
        let file = file.map_err(|error| failed()(error.into_error()))?;
        file.sync_all().map_err(failed())?;
        Ok(manifest)
    }
}

/// Reads the header alone; no key is needed, and nothing is proven.
pub fn read_header(path: &Path) -> Result<Header, BackupError> {
    let file = File::open(path).map_err(BackupError::io("cannot read", path))?;
    front(path, &mut BufReader::new(file)).map(|(header, _)| header)
}

/// The header and the digest of everything up to the stream.
fn front(path: &Path, input: &mut impl Read) -> Result<(Header, [u8; 32]), BackupError> {
    let damaged =
        |reason: &str| BackupError::Damaged { path: path.to_owned(), reason: reason.into() };
    let read = |input: &mut dyn Read, octets: &mut [u8]| {
        input.read_exact(octets).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it ends in its header"),
            _ => BackupError::io("cannot read", path)(error),
        })
    };
    let mut fixed = [0; 14];
    match read(input, &mut fixed[..8]) {
        Err(BackupError::Damaged { .. }) => return Err(BackupError::NotABackup(path.to_owned())),
        other => other?,
    }
    if fixed[..8] != MAGIC[..] {
        return Err(BackupError::NotABackup(path.to_owned()));
    }
    read(input, &mut fixed[8..])?;
    let found = u16::from_be_bytes([fixed[8], fixed[9]]);
    if found > FORMAT {
        return Err(BackupError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    let length = u32::from_be_bytes([fixed[10], fixed[11], fixed[12], fixed[13]]) as usize;
    if found == 0 || length > HEADER_MAX {
        return Err(damaged("its header makes no sense"));
    }
    let mut json = vec![0; length];
    read(input, &mut json)?;
    let header = serde_json::from_slice(&json).map_err(|_| damaged("its header makes no sense"))?;
    Ok((header, daemon::secrets::sha256(&[&fixed[..], &json].concat())))
}

/// Reads a backup from end to end: gives each part to `visit`, which reads as much of it as it
/// wants, and compares every part with the manifest.
///
/// What `visit` is given was authenticated chunk by chunk, but that nothing is missing is known
/// only when this returns.
pub(crate) fn read(
    path: &Path,
    keys: &Keys,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<(Header, Manifest), BackupError> {
    let file = File::open(path).map_err(BackupError::io("cannot read", path))?;
    let mut input = BufReader::with_capacity(BLOCK, file);
    let (header, digest) = front(path, &mut input)?;
    let damaged = |reason: String| BackupError::Damaged { path: path.to_owned(), reason };
    let key = key::open(&header.sealed, &header.salt, &header.check, keys)?;
    let key = key.ok_or_else(|| damaged("its header makes no sense".to_owned()))?;
    let failed = |error| fault(path, error);
    let mut stream = OpenReader::new(input, &key, digest).map_err(failed)?;
    let mut found = Vec::new();
    loop {
        let [tag] = array(&mut stream).map_err(failed)?;
        match tag {
            PART => {
                let length = u16::from_be_bytes(array(&mut stream).map_err(failed)?) as usize;
                let name = octets(&mut stream, length, NAME_MAX).map_err(failed)?;
                let name = String::from_utf8(name)
                    .map_err(|_| damaged("a part has no readable name".to_owned()))?;
                let mut part = PartReader {
                    input: &mut stream,
                    left: 0,
                    ended: false,
                    octets: 0,
                    digest: Context::new(&SHA256),
                };
                let visited = visit(&name, &mut part);
                // What failed below is told as what it is, whatever became of it above.
                match visited {
                    Err(BackupError::Io { source, .. }) if is_damage(&source) => {
                        return Err(failed(source));
                    }
                    other => other?,
                }
                io::copy(&mut part, &mut io::sink()).map_err(failed)?;
                let sha256 = hex(part.digest.finish().as_ref());
                found.push(Part { name, octets: part.octets, sha256 });
            }
            MANIFEST => break,
            _ => return Err(damaged("a part begins with something else".to_owned())),
        }
    }
    let length = u32::from_be_bytes(array(&mut stream).map_err(failed)?) as usize;
    let json = octets(&mut stream, length, MANIFEST_MAX).map_err(failed)?;
    let manifest: Manifest = serde_json::from_slice(&json)
        .map_err(|error| damaged(format!("its manifest does not read ({error})")))?;
    if manifest.format > FORMAT {
        let (found, known) = (manifest.format, FORMAT);
        return Err(BackupError::NewerFormat { path: path.to_owned(), found, known });
    }
    if stream.read(&mut [0]).map_err(failed)? != 0 {
        return Err(damaged("something follows its manifest".to_owned()));
    }
    if found != manifest.parts {
        return Err(damaged("its parts are not those of its manifest".to_owned()));
    }
    Ok((header, manifest))
}

fn is_damage(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Damage>())
}

fn fault(path: &Path, error: io::Error) -> BackupError {
    let reason = match error.get_ref().and_then(|inner| inner.downcast_ref::<Damage>()) {
        Some(Damage(reason)) => reason.clone(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "a part is cut short".to_owned(),
        None => return BackupError::io("cannot read", path)(error),
    };
    BackupError::Damaged { path: path.to_owned(), reason }
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    input.read_exact(&mut octets)?;
    Ok(octets)
}

fn octets(input: &mut impl Read, length: usize, max: usize) -> io::Result<Vec<u8>> {
    if length > max {
        return Err(Damage::error("something is longer than it may be"));
    }
    let mut octets = vec![0; length];
    input.read_exact(&mut octets)?;
    Ok(octets)
}

/// The octets of one part.
struct PartReader<'a, R> {
    input: &'a mut R,
    /// Octets left of this block.
    left: usize,
    ended: bool,
    octets: u64,
    digest: Context,
}

impl<R: Read> Read for PartReader<'_, R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        if octets.is_empty() || self.ended {
            return Ok(0);
        }
        if self.left == 0 {
            self.left = u32::from_be_bytes(array(self.input)?) as usize;
            if self.left == 0 {
                self.ended = true;
                return Ok(0);
            }
        }
        let wanted = octets.len().min(self.left);
        let read = self.input.read(&mut octets[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read;
        self.octets += read as u64;
        self.digest.update(&octets[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use daemon::secrets::Keyring;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            program: "0.1.0".to_owned(),
            made_at: Ts::from_seconds(0),
            databases: Vec::new(),
            parts: Vec::new(),
            policy: None,
            keys: Vec::new(),
        }
    }

    fn write(path: &Path, keyring: &Arc<Keyring>, parts: &[(&str, Vec<u8>)]) -> Manifest {
        let seal = Seal::KeyFile(keyring.clone());
        let engines = vec!["SQLite".to_owned()];
        let mut writer =
            ArchiveWriter::create(path, &seal, "0.1.0", Ts::from_seconds(0), engines).unwrap();
        for (name, octets) in parts {
            assert_eq!(writer.part(name, &mut &octets[..]).unwrap(), octets.len() as u64);
        }
        writer.finish(manifest()).unwrap()
    }

    fn keys(keyring: &Arc<Keyring>) -> Keys {
        Keys { keyring: Some(keyring.clone()), passphrase: None }
    }

    fn line(path: &Path, keys: &Keys) -> String {
        let error = read(path, keys, &mut |_, _| Ok(())).unwrap_err();
        daemon::exit::chain(&error).replace(path.to_str().unwrap(), "FILE")
    }

    #[test]
    fn parts_come_out_as_they_went_in_whether_they_are_read_or_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let keyring = Arc::new(Keyring::ephemeral());
        let parts = [("empty", vec![]), ("long", vec![9; 3 * BLOCK + 1]), ("short", vec![1, 2])];
        let written = write(&path, &keyring, &parts);
        let mut seen = Vec::new();
        let read_back = read(&path, &keys(&keyring), &mut |name, part| {
            let mut octets = Vec::new();
            if name != "short" {
                part.read_to_end(&mut octets).unwrap();
            }
            seen.push((name.to_owned(), octets));
            Ok(())
        });
        let (header, manifest) = read_back.unwrap();
        assert_eq!(manifest, written);
        assert_eq!(manifest.octets(), (3 * BLOCK + 3) as u64);
        assert_eq!(header.program, "0.1.0");
        assert_eq!(seen[0], ("empty".to_owned(), vec![]));
        assert_eq!(seen[1].1, parts[1].1);
        assert_eq!(seen[2].0, "short");
        assert_eq!(read_header(&path).unwrap(), header);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let keyring = Arc::new(Keyring::ephemeral());
        write(&path, &keyring, &[("one", vec![3; 200_000])]);
        let whole = std::fs::read(&path).unwrap();
        let keys = keys(&keyring);
        let with = |octets: &[u8]| {
            std::fs::write(&path, octets).unwrap();
            line(&path, &keys)
        };
        assert_eq!(with(b"LMBACK"), "FILE is not a Lastmile backup");
        assert_eq!(with(b"PK\x03\x04 something else"), "FILE is not a Lastmile backup");
        assert_eq!(with(&whole[..20]), "FILE is damaged: it ends in its header");
        let mut newer = whole.clone();
        newer[9] = 2;
        assert_eq!(
            with(&newer),
            "FILE has backup format 2, this program reads up to 1: upgrade it"
        );
        let cut = with(&whole[..whole.len() - 1]);
        assert!(cut.starts_with("FILE is damaged: it ends in chunk "), "{cut}");
        let mut flipped = whole.clone();
        flipped[100_000] ^= 1;
        let line_flipped = with(&flipped);
        assert!(line_flipped.contains("was changed or is not in its place"), "{line_flipped}");
        // The header is authenticated too: another date in it spoils the first chunk.
        let text = String::from_utf8_lossy(&whole[..400]);
        let at = text.find("1970").unwrap();
        let mut dated = whole.clone();
        dated[at] = b'2';
        assert!(with(&dated).contains("chunk 0 was changed"));
        std::fs::write(&path, &whole).unwrap();
        let other = Keys { keyring: Some(Arc::new(Keyring::ephemeral())), passphrase: None };
        assert!(line(&path, &other).starts_with("the key file does not open the backup"));
    }
}
