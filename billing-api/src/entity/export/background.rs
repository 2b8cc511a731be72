//! Exports that a job makes: for lists too long to wait for.
//!
//! The file is kept sealed in the database, in pieces, as those of imports are: any process may
//! make it or hand it out, and a backup of the database is a backup of everything. It has a
//! bound, and is purged after `export.keep_hours`. Whoever ordered it is told by mail.
//!
//! A file is made with the rights its orderer has when it is made, and handed out to whoever may
//! export these records, and see each of its columns, when they fetch it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use model::{OrganisationId, Sealed, Ts};
use serde_json::{Value as Json, json};
use sheet::Format;
use store::{Row, args};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{EXPORT, Export, ExportError, PIECES_WAITING, Pieces, Run, parameters, record};
use crate::domain::setting::registry as settings;
use crate::domain::{Actor, Fault, Input, Office, Rows, Unit, Who, setting};
use crate::entity::{Entity, read, registry};
use crate::jobs::{self, Context, JobError, Kind, Lost, Outcome};
use crate::mail::letters;

/// From so many rows on the console makes a file in the background.
pub(crate) const ROWS_AT_ONCE_MAX: i64 = 10_000;
/// Octets of a file that is kept.
const FILE_OCTETS_MAX: usize = 256 << 20;
/// Files of one organisation that are being made, or wait to be; one more is refused.
const OPEN_MAX: i64 = 10;
/// Octets of one organisation's files that are kept; beyond, none is made until some are forgotten.
const KEPT_OCTETS_MAX: i64 = 2 << 30;
/// Octets of a piece before it is sealed.
const PIECE_OCTETS: usize = 192 << 10;
/// How long making a file, and sending it, may take.
pub(super) const LIMIT: Duration = Duration::from_secs(6 * 3600);
/// Files forgotten in one round.
const PURGED: i64 = 100;

