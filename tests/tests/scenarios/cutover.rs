//! From FreeRADIUS to here: the same files, the same answers.

use std::path::Path;

use lab::freeradius::FreeRadius;
use lab::place::Place;
use lab::{Lab, PATIENCE, eventually};
use serde_json::Value;

both_ways!(
    what_freeradius_knew_gives_the_same_answers_here,
    a_capture_is_replayed_under_the_servers_own_secrets,
);

const CLIENTS: &str = "\
client tower1 {
    ipaddr = 127.0.0.1
    secret = testing123
    nas_type = mikrotik
}
client towers {
    ipaddr = 10.77.0.0
    netmask = 16
    secret = testing456
}
";

const USERS: &str = r#"
# Two of one plan, the second with an address and a route of its own.
asha	Cleartext-Password := "hush asha"
	Mikrotik-Rate-Limit = "20M/50M",
	Framed-Pool = pool1,
	Acct-Interim-Interval = 300,
	Fall-Through = Yes
binod	Cleartext-Password := hush2
	Mikrotik-Rate-Limit = "20M/50M",
	Framed-IP-Address = 192.0.2.77,
	Framed-Route = "198.51.100.0/24 0.0.0.0 1",
	Framed-Route += "198.51.101.0/24 0.0.0.0 1",
	Acct-Interim-Interval = 300,
	Fall-Through = Yes
# Bursts, a list on the router, timeouts.
"chitra devi"	Cleartext-Password := "p\"q"
	Mikrotik-Rate-Limit = "5M/20M 10M/40M 4M/16M 8/8 5",
	Mikrotik-Address-List = "business",
	Session-Timeout = 86400,
	Idle-Timeout = 600,
	Acct-Interim-Interval = 300
deepa	Cleartext-Password := hush4, Auth-Type := Reject
	Acct-Interim-Interval = 300
esha	Cleartext-Password := hush5, Expiration := "24 Sep 2020"
	Acct-Interim-Interval = 300
farid	Cleartext-Password := hush6, Calling-Station-Id == "02:00:00:00:00:06"
	Acct-Interim-Interval = 300
gopal	Crypt-Password := "$1$abcdefgh$Z4mHwDXo9kZIYrYCsKR0y/"
DEFAULT	Framed-Protocol == PPP
	Framed-Protocol = PPP,
	Service-Type = Framed-User
"#;

/// Every method, right and wrong passwords, each kind of login.
const REQUESTS: &str = r#"
User-Name = "asha", User-Password = "hush asha", Framed-Protocol = PPP, Service-Type = Framed-User

User-Name = "asha", CHAP-Password = "hush asha", Framed-Protocol = PPP

User-Name = "asha", MS-CHAP-Password = "hush asha", Framed-Protocol = PPP

User-Name = "asha", MS-CHAP2-Password = "hush asha", Framed-Protocol = PPP

User-Name = "binod", User-Password = "hush2", Framed-Protocol = PPP

User-Name = "chitra devi"
User-Password = "p\"q"
Calling-Station-Id = "02:00:00:00:00:03"

User-Name = "asha", User-Password = "wrong", Framed-Protocol = PPP

User-Name = "asha", MS-CHAP2-Password = "wrong", Framed-Protocol = PPP

User-Name = "deepa", User-Password = "hush4"

User-Name = "esha", User-Password = "hush5"

User-Name = "farid", User-Password = "hush6", Calling-Station-Id = "02:00:00:00:00:06"

User-Name = "nobody", User-Password = "hush7"
"#;

fn text(path: &Path) -> &str {
    path.to_str().expect("paths are UTF-8")
}

fn import(lab: &Lab, freeradius: &FreeRadius, more: &[&str]) -> lab::program::Ended {
    let (clients, users) = (freeradius.file("clients.conf"), freeradius.file("users"));
    let [_, _, http] = lab.listening().map(|address| address.to_string());
    let all = ["import", "freeradius", "--clients", text(&clients), "--users", text(&users)];
    lab.netctl(&[&all[..], &["--zone", "UTC", "--api", &http], more].concat())
}

