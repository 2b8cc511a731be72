use super::*;
use crate::testing::{Bench, Said, entry, nas, organisation};

/// The beginning, two words in between and the end of one session.
fn life() -> [Said; 4] {
    [
        Said::start("a", 100).login("Asha"),
        Said::interim("a", 160, 60).octets(1000, 10).login("Asha"),
        Said::interim("a", 220, 120).octets((1 << 32) + 5, 20).login("Asha").ip([10, 0, 0, 9]),
        Said::stop("a", 280, 180).octets((2 << 32) + 5, 30).login("Asha").cause(1),
    ]
}

/// Every order of some things.
fn orders<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[tokio::test]
async fn a_session_lives_from_start_to_stop() {
    for mut bench in Bench::all().await {
        let [start, first, second, stop] = life();
        let outcome = bench.apply(&[start]).await;
        assert_eq!((outcome.applied, outcome.opened, outcome.closed), (1, 1, 0));
        assert_eq!(outcome.acks, BTreeMap::from([(1, 1)]));
        let open = bench.sessions().await.remove(0);
        assert_eq!((open.started_s, open.ended_s, open.ip), (100, None, None));
        assert_eq!(open.login, ("Asha".to_owned(), "asha".to_owned()));
        assert_eq!(open.owner[0], Some(organisation(1).0));
        assert_eq!(open.policy_hash, 0xfeed_0000_0000_0001);

        bench.apply(&[first, second]).await;
        let running = bench.sessions().await.remove(0);
        assert_eq!(running.octets, ((1 << 32) + 5, 20), "gigawords count");
        assert_eq!(running.ip, Some([10, 0, 0, 9].into()), "an address that appears later");
        assert_eq!(running.updated_s, 220);

        let outcome = bench.apply(&[stop]).await;
        assert_eq!((outcome.opened, outcome.closed), (0, 1));
        let sessions = bench.sessions().await;
        assert_eq!(sessions.len(), 1);
        assert_eq!(sessions[0].end(), Some((280, "user_request")));
        assert_eq!(sessions[0].octets, ((2 << 32) + 5, 30));
        assert!(!sessions[0].flagged);
        let total = ((2 << 32) + 5, 30, 1);
        assert_eq!(bench.traffic().await, [(organisation(1), total.0, total.1, total.2)]);
        assert_eq!(bench.count("traffic_minute").await, 4, "each in its minute");
    }
}

#[tokio::test]
async fn any_order_and_any_repeat_give_the_same_session() {
    for mut bench in Bench::all().await {
        bench.apply_each(&life()).await;
        let expected = bench.sessions().await.remove(0);
        for (number, order) in (100..).zip(orders(&life())) {
            let once: Vec<Said> = order.into_iter().map(|said| said.nas(number)).collect();
            bench.apply_each(&once).await;
            bench.apply(&once).await;
            let sessions = bench.sessions().await;
            let mut found: Vec<_> =
                sessions.into_iter().filter(|row| row.key.0 == nas(number)).collect();
            assert_eq!(found.len(), 1, "{once:?}");
            let mut found = found.remove(0);
            found.key = expected.key.clone();
            assert_eq!(found, expected, "{once:?}");
        }
    }
}

#[tokio::test]
async fn a_late_interim_raises_counters_and_reopens_nothing() {
    for mut bench in Bench::all().await {
        let stop = Said::stop("a", 280, 180).octets(100, 10);
        bench.apply_each(&[Said::start("a", 100), stop]).await;
        // Sent before the Stop, held up on its way; the NAS had counted less by then.
        bench.apply(&[Said::interim("a", 300, 120).octets(80, 8)]).await;
        let session = bench.sessions().await.remove(0);
        assert_eq!((session.octets, session.flagged), ((100, 10), false));
        assert_eq!(session.end(), Some((280, "unspecified")));
        // A Stop without counters, as some NAS send it, and then what it had counted.
        let bare = Said::stop("b", 280, 180);
        let late = Said::interim("b", 281, 120).octets(80, 8);
        bench.apply_each(&[Said::start("b", 100), bare, late]).await;
        let session = bench.sessions().await.remove(1);
        assert_eq!((session.octets, session.flagged), ((80, 8), true));
        assert_eq!(session.end(), Some((280, "unspecified")));
        assert_eq!(bench.count("session").await, 2);
    }
}

