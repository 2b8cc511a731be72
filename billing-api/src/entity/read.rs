//! The request becomes SQL, rows become JSON.
//!
//! SQL is put together from the description's own words and `$n` alone; what a caller sends is
//! always an argument.

use serde_json::{Map, Value as Json, json};
use store::{Args, Db, Row, StoreError, Value};
use uuid::Uuid;

use super::query::{ListQuery, Op};
use super::{Entity, Field, Flags, Kind, Scope};
use crate::domain::{Actor, Fault, Office, contains};

/// Totals are exact up to here; beyond, they say that there are more.
const TOTAL_EXACT: i64 = 10_000;

/// A page as the API shows it.
pub(crate) struct Listed {
    pub(crate) rows: Vec<Json>,
    pub(crate) next: Option<String>,
    /// How many there are, and whether that is exact.
    pub(crate) total: Option<(i64, bool)>,
}

/// A page.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    query: &ListQuery,
) -> Result<Listed, Fault> {
    let mut args = Args::new();
    let (conditions, total) = {
        let conditions = conditions(entity, actor, query, &mut args);
        let total = match query.total {
            true => Some(total(&office.db, entity, actor, query).await?),
            false => None,
        };
        (conditions, total)
    };
    let mut conditions = conditions;
    if let Some((values, id)) = &query.after {
        conditions.push(after(query, values, *id, &mut args));
    }
    let order: Vec<String> = query
        .sort
        .iter()
        .map(|(field, falls)| format!("{}{}", field.name, if *falls { " DESC" } else { "" }))
        .chain([format!("id{}", if newest_first(query) { " DESC" } else { "" })])
        .collect();
    let limit = args.push(query.limit + 1);
    let sql = format!(
        "SELECT * FROM {} WHERE {} ORDER BY {} LIMIT ${limit}",
        entity.table,
        conditions.join(" AND "),
        order.join(", ")
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let more = rows.len() as i64 > query.limit;
    let page = &rows[..rows.len().min(query.limit as usize)];
    let next = match page.last().filter(|_| more) {
        None => None,
        Some(last) => {
            let values: Result<Vec<Json>, _> =
                query.sort.iter().map(|(field, _)| cell(last, field)).collect();
            Some(query.cursor(&values?, last.get("id")?))
        }
    };
    let rows = page.iter().map(|row| shown(entity, row, &query.fields));
    Ok(Listed { rows: rows.collect::<Result<_, _>>()?, next, total })
}

/// Without a sort the newest come first, as in every list; with one, equal rows keep the order
/// of their creation.
fn newest_first(query: &ListQuery) -> bool {
    query.sort.is_empty()
}

fn conditions(entity: &Entity, actor: &Actor, query: &ListQuery, args: &mut Args) -> Vec<String> {
    args.push(actor.path.as_str());
    let mut conditions = vec![entity.scope.readable().to_owned(), "deleted_at IS NULL".to_owned()];
    for filter in &query.filters {
        let name = filter.field.name;
        let mut bind = |value: &Value| format!("${}", args.push(value.clone()));
        let condition = match (filter.op, filter.values.as_slice()) {
            (Op::In, values) => {
                let numbers: Vec<String> = values.iter().map(bind).collect();
                format!("{name} IN ({})", numbers.join(", "))
            }
            (Op::Null, [Value::Bool(Some(true))]) => format!("{name} IS NULL"),
            (Op::Null, _) => format!("{name} IS NOT NULL"),
            (Op::Contains, [Value::Text(Some(text))]) => {
                let pattern = Value::Text(Some(contains(text)));
                format!("lower({name}) LIKE {} ESCAPE '!'", bind(&pattern))
            }
            (op, [value]) => format!("{name} {} {}", sign(op), bind(value)),
            _ => continue,
        };
        conditions.push(condition);
    }
    if let Some(text) = &query.search {
        let number = args.push(contains(text));
        let searched = entity.all_fields().filter(|field| field.flags.has(Flags::SEARCHED));
        let places: Vec<String> =
            searched.map(|f| format!("lower({}) LIKE ${number} ESCAPE '!'", f.name)).collect();
        // An entity without a field to look into finds nothing.
        let places = if places.is_empty() { "1 = 0".to_owned() } else { places.join(" OR ") };
        conditions.push(format!("({places})"));
    }
    conditions
}

fn sign(op: Op) -> &'static str {
    match op {
        Op::NotEqual => "<>",
        Op::Less => "<",
        Op::LessOrEqual => "<=",
        Op::Greater => ">",
        Op::GreaterOrEqual => ">=",
        Op::Equal | Op::In | Op::Contains | Op::Null => "=",
    }
}

