//! The present state of policy records, put together from the office's rows.

use std::collections::HashMap;

use model::identity::{Credential, Identity};
use model::nas::{Client, Nas};
use model::policy::{Body, Group, Hold, Key, Profile, Realm, Subscriber};
use model::pool::Pool;
use model::{ClientId, NasId, PlanVersionId, PoolId, RadiusGroupId, RealmId, Sealed, ServiceId};
use store::{Row, StoreError, Tx, args};

use crate::store::{nas, plan, policy as sql, pool, rules, service};

/// What was found; a record that does not read is an error of its own, not of its set. What is
/// not in it, is deleted.
pub(super) type Found = HashMap<Key, Result<Body, StoreError>>;

/// The records of these keys. Subscribers, of which one change may name thousands, are read with
/// three statements for all of them.
pub(super) async fn load(tx: &mut Tx, keys: &[Key]) -> Result<Found, StoreError> {
    let mut found = Found::with_capacity(keys.len());
    let mut services = Vec::new();
    for key in keys {
        let body = match *key {
            Key::Subscriber(id) => {
                services.push(id);
                continue;
            }
            Key::Profile(id) => {
                profile(tx, id).await.map(|one| one.map(|profile| Body::Profile(Box::new(profile))))
            }
            Key::Client(id) => client(tx, id).await.map(|one| one.map(Body::Client)),
            Key::Pool(id) => pool_record(tx, id).await.map(|one| one.map(Body::Pool)),
            Key::Nas(id) => nas_record(tx, id).await.map(|one| one.map(Body::Nas)),
            Key::Group(id) => group(tx, id).await.map(|one| one.map(Body::Group)),
            Key::Realm(id) => realm(tx, id).await.map(|one| one.map(Body::Realm)),
        };
        if let Some(body) = unless_unreadable(body)?.map_or_else(|e| Some(Err(e)), |b| b.map(Ok)) {
            found.insert(*key, body);
        }
    }
    if !services.is_empty() {
        for (id, subscriber) in subscribers(tx, services).await? {
            found.insert(Key::Subscriber(id), subscriber.map(Body::Subscriber));
        }
    }
    Ok(found)
}

/// Tells a row that does not read from a database that does not answer.
fn unless_unreadable<T>(
    result: Result<T, StoreError>,
) -> Result<Result<T, StoreError>, StoreError> {
    match result {
        Err(error @ StoreError::Column { .. }) => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(value) => Ok(Ok(value)),
    }
}