/// Compares, passing over what each server says in its own words: the text of a refusal, two
/// attributes about MPPE that only say what the keys are for, and the keys that follow from
/// MS-CHAP, which aaad does not give. Our interim interval is spread by a tenth.
fn compare(lab: &Lab, freeradius: &FreeRadius, more: &[&str]) -> lab::program::Ended {
    let (left, right) = (freeradius.address().to_string(), lab.listening()[0].to_string());
    let all = [
        "radius",
        "compare",
        "--left",
        &left,
        "--right",
        &right,
        "--secret",
        "testing123",
        "--ignore",
        "Reply-Message",
        "--ignore",
        "MS-MPPE-Encryption-Policy",
        "--ignore",
        "MS-MPPE-Encryption-Types",
        "--ignore",
        "MS-CHAP-Error",
        "--ignore",
        "MS-CHAP-MPPE-Keys",
        "--near",
        "Acct-Interim-Interval=10",
    ];
    lab.netctl(&[&all[..], more].concat())
}

fn count(lab: &Lab, path: &str) -> usize {
    let page = lab.api().get(&format!("/api/v1/{path}?limit=500")).expect(200);
    page["data"].as_array().expect("a list has `data`").len()
}

fn what_freeradius_knew_gives_the_same_answers_here(lab: &mut Lab) {
    let place = Place::new();
    let freeradius = FreeRadius::start(place.port(), CLIENTS, USERS);
    let token = lab.api().token().expect("the lab has a token").to_owned();

    // First it says what it would do, and does nothing.
    let dry = import(lab, &freeradius, &["--json"]);
    assert_eq!(dry.code, Some(1), "{dry:?}");
    let report: Value = serde_json::from_str(&dry.stdout).expect("it printed JSON");
    assert_eq!(report["services"].as_array().map(Vec::len), Some(6), "{report}");
    assert_eq!(report["nas"][0]["name"], "tower1");
    assert_eq!(count(lab, "services"), 0, "a dry run makes nothing");
    let text_report = import(lab, &freeradius, &[]);
    for words in [
        "NAS: 1 to make, 1 left out",
        "Services: 6 to make, 1 left out, of 7 logins",
        "10.77.0.0/16 is a network",
        "Crypt-Password: only a hash is known",
        "farid: Calling-Station-Id is not asked for here",
        "Nothing was written",
    ] {
        assert!(text_report.stdout.contains(words), "{words} in\n{}", text_report.stdout);
    }
    for secret in ["hush", "testing", "$1$"] {
        assert!(!text_report.stdout.contains(secret) && !dry.stdout.contains(secret), "{secret}");
    }

    // A token that is none ends it, in a word.
    let refused = import(lab, &freeradius, &["--apply", "--token", "no-such-token"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("401"), "{refused:?}");

    let errors = freeradius.file("errors.csv");
    let apply = ["--apply", "--token", token.as_str(), "--errors", text(&errors), "--json"];
    let made = import(lab, &freeradius, &apply);
    let made: Value = serde_json::from_str(&made.stdout).unwrap_or_else(|_| panic!("{made:?}"));
    assert_eq!(made["written"]["refused"], serde_json::json!([]), "{made}");
    assert_eq!(made["written"]["counts"]["service"]["made"], 6, "{made}");
    let csv = std::fs::read_to_string(&errors).expect("the errors were written");
    assert!(csv.contains("\"left_out\",\"service\",\"gopal\""), "{csv}");

    let list = freeradius.file("requests");
    std::fs::write(&list, REQUESTS).expect("write requests");
    let first = freeradius.file("first");
    std::fs::write(&first, "User-Name = asha, User-Password = \"hush asha\"\n").expect("write");
    let [auth, ..] = lab.listening();
    eventually("the first login is answered here", PATIENCE, || {
        let tried = lab.radius_test("binod", "hush2", "pap", "testing123");
        (tried.code == Some(0)).then_some(())
    });
    eventually("all that was imported is in force", PATIENCE, || {
        let tried = lab.radius_test("farid", "hush6", "pap", "testing123");
        (tried.code == Some(0)).then_some(())
    });
    let same = compare(lab, &freeradius, &["--requests", text(&list)]);
    assert_eq!(same.code, Some(0), "on {auth}\n{}{}", same.stdout, same.stderr);
    assert!(same.stdout.contains("12 the same, 0 differ"), "{}", same.stdout);

    // Once more: nothing is made twice, and nothing of it is lost.
    let again = import(lab, &freeradius, &["--apply", "--token", token.as_str(), "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap_or_else(|_| panic!("{again:?}"));
    for (kind, there) in [("nas", 1), ("plan", 4), ("service", 6)] {
        let counts = &again["written"]["counts"][kind];
        assert_eq!((&counts["made"], &counts["there"]), (&0.into(), &there.into()), "{again}");
    }
    assert_eq!((count(lab, "services"), count(lab, "customers")), (6, 6));

    // What is changed here shows, and --update brings it back.
    let services = lab.api().get("/api/v1/services?login=binod").expect(200);
    let service = services["data"][0]["id"].as_str().expect("binod is there").to_owned();
    let change = serde_json::json!({"download_bps": 9_000_000, "upload_bps": 8_000_000});
    lab.api().patch(&format!("/api/v1/services/{service}"), &change).expect(200);
    eventually("the change shows", PATIENCE, || {
        let differs = compare(lab, &freeradius, &["--requests", text(&list), "--json"]);
        let report: Value = serde_json::from_str(&differs.stdout).expect("it printed JSON");
        let case = &report["differing"][0];
        (differs.code == Some(1)
            && report["same"] == 11
            && case["user"] == "binod"
            && case["left"] == serde_json::json!(["Mikrotik-Rate-Limit = \"20M/50M\""])
            && case["right"] == serde_json::json!(["Mikrotik-Rate-Limit = \"8M/9M\""]))
        .then_some(())
    });
}

/// A capture as `tcpdump -w` writes it, of one Access-Request in Ethernet.
fn capture_of(datagram: &[u8]) -> Vec<u8> {
    let udp = [
        &[0x9c, 0x40, 0x07, 0x14][..],
        &(datagram.len() as u16 + 8).to_be_bytes(),
        &[0, 0],
        datagram,
    ]
    .concat();
    let ip = [
        &[0x45, 0][..],
        &(udp.len() as u16 + 20).to_be_bytes(),
        &[0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2],
        &udp,
    ]
    .concat();
    let frame = [&[2; 12][..], &[8, 0], &ip].concat();
    let length = (frame.len() as u32).to_le_bytes();
    let head = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    [&head[..], &[0; 8], &length, &length, &frame].concat()
}

fn a_capture_is_replayed_under_the_servers_own_secrets(lab: &mut Lab) {
    use radius_wire::{ClientKey, Code, Writer, attr};
    let isp = lab.isp();
    let users = "asha Cleartext-Password := s3cret\n\tMikrotik-Rate-Limit = \"20M/50M\",\n\
                 \tAcct-Interim-Interval = 300\n";
    let clients = "client lab {\n ipaddr = 127.0.0.1\n secret = another\n}\n";
    let freeradius = FreeRadius::start(Place::new().port(), clients, users);
    let mut packet = Vec::new();
    let captured = ClientKey::new(b"captured");
    let mut writer = Writer::request(Code::ACCESS_REQUEST, 9, &[7; 16], &mut packet);
    writer.message_authenticator().expect("room");
    writer.text(attr::USER_NAME, "asha").expect("room");
    writer.user_password(b"s3cret", &captured).expect("room");
    writer.finish_access_request(&captured);
    let path = freeradius.file("capture");
    std::fs::write(&path, capture_of(&packet)).expect("write a capture");
    let replay = ["--pcap", text(&path), "--capture-secret", "captured"];
    let right = lab.listening()[0].to_string();
    let left = freeradius.address().to_string();
    let run = |more: &[&str]| {
        let all = [
            "radius",
            "compare",
            "--left",
            &right,
            "--right",
            &left,
            "--secret",
            &isp.nas.secret,
            "--near",
            "Acct-Interim-Interval=10",
            "--timeout-ms",
            "500",
            "--tries",
            "1",
        ];
        lab.netctl(&[&all[..], &replay, more].concat())
    };
    let same = run(&["--right-secret", "another"]);
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);
    // Under a wrong secret one of them says nothing, and the exit code tells.
    let silent = run(&["--right-secret", "nonsense"]);
    assert_eq!(silent.code, Some(1), "{}{}", silent.stdout, silent.stderr);
    assert!(silent.stdout.contains("+ no answer"), "{}", silent.stdout);
}
