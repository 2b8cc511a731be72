//! What each vendor is told, octet by octet.
//!
//! `golden/VENDOR.txt` has, for a set of policies, the attributes of Access-Accept and
//! CoA-Request in hexadecimal, each with the dictionary's text for it. After a wanted change,
//! write the files anew and read the difference line by line before it is committed:
//!
//! ```text
//! UPDATE_GOLDEN=1 cargo test -p dialect
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dialect::{CompiledProfile, Item, Sink, Unfit, Why};
use ipnetwork::Ipv6Network;
use model::nas::Vendor;
use model::policy::{
    Access, Burst, Context, Difference, Effective, FramedProtocol, Garden, Gives, Hold,
    HoldNetwork, HoldReason, Ipv4Method, NoTrace, Overlay, OverlayKind, Overrides, Profile,
    ServiceType, Subscriber, VendorProfile, VendorProfiles, difference, effective,
};
use model::{CustomerId, OrganisationId, PlanId, PlanVersionId, ServiceId, Ts};
use radius_wire::dictionary::{Dictionary, builtin};
use radius_wire::write::{push, push_vendor};
use radius_wire::{Attributes, Full};

const MEGA: u64 = 1_000_000;

/// A policy with its name.
struct Case {
    name: &'static str,
    profile: Profile,
    subscriber: Subscriber,
    overlays: Vec<Overlay>,
}

impl Case {
    fn of(name: &'static str, gives: Gives) -> Self {
        Self {
            name,
            profile: Profile {
                id: PlanVersionId::NONE,
                plan: PlanId::NONE,
                organisation: OrganisationId::NONE,
                name: name.to_owned(),
                gives,
            },
            subscriber: Subscriber {
                service: ServiceId::NONE,
                organisation: OrganisationId::NONE,
                customer: CustomerId::NONE,
                profile: PlanVersionId::NONE,
                identities: Vec::new(),
                holds: Vec::new(),
                expires_at: None,
                ipv4: None,
                overrides: None,
            },
            overlays: Vec::new(),
        }
    }

    fn own(mut self, overrides: Overrides) -> Self {
        self.subscriber.overrides = overrides.boxed();
        self
    }

    fn ipv4(mut self, address: [u8; 4]) -> Self {
        self.subscriber.ipv4 = Some(address.into());
        self
    }

    fn held(mut self) -> Self {
        let (reason, network) = (HoldReason::Nonpayment, HoldNetwork::Garden);
        self.subscriber.holds.push(Hold { reason, network });
        self
    }

    fn fair_use(mut self, download_bps: u64, upload_bps: u64) -> Self {
        self.overlays.push(Overlay {
            service: ServiceId::NONE,
            kind: OverlayKind::FairUse,
            download_bps: Some(download_bps),
            upload_bps: Some(upload_bps),
            reason: "quota".to_owned(),
            until: None,
            revision: 1,
        });
        self
    }

    fn policy(&self) -> Effective<'_> {
        let context = Context { now: Ts(0), billing_heard: Ts(0) };
        effective(context, &self.profile, &self.subscriber, &self.overlays, &mut NoTrace)
    }
}

fn home() -> Gives {
    Gives { download_bps: Some(50 * MEGA), upload_bps: Some(20 * MEGA), ..Gives::default() }
}

fn profiles(names: &[(VendorProfile, &str)]) -> VendorProfiles {
    VendorProfiles(names.iter().map(|(profile, name)| (*profile, (*name).to_owned())).collect())
}

/// A name for each vendor's profiles that stand for the rate.
fn named() -> VendorProfiles {
    profiles(&[
        (VendorProfile::MikrotikGroup, "home"),
        (VendorProfile::CiscoPolicyIn, "home-up"),
        (VendorProfile::CiscoPolicyOut, "home-down"),
        (VendorProfile::HuaweiQosProfile, "home"),
        (VendorProfile::JuniperService, "internet({upload_bps},{download_bps})"),
        (VendorProfile::JuniperClientProfile, "pppoe"),
        (VendorProfile::NokiaSubscriberProfile, "residential"),
        (VendorProfile::NokiaSlaProfile, "home50"),
        (VendorProfile::H3cUserGroup, "home"),
        (VendorProfile::ZteQosProfileUp, "home-up"),
        (VendorProfile::ZteQosProfileDown, "home-down"),
        (VendorProfile::RedbackPolicing, "home-up"),
        (VendorProfile::RedbackMetering, "home-down"),
    ])
}

