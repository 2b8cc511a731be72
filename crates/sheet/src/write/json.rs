//! Objects, in one array or one a line. A row is one line in both.

use std::io::{self, Write};

use serde_json::Value;

use super::Cell;

pub(super) struct Json {
    lines: bool,
    /// The columns' names as JSON texts.
    names: Vec<String>,
    line: Vec<u8>,
}

impl Json {
    pub(super) fn begin(
        sink: &mut impl Write,
        lines: bool,
        columns: &[String],
    ) -> io::Result<Self> {
        let names = columns.iter().map(|name| Value::from(name.as_str()).to_string()).collect();
        if !lines {
            sink.write_all(b"[")?;
        }
        Ok(Self { lines, names, line: Vec::new() })
    }

    pub(super) fn push(
        &mut self,
        sink: &mut impl Write,
        row: &[Cell],
        first: bool,
    ) -> io::Result<()> {
        self.line.clear();
        if !self.lines {
            self.line.extend_from_slice(if first { b"\n" } else { b",\n" });
        }
        for (at, (name, cell)) in self.names.iter().zip(row).enumerate() {
            self.line.push(if at == 0 { b'{' } else { b',' });
            self.line.extend_from_slice(name.as_bytes());
            self.line.push(b':');
            match cell {
                Cell::Empty => self.line.extend_from_slice(b"null"),
                Cell::Text(text) => serde_json::to_writer(&mut self.line, text)?,
                Cell::Integer(number) => serde_json::to_writer(&mut self.line, number)?,
                Cell::Number(number) => serde_json::to_writer(&mut self.line, number)?,
                Cell::Flag(flag) => serde_json::to_writer(&mut self.line, flag)?,
                Cell::Json(value) => serde_json::to_writer(&mut self.line, value)?,
            }
        }
        self.line.push(b'}');
        if self.lines {
            self.line.push(b'\n');
        }
        sink.write_all(&self.line)
    }

    pub(super) fn end(self, sink: &mut impl Write, empty: bool) -> io::Result<()> {
        match (self.lines, empty) {
            (true, _) => Ok(()),
            (false, true) => sink.write_all(b"]\n"),
            (false, false) => sink.write_all(b"\n]\n"),
        }
    }
}
