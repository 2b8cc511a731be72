//! What a server answers, and in what two answers differ.

use radius_wire::attr::{self, microsoft};
use radius_wire::auth::mppe_decrypt;
use radius_wire::dictionary::Dictionary;
use radius_wire::{Attribute, Attributes, ClientKey, Code, vendor};

/// One attribute of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// `Name = value`, as it is printed.
    pub(super) text: String,
    /// What decides, where the text does not show the value.
    hidden: Option<Vec<u8>>,
}

impl Shown {
    fn name(&self) -> &str {
        self.text.split_once(" = ").map_or(&self.text, |(name, _)| name)
    }

    fn number(&self) -> Option<f64> {
        self.text.split_once(" = ")?.1.parse().ok()
    }
}

/// An answer that is proven to come from its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) attributes: Vec<Shown>,
}

impl Answer {
    /// Reads the attributes. The keys of MPPE, salted anew in each answer, are compared in clear.
    pub(super) fn of(
        code: Code,
        attributes: Attributes<'_>,
        key: &ClientKey,
        authenticator: &[u8; 16],
        dictionary: &Dictionary,
    ) -> Self {
        let mut shown = Vec::new();
        for attribute in attributes {
            let mut inside = attribute.vendor_iter().peekable();
            if inside.peek().is_none() {
                let text = dictionary.show(&attribute);
                let hidden = veiled(&text, attribute.value);
                shown.push(Shown { text, hidden });
                continue;
            }
            // A Vendor-Specific may hold several; they are compared one by one.
            for own in inside {
                let mut value = own.vendor.to_be_bytes().to_vec();
                // It was read from a packet: its length fits an octet.
                value.extend([own.kind, own.value.len() as u8 + 2]);
                value.extend_from_slice(own.value);
                let one = Attribute { kind: attr::VENDOR_SPECIFIC, value: &value };
                let is_key = own.vendor == vendor::MICROSOFT
                    && [microsoft::MPPE_SEND_KEY, microsoft::MPPE_RECV_KEY].contains(&own.kind);
                let hidden = is_key.then(|| {
                    let clear = mppe_decrypt(own.value, key, authenticator);
                    clear.map_or_else(|| own.value.to_vec(), |clear| clear.to_vec())
                });
                let text = dictionary.show(&one);
                let hidden = hidden.or_else(|| veiled(&text, own.value));
                shown.push(Shown { text, hidden });
            }
        }
        Self { code, attributes: shown }
    }
}

/// The value of what prints as hidden, so that two of them are not taken to be the same.
fn veiled(text: &str, value: &[u8]) -> Option<Vec<u8>> {
    text.ends_with(" = <hidden>").then(|| value.to_vec())
}

/// What is looked at, and how closely.
#[derive(Debug, Default)]
pub(super) struct Care {
    /// Names that do not count, in lower case.
    pub(super) ignored: Vec<String>,
    /// Numbers that may differ, in percent, by the name in lower case.
    pub(super) near: Vec<(String, f64)>,
    /// Whether the order counts.
    pub(super) order: bool,
}

impl Care {
    fn counts(&self, shown: &Shown) -> bool {
        !self.ignored.iter().any(|name| shown.name().eq_ignore_ascii_case(name))
    }

    fn same(&self, left: &Shown, right: &Shown) -> bool {
        if left == right {
            return true;
        }
        let near = self.near.iter().find(|(name, _)| left.name().eq_ignore_ascii_case(name));
        let (Some((_, percent)), true) = (near, left.name() == right.name()) else { return false };
        match (left.number(), right.number()) {
            (Some(left), Some(right)) => {
                (left - right).abs() <= left.abs().max(right.abs()) * percent / 100.0
            }
            _ => false,
        }
    }
}

/// In what two answers differ.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Difference {
    /// Only the left has it.
    pub(super) left: Vec<String>,
    /// Only the right has it.
    pub(super) right: Vec<String>,
    /// They have the same in another order.
    pub(super) reordered: bool,
}

