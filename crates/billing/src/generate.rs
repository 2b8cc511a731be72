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

mod coupons;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use model::Currency;

use crate::amount::show;
use crate::event::{Action, Event};
use crate::exact::{TooLarge, sum};
use crate::interval::{Days, Interval};
use crate::item::{Item, Kind, Recurrence};
use crate::policy::{Policy, Proration};
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
    for (service, own) in services(&events, existing) {
        let Timeline { pieces, fees } = timeline::of(&own.events, &terms.policy, horizon)?;
        let standing = standing(&own.items, &making.index, &terms.policy)?;
        let mut periods = periods(&pieces, standing);
        for period in &mut periods {
            making.repair(service, &own.events, period)?;
        }
        for period in &periods {
            making.bill(service, period)?;
        }
        making.charge_fees(service, &fees);
    }
    making.charge_once(&events);
    making.repair_once();
    // What comes back of a coupon can be used in the same document.
    making.repair_coupons(&events)?;
    making.use_coupons(&events)?;
    Ok(making.new)
}

/// What there is of one service, in order.
#[derive(Default)]
struct Own<'a> {
    /// Its events and the account's discounts.
    events: Vec<&'a Event>,
    items: Vec<&'a Item>,
}

/// Every service that events or items speak of, by name.
fn services<'a>(events: &[&'a Event], existing: &'a [Item]) -> BTreeMap<&'a str, Own<'a>> {
    let mut all: BTreeMap<&'a str, Own<'a>> = BTreeMap::new();
    for item in existing {
        if let Some(name) = item.service.as_deref() {
            all.entry(name).or_default().items.push(item);
        }
    }
    for name in events.iter().filter_map(|event| event.service.as_deref()) {
        all.entry(name).or_default();
    }
    for &event in events {
        match (event.service.as_deref(), &event.action) {
            (Some(name), _) => all.entry(name).or_default().events.push(event),
            (None, Action::Discount(discount)) if !discount.once => {
                all.values_mut().for_each(|own| own.events.push(event));
            }
            (None, _) => {}
        }
    }
    all
}

/// Existing items by what is asked about them, so that nobody looks through all of them.
struct Index<'a> {
    by_number: HashMap<u64, &'a Item>,
    /// Repairs, by the number of what they repair.
    repairs: HashMap<u64, Vec<&'a Item>>,
    /// Lines of one-time events, coupons among them, by event and kind.
    once: HashMap<(u64, &'static str), Vec<&'a Item>>,
}

impl<'a> Index<'a> {
    fn of(existing: &'a [Item]) -> Self {
        let mut index =
            Self { by_number: HashMap::new(), repairs: HashMap::new(), once: HashMap::new() };
        for item in existing {
            index.by_number.insert(item.number, item);
            if let Some(number) = item.repairs {
                index.repairs.entry(number).or_default().push(item);
            } else if let Some(event) = item.event.filter(|_| is_once(item)) {
                index.once.entry((event, item.kind.word())).or_default().push(item);
            }
        }
        index
    }

    fn repairs(&self, number: u64) -> &[&'a Item] {
        self.repairs.get(&number).map_or(&[], Vec::as_slice)
    }

    /// What an item comes to with its repairs.
    fn net(&self, number: u64) -> Result<i64, TooLarge> {
        let own = self.by_number.get(&number).into_iter().chain(self.repairs(number));
        sum(own.map(|item| item.amount))
    }

    fn once(&self, event: u64, kind: Kind) -> &[&'a Item] {
        self.once.get(&(event, kind.word())).map_or(&[], Vec::as_slice)
    }
}

/// Whether its lines are less to pay.
fn is_less(kind: Kind) -> bool {
    matches!(kind, Kind::Repair | Kind::Discount)
}

