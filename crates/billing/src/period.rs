//! When a billing period begins and ends.
//!
//! A schedule's boundaries are reckoned from its origin each time, never from the boundary
//! before, so that day 31 is 28 February and then 31 March: it clamps and does not drift.

use jiff::civil::Date;

use crate::interval::{Interval, days_after, days_between};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many days: a day, a week, 30 days. These run from the start of the service and know no
    /// billing day.
    Days(u16),
    /// So many calendar months: 1, 3, 6 or 12.
    Months(u8),
}

impl Length {
    /// A length as people say it: `month`, `30 days`.
    pub fn words(self) -> String {
        match self {
            Self::Days(1) => "day".to_owned(),
            Self::Days(7) => "week".to_owned(),
            Self::Days(days) => format!("{days} days"),
            Self::Months(1) => "month".to_owned(),
            Self::Months(3) => "quarter".to_owned(),
            Self::Months(6) => "half year".to_owned(),
            Self::Months(12) => "year".to_owned(),
            Self::Months(months) => format!("{months} months"),
        }
    }

    /// Days of a year of twelve 30-day months, for comparing prices of unlike periods.
    pub(crate) fn nominal_days(self) -> i64 {
        match self {
            Self::Days(days) => i64::from(days),
            Self::Months(months) => 30 * i64::from(months),
        }
    }
}

/// The endless row of periods of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    length: Length,
    /// For days: where the count begins. For months: any day of a month that has a boundary.
    origin: Date,
    /// 1 to 31: the day boundaries fall on where the month has it, else the month's last.
    day: i8,
}

/// One billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its days.
    pub days: Interval,
    /// How long it is by name.
    pub length: Length,
    /// The day its boundaries would fall on in a long enough month.
    pub day: i8,
}

impl Schedule {
    /// Periods that begin on the day the service does, or its month's last.
    pub fn anniversary(start: Date, length: Length) -> Self {
        Self { length, origin: start, day: start.day() }
    }

    /// Periods of months with boundaries on a day of the month (1 to 31).
    ///
    /// Without a month, the row has a boundary in the month of the start: a year that starts on
    /// 31 January and bills on the 15th runs to 15 January. With a month (1 to 12) it has one in
    /// that month of each year. Periods of days have no billing day, so theirs are
    /// [`Schedule::anniversary`].
    pub fn fixed(start: Date, length: Length, day: i8, month: Option<i8>) -> Self {
        if matches!(length, Length::Days(_)) {
            return Self::anniversary(start, length);
        }
        let month = month.unwrap_or(start.month()).clamp(1, 12);
        // The first of a month exists in every year of the calendar.
        let origin = Date::new(start.year(), month, 1).unwrap_or(start);
        Self { length, origin, day: day.clamp(1, 31) }
    }

    /// The boundary `index` periods after the origin's.
    fn boundary(&self, index: i64) -> Date {
        match self.length {
            Length::Days(days) => {
                days_after(self.origin, index.saturating_mul(i64::from(days.max(1))))
            }
            Length::Months(months) => {
                let month = month_number(self.origin)
                    .saturating_add(index.saturating_mul(i64::from(months.max(1))));
                let year = i16::try_from(month.div_euclid(12));
                let first = year
                    .ok()
                    .and_then(|year| Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok());
                match first {
                    Some(first) => {
                        days_after(first, i64::from(self.day.min(first.days_in_month())) - 1)
                    }
                    // Beyond the calendar: its end, so that loops over periods end.
                    None if index < 0 => Date::MIN,
                    None => Date::MAX,
                }
            }
        }
    }

    fn at(&self, index: i64) -> Period {
        let days = Interval::new(self.boundary(index), self.boundary(index + 1));
        Period { days, length: self.length, day: self.day }
    }

    /// The period a day lies in.
    pub fn period_of(&self, day: Date) -> Period {
        let index = match self.length {
            Length::Days(days) => days_between(self.origin, day).div_euclid(i64::from(days.max(1))),
            Length::Months(months) => {
                let months = i64::from(months.max(1));
                (month_number(day) - month_number(self.origin)).div_euclid(months)
            }
        };
        // The first of a month may lie before that month's boundary.
        if self.boundary(index) > day { self.at(index - 1) } else { self.at(index) }
    }

