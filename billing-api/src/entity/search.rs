//! What can be found by its words.
//!
//! One table, `search_entry`, has the words of every record that search looks into, written in
//! the transaction of the record. A query finds the records that have, for each of its words, a
//! word beginning with it. Postgres answers from a GIN index over a `tsvector`, SQLite from
//! FTS5; both are given words that were folded and split here, so that both find the same. Words
//! that most records have are not looked up there but [among the newest records](newest).

mod newest;

use store::{Args, Engine, StoreError, args};
use uuid::Uuid;

use super::{Entity, Flags, Scope};
use crate::domain::setting::{self, Layers};
use crate::domain::{Actor, Fault, Office, Unit, Words, module};

/// How many records a search looks at, at most: words that half the records share are no
/// search. It is not a page's size.
pub(super) const MATCHES_MAX: i64 = 1_000;
/// Words of a query that count.
const WORDS_MAX: usize = 8;
/// Organisations that a search is narrowed to within the index; a longer list is left to the
/// condition on the rows.
const ORGANISATIONS_MAX: usize = 100;
/// Octets of one record's words.
const OCTETS_MAX: usize = 4_000;

store::statements! {
    /// Keeps a record's words.
    pub(crate) KEEP = "INSERT INTO search_entry (record_id, entity, organisation_id, title, words)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (record_id) DO UPDATE SET organisation_id = excluded.organisation_id,
            title = excluded.title, words = excluded.words";
    /// Forgets a record's words.
    pub(crate) FORGET = "DELETE FROM search_entry WHERE record_id = $1";
}

/// A text's words: lower case, split wherever neither letter nor digit stands.
pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let split = lower.split(|c: char| !c.is_alphanumeric());
    split.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What a word of a query stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Itself.
    Whole,
    /// Every word that begins with it.
    Begun,
}

/// A query in the engine's own words; nothing where it has none.
pub(super) fn expression(engine: Engine, query: &str, as_word: Word) -> Option<String> {
    let words = words(query);
    if words.is_empty() {
        return None;
    }
    // A single letter begins half of all words: it is taken for a whole one.
    let word = |word: &String| match (engine, word.len() > 1 && as_word == Word::Begun) {
        (Engine::Sqlite, true) => format!("\"{word}\"*"),
        (Engine::Sqlite, false) => format!("\"{word}\""),
        (Engine::Postgres, true) => format!("'{word}':*"),
        (Engine::Postgres, false) => format!("'{word}'"),
    };
    let joined: Vec<String> = words.iter().take(WORDS_MAX).map(word).collect();
    Some(joined.join(match engine {
        Engine::Sqlite => " ",
        Engine::Postgres => " & ",
    }))
}

/// The records of an entity that a search finds, those the caller may read: at most
/// [`MATCHES_MAX`]. Where there are more, these are the newest, or, of words that neither few
/// records nor many have, the index's choice.
pub(super) async fn ids(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    organisations: Option<&[Uuid]>,
    query: &str,
) -> Result<Vec<Uuid>, Fault> {
    let engine = office.db.engine();
    // An entity without a field to look into finds nothing, as does a search for signs alone.
    let asked = newest::asked(query);
    if asked.is_empty() || !entity.is_searched() {
        return Ok(Vec::new());
    }
    let own = match entity.scope {
        Scope::Own => organisations,
        Scope::Inherited | Scope::Shared | Scope::Global => None,
    };
    if entity.scope == Scope::Own {
        let found = newest::find(office, entity, own, &asked, MATCHES_MAX as usize).await?;
        if let Some(found) = found {
            return Ok(found);
        }
        // Whole words first. The places of a word stand in the index of Postgres in order; those
        // of a beginning are gathered from all words that begin so, which costs several times
        // as much. A family name that a thousand records have is found without.
        if engine == Engine::Postgres {
            let found = indexed(office, actor, entity, own, query, Word::Whole).await?;
            if found.len() as i64 >= MATCHES_MAX {
                return Ok(found);
            }
        }
    }
    indexed(office, actor, entity, own, query, Word::Begun).await
}

