//! One change to many records: a job, with a result for each of them.
//!
//! Records are named by their ids or by a list's own filters. A hundred share a transaction;
//! where one of them is refused, they are done again one by one, so that one bad record never
//! keeps the others back. A dry run takes the same road and never commits.

use std::collections::BTreeMap;
use std::time::Duration;

use model::RunId;
use serde_json::{Map, Value as Json, json};
use store::{Args, args};
use uuid::Uuid;

use super::custom::Custom;
use super::query::ListQuery;
use super::registry::LABEL;
use super::{Draft, Entity, Kind as FieldKind, Scope, Verbs, custom, read, registry, write};
use crate::domain::access::permission;
use crate::domain::{Actor, Fault, FieldFault, Input, Office, PAGE_MAX, Page, Unit};
use crate::entity::write::Made;
use crate::jobs::{self, Context, JobError, Kind, Lost, Outcome};
use crate::store::job as sql;

/// Records that one order may name by their ids.
const IDS_MAX: usize = 5_000;
/// Records that one order may change.
const RECORDS_MAX: usize = 100_000;
/// Records that share a transaction.
const TOGETHER: usize = 100;

/// The kind of these jobs.
pub(crate) const BULK: Kind = Kind {
    queue: "transfer",
    retries: 0,
    limit: Duration::from_secs(6 * 3600),
    // What it did is written down record by record; to begin again would do it twice.
    lost: Lost::Fail,
    run: |context| Box::pin(run(context)),
    ..Kind::named("bulk.change", "Change many records")
};

/// What is done to each record.
#[derive(Debug, Clone, PartialEq)]
enum Act {
    Update,
    Delete,
    Restore,
    /// A label is put on it, or taken off.
    Label(Tie, bool),
    /// One of the entity's own actions.
    Own(&'static super::Action),
}

/// What ties labels to the records of an entity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tie {
    /// The path of the entity that does.
    path: &'static str,
    /// Its field that names the record.
    field: &'static str,
}

impl Tie {
    /// Where labels can be put on records of an entity.
    pub(crate) fn of(entity: &Entity) -> Option<Self> {
        let of = |tie: &&'static Entity| {
            let to = |table: &str| {
                let names = |kind| matches!(kind, FieldKind::Reference(_, own) if own == table);
                tie.fields.iter().find(|field| names(field.kind)).map(|field| field.name)
            };
            to(LABEL.table)?;
            Some(Self { path: tie.path, field: to(entity.table)? })
        };
        let mut all = registry::ENTITIES.iter().filter(|_| entity.table != LABEL.table);
        all.find_map(of)
    }

    fn entity(self) -> Result<&'static Entity, Fault> {
        registry::by_path(self.path).ok_or(Fault::NotFound("label"))
    }

    /// What it takes.
    pub(crate) fn permission(self, on: bool) -> Option<&'static str> {
        let tie = registry::by_path(self.path)?;
        permission::named(tie.permission, if on { "create" } else { "delete" })
    }
}

impl Act {
    fn named(entity: &'static Entity, word: &str) -> Option<Self> {
        match word {
            "label" | "unlabel" => Tie::of(entity).map(|tie| Self::Label(tie, word == "label")),
            "update" if entity.verbs.has(Verbs::UPDATE) => Some(Self::Update),
            "delete" if entity.verbs.has(Verbs::DELETE) => Some(Self::Delete),
            "restore" if entity.verbs.has(Verbs::DELETE) => Some(Self::Restore),
            word => {
                let own = entity.actions.iter().filter(|action| action.is_for_many());
                own.into_iter().find(|action| action.name == word).map(Self::Own)
            }
        }
    }

    fn permission(&self, entity: &Entity) -> Option<&'static str> {
        match self {
            Self::Update => permission::named(entity.permission, "edit"),
            Self::Delete | Self::Restore => permission::named(entity.permission, "delete"),
            Self::Label(tie, on) => tie.permission(*on),
            Self::Own(action) => Some(action.permission),
        }
    }
}

