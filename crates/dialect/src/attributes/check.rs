//! Check attributes: what a request must have.

use radius_wire::dictionary::Type;
use radius_wire::{Attributes, attr};
use regex_lite::{Regex, RegexBuilder};

use super::{Key, Line, LineError, Operator, definition};

const EXAMPLE: &str = "NAS-Port-Type == Ethernet";
/// Octets that a compiled expression may take: what it costs to match grows with it.
const EXPRESSION_OCTETS_MAX: usize = 8 << 10;

/// A check attribute, ready to be compared.
#[derive(Debug, Clone)]
pub struct Check {
    operator: Operator,
    /// In the standard space, or a vendor's own.
    place: Place,
    /// Whether a tag may stand before its values, and whether those are numbers.
    tagged: bool,
    number: bool,
    operand: Operand,
    line: Box<str>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Standard(u8),
    Vendor(u32, u8),
}

#[derive(Debug, Clone)]
enum Operand {
    Nothing,
    Octets(Box<[u8]>),
    Expression(Regex),
}

impl Check {
    /// Compiles a line.
    pub fn compile(text: &str) -> Result<Self, LineError> {
        use Operator::*;
        let line = Line::split(text, EXAMPLE)?;
        line.of_server()?;
        if matches!(line.operator, AddUnlessThere | Replace | Add) {
            let wanted = "== != < <= > >= =~ !~ =* !* are";
            let operator = line.operator.as_str();
            return Err(LineError::Operator { operator, list: "check", wanted });
        }
        if line.value.contains("%{") {
            return Err(LineError::Expansion);
        }
        // Without a value, any will do to find the attribute.
        let bare = matches!(line.operator, There | NotThere | Matches | MatchesNot);
        let parsed = match line.parse() {
            Err(radius_wire::dictionary::TextError::Value { .. }) if bare => {
                super::NAMES.parse(&format!("raw.{} = 0x00", line.name))?
            }
            parsed => parsed?,
        };
        let name = || parsed.name.clone().unwrap_or_else(|| parsed.number.to_string());
        if parsed.secret || parsed.encrypted {
            return Err(LineError::Secret(name()));
        }
        // A deeper or extended one could be compared, but nobody has asked for it.
        let key = Key::of(&parsed)?;
        let place = match (key.kind, &*key.prefix) {
            (kind, []) => Place::Standard(kind),
            (attr::VENDOR_SPECIFIC, [a, b, c, d, kind]) => {
                Place::Vendor(u32::from_be_bytes([*a, *b, *c, *d]), *kind)
            }
            _ => return Err(LineError::Inside(name())),
        };
        let known = definition(&parsed);
        let kind = known.map_or(Type::Octets, |known| known.kind);
        let comparison = |wanted| {
            let operator = line.operator.as_str();
            LineError::Comparison { name: name(), kind, operator, wanted }
        };
        let tagged = known.is_some_and(|known| known.flags.has_tag);
        let number = kind == Type::Integer;
        let operand = match line.operator {
            There | NotThere => Operand::Nothing,
            Matches | MatchesNot => {
                if kind != Type::String {
                    return Err(comparison("texts"));
                }
                let bare = line.value.strip_prefix('/').and_then(|p| p.strip_suffix('/'));
                let pattern = bare.or(line.unquoted()).unwrap_or(line.value);
                let compiled = RegexBuilder::new(pattern).size_limit(EXPRESSION_OCTETS_MAX).build();
                Operand::Expression(compiled.map_err(|error| LineError::Expression {
                    name: name(),
                    reason: error.to_string(),
                })?)
            }
            Less | LessOrEqual | Greater | GreaterOrEqual if !is_ordered(kind) => {
                return Err(comparison("numbers and addresses"));
            }
            _ => Operand::Octets(untagged(tagged, number, &parsed.value).into()),
        };
        let operator = line.operator;
        let line = format!("{} {} {}", line.name, operator.as_str(), line.value);
        Ok(Self { operator, place, tagged, number, operand, line: line.trim_end().into() })
    }

    /// As it was written.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Whether it matches an expression, which costs the most.
    pub fn is_expression(&self) -> bool {
        matches!(self.operand, Operand::Expression(_))
    }

    /// Whether the request has the attribute at all.
    pub fn is_said(&self, request: Attributes<'_>) -> bool {
        self.any(request, |_| true)
    }

    /// Whether a request is as it says.
    pub fn passes(&self, request: Attributes<'_>) -> bool {
        use Operator::*;
        let equal = |own: &[u8]| matches!(&self.operand, Operand::Octets(o) if **o == *own);
        let matches = |own: &[u8]| {
            matches!(&self.operand, Operand::Expression(expression)
                if std::str::from_utf8(own).is_ok_and(|own| expression.is_match(own)))
        };
        // Octets of one length in network order compare as numbers do.
        let ordered = |own: &[u8], well: fn(std::cmp::Ordering) -> bool| matches!(&self.operand, Operand::Octets(o) if o.len() == own.len() && well(own.cmp(o)));
        match self.operator {
            There => self.is_said(request),
            NotThere => !self.is_said(request),
            Equal => self.any(request, equal),
            NotEqual => self.is_said(request) && !self.any(request, equal),
            Matches => self.any(request, matches),
            // What is no text cannot be shown not to match.
            MatchesNot => {
                let may = |own: &[u8]| std::str::from_utf8(own).is_err() || matches(own);
                self.is_said(request) && !self.any(request, may)
            }
            Less => self.any(request, |own| ordered(own, std::cmp::Ordering::is_lt)),
            LessOrEqual => self.any(request, |own| ordered(own, std::cmp::Ordering::is_le)),
            Greater => self.any(request, |own| ordered(own, std::cmp::Ordering::is_gt)),
            GreaterOrEqual => self.any(request, |own| ordered(own, std::cmp::Ordering::is_ge)),
            // No check is compiled with these.
            AddUnlessThere | Replace | Add => false,
        }
    }

    fn any(&self, request: Attributes<'_>, well: impl Fn(&[u8]) -> bool) -> bool {
        let well = |own: &[u8]| well(untagged(self.tagged, self.number, own));
        match self.place {
            Place::Standard(kind) => request.all(kind).any(well),
            Place::Vendor(vendor, kind) => request
                .vendor_iter()
                .any(|own| (own.vendor, own.kind) == (vendor, kind) && well(own.value)),
        }
    }
}

/// Types whose octets compare as their values do.
fn is_ordered(kind: Type) -> bool {
    matches!(
        kind,
        Type::Integer
            | Type::Integer64
            | Type::Byte
            | Type::Short
            | Type::Date
            | Type::TimeDelta
            | Type::Ipv4
            | Type::Ipv6
            | Type::ComboIp
    )
}

/// A value without the tag before it (RFC 2868 §3): of a number the three octets behind it.
fn untagged(tagged: bool, number: bool, value: &[u8]) -> &[u8] {
    match value {
        [_, rest @ ..] if tagged && number && value.len() == 4 => rest,
        [0..=0x1f, rest @ ..] if tagged && !number => rest,
        value => value,
    }
}
