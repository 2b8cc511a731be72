//! Which member of staff a provider means.
//!
//! By the subject it named before; the first time by an address that it verified, among the staff
//! of its organisation and of those below, or as somebody new, where the organisation lets it
//! bring them.

use model::StaffId;
use serde_json::json;
use store::args;
use uuid::Uuid;

use super::provider::Provider;
use super::token::Claims;
use crate::domain::access::Visitor;
use crate::domain::access::description::STAFF;
use crate::domain::access::sign_in::{self, Account, Step, normal_email};
use crate::domain::{Event, Fault, Office, Unit};
use crate::entity::{search, write};
use crate::store::access as access_sql;
use crate::store::identity_provider as sql;
use crate::store::organisation;

/// Why nobody came in.
pub(super) enum Stranger {
    /// For this reason, as events have it.
    Refused(&'static str),
    /// Something is broken.
    Fault(Fault),
}

impl<F: Into<Fault>> From<F> for Stranger {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// Lets somebody in whom the provider has proven.
pub(super) async fn admit(
    office: &Office,
    visitor: &Visitor,
    provider: &Provider,
    claims: &Claims,
) -> Result<Step, Stranger> {
    let path = provider.path.as_str();
    let (issuer, subject) = (provider.issuer.as_str(), claims.subject.as_str());
    let known = args![path, provider.id, issuer, subject];
    let known = office.db.fetch_optional(&sql::KNOWN, known).await?;
    let (staff, first) = match known {
        Some(row) => {
            active(&row.get::<String>("status")?)?;
            (row.get("id")?, false)
        }
        None => (by_email(office, provider, claims).await?, true),
    };
    let account = match Account::load(office, staff).await {
        Err(Fault::Unauthenticated) => return Err(Stranger::Refused("disabled")),
        account => account?,
    };
    if !account.admits(visitor.address) {
        return Err(Stranger::Refused("address"));
    }
    let now = office.now();
    if first {
        let actor = account.actor();
        let mut unit = Unit::begin(office, &actor).await?;
        let args = args![Uuid::now_v7(), staff, provider.id, issuer, subject, now];
        match unit.execute(&sql::INSERT_SUBJECT, args).await {
            // Somebody else's first time was at the same moment.
            Err(store::StoreError::Unique { .. }) => return Err(Fault::Stale.into()),
            written => written?,
        };
        let mut payload = account.view();
        payload["identity_provider_id"] = json!(provider.shown_id());
        let entity_id = staff.to_string();
        let event = Event { kind: "staff.linked", entity_id, payload, policy: &[] };
        unit.record(account.organisation_id, event, None).await?;
        unit.commit().await?;
    } else {
        let args = args![provider.id, issuer, subject, now];
        office.db.execute(&sql::TOUCH_SUBJECT, args).await?;
    }
    let passed = provider.second_factor.is_passed(claims.several_factors, account.second_factor);
    Ok(sign_in::by_provider(office, visitor, account, provider.id, passed).await?)
}

fn active(status: &str) -> Result<(), Stranger> {
    if status == "active" { Ok(()) } else { Err(Stranger::Refused("disabled")) }
}

/// Whom an address that comes for the first time belongs to.
async fn by_email(
    office: &Office,
    provider: &Provider,
    claims: &Claims,
) -> Result<StaffId, Stranger> {
    let person = &claims.person;
    let email = person.email.as_deref().ok_or(Stranger::Refused("no_email"))?;
    if !person.verified.unwrap_or(provider.email_trusted) {
        return Err(Stranger::Refused("email_unverified"));
    }
    // A sign that becomes another's letter in lower case (U+212A) was another to whoever verified.
    if email.chars().any(|c| !c.is_ascii() && c.to_lowercase().any(|c| c.is_ascii())) {
        return Err(Stranger::Refused("no_email"));
    }
    let email = normal_email(email);
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let domains = &provider.email_domains;
    if domain.is_empty() || (!domains.is_empty() && !domains.iter().any(|own| own == domain)) {
        return Err(Stranger::Refused("email_domain"));
    }
    let path = provider.path.as_str();
    let args = args![path, provider.id, provider.issuer.as_str(), email.as_str()];
    if let Some(row) = office.db.fetch_optional(&sql::BY_EMAIL, args).await? {
        active(&row.get::<String>("status")?)?;
        // The address is another person's there now.
        if row.get::<i64>("subjects")? > 0 {
            return Err(Stranger::Refused("other_subject"));
        }
        return Ok(row.get("id")?);
    }
    let Some(role) = provider.role else { return Err(Stranger::Refused("no_account")) };
    let taken = office.db.fetch_one(&sql::EMAIL_TAKEN, args![email.as_str()]).await?;
    if taken.get::<i64>("staff")? > 0 {
        return Err(Stranger::Refused("no_account"));
    }
    let usable = args![path, role];
    if office.db.fetch_optional(&access_sql::USABLE_ROLE, usable).await?.is_none() {
        return Err(Stranger::Refused("no_role"));
    }
    let home = office.db.fetch_one(&organisation::FIND, args![provider.organisation]).await?;
    let locale: String = home.get("locale")?;
    let actor = provider.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    let id = StaffId::generate();
    let name = person.name.as_deref().unwrap_or(&email);
    let by = unit.actor.label();
    // Without a password: none is right.
    let args =
        args![id, provider.organisation, email.as_str(), name, "", locale, role, unit.now, by];
    match unit.execute(&access_sql::INSERT_STAFF, args).await {
        Err(store::StoreError::Unique { .. }) => return Err(Fault::Stale.into()),
        written => written?,
    };
    let row = write::load(&mut unit, &STAFF, id.0, false).await?;
    search::note(&mut unit, &STAFF, id.0, &row, false).await?;
    let payload = json!({"id": id, "name": name, "email": email, "role_id": role,
        "identity_provider_id": provider.shown_id()});
    let entity_id = id.to_string();
    let event = Event { kind: "staff.created", entity_id, payload, policy: &[] };
    unit.record(provider.organisation, event, None).await?;
    unit.commit().await?;
    Ok(id)
}
