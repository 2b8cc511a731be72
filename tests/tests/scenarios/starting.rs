//! Starting, stopping, starting again.

use std::any::Any;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use lab::lab::DAEMONS;
use lab::program::Ended;
use lab::{Lab, PATIENCE, eventually};

both_ways!(a_second_start_continues_where_the_first_stopped, every_program_tells_how_it_is);

fn a_second_start_continues_where_the_first_stopped(lab: &mut Lab) {
    let isp = lab.isp();
    let session = isp.nas.connect("asha", "s3cret");
    // Each program must end with 0 on SIGTERM, and must be ready again.
    lab.restart();
    let plan = lab.api().get(&format!("/api/v1/plans/{}", isp.plan)).expect(200);
    assert_eq!(plan["name"], "Home 50");
    assert!(isp.nas.login("asha", "s3cret").accepted(), "at once: ready is ready");
    let seen = lab.api().session("asha", &session.id).expect("the session is still listed");
    assert_eq!(seen["state"], "open");
    let live = lab.netctl_json(&["sessions", "--login", "asha"]);
    assert_eq!(live["total"], 1, "{live}");
    // And changes still reach the network.
    lab.api().suspend(&isp.service);
    isp.nas.coa_peer().expect(lab::peer::Kind::Disconnect, &session.id);
}

fn every_program_tells_how_it_is(lab: &mut Lab) {
    lab.isp();
    for (daemon, metric) in DAEMONS.into_iter().zip(["aaad_requests_total", "policyd_", "billing_"])
    {
        for path in ["/healthz", "/readyz"] {
            let answer = lab.ask(daemon, path);
            assert_eq!(answer.status, 200, "{daemon}{path}: {}", answer.text);
        }
        let metrics = lab.ask(daemon, "/metrics");
        assert_eq!(metrics.status, 200, "{daemon}");
        assert!(metrics.text.contains("# TYPE "), "{}", metrics.text);
        assert!(metrics.text.contains(metric), "{metric} of {daemon} in\n{}", metrics.text);
    }
}

#[test]
fn the_first_start_says_what_listens_where_and_how_to_sign_in() {
    let mut lab = Lab::embedded_without_credentials();
    lab.start_all();
    let screen = lab.printed();
    let lines = screen.lines().count();
    assert!((5..=24).contains(&lines), "one screen, not {lines} lines:\n{screen}");
    for address in lab.listening() {
        assert!(screen.contains(&address.to_string()), "{address} in\n{screen}");
    }
    assert!(screen.contains(&format!("http://{}", lab.listening()[2])), "{screen}");
    assert!(screen.contains("admin@localhost"), "who to sign in as:\n{screen}");
    let commands = screen.lines().filter(|line| line.contains("netctl ") || line.contains("curl "));
    assert!(commands.count() >= 3, "the next three commands:\n{screen}");

    // One word of the screen is a token that works.
    let works = |word: &&str| lab.api().with_token(Some(word)).get("/api/v1/plans").status == 200;
    let words = screen.split(|c: char| c.is_whitespace() || "\"'`,;()".contains(c));
    let tokens: Vec<&str> = words.filter(|word| word.len() >= 20).filter(works).collect();
    assert!(!tokens.is_empty(), "no word is a token:\n{screen}");
    let token = tokens[0].to_owned();

    lab.restart();
    assert_eq!(lab.api().with_token(Some(&token)).get("/api/v1/plans").status, 200);
    let second = lab.printed().split_off(screen.len());
    assert!(!second.contains(&token), "a token is told once:\n{second}");
    assert!(!lab.log().contains(&token), "a token was logged");
}

