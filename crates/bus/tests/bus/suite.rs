//! The same checks for the local bus and for Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::{Bus, BusError, Follower, Position, RedisOptions};
use bytes::Bytes;
use tokio::time::{Instant, timeout};

/// No check waits longer for something that should come at once.
const SOON: Duration = Duration::from_secs(10);

macro_rules! in_both_homes {
    ($($check:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test]
            async fn $check() {
                super::$check(&bus::Bus::local()).await;
            })*
        }
        mod in_redis {
            $(#[tokio::test]
            async fn $check() {
                if let Some(url) = crate::test_redis() {
                    let guest = super::Guest::new(&url);
                    super::$check(&guest.bus).await;
                    guest.leave().await;
                }
            })*
        }
    };
}

in_both_homes!(
    the_bus_answers_and_its_epoch_stays,
    entries_come_in_the_order_they_were_appended,
    a_read_returns_no_more_than_asked_for,
    a_waiting_read_wakes_at_once,
    a_read_gives_up_when_its_wait_is_over,
    a_dropped_read_leaves_nothing_behind,
    a_trimmed_stream_goes_on_at_its_first_kept_entry,
    a_read_behind_the_end_sees_only_what_is_new,
    a_full_stream_takes_nothing_until_it_is_trimmed,
    a_follower_keeps_its_place,
    a_place_from_another_epoch_is_not_used,
    a_table_returns_what_was_put_and_not_what_was_deleted,
    a_large_table_comes_back_whole,
    clearing_a_table_leaves_the_others,
    a_mark_is_kept_byte_for_byte,
    a_lease_has_one_owner_until_it_runs_out,
    a_released_lease_is_free_at_once,
    one_of_many_gets_the_lease,
    every_call_can_run_in_a_task_of_its_own,
);

/// A bus in a shared Redis, under a prefix of its own.
struct Guest {
    bus: Bus,
    url: String,
    prefix: String,
}

impl Guest {
    fn new(url: &str) -> Guest {
        let prefix = format!("lastmile-test-{}", uuid::Uuid::now_v7());
        let mut options = RedisOptions::new(url);
        options.prefix = prefix.clone();
        // Others may load the same machine.
        options.call_timeout_ms = 10_000;
        options.connect_timeout_ms = 5_000;
        Guest { bus: Bus::redis(options).unwrap(), url: url.to_owned(), prefix }
    }

