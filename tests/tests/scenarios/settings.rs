//! Settings: the shipped files, and what is said about wrong ones.

use lab::lab::{DAEMONS, shipped};
use lab::program::{Ended, run_to_end};

fn daemon(name: &str, arguments: &[&str]) -> Ended {
    run_to_end(name, arguments, &[])
}

fn shipped_text(name: &str) -> String {
    shipped(name).to_str().expect("a path in UTF-8").to_owned()
}

/// The keys of a TOML text with their sections, commented-out ones included.
fn keys(toml: &str) -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in toml.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line).trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.push(format!("{section}{key}"));
        }
    }
    keys
}

#[test]
fn every_shipped_file_is_accepted() {
    for name in DAEMONS {
        let checked = daemon(name, &["--check-config", &shipped_text(name)]);
        assert_eq!(checked.code, Some(0), "{name}: {checked:?}");
        assert!(checked.stdout.contains("ok"), "{checked:?}");
        assert_eq!(checked.stderr, "", "{name}");
    }
}

#[test]
fn every_shipped_file_shows_every_key_with_its_default() {
    for name in DAEMONS {
        let defaults = daemon(name, &["--print-config"]);
        assert_eq!(defaults.code, Some(0), "{name}: {defaults:?}");
        let shown = std::fs::read_to_string(shipped(name)).expect("read a shipped file");
        let shown = keys(&shown);
        for key in keys(&defaults.stdout) {
            assert!(shown.contains(&key), "config/{name}.toml does not show {key}");
        }
        let effective = daemon(name, &["--config", &shipped_text(name), "--print-config"]);
        assert_eq!(effective.code, Some(0), "{name}: {effective:?}");
        // Where a secret comes from is the one thing a file must choose.
        let plain = |text: &str| -> Vec<String> {
            let chosen = |line: &&str| !line.starts_with("url = ") && !line.starts_with("file = ");
            let lines = text.lines().filter(|line| !line.is_empty() && !line.ends_with(".url]"));
            lines.filter(chosen).map(str::to_owned).collect()
        };
        assert_eq!(plain(&effective.stdout), plain(&defaults.stdout), "{name}");
    }
}

#[test]
fn an_unknown_key_is_named() {
    let directory = tempfile::tempdir().expect("make a directory");
    let file = directory.path().join("wrong.toml");
    std::fs::write(&file, "[log]\nfilter = \"info\"\nfromat = \"json\"\n").expect("write a file");
    let path = file.to_str().expect("a path in UTF-8");
    for name in DAEMONS {
        for arguments in [["--check-config", path], ["--config", path]] {
            let refused = daemon(name, &arguments);
            assert_eq!(refused.code, Some(2), "{name}: {refused:?}");
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            for word in ["wrong.toml:3", "`log.fromat`", "did you mean `log.format`?"] {
                assert!(refused.stderr.contains(word), "{word} in {}", refused.stderr);
            }
        }
        let variable = format!("{}__LOG__FROMAT", name.to_uppercase().replace('-', "_"));
        let environment = [(variable.clone(), "json".into())];
        let refused = run_to_end(name, &["--check-config"], &environment);
        assert_eq!(refused.code, Some(2), "{name}: {refused:?}");
        assert!(refused.stderr.contains(&variable), "{}", refused.stderr);
    }
}

#[test]
fn a_secret_is_not_printed() {
    let environment = [(
        "BILLING_API__DATABASE__URL".to_owned(),
        "postgres://lastmile:hush-hush@localhost/lastmile".into(),
    )];
    let printed = run_to_end("billing-api", &["--print-config"], &environment);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(!format!("{printed:?}").contains("hush-hush"), "{printed:?}");
}
