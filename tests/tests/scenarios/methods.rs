//! Every way a NAS asks for a subscriber, by `radclient` and by `pyrad`; what becomes of unsigned
//! requests, of guesses, and of whoever is not known. The table is in docs/radius-methods.md.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::browser::{DESK, PHONE};
use lab::wire::WireNas;
use lab::{
    Browser, Console, Isp, Lab, Nas, PATIENCE, Reply, SECOND, Scheme, accessible, eventually,
};
use serde_json::{Value, json};

use crate::schema::python;

both_ways!(
    devices_get_in_by_their_mac_however_it_is_spelled,
    lines_get_in_by_circuit_remote_id_or_option_82,
    a_login_that_exists_always_needs_its_password,
    hotspot_and_dhcp_clients_get_in_as_routeros_asks,
    pyrad_gets_in_by_every_method,
    a_nas_that_signs_must_go_on_signing,
    guesses_are_slow_and_then_blocked,
    refusals_are_kept_with_a_count_and_a_reason,
    strangers_are_listed_and_a_sign_of_life_is_given,
);

const MAC: &str = "Calling-Station-Id = \"02:00:00:00:00:07\"";
const SIGNED: &str = "Message-Authenticator = 0x00";

/// Adds a way into a service, and waits until the network knows it.
#[track_caller]
fn add(lab: &Lab, service: &str, way: &Value, known: impl Fn() -> Reply) {
    lab.api().post(&format!("/api/v1/services/{service}/identities"), way).expect(200);
    eventually(&format!("{way} is let in"), PATIENCE, || known().accepted().then_some(()));
}

#[track_caller]
fn accepted(reply: &Reply) {
    assert!(reply.accepted(), "{}", reply.output);
    assert_eq!(reply.value("Mikrotik-Rate-Limit"), Some("20M/50M"), "{}", reply.output);
}

#[track_caller]
fn rejected(reply: &Reply) {
    assert!(reply.rejected(), "{}", reply.output);
}

fn devices_get_in_by_their_mac_however_it_is_spelled(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let way = json!({"kind": "mac", "value": "02-00-00-00-00-07"});
    let plain = ["User-Name = \"020000000007\"", "User-Password = \"\"", MAC, SIGNED];
    add(lab, &service, &way, || nas.ask(&plain, 1));
    for name in [
        "02:00:00:00:00:07",
        "02-00-00-00-00-07",
        "0200.0000.0007",
        "020000000007",
        "1:2:0:0:0:0:7",
    ] {
        let name = format!("User-Name = \"{name}\"");
        for password in
            ["", "02:00:00:00:00:07", "02-00-00-00-00-07", "0200.0000.0007", &nas.secret]
        {
            let password = format!("User-Password = \"{password}\"");
            accepted(&nas.ask(&[&name, &password, MAC, SIGNED], 1));
        }
        accepted(&nas.ask(&[&name, MAC, SIGNED], 1));
        accepted(&nas.ask(&[&name, "CHAP-Password = \"\"", MAC, SIGNED], 1));
        rejected(&nas.ask(&[&name, "User-Password = \"guess\"", MAC, SIGNED], 1));
        // A neighbour's MAC typed into a login page.
        let other = "Calling-Station-Id = \"02:00:00:00:00:08\"";
        rejected(&nas.ask(&[&name, "User-Password = \"\"", other, SIGNED], 1));
    }
    let letters = json!({"kind": "mac", "value": "0A:BC:DE:F0:12:34"});
    let known = || {
        let lower = ["User-Name = \"0abcdef01234\"", "User-Password = \"0abcdef01234\"", SIGNED];
        nas.ask(&lower, 1)
    };
    add(lab, &service, &letters, known);
    for name in ["0A:BC:DE:F0:12:34", "0a:bc:de:f0:12:34", "0ABC.DEF0.1234", "0ABCDEF01234"] {
        let user = format!("User-Name = \"{name}\"");
        accepted(&nas.ask(&[&user, &format!("CHAP-Password = \"{name}\""), SIGNED], 1));
    }
    // A device nobody registered.
    let unknown = ["User-Name = \"020000000009\"", "User-Password = \"020000000009\"", SIGNED];
    rejected(&nas.ask(&unknown, 1));
    // One with a password needs it.
    let secret = json!({"kind": "mac", "value": "020000000010", "password": "box-pass"});
    let right = ["User-Name = \"020000000010\"", "User-Password = \"box-pass\"", SIGNED];
    add(lab, &service, &secret, || nas.ask(&right, 1));
    rejected(&nas.ask(&["User-Name = \"020000000010\"", "User-Password = \"\"", SIGNED], 1));
    rejected(&nas.ask(&["User-Name = \"020000000010\"", SIGNED], 1));
}

