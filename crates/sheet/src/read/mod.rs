//! A file becomes rows.
//!
//! What the file is shows in its first octets; its name is not asked, it is often wrong.

mod csv;
mod json;
mod source;
mod xlsx;

use std::io::{self, Read};
use std::ops::ControlFlow;

use crate::{Delimiter, Format, column_letters};
use source::Source;

/// How a file is read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What it is; found out where nothing is said.
    pub format: Option<Format>,
    /// What separates cells in CSV; found out where nothing is said.
    pub delimiter: Option<Delimiter>,
    /// Whether the first row of CSV and XLSX names the columns. Without, they are called by
    /// their letters.
    pub header: bool,
    /// Whether CSV has the formula guard, see [`crate::guard`].
    pub guard: bool,
    /// Which sheet of an XLSX is read; the first if none is named.
    pub sheet: Option<String>,
    /// What is refused.
    pub limits: Limits,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            format: None,
            delimiter: None,
            header: true,
            guard: true,
            sheet: None,
            limits: Limits::default(),
        }
    }
}

/// How large things may be. CSV, JSON and JSON Lines need memory for one row; XLSX for the
/// file and its shared texts.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of the file.
    pub bytes: u64,
    /// Octets of an XLSX file, which is held in memory.
    pub xlsx_bytes: usize,
    /// Octets of everything in an XLSX once unpacked.
    pub unpacked_bytes: u64,
    /// Octets of a row.
    pub row_bytes: usize,
    /// Octets of a cell.
    pub cell_bytes: usize,
    /// Columns.
    pub columns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 30,
            xlsx_bytes: 32 << 20,
            unpacked_bytes: 256 << 20,
            row_bytes: 1 << 20,
            cell_bytes: 128 << 10,
            columns: 500,
        }
    }
}

/// What is met on the way through a file.
#[derive(Debug)]
pub enum Item<'a> {
    /// A row. It may have fewer cells than there are columns, never more. JSON may bring new
    /// columns with any row; they are added at the end.
    Row {
        /// The number people see: the row of a spreadsheet, the line of JSON Lines, the place
        /// in a JSON array, from one.
        number: u64,
        /// The cells as texts; an empty one has nothing in it. Lists and objects are JSON texts.
        cells: &'a [String],
        /// The columns known so far.
        columns: &'a [String],
    },
    /// A row that cannot be used. The ones behind it can.
    Bad(RowFault),
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The number people see, as in [`Item::Row`].
    pub number: u64,
    /// The column's name, where it is one column's fault.
    pub column: Option<String>,
    /// What is wrong, for the person whose file it is.
    pub detail: String,
}

