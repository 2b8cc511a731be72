//! What can be wrong with settings, each in one line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, counted from 1.
    File {
        /// The file.
        path: Arc<Path>,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A variable of ours is not Unicode.
    #[error("environment variable {name} is not Unicode")]
    NotUnicode {
        /// The variable.
        name: String,
    },
    /// A variable whose name has an empty part.
    #[error("environment variable {name} names no key")]
    EnvName {
        /// The variable.
        name: String,
    },
    /// A flag whose path has an empty part.
    #[error("flag `{key}` names no key")]
    FlagName {
        /// The path as given.
        key: String,
    },
    /// A key no section knows.
    #[error("{origin}: unknown key `{key}`{}", meant(suggestion))]
    UnknownKey {
        /// Where it came from.
        origin: Origin,
        /// Its dotted path.
        key: String,
        /// The known key it resembles, as dotted path.
        suggestion: Option<String>,
    },
    /// A value its field cannot take.
    #[error("{origin}: `{key}`: {message}")]
    Value {
        /// Where it came from.
        origin: Origin,
        /// The dotted path.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A part of an entry that must be there.
    #[error("{origin}: `{key}` is missing")]
    MissingIn {
        /// Where the entry came from.
        origin: Origin,
        /// The dotted path.
        key: String,
    },
    /// A setting without default that no layer gives.
    #[error("`{key}` is missing: set it in the file or by {variable}")]
    Missing {
        /// The dotted path.
        key: String,
        /// The variable that would set it.
        variable: String,
    },
    /// The settings as a whole do not read.
    #[error("{message}")]
    Whole {
        /// What is wrong.
        message: String,
    },
    /// A setting the program refuses.
    #[error("`{key}`: {message}")]
    Refused {
        /// The dotted path.
        key: String,
        /// Why.
        message: String,
    },
    /// The file that holds a secret cannot be read.
    #[error("could not read the secret in {}", path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file that holds a secret holds none.
    #[error("the secret in {} {problem}", path.display())]
    SecretContent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The settings cannot be written as TOML.
    #[error("could not print the settings")]
    Print {
        /// Why.
        source: toml::ser::Error,
    },
}

fn meant(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(key) => format!(", did you mean `{key}`?"),
        None => String::new(),
    }
}
