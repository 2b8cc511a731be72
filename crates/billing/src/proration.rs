//! Which share of a period's price some of its days cost.
//!
//! Each day has a position in its period, and a piece costs the difference of two positions over
//! the whole, so pieces that lie beside each other have shares that add up.

use jiff::civil::Date;

use crate::exact::{Exact, TooLarge};
use crate::interval::Interval;
use crate::period::{Length, Period};
use crate::policy::Proration;

/// Part of a period: so many units of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Units of the piece.
    pub part: i64,
    /// Units of the whole period.
    pub whole: i64,
    /// Whether the units are days of 30-day months.
    pub thirty: bool,
}

impl Share {
    /// The share that the days of a piece have in their period.
    pub fn of(piece: &Interval, period: &Period, rule: Proration) -> Self {
        match (rule, period.length) {
            (Proration::None, _) => Self { part: 1, whole: 1, thirty: false },
            (Proration::Fixed30, Length::Months(months)) => {
                let whole = 30 * i64::from(months);
                let position = |day| thirty(day, period, whole);
                Self { part: position(piece.to) - position(piece.from), whole, thirty: true }
            }
            (Proration::Actual | Proration::Fixed30, _) => {
                Self { part: piece.days(), whole: period.days.days(), thirty: false }
            }
        }
    }

    /// Whether it is everything.
    pub fn is_whole(&self) -> bool {
        self.part == self.whole
    }

    /// This share of a price, exactly.
    pub fn times(&self, price: Exact) -> Result<Exact, TooLarge> {
        price.times(Exact::ratio(i128::from(self.part), i128::from(self.whole))?)
    }
}

/// Where a day stands among the 30-day months of its period: 0 at the period's start, `whole` at
/// its end, a step a day between, none after the 30th of a month.
fn thirty(day: Date, period: &Period, whole: i64) -> i64 {
    let in_calendar = |date: Date, of_month: i8| {
        360 * i64::from(date.year()) + 30 * i64::from(date.month()) + i64::from(of_month) - 1
    };
    if day <= period.days.from {
        0
    } else if day >= period.days.to {
        whole
    } else {
        // A billing day that February cut short still counts from where it would have been.
        let start = in_calendar(period.days.from, period.day.min(30));
        (in_calendar(day, day.day()) - start).clamp(0, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Schedule;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// The share of `from/to` in the period of a schedule that starts on `start`.
    fn share(start: &str, piece: (&str, &str), rule: Proration) -> (i64, i64) {
        let schedule = Schedule::anniversary(date(start), Length::Months(1));
        let piece = Interval::new(date(piece.0), date(piece.1));
        let share = Share::of(&piece, &schedule.period_of(piece.from), rule);
        (share.part, share.whole)
    }

    #[test]
    fn actual_days_are_those_of_the_calendar() {
        let share = |from, to| share("2024-01-05", (from, to), Proration::Actual);
        assert_eq!(share("2024-03-12", "2024-04-05"), (24, 31));
        assert_eq!(share("2024-02-05", "2024-02-29"), (24, 29));
    }

    #[test]
    fn thirty_day_months_make_the_31st_free_and_the_end_of_february_long() {
        let share = |from, to| share("2024-01-01", (from, to), Proration::Fixed30);
        assert_eq!(share("2024-03-16", "2024-04-01"), (15, 30));
        assert_eq!(share("2024-03-31", "2024-04-01"), (0, 30));
        assert_eq!(share("2023-02-16", "2023-03-01"), (15, 30));
        assert_eq!(share("2023-02-28", "2023-03-01"), (3, 30));
        assert_eq!(share("2024-02-29", "2024-03-01"), (2, 30));
    }

    #[test]
    fn thirty_day_pieces_fill_the_period_whatever_the_billing_day() {
        for day in 1..=31 {
            for months in [1u8, 3, 6, 12] {
                let schedule =
                    Schedule::fixed(date("2023-01-01"), Length::Months(months), day, None);
                let mut period = schedule.period_of(date("2023-01-31"));
                for _ in 0..16 {
                    let mut sum = 0;
                    let mut from = period.days.from;
                    while from < period.days.to {
                        let to = from.tomorrow().unwrap();
                        let share =
                            Share::of(&Interval::new(from, to), &period, Proration::Fixed30);
                        assert!((0..=4).contains(&share.part), "{from} {share:?}");
                        sum += share.part;
                        from = to;
                    }
                    assert_eq!(sum, 30 * i64::from(months), "day {day}, {}", period.days);
                    period = schedule.after(&period);
                }
            }
        }
    }
}