/// "Behind the row with these values": keyset paging, which neither skips nor repeats rows
/// when others come and go.
fn after(query: &ListQuery, values: &[Value], id: Uuid, args: &mut Args) -> String {
    let mut columns: Vec<(&str, bool, Value)> = query
        .sort
        .iter()
        .zip(values)
        .map(|((field, falls), value)| (field.name, *falls, value.clone()))
        .collect();
    columns.push(("id", newest_first(query), Value::Uuid(Some(id))));
    let numbers: Vec<usize> =
        columns.iter().map(|(_, _, value)| args.push(value.clone())).collect();
    let ways: Vec<String> = (0..columns.len())
        .map(|at| {
            let equal = (0..at).map(|n| format!("{} = ${}", columns[n].0, numbers[n]));
            let (name, falls, _) = &columns[at];
            let beyond = format!("{name} {} ${}", if *falls { "<" } else { ">" }, numbers[at]);
            format!("({})", equal.chain([beyond]).collect::<Vec<_>>().join(" AND "))
        })
        .collect();
    format!("({})", ways.join(" OR "))
}

async fn total(
    db: &Db,
    entity: &Entity,
    actor: &Actor,
    query: &ListQuery,
) -> Result<(i64, bool), Fault> {
    let mut args = Args::new();
    let conditions = conditions(entity, actor, query, &mut args);
    let limit = args.push(TOTAL_EXACT + 1);
    let sql = format!(
        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM {} WHERE {} LIMIT ${limit}) AS counted",
        entity.table,
        conditions.join(" AND ")
    );
    let rows = db.dynamic_all(&sql, args).await?;
    let count: i64 = rows.first().map_or(Ok(0), |row| row.get("count"))?;
    Ok((count.min(TOTAL_EXACT), count <= TOTAL_EXACT))
}

/// One record, deleted ones apart.
pub(crate) async fn find(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    id: Uuid,
) -> Result<(Json, i64), Fault> {
    let mut args = Args::new();
    args.push(actor.path.as_str());
    args.push(id);
    let sql = format!(
        "SELECT * FROM {} WHERE {} AND id = $2 AND deleted_at IS NULL",
        entity.table,
        entity.scope.readable()
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let row = rows.first().ok_or(Fault::NotFound(entity.name))?;
    Ok((shown(entity, row, &[])?, row.get("version")?))
}

/// A row as the API shows it; `fields` empty: all of it. The id is always there.
pub(super) fn shown(
    entity: &Entity,
    row: &Row,
    fields: &[&'static str],
) -> Result<Json, StoreError> {
    let wanted = |name: &str| fields.is_empty() || fields.contains(&name);
    let mut shown = Map::new();
    let id: Uuid = row.get("id")?;
    shown.insert("id".to_owned(), json!(model::id::show(entity.prefix, id)));
    if fields.is_empty() {
        let organisation: model::OrganisationId = row.get("organisation_id")?;
        shown.insert("organisation_id".to_owned(), json!(organisation));
    }
    for field in entity.all_fields().filter(|field| wanted(field.name)) {
        shown.insert(field.name.to_owned(), cell(row, field)?);
    }
    if fields.is_empty() {
        shown.insert("version".to_owned(), json!(row.get::<i64>("version")?));
    }
    Ok(Json::Object(shown))
}

fn cell(row: &Row, field: &Field) -> Result<Json, StoreError> {
    Ok(match field.kind {
        Kind::Text(_) | Kind::Choice(_) => json!(row.get::<Option<String>>(field.name)?),
        Kind::Integer(..) => json!(row.get::<Option<i64>>(field.name)?),
        Kind::Flag => json!(row.get::<Option<bool>>(field.name)?),
        Kind::Time => json!(row.get::<Option<model::Ts>>(field.name)?),
        Kind::Reference(prefix, _) => {
            let id: Option<Uuid> = row.get(field.name)?;
            json!(id.map(|id| model::id::show(prefix, id)))
        }
    })
}

/// The condition on rows a caller may change.
pub(super) const WRITABLE: &str = Scope::WRITABLE;
