//! The effective policy: one pure function, fixed pair by pair in `golden/effective.txt`.
//!
//! In order: the strongest hold (reject over garden); the profile; the subscriber's override
//! per field; the time window; boosts (add or replace); fair use as a minimum. Within a kind
//! the newest revision wins. It does not allocate, so it runs on every login; the same run
//! with a [`Trace`] is what `explain` prints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::Ipv6Network;

use super::{
    Boost, Burst, FramedProtocol, Garden, HoldNetwork, HoldReason, Ipv4Method, LimitAction, OnHold,
    Overlay, OverlayKind, Profile, ServiceType, Subscriber, VendorProfile, VendorProfiles,
};
use crate::nas::Fnv;
use crate::{PoolId, Ts};

/// Expiry is not enforced while billing has been silent this long, seconds: a daemon that
/// cannot hear of a renewal must not end paid services.
pub const BILLING_SILENT_S: i64 = 15 * 60;
/// ... but for no longer than this after the expiry, seconds.
pub const EXPIRY_DEFERRED_S_MAX: i64 = 24 * 3600;

/// What the decision depends on besides the records.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The present instant.
    pub now: Ts,
    /// When billing was last heard of.
    pub billing_heard: Ts,
}

/// Whether and how the subscriber gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As the plan says.
    Full,
    /// Into the walled garden, and why.
    Garden(HoldReason),
    /// Not at all, and why.
    Reject(HoldReason),
}

/// What a subscriber gets. Borrows names from the records it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective<'a> {
    /// Whether and how the subscriber gets in.
    pub access: Access,
    /// Download rate, bit/s; absent: not limited.
    pub download_bps: Option<u64>,
    /// Upload rate, bit/s; absent: not limited.
    pub upload_bps: Option<u64>,
    /// Whether the rates are those that the plan (or its garden) names, so that a profile's
    /// name on the NAS can stand for them.
    pub as_planned: bool,
    /// Higher rates for short times; only of rates as planned.
    pub burst: Option<Burst>,
    /// Which sessions go first, 1 to 8.
    pub priority: Option<u8>,
    /// Seconds between interim updates.
    pub interim_s: u32,
    /// Longest session, seconds.
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    pub idle_timeout_s: Option<u32>,
    /// Sessions at once, which no NAS is told.
    pub session_limit: Option<u16>,
    /// What becomes of a login beyond that.
    pub session_limit_action: LimitAction,
    /// The address pool named to the NAS; never beside an address.
    pub pool: Option<&'a str>,
    /// Addresses are leased from our own pools: those that are not fixed.
    pub lease: Option<Lease>,
    /// The fixed address, or [`NAS_CHOOSES`].
    pub ipv4: Option<Ipv4Addr>,
    /// The prefix length of the fixed address.
    pub ipv4_prefix_length: Option<u8>,
    /// The pool of the link's IPv6 prefix or address.
    pub ipv6_pool: Option<&'a str>,
    /// The pool of delegated IPv6 prefixes.
    pub delegated_pool: Option<&'a str>,
    /// The fixed IPv6 address.
    pub ipv6_address: Option<Ipv6Addr>,
    /// The fixed IPv6 prefix of the link.
    pub ipv6_prefix: Option<Ipv6Network>,
    /// The fixed delegated IPv6 prefix.
    pub delegated_prefix: Option<Ipv6Network>,
    /// IPv4 routes to the subscriber.
    pub routes: &'a [String],
    /// IPv6 routes to the subscriber.
    pub ipv6_routes: &'a [String],
    /// Resolvers.
    pub dns: &'a [IpAddr],
    /// The VLAN of the subscriber's port.
    pub vlan: Option<u16>,
    /// Service-Type.
    pub service_type: Option<ServiceType>,
    /// Framed-Protocol.
    pub framed_protocol: Option<FramedProtocol>,
    /// The firewall list the address joins; in the garden that is the garden's.
    pub address_list: Option<&'a str>,
    /// Filters on the NAS; none in the garden, which has its own.
    pub filters: &'a [String],
    /// Names of profiles on the NAS.
    pub vendor_profiles: &'a VendorProfiles,
    /// What confines the session.
    pub garden: Option<&'a Garden>,
}

