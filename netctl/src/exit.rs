//! Exit codes, and failures on their way to one of them.

use std::error::Error;
use std::io::{self, Write};

pub(crate) use daemon::exit::{CANNOT_START, DONE};

/// The answer is no: not ready, refused, no such session.
pub(crate) const NO: u8 = 1;

/// The RADIUS server did not answer.
pub(crate) const NO_ANSWER: u8 = 3;

/// What `netctl --help` says of them.
pub(crate) const HELP: &str = "Exit codes:
  0  done; everything asked about is well
  1  the answer is no: not ready, refused, no live session; `up`: failed while running
  2  could not be done: arguments, settings, a port in use, a program that does not answer
  3  `radius test` and `radius compare` only: no answer, or none that could be believed
  4 to 7  `backup` only: see `netctl backup --help`

Data goes to stdout, trouble to stderr. Colours need a terminal and are off where NO_COLOR is set.";

/// Why a command ended without doing its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// What went wrong.
    pub(crate) error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// It could not be done.
    pub(crate) fn cannot(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code: CANNOT_START, error: error.into() }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::cannot(error)
    }
}

/// How a command ends: its exit code, or why it failed.
pub(crate) type Ended = Result<u8, Failure>;

/// Writes to stdout. A reader that has seen enough (`netctl sessions | head`) is no failure.
pub(crate) fn put(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value to stdout as JSON that people can read too.
pub(crate) fn put_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    put(&text)
}
