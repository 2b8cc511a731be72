//! A space: one part of a pool, its units in stripes, each behind a lock that is held for a few
//! steps.
//!
//! Blocks of 64 units go to the stripes in turn. A service has a home stripe; where that is full,
//! it is served from the next one that is not. Blocks are opened one after the other, when all
//! that was opened is in use or remembered for somebody: memory grows with what is used, and
//! what has never been opened is known to be free whatever happened.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::ServiceId;
use model::pool::Usage;

use super::stripe::{Asking, BLOCK, Met, Slot, Stripe, Times};

/// Stripes of a large space.
const STRIPES: u32 = 16;
/// A space smaller than this has one.
const STRIPED_MIN: u32 = STRIPES * BLOCK * 4;

/// One part of a pool.
pub(super) struct Space {
    stripes: Box<[Mutex<Stripe>]>,
    /// Some service was served from a stripe that is not its home.
    strayed: AtomicBool,
    /// Units of each stripe that the file says may be open.
    announced: Box<[AtomicU32]>,
}

impl Space {
    pub(super) fn new(units: u32) -> Self {
        let stripes = if units < STRIPED_MIN { 1 } else { STRIPES };
        let (blocks, last) = (units.div_ceil(BLOCK), units % BLOCK);
        let stripe = |n: u32| {
            let own = blocks / stripes + u32::from(n < blocks % stripes);
            let has_last = blocks > 0 && (blocks - 1) % stripes == n;
            let short = if has_last && last > 0 { BLOCK - last } else { 0 };
            Mutex::new(Stripe::new(own * BLOCK - short))
        };
        let announced = (0..stripes).map(|_| AtomicU32::new(0)).collect();
        let stripes = (0..stripes).map(stripe).collect();
        Self { stripes, strayed: AtomicBool::new(false), announced }
    }

    fn lock(&self, stripe: usize) -> MutexGuard<'_, Stripe> {
        self.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a unit is: its stripe, and its place there.
    fn place(&self, unit: u32) -> (usize, u32) {
        let (block, stripes) = (unit / BLOCK, self.stripes.len() as u32);
        ((block % stripes) as usize, block / stripes * BLOCK + unit % BLOCK)
    }

    fn unit(&self, stripe: usize, at: u32) -> u32 {
        (at / BLOCK * self.stripes.len() as u32 + stripe as u32) * BLOCK + at % BLOCK
    }

