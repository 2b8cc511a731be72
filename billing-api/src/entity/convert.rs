//! The texts of a file become JSON of a field's kind.
//!
//! What people and other systems write is taken where it means one thing alone: `yes` for true,
//! `0000-00-00` for no date, `29.99 USD` for an amount. What does not fit stays a text, so that
//! the checks of the API say what is wrong with it, in the same words as everywhere.

use serde_json::{Value as Json, json};

use super::Kind;

/// Dates by which old databases say that there is none.
const NO_DATE: [&str; 2] = ["0000-00-00", "0000-00-00 00:00:00"];

/// The JSON of a text, by its field's kind; null where nothing is in it.
pub(crate) fn read(kind: Kind, text: &str) -> Json {
    let trimmed = text.trim();
    // Spaces belong to a secret.
    if let Kind::Secret(_) = kind {
        return if text.is_empty() { Json::Null } else { json!(text) };
    }
    if trimmed.is_empty() {
        return Json::Null;
    }
    match kind {
        Kind::Integer(..) | Kind::Rate(..) | Kind::Seconds(..) => whole(trimmed),
        Kind::Flag => flag(trimmed),
        Kind::Time if NO_DATE.contains(&trimmed) => Json::Null,
        Kind::Time => json!(instant(trimmed)),
        Kind::Date if NO_DATE.contains(&trimmed) => Json::Null,
        Kind::Date => json!(date(trimmed)),
        Kind::Choice(words) => json!(choice(words, trimmed)),
        Kind::Money => money(trimmed, None),
        Kind::Words(..) => words(trimmed),
        Kind::Document(_) | Kind::Map(..) => {
            serde_json::from_str(trimmed).unwrap_or_else(|_| json!(text))
        }
        Kind::LongText(_) => json!(text),
        _ => json!(trimmed),
    }
}

/// The JSON of a text for a field that an organisation added.
pub(crate) fn read_custom(kind: &str, text: &str) -> Json {
    match (kind, text.trim()) {
        (_, "") => Json::Null,
        ("integer", text) => whole(text),
        ("flag", text) => flag(text),
        ("date", text) if NO_DATE.contains(&text) => Json::Null,
        ("date", text) => json!(date(text)),
        (_, text) => json!(text),
    }
}

/// A whole number; spreadsheets write some as `7.0`.
fn whole(text: &str) -> Json {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => digits,
        _ => text,
    };
    digits.parse::<i64>().map_or_else(|_| json!(text), Json::from)
}

fn flag(text: &str) -> Json {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => json!(true),
        "false" | "no" | "n" | "off" | "0" => json!(false),
        _ => json!(text),
    }
}

/// An instant; without a zone it is UTC, without a time it is midnight.
fn instant(text: &str) -> String {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        return format!("{date}T00:00:00Z");
    }
    let spaced = text.replacen(' ', "T", 1);
    let zoned = spaced.split_once('T').is_some_and(|(_, time)| time.contains(['+', '-', 'Z', 'z']));
    match spaced.parse::<jiff::civil::DateTime>() {
        Ok(_) if !zoned => format!("{spaced}Z"),
        _ => text.to_owned(),
    }
}

/// A date: ISO 8601, its part of an instant, or `31.12.2026`, which means one thing alone.
fn date(text: &str) -> String {
    let parts: Vec<&str> = text.split('.').collect();
    if let [day, month, year] = parts.as_slice()
        && year.len() == 4
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
    {
        return format!("{year}-{month:0>2}-{day:0>2}");
    }
    match text.split_once(['T', ' ']) {
        Some((date, time)) if time.starts_with("00:00") => date.to_owned(),
        _ => text.to_owned(),
    }
}

/// One of the words, however it is written: `Active`, `in progress`.
fn choice(words: &[&str], text: &str) -> String {
    let plain = |word: &str| word.to_lowercase().replace([' ', '-'], "_");
    let found = words.iter().find(|word| plain(word) == plain(text));
    found.map_or_else(|| text.to_owned(), |word| (*word).to_owned())
}

