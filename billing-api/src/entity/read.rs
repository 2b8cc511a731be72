//! The request becomes SQL, rows become JSON.
//!
//! SQL is put together from the description's own words and `$n` alone; what a caller sends is
//! always an argument.

use ipnetwork::IpNetwork;
use serde_json::{Map, Value as Json, json};
use store::{Args, Engine, Row, StoreError, Value, args};
use uuid::Uuid;

use super::query::{Filter, ListQuery, Op};
use super::{Entity, Field, Kind, Scope, Source, search};
use crate::domain::access::{Rights, permission};
use crate::domain::{Actor, Fault, Office, contains};
use crate::store::organisation;

/// Totals are exact up to here; beyond, they say that there are more.
const TOTAL_EXACT: i64 = 10_000;

/// A page as the API shows it.
pub(crate) struct Listed {
    pub(crate) rows: Vec<Json>,
    pub(crate) next: Option<String>,
    /// How many there are, and whether that is exact.
    pub(crate) total: Option<(i64, bool)>,
}

impl Listed {
    /// Leaves these fields and the ids; none named: all of them.
    pub(crate) fn keep(&mut self, fields: &[&'static str]) {
        if fields.is_empty() {
            return;
        }
        for row in self.rows.iter_mut().filter_map(Json::as_object_mut) {
            row.retain(|name, _| name == "id" || fields.contains(&name.as_str()));
        }
    }
}

/// Whether the caller's role allows a verb on an entity's records.
pub(crate) fn may(actor: &Actor, entity: &Entity, verb: &str) -> bool {
    permission::named(entity.permission, verb).is_some_and(|name| actor.rights.has(name))
}

/// A page.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    query: &ListQuery,
) -> Result<Listed, Fault> {
    let bounds = Bounds::of(office, actor, entity, query).await?;
    let total = match query.total {
        true => Some(count(office, entity, actor, query, &bounds).await?),
        false => None,
    };
    let (rows, next) = page_within(office, actor, entity, query, &bounds).await?;
    // What fills a field that is no column may need any other of the row.
    let fields: &[&'static str] = if entity.extends(&query.fields) { &[] } else { &query.fields };
    let rows = rows.iter().map(|row| shown(entity, row, fields));
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.iter_mut().for_each(|row| conceal(entity, &actor.rights, row));
    Ok(Listed { rows, next, total })
}

/// The rows of a page, and the cursor of the one behind it.
pub(crate) async fn page(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    query: &ListQuery,
) -> Result<(Vec<Row>, Option<String>), Fault> {
    let bounds = Bounds::of(office, actor, entity, query).await?;
    page_within(office, actor, entity, query, &bounds).await
}

/// Whether a list has more rows than so many; no more are counted.
pub(crate) async fn exceeds(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    query: &ListQuery,
    most: i64,
) -> Result<bool, Fault> {
    let bounds = Bounds::of(office, actor, entity, query).await?;
    let mut args = Args::new();
    let conditions = conditions(office.db.engine(), entity, actor, query, &bounds, &mut args);
    let skip = args.push(most);
    let sql = format!(
        "SELECT 1 AS found FROM {} WHERE {} LIMIT 1 OFFSET ${skip}",
        entity.table,
        conditions.join(" AND ")
    );
    Ok(!office.db.dynamic_all(&sql, args).await?.is_empty())
}

async fn page_within(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    query: &ListQuery,
    bounds: &Bounds,
) -> Result<(Vec<Row>, Option<String>), Fault> {
    let mut args = Args::new();
    let mut conditions = conditions(office.db.engine(), entity, actor, query, bounds, &mut args);
    if let Some((values, id)) = &query.after {
        conditions.push(after(query, values, *id, &mut args));
    }
    let order = |of: &str| {
        let sort = query.sort.iter().map(|(field, falls)| (field.name, *falls));
        let words = sort
            .chain([("id", id_falls(query))])
            .map(|(name, falls)| format!("{of}{name}{}", if falls { " DESC" } else { "" }));
        words.collect::<Vec<_>>().join(", ")
    };
    let limit = args.push(query.limit + 1);
    let offset = match query.page {
        Some(page) => format!(" OFFSET ${}", args.push((page - 1) * query.limit)),
        None => String::new(),
    };
    let (table, conditions) = (entity.table, conditions.join(" AND "));
    let sql = match entity.base {
        // First which rows, then the rows: the indexes of a sort have in them what lists are
        // mostly filtered by, so that rows that fall away are not looked at.
        true => format!(
            "SELECT {table}.* FROM (
                SELECT id FROM {table} WHERE {conditions} ORDER BY {} LIMIT ${limit}{offset}
             ) AS page JOIN {table} ON {table}.id = page.id ORDER BY {}",
            order(""),
            order(&format!("{table}."))
        ),
        false => format!(
            "SELECT * FROM {table} WHERE {conditions} ORDER BY {} LIMIT ${limit}{offset}",
            order("")
        ),
    };
    let mut rows = office.db.dynamic_all(&sql, args).await?;
    let more = rows.len() as i64 > query.limit;
    rows.truncate(query.limit as usize);
    let next = match rows.last().filter(|_| more) {
        None => None,
        Some(last) => {
            let values: Result<Vec<Json>, _> =
                query.sort.iter().map(|(field, _)| cell(last, field)).collect();
            Some(query.cursor(&values?, last.get("id")?))
        }
    };
    Ok((rows, next))
}

