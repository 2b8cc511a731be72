//! Address pools and groups of NAS.

use ipnetwork::{IpNetwork, Ipv6Network};
use model::pool::{Pool, Prefixes, Range};
use store::{Row, StoreError};

use super::plan::{document, small};

store::statements! {
    /// A pool as the network sees it.
    pub(crate) LOAD = "SELECT * FROM pool WHERE id = $1 AND deleted_at IS NULL";
    /// Every other live pool: an address is of one pool in the whole installation.
    pub(crate) OTHERS = "SELECT * FROM pool WHERE id <> $1 AND deleted_at IS NULL";
    /// What keeps a pool from being deleted: live plans and services that name it.
    pub(crate) IN_USE = "SELECT
            (SELECT COUNT(*) FROM plan WHERE lease_pool_id = $1 AND deleted_at IS NULL) AS plans,
            (SELECT COUNT(*) FROM service WHERE lease_pool_id = $1 AND deleted_at IS NULL)
                AS services";
    /// What keeps a group from being deleted: live NAS in it, and live pools for it.
    pub(crate) GROUP_IN_USE = "SELECT
            (SELECT COUNT(*) FROM nas WHERE nas_group_id = $1 AND deleted_at IS NULL) AS nas,
            (SELECT COUNT(*) FROM pool WHERE nas_group_id = $1 AND deleted_at IS NULL) AS pools";
    /// What aaad says of how full a pool is. No change of the record.
    pub(crate) SET_USAGE = "UPDATE pool SET usage = $2, used_percent = $3, usage_at = $4
        WHERE id = $1 AND (usage_at IS NULL OR usage_at <= $4)";
    /// What aaad said last of pools.
    pub(crate) USAGE = {
        sqlite: "SELECT id, usage, usage_at FROM pool
            WHERE id IN (SELECT unhex(value) FROM json_each($1))",
        postgres: "SELECT id, usage, usage_at FROM pool WHERE id = ANY($1)",
    };
    /// Whose a pool is.
    pub(crate) OWNER = "SELECT organisation_id, name FROM pool WHERE id = $1 AND deleted_at IS NULL";
}

/// Reads a pool.
pub(crate) fn pool(row: &Row) -> Result<Pool, StoreError> {
    let texts: Vec<String> = document(row, "ipv4")?;
    let ranges = texts.iter().map(|text| {
        text.parse::<Range>().map_err(|error| row.bad_column("ipv4", "ranges", error.to_string()))
    });
    let mut ipv4: Vec<Range> = ranges.collect::<Result<_, _>>()?;
    ipv4.sort();
    let lease_s: i64 = row.get("lease_s")?;
    Ok(Pool {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        group: row.get("nas_group_id")?,
        ipv4,
        ipv6: prefixes(row, "ipv6_prefix", "ipv6_length")?,
        delegated: prefixes(row, "delegated_prefix", "delegated_length")?,
        lease_s: u32::try_from(lease_s)
            .map_err(|_| row.bad_column("lease_s", "seconds", lease_s.to_string()))?,
    })
}

fn prefixes(
    row: &Row,
    prefix: &'static str,
    length: &'static str,
) -> Result<Option<Prefixes>, StoreError> {
    let from: Option<Ipv6Network> = match row.get::<Option<IpNetwork>>(prefix)? {
        None => None,
        Some(IpNetwork::V6(v6)) => Some(v6),
        Some(other) => return Err(row.bad_column(prefix, "IPv6", other.to_string())),
    };
    let length: Option<u8> = small(row, length)?;
    Ok(from.zip(length).map(|(from, length)| Prefixes { from, length }))
}
