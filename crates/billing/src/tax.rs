//! Taxes of a line and of a document.
//!
//! Rates become shares of the net amount first (a compound tax is also charged on the taxes before
//! it), so that every tax of a line is one exact multiplication, rounded once. Where prices
//! include tax the gross amount is law: the taxes come out of it and the net is what remains.

use crate::exact::{Exact, TooLarge, sum};
use crate::item::Item;
use crate::policy::{Policy, TaxRounding};

/// One tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tax {
    /// What documents call it.
    pub name: String,
    /// The rate as a share: 1/5 is 20 %.
    pub rate: Exact,
    /// Whether it is charged on the taxes before it too.
    pub compound: bool,
}

/// What one tax of one line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxPart {
    /// The tax.
    pub name: String,
    /// Its rate.
    pub rate: Exact,
    /// Minor units.
    pub amount: i64,
}

/// Each tax as a share of an amount as priced: of the net, or of the gross where prices include
/// tax.
fn shares(taxes: &[Tax], included: bool) -> Result<Vec<Exact>, TooLarge> {
    let mut shares = Vec::with_capacity(taxes.len());
    let mut together = Exact::ZERO;
    for tax in taxes {
        let base = if tax.compound { Exact::ONE.plus(together)? } else { Exact::ONE };
        let share = tax.rate.times(base)?;
        together = together.plus(share)?;
        shares.push(share);
    }
    if !included {
        return Ok(shares);
    }
    let gross = Exact::ONE.plus(together)?;
    shares.into_iter().map(|share| share.by(gross)).collect()
}

/// The taxes of an amount as priced, each rounded.
fn on(amount: i64, item: &Item, policy: &Policy) -> Result<Vec<TaxPart>, TooLarge> {
    let shares = shares(&item.taxes, item.tax_included)?;
    item.taxes
        .iter()
        .zip(shares)
        .map(|(tax, share)| {
            let amount = share.times(Exact::whole(amount))?.round(policy.rounding)?;
            Ok(TaxPart { name: tax.name.clone(), rate: tax.rate, amount })
        })
        .collect()
}

/// Fills in the taxes of a document's new lines.
///
/// A repair takes back what was taxed: the tax that stands on its item, less the tax of what
/// remains of it, so that nothing is left when everything has been given back. A line that does not
/// fit with its taxes is refused.
pub fn assess(new: &mut [Item], existing: &[Item], policy: &Policy) -> Result<(), TooLarge> {
    for index in 0..new.len() {
        let (before, rest) = new.split_at_mut(index);
        let Some((line, _)) = rest.split_first_mut() else { continue };
        line.tax = match line.repairs {
            None => on(line.amount, line, policy)?,
            Some(number) => {
                let billed = |item: &&Item| item.number == number || item.repairs == Some(number);
                let lines: Vec<&Item> =
                    existing.iter().filter(billed).chain(before.iter().filter(billed)).collect();
                taken_back(line, &lines, policy)?
            }
        };
    }
    if policy.tax_rounding == TaxRounding::Document {
        level(new, policy)?;
    }
    for line in &*new {
        line.gross()?;
    }
    Ok(())
}

/// The tax of a repair; `lines` are its item and that item's repairs before this one.
fn taken_back(repair: &Item, lines: &[&Item], policy: &Policy) -> Result<Vec<TaxPart>, TooLarge> {
    let left = sum(lines.iter().map(|line| line.amount).chain([repair.amount]))?;
    let mut parts = on(left, repair, policy)?;
    for part in &mut parts {
        let same = |charged: &&TaxPart| charged.name == part.name && charged.rate == part.rate;
        let charged = lines.iter().flat_map(|line| &line.tax).filter(same);
        let charged = sum(charged.map(|charged| charged.amount))?;
        let wanted = if left == 0 { 0 } else { part.amount };
        part.amount = wanted.checked_sub(charged).ok_or(TooLarge)?;
    }
    Ok(parts)
}

/// Makes each tax of the new charges come to its rounding over the whole document.
fn level(new: &mut [Item], policy: &Policy) -> Result<(), TooLarge> {
    let mut names: Vec<(String, Exact)> = Vec::new();
    for part in new.iter().filter(|item| item.repairs.is_none()).flat_map(|item| &item.tax) {
        if !names.iter().any(|(name, rate)| *name == part.name && *rate == part.rate) {
            names.push((part.name.clone(), part.rate));
        }
    }
    for (name, rate) in names {
        // (line, place of the tax in it, exact tax, rounded tax)
        let mut lines: Vec<(usize, usize, Exact, i64)> = Vec::new();
        let mut exact_sum = Exact::ZERO;
        for (index, item) in new.iter().enumerate().filter(|(_, item)| item.repairs.is_none()) {
            let found = item.tax.iter().position(|part| part.name == name && part.rate == rate);
            let Some(place) = found else { continue };
            let share = shares(&item.taxes, item.tax_included)?[place];
            let exact = share.times(Exact::whole(item.amount))?;
            exact_sum = exact_sum.plus(exact)?;
            lines.push((index, place, exact, item.tax[place].amount));
        }
        let rounded = sum(lines.iter().map(|line| line.3))?;
        let mut missing = exact_sum.round(policy.rounding)?.checked_sub(rounded).ok_or(TooLarge)?;
        let step = missing.signum();
        // Those whose own rounding went furthest the other way come first.
        let mut by_error: Vec<(Exact, usize, usize)> = Vec::with_capacity(lines.len());
        for (index, place, exact, amount) in lines {
            let error = Exact::whole(amount).minus(exact)?.times(Exact::whole(step))?;
            by_error.push((error, index, place));
        }
        let mut failed = None;
        by_error.sort_by(|a, b| {
            compare(a.0, b.0)
                .unwrap_or_else(|error| {
                    failed = Some(error);
                    std::cmp::Ordering::Equal
                })
                .then(a.1.cmp(&b.1))
        });
        if let Some(error) = failed {
            return Err(error);
        }
        for (_, index, place) in by_error {
            if missing == 0 {
                break;
            }
            new[index].tax[place].amount += step;
            missing -= step;
        }
    }
    Ok(())
}

