//! What people and programs are told.

use std::path::Path;

use ::backup::key::Sealed;
use ::backup::{Listed, Made, Restored, Verified};
use serde_json::{Value, json};

use crate::exit::{Failure, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table};

/// `3.2 MB`: octets for people.
fn size(octets: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if octets < 1000 {
        return format!("{octets} B");
    }
    let mut value = octets as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

fn sealed_with(sealed: &Sealed) -> String {
    match sealed {
        Sealed::KeyFile { key } => format!("key file ({key})"),
        Sealed::Passphrase { .. } => "passphrase".to_owned(),
    }
}

pub(super) fn made(made: &Made, json: bool) -> Result<(), Failure> {
    let manifest = &made.manifest;
    let removed: Vec<String> = made.removed.iter().map(|path| path.display().to_string()).collect();
    if json {
        return put_json(&json!({
            "path": made.path.display().to_string(),
            "octets": made.octets,
            "made_at": manifest.made_at,
            "databases": manifest.databases,
            "parts": manifest.parts,
            "policy": manifest.policy,
            "keys": manifest.keys.iter().map(|sample| &sample.key).collect::<Vec<_>>(),
            "removed": removed,
        }));
    }
    let mut text = format!("{} made, {}.\n", made.path.display(), size(made.octets));
    for database in &manifest.databases {
        text.push_str(&format!(
            "  {} ({}): {} tables, {} rows, schema version {}\n",
            database.name,
            database.engine,
            database.rows.len(),
            database.row_count(),
            database.schema_version,
        ));
    }
    let files = manifest.parts.iter().filter_map(|part| part.name.strip_prefix("configuration/"));
    let files: Vec<&str> = files.collect();
    if !files.is_empty() {
        text.push_str(&format!("  configuration: {}\n", files.join(", ")));
    }
    for path in &removed {
        text.push_str(&format!("  {path} removed\n"));
    }
    text.push_str("The key file is not in it: keep a copy of that elsewhere.\n");
    put(&text)
}

pub(super) fn list(listed: &[Listed], json: bool) -> Result<(), Failure> {
    if json {
        let entry = |listed: &Listed| -> Value {
            let path = listed.path.display().to_string();
            let mut entry =
                json!({ "path": path, "made_at": listed.made_at, "octets": listed.octets });
            match &listed.header {
                Ok(header) => {
                    entry["program"] = json!(header.program);
                    entry["engines"] = json!(header.engines);
                    entry["sealed"] = json!(header.sealed);
                }
                Err(error) => entry["error"] = json!(daemon::exit::chain(error)),
            }
            entry
        };
        return put_json(&listed.iter().map(entry).collect::<Vec<_>>());
    }
    if listed.is_empty() {
        return put("There is no backup.\n");
    }
    let mut table = Table::new(&[
        Column::whole("File"),
        Column::number("Size"),
        Column::text("Databases"),
        Column::text("Sealed with"),
    ]);
    for listed in listed {
        let name = listed.path.file_name().unwrap_or_default().to_string_lossy();
        let (engines, sealed) = match &listed.header {
            Ok(header) => {
                (Cell::from(header.engines.join(", ")), Cell::from(sealed_with(&header.sealed)))
            }
            Err(error) => (
                Cell::coloured(Colour::Bad, "does not read"),
                Cell::from(daemon::exit::chain(error)),
            ),
        };
        table.row([
            Cell::from(name.into_owned()),
            Cell::from(size(listed.octets)),
            engines,
            sealed,
        ]);
    }
    put(&table.show(&Style::of_stdout()))
}

pub(super) fn verified(path: &Path, verified: &Verified, json: bool) -> Result<(), Failure> {
    if json {
        let databases = verified.databases.iter().map(|database| {
            json!({
                "name": database.name,
                "engine": database.engine.to_string(),
                "tables": database.tables,
                "rows": database.rows,
            })
        });
        return put_json(&json!({
            "path": path.display().to_string(),
            "made_at": verified.manifest.made_at,
            "program": verified.manifest.program,
            "databases": databases.collect::<Vec<_>>(),
            "secrets_opened": verified.secrets_opened,
            "seconds": verified.seconds,
        }));
    }
    let manifest = &verified.manifest;
    let mut text = format!(
        "{} is sound: made {} by {}, restored and compared in {:.1} s.\n",
        path.display(),
        manifest.made_at,
        manifest.program,
        verified.seconds,
    );
    for database in &verified.databases {
        text.push_str(&format!(
            "  {} ({}): {} tables with {} rows, as backed up\n",
            database.name, database.engine, database.tables, database.rows,
        ));
    }
    text.push_str(match (manifest.keys.is_empty(), verified.secrets_opened) {
        (true, _) => "  no secrets are sealed in it\n",
        (false, true) => "  the key file opens the secrets in it\n",
        (false, false) => "  whether the secrets in it open was not tried: there is no key file\n",
    });
    put(&text)
}

pub(super) fn restored(restored: &Restored, json: bool) -> Result<(), Failure> {
    let configuration: Vec<String> =
        restored.configuration.iter().map(|path| path.display().to_string()).collect();
    let manifest = &restored.manifest;
    if json {
        return put_json(&json!({
            "made_at": manifest.made_at,
            "program": manifest.program,
            "epoch": restored.epoch,
            "staff_sessions_ended": restored.sessions_ended,
            "kept_aside": restored.aside,
            "configuration": configuration,
        }));
    }
    let mut text = format!("Restored to {}.\n", manifest.made_at);
    for aside in &restored.aside {
        text.push_str(&format!("  what was there is kept as {aside}\n"));
    }
    for path in &configuration {
        text.push_str(&format!("  {path} written\n"));
    }
    text.push_str(&format!("  {} staff sessions ended\n", restored.sessions_ended));
    text.push_str(
        "Next:
  1. Start the programs, and see `netctl status`: aaad loads the policy anew. If it refuses
     because there is much less than before: `netctl policy accept`.
  2. Accounting since the backup comes again by itself, as far as the journals keep it (72 h
     unless set otherwise), with the next records of each NAS.
  3. Look through what changed since the backup. Staff, API tokens, passwords and holds are as
     they were then: what was withdrawn after it is back.
  4. When all is well, remove what is kept aside.
",
    );
    put(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_say_them() {
        for (octets, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (3_200_000_000, "3.2 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(size(octets), text);
        }
    }
}
