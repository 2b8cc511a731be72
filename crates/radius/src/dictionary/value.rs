//! Values as text, and back.
//!
//! Every value whose length suits its type has a text that reads back as the same octets. (An
//! IPv6 prefix has one spelling; on the wire it has several.)

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::definition::Definition;
use super::kind::{Type, integer};
use crate::value;

/// The value as text, or `None` where its length does not suit the type.
pub(super) fn show(definition: &Definition, value: &[u8]) -> Option<String> {
    let named = |number: i64| match definition.value_name(number) {
        Some(name) => name.to_owned(),
        None => number.to_string(),
    };
    Some(match definition.kind {
        Type::String => quoted(value),
        Type::OctetsOf(octets) if value.len() != octets.into() => return None,
        Type::Octets
        | Type::OctetsOf(_)
        | Type::Abinary
        | Type::Struct
        | Type::Tlv
        | Type::Extended
        | Type::LongExtended
        | Type::Vsa
        | Type::Evs => hex(value),
        Type::Integer | Type::TimeDelta => named(value::integer(value)?.into()),
        Type::Integer64 => {
            let number = u64::from_be_bytes(value.try_into().ok()?);
            let name = i64::try_from(number).ok().and_then(|small| definition.value_name(small));
            name.map_or_else(|| number.to_string(), str::to_owned)
        }
        Type::Byte => named(u8::from_be_bytes(value.try_into().ok()?).into()),
        Type::Short => named(u16::from_be_bytes(value.try_into().ok()?).into()),
        Type::Signed => named(i32::from_be_bytes(value.try_into().ok()?).into()),
        Type::Date => {
            let seconds = value::integer(value)?;
            let name = definition.value_name(seconds.into());
            name.map_or_else(|| date(seconds), str::to_owned)
        }
        Type::Ipv4 => value::ipv4(value)?.to_string(),
        Type::Ipv6 => value::ipv6(value)?.to_string(),
        Type::ComboIp => match value.len() {
            4 => value::ipv4(value)?.to_string(),
            _ => value::ipv6(value)?.to_string(),
        },
        Type::Ipv4Prefix => {
            let &[_, length, ref address @ ..] = value else { return None };
            let address = u32::from_be_bytes(address.try_into().ok()?);
            if length > 32 {
                return None;
            }
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from(address & mask))
        }
        Type::Ipv6Prefix => {
            let (address, length) = value::ipv6_prefix(value)?;
            format!("{address}/{length}")
        }
        Type::InterfaceId => {
            let ([a, b, c, d], []) = value.as_chunks::<2>() else { return None };
            let [a, b, c, d] = [a, b, c, d].map(|group| u16::from_be_bytes(*group));
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Type::Ether => {
            let [a, b, c, d, e, f] = <[u8; 6]>::try_from(value).ok()?;
            format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
        }
    })
}

