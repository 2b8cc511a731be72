//! Address pools: what a NAS is told, and what becomes of it.

use std::net::Ipv4Addr;

use lab::peer::Kind;
use lab::{Isp, Lab, Nas, PATIENCE, Reply, SECOND, Session, Status, eventually};
use serde_json::{Value, json};

both_ways!(
    an_address_is_kept_for_who_had_it_and_freed_by_stop_and_restart_of_the_nas,
    an_exhausted_pool_refuses_and_people_hear_of_it,
    what_a_service_has_as_its_own_is_leased_to_nobody,
    leases_survive_kill_9_and_a_restart,
    a_nas_uses_the_pools_of_its_group,
);

fn login(nas: &Nas, user: &str) -> Reply {
    let station = format!("Calling-Station-Id = \"{user}'s router\"");
    let name = format!("User-Name = \"{user}\"");
    nas.ask(&[&name, "User-Password = \"pass-word\"", &station], 1)
}

fn address(reply: &Reply) -> Option<Ipv4Addr> {
    reply.value("Framed-IP-Address").and_then(|text| text.parse().ok())
}

/// Logs in and reports the beginning of the session.
#[track_caller]
fn connect(nas: &Nas, user: &str) -> Session {
    let reply = login(nas, user);
    assert!(reply.accepted(), "{}", reply.output);
    let ip = address(&reply).unwrap_or_else(|| panic!("no address: {}", reply.output));
    let mac = format!("{user}'s router");
    let session = Session { ip, mac, ..Session::of(user, &reply) };
    let recorded = nas.accounting(Status::Start, &session);
    assert!(recorded.recorded(), "{}", recorded.output);
    session
}

fn stop(nas: &Nas, session: &Session) {
    let recorded = nas.accounting(Status::Stop, session);
    assert!(recorded.recorded(), "{}", recorded.output);
}

/// An ISP whose plan leases from one pool of these ranges, with these subscribers.
fn isp(lab: &mut Lab, ranges: &[&str], logins: &[&str]) -> (Isp, String) {
    let isp = lab.isp();
    let pool = json!({"name": "home", "ipv4": ranges});
    let pool = lab.api().post("/api/v1/pools", &pool).created();
    let plan = json!({"ipv4_method": "leased", "session_limit": null});
    lab.api().patch(&format!("/api/v1/plans/{}", isp.plan), &plan).expect(200);
    for user in logins {
        lab.api().create_service(&isp.customer, &isp.plan, user, "pass-word");
    }
    if let Some(last) = logins.last() {
        // Without taking an address: explained, not asked for.
        eventually("the pool is known", PATIENCE, || {
            let explained = lab.netctl_json(&["explain", last]);
            let steps = explained["steps"].as_array()?;
            let told = |step: &Value| {
                step["rule"] == "addresses" && step["outcome"] == "one that is free will be leased"
            };
            steps.iter().any(told).then_some(())
        });
    }
    (isp, pool)
}

/// What `netctl pool who` says of an address.
fn state(lab: &Lab, ip: Ipv4Addr) -> (String, String) {
    let answer = lab.netctl_json(&["pool", "who", &ip.to_string()]);
    let holder = &answer["holders"][0];
    let text = |name: &str| holder[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("login"))
}

