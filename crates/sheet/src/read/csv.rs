//! CSV as it is met: RFC 4180, and what spreadsheets and scripts make of it.
//!
//! Rows end with CR LF, LF or CR. A quote inside a cell that does not begin with one is a
//! character, and so is what follows a closing quote. A line with nothing in it is a row nobody
//! filled: it counts, so that numbers are those of the spreadsheet, and is left out. Line
//! breaks inside quotes do not count.

use std::io::Read;
use std::ops::ControlFlow;

use super::source::Source;
use super::{Each, Item, Limits, ReadError, Reading, RowFault, Summary};
use super::{lettered, name_columns, too_many_columns};
use crate::{Delimiter, Format, guard};

/// How many rows tell which delimiter it is.
const SNIFFED_ROWS: usize = 20;

pub(super) fn read<R: Read>(
    source: Source<R>,
    how: &Reading,
    each: Each<'_>,
) -> Result<Summary, ReadError> {
    let delimiter =
        how.delimiter.unwrap_or_else(|| sniff(source.head(), source.head_is_whole(), &how.limits));
    let mut rows = Rows { source, parser: Parser::new(delimiter, &how.limits) };
    let mut summary = Summary {
        format: Format::Csv,
        delimiter: Some(delimiter),
        columns: Vec::new(),
        rows: 0,
        bad: 0,
        other_sheets: Vec::new(),
    };
    if how.header {
        if !rows.advance()? {
            return Err(ReadError::Empty);
        }
        if let Some((_, trouble)) = rows.parser.trouble {
            return Err(match trouble {
                Trouble::Columns => too_many_columns(&how.limits),
                trouble => ReadError::Columns(trouble.detail(&how.limits)),
            });
        }
        let mut names = Vec::new();
        for at in 0..rows.parser.ends.len() {
            match rows.parser.cell(at) {
                Ok(name) => names.push(if how.guard { guard::off(name) } else { name }.to_owned()),
                Err(_) => return Err(ReadError::Foreign("the file is not UTF-8 text")),
            }
        }
        summary.columns = name_columns(names, &how.limits)?;
    }
    let mut cells = Vec::new();
    while rows.advance()? {
        let parser = &rows.parser;
        if !how.header {
            let known = summary.columns.len();
            summary.columns.extend(lettered(parser.ends.len()).skip(known));
        }
        let columns = &summary.columns;
        let item = match fill(parser, columns, how, &mut cells) {
            Ok(()) => {
                summary.rows += 1;
                Item::Row { number: parser.row, cells: &cells, columns }
            }
            Err((column, detail)) => {
                summary.bad += 1;
                let column = column.and_then(|at| columns.get(at).cloned());
                Item::Bad(RowFault { number: parser.row, column, detail })
            }
        };
        if each(item) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(summary)
}

/// The row as texts, in the memory of the row before.
fn fill(
    parser: &Parser,
    columns: &[String],
    how: &Reading,
    cells: &mut Vec<String>,
) -> Result<(), (Option<usize>, String)> {
    if let Some((at, trouble)) = parser.trouble {
        return Err((at, trouble.detail(&how.limits)));
    }
    let mut count = parser.ends.len();
    // Spreadsheets pad rows with cells that have nothing in them.
    while count > columns.len() && parser.bytes(count - 1).is_empty() {
        count -= 1;
    }
    if count > columns.len() {
        let detail = format!("has {count} cells where there are {} columns", columns.len());
        return Err((None, detail));
    }
    cells.resize_with(count, String::new);
    for (at, cell) in cells.iter_mut().enumerate() {
        cell.clear();
        match parser.cell(at) {
            Ok(text) => cell.push_str(if how.guard { guard::off(text) } else { text }),
            Err(_) => return Err((Some(at), "is not UTF-8 text".to_owned())),
        }
    }
    Ok(())
}

struct Rows<R> {
    source: Source<R>,
    parser: Parser,
}

impl<R: Read> Rows<R> {
    /// The next row that has something in it; false at the end.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.parser.clear();
        loop {
            let buffer = self.source.fill()?;
            if buffer.is_empty() {
                return self.parser.end();
            }
            let (used, done) = self.parser.feed(buffer);
            self.source.consume(used);
            if done {
                return Ok(true);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first octet of a cell.
    Start,
    /// In a cell, or behind its closing quote.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote between quotes: the end of them, or the first half of a quote.
    Quote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Cell,
    Row,
    Columns,
}

impl Trouble {
    fn detail(self, limits: &Limits) -> String {
        match self {
            Self::Cell => format!("a cell has more than {} octets", limits.cell_bytes),
            Self::Row => format!("the row has more than {} octets", limits.row_bytes),
            Self::Columns => format!("the row has more than {} cells", limits.columns),
        }
    }
}

/// Turns octets into one row at a time.
struct Parser {
    delimiter: u8,
    cell_bytes: usize,
    row_bytes: usize,
    columns: usize,
    state: State,
    /// A CR ended the last row: an LF belongs to it.
    after_cr: bool,
    /// The number of the row that was read last.
    row: u64,
    /// The row's octets without quotes, and where its cells end.
    data: Vec<u8>,
    ends: Vec<usize>,
    /// Something was seen of this row: a cell, a quote, a delimiter.
    begun: bool,
    /// Why the row cannot be used, and the cell at which that showed.
    trouble: Option<(Option<usize>, Trouble)>,
}

impl Parser {
    fn new(delimiter: Delimiter, limits: &Limits) -> Self {
        Self {
            delimiter: delimiter.byte(),
            cell_bytes: limits.cell_bytes,
            row_bytes: limits.row_bytes,
            columns: limits.columns,
            state: State::Start,
            after_cr: false,
            row: 0,
            data: Vec::new(),
            ends: Vec::new(),
            begun: false,
            trouble: None,
        }
    }

    fn clear(&mut self) {
        self.state = State::Start;
        self.data.clear();
        self.ends.clear();
        self.begun = false;
        self.trouble = None;
    }

    fn bytes(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.data[start..self.ends[at]]
    }

    fn cell(&self, at: usize) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(self.bytes(at))
    }

    /// Takes octets until a row is whole: how many, and whether it is.
    fn feed(&mut self, buffer: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = buffer.get(at) {
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                at += 1;
                continue;
            }
            match self.state {
                State::Quoted => match byte {
                    b'"' => self.state = State::Quote,
                    _ => {
                        // The common octets in one go.
                        let run = &buffer[at..];
                        let len = run.iter().position(|b| *b == b'"').unwrap_or(run.len());
                        self.put(&run[..len]);
                        at += len;
                        continue;
                    }
                },
                State::Quote if byte == b'"' => {
                    self.put(b"\"");
                    self.state = State::Quoted;
                }
                State::Start if byte == b'"' => {
                    self.begun = true;
                    self.state = State::Quoted;
                }
                State::Start | State::Plain | State::Quote => {
                    if byte == self.delimiter {
                        self.begun = true;
                        self.end_cell();
                        self.state = State::Start;
                    } else if byte == b'\n' || byte == b'\r' {
                        self.after_cr = byte == b'\r';
                        self.row += 1;
                        if self.begun {
                            self.end_cell();
                            return (at + 1, true);
                        }
                    } else {
                        self.begun = true;
                        self.state = State::Plain;
                        let delimiter = self.delimiter;
                        let run = &buffer[at..];
                        let ends = |b: &u8| *b == delimiter || *b == b'\n' || *b == b'\r';
                        let len = run.iter().position(ends).unwrap_or(run.len());
                        self.put(&run[..len]);
                        at += len;
                        continue;
                    }
                }
            }
            at += 1;
        }
        (at, false)
    }

    /// The file is over: whether that leaves a row.
    fn end(&mut self) -> Result<bool, ReadError> {
        if self.state == State::Quoted {
            let detail =
                format!("the quote that opens cell {} is never closed", self.ends.len() + 1);
            return Err(ReadError::Broken { number: self.row + 1, detail });
        }
        if self.begun {
            self.row += 1;
            self.end_cell();
        }
        Ok(self.begun)
    }

    fn put(&mut self, bytes: &[u8]) {
        let start = self.ends.last().copied().unwrap_or(0);
        if self.data.len() - start + bytes.len() > self.cell_bytes {
            self.trouble.get_or_insert((Some(self.ends.len()), Trouble::Cell));
        } else if self.data.len() + bytes.len() > self.row_bytes {
            self.trouble.get_or_insert((None, Trouble::Row));
        }
        if self.trouble.is_none() {
            self.data.extend_from_slice(bytes);
        }
    }

    fn end_cell(&mut self) {
        if self.ends.len() >= self.columns {
            self.trouble.get_or_insert((None, Trouble::Columns));
        }
        if self.trouble.is_none() {
            self.ends.push(self.data.len());
        }
    }
}

/// The delimiter with which most rows have as many cells as the first, and more than one. In a
/// table of one column nothing separates anything, and the comma is as good as any.
fn sniff(head: &[u8], whole: bool, limits: &Limits) -> Delimiter {
    let score = |delimiter: Delimiter| {
        let mut parser = Parser::new(delimiter, limits);
        let mut counts = Vec::new();
        let mut rest = head;
        while counts.len() < SNIFFED_ROWS {
            parser.clear();
            let (used, done) = parser.feed(rest);
            rest = &rest[used..];
            // The last row may be cut off, then it says nothing, unless it is the only one.
            if !done && (whole || counts.is_empty()) && parser.begun {
                parser.end_cell();
            } else if !done {
                break;
            }
            counts.push(parser.ends.len());
            if !done {
                break;
            }
        }
        let first = counts.first().copied().unwrap_or(0);
        let same = counts.iter().filter(|count| **count == first).count();
        match first {
            0 | 1 => (0, 0),
            cells => (same * 1000 / counts.len(), cells),
        }
    };
    // Of equals, `max_by_key` takes the last: the likeliest is asked last.
    Delimiter::ALL.into_iter().rev().max_by_key(|d| score(*d)).unwrap_or_default()
}
