//! Users files (FreeRADIUS's users(5)): a name with what is checked, and indented lines with what
//! is given.

use std::path::Path;
use std::sync::Arc;

use super::pairs::{Place, Scan};
use super::source::{Entry, ReadError, Source, included, text_of};

/// Reads a file, and those it includes.
pub(super) fn read(path: &Path, source: &mut Source) -> Result<(), ReadError> {
    file(path, source, 0)
}

fn file(path: &Path, source: &mut Source, depth: usize) -> Result<(), ReadError> {
    let text = text_of(path)?;
    let name: Arc<str> = path.display().to_string().into();
    let mut entry: Option<(String, Entry)> = None;
    // Whether the entry goes on: its last line ended with a comma, or was the first.
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        let place = Place { file: name.clone(), line: number };
        let wrong = |problem: &str| ReadError::line(&place, problem);
        let mut scan = Scan::new(line);
        if scan.is_at_end() {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let Some((_, entry)) = &mut entry else {
                return Err(wrong("a line that begins with a space belongs to no name"));
            };
            if !goes_on {
                return Err(wrong("the line before does not end with a comma"));
            }
            goes_on = scan.items(&place, &mut entry.reply).map_err(wrong)?;
            continue;
        }
        if let Some((name, entry)) = entry.take() {
            source.entry(&name, entry);
        }
        if let Some(path) = line.strip_prefix("$INCLUDE") {
            let word = Scan::new(path).word(&[]).map_err(wrong)?;
            for path in included(&place, &word.value, false, depth)? {
                file(&path, source, depth + 1)?;
            }
            continue;
        }
        let login = scan.word(&[]).map_err(wrong)?.value;
        let mut check = Vec::new();
        if scan.items(&place, &mut check).map_err(wrong)? {
            return Err(wrong("what is checked ends with a comma"));
        }
        entry = Some((login, Entry { check, reply: Vec::new(), place }));
        goes_on = true;
    }
    if let Some((name, entry)) = entry {
        source.entry(&name, entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Source, ReadError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        std::fs::write(&path, text).unwrap();
        std::fs::write(directory.path().join("more"), "zoe Cleartext-Password := z\n").unwrap();
        let mut source = Source::default();
        read(&path, &mut source).map(|()| source)
    }

    #[test]
    fn entries_keep_their_order_their_lines_and_what_they_include() {
        let source = parse(
            "# comment\n\
             bob\tCleartext-Password := \"a b\", Simultaneous-Use := 1 # here\n\
             \tFramed-IP-Address = 192.0.2.7,\n\
             # between\n\
             \tReply-Message = \"x, y\"\n\
             \n\
             \"john doe\" Cleartext-Password := x\n\
             $INCLUDE more\n\
             DEFAULT Framed-Protocol == PPP\n\
             \tFall-Through = Yes\n",
        )
        .unwrap();
        assert_eq!(source.logins, ["bob", "john doe", "zoe"]);
        let (at, bob) = &source.users["bob"][0];
        assert_eq!((*at, bob.check.len(), bob.reply.len(), bob.place.line), (0, 2, 2, 2));
        assert_eq!(bob.reply[1].value, "x, y");
        assert_eq!(source.defaults[0].0, 3);
        assert_eq!(source.defaults[0].1.reply[0].attribute, "Fall-Through");
    }

    #[test]
    fn a_line_that_does_not_read_is_named() {
        for (text, words) in [
            ("\tA = b\n", "users:1: a line that begins with a space belongs to no name"),
            ("bob\n\tA = b\n\tC = d\n", "users:3: the line before does not end with a comma"),
            ("bob A = b,\n", "users:1: what is checked ends with a comma"),
            ("bob A\n", "users:1: an operator such as := is missing"),
            ("$INCLUDE none\n", "could not read"),
            ("$INCLUDE ${confdir}/x\n", "users:1: ${confdir}/x names a setting"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = parse("$INCLUDE users\n").unwrap_err().to_string();
        assert!(error.contains("more than 16 deep"), "{error}");
    }
}
