//! One line, as a statement. Names are not looked up yet.

use super::error::Problem;
use super::kind::{Encryption, Flags, Format, Number, TYPE_NAMES, Type, integer};
use super::near::nearest;

/// What a line says.
#[derive(Debug)]
pub(super) enum Statement<'a> {
    Attribute {
        name: &'a str,
        number: Number,
        kind: Type,
        flags: Flags,
        vendor: Option<&'a str>,
    },
    Value {
        attribute: &'a str,
        name: &'a str,
        value: i64,
    },
    Vendor {
        name: &'a str,
        id: u32,
        format: Format,
    },
    BeginVendor {
        name: &'a str,
        parent: Option<&'a str>,
    },
    EndVendor {
        name: &'a str,
    },
    BeginTlv {
        name: &'a str,
    },
    EndTlv {
        name: &'a str,
    },
    Alias {
        name: &'a str,
        of: &'a str,
    },
    Include {
        name: &'a str,
        optional: bool,
    },
    /// A field of a struct, which is not read.
    Member,
}

const STATEMENTS: [&str; 11] = [
    "ATTRIBUTE",
    "VALUE",
    "VENDOR",
    "BEGIN-VENDOR",
    "END-VENDOR",
    "BEGIN-TLV",
    "END-TLV",
    "ALIAS",
    "$INCLUDE",
    "$INCLUDE-",
    "MEMBER",
];

const FLAGS: [&str; 9] = [
    "has_tag",
    "encrypt=1",
    "encrypt=2",
    "encrypt=3",
    "array",
    "concat",
    "virtual",
    "secret",
    "internal",
];

/// Reads a line; `None` for one that says nothing.
pub(super) fn read<'a>(
    line: &'a str,
    is_vendor: impl Fn(&str) -> bool,
) -> Result<Option<Statement<'a>>, Problem> {
    let line = line.split_once('#').map_or(line, |(before, _)| before);
    let mut words = line.split_ascii_whitespace();
    let Some(keyword) = words.next() else { return Ok(None) };
    let mut words = Words { words, form: "" };
    let statement = match &*keyword.to_ascii_uppercase() {
        "ATTRIBUTE" => {
            words.form = "ATTRIBUTE NAME NUMBER TYPE [FLAGS]";
            let (name, number) = (words.name("NAME")?, words.next("NUMBER")?);
            let number = number.parse().map_err(|()| Problem::Number {
                word: number.to_owned(),
                expected: "a number such as 8, 0x1f or 241.5.1".to_owned(),
            })?;
            let word = words.next("TYPE")?;
            let kind = Type::of_name(word).ok_or_else(|| Problem::Type {
                word: word.to_owned(),
                near: suggest(word, TYPE_NAMES.iter().map(|(name, _)| *name)),
            })?;
            let (mut flags, mut vendor) = (Flags::default(), None);
            for word in words.by_ref() {
                // Before BEGIN-VENDOR there was, the vendor stood here.
                if is_vendor(word) {
                    vendor = Some(word);
                    continue;
                }
                word.split(',').try_for_each(|flag| read_flag(flag, &mut flags))?;
            }
            check(&flags, kind)?;
            Statement::Attribute { name, number, kind, flags, vendor }
        }
        "VALUE" => {
            words.form = "VALUE ATTRIBUTE NAME NUMBER";
            let (attribute, name) = (words.name("ATTRIBUTE")?, words.next("NAME")?);
            Statement::Value { attribute, name, value: value(words.next("NUMBER")?)? }
        }
        "VENDOR" => {
            words.form = "VENDOR NAME NUMBER [format=TYPE,LENGTH[,c]]";
            let (name, word) = (words.name("NAME")?, words.next("NUMBER")?);
            // Enterprise numbers have three octets (RFC 2865 §5.26), and 0 is reserved.
            let id = integer(word).filter(|id| (1..=0x00ff_ffff).contains(id));
            let id = id.and_then(|id| id.try_into().ok()).ok_or_else(|| Problem::Number {
                word: word.to_owned(),
                expected: "a vendor's number: 1 to 16777215".to_owned(),
            })?;
            let format = words.words.next().map(read_format).transpose()?.unwrap_or_default();
            Statement::Vendor { name, id, format }
        }
        "BEGIN-VENDOR" => {
            words.form = "BEGIN-VENDOR NAME [parent=ATTRIBUTE]";
            let name = words.name("NAME")?;
            let parent = match words.words.next() {
                None => None,
                Some(word) => match word.split_once('=') {
                    Some(("format" | "parent", parent)) => Some(parent),
                    _ => return Err(words.trouble(format!("and not {word:?} after the name"))),
                },
            };
            Statement::BeginVendor { name, parent }
        }
        "END-VENDOR" => {
            words.form = "END-VENDOR NAME";
            Statement::EndVendor { name: words.name("NAME")? }
        }
        "BEGIN-TLV" => {
            words.form = "BEGIN-TLV ATTRIBUTE";
            Statement::BeginTlv { name: words.name("ATTRIBUTE")? }
        }
        "END-TLV" => {
            words.form = "END-TLV ATTRIBUTE";
            Statement::EndTlv { name: words.name("ATTRIBUTE")? }
        }
        "ALIAS" => {
            words.form = "ALIAS NAME ATTRIBUTE";
            Statement::Alias { name: words.name("NAME")?, of: words.name("ATTRIBUTE")? }
        }
        include @ ("$INCLUDE" | "$INCLUDE-") => {
            words.form = "$INCLUDE FILE";
            let optional = include.ends_with('-');
            Statement::Include { name: words.next("FILE")?, optional }
        }
        "MEMBER" => return Ok(Some(Statement::Member)),
        _ => {
            let near = suggest(keyword, STATEMENTS);
            return Err(Problem::Statement { word: keyword.to_owned(), near });
        }
    };
    match words.words.next() {
        None => Ok(Some(statement)),
        Some(word) => Err(words.trouble(format!("and nothing more, but there is {word:?}"))),
    }
}

