//! What an accounting request says (RFC 2866 §5, RFC 2869 §5, RFC 3162, 4818, 6911), read in
//! one pass and borrowed.
//!
//! Directions: *input* is what the NAS received from the subscriber, that is upload; *output*
//! is download (RFC 2866 §5.3 and §5.4).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attr;
use crate::attributes::Attributes;
use crate::dict;
use crate::value;

/// Acct-Status-Type (RFC 2866 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 1: a session begins.
    Start,
    /// 2: a session has ended.
    Stop,
    /// 3: a session goes on.
    Interim,
    /// 7: the NAS has started; its sessions are gone.
    On,
    /// 8: the NAS is about to stop.
    Off,
    /// Any other; 0, which is not assigned, where there is none.
    Other(u32),
}

impl From<u32> for Status {
    fn from(value: u32) -> Self {
        match value {
            1 => Self::Start,
            2 => Self::Stop,
            3 => Self::Interim,
            7 => Self::On,
            8 => Self::Off,
            other => Self::Other(other),
        }
    }
}

impl From<Status> for u32 {
    fn from(status: Status) -> Self {
        match status {
            Status::Start => 1,
            Status::Stop => 2,
            Status::Interim => 3,
            Status::On => 7,
            Status::Off => 8,
            Status::Other(other) => other,
        }
    }
}

/// The facts of one accounting request. The first attribute of a kind counts. One that is
/// empty or has the wrong length is treated as absent and counted in `malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// What has happened.
    pub status: Status,
    /// Acct-Session-Id, to be echoed octet for octet.
    pub acct_session_id: Option<&'a [u8]>,
    /// Acct-Multi-Session-Id.
    pub acct_multi_session_id: Option<&'a [u8]>,
    /// User-Name.
    pub user_name: Option<&'a [u8]>,
    /// Class, as our Access-Accept gave it.
    pub class: Option<&'a [u8]>,
    /// Calling-Station-Id: who calls, often a MAC.
    pub calling_station: Option<&'a [u8]>,
    /// Called-Station-Id: what was called.
    pub called_station: Option<&'a [u8]>,
    /// NAS-Port.
    pub nas_port: Option<u32>,
    /// NAS-Port-Id.
    pub nas_port_id: Option<&'a [u8]>,
    /// Framed-IP-Address.
    pub framed_ip: Option<Ipv4Addr>,
    /// Framed-IPv6-Prefix.
    pub framed_ipv6_prefix: Option<(Ipv6Addr, u8)>,
    /// Delegated-IPv6-Prefix.
    pub delegated_ipv6_prefix: Option<(Ipv6Addr, u8)>,
    /// Framed-IPv6-Address.
    pub framed_ipv6_address: Option<Ipv6Addr>,
    /// Acct-Session-Time; 0 where absent, as for all counters.
    pub session_time_s: u32,
    /// From the subscriber: upload. Gigawords included.
    pub input_octets: u64,
    /// To the subscriber: download. Gigawords included.
    pub output_octets: u64,
    /// Packets from the subscriber.
    pub input_packets: u32,
    /// Packets to the subscriber.
    pub output_packets: u32,
    /// Event-Timestamp, seconds since 1970-01-01 UTC by the NAS's clock.
    pub event_timestamp: Option<u32>,
    /// Acct-Delay-Time: for how long the NAS has been trying to send this.
    pub delay_s: u32,
    /// Acct-Terminate-Cause; 0, which is not assigned, where absent.
    pub terminate_cause: u32,
    /// NAS-Identifier.
    pub nas_identifier: Option<&'a [u8]>,
    /// NAS-IP-Address.
    pub nas_ip: Option<Ipv4Addr>,
    /// NAS-IPv6-Address.
    pub nas_ipv6: Option<Ipv6Addr>,
    /// Known attributes that could not be read.
    pub malformed: u8,
}

