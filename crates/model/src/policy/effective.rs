//! The effective policy: one pure function, fixed pair by pair in `golden/effective.txt`.
//!
//! In order: the strongest hold (reject over garden); the profile; the subscriber's override
//! per field; the time window; boosts (add or replace); fair use as a minimum. Within a kind
//! the newest revision wins. It does not allocate, so it runs on every login; the same run
//! with a [`Trace`] is what `explain` prints.

use std::net::Ipv4Addr;

use super::{Boost, HoldNetwork, HoldReason, OnHold, Overlay, OverlayKind, Profile, Subscriber};
use crate::Ts;
use crate::nas::Fnv;

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
    /// Seconds between interim updates.
    pub interim_s: u32,
    /// Longest session, seconds.
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    pub idle_timeout_s: Option<u32>,
    /// The address pool named to the NAS.
    pub pool: Option<&'a str>,
    /// The address list that confines a session in the garden.
    pub address_list: Option<&'a str>,
    /// The fixed address.
    pub ipv4: Option<Ipv4Addr>,
}

impl Effective<'_> {
    /// A stable hash of everything a session is given: equal hashes, equal treatment. Stamped
    /// into Class and accounting records.
    ///
    /// Its high half covers what is fixed when a session begins (access, address, pool, list),
    /// its low half what a NAS may change while the session lives (rates, timeouts), so that
    /// two hashes tell whether the difference can be carried by CoA; see [`difference`].
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

        let mut live = Fnv::default();
        hash_number(&mut live, self.download_bps);
        hash_number(&mut live, self.upload_bps);
        hash_number(&mut live, Some(self.interim_s.into()));
        hash_number(&mut live, self.session_timeout_s.map(u64::from));
        hash_number(&mut live, self.idle_timeout_s.map(u64::from));
        u64::from(fixed.fold()) << 32 | u64::from(live.fold())
    }
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

/// Compares two values of [`Effective::hash`].
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

    let own = &subscriber.overrides;
    let mut picked = |name, differs: bool| {
        if differs {
            trace.step(Step::Override(name));
        }
    };
    picked("download_bps", own.download_bps.is_some());
    picked("upload_bps", own.upload_bps.is_some());
    picked("session_timeout_s", own.session_timeout_s.is_some());
    picked("idle_timeout_s", own.idle_timeout_s.is_some());
    picked("pool", own.pool.is_some());

    let mut rates = Rates {
        download_bps: own.download_bps.or(profile.download_bps),
        upload_bps: own.upload_bps.or(profile.upload_bps),
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

    let mut result = Effective {
        access,
        download_bps: rates.download_bps,
        upload_bps: rates.upload_bps,
        interim_s: profile.interim_s,
        session_timeout_s: own.session_timeout_s.or(profile.session_timeout_s),
        idle_timeout_s: own.idle_timeout_s.or(profile.idle_timeout_s),
        pool: own.pool.as_deref().or(profile.pool.as_deref()),
        address_list: None,
        ipv4: subscriber.ipv4,
    };
    if let Access::Garden(_) = access {
        trace.step(Step::Garden);
        result.download_bps = Some(profile.garden.download_bps);
        result.upload_bps = Some(profile.garden.upload_bps);
        result.address_list = Some(&profile.garden.address_list);
    }
    result
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
        let network = match profile.on_expired {
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
