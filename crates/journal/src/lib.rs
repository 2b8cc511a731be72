//! The durable append-only log under the accounting path: a record is answered only when it
//! stands here, and it stays here until everyone who needs it has said so.
//!
//! One thread owns the [`Journal`] and writes; any number of [`Reader`]s follow, each from
//! its own place. In the order a record meets the modules:
//!
//! - `frame`: how a record lies in a file, and how a file of records is walked;
//! - `segment`: the header and the name of such a file; `scan`: one read through;
//! - `disk`: the few calls that change the disk, in one place so that tests can make them fail;
//! - `reserve`: space kept for a full disk;
//! - `writer`: [`Journal`], that is append, commit, retain;
//! - `shared`: what the writer tells the readers, and [`Handle`];
//! - `reader`: [`Reader`];
//! - `recovery`: [`Journal::open`];
//! - `inspect`: a look from outside, while the writer runs;
//! - [`framing`]: a sibling format for small files that are written whole (snapshots).
//!
//! # The format
//!
//! **Limits.** A payload has at most [`PAYLOAD_OCTETS_MAX`] octets. What is appended between
//! two commits fits into one segment. A segment grows to [`Options::segment_octets`], all of
//! them together to [`Options::octets_max`]: then nothing more is taken until
//! [`Journal::retain`] could remove something.
//!
//! **Layout.** A directory holds
//!
//! - `lock`, under an exclusive lock while a writer lives;
//! - `reserve`, space that is given up when the disk is full;
//! - `NNNNNNNNNNNN.seg`, the segments, numbered as they were made; `….seg.new` is one being
//!   made, `….damaged` one whose header could not be read and that was set aside.
//!
//! All numbers are big-endian. A segment begins with a header of 64 octets: the magic
//! `LASTMJNL`, the format (1 octet, then 7 of zero), the incarnation (16), the sequence of its
//! first record (8), the time it was made in microseconds since 1970 (8), 12 octets of zero,
//! and the CRC-32 of all that (4). Records follow without a gap: length of the payload (4),
//! CRC-32 (4) over length, sequence and payload, sequence (8), payload.
//!
//! Sequences begin at 1 and rise by one over the journal's whole life. The *incarnation* is
//! random, and is renewed when a journal is created, when recovery had to cut something off,
//! and after a failed sync: (incarnation, sequence) never names two different records that a
//! reader could have seen. A record in a segment counts only if its sequence lies below the
//! first sequence of the next segment; so a segment can be given up at any point without
//! changing it, by beginning the next one.
//!
//! **Write.** A commit is one write and one `fdatasync` at the end of the current segment;
//! after it, and only after it, readers see the records. A new segment is written beside its
//! name, synced, renamed, and the directory synced, before it takes a record. If a write fails,
//! the file is cut back to where it was and may be used again. If a sync fails, what the kernel
//! did with the pages is unknown and a second sync would lie, so that file is cut back and never
//! written again: the next append begins a new segment with a new incarnation. Either way
//! nothing since the last commit counts, and the journal may work again the next time.
//!
//! **Full disk.** `reserve` really occupies [`Options::reserve_octets`]. The first write that
//! finds no space gives it up and goes on, [`Usage::reserve_held`] turns false, and the
//! operator has that much time. [`Journal::retain`] tries to take it back.
//!
//! **Read.** A reader follows the segments in order, up to the last durable record. Where
//! records are missing (deleted while it was behind, or damaged) it goes on behind the gap and
//! counts what it passed over.
//!
//! **Delete.** Whole segments, oldest first, never the current one: see [`Journal::retain`].
//!
//! **Recovery.** Only the last segment is read through. If it ends with a whole record, that
//! is synced and writing goes on in it. If not, a crash interrupted a commit (or the disk lost
//! something): a new segment with a new incarnation begins behind the last good record. Should
//! whole records lie behind the bad place, the new segment begins behind their sequences too,
//! so that no position a reader has kept is ever ahead of the journal.
//! A record of a commit that failed or never returned may turn up after a crash, if all of its
//! octets reached the disk. Its sender had no answer and sends it again; whoever reads
//! recognises the repeat by its content.

mod error;
mod options;

mod frame;
mod scan;
mod segment;

mod disk;
mod reserve;

mod reader;
mod recovery;
mod shared;
mod writer;

mod inspect;

pub mod framing;

#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use frame::PAYLOAD_OCTETS_MAX;
pub use inspect::{SegmentInfo, inspect};
pub use options::{Options, SEGMENT_OCTETS_MAX, SEGMENT_OCTETS_MIN};
pub use reader::{Entry, Reader};
pub use recovery::Recovery;
pub use segment::Header;
pub use shared::{Handle, Usage};
pub use writer::{Journal, Removed};