/// What the file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What it is.
    pub format: Format,
    /// What separates its cells, if it is CSV.
    pub delimiter: Option<Delimiter>,
    /// Its columns' names.
    pub columns: Vec<String>,
    /// Rows that could be read.
    pub rows: u64,
    /// Rows that could not.
    pub bad: u64,
    /// Sheets of an XLSX that were not read.
    pub other_sheets: Vec<String>,
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("the file could not be read")]
    Source(#[source] io::Error),
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// It is longer than it may be.
    #[error("the file has more than {0} octets")]
    TooLong(u64),
    /// It is something else.
    #[error("{0}")]
    Foreign(&'static str),
    /// It breaks off, or makes no sense from here on.
    #[error("row {number}: {detail}")]
    Broken {
        /// The row that cannot be read.
        number: u64,
        /// What is wrong.
        detail: String,
    },
    /// The columns cannot be used.
    #[error("the columns cannot be read: {0}")]
    Columns(String),
    /// The workbook is damaged, or made to do harm.
    #[error("the workbook cannot be read: {0}")]
    Workbook(String),
    /// The workbook has no such sheet.
    #[error("there is no sheet {wanted:?}; there are: {}", there.join(", "))]
    NoSheet {
        /// The one asked for.
        wanted: String,
        /// Those it has.
        there: Vec<String>,
    },
}

/// Reads a table and calls `each` for every row, until it breaks off.
pub fn read(
    input: impl Read,
    how: &Reading,
    mut each: impl FnMut(Item<'_>) -> ControlFlow<()>,
) -> Result<Summary, ReadError> {
    let mut source = Source::open(input, how.limits.bytes)?;
    let format = match how.format {
        Some(format) => format,
        None => sniff(source.head())?,
    };
    match format {
        Format::Xlsx => xlsx::read(source, how, &mut each),
        Format::Pdf => Err(ReadError::Foreign(PDF)),
        Format::Csv | Format::Json | Format::JsonLines => {
            check_text(source.head())?;
            source.skip_mark();
            match format {
                Format::Csv => csv::read(source, how, &mut each),
                _ => json::read(source, format == Format::JsonLines, how, &mut each),
            }
        }
    }
}

type Each<'a> = &'a mut dyn FnMut(Item<'_>) -> ControlFlow<()>;

const MARK: &[u8] = "\u{feff}".as_bytes();

/// A table in a PDF is lines and letters; its cells cannot be told apart for certain.
const PDF: &str = "this is a PDF, which cannot be read; export it as CSV or XLSX";

fn sniff(head: &[u8]) -> Result<Format, ReadError> {
    if head.starts_with(b"PK\x03\x04") {
        return Ok(Format::Xlsx);
    }
    check_text(head)?;
    let text = head.strip_prefix(MARK).unwrap_or(head);
    // A bracket at the very beginning is JSON, whole or not: read as CSV, damaged JSON would be a
    // table with one strange column.
    match text.iter().copied().find(|b| !b.is_ascii_whitespace()) {
        None => Err(ReadError::Empty),
        Some(b'[') => Ok(Format::Json),
        Some(b'{') => Ok(Format::JsonLines),
        Some(_) => Ok(Format::Csv),
    }
}

/// Refuses what is no text of ours, with a hint for those whose spreadsheet wrote it.
fn check_text(head: &[u8]) -> Result<(), ReadError> {
    if head.starts_with(b"%PDF-") {
        return Err(ReadError::Foreign(PDF));
    }
    if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err(ReadError::Foreign(
            "this is an old or a password-protected workbook; save it as .xlsx without password",
        ));
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(ReadError::Foreign("the file is UTF-16; save it as UTF-8"));
    }
    if head.starts_with(b"PK\x03\x04") {
        return Err(ReadError::Foreign("this is a workbook or an archive, not a text"));
    }
    if head.contains(&0) {
        return Err(ReadError::Foreign("this is no CSV, XLSX, JSON or JSON Lines file"));
    }
    Ok(())
}

/// The names of the columns as the first row has them: trimmed, those without one called by
/// their letters, repeated ones numbered. Columns without a name at the end are dropped.
fn name_columns(mut header: Vec<String>, limits: &Limits) -> Result<Vec<String>, ReadError> {
    while header.last().is_some_and(|name| name.trim().is_empty()) {
        header.pop();
    }
    if header.is_empty() {
        return Err(ReadError::Columns("the first row has no names".to_owned()));
    }
    if header.len() > limits.columns {
        return Err(too_many_columns(limits));
    }
    let mut taken = std::collections::HashSet::new();
    let names = header.iter().enumerate().map(|(at, name)| {
        let name = match name.trim() {
            "" => format!("column {}", column_letters(at)),
            name => name.to_owned(),
        };
        let numbered = (2..).map(|n| format!("{name} ({n})"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        // The numbers do not run out.
        let name = free.unwrap_or_default();
        taken.insert(name.clone());
        name
    });
    Ok(names.collect())
}

fn too_many_columns(limits: &Limits) -> ReadError {
    ReadError::Columns(format!("there are more than {}", limits.columns))
}

/// The names of columns that have none.
fn lettered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|at| format!("column {}", column_letters(at)))
}

#[cfg(test)]
mod tests;
