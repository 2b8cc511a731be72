//! Rows to records.
//!
//! A batch of rows is one transaction: records, audit entries, events, what became of each row,
//! and how far the import is. So an import that was interrupted goes on where it stopped, and no
//! row is taken twice, whoever goes on. The place where it stands is also the fence: of two that
//! run the same import, the second changes nothing.
//!
//! A row that the database refuses spoils its batch. The batch is tried again in halves until
//! the row is alone, so a few bad rows cost little and many cost as much as one at a time.
//!
//! A dry run does the same and gives each transaction up. It compares every row with what is
//! there, and with the rows before it by what it remembers of them ([`trial`](super::trial)).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use store::{Row, StoreError, args};
use uuid::Uuid;

use super::mapping::{Empty, Existing, document};
use super::rows::{self, FileRow};
use super::trial::{self, Trial};
use super::{FIND, IMPORT, Import, KEPT_S, find, record};
use crate::domain::setting::registry::UNDO_WINDOW;
use crate::domain::{Actor, Fault, FieldFault, Office, Rows, Unit, Who, rows_at_once, setting};
use crate::entity::custom::{self, Custom};
use crate::entity::{Draft, Entity, Flags, Kind, Scope, batch, read, registry, write};
use crate::jobs::{Kind as JobKind, enqueue};
use crate::mail::letters;

/// Rows of a transaction.
pub(super) const ROWS_AT_ONCE: usize = 500;
/// What becomes of the first rows is kept by a dry run too, for the preview beside them.
pub(crate) const SHOWN_ROWS: u64 = 20;

store::statements! {
    /// A run, or a dry one, begins with nothing done.
    pub(crate) START = "UPDATE data_import SET state = $3, done_row = 0, created_count = 0,
            updated_count = 0, skipped_count = 0, failed_count = 0, problem = NULL,
            updated_at = $4, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND version = $5";
    /// How far it is now.
    pub(crate) ADVANCE = "UPDATE data_import SET done_row = $4, created_count = created_count + $5,
            updated_count = updated_count + $6, skipped_count = skipped_count + $7,
            failed_count = failed_count + $8, updated_at = $9
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND done_row = $3 AND state = $10";
    /// It is over.
    pub(crate) FINISH = "UPDATE data_import SET state = $3, problem = $4, finished_at = $5,
            undo_until = $6, purge_at = $7, updated_at = $5, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND state = $8";
}

/// What is told of a run while it is under way, and what it is told.
pub(crate) trait Watch: Sync {
    /// How far it is: row of the file, rows that were taken.
    fn progress(&self, rows: u64);
    /// Whether it should stop; it can go on later.
    fn stop(&self) -> bool;
}

/// Nobody looks.
#[allow(dead_code, reason = "imports without a job are for tests")]
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn progress(&self, _: u64) {}

    fn stop(&self) -> bool {
        false
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Created,
    Updated,
    Skipped,
    Failed,
}

impl Became {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug)]
struct Outcome {
    number: u64,
    became: Became,
    record: Option<(Uuid, i64)>,
    /// The values that an update replaced.
    before: Option<Json>,
    faults: Option<Json>,
}

impl Outcome {
    fn failed(number: u64, faults: Vec<FieldFault>) -> Self {
        let faults = Some(listed(faults));
        Self { number, became: Became::Failed, record: None, before: None, faults }
    }

    fn of(number: u64, became: Became, record: Option<(Uuid, i64)>) -> Self {
        Self { number, became, record, before: None, faults: None }
    }
}

/// A row as the API would be given it.
struct Ready {
    number: u64,
    document: Map<String, Json>,
    /// By what it is known to be there.
    key: Option<String>,
}

/// Runs an import that [`begin`] has begun; `dry`: without effect.
pub(crate) async fn run(
    office: &Arc<Office>,
    actor: &Actor,
    import: Import,
    dry: bool,
    watch: &dyn Watch,
) -> Result<(), Fault> {
    let customs = custom::of(office, &actor.path, import.entity).await?;
    let mut work = Work {
        office,
        actor,
        customs,
        done_row: import.done_row,
        import,
        dry,
        trial: Trial::default(),
    };
    let mut rows =
        rows::open(office.clone(), &work.import, work.done_row.unsigned_abs(), ROWS_AT_ONCE);
    let mut taken = 0;
    loop {
        let batch = match rows.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(Fault::Invalid(faults)) => {
                let problem = faults.into_iter().map(|fault| fault.detail).next();
                return finish(office, actor, &work.import, "broken", problem, dry).await;
            }
            Err(fault) => return Err(fault),
        };
        taken += batch.len() as u64;
        work.take(batch).await?;
        watch.progress(taken);
        if watch.stop() {
            return Ok(());
        }
    }
    let state = if dry { "checked" } else { "finished" };
    finish(office, actor, &work.import, state, None, dry).await
}