fn lines_get_in_by_circuit_remote_id_or_option_82(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let circuit = json!({"kind": "circuit", "value": "olt1 eth 0/1:100"});
    let plain = ["ADSL-Agent-Circuit-Id = \"olt1 eth 0/1:100\"", SIGNED];
    add(lab, &service, &circuit, || nas.ask(&plain, 1));
    let remote = json!({"kind": "circuit", "value": "0x4f4e5400ff"});
    let known = ["ADSL-Agent-Remote-Id = 0x4f4e5400ff", SIGNED];
    add(lab, &service, &remote, || nas.ask(&known, 1));

    let text = "6f6c74312065746820302f313a313030";
    let sub = format!("0110{text}");
    for line in [
        format!("Attr-26.2352.97 = 0x{text}"),
        "Attr-26.2352.96 = 0x4f4e5400ff".to_owned(),
        "Cisco-AVPair = \"circuit-id-tag=olt1 eth 0/1:100\"".to_owned(),
        format!("Attr-26.4874.110 = 0x{text}"),
        "Attr-26.4874.182 = 0x4f4e5400ff".to_owned(),
        format!("Attr-26.4874.159 = 0x{sub}"),
        format!("Attr-26.4874.159 = 0x5212{sub}"),
        format!("Attr-26.6527.102 = 0x3501015212{sub}ff"),
        format!("Attr-26.9.46 = 0x{sub}"),
    ] {
        accepted(&nas.ask(&[&line, "User-Name = \"dhcp.client\"", SIGNED], 1));
        // The fixed word that a BNG sends as password says nothing about a line.
        let password = "User-Password = \"cisco\"";
        accepted(&nas.ask(&[&line, "User-Name = \"x@ipoe\"", password, SIGNED], 1));
        // Over PPP somebody has typed the name.
        let ppp = ["User-Name = \"x\"", password, "Framed-Protocol = PPP", SIGNED];
        rejected(&nas.ask(&[&[line.as_str()], &ppp[..]].concat(), 1));
        // EAP is not spoken yet, and a line does not stand in for it.
        rejected(&nas.ask(&[&line, "EAP-Message = 0x0201000501", SIGNED], 1));
    }
    let other = "ADSL-Agent-Circuit-Id = \"olt1 eth 0/1:101\"";
    rejected(&nas.ask(&[other, "User-Name = \"dhcp.client\"", SIGNED], 1));

    let port = json!({"kind": "port", "value": "ether1", "nas_id": nas.id});
    let asked = ["NAS-Port-Id = \"ether1\"", "User-Name = \"dhcp.client\"", SIGNED];
    add(lab, &service, &port, || nas.ask(&asked, 1));
    let bng2 = lab.add_nas_at("bng2", Ipv4Addr::new(127, 0, 0, 2));
    eventually("bng2 is answered", PATIENCE, || {
        bng2.login("asha", "s3cret").accepted().then_some(())
    });
    rejected(&bng2.ask(&asked, 1));
}