/// The one known word that is nearest.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known, 1).first().map(|near| (*near).to_owned())
}

/// The words of a line.
struct Words<'a> {
    words: std::str::SplitAsciiWhitespace<'a>,
    form: &'static str,
}

impl<'a> Words<'a> {
    fn next(&mut self, what: &'static str) -> Result<&'a str, Problem> {
        self.words.next().ok_or_else(|| self.trouble(format!("but {what} is missing")))
    }

    fn name(&mut self, what: &'static str) -> Result<&'a str, Problem> {
        let word = self.next(what)?;
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./:+".contains(&octet);
        if word.len() <= 128 && word.bytes().all(allowed) {
            return Ok(word);
        }
        Err(Problem::Name { word: word.chars().take(140).collect() })
    }

    fn by_ref(&mut self) -> &mut std::str::SplitAsciiWhitespace<'a> {
        &mut self.words
    }

    fn trouble(&self, trouble: String) -> Problem {
        Problem::Form { form: self.form, trouble }
    }
}

fn value(word: &str) -> Result<i64, Problem> {
    let (digits, negative) = match word.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (word, false),
    };
    let found = integer(digits).and_then(|value| i64::try_from(value).ok());
    let found = found.map(|value| if negative { -value } else { value });
    found.ok_or_else(|| Problem::Number {
        word: word.to_owned(),
        expected: "a whole number".to_owned(),
    })
}

fn read_flag(word: &str, flags: &mut Flags) -> Result<(), Problem> {
    match word {
        "has_tag" => flags.has_tag = true,
        "array" => flags.array = true,
        "concat" => flags.concat = true,
        // What is internal to a server is not sent either.
        "virtual" | "internal" => flags.virtual_ = true,
        "secret" => flags.secret = true,
        "encrypt=1" | "encrypt=User-Password" => flags.encrypt = Some(Encryption::UserPassword),
        "encrypt=2" | "encrypt=Tunnel-Password" => {
            flags.encrypt = Some(Encryption::TunnelPassword);
        }
        "encrypt=3" | "encrypt=Ascend-Secret" => flags.encrypt = Some(Encryption::AscendSecret),
        _ => {
            let near = suggest(word, FLAGS);
            return Err(Problem::Flag { word: word.to_owned(), near });
        }
    }
    Ok(())
}

/// Tags stand before text, octets and integers (RFC 2868 §3); the first octet of anything else
/// has a meaning already. Attributes are joined as octets.
fn check(flags: &Flags, kind: Type) -> Result<(), Problem> {
    let trouble = |flag| Err(Problem::FlagForType { flag, kind: kind.to_string() });
    if flags.has_tag && !matches!(kind, Type::String | Type::Octets | Type::Integer) {
        return trouble("has_tag");
    }
    if flags.concat && !matches!(kind, Type::String | Type::Octets | Type::Tlv) {
        return trouble("concat");
    }
    if flags.encrypt.is_some() && kind.holds_attributes() {
        return trouble("encrypt");
    }
    Ok(())
}

fn read_format(word: &str) -> Result<Format, Problem> {
    let parts = word.strip_prefix("format=").map(|format| format.split(',').collect::<Vec<_>>());
    let (parts, continuation) = match parts.as_deref() {
        Some([parts @ .., "c"]) => (parts, true),
        Some(parts) => (parts, false),
        None => (&[][..], false),
    };
    let format = match *parts {
        [t @ ("1" | "2" | "4"), l @ ("0" | "1" | "2")] => Format {
            type_octets: t.as_bytes()[0] - b'0',
            length_octets: l.as_bytes()[0] - b'0',
            continuation,
        },
        _ => {
            return Err(Problem::Number {
                word: word.to_owned(),
                expected: "format=TYPE,LENGTH with TYPE 1, 2 or 4 and LENGTH 0, 1 or 2".to_owned(),
            });
        }
    };
    // A continuation octet is known of the layout with single octets only.
    if continuation && (format.type_octets, format.length_octets) != (1, 1) {
        return Err(Problem::Number {
            word: word.to_owned(),
            expected: "format=1,1,c, the one format with a continuation".to_owned(),
        });
    }
    Ok(format)
}
