//! Records come from a file.
//!
//! A file is taken whole, read once through to see whether it can be read at all and which
//! columns it has, and kept sealed in the database until its window is over. People say what
//! the columns mean ([`mapping`] guesses first), look at a [`preview`], try it without effect,
//! run it, and may undo it while the window is open.
//!
//! - this file: the import as a record; the file as sealed pieces.
//! - [`mapping`]: columns to fields.
//! - [`rows`]: rows of the file, some hundred at a time.
//! - [`run`](mod@run): rows to records, a transaction for each batch.
//! - `trial`: what a dry run remembers.
//! - [`undo`](mod@undo): back to what was.
//! - [`job`]: run, undo and purge as jobs.
//! - [`failed`]: the rows that failed, as a file to be corrected.

pub(crate) mod failed;
pub(crate) mod job;
pub(crate) mod mapping;
pub(crate) mod rows;
pub(crate) mod run;
mod trial;
pub(crate) mod undo;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Sealed, Ts};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sheet::{Delimiter, Format, Item, Limits, Reading};
use store::{Row, args};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Entity, Field, Flags, Kind, Verbs, custom, registry};
use crate::domain::access::Rights;
use crate::domain::{Actor, Event, Fault, Input, Office, Rows, Unit};
use mapping::{Mapping, Options};

/// Octets of a file; a million customers are some 100 MiB.
pub(crate) const FILE_OCTETS_MAX: usize = 128 << 20;
/// Octets of a piece before it is sealed.
const PIECE_OCTETS: usize = 192 << 10;
/// Rows of the preview.
const PREVIEW_ROWS: usize = 5;
/// How long a file waits for its run, seconds.
const WAITING_S: i64 = 7 * 24 * 3600;
/// How long file and failed rows are kept at least once the import was run, seconds; longer where
/// it can be undone for longer.
const KEPT_S: i64 = 24 * 3600;
/// Files taken at once: each is in memory while it is.
static SLOTS: Semaphore = Semaphore::const_new(2);

store::statements! {
    /// A file came.
    pub(crate) INSERT = "INSERT INTO data_import
        (id, organisation_id, entity, name, octets, reading, columns, mapping, options, state,
         row_count, purge_at, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'ready', $10, $11, $12, $13, $12, $13)";
    /// An import of the caller's subtree.
    pub(crate) FIND = "SELECT * FROM data_import
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// What the columns mean, said anew.
    pub(crate) SET_MAPPING = "UPDATE data_import SET mapping = $4, options = $5, state = 'ready',
            updated_at = $6, updated_by = $7, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND version = $3 AND state IN ('ready', 'checked')";
    /// A piece of the file.
    pub(crate) PIECE = "SELECT sealed FROM import_chunk WHERE import_id = $1 AND number = $2";
    /// Imports whose files are to be forgotten; not under the hands of a job.
    pub(crate) STALE = "SELECT id FROM data_import d WHERE d.purge_at < $1
          AND d.state NOT IN ('checking', 'running', 'undoing')
          AND EXISTS (SELECT 1 FROM import_chunk c WHERE c.import_id = d.id)
        ORDER BY d.purge_at LIMIT $2";
    /// Forgets the pieces of a file.
    pub(crate) PURGE_PIECES = "DELETE FROM import_chunk WHERE import_id = $1";
    /// Forgets what became of the rows.
    pub(crate) PURGE_ROWS = "DELETE FROM import_row WHERE import_id = $1";
}

