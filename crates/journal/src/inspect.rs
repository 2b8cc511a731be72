//! A look at a journal from outside, for people; it works while the writer runs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::JournalError;
use crate::scan::scan;
use crate::segment::{self, Header};

/// What a segment's file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The file.
    pub path: PathBuf,
    /// Its header; absent: damaged.
    pub header: Option<Header>,
    /// Records from the first on, up to the first that is missing or damaged.
    pub records: u64,
    /// The sequence of the last of them; absent: there is none.
    pub last_sequence: Option<u64>,
    /// The length of the file.
    pub octets: u64,
    /// How much of that lies behind the last of these records. In the segment being written
    /// it may be a commit in progress; in an older one it is what was given up, or damage.
    pub octets_behind: u64,
}

/// Reads every segment in `dir` through, oldest first. Takes no lock and changes nothing.
pub fn inspect(dir: &Path) -> Result<Vec<SegmentInfo>, JournalError> {
    let mut all = Vec::new();
    for (_, path) in segment::list(dir)?.segments {
        match look(&path)? {
            Some(info) => all.push(info),
            // Removed by the writer since it was listed.
            None => continue,
        }
    }
    // Records that a later segment has again do not count in the earlier one.
    let mut later = u64::MAX;
    for info in all.iter_mut().rev() {
        let Some(header) = &info.header else { continue };
        info.records = info.records.min(later.saturating_sub(header.first_sequence));
        info.last_sequence = (info.records > 0).then(|| header.first_sequence + info.records - 1);
        later = header.first_sequence;
    }
    Ok(all)
}

fn look(path: &Path) -> Result<Option<SegmentInfo>, JournalError> {
    let read = |source| JournalError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read(error)),
    };
    let mut info = SegmentInfo {
        path: path.to_owned(),
        header: Header::load(&file, path)?,
        records: 0,
        last_sequence: None,
        octets: file.metadata().map_err(read)?.len(),
        octets_behind: 0,
    };
    if let Some(header) = &info.header {
        let scan = scan(&file, header).map_err(read)?;
        info.records = scan.last + 1 - header.first_sequence;
        info.octets = scan.octets;
        info.octets_behind = scan.octets - scan.end;
    }
    Ok(Some(info))
}
