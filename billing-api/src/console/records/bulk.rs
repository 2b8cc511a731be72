//! One deed for many rows: fields set, a label put on or taken off, an action, deletion.
//!
//! What is picked is shown first, with what will be done; then it is ordered as a job, for real
//! or as a dry run, and `outcome` shows how it gets on and what became of each record.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Map, Value as Json, json};

use super::asked::{Address, Asked};
use super::control::{Control, Widget};
use super::edit::{Filled, Sheet, controls, parts};
use super::list::View;
use super::slot::{Slot, of_field};
use super::{Look, Titles, offers, outcome, require, slots, title_of};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed, safe_next};
use crate::console::page::{self, Place, Viewer};
use crate::console::viewer::holds;
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, FieldFault, Office, PAGE_MAX};
use crate::entity::bulk::{self, Tie};
use crate::entity::custom::Custom;
use crate::entity::query::ListQuery;
use crate::entity::registry::LABEL;
use crate::entity::{Action, Entity, Flags, Kind, Verbs, custom, read};
use crate::http::Problem;

/// Records named on the page before it is done.
const NAMED: i64 = 10;
/// Labels to choose from.
const LABELS: i64 = 200;
static LABELS_OF: &Entity = &LABEL;
/// Parameters of a list's address that choose no records.
const NO_CHOICE: &[&str] = &["sort", "limit", "cursor", "page", "deleted"];

/// What can be done with picked rows: its word in the form and what it is called.
pub(super) fn actions(actor: &Actor, words: &Words, view: &View) -> Vec<(String, String)> {
    let mut actions = Vec::new();
    let named = |word: &str, key| (word.to_owned(), words.say(key));
    if view.is_live() {
        let own = view.entity.actions.iter().filter(|action| action.is_for_many());
        for action in own.filter(|action| holds(actor, action.permission)) {
            actions.push((format!("act:{}", action.name), words.deed(view.entity, action)));
        }
        for (word, on, key) in
            [("label", true, words::BULK_LABEL), ("unlabel", false, words::BULK_UNLABEL)]
        {
            if may_label(actor, view.entity, on) {
                actions.push(named(word, key));
            }
        }
        if view.allowed.edit {
            for slot in &view.slots {
                actions.extend(
                    settings(slot).map(|value| {
                        (format!("set:{}:{value}", slot.name), set(words, slot, value))
                    }),
                );
            }
            for (slot, (id, title)) in view.slots.iter().flat_map(|slot| {
                let known = view.choices.get(&slot.name).filter(|_| is_set_to_records(slot));
                let known = known.filter(|known| known.len() <= RECORDS_OFFERED);
                known.into_iter().flatten().map(move |choice| (slot, choice))
            }) {
                actions.push((format!("set:{}:{id}", slot.name), set_to(words, slot, title)));
            }
            actions.push(named("fields", words::BULK_FIELDS));
        }
    }
    match (view.allowed.delete, view.is_live()) {
        (true, true) => actions.push(named("delete", words::BULK_DELETE)),
        (true, false) => actions.push(named("restore", words::RECORD_RESTORE)),
        (false, _) => {}
    }
    actions
}

fn may_label(actor: &Actor, entity: &Entity, on: bool) -> bool {
    let permission = Tie::of(entity).and_then(|tie| tie.permission(on));
    permission.is_some_and(|permission| holds(actor, permission))
        && read::may(actor, &LABEL, "view")
}

/// The values a field can be set to in one go: those of a choice or a flag.
fn settings(slot: &Slot) -> impl Iterator<Item = &str> {
    let settable = matches!(slot.kind, Kind::Choice(_) | Kind::Flag)
        && slot.flags.has(Flags::WRITABLE)
        && !slot.flags.has(Flags::ONCE);
    slot.choices.iter().filter(move |_| settable).map(|(value, _)| value.as_str())
}

/// Records offered as the value of a field; of more, one is chosen in the form of the fields.
const RECORDS_OFFERED: usize = 20;

/// Whether a field can be set to another record in one go.
fn is_set_to_records(slot: &Slot) -> bool {
    matches!(slot.kind, Kind::Reference(..))
        && slot.flags.has(Flags::WRITABLE)
        && !slot.flags.has(Flags::ONCE)
}

/// "Set Kind to Devices".
pub(super) fn set(words: &Words, slot: &Slot, value: &str) -> String {
    set_to(words, slot, slot.choice(value))
}

