//! From files to the draft.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn drafted(files: &[(&str, &str)]) -> (Draft, Value, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut source = Source::default();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        match Path::new(name).extension().and_then(|extension| extension.to_str()) {
            Some("conf") => clients::read(&path, &mut source).unwrap(),
            Some("sql") => tables::read(&path, &mut source).unwrap(),
            _ => users::read(&path, &mut source).unwrap(),
        }
    }
    let choices = Choices { vendor: None, zone: TimeZone::get("Asia/Kathmandu").unwrap() };
    let draft = draft::draft(&source, &choices);
    let json = report::as_json(&draft, None);
    let text = report::show(&draft, None, &Style::default());
    (draft, json, text)
}

const USERS: &str = r#"
bob	Cleartext-Password := "hush-bob", Simultaneous-Use := 1
	Framed-IP-Address = 192.0.2.7,
	Framed-IP-Netmask = 255.255.255.255,
	Mikrotik-Rate-Limit = "5M/20M 10M/40M 4M/16M 8/8 5",
	Fall-Through = Yes
zoe	Cleartext-Password := "hush-zoe", Expiration := "23 Sep 2027"
	Mikrotik-Rate-Limit = "5M/20M 10M/40M 4M/16M 8/8 5",
	Framed-Route = "198.51.100.0/24 0.0.0.0 1",
	Framed-Route += "198.51.101.0/24 0.0.0.0 1",
	Shoe-Size = 44
old	NT-Password := 0x0123456789abcdef0123456789abcdef
gone	Cleartext-Password := "hush-gone", Auth-Type := Reject
mac	Auth-Type := Accept
DEFAULT	Framed-Protocol == PPP
	Framed-Protocol = PPP,
	Framed-Compression = Van-Jacobson-TCP-IP
DEFAULT	Huntgroup-Name == "tower1"
	Framed-Pool = p1
"#;

#[test]
fn users_become_services_and_what_they_share_becomes_plans() {
    let (draft, json, text) = drafted(&[("users", USERS)]);
    let services: Vec<&str> = draft.services.iter().map(|own| own.login.as_str()).collect();
    assert_eq!(services, ["bob", "zoe", "gone"]);
    assert_eq!(
        json["services"][0]["fields"],
        json!({"ipv4": "192.0.2.7", "ipv4_prefix_length": 32})
    );
    let routes = json!(["198.51.100.0/24 0.0.0.0 1", "198.51.101.0/24 0.0.0.0 1"]);
    assert_eq!(json["services"][1]["fields"]["routes"], routes);
    // Midnight in Kathmandu, which is 5:45 ahead.
    assert_eq!(json["services"][1]["fields"]["expires_at"], "2027-09-22T18:15:00Z");
    assert_eq!(json["services"][2]["suspended"], true);
    // bob falls through to PPP, zoe does not: two plans of the same rates.
    let names: Vec<&str> = draft.plans.iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(
        names,
        ["20 Mbit/s down, 5 Mbit/s up", "20 Mbit/s down, 5 Mbit/s up (2)", "Not limited"]
    );
    let fields = &json["plans"][0]["fields"];
    assert_eq!(fields["burst_download_bps"], 40_000_000);
    assert_eq!(fields["burst_threshold_upload_bps"], 4_000_000);
    assert_eq!((&fields["burst_time_s"], &fields["priority"]), (&json!(8), &json!(5)));
    assert_eq!(fields["framed_protocol"], "ppp");

    let troubles: Vec<String> = draft
        .troubles
        .iter()
        .map(|trouble| format!("{} {} {}", trouble.weight.as_str(), trouble.name, trouble.text))
        .collect();
    assert_eq!(troubles.len(), 3, "{troubles:#?}");
    assert!(troubles[0].starts_with("left_out old NT-Password: only a hash"), "{troubles:#?}");
    assert!(troubles[1].starts_with("left_out mac Auth-Type := Accept"), "{troubles:#?}");
    assert!(troubles[2].starts_with("freer bob Simultaneous-Use limits nobody"), "{troubles:#?}");
    let homeless: Vec<(&str, usize)> =
        draft.homeless.iter().map(|(name, own)| (name.as_str(), own.uses)).collect();
    assert_eq!(
        homeless,
        [("Huntgroup-Name", 1), ("NT-Password", 1), ("Shoe-Size", 1), ("Simultaneous-Use", 1)]
    );
    for report in [json.to_string(), text] {
        assert!(!report.contains("hush") && !report.contains("0123456789abcdef"), "{report}");
    }
}

