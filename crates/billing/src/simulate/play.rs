//! Playing a simulation: the runs one after the other, each reading what those before it made.

use jiff::civil::Date;
use model::Currency;
use serde::Serialize;

use super::read::{Scenario, Told};
use crate::account::{Account, Document};
use crate::amount::show;
use crate::event::{Action, Event};
use crate::exact::{Exact, TooLarge};
use crate::explain::explain;
use crate::generate::{Refused, generate};
use crate::item::Item;
use crate::tax;

/// What a simulation answers. Amounts are decimal strings of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The currency of all amounts.
    pub currency: String,
    /// A document for each run.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The target date.
    pub date: String,
    /// The new lines.
    pub items: Vec<Line>,
    /// The lines without tax.
    pub subtotal: String,
    /// Their tax.
    pub tax: String,
    /// The same, by tax.
    pub taxes: Vec<TaxLine>,
    /// What cash rounding added or took.
    pub rounding: String,
    /// What became account credit because the lines were negative together.
    pub to_credit: String,
    /// `subtotal + tax + rounding + to_credit`, never negative.
    pub total: String,
    /// Paid from the account credit at once.
    pub credit_used: String,
    /// What is to be paid for this document.
    pub due: String,
    /// The account credit afterwards.
    pub account_credit: String,
    /// What is owed for all documents afterwards.
    pub outstanding: String,
    /// Tax that became due to the authority since the run before.
    pub tax_due: String,
}

/// One line of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number; the lines of all runs count on.
    pub number: u64,
    /// The service, if it is about one.
    pub service: Option<String>,
    /// `recurring`, `discount`, `one_time`, `adjustment`, `change_fee`, `repair`
    pub kind: &'static str,
    /// The plan, or what for.
    pub label: String,
    /// The first day.
    pub from: String,
    /// The day after the last; the same day where it is not for days.
    pub to: String,
    /// Without tax.
    pub amount: String,
    /// Its tax.
    pub tax: String,
    /// How much of what.
    pub quantity_note: String,
    /// How the amount, as priced, came about.
    pub formula: String,
    /// The line this one repairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repairs: Option<u64>,
    /// The line a coupon was used on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discounts: Option<u64>,
    /// The event behind it, counted from 1 in the order of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// Why it is what it is, a line of text each; see [`explain`].
    #[serde(skip)]
    pub explanation: Vec<String>,
}

/// One tax of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaxLine {
    /// The tax.
    pub name: String,
    /// Its rate in percent.
    pub rate: String,
    /// What it was charged on.
    pub base: String,
    /// What it comes to.
    pub amount: String,
}

impl Scenario {
    /// Plays it.
    pub fn play(&self) -> Result<Outcome, Refused> {
        let mut played = Outcome { currency: self.terms.currency.to_string(), runs: Vec::new() };
        let mut items: Vec<Item> = Vec::new();
        let mut account = Account::default();
        let mut booked = vec![false; self.events.len()];
        let mut unheard: Vec<&Told> = self.events.iter().collect();
        let mut known: Vec<Event> = Vec::new();
        for &target in &self.runs {
            unheard.retain(|told| {
                let heard = told.recorded <= target;
                if heard {
                    known.push(told.event.clone());
                }
                !heard
            });
            known.retain(|event| !self.is_void(event.number, target));
            self.book(target, &mut account, &mut booked)?;
            let mut new = generate(&known, &items, target, &self.terms)?;
            tax::assess(&mut new, &items, &self.terms.policy)?;
            let document = account.post(target, &new, &self.terms.policy)?;
            let first = items.len();
            items.append(&mut new);
            let mut lines = Vec::new();
            for item in &items[first..] {
                lines.push(self.line(item, &items)?);
            }
            played.runs.push(run(&document, lines, &account, self.terms.currency)?);
        }
        Ok(played)
    }

    /// Whether an event was declared void by a day.
    fn is_void(&self, number: u64, day: Date) -> bool {
        let told = nth(&self.events, number);
        told.and_then(|told| told.voided).is_some_and(|voided| voided <= day)
    }

    /// A line for whoever reads the answer; `items` are all there are.
    fn line(&self, item: &Item, items: &[Item]) -> Result<Line, TooLarge> {
        let currency = self.terms.currency;
        let event = item.event.and_then(|number| nth(&self.events, number)).map(|told| &told.event);
        let about = item.repairs.or(item.discounts).and_then(|number| nth(items, number));
        Ok(Line {
            number: item.number,
            service: item.service.clone(),
            kind: item.kind.word(),
            label: item.label.clone(),
            from: item.days.from.to_string(),
            to: item.days.to.to_string(),
            amount: show(item.net()?, currency),
            tax: show(item.tax_sum()?, currency),
            quantity_note: item.quantity_note.clone(),
            formula: item.formula.clone(),
            repairs: item.repairs,
            discounts: item.discounts,
            event: item.event,
            explanation: explain(item, event, about, currency)?,
        })
    }

    /// Books the payments and credits that came since the run before.
    fn book(
        &self,
        target: Date,
        account: &mut Account,
        booked: &mut [bool],
    ) -> Result<(), Refused> {
        let mut due: Vec<usize> = (0..self.events.len())
            .filter(|&index| !booked[index])
            .filter(|&index| {
                let Told { recorded, event, .. } = &self.events[index];
                event.at.max(*recorded) <= target
            })
            .collect();
        due.sort_by(|&a, &b| self.events[a].event.order(&self.events[b].event));
        for index in due {
            booked[index] = true;
            match self.events[index].event.action {
                Action::Credit(amount) | Action::Payment(amount) => {
                    account.receive(amount, &self.terms.policy)?;
                }
                Action::Refund(amount) => account.refund(amount, &self.terms.policy)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Events are numbered from 1 in the order of the file, items in the order they were made.
fn nth<T>(list: &[T], number: u64) -> Option<&T> {
    list.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

fn run(
    document: &Document,
    items: Vec<Line>,
    account: &Account,
    currency: Currency,
) -> Result<Run, Refused> {
    let money = |amount| show(amount, currency);
    let mut taxes = Vec::new();
    for total in &document.taxes {
        taxes.push(TaxLine {
            name: total.name.clone(),
            rate: total.rate.times(Exact::whole(100))?.show(0),
            base: money(total.base),
            amount: money(total.amount),
        });
    }
    Ok(Run {
        date: document.date.to_string(),
        items,
        subtotal: money(document.subtotal),
        tax: money(document.tax),
        taxes,
        rounding: money(document.rounding),
        to_credit: money(document.to_credit),
        total: money(document.total),
        credit_used: money(document.credit_used),
        due: money(document.due),
        account_credit: money(account.credit()),
        outstanding: money(account.outstanding()),
        tax_due: money(document.tax_due),
    })
}
