//! The local snapshot: policy on this node's disk, so that it starts and answers alone.
//!
//! A framed file (see `journal::framing`) of kind `POLI`. First one frame per record, then
//! frames appended as changes come; of two frames about one record the later revision counts,
//! and a deletion is a frame too. Secrets in it are sealed. A torn tail is cut: the bus has
//! what is missing. When more has been appended than the file began with, it is written anew.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use journal::framing;
use model::policy::{Change, FORMAT, Key, Mark};

const KIND: [u8; 4] = *b"POLI";

/// Rewriting a small file is never worth it.
const REWRITE_FLOOR: u64 = 1000;

/// Why the local snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading failed.
    #[error("could not read the policy snapshot {path}")]
    Read {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing failed.
    #[error("could not write the policy snapshot")]
    Write(#[source] io::Error),
    /// It is not such a file, or a newer one.
    #[error("the policy snapshot {path} cannot be read")]
    Header {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: framing::FrameError,
    },
    /// A record was not written by this program.
    #[error("the policy snapshot holds a record that does not read")]
    Record(#[source] serde_json::Error),
}

/// The open file.
pub(crate) struct SnapshotFile {
    file: Option<File>,
    began_with: u64,
    appended: u64,
}

/// What the file says.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) epoch: u64,
    pub(crate) revision: u64,
    pub(crate) changes: HashMap<Key, Change>,
}

impl SnapshotFile {
    /// Reads the file, if there is one, and opens it for appending.
    pub(crate) fn open(path: &Path) -> Result<(Self, Contents), FileError> {
        let contents = match fs::read(path) {
            Ok(bytes) => read(path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Self { file: None, began_with: 0, appended: 0 }, Contents::default()));
            }
            Err(source) => {
                return Err(FileError::Read { path: path.display().to_string(), source });
            }
        };
        // Written anew at once: this cuts a torn tail and drops what was superseded.
        let mark = Mark {
            format: FORMAT,
            epoch: contents.epoch,
            revision: contents.revision,
            count: contents.changes.len() as u64,
        };
        let file = Self::write(path, &mark, contents.changes.values())?;
        Ok((file, contents))
    }

    /// Writes a new file beside the old one and renames it.
    pub(crate) fn write<'c>(
        path: &Path,
        mark: &Mark,
        changes: impl Iterator<Item = &'c Change>,
    ) -> Result<Self, FileError> {
        let mut bytes = Vec::new();
        framing::write_header(&mut bytes, KIND, FORMAT);
        frame(&mut bytes, b'M', mark)?;
        let mut count = 0;
        for change in changes {
            frame(&mut bytes, b'C', change)?;
            count += 1;
        }
        let beside = path.with_extension("new");
        let write = || -> io::Result<File> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            Ok(file)
        };
        let file = write().map_err(FileError::Write)?;
        Ok(Self { file: Some(file), began_with: count, appended: 0 })
    }

    /// Appends changes that were applied.
    pub(crate) fn append(&mut self, path: &Path, changes: &[Change]) -> Result<(), FileError> {
        let Some(file) = &mut self.file else {
            let last = changes.iter().max_by_key(|c| c.revision);
            let (epoch, revision) = last.map_or((0, 0), |c| (c.epoch, c.revision));
            let count = changes.len() as u64;
            let mark = Mark { format: FORMAT, epoch, revision, count };
            *self = Self::write(path, &mark, changes.iter())?;
            return Ok(());
        };
        let mut bytes = Vec::new();
        for change in changes {
            frame(&mut bytes, b'C', change)?;
        }
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(FileError::Write)?;
        self.appended += changes.len() as u64;
        if self.appended > self.began_with + REWRITE_FLOOR {
            *self = Self::open(path)?.0;
        }
        Ok(())
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, record: &impl serde::Serialize) -> Result<(), FileError> {
    let mut body = vec![kind];
    serde_json::to_writer(&mut body, record).map_err(FileError::Record)?;
    framing::write_frame(out, &body);
    Ok(())
}

fn read(path: &Path, bytes: &[u8]) -> Result<Contents, FileError> {
    let header = |source| FileError::Header { path: path.display().to_string(), source };
    let mut contents = Contents::default();
    for frame in framing::open(bytes, KIND, FORMAT).map_err(header)? {
        // A torn tail ends the file.
        let Ok(frame) = frame else { break };
        match frame.split_first() {
            Some((b'M', body)) => {
                let mark: Mark = serde_json::from_slice(body).map_err(FileError::Record)?;
                contents.epoch = mark.epoch;
                contents.revision = mark.revision;
            }
            Some((b'C', body)) => {
                let change: Change = serde_json::from_slice(body).map_err(FileError::Record)?;
                contents.epoch = change.epoch;
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

    #[test]
    fn the_file_keeps_the_latest_of_each_record_and_survives_a_torn_tail() {
        let dir = std::env::temp_dir().join(format!("lastmile-snapshot-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("policy");
        let (a, b) = (PlanVersionId::generate(), PlanVersionId::generate());
        let (mut file, empty) = SnapshotFile::open(&path).unwrap();
        assert!(empty.changes.is_empty());
        file.append(&path, &[change(a, 1, Some("a1")), change(b, 2, Some("b"))]).unwrap();
        file.append(&path, &[change(a, 3, Some("a3"))]).unwrap();
        file.append(&path, &[change(b, 4, None)]).unwrap();

        let (mut file, contents) = SnapshotFile::open(&path).unwrap();
        assert_eq!((contents.epoch, contents.revision), (9, 4));
        assert_eq!(contents.changes.len(), 1);
        assert_eq!(contents.changes[&Key::Profile(a)], change(a, 3, Some("a3")));

        file.append(&path, &[change(b, 5, Some("torn"))]).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let (_, contents) = SnapshotFile::open(&path).unwrap();
        assert_eq!(contents.changes.len(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
