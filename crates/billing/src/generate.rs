//! The generator: what a customer's events cost, less what was billed already.
//!
//! [`crate::timeline`] says which days should be billed at which price; existing items say which
//! are. What stands without being wanted is repaired, what is wanted without standing is billed,
//! what is both is left alone, whatever it cost: a policy that changed does not reprice the past.
//!
//! Amounts follow three rules. A piece of a period costs its share of the price, rounded. The
//! piece that completes a period at one price costs that price less the others, so pieces always
//! sum to it. A repair gives back what was billed less what the remaining days cost, so nothing
//! is lost between two roundings.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use model::Currency;

use crate::amount::show;
use crate::event::{Action, Discount, Event, Off};
use crate::exact::{Exact, TooLarge};
use crate::interval::{Days, Interval};
use crate::item::{Item, Kind, Recurrence};
use crate::policy::Policy;
use crate::proration::Share;
use crate::tax::Tax;
use crate::timeline::{self, Fee, Piece, Timeline};

/// What holds for all of a customer's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The currency of every amount.
    pub currency: Currency,
    /// The rules.
    pub policy: Policy,
    /// The taxes of services and charges that name none.
    pub taxes: Vec<Tax>,
}

/// Why there are no items.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A number did not fit.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// A service would have more than [`timeline::PIECES_MAX`] pieces.
    #[error("a service would be billed in more than {} pieces", timeline::PIECES_MAX)]
    TooManyPieces,
}

/// The items that bring a customer's account up to date: what became due by `target`, and repairs
/// of what events of the past made wrong. Run again with its own result among `existing` it gives
/// nothing. Taxes are left to [`crate::tax::assess`].
///
/// `events` are all that is known of the customer, in any order; one that was declared void is
/// left out. A target before an earlier one gives back nothing.
pub fn generate(
    events: &[Event],
    existing: &[Item],
    target: Date,
    terms: &Terms,
) -> Result<Vec<Item>, Refused> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by(|a, b| a.order(b));
    let horizon = existing.iter().map(|item| item.days.to).fold(target, Date::max);

    let mut making = Making::new(existing, target, terms);
    for service in services(&events, existing) {
        let concerns = |event: &&&Event| match event.service.as_deref() {
            Some(name) => name == service,
            None => matches!(event.action, Action::Discount(_)),
        };
        let own: Vec<&Event> = events.iter().filter(concerns).copied().collect();
        let Timeline { pieces, fees } = timeline::of(&own, &terms.policy, horizon)?;
        let standing = standing(service, existing, &terms.policy)?;
        let mut periods = periods(&pieces, standing);
        for period in &mut periods {
            making.repair(service, &own, period)?;
        }
        for period in &periods {
            making.bill(service, period)?;
        }
        making.charge_fees(service, &fees);
    }
    making.charge_once(&events);
    making.repair_once();
    making.use_coupons(&events)?;
    making.repair_coupons()?;
    Ok(making.new)
}

/// Every service that events or items speak of, by name.
fn services<'a>(events: &[&'a Event], existing: &'a [Item]) -> BTreeSet<&'a str> {
    let of_events = events.iter().filter_map(|event| event.service.as_deref());
    of_events.chain(existing.iter().filter_map(|item| item.service.as_deref())).collect()
}

/// What is left of an item of days after its repairs.
struct Standing<'a> {
    item: &'a Item,
    of: Recurrence,
    parts: Vec<(Interval, i64)>,
}

/// All about one period at one price, whose pieces sum to it: what is wanted, and what stands.
#[derive(Default)]
struct Period<'a> {
    pieces: Vec<&'a Piece>,
    standing: Vec<Standing<'a>>,
}

/// Sorts pieces and lines by period and price; those that stand first, then in the order of days.
fn periods<'a>(pieces: &'a [Piece], standing: Vec<Standing<'a>>) -> Vec<Period<'a>> {
    let key = |of: &Recurrence| (of.period.days, of.price, of.discount);
    let mut places = HashMap::new();
    let mut all: Vec<Period<'a>> = Vec::new();
    for line in standing {
        let place = *places.entry(key(&line.of)).or_insert(all.len());
        if place == all.len() {
            all.push(Period::default());
        }
        all[place].standing.push(line);
    }
    for piece in pieces {
        let place = *places.entry(key(&piece.of)).or_insert(all.len());
        if place == all.len() {
            all.push(Period::default());
        }
        all[place].pieces.push(piece);
    }
    all
}

