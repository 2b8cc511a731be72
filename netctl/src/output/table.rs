//! Tables: columns as wide as what is in them, and cut where the terminal ends.

use super::{Colour, Style, plain};

/// Between two columns.
const GAP: &str = "  ";
/// A column is not cut below this.
const CUT_MIN: usize = 8;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    cut: bool,
}

impl Column {
    /// Text, to be cut where room is short.
    pub(crate) const fn text(title: &'static str) -> Self {
        Self { title, right: false, cut: true }
    }

    /// What is of no use when cut, such as an address.
    pub(crate) const fn whole(title: &'static str) -> Self {
        Self { title, right: false, cut: false }
    }

    /// Numbers, on the right and never cut.
    pub(crate) const fn number(title: &'static str) -> Self {
        Self { title, right: true, cut: false }
    }
}

/// What stands in one place of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// Text in a colour.
    pub(crate) fn coloured(colour: Colour, text: &str) -> Self {
        Self { text: plain(text), colour: Some(colour) }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: plain(text.as_ref()), colour: None }
    }
}

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; what it lacks is empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text, each line ended.
    pub(crate) fn show(&self, style: &Style) -> String {
        let widths = self.widths(style.width);
        let mut out = String::new();
        let titles: Vec<Cell> = (self.columns.iter())
            .map(|column| Cell::coloured(Colour::Strong, column.title))
            .collect();
        // Without titles, as in lists of facts, there is no head.
        if self.columns.iter().any(|column| !column.title.is_empty()) {
            self.line(&titles, &widths, style, &mut out);
        }
        for row in &self.rows {
            self.line(row, &widths, style, &mut out);
        }
        out
    }

    fn widths(&self, room: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (self.columns.iter().enumerate())
            .map(|(n, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(n));
                let widest = cells.map(|cell| length(&cell.text)).max();
                widest.unwrap_or(0).max(length(column.title))
            })
            .collect();
        let Some(room) = room else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        // The widest gives first, one character at a time.
        while widths.iter().sum::<usize>() + gaps > room {
            let candidates = widths.iter().enumerate().filter(|(n, _)| self.columns[*n].cut);
            let Some((widest, width)) = candidates.max_by_key(|(_, width)| **width) else { break };
            if *width <= CUT_MIN {
                break;
            }
            widths[widest] -= 1;
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize], style: &Style, out: &mut String) {
        let mut blank = String::new();
        for (n, width) in widths.iter().enumerate() {
            let empty = Cell::from("");
            let cell = row.get(n).unwrap_or(&empty);
            let text = cut(&cell.text, *width);
            let padding = " ".repeat(width - length(&text));
            let painted = cell.colour.map_or_else(|| text.clone(), |c| style.paint(c, &text));
            if n > 0 {
                blank.push_str(GAP);
            }
            if self.columns[n].right {
                blank.push_str(&padding);
            }
            // Blanks wait for something after them, so that no line ends in any.
            if !text.is_empty() {
                out.push_str(&blank);
                blank.clear();
                out.push_str(&painted);
            }
            if !self.columns[n].right {
                blank.push_str(&padding);
            }
        }
        out.push('\n');
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[
            Column::text("LOGIN"),
            Column::whole("IP"),
            Column::number("DOWN"),
            Column::text("NOTE"),
        ]);
        table.row(["alice".into(), "10.0.0.1".into(), "1.5 GiB".into(), "".into()]);
        let long = "somebody-with-a-very-long-login@example.net";
        table.row([long.into(), "10.0.0.22".into(), "9 B".into(), "ack".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let shown = table().show(&Style::default());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[0],
            "LOGIN                                        IP            DOWN  NOTE"
        );
        assert_eq!(lines[1], "alice                                        10.0.0.1   1.5 GiB");
        assert_eq!(
            lines[2],
            "somebody-with-a-very-long-login@example.net  10.0.0.22      9 B  ack"
        );
    }

    #[test]
    fn what_may_be_cut_is_cut_where_the_terminal_ends() {
        let shown = table().show(&Style { colour: false, width: Some(40) });
        assert!(shown.lines().all(|line| length(line) <= 40), "{shown}");
        assert!(shown.contains("somebody-with…") && shown.contains("10.0.0.22"), "{shown}");
        // Narrower than the parts that must stay whole: the line is long, nothing is lost.
        let shown = table().show(&Style { colour: false, width: Some(20) });
        assert!(shown.contains("10.0.0.22") && shown.contains("1.5 GiB"), "{shown}");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::new(&[Column::text(""), Column::text("")]);
        table.row([Cell::coloured(Colour::Good, "yes"), "x".into()]);
        table.row([Cell::coloured(Colour::Bad, "never"), "y".into()]);
        assert_eq!(table.show(&Style::default()), "yes    x\nnever  y\n");
        let bright = table.show(&Style { colour: true, width: None });
        assert_eq!(bright, "\x1b[32myes\x1b[0m    x\n\x1b[31mnever\x1b[0m  y\n");
    }
}
