//! One deed for many rows: deletion, or one field set to one value.
//!
//! Each row is a change of its own, so that one that cannot be changed does not hold up the
//! others; the page says which ones and why.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Map, Value as Json};

use super::asked::Asked;
use super::list::View;
use super::slot::Slot;
use super::{Look, Titles, offers, require, slots, title_of};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed, safe_next};
use crate::console::page::{self, Place, Viewer};
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, Office, PAGE_MAX, Unit};
use crate::entity::custom::Custom;
use crate::entity::query::ListQuery;
use crate::entity::{Action, Draft, Entity, Flags, Kind, Verbs, custom, read, write};

/// Records named on the page before it is done.
const NAMED: usize = 10;

/// What can be done with picked rows: its word in the form and what it is called.
pub(super) fn actions(words: &Words, view: &View) -> Vec<(String, String)> {
    let mut actions = Vec::new();
    if view.is_live() && view.allowed.edit {
        for slot in &view.slots {
            actions.extend(
                settings(slot)
                    .map(|value| (format!("set:{}:{value}", slot.name), set(words, slot, value))),
            );
        }
    }
    if view.is_live() {
        let own = view.entity.actions.iter().filter(|action| action.is_for_many());
        for action in own.filter(|action| view.allowed.actions.contains(&action.name)) {
            actions.push((format!("act:{}", action.name), words.deed(view.entity, action)));
        }
    }
    if view.is_live() && view.allowed.edit {
        for (slot, (id, title)) in view.slots.iter().flat_map(|slot| {
            let known = view.choices.get(&slot.name).filter(|_| is_set_to_records(slot));
            let known = known.filter(|known| known.len() <= RECORDS_OFFERED);
            known.into_iter().flatten().map(move |choice| (slot, choice))
        }) {
            let field = [("field", slot.label.clone().into()), ("value", title.clone().into())];
            let name = words.say_with(words::BULK_SET, &field);
            actions.push((format!("set:{}:{id}", slot.name), name));
        }
    }
    if view.is_live() && view.allowed.delete {
        actions.push(("delete".to_owned(), words.say(words::BULK_DELETE)));
    }
    actions
}

/// The values a field can be set to in one go: those of a choice or a flag.
fn settings(slot: &Slot) -> impl Iterator<Item = &str> {
    let settable = matches!(slot.kind, Kind::Choice(_) | Kind::Flag)
        && slot.flags.has(Flags::WRITABLE)
        && !slot.flags.has(Flags::ONCE);
    slot.choices.iter().filter(move |_| settable).map(|(value, _)| value.as_str())
}

/// Records offered as the value of a field; of more, one is chosen record by record.
const RECORDS_OFFERED: usize = 20;

/// Whether a field can be set to another record in one go.
fn is_set_to_records(slot: &Slot) -> bool {
    matches!(slot.kind, Kind::Reference(..))
        && slot.flags.has(Flags::WRITABLE)
        && !slot.flags.has(Flags::ONCE)
}

fn set(words: &Words, slot: &Slot, value: &str) -> String {
    let named = slot.choice(value).to_owned();
    words
        .say_with(words::BULK_SET, &[("field", slot.label.clone().into()), ("value", named.into())])
}

