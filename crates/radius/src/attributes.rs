//! Attributes as they lie on the wire (RFC 2865 §5), borrowed and in order.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attr;
use crate::dict;
use crate::packet::{HEADER_OCTETS, ParseError};
use crate::value;

/// One attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The type code; see [`attr`].
    pub kind: u8,
    /// The value, without type and length: 0 to 253 octets.
    pub value: &'a [u8],
}

/// One vendor sub-attribute, unpacked from Vendor-Specific (RFC 2865 §5.26).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VendorAttribute<'a> {
    /// The vendor; see [`vendor`](crate::vendor).
    pub vendor: u32,
    /// The vendor's own type code.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

/// Attribute bytes whose every length has been checked: reading them cannot fail.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes<'a>(&'a [u8]);

/// Takes the first type-length-value off `rest`; `None` at the end or where a length lies.
fn split_first(rest: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let (&[kind, length], _) = rest.split_first_chunk::<2>()?;
    let (whole, rest) = rest.split_at_checked(length.into())?;
    Some((Attribute { kind, value: whole.get(2..)? }, rest))
}

/// Walks type-length-values to the end; the error is the offset of the first that lies.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(usize, Attribute<'a>),
) -> Result<(), usize> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let (attribute, after) = split_first(rest).ok_or(offset)?;
        each(offset, attribute);
        rest = after;
    }
    Ok(())
}

impl<'a> Attributes<'a> {
    /// Checks bare attribute bytes, such as those of a journaled record. The offset in the
    /// error counts from where the packet would begin, header included.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        walk(bytes, |_, _| {})
            .map_err(|offset| ParseError::Attribute { offset: HEADER_OCTETS + offset })?;
        Ok(Self(bytes))
    }

    /// Takes bytes that [`walk`] has accepted.
    pub(crate) fn of_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every attribute in order.
    pub fn iter(&self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The value of the first attribute of this kind.
    pub fn first(&self, kind: u8) -> Option<&'a [u8]> {
        self.all(kind).next()
    }

    /// The values of every attribute of this kind, in order.
    pub fn all(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.iter().filter(move |attribute| attribute.kind == kind).map(|found| found.value)
    }

    /// Every vendor sub-attribute in order. A Vendor-Specific whose inside does not follow the
    /// recommended format is passed over whole: none of its lengths can be believed.
    pub fn vendor_iter(&self) -> impl Iterator<Item = VendorAttribute<'a>> + use<'a> {
        self.iter().flat_map(|attribute| attribute.vendor_iter())
    }

    /// The value of the first sub-attribute of this vendor and kind.
    pub fn vendor(&self, vendor: u32, kind: u8) -> Option<&'a [u8]> {
        self.vendor_iter()
            .find(|found| found.vendor == vendor && found.kind == kind)
            .map(|found| found.value)
    }

    /// The first of this kind as an integer; absent where it is not four octets.
    pub fn u32(&self, kind: u8) -> Option<u32> {
        self.first(kind).and_then(value::integer)
    }

    /// The first of this kind as an IPv4 address; absent where it is not four octets.
    pub fn ipv4(&self, kind: u8) -> Option<Ipv4Addr> {
        self.first(kind).and_then(value::ipv4)
    }

    /// The first of this kind as an IPv6 address; absent where it is not sixteen octets.
    pub fn ipv6(&self, kind: u8) -> Option<Ipv6Addr> {
        self.first(kind).and_then(value::ipv6)
    }

    /// The first of this kind as text; absent where it is not UTF-8.
    pub fn text(&self, kind: u8) -> Option<&'a str> {
        self.first(kind).and_then(|value| std::str::from_utf8(value).ok())
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = Attribute<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Walks [`Attributes`].
#[derive(Debug, Clone)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (attribute, rest) = split_first(self.0)?;
        self.0 = rest;
        Some(attribute)
    }
}

impl<'a> Attribute<'a> {
    /// The sub-attributes inside, where this is a well-formed Vendor-Specific; else none.
    pub fn vendor_iter(&self) -> impl Iterator<Item = VendorAttribute<'a>> + use<'a> {
        let (vendor, inside) = match self.value.split_first_chunk::<4>() {
            Some((vendor, inside))
                if self.kind == attr::VENDOR_SPECIFIC && walk(inside, |_, _| {}).is_ok() =>
            {
                (u32::from_be_bytes(*vendor), inside)
            }
            _ => (0, &[][..]),
        };
        Iter(inside).map(move |found| VendorAttribute {
            vendor,
            kind: found.kind,
            value: found.value,
        })
    }

