//! Back to what was.
//!
//! What an import created is deleted, what it changed gets its values back, the last row first.
//! A record that somebody changed since stays as it is, and so does one that others depend on:
//! the import's rows say which and why. Each record is a transaction of its own, with the note
//! of it, so an undo that was interrupted goes on, and of two that run beside each other each row
//! is undone by one.

use serde_json::{Value as Json, json};
use store::{Row, args};
use uuid::Uuid;

use super::{FIND, IMPORT, Import, find, record};
use crate::domain::{Actor, Fault, Office, Unit};
use crate::entity::custom::{self, Custom};
use crate::entity::{Draft, read, write};
use crate::jobs::{Kind, enqueue, is_open};

/// Rows looked at together.
const ROWS_AT_ONCE: i64 = 200;

store::statements! {
    /// An undo begins, or goes on.
    pub(crate) BEGIN = "UPDATE data_import SET state = 'undoing', updated_at = $3,
            version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND (state = 'undoing'
            OR (state IN ('finished', 'broken') AND undo_until > $3))";
    /// Rows that are still to be undone, the last first.
    pub(crate) DONE = "SELECT row_number FROM import_row
        WHERE import_id = $1 AND outcome IN ('created', 'updated')
        ORDER BY row_number DESC LIMIT $2";
    /// One of them, as it is now.
    pub(crate) ROW = "SELECT outcome, record_id, record_version, before FROM import_row
        WHERE import_id = $1 AND row_number = $2 AND outcome IN ('created', 'updated')";
    /// What became of a row, by whoever is the first to say it.
    pub(crate) SET_ROW = "UPDATE import_row SET outcome = $3, before = NULL, faults = $4
        WHERE import_id = $1 AND row_number = $2 AND outcome IN ('created', 'updated')";
    /// The rows before that left a record as it is again now: undoing gave it a version of its
    /// own.
    pub(crate) SET_VERSION = "UPDATE import_row SET record_version = $4
        WHERE import_id = $1 AND record_id = $2 AND record_version = $3
          AND outcome IN ('created', 'updated')";
    /// One more was undone.
    pub(crate) COUNT = "UPDATE data_import SET undone_count = undone_count + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2";
    /// An undo is over.
    pub(crate) FINISH = "UPDATE data_import SET state = 'undone', updated_at = $3,
            version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND state = 'undoing'";
}

/// Begins to undo an import whose window is open, or goes on. What can be refused is refused
/// here.
/// `queue`: the job that does the rest, queued in the same transaction.
pub(crate) async fn begin(
    office: &Office,
    actor: &Actor,
    id: Uuid,
    queue: Option<&Kind>,
) -> Result<Import, Fault> {
    let import = find(office, actor, id).await?;
    import.must_be(&["finished", "broken", "undoing"])?;
    if import.state != "undoing" && import.undo_until.is_none_or(|until| until <= office.now()) {
        let detail = "the time in which it could be undone is over".to_owned();
        return Err(Fault::Conflict { pointer: "/undo_until", detail });
    }
    let path = actor.path.as_str();
    let mut unit = Unit::begin(office, actor).await?;
    if unit.execute(&BEGIN, args![path, id, unit.now]).await? == 0 {
        return Err(Fault::Stale);
    }
    if let Some(kind) = queue {
        let arguments = json!({"import": model::id::show(IMPORT.prefix, id)});
        // After the update, which lets one at a time pass here.
        if !is_open(&mut unit, kind, import.organisation, &arguments).await? {
            enqueue(&mut unit, kind, import.organisation, arguments).await?;
        }
    }
    let row = unit.fetch_one(&FIND, args![path, id]).await?;
    unit.answers(202, read::shown(&IMPORT, &row, &[])?);
    unit.commit().await?;
    Ok(import)
}

/// Undoes what [`begin`] has begun.
pub(crate) async fn undo(office: &Office, actor: &Actor, import: &Import) -> Result<(), Fault> {
    let (id, path) = (import.id, actor.path.as_str());
    let customs = custom::of(office, path, import.entity).await?;
    loop {
        let rows = office.db.fetch_all(&DONE, args![id, ROWS_AT_ONCE]).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            one(office, actor, import, &customs, row.get("row_number")?).await?;
        }
    }
    let mut unit = Unit::begin(office, actor).await?;
    if unit.execute(&FINISH, args![path, id, unit.now]).await? == 0 {
        // Another one came to the end first, and has told.
        return Ok(());
    }
    let row = unit.fetch_one(&FIND, args![path, id]).await?;
    record(&mut unit, "import.undone", &row).await?;
    unit.commit().await
}

async fn one(
    office: &Office,
    actor: &Actor,
    import: &Import,
    customs: &[Custom],
    number: i64,
) -> Result<(), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    // As it is now: undoing a later row of the same record has moved its version.
    let Some(row) = unit.fetch_optional(&ROW, args![import.id, number]).await? else {
        return Ok(());
    };
    let kept = match back(&mut unit, import, customs, &row).await {
        Ok(()) => {
            let done = args![import.id, number, "undone", None::<Json>];
            if unit.execute(&SET_ROW, done).await? == 0 {
                return Ok(());
            }
            unit.execute(&COUNT, args![actor.path.as_str(), import.id]).await?;
            return unit.commit().await;
        }
        Err(fault @ (Fault::Unavailable(_) | Fault::Internal(_) | Fault::TooMany(_))) => {
            return Err(fault);
        }
        Err(Fault::NotFound(_)) => "it is gone already".to_owned(),
        Err(Fault::Stale) => "it was changed since".to_owned(),
        Err(Fault::Invalid(faults)) => {
            faults.iter().map(|fault| fault.detail.clone()).collect::<Vec<_>>().join("; ")
        }
        Err(fault) => fault.to_string(),
    };
    // The transaction lost a statement, or did half of it.
    drop(unit);
    let mut unit = Unit::begin(office, actor).await?;
    let faults = json!([{"pointer": "", "detail": kept}]);
    unit.execute(&SET_ROW, args![import.id, number, "kept", Some(faults)]).await?;
    unit.commit().await
}

async fn back(
    unit: &mut Unit<'_>,
    import: &Import,
    customs: &[Custom],
    row: &Row,
) -> Result<(), Fault> {
    let (id, version): (Uuid, i64) = (row.get("record_id")?, row.get("record_version")?);
    let outcome: String = row.get("outcome")?;
    if outcome == "created" {
        write::delete_in(unit, import.entity, id, Some(version)).await?;
        return Ok(());
    }
    let Some(Json::Object(before)) = row.get::<Option<Json>>("before")? else {
        return Err(Fault::Stale);
    };
    let draft = Draft::of(import.entity, customs, before, false)?;
    let made = write::update_in(unit, import.entity, id, draft, Some(version)).await?;
    unit.execute(&SET_VERSION, args![import.id, id, version - 1, made.version]).await?;
    Ok(())
}
