//! What FreeRADIUS knew, before anything is made of it; and its files, read whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use model::Secret;

use super::pairs::{Item, Place};

/// Longest configuration file, octets. A users file of a million logins is about 100 MB.
const OCTETS_MAX: u64 = 512 * 1024 * 1024;
/// Files that files include, one in another.
const DEPTH_MAX: usize = 16;

/// Who may ask.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// What it is called.
    pub(super) name: String,
    /// Its address, network or host name, as it was written.
    pub(super) address: String,
    /// The secret.
    pub(super) secret: Option<Secret<String>>,
    /// The vendor, in FreeRADIUS's word.
    pub(super) kind: Option<String>,
    /// Whether unsigned requests are dropped.
    pub(super) requires_signature: bool,
    /// Where it was said.
    pub(super) place: Place,
}

/// What is said of one login, or of all.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Asked or set before the login is decided.
    pub(super) check: Vec<Item>,
    /// Given.
    pub(super) reply: Vec<Item>,
    /// Where it begins.
    pub(super) place: Place,
}

/// A group of the tables.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) check: Vec<Item>,
    pub(super) reply: Vec<Item>,
}

/// Who a login belongs to, where a table says so.
#[derive(Debug, Default, Clone)]
pub(super) struct Person {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// In the order of the files.
    pub(super) clients: Vec<Client>,
    /// Entries of the users files by name, each with its place among all of them.
    pub(super) users: HashMap<String, Vec<(usize, Entry)>>,
    /// Entries named DEFAULT, likewise.
    pub(super) defaults: Vec<(usize, Entry)>,
    /// Rows of `radcheck` and `radreply`.
    pub(super) rows: HashMap<String, Entry>,
    /// Groups.
    pub(super) groups: BTreeMap<String, Group>,
    /// Groups of logins, with their priority.
    pub(super) memberships: HashMap<String, Vec<(i64, String)>>,
    /// Who is behind a login.
    pub(super) people: HashMap<String, Person>,
    /// Logins, in the order they were first named.
    pub(super) logins: Vec<String>,
    /// Rows of accounting, and those without an end.
    pub(super) history: (u64, u64),
    /// What was read and means nothing here.
    pub(super) notes: Vec<(Place, String)>,
    /// Entries read so far.
    pub(super) entries: usize,
}

impl Source {
    /// Keeps an entry of a users file.
    pub(super) fn entry(&mut self, name: &str, entry: Entry) {
        let at = self.entries;
        self.entries += 1;
        if name == "DEFAULT" {
            self.defaults.push((at, entry));
            return;
        }
        self.login(name);
        self.users.entry(name.to_owned()).or_default().push((at, entry));
    }

    /// Keeps a row of `radcheck` or `radreply`.
    pub(super) fn row(&mut self, login: &str, is_check: bool, item: Item) {
        self.login(login);
        let place = item.place.clone();
        let new = || Entry { check: Vec::new(), reply: Vec::new(), place };
        let entry = self.rows.entry(login.to_owned()).or_insert_with(new);
        if is_check { entry.check.push(item) } else { entry.reply.push(item) }
    }

    fn login(&mut self, name: &str) {
        if !self.users.contains_key(name) && !self.rows.contains_key(name) {
            self.logins.push(name.to_owned());
        }
    }

    /// Notes something.
    pub(super) fn note(&mut self, place: &Place, text: impl Into<String>) {
        self.notes.push((place.clone(), text.into()));
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is larger than 512 MiB", .0.display())]
    Large(PathBuf),
    #[error("{place}: {problem}")]
    Line { place: Place, problem: String },
    #[error("{place}: files include each other more than {DEPTH_MAX} deep")]
    Deep { place: Place },
}

impl ReadError {
    /// A line that does not read.
    pub(super) fn line(place: &Place, problem: impl Into<String>) -> Self {
        Self::Line { place: place.clone(), problem: problem.into() }
    }
}

/// A file as text. FreeRADIUS's files say nothing of their encoding; what is not UTF-8 is read
/// as Latin-1, in which every octet is a character.
pub(super) fn text_of(path: &Path) -> Result<String, ReadError> {
    let failed = |source| ReadError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut octets = Vec::new();
    file.take(OCTETS_MAX + 1).read_to_end(&mut octets).map_err(failed)?;
    if octets.len() as u64 > OCTETS_MAX {
        return Err(ReadError::Large(path.to_owned()));
    }
    Ok(String::from_utf8(octets)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect()))
}

/// The files an `$INCLUDE` names: itself, or what lies in the directory, in the order of names.
/// `optional` is `$-INCLUDE`, which passes over what is not there.
pub(super) fn included(
    place: &Place,
    path: &str,
    optional: bool,
    depth: usize,
) -> Result<Vec<PathBuf>, ReadError> {
    if depth >= DEPTH_MAX {
        return Err(ReadError::Deep { place: place.clone() });
    }
    if path.contains("${") {
        let problem = format!("{path} names a setting of radiusd.conf: write the path itself");
        return Err(ReadError::line(place, problem));
    }
    // A relative path begins where the file that includes lies.
    let path = Path::new(&*place.file).parent().unwrap_or(Path::new("")).join(path);
    match fs::metadata(&path) {
        Err(_) if optional => Ok(Vec::new()),
        Err(source) => Err(ReadError::Read { path, source }),
        Ok(found) if found.is_dir() => {
            let failed = |source| ReadError::Read { path: path.clone(), source };
            let mut files = Vec::new();
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name();
                // FreeRADIUS takes names of these characters alone, so no editor's backups.
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
                let taken = name.to_str().is_some_and(|name| {
                    name.chars().all(plain) && !name.starts_with('.') && !name.ends_with('~')
                });
                if taken && entry.path().is_file() {
                    files.push(entry.path());
                }
            }
            files.sort();
            Ok(files)
        }
        Ok(_) => Ok(vec![path]),
    }
}
