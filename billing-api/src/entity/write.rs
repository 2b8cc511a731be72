//! Values become rows, audit entry and event.
//!
//! Each verb comes twice: `create` is a unit of work of its own, `create_in` a part of one, so
//! that an import writes many rows in one transaction by the same road.

use serde_json::{Value as Json, json};
use store::{Args, Row, StoreError, Value, args};
use uuid::Uuid;

use super::custom::Custom;
use super::read::{conceal, shown};
use super::{Draft, Entity, Kind, Scope, Source, Verb, Verbs, Written, registry, search};
use crate::domain::number::Number;
use crate::domain::{Actor, Event, Fault, Office, Unit, organisation};
use model::OrganisationId;

/// A record that was written: what the API answers.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) id: Uuid,
    pub(crate) view: Json,
    pub(crate) version: i64,
}

/// Reads a body. `all`: a creation, where required fields must be there.
pub(crate) fn parse(
    entity: &'static Entity,
    customs: &[Custom],
    body: &[u8],
    all: bool,
) -> Result<Draft, Fault> {
    Draft::parse(entity, customs, body, all)
}

/// Creates a record in the actor's organisation, or in the one below it that the draft names.
pub(crate) async fn create(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    draft: Draft,
) -> Result<Made, Fault> {
    let organisation = actor.organisation;
    // Where it lands is known before the transaction begins, but for those that name a place.
    let own = draft.organisation.is_none_or(|named| named == organisation);
    let series = entity.series.filter(|_| own && entity.home.is_none());
    let Some(series) = series else { return create_with(office, actor, entity, draft, None).await };
    let number = office.numbers.take(office, organisation, series).await?;
    let taken = number.as_ref().map(|number| number.number);
    let made = create_with(office, actor, entity, draft, number).await;
    // What was refused took no number; what broke may have been committed.
    if let (Err(fault), Some(taken)) = (&made, taken)
        && !matches!(fault, Fault::Unavailable(_) | Fault::Internal(_))
    {
        office.numbers.give_back(organisation, series, taken).await;
    }
    made
}

async fn create_with(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    draft: Draft,
    number: Option<Number>,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    if let (Some(series), Some(number)) = (entity.series, number) {
        unit.hold(actor.organisation, series, number);
    }
    let mut made = create_in(&mut unit, entity, draft).await?;
    complete(&mut unit, entity, &mut made, 201).await?;
    unit.commit().await?;
    Ok(made)
}

/// Fills the fields that are no columns: so the request is answered, also when it is repeated.
async fn complete(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    made: &mut Made,
    status: i64,
) -> Result<(), Fault> {
    let rows = std::slice::from_mut(&mut made.view);
    (entity.hooks.extend)(Source::Unit(unit), rows).await?;
    conceal(entity, &unit.actor.rights, &mut made.view);
    unit.answers(status, made.view.clone());
    Ok(())
}

/// The record as the unit of work leaves it, which is the answer to the request.
pub(crate) async fn answer(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
    status: i64,
) -> Result<Made, Fault> {
    let row = load(unit, entity, id, false).await?;
    let view = shown(entity, &row, &[])?;
    let mut made = Made { id, view, version: row.get("version")? };
    complete(unit, entity, &mut made, status).await?;
    Ok(made)
}

