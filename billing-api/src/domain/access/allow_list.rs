//! Addresses somebody may come from.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde_json::Value;

use super::texts;

/// Entries of a list at most.
pub(crate) const ENTRIES_MAX: usize = 50;

/// Whether a list lets an address in; an empty one lets everybody in. An entry that does not
/// read lets nobody in.
pub(crate) fn admits(list: &Value, address: IpAddr) -> bool {
    if list.as_array().is_some_and(Vec::is_empty) {
        return true;
    }
    let address = address.to_canonical();
    let within = |text: &str| text.parse::<IpNetwork>().is_ok_and(|net| net.contains(address));
    texts(list).into_iter().any(within)
}

/// As [`admits`], for a list that is kept as lines.
pub(crate) fn admits_lines(list: &str, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let within = |line: &str| line.parse::<IpNetwork>().is_ok_and(|net| net.contains(address));
    list.lines().any(within)
}

/// What is wrong with an entry.
pub(crate) fn fault(entry: &str) -> Option<&'static str> {
    match entry.parse::<IpNetwork>() {
        Err(_) => Some("is an address or a prefix such as 192.0.2.0/24"),
        Ok(net) if net.ip() != net.network() => Some("has bits set behind its prefix"),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_admits_what_it_names_and_an_empty_one_everybody() {
        let list = json!(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
        for good in ["192.0.2.9", "2001:db8::1", "198.51.100.7", "::ffff:192.0.2.9"] {
            assert!(admits(&list, good.parse().unwrap()), "{good}");
        }
        for bad in ["192.0.3.1", "198.51.100.8", "::1", "2001:db9::1"] {
            assert!(!admits(&list, bad.parse().unwrap()), "{bad}");
        }
        assert!(admits(&json!([]), "203.0.113.1".parse().unwrap()));
        for broken in [json!(null), json!("192.0.2.0/24"), json!(["x"]), json!([1])] {
            assert!(!admits(&broken, "192.0.2.1".parse().unwrap()), "{broken}");
        }
        assert!(fault("192.0.2.0/24").is_none() && fault("2001:db8::1").is_none());
        assert!(fault("192.0.2.1/24").is_some() && fault("office").is_some());
    }
}
