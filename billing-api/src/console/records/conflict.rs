//! Two people edited one record: what the other saved, against what was typed, field by field.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value as Json;

use super::Titles;
use super::control::Control;
use super::edit::{Filled, Sheet, hidden};
use super::slot::Slot;
use crate::console::page::{self, Place, Viewer};
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, Office};
use crate::entity::Kind;

/// What the page shows.
pub(super) struct View {
    /// What was typed.
    mine: BTreeMap<String, String>,
    /// What stood there when the form was opened.
    was: BTreeMap<String, String>,
    /// What stands there now.
    theirs: BTreeMap<String, String>,
    titles: Titles,
}

/// How a field came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Both changed it, to different things: someone has to choose.
    Both,
    /// Only what was typed changed it, or both to the same.
    Mine,
    /// Only the other did.
    Theirs,
    /// Nobody did.
    None,
}

impl View {
    /// Compares a form with the record as it is now.
    pub(super) async fn load(
        office: &Office,
        actor: &Actor,
        words: &Words,
        sheet: &Sheet,
        filled: Filled,
        row: &Json,
    ) -> Result<Self, Fault> {
        let theirs = sheet.texts(words, row);
        // Records are named by their titles here too, whoever named them.
        let rows: Vec<Json> = [&filled.texts, &filled.was, &theirs]
            .into_iter()
            .map(|texts| serde_json::json!(texts))
            .collect();
        let titles = Titles::load(office, actor, &sheet.slots, &rows).await?;
        Ok(Self { mine: filled.texts, was: filled.was, theirs, titles })
    }

    fn text<'a>(texts: &'a BTreeMap<String, String>, slot: &Slot) -> &'a str {
        texts.get(&slot.name).map_or("", String::as_str)
    }

    fn change(&self, slot: &Slot) -> Change {
        let mine = Self::text(&self.mine, slot);
        let was = Self::text(&self.was, slot);
        let theirs = Self::text(&self.theirs, slot);
        match (mine != was, theirs != was) {
            (true, true) if mine != theirs => Change::Both,
            (true, _) => Change::Mine,
            (false, true) => Change::Theirs,
            (false, false) => Change::None,
        }
    }

    /// A text as people read it: a choice by its name, a record by its title.
    fn shown(&self, words: &Words, slot: &Slot, text: &str) -> Markup {
        let empty = text.is_empty();
        let text = match slot.kind {
            Kind::Choice(_) | Kind::Flag => slot.choice(text).to_owned(),
            Kind::Reference(..) => self.titles.find(text).unwrap_or(text).to_owned(),
            _ => text.to_owned(),
        };
        html! {
            @if empty { span.dim { (words.say(words::NONE)) } } @else { (text) }
        }
    }
}

