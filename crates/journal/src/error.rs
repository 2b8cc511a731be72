//! What can fail.

use std::io;
use std::path::PathBuf;

/// Why the journal could not do what was asked; the variant names the step.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The options contradict each other.
    #[error("journal options: {0}")]
    Options(&'static str),
    /// The directory could not be made or listed.
    #[error("could not prepare the journal directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock file could not be opened or locked.
    #[error("could not lock the journal with {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes here.
    #[error("another process has the journal {} open", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A newer program wrote this.
    #[error(
        "{} has journal format {found}, this program reads up to {known}: use the newer program",
        path.display()
    )]
    NewerFormat {
        /// The segment.
        path: PathBuf,
        /// Its format.
        found: u8,
        /// The newest format this program knows.
        known: u8,
    },
    /// A later segment begins before an earlier one: files of two journals are mixed.
    #[error("{} does not continue the segment before it: are these files of two journals?",
        path.display())]
    Disordered {
        /// The later segment.
        path: PathBuf,
    },
    /// A segment could not be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A new segment could not be made.
    #[error("could not begin the journal segment {}", path.display())]
    Begin {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Records could not be written; none of this commit counts.
    #[error("could not write to {}", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Records could not be made durable; none of this commit counts.
    #[error("could not sync {}", path.display())]
    Sync {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An old segment could not be removed or a damaged one not set aside.
    #[error("could not remove {}", path.display())]
    Remove {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The payload is longer than [`crate::PAYLOAD_OCTETS_MAX`].
    #[error("a record of {octets} octets is too long for the journal")]
    PayloadTooLong {
        /// Its length.
        octets: usize,
    },
    /// What was appended since the last commit fills a segment: commit first.
    #[error("too much was appended without a commit")]
    BatchFull,
    /// The size limit is reached and nothing may be removed yet.
    #[error("the journal has reached its limit of {octets_max} octets")]
    Full {
        /// The limit.
        octets_max: u64,
    },
}
