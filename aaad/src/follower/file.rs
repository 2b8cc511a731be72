//! The local snapshot: policy on this node's disk, so that it starts and answers alone.
//!
//! A framed file (see `journal::framing`) of kind `POLI`. Each frame's first octet says what it
//! is:
//!
//! | frame | holds |
//! |---|---|
//! | `M` | the mark: epoch, revision, number of records, in JSON |
//! | `H` | when billing was last heard of, in JSON |
//! | `S` | a block of subscribers, a mebibyte or so, as the table has them |
//! | `C` | a change, in JSON: the clients, NAS and profiles, then whatever came later |
//! | `E` | nothing: here ends what the file was written with, and begins what was appended |
//!
//! **Write.** Beside the old file, front to back: mark, others, subscribers. It is synced and
//! takes the old one's place. Changes are appended as they come, heartbeats too; a deletion is
//! a change. When more has been appended than an eighth of what the file began with, it is
//! written anew.
//!
//! **Read.** Some thirty mebibytes at a time, which go into the table on every core; never the
//! whole file, and no text but of the few that are not plain. Of two frames about one record
//! the later counts. A torn tail of what was appended is cut: the bus has what is missing. A file
//! without its `E` is not used, since half of the subscribers would be refused as unknown; it is
//! put aside under the name `*.damaged`. Secrets in it are sealed.
//!
//! It is a convenience, never a condition: a file that cannot be read or written costs the
//! start without a bus, not the start.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use daemon::exit::chain;
use journal::framing::{self, ReadError};
use model::Ts;
use model::policy::{Body, Change, Key, Mark};
use tracing::warn;

use crate::cache::{BlockError, Cache, Staged};

const KIND: [u8; 4] = *b"POLI";

/// The format of the file. Older ones are not read: the bus has everything.
const FORMAT: u8 = 2;

/// Rewriting a small file is never worth it.
const REWRITE_FLOOR: u64 = 1000;

/// How long a file that went wrong is left alone, before it is written anew.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Octets of a block of subscribers, about.
const BLOCK_OCTETS: usize = 1 << 20;

/// Octets of records that wait for the table while the file is read.
const STAGED_OCTETS_MAX: usize = 32 << 20;

