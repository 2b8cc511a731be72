//! Documents and the money against them: totals, account credit, what is owed.
//!
//! No document is negative. Where lines give back more than they charge, the document comes to
//! nothing and the rest is account credit, which pays what is owed already, oldest first, and
//! then whatever comes next. So an account never has credit and debts at once.

use jiff::civil::Date;

use crate::exact::{Exact, TooLarge, sum};
use crate::item::Item;
use crate::policy::{Policy, TaxPoint};

/// One tax of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxTotal {
    /// The tax.
    pub name: String,
    /// Its rate as a share.
    pub rate: Exact,
    /// What it was charged on, without tax.
    pub base: i64,
    /// What it comes to.
    pub amount: i64,
}

/// What a run makes of its items. All amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The day of the run.
    pub date: Date,
    /// The lines without tax.
    pub subtotal: i64,
    /// The tax of the lines.
    pub tax: i64,
    /// The same by tax, in the order the lines name them.
    pub taxes: Vec<TaxTotal>,
    /// What cash rounding added or took.
    pub rounding: i64,
    /// What went to the account credit because the lines were negative together.
    pub to_credit: i64,
    /// `subtotal + tax + rounding + to_credit`; never negative.
    pub total: i64,
    /// Paid from the account credit at once.
    pub credit_used: i64,
    /// `total − credit_used`.
    pub due: i64,
    /// Tax that became due to the authority since the document before, by the policy's tax point.
    pub tax_due: i64,
}

/// A document as far as money goes.
#[derive(Debug, Clone)]
struct Debt {
    total: i64,
    tax: i64,
    paid: i64,
    /// Tax already declared for what was paid.
    declared: i64,
}

/// What a customer owes and has. After an error a call may have done half of its work: of such an
/// account nothing is to be kept.
#[derive(Debug, Clone, Default)]
pub struct Account {
    credit: i64,
    debts: Vec<Debt>,
    /// What is not paid of the debts.
    outstanding: i64,
    /// Tax that became due with payments and is not in a document yet.
    tax_due: i64,
}

impl Account {
    /// Money the customer has with us.
    pub fn credit(&self) -> i64 {
        self.credit
    }

    /// What is owed on all documents together.
    pub fn outstanding(&self) -> i64 {
        self.outstanding
    }

    /// Money, or credit given: pays what is owed, oldest first; the rest stays as credit.
    pub fn receive(&mut self, amount: i64, policy: &Policy) -> Result<(), TooLarge> {
        let mut left = amount;
        for debt in &mut self.debts {
            let paid = left.min(debt.total - debt.paid);
            if paid > 0 {
                left -= paid;
                self.outstanding -= paid;
                self.tax_due = sum([self.tax_due, debt.pay(paid, policy)?])?;
            }
        }
        self.credit = sum([self.credit, left])?;
        Ok(())
    }

    /// Money paid back: out of the credit first; what goes beyond it makes the newest payments
    /// undone, and what was more than ever was paid is owed.
    pub fn refund(&mut self, amount: i64, policy: &Policy) -> Result<(), TooLarge> {
        let from_credit = amount.min(self.credit);
        self.credit -= from_credit;
        let mut left = amount - from_credit;
        for debt in self.debts.iter_mut().rev() {
            let back = left.min(debt.paid);
            if back > 0 {
                left -= back;
                self.outstanding = sum([self.outstanding, back])?;
                self.tax_due = sum([self.tax_due, debt.pay(-back, policy)?])?;
            }
        }
        self.owe(Debt { total: left, tax: 0, paid: 0, declared: 0 })
    }

    fn owe(&mut self, debt: Debt) -> Result<(), TooLarge> {
        if debt.total > 0 {
            self.outstanding = sum([self.outstanding, debt.total - debt.paid])?;
            self.debts.push(debt);
        }
        Ok(())
    }