/// The records of an entity that the index of words has.
async fn indexed(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    own: Option<&[Uuid]>,
    query: &str,
    as_word: Word,
) -> Result<Vec<Uuid>, Fault> {
    let engine = office.db.engine();
    let Some(words) = expression(engine, query, as_word) else { return Ok(Vec::new()) };
    let mut args = args![actor.path.as_str(), entity.name];
    let readable = readable(engine, entity, own, &mut args);
    let narrowed = engine == Engine::Postgres && narrows(own);
    let matched = matched(engine, words, own, &mut args);
    let limit = args.push(MATCHES_MAX);
    let sql = match narrowed {
        // The index of words knows whose a record is: reading another index of that as well
        // would cost all that the organisations have.
        true => format!(
            "WITH found AS MATERIALIZED (
                SELECT record_id, entity, organisation_id FROM search_entry WHERE {matched}
             ) SELECT record_id FROM found WHERE {readable} AND entity = $2 LIMIT ${limit}"
        ),
        false => format!(
            "SELECT record_id FROM search_entry WHERE {readable} AND entity = $2 AND {matched}
             LIMIT ${limit}"
        ),
    };
    let rows = office.db.dynamic_all(&sql, args).await?;
    Ok(rows.iter().map(|row| row.get("record_id")).collect::<Result<_, _>>()?)
}

/// "Is one that this search finds", of an entity's records, however many they are: for what goes
/// through all of them. `$1` is the caller's path.
pub(super) fn condition(
    engine: Engine,
    entity: &'static Entity,
    organisations: Option<&[Uuid]>,
    query: &str,
    args: &mut Args,
) -> String {
    let words = expression(engine, query, Word::Begun).filter(|_| entity.is_searched());
    let Some(words) = words else { return "1 = 0".to_owned() };
    let readable = readable(engine, entity, organisations, args);
    let name = args.push(entity.name);
    let matched = matched(engine, words, organisations, args);
    format!(
        "id IN (SELECT record_id FROM search_entry WHERE {readable} AND entity = ${name}
         AND {matched})"
    )
}

/// "The caller may read it", of the words of an entity's records.
fn readable(
    engine: Engine,
    entity: &'static Entity,
    organisations: Option<&[Uuid]>,
    args: &mut Args,
) -> String {
    match entity.scope {
        Scope::Own => owned(engine, organisations, args),
        // Whether it is shared stands with the record, not with its words.
        Scope::Shared => format!(
            "record_id IN (SELECT id FROM {} WHERE {})",
            entity.table,
            Scope::Shared.readable()
        ),
        scope => scope.readable().to_owned(),
    }
}

/// Whether a search is narrowed to organisations within the index of words.
fn narrows(organisations: Option<&[Uuid]>) -> bool {
    organisations.is_some_and(|ids| !ids.is_empty() && ids.len() <= ORGANISATIONS_MAX)
}

/// "Is one of these organisations'"; nothing: all are one's own.
fn owned(engine: Engine, organisations: Option<&[Uuid]>, args: &mut Args) -> String {
    match organisations {
        Some(ids) => super::read::among(engine, "organisation_id", ids, args),
        None => "$1 IS NOT NULL".to_owned(),
    }
}

/// "Has these words, and is one of these organisations'". The index of Postgres knows whose
/// a record is, so that a common word costs a small tenant no more than what it has itself.
/// This narrows the search and does not stand for the scope, which is a condition of its own.
fn matched(
    engine: Engine,
    words: String,
    organisations: Option<&[Uuid]>,
    args: &mut Args,
) -> String {
    let words = args.push(words);
    if engine == Engine::Sqlite {
        return format!("seq IN (SELECT rowid FROM search_word WHERE search_word MATCH ${words})");
    }
    match organisations.filter(|_| narrows(organisations)) {
        None => format!("vector @@ to_tsquery('simple', ${words})"),
        Some(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| format!("'@{id}'")).collect();
            let owners = args.push(ids.join(" | "));
            format!("vector @@ (to_tsquery('simple', ${words}) && ${owners}::tsquery)")
        }
    }
}

