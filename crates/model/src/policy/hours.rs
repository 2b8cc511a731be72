//! Hours of the week in which a login is allowed, in the notation of FreeRADIUS's Login-Time.
//!
//! Parts stand between commas or bars: days, then perhaps a time span. Days are `Mo` `Tu` `We`
//! `Th` `Fr` `Sa` `Su`, `Wk` (Monday to Friday), `Any` or `Al` (every day), several together
//! (`SaSu`) or from one to another (`Mo-Fr`). A span is `HHMM-HHMM`; one that ends before it
//! begins runs past midnight, and the day is the one on which it begins. Without a span it is the
//! whole day. `Wk0800-1800,Sa,Su`.

use std::fmt;

/// Minutes of a week.
const WEEK: u32 = 7 * DAY;
const DAY: u32 = 24 * 60;
/// Parts of a text, at most.
const PARTS_MAX: usize = 40;
const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

/// Hours of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Spans in minutes since Monday, 00:00, in order and apart; the end is not in them. The
    /// last may run on where the first begins.
    spans: Vec<(u32, u32)>,
}

/// The text says no hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no time such as Wk0800-1800, Sa or Mo-Fr2200-0600")]
pub struct HoursError(String);

impl Hours {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        let bad = |part: &str| HoursError(part.trim().to_owned());
        let mut spans = Vec::new();
        for (n, part) in text.split([',', '|']).enumerate() {
            let (days, from, to) =
                part_of(part).filter(|_| n < PARTS_MAX).ok_or_else(|| bad(part))?;
            for day in (0..7).filter(|day| days & (1 << day) != 0) {
                let (from, to) = (day * DAY + from, day * DAY + to);
                spans.push((from, to.min(WEEK)));
                // Sunday's night is Monday's morning.
                if to > WEEK {
                    spans.push((0, to - WEEK));
                }
            }
        }
        spans.sort_unstable();
        let mut apart: Vec<(u32, u32)> = Vec::new();
        for (from, to) in spans {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        Ok(Self { spans: apart })
    }

    /// How many minutes are left at this minute of the week, counted from Monday, 00:00: nothing
    /// where it is outside, [`u32::MAX`] where it never ends.
    pub fn left(&self, minute: u32) -> Option<u32> {
        let span = self.spans.iter().find(|(from, to)| (*from..*to).contains(&minute))?;
        let left = span.1 - minute;
        match self.spans.first() {
            Some((0, WEEK)) => Some(u32::MAX),
            Some((0, monday)) if span.1 == WEEK => Some(left + monday),
            _ => Some(left),
        }
    }
}

/// Days as bits, and the minutes of the day; the end may lie behind midnight.
fn part_of(part: &str) -> Option<(u8, u32, u32)> {
    let part = part.trim().to_ascii_lowercase();
    let at = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
    let (names, span) = part.split_at(at);
    let days = days_of(names)?;
    if span.is_empty() {
        return Some((days, 0, DAY));
    }
    let (from, to) = span.split_once('-')?;
    let (from, to) = (minute_of(from)?, minute_of(to)?);
    if from == DAY || from == to {
        return None;
    }
    Some((days, from, if to < from { to + DAY } else { to }))
}

fn days_of(names: &str) -> Option<u8> {
    let mut rest = names.trim();
    let (mut days, mut from) = (0, None);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("any").or_else(|| rest.strip_prefix("al")) {
            (days, rest) = (days | 0x7f, after);
            continue;
        }
        if let Some(after) = rest.strip_prefix("wk") {
            (days, rest) = (days | 0x1f, after);
            continue;
        }
        let name = rest.get(..2)?;
        let day = DAYS.iter().position(|own| *own == name)?;
        rest = &rest[2..];
        match from.take() {
            None => days |= 1 << day,
            Some(first) => {
                // From Saturday to Monday is over the end of the week.
                let count = (7 + day - first) % 7;
                days |= (0..=count).fold(0, |days, n| days | 1u8 << ((first + n) % 7));
            }
        }
        if let Some(after) = rest.strip_prefix('-') {
            if after.is_empty() {
                return None;
            }
            (from, rest) = (Some(day), after);
        }
    }
    (days != 0 && from.is_none()).then_some(days)
}

fn minute_of(text: &str) -> Option<u32> {
    if text.len() != 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (text[..2].parse().ok()?, text[2..].parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

impl fmt::Display for Hours {
    /// As `Mo 08:00–18:00`, a span after the other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |minute: u32| {
            let (day, minute) = (minute / DAY % 7, minute % DAY);
            let name = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][day as usize];
            format!("{name} {:02}:{:02}", minute / 60, minute % 60)
        };
        for (n, (from, to)) in self.spans.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{} to {}", at(*from), at(*to))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32, time: u32) -> u32 {
        day * DAY + time / 100 * 60 + time % 100
    }

    #[test]
    fn hours_are_read_as_freeradius_reads_them() {
        let work = Hours::parse("Wk0800-1800,Sa,Su").unwrap();
        assert_eq!(work.left(at(0, 759)), None);
        assert_eq!(work.left(at(0, 800)), Some(600));
        assert_eq!(work.left(at(4, 1759)), Some(1));
        assert_eq!(work.left(at(4, 1800)), None);
        assert_eq!(work.left(at(5, 0)), Some(2 * DAY), "the weekend is one");
        let night = Hours::parse("Any2200-0600").unwrap();
        assert_eq!(night.left(at(6, 2300)), Some(7 * 60), "past the end of the week");
        assert_eq!(night.left(at(0, 559)), Some(1));
        assert_eq!(night.left(at(0, 600)), None);
        assert_eq!(Hours::parse("Al").unwrap().left(at(3, 1200)), Some(u32::MAX));
        let weekend = Hours::parse("fr-mo1200-1300|We").unwrap();
        for (day, open) in [(0, true), (1, false), (2, true), (3, false), (4, true), (6, true)] {
            assert_eq!(weekend.left(at(day, 1230)).is_some(), open, "day {day}");
        }
        assert_eq!(Hours::parse("MoTu0000-2400").unwrap().left(at(0, 0)), Some(2 * DAY));
    }

    #[test]
    fn what_says_no_hours_is_refused() {
        for bad in [
            "",
            "Xx",
            "Mo0800",
            "Mo800-900",
            "Mo2500-2600",
            "0800-1800",
            "Mo-",
            "Mo0800-0800",
            "Wk,,Sa",
            "Mo0860-0900",
        ] {
            assert!(Hours::parse(bad).is_err(), "{bad}");
        }
    }
}
