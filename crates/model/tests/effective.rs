//! The golden table of the effective policy, and what holds for every input.
//!
//! `golden/effective.txt` has one line for every pair of settings of two layers, all other
//! layers at their default. After a wanted change of the function, write it anew and read the
//! difference line by line before it is committed:
//!
//! ```text
//! UPDATE_GOLDEN=1 cargo test -p model --test effective
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use model::policy::{
    Access, Boost, Burst, Context, Difference, Effective, Gives, Hold, HoldNetwork, HoldReason,
    Ipv4Method, NoTrace, OnHold, Overlay, OverlayKind, Overrides, Profile, Step, Subscriber,
    difference, effective,
};
use model::{CustomerId, OrganisationId, PlanId, PlanVersionId, ServiceId, Ts};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/effective.txt");

const HEADER: &str = "\
# What a subscriber gets, for every pair of settings of two layers. Rates are download/upload
# in Mbit/s. Written by tests/effective.rs, which also says how.
#
# plan: limited 50/10, unlimited; its garden is 1/1
# override: lower 20/5, higher 80/40
# window: on 30/15, ended 90/90, two: an older 30/15 and a newer 60/25 stand at once,
#   newer_ended: of these two the newer has ended
# boost: add 10/10, replace 100/50
# fair_use: lower 2/0.5, higher 200/200
# expiry: past is an hour ago; past_silent: a minute ago, billing was last heard of 15 minutes
#   ago; past_then_silent: an hour ago, billing as before; past_silent_24h: 24 hours ago,
#   billing 25 hours ago
";

const NOW: Ts = Ts::from_seconds(1_772_357_400);
const MEGA: u64 = 1_000_000;

/// The layers with their settings; the first of each is the default.
const LAYERS: [(&str, &[&str]); 10] = [
    ("plan", &["limited", "unlimited"]),
    ("on_expired", &["reject", "garden"]),
    (
        "holds",
        &[
            "none",
            "network_none",
            "garden",
            "reject",
            "garden+reject",
            "reject+garden",
            "network_none+garden",
            "garden+garden",
        ],
    ),
    (
        "expiry",
        &["none", "future", "now", "past", "past_silent", "past_then_silent", "past_silent_24h"],
    ),
    ("override", &["none", "lower", "higher"]),
    ("window", &["none", "on", "ended", "two", "newer_ended"]),
    ("boost", &["none", "add", "replace"]),
    ("fair_use", &["none", "lower", "higher"]),
    ("burst", &["none", "on"]),
    ("ipv4", &["pool", "fixed", "fixed_but_pool", "fixed_but_none", "static", "own_nas"]),
];

/// Everything [`effective`] decides from.
#[derive(Debug, Clone, PartialEq)]
struct Case {
    billing_heard: Ts,
    profile: Profile,
    subscriber: Subscriber,
    overlays: Vec<Overlay>,
}

