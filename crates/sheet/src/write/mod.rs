//! Rows become a file.

mod csv;
mod json;
#[cfg(feature = "pdf")]
mod pdf;
mod xlsx;

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::{Delimiter, Format};

/// What stands in one place of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A text, of any characters.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number; one that is not finite is nothing.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A list or an object: itself in JSON, its JSON text elsewhere.
    Json(Value),
}

/// How a file is written.
#[derive(Debug, Clone)]
pub struct Writing {
    /// What it is.
    pub format: Format,
    /// What separates cells in CSV.
    pub delimiter: Delimiter,
    /// Whether the first row of CSV and XLSX names the columns.
    pub header: bool,
    /// Whether CSV begins with a byte order mark: some spreadsheets need it to see UTF-8.
    pub byte_order_mark: bool,
    /// Whether CSV has the formula guard, see [`crate::guard`].
    pub guard: bool,
    /// What an XLSX sheet is called; further ones get a number.
    pub sheet: String,
    /// Where an XLSX waits until it is whole; the system's directory for temporary files if
    /// none is named. It should be on a disk: what lies there is as long as the table.
    pub directory: Option<PathBuf>,
    /// What a PDF has around its table.
    pub paper: Paper,
}

/// Rows of a PDF, at most: who reads more wants a spreadsheet.
pub const ROWS_MAX_PDF: u64 = 10_000;

/// What a PDF has around its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// What stands above the table.
    pub title: String,
    /// Lines below the title: whose it is, which filters, when.
    pub notes: Vec<String>,
    /// What stands left at the foot of every page.
    pub foot: String,
    /// What stands right: `{page}` and `{pages}` are filled in.
    pub page: String,
    /// The words for true and false.
    pub flags: [String; 2],
    /// The language of the text, BCP 47.
    pub language: String,
    /// Font files for text. The first that has a character draws it.
    pub fonts: Vec<PathBuf>,
    /// The same for the title and the names of columns.
    pub bold: Vec<PathBuf>,
}

impl Default for Paper {
    /// English, in the fonts of Debian's package fonts-dejavu-core.
    fn default() -> Self {
        let font = |name: &str| PathBuf::from(format!("/usr/share/fonts/truetype/dejavu/{name}"));
        Self {
            title: String::new(),
            notes: Vec::new(),
            foot: String::new(),
            page: "Page {page} of {pages}".to_owned(),
            flags: ["yes".to_owned(), "no".to_owned()],
            language: "en".to_owned(),
            fonts: vec![font("DejaVuSans.ttf")],
            bold: vec![font("DejaVuSans-Bold.ttf")],
        }
    }
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            format: Format::Csv,
            delimiter: Delimiter::Comma,
            header: true,
            byte_order_mark: false,
            guard: true,
            sheet: "Sheet1".to_owned(),
            directory: None,
            paper: Paper::default(),
        }
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink did not take it, or the disk is full.
    #[error("the file could not be written")]
    Sink(#[source] io::Error),
    /// An XLSX holds at most 32 767 UTF-16 units in a cell.
    #[error("{column} in row {row} is longer than XLSX allows; choose another format")]
    LongCell {
        /// The row in the file.
        row: u64,
        /// The column's name.
        column: String,
    },
    /// The row has another number of cells than the table has columns: a mistake of the caller.
    #[error("a row has {cells} cells where the table has {columns} columns")]
    Shape {
        /// How many it has.
        cells: usize,
        /// How many it should have.
        columns: usize,
    },
    /// The table has more columns than the format allows, or none.
    #[error("a table cannot have {0} columns in this format")]
    Columns(usize),
    /// A PDF has a bound, because all of it is in memory.
    #[error("a PDF has at most {ROWS_MAX_PDF} rows; narrow the list, or choose CSV or XLSX")]
    TooManyRows,
    /// The same in characters.
    #[error("there is too much text for a PDF; narrow the list, or choose CSV or XLSX")]
    TooMuchText,
    /// A page has room for only so many columns.
    #[error("a page has room for {most} columns, not {columns}; choose fewer with ?fields")]
    TooWide {
        /// How many there are.
        columns: usize,
        /// How many there may be.
        most: usize,
    },
    /// A font is not installed, or is none.
    #[error("the font {} cannot be used; the package fonts-dejavu-core brings it", path.display())]
    Font {
        /// The file.
        path: PathBuf,
        /// Why not, where the file could not be read.
        source: Option<io::Error>,
    },
    /// This build has no PDF.
    #[error("PDF is not part of this build")]
    NoPdf,
    /// The PDF could not be put together.
    #[error("the PDF could not be written: {0}")]
    Pdf(String),
    /// The XLSX could not be put together.
    #[error("the workbook could not be written")]
    Workbook(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Sink(error)
    }
}

enum Kind {
    Csv(csv::Csv),
    Json(json::Json),
    // Larger than the others by far.
    Xlsx(Box<xlsx::Xlsx>),
    #[cfg(feature = "pdf")]
    Pdf(Box<pdf::Pdf>),
}

/// Writes one table. CSV, JSON and JSON Lines reach the sink row by row, XLSX and PDF at the end.
pub struct Writer<W> {
    sink: W,
    kind: Kind,
    columns: Vec<String>,
    rows: u64,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    pub fn new(sink: W, how: &Writing, columns: Vec<String>) -> Result<Self, WriteError> {
        if columns.is_empty() {
            return Err(WriteError::Columns(0));
        }
        let mut sink = sink;
        let kind = match how.format {
            Format::Csv => Kind::Csv(csv::Csv::begin(&mut sink, how, &columns)?),
            Format::Json => Kind::Json(json::Json::begin(&mut sink, false, &columns)?),
            Format::JsonLines => Kind::Json(json::Json::begin(&mut sink, true, &columns)?),
            Format::Xlsx => Kind::Xlsx(Box::new(xlsx::Xlsx::begin(how, &columns)?)),
            #[cfg(feature = "pdf")]
            Format::Pdf => Kind::Pdf(Box::new(pdf::Pdf::begin(how, &columns)?)),
            #[cfg(not(feature = "pdf"))]
            Format::Pdf => return Err(WriteError::NoPdf),
        };
        Ok(Self { sink, kind, columns, rows: 0 })
    }