    /// The period after this one.
    pub fn after(&self, period: &Period) -> Period {
        self.period_of(period.days.to)
    }

    /// The first boundary on or after a day.
    pub fn boundary_from(&self, day: Date) -> Date {
        let period = self.period_of(day);
        if period.days.from == day { day } else { period.days.to }
    }
}

/// Months since year 0.
fn month_number(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// The first boundaries after the start, as `MM-DD`, the year where it changes.
    fn boundaries(schedule: Schedule, start: &str, count: usize) -> Vec<String> {
        let mut period = schedule.period_of(date(start));
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(period.days.to.to_string());
            period = schedule.after(&period);
        }
        all
    }

    #[test]
    fn day_31_clamps_and_does_not_drift() {
        let monthly = Schedule::fixed(date("2023-01-31"), Length::Months(1), 31, None);
        assert_eq!(
            boundaries(monthly, "2023-01-31", 4),
            ["2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"]
        );
        let quarterly = Schedule::anniversary(date("2023-08-31"), Length::Months(3));
        assert_eq!(
            boundaries(quarterly, "2023-08-31", 4),
            ["2023-11-30", "2024-02-29", "2024-05-31", "2024-08-31"]
        );
    }

    #[test]
    fn a_leap_day_comes_back_every_fourth_year() {
        let yearly = Schedule::anniversary(date("2024-02-29"), Length::Months(12));
        assert_eq!(
            boundaries(yearly, "2024-02-29", 4),
            ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]
        );
        let century = Schedule::anniversary(date("2096-02-29"), Length::Months(12));
        assert_eq!(boundaries(century, "2099-03-01", 1), ["2100-02-28"]);
    }

    #[test]
    fn the_boundary_itself_belongs_to_the_period_it_opens() {
        let schedule = Schedule::fixed(date("2022-01-01"), Length::Months(1), 17, None);
        assert_eq!(schedule.boundary_from(date("2022-07-17")), date("2022-07-17"));
        assert_eq!(schedule.boundary_from(date("2022-07-19")), date("2022-08-17"));
        assert_eq!(schedule.period_of(date("2022-07-16")).days.from, date("2022-06-17"));
        assert_eq!(schedule.period_of(date("2022-07-17")).days.from, date("2022-07-17"));
    }

    #[test]
    fn a_billing_month_fixes_the_year_and_the_quarters() {
        let year = Schedule::fixed(date("2024-06-10"), Length::Months(12), 1, Some(4));
        assert_eq!(boundaries(year, "2024-06-10", 2), ["2025-04-01", "2026-04-01"]);
        let quarter = Schedule::fixed(date("2024-06-10"), Length::Months(3), 1, Some(1));
        assert_eq!(boundaries(quarter, "2024-06-10", 2), ["2024-07-01", "2024-10-01"]);
    }

    #[test]
    fn periods_tile_the_calendar_for_every_length_and_day() {
        let lengths = [1u8, 3, 6, 12]
            .map(Length::Months)
            .into_iter()
            .chain([1u16, 7, 30, 90, 365].map(Length::Days));
        for length in lengths {
            for day in [1, 15, 28, 29, 30, 31] {
                let schedule = Schedule::fixed(date("2023-01-15"), length, day, None);
                let mut period = schedule.period_of(date("2022-12-20"));
                assert!(period.days.holds(date("2022-12-20")));
                for _ in 0..60 {
                    let next = schedule.after(&period);
                    assert_eq!(period.days.to, next.days.from, "{length:?} {day}");
                    assert!(!period.days.is_empty());
                    assert_eq!(schedule.period_of(period.days.from), period);
                    period = next;
                }
            }
        }
    }

    #[test]
    fn the_end_of_the_calendar_ends_the_row() {
        let schedule = Schedule::anniversary(date("9999-11-15"), Length::Months(1));
        let last = schedule.period_of(date("9999-12-20"));
        assert_eq!(last.days.to, Date::MAX);
        assert!(!schedule.period_of(Date::MIN).days.holds(Date::MAX));
    }
}
