//! Times, durations, numbers and rates as people read them.

use maud::{Markup, html};
use model::Ts;

use super::schedule;
use super::words::{self, Words};
pub(super) use crate::entity::export::encode;

/// `2026-03-01 09:30`, by the reader's calendar and clock.
pub(super) fn minute(words: &Words, at: Ts) -> String {
    words.calendar().minute(at)
}

/// `09:30`, on the reader's clock.
pub(super) fn clock(words: &Words, at: Ts) -> String {
    written(words, at, "%H:%M")
}

/// `09:30:15`, on the reader's clock.
pub(super) fn second(words: &Words, at: Ts) -> String {
    written(words, at, "%H:%M:%S")
}

/// `2026-03-01T09:30`, on the reader's clock, as a form has it.
pub(super) fn local(words: &Words, at: Ts) -> String {
    written(words, at, "%Y-%m-%dT%H:%M")
}

fn written(words: &Words, at: Ts, form: &str) -> String {
    words.calendar().written(at, form)
}

/// The instant of a form's `2026-03-01T09:30` or `2026-03-01` on the reader's clock. In the hour
/// that a clock skips or repeats, the earlier reading counts.
pub(super) fn instant(words: &Words, text: &str) -> Option<Ts> {
    let local: jiff::civil::DateTime = match text.parse() {
        Ok(local) => local,
        Err(_) => text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0),
    };
    let zoned = local.to_zoned(words.zone().clone()).ok()?;
    Some(Ts(zoned.timestamp().as_microsecond()))
}

/// The instant at which a day of the reader's clock begins, so many days after the one in a form.
pub(super) fn day(words: &Words, text: &str, days: i64) -> Option<Ts> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let later = date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    words.calendar().begin_of(later)
}

fn machine(at: Ts) -> String {
    at.to_string().get(..19).map(|text| format!("{text}Z")).unwrap_or_default()
}

/// An instant, readable for people and machines.
pub(super) fn time(words: &Words, at: Ts) -> Markup {
    html! { time datetime=(machine(at)) { (minute(words, at)) } }
}

/// The day of the week an instant is on, on the reader's clock.
pub(super) fn weekday(words: &Words, at: Ts) -> String {
    let day = words.calendar().day_of(at);
    day.map(|day| {
        schedule::weekday(words, day.weekday().to_sunday_zero_offset().unsigned_abs().into())
    })
    .unwrap_or_default()
}

/// How long ago an instant was; the instant itself on a closer look.
pub(super) fn ago(words: &Words, now: Ts, at: Ts) -> Markup {
    let title = format!("{} {}", minute(words, at), words.zone_name());
    html! { time datetime=(machine(at)) title=(title) { (ago_text(words, now, at)) } }
}

fn ago_text(words: &Words, now: Ts, at: Ts) -> String {
    let seconds = now.seconds().saturating_sub(at.seconds());
    match seconds {
        ..60 => words.say(words::AGO_NOW),
        60..3600 => words.say_with(words::AGO_MINUTES, &[("n", (seconds / 60).into())]),
        3600..86_400 => words.say_with(words::AGO_HOURS, &[("n", (seconds / 3600).into())]),
        _ => words.say_with(words::AGO_DAYS, &[("n", (seconds / 86_400).into())]),
    }
}

/// How long something lasts.
pub(super) fn lasts(words: &Words, seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..60 => words.say_with(words::LASTS_SECONDS, &[("n", seconds.into())]),
        60..3600 => words.say_with(words::LASTS_MINUTES, &[("n", minutes.into())]),
        3600..86_400 => words.say_with(
            words::LASTS_HOURS,
            &[("hours", hours.into()), ("minutes", (minutes % 60).into())],
        ),
        _ => words
            .say_with(words::LASTS_DAYS, &[("days", days.into()), ("hours", (hours % 24).into())]),
    }
}

/// A count with its thousands apart (a narrow no-break space reads well in every language).
pub(super) fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Download and upload in one unit: `50 / 20 Mbit/s`.
pub(super) fn rates(words: &Words, download_bps: Option<u64>, upload_bps: Option<u64>) -> String {
    let largest = download_bps.max(upload_bps).unwrap_or(0);
    let (unit, name) = match largest {
        1_000_000_000.. => (1_000_000_000, "Gbit/s"),
        1_000_000.. => (1_000_000, "Mbit/s"),
        _ => (1_000, "kbit/s"),
    };
    let one = |rate: Option<u64>| match rate {
        None => words.say(words::RATE_UNLIMITED),
        Some(bps) => decimal(bps, unit),
    };
    match (download_bps, upload_bps) {
        (None, None) => words.say(words::RATE_UNLIMITED),
        _ => format!("{} / {} {name}", one(download_bps), one(upload_bps)),
    }
}

