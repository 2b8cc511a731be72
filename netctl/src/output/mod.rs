//! What people see: colours and tables that know their place.

mod table;

use std::fmt::Write;
use std::fs::File;
use std::io::IsTerminal;
use std::process::{Command, Stdio};

pub(crate) use table::{Cell, Column, Table};

/// How to draw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Whether to colour.
    pub(crate) colour: bool,
    /// Characters in a line, where there is a bound.
    pub(crate) width: Option<usize>,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// It is well.
    Good,
    /// Somebody should look.
    Warning,
    /// It is not well.
    Bad,
    /// A heading.
    Strong,
    /// Beside the point.
    Faint,
}

impl Style {
    /// For this process's stdout.
    pub(crate) fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        // https://no-color.org: set to anything but nothing.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: !no_color && !dumb, width: width() }
    }

    /// The text in a colour, where colours are on.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        // ECMA-48 §8.3.117.
        let code = match colour {
            Colour::Good => 32,
            Colour::Warning => 33,
            Colour::Bad => 31,
            Colour::Strong => 1,
            Colour::Faint => 2,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Columns of the terminal, from the variable or else from the terminal itself.
fn width() -> Option<usize> {
    let usable = |columns: usize| (columns >= 20).then_some(columns);
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()) {
        return usable(columns);
    }
    // The system call for it is not safe Rust; `stty` is on every Unix and makes it for us.
    let terminal = File::open("/dev/tty").ok()?;
    let mut stty = Command::new("stty");
    let size = stty.arg("size").stdin(terminal).stderr(Stdio::null()).output().ok()?;
    let size = String::from_utf8(size.stdout).ok()?;
    size.split_whitespace().nth(1)?.parse().ok().and_then(usable)
}

/// The text without what could move a terminal's cursor: logins and names come from strangers.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_directional(character) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Characters that make the rest of a line run the other way (Unicode UAX #9 §2).
fn is_directional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number of seconds as people say it: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_appear_only_when_asked_for() {
        let plain = Style::default();
        let bright = Style { colour: true, width: None };
        assert_eq!(plain.paint(Colour::Bad, "down"), "down");
        assert_eq!(bright.paint(Colour::Bad, "down"), "\x1b[31mdown\x1b[0m");
        assert_eq!(bright.paint(Colour::Bad, ""), "");
    }

    #[test]
    fn a_stranger_cannot_move_the_cursor() {
        assert_eq!(plain("a\x1b[2Jb\n\u{202e}"), "a\\u{1b}[2Jb\\u{a}\\u{202e}");
        assert_eq!(plain("Zoë 中"), "Zoë 中");
    }

    #[test]
    fn times_read_as_people_say_them() {
        for (seconds, text) in [
            (-3.0, "0 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (3600.0 + 20.0 * 60.0, "1 h 20 min"),
            (86_400.0 * 2.0 + 3600.0 * 4.0, "2 d 4 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