/// The words an order's `action` can be.
pub(crate) fn acts(entity: &'static Entity) -> Vec<&'static str> {
    let mut words = Vec::new();
    for (word, verb) in
        [("update", Verbs::UPDATE), ("delete", Verbs::DELETE), ("restore", Verbs::DELETE)]
    {
        if entity.verbs.has(verb) {
            words.push(word);
        }
    }
    if Tie::of(entity).is_some() {
        words.extend(["label", "unlabel"]);
    }
    let own = entity.actions.iter().filter(|action| action.is_for_many());
    words.extend(own.map(|action| action.name));
    words
}

/// Reads an order, checks all of it, and queues its run.
pub(crate) async fn order(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    body: &[u8],
) -> Result<Made, Fault> {
    let customs = custom::of(office, &actor.path, entity).await?;
    let mut input = Input::parse(body)?;
    let word = input.optional_text("action", 40);
    let act = word.as_deref().and_then(|word| Act::named(entity, word));
    match (&word, &act) {
        (None, _) => input.missing("action"),
        (_, None) => input.fault("action", format!("is one of {}", acts(entity).join(", "))),
        _ => {}
    }
    let ids = input.words("ids", IDS_MAX, 100);
    let filter = input.map("filter");
    let set = input.map("set");
    let said = input.map("arguments");
    let label = input.optional_text("label_id", 60);
    let dry_run = input.flag("dry_run").unwrap_or(false);
    if ids.is_some() == filter.is_some() {
        input.fault("ids", "either ids or filter says which records");
    }
    if set.is_some() != (act == Some(Act::Update)) {
        input.fault("set", "goes with the action update, which needs it");
    }
    if label.is_some() != matches!(act, Some(Act::Label(..))) {
        input.fault("label_id", "goes with the actions label and unlabel, which need it");
    }
    if said.is_some() && !matches!(act, Some(Act::Own(_))) {
        input.fault("arguments", "goes with the actions of the records alone");
    }
    input.finish()?;
    let Some(act) = act else { return Err(Fault::field("/action", "is required")) };
    may(actor, entity, &act)?;
    let mut arguments = json!({"entity": entity.name, "action": word, "dry_run": dry_run});
    if let Some(ids) = ids {
        arguments["ids"] = ids;
    }
    if let Some(filter) = filter {
        let query = parse_filter(entity, &customs, &filter)?;
        let seen = query.within(entity, &actor.rights);
        seen.map_err(|fault| below(fault, "/filter/", '?'))?;
        arguments["filter"] = Json::Object(filter);
    }
    if let Some(set) = set {
        let draft = parse_set(entity, &customs, &set)?;
        let seen = draft.within(entity, &actor.rights);
        seen.map_err(|fault| below(fault, "/set/", '/'))?;
        arguments["set"] = Json::Object(set);
    }
    if let Act::Own(action) = &act {
        let said = said.unwrap_or_default();
        parse_said(action, &said)?;
        arguments["arguments"] = Json::Object(said);
    }
    if let Some(label) = label {
        let none = || Fault::field("/label_id", "there is no such record");
        let id = LABEL.id(&label).map_err(|_| none())?;
        read::find(office, actor, &LABEL, id).await.map_err(|fault| match fault {
            Fault::NotFound(_) => none(),
            fault => fault,
        })?;
        arguments["label_id"] = label.into();
    }
    jobs::start(office, actor, &BULK, arguments).await
}

/// Refuses who may not do this to records of an entity.
fn may(actor: &Actor, entity: &'static Entity, act: &Act) -> Result<(), Fault> {
    match act.permission(entity) {
        Some(permission) => actor.rights.require(permission),
        None => Err(Fault::NotFound(entity.name)),
    }
}

/// A list's parameters in a document: texts, numbers and flags.
fn parse_filter(
    entity: &'static Entity,
    customs: &[Custom],
    filter: &Map<String, Json>,
) -> Result<ListQuery, Fault> {
    let mut parameters = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, value) in filter {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(flag) => flag.to_string(),
            _ => {
                let (pointer, detail) = (format!("/filter/{name}"), "must be a text".to_owned());
                faults.push(FieldFault { pointer, detail });
                continue;
            }
        };
        if ["sort", "fields", "limit", "cursor", "page", "total"].contains(&name.as_str()) {
            let (pointer, detail) = (format!("/filter/{name}"), "chooses no records".to_owned());
            faults.push(FieldFault { pointer, detail });
        }
        parameters.insert(name.clone(), text);
    }
    if !faults.is_empty() {
        return Err(Fault::Invalid(faults));
    }
    ListQuery::parse(entity, customs, parameters).map_err(|fault| below(fault, "/filter/", '?'))
}

