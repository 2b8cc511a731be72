//! Coupons: less to pay for the charges of one document.
//!
//! They come last, on what discounts leave of the lines of this run. A line that is taken back takes
//! its part of the coupon back, which can be used again at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Making, is_less, within};
use crate::event::{Action, Discount, Event, Off};
use crate::exact::{Exact, TooLarge, sum};
use crate::interval::Interval;
use crate::item::{Item, Kind};

impl Making<'_> {
    /// Takes coupons back: with what they were used on, in the same proportion, and wholly where
    /// their event is gone.
    pub(super) fn repair_coupons(&mut self, events: &[&Event]) -> Result<(), TooLarge> {
        let there: HashSet<u64> = coupons(events).map(|(event, _)| event.number).collect();
        let mut taken: HashMap<u64, (Vec<i64>, Interval)> = HashMap::new();
        for repair in self.new.iter().filter(|item| item.kind == Kind::Repair) {
            let Some(number) = repair.repairs else { continue };
            let (amounts, days) = taken.entry(number).or_insert((Vec::new(), repair.days));
            amounts.push(repair.amount);
            days.from = days.from.min(repair.days.from);
            days.to = days.to.max(repair.days.to);
        }
        // What repairs leave of lines, less what the coupons on them keep: each rounded alone they
        // could keep more together.
        let mut left: HashMap<u64, i64> = HashMap::new();
        for coupon in self.existing.iter().filter(|item| item.repairs.is_none()) {
            let Some(parent) = coupon.discounts else { continue };
            let stands = self.index.net(coupon.number)?;
            let gone = coupon.event.is_some_and(|event| !there.contains(&event));
            let (back, days, formula) = if gone {
                let formula = format!("{} given, all of it taken back", self.show(stands));
                (stands, coupon.days, formula)
            } else if let Some((amounts, days)) = taken.get(&parent) {
                let (before, change) = (self.index.net(parent)?, sum(amounts.iter().copied())?);
                if before == 0 {
                    continue;
                }
                let remains = sum([before, change])?;
                let left = left.entry(parent).or_insert(remains);
                let share = Exact::ratio(i128::from(remains), i128::from(before))?;
                let rest = Exact::whole(stands).times(share)?.round(self.terms.policy.rounding)?;
                let rest = within(within(rest, stands), -*left);
                *left += rest;
                let back = stands - rest;
                let formula = format!(
                    "{} × {}/{} of what it was used on = {} taken back",
                    self.show(stands),
                    self.show(-change),
                    self.show(before),
                    self.show(back),
                );
                (back, *days, formula)
            } else {
                continue;
            };
            if back == 0 {
                continue;
            }
            self.add(Item {
                kind: Kind::Repair,
                days,
                amount: -back,
                tax: Vec::new(),
                repairs: Some(coupon.number),
                discounts: None,
                quantity_note: "taken back".to_owned(),
                formula,
                policy: String::new(),
                ..coupon.clone()
            });
        }
        Ok(())
    }

    /// Takes coupons off what discounts leave of this run's charges, in proportion.
    pub(super) fn use_coupons(&mut self, events: &[&Event]) -> Result<(), TooLarge> {
        let mut open = self.open()?;
        for (event, discount) in coupons(events) {
            if event.at <= self.target && !open.lines.is_empty() {
                self.use_coupon(event, discount, &mut open)?;
            }
        }
        Ok(())
    }

    /// What coupons can be taken off: this run's charges, less its discounts.
    fn open(&self) -> Result<Open, TooLarge> {
        let mut open = Open::default();
        let mut by_period: HashMap<(&Option<String>, Interval), Vec<usize>> = HashMap::new();
        // Those that come to nothing too: they have days, which discounts lie on.
        let charges = |item: &&Item| item.amount >= 0 && !is_less(item.kind);
        for item in self.new.iter().filter(charges) {
            if let Some(of) = item.of {
                let places = by_period.entry((&item.service, of.period.days)).or_default();
                places.push(open.lines.len());
            }
            open.lines.push(OpenLine { item: item.clone(), left: item.amount });
        }
        for item in self.new.iter().filter(|item| item.kind == Kind::Discount) {
            let Some(of) = item.of else { continue };
            let places = by_period.get(&(&item.service, of.period.days));
            let places = places.map_or(&[][..], Vec::as_slice);
            let loose = open.take_off(item, places)?;
            let sum = open.loose.entry(item.service.clone()).or_default();
            *sum += i128::from(loose);
        }
        Ok(open)
    }

    fn use_coupon(
        &mut self,
        event: &Event,
        discount: &Discount,
        open: &mut Open,
    ) -> Result<(), TooLarge> {
        let rounding = self.terms.policy.rounding;
        let used = self.used(event.number)?;
        let concerns =
            |service: &Option<String>| event.service.is_none() || event.service == *service;
        let lines = || open.lines.iter().filter(|line| concerns(&line.item.service));
        let base = sum(lines().map(|line| line.item.amount))?;
        let whole = sum(lines().map(|line| line.left))?;
        let loose = open.loose.iter().filter(|entry| concerns(entry.0)).map(|entry| entry.1);
        let room = i128::from(whole) - loose.sum::<i128>();
        let wanted = match discount.off {
            Off::Amount(amount) => sum([amount, -used])?,
            Off::Share(_) if used != 0 => 0,
            Off::Share(share) => Exact::whole(base).times(share)?.round(rounding)?,
        };
        // Between 0 and `wanted`, so it fits.
        let off = i128::from(wanted).min(room).max(0) as i64;
        if off == 0 {
            return Ok(());
        }
        let of_what = if whole == base { "" } else { "what discounts leave of " };
        let (mut so_far, mut given) = (0, 0);
        for line in open.lines.iter_mut().filter(|line| concerns(&line.item.service)) {
            so_far += line.left;
            let exact = Exact::ratio(i128::from(off) * i128::from(so_far), i128::from(whole))?;
            let own = within(exact.round(rounding)? - given, line.left);
            if own == 0 {
                continue;
            }
            given += own;
            let formula = format!(
                "{} × {}/{} of {of_what}this document's charges → {}",
                self.show(off),
                self.show(line.left),
                self.show(whole),
                self.show(own),
            );
            line.left -= own;
            self.add(Item {
                kind: Kind::Discount,
                label: discount.text.clone(),
                of: None,
                amount: -own,
                discounts: Some(line.item.number),
                event: Some(event.number),
                formula,
                policy: String::new(),
                ..line.item.clone()
            });
        }
        Ok(())
    }

    /// How much of a coupon is used: its lines less what was taken back of them, now too.
    fn used(&self, event: u64) -> Result<i64, TooLarge> {
        let lines = self.index.once(event, Kind::Discount);
        if lines.is_empty() {
            return Ok(0);
        }
        let mut amounts = Vec::new();
        for line in lines {
            amounts.push(self.index.net(line.number)?);
        }
        let back = |item: &&Item| {
            item.event == Some(event)
                && item.repairs.is_some_and(|number| {
                    self.index.by_number.get(&number).is_some_and(|line| line.discounts.is_some())
                })
        };
        amounts.extend(self.new.iter().filter(back).map(|repair| repair.amount));
        sum(amounts)?.checked_neg().ok_or(TooLarge)
    }
}

