//! Hooks that are programs on this machine.
//!
//! They are listed in one file that the configuration names, and nowhere else: no API call and
//! no row of the database makes this machine run anything. File and programs, and every
//! directory and link on the way to them, must belong to root or to the user this runs as, and
//! be writable by nobody else.
//!
//! A program is started without a shell, with an empty environment, in a process group of its
//! own. It finds the event as JSON on its standard input. At its time limit the group is
//! killed. Exit code 0 is success.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use daemon::secrets::sha256;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use uuid::Uuid;

use super::{filter, schedule};

/// How much of what a program says is kept, octets, of each of its two outputs.
const OUTPUT_OCTETS_KEPT: usize = 4 * 1024;
/// How long a killed program may take to go.
const DEATH: Duration = Duration::from_secs(5);
/// Links followed on the way to a file.
const LINKS_MAX: usize = 40;
/// Programs in one file at most.
const PROGRAMS_MAX: usize = 100;

/// Why the list of programs is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// It cannot be looked at.
    #[error("cannot read {}", path.display())]
    Read {
        /// What was looked at.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else could change it.
    #[error("{} {reason}: whoever can change it decides what runs here", path.display())]
    Untrusted {
        /// What was looked at.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Its text is wrong.
    #[error("{} does not read", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// An entry is wrong.
    #[error("hook \"{name}\": {detail}")]
    Entry {
        /// The entry.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(default)]
    hook: Vec<Entry>,
}

/// One program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    events: Vec<String>,
    run: Vec<String>,
    #[serde(default = "timeout_s")]
    timeout_s: u64,
    #[serde(default = "attempts_max")]
    attempts_max: i64,
}

const fn timeout_s() -> u64 {
    30
}

const fn attempts_max() -> i64 {
    3
}

/// Longest time limit, seconds.
const TIMEOUT_S_MAX: u64 = 600;

/// A program that hears of events.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Derived from the name, so that every start and every process has the same.
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) events: Vec<String>,
    /// The program, absolute, and its arguments.
    pub(crate) run: Vec<String>,
    pub(crate) timeout_s: u64,
    pub(crate) attempts_max: i64,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The exit code, where it ended by itself.
    pub(crate) code: Option<i64>,
    /// What went wrong, in a few words.
    pub(crate) error: Option<String>,
    /// The beginnings of what it said.
    pub(crate) output: Vec<u8>,
    /// Whether it said more.
    pub(crate) truncated: bool,
}

/// Reads the list.
pub(crate) fn load(path: &Path, kinds: &[String]) -> Result<Vec<Program>, ProgramError> {
    let file = trusted(path)?;
    let text = fs::read_to_string(&file)
        .map_err(|source| ProgramError::Read { path: file.clone(), source })?;
    let listed: Listed = toml::from_str(&text)
        .map_err(|source| ProgramError::Text { path: file.clone(), source: Box::new(source) })?;
    let mut names = HashSet::new();
    let mut programs = Vec::new();
    for entry in listed.hook {
        let wrong = |detail: String| ProgramError::Entry { name: entry.name.clone(), detail };
        if entry.name.is_empty() || entry.name.len() > 60 || entry.name.contains(char::is_control) {
            return Err(wrong("the name has 1 to 60 characters".to_owned()));
        }
        if !names.insert(entry.name.clone()) {
            return Err(wrong("there are two with this name".to_owned()));
        }
        if programs.len() >= PROGRAMS_MAX {
            return Err(wrong(format!("there are more than {PROGRAMS_MAX}")));
        }
        if entry.events.is_empty() {
            return Err(wrong("events is empty: name one, or \"*\"".to_owned()));
        }
        for pattern in &entry.events {
            filter::check(pattern, kinds).map_err(&wrong)?;
        }
        if !(1..=TIMEOUT_S_MAX).contains(&entry.timeout_s) {
            return Err(wrong(format!("timeout_s is from 1 to {TIMEOUT_S_MAX}")));
        }
        if !(1..=schedule::ATTEMPTS_MAX).contains(&entry.attempts_max) {
            return Err(wrong(format!("attempts_max is from 1 to {}", schedule::ATTEMPTS_MAX)));
        }
        let Some(program) = entry.run.first().filter(|program| program.starts_with('/')) else {
            return Err(wrong("run begins with the absolute path of a program".to_owned()));
        };
        runnable(Path::new(program))?;
        programs.push(Program {
            id: id_of(&entry.name),
            name: entry.name,
            events: entry.events,
            run: entry.run,
            timeout_s: entry.timeout_s,
            attempts_max: entry.attempts_max,
        });
    }
    Ok(programs)
}