/// Checks that a start failed with exit code 2 and one line that has these words.
#[track_caller]
fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "one line: {}", ended.stderr);
    assert_eq!(ended.stdout, "");
    for word in words {
        assert!(ended.stderr.contains(word), "{word} in {}", ended.stderr);
    }
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_2() {
    for (n, what) in ["auth", "acct", "http"].into_iter().enumerate() {
        let mut lab = Lab::embedded_with(&[]);
        let address = lab.listening()[n];
        let _taken: Box<dyn Any> = match what {
            "http" => Box::new(TcpListener::bind(address).expect("take the port")),
            _ => Box::new(UdpSocket::bind(address).expect("take the port")),
        };
        let ended = lab.start_in_vain("netctl");
        assert_refused(&ended, &[&address.to_string(), "in use"]);
    }
}

#[test]
fn a_daemon_whose_port_is_in_use_is_one_line_and_exit_code_2() {
    let mut lab = Lab::separate();
    let [auth, _, http] = lab.listening();
    lab.kill9("aaad");
    let taken = UdpSocket::bind(auth).expect("take the port");
    let ended = lab.start_in_vain("aaad");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(last_line(&ended).contains(&auth.to_string()), "{ended:?}");
    drop(taken);

    lab.kill9("billing-api");
    let _taken = TcpListener::bind(http).expect("take the port");
    let ended = lab.start_in_vain("billing-api");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(last_line(&ended).contains(&http.to_string()), "{ended:?}");
}

/// A daemon logs to the stream it fails on; what it ends with is the line that counts.
fn last_line(ended: &Ended) -> &str {
    ended.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_data_directory_that_cannot_be_used_is_one_line_and_exit_code_2() {
    let mut lab = Lab::embedded_with(&[]);
    // Root may read anything; a file where the directory should be stops root as well.
    std::fs::write(lab.data(), "not a directory").expect("write a file");
    let ended = lab.start_in_vain("netctl");
    assert_refused(&ended, &[lab.data().to_str().expect("a path in UTF-8")]);
}

#[test]
fn a_bad_prefix_is_one_line_and_exit_code_2() {
    for wrong in ["10.0.0.0/33=secret-1", "10.0.0.0/8", "somewhere=secret-1"] {
        let mut lab = Lab::embedded_with(&["--nas", wrong]);
        let ended = lab.start_in_vain("netctl");
        assert_refused(&ended, &["--nas"]);
        assert!(!ended.stderr.contains("secret-1"), "{}", ended.stderr);
        assert!(!lab.data().exists(), "nothing is half-started");
    }
}

#[test]
fn a_nas_inside_a_prefix_is_met_on_first_sight() {
    let mut lab = Lab::embedded_with(&["--nas", "127.0.0.0/8=testing123"]);
    lab.start_all();
    let plan = lab.api().create_plan("Home 50", 50_000_000, 20_000_000);
    let customer = lab.api().create_customer("Asha Rao", "asha@example.net");
    lab.api().create_service(&customer, &plan, "asha", "s3cret");
    let nas = lab.stranger("tower-7", Ipv4Addr::new(127, 0, 0, 50));
    eventually("asha can log in", PATIENCE, || {
        nas.login("asha", "s3cret").accepted().then_some(())
    });
    nas.connect("asha", "s3cret");
    eventually("the office knows the NAS", PATIENCE, || {
        let page = lab.api().get("/api/v1/nas").expect(200);
        let mut found = page["data"].as_array()?.iter();
        found.any(|nas| nas["name"].as_str() == Some("tower-7")).then_some(())
    });
}

#[test]
fn the_demo_has_life() {
    let mut lab = Lab::embedded_with(&["--demo"]);
    lab.start_all();
    eventually("somebody is online", PATIENCE, || {
        let live = lab.netctl_json(&["sessions"]);
        (live["total"].as_u64()? > 0).then_some(())
    });
    for list in ["/api/v1/plans", "/api/v1/customers", "/api/v1/services", "/api/v1/nas"] {
        let page = lab.api().get(list).expect(200);
        assert!(!page["data"].as_array().expect("data").is_empty(), "{list}");
    }
}
