//! A page of one of `policyd`'s tables, the newest rows first: read, never written.
//!
//! The statement names only the conditions that are asked for, so that each can use its index, and
//! only the columns that are read, so that `policyd` may add others while this program runs.

use model::OrganisationId;
use store::{Args, Bind, Engine, any_of};

/// Which rows a page has.
pub(crate) struct Newest {
    args: Args,
    conditions: Vec<String>,
}

impl Newest {
    /// Rows of these organisations, and, where `unknown`, those of nobody known.
    pub(crate) fn of(engine: Engine, organisations: Vec<OrganisationId>, unknown: bool) -> Self {
        let mut args = Args::new();
        let organisations = args.push(organisations);
        let scope = any_of(engine, "organisation_id", organisations);
        let condition = match unknown {
            true => format!("({scope} OR organisation_id IS NULL)"),
            false => scope,
        };
        Self { args, conditions: vec![condition] }
    }

    /// Of these only those that compare so with a value (`login_key =`), where one is asked for.
    pub(crate) fn only(mut self, comparison: &'static str, value: Option<impl Bind>) -> Self {
        if let Some(value) = value {
            let number = self.args.push(value);
            self.conditions.push(format!("{comparison} ${number}"));
        }
        self
    }

    /// Of these only those of which this holds, where it is asked for.
    pub(crate) fn also(mut self, condition: Option<&'static str>) -> Self {
        self.conditions.extend(condition.map(str::to_owned));
        self
    }

    /// The statement, for at most so many rows.
    pub(crate) fn page(mut self, table: &str, columns: &str, limit: i64) -> (String, Args) {
        let limit = self.args.push(limit);
        let conditions = self.conditions.join(" AND ");
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE {conditions} ORDER BY id DESC LIMIT ${limit}"
        );
        (sql, self.args)
    }
}
