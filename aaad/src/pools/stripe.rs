//! A stripe: the units (addresses or prefixes) of every sixteenth block of a part of a pool, and
//! who has them.
//!
//! Each unit is a slot of 44 octets. It is in one of four lists, each in the order of time, so
//! that what is over is always at a head, and nothing need be searched: *idle*, *offered* to a
//! login, *used* by a session, *resting*. A slot that is *fixed* is in none: a service has that
//! address as its own. Slots of the same service are found through chains by a hash of it.
//! Everything here takes a few steps whatever the size, and allocates only when a block is opened.
//!
//! An idle slot remembers who had it last, until somebody else gets it: first slots that nobody
//! had, then the one that is idle longest.

use model::ServiceId;
use model::pool::Usage;

/// Units that are opened together, and that a node would own together.
pub(super) const BLOCK: u32 = 64;
const NONE: u32 = u32::MAX;

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// To be had.
    Idle = 0,
    /// Told to a NAS whose Start has not come.
    Offered = 1,
    /// A session has it.
    Used = 2,
    /// Kept from everybody but who had it last.
    Resting = 3,
    /// A service has it as its own.
    Fixed = 4,
}

impl State {
    /// The word used in JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "free",
            Self::Offered => "offered",
            Self::Used => "used",
            Self::Resting => "resting",
            Self::Fixed => "fixed",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        let all = [Self::Idle, Self::Offered, Self::Used, Self::Resting, Self::Fixed];
        all.into_iter().find(|state| *state as u8 == number)
    }
}

/// Who asks for a unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    pub(crate) service: ServiceId,
    /// A hash of the calling station or the line; 0: not known.
    pub(crate) station: u32,
    /// A hash of the session's name; 0: the request names none.
    pub(crate) session: u32,
    /// The service may have one session only.
    pub(crate) sole: bool,
}

/// How long things last, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) offer_s: u32,
    pub(crate) lease_s: u32,
    pub(crate) rest_s: u32,
}

/// A unit as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Who has it, or had it last.
    pub(crate) service: ServiceId,
    pub(crate) station: u32,
    pub(crate) session: u32,
    /// Since when its state holds, or its session was last heard of: seconds since 1970.
    pub(crate) at: u32,
    chain: u32,
    before: u32,
    after: u32,
    pub(crate) state: State,
}

const FRESH: Slot = Slot {
    service: ServiceId::NONE,
    station: 0,
    session: 0,
    at: 0,
    chain: NONE,
    before: NONE,
    after: NONE,
    state: State::Idle,
};

/// A list through the slots, the oldest first.
#[derive(Debug, Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
    len: u32,
}

/// What a report about a unit met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// It is that session's.
    Own,
    /// It is somebody else's, who keeps it.
    Other,
}

/// The slots, those opened so far.
pub(super) struct Stripe {
    slots: Vec<Slot>,
    heads: Vec<u32>,
    lists: [List; 4],
    fixed: u32,
    /// Units there are in all, opened or not.
    total: u32,
}

