//! What must hold for any history of events, whatever the policy.

#![allow(clippy::inconsistent_digit_grouping, reason = "10_00 is 10.00")]

use std::collections::BTreeMap;

use billing::account::{Account, Document};
use billing::event::{Amount, Change, Discount, Mode, Off, Offer};
use billing::exact::{Exact, Rounding};
use billing::period::Length;
use billing::policy::{ChangeEffect, ChangeFee, LeadingPeriod, Proration, TaxRounding};
use billing::tax::{self, Tax};
use billing::{Action, Event, Item, Kind, Policy, Terms, generate};
use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;

/// Days in which things happen.
const DAYS: i64 = 300;

/// The last day on which something becomes known.
const LAST: i64 = DAYS + 120;

/// A day by which every period that has begun by [`LAST`] is over, and so due.
const OVER: i64 = LAST + 400;

/// An event, the day it becomes known, and the day it turns out to be a mistake, counted from the
/// first.
#[derive(Debug, Clone)]
struct Heard {
    from: i64,
    until: Option<i64>,
    event: Event,
}

/// A history.
#[derive(Debug, Clone)]
struct History {
    first: Date,
    events: Vec<Heard>,
    terms: Terms,
}

impl History {
    fn day(&self, number: i64) -> Date {
        self.first.checked_add(number.days()).unwrap()
    }

    fn known(&self, day: i64) -> Vec<Event> {
        let known =
            |heard: &&Heard| heard.from <= day && heard.until.is_none_or(|until| day < until);
        self.events.iter().filter(known).map(|heard| heard.event.clone()).collect()
    }

    /// Runs on these days.
    fn play(&self, days: impl IntoIterator<Item = i64>) -> Played {
        let mut played =
            Played { items: Vec::new(), documents: Vec::new(), account: Account::default() };
        let mut before = -1;
        for day in days {
            let target = self.day(day);
            for heard in &self.events {
                if let Action::Payment(amount) = heard.event.action
                    && (before + 1..=day).contains(&heard.from)
                {
                    played.account.receive(amount, &self.terms.policy).unwrap();
                }
            }
            before = day;
            let mut new = generate(&self.known(day), &played.items, target, &self.terms).unwrap();
            tax::assess(&mut new, &played.items, &self.terms.policy).unwrap();
            let document = played.account.post(target, &new, &self.terms.policy).unwrap();
            let states = (played.account.credit(), played.account.outstanding());
            played.documents.push((document, new.clone(), states));
            played.items.append(&mut new);
        }
        played
    }

    /// The same history without its mistakes, everything known from the beginning.
    fn foreseen(&self) -> Self {
        let holds = self.events.iter().filter(|heard| heard.until.is_none());
        let events = holds.map(|heard| Heard { from: 0, ..heard.clone() }).collect();
        Self { events, ..self.clone() }
    }

    /// What counted in the end, in order.
    fn in_the_end(&self) -> Vec<Event> {
        let mut events = self.known(OVER);
        events.sort_by(|a, b| a.order(b));
        events
    }
}

struct Played {
    items: Vec<Item>,
    documents: Vec<(Document, Vec<Item>, (i64, i64))>,
    account: Account,
}

