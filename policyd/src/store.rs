//! The statements over policyd's tables.

use model::{CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
use store::{Row, StoreError, Tx, args};
use uuid::Uuid;

use crate::report::{Key, Owner};
use crate::session::{Cause, End, Session, Traffic};

store::migrations! {
    /// The schema of sessions and usage.
    pub MIGRATIONS = "network" in "../schema" { "0001_sessions" }
}

/// Sessions of one id that are looked at; ids come round too seldom for more to matter.
pub(crate) const SIBLINGS_MAX: usize = 8;
/// Rows removed at once, so that nobody waits long for the tables.
pub(crate) const REMOVED_MAX: u64 = 1000;

store::statements! {
    /// How far a journal was applied.
    FIND_PROGRESS = "SELECT sequence FROM accounting_progress
        WHERE incarnation = $1 AND partition = $2";
    /// The first step of a journal.
    BEGIN_PROGRESS = "INSERT INTO accounting_progress
        (incarnation, partition, sequence, stream_position, updated_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (incarnation, partition) DO NOTHING";
    /// A further step, unless somebody else made one.
    MOVE_PROGRESS = "UPDATE accounting_progress
        SET sequence = $3, stream_position = $4, updated_at = $5
        WHERE incarnation = $1 AND partition = $2 AND sequence = $6";

    /// The latest sessions of one id.
    LIST_SIBLINGS = "SELECT id, client_id, organisation_id, customer_id, service_id,
            plan_version_id, login, login_key, calling_station, nas_port_id, ip, ipv6_prefix,
            delegated_prefix, policy_hash, started_at, start_reported, start_from, updated_at,
            session_time_s, ended_at, end_cause, download_octets, upload_octets,
            counters_flagged
        FROM session WHERE nas_id = $1 AND acct_session_id = $2
        ORDER BY started_at DESC LIMIT $3";
    /// A session nobody knew.
    INSERT_SESSION = "INSERT INTO session (id, organisation_id, customer_id, service_id,
            plan_version_id, login, login_key, calling_station, nas_port_id, ip, ipv6_prefix,
            delegated_prefix, policy_hash, started_at, start_reported, start_from, updated_at,
            session_time_s, ended_at, end_cause, download_octets, upload_octets,
            counters_flagged, client_id, nas_id, acct_session_id, partition)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23, $24, $25, $26, $27)";
    /// A session as it is now.
    UPDATE_SESSION = "UPDATE session SET organisation_id = $2, customer_id = $3,
            service_id = $4, plan_version_id = $5, login = $6, login_key = $7,
            calling_station = $8, nas_port_id = $9, ip = $10, ipv6_prefix = $11,
            delegated_prefix = $12, policy_hash = $13, started_at = $14, start_reported = $15,
            start_from = $16, updated_at = $17, session_time_s = $18, ended_at = $19,
            end_cause = $20, download_octets = $21, upload_octets = $22, counters_flagged = $23
        WHERE id = $1";

    /// Notes a restart.
    INSERT_RESTART = "INSERT INTO nas_restart (partition, nas_id, restarted_at)
        VALUES ($1, $2, $3) ON CONFLICT (partition, nas_id, restarted_at) DO NOTHING";
    /// The latest restarts of a NAS.
    LIST_RESTARTS = "SELECT restarted_at FROM nas_restart
        WHERE partition = $1 AND nas_id = $2 ORDER BY restarted_at DESC LIMIT 64";
    /// Ends what was online before a restart and was not heard of since.
    END_OPEN = "UPDATE session SET ended_at = $3, end_cause = 'nas_restart'
        WHERE nas_id = $1 AND partition = $2 AND ended_at IS NULL
            AND started_at < $3 AND updated_at <= $3";
    /// A restart that is heard of late ends sessions earlier than was thought.
    END_EARLIER = "UPDATE session SET ended_at = $3, end_cause = 'nas_restart'
        WHERE nas_id = $1 AND partition = $2 AND started_at < $3 AND updated_at <= $3
            AND end_cause IN ('nas_restart', 'replaced') AND ended_at >= $3";

    /// Adds to a minute. Stays at the largest number there is, whatever a NAS claims.
    ADD_TRAFFIC = "INSERT INTO traffic_minute
            (organisation_id, minute, download_octets, upload_octets, sessions_started)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (organisation_id, minute) DO UPDATE SET
            download_octets = CASE
                WHEN traffic_minute.download_octets > 9223372036854775807 - excluded.download_octets
                THEN 9223372036854775807
                ELSE traffic_minute.download_octets + excluded.download_octets END,
            upload_octets = CASE
                WHEN traffic_minute.upload_octets > 9223372036854775807 - excluded.upload_octets
                THEN 9223372036854775807
                ELSE traffic_minute.upload_octets + excluded.upload_octets END,
            sessions_started = traffic_minute.sessions_started + excluded.sessions_started";

    /// Puts a record aside.
    INSERT_DEAD_LETTER = "INSERT INTO dead_letter
        (id, received_at, partition, incarnation, sequence, reason, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";

    /// Minutes that are over.
    pub(crate) REMOVE_TRAFFIC = "DELETE FROM traffic_minute
        WHERE (organisation_id, minute) IN (SELECT organisation_id, minute FROM traffic_minute
            WHERE minute < $1 ORDER BY minute LIMIT $2)";
    /// Restarts that no report can be older than.
    pub(crate) REMOVE_RESTARTS = "DELETE FROM nas_restart
        WHERE (partition, nas_id, restarted_at) IN (SELECT partition, nas_id, restarted_at
            FROM nas_restart WHERE restarted_at < $1 ORDER BY restarted_at LIMIT $2)";
    /// Dead letters nobody came for.
    pub(crate) REMOVE_DEAD_LETTERS = "DELETE FROM dead_letter WHERE id IN (SELECT id
        FROM dead_letter WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
}

/// How far a journal was applied; `None`: not at all.
pub(crate) async fn find_progress(
    tx: &mut Tx,
    incarnation: u128,
    partition: u16,
) -> Result<Option<u64>, StoreError> {
    let row = tx.fetch_optional(&FIND_PROGRESS, args![hex(incarnation), partition]).await?;
    row.map(|row| row.get("sequence")).transpose()
}

/// One step of a journal's progress.
pub(crate) struct Step<'a> {
    pub(crate) incarnation: u128,
    pub(crate) partition: u16,
    /// Where it was when it was read.
    pub(crate) from: Option<u64>,
    pub(crate) to: u64,
    pub(crate) position: &'a str,
    pub(crate) now: Ts,
}