/// The items of days of a service, less their repairs.
fn standing<'a>(
    service: &str,
    existing: &'a [Item],
    policy: &Policy,
) -> Result<Vec<Standing<'a>>, TooLarge> {
    let own = || existing.iter().filter(|item| item.service.as_deref() == Some(service));
    let mut repairs: HashMap<u64, Vec<&Item>> = HashMap::new();
    for repair in own() {
        if let Some(number) = repair.repairs {
            repairs.entry(number).or_default().push(repair);
        }
    }
    let mut all = Vec::new();
    for (item, of) in own().filter_map(|item| Some((item, item.of?))) {
        if item.repairs.is_some() {
            continue;
        }
        let mut amount = item.amount;
        let mut gone = Vec::new();
        for repair in repairs.get(&item.number).into_iter().flatten() {
            amount += repair.amount;
            gone.push(repair.days);
        }
        let days = Days::of([item.days]).without(&Days::of(gone));
        let parts = split(amount, days.iter().copied(), &of, policy)?;
        all.push(Standing { item, of, parts });
    }
    Ok(all)
}

/// The share of a recurring price that some days cost, rounded.
fn cost(days: &Interval, of: &Recurrence, policy: &Policy) -> Result<i64, TooLarge> {
    Share::of(days, &of.period, policy.proration).times(of.price)?.round(policy.rounding)
}

/// Divides an amount among intervals: each its share, the last what is left, none more than that.
fn split(
    amount: i64,
    days: impl ExactSizeIterator<Item = Interval>,
    of: &Recurrence,
    policy: &Policy,
) -> Result<Vec<(Interval, i64)>, TooLarge> {
    let count = days.len();
    let mut left = amount;
    let mut parts = Vec::with_capacity(count);
    for (index, days) in days.enumerate() {
        let own = if index + 1 == count { left } else { within(cost(&days, of, policy)?, left) };
        left -= own;
        parts.push((days, own));
    }
    Ok(parts)
}

/// The amount, but no further from zero than the limit, nor on the other side of it.
fn within(amount: i64, limit: i64) -> i64 {
    if limit >= 0 { amount.clamp(0, limit) } else { amount.clamp(limit, 0) }
}

/// The items as they are made.
struct Making<'a> {
    existing: &'a [Item],
    target: Date,
    terms: &'a Terms,
    number: u64,
    new: Vec<Item>,
    /// One-time items that events ask for, by event and kind.
    wanted_once: BTreeSet<(u64, &'static str)>,
}

impl<'a> Making<'a> {
    fn new(existing: &'a [Item], target: Date, terms: &'a Terms) -> Self {
        let number = existing.iter().map(|item| item.number).max().unwrap_or(0);
        Self { existing, target, terms, number, new: Vec::new(), wanted_once: BTreeSet::new() }
    }

    fn show(&self, amount: i64) -> String {
        show(amount, self.terms.currency)
    }

    fn add(&mut self, item: Item) {
        self.number += 1;
        self.new.push(Item { number: self.number, ..item });
    }

    /// Gives back the days that stand and are not wanted.
    fn repair(
        &mut self,
        service: &str,
        events: &[&Event],
        period: &mut Period<'_>,
    ) -> Result<(), TooLarge> {
        let policy = &self.terms.policy;
        for line in &mut period.standing {
            let same = period.pieces.iter().filter(|piece| piece.label == line.item.label);
            let wanted = Days::of(same.map(|piece| piece.days));
            let mut kept_parts = Vec::new();
            for &(days, amount) in &line.parts {
                let part = Days::of([days]);
                let (kept, lost) = (part.and(&wanted), part.without(&wanted));
                if lost.is_empty() {
                    kept_parts.push((days, amount));
                    continue;
                }
                let mut left = amount;
                let mut kept_days = 0;
                for interval in kept.iter() {
                    let own = within(cost(interval, &line.of, policy)?, left);
                    left -= own;
                    kept_days += interval.days();
                    kept_parts.push((*interval, own));
                }
                let back = split(left, lost.iter().copied(), &line.of, policy)?;
                for (interval, back) in back {
                    let share = Share::of(&interval, &line.of.period, policy.proration);
                    let formula = match kept_days {
                        0 => format!("{} billed, all of it taken back", self.show(amount)),
                        days => format!(
                            "{} billed − {} for the {} that remain = {} taken back",
                            self.show(amount),
                            self.show(amount - left),
                            days_words(days),
                            self.show(left),
                        ),
                    };
                    self.add(Item {
                        kind: Kind::Repair,
                        service: Some(service.to_owned()),
                        days: interval,
                        amount: -back,
                        tax: Vec::new(),
                        repairs: Some(line.item.number),
                        event: cause(events, interval.from),
                        quantity_note: format!("{} taken back", quantity(&share, &line.of)),
                        formula,
                        ..line.item.clone()
                    });
                }
            }
            line.parts = kept_parts;
        }
        Ok(())
    }

