//! What a provider may decide for itself, as data. docs/billing-policy.md describes every key to
//! the people who set them; [`KEYS`] is the same list for programs.

use crate::exact::Rounding;
use crate::words::choice;

choice! {
    /// How part of a period is priced.
    Proration, default Actual {
        /// Days of the piece over days of the period it lies in.
        Actual = "actual",
        /// As if every month had 30 days: the 31st is free, the last of February counts for two
        /// or three. Periods of days are reckoned as `actual`.
        Fixed30 = "fixed_30",
        /// Not at all: a period once begun is owed whole at the price it began with.
        None = "none",
    }
}

choice! {
    /// When the piece before the first billing day is invoiced.
    LeadingPeriod, default Separate {
        /// At once, on its own.
        Separate = "separate",
        /// With the first whole period.
        WithNext = "with_next",
    }
}

choice! {
    /// From when a change of plan or price counts.
    ChangeEffect, default Immediate {
        /// From its day on.
        Immediate = "immediate",
        /// From the first boundary on or after its day.
        NextPeriod = "next_period",
    }
}

choice! {
    /// Where tax is rounded.
    TaxRounding, default Line {
        /// On each line; the document's tax is their sum.
        Line = "line",
        /// Once per tax of a document; what the lines' own rounding misses goes, a minor unit
        /// each, to the lines it is nearest to.
        Document = "document",
    }
}

choice! {
    /// When tax becomes due to the authority.
    TaxPoint, default Invoice {
        /// With the document.
        Invoice = "invoice",
        /// With the money, in proportion.
        Payment = "payment",
    }
}

/// What a change of plan costs, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeFee {
    /// Where the price per day rises or stays.
    pub upgrade: i64,
    /// Where it falls.
    pub downgrade: i64,
}

/// The rules of one customer's billing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How part of a period is priced.
    pub proration: Proration,
    /// When the piece before the first billing day is invoiced.
    pub leading_period: LeadingPeriod,
    /// Whether the day of a cancellation, pause or block is still billed.
    pub end_day_billed: bool,
    /// From when a change counts.
    pub change_effect: ChangeEffect,
    /// Whether days paid in advance come back when a service is cancelled or held.
    pub credit_unused: bool,
    /// Whether a blocked service is not billed, where the block itself does not say.
    pub block_stops_billing: bool,
    /// What a change costs.
    pub change_fee: ChangeFee,
    /// Where tax is rounded.
    pub tax_rounding: TaxRounding,
    /// Where halves go.
    pub rounding: Rounding,
    /// Documents to be paid come to a multiple of this many minor units.
    pub cash_rounding: Option<i64>,
    /// When tax becomes due.
    pub tax_point: TaxPoint,
    /// Whether prices are what the customer pays in the end, tax included.
    pub prices_include_tax: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            proration: Proration::default(),
            leading_period: LeadingPeriod::default(),
            end_day_billed: false,
            change_effect: ChangeEffect::default(),
            credit_unused: true,
            block_stops_billing: false,
            change_fee: ChangeFee::default(),
            tax_rounding: TaxRounding::default(),
            rounding: Rounding::default(),
            cash_rounding: None,
            tax_point: TaxPoint::default(),
            prices_include_tax: false,
        }
    }
}

/// One key of the policy.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in settings and files.
    pub name: &'static str,
    /// What it may be.
    pub values: &'static [&'static str],
    /// What it is where nobody said.
    pub default: &'static str,
}

const YES_NO: &[&str] = &["true", "false"];

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    Key { name: "proration", values: Proration::WORDS, default: "actual" },
    Key { name: "leading_period", values: LeadingPeriod::WORDS, default: "separate" },
    Key { name: "end_day_billed", values: YES_NO, default: "false" },
    Key { name: "change_effect", values: ChangeEffect::WORDS, default: "immediate" },
    Key { name: "credit_unused", values: YES_NO, default: "true" },
    Key { name: "block_stops_billing", values: YES_NO, default: "false" },
    Key { name: "change_fee", values: &["an amount", "{upgrade, downgrade}"], default: "0" },
    Key { name: "tax_rounding", values: TaxRounding::WORDS, default: "line" },
    Key { name: "rounding", values: Rounding::WORDS, default: "half_up" },
    Key { name: "cash_rounding", values: &["an amount", "none"], default: "none" },
    Key { name: "tax_point", values: TaxPoint::WORDS, default: "invoice" },
    Key { name: "prices_include_tax", values: YES_NO, default: "false" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_operators_lists_every_key_value_and_default() {
        let page = include_str!("../../../docs/billing-policy.md");
        for key in KEYS {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", key.name)))
                .unwrap_or_else(|| panic!("no row for {}", key.name));
            for value in key.values {
                assert!(row.contains(value), "{}: {value} is missing in {row}", key.name);
            }
            assert!(row.contains(&format!("| `{}` |", key.default)), "{}: {row}", key.name);
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert!(rows >= KEYS.len());
    }

    #[test]
    fn the_list_says_the_defaults_that_are_in_force() {
        let policy = Policy::default();
        let said = |name: &str| KEYS.iter().find(|key| key.name == name).unwrap().default;
        assert_eq!(said("proration"), policy.proration.word());
        assert_eq!(said("leading_period"), policy.leading_period.word());
        assert_eq!(said("end_day_billed"), policy.end_day_billed.to_string());
        assert_eq!(said("change_effect"), policy.change_effect.word());
        assert_eq!(said("credit_unused"), policy.credit_unused.to_string());
        assert_eq!(said("block_stops_billing"), policy.block_stops_billing.to_string());
        assert_eq!(said("tax_rounding"), policy.tax_rounding.word());
        assert_eq!(said("rounding"), policy.rounding.word());
        assert_eq!(said("tax_point"), policy.tax_point.word());
        assert_eq!(said("prices_include_tax"), policy.prices_include_tax.to_string());
        assert_eq!((policy.change_fee, policy.cash_rounding), (ChangeFee::default(), None));
    }
}
