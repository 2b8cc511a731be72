//! Opening a database, reading, writing, transactions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::Secret;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr, SqlStr, Sqlite, SqlitePool, Transaction};

use crate::error::Source;
use crate::flush::{Flush, Waiting};
use crate::statement::parameter_count;
use crate::{Args, Row, Statement, StoreError, Value, postgres, sqlite};

/// How long a call waits for a connection, or to be the one that writes.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements each connection keeps; above the number any program has.
pub(crate) const STATEMENTS_CACHED: usize = 500;

/// The longest built statement of a transaction that a connection keeps prepared.
const KEPT_OCTETS_MAX: usize = 4096;

/// The name errors show for a query built at run time.
const BUILT: &str = "a built statement";

/// The two database engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite, embedded.
    Sqlite,
    /// Postgres 15 or newer.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        })
    }
}

/// Which database to open and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    ///
    /// SQLite syncs every commit to disk; `?synchronous=normal` after the path syncs at
    /// checkpoints only and may lose the last commits in a power cut.
    pub url: Secret<String>,
    /// The Postgres schema everything lives in, created if missing. SQLite has a file instead.
    pub schema: &'static str,
    /// Connections at most; in SQLite those that read, beside the one that writes.
    pub connections_max: u32,
    /// Opens another program's database to look at it: nothing is created or changed.
    pub read_only: bool,
}

/// An open database; clones share its connections.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    read_only: bool,
}

#[derive(Clone)]
pub(crate) enum Pools {
    Sqlite {
        /// The one connection that writes; none where the database is opened for reading.
        write: Option<SqlitePool>,
        read: SqlitePool,
    },
    Postgres(PgPool, Arc<Flush>),
}

/// Shows the engine only: a pool would show its password.
impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Db({})", self.engine())
    }
}

