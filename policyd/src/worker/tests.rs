use std::time::Duration;

use model::accounting::Shipped;
use model::control::FactState;
use store::{Engine, Statement, args};

use super::*;
use crate::testing::{Bench, Random, Said, organisation, until_acknowledged};

#[tokio::test]
async fn what_is_published_is_applied_acknowledged_and_trimmed() {
    for bench in Bench::all().await {
        let mut acks = bench.acks().await;
        let stream = accounting::stream(0);
        let running = tokio::spawn(bench.worker("one").run());
        let said: Vec<Said> = (0..20).map(|n| Said::start(&format!("s{n}"), 100 + n)).collect();
        bench.publish(1, &said).await;
        bench.until_acknowledged(&mut acks, 20).await;
        assert_eq!(bench.count("session").await, 20);
        assert!(bench.health.is_ready());
        assert_eq!((bench.state.partitions(), bench.state.applied()), (1, 20));

        // A shipper that goes back is answered as if everything were new.
        bench.publish(1, &said[..3]).await;
        bench.until_acknowledged(&mut acks, 20).await;
        assert_eq!(bench.count("session").await, 20);

        // A soft stop gives the lease back: nobody has to wait for it to lapse.
        bench.trigger.soft();
        running.await.unwrap().unwrap();
        assert_eq!(bench.bus.len(&stream).await.unwrap(), 0);
        let lease = bench.bus.lease(&stream, "two", Duration::from_secs(9)).await.unwrap();
        assert!(lease.is_some());
        assert_eq!(bench.state.partitions(), 0);
    }
}

#[tokio::test]
async fn a_partition_has_one_worker() {
    for bench in Bench::all().await {
        let mut acks = bench.acks().await;
        let stream = accounting::stream(0);
        let long = Duration::from_secs(3600);
        bench.bus.lease(&stream, "somebody", long).await.unwrap();
        let running = tokio::spawn(bench.worker("one").run());
        bench.publish(1, &[Said::start("a", 100)]).await;
        // It asks every 100 ms; whether it reads without the lease shows by then.
        tokio::time::sleep(Duration::from_millis(350)).await;
        assert_eq!((bench.state.applied(), bench.state.partitions()), (0, 0));
        bench.bus.release(&stream, "somebody").await.unwrap();
        bench.until_acknowledged(&mut acks, 1).await;
        bench.trigger.soft();
        running.await.unwrap().unwrap();
    }
}

/// Makes the database refuse the sessions of one login, for no reason of its own.
async fn refuse_poison(bench: &Bench) {
    const REFUSE: Statement = Statement {
        name: "REFUSE",
        sqlite: "CREATE TRIGGER refuse BEFORE INSERT ON session WHEN NEW.login = 'poison'
            BEGIN SELECT RAISE(ABORT, 'poison'); END",
        postgres: "ALTER TABLE session ADD CHECK (login <> 'poison')",
    };
    bench.db().execute(&REFUSE, args![]).await.unwrap();
}