fn a_login_that_exists_always_needs_its_password(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let line = "ADSL-Agent-Circuit-Id = \"olt1 eth 0/1:100\"";
    let circuit = json!({"kind": "circuit", "value": "olt1 eth 0/1:100"});
    add(lab, &service, &circuit, || nas.ask(&[line, SIGNED], 1));
    let asha = "User-Name = \"asha\"";
    rejected(&nas.ask(&[asha, "User-Password = \"wrong\"", line, SIGNED], 1));
    rejected(&nas.ask(&[asha, line, SIGNED], 1));
    accepted(&nas.ask(&[asha, "User-Password = \"s3cret\"", line, SIGNED], 1));
    // Whoever asks for the console of the NAS is refused, password or not.
    for (service_type, gets_in) in [
        ("Framed-User", true),
        ("Login-User", true),
        ("Administrative-User", false),
        ("NAS-Prompt-User", false),
    ] {
        let service_type = format!("Service-Type = {service_type}");
        for way in [asha, line] {
            let asked = [way, "User-Password = \"s3cret\"", &service_type, SIGNED];
            let reply = nas.ask(&asked, 1);
            assert_eq!(reply.accepted(), gets_in, "{service_type} {way}: {}", reply.output);
        }
    }
    // A way in that is taken away is gone; the service's own login stays.
    let shown = lab.api().get(&format!("/api/v1/services/{service}")).expect(200);
    let of = |kind: &str| {
        let ways = shown["identities"].as_array().expect("a list");
        let own = ways.iter().find(|way| way["kind"] == kind).expect("there is one");
        own["id"].as_str().expect("an id").to_owned()
    };
    let at = |id: &str| format!("/api/v1/services/{service}/identities/{id}");
    lab.api().delete(&at(&of("login"))).problem(409);
    lab.api().delete(&at(&of("circuit"))).expect(200);
    eventually("the line is gone", PATIENCE, || {
        nas.ask(&[line, SIGNED], 1).rejected().then_some(())
    });
    // What another service has, or what means nothing, is refused with the field's name.
    let ways = format!("/api/v1/services/{service}/identities");
    let login = json!({"kind": "login", "value": "ASHA", "password": "x"});
    lab.api().post(&ways, &login).blames(409, "/value");
    lab.api().post(&ways, &json!({"kind": "mac", "value": "aa:bb"})).blames(422, "/value");
}

fn hotspot_and_dhcp_clients_get_in_as_routeros_asks(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let hotspot = [
        "NAS-Port-Type = Ethernet",
        "Called-Station-Id = \"hotspot1\"",
        "NAS-Port-Id = \"bridge\"",
        "Mikrotik-Host-IP = 10.5.50.254",
        "WISPr-Location-ID = \"isocc=in,cc=91,ac=11,network=town\"",
        "WISPr-Logoff-URL = \"http://10.5.50.1/logout\"",
        MAC,
        SIGNED,
    ];
    let asha = "User-Name = \"asha\"";
    // HTTP CHAP, with a challenge of its own, and HTTP PAP.
    let challenge = "CHAP-Challenge = 0x00112233445566778899aabbccddeeff";
    let chap = [asha, "CHAP-Password = \"s3cret\"", challenge];
    accepted(&nas.ask(&[&chap[..], &hotspot].concat(), 1));
    accepted(&nas.ask(&[&[asha, "User-Password = \"s3cret\""][..], &hotspot].concat(), 1));
    let wrong = [asha, "CHAP-Password = \"S3cret\"", challenge];
    rejected(&nas.ask(&[&wrong[..], &hotspot].concat(), 1));
    // DHCP: the MAC as name, an empty password, the client id as calling station.
    let dhcp = [
        "User-Name = \"02:00:00:00:00:07\"",
        "User-Password = \"\"",
        "Calling-Station-Id = \"1:2:0:0:0:0:7\"",
        "Called-Station-Id = \"dhcp1\"",
        "NAS-Port-Type = Ethernet",
        SIGNED,
    ];
    let way = json!({"kind": "mac", "value": "02:00:00:00:00:07"});
    add(lab, &service, &way, || nas.ask(&dhcp, 1));
    accepted(&nas.ask(&dhcp, 1));
}

/// One Access-Request by pyrad: the code of the answer, and its attributes.
fn pyrad(nas: &Nas, asked: &Value) -> (u64, Value) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pyrad_nas.py");
    let mut whole = asked.clone();
    whole["server"] = json!(nas.auth.ip().to_string());
    whole["port"] = json!(nas.auth.port());
    whole["secret"] = json!(nas.secret);
    whole["source"] = json!(nas.source.to_string());
    let mut child = Command::new(python("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start Python");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(whole.to_string().as_bytes()).expect("write to Python");
    drop(stdin);
    let ended = child.wait_with_output().expect("read from Python");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let answer: Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&ended.stderr)));
    (answer["code"].as_u64().expect("a code"), answer["attributes"].clone())
}