/// What an update sets. Secrets are for one record at a time: they would stand in the job.
fn parse_set(
    entity: &'static Entity,
    customs: &[Custom],
    set: &Map<String, Json>,
) -> Result<Draft, Fault> {
    for field in entity.all_fields().filter(|field| matches!(field.kind, FieldKind::Secret(_))) {
        if set.contains_key(field.name) {
            let pointer = format!("/set/{}", field.name);
            return Err(Fault::field(pointer, "is set for one record at a time"));
        }
    }
    let draft = Draft::of(entity, customs, set.clone(), false);
    let draft = draft.map_err(|fault| below(fault, "/set/", '/'))?;
    if draft.is_empty() {
        return Err(Fault::field("/set", "sets nothing"));
    }
    Ok(draft)
}

/// What an action is told besides the records.
fn parse_said(action: &super::Action, said: &Map<String, Json>) -> Result<Draft, Fault> {
    let said = Draft::arguments(action.arguments, Input::of_fields(said.clone()));
    said.map_err(|fault| below(fault, "/arguments/", '/'))
}

/// The same fault, of a part of the document.
fn below(fault: Fault, part: &str, mark: char) -> Fault {
    match fault {
        Fault::Invalid(faults) => Fault::Invalid(
            faults
                .into_iter()
                .map(|fault| FieldFault {
                    pointer: format!("{part}{}", fault.pointer.trim_start_matches(mark)),
                    ..fault
                })
                .collect(),
        ),
        other => other,
    }
}

async fn run(context: &Context) -> Result<Outcome, JobError> {
    let arguments = &context.arguments;
    let entity = arguments["entity"].as_str().and_then(registry::by_name);
    let act = entity.and_then(|e| Act::named(e, arguments["action"].as_str().unwrap_or("")));
    let (Some(entity), Some(act)) = (entity, act) else {
        return Err(JobError::failed("this program does not know the records or the action"));
    };
    let actor = context.on_behalf().await?;
    // Asked again: this may be somebody else's order that was run once more, or one whose orderer
    // has lost the right since.
    may(&actor, entity, &act)?;
    let office = &*context.office;
    let customs = custom::of(office, &actor.path, entity).await?;
    let dry_run = arguments["dry_run"].as_bool().unwrap_or(false);
    let set = arguments["set"].as_object().cloned().unwrap_or_default();
    if act == Act::Update {
        parse_set(entity, &customs, &set)?.within(entity, &actor.rights)?;
    }
    let label = arguments["label_id"].as_str().and_then(|id| LABEL.id(id).ok());
    let ids = chosen(context, &actor, entity, &customs, &act).await?;
    let total = ids.len() as u64;
    let said = match &act {
        Act::Own(action) => {
            parse_said(action, &arguments["arguments"].as_object().cloned().unwrap_or_default())?
        }
        _ => Draft::default(),
    };
    let (customs, set, said) = (&customs, &set, &said);
    let (run, actor) = (context.run, &actor);
    let work = Work { office, actor, entity, customs, act, set, said, label, dry_run, run };
    let (mut done, mut failed) = (0_u64, 0_u64);
    for chunk in ids.chunks(TOGETHER) {
        context.check()?;
        failed += work.chunk(done, chunk).await?;
        done += chunk.len() as u64;
        context.progress(done, Some(total));
    }
    let result = json!({"records": total, "changed": total - failed, "failed": failed,
        "dry_run": dry_run});
    Ok(Outcome::by_failures(failed, result))
}

