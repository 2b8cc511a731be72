//! The folder backups lie in: their names, which ones are there, and which may go.
//!
//! A backup is called `lastmile-20260301T093000Z.backup`, after the second it was begun (UTC).
//! Files with other names are nobody's business here: they are not listed and never removed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::Ts;

use crate::manifest::Header;
use crate::{BackupError, archive};

const BEGIN: &str = "lastmile-";
const END: &str = ".backup";
/// Behind the name while it is written.
const PARTIAL: &str = ".partial";

/// A backup that is there.
#[derive(Debug)]
pub struct Listed {
    /// Where.
    pub path: PathBuf,
    /// When it was begun, by its name.
    pub made_at: Ts,
    /// How long the file is.
    pub octets: u64,
    /// What it says of itself, or why it cannot be asked.
    pub header: Result<Header, BackupError>,
}

/// Which backups are kept; of each day, ISO week and month (UTC), the newest one counts.
///
/// Nothing set: all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// This many of the newest.
    pub newest: usize,
    /// The last of this many days that have one.
    pub daily: usize,
    /// The last of this many weeks that have one.
    pub weekly: usize,
    /// The last of this many months that have one.
    pub monthly: usize,
}

/// The name of a backup begun then.
pub fn name_of(made_at: Ts) -> String {
    format!("{BEGIN}{}{END}", stamp(made_at))
}

/// `20260301T093000Z`.
pub(crate) fn stamp(at: Ts) -> String {
    civil(at).strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn civil(at: Ts) -> DateTime {
    // Out of range (before the year -9999, after 9999): no clock shows that.
    let instant = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default();
    instant.to_zoned(TimeZone::UTC).datetime()
}

fn made_at(name: &str) -> Option<Ts> {
    let stamp = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    let at = Ts::from_seconds(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second());
    // One spelling each.
    (name_of(at) == name).then_some(at)
}

/// The backups in a folder, the newest first.
pub fn list(folder: &Path) -> Result<Vec<Listed>, BackupError> {
    let failed = || BackupError::io("cannot read", folder);
    let mut listed = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let Some(made_at) = entry.file_name().to_str().and_then(made_at) else { continue };
        let metadata = match entry.metadata() {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => continue,
            // Removed while we look.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed()(error)),
        };
        let path = entry.path();
        let header = archive::read_header(&path);
        listed.push(Listed { path, made_at, octets: metadata.len(), header });
    }
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.made_at));
    Ok(listed)
}

/// Removes the backups that need not be kept; returns them. One whose header does not read is
/// left alone: it neither counts nor goes.
pub fn prune(folder: &Path, keep: Keep) -> Result<Vec<PathBuf>, BackupError> {
    let sound: Vec<Listed> =
        list(folder)?.into_iter().filter(|listed| listed.header.is_ok()).collect();
    let times: Vec<Ts> = sound.iter().map(|listed| listed.made_at).collect();
    let kept = kept(&times, keep);
    let mut removed = Vec::new();
    for listed in sound.into_iter().filter(|listed| !kept.contains(&listed.made_at)) {
        fs::remove_file(&listed.path).map_err(BackupError::io("cannot remove", &listed.path))?;
        removed.push(listed.path);
    }
    Ok(removed)
}

/// Which of these, the newest first, are kept.
fn kept(times: &[Ts], keep: Keep) -> BTreeSet<Ts> {
    if keep == Keep::default() {
        return times.iter().copied().collect();
    }
    // The newest one always: a rule of monthly ones alone must not remove what was just made.
    let mut kept: BTreeSet<Ts> = times.iter().take(keep.newest.max(1)).copied().collect();
    let day = |at: Ts| civil(at).date();
    let week = |at: Ts| {
        let week = day(at).iso_week_date();
        (week.year(), week.week())
    };
    let month = |at: Ts| (day(at).year(), day(at).month());
    kept.extend(newest_of(times, keep.daily, day));
    kept.extend(newest_of(times, keep.weekly, week));
    kept.extend(newest_of(times, keep.monthly, month));
    kept
}

/// The newest of each of the last `count` periods that have any.
fn newest_of<P: PartialEq>(times: &[Ts], count: usize, period: impl Fn(Ts) -> P) -> Vec<Ts> {
    let mut found: Vec<Ts> = Vec::new();
    for at in times {
        if found.len() == count {
            break;
        }
        if found.last().is_none_or(|last| period(*last) != period(*at)) {
            found.push(*at);
        }
    }
    found
}

/// Where a backup is written until it is whole. It is ours: its lock is held.
pub(crate) struct Place {
    pub(crate) partial: PathBuf,
    pub(crate) path: PathBuf,
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Takes the place for a backup begun now; what an earlier one left half-written goes.
    pub(crate) fn take(folder: &Path, now: Ts) -> Result<Self, BackupError> {
        let failed = |path: &Path| BackupError::io("cannot use", path);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let lock_path = folder.join(".lastmile-backup.lock");
        let lock = lock(&lock_path)?;
        let entries = fs::read_dir(folder).map_err(failed(folder))?;
        for entry in entries {
            let entry = entry.map_err(failed(folder))?;
            let name = entry.file_name();
            // Under the lock nobody writes one.
            let left = name.to_str().and_then(|name| name.strip_suffix(PARTIAL)).and_then(made_at);
            if left.is_some() {
                let path = entry.path();
                tracing::warn!(path = %path.display(), "removing what an earlier backup left");
                fs::remove_file(&path).map_err(BackupError::io("cannot remove", &path))?;
            }
        }
        let path = folder.join(name_of(now));
        if path.try_exists().map_err(failed(&path))? {
            return Err(BackupError::Exists(path));
        }
        let mut partial = path.clone().into_os_string();
        partial.push(PARTIAL);
        Ok(Self { partial: partial.into(), path, folder: folder.to_owned(), _lock: lock })
    }