fn an_address_is_kept_for_who_had_it_and_freed_by_stop_and_restart_of_the_nas(lab: &mut Lab) {
    let (isp, _) = isp(lab, &["100.64.0.0/24"], &["binod", "chitra", "deepa"]);
    let nas = &isp.nas;
    let offered = address(&login(nas, "binod")).expect("an address");
    assert_eq!(state(lab, offered).0, "offered");
    let binod = connect(nas, "binod");
    assert_eq!(binod.ip, offered, "asked again, it is the same");
    let chitra = connect(nas, "chitra");
    assert_ne!(binod.ip, chitra.ip);
    assert_eq!(state(lab, binod.ip), ("used".to_owned(), "binod".to_owned()));
    stop(nas, &binod);
    eventually("it is free", SECOND, || (state(lab, binod.ip).0 == "free").then_some(()));
    assert_ne!(connect(nas, "deepa").ip, binod.ip, "others get others while there are any");
    assert_eq!(connect(nas, "binod").ip, binod.ip, "it is kept in mind");
    let who = lab.netctl_json(&["pool", "who", "chitra"]);
    assert_eq!(who["holders"][0]["address"], chitra.ip.to_string(), "{who}");

    // The NAS restarts: whatever it had is free.
    let listed = |state: &str| {
        let answer = lab.netctl_json(&["pool", "list"]);
        answer["pools"][0][state].as_u64().expect("a number")
    };
    assert_eq!(listed("used"), 3);
    assert!(nas.accounting(Status::On, &chitra).recorded());
    eventually("all are free", SECOND, || (listed("used") == 0).then_some(()));
    assert_eq!(connect(nas, "chitra").ip, chitra.ip);
    let nothing = lab.netctl(&["pool", "who", "192.0.2.1"]);
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
    assert!(nothing.stderr.contains("192.0.2.1 is of no pool"), "{}", nothing.stderr);
}

fn an_exhausted_pool_refuses_and_people_hear_of_it(lab: &mut Lab) {
    let (isp, pool) = isp(lab, &["100.64.0.1-100.64.0.2"], &["binod", "chitra", "deepa"]);
    let nas = &isp.nas;
    let binod = connect(nas, "binod");
    connect(nas, "chitra");
    let refused = login(nas, "deepa");
    assert!(refused.rejected(), "{}", refused.output);
    let message = "No address is free at the moment. Please try again later.";
    assert_eq!(refused.value("Reply-Message"), Some(message));
    assert!(lab.metric("aaad", "aaad_rejects_total", "pool_exhausted") >= 1.0);
    eventually("an event, and the usage", PATIENCE, || {
        let noted = lab.api().get("/api/v1/audit?entity=pool&limit=50").expect(200);
        let noted = noted["data"].as_array()?.iter().any(|entry| entry["action"] == "exhausted");
        let shown = lab.api().get(&format!("/api/v1/pools/{pool}")).expect(200);
        (noted && shown["usage"]["ipv4"]["used"] == 2 && shown["used_percent"] == 100).then_some(())
    });
    stop(nas, &binod);
    let deepa = connect(nas, "deepa");
    assert_eq!(deepa.ip, binod.ip, "what is free longest goes to somebody else at last");
    assert!(login(nas, "binod").rejected());
    // Overlapping pools and static addresses that another service has are refused.
    let other = json!({"name": "other", "ipv4": ["100.64.0.2-100.64.0.9"]});
    lab.api().post("/api/v1/pools", &other).blames(422, "/ipv4");
}

fn what_a_service_has_as_its_own_is_leased_to_nobody(lab: &mut Lab) {
    let (isp, _) = isp(lab, &["100.64.0.1-100.64.0.3"], &["binod", "chitra", "deepa"]);
    let nas = &isp.nas;
    let binod = connect(nas, "binod");
    // Asha is given the very address that Binod's session has: it is ended, and from then on
    // nobody else is leased it.
    let own = json!({"ipv4": binod.ip.to_string()});
    lab.api().patch(&format!("/api/v1/services/{}", isp.service), &own).expect(200);
    nas.coa_peer().expect(Kind::Disconnect, &binod.id);
    stop(nas, &binod);
    let reply = nas.login("asha", "s3cret");
    assert_eq!(address(&reply), Some(binod.ip), "{}", reply.output);
    assert_eq!(state(lab, binod.ip).0, "fixed");
    let others = [connect(nas, "binod").ip, connect(nas, "chitra").ip];
    assert!(!others.contains(&binod.ip), "{others:?}");
    assert!(login(nas, "deepa").rejected(), "two are left besides");
    // The same after a restart.
    lab.restart();
    assert!(login(nas, "deepa").rejected());
    assert_eq!(state(lab, binod.ip).0, "fixed");
}

