//! Plans, their versions and prices.

use model::policy::{
    Burst, FramedProtocol, Garden, Gives, Ipv4Method, LimitAction, OnHold, ServiceType,
};
use store::{Row, StoreError};

store::statements! {
    /// A version with what the plan gives.
    pub(crate) INSERT_VERSION = "INSERT INTO plan_version
        (id, plan_id, number, gives, created_at, created_by)
        SELECT $1, id, 1 + (SELECT COUNT(*) FROM plan_version x WHERE x.plan_id = plan.id),
            $3, $4, $5
        FROM plan WHERE id = $2";
    /// What plans give now.
    pub(crate) GIVEN_BY = {
        sqlite: "SELECT p.id, v.gives FROM plan p JOIN plan_version v ON v.id = p.current_version_id
            WHERE p.id IN (SELECT unhex(value) FROM json_each($1))",
        postgres: "SELECT p.id, v.gives FROM plan p JOIN plan_version v ON v.id = p.current_version_id
            WHERE p.id = ANY($1)",
    };
    /// What the versions give that services are on.
    pub(crate) GIVEN_TO = {
        sqlite: "SELECT s.id, v.gives FROM service s JOIN plan p ON p.id = s.plan_id
            JOIN plan_version v ON v.id = COALESCE(s.pinned_version_id, p.current_version_id)
            WHERE s.id IN (SELECT unhex(value) FROM json_each($1))",
        postgres: "SELECT s.id, v.gives FROM service s JOIN plan p ON p.id = s.plan_id
            JOIN plan_version v ON v.id = COALESCE(s.pinned_version_id, p.current_version_id)
            WHERE s.id = ANY($1)",
    };
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

/// Reads what a plan gives from its columns.
pub(crate) fn gives(row: &Row) -> Result<Gives, StoreError> {
    let bursts: (Option<u64>, Option<u64>) =
        (row.get("burst_download_bps")?, row.get("burst_upload_bps")?);
    let burst = match bursts {
        (Some(download_bps), Some(upload_bps)) => Some(Burst {
            download_bps,
            upload_bps,
            threshold_download_bps: row.get("burst_threshold_download_bps")?,
            threshold_upload_bps: row.get("burst_threshold_upload_bps")?,
            time_s: row.get("burst_time_s")?,
        }),
        _ => None,
    };
    Ok(Gives {
        download_bps: row.get("download_bps")?,
        upload_bps: row.get("upload_bps")?,
        burst,
        priority: small(row, "priority")?,
        interim_s: row.get("interim_s")?,
        session_timeout_s: row.get("session_timeout_s")?,
        idle_timeout_s: row.get("idle_timeout_s")?,
        session_limit: small(row, "session_limit")?,
        session_limit_action: word(row, "session_limit_action", LimitAction::from_word)?,
        ipv4_method: word(row, "ipv4_method", Ipv4Method::from_word)?,
        pool: row.get("pool")?,
        lease_pool: row.get("lease_pool_id")?,
        ipv6_pool: row.get("ipv6_pool")?,
        delegated_pool: row.get("delegated_pool")?,
        dns: document(row, "dns")?,
        vlan: small(row, "vlan")?,
        service_type: word(row, "service_type", ServiceType::from_word)?,
        framed_protocol: word(row, "framed_protocol", FramedProtocol::from_word)?,
        address_list: row.get("address_list")?,
        filters: document(row, "filters")?,
        vendor_profiles: document(row, "vendor_profiles")?,
        rules: super::rules::rules(row)?,
        on_expired: match row.get::<String>("on_expired")?.as_str() {
            "garden" => OnHold::Garden,
            "reject" => OnHold::Reject,
            other => return Err(row.bad_column("on_expired", "reject or garden", other)),
        },
        garden: Garden {
            address_list: row.get("garden_address_list")?,
            download_bps: row.get("garden_download_bps")?,
            upload_bps: row.get("garden_upload_bps")?,
            pool: row.get("garden_pool")?,
            redirect_url: row.get("garden_redirect_url")?,
            dns: document(row, "garden_dns")?,
            vendor_profiles: document(row, "garden_vendor_profiles")?,
        },
    })
}

/// Reads what a version of a plan gives.
pub(crate) fn given(row: &Row) -> Result<Gives, StoreError> {
    let gives: serde_json::Value = row.get("gives")?;
    serde_json::from_value(gives)
        .map_err(|error| row.bad_column("gives", "what a plan gives", error.to_string()))
}

/// Reads one of some words.
pub(super) fn word<T>(
    row: &Row,
    column: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let Some(word) = row.get::<Option<String>>(column)? else { return Ok(None) };
    match read(&word) {
        Some(value) => Ok(Some(value)),
        None => Err(row.bad_column(column, "one of its words", word)),
    }
}

/// Reads a small number.
pub(super) fn small<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<Option<T>, StoreError> {
    let Some(number) = row.get::<Option<i64>>(column)? else { return Ok(None) };
    let small = T::try_from(number);
    Ok(Some(small.map_err(|_| row.bad_column(column, "a small number", number.to_string()))?))
}

/// Reads a document; absent, it is empty.
pub(super) fn document<T: serde::de::DeserializeOwned + Default>(
    row: &Row,
    column: &str,
) -> Result<T, StoreError> {
    match row.get::<Option<serde_json::Value>>(column)? {
        None => Ok(T::default()),
        Some(value) => serde_json::from_value(value)
            .map_err(|error| row.bad_column(column, "a document of its kind", error.to_string())),
    }
}
