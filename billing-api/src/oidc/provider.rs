//! The providers an organisation has set.
//!
//! Whoever sets a provider could come in as any of those it is for: so it takes every right that
//! active staff of the organisation and of those below have.

use std::net::IpAddr;

use model::{OrganisationId, RoleId, Sealed, Secret};
use serde_json::json;
use store::{Row, args};
use uuid::Uuid;

use super::fetch::{self, Silent};
use crate::domain::access::{Rights, role, role_rights};
use crate::domain::{Actor, Event, Fault, Input, Office, Unit};
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Kind, Step, Unique, Verb, Verbs, Written, read,
};
use crate::store::access::ROLE_PERMISSIONS;
use crate::store::identity_provider as sql;

/// Longest issuer, client id and client secret.
const TEXT_MAX: usize = 300;
/// Domains of one provider.
const DOMAINS_MAX: usize = 50;
/// Providers that a sign-in page offers.
const OFFERED_MAX: i64 = 10;
/// Longest sentence kept of a check, characters.
const PROBLEM_MAX: usize = 300;

const SHOWN: Flags = Flags::WRITABLE.and(Flags::LISTED);
const SET: Flags = Flags::WRITABLE.and(Flags::FILLED);

/// A provider.
pub(crate) const IDENTITY_PROVIDER: Entity = Entity {
    name: "identity_provider",
    path: "identity-providers",
    table: "identity_provider",
    prefix: "idp",
    permission: "staff",
    verbs: Verbs::CREATE.and(Verbs::UPDATE).and(Verbs::DELETE),
    unique: &[Unique::within(&["name"])],
    fields: &[
        Field::new("name", Kind::Text(60), Flags::REQUIRED.and(SHOWN)),
        Field::new("issuer", Kind::Text(TEXT_MAX), Flags::REQUIRED.and(SHOWN)),
        Field::new("client_id", Kind::Text(TEXT_MAX), Flags::REQUIRED.and(Flags::WRITABLE)),
        Field::new("client_secret", Kind::Secret(TEXT_MAX), Flags::WRITABLE),
        Field::new("enabled", Kind::Flag, SET.and(Flags::LISTED)),
        Field::new("email_domains", Kind::Words(DOMAINS_MAX, 253), SET.and(Flags::LISTED))
            .within("first_sign_in"),
        Field::new("email_trusted", Kind::Flag, SET).within("first_sign_in"),
        Field::new("role_id", Kind::Reference("rol", "role"), Flags::WRITABLE)
            .within("first_sign_in"),
        Field::new("second_factor", Kind::Choice(SecondFactor::WORDS), SET).within("proof"),
        Field::new("required", Kind::Flag, SET.and(Flags::LISTED)).within("proof"),
        Field::new("checked_at", Kind::Time, Flags::NONE),
        Field::new("check_problem", Kind::LongText(PROBLEM_MAX), Flags::NONE),
    ],
    hooks: Hooks { check, before, after, ..Hooks::NONE },
    ..Entity::PLAIN
};

static ENTITY: &Entity = &IDENTITY_PROVIDER;

/// When one's own second factor is asked for besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecondFactor {
    /// As after a password, unless the provider says that it asked for several.
    UnlessProven,
    /// As after a password.
    Always,
    /// Only where the role or the organisation demands one and the provider did not prove it.
    IfDemanded,
}

impl SecondFactor {
    const WORDS: &[&str] = &["unless_proven", "always", "if_demanded"];

    fn of(word: &str) -> Self {
        match word {
            "always" => Self::Always,
            "if_demanded" => Self::IfDemanded,
            _ => Self::UnlessProven,
        }
    }

    /// Whether nothing more is asked for, the provider having proven several factors or not.
    pub(super) fn is_passed(self, proven: bool, demanded: bool) -> bool {
        match self {
            Self::UnlessProven => proven,
            Self::Always => false,
            Self::IfDemanded => proven || !demanded,
        }
    }
}

/// A provider, ready to be asked.
pub(crate) struct Provider {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) organisation: OrganisationId,
    /// The path of its organisation: whom it can speak of.
    pub(super) path: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    client_secret: Option<Sealed>,
    pub(super) email_domains: Vec<String>,
    pub(super) email_trusted: bool,
    pub(super) role: Option<RoleId>,
    pub(super) second_factor: SecondFactor,
}

