//! `pg_dump` and `pg_restore`, run so that no password is in their arguments.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::Secret;

use crate::BackupError;

const PG_DUMP: &str = "pg_dump";
const PG_RESTORE: &str = "pg_restore";
const HINT: &str = "Debian: postgresql-client";

/// How long `pg_dump` waits for another program's lock on a table, milliseconds.
const LOCK_WAIT_MS: &str = "60000";
/// A dump from which nothing came for so long is given up.
const DUMP_STALL: Duration = Duration::from_secs(600);
/// The same for a restore, which may build an index over a large table for a long time.
const RESTORE_STALL: Duration = Duration::from_secs(6 * 3600);
/// How much of what a program says on stderr is kept, octets.
const SAID_MAX: usize = 2000;
/// How often a stalled program is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Parameters of a URL that libpq knows as well; those of our driver alone mean nothing to it.
const PARAMETERS: [&str; 10] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
];

/// A URL in the two halves a program of Postgres gets.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// Without the password: an argument may show it.
    url: String,
    /// For the environment.
    password: Option<Secret<String>>,
}

impl Address {
    /// Takes `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…` apart.
    pub(crate) fn parse(database: &'static str, url: &Secret<String>) -> Result<Self, BackupError> {
        let fault = |reason: String| BackupError::Url { database, reason };
        let (scheme, rest) = url
            .expose()
            .split_once("://")
            .ok_or_else(|| fault("is not postgres://…".to_owned()))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let mut password = None;
        let mut out = format!("{scheme}://");
        if let Some(user) = user {
            let (name, secret) = match user.split_once(':') {
                Some((name, secret)) => (name, Some(secret)),
                None => (user, None),
            };
            password = secret.map(str::to_owned);
            out.push_str(name);
            out.push('@');
        }
        out.push_str(host);
        out.push('/');
        out.push_str(path);
        let mut separator = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Our driver takes both spellings.
            let key = match key {
                "ssl-mode" => "sslmode",
                "ssl-root-cert" | "ssl-ca" => "sslrootcert",
                "ssl-cert" => "sslcert",
                "ssl-key" => "sslkey",
                key => key,
            };
            if key == "password" {
                password = Some(value.to_owned());
            } else if PARAMETERS.contains(&key) {
                out.push(separator);
                out.push_str(&format!("{key}={value}"));
                separator = '&';
            }
        }
        let password = match password {
            Some(text) => {
                let plain = percent_decoded(&text);
                Some(plain.ok_or_else(|| fault("its password is not percent-encoded".to_owned()))?)
            }
            None => None,
        };
        Ok(Self { url: out, password: password.map(Secret::new) })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["--no-password", "--dbname", &self.url]);
        command.env("PGCONNECT_TIMEOUT", "10").env("PGAPPNAME", "lastmile backup");
        // Messages in one language, whatever the operator's.
        command.env("LC_MESSAGES", "C");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password.expose());
        }
        command
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        octets.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(octets).ok()
}

/// The URL with another database in its path.
pub(crate) fn with_database(url: &Secret<String>, name: &str) -> Secret<String> {
    let url = url.expose();
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let query = url.find('?').map_or("", |at| &url[at..]);
    Secret::new(format!("{}/{name}{query}", &url[..end]))
}

/// The major version of `pg_dump`, which must not be older than the server.
pub(crate) fn pg_dump_version(server: u32) -> Result<u32, BackupError> {
    let found = version(PG_DUMP)?;
    not_older(PG_DUMP, found, "the server", server)
}

/// The same of `pg_restore`, which must not be older than the `pg_dump` that wrote the part.
pub(crate) fn pg_restore_version(pg_dump: u32) -> Result<u32, BackupError> {
    let found = version(PG_RESTORE)?;
    not_older(PG_RESTORE, found, "the pg_dump that wrote the backup", pg_dump)
}

