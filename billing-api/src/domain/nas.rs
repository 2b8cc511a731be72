//! NAS, and the RADIUS clients they speak through.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::nas::{COA_PORT, Ipv6Counters, NasSeen, Signing, Vendor};
use model::policy::Key;
use model::{ClientId, NasGroupId, NasId, OrganisationId, Secret, Ts};
use serde::Serialize;
use serde_json::Value as Json;
use store::{Row, StoreError, args};

use super::{Actor, Event, Fault, Office, Page, Unit};
use crate::entity::query::ListQuery;
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Kind, Scope, Unique, Verb, Written, read, search, write,
};
use crate::store::nas as sql;
use crate::store::{organisation, rules as rules_sql};

/// Longest shared secret we keep. RFC 2865 §3 wants at least 16 octets; shorter ones are
/// common in the field and are accepted.
const SECRET_OCTETS_MAX: usize = 128;

/// The words of [`Vendor::ALL`]; a test compares them.
const VENDORS: &[&str] = &[
    "mikrotik",
    "cisco",
    "huawei",
    "juniper",
    "nokia",
    "accel_ppp",
    "chillispot",
    "h3c",
    "zte",
    "ubiquiti",
    "redback",
    "generic",
];

/// The words of [`Signing::ALL`]; a test compares them.
const SIGNING: &[&str] = &["learn", "warn", "require"];

/// What every NAS has, whether or not it was said.
const KEPT: Flags = Flags::WRITABLE.and(Flags::FILLED);

