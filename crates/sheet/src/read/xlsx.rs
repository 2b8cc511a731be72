//! One sheet of a workbook, cell by cell.
//!
//! An XLSX is a ZIP archive, and a small one can unpack to any size. The library below keeps a
//! workbook's shared texts and styles in memory and believes what the file says about their
//! number, so the archive is measured first: everything in it is unpacked once into nothing,
//! and what is too large, or claims to be, is refused before the library sees it.

use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use zip::ZipArchive;

use super::source::Source;
use super::{Each, Item, Limits, ReadError, Reading, RowFault, Summary};
use super::{lettered, name_columns};
use crate::{Format, column_letters};

/// Files in the archive; a workbook has a dozen, and some for each sheet and picture.
const ENTRIES_MAX: usize = 2_000;
/// Octets of a part that is neither a sheet nor the shared texts: styles, names, relations.
const SMALL_PART_MAX: u64 = 4 << 20;
/// Shared texts a workbook may claim to have.
const TEXTS_MAX: u64 = 2_000_000;
/// XML tags of the shared texts; a text has four.
const TEXT_TAGS_MAX: u64 = 4 * TEXTS_MAX;

pub(super) fn read<R: Read>(
    source: Source<R>,
    how: &Reading,
    each: Each<'_>,
) -> Result<Summary, ReadError> {
    let bytes = source.into_bytes(how.limits.xlsx_bytes)?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(ReadError::Foreign("this is no XLSX workbook"));
    }
    // The library indexes and expects in places where a damaged file can lead it; such a file
    // is refused like any other. Everything it worked on is dropped.
    let read = catch_unwind(AssertUnwindSafe(|| {
        measure(&bytes, &how.limits)?;
        rows(bytes, how, each)
    }));
    read.unwrap_or_else(|_| Err(damaged("it is damaged")))
}

fn damaged(detail: impl ToString) -> ReadError {
    ReadError::Workbook(detail.to_string())
}

/// Unpacks everything once, into nothing.
fn measure(bytes: &[u8], limits: &Limits) -> Result<(), ReadError> {
    let entries = bytes.windows(4).filter(|window| *window == b"PK\x01\x02").count();
    if entries > ENTRIES_MAX {
        return Err(damaged(format!("it has more than {ENTRIES_MAX} parts")));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut left = limits.unpacked_bytes;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(damaged)?;
        let name = part.name().map_err(damaged)?.to_lowercase().replace('\\', "/");
        let xml = name.ends_with(".xml") || name.ends_with(".rels");
        let texts = name.ends_with("sharedstrings.xml");
        let large = texts || !xml || name.contains("worksheets/");
        let max = if large { left } else { left.min(SMALL_PART_MAX) };
        let mut scale = Scale { xml, texts, tags: 0, tail: Vec::new(), trouble: None };
        let copied = std::io::copy(&mut part.take(max + 1), &mut scale);
        if let Some(trouble) = scale.trouble {
            return Err(damaged(trouble));
        }
        let size = copied.map_err(|error| damaged(format!("a part of it is damaged: {error}")))?;
        if size > max {
            let max = limits.unpacked_bytes >> 20;
            return Err(damaged(format!("it unpacks to more than {max} MiB, or has huge styles")));
        }
        left -= size;
    }
    Ok(())
}

/// What a part is poured over.
struct Scale {
    xml: bool,
    texts: bool,
    tags: u64,
    /// The last octets, as a word may stand across two pieces.
    tail: Vec<u8>,
    trouble: Option<String>,
}

const CLAIM: &[u8] = b"uniqueCount";
/// Digits, quotes and spaces behind the claim are looked for within so many octets.
const CLAIM_SPAN: usize = 64;

impl Scale {
    fn weigh(&mut self, piece: &[u8]) -> Result<(), String> {
        if !self.xml {
            return Ok(());
        }
        // Other control characters are not XML, and show encodings in which the words below
        // would not be found.
        if piece.iter().any(|b| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n')) {
            return Err("a part of it is not UTF-8 XML".to_owned());
        }
        if self.texts {
            self.tags += piece.iter().filter(|b| **b == b'<').count() as u64;
            if self.tags > TEXT_TAGS_MAX {
                return Err("it has too many texts".to_owned());
            }
            self.tail.extend_from_slice(piece);
            let mut rest = self.tail.as_slice();
            let starts = |rest: &[u8]| rest.windows(CLAIM.len()).position(|w| w == CLAIM);
            while let Some(at) = starts(rest) {
                rest = &rest[at + CLAIM.len()..];
                let span = &rest[..rest.len().min(CLAIM_SPAN)];
                let digits = span.iter().skip_while(|b| !b.is_ascii_digit());
                let claim = digits
                    .take_while(|b| b.is_ascii_digit())
                    .fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
                if claim > TEXTS_MAX {
                    return Err(format!("it claims to have {claim} texts"));
                }
            }
            let keep = self.tail.len().saturating_sub(CLAIM.len() + CLAIM_SPAN);
            self.tail.drain(..keep);
        }
        Ok(())
    }
}

