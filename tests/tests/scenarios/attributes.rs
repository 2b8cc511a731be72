//! What a login is asked besides its password, and what staff's own attributes add to the reply:
//! docs/radius-attributes.md, line by line.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use lab::peer::Kind;
use lab::{Isp, Lab, Nas, PATIENCE, Reply, eventually};
use serde_json::{Value, json};

both_ways!(
    replies_are_those_of_plan_groups_and_service_in_order,
    a_change_of_attributes_reaches_the_live_session,
    a_login_that_is_not_what_is_asked_is_refused,
    hours_refuse_and_end_sessions,
    the_first_device_is_kept_until_it_is_forgotten,
    realms_say_whose_login_a_name_is,
    mistakes_are_told_to_whoever_makes_them,
);

const ASHA: [&str; 3] =
    ["User-Name = \"asha\"", "User-Password = \"s3cret\"", "Message-Authenticator = 0x00"];
const MAC: &str = "Calling-Station-Id = \"02:00:00:00:00:07\"";
const OTHER_MAC: &str = "Calling-Station-Id = \"02-00-00-00-00-08\"";

fn ask(nas: &Nas, more: &[&str]) -> Reply {
    nas.ask(&[&ASHA[..], more].concat(), 1)
}

fn set(lab: &Lab, service: &str, fields: &Value) -> Value {
    lab.api().patch(&format!("/api/v1/services/{service}"), fields).expect(200)
}

/// Waits until a login with these attributes is answered so.
#[track_caller]
fn until(what: &str, nas: &Nas, more: &[&str], well: impl Fn(&Reply) -> bool) {
    eventually(what, PATIENCE, || well(&ask(nas, more)).then_some(()));
}

/// Waits until such a login is refused for this reason, which the counter names: what was asked
/// before may refuse it for another until the change is known.
#[track_caller]
fn refused(lab: &Lab, nas: &Nas, more: &[&str], reason: &str) {
    let counted = || lab.metric("aaad", "aaad_rejects_total", &format!("\"{reason}\""));
    eventually(reason, PATIENCE, || {
        let before = counted();
        (ask(nas, more).rejected() && counted() == before + 1.0).then_some(())
    });
}

fn values<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
    let lines = reply.output.lines().filter_map(|line| line.trim().split_once(" = "));
    lines.filter(|(own, _)| *own == name).map(|(_, value)| value.trim_matches('"')).collect()
}

fn replies_are_those_of_plan_groups_and_service_in_order(lab: &mut Lab) {
    let Isp { nas, service, plan, .. } = lab.isp();
    let group = |body: &Value| lab.api().post("/api/v1/radius-groups", body).created();
    let gold = group(&json!({"name": "gold", "priority": 10,
        "reply_attributes": ["Mikrotik-Group := \"gold\"", "Idle-Timeout = 600"]}));
    group(&json!({"name": "wired", "priority": 20,
        "check_attributes": ["NAS-Port-Type == Ethernet"],
        "reply_attributes": ["Mikrotik-Group := \"wired\""]}));
    let on_plan = json!({"groups": ["gold"], "reply_attributes": ["Idle-Timeout = 300"]});
    lab.api().patch(&format!("/api/v1/plans/{plan}"), &on_plan).expect(200);
    until("the plan's group is told", &nas, &[], |reply| {
        reply.value("Mikrotik-Group") == Some("gold")
    });
    let reply = ask(&nas, &[]);
    assert_eq!(values(&reply, "Idle-Timeout"), ["300"], "the plan's stands: {}", reply.output);
    assert_eq!(reply.value("Mikrotik-Rate-Limit"), Some("20M/50M"), "{}", reply.output);

    let own = json!({"groups": ["wired"], "reply_attributes": [
        "Mikrotik-Rate-Limit := \"1M/2M\"",
        "Reply-Message += \"one\"",
        "Reply-Message += \"two\"",
    ]});
    set(lab, &service, &own);
    until("the service's own is told", &nas, &[], |reply| {
        values(reply, "Mikrotik-Rate-Limit") == ["1M/2M"]
    });
    let (wifi, wired) = (ask(&nas, &[]), ask(&nas, &["NAS-Port-Type = Ethernet"]));
    assert_eq!(values(&wifi, "Mikrotik-Group"), ["gold"], "{}", wifi.output);
    assert_eq!(values(&wired, "Mikrotik-Group"), ["wired"], "{}", wired.output);
    assert_eq!(values(&wired, "Reply-Message"), ["one", "two"], "{}", wired.output);
    assert_eq!(values(&wired, "Class").len(), 1);

    // `explain` says of each where it comes from.
    let with = ["explain", "asha", "--with", "NAS-Port-Type = Ethernet"];
    let explained = lab.netctl_json(&with);
    let from = |name: &str| {
        let attributes = explained["attributes"].as_array().expect("attributes");
        let own = attributes.iter().find(|one| one["name"] == name);
        own.map(|one| (one["value"].clone(), one["from"].clone()))
    };
    assert_eq!(from("Mikrotik-Group"), Some((json!("\"wired\""), json!("group \"wired\""))));
    assert_eq!(from("Idle-Timeout"), Some((json!("300"), json!("plan"))));
    assert_eq!(from("Mikrotik-Rate-Limit"), Some((json!("\"1M/2M\""), json!("service"))));

    // In the walled garden nothing is added; a group that is in use stays.
    lab.api().delete(&format!("/api/v1/radius-groups/{gold}")).problem(409);
    let restored = json!({"groups": [], "reply_attributes": []});
    set(lab, &service, &restored);
    until("the plan's own again", &nas, &["NAS-Port-Type = Ethernet"], |reply| {
        values(reply, "Mikrotik-Group") == ["gold"]
            && values(reply, "Mikrotik-Rate-Limit") == ["20M/50M"]
    });

    // A template's lines become the service's own.
    let template = lab.api().post(
        "/api/v1/attribute-templates",
        &json!({"name": "Slow",
        "reply_attributes": ["Mikrotik-Rate-Limit := \"64k/64k\""]}),
    );
    let apply = json!({"template_id": template.created()});
    let applied = lab.api().post(&format!("/api/v1/services/{service}/apply"), &apply).expect(200);
    assert_eq!(applied["reply_attributes"], json!(["Mikrotik-Rate-Limit := \"64k/64k\""]));
    until("the template's are told", &nas, &[], |reply| {
        reply.value("Mikrotik-Rate-Limit") == Some("64k/64k")
    });
}

