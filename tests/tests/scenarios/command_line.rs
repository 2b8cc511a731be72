//! `netctl`, the operator's command line.

use lab::peer::Kind;
use lab::{Lab, Manner, SECOND, eventually};

both_ways!(
    status_tells_how_the_programs_are,
    explain_tells_why,
    disconnect_ends_the_sessions_of_a_login,
    radius_test_stands_in_for_a_nas,
);

fn status_tells_how_the_programs_are(lab: &mut Lab) {
    let status = lab.netctl(&["status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    for word in ["aaad  ready", "policyd  ready", "billing-api  ready", "listening"] {
        assert!(status.stdout.contains(word), "{word} in\n{}", status.stdout);
    }
    let reports = lab.netctl_json(&["status"]);
    let programs: Vec<_> = reports.as_array().expect("a list").iter().collect();
    assert_eq!(programs.len(), 3);
    for report in programs {
        assert_eq!(report["ready"], true, "{report}");
        assert!(report["version"].is_string(), "{report}");
    }
    lab.kill9("aaad");
    let status = lab.netctl(&["status"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.stdout.contains("aaad  down"), "{}", status.stdout);
}

fn explain_tells_why(lab: &mut Lab) {
    let isp = lab.isp();
    let accepted = lab.netctl(&["explain", "asha"]);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    assert!(accepted.stdout.starts_with("ACCEPT  asha"), "{}", accepted.stdout);
    for word in
        ["identity", "profile", "Home 50", "Mikrotik-Rate-Limit = \"20M/50M\"", &isp.service]
    {
        assert!(accepted.stdout.contains(word), "{word} in\n{}", accepted.stdout);
    }
    // Attribute by attribute, what radclient got is what explain says.
    let explained = lab.netctl_json(&["explain", "asha", "--nas", "bng1"]);
    let names: Vec<&str> = explained["attributes"]
        .as_array()
        .expect("a list of attributes")
        .iter()
        .filter_map(|attribute| attribute["name"].as_str())
        .collect();
    let reply = isp.nas.login("asha", "s3cret");
    let got = reply.attributes.iter().map(|(name, _)| name.as_str());
    let got: Vec<&str> = got.filter(|name| *name != "Message-Authenticator").collect();
    assert_eq!(names, got);

    let unknown = lab.netctl(&["explain", "nobody"]);
    assert!(unknown.stdout.starts_with("REJECT unknown_login"), "{}", unknown.stdout);
    lab.api().suspend(&isp.service);
    eventually("explain tells of the hold", SECOND, || {
        let held = lab.netctl(&["explain", "asha"]).stdout;
        (held.starts_with("REJECT held_admin") && held.contains("hold")).then_some(())
    });
}

fn disconnect_ends_the_sessions_of_a_login(lab: &mut Lab) {
    let isp = lab.isp();
    let none = lab.netctl(&["disconnect", "asha"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    let session = isp.nas.connect("asha", "s3cret");
    let done = lab.netctl(&["disconnect", "asha"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for word in ["bng1", &session.id, "acknowledged"] {
        assert!(done.stdout.contains(word), "{word} in\n{}", done.stdout);
    }
    isp.nas.coa_peer().expect(Kind::Disconnect, &session.id);

    isp.nas.coa_peer().answers(Manner::Refuse(503));
    let refused = lab.netctl(&["disconnect", "asha"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.contains("refused"), "{}", refused.stdout);
}

fn radius_test_stands_in_for_a_nas(lab: &mut Lab) {
    let isp = lab.isp();
    for method in ["pap", "chap", "mschapv2"] {
        let accepted = lab.radius_test("asha", "s3cret", method, &isp.nas.secret);
        assert_eq!(accepted.code, Some(0), "{method}: {accepted:?}");
        assert!(accepted.stdout.contains("Access-Accept"), "{}", accepted.stdout);
        assert!(accepted.stdout.contains("Mikrotik-Rate-Limit"), "{}", accepted.stdout);

        let rejected = lab.radius_test("asha", "wrong1", method, &isp.nas.secret);
        assert_eq!(rejected.code, Some(1), "{method}: {rejected:?}");
        assert!(rejected.stdout.contains("Access-Reject"), "{}", rejected.stdout);

        let server = lab.listening()[0].to_string();
        let unbelieved = lab.netctl(&[
            "radius",
            "test",
            "--server",
            &server,
            "--user",
            "asha",
            "--password",
            "s3cret",
            "--secret",
            "another-secret",
            "--method",
            method,
            "--tries",
            "1",
            "--timeout-ms",
            "200",
        ]);
        assert_eq!(unbelieved.code, Some(3), "{method}: {unbelieved:?}");
    }
}
