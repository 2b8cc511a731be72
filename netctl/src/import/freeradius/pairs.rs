//! `Attribute op value`: what users files and tables are made of.

use std::fmt;
use std::sync::Arc;

/// Longest value that is read, octets: no attribute carries more than a packet.
pub(super) const VALUE_OCTETS_MAX: usize = 4096;

/// Where something was said.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as it was given.
    pub(super) file: Arc<str>,
    /// The line, from 1.
    pub(super) line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a value is to its attribute (FreeRADIUS's users(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// `:=`: in place of whatever was there.
    Set,
    /// `=`: where nothing was there.
    Default,
    /// `+=`: beside what was there.
    Add,
    /// `-=`: takes it away.
    Remove,
    /// `==`.
    Equal,
    /// One of `!=`, `<`, `>`, `<=`, `>=`, `=~`, `!~`, `=*`, `!*`.
    Compare(&'static str),
}

/// The longest first, so that none is taken for the beginning of another.
const OPS: [(&str, Op); 14] = [
    (":=", Op::Set),
    ("+=", Op::Add),
    ("-=", Op::Remove),
    ("==", Op::Equal),
    ("!=", Op::Compare("!=")),
    ("<=", Op::Compare("<=")),
    (">=", Op::Compare(">=")),
    ("=~", Op::Compare("=~")),
    ("!~", Op::Compare("!~")),
    ("=*", Op::Compare("=*")),
    ("!*", Op::Compare("!*")),
    ("<", Op::Compare("<")),
    (">", Op::Compare(">")),
    ("=", Op::Default),
];

impl Op {
    /// The operator of a column.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        OPS.iter().find(|(known, _)| *known == text.trim()).map(|(_, op)| *op)
    }

    /// Whether it asks about the request instead of giving a value.
    pub(super) fn asks(self) -> bool {
        matches!(self, Self::Equal | Self::Compare(_))
    }
}

/// One attribute with its value. Values may be passwords: they do not print.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The name, without a tag.
    pub(super) attribute: String,
    /// The operator.
    pub(super) op: Op,
    /// The value, without quotes.
    pub(super) value: String,
    /// Whether FreeRADIUS works the value out for each request.
    pub(super) expanded: bool,
    /// Where it was said.
    pub(super) place: Place,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} … at {}", self.attribute, self.op, self.place)
    }
}

impl Item {
    /// Whether it is of this attribute.
    pub(super) fn is(&self, attribute: &str) -> bool {
        self.attribute.eq_ignore_ascii_case(attribute)
    }
}

/// A line as it is read.
pub(super) struct Scan<'t> {
    rest: &'t str,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    /// Passes over white space; whether nothing, or only a comment, is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.is_empty() || self.rest.starts_with('#')
    }

    /// Passes over a character, where it comes next.
    pub(super) fn takes(&mut self, character: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A word or a quoted text. Bare words end at white space or at one of `ends`.
    pub(super) fn word(&mut self, ends: &[char]) -> Result<Word, &'static str> {
        self.rest = self.rest.trim_start();
        let quote = self.rest.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'));
        let Some(quote) = quote else {
            let end = self.rest.find(|c: char| c.is_whitespace() || ends.contains(&c));
            let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            if word.is_empty() {
                return Err("a value is missing");
            }
            self.rest = rest;
            let value = checked(word.to_owned())?;
            return Ok(Word { value, expanded: false });
        };
        let mut octets = Vec::new();
        let text = &self.rest[1..];
        let mut characters = text.char_indices();
        loop {
            let (at, character) = characters.next().ok_or("a quote does not end")?;
            match character {
                _ if character == quote => {
                    self.rest = &text[at + 1..];
                    break;
                }
                '\\' => {
                    let (_, escaped) = characters.next().ok_or("a quote does not end")?;
                    escape(quote, escaped, &mut characters, &mut octets)?;
                }
                _ => octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        let value = checked(String::from_utf8(octets).map_err(|_| "an escape is not UTF-8")?)?;
        // Only double quotes and back quotes are worked out for each request.
        let expanded = quote == '`' || (quote == '"' && value.contains("%{"));
        Ok(Word { value, expanded })
    }

    fn op(&mut self) -> Result<Op, &'static str> {
        self.rest = self.rest.trim_start();
        let found = OPS.iter().find(|(text, _)| self.rest.starts_with(text));
        let (text, op) = found.ok_or("an operator such as := is missing")?;
        self.rest = &self.rest[text.len()..];
        Ok(*op)
    }

    /// Items with commas between them; whether the line ended with a comma.
    pub(super) fn items(
        &mut self,
        place: &Place,
        items: &mut Vec<Item>,
    ) -> Result<bool, &'static str> {
        while !self.is_at_end() {
            let name = self.rest;
            let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.:/".contains(c)));
            let name = &name[..end.unwrap_or(name.len())];
            // `:=` may follow the name without a space.
            let name = name.strip_suffix(':').unwrap_or(name);
            if name.is_empty() {
                return Err("an attribute is missing");
            }
            self.rest = &self.rest[name.len()..];
            let op = self.op()?;
            let word = self.word(&[','])?;
            items.push(Item {
                attribute: untagged(name).to_owned(),
                op,
                value: word.value,
                expanded: word.expanded,
                place: place.clone(),
            });
            if !self.takes(',') {
                return match self.is_at_end() {
                    true => Ok(false),
                    false => Err("a comma is missing between two attributes"),
                };
            }
        }
        Ok(!items.is_empty())
    }
}