pub(super) fn set_to(words: &Words, slot: &Slot, named: &str) -> String {
    let told = [("field", slot.label.clone().into()), ("value", named.to_owned().into())];
    words.say_with(words::BULK_SET, &told)
}

/// A deed.
enum Deed<'a> {
    Delete,
    Restore,
    Set(&'a Slot, String),
    /// Several fields, by a form.
    Fields,
    /// A label, on or off.
    Label(bool),
    Act(&'static Action),
}

impl<'a> Deed<'a> {
    /// The deed of a form's word, where the caller may do it.
    fn of(
        actor: &Actor,
        entity: &'static Entity,
        slots: &'a [Slot],
        word: &str,
    ) -> Result<Self, Fault> {
        let unknown = || Fault::field("/action", "is not an action here");
        let allowed =
            |may: bool, deed: Self| if may { Ok(deed) } else { Err(Fault::NotFound("page")) };
        let deletes = offers(actor, entity, Verbs::DELETE, "delete");
        let edits = offers(actor, entity, Verbs::UPDATE, "edit");
        match word {
            "delete" => return allowed(deletes, Self::Delete),
            "restore" => return allowed(deletes, Self::Restore),
            "fields" => return allowed(edits, Self::Fields),
            "label" | "unlabel" => {
                let on = word == "label";
                return allowed(may_label(actor, entity, on), Self::Label(on));
            }
            _ => {}
        }
        if let Some(name) = word.strip_prefix("act:") {
            let own = entity.actions.iter().filter(|action| action.is_for_many());
            let action = own.into_iter().find(|action| action.name == name).ok_or_else(unknown)?;
            return allowed(holds(actor, action.permission), Self::Act(action));
        }
        if !edits {
            return Err(Fault::NotFound("page"));
        }
        let (name, value) =
            word.strip_prefix("set:").and_then(|rest| rest.split_once(':')).ok_or_else(unknown)?;
        let slot = slots.iter().find(|slot| slot.name == name).ok_or_else(unknown)?;
        let record = match slot.kind {
            Kind::Reference(prefix, _) => model::id::parse(prefix, value).is_ok(),
            _ => false,
        };
        let known = settings(slot).any(|own| own == value) || record && is_set_to_records(slot);
        if known { Ok(Self::Set(slot, value.to_owned())) } else { Err(unknown()) }
    }

    fn name(&self, words: &Words, entity: &Entity, titles: &Titles) -> String {
        match self {
            Self::Set(slot, value) if is_set_to_records(slot) => {
                set_to(words, slot, titles.find(value).unwrap_or(value))
            }
            Self::Delete => words.say(words::BULK_DELETE),
            Self::Restore => words.say(words::RECORD_RESTORE),
            Self::Set(slot, value) => set(words, slot, value),
            Self::Fields => words.say(words::BULK_FIELDS),
            Self::Label(true) => words.say(words::BULK_LABEL),
            Self::Label(false) => words.say(words::BULK_UNLABEL),
            Self::Act(action) => words.deed(entity, action),
        }
    }

    /// The order, as far as the deed alone says it.
    fn order(&self) -> Map<String, Json> {
        let mut order = Map::new();
        let action = match self {
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Set(..) | Self::Fields => "update",
            Self::Label(true) => "label",
            Self::Label(false) => "unlabel",
            Self::Act(action) => action.name,
        };
        order.insert("action".to_owned(), action.into());
        if let Self::Set(slot, value) = self {
            let value = match slot.kind {
                Kind::Flag => Json::Bool(value == "true"),
                _ => Json::String(value.clone()),
            };
            let (name, value) = match slot.custom() {
                Some(key) => ("custom".to_owned(), json!({key: value})),
                None => (slot.name.clone(), value),
            };
            order.insert("set".to_owned(), json!({name: value}));
        }
        order
    }

    /// The part of the order that is filled in by a form, where one is.
    fn part(&self) -> Option<&'static str> {
        match self {
            Self::Fields => Some("set"),
            Self::Act(action) if !action.arguments.is_empty() => Some("arguments"),
            _ => None,
        }
    }

    /// What takes something away.
    fn harms(&self) -> bool {
        matches!(self, Self::Delete | Self::Act(Action { harms: true, .. }))
    }
}

/// Which records.
enum Picked {
    Ids(Vec<String>),
    /// All that the filters of a list leave.
    All(Address),
}

/// A form, and what was filled in.
type Form = (Sheet, Filled);