fn prefix(text: &str) -> Option<Ipv6Network> {
    Some(text.parse().unwrap())
}

fn cases() -> Vec<Case> {
    let garden = |garden: Garden| Gives { garden, ..home() };
    let named_home = || Gives { vendor_profiles: named(), ..home() };
    vec![
        Case::of("no limit", Gives::default()),
        Case::of("50 down, 20 up", home()),
        Case::of("by name", named_home()),
        Case::of("by name, then fair use 2 down, 1 up", named_home()).fair_use(2 * MEGA, MEGA),
        Case::of("5 Gbit/s down", Gives { download_bps: Some(5000 * MEGA), ..home() }),
        Case::of("one direction", Gives { upload_bps: None, ..home() }),
        Case::of("an odd rate", Gives { download_bps: Some(50_000_001), ..home() }),
        Case::of(
            "burst and priority",
            Gives {
                burst: Some(Burst {
                    download_bps: 100 * MEGA,
                    upload_bps: 40 * MEGA,
                    threshold_download_bps: Some(40 * MEGA),
                    threshold_upload_bps: Some(15 * MEGA),
                    time_s: Some(16),
                }),
                priority: Some(3),
                ..home()
            },
        ),
        Case::of("priority alone", Gives { priority: Some(8), ..home() }),
        Case::of(
            "timeouts and service type",
            Gives {
                session_timeout_s: Some(86_400),
                idle_timeout_s: Some(600),
                service_type: Some(ServiceType::Framed),
                framed_protocol: Some(FramedProtocol::Ppp),
                ..Gives::default()
            },
        ),
        Case::of(
            "pools",
            Gives {
                pool: Some("home".to_owned()),
                ipv6_pool: Some("home-v6".to_owned()),
                delegated_pool: Some("home-pd".to_owned()),
                ..Gives::default()
            },
        ),
        Case::of("IPv4 pool", Gives { pool: Some("home".to_owned()), ..Gives::default() }),
        Case::of("fixed IPv4 with netmask", Gives::default())
            .ipv4([192, 0, 2, 9])
            .own(Overrides { ipv4_prefix_length: Some(29), ..Overrides::NONE }),
        Case::of(
            "the NAS chooses",
            Gives { ipv4_method: Some(Ipv4Method::Nas), ..Gives::default() },
        ),
        Case::of("fixed IPv6 prefixes", Gives::default()).own(Overrides {
            ipv6_prefix: prefix("2001:db8:1:2::/64"),
            delegated_prefix: prefix("2001:db8:100::/56"),
            ..Overrides::NONE
        }),
        Case::of("fixed IPv6 address", Gives::default()).own(Overrides {
            ipv6_address: Some("2001:db8::7".parse().unwrap()),
            ..Overrides::NONE
        }),
        Case::of("IPv4 routes", Gives::default()).own(Overrides {
            routes: vec![
                "198.51.100.0/24 0.0.0.0 1".to_owned(),
                "203.0.113.0/28 0.0.0.0 1".to_owned(),
            ],
            ..Overrides::NONE
        }),
        Case::of("IPv6 routes", Gives::default()).own(Overrides {
            ipv6_routes: vec!["2001:db8:200::/48 :: 1".to_owned()],
            ..Overrides::NONE
        }),
        Case::of(
            "resolvers",
            Gives {
                dns: ["192.0.2.53", "192.0.2.54", "2001:db8::53", "2001:db8::54"]
                    .map(|text| text.parse().unwrap())
                    .to_vec(),
                ..Gives::default()
            },
        ),
        Case::of("VLAN", Gives { vlan: Some(2010), ..Gives::default() }),
        Case::of(
            "address list",
            Gives { address_list: Some("vip".to_owned()), ..Gives::default() },
        ),
        Case::of(
            "filters",
            Gives { filters: vec!["std.in".to_owned(), "std.out".to_owned()], ..Gives::default() },
        ),
        Case::of("garden", home()).held(),
        Case::of(
            "garden by every way",
            garden(Garden {
                pool: Some("garden".to_owned()),
                redirect_url: Some("https://pay.example.net/".to_owned()),
                dns: vec!["192.0.2.99".parse().unwrap()],
                vendor_profiles: profiles(&[
                    (VendorProfile::CiscoService, "GARDEN"),
                    (VendorProfile::JuniperService, "garden"),
                    (VendorProfile::NokiaSlaProfile, "garden"),
                    (VendorProfile::HuaweiQosProfile, "garden"),
                ]),
                ..Garden::default()
            }),
        )
        .held(),
        Case::of("a name too long", Gives { pool: Some("p".repeat(254)), ..Gives::default() }),
        Case::of("a reply too long", Gives::default()).own(Overrides {
            routes: vec!["198.51.100.0/24 0.0.0.0 1".to_owned(); 200],
            ..Overrides::NONE
        }),
    ]
}

