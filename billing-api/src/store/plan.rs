//! Plans, their versions and prices.

use model::policy::{Garden, OnHold};
use model::{Currency, OrganisationId, PlanId, PlanVersionId, Ts};
use store::{Row, StoreError};

store::statements! {
    /// Creates a plan.
    pub(crate) INSERT = "INSERT INTO plan
        (id, organisation_id, name, status, current_version_id,
         external_source, external_id, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)";
    /// Creates a version.
    pub(crate) INSERT_VERSION = "INSERT INTO plan_version
        (id, plan_id, number, download_bps, upload_bps, interim_s, session_timeout_s,
         idle_timeout_s, pool, on_expired, garden, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    /// Creates a price.
    pub(crate) INSERT_PRICE = "INSERT INTO price
        (id, plan_id, organisation_id, currency, amount, period, valid_from, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// One plan with its current version and its own organisation's latest price. Inherited:
    /// an ancestor's plan can be used.
    pub(crate) FIND = "SELECT p.*, v.download_bps, v.upload_bps, v.interim_s, v.session_timeout_s,
            v.idle_timeout_s, v.pool, v.on_expired, v.garden,
            r.currency, r.amount, r.period
        FROM plan p
        JOIN plan_version v ON v.id = p.current_version_id
        LEFT JOIN price r ON r.id = (SELECT x.id FROM price x
            WHERE x.plan_id = p.id AND x.organisation_id = p.organisation_id
            ORDER BY x.valid_from DESC, x.id DESC LIMIT 1)
        WHERE p.organisation_id IN (SELECT id FROM organisation
                WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')
          AND p.id = $2 AND p.deleted_at IS NULL";
    /// A plan that an organisation may sell: its own or an ancestor's, never a descendant's.
    pub(crate) FIND_USABLE = "SELECT p.*, v.download_bps, v.upload_bps, v.interim_s, v.session_timeout_s,
            v.idle_timeout_s, v.pool, v.on_expired, v.garden,
            r.currency, r.amount, r.period
        FROM plan p
        JOIN plan_version v ON v.id = p.current_version_id
        LEFT JOIN price r ON r.id = (SELECT x.id FROM price x
            WHERE x.plan_id = p.id AND x.organisation_id = p.organisation_id
            ORDER BY x.valid_from DESC, x.id DESC LIMIT 1)
        WHERE p.organisation_id IN (SELECT id FROM organisation
                WHERE $1 LIKE path || '%')
          AND p.id = $2 AND p.deleted_at IS NULL";
    /// A page, the newest first.
    pub(crate) LIST = {
        sqlite: "SELECT p.*, v.download_bps, v.upload_bps, v.interim_s, v.session_timeout_s,
                v.idle_timeout_s, v.pool, v.on_expired, v.garden,
                r.currency, r.amount, r.period
            FROM plan p
            JOIN plan_version v ON v.id = p.current_version_id
            LEFT JOIN price r ON r.id = (SELECT x.id FROM price x
                WHERE x.plan_id = p.id AND x.organisation_id = p.organisation_id
                ORDER BY x.valid_from DESC, x.id DESC LIMIT 1)
            WHERE p.organisation_id IN (SELECT id FROM organisation
                    WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')
              AND p.deleted_at IS NULL AND ($2 IS NULL OR p.id < $2)
            ORDER BY p.id DESC LIMIT $3",
        postgres: "SELECT p.*, v.download_bps, v.upload_bps, v.interim_s, v.session_timeout_s,
                v.idle_timeout_s, v.pool, v.on_expired, v.garden,
                r.currency, r.amount, r.period
            FROM plan p
            JOIN plan_version v ON v.id = p.current_version_id
            LEFT JOIN price r ON r.id = (SELECT x.id FROM price x
                WHERE x.plan_id = p.id AND x.organisation_id = p.organisation_id
                ORDER BY x.valid_from DESC, x.id DESC LIMIT 1)
            WHERE p.organisation_id IN (SELECT id FROM organisation
                    WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')
              AND p.deleted_at IS NULL AND ($2::uuid IS NULL OR p.id < $2)
            ORDER BY p.id DESC LIMIT $3",
    };
}

/// A plan with its current version and price.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its id.
    pub id: PlanId,
    /// The organisation that made it.
    pub organisation: OrganisationId,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub status: String,
    /// The version new services are on.
    pub current_version: PlanVersionId,
    /// What that version gives.
    pub gives: Gives,
    /// Currency, minor units, period.
    pub price: Option<(Currency, i64, String)>,
    /// Rises with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Ts,
    /// When it last changed.
    pub updated_at: Ts,
}

/// What a version of a plan gives.
#[derive(Debug, Clone)]
pub(crate) struct Gives {
    /// Download rate, bit/s.
    pub download_bps: Option<u64>,
    /// Upload rate, bit/s.
    pub upload_bps: Option<u64>,
    /// Seconds between interim updates.
    pub interim_s: u32,
    /// Longest session, seconds.
    pub session_timeout_s: Option<u32>,
    /// Longest silence, seconds.
    pub idle_timeout_s: Option<u32>,
    /// The address pool named to the NAS.
    pub pool: Option<String>,
    /// What expiry does.
    pub on_expired: OnHold,
    /// The walled garden.
    pub garden: Garden,
}

/// Reads the columns of a version.
pub(crate) fn gives(row: &Row) -> Result<Gives, StoreError> {
    let on_expired: String = row.get("on_expired")?;
    let garden: serde_json::Value = row.get("garden")?;
    Ok(Gives {
        download_bps: row.get("download_bps")?,
        upload_bps: row.get("upload_bps")?,
        interim_s: row.get("interim_s")?,
        session_timeout_s: row.get("session_timeout_s")?,
        idle_timeout_s: row.get("idle_timeout_s")?,
        pool: row.get("pool")?,
        on_expired: match on_expired.as_str() {
            "garden" => OnHold::Garden,
            "reject" => OnHold::Reject,
            other => return Err(row.bad_column("on_expired", "reject or garden", other)),
        },
        garden: serde_json::from_value(garden)
            .map_err(|error| row.bad_column("garden", "a garden", error.to_string()))?,
    })
}

/// Reads a row of [`FIND`] or [`LIST`].
pub(crate) fn plan(row: &Row) -> Result<Plan, StoreError> {
    let currency: Option<Currency> = row.get("currency")?;
    let price = match currency {
        None => None,
        Some(currency) => Some((currency, row.get("amount")?, row.get("period")?)),
    };
    Ok(Plan {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        status: row.get("status")?,
        current_version: row.get("current_version_id")?,
        gives: gives(row)?,
        price,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
