//! A value to look at, by its kind.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use model::Ts;
use serde_json::Value as Json;
use uuid::Uuid;

use super::slot::Slot;
use super::value;
use crate::console::show;
use crate::console::words::{self, Words};
use crate::domain::{Actor, Fault, Office};
use crate::entity::{Entity, Kind, read, registry};

/// Words of a list shown in a table.
const WORDS_SHOWN: usize = 4;
/// Characters of a document shown in a table.
const DOCUMENT_SHOWN: usize = 80;

/// The titles of the records that some rows name, by their ids.
#[derive(Debug, Clone, Default)]
pub(in crate::console) struct Titles(BTreeMap<String, String>);

impl Titles {
    /// Reads the titles of everything that rows refer to: one read a kind of record.
    pub(in crate::console) async fn load(
        office: &Office,
        actor: &Actor,
        slots: &[Slot],
        rows: &[Json],
    ) -> Result<Self, Fault> {
        let mut wanted: BTreeMap<&str, BTreeSet<Uuid>> = BTreeMap::new();
        for slot in slots {
            let Kind::Reference(prefix, _) = slot.kind else { continue };
            for id in rows.iter().filter_map(|row| slot.of(row).as_str()) {
                if let Ok(id) = model::id::parse(prefix, id) {
                    wanted.entry(prefix).or_default().insert(id);
                }
            }
        }
        let mut titles = Self::default();
        for (prefix, ids) in wanted {
            let Some(entity) = registry::by_prefix(prefix) else { continue };
            let ids: Vec<Uuid> = ids.into_iter().collect();
            titles.read(office, actor, entity, &ids).await?;
        }
        Ok(titles)
    }

    async fn read(
        &mut self,
        office: &Office,
        actor: &Actor,
        entity: &'static Entity,
        ids: &[Uuid],
    ) -> Result<(), Fault> {
        for (id, title) in read::titles(office, actor, entity, ids).await? {
            self.0.insert(model::id::show(entity.prefix, id), title);
        }
        Ok(())
    }

    /// Adds one that is known already.
    pub(in crate::console) fn add(&mut self, id: &str, title: &str) {
        self.0.insert(id.to_owned(), title.to_owned());
    }

    /// The title of a record.
    pub(in crate::console) fn find(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}

/// What it takes to show a value.
#[derive(Clone, Copy)]
pub(in crate::console) struct Look<'a> {
    pub(in crate::console) words: &'a Words,
    pub(in crate::console) titles: &'a Titles,
    /// In a table: one line or two. Else all of it.
    pub(in crate::console) short: bool,
}