/// A value, and whether FreeRADIUS works it out for each request.
pub(super) struct Word {
    pub(super) value: String,
    pub(super) expanded: bool,
}

fn checked(value: String) -> Result<String, &'static str> {
    if value.len() > VALUE_OCTETS_MAX {
        Err("a value is longer than 4096 octets")
    } else {
        Ok(value)
    }
}

/// `Tunnel-Type:1` is Tunnel-Type with a tag (RFC 2868 §3.1).
pub(super) fn untagged(name: &str) -> &str {
    match name.split_once(':') {
        Some((name, tag)) if tag.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => name,
    }
}

fn escape(
    quote: char,
    escaped: char,
    characters: &mut std::str::CharIndices<'_>,
    octets: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let plain = match escaped {
        // In single quotes only the quote itself and the backslash can be escaped.
        _ if quote == '\'' => {
            if escaped != '\'' && escaped != '\\' {
                octets.push(b'\\');
            }
            escaped
        }
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0'..='3' => {
            let mut value = escaped as u32 - u32::from(b'0');
            for _ in 0..2 {
                let digit = characters.next().and_then(|(_, digit)| digit.to_digit(8));
                value = value * 8 + digit.ok_or("an octal escape has three digits")?;
            }
            // Three digits of which the first is at most 3 make at most 255.
            octets.push(value as u8);
            return Ok(());
        }
        other => other,
    };
    octets.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { file: "users".into(), line: 1 }
    }

    type Shown = Vec<(String, Op, String)>;

    fn read(text: &str) -> Result<(Shown, bool), &'static str> {
        let mut items = Vec::new();
        let comma = Scan::new(text).items(&place(), &mut items)?;
        let shown = items.into_iter().map(|item| (item.attribute, item.op, item.value));
        Ok((shown.collect(), comma))
    }

    #[test]
    fn items_are_read_with_every_operator_and_quote() {
        let (items, comma) = read(
            r#"Cleartext-Password:="a\"b\\c\101", NAS-Port >= 3 , Tunnel-Type:1 = VLAN, X=~'a\b', # no"#,
        )
        .unwrap();
        assert!(comma);
        let expected = [
            ("Cleartext-Password", Op::Set, "a\"b\\cA"),
            ("NAS-Port", Op::Compare(">="), "3"),
            ("Tunnel-Type", Op::Default, "VLAN"),
            ("X", Op::Compare("=~"), "a\\b"),
        ];
        assert_eq!(items, expected.map(|(a, op, v)| (a.to_owned(), op, v.to_owned())));
        assert!(!read("A = b#c").unwrap().1);
        assert_eq!(read("A = b#c").unwrap().0[0].2, "b#c", "no comment begins within a word");
    }

    #[test]
    fn what_is_no_item_is_named() {
        for (text, words) in [
            ("A = ", "value is missing"),
            ("A b", "operator"),
            ("= b", "attribute is missing"),
            ("A = \"b", "quote does not end"),
            ("A = b C = d", "comma is missing"),
            (r#"A = "\18""#, "three digits"),
            (r#"A = "\377""#, "not UTF-8"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        let long = format!("A = {}", "x".repeat(VALUE_OCTETS_MAX + 1));
        assert!(read(&long).unwrap_err().contains("longer"));
    }

    #[test]
    fn values_do_not_print() {
        let mut items = Vec::new();
        Scan::new("Cleartext-Password := hush").items(&place(), &mut items).unwrap();
        assert_eq!(format!("{items:?}"), "[Cleartext-Password Set … at users:1]");
    }
}
