//! kill -9 under load: what was acknowledged is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab::wire::WireNas;
use lab::{Api, Lab, Nas, PATIENCE, eventually};

both_ways!(an_acknowledged_record_survives_kill_9);

/// NAS ports that report at once.
const SENDERS: usize = 8;
/// Acknowledged records before each kill.
const ACKNOWLEDGED: usize = 200;
/// How long a sender waits before it sends a record again.
const RETRY: Duration = Duration::from_millis(500);

/// Senders that report the start of one session after the other.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    senders: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(nas: &Nas, name: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let sender = |n: usize| {
            let mut wire = WireNas::new(nas.source, nas.acct, &nas.secret);
            let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
            let name = format!("{name}-{n}");
            std::thread::spawn(move || {
                let mut kept = Vec::new();
                for count in 0.. {
                    let id = format!("{name}-{count}");
                    // As a NAS does: again and again, until it is acknowledged.
                    while !wire.start("asha", &id, RETRY) {
                        if stop.load(Ordering::Relaxed) {
                            return kept;
                        }
                    }
                    kept.push(id);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        return kept;
                    }
                }
                kept
            })
        };
        let senders = (0..SENDERS).map(sender).collect();
        Self { stop, acknowledged, senders }
    }

    /// Waits until this many more records are acknowledged.
    #[track_caller]
    fn wait_for(&self, records: usize) {
        let now = || self.acknowledged.load(Ordering::Relaxed);
        let enough = now() + records;
        eventually(&format!("{enough} acknowledged records"), PATIENCE, || {
            (now() >= enough).then_some(())
        });
    }

    /// Ends the senders; every id that was acknowledged.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.senders.into_iter().map(|sender| sender.join().expect("a sender"));
        ended.flatten().collect()
    }
}

/// Checks that each is listed exactly once, in the end.
#[track_caller]
fn assert_all_listed(api: &Api, acknowledged: &[String]) {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut listed: BTreeMap<String, usize> = BTreeMap::new();
        for session in api.sessions("asha") {
            let id = session["acct_session_id"].as_str().expect("text").to_owned();
            *listed.entry(id).or_default() += 1;
        }
        let twice: Vec<_> = listed.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "listed more than once: {twice:?}");
        let missing: Vec<_> = acknowledged.iter().filter(|id| !listed.contains_key(*id)).collect();
        if missing.is_empty() {
            return;
        }
        let (lost, of) = (missing.len(), acknowledged.len());
        assert!(Instant::now() < until, "{lost} of {of} acknowledged are missing: {missing:?}");
    }
}

fn an_acknowledged_record_survives_kill_9(lab: &mut Lab) {
    let isp = lab.isp();
    let mut acknowledged = Vec::new();
    for round in ["first", "second"] {
        let load = Load::start(&isp.nas, round);
        load.wait_for(ACKNOWLEDGED);
        lab.kill9("aaad");
        acknowledged.extend(load.stop());
        lab.revive("aaad");
    }
    assert!(acknowledged.len() >= 2 * ACKNOWLEDGED);
    assert_all_listed(lab.api(), &acknowledged);
    // aaad itself knows them all as live: checkpoint and the journal's tail.
    let live = lab.netctl_json(&["sessions", "--login", "asha", "--limit", "1"]);
    let total = live["total"].as_u64().expect("a number") as usize;
    assert!(total >= acknowledged.len(), "{total} live of {}", acknowledged.len());
}

#[test]
fn accounting_goes_on_while_policyd_and_billing_api_are_dead() {
    let mut lab = Lab::separate();
    let isp = lab.isp();
    let load = Load::start(&isp.nas, "alone");
    load.wait_for(ACKNOWLEDGED);
    lab.kill9("policyd");
    lab.kill9("billing-api");
    load.wait_for(ACKNOWLEDGED);
    assert!(isp.nas.login("asha", "s3cret").accepted(), "logins go on too");
    let acknowledged = load.stop();
    lab.revive_all();
    assert_all_listed(lab.api(), &acknowledged);
}