    /// Gives the whole file its name, for good.
    pub(crate) fn finish(&self) -> Result<(), BackupError> {
        let failed = || BackupError::io("cannot write", &self.path);
        fs::rename(&self.partial, &self.path).map_err(failed())?;
        sync_folder(&self.folder)
    }
}

impl Drop for Place {
    /// What is not whole goes; after [`Place::finish`] there is nothing of that name.
    fn drop(&mut self) {
        match fs::remove_file(&self.partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.partial.display(), %error, "half a backup is left");
            }
            _ => {}
        }
    }
}

/// Makes the file, for its owner alone, and takes its lock.
pub(crate) fn lock(path: &Path) -> Result<File, BackupError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(BackupError::io("cannot use", path))?;
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => BackupError::UnderWay(path.to_owned()),
        fs::TryLockError::Error(source) => BackupError::io("cannot lock", path)(source),
    })?;
    Ok(file)
}

/// Makes the names in a folder last.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    let failed = || BackupError::io("cannot sync", folder);
    File::open(folder).map_err(failed())?.sync_all().map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ts {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_says_when() {
        let time = at("2026-03-01T09:30:05.999Z");
        assert_eq!(name_of(time), "lastmile-20260301T093005Z.backup");
        assert_eq!(made_at("lastmile-20260301T093005Z.backup"), Some(at("2026-03-01T09:30:05Z")));
        for other in [
            "lastmile-20260301T093005Z.backup.partial",
            "lastmile-20260231T093005Z.backup",
            "lastmile-2026-03-01.backup",
            "lastmile-20260301T093005.backup",
            "other.backup",
            ".lastmile-backup.lock",
        ] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }

    /// One each day at noon and one in the evening, up to and with that day; newest first.
    fn twice_a_day(last: &str, days: i64) -> Vec<Ts> {
        let evening = at(&format!("{last}T20:00:00Z"));
        (0..days)
            .flat_map(|day| {
                [
                    evening.plus_seconds(-day * 86_400),
                    evening.plus_seconds(-day * 86_400 - 8 * 3600),
                ]
            })
            .collect()
    }

    #[test]
    fn of_each_day_week_and_month_the_newest_stays() {
        // 2026-03-18 is a Wednesday.
        let times = twice_a_day("2026-03-18", 90);
        let kept = kept(&times, Keep { newest: 3, daily: 4, weekly: 3, monthly: 3 });
        let shown: Vec<String> = kept.iter().rev().map(|at| stamp(*at)).collect();
        assert_eq!(
            shown,
            [
                "20260318T200000Z", // newest, day, week and month
                "20260318T120000Z", // newest
                "20260317T200000Z", // newest, day
                "20260316T200000Z", // day
                "20260315T200000Z", // day, and Sunday of the week before
                "20260308T200000Z", // week
                "20260228T200000Z", // month
                "20260131T200000Z", // month
            ]
        );
    }

    #[test]
    fn without_a_rule_all_stay_and_with_one_the_newest_always_does() {
        let times = twice_a_day("2026-03-18", 2);
        assert_eq!(kept(&times, Keep::default()).len(), 4);
        let one = kept(&times, Keep { newest: 1, ..Keep::default() });
        assert_eq!(one.into_iter().collect::<Vec<_>>(), [times[0]]);
        let monthly = kept(&times, Keep { monthly: 5, ..Keep::default() });
        assert_eq!(monthly.into_iter().collect::<Vec<_>>(), [times[0]]);
    }

    #[test]
    fn a_place_is_taken_once_and_half_a_backup_goes() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("a/b");
        let now = at("2026-03-01T09:30:05Z");
        let place = Place::take(&folder, now).unwrap();
        assert!(matches!(Place::take(&folder, now), Err(BackupError::UnderWay(_))));
        fs::write(&place.partial, "half").unwrap();
        drop(place);
        assert!(!folder.join("lastmile-20260301T093005Z.backup.partial").exists());

        // A killed one left its half.
        let left = folder.join("lastmile-20260301T083005Z.backup.partial");
        fs::write(&left, "half").unwrap();
        let place = Place::take(&folder, now).unwrap();
        assert!(!left.exists());
        fs::write(&place.partial, "whole").unwrap();
        place.finish().unwrap();
        drop(place);
        assert_eq!(fs::read(folder.join("lastmile-20260301T093005Z.backup")).unwrap(), b"whole");
        assert!(matches!(Place::take(&folder, now), Err(BackupError::Exists(_))));
    }

    #[test]
    fn strangers_and_damaged_files_are_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["lastmile-20260101T000000Z.backup", "notes.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let removed = prune(folder.path(), Keep { newest: 1, ..Keep::default() }).unwrap();
        assert!(removed.is_empty());
        let listed = list(folder.path()).unwrap();
        assert_eq!(listed.len(), 1);
        assert!(matches!(listed[0].header, Err(BackupError::NotABackup(_))));
    }
}
