//! Space kept for a full disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::disk::Disk;

/// How much is written at once.
const CHUNK_OCTETS: usize = 64 * 1024;

/// A file that occupies space until a write needs it.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    octets: u64,
    file: Option<File>,
}

impl Reserve {
    /// The reserve in `dir`, as it was left, not yet filled.
    pub(crate) fn open(dir: &Path, octets: u64) -> Self {
        let path = dir.join("reserve");
        if octets == 0 {
            // One from an earlier configuration; where it cannot go it only costs space.
            let _ = std::fs::remove_file(&path);
        }
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .ok()
            .filter(|file| file.metadata().is_ok_and(|m| octets > 0 && m.len() == octets));
        Self { path, octets, file }
    }

    /// Whether the space is there, or none is wanted.
    pub(crate) fn held(&self) -> bool {
        self.octets == 0 || self.file.is_some()
    }

    /// Takes the space, if it is wanted and not held. Not to get it is no failure of the
    /// journal, only bad news: see [`crate::Usage::reserve_held`].
    pub(crate) fn fill(&mut self, disk: &dyn Disk) {
        if self.held() {
            return;
        }
        match self.write(disk) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                warn!(%error, octets = self.octets, "there is no space for the journal's reserve");
                // Half a reserve would only make the disk fuller.
                if let Err(error) = disk.remove(&self.path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    warn!(%error, "could not remove the unfinished reserve");
                }
            }
        }
    }

    fn write(&self, disk: &dyn Disk) -> io::Result<File> {
        let file = disk.create(&self.path)?;
        // Noise: file systems that compress would keep zeros in no space at all.
        let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
        let mut chunk = Vec::with_capacity(CHUNK_OCTETS);
        let mut offset = 0;
        while offset < self.octets {
            chunk.clear();
            while chunk.len() < CHUNK_OCTETS {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                chunk.extend_from_slice(&noise.to_be_bytes());
            }
            chunk.truncate((self.octets - offset).min(CHUNK_OCTETS as u64) as usize);
            disk.write(&file, &chunk, offset)?;
            offset += chunk.len() as u64;
        }
        disk.sync(&file)?;
        Ok(file)
    }

    /// Gives the space up; false where there was none to give.
    pub(crate) fn release(&mut self, disk: &dyn Disk) -> bool {
        let Some(file) = self.file.take() else { return false };
        // Synced, because some file systems hand out freed blocks only after that.
        let freed = disk.truncate(&file, 0).and_then(|()| disk.sync(&file));
        warn!(octets = self.octets, "the disk is full: the journal's reserve is given up");
        freed.is_ok()
    }
}
