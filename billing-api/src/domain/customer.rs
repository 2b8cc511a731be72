//! Customers.

use model::policy::Key;
use model::{CustomerId, Ts};
use serde::Serialize;
use store::{StoreError, args};

use super::input::is_email;
use super::{Actor, Event, Fault, Input, Office, Page, Unit, contains};
use crate::store::customer as sql;
use crate::store::customer::Customer;
use crate::store::organisation;

/// A customer as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: CustomerId,
    pub(crate) number: i64,
    pub(crate) organisation_id: model::OrganisationId,
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

impl From<Customer> for View {
    fn from(row: Customer) -> Self {
        Self {
            id: row.id,
            number: row.number,
            organisation_id: row.organisation,
            name: row.name,
            email: row.email,
            phone: row.phone,
            status: row.status,
            locale: row.locale,
            external_source: row.external.0,
            external_id: row.external.1,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What a new customer needs.
#[derive(Debug)]
pub(crate) struct New {
    name: String,
    email: Option<String>,
    phone: Option<String>,
    locale: Option<String>,
    external: (Option<String>, Option<String>),
}

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let new = Self {
            name: input.text("name", 200),
            email: input.optional_text("email", 254),
            phone: input.optional_text("phone", 40),
            locale: input.optional_text("locale", 35),
            external: (
                input.optional_text("external_source", 50),
                input.optional_text("external_id", 100),
            ),
        };
        if new.email.as_deref().is_some_and(|email| !is_email(email)) {
            input.fault("email", "is not an e-mail address");
        }
        if new.external.0.is_some() != new.external.1.is_some() {
            input.fault("external_id", "goes together with external_source");
        }
        input.finish()?;
        Ok(new)
    }
}

/// Creates a customer in the actor's organisation.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let id = CustomerId::generate();
    let home = unit.fetch_one(&organisation::FIND, args![actor.organisation]).await?;
    let home = organisation::organisation(&home)?;
    // Numbers begin at 1001: people read them out, and "customer 7" sounds like a list.
    let number: i64 = unit
        .fetch_one(&organisation::NEXT_NUMBER, args![actor.organisation, "customer", 1001])
        .await?
        .get("last")?;
    let search = [Some(new.name.as_str()), new.email.as_deref(), new.phone.as_deref()];
    let search = search.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase();
    let inserted = unit
        .execute(
            &sql::INSERT,
            args![
                id,
                actor.organisation,
                number,
                new.name,
                new.email,
                new.phone,
                "active",
                new.locale.unwrap_or(home.locale),
                new.external.0,
                new.external.1,
                unit.now,
                actor.label(),
                search
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict {
                pointer: "/external_id",
                detail: "another customer has this external id".to_owned(),
            });
        }
        result => result?,
    };
    let row = unit.fetch_one(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let view = View::from(sql::customer(&row)?);
    let event = Event {
        kind: "customer.created",
        entity_id: id.to_string(),
        payload: serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?,
        policy: &[] as &[Key],
    };
    unit.record(actor.organisation, event, None).await?;
    unit.commit().await?;
    Ok(view)
}

/// One customer.
pub(crate) async fn find(office: &Office, actor: &Actor, id: CustomerId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound("customer"))?;
    Ok(View::from(sql::customer(&row)?))
}

/// A page of customers whose name or e-mail address contains `query`.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    after: Option<CustomerId>,
    query: Option<&str>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let pattern = query.map(|text| contains(text.trim()));
    let rows = office
        .db
        .fetch_all(&sql::LIST, args![actor.path.as_str(), after, pattern, limit + 1])
        .await?;
    let views: Vec<View> =
        rows.iter().map(|row| sql::customer(row).map(View::from)).collect::<Result<_, _>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}

/// How many customers there are.
pub(crate) async fn count(office: &Office, actor: &Actor) -> Result<i64, Fault> {
    let row = office.db.fetch_one(&sql::COUNT, args![actor.path.as_str()]).await?;
    Ok(row.get("count")?)
}