    /// Bills the days that are wanted, due, and do not stand.
    fn bill(&mut self, service: &str, period: &Period<'_>) -> Result<(), TooLarge> {
        let policy = &self.terms.policy;
        let Period { pieces: group, standing: lines } = period;
        let Some(of) = group.first().map(|piece| piece.of) else { return Ok(()) };
        // Which piece, and which of its days.
        let mut missing: Vec<(usize, Interval)> = Vec::new();
        // What stands of each piece.
        let mut beside = vec![0; group.len()];
        for (index, piece) in group.iter().enumerate() {
            let same = lines.iter().filter(|line| line.item.label == piece.label);
            let there: Vec<(Interval, i64)> = same
                .flat_map(|line| line.parts.iter().copied())
                .filter(|part| !part.0.and(&piece.days).is_empty())
                .collect();
            beside[index] = there.iter().map(|part| part.1).sum();
            if piece.due <= self.target {
                let there = Days::of(there.into_iter().map(|part| part.0));
                let open = Days::of([piece.days]).without(&there);
                missing.extend(open.iter().map(|days| (index, *days)));
            }
        }
        let price = of.price.round(policy.rounding)?;
        let mut before: i64 = lines.iter().flat_map(|line| &line.parts).map(|part| part.1).sum();
        let shares = group.iter().map(|piece| Share::of(&piece.days, &of.period, policy.proration));
        let (part, whole) = shares.fold((0, 0), |sum, share| (sum.0 + share.part, share.whole));
        let complete = part == whole && group.iter().all(|piece| piece.due <= self.target);
        let count = missing.len();
        for (place, &(index, days)) in missing.iter().enumerate() {
            let piece = group[index];
            let share = Share::of(&days, &of.period, policy.proration);
            let completes = complete && place + 1 == count;
            let ends_piece = missing.get(place + 1).is_none_or(|next| next.0 != index);
            // What is left of the price; lines of another policy may have cost more than it.
            let left = within(price - before, price);
            let amount = if completes {
                left
            } else if ends_piece && !complete {
                // Days that join others of their piece cost what the piece does, less those.
                within(cost(&piece.days, &of, policy)? - beside[index], left)
            } else {
                within(cost(&days, &of, policy)?, left)
            };
            beside[index] += amount;
            let formula = self.formula(&of, &share, amount, before, completes)?;
            before += amount;
            let kind = if of.discount.is_some() { Kind::Discount } else { Kind::Recurring };
            self.add(Item {
                number: 0,
                service: Some(service.to_owned()),
                kind,
                label: piece.label.clone(),
                days,
                of: Some(piece.of),
                amount,
                taxes: self.taxes(piece.taxes.as_ref()),
                tax_included: policy.prices_include_tax,
                tax: Vec::new(),
                repairs: None,
                discounts: None,
                event: Some(piece.event),
                quantity_note: quantity(&share, &of),
                formula,
            });
        }
        Ok(())
    }

    /// How an amount of a recurring price came about.
    fn formula(
        &self,
        of: &Recurrence,
        share: &Share,
        amount: i64,
        before: i64,
        completes: bool,
    ) -> Result<String, TooLarge> {
        let decimals = self.terms.currency.decimals();
        let price = of.price.show(decimals);
        let shown = self.show(amount);
        if completes && before != 0 {
            let whole = self.show(amount + before);
            let before = self.show(before);
            return Ok(format!("{whole} for the period − {before} for its other days = {shown}"));
        }
        if share.is_whole() {
            let rounded = if price == shown { String::new() } else { format!(" → {shown}") };
            return Ok(format!("{price} for the whole period{rounded}"));
        }
        let exact = share.times(of.price)?;
        let Share { part, whole, .. } = share;
        let rounded = exact.round(self.terms.policy.rounding)?;
        let mut text =
            format!("{price} × {part}/{whole} = {} → {}", exact.show(decimals), self.show(rounded));
        if rounded != amount {
            text.push_str(&format!("; {shown} so that the days of the period sum to its price"));
        }
        Ok(text)
    }