fn a_change_of_attributes_reaches_the_live_session(lab: &mut Lab) {
    let Isp { nas, service, plan, .. } = lab.isp();
    let session = nas.connect("asha", "s3cret");
    // What CoA can say, it says.
    set(lab, &service, &json!({"reply_attributes": ["Mikrotik-Rate-Limit := \"1M/2M\""]}));
    let request = nas.coa_peer().expect(Kind::Change, &session.id);
    assert_eq!(request.rate_limit.as_deref(), Some("1M/2M"));
    // A group that a plan gets has an attribute that CoA cannot say.
    let group = json!({"name": "gold", "reply_attributes": ["Mikrotik-Group := \"gold\""]});
    let group = lab.api().post("/api/v1/radius-groups", &group).created();
    lab.api().patch(&format!("/api/v1/plans/{plan}"), &json!({"groups": ["gold"]})).expect(200);
    nas.coa_peer().expect(Kind::Disconnect, &session.id);
    nas.accounting(lab::Status::Stop, &session);
    until("the group is told", &nas, &[], |reply| reply.value("Mikrotik-Group") == Some("gold"));
    // The group alone changes: whoever is in it is moved.
    let session = nas.connect("asha", "s3cret");
    let change = json!({"reply_attributes": ["Framed-Pool := \"vip\""]});
    lab.api().patch(&format!("/api/v1/radius-groups/{group}"), &change).expect(200);
    nas.coa_peer().expect(Kind::Disconnect, &session.id);
}