/// Moves progress on; [`StoreError::Stale`] if somebody else did since it was read. From here
/// to the commit nobody else gets past this line.
pub(crate) async fn move_progress(tx: &mut Tx, step: Step<'_>) -> Result<(), StoreError> {
    let Step { incarnation, partition, from, to, position, now } = step;
    let rows = match from {
        None => {
            let args = args![hex(incarnation), partition, to, position, now];
            tx.execute(&BEGIN_PROGRESS, args).await?
        }
        Some(from) => {
            let args = args![hex(incarnation), partition, to, position, now, from];
            tx.execute(&MOVE_PROGRESS, args).await?
        }
    };
    store::changed_one(rows)
}

/// The 32 digits an incarnation is known by.
pub(crate) fn hex(incarnation: u128) -> String {
    format!("{incarnation:032x}")
}

/// The latest sessions of an id, by their beginnings.
pub(crate) async fn load_siblings(tx: &mut Tx, key: &Key) -> Result<Vec<Session>, StoreError> {
    let args = args![key.nas, &key.acct_session_id, SIBLINGS_MAX as i64];
    let rows = tx.fetch_all(&LIST_SIBLINGS, args).await?;
    rows.iter().rev().map(|row| session_of(row, key)).collect()
}

fn session_of(row: &Row, key: &Key) -> Result<Session, StoreError> {
    let cause: Option<String> = row.get("end_cause")?;
    let cause = Cause::of(cause.unwrap_or_default());
    let end = row.get::<Option<Ts>>("ended_at")?.map(|at| End { at, cause });
    Ok(Session {
        id: row.get("id")?,
        key: key.clone(),
        client: row.get("client_id")?,
        owner: Owner {
            organisation: row
                .get::<Option<OrganisationId>>("organisation_id")?
                .unwrap_or(OrganisationId::NONE),
            customer: row.get::<Option<CustomerId>>("customer_id")?.unwrap_or(CustomerId::NONE),
            service: row.get::<Option<ServiceId>>("service_id")?.unwrap_or(ServiceId::NONE),
            plan_version: row
                .get::<Option<PlanVersionId>>("plan_version_id")?
                .unwrap_or(PlanVersionId::NONE),
        },
        login: row.get("login")?,
        login_key: row.get("login_key")?,
        calling_station: row.get("calling_station")?,
        nas_port_id: row.get("nas_port_id")?,
        ip: row.get("ip")?,
        ipv6_prefix: row.get("ipv6_prefix")?,
        delegated_prefix: row.get("delegated_prefix")?,
        policy_hash: row.get::<i64>("policy_hash")?.cast_unsigned(),
        started: row.get("started_at")?,
        start_reported: row.get("start_reported")?,
        start_from: row.get("start_from")?,
        updated: row.get("updated_at")?,
        session_time_s: row.get("session_time_s")?,
        end,
        download_octets: row.get("download_octets")?,
        upload_octets: row.get("upload_octets")?,
        counters_flagged: row.get("counters_flagged")?,
    })
}

