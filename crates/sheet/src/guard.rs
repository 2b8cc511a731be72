//! The formula guard.
//!
//! A spreadsheet that opens a CSV file runs every cell that begins like a formula, and what
//! stands in our cells was often typed by strangers (CWE-1236). Such a text is written with an
//! apostrophe in front, which spreadsheets take for "this is text".
//!
//! [`off`] undoes [`on`] for every text, also for those that had an apostrophe of their own:
//! apostrophes before a dangerous character are counted, one is added and one is taken off.

use std::borrow::Cow;

/// What makes a spreadsheet think of a formula. Where full-width characters are typed, the
/// full-width signs count too.
const DANGEROUS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

fn is_dangerous(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(DANGEROUS)
}

/// The text as it is written.
pub fn on(text: &str) -> Cow<'_, str> {
    match is_dangerous(text) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// The text as it was before [`on`].
pub fn off(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_dangerous(rest) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_get_an_apostrophe_and_nothing_else_does() {
        for text in ["=1+1", "+4670123", "-5", "@SUM(A1)", "\tx", "\rx", "\nx", "\u{ff1d}1", "'=1"]
        {
            assert_eq!(on(text), format!("'{text}"));
        }
        for text in ["", "asha", "'", "'quoted'", "a=b", "5-3", " =1"] {
            assert_eq!(on(text), text);
            assert_eq!(off(text), text);
        }
    }

    proptest! {
        #[test]
        fn off_undoes_on(text in "['=+@a\\t-]{0,4}.{0,3}") {
            let written = on(&text);
            prop_assert_eq!(off(&written), text.as_str());
            // No written text begins like a formula.
            prop_assert!(!written.starts_with(DANGEROUS));
        }
    }
}