/// Without a sort the newest come first, as in every list; with one, equal rows go the way its
/// last field goes, so that an index read in one direction has the order.
fn id_falls(query: &ListQuery) -> bool {
    query.sort.last().is_none_or(|(_, falls)| *falls)
}

/// What a list is bounded by besides its filters, looked up before the list itself: with the
/// ids at hand the database knows how many rows they have, and chooses its index by that.
pub(crate) struct Bounds {
    /// The organisations whose rows are one's own; nothing: all there are.
    organisations: Option<Vec<Uuid>>,
    /// What a search found.
    found: Found,
}

/// What a list's search found.
enum Found {
    /// It has none.
    Unasked,
    /// These records; `true`: there may be others.
    These(Vec<Uuid>, bool),
    /// Every record with these words, however many.
    Every(String),
}

impl Bounds {
    /// Looks them up.
    pub(crate) async fn of(
        office: &Office,
        actor: &Actor,
        entity: &'static Entity,
        query: &ListQuery,
    ) -> Result<Self, Fault> {
        query.within(entity, &actor.rights)?;
        let organisations = match entity.scope {
            Scope::Own => subtree(office, actor).await?,
            Scope::Inherited | Scope::Shared | Scope::Global => None,
        };
        let own = organisations.as_deref();
        let found = match (&query.search, entity.hooks.find) {
            (None, _) => Found::Unasked,
            (Some(text), None) if query.whole => Found::Every(text.clone()),
            (Some(text), None) => {
                let ids = search::ids(office, actor, entity, own, text).await?;
                let more = ids.len() as i64 >= search::MATCHES_MAX;
                Found::These(ids, more)
            }
            (Some(text), Some(find)) => {
                let (ids, more) = find(office, actor, own, query, text).await?;
                if more && query.whole {
                    let detail = format!(
                        "finds more than the {} records a search here goes through; narrow it, or \
                         leave it out",
                        ids.len()
                    );
                    return Err(Fault::field("?q", detail));
                }
                Found::These(ids, more)
            }
        };
        Ok(Self { organisations, found })
    }
}

/// The organisations of the caller's subtree. The root's is everything: there is one root, and
/// every organisation is below it, so no condition is needed and none is asked for.
pub(super) async fn subtree(office: &Office, actor: &Actor) -> Result<Option<Vec<Uuid>>, Fault> {
    let rows = office.db.fetch_all(&organisation::SUBTREE, args![actor.path.as_str()]).await?;
    let mut ids = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.get::<Option<Uuid>>("parent_id")?.is_none() {
            return Ok(None);
        }
        ids.push(row.get("id")?);
    }
    Ok(Some(ids))
}

fn conditions(
    engine: Engine,
    entity: &'static Entity,
    actor: &Actor,
    query: &ListQuery,
    bounds: &Bounds,
    args: &mut Args,
) -> Vec<String> {
    args.push(actor.path.as_str());
    let live = if query.deleted { "deleted_at IS NOT NULL" } else { "deleted_at IS NULL" };
    let mut conditions = vec![live.to_owned()];
    conditions.push(match (entity.scope, &bounds.organisations) {
        (Scope::Own, Some(ids)) => among(engine, "organisation_id", ids, args),
        (Scope::Own, None) => "$1 IS NOT NULL".to_owned(),
        // What was deleted is shown to those who can restore it.
        (_, _) if query.deleted => Scope::WRITABLE.to_owned(),
        (scope, _) => scope.readable().to_owned(),
    });
    if let Some(id) = query.organisation {
        let number = args.push(id);
        conditions.push(format!(
            "organisation_id IN (SELECT below.id FROM organisation below
             JOIN organisation top ON below.path LIKE top.path || '%'
             WHERE top.id = ${number} AND {})",
            // One that the caller cannot look into is one that does not exist.
            match entity.scope {
                Scope::Own => "top.path LIKE $1 || '%'",
                Scope::Inherited | Scope::Shared | Scope::Global => {
                    "(top.path LIKE $1 || '%' OR $1 LIKE top.path || '%')"
                }
            }
        ));
    }
    conditions.extend(query.filters.iter().filter_map(|filter| narrowed(filter, args)));
    for filter in &query.customs {
        let ways: Vec<String> =
            filter.values.iter().map(|value| custom_is(engine, &filter.key, value, args)).collect();
        conditions.push(format!("({})", ways.join(" OR ")));
    }
    match &bounds.found {
        Found::Unasked => {}
        Found::These(ids, _) => conditions.push(among(engine, "id", ids, args)),
        Found::Every(text) => {
            let own = bounds.organisations.as_deref();
            conditions.push(search::condition(engine, entity, own, text, args));
        }
    }
    conditions
}

