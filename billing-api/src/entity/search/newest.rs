//! A word that many records have, found among the newest ones.
//!
//! The index of words reads all places of a word before it picks those of an organisation, and
//! of a beginning (`exam`) the places of every word that begins so: for a word that most
//! records share, a whole index for one page. There it is cheaper to read the newest records one
//! after another until there are enough, and the newest are what people look for. A sample
//! of them tells how many records have the words; where that is few, the index is asked.

use store::{Args, Value, args};
use uuid::Uuid;

use super::{Entity, words};
use crate::domain::{Fault, Office};

/// Newest records that tell how common the words are.
const SAMPLE: usize = 200;
/// Words are common where at least one in so many records of the sample has them.
const ONE_IN: usize = 3;
/// Records that are read, at most: about what the index costs for words just below common.
const READ_MAX: usize = 4_000;
/// Organisations whose newest records are put in one order; for more, the index is asked.
const ORGANISATIONS_MAX: usize = 16;

/// The newest records.
struct Newest {
    /// The records of the entity, with their words, the newest first.
    records: Vec<(Uuid, String)>,
    /// Whether there are no others.
    all: bool,
}

/// At most `most` records that have the words of a query, the newest ones. Nothing where the
/// words are too rare, or the records too far apart, to look for them this way.
pub(super) async fn find(
    office: &Office,
    entity: &Entity,
    organisations: Option<&[Uuid]>,
    query: &[String],
    most: usize,
) -> Result<Option<Vec<Uuid>>, Fault> {
    if organisations.is_some_and(|ids| ids.is_empty() || ids.len() > ORGANISATIONS_MAX) {
        return Ok(None);
    }
    let sample = read(office, entity, organisations, SAMPLE).await?;
    let (seen, found) = (sample.records.len(), sample.with(query));
    if sample.all {
        return Ok(Some(found));
    }
    // A sample that is mostly of other entities says nothing about this one.
    if seen < SAMPLE / 2 || found.len() * ONE_IN < seen {
        return Ok(None);
    }
    // A quarter more than the sample promises.
    let reach = (most * seen * 5).div_ceil(found.len() * 4).min(READ_MAX);
    let newest = read(office, entity, organisations, reach).await?;
    let mut found = newest.with(query);
    if found.len() < most && !newest.all {
        return Ok(None);
    }
    found.truncate(most);
    Ok(Some(found))
}

impl Newest {
    fn with(&self, query: &[String]) -> Vec<Uuid> {
        let found = self.records.iter().filter(|(_, words)| has(words, query));
        found.map(|(id, _)| *id).collect()
    }
}

/// Whether a record's words are what the query asks for, as both engines' indexes decide it.
fn has(words: &str, query: &[String]) -> bool {
    query.iter().all(|asked| {
        words.split(' ').any(|word| match asked.len() > 1 {
            true => word.starts_with(asked.as_str()),
            false => word == asked,
        })
    })
}

/// Reads the newest records: those of some organisations, or the newest there are.
async fn read(
    office: &Office,
    entity: &Entity,
    organisations: Option<&[Uuid]>,
    count: usize,
) -> Result<Newest, Fault> {
    let mut args = args![entity.name, count as i64];
    let newest = match organisations {
        // One order for all entities: an entity with few records is not looked for among all.
        None => "SELECT seq, entity FROM search_entry ORDER BY seq DESC LIMIT $2".to_owned(),
        Some(ids) => {
            let each: Vec<String> = ids.iter().map(|id| of_one(*id, &mut args)).collect();
            format!(
                "SELECT seq, $1 AS entity FROM ({}) AS every ORDER BY seq DESC LIMIT $2",
                each.join(" UNION ALL ")
            )
        }
    };
    let sql = format!(
        "SELECT e.record_id, e.words FROM ({newest}) AS newest
         JOIN search_entry e ON e.seq = newest.seq
         WHERE newest.entity = $1 ORDER BY e.seq DESC"
    );
    let rows = office.db.dynamic_all(&sql, args).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push((row.get("record_id")?, row.get("words")?));
    }
    // Among those of all entities, what is missing is another's.
    let all = organisations.is_some() && records.len() < count;
    Ok(Newest { records, all })
}