fn leases_survive_kill_9_and_a_restart(lab: &mut Lab) {
    let (isp, _) = isp(lab, &["100.64.0.0/22"], &["binod", "chitra", "deepa", "esha"]);
    let nas = &isp.nas;
    let binod = connect(nas, "binod");
    let chitra = connect(nas, "chitra");
    stop(nas, &chitra);
    let deepa = address(&login(nas, "deepa")).expect("an address");
    lab.kill9("aaad");
    lab.revive("aaad");
    assert_eq!(state(lab, binod.ip), ("used".to_owned(), "binod".to_owned()));
    // Who else was offered something is not known: what was open rests, and the next is leased
    // what was never open.
    let esha = connect(nas, "esha");
    assert!(![binod.ip, chitra.ip, deepa].contains(&esha.ip), "{}", esha.ip);
    assert_eq!(state(lab, chitra.ip).0, "resting");
    assert_eq!(connect(nas, "chitra").ip, chitra.ip, "whose it was has it at once");
    // After a stop everything is known, offers too.
    let deepa = address(&login(nas, "deepa")).expect("an address");
    stop(nas, &esha);
    lab.restart();
    assert_eq!(state(lab, binod.ip).0, "used");
    assert_eq!(state(lab, deepa).0, "offered");
    assert_eq!(state(lab, esha.ip).0, "free");
    assert_eq!(connect(nas, "esha").ip, esha.ip);
    assert_eq!(connect(nas, "deepa").ip, deepa);
}

fn a_nas_uses_the_pools_of_its_group(lab: &mut Lab) {
    let (isp, pool) = isp(lab, &["100.64.0.0/24"], &["binod", "chitra"]);
    let nas = &isp.nas;
    let group = lab.api().post("/api/v1/nas-groups", &json!({"name": "north"})).created();
    let north = json!({
        "name": "north", "nas_group_id": group, "ipv4": ["100.65.0.0/24"],
        "delegated_prefix": "2001:db8:1000::/40", "delegated_length": 56,
    });
    lab.api().post("/api/v1/pools", &north).created();
    let in_group = json!({"nas_group_id": group});
    lab.api().patch(&format!("/api/v1/nas/{}", nas.id), &in_group).expect(200);
    let reply = eventually("the group's pool is used", PATIENCE, || {
        let reply = login(nas, "binod");
        address(&reply).is_some_and(|ip| ip.octets()[1] == 65).then_some(reply)
    });
    let prefix = reply.value("Delegated-IPv6-Prefix").expect("a prefix too");
    assert!(prefix.starts_with("2001:db8:10") && prefix.ends_with("/56"), "{prefix}");
    lab.api().delete(&format!("/api/v1/nas-groups/{group}")).problem(409);

    // A service may lease from one pool alone; where its NAS may not use that, it is refused.
    let service = lab.api().get("/api/v1/services?login=chitra").expect(200);
    let service = service["data"][0]["id"].as_str().expect("an id").to_owned();
    let from = json!({"lease_pool_id": pool});
    lab.api().patch(&format!("/api/v1/services/{service}"), &from).expect(200);
    eventually("the service's own pool", PATIENCE, || {
        address(&login(nas, "chitra")).filter(|ip| ip.octets()[1] == 64)
    });
    lab.api().delete(&format!("/api/v1/pools/{pool}")).problem(409);
    let elsewhere = lab.api().post("/api/v1/nas-groups", &json!({"name": "south"})).created();
    let moved = json!({"nas_group_id": elsewhere});
    lab.api().patch(&format!("/api/v1/pools/{pool}"), &moved).expect(200);
    let refused = eventually("no pool", PATIENCE, || {
        let reply = login(nas, "chitra");
        reply.rejected().then_some(reply)
    });
    assert!(refused.value("Reply-Message").is_some_and(|text| text.contains("not set up")));
    assert!(lab.metric("aaad", "aaad_rejects_total", "no_pool") >= 1.0);
}
