//! Services, their access identities and holds.

use std::net::Ipv4Addr;

use ipnetwork::{IpNetwork, Ipv6Network};
use model::identity::IdentityKind;
use model::policy::{
    HoldNetwork, HoldReason, Ipv4Method, LimitAction, Overrides, Rules, Subscriber,
};
use model::{CustomerId, IdentityId, OrganisationId, PlanId, PlanVersionId, Sealed, ServiceId, Ts};
use store::{Row, StoreError};

use super::plan::{document, small, word};

store::statements! {
    /// The version a live plan is at and what it gives, for a service of a live customer. Whoever deletes one of
    /// the two waits for this transaction, or this waits for them and finds nothing.
    pub(crate) LIVE_ROOTS = {
        sqlite: "SELECT p.current_version_id, v.gives
            FROM customer c JOIN plan p ON p.id = $2
            JOIN plan_version v ON v.id = p.current_version_id
            WHERE c.id = $1 AND c.deleted_at IS NULL AND p.deleted_at IS NULL",
        postgres: "SELECT p.current_version_id, v.gives
            FROM customer c JOIN plan p ON p.id = $2
            JOIN plan_version v ON v.id = p.current_version_id
            WHERE c.id = $1 AND c.deleted_at IS NULL AND p.deleted_at IS NULL
            FOR KEY SHARE OF c, p",
    };
    /// Waits for those who are giving a customer a service, and keeps others from it.
    pub(crate) LOCK_CUSTOMER = {
        sqlite: "SELECT id FROM customer WHERE id = $1",
        postgres: "SELECT id FROM customer WHERE id = $1 FOR UPDATE",
    };
    /// The same of a NAS that services are tied to.
    pub(crate) LOCK_NAS = {
        sqlite: "SELECT id FROM nas WHERE id = $1",
        postgres: "SELECT id FROM nas WHERE id = $1 FOR UPDATE",
    };
    /// The same of a plan.
    pub(crate) LOCK_PLAN = {
        sqlite: "SELECT id FROM plan WHERE id = $1",
        postgres: "SELECT id FROM plan WHERE id = $1 FOR UPDATE",
    };
    /// Raises the version where only a hold changed, and says whether the network is held.
    pub(crate) TOUCH = "UPDATE service SET version = version + 1, updated_at = $3, updated_by = $4,
            status = CASE WHEN EXISTS (SELECT 1 FROM hold h WHERE h.service_id = service.id
                AND h.lifted_at IS NULL AND h.network <> 'none') THEN 'held' ELSE 'active' END
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Live services of a customer, on a plan, or of one NAS.
    pub(crate) IN_USE = "SELECT COUNT(*) AS services FROM service
        WHERE (customer_id = $1 OR plan_id = $1 OR nas_id = $1) AND deleted_at IS NULL";
    /// Whether a service's customer and plan are live.
    pub(crate) ROOTS = "SELECT
            (SELECT COUNT(*) FROM customer WHERE id = $1 AND deleted_at IS NULL) AS customer,
            (SELECT COUNT(*) FROM plan WHERE id = $2 AND deleted_at IS NULL) AS plan";
    /// One service.
    pub(crate) FIND = "SELECT * FROM service
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// A page, the newest first: those before an id, of one customer or of all.
    pub(crate) LIST = {
        sqlite: "SELECT * FROM service
            WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
              AND deleted_at IS NULL AND ($2 IS NULL OR id < $2)
              AND ($3 IS NULL OR customer_id = $3)
            ORDER BY id DESC LIMIT $4",
        postgres: "SELECT * FROM service
            WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
              AND deleted_at IS NULL AND ($2::uuid IS NULL OR id < $2)
              AND ($3::uuid IS NULL OR customer_id = $3)
            ORDER BY id DESC LIMIT $4",
    };
    /// How many there are, and how many of them are held.
    pub(crate) COUNT = "SELECT COUNT(*) AS count,
            COUNT(DISTINCT h.service_id) AS held
        FROM service s
        LEFT JOIN hold h ON h.service_id = s.id AND h.lifted_at IS NULL
        WHERE s.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND s.deleted_at IS NULL";
    /// Services with what their plans give them, and the vendor of the one NAS they may come
    /// through.
    pub(crate) TOLD = {
        sqlite: "SELECT s.*, v.gives, n.vendor FROM service s JOIN plan p ON p.id = s.plan_id
            JOIN plan_version v ON v.id = COALESCE(s.pinned_version_id, p.current_version_id)
            LEFT JOIN nas n ON n.id = s.nas_id AND n.deleted_at IS NULL
            WHERE s.id IN (SELECT unhex(value) FROM json_each($1))",
        postgres: "SELECT s.*, v.gives, n.vendor FROM service s JOIN plan p ON p.id = s.plan_id
            JOIN plan_version v ON v.id = COALESCE(s.pinned_version_id, p.current_version_id)
            LEFT JOIN nas n ON n.id = s.nas_id AND n.deleted_at IS NULL
            WHERE s.id = ANY($1)",
    };
    /// Creates an identity.
    pub(crate) INSERT_IDENTITY = "INSERT INTO access_identity
        (id, organisation_id, service_id, kind, value, credential_kind, credential,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9)";
    /// Gives an identity another value, and another credential where there is one.
    pub(crate) CHANGE_IDENTITY = "UPDATE access_identity
        SET value = $2, credential = COALESCE($3, credential), version = version + 1,
            updated_at = $4, updated_by = $5
        WHERE id = $1 AND deleted_at IS NULL";
    /// Takes one identity away.
    pub(crate) DELETE_IDENTITY = "UPDATE access_identity SET deleted_at = $3, deleted_by = $4,
            version = version + 1, updated_at = $3, updated_by = $4
        WHERE id = $1 AND service_id = $2 AND deleted_at IS NULL";
    /// The identities of a service go with it.
    pub(crate) DELETE_IDENTITIES = "UPDATE access_identity SET deleted_at = $2, deleted_by = $3,
            version = version + 1, updated_at = $2, updated_by = $3
        WHERE service_id = $1 AND deleted_at IS NULL";
    /// And come back with it: those that went at that instant.
    pub(crate) RESTORE_IDENTITIES = "UPDATE access_identity SET deleted_at = NULL, deleted_by = NULL,
            version = version + 1, updated_at = $3, updated_by = $4
        WHERE service_id = $1 AND deleted_at = $2";
    /// The identities of services, the oldest first.
    pub(crate) IDENTITIES = {
        sqlite: "SELECT id, service_id, kind, value, credential_kind, credential
            FROM access_identity
            WHERE service_id IN (SELECT unhex(value) FROM json_each($1)) AND deleted_at IS NULL
            ORDER BY id",
        postgres: "SELECT id, service_id, kind, value, credential_kind, credential
            FROM access_identity
            WHERE service_id = ANY($1) AND deleted_at IS NULL ORDER BY id",
    };
    /// Places a hold; nothing where one with that reason stands.
    pub(crate) PLACE_HOLD = "INSERT INTO hold
        (id, organisation_id, service_id, reason, network, billing, owner, note, placed_at, placed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (service_id, reason) WHERE lifted_at IS NULL DO NOTHING";
    /// Lifts the standing hold with that reason.
    pub(crate) LIFT_HOLD = "UPDATE hold SET lifted_at = $3, lifted_by = $4
        WHERE service_id = $1 AND reason = $2 AND lifted_at IS NULL";
    /// The standing holds of services.
    pub(crate) HOLDS = {
        sqlite: "SELECT service_id, reason, network, billing, owner, note, placed_at FROM hold
            WHERE service_id IN (SELECT unhex(value) FROM json_each($1)) AND lifted_at IS NULL
            ORDER BY id",
        postgres: "SELECT service_id, reason, network, billing, owner, note, placed_at FROM hold
            WHERE service_id = ANY($1) AND lifted_at IS NULL ORDER BY id",
    };
}

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Who pays for it.
    pub customer: CustomerId,
    /// Its plan.
    pub plan: PlanId,
    /// The plan version it stays on; absent: it follows the current one.
    pub pinned_version: Option<PlanVersionId>,
    /// The IANA zone its billing dates are in.
    pub zone: String,
    /// Where it is installed.
    pub address: Option<serde_json::Value>,
    /// When its time is over.
    pub expires_at: Option<Ts>,
    /// Its fixed address.
    pub ipv4: Option<Ipv4Addr>,
    /// What it has otherwise than the plan says.
    pub overrides: Overrides,
    /// Rises with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Ts,
    /// When it last changed.
    pub updated_at: Ts,
}

