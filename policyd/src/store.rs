//! The statements over policyd's tables.

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;
use model::{CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
use serde_json::{Value, json};
use store::{Db, Row, StoreError, Tx, args};
use uuid::Uuid;

use crate::report::{Key, Owner};
use crate::session::{Cause, End, Session};
use crate::usage::hex as hex_id;

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

    /// The latest sessions of some ids.
    LIST_SIBLINGS = {
        sqlite: "SELECT s.nas_id, s.acct_session_id, s.id, s.client_id, s.organisation_id,
                s.customer_id, s.service_id, s.plan_version_id, s.login, s.login_key,
                s.calling_station, s.nas_port_id, s.ip, s.ipv6_prefix, s.delegated_prefix,
                s.policy_hash, s.started_at, s.start_reported, s.start_from, s.updated_at,
                s.session_time_s, s.interim_s, s.acct_multi_session_id, s.clock_offset_s,
                s.ended_at, s.end_cause, s.download_octets, s.upload_octets,
                s.counters_flagged
            FROM json_each($1) CROSS JOIN session s
                ON s.nas_id = unhex(value->>0) AND s.acct_session_id = value->>1
            WHERE s.id IN (SELECT id FROM session
                WHERE nas_id = s.nas_id AND acct_session_id = s.acct_session_id
                ORDER BY started_at DESC LIMIT $2)",
        postgres: "SELECT s.nas_id, s.acct_session_id, s.id, s.client_id, s.organisation_id,
                s.customer_id, s.service_id, s.plan_version_id, s.login, s.login_key,
                s.calling_station, s.nas_port_id, s.ip, s.ipv6_prefix, s.delegated_prefix,
                s.policy_hash, s.started_at, s.start_reported, s.start_from, s.updated_at,
                s.session_time_s, s.interim_s, s.acct_multi_session_id, s.clock_offset_s,
                s.ended_at, s.end_cause, s.download_octets, s.upload_octets,
                s.counters_flagged
            FROM jsonb_array_elements($1) r CROSS JOIN LATERAL (
                SELECT * FROM session WHERE nas_id = (r->>0)::uuid AND acct_session_id = r->>1
                ORDER BY started_at DESC LIMIT $2) s",
    };
    /// Sessions nobody knew; rows as one JSON array of arrays, here and below.
    INSERT_SESSIONS = {
        sqlite: "INSERT INTO session
            (id, organisation_id, customer_id, service_id, plan_version_id, login, login_key,
             calling_station, nas_port_id, ip, ipv6_prefix, delegated_prefix, policy_hash,
             started_at, start_reported, start_from, updated_at, session_time_s, interim_s,
             acct_multi_session_id, clock_offset_s, ended_at, end_cause, download_octets,
             upload_octets, counters_flagged, client_id, nas_id, acct_session_id, partition)
            SELECT unhex(value->>0), unhex(value->>1), unhex(value->>2), unhex(value->>3),
                unhex(value->>4), value->>5, value->>6, value->>7, value->>8, value->>9,
                value->>10, value->>11, value->>12, value->>13, value->>14, value->>15,
                value->>16, value->>17, value->>18, value->>19, value->>20, value->>21,
                value->>22, value->>23, value->>24, value->>25, unhex(value->>26),
                unhex(value->>27), value->>28, value->>29
            FROM json_each($1)",
        postgres: "INSERT INTO session
            (id, organisation_id, customer_id, service_id, plan_version_id, login, login_key,
             calling_station, nas_port_id, ip, ipv6_prefix, delegated_prefix, policy_hash,
             started_at, start_reported, start_from, updated_at, session_time_s, interim_s,
             acct_multi_session_id, clock_offset_s, ended_at, end_cause, download_octets,
             upload_octets, counters_flagged, client_id, nas_id, acct_session_id, partition)
            SELECT (r->>0)::uuid, (r->>1)::uuid, (r->>2)::uuid, (r->>3)::uuid, (r->>4)::uuid,
                (r->>5), (r->>6), (r->>7), (r->>8), (r->>9)::inet, (r->>10)::inet,
                (r->>11)::inet, (r->>12)::bigint,
                'epoch'::timestamptz + (r->>13)::bigint * interval '1 us', (r->>14)::boolean,
                'epoch'::timestamptz + (r->>15)::bigint * interval '1 us',
                'epoch'::timestamptz + (r->>16)::bigint * interval '1 us', (r->>17)::bigint,
                (r->>18)::bigint, (r->>19), (r->>20)::bigint,
                'epoch'::timestamptz + (r->>21)::bigint * interval '1 us', (r->>22),
                (r->>23)::bigint, (r->>24)::bigint, (r->>25)::boolean, (r->>26)::uuid,
                (r->>27)::uuid, (r->>28), (r->>29)::integer
            FROM jsonb_array_elements($1) r",
    };
    /// Sessions as they are now.
    UPDATE_SESSIONS = {
        sqlite: "UPDATE session SET organisation_id = unhex(value->>1), customer_id = unhex(value->>2),
                service_id = unhex(value->>3), plan_version_id = unhex(value->>4),
                login = value->>5, login_key = value->>6, calling_station = value->>7,
                nas_port_id = value->>8, ip = value->>9, ipv6_prefix = value->>10,
                delegated_prefix = value->>11, policy_hash = value->>12,
                started_at = value->>13, start_reported = value->>14,
                start_from = value->>15, updated_at = value->>16,
                session_time_s = value->>17, interim_s = value->>18,
                acct_multi_session_id = value->>19, clock_offset_s = value->>20,
                ended_at = value->>21, end_cause = value->>22, download_octets = value->>23,
                upload_octets = value->>24, counters_flagged = value->>25
            FROM json_each($1) WHERE session.id = unhex(value->>0)",
        postgres: "UPDATE session SET organisation_id = (r->>1)::uuid, customer_id = (r->>2)::uuid,
                service_id = (r->>3)::uuid, plan_version_id = (r->>4)::uuid, login = (r->>5),
                login_key = (r->>6), calling_station = (r->>7), nas_port_id = (r->>8),
                ip = (r->>9)::inet, ipv6_prefix = (r->>10)::inet,
                delegated_prefix = (r->>11)::inet, policy_hash = (r->>12)::bigint,
                started_at = 'epoch'::timestamptz + (r->>13)::bigint * interval '1 us',
                start_reported = (r->>14)::boolean,
                start_from = 'epoch'::timestamptz + (r->>15)::bigint * interval '1 us',
                updated_at = 'epoch'::timestamptz + (r->>16)::bigint * interval '1 us',
                session_time_s = (r->>17)::bigint, interim_s = (r->>18)::bigint,
                acct_multi_session_id = (r->>19), clock_offset_s = (r->>20)::bigint,
                ended_at = 'epoch'::timestamptz + (r->>21)::bigint * interval '1 us',
                end_cause = (r->>22), download_octets = (r->>23)::bigint,
                upload_octets = (r->>24)::bigint, counters_flagged = (r->>25)::boolean
            FROM jsonb_array_elements($1) r WHERE session.id = (r->>0)::uuid",
    };

    /// Notes a restart.
    INSERT_RESTART = "INSERT INTO nas_restart (partition, nas_id, restarted_at)
        VALUES ($1, $2, $3) ON CONFLICT (partition, nas_id, restarted_at) DO NOTHING";
    /// The latest restarts of some NAS.
    LIST_RESTARTS = {
        sqlite: "SELECT nas_id, restarted_at FROM (SELECT nas_id, restarted_at,
                row_number() OVER (PARTITION BY nas_id ORDER BY restarted_at DESC) AS place
                FROM nas_restart WHERE partition = $1 AND nas_id IN (SELECT unhex(value) FROM json_each($2))) AS latest
            WHERE place <= 64",
        postgres: "SELECT nas_id, restarted_at FROM (SELECT nas_id, restarted_at,
                row_number() OVER (PARTITION BY nas_id ORDER BY restarted_at DESC) AS place
                FROM nas_restart WHERE partition = $1 AND nas_id = ANY($2)) AS latest
            WHERE place <= 64",
    };
    /// Ends what was online before a restart and was not heard of since.
    END_OPEN = "UPDATE session SET ended_at = $3, end_cause = 'nas_restart'
        WHERE nas_id = $1 AND partition = $2 AND ended_at IS NULL
            AND started_at < $3 AND updated_at <= $3";
    /// A restart that is heard of late ends sessions earlier than was thought.
    END_EARLIER = "UPDATE session SET ended_at = $3, end_cause = 'nas_restart'
        WHERE nas_id = $1 AND partition = $2 AND started_at < $3 AND updated_at <= $3
            AND end_cause IN ('nas_restart', 'replaced', 'lost') AND ended_at >= $3";

    /// Ends what was not heard of for three of its own intervals and some grace, as far as the
    /// records of this partition were applied. One that never sent an interim is given longer,
    /// and only where its NAS sends them.
    END_LOST = {
        sqlite: "UPDATE session SET ended_at = updated_at, end_cause = 'lost'
            WHERE id IN (SELECT id FROM session s WHERE partition = $1 AND ended_at IS NULL
                AND updated_at < $2 - $3 * 1000000
                AND ((interim_s IS NOT NULL AND updated_at < $2 - ($3 + 3 * interim_s) * 1000000)
                    OR (interim_s IS NULL AND updated_at < $2 - $4 * 1000000
                        AND EXISTS (SELECT 1 FROM session o WHERE o.nas_id = s.nas_id
                            AND o.ended_at IS NULL AND o.interim_s IS NOT NULL)))
                ORDER BY updated_at LIMIT $5)",
        postgres: "UPDATE session SET ended_at = updated_at, end_cause = 'lost'
            WHERE id IN (SELECT id FROM session s WHERE partition = $1 AND ended_at IS NULL
                AND updated_at < $2::timestamptz - $3::bigint * interval '1 s'
                AND ((interim_s IS NOT NULL AND updated_at
                        < $2::timestamptz - ($3::bigint + 3 * interim_s) * interval '1 s')
                    OR (interim_s IS NULL
                        AND updated_at < $2::timestamptz - $4::bigint * interval '1 s'
                        AND EXISTS (SELECT 1 FROM session o WHERE o.nas_id = s.nas_id
                            AND o.ended_at IS NULL AND o.interim_s IS NOT NULL)))
                ORDER BY updated_at LIMIT $5)",
    };

    /// Puts a record aside.
    INSERT_DEAD_LETTER = "INSERT INTO dead_letter
        (id, received_at, partition, incarnation, sequence, reason, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";

    /// Minutes that are over.
    pub(crate) REMOVE_TRAFFIC = "DELETE FROM traffic_minute
        WHERE (organisation_id, minute, partition) IN (
            SELECT organisation_id, minute, partition FROM traffic_minute
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

/// The latest sessions of some ids, each id's by their beginnings.
pub(crate) async fn load_siblings(
    tx: &mut Tx,
    keys: &[&Key],
) -> Result<BTreeMap<Key, Vec<Session>>, StoreError> {
    let wanted = keys.iter().map(|key| json!([hex_id(key.nas.0), key.acct_session_id]));
    let args = args![Value::Array(wanted.collect()), SIBLINGS_MAX as i64];
    let mut found: BTreeMap<Key, Vec<Session>> = BTreeMap::new();
    for row in tx.fetch_all(&LIST_SIBLINGS, args).await? {
        let key = Key { nas: row.get("nas_id")?, acct_session_id: row.get("acct_session_id")? };
        let session = session_of(&row, &key)?;
        found.entry(key).or_default().push(session);
    }
    for siblings in found.values_mut() {
        siblings.sort_by_key(|session| session.started);
    }
    Ok(found)
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
        interim_s: row.get("interim_s")?,
        multi_session_id: row.get("acct_multi_session_id")?,
        clock_offset_s: row.get("clock_offset_s")?,
        end,
        download_octets: row.get("download_octets")?,
        upload_octets: row.get("upload_octets")?,
        counters_flagged: row.get("counters_flagged")?,
    })
}