/// Attributes as octets, and what was left out.
#[derive(Default)]
struct Octets {
    octets: Vec<u8>,
    left_out: Vec<Unfit>,
}

impl Octets {
    fn within(&self) -> Result<(), Full> {
        if self.octets.len() > 4096 - 20 { Err(Full::Packet) } else { Ok(()) }
    }
}

impl Sink for Octets {
    fn standard(&mut self, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        push(&mut self.octets, kind, value)?;
        self.within()
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        push_vendor(&mut self.octets, vendor, kind, value)?;
        self.within()
    }

    fn left_out(&mut self, unfit: Unfit) {
        self.left_out.push(unfit);
    }
}

fn told(names: &Dictionary, tell: impl FnOnce(&mut Octets) -> Result<(), Unfit>, out: &mut String) {
    let mut sink = Octets::default();
    let result = tell(&mut sink);
    for unfit in &sink.left_out {
        writeln!(out, "    left out: {unfit}").unwrap();
    }
    if let Err(unfit) = result {
        writeln!(out, "    refused: {unfit}").unwrap();
        return;
    }
    let mut at = 0;
    for attribute in Attributes::parse(&sink.octets).unwrap() {
        let end = at + 2 + attribute.value.len();
        let hex: String = sink.octets[at..end].iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(out, "    {}\n      {hex}", names.show(&attribute)).unwrap();
        at = end;
    }
}

#[test]
fn every_vendor_is_told_what_its_golden_file_says() {
    let names = builtin().unwrap();
    for vendor in Vendor::ALL {
        let mut text = format!(
            "# What a {} NAS is told, by policy. Written by tests/golden.rs, which says how.\n",
            vendor.title()
        );
        for case in cases() {
            let policy = case.policy();
            writeln!(text, "\n{}\n  Access-Accept", case.name).unwrap();
            told(&names, |sink| dialect::accept(vendor, &policy, sink), &mut text);
            if matches!(policy.access, Access::Full) {
                writeln!(text, "  CoA-Request").unwrap();
                told(&names, |sink| dialect::change(vendor, &policy, sink), &mut text);
            }
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("golden")
            .join(format!("{}.txt", vendor.as_str()));
        same(&path, &text);
    }
}

/// Compares a file line by line, or writes it where that is asked for.
fn same(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, text).unwrap();
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    for (number, (golden, now)) in golden.lines().zip(text.lines()).enumerate() {
        assert_eq!(golden, now, "line {} of {}", number + 1, path.display());
    }
    assert_eq!(golden.lines().count(), text.lines().count(), "lines of {}", path.display());
}

#[test]
fn the_page_about_vendors_shows_the_table_in_use() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vendors.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- table -->\n").expect("where the table begins");
    let (_, after) = rest.split_once("<!-- end -->").expect("where the table ends");
    let table = dialect::markdown(&builtin().unwrap());
    same(&path, &format!("{before}<!-- table -->\n{table}<!-- end -->{after}"));
}

/// The value of the first attribute of this kind, a vendor's where the vendor is not 0.
fn value(octets: &[u8], vendor: u32, kind: u8) -> Option<Vec<u8>> {
    let attributes = Attributes::parse(octets).unwrap();
    match vendor {
        0 => attributes.first(kind),
        vendor => attributes.vendor(vendor, kind),
    }
    .map(<[u8]>::to_vec)
}