/// The id of the program with this name.
fn id_of(name: &str) -> Uuid {
    let mut octets = [0; 16];
    octets.copy_from_slice(&sha256(format!("cli:{name}").as_bytes())[..16]);
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}

/// A program that may be run: trusted, and a file that can be executed.
fn runnable(path: &Path) -> Result<PathBuf, ProgramError> {
    let file = trusted(path)?;
    let found =
        fs::metadata(&file).map_err(|source| ProgramError::Read { path: file.clone(), source })?;
    if !found.is_file() || found.mode() & 0o111 == 0 {
        return Err(ProgramError::Untrusted { path: file, reason: "is not a program" });
    }
    Ok(file)
}

/// Where a path leads, if nobody but root and this user can change where that is and what is
/// there: each step from the root on is looked at, links too.
fn trusted(path: &Path) -> Result<PathBuf, ProgramError> {
    let us = geteuid().as_raw();
    let mut ahead: Vec<OsString> = Vec::new();
    let mut links = 0;
    let mut at = PathBuf::from("/");
    let push = |ahead: &mut Vec<OsString>, path: &Path| {
        let steps: Vec<OsString> = path
            .components()
            .filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir))
            .map(|c| c.as_os_str().to_owned())
            .collect();
        ahead.extend(steps.into_iter().rev());
    };
    let absolute = std::path::absolute(path)
        .map_err(|source| ProgramError::Read { path: path.to_owned(), source })?;
    push(&mut ahead, &absolute);
    check(&at, us)?;
    while let Some(step) = ahead.pop() {
        if step == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&step);
        let found = check(&next, us)?;
        if found.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(ProgramError::Untrusted { path: next, reason: "is a ring of links" });
            }
            let target = fs::read_link(&next)
                .map_err(|source| ProgramError::Read { path: next.clone(), source })?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            push(&mut ahead, &target);
        } else {
            at = next;
        }
    }
    Ok(at)
}

fn check(path: &Path, us: u32) -> Result<fs::Metadata, ProgramError> {
    let found = fs::symlink_metadata(path)
        .map_err(|source| ProgramError::Read { path: path.to_owned(), source })?;
    let untrusted = |reason| ProgramError::Untrusted { path: path.to_owned(), reason };
    if found.uid() != 0 && found.uid() != us {
        return Err(untrusted("belongs to another user"));
    }
    // In a sticky directory nobody replaces what others own, and each step's owner is checked.
    // A link's own mode means nothing.
    let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
    if found.mode() & 0o022 != 0 && !sticky && !found.is_symlink() {
        return Err(untrusted("is writable by others"));
    }
    Ok(found)
}

/// Ends a process group when dropped, unless its leader was waited for before.
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group that a child leads which was started in one of its own.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Its leader was waited for: its number may be a stranger's by now.
    pub(crate) fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.take() {
            // That it is gone already is what was wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Program {
    /// Runs it for an event.
    pub(crate) async fn run(&self, kind: &str, id: &str, body: &str) -> Ran {
        match self.start(kind, id, body).await {
            Ok(ran) => ran,
            Err(error) => Ran {
                code: None,
                error: Some(daemon::exit::chain(&error)),
                output: Vec::new(),
                truncated: false,
            },
        }
    }

    async fn start(&self, kind: &str, id: &str, body: &str) -> Result<Ran, ProgramError> {
        // Looked at again: it may have been replaced since the start.
        let program = runnable(Path::new(&self.run[0]))?;
        let failed = |source| ProgramError::Read { path: program.clone(), source };
        let mut child = Command::new(&program)
            .args(&self.run[1..])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LASTMILE_EVENT", kind)
            .env("LASTMILE_EVENT_ID", id)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut group = Group::of(&child);
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut said, mut complained) = (Said::default(), Said::default());
        let limit = Duration::from_secs(self.timeout_s);
        // The leader is waited for last: until then its number is its own, and killing the
        // group cannot meet a stranger.
        let ended = timeout(limit, async {
            let feed = async {
                if let Some(mut input) = input {
                    // A program may end without reading.
                    let _ = input.write_all(body.as_bytes()).await;
                }
            };
            tokio::join!(feed, said.listen(out), complained.listen(err));
            child.wait().await
        })
        .await;
        let (code, error) = match ended {
            Ok(status) => {
                group.ended();
                let status = status.map_err(failed)?;
                let code = status.code().map(i64::from);
                let error = (!status.success()).then(|| match code {
                    Some(code) => format!("it ended with exit code {code}"),
                    None => "it was killed by a signal".to_owned(),
                });
                (code, error)
            }
            Err(_) => {
                drop(group);
                let _ = timeout(DEATH, child.wait()).await;
                (None, Some(format!("it was killed after {} s", self.timeout_s)))
            }
        };
        let truncated = said.more || complained.more;
        said.kept.append(&mut complained.kept);
        Ok(Ran { code, error, output: said.kept, truncated })
    }
}