/// The page: the same form once more, with the version as it is now, and a choice where both
/// changed something.
pub(super) fn render(
    viewer: &Viewer,
    sheet: &Sheet,
    view: &View,
    id: &str,
    title: &str,
    version: i64,
) -> Markup {
    let words = &viewer.words;
    let of = |change| {
        let open = sheet.slots.iter().filter(|slot| !matches!(slot.kind, Kind::Secret(_)));
        open.filter(move |slot| view.change(slot) == change)
    };
    // What goes along: what was typed where it was changed, else what stands there now.
    // A secret is not sent back: it is typed once more.
    let (secrets, open): (Vec<&Slot>, Vec<&Slot>) =
        sheet.slots.iter().partition(|slot| matches!(slot.kind, Kind::Secret(_)));
    let carried: BTreeMap<String, String> = open
        .into_iter()
        .map(|slot| {
            let texts = match view.change(slot) {
                Change::Both | Change::Mine => &view.mine,
                Change::Theirs | Change::None => &view.theirs,
            };
            (slot.name.clone(), View::text(texts, slot).to_owned())
        })
        .collect();
    let address = format!("/{}/{id}", sheet.entity.path);
    let heading = words.say(words::CONFLICT_TITLE);
    let look = |slot: &Slot, texts| view.shown(words, slot, View::text(texts, slot));
    let body = html! {
        p.crumb { a href=(address) { (title) } }
        h1 { (heading) }
        p { (words.say(words::CONFLICT_TEXT_UNKNOWN)) }
        form.card.sides method="post" action=(address) {
            (page::csrf(viewer))
            input type="hidden" name="version" value=(version);
            (hidden("was", &view.theirs))
            (hidden("text", &carried))
            @for slot in of(Change::Both) {
                fieldset.diff {
                    legend { (slot.label) }
                    p.dim { (words.say(words::CONFLICT_BEFORE)) ": " (look(slot, &view.was)) }
                    label.check {
                        input type="radio" name=(format!("take.{}", slot.name)) value="mine" checked;
                        span { (words.say(words::CONFLICT_MINE)) ": " ins { (look(slot, &view.mine)) } }
                    }
                    label.check {
                        input type="radio" name=(format!("take.{}", slot.name)) value="theirs";
                        span { (words.say(words::CONFLICT_THEIRS)) ": " ins { (look(slot, &view.theirs)) } }
                    }
                }
            }
            (one_side(words, words::CONFLICT_ALSO, of(Change::Theirs), |slot| {
                (look(slot, &view.was), look(slot, &view.theirs))
            }))
            (one_side(words, words::CONFLICT_YOURS, of(Change::Mine), |slot| {
                (look(slot, &view.was), look(slot, &view.mine))
            }))
            @for slot in secrets.iter().filter(|slot| !View::text(&view.mine, slot).is_empty()) {
                (Control::of(words, slot, None, &[]).show(words))
            }
            div.actions {
                button type="submit" { (words.say(words::CONFLICT_SAVE)) }
                a.button.quiet href=(address) { (words.say(words::CONFLICT_LEAVE)) }
            }
        }
    };
    page::page(viewer, Some(Place::At(sheet.entity.path)), &heading, None, &body)
}

/// What only one of the two changed.
fn one_side<'a>(
    words: &Words,
    title: words::Key,
    slots: impl Iterator<Item = &'a Slot>,
    look: impl Fn(&Slot) -> (Markup, Markup),
) -> Markup {
    let lines: Vec<(&Slot, (Markup, Markup))> = slots.map(|slot| (slot, look(slot))).collect();
    html! {
        @if !lines.is_empty() {
            fieldset.diff {
                legend { (words.say(title)) }
                dl.record {
                    @for (slot, (before, after)) in &lines {
                        div { dt { (slot.label) } dd { del { (before) } " → " ins { (after) } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::tests::{fields, sheet};
    use super::*;
    use crate::console::page::tests::viewer;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn both_sides_are_shown_and_the_choice_is_what_is_saved() {
        let sheet = sheet();
        let view = View {
            was: texts(&[("name", "VIP"), ("kind", "customer"), ("colour", "")]),
            mine: texts(&[("name", "Gold"), ("kind", "customer"), ("colour", "#112233")]),
            theirs: texts(&[("name", "Top <b>"), ("kind", "device"), ("colour", "")]),
            titles: Titles::default(),
        };
        let text = render(&viewer(), &sheet, &view, "lbl_1", "VIP", 9).into_string();
        for part in [
            r#"name="version" value="9""#,
            "Take mine: <ins>Gold</ins>",
            "Take theirs: <ins>Top &lt;b&gt;</ins>",
            "Changed by them, not by you",
            "Changed by you alone",
            r#"name="was.name" value="Top &lt;b&gt;""#,
            r#"name="text.name" value="Gold""#,
            r#"name="text.kind" value="device""#,
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!(text.matches(r#"type="radio""#).count(), 2, "one field needs a choice");

        // What the page sends back.
        let mut sent = vec![
            ("was.name", "Top <b>"),
            ("text.name", "Gold"),
            ("was.colour", ""),
            ("text.colour", "#112233"),
            ("take.name", "mine"),
        ];
        assert_eq!(sheet.sent(&Words::english(), &fields(&sent)).texts["name"], "Gold");
        sent.push(("take.name", "theirs"));
        let filled = sheet.sent(&Words::english(), &fields(&sent));
        assert_eq!(filled.texts["name"], filled.was["name"], "theirs is no change");
        assert_eq!(filled.texts["colour"], "#112233");
    }
}
