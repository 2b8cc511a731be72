//! Sessions, from the NAS's reports to the lists.

use std::net::Ipv4Addr;

use lab::{Lab, Nas, SECOND, Session, Status, eventually};
use serde_json::Value;

both_ways!(
    a_session_is_listed_with_its_octets_within_a_second,
    repeats_and_late_reports_change_nothing,
    a_nas_that_restarts_closes_its_own_sessions_alone,
);

#[track_caller]
fn report(nas: &Nas, status: Status, session: &Session) {
    let reply = nas.accounting(status, session);
    assert!(reply.recorded(), "{status:?}: {}", reply.output);
}

/// The session in `GET /api/v1/sessions`, once it is as wanted.
#[track_caller]
fn listed(lab: &Lab, session: &Session, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually("the session in the API", SECOND, || {
        lab.api().session(&session.login, &session.id).filter(&wanted)
    })
}

/// The session in `netctl sessions`, if it is live.
fn live(lab: &Lab, session: &Session) -> Option<Value> {
    let answer = lab.netctl_json(&["sessions", "--login", &session.login]);
    let sessions = answer["sessions"].as_array().expect("a list of sessions").clone();
    sessions.into_iter().find(|live| live["acct_session_id"] == session.id)
}

fn a_session_is_listed_with_its_octets_within_a_second(lab: &mut Lab) {
    let isp = lab.isp();
    let mut session = isp.nas.connect("asha", "s3cret");
    let first = listed(lab, &session, |_| true);
    assert!(first["id"].as_str().is_some_and(|id| id.starts_with("sess_")), "{first}");
    for (field, value) in [
        ("login", "asha"),
        ("state", "open"),
        ("nas_name", "bng1"),
        ("ip", "100.64.0.7"),
        ("nas_id", isp.nas.id.as_str()),
        ("service_id", isp.service.as_str()),
        ("customer_id", isp.customer.as_str()),
    ] {
        assert_eq!(first[field], value, "{field} in {first}");
    }

    // Three rounds of the 32-bit counter down, one up.
    session.download_octets = (3 << 32) + 123_456;
    session.upload_octets = (1 << 32) + 77;
    report(&isp.nas, Status::Interim, &session);
    let octets = |seen: &Value| {
        seen["download_octets"] == session.download_octets
            && seen["upload_octets"] == session.upload_octets
    };
    let second = listed(lab, &session, octets);
    assert_eq!((&second["id"], &second["state"]), (&first["id"], &"open".into()));
    let shown = live(lab, &session).expect("netctl shows a live session");
    assert!(octets(&shown), "{shown}");
    assert_eq!(shown["nas_name"], "bng1");
    let text = lab.netctl(&["sessions"]).stdout;
    assert!(text.contains("asha") && text.contains("bng1"), "{text}");

    session.download_octets += 1_000_000;
    report(&isp.nas, Status::Stop, &session);
    let closed = listed(lab, &session, |seen| seen["state"] == "closed");
    assert_eq!(closed["download_octets"], session.download_octets);
    assert!(closed["ended_at"].is_string() && closed["end_cause"].is_string(), "{closed}");
    assert_eq!(live(lab, &session), None);
}

fn repeats_and_late_reports_change_nothing(lab: &mut Lab) {
    let isp = lab.isp();
    let mut session = isp.nas.connect("asha", "s3cret");
    session.download_octets = 5_000;
    report(&isp.nas, Status::Interim, &session);
    session.download_octets = 9_000;
    report(&isp.nas, Status::Stop, &session);
    listed(lab, &session, |seen| seen["state"] == "closed");

    // The Stop again, in a packet of its own, and an interim update that was held up.
    report(&isp.nas, Status::Stop, &session);
    let late = Session { download_octets: 7_000, ..session.clone() };
    report(&isp.nas, Status::Interim, &late);
    // Start, interim, Stop, and these two.
    eventually("policyd has seen all five", SECOND, || {
        let seen = |name| lab.metric("policyd", name, "");
        let all = seen("policyd_records_applied_total") + seen("policyd_records_skipped_total");
        (all >= 5.0).then_some(())
    });
    let all = lab.api().sessions("asha");
    let of_session: Vec<&Value> =
        all.iter().filter(|seen| seen["acct_session_id"] == session.id).collect();
    assert_eq!(of_session.len(), 1, "{of_session:?}");
    assert_eq!(of_session[0]["state"], "closed");
    assert_eq!(of_session[0]["download_octets"], 9_000);
    assert_eq!(live(lab, &session), None);
}

fn a_nas_that_restarts_closes_its_own_sessions_alone(lab: &mut Lab) {
    let isp = lab.isp();
    let other = lab.add_nas_at("bng2", Ipv4Addr::new(127, 0, 0, 2));
    let here = isp.nas.connect("asha", "s3cret");
    let there = other.connect("asha", "s3cret");
    listed(lab, &here, |seen| seen["state"] == "open");
    listed(lab, &there, |seen| seen["state"] == "open");
    report(&isp.nas, Status::On, &here);
    listed(lab, &here, |seen| seen["state"] == "closed");
    assert_eq!(live(lab, &here), None);
    listed(lab, &there, |seen| seen["state"] == "open");
    assert!(live(lab, &there).is_some());
}
