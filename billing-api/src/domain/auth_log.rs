//! Refused logins, for staff to look at.

use model::identity::normalise_login;
use model::reject::RejectReason;
use model::{CustomerId, NasId, RefusalId, ServiceId, Ts};
use serde::Serialize;

use super::session::{nas_names, scope};
use super::{Actor, Fault, Office, Page};
use crate::store::auth_log as sql;

/// Refusals of one login, from one station, on one NAS, for one reason, within a minute.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: RefusalId,
    pub(crate) login: String,
    /// Calling-Station-Id, else the line; absent where neither was sent.
    pub(crate) station: Option<String>,
    pub(crate) reason: String,
    pub(crate) attempts: u64,
    pub(crate) first_at: Ts,
    pub(crate) last_at: Ts,
    pub(crate) nas_id: NasId,
    pub(crate) nas_name: Option<String>,
    pub(crate) service_id: Option<ServiceId>,
    pub(crate) customer_id: Option<CustomerId>,
}

/// Which to show.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) login: Option<String>,
    pub(crate) station: Option<String>,
    pub(crate) reason: Option<RejectReason>,
    pub(crate) nas: Option<NasId>,
    pub(crate) service: Option<ServiceId>,
    pub(crate) since: Option<Ts>,
    pub(crate) until: Option<Ts>,
}

/// A page, the newest first. An unknown login belongs to its NAS's organisation; where that is
/// not known either, to whoever runs the network.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    filter: &Filter,
    after: Option<RefusalId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let (organisations, unknown) = scope(office, actor).await?;
    let wanted = sql::Wanted {
        organisations,
        unknown,
        login_key: filter.login.as_deref().map(normalise_login),
        service: filter.service,
        nas: filter.nas,
        station: filter.station.clone(),
        reason: filter.reason.map(RejectReason::as_str),
        since: filter.since,
        until: filter.until,
        before: after,
    };
    let (text, args) = sql::page(office.network.engine(), wanted, limit + 1);
    let rows = office.network.dynamic_all(&text, args).await?;
    let names = nas_names(office, actor).await?;
    let view = |row: sql::Refused| View {
        id: row.id,
        login: row.login,
        station: (!row.station.is_empty()).then_some(row.station),
        reason: row.reason,
        attempts: row.attempts,
        first_at: row.first_at,
        last_at: row.last_at,
        nas_id: row.nas,
        nas_name: names.get(&row.nas).cloned(),
        service_id: row.service,
        customer_id: row.customer,
    };
    let views: Vec<View> =
        rows.iter().map(|row| sql::refused(row).map(view)).collect::<Result<_, _>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}
