//! The audit log: who did what, with the record before and after.
//!
//! Entries are written by [`super::Unit`] with the change they report, and go when their time is
//! over (`jobs/purge.rs`). Nothing changes one.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use store::{Args, Engine};
use uuid::Uuid;

use super::{Actor, Fault, Office, contains};
use crate::entity::query::ListQuery;
use crate::entity::registry::by_prefix;
use crate::entity::{Entity, Field, Flags, Hooks, Kind, Source, Verbs, read};

/// What entries are about. What is in no other category is a change of ordinary records.
pub(crate) const CATEGORIES: &[&str] =
    &["authentication", "records", "financial", "network", "system"];

/// The records of each category but `records`.
const OF_CATEGORY: &[(&str, &[&str])] = &[
    ("authentication", &["staff", "role", "token", "identity_provider"]),
    (
        "financial",
        &[
            "invoice",
            "payment",
            "adjustment",
            "credit_note",
            "refund",
            "price",
            "tax",
            "plan",
            "ledger_entry",
            "ledger_account",
        ],
    ),
    (
        "network",
        &[
            "nas",
            "nas_group",
            "radius_client",
            "radius_group",
            "attribute_template",
            "realm",
            "session",
            "service",
            "pool",
            "device",
        ],
    ),
    (
        "system",
        &[
            "settings",
            "modules",
            "job",
            "job_run",
            "maintenance_window",
            "webhook",
            "organisation",
            "custom_field",
            "backup",
            "export",
            "export_template",
            "import",
        ],
    ),
];

/// Records whose every change is worth a second look: rights, money, what holds for all.
const CRITICAL: &[&str] = &[
    "role",
    "token",
    "identity_provider",
    "organisation",
    "settings",
    "modules",
    "invoice",
    "payment",
    "adjustment",
    "credit_note",
    "refund",
    "price",
    "tax",
    "radius_client",
];

/// What staff do every day with their own accounts.
const DAILY: &[&str] = &[
    "signed_in",
    "linked",
    "sign_in_failed",
    "password_changed",
    "recovery_codes_renewed",
    "second_factor_enabled",
    "sessions_ended",
    "impersonation_ended",
];

/// What an entry about a record is about.
pub(crate) fn category(entity: &str) -> &'static str {
    let of = OF_CATEGORY.iter().find(|(_, entities)| entities.contains(&entity));
    of.map_or("records", |(category, _)| category)
}

/// Whether an entry is worth a second look: deletions, changes of rights, money.
pub(crate) fn is_critical(entity: &str, action: &str) -> bool {
    matches!(action, "deleted" | "purged" | "secret_revealed")
        || CRITICAL.contains(&entity)
        || entity == "staff" && !DAILY.contains(&action)
}

/// What is read of the log before a search gives up, entries: the newest ones.
const SEARCHED_MAX: i64 = 20_000;
/// What a search finds at most.
const FOUND_MAX: i64 = 1_000;