/// The condition of a filter.
pub(crate) fn narrowed(filter: &Filter, args: &mut Args) -> Option<String> {
    let name = filter.field.name;
    let mut bind = |value: &Value| format!("${}", args.push(value.clone()));
    Some(match (filter.op, filter.values.as_slice()) {
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
        _ => return None,
    })
}

/// "This column is one of these".
pub(crate) fn among(engine: Engine, column: &str, ids: &[Uuid], args: &mut Args) -> String {
    let number = args.push(Value::Uuids(ids.to_vec()));
    match engine {
        Engine::Postgres => format!("{column} = ANY(${number})"),
        Engine::Sqlite => format!("{column} IN (SELECT unhex(value) FROM json_each(${number}))"),
    }
}

/// "This custom field has this value". The key was checked to be letters, digits and `_`, and
/// is one that the organisation has.
fn custom_is(engine: Engine, key: &str, value: &Json, args: &mut Args) -> String {
    match engine {
        Engine::Postgres => format!("custom @> ${}", args.push(json!({ key: value }))),
        Engine::Sqlite => {
            let number = args.push(match value {
                Json::Bool(flag) => Value::Int(Some(i64::from(*flag))),
                Json::Number(number) => Value::Int(number.as_i64()),
                Json::String(text) => Value::Text(Some(text.clone())),
                _ => Value::Text(None),
            });
            format!("json_extract(custom, '$.{key}') = ${number}")
        }
    }
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
    columns.push(("id", id_falls(query), Value::Uuid(Some(id))));
    let numbers: Vec<usize> =
        columns.iter().map(|(_, _, value)| args.push(value.clone())).collect();
    // All in one direction: a comparison of rows, which an index answers to the point.
    let way = columns[0].1;
    if columns.iter().all(|(_, falls, _)| *falls == way) {
        let names: Vec<&str> = columns.iter().map(|(name, _, _)| *name).collect();
        let numbers: Vec<String> = numbers.iter().map(|number| format!("${number}")).collect();
        let sign = if way { "<" } else { ">" };
        return format!("({}) {sign} ({})", names.join(", "), numbers.join(", "));
    }
    let ways: Vec<String> = (0..columns.len())
        .map(|at| {
            let equal = (0..at).map(|n| format!("{} = ${}", columns[n].0, numbers[n]));
            let (name, falls, _) = &columns[at];
            let beyond = format!("{name} {} ${}", if *falls { "<" } else { ">" }, numbers[at]);
            format!("({})", equal.chain([beyond]).collect::<Vec<_>>().join(" AND "))
        })
        .collect();
    // The first column bounds the walk of its index; the rest decides among equals.
    let (name, falls, _) = &columns[0];
    let bound = format!("{name} {} ${}", if *falls { "<=" } else { ">=" }, numbers[0]);
    format!("{bound} AND ({})", ways.join(" OR "))
}

async fn count(
    office: &Office,
    entity: &'static Entity,
    actor: &Actor,
    query: &ListQuery,
    bounds: &Bounds,
) -> Result<(i64, bool), Fault> {
    let mut args = Args::new();
    let conditions = conditions(office.db.engine(), entity, actor, query, bounds, &mut args);
    let limit = args.push(TOTAL_EXACT + 1);
    let sql = format!(
        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM {} WHERE {} LIMIT ${limit}) AS counted",
        entity.table,
        conditions.join(" AND ")
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let count: i64 = rows.first().map_or(Ok(0), |row| row.get("count"))?;
    // Of a search that found too many, these are some.
    let all = !matches!(bounds.found, Found::These(_, true));
    Ok((count.min(TOTAL_EXACT), all && count <= TOTAL_EXACT))
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
    let mut view = shown(entity, row, &[])?;
    conceal(entity, &actor.rights, &mut view);
    Ok((view, row.get("version")?))
}