impl Case {
    fn plain() -> Self {
        Self {
            billing_heard: NOW.plus_seconds(-10),
            profile: Profile {
                id: PlanVersionId::NONE,
                plan: PlanId::NONE,
                organisation: OrganisationId::NONE,
                name: "Home 50".to_owned(),
                gives: Gives {
                    download_bps: Some(50 * MEGA),
                    upload_bps: Some(10 * MEGA),
                    session_timeout_s: Some(86_400),
                    pool: Some("home".to_owned()),
                    ..Gives::default()
                },
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

    /// The case with these settings, given in the order of [`LAYERS`].
    fn of(settings: [&str; 10]) -> Self {
        let [plan, on_expired, holds, expiry, own, window, boost, fair_use, burst, ipv4] = settings;
        let mut case = Self::plain();
        if plan == "unlimited" {
            case.profile.gives.download_bps = None;
            case.profile.gives.upload_bps = None;
        }
        if on_expired == "garden" {
            case.profile.gives.on_expired = OnHold::Garden;
        }
        let none = (HoldReason::Pause, HoldNetwork::None);
        let garden = (HoldReason::Nonpayment, HoldNetwork::Garden);
        let other_garden = (HoldReason::Quota, HoldNetwork::Garden);
        let reject = (HoldReason::Abuse, HoldNetwork::Reject);
        case.subscriber.holds = match holds {
            "network_none" => vec![none],
            "garden" => vec![garden],
            "reject" => vec![reject],
            "garden+reject" => vec![garden, reject],
            "reject+garden" => vec![reject, garden],
            "network_none+garden" => vec![none, garden],
            "garden+garden" => vec![garden, other_garden],
            _ => Vec::new(),
        }
        .into_iter()
        .map(|(reason, network)| Hold { reason, network })
        .collect();
        let ago = |seconds: i64| Some(NOW.plus_seconds(-seconds));
        case.subscriber.expires_at = match expiry {
            "future" => ago(-1),
            "now" => ago(0),
            "past" | "past_then_silent" => ago(3600),
            "past_silent" => ago(60),
            "past_silent_24h" => ago(24 * 3600),
            _ => None,
        };
        case.billing_heard = match expiry {
            "past_silent" | "past_then_silent" => NOW.plus_seconds(-15 * 60),
            "past_silent_24h" => NOW.plus_seconds(-25 * 3600),
            _ => case.billing_heard,
        };
        let own = match own {
            "lower" => Some((20, 5)),
            "higher" => Some((80, 40)),
            _ => None,
        };
        case.subscriber.overrides = Overrides {
            download_bps: own.map(|(down, _)| down * MEGA),
            upload_bps: own.map(|(_, up)| up * MEGA),
            ipv4_method: (ipv4 == "own_nas").then_some(Ipv4Method::Nas),
            ..Overrides::NONE
        }
        .boxed();
        if ipv4 != "pool" {
            case.subscriber.ipv4 = Some([192, 0, 2, 7].into());
        }
        case.profile.gives.ipv4_method = match ipv4 {
            "fixed_but_pool" => Some(Ipv4Method::Pool),
            "fixed_but_none" => Some(Ipv4Method::None),
            "static" => Some(Ipv4Method::Static),
            _ => None,
        };
        if burst == "on" {
            case.profile.gives.burst = Some(Burst {
                download_bps: 100 * MEGA,
                upload_bps: 30 * MEGA,
                threshold_download_bps: None,
                threshold_upload_bps: None,
                time_s: None,
            });
        }

        let ended = ago(1);
        let older = || overlay(OverlayKind::Window, 30 * MEGA, 15 * MEGA, None, 4);
        let newer = |until| overlay(OverlayKind::Window, 60 * MEGA, 25 * MEGA, until, 7);
        case.overlays.extend(match window {
            "on" => vec![older()],
            "ended" => vec![overlay(OverlayKind::Window, 90 * MEGA, 90 * MEGA, ended, 4)],
            "two" => vec![newer(None), older()],
            "newer_ended" => vec![newer(ended), older()],
            _ => Vec::new(),
        });
        case.overlays.extend(match boost {
            "add" => Some(overlay(OverlayKind::Boost(Boost::Add), 10 * MEGA, 10 * MEGA, None, 5)),
            "replace" => {
                Some(overlay(OverlayKind::Boost(Boost::Replace), 100 * MEGA, 50 * MEGA, None, 5))
            }
            _ => None,
        });
        case.overlays.extend(match fair_use {
            "lower" => Some(overlay(OverlayKind::FairUse, 2 * MEGA, MEGA / 2, None, 6)),
            "higher" => Some(overlay(OverlayKind::FairUse, 200 * MEGA, 200 * MEGA, None, 6)),
            _ => None,
        });
        case
    }

    fn context(&self) -> Context {
        Context { now: NOW, billing_heard: self.billing_heard }
    }

    fn effective(&self) -> Effective<'_> {
        effective(self.context(), &self.profile, &self.subscriber, &self.overlays, &mut NoTrace)
    }
}

fn overlay(kind: OverlayKind, down: u64, up: u64, until: Option<Ts>, revision: u64) -> Overlay {
    Overlay {
        service: ServiceId::NONE,
        kind,
        download_bps: Some(down),
        upload_bps: Some(up),
        reason: "test".to_owned(),
        until,
        revision,
    }
}

/// Every pair of settings of every pair of layers, once each, in order.
fn pairs() -> Vec<[&'static str; 10]> {
    let mut all = BTreeSet::new();
    for (i, (_, of_i)) in LAYERS.iter().enumerate() {
        for (j, (_, of_j)) in LAYERS.iter().enumerate().skip(i + 1) {
            for x in 0..of_i.len() {
                for y in 0..of_j.len() {
                    let mut indices = [0; 10];
                    indices[i] = x;
                    indices[j] = y;
                    all.insert(indices);
                }
            }
        }
    }
    let named = |indices: [usize; 10]| std::array::from_fn(|layer| LAYERS[layer].1[indices[layer]]);
    all.into_iter().map(named).collect()
}

fn rate(bps: Option<u64>) -> String {
    match bps {
        Some(bps) => format!("{}", bps as f64 / MEGA as f64),
        None => "unlimited".to_owned(),
    }
}

fn line(settings: &[&str; 10]) -> String {
    let case = Case::of(*settings);
    let result = case.effective();
    let access = match result.access {
        Access::Full => "full".to_owned(),
        Access::Garden(reason) => format!("garden({})", reason.as_str()),
        Access::Reject(reason) => format!("reject({})", reason.as_str()),
    };
    let mut line = String::new();
    for ((layer, _), setting) in LAYERS.iter().zip(settings) {
        line += &format!("{layer}={setting} ");
    }
    let (down, up) = (rate(result.download_bps), rate(result.upload_bps));
    let burst = rate(result.burst.map(|burst| burst.download_bps)).replace("unlimited", "none");
    let ipv4 = match (result.ipv4, result.pool) {
        (None, None) => "none".to_owned(),
        (None, Some(pool)) => pool.to_owned(),
        (Some(address), None) => address.to_string(),
        (Some(_), Some(_)) => "both".to_owned(),
    };
    line + &format!("-> access={access} down={down} up={up} burst={burst} ipv4={ipv4}\n")
}

#[test]
fn every_pair_of_layers_gives_what_the_golden_table_says() {
    let table: String = pairs().iter().map(line).collect();
    let table = format!("{HEADER}\n{table}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &table).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap();
    for (number, (golden, now)) in golden.lines().zip(table.lines()).enumerate() {
        assert_eq!(golden, now, "line {} of {GOLDEN}", number + 1);
    }
    assert_eq!(golden.lines().count(), table.lines().count(), "lines of {GOLDEN}");
}

/// Xorshift: the same cases for the same seed.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    /// Few values, so that different cases often come to the same result.
    fn rate(&mut self) -> u64 {
        (self.below(4) as u64 + 1) * MEGA
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    fn case(&mut self) -> Case {
        let mut case = Case::plain();
        case.billing_heard = NOW.plus_seconds(self.pick(&[0, -899, -900, -90_000]));
        case.profile.gives.download_bps = self.maybe(Rng::rate);
        case.profile.gives.upload_bps = self.maybe(Rng::rate);
        case.profile.gives.interim_s = self.pick(&[60, 300]);
        case.profile.gives.pool = self.pick(&[None, Some("home"), Some("")]).map(str::to_owned);
        case.profile.gives.on_expired = self.pick(&[OnHold::Reject, OnHold::Garden]);
        let networks = [HoldNetwork::None, HoldNetwork::Garden, HoldNetwork::Reject];
        case.subscriber.holds = (0..self.below(4))
            .map(|_| Hold { reason: self.pick(&HoldReason::ALL), network: self.pick(&networks) })
            .collect();
        case.subscriber.expires_at =
            self.maybe(|rng| NOW.plus_seconds(rng.pick(&[1, 0, -60, -86_399, -86_400])));
        case.subscriber.ipv4 =
            self.pick(&[None, Some([0, 0, 0, 0]), Some([10, 0, 0, 1])]).map(Into::into);
        case.subscriber.overrides = Overrides {
            download_bps: self.maybe(Rng::rate),
            upload_bps: self.maybe(Rng::rate),
            session_timeout_s: self.pick(&[None, Some(0), Some(60)]),
            idle_timeout_s: self.pick(&[None, Some(0), Some(60)]),
            ipv4_method: self.pick(&[None, None, Some(Ipv4Method::Nas)]),
            pool: self.pick(&[None, Some("own")]).map(str::to_owned),
            delegated_prefix: self
                .pick(&[None, None, Some("2001:db8::/56"), Some("2001:db8:0:100::/56")])
                .and_then(|text| text.parse().ok()),
            routes: self
                .pick(&[None, None, Some("198.51.100.0/24 0.0.0.0 1")])
                .map(str::to_owned)
                .into_iter()
                .collect(),
            vlan: self.pick(&[None, None, Some(7)]),
            ..Overrides::NONE
        }
        .boxed();
        let kinds = [
            OverlayKind::Window,
            OverlayKind::Boost(Boost::Add),
            OverlayKind::Boost(Boost::Replace),
            OverlayKind::FairUse,
        ];
        for revision in 0..self.below(6) as u64 {
            let until = self.maybe(|rng| NOW.plus_seconds(rng.pick(&[-5, 0, 5])));
            let mut overlay = overlay(self.pick(&kinds), 0, 0, until, revision);
            overlay.download_bps = self.maybe(Rng::rate);
            overlay.upload_bps = self.maybe(Rng::rate);
            case.overlays.push(overlay);
        }
        case
    }
}

const CASES: usize = 20_000;

/// What a session is given, without the reason, which only people are told.
type Given = (u8, Vec<Option<u64>>, Vec<Option<u64>>, Vec<Option<String>>);

fn given(result: &Effective<'_>) -> Given {
    let access = match result.access {
        Access::Full => 0,
        Access::Garden(_) => 1,
        Access::Reject(_) => 2,
    };
    let live = vec![
        result.download_bps,
        result.upload_bps,
        Some(result.as_planned.into()),
        result.burst.map(|burst| burst.download_bps),
        Some(result.interim_s.into()),
        result.session_timeout_s.map(u64::from),
        result.idle_timeout_s.map(u64::from),
    ];
    let fixed = vec![
        result.ipv4.map(|ip| u32::from(ip).into()),
        result.delegated_prefix.map(|prefix| (u128::from(prefix.ip()) >> 64) as u64),
        result.vlan.map(u64::from),
    ];
    let names = [result.pool, result.address_list, result.routes.first().map(String::as_str)];
    (access, live, fixed, names.map(|name| name.map(str::to_owned)).to_vec())
}

#[test]
fn a_garden_that_confines_by_pool_gives_no_ipv6() {
    for pool in [None, Some("garden".to_owned())] {
        let mut case = Rng(7).case();
        case.profile.gives.ipv6_pool = Some("v6".to_owned());
        case.profile.gives.delegated_pool = Some("pd".to_owned());
        case.profile.gives.garden.pool.clone_from(&pool);
        case.subscriber.holds =
            vec![Hold { reason: HoldReason::Nonpayment, network: HoldNetwork::Garden }];
        case.subscriber.overrides = None;
        case.subscriber.expires_at = None;
        let plain = case.effective();
        let pools = (plain.ipv6_pool.is_some(), plain.delegated_pool.is_some());
        assert_eq!(pools, (pool.is_none(), pool.is_none()));

        let own = Overrides {
            ipv6_address: Some("2001:db8::7".parse().unwrap()),
            ipv6_prefix: Some("2001:db8:1::/64".parse().unwrap()),
            delegated_prefix: Some("2001:db8:2::/56".parse().unwrap()),
            ipv6_routes: vec!["2001:db8:200::/48 :: 1".to_owned()],
            ..Overrides::NONE
        };
        case.subscriber.overrides = Some(Box::new(own));
        let fixed = case.effective();
        let given = [
            fixed.ipv6_address.is_some(),
            fixed.ipv6_prefix.is_some(),
            fixed.delegated_prefix.is_some(),
            !fixed.ipv6_routes.is_empty(),
        ];
        assert_eq!(given, [pool.is_none(); 4]);
    }
}

#[test]
fn the_order_of_holds_and_overlays_does_not_matter() {
    let mut rng = Rng(0x1234_5678);
    let mut moved = 0;
    for _ in 0..CASES {
        let case = rng.case();
        let mut shuffled = case.clone();
        rng.shuffle(&mut shuffled.subscriber.holds);
        rng.shuffle(&mut shuffled.overlays);
        moved += u32::from(shuffled != case);
        let (one, other) = (case.effective(), shuffled.effective());
        assert_eq!(given(&one), given(&other), "{case:#?}");
        assert_eq!(one.hash(), other.hash());
        // Among equally strong holds the first gives the reason; a single one always does.
        let strongest = case.subscriber.holds.iter().map(|hold| hold.network).max();
        let as_strong = case.subscriber.holds.iter().filter(|h| Some(h.network) == strongest);
        if as_strong.count() < 2 {
            assert_eq!(one, other, "{case:#?}");
        }
    }
    assert!(moved > 5000);
}

#[test]
fn being_watched_changes_nothing_and_one_overlay_of_a_kind_applies() {
    let mut rng = Rng(0x8765_4321);
    let mut applied_in_all = 0;
    for _ in 0..CASES {
        let case = rng.case();
        let mut steps: Vec<Step<'_>> = Vec::new();
        let (profile, subscriber) = (&case.profile, &case.subscriber);
        let watched = effective(case.context(), profile, subscriber, &case.overlays, &mut steps);
        assert_eq!(watched, case.effective());

        let mut per_slot: BTreeMap<u8, (u32, bool)> = BTreeMap::new();
        let mut told = 0;
        for step in &steps {
            if let Step::Overlay { overlay, applied } = step {
                told += 1;
                let stands = overlay.until.is_none_or(|until| until > NOW);
                let slot = per_slot.entry(overlay.kind.slot()).or_default();
                slot.0 += u32::from(*applied);
                slot.1 |= stands;
                applied_in_all += u32::from(*applied);
            }
        }
        assert_eq!(told, case.overlays.len(), "each overlay is accounted for");
        for (applied, any_stands) in per_slot.values() {
            assert_eq!(*applied, u32::from(*any_stands), "{case:#?}");
        }
    }
    assert!(applied_in_all > 5000);
}

#[test]
fn equal_treatment_and_equal_hashes_go_together() {
    let mut rng = Rng(0xdead_beef);
    let mut cases: Vec<Case> = pairs().into_iter().map(Case::of).collect();
    cases.extend((0..CASES).map(|_| rng.case()));
    let mut hash_of: HashMap<Given, u64> = HashMap::new();
    let mut given_of: HashMap<u64, Given> = HashMap::new();
    let mut repeats = 0;
    for case in &cases {
        let result = case.effective();
        let (given, hash) = (given(&result), result.hash());
        repeats += u32::from(hash_of.contains_key(&given));
        assert_eq!(*hash_of.entry(given.clone()).or_insert(hash), hash, "{given:?}");
        assert_eq!(*given_of.entry(hash).or_insert_with(|| given.clone()), given, "{hash:#x}");
    }
    assert!(repeats > 500 && hash_of.len() > 500, "{repeats} {}", hash_of.len());
}

#[test]
fn two_hashes_tell_whether_a_living_session_can_be_changed() {
    let mut rng = Rng(0xfeed_f00d);
    let mut seen = [0; 3];
    for _ in 0..CASES {
        let (one, mut other) = (rng.case(), rng.case());
        // Often near neighbours, or nearly every pair would differ in what is fixed.
        if rng.below(4) > 0 {
            let overlays = std::mem::take(&mut other.overlays);
            other = Case { overlays, ..one.clone() };
        }
        let (one, other) = (one.effective(), other.effective());
        let fixed = |result: &Effective<'_>| {
            let (access, _, fixed, names) = given(result);
            (access, fixed, names)
        };
        let expected = if given(&one) == given(&other) {
            Difference::None
        } else if fixed(&one) == fixed(&other) {
            Difference::Live
        } else {
            Difference::Fixed
        };
        assert_eq!(difference(one.hash(), other.hash()), expected);
        seen[expected as usize] += 1;
    }
    assert!(seen.iter().all(|count| *count > 1000), "{seen:?}");
}
