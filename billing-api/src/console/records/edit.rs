//! The form of a record: a new one, a change, deletion and restoring.
//!
//! A form is judged by the same rules as an API request: it becomes the request's document, and
//! the faults' pointers lead back to the fields. A change sends what was changed and nothing
//! else, with the version that was seen.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Currency;
use serde_json::{Map, Value as Json};
use store::args;

use super::control::{Control, Widget};
use super::lookup::{self, Named};
use super::slot::Slot;
use super::{Look, Titles, after, conflict, require, slots, title_of, value};
use crate::console::facet;
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed, safe_next};
use crate::console::page::{self, Place, Viewer};
use crate::console::schedule;
use crate::console::words::{self, Words};
use crate::domain::access::Rights;
use crate::domain::setting::registry::ZONE;
use crate::domain::{Actor, Fault, Office};
use crate::entity::custom::Custom;
use crate::entity::{Draft, Entity, Flags, Kind, Verbs, custom, read, registry, write};
use crate::http::Problem;
use crate::jobs::schedule::Schedule;
use crate::store::organisation;

/// What a form needs besides what was typed.
pub(super) struct Sheet {
    pub(super) entity: &'static Entity,
    pub(super) customs: Vec<Custom>,
    /// The fields that can be set here.
    pub(super) slots: Vec<Slot>,
    /// The few records that references can name, by slot.
    pub(super) known: BTreeMap<String, Vec<(String, String)>>,
    pub(super) currencies: Vec<Currency>,
    /// What whoever fills it in may do.
    pub(super) rights: Rights,
}

/// A form as someone filled it in.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// The texts, by slot.
    pub(super) texts: BTreeMap<String, String>,
    /// The texts that stood there when the form was opened.
    pub(super) was: BTreeMap<String, String>,
    wrong: BTreeMap<String, String>,
    /// What belongs to no field.
    elsewhere: Vec<String>,
    /// What a search found where a reference was not clear.
    found: BTreeMap<String, Vec<(String, String)>>,
    /// The parts of a schedule as they were sent, by slot.
    parts: BTreeMap<String, schedule::Parts>,
    /// What a schedule means.
    foreseen: Option<Markup>,
}

/// Which form.
pub(super) enum Form<'a> {
    New,
    /// The id, the title and the version that was seen.
    Edit(&'a str, &'a str, i64),
}

impl Sheet {
    /// A form of some fields and nothing else.
    pub(super) fn of(entity: &'static Entity, actor: &Actor, slots: Vec<Slot>) -> Self {
        Self {
            entity,
            customs: Vec::new(),
            slots,
            known: BTreeMap::new(),
            currencies: Vec::new(),
            rights: actor.rights,
        }
    }

    /// Gathers what the form of an entity needs. `all`: a new record, where what is set once
    /// can be set.
    pub(super) async fn load(
        office: &Office,
        actor: &Actor,
        words: &Words,
        entity: &'static Entity,
        all: bool,
    ) -> Result<Self, Fault> {
        let customs = custom::of(office, &actor.path, entity).await?;
        let mut slots = slots(words, &actor.rights, entity, &customs);
        slots.retain(|slot| {
            slot.flags.has(Flags::WRITABLE) && (all || !slot.flags.has(Flags::ONCE))
        });
        let mut known = BTreeMap::new();
        for slot in &slots {
            if let Some(few) = lookup::few(office, actor, slot).await? {
                known.insert(slot.name.clone(), few);
            }
        }
        let mut currencies = Vec::new();
        if slots.iter().any(|slot| slot.kind == Kind::Money) {
            let row = office.db.fetch_one(&organisation::FIND, args![actor.organisation]).await?;
            currencies.push(organisation::organisation(&row)?.currency);
        }
        Ok(Self { entity, customs, slots, known, currencies, rights: actor.rights })
    }

    /// The texts of a record, as the form has them.
    pub(super) fn texts(&self, words: &Words, row: &Json) -> BTreeMap<String, String> {
        let text = |slot: &Slot| match (slot.kind, slot.of(row)) {
            (Kind::Flag, Json::Null) => "false".to_owned(),
            (kind, value) => {
                let text = value::text(words, kind, value);
                facet::draw(self.entity, &slot.name).map_or(text.clone(), |own| (own.plain)(&text))
            }
        };
        self.slots.iter().map(|slot| (slot.name.clone(), text(slot))).collect()
    }

