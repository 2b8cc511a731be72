//! The file of a simulation, checked field by field.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::Currency;

use super::node::{At, Misplaced, Node, Table};
use crate::amount;
use crate::event::{Action, Amount, Change, Discount, Event, Mode, Off, Offer};
use crate::exact::{Exact, Rounding};
use crate::generate::Terms;
use crate::period::Length;
use crate::policy::{
    ChangeEffect, ChangeFee, LeadingPeriod, Policy, Proration, TaxPoint, TaxRounding,
};
use crate::tax::Tax;

/// The most events or runs of a file.
pub const ENTRIES_MAX: usize = 10_000;

/// The most taxes on one line: more, compound, would not be exact any more.
pub const TAXES_MAX: usize = 4;

/// A simulation, ready to be played.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Currency, policy and taxes.
    pub terms: Terms,
    /// The events in the order of the file, numbered from 1.
    pub events: Vec<Told>,
    /// The target dates, in order.
    pub runs: Vec<Date>,
}

/// An event and when it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The day it is known from.
    pub recorded: Date,
    /// The day from which it is known to have been a mistake.
    pub voided: Option<Date>,
    /// What happened.
    pub event: Event,
}

/// The context of reading: what amounts and times mean.
struct Reader {
    currency: Currency,
    zone: TimeZone,
}

const ACTIONS: &[&str] = &[
    "start", "change", "pause", "resume", "cancel", "block", "unblock", "charge", "adjust",
    "discount", "credit", "payment", "refund",
];

impl Scenario {
    /// Reads a file. `zone_of` looks up an IANA time zone by name, which is the caller's to do
    /// because zones are files.
    pub fn read(
        root: &Node,
        zone_of: impl FnOnce(&str) -> Option<TimeZone>,
    ) -> Result<Self, Misplaced> {
        let file = At::root(root).table(&[
            "zone",
            "currency",
            "policy",
            "tax",
            "prices_include_tax",
            "events",
            "runs",
        ])?;
        let zone = file.need("zone")?;
        let zone = zone_of(zone.text()?)
            .ok_or_else(|| zone.wrong("an IANA time zone is expected, such as Europe/Berlin"))?;
        let currency = file.need("currency")?;
        let currency =
            currency.text()?.parse().map_err(|error| currency.wrong(format!("{error}")))?;
        let reader = Reader { currency, zone };

        let mut policy = file.read("policy", |at| reader.policy(at))?.unwrap_or_default();
        if let Some(at) = file.get("prices_include_tax") {
            let said = at.truth()?;
            let in_policy = file.need("policy").ok().and_then(|at| match at.node() {
                Node::Table(fields) => {
                    Some(fields.iter().any(|field| field.0 == "prices_include_tax"))
                }
                _ => None,
            });
            if in_policy == Some(true) && policy.prices_include_tax != said {
                return Err(at.wrong("the policy says otherwise"));
            }
            policy.prices_include_tax = said;
        }
        let taxes = file.read("tax", taxes)?.unwrap_or_default();

        let mut events = Vec::new();
        let list = few(&file.need("events")?)?;
        for (number, at) in (1..).zip(&list) {
            events.push(reader.event(number, at)?);
        }
        check_services(&list, &events)?;
        let mut runs: Vec<Date> = Vec::new();
        for at in few(&file.need("runs")?)? {
            let (day, _) = reader.time(&at)?;
            if runs.last().is_some_and(|last| *last > day) {
                return Err(at.wrong("a run must not be before the one in front of it"));
            }
            runs.push(day);
        }
        Ok(Self { terms: Terms { currency: reader.currency, policy, taxes }, events, runs })
    }
}

/// A list that is not absurdly long.
fn few<'a>(at: &At<'a>) -> Result<Vec<At<'a>>, Misplaced> {
    let list = at.list()?;
    if list.len() > ENTRIES_MAX {
        return Err(at.wrong(format!("at most {ENTRIES_MAX} entries are taken")));
    }
    Ok(list)
}

/// A service as the events so far leave it.
struct State<'a> {
    running: bool,
    offer: Cow<'a, Offer>,
}

