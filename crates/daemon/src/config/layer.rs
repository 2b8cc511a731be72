//! The layers as one tree, each value with its origin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{ConfigError, Origin};

/// A table.
pub(super) type Tree = BTreeMap<String, Node>;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// What a layer says.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Table(Tree),
    List(Vec<Node>),
    /// A plain value from the file: it means what its type says.
    Plain(toml::Value),
    /// A plain value from a variable or flag: what is wanted decides how it is read.
    Loose {
        raw: String,
        parsed: toml::Value,
    },
}

impl Node {
    /// The text of a variable.
    pub(super) fn from_text(text: &str, origin: &Origin) -> Self {
        match parse_value(text) {
            Some(parsed @ (toml::Value::Table(_) | toml::Value::Array(_))) => {
                Self::from_flag(&parsed, origin)
            }
            parsed => {
                let raw = text.to_owned();
                let parsed = parsed.unwrap_or_else(|| toml::Value::String(raw.clone()));
                Self { origin: origin.clone(), value: Value::Loose { raw, parsed } }
            }
        }
    }

    /// The value of a flag.
    pub(super) fn from_flag(value: &toml::Value, origin: &Origin) -> Self {
        let value = match value {
            toml::Value::Table(table) => Value::Table(
                table.iter().map(|(k, v)| (k.clone(), Self::from_flag(v, origin))).collect(),
            ),
            toml::Value::Array(list) => {
                Value::List(list.iter().map(|v| Self::from_flag(v, origin)).collect())
            }
            toml::Value::String(text) => Value::Loose { raw: text.clone(), parsed: value.clone() },
            other => Value::Loose { raw: other.to_string(), parsed: other.clone() },
        };
        Self { origin: origin.clone(), value }
    }
}

/// The text as a TOML value, if it is one.
pub(super) fn parse_value(text: &str) -> Option<toml::Value> {
    toml::Value::deserialize(ValueDeserializer::parse(text).ok()?).ok()
}

/// Puts a value at a path, over what is there.
pub(super) fn set(tree: &mut Tree, path: &[String], node: Node) {
    let Some((first, rest)) = path.split_first() else { return };
    let mut node = node;
    for key in rest.iter().rev() {
        let origin = node.origin.clone();
        node = Node { origin, value: Value::Table(BTreeMap::from([(key.clone(), node)])) };
    }
    merge(tree, first.clone(), node);
}

fn merge(tree: &mut Tree, key: String, node: Node) {
    match (tree.get_mut(&key), node) {
        (
            Some(Node { value: Value::Table(lower), .. }),
            Node { value: Value::Table(upper), .. },
        ) => {
            for (key, node) in upper {
                merge(lower, key, node);
            }
        }
        (_, node) => {
            tree.insert(key, node);
        }
    }
}

/// Reads a file's text.
pub(super) fn parse(text: &str, path: &Arc<Path>) -> Result<Tree, ConfigError> {
    let file = File { text, path };
    let table = DeTable::parse(text).map_err(|error| file.error(&error))?;
    file.table(table.into_inner())
}

struct File<'a> {
    text: &'a str,
    path: &'a Arc<Path>,
}

impl File<'_> {
    fn table(&self, table: DeTable<'_>) -> Result<Tree, ConfigError> {
        table
            .into_iter()
            .map(|(key, value)| {
                let line = self.line(key.span().start);
                Ok((key.into_inner().into_owned(), self.node(value, line)?))
            })
            .collect()
    }

    fn node(&self, value: Spanned<DeValue<'_>>, line: usize) -> Result<Node, ConfigError> {
        let span = value.span();
        let value = match value.into_inner() {
            DeValue::Table(table) => Value::Table(self.table(table)?),
            DeValue::Array(list) => Value::List(
                list.into_iter()
                    .map(|item| {
                        let line = self.line(item.span().start);
                        self.node(item, line)
                    })
                    .collect::<Result<_, _>>()?,
            ),
            plain => {
                let plain = ValueDeserializer::from(Spanned::new(span, plain));
                let plain = toml::Value::deserialize(plain).map_err(|error| {
                    let message = error.message().to_owned();
                    ConfigError::Syntax { path: self.path.to_path_buf(), line, message }
                })?;
                Value::Plain(plain)
            }
        };
        Ok(Node { origin: Origin::File { path: self.path.clone(), line }, value })
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        before.iter().filter(|octet| **octet == b'\n').count() + 1
    }

    fn error(&self, error: &toml::de::Error) -> ConfigError {
        ConfigError::Syntax {
            path: self.path.to_path_buf(),
            line: self.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        }
    }
}
