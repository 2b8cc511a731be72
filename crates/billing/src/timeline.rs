//! What should be billed for a service if nothing had been yet.
//!
//! Events are walked once, in order, into stints: times in which a service ran on one schedule.
//! Then each stint is laid over its periods, minus the days that are not billed, and every piece
//! gets its price and the day it is due.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::event::{Action, Change, Discount, Event, Mode, Off, Offer};
use crate::exact::{Exact, TooLarge};
use crate::generate::Refused;
use crate::interval::{Days, Interval, days_after};
use crate::item::Recurrence;
use crate::period::{Period, Schedule};
use crate::policy::{ChangeEffect, LeadingPeriod, Policy, Proration};
use crate::tax::Tax;

/// The most pieces of one service: a day period for 136 years. More is a mistake in the dates.
pub const PIECES_MAX: usize = 50_000;

/// Days of a service that cost something.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// The plan, or what the discount is for.
    pub(crate) label: String,
    pub(crate) days: Interval,
    pub(crate) of: Recurrence,
    /// The day it may be invoiced from.
    pub(crate) due: Date,
    pub(crate) taxes: Option<Vec<Tax>>,
    /// The event that set the price.
    pub(crate) event: u64,
}

/// A fee for changing plans.
#[derive(Debug, Clone)]
pub(crate) struct Fee {
    pub(crate) event: u64,
    pub(crate) at: Date,
    pub(crate) amount: i64,
    pub(crate) label: String,
    pub(crate) taxes: Option<Vec<Tax>>,
}

/// All of a service.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) fees: Vec<Fee>,
}

/// How a stint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Cancelled,
    /// Another schedule follows.
    Rescheduled,
}

/// A time in which the service ran on one schedule.
#[derive(Debug)]
struct Stint {
    days: Interval,
    end: End,
    schedule: Schedule,
    /// From when which offer is in force, and by which event; the first from the beginning.
    offers: Vec<(Date, Offer, u64)>,
}

impl Stint {
    fn new(from: Date, offer: Offer, event: u64) -> Self {
        let schedule = match offer.billing_day {
            None => Schedule::anniversary(from, offer.length),
            Some(day) => Schedule::fixed(from, offer.length, day, offer.billing_month),
        };
        let days = Interval::new(from, Date::MAX);
        Self { days, end: End::Open, schedule, offers: vec![(from, offer, event)] }
    }

    /// The offer in force last.
    fn offer(&self) -> &Offer {
        // Made with one offer, and offers are only added.
        &self.offers[self.offers.len() - 1].1
    }

    fn close(&mut self, at: Date, end: End) {
        self.days.to = at.max(self.days.from);
        self.end = end;
    }
}

/// Walks the events of one service, in order, and lays out what they cost up to the periods that
/// contain `horizon`. Events before the first start say nothing.
pub(crate) fn of(events: &[&Event], policy: &Policy, horizon: Date) -> Result<Timeline, Refused> {
    let mut walk = Walk::new(policy);
    for event in events {
        walk.take_pending(event.at);
        walk.take(event);
    }
    walk.take_pending(Date::MAX);
    let idle = walk.idle_days();
    let mut pieces = Vec::new();
    for (index, stint) in walk.stints.iter().enumerate() {
        let next = walk.stints.get(index + 1).map_or(Date::MAX, |next| next.days.from);
        lay_out(stint, next, &idle, policy, horizon, &mut pieces)?;
    }
    let mut discounts = Vec::new();
    for charge in &pieces {
        discounted(charge, &walk.discounts, policy, &mut discounts)?;
        if pieces.len() + discounts.len() > PIECES_MAX {
            return Err(Refused::TooManyPieces);
        }
    }
    pieces.append(&mut discounts);
    Ok(Timeline { pieces, fees: walk.fees })
}

/// The state of the walk.
struct Walk<'a> {
    policy: &'a Policy,
    stints: Vec<Stint>,
    /// Changes that wait for their boundary.
    pending: Vec<(Date, &'a Change, u64)>,
    paused: Option<Date>,
    /// Blocks that stop billing, by reason.
    blocked: BTreeMap<&'a str, Date>,
    /// Days that are not billed.
    idle: Vec<Interval>,
    fees: Vec<Fee>,
    discounts: Vec<(&'a Event, &'a Discount)>,
}