fn pyrad_gets_in_by_every_method(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let mac = json!({"kind": "mac", "value": "020000000007"});
    let by_mac = ["User-Name = \"020000000007\"", "User-Password = \"\"", MAC, SIGNED];
    add(lab, &service, &mac, || nas.ask(&by_mac, 1));
    let line = json!({"kind": "circuit", "value": "0x0004ff"});
    add(lab, &service, &line, || nas.ask(&["ADSL-Agent-Circuit-Id = 0x0004ff", SIGNED], 1));
    for asked in [
        json!({"user": "asha", "password": "s3cret", "method": "pap"}),
        json!({"user": "asha", "password": "s3cret", "method": "chap"}),
        json!({"user": "02-00-00-00-00-07", "password": "02-00-00-00-00-07", "method": "pap"}),
        json!({"user": "0200.0000.0007", "password": "", "method": "chap"}),
        json!({"method": "none", "octets": {"ADSL-Agent-Circuit-Id": "0004ff"}}),
        json!({"user": "asha", "password": "s3cret", "method": "pap",
            "octets": {"Proxy-State": "00ff01"}}),
    ] {
        let (code, attributes) = pyrad(&nas, &asked);
        assert_eq!(code, 2, "{asked}: {attributes}");
        assert_eq!(attributes["Mikrotik-Rate-Limit"][0], "20M/50M", "{asked}: {attributes}");
        if asked["octets"]["Proxy-State"].is_string() {
            assert_eq!(attributes["Proxy-State"][0], "00ff01");
        }
    }
    for asked in [
        json!({"user": "asha", "password": "wrong1", "method": "pap"}),
        json!({"user": "asha", "password": "wrong1", "method": "chap"}),
        json!({"user": "asha", "method": "none"}),
        json!({"method": "none", "octets": {"ADSL-Agent-Circuit-Id": "0004fe"}}),
    ] {
        let (code, attributes) = pyrad(&nas, &asked);
        assert_eq!(code, 3, "{asked}: {attributes}");
    }
}

fn a_nas_that_signs_must_go_on_signing(lab: &mut Lab) {
    let Isp { nas, .. } = lab.isp();
    let mut old = WireNas::new(nas.source, nas.auth, &nas.secret);
    assert!(old.login("asha", "s3cret", PATIENCE).is_some(), "unsigned ones pass at first");
    let right = ["User-Name = \"asha\"", "User-Password = \"s3cret\"", SIGNED];
    let state = |lab: &Lab| {
        let listed = lab.netctl_json(&["nas"]);
        let own = listed["nas"].as_array().expect("a list").iter();
        own.clone().find(|own| own["name"] == "bng1").expect("bng1 is listed").clone()
    };
    accepted(&nas.ask(&right, 50));
    assert_eq!(state(lab)["required"], false, "fifty are not enough");
    assert!(old.login("asha", "s3cret", PATIENCE).is_some());
    accepted(&nas.ask(&right, 99));
    assert_eq!(state(lab)["required"], false, "an unsigned one came between");
    accepted(&nas.ask(&right, 2));
    eventually("bng1 must sign", PATIENCE, || (state(lab)["required"] == true).then_some(()));
    assert!(old.login("asha", "s3cret", SECOND / 2).is_none(), "an unsigned one is dropped");
    accepted(&nas.login("asha", "s3cret"));
    assert!(lab.metric("aaad", "aaad_drops_total", "unsigned") >= 1.0);
    let at = format!("/api/v1/nas/{}", nas.id);
    eventually("the office knows", PATIENCE, || {
        let shown = lab.api().get(&at).expect(200);
        (shown["message_authenticator"] == "require").then_some(())
    });
    lab.restart();
    assert!(old.login("asha", "s3cret", SECOND / 2).is_none(), "it is known after a restart");
    accepted(&nas.login("asha", "s3cret"));
    // Staff decide otherwise.
    lab.api().patch(&at, &json!({"message_authenticator": "warn"})).expect(200);
    eventually("unsigned ones pass again", PATIENCE, || old.login("asha", "s3cret", SECOND / 4));
    lab.api()
        .patch(&at, &json!({"message_authenticator": "never"}))
        .blames(422, "/message_authenticator");
}

