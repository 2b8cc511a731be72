//! Statements become a dictionary.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use super::definition::{Definition, Source};
use super::error::{DictionaryError, Problem};
use super::kind::{COMPONENTS_MAX, Flags, Format, Number, Type};
use super::line::{self, Statement, suggest};
use super::{Dictionary, Vendor};

/// Octets of one file.
pub const FILE_OCTETS_MAX: usize = 1 << 20;
/// Attributes, those replaced by later ones included; and values likewise.
pub const DEFINITIONS_MAX: usize = 100_000;
/// Files one call may read.
pub const FILES_MAX: usize = 1_000;
/// How deep files may include each other.
pub const INCLUDES_DEEP_MAX: usize = 16;
/// Vendors.
pub const VENDORS_MAX: usize = 10_000;

/// A file that has been found for an include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its name: for messages, and to see that a file includes itself.
    pub name: String,
    /// What it says.
    pub text: Cow<'a, str>,
}

/// Finds files: called with the file that includes and the name it wrote.
pub type Resolve<'r, 'a> = &'r mut dyn FnMut(&str, &str) -> io::Result<Found<'a>>;

/// Something said twice, differently. The later one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it was said for the second time.
    pub source: Source,
    /// What, in words.
    pub text: String,
}

/// Collects files into a dictionary.
#[derive(Debug, Default)]
pub struct Builder {
    dictionary: Dictionary,
    /// Values whose attribute may yet come.
    values: Vec<(Source, String, String, i64)>,
    /// Aliases, which may come before what they stand for.
    aliases: Vec<(Source, String, String)>,
    attributes_seen: usize,
    values_seen: usize,
    aliases_seen: usize,
    files_seen: usize,
}

/// What stands open in a file.
struct Block<'t> {
    /// As in the file, for messages.
    opened: String,
    name: &'t str,
    is_vendor: bool,
    /// Numbers inside continue this one.
    prefix: Vec<u32>,
    line: u32,
}

impl Builder {
    /// Without anything in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file and what it includes.
    pub fn file(
        &mut self,
        name: &str,
        text: &str,
        resolve: Resolve<'_, '_>,
    ) -> Result<(), DictionaryError> {
        self.read(name, text, resolve, &mut Vec::new())
    }

