//! Adjustments: what staff charge or credit by hand, outside of any plan and without tax.

use model::CustomerId;
use store::args;
use uuid::Uuid;

use super::ledger::{self, Account, Line, Posting};
use super::payment::{amount, seen};
use super::{Fault, Unit};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Verb, Verbs, Written, write,
};
use crate::store::ledger as sql;

/// What ids begin with.
const PREFIX: &str = "adj";

/// What is given once and found by.
const GIVEN: Flags = Flags::WRITABLE.and(Flags::FILTERABLE).and(Flags::LISTED).and(Flags::ONCE);

/// A charge or a credit by hand.
pub(crate) const ADJUSTMENT: Entity = Entity {
    name: "adjustment",
    path: "adjustments",
    table: "adjustment",
    prefix: PREFIX,
    permission: "billing",
    module: Some("billing"),
    verbs: Verbs::CREATE,
    home: Some("customer_id"),
    title: "reason",
    actions: &[Action {
        name: "reverse",
        permission: "billing.edit",
        arguments: &[Field::new(
            "reason",
            Kind::LongText(500),
            Flags::WRITABLE.and(Flags::REQUIRED),
        )],
        harms: true,
        applies: |adjustment| adjustment["status"] == "posted",
        run: |unit, id, expected, said| Box::pin(reverse(unit, id, expected, said)),
    }],
    fields: &[
        Field::new(
            "customer_id",
            Kind::Reference(CustomerId::PREFIX, "customer"),
            GIVEN.and(Flags::REQUIRED),
        ),
        Field::new("kind", Kind::Choice(&["charge", "credit"]), GIVEN.and(Flags::REQUIRED)),
        Field::new(
            "amount",
            Kind::Money,
            Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::ONCE).and(Flags::LISTED),
        ),
        Field::new("booked_on", Kind::Date, GIVEN.and(Flags::SORTABLE).and(Flags::FILLED)),
        Field::new(
            "reason",
            Kind::Text(200),
            Flags::WRITABLE
                .and(Flags::ONCE)
                .and(Flags::REQUIRED)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new(
            "status",
            Kind::Choice(&["posted", "reversed"]),
            Flags::FILTERABLE.and(Flags::FILLED).and(Flags::LISTED),
        ),
    ],
    hooks: Hooks {
        before: |unit, verb, draft, _| Box::pin(before(unit, verb, draft)),
        after: |unit, written| Box::pin(after(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &ADJUSTMENT;

async fn before(unit: &mut Unit<'_>, verb: Verb, draft: &mut Draft) -> Result<(), Fault> {
    if verb != Verb::Created {
        return Ok(());
    }
    let organisation = draft.organisation.unwrap_or(unit.actor.organisation);
    let books = ledger::books(unit, organisation).await?;
    let (amount, currency) = amount(draft)?;
    ledger::payable(&books, amount, &currency)?;
    let day = ledger::booked(&books, draft.text("booked_on"), "booked_on")?;
    draft.set("booked_on", day.to_string());
    draft.set("status", "posted");
    Ok(())
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    if written.verb != Verb::Created {
        return Ok(());
    }
    let row = written.after;
    let organisation = row.get("organisation_id")?;
    let books = ledger::books(unit, organisation).await?;
    let (day, reason): (String, String) = (row.get("booked_on")?, row.get("reason")?);
    let amount = row.get("amount_amount")?;
    let charge = row.get::<String>("kind")? == "charge";
    let line = match charge {
        true => Line { debit: Account::Receivable, credit: Account::Charges, amount },
        false => Line { debit: Account::Allowances, credit: Account::Receivable, amount },
    };
    let posting = Posting {
        organisation,
        customer: row.get("customer_id")?,
        kind: if charge { "charge" } else { "credit" },
        source: &model::id::show(PREFIX, written.id),
        booked_on: ledger::day(&day).unwrap_or(books.today),
        note: Some(&reason),
        lines: &[line],
    };
    ledger::post(unit, &books, &posting).await.map(drop)
}

async fn reverse(
    unit: &mut Unit<'_>,
    id: Uuid,
    expected: Option<i64>,
    said: &Draft,
) -> Result<(), Fault> {
    let before = seen(unit, DESCRIPTION, id, expected).await?;
    let args = args![unit.actor.path.as_str(), id, unit.now, unit.actor.label()];
    if unit.execute(&sql::REVERSE_ADJUSTMENT, args).await? == 0 {
        // Twice is once: an action that was sent again changes nothing.
        return Ok(());
    }
    let source = model::id::show(PREFIX, id);
    let kind: String = before.get("kind")?;
    ledger::reverse(unit, &source, &kind, said.text("reason")).await?;
    let after = write::load(unit, DESCRIPTION, id, false).await?;
    write::record(unit, DESCRIPTION, "reversed", id, Some(&before), &after).await.map(drop)
}