/// Which of our pools addresses are leased from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// Any that the NAS may use.
    Any,
    /// This one alone.
    From(PoolId),
}

impl Lease {
    /// The one pool, where one is named.
    pub fn pool(self) -> Option<PoolId> {
        match self {
            Self::Any => None,
            Self::From(pool) => Some(pool),
        }
    }
}

/// The address that tells a NAS to choose one (RFC 2865 §5.8).
pub const NAS_CHOOSES: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 254);

impl<'a> Effective<'a> {
    /// The name of a profile on the NAS: the garden's own goes first.
    pub fn vendor_profile(&self, profile: VendorProfile) -> Option<&'a str> {
        let garden = self.garden.and_then(|garden| garden.vendor_profiles.get(profile));
        garden.or_else(|| self.vendor_profiles.get(profile))
    }

    /// A stable hash of everything a session is given, whatever its NAS: equal hashes, equal
    /// policies. What one NAS is told of it, and what is stamped into Class and accounting
    /// records, is the dialect's to hash.
    ///
    /// Its high half covers what is fixed when a session begins (access, addresses, pools,
    /// routes, lists, what confines it), its low half what a NAS may change while the session
    /// lives (rates, timeouts, names of profiles), so that two hashes tell whether the
    /// difference can be carried by CoA; see [`difference`].
    pub fn hash(&self) -> u64 {
        let mut fixed = Fnv::default();
        let access: u8 = match self.access {
            Access::Full => 0,
            Access::Garden(_) => 1,
            Access::Reject(_) => 2,
        };
        fixed.write(&[access]);
        hash_text(&mut fixed, self.pool);
        hash_text(&mut fixed, self.address_list);
        hash_number(&mut fixed, self.ipv4.map(|ip| u64::from(u32::from(ip))));
        hash_number(&mut fixed, self.ipv4_prefix_length.map(u64::from));
        hash_text(&mut fixed, self.ipv6_pool);
        hash_text(&mut fixed, self.delegated_pool);
        hash_ipv6(&mut fixed, self.ipv6_address.map(|address| (address, 128)));
        for prefix in [self.ipv6_prefix, self.delegated_prefix] {
            hash_ipv6(&mut fixed, prefix.map(|prefix| (prefix.ip(), prefix.prefix())));
        }
        for list in [self.routes, self.ipv6_routes, self.filters] {
            hash_number(&mut fixed, Some(list.len() as u64));
            list.iter().for_each(|text| hash_text(&mut fixed, Some(text)));
        }
        hash_number(&mut fixed, Some(self.dns.len() as u64));
        for address in self.dns {
            match address {
                IpAddr::V4(v4) => hash_number(&mut fixed, Some(u32::from(*v4).into())),
                IpAddr::V6(v6) => hash_ipv6(&mut fixed, Some((*v6, 128))),
            }
        }
        hash_number(&mut fixed, self.vlan.map(u64::from));
        hash_number(&mut fixed, self.service_type.map(|kind| kind.number().into()));
        hash_number(&mut fixed, self.framed_protocol.map(|kind| kind.number().into()));
        hash_text(&mut fixed, self.garden.and_then(|garden| garden.redirect_url.as_deref()));
        if let Some(lease) = self.lease {
            fixed.write(&[1]);
            fixed.write(lease.pool().unwrap_or(PoolId::NONE).0.as_bytes());
        }

        let mut live = Fnv::default();
        hash_number(&mut live, self.download_bps);
        hash_number(&mut live, self.upload_bps);
        hash_number(&mut live, Some(self.as_planned.into()));
        if let Some(burst) = self.burst {
            for rate in [
                Some(burst.download_bps),
                Some(burst.upload_bps),
                burst.threshold_download_bps,
                burst.threshold_upload_bps,
                burst.time_s.map(u64::from),
            ] {
                hash_number(&mut live, rate);
            }
        }
        hash_number(&mut live, self.priority.map(u64::from));
        hash_number(&mut live, Some(self.interim_s.into()));
        hash_number(&mut live, self.session_timeout_s.map(u64::from));
        hash_number(&mut live, self.idle_timeout_s.map(u64::from));
        let own = self.garden.map(|garden| &garden.vendor_profiles);
        for profiles in own.into_iter().chain([self.vendor_profiles]) {
            hash_number(&mut live, Some(profiles.0.len() as u64));
            for (profile, name) in &profiles.0 {
                hash_number(&mut live, Some(*profile as u64));
                hash_text(&mut live, Some(name));
            }
        }
        u64::from(fixed.fold()) << 32 | u64::from(live.fold())
    }
}