async fn profile(tx: &mut Tx, id: PlanVersionId) -> Result<Option<Profile>, StoreError> {
    let Some(row) = tx.fetch_optional(&sql::LOAD_PROFILE, args![id]).await? else {
        return Ok(None);
    };
    Ok(Some(Profile {
        id,
        plan: row.get("plan_id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        gives: plan::given(&row)?,
    }))
}

type Subscribers = HashMap<ServiceId, Result<Subscriber, StoreError>>;

async fn subscribers(tx: &mut Tx, ids: Vec<ServiceId>) -> Result<Subscribers, StoreError> {
    let mut found = Subscribers::with_capacity(ids.len());
    for row in tx.fetch_all(&sql::LOAD_SERVICES, args![ids.clone()]).await? {
        found.insert(row.get("id")?, unless_unreadable(bare(&row))?);
    }
    for row in tx.fetch_all(&service::IDENTITIES, args![ids.clone()]).await? {
        let identity = unless_unreadable(identity(&row))?;
        add(&mut found, row.get("service_id")?, identity, |subscriber, identity| {
            subscriber.identities.push(identity);
        });
    }
    for row in tx.fetch_all(&service::HOLDS, args![ids]).await? {
        let hold = unless_unreadable(service::hold(&row))?;
        add(&mut found, row.get("service_id")?, hold, |subscriber, hold| {
            subscriber.holds.push(Hold { reason: hold.reason, network: hold.network });
        });
    }
    Ok(found)
}

/// Adds a part to its subscriber, who does not read where the part does not.
fn add<T>(
    found: &mut Subscribers,
    service: ServiceId,
    part: Result<T, StoreError>,
    put: impl FnOnce(&mut Subscriber, T),
) {
    let Some(slot) = found.get_mut(&service) else { return };
    match (slot.as_mut(), part) {
        (Ok(subscriber), Ok(part)) => put(subscriber, part),
        (Ok(_), Err(error)) => *slot = Err(error),
        (Err(_), _) => {}
    }
}

/// A subscriber without identities and holds.
fn bare(row: &Row) -> Result<Subscriber, StoreError> {
    let mut found = service::service(row)?;
    found.overrides.rules.zone = row.get("told_zone")?;
    Ok(Subscriber {
        service: found.id,
        organisation: found.organisation,
        customer: found.customer,
        profile: row.get("profile")?,
        identities: Vec::new(),
        holds: Vec::new(),
        expires_at: found.expires_at,
        ipv4: found.ipv4,
        overrides: found.overrides.boxed(),
    })
}

fn identity(row: &Row) -> Result<Identity, StoreError> {
    let identity = service::identity(row)?;
    let credential = match identity.credential {
        None => None,
        Some((kind, sealed)) => Some(match kind.as_str() {
            "clear" => Credential::Clear(sealed),
            "nt_hash" => Credential::NtHash(sealed),
            other => return Err(row.bad_column("credential_kind", "clear or nt_hash", other)),
        }),
    };
    Ok(Identity { id: identity.id, kind: identity.kind, value: identity.value, credential })
}

async fn client(tx: &mut Tx, id: ClientId) -> Result<Option<Client>, StoreError> {
    let Some(row) = tx.fetch_optional(&sql::LOAD_CLIENT, args![id]).await? else {
        return Ok(None);
    };
    let previous: Option<String> = row.get("previous_secret")?;
    Ok(Some(Client {
        id,
        organisation: row.get("organisation_id")?,
        source: row.get("source")?,
        secret: Sealed(row.get("secret")?),
        previous_secret: previous.map(Sealed),
        nas: row.get("nas_id")?,
        vendor: nas::vendor(&row)?,
        signing: nas::signing(&row)?,
    }))
}

async fn nas_record(tx: &mut Tx, id: NasId) -> Result<Option<Nas>, StoreError> {
    let Some(row) = tx.fetch_optional(&sql::LOAD_NAS, args![id]).await? else { return Ok(None) };
    let found = nas::nas(&row)?;
    Ok(Some(Nas {
        id,
        organisation: found.organisation,
        name: found.name,
        vendor: found.vendor,
        coa_address: found.coa_address,
        coa_port: found.coa_port,
        coa_secret: found.coa_secret,
        accepts_coa: found.accepts_coa,
        ipv6_counters: found.ipv6_counters,
        signing: found.signing,
        group: found.group,
    }))
}

async fn pool_record(tx: &mut Tx, id: PoolId) -> Result<Option<Pool>, StoreError> {
    let row = tx.fetch_optional(&pool::LOAD, args![id]).await?;
    row.as_ref().map(pool::pool).transpose()
}

async fn group(tx: &mut Tx, id: RadiusGroupId) -> Result<Option<Group>, StoreError> {
    let row = tx.fetch_optional(&rules::LOAD_GROUP, args![id]).await?;
    row.as_ref().map(rules::group).transpose()
}

async fn realm(tx: &mut Tx, id: RealmId) -> Result<Option<Realm>, StoreError> {
    let Some(row) = tx.fetch_optional(&rules::LOAD_REALM, args![id]).await? else {
        return Ok(None);
    };
    let organisation = row.get("organisation_id")?;
    let below = tx.fetch_all(&rules::REACH, args![organisation]).await?;
    Ok(Some(Realm {
        id,
        organisation,
        name: row.get("name")?,
        strip: row.get("strip")?,
        organisations: below.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?,
    }))
}