    /// Deletes what the check left in a Redis that others use too.
    async fn leave(self) {
        let client = redis::Client::open(self.url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut cursor = 0;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{{{}:*", self.prefix))
                .arg("COUNT")
                .arg(1000)
                .query_async(&mut connection)
                .await
                .unwrap();
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(&keys).exec_async(&mut connection).await.unwrap();
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
}

fn bodies(range: std::ops::Range<u32>) -> Vec<Bytes> {
    range.map(|n| Bytes::from(format!("entry {n}"))).collect()
}

/// Everything in a stream, from `after` on, without waiting.
async fn read_all(bus: &Bus, stream: &str, mut after: Position) -> Vec<Bytes> {
    let mut all = Vec::new();
    loop {
        let entries = bus.read(stream, after, 500, Duration::ZERO).await.unwrap();
        let Some(newest) = entries.last() else { return all };
        assert!(entries[0].position > after);
        assert!(entries.is_sorted_by(|a, b| a.position < b.position));
        after = newest.position;
        all.extend(entries.into_iter().map(|entry| entry.body));
    }
}

async fn load_all(bus: &Bus, table: &str) -> BTreeMap<String, Bytes> {
    let mut rows = BTreeMap::new();
    let handed_over = bus
        .load(table, &mut |key, row| {
            rows.insert(key.to_owned(), Bytes::copy_from_slice(row));
        })
        .await
        .unwrap();
    assert!(handed_over >= rows.len() as u64);
    rows
}

fn row(key: &str, row: &'static [u8]) -> (String, Option<Bytes>) {
    (key.to_owned(), Some(Bytes::from_static(row)))
}

async fn the_bus_answers_and_its_epoch_stays(bus: &Bus) {
    bus.ping().await.unwrap();
    let epoch = bus.epoch().await.unwrap();
    assert_eq!(bus.clone().epoch().await.unwrap(), epoch);
    assert_ne!(Bus::local().epoch().await.unwrap(), epoch);
}

async fn entries_come_in_the_order_they_were_appended(bus: &Bus) {
    // Several chunks, an empty body, bytes that are no text, and one body above a chunk's size.
    let mut expected = bodies(0..1500);
    expected.push(Bytes::new());
    expected.push(Bytes::from_static(&[0, 255, 13, 10]));
    expected.push(Bytes::from(vec![7; 3 << 20]));
    bus.append("s", &expected).await.unwrap();
    bus.append("s", &[]).await.unwrap();
    bus.append("other", &bodies(0..1)).await.unwrap();
    assert_eq!(bus.len("s").await.unwrap(), expected.len() as u64);
    assert_eq!(read_all(bus, "s", Position::START).await, expected);
}

async fn a_read_returns_no_more_than_asked_for(bus: &Bus) {
    bus.append("s", &bodies(0..10)).await.unwrap();
    for (asked, got) in [(3, 3), (0, 1), (usize::MAX, 10)] {
        for wait in [Duration::ZERO, SOON] {
            let entries = bus.read("s", Position::START, asked, wait).await.unwrap();
            assert_eq!(entries.len(), got);
        }
    }
}

async fn a_waiting_read_wakes_at_once(bus: &Bus) {
    // Each side waits for the other thirty times: were waking left to a poll or to the end of
    // the wait, the rounds would not fit into the time.
    let echo = async {
        let mut after = Position::START;
        for _ in 0..30 {
            let entries = bus.read("there", after, 1, SOON).await.unwrap();
            after = entries[0].position;
            bus.append("back", &[entries[0].body.clone()]).await.unwrap();
        }
    };
    let caller = async {
        let mut after = Position::START;
        for body in bodies(0..30) {
            bus.append("there", std::slice::from_ref(&body)).await.unwrap();
            let entries = bus.read("back", after, 1, SOON).await.unwrap();
            after = entries[0].position;
            assert_eq!(entries[0].body, body);
        }
    };
    timeout(SOON, async { tokio::join!(echo, caller) }).await.expect("thirty quick rounds");
}

async fn a_read_gives_up_when_its_wait_is_over(bus: &Bus) {
    let started = Instant::now();
    let wait = Duration::from_millis(200);
    let entries = bus.read("empty", Position::START, 10, wait).await.unwrap();
    assert!(entries.is_empty());
    assert!(started.elapsed() >= wait && started.elapsed() < SOON, "{:?}", started.elapsed());
}

async fn a_dropped_read_leaves_nothing_behind(bus: &Bus) {
    let long = Duration::from_secs(600);
    for _ in 0..3 {
        let read = bus.read("s", Position::START, 1, long);
        timeout(Duration::from_millis(50), read).await.expect_err("nothing is there yet");
    }
    bus.append("s", &bodies(0..1)).await.unwrap();
    let entries = timeout(SOON, bus.read("s", Position::START, 1, long)).await.unwrap().unwrap();
    assert_eq!(entries[0].body, "entry 0");
    let next = bus.read("s", entries[0].position, 1, Duration::from_millis(50));
    assert!(timeout(SOON, next).await.unwrap().unwrap().is_empty());
}

async fn a_trimmed_stream_goes_on_at_its_first_kept_entry(bus: &Bus) {
    bus.trim("s", Position::START).await.unwrap();
    bus.append("s", &bodies(0..10)).await.unwrap();
    let entries = bus.read("s", Position::START, 10, Duration::ZERO).await.unwrap();
    bus.trim("s", entries[5].position).await.unwrap();
    bus.trim("s", entries[2].position).await.unwrap();
    assert_eq!(bus.len("s").await.unwrap(), 4);
    let rest = bus.read("s", entries[1].position, 10, Duration::ZERO).await.unwrap();
    assert_eq!(rest, entries[6..]);
    bus.trim("s", entries[9].position).await.unwrap();
    assert_eq!(bus.len("s").await.unwrap(), 0);
    assert_eq!(bus.end("s").await.unwrap(), entries[9].position, "the end outlives the entries");
    bus.append("s", &bodies(10..11)).await.unwrap();
    let new = bus.read("s", entries[9].position, 10, Duration::ZERO).await.unwrap();
    assert_eq!(new.len(), 1);
}

async fn a_read_behind_the_end_sees_only_what_is_new(bus: &Bus) {
    assert_eq!(bus.end("s").await.unwrap(), Position::START);
    assert_eq!(bus.len("s").await.unwrap(), 0);
    bus.append("s", &bodies(0..3)).await.unwrap();
    let end = bus.end("s").await.unwrap();
    let last = bus.read("s", Position::START, 10, Duration::ZERO).await.unwrap();
    assert_eq!(last[2].position, end);
    bus.append("s", &bodies(3..5)).await.unwrap();
    assert_eq!(read_all(bus, "s", end).await, bodies(3..5));
}

async fn a_full_stream_takes_nothing_until_it_is_trimmed(bus: &Bus) {
    let bus = &bus.clone().with_stream_entries_max(700);
    bus.append("s", &bodies(0..600)).await.unwrap();
    let error = bus.append("s", &bodies(600..701)).await.unwrap_err();
    assert!(
        matches!(&error, BusError::Full { stream, entries_max: 700 } if stream == "s"),
        "{error:?}"
    );
    assert_eq!(bus.len("s").await.unwrap(), 600);
    // More than it could ever hold, in more than one chunk.
    bus.append("t", &bodies(0..701)).await.unwrap_err();
    assert_eq!(bus.len("t").await.unwrap(), 0);
    bus.append("s", &bodies(600..700)).await.unwrap();
    bus.append("s", &bodies(700..701)).await.unwrap_err();
    let oldest = bus.read("s", Position::START, 1, Duration::ZERO).await.unwrap();
    bus.trim("s", oldest[0].position).await.unwrap();
    bus.append("s", &bodies(700..701)).await.unwrap();
    assert_eq!(read_all(bus, "s", Position::START).await, bodies(1..701));
}

async fn a_follower_keeps_its_place(bus: &Bus) {
    let mut follower = Follower::new("s");
    bus.append("s", &bodies(0..3)).await.unwrap();
    let first = follower.next(bus, 2, SOON).await.unwrap();
    let second = follower.next(bus, 2, SOON).await.unwrap();
    assert!(!first.restarted && !second.restarted);
    assert_eq!((first.entries.len(), second.entries.len()), (2, 1));

    // Longer than the follower trusts the epoch, so that it asks in between.
    let started = Instant::now();
    let nothing = follower.next(bus, 2, Duration::from_millis(1200)).await.unwrap();
    assert!(nothing.entries.is_empty() && !nothing.restarted);
    assert!(started.elapsed() >= Duration::from_millis(1200));

    let mut resumed = Follower::resume("s", first.entries[0].position, follower.epoch);
    let rest = resumed.next(bus, 10, SOON).await.unwrap();
    assert!(!rest.restarted);
    assert_eq!(rest.entries.len(), 2);
}

async fn a_place_from_another_epoch_is_not_used(bus: &Bus) {
    bus.append("s", &bodies(0..3)).await.unwrap();
    let beyond = Position { ms: u64::MAX, seq: 0 };
    let other = Some(bus.epoch().await.unwrap() ^ 1);
    let mut follower = Follower::resume("s", beyond, other);
    let batch = follower.next(bus, 10, SOON).await.unwrap();
    assert!(batch.restarted);
    assert_eq!(batch.entries.len(), 3);
    bus.append("s", &bodies(3..4)).await.unwrap();
    let batch = follower.next(bus, 10, SOON).await.unwrap();
    assert!(!batch.restarted, "a restart is told once");
    assert_eq!(batch.entries.len(), 1);

    // With nothing to read, the news itself ends the wait.
    let mut follower = Follower::resume("empty", beyond, other);
    let batch = timeout(SOON, follower.next(bus, 10, SOON * 60)).await.unwrap().unwrap();
    assert!(batch.restarted && batch.entries.is_empty());
}

async fn a_table_returns_what_was_put_and_not_what_was_deleted(bus: &Bus) {
    assert!(load_all(bus, "t").await.is_empty());
    let rows = [
        row("a", b"1"),
        row("b", b""),
        row("c", &[0, 255]),
        row("", b"no key"),
        row("ключ", b"text"),
        // The same key twice in one call: the later row counts.
        row("twice", b"old"),
        row("twice", b"new"),
        row("gone", b"x"),
        ("gone".to_owned(), None),
        ("never there".to_owned(), None),
    ];
    bus.put("t", &rows).await.unwrap();
    bus.put("t", &[row("a", b"2"), ("c".to_owned(), None)]).await.unwrap();
    bus.put("t", &[]).await.unwrap();
    let expected: [(&str, &'static [u8]); 5] =
        [("a", b"2"), ("b", b""), ("", b"no key"), ("ключ", b"text"), ("twice", b"new")];
    let expected: BTreeMap<String, Bytes> =
        expected.into_iter().map(|(key, row)| (key.to_owned(), Bytes::from_static(row))).collect();
    assert_eq!(load_all(bus, "t").await, expected);
}

async fn a_large_table_comes_back_whole(bus: &Bus) {
    // Enough rows that Redis leaves its compact form and scans in steps; the local bus pauses.
    let body = Bytes::from(vec![7; 100]);
    let rows: Vec<_> = (0..20_000).map(|n| (format!("svc_{n}"), Some(body.clone()))).collect();
    bus.put("t", &rows).await.unwrap();
    assert_eq!(load_all(bus, "t").await.len(), rows.len());
    let deletions: Vec<_> = rows[..19_000].iter().map(|(key, _)| (key.clone(), None)).collect();
    bus.put("t", &deletions).await.unwrap();
    let left = load_all(bus, "t").await;
    assert_eq!(left.len(), 1_000);
    assert!(left.contains_key("svc_19000") && !left.contains_key("svc_18999"));
}

async fn clearing_a_table_leaves_the_others(bus: &Bus) {
    for table in ["t", "t2"] {
        bus.put(table, &[row("a", b"1"), row("b", b"2")]).await.unwrap();
        bus.set_mark(table, b"m").await.unwrap();
    }
    bus.clear("t").await.unwrap();
    bus.clear("never written").await.unwrap();
    assert!(load_all(bus, "t").await.is_empty());
    assert_eq!(bus.mark("t").await.unwrap(), None);
    assert_eq!(load_all(bus, "t2").await.len(), 2);
    assert_eq!(bus.mark("t2").await.unwrap().as_deref(), Some(&b"m"[..]));
}

async fn every_call_can_run_in_a_task_of_its_own(bus: &Bus) {
    let bus = bus.clone();
    let task = tokio::spawn(async move {
        bus.put("t", &[row("a", b"1")]).await.unwrap();
        let mut rows = Vec::new();
        bus.load("t", &mut |key, _| rows.push(key.to_owned())).await.unwrap();
        bus.append("s", &bodies(0..1)).await.unwrap();
        let entries = Follower::new("s").next(&bus, 1, SOON).await.unwrap().entries;
        (rows, entries.len(), bus.end("s").await.unwrap() == entries[0].position)
    });
    assert_eq!(task.await.unwrap(), (vec!["a".to_owned()], 1, true));
}

async fn a_mark_is_kept_byte_for_byte(bus: &Bus) {
    assert_eq!(bus.mark("t").await.unwrap(), None);
    for mark in [&b"1-2"[..], &[0, 255, 10], b""] {
        bus.set_mark("t", mark).await.unwrap();
        assert_eq!(bus.mark("t").await.unwrap().as_deref(), Some(mark));
    }
    assert!(load_all(bus, "t").await.is_empty(), "a mark is no row");
}

async fn a_lease_has_one_owner_until_it_runs_out(bus: &Bus) {
    let ttl = Duration::from_millis(500);
    let token = bus.lease("l", "first", ttl).await.unwrap().expect("it is free");
    let granted = Instant::now();
    assert_eq!(bus.lease("l", "second", ttl).await.unwrap(), None);
    assert!(bus.lease("other", "second", ttl).await.unwrap().is_some());
    let taken_over = loop {
        // Time itself is what this waits for.
        match bus.lease("l", "second", SOON).await.unwrap() {
            Some(token) => break token,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(granted.elapsed() < SOON, "the lease never ran out");
    };
    assert!(granted.elapsed() >= ttl - Duration::from_millis(100), "{:?}", granted.elapsed());
    assert!(taken_over > token, "{taken_over} after {token}");
    assert_eq!(bus.lease("l", "first", ttl).await.unwrap(), None);
    let renewed = bus.lease("l", "second", SOON).await.unwrap();
    assert_eq!(renewed, Some(taken_over), "renewing keeps the token");
}

async fn a_released_lease_is_free_at_once(bus: &Bus) {
    bus.release("l", "nobody").await.unwrap();
    let first = bus.lease("l", "first", SOON).await.unwrap().unwrap();
    bus.release("l", "second").await.unwrap();
    assert_eq!(bus.lease("l", "second", SOON).await.unwrap(), None, "it was not theirs to release");
    bus.release("l", "first").await.unwrap();
    let second = bus.lease("l", "second", SOON).await.unwrap().unwrap();
    bus.release("l", "second").await.unwrap();
    let third = bus.lease("l", "second", SOON).await.unwrap().unwrap();
    assert!(first < second && second < third);
}

async fn one_of_many_gets_the_lease(bus: &Bus) {
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let bus = bus.clone();
            tokio::spawn(async move { bus.lease("l", &format!("owner {n}"), SOON).await.unwrap() })
        })
        .collect();
    let mut owners = 0;
    for task in tasks {
        owners += usize::from(task.await.unwrap().is_some());
    }
    assert_eq!(owners, 1);
}
