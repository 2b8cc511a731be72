//! Names: for attributes and values, and text for whole attributes.
//!
//! - [`table`]: what we know of the attributes we meet.
//! - [`values`]: what their integers mean.
//! - [`show`]: an attribute as `radclient` prints it.
//!
//! The numbers are those of the RFCs, of IANA's registry and of the vendors' documentation.
//! An attribute missing here is still carried and shown, by its number.

pub mod table;
pub mod values;

mod show;

pub use show::{show, show_vendor};
pub use table::{Data, Entry};

/// For each standard attribute its place in the table, plus one; 0 for none.
static STANDARD_PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut n = 0;
    while n < table::STANDARD.len() {
        places[table::STANDARD[n].kind as usize] = n as u8 + 1;
        n += 1;
    }
    places
};

// A place and its "plus one" fit an octet.
const _: () = assert!(table::STANDARD.len() < 255);

/// What is known of an attribute; vendor 0 is the standard space.
pub fn entry(vendor: u32, kind: u8) -> Option<&'static Entry> {
    if vendor == 0 {
        let place = usize::from(STANDARD_PLACES[usize::from(kind)]).checked_sub(1)?;
        return table::STANDARD.get(place);
    }
    table::VENDORS.iter().find(|entry| entry.vendor == vendor && entry.kind == kind)
}

/// The name of an attribute; vendor 0 is the standard space.
pub fn name(vendor: u32, kind: u8) -> Option<&'static str> {
    entry(vendor, kind).map(|entry| entry.name)
}

/// The attribute of this name, in any letter case.
pub fn find(name: &str) -> Option<&'static Entry> {
    table::STANDARD.iter().chain(table::VENDORS).find(|entry| entry.name.eq_ignore_ascii_case(name))
}

/// The name of an integer attribute's value.
pub fn value_name(vendor: u32, kind: u8, value: u32) -> Option<&'static str> {
    entry(vendor, kind)?.value_name(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attr, vendor};

    #[test]
    fn attributes_are_found_by_number_and_by_name() {
        assert_eq!(name(0, attr::USER_NAME), Some("User-Name"));
        assert_eq!(name(vendor::MIKROTIK, 8), Some("Mikrotik-Rate-Limit"));
        assert_eq!(name(0, 255), None);
        assert_eq!(name(vendor::MIKROTIK, 99), None);
        let found = find("mikrotik-rate-limit").unwrap();
        assert_eq!((found.vendor, found.kind), (vendor::MIKROTIK, 8));
        assert!(find("No-Such-Attribute").is_none());
    }

    #[test]
    fn every_entry_is_found_by_its_number_and_by_its_name() {
        for entry in table::STANDARD.iter().chain(table::VENDORS) {
            assert_eq!(name(entry.vendor, entry.kind), Some(entry.name), "a number twice");
            let found = find(entry.name).unwrap();
            assert_eq!((found.vendor, found.kind), (entry.vendor, entry.kind), "a name twice");
        }
        assert!(table::STANDARD.iter().all(|entry| entry.vendor == 0));
        assert!(table::VENDORS.iter().all(|entry| entry.vendor != 0));
    }

    #[test]
    fn values_have_names() {
        assert_eq!(value_name(0, attr::ACCT_STATUS_TYPE, 3), Some("Interim-Update"));
        let cause = value_name(0, attr::ERROR_CAUSE, 503);
        assert_eq!(cause, Some("Session-Context-Not-Found"));
        assert_eq!(value_name(0, attr::ERROR_CAUSE, 1), None);
        assert_eq!(value_name(0, attr::USER_NAME, 1), None);
    }

    #[test]
    fn a_value_has_one_name_and_a_name_one_value() {
        for entry in table::STANDARD.iter().chain(table::VENDORS) {
            for (n, (value, name)) in entry.values.iter().enumerate() {
                let rest = &entry.values[n + 1..];
                assert!(rest.iter().all(|(v, m)| v != value && m != name), "{name}");
            }
        }
    }
}
