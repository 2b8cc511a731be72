//! Logins and passwords by number: `u%07d:p%07d`.

use std::fmt::Write;
use std::str::FromStr;

/// A text with a number in it: `%d`, or `%07d` with zeros before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    before: String,
    /// Digits at least.
    width: usize,
    after: String,
}

/// A login and a password for every number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logins {
    login: Pattern,
    password: Pattern,
}

/// Why a text is no pattern of logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LoginsError {
    #[error("must be LOGIN:PASSWORD, such as u%07d:p%07d")]
    Form,
    #[error("{0} needs exactly one number, such as %d or %07d")]
    Number(&'static str),
}

/// Longest number that is asked for: u64 has no more digits.
const WIDTH_MAX: usize = 20;

impl Pattern {
    fn parse(text: &str, what: &'static str) -> Result<Self, LoginsError> {
        let wrong = LoginsError::Number(what);
        let (before, rest) = text.split_once('%').ok_or(wrong)?;
        let (width, after) = rest.split_once('d').ok_or(wrong)?;
        let width = match width.strip_prefix('0') {
            Some(digits) => digits.parse().ok().filter(|width| *width <= WIDTH_MAX).ok_or(wrong)?,
            None if width.is_empty() => 0,
            None => return Err(wrong),
        };
        if after.contains('%') {
            return Err(wrong);
        }
        Ok(Self { before: before.to_owned(), width, after: after.to_owned() })
    }

    fn write(&self, number: u32, out: &mut String) {
        out.clear();
        // Writing to a string cannot fail.
        let _ = write!(out, "{}{number:0width$}{}", self.before, self.after, width = self.width);
    }
}

impl FromStr for Logins {
    type Err = LoginsError;

    fn from_str(text: &str) -> Result<Self, LoginsError> {
        let (login, password) = text.split_once(':').ok_or(LoginsError::Form)?;
        Ok(Self {
            login: Pattern::parse(login, "the login")?,
            password: Pattern::parse(password, "the password")?,
        })
    }
}

impl Logins {
    /// Writes login and password of a number.
    pub(super) fn write(&self, number: u32, login: &mut String, password: &mut String) {
        self.login.write(number, login);
        self.password.write(number, password);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_their_place_in_login_and_password() {
        let (mut login, mut password) = (String::new(), String::new());
        for (pattern, number, expected) in [
            ("u%07d:p%07d", 42, ("u0000042", "p0000042")),
            ("%d@isp:x", 7, ("", "")),
            ("a%d@isp:pass:%03dword", 12345, ("a12345@isp", "pass:12345word")),
        ] {
            match pattern.parse::<Logins>() {
                Ok(logins) => logins.write(number, &mut login, &mut password),
                Err(error) => {
                    assert_eq!(error, LoginsError::Number("the password"));
                    continue;
                }
            }
            assert_eq!((login.as_str(), password.as_str()), expected);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (text, expected) in [
            ("u%07d", LoginsError::Form),
            ("u:p%d", LoginsError::Number("the login")),
            ("u%7d:p%d", LoginsError::Number("the login")),
            ("u%099d:p%d", LoginsError::Number("the login")),
            ("u%d:p%d%d", LoginsError::Number("the password")),
            ("u%d:p%s", LoginsError::Number("the password")),
        ] {
            assert_eq!(text.parse::<Logins>(), Err(expected), "{text}");
        }
    }
}
