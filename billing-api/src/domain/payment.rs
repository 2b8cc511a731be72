//! Payments: money that came from a customer, entered by staff.
//!
//! A payment is written into the ledger with its record, once. What was entered by mistake is
//! reversed; what is given back is refunded, in one piece or several, and never more than came.

use model::{CustomerId, Money};
use store::{Row, args};
use uuid::Uuid;

use super::ledger::{self, Account, Line, Posting};
use super::{Fault, Series, Unit};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Verb, Verbs, Written, write,
};
use crate::store::ledger as sql;

/// Receipts are numbered for people to read out. A number may be left out.
const NUMBERS: Series = Series { kind: "payment", first: 1001 };

/// The ways money comes.
const METHODS: &[&str] = &["cash", "bank", "cheque", "card", "mobile_money", "other"];

/// What ids begin with.
const PREFIX: &str = "pay";

/// What is given once and found by.
const GIVEN: Flags = Flags::WRITABLE.and(Flags::FILTERABLE).and(Flags::LISTED).and(Flags::ONCE);

/// A payment.
pub(crate) const PAYMENT: Entity = Entity {
    name: "payment",
    path: "payments",
    table: "payment",
    prefix: PREFIX,
    permission: "billing",
    module: Some("billing.payments"),
    verbs: Verbs::CREATE,
    home: Some("customer_id"),
    series: Some(&NUMBERS),
    title: "number",
    actions: &[REFUND, REVERSE],
    fields: &[
        Field::new(
            "number",
            Kind::Integer(1, i64::MAX),
            Flags::SORTABLE.and(Flags::FILTERABLE).and(Flags::FILLED).and(Flags::LISTED),
        ),
        Field::new(
            "customer_id",
            Kind::Reference(CustomerId::PREFIX, "customer"),
            GIVEN.and(Flags::REQUIRED),
        ),
        Field::new(
            "amount",
            Kind::Money,
            Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::ONCE).and(Flags::LISTED),
        ),
        Field::new("method", Kind::Choice(METHODS), GIVEN.and(Flags::REQUIRED)),
        Field::new("received_on", Kind::Date, GIVEN.and(Flags::SORTABLE).and(Flags::FILLED)),
        Field::new("reference", Kind::Text(100), GIVEN.and(Flags::SEARCHED)),
        Field::new("note", Kind::LongText(500), Flags::WRITABLE.and(Flags::ONCE)),
        Field::new(
            "status",
            Kind::Choice(&["posted", "refunded", "reversed"]),
            Flags::FILTERABLE.and(Flags::FILLED).and(Flags::LISTED),
        ),
        Field::new("refunded", Kind::Money, Flags::NONE),
    ],
    hooks: Hooks {
        before: |unit, verb, draft, _| Box::pin(before(unit, verb, draft)),
        after: |unit, written| Box::pin(after(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &PAYMENT;

/// Where money of a kind is.
fn account(method: &str) -> Account {
    match method {
        "cash" => Account::Cash,
        "bank" => Account::Bank,
        "cheque" => Account::Cheques,
        "card" => Account::Cards,
        "mobile_money" => Account::MobileMoney,
        _ => Account::OtherMoney,
    }
}

async fn before(unit: &mut Unit<'_>, verb: Verb, draft: &mut Draft) -> Result<(), Fault> {
    if verb != Verb::Created {
        return Ok(());
    }
    let organisation = draft.organisation.unwrap_or(unit.actor.organisation);
    let books = ledger::books(unit, organisation).await?;
    let (amount, currency) = amount(draft)?;
    ledger::payable(&books, amount, &currency)?;
    let day = ledger::booked(&books, draft.text("received_on"), "received_on")?;
    draft.set("received_on", day.to_string());
    let taken = unit.number(organisation, &NUMBERS).await?;
    draft.set("number", taken.number);
    draft.set("status", "posted");
    draft.set("refunded_amount", 0_i64);
    draft.set("refunded_currency", currency);
    Ok(())
}

/// The amount that was given, minor units, and its currency.
pub(super) fn amount(draft: &Draft) -> Result<(i64, String), Fault> {
    let minor = match draft.value("amount_amount") {
        Some(store::Value::Int(Some(minor))) => *minor,
        _ => return Err(Fault::field("/amount", "is required")),
    };
    let currency = draft.text("amount_currency").unwrap_or_default().to_owned();
    Ok((minor, currency))
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    if written.verb != Verb::Created {
        return Ok(());
    }
    let row = written.after;
    let organisation = row.get("organisation_id")?;
    let books = ledger::books(unit, organisation).await?;
    let (method, day): (String, String) = (row.get("method")?, row.get("received_on")?);
    let amount = row.get("amount_amount")?;
    let posting = Posting {
        organisation,
        customer: row.get("customer_id")?,
        kind: "payment",
        source: &model::id::show(PREFIX, written.id),
        booked_on: ledger::day(&day).unwrap_or(books.today),
        note: None,
        lines: &[Line { debit: account(&method), credit: Account::Receivable, amount }],
    };
    ledger::post(unit, &books, &posting).await.map(drop)
}

/// Gives money back.
const REFUND: Action = Action {
    name: "refund",
    permission: "billing.edit",
    arguments: &[
        Field::new("amount", Kind::Money, Flags::WRITABLE.and(Flags::REQUIRED)),
        Field::new("method", Kind::Choice(METHODS), Flags::WRITABLE),
        Field::new("reason", Kind::LongText(500), Flags::WRITABLE.and(Flags::REQUIRED)),
    ],
    harms: true,
    applies: |payment| payment["status"] == "posted",
    run: |unit, id, expected, said| Box::pin(refund(unit, id, expected, said)),
};

/// Takes back what was entered by mistake.
const REVERSE: Action = Action {
    name: "reverse",
    permission: "billing.edit",
    arguments: &[Field::new("reason", Kind::LongText(500), Flags::WRITABLE.and(Flags::REQUIRED))],
    harms: true,
    applies: |payment| payment["status"] == "posted" && payment["refunded"]["amount"] == 0,
    run: |unit, id, expected, said| Box::pin(reverse(unit, id, expected, said)),
};

/// The record before an action, at the version that was seen.
pub(super) async fn seen(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
    expected: Option<i64>,
) -> Result<Row, Fault> {
    let row = write::load(unit, entity, id, false).await?;
    match expected {
        Some(version) if version != row.get::<i64>("version")? => Err(Fault::Stale),
        _ => Ok(row),
    }
}

async fn refund(
    unit: &mut Unit<'_>,
    id: Uuid,
    expected: Option<i64>,
    said: &Draft,
) -> Result<(), Fault> {
    let before = seen(unit, DESCRIPTION, id, expected).await?;
    let organisation = before.get("organisation_id")?;
    let books = ledger::books(unit, organisation).await?;
    let (amount, currency) = amount(said)?;
    ledger::payable(&books, amount, &currency)?;
    let args = args![unit.actor.path.as_str(), id, amount, unit.now, unit.actor.label()];
    if unit.execute(&sql::REFUND, args).await? == 0 {
        let (whole, gone): (i64, i64) =
            (before.get("amount_amount")?, before.get("refunded_amount")?);
        let left = Money { amount: whole - gone, currency: before.get("amount_currency")? };
        return Err(match before.get::<String>("status")?.as_str() {
            "reversed" => not_posted("it was reversed"),
            "refunded" => not_posted("all of it was refunded"),
            _ => Fault::field("/amount/amount", format!("is more than the {left} that are left")),
        });
    }
    let method: String = before.get("method")?;
    let method = said.text("method").unwrap_or(&method);
    let posting = Posting {
        organisation,
        customer: before.get("customer_id")?,
        kind: "refund",
        source: &model::id::show(PREFIX, id),
        booked_on: books.today,
        note: said.text("reason"),
        lines: &[Line { debit: Account::Receivable, credit: account(method), amount }],
    };
    ledger::post(unit, &books, &posting).await?;
    let after = write::load(unit, DESCRIPTION, id, false).await?;
    write::record(unit, DESCRIPTION, "refunded", id, Some(&before), &after).await.map(drop)
}

fn not_posted(detail: &str) -> Fault {
    Fault::Conflict { pointer: "/status", detail: detail.to_owned() }
}

async fn reverse(
    unit: &mut Unit<'_>,
    id: Uuid,
    expected: Option<i64>,
    said: &Draft,
) -> Result<(), Fault> {
    let before = seen(unit, DESCRIPTION, id, expected).await?;
    let args = args![unit.actor.path.as_str(), id, unit.now, unit.actor.label()];
    if unit.execute(&sql::REVERSE_PAYMENT, args).await? == 0 {
        // Twice is once: an action that was sent again changes nothing.
        return match before.get::<String>("status")?.as_str() {
            "reversed" => Ok(()),
            _ => Err(not_posted("some of it was refunded; refund the rest")),
        };
    }
    let source = model::id::show(PREFIX, id);
    ledger::reverse(unit, &source, "payment", said.text("reason")).await?;
    let after = write::load(unit, DESCRIPTION, id, false).await?;
    write::record(unit, DESCRIPTION, "reversed", id, Some(&before), &after).await.map(drop)
}