fn not_older(
    program: &'static str,
    found: u32,
    with: &'static str,
    wanted: u32,
) -> Result<u32, BackupError> {
    match found >= wanted {
        true => Ok(found),
        false => Err(BackupError::OldTool { program, found, with, wanted }),
    }
}

fn version(program: &'static str) -> Result<u32, BackupError> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|source| BackupError::NoTool { program, hint: HINT, source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    major(&text).ok_or_else(|| BackupError::Tool { program, said: text.trim().to_owned() })
}

/// The 15 of `pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`, also of `17devel`.
fn major(text: &str) -> Option<u32> {
    let number = text.split_once(") ")?.1;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Dumps one schema as of an exported snapshot; gives the output to `take`.
pub(crate) fn dump(
    address: &Address,
    schema: &str,
    snapshot: &str,
    take: &mut dyn FnMut(&mut dyn Read) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut command = address.command(PG_DUMP);
    command.args(["--format=custom", "--no-owner", "--no-privileges"]);
    // A name of ours: no pattern.
    command.args(["--schema", schema, "--snapshot", snapshot, "--lock-wait-timeout", LOCK_WAIT_MS]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(PG_DUMP, &mut command, DUMP_STALL)?;
    let Some(output) = running.child.stdout.take() else {
        return Err(BackupError::Tool { program: PG_DUMP, said: "it has no output".to_owned() });
    };
    let taken = take(&mut Counted { inner: output, moved: running.moved.clone() });
    // Whatever it was, `pg_dump` may have said why.
    running.end(taken.is_err())?;
    taken
}

/// Restores a dump that comes from `from`, all of it or nothing.
pub(crate) fn restore(address: &Address, from: &mut dyn Read) -> Result<(), BackupError> {
    let mut command = address.command(PG_RESTORE);
    command.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running::start(PG_RESTORE, &mut command, RESTORE_STALL)?;
    let copied = match running.child.stdin.take() {
        Some(input) => {
            let mut input = Counted { inner: input, moved: running.moved.clone() };
            // Dropping the input behind it is the end of the file.
            io::copy(from, &mut input).map(drop)
        }
        None => Ok(()),
    };
    match copied {
        // It stopped reading: it says why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => running.end(false),
        Err(error) => {
            running.end(true)?;
            Err(BackupError::io("cannot read", std::path::Path::new("the backup"))(error))
        }
        Ok(()) => running.end(false),
    }
}

/// A program under way; it is ended where nothing moves any more.
struct Running {
    program: &'static str,
    child: Child,
    moved: Arc<AtomicU64>,
    said: JoinHandle<String>,
    stall: Duration,
}

impl Running {
    fn start(
        program: &'static str,
        command: &mut Command,
        stall: Duration,
    ) -> Result<Self, BackupError> {
        let child = command.spawn();
        let mut child =
            child.map_err(|source| BackupError::NoTool { program, hint: HINT, source })?;
        let stderr = child.stderr.take();
        // Read beside the data: a full pipe would stop it.
        let said = std::thread::spawn(move || stderr.map(tail).unwrap_or_default());
        let moved = Arc::new(AtomicU64::new(0));
        let running = Self { program, child, moved, said, stall };
        running.watch();
        Ok(running)
    }

    /// Ends it where nothing moved for too long. The thread ends with the program.
    fn watch(&self) {
        let (pid, moved, stall) = (self.child.id(), Arc::downgrade(&self.moved), self.stall);
        let program = self.program;
        std::thread::spawn(move || {
            let (mut last, mut since) = (0, Instant::now());
            // The counter goes with `Running`, right after the process was waited for.
            while let Some(counter) = moved.upgrade() {
                let now = counter.load(Ordering::Relaxed);
                if now != last {
                    (last, since) = (now, Instant::now());
                } else if since.elapsed() > stall {
                    tracing::error!(program, "nothing moved for too long: ending it");
                    let _ = Command::new("kill").arg(pid.to_string()).status();
                    return;
                }
                drop(counter);
                // A pipe tells of octets that come and never of those that do not.
                std::thread::sleep(LOOK);
            }
        });
    }

    /// Waits for it. `kill`: what it does is not wanted any more.
    fn end(mut self, kill: bool) -> Result<(), BackupError> {
        let program = self.program;
        drop(self.child.stdout.take());
        drop(self.child.stdin.take());
        if kill {
            // It may have ended by itself.
            let _ = self.child.kill();
        }
        let status = self.child.wait().map_err(|source| BackupError::Io {
            doing: "cannot wait for",
            path: program.into(),
            source,
        })?;
        let said = self.said.join().unwrap_or_default();
        match status.success() || (kill && said.is_empty()) {
            true => Ok(()),
            false if said.is_empty() => {
                Err(BackupError::Tool { program, said: status.to_string() })
            }
            false => Err(BackupError::Tool { program, said }),
        }
    }
}

/// The end of what it says.
fn tail(mut from: impl Read) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut block = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut block) {
        kept.extend_from_slice(&block[..read]);
        let excess = kept.len().saturating_sub(SAID_MAX);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// Counts what passes.
struct Counted<T> {
    inner: T,
    moved: Arc<AtomicU64>,
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(octets)?;
        self.moved.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(octets)?;
        self.moved.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_reaches_the_arguments() {
        for (url, shown, password) in [
            ("postgres://u:p%40ss@h:5432/x", "postgres://u@h:5432/x", Some("p@ss")),
            (
                "postgres://u@h/x?password=hush&sslmode=require",
                "postgres://u@h/x?sslmode=require",
                Some("hush"),
            ),
            (
                "postgres:///x?host=/run/pg&statement-cache-capacity=7",
                "postgres:///x?host=/run/pg",
                None,
            ),
            ("postgresql://h", "postgresql://h/", None),
            ("postgres://u:a:b@c@h/x", "postgres://u@h/x", Some("a:b@c")),
        ] {
            let address = Address::parse("billing", &url.into()).unwrap();
            assert_eq!(address.url, shown);
            let found = address.password.as_ref().map(|secret| secret.expose().as_str());
            assert_eq!(found, password);
            let command = address.command(PG_DUMP);
            for argument in command.get_args() {
                let argument = argument.to_str().unwrap();
                assert!(!password.is_some_and(|p| argument.contains(p)), "{argument}");
            }
        }
        let bad = Address::parse("billing", &"postgres://u:%zz@h/x".into()).unwrap_err();
        assert!(!bad.to_string().contains("zz"), "{bad}");
    }

    #[test]
    fn versions_are_read_and_an_older_tool_is_refused() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some(15));
        assert_eq!(major("pg_restore (PostgreSQL) 17devel"), Some(17));
        assert_eq!(major("something else"), None);
        let error = not_older(PG_DUMP, 14, "the server", 15).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pg_dump is version 14, and the server is version 15: install a newer pg_dump"
        );
        assert_eq!(not_older(PG_DUMP, 16, "the server", 15).unwrap(), 16);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_says_so() {
        assert!(matches!(version("pg_no_such_program"), Err(BackupError::NoTool { .. })));
        let address = Address::parse("billing", &"postgres://u@127.0.0.1:1/x".into()).unwrap();
        let error = dump(&address, "billing", "0-0-1", &mut |from| {
            io::copy(from, &mut io::sink()).unwrap();
            Ok(())
        });
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("pg_dump failed: ") && text.contains("127.0.0.1"), "{text}");
    }

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (url, wanted) in [
            ("postgres://u:p@h:5432/postgres", "postgres://u:p@h:5432/x"),
            ("postgres://u@h", "postgres://u@h/x"),
            ("postgres://h/?sslmode=disable", "postgres://h/x?sslmode=disable"),
        ] {
            assert_eq!(with_database(&url.into(), "x").expose(), wanted);
        }
    }
}