/// The arguments both of [`INSERT_SESSION`] and [`UPDATE_SESSION`] begin with.
fn session_args(session: &Session) -> store::Args {
    let owner = session.owner;
    args![
        session.id,
        owner.organisation.known(),
        owner.customer.known(),
        owner.service.known(),
        owner.plan_version.known(),
        &session.login,
        &session.login_key,
        session.calling_station.clone(),
        session.nas_port_id.clone(),
        session.ip,
        session.ipv6_prefix,
        session.delegated_prefix,
        session.policy_hash.cast_signed(),
        session.started,
        session.start_reported,
        session.start_from,
        session.updated,
        session.session_time_s,
        session.end.as_ref().map(|end| end.at),
        session.end.as_ref().map(|end| end.cause.as_str()),
        session.download_octets,
        session.upload_octets,
        session.counters_flagged,
    ]
}

/// Writes a session nobody knew.
pub(crate) async fn insert_session(
    tx: &mut Tx,
    partition: u16,
    session: &Session,
) -> Result<(), StoreError> {
    let mut args = session_args(session);
    args.push(session.client);
    args.push(session.key.nas);
    args.push(&session.key.acct_session_id);
    args.push(partition);
    tx.execute(&INSERT_SESSION, args).await.map(drop)
}

/// Writes a session as it is now.
pub(crate) async fn update_session(tx: &mut Tx, session: &Session) -> Result<(), StoreError> {
    store::changed_one(tx.execute(&UPDATE_SESSION, session_args(session)).await?)
}

/// Notes a restart and ends the sessions it ended, of this partition only: the others get
/// their own copy of the record. Returns how many that are.
pub(crate) async fn restart(
    tx: &mut Tx,
    partition: u16,
    nas: NasId,
    at: Ts,
) -> Result<u64, StoreError> {
    tx.execute(&INSERT_RESTART, args![partition, nas, at]).await?;
    tx.execute(&END_EARLIER, args![nas, partition, at]).await?;
    tx.execute(&END_OPEN, args![nas, partition, at]).await
}

/// The latest restarts of a NAS.
pub(crate) async fn load_restarts(
    tx: &mut Tx,
    partition: u16,
    nas: NasId,
) -> Result<Vec<Ts>, StoreError> {
    let rows = tx.fetch_all(&LIST_RESTARTS, args![partition, nas]).await?;
    rows.iter().map(|row| row.get("restarted_at")).collect()
}

/// Adds to a minute of an organisation.
pub(crate) async fn add_traffic(tx: &mut Tx, traffic: &Traffic) -> Result<(), StoreError> {
    let args = args![
        traffic.organisation,
        traffic.minute,
        traffic.download_octets,
        traffic.upload_octets,
        traffic.sessions_started,
    ];
    tx.execute(&ADD_TRAFFIC, args).await.map(drop)
}

/// A record that cannot be applied.
pub(crate) struct DeadLetter<'a> {
    /// Journal and sequence, where that much could be read.
    pub(crate) place: Option<(u128, u64)>,
    pub(crate) reason: &'a str,
    pub(crate) body: &'a [u8],
}

/// Puts a record aside.
pub(crate) async fn insert_dead_letter(
    tx: &mut Tx,
    partition: u16,
    now: Ts,
    letter: DeadLetter<'_>,
) -> Result<(), StoreError> {
    let args = args![
        Uuid::now_v7(),
        now,
        partition,
        letter.place.map(|(incarnation, _)| hex(incarnation)),
        letter.place.map(|(_, sequence)| sequence),
        letter.reason,
        letter.body,
    ];
    tx.execute(&INSERT_DEAD_LETTER, args).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_statement_can_be_prepared() {
        for test in store::testing::engines("network").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let failures = store::prepare_all(&test.db, ALL).await;
            assert!(failures.is_empty(), "{}: {failures:?}", test.engine());
        }
    }
}
