//! Finds the daemons' sockets and asks them.

use std::path::{Path, PathBuf};

use daemon::control::ControlError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where the daemons are, and how their answer is shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Ask {
    /// Folder of the control sockets [default: ./var/run if it exists, else /run/lastmile]
    #[arg(long, value_name = "DIR", env = "LASTMILE_RUN")]
    pub(crate) run: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Ask {
    /// The folder of the sockets.
    pub(crate) fn folder(&self) -> PathBuf {
        folder(self.run.as_deref(), Path::new("var/run"))
    }

    /// Asks one program.
    pub(crate) async fn call<A, R>(
        &self,
        program: &str,
        call: &str,
        args: &A,
    ) -> Result<R, ControlError>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        let socket = self.folder().join(format!("{program}.sock"));
        daemon::control::call(&socket, call, args).await
    }
}

/// The folder asked for, else the one `netctl up` makes here, else the system's.
fn folder(asked: Option<&Path>, local: &Path) -> PathBuf {
    match asked {
        Some(asked) => asked.to_owned(),
        None if local.is_dir() => local.to_owned(),
        None => PathBuf::from("/run/lastmile"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_one_asked_for_else_the_local_one_else_the_systems() {
        let local = tempfile::tempdir().unwrap();
        let missing = local.path().join("missing");
        assert_eq!(folder(Some(Path::new("/x")), local.path()), Path::new("/x"));
        assert_eq!(folder(None, local.path()), local.path());
        assert_eq!(folder(None, &missing), Path::new("/run/lastmile"));
    }
}
