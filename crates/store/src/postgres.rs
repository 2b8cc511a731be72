//! What only Postgres needs.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;
use model::Ts;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolOptions;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgArguments, PgConnectOptions, PgRow, PgTypeInfo, PgValueFormat, PgValueRef,
};
use sqlx::{
    Arguments, ConnectOptions, Connection, Decode, Encode, PgConnection, PgPool, Postgres,
    Row as _, Type, TypeInfo, ValueRef,
};
use uuid::Uuid;

use crate::db::{ACQUIRE_TIMEOUT, Options, Pools, STATEMENTS_CACHED};
use crate::error::Source;
use crate::flush::Flush;
use crate::row::{Cell, NoCell};
use crate::{Engine, StoreError, Value};

/// The oldest server the SQL is written for, as `server_version_num` counts.
const VERSION_MIN: i64 = 150_000;
/// A connection that lay idle this long is tried before it is used: the server may have
/// restarted. Busy ones are spared the extra round trip.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);

/// Connects, makes the schema if need be, and sets up the pool.
pub(crate) async fn open(options: &Options) -> Result<Pools, StoreError> {
    let mut connect = PgConnectOptions::from_str(options.url.expose()).map_err(|_| {
        StoreError::Url { reason: "is not postgres://USER:PASSWORD@HOST:PORT/DATABASE" }
    })?;
    connect = connect
        .statement_cache_capacity(STATEMENTS_CACHED)
        .application_name(&format!("lastmile {}", options.schema))
        .options([("search_path", options.schema), ("statement_timeout", "30s")]);
    if options.read_only {
        connect = connect.options([("default_transaction_read_only", "on")]);
    }

    let database = place(&connect);
    let step = format!("opening {database}");
    // A pool would only say that it timed out; one connection says why.
    let mut first = match tokio::time::timeout(ACQUIRE_TIMEOUT, connect.connect()).await {
        Ok(Ok(first)) => first,
        Ok(Err(failed)) => return Err(not_opened(database, failed)),
        Err(elapsed) => return Err(StoreError::Unavailable { step, source: elapsed.into() }),
    };
    let version = server_version(&mut first).await.map_err(|failed| error(&step, failed))?;
    if version < VERSION_MIN {
        let source: Source =
            format!("it is version {}; 15 or newer is needed", version / 10_000).into();
        return Err(StoreError::Open { database, source });
    }
    if !options.read_only {
        create_schema(&mut first, options.schema).await.map_err(|failed| error(&step, failed))?;
    }
    // The server notices by itself if the goodbye is lost.
    let _ = first.close().await;

    let pool = PoolOptions::new()
        .max_connections(options.connections_max.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut PgConnection, meta| {
            Box::pin(async move {
                if meta.idle_for > IDLE_TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(connect.clone());
    Ok(Pools::Postgres(pool, Arc::new(Flush::new(connect))))
}

/// Begins a transaction whose commit does not wait for the disk: [`crate::flush`] does.
pub(crate) const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off";

/// The database for people: without user name and password.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("the Postgres database {database} at {}", socket.display()),
        None => format!(
            "the Postgres database {database} at {}:{}",
            options.get_host(),
            options.get_port()
        ),
    }
}

/// A server that is away is worth another try, a refused password is not.
fn not_opened(database: String, failed: sqlx::Error) -> StoreError {
    match error(&format!("opening {database}"), failed) {
        StoreError::Database { source, .. } => StoreError::Open { database, source },
        other => other,
    }
}

async fn server_version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT current_setting('server_version_num')::bigint")
        .fetch_one(connection)
        .await
}

/// Creates the schema where it is missing. Asked first, because even `IF NOT EXISTS` wants the
/// right to create; the block takes the name as a setting, since it cannot take an argument,
/// and lets another program win the race.
async fn create_schema(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let found: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
            .bind(schema)
            .fetch_one(&mut *connection)
            .await?;
    if found {
        return Ok(());
    }
    sqlx::query("SELECT set_config('lastmile.schema', $1, false)")
        .bind(schema)
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(
        "DO $block$ BEGIN \
           EXECUTE format('CREATE SCHEMA %I', current_setting('lastmile.schema')); \
         EXCEPTION WHEN duplicate_schema OR unique_violation THEN NULL; \
         END $block$",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One connection for migrations: a long one may run on, but waits for others' locks no
/// longer than a minute.
pub(crate) fn migration_pool(pool: &PgPool) -> PgPool {
    let options = (*pool.connect_options()).clone();
    let options = options.options([("statement_timeout", "0"), ("lock_timeout", "60s")]);
    PoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options)
}

/// The arguments as the driver wants them; NULLs keep their type.
pub(crate) fn arguments(values: Vec<Value>) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::Float(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Uuid(value) => arguments.add(value),
            Value::Time(value) => arguments.add(value.map(TimestampTz)),
            Value::Json(value) => arguments.add(value),
            Value::Net(value) => arguments.add(value),
            Value::Uuids(ids) => arguments.add(ids),
        }?;
    }
    Ok(arguments)
}

