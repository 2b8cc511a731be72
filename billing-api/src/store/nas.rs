//! NAS and RADIUS clients.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::nas::{Ipv6Counters, Signing, Vendor};
use model::{NasGroupId, NasId, OrganisationId, Sealed, Ts};
use store::{Row, StoreError};

store::statements! {
    /// Creates a NAS.
    pub(crate) INSERT = "INSERT INTO nas
        (id, organisation_id, name, address, vendor, coa_address, coa_port, coa_secret,
         accepts_coa, ipv6_counters, seen_client_id, seen_at, external_source, external_id,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $16, $10, $11, $12, $13, $14, $15, $14, $15)";
    /// The vendors of the NAS that the subscribers of organisations may come through: their own,
    /// those below them, and those above. Of these, what the reader (path `$2`) has below or above
    /// itself: which vendors a neighbour uses is nobody else's business.
    pub(crate) VENDORS = {
        sqlite: "SELECT DISTINCT o.id, n.vendor FROM organisation o
            JOIN organisation other
              ON (other.path LIKE o.path || '%' OR o.path LIKE other.path || '%')
             AND (other.path LIKE $2 || '%' OR $2 LIKE other.path || '%')
            JOIN nas n ON n.organisation_id = other.id AND n.deleted_at IS NULL
            WHERE o.id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY n.vendor",
        postgres: "SELECT DISTINCT o.id, n.vendor FROM organisation o
            JOIN organisation other
              ON (other.path LIKE o.path || '%' OR o.path LIKE other.path || '%')
             AND (other.path LIKE $2 || '%' OR $2 LIKE other.path || '%')
            JOIN nas n ON n.organisation_id = other.id AND n.deleted_at IS NULL
            WHERE o.id = ANY($1) ORDER BY n.vendor",
    };
    /// The vendor of a NAS, for a service that is tied to it. Whoever deletes the NAS waits for
    /// this transaction, or this waits for them and finds nothing.
    pub(crate) VENDOR_OF = {
        sqlite: "SELECT vendor FROM nas WHERE id = $1 AND deleted_at IS NULL",
        postgres: "SELECT vendor FROM nas WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE",
    };
    /// One NAS that services may be tied to: of the subtree, or shared by those above.
    pub(crate) FIND = "SELECT * FROM nas
        WHERE (organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
            OR (shared AND organisation_id IN
                (SELECT id FROM organisation WHERE $1 LIKE path || '%')))
          AND id = $2 AND deleted_at IS NULL";
    /// Whether a NAS exists, in any organisation: ids of NAS seen by aaad are derived.
    pub(crate) EXISTS = "SELECT 1 AS found FROM nas WHERE id = $1";
    /// Whose a NAS is.
    pub(crate) OWNER = "SELECT organisation_id FROM nas WHERE id = $1 AND deleted_at IS NULL";
    /// A NAS that was left to learn must sign its requests from now on.
    pub(crate) REQUIRE_SIGNING = "UPDATE nas SET message_authenticator = 'require',
            version = version + 1, updated_at = $2, updated_by = $3
        WHERE id = $1 AND message_authenticator = 'learn' AND deleted_at IS NULL";
    /// The names of an organisation's NAS.
    pub(crate) NAMES = "SELECT name FROM nas WHERE organisation_id = $1 AND deleted_at IS NULL";
    /// Creates a client.
    pub(crate) INSERT_CLIENT = "INSERT INTO radius_client
        (id, organisation_id, source, secret, nas_id, vendor,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8)";
    /// The client with this source.
    pub(crate) FIND_CLIENT_BY_SOURCE = "SELECT id, organisation_id, secret, vendor FROM radius_client
        WHERE source = $1 AND deleted_at IS NULL";
    /// A client's organisation and vendor.
    pub(crate) FIND_CLIENT = "SELECT id, organisation_id, secret, vendor FROM radius_client
        WHERE id = $1 AND deleted_at IS NULL";
    /// The clients of a NAS.
    pub(crate) CLIENTS_OF = "SELECT id FROM radius_client WHERE nas_id = $1 AND deleted_at IS NULL";
    /// The clients of a NAS go with it.
    pub(crate) DELETE_CLIENTS = "UPDATE radius_client SET deleted_at = $2, deleted_by = $3,
            version = version + 1, updated_at = $2, updated_by = $3
        WHERE nas_id = $1 AND deleted_at IS NULL RETURNING id";
    /// And come back with it: those that went at that instant.
    pub(crate) RESTORE_CLIENTS = "UPDATE radius_client SET deleted_at = NULL, deleted_by = NULL,
            version = version + 1, updated_at = $3, updated_by = $4
        WHERE nas_id = $1 AND deleted_at = $2 RETURNING id";
    /// Gives a client another source, where there is one, and its NAS's vendor.
    pub(crate) MOVE_CLIENT = "UPDATE radius_client
        SET source = COALESCE($2, source), vendor = $3, version = version + 1,
            updated_at = $4, updated_by = $5
        WHERE id = $1 AND deleted_at IS NULL";
    /// Gives a client a new secret; the old one stays accepted.
    pub(crate) ROTATE_CLIENT = "UPDATE radius_client
        SET previous_secret = secret, secret = $2, version = version + 1,
            updated_at = $3, updated_by = $4
        WHERE id = $1 AND deleted_at IS NULL";
}