    /// What was sent. Where a conflict was settled for theirs, what stands there counts.
    pub(super) fn sent(&self, words: &Words, fields: &Fields) -> Filled {
        let mut filled = Filled::default();
        for slot in &self.slots {
            let was = fields.0.get(&format!("was.{}", slot.name)).cloned().unwrap_or_default();
            let was = was.replace("\r\n", "\n");
            // A form that only carries the text along has no parts of it.
            let parts = match facet::is_schedule(self.entity, &slot.name) {
                true => schedule::sent(&slot.name, fields),
                false => None,
            };
            let text = match (fields.get(&format!("take.{}", slot.name)), parts) {
                ("theirs", _) => was.clone(),
                (_, Some(parts)) => {
                    let composed = schedule::compose(words, &parts, &was);
                    filled.parts.insert(slot.name.clone(), parts);
                    composed.unwrap_or_else(|detail| {
                        filled.wrong.insert(slot.name.clone(), detail);
                        String::new()
                    })
                }
                _ => {
                    let text = Control::gather(slot, fields);
                    let own = facet::draw(self.entity, &slot.name);
                    own.map_or(text.clone(), |own| (own.plain)(&text))
                }
            };
            filled.texts.insert(slot.name.clone(), text);
            filled.was.insert(slot.name.clone(), was);
        }
        filled
    }

    /// The document of a form. `changed`: of what differs from what stood there.
    pub(super) async fn document(
        &self,
        office: &Office,
        actor: &Actor,
        words: &Words,
        filled: &mut Filled,
        changed: bool,
    ) -> Result<Map<String, Json>, Fault> {
        let mut document = Map::new();
        let mut customs = Map::new();
        for slot in &self.slots {
            let name = &slot.name;
            let text = filled.texts.get(name).cloned().unwrap_or_default();
            // A secret is not shown, so that an empty one says nothing.
            let silent = matches!(slot.kind, Kind::Secret(_)) && text.is_empty();
            if silent || (changed && filled.was.get(name) == Some(&text)) {
                continue;
            }
            let mut text = text;
            if let Kind::Reference(prefix, _) = slot.kind
                && !text.is_empty()
            {
                match lookup::named(office, actor, words, prefix, &text).await? {
                    Named::One(id) => text = id,
                    Named::Other(detail, found) => {
                        filled.wrong.insert(name.clone(), detail);
                        filled.found.insert(name.clone(), found);
                        continue;
                    }
                }
            }
            match value::read(words, slot, &text) {
                // An empty field of a new record is left out, so that the rules say "is required".
                Ok(Json::Null) if !changed => {}
                Ok(value) => match slot.custom() {
                    Some(key) => drop(customs.insert(key.to_owned(), value)),
                    None => drop(document.insert(name.clone(), value)),
                },
                Err(detail) => drop(filled.wrong.insert(name.clone(), detail)),
            }
        }
        if !customs.is_empty() {
            document.insert("custom".to_owned(), Json::Object(customs));
        }
        Ok(document)
    }
}

impl Filled {
    /// A form that shows a record.
    pub(super) fn of(texts: BTreeMap<String, String>) -> Self {
        Self { was: texts.clone(), texts, ..Self::default() }
    }

    /// Looks ahead: what the schedule among the fields means.
    fn foresee(&mut self, office: &Office, viewer: &Viewer, sheet: &Sheet) {
        let own = |slot: &&Slot| facet::is_schedule(sheet.entity, &slot.name);
        let Some(slot) = sheet.slots.iter().find(own) else { return };
        let text = |name: &str| self.texts.get(name).map_or("", String::as_str);
        let line = text(&slot.name);
        if let Err(error) = Schedule::parse(line, "UTC")
            && !line.is_empty()
        {
            self.wrong.insert(slot.name.clone(), error.to_string());
            return;
        }
        self.foreseen = Some(schedule::meaning(viewer, office.now(), line, text("zone")));
    }

