//! Everything computed again: documents against entries, entries against transactions.

use std::collections::BTreeMap;

use model::CustomerId;
use serde::Serialize;
use store::{Row, args};
use uuid::Uuid;

use crate::domain::adjustment::ADJUSTMENT;
use crate::domain::payment::PAYMENT;
use crate::domain::{Fault, Office};
use crate::store::ledger as sql;

/// Documents looked at together.
const AT_ONCE: i64 = 500;
/// Differences that are told; the others are counted.
const TOLD: usize = 200;

/// What was looked at, and what does not fit.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verified {
    pub(crate) payments: u64,
    pub(crate) adjustments: u64,
    /// How many differences there are.
    pub(crate) differences: u64,
    /// The first of them, in words.
    pub(crate) told: Vec<String>,
}

impl Verified {
    fn differs(&mut self, what: &str, detail: &str) {
        self.differences += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("{what}: {detail}"));
        }
    }
}

/// Looks at all there is, whoever it belongs to.
pub(crate) async fn verify(office: &Office) -> Result<Verified, Fault> {
    let mut found = Verified::default();
    for (statement, fault) in [
        (&sql::CHECK_TRANSACTIONS, None),
        (&sql::CHECK_REVERSALS, Some("is not the mirror of what it reverses")),
    ] {
        for row in office.db.fetch_all(statement, args![TOLD as i64]).await? {
            let source: String = row.get("source")?;
            let detail = match fault {
                Some(fault) => fault.to_owned(),
                None => row.get("fault")?,
            };
            found.differs(&format!("transaction of {source}"), &detail);
        }
    }
    let mut last = Uuid::nil();
    loop {
        let rows = office.db.fetch_all(&sql::CHECK_PAYMENTS, args![last, AT_ONCE]).await?;
        for row in &rows {
            last = row.get("id")?;
            found.payments += 1;
            let (amount, refunded): (i64, i64) = (row.get("amount")?, row.get("refunded")?);
            let reversed = row.get::<String>("status")? == "reversed";
            let mut expected = BTreeMap::from([("payment".to_owned(), -amount)]);
            if reversed {
                expected.insert("reversal".to_owned(), amount);
            }
            if refunded > 0 {
                expected.insert("refund".to_owned(), refunded);
            }
            let shown = model::id::show(PAYMENT.prefix, last);
            compare(office, &mut found, &shown, row, &expected).await?;
        }
        if (rows.len() as i64) < AT_ONCE {
            break;
        }
    }
    let mut last = Uuid::nil();
    loop {
        let rows = office.db.fetch_all(&sql::CHECK_ADJUSTMENTS, args![last, AT_ONCE]).await?;
        for row in &rows {
            last = row.get("id")?;
            found.adjustments += 1;
            let (kind, amount): (String, i64) = (row.get("kind")?, row.get("amount")?);
            let signed = if kind == "charge" { amount } else { -amount };
            let mut expected = BTreeMap::from([(kind, signed)]);
            if row.get::<String>("status")? == "reversed" {
                expected.insert("reversal".to_owned(), -signed);
            }
            let shown = model::id::show(ADJUSTMENT.prefix, last);
            compare(office, &mut found, &shown, row, &expected).await?;
        }
        if (rows.len() as i64) < AT_ONCE {
            break;
        }
    }
    Ok(found)
}

/// Holds what a document should have moved against what the entries say.
async fn compare(
    office: &Office,
    found: &mut Verified,
    document: &str,
    row: &Row,
    expected: &BTreeMap<String, i64>,
) -> Result<(), Fault> {
    let (customer, currency): (CustomerId, String) =
        (row.get("customer_id")?, row.get("currency")?);
    let moved = office.db.fetch_all(&sql::MOVED, args![document, customer, currency]).await?;
    let mut there = BTreeMap::new();
    for row in &moved {
        there.insert(row.get::<String>("kind")?, row.get::<i64>("amount")?);
    }
    if there != *expected {
        found.differs(document, &format!("the ledger has {there:?}, it should be {expected:?}"));
    }
    Ok(())
}
