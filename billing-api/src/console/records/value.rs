//! A value as the text a form has, and back.
//!
//! Each kind has one text, so that what was typed, what was there before and what somebody else
//! saved can be compared letter by letter.

use model::{Currency, Money, Ts};
use serde_json::{Value as Json, json};

use super::slot::Slot;
use crate::console::show;
use crate::console::words::{self, Words};
use crate::entity::Kind;

/// Decimals of a rate in Mbit/s: down to one bit/s.
const MBIT_DECIMALS: u32 = 6;

/// Units of a time span, the longest first: their word and their seconds.
pub(super) const UNITS: [(&str, i64, words::Key); 4] = [
    ("d", 86_400, words::UNIT_DAYS),
    ("h", 3600, words::UNIT_HOURS),
    ("m", 60, words::UNIT_MINUTES),
    ("s", 1, words::UNIT_SECONDS),
];

/// The text of a value.
pub(in crate::console) fn text(words: &Words, kind: Kind, value: &Json) -> String {
    match (kind, value) {
        (_, Json::Null) => String::new(),
        (Kind::Rate(..), Json::Number(rate)) => {
            rate.as_u64().map_or_else(|| rate.to_string(), |bps| show::decimal(bps, 1_000_000))
        }
        (Kind::Seconds(..), Json::Number(seconds)) => {
            let seconds = seconds.as_i64().unwrap_or(0);
            let unit = UNITS.iter().find(|(_, length, _)| seconds != 0 && seconds % length == 0);
            let (unit, length) = unit.map_or(("s", 1), |(unit, length, _)| (*unit, *length));
            format!("{} {unit}", seconds / length)
        }
        (Kind::Time, Json::String(at)) => {
            at.parse::<Ts>().map_or_else(|_| at.clone(), |at| show::local(words, at))
        }
        (Kind::Money, money) => amount(money).map_or_else(String::new, |money| money.to_string()),
        (Kind::Words(..), Json::Array(items)) => {
            items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
        }
        (Kind::Map(..), Json::Object(texts)) => texts
            .iter()
            .map(|(name, text)| format!("{name} = {}", text.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join("\n"),
        (Kind::Document(_), document) => format!("{document:#}"),
        (_, Json::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// The amount of a JSON value.
pub(super) fn amount(value: &Json) -> Option<Money> {
    serde_json::from_value(value.clone()).ok()
}

/// The value of a text; an empty one is null. What the console itself cannot read is told in
/// the units on the screen; the rest is judged by the entity's rules.
pub(super) fn read(words: &Words, slot: &Slot, text: &str) -> Result<Json, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(Json::Null);
    }
    match slot.kind {
        Kind::Flag => Ok(Json::Bool(trimmed == "true")),
        // What is no number is sent as it is: the rules say what they want in its place.
        Kind::Integer(..) => Ok(trimmed.parse::<i64>().map_or_else(|_| json!(trimmed), Json::from)),
        Kind::Rate(..) => show::scaled(trimmed, MBIT_DECIMALS)
            .map(Json::from)
            .ok_or_else(|| words.say(words::EDIT_RATE_WRONG)),
        Kind::Seconds(..) => {
            seconds(trimmed).map(Json::from).ok_or_else(|| words.say(words::EDIT_SPAN_WRONG))
        }
        Kind::Time => show::instant(words, trimmed)
            .or_else(|| trimmed.parse().ok())
            .map(|at: Ts| json!(at))
            .ok_or_else(|| words.say(words::EDIT_TIME_WRONG)),
        Kind::Money => money(words, trimmed),
        Kind::Words(..) => {
            let lines = trimmed.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(lines.collect::<Vec<_>>().into())
        }
        Kind::Map(..) => {
            // What has no name or no text is left to the rules, which do not know the name.
            let texts = trimmed.lines().filter_map(|line| {
                let (name, text) = line.split_once('=').unwrap_or((line, ""));
                let name = name.trim();
                (!name.is_empty()).then(|| (name.to_owned(), json!(text.trim())))
            });
            Ok(Json::Object(texts.collect()))
        }
        Kind::Document(_) => {
            serde_json::from_str(trimmed).map_err(|_| words.say(words::EDIT_JSON_WRONG))
        }
        // Spaces may be part of a secret.
        Kind::Secret(_) => Ok(json!(text)),
        _ => Ok(json!(trimmed)),
    }
}

fn seconds(text: &str) -> Option<i64> {
    let (number, unit) = text.rsplit_once(' ').unwrap_or((text, "s"));
    let length = UNITS.iter().find(|(word, ..)| *word == unit)?.1;
    number.parse::<i64>().ok()?.checked_mul(length)
}

fn money(words: &Words, text: &str) -> Result<Json, String> {
    let (number, currency) = text.rsplit_once(' ').unwrap_or((text, ""));
    let parsed: Option<Currency> = currency.parse().ok();
    let decimals = parsed.map_or(2, |currency| currency.decimals());
    match show::scaled(number, decimals) {
        Some(amount) => Ok(json!({"amount": amount, "currency": currency})),
        None => {
            Err(words.say_with(words::EDIT_AMOUNT_WRONG, &[("example", example(decimals).into())]))
        }
    }
}

/// 29.99, 29 or 29.999: an amount with the decimals of a currency.
fn example(decimals: u32) -> String {
    match decimals {
        0 => "29".to_owned(),
        decimals => format!("29.{}", "9".repeat(decimals as usize)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Flags;

    fn slot(kind: Kind) -> Slot {
        Slot {
            name: "x".to_owned(),
            label: "X".to_owned(),
            hint: None,
            kind,
            flags: Flags::WRITABLE,
            choices: Vec::new(),
            group: None,
        }
    }

    #[test]
    fn every_kind_reads_what_it_writes() {
        let words = Words::english().in_zone("Asia/Kolkata");
        let cases = [
            (Kind::Text(9), json!("a b"), "a b"),
            (Kind::Integer(0, 9), json!(7), "7"),
            (Kind::Rate(0, 9), json!(512_000), "0.512"),
            (Kind::Seconds(0, 9), json!(7200), "2 h"),
            (Kind::Seconds(0, 9), json!(90), "90 s"),
            (Kind::Seconds(0, 9), json!(0), "0 s"),
            (Kind::Flag, json!(true), "true"),
            (Kind::Time, json!("2026-03-01T09:30:00Z"), "2026-03-01T15:00"),
            (Kind::Money, json!({"amount": 2999, "currency": "USD"}), "29.99 USD"),
            (Kind::Money, json!({"amount": 2999, "currency": "JPY"}), "2999 JPY"),
            (Kind::Words(9, 9), json!(["a", "b c"]), "a\nb c"),
            (Kind::Map(&["a", "b.c"], 9), json!({"a": "x", "b.c": "y = z"}), "a = x\nb.c = y = z"),
            (Kind::Document(None), json!({"a": [1]}), "{\n  \"a\": [\n    1\n  ]\n}"),
        ];
        for (kind, value, expected) in cases {
            let written = text(&words, kind, &value);
            assert_eq!(written, expected);
            let again = read(&words, &slot(kind), &written).unwrap();
            assert_eq!(text(&words, kind, &again), expected, "{kind:?}");
        }
        assert_eq!(read(&words, &slot(Kind::Text(9)), "  "), Ok(Json::Null));
    }

    #[test]
    fn what_cannot_be_read_is_said_in_the_units_on_the_screen() {
        let words = Words::english();
        let wrong = |kind, text| read(&words, &slot(kind), text).unwrap_err();
        assert!(wrong(Kind::Rate(0, 9), "fast").contains("such as 50"));
        assert!(wrong(Kind::Money, "29,99 USD").contains("29.99"));
        assert!(wrong(Kind::Money, "29.9 JPY").contains("such as 29"));
        assert!(wrong(Kind::Seconds(0, 9), "2 weeks").contains("whole number"));
        assert!(wrong(Kind::Seconds(0, 9), "9223372036854775807 d").contains("whole number"));
        assert!(wrong(Kind::Time, "soon").contains("2026"));
        assert!(wrong(Kind::Document(None), "{").contains("JSON"));
    }
}
