//! Which columns a table has, in which order: a viewer's own choice for each table.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::slot::Slot;
use super::{require, slots};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Post, Signed, safe_next};
use crate::console::page::{self, Place, Viewer};
use crate::console::words;
use crate::domain::{Office, preference};
use crate::entity::{Entity, Flags, custom};

/// The key of a table's columns.
fn key(entity: &Entity) -> String {
    format!("columns.{}", entity.path)
}

/// The slots in the order that the viewer likes, and whether each is shown. The title is always
/// there and comes first.
pub(super) fn order<'a>(
    viewer: &Viewer,
    entity: &Entity,
    slots: &'a [Slot],
) -> Vec<(&'a Slot, bool)> {
    let title = |slot: &&Slot| slot.name == entity.title;
    let rest: Vec<&Slot> = slots.iter().filter(|slot| slot.is_column() && !title(slot)).collect();
    let mut ordered: Vec<(&Slot, bool)> =
        slots.iter().filter(title).map(|slot| (slot, true)).collect();
    match viewer.preferences.words(&key(entity)) {
        None => {
            // What is listed comes before what is not, each as the description has it.
            let listed = |slot: &&&Slot| slot.flags.has(Flags::LISTED);
            ordered.extend(rest.iter().filter(listed).map(|slot| (*slot, true)));
            ordered.extend(rest.iter().filter(|slot| !listed(slot)).map(|slot| (*slot, false)));
        }
        Some(chosen) => {
            let find = |name: &&str| rest.iter().find(|slot| slot.name == **name).copied();
            ordered.extend(chosen.iter().filter_map(find).map(|slot| (slot, true)));
            let left = rest.iter().filter(|slot| !chosen.contains(&slot.name.as_str()));
            ordered.extend(left.map(|slot| (*slot, false)));
        }
    }
    ordered
}

/// The form that chooses columns. `back`: the list it returns to.
pub(super) fn form(
    viewer: &Viewer,
    entity: &Entity,
    ordered: &[(&Slot, bool)],
    back: &str,
) -> Markup {
    let words = &viewer.words;
    let named = |key, slot: &Slot| words.say_with(key, &[("column", slot.label.clone().into())]);
    html! {
        form method="post" action=(format!("/{}/columns", entity.path)) {
            (page::csrf(viewer))
            input type="hidden" name="back" value=(back);
            // The first button of a form is the one Enter presses.
            button.unseen type="submit" tabindex="-1" { (words.say(words::LIST_COLUMNS_SAVE)) }
            ul.columns {
                @for (n, (slot, shown)) in ordered.iter().enumerate() {
                    li {
                        input type="hidden" data-place name=(format!("place.{}", slot.name)) value=(n);
                        label.check {
                            input type="checkbox" name=(format!("show.{}", slot.name))
                                checked[*shown] disabled[slot.name == entity.title];
                            (slot.label)
                        }
                        @if slot.name != entity.title {
                            button.quiet type="submit" name="up" value=(slot.name)
                                aria-label=(named(words::LIST_COLUMN_UP, slot)) { "↑" }
                            button.quiet type="submit" name="down" value=(slot.name)
                                aria-label=(named(words::LIST_COLUMN_DOWN, slot)) { "↓" }
                        }
                    }
                }
            }
            div.actions {
                button type="submit" { (words.say(words::LIST_COLUMNS_SAVE)) }
                button.quiet type="submit" name="reset" value="true" {
                    (words.say(words::LIST_COLUMNS_RESET))
                }
            }
        }
    }
}