/// As [`create`], in a unit of work that is under way.
pub(crate) async fn create_in(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    mut draft: Draft,
) -> Result<Made, Fault> {
    offers(entity, Verbs::CREATE)?;
    draft.within(entity, &unit.actor.rights)?;
    (entity.hooks.hold)(unit).await?;
    let named = match home(unit, entity, &draft).await? {
        Some(home) => Some(home),
        None => draft.organisation,
    };
    let (organisation, path) = target(unit, named).await?;
    let id = Uuid::now_v7();
    (draft.organisation, draft.record) = (Some(organisation), id);
    check_references(unit, entity, &path, &draft).await?;
    (entity.hooks.before)(unit, Verb::Created, &mut draft, None).await?;
    if entity.custom {
        let custom = draft.custom.take().unwrap_or_default();
        draft.set("custom", super::custom::merged(json!({}), &custom));
    }
    let mut args = Args::new();
    let mut columns = vec!["id"];
    args.push(id);
    if !entity.tenant {
        columns.push("organisation_id");
        args.push(organisation);
    }
    for (column, value) in draft.columns() {
        columns.push(column);
        args.push(value.clone());
    }
    let by = unit.actor.label();
    for (column, value) in [
        ("created_at", Value::Time(Some(unit.now))),
        ("created_by", Value::Text(Some(by.clone()))),
        ("updated_at", Value::Time(Some(unit.now))),
        ("updated_by", Value::Text(Some(by))),
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
    finish(unit, entity, Verb::Created, id, &draft, None, row).await
}

/// Where a new record lands: the caller's organisation, or one below it that the caller names.
/// One that is not below is one that does not exist.
pub(super) async fn target(
    unit: &mut Unit<'_>,
    named: Option<OrganisationId>,
) -> Result<(OrganisationId, String), Fault> {
    let own = (unit.actor.organisation, unit.actor.path.clone());
    let Some(named) = named.filter(|named| *named != own.0) else { return Ok(own) };
    organisation::target(unit, Some(named)).await.map_err(|fault| match fault {
        Fault::NotFound(_) => Fault::field("/organisation_id", "there is no such organisation"),
        fault => fault,
    })
}

/// The organisation of the record that the new one belongs to.
pub(super) async fn home(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    draft: &Draft,
) -> Result<Option<OrganisationId>, Fault> {
    let Some(field) = entity.home.and_then(|name| entity.field(name)) else { return Ok(None) };
    let (Kind::Reference(_, table), Some(id)) = (field.kind, draft.id(field.name)) else {
        return Ok(None);
    };
    let args = args![unit.actor.path.as_str(), id];
    let sql = format!(
        "SELECT organisation_id FROM {table} WHERE {} AND id = $2 AND deleted_at IS NULL",
        Scope::WRITABLE
    );
    let rows = unit.dynamic_all(&sql, args).await?;
    let row = rows.first().ok_or_else(|| no_such(field.name))?;
    Ok(Some(row.get("organisation_id")?))
}

fn no_such(field: &str) -> Fault {
    Fault::field(format!("/{field}"), "there is no such record")
}

pub(super) fn offers(entity: &'static Entity, verb: Verbs) -> Result<(), Fault> {
    if entity.verbs.has(verb) { Ok(()) } else { Err(Fault::WrongMethod) }
}

/// A record that another one names must be one that its organisation can use: naming somebody
/// else's would tell that it is there.
pub(super) async fn check_references(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    path: &str,
    draft: &Draft,
) -> Result<(), Fault> {
    for field in entity.all_fields() {
        let Kind::Reference(_, table) = field.kind else { continue };
        let Some(id) = draft.id(field.name) else { continue };
        let scope = registry::by_table(table).map_or(Scope::Own, |entity| entity.scope);
        // What is one's own is looked for from the caller, what is inherited from where
        // the record will live.
        let from = if scope.by_caller() { unit.actor.path.as_str() } else { path };
        let args = args![from, id];
        let sql = format!(
            "SELECT 1 AS found FROM {table} WHERE {} AND id = $2 AND deleted_at IS NULL",
            scope.usable()
        );
        if unit.dynamic_all(&sql, args).await?.is_empty() {
            return Err(no_such(field.name));
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
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let mut made = update_in(&mut unit, entity, id, draft, expected).await?;
    complete(&mut unit, entity, &mut made, 200).await?;
    unit.commit().await?;
    Ok(made)
}

/// As [`update`], in a unit of work that is under way.
pub(crate) async fn update_in(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
    mut draft: Draft,
    expected: Option<i64>,
) -> Result<Made, Fault> {
    offers(entity, Verbs::UPDATE)?;
    draft.within(entity, &unit.actor.rights)?;
    (entity.hooks.hold)(unit).await?;
    let before = load(unit, entity, id, false).await?;
    let version: i64 = before.get("version")?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Fault::Stale);
    }
    let organisation: OrganisationId = before.get("organisation_id")?;
    let (_, path) = target(unit, Some(organisation)).await?;
    (draft.organisation, draft.record) = (Some(organisation), id);
    check_references(unit, entity, &path, &draft).await?;
    (entity.hooks.before)(unit, Verb::Updated, &mut draft, Some(&before)).await?;
    if let Some(custom) = draft.custom.take() {
        draft.set("custom", super::custom::merged(super::custom::of_row(&before)?, &custom));
    }
    let mut changes = Changes::begin(unit, id, version);
    for (column, value) in draft.columns() {
        changes.set(column, value.clone());
    }
    let (sql, args) = changes.sql(entity, "deleted_at IS NULL");
    let row = changed(entity, unit.dynamic_all(&sql, args).await)?;
    finish(unit, entity, Verb::Updated, id, &draft, Some(&before), row).await
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
    delete_in(&mut unit, entity, id, expected).await?;
    unit.commit().await
}

/// As [`delete`], in a unit of work that is under way.
pub(crate) async fn delete_in(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
    expected: Option<i64>,
) -> Result<Made, Fault> {
    offers(entity, Verbs::DELETE)?;
    (entity.hooks.hold)(unit).await?;
    let before = load(unit, entity, id, false).await?;
    let version: i64 = before.get("version")?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Fault::Stale);
    }
    let mut draft = Draft::about(id);
    (entity.hooks.before)(unit, Verb::Deleted, &mut draft, Some(&before)).await?;
    let mut changes = Changes::begin(unit, id, version);
    changes.set("deleted_at", Value::Time(Some(unit.now)));
    changes.set("deleted_by", Value::Text(Some(unit.actor.label())));
    let (sql, args) = changes.sql(entity, "deleted_at IS NULL");
    let row = changed(entity, unit.dynamic_all(&sql, args).await)?;
    finish(unit, entity, Verb::Deleted, id, &draft, Some(&before), row).await
}