fn hash_of(service: ServiceId) -> usize {
    let id = service.0.as_u128();
    let mixed = (id as u64 ^ (id >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 20) as usize
}

impl Stripe {
    pub(super) fn new(total: u32) -> Self {
        let list = List { head: NONE, tail: NONE, len: 0 };
        Self { slots: Vec::new(), heads: Vec::new(), lists: [list; 4], fixed: 0, total }
    }

    /// Units opened so far.
    pub(super) fn opened(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Units there are in all.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    pub(super) fn get(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize)
    }

    pub(super) fn usage(&self) -> Usage {
        let len = |state: State| self.lists[state as usize].len;
        let unopened = self.total - self.opened();
        Usage {
            total: self.total,
            used: len(State::Used),
            offered: len(State::Offered),
            resting: len(State::Resting),
            fixed: self.fixed,
            free: len(State::Idle) + unopened,
        }
    }

    // Lists and chains.

    fn unlink(&mut self, at: u32) {
        let slot = self.slots[at as usize];
        if slot.state == State::Fixed {
            self.fixed -= 1;
            return;
        }
        let list = &mut self.lists[slot.state as usize];
        list.len -= 1;
        match slot.before {
            NONE => list.head = slot.after,
            before => self.slots[before as usize].after = slot.after,
        }
        let list = &mut self.lists[slot.state as usize];
        match slot.after {
            NONE => list.tail = slot.before,
            after => self.slots[after as usize].before = slot.before,
        }
    }

    fn link(&mut self, at: u32, state: State) {
        self.slots[at as usize].state = state;
        if state == State::Fixed {
            self.fixed += 1;
            return;
        }
        let list = &mut self.lists[state as usize];
        let tail = std::mem::replace(&mut list.tail, at);
        list.len += 1;
        match tail {
            NONE => list.head = at,
            tail => self.slots[tail as usize].after = at,
        }
        let slot = &mut self.slots[at as usize];
        (slot.before, slot.after) = (tail, NONE);
    }

    /// In front of the others: what nobody had is leased first.
    fn link_first(&mut self, at: u32) {
        self.slots[at as usize].state = State::Idle;
        let list = &mut self.lists[State::Idle as usize];
        let head = std::mem::replace(&mut list.head, at);
        list.len += 1;
        match head {
            NONE => list.tail = at,
            head => self.slots[head as usize].before = at,
        }
        let slot = &mut self.slots[at as usize];
        (slot.before, slot.after) = (NONE, head);
    }

    fn turn(&mut self, at: u32, state: State, now: u32) {
        self.unlink(at);
        self.slots[at as usize].at = now;
        self.link(at, state);
    }

    fn bucket(&self, service: ServiceId) -> usize {
        hash_of(service) & (self.heads.len() - 1)
    }

    fn disown(&mut self, at: u32) {
        let slot = self.slots[at as usize];
        if slot.service == ServiceId::NONE {
            return;
        }
        let bucket = self.bucket(slot.service);
        if self.heads[bucket] == at {
            self.heads[bucket] = slot.chain;
        } else {
            let mut before = self.heads[bucket];
            while let Some(other) = self.slots.get_mut(before as usize) {
                if other.chain == at {
                    other.chain = slot.chain;
                    break;
                }
                before = other.chain;
            }
        }
        let slot = &mut self.slots[at as usize];
        (slot.service, slot.station, slot.session) = (ServiceId::NONE, 0, 0);
        slot.chain = NONE;
    }

    fn own(&mut self, at: u32, service: ServiceId) {
        if self.slots[at as usize].service == service {
            return;
        }
        self.disown(at);
        if service == ServiceId::NONE {
            return;
        }
        let bucket = self.bucket(service);
        let slot = &mut self.slots[at as usize];
        (slot.service, slot.chain) = (service, self.heads[bucket]);
        self.heads[bucket] = at;
    }

    /// The slots of a service.
    fn of(&self, service: ServiceId) -> impl Iterator<Item = (u32, &Slot)> {
        let mut at = if self.heads.is_empty() { NONE } else { self.heads[self.bucket(service)] };
        std::iter::from_fn(move || {
            loop {
                let slot = self.slots.get(at as usize)?;
                let here = at;
                at = slot.chain;
                if slot.service == service {
                    return Some((here, slot));
                }
            }
        })
    }

    /// Opens blocks until the unit is there; false where it is none of this stripe.
    pub(super) fn open_to(&mut self, at: u32) -> bool {
        while self.opened() <= at {
            if !self.open_block() {
                return false;
            }
        }
        true
    }

    fn open_block(&mut self) -> bool {
        let from = self.opened();
        let to = self.total.min(from + BLOCK);
        if from == to {
            return false;
        }
        self.slots.resize(to as usize, FRESH);
        if self.slots.len() > self.heads.len() {
            self.heads = vec![NONE; self.slots.len().next_power_of_two()];
            for at in 0..from {
                let service = self.slots[at as usize].service;
                if service != ServiceId::NONE {
                    let bucket = self.bucket(service);
                    self.slots[at as usize].chain = self.heads[bucket];
                    self.heads[bucket] = at;
                }
            }
        }
        for at in (from..to).rev() {
            self.link_first(at);
        }
        true
    }

    // What becomes of units.

    /// Makes idle what is over: offers without a Start, leases without a word, rests.
    pub(super) fn expire(&mut self, now: u32, times: Times) -> u32 {
        let mut expired = 0;
        for (state, lasts_s) in [
            (State::Offered, times.offer_s),
            (State::Used, times.lease_s),
            (State::Resting, times.rest_s),
        ] {
            loop {
                let head = self.lists[state as usize].head;
                let Some(slot) = self.slots.get(head as usize) else { break };
                if now.saturating_sub(slot.at) < lasts_s {
                    break;
                }
                self.turn(head, State::Idle, now);
                expired += u32::from(state == State::Used);
            }
        }
        expired
    }

    /// The unit that is this service's already, offered to it.
    pub(super) fn offer_own(&mut self, asking: &Asking, now: u32) -> Option<u32> {
        let at = self.own_of(asking)?;
        self.give(at, asking, now);
        Some(at)
    }

    /// The unit that is this service's already, if it may have it now.
    pub(super) fn own_of(&self, asking: &Asking) -> Option<u32> {
        let same = |slot: &Slot| slot.station != 0 && slot.station == asking.station;
        // A request that names another session is not the same login once more.
        let again = |slot: &Slot| {
            let either = slot.session == 0 || asking.session == 0;
            either || slot.session == asking.session
        };
        let worth = |slot: &Slot| match slot.state {
            State::Offered if same(slot) && (asking.sole || again(slot)) => 4,
            State::Used if same(slot) && asking.sole => 3,
            State::Idle | State::Resting if same(slot) => 2,
            State::Idle | State::Resting => 1,
            _ => 0,
        };
        let own = self.of(asking.service).map(|(at, slot)| (worth(slot), at));
        own.filter(|(worth, _)| *worth > 0).max().map(|(_, at)| at)
    }

    /// A unit that is nobody's now, offered to a service.
    pub(super) fn offer_new(&mut self, asking: &Asking, now: u32) -> Option<u32> {
        let idle = |stripe: &Self| stripe.lists[State::Idle as usize].head;
        let had = |stripe: &Self| {
            let head = stripe.slots.get(idle(stripe) as usize);
            head.is_none_or(|slot| slot.service != ServiceId::NONE)
        };
        if had(self) {
            self.open_block();
        }
        let at = idle(self);
        if at == NONE {
            return None;
        }
        self.give(at, asking, now);
        Some(at)
    }

    fn give(&mut self, at: u32, asking: &Asking, now: u32) {
        self.own(at, asking.service);
        let slot = &mut self.slots[at as usize];
        (slot.station, slot.session) = (asking.station, asking.session);
        self.turn(at, State::Offered, now);
    }

    /// The offer is not needed.
    pub(super) fn withdraw(&mut self, at: u32, service: ServiceId, now: u32) {
        let offered = |slot: &Slot| slot.state == State::Offered && slot.service == service;
        if self.get(at).is_some_and(offered) {
            self.turn(at, State::Idle, now);
        }
    }

    /// A session has the unit.
    pub(super) fn start(&mut self, at: u32, asking: &Asking, now: u32) -> Met {
        if !self.open_to(at) {
            return Met::Other;
        }
        let slot = self.slots[at as usize];
        // A session whose service was not known when it began is the same session.
        let same = slot.session != 0 && slot.session == asking.session;
        let own = slot.service == asking.service || slot.state == State::Used && same;
        match slot.state {
            State::Fixed => return if own { Met::Own } else { Met::Other },
            State::Used if !own => return Met::Other,
            _ => {}
        }
        self.own(at, asking.service);
        let slot = &mut self.slots[at as usize];
        (slot.station, slot.session) = (asking.station, asking.session);
        // A word that comes late is no news.
        let now = if slot.state == State::Used { now.max(slot.at) } else { now };
        self.turn(at, State::Used, now);
        Met::Own
    }

    /// A session of the service is heard of, and nothing says which unit it has: the one that was
    /// offered to it, or that is known to be its. False where there is none.
    pub(super) fn start_of(&mut self, asking: &Asking, now: u32) -> bool {
        let worth = |slot: &Slot| match slot.state {
            State::Used if slot.session == asking.session => 3,
            State::Offered if slot.session == asking.session => 2,
            State::Offered if slot.station == asking.station => 1,
            _ => 0,
        };
        let own = self.of(asking.service).map(|(at, slot)| (worth(slot), at));
        let Some((_, at)) = own.filter(|(worth, _)| *worth > 0).max() else { return false };
        self.start(at, asking, now);
        true
    }

    /// The session that has the unit ended.
    pub(super) fn end(&mut self, at: u32, service: ServiceId, session: u32, now: u32) {
        let own = |slot: &Slot| {
            slot.state == State::Used && slot.service == service && slot.session == session
        };
        if self.get(at).is_some_and(own) {
            self.turn(at, State::Idle, now);
        }
    }

    /// A session of a service ended: whatever it had is idle.
    pub(super) fn end_of(&mut self, service: ServiceId, session: u32, now: u32) -> bool {
        let own = |slot: &Slot| slot.state == State::Used && slot.session == session;
        let mut any = false;
        let next = |stripe: &Self| {
            let mut of = stripe.of(service);
            of.find(|(_, slot)| own(slot)).map(|(at, _)| at)
        };
        while let Some(at) = next(self) {
            self.turn(at, State::Idle, now);
            any = true;
        }
        any
    }

    /// A service has the unit as its own: nobody else is leased it. Tells whose session has it.
    pub(super) fn fix(&mut self, at: u32, service: ServiceId, now: u32) -> Option<Slot> {
        if !self.open_to(at) {
            return None;
        }
        let slot = self.slots[at as usize];
        let live = matches!(slot.state, State::Used | State::Offered) && slot.service != service;
        self.own(at, service);
        self.turn(at, State::Fixed, now);
        live.then_some(slot)
    }

    /// No service has the unit as its own any more. A session may still have it: it rests.
    pub(super) fn unfix(&mut self, at: u32, now: u32) {
        if self.get(at).is_some_and(|slot| slot.state == State::Fixed) {
            self.turn(at, State::Resting, now);
        }
    }

    /// A unit that is to be had is kept from everybody but who had it last.
    pub(super) fn rest(&mut self, at: u32, now: u32) {
        let rests = |slot: &Slot| matches!(slot.state, State::Idle | State::Used);
        if self.get(at).is_some_and(rests) {
            self.turn(at, State::Resting, now);
        }
    }

    /// Puts a unit back as it was kept.
    pub(super) fn put(&mut self, at: u32, kept: &Slot) -> bool {
        if !self.open_to(at) {
            return false;
        }
        self.own(at, kept.service);
        let slot = &mut self.slots[at as usize];
        (slot.station, slot.session) = (kept.station, kept.session);
        self.turn(at, kept.state, kept.at);
        true
    }
}

impl Slot {
    /// A slot as it is kept in a file.
    pub(super) fn kept(
        service: ServiceId,
        (station, session): (u32, u32),
        at: u32,
        state: State,
    ) -> Self {
        Self { service, station, session, at, state, ..FRESH }
    }
}