fn compare(a: Exact, b: Exact) -> Result<std::cmp::Ordering, TooLarge> {
    let difference = a.minus(b)?;
    Ok(if difference.is_negative() {
        std::cmp::Ordering::Less
    } else if difference == Exact::ZERO {
        std::cmp::Ordering::Equal
    } else {
        std::cmp::Ordering::Greater
    })
}

#[cfg(test)]
#[allow(clippy::inconsistent_digit_grouping, reason = "100_00 is 100.00")]
mod tests {
    use super::*;
    use crate::exact::Rounding;
    use crate::item::tests::charge;

    fn tax(name: &str, percent: &str, compound: bool) -> Tax {
        let rate = Exact::decimal(percent, 4).unwrap().by(Exact::whole(100)).unwrap();
        Tax { name: name.to_owned(), rate, compound }
    }

    fn assessed(amounts: &[i64], taxes: &[Tax], policy: &Policy) -> Vec<Item> {
        let mut items: Vec<Item> = amounts
            .iter()
            .zip(1..)
            .map(|(&amount, number)| Item {
                taxes: taxes.to_vec(),
                tax_included: policy.prices_include_tax,
                ..charge(number, amount)
            })
            .collect();
        assess(&mut items, &[], policy).unwrap();
        items
    }

    fn parts(item: &Item) -> Vec<i64> {
        item.tax.iter().map(|part| part.amount).collect()
    }

    fn sums(items: &[Item]) -> Vec<i64> {
        items.iter().map(|item| item.tax_sum().unwrap()).collect()
    }

    #[test]
    fn four_compound_taxes_of_four_decimals_are_exact() {
        let taxes = ["9.9751", "5.1233", "1.2347", "3.3331"].map(|rate| tax(rate, rate, true));
        let items = assessed(&[10_00], &taxes, &Policy::default());
        assert_eq!(parts(&items[0]), [1_00, 56, 14, 39]);
        let policy = Policy { prices_include_tax: true, ..Policy::default() };
        let items = assessed(&[10_00], &taxes, &policy);
        assert_eq!(items[0].gross(), Ok(10_00));
    }

    #[test]
    fn a_compound_tax_is_charged_on_the_taxes_before_it() {
        let taxes = [tax("GST", "5", false), tax("QST", "9.5", true)];
        let items = assessed(&[100_00], &taxes, &Policy::default());
        assert_eq!(parts(&items[0]), [5_00, 9_98], "9.5 % of 105.00 is 9.975");
        let even = Policy { rounding: Rounding::HalfEven, ..Policy::default() };
        assert_eq!(parts(&assessed(&[100_00], &taxes, &even)[0]), [5_00, 9_98]);
    }

    #[test]
    fn included_tax_comes_out_of_a_gross_that_does_not_move() {
        let taxes = [tax("CGST", "9", false), tax("SGST", "9", false)];
        let policy = Policy { prices_include_tax: true, ..Policy::default() };
        let items = assessed(&[999_00, 1], &taxes, &policy);
        assert_eq!(parts(&items[0]), [76_19, 76_19], "both halves are the same");
        assert_eq!(items[0].net(), Ok(846_62));
        assert_eq!(items[0].gross(), Ok(999_00));
        assert_eq!(items[1].gross(), Ok(1));
    }

    #[test]
    fn a_document_rounded_once_still_is_the_sum_of_its_lines() {
        let taxes = [tax("VAT", "15", false)];
        let lines = assessed(&[43, 43, 43, 43], &taxes, &Policy::default());
        assert_eq!(
            lines.iter().map(Item::tax_sum).sum::<Result<i64, TooLarge>>(),
            Ok(24),
            "0.0645 each, four times 0.06"
        );
        let policy = Policy { tax_rounding: TaxRounding::Document, ..Policy::default() };
        let lines = assessed(&[43, 43, 43, 43], &taxes, &policy);
        assert_eq!(sums(&lines), [7, 7, 6, 6]);
    }

    #[test]
    fn repairs_in_two_steps_give_back_all_of_the_tax() {
        let taxes = [tax("VAT", "20", false)];
        let policy = Policy::default();
        let billed = assessed(&[9_99], &taxes, &policy);
        let repair = |number, amount| Item {
            repairs: Some(1),
            taxes: taxes.to_vec(),
            ..charge(number, amount)
        };
        let mut repairs = [repair(2, -3_33), repair(3, -6_66)];
        assess(&mut repairs, &billed, &policy).unwrap();
        assert_eq!(billed[0].tax_sum(), Ok(2_00));
        assert_eq!(sums(&repairs), [-67, -1_33]);
    }

    #[test]
    fn absurd_rates_are_refused_and_do_not_panic() {
        let taxes: Vec<Tax> = (0..9).map(|_| tax("T", "99.9999", true)).collect();
        let item = Item { taxes, ..charge(1, 1) };
        assert_eq!(assess(&mut [item], &[], &Policy::default()), Err(TooLarge));
    }
}