/// What an import is, for lists and pages: written by this module alone.
pub(crate) const IMPORT: Entity = Entity {
    name: "import",
    path: "imports",
    table: "data_import",
    prefix: "imp",
    permission: "imports",
    verbs: Verbs::READ,
    fields: &[
        Field::new("entity", Kind::Text(60), Flags::FILTERABLE.and(Flags::LISTED)),
        Field::new("name", Kind::Text(200), Flags::LISTED),
        Field::new("octets", Kind::Integer(0, i64::MAX), Flags::NONE),
        Field::new("reading", Kind::Document(None), Flags::NONE),
        Field::new("columns", Kind::Words(500, 200), Flags::NONE),
        Field::new("mapping", Kind::Document(None), Flags::NONE),
        Field::new("options", Kind::Document(None), Flags::NONE),
        Field::new("state", Kind::Choice(STATES), Flags::LISTED),
        Field::new("problem", Kind::Text(500), Flags::NONE),
        Field::new("row_count", COUNT, Flags::LISTED),
        Field::new("created_count", COUNT, Flags::LISTED),
        Field::new("updated_count", COUNT, Flags::LISTED),
        Field::new("skipped_count", COUNT, Flags::LISTED),
        Field::new("failed_count", COUNT, Flags::LISTED),
        Field::new("undone_count", COUNT, Flags::NONE),
        Field::new("finished_at", Kind::Time, Flags::NONE),
        Field::new("undo_until", Kind::Time, Flags::NONE),
        Field::new("purge_at", Kind::Time, Flags::NONE),
        Field::new("created_by", Kind::Text(100), Flags::NONE),
    ],
    ..Entity::PLAIN
};

const COUNT: Kind = Kind::Integer(0, i64::MAX);

/// What an import can be.
const STATES: &[&str] =
    &["ready", "checking", "checked", "running", "finished", "broken", "undoing", "undone"];

/// States in which its columns can be given a meaning.
const MAPPED: &[&str] = &["ready", "checked"];

/// How the file is read, as it was found out or said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: String,
    delimiter: Option<String>,
    header: bool,
    guard: bool,
    sheet: Option<String>,
    /// Sheets that were not read.
    other_sheets: Vec<String>,
}

impl Kept {
    pub(super) fn reading(&self) -> Reading {
        Reading {
            format: self.format.parse().ok(),
            delimiter: self.delimiter.as_deref().and_then(|word| word.parse().ok()),
            header: self.header,
            guard: self.guard,
            sheet: self.sheet.clone(),
            limits: limits(),
        }
    }

    pub(super) fn delimiter(&self) -> Delimiter {
        self.delimiter.as_deref().and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

fn limits() -> Limits {
    Limits { bytes: FILE_OCTETS_MAX as u64, ..Limits::default() }
}

/// An import, as the functions here need it.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) id: Uuid,
    pub(crate) organisation: model::OrganisationId,
    pub(crate) entity: &'static Entity,
    pub(super) kept: Kept,
    pub(super) columns: Vec<String>,
    pub(super) mapping: Mapping,
    pub(super) options: Options,
    pub(crate) state: String,
    pub(super) done_row: i64,
    pub(crate) version: i64,
    pub(super) undo_until: Option<Ts>,
    pub(super) purge_at: Ts,
    /// Whoever sent the file.
    created_by: String,
}

impl Import {
    fn of(row: &Row) -> Result<Self, Fault> {
        let name: String = row.get("entity")?;
        // An entity that a later version no longer imports is one that is not there.
        let entity = importable(&name).ok_or(Fault::NotFound("import"))?;
        let bad = |column: &str, error: serde_json::Error| {
            Fault::from(row.bad_column(column, "its own document", error.to_string()))
        };
        let parse = |column: &str| row.get::<Json>(column);
        Ok(Self {
            id: row.get("id")?,
            organisation: row.get("organisation_id")?,
            entity,
            kept: serde_json::from_value(parse("reading")?).map_err(|e| bad("reading", e))?,
            columns: serde_json::from_value(parse("columns")?).map_err(|e| bad("columns", e))?,
            mapping: serde_json::from_value(parse("mapping")?).map_err(|e| bad("mapping", e))?,
            options: serde_json::from_value(parse("options")?).map_err(|e| bad("options", e))?,
            state: row.get("state")?,
            done_row: row.get("done_row")?,
            version: row.get("version")?,
            undo_until: row.get("undo_until")?,
            purge_at: row.get("purge_at")?,
            created_by: row.get("created_by")?,
        })
    }

    /// What its columns are called.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What they mean.
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// How its rows are taken.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether its columns can still be given another meaning.
    pub(crate) fn can_be_mapped(&self) -> bool {
        MAPPED.contains(&self.state.as_str())
    }

