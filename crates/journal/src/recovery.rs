//! Opening a journal: what is there, what of it counts, and where writing goes on.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, Os};
use crate::reserve::Reserve;
use crate::scan::{highest_sequence, scan};
use crate::segment::{self, Header};
use crate::shared::{Segment, Shared, State};
use crate::writer::{self, Current, new_incarnation};
use crate::{Journal, JournalError, Options};

/// What [`Journal::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// There was no journal: this is a new one.
    pub created: bool,
    /// The incarnation is a new one.
    pub renewed: bool,
    /// The segments kept.
    pub segments: usize,
    /// The first sequence kept; one more than the last where the journal is empty.
    pub first_sequence: u64,
    /// The last durable sequence.
    pub last_sequence: u64,
    /// Octets behind the last good record that do not count: a commit a crash interrupted, or
    /// damage.
    pub cut_octets: u64,
    /// Segments whose header is damaged; they were renamed and are not read.
    pub set_aside: Vec<PathBuf>,
}

impl Journal {
    /// Opens the journal in `dir`, or creates one. A second writer, in this process or
    /// another, is refused.
    pub fn open(dir: &Path, options: Options) -> Result<(Journal, Recovery), JournalError> {
        open_on(dir, options, Box::new(Os))
    }
}

pub(crate) fn open_on(
    dir: &Path,
    options: Options,
    disk: Box<dyn Disk>,
) -> Result<(Journal, Recovery), JournalError> {
    options.check()?;
    prepare(dir, &*disk)
        .map_err(|source| JournalError::Directory { path: dir.to_owned(), source })?;
    let lock = lock(dir)?;
    let mut reserve = Reserve::open(dir, options.reserve_octets);
    let found = find(dir, &*disk)?;

    let mut recovery = Recovery {
        created: found.segments.is_empty() && found.damaged.is_empty(),
        renewed: true,
        segments: 0,
        first_sequence: 0,
        last_sequence: 0,
        cut_octets: 0,
        set_aside: Vec::new(),
    };
    let mut segments = found.segments;
    let (current, incarnation) = match resume(&mut segments, &*disk, &mut recovery)? {
        Resume::Here(current, incarnation) if !found.damaged_last => {
            recovery.renewed = false;
            (current, incarnation)
        }
        resume => {
            let mut next = match resume {
                Resume::Here(..) => segments.back().map_or(1, |segment| segment.last + 1),
                Resume::Anew { next } => next,
            };
            for path in &found.damaged {
                let read = |source| JournalError::Read { path: path.clone(), source };
                let file = File::open(path).map_err(read)?;
                let highest = highest_sequence(&file, 0, next).map_err(read)?;
                next = highest.map_or(next, |highest| highest + 1);
            }
            let incarnation = new_incarnation();
            let header = Header::new(incarnation, next);
            let (current, segment) =
                writer::begin(&*disk, &mut reserve, dir, found.next_number, header)?;
            segments.push_back(segment);
            (current, incarnation)
        }
    };
    // Only now that the new segment stands: a crash before this finds the damage again.
    for path in found.damaged {
        let aside = path.with_extension("damaged");
        disk.rename(&path, &aside).map_err(|source| JournalError::Remove { path, source })?;
        recovery.set_aside.push(aside);
    }
    reserve.fill(&*disk);

    let mut state = State { segments: VecDeque::new(), octets: 0, reserve_held: reserve.held() };
    segments.into_iter().for_each(|segment| state.push(segment));
    recovery.segments = state.segments.len();
    recovery.first_sequence = state.first_sequence();
    recovery.last_sequence = state.last_sequence();
    let journal = Journal {
        dir: dir.to_owned(),
        disk,
        reserve,
        _lock: lock,
        incarnation,
        next_number: found.next_number + 1,
        current,
        durable: recovery.last_sequence,
        shared: Arc::new(Shared::new(state, options.octets_max)),
        options,
        pending: Vec::new(),
        pending_records: 0,
        abandoned: false,
    };
    Ok((journal, recovery))
}

fn prepare(dir: &Path, disk: &dyn Disk) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    match dir.parent() {
        Some(parent) if parent != Path::new("") => disk.sync_dir(parent),
        _ => disk.sync_dir(Path::new(".")),
    }
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = match opened {
        Ok(file) => file,
        Err(source) => return Err(JournalError::Lock { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(JournalError::Lock { path, source }),
    }
}

/// What lies in the directory.
struct Found {
    /// The segments in order. All but the last are believed as far as the next one's header
    /// says; readers notice what is missing.
    segments: VecDeque<Segment>,
    /// Those with a damaged header.
    damaged: Vec<PathBuf>,
    /// A damaged one comes after all good ones.
    damaged_last: bool,
    next_number: u64,
}

fn find(dir: &Path, disk: &dyn Disk) -> Result<Found, JournalError> {
    let listing = segment::list(dir)?;
    for path in listing.unfinished {
        disk.remove(&path).map_err(|source| JournalError::Remove { path, source })?;
    }
    let mut found = Found {
        segments: VecDeque::new(),
        damaged: Vec::new(),
        damaged_last: false,
        next_number: listing.segments.last().map_or(1, |(number, _)| number + 1),
    };
    for (number, path) in listing.segments {
        let read = |source| JournalError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read)?;
        let octets = file.metadata().map_err(read)?.len();
        let Some(header) = Header::load(&file, &path)? else {
            found.damaged.push(path);
            found.damaged_last = true;
            continue;
        };
        found.damaged_last = false;
        let first = header.first_sequence;
        if let Some(before) = found.segments.back_mut() {
            if first < before.header.first_sequence {
                return Err(JournalError::Disordered { path });
            }
            before.last = first - 1;
        }
        found.segments.push_back(Segment { number, path, header, last: first - 1, octets });
    }
    Ok(found)
}

/// Where writing goes on.
enum Resume {
    /// In the last segment.
    Here(Current, u128),
    /// In a new one that begins with this sequence.
    Anew { next: u64 },
}

/// Reads the last segment through and makes what it holds durable.
fn resume(
    segments: &mut VecDeque<Segment>,
    disk: &dyn Disk,
    recovery: &mut Recovery,
) -> Result<Resume, JournalError> {
    let Some(last) = segments.back_mut() else { return Ok(Resume::Anew { next: 1 }) };
    let path = last.path.clone();
    let read = |source| JournalError::Read { path: path.clone(), source };
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(read)?;
    let scan = scan(&file, &last.header).map_err(read)?;
    last.last = scan.last;
    // A process that was killed may have left whole records that are not on the disk yet.
    if let Err(source) = disk.sync(&file) {
        return Err(JournalError::Sync { path, source });
    }
    recovery.cut_octets = scan.octets - scan.end;
    if recovery.cut_octets == 0 {
        let current = Current { file, path, end: scan.end };
        return Ok(Resume::Here(current, last.header.incarnation));
    }
    // The file stays as it is: the next segment's header puts the rest out of reach.
    let next = scan.last + 1;
    let highest = highest_sequence(&file, scan.end, next).map_err(read)?;
    Ok(Resume::Anew { next: highest.map_or(next, |highest| highest + 1) })
}