/// A NAS: what subscribers connect to. Its RADIUS client, with address and secret, is kept
/// with it.
pub(crate) const NAS: Entity = Entity {
    name: "nas",
    path: "nas",
    table: "nas",
    prefix: NasId::PREFIX,
    scope: Scope::Shared,
    permission: "network",
    module: Some("network.routers"),
    custom: true,
    unique: &[Unique::within(&["name"]), Unique::everywhere(&["address"])],
    fields: &[
        Field::new(
            "name",
            Kind::Text(100),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new(
            "address",
            Kind::Address,
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new("secret", Kind::Secret(SECRET_OCTETS_MAX), Flags::REQUIRED.and(Flags::WRITABLE)),
        Field::new(
            "vendor",
            Kind::Choice(VENDORS),
            Flags::WRITABLE
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::FILLED)
                .and(Flags::LISTED),
        ),
        Field::new(
            "nas_group_id",
            Kind::Reference(NasGroupId::PREFIX, "nas_group"),
            Flags::WRITABLE.and(Flags::FILTERABLE),
        ),
        Field::new("accepts_coa", Kind::Flag, KEPT.and(Flags::LISTED)),
        Field::new("coa_address", Kind::Address, Flags::WRITABLE),
        Field::new("coa_port", Kind::Integer(1, 65535), KEPT),
        Field::new("coa_secret", Kind::Secret(SECRET_OCTETS_MAX), Flags::WRITABLE),
        Field::new("ipv6_counters", Kind::Choice(&["included", "separate"]), KEPT),
        Field::new("message_authenticator", Kind::Choice(SIGNING), KEPT.and(Flags::LISTED)),
        // Organisations below see it and tie services to it; it stays its owner's.
        Field::new("shared", Kind::Flag, KEPT.and(Flags::LISTED)),
        // When it was first heard of, where nobody registered it.
        Field::new("seen_at", Kind::Time, Flags::LISTED),
    ],
    hooks: Hooks {
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &NAS;

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if verb == Verb::Deleted {
        // Services that may come through this NAS alone could not come any more.
        return super::service::refuse_in_use(unit, &crate::store::service::LOCK_NAS, row).await;
    }
    if verb == Verb::Created {
        draft.fill("vendor", Vendor::Generic.as_str());
        draft.fill("coa_port", COA_PORT);
        draft.fill("accepts_coa", true);
        draft.fill("ipv6_counters", Ipv6Counters::default().as_str());
        draft.fill("message_authenticator", Signing::default().as_str());
        draft.fill("shared", false);
    }
    if let Some(secret) = draft.secret("coa_secret") {
        let id = NasId(draft.record).to_string();
        let sealed = unit.office().keyring.seal(&id, secret.expose().as_bytes())?;
        draft.set("coa_secret", sealed);
    }
    Ok(())
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    let nas = NasId(written.id);
    unit.policy(Key::Nas(nas));
    let by = unit.actor.label();
    let clients = match written.verb {
        Verb::Created => Vec::new(),
        // The client goes and comes with its NAS.
        Verb::Deleted => {
            unit.fetch_all(&sql::DELETE_CLIENTS, args![nas, unit.now, by.as_str()]).await?
        }
        Verb::Restored => {
            let deleted_at: Option<Ts> = match written.before {
                Some(before) => before.get("deleted_at")?,
                None => None,
            };
            let args = args![nas, deleted_at, unit.now, by.as_str()];
            match unit.fetch_all(&sql::RESTORE_CLIENTS, args).await {
                Err(StoreError::Unique { .. }) => return Err(address_taken()),
                clients => clients?,
            }
        }
        Verb::Updated => unit.fetch_all(&sql::CLIENTS_OF, args![nas]).await?,
    };
    let clients: Vec<ClientId> =
        clients.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    for client in &clients {
        unit.policy(Key::Client(*client));
    }
    if !matches!(written.verb, Verb::Created | Verb::Updated) {
        return Ok(());
    }
    if let (Some(before), Some(name)) = (written.before, written.draft.text("name")) {
        let old: String = before.get("name")?;
        for statement in [&rules_sql::RENAME_NAS_OF_SERVICES, &rules_sql::RENAME_NAS_OF_PLANS] {
            let (old, new) = (Json::from(old.as_str()).to_string(), Json::from(name).to_string());
            unit.execute(statement, args![nas.to_string(), old, new]).await?;
        }
    }
    let source = written.draft.net("address");
    let vendor: String = written.after.get("vendor")?;
    match (clients.as_slice(), written.draft.secret("secret")) {
        ([], Some(secret)) => {
            let address: Option<IpNetwork> = written.after.get("address")?;
            let Some(address) = address else {
                return Err(Fault::field("/address", "is required where a secret is given"));
            };
            let client = ClientId::generate();
            let id = client.to_string();
            let sealed = unit.office().keyring.seal(&id, secret.expose().as_bytes())?;
            let organisation: OrganisationId = written.after.get("organisation_id")?;
            let args =
                args![client, organisation, address, sealed, nas, vendor.as_str(), unit.now, by];
            unit.policy(Key::Client(client));
            taken(unit.execute(&sql::INSERT_CLIENT, args).await)
        }
        (clients, secret) => {
            for client in clients {
                if let Some(secret) = secret {
                    let id = client.to_string();
                    let sealed = unit.office().keyring.seal(&id, secret.expose().as_bytes())?;
                    let args = args![*client, sealed, unit.now, by.as_str()];
                    unit.execute(&sql::ROTATE_CLIENT, args).await?;
                }
                let args = args![*client, source, vendor.as_str(), unit.now, by.as_str()];
                taken(unit.execute(&sql::MOVE_CLIENT, args).await)?;
            }
            Ok(())
        }
    }
}

fn taken(written: Result<u64, StoreError>) -> Result<(), Fault> {
    match written {
        Err(StoreError::Unique { .. }) => Err(address_taken()),
        other => Ok(other.map(drop)?),
    }
}

fn address_taken() -> Fault {
    Fault::Conflict {
        pointer: "/address",
        detail: "another RADIUS client has this address".to_owned(),
    }
}

/// A NAS as typed code sees it. Secrets are never shown.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: NasId,
    pub(crate) organisation_id: OrganisationId,
    pub(crate) name: String,
    pub(crate) address: Option<IpAddr>,
    pub(crate) vendor: Vendor,
    pub(crate) coa_address: Option<IpAddr>,
    pub(crate) coa_port: u16,
    pub(crate) accepts_coa: bool,
    /// When it was first heard of, where nobody registered it.
    pub(crate) seen_at: Option<Ts>,
    pub(crate) version: i64,
    pub(crate) created_at: Ts,
    pub(crate) updated_at: Ts,
}

impl View {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let row = sql::nas(row)?;
        Ok(Self {
            id: row.id,
            organisation_id: row.organisation,
            name: row.name,
            address: row.address,
            vendor: row.vendor,
            coa_address: row.coa_address,
            coa_port: row.coa_port,
            accepts_coa: row.accepts_coa,
            seen_at: row.seen_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A page of NAS.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    cursor: Option<&str>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let mut parameters = std::collections::BTreeMap::new();
    parameters.insert("limit".to_owned(), limit.to_string());
    cursor.map(|cursor| parameters.insert("cursor".to_owned(), cursor.to_owned()));
    let query = ListQuery::parse(DESCRIPTION, &[], parameters)?;
    let (rows, next) = read::page(office, actor, DESCRIPTION, &query).await?;
    let rows = rows.iter().map(View::of).collect::<Result<_, _>>()?;
    Ok(Page { rows, next })
}

/// Makes sure that a RADIUS client exists with this secret; true where something changed. A
/// changed secret keeps the one before it valid, as for any rotation.
pub(crate) async fn ensure_client(
    office: &Office,
    actor: &Actor,
    source: IpNetwork,
    secret: &Secret<String>,
) -> Result<bool, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let found = unit.fetch_optional(&sql::FIND_CLIENT_BY_SOURCE, args![source]).await?;
    let by = actor.label();
    let (id, kind) = match found {
        Some(row) => {
            let id: ClientId = row.get("id")?;
            let sealed = model::Sealed(row.get("secret")?);
            let known = office.keyring.open(&id.to_string(), &sealed)?;
            if known.same_as(secret.expose().as_bytes()) {
                return Ok(false);
            }
            let sealed = office.keyring.seal(&id.to_string(), secret.expose().as_bytes())?;
            unit.execute(&sql::ROTATE_CLIENT, args![id, sealed, unit.now, by]).await?;
            (id, "radius_client.secret_changed")
        }
        None => {
            let id = ClientId::generate();
            let sealed = office.keyring.seal(&id.to_string(), secret.expose().as_bytes())?;
            unit.execute(
                &sql::INSERT_CLIENT,
                args![
                    id,
                    actor.organisation,
                    source,
                    sealed,
                    None::<NasId>,
                    Vendor::Mikrotik.as_str(),
                    unit.now,
                    by
                ],
            )
            .await?;
            (id, "radius_client.created")
        }
    };
    let payload = serde_json::json!({"id": id, "source": source});
    let event = Event { kind, entity_id: id.to_string(), payload, policy: &[Key::Client(id)] };
    unit.record(actor.organisation, event, None).await?;
    unit.commit().await?;
    Ok(true)
}

/// Keeps a NAS that `aaad` met behind a client: in the client's organisation, under the name
/// it gave itself, with a number behind it where that is taken.
pub(crate) async fn keep_seen(office: &Office, seen: &NasSeen) -> Result<(), Fault> {
    let Some(row) = office.db.fetch_optional(&sql::FIND_CLIENT, args![seen.client]).await? else {
        return Ok(());
    };
    let organisation: OrganisationId = row.get("organisation_id")?;
    let vendor = sql::vendor(&row)?;
    let home = office.db.fetch_one(&organisation::FIND, args![organisation]).await?;
    let path = organisation::organisation(&home)?.path;
    let actor = Actor::system("aaad", organisation, path);
    let mut unit = Unit::begin(office, &actor).await?;
    if unit.fetch_optional(&sql::EXISTS, args![seen.nas]).await?.is_some() {
        return Ok(());
    }
    let wanted: String = seen.name.chars().filter(|c| !c.is_control()).take(90).collect();
    let wanted = if wanted.is_empty() { seen.source.to_string() } else { wanted };
    let taken = unit.fetch_all(&sql::NAMES, args![organisation]).await?;
    let taken: Vec<String> = taken.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?;
    let numbered = (2..).map(|n| format!("{wanted} ({n})"));
    let name = std::iter::once(wanted.clone())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or(wanted);
    let inserted = unit
        .execute(
            &sql::INSERT,
            args![
                seen.nas,
                organisation,
                name.as_str(),
                None::<IpAddr>,
                vendor.as_str(),
                None::<IpAddr>,
                COA_PORT,
                None::<String>,
                true,
                seen.client,
                unit.now,
                None::<String>,
                None::<String>,
                unit.now,
                actor.label(),
                Ipv6Counters::default().as_str()
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict { pointer: "/name", detail: "taken meanwhile".to_owned() });
        }
        result => result?,
    };
    let row = write::load(&mut unit, DESCRIPTION, seen.nas.0, false).await?;
    search::note(&mut unit, DESCRIPTION, seen.nas.0, &row, false).await?;
    unit.policy(Key::Nas(seen.nas));
    write::record(&mut unit, DESCRIPTION, "seen", seen.nas.0, None, &row).await?;
    unit.commit().await
}

/// A NAS has shown that it signs its requests: from now on it must. True where that is news;
/// what staff have decided stays.
pub(crate) async fn require_signing(office: &Office, nas: NasId) -> Result<bool, Fault> {
    let Some(row) = office.db.fetch_optional(&sql::OWNER, args![nas]).await? else {
        return Ok(false);
    };
    let organisation: OrganisationId = row.get("organisation_id")?;
    let home = office.db.fetch_one(&organisation::FIND, args![organisation]).await?;
    let path = organisation::organisation(&home)?.path;
    let actor = Actor::system("aaad", organisation, path);
    let mut unit = Unit::begin(office, &actor).await?;
    let before = write::load(&mut unit, DESCRIPTION, nas.0, false).await?;
    let args = args![nas, unit.now, actor.label()];
    if unit.execute(&sql::REQUIRE_SIGNING, args).await? == 0 {
        return Ok(false);
    }
    for row in unit.fetch_all(&sql::CLIENTS_OF, args![nas]).await? {
        unit.policy(Key::Client(row.get("id")?));
    }
    unit.policy(Key::Nas(nas));
    let row = write::load(&mut unit, DESCRIPTION, nas.0, false).await?;
    write::record(&mut unit, DESCRIPTION, "signing_required", nas.0, Some(&before), &row).await?;
    unit.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_can_be_chosen() {
        let words: Vec<&str> = Vendor::ALL.iter().map(|vendor| vendor.as_str()).collect();
        assert_eq!(words, VENDORS);
        let words: Vec<&str> = Signing::ALL.iter().map(|mode| mode.as_str()).collect();
        assert_eq!(words, SIGNING);
    }
}