    /// Refuses where the import is in none of these states.
    pub(super) fn must_be(&self, states: &[&str]) -> Result<(), Fault> {
        if states.contains(&self.state.as_str()) {
            return Ok(());
        }
        let detail = match self.state.as_str() {
            "ready" | "checked" => "the import was not run yet".to_owned(),
            "checking" => "the import is being tried at this moment".to_owned(),
            "running" => "the import is being run at this moment".to_owned(),
            "finished" => "the import was run already".to_owned(),
            "undoing" => "the import is being undone at this moment".to_owned(),
            "undone" => "the import was undone already".to_owned(),
            _ => "the import broke off: its file could not be read to the end".to_owned(),
        };
        Err(Fault::Conflict { pointer: "/state", detail })
    }
}

/// An entity whose records come from files.
pub(crate) fn importable(name: &str) -> Option<&'static Entity> {
    registry::by_name(name)
        .filter(|entity| entity.verbs.has(Verbs::IMPORT) && entity.verbs.has(Verbs::CREATE))
}

/// An import of the caller's subtree.
pub(crate) async fn find(office: &Office, actor: &Actor, id: Uuid) -> Result<Import, Fault> {
    let row = office.db.fetch_optional(&FIND, args![actor.path.as_str(), id]).await?;
    Import::of(&row.ok_or(Fault::NotFound("import"))?)
}

/// How a file is to be read, where the caller knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) format: Option<Format>,
    pub(crate) delimiter: Option<Delimiter>,
    pub(crate) header: Option<bool>,
    pub(crate) guard: Option<bool>,
    pub(crate) sheet: Option<String>,
}

/// Refuses a format that can be written and not read: its files would be of no use here.
pub(crate) fn readable(format: Format, field: &str) -> Result<(), Fault> {
    if Format::READ.contains(&format) {
        return Ok(());
    }
    Err(Fault::field(field, format!("is one of {}", Format::READ.map(Format::name).join(", "))))
}

/// Takes a file: it is read through once, its columns are mapped as well as can be guessed, and
/// it is kept. Nothing is imported yet.
pub(crate) async fn take(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    said: Said,
    file: bytes::Bytes,
) -> Result<Uuid, Fault> {
    if importable(entity.name).is_none() {
        return Err(Fault::WrongMethod);
    }
    if let Some(format) = said.format {
        readable(format, "/format")?;
    }
    let _slot = SLOTS.try_acquire().map_err(|_| Fault::TooMany(10))?;
    let reading = Reading {
        format: said.format,
        delimiter: said.delimiter,
        header: said.header.unwrap_or(true),
        guard: said.guard.unwrap_or(true),
        sheet: said.sheet.clone(),
        limits: limits(),
    };
    let (read, how) = (file.clone(), reading.clone());
    let looked = tokio::task::spawn_blocking(move || look(&read, &how)).await;
    let looked = looked.map_err(|error| Fault::Internal(Box::new(error)))?;
    let Looked { summary, rows, first, bad } =
        looked.map_err(|error| Fault::field("", error.to_string()))?;
    if summary.columns.is_empty() || rows == 0 {
        let why = bad.map_or_else(
            || "the file has no rows to import".to_owned(),
            |fault| format!("no row can be read; row {}: {}", fault.number, fault.detail),
        );
        return Err(Fault::field("", why));
    }
    let kept = Kept {
        format: summary.format.name().to_owned(),
        delimiter: summary.delimiter.map(|delimiter| delimiter.name().to_owned()),
        header: reading.header,
        guard: reading.guard,
        sheet: said.sheet,
        other_sheets: summary.other_sheets,
    };
    let customs = custom::of(office, &actor.path, entity).await?;
    let mapping = mapping::guess(&actor.rights, entity, &customs, &summary.columns, &first);
    let options = Options::guess(&mapping);
    let id = Uuid::now_v7();

    let mut unit = Unit::begin(office, actor).await?;
    let purge_at = unit.now.plus_seconds(WAITING_S);
    let args = args![
        id,
        actor.organisation,
        entity.name,
        said.name.as_str(),
        file.len() as i64,
        json!(kept),
        json!(summary.columns),
        json!(mapping),
        json!(options),
        rows,
        purge_at,
        unit.now,
        actor.label()
    ];
    unit.execute(&INSERT, args).await?;
    for (number, piece) in (0_i64..).zip(file.chunks(PIECE_OCTETS)) {
        let sealed = office.keyring.seal(&bound_to(id, number), piece)?;
        let mut rows = Rows::new();
        rows.push(args![id, number, sealed]);
        let (sql, args) = rows.into_sql("import_chunk (import_id, number, sealed)");
        unit.dynamic_all(&sql, args).await?;
    }
    let row = unit.fetch_one(&FIND, args![actor.path.as_str(), id]).await?;
    record(&mut unit, "import.uploaded", &row).await?;
    unit.commit().await?;
    Ok(id)
}

