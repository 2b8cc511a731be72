//! Whole attributes as `Name = value`, and back.
//!
//! - `Framed-IP-Address = 10.0.0.1`, `Tunnel-Type:1 = L2TP`.
//! - `Attr-26.14988.99 = 0x01` for an attribute without a name.
//! - `raw.NAS-Port = 0x01` for a value whose length does not suit the type.
//! - `User-Password = <hidden>` for passwords and keys; there is no way back from it.

use std::fmt;

use super::definition::Definition;
use super::kind::{Number, Type};
use super::{Dictionary, value};
use crate::attributes::{Attribute, walk};

/// An attribute read from text.
#[derive(Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The whole number.
    pub number: Number,
    /// The innermost value, the tag before it included.
    pub value: Vec<u8>,
    /// The name, where there is one.
    pub name: Option<String>,
    /// Whether the value does not print.
    pub secret: bool,
    /// Whether the value has to be hidden with the shared secret before it can be sent.
    pub encrypted: bool,
}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.secret { "<hidden>".to_owned() } else { value::hex(&self.value) };
        write!(f, "{} = {value}", self.number)
    }
}

/// Why a text is no attribute. Values are not repeated: they may be passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is no equals sign.
    #[error("is not NAME = VALUE")]
    Form,
    /// Nothing has this name.
    #[error("no attribute has the name {name:?}{}", near.as_deref().map_or_else(
        String::new, |near| format!("; did you mean {near}?")))]
    Unknown {
        /// As written.
        name: String,
        /// A name like it.
        near: Option<String>,
    },
    /// A tag where none can be, or none from 0 to 31.
    #[error("{name} takes {wanted}")]
    Tag {
        /// The attribute.
        name: String,
        /// What it takes.
        wanted: &'static str,
    },
    /// The value does not suit the type.
    #[error("{name} wants {wanted}")]
    Value {
        /// The attribute.
        name: String,
        /// What it wants.
        wanted: &'static str,
    },
    /// The value has to be hidden with the shared secret first.
    #[error("{0} goes hidden on the wire")]
    Encrypted(String),
    /// A server's own attribute.
    #[error("{0} is never sent in a packet")]
    NotSent(String),
    /// The attribute would be longer than its length can say.
    #[error("{0} does not fit an attribute")]
    TooLong(String),
}

impl Dictionary {
    /// An attribute as text; several inside one are separated by commas.
    pub fn show(&self, attribute: &Attribute<'_>) -> String {
        let mut out = Vec::new();
        self.show_at(&mut vec![attribute.kind.into()], attribute.value, &mut out);
        out.join(", ")
    }

    fn show_at(&self, number: &mut Vec<u32>, value: &[u8], out: &mut Vec<String>) {
        let known = self.at(number);
        if !known.is_some_and(Definition::is_secret)
            && let Some(inside) = self.inside(number, value)
        {
            for (components, value) in inside {
                let depth = number.len();
                number.extend(components);
                self.show_at(number, value, out);
                number.truncate(depth);
            }
            return;
        }
        let Some(known) = known else {
            let number = Number::of(number.clone());
            out.push(format!("Attr-{number} = {}", value::hex(value)));
            return;
        };
        out.push(show_known(known, value));
    }

