//! Places in a stream.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A place in a stream: that of one entry, or of the start.
///
/// Positions of one stream in one epoch rise. In Redis they are the entry ids, which follow the
/// server's clock; in process `ms` is 0 and `seq` counts. The text form is `MS-SEQ`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Position {
    /// The server's clock when the entry was added, in milliseconds since 1970.
    pub ms: u64,
    /// Counts the entries of one millisecond.
    pub seq: u64,
}

impl Position {
    /// Before the first entry of any stream.
    pub const START: Position = Position { ms: 0, seq: 0 };

    /// The lowest position behind this one.
    pub(crate) fn next(self) -> Position {
        match self.seq.checked_add(1) {
            Some(seq) => Position { ms: self.ms, seq },
            None => Position { ms: self.ms.saturating_add(1), seq: 0 },
        }
    }
}

/// One entry of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place; reading goes on behind it.
    pub position: Position,
    /// What the writer appended.
    pub body: Bytes,
}

/// The text is not a position.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stream position (MS-SEQ): {0:?}")]
pub struct PositionError(String);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        text.split_once('-')
            .and_then(|(ms, seq)| Some(Position { ms: number(ms)?, seq: number(seq)? }))
            .ok_or_else(|| PositionError(text.chars().take(64).collect()))
    }
}

/// Digits only: the standard parser would let a plus sign through.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text_form() {
        let position = Position { ms: 1_790_000_000_000, seq: 7 };
        let json = serde_json::to_string(&position).unwrap();
        assert_eq!(json, "\"1790000000000-7\"");
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
    }

    #[test]
    fn text_that_is_no_position_is_refused() {
        for text in ["", "-", "1", "1-", "-1", "+1-2", "1-2-3", "a-b", "1-18446744073709551616"] {
            assert!(text.parse::<Position>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn positions_order_by_time_and_then_by_count() {
        let earlier = Position { ms: 1, seq: u64::MAX };
        let later = Position { ms: 2, seq: 0 };
        assert!(Position::START < earlier && earlier < later);
        assert_eq!(earlier.next(), later);
    }
}
