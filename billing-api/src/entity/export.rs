//! Records leave as a file.
//!
//! An export is a list without an end: the same filters, sort and search, page after page behind
//! the last row, so that memory and the time a statement runs do not grow with the number of
//! rows. Rows are turned into the file on a thread of their own; between database, thread and
//! caller stand two bounded channels, and a caller who does not read is given up on.
//!
//! Pages are read one after the other: what changes meanwhile may be seen before or after the
//! change, and nothing is seen twice. Who took what out is written down before the first row
//! leaves, and how many rows it were when the last one has.
//!
//! A file that breaks off is never ended properly: the caller sees a broken transfer, not a
//! short table. One that takes too long breaks off too, so that nobody holds up the others by
//! reading slowly, and no organisation takes more than its share of what goes on at once.
//!
//! - this file: the records of exports, and a file that is made while its caller waits.
//! - [`background`]: files made by a job, kept, and fetched later.
//! - [`scheduled`]: files that go out by schedule, by mail or to an SFTP server.
//! - `sftp`: a file goes to an SFTP server.
//! - [`paper`]: what a PDF has around its table, and values as people read them.

pub(crate) mod background;
pub(crate) mod paper;
pub(crate) mod scheduled;
pub(crate) mod sftp;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sheet::{Cell, Delimiter, Format, Writer, Writing};
use store::{StoreError, args};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::custom::{self, Custom};
use super::query::ListQuery;
use super::{Entity, Field, Flags, Hooks, Kind, Source, Verbs, read};
use crate::domain::slots::{Slot, Slots};
use crate::domain::{Actor, Event, Fault, FieldFault, Input, Office, PAGE_MAX, Unit};

/// Exports under way at once in this process; a further one is asked to come again.
const AT_ONCE: usize = 4;
/// Those of one organisation.
const EACH: usize = 2;
/// Pages of rows that wait for the thread that writes the file.
const PAGES_WAITING: usize = 2;
/// Pieces of the file that wait for the caller.
const PIECES_WAITING: usize = 4;
/// Octets of a piece.
const PIECE_OCTETS: usize = 64 * 1024;
/// How long a caller may take no piece.
const STALLED: Duration = Duration::from_secs(60);
/// How long a file may take whose caller waits for it; a longer one is made in the background.
const WHOLE: Duration = Duration::from_secs(30 * 60);

static SLOTS: Slots = Slots::new(AT_ONCE, EACH);

