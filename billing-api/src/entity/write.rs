//! JSON becomes rows, audit entry and event, in one unit of work.

use serde_json::Value as Json;
use store::{Args, Row, StoreError, Value};
use uuid::Uuid;

use super::read::{WRITABLE, shown};
use super::{Draft, Entity, Field, Flags, Kind};
use crate::domain::{Actor, Event, Fault, Input, Office, Unit};

/// Reads a body. `all`: a creation, where required fields must be there.
pub(crate) fn parse(entity: &'static Entity, body: &[u8], all: bool) -> Result<Draft, Fault> {
    let mut input = Input::parse(body)?;
    let mut draft = Draft(Vec::new());
    for field in entity.all_fields().filter(|field| field.flags.has(Flags::WRITABLE)) {
        let named = input.names(field.name);
        let required = field.flags.has(Flags::REQUIRED);
        let value = take(&mut input, field);
        if let Some(value) = value {
            draft.0.push((field, value));
        } else if required && (all || named) {
            input.missing(field.name);
        } else if named && !required {
            draft.0.push((field, empty(field.kind)));
        }
    }
    (entity.hooks.check)(&draft, &mut input);
    input.finish()?;
    Ok(draft)
}

fn take(input: &mut Input, field: &'static Field) -> Option<Value> {
    match field.kind {
        Kind::Text(max) => input.optional_text(field.name, max).map(|text| Value::Text(Some(text))),
        Kind::Integer(min, max) => {
            input.number(field.name, min, max).map(|number| Value::Int(Some(number)))
        }
        Kind::Flag => input.flag(field.name).map(|flag| Value::Bool(Some(flag))),
        Kind::Time => input.parsed(field.name).map(|at| Value::Time(Some(at))),
        Kind::Choice(words) => {
            let word = input.optional_text(field.name, 100)?;
            if !words.contains(&word.as_str()) {
                input.fault(field.name, format!("is one of {}", words.join(", ")));
            }
            Some(Value::Text(Some(word)))
        }
        Kind::Reference(prefix, _) => {
            let text = input.optional_text(field.name, 100)?;
            match model::id::parse(prefix, &text) {
                Ok(id) => Some(Value::Uuid(Some(id))),
                Err(error) => {
                    input.fault(field.name, error.to_string());
                    None
                }
            }
        }
    }
}

/// NULL, of the type of the column.
fn empty(kind: Kind) -> Value {
    match kind {
        Kind::Text(_) | Kind::Choice(_) => Value::Text(None),
        Kind::Integer(..) => Value::Int(None),
        Kind::Flag => Value::Bool(None),
        Kind::Time => Value::Time(None),
        Kind::Reference(..) => Value::Uuid(None),
    }
}

/// Creates a record in the actor's organisation.
pub(crate) async fn create(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    draft: Draft,
) -> Result<(Json, i64), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    check_references(&mut unit, actor, &draft).await?;
    let id = Uuid::now_v7();
    let mut args = Args::new();
    let mut columns = vec!["id", "organisation_id"];
    args.push(id);
    args.push(actor.organisation);
    for (field, value) in draft.0 {
        columns.push(field.name);
        args.push(value);
    }
    for (column, value) in [
        ("created_at", Value::Time(Some(unit.now))),
        ("created_by", Value::Text(Some(actor.label()))),
        ("updated_at", Value::Time(Some(unit.now))),
        ("updated_by", Value::Text(Some(actor.label()))),
    ] {
        columns.push(column);
        args.push(value);
    }
    let numbers: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}) RETURNING *",
        entity.table,
        columns.join(", "),
        numbers.join(", ")
    );
    let row = one(entity, unit.dynamic_all(&sql, args).await)?;
    finish(unit, entity, "created", id, &row, None).await
}

/// A record that another one names must be one the caller can read: naming somebody else's
/// would tell that it is there.
async fn check_references(unit: &mut Unit<'_>, actor: &Actor, draft: &Draft) -> Result<(), Fault> {
    for (field, value) in &draft.0 {
        let (Kind::Reference(_, table), Value::Uuid(Some(id))) = (field.kind, value) else {
            continue;
        };
        let mut args = Args::new();
        args.push(actor.path.as_str());
        args.push(*id);
        let sql = format!(
            "SELECT 1 AS found FROM {table} WHERE {WRITABLE} AND id = $2 AND deleted_at IS NULL"
        );
        if unit.dynamic_all(&sql, args).await?.is_empty() {
            return Err(Fault::field(format!("/{}", field.name), "there is no such record"));
        }
    }
    Ok(())
}

/// Changes a record. `expected`: the version the caller saw, where it says so.
pub(crate) async fn update(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    id: Uuid,
    draft: Draft,
    expected: Option<i64>,
) -> Result<(Json, i64), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = load(&mut unit, actor, entity, id, false).await?;
    let version: i64 = before.get("version")?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Fault::Stale);
    }
    check_references(&mut unit, actor, &draft).await?;
    let mut changes = Changes::begin(actor, id, version, unit.now);
    for (field, value) in draft.0 {
        changes.set(field.name, value);
    }
    let (sql, args) = changes.sql(entity, "deleted_at IS NULL");
    let row = changed(entity, unit.dynamic_all(&sql, args).await)?;
    let before = shown(entity, &before, &[])?;
    finish(unit, entity, "updated", id, &row, Some(before)).await
}

