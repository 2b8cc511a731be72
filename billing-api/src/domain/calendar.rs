//! Days and times as people of an organisation write them: its zone, its order of day and month,
//! its first day of the week. A member of staff may have a zone of their own.
//!
//! For what people read: pages, printed lists, letters. What programs read has RFC 3339 instants
//! and ISO 8601 dates everywhere.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use model::Ts;

use super::setting::{Layers, registry};

/// How somebody reads days and times.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    zone: TimeZone,
    /// A date, as `strftime` has it.
    date: &'static str,
    week_starts: Weekday,
}

impl Default for Calendar {
    /// ISO 8601, in UTC.
    fn default() -> Self {
        Self { zone: TimeZone::UTC, date: "%Y-%m-%d", week_starts: Weekday::Monday }
    }
}

impl Calendar {
    /// An organisation's, in the zone of whoever reads where they have one.
    pub(crate) fn of(layers: &Layers, own_zone: Option<&str>) -> Self {
        let zone = own_zone.map_or_else(|| layers.text(&registry::ZONE), str::to_owned);
        let date = match layers.text(&registry::DATE_FORMAT).as_str() {
            "DD/MM/YYYY" => "%d/%m/%Y",
            "DD.MM.YYYY" => "%d.%m.%Y",
            "MM/DD/YYYY" => "%m/%d/%Y",
            _ => "%Y-%m-%d",
        };
        let week_starts = match layers.text(&registry::WEEK_START).as_str() {
            "saturday" => Weekday::Saturday,
            "sunday" => Weekday::Sunday,
            _ => Weekday::Monday,
        };
        Self { date, week_starts, ..Self::default() }.in_zone(&zone)
    }

    /// The same in another zone; UTC where nobody knows it.
    pub(crate) fn in_zone(self, name: &str) -> Self {
        Self { zone: TimeZone::get(name).unwrap_or(TimeZone::UTC), ..self }
    }

    /// The zone.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// `01/03/2026 15:00`.
    pub(crate) fn minute(&self, at: Ts) -> String {
        self.written(at, &format!("{} %H:%M", self.date))
    }

    /// An instant in a form of `strftime`.
    pub(crate) fn written(&self, at: Ts, form: &str) -> String {
        match jiff::Timestamp::from_microsecond(at.0) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime(form).to_string(),
            // An instant no calendar holds prints as a number.
            Err(_) => at.to_string(),
        }
    }

    /// A civil date, kept as `YYYY-MM-DD`; what is none stays as it is.
    pub(crate) fn date(&self, kept: &str) -> String {
        let read = kept.parse::<Date>();
        read.map_or_else(|_| kept.to_owned(), |date| date.strftime(self.date).to_string())
    }

    /// The day it is at an instant; nothing where no calendar holds it.
    pub(crate) fn day_of(&self, at: Ts) -> Option<Date> {
        let instant = jiff::Timestamp::from_microsecond(at.0).ok()?;
        Some(instant.to_zoned(self.zone.clone()).date())
    }

    /// The instant at which a day begins.
    pub(crate) fn begin_of(&self, day: Date) -> Option<Ts> {
        let begins = day.to_zoned(self.zone.clone()).ok()?;
        Some(Ts(begins.timestamp().as_microsecond()))
    }

    /// The first day of the week a day is in.
    pub(crate) fn week_of(&self, day: Date) -> Option<Date> {
        let past = day.weekday().since(self.week_starts);
        day.checked_sub(jiff::Span::new().try_days(past).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn calendar(format: &str, week: &str, own_zone: Option<&str>) -> Calendar {
        let mut layers = Layers::of_one();
        for (setting, value) in [
            (&registry::ZONE, "Asia/Kolkata"),
            (&registry::DATE_FORMAT, format),
            (&registry::WEEK_START, week),
        ] {
            layers.put(setting.key, Some(json!(value)));
        }
        Calendar::of(&layers, own_zone)
    }

    #[test]
    fn dates_and_times_are_written_as_the_organisation_writes_them() {
        let at: Ts = "2026-03-01T20:30:15Z".parse().unwrap();
        for (format, date, minute) in [
            ("YYYY-MM-DD", "2026-03-09", "2026-03-02 02:00"),
            ("DD/MM/YYYY", "09/03/2026", "02/03/2026 02:00"),
            ("DD.MM.YYYY", "09.03.2026", "02.03.2026 02:00"),
            ("MM/DD/YYYY", "03/09/2026", "03/02/2026 02:00"),
        ] {
            let calendar = calendar(format, "monday", None);
            assert_eq!(calendar.date("2026-03-09"), date);
            assert_eq!(calendar.minute(at), minute);
            assert_eq!(calendar.date("someday"), "someday");
        }
        let own = calendar("DD/MM/YYYY", "monday", Some("Europe/Berlin"));
        assert_eq!(own.minute(at), "01/03/2026 21:30", "on the reader's own clock");
        assert_eq!(calendar("x", "x", Some("Mars/Base")).minute(at), "2026-03-01 20:30");
    }

    #[test]
    fn a_week_begins_where_the_organisation_begins_it() {
        let wednesday: Date = "2026-03-04".parse().unwrap();
        for (word, first) in
            [("monday", "2026-03-02"), ("sunday", "2026-03-01"), ("saturday", "2026-02-28")]
        {
            let calendar = calendar("YYYY-MM-DD", word, None);
            let first: Date = first.parse().unwrap();
            assert_eq!(calendar.week_of(wednesday), Some(first), "{word}");
            assert_eq!(calendar.week_of(first), Some(first), "{word}");
        }
        let calendar = calendar("YYYY-MM-DD", "monday", None);
        let begins = calendar.begin_of(wednesday).unwrap();
        assert_eq!(begins.to_string(), "2026-03-03T18:30:00.000000Z");
        assert_eq!(calendar.day_of(begins), Some(wednesday));
    }
}