/// A deed.
enum Deed<'a> {
    Delete,
    Set(&'a Slot, String),
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
        if word == "delete" {
            let may = offers(actor, entity, Verbs::DELETE, "delete");
            return if may { Ok(Self::Delete) } else { Err(Fault::NotFound("page")) };
        }
        if let Some(name) = word.strip_prefix("act:") {
            let own = entity.actions.iter().filter(|action| action.is_for_many());
            let own = own.into_iter().find(|action| action.name == name).ok_or_else(unknown)?;
            actor.rights.require(own.permission)?;
            return Ok(Self::Act(own));
        }
        if !offers(actor, entity, Verbs::UPDATE, "edit") {
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
            Self::Act(action) => words.deed(entity, action),
            Self::Set(slot, value) if is_set_to_records(slot) => {
                let title = titles.find(value).unwrap_or(value).to_owned();
                let field = [("field", slot.label.clone().into()), ("value", title.into())];
                words.say_with(words::BULK_SET, &field)
            }
            Self::Delete => words.say(words::BULK_DELETE),
            Self::Set(slot, value) => set(words, slot, value),
        }
    }

    /// Does it to one record.
    async fn run(
        &self,
        office: &Office,
        actor: &Actor,
        entity: &'static Entity,
        customs: &[Custom],
        id: uuid::Uuid,
    ) -> Result<(), Fault> {
        let (slot, value) = match self {
            Self::Delete => return write::delete(office, actor, entity, id, None).await,
            Self::Act(action) => {
                let mut unit = Unit::begin(office, actor).await?;
                (action.run)(&mut unit, id, None, &Draft::default()).await?;
                return unit.commit().await;
            }
            Self::Set(slot, value) => (slot, value),
        };
        let value = match slot.kind {
            Kind::Flag => Json::Bool(value == "true"),
            _ => Json::String(value.clone()),
        };
        let mut document = Map::new();
        match slot.custom() {
            Some(key) => {
                let custom = Map::from_iter([(key.to_owned(), value)]);
                document.insert("custom".to_owned(), Json::Object(custom));
            }
            None => {
                document.insert(slot.name.clone(), value);
            }
        }
        let draft = Draft::of(entity, customs, document, false)?;
        write::update(office, actor, entity, id, draft, None).await?;
        Ok(())
    }
}

