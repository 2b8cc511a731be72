//! Reads the tree into typed settings, and keeps key and origin for the error.

use std::collections::btree_map;
use std::fmt;
use std::vec;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{ConfigError, Origin};
use super::layer::{Node, Tree, Value};
use super::suggest::nearest;

/// What went wrong, filled with the way to it while the error travels up.
#[derive(Debug)]
pub(super) struct DeError {
    problem: Problem,
    origin: Option<Origin>,
    /// Innermost part first; list positions as `[2]`.
    path: Vec<String>,
}

#[derive(Debug)]
enum Problem {
    UnknownKey { known: &'static [&'static str] },
    Missing,
    Value(String),
}

impl DeError {
    fn new(problem: Problem) -> Self {
        Self { problem, origin: None, path: Vec::new() }
    }

    /// Called on the way up, once for each step. The innermost origin is the telling one.
    fn under(mut self, step: String, origin: &Origin) -> Self {
        self.path.push(step);
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// The settled error; `env_prefix` is what the program's variables begin with.
    pub(super) fn into_config_error(self, env_prefix: &str) -> ConfigError {
        let key = dotted(&self.path);
        match (self.problem, self.origin) {
            (Problem::UnknownKey { known }, Some(origin)) => {
                let suggestion = self.path.first().and_then(|last| nearest(last, known));
                let suggestion = suggestion.map(|near| {
                    let mut path = self.path.clone();
                    path[0] = near.to_owned();
                    dotted(&path)
                });
                ConfigError::UnknownKey { origin, key, suggestion }
            }
            (Problem::Missing, Some(origin)) => ConfigError::MissingIn { origin, key },
            (Problem::Missing, None) => {
                let steps: Vec<_> =
                    self.path.iter().rev().map(|step| step.to_ascii_uppercase()).collect();
                let variable = format!("{env_prefix}{}", steps.join("__"));
                ConfigError::Missing { key, variable }
            }
            (Problem::Value(message), Some(origin)) => ConfigError::Value { origin, key, message },
            (Problem::Value(message), None) => ConfigError::Whole { message },
            (Problem::UnknownKey { .. }, None) => {
                ConfigError::Whole { message: format!("unknown key `{key}`") }
            }
        }
    }
}

fn dotted(path: &[String]) -> String {
    let mut key = String::new();
    for step in path.iter().rev() {
        if !key.is_empty() && !step.starts_with('[') {
            key.push('.');
        }
        key.push_str(step);
    }
    key
}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::UnknownKey { .. } => f.write_str("unknown key"),
            Problem::Missing => f.write_str("missing key"),
            Problem::Value(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for DeError {}

impl serde::de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Value(message.to_string()))
    }

    // The value itself is left out: it may be a secret in the wrong place.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) => "a number with a fraction",
            Unexpected::Char(_) | Unexpected::Str(_) => "text",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        Self::custom(format_args!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unsigned(n) => Self::custom(format_args!("expected {expected}, found {n}")),
            Unexpected::Signed(n) => Self::custom(format_args!("expected {expected}, found {n}")),
            _ => Self::custom(format_args!("expected {expected}")),
        }
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        // The step is added by the table that held the key.
        Self::new(Problem::UnknownKey { known })
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        let meant = nearest(word, known)
            .map(|near| format!(", did you mean `{near}`?"))
            .unwrap_or_default();
        let dot = if meant.is_empty() { "." } else { "" };
        let known = known.join(", ");
        Self::custom(format_args!("unknown word `{word}`{meant}{dot} Known are {known}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { problem: Problem::Missing, origin: None, path: vec![field.to_owned()] }
    }
}

/// The whole tree.
pub(super) struct Root(pub(super) Tree);

impl<'de> Deserializer<'de> for Root {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_map(Entries { rest: self.0.into_iter(), value: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.value {
            Value::Table(tree) => {
                visitor.visit_map(Entries { rest: tree.into_iter(), value: None })
            }
            Value::List(list) => visitor.visit_seq(Items { rest: list.into_iter(), index: 0 }),
            Value::Plain(plain) | Value::Loose { parsed: plain, .. } => visit_plain(plain, visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.value {
            // A number that is wanted as text is the text that was written.
            Value::Loose { raw, parsed } if !parsed.is_str() => visitor.visit_string(raw),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.value {
            Value::Loose { raw, parsed } => {
                // Quoted TOML text loses its quotes; anything else is taken as written.
                let text = parsed.as_str().unwrap_or(raw);
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let list: Vec<_> = items.map(|item| Node::from_text(item, &self.origin)).collect();
                visitor.visit_seq(Items { rest: list.into_iter(), index: 0 })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, v: V) -> Result<V::Value, DeError> {
        self.deserialize_seq(v)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match self.value {
            Value::Table(tree) => {
                let mut entries = tree.into_iter();
                match (entries.next(), entries.next()) {
                    (Some((name, node)), None) => visitor.visit_enum(Variant { name, node }),
                    _ => Err(DeError::custom("expected a table with exactly one key")),
                }
            }
            Value::Plain(toml::Value::String(word)) | Value::Loose { raw: word, .. } => {
                visitor.visit_enum(word.into_deserializer())
            }
            _ => Err(DeError::custom("expected a word or a table with one key")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        map struct identifier ignored_any
    }
}

fn visit_plain<'de, V: Visitor<'de>>(plain: toml::Value, visitor: V) -> Result<V::Value, DeError> {
    match plain {
        toml::Value::String(text) => visitor.visit_string(text),
        toml::Value::Integer(n) => visitor.visit_i64(n),
        toml::Value::Float(n) => visitor.visit_f64(n),
        toml::Value::Boolean(b) => visitor.visit_bool(b),
        toml::Value::Datetime(instant) => visitor.visit_string(instant.to_string()),
        // Tables and lists became nodes when their layer was read.
        toml::Value::Array(_) | toml::Value::Table(_) => {
            Err(DeError::custom("expected a plain value"))
        }
    }
}

struct Entries {
    rest: btree_map::IntoIter<String, Node>,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeError> {
        let Some((key, node)) = self.rest.next() else { return Ok(None) };
        let read = seed
            .deserialize(IntoDeserializer::<DeError>::into_deserializer(key.as_str()))
            .map_err(|error| error.under(key.clone(), &node.origin))?;
        self.value = Some((key, node));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        let Some((key, node)) = self.value.take() else {
            return Err(DeError::custom("value asked for before its key"));
        };
        let origin = node.origin.clone();
        seed.deserialize(node).map_err(|error| error.under(key, &origin))
    }
}

struct Items {
    rest: vec::IntoIter<Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeError> {
        let Some(node) = self.rest.next() else { return Ok(None) };
        let (index, origin) = (self.index, node.origin.clone());
        self.index += 1;
        seed.deserialize(node).map(Some).map_err(|error| error.under(format!("[{index}]"), &origin))
    }
}

/// An enum written as a table with one key.
struct Variant {
    name: String,
    node: Node,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = DeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DeError> {
        let name = IntoDeserializer::<DeError>::into_deserializer(self.name.as_str());
        Ok((seed.deserialize(name)?, self))
    }
}

impl Variant {
    fn read<T>(self, read: impl FnOnce(Node) -> Result<T, DeError>) -> Result<T, DeError> {
        let origin = self.node.origin.clone();
        read(self.node).map_err(|error| error.under(self.name, &origin))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        self.read(|_| Err(DeError::custom("takes no settings of its own")))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DeError> {
        self.read(|node| seed.deserialize(node))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.read(|node| node.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.read(|node| node.deserialize_any(visitor))
    }
}
