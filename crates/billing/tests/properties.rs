//! What must hold for any history of events, whatever the policy.

#![allow(clippy::inconsistent_digit_grouping, reason = "10_00 is 10.00")]

use std::collections::BTreeMap;

use billing::account::{Account, Document};
use billing::event::{Amount, Change, Discount, Mode, Off, Offer};
use billing::exact::{Exact, Rounding};
use billing::period::Length;
use billing::policy::{ChangeEffect, LeadingPeriod, Proration, TaxRounding};
use billing::tax::{self, Tax};
use billing::{Action, Event, Item, Kind, Policy, Terms, generate};
use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;

/// Days a history lasts.
const DAYS: i64 = 300;

/// A history: events and the day each becomes known, counted from the first.
#[derive(Debug, Clone)]
struct History {
    first: Date,
    events: Vec<(i64, Event)>,
    terms: Terms,
}

impl History {
    fn day(&self, number: i64) -> Date {
        self.first.checked_add(number.days()).unwrap()
    }

    fn known(&self, day: i64) -> Vec<Event> {
        self.events.iter().filter(|event| event.0 <= day).map(|event| event.1.clone()).collect()
    }

    /// Runs on these days.
    fn play(&self, days: impl IntoIterator<Item = i64>) -> Played {
        let mut played =
            Played { items: Vec::new(), documents: Vec::new(), account: Account::default() };
        let mut before = -1;
        for day in days {
            let target = self.day(day);
            for (at, event) in &self.events {
                if let Action::Payment(amount) = event.action
                    && (before + 1..=day).contains(at)
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

    /// The same history, everything known from the beginning.
    fn foreseen(&self) -> Self {
        let events = self.events.iter().map(|(_, event)| (0, event.clone())).collect();
        Self { events, ..self.clone() }
    }
}

struct Played {
    items: Vec<Item>,
    documents: Vec<(Document, Vec<Item>, (i64, i64))>,
    account: Account,
}

impl Played {
    /// What stands for each day of the service: label and line.
    fn days(&self) -> BTreeMap<Date, Vec<&Item>> {
        let mut days: BTreeMap<Date, Vec<&Item>> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.kind == Kind::Recurring) {
            for day in each_day(item) {
                let gone =
                    |repair: &&Item| repair.repairs == Some(item.number) && repair.days.holds(day);
                if !self.items.iter().any(|repair| gone(&repair)) {
                    days.entry(day).or_default().push(item);
                }
            }
        }
        days
    }

    /// What a line still charges after its repairs.
    fn net(&self, item: &Item) -> i64 {
        let repairs = self.items.iter().filter(|repair| repair.repairs == Some(item.number));
        item.amount + repairs.map(|repair| repair.amount).sum::<i64>()
    }
}

fn each_day(item: &Item) -> impl Iterator<Item = Date> {
    let (from, to) = (item.days.from, item.days.to);
    std::iter::successors(Some(from), |day| day.tomorrow().ok()).take_while(move |day| *day < to)
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
    (price(), plan(), length(), day, any::<bool>(), 0u16..12).prop_map(
        |(price, plan, length, billing_day, arrears, trial_days)| Offer {
            plan,
            price,
            length,
            billing_day: billing_day.filter(|_| matches!(length, Length::Months(_))),
            billing_month: None,
            mode: if arrears { Mode::Arrears } else { Mode::Advance },
            trial_days: if trial_days < 9 { 0 } else { trial_days },
            taxes: None,
        },
    )
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
        1 => (1i64..120, any::<bool>()).prop_map(|(percent, once)| Action::Discount(Discount {
            off: Off::Share(Exact::ratio(i128::from(percent), 100).unwrap()),
            text: "discount".to_owned(),
            until: None,
            once,
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
        document in any::<bool>(),
        even in any::<bool>(),
        prices_include_tax in any::<bool>(),
        credit_unused in any::<bool>(),
        none in 0..4,
    ) -> Terms {
        let rate = |percent| Exact::ratio(percent, 1000).unwrap();
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
            change_fee: billing::policy::ChangeFee { upgrade: 0, downgrade: fee },
            tax_rounding: if document { TaxRounding::Document } else { TaxRounding::Line },
            rounding: if even { Rounding::HalfEven } else { Rounding::HalfUp },
            prices_include_tax,
            ..Policy::default()
        };
        let tax = |name: &str, percent, compound| Tax {
            name: name.to_owned(),
            rate: rate(percent),
            compound,
        };
        let taxes = vec![tax("A", 75, false), tax("B", 50, true)];
        Terms { currency: "USD".parse().unwrap(), policy, taxes }
    }
}

prop_compose! {
    /// `rules`: also policies under which days are owed that were not used.
    fn history(rules: bool)(
        first in 0i64..800,
        start in offer(),
        later in prop::collection::vec((0..DAYS, 0i64..60, action()), 0..8),
        terms in terms(rules),
    ) -> History {
        let first = Date::constant(2023, 1, 1).checked_add(first.days()).unwrap();
        let event = |number: usize, at: i64, action| Event {
            number: number as u64 + 1,
            at: first.checked_add(at.days()).unwrap(),
            moment: None,
            service: Some("s1".to_owned()),
            action,
        };
        let mut events = vec![(0, event(0, 0, Action::Start(start)))];
        for (number, (at, late, action)) in later.into_iter().enumerate() {
            events.push((at + late, event(number + 1, at, action)));
        }
        History { first, events, terms }
    }
}

/// Whether each day of a history costs something: the walk through the events in its plainest
/// form, a day at a time.
fn billable(history: &History, day: Date) -> bool {
    let mut events: Vec<&Event> = history.events.iter().map(|event| &event.1).collect();
    events.sort_by(|a, b| a.order(b));
    let last_day_counts = i64::from(history.terms.policy.end_day_billed);
    let shifted = |event: &Event| event.at.checked_add(last_day_counts.days()).unwrap();
    let (mut runs, mut free_until) = (false, None);
    let mut paused: Option<Date> = None;
    for event in events {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn billed_days_are_disjoint_and_complete(history in history(false), every in 1i64..40) {
        let played = history.play((0..DAYS + 70).step_by(every as usize).chain([DAYS + 70]));
        let days = played.days();
        for (day, lines) in &days {
            prop_assert_eq!(lines.len(), 1, "{} is billed {} times", day, lines.len());
            prop_assert!(billable(&history, *day), "{} is billed and costs nothing", day);
        }
        let starts = |event: &(i64, Event)| match &event.1.action {
            Action::Start(offer) => offer.mode == Mode::Advance,
            _ => true,
        };
        let at_once = history.terms.policy.leading_period == LeadingPeriod::Separate
            && history.events.iter().all(starts);
        if at_once {
            for number in 0..=DAYS + 70 {
                let day = history.day(number);
                prop_assert!(!billable(&history, day) || days.contains_key(&day), "{} is free", day);
            }
        }
    }

    #[test]
    fn pieces_of_a_period_at_one_price_sum_to_it(history in history(false), every in 1i64..40) {
        let played = history.play((0..DAYS + 70).step_by(every as usize).chain([DAYS + 70]));
        let price = |item: &Item| item.of.unwrap().price.round(Rounding::HalfUp).unwrap();
        let mut billed: BTreeMap<(Date, Date, i64), i64> = BTreeMap::new();
        for item in played.days().values().flatten() {
            let days = item.of.unwrap().period.days;
            *billed.entry((days.from, days.to, price(item))).or_default() += 1;
        }
        for ((from, to, whole), days) in billed {
            let lines = played.items.iter().filter(|item| {
                let period = item.of.map(|of| (of.period.days.from, of.period.days.to));
                item.kind == Kind::Recurring && period == Some((from, to)) && price(item) == whole
            });
            let sum: i64 = lines.map(|item| played.net(item)).sum();
            prop_assert!((0..=whole).contains(&sum), "{}: {} of {}", from, sum, whole);
            if days == i64::from((to - from).get_days()) {
                prop_assert_eq!(sum, whole, "{}", from);
            }
        }
    }

    #[test]
    fn a_run_repeated_gives_nothing(history in history(true), every in 1i64..60) {
        let played = history.play((0..DAYS + 70).step_by(every as usize).flat_map(|day| [day, day]));
        for pair in played.documents.chunks(2) {
            prop_assert!(pair[1].1.is_empty(), "{:?}", pair[1].1);
            prop_assert_eq!((pair[1].0.total, pair[1].0.tax, pair[1].0.to_credit), (0, 0, 0));
        }
        // Nor does one for an earlier day.
        let earlier = history.day(DAYS / 2);
        let events = history.known(DAYS + 70);
        let last = generate(&events, &played.items, history.day(DAYS + 70), &history.terms).unwrap();
        let all: Vec<Item> = played.items.iter().cloned().chain(last).collect();
        prop_assert_eq!(generate(&events, &all, earlier, &history.terms).unwrap(), vec![]);
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
            history.events.push((at, Event {
                number: 100 + number as u64,
                at: history.day(at),
                moment: None,
                service: None,
                action: Action::Payment(amount),
            }));
        }
        let played = history.play((0..DAYS).step_by(every as usize).chain([DAYS]));
        for (document, items, (credit, outstanding)) in &played.documents {
            let net: i64 = items.iter().map(Item::net).sum();
            let tax: i64 = items.iter().map(Item::tax_sum).sum();
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
        let charged: i64 = played.items.iter().map(Item::gross).sum();
        let paid: i64 = history.events.iter().map(|(_, event)| match event.action {
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
            let tax: i64 = played.items.iter().filter(own).map(Item::tax_sum).sum();
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
        history.events.retain(|(_, event)| {
            !matches!(&event.action, Action::Discount(discount) if discount.once)
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

    #[test]
    fn news_that_comes_late_ends_where_it_would_have_begun(
        history in history(true),
        every in 1i64..40,
    ) {
        let late = history.play((0..DAYS + 70).step_by(every as usize).chain([DAYS + 70]));
        let once = history.foreseen().play([DAYS + 70]);
        let shape = |played: &Played| -> Vec<(Date, String)> {
            let days = played.days();
            let until = history.day(DAYS + 70);
            days.iter()
                .filter(|(day, _)| **day <= until)
                .map(|(day, lines)| (*day, lines[0].label.clone()))
                .collect()
        };
        prop_assert_eq!(shape(&late), shape(&once));
    }
}