#[tokio::test]
async fn an_id_used_again_is_another_session() {
    for mut bench in Bench::all().await {
        bench.apply(&[Said::start("a", 100), Said::interim("a", 160, 60).octets(5, 5)]).await;
        // A retransmission that took its time, and then a new beginning.
        bench.apply(&[Said::start("a", 110)]).await;
        assert_eq!(bench.count("session").await, 1);
        let outcome = bench.apply(&[Said::start("a", 1000)]).await;
        assert_eq!((outcome.opened, outcome.closed), (1, 1));
        let late = Said::interim("a", 1010, 890).octets(9, 9);
        bench.apply(&[Said::interim("a", 1060, 60).octets(1, 1), late.delay(20)]).await;
        let sessions = bench.sessions().await;
        assert_eq!(sessions[0].end(), Some((1000, "replaced")));
        assert_eq!((sessions[0].octets, sessions[1].octets), ((9, 9), (1, 1)));
        assert_eq!((sessions[1].started_s, sessions[1].ended_s), (1000, None));
        // The Stop that was thought lost.
        bench.apply(&[Said::stop("a", 1100, 895).octets(10, 10).delay(105)]).await;
        let sessions = bench.sessions().await;
        assert_eq!(sessions[0].end(), Some((995, "unspecified")));
        assert_eq!(sessions[1].ended_s, None);
    }
}

#[tokio::test]
async fn an_id_used_again_without_a_start_is_another_session_too() {
    for mut bench in Bench::all().await {
        bench.apply(&[Said::start("a", 100), Said::interim("a", 400, 300)]).await;
        // Held up by a NAS that does not say for how long: it began before the last report.
        bench.apply(&[Said::interim("a", 420, 240)]).await;
        assert_eq!(bench.count("session").await, 1);
        // The Stop of the first and the Start of the second were lost.
        bench.apply(&[Said::interim("a", 1060, 60)]).await;
        let sessions = bench.sessions().await;
        assert_eq!(sessions[0].end(), Some((1000, "replaced")));
        assert_eq!((sessions[1].started_s, sessions[1].ended_s), (1000, None));
    }
}

#[tokio::test]
async fn an_interim_of_a_session_nobody_knew_opens_it_in_the_past() {
    for mut bench in Bench::all().await {
        bench.apply(&[Said::interim("a", 5000, 600).delay(30).octets(7, 7)]).await;
        let session = bench.sessions().await.remove(0);
        assert_eq!((session.started_s, session.updated_s), (4370, 4970));
        assert_eq!((session.start.0, session.ended_s), (false, None));
        // Its NAS's clock runs fast, so the real beginning lies a little apart.
        bench.apply(&[Said::start("a", 5010).delay(626)]).await;
        let session = bench.sessions().await;
        assert_eq!(session.len(), 1);
        assert_eq!((session[0].started_s, session[0].start.0), (4384, true));
    }
}

#[tokio::test]
async fn a_stop_of_a_session_nobody_knew_is_written_closed() {
    for mut bench in Bench::all().await {
        let outcome = bench.apply(&[Said::stop("a", 5000, 600).octets(7, 8).cause(2)]).await;
        assert_eq!((outcome.opened, outcome.closed), (1, 1));
        let session = bench.sessions().await.remove(0);
        assert_eq!((session.started_s, session.ended_s), (4400, Some(5000)));
        assert_eq!(session.cause.as_deref(), Some("lost_carrier"));
        assert_eq!(bench.traffic().await, [(organisation(1), 7, 8, 1)]);
        // An id whose session is over may be used again without a Start.
        bench.apply(&[Said::interim("a", 7000, 60)]).await;
        assert_eq!(bench.count("session").await, 2);
    }
}

