//! Many records of one kind, created together.
//!
//! The same steps as for one, in the same order: references, hooks, row, words, audit entry,
//! event. What is the same for all of them is one statement for all: rows, words, audit entries
//! and events. Hooks run for each record, so their statements are what a batch costs.
//!
//! One record that cannot be created spoils the transaction for all; whoever calls tries again
//! with fewer, until the one is found.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::OrganisationId;
use serde_json::json;
use store::{Args, Row, Value, any_of, args};
use uuid::Uuid;

use super::read::shown;
use super::{Draft, Entity, Kind, Scope, Verb, Verbs, Written, registry, search, write};
use crate::domain::{Event, Fault, Rows, Unit, rows_at_once};

/// A record that was created.
pub(crate) struct Created {
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    /// As it was written.
    pub(crate) row: Row,
}

/// Creates records, and answers them in the order of their drafts.
pub(crate) async fn create_in(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    mut drafts: Vec<Draft>,
) -> Result<Vec<Created>, Fault> {
    write::offers(entity, Verbs::CREATE)?;
    if entity.tenant {
        // Each may stand below the one before it: they are created one by one.
        return Err(Fault::WrongMethod);
    }
    (entity.hooks.hold)(unit).await?;
    let mut paths: HashMap<OrganisationId, String> = HashMap::new();
    for draft in &mut drafts {
        draft.within(entity, &unit.actor.rights)?;
        let named = match write::home(unit, entity, draft).await? {
            Some(home) => Some(home),
            None => draft.organisation,
        };
        let organisation = named.unwrap_or(unit.actor.organisation);
        if let Entry::Vacant(vacant) = paths.entry(organisation) {
            vacant.insert(write::target(unit, named).await?.1);
        }
        (draft.organisation, draft.record) = (Some(organisation), Uuid::now_v7());
    }
    check_references(unit, entity, &paths, &drafts).await?;
    if entity.series.is_some() {
        for organisation in paths.keys() {
            let own = drafts.iter().filter(|draft| draft.organisation == Some(*organisation));
            unit.will_number(*organisation, own.count() as i64);
        }
    }
    for draft in &mut drafts {
        (entity.hooks.before)(unit, Verb::Created, draft, None).await?;
        if entity.custom {
            let custom = draft.custom.take().unwrap_or_default();
            draft.set("custom", super::custom::merged(json!({}), &custom));
        }
    }
    let mut rows = insert(unit, entity, &drafts).await?;
    let mut created = Vec::with_capacity(drafts.len());
    let mut words = Vec::new();
    for draft in &drafts {
        let id = draft.record;
        // Every row of an INSERT comes back, or none.
        let row = rows.remove(&id).ok_or(Fault::NotFound(entity.name))?;
        let written = Written { verb: Verb::Created, id, draft, before: None, after: &row };
        (entity.hooks.after)(unit, written).await?;
        let organisation: OrganisationId = row.get("organisation_id")?;
        if let Some((title, text)) = search::entry(entity, &row)? {
            words.push(args![id, entity.name, organisation, title, text]);
        }
        let kind = format!("{}.{}", entity.name, Verb::Created.word());
        let entity_id = model::id::show(entity.prefix, id);
        let payload = shown(entity, &row, &[])?;
        unit.note(organisation, Event { kind: &kind, entity_id, payload, policy: &[] });
        created.push(Created { id, version: row.get("version")?, row });
    }
    while !words.is_empty() {
        let rest = words.split_off(words.len().min(rows_at_once(unit.office().db.engine(), 5)));
        let mut rows = Rows::new();
        std::mem::replace(&mut words, rest).into_iter().for_each(|row| rows.push(row));
        let into = "search_entry (record_id, entity, organisation_id, title, words)";
        let (sql, args) = rows.into_sql(into);
        unit.dynamic_all(&sql, args).await?;
    }
    unit.write_noted().await?;
    Ok(created)
}