    /// The value as an integer, where it is four octets.
    pub fn u32(&self) -> Option<u32> {
        value::integer(self.value)
    }

    /// The value as an IPv4 address, where it is four octets.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        value::ipv4(self.value)
    }

    /// The value as an IPv6 address, where it is sixteen octets.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        value::ipv6(self.value)
    }
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Through the dictionary, so that a password is hidden here as well.
        fmt::Display::fmt(&dict::show(self), f)
    }
}

impl fmt::Debug for VendorAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&dict::show_vendor(self.vendor, self.kind, self.value), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor;

    #[test]
    fn attributes_come_in_order_and_by_kind() {
        let bytes = [1, 5, b'b', b'o', b'b', 33, 3, 9, 33, 2, 5, 6, 0, 0, 1, 2];
        let attributes = Attributes::parse(&bytes).unwrap();
        let kinds: Vec<u8> = attributes.iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [1, 33, 33, 5]);
        assert_eq!(attributes.text(attr::USER_NAME), Some("bob"));
        assert_eq!(attributes.all(attr::PROXY_STATE).collect::<Vec<_>>(), [&[9][..], &[]]);
        assert_eq!(attributes.u32(attr::NAS_PORT), Some(258));
        assert_eq!(attributes.first(attr::CLASS), None);
        assert_eq!(attributes.as_bytes(), bytes);
    }

    #[test]
    fn a_length_that_lies_is_found_where_it_lies() {
        for (bytes, offset) in [
            (&[1u8][..], 20),
            (&[1, 0], 20),
            (&[1, 1], 20),
            (&[1, 3], 20),
            (&[1, 2, 2, 255], 22),
            (&[1, 3, 0, 7], 23),
        ] {
            assert_eq!(Attributes::parse(bytes), Err(ParseError::Attribute { offset }));
        }
    }

    #[test]
    fn one_vendor_specific_holds_several_sub_attributes() {
        let mut bytes = vec![26, 4 + 2 + 6 + 4, 0, 0, 0x3a, 0x8c];
        bytes.extend([8, 6, b'2', b'M', b'/', b'5', 19, 4, b'o', b'k']);
        bytes.extend([26, 12, 0, 0, 0x37, 0x2a, 8, 6, 0, 0, 0, 7]);
        let attributes = Attributes::parse(&bytes).unwrap();
        let found: Vec<(u32, u8)> = attributes.vendor_iter().map(|v| (v.vendor, v.kind)).collect();
        assert_eq!(found, [(vendor::MIKROTIK, 8), (vendor::MIKROTIK, 19), (vendor::WISPR, 8)]);
        let list = attributes.vendor(vendor::MIKROTIK, attr::mikrotik::ADDRESS_LIST);
        assert_eq!(list, Some(&b"ok"[..]));
        let down = attributes.vendor(vendor::WISPR, attr::wispr::BANDWIDTH_MAX_DOWN);
        assert_eq!(down.and_then(value::integer), Some(7));
    }

    #[test]
    fn a_vendor_specific_that_lies_inside_is_passed_over_whole() {
        for inside in [&[8, 3][..], &[8, 3, 1, 9, 0], &[8, 1], &[8]] {
            let mut bytes = vec![26, 6 + inside.len() as u8, 0, 0, 0x3a, 0x8c];
            bytes.extend_from_slice(inside);
            let attributes = Attributes::parse(&bytes).unwrap();
            assert_eq!(attributes.vendor_iter().count(), 0, "{inside:?}");
        }
        assert_eq!(Attributes::parse(&[26, 4, 0, 0]).unwrap().vendor_iter().count(), 0);
    }

    #[test]
    fn printing_an_attribute_hides_a_password() {
        let attributes = Attributes::parse(&[1, 3, b'a', 2, 4, 7, 7]).unwrap();
        assert_eq!(format!("{attributes:?}"), r#"[User-Name = "a", User-Password = <hidden>]"#);
    }
}
