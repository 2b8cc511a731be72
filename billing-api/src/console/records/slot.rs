//! A field as a page sees it: one of the description's, or one that an organisation added.

use serde_json::Value as Json;

use crate::console::words::{self, Words};
use crate::domain::access::Rights;
use crate::entity::custom::Custom;
use crate::entity::{Entity, Field, Flags, Kind};

/// A field with its label and its words.
#[derive(Debug, Clone)]
pub(in crate::console) struct Slot {
    /// Its name in forms and addresses; one that was added is `custom.KEY`.
    pub(in crate::console) name: String,
    pub(in crate::console) label: String,
    pub(in crate::console) hint: Option<String>,
    pub(in crate::console) kind: Kind,
    pub(in crate::console) flags: Flags,
    /// The words of a choice with what they are called.
    pub(in crate::console) choices: Vec<(String, String)>,
    /// What it stands with on pages.
    pub(in crate::console) group: Option<&'static str>,
}

/// Longest text of a field that an organisation added, characters.
const CUSTOM_TEXT_MAX: usize = 1000;

/// The fields of an entity's records that somebody with these rights sees, in the order of the
/// description.
pub(in crate::console) fn slots(
    words: &Words,
    rights: &Rights,
    entity: &Entity,
    customs: &[Custom],
) -> Vec<Slot> {
    let own = entity.all_fields().filter(|field| field.is_seen(rights));
    let own = own.map(|field| of_field(words, entity, field));
    own.chain(customs.iter().map(|custom| added(words, custom))).collect()
}

/// A field of a description, or an argument of one of its actions.
pub(super) fn of_field(words: &Words, entity: &Entity, field: &Field) -> Slot {
    Slot {
        name: field.name.to_owned(),
        label: words.field(entity, field.name),
        hint: words.hint(entity, field.name),
        kind: field.kind,
        flags: field.flags,
        choices: match field.kind {
            Kind::Choice(choices) | Kind::Map(choices, _) => choices
                .iter()
                .map(|word| ((*word).to_owned(), words.choice(entity, field.name, word)))
                .collect(),
            Kind::Flag => vec![
                ("true".to_owned(), words.say(words::YES)),
                ("false".to_owned(), words.say(words::NO)),
            ],
            _ => Vec::new(),
        },
        group: field.group,
    }
}

fn added(words: &Words, custom: &Custom) -> Slot {
    let required = if custom.required { Flags::REQUIRED } else { Flags::NONE };
    let choices = match custom.kind.as_str() {
        "choice" => custom.choices.iter().map(|word| (word.clone(), word.clone())).collect(),
        "flag" => vec![
            ("true".to_owned(), words.say(words::YES)),
            ("false".to_owned(), words.say(words::NO)),
        ],
        _ => Vec::new(),
    };
    Slot {
        name: format!("custom.{}", custom.key),
        label: custom.label.clone(),
        hint: None,
        kind: match custom.kind.as_str() {
            "integer" => Kind::Integer(i64::MIN, i64::MAX),
            "flag" => Kind::Flag,
            "date" => Kind::Date,
            "choice" => Kind::Choice(&[]),
            _ => Kind::Text(CUSTOM_TEXT_MAX),
        },
        flags: required.and(Flags::WRITABLE).and(Flags::FILTERABLE),
        choices,
        group: None,
    }
}

/// Slots by what they stand with: those without a group first, then each group, in the order of
/// the description.
pub(super) fn grouped<'a>(
    slots: impl IntoIterator<Item = &'a Slot>,
) -> Vec<(Option<&'static str>, Vec<&'a Slot>)> {
    let mut groups: Vec<(Option<&'static str>, Vec<&Slot>)> = vec![(None, Vec::new())];
    for slot in slots {
        match groups.iter_mut().find(|(group, _)| *group == slot.group) {
            Some((_, members)) => members.push(slot),
            None => groups.push((slot.group, vec![slot])),
        }
    }
    groups
}

impl Slot {
    /// The key of a field that an organisation added.
    pub(super) fn custom(&self) -> Option<&str> {
        self.name.strip_prefix("custom.")
    }

    /// Its value in a record.
    pub(in crate::console) fn of<'a>(&self, row: &'a Json) -> &'a Json {
        match self.custom() {
            Some(key) => &row["custom"][key],
            None => &row[&self.name],
        }
    }

    /// The JSON pointer to it.
    pub(super) fn pointer(&self) -> String {
        format!("/{}", self.name.replacen("custom.", "custom/", 1))
    }

    /// What a word of its choice is called.
    pub(super) fn choice<'a>(&'a self, word: &'a str) -> &'a str {
        self.choices.iter().find(|(own, _)| own == word).map_or(word, |(_, name)| name)
    }

    /// Whether a table can show it.
    pub(super) fn is_column(&self) -> bool {
        !matches!(self.kind, Kind::Secret(_))
    }

    /// Whether numbers stand in it, aligned at their end.
    pub(super) fn is_numeric(&self) -> bool {
        matches!(self.kind, Kind::Integer(..) | Kind::Rate(..) | Kind::Seconds(..) | Kind::Money)
    }

    /// Whether it is told apart from what the record is about: when it was made, where from.
    pub(super) fn is_about(&self) -> bool {
        crate::entity::BASE.iter().any(|field| field.name == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::registry::LABEL;

    static KEPT: Entity = Entity {
        fields: &[
            Field::new("name", Kind::Text(60), Flags::WRITABLE),
            Field::new("colour", Kind::Text(7), Flags::WRITABLE).for_those_with("audit.view"),
        ],
        base: false,
        ..LABEL
    };

    #[test]
    fn a_field_is_on_no_page_of_those_who_lack_its_permission() {
        let names = |rights: &Rights| -> Vec<String> {
            let slots = slots(&Words::english(), rights, &KEPT, &[]);
            slots.into_iter().map(|slot| slot.name).collect()
        };
        assert_eq!(names(&Rights::of(&["audit.view"])), ["name", "colour"]);
        assert_eq!(names(&Rights::of(&["labels.*"])), ["name"]);
    }
}