impl<'a> Walk<'a> {
    fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            stints: Vec::new(),
            pending: Vec::new(),
            paused: None,
            blocked: BTreeMap::new(),
            idle: Vec::new(),
            fees: Vec::new(),
            discounts: Vec::new(),
        }
    }

    /// The first day that is not billed any more when something ends on a day.
    fn end_of(&self, at: Date) -> Date {
        if self.policy.end_day_billed { days_after(at, 1) } else { at }
    }

    fn open(&mut self) -> Option<&mut Stint> {
        self.stints.last_mut().filter(|stint| stint.end == End::Open)
    }

    fn take(&mut self, event: &'a Event) {
        let at = event.at;
        match &event.action {
            Action::Start(offer) => {
                self.release(at);
                self.pending.clear();
                if let Some(last) = self.stints.last_mut()
                    && last.days.to > at
                {
                    let end = if last.end == End::Open { End::Rescheduled } else { last.end };
                    last.close(at, end);
                }
                let trial = Interval::new(at, days_after(at, i64::from(offer.trial_days)));
                self.idle.push(trial);
                self.stints.push(Stint::new(at, offer.clone(), event.number));
            }
            Action::Change(change) => self.change(event, change),
            Action::Pause => {
                let from = self.end_of(at);
                if self.open().is_some() {
                    self.paused.get_or_insert(from);
                }
            }
            Action::Resume => {
                if let Some(from) = self.paused.take() {
                    self.idle.push(Interval::new(from, at));
                }
            }
            Action::Cancel => {
                let end = self.end_of(at);
                if let Some(stint) = self.open() {
                    stint.close(end, End::Cancelled);
                }
                self.pending.clear();
            }
            Action::Block { reason, stops_billing } => {
                let from = self.end_of(at);
                let stops = stops_billing.unwrap_or(self.policy.block_stops_billing);
                if stops && self.open().is_some() {
                    self.blocked.entry(reason).or_insert(from);
                }
            }
            Action::Unblock { reason: Some(reason) } => {
                if let Some(from) = self.blocked.remove(reason.as_str()) {
                    self.idle.push(Interval::new(from, at));
                }
            }
            Action::Unblock { reason: None } => {
                for (_, from) in std::mem::take(&mut self.blocked) {
                    self.idle.push(Interval::new(from, at));
                }
            }
            Action::Discount(discount) if !discount.once => self.discounts.push((event, discount)),
            Action::Discount(_)
            | Action::Charge(_)
            | Action::Adjust(_)
            | Action::Credit(_)
            | Action::Payment(_)
            | Action::Refund(_) => {}
        }
    }

    fn change(&mut self, event: &'a Event, change: &'a Change) {
        let policy = self.policy;
        // Where periods are not divided, money follows from the next one.
        let waits =
            policy.change_effect == ChangeEffect::NextPeriod || policy.proration == Proration::None;
        let Some(stint) = self.open() else { return };
        let boundary = stint.schedule.boundary_from(event.at);
        let old = stint.offer().clone();
        let new = change.applied_to(&old);
        let per_day = |offer: &Offer, other: &Offer| {
            i128::from(offer.price) * i128::from(other.length.nominal_days())
        };
        let amount = if per_day(&new, &old) < per_day(&old, &new) {
            policy.change_fee.downgrade
        } else {
            policy.change_fee.upgrade
        };
        if amount != 0 && (new.plan != old.plan || new.price != old.price) {
            let label = format!("Change from {} to {}", old.plan, new.plan);
            let taxes = new.taxes.clone();
            self.fees.push(Fee { event: event.number, at: event.at, amount, label, taxes });
        }
        let from = if waits { boundary } else { event.at };
        self.pending.push((from, change, event.number));
        self.take_pending(event.at);
    }

    /// Lets the changes come into force whose day has come.
    fn take_pending(&mut self, day: Date) {
        let mut waiting = Vec::new();
        for (from, change, event) in std::mem::take(&mut self.pending) {
            if from > day {
                waiting.push((from, change, event));
                continue;
            }
            let Some(stint) = self.open() else { continue };
            let old = stint.offer().clone();
            let new = change.applied_to(&old);
            let rescheduled = (new.length, new.billing_day, new.billing_month, new.mode)
                != (old.length, old.billing_day, old.billing_month, old.mode);
            if rescheduled {
                stint.close(from, End::Rescheduled);
                self.stints.push(Stint::new(from, new, event));
            } else {
                stint.offers.retain(|(since, ..)| *since < from);
                stint.offers.push((from, new, event));
            }
        }
        self.pending = waiting;
    }

    /// Ends every hold.
    fn release(&mut self, at: Date) {
        let blocked = std::mem::take(&mut self.blocked).into_values();
        for from in self.paused.take().into_iter().chain(blocked) {
            self.idle.push(Interval::new(from, at));
        }
    }

    fn idle_days(&mut self) -> Days {
        self.release(Date::MAX);
        Days::of(std::mem::take(&mut self.idle))
    }
}