fn hash_ipv6(hash: &mut Fnv, value: Option<(Ipv6Addr, u8)>) {
    let (address, length) = value.unwrap_or((Ipv6Addr::UNSPECIFIED, 0));
    hash.write(&[u8::from(value.is_some()), length]);
    hash.write(&address.octets());
}

fn hash_number(hash: &mut Fnv, value: Option<u64>) {
    hash.write(&[u8::from(value.is_some())]);
    hash.write(&value.unwrap_or(0).to_be_bytes());
}

fn hash_text(hash: &mut Fnv, value: Option<&str>) {
    hash_number(hash, value.map(|v| v.len() as u64));
    hash.write(value.unwrap_or("").as_bytes());
}

/// How the policy a session was given differs from the one it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Not at all.
    None,
    /// Only in what can change while a session lives.
    Live,
    /// In what is fixed when a session begins.
    Fixed,
}

/// Compares two hashes with such halves.
pub fn difference(given: u64, wanted: u64) -> Difference {
    if given == wanted {
        Difference::None
    } else if given >> 32 == wanted >> 32 {
        Difference::Live
    } else {
        Difference::Fixed
    }
}

/// One step of the decision, as `explain` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A hold was looked at; `wins` if it is the strongest so far.
    Hold {
        /// Why it is held.
        reason: HoldReason,
        /// What it does.
        network: HoldNetwork,
        /// It decides so far.
        wins: bool,
    },
    /// The time is over, and whether that is enforced.
    Expired {
        /// When it ended.
        at: Ts,
        /// False while billing is silent.
        enforced: bool,
    },
    /// The profile's rates were taken.
    Profile(&'a Profile),
    /// The subscriber's own value replaced the plan's.
    Override(&'static str),
    /// An overlay was applied, or not.
    Overlay {
        /// The overlay.
        overlay: &'a Overlay,
        /// False: it had ended, or a newer one of its kind stands.
        applied: bool,
    },
    /// The garden's rates and list took the place of all that.
    Garden,
}

/// Hears of each step.
pub trait Trace<'a> {
    /// One step was taken.
    fn step(&mut self, step: Step<'a>);
}

/// Hears nothing; what the packet path uses.
pub struct NoTrace;

impl Trace<'_> for NoTrace {
    fn step(&mut self, _: Step<'_>) {}
}

impl<'a> Trace<'a> for Vec<Step<'a>> {
    fn step(&mut self, step: Step<'a>) {
        self.push(step);
    }
}

