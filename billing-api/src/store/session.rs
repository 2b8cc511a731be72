//! Sessions and traffic, read from policyd's tables: never written here, never joined with the
//! office's own, at most a second old.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::{CustomerId, NasId, OrganisationId, ServiceId, SessionId, Ts};
use store::{Args, Engine, Row, StoreError};

use super::network::Newest;

store::statements! {
    /// How many sessions of these organisations are open.
    pub(crate) COUNT_OPEN = {
        sqlite: "SELECT COUNT(*) AS count FROM session
            WHERE ended_at IS NULL
              AND (organisation_id IN (SELECT unhex(value) FROM json_each($1))
                   OR ($2 AND organisation_id IS NULL))",
        postgres: "SELECT COUNT(*) AS count FROM session
            WHERE ended_at IS NULL
              AND (organisation_id = ANY($1) OR ($2 AND organisation_id IS NULL))",
    };
    /// Traffic of these organisations per minute since an instant.
    pub(crate) TRAFFIC = {
        sqlite: "SELECT minute, SUM(download_octets) AS download_octets,
                SUM(upload_octets) AS upload_octets
            FROM traffic_minute
            WHERE minute >= $3
              AND (organisation_id IN (SELECT unhex(value) FROM json_each($1))
                   OR ($2 AND organisation_id = zeroblob(16)))
            GROUP BY minute ORDER BY minute",
        postgres: "SELECT minute, CAST(SUM(download_octets) AS BIGINT) AS download_octets,
                CAST(SUM(upload_octets) AS BIGINT) AS upload_octets
            FROM traffic_minute
            WHERE minute >= $3
              AND (organisation_id = ANY($1)
                   OR ($2 AND organisation_id = '00000000-0000-0000-0000-000000000000'))
            GROUP BY minute ORDER BY minute",
    };
}

/// Which sessions to read.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Sessions of these organisations.
    pub(crate) organisations: Vec<OrganisationId>,
    /// And those of nobody known.
    pub(crate) unknown: bool,
    /// Of this lookup key.
    pub(crate) login_key: Option<String>,
    /// Only open or only ended ones.
    pub(crate) open: Option<bool>,
    /// Of this service.
    pub(crate) service: Option<ServiceId>,
    /// Those before this one.
    pub(crate) before: Option<SessionId>,
}

const COLUMNS: &str = "id, customer_id, service_id, nas_id, acct_session_id, login, \
    calling_station, ip, started_at, updated_at, ended_at, end_cause, download_octets, \
    upload_octets";

/// The statement for a page of sessions, the newest first.
pub(crate) fn page(engine: Engine, wanted: Wanted, limit: i64) -> (String, Args) {
    let state =
        wanted.open.map(|open| if open { "ended_at IS NULL" } else { "ended_at IS NOT NULL" });
    Newest::of(engine, wanted.organisations, wanted.unknown)
        .only("login_key =", wanted.login_key)
        .also(state)
        .only("service_id =", wanted.service)
        .only("id <", wanted.before)
        .page("session", COLUMNS, limit)
}

/// The office's side of a session list.
pub(crate) mod office {
    store::statements! {
        /// The organisations of a subtree.
        pub(crate) SUBTREE = "SELECT id FROM organisation WHERE path LIKE $1 || '%'";
        /// The names of all NAS of a subtree, and of those that are shared above it.
        pub(crate) NAS_NAMES = "SELECT id, name FROM nas
            WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
              OR (shared AND organisation_id IN
                  (SELECT id FROM organisation WHERE $1 LIKE path || '%'))";
    }
}

/// A session, live or ended.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// The service.
    pub service: Option<ServiceId>,
    /// The NAS.
    pub nas: NasId,
    /// The NAS's own id of it.
    pub acct_session_id: String,
    /// The login as sent.
    pub login: String,
    /// Calling-Station-Id as sent.
    pub calling_station: Option<String>,
    /// The subscriber's address.
    pub ip: Option<IpAddr>,
    /// When it began.
    pub started_at: Ts,
    /// When it was last heard of.
    pub updated_at: Ts,
    /// When it ended.
    pub ended_at: Option<Ts>,
    /// Why it ended.
    pub end_cause: Option<String>,
    /// Octets to the subscriber.
    pub download_octets: u64,
    /// Octets from the subscriber.
    pub upload_octets: u64,
}

/// Reads a row of [`page`].
pub(crate) fn session(row: &Row) -> Result<SessionRow, StoreError> {
    let ip: Option<IpNetwork> = row.get("ip")?;
    Ok(SessionRow {
        id: row.get("id")?,
        customer: row.get("customer_id")?,
        service: row.get("service_id")?,
        nas: row.get("nas_id")?,
        acct_session_id: row.get("acct_session_id")?,
        login: row.get("login")?,
        calling_station: row.get("calling_station")?,
        ip: ip.map(|net| net.ip()),
        started_at: row.get("started_at")?,
        updated_at: row.get("updated_at")?,
        ended_at: row.get("ended_at")?,
        end_cause: row.get("end_cause")?,
        download_octets: row.get("download_octets")?,
        upload_octets: row.get("upload_octets")?,
    })
}
