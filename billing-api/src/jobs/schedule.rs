//! When: cron in a zone, as pure functions.
//!
//! A schedule has five fields: minute, hour, day of the month, month, day of the week. `croner`
//! reads it and finds matching times of day on a calendar without clock changes; what a clock
//! change does to them is decided here:
//!
//! - A time that does not exist, because the clock went forward, runs right after the gap.
//! - A time that exists twice, because the clock went back, runs once, the first time. A
//!   schedule of every hour (`*/15 * * * *`) goes by elapsed time and runs in both hours.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, CronPattern};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use model::Ts;
use serde::Serialize;

/// Longest schedule, characters.
const CRON_CHARACTERS_MAX: usize = 100;
/// Times that passed unseen and are made up for, at most.
pub(crate) const CATCH_UP_MAX: usize = 100;
/// How late a run may be and still count as in time, seconds.
const IN_TIME_S: i64 = 300;

/// A schedule in its zone.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    cron: Cron,
    zone: TimeZone,
    /// It runs in every hour, so it goes by elapsed time.
    hourly: bool,
}

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScheduleError {
    /// The text is not cron.
    #[error("is not a schedule: {0}")]
    Cron(String),
    /// It is cron and never comes, such as the 30th of February.
    #[error("never comes")]
    Never,
    /// The zone is not known.
    #[error("is not an IANA time zone, such as Asia/Kolkata")]
    Zone,
}

/// What becomes of times that passed while nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CatchUp {
    /// One run stands for all of them.
    Once,
    /// Each has its run.
    All,
    /// They are left out.
    Skip,
}

impl CatchUp {
    /// By name; rows hold one of these.
    pub(crate) const NAMES: &'static [(&'static str, CatchUp)] =
        &[("once", Self::Once), ("all", Self::All), ("skip", Self::Skip)];

    /// Reads a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule)
    }
}

impl Schedule {
    /// Reads a schedule and its zone.
    pub(crate) fn parse(cron: &str, zone: &str) -> Result<Self, ScheduleError> {
        let zone = TimeZone::get(zone).map_err(|_| ScheduleError::Zone)?;
        let cron = parse(cron)?;
        let hourly = cron.pattern.hours.values().len() == 24;
        let schedule = Self { cron, zone, hourly };
        // Within eight years every schedule comes that ever does: leap years are at most
        // eight years apart.
        schedule.next(Ts(0)).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    /// The first time after an instant; nothing where none comes.
    pub(crate) fn next(&self, after: Ts) -> Option<Ts> {
        let after = Timestamp::from_microsecond(after.0).ok()?;
        let local = self.zone.to_datetime(after);
        let repeats = self.hourly
            && matches!(
                self.zone.to_ambiguous_timestamp(local).offset(),
                AmbiguousOffset::Fold { .. }
            );
        // Times of day come in order, and so do their instants, except where an hour is
        // repeated: there the second half is looked for behind the first.
        let reach = 3.hours();
        let mut at = match repeats {
            true => local.checked_sub(reach).ok()?,
            false => local,
        };
        let end = local.checked_add(reach).ok()?;
        let mut best: Option<Timestamp> = None;
        let mut inclusive = true;
        loop {
            let found = self.matching(at, inclusive)?;
            inclusive = false;
            at = found;
            if best.is_some() && found > end {
                break;
            }
            let nearest = self.instants(found).into_iter().flatten().filter(|t| *t > after).min();
            best = match (best, nearest) {
                (Some(best), Some(near)) => Some(best.min(near)),
                (best, near) => best.or(near),
            };
            if best.is_some() && !repeats {
                break;
            }
        }
        best.map(|instant| Ts(instant.as_microsecond()))
    }

    /// The next matching time on a calendar without clock changes.
    fn matching(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        let from = from.to_zoned(TimeZone::UTC).ok()?;
        // An error is a limit: no time matches within croner's years.
        self.cron.find_next_occurrence(&from, inclusive).ok().map(|found| found.datetime())
    }

    /// The instants a local time stands for.
    fn instants(&self, local: DateTime) -> [Option<Timestamp>; 2] {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => [ambiguous.compatible().ok(), None],
            // Read with the offset before the gap, a time inside it lies behind the gap: the
            // change is the last before that.
            AmbiguousOffset::Gap { .. } => {
                let behind = ambiguous.later().ok();
                let change = behind.and_then(|behind| {
                    let reach = behind.checked_add(1.second()).ok()?;
                    self.zone.preceding(reach).next().map(|change| change.timestamp())
                });
                [change.or(behind), None]
            }
            AmbiguousOffset::Fold { .. } => {
                let second = if self.hourly { ambiguous.later().ok() } else { None };
                [ambiguous.earlier().ok(), second]
            }
        }
    }