#[test]
fn rates_go_the_right_way_in_the_vendors_units() {
    // 50 Mbit/s to the subscriber, 20 from it: place and value of each direction.
    let bits = |n: u32| n.to_be_bytes().to_vec();
    type Told = (u32, u8, Vec<u8>);
    let expected: [(Vendor, Told, Told); 8] = [
        (Vendor::Generic, (14122, 7, bits(20_000_000)), (14122, 8, bits(50_000_000))),
        (Vendor::Ubiquiti, (14122, 7, bits(20_000_000)), (14122, 8, bits(50_000_000))),
        (Vendor::Chillispot, (14559, 4, bits(20_000)), (14559, 5, bits(50_000))),
        (Vendor::Huawei, (2011, 2, bits(20_000_000)), (2011, 5, bits(50_000_000))),
        (Vendor::H3c, (25506, 2, bits(20_000_000)), (25506, 5, bits(50_000_000))),
        (Vendor::Zte, (3902, 89, bits(20_000_000)), (3902, 83, bits(50_000_000))),
        (Vendor::Mikrotik, (14988, 8, b"20M/50M".to_vec()), (14988, 8, b"20M/50M".to_vec())),
        (Vendor::AccelPpp, (0, 11, b"50000/20000".to_vec()), (0, 11, b"50000/20000".to_vec())),
    ];
    let case = Case::of("home", home());
    for (vendor, up, down) in expected {
        let mut sink = Octets::default();
        dialect::accept(vendor, &case.policy(), &mut sink).unwrap();
        for (space, kind, octets) in [up, down] {
            assert_eq!(value(&sink.octets, space, kind), Some(octets), "{vendor:?} {kind}");
        }
    }
}

#[test]
fn what_a_vendor_cannot_say_is_refused_with_its_name() {
    let refusal = |vendor, case: &Case| {
        dialect::accept(vendor, &case.policy(), &mut Octets::default()).map_err(|u| (u.item, u.why))
    };
    let fast = Case::of("fast", Gives { download_bps: Some(5000 * MEGA), ..home() });
    let odd = Case::of("odd", Gives { download_bps: Some(50_000_001), ..home() });
    for (vendor, case, expected) in [
        (Vendor::Huawei, &fast, Err((Item::Rate, Why::TooHigh))),
        (Vendor::Generic, &fast, Err((Item::Rate, Why::TooHigh))),
        (Vendor::Chillispot, &fast, Ok(())),
        (Vendor::Mikrotik, &fast, Ok(())),
        (Vendor::Chillispot, &odd, Err((Item::Rate, Why::NotWhole))),
        (Vendor::AccelPpp, &odd, Err((Item::Rate, Why::NotWhole))),
        (Vendor::Cisco, &odd, Err((Item::Rate, Why::NoName))),
    ] {
        assert_eq!(refusal(vendor, case), expected, "{vendor:?}");
    }
}

#[test]
fn a_name_carries_another_rate_only_in_the_directions_it_says() {
    let service = |name: &str| Gives {
        vendor_profiles: profiles(&[(VendorProfile::JuniperService, name)]),
        ..home()
    };
    for (name, carried) in [
        ("internet({upload_kbps},{download_kbps})", true),
        ("internet({download_kbps})", false),
        ("internet", false),
    ] {
        let plain = Case::of("plain", service(name));
        let slow = Case::of("slow", service(name)).fair_use(2 * MEGA, MEGA);
        let told = |case: &Case| {
            dialect::accept(Vendor::Juniper, &case.policy(), &mut Octets::default()).is_ok()
        };
        assert!(told(&plain), "{name} stands for the plan's own rate");
        assert_eq!(told(&slow), carried, "{name}");
    }
}

#[test]
fn a_plan_is_looked_at_before_anybody_logs_in() {
    let fields = |vendor, gives: Gives| {
        let case = Case::of("plan", gives);
        let found = dialect::of_plan(vendor, &case.profile);
        found.into_iter().map(|found| (found.field, found.refuses)).collect::<Vec<_>>()
    };
    assert_eq!(fields(Vendor::Mikrotik, home()), []);
    assert_eq!(fields(Vendor::Generic, home()), []);
    // The rate by name, and nothing to confine with but a redirection that is not set.
    assert_eq!(
        fields(Vendor::Nokia, home()),
        [("download_bps", true), ("garden_address_list", false), ("garden_download_bps", false)]
    );
    let burst = Burst {
        download_bps: 100 * MEGA,
        upload_bps: 40 * MEGA,
        threshold_download_bps: None,
        threshold_upload_bps: None,
        time_s: None,
    };
    let many = Gives { burst: Some(burst), vlan: Some(7), pool: Some("p".to_owned()), ..home() };
    assert_eq!(fields(Vendor::Ubiquiti, many), [("pool", true), ("burst_download_bps", false)]);
}