#[tokio::test]
async fn a_counter_that_goes_back_or_jumps_is_flagged_and_adds_nothing() {
    for mut bench in Bench::all().await {
        let went_back = [
            Said::start("a", 100),
            Said::interim("a", 160, 60).octets(1000, 10),
            Said::interim("a", 220, 120).octets(900, 20),
        ];
        bench.apply(&went_back).await;
        let session = bench.sessions().await.remove(0);
        assert_eq!((session.octets, session.flagged), ((1000, 20), true));
        let jumped =
            [Said::start("b", 100), Said::interim("b", 160, 60).octets(u64::MAX, u64::MAX)];
        bench.apply(&jumped).await;
        let session = bench.sessions().await.remove(1);
        assert_eq!((session.octets, session.flagged), ((0, 0), true));
        // No chart shows what cannot have been.
        assert_eq!(bench.traffic().await, [(organisation(1), 1000, 20, 2)]);
    }
}

#[tokio::test]
async fn what_is_silent_for_too_long_ends_at_its_last_report_and_is_opened_by_the_next() {
    let silence = tables::Silence { grace_s: 600, unheard_s: 86_400 };
    for mut bench in Bench::all().await {
        let interims = |id: &str| {
            let of = |n: u32| Said::interim(id, 100 + i64::from(n) * 300, n * 300);
            [Said::start(id, 100), of(1), of(2)]
        };
        bench.apply(&interims("a")).await;
        // On a NAS that sends no interims, and one that sent none on a NAS that does.
        bench.apply(&[Said::start("b", 100).nas(2), Said::start("c", 100)]).await;
        let db = bench.db().clone();
        let lost = async |at: i64| tables::end_lost(&db, 0, silence, Said::time(at)).await;
        assert_eq!(lost(700 + 3 * 300 + 600).await.unwrap(), 0, "within its time");
        assert_eq!(lost(700 + 3 * 300 + 601).await.unwrap(), 1);
        assert_eq!(lost(86_501 + 100).await.unwrap(), 0, "nobody sends interims now");
        let ends = |rows: &[crate::testing::Row]| -> Vec<Option<(i64, String)>> {
            rows.iter().map(|row| row.end().map(|(at, cause)| (at, cause.to_owned()))).collect()
        };
        let sessions = bench.sessions().await;
        assert_eq!(ends(&sessions)[0], Some((700, "lost".to_owned())));

        // Held up on its way from before: it stays as it is. Sent behind its end: it lives.
        bench.apply(&[Said::interim("a", 690, 590)]).await;
        assert_eq!(ends(&bench.sessions().await)[0], Some((700, "lost".to_owned())));
        bench.apply(&[Said::interim("a", 90_000, 89_900).octets(7, 7)]).await;
        let sessions = bench.sessions().await;
        assert_eq!((sessions.len(), ends(&sessions)), (3, vec![None, None, None]));
        assert_eq!(sessions[0].octets, (7, 7));
        // Now that its NAS sends interims again, the one that never did is over.
        assert_eq!(lost(90_000).await.unwrap(), 1);
        assert_eq!(ends(&bench.sessions().await)[1], Some((100, "lost".to_owned())));
        // A Stop has the last word.
        bench.apply(&[Said::stop("c", 90_100, 90_000).cause(1)]).await;
        assert_eq!(ends(&bench.sessions().await)[1], Some((90_100, "user_request".to_owned())));
    }
}

#[tokio::test]
async fn links_of_one_multilink_session_and_the_clock_of_their_nas_are_known() {
    use radius_wire::attr;
    for mut bench in Bench::all().await {
        let ahead = (Said::time(160).seconds() + 7200) as u32;
        let said = ["a", "b"].map(|id| {
            Said::interim(id, 160, 60)
                .put(attr::ACCT_MULTI_SESSION_ID, b"bundle-7")
                .put(attr::EVENT_TIMESTAMP, &ahead.to_be_bytes())
        });
        bench.apply(&said).await;
        let sql = "SELECT acct_multi_session_id, clock_offset_s FROM session";
        for row in bench.db().dynamic_all(sql, store::Args::new()).await.unwrap() {
            assert_eq!(row.get::<String>("acct_multi_session_id").unwrap(), "bundle-7");
            assert_eq!(row.get::<i64>("clock_offset_s").unwrap(), 7200);
        }
        // Its clock changes nothing about when the session was.
        assert_eq!(bench.sessions().await[0].started_s, 100);
    }
}

