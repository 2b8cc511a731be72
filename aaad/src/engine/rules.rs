//! What a login is asked besides its password, and what attributes add to its reply.
//!
//! The order: NAS, port and called station, check attributes (of the plan, then of the service),
//! hours, and last of all, when everything else is well, the MAC address, which may be learned.
//! The reply: what the dialect says; then the reply attributes of the plan, of each group that the
//! login meets, by priority, and of the service. In the walled garden nothing is added: what
//! confines a session must not be taken away.

use std::sync::Arc;

use dialect::attributes::{Reply, cap_session_timeout};
use model::identity::MacAddress;
use model::nas::Vendor;
use model::policy::{Access, Effective, Hours, matches_pattern};
use model::reject::RejectReason;
use model::{NasId, Ts};
use radius_wire::{Attributes, Full, attr};

use crate::cache::{Group, Groups, ProfileEntry, Rules, SubscriberEntry};

/// Groups of one service and its plan that count; the office allows fewer.
const GROUPS_MAX: usize = 32;
/// A session that outlives the hours by this much is ended: its NAS was told when they end.
const OVERSTAY_US: i64 = 120_000_000;

/// The rules of one subscriber: the plan's, its own, and its groups in their order.
pub(crate) struct Bound<'a> {
    pub(super) plan: Option<&'a Rules>,
    pub(super) own: Option<&'a Rules>,
    groups: [Option<&'a Arc<Group>>; GROUPS_MAX],
    count: usize,
}

impl<'a> Bound<'a> {
    pub(super) fn of(
        profile: &'a ProfileEntry,
        entry: &'a SubscriberEntry,
        groups: &'a Groups,
    ) -> Self {
        let (plan, own) = (profile.rules.as_deref(), entry.rules());
        let mut bound = Self { plan, own, groups: [None; GROUPS_MAX], count: 0 };
        let named = bound.each().flat_map(|rules| &rules.groups);
        let (mut found, mut count) = ([None; GROUPS_MAX], 0);
        for group in named.filter_map(|id| groups.get(id)) {
            let known = found[..count].iter().flatten().any(|own: &&Arc<Group>| own.id == group.id);
            if !known && let Some(slot) = found.get_mut(count) {
                *slot = Some(group);
                count += 1;
            }
        }
        found[..count].sort_unstable_by_key(|group| group.map(|group| (group.priority, group.id)));
        (bound.groups, bound.count) = (found, count);
        bound
    }

    /// The plan's rules and its own.
    pub(super) fn each(&self) -> impl Iterator<Item = &'a Rules> + use<'a> {
        self.plan.into_iter().chain(self.own)
    }

    /// Its groups, in the order they apply.
    pub(super) fn groups(&self) -> impl Iterator<Item = &'a Arc<Group>> {
        self.groups[..self.count].iter().flatten().copied()
    }

    /// Whether a reply says more than the dialect.
    pub(crate) fn adds(&self, access: Access) -> bool {
        let replies = || {
            self.each().any(|rules| !rules.reply.is_empty())
                || self.groups().any(|group| !group.reply.is_empty())
        };
        access == Access::Full && replies()
    }

    /// Whether what is added depends on the request.
    pub(super) fn depends(&self) -> bool {
        self.groups().any(|group| !group.check.is_empty() || group.unreadable)
    }

    /// The reply attributes that apply, in order, and whose they are: those of groups that the
    /// request meets; without a request, of all.
    pub(super) fn replies(
        &self,
        request: Option<Attributes<'_>>,
    ) -> impl Iterator<Item = (Whose<'a>, &'a Reply)> {
        let of = |rules: Option<&'a Rules>| rules.into_iter().flat_map(|rules| &rules.reply);
        let met = move |group: &&Arc<Group>| request.is_none_or(|request| meets(group, request));
        let groups = self
            .groups()
            .filter(met)
            .flat_map(|group| group.reply.iter().map(move |reply| (Whose::Group(group), reply)));
        let plan = of(self.plan).map(|reply| (Whose::Plan, reply));
        plan.chain(groups).chain(of(self.own).map(|reply| (Whose::Service, reply)))
    }

    /// Applies them to what lies in `packet` behind `from`.
    pub(super) fn apply(
        &self,
        request: Option<Attributes<'_>>,
        packet: &mut Vec<u8>,
        from: usize,
    ) -> Result<(), Full> {
        self.replies(request).try_for_each(|(_, reply)| reply.apply(packet, from))
    }

    /// Applies those that a CoA-Request can say. Groups that depend on the request are left out:
    /// whether the login met them is not known any more.
    pub(crate) fn apply_live(
        &self,
        vendor: Vendor,
        packet: &mut Vec<u8>,
        from: usize,
    ) -> Result<(), Full> {
        let nothing = Some(Attributes::default());
        let replies = self.replies(if self.depends() { nothing } else { None });
        replies
            .filter(|(_, reply)| dialect::changes(vendor, &reply.attribute()))
            .try_for_each(|(_, reply)| reply.apply(packet, from))
    }

    /// What refuses a login before its MAC address is looked at.
    pub(super) fn refuses(
        &self,
        now: Ts,
        nas: NasId,
        request: Attributes<'_>,
    ) -> Option<RejectReason> {
        for rules in self.each() {
            if !rules.nas.is_empty() && !rules.nas.contains(&nas) {
                return Some(RejectReason::NasNotAllowed);
            }
            if !rules.ports.is_empty() && !port_is_one_of(&rules.ports, request) {
                return Some(RejectReason::PortNotAllowed);
            }
            let stations = &rules.called_stations;
            if !stations.is_empty() && !one_of(stations, request.first(attr::CALLED_STATION_ID)) {
                return Some(RejectReason::CalledStationNotAllowed);
            }
            if rules.unreadable || !rules.check.iter().all(|check| check.passes(request)) {
                return Some(RejectReason::CheckFailed);
            }
        }
        self.left(now).is_none().then_some(RejectReason::OutsideHours)
    }

    /// How many seconds are left of the hours in which it may log in: nothing outside of them,
    /// [`u32::MAX`] where there is no end.
    pub(crate) fn left(&self, now: Ts) -> Option<u32> {
        let zone = self.own.and_then(|own| own.zone.as_ref());
        let hours = self.each().filter_map(|rules| rules.hours.as_ref());
        hours
            .map(|hours| left_of(hours, now, zone))
            .try_fold(u32::MAX, |all, own| Some(all.min(own?)))
    }

    /// Whether a session should have ended with the hours.
    pub(crate) fn overstays(&self, now: Ts) -> bool {
        self.left(now).is_none() && self.left(Ts(now.0.saturating_sub(OVERSTAY_US))).is_none()
    }

    /// The binding to MAC addresses.
    pub(super) fn mac(&self) -> Option<&'a model::policy::MacBinding> {
        self.own?.mac.as_ref()
    }
}