impl<'a> Facts<'a> {
    /// Reads them.
    pub fn of(attributes: Attributes<'a>) -> Self {
        let mut malformed = 0u8;
        let mut status = None;
        let (mut acct_session_id, mut acct_multi_session_id) = (None, None);
        let (mut user_name, mut class) = (None, None);
        let (mut calling_station, mut called_station) = (None, None);
        let (mut nas_port, mut nas_port_id) = (None, None);
        let (mut framed_ip, mut framed_ipv6_address) = (None, None);
        let (mut framed_ipv6_prefix, mut delegated_ipv6_prefix) = (None, None);
        let (mut session_time_s, mut delay_s) = (None, None);
        let (mut input_low, mut input_high) = (None, None);
        let (mut output_low, mut output_high) = (None, None);
        let (mut input_packets, mut output_packets) = (None, None);
        let (mut event_timestamp, mut terminate_cause) = (None, None);
        let (mut nas_identifier, mut nas_ip, mut nas_ipv6) = (None, None, None);

        for attribute in attributes {
            let value = attribute.value;
            let readable = match attribute.kind {
                attr::USER_NAME => keep(&mut user_name, octets_of(value)),
                attr::NAS_IP_ADDRESS => keep(&mut nas_ip, value::ipv4(value)),
                attr::NAS_PORT => keep(&mut nas_port, value::integer(value)),
                attr::FRAMED_IP_ADDRESS => keep(&mut framed_ip, value::ipv4(value)),
                attr::CLASS => keep(&mut class, octets_of(value)),
                attr::CALLED_STATION_ID => keep(&mut called_station, octets_of(value)),
                attr::CALLING_STATION_ID => keep(&mut calling_station, octets_of(value)),
                attr::NAS_IDENTIFIER => keep(&mut nas_identifier, octets_of(value)),
                attr::ACCT_STATUS_TYPE => keep(&mut status, value::integer(value)),
                attr::ACCT_DELAY_TIME => keep(&mut delay_s, value::integer(value)),
                attr::ACCT_INPUT_OCTETS => keep(&mut input_low, value::integer(value)),
                attr::ACCT_OUTPUT_OCTETS => keep(&mut output_low, value::integer(value)),
                attr::ACCT_SESSION_ID => keep(&mut acct_session_id, octets_of(value)),
                attr::ACCT_SESSION_TIME => keep(&mut session_time_s, value::integer(value)),
                attr::ACCT_INPUT_PACKETS => keep(&mut input_packets, value::integer(value)),
                attr::ACCT_OUTPUT_PACKETS => keep(&mut output_packets, value::integer(value)),
                attr::ACCT_TERMINATE_CAUSE => keep(&mut terminate_cause, value::integer(value)),
                attr::ACCT_MULTI_SESSION_ID => keep(&mut acct_multi_session_id, octets_of(value)),
                attr::ACCT_INPUT_GIGAWORDS => keep(&mut input_high, value::integer(value)),
                attr::ACCT_OUTPUT_GIGAWORDS => keep(&mut output_high, value::integer(value)),
                attr::EVENT_TIMESTAMP => keep(&mut event_timestamp, value::integer(value)),
                attr::NAS_PORT_ID => keep(&mut nas_port_id, octets_of(value)),
                attr::NAS_IPV6_ADDRESS => keep(&mut nas_ipv6, value::ipv6(value)),
                attr::FRAMED_IPV6_PREFIX => {
                    keep(&mut framed_ipv6_prefix, value::ipv6_prefix(value))
                }
                attr::DELEGATED_IPV6_PREFIX => {
                    keep(&mut delegated_ipv6_prefix, value::ipv6_prefix(value))
                }
                attr::FRAMED_IPV6_ADDRESS => keep(&mut framed_ipv6_address, value::ipv6(value)),
                _ => true,
            };
            malformed = malformed.saturating_add(u8::from(!readable));
        }
        Self {
            status: Status::from(status.unwrap_or(0)),
            acct_session_id,
            acct_multi_session_id,
            user_name,
            class,
            calling_station,
            called_station,
            nas_port,
            nas_port_id,
            framed_ip,
            framed_ipv6_prefix,
            delegated_ipv6_prefix,
            framed_ipv6_address,
            session_time_s: session_time_s.unwrap_or(0),
            input_octets: octets(input_high, input_low),
            output_octets: octets(output_high, output_low),
            input_packets: input_packets.unwrap_or(0),
            output_packets: output_packets.unwrap_or(0),
            event_timestamp,
            delay_s: delay_s.unwrap_or(0),
            terminate_cause: terminate_cause.unwrap_or(0),
            nas_identifier,
            nas_ip,
            nas_ipv6,
            malformed,
        }
    }