#[tokio::test]
async fn a_restart_ends_the_sessions_of_its_nas_in_its_partition() {
    for mut bench in Bench::all().await {
        let sessions = [
            Said::start("a", 100),
            Said::start("b", 130),
            Said::start("c", 100).nas(2),
            Said::start("d", 200),
        ];
        bench.apply(&sessions).await;
        // Another partition's, whose worker gets its own copy of the record.
        let other = Scope { partition: 5, ..bench.scope() };
        let elsewhere = entry(Said::start("e", 100).shipped(1, 1));
        apply(bench.db(), other, &[elsewhere]).await.unwrap();
        // In one batch with what comes before and behind.
        let outcome = bench
            .apply(&[
                Said::interim("a", 140, 40).octets(5, 5),
                Said::on(150),
                Said::start("f", 160),
            ])
            .await;
        assert_eq!((outcome.opened, outcome.closed), (1, 2));
        let ends: Vec<_> = bench
            .sessions()
            .await
            .iter()
            .map(|row| (row.key.1.clone(), row.end().map(|(at, cause)| (at, cause.to_owned()))))
            .collect();
        let ended = Some((150, "nas_restart".to_owned()));
        let expected = [("a", ended.clone()), ("b", ended), ("d", None), ("e", None), ("f", None)];
        let expected = expected.map(|(id, end)| (id.to_owned(), end));
        assert_eq!(ends[..5], expected);
        assert_eq!(ends[5], ("c".to_owned(), None), "the other NAS");
    }
}

#[tokio::test]
async fn what_comes_late_across_a_restart_ends_with_it() {
    for mut bench in Bench::all().await {
        // Held up in another node's journal: the restart was heard of first.
        bench
            .apply_each(&[Said::on(150), Said::start("a", 100), Said::interim("a", 140, 40)])
            .await;
        assert_eq!(bench.sessions().await[0].end(), Some((150, "nas_restart")));
        // A restart that is heard of late ends a session earlier than was thought.
        bench.apply_each(&[Said::start("b", 160), Said::start("b", 400), Said::on(300)]).await;
        let sessions = bench.sessions().await;
        assert_eq!(sessions[1].end(), Some((300, "nas_restart")));
        assert_eq!(sessions[2].ended_s, None);
        // A report from afterwards shows that the session outlived the restart.
        bench.apply_each(&[Said::on(500), Said::interim("b", 520, 120)]).await;
        let sessions = bench.sessions().await;
        assert_eq!(sessions[2].ended_s, None);
        assert_eq!(bench.count("session").await, 3);
    }
}

#[tokio::test]
async fn an_owner_learnt_later_is_filled_in_and_another_one_is_not() {
    for mut bench in Bench::all().await {
        bench.apply(&[Said::start("a", 100).organisation(0).octets(0, 0)]).await;
        assert_eq!(bench.sessions().await[0].owner, [None; 4]);
        bench.apply(&[Said::interim("a", 160, 60).octets(5, 5).organisation(4)]).await;
        bench.apply(&[Said::interim("a", 220, 120).octets(6, 6).organisation(9)]).await;
        let session = bench.sessions().await.remove(0);
        assert_eq!(session.owner[0], Some(organisation(4).0));
        assert_eq!(bench.traffic().await, [(organisation(0), 0, 0, 1), (organisation(4), 6, 6, 0)]);
    }
}