const TABLES: &str = r#"
COPY public.radcheck (id, username, attribute, op, value) FROM stdin;
1	asha	Cleartext-Password	:=	hush1
2	binod	Cleartext-Password	:=	hush2
3	Asha	Cleartext-Password	:=	hush3
4	binod	NAS-IP-Address	==	192.0.2.1
\.
COPY public.radreply (id, username, attribute, op, value) FROM stdin;
1	binod	Mikrotik-Rate-Limit	:=	8M/9M
2	binod	Framed-IP-Address	=	255.255.255.254
\.
COPY public.radgroupreply (id, groupname, attribute, op, value) FROM stdin;
1	gold	Mikrotik-Rate-Limit	=	5M/20M
2	gold	Framed-Pool	=	pool1
3	gold	Acct-Interim-Interval	=	600
4	gold	MS-Primary-DNS-Server	=	192.0.2.53
\.
COPY public.radusergroup (username, groupname, priority) FROM stdin;
asha	gold	1
binod	gold	1
\.
COPY public.nas (id, nasname, shortname, type, ports, secret, server) FROM stdin;
1	192.0.2.1	tower1	other	\N	nas-hush	\N
2	10.0.0.0/8	towers	mikrotik	\N	nas-hush	\N
3	tower9.example.net	tower9	cisco	\N	nas-hush	\N
4	2001:db8::1/128	six	cisco	\N	nas-hush	\N
5	192.0.2.1	again	other	\N	other	\N
6	192.0.2.9	open	other	\N		\N
\.
"#;

#[test]
fn groups_become_plans_and_what_is_a_logins_own_its_services() {
    let (draft, json, text) = drafted(&[("dump.sql", TABLES)]);
    let gold = json!({
        "download_bps": 20_000_000, "upload_bps": 5_000_000, "pool": "pool1", "interim_s": 600,
        "dns": ["192.0.2.53"],
    });
    assert_eq!(json["plans"][0]["name"], "gold");
    assert_eq!(json["plans"][0]["external_id"], "group:gold");
    assert_eq!(json["plans"][0]["fields"], gold);
    assert_eq!(json["services"][0]["plan"], "gold");
    // The address that the NAS chooses is no field of services: so it is a plan of its own.
    assert_eq!(json["services"][1]["plan"], "gold (2)");
    assert_eq!(json["services"][1]["nas"], "192.0.2.1");
    assert_eq!(draft.services.len(), 2);
    let nas: Vec<(&str, &str)> =
        draft.nas.iter().map(|nas| (nas.name.as_str(), nas.vendor)).collect();
    assert_eq!(nas, [("tower1", "mikrotik"), ("six", "cisco")], "the vendor is guessed from gold");
    let troubles: Vec<&str> = draft.troubles.iter().map(|own| own.text.as_str()).collect();
    for words in [
        "10.0.0.0/8 is a network",
        "tower9.example.net is a host name",
        "already, with another secret",
        "it has no secret",
        "as a login it is the same as \"asha\"",
    ] {
        assert!(troubles.iter().any(|text| text.contains(words)), "{words} in {troubles:#?}");
    }
    assert!(!text.contains("hush") && !json.to_string().contains("hush"));
}

#[test]
fn an_own_rate_is_the_services_where_nothing_else_differs() {
    let tables = TABLES.replace("2	binod	Framed-IP-Address	=	255.255.255.254\n", "");
    let (_, json, _) = drafted(&[("dump.sql", &tables)]);
    assert_eq!(json["services"][1]["plan"], "gold");
    let fields = json!({"download_bps": 9_000_000, "upload_bps": 8_000_000});
    assert_eq!(json["services"][1]["fields"], fields);
}

#[test]
fn a_speed_that_the_group_does_not_have_makes_a_plan() {
    let tables = TABLES.replace("1	gold	Mikrotik-Rate-Limit	=	5M/20M\n", "");
    let (_, json, _) = drafted(&[("dump.sql", &tables)]);
    assert_eq!(json["services"][0]["plan"], "gold");
    assert_eq!(json["services"][1]["plan"], "gold (2)");
    assert_eq!(json["plans"][1]["fields"]["download_bps"], 9_000_000);
}

#[test]
fn the_file_of_errors_is_safe_to_open_in_a_spreadsheet() {
    let users = "=cmd()\tCrypt-Password := x\n\"a \\\"b\\\"\"\tReply-Message := x\n";
    let (draft, ..) = drafted(&[("users", users)]);
    let text = report::errors(draft.troubles.iter());
    assert!(text.starts_with("weight,kind,name,place,text\r\n"), "{text}");
    assert!(text.contains("\"left_out\",\"service\",\"'=cmd()\","), "{text}");
    assert!(text.contains("\"a \"\"b\"\"\""), "{text}");
}
