//! Widths, lines and pages: where everything stands, before anything is drawn.

use std::ops::Range;

use super::font::Fonts;
use crate::Cell;

/// A4 (ISO 216), in points.
const SHORT: f32 = 595.28;
const LONG: f32 = 841.89;
const MARGIN: f32 = 36.0;
/// Room below the table for the foot.
const FOOT_ROOM: f32 = 10.0;

/// The size of text in the table, and the smallest it becomes in a table of many columns.
const SIZE: f32 = 8.0;
const SIZE_MIN: f32 = 6.0;
/// Room between two columns, and above and below a row's text.
pub(super) const GAP: f32 = 8.0;
pub(super) const PAD: f32 = 2.5;
/// A column as wide as it likes, up to this; and what a word may claim before it is broken.
const COLUMN_MAX: f32 = 240.0;
const WORD_MAX: f32 = 110.0;
/// A column is at least so wide.
const COLUMN_MIN: f32 = 26.0;
/// Lines of a cell; the rest is cut off, with a mark.
const CELL_LINES_MAX: usize = 12;
/// Columns there is room for.
pub(super) const COLUMNS_MAX: usize = 28;

const _: () = assert!(COLUMNS_MAX as f32 * COLUMN_MIN <= LONG - 2.0 * MARGIN);

/// Where the text of a column begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Nothing stood there yet.
    Unknown,
    Left,
    /// Numbers, so that their digits stand below each other.
    Right,
}

impl Align {
    pub(super) fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Empty => Self::Unknown,
            Cell::Integer(_) | Cell::Number(_) => Self::Right,
            Cell::Text(text) if is_amount(text) => Self::Right,
            Cell::Text(_) | Cell::Flag(_) | Cell::Json(_) => Self::Left,
        }
    }

    /// Of a column that has both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, other) | (other, Self::Unknown) => other,
            (Self::Right, Self::Right) => Self::Right,
            _ => Self::Left,
        }
    }
}

/// `-12.50`; not a telephone number, nor a version.
fn is_amount(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let body = text.strip_prefix('-').unwrap_or(text);
    let Some((whole, rest)) = body.split_once('.') else { return false };
    digits(whole) && digits(rest) && !(whole.len() > 1 && whole.starts_with('0'))
}

/// Text without what cannot be drawn: control characters become spaces, line ends stay.
pub(super) fn plain(text: &str, most: usize) -> String {
    let text = text.replace("\r\n", "\n");
    let mut plain: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .take(most + 1)
        .collect();
    if plain.chars().count() > most {
        plain.pop();
        plain.push('…');
    }
    plain
}

/// A page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sheet {
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) margin: f32,
}

impl Sheet {
    const UPRIGHT: Self = Self { width: SHORT, height: LONG, margin: MARGIN };
    const ACROSS: Self = Self { width: LONG, height: SHORT, margin: MARGIN };

    /// How wide a table may be.
    pub(super) fn room(&self) -> f32 {
        self.width - 2.0 * self.margin
    }

    fn depth(&self) -> f32 {
        self.height - 2.0 * self.margin - FOOT_ROOM
    }
}

/// A row as it is drawn: the lines of each cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) cells: Vec<Vec<String>>,
    pub(super) height: f32,
}

/// Where everything stands.
pub(super) struct Plan {
    pub(super) sheet: Sheet,
    pub(super) size: f32,
    pub(super) widths: Vec<f32>,
    pub(super) align: Vec<Align>,
    pub(super) header: Option<Line>,
    pub(super) rows: Vec<Line>,
}

impl Plan {
    pub(super) fn of(
        header: Option<&[String]>,
        rows: &[Vec<String>],
        align: &[Align],
        fonts: &Fonts,
        bold: &Fonts,
    ) -> Self {
        let mut wishes = vec![Wish::default(); align.len()];
        for (wish, name) in wishes.iter_mut().zip(header.unwrap_or_default()) {
            wish.take(name, bold);
        }
        for row in rows {
            for (wish, text) in wishes.iter_mut().zip(row) {
                wish.take(text, fonts);
            }
        }
        let (sheet, size, widths) = fit(&wishes);
        let line = |cells: &[String], fonts: &Fonts| {
            let cells: Vec<Vec<String>> = cells
                .iter()
                .zip(&widths)
                .map(|(text, width)| wrap(text, width - GAP, size, fonts, CELL_LINES_MAX))
                .collect();
            let most = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
            Line { cells, height: most as f32 * leading(size) + 2.0 * PAD }
        };
        let header = header.map(|header| line(header, bold));
        let rows = rows.iter().map(|row| line(row, fonts)).collect();
        Self { sheet, size, align: align.to_vec(), header, rows, widths }
    }