/// Brings a deleted record back. Where its place was taken meanwhile, that is a conflict.
pub(crate) async fn restore(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    id: Uuid,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let mut made = restore_in(&mut unit, entity, id).await?;
    complete(&mut unit, entity, &mut made, 200).await?;
    unit.commit().await?;
    Ok(made)
}

/// As [`restore`], in a unit of work that is under way.
pub(crate) async fn restore_in(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
) -> Result<Made, Fault> {
    offers(entity, Verbs::DELETE)?;
    (entity.hooks.hold)(unit).await?;
    let before = load(unit, entity, id, true).await?;
    let version: i64 = before.get("version")?;
    let mut draft = Draft::about(id);
    (entity.hooks.before)(unit, Verb::Restored, &mut draft, Some(&before)).await?;
    let mut changes = Changes::begin(unit, id, version);
    for (column, value) in draft.columns() {
        changes.set(column, value.clone());
    }
    changes.set("deleted_at", Value::Time(None));
    changes.set("deleted_by", Value::Text(None));
    let (sql, args) = changes.sql(entity, "deleted_at IS NOT NULL");
    let row = changed(entity, unit.dynamic_all(&sql, args).await)?;
    finish(unit, entity, Verb::Restored, id, &draft, Some(&before), row).await
}

/// An UPDATE being put together: `$1` path, `$2` id, `$3` version, then what is set.
struct Changes {
    args: Args,
    sets: Vec<String>,
}

impl Changes {
    fn begin(unit: &Unit<'_>, id: Uuid, version: i64) -> Self {
        let mut changes =
            Self { args: Args::new(), sets: vec!["version = version + 1".to_owned()] };
        changes.args.push(unit.actor.path.as_str());
        changes.args.push(id);
        changes.args.push(version);
        changes.set("updated_at", Value::Time(Some(unit.now)));
        changes.set("updated_by", Value::Text(Some(unit.actor.label())));
        changes
    }

