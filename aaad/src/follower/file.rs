//! The local snapshot: policy on this node's disk, so that it starts and answers alone.
//!
//! A framed file (see `journal::framing`) of kind `POLI`. First a mark and one frame per
//! record, then frames appended as changes come; of two frames about one record the later
//! revision counts, and a deletion is a frame too. Heartbeats are kept as well: they say when
//! billing was last heard of. Secrets in it are sealed. A torn tail is cut: the bus has what is
//! missing. When more has been appended than the file began with, it is written anew.
//!
//! It is a convenience, never a condition: a file that cannot be read or written costs the
//! start without a bus, not the start.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use daemon::exit::chain;
use journal::framing;
use model::Ts;
use model::policy::{Change, FORMAT, Key, Mark};
use tracing::warn;

const KIND: [u8; 4] = *b"POLI";

/// Rewriting a small file is never worth it.
const REWRITE_FLOOR: u64 = 1000;

/// Why the local snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("could not read the policy snapshot")]
    Read(#[source] io::Error),
    #[error("could not write the policy snapshot")]
    Write(#[source] io::Error),
    #[error("the policy snapshot is none, or a newer one")]
    Header(#[source] framing::FrameError),
    #[error("a record of the policy snapshot does not read")]
    Record(#[source] serde_json::Error),
}

/// The file, as far as it can be written.
pub(crate) struct SnapshotFile {
    path: PathBuf,
    open: Option<Open>,
}

struct Open {
    file: File,
    /// Where the last whole frame ends.
    end: u64,
    began_with: u64,
    appended: u64,
}

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) epoch: u64,
    pub(crate) revision: u64,
    pub(crate) billing_heard: Ts,
    pub(crate) changes: HashMap<Key, Change>,
}

impl SnapshotFile {
    /// Reads the file. Where it cannot be read, there is nothing in it, and the log says why.
    pub(crate) fn open(path: &Path) -> (Self, Contents) {
        let mut file = Self { path: path.to_owned(), open: None };
        let contents = match read(path) {
            Ok(contents) => contents,
            Err(error) => {
                warn!(error = %chain(&error), "local policy snapshot not used");
                return (file, Contents::default());
            }
        };
        // Written anew at once: this cuts a torn tail and drops what was superseded.
        if contents.epoch != 0 {
            file.rewrite(&contents.mark(), contents.billing_heard, contents.changes.values());
        }
        (file, contents)
    }

    /// Writes a new file beside the old one and renames it. Where that fails the old one stays,
    /// nothing is appended to it, and the log says why.
    pub(crate) fn rewrite<'c>(
        &mut self,
        mark: &Mark,
        billing_heard: Ts,
        changes: impl Iterator<Item = &'c Change>,
    ) {
        self.open = match write(&self.path, mark, billing_heard, changes) {
            Ok(open) => Some(open),
            Err(error) => {
                warn!(error = %chain(&error), "could not keep the policy snapshot");
                None
            }
        };
    }

    /// Appends changes that were applied, and when billing was heard of.
    pub(crate) fn append(&mut self, changes: &[Change], billing_heard: Option<Ts>) {
        let Some(open) = &mut self.open else { return };
        if let Err(error) = open.append(changes, billing_heard) {
            warn!(error = %chain(&error), "could not keep policy changes on disk");
            self.open = None;
            return;
        }
        if open.appended > open.began_with + REWRITE_FLOOR {
            let path = std::mem::take(&mut self.path);
            *self = Self::open(&path).0;
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

impl Contents {
    fn mark(&self) -> Mark {
        let count = self.changes.len() as u64;
        Mark { format: FORMAT, epoch: self.epoch, revision: self.revision, count }
    }
}

fn write<'c>(
    path: &Path,
    mark: &Mark,
    billing_heard: Ts,
    changes: impl Iterator<Item = &'c Change>,
) -> Result<Open, FileError> {
    let mut bytes = Vec::new();
    framing::write_header(&mut bytes, KIND, FORMAT);
    frame(&mut bytes, b'M', mark)?;
    frame(&mut bytes, b'H', &billing_heard)?;
    let mut count = 0;
    for change in changes {
        frame(&mut bytes, b'C', change)?;
        count += 1;
    }
    let beside = path.with_extension("new");
    let write = || -> io::Result<File> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        Ok(file)
    };
    let file = write().map_err(FileError::Write)?;
    Ok(Open { file, end: bytes.len() as u64, began_with: count, appended: 0 })
}

fn frame(out: &mut Vec<u8>, kind: u8, record: &impl serde::Serialize) -> Result<(), FileError> {
    let mut body = vec![kind];
    serde_json::to_writer(&mut body, record).map_err(FileError::Record)?;
    framing::write_frame(out, &body);
    Ok(())
}

fn read(path: &Path) -> Result<Contents, FileError> {
    let mut contents = Contents::default();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(contents),
        Err(error) => return Err(FileError::Read(error)),
    };
    for frame in framing::open(&bytes, KIND, FORMAT).map_err(FileError::Header)? {
        // A torn tail ends the file.
        let Ok(frame) = frame else { break };
        match frame.split_first() {
            Some((b'M', body)) => {
                let mark: Mark = serde_json::from_slice(body).map_err(FileError::Record)?;
                contents.epoch = mark.epoch;
                contents.revision = mark.revision;
            }
            Some((b'H', body)) => {
                let at: Ts = serde_json::from_slice(body).map_err(FileError::Record)?;
                contents.billing_heard = contents.billing_heard.max(at);
            }
            Some((b'C', body)) => {
                let change: Change = serde_json::from_slice(body).map_err(FileError::Record)?;
                // Only what was applied is appended, and that is of the file's own epoch.
                if change.epoch != contents.epoch {
                    continue;
                }
                contents.revision = contents.revision.max(change.revision);
                let older = contents.changes.get(&change.key);
                if older.is_none_or(|older| older.revision <= change.revision) {
                    contents.changes.insert(change.key, change);
                }
            }
            _ => {}
        }
    }
    contents.changes.retain(|_, change| change.body.is_some());
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::PlanVersionId;
    use model::policy::{Body, Garden, OnHold, Profile};
    use model::{OrganisationId, PlanId};

    fn change(id: PlanVersionId, revision: u64, name: Option<&str>) -> Change {
        let profile = name.map(|name| {
            Body::Profile(Profile {
                id,
                plan: PlanId::NONE,
                organisation: OrganisationId::NONE,
                name: name.to_owned(),
                download_bps: Some(1),
                upload_bps: None,
                interim_s: 300,
                session_timeout_s: None,
                idle_timeout_s: None,
                pool: None,
                on_expired: OnHold::Reject,
                garden: Garden::default(),
            })
        });
        Change {
            format: FORMAT,
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

    #[test]
    fn the_file_keeps_the_latest_of_each_record_and_survives_a_torn_tail() {
        let (dir, path) = place();
        let (a, b) = (PlanVersionId::generate(), PlanVersionId::generate());
        let (mut file, empty) = SnapshotFile::open(&path);
        assert!(empty.changes.is_empty());
        let mark = Mark { format: FORMAT, epoch: 9, revision: 2, count: 2 };
        let both = [change(a, 1, Some("a1")), change(b, 2, Some("b"))];
        file.rewrite(&mark, Ts(5), both.iter());
        file.append(&[change(a, 3, Some("a3"))], None);
        file.append(&[change(b, 4, None)], Some(Ts(7)));

        let (mut file, contents) = SnapshotFile::open(&path);
        assert_eq!((contents.epoch, contents.revision), (9, 4));
        assert_eq!(contents.billing_heard, Ts(7));
        assert_eq!(contents.changes.len(), 1);
        assert_eq!(contents.changes[&Key::Profile(a)], change(a, 3, Some("a3")));

        file.append(&[change(b, 5, Some("torn"))], None);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let (_, contents) = SnapshotFile::open(&path);
        assert_eq!(contents.changes.len(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_that_is_damaged_or_cannot_be_written_costs_only_itself() {
        let (dir, path) = place();
        fs::write(&path, b"not a snapshot").unwrap();
        let (mut file, contents) = SnapshotFile::open(&path);
        assert!(contents.changes.is_empty());
        let mark = Mark { format: FORMAT, epoch: 9, revision: 1, count: 1 };
        file.rewrite(&mark, Ts(0), [change(PlanVersionId::generate(), 1, Some("a"))].iter());
        assert_eq!(SnapshotFile::open(&path).1.changes.len(), 1);

        let nowhere = dir.join("missing").join("policy");
        let (mut file, _) = SnapshotFile::open(&nowhere);
        file.rewrite(&mark, Ts(0), std::iter::empty());
        file.append(&[change(PlanVersionId::generate(), 2, Some("b"))], None);
        assert!(!nowhere.exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