/// The octets a text stands for, or what the type wants.
pub(super) fn read(definition: &Definition, text: &str) -> Result<Vec<u8>, &'static str> {
    let number = |wanted| {
        let named = definition.value_of(text);
        let negative = || Some(-i64::try_from(integer(text.strip_prefix('-')?)?).ok()?);
        let plain = || i64::try_from(integer(text)?).ok().or_else(negative);
        let found = named.or_else(plain).or_else(negative);
        let range = definition.kind.range();
        found.filter(|found| range.is_some_and(|range| range.contains(found))).ok_or(wanted)
    };
    match definition.kind {
        Type::String => match unquoted(text) {
            Some(value) => value,
            // Bare words are text as well.
            None => Ok(text.as_bytes().to_vec()),
        },
        Type::OctetsOf(octets) => {
            let wanted = "octets after 0x, as many as the type says";
            let value = unhex(text).or_else(|| unquoted(text)?.ok()).ok_or(wanted)?;
            if value.len() == usize::from(octets) { Ok(value) } else { Err(wanted) }
        }
        Type::Octets => {
            let value = unhex(text).or_else(|| unquoted(text)?.ok());
            value.ok_or("octets after 0x, or a quoted text")
        }
        Type::Abinary
        | Type::Struct
        | Type::Tlv
        | Type::Extended
        | Type::LongExtended
        | Type::Vsa
        | Type::Evs => unhex(text).ok_or("octets after 0x"),
        // In range: the casts keep every bit.
        Type::Integer => {
            let number = number("a number of 32 bits or the name of a value")?;
            Ok((number as u32).to_be_bytes().to_vec())
        }
        Type::TimeDelta => {
            let text = text.strip_suffix('s').unwrap_or(text);
            let seconds = definition.value_of(text).and_then(|value| value.try_into().ok());
            let seconds = seconds.or_else(|| u32::try_from(integer(text)?).ok());
            Ok(seconds.ok_or("a number of seconds, of 32 bits")?.to_be_bytes().to_vec())
        }
        Type::Integer64 => {
            let named = definition.value_of(text).and_then(|value| value.try_into().ok());
            let found: Option<u64> = named.or_else(|| integer(text));
            let found = found.ok_or("a number of 64 bits or the name of a value")?;
            Ok(found.to_be_bytes().to_vec())
        }
        Type::Byte => Ok(vec![number("a number of 8 bits or the name of a value")? as u8]),
        Type::Short => {
            let number = number("a number of 16 bits or the name of a value")?;
            Ok((number as u16).to_be_bytes().to_vec())
        }
        Type::Signed => {
            let number = number("a signed number of 32 bits or the name of a value")?;
            Ok((number as i32).to_be_bytes().to_vec())
        }
        Type::Date => {
            let named = definition.value_of(text).and_then(|value| value.try_into().ok());
            let found = named.or_else(|| read_date(text.trim_matches('"')));
            let wanted = "a date such as 2023-11-14T22:13:20Z, or seconds since 1970";
            Ok(found.ok_or(wanted)?.to_be_bytes().to_vec())
        }
        Type::Ipv4 => {
            let address: Ipv4Addr = text.parse().map_err(|_| "an IPv4 address")?;
            Ok(address.octets().to_vec())
        }
        Type::Ipv6 => {
            let address: Ipv6Addr = text.parse().map_err(|_| "an IPv6 address")?;
            Ok(address.octets().to_vec())
        }
        Type::ComboIp => match text.parse().map_err(|_| "an IPv4 or an IPv6 address")? {
            IpAddr::V4(address) => Ok(address.octets().to_vec()),
            IpAddr::V6(address) => Ok(address.octets().to_vec()),
        },
        Type::Ipv4Prefix => {
            let wanted = "an IPv4 prefix such as 192.0.2.0/24, with no bits beyond its length";
            let (address, length) = split_prefix(text).ok_or(wanted)?;
            let address: Ipv4Addr = address.parse().map_err(|_| wanted)?;
            let mask = u32::MAX.checked_shl(32u32.wrapping_sub(length.into())).unwrap_or(0);
            if length > 32 || u32::from(address) & !mask != 0 {
                return Err(wanted);
            }
            Ok([&[0, length][..], &address.octets()].concat())
        }
        Type::Ipv6Prefix => {
            let wanted = "an IPv6 prefix such as 2001:db8::/32, with no bits beyond its length";
            let (address, length) = split_prefix(text).ok_or(wanted)?;
            let address: Ipv6Addr = address.parse().map_err(|_| wanted)?;
            let mask = u128::MAX.checked_shl(128u32.wrapping_sub(length.into())).unwrap_or(0);
            if length > 128 || u128::from(address) & !mask != 0 {
                return Err(wanted);
            }
            // RFC 3162 §2.3: as many octets as the length needs.
            let octets = &address.octets()[..usize::from(length).div_ceil(8)];
            Ok([&[0, length][..], octets].concat())
        }
        Type::InterfaceId => {
            let groups = text.split(':').map(|group| hex_number(group, 4));
            let groups = groups.collect::<Option<Vec<u16>>>().filter(|groups| groups.len() == 4);
            let groups = groups.ok_or("four groups of hexadecimal digits, such as 0:1:2:abcd")?;
            Ok(groups.iter().flat_map(|group| group.to_be_bytes()).collect())
        }
        Type::Ether => {
            let octets = text.split([':', '-']).map(|octet| hex_number(octet, 2)?.try_into().ok());
            let octets = octets.collect::<Option<Vec<u8>>>().filter(|octets| octets.len() == 6);
            octets.ok_or("a MAC address such as 00:11:22:aa:bb:cc")
        }
    }
}

