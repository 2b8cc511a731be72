//! What NAS of each vendor are told, as FreeRADIUS's dictionaries read it, and what cannot be.

use std::net::Ipv4Addr;

use lab::peer::Kind;
use lab::wire::attributes_of;
use lab::{Lab, Nas, PATIENCE, SECOND, eventually};
use serde_json::{Value, json};

both_ways!(
    every_vendor_is_told_a_plan_in_its_own_words,
    what_is_fixed_for_a_subscriber_reaches_the_nas,
    the_garden_confines_by_the_vendors_own_ways,
    a_change_of_plan_reaches_a_living_session_in_the_vendors_words,
    what_a_vendor_cannot_carry_is_told_before_and_refused_at_the_login,
    interim_intervals_differ_by_session_and_not_by_request,
);

/// Names of profiles for the vendors that take rates by name.
fn profiles() -> Value {
    json!({
        "cisco.policy_in": "home-up",
        "cisco.policy_out": "home-down",
        "juniper.service": "internet({upload_bps},{download_bps})",
        "nokia.subscriber_profile": "residential",
        "nokia.sla_profile": "home50",
    })
}

/// A plan with 50 Mbit/s down and 20 up, and whatever else is given.
fn plan(lab: &Lab, name: &str, more: Value) -> String {
    let mut body = json!({
        "name": name,
        "price": {"amount": 2999, "currency": "USD"},
        "download_bps": 50_000_000,
        "upload_bps": 20_000_000,
        "vendor_profiles": profiles(),
    });
    for (field, value) in more.as_object().expect("an object") {
        body[field] = value.clone();
    }
    lab.api().post("/api/v1/plans", &body).created()
}

/// A service on a plan, with whatever else is given.
fn service(lab: &Lab, login: &str, plan: &str, more: Value) -> String {
    let customer = lab.api().create_customer(login, &format!("{login}@example.net"));
    let id = lab.api().create_service(&customer, plan, login, "s3cret");
    if more != json!({}) {
        lab.api().patch(&format!("/api/v1/services/{id}"), &more).expect(200);
    }
    id
}

/// A NAS of a vendor at 127.0.1.`last`.
fn nas(lab: &mut Lab, vendor: &str, last: u8) -> Nas {
    let nas = lab.add_nas_at(vendor, Ipv4Addr::new(127, 0, 1, last));
    lab.api().patch(&format!("/api/v1/nas/{}", nas.id), &json!({"vendor": vendor})).expect(200);
    nas
}

/// The login gets all of these, and soon.
#[track_caller]
fn told(nas: &Nas, login: &str, expected: &[(&str, &str)]) {
    let mut last = Last(String::new());
    eventually(&format!("{} tells {expected:?}", nas.name), PATIENCE, || {
        let reply = nas.login(login, "s3cret");
        let there = |(name, value): &(&str, &str)| {
            reply.attributes.iter().any(|(own, is)| own == name && is == value)
        };
        let all = reply.accepted() && expected.iter().all(there);
        last.0 = reply.output;
        all.then_some(())
    });
}

/// The last reply, shown where the test fails over it.
struct Last(String);

