//! The pages of every described entity: list, record, form, and what is done with many rows.
//!
//! In the order a request meets the modules: `slot` is a field as a page sees it, with its label
//! and its words; `asked` reads the address of a list; `list`, `detail` and `edit` are the pages;
//! `action` is what else is done with a record; `conflict` is shown where two people edited one;
//! `columns`, `bulk` and its `outcome` belong to lists, as does `files`: a list as a file.
//! `value`, `cell` and `control` turn one value into a form's text, into something to look at,
//! and into something to type in. Nothing here knows any entity by name.

mod action;
mod asked;
mod bulk;
mod cell;
mod columns;
mod conflict;
mod control;
mod detail;
mod edit;
mod files;
mod list;
mod lookup;
mod outcome;
mod slot;
mod value;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use super::facet;
use super::guard::Fields;
use super::imports;
use super::page::{Notice, Toast};
use super::words::{self, Words};
use crate::domain::access::permission;
use crate::domain::{Actor, Fault};
use crate::entity::registry::ENTITIES;
use crate::entity::{Entity, Verbs, read};
use crate::http::access::Need;

pub(super) use asked::Address;
pub(super) use cell::{Look, Titles, tone};
pub(super) use files::of_template;
pub(super) use list::export as export_of;
pub(super) use slot::{Slot, slots};
pub(super) use value::text as text_of;

/// What records that come from files must offer.
const IMPORT: Verbs = Verbs::IMPORT.and(Verbs::CREATE);

/// The descriptions that make pages: all but those whose records have pages of their own.
fn described() -> impl Iterator<Item = &'static Entity> {
    ENTITIES.iter().copied().filter(|entity| {
        let own = format!("/{}/{{id}}", entity.path);
        !super::PAGES.iter().any(|page| page.method == Method::GET && page.pattern == own)
    })
}

/// What the pages of every description need.
pub(super) fn needs() -> impl Iterator<Item = (Method, String, Need)> {
    described().flat_map(|entity| {
        let all = [
            (Method::GET, "", "view", Verbs::READ),
            (Method::POST, "", "create", Verbs::CREATE),
            (Method::GET, "/new", "create", Verbs::CREATE),
            (Method::GET, "/columns", "view", Verbs::READ),
            (Method::POST, "/columns", "view", Verbs::READ),
            // The deed itself is asked for where it is known.
            (Method::POST, "/bulk", "view", Verbs::READ),
            (Method::GET, "/bulk/{id}", "view", Verbs::READ),
            (Method::GET, "/lookup", "view", Verbs::READ),
            (Method::GET, "/export", "export", Verbs::READ),
            (Method::GET, "/export-options", "export", Verbs::READ),
            (Method::POST, "/export-options", "export", Verbs::READ),
            (Method::GET, "/import", "import", IMPORT),
            (Method::POST, "/import", "import", IMPORT),
            (Method::GET, "/import-template", "import", IMPORT),
            (Method::GET, "/{id}", "view", Verbs::READ),
            (Method::POST, "/{id}", "edit", Verbs::UPDATE),
            (Method::GET, "/{id}/edit", "edit", Verbs::UPDATE),
            (Method::POST, "/{id}/delete", "delete", Verbs::DELETE),
            (Method::POST, "/{id}/restore", "delete", Verbs::DELETE),
        ];
        let has = |verb| entity.verbs.has(verb) || verb == Verbs::CREATE && is_made_here(entity);
        let offered = all.into_iter().filter(move |(.., verb)| has(*verb));
        let offered = offered.filter_map(move |(method, rest, verb, _)| {
            let need = Need::Permission(permission::named(entity.permission, verb)?);
            Some((method, format!("/{}{rest}", entity.path), need))
        });
        let actions = entity.actions.iter().flat_map(move |action| {
            let pattern = format!("/{}/{{id}}/{}", entity.path, action.name);
            let need = Need::Permission(action.permission);
            [(Method::GET, pattern.clone(), need), (Method::POST, pattern, need)]
        });
        offered.chain(actions)
    })
}