    /// What is to be done at `now` for a job whose next time is `next`, which has come: the
    /// times that get a run, and the job's next time. With [`CatchUp::All`] that may have
    /// passed too: a long silence is made up for in portions.
    pub(crate) fn due(&self, next: Ts, now: Ts, rule: CatchUp) -> (Vec<Ts>, Option<Ts>) {
        match rule {
            CatchUp::Once => (vec![next], self.next(now)),
            CatchUp::Skip => {
                let floor = now.plus_seconds(-IN_TIME_S);
                let latest = if next >= floor { Some(next) } else { self.next(floor) };
                (latest.filter(|time| *time <= now).into_iter().collect(), self.next(now))
            }
            CatchUp::All => {
                let mut runs = Vec::new();
                let mut at = Some(next);
                while let Some(time) = at.filter(|time| *time <= now && runs.len() < CATCH_UP_MAX) {
                    runs.push(time);
                    at = self.next(time);
                }
                (runs, at)
            }
        }
    }
}

/// Reads five fields, or a nickname such as `@daily`.
fn parse(text: &str) -> Result<Cron, ScheduleError> {
    if text.len() > CRON_CHARACTERS_MAX {
        return Err(ScheduleError::Cron("it is too long".to_owned()));
    }
    if !text.trim_start().starts_with('@') && text.split_whitespace().count() != 5 {
        let fields = "minute, hour, day of the month, month and day of the week are five fields";
        return Err(ScheduleError::Cron(fields.to_owned()));
    }
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(text)
        .map_err(|error| ScheduleError::Cron(error.to_string()))
}

/// A schedule for people: a key of the catalogue and what goes into its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Description {
    /// One of [`DESCRIPTIONS`].
    pub(crate) key: &'static str,
    /// `HH:MM`, where the schedule has one time of day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    /// Minutes or hours between runs, or the minute of the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u16>,
    /// Days of the week, 0 for Sunday.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) weekdays: Vec<u16>,
    /// Days of the month.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) days: Vec<u16>,
    /// Months, 1 for January.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) months: Vec<u16>,
}

/// Every key a description may have.
#[cfg(test)]
pub(crate) const DESCRIPTIONS: &[&str] = &[
    "every-minute",
    "every-minutes",
    "hourly",
    "every-hours",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "other",
];

