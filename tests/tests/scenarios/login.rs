//! Logins, as a NAS sees them.

use std::net::Ipv4Addr;

use lab::wire::{WireNas, attributes_of};
use lab::{Lab, PATIENCE, Reply, SECOND, eventually};

both_ways!(
    pap_and_chap_logins_get_what_the_plan_says,
    every_answer_begins_with_a_message_authenticator,
    a_wrong_password_is_refused_and_the_log_says_why,
    a_new_service_and_a_new_nas_answer_within_a_second,
    strangers_get_no_answer,
);

/// Message-Authenticator.
const MESSAGE_AUTHENTICATOR: u8 = 80;

/// The octets radclient printed in hexadecimal.
fn octets_of(printed: &str) -> Vec<u8> {
    let digits = printed.strip_prefix("0x").unwrap_or_else(|| panic!("{printed} is not 0x…"));
    let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits an octet");
    (0..digits.len()).step_by(2).map(octet).collect()
}

#[track_caller]
fn assert_home_50(reply: &Reply) {
    assert!(reply.accepted(), "{}", reply.output);
    assert_eq!(reply.attributes[0].0, "Message-Authenticator", "{}", reply.output);
    // Upload first: rx is what the router receives.
    assert_eq!(reply.value("Mikrotik-Rate-Limit"), Some("20M/50M"));
    let interval = reply.value("Acct-Interim-Interval").and_then(|text| text.parse::<u32>().ok());
    // Within a tenth of the plan's 300 s, by session.
    assert!(interval.is_some_and(|s| (270..=330).contains(&s)), "{interval:?}");
    let class = octets_of(reply.value("Class").expect("an Access-Accept has a Class"));
    assert!(class.len() <= 48 && class.iter().all(u8::is_ascii_graphic), "{class:02x?}");
}

fn pap_and_chap_logins_get_what_the_plan_says(lab: &mut Lab) {
    let nas = lab.isp().nas;
    assert_home_50(&nas.login("asha", "s3cret"));
    assert_home_50(&nas.login_chap("asha", "s3cret"));
    // A login is the same in capitals; a password is not.
    assert_home_50(&nas.login("Asha", "s3cret"));
    assert!(nas.login("asha", "S3cret").rejected());
    assert!(nas.login_chap("asha", "S3cret").rejected());
    assert!(lab.metric("aaad", "aaad_accepts_total", "") >= 3.0);
}

fn every_answer_begins_with_a_message_authenticator(lab: &mut Lab) {
    let isp = lab.isp();
    let mut nas = WireNas::new(isp.nas.source, isp.nas.auth, &isp.nas.secret);
    for (password, code) in [("s3cret", 2), ("wrong1", 3)] {
        let exchange = nas.login("asha", password, PATIENCE).expect("an authentic answer");
        assert_eq!(exchange.response[0], code, "{:02x?}", exchange.response);
        let attributes = attributes_of(&exchange.response);
        assert_eq!((attributes[0].0, attributes[0].1.len()), (MESSAGE_AUTHENTICATOR, 16));
        let count = attributes.iter().filter(|(kind, _)| *kind == MESSAGE_AUTHENTICATOR).count();
        assert_eq!(count, 1);
        // A retransmission gets the very same answer.
        let again = nas.exchange(exchange.request.clone(), PATIENCE).expect("an answer again");
        assert_eq!(again.response, exchange.response);
    }
}

fn a_wrong_password_is_refused_and_the_log_says_why(lab: &mut Lab) {
    let nas = lab.isp().nas;
    for (login, reason) in [("asha", "wrong_password"), ("nobody-here", "unknown_login")] {
        let counted = || lab.metric("aaad", "aaad_rejects_total", reason);
        let before = counted();
        let reply = nas.login(login, "not-the-one");
        assert!(reply.rejected(), "{}", reply.output);
        // Nobody learns from outside which of the two it was.
        assert_eq!(reply.value("Reply-Message"), Some("Wrong user name or password."));
        assert_eq!(reply.value("Mikrotik-Rate-Limit"), None);
        eventually(&format!("a line about {login} with {reason}"), SECOND, || {
            let log = lab.log();
            let told =
                |line: &str| line.contains(login) && line.contains(reason) && line.contains("bng1");
            log.lines().any(told).then_some(())
        });
        assert_eq!(counted(), before + 1.0);
    }
    assert!(!lab.log().contains("not-the-one"), "a password was logged");
}

fn a_new_service_and_a_new_nas_answer_within_a_second(lab: &mut Lab) {
    let isp = lab.isp();
    for login in ["binod", "chitra", "deepa"] {
        let customer = lab.api().create_customer(login, &format!("{login}@example.net"));
        lab.api().create_service(&customer, &isp.plan, login, "pass-word");
        eventually(&format!("{login} is let in"), SECOND, || {
            isp.nas.login(login, "pass-word").accepted().then_some(())
        });
    }
    let nas = lab.add_nas_at("bng2", Ipv4Addr::new(127, 0, 0, 2));
    let mut wire = WireNas::new(nas.source, nas.auth, &nas.secret);
    eventually("bng2 is answered", SECOND, || wire.login("asha", "s3cret", SECOND / 20));
    assert_home_50(&nas.login("asha", "s3cret"));
}

fn strangers_get_no_answer(lab: &mut Lab) {
    let nas = lab.isp().nas;
    let dropped = |reason| lab.metric("aaad", "aaad_drops_total", reason);
    let before = (dropped("unknown_client"), dropped("bad_authenticator"));
    assert!(nas.at(Ipv4Addr::new(127, 0, 0, 99)).login("asha", "s3cret").silent());
    assert!(nas.with_secret("another-secret").login("asha", "s3cret").silent());
    assert!(dropped("unknown_client") > before.0);
    assert!(dropped("bad_authenticator") > before.1);
    assert_home_50(&nas.login("asha", "s3cret"));
}