    fn taxes(&self, own: Option<&Vec<Tax>>) -> Vec<Tax> {
        own.unwrap_or(&self.terms.taxes).clone()
    }

    /// A one-time line of an event, unless there is one.
    fn once(&mut self, event: u64, kind: Kind, item: impl FnOnce(&Self) -> Item, at: Date) {
        self.wanted_once.insert((event, kind.word()));
        let there = |item: &Item| item.event == Some(event) && item.kind == kind;
        if at <= self.target && !self.existing.iter().any(there) {
            let item = item(self);
            self.add(item);
        }
    }

    fn one_time(&self, kind: Kind, event: u64, at: Date, text: &str, amount: i64) -> Item {
        Item {
            number: 0,
            service: None,
            kind,
            label: text.to_owned(),
            days: Interval::new(at, at),
            of: None,
            amount,
            taxes: Vec::new(),
            tax_included: self.terms.policy.prices_include_tax,
            tax: Vec::new(),
            repairs: None,
            discounts: None,
            event: Some(event),
            quantity_note: "once".to_owned(),
            formula: format!("{} as entered", self.show(amount)),
        }
    }

    fn charge_fees(&mut self, service: &str, fees: &[Fee]) {
        for fee in fees {
            let item = |making: &Self| Item {
                service: Some(service.to_owned()),
                taxes: making.taxes(fee.taxes.as_ref()),
                formula: format!("{} for a change, by policy", making.show(fee.amount)),
                ..making.one_time(Kind::ChangeFee, fee.event, fee.at, &fee.label, fee.amount)
            };
            self.once(fee.event, Kind::ChangeFee, item, fee.at);
        }
    }

    fn charge_once(&mut self, events: &[&Event]) {
        for event in events {
            let (kind, what) = match &event.action {
                Action::Charge(what) => (Kind::OneTime, what),
                Action::Adjust(what) => (Kind::Adjustment, what),
                _ => continue,
            };
            let item = |making: &Self| Item {
                service: event.service.clone(),
                taxes: making.taxes(what.taxes.as_ref()),
                ..making.one_time(kind, event.number, event.at, &what.text, what.amount)
            };
            self.once(event.number, kind, item, event.at);
        }
    }

    /// Takes back one-time lines whose event is gone, as a fee is whose change came to be after
    /// the cancellation.
    fn repair_once(&mut self) {
        for item in self.existing {
            let once = matches!(item.kind, Kind::OneTime | Kind::Adjustment | Kind::ChangeFee);
            let Some(event) = item.event.filter(|_| once && item.repairs.is_none()) else {
                continue;
            };
            if self.wanted_once.contains(&(event, item.kind.word())) || self.is_repaired(item) {
                continue;
            }
            self.add(Item {
                kind: Kind::Repair,
                amount: -item.amount,
                tax: Vec::new(),
                repairs: Some(item.number),
                quantity_note: "taken back".to_owned(),
                formula: format!("{} billed, all of it taken back", self.show(item.amount)),
                ..item.clone()
            });
        }
    }

    fn is_repaired(&self, item: &Item) -> bool {
        self.existing.iter().any(|repair| repair.repairs == Some(item.number))
    }

    /// Takes coupons off this run's charges, in proportion.
    fn use_coupons(&mut self, events: &[&Event]) -> Result<(), TooLarge> {
        for event in events {
            let Action::Discount(discount @ Discount { once: true, .. }) = &event.action else {
                continue;
            };
            if event.at <= self.target {
                self.use_coupon(event, discount)?;
            }
        }
        Ok(())
    }

