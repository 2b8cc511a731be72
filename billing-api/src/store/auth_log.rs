//! Refused logins, read from policyd's table: never written here.

use model::{CustomerId, NasId, OrganisationId, RefusalId, ServiceId, Ts};
use store::{Args, Engine, Row, StoreError};

use super::network::Newest;

/// Which rows to read.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Rows of these organisations.
    pub(crate) organisations: Vec<OrganisationId>,
    /// And those of nobody known.
    pub(crate) unknown: bool,
    /// Of this lookup key.
    pub(crate) login_key: Option<String>,
    /// Of this service.
    pub(crate) service: Option<ServiceId>,
    /// On this NAS.
    pub(crate) nas: Option<NasId>,
    /// From this station.
    pub(crate) station: Option<String>,
    /// For this reason.
    pub(crate) reason: Option<&'static str>,
    /// From this instant on.
    pub(crate) since: Option<Ts>,
    /// And before this one.
    pub(crate) until: Option<Ts>,
    /// Those before this row.
    pub(crate) before: Option<RefusalId>,
}

const COLUMNS: &str = "id, customer_id, service_id, nas_id, minute, login, station, reason, \
    attempts, first_at, last_at";

/// The statement for a page, the newest first.
pub(crate) fn page(engine: Engine, wanted: Wanted, limit: i64) -> (String, Args) {
    Newest::of(engine, wanted.organisations, wanted.unknown)
        .only("login_key =", wanted.login_key)
        .only("service_id =", wanted.service)
        .only("nas_id =", wanted.nas)
        .only("station =", wanted.station)
        .only("reason =", wanted.reason)
        .only("last_at >=", wanted.since)
        .only("first_at <", wanted.until)
        .only("id <", wanted.before)
        .page("auth_log", COLUMNS, limit)
}

/// Refusals of one login, from one station, on one NAS, for one reason, within a minute.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The row.
    pub id: RefusalId,
    /// The customer, where the login is known.
    pub customer: Option<CustomerId>,
    /// The service, where the login is known.
    pub service: Option<ServiceId>,
    /// The NAS.
    pub nas: NasId,
    /// The login as sent.
    pub login: String,
    /// Calling-Station-Id, else the line; empty where neither was sent.
    pub station: String,
    /// Why, as a word.
    pub reason: String,
    /// How many.
    pub attempts: u64,
    /// The first of them.
    pub first_at: Ts,
    /// The last of them.
    pub last_at: Ts,
}

/// Reads a row of [`page`].
pub(crate) fn refused(row: &Row) -> Result<Refused, StoreError> {
    Ok(Refused {
        id: row.get("id")?,
        customer: row.get("customer_id")?,
        service: row.get("service_id")?,
        nas: row.get("nas_id")?,
        login: row.get("login")?,
        station: row.get("station")?,
        reason: row.get("reason")?,
        attempts: row.get("attempts")?,
        first_at: row.get("first_at")?,
        last_at: row.get("last_at")?,
    })
}
