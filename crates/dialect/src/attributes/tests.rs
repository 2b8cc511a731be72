use radius_wire::write::{push, push_vendor};
use radius_wire::{Attributes, vendor};

use super::*;

/// A request with these attributes.
fn request(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let parsed = names().parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        out.extend(names().encode(&parsed).unwrap_or_else(|error| panic!("{line}: {error}")));
    }
    out
}

fn passes(check: &str, lines: &[&str]) -> bool {
    let request = request(lines);
    let compiled = Check::compile(check).unwrap_or_else(|error| panic!("{check}: {error}"));
    compiled.passes(Attributes::parse(&request).unwrap())
}

#[test]
fn checks_compare_as_freeradius_compares() {
    let said = [
        "NAS-Port-Type = Ethernet",
        "NAS-Port = 17",
        "NAS-Port-Id = \"ether1\"",
        "Called-Station-Id = \"hotspot1\"",
        "Mikrotik-Host-IP = 10.5.50.254",
        "Framed-IP-Address = 192.0.2.9",
    ];
    for (check, well) in [
        ("NAS-Port-Type == Ethernet", true),
        ("NAS-Port-Type == \"Ethernet\"", true),
        ("nas-port-type == 15", true),
        ("NAS-Port-Type == Virtual", false),
        ("NAS-Port-Type != Virtual", true),
        ("NAS-Port-Type != Ethernet", false),
        ("Login-Service != Telnet", false),
        ("NAS-Port >= 17", true),
        ("NAS-Port > 17", false),
        ("NAS-Port<18", true),
        ("NAS-Port <= 16", false),
        ("Framed-IP-Address >= 192.0.2.0", true),
        ("Framed-IP-Address < 192.0.2.9", false),
        ("NAS-Port-Id =~ \"^ether[0-9]+$\"", true),
        ("NAS-Port-Id =~ /^sfp/", false),
        ("NAS-Port-Id !~ '^sfp'", true),
        ("NAS-Port-Id !~ ^ether", false),
        ("Filter-Id !~ x", false),
        ("Mikrotik-Host-IP == 10.5.50.254", true),
        ("Mikrotik-Realm =* ", false),
        ("Called-Station-Id =*", true),
        ("Calling-Station-Id !*", true),
        ("NAS-Port !*", false),
    ] {
        assert_eq!(passes(check, &said), well, "{check}");
    }
    // Of several values, one that is equal will do; none may be where it must not.
    let two = ["Filter-Id = \"a\"", "Filter-Id = \"b\""];
    assert!(passes("Filter-Id == b", &two));
    assert!(!passes("Filter-Id != b", &two));
    assert!(passes("Tunnel-Type == L2TP", &["Tunnel-Type:3 = L2TP"]));
    // Octets that are no text match nothing.
    assert!(!passes("NAS-Port-Id =~ .", &["raw.NAS-Port-Id = 0xff"]));
    assert!(!passes("NAS-Port-Id !~ ^sfp", &["raw.NAS-Port-Id = 0x736670ff"]));
}

