//! Numbers of a series, for people to read out: customer 1001, 1002, …
//!
//! A series is a row that counts. Whoever takes a number within a transaction holds that row
//! until the commit, and everybody else who wants one waits. So a single record's number is
//! taken before its transaction begins, by a statement of its own; in a rush, when the last
//! number was taken less than [`RUSH`] ago, several are taken at once and handed out from
//! memory. A number whose record did not come about is handed to the next. A program that ends
//! takes what it had left with it: numbers can have gaps, and are never given twice.
//!
//! Documents whose numbers may not have gaps do not take them here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::OrganisationId;
use store::{Engine, args};

use super::{Fault, Office, setting};
use crate::store::organisation;

/// Numbers that are wanted again this soon are taken several at once.
const RUSH: Duration = Duration::from_secs(1);
/// Numbers taken at once, at most.
const BLOCK_MAX: i64 = 64;

/// A series that a kind of record counts in, per organisation.
#[derive(Debug)]
pub(crate) struct Series {
    /// Its name in the database.
    pub(crate) kind: &'static str,
    /// The first number.
    pub(crate) first: i64,
}

/// A number, and the language of the organisation it was given in.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub(crate) number: i64,
    pub(crate) locale: String,
}

/// Numbers in hand. One a process.
#[derive(Default)]
pub(crate) struct Numbers {
    blocks: std::sync::Mutex<HashMap<(OrganisationId, &'static str), Arc<Line>>>,
}

/// Held while numbers are taken from the database.
type Line = tokio::sync::Mutex<Block>;

#[derive(Default)]
struct Block {
    left: BTreeSet<i64>,
    size: i64,
    taken: Option<Instant>,
}

impl Numbers {
    /// The next number, ahead of the transaction that will use it. Nothing on SQLite, where one
    /// transaction writes at a time anyway.
    pub(crate) async fn take(
        &self,
        office: &Office,
        organisation: OrganisationId,
        series: &Series,
    ) -> Result<Option<Number>, Fault> {
        if office.db.engine() == Engine::Sqlite {
            return Ok(None);
        }
        let line = self.line(organisation, series);
        let mut block = line.lock().await;
        if block.left.is_empty() {
            let rush = block.taken.is_some_and(|taken| taken.elapsed() < RUSH);
            let size = if rush { (block.size * 2).min(BLOCK_MAX) } else { 1 };
            let args = args![organisation, series.kind, series.first, size];
            let row = office.db.fetch_one(&organisation::NEXT_NUMBERS, args).await?;
            let last: i64 = row.get("last")?;
            block.left = (last - size + 1..=last).collect();
            (block.size, block.taken) = (size, Some(Instant::now()));
        }
        let Some(number) = block.left.pop_first() else { return Ok(None) };
        drop(block);
        let locale = setting::of(office, organisation).await?.text(&setting::registry::LOCALE);
        Ok(Some(Number { number, locale }))
    }

    /// A number that no record has after all.
    pub(crate) async fn give_back(
        &self,
        organisation: OrganisationId,
        series: &Series,
        number: i64,
    ) {
        self.line(organisation, series).lock().await.left.insert(number);
    }

    fn line(&self, organisation: OrganisationId, series: &Series) -> Arc<Line> {
        // Nothing panics while it is held. Organisations are few: nothing is ever thrown out.
        let mut blocks = self.blocks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        blocks.entry((organisation, series.kind)).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use store::{Engine, testing::engines};

    use super::*;
    use crate::domain::setting::tests::office;

    const SERIES: Series = Series { kind: "test", first: 1001 };

    #[tokio::test]
    async fn a_rush_takes_numbers_together_and_none_is_given_twice() {
        for test in engines("billing").await {
            let (office, actor) = office(&test).await;
            let root = actor.organisation;
            let numbers = Numbers::default();
            if office.db.engine() == Engine::Sqlite {
                assert!(numbers.take(&office, root, &SERIES).await.unwrap().is_none());
                continue;
            }
            let mut given = BTreeSet::new();
            for expected in 1001..1101 {
                let number = numbers.take(&office, root, &SERIES).await.unwrap().unwrap();
                assert_eq!(number.number, expected);
                assert!(given.insert(number.number));
            }
            numbers.give_back(root, &SERIES, 1007).await;
            let again = numbers.take(&office, root, &SERIES).await.unwrap().unwrap();
            assert_eq!(again.number, 1007);
            // Another process goes on behind what this one has in hand.
            let other = Numbers::default();
            let theirs = other.take(&office, root, &SERIES).await.unwrap().unwrap();
            assert!(theirs.number > 1100 && !given.contains(&theirs.number));
        }
    }
}
