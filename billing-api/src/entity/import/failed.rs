//! What was wrong with rows, to be looked at and as a file: the same columns, and why. It can be
//! corrected and imported again as it is.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use serde_json::Value as Json;
use sheet::{Cell, Delimiter, Format, Writer, Writing};
use store::{Statement, args};
use tempfile::SpooledTempFile;

use super::mapping::REASON;
use super::{FIND, IMPORT, Import, record, rows};
use crate::domain::{Actor, Fault, Office, Unit};

/// Octets of a file held in memory before it goes to a temporary one.
const IN_MEMORY: usize = 1 << 20;
/// Rows read together.
const ROWS_AT_ONCE: usize = 500;

store::statements! {
    /// What was wrong with the rows that failed.
    pub(crate) FAILED = "SELECT row_number, faults FROM import_row
        WHERE import_id = $1 AND outcome = 'failed' AND row_number > $2
        ORDER BY row_number LIMIT $3";
    /// What is worth a look about rows that would be taken.
    pub(crate) WORTH = "SELECT row_number, faults FROM import_row
        WHERE import_id = $1 AND outcome IN ('created', 'updated') AND faults IS NOT NULL
          AND row_number > $2
        ORDER BY row_number LIMIT $3";
    /// Why rows could not be undone.
    pub(crate) KEPT = "SELECT row_number, faults FROM import_row
        WHERE import_id = $1 AND outcome = 'kept' AND row_number > $2
        ORDER BY row_number LIMIT $3";
    /// What became, or would become, of the first rows.
    pub(crate) FIRST = "SELECT row_number, outcome FROM import_row
        WHERE import_id = $1 AND row_number <= $2 ORDER BY row_number";
}

/// Rows with something to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// They were not taken.
    Failed,
    /// A dry run would take them, and says what is worth a look.
    Worth,
    /// They were not undone.
    Kept,
}

impl Told {
    /// Each with its word in the API.
    pub(crate) const ALL: [(&str, Told); 3] =
        [("failed", Self::Failed), ("worth_a_look", Self::Worth), ("kept", Self::Kept)];

    fn statement(self) -> &'static Statement {
        match self {
            Self::Failed => &FAILED,
            Self::Worth => &WORTH,
            Self::Kept => &KEPT,
        }
    }
}

/// How a file of failed rows is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) format: Format,
    /// That of the file that was imported, where nothing is said.
    pub(crate) delimiter: Option<Delimiter>,
}

/// Failed rows read together.
const FAULTS_AT_ONCE: i64 = 1000;

/// Writes the file, and down who took it. A row that could not even be read has nothing but its
/// reason. Whoever sent the file gets their own rows back; to others, secrets and what they do not
/// see are left empty, so that nothing else is imported in their place.
pub(crate) async fn file(
    office: &Arc<Office>,
    actor: &Actor,
    import: &Import,
    wanted: Wanted,
) -> Result<SpooledTempFile, Fault> {
    let covered = match import.created_by == actor.label() && actor.impersonator.is_none() {
        true => vec![false; import.columns.len()],
        false => super::covered(import, &actor.rights),
    };
    let mut unit = Unit::begin(office, actor).await?;
    let row = unit.fetch_optional(&FIND, args![actor.path.as_str(), import.id]).await?;
    let row = row.ok_or(Fault::NotFound(IMPORT.name))?;
    record(&mut unit, "import.fetched", &row).await?;
    unit.commit().await?;
    let reasons = reasons(office, import).await?;
    let how = Writing {
        format: wanted.format,
        delimiter: wanted.delimiter.unwrap_or_else(|| import.kept.delimiter()),
        sheet: "failed".to_owned(),
        ..Writing::default()
    };
    let mut columns = import.columns.clone();
    columns.retain(|column| column != REASON);
    columns.push(REASON.to_owned());
    let places: Vec<usize> =
        (0..import.columns.len()).filter(|at| import.columns[*at] != REASON).collect();
    let sink = SpooledTempFile::new(IN_MEMORY);
    let mut writer = Writer::new(sink, &how, columns).map_err(internal)?;
    let mut rows = rows::open(office.clone(), import, 0, ROWS_AT_ONCE);
    while let Some(batch) = rows.next().await? {
        for row in batch {
            let Some(reason) = reasons.get(&row.number) else { continue };
            let text = |at: &usize| match row.cells.as_ref().ok().and_then(|cells| cells.get(*at)) {
                Some(_) if covered.get(*at).copied().unwrap_or(true) => Cell::Empty,
                Some(text) if !text.is_empty() => Cell::Text(text.clone()),
                _ => Cell::Empty,
            };
            let mut cells: Vec<Cell> = places.iter().map(text).collect();
            cells.push(Cell::Text(reason.clone()));
            writer.push(&cells).map_err(internal)?;
        }
    }
    let mut file = writer.finish().map_err(internal)?;
    file.flush().map_err(|error| Fault::Internal(Box::new(error)))?;
    Ok(file)
}

fn internal(error: sheet::WriteError) -> Fault {
    Fault::Internal(Box::new(error))
}

/// Why rows failed, by number: `row 7: email: is not an e-mail address`.
async fn reasons(office: &Office, import: &Import) -> Result<HashMap<u64, String>, Fault> {
    let mut reasons = HashMap::new();
    let mut after = 0_i64;
    loop {
        let rows = office.db.fetch_all(&FAILED, args![import.id, after, FAULTS_AT_ONCE]).await?;
        for row in &rows {
            after = row.get("row_number")?;
            let faults: Option<Json> = row.get("faults")?;
            let texts: Vec<String> =
                faults.iter().flat_map(Json::as_array).flatten().map(told).collect();
            reasons.insert(after.unsigned_abs(), format!("row {after}: {}", texts.join("; ")));
        }
        if (rows.len() as i64) < FAULTS_AT_ONCE {
            return Ok(reasons);
        }
    }
}

fn told(fault: &Json) -> String {
    let detail = fault["detail"].as_str().unwrap_or_default();
    match fault["pointer"].as_str().unwrap_or_default().trim_start_matches('/') {
        "" => detail.to_owned(),
        field => format!("{field}: {detail}"),
    }
}

/// Rows with something to tell, page by page, for those who show them.
pub(crate) async fn list(
    office: &Office,
    import: &Import,
    told: Told,
    after: i64,
    limit: i64,
) -> Result<Vec<Json>, Fault> {
    let rows = office.db.fetch_all(told.statement(), args![import.id, after, limit]).await?;
    let mut list = Vec::with_capacity(rows.len());
    for row in &rows {
        let (number, faults): (i64, Option<Json>) = (row.get("row_number")?, row.get("faults")?);
        list.push(serde_json::json!({"row": number, "errors": faults}));
    }
    Ok(list)
}

/// What became of the first rows, or would, by row.
pub(crate) async fn first(
    office: &Office,
    import: &Import,
    to: u64,
) -> Result<HashMap<u64, String>, Fault> {
    let rows = office.db.fetch_all(&FIRST, args![import.id, to as i64]).await?;
    let mut first = HashMap::with_capacity(rows.len());
    for row in &rows {
        first.insert(row.get::<i64>("row_number")?.unsigned_abs(), row.get("outcome")?);
    }
    Ok(first)
}