/// Attributes after reply lines, as text.
fn after(before: &[&str], lines: &[&str]) -> Vec<String> {
    let mut packet = vec![0; 20];
    packet.extend(request(before));
    for line in lines {
        let reply = Reply::compile(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        reply.apply(&mut packet, 20).unwrap();
    }
    assert_eq!(packet[..20], [0; 20]);
    let told = Attributes::parse(&packet[20..]).unwrap();
    told.iter().map(|own| names().show(&own)).collect()
}

#[test]
fn replies_add_replace_and_append_as_freeradius_does() {
    let dialect = ["Mikrotik-Rate-Limit = \"20M/50M\"", "Session-Timeout = 3600"];
    for (line, expected) in [
        (
            "Session-Timeout = 60",
            &["Mikrotik-Rate-Limit = \"20M/50M\"", "Session-Timeout = 3600"][..],
        ),
        (
            "Session-Timeout := \"60\"",
            &["Mikrotik-Rate-Limit = \"20M/50M\"", "Session-Timeout = 60"],
        ),
        (
            "Session-Timeout += 60",
            &[
                "Mikrotik-Rate-Limit = \"20M/50M\"",
                "Session-Timeout = 3600",
                "Session-Timeout = 60",
            ],
        ),
        (
            "Mikrotik-Rate-Limit := 5M/5M",
            &["Session-Timeout = 3600", "Mikrotik-Rate-Limit = \"5M/5M\""],
        ),
        (
            "Idle-Timeout = 300,",
            &["Mikrotik-Rate-Limit = \"20M/50M\"", "Session-Timeout = 3600", "Idle-Timeout = 300"],
        ),
    ] {
        assert_eq!(after(&dialect, &[line]), expected, "{line}");
    }
    // Two of one vendor are two; a tag is part of what an attribute is.
    let pairs = ["Cisco-AVPair += \"ip:a=1\"", "Cisco-AVPair += \"ip:b=2\""];
    assert_eq!(after(&[], &pairs).len(), 2);
    let tunnels = ["Tunnel-Type:1 := L2TP", "Tunnel-Type:2 := VLAN", "Tunnel-Type:1 := VLAN"];
    assert_eq!(after(&[], &tunnels), ["Tunnel-Type:2 = VLAN", "Tunnel-Type:1 = VLAN"]);
}

#[test]
fn what_proves_or_cannot_be_sent_is_refused_by_name() {
    for line in [
        "Message-Authenticator := 0x00",
        "EAP-Message += 0x00",
        "State = 0x00",
        "Proxy-State += 0x00",
        "Class := 0x00",
        "Attr-25 := 0x00",
        "Service-Type := Administrative-User",
        "Framed-IP-Address := 192.0.2.7",
        "Delegated-IPv6-Prefix += 2001:db8:1::/56",
        "Attr-26 := 0x0000013710060000",
        "Attr-26.311.16 := 0x00",
        "MS-MPPE-Send-Key := 0x00",
        "MS-CHAP2-Success := 0x00",
        "Tunnel-Password := \"x\"",
        "User-Password := \"x\"",
        "Session-Timeout == 60",
        "Session-Timeout := many",
        "Sesion-Timeout := 60",
        "Session-Timeout",
        ":= 60",
        "Session-Timeout :=",
        "Login-Time := \"Wk0800-1800\"",
        "Reply-Message := \"%{User-Name}\"",
    ] {
        assert!(Reply::compile(line).is_err(), "{line}");
    }
    for line in [
        "Session-Timeout := 60",
        "NAS-Port =~ 1",
        "NAS-Port-Id >= a",
        "NAS-Port-Id =~ \"(\"",
        "NAS-Port-Id =~ \"(a{500}){500}\"",
        "User-Password == x",
        "Cleartext-Password == x",
        "NAS-Prt == 1",
    ] {
        assert!(Check::compile(line).is_err(), "{line}");
    }
    let error = Reply::compile("Sesion-Timeout := 60").unwrap_err().to_string();
    assert!(error.contains("did you mean Session-Timeout?"), "{error}");
    let error = Check::compile("Simultaneous-Use := 1").unwrap_err().to_string();
    assert!(error.contains("limit of sessions"), "{error}");
    // What MPPE is to be used is policy, its keys are not.
    Reply::compile("MS-MPPE-Encryption-Policy := Encryption-Required").unwrap();
}

#[test]
fn a_reply_that_does_not_fit_is_refused_and_a_timeout_only_gets_shorter() {
    let mut packet = vec![0; 20];
    let long = format!("Reply-Message += \"{}\"", "x".repeat(250));
    let reply = Reply::compile(&long).unwrap();
    let full = (0..20).map(|_| reply.apply(&mut packet, 20)).find(Result::is_err);
    assert!(full.is_some() && packet.len() <= radius_wire::PACKET_OCTETS_MAX);

    for (before, seconds, add, expected) in [
        (Some(3600u32), 60, false, Some(60)),
        (Some(60), 3600, true, Some(60)),
        (Some(0), 3600, true, Some(3600)),
        (Some(0), u32::MAX, false, Some(0)),
        (None, 60, true, Some(60)),
        (None, 60, false, None),
    ] {
        let mut packet = Vec::new();
        push(&mut packet, radius_wire::attr::REPLY_MESSAGE, b"x").unwrap();
        if let Some(before) = before {
            push(&mut packet, radius_wire::attr::SESSION_TIMEOUT, &before.to_be_bytes()).unwrap();
        }
        cap_session_timeout(&mut packet, 0, seconds, add).unwrap();
        let told = Attributes::parse(&packet).unwrap();
        assert_eq!(told.u32(radius_wire::attr::SESSION_TIMEOUT), expected);
    }
}

#[test]
fn a_change_of_what_coa_carries_is_live_and_of_what_it_does_not_is_fixed() {
    use model::nas::Vendor;
    use model::policy::{Difference, difference};
    let told = |rate: &str, pool: &str| {
        let mut out = Vec::new();
        push_vendor(&mut out, vendor::MIKROTIK, 8, rate.as_bytes()).unwrap();
        push(&mut out, 88, pool.as_bytes()).unwrap();
        out
    };
    let hash = |octets: &[u8], fixed| {
        let told = Attributes::parse(octets).unwrap();
        crate::hash_of_told(Vendor::Mikrotik, told, fixed)
    };
    let (a, rate, pool) = (told("1M/1M", "a"), told("2M/2M", "a"), told("1M/1M", "b"));
    assert_eq!(difference(hash(&a, false), hash(&a, false)), Difference::None);
    assert_eq!(difference(hash(&a, false), hash(&rate, false)), Difference::Live);
    assert_eq!(difference(hash(&a, false), hash(&pool, false)), Difference::Fixed);
    assert_eq!(difference(hash(&a, true), hash(&rate, true)), Difference::Fixed);
}