store::statements! {
    /// An export is ordered.
    pub(crate) ORDER = "INSERT INTO data_export
        (id, organisation_id, entity, format, query, columns, personal, state, row_count,
         file_name, purge_at, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', 0, $8, $11, $9, $10, $9, $10)";
    /// What an organisation has of files that are made or kept.
    pub(crate) HELD = "SELECT COUNT(CASE WHEN state IN ('queued', 'running') THEN 1 END) AS open,
            CAST(COALESCE(SUM(octets), 0) AS BIGINT) AS octets
        FROM data_export WHERE organisation_id = $1 AND purge_at IS NOT NULL";
    /// An export whose file is kept, or will be.
    pub(crate) FIND = "SELECT * FROM data_export
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND file_name IS NOT NULL AND deleted_at IS NULL";
    /// Its file is being made.
    pub(crate) SET_RUNNING = "UPDATE data_export SET state = 'running', updated_at = $2,
            version = version + 1
        WHERE id = $1 AND state IN ('queued', 'running')";
    /// Its file is there, or will never be.
    pub(crate) SET_ENDED = "UPDATE data_export SET state = $2, row_count = $3, octets = $4,
            finished_at = $5, purge_at = $6, updated_at = $5, version = version + 1
        WHERE id = $1 AND state IN ('queued', 'running')";
    /// A piece of the file.
    pub(crate) PIECE = "SELECT c.sealed, d.file_name, d.format, d.octets FROM export_chunk c
        JOIN data_export d ON d.id = c.export_id WHERE c.export_id = $1 AND c.number = $2";
    /// Forgets the file.
    pub(crate) PURGE_PIECES = "DELETE FROM export_chunk WHERE export_id = $1";
    /// Files whose time is over, those apart that a letter still has to take along.
    pub(crate) STALE = "SELECT id FROM data_export d WHERE purge_at < $1
          AND NOT EXISTS (SELECT 1 FROM mail m WHERE m.export_id = d.id AND m.state = 'waiting')
        ORDER BY purge_at LIMIT $2";
    /// It has been forgotten; one that nobody came to finish never was a file.
    pub(crate) SET_PURGED = "UPDATE data_export SET
            state = CASE WHEN state IN ('queued', 'running') THEN 'broken' ELSE 'purged' END,
            finished_at = COALESCE(finished_at, $2), purge_at = NULL, updated_at = $2,
            version = version + 1
        WHERE id = $1 AND purge_at < $2";
}

/// Makes a file that was ordered.
pub(crate) const RUN: Kind = Kind {
    queue: "transfer",
    permission: "imports.view",
    retries: 0,
    limit: LIMIT,
    lost: Lost::Again,
    arguments: |input: &mut Input| {
        if input.optional_text("export", 40).is_none() {
            input.missing("export");
        }
    },
    run: |context| Box::pin(run(context)),
    ..Kind::named("exports.run", "Export: make a file")
};

/// Forgets files whose time is over.
pub(crate) const PURGE: Kind = Kind {
    queue: "upkeep",
    schedule: Some("35 * * * *"),
    run: |context| Box::pin(purge(context)),
    ..Kind::named("exports.purge", "Exports: forget files")
};

/// Orders a file: the job that makes it is queued with the record of it.
pub(crate) async fn order(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    query: &str,
) -> Result<Uuid, Fault> {
    if !read::may(actor, entity, "export") {
        return Err(Fault::NotFound(entity.name));
    }
    let given = parameters(query).map_err(|detail| Fault::field("/query", detail))?;
    let export = Export::parse(office, actor, entity, given).await?;
    let mut unit = Unit::begin(office, actor).await?;
    let id = insert(&mut unit, &export).await?;
    let arguments = json!({"export": model::id::show(EXPORT.prefix, id)});
    jobs::enqueue(&mut unit, &RUN, actor.organisation, arguments).await?;
    unit.commit().await?;
    Ok(id)
}

/// Writes down that a file will be made.
pub(super) async fn insert(unit: &mut Unit<'_>, export: &Export) -> Result<Uuid, Fault> {
    has_room(unit).await?;
    let id = Uuid::now_v7();
    // Whoever makes it may die with it: then it is forgotten as if it had been made and kept.
    let purge_at =
        unit.now.plus_seconds(LIMIT.as_secs() as i64 + keep_s(unit.office(), unit.actor).await?);
    let args = args![
        id,
        unit.actor.organisation,
        export.entity.name,
        export.writing.format.name(),
        export.asked.as_str(),
        json!(export.names()),
        json!(export.personal()),
        export.file_name(unit.office()),
        unit.now,
        unit.actor.label(),
        purge_at
    ];
    unit.execute(&ORDER, args).await?;
    record(unit, id, "export.started", export, 0).await?;
    Ok(id)
}

/// Refuses a file more than an organisation may have under way or kept: the disk is everybody's.
/// Two orders at the same instant may both be let in, and are one too many at most.
async fn has_room(unit: &mut Unit<'_>) -> Result<(), Fault> {
    let held = unit.fetch_one(&HELD, args![unit.actor.organisation]).await?;
    let refuse = |detail: String| Err(Fault::Conflict { pointer: "", detail });
    if held.get::<i64>("open")? >= OPEN_MAX {
        return refuse(format!(
            "{OPEN_MAX} files of the organisation are being made or wait to be; order this one \
             when one of them is there"
        ));
    }
    if held.get::<i64>("octets")? >= KEPT_OCTETS_MAX {
        let hours = keep_s(unit.office(), unit.actor).await? / 3600;
        return refuse(format!(
            "the organisation's files have {} MiB, which is what is kept; each is forgotten after \
             {hours} hours",
            KEPT_OCTETS_MAX >> 20
        ));
    }
    Ok(())
}

/// How long an organisation's files are kept, seconds.
async fn keep_s(office: &Office, actor: &Actor) -> Result<i64, Fault> {
    let layers = setting::of(office, actor.organisation).await?;
    Ok(layers.integer(&settings::EXPORT_KEEP_HOURS) * 3600)
}

async fn run(context: &Context) -> Result<Outcome, JobError> {
    let office = &context.office;
    let id = EXPORT.id(context.arguments["export"].as_str().unwrap_or_default())?;
    let row = office.db.fetch_optional(&FIND, args![context.actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound(EXPORT.name))?;
    let state: String = row.get("state")?;
    if !["queued", "running"].contains(&state.as_str()) {
        return Ok(Outcome::done());
    }
    let actor = context.on_behalf().await?;
    let made = async {
        let entity = registry::by_name(&row.get::<String>("entity")?);
        let entity = entity.ok_or(Fault::NotFound("entity"))?;
        if !read::may(&actor, entity, "export") {
            let why = "whoever ordered it may not export these records any more";
            return Err(JobError::failed(why));
        }
        let given = parameters(&row.get::<String>("query")?).map_err(JobError::failed)?;
        let export = Export::parse(office, &actor, entity, given).await?;
        make(context, &actor, export, id).await
    }
    .await;
    let file: String = row.get("file_name")?;
    match made {
        Ok(made) => {
            let without_letter = Arc::new(AtomicBool::new(false));
            finish(office, &actor, id, &made, |unit, until| {
                let (file, untold) = (file.clone(), without_letter.clone());
                Box::pin(async move {
                    let Who::Staff(staff) = unit.actor.who else { return Ok(()) };
                    let Some(reader) = letters::reader(unit, staff).await? else { return Ok(()) };
                    let shown = model::id::show(EXPORT.prefix, id);
                    let kind = "export_ready";
                    let told =
                        letters::export_ready(unit, &reader, kind, &shown, &file, made.rows, until);
                    untold.store(told.await?.is_none(), Ordering::Relaxed);
                    Ok(())
                })
            })
            .await?;
            if without_letter.load(Ordering::Relaxed) {
                context.log("no letter about it could be queued");
            }
            Ok(Outcome::Succeeded(json!({"rows": made.rows, "octets": made.octets})))
        }
        // It begins again, here or elsewhere.
        Err(JobError::Stopped) => Err(JobError::Stopped),
        Err(error) => {
            give_up(office, &actor, id, &file, &error.to_string()).await?;
            Err(error)
        }
    }
}

/// A file that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) rows: u64,
    pub(super) octets: u64,
}

/// Makes the file of an export and keeps it.
pub(super) async fn make(
    context: &Context,
    actor: &Actor,
    export: Export,
    id: Uuid,
) -> Result<Made, JobError> {
    let office = &context.office;
    let mut tx = office.db.begin().await?;
    if tx.execute(&SET_RUNNING, args![id, office.now()]).await? == 0 {
        return Err(JobError::failed("it has ended already"));
    }
    // Of an attempt that was interrupted.
    tx.execute(&PURGE_PIECES, args![id]).await?;
    tx.commit().await?;
    let first = read::page(office, actor, export.entity, &export.list).await?;
    let (pieces, mut waiting) = mpsc::channel(PIECES_WAITING);
    let (office, actor) = (office.clone(), actor.clone());
    let mut run = Run { office, actor, export, id, pieces, deadline: None, _slot: None };
    let office = &context.office;
    // Ends with the channel, whose other end is here.
    let writing = tokio::spawn(async move { run.write(first).await });
    let (mut buffer, mut number, mut octets) = (Vec::new(), 0_i64, 0_usize);
    while let Some(piece) = waiting.recv().await {
        context.check()?;
        let piece = piece.map_err(|error| JobError::failed(error.to_string()))?;
        octets += piece.len();
        if octets > FILE_OCTETS_MAX {
            let most = FILE_OCTETS_MAX >> 20;
            return Err(JobError::failed(format!("the file would have more than {most} MiB")));
        }
        buffer.extend_from_slice(&piece);
        while buffer.len() >= PIECE_OCTETS {
            let rest = buffer.split_off(PIECE_OCTETS);
            keep(office, id, number, &std::mem::replace(&mut buffer, rest)).await?;
            number += 1;
        }
        context.note(format!("{} KiB", octets / 1024));
    }
    let (result, rows) = writing.await.map_err(|_| JobError::again("the writer was ended"))?;
    match result {
        Ok(()) => {}
        Err(ExportError::Rows(fault)) => return Err(fault.into()),
        Err(ExportError::File(error)) => return Err(JobError::failed(error.to_string())),
        Err(error) => return Err(JobError::failed(error.to_string())),
    }
    keep(office, id, number, &buffer).await?;
    Ok(Made { rows, octets: octets as u64 })
}

async fn keep(office: &Office, id: Uuid, number: i64, piece: &[u8]) -> Result<(), Fault> {
    let sealed = office.keyring.seal(&bound_to(id, number), piece)?;
    let mut rows = Rows::new();
    rows.push(args![id, number, sealed]);
    let (sql, args) = rows.into_sql("export_chunk (export_id, number, sealed)");
    let mut tx = office.db.begin().await?;
    tx.dynamic_all(&sql, args).await?;
    tx.commit().await?;
    Ok(())
}

/// What a piece is sealed to: nobody exchanges pieces, or files.
fn bound_to(id: Uuid, number: i64) -> String {
    format!("{}/{number}", model::id::show(EXPORT.prefix, id))
}

type Telling<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// Writes down that the file is there, and tells whoever waits for it, in one transaction.
pub(super) async fn finish(
    office: &Office,
    actor: &Actor,
    id: Uuid,
    made: &Made,
    tell: impl for<'a> FnOnce(&'a mut Unit<'_>, Ts) -> Telling<'a> + Send,
) -> Result<(), Fault> {
    let keep_s = keep_s(office, actor).await?;
    let mut unit = Unit::begin(office, actor).await?;
    let until = unit.now.plus_seconds(keep_s);
    end(&mut unit, id, "finished", made, Some(until)).await?;
    tell(&mut unit, until).await?;
    unit.commit().await
}

async fn end(
    unit: &mut Unit<'_>,
    id: Uuid,
    state: &str,
    made: &Made,
    purge_at: Option<Ts>,
) -> Result<(), Fault> {
    let (rows, octets) = (made.rows as i64, made.octets as i64);
    if unit.execute(&SET_ENDED, args![id, state, rows, octets, unit.now, purge_at]).await? == 0 {
        return Err(Fault::Stale);
    }
    let row = unit.fetch_one(&FIND, args![unit.actor.path.as_str(), id]).await?;
    let payload = read::shown(&EXPORT, &row, &[])?;
    let kind = format!("export.{state}");
    let entity_id = model::id::show(EXPORT.prefix, id);
    let event = crate::domain::Event { kind: &kind, entity_id, payload, policy: &[] };
    unit.record(row.get("organisation_id")?, event, None).await
}

/// Writes down that the file will never be there, and tells whoever waits for it.
pub(super) async fn give_up(
    office: &Office,
    actor: &Actor,
    id: Uuid,
    file: &str,
    why: &str,
) -> Result<(), Fault> {
    // By itself: where the record of it was ended by somebody else, its pieces go all the same.
    office.db.execute(&PURGE_PIECES, args![id]).await?;
    let mut unit = Unit::begin(office, actor).await?;
    end(&mut unit, id, "broken", &Made { rows: 0, octets: 0 }, None).await?;
    if let Who::Staff(staff) = actor.who
        && let Some(reader) = letters::reader(&mut unit, staff).await?
    {
        letters::export_failed(&mut unit, &reader, file, why).await?;
    }
    unit.commit().await
}

async fn purge(context: &Context) -> Result<Outcome, JobError> {
    let office = &context.office;
    let mut purged = 0;
    loop {
        let rows = office.db.fetch_all(&STALE, args![office.now(), PURGED]).await?;
        for row in &rows {
            let id: Uuid = row.get("id")?;
            let mut tx = office.db.begin().await?;
            // One that was finished at this moment is kept: its time is another now.
            if tx.execute(&SET_PURGED, args![id, office.now()]).await? == 0 {
                continue;
            }
            tx.execute(&PURGE_PIECES, args![id]).await?;
            tx.commit().await?;
            purged += 1;
        }
        context.progress(purged, None);
        if (rows.len() as i64) < PURGED {
            return Ok(Outcome::Succeeded(json!({"purged": purged})));
        }
        context.check()?;
    }
}

/// An export that is kept, as whoever waits for it sees it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: Uuid,
    pub(crate) organisation: OrganisationId,
    pub(crate) file_name: String,
    pub(crate) format: Format,
    pub(crate) state: String,
    pub(crate) rows: i64,
    /// Octets of the file, where it is there.
    pub(crate) octets: i64,
    pub(crate) purge_at: Option<Ts>,
    /// As the API shows it.
    pub(crate) view: Json,
}