/// The events that are coupons.
fn coupons<'a>(events: &[&'a Event]) -> impl Iterator<Item = (&'a Event, &'a Discount)> {
    events.iter().filter_map(|event| match &event.action {
        Action::Discount(discount) if discount.once => Some((*event, discount)),
        _ => None,
    })
}

/// What coupons can be taken off.
#[derive(Default)]
struct Open {
    lines: Vec<OpenLine>,
    /// Discounts of this run on days that were billed before, by service: less to pay too, and on
    /// none of the lines.
    loose: BTreeMap<Option<String>, i128>,
}

/// A charge of this run.
struct OpenLine {
    item: Item,
    /// What its discounts leave of it.
    left: i64,
}

impl Open {
    /// Takes a discount off the lines of its period, by their days; gives what is on none.
    fn take_off(&mut self, discount: &Item, places: &[usize]) -> Result<i64, TooLarge> {
        let off = discount.amount.checked_neg().ok_or(TooLarge)?;
        let whole = i128::from(discount.days.days().max(1));
        let (mut days, mut given, mut missed) = (0, 0, 0);
        for &place in places {
            let line = &mut self.lines[place];
            days += discount.days.and(&line.item.days).days();
            // At most `off`, because the days of lines are disjoint.
            let part = (i128::from(off) * i128::from(days) / whole) as i64 - given;
            given += part;
            let own = part.min(line.left);
            line.left -= own;
            missed += part - own;
        }
        // Roundings differ: what is too much for one line is on its neighbour.
        for &place in places {
            let line = &mut self.lines[place];
            if !discount.days.and(&line.item.days).is_empty() {
                let own = missed.min(line.left);
                line.left -= own;
                missed -= own;
            }
        }
        Ok(off - given + missed)
    }
}