fn a_login_that_is_not_what_is_asked_is_refused(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let bng2 = lab.add_nas_at("bng2", Ipv4Addr::new(127, 0, 0, 2));
    until("bng2 is answered", &bng2, &[], Reply::accepted);

    let checks =
        ["NAS-Port-Type == Ethernet", "Calling-Station-Id =~ \"^02[:-]\"", "NAS-Port <= 20"];
    set(lab, &service, &json!({"check_attributes": checks}));
    refused(lab, &nas, &[], "check_failed");
    let wired = ["NAS-Port-Type = Ethernet", MAC, "NAS-Port = 20"];
    assert!(ask(&nas, &wired).accepted());
    refused(lab, &nas, &["NAS-Port-Type = Ethernet", MAC, "NAS-Port = 21"], "check_failed");
    refused(lab, &nas, &["NAS-Port-Type = Virtual", MAC, "NAS-Port = 20"], "check_failed");
    let explained = lab.netctl_json(&["explain", "asha", "--with", "NAS-Port-Type = Virtual"]);
    assert_eq!(explained["reason"], "check_failed", "{explained}");

    set(lab, &service, &json!({"check_attributes": [], "allowed_ports": ["ether1", "sfp*"]}));
    refused(lab, &nas, &[], "port_not_allowed");
    refused(lab, &nas, &["NAS-Port-Id = \"ether2\""], "port_not_allowed");
    for port in ["ether1", "sfp-sfpplus3"] {
        assert!(ask(&nas, &[&format!("NAS-Port-Id = \"{port}\"")]).accepted(), "{port}");
    }

    let station = json!({"allowed_ports": [], "allowed_called_stations": ["hotspot1"]});
    set(lab, &service, &station);
    refused(lab, &nas, &["Called-Station-Id = \"hotspot2\""], "called_station_not_allowed");
    assert!(ask(&nas, &["Called-Station-Id = \"hotspot1\""]).accepted());

    set(lab, &service, &json!({"allowed_called_stations": [], "allowed_nas": ["bng1"]}));
    refused(lab, &bng2, &[], "nas_not_allowed");
    assert!(ask(&nas, &[]).accepted());
    // Another name is still the same NAS.
    lab.api().patch(&format!("/api/v1/nas/{}", nas.id), &json!({"name": "tower-1"})).expect(200);
    let shown = lab.api().get(&format!("/api/v1/services/{service}")).expect(200);
    assert_eq!(shown["allowed_nas"], json!(["tower-1"]));
    assert!(ask(&nas, &[]).accepted() && ask(&bng2, &[]).rejected());
}

/// The name of a day, counted from today, by UTC.
fn day(from_today: u64) -> &'static str {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    // 1970-01-01 was a Thursday.
    let day = now.as_secs() / 86_400 + 3 + from_today;
    ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][(day % 7) as usize]
}

fn hours_refuse_and_end_sessions(lab: &mut Lab) {
    let Isp { nas, service, plan, .. } = lab.isp();
    // Today and tomorrow, so that midnight may come.
    let hours = format!("{},{}", day(0), day(1));
    set(lab, &service, &json!({"login_time": hours, "zone": "UTC"}));
    until("the session ends with the hours", &nas, &[], |reply| {
        let seconds = reply.value("Session-Timeout").and_then(|text| text.parse::<u32>().ok());
        seconds.is_some_and(|seconds| (1..=2 * 86_400).contains(&seconds))
    });
    set(lab, &service, &json!({"login_time": format!("{}0000-2400", day(3))}));
    refused(lab, &nas, &[], "outside_hours");
    let explained = lab.netctl_json(&["explain", "asha"]);
    assert_eq!(explained["reason"], "outside_hours", "{explained}");
    // The plan's hours count as well.
    set(lab, &service, &json!({"login_time": null}));
    until("let in again", &nas, &[], Reply::accepted);
    let hours = json!({"login_time": day(4)});
    lab.api().patch(&format!("/api/v1/plans/{plan}"), &hours).expect(200);
    refused(lab, &nas, &[], "outside_hours");
}

fn the_first_device_is_kept_until_it_is_forgotten(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let path = format!("/api/v1/services/{service}");
    set(lab, &service, &json!({"mac_binding": "learn"}));
    refused(lab, &nas, &[], "mac_mismatch");
    assert!(ask(&nas, &[MAC]).accepted());
    // At once, before the office has heard of it.
    assert!(ask(&nas, &[OTHER_MAC]).rejected());
    eventually("the address is on the service", PATIENCE, || {
        let shown = lab.api().get(&path).expect(200);
        (shown["macs"] == json!(["02:00:00:00:00:07"])).then_some(())
    });
    lab.restart();
    eventually("the device is still the one", PATIENCE, || {
        ask(&nas, &[MAC]).accepted().then_some(())
    });
    refused(lab, &nas, &[OTHER_MAC], "mac_mismatch");
    let explained = lab.netctl_json(&["explain", "asha", "--mac", "02:00:00:00:00:08"]);
    assert_eq!(explained["reason"], "mac_mismatch", "{explained}");

    lab.api().post(&format!("{path}/unbind"), &json!({})).expect(200);
    until("another device is kept", &nas, &[OTHER_MAC], Reply::accepted);
    refused(lab, &nas, &[MAC], "mac_mismatch");
    eventually("the other address is on the service", PATIENCE, || {
        let shown = lab.api().get(&path).expect(200);
        (shown["macs"] == json!(["02:00:00:00:00:08"])).then_some(())
    });
    // Given ones: nothing is learned.
    let fixed = json!({"mac_binding": "fixed", "macs": ["0200.0000.0007", "02-00-00-00-00-09"]});
    let shown = set(lab, &service, &fixed);
    assert_eq!(shown["macs"], json!(["02:00:00:00:00:07", "02:00:00:00:00:09"]));
    until("a given device is let in", &nas, &[MAC], Reply::accepted);
    refused(lab, &nas, &[OTHER_MAC], "mac_mismatch");
}

