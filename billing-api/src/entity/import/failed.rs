//! The rows that failed, as a file: the same columns, and why. It can be corrected and imported
//! again as it is.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use serde_json::Value as Json;
use sheet::{Cell, Writer, Writing};
use store::args;
use tempfile::SpooledTempFile;

use super::mapping::REASON;
use super::{Import, rows};
use crate::domain::{Fault, Office};

/// Octets of a file held in memory before it goes to a temporary one.
const IN_MEMORY: usize = 1 << 20;
/// Rows read together.
const ROWS_AT_ONCE: usize = 500;

store::statements! {
    /// What was wrong with the rows that failed.
    pub(crate) FAILED = "SELECT row_number, faults FROM import_row
        WHERE import_id = $1 AND outcome = 'failed' AND row_number > $2
        ORDER BY row_number LIMIT $3";
}

/// Failed rows read together.
const FAULTS_AT_ONCE: i64 = 1000;

/// Writes the file. It is of the kind that was imported; a row that could not even be read has
/// nothing but its reason.
pub(crate) async fn file(office: &Arc<Office>, import: &Import) -> Result<SpooledTempFile, Fault> {
    let reasons = reasons(office, import).await?;
    let how = Writing {
        format: import.kept.format(),
        delimiter: import.kept.delimiter(),
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

/// The rows that failed, page by page, for those who show them.
pub(crate) async fn list(
    office: &Office,
    import: &Import,
    after: i64,
    limit: i64,
) -> Result<Vec<Json>, Fault> {
    let rows = office.db.fetch_all(&FAILED, args![import.id, after, limit]).await?;
    let mut list = Vec::with_capacity(rows.len());
    for row in &rows {
        let (number, faults): (i64, Option<Json>) = (row.get("row_number")?, row.get("faults")?);
        list.push(serde_json::json!({"row": number, "errors": faults}));
    }
    Ok(list)
}
