//! Customers.

use model::{CustomerId, OrganisationId, Ts};
use serde::Serialize;
use store::args;

use super::ledger::statement;
use super::{Actor, Fault, Office, Series, Unit, service};
use crate::entity::{Draft, Entity, Field, Flags, Hooks, Kind, Verb, write};
use crate::store::customer as sql;
use crate::store::service::LOCK_CUSTOMER;

/// Numbers begin at 1001: people read them out, and "customer 7" sounds like a list.
const NUMBERS: Series = Series { kind: "customer", first: 1001 };

/// What staff see first.
const SHOWN: Flags = Flags::SORTABLE.and(Flags::FILTERABLE).and(Flags::LISTED);

/// A customer: who pays.
pub(crate) const CUSTOMER: Entity = Entity {
    name: "customer",
    path: "customers",
    table: "customer",
    prefix: CustomerId::PREFIX,
    permission: "customers",
    custom: true,
    series: Some(&NUMBERS),
    fields: &[
        Field::new(
            "number",
            Kind::Integer(1, i64::MAX),
            SHOWN.and(Flags::FILLED).and(Flags::SEARCHED),
        ),
        Field::new(
            "name",
            Kind::Text(200),
            SHOWN
                .and(Flags::REQUIRED)
                .and(Flags::WRITABLE)
                .and(Flags::SEARCHED)
                .and(Flags::PERSONAL),
        ),
        Field::new("email", Kind::Email, REACHED.and(Flags::LISTED)),
        Field::new("phone", Kind::Text(40), REACHED.and(Flags::LISTED)),
        Field::new(
            "status",
            Kind::Choice(&["active", "inactive"]),
            SHOWN.and(Flags::WRITABLE).and(Flags::FILLED),
        ),
        Field::new("locale", Kind::Text(35), Flags::WRITABLE.and(Flags::FILLED)),
    ],
    hooks: Hooks {
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

/// How a customer is reached.
const REACHED: Flags =
    Flags::WRITABLE.and(Flags::FILTERABLE).and(Flags::SEARCHED).and(Flags::PERSONAL);

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&store::Row>,
) -> Result<(), Fault> {
    if verb == Verb::Deleted {
        service::refuse_in_use(unit, &LOCK_CUSTOMER, row).await?;
        return refuse_unbalanced(unit, row).await;
    }
    if verb != Verb::Created {
        return Ok(());
    }
    let organisation = draft.organisation.unwrap_or(unit.actor.organisation);
    let taken = unit.number(organisation, &NUMBERS).await?;
    draft.fill("locale", taken.locale);
    draft.set("number", taken.number);
    draft.fill("status", "active");
    Ok(())
}

/// Who owes, or is owed, stays until that is settled.
async fn refuse_unbalanced(unit: &mut Unit<'_>, row: Option<&store::Row>) -> Result<(), Fault> {
    let Some(row) = row else { return Ok(()) };
    let balances = statement::balance(unit, row.get("id")?).await?;
    match balances.iter().find(|balance| balance.amount != 0) {
        Some(balance) => {
            let detail = format!("the balance is {balance}; it must be settled first");
            Err(Fault::Conflict { pointer: "", detail })
        }
        None => Ok(()),
    }
}

/// A customer as typed code sees it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: CustomerId,
    pub(crate) number: i64,
    pub(crate) organisation_id: OrganisationId,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) status: String,
    pub(crate) locale: String,
    pub(crate) external_source: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) version: i64,
    pub(crate) created_at: Ts,
    pub(crate) updated_at: Ts,
}

static DESCRIPTION: &Entity = &CUSTOMER;

impl View {
    fn of(row: &store::Row) -> Result<Self, store::StoreError> {
        Ok(Self {
            id: row.get("id")?,
            number: row.get("number")?,
            organisation_id: row.get("organisation_id")?,
            name: row.get("name")?,
            email: row.get("email")?,
            phone: row.get("phone")?,
            status: row.get("status")?,
            locale: row.get("locale")?,
            external_source: row.get("external_source")?,
            external_id: row.get("external_id")?,
            version: row.get("version")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// What a new customer needs.
#[derive(Debug)]
pub(crate) struct New(Draft);

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        Draft::parse(DESCRIPTION, &[], body, true).map(Self)
    }
}

/// Creates a customer in the actor's organisation.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let made = write::create(office, actor, DESCRIPTION, new.0).await?;
    find(office, actor, CustomerId(made.id)).await
}

/// One customer.
pub(crate) async fn find(office: &Office, actor: &Actor, id: CustomerId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    Ok(View::of(&row.ok_or(Fault::NotFound("customer"))?)?)
}

/// How many customers there are.
pub(crate) async fn count(office: &Office, actor: &Actor) -> Result<i64, Fault> {
    let row = office.db.fetch_one(&sql::COUNT, args![actor.path.as_str()]).await?;
    Ok(row.get("count")?)
}