fn guesses_are_slow_and_then_blocked(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let mut wire = WireNas::new(nas.source, nas.auth, &nas.secret);
    let begun = Instant::now();
    let refused = wire.login("asha", "guess", PATIENCE).expect("an answer");
    assert_eq!(refused.response[0], 3);
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(wire.login("asha", "s3cret", PATIENCE).expect("an answer").response[0], 2);
    assert!(begun.elapsed() < Duration::from_millis(150), "{:?}", begun.elapsed());

    let asked = |password: &str, mac: &str| {
        let password = format!("User-Password = \"{password}\"");
        let station = format!("Calling-Station-Id = \"{mac}\"");
        nas.ask(&["User-Name = \"Asha\"", &password, &station, SIGNED], 1)
    };
    let (here, there) = ("02:00:00:00:00:01", "02:00:00:00:00:02");
    for _ in 0..19 {
        rejected(&asked("guess", here));
    }
    accepted(&asked("s3cret", here));
    for _ in 0..20 {
        rejected(&asked("guess", here));
    }
    rejected(&asked("s3cret", here));
    accepted(&asked("s3cret", there));
    eventually("the block is listed", PATIENCE, || {
        let listed = lab.netctl_json(&["block", "list"]);
        let own = listed["blocks"].as_array()?.first()?.clone();
        (own["login"] == "Asha" && own["station"] == here && own["failures"] == 20).then_some(())
    });
    assert_eq!(lab.netctl(&["block", "lift", "nobody"]).code, Some(1));
    let lifted = lab.netctl(&["block", "lift", "asha", "--station", here]);
    assert_eq!(lifted.code, Some(0), "{}", lifted.stderr);
    accepted(&asked("s3cret", here));
    // A new password ends a block as well.
    for _ in 0..20 {
        rejected(&asked("guess", here));
    }
    rejected(&asked("guess", here));
    lab.api()
        .patch(&format!("/api/v1/services/{service}"), &json!({"password": "guess"}))
        .expect(200);
    eventually("the new password works", PATIENCE, || {
        asked("guess", here).accepted().then_some(())
    });
}

fn refusals_are_kept_with_a_count_and_a_reason(lab: &mut Lab) {
    let Isp { nas, service, .. } = lab.isp();
    let wrong = ["User-Name = \"asha\"", "User-Password = \"guess\"", MAC, SIGNED];
    rejected(&nas.ask(&wrong, 5));
    let nobody = ["User-Name = \"nobody\"", "User-Password = \"guess\"", MAC, SIGNED];
    rejected(&nas.ask(&nobody, 1));
    let rows = |query: &str| {
        let page = lab.api().get(&format!("/api/v1/auth-log{query}")).expect(200);
        page["data"].as_array().expect("a list").clone()
    };
    let attempts =
        |rows: &[Value]| rows.iter().filter_map(|row| row["attempts"].as_u64()).sum::<u64>();
    eventually("five refusals are kept", PATIENCE, || {
        (attempts(&rows("?login=ASHA&reason=wrong_password")) == 5).then_some(())
    });
    let own = rows("?login=asha&reason=wrong_password");
    // One row, or two where a minute ended between.
    assert!(own.len() <= 2, "{own:?}");
    assert_eq!(own[0]["service_id"], service);
    assert_eq!(own[0]["station"], "02:00:00:00:00:07");
    assert_eq!(own[0]["nas_name"], "bng1");
    let unknown = eventually("the other refusal is kept", PATIENCE, || {
        let found = rows("?reason=unknown_login&login=nobody");
        (!found.is_empty()).then_some(found)
    });
    assert_eq!((attempts(&unknown), &unknown[0]["service_id"]), (1, &Value::Null));
    assert_eq!(attempts(&rows(&format!("?nas_id={}&login=asha&reason=wrong_password", nas.id))), 5);
    assert!(rows("?login=asha&since=2100-01-01T00:00:00Z").is_empty());
    assert!(rows("?login=asha&station=x").is_empty());
    lab.api().get("/api/v1/auth-log?reason=bad_luck").problem(422);
    // A page at a time.
    let page = lab.api().get("/api/v1/auth-log?limit=1").expect(200);
    let next = page["next_cursor"].as_str().expect("there is more");
    assert!(!rows(&format!("?limit=1&cursor={next}")).is_empty());

    let tail = lab.netctl_json(&["auth-log", "--login", "asha", "--reason", "wrong_password"]);
    assert_eq!(tail["entries"].as_array().map(Vec::len), Some(5), "{tail}");
    accepted(&nas.login("asha", "s3cret"));
    let tail = lab.netctl_json(&["auth-log", "--reason", "accepted", "--nas", "bng1", "-n", "1"]);
    assert_eq!(tail["entries"][0]["login"], "asha", "{tail}");
    assert_ne!(lab.netctl(&["auth-log", "--reason", "bad_luck"]).code, Some(0));
    assert_ne!(lab.netctl(&["auth-log", "--nas", "nowhere"]).code, Some(0));
}