impl Provider {
    fn of(row: &Row) -> Result<Self, Fault> {
        let domains: serde_json::Value = row.get("email_domains")?;
        let domains = domains.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts = domains.iter().filter_map(|text| text.as_str().map(str::to_owned));
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            organisation: row.get("organisation_id")?,
            path: row.get("home_path")?,
            issuer: row.get("issuer")?,
            client_id: row.get("client_id")?,
            client_secret: row.get("client_secret")?,
            email_domains: texts.collect(),
            email_trusted: row.get("email_trusted")?,
            role: row.get("role_id")?,
            second_factor: SecondFactor::of(&row.get::<String>("second_factor")?),
        })
    }

    /// One in use.
    pub(super) async fn find(office: &Office, id: Uuid) -> Result<Self, Fault> {
        let row = office.db.fetch_optional(&sql::FIND, args![id]).await?;
        Self::of(&row.ok_or(Fault::NotFound("identity_provider"))?)
    }

    /// Its id as people see it.
    pub(crate) fn shown_id(&self) -> String {
        model::id::show(IDENTITY_PROVIDER.prefix, self.id)
    }

    /// Whether it is the root's.
    pub(super) fn is_root(&self) -> bool {
        self.path.matches('/').count() == 1
    }

    /// The client secret, where it has one.
    pub(super) fn secret(&self, office: &Office) -> Result<Option<Secret<String>>, Fault> {
        let Some(sealed) = &self.client_secret else { return Ok(None) };
        let opened = office.keyring.open(&self.shown_id(), sealed)?;
        let text = String::from_utf8(opened.expose().clone())
            .map_err(|error| Fault::Internal(Box::new(error)))?;
        Ok(Some(Secret::new(text)))
    }

    /// Whether one of its addresses may be called.
    pub(super) fn may_call(&self, office: &Office, url: &str) -> Result<(), Silent> {
        may_call(office, url, self.is_root()).map_err(|detail| Silent(format!("{url} {detail}")))
    }

    /// Them, as whoever acts where nobody is signed in.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            rights: Rights::NONE,
            ..Actor::system("identity_provider", self.organisation, self.path.clone())
        }
    }
}

/// That an address of a provider is called over TLS; what is wrong with it. Plain http is for a
/// provider on this machine, where the configuration lets loopback be called.
fn may_call(office: &Office, text: &str, root: bool) -> Result<(), String> {
    let public = office.hooks.caller.guard();
    let guard = if root { office.hooks.anywhere.guard() } else { public };
    let url = guard.url(text).map_err(|refused| refused.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    // That name leads nowhere else (RFC 6761 §6.3).
    let address = if host == "localhost" { "127.0.0.1" } else { host };
    let loopback: Option<IpAddr> = address.parse().ok().filter(IpAddr::is_loopback);
    if let Some(address) = loopback {
        return public.address(address).map_err(|refused| refused.to_string());
    }
    if url.scheme() == "https" { Ok(()) } else { Err("must begin with https://".to_owned()) }
}

fn check(draft: &Draft, input: &mut Input) {
    if let Some(issuer) = draft.text("issuer")
        && issuer.contains(['?', '#'])
    {
        input.fault("issuer", "has neither a query nor a fragment");
    }
    let domains = draft.json("email_domains").and_then(|list| list.as_array());
    for domain in domains.into_iter().flatten().filter_map(|domain| domain.as_str()) {
        if !domain.contains('.') || !crate::mail::server::is_host(domain) {
            input.fault(
                "email_domains",
                format!("\"{domain}\" is not a domain such as isp.example"),
            );
        }
    }
}

fn before<'a>(
    unit: &'a mut Unit<'_>,
    verb: Verb,
    draft: &'a mut Draft,
    row: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        role::lock(unit).await?;
        if verb == Verb::Created {
            for (field, value) in [("email_trusted", false), ("required", false), ("enabled", true)]
            {
                draft.fill(field, value);
            }
            draft.fill("email_domains", json!([]));
            draft.fill("second_factor", SecondFactor::WORDS[0]);
        }
        if let Some(domains) = draft.json("email_domains").and_then(|list| list.as_array()) {
            let lower = |domain: &serde_json::Value| Some(json!(domain.as_str()?.to_lowercase()));
            let domains: Vec<_> = domains.iter().filter_map(lower).collect();
            draft.set("email_domains", json!(domains));
        }
        let Some(row) = row.filter(|_| verb == Verb::Updated) else { return Ok(()) };
        // Whoever may change the issuer must not have the secret sent there that they may not
        // see.
        let old: String = row.get("issuer")?;
        let kept = row.get::<Option<Sealed>>("client_secret")?.is_some();
        let moved = draft.text("issuer").is_some_and(|issuer| issuer != old);
        if moved && kept && draft.secret("client_secret").is_none() {
            let detail = "changes only together with the client secret, which must be given again";
            return Err(Fault::field("/issuer", detail));
        }
        Ok(())
    })
}