pub(crate) fn is_null(row: &PgRow, name: &str) -> Result<bool, NoCell> {
    row.try_get_raw(name).map(|value| value.is_null()).map_err(|_| NoCell::Absent)
}

/// The cell by its column's type.
pub(crate) fn cell(row: &PgRow, name: &str) -> Result<Cell, NoCell> {
    let raw = row.try_get_raw(name).map_err(|_| NoCell::Absent)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let cell = match kind.as_str() {
        "BOOL" => <bool as Decode<Postgres>>::decode(raw).map(Cell::Bool),
        "INT8" => <i64 as Decode<Postgres>>::decode(raw).map(Cell::Int),
        "INT4" => <i32 as Decode<Postgres>>::decode(raw).map(|n| Cell::Int(n.into())),
        "INT2" => <i16 as Decode<Postgres>>::decode(raw).map(|n| Cell::Int(n.into())),
        "FLOAT8" => <f64 as Decode<Postgres>>::decode(raw).map(Cell::Float),
        "FLOAT4" => <f32 as Decode<Postgres>>::decode(raw).map(|n| Cell::Float(n.into())),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" => {
            <String as Decode<Postgres>>::decode(raw).map(Cell::Text)
        }
        "BYTEA" => <Vec<u8> as Decode<Postgres>>::decode(raw).map(Cell::Bytes),
        "UUID" => <Uuid as Decode<Postgres>>::decode(raw).map(Cell::Uuid),
        "TIMESTAMPTZ" => {
            <TimestampTz as Decode<Postgres>>::decode(raw).map(|time| Cell::Time(time.0))
        }
        "JSONB" | "JSON" => <serde_json::Value as Decode<Postgres>>::decode(raw).map(Cell::Json),
        "INET" | "CIDR" => <IpNetwork as Decode<Postgres>>::decode(raw).map(Cell::Net),
        _ => Ok(Cell::Other(kind)),
    };
    cell.map_err(|error| NoCell::Unreadable(error.to_string()))
}

/// This engine's errors.
pub(crate) fn error(step: &str, error: sqlx::Error) -> StoreError {
    StoreError::from_driver(Engine::Postgres, step, error)
}

/// An instant as TIMESTAMPTZ: microseconds since 2000-01-01T00:00:00Z in the binary format
/// (PostgreSQL `timestamp_send`; POSTGRES_EPOCH_JDATE in `datatype/timestamp.h`).
struct TimestampTz(Ts);

/// From 1970 to 2000.
const EPOCH_OFFSET_US: i64 = 946_684_800_000_000;
/// TIMESTAMPTZ in `pg_type.dat`.
const OID: Oid = Oid(1184);

impl TimestampTz {
    fn to_wire(&self) -> Option<i64> {
        self.0.0.checked_sub(EPOCH_OFFSET_US)
    }

    /// Nothing for the two infinities, which no `Ts` stands for.
    fn from_wire(us: i64) -> Option<Self> {
        if us == i64::MIN || us == i64::MAX {
            return None;
        }
        us.checked_add(EPOCH_OFFSET_US).map(|us| Self(Ts(us)))
    }
}

impl Type<Postgres> for TimestampTz {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(OID)
    }
}

impl Encode<'_, Postgres> for TimestampTz {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let us = self.to_wire().ok_or("the instant is before what Postgres can hold")?;
        buffer.extend_from_slice(&us.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for TimestampTz {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let us = i64::from_be_bytes(value.as_bytes()?.try_into()?);
                Self::from_wire(us).ok_or_else(|| "an instant without end".into())
            }
            PgValueFormat::Text => Ok(Self(value.as_str()?.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_on_the_wire_counts_from_2000() {
        let new_year: Ts = "2000-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(TimestampTz(new_year).to_wire(), Some(0));
        assert_eq!(TimestampTz(Ts(0)).to_wire(), Some(-EPOCH_OFFSET_US));
        assert_eq!(TimestampTz(Ts(i64::MIN)).to_wire(), None);
        assert_eq!(TimestampTz::from_wire(1).map(|time| time.0), Some(Ts(new_year.0 + 1)));
        assert!(TimestampTz::from_wire(i64::MAX).is_none());
        assert!(TimestampTz::from_wire(i64::MIN).is_none());
    }

    #[test]
    fn an_instant_in_postgres_text_is_understood() {
        let text = "2026-03-01 09:30:00.123456+00";
        assert_eq!(text.parse::<Ts>().unwrap(), Ts(1_772_357_400_123_456));
    }

    #[test]
    fn the_place_of_a_database_tells_no_secret() {
        let url = "postgres://anna:hunter2@db.example:5433/lastmile";
        let shown = place(&url.parse().unwrap());
        assert_eq!(shown, "the Postgres database lastmile at db.example:5433");
    }
}
