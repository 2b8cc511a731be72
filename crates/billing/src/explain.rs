//! Why a line is what it is, in words: its days, its formula, the event behind it, the line it is
//! about, the policy it was made under, its taxes.

use jiff::civil::Date;
use model::Currency;

use crate::amount::show;
use crate::event::{Action, Change, Discount, Event, Mode, Off, Offer};
use crate::exact::{Exact, TooLarge};
use crate::interval::Interval;
use crate::item::Item;
use crate::tax::Tax;

/// The lines of an explanation, each `what: how`. `event` is the one the item names, `about` the
/// item it repairs or discounts; without them their lines give numbers alone.
pub fn explain(
    item: &Item,
    event: Option<&Event>,
    about: Option<&Item>,
    currency: Currency,
) -> Result<Vec<String>, TooLarge> {
    let mut lines = Vec::new();
    if let Some(of) = item.of {
        let period = format!("{} ({})", days(&of.period.days), of.period.length.words());
        lines.push(format!("days: {}, of {period}", days(&item.days)));
    } else if !item.days.is_empty() {
        lines.push(format!("days: {}", days(&item.days)));
    }
    lines.push(format!("amount: {}", item.formula));
    if let Some(number) = item.repairs.or(item.discounts) {
        let what = if item.repairs.is_some() { "corrects" } else { "comes off" };
        let about = about.filter(|about| about.number == number).map(|about| {
            let days =
                if about.days.is_empty() { about.days.from.to_string() } else { days(&about.days) };
            format!(": {}, {days}, {}", about.label, show(about.amount, currency))
        });
        lines.push(format!("{what}: line {number}{}", about.unwrap_or_default()));
    }
    if let Some(number) = item.event {
        let told = event.filter(|event| event.number == number);
        let told = told.map(|event| said(event, currency)).transpose()?;
        let told = told.map(|told| format!(": {told}")).unwrap_or_default();
        lines.push(format!("because of: event {number}{told}"));
    }
    if !item.policy.is_empty() {
        lines.push(format!("policy: {}", item.policy));
    }
    for part in &item.tax {
        let of = if item.tax_included { "in" } else { "on" };
        let compound = item.taxes.iter().any(|tax| tax.name == part.name && tax.compound);
        let and = if compound { " and the taxes before it" } else { "" };
        let from = match (item.own_taxes, item.repairs.is_some()) {
            (_, true) => "as it was charged",
            (true, false) => "of the service or charge itself",
            (false, false) => "of the customer",
        };
        lines.push(format!(
            "tax: {} {} % {of} {}{and}, {from}: {}",
            part.name,
            percent(part.rate)?,
            show(item.amount, currency),
            show(part.amount, currency),
        ));
    }
    Ok(lines)
}

/// Days as people say them, the last one included.
fn days(days: &Interval) -> String {
    match days.to.yesterday() {
        Ok(last) if last > days.from => format!("{} to {last}", days.from),
        _ => days.from.to_string(),
    }
}

fn percent(share: Exact) -> Result<String, TooLarge> {
    Ok(share.times(Exact::whole(100))?.show(0))
}

/// What happened, as a sentence without its end.
fn said(event: &Event, currency: Currency) -> Result<String, TooLarge> {
    let who = event.service.as_deref().unwrap_or("the account");
    let at = event.at;
    Ok(match &event.action {
        Action::Start(offer) => format!("{who} starts on {at}: {}", offered(offer, currency)?),
        Action::Change(change) => format!("{who} changes on {at}: {}", changed(change, currency)?),
        Action::Pause => format!("{who} is paused on {at}"),
        Action::Resume => format!("{who} goes on on {at}"),
        Action::Cancel => format!("{who} is cancelled on {at}"),
        Action::Block { reason, .. } => format!("{who} is blocked on {at}: {reason}"),
        Action::Unblock { reason: Some(reason) } => {
            format!("the block of {who} is lifted on {at}: {reason}")
        }
        Action::Unblock { reason: None } => format!("the blocks of {who} are lifted on {at}"),
        Action::Charge(what) => format!("{who} is charged on {at}: {}", what.text),
        Action::Adjust(what) => format!("{who} is corrected on {at}: {}", what.text),
        Action::Discount(discount) => discounted(who, at, discount, currency)?,
        Action::Credit(amount) => format!("credit on {at}: {}", show(*amount, currency)),
        Action::Payment(amount) => format!("a payment on {at}: {}", show(*amount, currency)),
        Action::Refund(amount) => format!("a refund on {at}: {}", show(*amount, currency)),
    })
}

fn offered(offer: &Offer, currency: Currency) -> Result<String, TooLarge> {
    let change = Change {
        plan: None,
        price: None,
        length: None,
        billing_day: offer.billing_day,
        billing_month: offer.billing_month,
        mode: Some(offer.mode),
        taxes: offer.taxes.clone(),
    };
    let mut text = format!(
        "{}, {} a {}, {}",
        offer.plan,
        show(offer.price, currency),
        offer.length.words(),
        changed(&change, currency)?,
    );
    if offer.trial_days > 0 {
        text.push_str(&format!(", the first {} days free", offer.trial_days));
    }
    Ok(text)
}

fn changed(change: &Change, currency: Currency) -> Result<String, TooLarge> {
    let mut parts = Vec::new();
    if let Some(plan) = &change.plan {
        parts.push(plan.clone());
    }
    if let Some(price) = change.price {
        parts.push(show(price, currency));
    }
    if let Some(length) = change.length {
        parts.push(format!("a {}", length.words()));
    }
    if let Some(mode) = change.mode {
        let words = match mode {
            Mode::Advance => "in advance",
            Mode::Arrears => "in arrears",
        };
        parts.push(words.to_owned());
    }
    if let Some(day) = change.billing_day {
        parts.push(format!("billing day {day}"));
    }
    if let Some(month) = change.billing_month {
        parts.push(format!("billing month {month}"));
    }
    if let Some(taxes) = &change.taxes {
        parts.push(taxed(taxes)?);
    }
    Ok(if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") })
}

fn taxed(taxes: &[Tax]) -> Result<String, TooLarge> {
    let mut parts = Vec::new();
    for tax in taxes {
        parts.push(format!("{} {} %", tax.name, percent(tax.rate)?));
    }
    Ok(if parts.is_empty() { "no tax".to_owned() } else { parts.join(" and ") })
}

fn discounted(
    who: &str,
    at: Date,
    discount: &Discount,
    currency: Currency,
) -> Result<String, TooLarge> {
    let off = match discount.off {
        Off::Share(share) => format!("{} %", percent(share)?),
        Off::Amount(amount) => show(amount, currency),
    };
    Ok(match (discount.once, discount.until) {
        (true, _) => format!("a coupon for {who} from {at}: {off} off, {}", discount.text),
        (false, None) => format!("a discount for {who} from {at}: {off} off, {}", discount.text),
        (false, Some(until)) => {
            let days = days(&Interval::new(at, until));
            format!("a discount for {who}, {days}: {off} off, {}", discount.text)
        }
    })
}