/// Why the local snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("could not read the policy snapshot")]
    Read(#[source] io::Error),
    #[error("could not write the policy snapshot")]
    Write(#[from] io::Error),
    #[error("the policy snapshot is none, or a newer one")]
    Header(#[source] framing::FrameError),
    #[error("the policy snapshot has format {0}, which is no longer read")]
    Older(u8),
    #[error("a record of the policy snapshot does not read")]
    Record(#[from] serde_json::Error),
    #[error("a block of the policy snapshot does not read")]
    Block(#[from] BlockError),
}

/// The file, as far as it can be written.
pub(crate) struct SnapshotFile {
    path: PathBuf,
    open: Option<Open>,
    /// When it was last written anew, or that was tried.
    tried: Option<Instant>,
}

struct Open {
    file: File,
    /// Where the last whole frame ends.
    end: u64,
    began_with: u64,
    appended: u64,
}

/// What the file said, besides what it put into the cache.
#[derive(Default)]
struct Read {
    /// Its first part is all there.
    whole: bool,
    promised: u64,
    appended: u64,
    /// Where the last whole frame ends.
    end: u64,
}

impl SnapshotFile {
    /// Puts what the file says into the cache, which is empty. Where it cannot be read, there
    /// is nothing in it, and the log says why.
    pub(crate) fn open(path: &Path, cache: &Cache) -> Self {
        let mut snapshot = Self { path: path.to_owned(), open: None, tried: None };
        match read(path, cache) {
            Ok(None) => {}
            Ok(Some(read)) if !read.whole => {
                // Whoever is missing would be refused as unknown.
                let (found, promised) = (cache.extent().count, read.promised);
                cache.replace(0, 0, cache.begin(0));
                let aside = path.with_extension("damaged");
                let moved = fs::rename(path, &aside);
                let error = moved.err().map(|error| chain(&error).to_string());
                warn!(found, promised, aside = %aside.display(), error, "the local policy snapshot was cut short and is not used");
            }
            Ok(Some(read)) => {
                match open_to_append(path, &read) {
                    Ok(open) => snapshot.open = Some(open),
                    Err(error) => {
                        warn!(error = %chain(&error), "could not keep the policy snapshot");
                    }
                }
                snapshot.rewrite_if_long(cache);
            }
            Err(error) => {
                // Half of a policy is worse than none.
                cache.replace(0, 0, cache.begin(0));
                warn!(error = %chain(&error), "local policy snapshot not used");
            }
        }
        snapshot
    }

    /// Whether changes are kept: there is a file, and nothing has gone wrong with it.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Writes what is in the cache beside the old file and renames it. Where that fails the old
    /// one stays, nothing is appended to it, and the log says why.
    pub(crate) fn rewrite(&mut self, cache: &Cache) {
        self.tried = Some(Instant::now());
        self.open = match write(&self.path, cache) {
            Ok(open) => Some(open),
            Err(error) => {
                warn!(error = %chain(&error), "could not keep the policy snapshot");
                None
            }
        };
    }

    /// Appends changes that were applied to the cache, and when billing was heard of. A file that
    /// went wrong is written anew some time later, if the cache has everything.
    pub(crate) fn append(&mut self, changes: &[Change], billing_heard: Option<Ts>, cache: &Cache) {
        let Some(open) = &mut self.open else {
            if cache.is_whole() && self.tried.is_none_or(|at| at.elapsed() >= AGAIN_AFTER) {
                self.rewrite(cache);
            }
            return;
        };
        if let Err(error) = open.append(changes, billing_heard) {
            warn!(error = %chain(&error), "could not keep policy changes on disk");
            self.open = None;
            return;
        }
        self.rewrite_if_long(cache);
    }

    fn rewrite_if_long(&mut self, cache: &Cache) {
        let Some(open) = &self.open else { return };
        if open.appended > REWRITE_FLOOR + open.began_with / 8 {
            self.rewrite(cache);
        }
    }
}

impl Open {
    fn append(&mut self, changes: &[Change], billing_heard: Option<Ts>) -> Result<(), FileError> {
        let mut bytes = Vec::new();
        for change in changes {
            frame(&mut bytes, b'C', change)?;
        }
        if let Some(at) = billing_heard {
            frame(&mut bytes, b'H', &at)?;
        }
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was written in part would hide everything behind it.
            let _ = self.file.set_len(self.end);
            return Err(FileError::Write(error));
        }
        self.end += bytes.len() as u64;
        self.appended += changes.len() as u64 + u64::from(billing_heard.is_some());
        Ok(())
    }
}

/// The file as it is, without its torn tail, to go on behind its end.
fn open_to_append(path: &Path, read: &Read) -> Result<Open, FileError> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.set_len(read.end)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Open { file, end: read.end, began_with: read.promised, appended: read.appended })
}

fn write(path: &Path, cache: &Cache) -> Result<Open, FileError> {
    let beside = path.with_extension("new");
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let mut file = BufWriter::new(file);
    let extent = cache.extent();
    let mut bytes = Vec::new();
    framing::write_header(&mut bytes, KIND, FORMAT);
    let mark = Mark {
        format: model::policy::FORMAT,
        epoch: extent.epoch,
        revision: extent.revision,
        count: extent.count,
    };
    frame(&mut bytes, b'M', &mark)?;
    frame(&mut bytes, b'H', &cache.billing_heard())?;
    for change in cache.others().values() {
        frame(&mut bytes, b'C', change)?;
    }
    file.write_all(&bytes)?;
    let mut end = bytes.len() as u64;
    let mut payload = Vec::new();
    cache.subscribers().write(BLOCK_OCTETS, |block| {
        payload.clear();
        payload.push(b'S');
        payload.extend_from_slice(block);
        bytes.clear();
        framing::write_frame(&mut bytes, &payload);
        end += bytes.len() as u64;
        Ok::<_, FileError>(file.write_all(&bytes)?)
    })?;
    bytes.clear();
    framing::write_frame(&mut bytes, b"E");
    end += bytes.len() as u64;
    file.write_all(&bytes)?;
    let file = file.into_inner().map_err(|error| FileError::Write(error.into_error()))?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(Open { file, end, began_with: extent.count, appended: 0 })
}

fn frame(out: &mut Vec<u8>, kind: u8, record: &impl serde::Serialize) -> Result<(), FileError> {
    let mut body = vec![kind];
    serde_json::to_writer(&mut body, record)?;
    framing::write_frame(out, &body);
    Ok(())
}

/// Reads the file into the cache; nothing where there is none.
fn read(path: &Path, cache: &Cache) -> Result<Option<Read>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::Read(error)),
    };
    let mut frames = framing::Reader::open(BufReader::new(file), KIND, FORMAT).map_err(explain)?;
    if frames.format() < FORMAT {
        return Err(FileError::Older(frames.format()));
    }
    let mut read = Read::default();
    let mut mark: Option<Mark> = None;
    let mut revision = 0;
    let mut others: HashMap<Key, Change> = HashMap::new();
    let mut staged = Staged::default();
    loop {
        let payload = match frames.read() {
            Ok(Some(payload)) => payload,
            // A torn tail ends the file.
            Ok(None) | Err(ReadError::Frame(_)) => break,
            Err(ReadError::Io(error)) => return Err(FileError::Read(error)),
        };
        match payload.split_first() {
            Some((b'M', body)) => mark = Some(serde_json::from_slice(body)?),
            Some((b'H', body)) => {
                cache.set_billing_heard(serde_json::from_slice(body)?);
                read.appended += u64::from(read.whole);
            }
            Some((b'S', body)) => {
                staged.put_block(body)?;
                if staged.octets() >= STAGED_OCTETS_MAX {
                    cache.put(&mut staged);
                }
            }
            Some((b'C', body)) => {
                let change: Change = serde_json::from_slice(body)?;
                // Only what was applied is appended, and that is of the file's own epoch.
                if mark.is_some_and(|mark| mark.epoch == change.epoch) {
                    revision = revision.max(change.revision);
                    read.appended += u64::from(read.whole);
                    stage(change, &mut staged, &mut others);
                }
            }
            Some((b'E', _)) => read.whole = true,
            _ => {}
        }
    }
    read.end = frames.end();
    let Some(mark) = mark else { return Ok(Some(Read::default())) };
    cache.put(&mut staged);
    cache.restore(mark.epoch, mark.revision.max(revision), others);
    read.promised = mark.count;
    Ok(Some(read))
}

