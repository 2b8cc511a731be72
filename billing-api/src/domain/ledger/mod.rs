//! The ledger: double entry, written once.
//!
//! An entry is one amount that goes from one account (credit) to another (debit) in the books of
//! one legal entity, so there is no way to write one that is out of balance. What was wrong is
//! not changed: its reversal is written, the same amounts the other way round. The database
//! refuses updates and deletions, and its keys keep both sides of an entry in the same books and
//! in one currency.
//!
//! A customer's account is the account `receivable`, seen through the entries that name the
//! customer: what is above zero is owed by them, below zero it is their credit. Balances are sums
//! of entries and nowhere kept.
//!
//! - this file: accounts, posting and reversing.
//! - [`records`]: accounts and entries as the API lists them.
//! - [`statement`]: one customer's entries with their balance; the trial balance.
//! - [`verify`]: everything computed again from the entries and their documents.

pub(crate) mod records;
pub(crate) mod statement;
pub(crate) mod verify;

#[cfg(test)]
mod tests;

use jiff::civil::Date;
use model::{CustomerId, OrganisationId};
use store::{StoreError, args};
use uuid::Uuid;

use super::calendar::Calendar;
use super::{Fault, Unit};
use crate::store::ledger as sql;

/// An account of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// What customers owe; below zero, what is owed to them.
    Receivable,
    /// Notes and coins.
    Cash,
    /// At the bank.
    Bank,
    /// Cheques that are not cleared yet.
    Cheques,
    /// What a card processor owes.
    Cards,
    /// What an operator of mobile money owes.
    MobileMoney,
    /// Any other way to pay.
    OtherMoney,
    /// Charged by hand.
    Charges,
    /// Credited by hand: what was earned is less by it.
    Allowances,
}

impl Account {
    /// Its code in the books.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Cash => "cash",
            Self::Bank => "bank",
            Self::Cheques => "cheques",
            Self::Cards => "cards",
            Self::MobileMoney => "mobile_money",
            Self::OtherMoney => "other_money",
            Self::Charges => "charges",
            Self::Allowances => "allowances",
        }
    }

    /// What kind of account it is.
    const fn class(self) -> &'static str {
        match self {
            // Allowances stand against income, and so on its side of the books.
            Self::Charges | Self::Allowances => "income",
            _ => "asset",
        }
    }
}

/// The kinds of accounts.
pub(crate) const CLASSES: &[&str] = &["asset", "liability", "income", "expense"];

/// The books in which an organisation's money stands.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    /// The legal entity.
    pub(crate) id: OrganisationId,
    /// What it charges in.
    pub(crate) currency: String,
    /// The civil date there.
    pub(crate) today: Date,
}

/// The books of an organisation: its own, or those of the nearest legal entity above it.
pub(crate) async fn books(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
) -> Result<Books, Fault> {
    let row = unit.fetch_one(&sql::BOOKS, args![organisation]).await?;
    let zone: String = row.get("zone")?;
    let calendar = Calendar::default().in_zone(&zone);
    let today = calendar.day_of(unit.now).unwrap_or(Date::ZERO);
    Ok(Books { id: row.get("id")?, currency: row.get("currency")?, today })
}

/// An amount that goes from one account to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) debit: Account,
    pub(crate) credit: Account,
    /// Minor units, above zero.
    pub(crate) amount: i64,
}

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Posting<'a> {
    /// Whose it is: the organisation of the customer.
    pub(crate) organisation: OrganisationId,
    pub(crate) customer: CustomerId,
    /// What happened, a word: `payment`.
    pub(crate) kind: &'static str,
    /// The id of the document it comes from.
    pub(crate) source: &'a str,
    pub(crate) booked_on: Date,
    pub(crate) note: Option<&'a str>,
    pub(crate) lines: &'a [Line],
}

/// Writes a transaction into the books; its id. Within the unit of the document it comes from, so
/// that there is never one without the other.
pub(crate) async fn post(
    unit: &mut Unit<'_>,
    books: &Books,
    posting: &Posting<'_>,
) -> Result<Uuid, Fault> {
    let opened = posting.lines.iter().flat_map(|line| [line.debit, line.credit]);
    for account in opened {
        let (code, class) = (account.code(), account.class());
        let args = args![Uuid::now_v7(), books.id, code, books.currency.as_str(), class, unit.now];
        unit.execute(&sql::OPEN_ACCOUNT, args).await?;
    }
    let id = transaction(unit, books, posting, None).await?;
    for line in posting.lines {
        let (debit, credit) = (line.debit.code(), line.credit.code());
        entry(unit, books, posting, id, (debit, credit, line.amount)).await?;
    }
    Ok(id)
}