    /// The stripes in the order a service asks them, its home first.
    fn order_for(&self, service: ServiceId) -> impl Iterator<Item = usize> + use<> {
        let (low, count) = (service.0.as_u128() as u64, self.stripes.len());
        let home = (low.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % count;
        (0..count).map(move |n| (home + n) % count)
    }

    /// Offers a service the unit it has, or had.
    pub(super) fn offer_own(&self, asking: &Asking, now: u32, times: Times) -> Option<u32> {
        let reach = self.reach();
        self.order_for(asking.service).take(reach).find_map(|n| {
            let mut stripe = self.lock(n);
            stripe.expire(now, times);
            stripe.offer_own(asking, now).map(|at| self.unit(n, at))
        })
    }

    /// The unit a service would be offered because it has or had it.
    pub(super) fn own_of(&self, asking: &Asking) -> Option<u32> {
        let reach = self.reach();
        self.order_for(asking.service)
            .take(reach)
            .find_map(|n| self.lock(n).own_of(asking).map(|at| self.unit(n, at)))
    }

    /// Offers a service a unit that is nobody's.
    pub(super) fn offer_new(&self, asking: &Asking, now: u32, times: Times) -> Option<u32> {
        for (far, n) in self.order_for(asking.service).enumerate() {
            let mut stripe = self.lock(n);
            stripe.expire(now, times);
            if let Some(at) = stripe.offer_new(asking, now) {
                if far > 0 {
                    self.strayed.store(true, Ordering::Relaxed);
                }
                return Some(self.unit(n, at));
            }
        }
        None
    }

    /// In how many stripes a service's units may be.
    fn reach(&self) -> usize {
        if self.strayed.load(Ordering::Relaxed) { self.stripes.len() } else { 1 }
    }

    pub(super) fn withdraw(&self, unit: u32, service: ServiceId, now: u32) {
        let (stripe, at) = self.place(unit);
        self.lock(stripe).withdraw(at, service, now);
    }

    /// A session has the unit.
    pub(super) fn start(&self, unit: u32, asking: &Asking, now: u32) -> Met {
        let (stripe, at) = self.place(unit);
        self.stray(stripe, asking.service);
        self.lock(stripe).start(at, asking, now)
    }

    /// A session was heard of that does not say which unit it has.
    pub(super) fn start_of(&self, asking: &Asking, now: u32) -> bool {
        let reach = self.reach();
        self.order_for(asking.service).take(reach).any(|n| self.lock(n).start_of(asking, now))
    }

    pub(super) fn end(&self, unit: u32, service: ServiceId, session: u32, now: u32) {
        let (stripe, at) = self.place(unit);
        self.lock(stripe).end(at, service, session, now);
    }

    pub(super) fn end_of(&self, service: ServiceId, session: u32, now: u32) {
        let reach = self.reach();
        for n in self.order_for(service).take(reach) {
            self.lock(n).end_of(service, session, now);
        }
    }

    pub(super) fn fix(&self, unit: u32, service: ServiceId, now: u32) -> Option<Slot> {
        let (stripe, at) = self.place(unit);
        self.stray(stripe, service);
        self.lock(stripe).fix(at, service, now)
    }

    pub(super) fn unfix(&self, unit: u32, now: u32) {
        let (stripe, at) = self.place(unit);
        self.lock(stripe).unfix(at, now);
    }

    fn stray(&self, stripe: usize, service: ServiceId) {
        if self.order_for(service).next() != Some(stripe) {
            self.strayed.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn expire(&self, now: u32, times: Times) -> u32 {
        (0..self.stripes.len()).map(|n| self.lock(n).expire(now, times)).sum()
    }

    pub(super) fn get(&self, unit: u32) -> Option<Slot> {
        let (stripe, at) = self.place(unit);
        self.lock(stripe).get(at).copied()
    }

    pub(super) fn put(&self, unit: u32, slot: &Slot) -> bool {
        let (stripe, at) = self.place(unit);
        self.stray(stripe, slot.service);
        self.lock(stripe).put(at, slot)
    }

    /// Calls `each` with every unit that was opened, a block under the lock at a time.
    pub(super) fn for_each(&self, mut each: impl FnMut(u32, &Slot)) {
        for n in 0..self.stripes.len() {
            let mut from = 0;
            loop {
                let stripe = self.lock(n);
                let to = stripe.opened().min(from + BLOCK);
                for at in from..to {
                    if let Some(slot) = stripe.get(at) {
                        each(self.unit(n, at), slot);
                    }
                }
                if from == to {
                    break;
                }
                from = to;
            }
        }
    }

    /// Lets rest what `rests` says of the units opened so far.
    pub(super) fn rest_where(&self, now: u32, rests: impl Fn(&Slot) -> bool) {
        for n in 0..self.stripes.len() {
            let mut stripe = self.lock(n);
            for at in 0..stripe.opened() {
                if stripe.get(at).is_some_and(&rests) {
                    stripe.rest(at, now);
                }
            }
        }
    }

    /// Opens what was opened, or might have been, when the file was written.
    pub(super) fn open_units(&self, opened: &[u32]) {
        for (n, units) in opened.iter().enumerate().take(self.stripes.len()) {
            if *units > 0 {
                let mut stripe = self.lock(n);
                let last = (*units).min(stripe.total()).saturating_sub(1);
                stripe.open_to(last);
            }
        }
    }

    /// Units of each stripe that are open, or may be until the file is written again.
    pub(super) fn announce(&self, ahead: u32) -> Vec<u32> {
        let units = (0..self.stripes.len()).map(|n| {
            let stripe = self.lock(n);
            let units = stripe.total().min(stripe.opened() + ahead);
            self.announced[n].store(units, Ordering::Relaxed);
            units
        });
        units.collect()
    }

    /// Whether what the file says is used up, or nearly.
    pub(super) fn outgrew(&self) -> bool {
        (0..self.stripes.len()).any(|n| {
            let stripe = self.lock(n);
            let announced = self.announced[n].load(Ordering::Relaxed);
            announced < stripe.total() && stripe.opened() >= announced
        })
    }

    pub(super) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for n in 0..self.stripes.len() {
            let own = self.lock(n).usage();
            usage.total += own.total;
            usage.used += own.used;
            usage.offered += own.offered;
            usage.resting += own.resting;
            usage.fixed += own.fixed;
            usage.free += own.free;
        }
        usage
    }
}
