//! What can be wrong with a dictionary, and where.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}")]
pub struct DictionaryError {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    #[source]
    pub problem: Problem,
}

/// What is wrong in a line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the texts say what the fields are")]
pub enum Problem {
    /// The file is not opened at all.
    #[error("the file has {octets} octets; {max} are allowed")]
    FileTooLong { octets: usize, max: usize },
    /// A bound on the whole dictionary.
    #[error("more than {max} {what}")]
    TooMany { what: &'static str, max: usize },
    /// A statement this format does not have.
    #[error("{word:?} is no statement{}", Meant(near))]
    Statement { word: String, near: Option<String> },
    /// A statement with too little or too much in it.
    #[error("expected `{form}`, {trouble}")]
    Form { form: &'static str, trouble: String },
    /// A word that cannot be a name.
    #[error("{word:?} cannot be a name: at most 128 letters, digits and -_./:+")]
    Name { word: String },
    /// A word that is no number, or no number that fits.
    #[error("{word:?} is not {expected}")]
    Number { word: String, expected: String },
    /// A type this format does not have.
    #[error("{word:?} is no type{}", Meant(near))]
    Type { word: String, near: Option<String> },
    /// A flag this format does not have.
    #[error("{word:?} is no flag{}", Meant(near))]
    Flag { word: String, near: Option<String> },
    /// Flag and type do not go together.
    #[error("an attribute of type {kind} cannot be {flag}")]
    FlagForType { flag: &'static str, kind: String },
    /// A name nothing was defined by.
    #[error("there is no {what} {word:?}{}", Meant(near))]
    Unknown { what: &'static str, word: String, near: Option<String> },
    /// Attributes inside something that cannot hold any.
    #[error("{what} cannot hold attributes: expected {expected}")]
    Holder { what: String, expected: &'static str },
    /// A value for an attribute whose values are no integers.
    #[error("{name} is of type {kind}: only integers have named values")]
    NoValues { name: String, kind: String },
    /// An end without its beginning.
    #[error("{found} here, but {}", Open(open))]
    End { found: String, open: Option<String> },
    /// A beginning without its end.
    #[error("{opened} is not ended in this file")]
    NotEnded { opened: String },
    /// A file that includes itself, directly or not.
    #[error("{name} is being read already: it includes itself")]
    Cycle { name: String },
    /// An include the caller could not resolve.
    #[error("could not include {name:?}")]
    Include {
        name: String,
        #[source]
        source: io::Error,
    },
}

/// `; did you mean …?`, where there is something.
struct Meant<'a>(&'a Option<String>);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(near) => write!(f, "; did you mean {near}?"),
            None => Ok(()),
        }
    }
}

/// What is open.
struct Open<'a>(&'a Option<String>);

impl fmt::Display for Open<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(open) => write!(f, "{open} is open"),
            None => f.write_str("nothing is open"),
        }
    }
}