/// An amount with its currency behind it, or beside it in a column of its own. Decimals beyond
/// the currency's own must be zeros: what would have to be rounded is refused.
pub(crate) fn money(text: &str, currency: Option<&str>) -> Json {
    if text.starts_with('{') {
        return serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    }
    let (amount, currency) = match (text.split_once(' '), currency) {
        (Some((amount, code)), _) => (amount, code),
        (None, Some(code)) => (text, code),
        (None, None) => return json!({"amount": text, "currency": null}),
    };
    let code = currency.trim().to_uppercase();
    match code.parse::<model::Currency>().ok().and_then(|code| minor_units(amount, code.decimals()))
    {
        Some(amount) => json!({"amount": amount, "currency": code}),
        None => json!({"amount": amount, "currency": code}),
    }
}

fn minor_units(text: &str, decimals: u32) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let decimals = decimals as usize;
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(decimals));
    if beyond.bytes().any(|b| b != b'0') {
        return None;
    }
    let amount: i64 = format!("{whole}{kept:0<decimals$}").parse().ok()?;
    Some(sign * amount)
}

/// A list of words: a JSON array, or words with semicolons between them.
fn words(text: &str) -> Json {
    if text.starts_with('[') {
        return serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    }
    let words = text.split(';').map(str::trim).filter(|word| !word.is_empty());
    json!(words.collect::<Vec<_>>())
}

/// A list of words as one text that [`read`] reads again.
pub(crate) fn show_words(words: &Json) -> String {
    let texts: Option<Vec<&str>> =
        words.as_array().and_then(|words| words.iter().map(plain_word).collect());
    match texts {
        Some(texts) if texts.first().is_none_or(|first| !first.starts_with('[')) => {
            texts.join("; ")
        }
        _ => words.to_string(),
    }
}

/// A word that stays itself between semicolons.
fn plain_word(word: &Json) -> Option<&str> {
    word.as_str().filter(|word| !word.is_empty() && !word.contains(';') && word.trim() == *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_one_thing_alone_is_taken() {
        let cases = [
            (Kind::Integer(0, 100), " 7 ", json!(7)),
            (Kind::Integer(0, 100), "7.00", json!(7)),
            (Kind::Integer(0, 100), "7.5", json!("7.5")),
            (Kind::Flag, "Yes", json!(true)),
            (Kind::Flag, "0", json!(false)),
            (Kind::Flag, "perhaps", json!("perhaps")),
            (Kind::Date, "0000-00-00", Json::Null),
            (Kind::Date, "1.2.2026", json!("2026-02-01")),
            (Kind::Date, "2026-02-01 00:00:00", json!("2026-02-01")),
            (Kind::Date, "02/01/2026", json!("02/01/2026")),
            (Kind::Time, "2026-02-01", json!("2026-02-01T00:00:00Z")),
            (Kind::Time, "2026-02-01 10:30:00", json!("2026-02-01T10:30:00Z")),
            (Kind::Time, "2026-02-01T10:30:00+02:00", json!("2026-02-01T10:30:00+02:00")),
            (Kind::Choice(&["active", "in_progress"]), "In progress", json!("in_progress")),
            (Kind::Choice(&["active"]), "gone", json!("gone")),
            (Kind::Money, "29.9900 usd", json!({"amount": 2999, "currency": "USD"})),
            (Kind::Money, "-5 USD", json!({"amount": -500, "currency": "USD"})),
            (Kind::Money, "29.995 USD", json!({"amount": "29.995", "currency": "USD"})),
            (Kind::Words(9, 9), "a; b;", json!(["a", "b"])),
            (Kind::Words(9, 9), "[\"a;b\"]", json!(["a;b"])),
            (Kind::Secret(9), " x ", json!(" x ")),
            (Kind::Text(9), "  ", Json::Null),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(read(kind, text), expected, "{kind:?} {text:?}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_shown() {
        for list in [json!(["a", "b c"]), json!(["a;b"]), json!(["[x"]), json!([" a"]), json!([""])]
        {
            assert_eq!(read(Kind::Words(9, 9), &show_words(&list)), list);
        }
        assert_eq!(show_words(&json!(["a", "b c"])), "a; b c");
    }
}