/// One rate in the unit that suits it: `50 Mbit/s`.
pub(super) fn rate(bps: u64) -> String {
    let (unit, name) = match bps {
        1_000_000_000.. => (1_000_000_000, "Gbit/s"),
        1_000_000.. => (1_000_000, "Mbit/s"),
        _ => (1_000, "kbit/s"),
    };
    format!("{} {name}", decimal(bps, unit))
}

/// `value / unit`, exact, without zeros at the end.
pub(super) fn decimal(value: u64, unit: u64) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let part = format!("{part:0width$}");
    format!("{whole}.{}", part.trim_end_matches('0'))
}

/// A decimal such as `29.99` in units of 10^-`decimals`; nothing where it is not one, or is
/// finer than that. Never a float: money must not be rounded on its way in.
pub(super) fn scaled(text: &str, decimals: u32) -> Option<i64> {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || text.ends_with('.') || !digits(whole) || !digits(part) {
        return None;
    }
    let missing = decimals.checked_sub(u32::try_from(part.len()).ok()?)?;
    let number: i64 = format!("{whole}{part}").parse().ok()?;
    number.checked_mul(10i64.checked_pow(missing)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_for_people_and_exact_for_machines() {
        let at: Ts = "2026-03-01T09:30:15.123456Z".parse().unwrap();
        let words = Words::english();
        assert_eq!(
            time(&words, at).into_string(),
            r#"<time datetime="2026-03-01T09:30:15Z">2026-03-01 09:30</time>"#
        );
        assert_eq!(clock(&words, at), "09:30");
        assert!(!minute(&words, Ts(i64::MAX)).is_empty());
        assert_eq!(
            instant(&words, "2026-03-01T09:30"),
            Some(at.plus_seconds(-15)).map(|at| Ts(at.0 - 123_456))
        );
        assert_eq!(instant(&words, "yesterday"), None);
        let kolkata = Words::english().in_zone("Asia/Kolkata");
        assert_eq!(minute(&kolkata, at), "2026-03-01 15:00");
        assert_eq!(instant(&kolkata, &local(&kolkata, at)), instant(&words, "2026-03-01T09:30"));
        assert_eq!(Words::english().in_zone("Mars/Olympus").zone_name(), "UTC");
        let ago = |seconds: i64| ago_text(&words, at, at.plus_seconds(-seconds));
        assert_eq!(ago(-5), "just now");
        assert_eq!(ago(185), "3 min ago");
        assert_eq!(ago(7300), "2 h ago");
        assert_eq!(ago(86_400), "yesterday");
        assert_eq!(ago(3 * 86_400), "3 days ago");
    }

    #[test]
    fn durations_show_two_units_at_most() {
        let words = Words::english();
        let shown = [5, 65, 7500, 100_000].map(|seconds| lasts(&words, seconds));
        assert_eq!(shown, ["5 s", "1 min", "2 h 5 min", "1 d 3 h"]);
    }

    #[test]
    fn rates_share_a_unit_and_lose_no_digit() {
        let words = Words::english();
        assert_eq!(rates(&words, Some(50_000_000), Some(20_000_000)), "50 / 20 Mbit/s");
        assert_eq!(rates(&words, Some(10_000_000), Some(512_000)), "10 / 0.512 Mbit/s");
        assert_eq!(rates(&words, Some(1_500_000_000), None), "1.5 / unlimited Gbit/s");
        assert_eq!(rates(&words, None, None), "unlimited");
    }

    #[test]
    fn a_decimal_is_read_exactly_or_not_at_all() {
        assert_eq!(scaled("29.99", 2), Some(2999));
        assert_eq!(scaled(" 30 ", 2), Some(3000));
        assert_eq!(scaled("1.500", 2), Some(150));
        assert_eq!(scaled("0.5", 6), Some(500_000));
        assert_eq!(scaled("1500", 0), Some(1500));
        for bad in ["", "1,000", "29.999", "-1", "1e3", ".5", "5.", "9223372036854775807", "٣"] {
            assert_eq!(scaled(bad, 2), None, "{bad}");
        }
    }

    #[test]
    fn counts_and_query_texts_are_readable_and_safe() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(encode("a b&c=ü/?"), "a%20b%26c%3D%C3%BC%2F%3F");
    }
}
