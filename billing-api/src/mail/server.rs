//! Whose mail server sends an organisation's letters: its own, else its nearest ancestor's.
//!
//! A server is one record with everything that belongs together, because a password is for one
//! host: an organisation that names another host inherits nothing. A server of an organisation
//! below the root is called under the guard of [`outcall`], on the ports of mail alone; the
//! root's may be anywhere, since whoever sets it runs this machine.

use std::net::IpAddr;

use ::mail::{Address, Reach, Security, Server};
use model::{OrganisationId, Sealed, Secret};
use store::{Row, args};

use crate::domain::actor::Who;
use crate::domain::{Event, Fault, Input, Office, Unit};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Step, Verb, Verbs, Written, read, write,
};

use super::letters;

/// Ports that mail is sent on; others are refused below the root.
const PORTS: &[i64] = &[25, 465, 587, 2525];
/// Longest user name and longest password.
const ACCOUNT_MAX: usize = 200;

store::statements! {
    /// The server that sends for an organisation, with the path of whose it is.
    pub(crate) APPLIES = "SELECT m.*, o.path AS home_path
        FROM organisation me
        JOIN organisation o ON me.path LIKE o.path || '%'
        JOIN mail_server m ON m.organisation_id = o.id
        WHERE me.id = $1 AND m.enabled AND m.deleted_at IS NULL
        ORDER BY LENGTH(o.path) DESC LIMIT 1";
    /// A server, with the path of whose it is.
    pub(crate) FIND = "SELECT m.*, o.path AS home_path
        FROM mail_server m JOIN organisation o ON o.id = m.organisation_id
        WHERE o.path LIKE $1 || '%' AND m.id = $2 AND m.deleted_at IS NULL";
    /// Keeps a password.
    pub(crate) SET_PASSWORD = "UPDATE mail_server SET password = $2 WHERE id = $1";
}

const SHOWN: Flags = Flags::WRITABLE.and(Flags::LISTED);
const GIVEN: Flags = Flags::REQUIRED.and(SHOWN);

/// A mail server.
pub(crate) const MAIL_SERVER: Entity = Entity {
    name: "mail_server",
    path: "mail-servers",
    table: "mail_server",
    prefix: "mas",
    permission: "mail",
    verbs: Verbs::CREATE.and(Verbs::UPDATE).and(Verbs::DELETE),
    title: "host",
    actions: &[Action {
        name: "test",
        permission: "mail.edit",
        applies: |server| server["enabled"] == true,
        run: |unit, id, expected, _| test(unit, id, expected),
        ..Action::PLAIN
    }],
    fields: &[
        Field::new("host", Kind::Text(253), GIVEN),
        Field::new("port", Kind::Integer(1, 65_535), GIVEN),
        Field::new("tls", Kind::Choice(Security::WORDS), GIVEN),
        Field::new("username", Kind::Text(ACCOUNT_MAX), Flags::WRITABLE),
        Field::new("password", Kind::Secret(ACCOUNT_MAX), Flags::WRITABLE),
        Field::new("from_address", Kind::Email, GIVEN),
        Field::new("from_name", Kind::Text(100), SHOWN),
        Field::new("enabled", Kind::Flag, SHOWN.and(Flags::FILLED)),
    ],
    hooks: Hooks { check, before, after, ..Hooks::NONE },
    ..Entity::PLAIN
};

/// The description, where one is wanted that stays.
static ENTITY: &Entity = &MAIL_SERVER;

fn check(draft: &Draft, input: &mut Input) {
    if draft.text("host").is_some_and(|host| !is_host(host)) {
        input.fault("host", "is a name such as mail.example.net, or an address");
    }
    if let Some(Err(error)) = draft.text("from_address").map(str::parse::<Address>) {
        input.fault("from_address", error.to_string());
    }
}

/// A name of letters, digits, hyphens and dots (RFC 1123 §2.1), or an address.
pub(crate) fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.parse::<IpAddr>().is_ok() || host.split('.').all(label)
}

fn before<'a>(
    _: &'a mut Unit<'_>,
    verb: Verb,
    draft: &'a mut Draft,
    row: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        if verb == Verb::Created || draft.value("enabled").is_some() {
            draft.fill("enabled", store::Value::Bool(Some(true)));
        }
        let Some(row) = row.filter(|_| verb == Verb::Updated) else { return Ok(()) };
        // Who may change the address must not have a password sent there that they may not see.
        let old: String = row.get("host")?;
        let kept = row.get::<Option<Sealed>>("password")?.is_some();
        let without = draft.value("username").is_some() && !draft.has("username");
        let changed = if draft.text("host").is_some_and(|host| host != old) {
            Some("host")
        } else {
            draft.text("tls").filter(|tls| *tls == "none").map(|_| "tls")
        };
        if let Some(name) = changed
            && kept
            && draft.secret("password").is_none()
            && !without
        {
            let detail = "changes only together with the password, which must be given again";
            return Err(Fault::field(format!("/{name}"), detail));
        }
        Ok(())
    })
}