impl Played {
    /// What stands for each day of each service: recurring lines or discounts.
    fn days(&self, kind: Kind) -> BTreeMap<(String, Date), Vec<&Item>> {
        let repairs = self.repairs();
        let mut days: BTreeMap<(String, Date), Vec<&Item>> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.kind == kind && item.of.is_some()) {
            let own = repairs.get(&item.number).map_or(&[][..], Vec::as_slice);
            for day in each_day(item).filter(|day| !own.iter().any(|gone| gone.days.holds(*day))) {
                let service = item.service.clone().unwrap();
                days.entry((service, day)).or_default().push(item);
            }
        }
        days
    }

    fn repairs(&self) -> BTreeMap<u64, Vec<&Item>> {
        let mut repairs: BTreeMap<u64, Vec<&Item>> = BTreeMap::new();
        for item in &self.items {
            if let Some(number) = item.repairs {
                repairs.entry(number).or_default().push(item);
            }
        }
        repairs
    }

    /// What a line still charges after its repairs.
    fn net(&self, item: &Item) -> i64 {
        let repairs = self.items.iter().filter(|repair| repair.repairs == Some(item.number));
        item.amount + repairs.map(|repair| repair.amount).sum::<i64>()
    }

    /// What stands, however it came about: plan and taxes of each day up to one, the discounts on
    /// it, and what one-time events come to.
    fn shape(&self, until: Date) -> Vec<String> {
        let mut shape = Vec::new();
        for kind in [Kind::Recurring, Kind::Discount] {
            for ((service, day), mut lines) in self.days(kind) {
                lines.sort_by_key(|line| line.event);
                for line in lines.iter().filter(|_| day <= until) {
                    let discount =
                        line.of.and_then(|of| of.discount.map(|event| (event, of.price)));
                    let taxes: Vec<&str> = line.taxes.iter().map(|tax| &*tax.name).collect();
                    shape.push(format!("{service} {day} {} {discount:?} {taxes:?}", line.label));
                }
            }
        }
        let mut once: BTreeMap<(Option<u64>, &str), i64> = BTreeMap::new();
        let kinds = [Kind::OneTime, Kind::Adjustment, Kind::ChangeFee];
        for item in self.items.iter().filter(|item| kinds.contains(&item.kind)) {
            *once.entry((item.event, item.kind.word())).or_default() += self.net(item);
        }
        once.retain(|_, amount| *amount != 0);
        shape.extend(once.iter().map(|line| format!("{line:?}")));
        shape
    }
}

fn each_day(item: &Item) -> impl Iterator<Item = Date> + use<> {
    let (from, to) = (item.days.from, item.days.to);
    std::iter::successors(Some(from), |day| day.tomorrow().ok()).take_while(move |day| *day < to)
}

/// Runs every so many days, one when all is known, and one when all is over.
fn runs(every: i64) -> impl Iterator<Item = i64> {
    (0..LAST).step_by(every as usize).chain([LAST, OVER])
}

fn named(name: &str, thousandths: i128, compound: bool) -> Tax {
    Tax { name: name.to_owned(), rate: Exact::ratio(thousandths, 1000).unwrap(), compound }
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        4 => Just(Length::Months(1)),
        1 => Just(Length::Months(3)),
        1 => Just(Length::Months(12)),
        1 => Just(Length::Days(7)),
        1 => Just(Length::Days(30)),
    ]
}

/// Prices that come again, so that pieces of a period under other plans share one.
fn price() -> impl Strategy<Value = i64> {
    prop_oneof![3 => prop::sample::select(vec![10_00, 9_99, 1_00, 7]), 1 => 0i64..9_999]
}

fn plan() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn offer() -> impl Strategy<Value = Offer> {
    let day = prop_oneof![Just(None), (1i8..=31).prop_map(Some)];
    let taxes = prop_oneof![5 => Just(None), 1 => taxes().prop_map(Some)];
    (price(), plan(), length(), day, any::<bool>(), 0u16..12, taxes).prop_map(
        |(price, plan, length, billing_day, arrears, trial_days, taxes)| Offer {
            plan,
            price,
            length,
            billing_day: billing_day.filter(|_| matches!(length, Length::Months(_))),
            billing_month: None,
            mode: if arrears { Mode::Arrears } else { Mode::Advance },
            trial_days: if trial_days < 9 { 0 } else { trial_days },
            taxes,
        },
    )
}

/// Taxes of a service's own.
fn taxes() -> impl Strategy<Value = Vec<Tax>> {
    prop::sample::select(vec![vec![], vec![named("A", 75, false)], vec![named("C", 200, false)]])
}

