//! `netctl key`: the key file that seals secrets.

use std::path::PathBuf;

use daemon::secrets::Keyring;

use crate::exit::{DONE, Ended, put};

/// What to do with it.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Make a new key file; an existing one is never overwritten
    #[command(alias = "create")]
    New {
        /// Where
        path: PathBuf,
    },
}

/// Does it.
pub(crate) fn main(verb: Verb) -> Ended {
    let Verb::New { path } = verb;
    Keyring::create(&path)?;
    put(&format!(
        "{} made. Without it no stored secret opens: keep a copy, but not beside the backups.\n",
        path.display()
    ))?;
    Ok(DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let new = || main(Verb::New { path: path.clone() });
        assert_eq!(new().unwrap(), DONE);
        let before = std::fs::read(&path).unwrap();
        assert!(new().unwrap_err().error.to_string().contains("exists already"));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