    /// Brings a fault back to the fields; one that is not about them is returned.
    pub(super) fn refused(mut self, sheet: &Sheet, fault: Fault) -> Result<Self, Fault> {
        let faults = match fault {
            Fault::Invalid(faults) => {
                faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
            }
            Fault::Conflict { pointer, detail } => vec![(pointer.to_owned(), detail)],
            fault => return Err(fault),
        };
        for (pointer, detail) in faults {
            // A pointer into a value, such as an amount, means the field it belongs to.
            let slot = sheet.slots.iter().find(|slot| {
                let own = slot.pointer();
                pointer == own
                    || pointer.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'))
            });
            match slot {
                // What the console could not read is missing in the document: the first word
                // on it counts.
                Some(slot) => drop(self.wrong.entry(slot.name.clone()).or_insert(detail)),
                None if pointer.is_empty() => self.elsewhere.push(detail),
                None => self.elsewhere.push(format!("{pointer}: {detail}")),
            }
        }
        Ok(self)
    }

    /// What is wrong and belongs to no field.
    pub(super) fn elsewhere(&self) -> &[String] {
        &self.elsewhere
    }

    pub(super) fn is_wrong(&self) -> bool {
        !self.wrong.is_empty() || !self.elsewhere.is_empty()
    }

    /// How a form that is only looked at is answered.
    fn status(&self) -> StatusCode {
        if self.is_wrong() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }
}

