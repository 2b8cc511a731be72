//! Whether there is room for a login: sessions at once, and addresses from our own pools.
//!
//! Both are taken the moment the login is let in, and given back where it is not after all.

use dialect::Leased;
use model::policy::Effective;
use model::pool::Part;
use model::reject::RejectReason;
use model::{NasGroupId, NasId, ServiceId, Ts};
use radius_wire::{Attributes, Line, attr};

use super::{Engine, Scratch};
use crate::pools::{Asking, Wanted};
use crate::presence::{Claim, Limit, Place, SessionTag};
use crate::sessions::Session;

/// A login was let in beyond the limit: the oldest sessions elsewhere must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) service: ServiceId,
    /// Where the login came from: sessions from there go by themselves.
    pub(crate) place: Place,
    pub(crate) limit: Limit,
}

/// What a policy says about room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) limit: Option<Limit>,
    pub(crate) wanted: Option<Wanted>,
}

/// What was taken for a login.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) service: ServiceId,
    place: Place,
    claimed: bool,
    pub(super) leased: Option<Leased>,
}

impl Rules {
    pub(super) fn of(policy: &Effective<'_>, group: Option<NasGroupId>) -> Self {
        let limit = policy.session_limit.map(|sessions| Limit {
            sessions,
            action: policy.session_limit_action,
            interim_s: policy.interim_s,
        });
        let wanted = policy.lease.map(|lease| Wanted { lease, group, parts: parts_of(policy) });
        Self { limit, wanted }
    }
}

impl Engine {
    /// The group of a NAS.
    pub(super) fn group_of(&self, nas: NasId) -> Option<NasGroupId> {
        self.cache.clients().nas(nas)?.group
    }

    /// What the policy of a session says about room; nothing where it has none.
    pub(crate) fn rules_of(&self, session: &Session, now: Ts) -> Option<Rules> {
        let entry = self.cache.subscribers().find(session.service)?;
        let group = self.group_of(session.key.nas);
        self.with_policy(now, &entry, |policy, _, _| Rules::of(policy, group))
    }

    /// Takes what a login needs.
    pub(super) fn admit(
        &self,
        now: Ts,
        (service, nas): (ServiceId, NasId),
        attributes: Attributes<'_>,
        policy: &Effective<'_>,
        scratch: &mut Scratch,
    ) -> Result<Taken, RejectReason> {
        if policy.session_limit.is_none() && policy.lease.is_none() {
            let place = Place::default();
            return Ok(Taken { service, place, claimed: false, leased: None });
        }
        let rules = Rules::of(policy, self.group_of(nas));
        let place = Place::of(nas, station_of(attributes));
        if let Some(limit) = rules.limit {
            match self.presence.claim(service, place, limit, now) {
                Claim::Within => {}
                Claim::Replaces => scratch.replaced = Some(Replaced { service, place, limit }),
                Claim::Refused => return Err(RejectReason::TooManySessions),
            }
        }
        let claimed = rules.limit.is_some();
        let mut taken = Taken { service, place, claimed, leased: None };
        if let Some(wanted) = rules.wanted {
            let session = attributes.first(attr::ACCT_SESSION_ID).filter(|id| !id.is_empty());
            let asking = Asking {
                service,
                station: place.0,
                session: session.map_or(0, |id| SessionTag::of(nas, id).short()),
                sole: rules.limit.is_some_and(|limit| limit.sessions == 1),
            };
            match self.pools.lease(&wanted, &asking, now) {
                Ok(leased) => taken.leased = Some(leased),
                Err(reason) => {
                    self.dismiss(now, &taken, scratch);
                    return Err(reason);
                }
            }
        }
        Ok(taken)
    }

    /// Gives back what was taken for a login that is refused after all.
    pub(super) fn dismiss(&self, now: Ts, taken: &Taken, scratch: &mut Scratch) {
        scratch.replaced = None;
        if taken.claimed {
            self.presence.withdraw(taken.service, taken.place);
        }
        if let Some(leased) = &taken.leased {
            self.pools.withdraw(leased, taken.service, now);
        }
    }
}

/// Where a login comes from: the calling station, else the line; never the NAS.
pub(crate) fn station_of(attributes: Attributes<'_>) -> &[u8] {
    let station = attributes.first(attr::CALLING_STATION_ID).filter(|value| !value.is_empty());
    station.unwrap_or_else(|| {
        let line = Line::of(attributes);
        line.circuit.or(line.remote).unwrap_or_default()
    })
}

/// The parts that a policy leaves to pools.
fn parts_of(policy: &Effective<'_>) -> [bool; 3] {
    let mut parts = [false; 3];
    parts[Part::Ipv4 as usize] = policy.ipv4.is_none();
    parts[Part::Ipv6 as usize] =
        policy.ipv6_prefix.is_none() && policy.ipv6_address.is_none() && policy.ipv6_pool.is_none();
    parts[Part::Delegated as usize] =
        policy.delegated_prefix.is_none() && policy.delegated_pool.is_none();
    parts
}
