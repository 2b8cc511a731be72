//! Plans, their versions and prices.

use model::policy::{Garden, OnHold};
use store::{Row, StoreError};

store::statements! {
    /// A version with what the plan gives now.
    pub(crate) INSERT_VERSION = "INSERT INTO plan_version
        (id, plan_id, number, download_bps, upload_bps, interim_s, session_timeout_s,
         idle_timeout_s, pool, on_expired, garden, created_at, created_by)
        SELECT $1, id, 1 + (SELECT COUNT(*) FROM plan_version x WHERE x.plan_id = plan.id),
            download_bps, upload_bps, interim_s, session_timeout_s, idle_timeout_s, pool,
            on_expired, garden, $3, $4
        FROM plan WHERE id = $2";
    /// Creates a price; another one of the same day takes its place.
    pub(crate) INSERT_PRICE = "INSERT INTO price
        (id, plan_id, organisation_id, currency, amount, period, valid_from, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (plan_id, organisation_id, currency, period, valid_from)
        DO UPDATE SET amount = excluded.amount";
    /// One plan. Inherited: an ancestor's plan can be used.
    pub(crate) FIND = "SELECT * FROM plan
        WHERE organisation_id IN (SELECT id FROM organisation
                WHERE path LIKE $1 || '%' OR $1 LIKE path || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Services that follow a plan, those behind an id.
    pub(crate) FOLLOWERS = "SELECT id FROM service
        WHERE plan_id = $1 AND id > $2 AND pinned_version_id IS NULL AND deleted_at IS NULL
        ORDER BY id LIMIT $3";
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
