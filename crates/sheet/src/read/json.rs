//! JSON: one array of objects, or one object a line.
//!
//! A framer finds where each object ends by counting brackets outside of texts, so one row is in
//! memory at a time; what is between is read by serde_json. A row that is no proper JSON does
//! not keep the next from being read, as long as its brackets and quotes have partners.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::source::Source;
use super::{Each, Item, ReadError, Reading, RowFault, Summary};
use crate::Format;

pub(super) fn read<R: Read>(
    source: Source<R>,
    lines: bool,
    how: &Reading,
    each: Each<'_>,
) -> Result<Summary, ReadError> {
    let mut framer = Framer { source, max: how.limits.row_bytes, number: 0, bytes: Vec::new() };
    let mut table = Table { how, columns: Vec::new(), places: HashMap::new(), cells: Vec::new() };
    let (mut rows, mut bad) = (0, 0);
    if !lines {
        framer.open_array()?;
    }
    loop {
        let framed = if lines { framer.line()? } else { framer.element()? };
        let taken = match framed {
            Framed::End => break,
            Framed::Row => table.take(&framer.bytes),
            Framed::TooLong => Err((None, format!("has more than {} octets", framer.max))),
        };
        let item = match taken {
            Ok(()) => {
                rows += 1;
                let (cells, columns) = (&table.cells, &table.columns);
                Item::Row { number: framer.number, cells, columns }
            }
            Err((column, detail)) => {
                bad += 1;
                Item::Bad(RowFault { number: framer.number, column, detail })
            }
        };
        if each(item) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(Summary {
        format: if lines { Format::JsonLines } else { Format::Json },
        delimiter: None,
        columns: table.columns,
        rows,
        bad,
        other_sheets: Vec::new(),
    })
}

struct Table<'a> {
    how: &'a Reading,
    columns: Vec<String>,
    places: HashMap<String, usize>,
    cells: Vec<String>,
}

impl Table<'_> {
    /// Puts an object's values where their columns are.
    fn take(&mut self, bytes: &[u8]) -> Result<(), (Option<String>, String)> {
        let Pairs(pairs) = serde_json::from_slice(bytes).map_err(|error| {
            // The place within the row is of no use to people; what is wrong is.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            (None, format!("is not a JSON object: {text}"))
        })?;
        self.cells.clear();
        self.cells.resize_with(self.columns.len(), String::new);
        let mut seen = vec![false; self.columns.len()];
        for (name, value) in pairs {
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) => text,
                // As the other formats show it: 7, not 7.0.
                Value::Number(number) if number.is_f64() => {
                    number.as_f64().unwrap_or_default().to_string()
                }
                value => value.to_string(),
            };
            if text.len() > self.how.limits.cell_bytes {
                let max = self.how.limits.cell_bytes;
                return Err((Some(name), format!("has more than {max} octets")));
            }
            let at = match self.places.get(&name) {
                Some(at) => *at,
                None if self.columns.len() >= self.how.limits.columns => {
                    let max = self.how.limits.columns;
                    return Err((Some(name), format!("is one column more than the {max} allowed")));
                }
                None => {
                    let at = self.columns.len();
                    self.columns.push(name.clone());
                    self.places.insert(name.clone(), at);
                    self.cells.push(String::new());
                    seen.push(false);
                    at
                }
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err((Some(name), "is there twice".to_owned()));
            }
            self.cells[at] = text;
        }
        Ok(())
    }
}

/// An object's fields in their order.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

enum Framed {
    Row,
    TooLong,
    End,
}

struct Framer<R> {
    source: Source<R>,
    max: usize,
    /// The number of the row framed last.
    number: u64,
    bytes: Vec<u8>,
}

impl<R: Read> Framer<R> {
    /// The next line that has something in it.
    fn line(&mut self) -> Result<Framed, ReadError> {
        loop {
            self.bytes.clear();
            let mut too_long = false;
            let mut any = false;
            loop {
                let buffer = self.source.fill()?;
                if buffer.is_empty() {
                    break;
                }
                any = true;
                let end = buffer.iter().position(|b| *b == b'\n');
                let len = end.unwrap_or(buffer.len());
                if self.bytes.len() + len > self.max {
                    too_long = true;
                } else if !too_long {
                    self.bytes.extend_from_slice(&buffer[..len]);
                }
                self.source.consume(len + usize::from(end.is_some()));
                if end.is_some() {
                    break;
                }
            }
            if !any {
                return Ok(Framed::End);
            }
            self.number += 1;
            if too_long {
                return Ok(Framed::TooLong);
            }
            if !self.bytes.trim_ascii().is_empty() {
                return Ok(Framed::Row);
            }
        }
    }

    /// The next octet that is no white space, without going behind it.
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            let buffer = self.source.fill()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            match buffer.iter().position(|b| !b.is_ascii_whitespace()) {
                Some(at) => {
                    let byte = buffer[at];
                    self.source.consume(at);
                    return Ok(Some(byte));
                }
                None => {
                    let len = buffer.len();
                    self.source.consume(len);
                }
            }
        }
    }

    fn broken<T>(&self, detail: &str) -> Result<T, ReadError> {
        Err(ReadError::Broken { number: self.number + 1, detail: detail.to_owned() })
    }

    fn open_array(&mut self) -> Result<(), ReadError> {
        match self.peek()? {
            Some(b'[') => self.source.consume(1),
            None => return Err(ReadError::Empty),
            Some(_) => return Err(ReadError::Foreign("the file is not a JSON array of objects")),
        }
        Ok(())
    }

    /// The next element of the array.
    fn element(&mut self) -> Result<Framed, ReadError> {
        match (self.peek()?, self.number) {
            (Some(b']'), _) => {
                self.source.consume(1);
                return match self.peek()? {
                    None => Ok(Framed::End),
                    Some(_) => self.broken("there is more behind the end of the array"),
                };
            }
            (Some(b','), 1..) => {
                self.source.consume(1);
                if self.peek()? == Some(b']') {
                    return self.broken("there is a comma too many before the end of the array");
                }
            }
            (Some(_), 0) => {}
            (Some(_), _) => return self.broken("there is no comma between two objects"),
            (None, _) => return self.broken("the array has no end"),
        }
        self.bytes.clear();
        let (mut depth, mut text, mut escaped) = (0_usize, false, false);
        let mut too_long = false;
        loop {
            let buffer = self.source.fill()?;
            if buffer.is_empty() {
                return self.broken("the array has no end");
            }
            let mut len = 0;
            let mut done = false;
            for byte in buffer {
                if text {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => text = false,
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => text = true,
                        b'{' | b'[' => depth += 1,
                        // Belongs to the array.
                        b',' | b']' | b'}' if depth == 0 => {
                            done = true;
                            break;
                        }
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                }
                len += 1;
            }
            if self.bytes.len() + len > self.max {
                too_long = true;
            } else if !too_long {
                self.bytes.extend_from_slice(&buffer[..len]);
            }
            self.source.consume(len);
            if done {
                break;
            }
        }
        if self.peek()? == Some(b'}') {
            return self.broken("there is a bracket too many");
        }
        self.number += 1;
        Ok(if too_long { Framed::TooLong } else { Framed::Row })
    }
}