impl Difference {
    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two answers.
pub(super) fn compare(left: &Answer, right: &Answer, care: &Care) -> Difference {
    let mut difference = Difference::default();
    if left.code != right.code {
        difference.left.push(left.code.to_string());
        difference.right.push(right.code.to_string());
    }
    let counted = |answer: &Answer| -> Vec<Shown> {
        answer.attributes.iter().filter(|shown| care.counts(shown)).cloned().collect()
    };
    let (left, mut rest) = (counted(left), counted(right));
    if care.order && left.len() == rest.len() {
        let same = |(left, right): (&Shown, &Shown)| care.same(left, right);
        if left.iter().zip(&rest).all(same) {
            return difference;
        }
    }
    for own in &left {
        match rest.iter().position(|other| care.same(own, other)) {
            Some(at) => {
                rest.remove(at);
            }
            None => difference.left.push(own.text.clone()),
        }
    }
    difference.right.extend(rest.into_iter().map(|shown| shown.text));
    difference.reordered = care.order && difference.left.is_empty() && difference.right.is_empty();
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: Code, texts: &[&str]) -> Answer {
        let shown = |text: &&str| Shown { text: (*text).to_owned(), hidden: None };
        Answer { code, attributes: texts.iter().map(shown).collect() }
    }

    const OK: Code = Code::ACCESS_ACCEPT;

    #[test]
    fn attributes_differ_by_value_and_count_and_not_by_order() {
        let care = Care { ignored: vec!["class".to_owned()], ..Care::default() };
        let left = answer(OK, &["A = 1", "B = 2", "Class = 0x01"]);
        assert!(compare(&left, &answer(OK, &["B = 2", "A = 1"]), &care).is_none());
        let found = compare(&left, &answer(OK, &["A = 1", "A = 1", "B = 3"]), &care);
        assert_eq!(
            (found.left, found.right),
            (vec!["B = 2".into()], vec!["A = 1".into(), "B = 3".into()])
        );
        let found = compare(&left, &answer(Code::ACCESS_REJECT, &["A = 1", "B = 2"]), &care);
        assert_eq!((&*found.left[0], &*found.right[0]), ("Access-Accept", "Access-Reject"));
        let care = Care { order: true, ..care };
        let found = compare(&left, &answer(OK, &["B = 2", "A = 1"]), &care);
        assert!(found.reordered && found.left.is_empty());
    }

    #[test]
    fn numbers_may_be_near_where_it_is_said() {
        let care = Care { near: vec![("a".to_owned(), 10.0)], ..Care::default() };
        let left = answer(OK, &["A = 300"]);
        assert!(compare(&left, &answer(OK, &["A = 330"]), &care).is_none());
        assert!(!compare(&left, &answer(OK, &["A = 350"]), &care).is_none());
        assert!(!compare(&left, &answer(OK, &["A = x"]), &care).is_none());
        let other = answer(OK, &["B = 300"]);
        assert!(!compare(&other, &answer(OK, &["B = 301"]), &care).is_none());
    }

    #[test]
    fn keys_are_compared_in_clear_and_never_shown() {
        use radius_wire::auth::mppe_encrypt;
        let dictionary = radius_wire::dictionary::builtin().unwrap();
        let read = |secret: &[u8], clear: [u8; 16], salt| {
            let key = ClientKey::new(secret);
            let value = mppe_encrypt(&clear, &key, &[3; 16], salt);
            let mut octets = Vec::new();
            let kind = microsoft::MPPE_SEND_KEY;
            radius_wire::write::push_vendor(&mut octets, vendor::MICROSOFT, kind, &value).unwrap();
            let attributes = Attributes::parse(&octets).unwrap();
            Answer::of(OK, attributes, &key, &[3; 16], &dictionary)
        };
        let care = Care::default();
        let left = read(b"one", [7; 16], [1, 2]);
        assert!(compare(&left, &read(b"two", [7; 16], [3, 4]), &care).is_none());
        let found = compare(&left, &read(b"two", [8; 16], [3, 4]), &care);
        assert_eq!(found.left, ["MS-MPPE-Send-Key = <hidden>"]);
    }
}