store::statements! {
    /// An export begins.
    pub(crate) BEGIN = "INSERT INTO data_export
        (id, organisation_id, entity, format, query, columns, personal, state, row_count,
         created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', 0, $8, $9, $8, $9)";
    /// An export ended, one way or the other.
    pub(crate) END = "UPDATE data_export SET state = $3, row_count = $4, finished_at = $5,
        updated_at = $5, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND state = 'running'";
}

/// Who took what out: written by this module alone.
pub(crate) const EXPORT: Entity = Entity {
    name: "export",
    path: "exports",
    table: "data_export",
    prefix: "exp",
    permission: "imports",
    verbs: Verbs::READ,
    title: "entity",
    fields: &[
        Field::new("entity", Kind::Text(60), Flags::FILTERABLE.and(Flags::LISTED)),
        Field::new("format", Kind::Text(10), Flags::LISTED),
        Field::new("query", Kind::LongText(4000), Flags::NONE),
        Field::new("columns", Kind::Words(1000, 200), Flags::NONE),
        Field::new("personal", Kind::Words(1000, 200), Flags::LISTED),
        Field::new("state", Kind::Choice(STATES), Flags::LISTED),
        Field::new("row_count", Kind::Integer(0, i64::MAX), Flags::LISTED),
        // Only of one that is kept.
        Field::new("file_name", Kind::Text(200), Flags::NONE),
        Field::new("octets", Kind::Integer(0, i64::MAX), Flags::NONE),
        Field::new("purge_at", Kind::Time, Flags::NONE),
        Field::new("finished_at", Kind::Time, Flags::NONE),
    ],
    ..Entity::PLAIN
};

/// What an export can be; one that is queued is made by a job, and purged when its time is over.
const STATES: &[&str] = &["queued", "running", "finished", "broken", "purged"];

/// An export as somebody wants it again: an entity and a query string for it.
pub(crate) const EXPORT_TEMPLATE: Entity = Entity {
    name: "export_template",
    path: "export-templates",
    table: "export_template",
    prefix: "ext",
    permission: "imports",
    verbs: Verbs::CREATE.and(Verbs::UPDATE).and(Verbs::DELETE),
    fields: &[
        Field::new("name", Kind::Text(100), Flags::REQUIRED.and(SET).and(Flags::SEARCHED)),
        Field::new(
            "entity",
            Kind::Text(60),
            Flags::REQUIRED.and(Flags::ONCE).and(Flags::FILTERABLE).and(SET),
        ),
        Field::new("query", Kind::Text(2000), SET),
    ],
    hooks: Hooks { check: check_template, ..Hooks::NONE },
    ..Entity::PLAIN
};

const SET: Flags = Flags::WRITABLE.and(Flags::LISTED);

fn check_template(draft: &super::Draft, input: &mut Input) {
    if draft.text("entity").is_some_and(|name| super::registry::by_name(name).is_none()) {
        input.fault("entity", "is no kind of record here");
    }
    if let Some(query) = draft.text("query") {
        match parameters(query) {
            Err(detail) => input.fault("query", detail),
            Ok(parameters) if parameters.contains_key("template") => {
                input.fault("query", "cannot name another template");
            }
            Ok(_) => {}
        }
    }
}

/// A query string as parameters.
pub(crate) fn parameters(query: &str) -> Result<BTreeMap<String, String>, String> {
    let read = actix_web::web::Query::<BTreeMap<String, String>>::from_query(query);
    read.map(|query| query.into_inner()).map_err(|e| format!("the query string does not read: {e}"))
}

/// Parameters as a query string, which [`parameters`] reads back as they were.
pub(crate) fn query_of(given: &BTreeMap<String, String>) -> String {
    let pair = |(name, value): (&String, &String)| format!("{}={}", encode(name), encode(value));
    given.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Makes a text safe inside a query string (RFC 3986 §2.3: all but the unreserved is escaped).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// One column of the file.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    of: Of,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
enum Of {
    /// A member of the record as the API shows it.
    Member(&'static str),
    /// An amount, as a decimal number of its currency.
    Amount(&'static str),
    /// An amount's currency.
    Currency(&'static str),
    /// A list of words.
    Words(&'static str),
    /// A field that the organisation added.
    Custom(String),
}

/// The columns of an entity's records in a file; what has parts is several in a table, and one
/// in JSON.
fn columns(
    actor: &Actor,
    entity: &'static Entity,
    customs: &[Custom],
    chosen: &[&'static str],
    nested: bool,
) -> Result<Vec<Column>, Fault> {
    let wanted = |name: &str| chosen.is_empty() || chosen.contains(&name);
    let mut columns = Vec::new();
    let mut add = |name: &str, of: Of| columns.push(Column { name: name.to_owned(), of });
    for name in ["id", "organisation_id"].into_iter().filter(|name| wanted(name)) {
        add(name, Of::Member(name));
    }
    let shown = |field: &&Field| field.is_column() || field.flags.has(Flags::COMPUTED);
    for field in entity.all_fields().filter(shown).filter(|field| wanted(field.name)) {
        if !field.is_seen(&actor.rights) {
            if chosen.contains(&field.name) {
                return Err(Fault::field("?fields", format!("\"{}\" is not a field", field.name)));
            }
            continue;
        }
        match field.kind {
            Kind::Money if !nested => {
                add(field.name, Of::Amount(field.name));
                add(&format!("{}.currency", field.name), Of::Currency(field.name));
            }
            Kind::Words(..) if !nested => add(field.name, Of::Words(field.name)),
            _ => add(field.name, Of::Member(field.name)),
        }
    }
    if entity.custom && chosen.is_empty() {
        for custom in customs {
            add(&format!("custom.{}", custom.key), Of::Custom(custom.key.clone()));
        }
    }
    Ok(columns)
}

impl Column {
    /// The value in a record as the API shows it.
    fn cell(&self, record: &Json) -> Cell {
        match &self.of {
            Of::Member(name) => cell(&record[*name]),
            Of::Custom(key) => cell(&record["custom"][key]),
            Of::Currency(name) => cell(&record[*name]["currency"]),
            Of::Amount(name) => amount(&record[*name]).map_or(Cell::Empty, Cell::Text),
            Of::Words(name) => match &record[*name] {
                Json::Array(words) if words.is_empty() => Cell::Empty,
                words => Cell::Text(super::convert::show_words(words)),
            },
        }
    }
}

fn cell(value: &Json) -> Cell {
    match value {
        Json::Null => Cell::Empty,
        Json::String(text) => Cell::Text(text.clone()),
        Json::Bool(flag) => Cell::Flag(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Cell::Integer(number),
            (None, Some(number)) => Cell::Number(number),
            (None, None) => Cell::Text(number.to_string()),
        },
        value => Cell::Json(value.clone()),
    }
}

/// An amount without its currency: minor units with the point in its place.
fn amount(money: &Json) -> Option<String> {
    let money: model::Money = serde_json::from_value(money.clone()).ok()?;
    let shown = money.to_string();
    Some(shown.split(' ').next().unwrap_or_default().to_owned())
}

/// An export that was asked for, checked.
#[derive(Debug)]
pub(crate) struct Export {
    entity: &'static Entity,
    list: ListQuery,
    columns: Vec<Column>,
    writing: Writing,
    /// What was asked, as it is written down: a query string that reads as the same again.
    asked: String,
    /// Values as people read them, where the file is for people.
    reading: Option<paper::Reading>,
}

impl Export {
    /// Reads the parameters: those of a list without pages, and how the file is written. A
    /// template's come first, what the caller says counts more.
    pub(crate) async fn parse(
        office: &Office,
        actor: &Actor,
        entity: &'static Entity,
        mut given: BTreeMap<String, String>,
    ) -> Result<Self, Fault> {
        if let Some(id) = given.remove("template") {
            let id = EXPORT_TEMPLATE.id(&id)?;
            let (template, _) = read::find(office, actor, &EXPORT_TEMPLATE, id).await?;
            if template["entity"] != entity.name {
                return Err(Fault::field("?template", "is a template for other records"));
            }
            let kept = parameters(template["query"].as_str().unwrap_or(""))
                .map_err(|detail| Fault::field("?template", detail))?;
            for (name, value) in kept {
                given.entry(name).or_insert(value);
            }
        }
        let asked = query_of(&given);
        let mut faults = Vec::new();
        let mut writing = Writing {
            format: word(&mut given, "format", &mut faults).unwrap_or(Format::Csv),
            delimiter: word(&mut given, "delimiter", &mut faults).unwrap_or(Delimiter::Comma),
            header: word(&mut given, "header", &mut faults).unwrap_or(true),
            byte_order_mark: word(&mut given, "bom", &mut faults).unwrap_or(false),
            guard: word(&mut given, "guard", &mut faults).unwrap_or(true),
            sheet: entity.path.to_owned(),
            ..Writing::default()
        };
        for name in ["limit", "cursor", "page", "total"] {
            if given.remove(name).is_some() {
                let detail = "has no meaning in an export, which is all of it".to_owned();
                faults.push(FieldFault { pointer: format!("?{name}"), detail });
            }
        }
        let customs = custom::of(office, &actor.path, entity).await?;
        let added = added(&customs, &mut given);
        let filters = given.clone();
        let mut list = match ListQuery::parse(entity, &customs, given) {
            Ok(list) => list,
            Err(Fault::Invalid(more)) => {
                faults.extend(more);
                ListQuery::default()
            }
            Err(fault) => return Err(fault),
        };
        if !faults.is_empty() {
            return Err(Fault::Invalid(faults));
        }
        list.limit = PAGE_MAX;
        list.whole = true;
        let nested = matches!(writing.format, Format::Json | Format::JsonLines);
        let mut columns = columns(actor, entity, &customs, &list.fields, nested)?;
        let mut reading = None;
        if writing.format == Format::Pdf {
            if list.fields.is_empty() {
                paper::narrow(entity, &mut columns);
            }
            let (paper, found) = paper::of(office, actor, entity, &filters).await?;
            writing.paper = paper;
            reading = Some(found);
        }
        for key in added.into_iter().filter(|_| entity.custom) {
            list.fields.push("custom");
            columns.push(Column { name: format!("custom.{key}"), of: Of::Custom(key) });
        }
        Ok(Self { entity, list, columns, writing, asked, reading })
    }

    /// The file's format.
    pub(crate) fn format(&self) -> Format {
        self.writing.format
    }

    /// What the file is called.
    pub(crate) fn file_name(&self, office: &Office) -> String {
        let at = office.now().to_string();
        let day = at.get(..10).unwrap_or("now").to_owned();
        format!("{}-{day}.{}", self.entity.path, self.writing.format)
    }

    /// How many rows it would have, counted as far as `most` and one more.
    pub(crate) async fn exceeds(
        &self,
        office: &Office,
        actor: &Actor,
        most: i64,
    ) -> Result<bool, Fault> {
        read::exceeds(office, actor, self.entity, &self.list, most).await
    }

    /// What the columns are called in the file.
    fn headings(&self) -> Vec<String> {
        match &self.reading {
            None => self.names(),
            Some(reading) => {
                self.columns.iter().map(|column| reading.heading(self.entity, column)).collect()
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The columns that are about a person.
    fn personal(&self) -> Vec<&str> {
        let personal = |column: &&Column| match column.of {
            Of::Member(name) | Of::Amount(name) | Of::Currency(name) | Of::Words(name) => {
                self.entity.field(name).is_some_and(|field| field.flags.has(Flags::PERSONAL))
            }
            // Nobody said what an organisation keeps there.
            Of::Custom(_) => true,
        };
        self.columns.iter().filter(personal).map(|column| column.name.as_str()).collect()
    }

    /// Whether a column is filled by the entity's own function.
    fn is_computed(&self) -> bool {
        let computed = |column: &Column| match column.of {
            Of::Member(name) | Of::Amount(name) | Of::Currency(name) | Of::Words(name) => {
                self.entity.field(name).is_some_and(|field| field.flags.has(Flags::COMPUTED))
            }
            Of::Custom(_) => false,
        };
        self.columns.iter().any(computed)
    }

    async fn rows(
        &self,
        office: &Office,
        actor: &Actor,
        page: &[store::Row],
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let extends = self.is_computed() || self.entity.hides_more();
        // What fills a field that is no column may need any other of the row.
        let fields: &[&'static str] = if extends { &[] } else { &self.list.fields };
        let shown = page.iter().map(|row| read::shown(self.entity, row, fields));
        let mut records = shown.collect::<Result<Vec<Json>, StoreError>>()?;
        if extends {
            (self.entity.hooks.extend)(Source::Office(office, actor), &mut records).await?;
        }
        if let Some(reading) = &self.reading {
            return reading.rows(office, actor, self.entity, &self.columns, &records).await;
        }
        let row = |record: &Json| self.columns.iter().map(|column| column.cell(record)).collect();
        Ok(records.iter().map(row).collect())
    }
}

/// Takes the organisation's own fields out of those that are chosen; a list knows the others.
fn added(customs: &[Custom], given: &mut BTreeMap<String, String>) -> Vec<String> {
    let Some(names) = given.get("fields") else { return Vec::new() };
    let key = |name: &str| {
        let key = name.strip_prefix("custom.")?;
        customs.iter().any(|custom| custom.key == key).then(|| key.to_owned())
    };
    let (mut added, mut own) = (Vec::new(), Vec::new());
    for name in names.split(',') {
        match key(name) {
            Some(key) => added.push(key),
            None => own.push(name),
        }
    }
    // Fields are chosen, if none of the description's: its records are still known by their ids.
    let own = if own.is_empty() { "id".to_owned() } else { own.join(",") };
    given.insert("fields".to_owned(), own);
    added
}

/// Takes a parameter read by its type.
fn word<T: FromStr<Err: std::fmt::Display>>(
    given: &mut BTreeMap<String, String>,
    name: &str,
    faults: &mut Vec<FieldFault>,
) -> Option<T> {
    match given.remove(name)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            faults.push(FieldFault { pointer: format!("?{name}"), detail: error.to_string() });
            None
        }
    }
}

/// Why a file broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// The rows could not be read.
    #[error("the records could not be read")]
    Rows(#[source] Fault),
    /// The file could not be written.
    #[error("the file could not be written")]
    File(#[source] sheet::WriteError),
    /// The file was forgotten before all of it was read.
    #[error("the file was forgotten while it was fetched")]
    Forgotten,
    /// The file took as long as one may whose caller waits.
    #[error("it took longer than {} minutes; have a file this long made in the background",
        WHOLE.as_secs() / 60)]
    TooLong,
    /// The thread that writes was ended from outside.
    #[error("the writer is gone")]
    Gone,
}

/// The pieces of a file, in their order.
pub(crate) type Pieces = mpsc::Receiver<Result<Bytes, ExportError>>;

/// What goes to the thread that writes.
enum Step {
    Rows(Vec<Vec<Cell>>),
    /// All rows were sent: only now the file may be ended.
    End,
}

/// Begins an export. The first page is read and the record of it is written before anything
/// leaves, so that what goes wrong there is an answer and not a broken file.
pub(crate) async fn start(
    office: Arc<Office>,
    actor: Actor,
    export: Export,
) -> Result<Pieces, Fault> {
    within(office, actor, export, WHOLE).await
}

/// As [`start`], with so much time for the whole file.
async fn within(
    office: Arc<Office>,
    actor: Actor,
    export: Export,
    limit: Duration,
) -> Result<Pieces, Fault> {
    let slot = SLOTS.take(actor.organisation).ok_or(Fault::TooMany(10))?;
    let deadline = Instant::now() + limit;
    let first = read::page(&office, &actor, export.entity, &export.list).await?;
    let id = begin(&office, &actor, &export).await?;
    let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
    let (slot, deadline) = (Some(slot), Some(deadline));
    // Ends with its channel: when the file is whole, or when nobody takes its pieces.
    tokio::spawn(run(Run { office, actor, export, id, pieces, deadline, _slot: slot }, first));
    Ok(receiver)
}

async fn begin(office: &Office, actor: &Actor, export: &Export) -> Result<Uuid, Fault> {
    let id = Uuid::now_v7();
    let mut unit = Unit::begin(office, actor).await?;
    let args = args![
        id,
        actor.organisation,
        export.entity.name,
        export.writing.format.name(),
        export.asked.as_str(),
        json!(export.names()),
        json!(export.personal()),
        unit.now,
        actor.label()
    ];
    unit.execute(&BEGIN, args).await?;
    record(&mut unit, id, "export.started", export, 0).await?;
    unit.commit().await?;
    Ok(id)
}

/// Writes down what was taken out.
async fn record(
    unit: &mut Unit<'_>,
    id: Uuid,
    kind: &str,
    export: &Export,
    rows: u64,
) -> Result<(), Fault> {
    let payload = json!({
        "id": model::id::show(EXPORT.prefix, id),
        "entity": export.entity.name,
        "format": export.writing.format.name(),
        "query": export.asked,
        "columns": export.names(),
        "personal": export.personal(),
        "row_count": rows,
    });
    let entity_id = model::id::show(EXPORT.prefix, id);
    let event = Event { kind, entity_id, payload, policy: &[] };
    let organisation = unit.actor.organisation;
    unit.record(organisation, event, None).await
}

struct Run {
    office: Arc<Office>,
    actor: Actor,
    export: Export,
    id: Uuid,
    pieces: mpsc::Sender<Result<Bytes, ExportError>>,
    /// When it must be whole. Nothing where a job has its own limit.
    deadline: Option<Instant>,
    /// Nothing where a queue of jobs bounds how many there are.
    _slot: Option<Slot>,
}

type Page = (Vec<store::Row>, Option<String>);

async fn run(mut run: Run, first: Page) {
    let (result, rows) = run.write(first).await;
    let (state, kind) = match &result {
        Ok(()) => ("finished", "export.finished"),
        Err(_) => ("broken", "export.broken"),
    };
    if let Err(error) = result {
        tracing::warn!(export = %run.id, %error, source = ?std::error::Error::source(&error),
            "an export broke off");
        // Behind the pieces that wait, or the file would look whole. A caller who is gone, or who
        // takes nothing, does not hear it.
        let _ = run.pieces.send_timeout(Err(error), STALLED).await;
    }
    let end = async {
        let mut unit = Unit::begin(&run.office, &run.actor).await?;
        let now = unit.now;
        let path = run.actor.path.as_str();
        unit.execute(&END, args![path, run.id, state, rows as i64, now]).await?;
        record(&mut unit, run.id, kind, &run.export, rows).await?;
        unit.commit().await
    };
    if let Err(fault) = end.await {
        let source = std::error::Error::source(&fault);
        tracing::error!(export = %run.id, rows, %fault, ?source, "an export's end was not kept");
    }
}

impl Run {
    /// Reads page after page into the file; how that ended, and how many rows left.
    async fn write(&mut self, first: Page) -> (Result<(), ExportError>, u64) {
        let (steps, mut waiting) = mpsc::channel(PAGES_WAITING);
        let (ended, end) = oneshot::channel();
        let (how, names) = (self.export.writing.clone(), self.export.headings());
        let sink = Sink {
            pieces: self.pieces.clone(),
            piece: Vec::new(),
            handle: Handle::current(),
            deadline: self.deadline,
        };
        tokio::task::spawn_blocking(move || {
            // Nobody waits for the answer only where the process ends.
            let _ = ended.send(file(sink, &how, names, &mut waiting));
        });
        let deadline = self.deadline;
        let reading = self.read(first, &steps);
        let read = match deadline {
            Some(deadline) => timeout_at(deadline, reading).await.ok(),
            None => Some(reading.await),
        };
        let read = match read {
            // The thread has the same limit.
            None => Err(ExportError::TooLong),
            // The writer stopped taking rows; it knows why.
            Some(Ok(false)) => Ok(()),
            Some(Ok(true)) => {
                let _ = steps.send(Step::End).await;
                Ok(())
            }
            Some(Err(fault)) => Err(ExportError::Rows(fault)),
        };
        drop(steps);
        let (wrote, rows) = end.await.unwrap_or((Err(ExportError::Gone), 0));
        (read.and(wrote), rows)
    }

    /// Sends the rows; false where nobody takes them any more.
    async fn read(&mut self, first: Page, steps: &mpsc::Sender<Step>) -> Result<bool, Fault> {
        let (mut page, mut next) = first;
        loop {
            let rows = self.export.rows(&self.office, &self.actor, &page).await?;
            if steps.send(Step::Rows(rows)).await.is_err() {
                return Ok(false);
            }
            let Some(cursor) = next else { return Ok(true) };
            self.export.list.after = self.export.list.behind(&cursor)?;
            let export = &self.export;
            (page, next) =
                read::page(&self.office, &self.actor, export.entity, &export.list).await?;
        }
    }
}

/// Writes the file; how that ended, and how many rows are in it.
fn file(
    sink: Sink,
    how: &Writing,
    names: Vec<String>,
    steps: &mut mpsc::Receiver<Step>,
) -> (Result<(), ExportError>, u64) {
    let mut writer = match Writer::new(sink, how, names) {
        Ok(writer) => writer,
        Err(error) => return (Err(ExportError::File(error)), 0),
    };
    while let Some(step) = steps.blocking_recv() {
        match step {
            Step::Rows(rows) => {
                for row in rows {
                    if let Err(error) = writer.push(&row) {
                        return (Err(ExportError::File(error)), writer.rows());
                    }
                }
            }
            Step::End => {
                let rows = writer.rows();
                let ended = writer.finish().map(drop).map_err(ExportError::File);
                return (ended, rows);
            }
        }
    }
    // Whoever reads the rows failed and says why; this file has no end.
    (Ok(()), writer.rows())
}

/// Where the file goes: pieces for the caller.
pub(super) struct Sink {
    pub(super) pieces: mpsc::Sender<Result<Bytes, ExportError>>,
    pub(super) piece: Vec<u8>,
    pub(super) handle: Handle,
    pub(super) deadline: Option<Instant>,
}

impl Sink {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece =
            Bytes::from(std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_OCTETS)));
        let sent = self.pieces.send(Ok(piece));
        let stalled = Instant::now() + STALLED;
        let until = self.deadline.map_or(stalled, |deadline| deadline.min(stalled));
        match self.handle.block_on(async { timeout_at(until, sent).await }) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the caller is gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the caller takes nothing")),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_OCTETS {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::registry::LABEL;
    use super::super::tests::{actor, label, offices, pointers};
    use super::super::write;
    use super::*;

    static LABELS: &Entity = &LABEL;

    fn given(query: &str) -> BTreeMap<String, String> {
        parameters(query).unwrap()
    }

    async fn whole(mut pieces: Pieces) -> Vec<u8> {
        let mut file = Vec::new();
        while let Some(piece) = pieces.recv().await {
            file.extend_from_slice(&piece.unwrap());
        }
        file
    }

    async fn exported(
        office: &Arc<Office>,
        actor: &Actor,
        query: &str,
    ) -> Result<(Vec<String>, Vec<Vec<String>>), Fault> {
        let export = Export::parse(office, actor, LABELS, given(query)).await?;
        let file = whole(start(office.clone(), actor.clone(), export).await?).await;
        let mut rows = Vec::new();
        let how = sheet::Reading::default();
        let summary = sheet::read(file.as_slice(), &how, |item| {
            match item {
                sheet::Item::Row { cells, .. } => rows.push(cells.to_vec()),
                sheet::Item::Bad(fault) => panic!("{fault:?}"),
            }
            ControlFlow::Continue(())
        });
        match summary {
            Ok(summary) => Ok((summary.columns, rows)),
            // JSON Lines of no rows have no lines.
            Err(sheet::ReadError::Empty) => Ok((Vec::new(), rows)),
            Err(error) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn the_audit_log_leaves_as_pdf_and_is_told_apart_by_tenant() {
        use crate::domain::audit::AUDIT_ENTRY;
        for (db, office) in offices().await {
            let office = Arc::new(office);
            let isp = actor(&office, None).await;
            let other = actor(&office, Some(&isp)).await;
            for (who, name) in [(&isp, "Ünder the plum tree"), (&other, "Somebody else")] {
                crate::entity::tests::label(
                    &office,
                    who,
                    json!({"name": name, "kind": "customer"}),
                )
                .await
                .unwrap();
            }
            let asked = "format=pdf&entity=label&fields=at,action,entity_id,after";
            let export = Export::parse(&office, &other, &AUDIT_ENTRY, given(asked)).await.unwrap();
            let pieces = start(office.clone(), other.clone(), export).await.unwrap();
            let file = whole(pieces).await;
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("audit.pdf");
            std::fs::write(&path, file).unwrap();
            let mut read = std::process::Command::new("pdftotext");
            let read = read.arg("-layout").arg(&path).arg("-").output();
            let read = read.expect("poppler-utils is installed");
            let text = String::from_utf8(read.stdout).unwrap();
            assert!(read.status.success(), "{:?}", read.stderr);
            for part in ["Audit", "created", "Somebody", "lbl_"] {
                assert!(text.contains(part), "{:?}: {part}\n{text}", db.engine());
            }
            assert!(!text.contains("plum"), "{text}");
        }
    }

    /// How the exports of an organisation ended, by what its records say.
    async fn ends(office: &Office, actor: &Actor) -> Vec<(String, i64)> {
        let query = ListQuery::parse(&EXPORT, &[], BTreeMap::new()).unwrap();
        let listed = read::list(office, actor, &EXPORT, &query).await.unwrap();
        let end = |row: &Json| {
            (row["state"].as_str().unwrap().to_owned(), row["row_count"].as_i64().unwrap())
        };
        listed.rows.iter().map(end).collect()
    }

    /// Waits until the newest export ended.
    async fn ended(office: &Office, actor: &Actor) -> (String, i64) {
        loop {
            let newest = ends(office, actor).await.remove(0);
            if newest.0 != "running" {
                return newest;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn every_row_leaves_once_in_every_format_and_it_is_written_down() {
        for (_db, office) in offices().await {
            let office = Arc::new(office);
            let isp = actor(&office, None).await;
            let other = actor(&office, Some(&isp)).await;
            // More than two pages.
            let mut unit = Unit::begin(&office, &isp).await.unwrap();
            for n in 0..1203 {
                let kind = ["customer", "service", "device"][n % 3];
                let body = json!({"name": format!("=L{n:04}"), "kind": kind}).to_string();
                let draft = write::parse(LABELS, &[], body.as_bytes(), true).unwrap();
                write::create_in(&mut unit, LABELS, draft).await.unwrap();
            }
            unit.commit().await.unwrap();
            for format in Format::ALL.into_iter().filter(|format| *format != Format::Pdf) {
                let query =
                    format!("format={format}&sort=-name&fields=id,name,kind&delimiter=pipe");
                let (columns, rows) = exported(&office, &isp, &query).await.unwrap();
                assert_eq!(columns, ["id", "name", "kind"], "{format}");
                assert_eq!(rows.len(), 1203, "{format}");
                assert_eq!(rows[0][1], "=L1202");
                assert!(rows.is_sorted_by(|a, b| a[1] > b[1]));
                assert_eq!(ended(&office, &isp).await, ("finished".to_owned(), 1203));
                assert!(exported(&office, &other, &query).await.unwrap().1.is_empty());
            }
            let query = "kind=device&q=l1202&bom=true&header=false";
            let (columns, rows) = exported(&office, &isp, query).await.unwrap();
            assert!(rows.is_empty() && columns.len() > 5, "no header: the row is taken for one");
            let sql = "SELECT action, after FROM audit_entry WHERE entity = 'export'
                AND actor = 'system:test' AND organisation_id = $1 ORDER BY at DESC, id DESC";
            let audit = office.db.dynamic_all(sql, args![isp.organisation]).await.unwrap();
            ended(&office, &isp).await;
            assert!(audit.len() >= 9, "{}", audit.len());
            let after: Json = audit.last().unwrap().get("after").unwrap();
            assert_eq!(after["columns"], json!(["id", "name", "kind"]));
            assert!(after["query"].as_str().unwrap().contains("sort=-name"));
            // A PDF is for people; what is on its pages, the tests of `sheet` read.
            let export = Export::parse(&office, &isp, LABELS, given("format=pdf")).await.unwrap();
            let pdf = whole(start(office.clone(), isp.clone(), export).await.unwrap()).await;
            assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 20_000, "{}", pdf.len());
            assert_eq!(ended(&office, &isp).await, ("finished".to_owned(), 1203));
        }
    }

    #[tokio::test]
    async fn an_export_that_makes_no_sense_is_refused_by_parameter() {
        for (_db, office) in offices().await {
            let office = Arc::new(office);
            let isp = actor(&office, None).await;
            let query = "format=odt&delimiter=x&header=maybe&limit=5&nmae=x";
            let Err(fault) = exported(&office, &isp, query).await else { panic!("exported") };
            let mut refused = pointers(fault);
            refused.sort();
            assert_eq!(refused, ["?delimiter", "?format", "?header", "?limit", "?nmae"]);
            assert!(ends(&office, &isp).await.is_empty(), "nothing was begun");
        }
    }

    #[tokio::test]
    async fn a_template_is_an_export_kept_and_what_is_said_counts_more() {
        for (_db, office) in offices().await {
            let office = Arc::new(office);
            let isp = actor(&office, None).await;
            let other = actor(&office, Some(&isp)).await;
            for (name, kind) in [("A", "customer"), ("B", "device"), ("C", "device")] {
                label(&office, &isp, json!({"name": name, "kind": kind})).await.unwrap();
            }
            let make = async |body: Json| {
                let body = body.to_string();
                let draft = write::parse(&EXPORT_TEMPLATE, &[], body.as_bytes(), true)?;
                write::create(&office, &isp, &EXPORT_TEMPLATE, draft).await
            };
            let wrong = json!({"name": "x", "entity": "dog", "query": "template=y"});
            let mut refused = pointers(make(wrong).await.unwrap_err());
            refused.sort();
            assert_eq!(refused, ["/entity", "/query"]);
            let query = "kind=device&fields=id,name&sort=-name&format=json";
            let made = make(json!({"name": "x", "entity": "label", "query": query})).await.unwrap();
            let template = format!("template={}", made.view["id"].as_str().unwrap());
            let (_, rows) = exported(&office, &isp, &template).await.unwrap();
            assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["C", "B"]);
            let query = format!("{template}&sort=name&format=csv");
            let (_, rows) = exported(&office, &isp, &query).await.unwrap();
            assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["B", "C"]);
            let foreign = exported(&office, &other, &template).await;
            assert!(matches!(foreign, Err(Fault::NotFound(_))));
        }
    }

    #[tokio::test]
    async fn an_export_nobody_takes_is_kept_as_broken() {
        for (_db, office) in offices().await {
            let office = Arc::new(office);
            let isp = actor(&office, None).await;
            let mut unit = Unit::begin(&office, &isp).await.unwrap();
            for n in 0..1100 {
                let text = "x".repeat(500);
                let body = json!({"name": format!("L{n}"), "kind": "device", "description": text});
                let body = body.to_string();
                let draft = write::parse(LABELS, &[], body.as_bytes(), true).unwrap();
                write::create_in(&mut unit, LABELS, draft).await.unwrap();
            }
            unit.commit().await.unwrap();
            let export = Export::parse(&office, &isp, LABELS, given("format=csv")).await.unwrap();
            let mut pieces = start(office.clone(), isp.clone(), export).await.unwrap();
            pieces.recv().await.unwrap().unwrap();
            drop(pieces);
            let (state, rows) = ended(&office, &isp).await;
            assert_eq!(state, "broken");
            assert!(rows < 1100, "{rows}");
        }
    }

    #[tokio::test]
    async fn a_file_that_takes_too_long_breaks_off_and_each_organisation_has_its_share() {
        for (_db, office) in offices().await {
            let office = Arc::new(office);
            let isp = actor(&office, None).await;
            let other = actor(&office, Some(&isp)).await;
            let mut unit = Unit::begin(&office, &isp).await.unwrap();
            for n in 0..1100 {
                let text = "x".repeat(500);
                let body = json!({"name": format!("L{n}"), "kind": "device", "description": text});
                let body = body.to_string();
                let draft = write::parse(LABELS, &[], body.as_bytes(), true).unwrap();
                write::create_in(&mut unit, LABELS, draft).await.unwrap();
            }
            unit.commit().await.unwrap();
            let export =
                async || Export::parse(&office, &isp, LABELS, given("format=csv")).await.unwrap();
            let limit = Duration::from_secs(2);
            let mut pieces =
                within(office.clone(), isp.clone(), export().await, limit).await.unwrap();
            // After it began: so long from here, its time is over.
            let begun = Instant::now();
            let second = start(office.clone(), isp.clone(), export().await).await.unwrap();
            let third = start(office.clone(), isp.clone(), export().await).await;
            assert!(matches!(third, Err(Fault::TooMany(_))), "its share is taken");
            drop(second);
            let theirs = Export::parse(&office, &other, LABELS, given("")).await.unwrap();
            whole(start(office.clone(), other.clone(), theirs).await.unwrap()).await;

            // Until its time is over nobody takes a piece.
            tokio::time::sleep_until(begun + limit).await;
            let (mut octets, mut last) = (0, None);
            while let Some(piece) = pieces.recv().await {
                octets += piece.as_ref().map_or(0, Bytes::len);
                last = Some(piece);
            }
            assert!(last.is_some_and(|piece| piece.is_err()), "it does not look whole");
            assert!(octets < 500_000, "{octets}");
            while ends(&office, &isp).await.iter().any(|(state, _)| state == "running") {
                tokio::task::yield_now().await;
            }
            // The other's, which has no row, came to its end.
            let ends = ends(&office, &isp).await;
            let well = |(state, rows): &(String, i64)| (state == "finished") == (*rows == 0);
            assert!(ends.len() == 3 && ends.iter().all(well), "{ends:?}");
        }
    }

    #[test]
    fn what_was_asked_reads_as_the_same_again() {
        let given = [("phone[contains]", "+49"), ("q", "Smith & Sons = 100%"), ("name", "ü,#?")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(parameters(&query_of(&given)), Ok(given));
    }
}