/// Every event of a service comes after a start, none starts twice at once, changes go with what
/// there is to change, and discounts are for something.
fn check_services(list: &[At<'_>], events: &[Told]) -> Result<(), Misplaced> {
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by(|&a, &b| events[a].event.order(&events[b].event));
    let mut states: BTreeMap<&str, State<'_>> = BTreeMap::new();
    let mut charged = BTreeSet::new();
    for &index in &order {
        let Told { event, voided, .. } = &events[index];
        let Some(service) = event.service.as_deref() else { continue };
        let holds = voided.is_none();
        let state = states.get_mut(service);
        let not_started = || list[index].wrong(format!("{service} has not started by then"));
        match &event.action {
            Action::Start(_) if holds && state.as_ref().is_some_and(|state| state.running) => {
                return Err(list[index].wrong(format!("{service} has already started by then")));
            }
            // One that was a mistake is all there is for those that follow until it is known.
            Action::Start(offer) if holds || state.is_none() => {
                let state = State { running: holds, offer: Cow::Borrowed(offer) };
                states.insert(service, state);
            }
            Action::Change(change) => {
                let state = state.ok_or_else(not_started)?;
                let offer = change.applied_to(&state.offer);
                if let Some(table) = list[index].open_table() {
                    check_days(&table, &offer)?;
                }
                if holds {
                    state.offer = Cow::Owned(offer);
                }
            }
            Action::Cancel => {
                let state = state.ok_or_else(not_started)?;
                state.running &= !holds;
            }
            Action::Pause | Action::Resume | Action::Block { .. } | Action::Unblock { .. } => {
                state.ok_or_else(not_started)?;
            }
            Action::Charge(_) | Action::Adjust(_) => {
                charged.insert(service);
            }
            _ => {}
        }
    }
    for (at, told) in list.iter().zip(events) {
        let (Action::Discount(discount), Some(service)) =
            (&told.event.action, told.event.service.as_deref())
        else {
            continue;
        };
        let known = states.contains_key(service) || (discount.once && charged.contains(service));
        if let (false, Some(table)) = (known, at.open_table()) {
            return Err(table.missing("service", &format!("no event starts {service}")));
        }
    }
    Ok(())
}

impl Reader {
    /// A civil date, or an instant and its date in the customer's zone.
    fn time(&self, at: &At<'_>) -> Result<(Date, Option<Timestamp>), Misplaced> {
        let text = at.text()?;
        let expected = || {
            at.wrong(
                "a date such as 2024-03-05 is expected, or an instant such as \
                 2024-03-05T10:30:00Z; from 1970 to 2199",
            )
        };
        // Alone it is a date; a time of day needs its offset.
        let (date, moment) = if text.len() == 10 {
            (text.parse::<Date>().map_err(|_| expected())?, None)
        } else {
            let moment: Timestamp = text.parse().map_err(|_| expected())?;
            (self.zone.to_datetime(moment).date(), Some(moment))
        };
        if (1970..2200).contains(&date.year()) { Ok((date, moment)) } else { Err(expected()) }
    }

    fn date(&self, at: &At<'_>) -> Result<Date, Misplaced> {
        Ok(self.time(at)?.0)
    }

    /// An amount in minor units, at least this much.
    fn amount(&self, at: &At<'_>, min: i64) -> Result<i64, Misplaced> {
        let decimals = self.currency.decimals();
        let example = amount::show(15 * 10i64.pow(decimals), self.currency);
        let found = match at.node() {
            Node::Text(text) => amount::parse(text, self.currency),
            _ => None,
        };
        let found = found.ok_or_else(|| {
            at.wrong(format!(
                "an amount such as \"{example}\" is expected, in quotes, with at most {decimals} \
                 decimals for {}",
                self.currency
            ))
        })?;
        match min {
            _ if found >= min => Ok(found),
            1 => Err(at.wrong("must be more than zero")),
            _ => Err(at.wrong("must not be negative")),
        }
    }

    fn policy(&self, at: &At<'_>) -> Result<Policy, Misplaced> {
        let names: Vec<&str> = crate::policy::KEYS.iter().map(|key| key.name).collect();
        let table = at.table(&names)?;
        let mut policy = Policy::default();
        macro_rules! words {
            ($($field:ident: $kind:ident),+) => {
                $(if let Some(at) = table.get(stringify!($field)) {
                    policy.$field = at.word($kind::of, $kind::WORDS)?;
                })+
            };
        }
        words!(proration: Proration, leading_period: LeadingPeriod, change_effect: ChangeEffect);
        words!(tax_rounding: TaxRounding, rounding: Rounding, tax_point: TaxPoint);
        macro_rules! truths {
            ($($field:ident),+) => {
                $(if let Some(at) = table.get(stringify!($field)) {
                    policy.$field = at.truth()?;
                })+
            };
        }
        truths!(end_day_billed, credit_unused, block_stops_billing, prices_include_tax);
        if let Some(at) = table.get("change_fee") {
            policy.change_fee = self.change_fee(&at)?;
        }
        if let Some(at) = table.get("cash_rounding")
            && *at.node() != Node::Text("none".to_owned())
        {
            policy.cash_rounding = Some(self.amount(&at, 1)?);
        }
        Ok(policy)
    }

    fn change_fee(&self, at: &At<'_>) -> Result<ChangeFee, Misplaced> {
        if !matches!(at.node(), Node::Table(_)) {
            let fee = self.amount(at, 0)?;
            return Ok(ChangeFee { upgrade: fee, downgrade: fee });
        }
        let table = at.table(&["upgrade", "downgrade"])?;
        let fee = |name| Ok(table.read(name, |at| self.amount(at, 0))?.unwrap_or(0));
        Ok(ChangeFee { upgrade: fee("upgrade")?, downgrade: fee("downgrade")? })
    }

    fn event(&self, number: u64, place: &At<'_>) -> Result<Told, Misplaced> {
        // Which fields there may be depends on what happened, so that comes first.
        let table = place
            .open_table()
            .ok_or_else(|| place.wrong("an object with at, do and more is expected"))?;
        let what = table.need("do")?;
        let of_service: &[&str] = match what.text()? {
            "start" => &[
                "plan",
                "price",
                "period",
                "billing_day",
                "billing_month",
                "mode",
                "trial_days",
                "tax",
            ],
            "change" => &["plan", "price", "period", "billing_day", "billing_month", "mode", "tax"],
            "pause" | "resume" | "cancel" => &[],
            "block" => &["reason", "stops_billing"],
            "unblock" => &["reason"],
            "charge" | "adjust" => &["amount", "text", "tax"],
            "discount" => &["percent", "amount", "until", "once", "text"],
            "credit" | "payment" | "refund" => &["amount", "text"],
            _ => return Err(what.wrong(format!("one of {} is expected", ACTIONS.join(", ")))),
        };
        let mut known = vec!["at", "do", "service", "recorded", "void"];
        known.extend(of_service);
        let table = place.table(&known)?;

        let (at, moment) = self.time(&table.need("at")?)?;
        let recorded = table.read("recorded", |at| self.date(at))?.unwrap_or(at);
        let voided = table.read("void", |at| self.date(at))?;
        let service = table.read("service", |at| Ok(at.text()?.to_owned()))?;
        let action = match what.text()? {
            "start" => Action::Start(self.offer(&table)?),
            "change" => Action::Change(self.change(&table)?),
            "pause" => Action::Pause,
            "resume" => Action::Resume,
            "cancel" => Action::Cancel,
            "block" => Action::Block {
                reason: text(&table, "reason", "blocked")?,
                stops_billing: table.read("stops_billing", At::truth)?,
            },
            "unblock" => {
                Action::Unblock { reason: table.read("reason", |at| Ok(at.text()?.to_owned()))? }
            }
            "charge" => Action::Charge(self.line(&table, 0, "Charge")?),
            "adjust" => Action::Adjust(self.line(&table, -amount::AMOUNT_MAX, "Adjustment")?),
            "discount" => Action::Discount(self.discount(&table, at)?),
            "credit" => Action::Credit(self.amount(&table.need("amount")?, 1)?),
            "payment" => Action::Payment(self.amount(&table.need("amount")?, 1)?),
            _ => Action::Refund(self.amount(&table.need("amount")?, 1)?),
        };
        let of_account = matches!(
            action,
            Action::Charge(_)
                | Action::Adjust(_)
                | Action::Discount(_)
                | Action::Credit(_)
                | Action::Payment(_)
                | Action::Refund(_)
        );
        if !of_account {
            table.need("service")?;
        }
        if let (Some(voided), Some(at)) = (voided, table.get("void")) {
            let booked =
                matches!(action, Action::Credit(_) | Action::Payment(_) | Action::Refund(_));
            if booked {
                return Err(at.wrong("money that was booked stays so; book the opposite"));
            }
            if voided <= recorded {
                return Err(at.wrong("must be after the day the event is known from"));
            }
        }
        Ok(Told { recorded, voided, event: Event { number, at, moment, service, action } })
    }

    fn offer(&self, table: &Table<'_>) -> Result<Offer, Misplaced> {
        let period = table.need("period")?;
        let length = length(&period)?;
        let offer = Offer {
            plan: table.need("plan")?.text()?.to_owned(),
            price: self.amount(&table.need("price")?, 0)?,
            length,
            billing_day: table.read("billing_day", |at| at.whole(1, 31))?.map(small),
            billing_month: table.read("billing_month", |at| at.whole(1, 12))?.map(small),
            mode: table.read("mode", |at| at.word(Mode::of, Mode::WORDS))?.unwrap_or_default(),
            trial_days: table.read("trial_days", |at| at.whole(0, 366))?.unwrap_or(0) as u16,
            taxes: table.read("tax", taxes)?,
        };
        check_days(table, &offer)?;
        Ok(offer)
    }

    fn change(&self, table: &Table<'_>) -> Result<Change, Misplaced> {
        Ok(Change {
            plan: table.read("plan", |at| Ok(at.text()?.to_owned()))?,
            price: table.read("price", |at| self.amount(at, 0))?,
            length: table.read("period", length)?,
            billing_day: table.read("billing_day", |at| at.whole(1, 31))?.map(small),
            billing_month: table.read("billing_month", |at| at.whole(1, 12))?.map(small),
            mode: table.read("mode", |at| at.word(Mode::of, Mode::WORDS))?,
            taxes: table.read("tax", taxes)?,
        })
    }

    fn line(&self, table: &Table<'_>, min: i64, default: &str) -> Result<Amount, Misplaced> {
        Ok(Amount {
            amount: self.amount(&table.need("amount")?, min)?,
            text: text(table, "text", default)?,
            taxes: table.read("tax", taxes)?,
        })
    }

    fn discount(&self, table: &Table<'_>, from: Date) -> Result<Discount, Misplaced> {
        let off = match (table.get("percent"), table.get("amount")) {
            (Some(percent), None) => Off::Share(self::percent(&percent, 100)?),
            (None, Some(amount)) => Off::Amount(self.amount(&amount, 1)?),
            (Some(percent), Some(_)) => return Err(percent.wrong("there is an amount too")),
            (None, None) => return Err(table.missing("percent", "is missing, or an amount")),
        };
        let until = table.read("until", |at| self.date(at))?;
        let once = table.read("once", At::truth)?.unwrap_or(false);
        if let Some(at) = table.get("until") {
            if once {
                return Err(at.wrong("a discount that counts once has no end"));
            }
            if until.is_some_and(|until| until <= from) {
                return Err(at.wrong("must be after the day the discount begins"));
            }
        }
        Ok(Discount { off, text: text(table, "text", "Discount")?, until, once })
    }
}

fn small(number: i64) -> i8 {
    // The ranges it was read with end at 31.
    number as i8
}

fn text(table: &Table<'_>, name: &str, default: &str) -> Result<String, Misplaced> {
    Ok(table.read(name, At::text)?.unwrap_or(default).to_owned())
}

/// Billing days and months go with periods of months, months with the longer ones and with a day.
/// `offer` is what comes of the fields, and of what was before them.
fn check_days(table: &Table<'_>, offer: &Offer) -> Result<(), Misplaced> {
    let in_days = matches!(offer.length, Length::Days(_));
    match (table.get("billing_day"), table.get("billing_month")) {
        (Some(at), _) | (None, Some(at)) if in_days => {
            Err(at.wrong("periods of days run from the start; this goes with months and longer"))
        }
        (_, Some(at)) if offer.length == Length::Months(1) => {
            Err(at.wrong("every month is a billing month; this goes with quarters and longer"))
        }
        (_, Some(at)) if offer.billing_day.is_none() => Err(at.wrong("needs a billing_day")),
        _ => Ok(()),
    }
}

fn length(at: &At<'_>) -> Result<Length, Misplaced> {
    match at.node() {
        Node::Text(word) => match word.as_str() {
            "day" => Ok(Length::Days(1)),
            "week" => Ok(Length::Days(7)),
            "month" => Ok(Length::Months(1)),
            "quarter" => Ok(Length::Months(3)),
            "half_year" => Ok(Length::Months(6)),
            "year" => Ok(Length::Months(12)),
            _ => Err(expected_length(at)),
        },
        Node::Table(_) => {
            let table = at.table(&["days"])?;
            let days = table.need("days")?.whole(1, 3660)?;
            u16::try_from(days).map(Length::Days).map_err(|_| expected_length(at))
        }
        _ => Err(expected_length(at)),
    }
}

fn expected_length(at: &At<'_>) -> Misplaced {
    at.wrong("one of day, week, month, quarter, half_year, year or {\"days\": 30} is expected")
}

fn taxes(at: &At<'_>) -> Result<Vec<Tax>, Misplaced> {
    let list = at.list()?;
    if list.len() > TAXES_MAX {
        return Err(at.wrong(format!("at most {TAXES_MAX} taxes are taken")));
    }
    let mut taxes: Vec<Tax> = Vec::new();
    for at in list {
        let table = at.table(&["name", "rate", "compound"])?;
        let name = table.need("name")?;
        let tax = Tax {
            name: name.text()?.to_owned(),
            rate: percent(&table.need("rate")?, 1000)?,
            compound: table.read("compound", At::truth)?.unwrap_or(false),
        };
        if taxes.iter().any(|other| other.name == tax.name) {
            return Err(name.wrong("is there twice"));
        }
        taxes.push(tax);
    }
    Ok(taxes)
}

/// A percentage as a share.
fn percent(at: &At<'_>, max: i64) -> Result<Exact, Misplaced> {
    let read = match at.node() {
        Node::Text(text) => Exact::decimal(text, 4),
        _ => None,
    };
    let share = read.and_then(|percent| percent.by(Exact::whole(100)).ok());
    let fits = |share: &Exact| {
        !share.is_negative()
            && Exact::ratio(i128::from(max), 100)
                .and_then(|max| max.minus(*share))
                .is_ok_and(|left| !left.is_negative())
    };
    share.filter(fits).ok_or_else(|| {
        at.wrong(format!(
            "a percentage from 0 to {max} is expected, in quotes, such as \"20\" or \"9.975\", \
             with at most 4 decimals"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a file that starts a service and then has these events.
    fn refused(events: &str) -> String {
        let file = format!(
            r#"{{"zone": "UTC", "currency": "USD", "runs": [], "events": [
                {{"at": "2024-03-05", "do": "start", "service": "s1", "plan": "basic",
                  "period": "month", "price": "10.00"}}, {events}]}}"#
        );
        let node: Node = serde_json::from_str(&file).unwrap();
        match Scenario::read(&node, |_| Some(TimeZone::UTC)) {
            Ok(_) => "nothing".to_owned(),
            Err(wrong) => wrong.to_string(),
        }
    }

    #[test]
    fn a_change_is_refused_what_a_start_is() {
        let change = |fields| {
            format!(r#"{{"at": "2024-03-06", "do": "change", "service": "s1", {fields}}}"#)
        };
        let weekly = change(r#""period": "week""#);
        for (events, wrong) in [
            (change(r#""billing_month": 4"#), "/events/1/billing_month: every month is"),
            (
                change(r#""period": "year", "billing_month": 4"#),
                "/events/1/billing_month: needs a billing_day",
            ),
            (change(r#""period": "year", "billing_month": 4, "billing_day": 1"#), "nothing"),
            (
                format!("{weekly}, {}", change(r#""billing_day": 3"#)),
                "/events/2/billing_day: periods of days",
            ),
            (format!("{weekly}, {}", change(r#""period": "month", "billing_day": 3"#)), "nothing"),
        ] {
            let found = refused(&events);
            assert!(found.starts_with(wrong), "{events}: {found}, not {wrong}");
        }
    }

    #[test]
    fn a_discount_is_for_a_service_there_is_and_money_has_no_void() {
        for (event, wrong) in [
            (r#""do": "discount", "service": "s9", "percent": "5""#, "/events/1/service: no event"),
            (r#""do": "discount", "service": "s1", "percent": "5""#, "nothing"),
            (r#""do": "pause", "service": "s1", "void": "2024-03-06""#, "/events/1/void: must be"),
            (r#""do": "pause", "service": "s1", "void": "2024-03-07""#, "nothing"),
            (r#""do": "payment", "amount": "5.00", "void": "2024-03-07""#, "/events/1/void: money"),
        ] {
            let found = refused(&format!(r#"{{"at": "2024-03-06", {event}}}"#));
            assert!(found.starts_with(wrong), "{event}: {found}, not {wrong}");
        }
    }
}
