//! One child process: started, watched, stopped, killed; its output kept in files.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::waiting::{PATIENCE, eventually};

/// Lines of each log shown when a test fails.
const TAIL_LINES: usize = 60;

/// A program of the workspace, with how to start it.
#[derive(Debug)]
pub struct Program {
    /// What the scenario calls it.
    pub name: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    directory: PathBuf,
    child: Option<Child>,
}

/// What a program that ran to its end said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; absent where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Where a program of the workspace was built: beside the test, which lies in `deps`.
///
/// # Panics
/// Where it is missing, with how to build it.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let directory = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is missing: run tests/run, or build it with `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// Runs a program of the workspace to its end.
pub fn run_to_end(name: &str, arguments: &[&str], environment: &[(String, OsString)]) -> Ended {
    let mut command = Command::new(binary(name));
    command.args(arguments).stdin(Stdio::null()).current_dir(workspace());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap_or_else(|error| panic!("run {name}: {error}"));
    let text = |bytes| String::from_utf8(bytes).expect("programs write UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Program {
    /// How to start it; output goes to `NAME.out` and `NAME.err` in `directory`.
    pub fn new(
        name: &'static str,
        directory: &Path,
        arguments: Vec<OsString>,
        environment: Vec<(String, OsString)>,
    ) -> Self {
        Self { name, arguments, environment, directory: directory.to_owned(), child: None }
    }

    /// Starts it; whether it works is for the caller to find out.
    ///
    /// It stays in the test's process group, so that what ends a stuck test ends it as well.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let child = Command::new(binary(self.name))
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(self.append("out"))
            .stderr(self.append("err"))
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", self.name));
        self.child = Some(child);
    }

    fn append(&self, extension: &str) -> File {
        let path = self.path(extension);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.unwrap_or_else(|error| panic!("open {}: {error}", path.display()))
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.name))
    }

    /// All it printed, over all its starts.
    pub fn printed(&self) -> String {
        read(&self.path("out"))
    }

    /// All it logged, over all its starts.
    pub fn log(&self) -> String {
        read(&self.path("err"))
    }

    /// The ends of both, for a test that fails.
    pub fn tail(&self) -> String {
        let mut text = String::new();
        for (what, content) in [("printed", self.printed()), ("logged", self.log())] {
            let lines: Vec<&str> = content.lines().collect();
            let from = lines.len().saturating_sub(TAIL_LINES);
            text.push_str(&format!("--- {} {what}:\n{}\n", self.name, lines[from..].join("\n")));
        }
        text
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        child.try_wait().expect("ask for a child's status")
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let name = self.name;
        let status = eventually(&format!("{name} ends after SIGTERM"), PATIENCE, || self.ended());
        self.child = None;
        status
    }

    /// Ends it at once (SIGKILL).
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill a child");
            child.wait().expect("reap a child");
        }
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name));
        let command = format!("kill -{signal} {}", child.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("run kill");
        assert!(status.success(), "{command}");
    }

    /// Whether it was started and has not been ended by us.
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it, waits until it has ended by itself, and returns what this start said.
    #[track_caller]
    pub fn start_in_vain(&mut self) -> Ended {
        let (printed, logged) = (self.printed().len(), self.log().len());
        self.start();
        let name = self.name;
        let status = eventually(&format!("{name} ends by itself"), PATIENCE, || self.ended());
        self.child = None;
        Ended {
            code: status.code(),
            stdout: self.printed().split_off(printed),
            stderr: self.log().split_off(logged),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already, and a panic here would hide another.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