    /// Resolves what referred to later lines.
    pub fn finish(mut self) -> Result<Dictionary, DictionaryError> {
        for (source, attribute, name, value) in std::mem::take(&mut self.values) {
            match self.dictionary.by_name.get(&attribute.to_ascii_lowercase()) {
                Some(&place) => self.name_value(place, &name, value, &source),
                None => Err(self.unknown_attribute(&attribute)),
            }
            .map_err(|problem| at(&source, problem))?;
        }
        // An alias may stand for an alias; each round resolves at least one.
        let mut waiting = std::mem::take(&mut self.aliases);
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut still = Vec::new();
            for (source, name, of) in waiting {
                match self.dictionary.by_name.get(&of.to_ascii_lowercase()) {
                    Some(&place) => {
                        let old = self.dictionary.by_name.insert(name.to_ascii_lowercase(), place);
                        if old.is_some_and(|old| old != place) {
                            let text = format!("{name} was another attribute's name");
                            self.dictionary.notes.push(Note { source, text });
                        }
                    }
                    None => still.push((source, name, of)),
                }
            }
            if still.len() == before {
                let (source, _, of) = &still[0];
                return Err(at(source, self.unknown_attribute(of)));
            }
            waiting = still;
        }
        Ok(self.dictionary)
    }

    fn read(
        &mut self,
        name: &str,
        text: &str,
        resolve: Resolve<'_, '_>,
        open: &mut Vec<String>,
    ) -> Result<(), DictionaryError> {
        let file: Arc<str> = name.into();
        let mut source = Source { file, line: 1 };
        let mut begin = || {
            if text.len() > FILE_OCTETS_MAX {
                return Err(Problem::FileTooLong { octets: text.len(), max: FILE_OCTETS_MAX });
            }
            count(&mut self.files_seen, "files", FILES_MAX)
        };
        begin().map_err(|problem| at(&source, problem))?;
        open.push(name.to_owned());
        let mut blocks = Vec::new();
        for (line, n) in text.lines().zip(1..) {
            source.line = n;
            let is_vendor = |word: &str| self.dictionary.vendor_named(word).is_some();
            let Some(statement) =
                line::read(line, is_vendor).map_err(|problem| at(&source, problem))?
            else {
                continue;
            };
            match statement {
                Statement::Include { name, optional } => {
                    self.include(name, optional, &source, resolve, open)?;
                }
                statement => self
                    .apply(statement, &mut blocks, &source)
                    .map_err(|problem| at(&source, problem))?,
            }
        }
        open.pop();
        match blocks.pop() {
            None => Ok(()),
            Some(Block { opened, line, .. }) => {
                Err(at(&Source { line, ..source }, Problem::NotEnded { opened }))
            }
        }
    }

    fn include(
        &mut self,
        name: &str,
        optional: bool,
        source: &Source,
        resolve: Resolve<'_, '_>,
        open: &mut Vec<String>,
    ) -> Result<(), DictionaryError> {
        let found = match resolve(&source.file, name) {
            Ok(found) => found,
            Err(error) if optional && error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                let problem = Problem::Include { name: name.to_owned(), source: error };
                return Err(at(source, problem));
            }
        };
        if open.contains(&found.name) {
            return Err(at(source, Problem::Cycle { name: found.name }));
        }
        if open.len() >= INCLUDES_DEEP_MAX {
            let what = "files that include each other";
            return Err(at(source, Problem::TooMany { what, max: INCLUDES_DEEP_MAX }));
        }
        self.read(&found.name, &found.text, resolve, open)
    }

    fn apply<'t>(
        &mut self,
        statement: Statement<'t>,
        blocks: &mut Vec<Block<'t>>,
        source: &Source,
    ) -> Result<(), Problem> {
        match statement {
            Statement::Attribute { name, number, kind, flags, vendor } => {
                let prefix = match vendor {
                    Some(vendor) => vec![26, self.known_vendor(vendor)?.id],
                    None => blocks.last().map(|block| block.prefix.clone()).unwrap_or_default(),
                };
                self.attribute(name, &prefix, &number, kind, flags, source)
            }
            Statement::Value { attribute, name, value } => {
                count(&mut self.values_seen, "values", DEFINITIONS_MAX)?;
                match self.dictionary.by_name.get(&attribute.to_ascii_lowercase()) {
                    Some(&place) => self.name_value(place, name, value, source),
                    None => {
                        let waiting =
                            (source.clone(), attribute.to_owned(), name.to_owned(), value);
                        self.values.push(waiting);
                        Ok(())
                    }
                }
            }
            Statement::Vendor { name, id, format } => self.vendor(name, id, format, source),
            Statement::BeginVendor { name, parent } => {
                let id = self.known_vendor(name)?.id;
                let mut prefix = match parent {
                    None => vec![26],
                    Some(parent) => {
                        let found = self.known_attribute(parent)?;
                        if !matches!(found.kind, Type::Evs | Type::Vsa) {
                            let expected = "one of type evs or vsa";
                            return Err(Problem::Holder { what: parent.to_owned(), expected });
                        }
                        found.number.components().to_vec()
                    }
                };
                prefix.push(id);
                if let Some(block) = blocks.last() {
                    let found = format!("BEGIN-VENDOR {name}");
                    return Err(Problem::End { found, open: Some(block.opened.clone()) });
                }
                let opened = format!("BEGIN-VENDOR {name}");
                blocks.push(Block { opened, name, is_vendor: true, prefix, line: source.line });
                Ok(())
            }
            Statement::BeginTlv { name } => {
                let found = self.known_attribute(name)?;
                if found.kind != Type::Tlv {
                    let expected = "one of type tlv";
                    return Err(Problem::Holder { what: name.to_owned(), expected });
                }
                let prefix = found.number.components().to_vec();
                if blocks.len() >= COMPONENTS_MAX {
                    return Err(Problem::TooMany { what: "open blocks", max: COMPONENTS_MAX });
                }
                let opened = format!("BEGIN-TLV {name}");
                blocks.push(Block { opened, name, is_vendor: false, prefix, line: source.line });
                Ok(())
            }
            Statement::EndVendor { name } => end(blocks, "END-VENDOR", name, true),
            Statement::EndTlv { name } => end(blocks, "END-TLV", name, false),
            Statement::Alias { name, of } => {
                count(&mut self.aliases_seen, "aliases", DEFINITIONS_MAX)?;
                self.aliases.push((source.clone(), name.to_owned(), of.to_owned()));
                Ok(())
            }
            // Resolved before.
            Statement::Include { .. } | Statement::Member => Ok(()),
        }
    }

    fn attribute(
        &mut self,
        name: &str,
        prefix: &[u32],
        number: &Number,
        kind: Type,
        flags: Flags,
        source: &Source,
    ) -> Result<(), Problem> {
        count(&mut self.attributes_seen, "attributes", DEFINITIONS_MAX)?;
        let number = Number::of([prefix, number.components()].concat());
        self.check_place(&number)?;
        let dictionary = &mut self.dictionary;
        let mut new = Definition::new(name, number, kind, flags, source.clone());
        let mut notes = Vec::new();
        let place = match dictionary.by_number.get(&new.number) {
            None => {
                dictionary.definitions.push(new);
                dictionary.definitions.len() - 1
            }
            Some(&place) => {
                let old = &mut dictionary.definitions[place];
                if old.name.eq_ignore_ascii_case(name) && old.kind.range() == kind.range() {
                    new.take_values(old);
                }
                if (&old.name, old.kind, old.flags) != (&new.name, kind, flags) {
                    let Definition { name: before, kind: kind_before, source: old, .. } = old;
                    notes.push(format!(
                        "{name} ({kind}) replaces {before} ({kind_before}) of {old} as {}",
                        new.number
                    ));
                }
                dictionary.definitions[place] = new;
                place
            }
        };
        let number = &dictionary.definitions[place].number;
        dictionary.by_number.insert(number.clone(), place);
        if let Some(old) = dictionary.by_name.insert(name.to_ascii_lowercase(), place)
            && old != place
        {
            let old = &dictionary.definitions[old].number;
            notes.push(format!("{name} was the name of {old}, now of {number}"));
        }
        let of_source = |text| Note { source: source.clone(), text };
        dictionary.notes.extend(notes.into_iter().map(of_source));
        Ok(())
    }

    /// Whether an attribute can stand at this number: each component fits the octets it has
    /// on the wire, and what stands around it can hold attributes.
    fn check_place(&self, number: &Number) -> Result<(), Problem> {
        let components = number.components();
        if components.len() > COMPONENTS_MAX {
            let expected = format!("a number of at most {COMPONENTS_MAX} components");
            return Err(Problem::Number { word: number.to_string(), expected });
        }
        // Numbers above 255 of one component are a server's own.
        let mut depth = 1;
        while depth < components.len() {
            let (around, inside) = components.split_at(depth);
            let limit = match self.dictionary.kind_at(around) {
                Some(Type::Tlv | Type::Extended | Type::LongExtended) => {
                    depth += 1;
                    (inside[0], 255)
                }
                Some(holder @ (Type::Vsa | Type::Evs)) => {
                    depth += 2;
                    // With nothing after it, the component would be a vendor.
                    let [vendor, kind, ..] = *inside else {
                        let expected = "VENDOR.NUMBER at its end".to_owned();
                        return Err(Problem::Number { word: number.to_string(), expected });
                    };
                    match holder {
                        Type::Vsa => (kind, self.dictionary.format_of(vendor).type_max()),
                        _ => (kind, 255),
                    }
                }
                Some(kind) => {
                    let what = format!("{} ({kind})", Number::of(around.to_vec()));
                    return Err(Problem::Holder { what, expected: "an attribute of type tlv" });
                }
                None => {
                    let what = format!("{}, which is not defined,", Number::of(around.to_vec()));
                    return Err(Problem::Holder { what, expected: "an attribute of type tlv" });
                }
            };
            let (component, max) = limit;
            if component > max {
                let expected = format!("possible: {component} is above {max}");
                return Err(Problem::Number { word: number.to_string(), expected });
            }
        }
        Ok(())
    }

    fn name_value(
        &mut self,
        place: usize,
        name: &str,
        value: i64,
        source: &Source,
    ) -> Result<(), Problem> {
        let definition = &mut self.dictionary.definitions[place];
        // FreeRADIUS 3 lets this pass, and a file of CableLabs that it ships relies on it.
        if matches!(definition.kind, Type::Octets | Type::OctetsOf(_)) {
            let text = format!("{name} of {} is passed over: octets", definition.name);
            self.dictionary.notes.push(Note { source: source.clone(), text });
            return Ok(());
        }
        let Some(range) = definition.kind.range() else {
            let (name, kind) = (definition.name.to_string(), definition.kind.to_string());
            return Err(Problem::NoValues { name, kind });
        };
        if !range.contains(&value) {
            let expected = format!("within {} to {}", range.start(), range.end());
            return Err(Problem::Number { word: value.to_string(), expected });
        }
        if let Some(before) = definition.name_value(name, value) {
            let text = format!("{name} of {} was {before}, now {value}", definition.name);
            self.dictionary.notes.push(Note { source: source.clone(), text });
        }
        Ok(())
    }

    fn vendor(
        &mut self,
        name: &str,
        id: u32,
        format: Format,
        source: &Source,
    ) -> Result<(), Problem> {
        let dictionary = &mut self.dictionary;
        if dictionary.vendor_names.len() >= VENDORS_MAX {
            return Err(Problem::TooMany { what: "vendors", max: VENDORS_MAX });
        }
        let new = Vendor { name: name.to_owned(), id, format };
        let mut notes = Vec::new();
        if let Some(old) = dictionary.vendors.get(&id)
            && *old != new
        {
            notes.push(format!("vendor {id} was {}, now {name}", old.name));
        }
        if let Some(old) = dictionary.vendor_names.insert(name.to_ascii_lowercase(), id)
            && old != id
        {
            notes.push(format!("vendor {name} was {old}, now {id}"));
        }
        dictionary.vendors.insert(id, new);
        let of_source = |text| Note { source: source.clone(), text };
        dictionary.notes.extend(notes.into_iter().map(of_source));
        Ok(())
    }

    fn known_vendor(&self, name: &str) -> Result<&Vendor, Problem> {
        self.dictionary.vendor_named(name).ok_or_else(|| {
            let near = suggest(name, self.dictionary.vendors().map(|vendor| &*vendor.name));
            Problem::Unknown { what: "vendor", word: name.to_owned(), near }
        })
    }

    fn known_attribute(&self, name: &str) -> Result<&Definition, Problem> {
        self.dictionary.find(name).ok_or_else(|| self.unknown_attribute(name))
    }

    fn unknown_attribute(&self, name: &str) -> Problem {
        let near = suggest(name, self.dictionary.iter().map(|definition| &*definition.name));
        Problem::Unknown { what: "attribute", word: name.to_owned(), near }
    }
}

fn at(source: &Source, problem: Problem) -> DictionaryError {
    DictionaryError { file: source.file.clone(), line: source.line, problem }
}

fn count(seen: &mut usize, what: &'static str, max: usize) -> Result<(), Problem> {
    *seen += 1;
    if *seen > max { Err(Problem::TooMany { what, max }) } else { Ok(()) }
}

fn end(
    blocks: &mut Vec<Block<'_>>,
    keyword: &str,
    name: &str,
    is_vendor: bool,
) -> Result<(), Problem> {
    let fits = |block: &mut Block<'_>| {
        block.is_vendor == is_vendor && block.name.eq_ignore_ascii_case(name)
    };
    if blocks.pop_if(fits).is_some() {
        return Ok(());
    }
    let open = blocks.last().map(|block| block.opened.clone());
    Err(Problem::End { found: format!("{keyword} {name}"), open })
}