/// A NAS.
#[derive(Debug, Clone)]
pub(crate) struct NasRow {
    /// Its id.
    pub id: NasId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// What staff call it.
    pub name: String,
    /// Where its packets come from, where it is a client of its own.
    pub address: Option<IpAddr>,
    /// Whose attributes it understands.
    pub vendor: Vendor,
    /// Where CoA goes; absent: where its packets come from.
    pub coa_address: Option<IpAddr>,
    /// The UDP port CoA goes to.
    pub coa_port: u16,
    /// The secret for CoA, sealed to the id; absent: the client's.
    pub coa_secret: Option<Sealed>,
    /// Whether it takes CoA.
    pub accepts_coa: bool,
    /// How it counts a dual-stack session.
    pub ipv6_counters: Ipv6Counters,
    /// What becomes of its unsigned Access-Requests.
    pub signing: Signing,
    /// The group that says which address pools it may use.
    pub group: Option<NasGroupId>,
    /// When it was first seen, where nobody registered it.
    pub seen_at: Option<Ts>,
    /// Rises with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Ts,
    /// When it last changed.
    pub updated_at: Ts,
}

/// Reads a vendor.
pub(crate) fn vendor(row: &Row) -> Result<Vendor, StoreError> {
    let word: String = row.get("vendor")?;
    Vendor::from_word(&word).ok_or_else(|| row.bad_column("vendor", "a vendor", &word))
}

/// Reads what becomes of unsigned Access-Requests.
pub(crate) fn signing(row: &Row) -> Result<Signing, StoreError> {
    let word: String = row.get("message_authenticator")?;
    Signing::from_word(&word)
        .ok_or_else(|| row.bad_column("message_authenticator", "learn, warn or require", &word))
}

/// Reads a row of [`FIND`] or [`LIST`].
pub(crate) fn nas(row: &Row) -> Result<NasRow, StoreError> {
    let address: Option<IpNetwork> = row.get("address")?;
    let coa_address: Option<IpNetwork> = row.get("coa_address")?;
    let coa_secret: Option<String> = row.get("coa_secret")?;
    Ok(NasRow {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        name: row.get("name")?,
        address: address.map(|net| net.ip()),
        vendor: vendor(row)?,
        coa_address: coa_address.map(|net| net.ip()),
        coa_port: row.get("coa_port")?,
        coa_secret: coa_secret.map(Sealed),
        accepts_coa: row.get("accepts_coa")?,
        ipv6_counters: {
            let word: String = row.get("ipv6_counters")?;
            Ipv6Counters::from_word(&word)
                .ok_or_else(|| row.bad_column("ipv6_counters", "included or separate", &word))?
        },
        signing: signing(row)?,
        group: row.get("nas_group_id")?,
        seen_at: row.get("seen_at")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