    /// Makes the document of a run's items, whose taxes are assessed, and pays it from the credit.
    pub fn post(
        &mut self,
        date: Date,
        items: &[Item],
        policy: &Policy,
    ) -> Result<Document, TooLarge> {
        let nets = items.iter().map(Item::net).collect::<Result<Vec<i64>, TooLarge>>()?;
        let subtotal = sum(nets)?;
        let tax = sum(items.iter().flat_map(|item| &item.tax).map(|part| part.amount))?;
        let lines = sum([subtotal, tax])?;
        let to_credit = lines.checked_neg().ok_or(TooLarge)?.max(0);
        let rounding = match policy.cash_rounding {
            Some(step) if lines > 0 && step > 0 => {
                let steps = Exact::ratio(i128::from(lines), i128::from(step))?;
                let rounded = steps.round(policy.rounding)?;
                rounded.checked_mul(step).ok_or(TooLarge)? - lines
            }
            _ => 0,
        };
        let total = sum([lines, rounding, to_credit])?;
        let credit_used = total.min(self.credit);
        self.credit -= credit_used;
        // Tax of a document nothing is to be paid on has no payment to wait for.
        let at_once = policy.tax_point == TaxPoint::Invoice || total == 0;
        let mut debt = Debt { total, tax: if at_once { 0 } else { tax }, paid: 0, declared: 0 };
        if at_once {
            self.tax_due = sum([self.tax_due, tax])?;
        }
        if credit_used > 0 {
            self.tax_due = sum([self.tax_due, debt.pay(credit_used, policy)?])?;
        }
        self.owe(debt)?;
        if to_credit > 0 {
            self.receive(to_credit, policy)?;
        }
        Ok(Document {
            date,
            subtotal,
            tax,
            taxes: tax_totals(items)?,
            rounding,
            to_credit,
            total,
            credit_used,
            due: total - credit_used,
            tax_due: std::mem::take(&mut self.tax_due),
        })
    }
}

impl Debt {
    /// Takes a payment in, or back, and says how much tax that makes due.
    fn pay(&mut self, amount: i64, policy: &Policy) -> Result<i64, TooLarge> {
        self.paid = sum([self.paid, amount])?;
        let paid_tax = i128::from(self.tax) * i128::from(self.paid);
        let declared = Exact::ratio(paid_tax, i128::from(self.total))?.round(policy.rounding)?;
        let due = declared.checked_sub(self.declared).ok_or(TooLarge)?;
        self.declared = declared;
        Ok(due)
    }
}

fn tax_totals(items: &[Item]) -> Result<Vec<TaxTotal>, TooLarge> {
    let mut totals: Vec<TaxTotal> = Vec::new();
    for item in items {
        for part in &item.tax {
            let base = item.net()?;
            let same = |total: &&mut TaxTotal| total.name == part.name && total.rate == part.rate;
            match totals.iter_mut().find(same) {
                Some(total) => {
                    total.base = sum([total.base, base])?;
                    total.amount = sum([total.amount, part.amount])?;
                }
                None => totals.push(TaxTotal {
                    name: part.name.clone(),
                    rate: part.rate,
                    base,
                    amount: part.amount,
                }),
            }
        }
    }
    Ok(totals)
}

#[cfg(test)]
#[allow(clippy::inconsistent_digit_grouping, reason = "100_00 is 100.00")]
mod tests {
    use super::*;
    use crate::item::tests::charge;
    use crate::tax::TaxPart;

    const DAY: Date = Date::constant(2024, 3, 5);

    /// A line with tax of a fifth.
    fn taxed(amount: i64) -> Item {
        let rate = Exact::ratio(1, 5).unwrap();
        let part = TaxPart { name: "VAT".to_owned(), rate, amount: amount / 5 };
        Item { tax: vec![part], ..charge(1, amount) }
    }

    #[test]
    fn credit_pays_and_a_negative_document_becomes_credit() {
        let (mut account, policy) = (Account::default(), Policy::default());
        let first = account.post(DAY, &[charge(1, -20_00)], &policy).unwrap();
        assert_eq!((first.total, first.to_credit, account.credit()), (0, 20_00, 20_00));
        let second = account.post(DAY, &[charge(2, 100_00)], &policy).unwrap();
        assert_eq!((second.total, second.credit_used, second.due), (100_00, 20_00, 80_00));
        assert_eq!((account.credit(), account.outstanding()), (0, 80_00));
    }