fn after<'a>(unit: &'a mut Unit<'_>, written: Written<'a>) -> Step<'a> {
    Box::pin(async move {
        let office = unit.office();
        let id = model::id::show(MAIL_SERVER.prefix, written.id);
        if let Some(secret) = written.draft.secret("password") {
            let sealed = office.keyring.seal(&id, secret.expose().as_bytes())?;
            unit.execute(&SET_PASSWORD, args![written.id, Some(sealed)]).await?;
        }
        let user: Option<String> = written.after.get("username")?;
        if user.is_none() {
            // What is needed no more is not kept.
            unit.execute(&SET_PASSWORD, args![written.id, None::<Sealed>]).await?;
        }
        let row = unit.fetch_optional(&FIND, args![unit.actor.path.as_str(), written.id]).await?;
        let Some(row) = row else { return Ok(()) };
        if user.is_some() && row.get::<Option<Sealed>>("password")?.is_none() {
            return Err(Fault::field("/password", "is required where there is a user name"));
        }
        if reach_of(&row)? == Reach::Public {
            let (host, port): (String, i64) = (row.get("host")?, row.get("port")?);
            if !PORTS.contains(&port) {
                return Err(Fault::field("/port", "is one of 25, 465, 587, 2525"));
            }
            if let Ok(address) = host.parse::<IpAddr>() {
                let checked = office.hooks.caller.guard().address(address);
                checked.map_err(|refused| Fault::field("/host", refused.to_string()))?;
            }
        }
        Ok(())
    })
}

/// The root's server may be anywhere; anybody else's must be public.
fn reach_of(row: &Row) -> Result<Reach, Fault> {
    let path: String = row.get("home_path")?;
    Ok(if path.matches('/').count() == 1 { Reach::Any } else { Reach::Public })
}

/// A server, ready to be used.
pub(crate) struct Applies {
    pub(crate) server: Server,
    pub(crate) from: Address,
    pub(crate) from_name: Option<String>,
}

/// The server that sends for an organisation; nothing where nobody set one.
pub(crate) async fn of(
    office: &Office,
    organisation: OrganisationId,
) -> Result<Option<Applies>, Fault> {
    let row = office.db.fetch_optional(&APPLIES, args![organisation]).await?;
    row.map(|row| open(office, &row)).transpose()
}

/// Whether an organisation has a server, its own or an ancestor's.
pub(super) async fn applies(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
) -> Result<bool, Fault> {
    Ok(unit.fetch_optional(&APPLIES, args![organisation]).await?.is_some())
}

fn open(office: &Office, row: &Row) -> Result<Applies, Fault> {
    let id = model::id::show(MAIL_SERVER.prefix, row.get("id")?);
    let user: Option<String> = row.get("username")?;
    let sealed: Option<Sealed> = row.get("password")?;
    let account = match user.zip(sealed) {
        None => None,
        Some((user, sealed)) => {
            let opened = office.keyring.open(&id, &sealed)?;
            let text = String::from_utf8(opened.expose().clone())
                .map_err(|error| Fault::Internal(Box::new(error)))?;
            Some((user, Secret::new(text)))
        }
    };
    let from: String = row.get("from_address")?;
    let port: i64 = row.get("port")?;
    Ok(Applies {
        server: Server {
            host: row.get("host")?,
            port: u16::try_from(port).map_err(|error| Fault::Internal(Box::new(error)))?,
            security: Security::of(&row.get::<String>("tls")?),
            account,
            reach: reach_of(row)?,
        },
        from: from.parse().map_err(|error| Fault::Internal(Box::new(error)))?,
        from_name: row.get("from_name")?,
    })
}

/// Sends whoever asks a letter, so that they see whether it arrives.
fn test<'a>(unit: &'a mut Unit<'_>, id: uuid::Uuid, expected: Option<i64>) -> Step<'a> {
    Box::pin(async move {
        unit.actor.may("mail.edit")?;
        let row = write::load(unit, ENTITY, id, false).await?;
        if expected.is_some_and(|expected| row.get::<i64>("version").ok() != Some(expected)) {
            return Err(Fault::Stale);
        }
        let organisation: OrganisationId = row.get("organisation_id")?;
        let staff = match (unit.actor.who, unit.actor.owner) {
            (Who::Staff(id), _) | (_, Some(id)) => id,
            _ => {
                let detail = "only staff have an address a test can be sent to".to_owned();
                return Err(Fault::Conflict { pointer: "", detail });
            }
        };
        let Some(reader) = letters::reader(unit, staff).await? else {
            return Err(Fault::NotFound("staff"));
        };
        let host: String = row.get("host")?;
        if letters::test(unit, organisation, &reader, &host).await?.is_none() {
            let detail = "it is switched off, or the queue is full".to_owned();
            return Err(Fault::Conflict { pointer: "", detail });
        }
        let payload = read::shown(ENTITY, &row, &[])?;
        let entity_id = model::id::show(MAIL_SERVER.prefix, id);
        let event = Event { kind: "mail_server.tested", entity_id, payload, policy: &[] };
        unit.record(organisation, event, None).await
    })
}
