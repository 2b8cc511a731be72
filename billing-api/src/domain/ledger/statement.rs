//! One customer's account, and all accounts of the books.

use jiff::civil::Date;
use model::{CustomerId, Money, OrganisationId, Ts};
use serde::Serialize;
use store::args;
use uuid::Uuid;

use super::records::LEDGER_ENTRY;
use crate::domain::{Actor, Fault, Office, customer};
use crate::store::ledger as sql;
use crate::store::organisation;

/// Rows of a statement on one page.
const ROWS_MAX: i64 = 500;

/// Some days of a customer's account, in one currency.
#[derive(Debug, Serialize)]
pub(crate) struct Statement {
    pub(crate) customer_id: CustomerId,
    pub(crate) from: String,
    pub(crate) to: String,
    /// What was owed when the first day began; below zero: what was owed to the customer.
    pub(crate) opening: Money,
    /// What is owed when the last day ends.
    pub(crate) closing: Money,
    pub(crate) entries: Vec<Move>,
    /// Where more entries are, behind the last one here.
    pub(crate) next_cursor: Option<String>,
}

/// An entry as the customer sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Move {
    pub(crate) id: String,
    pub(crate) booked_on: String,
    pub(crate) kind: String,
    /// The document it comes from.
    pub(crate) source: String,
    pub(crate) note: Option<String>,
    /// Above zero: owed. Below: paid or credited.
    pub(crate) amount: Money,
    /// What is owed after it.
    pub(crate) balance: Money,
    pub(crate) created_at: Ts,
}

/// What is asked of a statement.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The first day; absent: the first there is.
    pub(crate) from: Option<Date>,
    /// The last day; absent: the last there is.
    pub(crate) to: Option<Date>,
    /// Entries left out before the first one shown.
    pub(crate) after: i64,
    pub(crate) limit: i64,
}

/// A customer's statement, in the currency of their books.
pub(crate) async fn of_customer(
    office: &Office,
    actor: &Actor,
    id: CustomerId,
    asked: &Asked,
) -> Result<Statement, Fault> {
    let customer = customer::find(office, actor, id).await?;
    let books = office.db.fetch_one(&sql::BOOKS, args![customer.organisation_id]).await?;
    let currency: model::Currency = books.get("currency")?;
    let from = asked.from.unwrap_or(Date::MIN);
    let to = asked.to.unwrap_or(Date::MAX);
    if from > to {
        return Err(Fault::field("?to", "is before from"));
    }
    // Years before 1 are written with a sign, which no text comparison puts in its place.
    let first = if from < Date::constant(1, 1, 1) { String::new() } else { from.to_string() };
    let last = to.to_string();
    let money = |amount| Money { amount, currency };
    let code = currency.to_string();
    let args = args![id, code.as_str(), first.as_str()];
    let opening: i64 = office.db.fetch_one(&sql::OPENING, args).await?.get("amount")?;
    // What is booked on the last day counts.
    let behind = to.tomorrow().map_or_else(|_| "9999-12-32".to_owned(), |day| day.to_string());
    let args = args![id, code.as_str(), behind.as_str()];
    let closing: i64 = office.db.fetch_one(&sql::OPENING, args).await?.get("amount")?;
    let limit = asked.limit.clamp(1, ROWS_MAX);
    let args = args![id, code.as_str(), first.as_str(), last.as_str(), asked.after, limit + 1];
    let rows = office.db.fetch_all(&sql::STATEMENT, args).await?;
    let mut entries = Vec::with_capacity(rows.len());
    let mut next_cursor = None;
    for (row, n) in rows.iter().zip(1..) {
        if n > limit {
            next_cursor = Some((asked.after + limit).to_string());
            break;
        }
        let entry: Uuid = row.get("id")?;
        entries.push(Move {
            id: model::id::show(LEDGER_ENTRY.prefix, entry),
            booked_on: row.get("booked_on")?,
            kind: row.get("kind")?,
            source: row.get("source")?,
            note: row.get("note")?,
            amount: money(row.get("amount")?),
            balance: money(opening + row.get::<i64>("moved")?),
            created_at: row.get("created_at")?,
        });
    }
    let said = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    Ok(Statement {
        customer_id: id,
        from: said(asked.from),
        to: said(asked.to),
        opening: money(opening),
        closing: money(closing),
        entries,
        next_cursor,
    })
}

/// What a customer owes, in each currency there are entries in; below zero: their credit.
pub(crate) async fn balance(
    unit: &mut crate::domain::Unit<'_>,
    id: CustomerId,
) -> Result<Vec<Money>, Fault> {
    let rows = unit.fetch_all(&sql::BALANCE, args![id]).await?;
    let money = |row: &store::Row| {
        Ok::<_, Fault>(Money { amount: row.get("amount")?, currency: row.get("currency")? })
    };
    rows.iter().map(money).collect()
}

/// An account with what moved on it.
#[derive(Debug, Serialize)]
pub(crate) struct Total {
    /// The legal entity whose books these are.
    pub(crate) organisation_id: OrganisationId,
    pub(crate) account: String,
    pub(crate) class: String,
    /// All debits.
    pub(crate) debit: Money,
    /// All credits.
    pub(crate) credit: Money,
    /// Debits less credits.
    pub(crate) balance: Money,
}

/// All accounts of the legal entities below the caller, up to a day. In each currency of each
/// books the balances add up to nothing.
pub(crate) async fn trial_balance(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
    on: Option<Date>,
) -> Result<Vec<Total>, Fault> {
    let mut path = actor.path.clone();
    if let Some(id) = organisation {
        let row = office.db.fetch_optional(&organisation::FIND, args![id]).await?;
        let below = row.map(|row| row.get::<String>("path")).transpose()?;
        let below = below.filter(|below| below.starts_with(path.as_str()));
        path = below.ok_or_else(|| Fault::field("?organisation_id", "there is no such record"))?;
    }
    let day = on.unwrap_or(Date::MAX).to_string();
    let rows = office.db.fetch_all(&sql::TRIAL_BALANCE, args![path, day]).await?;
    let total = |row: &store::Row| {
        let (debit, credit): (i64, i64) = (row.get("debit")?, row.get("credit")?);
        let currency: model::Currency = row.get("currency")?;
        let money = |amount| Money { amount, currency };
        Ok::<_, Fault>(Total {
            organisation_id: row.get("organisation_id")?,
            account: row.get("code")?,
            class: row.get("class")?,
            debit: money(debit),
            credit: money(credit),
            balance: money(debit - credit),
        })
    };
    rows.iter().map(total).collect()
}