    fn set(&mut self, column: &str, value: Value) {
        let number = self.args.push(value);
        self.sets.push(format!("{column} = ${number}"));
    }

    fn sql(self, entity: &Entity, state: &str) -> (String, Args) {
        let sql = format!(
            "UPDATE {} SET {} WHERE {} AND id = $2 AND version = $3 AND {state} RETURNING *",
            entity.table,
            self.sets.join(", "),
            Scope::WRITABLE,
        );
        (sql, self.args)
    }
}

/// The row, if the caller may change it.
pub(crate) async fn load(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
    deleted: bool,
) -> Result<Row, Fault> {
    let args = args![unit.actor.path.as_str(), id];
    let state = if deleted { "deleted_at IS NOT NULL" } else { "deleted_at IS NULL" };
    let sql =
        format!("SELECT * FROM {} WHERE {} AND id = $2 AND {state}", entity.table, Scope::WRITABLE);
    let rows = unit.dynamic_all(&sql, args).await?;
    rows.into_iter().next().ok_or(Fault::NotFound(entity.name))
}

/// The row of a statement that writes one; a unique key that is taken is a conflict.
pub(super) fn one(entity: &Entity, rows: Result<Vec<Row>, StoreError>) -> Result<Row, Fault> {
    match rows {
        Ok(rows) => rows.into_iter().next().ok_or(Fault::NotFound(entity.name)),
        Err(StoreError::Unique { constraint }) => Err(taken(entity, &constraint)),
        // What always has a value, and has no hook that gives it one when it is emptied.
        Err(StoreError::Null { column }) if entity.field(&column).is_some() => {
            Err(Fault::field(format!("/{column}"), "cannot be emptied"))
        }
        Err(StoreError::ForeignKey) => Err(Fault::field("", "names a record that is not there")),
        Err(error) => Err(error.into()),
    }
}

/// What a unique key says when it is taken, by the fields its name has.
pub(crate) fn taken(entity: &Entity, constraint: &str) -> Fault {
    let external = constraint.contains("external");
    let fields = entity.all_fields().filter(|field| match external {
        true => field.name == "external_id",
        false => constraint.contains(field.name),
    });
    let mut names: Vec<&'static str> = fields.map(|field| field.name).collect();
    // `ipv6_address` has `address` in it, which is another field.
    let all = names.clone();
    names.retain(|name| !all.iter().any(|other| other != name && other.contains(name)));
    if names.is_empty() && constraint.contains("organisation") {
        let name = entity.name.replace('_', " ");
        let detail = format!("the organisation has another {name} already");
        return Fault::Conflict { pointer: "/organisation_id", detail };
    }
    Fault::Conflict {
        pointer: names.first().map_or("", |name| registry::pointer(name)),
        detail: format!("another {} has this {}", entity.name, names.join(" and ")),
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
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    verb: Verb,
    id: Uuid,
    draft: &Draft,
    before: Option<&Row>,
    row: Row,
) -> Result<Made, Fault> {
    let written = Written { verb, id, draft, before, after: &row };
    (entity.hooks.after)(unit, written).await?;
    search::note(unit, entity, id, &row, verb == Verb::Deleted).await?;
    let before = before.filter(|_| matches!(verb, Verb::Updated | Verb::Deleted));
    record(unit, entity, verb.word(), id, before, &row).await
}

/// Writes the audit entry and the event of a change that was made by any road.
pub(crate) async fn record(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    verb: &str,
    id: Uuid,
    before: Option<&Row>,
    row: &Row,
) -> Result<Made, Fault> {
    let after = shown(entity, row, &[])?;
    let before = before.map(|before| shown(entity, before, &[])).transpose()?;
    let kind = format!("{}.{verb}", entity.name);
    let event = Event {
        kind: &kind,
        entity_id: model::id::show(entity.prefix, id),
        payload: after.clone(),
        policy: &[],
    };
    unit.record(row.get("organisation_id")?, event, before).await?;
    Ok(Made { id, view: after, version: row.get("version")? })
}