fn realms_say_whose_login_a_name_is(lab: &mut Lab) {
    let Isp { nas, .. } = lab.isp();
    let realm = |body: &Value| lab.api().post("/api/v1/realms", body).created();
    realm(&json!({"name": "Partner.Example"}));
    let named = |name: &str| {
        let user = format!("User-Name = \"{name}\"");
        nas.ask(&[&user, ASHA[1], ASHA[2], "Framed-Protocol = PPP"], 1)
    };
    for name in ["asha@partner.example", "Asha@PARTNER.example", "partner.example/asha"] {
        eventually(&format!("{name} is let in"), PATIENCE, || named(name).accepted().then_some(()));
    }
    assert!(named(r"partner.example\\asha").accepted());
    assert!(named("asha@elsewhere.example").rejected());
    assert!(named("asha").accepted());
    // A realm that is not stripped leads to the login with it, whatever the form.
    realm(&json!({"name": "isp.example", "strip": false}));
    let customer = lab.api().create_customer("Binod", "binod@example.net");
    let plan = lab.api().create_plan("Home 10", 10_000_000, 10_000_000);
    lab.api().create_service(&customer, &plan, "binod@isp.example", "s3cret");
    for name in ["binod@isp.example", r"isp.example\\binod"] {
        eventually(&format!("{name} is let in"), PATIENCE, || named(name).accepted().then_some(()));
    }
    assert!(named("binod").rejected());
    // Another organisation's realm does not lead to our services.
    let partner = json!({"name": "Partner", "kind": "partner"});
    let partner = lab.api().post("/api/v1/organisations", &partner).created();
    realm(&json!({"name": "other.example", "organisation_id": partner}));
    eventually("the realm is known", PATIENCE, || {
        let explained = lab.netctl_json(&["explain", "asha@other.example"]);
        explained.to_string().contains(&partner).then_some(())
    });
    assert!(named("asha@other.example").rejected());
    // There is one of each name.
    lab.api().post("/api/v1/realms", &json!({"name": "PARTNER.example"})).blames(409, "/name");
}

fn mistakes_are_told_to_whoever_makes_them(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let path = format!("/api/v1/services/{service}");
    for (fields, blamed) in [
        (json!({"reply_attributes": ["Sesion-Timeout := 60"]}), "/reply_attributes"),
        (json!({"reply_attributes": ["Session-Timeout := soon"]}), "/reply_attributes"),
        (json!({"reply_attributes": ["Message-Authenticator := 0x00"]}), "/reply_attributes"),
        (json!({"reply_attributes": ["Class := 0x00"]}), "/reply_attributes"),
        (json!({"reply_attributes": ["Session-Timeout == 60"]}), "/reply_attributes"),
        (json!({"check_attributes": ["NAS-Port =~ 1"]}), "/check_attributes"),
        (json!({"check_attributes": ["Simultaneous-Use := 1"]}), "/check_attributes"),
        (json!({"groups": ["gold"]}), "/groups"),
        (json!({"allowed_nas": ["bng9"]}), "/allowed_nas"),
        (json!({"allowed_ports": ["a*b"]}), "/allowed_ports"),
        (json!({"login_time": "Xx0800-1800"}), "/login_time"),
        (json!({"mac_binding": "fixed"}), "/macs"),
        (json!({"macs": ["02:00"]}), "/macs"),
        (json!({"mac_limit": 9}), "/mac_limit"),
    ] {
        let answer = lab.api().patch(&path, &fields);
        assert_eq!(answer.status, 422, "{fields}: {}", answer.text);
        let problem = answer.json();
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
        // Of two that do not go together, the one that was given is blamed.
        let given = fields.as_object().is_some_and(|own| own.contains_key(&pointer[1..]));
        assert!(pointer == blamed || given, "{fields}: {problem}");
    }
    assert!(nas.login("asha", "s3cret").accepted(), "nothing of that reached a login");
}