/// A share or an amount, once or for days.
fn discount(once: impl Strategy<Value = bool>) -> impl Strategy<Value = (Discount, i64)> {
    let share = |percent| Off::Share(Exact::ratio(percent, 100).unwrap());
    let off = prop_oneof![(1i128..120).prop_map(share), (1i64..3_000).prop_map(Off::Amount)];
    (off, once, 0i64..200).prop_map(|(off, once, days)| {
        (Discount { off, text: "discount".to_owned(), until: None, once }, days)
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (price(), plan()).prop_map(|(price, plan)| Action::Change(Change {
            plan: Some(plan),
            price: Some(price),
            ..Change::default()
        })),
        3 => plan().prop_map(|plan| Action::Change(Change {
            plan: Some(plan),
            ..Change::default()
        })),
        1 => (length(), 1i8..=31).prop_map(|(length, day)| Action::Change(Change {
            length: Some(length),
            billing_day: Some(day),
            ..Change::default()
        })),
        3 => Just(Action::Pause),
        4 => Just(Action::Resume),
        1 => Just(Action::Cancel),
        1 => offer().prop_map(Action::Start),
        1 => (1i64..5_000).prop_map(|amount| Action::Charge(Amount {
            amount,
            text: "charge".to_owned(),
            taxes: None,
        })),
        1 => taxes().prop_map(|taxes| Action::Change(Change {
            taxes: Some(taxes),
            ..Change::default()
        })),
    ]
}

prop_compose! {
    fn terms(rules: bool)(
        fixed in any::<bool>(),
        leading in any::<bool>(),
        end_day_billed in any::<bool>(),
        waits in any::<bool>(),
        fee in 0i64..300,
        both in any::<bool>(),
        document in any::<bool>(),
        even in any::<bool>(),
        prices_include_tax in any::<bool>(),
        credit_unused in any::<bool>(),
        none in 0..4,
    ) -> Terms {
        let policy = Policy {
            proration: match (fixed, none) {
                (_, 0) if rules => Proration::None,
                (true, _) => Proration::Fixed30,
                _ => Proration::Actual,
            },
            leading_period: if leading { LeadingPeriod::WithNext } else { LeadingPeriod::Separate },
            end_day_billed,
            change_effect: if waits { ChangeEffect::NextPeriod } else { ChangeEffect::Immediate },
            credit_unused: credit_unused || !rules,
            change_fee: ChangeFee { upgrade: if both { fee } else { 0 }, downgrade: fee },
            tax_rounding: if document { TaxRounding::Document } else { TaxRounding::Line },
            rounding: if even { Rounding::HalfEven } else { Rounding::HalfUp },
            prices_include_tax,
            ..Policy::default()
        };
        let taxes = vec![named("A", 75, false), named("B", 50, true)];
        Terms { currency: "USD".parse().unwrap(), policy, taxes }
    }
}

/// What happens after the start, to which service (0 is the account), on which day.
fn later() -> impl Strategy<Value = (usize, i64, Action, i64)> {
    let of_service =
        (1usize..3, 0..DAYS, action()).prop_map(|(service, at, action)| (service, at, action, 0));
    let charge = (0usize..3, 0..DAYS, 1i64..5_000).prop_map(|(service, at, amount)| {
        let charge = Amount { amount, text: "charge".to_owned(), taxes: None };
        (service, at, Action::Charge(charge), 0)
    });
    // Those that begin before what they are on matter as much as those after.
    let less = (0usize..3, prop_oneof![0i64..20, 0..DAYS], discount(any::<bool>())).prop_map(
        |(service, at, (discount, days))| (service, at, Action::Discount(discount), days),
    );
    prop_oneof![8 => of_service, 1 => charge, 3 => less]
}

prop_compose! {
    /// `rules`: also policies under which days are owed that were not used.
    fn history(rules: bool)(
        first in 0i64..800,
        start in offer(),
        second in (0i64..60, 0i64..60, offer()),
        later in prop::collection::vec(
            (later(), 0i64..60, prop_oneof![3 => Just(None), 1 => (1i64..60).prop_map(Some)]),
            0..10,
        ),
        // A cancellation that is believed for some days takes back more than anything else.
        false_alarm in prop::option::of((0..DAYS, 0i64..60, 1i64..60)),
        terms in terms(rules),
    ) -> History {
        let first = Date::constant(2023, 1, 1).checked_add(first.days()).unwrap();
        let service = |service| (service > 0).then(|| format!("s{service}"));
        let mut events = Vec::new();
        let mut heard = |service, at: i64, late: i64, mistaken: Option<i64>, action| {
            let event = Event {
                number: events.len() as u64 + 1,
                at: first.checked_add(at.days()).unwrap(),
                moment: None,
                service,
                action,
            };
            let until = mistaken.map(|days| at + late + days);
            events.push(Heard { from: at + late, until, event });
        };
        heard(service(1), 0, 0, None, Action::Start(start));
        let (at, late, offer) = second;
        heard(service(2), at, late, None, Action::Start(offer));
        if let Some((at, late, days)) = false_alarm {
            heard(service(1), at, late, Some(days), Action::Cancel);
        }
        for ((place, at, mut action, days), late, mistaken) in later {
            if let Action::Discount(discount) = &mut action
                && !discount.once
                && days > 0
            {
                discount.until = first.checked_add((at + days).days()).ok();
            }
            heard(service(place), at, late, mistaken, action);
        }
        History { first, events, terms }
    }
}

/// Whether a day of a service costs something: the walk through the events in its plainest form, a
/// day at a time.
fn billable(history: &History, service: &str, day: Date) -> bool {
    let events = history.in_the_end();
    let last_day_counts = i64::from(history.terms.policy.end_day_billed);
    let shifted = |event: &Event| event.at.checked_add(last_day_counts.days()).unwrap();
    let (mut runs, mut free_until) = (false, None);
    let mut paused: Option<Date> = None;
    for event in events.iter().filter(|event| event.service.as_deref() == Some(service)) {
        match &event.action {
            Action::Start(offer) if event.at <= day => {
                let trial = i64::from(offer.trial_days).days();
                (runs, paused) = (true, None);
                free_until = free_until.max(event.at.checked_add(trial).ok());
            }
            Action::Cancel if shifted(event) <= day => runs = false,
            Action::Pause if runs => paused = paused.or(Some(shifted(event))),
            Action::Resume if event.at <= day => paused = None,
            _ => {}
        }
    }
    runs && paused.is_none_or(|from| day < from) && free_until.is_none_or(|until| until <= day)
}

/// What the discounts take off the price of a day, in its plainest form: by event, none of nothing.
fn discounts_on(history: &History, service: &str, day: Date, price: Exact) -> Vec<(u64, Exact)> {
    let (mut left, mut all) = (price, Vec::new());
    for event in history.in_the_end() {
        let Action::Discount(discount) = &event.action else { continue };
        let mine = event.service.as_deref().is_none_or(|name| name == service);
        let counts = event.at <= day && discount.until.is_none_or(|until| day < until);
        if !mine || !counts || discount.once {
            continue;
        }
        let wanted = match discount.off {
            Off::Share(share) => price.times(share).unwrap(),
            Off::Amount(amount) => Exact::whole(amount),
        };
        let rest = left.minus(wanted).unwrap();
        let off = if rest.is_negative() { left } else { wanted };
        left = left.minus(off).unwrap();
        if off != Exact::ZERO {
            all.push((event.number, off));
        }
    }
    all.sort_by_key(|discount| discount.0);
    all
}

/// How many histories each test tries; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn billed_days_are_disjoint_and_complete(history in history(false), every in 1i64..40) {
        let played = history.play(runs(every));
        let days = played.days(Kind::Recurring);
        for ((service, day), lines) in &days {
            prop_assert_eq!(lines.len(), 1, "{} {} is billed {} times", service, day, lines.len());
            prop_assert!(billable(&history, service, *day), "{} {} costs nothing", service, day);
        }
        for number in 0..=LAST {
            let day = history.day(number);
            for service in ["s1", "s2"] {
                let billed = days.contains_key(&(service.to_owned(), day));
                prop_assert!(!billable(&history, service, day) || billed, "{} {} is free", service, day);
            }
        }
    }

    #[test]
    fn pieces_of_a_period_at_one_price_sum_to_it(history in history(false), every in 1i64..40) {
        let played = history.play(runs(every));
        let price = |item: &Item| item.of.unwrap().price.round(Rounding::HalfUp).unwrap();
        let mut billed: BTreeMap<(String, Date, Date, i64), i64> = BTreeMap::new();
        for ((service, _), items) in played.days(Kind::Recurring) {
            for item in items {
                let days = item.of.unwrap().period.days;
                *billed.entry((service.clone(), days.from, days.to, price(item))).or_default() += 1;
            }
        }
        for ((service, from, to, whole), days) in billed {
            let lines = played.items.iter().filter(|item| {
                let period = item.of.map(|of| (of.period.days.from, of.period.days.to));
                let of_service = item.service.as_deref() == Some(&*service);
                let of_period = period == Some((from, to)) && item.kind == Kind::Recurring;
                of_service && of_period && price(item) == whole
            });
            let sum: i64 = lines.map(|item| played.net(item)).sum();
            prop_assert!((0..=whole).contains(&sum), "{}: {} of {}", from, sum, whole);
            if days == i64::from((to - from).get_days()) {
                prop_assert_eq!(sum, whole, "{}", from);
            }
        }
    }

    #[test]
    fn each_day_has_the_discounts_that_count_on_it(history in history(false), every in 1i64..40) {
        let played = history.play(runs(every));
        let discounts = played.days(Kind::Discount);
        for ((service, day), lines) in played.days(Kind::Recurring) {
            let mut there: Vec<(u64, Exact)> = Vec::new();
            for line in discounts.get(&(service.clone(), day)).into_iter().flatten() {
                let of = line.of.unwrap();
                there.push((of.discount.unwrap(), of.price.negated()));
            }
            there.sort_by_key(|discount| discount.0);
            let wanted = discounts_on(&history, &service, day, lines[0].of.unwrap().price);
            prop_assert_eq!(there, wanted, "{} {}", service, day);
        }
    }

    /// Coupons give what they are worth as long as there is something to give it on, never more,
    /// on no line more than it comes to, and nothing once they are void.
    #[test]
    fn coupons_are_used_up_and_no_further(history in history(true), every in 1i64..40) {
        let played = history.play(runs(every));
        let mut so_far = Played { items: Vec::new(), documents: Vec::new(), account: Account::default() };
        let days: Vec<i64> = runs(every).collect();
        for (day, (document, new, _)) in days.into_iter().zip(&played.documents) {
            so_far.items.extend(new.iter().cloned());
            let known = history.known(day);
            let coupons = so_far.items.iter().filter(|item| item.discounts.is_some());
            let mut used: BTreeMap<u64, i64> = BTreeMap::new();
            let mut on: BTreeMap<u64, i64> = BTreeMap::new();
            for coupon in coupons {
                let net = so_far.net(coupon);
                prop_assert!(net <= 0 && coupon.amount < 0, "{:?}", coupon);
                *used.entry(coupon.event.unwrap()).or_default() -= net;
                *on.entry(coupon.discounts.unwrap()).or_default() += net;
            }
            for line in so_far.items.iter().filter(|item| on.contains_key(&item.number)) {
                prop_assert!(so_far.net(line) + on[&line.number] >= 0, "{:?}", line);
            }
            // In this document, with the discounts that are on these days and no others.
            for line in new.iter().filter(|item| item.amount > 0 && item.repairs.is_none()) {
                let coupons = new.iter().filter(|item| item.discounts == Some(line.number));
                let coupons: i64 = coupons.map(|item| item.amount).sum();
                let on_days = new.iter().filter(|item| {
                    item.kind == Kind::Discount
                        && item.of.is_some()
                        && item.service == line.service
                        && item.of.map(|of| of.period) == line.of.map(|of| of.period)
                        && item.days.and(&line.days) == item.days
                });
                let left = line.amount + on_days.map(|item| item.amount).sum::<i64>();
                prop_assert!(coupons == 0 || left + coupons >= 0, "{:?}", line);
            }
            for event in &history.events {
                let Action::Discount(discount) = &event.event.action else { continue };
                let used = used.get(&event.event.number).copied().unwrap_or(0);
                if !known.contains(&event.event) {
                    prop_assert_eq!(used, 0, "a void coupon gives nothing");
                    continue;
                }
                let Off::Amount(amount) = discount.off else { continue };
                if !discount.once || event.event.at > document.date {
                    continue;
                }
                prop_assert!((0..=amount).contains(&used), "{} of {}", used, amount);
                let mine = |item: &&Item| {
                    event.event.service.is_none() || event.event.service == item.service
                };
                let charged = new.iter().filter(mine).filter(|item| item.kind != Kind::Repair);
                let left: i64 = charged.map(|item| item.amount).sum();
                prop_assert!(used == amount || left <= 0, "{} of {}, {} left", used, amount, left);
            }
        }
    }

    #[test]
    fn a_run_repeated_gives_nothing(history in history(true), every in 1i64..60) {
        let played = history.play(runs(every).flat_map(|day| [day, day]));
        for pair in played.documents.chunks(2) {
            prop_assert!(pair[1].1.is_empty(), "{:?}", pair[1].1);
            prop_assert_eq!((pair[1].0.total, pair[1].0.tax, pair[1].0.to_credit), (0, 0, 0));
        }
        // Nor does one for an earlier day.
        let earlier = history.day(DAYS / 2);
        let events = history.known(OVER);
        prop_assert_eq!(generate(&events, &played.items, earlier, &history.terms).unwrap(), vec![]);
    }

    #[test]
    fn totals_are_the_sums_of_lines_and_never_negative(
        history in history(true),
        every in 1i64..60,
        payments in prop::collection::vec(0i64..20_000, 8),
    ) {
        let mut history = history;
        for (number, amount) in (0..).zip(payments).filter(|payment| payment.1 > 0) {
            let at = number * 35;
            let event = Event {
                number: 100 + number as u64,
                at: history.day(at),
                moment: None,
                service: None,
                action: Action::Payment(amount),
            };
            history.events.push(Heard { from: at, until: None, event });
        }
        let played = history.play((0..DAYS).step_by(every as usize).chain([DAYS]));
        for (document, items, (credit, outstanding)) in &played.documents {
            let net: i64 = items.iter().map(|item| item.net().unwrap()).sum();
            let tax: i64 = items.iter().map(|item| item.tax_sum().unwrap()).sum();
            prop_assert_eq!((document.subtotal, document.tax), (net, tax));
            prop_assert_eq!(document.taxes.iter().map(|tax| tax.amount).sum::<i64>(), tax);
            prop_assert_eq!(net + tax + document.rounding + document.to_credit, document.total);
            prop_assert_eq!(document.total - document.credit_used, document.due);
            prop_assert!(document.total >= 0 && document.due >= 0 && document.to_credit >= 0);
            prop_assert!(*credit >= 0 && *outstanding >= 0 && (*credit == 0 || *outstanding == 0));
            if history.terms.policy.prices_include_tax {
                let priced: i64 = items.iter().map(|item| item.amount).sum();
                prop_assert_eq!(net + tax, priced, "the gross is law");
            }
        }
        // What was charged is owed, paid or credit; nothing is made or lost.
        let charged: i64 = played.items.iter().map(|item| item.gross().unwrap()).sum();
        let paid: i64 = history.events.iter().map(|heard| match heard.event.action {
            Action::Payment(amount) => amount,
            _ => 0,
        }).sum();
        let balance = played.account.outstanding() - played.account.credit();
        prop_assert_eq!(charged - paid, balance);
    }

    #[test]
    fn what_is_wholly_taken_back_leaves_no_tax(history in history(false), every in 1i64..60) {
        let played = history.play((0..DAYS).step_by(every as usize));
        for item in played.items.iter().filter(|item| item.repairs.is_none()) {
            let own = |other: &&Item| other.number == item.number || other.repairs == Some(item.number);
            let amount: i64 = played.items.iter().filter(own).map(|item| item.amount).sum();
            let tax: i64 = played.items.iter().filter(own).map(|item| item.tax_sum().unwrap()).sum();
            if amount == 0 && item.amount != 0 {
                prop_assert_eq!(tax, 0, "item {}", item.number);
            }
        }
    }

    #[test]
    fn the_order_in_which_events_arrive_does_not_matter(
        (history, shuffled) in history(true).prop_flat_map(|history| {
            let events = history.events.clone();
            (Just(history), Just(events).prop_shuffle())
        }),
        every in 1i64..60,
    ) {
        let other = History { events: shuffled, ..history.clone() };
        let days = || (0..DAYS).step_by(every as usize);
        prop_assert_eq!(history.play(days()).items, other.play(days()).items);
    }

    #[test]
    fn three_missed_months_are_caught_up_to_the_same_lines(history in history(true)) {
        let mut history = history.foreseen();
        // A coupon takes its share of a document, and here the documents differ.
        history.events.retain(|heard| {
            !matches!(&heard.event.action, Action::Discount(discount) if discount.once)
        });
        let lines = |played: Played| {
            let mut lines: Vec<_> = played
                .items
                .into_iter()
                .map(|item| (item.days, item.kind.word(), item.label, item.amount, item.event))
                .collect();
            lines.sort();
            lines
        };
        let monthly = history.play([0, 30, 60, 90, 120]);
        prop_assert!(monthly.items.iter().all(|item| item.kind != Kind::Repair));
        let missed = history.play([0, 120]);
        prop_assert_eq!(lines(monthly), lines(missed));
    }

    /// Late news, and mistakes: in the end it is as if all had been known, and nothing wrong
    /// believed, from the beginning.
    #[test]
    fn news_that_comes_late_ends_where_it_would_have_begun(
        history in history(true),
        every in 1i64..40,
    ) {
        let late = history.play(runs(every)).shape(history.day(LAST));
        let once = history.foreseen().play([OVER]).shape(history.day(LAST));
        prop_assert_eq!(late, once);
    }
}
