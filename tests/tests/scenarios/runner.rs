//! `tests/run` itself.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use lab::program::workspace;

/// What the runner looks for, and the Debian package that brings it.
const NEEDED: [(&str, &str); 10] = [
    ("psql", "postgresql-client"),
    ("sftp", "openssh-client"),
    ("pdftotext", "poppler-utils"),
    ("openssl", "openssl"),
    ("redis-server", "redis-server"),
    ("radclient", "freeradius-utils"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("cc", "gcc"),
    ("python3", "python3-venv"),
];

/// What the runner itself is made of.
const OWN: [&str; 8] = ["bash", "sh", "env", "readlink", "dirname", "id", "find", "sort"];

fn script(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("write a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("make it run");
}

/// Runs `tests/run` where only the programs of `present` are installed, and installing fails;
/// returns what it asked the package manager for.
fn asked_for(present: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("make a directory");
    let path = std::env::var_os("PATH").expect("a PATH");
    for name in OWN.iter().chain(&["tail"]) {
        let found = std::env::split_paths(&path).map(|at| at.join(name)).find(|at| at.exists());
        let found = found.unwrap_or_else(|| panic!("no {name} on this machine"));
        std::os::unix::fs::symlink(found, directory.path().join(name)).expect("make a link");
    }
    for name in present {
        script(directory.path(), name, "exit 0");
    }
    let asked = directory.path().join("asked");
    // Updating works; installing tells what for, and fails, which ends the run.
    let text = format!("case \"$1\" in install) echo \"$@\" >{}; exit 7;; esac", asked.display());
    script(directory.path(), "apt-get", &text);
    script(directory.path(), "sudo", "exec \"$@\"");
    let ended = Command::new(workspace().join("tests/run"))
        .env("PATH", directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("run tests/run");
    assert_eq!(ended.status.code(), Some(7), "{}", String::from_utf8_lossy(&ended.stderr));
    std::fs::read_to_string(asked).expect("it asked")
}

#[test]
fn the_runner_installs_what_is_missing_and_nothing_else() {
    for (missing, package) in NEEDED {
        let present: Vec<&str> =
            NEEDED.iter().map(|(name, _)| *name).filter(|name| *name != missing).collect();
        let asked = asked_for(&present);
        let packages = asked.trim_end().split(' ');
        let packages: Vec<&str> = packages.filter(|word| !word.starts_with('-')).skip(1).collect();
        assert_eq!(packages[0], package, "without {missing}: {asked}");
        let further: &[&str] = if missing == "cc" { &["libc6-dev"] } else { &[] };
        assert_eq!(packages[1..], *further, "without {missing}: {asked}");
    }
}