/// Takes out of a record what somebody with these rights does not see.
pub(crate) fn conceal(entity: &Entity, rights: &Rights, row: &mut Json) {
    let Json::Object(row) = row else { return };
    for field in entity.all_fields().filter(|field| !field.is_seen(rights)) {
        row.remove(field.name);
    }
}

/// Completes rows on their way out with what is kept elsewhere, as far as the caller sees it.
pub(crate) async fn extend(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    rows: &mut [Json],
) -> Result<(), Fault> {
    (entity.hooks.extend)(Source::Office(office, actor), rows).await?;
    rows.iter_mut().for_each(|row| conceal(entity, &actor.rights, row));
    Ok(())
}

/// The titles of records, for those that name them: one read a kind, whatever the page's size.
/// Ids the caller may not read are left out.
pub(crate) async fn titles(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, String)>, Fault> {
    let Some(title) = entity.field(entity.title).filter(|_| !ids.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut args = Args::new();
    args.push(actor.path.as_str());
    let numbers: Vec<String> = ids.iter().map(|id| format!("${}", args.push(*id))).collect();
    let sql = format!(
        "SELECT id, {} FROM {} WHERE {} AND id IN ({})",
        title.name,
        entity.table,
        entity.scope.readable(),
        numbers.join(", ")
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let mut titles = Vec::with_capacity(rows.len());
    for row in &rows {
        let text = match cell(row, title)? {
            Json::String(text) => text,
            Json::Null => continue,
            other => other.to_string(),
        };
        titles.push((row.get("id")?, text));
    }
    Ok(titles)
}

/// A row as the API shows it; `fields` empty: all of it. The id is always there.
pub(crate) fn shown(
    entity: &Entity,
    row: &Row,
    fields: &[&'static str],
) -> Result<Json, StoreError> {
    let wanted = |name: &str| fields.is_empty() || fields.contains(&name);
    let mut shown = Map::new();
    let id: Uuid = row.get("id")?;
    shown.insert("id".to_owned(), json!(model::id::show(entity.prefix, id)));
    if wanted("organisation_id") {
        let organisation: model::OrganisationId = row.get("organisation_id")?;
        shown.insert("organisation_id".to_owned(), json!(organisation));
    }
    for field in entity.all_fields().filter(|field| field.is_column() && wanted(field.name)) {
        shown.insert(field.name.to_owned(), cell(row, field)?);
    }
    if entity.custom && wanted("custom") {
        shown.insert("custom".to_owned(), super::custom::of_row(row)?);
    }
    if wanted("version") {
        shown.insert("version".to_owned(), json!(row.get::<i64>("version")?));
    }
    Ok(Json::Object(shown))
}

/// One value of a row, as JSON has it.
pub(crate) fn cell(row: &Row, field: &Field) -> Result<Json, StoreError> {
    Ok(match field.kind {
        Kind::Text(_)
        | Kind::LongText(_)
        | Kind::Email
        | Kind::Date
        | Kind::Zone
        | Kind::Choice(_) => json!(row.get::<Option<String>>(field.name)?),
        Kind::Integer(..) | Kind::Rate(..) | Kind::Seconds(..) => {
            json!(row.get::<Option<i64>>(field.name)?)
        }
        Kind::Flag => json!(row.get::<Option<bool>>(field.name)?),
        Kind::Time => json!(row.get::<Option<model::Ts>>(field.name)?),
        Kind::Reference(prefix, _) => {
            let id: Option<Uuid> = row.get(field.name)?;
            json!(id.map(|id| model::id::show(prefix, id)))
        }
        Kind::Address => {
            let net: Option<IpNetwork> = row.get(field.name)?;
            json!(net.map(|net| net.ip()))
        }
        Kind::Network => {
            let net: Option<IpNetwork> = row.get(field.name)?;
            json!(net.map(|net| net.to_string()))
        }
        Kind::Money => {
            let amount: Option<i64> = row.get(&format!("{}_amount", field.name))?;
            let currency: Option<String> = row.get(&format!("{}_currency", field.name))?;
            match (amount, currency) {
                (Some(amount), Some(currency)) => json!({"amount": amount, "currency": currency}),
                _ => Json::Null,
            }
        }
        Kind::Words(..) => row.get::<Option<Json>>(field.name)?.unwrap_or_else(|| json!([])),
        Kind::Map(..) => row.get::<Option<Json>>(field.name)?.unwrap_or_else(|| json!({})),
        Kind::Document(_) => row.get::<Option<Json>>(field.name)?.unwrap_or(Json::Null),
        Kind::Secret(_) => Json::Null,
    })
}
