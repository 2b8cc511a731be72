//! Simultaneous use: who may be online at once, and who goes where there is no room.

use std::net::Ipv4Addr;

use lab::peer::Kind;
use lab::{Isp, Lab, Nas, PATIENCE, Reply, SECOND, Session, Status, eventually};
use serde_json::{Value, json};

both_ways!(
    a_login_from_elsewhere_replaces_the_oldest_session,
    a_login_beyond_the_limit_is_refused_until_there_is_room,
    a_burst_of_logins_does_not_pass_together,
);

const HOME: &str = "0E:00:00:00:00:01";
const OFFICE: &str = "0E:00:00:00:00:02";
const CAFE: &str = "0E:00:00:00:00:03";

fn login_from(nas: &Nas, mac: &str) -> Reply {
    let station = format!("Calling-Station-Id = \"{mac}\"");
    nas.ask(&["User-Name = \"asha\"", "User-Password = \"s3cret\"", &station], 1)
}

/// A session that begins now, from this station.
#[track_caller]
fn connect_from(nas: &Nas, mac: &str) -> Session {
    let reply = login_from(nas, mac);
    assert!(reply.accepted(), "{}", reply.output);
    let session = Session { mac: mac.to_owned(), ..Session::of("asha", &reply) };
    let recorded = nas.accounting(Status::Start, &session);
    assert!(recorded.recorded(), "{}", recorded.output);
    session
}

/// Sets the limit of the plan, and waits until `aaad` knows it.
#[track_caller]
fn limit(lab: &Lab, isp: &Isp, change: &Value) {
    lab.api().patch(&format!("/api/v1/plans/{}", isp.plan), change).expect(200);
    eventually("the limit is known", PATIENCE, || {
        let explained = lab.netctl_json(&["explain", "asha"]);
        let steps = explained["steps"].as_array().expect("steps").clone();
        steps.iter().any(|step| step["rule"] == "sessions").then_some(())
    });
}

/// What `netctl explain` says of sessions.
fn explained(lab: &Lab) -> String {
    let explained = lab.netctl_json(&["explain", "asha"]);
    let steps = explained["steps"].as_array().expect("steps").clone();
    let step = steps.iter().find(|step| step["rule"] == "sessions").expect("a step of sessions");
    step["outcome"].as_str().expect("a text").to_owned()
}

fn live(lab: &Lab) -> Vec<String> {
    let answer = lab.netctl_json(&["sessions", "--login", "asha"]);
    let sessions = answer["sessions"].as_array().expect("a list of sessions");
    sessions.iter().map(|one| one["acct_session_id"].as_str().expect("text").to_owned()).collect()
}

fn a_login_from_elsewhere_replaces_the_oldest_session(lab: &mut Lab) {
    let isp = lab.isp();
    limit(lab, &isp, &json!({"session_limit": 2}));
    let second = lab.add_nas_at("bng2", Ipv4Addr::new(127, 0, 0, 2));
    eventually("bng2 is answered", PATIENCE, || {
        login_from(&second, OFFICE).accepted().then_some(())
    });
    let first = connect_from(&isp.nas, HOME);
    let other = connect_from(&second, OFFICE);
    assert!(explained(lab).starts_with("2 of 2 online"), "{}", explained(lab));
    assert!(isp.nas.coa_peer().requests().is_empty(), "two may be online");

    // The third is let in, and the oldest goes, on whatever NAS it is.
    let third = connect_from(&second, CAFE);
    let request = isp.nas.coa_peer().expect(Kind::Disconnect, &first.id);
    assert_eq!(request.user_name.as_deref(), Some("asha"));
    assert!(isp.nas.accounting(Status::Stop, &first).recorded());
    assert!(second.coa_peer().requests().is_empty(), "the others stay");

    // From the place of a session it is the same subscriber come back: no Disconnect, which
    // would hit the new one.
    let again = connect_from(&second, CAFE);
    eventually("the one it replaces is gone", SECOND, || {
        let live = live(lab);
        (!live.contains(&third.id) && live.contains(&again.id)).then_some(())
    });
    assert!(live(lab).contains(&other.id));
    assert!(second.coa_peer().requests().is_empty());
    assert_eq!(isp.nas.coa_peer().requests().len(), 1);
}

fn a_login_beyond_the_limit_is_refused_until_there_is_room(lab: &mut Lab) {
    let isp = lab.isp();
    limit(lab, &isp, &json!({"session_limit": 1, "session_limit_action": "reject"}));
    // What `isp` tried counts for no longer than a Start may take; from its place it comes back.
    let session = isp.nas.connect("asha", "s3cret");
    let refused = login_from(&isp.nas, OFFICE);
    assert!(refused.rejected(), "{}", refused.output);
    assert_eq!(refused.value("Reply-Message"), Some("This login is in use already."));
    let counted = lab.metric("aaad", "aaad_rejects_total", "too_many_sessions");
    assert!(counted >= 1.0);
    let explained = lab.netctl_json(&["explain", "asha"]);
    assert_eq!(explained["reason"], "too_many_sessions", "{explained}");
    // A service of its own limit.
    let own = json!({"session_limit": 2});
    lab.api().patch(&format!("/api/v1/services/{}", isp.service), &own).expect(200);
    let second = eventually("the service's own limit", PATIENCE, || {
        let reply = login_from(&isp.nas, OFFICE);
        reply.accepted().then_some(reply)
    });
    let second = Session { mac: OFFICE.to_owned(), ..Session::of("asha", &second) };
    assert!(isp.nas.accounting(Status::Start, &second).recorded());
    assert!(login_from(&isp.nas, CAFE).rejected());
    // It outlives a kill, since what is online is in the journal.
    lab.kill9("aaad");
    lab.revive("aaad");
    assert!(login_from(&isp.nas, CAFE).rejected());
    assert!(isp.nas.accounting(Status::Stop, &session).recorded());
    assert!(login_from(&isp.nas, CAFE).accepted(), "there is room");
    assert!(isp.nas.coa_peer().requests().is_empty());
}

fn a_burst_of_logins_does_not_pass_together(lab: &mut Lab) {
    let isp = lab.isp();
    limit(lab, &isp, &json!({"session_limit": 3, "session_limit_action": "reject"}));
    let nas = &isp.nas;
    let accepted = std::thread::scope(|scope| {
        let ask = |n: usize| {
            scope.spawn(move || login_from(nas, &format!("0E:00:00:00:01:{n:02X}")).accepted())
        };
        let asked: Vec<_> = (0..12).map(ask).collect();
        asked.into_iter().map(|one| one.join().expect("radclient")).filter(|a| *a).count()
    });
    assert_eq!(accepted, 3, "of 12");
}
