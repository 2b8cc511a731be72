//! Who did what: the audit log, one entry field by field, the history of a record, the activity
//! feed.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{AuditId, Ts};
use serde_json::Value as Json;
use store::{Args, StoreError};

use super::failure::Failure;
use super::guard::{Fields, Signed};
use super::page::{self, Column, Place, Viewer};
use super::records::{Address, Look, Slot, Titles, slots, text_of};
use super::show;
use super::words::{self, Key, Words, readable};
use crate::domain::access::Rights;
use crate::domain::{Actor, Fault, Office};
use crate::entity::registry::{ENTITIES, by_name, by_prefix};
use crate::entity::{Kind, read};

/// Entries of a page.
const PAGE: i64 = 50;
/// Fields named in one line of the log.
const FIELDS_NAMED: usize = 4;

/// What audit entries are about, and the records that belong to each. What is in none of these
/// is a change of ordinary records.
const CATEGORIES: &[(&str, Key, &[&str])] = &[
    (
        "authentication",
        words::AUDIT_CATEGORY_AUTHENTICATION,
        &["staff", "staff_session", "role", "api_token", "token"],
    ),
    (
        "financial",
        words::AUDIT_CATEGORY_FINANCIAL,
        &["invoice", "payment", "credit_note", "refund", "price", "tax", "plan", "ledger_entry"],
    ),
    (
        "network",
        words::AUDIT_CATEGORY_NETWORK,
        &["nas", "radius_client", "session", "service", "pool", "device"],
    ),
    (
        "system",
        words::AUDIT_CATEGORY_SYSTEM,
        &[
            "setting",
            "module",
            "job",
            "job_run",
            "webhook",
            "organisation",
            "custom_field",
            "backup",
        ],
    ),
];

/// The category of all the rest.
const RECORDS: &str = "records";

/// Records whose every change is worth a second look: rights, money, what holds for all.
const CRITICAL: &[&str] = &[
    "role",
    "staff",
    "api_token",
    "token",
    "organisation",
    "setting",
    "invoice",
    "payment",
    "credit_note",
    "refund",
    "price",
    "tax",
    "radius_client",
];

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    id: String,
    at: Ts,
    actor: String,
    /// The actor's name, where the viewer may know it.
    name: Option<String>,
    action: String,
    entity: String,
    record: String,
    organisation: String,
    before: Json,
    after: Json,
    request: Option<String>,
}

/// What the log is narrowed to.
#[derive(Debug, Clone, Default)]
struct Filter {
    record: String,
    actor: String,
    action: String,
    entity: String,
    category: String,
    from: Option<Ts>,
    to: Option<Ts>,
    /// The last entry of the page before.
    after: Option<(Ts, AuditId)>,
}

/// Whether the actor may read the log.
pub(super) fn may(actor: &Actor) -> bool {
    super::viewer::holds(actor, "audit.view")
}

fn require(actor: &Actor) -> Result<(), Fault> {
    if may(actor) { Ok(()) } else { Err(Fault::NotFound("page")) }
}

impl Filter {
    fn of(words: &Words, fields: &Fields) -> Self {
        let day = |name: &str| show::instant(words, fields.get(name));
        let after = fields
            .get("cursor")
            .split_once('.')
            .and_then(|(at, id)| Some((Ts(at.parse().ok()?), id.parse().ok()?)));
        Self {
            record: fields.get("record").to_owned(),
            actor: fields.get("actor").to_owned(),
            action: fields.get("action").to_owned(),
            entity: fields.get("entity").to_owned(),
            category: fields.get("category").to_owned(),
            from: day("from"),
            // "To the 3rd" means to its end.
            to: day("to").map(|at| at.plus_seconds(86_400)),
            after,
        }
    }
}

