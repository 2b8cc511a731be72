//! What a PDF has around its table, and values as people read them: columns by their labels,
//! times on the organisation's wall, references by their titles, choices by their words.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;
use model::Ts;
use model::text::{FluentValue, has, text};
use serde_json::Value as Json;
use sheet::{Cell, Paper};
use store::args;
use uuid::Uuid;

use super::{Column, Of};
use crate::domain::{Actor, Fault, Office};
use crate::entity::{Entity, Flags, Kind, read, registry};
use crate::store::organisation;

/// Every text of a page, the labels of fields apart.
#[cfg(test)]
const KEYS: &[&str] =
    &["paper-made", "paper-filter", "paper-search", "paper-page", "paper-yes", "paper-no"];

/// How values are shown to people.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    locale: String,
    zone: TimeZone,
}

/// Leaves the columns that a table shows before anyone chose: a page is narrow.
pub(super) fn narrow(entity: &Entity, columns: &mut Vec<Column>) {
    let listed = |column: &Column| match &column.of {
        Of::Member(name) | Of::Amount(name) | Of::Currency(name) | Of::Words(name) => {
            entity.field(name).is_some_and(|field| field.flags.has(Flags::LISTED))
        }
        Of::Custom(_) => false,
    };
    if columns.iter().any(listed) {
        columns.retain(listed);
    }
}

/// The first text that the catalogue has, else the word made readable.
fn first(locale: &str, keys: &[String], word: &str) -> String {
    match keys.iter().find(|key| has(key)) {
        Some(key) => text(locale, key, &[]),
        None => word.replace(['_', '-'], " "),
    }
}

fn label(locale: &str, entity: &Entity, field: &str) -> String {
    let keys = [format!("field-{}-{field}", entity.name), format!("field-{field}")];
    first(locale, &keys, field)
}

/// The paper of an export, and how its values are shown.
pub(super) async fn of(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    filters: &BTreeMap<String, String>,
) -> Result<(Paper, Reading), Fault> {
    let row = office.db.fetch_one(&organisation::FIND, args![actor.organisation]).await?;
    let home = organisation::organisation(&row)?;
    let locale = home.locale;
    let zone = TimeZone::get(&home.zone).unwrap_or(TimeZone::UTC);
    let reading = Reading { locale: locale.clone(), zone };
    let say =
        |key: &str, values: &[(&'static str, FluentValue<'static>)]| text(&locale, key, values);
    let made = [
        ("organisation", home.name.clone().into()),
        ("time", reading.minute(office.now()).into()),
        ("zone", home.zone.clone().into()),
    ];
    let mut notes = vec![say("paper-made", &made)];
    for (name, value) in filters {
        let (field, op) = match name.split_once('[') {
            Some((field, op)) => (field, op.trim_end_matches(']')),
            None => (name.as_str(), ""),
        };
        if field == "q" {
            notes.push(say("paper-search", &[("value", value.clone().into())]));
        } else if field != "fields" {
            let values = [
                ("field", label(&locale, entity, field).into()),
                ("op", op.to_owned().into()),
                ("value", value.clone().into()),
            ];
            notes.push(say("paper-filter", &values));
        }
    }
    let (fonts, bold) = (&office.exports.fonts, &office.exports.fonts_bold);
    let paper = Paper {
        title: first(&locale, &[format!("entity-{}-many", entity.name)], entity.path),
        notes,
        foot: home.name,
        page: say("paper-page", &[]).replace('[', "{").replace(']', "}"),
        flags: [say("paper-yes", &[]), say("paper-no", &[])],
        language: locale.clone(),
        fonts: fonts.clone(),
        bold: bold.clone(),
    };
    Ok((paper, reading))
}

impl Reading {
    fn minute(&self, at: Ts) -> String {
        let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// What a column is called.
    pub(super) fn heading(&self, entity: &Entity, column: &Column) -> String {
        match &column.of {
            Of::Member(name) | Of::Amount(name) | Of::Words(name) => {
                label(&self.locale, entity, name)
            }
            // Beside its amount, which has the label.
            Of::Currency(_) => String::new(),
            Of::Custom(key) => key.replace('_', " "),
        }
    }

    /// The rows of a page of records.
    pub(super) async fn rows(
        &self,
        office: &Office,
        actor: &Actor,
        entity: &Entity,
        columns: &[Column],
        records: &[Json],
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let titles = titles(office, actor, entity, columns, records).await?;
        let cell = |column: &Column, record: &Json| {
            let Of::Member(name) = column.of else { return column.cell(record) };
            let value = &record[name];
            let kind = entity.field(name).map(|field| field.kind);
            match (kind, value) {
                (Some(Kind::Time), Json::String(at)) => match at.parse::<Ts>() {
                    Ok(at) => Cell::Text(self.minute(at)),
                    Err(_) => Cell::Text(at.clone()),
                },
                (Some(Kind::Choice(_)), Json::String(word)) => {
                    Cell::Text(self.choice(entity, name, word))
                }
                (_, Json::String(id)) if titles.contains_key(id) => Cell::Text(titles[id].clone()),
                _ => column.cell(record),
            }
        };
        let row = |record| columns.iter().map(|column| cell(column, record)).collect();
        Ok(records.iter().map(row).collect())
    }

    fn choice(&self, entity: &Entity, field: &str, word: &str) -> String {
        let plain: String =
            word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let keys = [
            format!("choice-{}-{field}-{plain}", entity.name),
            format!("choice-{field}-{plain}"),
            format!("choice-{plain}"),
        ];
        first(&self.locale, &keys, word)
    }
}

/// The titles of the records that some rows name: one read a kind of record.
async fn titles(
    office: &Office,
    actor: &Actor,
    entity: &Entity,
    columns: &[Column],
    records: &[Json],
) -> Result<HashMap<String, String>, Fault> {
    let mut wanted: BTreeMap<&str, BTreeSet<Uuid>> = BTreeMap::new();
    for column in columns {
        let Of::Member(name) = column.of else { continue };
        let Some(Kind::Reference(prefix, _)) = entity.field(name).map(|field| field.kind) else {
            continue;
        };
        let ids = records.iter().filter_map(|record| record[name].as_str());
        let ids = ids.filter_map(|id| model::id::parse(prefix, id).ok());
        wanted.entry(prefix).or_default().extend(ids);
    }
    let mut titles = HashMap::new();
    for (prefix, ids) in wanted {
        let Some(other) = registry::by_prefix(prefix) else { continue };
        let ids: Vec<Uuid> = ids.into_iter().collect();
        for (id, title) in read::titles(office, actor, other, &ids).await? {
            titles.insert(model::id::show(prefix, id), title);
        }
    }
    Ok(titles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_page_is_in_the_catalogue_and_used() {
        for key in KEYS {
            assert!(has(key), "{key}");
        }
        let source = include_str!("../../../../crates/model/locales/en.ftl");
        for line in source.lines().filter(|line| line.starts_with("paper-")) {
            let name = line.split('=').next().unwrap_or("").trim();
            assert!(KEYS.contains(&name), "{name}");
        }
    }
}