#[tokio::test]
async fn what_was_applied_is_skipped_and_acknowledged_again() {
    for bench in Bench::all().await {
        let [start, first, second, stop] = life();
        let all = [start, first, second, stop];
        let entries = |from: usize, to: usize| -> Vec<Entry> {
            (from..=to).map(|n| entry(all[n - 1].shipped(1, n as u64))).collect()
        };
        apply(bench.db(), bench.scope(), &entries(1, 3)).await.unwrap();
        let before = (bench.sessions().await, bench.traffic().await);
        let again = apply(bench.db(), bench.scope(), &entries(1, 2)).await.unwrap();
        assert_eq!((again.applied, again.skipped), (0, 2));
        assert_eq!(again.acks, BTreeMap::from([(1, 3)]), "all that is in the tables");
        assert_eq!((bench.sessions().await, bench.traffic().await), before);
        // The shipper went back in the middle of a batch.
        let mixed = [entries(3, 4), entries(2, 4)].concat();
        let mixed = apply(bench.db(), bench.scope(), &mixed).await.unwrap();
        assert_eq!((mixed.applied, mixed.skipped), (1, 4));
        // Another journal counts for itself.
        let other = [entry(all[0].shipped(2, 1))];
        let other = apply(bench.db(), bench.scope(), &other).await.unwrap();
        assert_eq!((other.applied, other.acks), (1, BTreeMap::from([(2, 1)])));
    }
}