    #[test]
    fn what_is_given_back_pays_what_is_owed_before_it_is_credit() {
        let (mut account, policy) = (Account::default(), Policy::default());
        account.post(DAY, &[charge(1, 100_00)], &policy).unwrap();
        account.post(DAY, &[charge(2, -130_00)], &policy).unwrap();
        assert_eq!((account.credit(), account.outstanding()), (30_00, 0));
    }

    #[test]
    fn refunds_beyond_the_credit_are_owed_again() {
        let (mut account, policy) = (Account::default(), Policy::default());
        account.post(DAY, &[charge(1, 100_00)], &policy).unwrap();
        account.receive(105_00, &policy).unwrap();
        account.refund(10_00, &policy).unwrap();
        assert_eq!((account.credit(), account.outstanding()), (0, 5_00));
        account.refund(200_00, &policy).unwrap();
        assert_eq!((account.credit(), account.outstanding()), (0, 205_00));
    }

    #[test]
    fn what_does_not_fit_an_amount_is_refused_and_does_not_wrap() {
        let (account, policy) = (Account::default(), Policy::default());
        let half = i64::MAX / 2 + 1;
        let post = |items: &[Item]| account.clone().post(DAY, items, &policy).map(|_| ());
        assert_eq!(post(&[charge(1, half), charge(2, half)]), Err(TooLarge));
        assert_eq!(post(&[charge(1, -half), charge(2, -half)]), Err(TooLarge), "no −2^63 either");
        assert_eq!(post(&[taxed(half), charge(2, half - half / 5)]), Err(TooLarge), "with its tax");
        let bases = [taxed(i64::MAX / 6 * 5), Item { amount: i64::MAX / 6, ..taxed(0) }];
        assert_eq!(post(&bases), Err(TooLarge), "lines and tax fit each alone");

        let mut account = Account::default();
        account.post(DAY, &[charge(1, half)], &policy).unwrap();
        assert_eq!(account.post(DAY, &[charge(2, half)], &policy), Err(TooLarge), "owed together");
        let mut account = Account::default();
        account.receive(half, &policy).unwrap();
        assert_eq!(account.receive(half, &policy), Err(TooLarge), "credit");
        let mut account = Account::default();
        account.refund(half, &policy).unwrap();
        assert_eq!(account.refund(half, &policy), Err(TooLarge), "refunds beyond all payments");
    }

    #[test]
    fn cash_is_rounded_on_the_total_and_never_on_credit() {
        let policy = Policy { cash_rounding: Some(5), ..Policy::default() };
        let mut account = Account::default();
        for (lines, total) in [(10_02, 10_00), (10_03, 10_05), (2, 0), (-10_02, 0)] {
            let document = account.post(DAY, &[charge(1, lines)], &policy).unwrap();
            assert_eq!(document.total, total, "{lines}");
            let sum = document.subtotal + document.tax + document.rounding + document.to_credit;
            assert_eq!(sum, total);
        }
    }

    #[test]
    fn tax_at_payment_is_declared_in_proportion_and_in_full_at_the_end() {
        let policy = Policy { tax_point: TaxPoint::Payment, ..Policy::default() };
        let mut account = Account::default();
        let posted = account.post(DAY, &[taxed(100_00)], &policy).unwrap();
        assert_eq!((posted.total, posted.tax_due), (120_00, 0));
        account.receive(33_33, &policy).unwrap();
        let next = account.post(DAY, &[], &policy).unwrap();
        assert_eq!(next.tax_due, 5_56, "33.33 / 120.00 of 20.00 is 5.555");
        account.receive(100_00, &policy).unwrap();
        assert_eq!(account.post(DAY, &[], &policy).unwrap().tax_due, 14_44);
        account.refund(13_33 + 12_00, &policy).unwrap();
        assert_eq!(account.post(DAY, &[], &policy).unwrap().tax_due, -2_00);
    }

    #[test]
    fn tax_at_invoice_is_declared_with_the_document() {
        let (mut account, policy) = (Account::default(), Policy::default());
        assert_eq!(account.post(DAY, &[taxed(100_00)], &policy).unwrap().tax_due, 20_00);
        account.receive(120_00, &policy).unwrap();
        assert_eq!(account.post(DAY, &[], &policy).unwrap().tax_due, 0);
    }
}