    fn use_coupon(&mut self, event: &Event, discount: &Discount) -> Result<(), TooLarge> {
        let rounding = self.terms.policy.rounding;
        let mine = |item: &&Item| item.event == Some(event.number) && item.discounts.is_some();
        let used: i64 = self.existing.iter().filter(mine).map(|item| -item.amount).sum();
        let charges: Vec<Item> = self
            .new
            .iter()
            .filter(|item| item.amount > 0 && item.kind != Kind::Repair)
            .filter(|item| event.service.is_none() || event.service == item.service)
            .cloned()
            .collect();
        let base: i64 = charges.iter().map(|item| item.amount).sum();
        let taken: i64 = self
            .new
            .iter()
            .filter(|item| item.kind == Kind::Discount)
            .map(|item| -item.amount)
            .sum();
        let wanted = match discount.off {
            Off::Amount(amount) => amount - used,
            Off::Share(_) if used != 0 => 0,
            Off::Share(share) => Exact::whole(base).times(share)?.round(rounding)?,
        };
        let off = wanted.min(base - taken);
        if off <= 0 {
            return Ok(());
        }
        let (mut sum, mut given) = (0, 0);
        for charge in charges {
            sum += charge.amount;
            let so_far = Exact::ratio(i128::from(off) * i128::from(sum), i128::from(base))?;
            let own = so_far.round(rounding)? - given;
            given += own;
            let formula = format!(
                "{} × {}/{} of this document's charges → {}",
                self.show(off),
                self.show(charge.amount),
                self.show(base),
                self.show(own),
            );
            self.add(Item {
                kind: Kind::Discount,
                label: discount.text.clone(),
                of: None,
                amount: -own,
                discounts: Some(charge.number),
                event: Some(event.number),
                formula,
                ..charge
            });
        }
        Ok(())
    }

    /// Takes coupons back with what they were used on, in the same proportion.
    fn repair_coupons(&mut self) -> Result<(), TooLarge> {
        let rounding = self.terms.policy.rounding;
        let mut taken: BTreeMap<u64, (i64, Interval)> = BTreeMap::new();
        for repair in self.new.iter().filter(|item| item.kind == Kind::Repair) {
            let Some(number) = repair.repairs else { continue };
            let (amount, days) = taken.entry(number).or_insert((0, repair.days));
            *amount += repair.amount;
            days.from = days.from.min(repair.days.from);
            days.to = days.to.max(repair.days.to);
        }
        let net = |number: u64| -> i64 {
            let own = |item: &&Item| item.number == number || item.repairs == Some(number);
            self.existing.iter().filter(own).map(|item| item.amount).sum()
        };
        let mut repairs = Vec::new();
        for coupon in self.existing.iter().filter(|item| item.repairs.is_none()) {
            let Some(parent) = coupon.discounts else { continue };
            let Some(&(change, days)) = taken.get(&parent) else { continue };
            let (stands, before) = (net(coupon.number), net(parent));
            if before == 0 {
                continue;
            }
            let share = Exact::ratio(i128::from(before + change), i128::from(before))?;
            let back = stands - Exact::whole(stands).times(share)?.round(rounding)?;
            repairs.push(Item {
                kind: Kind::Repair,
                days,
                amount: -back,
                tax: Vec::new(),
                repairs: Some(coupon.number),
                discounts: None,
                quantity_note: "taken back".to_owned(),
                formula: format!(
                    "{} × {}/{} of what it was used on = {} taken back",
                    self.show(stands),
                    self.show(-change),
                    self.show(before),
                    self.show(back),
                ),
                ..coupon.clone()
            });
        }
        for repair in repairs {
            self.add(repair);
        }
        Ok(())
    }
}

/// The event behind the state of a service on a day, and so behind a repair from that day on.
fn cause(events: &[&Event], day: Date) -> Option<u64> {
    let of_money = |action: &Action| {
        matches!(
            action,
            Action::Charge(_)
                | Action::Adjust(_)
                | Action::Credit(_)
                | Action::Payment(_)
                | Action::Refund(_)
        )
    };
    let of_service = |event: &&&Event| event.at <= day && !of_money(&event.action);
    events.iter().rfind(of_service).map(|event| event.number)
}

/// How much of a period: `24 of 31 days`.
fn quantity(share: &Share, of: &Recurrence) -> String {
    let length = of.period.length.words();
    if share.is_whole() {
        if length.starts_with(|first: char| first.is_ascii_digit()) {
            length
        } else {
            format!("1 {length}")
        }
    } else if share.thirty {
        format!("{} of {} days, at 30 a month", share.part, share.whole)
    } else {
        format!("{} of {}", share.part, days_words(share.whole))
    }
}

fn days_words(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