#[tokio::test]
async fn whoever_is_overtaken_changes_nothing() {
    for bench in Bench::all().await {
        let step = |from, to| Step {
            incarnation: 1,
            partition: 0,
            from,
            to,
            position: "0-1",
            now: Said::time(0),
        };
        for (from, to, stale) in
            [(None, 5, false), (None, 6, true), (Some(4), 6, true), (Some(5), 9, false)]
        {
            let mut tx = bench.db().begin().await.unwrap();
            let moved = tables::move_progress(&mut tx, step(from, to)).await;
            assert_eq!(matches!(moved, Err(StoreError::Stale)), stale, "{from:?}");
            if !stale {
                tx.commit().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_put_aside_and_passed_over() {
    for bench in Bench::all().await {
        let good = Said::start("a", 100);
        let mut none = good.record();
        none[0] = 0;
        let place = Shipped { incarnation: 1, sequence: 3, previous: 2, record: &none };
        let bodies = [
            good.shipped(1, 1),
            Said::start("", 100).shipped(1, 2),
            place.encode().into(),
            bytes::Bytes::from_static(b"\x01nonsense"),
            Shipped { incarnation: 9, sequence: u64::MAX, ..place }.encode().into(),
            // Not of a session, and no fault: a tunnel's record.
            Said::status(9, 100).shipped(1, 4),
        ];
        let entries = bodies.map(entry);
        let outcome = apply(bench.db(), bench.scope(), &entries).await.unwrap();
        assert_eq!((outcome.applied, outcome.dead_letters), (2, 4));
        assert_eq!(outcome.acks, BTreeMap::from([(1, 4)]));
        let sql = "SELECT incarnation, sequence, reason, body FROM dead_letter ORDER BY id";
        let letters = bench.db().dynamic_all(sql, store::Args::new()).await.unwrap();
        let one: (Option<String>, Option<i64>, String) = (
            letters[0].get("incarnation").unwrap(),
            letters[0].get("sequence").unwrap(),
            letters[0].get("reason").unwrap(),
        );
        let expected = "a session's record lacks Acct-Session-Id";
        assert_eq!(one, (Some(tables::hex(1)), Some(2), expected.to_owned()));
        let kept: Vec<u8> = letters[2].get("body").unwrap();
        assert_eq!(kept, b"\x01nonsense");
        assert_eq!(bench.count("session").await, 1);
    }
}

#[tokio::test]
async fn a_nas_that_sends_no_text_harms_nobody() {
    for mut bench in Bench::all().await {
        use radius_wire::attr;
        let said = Said::start("\0\u{1}", 100)
            .put(attr::USER_NAME, b"a\0b")
            .put(attr::CALLING_STATION_ID, &[0xff, 0xfe])
            .put(attr::NAS_PORT_ID, &[0; 253]);
        bench.apply(&[said]).await;
        let session = bench.sessions().await.remove(0);
        assert_eq!(session.key.1, "0x0001");
        assert_eq!(session.login.0, "0x610062");
        assert_eq!(session.line.0.as_deref(), Some("0xfffe"));
    }
}

/// Entries of journal 1 as (sequence, the one before it).
fn chained(places: &[(u64, u64)]) -> Vec<Entry> {
    let said = Said::interim("a", 1000, 900);
    places.iter().map(|&(n, previous)| entry(said.shipped_after(1, n, previous))).collect()
}

#[test]
fn what_names_a_record_that_was_not_seen_is_refused() {
    // Before, (sequence, previous) …, what is applied, how far that is, the gap that stays.
    type Case = (Option<u64>, &'static [(u64, u64)], &'static [u64], Option<u64>, Option<u64>);
    let cases: [Case; 8] = [
        (None, &[(3, 0), (9, 3), (12, 9)], &[3, 9, 12], Some(12), None),
        (Some(9), &[(12, 9), (20, 9)], &[12, 20], Some(20), None),
        (Some(4), &[(12, 9), (20, 12)], &[], Some(4), Some(20)),
        (None, &[(12, 9)], &[], None, Some(12)),
        // No claim: the first record of a journal, or a shipper that knows nothing.
        (Some(4), &[(12, 0)], &[12], Some(12), None),
        // What was missing comes, and all that was refused once more.
        (Some(4), &[(12, 9), (5, 4), (9, 5), (12, 9)], &[5, 9, 12], Some(12), None),
        (Some(4), &[(12, 9), (20, 12), (5, 4), (9, 5)], &[5, 9], Some(9), Some(20)),
        // A repeat is one, whatever it claims.
        (Some(9), &[(4, 50), (9, 4)], &[], Some(9), None),
    ];
    for (from, places, applied, reached, gap) in cases {
        let entries = chained(places);
        let items = entries.iter().map(|entry| read(&entry.body, true)).collect();
        let mut journals = BTreeMap::from([(1, Progress::from(from))]);
        let mut outcome = Outcome::default();
        let fresh = sift(items, &mut journals, &mut outcome);
        let fresh: Vec<u64> = fresh.iter().map(|item| item.place.unwrap().sequence).collect();
        assert_eq!(fresh, applied, "{places:?}");
        let progress = journals[&1];
        assert_eq!(progress.reached, reached, "{places:?}");
        assert_eq!(progress.refused.filter(|_| progress.refused > reached), gap, "{places:?}");
    }
}

#[tokio::test]
async fn progress_stays_before_a_gap_and_other_journals_go_on() {
    for bench in Bench::all().await {
        let mut entries = chained(&[(1, 0), (2, 1), (7, 5)]);
        entries.push(entry(Said::start("b", 100).shipped_after(2, 9, 0)));
        let outcome = apply(bench.db(), bench.scope(), &entries).await.unwrap();
        assert_eq!((outcome.applied, outcome.refused), (3, 1));
        assert_eq!(outcome.acks, BTreeMap::from([(1, 2), (2, 9)]));
        assert_eq!(outcome.gaps, BTreeMap::from([(1, 7)]));
        // The rest of the batch, in a transaction of its own.
        let mut whole = outcome;
        let rest = apply(bench.db(), bench.scope(), &chained(&[(5, 2), (7, 5)])).await.unwrap();
        whole.add(rest);
        assert_eq!((whole.acks[&1], whole.gaps.len()), (7, 0), "closed within the batch");
        // A journal nobody knows, with a claim.
        let unknown = [entry(Said::start("c", 100).shipped_after(3, 9, 8))];
        let outcome = apply(bench.db(), bench.scope(), &unknown).await.unwrap();
        assert_eq!((outcome.acks.len(), outcome.gaps), (0, BTreeMap::from([(3, 9)])));
    }
}

#[test]
fn only_a_format_above_ours_is_a_newer_one() {
    let mut record = Said::start("a", 100).record();
    let place = Shipped { incarnation: 1, sequence: 3, previous: 2, record: &[] };
    let above = model::accounting::FORMAT + 1;
    let (ours, older) = (model::accounting::FORMAT, model::accounting::FORMAT - 1);
    for (format, newer) in [(older, None), (ours, None), (above, Some(above)), (255, Some(255))] {
        record[0] = format;
        let inner = Shipped { record: &record, ..place }.encode();
        assert_eq!(newer_format(&inner), newer);
        let mut outer = place.encode();
        outer[0] = format;
        assert_eq!(newer_format(&outer), newer);
    }
    assert_eq!(newer_format(b""), None);
}