#[test]
fn every_reply_that_is_composed_fits_and_names_only_known_attributes() {
    let names = builtin().unwrap();
    for vendor in Vendor::ALL {
        for case in cases() {
            let mut sink = Octets::default();
            if dialect::accept(vendor, &case.policy(), &mut sink).is_err() {
                continue;
            }
            for attribute in Attributes::parse(&sink.octets).unwrap() {
                let shown = names.show(&attribute);
                assert!(!shown.contains("Attr-") && !shown.contains("raw."), "{vendor:?} {shown}");
            }
        }
    }
}

#[test]
fn what_was_compiled_is_what_would_be_composed() {
    let gives = Gives {
        vendor_profiles: named(),
        pool: Some("home".to_owned()),
        session_timeout_s: Some(86_400),
        ..home()
    };
    for case in [Case::of("plain", gives), Case::of("home", home())] {
        let compiled = CompiledProfile::compile(&case.profile);
        let policy = case.policy();
        for vendor in Vendor::ALL {
            let mut sink = Octets::default();
            let composed = dialect::accept(vendor, &policy, &mut sink);
            let bytes = compiled.bytes_for(vendor, &policy, policy.hash()).unwrap();
            assert_eq!(bytes.map(<[u8]>::to_vec), composed.map(|()| sink.octets), "{vendor:?}");
        }
        // Whoever differs is composed.
        let other = Case::of("home", case.profile.gives.clone()).fair_use(MEGA, MEGA);
        let other = other.policy();
        assert!(compiled.bytes_for(Vendor::Mikrotik, &other, other.hash()).is_none());
        let held = Case::of("home", case.profile.gives.clone()).held();
        let held = held.policy();
        assert!(compiled.bytes_for(Vendor::Mikrotik, &held, held.hash()).is_none());
    }
}

#[test]
fn a_living_session_is_changed_only_where_the_vendor_is_known_to() {
    for vendor in Vendor::ALL {
        assert!(dialect::carries(vendor, Difference::None));
        assert!(!dialect::carries(vendor, Difference::Fixed), "{vendor:?}");
        let known =
            !matches!(vendor, Vendor::H3c | Vendor::Zte | Vendor::Ubiquiti | Vendor::Redback);
        assert_eq!(dialect::carries(vendor, Difference::Live), known, "{vendor:?}");
    }
}

/// How two policies differ for a NAS of this vendor.
fn differs(vendor: Vendor, one: &Case, other: &Case) -> Difference {
    let hash = |case: &Case| dialect::hash_for(vendor, &case.policy());
    difference(hash(one), hash(other))
}

#[test]
fn what_a_nas_never_hears_of_moves_none_of_its_sessions() {
    let plain = || Case::of("home", home());
    let with = |gives: fn(Gives) -> Gives| Case::of("other", gives(home()));
    let dns = with(|g| Gives { dns: vec!["192.0.2.53".parse().unwrap()], ..g });
    let interim = with(|g| Gives { interim_s: 900, ..g });
    let priority = with(|g| Gives { priority: Some(3), ..g });
    let nokia = with(|g| Gives {
        vendor_profiles: profiles(&[(VendorProfile::NokiaSlaProfile, "gold")]),
        ..g
    });
    let group = with(|g| Gives {
        vendor_profiles: profiles(&[(VendorProfile::MikrotikGroup, "gold")]),
        ..g
    });
    let faster = with(|g| Gives { download_bps: Some(80 * MEGA), ..g });
    let timeout = with(|g| Gives { session_timeout_s: Some(3600), ..g });
    let longer = with(|g| Gives { session_timeout_s: Some(7200), ..g });
    for (vendor, one, other, expected) in [
        (Vendor::Mikrotik, &plain(), &dns, Difference::None),
        (Vendor::Generic, &plain(), &dns, Difference::Fixed),
        (Vendor::Mikrotik, &plain(), &interim, Difference::None),
        (Vendor::Mikrotik, &plain(), &priority, Difference::Live),
        (Vendor::Generic, &plain(), &priority, Difference::None),
        (Vendor::Mikrotik, &plain(), &nokia, Difference::None),
        (Vendor::Mikrotik, &plain(), &faster, Difference::Live),
        // A CoA-Request cannot take back what it does not name.
        (Vendor::Mikrotik, &plain(), &group, Difference::Fixed),
        (Vendor::Mikrotik, &timeout, &plain(), Difference::Fixed),
        (Vendor::Mikrotik, &timeout, &longer, Difference::Live),
    ] {
        assert_eq!(differs(vendor, one, other), expected, "{vendor:?} {}", other.name);
    }
}

