//! Backups: made while everything runs, restored over what came after.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lab::lab::Way;
use lab::program::Ended;
use lab::wire::WireNas;
use lab::{Lab, PATIENCE, Status, eventually};
use serde_json::Value;

both_ways!(
    a_restored_installation_is_what_it_was_and_misses_no_accounting,
    a_backup_that_cannot_be_believed_is_refused_in_one_clear_line,
);

/// A record lost behind a restored database comes again after a pause of ten seconds at most.
const SHIPPED_AGAIN: Duration = Duration::from_secs(60);
/// How long a sender waits before it sends a record again.
const RETRY: Duration = Duration::from_millis(500);

/// The arguments that name the installation: the data directory of `netctl up`, or a settings
/// file of billing-api made for this.
fn installation(lab: &Lab) -> Vec<String> {
    let Some(url) = lab.database_url() else {
        return vec!["--data".to_owned(), text(&lab.data()).to_owned()];
    };
    let path = lab.data().join("billing-api.toml");
    let key = lab.data().join("key");
    let settings = format!(
        "key_file = '{}'\n[database]\nurl = '{url}'\n[network]\nurl = '{url}'\n",
        key.display()
    );
    std::fs::write(&path, settings).expect("write the settings");
    vec!["--config".to_owned(), text(&path).to_owned()]
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of the lab are UTF-8")
}

fn backup(lab: &Lab, verb: &str, arguments: &[&str]) -> Ended {
    let installation = installation(lab);
    let mut all = vec!["backup", verb];
    all.extend(installation.iter().map(String::as_str));
    all.extend(arguments);
    lab.netctl(&all)
}