/// At most so many hexadecimal digits.
fn hex_number(text: &str, digits_max: usize) -> Option<u16> {
    if text.len() > digits_max || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(text, 16).ok()
}

fn split_prefix(text: &str) -> Option<(&str, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address, integer(length)?.try_into().ok()?))
}

/// Octets as `0x…`.
pub(super) fn hex(value: &[u8]) -> String {
    let mut out = String::from("0x");
    for octet in value {
        // Writing to a string cannot fail.
        let _ = write!(out, "{octet:02x}");
    }
    out
}

/// `0x…` as octets.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    // Two digits are an octet.
    pairs.iter().map(|&[high, low]| Some((digit(high)? * 16 + digit(low)?) as u8)).collect()
}

/// Text in quotes. Control characters and what is no UTF-8 stand as octal numbers, since what
/// strangers send ends up on terminals.
fn quoted(value: &[u8]) -> String {
    let mut out = String::from("\"");
    let octal = |out: &mut String, octets: &[u8]| {
        for octet in octets {
            let _ = write!(out, "\\{octet:03o}");
        }
    };
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                _ if character.is_control() => {
                    octal(&mut out, character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => out.push(character),
            }
        }
        octal(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

/// The octets of a text in quotes; `None` where it does not begin with one.
fn unquoted(text: &str) -> Option<Result<Vec<u8>, &'static str>> {
    let mut rest = text.strip_prefix('"')?.as_bytes();
    let wanted = "a text that ends with its quote, with \\\" \\\\ \\n \\r \\t and \\ooo in it";
    let mut out = Vec::new();
    loop {
        let after;
        (out, after) = match *rest {
            [b'"'] => return Some(Ok(out)),
            [b'\\', escaped @ (b'"' | b'\\' | b'n' | b'r' | b't'), ref after @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    escaped => escaped,
                });
                (out, after)
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ref after @ ..] => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                (out, after)
            }
            [b'\\' | b'"', ..] | [] => return Some(Err(wanted)),
            [octet, ref after @ ..] => {
                out.push(octet);
                (out, after)
            }
        };
        rest = after;
    }
}

/// Days from 1 March of the year 0, in the Gregorian calendar, to 1 January 1970.
const DAYS_TO_1970: u32 = 719_468;

/// `"2023-11-14T22:13:20Z"` (RFC 3339). Days become dates by counting 400-year cycles from
/// 1 March, when leap days come last.
fn date(seconds: u32) -> String {
    let (days, second) = (seconds / 86_400 + DAYS_TO_1970, seconds % 86_400);
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let leaps = day_of_cycle / 1_460 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle + day_of_cycle / 36_524 - leaps) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + u32::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z\"")
}

fn read_date(text: &str) -> Option<u32> {
    if let Some(seconds) = integer(text) {
        return seconds.try_into().ok();
    }
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = fields(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let in_range = (1970..=2106).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let (year, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400;
    let days = days + (153 * month_from_march + 2) / 5 + day - 1 - DAYS_TO_1970;
    let seconds = u64::from(days) * 86_400 + u64::from(hour * 3600 + minute * 60 + second);
    // 31 February reads back as another day, and is refused by that.
    let seconds = seconds.try_into().ok()?;
    (self::date(seconds).trim_matches('"') == text).then_some(seconds)
}

/// Three numbers of so many digits each.
fn fields(text: &str, separator: char, digits: [usize; 3]) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (field, digits) in out.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *field = part.bytes().all(|octet| octet.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(out)
}
