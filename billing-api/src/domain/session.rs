//! Sessions and traffic, for staff to look at.

use std::collections::HashMap;
use std::net::IpAddr;

use model::identity::normalise_login;
use model::{CustomerId, NasId, OrganisationId, ServiceId, SessionId, Ts};
use serde::Serialize;
use store::args;

use super::{Actor, Fault, Office, Page};
use crate::store::session as sql;
use crate::store::session::SessionRow;

/// A session as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: SessionId,
    pub(crate) state: &'static str,
    pub(crate) login: String,
    pub(crate) nas_id: NasId,
    pub(crate) nas_name: Option<String>,
    pub(crate) acct_session_id: String,
    pub(crate) service_id: Option<ServiceId>,
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) calling_station: Option<String>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) started_at: Ts,
    pub(crate) updated_at: Ts,
    pub(crate) ended_at: Option<Ts>,
    pub(crate) end_cause: Option<String>,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
}

/// Which sessions to show.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) login: Option<String>,
    pub(crate) open: Option<bool>,
    pub(crate) service: Option<ServiceId>,
}

/// Which organisations an actor sees in policyd's tables, which know no tree. Sessions of
/// nobody known belong to whoever runs the network: the root.
pub(super) async fn scope(
    office: &Office,
    actor: &Actor,
) -> Result<(Vec<OrganisationId>, bool), Fault> {
    let rows = office.db.fetch_all(&sql::office::SUBTREE, args![actor.path.as_str()]).await?;
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    let root = actor.path.matches('/').count() == 1;
    Ok((ids, root))
}

/// A page of sessions, the newest first.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    filter: &Filter,
    after: Option<SessionId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let (organisations, unknown) = scope(office, actor).await?;
    let wanted = sql::Wanted {
        organisations,
        unknown,
        login_key: filter.login.as_deref().map(normalise_login),
        open: filter.open,
        service: filter.service,
        before: after,
    };
    let (text, args) = sql::page(office.network.engine(), wanted, limit + 1);
    let rows = office.network.dynamic_all(&text, args).await?;
    let names = nas_names(office, actor).await?;
    let views: Vec<View> = rows
        .iter()
        .map(|row| sql::session(row).map(|session| view(session, &names)))
        .collect::<Result<_, _>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}

pub(super) async fn nas_names(
    office: &Office,
    actor: &Actor,
) -> Result<HashMap<NasId, String>, Fault> {
    let rows = office.db.fetch_all(&sql::office::NAS_NAMES, args![actor.path.as_str()]).await?;
    let pairs = rows.iter().map(|row| Ok((row.get("id")?, row.get("name")?)));
    Ok(pairs.collect::<Result<_, store::StoreError>>()?)
}

fn view(session: SessionRow, names: &HashMap<NasId, String>) -> View {
    View {
        id: session.id,
        state: if session.ended_at.is_some() { "closed" } else { "open" },
        login: session.login,
        nas_id: session.nas,
        nas_name: names.get(&session.nas).cloned(),
        acct_session_id: session.acct_session_id,
        service_id: session.service,
        customer_id: session.customer,
        calling_station: session.calling_station,
        ip: session.ip,
        started_at: session.started_at,
        updated_at: session.updated_at,
        ended_at: session.ended_at,
        end_cause: session.end_cause,
        download_octets: session.download_octets,
        upload_octets: session.upload_octets,
    }
}

/// How many sessions are open.
pub(crate) async fn count_open(office: &Office, actor: &Actor) -> Result<i64, Fault> {
    let (organisations, unknown) = scope(office, actor).await?;
    let row = office.network.fetch_one(&sql::COUNT_OPEN, args![organisations, unknown]).await?;
    Ok(row.get("count")?)
}

/// Traffic of one minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) minute: Ts,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
}

/// Traffic per minute since an instant; minutes without any are missing.
pub(crate) async fn traffic(
    office: &Office,
    actor: &Actor,
    since: Ts,
) -> Result<Vec<Traffic>, Fault> {
    let (organisations, unknown) = scope(office, actor).await?;
    let rows =
        office.network.fetch_all(&sql::TRAFFIC, args![organisations, unknown, since]).await?;
    let traffic = rows.iter().map(|row| {
        Ok(Traffic {
            minute: row.get("minute")?,
            download_octets: row.get("download_octets")?,
            upload_octets: row.get("upload_octets")?,
        })
    });
    Ok(traffic.collect::<Result<_, store::StoreError>>()?)
}