impl Look<'_> {
    /// A value, or a dash where there is none.
    pub(in crate::console) fn cell(&self, slot: &Slot, value: &Json) -> Markup {
        let words = self.words;
        match (slot.kind, value) {
            (_, Json::Null) => self.none(),
            (Kind::Words(..), Json::Array(items)) if items.is_empty() => self.none(),
            (Kind::Flag, Json::Bool(true)) => html! { span.badge.good { (slot.choice("true")) } },
            (Kind::Flag, _) => html! { span.dim { (slot.choice("false")) } },
            (Kind::Choice(_), Json::String(word)) => {
                html! { span class=(tone(word)) { (slot.choice(word)) } }
            }
            (Kind::Reference(prefix, _), Json::String(id)) => self.reference(prefix, id),
            (Kind::Time, Json::String(at)) => match at.parse::<Ts>() {
                Ok(at) => show::time(words, at),
                Err(_) => html! { (at) },
            },
            (Kind::Date, Json::String(date)) => html! { (words.calendar().date(date)) },
            (Kind::Integer(..), Json::Number(number)) => {
                // Ungrouped: many are numbers of things and not counts.
                html! { (number.to_string()) }
            }
            (Kind::Rate(..), Json::Number(rate)) => {
                html! { span.nowrap { (show::rate(rate.as_u64().unwrap_or(0))) } }
            }
            (Kind::Seconds(..), Json::Number(seconds)) => {
                html! { (show::lasts(words, seconds.as_i64().unwrap_or(0))) }
            }
            (Kind::Money, money) => match value::amount(money) {
                Some(money) => html! { span.nowrap { (money) } },
                None => self.none(),
            },
            (Kind::Address | Kind::Network, Json::String(net)) => html! { code { (net) } },
            (Kind::Email, Json::String(address)) => {
                html! { a href=(format!("mailto:{address}")) { (address) } }
            }
            (Kind::Words(..), Json::Array(items)) => self.chips(items),
            (Kind::Map(..), Json::Object(texts)) if texts.is_empty() => self.none(),
            (Kind::Map(..), Json::Object(texts)) => {
                html! {
                    ul.bare {
                        @for (name, text) in texts {
                            li {
                                (slot.choice(name)) ": "
                                code { (text.as_str().unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
            (Kind::Document(_), document) => self.document(document),
            (Kind::LongText(_), Json::String(text)) if self.short => {
                html! { span.cut { (text) } }
            }
            (Kind::Text(7), Json::String(text)) if is_colour(text) => swatch(text),
            (_, Json::String(text)) => html! { (text) },
            (_, other) => html! { (other.to_string()) },
        }
    }

    fn none(&self) -> Markup {
        html! { span.dim { (self.words.say(words::NONE)) } }
    }

    /// A record by its title, with the way to it. One that may not be read is shown as its id.
    pub(in crate::console) fn reference(&self, prefix: &str, id: &str) -> Markup {
        let entity = registry::by_prefix(prefix);
        match (self.titles.find(id), entity) {
            (Some(title), Some(entity)) => {
                html! { a href=(format!("/{}/{id}", entity.path)) { (title) } }
            }
            (Some(title), None) => html! { (title) },
            (None, _) => html! { code.dim { (id) } },
        }
    }

    fn chips(&self, items: &[Json]) -> Markup {
        let shown = if self.short { WORDS_SHOWN } else { items.len() };
        let rest = items.len().saturating_sub(shown);
        html! {
            span.chips {
                @for item in items.iter().take(shown) {
                    span.badge { (item.as_str().map_or_else(|| item.to_string(), str::to_owned)) }
                }
                @if rest > 0 {
                    span.dim { (self.words.say_with(words::MORE, &[("n", rest.into())])) }
                }
            }
        }
    }

    fn document(&self, document: &Json) -> Markup {
        if !self.short {
            return html! { pre { (format!("{document:#}")) } };
        }
        let text = document.to_string();
        let cut: String = text.chars().take(DOCUMENT_SHOWN).collect();
        html! { code { (cut) @if cut.len() < text.len() { "…" } } }
    }
}

/// The colour of a word, where it tells how something stands.
pub(in crate::console) fn tone(word: &str) -> &'static str {
    match word {
        "active" | "succeeded" | "delivered" | "paid" | "enabled" | "open" | "online"
        | "verified" => "badge good",
        "partial" | "pending" | "paused" | "suspended" | "expired" | "retrying" | "due" => {
            "badge warn"
        }
        "failed" | "broken" | "disabled" | "blocked" | "cancelled" | "overdue" | "revoked"
        | "locked" => "badge bad",
        _ => "badge",
    }
}

fn is_colour(text: &str) -> bool {
    let hex = text.strip_prefix('#').unwrap_or("");
    hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A colour beside its code. An attribute of the picture, since pages carry no styles.
fn swatch(colour: &str) -> Markup {
    html! {
        span.nowrap {
            svg.swatch viewBox="0 0 1 1" aria-hidden="true" {
                rect width="1" height="1" fill=(colour) {}
            }
            " " code { (colour) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::access::Rights;
    use crate::entity::registry::{CUSTOMER_LABEL, LABEL};

    fn cell(entity: &Entity, field: &str, value: &Json, titles: &Titles) -> String {
        let words = Words::english();
        let slots = super::super::slots(&words, &Rights::all(), entity, &[]);
        let slot = slots.iter().find(|slot| slot.name == field).unwrap();
        Look { words: &words, titles, short: true }.cell(slot, value).into_string()
    }

    #[test]
    fn a_reference_is_shown_by_its_title_and_leads_there() {
        let id = model::id::show("lbl", Uuid::now_v7());
        let mut titles = Titles::default();
        let unknown = cell(&CUSTOMER_LABEL, "label_id", &json!(id), &titles);
        assert!(unknown.contains(&id) && !unknown.contains("href"));
        titles.add(&id, "VIP <b>");
        let known = cell(&CUSTOMER_LABEL, "label_id", &json!(id), &titles);
        assert_eq!(known, format!(r#"<a href="/labels/{id}">VIP &lt;b&gt;</a>"#));
    }

    #[test]
    fn a_colour_is_seen_and_anything_else_in_its_place_is_text() {
        let titles = Titles::default();
        let seen = cell(&LABEL, "colour", &json!("#1c7ed6"), &titles);
        assert!(seen.contains(r##"fill="#1c7ed6""##) && !seen.contains("style"));
        let odd = cell(&LABEL, "colour", &json!("#<b>x"), &titles);
        assert_eq!(odd, "#&lt;b&gt;x");
        assert!(cell(&LABEL, "colour", &Json::Null, &titles).contains('–'));
    }
}
