//! Redis flushed, killed, frozen, out of memory and ill-tempered.

use std::time::Duration;

use bus::{Bus, BusError, Follower, Position};
use bytes::Bytes;
use tokio::time::{Instant, timeout};

use crate::redis_server::RedisServer;

const CALL_TIMEOUT_MS: u64 = 1_000;

/// A call's timeout and what a loaded machine may add.
const IN_TIME: Duration = Duration::from_millis(CALL_TIMEOUT_MS + 2_000);

const SOON: Duration = Duration::from_secs(20);

fn one(body: &'static str) -> [Bytes; 1] {
    [Bytes::from_static(body.as_bytes())]
}

/// Repeats a call until it succeeds: the server is coming back.
async fn until_ok<T>(mut call: impl AsyncFnMut() -> Result<T, BusError>) -> T {
    let repeats = async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(BusError::Unavailable { .. } | BusError::Timeout { .. }) => {}
                Err(error) => panic!("not an error that passes: {error:?}"),
            }
        }
    };
    timeout(SOON, repeats).await.expect("the bus comes back by itself")
}

/// Waits until so many connections wait in a blocking read.
async fn until_blocked(server: &RedisServer, readers: &str) {
    let wanted = format!("blocked_clients:{readers}\r\n");
    let blocked =
        async { while !server.run::<String>(&["INFO", "clients"]).await.contains(&wanted) {} };
    timeout(SOON, blocked).await.expect("the readers reach the server");
}

#[tokio::test]
async fn a_waiting_follower_notices_that_redis_was_flushed() {
    if crate::test_redis().is_none() {
        return;
    }
    let server = RedisServer::start();
    let bus = server.bus(CALL_TIMEOUT_MS).await;
    bus.append("s", &[Bytes::from("a"), Bytes::from("b")]).await.unwrap();
    let token = bus.lease("l", "owner", SOON).await.unwrap().unwrap();
    let mut follower = Follower::new("s");
    assert_eq!(follower.next(&bus, 10, SOON).await.unwrap().entries.len(), 2);
    let before = follower.epoch;

    let waiting = tokio::spawn({
        let bus = bus.clone();
        async move {
            let batch = follower.next(&bus, 10, SOON).await.unwrap();
            (follower, batch)
        }
    });
    until_blocked(&server, "1").await;
    server.run::<()>(&["FLUSHALL"]).await;

    let (mut follower, batch) = timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert!(batch.restarted && batch.entries.is_empty(), "{batch:?}");
    assert_ne!(follower.epoch, before);
    assert_eq!(follower.epoch, Some(bus.epoch().await.unwrap()));
    assert_eq!(follower.position, Position::START);

    bus.append("s", &one("c")).await.unwrap();
    let batch = follower.next(&bus, 10, SOON).await.unwrap();
    assert!(!batch.restarted);
    assert_eq!(batch.entries[0].body, "c");

    let anew = bus.lease("l", "owner", SOON).await.unwrap().unwrap();
    assert!(anew > token, "tokens rise although the last one was lost");
}

#[tokio::test]
async fn calls_fail_in_time_while_redis_is_dead_and_recover_when_it_is_back() {
    if crate::test_redis().is_none() {
        return;
    }
    let mut server = RedisServer::start();
    let bus = server.bus(CALL_TIMEOUT_MS).await;
    bus.append("s", &one("before")).await.unwrap();
    let mut follower = Follower::new("s");
    assert_eq!(follower.next(&bus, 10, SOON).await.unwrap().entries.len(), 1);
    let epoch = bus.epoch().await.unwrap();

    // One reader is in the middle of a long wait when the server dies.
    let reading = tokio::spawn({
        let (bus, after) = (bus.clone(), follower.position);
        async move {
            let answer = bus.read("s", after, 10, Duration::from_secs(600)).await;
            (answer, Instant::now())
        }
    });
    until_blocked(&server, "1").await;
    let killed = Instant::now();
    server.kill();

    let (answer, ended) = timeout(SOON, reading).await.unwrap().unwrap();
    assert!(matches!(answer, Err(BusError::Unavailable { .. })), "{answer:?}");
    assert!(ended - killed < IN_TIME, "{:?}", ended - killed);

    assert_unavailable_in_time(async || bus.ping().await).await;
    assert_unavailable_in_time(async || bus.append("s", &one("lost")).await).await;
    assert_unavailable_in_time(async || {
        bus.read("s", Position::START, 1, Duration::from_secs(600)).await.map(drop)
    })
    .await;
    assert_unavailable_in_time(async || follower.clone().next(&bus, 1, SOON).await.map(drop)).await;
    // Many at once wait side by side, not one behind the other.
    let started = Instant::now();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move { bus.len("s").await })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Err(BusError::Unavailable { .. })));
    }
    assert!(started.elapsed() < IN_TIME, "{:?}", started.elapsed());

    server.restart();
    until_ok(async || bus.ping().await).await;
    assert_ne!(bus.epoch().await.unwrap(), epoch, "nothing was saved");
    bus.append("s", &one("after")).await.unwrap();
    let batch = follower.next(&bus, 10, SOON).await.unwrap();
    assert!(batch.restarted);
    assert_eq!(batch.entries[0].body, "after");
}

