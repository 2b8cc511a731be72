//! Lines of documents: what the generator makes and, on its next run, reads.

use crate::exact::{Exact, TooLarge, sum};
use crate::interval::Interval;
use crate::period::Period;
use crate::tax::{Tax, TaxPart};
use crate::words::choice;

choice! {
    /// What a line is.
    Kind, default Recurring {
        /// Days of a service.
        Recurring = "recurring",
        /// Less to pay for other lines.
        Discount = "discount",
        /// A one-time charge.
        OneTime = "one_time",
        /// A correction somebody made.
        Adjustment = "adjustment",
        /// The fee for changing a plan.
        ChangeFee = "change_fee",
        /// What an earlier line charged too much, or gave too much, taken back.
        Repair = "repair",
    }
}

/// One line. Never edited once it was made: a [`Kind::Repair`] puts right what events of the past
/// made wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The customer's items count from 1. Two runs that raced would give the same number, which
    /// the database refuses.
    pub number: u64,
    /// The service, where it is about one.
    pub service: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The plan, or what for.
    pub label: String,
    /// The days it is for; empty, at its day, where it is not for days.
    pub days: Interval,
    /// What it is part of, for days of a service and discounts on them.
    pub of: Option<Recurrence>,
    /// Minor units as priced: gross where prices include tax, else net.
    pub amount: i64,
    /// The taxes that apply.
    pub taxes: Vec<Tax>,
    /// Whether they are those of the service or the charge, and not the customer's.
    pub own_taxes: bool,
    /// Whether `amount` includes them.
    pub tax_included: bool,
    /// What they come to; [`crate::tax::assess`] fills it in.
    pub tax: Vec<TaxPart>,
    /// The item this repairs.
    pub repairs: Option<u64>,
    /// The item a coupon was used on.
    pub discounts: Option<u64>,
    /// The event behind it.
    pub event: Option<u64>,
    /// How much of what: `24 of 31 days`.
    pub quantity_note: String,
    /// How the amount came about, as people reckon.
    pub formula: String,
    /// The policy that decided about it, as it was: `proration = actual, rounding = half_up`;
    /// empty where none did.
    pub policy: String,
}

/// A price that comes back every period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recurrence {
    /// The price of the whole period, in minor units; negative for a discount.
    pub price: Exact,
    /// The period.
    pub period: Period,
    /// The event of the discount.
    pub discount: Option<u64>,
}

impl Item {
    /// All its tax.
    pub fn tax_sum(&self) -> Result<i64, TooLarge> {
        sum(self.tax.iter().map(|part| part.amount))
    }

    /// The amount without tax.
    pub fn net(&self) -> Result<i64, TooLarge> {
        let included = if self.tax_included { self.tax_sum()? } else { 0 };
        self.amount.checked_sub(included).ok_or(TooLarge)
    }

    /// The amount with tax.
    pub fn gross(&self) -> Result<i64, TooLarge> {
        sum([self.net()?, self.tax_sum()?])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::Date;

    use super::*;

    /// A one-time charge without tax.
    pub(crate) fn charge(number: u64, amount: i64) -> Item {
        let day = Date::constant(2024, 3, 5);
        Item {
            number,
            service: None,
            kind: Kind::OneTime,
            label: "charge".to_owned(),
            days: Interval::new(day, day),
            of: None,
            amount,
            taxes: Vec::new(),
            own_taxes: false,
            tax_included: false,
            tax: Vec::new(),
            repairs: None,
            discounts: None,
            event: Some(number),
            quantity_note: String::new(),
            formula: String::new(),
            policy: String::new(),
        }
    }
}