/// The state an import has while it runs.
pub(super) fn running(dry: bool) -> &'static str {
    if dry { "checking" } else { "running" }
}

/// Begins, or finds where one that was interrupted goes on. What can be refused is refused
/// here. `queue`: the job that does the rest, queued in the same transaction.
pub(crate) async fn begin(
    office: &Office,
    actor: &Actor,
    id: Uuid,
    dry: bool,
    queue: Option<&JobKind>,
) -> Result<Import, Fault> {
    let import = find(office, actor, id).await?;
    let goes_on = import.state == running(dry);
    if !goes_on {
        import.must_be(&["ready", "checking", "checked"])?;
    } else if queue.is_none() {
        return Ok(import);
    }
    let mut unit = Unit::begin(office, actor).await?;
    let path = actor.path.as_str();
    if !goes_on {
        let args = args![path, id, running(dry), unit.now, import.version];
        if unit.execute(&START, args).await? == 0 {
            return Err(Fault::Stale);
        }
        unit.execute(&super::PURGE_ROWS, args![id]).await?;
        let row = unit.fetch_one(&FIND, args![path, id]).await?;
        record(&mut unit, if dry { "import.checking" } else { "import.started" }, &row).await?;
    }
    if let Some(kind) = queue {
        let arguments = json!({"import": model::id::show(IMPORT.prefix, id)});
        enqueue(&mut unit, kind, import.organisation, arguments).await?;
    }
    let row = unit.fetch_one(&FIND, args![path, id]).await?;
    unit.answers(202, read::shown(&IMPORT, &row, &[])?);
    unit.commit().await?;
    find(office, actor, id).await
}

async fn finish(
    office: &Office,
    actor: &Actor,
    import: &Import,
    state: &str,
    problem: Option<String>,
    dry: bool,
) -> Result<(), Fault> {
    let layers = setting::of(office, import.organisation).await?;
    let window_s = layers.integer(&UNDO_WINDOW) * 3600;
    let mut unit = Unit::begin(office, actor).await?;
    let (undo_until, purge_at) = match dry {
        true => (None, import.purge_at),
        false => {
            let kept_s = window_s.max(KEPT_S);
            (Some(unit.now.plus_seconds(window_s)), unit.now.plus_seconds(kept_s))
        }
    };
    let path = actor.path.as_str();
    let args = args![path, import.id, state, problem, unit.now, undo_until, purge_at, running(dry)];
    if unit.execute(&FINISH, args).await? == 0 {
        return Err(Fault::Stale);
    }
    let row = unit.fetch_one(&FIND, args![path, import.id]).await?;
    record(&mut unit, &format!("import.{state}"), &row).await?;
    if let (Who::Staff(staff), false) = (actor.who, dry) {
        let id = model::id::show(super::IMPORT.prefix, import.id);
        let count = |name: &str| row.get::<i64>(name);
        let counts = [
            count("created_count")?,
            count("updated_count")?,
            count("skipped_count")?,
            count("failed_count")?,
        ];
        let file: String = row.get("name")?;
        letters::import_finished(&mut unit, staff, &id, &file, counts).await?;
    }
    unit.commit().await
}

struct Work<'a> {
    office: &'a Office,
    actor: &'a Actor,
    import: Import,
    customs: Vec<Custom>,
    dry: bool,
    /// The last row that is done.
    done_row: i64,
    /// What a dry run remembers.
    trial: Trial,
}

/// Why rows were not taken.
enum Refused {
    /// One of them is at fault.
    Row(Fault),
    /// The row at this place has the key of one before it: they cannot be in one batch.
    Again(usize),
    /// None of them is.
    Other(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(_) | Fault::Internal(_) | Fault::TooMany(_) => Self::Other(fault),
            fault => Self::Row(fault),
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Fault::from(error).into()
    }
}