/// What a look through a file finds.
struct Looked {
    summary: sheet::Summary,
    /// Rows with something in them.
    rows: i64,
    first: Vec<String>,
    /// The first row that cannot be used.
    bad: Option<sheet::RowFault>,
}

fn look(file: &[u8], how: &Reading) -> Result<Looked, sheet::ReadError> {
    let (mut rows, mut first, mut bad) = (0, Vec::new(), None);
    let summary = sheet::read(file, how, |item| {
        match item {
            Item::Row { cells, .. } if cells.iter().all(|cell| cell.trim().is_empty()) => {}
            Item::Row { cells, .. } => {
                if first.is_empty() {
                    first = cells.to_vec();
                }
                rows += 1;
            }
            Item::Bad(fault) => {
                rows += 1;
                bad.get_or_insert(fault);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(Looked { summary, rows, first, bad })
}

/// What a piece is sealed to: nobody exchanges pieces, or files.
fn bound_to(import: Uuid, number: i64) -> String {
    format!("{}/{number}", model::id::show(IMPORT.prefix, import))
}

/// A piece of the file; nothing behind the last.
async fn piece(office: &Office, import: Uuid, number: i64) -> Result<Option<Vec<u8>>, Fault> {
    let Some(row) = office.db.fetch_optional(&PIECE, args![import, number]).await? else {
        return Ok(None);
    };
    let sealed: Sealed = row.get("sealed")?;
    let opened = office.keyring.open(&bound_to(import, number), &sealed)?;
    Ok(Some(opened.expose().clone()))
}

/// Writes down what became of an import. The values of its rows are not in it.
async fn record(unit: &mut Unit<'_>, kind: &str, row: &Row) -> Result<(), Fault> {
    let payload = super::read::shown(&IMPORT, row, &[])?;
    let entity_id = model::id::show(IMPORT.prefix, row.get("id")?);
    unit.record(row.get("organisation_id")?, Event { kind, entity_id, payload, policy: &[] }, None)
        .await
}

/// Says anew what the columns mean and what is done with what is there already.
pub(crate) async fn set_mapping(
    office: &Office,
    actor: &Actor,
    import: &Import,
    body: &[u8],
    expected: Option<i64>,
) -> Result<(), Fault> {
    import.must_be(MAPPED)?;
    if expected.is_some_and(|expected| expected != import.version) {
        return Err(Fault::Stale);
    }
    let customs = custom::of(office, &actor.path, import.entity).await?;
    let mut input = Input::parse(body)?;
    let mapping = match input.map("mapping") {
        Some(map) => {
            let (entity, columns) = (import.entity, &import.columns);
            mapping::read(&actor.rights, entity, &customs, columns, &map, &mut input)
        }
        None => import.mapping.clone(),
    };
    let options = match input.map("options") {
        Some(map) => {
            let entity = import.entity;
            Options::read(&actor.rights, entity, &customs, &mapping, map, &mut input)
        }
        None => import.options.clone(),
    };
    input.finish()?;
    let mut unit = Unit::begin(office, actor).await?;
    let args = args![
        actor.path.as_str(),
        import.id,
        import.version,
        json!(mapping),
        json!(options),
        unit.now,
        actor.label()
    ];
    if unit.execute(&SET_MAPPING, args).await? == 0 {
        return Err(Fault::Stale);
    }
    let row = unit.fetch_one(&FIND, args![actor.path.as_str(), import.id]).await?;
    record(&mut unit, "import.mapped", &row).await?;
    unit.commit().await
}

/// The first rows: as they are in the file, and as they would be given to the API.
pub(crate) async fn preview(
    office: &Arc<Office>,
    actor: &Actor,
    import: &Import,
) -> Result<Json, Fault> {
    let customs = custom::of(office, &actor.path, import.entity).await?;
    let mut rows = rows::open(office.clone(), import, 0, PREVIEW_ROWS);
    let batch = rows.next().await?.unwrap_or_default();
    let (entity, rights) = (import.entity, &actor.rights);
    let covered = covered(import, rights);
    let shown: Vec<Json> = batch
        .iter()
        .map(|row| match &row.cells {
            Ok(cells) => {
                let record = hidden(entity, rights, mapping::document(import, &customs, cells));
                let mut cells = json!(cells);
                for (at, _) in covered.iter().enumerate().filter(|(_, covered)| **covered) {
                    cover(cells.get_mut(at));
                }
                json!({"row": row.number, "cells": cells, "record": record})
            }
            Err(fault) => {
                json!({"row": row.number, "column": fault.column, "detail": fault.detail})
            }
        })
        .collect();
    let missing = mapping::missing(import.entity, &customs, &import.mapping, &import.options);
    Ok(json!({"columns": import.columns, "mapping": import.mapping, "rows": shown,
        "targets": mapping::targets(&actor.rights, import.entity, &customs), "missing": missing}))
}

/// Of each column, whether what it means is given and never shown, or not to somebody with these
/// rights.
fn covered(import: &Import, rights: &Rights) -> Vec<bool> {
    let target = |column: &String| import.entity.field(import.mapping.get(column)?);
    let covered = |column| target(column).is_some_and(|field| is_covered(field, rights));
    import.columns.iter().map(covered).collect()
}

/// Whether a field is given and never shown, or not to somebody with these rights.
fn is_covered(field: &Field, rights: &Rights) -> bool {
    matches!(field.kind, Kind::Secret(_)) || !field.is_seen(rights)
}

/// Says that there is something, and not what.
fn cover(value: Option<&mut Json>) {
    if let Some(value) = value.filter(|value| !value.is_null() && *value != "") {
        *value = json!("•••");
    }
}

/// Without what is covered.
fn hidden(entity: &Entity, rights: &Rights, mut document: serde_json::Map<String, Json>) -> Json {
    for field in entity.all_fields().filter(|field| is_covered(field, rights)) {
        cover(document.get_mut(field.name));
    }
    Json::Object(document)
}

/// A file with the columns that a record of the entity can have, and no rows.
pub(crate) fn template(
    actor: &Actor,
    entity: &'static Entity,
    customs: &[custom::Custom],
    how: &sheet::Writing,
) -> Result<Vec<u8>, Fault> {
    let columns = mapping::targets(&actor.rights, entity, customs);
    let columns = columns.into_iter().filter(|name| name != "id").collect();
    let writer = sheet::Writer::new(Vec::new(), how, columns);
    let file = writer.and_then(sheet::Writer::finish);
    file.map_err(|error| Fault::Internal(Box::new(error)))
}

/// Forgets files and rows whose window is over; how many imports that were.
pub(crate) async fn purge(office: &Office, limit: i64) -> Result<u64, Fault> {
    let now = office.now();
    let rows = office.db.fetch_all(&STALE, args![now, limit]).await?;
    let mut purged = 0;
    for row in rows {
        let id: Uuid = row.get("id")?;
        let mut tx = office.db.begin().await?;
        tx.execute(&PURGE_PIECES, args![id]).await?;
        tx.execute(&PURGE_ROWS, args![id]).await?;
        tx.commit().await?;
        purged += 1;
    }
    Ok(purged)
}
