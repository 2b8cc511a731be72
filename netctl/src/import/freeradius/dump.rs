//! Dumps of `pg_dump`, `mysqldump` and `sqlite3 .dump`, as rows.
//!
//! A dump is read once, from front to back, and may be larger than memory: accounting alone can
//! be gigabytes. Only `COPY … FROM stdin`, `INSERT` and the columns of `CREATE TABLE` are looked
//! into; everything else is passed over up to its semicolon.
//!
//! A backslash in a quoted text is an escape in MySQL's dumps and in `E'…'`, and itself
//! elsewhere. MySQL's are known by their first comment or by a name between backquotes.

use std::collections::HashMap;
use std::io::{self, BufRead};

/// Longest value, octets; a longer one is in no table of FreeRADIUS.
const VALUE_OCTETS_MAX: usize = 1024 * 1024;
/// Most columns of a table.
const COLUMNS_MAX: usize = 256;

/// A row, with the names of its columns in lower case.
pub(super) struct Row<'r> {
    columns: &'r [String],
    values: &'r [Option<Vec<u8>>],
    /// The line it is on, from 1.
    pub(super) line: u32,
}

impl Row<'_> {
    /// The text in a column; `None` where there is no such column, or NULL in it.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        let at = self.columns.iter().position(|own| own == column)?;
        let octets = self.values.get(at)?.as_ref()?;
        Some(match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            // As in files: Latin-1.
            Err(_) => octets.iter().copied().map(char::from).collect(),
        })
    }

    /// Whether there is such a column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|own| own == column)
    }
}

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum DumpError {
    #[error("could not read")]
    Read(#[from] io::Error),
    #[error("line {line}: {problem}")]
    Syntax { line: u32, problem: &'static str },
}

/// Reads a dump and hands each row of the tables named to `take`, with the table's name.
pub(super) fn read(
    input: impl BufRead,
    tables: &[&str],
    take: &mut dyn FnMut(&str, Row<'_>),
) -> Result<(), DumpError> {
    let mut dump = Dump { input, line: 1, escapes: false, columns: HashMap::new() };
    while dump.statement(tables, take)? {}
    Ok(())
}

struct Dump<R> {
    input: R,
    line: u32,
    /// Whether a backslash escapes in every quoted text.
    escapes: bool,
    /// The columns of tables, from their `CREATE TABLE`.
    columns: HashMap<String, Vec<String>>,
}

/// What a statement is made of.
enum Token {
    /// A name or keyword; whether it was quoted.
    Name(String, bool),
    /// A quoted text.
    Text(Vec<u8>),
    /// Any other single octet.
    Mark(u8),
    End,
}

impl<R: BufRead> Dump<R> {
    fn peek(&mut self) -> Result<Option<u8>, DumpError> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn next(&mut self) -> Result<Option<u8>, DumpError> {
        let octet = self.peek()?;
        if octet.is_some() {
            self.input.consume(1);
        }
        if octet == Some(b'\n') {
            self.line = self.line.saturating_add(1);
        }
        Ok(octet)
    }

    fn wrong(&self, problem: &'static str) -> DumpError {
        DumpError::Syntax { line: self.line, problem }
    }

    /// Passes over the rest of the line, and returns its beginning.
    fn rest_of_line(&mut self) -> Result<Vec<u8>, DumpError> {
        let mut rest = Vec::new();
        while let Some(octet) = self.next()? {
            if octet == b'\n' {
                break;
            }
            if rest.len() < 200 {
                rest.push(octet);
            }
        }
        Ok(rest)
    }

    fn token(&mut self) -> Result<Token, DumpError> {
        loop {
            let Some(octet) = self.next()? else { return Ok(Token::End) };
            match octet {
                _ if octet.is_ascii_whitespace() => {}
                b'-' if self.peek()? == Some(b'-') => self.comment()?,
                b'#' => self.comment()?,
                b'/' if self.peek()? == Some(b'*') => self.long_comment()?,
                b'\'' => return Ok(Token::Text(self.quoted(b'\'', self.escapes)?)),
                b'"' => {
                    let octets = self.quoted(b'"', false)?;
                    return Ok(Token::Name(String::from_utf8_lossy(&octets).into_owned(), true));
                }
                b'`' => {
                    // Only MySQL writes names like this.
                    self.escapes = true;
                    let octets = self.quoted(b'`', false)?;
                    return Ok(Token::Name(String::from_utf8_lossy(&octets).into_owned(), true));
                }
                b'$' if matches!(self.peek()?, Some(b'$' | b'a'..=b'z' | b'A'..=b'Z' | b'_')) => {
                    self.dollar_quoted()?;
                }
                _ if is_word(octet) => {
                    let mut word = vec![octet];
                    while let Some(octet) = self.peek()?.filter(|octet| is_word(*octet)) {
                        if word.len() >= VALUE_OCTETS_MAX {
                            return Err(self.wrong("a word is longer than 1 MiB"));
                        }
                        word.push(octet);
                        self.next()?;
                    }
                    // Words of ASCII and what continues UTF-8.
                    let word = String::from_utf8_lossy(&word).into_owned();
                    // E'…' escapes; N'…', B'…' and _utf8mb4'…' say only what the text is.
                    if self.peek()? == Some(b'\'') {
                        self.next()?;
                        let escapes = self.escapes || word.eq_ignore_ascii_case("e");
                        return Ok(Token::Text(self.quoted(b'\'', escapes)?));
                    }
                    return Ok(Token::Name(word, false));
                }
                _ => return Ok(Token::Mark(octet)),
            }
        }
    }

    fn comment(&mut self) -> Result<(), DumpError> {
        let text = self.rest_of_line()?;
        let text = String::from_utf8_lossy(&text);
        if text.contains("MySQL dump") || text.contains("MariaDB dump") {
            self.escapes = true;
        }
        Ok(())
    }

    fn long_comment(&mut self) -> Result<(), DumpError> {
        let mut last = 0;
        self.next()?;
        while let Some(octet) = self.next()? {
            if last == b'*' && octet == b'/' {
                return Ok(());
            }
            last = octet;
        }
        Err(self.wrong("a comment does not end"))
    }

    /// The body of a function: `$$ … $$` or `$tag$ … $tag$`. The first dollar has been read.
    fn dollar_quoted(&mut self) -> Result<(), DumpError> {
        let mut tag = vec![b'$'];
        loop {
            let octet = self.next()?.ok_or_else(|| self.wrong("a dollar quote does not end"))?;
            tag.push(octet);
            match octet {
                b'$' => break,
                _ if is_word(octet) && tag.len() < 64 => {}
                // A dollar in a name after all.
                _ => return Ok(()),
            }
        }
        let mut last = Vec::with_capacity(tag.len() + 1);
        while let Some(octet) = self.next()? {
            if last.len() == tag.len() {
                last.remove(0);
            }
            last.push(octet);
            if last == tag {
                return Ok(());
            }
        }
        Err(self.wrong("a dollar quote does not end"))
    }

    /// The text up to its quote, which stands twice where it belongs to the text.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Result<Vec<u8>, DumpError> {
        let begun = self.line;
        let open = |problem| DumpError::Syntax { line: begun, problem };
        let mut text = Vec::new();
        loop {
            let octet = self.next()?.ok_or_else(|| open("a quoted text does not end"))?;
            let octet = match octet {
                _ if octet == quote => {
                    if self.peek()? != Some(quote) {
                        return Ok(text);
                    }
                    self.next()?;
                    quote
                }
                b'\\' if escapes => {
                    let escaped = self.next()?.ok_or_else(|| open("a quoted text does not end"))?;
                    match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'0' => 0,
                        b'Z' => 26,
                        other => other,
                    }
                }
                other => other,
            };
            if text.len() >= VALUE_OCTETS_MAX {
                return Err(open("a value is longer than 1 MiB"));
            }
            text.push(octet);
        }
    }

    /// One statement; `false` at the end.
    fn statement(
        &mut self,
        tables: &[&str],
        take: &mut dyn FnMut(&str, Row<'_>),
    ) -> Result<bool, DumpError> {
        match self.token()? {
            Token::End => Ok(false),
            // A command of psql, such as \connect.
            Token::Mark(b'\\') => {
                self.rest_of_line()?;
                Ok(true)
            }
            Token::Name(word, false) if word.eq_ignore_ascii_case("copy") => {
                self.copy(tables, take)?;
                Ok(true)
            }
            Token::Name(word, false)
                if word.eq_ignore_ascii_case("insert") || word.eq_ignore_ascii_case("replace") =>
            {
                self.insert(tables, take)?;
                Ok(true)
            }
            Token::Name(word, false) if word.eq_ignore_ascii_case("create") => {
                self.create(tables)?;
                Ok(true)
            }
            Token::Mark(b';') => Ok(true),
            _ => {
                self.skip_statement()?;
                Ok(true)
            }
        }
    }

    fn skip_statement(&mut self) -> Result<(), DumpError> {
        loop {
            match self.token()? {
                Token::End | Token::Mark(b';') => return Ok(()),
                _ => {}
            }
        }
    }

    /// A table's name without its schema, and what follows it.
    fn table(&mut self) -> Result<(String, Token), DumpError> {
        let mut name = String::new();
        loop {
            match self.token()? {
                Token::Name(word, _) if name.is_empty() => name = word.to_ascii_lowercase(),
                // What stood before the dot was the schema.
                Token::Mark(b'.') => name.clear(),
                other => return Ok((name, other)),
            }
        }
    }

    /// Names between parentheses, the first of which has been read.
    fn names(&mut self) -> Result<Vec<String>, DumpError> {
        let mut names = Vec::new();
        loop {
            match self.token()? {
                Token::Name(name, _) => names.push(name.to_ascii_lowercase()),
                Token::Mark(b',') => {}
                Token::Mark(b')') => return Ok(names),
                _ => return Err(self.wrong("a list of columns does not read")),
            }
            if names.len() > COLUMNS_MAX {
                return Err(self.wrong("a table has more than 256 columns"));
            }
        }
    }

    /// `CREATE TABLE [IF NOT EXISTS] name (column …, …)`.
    fn create(&mut self, tables: &[&str]) -> Result<(), DumpError> {
        loop {
            match self.token()? {
                Token::Name(word, false) if word.eq_ignore_ascii_case("table") => break,
                Token::Name(word, false)
                    if ["temporary", "unlogged", "global", "local"]
                        .iter()
                        .any(|known| word.eq_ignore_ascii_case(known)) => {}
                Token::End | Token::Mark(b';') => return Ok(()),
                _ => return self.skip_statement(),
            }
        }
        let mut name = String::new();
        loop {
            match self.token()? {
                Token::Name(word, false)
                    if ["if", "not", "exists"]
                        .iter()
                        .any(|known| word.eq_ignore_ascii_case(known)) => {}
                Token::Name(word, _) if name.is_empty() => name = word.to_ascii_lowercase(),
                Token::Mark(b'.') => name.clear(),
                Token::Mark(b'(') => break,
                Token::End | Token::Mark(b';') => return Ok(()),
                _ => return self.skip_statement(),
            }
        }
        let (mut depth, mut begins, mut columns) = (1_u32, true, Vec::new());
        loop {
            let token = self.token()?;
            match token {
                Token::End => return Err(self.wrong("a table does not end")),
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Token::Mark(b',') if depth == 1 => {
                    begins = true;
                    continue;
                }
                Token::Name(word, quoted) if begins && depth == 1 => {
                    let no_column = [
                        "primary",
                        "key",
                        "unique",
                        "constraint",
                        "index",
                        "fulltext",
                        "check",
                        "foreign",
                        "exclude",
                        "like",
                        "spatial",
                    ];
                    let word = word.to_ascii_lowercase();
                    if (quoted || !no_column.contains(&word.as_str()))
                        && columns.len() < COLUMNS_MAX
                    {
                        columns.push(word);
                    }
                }
                _ => {}
            }
            begins = false;
        }
        if tables.contains(&name.as_str()) {
            self.columns.insert(name, columns);
        }
        self.skip_statement()
    }

    /// `COPY table (columns) FROM stdin;` and its lines up to `\.`.
    fn copy(
        &mut self,
        tables: &[&str],
        take: &mut dyn FnMut(&str, Row<'_>),
    ) -> Result<(), DumpError> {
        let (table, after) = self.table()?;
        let columns = match after {
            Token::Mark(b'(') => self.names()?,
            _ => return Err(self.wrong("COPY has no list of columns")),
        };
        let mut from_stdin = false;
        loop {
            match self.token()? {
                Token::End => return Err(self.wrong("COPY does not end")),
                Token::Mark(b';') => break,
                Token::Name(word, _) => from_stdin |= word.eq_ignore_ascii_case("stdin"),
                _ => {}
            }
        }
        if !from_stdin {
            return Ok(());
        }
        self.rest_of_line()?;
        let wanted = tables.contains(&table.as_str());
        let mut line = Vec::new();
        loop {
            line.clear();
            let begun = self.line;
            let room = (VALUE_OCTETS_MAX * 4) as u64;
            let octets = io::Read::take(&mut self.input, room).read_until(b'\n', &mut line)?;
            if octets == 0 {
                return Err(self.wrong("the rows of COPY do not end with \\."));
            }
            if line.pop_if(|last| *last == b'\n').is_none() && octets as u64 == room {
                return Err(self.wrong("a row is longer than 4 MiB"));
            }
            self.line = self.line.saturating_add(1);
            line.pop_if(|last| *last == b'\r');
            if line == b"\\." {
                return Ok(());
            }
            if wanted {
                let values: Vec<_> = line.split(|octet| *octet == b'\t').map(copied).collect();
                if values.len() != columns.len() {
                    let problem = "the row has not as many values as the table has columns";
                    return Err(DumpError::Syntax { line: begun, problem });
                }
                take(&table, Row { columns: &columns, values: &values, line: begun });
            }
        }
    }

    /// `INSERT INTO table [(columns)] VALUES (…), (…);`
    fn insert(
        &mut self,
        tables: &[&str],
        take: &mut dyn FnMut(&str, Row<'_>),
    ) -> Result<(), DumpError> {
        loop {
            match self.token()? {
                Token::Name(word, false) if word.eq_ignore_ascii_case("into") => break,
                Token::Name(_, false) => {}
                Token::Mark(b';') | Token::End => return Ok(()),
                _ => return self.skip_statement(),
            }
        }
        let (table, after) = self.table_before_values()?;
        if !tables.contains(&table.as_str()) {
            return self.skip_statement();
        }
        let columns = match after {
            Some(columns) => columns,
            None => match self.columns.get(&table) {
                Some(columns) => columns.clone(),
                None => {
                    let problem = "INSERT names no columns, and no CREATE TABLE before it does";
                    return Err(self.wrong(problem));
                }
            },
        };
        loop {
            match self.token()? {
                Token::Mark(b'(') => {}
                Token::Mark(b',') => continue,
                Token::Mark(b';') | Token::End => return Ok(()),
                // What follows the rows, such as ON CONFLICT.
                _ => return self.skip_statement(),
            }
            let begun = self.line;
            let values = self.values()?;
            if values.len() != columns.len() {
                let problem = "the row has not as many values as the table has columns";
                return Err(DumpError::Syntax { line: begun, problem });
            }
            take(&table, Row { columns: &columns, values: &values, line: begun });
        }
    }

    /// The name, and the columns if they are listed; up to and with `VALUES`.
    fn table_before_values(&mut self) -> Result<(String, Option<Vec<String>>), DumpError> {
        let (mut name, mut columns) = (String::new(), None);
        loop {
            match self.token()? {
                Token::Name(word, false) if word.eq_ignore_ascii_case("values") => {
                    return Ok((name, columns));
                }
                Token::Name(word, false)
                    if word.eq_ignore_ascii_case("overriding")
                        || word.eq_ignore_ascii_case("system")
                        || word.eq_ignore_ascii_case("value") => {}
                Token::Name(word, _) => name = word.to_ascii_lowercase(),
                Token::Mark(b'.') => {}
                Token::Mark(b'(') => columns = Some(self.names()?),
                _ => return Err(self.wrong("INSERT without VALUES is not read")),
            }
        }
    }

    /// The values of a row, whose parenthesis is open.
    fn values(&mut self) -> Result<Vec<Option<Vec<u8>>>, DumpError> {
        let mut values = Vec::new();
        // What a value begins with; casts and the like that follow it say nothing new.
        let mut value: Option<Option<Vec<u8>>> = None;
        let (mut depth, mut negative, mut introduced) = (0_u32, false, false);
        loop {
            match self.token()? {
                Token::End | Token::Mark(b';') => return Err(self.wrong("a row does not end")),
                Token::Mark(mark @ (b',' | b')')) if depth == 0 => {
                    values.push(value.take().ok_or_else(|| self.wrong("a value is missing"))?);
                    if values.len() > COLUMNS_MAX {
                        return Err(self.wrong("a row has more than 256 values"));
                    }
                    (negative, introduced) = (false, false);
                    if mark == b')' {
                        return Ok(values);
                    }
                }
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth -= 1,
                Token::Mark(b'-') => negative = true,
                Token::Text(text) if value.is_none() || introduced => {
                    (value, introduced) = (Some(Some(text)), false);
                }
                Token::Name(word, _) if value.is_none() => {
                    // _binary 'x' and _utf8mb4 'x' say only what the text is.
                    introduced = word.starts_with('_');
                    value = Some(match word.to_ascii_lowercase().as_str() {
                        "null" => None,
                        _ if negative => Some(format!("-{word}").into_bytes()),
                        _ => Some(hexadecimal(&word).unwrap_or_else(|| word.into_bytes())),
                    });
                }
                _ => {}
            }
        }
    }
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_' || octet >= 0x80
}

/// `0x626f62`, as `mysqldump --hex-blob` writes.
fn hexadecimal(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix("0x")?.as_bytes();
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|value| value as u8);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// A value of COPY (PostgreSQL's manual, COPY, Text Format).
fn copied(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"\\N" {
        return None;
    }
    let mut value = Vec::with_capacity(text.len());
    let mut octets = text.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        if octet != b'\\' {
            value.push(octet);
            continue;
        }
        let Some(escaped) = octets.next() else { break };
        value.push(match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let mut number = escaped - b'0';
                for _ in 0..2 {
                    if let Some(digit) = octets.next_if(|digit| (b'0'..=b'7').contains(digit)) {
                        number = number.wrapping_mul(8).wrapping_add(digit - b'0');
                    }
                }
                number
            }
            other => other,
        });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rows = Vec<(String, Vec<Option<String>>)>;

    fn rows(dump: &str, columns: &[&str]) -> Result<Rows, DumpError> {
        let mut found = Vec::new();
        read(dump.as_bytes(), &["radcheck", "nas"], &mut |table, row| {
            let values = columns.iter().map(|column| row.text(column)).collect();
            found.push((table.to_owned(), values));
        })?;
        Ok(found)
    }

    fn row(table: &str, values: &[Option<&str>]) -> (String, Vec<Option<String>>) {
        (table.to_owned(), values.iter().map(|value| value.map(str::to_owned)).collect())
    }

    #[test]
    fn copy_of_pg_dump_is_read_with_its_escapes() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\\restrict x\nSET a = 'b;c';\n\
            CREATE FUNCTION f() RETURNS void AS $_$ BEGIN; INSERT INTO nas VALUES (1); $_$;\n\
            COPY public.other (a) FROM stdin;\n\\N\n\\.\n\n\
            COPY public.radcheck (id, username, value) FROM stdin;\n\
            1\tbob\ta\\tb\\\\c\\101\n2\tann's\t\\N\n\\.\n";
        let read = rows(dump, &["username", "value", "none"]).unwrap();
        assert_eq!(
            read,
            [
                row("radcheck", &[Some("bob"), Some("a\tb\\cA"), None]),
                row("radcheck", &[Some("ann's"), None, None]),
            ]
        );
    }

    #[test]
    fn inserts_of_mysqldump_are_read_many_to_a_statement() {
        let dump = "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8 */;\n\
            CREATE TABLE `radcheck` (\n  `id` int(11) unsigned NOT NULL AUTO_INCREMENT,\n\
            `UserName` varchar(64) NOT NULL DEFAULT 'a,b',\n `value` text,\n\
            PRIMARY KEY (`id`), KEY `username` (`UserName`(32))\n) ENGINE=InnoDB;\n\
            INSERT INTO `radcheck` VALUES (1,'bob','it\\'s; \\\\ ''x'''),(-2,_binary 'zoë',NULL),\n\
            (3,0x616263,'');\nINSERT INTO `radacct` VALUES (1,'x');\n";
        assert_eq!(
            rows(dump, &["username", "value", "id"]).unwrap(),
            [
                row("radcheck", &[Some("bob"), Some("it's; \\ 'x'"), Some("1")]),
                row("radcheck", &[Some("zoë"), None, Some("-2")]),
                row("radcheck", &[Some("abc"), Some(""), Some("3")]),
            ]
        );
    }

    #[test]
    fn inserts_of_postgres_keep_their_backslashes() {
        let dump = "INSERT INTO public.nas (id, secret) VALUES (1, 'a\\b');\n\
            INSERT INTO nas (secret, id) VALUES (E'a\\\\b\\n', '2'::inet) ON CONFLICT DO NOTHING;\n\
            INSERT INTO \"nas\" (secret, id) OVERRIDING SYSTEM VALUE VALUES (lower('X'), 3);\n";
        assert_eq!(
            rows(dump, &["id", "secret"]).unwrap(),
            [
                row("nas", &[Some("1"), Some("a\\b")]),
                row("nas", &[Some("2"), Some("a\\b\n")]),
                row("nas", &[Some("3"), Some("lower")]),
            ]
        );
    }

    #[test]
    fn a_dump_that_does_not_read_is_named_by_its_line() {
        for (dump, words) in [
            ("\nINSERT INTO nas VALUES (1);", "line 2: INSERT names no columns"),
            ("INSERT INTO nas (a, b) VALUES (1);", "line 1: the row has not as many values"),
            ("INSERT INTO nas (a) VALUES (1", "a row does not end"),
            ("INSERT INTO nas (a) VALUES (,1)", "a value is missing"),
            ("INSERT INTO nas (a)\nVALUES ('x", "line 2: a quoted text does not end"),
            ("COPY nas (a) FROM stdin;\n1\t2\n\\.\n", "line 2: the row has not as many values"),
            ("COPY nas (a) FROM stdin;\n1\n", "do not end with \\."),
            ("COPY nas FROM stdin;\n1\n", "COPY has no list of columns"),
            ("/* x", "a comment does not end"),
            ("SELECT $$ x", "a dollar quote does not end"),
        ] {
            let error = rows(dump, &[]).unwrap_err().to_string();
            assert!(error.contains(words), "{dump}: {error}");
        }
        let long = format!("INSERT INTO nas (a) VALUES ('{}');", "x".repeat(VALUE_OCTETS_MAX + 1));
        assert!(rows(&long, &[]).unwrap_err().to_string().contains("longer than 1 MiB"));
    }
}
