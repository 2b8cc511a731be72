//! Check and reply attributes that staff write, with FreeRADIUS's operators.
//!
//! A line is `NAME OPERATOR VALUE`, as in a FreeRADIUS `users` file. It is compiled once, where
//! policy is made (so that a mistake is told to whoever makes it) and where it is applied; a
//! login compares and copies octets. What operators mean is what FreeRADIUS documents
//! (`users(5)`, "OPERATORS"):
//!
//! | operator | check | reply |
//! |---|---|---|
//! | `=` | - | adds it unless the reply has one |
//! | `:=` | - | takes the place of all the reply has |
//! | `+=` | - | adds it |
//! | `==` | some value is this one | - |
//! | `!=` | there is a value, and none is this one | - |
//! | `<` `<=` `>` `>=` | some value is so; numbers and addresses | - |
//! | `=~` | some value matches the expression; texts | - |
//! | `!~` | there is a value, and none matches it; texts | - |
//! | `=*` | there is one | - |
//! | `!*` | there is none | - |
//!
//! In a check, FreeRADIUS's `=`, `:=` and `+=` set something of the server's own, such as
//! `Simultaneous-Use`. A service has fields for that, which the error names.

mod check;
mod reply;

use std::sync::LazyLock;

use radius_wire::dictionary::{Definition, Dictionary, Parsed, TextError, Type, builtin};

pub use check::Check;
pub use reply::{Reply, cap_session_timeout};

/// Lines of one list, at most.
pub const LINES_MAX: usize = 64;
/// Characters of a line, at most.
pub const LINE_CHARACTERS_MAX: usize = 400;

/// The shipped dictionaries. That they can be read is tested.
static NAMES: LazyLock<Dictionary> = LazyLock::new(|| builtin().unwrap_or_default());

/// The names that lines are read with.
pub fn names() -> &'static Dictionary {
    &NAMES
}

/// What is between name and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    AddUnlessThere,
    /// `:=`
    Replace,
    /// `+=`
    Add,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
    /// `=*`
    There,
    /// `!*`
    NotThere,
}

impl Operator {
    /// Longer ones stand before those they begin with.
    const ALL: [(&'static str, Operator); 13] = [
        (":=", Self::Replace),
        ("+=", Self::Add),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("=~", Self::Matches),
        ("!~", Self::MatchesNot),
        ("=*", Self::There),
        ("!*", Self::NotThere),
        ("=", Self::AddUnlessThere),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(text, _)| text)
    }
}

/// Why a line is no attribute. Values are not repeated: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not `NAME OPERATOR VALUE`.
    #[error("is not NAME OPERATOR VALUE, such as {0}")]
    Form(&'static str),
    /// The name or the value does not read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The operator is none of this list.
    #[error("{operator} is not for {list} attributes: {wanted}")]
    Operator {
        /// As written.
        operator: &'static str,
        /// `check` or `reply`.
        list: &'static str,
        /// What is.
        wanted: &'static str,
    },
    /// FreeRADIUS sets something of the server's own by it.
    #[error("{name} is not compared with the request: {instead}")]
    OfServer {
        /// The attribute.
        name: String,
        /// What to use.
        instead: &'static str,
    },
    /// It is Lastmile's to say.
    #[error("{0} is said by the server itself and cannot be set")]
    Reserved(String),
    /// Its value would help to find a password.
    #[error("{0} is a secret and cannot be compared")]
    Secret(String),
    /// It lies inside another attribute.
    #[error("{0} lies inside another attribute and does not stand alone")]
    Inside(String),
    /// The operator compares what the attribute does not have.
    #[error("{name} is {kind}: {operator} is for {wanted}")]
    Comparison {
        /// The attribute.
        name: String,
        /// Its type.
        kind: Type,
        /// As written.
        operator: &'static str,
        /// What it is for.
        wanted: &'static str,
    },
    /// The expression does not read.
    #[error("the expression of {name} does not read: {reason}")]
    Expression {
        /// The attribute.
        name: String,
        /// Why not.
        reason: String,
    },
    /// FreeRADIUS would put something in its place.
    #[error("%{{…}} is not expanded here")]
    Expansion,
}

/// A line in its parts.
struct Line<'t> {
    name: &'t str,
    operator: Operator,
    value: &'t str,
}