impl Drop for Last {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

fn every_vendor_is_told_a_plan_in_its_own_words(lab: &mut Lab) {
    let home = plan(lab, "Home", json!({"session_timeout_s": 86_400, "idle_timeout_s": 600}));
    service(lab, "asha", &home, json!({}));
    let words: [(&str, &[(&str, &str)]); 8] = [
        ("mikrotik", &[("Mikrotik-Rate-Limit", "20M/50M")]),
        (
            "cisco",
            &[
                ("Cisco-AVPair", "subscriber:sub-qos-policy-in=home-up"),
                ("Cisco-AVPair", "subscriber:sub-qos-policy-out=home-down"),
            ],
        ),
        (
            "huawei",
            &[
                ("Huawei-Input-Average-Rate", "20000000"),
                ("Huawei-Output-Average-Rate", "50000000"),
            ],
        ),
        ("juniper", &[("ERX-Service-Activate:1", "internet(20000000,50000000)")]),
        ("nokia", &[("Alc-Subsc-Prof-Str", "residential"), ("Alc-SLA-Prof-Str", "home50")]),
        ("accel_ppp", &[("Filter-Id", "50000/20000")]),
        (
            "chillispot",
            &[("ChilliSpot-Bandwidth-Max-Up", "20000"), ("ChilliSpot-Bandwidth-Max-Down", "50000")],
        ),
        (
            "generic",
            &[("WISPr-Bandwidth-Max-Up", "20000000"), ("WISPr-Bandwidth-Max-Down", "50000000")],
        ),
    ];
    for (n, (vendor, expected)) in words.into_iter().enumerate() {
        let nas = nas(lab, vendor, n as u8 + 1);
        let timeouts = [("Session-Timeout", "86400"), ("Idle-Timeout", "600")];
        told(&nas, "asha", &[expected, &timeouts].concat());
    }
    let (burst, sooner) = (
        json!({
            "burst_download_bps": 100_000_000, "burst_upload_bps": 40_000_000,
            "burst_threshold_download_bps": 40_000_000, "burst_threshold_upload_bps": 15_000_000,
            "burst_time_s": 16, "priority": 3,
        }),
        lab.nas("mikrotik").clone(),
    );
    lab.api().patch(&format!("/api/v1/plans/{home}"), &burst).expect(200);
    told(&sooner, "asha", &[("Mikrotik-Rate-Limit", "20M/50M 40M/100M 15M/40M 16/16 3")]);
    let peak = [("Huawei-Input-Peak-Rate", "40000000"), ("Huawei-Output-Peak-Rate", "100000000")];
    told(&lab.nas("huawei").clone(), "asha", &peak);
}

fn what_is_fixed_for_a_subscriber_reaches_the_nas(lab: &mut Lab) {
    let pools = plan(
        lab,
        "Pools",
        json!({
            "pool": "home", "ipv6_pool": "home6", "delegated_pool": "homepd",
            "dns": ["192.0.2.53", "2001:db8::53"],
            "service_type": "framed", "framed_protocol": "ppp",
        }),
    );
    service(lab, "asha", &pools, json!({}));
    let plain = plan(lab, "Plain", json!({}));
    service(
        lab,
        "binod",
        &plain,
        json!({
            "ipv4": "192.0.2.9", "ipv4_prefix_length": 29,
            "ipv6_prefix": "2001:db8:1:2::/64", "delegated_prefix": "2001:db8:100::/56",
            "routes": ["198.51.100.0/24 0.0.0.0 1", "203.0.113.0/28 0.0.0.0 1"],
        }),
    );
    service(
        lab,
        "chitra",
        &plain,
        json!({
            "ipv6_address": "2001:db8::7", "ipv6_routes": ["2001:db8:200::/48 :: 1"],
            "ipv4_method": "nas",
        }),
    );
    let vlan = plan(lab, "VLAN", json!({"vlan": 2010}));
    service(lab, "deepa", &vlan, json!({}));
    let listed =
        plan(lab, "Listed", json!({"address_list": "vip", "filters": ["std.in", "std.out"]}));
    service(lab, "esha", &listed, json!({}));

    let framed = [("Service-Type", "Framed-User"), ("Framed-Protocol", "PPP")];
    let pools = |more: &[(&'static str, &'static str)]| [&framed, more].concat();
    let generic = nas(lab, "generic", 1);
    told(
        &generic,
        "asha",
        &pools(&[
            ("Framed-Pool", "home"),
            ("Framed-IPv6-Pool", "home6"),
            ("Delegated-IPv6-Prefix-Pool", "homepd"),
            ("MS-Primary-DNS-Server", "192.0.2.53"),
            ("DNS-Server-IPv6-Address", "2001:db8::53"),
        ]),
    );
    let fixed: &[(&str, &str)] = &[
        ("Framed-IP-Address", "192.0.2.9"),
        ("Framed-IP-Netmask", "255.255.255.248"),
        ("Framed-IPv6-Prefix", "2001:db8:1:2::/64"),
        ("Delegated-IPv6-Prefix", "2001:db8:100::/56"),
        ("Framed-Route", "198.51.100.0/24 0.0.0.0 1"),
        ("Framed-Route", "203.0.113.0/28 0.0.0.0 1"),
    ];
    told(&generic, "binod", fixed);
    told(
        &generic,
        "chitra",
        &[
            ("Framed-IPv6-Address", "2001:db8::7"),
            ("Framed-IPv6-Route", "2001:db8:200::/48 :: 1"),
            ("Framed-IP-Address", "255.255.255.254"),
        ],
    );
    let tunnel: &[(&str, &str)] = &[
        ("Tunnel-Type:0", "VLAN"),
        ("Tunnel-Medium-Type:0", "IEEE-802"),
        ("Tunnel-Private-Group-Id:0", "2010"),
    ];
    told(&generic, "deepa", tunnel);

    let huawei = nas(lab, "huawei", 2);
    told(
        &huawei,
        "asha",
        &pools(&[
            ("Framed-Pool", "home"),
            ("Huawei-Delegated-IPv6-Prefix-Pool", "homepd"),
            ("Huawei-Primary-DNS", "192.0.2.53"),
        ]),
    );
    told(&huawei, "binod", fixed);
    let nokia = nas(lab, "nokia", 3);
    told(
        &nokia,
        "asha",
        &pools(&[("Alc-Delegated-IPv6-Pool", "homepd"), ("Alc-Primary-Dns", "192.0.2.53")]),
    );
    told(&nokia, "chitra", &[("Alc-Ipv6-Address", "2001:db8::7")]);
    let juniper = nas(lab, "juniper", 4);
    told(&juniper, "asha", &pools(&[("ERX-Primary-Dns", "192.0.2.53"), ("Framed-Pool", "home")]));
    let mikrotik = nas(lab, "mikrotik", 5);
    told(&mikrotik, "binod", fixed);
    told(
        &mikrotik,
        "esha",
        &[("Mikrotik-Address-List", "vip"), ("Filter-Id", "std.in"), ("Filter-Id", "std.out")],
    );
    let cisco = nas(lab, "cisco", 6);
    told(&cisco, "deepa", tunnel);
    let accel = nas(lab, "accel_ppp", 7);
    told(&accel, "binod", fixed);
    let chilli = nas(lab, "chillispot", 8);
    // ChilliSpot-VLAN-Id, which CoovaChilli's own dictionary has and FreeRADIUS's has not.
    told(&chilli, "deepa", &[("Attr-26.14559.24", "0x000007da")]);
}

fn the_garden_confines_by_the_vendors_own_ways(lab: &mut Lab) {
    let garden = plan(
        lab,
        "Garden",
        json!({
            "on_expired": "garden",
            "garden_pool": "unpaid", "garden_redirect_url": "https://pay.example.net/",
            "garden_dns": ["192.0.2.99"],
            "garden_vendor_profiles": {"nokia.sla_profile": "garden"},
        }),
    );
    service(lab, "asha", &garden, json!({"expires_at": "2026-01-01T00:00:00Z"}));
    let url = "https://pay.example.net/";
    let words: [(&str, &[(&str, &str)]); 8] = [
        (
            "mikrotik",
            &[
                ("Mikrotik-Address-List", "garden"),
                ("Framed-Pool", "unpaid"),
                ("Mikrotik-Rate-Limit", "1M/1M"),
            ],
        ),
        (
            "cisco",
            &[("Filter-Id", "garden"), ("Cisco-AVPair", "url-redirect=https://pay.example.net/")],
        ),
        ("huawei", &[("Filter-Id", "garden"), ("Huawei-Primary-DNS", "192.0.2.99")]),
        ("juniper", &[("Filter-Id", "garden"), ("Framed-Pool", "unpaid")]),
        ("nokia", &[("Alc-SLA-Prof-Str", "garden"), ("Alc-Primary-Dns", "192.0.2.99")]),
        ("accel_ppp", &[("Framed-Pool", "unpaid"), ("Filter-Id", "1000/1000")]),
        ("chillispot", &[("Filter-Id", "garden"), ("WISPr-Redirection-URL", url)]),
        ("generic", &[("Filter-Id", "garden"), ("WISPr-Bandwidth-Max-Up", "1000000")]),
    ];
    for (n, (vendor, expected)) in words.into_iter().enumerate() {
        let nas = nas(lab, vendor, n as u8 + 1);
        told(&nas, "asha", expected);
    }
}

/// What a request has of a vendor, 0 for the standard space: type and value.
fn of_vendor(packet: &[u8], vendor: u32, kind: u8) -> Vec<Vec<u8>> {
    let attributes = attributes_of(packet).into_iter();
    attributes
        .filter_map(|(own, value)| match (vendor, own) {
            (0, own) if own == kind => Some(value),
            (1.., 26) if value[..4] == vendor.to_be_bytes() && value[4] == kind => {
                Some(value[6..].to_vec())
            }
            _ => None,
        })
        .collect()
}

fn a_change_of_plan_reaches_a_living_session_in_the_vendors_words(lab: &mut Lab) {
    let home = plan(lab, "Home", json!({}));
    let bits = |n: u32| n.to_be_bytes().to_vec();
    // 100 Mbit/s down, 30 up: vendor, type and value. Where the plan's speed is told by a name
    // without the rate in it (Cisco and Nokia here), a session is told nothing new.
    let words: [(&str, u32, u8, Vec<u8>); 6] = [
        ("mikrotik", 14988, 8, b"30M/100M".to_vec()),
        ("huawei", 2011, 5, bits(100_000_000)),
        ("juniper", 4874, 180, b"\x01internet(30000000,100000000)".to_vec()),
        ("accel_ppp", 0, 11, b"100000/30000".to_vec()),
        ("chillispot", 14122, 8, bits(100_000_000)),
        ("generic", 14122, 7, bits(30_000_000)),
    ];
    let mut live = Vec::new();
    for (n, (vendor, space, kind, value)) in words.into_iter().enumerate() {
        let login = format!("user-{n}");
        service(lab, &login, &home, json!({}));
        let nas = nas(lab, vendor, n as u8 + 1);
        eventually(&format!("{login} is let in"), PATIENCE, || {
            nas.login(&login, "s3cret").accepted().then_some(())
        });
        let session = nas.connect(&login, "s3cret");
        live.push((nas, session, space, kind, value));
    }
    let faster = json!({"download_bps": 100_000_000, "upload_bps": 30_000_000});
    lab.api().patch(&format!("/api/v1/plans/{home}"), &faster).expect(200);
    for (nas, session, space, kind, value) in live {
        let request = nas.coa_peer().expect(Kind::Change, &session.id);
        let told = of_vendor(&request.packet, space, kind);
        assert!(told.contains(&value), "{}: {told:02x?}", nas.name);
    }
}

fn what_a_vendor_cannot_carry_is_told_before_and_refused_at_the_login(lab: &mut Lab) {
    let isp = lab.isp();
    let chilli = nas(lab, "chillispot", 2);
    let pools = plan(lab, "Pools", json!({"pool": "home", "priority": 3}));

    // The plan says which vendors in use do not carry what.
    let shown = lab.api().get(&format!("/api/v1/plans/{pools}")).expect(200);
    let fits = shown["vendor_fit"].as_array().expect("a list").clone();
    let of = |vendor: &str| fits.iter().find(|fit| fit["vendor"] == vendor).expect("in use");
    assert_eq!(of("mikrotik")["fits"], true, "{fits:?}");
    assert_eq!(of("chillispot")["fits"], false, "{fits:?}");
    let findings = of("chillispot")["findings"].as_array().expect("a list");
    let refused: Vec<&Value> = findings.iter().filter(|f| f["refuses"] == true).collect();
    assert_eq!(refused.len(), 1, "{findings:?}");
    assert_eq!(refused[0]["field"], "pool");
    assert!(findings.iter().any(|f| f["field"] == "priority" && f["refuses"] == false));

    // A service that any NAS may serve is kept, with a warning; one of that NAS alone is not.
    let service = service(lab, "binod", &pools, json!({}));
    let path = format!("/api/v1/services/{service}");
    let warnings = lab.api().get(&path).expect(200)["warnings"].clone();
    assert!(warnings.to_string().contains("\"field\":\"pool\""), "{warnings}");
    lab.api().patch(&path, &json!({"nas_id": chilli.id})).blames(422, "/nas_id");
    let own = json!({"plan_id": isp.plan, "nas_id": chilli.id, "ipv6_address": "2001:db8::7"});
    lab.api().patch(&path, &own).blames(422, "/ipv6_address");

    // The login is let in where it can be, and refused with its reason where it cannot.
    eventually("binod is let in", PATIENCE, || {
        isp.nas.login("binod", "s3cret").accepted().then_some(())
    });
    let counted = || lab.metric("aaad", "aaad_rejects_total", "policy_unfit");
    let before = counted();
    let reply = chilli.login("binod", "s3cret");
    assert!(reply.rejected(), "{}", reply.output);
    assert_eq!(counted(), before + 1.0);
    eventually("the log names the part", SECOND, || {
        let log = lab.log();
        let told = |line: &str| line.contains("policy_unfit") && line.contains("IPv4 pool");
        log.lines().any(told).then_some(())
    });
    let explained = lab.netctl_json(&["explain", "binod", "--nas", "chillispot"]);
    assert_eq!(explained["accepted"], false);
    assert_eq!(explained["reason"], "policy_unfit");
    assert!(explained.to_string().contains("ChilliSpot has no attribute for it"), "{explained}");

    // Too much for a packet is refused, not cut short.
    let route = |n: usize| format!("198.51.{n}.0/24 0.0.0.0 {}", "1 ".repeat(80).trim_end());
    let routes: Vec<String> = (0..32).map(route).collect();
    let warned = lab.api().patch(&path, &json!({"routes": routes})).expect(200);
    assert!(warned["warnings"].to_string().contains("packet_full"), "{warned}");
    eventually("binod's routes are too many", PATIENCE, || {
        isp.nas.login("binod", "s3cret").rejected().then_some(())
    });
    let explained = lab.netctl_json(&["explain", "binod", "--nas", "bng1"]);
    assert!(explained.to_string().contains("does not fit into a RADIUS packet"), "{explained}");

    // A service of one NAS gets in there and nowhere else.
    let own = json!({"routes": [], "nas_id": isp.nas.id});
    lab.api().patch(&path, &own).expect(200);
    eventually("binod is let in at his NAS", PATIENCE, || {
        isp.nas.login("binod", "s3cret").accepted().then_some(())
    });
    let before = lab.metric("aaad", "aaad_rejects_total", "nas_not_allowed");
    assert!(chilli.login("binod", "s3cret").rejected());
    assert_eq!(lab.metric("aaad", "aaad_rejects_total", "nas_not_allowed"), before + 1.0);
}

fn interim_intervals_differ_by_session_and_not_by_request(lab: &mut Lab) {
    let isp = lab.isp();
    let interval = |login: &str| -> u32 {
        let reply = isp.nas.login(login, "s3cret");
        reply.value("Acct-Interim-Interval").and_then(|text| text.parse().ok()).expect("a number")
    };
    let first = interval("asha");
    assert_eq!(interval("asha"), first, "the same session, the same interval");
    let mut seen = vec![first];
    for n in 0..8 {
        let login = format!("user-{n}");
        service(lab, &login, &isp.plan, json!({}));
        eventually(&format!("{login} is let in"), PATIENCE, || {
            isp.nas.login(&login, "s3cret").accepted().then_some(())
        });
        seen.push(interval(&login));
    }
    assert!(seen.iter().all(|interval| (270..=330).contains(interval)), "{seen:?}");
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 4, "{seen:?}");
}