#[test]
fn a_name_that_no_coa_says_is_fixed_at_the_login() {
    let named = |service: &str, policy: &str| {
        let names =
            [(VendorProfile::JuniperService, service), (VendorProfile::JuniperPolicyIn, policy)];
        Case::of("named", Gives { vendor_profiles: profiles(&names), ..home() })
    };
    let one = named("net({upload_kbps},{download_kbps})", "in");
    let other_policy = named("net({upload_kbps},{download_kbps})", "other");
    assert_eq!(differs(Vendor::Juniper, &one, &other_policy), Difference::Fixed);
    let service = |gives: Gives| {
        let name = [(VendorProfile::JuniperService, "net({upload_kbps},{download_kbps})")];
        Case::of("service", Gives { vendor_profiles: profiles(&name), ..gives })
    };
    let faster = service(Gives { download_bps: Some(80 * MEGA), ..home() });
    assert_eq!(differs(Vendor::Juniper, &service(home()), &faster), Difference::Live);
}

#[test]
fn fair_use_slows_a_living_session_whatever_it_was_told_at_its_login() {
    let told = |case: &Case| {
        let mut sink = Octets::default();
        dialect::change(Vendor::Huawei, &case.policy(), &mut sink).map(|()| sink.octets)
    };
    let burst = Burst {
        download_bps: 100 * MEGA,
        upload_bps: 40 * MEGA,
        threshold_download_bps: None,
        threshold_upload_bps: None,
        time_s: None,
    };
    // The peak goes down with the rate.
    let gives = Gives { burst: Some(burst), ..home() };
    let slow = Case::of("slow", gives.clone()).fair_use(2 * MEGA, MEGA);
    let octets = told(&slow).unwrap();
    for (kind, bps) in [(2, MEGA), (3, MEGA), (5, 2 * MEGA), (6, 2 * MEGA)] {
        assert_eq!(value(&octets, 2011, kind), Some((bps as u32).to_be_bytes().to_vec()), "{kind}");
    }
    assert_eq!(differs(Vendor::Huawei, &Case::of("full", gives), &slow), Difference::Live);

    // Beside a profile's name a number might not count: the session begins anew, and again when
    // the plan's own rate is back.
    let names = profiles(&[(VendorProfile::HuaweiQosProfile, "gold")]);
    let gives = Gives { vendor_profiles: names, ..home() };
    let slow = Case::of("slow", gives.clone()).fair_use(2 * MEGA, MEGA);
    let refused = told(&slow).unwrap_err();
    assert_eq!((refused.item, refused.why), (Item::Rate, Why::NotLive));
    assert_eq!(differs(Vendor::Huawei, &slow, &Case::of("full", gives)), Difference::Fixed);
}

#[test]
fn the_garden_is_told_no_name_of_the_plans_own_speed() {
    let plan = profiles(&[
        (VendorProfile::CiscoPolicyIn, "home-in"),
        (VendorProfile::CiscoPolicyOut, "home-out"),
    ]);
    for garden_names in [&[][..], &[(VendorProfile::CiscoService, "GARDEN")]] {
        let walls = Garden { vendor_profiles: profiles(garden_names), ..Garden::default() };
        let gives = Gives { vendor_profiles: plan.clone(), garden: walls, ..home() };
        let mut sink = Octets::default();
        dialect::accept(Vendor::Cisco, &Case::of("held", gives).held().policy(), &mut sink)
            .unwrap();
        let told = String::from_utf8_lossy(&sink.octets);
        assert!(!told.contains("home-"), "{told}");
        assert_eq!(told.contains("AGARDEN"), !garden_names.is_empty());
    }
}
