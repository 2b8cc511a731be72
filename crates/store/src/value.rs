//! What may be bound to a statement.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::{Currency, Sealed, Ts};
use uuid::Uuid;

/// One argument. A NULL keeps its type, because Postgres wants to know it.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(Option<bool>),
    /// A whole number.
    Int(Option<i64>),
    /// A number with fractions; never for money.
    Float(Option<f64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// A UUID or a typed id.
    Uuid(Option<Uuid>),
    /// An instant.
    Time(Option<Ts>),
    /// A JSON document.
    Json(Option<serde_json::Value>),
    /// An address with its prefix length.
    Net(Option<IpNetwork>),
    /// A list of ids, for `id = ANY($1)` in Postgres and
    /// `id IN (SELECT unhex(value) FROM json_each($1))` in SQLite.
    Uuids(Vec<Uuid>),
}

impl Value {
    /// The kind's name and whether it is NULL.
    fn describe(&self) -> (&'static str, bool) {
        match self {
            Self::Bool(value) => ("Bool", value.is_none()),
            Self::Int(value) => ("Int", value.is_none()),
            Self::Float(value) => ("Float", value.is_none()),
            Self::Text(value) => ("Text", value.is_none()),
            Self::Bytes(value) => ("Bytes", value.is_none()),
            Self::Uuid(value) => ("Uuid", value.is_none()),
            Self::Time(value) => ("Time", value.is_none()),
            Self::Json(value) => ("Json", value.is_none()),
            Self::Net(value) => ("Net", value.is_none()),
            Self::Uuids(_) => ("Uuids", false),
        }
    }
}

/// Shows the kind and never the data, which may be personal.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, null) = self.describe();
        write!(f, "{kind}({})", if null { "NULL" } else { "…" })
    }
}

/// The arguments of one call, in the order of `$1…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args(pub(crate) Vec<Value>);

impl Args {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// These arguments; [`args!`](crate::args) is shorter.
    pub fn of(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// Adds an argument and returns its number, for building `$n` into a list query.
    pub fn push(&mut self, value: impl Bind) -> usize {
        self.0.push(value.bind());
        self.0.len()
    }

    /// The arguments themselves.
    pub fn into_values(self) -> impl Iterator<Item = Value> {
        self.0.into_iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Binds a list of values: `args![plan_id, name, Some(7)]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        $crate::Args::of(::std::vec![$($crate::Bind::bind($value)),*])
    };
}

/// A type that can be an argument.
pub trait Bind {
    /// The argument.
    fn bind(self) -> Value;

    /// NULL of the same kind. Text by default, which suits an enum stored as its name.
    fn null() -> Value
    where
        Self: Sized,
    {
        Value::Text(None)
    }
}

impl Bind for Value {
    fn bind(self) -> Value {
        self
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(self) -> Value {
        self.map_or_else(T::null, T::bind)
    }

    fn null() -> Value {
        T::null()
    }
}

macro_rules! bind {
    ($($type:ty => $kind:ident, |$value:ident| $convert:expr;)*) => { $(
        impl Bind for $type {
            fn bind(self) -> Value {
                let $value = self;
                Value::$kind(Some($convert))
            }

            fn null() -> Value {
                Value::$kind(None)
            }
        }
    )* };
}

bind! {
    bool => Bool, |value| value;
    i64 => Int, |value| value;
    i32 => Int, |value| value.into();
    u32 => Int, |value| value.into();
    i16 => Int, |value| value.into();
    u16 => Int, |value| value.into();
    u8 => Int, |value| value.into();
    f64 => Float, |value| value;
    String => Text, |value| value;
    &String => Text, |value| value.clone();
    &str => Text, |value| value.to_owned();
    Cow<'_, str> => Text, |value| value.into_owned();
    Vec<u8> => Bytes, |value| value;
    &[u8] => Bytes, |value| value.to_vec();
    Uuid => Uuid, |value| value;
    Ts => Time, |value| value;
    serde_json::Value => Json, |value| value;
    IpNetwork => Net, |value| value;
    IpAddr => Net, |value| value.into();
    Sealed => Text, |value| value.0;
    &Sealed => Text, |value| value.0.clone();
    Currency => Text, |value| value.code().to_owned();
}

/// Both engines count in signed 64 bits: a larger number is stored as `i64::MAX`. Counters of
/// octets reach that after eight exbibytes.
impl Bind for u64 {
    fn bind(self) -> Value {
        Value::Int(Some(i64::try_from(self).unwrap_or(i64::MAX)))
    }

    fn null() -> Value {
        Value::Int(None)
    }
}

impl Bind for Vec<Uuid> {
    fn bind(self) -> Value {
        Value::Uuids(self)
    }

    /// There is no NULL list; no ids is the nearest to it.
    fn null() -> Value {
        Value::Uuids(Vec::new())
    }
}

macro_rules! bind_id {
    ($id:ty) => {
        impl Bind for $id {
            fn bind(self) -> Value {
                Value::Uuid(Some(self.0))
            }

            fn null() -> Value {
                Value::Uuid(None)
            }
        }

        impl Bind for Vec<$id> {
            fn bind(self) -> Value {
                Value::Uuids(self.into_iter().map(|id| id.0).collect())
            }

            fn null() -> Value {
                Value::Uuids(Vec::new())
            }
        }
    };
}
model::for_each_id!(bind_id);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_keeps_its_kind() {
        let none: Option<model::PlanId> = None;
        assert_eq!(
            args![none, None::<bool>, Some(7u16)].0,
            vec![Value::Uuid(None), Value::Bool(None), Value::Int(Some(7))]
        );
        assert!(args![].is_empty());
    }

    #[test]
    fn a_number_beyond_the_engines_is_the_largest_they_have() {
        assert_eq!(u64::MAX.bind(), Value::Int(Some(i64::MAX)));
        assert_eq!(5u64.bind(), Value::Int(Some(5)));
    }

    #[test]
    fn arguments_do_not_print_their_data() {
        let shown = format!("{:?}", args!["alice", None::<i64>]);
        assert_eq!(shown, "Args([Text(…), Int(NULL)])");
    }
}