fn after<'a>(unit: &'a mut Unit<'_>, written: Written<'a>) -> Step<'a> {
    Box::pin(async move {
        let office = unit.office();
        if let Some(secret) = written.draft.secret("client_secret") {
            let id = model::id::show(IDENTITY_PROVIDER.prefix, written.id);
            let sealed = office.keyring.seal(&id, secret.expose().as_bytes())?;
            unit.execute(&sql::SET_SECRET, args![written.id, Some(sealed)]).await?;
        }
        let row =
            unit.fetch_optional(&sql::LOAD, args![unit.actor.path.as_str(), written.id]).await?;
        let Some(row) = row else { return keep_within(unit, written.after).await };
        let provider = Provider::of(&row)?;
        allowed(unit, &provider.path).await?;
        if written.draft.value("issuer").is_some() {
            let checked = may_call(office, &provider.issuer, provider.is_root());
            checked.map_err(|detail| Fault::field("/issuer", detail))?;
        }
        if let Some(role) = provider.role {
            // Whatever was changed: who names the issuer or the domains says who gets the role.
            role::within(unit.actor, &rights_of(unit, Some(role)).await?)?;
            if provider.email_domains.is_empty() {
                let detail = "is required where those who are not staff yet come in";
                return Err(Fault::field("/email_domains", detail));
            }
        }
        let was = written.before.map(|row| row.get::<bool>("required")).transpose()?;
        let moved = written.before.map(|row| row.get::<String>("issuer")).transpose()?;
        let is: bool = row.get("required")?;
        let again = was != Some(true) || moved.as_ref() != Some(&provider.issuer);
        if is && again {
            // A provider that does not work would shut everybody out.
            let args = args![provider.path.as_str(), provider.id, provider.issuer.as_str()];
            let used: i64 = unit.fetch_one(&sql::USED, args).await?.get("staff")?;
            if used == 0 {
                let detail = "can be switched on once somebody has signed in through it";
                return Err(Fault::field("/required", detail));
            }
        }
        Ok(())
    })
}

/// That a provider which is gone was the actor's to take away.
async fn keep_within(unit: &mut Unit<'_>, row: &Row) -> Result<(), Fault> {
    let organisation: OrganisationId = row.get("organisation_id")?;
    let (_, path) = crate::domain::organisation::target(unit, Some(organisation)).await?;
    allowed(unit, &path).await
}

/// That whoever puts a subtree under other providers has every right of the staff in it. The unit
/// holds the tree, and with it keeps others from setting a provider.
pub(crate) async fn admits(unit: &mut Unit<'_>, path: &str, above: &str) -> Result<(), Fault> {
    match unit.fetch_optional(&sql::COMES_UNDER, args![path, above]).await? {
        Some(_) => allowed(unit, path).await,
        None => Ok(()),
    }
}

/// That the actor has every right of the staff whom a provider of this organisation lets in.
async fn allowed(unit: &mut Unit<'_>, path: &str) -> Result<(), Fault> {
    for row in unit.fetch_all(&sql::RIGHTS_BELOW, args![path]).await? {
        let rights = rights_of(unit, row.get("role_id")?).await?;
        role::within(unit.actor, &rights)?;
    }
    Ok(())
}

async fn rights_of(unit: &mut Unit<'_>, role: Option<RoleId>) -> Result<Rights, Fault> {
    let row = unit.fetch_optional(&ROLE_PERMISSIONS, args![role]).await?;
    let list = row.map(|row| row.get("permissions")).transpose()?;
    Ok(role_rights(list))
}

/// What a sign-in page offers: id and name.
pub(crate) async fn offered(
    office: &Office,
    organisation: OrganisationId,
) -> Result<Vec<(String, String)>, Fault> {
    let rows = office.db.fetch_all(&sql::OFFERED, args![organisation, OFFERED_MAX]).await?;
    let offer = |row: &Row| -> Result<_, Fault> {
        Ok((model::id::show(IDENTITY_PROVIDER.prefix, row.get("id")?), row.get("name")?))
    };
    rows.iter().map(offer).collect()
}

/// The name of the provider that staff of an organisation must sign in through, where there is
/// one.
pub(crate) async fn required(
    office: &Office,
    organisation: OrganisationId,
) -> Result<Option<String>, Fault> {
    let row = office.db.fetch_optional(&sql::REQUIRED, args![organisation]).await?;
    Ok(row.map(|row| row.get("name")).transpose()?)
}

/// Asks a provider what it offers, and keeps what came of it.
pub(crate) async fn test(
    office: &Office,
    actor: &Actor,
    id: Uuid,
) -> Result<serde_json::Value, Fault> {
    actor.may("staff.edit")?;
    let row = office.db.fetch_optional(&sql::LOAD, args![actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound("identity_provider"))?;
    let provider = Provider::of(&row)?;
    // Before the unit begins: nobody waits for a transaction that waits for a network.
    let problem = fetch::read(office, &provider).await.err().map(|Silent(text)| text);
    let problem: Option<String> =
        problem.map(|text| text.chars().filter(|c| !c.is_control()).take(PROBLEM_MAX).collect());
    let mut unit = Unit::begin(office, actor).await?;
    let args = args![actor.path.as_str(), id, unit.now, problem];
    if unit.execute(&sql::CHECKED, args).await? != 1 {
        return Err(Fault::NotFound("identity_provider"));
    }
    let row = crate::entity::write::load(&mut unit, ENTITY, id, false).await?;
    let payload = read::shown(ENTITY, &row, &[])?;
    let entity_id = provider.shown_id();
    let event = Event {
        kind: "identity_provider.checked",
        entity_id,
        payload: payload.clone(),
        policy: &[],
    };
    unit.record(provider.organisation, event, None).await?;
    unit.commit().await?;
    Ok(payload)
}