/// `GET /{path}/columns`: the form by itself, for those without a script.
pub(super) async fn show(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        require(&signed.actor, entity, "view")?;
        let viewer = &signed.viewer;
        let customs = custom::of(&office, &signed.actor.path, entity).await?;
        let slots = slots(&viewer.words, &signed.actor.rights, entity, &customs);
        let ordered = order(viewer, entity, &slots);
        let list = format!("/{}", entity.path);
        let back = Fields::of_query(&request);
        let back = if back.get("back").is_empty() { &list } else { safe_next(back.get("back")) };
        let many = [("many", viewer.words.entities_within(entity).into())];
        let title = viewer.words.say_with(words::LIST_COLUMNS_TITLE, &many);
        let body = html! {
            p.crumb { a href=(list) { (viewer.words.entities(entity)) } }
            h1 { (title) }
            div.card { (form(viewer, entity, &ordered, back)) }
        };
        let page = page::page(viewer, Some(Place::At(entity.path)), &title, None, &body);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /{path}/columns`
pub(super) async fn keep(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        require(&signed.actor, entity, "view")?;
        let customs = custom::of(&office, &signed.actor.path, entity).await?;
        let slots = slots(&signed.viewer.words, &signed.actor.rights, entity, &customs);
        let back = safe_next(fields.get("back"));
        if fields.get("reset") == "true" {
            preference::keep(&office, &signed.actor, &key(entity), None).await?;
            return Ok(page::go(back));
        }
        let (chosen, moved) = chosen(entity, &slots, &fields);
        preference::keep(&office, &signed.actor, &key(entity), Some(json!(chosen))).await?;
        if moved {
            let back = crate::console::show::encode(back);
            return Ok(page::go(&format!("/{}/columns?back={back}", entity.path)));
        }
        Ok(page::go(back))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// The columns that a form chooses, in its order, and whether it only moved one.
fn chosen(entity: &Entity, slots: &[Slot], fields: &Fields) -> (Vec<String>, bool) {
    let place = |slot: &&Slot| -> usize {
        fields.get(&format!("place.{}", slot.name)).parse().unwrap_or(usize::MAX)
    };
    let mut names: Vec<&Slot> = slots
        .iter()
        .filter(|slot| slot.name != entity.title && slot.is_column())
        .filter(|slot| !fields.get(&format!("show.{}", slot.name)).is_empty())
        .collect();
    names.sort_by_key(place);
    let mut names: Vec<String> = names.into_iter().map(|slot| slot.name.clone()).collect();
    let (up, down) = (fields.get("up"), fields.get("down"));
    let moved = !up.is_empty() || !down.is_empty();
    if let Some(at) = names.iter().position(|name| name == up).filter(|at| *at > 0) {
        names.swap(at, at - 1);
    }
    let last = names.len().saturating_sub(1);
    if let Some(at) = names.iter().position(|name| name == down).filter(|at| *at < last) {
        names.swap(at, at + 1);
    }
    (names, moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::words::Words;
    use crate::domain::access::Rights;
    use crate::entity::registry::LABEL;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn columns_are_kept_in_the_order_they_were_put_in() {
        let slots = slots(&Words::english(), &Rights::all(), &LABEL, &[]);
        let form = [
            ("show.kind", "on"),
            ("place.kind", "2"),
            ("show.colour", "on"),
            ("place.colour", "1"),
            ("show.nonsense", "on"),
        ];
        let (names, moved) = chosen(&LABEL, &slots, &fields(&form));
        assert_eq!((names, moved), (vec!["colour".to_owned(), "kind".to_owned()], false));
        let mut form = form.to_vec();
        form.push(("down", "colour"));
        let (names, moved) = chosen(&LABEL, &slots, &fields(&form));
        assert_eq!((names, moved), (vec!["kind".to_owned(), "colour".to_owned()], true));
    }

    #[test]
    fn a_table_begins_with_its_title_and_what_is_listed() {
        let slots = slots(&Words::english(), &Rights::all(), &LABEL, &[]);
        let ordered = order(&Viewer::default(), &LABEL, &slots);
        let shown: Vec<&str> = ordered
            .iter()
            .filter(|(_, shown)| *shown)
            .map(|(slot, _)| slot.name.as_str())
            .collect();
        assert_eq!(shown, ["name", "colour", "kind", "created_at"]);
        assert_eq!(ordered.len(), slots.len());
    }
}