/// Whose a reply attribute is.
#[derive(Clone, Copy)]
pub(super) enum Whose<'a> {
    Plan,
    Group(&'a Group),
    Service,
}

/// Whether a request meets the checks of a group.
pub(super) fn meets(group: &Group, request: Attributes<'_>) -> bool {
    !group.unreadable && group.check.iter().all(|check| check.passes(request))
}

/// The same of a request of which only a part is known: what is not said is taken to be met.
pub(super) fn meets_what_is_said(group: &Group, said: Attributes<'_>) -> bool {
    let met = |check: &dialect::attributes::Check| !check.is_said(said) || check.passes(said);
    !group.unreadable && group.check.iter().all(met)
}

/// The MAC address a request comes from.
pub(super) fn mac_of(request: Attributes<'_>) -> Option<MacAddress> {
    request.first(attr::CALLING_STATION_ID).and_then(|station| MacAddress::parse(station).ok())
}

/// Puts the end of the hours into the reply in `packet` behind `from`.
pub(super) fn end_with_hours(left: u32, packet: &mut Vec<u8>, from: usize) -> Result<(), Full> {
    if left == u32::MAX { Ok(()) } else { cap_session_timeout(packet, from, left.max(1), true) }
}

/// What of the hours is left, seconds.
fn left_of(hours: &Hours, now: Ts, zone: Option<&jiff::tz::TimeZone>) -> Option<u32> {
    let utc = jiff::tz::TimeZone::UTC;
    let zone = zone.unwrap_or(&utc);
    // Every instant of a running system is one that jiff knows.
    let at = jiff::Timestamp::from_microsecond(now.0).ok()?;
    let civil = zone.to_datetime(at);
    let day = u32::from(civil.weekday().to_monday_zero_offset().unsigned_abs());
    let (hour, minute) = (civil.hour().unsigned_abs(), civil.minute().unsigned_abs());
    let left = hours.left(day * 1440 + u32::from(hour) * 60 + u32::from(minute))?;
    if left == u32::MAX {
        return Some(left);
    }
    // By the clock on the wall: where it jumps meanwhile, the end is at its new time.
    let whole = civil.with().second(0).subsec_nanosecond(0).build().ok()?;
    let end = whole.checked_add(jiff::Span::new().minutes(i64::from(left))).ok()?;
    let end = zone.to_ambiguous_timestamp(end).compatible().ok()?;
    u32::try_from(end.as_second() - at.as_second()).ok().filter(|left| *left > 0)
}

pub(super) fn one_of(patterns: &[String], value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| patterns.iter().any(|pattern| matches_pattern(pattern, value)))
}

/// Whether a request's NAS-Port-Id, or its NAS-Port in digits, is one of these.
pub(super) fn port_is_one_of(ports: &[String], request: Attributes<'_>) -> bool {
    if one_of(ports, request.first(attr::NAS_PORT_ID)) {
        return true;
    }
    let Some(port) = request.u32(attr::NAS_PORT) else { return false };
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut rest = port;
    while at > 0 {
        at -= 1;
        // One decimal digit.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    one_of(ports, digits.get(at..))
}

/// The hash of what a session is told, where `plain` is that of what the dialect says and more is
/// added: of every group, whether or not a login meets it, so that it is the same with and without
/// a request. Only what is added makes the difference: an attribute that CoA can say anew, over
/// one the dialect says, differs in the low half alone. `room` is written over.
pub(super) fn hash_of_all(
    vendor: Vendor,
    policy: &Effective<'_>,
    bound: &Bound<'_>,
    plain: u64,
    room: &mut Vec<u8>,
) -> u64 {
    let fixed = bound.depends();
    let told = |room: &[u8]| {
        let told = Attributes::parse(room).unwrap_or_default();
        dialect::hash_of_told(vendor, told, fixed)
    };
    room.clear();
    // What cannot be told or does not fit refuses each login; what could be is hashed.
    let _ = dialect::accept(vendor, policy, room);
    let before = told(room);
    // The same.
    let _ = bound.apply(None, room, 0);
    plain ^ before ^ told(room)
}

#[cfg(test)]
mod tests;