/// What a record is known by, and its words.
pub(crate) fn entry(
    entity: &Entity,
    row: &store::Row,
) -> Result<Option<(String, String)>, StoreError> {
    if !entity.is_searched() {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut title = String::new();
    for field in entity.all_fields() {
        // What not everybody may see is not found by its words.
        let searched = field.flags.has(Flags::SEARCHED) && field.permission.is_none();
        if !searched && field.name != entity.title {
            continue;
        }
        let shown = match super::read::cell(row, field)? {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => continue,
            other => other.to_string(),
        };
        if field.name == entity.title {
            title.clone_from(&shown);
        }
        if searched {
            found.extend(words(&shown));
        }
    }
    let mut text = found.join(" ");
    if text.len() > OCTETS_MAX {
        let end = (0..=OCTETS_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    Ok(Some((title, text)))
}

/// Keeps or forgets the words of a record that was just written.
pub(crate) async fn note(
    unit: &mut Unit<'_>,
    entity: &Entity,
    id: Uuid,
    row: &store::Row,
    deleted: bool,
) -> Result<(), Fault> {
    if deleted {
        if entity.is_searched() {
            unit.execute(&FORGET, args![id]).await?;
        }
        return Ok(());
    }
    if let Some((title, words)) = entry(entity, row)? {
        let (record, entity) = (id, entity.name);
        let organisation = row.get("organisation_id")?;
        unit.found_by(Words { record, entity, organisation, title, words }).await?;
    }
    Ok(())
}

/// A record that a search found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Whose description fits.
    pub(crate) entity: &'static Entity,
    pub(crate) id: Uuid,
    pub(crate) title: String,
}

impl std::fmt::Debug for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Results of one kind of record, the newest first.
pub(crate) struct Group {
    pub(crate) entity: &'static Entity,
    pub(crate) found: Vec<Found>,
    /// Whether there are others; the entity's own list has them all.
    pub(crate) more: bool,
}

/// The kinds of records that the caller may look for: those they may see, whose module is on.
pub(crate) fn kinds<'a>(
    actor: &'a Actor,
    settings: &'a Layers,
) -> impl Iterator<Item = &'static Entity> + 'a {
    super::registry::ENTITIES.iter().copied().filter(move |entity| {
        let on = module::guard_in(settings, &format!("/api/v1/{}", entity.path)).is_ok();
        entity.is_searched() && on && super::read::may(actor, entity, "view")
    })
}

/// Records of every kind the caller may see, by kind, at most `each` of one kind; the kind of the
/// newest record first. `only`: of one entity.
pub(crate) async fn everywhere(
    office: &Office,
    actor: &Actor,
    query: &str,
    only: Option<&'static Entity>,
    each: usize,
) -> Result<Vec<Group>, Fault> {
    let engine = office.db.engine();
    let Some(expression) = expression(engine, query, Word::Begun) else { return Ok(Vec::new()) };
    let settings = setting::of(office, actor.organisation).await?;
    let mut args = args![actor.path.as_str()];
    let wanted = |entity: &&'static Entity| only.is_none_or(|only| only.name == entity.name);
    let kinds: Vec<String> = kinds(actor, &settings)
        .filter(wanted)
        .map(|entity| format!("${}", args.push(entity.name)))
        .collect();
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let organisations = super::read::subtree(office, actor).await?;
    let matched = matched(engine, expression, organisations.as_deref(), &mut args);
    let readable = owned(engine, organisations.as_deref(), &mut args);
    let (most, limit) = (args.push(MATCHES_MAX), args.push(each as i64 + 1));
    let sql = format!(
        "SELECT entity, record_id, title FROM (
            SELECT entity, record_id, title, seq,
                ROW_NUMBER() OVER (PARTITION BY entity ORDER BY seq DESC) AS place
            FROM (SELECT seq, entity, record_id, title FROM search_entry
                WHERE {readable} AND entity IN ({}) AND {matched} LIMIT ${most}) AS found
         ) AS placed WHERE place <= ${limit} ORDER BY seq DESC",
        kinds.join(", ")
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let name: String = row.get("entity")?;
        let Some(entity) = super::registry::by_name(&name) else { continue };
        let one = Found { entity, id: row.get("record_id")?, title: row.get("title")? };
        match groups.iter_mut().find(|group| group.entity.name == entity.name) {
            Some(group) if group.found.len() == each => group.more = true,
            Some(group) => group.found.push(one),
            None => groups.push(Group { entity, found: vec![one], more: false }),
        }
    }
    Ok(groups)
}

