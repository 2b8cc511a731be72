//! Exit codes, and the one line on stderr that goes with them.

use std::error::Error;

/// Done, or stopped when asked to.
pub const DONE: u8 = 0;

/// Failed while running: trying again may help.
pub const FAILED: u8 = 1;

/// Could not start: usage, settings, a port in use, a missing permission, data written by a
/// newer program. Trying again without a change does not help.
pub const CANNOT_START: u8 = 2;

/// The error and its causes in one line, joined by `: `.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    // Some libraries spread their errors over lines.
    if line.contains('\n') {
        line =
            line.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
    }
    line
}

/// Prints `PROGRAM: error: cause: …` to stderr.
pub fn report(program: &str, error: &dyn Error) {
    eprintln!("{program}: {}", chain(error));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not open the journal")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("disk is full\n  at /var\n")]
    struct Inner;

    #[test]
    fn an_error_and_its_causes_are_one_line() {
        assert_eq!(chain(&Outer(Inner)), "could not open the journal: disk is full at /var");
    }
}