/// Decides what `subscriber` gets now. `overlays` are those of its service.
pub fn effective<'a>(
    context: Context,
    profile: &'a Profile,
    subscriber: &'a Subscriber,
    overlays: &'a [Overlay],
    trace: &mut impl Trace<'a>,
) -> Effective<'a> {
    let access = access(context, profile, subscriber, trace);
    trace.step(Step::Profile(profile));

    let (plan, own) = (&profile.gives, subscriber.own());
    for (name, differs) in [
        ("download_bps", own.download_bps.is_some()),
        ("upload_bps", own.upload_bps.is_some()),
        ("session_timeout_s", own.session_timeout_s.is_some()),
        ("idle_timeout_s", own.idle_timeout_s.is_some()),
        ("session_limit", own.session_limit.is_some()),
        ("session_limit_action", own.session_limit_action.is_some()),
        ("ipv4_method", own.ipv4_method.is_some()),
        ("pool", own.pool.is_some()),
        ("lease_pool", own.lease_pool.is_some()),
        ("ipv6_pool", own.ipv6_pool.is_some()),
        ("delegated_pool", own.delegated_pool.is_some()),
        ("vlan", own.vlan.is_some()),
        ("address_list", own.address_list.is_some()),
    ] {
        if differs {
            trace.step(Step::Override(name));
        }
    }

    let mut rates = Rates {
        download_bps: own.download_bps.or(plan.download_bps),
        upload_bps: own.upload_bps.or(plan.upload_bps),
    };
    for slot in 0..3 {
        let newest = newest(context.now, overlays, slot);
        for overlay in overlays.iter().filter(|o| o.kind.slot() == slot) {
            let applied = newest.is_some_and(|n| std::ptr::eq(n, overlay));
            trace.step(Step::Overlay { overlay, applied });
            if applied {
                rates.apply(overlay);
            }
        }
    }

    let as_planned = (rates.download_bps, rates.upload_bps) == (plan.download_bps, plan.upload_bps);
    let pool = own.pool.as_deref().or(plan.pool.as_deref());
    let method = own.ipv4_method.or(plan.ipv4_method);
    let (pool, ipv4) = ipv4(method, pool, subscriber.ipv4);
    let lease_pool = own.lease_pool.or(plan.lease_pool);
    let lease =
        (method == Some(Ipv4Method::Leased)).then_some(lease_pool.map_or(Lease::Any, Lease::From));
    let mut result = Effective {
        access,
        download_bps: rates.download_bps,
        upload_bps: rates.upload_bps,
        as_planned,
        // A burst above a rate that fair use lowered would undo it.
        burst: plan.burst.filter(|_| as_planned),
        priority: plan.priority,
        interim_s: plan.interim_s,
        session_timeout_s: own.session_timeout_s.or(plan.session_timeout_s),
        idle_timeout_s: own.idle_timeout_s.or(plan.idle_timeout_s),
        session_limit: own.session_limit.or(plan.session_limit),
        session_limit_action: own
            .session_limit_action
            .or(plan.session_limit_action)
            .unwrap_or(LimitAction::ReplaceOldest),
        pool,
        lease,
        ipv4,
        ipv4_prefix_length: own
            .ipv4_prefix_length
            .filter(|_| ipv4.is_some_and(|ip| ip != NAS_CHOOSES)),
        // What is fixed takes the place of the pool it would come from.
        ipv6_pool: own
            .ipv6_pool
            .as_deref()
            .or(plan.ipv6_pool.as_deref())
            .filter(|_| own.ipv6_prefix.is_none() && own.ipv6_address.is_none()),
        delegated_pool: own
            .delegated_pool
            .as_deref()
            .or(plan.delegated_pool.as_deref())
            .filter(|_| own.delegated_prefix.is_none()),
        ipv6_address: own.ipv6_address,
        ipv6_prefix: own.ipv6_prefix,
        delegated_prefix: own.delegated_prefix,
        routes: &own.routes,
        ipv6_routes: &own.ipv6_routes,
        dns: &plan.dns,
        vlan: own.vlan.or(plan.vlan),
        service_type: plan.service_type,
        framed_protocol: plan.framed_protocol,
        address_list: own.address_list.as_deref().or(plan.address_list.as_deref()),
        filters: &plan.filters,
        vendor_profiles: &plan.vendor_profiles,
        garden: None,
    };
    if let Access::Garden(_) = access {
        trace.step(Step::Garden);
        enter(&mut result, &plan.garden);
    }
    result
}

/// The pool or the address, whichever the method asks for.
fn ipv4(
    method: Option<Ipv4Method>,
    pool: Option<&str>,
    fixed: Option<Ipv4Addr>,
) -> (Option<&str>, Option<Ipv4Addr>) {
    match method {
        None => (pool.filter(|_| fixed.is_none()), fixed),
        Some(Ipv4Method::None) => (None, None),
        Some(Ipv4Method::Pool) => (pool, None),
        Some(Ipv4Method::Static | Ipv4Method::Leased) => (None, fixed),
        Some(Ipv4Method::Nas) => (None, Some(NAS_CHOOSES)),
    }
}