async fn assert_unavailable_in_time(call: impl AsyncFnOnce() -> Result<(), BusError>) {
    let started = Instant::now();
    let error = call().await.unwrap_err();
    assert!(matches!(error, BusError::Unavailable { .. }), "{error:?}");
    assert!(started.elapsed() < IN_TIME, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_restart_between_two_calls_goes_unnoticed_but_for_the_epoch() {
    if crate::test_redis().is_none() {
        return;
    }
    let mut server = RedisServer::start();
    let bus = server.bus(20_000).await;
    let epoch = bus.epoch().await.unwrap();
    bus.append("s", &one("a")).await.unwrap();
    bus.read("s", Position::START, 1, SOON).await.unwrap();
    server.kill();
    server.restart();
    // Both the shared connection and the idle reader are stale now.
    bus.append("s", &one("b")).await.unwrap();
    assert_eq!(bus.read("s", Position::START, 1, SOON).await.unwrap()[0].body, "b");
    assert_ne!(bus.epoch().await.unwrap(), epoch);
}

#[tokio::test]
async fn a_frozen_redis_is_a_timeout_and_no_more_once_it_thaws() {
    if crate::test_redis().is_none() {
        return;
    }
    let server = RedisServer::start();
    let bus = server.bus(CALL_TIMEOUT_MS).await;
    let epoch = bus.epoch().await.unwrap();
    bus.append("s", &one("kept")).await.unwrap();
    bus.read("s", Position::START, 1, SOON).await.unwrap();

    server.freeze();
    let started = Instant::now();
    let error = bus.ping().await.unwrap_err();
    assert!(matches!(error, BusError::Timeout { limit_ms: CALL_TIMEOUT_MS }), "{error:?}");
    assert!(started.elapsed() < IN_TIME, "{:?}", started.elapsed());
    let started = Instant::now();
    let wait = Duration::from_millis(100);
    let error = bus.read("s", Position::START, 1, wait).await.unwrap_err();
    assert!(matches!(error, BusError::Timeout { .. }), "{error:?}");
    assert!(started.elapsed() < IN_TIME + wait, "{:?}", started.elapsed());
    // The next ones find no connection either, since the handshake is not answered.
    let error = bus.append("s", &one("lost")).await.unwrap_err();
    assert!(matches!(error, BusError::Unavailable { .. } | BusError::Timeout { .. }), "{error:?}");

    server.thaw();
    until_ok(async || bus.ping().await).await;
    assert_eq!(bus.epoch().await.unwrap(), epoch);
    let entries = bus.read("s", Position::START, 10, SOON).await.unwrap();
    assert_eq!(entries[0].body, "kept");
}

#[tokio::test]
async fn what_redis_refuses_fails_at_once_and_names_the_reason() {
    if crate::test_redis().is_none() {
        return;
    }
    let server = RedisServer::start();
    let bus = server.bus(20_000).await;
    let started = Instant::now();

    server.run::<()>(&["SET", "{lastmile:stream:s}", "not a stream"]).await;
    assert_refused(bus.append("s", &one("a")).await, "WRONGTYPE");
    assert_refused(bus.read("s", Position::START, 1, SOON).await.map(drop), "WRONGTYPE");
    server.run::<()>(&["XADD", "{lastmile:stream:t}", "*", "somebody", "else"]).await;
    let error = bus.read("t", Position::START, 1, SOON).await.unwrap_err();
    assert!(matches!(error, BusError::Foreign { key } if key == "{lastmile:stream:t}"));

    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_refused(bus.append("u", &one("a")).await, "OOM");
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    bus.append("u", &one("a")).await.unwrap();

    server.run::<()>(&["ACL", "SETUSER", "fiona", "on", ">right", "~*", "&*", "+@all"]).await;
    let with = |password: &str| {
        server.bus_with(&server.url().replace("//", &format!("//fiona:{password}@")), 20_000)
    };
    with("right").ping().await.unwrap();
    let stranger: Bus = with("wrong");
    assert_refused(stranger.ping().await, "");
    assert!(!stranger.describe().contains("wrong"));
    assert!(started.elapsed() < SOON, "a refusal is not tried again: {:?}", started.elapsed());
}

fn assert_refused(answer: Result<(), BusError>, reason: &str) {
    match answer {
        Err(BusError::Refused { source, .. }) => {
            assert!(source.to_string().contains(reason), "{source}");
        }
        other => panic!("{other:?}"),
    }
}
