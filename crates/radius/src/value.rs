//! The values inside attributes, read with their length checked.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A value as an integer, where it is four octets.
pub fn integer(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// A value as an IPv4 address, where it is four octets.
pub fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    integer(value).map(Ipv4Addr::from)
}

/// A value as an IPv6 address, where it is sixteen octets.
pub fn ipv6(value: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(value).ok().map(Ipv6Addr::from)
}

/// A value as an IPv6 prefix (RFC 3162 §2.3): a reserved octet, the prefix length, and as many
/// octets of the prefix as its length needs. Bits beyond the length are cleared, since NAS
/// differ in clearing them and one prefix should have one spelling.
pub fn ipv6_prefix(value: &[u8]) -> Option<(Ipv6Addr, u8)> {
    let (&[_, length], prefix) = value.split_first_chunk::<2>()?;
    if length > 128 || prefix.len() > 16 || prefix.len() < usize::from(length).div_ceil(8) {
        return None;
    }
    let mut octets = [0; 16];
    octets[..prefix.len()].copy_from_slice(prefix);
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    Some((Ipv6Addr::from(u128::from_be_bytes(octets) & mask), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_wrong_length_are_absent() {
        assert_eq!(integer(&[0, 0, 1]), None);
        assert_eq!(ipv4(&[10, 0, 0, 1, 0]), None);
        assert_eq!(ipv4(&[10, 0, 0, 1]), Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(ipv6(&[0; 15]), None);
        assert_eq!(ipv6(&[0; 16]), Some(Ipv6Addr::UNSPECIFIED));
    }

    #[test]
    fn an_ipv6_prefix_has_one_spelling() {
        let documentation: Ipv6Addr = "2001:db8::".parse().unwrap();
        let short = [0, 32, 0x20, 0x01, 0x0d, 0xb8];
        assert_eq!(ipv6_prefix(&short), Some((documentation, 32)));
        let mut untidy = vec![0, 32];
        untidy.extend_from_slice(&"2001:db8:ffff::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(ipv6_prefix(&untidy), Some((documentation, 32)));
        assert_eq!(ipv6_prefix(&[0, 0]), Some((Ipv6Addr::UNSPECIFIED, 0)));
        let lies: [&[u8]; 4] = [&[0, 129], &[0, 33, 0x20, 0x01, 0x0d, 0xb8], &[0], &[0; 19]];
        for lie in lies {
            assert_eq!(ipv6_prefix(lie), None, "{lie:?}");
        }
    }
}