async fn transaction(
    unit: &mut Unit<'_>,
    books: &Books,
    posting: &Posting<'_>,
    reverses: Option<Uuid>,
) -> Result<Uuid, Fault> {
    let id = Uuid::now_v7();
    let args = args![
        id,
        posting.organisation,
        books.id,
        posting.booked_on.to_string(),
        posting.kind,
        posting.source,
        reverses,
        unit.now,
        unit.actor.label()
    ];
    match unit.execute(&sql::INSERT_TRANSACTION, args).await {
        Ok(_) => Ok(id),
        Err(StoreError::Unique { .. }) if reverses.is_some() => Err(Fault::Conflict {
            pointer: "/status",
            detail: "it was reversed already".to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn entry(
    unit: &mut Unit<'_>,
    books: &Books,
    posting: &Posting<'_>,
    transaction: Uuid,
    (debit, credit, amount): (&str, &str, i64),
) -> Result<(), Fault> {
    let args = args![
        Uuid::now_v7(),
        posting.organisation,
        transaction,
        books.id,
        posting.booked_on.to_string(),
        posting.kind,
        debit,
        credit,
        amount,
        books.currency.as_str(),
        posting.customer,
        posting.source,
        posting.note,
        unit.now,
        unit.actor.label()
    ];
    unit.execute(&sql::INSERT_ENTRY, args).await?;
    Ok(())
}

/// Writes the reversal of what a document wrote under a kind: the same amounts the other way
/// round, in the same books and currency, whatever those of the organisation are by now.
///
/// # Errors
///
/// [`Fault::Conflict`] where it was reversed already.
pub(crate) async fn reverse(
    unit: &mut Unit<'_>,
    source: &str,
    kind: &str,
    note: Option<&str>,
) -> Result<Uuid, Fault> {
    let found = unit.fetch_optional(&sql::OF_SOURCE, args![source, kind]).await?;
    let found = found.ok_or(Fault::NotFound("ledger_entry"))?;
    let (reversed, organisation): (Uuid, OrganisationId) =
        (found.get("id")?, found.get("organisation_id")?);
    let today = books(unit, organisation).await?.today;
    let mut written = None;
    for row in unit.fetch_all(&sql::ENTRIES_OF, args![reversed]).await? {
        let books =
            Books { id: row.get("books_id")?, currency: row.get("amount_currency")?, today };
        let posting = Posting {
            organisation,
            customer: row.get("customer_id")?,
            kind: "reversal",
            source,
            // Never before what it takes back.
            booked_on: day(&row.get::<String>("booked_on")?).unwrap_or(today).max(today),
            note,
            lines: &[],
        };
        let id = match written {
            Some(id) => id,
            None => {
                let id = transaction(unit, &books, &posting, Some(reversed)).await?;
                *written.insert(id)
            }
        };
        let (debit, credit): (String, String) = (row.get("debit")?, row.get("credit")?);
        entry(unit, &books, &posting, id, (&credit, &debit, row.get("amount_amount")?)).await?;
    }
    written.ok_or(Fault::NotFound("ledger_entry"))
}

/// A civil date as the tables keep it.
pub(crate) fn day(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// The day something is booked on: today's in the books, or another that is not after it.
pub(crate) fn booked(books: &Books, given: Option<&str>, field: &str) -> Result<Date, Fault> {
    match given.and_then(day) {
        None => Ok(books.today),
        Some(day) if day > books.today => {
            Err(Fault::field(format!("/{field}"), format!("is after today, {}", books.today)))
        }
        Some(day) => Ok(day),
    }
}

/// Refuses an amount that is not above zero, or not in the currency of the books.
pub(crate) fn payable(books: &Books, amount: i64, currency: &str) -> Result<(), Fault> {
    if amount <= 0 {
        return Err(Fault::field("/amount/amount", "must be above zero"));
    }
    if currency != books.currency {
        let detail = format!("must be {}, which the books are kept in", books.currency);
        return Err(Fault::field("/amount/currency", detail));
    }
    Ok(())
}