impl Work<'_> {
    async fn take(&mut self, batch: Vec<FileRow>) -> Result<(), Fault> {
        let mut ready = Vec::with_capacity(batch.len());
        for row in batch {
            let item = match row.cells {
                Ok(cells) => {
                    let document = document(&self.import, &self.customs, &cells);
                    let key = self.key(&document);
                    Ok(Ready { number: row.number, document, key })
                }
                Err(fault) => {
                    let pointer = fault.column.unwrap_or_default();
                    let fault = FieldFault { pointer: format!("/{pointer}"), detail: fault.detail };
                    Err(Outcome::failed(row.number, vec![fault]))
                }
            };
            ready.push(item);
        }
        // Parts that are still to be taken, the next one last.
        let mut parts = vec![ready];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.attempt(&part).await {
                Ok(()) => {}
                Err(Refused::Other(fault)) => return Err(fault),
                Err(Refused::Again(at)) => {
                    let rest = part.split_off(at.max(1));
                    parts.extend([rest, part]);
                }
                Err(Refused::Row(fault)) if part.len() == 1 => {
                    let number = number(&part[0]);
                    self.settle(vec![Outcome::failed(number, faults(fault))]).await?;
                }
                Err(Refused::Row(_)) => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
            }
        }
        Ok(())
    }

    /// What says that a record is there already.
    fn key(&self, document: &Map<String, Json>) -> Option<String> {
        let target = self.import.options.match_by.as_deref()?;
        let text = document.get(target)?.as_str()?.to_owned();
        match target {
            "external_id" => {
                Some(format!("{}\n{text}", document.get("external_source")?.as_str()?))
            }
            _ => Some(text),
        }
    }

    /// Takes rows in one transaction.
    async fn attempt(&mut self, part: &[Result<Ready, Outcome>]) -> Result<(), Refused> {
        let entity = self.import.entity;
        let mut keys = HashSet::new();
        for (at, row) in part.iter().enumerate() {
            let key = row.as_ref().ok().and_then(|row| row.key.as_deref());
            if key.is_some_and(|key| !keys.insert(key)) {
                return Err(Refused::Again(at));
            }
        }
        let mut unit = Unit::begin(self.office, self.actor).await?;
        let named = self.named(&mut unit, part).await?;
        let there = self.there(&mut unit, part).await?;
        let documents = part.iter().filter_map(|row| row.as_ref().ok()).map(|row| &row.document);
        let addresses = match self.dry {
            true => trial::there(&mut unit, entity, documents).await?,
            false => trial::Addresses::new(),
        };
        let mut outcomes = Vec::with_capacity(part.len());
        let mut creates = Vec::new();
        let mut keys_made = HashMap::new();
        for row in part {
            let row = match row {
                Ok(row) => row,
                Err(outcome) => {
                    let faults = outcome.faults.clone();
                    outcomes.push(Outcome {
                        faults,
                        ..Outcome::of(outcome.number, Became::Failed, None)
                    });
                    continue;
                }
            };
            let mut document = row.document.clone();
            let known = row.key.as_ref().and_then(|key| there.get(key));
            let wrong = resolve(entity, &named, &mut document);
            if !wrong.is_empty() {
                let is_new = known.is_none_or(Vec::is_empty);
                let all = self.also_wrong(wrong, document, is_new);
                outcomes.push(Outcome::failed(row.number, all));
                continue;
            }
            match known.map(Vec::as_slice) {
                None | Some([])
                    if self.import.options.match_by.as_deref() == Some("id")
                        && row.key.is_some() =>
                {
                    let detail = format!("there is no such {}", entity.name);
                    let fault = FieldFault { pointer: "/id".to_owned(), detail };
                    outcomes.push(Outcome::failed(row.number, vec![fault]));
                }
                None | Some([]) => {
                    let key = row.key.as_deref().filter(|_| self.dry);
                    if key.is_some_and(|key| self.trial.has_seen(key)) {
                        // By now a run would have created it.
                        outcomes.push(Outcome::of(row.number, self.again(), None));
                        continue;
                    }
                    if let Some(key) = key {
                        keys_made.insert(row.number, key);
                    }
                    document.remove("id");
                    document.retain(|_, value| !value.is_null());
                    match Draft::of(entity, &self.customs, document, true) {
                        Ok(draft) => creates.push((row.number, draft)),
                        Err(fault) => outcomes.push(Outcome::failed(row.number, faults(fault))),
                    }
                }
                Some([before]) => {
                    let meeting = self.meet(&mut unit, row.number, before, document, &addresses);
                    outcomes.push(meeting.await?);
                }
                Some(_) => {
                    let target = self.import.options.match_by.as_deref().unwrap_or_default();
                    let detail = format!("more than one {} has this", entity.name);
                    let fault = FieldFault { pointer: format!("/{target}"), detail };
                    outcomes.push(Outcome::failed(row.number, vec![fault]));
                }
            }
        }
        let (numbers, drafts): (Vec<u64>, Vec<Draft>) = creates.into_iter().unzip();
        let created = batch::create_in(&mut unit, entity, drafts).await?;
        for (number, made) in numbers.into_iter().zip(created) {
            if !self.dry {
                outcomes.push(Outcome::of(number, Became::Created, Some((made.id, made.version))));
                continue;
            }
            let view = read::shown(entity, &made.row, &[])?;
            let outcome = self.judge(Outcome::of(number, Became::Created, None), &view, &addresses);
            if let Some(key) = keys_made.get(&number).filter(|_| outcome.became != Became::Failed) {
                self.trial.saw(key);
            }
            outcomes.push(outcome);
        }
        outcomes.sort_by_key(|outcome| outcome.number);
        if self.dry {
            // Given up: only what became of the rows is kept.
            drop(unit);
            self.settle(outcomes).await?;
        } else {
            self.keep(&mut unit, &outcomes).await?;
            let last = outcomes.last().map_or(self.done_row, |outcome| outcome.number as i64);
            unit.commit().await?;
            self.done_row = last;
        }
        Ok(())
    }

    /// What a record that is there already becomes.
    fn again(&self) -> Became {
        match self.import.options.existing {
            Existing::Update => Became::Updated,
            Existing::Skip => Became::Skipped,
        }
    }

    /// In a dry run: a row that would be taken, seen beside the rows before it.
    fn judge(&mut self, outcome: Outcome, view: &Json, there: &trial::Addresses) -> Outcome {
        let (entity, number) = (self.import.entity, outcome.number);
        let record = outcome.record.map(|(id, _)| id);
        if let Some(fault) = self.trial.claim(entity, number, record, view) {
            return Outcome::failed(number, vec![fault]);
        }
        let worth = self.trial.look(entity, number, record, view, there);
        Outcome { faults: (!worth.is_empty()).then(|| listed(worth)), ..outcome }
    }

    /// What else is wrong with a row whose references lead nowhere: all of it is told at once.
    fn also_wrong(
        &self,
        mut wrong: Vec<FieldFault>,
        mut document: Map<String, Json>,
        is_new: bool,
    ) -> Vec<FieldFault> {
        document.remove("id");
        if is_new {
            document.retain(|_, value| !value.is_null());
        }
        let draft = Draft::of(self.import.entity, &self.customs, document, is_new);
        let more = draft.err().map(faults).unwrap_or_default();
        let told = |fault: &FieldFault| wrong.iter().any(|own| own.pointer == fault.pointer);
        let more: Vec<FieldFault> = more.into_iter().filter(|fault| !told(fault)).collect();
        wrong.extend(more);
        wrong
    }

    /// A row whose record is there.
    async fn meet(
        &mut self,
        unit: &mut Unit<'_>,
        number: u64,
        before: &Row,
        mut document: Map<String, Json>,
        addresses: &trial::Addresses,
    ) -> Result<Outcome, Refused> {
        let entity = self.import.entity;
        let id: Uuid = before.get("id")?;
        if self.import.options.existing == Existing::Skip {
            return Ok(Outcome::of(number, Became::Skipped, None));
        }
        let shown = read::shown(entity, before, &[])?;
        document.remove("id");
        document.remove("organisation_id");
        let once = |name: &str| entity.field(name).is_some_and(|f| f.flags.has(Flags::ONCE));
        let required =
            |name: &str| entity.field(name).is_some_and(|f| f.flags.has(Flags::REQUIRED));
        document.retain(|name, value| {
            let same = shown.get(name) == Some(value);
            let cannot_empty =
                value.is_null() && (required(name) || self.import.options.empty == Empty::Keep);
            !same && !once(name) && !cannot_empty
        });
        if let Some(Json::Object(custom)) = document.get_mut("custom") {
            custom.retain(|key, value| shown["custom"].get(key).unwrap_or(&Json::Null) != value);
            if custom.is_empty() {
                document.remove("custom");
            }
        }
        if document.is_empty() {
            return Ok(Outcome::of(number, Became::Skipped, None));
        }
        let replaced = replaced(entity, &shown, &document);
        let draft = match Draft::of(entity, &self.customs, document, false) {
            Ok(draft) => draft,
            Err(fault) => return Ok(Outcome::failed(number, faults(fault))),
        };
        let version = before.get("version")?;
        let made = write::update_in(unit, entity, id, draft, Some(version)).await?;
        let record = Some((id, made.version));
        let outcome = Outcome::of(number, Became::Updated, record);
        let outcome = Outcome { before: Some(replaced), ..outcome };
        Ok(if self.dry { self.judge(outcome, &made.view, addresses) } else { outcome })
    }

    /// The records that are there, by key.
    async fn there(
        &self,
        unit: &mut Unit<'_>,
        part: &[Result<Ready, Outcome>],
    ) -> Result<HashMap<String, Vec<Row>>, Refused> {
        let entity = self.import.entity;
        let mut there: HashMap<String, Vec<Row>> = HashMap::new();
        let Some(target) = self.import.options.match_by.as_deref() else { return Ok(there) };
        let keys = || part.iter().filter_map(|row| row.as_ref().ok()?.key.as_deref());
        if target == "id" {
            let ids: Vec<Uuid> = keys().filter_map(|key| entity.id(key).ok()).collect();
            if ids.is_empty() {
                return Ok(there);
            }
            let sql = format!(
                "SELECT * FROM {} WHERE {} AND deleted_at IS NULL AND {}",
                entity.table,
                Scope::WRITABLE,
                store::any_of(self.office.db.engine(), "id", 2)
            );
            let args = args![unit.actor.path.as_str(), store::Value::Uuids(ids)];
            for row in unit.dynamic_all(&sql, args).await? {
                let id: Uuid = row.get("id")?;
                there.entry(model::id::show(entity.prefix, id)).or_default().push(row);
            }
            return Ok(there);
        }
        let texts: BTreeSet<String> =
            keys().map(|key| key.rsplit('\n').next().unwrap_or(key).to_owned()).collect();
        if texts.is_empty() {
            return Ok(there);
        }
        let rows = batch::by_texts(unit, entity, Scope::WRITABLE, target, &texts).await?;
        for row in rows {
            let text: String = row.get(target)?;
            let key = match target {
                "external_id" => format!("{}\n{text}", row.get::<String>("external_source")?),
                _ => text,
            };
            there.entry(key).or_default().push(row);
        }
        Ok(there)
    }

    /// The records that rows refer to by name: by field and name.
    async fn named(
        &self,
        unit: &mut Unit<'_>,
        part: &[Result<Ready, Outcome>],
    ) -> Result<Named, Refused> {
        let mut named = Named::new();
        for field in self.import.entity.all_fields() {
            let Kind::Reference(prefix, table) = field.kind else { continue };
            let Some(other) = registry::by_table(table) else { continue };
            let mut names = BTreeSet::new();
            for row in part.iter().filter_map(|row| row.as_ref().ok()) {
                if let Some(Json::String(text)) = row.document.get(field.name)
                    && model::id::parse(prefix, text).is_err()
                {
                    names.insert(text.clone());
                }
            }
            if names.is_empty() {
                continue;
            }
            let title = other.field(other.title).filter(|f| matches!(f.kind, Kind::Text(_)));
            let columns = title.map(|f| f.name).into_iter();
            let external = other.base.then_some("external_id");
            for column in columns.chain(external) {
                for row in
                    batch::by_texts(unit, other, other.scope.readable(), column, &names).await?
                {
                    let (id, text): (Uuid, String) = (row.get("id")?, row.get(column)?);
                    let ids: &mut BTreeSet<Uuid> = named.entry((field.name, text)).or_default();
                    ids.insert(id);
                }
            }
        }
        Ok(named)
    }

    /// Keeps what became of rows that changed nothing.
    async fn settle(&mut self, outcomes: Vec<Outcome>) -> Result<(), Fault> {
        let Some(last) = outcomes.last().map(|outcome| outcome.number as i64) else {
            return Ok(());
        };
        let mut unit = Unit::begin(self.office, self.actor).await?;
        self.keep(&mut unit, &outcomes).await?;
        unit.commit().await?;
        self.done_row = last;
        Ok(())
    }

    /// Writes what became of rows, and how far the import is.
    async fn keep(&self, unit: &mut Unit<'_>, outcomes: &[Outcome]) -> Result<(), Fault> {
        let count = |became| outcomes.iter().filter(|o| o.became == became).count() as i64;
        let last = outcomes.last().map_or(self.done_row, |outcome| outcome.number as i64);
        let args = args![
            unit.actor.path.as_str(),
            self.import.id,
            self.done_row,
            last,
            count(Became::Created),
            count(Became::Updated),
            count(Became::Skipped),
            count(Became::Failed),
            unit.now,
            running(self.dry)
        ];
        if unit.execute(&ADVANCE, args).await? == 0 {
            // Somebody else goes on with it.
            return Err(Fault::Conflict {
                pointer: "/state",
                detail: "this import is run elsewhere".to_owned(),
            });
        }
        // A dry run keeps what is wrong or worth a look, and the first rows: there is nothing to
        // undo.
        let kept = |outcome: &&Outcome| {
            !self.dry || outcome.faults.is_some() || outcome.number <= SHOWN_ROWS
        };
        let kept: Vec<&Outcome> = outcomes.iter().filter(kept).collect();
        for some in kept.chunks(rows_at_once(self.office.db.engine(), 7)) {
            let mut rows = Rows::new();
            for outcome in some {
                rows.push(args![
                    self.import.id,
                    outcome.number as i64,
                    outcome.became.word(),
                    outcome.record.map(|(id, _)| id),
                    outcome.record.map(|(_, version)| version),
                    outcome.before.clone(),
                    outcome.faults.clone()
                ]);
            }
            let into = "import_row
                (import_id, row_number, outcome, record_id, record_version, before, faults)";
            let (sql, args) = rows.into_sql(into);
            unit.dynamic_all(&sql, args).await?;
        }
        Ok(())
    }
}

