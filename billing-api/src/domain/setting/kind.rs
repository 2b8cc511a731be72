//! What a setting can hold, and the check of it.

use serde_json::Value;

use super::colour::{Colour, Ground};
use crate::domain::access::allow_list;
use crate::domain::input::is_email;
use crate::domain::service::is_zone;

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One line of at most so many characters.
    Text(usize),
    /// Lines of at most so many characters together.
    Lines(usize),
    Email,
    Phone,
    /// A whole number within bounds.
    Integer {
        min: i64,
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// An IANA time zone.
    Zone,
    /// An ISO 4217 code.
    Currency,
    /// A BCP 47 language tag.
    Locale,
    /// A day that every year has, `MM-DD`.
    MonthDay,
    /// `#1c7ed6`, readable on the ground.
    Colour(Ground),
    /// Addresses and prefixes, one a line.
    Networks,
    /// The hash of a file; the file is sent on its own way.
    Picture,
}

/// Days of the months in a year that has no 29 February.
const DAYS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Longest e-mail address (RFC 5321 §4.5.3.1.3, less the angle brackets).
const EMAIL_CHARACTERS_MAX: usize = 254;
/// Longest prefix with its line end, characters: 39 of an IPv6 address, and `/128`.
const NETWORK_CHARACTERS_MAX: usize = 45;

impl Kind {
    /// Its name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Lines(_) => "lines",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Integer { .. } => "integer",
            Self::Flag => "flag",
            Self::Choice(_) => "choice",
            Self::Zone => "zone",
            Self::Currency => "currency",
            Self::Locale => "locale",
            Self::MonthDay => "month_day",
            Self::Colour(_) => "colour",
            Self::Networks => "networks",
            Self::Picture => "picture",
        }
    }

    /// The value as it is kept, or what is wrong with it.
    pub(crate) fn check(self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Integer { min, max } => match value.as_i64() {
                Some(number) if (min..=max).contains(&number) => Ok(number.into()),
                _ => Err(format!("must be a whole number from {min} to {max}")),
            },
            Self::Flag => match value {
                Value::Bool(flag) => Ok((*flag).into()),
                _ => Err("must be true or false".to_owned()),
            },
            _ => match value {
                Value::String(text) => self.check_text(text).map(Value::String),
                _ => Err("must be a text".to_owned()),
            },
        }
    }

    fn check_text(self, text: &str) -> Result<String, String> {
        let lines = matches!(self, Self::Lines(_) | Self::Networks);
        let unified = if lines { text.replace("\r\n", "\n") } else { text.to_owned() };
        let text = unified.trim();
        if text.chars().any(|c| c.is_control() && !(lines && c == '\n')) {
            return Err("has control characters".to_owned());
        }
        if text.is_empty() {
            return Err("is empty; null inherits it again".to_owned());
        }
        let max = match self {
            Self::Text(max) | Self::Lines(max) => max,
            Self::Email => EMAIL_CHARACTERS_MAX,
            Self::Networks => allow_list::ENTRIES_MAX * NETWORK_CHARACTERS_MAX,
            _ => 100,
        };
        if text.chars().count() > max {
            return Err(format!("has more than {max} characters"));
        }
        match self {
            Self::Email if !is_email(text) => {
                Err("is not an e-mail address, such as support@example.net".to_owned())
            }
            Self::Phone if !is_phone(text) => {
                Err("is not a phone number: digits, spaces and + ( ) - . / only".to_owned())
            }
            Self::Choice(words) if !words.contains(&text) => {
                Err(format!("is one of {}", words.join(", ")))
            }
            Self::Zone if !is_zone(text) => {
                Err("is not an IANA time zone, such as Asia/Kolkata".to_owned())
            }
            Self::Currency => {
                text.parse::<model::Currency>().map(|c| c.to_string()).map_err(|e| e.to_string())
            }
            Self::Locale if !is_language_tag(text) => {
                Err("is not a language tag, such as en or pt-BR".to_owned())
            }
            Self::MonthDay if !is_month_day(text) => {
                Err("is not a day of every year as MM-DD, such as 04-01".to_owned())
            }
            Self::Colour(ground) => check_colour(text, ground),
            Self::Networks => check_networks(text),
            Self::Picture => Err("is set by sending the picture".to_owned()),
            _ => Ok(text.to_owned()),
        }
    }

    /// Whether a value that was kept can still be used.
    pub(crate) fn holds(self, value: &Value) -> bool {
        match self {
            Self::Picture => value.is_string(),
            _ => self.check(value).is_ok(),
        }
    }
}

