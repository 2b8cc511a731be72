//! Types, flags and numbers of attributes.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// How a value is read (RFC 8044, and what dictionaries have besides).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Text.
    String,
    /// Octets without further meaning.
    Octets,
    /// Octets of one length only.
    OctetsOf(u8),
    /// 32 bits, unsigned.
    Integer,
    /// 64 bits, unsigned.
    Integer64,
    /// 8 bits, unsigned.
    Byte,
    /// 16 bits, unsigned.
    Short,
    /// 32 bits, signed.
    Signed,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An IPv4 prefix (RFC 8044 §3.11).
    Ipv4Prefix,
    /// An IPv6 prefix (RFC 8044 §3.10).
    Ipv6Prefix,
    /// An IPv4 or an IPv6 address.
    ComboIp,
    /// Seconds since 1970-01-01 UTC, 32 bits.
    Date,
    /// A span in seconds, 32 bits.
    TimeDelta,
    /// An interface identifier, 64 bits.
    InterfaceId,
    /// A MAC address.
    Ether,
    /// Ascend's binary filters, shown as octets.
    Abinary,
    /// Attributes inside (RFC 6929 §2.3).
    Tlv,
    /// An extended space (RFC 6929 §2.1).
    Extended,
    /// An extended space with fragments (RFC 6929 §2.2).
    LongExtended,
    /// Vendor-Specific (RFC 2865 §5.26).
    Vsa,
    /// Extended-Vendor-Specific (RFC 6929 §2.4).
    Evs,
    /// Fields without headers; they are not read, the value is shown as octets.
    Struct,
}

/// The name each type is shown by comes first.
pub(super) const TYPE_NAMES: &[(&str, Type)] = &[
    ("string", Type::String),
    ("octets", Type::Octets),
    ("integer", Type::Integer),
    ("uint32", Type::Integer),
    ("integer64", Type::Integer64),
    ("uint64", Type::Integer64),
    ("byte", Type::Byte),
    ("uint8", Type::Byte),
    ("short", Type::Short),
    ("uint16", Type::Short),
    ("signed", Type::Signed),
    ("int32", Type::Signed),
    ("ipaddr", Type::Ipv4),
    ("ipv6addr", Type::Ipv6),
    ("ipv4prefix", Type::Ipv4Prefix),
    ("ipv6prefix", Type::Ipv6Prefix),
    ("combo-ip", Type::ComboIp),
    ("date", Type::Date),
    ("time_delta", Type::TimeDelta),
    ("ifid", Type::InterfaceId),
    ("ether", Type::Ether),
    ("abinary", Type::Abinary),
    ("tlv", Type::Tlv),
    ("extended", Type::Extended),
    ("long-extended", Type::LongExtended),
    ("vsa", Type::Vsa),
    ("evs", Type::Evs),
    ("struct", Type::Struct),
];

impl Type {
    /// The type of this name, in any letter case.
    pub fn of_name(name: &str) -> Option<Self> {
        let of_length = name.get(..7).filter(|start| start.eq_ignore_ascii_case("octets["));
        if of_length.is_some() {
            let octets = name[7..].strip_suffix(']')?.parse().ok()?;
            return (1..=253).contains(&octets).then_some(Self::OctetsOf(octets));
        }
        let found = TYPE_NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, kind)| *kind)
    }

    /// Whether attributes lie inside.
    pub fn holds_attributes(self) -> bool {
        matches!(self, Self::Tlv | Self::Extended | Self::LongExtended | Self::Vsa | Self::Evs)
    }

    /// The values that can have names; `None` for types without them.
    pub fn range(self) -> Option<std::ops::RangeInclusive<i64>> {
        match self {
            Self::Byte => Some(0..=0xff),
            Self::Short => Some(0..=0xffff),
            Self::Integer | Self::Date | Self::TimeDelta => Some(0..=0xffff_ffff),
            Self::Signed => Some(i32::MIN.into()..=i32::MAX.into()),
            Self::Integer64 => Some(0..=i64::MAX),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::OctetsOf(octets) = self {
            return write!(f, "octets[{octets}]");
        }
        let known = TYPE_NAMES.iter().find(|(_, kind)| kind == self);
        f.write_str(known.map_or("octets", |(name, _)| name))
    }
}

/// How a value is hidden on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// As User-Password (RFC 2865 §5.2).
    UserPassword,
    /// As Tunnel-Password, with a salt (RFC 2868 §3.5).
    TunnelPassword,
    /// As Ascend-Send-Secret.
    AscendSecret,
}

/// What a definition says besides the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// A tag stands before the value (RFC 2868 §3).
    pub has_tag: bool,
    /// The value is hidden on the wire.
    pub encrypt: Option<Encryption>,
    /// One attribute holds several values.
    pub array: bool,
    /// Several attributes hold one value.
    pub concat: bool,
    /// The attribute stands for something else and is never sent.
    pub virtual_: bool,
    /// The value does not print.
    pub secret: bool,
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encrypt = self.encrypt.map(|encryption| match encryption {
            Encryption::UserPassword => "encrypt=1",
            Encryption::TunnelPassword => "encrypt=2",
            Encryption::AscendSecret => "encrypt=3",
        });
        let named = |is: bool, name| is.then_some(name);
        let all = [
            named(self.has_tag, "has_tag"),
            encrypt,
            named(self.array, "array"),
            named(self.concat, "concat"),
            named(self.virtual_, "virtual"),
            named(self.secret, "secret"),
        ];
        for (n, flag) in all.iter().flatten().enumerate() {
            write!(f, "{}{flag}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// How a vendor lays out its sub-attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Octets of the type code: 1, 2 or 4.
    pub type_octets: u8,
    /// Octets of the length: 0 (the value ends where the attribute ends), 1 or 2.
    pub length_octets: u8,
    /// Whether an octet with a continuation bit follows, as in WiMAX.
    pub continuation: bool,
}

impl Default for Format {
    fn default() -> Self {
        Self { type_octets: 1, length_octets: 1, continuation: false }
    }
}

impl Format {
    /// The highest type code.
    pub fn type_max(self) -> u32 {
        match self.type_octets {
            1 => 0xff,
            2 => 0xffff,
            _ => u32::MAX,
        }
    }
}

/// The whole number of an attribute: one component, or the way from the outermost attribute
/// to the innermost, with vendors where they stand. `8`, `26.14988.8`, `241.5.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(Vec<u32>);

/// Components of a number.
pub(super) const COMPONENTS_MAX: usize = 12;

impl Number {
    pub(super) fn of(components: Vec<u32>) -> Self {
        Self(components)
    }

    /// The components, outermost first.
    pub fn components(&self) -> &[u32] {
        &self.0
    }

    /// The vendor, or 0 for the standard space.
    pub fn vendor(&self) -> u32 {
        match self.0[..] {
            [26, vendor, ..] => vendor,
            [241..=246, 26, vendor, ..] => vendor,
            _ => 0,
        }
    }
}

impl Borrow<[u32]> for Number {
    fn borrow(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, component) in self.0.iter().enumerate() {
            write!(f, "{}{component}", if n == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl FromStr for Number {
    type Err = ();

    /// Reads components in decimal, or in hexadecimal after `0x`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut components = Vec::new();
        for part in text.split('.') {
            if components.len() == COMPONENTS_MAX {
                return Err(());
            }
            components.push(integer(part).and_then(|n| n.try_into().ok()).ok_or(())?);
        }
        Ok(Self(components))
    }
}

/// A number without a sign, in decimal or in hexadecimal after `0x`.
pub(super) fn integer(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // The standard library would take a plus sign.
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}