/// Keeps the words of records that typed code wrote without them: what a first start makes.
/// For entities with few records: it looks at all of them.
pub(crate) async fn catch_up(office: &Office, entity: &'static Entity) -> Result<u64, Fault> {
    let sql = format!(
        "SELECT * FROM {} AS t WHERE deleted_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM search_entry s WHERE s.record_id = t.id)",
        entity.table
    );
    let mut tx = office.db.begin().await?;
    let rows = tx.dynamic_all(&sql, Args::new()).await?;
    let mut kept = 0;
    for row in &rows {
        let Some((title, words)) = entry(entity, row)? else { continue };
        let (id, organisation): (Uuid, Uuid) = (row.get("id")?, row.get("organisation_id")?);
        kept += tx.execute(&KEEP, args![id, entity.name, organisation, title, words]).await?;
    }
    tx.commit().await?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_split_where_people_would() {
        assert_eq!(
            words("Asha Kumar-Rao, ASHA@example.net"),
            ["asha", "kumar", "rao", "asha", "example", "net"]
        );
        assert_eq!(words("+91 98450 12345"), ["91", "98450", "12345"]);
        assert_eq!(words("Łódź ÉCOLE"), ["łódź", "école"]);
        assert!(words("'; -- \" & | ! * : ()").is_empty());
    }

    /// What a caller finds: kinds with their titles.
    async fn found(
        office: &Office,
        actor: &Actor,
        query: &str,
    ) -> Vec<(&'static str, Vec<String>)> {
        let groups = everywhere(office, actor, query, None, 3).await.unwrap();
        let titles = |group: &Group| group.found.iter().map(|one| one.title.clone()).collect();
        let mut found: Vec<_> = groups.iter().map(|g| (g.entity.path, titles(g))).collect();
        found.sort();
        found
    }

    #[tokio::test]
    async fn everything_is_found_by_those_who_may_see_it_and_nobody_else() {
        use crate::domain::access::Rights;
        use crate::domain::setting::tests::{below, office};
        use crate::domain::{customer, module};
        use serde_json::json;
        for test in store::testing::engines("billing").await {
            let (office, isp) = office(&test).await;
            let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
            for (actor, name) in [(&isp, "Asha Zebra"), (&north, "Bala Zebra")] {
                let body = json!({"name": name}).to_string();
                let new = customer::New::parse(body.as_bytes()).unwrap();
                customer::create(&office, actor, new).await.unwrap();
                let label = json!({"name": format!("Zebra {name}"), "kind": "customer"});
                crate::entity::tests::label(&office, actor, label).await.unwrap();
            }
            let all = found(&office, &isp, "zebra").await;
            let kinds: Vec<(&str, usize)> = all.iter().map(|(k, t)| (*k, t.len())).collect();
            assert_eq!(kinds, [("customers", 2), ("labels", 2)]);
            let own = found(&office, &north, "zebra").await;
            let expected = ["Bala Zebra", "Zebra Bala Zebra"].map(|title| vec![title.to_owned()]);
            assert_eq!(own.iter().map(|(_, titles)| titles.clone()).collect::<Vec<_>>(), expected);

            // By permission: what one may not see takes no place from what one may.
            let some = Actor { rights: Rights::of(&["labels.view"]), ..isp.clone() };
            assert_eq!(found(&office, &some, "zebra").await.len(), 1);
            let none = Actor { rights: Rights::NONE, ..isp.clone() };
            assert!(found(&office, &none, "zebra").await.is_empty());

            // By module, for those who have it off.
            let off = json!({"customers.labels": false});
            let off = off.as_object().unwrap();
            module::patch(&office, &isp, Some(north.organisation), off, None).await.unwrap();
            assert_eq!(found(&office, &north, "zebra").await.len(), 1);
            assert_eq!(found(&office, &isp, "zebra").await.len(), 2);

            // What a first start made is found like any other record, and so are organisations.
            let of_start = [
                ("administrator", "staff", "Administrator"),
                ("noc tech", "roles", "NOC Technician"),
                ("my isp", "organisations", "My ISP"),
                ("north", "organisations", "North"),
            ];
            for (query, path, title) in of_start {
                let all = found(&office, &isp, query).await;
                let of_kind = all.iter().find(|(kind, _)| *kind == path);
                let titles = of_kind.map(|(_, titles)| titles.as_slice()).unwrap_or_default();
                assert!(titles.iter().any(|one| one == title), "{query}: {all:?}");
            }
            // More of a kind than are asked for: told, and no other kind is crowded out.
            for n in 0..4 {
                let body = json!({"name": format!("Zebra {n}")}).to_string();
                let new = customer::New::parse(body.as_bytes()).unwrap();
                customer::create(&office, &isp, new).await.unwrap();
            }
            let groups = everywhere(&office, &isp, "zebra", None, 3).await.unwrap();
            let sizes: Vec<(&str, usize, bool)> =
                groups.iter().map(|g| (g.entity.path, g.found.len(), g.more)).collect();
            assert_eq!(sizes, [("customers", 3, true), ("labels", 2, false)]);
            assert_eq!(groups[0].found[0].title, "Zebra 3", "the newest first");
        }
    }

    #[test]
    fn a_query_is_made_of_words_alone() {
        let of = |engine, query| expression(engine, query, Word::Begun);
        let both = |query| (of(Engine::Sqlite, query), of(Engine::Postgres, query));
        let (sqlite, postgres) = both("as'ha OR \"x");
        assert_eq!(sqlite.as_deref(), Some("\"as\"* \"ha\"* \"or\"* \"x\""));
        assert_eq!(postgres.as_deref(), Some("'as':* & 'ha':* & 'or':* & 'x'"));
        assert_eq!(both("!&|"), (None, None));
        let whole = expression(Engine::Postgres, "as'ha x", Word::Whole);
        assert_eq!(whole.as_deref(), Some("'as' & 'ha' & 'x'"));
    }
}