impl Db {
    /// Opens the database. The directory of a SQLite file must exist, the file need not.
    pub async fn open(options: &Options) -> Result<Self, StoreError> {
        let url = options.url.expose();
        let pools = if let Some(path) = url.strip_prefix("sqlite:") {
            sqlite::open(path, options).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres::open(options).await?
        } else {
            return Err(StoreError::Url {
                reason: "must start with \"sqlite:\" or \"postgres://\"",
            });
        };
        Ok(Self { pools, read_only: options.read_only })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match &self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(..) => Engine::Postgres,
        }
    }

    /// Whether it was opened for reading only.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Starts a transaction. In SQLite it is the only one that writes, from the start: waiting
    /// longer than five seconds for its turn is [`StoreError::Busy`]. While it lives, use no
    /// method of this `Db` that writes, since that would wait for the same turn.
    ///
    /// On a database opened for reading it gives one unchanging view of the data.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let step = "beginning a transaction";
        let open = match &self.pools {
            Pools::Sqlite { write: Some(write), .. } => Open::Sqlite(
                write
                    .begin_with("BEGIN IMMEDIATE")
                    .await
                    .map_err(|error| sqlite::error(step, error))?,
            ),
            Pools::Sqlite { write: None, read } => {
                Open::Sqlite(read.begin().await.map_err(|error| sqlite::error(step, error))?)
            }
            Pools::Postgres(pool, flush) => {
                let begun = async {
                    if self.read_only {
                        return Ok((pool.begin().await?, None));
                    }
                    let waiting = Flush::prepare(flush).await?;
                    Ok((pool.begin_with(postgres::BEGIN).await?, Some(waiting)))
                };
                let (tx, waiting) = begun.await.map_err(|error| postgres::error(step, error))?;
                Open::Postgres(tx, waiting)
            }
        };
        Ok(Tx { open, failed: None, wrote: false })
    }

    /// Runs a statement that writes, and returns how many rows it met.
    pub async fn execute(&self, statement: &Statement, args: Args) -> Result<u64, StoreError> {
        let call = Call::of(statement, self.engine(), args);
        let name = call.name;
        match &self.pools {
            Pools::Sqlite { write: Some(write), .. } => {
                let done = call.sqlite()?.execute(write).await;
                done.map(|done| done.rows_affected()).map_err(|error| sqlite::error(name, error))
            }
            Pools::Sqlite { write: None, .. } => {
                Err(StoreError::ReadOnly { statement: name.to_owned() })
            }
            Pools::Postgres(pool, _) => {
                let done = call.postgres()?.execute(pool).await;
                done.map(|done| done.rows_affected()).map_err(|error| postgres::error(name, error))
            }
        }
    }

    /// Reads all rows.
    pub async fn fetch_all(
        &self,
        statement: &Statement,
        args: Args,
    ) -> Result<Vec<Row>, StoreError> {
        self.rows(Call::of(statement, self.engine(), args)).await
    }

    /// Reads the first row, if there is one.
    pub async fn fetch_optional(
        &self,
        statement: &Statement,
        args: Args,
    ) -> Result<Option<Row>, StoreError> {
        let call = Call::of(statement, self.engine(), args);
        let name = call.name;
        match &self.pools {
            Pools::Sqlite { read, .. } => {
                let row = call.sqlite()?.fetch_optional(read).await;
                row.map(|row| row.map(|row| Row::sqlite(name, row)))
                    .map_err(|error| sqlite::error(name, error))
            }
            Pools::Postgres(pool, _) => {
                let row = call.postgres()?.fetch_optional(pool).await;
                row.map(|row| row.map(|row| Row::postgres(name, row)))
                    .map_err(|error| postgres::error(name, error))
            }
        }
    }

    /// Reads the first row; that there is none is [`StoreError::Missing`].
    pub async fn fetch_one(&self, statement: &Statement, args: Args) -> Result<Row, StoreError> {
        self.fetch_optional(statement, args).await?.ok_or(StoreError::Missing)
    }

    /// Reads all rows of a query built at run time: lists with filters and sorting.
    ///
    /// Whoever builds the text puts column names from constants into it and every value into
    /// `args`. This is the one place of the programs where SQL is not a constant.
    pub async fn dynamic_all(&self, sql: &str, args: Args) -> Result<Vec<Row>, StoreError> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        self.rows(Call { name: BUILT, sql, args, persistent: false }).await
    }

    async fn rows(&self, call: Call) -> Result<Vec<Row>, StoreError> {
        let name = call.name;
        match &self.pools {
            Pools::Sqlite { read, .. } => {
                let rows = call.sqlite()?.fetch_all(read).await;
                rows.map(|rows| rows.into_iter().map(|row| Row::sqlite(name, row)).collect())
                    .map_err(|error| sqlite::error(name, error))
            }
            Pools::Postgres(pool, _) => {
                let rows = call.postgres()?.fetch_all(pool).await;
                rows.map(|rows| rows.into_iter().map(|row| Row::postgres(name, row)).collect())
                    .map_err(|error| postgres::error(name, error))
            }
        }
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.fetch_one(&PING, Args::new()).await.map(drop)
    }

    /// Waits for the calls under way and closes all connections; a transaction still open
    /// somewhere holds this up. Calls after it are [`StoreError::Unavailable`].
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { write, read } => {
                read.close().await;
                // The last connection to go folds the log into the file, so let the writer.
                if let Some(write) = write {
                    write.close().await;
                }
            }
            Pools::Postgres(pool, flush) => {
                pool.close().await;
                flush.close().await;
            }
        }
    }

    /// A database of one connection on which migrations may do what others may not.
    pub(crate) fn for_migrations(&self) -> Result<Self, StoreError> {
        let pools = match &self.pools {
            Pools::Sqlite { write: Some(write), read } => {
                Pools::Sqlite { write: Some(sqlite::migration_pool(write)), read: read.clone() }
            }
            Pools::Sqlite { write: None, .. } => {
                return Err(StoreError::ReadOnly { statement: "a migration".to_owned() });
            }
            Pools::Postgres(pool, flush) => {
                Pools::Postgres(postgres::migration_pool(pool), flush.clone())
            }
        };
        Ok(Self { pools, read_only: false })
    }

    /// Closes what [`Db::for_migrations`] opened, and not the readers it shares.
    pub(crate) async fn close_writer(&self) {
        match &self.pools {
            Pools::Sqlite { write: Some(write), .. } => write.close().await,
            Pools::Sqlite { write: None, .. } => {}
            Pools::Postgres(pool, _) => pool.close().await,
        }
    }
}

/// The shortest question there is.
const PING: Statement = crate::statement_of!(PING, "SELECT 1 AS alive");

