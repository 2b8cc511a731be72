//! How long usage is kept, and the partitions it is kept in.
//!
//! In Postgres the tables that grow are partitioned by time. Partitions are made some days
//! ahead and dropped whole when the last of their rows is too old. What fits none of them goes to
//! the rest, so that a clock that jumps or a sweep that did not run stops nothing; rows there
//! are deleted some at a time, as all are in SQLite.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use metrics::counter;
use model::Ts;
use store::{Db, Engine, Statement, StoreError, args};
use tracing::{info, warn};

use super::floor;
use super::statements::{
    LIST_PARTITIONS, REMOVE_AUTH_LOG, REMOVE_DAYS, REMOVE_DELTAS, REMOVE_HOURS, REMOVE_NAS_HOURS,
    REMOVE_SESSIONS, WRITE_DAY,
};
use crate::store::REMOVED_MAX;

const DAY_S: i64 = 86_400;
/// Partitions are made for so long ahead, seconds.
const AHEAD_S: i64 = 8 * DAY_S;
/// Days are written again for as long as records of them may still come in: as long as a delay
/// is believed.
const OPEN_DAYS: i64 = 8;

/// How long what is kept, days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) deltas: u32,
    pub(crate) hours: u32,
    pub(crate) days: u32,
    pub(crate) sessions: u32,
    pub(crate) auth_log: u32,
}

/// A table in partitions.
struct Table {
    name: &'static str,
    /// The seconds a partition covers.
    span_s: i64,
    kept_days: u32,
    /// Deletes what is in no partition of its own.
    remove: &'static Statement,
}

impl Kept {
    fn tables(self) -> [Table; 4] {
        let table =
            |name, days, kept_days, remove| Table { name, span_s: days * DAY_S, kept_days, remove };
        [
            table("usage_delta", 1, self.deltas, &REMOVE_DELTAS),
            table("usage_hour", 7, self.hours, &REMOVE_HOURS),
            table("usage_nas_hour", 7, self.hours, &REMOVE_NAS_HOURS),
            table("auth_log", 7, self.auth_log, &REMOVE_AUTH_LOG),
        ]
    }
}

/// Makes the partitions of the days to come, and of those still kept where there are none.
pub(crate) async fn make_partitions(db: &Db, kept: Kept, now: Ts) -> Result<(), StoreError> {
    if db.engine() == Engine::Sqlite {
        return Ok(());
    }
    for table in kept.tables() {
        let known = partitions(db, &table).await?;
        let mut from = floor(now.plus_seconds(-i64::from(table.kept_days) * DAY_S), table.span_s);
        let until = now.plus_seconds(AHEAD_S);
        while from < until {
            let to = from.plus_seconds(table.span_s);
            let name = partition_name(&table, from);
            if !known.contains(&name) {
                // Words of ours and instants: nothing in it comes from outside.
                let sql = format!(
                    "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {} \
                     FOR VALUES FROM ('{from}') TO ('{to}') WITH (fillfactor = 80)",
                    table.name
                );
                if let Err(error) = db.dynamic_all(&sql, args![]).await {
                    if error.is_transient() {
                        return Err(error);
                    }
                    // Another policyd made it at this moment, or rows of its time are in the
                    // rest already and stay there until they are too old.
                    info!(name, error = daemon::exit::chain(&error), "partition not made");
                }
            }
            from = to;
        }
    }
    Ok(())
}

/// Drops what is too old: whole partitions, and rows outside of them. True if there is nothing
/// more to drop.
pub(crate) async fn remove_old(db: &Db, kept: Kept, now: Ts) -> Result<bool, StoreError> {
    let before = |days: u32| now.plus_seconds(-i64::from(days) * DAY_S);
    let mut done = true;
    for table in kept.tables() {
        if db.engine() == Engine::Postgres {
            let oldest = floor(before(table.kept_days), table.span_s);
            let oldest = partition_name(&table, oldest);
            for name in partitions(db, &table).await? {
                // Names of one table are in the order of their days.
                if name < oldest {
                    db.dynamic_all(&format!("DROP TABLE IF EXISTS {name}"), args![]).await?;
                    counter!("policyd_partitions_dropped_total").increment(1);
                }
            }
        }
        done &= remove(db, table.remove, before(table.kept_days)).await?;
    }
    done &= remove(db, &REMOVE_DAYS, before(kept.days)).await?;
    done &= remove(db, &REMOVE_SESSIONS, before(kept.sessions)).await?;
    Ok(done)
}

async fn remove(db: &Db, statement: &Statement, before: Ts) -> Result<bool, StoreError> {
    Ok(db.execute(statement, args![before, REMOVED_MAX]).await? < REMOVED_MAX)
}

async fn partitions(db: &Db, table: &Table) -> Result<Vec<String>, StoreError> {
    let rows = db.fetch_all(&LIST_PARTITIONS, args![table.name]).await?;
    rows.iter().map(|row| row.get("name")).collect()
}

/// `usage_delta_p20260301`.
fn partition_name(table: &Table, from: Ts) -> String {
    let date: String = from.to_string().chars().take(10).filter(|c| *c != '-').collect();
    format!("{}_p{date}", table.name)
}

/// Adds the hours of the last days up, today's too. `all`: of every day that may still change,
/// otherwise of today and yesterday.
pub(crate) async fn write_days(
    db: &Db,
    zone: &TimeZone,
    now: Ts,
    all: bool,
) -> Result<(), StoreError> {
    let back = if all { OPEN_DAYS } else { 1 };
    for days in (0..=back).rev() {
        let Some((from, to)) = day_of(zone, now.plus_seconds(-days * DAY_S)) else {
            warn!(%now, "no day of the calendar");
            return Ok(());
        };
        db.execute(&WRITE_DAY, args![from, to]).await?;
    }
    Ok(())
}

