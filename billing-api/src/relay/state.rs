//! The present state of a policy record, put together from the office's rows.

use model::identity::{Credential, Identity};
use model::nas::{Client, Nas};
use model::policy::{Body, Hold, Key, Profile, Subscriber};
use model::{ClientId, NasId, PlanVersionId, Sealed, ServiceId};
use store::{StoreError, Tx, args};

use crate::store::{nas, plan, policy as sql, service};

/// The record, or nothing where it is deleted.
pub(super) async fn load(tx: &mut Tx, key: Key) -> Result<Option<Body>, StoreError> {
    match key {
        Key::Profile(id) => Ok(profile(tx, id).await?.map(Body::Profile)),
        Key::Subscriber(id) => Ok(subscriber(tx, id).await?.map(Body::Subscriber)),
        Key::Client(id) => Ok(client(tx, id).await?.map(Body::Client)),
        Key::Nas(id) => Ok(nas_record(tx, id).await?.map(Body::Nas)),
    }
}

async fn profile(tx: &mut Tx, id: PlanVersionId) -> Result<Option<Profile>, StoreError> {
    let Some(row) = tx.fetch_optional(&sql::LOAD_PROFILE, args![id]).await? else {
        return Ok(None);
    };
    let gives = plan::gives(&row)?;
    Ok(Some(Profile {
        id,
        plan: row.get("plan_id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        download_bps: gives.download_bps,
        upload_bps: gives.upload_bps,
        interim_s: gives.interim_s,
        session_timeout_s: gives.session_timeout_s,
        idle_timeout_s: gives.idle_timeout_s,
        pool: gives.pool,
        on_expired: gives.on_expired,
        garden: gives.garden,
    }))
}

async fn subscriber(tx: &mut Tx, id: ServiceId) -> Result<Option<Subscriber>, StoreError> {
    let Some(row) = tx.fetch_optional(&sql::LOAD_SERVICE, args![id]).await? else {
        return Ok(None);
    };
    let found = service::service(&row)?;
    let profile = row.get("profile")?;
    let mut identities = Vec::new();
    for row in tx.fetch_all(&service::IDENTITIES, args![vec![id]]).await? {
        let identity = service::identity(&row)?;
        let credential = match identity.credential {
            None => None,
            Some((kind, sealed)) => Some(match kind.as_str() {
                "clear" => Credential::Clear(sealed),
                "nt_hash" => Credential::NtHash(sealed),
                other => return Err(row.bad_column("credential_kind", "clear or nt_hash", other)),
            }),
        };
        identities.push(Identity {
            id: identity.id,
            kind: identity.kind,
            value: identity.value,
            credential,
        });
    }
    let mut holds = Vec::new();
    for row in tx.fetch_all(&service::HOLDS, args![vec![id]]).await? {
        let hold = service::hold(&row)?;
        holds.push(Hold { reason: hold.reason, network: hold.network });
    }
    Ok(Some(Subscriber {
        service: id,
        organisation: found.organisation,
        customer: found.customer,
        profile,
        identities,
        holds,
        expires_at: found.expires_at,
        ipv4: found.ipv4,
        overrides: found.overrides,
    }))
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
    }))
}