    pub(super) fn leading(&self) -> f32 {
        leading(self.size)
    }

    /// How wide the table is.
    pub(super) fn width(&self) -> f32 {
        self.widths.iter().sum()
    }

    /// Which rows stand on which page; a table without rows has one page. `head`: room that the
    /// first page has less.
    pub(super) fn pages(&self, head: f32) -> Vec<Range<usize>> {
        let header = self.header.as_ref().map_or(0.0, |header| header.height);
        let room = self.sheet.depth() - header;
        let (mut pages, mut first, mut left) = (Vec::new(), 0, room - head);
        for (number, row) in self.rows.iter().enumerate() {
            // A row that is higher than a page has one for itself.
            if row.height > left && number > first {
                pages.push(first..number);
                (first, left) = (number, room);
            }
            left -= row.height;
        }
        pages.push(first..self.rows.len());
        pages
    }
}

fn leading(size: f32) -> f32 {
    size * 1.3
}

/// How wide a column would like to be, in parts of the font's size.
#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    /// So that nothing is wrapped.
    whole: f32,
    /// So that no word is broken.
    word: f32,
}

impl Wish {
    fn take(&mut self, text: &str, fonts: &Fonts) {
        for line in text.split('\n') {
            let (mut line_width, mut word) = (0.0, 0.0_f32);
            for character in line.chars() {
                let advance = fonts.advance(character);
                line_width += advance;
                word = if character == ' ' { 0.0 } else { word + advance };
                self.word = self.word.max(word);
            }
            self.whole = self.whole.max(line_width);
        }
    }
}

/// The page, the size of the text and the widths of the columns.
fn fit(wishes: &[Wish]) -> (Sheet, f32, Vec<f32>) {
    let wide = |wish: &Wish, size: f32| (wish.whole * size + GAP).clamp(COLUMN_MIN, COLUMN_MAX);
    let sum = |size: f32| -> f32 { wishes.iter().map(|wish| wide(wish, size)).sum() };
    for sheet in [Sheet::UPRIGHT, Sheet::ACROSS] {
        if sum(SIZE) <= sheet.room() {
            return (sheet, SIZE, wishes.iter().map(|wish| wide(wish, SIZE)).collect());
        }
    }
    let sheet = Sheet::ACROSS;
    let narrow = |wish: &Wish, size: f32| {
        let word = (wish.word * size + GAP).clamp(COLUMN_MIN, WORD_MAX);
        word.min(wide(wish, size))
    };
    // Smaller text before broken words.
    let fits = |size: &f32| -> bool {
        wishes.iter().map(|wish| narrow(wish, *size)).sum::<f32>() <= sheet.room()
    };
    let size = [SIZE, 7.5, 7.0, 6.5].into_iter().find(fits).unwrap_or(SIZE_MIN);
    let least: Vec<f32> = wishes.iter().map(|wish| narrow(wish, size)).collect();
    let (needed, room) = (least.iter().sum::<f32>(), sheet.room());
    let widths = if needed >= room {
        // Everything above the least that a column has is shared out.
        let over = needed - wishes.len() as f32 * COLUMN_MIN;
        let left = room - wishes.len() as f32 * COLUMN_MIN;
        let part = if over > 0.0 { left / over } else { 0.0 };
        least.iter().map(|width| COLUMN_MIN + (width - COLUMN_MIN) * part).collect()
    } else {
        let wanted: f32 = wishes.iter().map(|wish| wide(wish, size)).sum();
        let part = ((room - needed) / (wanted - needed).max(1.0)).min(1.0);
        let grown = |(wish, least): (&Wish, &f32)| least + (wide(wish, size) - least) * part;
        wishes.iter().zip(&least).map(grown).collect()
    };
    (sheet, size, widths)
}