/// Whether it is a line that its event makes once: everything but days and repairs.
fn is_once(item: &Item) -> bool {
    match item.kind {
        Kind::OneTime | Kind::Adjustment | Kind::ChangeFee => true,
        Kind::Discount => item.discounts.is_some(),
        Kind::Recurring | Kind::Repair => false,
    }
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

/// The items of days among those of a service, less their repairs.
fn standing<'a>(
    items: &[&'a Item],
    index: &Index<'_>,
    policy: &Policy,
) -> Result<Vec<Standing<'a>>, TooLarge> {
    let mut all = Vec::new();
    for &item in items.iter().filter(|item| item.repairs.is_none()) {
        let Some(of) = item.of else { continue };
        let repairs = index.repairs(item.number);
        let amount = sum(repairs.iter().map(|repair| repair.amount).chain([item.amount]))?;
        let gone = Days::of(repairs.iter().map(|repair| repair.days));
        let days = Days::of([item.days]).without(&gone);
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
    index: Index<'a>,
    target: Date,
    terms: &'a Terms,
    number: u64,
    new: Vec<Item>,
    /// One-time items that events ask for, by event and kind.
    wanted_once: HashSet<(u64, &'static str)>,
}

impl<'a> Making<'a> {
    fn new(existing: &'a [Item], target: Date, terms: &'a Terms) -> Self {
        let number = existing.iter().map(|item| item.number).max().unwrap_or(0);
        Self {
            existing,
            index: Index::of(existing),
            target,
            terms,
            number,
            new: Vec::new(),
            wanted_once: HashSet::new(),
        }
    }

    fn show(&self, amount: i64) -> String {
        show(amount, self.terms.currency)
    }

    fn add(&mut self, item: Item) {
        self.number += 1;
        let policy = self.decided(&item);
        self.new.push(Item { number: self.number, policy, ..item });
    }

    /// The keys of the policy that an item followed: what it says itself, and what goes for all of
    /// its kind.
    fn decided(&self, item: &Item) -> String {
        let policy = &self.terms.policy;
        let mut keys = vec![item.policy.clone()];
        keys.retain(|own| !own.is_empty());
        let divided = item.of.is_some_and(|of| {
            let share = Share::of(&item.days, &of.period, policy.proration);
            policy.proration == Proration::None || !share.is_whole()
        });
        if divided {
            keys.push(format!("proration = {}", policy.proration.word()));
        }
        let taxed = !item.taxes.is_empty() && item.repairs.is_none();
        if divided || taxed || item.discounts.is_some() {
            keys.push(format!("rounding = {}", policy.rounding.word()));
        }
        if taxed {
            keys.push(format!("tax_rounding = {}", policy.tax_rounding.word()));
            keys.push(format!("prices_include_tax = {}", item.tax_included));
        }
        keys.join(", ")
    }

    /// Whether a line says of its days what is wanted of them. Taxes of the customer's may have
    /// changed since: that is a policy, and reprices nothing; those of the service's own are part
    /// of what happened to it.
    fn is_as_wanted(&self, line: &Item, piece: &Piece) -> bool {
        let taxes = match &piece.taxes {
            Some(own) => *own == line.taxes,
            None => !line.own_taxes || line.taxes == self.terms.taxes,
        };
        taxes && line.label == piece.label
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
            let same = period.pieces.iter().filter(|piece| self.is_as_wanted(line.item, piece));
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
                    let cause = cause(events, interval.from);
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
                        event: cause.map(|event| event.number),
                        quantity_note: format!("{} taken back", quantity(&share, &line.of)),
                        formula,
                        policy: cause.map(|event| deciding(event, policy)).unwrap_or_default(),
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
            let same = lines.iter().filter(|line| self.is_as_wanted(line.item, piece));
            let there: Vec<(Interval, i64)> = same
                .flat_map(|line| line.parts.iter().copied())
                .filter(|part| !part.0.and(&piece.days).is_empty())
                .collect();
            beside[index] = sum(there.iter().map(|part| part.1))?;
            if piece.due <= self.target {
                let there = Days::of(there.into_iter().map(|part| part.0));
                let open = Days::of([piece.days]).without(&there);
                missing.extend(open.iter().map(|days| (index, *days)));
            }
        }
        let price = of.price.round(policy.rounding)?;
        let mut before = sum(lines.iter().flat_map(|line| &line.parts).map(|part| part.1))?;
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
                own_taxes: piece.taxes.is_some(),
                tax_included: policy.prices_include_tax,
                tax: Vec::new(),
                repairs: None,
                discounts: None,
                event: Some(piece.event),
                quantity_note: quantity(&share, &of),
                formula,
                policy: String::new(),
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

    /// A one-time line of an event, unless one stands.
    fn once(&mut self, event: u64, kind: Kind, item: impl FnOnce(&Self) -> Item, at: Date) {
        self.wanted_once.insert((event, kind.word()));
        let stands = |item: &&Item| !self.is_repaired(item);
        if at <= self.target && !self.index.once(event, kind).iter().any(stands) {
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
            own_taxes: false,
            tax_included: self.terms.policy.prices_include_tax,
            tax: Vec::new(),
            repairs: None,
            discounts: None,
            event: Some(event),
            quantity_note: "once".to_owned(),
            formula: format!("{} as entered", self.show(amount)),
            policy: String::new(),
        }
    }

    fn charge_fees(&mut self, service: &str, fees: &[Fee]) {
        for fee in fees {
            let item = |making: &Self| Item {
                service: Some(service.to_owned()),
                taxes: making.taxes(fee.taxes.as_ref()),
                own_taxes: fee.taxes.is_some(),
                formula: format!("{} for a change, by policy", making.show(fee.amount)),
                policy: format!("change_fee = {}", making.show(fee.amount)),
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
                own_taxes: what.taxes.is_some(),
                ..making.one_time(kind, event.number, event.at, &what.text, what.amount)
            };
            self.once(event.number, kind, item, event.at);
        }
    }

    /// Takes back one-time lines whose event is gone, as a fee is whose change came to be after
    /// the cancellation.
    fn repair_once(&mut self) {
        for item in self.existing {
            let once = is_once(item) && item.discounts.is_none();
            let Some(event) = item.event.filter(|_| once) else { continue };
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
                policy: String::new(),
                ..item.clone()
            });
        }
    }

    fn is_repaired(&self, item: &Item) -> bool {
        !self.index.repairs(item.number).is_empty()
    }
}

/// The event behind the state of a service on a day, and so behind a repair from that day on.
fn cause<'a>(events: &[&'a Event], day: Date) -> Option<&'a Event> {
    let of_money = |action: &Action| {
        matches!(
            action,
            Action::Charge(_)
                | Action::Adjust(_)
                | Action::Credit(_)
                | Action::Payment(_)
                | Action::Refund(_)
        ) || matches!(action, Action::Discount(discount) if discount.once)
    };
    let of_service = |event: &&&Event| event.at <= day && !of_money(&event.action);
    events.iter().rfind(of_service).copied()
}

/// What of the policy decides from when, and whether, an event takes back what was billed.
fn deciding(event: &Event, policy: &Policy) -> String {
    let ends = format!(
        "end_day_billed = {}, credit_unused = {}",
        policy.end_day_billed, policy.credit_unused
    );
    match &event.action {
        Action::Pause | Action::Cancel | Action::Block { stops_billing: Some(_), .. } => ends,
        Action::Block { stops_billing: None, .. } => {
            format!("block_stops_billing = {}, {ends}", policy.block_stops_billing)
        }
        Action::Change(_) => format!("change_effect = {}", policy.change_effect.word()),
        _ => String::new(),
    }
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
