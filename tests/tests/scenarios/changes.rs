//! What changes while a subscriber is online.

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::peer::Kind;
use lab::wire::WireNas;
use lab::{Lab, Manner, PATIENCE, SECOND, Session, Status, eventually};

both_ways!(
    a_suspended_service_is_cut_off_and_refused_until_it_is_activated,
    a_change_of_plan_changes_the_live_session,
    a_nas_that_refuses_is_reported,
    a_silent_nas_is_asked_again_and_holds_up_no_other,
    too_many_disconnects_at_once_are_held_until_they_are_released,
);

/// Session-Context-Not-Found (RFC 5176 §3.5).
const NOT_FOUND: u32 = 503;

/// What the last CoA or Disconnect of a live session came to.
fn outcome(lab: &Lab, session: &Session) -> Option<String> {
    let answer = lab.netctl_json(&["sessions", "--login", &session.login]);
    let sessions = answer["sessions"].as_array().expect("a list of sessions");
    let live = sessions.iter().find(|live| live["acct_session_id"] == session.id)?;
    live["coa"].as_str().map(str::to_owned)
}

#[track_caller]
fn outcome_with(lab: &Lab, session: &Session, words: &[&str], within: Duration) {
    eventually(&format!("an outcome with {words:?}"), within, || {
        let outcome = outcome(lab, session)?;
        words.iter().all(|word| outcome.contains(word)).then_some(())
    });
}

fn a_suspended_service_is_cut_off_and_refused_until_it_is_activated(lab: &mut Lab) {
    let isp = lab.isp();
    let session = isp.nas.connect("asha", "s3cret");
    lab.api().suspend(&isp.service);
    let request = isp.nas.coa_peer().expect(Kind::Disconnect, &session.id);
    assert_eq!(request.user_name.as_deref(), Some("asha"));
    // It comes from the address the NAS talks to.
    assert_eq!(request.from.ip(), lab.listening()[0].ip());
    let stop = isp.nas.accounting(Status::Stop, &session);
    assert!(stop.recorded(), "{}", stop.output);

    let refused = isp.nas.login("asha", "s3cret");
    assert!(refused.rejected(), "{}", refused.output);
    let message = "Your service is suspended. Please contact support.";
    assert_eq!(refused.value("Reply-Message"), Some(message));
    eventually("the log says why", SECOND, || {
        lab.log().lines().any(|line| line.contains("held_admin")).then_some(())
    });

    lab.api().activate(&isp.service);
    eventually("asha is let in again", SECOND, || {
        isp.nas.login("asha", "s3cret").accepted().then_some(())
    });
    assert_eq!(isp.nas.coa_peer().requests().len(), 1, "one Disconnect and nothing else");
}

fn a_change_of_plan_changes_the_live_session(lab: &mut Lab) {
    let isp = lab.isp();
    let faster = lab.api().create_plan("Home 100", 100_000_000, 40_000_000);
    let session = isp.nas.connect("asha", "s3cret");
    lab.api().change_plan(&isp.service, &faster);
    let request = isp.nas.coa_peer().expect(Kind::Change, &session.id);
    assert_eq!(request.user_name.as_deref(), Some("asha"));
    assert_eq!(request.rate_limit.as_deref(), Some("40M/100M"));
    outcome_with(lab, &session, &["CoA", "acknowledged"], SECOND);
    let again = isp.nas.login("asha", "s3cret");
    assert_eq!(again.value("Mikrotik-Rate-Limit"), Some("40M/100M"), "{}", again.output);

    // And back: what the session has now is known, so it is moved again.
    lab.api().change_plan(&isp.service, &isp.plan);
    eventually("the CoA back", SECOND, || {
        let back = |rate: &Option<String>| rate.as_deref() == Some("20M/50M");
        isp.nas.coa_peer().requests().iter().any(|r| back(&r.rate_limit)).then_some(())
    });
    let kinds: Vec<Kind> = isp.nas.coa_peer().requests().iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [Kind::Change, Kind::Change], "nobody is cut off for a change of rate");
}

fn a_nas_that_refuses_is_reported(lab: &mut Lab) {
    let isp = lab.isp();
    let faster = lab.api().create_plan("Home 100", 100_000_000, 40_000_000);
    let session = isp.nas.connect("asha", "s3cret");
    isp.nas.coa_peer().answers(Manner::Refuse(NOT_FOUND));
    lab.api().change_plan(&isp.service, &faster);
    isp.nas.coa_peer().expect(Kind::Change, &session.id);
    outcome_with(lab, &session, &["CoA", "refused", "Error-Cause"], SECOND);
    assert_eq!(lab.metric("aaad", "aaad_coa_total", "outcome=\"refused\""), 1.0);
    // A refusal is an answer: it is not sent again at once.
    assert_eq!(isp.nas.coa_peer().requests().len(), 1);
}

fn a_silent_nas_is_asked_again_and_holds_up_no_other(lab: &mut Lab) {
    let isp = lab.isp();
    let customer = lab.api().create_customer("Binod", "binod@example.net");
    let other_service = lab.api().create_service(&customer, &isp.plan, "binod", "pass-word");
    let other_nas = lab.add_nas_at("bng2", Ipv4Addr::new(127, 0, 0, 2));
    let silent = isp.nas.connect("asha", "s3cret");
    eventually("binod is let in", SECOND, || {
        other_nas.login("binod", "pass-word").accepted().then_some(())
    });
    let other = other_nas.connect("binod", "pass-word");

    isp.nas.coa_peer().answers(Manner::Silent);
    lab.api().suspend(&isp.service);
    isp.nas.coa_peer().expect(Kind::Disconnect, &silent.id);
    lab.api().suspend(&other_service);
    other_nas.coa_peer().expect(Kind::Disconnect, &other.id);

    let requests = eventually("a retransmission", PATIENCE, || {
        let requests = isp.nas.coa_peer().requests();
        (requests.len() > 1).then_some(requests)
    });
    assert_eq!(requests[0].packet, requests[1].packet, "a retransmission is the same packet");
    assert_eq!(requests[0].from, requests[1].from, "from the same port");
    outcome_with(lab, &silent, &["Disconnect", "unknown"], PATIENCE);
}

/// What policy may take offline at once in a small network.
const ALWAYS: usize = 200;

fn too_many_disconnects_at_once_are_held_until_they_are_released(lab: &mut Lab) {
    let isp = lab.isp();
    let mut nas = WireNas::new(isp.nas.source, isp.nas.acct, &isp.nas.secret);
    let sessions = ALWAYS + 5;
    for n in 0..sessions {
        assert!(nas.start("asha", &format!("held-{n:04}"), PATIENCE), "session {n}");
    }
    lab.api().suspend(&isp.service);
    let status = eventually("status tells of it", PATIENCE, || {
        let status = lab.netctl(&["status"]);
        status.stdout.contains("netctl coa release").then_some(status)
    });
    assert!(status.stdout.contains("disconnects held"), "{}", status.stdout);
    assert_eq!(isp.nas.coa_peer().requests().len(), ALWAYS, "and no more");

    let released = lab.netctl(&["coa", "release"]);
    assert_eq!(released.code, Some(0), "{}", released.stderr);
    eventually("the others go", PATIENCE, || {
        (isp.nas.coa_peer().requests().len() == sessions).then_some(())
    });
    assert_eq!(lab.netctl(&["coa", "release"]).code, Some(1), "nothing is held any more");
}