fn check_networks(text: &str) -> Result<String, String> {
    let entries: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if entries.len() > allow_list::ENTRIES_MAX {
        return Err(format!("has more than {} entries", allow_list::ENTRIES_MAX));
    }
    match entries.iter().find_map(|entry| Some((entry, allow_list::fault(entry)?))) {
        Some((entry, fault)) => Err(format!("{entry}: {fault}")),
        None => Ok(entries.join("\n")),
    }
}

fn is_phone(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b" +()-./".contains(&b))
        && (3..=20).contains(&text.bytes().filter(u8::is_ascii_digit).count())
}

fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or("");
    (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

fn is_month_day(text: &str) -> bool {
    let number = |text: &str| match text.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => text.parse::<u8>().ok(),
        _ => None,
    };
    let Some((month, day)) = text.split_once('-') else { return false };
    let (Some(month), Some(day)) = (number(month), number(day)) else { return false };
    let days = usize::from(month).checked_sub(1).and_then(|month| DAYS.get(month));
    days.is_some_and(|days| (1..=*days).contains(&day))
}

fn check_colour(text: &str, ground: Ground) -> Result<String, String> {
    let colour = Colour::parse(text).ok_or("is a colour such as #1c7ed6")?;
    match colour.too_faint_on(ground) {
        None => Ok(colour.to_string()),
        Some(contrast) => {
            let name = match ground {
                Ground::Light => "light",
                Ground::Dark => "dark",
            };
            // Rounded down, so that 4.49 does not read as 4.5.
            let contrast = (contrast * 100.0).floor() / 100.0;
            Err(format!(
                "is too faint on the {name} ground: contrast {contrast:.2}, at least 4.5 is needed"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_kept_in_one_form() {
        let kept = |kind: Kind, text: &str| kind.check(&json!(text)).unwrap();
        assert_eq!(kept(Kind::Text(5), " a b "), "a b");
        assert_eq!(kept(Kind::Lines(20), "1 Road\r\nTown\r\n"), "1 Road\nTown");
        assert_eq!(kept(Kind::Colour(Ground::Light), "#0B5CAD"), "#0b5cad");
        assert_eq!(kept(Kind::Networks, " 192.0.2.0/24 \r\n\r\n::1"), "192.0.2.0/24\n::1");
        assert_eq!(kept(Kind::MonthDay, "04-01"), "04-01");
        assert_eq!(kept(Kind::Locale, "pt-BR"), "pt-BR");
        assert_eq!(kept(Kind::Phone, "+91 (22) 555-0100"), "+91 (22) 555-0100");
        assert_eq!(Kind::Integer { min: 1, max: 5 }.check(&json!(5)).unwrap(), 5);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        let bad: [(Kind, Value, &str); 22] = [
            (Kind::Text(3), json!("abcd"), "more than 3"),
            (Kind::Text(3), json!("a\nb"), "control"),
            (Kind::Text(3), json!("  "), "empty"),
            (Kind::Text(3), json!(7), "text"),
            (Kind::Lines(9), json!("a\u{0}b"), "control"),
            (Kind::Email, json!("a@b"), "e-mail"),
            (Kind::Phone, json!("call me"), "phone"),
            (Kind::Phone, json!("+-"), "phone"),
            (Kind::Integer { min: 1, max: 5 }, json!(6), "from 1 to 5"),
            (Kind::Integer { min: 1, max: 5 }, json!(1.5), "from 1 to 5"),
            (Kind::Flag, json!("yes"), "true or false"),
            (Kind::Choice(&["a", "b"]), json!("c"), "one of a, b"),
            (Kind::Zone, json!("Mars/Base"), "IANA"),
            (Kind::Currency, json!("usd"), "currency"),
            (Kind::Locale, json!("English"), "language"),
            (Kind::MonthDay, json!("02-29"), "every year"),
            (Kind::MonthDay, json!("+1-01"), "every year"),
            (Kind::MonthDay, json!("13-01"), "every year"),
            (Kind::Colour(Ground::Light), json!("#ffcc00"), "contrast 1.3"),
            (Kind::Networks, json!("192.0.2.1/24"), "192.0.2.1/24: has bits"),
            (Kind::Networks, json!("office, home"), "prefix"),
            (Kind::Picture, json!("00"), "sending"),
        ];
        for (kind, value, part) in bad {
            let detail = kind.check(&value).unwrap_err();
            assert!(detail.contains(part), "{kind:?} {value}: {detail}");
        }
    }
}