impl Service {
    /// As the network sees it, as far as its vendors are concerned.
    pub(crate) fn subscriber(&self) -> Subscriber {
        Subscriber {
            service: self.id,
            organisation: self.organisation,
            customer: self.customer,
            profile: PlanVersionId::NONE,
            identities: Vec::new(),
            holds: Vec::new(),
            expires_at: None,
            ipv4: self.ipv4,
            overrides: self.overrides.clone().boxed(),
        }
    }
}

/// Reads a row of [`FIND`] or [`LIST`].
pub(crate) fn service(row: &Row) -> Result<Service, StoreError> {
    let ipv4: Option<IpNetwork> = row.get("ipv4")?;
    Ok(Service {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        customer: row.get("customer_id")?,
        plan: row.get("plan_id")?,
        pinned_version: row.get("pinned_version_id")?,
        zone: row.get("zone")?,
        address: row.get("address")?,
        expires_at: row.get("expires_at")?,
        ipv4: match ipv4 {
            None => None,
            Some(IpNetwork::V4(v4)) => Some(v4.ip()),
            Some(other) => {
                return Err(row.bad_column("ipv4", "an IPv4 address", other.to_string()));
            }
        },
        overrides: overrides(row)?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn overrides(row: &Row) -> Result<Overrides, StoreError> {
    Ok(Overrides {
        download_bps: row.get("download_bps")?,
        upload_bps: row.get("upload_bps")?,
        session_timeout_s: row.get("session_timeout_s")?,
        idle_timeout_s: row.get("idle_timeout_s")?,
        session_limit: small(row, "session_limit")?,
        session_limit_action: word(row, "session_limit_action", LimitAction::from_word)?,
        ipv4_method: word(row, "ipv4_method", Ipv4Method::from_word)?,
        pool: row.get("pool")?,
        lease_pool: row.get("lease_pool_id")?,
        ipv4_prefix_length: small(row, "ipv4_prefix_length")?,
        ipv6_pool: row.get("ipv6_pool")?,
        delegated_pool: row.get("delegated_pool")?,
        ipv6_address: ipv6(row, "ipv6_address")?.map(|net| net.ip()),
        ipv6_prefix: ipv6(row, "ipv6_prefix")?,
        delegated_prefix: ipv6(row, "delegated_prefix")?,
        routes: document(row, "routes")?,
        ipv6_routes: document(row, "ipv6_routes")?,
        vlan: small(row, "vlan")?,
        address_list: row.get("address_list")?,
        nas: row.get("nas_id")?,
        rules: Rules { mac: super::rules::binding(row)?, ..super::rules::rules(row)? },
    })
}

fn ipv6(row: &Row, column: &str) -> Result<Option<Ipv6Network>, StoreError> {
    match row.get::<Option<IpNetwork>>(column)? {
        None => Ok(None),
        Some(IpNetwork::V6(v6)) => Ok(Some(v6)),
        Some(other) => Err(row.bad_column(column, "IPv6", other.to_string())),
    }
}

/// An identity as stored.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Its service.
    pub service: ServiceId,
    /// What kind of value it is.
    pub kind: IdentityKind,
    /// The lookup key.
    pub value: String,
    /// How the credential is kept: `clear` or `nt_hash`, and the sealed credential.
    pub credential: Option<(String, Sealed)>,
}

/// Reads a row of [`IDENTITIES`].
pub(crate) fn identity(row: &Row) -> Result<Identity, StoreError> {
    let kind: String = row.get("kind")?;
    let kind = IdentityKind::from_word(&kind)
        .ok_or_else(|| row.bad_column("kind", "a kind of identity", &kind))?;
    let credential_kind: Option<String> = row.get("credential_kind")?;
    let credential: Option<String> = row.get("credential")?;
    Ok(Identity {
        id: row.get("id")?,
        service: row.get("service_id")?,
        kind,
        value: row.get("value")?,
        credential: credential_kind.zip(credential.map(Sealed)),
    })
}

/// A standing hold.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// The held service.
    pub service: ServiceId,
    /// Why.
    pub reason: HoldReason,
    /// What it does to the network side.
    pub network: HoldNetwork,
    /// `on` or `off`.
    pub billing: String,
    /// Which part of the product placed it.
    pub owner: String,
    /// What staff wrote about it.
    pub note: Option<String>,
    /// Since when.
    pub placed_at: Ts,
}

/// Reads a row of [`HOLDS`].
pub(crate) fn hold(row: &Row) -> Result<Hold, StoreError> {
    let reason: String = row.get("reason")?;
    let network: String = row.get("network")?;
    Ok(Hold {
        service: row.get("service_id")?,
        reason: HoldReason::from_word(&reason)
            .ok_or_else(|| row.bad_column("reason", "a hold reason", &reason))?,
        network: HoldNetwork::from_word(&network)
            .ok_or_else(|| row.bad_column("network", "none, garden or reject", &network))?,
        billing: row.get("billing")?,
        owner: row.get("owner")?,
        note: row.get("note")?,
        placed_at: row.get("placed_at")?,
    })
}
