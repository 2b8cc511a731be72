//! Which databases, and which key file: those of `netctl up`, or those the daemons' files name.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use ::backup::{BILLING, BackupError, Database, NETWORK};
use daemon::config::Source;
use model::Secret;

use crate::exit::Failure;

/// Where the office's settings are, unless said otherwise.
const BILLING_FILE: &str = "/etc/lastmile/billing-api.toml";

/// Which installation.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The data directory of `netctl up` [default: ./var, if it has a database]
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,

    /// The settings of billing-api, with policyd.toml and aaad.toml beside it
    /// [default: /etc/lastmile/billing-api.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// An installation to back up or to restore.
#[derive(Debug)]
pub(super) struct Installation {
    /// The network's first: what it lacks is sent again by the journals.
    pub(super) databases: Vec<Database>,
    pub(super) key_file: PathBuf,
    /// Configuration files that belong to it.
    pub(super) configuration: Vec<PathBuf>,
    /// The data directory of `netctl up`.
    data: Option<PathBuf>,
}

impl Installation {
    /// Finds it.
    pub(super) fn find(args: &Args) -> Result<Self, Failure> {
        let here = Path::new("var");
        match (&args.data, &args.config) {
            (Some(data), _) => Ok(Self::embedded(data)),
            (None, Some(config)) => Self::separate(config),
            (None, None) if here.join("billing.db").exists() => Ok(Self::embedded(here)),
            (None, None) => Self::separate(Path::new(BILLING_FILE)),
        }
    }

    fn embedded(data: &Path) -> Self {
        let url = |name: &str| format!("sqlite:{}", data.join(name).display()).into();
        Self {
            databases: databases(url("network.db"), url("billing.db")),
            key_file: data.join("key"),
            configuration: Vec::new(),
            data: Some(data.to_owned()),
        }
    }

    fn separate(config: &Path) -> Result<Self, Failure> {
        let source = Source::new("billing-api", Some(config.to_owned()))?;
        let settings: billing_api::Config = daemon::config::load(&source)?;
        let beside = |name: &str| Some(config.with_file_name(name)).filter(|path| path.exists());
        let (policyd_file, aaad_file) = (beside("policyd.toml"), beside("aaad.toml"));
        // billing-api reads the network's database, perhaps as a user who may not write.
        let network = match &policyd_file {
            Some(file) => {
                let source = Source::new("policyd", Some(file.clone()))?;
                let policyd: policyd::Config = daemon::config::load(&source)?;
                match &policyd.database.url {
                    Some(url) => url.load()?,
                    None => format!("sqlite:{}", policyd.data.join("network.db").display()).into(),
                }
            }
            None => settings.network.url.load()?,
        };
        let configuration = [Some(config.to_owned()), policyd_file, aaad_file];
        Ok(Self {
            databases: databases(network, settings.database.url.load()?),
            key_file: settings.key_file,
            configuration: configuration.into_iter().flatten().collect(),
            data: None,
        })
    }

    /// Where its control sockets are.
    pub(super) fn sockets(&self, asked: Option<&Path>) -> PathBuf {
        match (asked, &self.data) {
            (Some(asked), _) => asked.to_owned(),
            (None, Some(data)) => data.join("run"),
            (None, None) => PathBuf::from("/run/lastmile"),
        }
    }

    /// Holds the data directory, so that no `netctl up` starts meanwhile.
    pub(super) fn hold(&self) -> Result<Option<File>, BackupError> {
        let Some(data) = &self.data else { return Ok(None) };
        let path = data.join("lock");
        let failed = |source| BackupError::Io { doing: "cannot use", path: path.clone(), source };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Err(BackupError::InUse {
                target: data.display().to_string(),
                by: "netctl up".to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

fn databases(network: Secret<String>, billing: Secret<String>) -> Vec<Database> {
    vec![
        Database { name: NETWORK, url: network, migrations: Some(&policyd::MIGRATIONS) },
        Database { name: BILLING, url: billing, migrations: Some(billing_api::MIGRATIONS) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_of_netctl_up_says_everything() {
        let args = Args { data: Some("/srv/isp".into()), config: None };
        let found = Installation::find(&args).unwrap();
        let urls: Vec<&str> =
            found.databases.iter().map(|database| database.url.expose().as_str()).collect();
        assert_eq!(urls, ["sqlite:/srv/isp/network.db", "sqlite:/srv/isp/billing.db"]);
        assert_eq!(found.key_file, Path::new("/srv/isp/key"));
        assert_eq!(found.sockets(None), Path::new("/srv/isp/run"));
    }

    #[test]
    fn the_daemons_files_say_where_their_databases_are() {
        let folder = tempfile::tempdir().unwrap();
        let billing = folder.path().join("billing-api.toml");
        let text = "key_file = '/k'\n[database]\nurl = 'postgres://a@h/office'\n\
                    [network]\nurl = 'postgres://reader@h/office'\n";
        std::fs::write(&billing, text).unwrap();
        let args = Args { data: None, config: Some(billing.clone()) };
        let url = |found: &Installation, n: usize| found.databases[n].url.expose().clone();
        let found = Installation::find(&args).unwrap();
        assert_eq!(url(&found, 0), "postgres://reader@h/office");
        assert_eq!(url(&found, 1), "postgres://a@h/office");
        assert_eq!(found.configuration, std::slice::from_ref(&billing));

        let policyd = folder.path().join("policyd.toml");
        std::fs::write(&policyd, "[database]\nurl = 'postgres://owner@h/office'\n").unwrap();
        let found = Installation::find(&args).unwrap();
        assert_eq!(url(&found, 0), "postgres://owner@h/office");
        assert_eq!(found.configuration, [billing, policyd]);

        let missing = Args { data: None, config: Some(folder.path().join("none.toml")) };
        assert!(Installation::find(&missing).is_err());
    }
}