/// A transaction. Dropping it rolls it back.
///
/// Once a statement has failed, nothing else is accepted and it cannot be committed
/// ([`StoreError::Aborted`]): Postgres would refuse, and SQLite is held to the same. Where a
/// conflict is expected, write `ON CONFLICT`, or try again in a new transaction.
pub struct Tx {
    open: Open,
    /// The statement that failed.
    failed: Option<&'static str>,
    /// Whether a statement may have changed something.
    wrote: bool,
}

enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>, Option<Waiting>),
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tx({})", self.engine())
    }
}

impl Tx {
    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match &self.open {
            Open::Sqlite(_) => Engine::Sqlite,
            Open::Postgres(..) => Engine::Postgres,
        }
    }

    /// Runs a statement, and returns how many rows it met.
    pub async fn execute(&mut self, statement: &Statement, args: Args) -> Result<u64, StoreError> {
        let call = self.call(statement, args)?;
        let name = call.name;
        let done = match &mut self.open {
            Open::Sqlite(tx) => {
                let done = call.sqlite()?.execute(&mut **tx).await;
                done.map(|done| done.rows_affected()).map_err(|error| sqlite::error(name, error))
            }
            Open::Postgres(tx, _) => {
                let done = call.postgres()?.execute(&mut **tx).await;
                done.map(|done| done.rows_affected()).map_err(|error| postgres::error(name, error))
            }
        };
        self.note(name, done)
    }

    /// Runs a statement and reads all its rows.
    pub async fn fetch_all(
        &mut self,
        statement: &Statement,
        args: Args,
    ) -> Result<Vec<Row>, StoreError> {
        let call = self.call(statement, args)?;
        self.rows(call).await
    }

    /// Runs a statement put together while running, and reads all its rows. The text must
    /// hold words of the program alone; what comes from outside is an argument.
    ///
    /// What is written has few shapes, so short texts are kept prepared; a long one is a set
    /// of rows, and the next set has another length.
    pub async fn dynamic_all(&mut self, sql: &str, args: Args) -> Result<Vec<Row>, StoreError> {
        if let Some(statement) = self.failed {
            return Err(StoreError::Aborted { statement });
        }
        let persistent = sql.len() <= KEPT_OCTETS_MAX;
        let sql = AssertSqlSafe(sql).into_sql_str();
        let call = Call { name: BUILT, sql, args, persistent };
        self.wrote |= call.may_write();
        self.rows(call).await
    }

    async fn rows(&mut self, call: Call) -> Result<Vec<Row>, StoreError> {
        let name = call.name;
        let rows = match &mut self.open {
            Open::Sqlite(tx) => {
                let rows = call.sqlite()?.fetch_all(&mut **tx).await;
                rows.map(|rows| rows.into_iter().map(|row| Row::sqlite(name, row)).collect())
                    .map_err(|error| sqlite::error(name, error))
            }
            Open::Postgres(tx, _) => {
                let rows = call.postgres()?.fetch_all(&mut **tx).await;
                rows.map(|rows| rows.into_iter().map(|row| Row::postgres(name, row)).collect())
                    .map_err(|error| postgres::error(name, error))
            }
        };
        self.note(name, rows)
    }

    /// Runs a statement and reads its first row, if there is one.
    pub async fn fetch_optional(
        &mut self,
        statement: &Statement,
        args: Args,
    ) -> Result<Option<Row>, StoreError> {
        let call = self.call(statement, args)?;
        let name = call.name;
        let row = match &mut self.open {
            Open::Sqlite(tx) => {
                let row = call.sqlite()?.fetch_optional(&mut **tx).await;
                row.map(|row| row.map(|row| Row::sqlite(name, row)))
                    .map_err(|error| sqlite::error(name, error))
            }
            Open::Postgres(tx, _) => {
                let row = call.postgres()?.fetch_optional(&mut **tx).await;
                row.map(|row| row.map(|row| Row::postgres(name, row)))
                    .map_err(|error| postgres::error(name, error))
            }
        };
        self.note(name, row)
    }

    /// Runs a statement and reads its first row; that there is none is
    /// [`StoreError::Missing`], after which the transaction may go on.
    pub async fn fetch_one(
        &mut self,
        statement: &Statement,
        args: Args,
    ) -> Result<Row, StoreError> {
        self.fetch_optional(statement, args).await?.ok_or(StoreError::Missing)
    }

    /// Makes the changes last: when this returns, they are on disk.
    ///
    /// In Postgres others may see the changes a moment before that, so that nobody waits for
    /// the disk behind a row's lock. Whoever acts on what they see outside of the database
    /// commits something first, which waits for everything that was committed before it.
    ///
    /// When Postgres goes away during the commit ([`StoreError::Unavailable`]), whether they
    /// do is not known: what follows must be able to happen twice.
    pub async fn commit(self) -> Result<(), StoreError> {
        if let Some(statement) = self.failed {
            return Err(StoreError::Aborted { statement });
        }
        let step = "committing a transaction";
        match self.open {
            Open::Sqlite(tx) => tx.commit().await.map_err(|error| sqlite::error(step, error)),
            Open::Postgres(tx, waiting) => {
                tx.commit().await.map_err(|error| postgres::error(step, error))?;
                match waiting.filter(|_| self.wrote) {
                    Some(w) => w.flushed().await.map_err(|error| postgres::error(step, error)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Runs a script of several statements without arguments: a migration's text.
    pub(crate) async fn script(
        &mut self,
        name: &'static str,
        sql: &'static str,
    ) -> Result<(), StoreError> {
        let script = sqlx::raw_sql(sql);
        self.wrote = true;
        let done = match &mut self.open {
            Open::Sqlite(tx) => script
                .execute(&mut **tx)
                .await
                .map(drop)
                .map_err(|error| sqlite::error(name, error)),
            Open::Postgres(tx, _) => script
                .execute(&mut **tx)
                .await
                .map(drop)
                .map_err(|error| postgres::error(name, error)),
        };
        self.note(name, done)
    }

    fn call(&mut self, statement: &Statement, args: Args) -> Result<Call, StoreError> {
        match self.failed {
            Some(statement) => Err(StoreError::Aborted { statement }),
            None => {
                let call = Call::of(statement, self.engine(), args);
                self.wrote |= call.may_write();
                Ok(call)
            }
        }
    }

    /// Remembers that the database refused something.
    fn note<T>(
        &mut self,
        name: &'static str,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if done.is_err() {
            self.failed = Some(name);
        }
        done
    }
}

/// A statement with its arguments, ready to become either driver's query.
struct Call {
    name: &'static str,
    sql: SqlStr,
    args: Args,
    /// Whether the connection keeps it prepared. Built lists come in too many shapes, and
    /// would push the constants out; and each is planned for its own arguments, which a kept
    /// one need not be.
    persistent: bool,
}

impl Call {
    fn of(statement: &Statement, engine: Engine, args: Args) -> Self {
        let sql = statement.text(engine).into_sql_str();
        Self { name: statement.name, sql, args, persistent: true }
    }

    /// Whether it is anything but a plain reading.
    fn may_write(&self) -> bool {
        !self.sql.as_str().trim_start().starts_with("SELECT")
    }

    fn sqlite(mut self) -> Result<Query<'static, Sqlite, SqliteArguments>, StoreError> {
        let arguments = self.counted().and_then(sqlite::arguments);
        let arguments = arguments.map_err(|error| unbound(self.name, error))?;
        Ok(sqlx::query_with(self.sql, arguments).persistent(self.persistent))
    }

    fn postgres(mut self) -> Result<Query<'static, Postgres, PgArguments>, StoreError> {
        let arguments = self.counted().and_then(postgres::arguments);
        let arguments = arguments.map_err(|error| unbound(self.name, error))?;
        Ok(sqlx::query_with(self.sql, arguments).persistent(self.persistent))
    }

    /// The arguments, if they are as many as the text has parameters: SQLite would take those
    /// that are missing for NULL and drop those too many.
    fn counted(&mut self) -> Result<Vec<Value>, Source> {
        let wanted = parameter_count(self.sql.as_str());
        let values = std::mem::take(&mut self.args.0);
        if values.len() == wanted {
            Ok(values)
        } else {
            Err(format!("{} arguments for {wanted} parameters", values.len()).into())
        }
    }
}

/// The error for arguments that cannot be bound; the database has not been asked yet.
fn unbound(statement: &str, source: Source) -> StoreError {
    StoreError::Database { statement: statement.to_owned(), source }
}
