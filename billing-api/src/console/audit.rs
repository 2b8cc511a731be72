//! Who did what: the audit log, one entry field by field, the history of a record, the activity
//! feed.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Ts;
use serde_json::Value as Json;

use super::failure::Failure;
use super::guard::{Fields, Signed};
use super::page::{self, Column, Place, Viewer};
use super::records::{Address, Look, Slot, Titles, export_of, slots, text_of};
use super::show;
use super::words::{self, Key, Words, readable};
use crate::domain::access::Rights;
use crate::domain::audit::{AUDIT_ENTRY, CATEGORIES};
use crate::domain::{Actor, Fault, Office};
use crate::entity::query::ListQuery;
use crate::entity::registry::{ENTITIES, by_name};
use crate::entity::{Entity, Kind, read};

/// Entries of a page.
const PAGE: i64 = 50;
static LOG: &Entity = &AUDIT_ENTRY;

/// Fields named in one line of the log.
const FIELDS_NAMED: usize = 4;

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    id: String,
    at: Ts,
    actor: String,
    /// The actor's name, where the viewer may know it.
    name: Option<String>,
    /// Whoever really sat there, where somebody acted as another.
    impersonator: Option<String>,
    action: String,
    entity: String,
    record: String,
    organisation: String,
    critical: bool,
    before: Json,
    after: Json,
    request: Option<String>,
}

/// Whether the actor may read the log.
pub(super) fn may(actor: &Actor) -> bool {
    super::viewer::holds(actor, "audit.view")
}

fn require(actor: &Actor) -> Result<(), Fault> {
    if may(actor) { Ok(()) } else { Err(Fault::NotFound("page")) }
}

impl Entry {
    /// Reads an entry as the API shows it.
    fn of(row: &Json) -> Self {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let optional = |name: &str| row[name].as_str().map(str::to_owned);
        Self {
            id: text("id"),
            at: row["at"].as_str().and_then(|at| at.parse().ok()).unwrap_or(Ts(0)),
            actor: text("actor"),
            name: optional("actor_name"),
            impersonator: optional("impersonator"),
            action: text("action"),
            entity: text("entity"),
            record: text("entity_id"),
            organisation: text("organisation_id"),
            critical: row["critical"].as_bool().unwrap_or(false),
            before: row["before"].clone(),
            after: row["after"].clone(),
            request: optional("request_id"),
        }
    }
}

/// The log as its description lists it: the newest first.
async fn entries(
    office: &Office,
    actor: &Actor,
    mut parameters: BTreeMap<String, String>,
    limit: i64,
) -> Result<(Vec<Entry>, Option<String>), Fault> {
    parameters.insert("sort".to_owned(), "-at".to_owned());
    parameters.insert("limit".to_owned(), limit.to_string());
    let query = ListQuery::parse(LOG, &[], parameters)?;
    let mut listed = read::list(office, actor, LOG, &query).await?;
    read::extend(office, actor, LOG, &mut listed.rows).await?;
    Ok((listed.rows.iter().map(Entry::of).collect(), listed.next))
}

/// What the page's fields mean in the API's words; days are those of the reader's clock.
fn parameters(words: &Words, fields: &Fields) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let own = [
        ("record", "entity_id"),
        ("actor", "actor"),
        ("action", "action"),
        ("entity", "entity"),
        ("category", "category"),
        ("critical", "critical"),
        ("organisation_id", "organisation_id"),
        ("request", "request_id"),
        ("q", "q"),
        ("cursor", "cursor"),
    ];
    for (field, name) in own {
        let text = fields.get(field).trim();
        if !text.is_empty() {
            parameters.insert(name.to_owned(), text.to_owned());
        }
    }
    // "To the 3rd" means to its end.
    for (field, name, days) in [("from", "at[gte]", 0), ("to", "at[lt]", 1)] {
        if let Some(at) = show::day(words, fields.get(field), days) {
            parameters.insert(name.to_owned(), at.to_string());
        }
    }
    parameters
}