/// What a program says on one of its outputs.
#[derive(Default)]
struct Said {
    kept: Vec<u8>,
    more: bool,
}

impl Said {
    /// Listens to the end. What is too much is read all the same, so that the program is not
    /// held up.
    async fn listen(&mut self, source: Option<impl AsyncRead + Unpin>) {
        let Some(mut source) = source else { return };
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = source.read(&mut buffer).await {
            let room = OUTPUT_OCTETS_KEPT - self.kept.len();
            self.kept.extend_from_slice(&buffer[..read.min(room)]);
            self.more |= read > room;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::time::Instant;

    use super::*;

    fn kinds() -> Vec<String> {
        vec!["customer.created".to_owned()]
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A program of this text.
    fn program(directory: &Path, script: &str, timeout_s: u64) -> Program {
        let path = directory.join("script");
        write(&path, &format!("#!/bin/sh\n{script}\n"), 0o755);
        let run = vec![path.display().to_string(), "first argument".to_owned()];
        let name = "script".to_owned();
        Program { id: id_of(&name), name, events: vec![], run, timeout_s, attempts_max: 1 }
    }

    fn list(directory: &Path, text: &str) -> Result<Vec<Program>, ProgramError> {
        let path = directory.join("hooks.toml");
        write(&path, text, 0o644);
        load(&path, &kinds())
    }

    #[test]
    fn the_list_is_read_and_every_mistake_is_named() {
        let home = tempfile::tempdir().unwrap();
        let good =
            "[[hook]]\nname = \"log\"\nevents = [\"customer.*\"]\nrun = [\"/bin/cat\", \"-\"]";
        let programs = list(home.path(), good).unwrap();
        assert_eq!((programs[0].name.as_str(), programs[0].timeout_s), ("log", 30));
        assert_eq!(programs[0].id, id_of("log"));
        assert_eq!(list(home.path(), "").unwrap().len(), 0);
        for (text, wanted) in [
            (good.replace("/bin/cat", "cat"), "absolute"),
            (good.replace("customer.*", "dog.*"), "dog"),
            (good.replace("[\"customer.*\"]", "[]"), "events is empty"),
            (good.replace("/bin/cat", "/bin/no-such-program"), "no-such-program"),
            (good.replace("/bin/cat", "/bin"), "is not a program"),
            (format!("{good}\ntimeout_s = 0"), "timeout_s"),
            (format!("{good}\nattempts_max = 99"), "attempts_max"),
            (format!("{good}\nshell = true"), "shell"),
            (format!("{good}\n{good}"), "two"),
            ("hook = 7".to_owned(), "does not read"),
        ] {
            let error = daemon::exit::chain(&list(home.path(), &text).unwrap_err());
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn what_others_can_change_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path();
        let file = place.join("hooks.toml");
        let reason = |path: &Path| daemon::exit::chain(&load(path, &kinds()).unwrap_err());
        for mode in [0o664, 0o646, 0o666] {
            write(&file, "", mode);
            assert!(reason(&file).contains("writable by others"), "{mode:o}: {}", reason(&file));
        }
        write(&file, "", 0o644);
        assert!(load(&file, &kinds()).is_ok());
        // A link is followed, and where it leads is looked at.
        let link = place.join("link.toml");
        symlink("hooks.toml", &link).unwrap();
        assert!(load(&link, &kinds()).is_ok());
        let open = place.join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        write(&open.join("hooks.toml"), "", 0o644);
        assert!(reason(&open.join("hooks.toml")).contains("writable by others"));
        let inward = place.join("inward.toml");
        symlink("open/hooks.toml", &inward).unwrap();
        assert!(reason(&inward).contains("writable by others"));
        // A directory that is a link in an open directory: whoever can turn it chooses the file.
        symlink(place, open.join("home")).unwrap();
        assert!(reason(&open.join("home/hooks.toml")).contains("writable by others"));
        let ring = place.join("ring");
        symlink("ring", &ring).unwrap();
        assert!(reason(&ring).contains("ring of links"));
        assert!(reason(&place.join("absent")).contains("cannot read"));
        // Only root can give a file away.
        if chown(&file, Some(65_534), None).is_ok() {
            assert!(reason(&file).contains("another user"), "{}", reason(&file));
        }
    }

    #[tokio::test]
    async fn a_program_gets_the_event_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let script =
            r#"cat; echo " $1 $LASTMILE_EVENT $LASTMILE_EVENT_ID"; env | wc -l; pwd; echo bad >&2"#;
        let ran = program(home.path(), script, 10).run("customer.created", "evt_1", "{}").await;
        let output = String::from_utf8(ran.output).unwrap();
        assert!(output.starts_with("{} first argument customer.created evt_1\n"), "{output}");
        assert!(output.ends_with("\n/\nbad\n"), "{output}");
        // PATH, the event's two, and what the shell adds of its own (PWD, SHLVL, _).
        let count: usize = output.lines().nth(1).unwrap().trim().parse().unwrap();
        assert!(count <= 6, "{output}");
        assert_eq!((ran.code, ran.error, ran.truncated), (Some(0), None, false));
    }

    #[tokio::test]
    async fn exit_codes_floods_and_absence_are_told() {
        let home = tempfile::tempdir().unwrap();
        let ran = program(home.path(), "echo no; exit 7", 10).run("a.b", "evt_1", "{}").await;
        assert_eq!((ran.code, ran.output.as_slice()), (Some(7), &b"no\n"[..]));
        assert_eq!(ran.error.as_deref(), Some("it ended with exit code 7"));
        let flood = "head -c 1000000 /dev/zero; exec 0<&-";
        let ran = program(home.path(), flood, 10).run("a.b", "evt_1", &"x".repeat(200_000)).await;
        assert_eq!(
            (ran.code, ran.output.len(), ran.truncated),
            (Some(0), OUTPUT_OCTETS_KEPT, true)
        );
        let gone = program(home.path(), "true", 10);
        fs::remove_file(home.path().join("script")).unwrap();
        let ran = gone.run("a.b", "evt_1", "{}").await;
        assert!(ran.error.unwrap().contains("cannot read"));
        let open = program(home.path(), "true", 10);
        let mode = fs::Permissions::from_mode(0o777);
        fs::set_permissions(home.path().join("script"), mode).unwrap();
        let ran = open.run("a.b", "evt_1", "{}").await;
        assert!(ran.error.unwrap().contains("writable by others"));
    }

    #[tokio::test]
    async fn at_the_time_limit_all_of_it_is_killed() {
        let home = tempfile::tempdir().unwrap();
        // The child of the program keeps the pipes open; killing the program alone would not
        // end it.
        let script = format!("sleep 600 & echo $! > {}; wait", home.path().join("pid").display());
        let began = Instant::now();
        let ran = program(home.path(), &script, 1).run("a.b", "evt_1", "{}").await;
        assert_eq!(ran.error.as_deref(), Some("it was killed after 1 s"));
        assert!(began.elapsed() < Duration::from_secs(5));
        let pid = fs::read_to_string(home.path().join("pid")).unwrap();
        // It is nobody's child here, so its end is no event: killed, it is gone in a moment, or
        // still there for as long as nobody collects it.
        let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !(state().is_empty() || state().contains(") Z ")) {
            assert!(Instant::now() < deadline, "{}", state());
            std::thread::yield_now();
        }
    }
}
