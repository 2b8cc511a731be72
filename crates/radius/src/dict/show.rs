//! An attribute as text: `Name = value`, the way `radclient` prints it.
//!
//! Passwords and keys print as `<hidden>`, and control characters are escaped, since what
//! strangers send ends up on terminals.

use std::fmt;

use super::entry;
use super::table::{Data, Entry};
use crate::attr;
use crate::attributes::Attribute;
use crate::value;

/// `Framed-IP-Address = 10.0.0.1`, `Mikrotik-Rate-Limit = "20M/50M"`, and
/// `Attr-26.14988.99 = 0x…` for what has no name here. Several sub-attributes in one
/// Vendor-Specific are separated by commas.
pub fn show<'a>(attribute: &Attribute<'a>) -> impl fmt::Display + use<'a> {
    let attribute = *attribute;
    fmt::from_fn(move |f| {
        if attribute.kind == attr::VENDOR_SPECIFIC {
            let mut separator = "";
            for inside in attribute.vendor_iter() {
                f.write_str(separator)?;
                line(f, inside.vendor, inside.kind, inside.value)?;
                separator = ", ";
            }
            if !separator.is_empty() {
                return Ok(());
            }
        }
        line(f, 0, attribute.kind, attribute.value)
    })
}

/// As [`show`], for one vendor sub-attribute.
pub fn show_vendor<'a>(vendor: u32, kind: u8, value: &'a [u8]) -> impl fmt::Display + use<'a> {
    fmt::from_fn(move |f| line(f, vendor, kind, value))
}

fn line(f: &mut fmt::Formatter<'_>, vendor: u32, kind: u8, value: &[u8]) -> fmt::Result {
    let Some(known) = entry(vendor, kind) else {
        if vendor == 0 {
            write!(f, "Attr-{kind} = ")?;
        } else {
            write!(f, "Attr-26.{vendor}.{kind} = ")?;
        }
        return octets(f, value);
    };
    f.write_str(known.name)?;
    if known.secret {
        return f.write_str(" = <hidden>");
    }
    // A value whose length does not suit its type falls through to its octets.
    match known.data {
        Data::Text => equals(f).and_then(|()| text(f, value)),
        Data::Integer => match value::integer(value) {
            Some(number) => equals(f).and_then(|()| integer(f, known, number)),
            None => raw(f, value),
        },
        Data::Ipv4 => match value::ipv4(value) {
            Some(address) => write!(f, " = {address}"),
            None => raw(f, value),
        },
        Data::Ipv6 => match value::ipv6(value) {
            Some(address) => write!(f, " = {address}"),
            None => raw(f, value),
        },
        Data::Ipv6Prefix => match value::ipv6_prefix(value) {
            Some((address, length)) => write!(f, " = {address}/{length}"),
            None => raw(f, value),
        },
        Data::InterfaceId => match value.as_chunks::<2>() {
            ([a, b, c, d], []) => {
                let [a, b, c, d] = [a, b, c, d].map(|group| u16::from_be_bytes(*group));
                write!(f, " = {a:x}:{b:x}:{c:x}:{d:x}")
            }
            _ => raw(f, value),
        },
        Data::Date => match value::integer(value) {
            Some(seconds) => equals(f).and_then(|()| date(f, seconds)),
            None => raw(f, value),
        },
        Data::TaggedInteger => match *value {
            [tag, a, b, c] => {
                write_tag(f, tag)?;
                integer(f, known, u32::from_be_bytes([0, a, b, c]))
            }
            _ => raw(f, value),
        },
        Data::TaggedText => match value.split_first() {
            Some((&tag @ ..=0x1f, rest)) => write_tag(f, tag).and_then(|()| text(f, rest)),
            _ => equals(f).and_then(|()| text(f, value)),
        },
        Data::Octets => raw(f, value),
    }
}

fn equals(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(" = ")
}

fn write_tag(f: &mut fmt::Formatter<'_>, tag: u8) -> fmt::Result {
    if tag == 0 { equals(f) } else { write!(f, ":{tag} = ") }
}

fn integer(f: &mut fmt::Formatter<'_>, known: &Entry, number: u32) -> fmt::Result {
    match known.value_name(number) {
        Some(name) => f.write_str(name),
        None => write!(f, "{number}"),
    }
}

fn raw(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    equals(f)?;
    octets(f, value)
}

fn octets(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    f.write_str("0x")?;
    value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

fn text(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    f.write_str("\"")?;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // In octal, octet by octet: C1 controls take two.
                _ if character.is_control() => {
                    let mut utf8 = [0; 4];
                    escape(f, character.encode_utf8(&mut utf8).as_bytes())?;
                }
                _ => fmt::Write::write_char(f, character)?,
            }
        }
        escape(f, chunk.invalid())?;
    }
    f.write_str("\"")
}

fn escape(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    value.iter().try_for_each(|octet| write!(f, "\\{octet:03o}"))
}

