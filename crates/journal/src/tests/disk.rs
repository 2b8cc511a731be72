//! A disk that fails when told to, and does not wait for the real one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::disk::{Disk, Os};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Create,
    Write,
    Sync,
    Truncate,
    Rename,
    Remove,
    SyncDir,
}

impl Call {
    pub(super) const ALL: [Call; 7] = [
        Call::Create,
        Call::Write,
        Call::Sync,
        Call::Truncate,
        Call::Rename,
        Call::Remove,
        Call::SyncDir,
    ];
}

#[derive(Default)]
struct State {
    failing: HashMap<Call, ErrorKind>,
    /// A failing write leaves this share of its octets, in thousandths.
    written_of_1000: usize,
    /// The files whose sync failed, by inode.
    sync_failed: Vec<u64>,
    /// A file was written or synced after its sync had failed.
    reused: bool,
    /// All files of the directory of a file together may have this many octets.
    capacity: Option<u64>,
    dir: Option<std::path::PathBuf>,
}

#[derive(Clone, Default)]
pub(super) struct Faulty(Arc<Mutex<State>>);

impl Faulty {
    pub(super) fn fail(&self, call: Call, kind: ErrorKind) {
        self.0.lock().unwrap().failing.insert(call, kind);
    }

    pub(super) fn written_of_1000(&self, share: usize) {
        self.0.lock().unwrap().written_of_1000 = share;
    }

    pub(super) fn fails(&self, call: Call) -> bool {
        self.0.lock().unwrap().failing.contains_key(&call)
    }

    pub(super) fn heal(&self) {
        self.0.lock().unwrap().failing.clear();
    }

    pub(super) fn capacity(&self, dir: &Path, octets: Option<u64>) {
        let mut state = self.0.lock().unwrap();
        state.dir = Some(dir.to_owned());
        state.capacity = octets;
    }

    /// Whether a file was used after its sync had failed.
    pub(super) fn reused(&self) -> bool {
        self.0.lock().unwrap().reused
    }

    fn check(&self, call: Call) -> io::Result<()> {
        match self.0.lock().unwrap().failing.get(&call) {
            Some(kind) => Err((*kind).into()),
            None => Ok(()),
        }
    }

    fn room(&self, file: &File, octets: u64) -> io::Result<u64> {
        let state = self.0.lock().unwrap();
        let (Some(capacity), Some(dir)) = (state.capacity, &state.dir) else { return Ok(octets) };
        let mut used = 0;
        for entry in fs::read_dir(dir)? {
            used += entry?.metadata()?.len();
        }
        let used = used - file.metadata()?.len();
        Ok(capacity.saturating_sub(used).min(octets))
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.check(Call::Create)?;
        Os.create(path)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.check(Call::Write) {
            let share = self.0.lock().unwrap().written_of_1000;
            file.write_all_at(&bytes[..bytes.len() * share / 1000], offset)?;
            return Err(error);
        }
        let inode = file.metadata()?.ino();
        let mut state = self.0.lock().unwrap();
        state.reused |= state.sync_failed.contains(&inode);
        drop(state);
        let end = offset + bytes.len() as u64;
        let room = self.room(file, end)?;
        if room < end {
            let fits = room.saturating_sub(offset) as usize;
            file.write_all_at(&bytes[..fits], offset)?;
            return Err(ErrorKind::StorageFull.into());
        }
        Os.write(file, bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let inode = file.metadata()?.ino();
        if let Err(error) = self.check(Call::Sync) {
            self.0.lock().unwrap().sync_failed.push(inode);
            return Err(error);
        }
        let mut state = self.0.lock().unwrap();
        state.reused |= state.sync_failed.contains(&inode);
        Ok(())
    }

    fn truncate(&self, file: &File, octets: u64) -> io::Result<()> {
        self.check(Call::Truncate)?;
        Os.truncate(file, octets)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Call::Rename)?;
        Os.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(Call::Remove)?;
        // The number may come again in another file.
        if let Ok(metadata) = fs::metadata(path) {
            self.0.lock().unwrap().sync_failed.retain(|inode| *inode != metadata.ino());
        }
        Os.remove(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.check(Call::SyncDir)
    }
}