/// Explains a schedule. What is not one of the common forms is `other`: the next times say
/// more than words would.
pub(crate) fn describe(cron: &str) -> Result<Description, ScheduleError> {
    let pattern = parse(cron)?.pattern;
    let all = Description {
        key: "other",
        time: None,
        number: None,
        weekdays: Vec::new(),
        days: Vec::new(),
        months: Vec::new(),
    };
    let (minutes, hours) = (pattern.minutes.values(), pattern.hours.values());
    let every_day = pattern.is_dom_wildcard() && pattern.is_dow_wildcard() && every_month(&pattern);
    let time = match (minutes.as_slice(), hours.as_slice()) {
        ([minute], [hour]) => Some(format!("{hour:02}:{minute:02}")),
        _ => None,
    };
    let special = pattern.days.has_modifiers() || pattern.days_of_week.has_modifiers();
    let described = match (time, minutes.as_slice()) {
        (None, minutes) if every_day && hours.len() == 24 => match minutes {
            [minute] => Description { key: "hourly", number: Some(*minute), ..all },
            _ if minutes.len() == 60 => Description { key: "every-minute", ..all },
            _ => match step(minutes, 60) {
                Some(step) => Description { key: "every-minutes", number: Some(step), ..all },
                None => all,
            },
        },
        (None, [0]) if every_day => match step(&hours, 24) {
            Some(step) => Description { key: "every-hours", number: Some(step), ..all },
            None => all,
        },
        (Some(time), _) if every_day => Description { key: "daily", time: Some(time), ..all },
        (Some(time), _) if !special => {
            let months = every_month(&pattern);
            match (pattern.is_dom_wildcard(), pattern.is_dow_wildcard()) {
                (true, false) if months => Description {
                    key: "weekly",
                    time: Some(time),
                    weekdays: pattern
                        .days_of_week
                        .values()
                        .into_iter()
                        .filter(|d| *d < 7)
                        .collect(),
                    ..all
                },
                (false, true) if months => Description {
                    key: "monthly",
                    time: Some(time),
                    days: pattern.days.values(),
                    ..all
                },
                (false, true) => Description {
                    key: "yearly",
                    time: Some(time),
                    days: pattern.days.values(),
                    months: pattern.months.values(),
                    ..all
                },
                _ => all,
            }
        }
        _ => all,
    };
    Ok(described)
}

fn every_month(pattern: &CronPattern) -> bool {
    pattern.months.values().len() == 12
}