/// An entry of the audit log.
pub(crate) const AUDIT_ENTRY: Entity = Entity {
    name: "audit_entry",
    path: "audit",
    table: "audit_entry",
    prefix: model::AuditId::PREFIX,
    permission: "audit",
    verbs: Verbs::READ,
    base: false,
    hides: true,
    title: "entity_id",
    fields: &[
        Field::new("at", Kind::Time, SHOWN.and(Flags::SORTABLE).and(Flags::FILLED)),
        Field::new("actor", Kind::Text(100), Flags::FILTERABLE.and(Flags::FILLED)),
        Field::new(
            "actor_name",
            Kind::Text(100),
            Flags::COMPUTED.and(Flags::PERSONAL).and(Flags::LISTED),
        ),
        // Whoever really sat there, where somebody acted as another.
        Field::new("impersonator", Kind::Text(100), Flags::FILTERABLE),
        Field::new("action", Kind::Text(60), SHOWN),
        Field::new("entity", Kind::Text(60), SHOWN),
        Field::new("entity_id", Kind::Text(100), SHOWN),
        Field::new("category", Kind::Choice(CATEGORIES), SHOWN),
        Field::new("critical", Kind::Flag, SHOWN),
        Field::new("request_id", Kind::Text(60), Flags::FILTERABLE),
        Field::new("before", Kind::Document(None), Flags::PERSONAL),
        Field::new("after", Kind::Document(None), Flags::PERSONAL),
    ],
    hooks: Hooks {
        extend: |source, rows| Box::pin(name_actors(source, rows)),
        find: Some(|office, _, within, query, text| Box::pin(search(office, within, query, text))),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

const SHOWN: Flags = Flags::FILTERABLE.and(Flags::LISTED);

/// Names the actors that the reader may know: one read a kind of actor.
async fn name_actors(source: Source<'_, '_>, rows: &mut [Json]) -> Result<(), Fault> {
    let (office, reader): (&Office, &Actor) = match source {
        Source::Office(office, reader) => (office, reader),
        // Nobody writes an entry by its description.
        Source::Unit(_) => return Ok(()),
    };
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for entity in ["usr", "tok"].into_iter().filter_map(by_prefix) {
        let actor = |row: &Json| entity.id(row["actor"].as_str()?).ok();
        let mut ids: Vec<Uuid> = rows.iter().filter_map(actor).collect();
        ids.sort_unstable();
        ids.dedup();
        for (id, title) in read::titles(office, reader, entity, &ids).await? {
            names.insert(model::id::show(entity.prefix, id), title);
        }
    }
    let home = reader.organisation.to_string();
    for row in rows {
        let actor = row["actor"].as_str().unwrap_or_default();
        let own = (actor == reader.label()).then_some(&reader.name);
        row["actor_name"] = json!(names.get(actor).or(own));
        // What is above a reader stays hidden in what was written about their organisation too.
        if row["entity_id"] == home.as_str() {
            for side in ["before", "after"] {
                row[side].as_object_mut().map(|side| side.remove("parent_id"));
            }
        }
    }
    Ok(())
}

/// The newest entries whose record, before or after, has a text. The log has no index of words:
/// that would cost every change more than the change itself. So the newest entries that pass the
/// list's other filters are looked through, and no more than [`SEARCHED_MAX`]. The flag says that
/// there may be others: more that fit, or, where every one is wanted, more than are looked through.
async fn search(
    office: &Office,
    within: Option<&[Uuid]>,
    query: &ListQuery,
    text: &str,
) -> Result<(Vec<Uuid>, bool), Fault> {
    let engine = office.db.engine();
    let mut args = Args::new();
    let mut conditions = vec![match within {
        Some(ids) => read::among(engine, "organisation_id", ids, &mut args),
        None => "deleted_at IS NULL".to_owned(),
    }];
    conditions.extend(query.filters.iter().filter_map(|filter| read::narrowed(filter, &mut args)));
    if let Some(id) = query.organisation {
        // One that the reader may not look into falls to the condition above.
        conditions.push(format!(
            "organisation_id IN (SELECT below.id FROM organisation below
             JOIN organisation top ON below.path LIKE top.path || '%' WHERE top.id = ${})",
            args.push(id)
        ));
    }
    let conditions = conditions.join(" AND ");
    let mut more = false;
    if query.whole {
        let mut args = args.clone();
        let skip = args.push(SEARCHED_MAX);
        let sql =
            format!("SELECT 1 AS found FROM audit_entry WHERE {conditions} LIMIT 1 OFFSET ${skip}");
        more = !office.db.dynamic_all(&sql, args).await?.is_empty();
    }
    // In JSON a quote is written with a backslash, and so is what a person types here.
    let quoted = Json::from(text).to_string();
    let pattern = args.push(contains(quoted.trim_matches('"')));
    let (most, limit) = (args.push(SEARCHED_MAX), args.push(FOUND_MAX));
    let of = |column: &str| match engine {
        // Postgres writes JSONB with blanks of its own, but texts as they are.
        Engine::Postgres => format!("lower(COALESCE({column}::text, ''))"),
        Engine::Sqlite => format!("lower(COALESCE({column}, ''))"),
    };
    let sql = format!(
        "SELECT id FROM (
            SELECT id, entity_id, before, after FROM audit_entry WHERE {conditions}
            ORDER BY at DESC LIMIT ${most}) AS latest
         WHERE {} LIKE ${pattern} ESCAPE '!' OR {} LIKE ${pattern} ESCAPE '!'
            OR entity_id LIKE ${pattern} ESCAPE '!'
         LIMIT ${limit}",
        of("before"),
        of("after"),
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<Uuid>, _>>()?;
    let more = more || ids.len() as i64 >= FOUND_MAX;
    Ok((ids, more))
}

#[cfg(test)]
mod tests;