#[tokio::test]
async fn a_record_the_database_refuses_is_found_among_others_and_put_aside() {
    for bench in Bench::all().await {
        refuse_poison(&bench).await;
        let mut acks = bench.acks().await;
        let said: Vec<Said> = (0..7)
            .map(|n| {
                let login = if n == 4 { "poison" } else { "asha" };
                Said::start(&format!("s{n}"), 100).login(login)
            })
            .collect();
        bench.publish(1, &said).await;
        let running = tokio::spawn(bench.worker("one").run());
        bench.until_acknowledged(&mut acks, 7).await;
        assert_eq!((bench.count("session").await, bench.count("dead_letter").await), (6, 1));
        assert_eq!((bench.state.applied(), bench.state.dead_letters()), (6, 1));
        bench.trigger.soft();
        running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn records_wait_while_the_database_is_away() {
    for bench in Bench::all().await {
        if bench.test.engine() == Engine::Postgres {
            // Its lock would be waited for until the statement's time is over, half a minute.
            continue;
        }
        let mut acks = bench.acks().await;
        let other = bench.test.reopen().await;
        let hog = other.begin().await.unwrap();
        let running = tokio::spawn(bench.worker("one").run());
        bench.state.database.works();
        bench.publish(1, &[Said::start("a", 100)]).await;
        while bench.health.not_ready() != ["database"] {
            bench.health.changed().await;
        }
        assert_eq!(bench.bus.len(&accounting::stream(0)).await.unwrap(), 1);
        drop(hog);
        bench.until_acknowledged(&mut acks, 1).await;
        assert_eq!(bench.count("session").await, 1);
        assert!(bench.health.is_ready());
        bench.trigger.soft();
        running.await.unwrap().unwrap();
        other.close().await;
    }
}

#[tokio::test]
async fn two_workers_that_both_believe_to_hold_the_partition_apply_each_record_once() {
    for bench in Bench::all().await {
        let said: Vec<Said> = (0..200)
            .map(|n| Said::interim(&format!("s{}", n % 9), 1000 + n, 900 + n as u32))
            .zip(1..)
            .map(|(said, n)| said.octets(n * 10, n))
            .collect();
        // The same entries on two buses stand for one bus whose leases failed.
        let mut other = bench.worker("other");
        other.bus = Bus::local();
        let mut running = Vec::new();
        for worker in [bench.worker("one"), other.clone()] {
            let bodies: Vec<Bytes> = (1..).zip(&said).map(|(n, said)| said.shipped(1, n)).collect();
            worker.bus.append(&accounting::stream(0), &bodies).await.unwrap();
            running.push(tokio::spawn(worker.run()));
        }
        for bus in [&bench.bus, &other.bus] {
            until_acknowledged(bus, &mut Follower::new(ACKS), 200).await;
        }
        bench.trigger.soft();
        for worker in running {
            worker.await.unwrap().unwrap();
        }
        assert_eq!(bench.count("session").await, 9);
        let most: Vec<u64> = (192..=200).collect();
        let (download, upload) = (most.iter().map(|n| n * 10).sum(), most.iter().sum());
        assert_eq!(bench.traffic().await, [(organisation(1), download, upload, 9)]);
        assert_eq!(bench.state.applied(), 200);
    }
}

/// Waits until the worker says that journal 1 is here and something behind it is missing.
async fn until_asked(bench: &Bench, acks: &mut Follower, sequence: u64) {
    let wait = async {
        loop {
            let batch = acks.next(&bench.bus, 1, Duration::from_secs(10)).await.unwrap();
            for entry in batch.entries {
                let ack: Ack = serde_json::from_slice(&entry.body).unwrap();
                if ack.missing {
                    assert_eq!((ack.incarnation, ack.sequence), (hex(1), sequence));
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("a request");
}

fn starts(count: i64) -> Vec<Said> {
    (1..=count).map(|n| Said::start(&format!("s{n}"), 100 + n)).collect()
}

#[tokio::test]
async fn what_the_bus_lost_on_the_way_is_asked_for_and_applied() {
    for bench in Bench::all().await {
        let mut acks = bench.acks().await;
        let running = tokio::spawn(bench.worker("one").run());
        let said = starts(200);
        bench.publish(1, &said[..40]).await;
        bench.until_acknowledged(&mut acks, 40).await;
        // 41 to 100 were on a bus that came back empty; the shipper has not noticed yet.
        bench.publish(101, &said[100..]).await;
        until_asked(&bench, &mut acks, 40).await;
        assert_eq!(bench.count("session").await, 40, "nothing behind the gap");
        // Now it has, and goes back; the word that it is missing comes once more, perhaps.
        bench.publish(41, &said[40..]).await;
        bench.until_acknowledged(&mut acks, 200).await;
        assert_eq!(bench.count("session").await, 200);
        // Each once.
        assert_eq!(bench.state.applied(), 200);
        bench.trigger.soft();
        running.await.unwrap().unwrap();
        assert_eq!(bench.bus.len(&accounting::stream(0)).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_restored_database_asks_for_what_it_lost() {
    const RESTORE: [Statement; 2] = [
        Statement {
            name: "RESTORE_PROGRESS",
            sqlite: "UPDATE accounting_progress SET sequence = 10",
            postgres: "UPDATE accounting_progress SET sequence = 10",
        },
        Statement {
            name: "EMPTY",
            sqlite: "DELETE FROM accounting_progress",
            postgres: "DELETE FROM accounting_progress",
        },
    ];
    for bench in Bench::all().await {
        let mut acks = bench.acks().await;
        // Under the worker's feet, which remembers having said more.
        let running = tokio::spawn(bench.worker("one").run());
        let said = starts(60);
        bench.publish(1, &said[..40]).await;
        bench.until_acknowledged(&mut acks, 40).await;
        for (restore, has, next) in [(&RESTORE[0], 10, 41), (&RESTORE[1], 0, 51)] {
            bench.db().execute(restore, args![]).await.unwrap();
            bench.publish(next, &said[next as usize - 1..next as usize]).await;
            until_asked(&bench, &mut acks, has).await;
            bench.publish(has + 1, &said[has as usize..next as usize + 8]).await;
            bench.until_acknowledged(&mut acks, next + 8).await;
        }
        assert_eq!(bench.count("session").await, 59);
        bench.trigger.soft();
        running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_record_of_a_newer_format_stops_its_partition_and_is_not_put_aside() {
    for bench in Bench::all().await {
        let mut acks = bench.acks().await;
        let stream = accounting::stream(0);
        let said = starts(4);
        let mut record = said[2].record();
        record[0] = accounting::FORMAT + 1;
        let newer = Shipped { incarnation: 1, sequence: 3, previous: 2, record: &record };
        let bodies = [
            said[0].shipped_after(1, 1, 0),
            said[1].shipped_after(1, 2, 1),
            newer.encode().into(),
            said[3].shipped_after(1, 4, 3),
        ];
        bench.bus.append(&stream, &bodies).await.unwrap();
        let running = tokio::spawn(bench.worker("one").run());
        bench.until_acknowledged(&mut acks, 2).await;
        let waits = async {
            // Neither the state nor a lease tells anybody when it changes, here and below.
            while bench.state.waiting_for_newer().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waits).await.unwrap();
        assert_eq!(bench.state.waiting_for_newer(), Some((1, accounting::FORMAT + 1)));
        let fact = crate::control::format(&bench.state);
        assert_eq!(fact.state, FactState::Bad);
        assert!(fact.value.ends_with("upgrade policyd"), "{}", fact.value);
        assert_eq!((bench.count("session").await, bench.count("dead_letter").await), (2, 0));
        assert_eq!(bench.bus.len(&stream).await.unwrap(), 2, "it and what is behind it");

        // The lease is free for a newer policyd; once it holds it, the word is taken back.
        let long = Duration::from_secs(3600);
        let taken = async {
            while bench.bus.lease(&stream, "newer", long).await.unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            while bench.state.waiting_for_newer().is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), taken).await.unwrap();
        assert_eq!(crate::control::format(&bench.state).state, FactState::Good);
        bench.trigger.soft();
        running.await.unwrap().unwrap();
    }
}

/// What some NAS say over some hours: sessions that follow each other under few ids, Starts
/// and Stops that get lost, restarts.
fn history(random: &mut Random) -> Vec<Said> {
    let mut all = Vec::new();
    for nas in 1..=2 {
        let mut restarts = Vec::new();
        for id in 0..3 {
            let id = format!("8{id:07x}");
            let mut at = random.below(300) as i64;
            for _ in 0..3 + random.below(3) {
                let length = 200 + random.below(900) as i64;
                // Odd, so that nothing else happens at the instant of a restart.
                let cut = random.one_in(5).then(|| at + length + 1);
                all.extend(life(random, &id, at, length, nas, cut.is_some()));
                if let Some(cut) = cut {
                    restarts.push(cut);
                }
                at += length + 100 + random.below(400) as i64;
            }
        }
        all.extend(restarts.into_iter().map(|at| Said::on(at).nas(nas)));
    }
    all.sort_by_key(|said| said.received_s);
    all
}

fn life(random: &mut Random, id: &str, start: i64, length: i64, nas: u128, cut: bool) -> Vec<Said> {
    let login = format!("User{}", random.below(5));
    let owned = 1 + random.below(3) as u128;
    let finish = |said: Said| said.login(&login).nas(nas).organisation(owned);
    let mut all = Vec::new();
    if !random.one_in(6) {
        all.push(finish(Said::start(id, start)));
        if random.one_in(4) {
            all.push(finish(Said::start(id, start + 6).delay(6)));
        }
    }
    let (mut at, mut octets) = (start, 0);
    loop {
        at += 60 + random.below(30) as i64;
        octets += random.below(1 << 33);
        let time_s = (at - start) as u32;
        if at >= start + length {
            break;
        }
        // Our clock and the NAS's do not tick together.
        let received = at + random.below(3) as i64;
        let interim = Said::interim(id, received, time_s).octets(octets, octets / 9);
        all.push(finish(if time_s > 150 { interim.ip([10, 0, 0, 1]) } else { interim }));
    }
    if !cut && !random.one_in(4) {
        let stop = Said::stop(id, start + length, length as u32).octets(octets, octets / 9);
        all.push(finish(stop.cause(1)));
    }
    all
}

/// The same, but late, and some of it twice.
fn disturbed(random: &mut Random, said: &[Said]) -> Vec<Said> {
    let mut late: Vec<(u64, &Said)> = Vec::new();
    for (n, said) in (0..).zip(said) {
        late.push((n + random.below(12), said));
        if random.one_in(4) {
            late.push((n + random.below(40), said));
        }
    }
    late.sort_by_key(|(n, _)| *n);
    late.into_iter().map(|(_, said)| said.clone()).collect()
}

#[tokio::test]
async fn whatever_order_repeats_and_deaths_do_the_tables_end_the_same() {
    for seed in 0..5 {
        let mut random = Random(seed);
        let said = history(&mut random);
        for (mut straight, twisted) in Bench::all().await.into_iter().zip(Bench::all().await) {
            straight.apply(&said).await;

            let late = disturbed(&mut random, &said);
            let mut acks = twisted.acks().await;
            twisted.publish(1, &late).await;
            // The first life ends anywhere, with its transaction and its lease as they are.
            let reached = 1 + random.below(late.len() as u64 * 2 / 3);
            let first = tokio::spawn(twisted.worker("first").run());
            twisted.until_acknowledged(&mut acks, reached).await;
            first.abort();
            assert!(first.await.unwrap_err().is_cancelled());
            // Meanwhile the shipper starts again as well, and goes back.
            twisted.publish(1, &late).await;
            let second = tokio::spawn(twisted.worker("second").run());
            twisted.until_acknowledged(&mut acks, late.len() as u64).await;
            twisted.trigger.soft();
            second.await.unwrap().unwrap();

            let engine = twisted.test.engine();
            let (wanted, found) = (straight.sessions().await, twisted.sessions().await);
            for (wanted, found) in wanted.iter().zip(&found) {
                assert_eq!(found, wanted, "seed {seed}, {engine}");
            }
            assert_eq!(found.len(), wanted.len(), "seed {seed}, {engine}");
            assert_eq!(twisted.traffic().await, straight.traffic().await, "seed {seed}, {engine}");
            assert_eq!(twisted.state.dead_letters(), 0);
        }
    }
}
