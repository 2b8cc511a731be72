use model::OrganisationId;
use store::args;

use super::*;
use crate::testing::{Bench, Said};

async fn sums(bench: &Bench, table: &str) -> Vec<(u64, u64, u64)> {
    let sql = format!(
        "SELECT CAST(sum(download_octets) AS BIGINT) AS down, CAST(sum(upload_octets) AS BIGINT)
            AS up, count(*) AS n FROM {table}"
    );
    let rows = bench.db().dynamic_all(&sql, args![]).await.unwrap();
    rows.iter()
        .map(|row| {
            let get = |name| row.get::<Option<u64>>(name).unwrap().unwrap_or(0);
            (get("down"), get("up"), get("n"))
        })
        .collect()
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for test in store::testing::engines("network").await {
        test.db.migrate(&crate::store::MIGRATIONS).await.unwrap();
        let failures = store::prepare_all(&test.db, super::statements::ALL).await;
        assert!(failures.is_empty(), "{}: {failures:?}", test.engine());
    }
}

#[tokio::test]
async fn what_is_used_is_in_every_rollup_once() {
    for mut bench in Bench::all().await {
        let said = [
            Said::start("a", 100),
            Said::interim("a", 160, 60).octets(1000, 10),
            Said::interim("b", 160, 60).octets(5, 5).nas(2),
            Said::interim("a", 4000, 3900).octets((5 << 32) + 7, 20),
            // Nobody's.
            Said::interim("c", 4000, 60).octets(50, 0).organisation(0),
        ];
        bench.apply(&said).await;
        let all = (1000 + 5 + ((5 << 32) + 7 - 1000), 10 + 5 + 10);
        assert_eq!(sums(&bench, "usage_hour").await, [(all.0, all.1, 2)]);
        let with_nobody = all.0 + 50;
        assert_eq!(sums(&bench, "usage_nas_hour").await, [(with_nobody, all.1, 3)]);
        assert_eq!(sums(&bench, "usage_delta").await, [(with_nobody, all.1, 5)]);
        assert_eq!(sums(&bench, "traffic_minute").await, [(with_nobody, all.1, 4)]);
        // Again under the same sequences: nothing comes on top.
        let entries: Vec<_> =
            (1..).zip(&said).map(|(n, said)| crate::testing::entry(said.shipped(1, n))).collect();
        let again = crate::batch::apply(bench.db(), bench.scope(), &entries).await.unwrap();
        assert_eq!((again.applied, again.skipped), (0, 5));
        assert_eq!(sums(&bench, "usage_delta").await, [(with_nobody, all.1, 5)]);
    }
}

#[tokio::test]
async fn counters_that_go_back_or_jump_are_kept_as_said_and_not_billed() {
    for mut bench in Bench::all().await {
        let said = [
            Said::interim("a", 160, 60).octets(1000, 10),
            Said::interim("a", 220, 120).octets(900, 20),
            // A petabyte in a minute.
            Said::interim("a", 280, 180).octets(1 << 50, 30),
            Said::interim("a", 340, 240).octets(1500, 40),
        ];
        bench.apply(&said).await;
        let sql = "SELECT download_octets, download_counter, counters FROM usage_delta
            ORDER BY sequence";
        let rows = bench.db().dynamic_all(sql, args![]).await.unwrap();
        let found: Vec<(u64, u64, String)> = rows
            .iter()
            .map(|row| {
                let get = |name| row.get::<u64>(name).unwrap();
                let counters = row.get("counters").unwrap();
                (get("download_octets"), get("download_counter"), counters)
            })
            .collect();
        let of = |added, said, word: &str| (added, said, word.to_owned());
        assert_eq!(
            found,
            [
                of(1000, 1000, "good"),
                of(0, 900, "back"),
                of(0, 1 << 50, "jumped"),
                of(500, 1500, "good"),
            ],
            "what comes after a jump counts as if it had not been"
        );
        let session = bench.sessions().await.remove(0);
        assert_eq!((session.octets, session.flagged), ((1500, 40), true));
        assert_eq!(sums(&bench, "usage_hour").await, [(1500, 40, 1)]);
    }
}

#[tokio::test]
async fn hours_are_those_of_the_installations_zone() {
    for bench in Bench::all().await {
        let entry = crate::testing::entry(Said::interim("a", 2000, 60).octets(1, 1).shipped(1, 1));
        let scope = crate::batch::Scope { hour_shift_s: 1800, ..bench.scope() };
        crate::batch::apply(bench.db(), scope, &[entry]).await.unwrap();
        let rows = bench.db().dynamic_all("SELECT hour FROM usage_hour", args![]).await.unwrap();
        assert_eq!(rows[0].get::<Ts>("hour").unwrap(), Said::time(1800));
    }
}

#[tokio::test]
async fn a_sum_stays_at_the_largest_number_there_is() {
    for bench in Bench::all().await {
        for _ in 0..2 {
            let mut rollups = Rollups::default();
            let most = Gain { download_octets: 1 << 62, upload_octets: 5, sessions_started: 1 };
            rollups.minutes.insert((OrganisationId::NONE, Said::time(0)), most);
            let mut tx = bench.db().begin().await.unwrap();
            rollups.write(&mut tx, 0).await.unwrap();
            tx.commit().await.unwrap();
        }
        let most = i64::MAX as u64;
        assert_eq!(sums(&bench, "traffic_minute").await, [(most, 10, 1)]);
    }
}
