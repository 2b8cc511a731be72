//! Pages to print: a title, the table with its header on every page, a numbered foot.
//!
//! All rows are kept until the end, because the widths of the columns and the number of pages
//! follow from all of them; [`ROWS_MAX_PDF`] and [`TEXT_OCTETS_MAX`] bound that. A table as
//! narrow as a page stands upright; a wider one lies across, and what does not fit is wrapped.
//!
//! - [`font`](mod@font): characters to glyphs, and how wide they are.
//! - [`layout`]: widths, lines and pages; arithmetic only.
//! - this file: drawing it.
//!
//! Characters are drawn one by one in the order they are written: right for scripts such as
//! Latin, Cyrillic and Greek. Scripts whose letters join, or that run from right to left, come
//! out readable at best; a spreadsheet is the better file for them.

mod font;
mod layout;

use krilla::Document;
use krilla::color::luma;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke};
use krilla::surface::Surface;
use serde_json::Value;

use super::{Cell, Paper, ROWS_MAX_PDF, WriteError, Writing};
use font::Fonts;
use layout::{Align, Line, Plan, Sheet};

/// Octets of text in a table, at most.
const TEXT_OCTETS_MAX: usize = 32 << 20;
/// Characters of one cell that are looked at; far more than a cell has lines for.
const CELL_CHARACTERS_MAX: usize = 1_000;

/// Sizes, in points (1/72 inch).
const TITLE: f32 = 15.0;
const NOTE: f32 = 8.5;
const FOOT: f32 = 7.5;
/// How far a line's baseline is below its top, in parts of the font's size.
const BASELINE: f32 = 0.93;

const BLACK: u8 = 0x1a;
const GREY: u8 = 0x60;
const RULE: u8 = 0xc8;
const SHADE: u8 = 0xf1;

/// A table that is being collected.
pub(super) struct Pdf {
    paper: Paper,
    fonts: Fonts,
    bold: Fonts,
    header: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    align: Vec<Align>,
    octets: usize,
}

impl Pdf {
    pub(super) fn begin(how: &Writing, columns: &[String]) -> Result<Self, WriteError> {
        if columns.len() > layout::COLUMNS_MAX {
            return Err(WriteError::TooWide { columns: columns.len(), most: layout::COLUMNS_MAX });
        }
        Ok(Self {
            paper: how.paper.clone(),
            fonts: Fonts::load(&how.paper.fonts)?,
            bold: Fonts::load(&how.paper.bold)?,
            header: how.header.then(|| columns.to_vec()),
            rows: Vec::new(),
            align: vec![Align::Unknown; columns.len()],
            octets: 0,
        })
    }

    pub(super) fn push(&mut self, row: &[Cell]) -> Result<(), WriteError> {
        if self.rows.len() as u64 >= ROWS_MAX_PDF {
            return Err(WriteError::TooManyRows);
        }
        let mut texts = Vec::with_capacity(row.len());
        for (cell, align) in row.iter().zip(&mut self.align) {
            *align = align.and(Align::of(cell));
            let text = self.paper.text(cell);
            self.octets += text.len();
            texts.push(text);
        }
        if self.octets > TEXT_OCTETS_MAX {
            return Err(WriteError::TooMuchText);
        }
        self.rows.push(texts);
        Ok(())
    }

    /// The whole file.
    pub(super) fn end(self) -> Result<Vec<u8>, WriteError> {
        let Self { paper, fonts, bold, header, rows, align, .. } = self;
        let plan = Plan::of(header.as_deref(), &rows, &align, &fonts, &bold);
        let head = Head::of(&paper, &plan.sheet, &fonts, &bold);
        let pages = plan.pages(head.height);
        let mut document = Document::new();
        let mut metadata = Metadata::new().creator("Lastmile".to_owned());
        metadata = metadata.title(paper.title.clone()).language(paper.language.clone());
        document.set_metadata(metadata);
        let count = pages.len();
        for (number, page) in pages.into_iter().enumerate() {
            let size = PageSettings::from_wh(plan.sheet.width, plan.sheet.height)
                .ok_or_else(|| WriteError::Pdf("the page has no size".to_owned()))?;
            let mut drawn = document.start_page_with(size);
            let mut surface = drawn.surface();
            let mut pen = Pen { surface: &mut surface, plan: &plan };
            let mut y = plan.sheet.margin;
            if number == 0 {
                head.draw(&mut pen, &fonts, &bold);
                y += head.height;
            }
            if let Some(header) = &plan.header {
                pen.shade(y, header.height);
                pen.row(header, y, &bold, GREY);
                y += header.height;
            }
            for row in &plan.rows[page] {
                pen.row(row, y, &fonts, BLACK);
                y += row.height;
                pen.rule(y);
            }
            let place = paper.page.replace("{page}", &(number + 1).to_string());
            pen.foot(&paper.foot, &place.replace("{pages}", &count.to_string()), &fonts);
            surface.finish();
            drawn.finish();
        }
        document.finish().map_err(|error| WriteError::Pdf(format!("{error:?}")))
    }
}