    /// Adds what vendors count of IPv6 in attributes of their own, for a NAS whose standard
    /// counters leave it out.
    pub fn add_ipv6_counters(&mut self, attributes: Attributes<'a>) {
        for [vendor, input, input_high, output, output_high] in IPV6_COUNTERS {
            let number = |kind: u32| {
                let value = attributes.vendor(vendor, kind as u8)?;
                value::integer(value)
            };
            let (input, output) = (
                octets(number(input_high), number(input)),
                octets(number(output_high), number(output)),
            );
            self.input_octets = self.input_octets.saturating_add(input);
            self.output_octets = self.output_octets.saturating_add(output);
        }
    }

    /// The terminate cause in words, where there is one and it has some.
    pub fn terminate_cause_name(&self) -> Option<&'static str> {
        terminate_cause_name(self.terminate_cause)
    }
}

/// Vendor, then its attributes for octets of IPv6 and their gigawords: from the subscriber, and
/// to it. After the vendors' dictionaries: Huawei, H3C, Juniper, Nokia.
const IPV6_COUNTERS: [[u32; 5]; 4] = [
    [2011, 144, 148, 145, 149],
    [25506, 144, 148, 145, 149],
    [4874, 151, 155, 152, 156],
    [6527, 195, 196, 198, 199],
];

/// The name of an Acct-Terminate-Cause (RFC 2866 §5.10, RFC 3580 §2.3).
pub fn terminate_cause_name(cause: u32) -> Option<&'static str> {
    dict::value_name(0, attr::ACCT_TERMINATE_CAUSE, cause)
}

/// Keeps the first value that could be read; whether this one could.
fn keep<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let readable = value.is_some();
    if place.is_none() {
        *place = value;
    }
    readable
}

/// A value that says something.
fn octets_of(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}