/// The newest of one organisation, from the index that has them in order.
fn of_one(organisation: Uuid, args: &mut Args) -> String {
    let number = args.push(Value::Uuid(Some(organisation)));
    format!(
        "SELECT seq FROM (SELECT seq FROM search_entry
             WHERE organisation_id = ${number} AND entity = $1 ORDER BY seq DESC LIMIT $2) AS own"
    )
}

/// The words of a query that count.
pub(super) fn asked(query: &str) -> Vec<String> {
    let mut asked = words(query);
    asked.truncate(super::WORDS_MAX);
    asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Actor;
    use crate::domain::customer::CUSTOMER;
    use crate::domain::setting::tests::{below, office};
    use serde_json::json;

    #[test]
    fn a_record_has_the_words_that_the_indexes_would_say_it_has() {
        let has = |words: &str, query: &str| super::has(words, &asked(query));
        assert!(has("asha kumar 1001", "kum ASH"));
        assert!(!has("asha kumar 1001", "asha rao"));
        assert!(!has("asha kumar", "umar"));
        // A single letter is a whole word, as it is for the indexes.
        assert!(!has("asha kumar", "k") && has("asha k rao", "k"));
        assert!(has("łódź", "łó"));
    }

    /// Customers, each with words of its own: `common` in all of them, `third` in every third,
    /// `rare` in every hundredth.
    async fn customers(office: &Office, actor: &Actor, count: usize) {
        let mut unit = crate::domain::Unit::begin(office, actor).await.unwrap();
        let drafts = (0..count).map(|n| {
            let third = if n % 3 == 0 { " third" } else { "" };
            let rare = if n % 100 == 0 { " rare" } else { "" };
            let body = json!({"name": format!("Common{third}{rare} {n}")}).to_string();
            crate::entity::write::parse(&CUSTOMER, &[], body.as_bytes(), true).unwrap()
        });
        let drafts = drafts.collect();
        crate::entity::batch::create_in(&mut unit, &CUSTOMER, drafts).await.unwrap();
        unit.commit().await.unwrap();
    }

    #[tokio::test]
    async fn common_words_are_found_among_the_newest_and_rare_ones_by_the_index() {
        for test in store::testing::engines("billing").await {
            let (office, isp) = office(&test).await;
            let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
            let branch = below(&office, &north, json!({"kind": "branch", "name": "East"})).await;
            for (actor, count) in [(&north, 300), (&branch, 150), (&isp, 250)] {
                customers(&office, actor, count).await;
            }
            let two = [north.organisation.0, branch.organisation.0];
            let asks = [
                // Everybody's: the newest, which are the root's own.
                (None, "common", 100, Some(100)),
                (None, "comm thi", 50, Some(50)),
                // More than one read reaches: the index is asked.
                (None, "common", 4_500, None),
                (None, "rare", 100, None),
                // A tenant's: all it has, and as many as are wanted.
                (Some(&two[..]), "common", 1_000, Some(450)),
                (Some(&two[..]), "common", 200, Some(200)),
                (Some(&two[..]), "rare", 100, None),
                (Some(&two[..]), "nobody", 100, None),
                // One that the sample holds whole.
                (Some(&two[1..]), "rare", 100, Some(2)),
                (Some(&two[1..]), "nobody", 100, Some(0)),
                (Some(&[]), "common", 100, None),
            ];
            for (organisations, query, most, expected) in asks {
                let ids = find(&office, &CUSTOMER, organisations, &asked(query), most).await;
                let ids = ids.unwrap();
                let told = format!("{:?} {organisations:?} {query} {most}", test.engine());
                assert_eq!(ids.as_ref().map(Vec::len), expected, "{told}");
                let newest_first = |ids: &Vec<Uuid>| ids.is_sorted_by(|a, b| a > b);
                assert!(ids.as_ref().is_none_or(newest_first), "{told}");
            }
            // Both ways find the same, and never what is another's.
            for query in ["common", "third", "rare", "com 1", "nobody"] {
                let found = super::super::ids(&office, &branch, &CUSTOMER, Some(&two[1..]), query);
                let found = found.await.unwrap();
                let expected = match query {
                    "common" => 150,
                    "third" => 50,
                    "rare" => 2,
                    "com 1" => 1,
                    _ => 0,
                };
                assert_eq!(found.len(), expected, "{query}");
            }
        }
    }
}