/// Confines: the garden's rates and names take the place of the plan's.
fn enter<'a>(result: &mut Effective<'a>, garden: &'a Garden) {
    result.garden = Some(garden);
    result.download_bps = Some(garden.download_bps);
    result.upload_bps = Some(garden.upload_bps);
    result.as_planned = true;
    (result.burst, result.priority) = (None, None);
    result.address_list = Some(&garden.address_list);
    result.filters = &[];
    if let Some(pool) = &garden.pool {
        result.pool = Some(pool);
        result.lease = None;
        (result.ipv4, result.ipv4_prefix_length) = (None, None);
        // Routes lead to the address that is not given.
        (result.routes, result.ipv6_routes) = (&[], &[]);
        // The pool confines IPv4 alone: with IPv6 the session would be open.
        (result.ipv6_pool, result.delegated_pool, result.ipv6_address) = (None, None, None);
        (result.ipv6_prefix, result.delegated_prefix) = (None, None);
    }
    if !garden.dns.is_empty() {
        result.dns = &garden.dns;
    }
}

fn access<'a>(
    context: Context,
    profile: &'a Profile,
    subscriber: &'a Subscriber,
    trace: &mut impl Trace<'a>,
) -> Access {
    let mut strongest: Option<(HoldNetwork, HoldReason)> = None;
    for hold in &subscriber.holds {
        // Between equally strong holds the order of the reasons decides, so that what people
        // are told does not depend on the order of the rows.
        let wins = match strongest {
            None => hold.network > HoldNetwork::None,
            Some((network, reason)) => {
                hold.network > network || (hold.network == network && hold.reason < reason)
            }
        };
        trace.step(Step::Hold { reason: hold.reason, network: hold.network, wins });
        if wins {
            strongest = Some((hold.network, hold.reason));
        }
    }
    if let Some(at) = subscriber.expires_at.filter(|at| *at <= context.now) {
        let enforced = expiry_enforced(context, at);
        trace.step(Step::Expired { at, enforced });
        let network = match profile.gives.on_expired {
            OnHold::Reject => HoldNetwork::Reject,
            OnHold::Garden => HoldNetwork::Garden,
        };
        if enforced && network > strongest.map_or(HoldNetwork::None, |(network, _)| network) {
            strongest = Some((network, HoldReason::Expired));
        }
    }
    match strongest {
        Some((HoldNetwork::Reject, reason)) => Access::Reject(reason),
        Some((HoldNetwork::Garden, reason)) => Access::Garden(reason),
        _ => Access::Full,
    }
}

/// Only an expiry that passed while billing was silent is deferred: one that was known to be
/// over stays over.
fn expiry_enforced(context: Context, at: Ts) -> bool {
    let silent = context.now >= context.billing_heard.plus_seconds(BILLING_SILENT_S);
    let passed_in_silence = at > context.billing_heard;
    let long_past = context.now >= at.plus_seconds(EXPIRY_DEFERRED_S_MAX);
    !silent || !passed_in_silence || long_past
}

fn newest(now: Ts, overlays: &[Overlay], slot: u8) -> Option<&Overlay> {
    overlays
        .iter()
        .filter(|o| o.kind.slot() == slot && o.until.is_none_or(|until| until > now))
        .max_by_key(|o| o.revision)
}

struct Rates {
    download_bps: Option<u64>,
    upload_bps: Option<u64>,
}

impl Rates {
    fn apply(&mut self, overlay: &Overlay) {
        let change = |rate: &mut Option<u64>, value: Option<u64>| {
            let Some(value) = value else { return };
            *rate = match (overlay.kind, *rate) {
                (OverlayKind::Window | OverlayKind::Boost(Boost::Replace), _) => Some(value),
                (OverlayKind::Boost(Boost::Add), Some(rate)) => Some(rate.saturating_add(value)),
                // Not limited stays not limited, however much is added.
                (OverlayKind::Boost(Boost::Add), None) => None,
                (OverlayKind::FairUse, rate) => Some(rate.map_or(value, |r| r.min(value))),
            };
        };
        change(&mut self.download_bps, overlay.download_bps);
        change(&mut self.upload_bps, overlay.upload_bps);
    }
}