/// The records that an order is about, by the text of their ids.
async fn chosen(
    context: &Context,
    actor: &Actor,
    entity: &'static Entity,
    customs: &[Custom],
    act: &Act,
) -> Result<Vec<String>, JobError> {
    if let Some(ids) = context.arguments["ids"].as_array() {
        return Ok(ids.iter().filter_map(Json::as_str).map(str::to_owned).collect());
    }
    let filter = context.arguments["filter"].as_object().cloned().unwrap_or_default();
    let mut query = parse_filter(entity, customs, &filter)?;
    query.limit = PAGE_MAX;
    query.whole = true;
    query.deleted = *act == Act::Restore;
    let mut ids: Vec<String> = Vec::new();
    loop {
        context.check()?;
        let (rows, _) = read::page(&context.office, actor, entity, &query).await?;
        let mut last = None;
        for row in &rows {
            let id: Uuid = row.get("id")?;
            last = Some(id);
            ids.push(model::id::show(entity.prefix, id));
        }
        if ids.len() > RECORDS_MAX {
            let text = format!("more than {RECORDS_MAX} records; narrow the filter");
            return Err(JobError::failed(text));
        }
        match last.filter(|_| rows.len() as i64 == query.limit) {
            Some(id) => query.after = Some((Vec::new(), id)),
            None => return Ok(ids),
        }
    }
}

struct Work<'a> {
    office: &'a Office,
    actor: &'a Actor,
    entity: &'static Entity,
    customs: &'a [Custom],
    act: Act,
    set: &'a Map<String, Json>,
    /// The arguments of the entity's own action.
    said: &'a Draft,
    label: Option<Uuid>,
    dry_run: bool,
    run: RunId,
}

