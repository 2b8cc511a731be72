//! A workbook. Rows go to a temporary file at once; at the end that file is packed into the
//! sink. A sheet holds 1 048 576 rows (ECMA-376 as spreadsheets read it); what is beyond
//! continues on a next sheet, with the header again.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::{Cell, WriteError, Writing};

const ROWS_A_SHEET: u32 = 1_048_576;
const COLUMNS_MAX: usize = 16_384;
/// UTF-16 units in a cell.
const CELL_UNITS_MAX: usize = 32_767;
/// Whole numbers above it do not fit into the binary64 of a spreadsheet and are written as
/// texts.
const EXACT_MAX: u64 = 1 << 53;

pub(super) struct Xlsx {
    workbook: Workbook,
    name: String,
    header: bool,
    sheets: usize,
    /// The next row of the sheet, from zero.
    at: u32,
    rows_a_sheet: u32,
}

impl Xlsx {
    pub(super) fn begin(how: &Writing, columns: &[String]) -> Result<Self, WriteError> {
        if columns.len() > COLUMNS_MAX {
            return Err(WriteError::Columns(columns.len()));
        }
        let mut workbook = Workbook::new();
        if let Some(directory) = &how.directory {
            workbook.set_tempdir(directory).map_err(workbook_error)?;
        }
        // A sheet's name has at most 31 characters and none of these; a number may follow.
        let name: String = how
            .sheet
            .chars()
            .map(|c| if "[]:*?/\\'".contains(c) || c.is_control() { ' ' } else { c })
            .take(20)
            .collect();
        let name = match name.trim() {
            "" => "Sheet1".to_owned(),
            name => name.to_owned(),
        };
        let mut xlsx = Self {
            workbook,
            name,
            header: how.header,
            sheets: 0,
            at: 0,
            rows_a_sheet: ROWS_A_SHEET,
        };
        xlsx.next_sheet(columns)?;
        Ok(xlsx)
    }

    fn next_sheet(&mut self, columns: &[String]) -> Result<(), WriteError> {
        self.sheets += 1;
        self.at = 0;
        let name = match self.sheets {
            1 => self.name.clone(),
            n => format!("{} ({n})", self.name),
        };
        let (header, workbook) = (self.header, &mut self.workbook);
        guarded(|| {
            let sheet = workbook.add_worksheet_with_constant_memory()?;
            sheet.set_name(name)?;
            if header {
                let bold = Format::new().set_bold();
                for (column, name) in (0..).zip(columns) {
                    sheet.write_string_with_format(0, column, name, &bold)?;
                }
                sheet.set_freeze_panes(1, 0)?;
            }
            Ok(())
        })?;
        self.at += u32::from(header);
        Ok(())
    }

    pub(super) fn push(&mut self, row: &[Cell], columns: &[String]) -> Result<(), WriteError> {
        for (cell, column) in row.iter().zip(columns) {
            let units = match cell {
                Cell::Text(text) => units(text),
                Cell::Json(value) => units(&value.to_string()),
                _ => 0,
            };
            if units > CELL_UNITS_MAX {
                let row = u64::from(self.at) + 1;
                return Err(WriteError::LongCell { row, column: column.clone() });
            }
        }
        if self.at >= self.rows_a_sheet {
            self.next_sheet(columns)?;
        }
        let (at, sheet, workbook) = (self.at, self.sheets - 1, &mut self.workbook);
        guarded(|| {
            let sheet = workbook.worksheet_from_index(sheet)?;
            for (column, cell) in (0..).zip(row) {
                match cell {
                    Cell::Empty => continue,
                    Cell::Text(text) => sheet.write_string(at, column, text)?,
                    Cell::Json(value) => sheet.write_string(at, column, value.to_string())?,
                    Cell::Integer(number) if number.unsigned_abs() > EXACT_MAX => {
                        sheet.write_string(at, column, number.to_string())?
                    }
                    Cell::Integer(number) => sheet.write_number(at, column, *number as f64)?,
                    Cell::Number(number) if !number.is_finite() => continue,
                    Cell::Number(number) => sheet.write_number(at, column, *number)?,
                    Cell::Flag(flag) => sheet.write_boolean(at, column, *flag)?,
                };
            }
            Ok(())
        })?;
        self.at += 1;
        Ok(())
    }

    pub(super) fn end(mut self, sink: &mut (impl Write + Send)) -> Result<(), WriteError> {
        guarded(|| self.workbook.save_to_writer(sink))
    }
}

/// UTF-16 units; a text can only have too many if it has as many octets.
fn units(text: &str) -> usize {
    match text.len() > CELL_UNITS_MAX {
        true => text.encode_utf16().count(),
        false => text.len(),
    }
}

/// The library panics where its temporary file does not take a write. A full disk is no bug,
/// and the workbook is dropped after any error, so nothing sees it half-changed.
fn guarded<T>(work: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, WriteError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(workbook_error),
        Err(_) => Err(WriteError::Sink(std::io::ErrorKind::StorageFull.into())),
    }
}

fn workbook_error(error: XlsxError) -> WriteError {
    match error {
        XlsxError::IoError(error) => WriteError::Sink(error),
        error => WriteError::Workbook(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, Reading, read};
    use std::ops::ControlFlow;

    #[test]
    fn rows_beyond_a_sheet_continue_on_the_next_with_the_header_again() {
        let columns = ["n".to_owned()];
        let how = Writing { sheet: "nas/2".to_owned(), ..Writing::default() };
        let mut xlsx = Xlsx::begin(&how, &columns).unwrap();
        xlsx.rows_a_sheet = 4;
        for n in 0..7 {
            xlsx.push(&[Cell::Integer(n)], &columns).unwrap();
        }
        let mut file = Vec::new();
        xlsx.end(&mut file).unwrap();
        let mut seen = Vec::new();
        for sheet in [None, Some("nas 2 (2)"), Some("nas 2 (3)")] {
            let how = Reading { sheet: sheet.map(str::to_owned), ..Reading::default() };
            let summary = read(file.as_slice(), &how, |item| {
                if let Item::Row { number, cells, .. } = item {
                    seen.push((number, cells[0].clone()));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(summary.columns, ["n"]);
            assert_eq!(summary.other_sheets.len(), 2);
        }
        let rows: Vec<u64> = seen.iter().map(|(row, _)| *row).collect();
        assert_eq!(rows, [2, 3, 4, 2, 3, 4, 2]);
        let cells: Vec<&str> = seen.iter().map(|(_, cell)| cell.as_str()).collect();
        assert_eq!(cells, ["0", "1", "2", "3", "4", "5", "6"]);
    }

    #[test]
    fn a_cell_too_long_for_a_spreadsheet_is_named() {
        let columns = ["id".to_owned(), "note".to_owned()];
        let mut xlsx = Xlsx::begin(&Writing::default(), &columns).unwrap();
        xlsx.push(&[Cell::Integer(1), Cell::Text("x".repeat(32_767))], &columns).unwrap();
        let error = xlsx.push(&[Cell::Integer(2), Cell::Text("x".repeat(32_768))], &columns);
        let Err(WriteError::LongCell { row: 3, column }) = error else { panic!("{error:?}") };
        assert_eq!(column, "note");
    }
}
