//! Half-open intervals of civil dates, and sets of them.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

/// The days from `from` up to, not including, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    /// The first day.
    pub from: Date,
    /// The day after the last.
    pub to: Date,
}

impl Interval {
    /// From `from` to `to`, which may be the same day: an empty interval.
    pub fn new(from: Date, to: Date) -> Self {
        Self { from, to }
    }

    /// How many days; 0 where it ends before it begins.
    pub fn days(&self) -> i64 {
        days_between(self.from, self.to).max(0)
    }

    /// Whether there is no day in it.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// The days in both.
    pub fn and(&self, other: &Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// Whether the day is in it.
    pub fn holds(&self, day: Date) -> bool {
        self.from <= day && day < self.to
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.from, self.to)
    }
}

/// Days from one date to another; negative backwards.
pub(crate) fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_secs() / 86_400
}

/// The date so many days later, or the calendar's last.
pub(crate) fn days_after(date: Date, days: i64) -> Date {
    date.saturating_add(days.clamp(-7_000_000, 7_000_000).days())
}

/// A set of days: intervals in order, none empty, none touching the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Days(Vec<Interval>);

impl Days {
    /// The days of all of these.
    pub(crate) fn of(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut all: Vec<Interval> =
            intervals.into_iter().filter(|interval| !interval.is_empty()).collect();
        all.sort();
        let mut merged: Vec<Interval> = Vec::with_capacity(all.len());
        for interval in all {
            match merged.last_mut() {
                Some(last) if interval.from <= last.to => last.to = last.to.max(interval.to),
                _ => merged.push(interval),
            }
        }
        Self(merged)
    }

    /// The days that are not in the other set.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &interval in &self.0 {
            let mut from = interval.from;
            for gap in other.0.iter().filter(|gap| !gap.and(&interval).is_empty()) {
                left.push(Interval::new(from, gap.from));
                from = gap.to;
            }
            left.push(Interval::new(from, interval.to));
        }
        Self::of(left)
    }

    /// The days in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self::of(self.0.iter().flat_map(|a| other.0.iter().map(move |b| a.and(b))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Interval> {
        self.0.iter()
    }

    /// The first day.
    pub(crate) fn first(&self) -> Option<Date> {
        self.0.first().map(|interval| interval.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(list: &[(i8, i8)]) -> Days {
        let day = |day| Date::constant(2024, 3, day);
        Days::of(list.iter().map(|&(from, to)| Interval::new(day(from), day(to))))
    }

    #[test]
    fn sets_merge_cut_and_meet() {
        assert_eq!(days(&[(5, 7), (1, 3), (3, 5), (9, 9)]), days(&[(1, 7)]));
        assert_eq!(days(&[(1, 10)]).without(&days(&[(3, 4), (8, 20)])), days(&[(1, 3), (4, 8)]));
        assert_eq!(days(&[(1, 10), (12, 20)]).and(&days(&[(8, 14)])), days(&[(8, 10), (12, 14)]));
        assert_eq!(days(&[(1, 3)]).without(&days(&[(3, 5)])), days(&[(1, 3)]));
        assert!(days(&[(2, 3)]).without(&days(&[(1, 5)])).is_empty());
    }

    #[test]
    fn days_are_counted_by_the_calendar() {
        let days = |from: (i16, i8, i8), to: (i16, i8, i8)| {
            Interval::new(Date::constant(from.0, from.1, from.2), Date::constant(to.0, to.1, to.2))
                .days()
        };
        assert_eq!(days((2024, 2, 1), (2024, 3, 1)), 29);
        assert_eq!(days((2023, 2, 1), (2023, 3, 1)), 28);
        assert_eq!(days((2024, 3, 1), (2024, 3, 1)), 0);
        assert_eq!(days_after(Date::MAX, 5), Date::MAX);
    }
}