/// The even distance of values that go around a whole: 0, 15, 30, 45 of 60 is 15.
fn step(values: &[u16], whole: u16) -> Option<u16> {
    let [0, second, ..] = values else { return None };
    let even = whole.is_multiple_of(*second)
        && values.len() == usize::from(whole / second)
        && values.iter().zip(0u16..).all(|(value, n)| *value == n * second);
    even.then_some(*second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Ts {
        text.parse().unwrap()
    }

    fn times(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(cron, zone).unwrap();
        let mut at = ts(after);
        let zone = TimeZone::get(zone).unwrap();
        (0..count)
            .map(|_| {
                at = schedule.next(at).unwrap();
                let local = Timestamp::from_microsecond(at.0).unwrap().to_zoned(zone.clone());
                local.strftime("%m-%d %H:%M %:z").to_string()
            })
            .collect()
    }

    #[test]
    fn clock_changes_neither_lose_a_run_nor_double_it() {
        // Europe/Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
        // America/New_York: 2026-03-08 02:00 becomes 03:00, 2026-11-01 02:00 becomes 01:00.
        // Australia/Lord_Howe: 2026-10-04 02:00 becomes 02:30, 2026-04-05 02:00 becomes 01:30.
        let cases: &[(&str, &str, &str, &[&str])] = &[
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-03-28T00:00:00Z",
                &["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"],
            ),
            (
                "0 2 * * *",
                "Europe/Berlin",
                "2026-03-28T12:00:00Z",
                &["03-29 03:00 +02:00", "03-30 02:00 +02:00"],
            ),
            (
                "30 2,14 * * *",
                "Europe/Berlin",
                "2026-03-28T20:00:00Z",
                &["03-29 03:00 +02:00", "03-29 14:30 +02:00", "03-30 02:30 +02:00"],
            ),
            // Several times of the gap, and the gap's own end, are one run.
            (
                "0,15,30 2,3 * * *",
                "Europe/Berlin",
                "2026-03-28T20:00:00Z",
                &["03-29 03:00 +02:00", "03-29 03:15 +02:00", "03-29 03:30 +02:00"],
            ),
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-10-24T12:00:00Z",
                &["10-25 02:30 +02:00", "10-26 02:30 +01:00"],
            ),
            (
                "30 2,14 * * *",
                "Europe/Berlin",
                "2026-10-24T20:00:00Z",
                &["10-25 02:30 +02:00", "10-25 14:30 +01:00"],
            ),
            (
                "*/30 * * * *",
                "Europe/Berlin",
                "2026-10-24T23:45:00Z",
                &[
                    "10-25 02:00 +02:00",
                    "10-25 02:30 +02:00",
                    "10-25 02:00 +01:00",
                    "10-25 02:30 +01:00",
                    "10-25 03:00 +01:00",
                ],
            ),
            (
                "*/30 * * * *",
                "Europe/Berlin",
                "2026-03-29T00:15:00Z",
                &["03-29 01:30 +01:00", "03-29 03:00 +02:00", "03-29 03:30 +02:00"],
            ),
            (
                "0 0 * * *",
                "Europe/Berlin",
                "2026-10-24T12:00:00Z",
                &["10-25 00:00 +02:00", "10-26 00:00 +01:00"],
            ),
            (
                "15 2 * * *",
                "America/New_York",
                "2026-03-07T12:00:00Z",
                &["03-08 03:00 -04:00", "03-09 02:15 -04:00"],
            ),
            (
                "15 1 * * *",
                "America/New_York",
                "2026-10-31T12:00:00Z",
                &["11-01 01:15 -04:00", "11-02 01:15 -05:00"],
            ),
            (
                "0 * * * *",
                "America/New_York",
                "2026-11-01T04:30:00Z",
                &["11-01 01:00 -04:00", "11-01 01:00 -05:00", "11-01 02:00 -05:00"],
            ),
            (
                "30 5 * * MON",
                "Asia/Kolkata",
                "2026-03-01T00:00:00Z",
                &["03-02 05:30 +05:30", "03-09 05:30 +05:30"],
            ),
            (
                "0 0 1 * *",
                "Asia/Kolkata",
                "2026-03-31T18:29:59Z",
                &["04-01 00:00 +05:30", "05-01 00:00 +05:30"],
            ),
            (
                "10 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-03T00:00:00Z",
                &["10-04 02:30 +11:00", "10-05 02:10 +11:00"],
            ),
            (
                "45 1 * * *",
                "Australia/Lord_Howe",
                "2026-04-04T00:00:00Z",
                &["04-05 01:45 +11:00", "04-06 01:45 +10:30"],
            ),
            (
                "*/15 * * * *",
                "Australia/Lord_Howe",
                "2026-04-04T14:25:00Z",
                &[
                    "04-05 01:30 +11:00",
                    "04-05 01:45 +11:00",
                    "04-05 01:30 +10:30",
                    "04-05 01:45 +10:30",
                    "04-05 02:00 +10:30",
                ],
            ),
            (
                "0 * * * *",
                "Australia/Lord_Howe",
                "2026-10-03T14:00:00Z",
                &["10-04 01:00 +10:30", "10-04 02:30 +11:00", "10-04 03:00 +11:00"],
            ),
            (
                "0 12 L * *",
                "UTC",
                "2028-02-01T00:00:00Z",
                &["02-29 12:00 +00:00", "03-31 12:00 +00:00"],
            ),
        ];
        for (cron, zone, after, expected) in cases {
            let found = times(cron, zone, after, expected.len());
            assert_eq!(&found, expected, "{cron} in {zone} after {after}");
        }
    }

    #[test]
    fn every_next_time_is_later_than_the_one_before_through_a_whole_year() {
        for zone in ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"] {
            for (cron, runs) in [("*/30 * * * *", 365 * 48), ("30 1,2 * * *", 365 * 2)] {
                let schedule = Schedule::parse(cron, zone).unwrap();
                let (start, end) = (ts("2026-01-01T00:00:00Z"), ts("2027-01-01T00:00:00Z"));
                let (mut at, mut count) = (start, 0);
                loop {
                    let next = schedule.next(at).unwrap();
                    assert!(next > at, "{cron} {zone}: {next} after {at}");
                    if next >= end {
                        break;
                    }
                    (at, count) = (next, count + 1);
                }
                // A day at either end belongs to another year in some zones.
                assert!((runs - 2..=runs + 2).contains(&count), "{cron} {zone}: {count}");
            }
        }
    }

    #[test]
    fn what_is_not_a_schedule_is_refused_with_the_reason() {
        let refused = |cron: &str, zone: &str| Schedule::parse(cron, zone).unwrap_err();
        for cron in
            ["", "x", "61 * * * *", "* * * *", "0 0 * * * *", "* * * * * * 2030", "0 0 0 1 *"]
        {
            assert!(matches!(refused(cron, "UTC"), ScheduleError::Cron(_)), "{cron:?}");
        }
        assert_eq!(refused("0 0 30 2 *", "UTC"), ScheduleError::Never);
        assert_eq!(refused("0 0 * * *", "Mars/Base"), ScheduleError::Zone);
        assert!(matches!(refused(&"1,".repeat(80), "UTC"), ScheduleError::Cron(_)));
        assert!(Schedule::parse("@daily", "UTC").is_ok());
        assert!(Schedule::parse("0 0 29 2 *", "UTC").is_ok());
    }

    #[test]
    fn what_passed_while_nothing_ran_is_made_up_for_by_the_rule() {
        let hourly = Schedule::parse("0 * * * *", "UTC").unwrap();
        let (next, now) = (ts("2026-05-01T01:00:00Z"), ts("2026-05-01T04:30:00Z"));
        let five = Some(ts("2026-05-01T05:00:00Z"));
        let (runs, after) = hourly.due(next, now, CatchUp::Once);
        assert_eq!((runs, after), (vec![next], five));
        let (runs, after) = hourly.due(next, now, CatchUp::All);
        assert_eq!((runs.len(), runs[3], after), (4, ts("2026-05-01T04:00:00Z"), five));
        assert_eq!(hourly.due(next, now, CatchUp::Skip), (Vec::new(), five));
        // In time is in time, whatever the rule.
        for rule in [CatchUp::Once, CatchUp::All, CatchUp::Skip] {
            let (runs, after) = hourly.due(next, next.plus_seconds(3), rule);
            assert_eq!((runs, after), (vec![next], Some(ts("2026-05-01T02:00:00Z"))));
        }
        // After a silence the one that is in time is not left out.
        let (runs, _) = hourly.due(next, ts("2026-05-01T04:00:10Z"), CatchUp::Skip);
        assert_eq!(runs, [ts("2026-05-01T04:00:00Z")]);
        // A year of silence comes in portions.
        let (runs, after) = hourly.due(next, ts("2027-05-01T00:00:00Z"), CatchUp::All);
        assert_eq!((runs.len(), after), (100, Some(next.plus_seconds(100 * 3600))));
    }

    #[test]
    fn common_schedules_are_explained() {
        let told = |cron: &str| {
            let told = describe(cron).unwrap();
            assert!(DESCRIPTIONS.contains(&told.key));
            serde_json::to_string(&told).unwrap()
        };
        for (cron, expected) in [
            ("* * * * *", r#"{"key":"every-minute"}"#),
            ("*/15 * * * *", r#"{"key":"every-minutes","number":15}"#),
            ("5 * * * *", r#"{"key":"hourly","number":5}"#),
            ("0 */6 * * *", r#"{"key":"every-hours","number":6}"#),
            ("30 3 * * *", r#"{"key":"daily","time":"03:30"}"#),
            ("0 2 * * MON-FRI", r#"{"key":"weekly","time":"02:00","weekdays":[1,2,3,4,5]}"#),
            ("0 2 * * 7", r#"{"key":"weekly","time":"02:00","weekdays":[0]}"#),
            ("0 2 1,15 * *", r#"{"key":"monthly","time":"02:00","days":[1,15]}"#),
            ("0 0 1 4 *", r#"{"key":"yearly","time":"00:00","days":[1],"months":[4]}"#),
            ("0 0 L * *", r#"{"key":"other"}"#),
            ("0 0 1 * MON", r#"{"key":"other"}"#),
            ("*/7 * * * *", r#"{"key":"other"}"#),
            ("0 9-17 * * *", r#"{"key":"other"}"#),
        ] {
            assert_eq!(told(cron), expected, "{cron}");
        }
    }
}