    /// Writes a row.
    pub fn push(&mut self, row: &[Cell]) -> Result<(), WriteError> {
        if row.len() != self.columns.len() {
            let (cells, columns) = (row.len(), self.columns.len());
            return Err(WriteError::Shape { cells, columns });
        }
        match &mut self.kind {
            Kind::Csv(csv) => csv.push(&mut self.sink, row)?,
            Kind::Json(json) => json.push(&mut self.sink, row, self.rows == 0)?,
            Kind::Xlsx(xlsx) => xlsx.push(row, &self.columns)?,
            #[cfg(feature = "pdf")]
            Kind::Pdf(pdf) => pdf.push(row)?,
        }
        self.rows += 1;
        Ok(())
    }

    /// How many rows were written, the header apart.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What takes the file's bytes; a caller may empty it between rows.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Ends the file. A file without this is not whole.
    pub fn finish(mut self) -> Result<W, WriteError> {
        match self.kind {
            Kind::Csv(_) => {}
            Kind::Json(json) => json.end(&mut self.sink, self.rows == 0)?,
            Kind::Xlsx(xlsx) => xlsx.end(&mut self.sink)?,
            #[cfg(feature = "pdf")]
            Kind::Pdf(pdf) => self.sink.write_all(&pdf.end()?)?,
        }
        self.sink.flush()?;
        Ok(self.sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(how: &Writing, columns: &[&str], rows: &[Vec<Cell>]) -> String {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut writer = Writer::new(Vec::new(), how, columns).unwrap();
        for row in rows {
            writer.push(row).unwrap();
        }
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn csv_quotes_what_it_must_and_guards_formulas() {
        let rows = [
            vec![text("a,b"), text("say \"hi\""), Cell::Integer(-5)],
            vec![text("=cmd|' /C calc'!A0"), text("line\r\nbreak"), Cell::Empty],
            vec![Cell::Empty, Cell::Flag(true), Cell::Json(serde_json::json!(["x", "y"]))],
        ];
        let expected = "name,note,number\r\n\
                        \"a,b\",\"say \"\"hi\"\"\",-5\r\n\
                        '=cmd|' /C calc'!A0,\"line\r\nbreak\",\r\n\
                        ,true,\"[\"\"x\"\",\"\"y\"\"]\"\r\n";
        assert_eq!(written(&Writing::default(), &["name", "note", "number"], &rows), expected);
    }

    #[test]
    fn csv_takes_its_delimiter_its_mark_and_no_header() {
        let how = Writing {
            delimiter: Delimiter::Semicolon,
            header: false,
            byte_order_mark: true,
            guard: false,
            ..Writing::default()
        };
        let rows = [vec![text("a;b"), text("a,b"), text("=1")]];
        assert_eq!(written(&how, &["x", "y", "z"], &rows), "\u{feff}\"a;b\";a,b;=1\r\n");
    }

    #[test]
    fn json_keeps_types_and_the_order_of_columns() {
        let rows = [
            vec![text("=1"), Cell::Integer(7), Cell::Json(serde_json::json!(["x"]))],
            vec![Cell::Empty, Cell::Flag(false), Cell::Number(f64::NAN)],
        ];
        let how = Writing { format: Format::Json, ..Writing::default() };
        let expected = "[\n{\"z\":\"=1\",\"a\":7,\"m\":[\"x\"]},\n\
                        {\"z\":null,\"a\":false,\"m\":null}\n]\n";
        assert_eq!(written(&how, &["z", "a", "m"], &rows), expected);
        assert_eq!(written(&how, &["z"], &[]), "[]\n");
        let how = Writing { format: Format::JsonLines, ..Writing::default() };
        let expected =
            "{\"z\":\"=1\",\"a\":7,\"m\":[\"x\"]}\n{\"z\":null,\"a\":false,\"m\":null}\n";
        assert_eq!(written(&how, &["z", "a", "m"], &rows), expected);
        assert_eq!(written(&how, &["z"], &[]), "");
    }

    #[test]
    fn a_row_of_another_shape_is_refused() {
        let mut writer =
            Writer::new(Vec::new(), &Writing::default(), vec!["a".to_owned()]).unwrap();
        let error = writer.push(&[Cell::Empty, Cell::Empty]).unwrap_err();
        assert!(matches!(error, WriteError::Shape { cells: 2, columns: 1 }));
        assert!(Writer::new(Vec::new(), &Writing::default(), Vec::new()).is_err());
    }

    /// Takes so many octets, then the disk is full.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0 {
                0 => Err(io::ErrorKind::StorageFull.into()),
                left => {
                    let taken = left.min(bytes.len());
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error_in_every_format() {
        let all = Format::ALL.into_iter();
        for format in all.filter(|f| *f != Format::Pdf || cfg!(feature = "pdf")) {
            let how = Writing { format, ..Writing::default() };
            let fill = || {
                let mut writer = Writer::new(Full(100), &how, vec!["a".to_owned()])?;
                for n in 0..100 {
                    writer.push(&[Cell::Integer(n)])?;
                }
                writer.finish()
            };
            let error = fill().err().unwrap_or_else(|| panic!("{format} was written"));
            assert!(matches!(error, WriteError::Sink(_) | WriteError::Workbook(_)), "{error:?}");
        }
    }
}