fn explain(error: ReadError) -> FileError {
    match error {
        ReadError::Io(error) => FileError::Read(error),
        ReadError::Frame(error) => FileError::Header(error),
    }
}

fn stage(change: Change, staged: &mut Staged, others: &mut HashMap<Key, Change>) {
    match (change.key, &change.body) {
        (Key::Subscriber(_), Some(Body::Subscriber(subscriber))) => {
            staged.put(subscriber, change.revision);
        }
        (Key::Subscriber(id), _) => staged.remove(id),
        (key, None) => {
            others.remove(&key);
        }
        (key, Some(_)) => {
            others.insert(key, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Extent;
    use daemon::secrets::Keyring;
    use model::identity::{Identity, IdentityKind};
    use model::policy::{Gives, Profile, Subscriber};
    use model::{CustomerId, IdentityId, OrganisationId, PlanId, PlanVersionId, ServiceId};
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    fn change(id: PlanVersionId, revision: u64, name: Option<&str>) -> Change {
        let profile = name.map(|name| {
            Body::Profile(Box::new(Profile {
                id,
                plan: PlanId::NONE,
                organisation: OrganisationId::NONE,
                name: name.to_owned(),
                gives: Gives { download_bps: Some(1), ..Gives::default() },
            }))
        });
        Change {
            format: model::policy::FORMAT,
            epoch: 9,
            revision,
            after: 0,
            key: Key::Profile(id),
            body: profile,
        }
    }

    fn place() -> (PathBuf, PathBuf) {
        let dir = std::env::temp_dir().join(format!("lastmile-snapshot-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("policy");
        (dir, path)
    }

    fn subscriber(service: ServiceId, login: &str, ipv4: Option<Ipv4Addr>) -> Subscriber {
        let (organisation, profile) = (OrganisationId::NONE, PlanVersionId::NONE);
        let identity = Identity {
            id: IdentityId::generate(),
            kind: IdentityKind::Login,
            value: login.to_owned(),
            credential: None,
        };
        Subscriber {
            identities: vec![identity],
            ipv4,
            ..Subscriber::plain(service, organisation, CustomerId::NONE, profile, None)
        }
    }

    fn moved(service: ServiceId, revision: u64, to: Option<Subscriber>) -> Change {
        Change {
            format: model::policy::FORMAT,
            epoch: 9,
            revision,
            after: 0,
            key: Key::Subscriber(service),
            body: to.map(Body::Subscriber),
        }
    }

    fn cache() -> Cache {
        Cache::new(Arc::new(Keyring::ephemeral()))
    }

    fn applied(cache: &Cache, file: &mut SnapshotFile, change: Change, heard: Option<Ts>) {
        cache.apply(&change);
        file.append(&[change], heard, cache);
    }

    fn name(cache: &Cache, id: PlanVersionId) -> Option<String> {
        cache.profile(id).map(|compiled| compiled.profile.name.clone())
    }

    #[test]
    fn the_file_keeps_the_latest_of_each_record_and_survives_a_torn_tail() {
        let (dir, path) = place();
        let (a, b) = (PlanVersionId::generate(), PlanVersionId::generate());
        let first = cache();
        let mut file = SnapshotFile::open(&path, &first);
        assert!(first.extent().count == 0 && !file.is_open());
        let mut loading = first.begin(9);
        loading.take(&first, change(a, 1, Some("a1")));
        loading.take(&first, change(b, 2, Some("b")));
        assert!(first.replace(9, 2, loading));
        first.set_billing_heard(Ts(5));
        file.rewrite(&first);
        applied(&first, &mut file, change(a, 3, Some("a3")), None);
        applied(&first, &mut file, change(b, 4, None), Some(Ts(7)));

        let second = cache();
        let mut file = SnapshotFile::open(&path, &second);
        assert_eq!(second.extent(), first.extent());
        assert_eq!(second.extent(), Extent { epoch: 9, revision: 4, count: 1 });
        assert_eq!(second.billing_heard(), Ts(7));
        assert_eq!((name(&second, a).as_deref(), name(&second, b)), (Some("a3"), None));

        applied(&second, &mut file, change(b, 5, Some("torn")), None);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let third = cache();
        let mut file = SnapshotFile::open(&path, &third);
        assert_eq!(third.extent().count, 1);
        // What comes next is readable behind the cut.
        applied(&third, &mut file, change(b, 6, Some("again")), None);
        let fourth = cache();
        SnapshotFile::open(&path, &fourth);
        assert_eq!(name(&fourth, b).as_deref(), Some("again"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn subscribers_of_every_kind_come_back_as_they_were() {
        let (dir, path) = place();
        let first = cache();
        let services: Vec<ServiceId> = (0..3000).map(|_| ServiceId::generate()).collect();
        let fixed = |n: usize| n.is_multiple_of(7).then(|| Ipv4Addr::from(0x0a00_0000 + n as u32));
        let mut loading = first.begin(9);
        for (n, service) in services.iter().enumerate() {
            let one = subscriber(*service, &format!("u{n}"), fixed(n));
            loading.take(&first, moved(*service, n as u64 + 1, Some(one)));
        }
        assert_eq!(loading.len(), services.len());
        assert!(first.replace(9, 3000, loading));
        let mut file = SnapshotFile::open(&path, &first);
        file.rewrite(&first);
        // One is renamed, one goes, one gets an address.
        let renamed = subscriber(services[1], "renamed", None);
        applied(&first, &mut file, moved(services[1], 3001, Some(renamed)), None);
        applied(&first, &mut file, moved(services[2], 3002, None), None);
        let fixed_now = subscriber(services[3], "u3", Some(Ipv4Addr::LOCALHOST));
        applied(&first, &mut file, moved(services[3], 3003, Some(fixed_now)), None);

        let second = cache();
        SnapshotFile::open(&path, &second);
        assert_eq!(second.extent(), Extent { epoch: 9, revision: 3003, count: 2999 });
        let subscribers = second.subscribers();
        let found = |login: &str| subscribers.identify(IdentityKind::Login, login.as_bytes());
        for (n, service) in services.iter().enumerate() {
            let entry = found(&format!("u{n}"));
            match n {
                1 => assert!(entry.is_none()),
                2 => assert!(entry.is_none() && subscribers.find(*service).is_none()),
                _ => {
                    let entry = entry.unwrap();
                    let ipv4 = if n == 3 { Some(Ipv4Addr::LOCALHOST) } else { fixed(n) };
                    assert_eq!((entry.service(), entry.subscriber().ipv4), (*service, ipv4));
                }
            }
        }
        assert_eq!(found("renamed").unwrap().service(), services[1]);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_snapshot_cut_within_its_first_part_is_put_aside_and_nobody_is_served_from_it() {
        let (dir, path) = place();
        let first = cache();
        let mut loading = first.begin(9);
        loading.take(&first, change(PlanVersionId::generate(), 1, Some("a")));
        let service = ServiceId::generate();
        loading.take(&first, moved(service, 2, Some(subscriber(service, "asha", None))));
        first.replace(9, 2, loading);
        SnapshotFile::open(&path, &first).rewrite(&first);
        let whole = fs::read(&path).unwrap();
        for cut in (0..whole.len()).step_by(11) {
            fs::write(&path, &whole[..cut]).unwrap();
            let aside = path.with_extension("damaged");
            let _ = fs::remove_file(&aside);
            let second = cache();
            let mut file = SnapshotFile::open(&path, &second);
            assert!(!file.is_open(), "cut at {cut}");
            assert_eq!(second.extent(), cache().extent(), "cut at {cut}");
            assert!(second.subscribers().find(service).is_none(), "cut at {cut}");
            // A file without its first octets says nothing about what it was.
            assert!(!path.exists() && aside.exists() || cut < 16, "cut at {cut}");
            if cut > 16 {
                assert_eq!(fs::read(&aside).unwrap(), whole[..cut]);
            }
            file.rewrite(&first);
            SnapshotFile::open(&path, &second);
            assert_eq!(second.extent(), first.extent(), "written anew after a cut at {cut}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_that_went_wrong_is_written_anew_once_in_a_while() {
        let (dir, path) = place();
        let first = cache();
        let mut loading = first.begin(9);
        let profile = PlanVersionId::generate();
        loading.take(&first, change(profile, 1, Some("a")));
        first.replace(9, 1, loading);
        let mut file = SnapshotFile::open(&path, &first);
        file.rewrite(&first);
        // A file that was opened to be read takes nothing.
        if let Some(open) = &mut file.open {
            open.file = File::open(&path).unwrap();
        }
        applied(&first, &mut file, change(profile, 2, Some("b")), None);
        assert!(!file.is_open());
        let later = |file: &mut SnapshotFile| file.tried = Instant::now().checked_sub(AGAIN_AFTER);
        later(&mut file);
        applied(&first, &mut file, change(profile, 3, Some("c")), None);
        assert!(!file.is_open(), "a cache that is not whole is not kept");
        first.set_whole();
        file.tried = Some(Instant::now());
        applied(&first, &mut file, change(profile, 4, Some("d")), None);
        assert!(!file.is_open(), "not before its time");
        later(&mut file);
        applied(&first, &mut file, change(profile, 5, Some("e")), None);
        assert!(file.is_open());
        let second = cache();
        SnapshotFile::open(&path, &second);
        assert_eq!(name(&second, profile).as_deref(), Some("e"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_that_is_damaged_or_cannot_be_written_costs_only_itself() {
        let (dir, path) = place();
        let empty = cache();
        let mut old = Vec::new();
        framing::write_header(&mut old, KIND, 1);
        for bytes in [b"not a snapshot".to_vec(), old] {
            fs::write(&path, bytes).unwrap();
            assert!(!SnapshotFile::open(&path, &empty).is_open());
            assert_eq!(empty.extent().count, 0);
        }
        let mut file = SnapshotFile::open(&path, &empty);
        empty.apply(&change(PlanVersionId::generate(), 1, Some("a")));
        file.rewrite(&empty);
        let again = cache();
        SnapshotFile::open(&path, &again);
        assert_eq!(again.extent().count, 1);

        // A block that is none: what came before it is not used either.
        let mut bytes = fs::read(&path).unwrap();
        framing::write_frame(&mut bytes, b"Sno records");
        fs::write(&path, bytes).unwrap();
        let none = cache();
        SnapshotFile::open(&path, &none);
        assert_eq!(none.extent().count, 0);

        let nowhere = dir.join("missing").join("policy");
        let mut file = SnapshotFile::open(&nowhere, &cache());
        file.rewrite(&empty);
        file.append(&[change(PlanVersionId::generate(), 2, Some("b"))], None, &empty);
        assert!(!nowhere.exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