/// `GET /{path}/new`
pub(super) async fn new(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        creatable(actor, entity)?;
        let sheet = Sheet::load(&office, actor, &viewer.words, entity, true).await?;
        // A link may fill in fields: another service for this customer.
        let query = Fields::of_query(&request);
        let texts = sheet.slots.iter().map(|slot| {
            let given = query.get(&slot.name).to_owned();
            let usual = facet::usual(entity).iter().find(|(name, _)| *name == slot.name);
            let given = match (given.as_str(), slot.kind, usual) {
                ("", _, Some((_, usual))) => (*usual).to_owned(),
                ("", Kind::Zone, _) if slot.flags.has(Flags::FILLED) => viewer.settings.text(&ZONE),
                _ => given,
            };
            (slot.name.clone(), given)
        });
        let mut filled = Filled { texts: texts.collect(), ..Filled::default() };
        filled.foresee(&office, viewer, &sheet);
        Ok(page::send(StatusCode::OK, render(viewer, &sheet, &filled, &Form::New)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /{path}`
pub(super) async fn create(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        creatable(actor, entity)?;
        let words = &viewer.words;
        let sheet = Sheet::load(&office, actor, words, entity, true).await?;
        let mut filled = sheet.sent(words, &fields);
        if !fields.get(schedule::PREVIEW).is_empty() {
            filled.foresee(&office, viewer, &sheet);
            return Ok(page::send(filled.status(), render(viewer, &sheet, &filled, &Form::New)));
        }
        let document = sheet.document(&office, actor, words, &mut filled, false).await?;
        if let Some(create) = facet::create(entity) {
            let octets = Json::Object(document).to_string().into_bytes();
            let created = match filled.is_wrong() {
                true => Err(Fault::Invalid(Vec::new())),
                false => create(&office, &signed, octets).await,
            };
            let fault = match created {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let status = Problem::status(&fault).0;
            let filled = filled.refused(&sheet, fault)?;
            return Ok(page::send(status, render(viewer, &sheet, &filled, &Form::New)));
        }
        let created = match Draft::of(entity, &sheet.customs, document, true) {
            Ok(draft) if !filled.is_wrong() => write::create(&office, actor, entity, draft).await,
            Ok(_) => Err(Fault::Invalid(Vec::new())),
            Err(fault) => Err(fault),
        };
        let fault = match created {
            Ok(made) => {
                let id = made.view["id"].as_str().unwrap_or_default();
                let address = format!("/{}/{id}", entity.path);
                return Ok(page::go(&after(&address, "created", None)));
            }
            Err(fault) => fault,
        };
        let status = Problem::status(&fault).0;
        let filled = filled.refused(&sheet, fault)?;
        Ok(page::send(status, render(viewer, &sheet, &filled, &Form::New)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /{path}/{id}/edit`
pub(super) async fn edit(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        offered(actor, entity, Verbs::UPDATE, "edit")?;
        let (row, version) = read::find(&office, actor, entity, entity.id(&id)?).await?;
        let sheet = Sheet::load(&office, actor, &viewer.words, entity, false).await?;
        let title = titled(&office, actor, &viewer.words, &sheet, &row).await?;
        let mut filled = Filled::of(sheet.texts(&viewer.words, &row));
        filled.foresee(&office, viewer, &sheet);
        let form = Form::Edit(&id, &title, version);
        Ok(page::send(StatusCode::OK, render(viewer, &sheet, &filled, &form)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// What people know a record by.
async fn titled(
    office: &Office,
    actor: &Actor,
    words: &Words,
    sheet: &Sheet,
    row: &Json,
) -> Result<String, Fault> {
    let titles = Titles::load(office, actor, &sheet.slots, std::slice::from_ref(row)).await?;
    let look = Look { words, titles: &titles, short: true };
    Ok(title_of(sheet.entity, &look, row))
}

/// `POST /{path}/{id}`
pub(super) async fn update(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        offered(actor, entity, Verbs::UPDATE, "edit")?;
        let words = &viewer.words;
        let record = entity.id(&id)?;
        let expected = fields.get("version").parse().map_err(|_| Fault::Stale)?;
        let sheet = Sheet::load(&office, actor, words, entity, false).await?;
        let mut filled = sheet.sent(words, &fields);
        if !fields.get(schedule::PREVIEW).is_empty() {
            filled.foresee(&office, viewer, &sheet);
            let (row, _) = read::find(&office, actor, entity, record).await?;
            let title = titled(&office, actor, words, &sheet, &row).await?;
            let form = Form::Edit(&id, &title, expected);
            return Ok(page::send(filled.status(), render(viewer, &sheet, &filled, &form)));
        }
        let document = sheet.document(&office, actor, words, &mut filled, true).await?;
        let address = format!("/{}/{}", entity.path, *id);
        if document.is_empty() && !filled.is_wrong() {
            return Ok(page::go(&after(&address, "unchanged", None)));
        }
        let updated = match Draft::of(entity, &sheet.customs, document, false) {
            Ok(draft) if !filled.is_wrong() => {
                write::update(&office, actor, entity, record, draft, Some(expected)).await
            }
            Ok(_) => Err(Fault::Invalid(Vec::new())),
            Err(fault) => Err(fault),
        };
        let fault = match updated {
            Ok(_) => return Ok(page::go(&after(&address, "updated", None))),
            Err(fault) => fault,
        };
        let (row, version) = read::find(&office, actor, entity, record).await?;
        let title = titled(&office, actor, words, &sheet, &row).await?;
        if matches!(fault, Fault::Stale) {
            let view = conflict::View::load(&office, actor, words, &sheet, filled, &row).await?;
            let page = conflict::render(viewer, &sheet, &view, &id, &title, version);
            return Ok(page::send(StatusCode::PRECONDITION_FAILED, page));
        }
        let status = Problem::status(&fault).0;
        let filled = filled.refused(&sheet, fault)?;
        let form = Form::Edit(&id, &title, expected);
        Ok(page::send(status, render(viewer, &sheet, &filled, &form)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /{path}/{id}/delete`
pub(super) async fn delete(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let actor = &post.signed.actor;
        offered(actor, entity, Verbs::DELETE, "delete")?;
        let expected = post.fields.get("version").parse().ok();
        write::delete(&office, actor, entity, entity.id(&id)?, expected).await?;
        let list = format!("/{}", entity.path);
        Ok(page::go(&after(&list, "deleted", Some(&id))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /{path}/{id}/restore`
pub(super) async fn restore(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let actor = &post.signed.actor;
        offered(actor, entity, Verbs::DELETE, "delete")?;
        write::restore(&office, actor, entity, entity.id(&id)?).await?;
        let address = match post.fields.get("back") {
            "" => format!("/{}/{}", entity.path, *id),
            back => safe_next(back).to_owned(),
        };
        Ok(page::go(&after(&address, "restored", None)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// A new record of what cannot be made here is a page that is not there.
fn creatable(actor: &Actor, entity: &'static Entity) -> Result<(), Fault> {
    require(actor, entity, "create")?;
    if super::is_made_here(entity) { Ok(()) } else { Err(Fault::NotFound("page")) }
}

/// What the entity does not offer, or the caller may not, is a page that is not there.
fn offered(
    actor: &Actor,
    entity: &'static Entity,
    verb: Verbs,
    permission: &str,
) -> Result<(), Fault> {
    require(actor, entity, permission)?;
    if entity.verbs.has(verb) { Ok(()) } else { Err(Fault::NotFound("page")) }
}

/// Where a control stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    First,
    /// Under a heading, folded while there is nothing in it.
    Group(&'static str),
    /// With those that the organisation added.
    Added,
}

/// The controls of a form, filled in.
pub(super) fn controls(
    words: &Words,
    sheet: &Sheet,
    filled: &Filled,
    edits: bool,
) -> Vec<(Control, Part)> {
    let control = |slot: &Slot| {
        let name = &slot.name;
        let known = filled.found.get(name).filter(|found| !found.is_empty());
        let known = known.or_else(|| sheet.known.get(name)).map(Vec::as_slice);
        let mut control = Control::of(words, slot, known, &sheet.currencies);
        if let (Widget::Lookup { list, .. }, Kind::Reference(prefix, _)) =
            (&mut control.widget, slot.kind)
        {
            let entity = registry::by_prefix(prefix);
            *list = entity.map(|entity| format!("/{}/lookup", entity.path)).unwrap_or_default();
        }
        if !edits && matches!(slot.kind, Kind::Flag) {
            let open = Some(words.say(words::NONE));
            control.widget = Widget::Select { choices: slot.choices.clone(), open };
        }
        if edits && matches!(slot.kind, Kind::Secret(_)) {
            control.required = false;
            control.hint = Some(words.say(words::EDIT_SECRET_KEEP));
        }
        control.value = filled.texts.get(name).cloned().unwrap_or_default();
        control.wrong = filled.wrong.get(name).cloned();
        if let Some(own) = facet::draw(sheet.entity, name) {
            let shown = (own.show)(words, &sheet.rights, name, &control.value);
            control.widget = Widget::Own(shown);
            control.hint = slot.hint.clone();
        }
        if facet::is_schedule(sheet.entity, name) {
            let apart = || schedule::apart(&control.value);
            let parts = filled.parts.get(name).cloned().unwrap_or_else(apart);
            control.widget = Widget::Own(html! {
                (schedule::form(words, name, &parts, !control.required))
                @if let Some(foreseen) = &filled.foreseen { (foreseen) }
            });
        }
        let part = match slot.custom() {
            Some(_) => Part::Added,
            None => slot.group.map_or(Part::First, Part::Group),
        };
        (control, part)
    };
    // Where a record came from is written by imports and the API; a form would only ask.
    let slots = sheet.slots.iter().filter(|slot| !slot.is_about());
    slots.map(control).collect()
}

/// The form.
pub(super) fn render(viewer: &Viewer, sheet: &Sheet, filled: &Filled, form: &Form<'_>) -> Markup {
    let words = &viewer.words;
    let one = words.entity_within(sheet.entity);
    let list = format!("/{}", sheet.entity.path);
    let (title, action, back, save) = match form {
        Form::New => (
            words.say_with(words::LIST_NEW, &[("one", one.clone().into())]),
            list.clone(),
            list.clone(),
            words.say_with(words::EDIT_CREATE, &[("one", one.into())]),
        ),
        Form::Edit(id, title, _) => (
            words.say_with(words::EDIT_TITLE, &[("title", (*title).to_owned().into())]),
            format!("{list}/{id}"),
            format!("{list}/{id}"),
            words.say(words::EDIT_SAVE),
        ),
    };
    let edits = matches!(form, Form::Edit(..));
    let controls = controls(words, sheet, filled, edits);
    let body = html! {
        p.crumb { a href=(list) { (words.entities(sheet.entity)) } }
        h1 { (title) }
        form.card method="post" action=(action) data-keep novalidate[filled.is_wrong()] {
            (page::csrf(viewer))
            @if let Form::Edit(_, _, version) = form {
                input type="hidden" name="version" value=(version);
                (hidden("was", &filled.was))
            }
            (problems(words, &controls, &filled.elsewhere))
            @if let Some(lead) = facet::lead(sheet.entity) {
                (lead(words, &sheet.rights, &filled.texts, edits))
            }
            (parts(words, &controls))
            div.actions {
                button type="submit" { (save) }
                @if sheet.slots.iter().any(|slot| facet::is_schedule(sheet.entity, &slot.name)) {
                    (schedule::preview(words))
                }
                a.button.quiet href=(back) { (words.say(words::FORM_CANCEL)) }
            }
        }
    };
    page::page(viewer, Some(Place::At(sheet.entity.path)), &title, None, &body)
}

/// The controls where they stand: the first, each group under its heading, those added.
pub(super) fn parts(words: &Words, controls: &[(Control, Part)]) -> Markup {
    let of = |wanted: Part| {
        let own = controls.iter().filter(move |(_, part)| *part == wanted);
        own.map(|(control, _)| control).collect::<Vec<_>>()
    };
    let mut groups: Vec<&'static str> = Vec::new();
    for (_, part) in controls {
        if let Part::Group(group) = part
            && !groups.contains(group)
        {
            groups.push(group);
        }
    }
    let added = of(Part::Added);
    html! {
        div.fields { @for control in of(Part::First) { (control.show(words)) } }
        @for group in groups {
            @let own = of(Part::Group(group));
            @let open = own.iter().any(|c| c.required || c.wrong.is_some() || !c.value.is_empty());
            details.group open[open] {
                summary { (words.group(group)) }
                div.fields { @for control in own { (control.show(words)) } }
            }
        }
        @if !added.is_empty() {
            fieldset {
                legend { (words.say(words::RECORD_CUSTOM)) }
                div.fields { @for control in &added { (control.show(words)) } }
            }
        }
    }
}

/// Texts that a form carries along. A secret's is empty: it was never shown.
pub(super) fn hidden(prefix: &str, texts: &BTreeMap<String, String>) -> Markup {
    html! {
        @for (name, text) in texts {
            input type="hidden" name=(format!("{prefix}.{name}")) value=(text);
        }
    }
}

/// What is wrong, at the top, with the way to each field.
pub(super) fn problems(
    words: &Words,
    controls: &[(Control, Part)],
    elsewhere: &[String],
) -> Markup {
    let wrong: Vec<(&Control, &String)> = controls
        .iter()
        .filter_map(|(control, _)| Some((control, control.wrong.as_ref()?)))
        .collect();
    let count = wrong.len() + elsewhere.len();
    if count == 0 {
        return html! {};
    }
    html! {
        div.notice.problem role="alert" {
            p { (words.say_with(words::FORM_PROBLEMS, &[("n", count.into())])) }
            ul {
                @for (control, detail) in wrong {
                    li {
                        a href=(format!("#{}", control.id())) { (control.label) ": " (detail) }
                    }
                }
                @for text in elsewhere { li { (text) } }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::console::page::tests::viewer;
    use crate::domain::FieldFault;
    use crate::entity::registry::LABEL;

    pub(in crate::console::records) fn sheet() -> Sheet {
        let words = Words::english();
        let mut slots = slots(&words, &Rights::all(), &LABEL, &[]);
        slots.retain(|slot| slot.flags.has(Flags::WRITABLE));
        Sheet {
            entity: &LABEL,
            customs: Vec::new(),
            slots,
            known: BTreeMap::new(),
            currencies: Vec::new(),
            rights: Rights::all(),
        }
    }

    pub(in crate::console::records) fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn faults_come_back_to_their_fields_and_what_was_typed_stays() {
        let sheet = sheet();
        let sent =
            fields(&[("name", "\"><script>"), ("kind", "device"), ("description", "a\r\nb")]);
        let fault = |pointer: &str, detail: &str| FieldFault {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
        };
        let faults = Fault::Invalid(vec![
            fault("/name", "has more than 3 characters"),
            fault("/name/0", "is strange"),
            fault("/elsewhere", "is odd"),
        ]);
        let filled = sheet.sent(&Words::english(), &sent).refused(&sheet, faults).unwrap();
        let text = render(&viewer(), &sheet, &filled, &Form::New).into_string();
        for part in [
            "2 fields need another look",
            r##"<a href="#f-name">Name: has more than 3 characters</a>"##,
            "/elsewhere: is odd",
            r#"value="&quot;&gt;&lt;script&gt;""#,
            r#"<option value="device" selected>"#,
            "\na\nb</textarea>",
            r#"aria-invalid="true""#,
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_change_carries_what_it_began_with_and_its_version() {
        let sheet = sheet();
        let row = serde_json::json!({"name": "VIP", "kind": "customer", "colour": null});
        let filled = Filled::of(sheet.texts(&Words::english(), &row));
        let form = Form::Edit("lbl_1", "VIP", 7);
        let text = render(&viewer(), &sheet, &filled, &form).into_string();
        assert!(text.contains(r#"name="version" value="7""#), "{text}");
        assert!(text.contains(r#"name="was.name" value="VIP""#), "{text}");
        assert!(text.contains(r#"action="/labels/lbl_1""#));
        assert!(!text.contains(r#"name="external_id""#), "forms do not ask where it came from");
    }
}