/// A session as both [`INSERT_SESSIONS`] and [`UPDATE_SESSIONS`] begin to read it.
fn session_row(session: &Session) -> Vec<Value> {
    let owner = session.owner;
    let id = |id: Option<Uuid>| id.map_or(Value::Null, hex_id);
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
    let net = |net: Option<IpNetwork>| net.map_or(Value::Null, |net| net.to_string().into());
    let known = [
        owner.organisation.known().map(|id| id.0),
        owner.customer.known().map(|id| id.0),
        owner.service.known().map(|id| id.0),
        owner.plan_version.known().map(|id| id.0),
    ];
    let mut row = Vec::with_capacity(30);
    row.push(hex_id(session.id.0));
    row.extend(known.map(id));
    row.extend([
        session.login.as_str().into(),
        session.login_key.as_str().into(),
        text(&session.calling_station),
        text(&session.nas_port_id),
        net(session.ip.map(IpNetwork::from)),
        net(session.ipv6_prefix),
        net(session.delegated_prefix),
        session.policy_hash.cast_signed().into(),
        session.started.0.into(),
        session.start_reported.into(),
        session.start_from.0.into(),
        session.updated.0.into(),
        session.session_time_s.into(),
        session.interim_s.into(),
        text(&session.multi_session_id),
        session.clock_offset_s.into(),
        session.end.as_ref().map(|end| end.at.0).into(),
        session.end.as_ref().map(|end| end.cause.as_str()).into(),
        session.download_octets.min(i64::MAX as u64).into(),
        session.upload_octets.min(i64::MAX as u64).into(),
        session.counters_flagged.into(),
    ]);
    row
}