/// The day in a zone that an instant lies in: its beginning and that of the next.
pub(crate) fn day_of(zone: &TimeZone, at: Ts) -> Option<(Ts, Ts)> {
    let today = Timestamp::from_microsecond(at.0).ok()?.to_zoned(zone.clone()).date();
    let start = |date: jiff::civil::Date| {
        let midnight = date.to_zoned(zone.clone()).ok()?.timestamp();
        Some(Ts(midnight.as_microsecond()))
    };
    Some((start(today)?, start(today.checked_add(1.day()).ok()?)?))
}

/// How far the hours of a zone lie behind those of UTC, seconds: half an hour in India.
pub(crate) fn hour_shift_s(zone: &TimeZone, at: Ts) -> i64 {
    let offset = Timestamp::from_microsecond(at.0).map(|at| zone.to_offset(at).seconds());
    i64::from(offset.unwrap_or(0)).rem_euclid(3600)
}

#[cfg(test)]
mod tests {
    use model::{OrganisationId, ServiceId};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{Bench, Said};

    const KEPT: Kept = Kept { deltas: 14, hours: 90, days: 1000, sessions: 365, auth_log: 90 };

    async fn count_of(bench: &Bench, table: &str) -> usize {
        let table = Table { name: "", span_s: 1, kept_days: 1, remove: &REMOVE_DAYS }.named(table);
        partitions(bench.db(), &table).await.unwrap().len()
    }

    impl Table {
        fn named(mut self, name: &str) -> Self {
            self.name = KEPT.tables().into_iter().find(|t| t.name == name).unwrap().name;
            self
        }
    }

    #[test]
    fn a_day_begins_at_midnight_of_its_zone_and_may_have_23_hours() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let (from, to) = day_of(&zone, "2026-03-01T20:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(from.to_string(), "2026-03-01T18:30:00.000000Z");
        assert_eq!(to.since(from), 86_400.0);
        assert_eq!(hour_shift_s(&zone, from), 1800);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = day_of(&zone, "2026-03-29T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(to.since(from), 82_800.0);
        assert_eq!(hour_shift_s(&zone, from), 0);
    }

    #[tokio::test]
    async fn partitions_are_made_ahead_and_dropped_with_what_is_too_old() {
        for mut bench in Bench::all().await {
            let postgres = bench.test.engine() == Engine::Postgres;
            let now = Said::time(100);
            // A record from before there was a partition goes to the rest.
            bench.apply(&[Said::interim("a", 100, 60).octets(10, 1)]).await;
            let later = now.plus_seconds(DAY_S);
            make_partitions(bench.db(), KEPT, later).await.unwrap();
            make_partitions(bench.db(), KEPT, later).await.unwrap();
            let (deltas, hours) =
                (count_of(&bench, "usage_delta").await, count_of(&bench, "usage_hour").await);
            // 14 days back and 8 ahead, without the day the rest has rows of; weeks for hours.
            assert_eq!((deltas > 20, hours > 10), (postgres, postgres), "{deltas} {hours}");
            // So a record of the next day is in a partition, and one of a far one in the rest.
            bench.apply(&[Said::interim("a", DAY_S + 100, 60 + DAY_S as u32).octets(30, 3)]).await;
            assert_eq!((bench.count("usage_delta").await, bench.count("usage_hour").await), (2, 2));

            let far = now.plus_seconds(16 * DAY_S);
            make_partitions(bench.db(), KEPT, far).await.unwrap();
            while !remove_old(bench.db(), KEPT, far).await.unwrap() {}
            assert_eq!((bench.count("usage_delta").await, bench.count("usage_hour").await), (0, 2));
            let far = now.plus_seconds(100 * DAY_S);
            while !remove_old(bench.db(), KEPT, far).await.unwrap() {}
            assert_eq!(bench.count("usage_hour").await, 0);
            assert_eq!(bench.count("session").await, 1, "it is open");
        }
    }

    #[tokio::test]
    async fn days_are_what_their_hours_add_up_to_however_often_they_are_written() {
        for mut bench in Bench::all().await {
            // The tests begin at midnight UTC.
            let said = [
                Said::interim("a", 3_600, 60).octets(10, 1),
                Said::interim("a", 7_300, 3_760).octets(30, 3),
                Said::interim("a", DAY_S + 3_600, 60 + DAY_S as u32).octets(100, 10),
            ];
            bench.apply(&said[..1]).await;
            let now = Said::time(DAY_S + 4_000);
            let zone = TimeZone::UTC;
            write_days(bench.db(), &zone, now, true).await.unwrap();
            bench.apply(&said[1..]).await;
            write_days(bench.db(), &zone, now, false).await.unwrap();
            write_days(bench.db(), &zone, now, true).await.unwrap();
            let sql = "SELECT service_id, organisation_id, day, download_octets, upload_octets,
                sessions_started FROM usage_day ORDER BY day";
            let rows = bench.db().dynamic_all(sql, args![]).await.unwrap();
            let of = |n: usize| {
                let get = |name| rows[n].get::<u64>(name).unwrap();
                let octets = (get("download_octets"), get("upload_octets"));
                (rows[n].get::<Ts>("day").unwrap(), octets, get("sessions_started"))
            };
            assert_eq!(rows.len(), 2);
            assert_eq!(of(0), (Said::time(0), (30, 3), 1));
            assert_eq!(of(1), (Said::time(DAY_S), (70, 7), 0));
            let service: ServiceId = rows[0].get("service_id").unwrap();
            let organisation: OrganisationId = rows[0].get("organisation_id").unwrap();
            assert_eq!((service.0, organisation.0), (Uuid::from_u128(2001), Uuid::from_u128(1)));
        }
    }
}
