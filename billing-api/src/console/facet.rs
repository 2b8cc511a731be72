//! What the pages of one kind of record do in a way of their own: how a field is drawn, what
//! stands above a form, who makes a record whose secret is shown once.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use actix_web::HttpResponse;
use maud::Markup;

use super::guard::Signed;
use super::words::Words;
use super::{rights, roles, tokens, webhooks};
use crate::domain::access::Rights;
use crate::domain::{Fault, Office};
use crate::entity::Entity;

/// A field of words that is drawn as boxes of its own. Their names are `FIELD:WORD`.
pub(super) struct Draw {
    /// Draws it: what the viewer may do, the field's name, its words, a line each.
    pub(super) show: fn(&Words, &Rights, &str, &str) -> Markup,
    /// The same words in one order, those left out that others include.
    pub(super) plain: fn(&str) -> String,
}

/// How a field is drawn, where not by its kind.
pub(super) fn draw(entity: &Entity, field: &str) -> Option<Draw> {
    match (entity.name, field) {
        ("role", "permissions") => Some(Draw { show: rights::grid, plain: rights::plain }),
        ("token", "scopes") => Some(Draw { show: tokens::scopes, plain: tokens::plain }),
        ("webhook", "events") => Some(Draw { show: webhooks::events, plain: webhooks::plain }),
        _ => None,
    }
}

/// Whether a field is a schedule, which has a form of its own.
pub(super) fn is_schedule(entity: &Entity, field: &str) -> bool {
    matches!((entity.name, field), ("job" | "scheduled_export", "schedule"))
}

/// What stands above the fields of a form: what the viewer may do, the texts of the fields, and
/// whether the record is there already.
pub(super) type Lead = fn(&Words, &Rights, &BTreeMap<String, String>, bool) -> Markup;

/// What stands above the fields of a kind of record.
pub(super) fn lead(entity: &Entity) -> Option<Lead> {
    match entity.name {
        "role" => Some(roles::lead),
        "webhook" => Some(webhooks::lead),
        _ => None,
    }
}

/// What stands in the fields of a new record of a kind, so that its form shows what is usual.
pub(super) fn usual(entity: &Entity) -> &'static [(&'static str, &'static str)] {
    match entity.name {
        "role" => &[("second_factor", "false")],
        "webhook" => webhooks::USUAL,
        "scheduled_export" => &[("schedule", "0 6 * * 1")],
        "plan" => &[("session_limit", "1")],
        _ => &[],
    }
}

/// The answer to a form, in time.
pub(super) type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, Fault>> + 'a>>;

/// Makes a record from a request's document, and answers with a page.
pub(super) type Create = for<'a> fn(&'a Office, &'a Signed, Vec<u8>) -> Answer<'a>;

/// Who makes records of a kind, where not the description alone.
pub(super) fn create(entity: &Entity) -> Option<Create> {
    match entity.name {
        "token" => Some(|office, signed, body| Box::pin(tokens::create(office, signed, body))),
        "webhook" => Some(|office, signed, body| Box::pin(webhooks::create(office, signed, body))),
        _ => None,
    }
}