/// The entries of one record.
pub(super) async fn of_record(
    office: &Office,
    actor: &Actor,
    record: &str,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    require(actor)?;
    let parameters = BTreeMap::from([("entity_id".to_owned(), record.to_owned())]);
    Ok(entries(office, actor, parameters, limit).await?.0)
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
        // What cannot be used is left out: a log is still a log with a broken filter.
        let asked = parameters(&viewer.words, &fields);
        let found = match entries(&office, actor, asked, PAGE).await {
            Err(Fault::Invalid(_)) => entries(&office, actor, BTreeMap::new(), PAGE).await,
            found => found,
        };
        let (entries, next) = found?;
        let export = read::may(actor, LOG, "export");
        Ok(page::send(
            StatusCode::OK,
            render_list(viewer, &fields, &entries, next, export, office.now()),
        ))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /audit/export`
pub(super) async fn export(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    export_of(LOG, request, office, signed).await
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
        let (entries, _) = entries(&office, actor, BTreeMap::new(), PAGE).await?;
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
        let (mut row, _) = read::find(&office, actor, LOG, LOG.id(&id)?).await?;
        let rows = std::slice::from_mut(&mut row);
        read::extend(&office, actor, LOG, rows).await?;
        let entry = Entry::of(&row);
        let own = by_name(&entry.entity)
            .map(|entity| slots(&viewer.words, &Rights::all(), entity, &[]))
            .unwrap_or_default();
        let sides = [entry.before.clone(), entry.after.clone()];
        let titles = Titles::load(&office, actor, &own, &sides).await?;
        Ok(page::send(StatusCode::OK, render(viewer, &entry, &titles)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render_list(
    viewer: &Viewer,
    fields: &Fields,
    entries: &[Entry],
    next: Option<String>,
    export: bool,
    now: Ts,
) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::AUDIT_TITLE);
    let mut address = Address::of("/audit");
    for (name, value) in
        fields.0.iter().filter(|(name, value)| *name != "cursor" && !value.is_empty())
    {
        address = address.with(name, value);
    }
    let next = next.map(|cursor| address.with("cursor", &cursor).to_string());
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
                @if entry.critical { " " span.badge.bad { (words.say(words::AUDIT_CRITICAL)) } }
            },
            html! {
                @match entry.address() {
                    Some(address) => a href=(address) { (entry.title()) },
                    None => (entry.title()),
                }
            },
            match fields_named(words, entry).as_str() {
                "" => html! {},
                named => html! { span.dim { (named) } },
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = entries.iter().map(row).collect();
    let body = html! {
        div.head {
            h1 { (title) }
            @if export {
                div.actions {
                    @for format in ["csv", "xlsx", "pdf"] {
                        a.button.quiet href=(exported(words, fields, format)) download {
                            (words.say_with(words::AUDIT_EXPORT, &[
                                ("format", format.to_uppercase().into())
                            ]))
                        }
                    }
                }
            }
        }
        (filter_form(viewer, fields))
        (since(words, &address, now))
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

/// The ways to today, this week and this month, as the organisation's calendar has them.
fn since(words: &Words, address: &Address, now: Ts) -> Markup {
    let calendar = words.calendar();
    let Some(today) = calendar.day_of(now) else { return html! {} };
    let days = [
        (words::AUDIT_TODAY, Some(today)),
        (words::AUDIT_WEEK, calendar.week_of(today)),
        (words::AUDIT_MONTH, Some(today.first_of_month())),
    ];
    let without = address.without(&["from", "to", "cursor"]);
    html! {
        nav.since aria-label=(words.say(words::AUDIT_SINCE)) {
            @for (key, day) in days {
                @if let Some(day) = day {
                    a.small href=(without.with("from", &day.to_string())) { (words.say(key)) } " "
                }
            }
        }
    }
}

/// Where what the filters leave is as a file.
fn exported(words: &Words, fields: &Fields, format: &str) -> String {
    let mut address = Address::of("/audit/export").with("format", format);
    for (name, value) in parameters(words, fields) {
        if name != "cursor" {
            address = address.with(&name, &value);
        }
    }
    address.to_string()
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

fn filter_form(viewer: &Viewer, fields: &Fields) -> Markup {
    let words = &viewer.words;
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
    let categories = CATEGORIES.iter().copied().zip([
        words::AUDIT_CATEGORY_AUTHENTICATION,
        words::AUDIT_CATEGORY_RECORDS,
        words::AUDIT_CATEGORY_FINANCIAL,
        words::AUDIT_CATEGORY_NETWORK,
        words::AUDIT_CATEGORY_SYSTEM,
    ]);
    let categories = categories.map(|(word, key)| (word.to_owned(), words.say(key))).collect();
    let branches: Vec<(String, String)> =
        viewer.branches.iter().map(|branch| (branch.id.clone(), branch.name.clone())).collect();
    let critical = vec![("true".to_owned(), words.say(words::AUDIT_CRITICAL_ONLY))];
    html! {
        form.filter.audit method="get" action="/audit" {
            (day("from", words::AUDIT_FROM))
            (day("to", words::AUDIT_TO))
            (select("category", words::AUDIT_CATEGORY, categories))
            (select("entity", words::AUDIT_ENTITY, entities))
            (select("action", words::AUDIT_ACTION, actions.into()))
            (select("critical", words::AUDIT_WEIGHT, critical))
            @if branches.len() > 1 {
                (select("organisation_id", words::AUDIT_ORGANISATION, branches))
            }
            div.field {
                label for="f-q" { (words.say(words::AUDIT_SEARCH)) }
                input id="f-q" name="q" type="search" value=(fields.get("q"));
            }
            @for name in ["actor", "record", "request"] {
                @if !fields.get(name).is_empty() {
                    input type="hidden" name=(name) value=(fields.get(name));
                }
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
            @if entry.critical { span.badge.bad { (words.say(words::AUDIT_CRITICAL)) } }
        }
        div.card {
            dl.record {
                div { dt { (words.say(words::AUDIT_AT)) } dd { (show::time(words, entry.at)) } }
                div { dt { (words.say(words::AUDIT_WHO)) } dd { (entry.who(words)) } }
                @if let Some(impersonator) = &entry.impersonator {
                    div {
                        dt { (words.say(words::AUDIT_IMPERSONATOR)) }
                        dd { a href=(format!("/staff/{impersonator}")) { (impersonator) } }
                    }
                }
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
            impersonator: None,
            action: action.to_owned(),
            entity: entity.to_owned(),
            record: "lbl_1".to_owned(),
            organisation: "org_1".to_owned(),
            critical: crate::domain::audit::is_critical(entity, action),
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
        assert!(!entry.critical);
    }

    #[test]
    fn deletions_and_changes_of_rights_are_marked() {
        let deleted = entry("deleted", "label", json!({"name": "VIP"}), Json::Null);
        let role = entry("updated", "role", json!({"name": "a"}), json!({"name": "b"}));
        let entries = [deleted, role];
        let text =
            render_list(&viewer(), &Fields::default(), &entries, None, false, Ts(0)).into_string();
        assert_eq!(text.matches("badge bad").count(), 2, "{text}");
        assert!(text.contains("VIP") && !text.contains(r#"href="/labels/lbl_1""#));
    }

    #[test]
    fn the_next_page_begins_behind_the_last_entry_and_keeps_the_filters() {
        let fields = Fields([("entity".to_owned(), "label".to_owned())].into());
        let entries = [entry("created", "label", Json::Null, json!({"name": "VIP"}))];
        let next = Some("a b".to_owned());
        let now: Ts = "2026-03-04T09:30:00Z".parse().unwrap();
        let text = render_list(&viewer(), &fields, &entries, next, true, now).into_string();
        assert!(text.contains("/audit?cursor=a%20b&amp;entity=label"), "{text}");
        assert!(text.contains("/audit/export?entity=label&amp;format=csv"), "{text}");
        // Wednesday; the week began on Monday, the month on the first.
        for day in ["2026-03-04", "2026-03-02", "2026-03-01"] {
            let link = format!("/audit?entity=label&amp;from={day}");
            assert!(text.contains(&link), "{link}: {text}");
        }
        let days = [("from", "2026-03-01"), ("to", "2026-03-03"), ("record", "lbl_1")];
        let fields = Fields(days.map(|(name, day)| (name.to_owned(), day.to_owned())).into());
        let asked = parameters(&Words::english(), &fields);
        assert_eq!(asked["at[gte]"], "2026-03-01T00:00:00.000000Z");
        assert_eq!(asked["at[lt]"], "2026-03-04T00:00:00.000000Z");
        assert_eq!(asked["entity_id"], "lbl_1");
    }
}
