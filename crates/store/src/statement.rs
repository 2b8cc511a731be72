//! SQL as constants.

use sqlx::{Executor, SqlSafeStr};

use crate::db::Pools;
use crate::{Db, Engine, StoreError};

/// A statement of the program. [`statements!`](crate::statements) writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The constant's name; errors and logs show it.
    pub name: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for Postgres.
    pub postgres: &'static str,
}

impl Statement {
    /// The text for an engine.
    pub const fn text(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// Declares statements, and lists them in `ALL`; once per module, because of that name.
///
/// One text serves both engines, or each has its own; a text put together at compile time
/// goes in parentheses.
///
/// ```
/// store::statements! {
///     /// A plan by its id.
///     pub FIND_PLAN = "SELECT id, name FROM plan WHERE id = $1";
///     /// Takes one waiting job.
///     pub CLAIM_JOB = {
///         sqlite: "SELECT id FROM job WHERE taken_by IS NULL LIMIT 1",
///         postgres: "SELECT id FROM job WHERE taken_by IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED",
///     };
///     /// All plans.
///     LIST_PLANS = (concat!("SELECT id, name ", "FROM plan"));
/// }
/// assert_eq!(ALL.len(), 3);
/// assert_eq!(FIND_PLAN.name, "FIND_PLAN");
/// assert!(CLAIM_JOB.postgres.ends_with("LOCKED"));
/// assert_eq!(LIST_PLANS.sqlite, "SELECT id, name FROM plan");
/// ```
#[macro_export]
macro_rules! statements {
    ($( $(#[$doc:meta])* $vis:vis $name:ident = $sql:tt; )*) => {
        $(
            $(#[$doc])*
            $vis const $name: $crate::Statement = $crate::statement_of!($name, $sql);
        )*
        /// Every statement above, for [`store::prepare_all`]($crate::prepare_all).
        #[allow(dead_code, unreachable_pub)]
        pub const ALL: &[&$crate::Statement] = &[$(&$name),*];
    };
}

/// One statement of [`statements!`](crate::statements).
#[doc(hidden)]
#[macro_export]
macro_rules! statement_of {
    ($name:ident, { sqlite: $sqlite:expr, postgres: $postgres:expr $(,)? }) => {
        $crate::Statement { name: stringify!($name), sqlite: $sqlite, postgres: $postgres }
    };
    ($name:ident, ($sql:expr)) => {
        $crate::Statement { name: stringify!($name), sqlite: $sql, postgres: $sql }
    };
    ($name:ident, $sql:literal) => {
        $crate::Statement { name: stringify!($name), sqlite: $sql, postgres: $sql }
    };
}

/// The condition "`column` is one of the ids bound as `$number`", for a built query; the
/// argument is a `Vec` of ids. In a constant, write the two texts out.
pub fn any_of(engine: Engine, column: &str, number: usize) -> String {
    match engine {
        Engine::Sqlite => format!("{column} IN (SELECT unhex(value) FROM json_each(${number}))"),
        Engine::Postgres => format!("{column} = ANY(${number})"),
    }
}

/// The largest `$n` of a text, outside of quotes and comments.
pub(crate) fn parameter_count(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    let mut largest = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at + 1..];
        // How many bytes after this one belong to the same quote, comment or parameter. A
        // doubled quote reads as two quotes side by side, which comes to the same.
        let skip = match byte {
            b'\'' | b'"' => rest.iter().position(|b| *b == byte).map_or(rest.len(), |n| n + 1),
            b'-' if rest.first() == Some(&b'-') => {
                rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
            }
            b'$' => {
                let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
                let number = sql[at + 1..at + 1 + digits].parse().unwrap_or(0);
                largest = largest.max(number);
                digits
            }
            _ => 0,
        };
        at += 1 + skip;
    }
    largest
}

/// Prepares every statement and returns those that fail, with the reason: the test that finds
/// a misspelt column on either engine.
///
/// Postgres is asked without arguments, so it must find each parameter's type in the text;
/// where it cannot (`SELECT $1`), its text says so: `$1::uuid`.
pub async fn prepare_all(db: &Db, statements: &[&Statement]) -> Vec<(&'static str, StoreError)> {
    let mut failures = Vec::new();
    for statement in statements {
        let sql = statement.text(db.engine()).into_sql_str();
        let prepared = match &db.pools {
            Pools::Sqlite { read, .. } => read.prepare(sql).await.map(drop),
            Pools::Postgres(pool, _) => pool.prepare(sql).await.map(drop),
        };
        if let Err(error) = prepared {
            let error = StoreError::from_driver(db.engine(), statement.name, error);
            failures.push((statement.name, error));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_count_by_their_largest_number() {
        assert_eq!(parameter_count("SELECT 1"), 0);
        assert_eq!(parameter_count("SELECT $2, $1, $2"), 2);
        assert_eq!(parameter_count("SELECT $11 WHERE a = $3"), 11);
        assert_eq!(parameter_count("SELECT '$9 it''s $8', \"$7\", $1 -- $6\n, $2"), 2);
        assert_eq!(parameter_count("SELECT 'open $5"), 0);
        assert_eq!(parameter_count("SELECT $ -- $5"), 0);
    }

    #[test]
    fn a_parameter_behind_letters_of_any_script_is_found() {
        assert_eq!(parameter_count("SELECT 'é' || $1 AS größe"), 1);
    }
}