    /// The attributes inside, each with the components that lead to it; `None` where there are
    /// none or a length lies.
    fn inside<'v>(&self, number: &[u32], value: &'v [u8]) -> Option<Vec<(Vec<u32>, &'v [u8])>> {
        let found = match self.kind_at(number)? {
            Type::Tlv => {
                let mut found = Vec::new();
                walk(value, |_, inside| found.push((vec![inside.kind.into()], inside.value)))
                    .ok()?;
                found
            }
            Type::Extended => {
                let (kind, rest) = value.split_first()?;
                vec![(vec![(*kind).into()], rest)]
            }
            Type::LongExtended => match value {
                // Fragments are no values, and other bits are reserved.
                [kind, 0, rest @ ..] => vec![(vec![(*kind).into()], rest)],
                _ => return None,
            },
            Type::Evs => {
                let (vendor, rest) = value.split_first_chunk()?;
                let (kind, rest) = rest.split_first()?;
                vec![(vec![u32::from_be_bytes(*vendor), (*kind).into()], rest)]
            }
            Type::Vsa => {
                let (vendor, rest) = value.split_first_chunk()?;
                self.vendor_inside(u32::from_be_bytes(*vendor), rest)?
            }
            _ => return None,
        };
        (!found.is_empty()).then_some(found)
    }

    fn vendor_inside<'v>(
        &self,
        vendor: u32,
        mut rest: &'v [u8],
    ) -> Option<Vec<(Vec<u32>, &'v [u8])>> {
        let format = self.format_of(vendor);
        let mut found = Vec::new();
        while !rest.is_empty() {
            let whole = rest;
            let kind = take(&mut rest, format.type_octets)?;
            let length = match format.length_octets {
                0 => whole.len(),
                octets => usize::try_from(take(&mut rest, octets)?).ok()?,
            };
            if format.continuation {
                let (flags, after) = rest.split_first()?;
                // Fragments are no values, and other bits are reserved.
                if *flags != 0 {
                    return None;
                }
                rest = after;
            }
            let header = whole.len() - rest.len();
            let value;
            (value, rest) = rest.split_at_checked(length.checked_sub(header)?)?;
            found.push((vec![vendor, kind], value));
        }
        Some(found)
    }

    /// Reads an attribute. Names are found in any letter case.
    pub fn parse(&self, text: &str) -> Result<Parsed, TextError> {
        let (name, text) = text.split_once('=').ok_or(TextError::Form)?;
        let (name, text) = (name.trim(), text.trim());
        let raw = |name: &str| {
            let wanted = "octets after 0x";
            let value = value::unhex(text);
            value.ok_or_else(|| TextError::Value { name: name.to_owned(), wanted })
        };
        if let Some(number) = strip_prefix(name, "attr-").and_then(|n| n.parse::<Number>().ok()) {
            let known = self.at(number.components());
            return Ok(Parsed {
                value: raw(name)?,
                name: known.map(|known| known.name.to_string()),
                secret: known.is_some_and(Definition::is_secret),
                // Octets are taken as they are.
                encrypted: false,
                number,
            });
        }
        let (written, is_raw) = match strip_prefix(name, "raw.") {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let (written, tag) = match self.find(written) {
            Some(_) => (written, None),
            None => match written.rsplit_once(':') {
                Some((written, tag)) => (written, Some(tag)),
                None => (written, None),
            },
        };
        let known = self.find(written).ok_or_else(|| {
            let names = self.iter().map(|known| &*known.name);
            let near = super::line::suggest(written, names);
            TextError::Unknown { name: written.to_owned(), near }
        })?;
        let value = if is_raw { raw(written)? } else { read_known(known, tag, text)? };
        Ok(Parsed {
            number: known.number.clone(),
            value,
            name: Some(known.name.to_string()),
            secret: known.is_secret(),
            encrypted: known.flags.encrypt.is_some() && !is_raw,
        })
    }

    /// The octets of an attribute as they lie in a packet, its header included. Attributes
    /// that need several are [`TextError::TooLong`].
    pub fn encode(&self, parsed: &Parsed) -> Result<Vec<u8>, TextError> {
        let name = || parsed.name.clone().unwrap_or_else(|| parsed.number.to_string());
        if parsed.encrypted {
            return Err(TextError::Encrypted(name()));
        }
        let components = parsed.number.components();
        let virtual_ = self.at(components).is_some_and(|known| known.flags.virtual_);
        let kind = components.first().and_then(|kind| u8::try_from(*kind).ok());
        let (Some(kind), false) = (kind, virtual_) else { return Err(TextError::NotSent(name())) };
        let inside = self.wrap(components, 1, &parsed.value).ok_or_else(|| {
            let wanted = "a place inside attributes that can hold it";
            TextError::Value { name: name(), wanted }
        })?;
        with_length(&[kind], 1, inside).ok_or_else(|| TextError::TooLong(name()))
    }

    /// What lies in the attribute at the first `depth` components, so that the value lies at
    /// the last; `None` where something on the way cannot hold attributes or a length is
    /// passed. A length that is passed comes back as octets nothing can hold.
    fn wrap(&self, components: &[u32], depth: usize, value: &[u8]) -> Option<Vec<u8>> {
        let (around, rest) = components.split_at_checked(depth)?;
        let octet = |n: u32| u8::try_from(n).ok();
        match (rest, self.kind_at(around)) {
            ([], _) => Some(value.to_vec()),
            ([kind, ..], Some(Type::Tlv)) => {
                let inside = self.wrap(components, depth + 1, value)?;
                Some(with_length(&[octet(*kind)?], 1, inside).unwrap_or_else(too_long))
            }
            ([kind, ..], Some(Type::Extended)) => {
                let inside = self.wrap(components, depth + 1, value)?;
                Some([&[octet(*kind)?][..], &inside].concat())
            }
            ([kind, ..], Some(Type::LongExtended)) => {
                let inside = self.wrap(components, depth + 1, value)?;
                Some([&[octet(*kind)?, 0][..], &inside].concat())
            }
            ([vendor, kind, ..], Some(Type::Evs)) => {
                let inside = self.wrap(components, depth + 2, value)?;
                Some([&vendor.to_be_bytes()[..], &[octet(*kind)?], &inside].concat())
            }
            ([vendor, kind, ..], Some(Type::Vsa)) => {
                let mut inside = self.wrap(components, depth + 2, value)?;
                let format = self.format_of(*vendor);
                if *kind > format.type_max() {
                    return None;
                }
                let kind = &kind.to_be_bytes()[4 - usize::from(format.type_octets)..];
                if format.continuation {
                    inside.insert(0, 0);
                }
                let inside = with_length(kind, format.length_octets, inside);
                let inside = inside.unwrap_or_else(too_long);
                Some([&vendor.to_be_bytes()[..], &inside].concat())
            }
            _ => None,
        }
    }
}

