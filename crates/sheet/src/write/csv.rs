//! RFC 4180, with CR LF at the end of every row.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Cell, Writing};
use crate::guard;

pub(super) struct Csv {
    delimiter: u8,
    guard: bool,
    /// The row being put together, so that the sink gets whole rows.
    line: Vec<u8>,
}

impl Csv {
    pub(super) fn begin(
        sink: &mut impl Write,
        how: &Writing,
        columns: &[String],
    ) -> io::Result<Self> {
        let mut csv = Self { delimiter: how.delimiter.byte(), guard: how.guard, line: Vec::new() };
        if how.byte_order_mark {
            csv.line.extend_from_slice("\u{feff}".as_bytes());
        }
        if how.header {
            for (at, name) in columns.iter().enumerate() {
                csv.text(at, name, columns.len());
            }
            csv.line.extend_from_slice(b"\r\n");
        }
        sink.write_all(&csv.line)?;
        Ok(csv)
    }

    pub(super) fn push(&mut self, sink: &mut impl Write, row: &[Cell]) -> io::Result<()> {
        self.line.clear();
        for (at, cell) in row.iter().enumerate() {
            match cell {
                Cell::Text(text) => self.text(at, text, row.len()),
                Cell::Json(value) => self.text(at, &value.to_string(), row.len()),
                // These cannot be formulas and need no quotes: a minus sign is part of them.
                Cell::Integer(number) => self.plain(at, &number.to_string()),
                Cell::Number(number) if number.is_finite() => self.plain(at, &number.to_string()),
                Cell::Flag(flag) => self.plain(at, if *flag { "true" } else { "false" }),
                Cell::Empty | Cell::Number(_) => self.text(at, "", row.len()),
            }
        }
        self.line.extend_from_slice(b"\r\n");
        sink.write_all(&self.line)
    }

    fn plain(&mut self, at: usize, text: &str) {
        if at > 0 {
            self.line.push(self.delimiter);
        }
        self.line.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, at: usize, text: &str, columns: usize) {
        let text = match self.guard {
            true => guard::on(text),
            false => Cow::Borrowed(text),
        };
        if at > 0 {
            self.line.push(self.delimiter);
        }
        // An empty line is no row, so the only cell of a row is never written as nothing; and
        // a mark at the start of a cell must not be taken for the file's.
        let quotes = (text.is_empty() && columns == 1)
            || text.starts_with('\u{feff}')
            || text.bytes().any(|b| b == self.delimiter || matches!(b, b'"' | b'\r' | b'\n'));
        if !quotes {
            self.line.extend_from_slice(text.as_bytes());
            return;
        }
        self.line.push(b'"');
        for byte in text.bytes() {
            if byte == b'"' {
                self.line.push(b'"');
            }
            self.line.push(byte);
        }
        self.line.push(b'"');
    }
}
