//! A file as a tree of values, read with errors that name the place (RFC 6901).

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number that fits; others are `Fraction`.
    Whole(i64),
    /// Any other number. Never read as an amount: binary fractions are not exact.
    Fraction,
    /// Text.
    Text(String),
    /// `[…]`
    List(Vec<Node>),
    /// `{…}`, in the order of the file.
    Table(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Fraction, Node::Whole))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Fraction)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields: Vec<(String, Node)> = Vec::new();
        let mut names = HashSet::new();
        while let Some((name, node)) = map.next_entry::<String, Node>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            fields.push((name, node));
        }
        Ok(Node::Table(fields))
    }
}

/// Something in the file is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", if pointer.is_empty() { "the file" } else { pointer })]
pub struct Misplaced {
    /// Where, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong, as a sentence that follows the pointer.
    pub message: String,
}

/// A value together with its place.
#[derive(Debug, Clone)]
pub struct At<'a> {
    node: &'a Node,
    pointer: String,
}

impl<'a> At<'a> {
    /// The whole file.
    pub fn root(node: &'a Node) -> Self {
        Self { node, pointer: String::new() }
    }

    /// What is wrong here.
    pub fn wrong(&self, message: impl Into<String>) -> Misplaced {
        Misplaced { pointer: self.pointer.clone(), message: message.into() }
    }

    /// The value.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// The fields of a table, none but these.
    pub fn table(&self, known: &[&str]) -> Result<Table<'a>, Misplaced> {
        let Node::Table(fields) = self.node else {
            return Err(self.wrong(format!("an object with {}", known.join(", "))));
        };
        let table = Table { fields, pointer: self.pointer.clone() };
        match fields.iter().find(|field| !known.contains(&field.0.as_str())) {
            None => Ok(table),
            Some((name, node)) => {
                let message = format!("there is no such field; there are {}", known.join(", "));
                Err(table.at(name, node).wrong(message))
            }
        }
    }

    /// The fields of a table, whatever they are; `None` where it is none.
    pub fn open_table(&self) -> Option<Table<'a>> {
        let Node::Table(fields) = self.node else { return None };
        Some(Table { fields, pointer: self.pointer.clone() })
    }

    /// The elements of a list.
    pub fn list(&self) -> Result<Vec<At<'a>>, Misplaced> {
        let Node::List(nodes) = self.node else { return Err(self.wrong("a list is expected")) };
        let at = |(index, node)| At { node, pointer: format!("{}/{index}", self.pointer) };
        Ok(nodes.iter().enumerate().map(at).collect())
    }

    /// Text that is not empty, of at most 200 characters.
    pub fn text(&self) -> Result<&'a str, Misplaced> {
        match self.node {
            Node::Text(text) if !text.is_empty() && text.chars().count() <= 200 => Ok(text),
            Node::Text(text) if text.is_empty() => Err(self.wrong("must not be empty")),
            Node::Text(_) => Err(self.wrong("must not be longer than 200 characters")),
            _ => Err(self.wrong("text is expected, in quotes")),
        }
    }

    /// `true` or `false`.
    pub fn truth(&self) -> Result<bool, Misplaced> {
        match self.node {
            Node::Bool(value) => Ok(*value),
            _ => Err(self.wrong("true or false is expected, without quotes")),
        }
    }

    /// A whole number in a range.
    pub fn whole(&self, min: i64, max: i64) -> Result<i64, Misplaced> {
        match self.node {
            Node::Whole(value) if (min..=max).contains(value) => Ok(*value),
            _ => Err(self.wrong(format!("a whole number from {min} to {max} is expected"))),
        }
    }

    /// One of some words.
    pub fn word<T>(&self, of: fn(&str) -> Option<T>, words: &[&str]) -> Result<T, Misplaced> {
        let found = match self.node {
            Node::Text(word) => of(word),
            _ => None,
        };
        found.ok_or_else(|| self.wrong(format!("one of {} is expected", words.join(", "))))
    }
}

/// The fields of an object.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    fields: &'a [(String, Node)],
    pointer: String,
}

impl<'a> Table<'a> {
    fn at(&self, name: &str, node: &'a Node) -> At<'a> {
        let name = name.replace('~', "~0").replace('/', "~1");
        At { node, pointer: format!("{}/{name}", self.pointer) }
    }

    /// A field that may be absent; `null` is absent.
    pub fn get(&self, name: &str) -> Option<At<'a>> {
        let (_, node) = self.fields.iter().find(|field| field.0 == name)?;
        (*node != Node::Null).then(|| self.at(name, node))
    }

    /// A field that has to be there.
    pub fn need(&self, name: &str) -> Result<At<'a>, Misplaced> {
        self.get(name).ok_or_else(|| self.missing(name, "is missing"))
    }

    /// What is wrong with a field that is not there.
    pub fn missing(&self, name: &str, message: &str) -> Misplaced {
        Misplaced { pointer: format!("{}/{name}", self.pointer), message: message.to_owned() }
    }

    /// A field that may be absent, read where it is there.
    pub fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&At<'a>) -> Result<T, Misplaced>,
    ) -> Result<Option<T>, Misplaced> {
        self.get(name).map(|at| read(&at)).transpose()
    }
}