/// Longer than any attribute: the outermost length will not hold it.
fn too_long() -> Vec<u8> {
    vec![0; 256]
}

/// A type, a length that counts itself and the type, and what is inside.
fn with_length(kind: &[u8], length_octets: u8, inside: Vec<u8>) -> Option<Vec<u8>> {
    let length = kind.len() + usize::from(length_octets) + inside.len();
    let length = match length_octets {
        0 => Vec::new(),
        1 => vec![u8::try_from(length).ok()?],
        _ => u16::try_from(length).ok()?.to_be_bytes().to_vec(),
    };
    Some([kind, &length, &inside].concat())
}

/// Takes a number of so many octets off.
fn take(rest: &mut &[u8], octets: u8) -> Option<u32> {
    let (number, after) = rest.split_at_checked(octets.into())?;
    *rest = after;
    Some(number.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn show_known(known: &Definition, value: &[u8]) -> String {
    let name = &known.name;
    if known.is_secret() {
        return format!("{name} = <hidden>");
    }
    let (tag, untagged) = match (known.flags.has_tag, known.kind, value) {
        (true, Type::Integer, [tag @ 0..=0x1f, a, b, c]) => {
            // Zero is how an integer says that it has no tag (RFC 2868 §3.1).
            ((*tag > 0).then_some(*tag), vec![0, *a, *b, *c])
        }
        // A higher first octet belongs to the text (RFC 2868 §3.3).
        (true, Type::String | Type::Octets, [tag @ 0..=0x1f, rest @ ..]) => {
            (Some(*tag), rest.to_vec())
        }
        (true, Type::Integer, _) => return format!("raw.{name} = {}", value::hex(value)),
        _ => (None, value.to_vec()),
    };
    match (value::show(known, &untagged), tag) {
        (Some(text), Some(tag)) => format!("{name}:{tag} = {text}"),
        (Some(text), None) => format!("{name} = {text}"),
        (None, _) => format!("raw.{name} = {}", value::hex(value)),
    }
}

fn read_known(known: &Definition, tag: Option<&str>, text: &str) -> Result<Vec<u8>, TextError> {
    let name = || known.name.to_string();
    let tag = match tag {
        None => None,
        Some(_) if !known.flags.has_tag => {
            return Err(TextError::Tag { name: name(), wanted: "no tag" });
        }
        Some(tag) => {
            let tag = tag.parse::<u8>().ok().filter(|tag| *tag <= 0x1f);
            Some(tag.ok_or_else(|| TextError::Tag { name: name(), wanted: "a tag of 0 to 31" })?)
        }
    };
    if known.is_secret() && text == "<hidden>" {
        return Err(TextError::Value { name: name(), wanted: "its value, not how it prints" });
    }
    let mut value =
        value::read(known, text).map_err(|wanted| TextError::Value { name: name(), wanted })?;
    if !known.flags.has_tag {
        return Ok(value);
    }
    if known.kind == Type::Integer {
        if value[0] != 0 {
            let wanted = "a number of 24 bits: the tag takes the rest";
            return Err(TextError::Value { name: name(), wanted });
        }
        value[0] = tag.unwrap_or(0);
        return Ok(value);
    }
    // A text that begins like a tag needs one before it.
    let looks_tagged = value.first().is_some_and(|first| *first <= 0x1f);
    if let Some(tag) = tag.or(looks_tagged.then_some(0)) {
        value.insert(0, tag);
    }
    Ok(value)
}