impl<'t> Line<'t> {
    fn split(text: &'t str, example: &'static str) -> Result<Self, LineError> {
        let text = text.trim().trim_end_matches(',').trim_end();
        let end = text
            .find(|c: char| c.is_whitespace() || "=!<>+".contains(c) || c == ':')
            .ok_or(LineError::Form(example))?;
        // A tag stands behind a colon, an operator begins with one.
        let end = match text[end..].strip_prefix(':') {
            Some(rest) if !rest.starts_with('=') => {
                let digits =
                    rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                end + 1 + digits
            }
            _ => end,
        };
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let found = Operator::ALL.iter().find(|(own, _)| rest.starts_with(own));
        let (written, operator) = *found.ok_or(LineError::Form(example))?;
        let value = rest[written.len()..].trim_start();
        let bare = matches!(operator, Operator::There | Operator::NotThere);
        if name.is_empty() || (value.is_empty() && !bare) {
            return Err(LineError::Form(example));
        }
        Ok(Self { name, operator, value })
    }

    /// The attribute with its value in octets.
    fn parse(&self) -> Result<Parsed, TextError> {
        let read = |value: &str| NAMES.parse(&format!("{} = {value}", self.name));
        match (read(self.value), self.unquoted()) {
            // FreeRADIUS takes numbers and addresses in quotes too.
            (Err(TextError::Value { .. }), Some(inner)) => read(inner),
            (read, _) => read,
        }
    }

    fn unquoted(&self) -> Option<&'t str> {
        ['"', '\'']
            .into_iter()
            .find_map(|quote| self.value.strip_prefix(quote)?.strip_suffix(quote))
    }

    /// What FreeRADIUS would have it do.
    fn of_server(&self) -> Result<(), LineError> {
        const INSTEAD: &[(&str, &str)] = &[
            ("cleartext-password", "give the service a password"),
            ("nt-password", "give the service a password"),
            ("crypt-password", "give the service a password"),
            ("auth-type", "suspend the service to refuse its logins"),
            ("expiration", "set expires_at"),
            ("login-time", "set login_time"),
            ("simultaneous-use", "set the limit of sessions"),
            ("pool-name", "set pool"),
            ("fall-through", "all groups of a service apply, by their priority"),
            ("huntgroup-name", "set the NAS it may come through"),
            ("realm", "make a realm"),
        ];
        let known = INSTEAD.iter().find(|(name, _)| name.eq_ignore_ascii_case(self.name));
        match known {
            Some((_, instead)) => Err(LineError::OfServer { name: self.name.to_owned(), instead }),
            None => Ok(()),
        }
    }
}

/// Where an attribute lies: how one on the wire is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kind: u8,
    /// What its value begins with: vendor and type, or the type of an extended space.
    prefix: Box<[u8]>,
}

impl Key {
    fn of(parsed: &Parsed) -> Result<Self, LineError> {
        let name = || parsed.name.clone().unwrap_or_else(|| parsed.number.to_string());
        let number = parsed.number.components();
        let octet = |n: u32| u8::try_from(n).map_err(|_| TextError::NotSent(name()));
        let (first, rest) = number.split_first().ok_or_else(|| LineError::Inside(name()))?;
        let kind = octet(*first)?;
        let prefix = match (kind, rest) {
            // A whole space, in which anything could lie.
            (26 | 241..=246, []) => return Err(LineError::Reserved(name())),
            (_, []) => Vec::new(),
            (26, [vendor, own]) => {
                let format = NAMES.vendor(*vendor).map(|vendor| vendor.format).unwrap_or_default();
                let own = own.to_be_bytes();
                [&vendor.to_be_bytes()[..], &own[4 - usize::from(format.type_octets)..]].concat()
            }
            (241..=246, [own]) => vec![octet(*own)?],
            _ => return Err(LineError::Inside(name())),
        };
        Ok(Self { kind, prefix: prefix.into() })
    }

    fn is(&self, attribute: &radius_wire::Attribute<'_>) -> bool {
        attribute.kind == self.kind && attribute.value.starts_with(&self.prefix)
    }
}

fn definition(parsed: &Parsed) -> Option<&'static Definition> {
    NAMES.at(parsed.number.components())
}

#[cfg(test)]
mod tests;