/// An export whose file the actor may have: one's own, or anybody's for those who may see them;
/// and only with the right to export these records and to see each of the columns.
pub(crate) async fn find(office: &Office, actor: &Actor, id: &str) -> Result<Kept, Fault> {
    let id = EXPORT.id(id)?;
    let row = office.db.fetch_optional(&FIND, args![actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound(EXPORT.name))?;
    if !may(actor, &row)? {
        return Err(Fault::NotFound(EXPORT.name));
    }
    let format: String = row.get("format")?;
    Ok(Kept {
        id,
        organisation: row.get("organisation_id")?,
        file_name: row.get("file_name")?,
        format: format.parse().unwrap_or(Format::Csv),
        state: row.get("state")?,
        rows: row.get("row_count")?,
        octets: row.get::<Option<i64>>("octets")?.unwrap_or(0),
        purge_at: row.get("purge_at")?,
        view: read::shown(&EXPORT, &row, &[])?,
    })
}

fn may(actor: &Actor, row: &Row) -> Result<bool, Fault> {
    let own = row.get::<String>("created_by")? == actor.label();
    let entity = registry::by_name(&row.get::<String>("entity")?);
    let Some(entity) = entity.filter(|entity| read::may(actor, entity, "export")) else {
        return Ok(false);
    };
    let columns: Json = row.get("columns")?;
    let columns = columns.as_array().map(Vec::as_slice).unwrap_or_default();
    let hidden = |name: &str| {
        let permission = entity.field(name).and_then(|field| field.permission);
        permission.is_some_and(|permission| !actor.rights.has(permission))
    };
    let names = columns.iter().filter_map(Json::as_str);
    let hidden = names.map(|name| name.split('.').next().unwrap_or(name)).any(hidden);
    Ok((own || actor.rights.has("imports.view")) && !hidden)
}

/// The file in pieces, in their order.
pub(crate) async fn pieces(
    office: Arc<Office>,
    actor: &Actor,
    kept: &Kept,
) -> Result<Pieces, Fault> {
    let id = kept.id;
    let first = piece(&office, id, 0).await?.ok_or(Fault::NotFound("file"))?;
    let mut unit = Unit::begin(&office, actor).await?;
    let entity_id = model::id::show(EXPORT.prefix, id);
    let payload = kept.view.clone();
    let event = crate::domain::Event { kind: "export.fetched", entity_id, payload, policy: &[] };
    unit.record(kept.organisation, event, None).await?;
    unit.commit().await?;
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let whole = kept.octets;
    // Ends with the file, or when nobody takes its pieces.
    tokio::spawn(async move {
        let (mut next, mut number, mut octets) = (Ok(Some(first)), 1, 0);
        loop {
            let (piece, last) = match next {
                Ok(Some(piece)) => {
                    octets += piece.len() as i64;
                    (Ok(Bytes::from(piece)), false)
                }
                Ok(None) if octets == whole => return,
                // It was forgotten meanwhile: what left is not all of it.
                Ok(None) => (Err(ExportError::Forgotten), true),
                Err(fault) => (Err(ExportError::Rows(fault)), true),
            };
            let sent = tokio::time::timeout(super::STALLED, sender.send(piece)).await;
            if last || !matches!(sent, Ok(Ok(()))) {
                return;
            }
            next = self::piece(&office, id, number).await;
            number += 1;
        }
    });
    Ok(receiver)
}

async fn piece(office: &Office, id: Uuid, number: i64) -> Result<Option<Vec<u8>>, Fault> {
    let Some(row) = office.db.fetch_optional(&PIECE, args![id, number]).await? else {
        return Ok(None);
    };
    let sealed: Sealed = row.get("sealed")?;
    let opened = office.keyring.open(&bound_to(id, number), &sealed)?;
    Ok(Some(opened.expose().clone()))
}

/// A file as a whole.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) content: Vec<u8>,
}

/// A file as a whole, for a letter or another server; nothing where it is gone. Whoever asks has
/// looked at its length.
pub(crate) async fn file(office: &Office, id: Uuid) -> Result<Option<File>, Fault> {
    let Some(row) = office.db.fetch_optional(&PIECE, args![id, 0_i64]).await? else {
        return Ok(None);
    };
    let format: String = row.get("format")?;
    let media_type = format.parse().unwrap_or(Format::Csv).media_type();
    let name = row.get::<Option<String>>("file_name")?.unwrap_or_default();
    // Nothing before it is finished: then whoever makes it asks, and knows how long it is.
    let octets: Option<i64> = row.get("octets")?;
    let (mut content, mut number) = (Vec::new(), 0);
    while let Some(piece) = piece(office, id, number).await? {
        content.extend_from_slice(&piece);
        number += 1;
    }
    // Forgotten while it was read.
    if octets.is_some_and(|octets| octets != content.len() as i64) {
        return Ok(None);
    }
    Ok(Some(File { name, media_type, content }))
}

#[cfg(test)]
#[path = "background_tests.rs"]
mod tests;