/// `POST /{path}/bulk`: first asks, then does.
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
        let customs = custom::of(&office, &actor.path, entity).await?;
        let slots = slots(words, &actor.rights, entity, &customs);
        let back = safe_next(fields.get("back")).to_owned();
        let deed = Deed::of(actor, entity, &slots, fields.get("action"))?;
        let rows = picked(&office, actor, words, entity, &customs, &slots, &fields).await?;
        let mut titles = Titles::load(&office, actor, &slots, &rows).await?;
        if let Deed::Set(slot, value) = &deed {
            let wanted = serde_json::json!({ slot.name.as_str(): value });
            titles.also(Titles::load(&office, actor, &slots, &[wanted]).await?);
        }
        let look = Look { words, titles: &titles, short: true };
        let named: Vec<(String, String)> = rows
            .iter()
            .map(|row| {
                (row["id"].as_str().unwrap_or_default().to_owned(), title_of(entity, &look, row))
            })
            .collect();
        if fields.get("confirm") != "true" || named.is_empty() {
            let page = ask(viewer, entity, (&deed, fields.get("action")), &titles, &named, &back);
            return Ok(page::send(StatusCode::OK, page));
        }
        let mut done = 0;
        let mut failed = Vec::new();
        for (id, title) in named {
            match deed.run(&office, actor, entity, &customs, entity.id(&id)?).await {
                Ok(()) => done += 1,
                // What is ours to mend ends it; what is about this record is told with it.
                Err(fault @ (Fault::Internal(_) | Fault::Unavailable(_))) => return Err(fault),
                Err(fault) => failed.push((id, title, reason(fault))),
            }
        }
        if failed.is_empty() {
            let join = if back.contains('?') { '&' } else { '?' };
            return Ok(page::go(&format!("{back}{join}done=bulk&of={done}")));
        }
        Ok(page::send(StatusCode::OK, report(viewer, entity, done, &failed, &back)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// Why a record was not changed, in words.
fn reason(fault: Fault) -> String {
    match fault {
        Fault::Invalid(faults) => {
            let details = faults.into_iter().map(|fault| fault.detail);
            details.collect::<Vec<_>>().join("; ")
        }
        fault => fault.to_string(),
    }
}

/// The rows that were picked, or all that fit; only what the caller reads is found.
async fn picked(
    office: &Office,
    actor: &Actor,
    words: &Words,
    entity: &'static Entity,
    customs: &[Custom],
    slots: &[Slot],
    fields: &Fields,
) -> Result<Vec<Json>, Fault> {
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
        let query =
            ListQuery { limit: PAGE_MAX, page: None, after: None, total: false, ..asked.query };
        let listed = read::list(office, actor, entity, &query).await?;
        if listed.next.is_some() {
            let limit = [("limit", PAGE_MAX.into())];
            return Err(Fault::field("", words.say_with(words::BULK_MANY, &limit)));
        }
        return Ok(listed.rows);
    }
    let ids = fields.0.keys().filter_map(|key| key.strip_prefix("pick."));
    let mut rows = Vec::new();
    for id in ids.take(PAGE_MAX as usize) {
        match read::find(office, actor, entity, entity.id(id)?).await {
            Ok((row, _)) => rows.push(row),
            // Somebody else deleted it meanwhile.
            Err(Fault::NotFound(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(rows)
}

/// The page that asks.
fn ask(
    viewer: &Viewer,
    entity: &'static Entity,
    (deed, action): (&Deed<'_>, &str),
    titles: &Titles,
    named: &[(String, String)],
    back: &str,
) -> Markup {
    let words = &viewer.words;
    let count = || ("count", named.len().into());
    let title = words.say_with(
        words::BULK_TITLE,
        &[("action", deed.name(words, entity, titles).into()), count()],
    );
    let rest = named.len().saturating_sub(NAMED);
    let body = html! {
        p.crumb { a href=(back) { (words.entities(entity)) } }
        h1 { (title) }
        @if named.is_empty() {
            (page::empty(&words.say(words::BULK_NONE), Some((back, &words.entities(entity)))))
        } @else {
            form.card method="post" action=(format!("/{}/bulk", entity.path)) {
                (page::csrf(viewer))
                input type="hidden" name="back" value=(back);
                input type="hidden" name="action" value=(action);
                input type="hidden" name="confirm" value="true";
                // What was seen is what is changed, also where "all that fit" was picked.
                @for (id, _) in named { input type="hidden" name=(format!("pick.{id}")) value="on"; }
                p { (words.say_with(words::BULK_CONFIRM, &[count()])) }
                ul {
                    @for (_, title) in named.iter().take(NAMED) { li { (title) } }
                    @if rest > 0 {
                        li.dim { (words.say_with(words::BULK_AND_MORE, &[("count", rest.into())])) }
                    }
                }
                div.actions {
                    @if matches!(deed, Deed::Delete | Deed::Act(Action { harms: true, .. })) {
                        button.danger type="submit" { (words.say(words::BULK_YES)) }
                    } @else {
                        button type="submit" { (words.say(words::BULK_YES)) }
                    }
                    a.button.quiet href=(back) { (words.say(words::FORM_CANCEL)) }
                }
            }
        }
    };
    page::page(viewer, Some(Place::At(entity.path)), &title, None, &body)
}

/// The page that says what was not done.
fn report(
    viewer: &Viewer,
    entity: &'static Entity,
    done: usize,
    failed: &[(String, String, String)],
    back: &str,
) -> Markup {
    let words = &viewer.words;
    let told = [("count", done.into()), ("failed", failed.len().into())];
    let title = words.say_with(words::BULK_PART, &told);
    let body = html! {
        p.crumb { a href=(back) { (words.entities(entity)) } }
        h1 { (title) }
        div.notice.caution role="alert" {
            ul {
                @for (id, title, why) in failed {
                    li { a href=(format!("/{}/{id}", entity.path)) { (title) } ": " (why) }
                }
            }
        }
        p { a.button href=(back) { (words.entities(entity)) } }
    };
    page::page(viewer, Some(Place::At(entity.path)), &title, None, &body)
}