fn strangers_are_listed_and_a_sign_of_life_is_given(lab: &mut Lab) {
    let Isp { nas, .. } = lab.isp();
    assert!(nas.at(Ipv4Addr::new(127, 0, 0, 99)).login("asha", "s3cret").silent());
    assert!(nas.with_secret("another-secret").login("asha", "s3cret").silent());
    let listed = lab.netctl_json(&["nas", "unknown"]);
    let senders = listed["senders"].as_array().expect("a list");
    let packets = |address: &str, reason: &str| {
        let own = senders.iter().find(|s| s["address"] == address && s["reason"] == reason);
        own.and_then(|own| own["packets"].as_u64()).unwrap_or(0)
    };
    assert!(packets("127.0.0.99", "unknown_client") >= 1, "{listed}");
    assert!(packets(&nas.source.to_string(), "bad_authenticator") >= 1, "{listed}");
    let text = lab.netctl(&["nas", "unknown"]).stdout;
    assert!(text.contains("not registered") && text.contains("wrong secret"), "{text}");

    let reply = nas.status(false);
    assert!(reply.accepted(), "{}", reply.output);
    assert_eq!(reply.attributes[0].0, "Message-Authenticator", "{}", reply.output);
    let reply = nas.status(true);
    assert!(reply.recorded(), "{}", reply.output);
    assert_eq!(reply.attributes[0].0, "Message-Authenticator", "{}", reply.output);
    assert!(nas.with_secret("another-secret").status(false).silent());
    // What asks too often is not answered any more; logins are.
    let asked = || lab.metric("aaad", "aaad_drops_total", "status_limited");
    let before = asked();
    for _ in 0..4 {
        nas.status_times(100);
    }
    assert!(asked() > before, "four hundred at once are too many");
    accepted(&nas.login("asha", "s3cret"));
}

#[test]
fn staff_see_who_cannot_get_in_and_give_a_device_a_way_in() {
    let mut lab = Lab::embedded();
    let Isp { nas, service, .. } = lab.isp();
    let wrong = ["User-Name = \"asha\"", "User-Password = \"guess\"", MAC, SIGNED];
    rejected(&nas.ask(&wrong, 3));
    let device = ["User-Name = \"020000000007\"", "User-Password = \"\"", MAC, SIGNED];
    rejected(&nas.ask(&device, 1));
    let long =
        format!("User-Name = \"{}\"", "a-very-long-login@a-very-long-realm.example.net".repeat(2));
    rejected(&nas.ask(&[&long, "User-Password = \"guess\"", SIGNED], 1));
    eventually("the refusals are kept", PATIENCE, || {
        let page = lab.api().get("/api/v1/auth-log").expect(200);
        (page["data"].as_array()?.len() >= 3).then_some(())
    });

    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    console.go("Refused logins");
    for screen in [DESK, PHONE] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.look(screen, scheme);
            browser.picture(&format!("auth-log-{}-{}", screen.width, scheme.name()));
            let faults = accessible::faults(&browser);
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
    browser.look(DESK, Scheme::Light);
    console.choose("Reason", "Wrong password");
    console.press("Search");
    let table = console.table();
    assert_eq!(table.row("asha")["Calling station"], "02:00:00:00:00:07");
    assert_eq!(table.row("asha")["NAS"], "bng1");

    console.open(&format!("/services/{service}"));
    console.choose("Kind", "MAC");
    console.fill("Value", "02-00-00-00-00-07");
    console.press("Add");
    console.expect_said("The way in is added.");
    eventually("the device is let in", PATIENCE, || nas.ask(&device, 1).accepted().then_some(()));
    for screen in [DESK, PHONE] {
        browser.look(screen, Scheme::Light);
        browser.picture(&format!("ways-in-{}", screen.width));
        let faults = accessible::faults(&browser);
        assert!(faults.is_empty(), "{faults:#?}");
    }
    // A value that cannot be is refused.
    browser.look(DESK, Scheme::Light);
    console.choose("Kind", "MAC");
    console.fill("Value", "02:00");
    console.press("Add");
    console.expect_page("Add a way in");
    browser.expect_status(422);
    let page = browser.read("return document.body.textContent;");
    let page = page.as_str().unwrap_or_default();
    assert!(page.contains("a MAC address has 12 hexadecimal digits"), "{page}");
}