/// Lays a stint over its periods. `next` is where the following one begins.
fn lay_out(
    stint: &Stint,
    next: Date,
    idle: &Days,
    policy: &Policy,
    horizon: Date,
    pieces: &mut Vec<Piece>,
) -> Result<(), Refused> {
    let mode = stint.offer().mode;
    let undivided = policy.proration == Proration::None;
    let kept = undivided || (mode == Mode::Advance && !policy.credit_unused);
    let mut period = stint.schedule.period_of(stint.days.from);
    while period.days.from < stint.days.to && period.days.from <= horizon {
        let run = period.days.and(&stint.days);
        let mut billed = Days::of([run]).without(idle);
        if let Some(first) = billed.first() {
            if kept {
                // What was begun is owed to the end of the period, holds and cancellation or not.
                let cancelled = stint.end == End::Cancelled && stint.days.to < period.days.to;
                let to = if cancelled { period.days.to.min(next) } else { run.to };
                billed = Days::of([Interval::new(first, to)]);
            }
            let due = due(mode, &period, stint, first, policy);
            if undivided {
                let days = billed.iter().next().copied().unwrap_or(run);
                pieces.push(piece(offer_on(stint, first), days, &period, due));
            } else {
                for (index, offer) in stint.offers.iter().enumerate() {
                    let until = stint.offers.get(index + 1).map_or(Date::MAX, |next| next.0);
                    let in_force = Days::of([Interval::new(offer.0, until)]);
                    for &days in billed.and(&in_force).iter() {
                        pieces.push(piece(offer, days, &period, due));
                    }
                }
            }
            if pieces.len() > PIECES_MAX {
                return Err(Refused::TooManyPieces);
            }
        }
        if period.days.to == Date::MAX {
            break;
        }
        period = stint.schedule.after(&period);
    }
    Ok(())
}

/// When the pieces of a period may be invoiced.
fn due(mode: Mode, period: &Period, stint: &Stint, first: Date, policy: &Policy) -> Date {
    let end = period.days.to.min(stint.days.to);
    let leading = period.days.from < stint.days.from;
    match mode {
        Mode::Arrears => end,
        Mode::Advance if leading && policy.leading_period == LeadingPeriod::WithNext => end,
        Mode::Advance => first,
    }
}

fn offer_on(stint: &Stint, day: Date) -> &(Date, Offer, u64) {
    stint.offers.iter().rev().find(|offer| offer.0 <= day).unwrap_or(&stint.offers[0])
}

fn piece(offer: &(Date, Offer, u64), days: Interval, period: &Period, due: Date) -> Piece {
    let (_, offer, event) = offer;
    let of = Recurrence { price: Exact::whole(offer.price), period: *period, discount: None };
    let taxes = offer.taxes.clone();
    Piece { label: offer.plan.clone(), days, of, due, taxes, event: *event }
}

/// What the discounts that count on a charge take off it, in their order: on no day more than what
/// those before them leave of its price. One that is worth less on some days, because another takes
/// its part of them, becomes several pieces.
fn discounted(
    charge: &Piece,
    discounts: &[(&Event, &Discount)],
    policy: &Policy,
    pieces: &mut Vec<Piece>,
) -> Result<(), TooLarge> {
    // What is left of the price, by days, in order.
    let mut left = vec![(charge.days, charge.of.price)];
    for &(event, discount) in discounts {
        let counts = Interval::new(event.at, discount.until.unwrap_or(Date::MAX));
        let days = match policy.proration {
            Proration::None if counts.holds(charge.days.from) => charge.days,
            Proration::None => continue,
            Proration::Actual | Proration::Fixed30 => charge.days.and(&counts),
        };
        if days.is_empty() {
            continue;
        }
        let wanted = match discount.off {
            Off::Share(share) => charge.of.price.times(share)?,
            Off::Amount(amount) => Exact::whole(amount),
        };
        let (own, mut after) = (pieces.len(), Vec::with_capacity(left.len() + 2));
        for (part, price) in left {
            let common = part.and(&days);
            if common.is_empty() {
                after.push((part, price));
                continue;
            }
            let rest = price.minus(wanted)?;
            let (off, rest) =
                if rest.is_negative() { (price, Exact::ZERO) } else { (wanted, rest) };
            for (days, price) in [
                (Interval::new(part.from, common.from), price),
                (common, rest),
                (Interval::new(common.to, part.to), price),
            ] {
                if !days.is_empty() && price != Exact::ZERO {
                    after.push((days, price));
                }
            }
            let of = Recurrence { price: off.negated(), discount: Some(event.number), ..charge.of };
            match pieces[own..].last_mut() {
                _ if off == Exact::ZERO => {}
                Some(last) if last.of == of && last.days.to == common.from => {
                    last.days.to = common.to;
                }
                _ => pieces.push(Piece {
                    label: discount.text.clone(),
                    days: common,
                    of,
                    due: charge.due,
                    taxes: charge.taxes.clone(),
                    event: event.number,
                }),
            }
        }
        left = after;
    }
    Ok(())
}
