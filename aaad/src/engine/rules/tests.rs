use jiff::tz::TimeZone;

use super::*;

fn left(hours: &str, at: &str, zone: &str) -> Option<u32> {
    let zone = TimeZone::get(zone).unwrap();
    left_of(&Hours::parse(hours).unwrap(), at.parse().unwrap(), Some(&zone))
}

#[test]
fn hours_end_by_the_clock_on_the_wall() {
    // Monday.
    assert_eq!(left("Wk0800-1800", "2026-03-02T08:00:00Z", "UTC"), Some(36_000));
    assert_eq!(left("Wk0800-1800", "2026-03-02T17:59:30Z", "UTC"), Some(30));
    assert_eq!(left("Wk0800-1800", "2026-03-02T18:00:00Z", "UTC"), None);
    // The same instant lies elsewhere in the day.
    assert_eq!(left("Wk0800-1800", "2026-03-02T17:00:00Z", "Asia/Kolkata"), None);
    assert_eq!(left("Wk2200-2300", "2026-03-02T17:00:00Z", "Asia/Kolkata"), Some(1800));
    // The night in which the clock goes forward is an hour shorter, the other an hour longer.
    let (spring, autumn) = ("2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z");
    assert_eq!(left("Any0000-0600", spring, "Europe/Berlin"), Some(5 * 3600));
    assert_eq!(left("Any0000-0600", autumn, "Europe/Berlin"), Some(7 * 3600));
    assert_eq!(left("Al", spring, "Europe/Berlin"), Some(u32::MAX));
}

#[test]
fn a_port_is_named_by_text_or_number() {
    let mut request = Vec::new();
    radius_wire::write::push(&mut request, attr::NAS_PORT, &u32::MAX.to_be_bytes()).unwrap();
    let only_number = Attributes::parse(&request).unwrap();
    let ports = |text: &str| vec![text.to_owned()];
    assert!(port_is_one_of(&ports("4294967295"), only_number));
    assert!(port_is_one_of(&ports("42*"), only_number));
    assert!(!port_is_one_of(&ports("0"), only_number));
    let mut request = request.clone();
    radius_wire::write::push(&mut request, attr::NAS_PORT_ID, b"ether1").unwrap();
    let both = Attributes::parse(&request).unwrap();
    assert!(port_is_one_of(&ports("ETHER1"), both));
    assert!(!port_is_one_of(&ports("ether2"), both));
}
