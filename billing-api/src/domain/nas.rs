//! NAS, and the RADIUS clients they speak through.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::nas::{COA_PORT, NasSeen, Vendor};
use model::policy::Key;
use model::{ClientId, NasId, OrganisationId, Secret, Ts};
use serde::Serialize;
use store::{StoreError, args};

use super::{Actor, Event, Fault, Input, Office, Page, Unit};
use crate::store::nas as sql;
use crate::store::nas::NasRow;
use crate::store::organisation;

/// Longest shared secret we keep. RFC 2865 §3 wants at least 16 octets; shorter ones are
/// common in the field and are accepted.
const SECRET_OCTETS_MAX: usize = 128;

/// A NAS as the API shows it. Secrets are never shown.
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

impl From<NasRow> for View {
    fn from(row: NasRow) -> Self {
        Self {
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
        }
    }
}

/// What a new NAS needs.
#[derive(Debug)]
pub(crate) struct New {
    name: String,
    address: Option<IpAddr>,
    secret: Secret<String>,
    vendor: Vendor,
    coa_address: Option<IpAddr>,
    coa_port: u16,
    coa_secret: Option<Secret<String>>,
    accepts_coa: bool,
}

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let name = input.text("name", 100);
        let address = input.required("address");
        if !input.has("secret") {
            input.fault("secret", "is required");
        }
        let secret = input.optional_raw_text("secret", SECRET_OCTETS_MAX);
        let vendor = match input.optional_text("vendor", 40) {
            None => Vendor::Generic,
            Some(word) => Vendor::from_word(&word).unwrap_or_else(|| {
                let known: Vec<&str> = Vendor::ALL.iter().map(|v| v.as_str()).collect();
                input.fault("vendor", format!("is one of {}", known.join(", ")));
                Vendor::Generic
            }),
        };
        let coa_address = input.parsed("coa_address");
        let coa_port = input.number("coa_port", 1, 65535).map_or(COA_PORT, |port| port as u16);
        let coa_secret = input.optional_raw_text("coa_secret", SECRET_OCTETS_MAX);
        let accepts_coa = input.flag("accepts_coa").unwrap_or(true);
        input.finish()?;
        Ok(Self {
            name,
            address,
            secret: Secret::new(secret.unwrap_or_default()),
            vendor,
            coa_address,
            coa_port,
            coa_secret: coa_secret.map(Secret::new),
            accepts_coa,
        })
    }
}

/// Registers a NAS together with the RADIUS client of its address.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let (id, client) = (NasId::generate(), ClientId::generate());
    let seal =
        |id: String, secret: &Secret<String>| office.keyring.seal(&id, secret.expose().as_bytes());
    let secret = seal(client.to_string(), &new.secret)?;
    let coa_secret = new.coa_secret.as_ref().map(|s| seal(id.to_string(), s)).transpose()?;
    let mut unit = Unit::begin(office, actor).await?;
    let by = actor.label();
    let inserted = unit
        .execute(
            &sql::INSERT,
            args![
                id,
                actor.organisation,
                new.name.as_str(),
                new.address,
                new.vendor.as_str(),
                new.coa_address,
                new.coa_port,
                coa_secret,
                new.accepts_coa,
                None::<ClientId>,
                None::<Ts>,
                None::<String>,
                None::<String>,
                unit.now,
                by.as_str()
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict {
                pointer: "/name",
                detail: format!("there is a NAS \"{}\" already", new.name),
            });
        }
        result => result?,
    };
    let inserted = unit
        .execute(
            &sql::INSERT_CLIENT,
            args![
                client,
                actor.organisation,
                new.address.map(IpNetwork::from),
                secret,
                id,
                new.vendor.as_str(),
                unit.now,
                by
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict {
                pointer: "/address",
                detail: "there is a RADIUS client with this address already".to_owned(),
            });
        }
        result => result?,
    };
    let row = unit.fetch_one(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let view = View::from(sql::nas(&row)?);
    let event = Event {
        kind: "nas.created",
        entity_id: id.to_string(),
        payload: serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?,
        policy: &[Key::Nas(id), Key::Client(client)],
    };
    unit.record(actor.organisation, event, None).await?;
    unit.commit().await?;
    Ok(view)
}

/// One NAS.
pub(crate) async fn find(office: &Office, actor: &Actor, id: NasId) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    Ok(View::from(sql::nas(&row.ok_or(Fault::NotFound("NAS"))?)?))
}

/// A page of NAS.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    after: Option<NasId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let rows =
        office.db.fetch_all(&sql::LIST, args![actor.path.as_str(), after, limit + 1]).await?;
    let views: Vec<View> =
        rows.iter().map(|row| sql::nas(row).map(View::from)).collect::<Result<_, _>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
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
                actor.label()
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => {
            return Err(Fault::Conflict { pointer: "/name", detail: "taken meanwhile".to_owned() });
        }
        result => result?,
    };
    let payload = serde_json::json!({"id": seen.nas, "name": name, "source": seen.source, "client_id": seen.client});
    let event = Event {
        kind: "nas.seen",
        entity_id: seen.nas.to_string(),
        payload,
        policy: &[Key::Nas(seen.nas)],
    };
    unit.record(organisation, event, None).await?;
    unit.commit().await
}
