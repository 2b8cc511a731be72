//! The cursor on disk: how far the journal is acknowledged.
//!
//! It names the journal. In another one the same sequence means something else, and would hide
//! records that were never shipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use daemon::exit::chain;
use journal::Handle;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::window::{Lane, Window};

/// The file's contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// The incarnation of the journal, as 32 hexadecimal digits.
    journal: String,
    acknowledged: u64,
    /// What `policyd` has: if it has less one day, it is noticed.
    reached: Vec<Reached>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reached {
    incarnation: String,
    partition: u16,
    sequence: u64,
}

/// Why a cursor is not used.
#[derive(Debug, thiserror::Error)]
enum CursorError {
    #[error("could not read the shipper's cursor")]
    Read(#[source] io::Error),
    #[error("the shipper's cursor is not one")]
    Contents(#[from] serde_json::Error),
    #[error("the shipper's cursor is another journal's")]
    OtherJournal,
}

/// The file.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
    /// What it holds.
    written: Contents,
}

impl CursorFile {
    /// Reads the cursor. Without one everything the journal still has is published; repeats are
    /// harmless.
    pub(super) fn load(path: PathBuf, journal: &Handle) -> (Self, Window) {
        let loaded = match read(&path, journal) {
            Ok(loaded) => loaded,
            Err(error) => {
                warn!(error = %chain(&error), "publishing the whole journal again");
                None
            }
        };
        let contents = loaded.unwrap_or_default();
        let kept = contents.reached.iter().filter_map(|reached| {
            let incarnation = number(&reached.incarnation)?;
            let lane = Lane { partition: reached.partition, incarnation };
            journal.knows(incarnation).then_some((lane, reached.sequence))
        });
        let window = Window::new(contents.acknowledged, kept.collect());
        (Self { path, written: contents }, window)
    }

    /// Writes the cursor if it moved.
    pub(super) fn save(&mut self, window: &Window, journal: u128) {
        let reached = window.reached().iter().map(|(lane, &sequence)| Reached {
            incarnation: digits(lane.incarnation),
            partition: lane.partition,
            sequence,
        });
        let contents = Contents {
            journal: digits(journal),
            acknowledged: window.acknowledged(),
            reached: reached.collect(),
        };
        if contents == self.written {
            return;
        }
        match write(&self.path, &contents) {
            Ok(()) => self.written = contents,
            Err(error) => warn!(%error, "could not write the shipper's cursor"),
        }
    }
}

fn read(path: &Path, journal: &Handle) -> Result<Option<Contents>, CursorError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CursorError::Read(error)),
    };
    let contents: Contents = serde_json::from_slice(&text)?;
    if number(&contents.journal).is_none_or(|incarnation| !journal.knows(incarnation)) {
        return Err(CursorError::OtherJournal);
    }
    Ok(Some(contents))
}

/// Not synced: an older cursor only repeats some records.
fn write(path: &Path, contents: &Contents) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, serde_json::to_vec(contents)?)?;
    fs::rename(&beside, path)
}

fn digits(incarnation: u128) -> String {
    format!("{incarnation:032x}")
}

pub(super) fn number(digits: &str) -> Option<u128> {
    u128::from_str_radix(digits, 16).ok()
}