/// The pages of every description.
pub(super) fn routes(config: &mut ServiceConfig) {
    for entity in described() {
        let at = |rest: &str| {
            let resource = web::resource(format!("/{}{rest}", entity.path));
            resource.default_service(web::to(super::not_found))
        };
        let offers = |verb| entity.verbs.has(verb);
        let (mut all, mut one) = (
            at("").route(web::get().to(move |r, o, s| list::show(entity, r, o, s))),
            at("/{id}").route(web::get().to(move |r, o, s, i| detail::show(entity, r, o, s, i))),
        );
        if is_made_here(entity) {
            all = all.route(web::post().to(move |r, o, p| edit::create(entity, r, o, p)));
            let new = web::get().to(move |r, o, s| edit::new(entity, r, o, s));
            config.service(at("/new").route(new));
        }
        if offers(IMPORT) {
            let form = web::get().to(move |r, o, s| imports::form(entity, r, o, s));
            let send = web::post().to(move |r, o, p| imports::send(entity, r, o, p));
            let template = web::get().to(move |r, o, s| imports::template(entity, r, o, s));
            config.service(at("/import").route(form).route(send));
            config.service(at("/import-template").route(template));
        }
        if offers(Verbs::UPDATE) {
            one = one.route(web::post().to(move |r, o, p, i| edit::update(entity, r, o, p, i)));
            let edit = web::get().to(move |r, o, s, i| edit::edit(entity, r, o, s, i));
            config.service(at("/{id}/edit").route(edit));
        }
        if offers(Verbs::DELETE) {
            let delete = web::post().to(move |r, o, p, i| edit::delete(entity, r, o, p, i));
            let restore = web::post().to(move |r, o, p, i| edit::restore(entity, r, o, p, i));
            config.service(at("/{id}/delete").route(delete));
            config.service(at("/{id}/restore").route(restore));
        }
        for action in entity.actions {
            let ask = web::get().to(move |r, o, s, i| action::ask(entity, action, r, o, s, i));
            let act = web::post().to(move |r, o, p, i| action::act(entity, action, r, o, p, i));
            config.service(at(&format!("/{{id}}/{}", action.name)).route(ask).route(act));
        }
        let columns = at("/columns")
            .route(web::get().to(move |r, o, s| columns::show(entity, r, o, s)))
            .route(web::post().to(move |r, o, p| columns::keep(entity, r, o, p)));
        let bulk = web::post().to(move |r, o, p| bulk::run(entity, r, o, p));
        let options = web::get().to(move |r, o, s| files::options(entity, r, o, s));
        let take = web::post().to(move |r, o, p| files::take(entity, r, o, p));
        let outcome = web::get().to(move |r, o, s, i| outcome::show(entity, r, o, s, i));
        let lookup = web::get().to(move |r, o, s| lookup::suggest(entity, r, o, s));
        let export = web::get().to(move |r, o, s| list::export(entity, r, o, s));
        config
            .service(all)
            .service(at("/export").route(export))
            .service(at("/export-options").route(options).route(take))
            .service(columns)
            .service(at("/bulk").route(bulk))
            .service(at("/bulk/{id}").route(outcome))
            .service(at("/lookup").route(lookup))
            .service(one);
    }
}

/// Whether a form makes records of this kind: by the description, or in a way of its own.
fn is_made_here(entity: &Entity) -> bool {
    entity.verbs.has(Verbs::CREATE) || facet::create(entity).is_some()
}

/// Whether the entity offers a verb and the caller may.
fn offers(actor: &Actor, entity: &Entity, verb: Verbs, permission: &str) -> bool {
    let offered = entity.verbs.has(verb) || verb == Verbs::CREATE && is_made_here(entity);
    offered && read::may(actor, entity, permission)
}

/// A page that the caller may not open is one that is not there.
fn require(actor: &Actor, entity: &'static Entity, permission: &str) -> Result<(), Fault> {
    if read::may(actor, entity, permission) { Ok(()) } else { Err(Fault::NotFound("page")) }
}

/// What people know a record by; its id where it has no title.
fn title_of(entity: &Entity, look: &Look<'_>, row: &serde_json::Value) -> String {
    let value = &row[entity.title];
    let id = || row["id"].as_str().unwrap_or_default().to_owned();
    match value.as_str() {
        Some(text) => look.titles.find(text).unwrap_or(text).to_owned(),
        None if value.is_null() => id(),
        None => value.to_string(),
    }
}

/// An address that says, once, what was just done: the word, and the record it was done to.
fn after(address: &str, done: &str, undo: Option<&str>) -> String {
    let join = if address.contains('?') { '&' } else { '?' };
    let undo = undo.map(|id| format!("&undo={id}")).unwrap_or_default();
    format!("{address}{join}done={done}{undo}")
}

/// What the address says was done.
pub(super) fn toast(words: &Words, entity: &Entity, fields: &Fields) -> Option<Toast> {
    let one = || [("one", words.entity(entity).into())];
    let key = match fields.get("done") {
        "created" => words::DONE_CREATED,
        "updated" => words::DONE_UPDATED,
        "deleted" => words::DONE_DELETED,
        "restored" => words::DONE_RESTORED,
        "unchanged" => words::DONE_UNCHANGED,
        word => {
            if let Some(action) = entity.actions.iter().find(|action| action.name == word) {
                let text = words.deed_done(entity, action);
                return Some(Toast { text, problem: false, undo: None });
            }
            return Notice::from_word(word).map(|notice| notice.toast(words));
        }
    };
    let undo = fields.get("undo");
    // Only an id of this entity becomes part of an address.
    let undo = entity.id(undo).is_ok().then(|| format!("/{}/{undo}/restore", entity.path));
    Some(Toast { text: words.say_with(key, &one()), problem: false, undo })
}