impl Write for Scale {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        match self.weigh(piece) {
            Ok(()) => Ok(piece.len()),
            Err(trouble) => {
                self.trouble = Some(trouble);
                Err(std::io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn rows(bytes: Vec<u8>, how: &Reading, each: Each<'_>) -> Result<Summary, ReadError> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let sheets = workbook.sheet_names();
    let sheet = match &how.sheet {
        Some(wanted) if sheets.contains(wanted) => wanted.clone(),
        Some(wanted) => {
            return Err(ReadError::NoSheet { wanted: wanted.clone(), there: sheets });
        }
        None => sheets.first().cloned().ok_or(ReadError::Empty)?,
    };
    let other_sheets = sheets.into_iter().filter(|name| *name != sheet).collect();
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(damaged)?;
    let mut table = Table {
        how,
        each,
        summary: Summary {
            format: Format::Xlsx,
            delimiter: None,
            columns: Vec::new(),
            rows: 0,
            bad: 0,
            other_sheets,
        },
        named: !how.header,
        number: 0,
        bytes: 0,
        cells: Vec::new(),
        fault: None,
    };
    let broken = |number: u64, error: XlsxError| ReadError::Broken {
        number: number.max(1),
        detail: format!("the sheet is damaged: {error}"),
    };
    while let Some(cell) = cells.next_cell().map_err(|error| broken(table.number, error))? {
        let (row, column) = cell.get_position();
        let number = u64::from(row) + 1;
        if number < table.number {
            let detail = "the sheet's rows are not in order".to_owned();
            return Err(ReadError::Broken { number, detail });
        }
        if number > table.number {
            if table.end_row()? == ControlFlow::Break(()) {
                return Ok(table.summary);
            }
            table.number = number;
        }
        table.put(column as usize, cell.get_value());
    }
    let _ = table.end_row()?;
    if !table.named {
        return Err(ReadError::Empty);
    }
    Ok(table.summary)
}

struct Table<'a> {
    how: &'a Reading,
    each: Each<'a>,
    summary: Summary,
    /// Whether the columns have their names.
    named: bool,
    /// The row being put together.
    number: u64,
    bytes: usize,
    cells: Vec<String>,
    fault: Option<(usize, String)>,
}

impl Table<'_> {
    fn put(&mut self, column: usize, value: &DataRef<'_>) {
        let limits = &self.how.limits;
        let text = match value {
            DataRef::Empty => return,
            DataRef::String(text) => text.clone(),
            DataRef::SharedString(text) => (*text).to_owned(),
            DataRef::Int(number) => number.to_string(),
            DataRef::Float(number) => number.to_string(),
            DataRef::Bool(flag) => flag.to_string(),
            DataRef::DateTime(time) if time.is_duration() => duration(time.as_f64()),
            DataRef::DateTime(time) => instant(time),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
            DataRef::Error(error) => {
                self.fault.get_or_insert((column, format!("is {error}, a formula's error")));
                return;
            }
        };
        if text.is_empty() {
            return;
        }
        self.bytes += text.len();
        if text.len() > limits.cell_bytes {
            let detail = format!("has more than {} octets", limits.cell_bytes);
            self.fault.get_or_insert((column, detail));
        } else if self.bytes > limits.row_bytes {
            let detail = format!("brings the row to more than {} octets", limits.row_bytes);
            self.fault.get_or_insert((column, detail));
        } else if column >= limits.columns {
            let detail = format!("is beyond the {} columns allowed", limits.columns);
            self.fault.get_or_insert((column, detail));
        } else if self.fault.is_none() {
            if self.cells.len() <= column {
                self.cells.resize_with(column + 1, String::new);
            }
            self.cells[column] = text;
        }
    }

    /// The row is whole. Rows with nothing in them are left out.
    fn end_row(&mut self) -> Result<ControlFlow<()>, ReadError> {
        self.bytes = 0;
        let mut cells = std::mem::take(&mut self.cells);
        let mut fault = self.fault.take();
        if cells.is_empty() && fault.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        if !self.named {
            if let Some((at, detail)) = fault {
                return Err(ReadError::Columns(format!("{} {detail}", column_letters(at))));
            }
            self.summary.columns = name_columns(cells, &self.how.limits)?;
            self.named = true;
            return Ok(ControlFlow::Continue(()));
        }
        if !self.how.header {
            let known = self.summary.columns.len();
            self.summary.columns.extend(lettered(cells.len()).skip(known));
        }
        let columns = &self.summary.columns;
        if cells.len() > columns.len() {
            let detail = format!("has a value where there are {} columns", columns.len());
            fault.get_or_insert((cells.len() - 1, detail));
        }
        let number = self.number;
        let flow = match fault {
            None => {
                self.summary.rows += 1;
                (self.each)(Item::Row { number, cells: &cells, columns })
            }
            Some((at, detail)) => {
                self.summary.bad += 1;
                let lettered = || format!("column {}", column_letters(at));
                let column = Some(columns.get(at).cloned().unwrap_or_else(lettered));
                (self.each)(Item::Bad(RowFault { number, column, detail }))
            }
        };
        // Its memory serves the next row.
        cells.clear();
        self.cells = cells;
        Ok(flow)
    }
}

/// A date, a time of day, or both, as ISO 8601 without a zone: a spreadsheet knows none.
fn instant(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    let value = time.as_f64();
    if (0.0..1.0).contains(&value) {
        clock
    } else if value.fract() == 0.0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02}T{clock}")
    }
}

/// Hours, minutes and seconds of a span given in days.
fn duration(days: f64) -> String {
    let seconds = (days.abs() * 86_400.0).round() as u64;
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