/// The entries that fit, the newest first: only the caller's subtree is read.
async fn entries(
    office: &Office,
    actor: &Actor,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    let mut args = Args::new();
    args.push(actor.path.as_str());
    let mut conditions = vec![
        "organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')".to_owned(),
    ];
    let texts = [
        ("entity_id", &filter.record),
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("entity", &filter.entity),
    ];
    for (column, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        conditions.push(format!("{column} = ${}", args.push(text.as_str())));
    }
    let named = CATEGORIES.iter().find(|(word, ..)| *word == filter.category);
    if let Some((.., entities)) = named {
        conditions.push(one_of(&mut args, "IN", entities));
    } else if filter.category == RECORDS {
        let all: Vec<&str> = CATEGORIES.iter().flat_map(|(.., own)| own.iter().copied()).collect();
        conditions.push(one_of(&mut args, "NOT IN", &all));
    }
    if let Some(from) = filter.from {
        conditions.push(format!("at >= ${}", args.push(from)));
    }
    if let Some(to) = filter.to {
        conditions.push(format!("at < ${}", args.push(to)));
    }
    if let Some((at, id)) = filter.after {
        let (at, id) = (args.push(at), args.push(id));
        conditions.push(format!("at <= ${at} AND (at < ${at} OR id < ${id})"));
    }
    let limit = args.push(limit);
    let sql = format!(
        "SELECT id, organisation_id, at, actor, action, entity, entity_id, before, after, request_id
         FROM audit_entry WHERE {} ORDER BY at DESC, id DESC LIMIT ${limit}",
        conditions.join(" AND ")
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let entry = |row: &store::Row| -> Result<Entry, StoreError> {
        let id: AuditId = row.get("id")?;
        let organisation: model::OrganisationId = row.get("organisation_id")?;
        Ok(Entry {
            id: id.to_string(),
            at: row.get("at")?,
            actor: row.get("actor")?,
            name: None,
            action: row.get("action")?,
            entity: row.get("entity")?,
            record: row.get("entity_id")?,
            organisation: organisation.to_string(),
            before: row.get::<Option<Json>>("before")?.unwrap_or(Json::Null),
            after: row.get::<Option<Json>>("after")?.unwrap_or(Json::Null),
            request: row.get("request_id")?,
        })
    };
    let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    for entry in &mut entries {
        if let Some(entity) = by_name(&entry.entity) {
            for side in [&mut entry.before, &mut entry.after] {
                read::conceal(entity, &actor.rights, side);
            }
        }
    }
    name(office, actor, &mut entries).await?;
    Ok(entries)
}

fn one_of(args: &mut Args, sign: &str, words: &[&str]) -> String {
    let numbers: Vec<String> = words.iter().map(|word| format!("${}", args.push(*word))).collect();
    format!("entity {sign} ({})", numbers.join(", "))
}

/// Names the actors: one read a kind of actor.
async fn name(office: &Office, actor: &Actor, entries: &mut [Entry]) -> Result<(), Fault> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for entity in [by_prefix("usr"), by_prefix("tok")].into_iter().flatten() {
        let mut ids: Vec<uuid::Uuid> =
            entries.iter().filter_map(|entry| entity.id(&entry.actor).ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        for (id, title) in read::titles(office, actor, entity, &ids).await? {
            names.insert(model::id::show(entity.prefix, id), title);
        }
    }
    for entry in entries {
        entry.name = names.get(&entry.actor).cloned();
        if entry.name.is_none() && entry.actor == actor.label() {
            entry.name = Some(actor.name.clone());
        }
    }
    Ok(())
}

/// The entries of one record.
pub(super) async fn of_record(
    office: &Office,
    actor: &Actor,
    record: &str,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    require(actor)?;
    let filter = Filter { record: record.to_owned(), ..Filter::default() };
    entries(office, actor, &filter, limit).await
}

/// One field of an entry that differs.
struct Difference {
    label: String,
    before: Markup,
    after: Markup,
}

impl Entry {
    /// The fields that differ.
    fn differences(&self, words: &Words, titles: &Titles) -> Vec<Difference> {
        let own: Vec<Slot> = by_name(&self.entity)
            .map(|entity| slots(words, &Rights::all(), entity, &[]))
            .unwrap_or_default();
        let look = Look { words, titles, short: false };
        let shown = |name: &str, value: &Json| match own.iter().find(|slot| slot.name == name) {
            Some(slot) => look.cell(slot, value),
            None => plain(words, value),
        };
        let label = |name: &str| {
            let slot = own.iter().find(|slot| slot.name == name);
            slot.map_or_else(|| readable(name), |slot| slot.label.clone())
        };
        self.changed()
            .into_iter()
            .map(|name| Difference {
                label: label(name),
                before: shown(name, &self.before[name]),
                after: shown(name, &self.after[name]),
            })
            .collect()
    }

    /// The names of the fields that differ; the version and the time of the change always do.
    fn changed(&self) -> Vec<&str> {
        let mut names: Vec<&str> = [&self.before, &self.after]
            .into_iter()
            .filter_map(Json::as_object)
            .flat_map(|object| object.keys().map(String::as_str))
            .filter(|name| !["id", "version", "updated_at", "created_at"].contains(name))
            .filter(|name| self.before[*name] != self.after[*name])
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn is_critical(&self) -> bool {
        self.action == "deleted" || CRITICAL.contains(&self.entity.as_str())
    }

    fn who(&self, words: &Words) -> String {
        match (&self.name, self.actor.split('_').next()) {
            (Some(name), _) => name.clone(),
            (None, Some("usr")) => words.say(words::BY_STAFF),
            (None, Some("tok")) => words.say(words::BY_TOKEN),
            _ => self.actor.clone(),
        }
    }

    /// What was done: "Customer: created".
    fn what(&self, words: &Words) -> String {
        let entity = by_name(&self.entity);
        let entity = entity.map_or_else(|| readable(&self.entity), |entity| words.entity(entity));
        let action = words.action(&self.action);
        words.say_with(words::AUDIT_DID, &[("entity", entity.into()), ("action", action.into())])
    }

    /// What the record was known by.
    fn title(&self) -> String {
        let title = by_name(&self.entity).map_or("name", |entity| entity.title);
        let text =
            |of: &Json| of[title].as_str().or_else(|| of["name"].as_str()).map(str::to_owned);
        text(&self.after).or_else(|| text(&self.before)).unwrap_or_else(|| self.record.clone())
    }

    /// Where the record is, unless it was deleted.
    fn address(&self) -> Option<String> {
        let path = match by_name(&self.entity) {
            Some(entity) => entity.path,
            None if self.entity == "customer" => "customers",
            None if self.entity == "service" => "services",
            None => return None,
        };
        (self.action != "deleted").then(|| format!("/{path}/{}", self.record))
    }
}

/// A value of a field nobody described.
fn plain(words: &Words, value: &Json) -> Markup {
    match value {
        Json::Null => html! { span.dim { (words.say(words::NONE)) } },
        Json::String(text) => html! { (text) },
        value => html! { code { (text_of(words, Kind::Document(None), value)) } },
    }
}

/// `GET /audit`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor)?;
        let fields = Fields::of_query(&request);
        let filter = Filter::of(&viewer.words, &fields);
        let mut entries = entries(&office, actor, &filter, PAGE + 1).await?;
        let more = entries.len() as i64 > PAGE;
        entries.truncate(PAGE as usize);
        Ok(page::send(StatusCode::OK, render_list(viewer, &fields, &entries, more)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /activity`
pub(super) async fn activity(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor)?;
        let entries = entries(&office, actor, &Filter::default(), PAGE).await?;
        let title = viewer.words.say(words::ACTIVITY_TITLE);
        let body = html! {
            h1 { (title) }
            div id="live" data-refresh { (history(viewer, &entries, false)) }
        };
        let page = page::page(viewer, Some(Place::At("activity")), &title, None, &body);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /audit/{id}`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor)?;
        let id: AuditId = id.parse().map_err(|_| Fault::NotFound("audit entry"))?;
        let mut args = Args::new();
        args.push(actor.path.as_str());
        args.push(id);
        // Found by its time and id, as the log is ordered.
        let row = office.db.fetch_optional(&crate::store::audit::FIND, args).await?;
        let row = row.ok_or(Fault::NotFound("audit entry"))?;
        let record: String = row.get("entity_id")?;
        let at: Ts = row.get("at")?;
        let filter = Filter { record, from: Some(at), to: Some(Ts(at.0 + 1)), ..Filter::default() };
        let found = entries(&office, actor, &filter, PAGE).await?;
        let entry = found.into_iter().find(|entry| entry.id == id.to_string());
        let entry = entry.ok_or(Fault::NotFound("audit entry"))?;
        let own = by_name(&entry.entity)
            .map(|entity| slots(&viewer.words, &Rights::all(), entity, &[]))
            .unwrap_or_default();
        let sides = [entry.before.clone(), entry.after.clone()];
        let titles = Titles::load(&office, actor, &own, &sides).await?;
        Ok(page::send(StatusCode::OK, render(viewer, &entry, &titles)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render_list(viewer: &Viewer, fields: &Fields, entries: &[Entry], more: bool) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::AUDIT_TITLE);
    let mut address = Address::of("/audit");
    for (name, value) in
        fields.0.iter().filter(|(name, value)| *name != "cursor" && !value.is_empty())
    {
        address = address.with(name, value);
    }
    let next = entries
        .last()
        .filter(|_| more)
        .map(|last| address.with("cursor", &format!("{}.{}", last.at.0, last.id)).to_string());
    let columns = [
        Column::text(words, words::AUDIT_AT),
        Column::text(words, words::AUDIT_WHO),
        Column::text(words, words::AUDIT_WHAT),
        Column::text(words, words::AUDIT_RECORD),
        Column::text(words, words::AUDIT_FIELD),
    ];
    let row = |entry: &Entry| {
        vec![
            html! { a href=(format!("/audit/{}", entry.id)) { (show::time(words, entry.at)) } },
            html! { a href=(address.with("actor", &entry.actor)) { (entry.who(words)) } },
            html! {
                (entry.what(words))
                @if entry.is_critical() { " " span.badge.bad { (words.say(words::AUDIT_CRITICAL)) } }
            },
            html! {
                @match entry.address() {
                    Some(address) => a href=(address) { (entry.title()) },
                    None => (entry.title()),
                }
            },
            html! { span.dim { (fields_named(words, entry)) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = entries.iter().map(row).collect();
    let body = html! {
        div.head {
            h1 { (title) }
        }
        (filter_form(words, fields))
        @if rows.is_empty() {
            (page::empty(
                &words.say(words::AUDIT_EMPTY), Some(("/audit", &words.say(words::LIST_CLEAR)))
            ))
        } @else {
            (page::table(&title, &columns, &rows))
            nav.pager aria-label=(words.say(words::PAGER)) {
                @if !fields.get("cursor").is_empty() {
                    a.button.quiet href=(address) { (words.say(words::NEWEST)) }
                }
                @if let Some(next) = next {
                    a.button.quiet rel="next" href=(next) { (words.say(words::OLDER)) }
                }
            }
        }
    };
    page::page(viewer, Some(Place::At("audit")), &title, None, &body)
}

/// The fields that an entry changed, in one line.
fn fields_named(words: &Words, entry: &Entry) -> String {
    if entry.before.is_null() || entry.after.is_null() {
        return String::new();
    }
    let changed = entry.changed();
    let entity = by_name(&entry.entity);
    let mut named: Vec<String> = changed
        .iter()
        .take(FIELDS_NAMED)
        .map(|name| entity.map_or_else(|| readable(name), |entity| words.field(entity, name)))
        .collect();
    let rest = changed.len().saturating_sub(FIELDS_NAMED);
    if rest > 0 {
        named.push(words.say_with(words::MORE, &[("n", rest.into())]));
    }
    named.join(", ")
}

fn filter_form(words: &Words, fields: &Fields) -> Markup {
    let any = words.say(words::LIST_ANY);
    let select = |name: &str, label: Key, choices: Vec<(String, String)>| {
        html! {
            div.field {
                label for=(format!("f-{name}")) { (words.say(label)) }
                select id=(format!("f-{name}")) name=(name) {
                    option value="" { (any) }
                    @for (value, text) in &choices {
                        option value=(value) selected[*value == fields.get(name)] { (text) }
                    }
                }
            }
        }
    };
    let day = |name: &str, label: Key| {
        html! {
            div.field {
                label for=(format!("f-{name}")) { (words.say(label)) }
                input id=(format!("f-{name}")) name=(name) type="date" value=(fields.get(name));
            }
        }
    };
    let mut entities: Vec<(String, String)> =
        ENTITIES.iter().map(|entity| (entity.name.to_owned(), words.entity(entity))).collect();
    entities.sort_by(|a, b| a.1.cmp(&b.1));
    entities.dedup();
    let actions = ["created", "updated", "deleted", "restored"];
    let actions = actions.map(|word| (word.to_owned(), words.action(word)));
    let mut categories: Vec<(String, String)> =
        CATEGORIES.iter().map(|(word, key, _)| ((*word).to_owned(), words.say(*key))).collect();
    categories.push((RECORDS.to_owned(), words.say(words::AUDIT_CATEGORY_RECORDS)));
    html! {
        form.filter.audit method="get" action="/audit" {
            (day("from", words::AUDIT_FROM))
            (day("to", words::AUDIT_TO))
            (select("category", words::AUDIT_CATEGORY, categories))
            (select("entity", words::AUDIT_ENTITY, entities))
            (select("action", words::AUDIT_ACTION, actions.into()))
            @if !fields.get("actor").is_empty() {
                input type="hidden" name="actor" value=(fields.get("actor"));
            }
            button.quiet type="submit" { (words.say(words::LIST_FILTER_APPLY)) }
            a.small href="/audit" { (words.say(words::LIST_CLEAR)) }
        }
    }
}

fn render(viewer: &Viewer, entry: &Entry, titles: &Titles) -> Markup {
    let words = &viewer.words;
    let title = entry.what(words);
    let branch = viewer.branches.iter().find(|branch| branch.id == entry.organisation);
    let body = html! {
        p.crumb { a href="/audit" { (words.say(words::AUDIT_TITLE)) } }
        div.head {
            h1 { (title) }
            @if entry.is_critical() { span.badge.bad { (words.say(words::AUDIT_CRITICAL)) } }
        }
        div.card {
            dl.record {
                div { dt { (words.say(words::AUDIT_AT)) } dd { (show::time(words, entry.at)) } }
                div { dt { (words.say(words::AUDIT_WHO)) } dd { (entry.who(words)) } }
                div {
                    dt { (words.say(words::AUDIT_RECORD)) }
                    dd {
                        @match entry.address() {
                            Some(address) => a href=(address) { (entry.title()) },
                            None => (entry.title()),
                        }
                    }
                }
                @if let Some(branch) = branch {
                    div { dt { (words.say(words::AUDIT_ORGANISATION)) } dd { (branch.name) } }
                }
                @if let Some(request) = &entry.request {
                    div { dt { (words.say(words::AUDIT_REQUEST)) } dd { code { (request) } } }
                }
            }
        }
        section { (difference(words, entry, titles)) }
    };
    page::page(viewer, Some(Place::At("audit")), &title, None, &body)
}

/// The fields that differ, before and after.
fn difference(words: &Words, entry: &Entry, titles: &Titles) -> Markup {
    let differences = entry.differences(words, titles);
    if differences.is_empty() {
        return html! { p.dim { (words.say(words::AUDIT_NO_CHANGE)) } };
    }
    let columns = [
        Column::text(words, words::AUDIT_FIELD),
        Column::text(words, words::AUDIT_BEFORE),
        Column::text(words, words::AUDIT_AFTER),
    ];
    let rows: Vec<Vec<Markup>> = differences
        .into_iter()
        .map(|one| {
            vec![
                html! { (one.label) },
                html! { @if !entry.before.is_null() { del { (one.before) } } },
                html! { @if !entry.after.is_null() { ins { (one.after) } } },
            ]
        })
        .collect();
    html! { div.diff { (page::table(&entry.what(words), &columns, &rows)) } }
}

/// The history of a record: line by line, or with every field.
pub(super) fn history(viewer: &Viewer, entries: &[Entry], full: bool) -> Markup {
    let words = &viewer.words;
    if entries.is_empty() {
        return page::empty(&words.say(words::OVERVIEW_NO_ACTIVITY), None);
    }
    let line = |entry: &Entry| {
        html! {
            span.dim { (entry.who(words)) " · " (show::time(words, entry.at)) }
        }
    };
    html! {
        @if full {
            @for entry in entries {
                section {
                    div.head {
                        h2 { a href=(format!("/audit/{}", entry.id)) { (entry.what(words)) } }
                        (line(entry))
                    }
                    (difference(words, entry, &Titles::default()))
                }
            }
        } @else {
            ul.activity {
                @for entry in entries {
                    li {
                        span.what {
                            a href=(format!("/audit/{}", entry.id)) { (entry.what(words)) }
                            " · " (entry.title())
                            @let named = fields_named(words, entry);
                            @if !named.is_empty() { " " span.dim { "(" (named) ")" } }
                        }
                        (line(entry))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::page::tests::viewer;

    fn entry(action: &str, entity: &str, before: Json, after: Json) -> Entry {
        Entry {
            id: "aud_1".to_owned(),
            at: "2026-03-01T09:30:00Z".parse().unwrap(),
            actor: "usr_1".to_owned(),
            name: Some("Asha <b>".to_owned()),
            action: action.to_owned(),
            entity: entity.to_owned(),
            record: "lbl_1".to_owned(),
            organisation: "org_1".to_owned(),
            before,
            after,
            request: Some("req_1".to_owned()),
        }
    }

    #[test]
    fn an_entry_shows_only_what_differs() {
        let entry = entry(
            "updated",
            "label",
            json!({"name": "VIP", "kind": "customer", "version": 1, "odd": {"a": 1}}),
            json!({"name": "<i>", "kind": "customer", "version": 2, "odd": {"a": 2}}),
        );
        let text = render(&viewer(), &entry, &Titles::default()).into_string();
        for part in ["<del>VIP</del>", "<ins>&lt;i&gt;</ins>", "Asha &lt;b&gt;", "req_1", "Odd"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("<del>Customer"), "{text}");
        assert!(!entry.is_critical());
    }

    #[test]
    fn deletions_and_changes_of_rights_are_marked() {
        let deleted = entry("deleted", "label", json!({"name": "VIP"}), Json::Null);
        let role = entry("updated", "role", json!({"name": "a"}), json!({"name": "b"}));
        let entries = [deleted, role];
        let text = render_list(&viewer(), &Fields::default(), &entries, false).into_string();
        assert_eq!(text.matches("badge bad").count(), 2, "{text}");
        assert!(text.contains("VIP") && !text.contains(r#"href="/labels/lbl_1""#));
    }

    #[test]
    fn the_next_page_begins_behind_the_last_entry_and_keeps_the_filters() {
        let fields = Fields([("entity".to_owned(), "label".to_owned())].into());
        let entries = [entry("created", "label", Json::Null, json!({"name": "VIP"}))];
        let text = render_list(&viewer(), &fields, &entries, true).into_string();
        assert!(text.contains("/audit?cursor=1772357400000000.aud_1&amp;entity=label"), "{text}");
        let filter = Filter::of(&Words::english(), &Fields::default());
        assert!(filter.after.is_none() && filter.from.is_none());
    }
}