/// Writes sessions nobody knew.
pub(crate) async fn insert_sessions(
    tx: &mut Tx,
    partition: u16,
    sessions: &[Session],
) -> Result<(), StoreError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let rows = sessions.iter().map(|session| {
        let mut row = session_row(session);
        let nas = hex_id(session.key.nas.0);
        let id = session.key.acct_session_id.as_str().into();
        row.extend([hex_id(session.client.0), nas, id, partition.into()]);
        Value::Array(row)
    });
    tx.execute(&INSERT_SESSIONS, args![Value::Array(rows.collect())]).await.map(drop)
}

/// Writes sessions as they are now.
pub(crate) async fn update_sessions(tx: &mut Tx, sessions: &[Session]) -> Result<(), StoreError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let rows = sessions.iter().map(|session| Value::Array(session_row(session)));
    let rows = tx.execute(&UPDATE_SESSIONS, args![Value::Array(rows.collect())]).await?;
    if rows == sessions.len() as u64 { Ok(()) } else { Err(StoreError::Stale) }
}

/// How long sessions may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence {
    /// Longer than three of its own intervals, seconds.
    pub(crate) grace_s: u32,
    /// One that never sent an interim, on a NAS that does, seconds.
    pub(crate) unheard_s: u32,
}

/// Ends sessions of a partition that were not heard of for too long; how many. `now` is how far
/// the records of the partition were applied.
pub(crate) async fn end_lost(
    db: &Db,
    partition: u16,
    silence: Silence,
    now: Ts,
) -> Result<u64, StoreError> {
    let args = args![partition, now, silence.grace_s, silence.unheard_s, REMOVED_MAX];
    db.execute(&END_LOST, args).await
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

/// The latest restarts of some NAS.
pub(crate) async fn load_restarts(
    tx: &mut Tx,
    partition: u16,
    nas: &[NasId],
) -> Result<BTreeMap<NasId, Vec<Ts>>, StoreError> {
    let ids: Vec<Uuid> = nas.iter().map(|nas| nas.0).collect();
    let mut found: BTreeMap<NasId, Vec<Ts>> = BTreeMap::new();
    for row in tx.fetch_all(&LIST_RESTARTS, args![partition, ids]).await? {
        found.entry(row.get("nas_id")?).or_default().push(row.get("restarted_at")?);
    }
    Ok(found)
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
