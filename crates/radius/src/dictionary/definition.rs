//! What is known of one attribute.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::kind::{Flags, Number, Type};

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One attribute.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The name.
    pub name: Box<str>,
    /// The number.
    pub number: Number,
    /// The type.
    pub kind: Type,
    /// The flags.
    pub flags: Flags,
    /// Where it is defined.
    pub source: Source,
    names: BTreeMap<i64, Box<str>>,
    /// Keys in lower case. Several names may stand for one value.
    numbers: BTreeMap<Box<str>, i64>,
}

impl Definition {
    pub(super) fn new(
        name: &str,
        number: Number,
        kind: Type,
        flags: Flags,
        source: Source,
    ) -> Self {
        let (names, numbers) = (BTreeMap::new(), BTreeMap::new());
        Self { name: name.into(), number, kind, flags, source, names, numbers }
    }

    /// The vendor, or 0 for the standard space.
    pub fn vendor(&self) -> u32 {
        self.number.vendor()
    }

    /// The values that have names, in order. Of several names for one value, the last given.
    pub fn values(&self) -> impl Iterator<Item = (i64, &str)> {
        self.names.iter().map(|(value, name)| (*value, &**name))
    }

    /// The name of a value.
    pub fn value_name(&self, value: i64) -> Option<&str> {
        self.names.get(&value).map(|name| &**name)
    }

    /// The value of a name, in any letter case.
    pub fn value_of(&self, name: &str) -> Option<i64> {
        self.numbers.get(&*name.to_ascii_lowercase()).copied()
    }

    /// Whether the value is, or would help to find, a password or key: it does not print.
    pub fn is_secret(&self) -> bool {
        self.flags.secret || self.flags.encrypt.is_some()
    }

    /// Whether it can lie in a packet. Servers use numbers above 255 for themselves.
    pub fn is_sent(&self) -> bool {
        !self.flags.virtual_ && self.number.components()[0] <= 255
    }

    /// Names a value; the answer is what the name stood for before, if that was another value.
    pub(super) fn name_value(&mut self, name: &str, value: i64) -> Option<i64> {
        let before = self.numbers.insert(name.to_ascii_lowercase().into(), value);
        let before = before.filter(|before| *before != value);
        if let Some(before) = before
            && self.names.get(&before).is_some_and(|known| known.eq_ignore_ascii_case(name))
        {
            self.names.remove(&before);
        }
        self.names.insert(value, name.into());
        before
    }

    /// Takes over the names of values from the definition this one replaces.
    pub(super) fn take_values(&mut self, old: &mut Self) {
        self.names = std::mem::take(&mut old.names);
        self.numbers = std::mem::take(&mut old.numbers);
    }
}