/// The rows, by id. Drafts with the same columns share a statement.
async fn insert(
    unit: &mut Unit<'_>,
    entity: &Entity,
    drafts: &[Draft],
) -> Result<HashMap<Uuid, Row>, Fault> {
    let mut shapes: BTreeMap<Vec<&str>, Vec<&Draft>> = BTreeMap::new();
    for draft in drafts {
        let mut columns: Vec<&str> =
            draft.columns().iter().map(|(column, _)| column.as_ref()).collect();
        columns.sort_unstable();
        shapes.entry(columns).or_default().push(draft);
    }
    let engine = unit.office().db.engine();
    let by = unit.actor.label();
    let now = Value::Time(Some(unit.now));
    let mut written = HashMap::with_capacity(drafts.len());
    for (columns, drafts) in shapes {
        let mut names =
            vec!["id", "organisation_id", "created_at", "created_by", "updated_at", "updated_by"];
        names.extend(&columns);
        for some in drafts.chunks(rows_at_once(engine, names.len())) {
            let mut rows = Rows::new();
            for draft in some {
                let who = || Value::Text(Some(by.clone()));
                let organisation = draft.organisation.unwrap_or(unit.actor.organisation);
                let mut row =
                    args![draft.record, organisation, now.clone(), who(), now.clone(), who()];
                for column in &columns {
                    // It is a column of this draft: that is what its shape says.
                    row.push(draft.value(column).cloned().unwrap_or(Value::Text(None)));
                }
                rows.push(row);
            }
            let (sql, args) = rows.into_sql(&format!("{} ({})", entity.table, names.join(", ")));
            let inserted = unit.dynamic_all(&format!("{sql} RETURNING *"), args).await;
            // The first row is looked at only to tell what went wrong.
            let inserted = match inserted {
                Ok(rows) => rows,
                Err(error) => {
                    return Err(write::one(entity, Err(error)).err().unwrap_or(Fault::Stale));
                }
            };
            for row in inserted {
                written.insert(row.get("id")?, row);
            }
        }
    }
    Ok(written)
}

/// As for one record, but a statement for each field and organisation, not for each record.
async fn check_references(
    unit: &mut Unit<'_>,
    entity: &Entity,
    paths: &HashMap<OrganisationId, String>,
    drafts: &[Draft],
) -> Result<(), Fault> {
    for field in entity.all_fields() {
        let Kind::Reference(_, table) = field.kind else { continue };
        let scope = registry::by_table(table).map_or(Scope::Own, |entity| entity.scope);
        let mut wanted: BTreeMap<&str, BTreeSet<Uuid>> = BTreeMap::new();
        for draft in drafts {
            let Some(id) = draft.id(field.name) else { continue };
            let home = draft.organisation.and_then(|organisation| paths.get(&organisation));
            let from = match scope.by_caller() {
                true => unit.actor.path.as_str(),
                false => home.map_or(unit.actor.path.as_str(), String::as_str),
            };
            wanted.entry(from).or_default().insert(id);
        }
        for (from, ids) in wanted {
            let sql = format!(
                "SELECT COUNT(*) AS count FROM {table} WHERE {} AND {} AND deleted_at IS NULL",
                scope.usable(),
                any_of(unit.office().db.engine(), "id", 2)
            );
            let count = ids.len() as i64;
            let args = args![from, Value::Uuids(ids.into_iter().collect())];
            let found = unit.dynamic_all(&sql, args).await?;
            let found: i64 = found.first().map_or(Ok(0), |row| row.get("count"))?;
            if found != count {
                return Err(Fault::field(format!("/{}", field.name), "there is no such record"));
            }
        }
    }
    Ok(())
}

/// Rows of an entity whose column has one of these texts, those the caller may change alone.
pub(crate) async fn by_texts(
    unit: &mut Unit<'_>,
    entity: &Entity,
    condition: &str,
    column: &str,
    texts: &BTreeSet<String>,
) -> Result<Vec<Row>, Fault> {
    let mut args = Args::new();
    args.push(unit.actor.path.as_str());
    let numbers: Vec<String> =
        texts.iter().map(|text| format!("${}", args.push(text.as_str()))).collect();
    // The texts first, by the column's own index; asked together with the organisations, each
    // text would be looked up in each of them.
    let sql = format!(
        "WITH found AS MATERIALIZED (
            SELECT * FROM {} WHERE deleted_at IS NULL AND {column} IN ({})
         ) SELECT * FROM found WHERE {condition}",
        entity.table,
        numbers.join(", ")
    );
    Ok(unit.dynamic_all(&sql, args).await?)
}
