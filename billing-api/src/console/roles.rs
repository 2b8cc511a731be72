//! What the pages of roles have besides their fields: templates to start from, what a role
//! grants, a copy, and giving it to many.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{RoleId, StaffId};
use serde_json::Value as Json;

use super::failure::Failure;
use super::guard::{Post, Signed};
use super::page::{self, Notice, Viewer};
use super::records::Address;
use super::words::{self, Words};
use super::{rights, viewer};
use crate::domain::access::template::TEMPLATES;
use crate::domain::access::{Rights, role, staff};
use crate::domain::{Fault, Office, Unit};
use crate::entity::query::ListQuery;
use crate::entity::{Entity, read, registry};

/// Members of staff a role is given to from its page; with more, the list of staff does it.
const STAFF_MAX: i64 = 100;

/// What stands above the form of a role: templates to start from.
pub(super) fn lead(
    words: &Words,
    own: &Rights,
    texts: &BTreeMap<String, String>,
    edits: bool,
) -> Markup {
    let given = |name: &str| texts.get(name).is_some_and(|text| !text.is_empty());
    if edits || given("name") || given("permissions") {
        return html! {};
    }
    let offered = TEMPLATES
        .iter()
        .filter(|template| own.missing(&Rights::of(template.permissions)).is_none());
    html! {
        p.starts {
            (words.say(words::ROLE_TEMPLATES)) " "
            @for template in offered {
                a.button.quiet href=(Address::of("/roles/new")
                    .with("name", template.name)
                    .with("description", template.description)
                    .with("permissions", &template.permissions.join("\n"))) { (template.name) }
            }
        }
    }
}

/// Somebody a role can be given to.
struct Somebody {
    id: String,
    name: String,
}

/// What belongs on the page of a role.
pub(super) async fn of_role(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let actor = &signed.actor;
    let (row, _) = read::find(office, actor, entity, entity.id(id)?).await?;
    let patterns: Vec<&str> =
        row["permissions"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let granted = Rights::of(&patterns);
    // Nobody gives what they do not have.
    let has = actor.rights.missing(&granted).is_none();
    let mut others = Vec::new();
    if has && viewer::holds(actor, "roles.edit") && viewer::holds(actor, "staff.view") {
        others = without(office, signed, id).await?;
    }
    let clones = has && viewer::holds(actor, "roles.create");
    let name = row["name"].as_str().unwrap_or_default();
    Ok(render(&signed.viewer, id, name, &granted, clones, &others))
}

/// Those who have another role.
async fn without(office: &Office, signed: &Signed, role: &str) -> Result<Vec<Somebody>, Fault> {
    let Some(entity) = registry::by_name("staff") else { return Ok(Vec::new()) };
    let query = ListQuery { limit: STAFF_MAX, ..ListQuery::default() };
    let listed = read::list(office, &signed.actor, entity, &query).await?;
    if listed.next.is_some() {
        return Ok(Vec::new());
    }
    let text = |row: &Json, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let others = listed.rows.iter().filter(|row| row["role_id"] != role);
    let mut others: Vec<Somebody> =
        others.map(|row| Somebody { id: text(row, "id"), name: text(row, "name") }).collect();
    others.sort_by_key(|somebody| somebody.name.to_lowercase());
    Ok(others)
}

fn render(
    viewer: &Viewer,
    id: &str,
    name: &str,
    granted: &Rights,
    clones: bool,
    others: &[Somebody],
) -> Markup {
    let words = &viewer.words;
    let copy = words.say_with(words::ROLE_COPY_NAME, &[("name", name.to_owned().into())]);
    html! {
        section {
            h2 { (words.say(words::ROLE_GRANTS)) }
            div.card { (rights::summary(words, granted)) }
        }
        @if !others.is_empty() {
            section {
                h2 { (words.say(words::ROLE_GIVE)) }
                form.card method="post" action=(format!("/roles/{id}/assign")) {
                    (page::csrf(viewer))
                    div.checks role="group" aria-label=(words.say(words::ROLE_GIVE)) {
                        @for somebody in others {
                            label.check {
                                input type="checkbox" name=(format!("staff:{}", somebody.id));
                                (somebody.name)
                            }
                        }
                    }
                    button type="submit" { (words.say(words::ROLE_GIVE_GO)) }
                }
            }
        }
        @if clones {
            section {
                h2 { (words.say(words::ROLE_CLONE)) }
                form.card method="post" action=(format!("/roles/{id}/clone")) {
                    (page::csrf(viewer))
                    div.field {
                        label for="f-clone" { (words.say(words::ROLE_CLONE_NAME)) }
                        input id="f-clone" name="name" required maxlength="60" value=(copy)
                            autocomplete="off";
                    }
                    button type="submit" { (words.say(words::ROLE_CLONE)) }
                }
            }
        }
    }
}

fn role_id(text: &str) -> Result<RoleId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("role"))
}

/// `POST /roles/{id}/clone`: to the form of the copy.
pub(super) async fn clone(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let name = post.fields.get("name");
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err(Fault::field("/name", "has 1 to 60 characters"));
        }
        let mut unit = Unit::begin(&office, &post.signed.actor).await?;
        let (view, _) = role::clone(&mut unit, role_id(&id)?, name).await?;
        unit.commit().await?;
        let copy = view["id"].as_str().unwrap_or_default();
        Ok(page::go(&format!("/roles/{copy}/edit")))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /roles/{id}/assign`
pub(super) async fn assign(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let role = role_id(&id)?;
        let chosen = post.fields.0.keys().filter_map(|key| key.strip_prefix("staff:"));
        let chosen: Result<Vec<StaffId>, _> =
            chosen.take(staff::ASSIGNED_MAX).map(str::parse).collect();
        let chosen = chosen.map_err(|_| Fault::NotFound("staff"))?;
        staff::assign(&office, &post.signed.actor, role, &chosen).await?;
        Ok(page::go(&Notice::RoleGiven.after(&format!("/roles/{role}"))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn templates_are_offered_as_far_as_one_has_them() {
        let words = Words::english();
        let none = BTreeMap::new();
        let all = lead(&words, &Rights::all(), &none, false).into_string();
        assert_eq!(all.matches("/roles/new?").count(), TEMPLATES.len(), "{all}");
        let few = lead(&words, &Rights::of(&["*.view", "network.sessions"]), &none, false);
        let few = few.into_string();
        assert!(few.contains("Read-Only") && !few.contains("Admin"), "{few}");
        let begun = BTreeMap::from([("name".to_owned(), "x".to_owned())]);
        assert_eq!(lead(&words, &Rights::all(), &begun, false).into_string(), "");
    }

    #[test]
    fn a_role_says_what_it_grants_and_is_copied_by_those_who_may() {
        let granted = Rights::of(&["customers.*", "plans.view"]);
        let asha = Somebody { id: "usr_1".to_owned(), name: "Asha <b>".to_owned() };
        let text = render(&viewer(), "rol_1", "Sales", &granted, true, &[asha]).into_string();
        for part in ["Everything", "See plans", "/roles/rol_1/clone", "Asha &lt;b&gt;"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = render(&viewer(), "rol_1", "Sales", &granted, false, &[]).into_string();
        assert!(!text.contains("<form"), "{text}");
    }
}