impl Work<'_> {
    /// Changes some records together; where one is refused, each by itself. How many were
    /// refused; the first of them is number `before` + 1.
    async fn chunk(&self, before: u64, ids: &[String]) -> Result<u64, JobError> {
        let mut unit = Unit::begin(self.office, self.actor).await?;
        let mut refused = false;
        for id in ids {
            if let Err(fault) = self.one(&mut unit, id).await {
                fatal(fault)?;
                refused = true;
                break;
            }
        }
        if !refused {
            let good = ids.iter().map(String::as_str).zip(std::iter::repeat(None));
            self.end(unit, self.results(before, good)).await?;
            return Ok(0);
        }
        drop(unit);
        let mut failed = 0;
        for (number, id) in (before..).zip(ids) {
            let mut unit = Unit::begin(self.office, self.actor).await?;
            let result = match self.one(&mut unit, id).await {
                Ok(()) => self.end(unit, self.results(number, [(id.as_str(), None)])).await,
                // The transaction may have lost a statement, or done half of it.
                Err(fault) => {
                    drop(unit);
                    Err(fault)
                }
            };
            if let Err(fault) = result {
                let detail = fatal(fault)?;
                let result = self.results(number, [(id.as_str(), Some(detail))]);
                self.office.db.execute(&sql::INSERT_RESULTS, result).await?;
                failed += 1;
            }
        }
        Ok(failed)
    }

    /// Ends a transaction that did what it should. What became of its records is written in it,
    /// so that what was changed is never missing among the results; a dry run keeps nothing else.
    async fn end(&self, mut unit: Unit<'_>, results: Args) -> Result<(), Fault> {
        if self.dry_run {
            drop(unit);
            self.office.db.execute(&sql::INSERT_RESULTS, results).await?;
            return Ok(());
        }
        unit.execute(&sql::INSERT_RESULTS, results).await?;
        unit.commit().await
    }

    /// What became of some records, the first of them being number `before` + 1; with a text, why
    /// one was refused.
    fn results<'a>(
        &self,
        before: u64,
        records: impl IntoIterator<Item = (&'a str, Option<String>)>,
    ) -> Args {
        let good = if self.dry_run { "would_change" } else { "changed" };
        let row = |(number, (id, detail)): (u64, (&str, Option<String>))| match detail {
            None => json!([number, id, good, null]),
            Some(detail) => json!([number, id, "failed", detail]),
        };
        let rows: Vec<Json> = (before + 1..).zip(records).map(row).collect();
        args![self.run, Json::from(rows)]
    }

    async fn one(&self, unit: &mut Unit<'_>, id: &str) -> Result<(), Fault> {
        let entity = self.entity;
        let id = entity.id(id)?;
        match &self.act {
            Act::Update => {
                let draft = Draft::of(entity, self.customs, self.set.clone(), false)?;
                write::update_in(unit, entity, id, draft, None).await.map(drop)
            }
            Act::Delete => write::delete_in(unit, entity, id, None).await.map(drop),
            Act::Restore => write::restore_in(unit, entity, id).await.map(drop),
            Act::Label(tie, on) => {
                let label = self.label.ok_or(Fault::NotFound("label"))?;
                self.tie(unit, *tie, id, label, *on).await
            }
            Act::Own(action) => (action.run)(unit, id, None, self.said).await,
        }
    }

    /// Puts a label on a record, or takes it off; where that is so already, nothing is done.
    async fn tie(
        &self,
        unit: &mut Unit<'_>,
        tie: Tie,
        id: Uuid,
        label: Uuid,
        on: bool,
    ) -> Result<(), Fault> {
        write::load(unit, self.entity, id, false).await?;
        let entity = tie.entity()?;
        let sql = format!(
            "SELECT id FROM {} WHERE {} AND {} = $2 AND label_id = $3 AND deleted_at IS NULL",
            entity.table,
            Scope::WRITABLE,
            tie.field
        );
        let there = unit.dynamic_all(&sql, args![unit.actor.path.as_str(), id, label]).await?;
        match (there.first(), on) {
            (None, true) => {
                let document = Map::from_iter([
                    (tie.field.to_owned(), model::id::show(self.entity.prefix, id).into()),
                    ("label_id".to_owned(), model::id::show(LABEL.prefix, label).into()),
                ]);
                let draft = Draft::of(entity, &[], document, true)?;
                write::create_in(unit, entity, draft).await.map(drop)
            }
            (Some(row), false) => {
                write::delete_in(unit, entity, row.get("id")?, None).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with one record, in words; what is wrong with more than that ends the run.
fn fatal(fault: Fault) -> Result<String, JobError> {
    match fault {
        Fault::Unavailable(_) | Fault::Internal(_) => Err(fault.into()),
        Fault::Invalid(faults) => {
            let texts = faults.iter().map(|f| format!("{} {}", f.pointer, f.detail));
            Ok(texts.collect::<Vec<_>>().join("; "))
        }
        other => Ok(other.to_string()),
    }
}

/// What became of a run's records, or of those that failed, behind a number; the cursor is the
/// last one's number.
pub(crate) async fn results(
    office: &Office,
    actor: &Actor,
    run: RunId,
    failed: bool,
    after: i64,
    limit: i64,
) -> Result<Page<Json>, Fault> {
    let found = args![actor.path.as_str(), run];
    office.db.fetch_optional(&sql::FIND_RUN, found).await?.ok_or(Fault::NotFound("job_run"))?;
    let args = args![actor.path.as_str(), run, after, limit + 1];
    let statement = if failed { &sql::LIST_FAILED } else { &sql::LIST_RESULTS };
    let rows = office.db.fetch_all(statement, args).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let (seq, id): (i64, String) = (row.get("seq")?, row.get("record_id")?);
        let (outcome, detail): (String, Option<String>) = (row.get("outcome")?, row.get("detail")?);
        views.push(json!({"seq": seq, "id": id, "outcome": outcome, "detail": detail}));
    }
    Ok(Page::of(views, limit, |view| view["seq"].to_string()))
}