/// Deletes a record, so that it can be restored.
pub(crate) async fn delete(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    id: Uuid,
    expected: Option<i64>,
) -> Result<(), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = load(&mut unit, actor, entity, id, false).await?;
    let version: i64 = before.get("version")?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Fault::Stale);
    }
    let mut changes = Changes::begin(actor, id, version, unit.now);
    changes.set("deleted_at", Value::Time(Some(unit.now)));
    changes.set("deleted_by", Value::Text(Some(actor.label())));
    let (sql, args) = changes.sql(entity, "deleted_at IS NULL");
    let row = changed(entity, unit.dynamic_all(&sql, args).await)?;
    let before = shown(entity, &before, &[])?;
    finish(unit, entity, "deleted", id, &row, Some(before)).await?;
    Ok(())
}

/// Brings a deleted record back. Where its place was taken meanwhile, that is a conflict.
pub(crate) async fn restore(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    id: Uuid,
) -> Result<(Json, i64), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = load(&mut unit, actor, entity, id, true).await?;
    let mut changes = Changes::begin(actor, id, before.get("version")?, unit.now);
    changes.set("deleted_at", Value::Time(None));
    changes.set("deleted_by", Value::Text(None));
    let (sql, args) = changes.sql(entity, "deleted_at IS NOT NULL");
    let row = changed(entity, unit.dynamic_all(&sql, args).await)?;
    finish(unit, entity, "restored", id, &row, None).await
}

/// An UPDATE being put together: `$1` path, `$2` id, `$3` version, then what is set.
struct Changes {
    args: Args,
    sets: Vec<String>,
}

impl Changes {
    fn begin(actor: &Actor, id: Uuid, version: i64, now: model::Ts) -> Self {
        let mut changes =
            Self { args: Args::new(), sets: vec!["version = version + 1".to_owned()] };
        changes.args.push(actor.path.as_str());
        changes.args.push(id);
        changes.args.push(version);
        changes.set("updated_at", Value::Time(Some(now)));
        changes.set("updated_by", Value::Text(Some(actor.label())));
        changes
    }

    fn set(&mut self, column: &str, value: Value) {
        let number = self.args.push(value);
        self.sets.push(format!("{column} = ${number}"));
    }

    fn sql(self, entity: &Entity, state: &str) -> (String, Args) {
        let sql = format!(
            "UPDATE {} SET {} WHERE {WRITABLE} AND id = $2 AND version = $3 AND {state} RETURNING *",
            entity.table,
            self.sets.join(", ")
        );
        (sql, self.args)
    }
}

async fn load(
    unit: &mut Unit<'_>,
    actor: &Actor,
    entity: &'static Entity,
    id: Uuid,
    deleted: bool,
) -> Result<Row, Fault> {
    let mut args = Args::new();
    args.push(actor.path.as_str());
    args.push(id);
    let state = if deleted { "deleted_at IS NOT NULL" } else { "deleted_at IS NULL" };
    let sql = format!("SELECT * FROM {} WHERE {WRITABLE} AND id = $2 AND {state}", entity.table);
    let rows = unit.dynamic_all(&sql, args).await?;
    rows.into_iter().next().ok_or(Fault::NotFound(entity.name))
}

/// The row of a statement that writes one; a unique key that is taken is a conflict.
fn one(entity: &Entity, rows: Result<Vec<Row>, StoreError>) -> Result<Row, Fault> {
    match rows {
        Ok(rows) => rows.into_iter().next().ok_or(Fault::NotFound(entity.name)),
        Err(StoreError::Unique { constraint }) => {
            let fields = entity.all_fields().filter(|field| constraint.contains(field.name));
            let names: Vec<&str> = fields.map(|field| field.name).collect();
            Err(Fault::Conflict {
                pointer: "",
                detail: format!("another {} has this {}", entity.name, names.join(" and ")),
            })
        }
        Err(StoreError::ForeignKey) => Err(Fault::field("", "names a record that is not there")),
        Err(error) => Err(error.into()),
    }
}

/// As [`one`], of a statement that names the version: no row means that it moved on.
fn changed(entity: &Entity, rows: Result<Vec<Row>, StoreError>) -> Result<Row, Fault> {
    match one(entity, rows) {
        Err(Fault::NotFound(_)) => Err(Fault::Stale),
        result => result,
    }
}

async fn finish(
    mut unit: Unit<'_>,
    entity: &'static Entity,
    verb: &str,
    id: Uuid,
    row: &Row,
    before: Option<Json>,
) -> Result<(Json, i64), Fault> {
    let after = shown(entity, row, &[])?;
    let organisation = row.get("organisation_id")?;
    let kind = format!("{}.{verb}", entity.name);
    let event = Event {
        kind: &kind,
        entity_id: model::id::show(entity.prefix, id),
        payload: after.clone(),
        policy: &[],
    };
    unit.record(organisation, event, before).await?;
    unit.commit().await?;
    Ok((after, row.get("version")?))
}
