//! `DIR/demo.json`: what the demo is made of, with the secrets only it knows.
//!
//! It is decided and written before the first thing is made through the API. A start that is
//! cut short then goes on with the same logins and passwords, and a later one with the same NAS.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use daemon::secrets::{random, random_token};
use serde::{Deserialize, Serialize};

use super::town::{PLANS, RESIDENTS, login};
use crate::chance::Chance;
use crate::nas_sim::Method;

/// The format this program writes and reads.
const FORMAT: u32 = 1;

/// The demo.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demo {
    format: u32,
    /// Everything has been made; what is missing since was deleted on purpose.
    pub(crate) complete: bool,
    /// The API token, where it was made up: later starts are not told it again.
    pub(crate) token: Option<String>,
    /// The secret of the simulated NAS.
    pub(crate) nas_secret: String,
    /// The port it listens on for CoA; 0: not chosen yet.
    pub(crate) coa_port: u16,
    /// The services.
    pub(crate) subscribers: Vec<Subscriber>,
}

/// One service.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscriber {
    pub(crate) customer: String,
    pub(crate) plan: String,
    pub(crate) login: String,
    pub(crate) password: String,
    pub(crate) method: SavedMethod,
    pub(crate) mac: String,
}

/// How a subscriber's router logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedMethod {
    Pap,
    Chap,
}

impl From<SavedMethod> for Method {
    fn from(method: SavedMethod) -> Self {
        match method {
            SavedMethod::Pap => Self::Pap,
            SavedMethod::Chap => Self::Chap,
        }
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} does not read; without it the demo's logins are not known", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("{} has format {format}, this program reads {FORMAT}: upgrade it", path.display())]
    NewerFormat { path: PathBuf, format: u32 },
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Demo {
    /// Reads the file, or thinks of a new demo; that one is not written yet.
    pub(crate) fn load_or_new(path: &Path) -> Result<Self, DemoError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::new()),
            Err(source) => return Err(DemoError::Read { path: path.to_owned(), source }),
        };
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |source| DemoError::Damaged { path: path.to_owned(), source };
        let Head { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format > FORMAT {
            return Err(DemoError::NewerFormat { path: path.to_owned(), format });
        }
        serde_json::from_slice(&text).map_err(damaged)
    }

    fn new() -> Self {
        let mut chance = Chance::new();
        let mut subscribers = Vec::new();
        for resident in RESIDENTS {
            for (n, plan) in resident.plans.iter().enumerate() {
                // The locally administered bit is set: no maker has these.
                let [a, b, c, d]: [u8; 4] = random();
                let method = if chance.one_in(0.5) { SavedMethod::Pap } else { SavedMethod::Chap };
                subscribers.push(Subscriber {
                    customer: resident.name.to_owned(),
                    plan: PLANS[*plan].name.to_owned(),
                    login: login(resident.name, n),
                    password: short_secret(12),
                    method,
                    mac: format!("02:4C:{a:02X}:{b:02X}:{c:02X}:{d:02X}"),
                });
            }
        }
        Self {
            format: FORMAT,
            complete: false,
            token: None,
            nas_secret: short_secret(20),
            coa_port: 0,
            subscribers,
        }
    }

    /// Writes the file whole, mode 0600: the old one or the new one survives a crash.
    pub(crate) fn save(&self, path: &Path) -> Result<(), DemoError> {
        let failed = |source| DemoError::Write { path: path.to_owned(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let new = path.with_extension("json.new");
        let write = || {
            // One that a crash left behind may have any mode.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, path)
        };
        write().map_err(failed)
    }

    /// The customers, each once and in order.
    pub(crate) fn customers(&self) -> Vec<&str> {
        let mut customers: Vec<&str> =
            self.subscribers.iter().map(|subscriber| subscriber.customer.as_str()).collect();
        customers.dedup();
        customers
    }
}

/// Letters and digits that nobody guesses: close to six bits each.
fn short_secret(characters: usize) -> String {
    let token = random_token("");
    let plain = token.expose().chars().filter(char::is_ascii_alphanumeric);
    plain.take(characters).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_demo_reads_back_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.json");
        let mut demo = Demo::load_or_new(&path).unwrap();
        assert!(!path.exists() && !demo.complete);
        demo.coa_port = 4000;
        demo.save(&path).unwrap();
        demo.complete = true;
        demo.save(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = Demo::load_or_new(&path).unwrap();
        assert!(read.complete && read.coa_port == 4000 && read.nas_secret == demo.nas_secret);
        assert_eq!(read.subscribers[7].password, demo.subscribers[7].password);
        assert_eq!(read.customers().len(), RESIDENTS.len());
    }

    #[test]
    fn secrets_differ_and_both_methods_occur() {
        let demo = Demo::new();
        let passwords: std::collections::HashSet<&str> =
            demo.subscribers.iter().map(|subscriber| subscriber.password.as_str()).collect();
        assert_eq!(passwords.len(), demo.subscribers.len());
        assert!(passwords.iter().all(|password| password.len() == 12));
        for method in [SavedMethod::Pap, SavedMethod::Chap] {
            assert!(demo.subscribers.iter().any(|subscriber| subscriber.method == method));
        }
    }

    #[test]
    fn a_damaged_or_newer_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.json");
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            let error = Demo::load_or_new(&path).err().unwrap().to_string();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            error
        };
        assert!(refused("{").contains("does not read"));
        assert!(refused("{\"format\":2,\"new\":1}").contains("has format 2"));
    }
}