impl Paper {
    /// A cell as people read it.
    fn text(&self, cell: &Cell) -> String {
        match cell {
            Cell::Empty => String::new(),
            Cell::Text(text) => layout::plain(text, CELL_CHARACTERS_MAX),
            Cell::Integer(number) => number.to_string(),
            Cell::Number(number) if number.is_finite() => number.to_string(),
            Cell::Number(_) => String::new(),
            Cell::Flag(flag) => self.flags[usize::from(!flag)].clone(),
            Cell::Json(value) => layout::plain(&lines(value), CELL_CHARACTERS_MAX),
        }
    }
}

/// A list or an object as people read it: a line for each member.
fn lines(value: &Value) -> String {
    let short = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match value {
        Value::Object(members) => {
            let line = |(name, value): (&String, &Value)| format!("{name}: {}", short(value));
            members.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        value => short(value),
    }
}

/// What stands above the table on the first page.
struct Head {
    title: Vec<String>,
    notes: Vec<String>,
    height: f32,
}

impl Head {
    fn of(paper: &Paper, sheet: &Sheet, fonts: &Fonts, bold: &Fonts) -> Self {
        let wrap = |text: &str, fonts: &Fonts, size| {
            layout::wrap(&layout::plain(text, CELL_CHARACTERS_MAX), sheet.room(), size, fonts, 4)
        };
        let title = match paper.title.is_empty() {
            true => Vec::new(),
            false => wrap(&paper.title, bold, TITLE),
        };
        let notes: Vec<String> =
            paper.notes.iter().flat_map(|note| wrap(note, fonts, NOTE)).collect();
        let height = title.len() as f32 * TITLE * 1.25 + notes.len() as f32 * NOTE * 1.4;
        let height = if height > 0.0 { height + 10.0 } else { 0.0 };
        Self { title, notes, height }
    }

    fn draw(&self, pen: &mut Pen<'_, '_>, fonts: &Fonts, bold: &Fonts) {
        let (x, mut y) = (pen.plan.sheet.margin, pen.plan.sheet.margin);
        for line in &self.title {
            pen.text(line, x, y + TITLE * BASELINE, TITLE, bold, BLACK);
            y += TITLE * 1.25;
        }
        for line in &self.notes {
            pen.text(line, x, y + NOTE * BASELINE, NOTE, fonts, GREY);
            y += NOTE * 1.4;
        }
    }
}

/// Draws on one page.
struct Pen<'a, 'p> {
    surface: &'a mut Surface<'p>,
    plan: &'a Plan,
}

impl Pen<'_, '_> {
    fn fill(&mut self, grey: u8) {
        let paint = luma::Color::new(grey).into();
        let fill = Fill { paint, opacity: NormalizedF32::ONE, rule: FillRule::NonZero };
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(fill));
    }

    fn text(&mut self, text: &str, x: f32, y: f32, size: f32, fonts: &Fonts, grey: u8) {
        self.fill(grey);
        let mut x = x;
        for run in fonts.runs(text) {
            let start = Point::from_xy(x, y);
            self.surface.draw_glyphs(start, &run.glyphs, run.font, text, size, false);
            x += run.advance * size;
        }
    }

    fn row(&mut self, row: &Line, y: f32, fonts: &Fonts, grey: u8) {
        let plan = self.plan;
        let mut x = plan.sheet.margin;
        for ((cell, width), align) in row.cells.iter().zip(&plan.widths).zip(&plan.align) {
            let mut baseline = y + layout::PAD + plan.size * BASELINE;
            for line in cell {
                let left = match align {
                    Align::Right => x + width - layout::GAP / 2.0 - fonts.width(line) * plan.size,
                    Align::Left | Align::Unknown => x + layout::GAP / 2.0,
                };
                self.text(line, left, baseline, plan.size, fonts, grey);
                baseline += plan.leading();
            }
            x += width;
        }
    }

    /// A line below a row.
    fn rule(&mut self, y: f32) {
        let mut path = PathBuilder::new();
        path.move_to(self.plan.sheet.margin, y);
        path.line_to(self.plan.sheet.margin + self.plan.width(), y);
        let Some(path) = path.finish() else { return };
        let stroke =
            Stroke { paint: luma::Color::new(RULE).into(), width: 0.4, ..Stroke::default() };
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(stroke));
        self.surface.draw_path(&path);
    }

    /// The ground of the header.
    fn shade(&mut self, y: f32, height: f32) {
        let (left, right) = (self.plan.sheet.margin, self.plan.sheet.margin + self.plan.width());
        let mut path = PathBuilder::new();
        path.move_to(left, y);
        path.line_to(right, y);
        path.line_to(right, y + height);
        path.line_to(left, y + height);
        path.close();
        let Some(path) = path.finish() else { return };
        self.fill(SHADE);
        self.surface.draw_path(&path);
    }

    fn foot(&mut self, left: &str, right: &str, fonts: &Fonts) {
        let sheet = &self.plan.sheet;
        let y = sheet.height - sheet.margin + FOOT;
        let (x, room) = (sheet.margin, sheet.room());
        let end = x + room - fonts.width(right) * FOOT;
        let left = layout::plain(left, CELL_CHARACTERS_MAX);
        let lines = layout::wrap(&left, end - x - layout::GAP, FOOT, fonts, 1);
        if let Some(line) = lines.first() {
            self.text(line, x, y, FOOT, fonts, GREY);
        }
        self.text(right, end, y, FOOT, fonts, GREY);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::Writer;
    use super::*;
    use crate::Format;

    fn how() -> Writing {
        let paper = Paper {
            title: "Customers".to_owned(),
            notes: vec!["My ISP".to_owned(), "status is active".to_owned()],
            foot: "My ISP".to_owned(),
            ..Paper::default()
        };
        Writing { format: Format::Pdf, paper, ..Writing::default() }
    }

    fn write(how: &Writing, columns: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, WriteError> {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut writer = Writer::new(Vec::new(), how, columns)?;
        for row in rows {
            writer.push(row)?;
        }
        writer.finish()
    }

    /// What a reader finds on each page (poppler's pdftotext).
    fn pages(file: &[u8]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.pdf");
        std::fs::write(&path, file).unwrap();
        let read = Command::new("pdftotext").arg("-layout").arg(&path).arg("-").output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let text = String::from_utf8(read.stdout).unwrap();
        text.trim_end_matches('\u{c}').split('\u{c}').map(str::to_owned).collect()
    }

    #[test]
    fn a_table_has_its_header_and_its_number_on_every_page_and_all_rows_in_order() {
        let rows: Vec<Vec<Cell>> = (0..150)
            .map(|n| vec![Cell::Text(format!("Müller-{n} Жук Ωmega")), Cell::Integer(n)])
            .collect();
        let pages = pages(&write(&how(), &["Name", "Number"], &rows).unwrap());
        assert!(pages.len() > 2);
        let mut seen = Vec::new();
        for (number, page) in pages.iter().enumerate() {
            let place = format!("Page {} of {}", number + 1, pages.len());
            assert!(page.contains(&place) && page.contains("My ISP"), "{page}");
            assert!(page.contains("Name") && page.contains("Number"), "{page}");
            assert_eq!(page.contains("status is active"), number == 0);
            let names = page.lines().filter(|line| line.contains("Müller-"));
            seen.extend(names.map(|line| line.split_whitespace().next().unwrap().to_owned()));
        }
        let wanted: Vec<String> = (0..150).map(|n| format!("Müller-{n}")).collect();
        assert_eq!(seen, wanted);
        assert!(pages[0].contains("Жук Ωmega"), "{}", pages[0]);
    }

    #[test]
    fn an_empty_table_is_a_page_with_its_header() {
        let pages = pages(&write(&how(), &["Name"], &[]).unwrap());
        assert_eq!(pages.len(), 1);
        assert!(pages[0].contains("Customers") && pages[0].contains("Page 1 of 1"));
    }

    #[test]
    fn what_is_too_much_for_pages_is_refused_with_a_way_out() {
        let row = vec![Cell::Integer(1)];
        let columns = vec!["n".to_owned()];
        let mut writer = Writer::new(Vec::new(), &how(), columns).unwrap();
        for _ in 0..ROWS_MAX_PDF {
            writer.push(&row).unwrap();
        }
        let error = writer.push(&row).unwrap_err();
        assert!(matches!(error, WriteError::TooManyRows), "{error}");
        assert!(error.to_string().contains("10000") && error.to_string().contains("CSV"));
        let many: Vec<&str> = vec!["n"; 29];
        let error = write(&how(), &many, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a page has room for 28 columns, not 29; choose fewer with ?fields"
        );
    }

    #[test]
    fn a_font_that_is_not_there_is_named_with_the_package_that_brings_it() {
        let mut how = how();
        how.paper.fonts = vec!["/no/such/font.ttf".into()];
        let error = write(&how, &["n"], &[]).unwrap_err().to_string();
        assert!(
            error.contains("/no/such/font.ttf") && error.contains("fonts-dejavu-core"),
            "{error}"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not a font").unwrap();
        how.paper.fonts = vec![file.path().to_owned()];
        assert!(matches!(write(&how, &["n"], &[]), Err(WriteError::Font { source: None, .. })));
    }
}