/// `"Nov 14 2023 22:13:20 UTC"`. Days become dates by counting 400-year cycles from 1 March
/// of the year 0, when leap days come last.
fn date(f: &mut fmt::Formatter<'_>, seconds: u32) -> fmt::Result {
    const MONTHS: [&str; 12] =
        ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    const DAYS_TO_1970: u32 = 719_468;
    let (days, second) = (seconds / 86_400 + DAYS_TO_1970, seconds % 86_400);
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / 146_096)
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = cycle * 400 + year_of_cycle + u32::from(month >= 10);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month = MONTHS[month as usize];
    write!(f, "\"{month} {day:2} {year} {hour:02}:{minute:02}:{second:02} UTC\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor;
    use crate::write::push_vendor;

    fn shown(kind: u8, value: &[u8]) -> String {
        show(&Attribute { kind, value }).to_string()
    }

    #[test]
    fn each_type_has_its_own_look() {
        for (kind, value, expected) in [
            (attr::USER_NAME, &b"alice"[..], r#"User-Name = "alice""#),
            (attr::NAS_PORT, &[0, 0, 1, 0], "NAS-Port = 256"),
            (attr::SERVICE_TYPE, &[0, 0, 0, 2], "Service-Type = Framed-User"),
            (attr::SERVICE_TYPE, &[0, 0, 0, 99], "Service-Type = 99"),
            (attr::FRAMED_IP_ADDRESS, &[10, 0, 0, 1], "Framed-IP-Address = 10.0.0.1"),
            (attr::CLASS, &[1, 0xab], "Class = 0x01ab"),
            (
                attr::FRAMED_IPV6_PREFIX,
                &[0, 32, 0x20, 1, 0xd, 0xb8],
                "Framed-IPv6-Prefix = 2001:db8::/32",
            ),
            (attr::FRAMED_INTERFACE_ID, &[0, 0, 0, 0, 0, 0, 0, 1], "Framed-Interface-Id = 0:0:0:1"),
            (attr::NAS_IPV6_ADDRESS, &[0; 16], "NAS-IPv6-Address = ::"),
            (attr::TUNNEL_TYPE, &[1, 0, 0, 13], "Tunnel-Type:1 = VLAN"),
            (attr::TUNNEL_TYPE, &[0, 0, 0, 3], "Tunnel-Type = L2TP"),
            (attr::TUNNEL_PRIVATE_GROUP_ID, b"\x02100", r#"Tunnel-Private-Group-Id:2 = "100""#),
            (attr::TUNNEL_PRIVATE_GROUP_ID, b"100", r#"Tunnel-Private-Group-Id = "100""#),
            (250, &[9], "Attr-250 = 0x09"),
        ] {
            assert_eq!(shown(kind, value), expected);
        }
    }

    #[test]
    fn a_value_of_the_wrong_length_shows_its_octets() {
        assert_eq!(shown(attr::NAS_PORT, &[1, 2]), "NAS-Port = 0x0102");
        assert_eq!(shown(attr::FRAMED_IP_ADDRESS, &[]), "Framed-IP-Address = 0x");
        assert_eq!(shown(attr::FRAMED_IPV6_PREFIX, &[0, 129]), "Framed-IPv6-Prefix = 0x0081");
        assert_eq!(shown(attr::TUNNEL_TYPE, &[13]), "Tunnel-Type = 0x0d");
    }

    #[test]
    fn dates_are_dates() {
        for (seconds, expected) in [
            (0u32, r#"Event-Timestamp = "Jan  1 1970 00:00:00 UTC""#),
            (951_782_400, r#"Event-Timestamp = "Feb 29 2000 00:00:00 UTC""#),
            (1_700_000_000, r#"Event-Timestamp = "Nov 14 2023 22:13:20 UTC""#),
            (u32::MAX, r#"Event-Timestamp = "Feb  7 2106 06:28:15 UTC""#),
        ] {
            assert_eq!(shown(attr::EVENT_TIMESTAMP, &seconds.to_be_bytes()), expected);
        }
    }

    #[test]
    fn text_cannot_move_the_cursor() {
        let value = b"a\"b\\c\n\x1b[2J\xff\xc2\x9b\xc3\xa9";
        let expected = r#"User-Name = "a\"b\\c\n\033[2J\377\302\233é""#;
        assert_eq!(shown(attr::USER_NAME, value), expected);
    }

    #[test]
    fn passwords_and_keys_are_hidden() {
        for kind in [attr::USER_PASSWORD, attr::CHAP_PASSWORD, attr::TUNNEL_PASSWORD] {
            assert!(shown(kind, &[7; 16]).ends_with(" = <hidden>"));
        }
        for kind in [1, 12, 16, 17, 25] {
            let shown = show_vendor(vendor::MICROSOFT, kind, &[7; 16]).to_string();
            assert!(shown.ends_with(" = <hidden>"));
        }
    }

    #[test]
    fn vendor_attributes_are_shown_one_by_one() {
        let mut bytes = Vec::new();
        push_vendor(&mut bytes, vendor::MIKROTIK, 8, b"20M/50M").unwrap();
        assert_eq!(shown(26, &bytes[2..]), r#"Mikrotik-Rate-Limit = "20M/50M""#);
        bytes.extend([99, 3, 0xfe]);
        let expected = r#"Mikrotik-Rate-Limit = "20M/50M", Attr-26.14988.99 = 0xfe"#;
        assert_eq!(shown(26, &bytes[2..]), expected);
        // One that lies inside, and one with nothing inside.
        assert_eq!(shown(26, &[0, 0, 0, 9, 1, 9]), "Vendor-Specific = 0x000000090109");
        assert_eq!(shown(26, &[0, 0, 0, 9]), "Vendor-Specific = 0x00000009");
    }
}