/// A text as lines no wider than so many points: broken at spaces, words that are too long
/// anywhere. What is more than `most` lines is cut off.
pub(super) fn wrap(text: &str, width: f32, size: f32, fonts: &Fonts, most: usize) -> Vec<String> {
    let room = width / size;
    let mut lines: Vec<String> = Vec::new();
    'text: for paragraph in text.split('\n') {
        let (mut line, mut used) = (String::new(), 0.0);
        for word in paragraph.split_inclusive(' ') {
            let bare = word.trim_end_matches(' ');
            let wide = fonts.width(bare);
            if used + wide > room && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
                if lines.len() > most {
                    break 'text;
                }
            }
            if wide <= room {
                line.push_str(word);
                used += fonts.width(word);
                continue;
            }
            for character in word.chars() {
                let advance = fonts.advance(character);
                if used + advance > room && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                    used = 0.0;
                    if lines.len() > most {
                        break 'text;
                    }
                }
                line.push(character);
                used += advance;
            }
        }
        lines.push(line);
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            while !last.is_empty() && fonts.width(last) + fonts.advance('…') > room {
                last.pop();
            }
            last.push('…');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Paper;

    fn fonts() -> Fonts {
        Fonts::load(&Paper::default().fonts).unwrap()
    }

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    fn plan(table: &[Vec<String>]) -> Plan {
        let fonts = fonts();
        let align = vec![Align::Left; table[0].len()];
        Plan::of(Some(&table[0]), &table[1..], &align, &fonts, &fonts)
    }

    #[test]
    fn numbers_and_amounts_stand_right_and_anything_beside_them_left() {
        let of = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| Align::of(&Cell::Text((*text).to_owned())))
                .fold(Align::Unknown, Align::and)
        };
        assert_eq!(of(&["12.50", "-3.00", "0.99"]), Align::Right);
        for left in ["+91 22", "1.2.3", "00.5", "12.", "asha", "100"] {
            assert_eq!(of(&["1.00", left]), Align::Left, "{left}");
        }
        assert_eq!(Align::of(&Cell::Integer(1)).and(Align::of(&Cell::Empty)), Align::Right);
    }

    #[test]
    fn a_narrow_table_stands_upright_and_a_wide_one_lies_across_within_the_page() {
        let narrow = plan(&rows(&[&["id", "name"], &["1", "Asha Rai"]]));
        assert_eq!(narrow.sheet, Sheet::UPRIGHT);
        let long = "the quick brown fox jumps over the lazy dog again and again and again";
        let wide = plan(&[vec!["a heading".to_owned(); 12], vec![long.to_owned(); 12]]);
        assert_eq!(wide.sheet, Sheet::ACROSS);
        assert!(wide.width() <= wide.sheet.room() + 0.1, "{}", wide.width());
        assert!(wide.rows[0].cells[0].len() > 2, "{:?}", wide.rows[0].cells[0]);
        let many = plan(&[
            vec!["heading".to_owned(); COLUMNS_MAX],
            vec![long.replace(' ', ""); COLUMNS_MAX],
        ]);
        assert!(many.width() <= many.sheet.room() + 0.1, "{}", many.width());
        assert_eq!(many.size, SIZE_MIN);
    }

    #[test]
    fn lines_are_broken_at_spaces_and_fit() {
        let fonts = fonts();
        let lines = wrap("one two three four", 40.0, 8.0, &fonts, 12);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), "one two three four");
        for line in &lines {
            assert!(fonts.width(line) * 8.0 <= 40.0, "{line}");
        }
        let word = wrap(&"x".repeat(50), 40.0, 8.0, &fonts, 12);
        assert_eq!(word.concat(), "x".repeat(50));
        assert!(word.iter().all(|line| fonts.width(line) * 8.0 <= 40.0));
        assert_eq!(wrap("a\nb", 40.0, 8.0, &fonts, 12), ["a", "b"]);
        let cut = wrap(&"word ".repeat(100), 40.0, 8.0, &fonts, 3);
        assert_eq!(cut.len(), 3);
        assert!(cut[2].ends_with('…') && fonts.width(&cut[2]) * 8.0 <= 40.0);
    }

    #[test]
    fn every_row_is_on_exactly_one_page_and_none_is_left_out() {
        let mut table = rows(&[&["n", "text"]]);
        for n in 0..300 {
            table.push(vec![n.to_string(), "word ".repeat(n % 60)]);
        }
        let plan = plan(&table);
        let pages = plan.pages(60.0);
        assert!(pages.len() > 3);
        let mut next = 0;
        for (number, page) in pages.iter().enumerate() {
            assert_eq!(page.start, next);
            next = page.end;
            let height: f32 = plan.rows[page.clone()].iter().map(|row| row.height).sum();
            let head = if number == 0 { 60.0 } else { 0.0 };
            assert!(height + head <= plan.sheet.depth(), "page {number}: {height}");
        }
        assert_eq!(next, 300);
        assert_eq!(plan_of_nothing().pages(0.0), vec![0..0]);
    }

    fn plan_of_nothing() -> Plan {
        plan(&rows(&[&["n"]]))
    }
}