/// What the page that asks shows.
struct Asking<'a> {
    entity: &'static Entity,
    deed: &'a Deed<'a>,
    action: &'a str,
    picked: &'a Picked,
    /// How many records, and whether there may be more.
    count: (i64, bool),
    /// The first of them.
    named: Vec<String>,
    /// What the records that the deed names are called.
    titles: Titles,
    back: &'a str,
    /// The form of several fields, or of what an action takes.
    sheet: Option<Form>,
    /// Labels to choose from, and the one that was.
    labels: Vec<(String, String)>,
    label: &'a str,
    faults: Vec<String>,
}

/// `POST /{path}/bulk`: first asks, then orders.
pub(super) async fn run(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        require(actor, entity, "view")?;
        let words = &viewer.words;
        if let Some(run) = fields.0.get("again") {
            return again(&office, actor, entity, run).await;
        }
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(words, &actor.rights, entity, &customs);
        let back = safe_next(fields.get("back")).to_owned();
        let action = fields.get("action");
        let deed = Deed::of(actor, entity, &slots, action)?;
        let picked = picked(words, entity, &customs, &slots, &fields)?;
        let (count, named) =
            first(&office, actor, entity, &customs, &slots, words, &picked).await?;
        let mut sheet = match deed {
            Deed::Fields => {
                let mut sheet = Sheet::load(&office, actor, words, entity, false).await?;
                // A secret is for one record, and what differs for each is not set for many.
                sheet
                    .slots
                    .retain(|slot| !matches!(slot.kind, Kind::Secret(_) | Kind::Document(_)));
                let filled = sheet.sent(words, &fields);
                Some((sheet, filled))
            }
            Deed::Act(action) if deed.part().is_some() => {
                let said = action.arguments.iter().map(|field| of_field(words, entity, field));
                let sheet = Sheet::of(entity, actor, said.collect());
                let filled = sheet.sent(words, &fields);
                Some((sheet, filled))
            }
            _ => None,
        };
        let titles = match &deed {
            Deed::Set(slot, value) => {
                let wanted = json!({ slot.name.as_str(): value });
                Titles::load(&office, actor, &slots, &[wanted]).await?
            }
            _ => Titles::default(),
        };
        let mut order = deed.order();
        let mut faults = Vec::new();
        let mut status = StatusCode::OK;
        let wanted = match fields.get("confirm") {
            "true" => Some(false),
            "try" => Some(true),
            _ => None,
        };
        if let Some(dry_run) = wanted.filter(|_| count.0 > 0) {
            if let Some((sheet, filled)) = &mut sheet {
                let said = sheet.document(&office, actor, words, filled, false).await?;
                if let Some(part) = deed.part() {
                    order.insert(part.to_owned(), Json::Object(said));
                }
            }
            let label = fields.get("label_id");
            if !label.is_empty() {
                order.insert("label_id".to_owned(), label.into());
            }
            match &picked {
                Picked::Ids(ids) => order.insert("ids".to_owned(), json!(ids)),
                Picked::All(address) => order.insert("filter".to_owned(), filter(address)),
            };
            order.insert("dry_run".to_owned(), dry_run.into());
            let readable = sheet.as_ref().is_none_or(|(_, filled)| !filled.is_wrong());
            let ordered = match readable {
                true => {
                    let body = Json::Object(order).to_string();
                    bulk::order(&office, actor, entity, body.as_bytes()).await
                }
                false => Err(Fault::Invalid(Vec::new())),
            };
            let fault = match ordered {
                Ok(made) => return Ok(page::go(&outcome::address(entity, made.id))),
                Err(fault) => fault,
            };
            status = Problem::status(&fault).0;
            (sheet, faults) = refused(words, sheet, fault)?;
        }
        let labels = match deed {
            Deed::Label(_) => labels(&office, actor).await?,
            _ => Vec::new(),
        };
        let asking = Asking {
            entity,
            deed: &deed,
            action,
            picked: &picked,
            count,
            named,
            titles,
            back: &back,
            sheet,
            labels,
            label: fields.get("label_id"),
            faults,
        };
        Ok(page::send(status, ask(viewer, &asking)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// Orders what a run did, or tried: now for real.
async fn again(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    run: &str,
) -> Result<HttpResponse, Fault> {
    let (row, _) = outcome::find(office, actor, entity, run).await?;
    let mut order = row["arguments"].as_object().cloned().unwrap_or_default();
    order.remove("entity");
    order.insert("dry_run".to_owned(), false.into());
    let body = Json::Object(order).to_string();
    let made = bulk::order(office, actor, entity, body.as_bytes()).await?;
    Ok(page::go(&outcome::address(entity, made.id)))
}

/// What was refused, at its fields; one that no form can show is returned.
fn refused(
    words: &Words,
    sheet: Option<Form>,
    fault: Fault,
) -> Result<(Option<Form>, Vec<String>), Fault> {
    let faults = match fault {
        Fault::Invalid(faults) => faults,
        fault @ (Fault::Conflict { .. } | Fault::TooMany(_)) => {
            return Ok((sheet, vec![fault.to_string()]));
        }
        fault => return Err(fault),
    };
    let mut told = Vec::new();
    let mut about_fields = Vec::new();
    for FieldFault { pointer, detail } in faults {
        let field = ["/set", "/arguments"].iter().find_map(|part| pointer.strip_prefix(part));
        match field {
            Some("") => told.push(words.say(words::BULK_FIELDS_NONE)),
            Some(field) => about_fields.push(FieldFault { pointer: field.to_owned(), detail }),
            None if pointer == "/label_id" => told.push(words.say(words::BULK_LABEL_NONE)),
            None => told.push(detail),
        }
    }
    let sheet = match sheet {
        None => None,
        Some((sheet, filled)) => {
            let filled = filled.refused(&sheet, Fault::Invalid(about_fields))?;
            told.extend_from_slice(filled.elsewhere());
            Some((sheet, filled))
        }
    };
    Ok((sheet, told))
}

/// The rows that were picked, or all that fit.
fn picked(
    words: &Words,
    entity: &'static Entity,
    customs: &[Custom],
    slots: &[Slot],
    fields: &Fields,
) -> Result<Picked, Fault> {
    if fields.get("all") == "true" {
        let query = fields.get("back").split_once('?').map_or("", |(_, query)| query);
        let query = Query::<BTreeMap<String, String>>::from_query(query)
            .map_err(|_| Fault::field("", "the filters do not read"))?;
        let query = Fields(query.into_inner());
        let asked = Asked::read(words, entity, customs, slots, &query, None)?;
        if !asked.wrong.is_empty() {
            // A filter that is left out would pick more than was seen.
            return Err(Fault::field("", "the filters do not read"));
        }
        return Ok(Picked::All(asked.address));
    }
    let ids = fields.0.keys().filter_map(|key| key.strip_prefix("pick."));
    let ids = ids.filter(|id| entity.id(id).is_ok()).take(PAGE_MAX as usize);
    Ok(Picked::Ids(ids.map(str::to_owned).collect()))
}

/// The filters of a list as an order has them.
fn filter(address: &Address) -> Json {
    json!(address.without(NO_CHOICE).parameters)
}

/// How many records were picked, and what the first are called.
async fn first(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    customs: &[Custom],
    slots: &[Slot],
    words: &Words,
    picked: &Picked,
) -> Result<((i64, bool), Vec<String>), Fault> {
    let (rows, count) = match picked {
        Picked::All(address) => {
            let mut parameters = address.without(&["limit", "cursor", "page"]).parameters;
            parameters.insert("limit".to_owned(), NAMED.to_string());
            parameters.insert("total".to_owned(), "true".to_owned());
            let query = ListQuery::parse(entity, customs, parameters)?;
            let listed = read::list(office, actor, entity, &query).await?;
            (listed.rows, listed.total.unwrap_or((0, true)))
        }
        Picked::Ids(ids) => {
            let named = ids.iter().take(NAMED as usize);
            let named: Vec<uuid::Uuid> = named.filter_map(|id| entity.id(id).ok()).collect();
            // Deleted ones too: they can be picked to be restored.
            let titles = read::titles(office, actor, entity, &named).await?;
            let row = |id: &uuid::Uuid| {
                let title = titles.iter().find(|(own, _)| own == id).map(|(_, title)| title);
                json!({"id": model::id::show(entity.prefix, *id), (entity.title): title})
            };
            (named.iter().map(row).collect(), (ids.len() as i64, true))
        }
    };
    let titles = Titles::load(office, actor, slots, &rows).await?;
    let look = Look { words, titles: &titles, short: true };
    Ok((count, rows.iter().map(|row| title_of(entity, &look, row)).collect()))
}

/// The labels that can be put on or taken off.
async fn labels(office: &Office, actor: &Actor) -> Result<Vec<(String, String)>, Fault> {
    let name = LABEL.field("name").map(|field| (field, false));
    let query =
        ListQuery { limit: LABELS, sort: name.into_iter().collect(), ..ListQuery::default() };
    let listed = read::list(office, actor, LABELS_OF, &query).await?;
    let text = |row: &Json, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    Ok(listed.rows.iter().map(|row| (text(row, "id"), text(row, "name"))).collect())
}

/// The page that asks.
fn ask(viewer: &Viewer, asking: &Asking<'_>) -> Markup {
    let words = &viewer.words;
    let Asking { entity, deed, back, .. } = asking;
    let (count, exact) = asking.count;
    let told = || [("count", count.into())];
    // What is still to be chosen is chosen on this page.
    let name = deed.name(words, entity, &asking.titles);
    let name = name.trim_end_matches([' ', '…']).to_owned();
    let title = match exact {
        true => {
            words.say_with(words::BULK_TITLE, &[("action", name.into()), ("count", count.into())])
        }
        false => words
            .say_with(words::BULK_TITLE_MORE, &[("action", name.into()), ("count", count.into())]),
    };
    let rest = count - asking.named.len() as i64;
    let body = html! {
        p.crumb { a href=(back) { (words.entities(entity)) } }
        h1 { (title) }
        @if count == 0 {
            (page::empty(&words.say(words::BULK_NONE), Some((back, &words.entities(entity)))))
        } @else {
            @if !asking.faults.is_empty() {
                div.notice.problem role="alert" {
                    ul { @for fault in &asking.faults { li { (fault) } } }
                }
            }
            form.card method="post" action=(format!("/{}/bulk", entity.path)) {
                (page::csrf(viewer))
                input type="hidden" name="back" value=(back);
                input type="hidden" name="action" value=(asking.action);
                @match asking.picked {
                    Picked::All(_) => input type="hidden" name="all" value="true";,
                    Picked::Ids(ids) => {
                        @for id in ids { input type="hidden" name=(format!("pick.{id}")) value="on"; }
                    }
                }
                (choices(words, asking))
                p { (words.say_with(words::BULK_CONFIRM, &told())) }
                ul {
                    @for title in &asking.named { li { (title) } }
                    @if rest > 0 {
                        li.dim { (words.say_with(words::BULK_AND_MORE, &[("count", rest.into())])) }
                    }
                }
                div.actions {
                    button class=[deed.harms().then_some("danger")] type="submit"
                        name="confirm" value="true" { (words.say(words::BULK_YES)) }
                    button.quiet type="submit" name="confirm" value="try" {
                        (words.say(words::BULK_TRY))
                    }
                    a.button.quiet href=(back) { (words.say(words::FORM_CANCEL)) }
                }
                p.dim { (words.say(words::BULK_TRY_HINT)) }
            }
        }
    };
    page::page(viewer, Some(Place::At(entity.path)), &title, None, &body)
}

/// What the deed still needs to be told.
fn choices(words: &Words, asking: &Asking<'_>) -> Markup {
    html! {
        @if let Some((sheet, filled)) = &asking.sheet {
            @let controls = controls(words, sheet, filled, false);
            @if let Deed::Fields = asking.deed {
                p { (words.say(words::BULK_FIELDS_TEXT)) }
                @let controls: Vec<_> = controls
                    .into_iter()
                    .map(|(control, part)| (leaving(words, control), part))
                    .collect();
                (parts(words, &controls))
            } @else {
                (parts(words, &controls))
            }
        }
        @if let Deed::Label(_) = asking.deed {
            @if asking.labels.is_empty() {
                (page::empty(&words.say(words::BULK_NO_LABELS), Some(("/labels/new", &words.say_with(
                    words::LIST_NEW, &[("one", words.entity_within(&LABEL).into())])))))
            } @else {
                (Control {
                    value: asking.label.to_owned(),
                    required: true,
                    ..Control::new("label_id", words.entity(&LABEL), Widget::Select {
                        choices: asking.labels.clone(),
                        open: Some(words.say(words::FORM_CHOOSE)),
                    })
                }.show(words))
            }
        }
    }
}

/// A field that says nothing where nothing is chosen.
fn leaving(words: &Words, control: Control) -> Control {
    let leave = || Some(words.say(words::BULK_LEAVE));
    let widget = match control.widget {
        Widget::Select { choices, .. } => Widget::Select { choices, open: leave() },
        Widget::Check => Widget::Select {
            choices: vec![
                ("true".to_owned(), words.say(words::YES)),
                ("false".to_owned(), words.say(words::NO)),
            ],
            open: leave(),
        },
        widget => widget,
    };
    Control { widget, required: false, optional: false, ..control }
}