/// Records by the field that names them and the name.
type Named = BTreeMap<(&'static str, String), BTreeSet<Uuid>>;

/// Puts ids where names are; what names nothing is taken out and told.
fn resolve(entity: &Entity, named: &Named, document: &mut Map<String, Json>) -> Vec<FieldFault> {
    let mut wrong = Vec::new();
    for field in entity.all_fields() {
        let Kind::Reference(prefix, _) = field.kind else { continue };
        let Some(Json::String(text)) = document.get(field.name) else { continue };
        if model::id::parse(prefix, text).is_ok() {
            continue;
        }
        let pointer = format!("/{}", field.name);
        let ids = named.get(&(field.name, text.clone()));
        let mut ids = ids.into_iter().flatten();
        match (ids.next(), ids.next()) {
            (Some(id), None) => {
                let id = json!(model::id::show(prefix, *id));
                document.insert(field.name.to_owned(), id);
            }
            (None, _) => {
                let detail = format!("there is no record called \"{text}\"");
                wrong.push(FieldFault { pointer, detail });
                document.remove(field.name);
            }
            (Some(_), Some(_)) => {
                let detail = format!("more than one record is called \"{text}\"; use its id");
                wrong.push(FieldFault { pointer, detail });
                document.remove(field.name);
            }
        }
    }
    wrong
}

/// The values that an update replaces, as the API would be given them.
fn replaced(entity: &Entity, shown: &Json, document: &Map<String, Json>) -> Json {
    let mut before = Map::new();
    for (name, value) in document {
        let secret = entity.field(name).is_some_and(|f| matches!(f.kind, Kind::Secret(_)));
        match (name.as_str(), value) {
            // What is never shown cannot be put back.
            _ if secret => {}
            ("custom", Json::Object(given)) => {
                let old = |key: &String| {
                    (key.clone(), shown["custom"].get(key).cloned().unwrap_or(Json::Null))
                };
                before.insert(name.clone(), given.keys().map(old).collect::<Map<_, _>>().into());
            }
            _ => {
                before.insert(name.clone(), shown.get(name).cloned().unwrap_or(Json::Null));
            }
        }
    }
    Json::Object(before)
}

fn number(row: &Result<Ready, Outcome>) -> u64 {
    match row {
        Ok(row) => row.number,
        Err(outcome) => outcome.number,
    }
}

/// What a fault says of a row's fields.
fn faults(fault: Fault) -> Vec<FieldFault> {
    match fault {
        Fault::Invalid(faults) => faults,
        Fault::Conflict { pointer, detail } => {
            vec![FieldFault { pointer: pointer.to_owned(), detail }]
        }
        fault => vec![FieldFault { pointer: String::new(), detail: fault.to_string() }],
    }
}

/// Faults as they are kept.
fn listed(faults: Vec<FieldFault>) -> Json {
    let shown = |fault: FieldFault| json!({"pointer": fault.pointer, "detail": fault.detail});
    faults.into_iter().map(shown).collect()
}
