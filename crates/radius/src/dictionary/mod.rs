//! Dictionaries: attributes described in text files, in the format FreeRADIUS 3 made common.
//!
//! [`dict`](crate::dict) knows what this program itself works with, at compile time. This
//! module knows everything an operator may want to look up or send, from the files shipped in
//! `config/dictionaries` ([`dictionaries`]) and from files of his own.
//!
//! - [`kind`]: types, flags and numbers of attributes.
//! - `line`: one line of a file, as a statement.
//! - [`builder`]: statements become a [`Dictionary`]; includes are resolved by the caller.
//! - [`definition`]: what is known of one attribute, and the names of its values.
//! - `value`, [`text`]: values and whole attributes as `Name = value`, both ways.
//! - [`shipped`]: the files built into the program.

pub mod builder;
pub mod definition;
pub mod kind;
pub mod shipped;
pub mod text;

mod error;
mod line;
mod near;
mod value;

use std::collections::{BTreeMap, HashMap};

pub use builder::{Builder, Found, Note};
pub use definition::{Definition, Source};
pub use error::{DictionaryError, Problem};
pub use kind::{Encryption, Flags, Format, Number, Type};
pub use near::nearest;
pub use shipped::{builtin, dictionaries};
pub use text::{Parsed, TextError};

/// A vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    /// The name.
    pub name: String,
    /// The private enterprise number.
    pub id: u32,
    /// How its sub-attributes are laid out.
    pub format: Format,
}

/// Attributes by number and by name, and the vendors they belong to.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    definitions: Vec<Definition>,
    by_number: BTreeMap<Number, usize>,
    /// Keys in lower case. A name given up by an override still leads to the number.
    by_name: HashMap<String, usize>,
    vendors: BTreeMap<u32, Vendor>,
    vendor_names: HashMap<String, u32>,
    notes: Vec<Note>,
}

impl Dictionary {
    /// The attribute with this number within a vendor; vendor 0 is the standard space.
    pub fn get(&self, vendor: u32, number: &[u32]) -> Option<&Definition> {
        if vendor == 0 {
            return self.at(number);
        }
        self.at(&[&[26, vendor], number].concat())
    }

    /// The attribute with this whole number: `[8]`, `[26, 14988, 8]`, `[241, 5, 1]`.
    pub fn at(&self, number: &[u32]) -> Option<&Definition> {
        self.by_number.get(number).map(|place| &self.definitions[*place])
    }

    /// The attribute of this name, in any letter case.
    pub fn find(&self, name: &str) -> Option<&Definition> {
        let place = self.by_name.get(&name.to_ascii_lowercase())?;
        Some(&self.definitions[*place])
    }

    /// Every attribute, in the order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.by_number.values().map(|place| &self.definitions[*place])
    }

    /// Every name an attribute can be found by, in lower case and in no order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Definition)> {
        self.by_name.iter().map(|(name, place)| (name.as_str(), &self.definitions[*place]))
    }

    /// How many attributes there are.
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// The vendor with this number.
    pub fn vendor(&self, id: u32) -> Option<&Vendor> {
        self.vendors.get(&id)
    }

    /// The vendor of this name, in any letter case.
    pub fn vendor_named(&self, name: &str) -> Option<&Vendor> {
        self.vendor(*self.vendor_names.get(&name.to_ascii_lowercase())?)
    }

    /// Every vendor, in the order of the numbers.
    pub fn vendors(&self) -> impl Iterator<Item = &Vendor> {
        self.vendors.values()
    }

    /// What the files said twice.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The type of what stands at a number. Vendor-Specific is what it is even where no file
    /// says so (RFC 2865 §5.26).
    fn kind_at(&self, number: &[u32]) -> Option<Type> {
        match self.at(number) {
            Some(definition) => Some(definition.kind),
            None if number == [26] => Some(Type::Vsa),
            None => None,
        }
    }

    /// The layout of a vendor's sub-attributes.
    fn format_of(&self, vendor: u32) -> Format {
        self.vendor(vendor).map(|vendor| vendor.format).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
