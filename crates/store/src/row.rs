//! A row's columns as Rust values.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::{Currency, Sealed, Ts};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::{StoreError, postgres, sqlite};

/// One row of a result.
pub struct Row {
    statement: &'static str,
    cells: Cells,
}

enum Cells {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What an engine has in one cell, before anyone asks for a type.
///
/// SQLite has no more than five of these; the others arrive as one of those five.
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Uuid(Uuid),
    Time(Ts),
    Json(serde_json::Value),
    Net(IpNetwork),
    /// A type that has no place here, by the engine's name for it.
    Other(String),
}

impl Cell {
    fn kind(&self) -> &str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number with fractions",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "a UUID",
            Self::Time(_) => "an instant",
            Self::Json(_) => "JSON",
            Self::Net(_) => "an address",
            Self::Other(name) => name,
        }
    }
}

/// Why a cell has no value: there is no such column, or the driver could not read it.
pub(crate) enum NoCell {
    Absent,
    Unreadable(String),
}

impl Row {
    pub(crate) fn sqlite(statement: &'static str, row: SqliteRow) -> Self {
        Self { statement, cells: Cells::Sqlite(row) }
    }

    pub(crate) fn postgres(statement: &'static str, row: PgRow) -> Self {
        Self { statement, cells: Cells::Postgres(row) }
    }

    /// The column's value. A column that is absent, NULL or of another kind is an error that
    /// names statement and column; ask for an `Option` where NULL is expected.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, StoreError> {
        T::column(self, name)
    }

    /// Whether the column is NULL.
    pub fn is_null(&self, name: &str) -> Result<bool, StoreError> {
        let null = match &self.cells {
            Cells::Sqlite(row) => sqlite::is_null(row, name),
            Cells::Postgres(row) => postgres::is_null(row, name),
        };
        null.map_err(|none| self.no_cell(name, "a value", none))
    }

    /// The error for a column whose data does not fit; for [`Column`] of a type of one's own.
    pub fn bad_column(
        &self,
        name: &str,
        expected: &'static str,
        found: impl Into<String>,
    ) -> StoreError {
        StoreError::Column {
            statement: self.statement,
            column: name.to_owned(),
            expected,
            found: found.into(),
        }
    }

    fn cell(&self, name: &str, expected: &'static str) -> Result<Cell, StoreError> {
        let cell = match &self.cells {
            Cells::Sqlite(row) => sqlite::cell(row, name),
            Cells::Postgres(row) => postgres::cell(row, name),
        };
        cell.map_err(|none| self.no_cell(name, expected, none))
    }

    fn no_cell(&self, name: &str, expected: &'static str, none: NoCell) -> StoreError {
        let found = match none {
            NoCell::Absent => "no such column".to_owned(),
            NoCell::Unreadable(reason) => reason,
        };
        self.bad_column(name, expected, found)
    }
}

/// A type that a column can be read as.
///
/// For an enum stored as its name:
///
/// ```
/// # enum Status { Open, Closed }
/// impl store::Column for Status {
///     fn column(row: &store::Row, name: &str) -> Result<Self, store::StoreError> {
///         match row.get::<String>(name)?.as_str() {
///             "open" => Ok(Status::Open),
///             "closed" => Ok(Status::Closed),
///             other => Err(row.bad_column(name, "open or closed", other)),
///         }
///     }
/// }
/// ```
pub trait Column: Sized {
    /// Reads the column.
    fn column(row: &Row, name: &str) -> Result<Self, StoreError>;
}

impl<T: Column> Column for Option<T> {
    fn column(row: &Row, name: &str) -> Result<Self, StoreError> {
        if row.is_null(name)? { Ok(None) } else { T::column(row, name).map(Some) }
    }
}

macro_rules! column {
    ($($type:ty = $expected:literal: $($cell:pat => $value:expr),+;)*) => { $(
        impl Column for $type {
            fn column(row: &Row, name: &str) -> Result<Self, StoreError> {
                match row.cell(name, $expected)? {
                    $($cell => $value.ok_or_else(|| {
                        row.bad_column(name, $expected, "a value that does not fit")
                    }),)+
                    other => Err(row.bad_column(name, $expected, other.kind())),
                }
            }
        }
    )* };
}

column! {
    bool = "a boolean":
        Cell::Bool(value) => Some(value),
        Cell::Int(value) => (0..=1).contains(&value).then_some(value == 1);
    f64 = "a number":
        Cell::Float(value) => Some(value),
        Cell::Int(value) => Some(value as f64);
    i64 = "an integer": Cell::Int(value) => Some(value);
    i32 = "an integer of 32 bits": Cell::Int(value) => i32::try_from(value).ok();
    i16 = "an integer of 16 bits": Cell::Int(value) => i16::try_from(value).ok();
    u64 = "an integer from 0": Cell::Int(value) => u64::try_from(value).ok();
    u32 = "an integer from 0 to 4294967295": Cell::Int(value) => u32::try_from(value).ok();
    u16 = "an integer from 0 to 65535": Cell::Int(value) => u16::try_from(value).ok();
    u8 = "an integer from 0 to 255": Cell::Int(value) => u8::try_from(value).ok();
    String = "text": Cell::Text(value) => Some(value);
    Vec<u8> = "bytes": Cell::Bytes(value) => Some(value);
    Uuid = "a UUID":
        Cell::Uuid(value) => Some(value),
        Cell::Bytes(value) => Uuid::from_slice(&value).ok();
    Ts = "an instant":
        Cell::Time(value) => Some(value),
        Cell::Int(value) => Some(Ts(value));
    serde_json::Value = "JSON":
        Cell::Json(value) => Some(value),
        Cell::Text(value) => serde_json::from_str(&value).ok();
    IpNetwork = "an address":
        Cell::Net(value) => Some(value),
        Cell::Text(value) => value.parse().ok();
    Currency = "a currency": Cell::Text(value) => value.parse().ok();
    Sealed = "a sealed text": Cell::Text(value) => Some(Sealed(value));
}

/// One address: a network of more than one is an error.
impl Column for IpAddr {
    fn column(row: &Row, name: &str) -> Result<Self, StoreError> {
        let net: IpNetwork = row.get(name)?;
        let whole = if net.is_ipv4() { 32 } else { 128 };
        if net.prefix() == whole {
            Ok(net.ip())
        } else {
            Err(row.bad_column(name, "one address", format!("a /{}", net.prefix())))
        }
    }
}

macro_rules! column_id {
    ($id:ty) => {
        impl Column for $id {
            fn column(row: &Row, name: &str) -> Result<Self, StoreError> {
                Ok(Self(row.get(name)?))
            }
        }
    };
}
model::for_each_id!(column_id);