/// Makes a backup and returns where it is.
#[track_caller]
fn made(lab: &Lab, arguments: &[&str]) -> PathBuf {
    let folder = lab.data().join("backups");
    let ended = backup(lab, "now", &[&["--json", "--to", text(&folder)], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    PathBuf::from(made["path"].as_str().expect("a path"))
}

/// Ends the programs that use a database, as a power cut would; where `aaad` is a process of its
/// own, it goes on.
fn power_cut(lab: &mut Lab) {
    match lab.way() {
        Way::Embedded => lab.kill9("billing-api"),
        Way::Separate => {
            lab.kill9("billing-api");
            lab.kill9("policyd");
        }
    }
}

#[track_caller]
fn wait_listed(lab: &Lab, session: &str, within: Duration) {
    eventually(&format!("session {session} in the API"), within, || {
        lab.api().session("asha", session)
    });
}

fn a_restored_installation_is_what_it_was_and_misses_no_accounting(lab: &mut Lab) {
    let isp = lab.isp();
    let before = isp.nas.connect("asha", "s3cret");
    wait_listed(lab, &before.id, PATIENCE);

    // While accounting and the office go on.
    let stop = Arc::new(AtomicBool::new(false));
    let recorded = Arc::new(AtomicUsize::new(0));
    let accounting = {
        let (stop, recorded) = (stop.clone(), recorded.clone());
        let mut wire = WireNas::new(isp.nas.source, isp.nas.acct, &isp.nas.secret);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let id = format!("meanwhile-{}", kept.len());
                if wire.start("asha", &id, RETRY) {
                    kept.push(id);
                    recorded.fetch_add(1, Ordering::Relaxed);
                }
            }
            kept
        })
    };
    let office = {
        let (stop, api) = (stop.clone(), lab.api().clone());
        std::thread::spawn(move || {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                api.create_customer(&format!("Customer {count}"), "c@example.net");
                count += 1;
            }
            count
        })
    };
    let more = |records: usize| {
        let enough = recorded.load(Ordering::Relaxed) + records;
        eventually("accounting goes on", PATIENCE, || {
            (recorded.load(Ordering::Relaxed) >= enough).then_some(())
        });
    };
    more(20);
    let file = made(lab, &["--keep", "3"]);
    more(20);
    stop.store(true, Ordering::Relaxed);
    let meanwhile = accounting.join().expect("the sender of accounting");
    assert!(office.join().expect("the office") > 0);

    let verified = backup(lab, "verify", &["--json", text(&file)]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let verified: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    assert_eq!(verified["secrets_opened"], true, "{verified}");
    assert_eq!(verified["databases"].as_array().expect("databases").len(), 2, "{verified}");
    let folder = file.parent().expect("a folder");
    let listed = lab.netctl_json(&["backup", "list", "--from", text(folder)]);
    assert_eq!(listed.as_array().expect("a list").len(), 1, "{listed}");

    // What comes after it: a subscriber, a hold, a session.
    let ravi = lab.api().create_customer("Ravi Iyer", "ravi@example.net");
    lab.api().create_service(&ravi, &isp.plan, "ravi", "s3cret-2");
    eventually("ravi can log in", PATIENCE, || {
        isp.nas.login("ravi", "s3cret-2").accepted().then_some(())
    });
    let after = isp.nas.connect("asha", "s3cret");
    wait_listed(lab, &after.id, PATIENCE);
    lab.api().suspend(&isp.service);
    eventually("asha is refused", PATIENCE, || {
        isp.nas.login("asha", "s3cret").rejected().then_some(())
    });

    let in_use = backup(lab, "restore", &["--replace", text(&file)]);
    assert_eq!(in_use.code, Some(7), "{in_use:?}");
    power_cut(lab);
    let there = backup(lab, "restore", &[text(&file)]);
    assert_eq!(there.code, Some(7), "{there:?}");
    assert!(there.stderr.contains("--replace"), "{there:?}");
    let restored = backup(lab, "restore", &["--replace", text(&file)]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(restored.stdout.contains("netctl policy accept"), "{}", restored.stdout);
    lab.revive_all();

    // The office is as it was, and so is the network.
    assert_eq!(lab.api().get(&format!("/api/v1/customers/{ravi}")).status, 404);
    lab.api().get(&format!("/api/v1/customers/{}", isp.customer)).expect(200);
    eventually("asha can log in again", PATIENCE, || {
        isp.nas.login("asha", "s3cret").accepted().then_some(())
    });
    eventually("ravi is nobody again", PATIENCE, || {
        isp.nas.login("ravi", "s3cret-2").rejected().then_some(())
    });
    // Changes still reach it, on the new line.
    lab.api().suspend(&isp.service);
    eventually("asha is refused again", PATIENCE, || {
        isp.nas.login("asha", "s3cret").rejected().then_some(())
    });

    // The next record of one session shows the gap, and what came after the backup comes again.
    let reply = isp.nas.accounting(Status::Interim, &after);
    assert!(reply.recorded(), "{}", reply.output);
    wait_listed(lab, &after.id, SHIPPED_AGAIN);
    wait_listed(lab, &before.id, PATIENCE);
    eventually("every session that was acknowledged", PATIENCE, || {
        let listed = lab.api().sessions("asha");
        let listed: BTreeSet<&str> =
            listed.iter().filter_map(|session| session["acct_session_id"].as_str()).collect();
        meanwhile.iter().all(|session| listed.contains(session.as_str())).then_some(())
    });
}

/// Checks that it failed with this code and one line that has these words.
#[track_caller]
fn assert_refused(ended: &Ended, code: i32, words: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let line = ended.stderr.trim_end();
    assert_eq!(line.lines().count(), 1, "one line: {line}");
    assert!(line.contains(words), "{words} in {line}");
}

fn a_backup_that_cannot_be_believed_is_refused_in_one_clear_line(lab: &mut Lab) {
    let isp = lab.isp();
    let (right, wrong) = (lab.data().join("right"), lab.data().join("wrong"));
    std::fs::write(&right, "correct horse battery\n").expect("write a passphrase");
    std::fs::write(&wrong, "incorrect horse battery\n").expect("write a passphrase");
    let (right, wrong) = (text(&right), text(&wrong));
    let file = made(lab, &["--passphrase-file", right]);
    let whole = std::fs::read(&file).expect("read the backup");
    power_cut(lab);

    let restore =
        |more: &[&str]| backup(lab, "restore", &[&["--replace", text(&file)], more].concat());
    assert_refused(&restore(&["--passphrase-file", wrong]), 4, "the passphrase does not open");
    assert_refused(&restore(&[]), 4, "--passphrase-file");
    let with = |octets: &[u8], more: &[&str]| {
        std::fs::write(&file, octets).expect("write the backup");
        restore(&[&["--passphrase-file", right], more].concat())
    };
    assert_refused(&with(&whole[..whole.len() / 2], &[]), 5, "the rest is missing");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    assert_refused(&with(&flipped, &[]), 5, "is damaged");
    let mut newer = whole.clone();
    newer[9] += 1;
    assert_refused(&with(&newer, &[]), 6, "upgrade");
    assert_refused(&with(b"something else", &[]), 5, "is not a Lastmile backup");

    // Nothing was touched, and the whole file restores.
    lab.revive_all();
    lab.api().get(&format!("/api/v1/customers/{}", isp.customer)).expect(200);
    power_cut(lab);
    let restore =
        |more: &[&str]| backup(lab, "restore", &[&["--replace", text(&file)], more].concat());
    std::fs::write(&file, &whole).expect("write the backup");
    let restored = restore(&["--passphrase-file", right]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    lab.revive_all();
    assert!(isp.nas.login("asha", "s3cret").accepted());
}
