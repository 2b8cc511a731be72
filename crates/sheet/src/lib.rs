//! Tables in files: CSV, XLSX, JSON and JSON Lines, read and written a row at a time; PDF written.
//!
//! - [`Writer`] takes rows of [`Cell`]s and writes a file into any [`std::io::Write`]. It keeps
//!   one row in memory, whatever their number; XLSX waits in a temporary file. PDF keeps all of
//!   them, up to a bound: the widths of its columns follow from what stands in them.
//! - [`read()`] takes any [`std::io::Read`], finds out what it is (format, delimiter, header) and
//!   calls a function for each row. What a row got wrong is told with the row's number, and
//!   reading goes on; what makes the rest unreadable ends it.
//! - What a spreadsheet would run as a formula is written as text, and comes back as it was:
//!   see the module [`guard`].
//!
//! Files come from strangers. Everything that grows with them has a bound in [`Limits`], and an
//! XLSX is measured before it is unpacked.
//!
//! No async here: a file is packed and unpacked on a thread of its own, with bounded channels
//! as sink and source.

pub mod guard;
mod read;
mod write;

pub use read::{Item, Limits, ReadError, Reading, RowFault, Summary, read};
pub use write::{Cell, Paper, ROWS_MAX_PDF, WriteError, Writer, Writing};

use std::fmt;
use std::str::FromStr;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180), with any [`Delimiter`].
    Csv,
    /// Office Open XML workbook (ECMA-376).
    Xlsx,
    /// One array of objects.
    Json,
    /// One object a line.
    JsonLines,
    /// Pages to print (ISO 32000); written only, and only with the feature `pdf`.
    Pdf,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] =
        [Format::Csv, Format::Xlsx, Format::Json, Format::JsonLines, Format::Pdf];

    /// Those that can be read as well as written.
    pub const READ: [Format; 4] = [Format::Csv, Format::Xlsx, Format::Json, Format::JsonLines];

    /// Its name, which is also the end of its files' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Pdf => "pdf",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Json => "application/json",
            Self::JsonLines => "application/jsonl",
            Self::Pdf => "application/pdf",
        }
    }
}

/// What separates cells in CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delimiter {
    /// `,`
    #[default]
    Comma,
    /// `;`, what spreadsheets write where the comma is the decimal sign.
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    /// Every delimiter, the likeliest first.
    pub const ALL: [Delimiter; 4] =
        [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab, Delimiter::Pipe];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
            Self::Pipe => "pipe",
        }
    }

    /// The character itself.
    pub fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }
}

/// A word that names no format or no delimiter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is one of: {0}")]
pub struct UnknownWord(String);

macro_rules! words {
    ($type:ty) => {
        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let found = Self::ALL.into_iter().find(|word| word.name() == text);
                found.ok_or_else(|| UnknownWord(Self::ALL.map(Self::name).join(", ")))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

words!(Format);
words!(Delimiter);

/// How a column is called that has no name: by its letters, as spreadsheets show them.
pub fn column_letters(mut index: usize) -> String {
    let mut letters = Vec::new();
    loop {
        // A remainder of 26 is a letter of the alphabet.
        letters.push(b'A' + (index % 26) as u8);
        if index < 26 {
            break;
        }
        index = index / 26 - 1;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_letters_of_a_spreadsheet() {
        let cases = [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")];
        for (index, letters) in cases {
            assert_eq!(column_letters(index), letters);
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        for delimiter in Delimiter::ALL {
            assert_eq!(delimiter.name().parse(), Ok(delimiter));
        }
        let error = "comm".parse::<Delimiter>().unwrap_err();
        assert_eq!(error.to_string(), "is one of: comma, semicolon, tab, pipe");
    }
}