/// Gigawords count the times the 32-bit counter went round (RFC 2869 §5.1).
fn octets(high: Option<u32>, low: Option<u32>) -> u64 {
    u64::from(high.unwrap_or(0)) << 32 | u64::from(low.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::push;

    fn interim() -> Vec<u8> {
        let mut out = Vec::new();
        let mut integer = |kind, value: u32| push(&mut out, kind, &value.to_be_bytes()).unwrap();
        integer(attr::ACCT_STATUS_TYPE, 3);
        integer(attr::NAS_PORT, 15_728_640);
        integer(attr::ACCT_SESSION_TIME, 3600);
        integer(attr::ACCT_INPUT_OCTETS, 5);
        integer(attr::ACCT_INPUT_GIGAWORDS, 1);
        integer(attr::ACCT_OUTPUT_OCTETS, u32::MAX);
        integer(attr::ACCT_OUTPUT_GIGAWORDS, 2);
        integer(attr::ACCT_INPUT_PACKETS, 11);
        integer(attr::ACCT_OUTPUT_PACKETS, 12);
        integer(attr::EVENT_TIMESTAMP, 1_700_000_000);
        integer(attr::ACCT_DELAY_TIME, 4);
        integer(attr::ACCT_TERMINATE_CAUSE, 10);
        for (kind, value) in [
            (attr::USER_NAME, &b"alice"[..]),
            (attr::ACCT_SESSION_ID, b"81000001"),
            (attr::CLASS, b"class"),
            (attr::CALLING_STATION_ID, b"AA:BB:CC:DD:EE:FF"),
            (attr::CALLED_STATION_ID, b"pppoe"),
            (attr::NAS_PORT_ID, b"ether1"),
            (attr::NAS_IDENTIFIER, b"tower"),
            (attr::NAS_IP_ADDRESS, &[192, 0, 2, 1]),
            (attr::FRAMED_IP_ADDRESS, &[10, 0, 0, 9]),
            (attr::FRAMED_IPV6_PREFIX, &[0, 32, 0x20, 0x01, 0x0d, 0xb8]),
            (attr::DELEGATED_IPV6_PREFIX, &[0, 40, 0x20, 0x01, 0x0d, 0xb8, 0x7f]),
        ] {
            push(&mut out, kind, value).unwrap();
        }
        out
    }

    #[test]
    fn every_fact_is_found() {
        let bytes = interim();
        let facts = Facts::of(Attributes::parse(&bytes).unwrap());
        assert_eq!(facts.status, Status::Interim);
        assert_eq!(facts.acct_session_id, Some(&b"81000001"[..]));
        assert_eq!(facts.user_name, Some(&b"alice"[..]));
        assert_eq!(facts.class, Some(&b"class"[..]));
        assert_eq!(facts.calling_station, Some(&b"AA:BB:CC:DD:EE:FF"[..]));
        assert_eq!(facts.called_station, Some(&b"pppoe"[..]));
        assert_eq!(facts.nas_port, Some(15_728_640));
        assert_eq!(facts.nas_port_id, Some(&b"ether1"[..]));
        assert_eq!(facts.framed_ip, Some(Ipv4Addr::new(10, 0, 0, 9)));
        assert_eq!(facts.framed_ipv6_prefix, Some(("2001:db8::".parse().unwrap(), 32)));
        assert_eq!(facts.delegated_ipv6_prefix, Some(("2001:db8:7f00::".parse().unwrap(), 40)));
        assert_eq!(facts.session_time_s, 3600);
        assert_eq!(facts.input_octets, (1 << 32) + 5);
        assert_eq!(facts.output_octets, (3 << 32) - 1);
        assert_eq!((facts.input_packets, facts.output_packets), (11, 12));
        assert_eq!(facts.event_timestamp, Some(1_700_000_000));
        assert_eq!(facts.delay_s, 4);
        assert_eq!(facts.terminate_cause_name(), Some("NAS-Request"));
        assert_eq!(facts.nas_identifier, Some(&b"tower"[..]));
        assert_eq!(facts.nas_ip, Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(facts.malformed, 0);
    }

    #[test]
    fn separate_counters_of_ipv6_are_added() {
        let mut bytes = interim();
        for (kind, value) in [(144, 10u32), (145, 1), (148, 1), (149, 0)] {
            crate::write::push_vendor(&mut bytes, 2011, kind, &value.to_be_bytes()).unwrap();
        }
        let attributes = Attributes::parse(&bytes).unwrap();
        let mut facts = Facts::of(attributes);
        facts.add_ipv6_counters(attributes);
        assert_eq!(facts.input_octets, (2 << 32) + 15);
        assert_eq!(facts.output_octets, 3 << 32);
    }

    #[test]
    fn what_cannot_be_read_is_absent_and_counted() {
        let mut bytes = Vec::new();
        push(&mut bytes, attr::FRAMED_IP_ADDRESS, &[10, 0, 0]).unwrap();
        push(&mut bytes, attr::USER_NAME, &[]).unwrap();
        push(&mut bytes, attr::FRAMED_IPV6_PREFIX, &[0, 200]).unwrap();
        push(&mut bytes, attr::ACCT_INPUT_OCTETS, &[0; 8]).unwrap();
        // The first that can be read counts, even after one that cannot.
        push(&mut bytes, attr::ACCT_INPUT_OCTETS, &[0, 0, 0, 7]).unwrap();
        push(&mut bytes, attr::ACCT_INPUT_OCTETS, &[0, 0, 0, 9]).unwrap();
        let facts = Facts::of(Attributes::parse(&bytes).unwrap());
        assert_eq!(facts.malformed, 4);
        assert_eq!(
            (facts.framed_ip, facts.user_name, facts.framed_ipv6_prefix),
            (None, None, None)
        );
        assert_eq!(facts.input_octets, 7);
        assert_eq!(facts.status, Status::Other(0));
    }

    #[test]
    fn counting_the_malformed_does_not_go_round() {
        let bytes = [attr::NAS_PORT, 2].repeat(300);
        assert_eq!(Facts::of(Attributes::parse(&bytes).unwrap()).malformed, 255);
    }

    #[test]
    fn status_types_survive_the_way_to_a_number_and_back() {
        for value in 0..20 {
            assert_eq!(u32::from(Status::from(value)), value);
        }
        assert_eq!(Status::from(7), Status::On);
        assert_eq!(terminate_cause_name(0), None);
        assert_eq!(terminate_cause_name(1), Some("User-Request"));
    }
}
