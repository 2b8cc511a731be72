//! A record from the stream becomes what it says: the door where raw input is checked.
//!
//! What passes here fits the tables: text without control characters, instants and counters
//! that both engines can hold.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use model::accounting::{Record, RecordError};
use model::identity::login_key;
use model::nas::Ipv6Counters;
use model::{ClientId, CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
use radius_wire::accounting::{Facts, Status, terminate_cause_name};
use radius_wire::{Attributes, ParseError};

/// Our own clock stamps records: an instant outside of these was never stamped.
const RECEIVED_MIN: Ts = Ts::from_seconds(946_684_800); // 2000-01-01
const RECEIVED_MAX: Ts = Ts::from_seconds(7_258_118_400); // 2200-01-01
/// A NAS that claims to have held a record for longer, seconds, counts from something else.
const DELAY_S_MAX: u32 = 7 * 86_400;
/// A session that claims to be older, seconds, has a broken clock.
const SESSION_TIME_S_MAX: u32 = 10 * 365 * 86_400;

/// Why a record cannot be applied, now or ever.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is no record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its attributes lie about their lengths.
    #[error("the attributes cannot be read: {0}")]
    Attributes(#[from] ParseError),
    /// Its stamp is out of the question.
    #[error("received at {0}, which cannot be")]
    Received(Ts),
    /// RFC 2866 §5.5 wants the attribute in each of these.
    #[error("a session's record lacks Acct-Session-Id")]
    NoSessionId,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// A word about one session.
    Session(Box<Report>),
    /// The NAS has begun anew, or is about to: its sessions are gone.
    Restart {
        /// The NAS.
        nas: NasId,
        /// When it said so.
        at: Ts,
        /// When that reached us.
        received: Ts,
    },
    /// Nothing that concerns sessions.
    Nothing {
        /// When it reached us.
        received: Ts,
    },
}

impl Message {
    /// When it reached us.
    pub(crate) fn received(&self) -> Option<Ts> {
        Some(match self {
            Self::Session(report) => report.received,
            Self::Restart { received, .. } | Self::Nothing { received } => *received,
        })
    }
}

/// What tells a NAS's sessions apart at any one time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) nas: NasId,
    /// Acct-Session-Id as [`text_of`] writes it.
    pub(crate) acct_session_id: String,
}

/// Whose session it is, as far as `aaad` knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) organisation: OrganisationId,
    pub(crate) customer: CustomerId,
    pub(crate) service: ServiceId,
    pub(crate) plan_version: PlanVersionId,
}

/// Which word about a session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    Interim,
    Stop {
        /// Why it ended: `user_request` …
        cause: String,
    },
}

/// One word about one session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    pub(crate) client: ClientId,
    pub(crate) owner: Owner,
    pub(crate) login: String,
    pub(crate) login_key: String,
    pub(crate) calling_station: Option<String>,
    pub(crate) nas_port_id: Option<String>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) ipv6_prefix: Option<IpNetwork>,
    pub(crate) delegated_prefix: Option<IpNetwork>,
    pub(crate) policy_hash: u64,
    /// When it reached us.
    pub(crate) received: Ts,
    /// When the NAS first tried to send it: received less Acct-Delay-Time, by our clock.
    pub(crate) at: Ts,
    /// When the session began: `at` less Acct-Session-Time. NAS clocks are not trusted.
    pub(crate) started: Ts,
    /// Acct-Session-Time; 0 also where the NAS does not say.
    pub(crate) session_time_s: u32,
    /// Acct-Multi-Session-Id: what ties the links of one multilink session together.
    pub(crate) multi_session_id: Option<String>,
    /// How far the NAS's clock is ahead of ours, seconds; absent: it does not say its time.
    pub(crate) clock_offset_s: Option<i64>,
    pub(crate) download_octets: u64,
    pub(crate) upload_octets: u64,
}

/// Reads an encoded record.
pub(crate) fn read(record: &[u8], fold_case: bool) -> Result<Message, Unfit> {
    let record = Record::decode(record)?;
    if !(RECEIVED_MIN..=RECEIVED_MAX).contains(&record.received) {
        return Err(Unfit::Received(record.received));
    }
    let attributes = Attributes::parse(record.attributes)?;
    let mut facts = Facts::of(attributes);
    if record.ipv6_counters == Ipv6Counters::Separate {
        facts.add_ipv6_counters(attributes);
    }
    let delay_s = if facts.delay_s > DELAY_S_MAX { 0 } else { facts.delay_s };
    let at = record.received.plus_seconds(-i64::from(delay_s));
    let kind = match facts.status {
        Status::Start => Kind::Start,
        Status::Interim => Kind::Interim,
        Status::Stop => Kind::Stop { cause: cause_of(facts.terminate_cause) },
        Status::On | Status::Off => {
            return Ok(Message::Restart { nas: record.nas, at, received: record.received });
        }
        Status::Other(_) => return Ok(Message::Nothing { received: record.received }),
    };
    let id = facts.acct_session_id.ok_or(Unfit::NoSessionId)?;
    let session_time_s =
        if facts.session_time_s > SESSION_TIME_S_MAX { 0 } else { facts.session_time_s };
    let user_name = facts.user_name.unwrap_or_default();
    let mut key = Vec::with_capacity(user_name.len());
    login_key(user_name, fold_case, &mut key);
    let address = facts.framed_ipv6_address.map(IpAddr::from);
    Ok(Message::Session(Box::new(Report {
        kind,
        key: Key { nas: record.nas, acct_session_id: text_of(id) },
        client: record.client,
        owner: Owner {
            organisation: record.organisation,
            customer: record.customer,
            service: record.service,
            plan_version: record.plan_version,
        },
        login: text_of(user_name),
        login_key: text_of(&key),
        calling_station: facts.calling_station.map(text_of),
        nas_port_id: facts.nas_port_id.map(text_of),
        ip: facts.framed_ip.map(IpAddr::from).or(address),
        ipv6_prefix: facts
            .framed_ipv6_prefix
            .and_then(network)
            .or_else(|| address.map(IpNetwork::from)),
        delegated_prefix: facts.delegated_ipv6_prefix.and_then(network),
        policy_hash: record.policy_hash,
        received: record.received,
        at,
        started: at.plus_seconds(-i64::from(session_time_s)),
        session_time_s,
        multi_session_id: facts.acct_multi_session_id.map(text_of),
        // RFC 2869 §5.3: when the event was, not when it was sent.
        clock_offset_s: facts.event_timestamp.map(|at_s| i64::from(at_s) - at.seconds()),
        download_octets: facts.output_octets.min(i64::MAX as u64),
        upload_octets: facts.input_octets.min(i64::MAX as u64),
    })))
}

/// Octets as text: as they are where a person can read them, else `0x` and hexadecimal digits.
/// Two different values never look the same.
pub(crate) fn text_of(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.starts_with("0x") && !text.contains(char::is_control) => text.to_owned(),
        _ => octets.iter().fold("0x".to_owned(), |mut text, octet| {
            for nibble in [octet >> 4, octet & 15] {
                text.extend(char::from_digit(nibble.into(), 16));
            }
            text
        }),
    }
}

fn network((address, length): (std::net::Ipv6Addr, u8)) -> Option<IpNetwork> {
    IpNetwork::new(address.into(), length).ok()
}

/// `User-Request` as `user_request`; a number without a name as `cause_99`.
fn cause_of(cause: u32) -> String {
    match (terminate_cause_name(cause), cause) {
        (Some(name), _) => name.to_ascii_lowercase().replace(['-', ' '], "_"),
        (None, 0) => "unspecified".to_owned(),
        (None, number) => format!("cause_{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Said, nas};

    fn session(said: Said) -> Report {
        match read(&said.record(), true).unwrap() {
            Message::Session(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ipv6_that_is_counted_apart_is_added_where_the_nas_says_so() {
        let said = Said::stop("8100", 4600, 3600).octets(100, 10).record();
        let mut record = Record::decode(&said).unwrap();
        let mut attributes = record.attributes.to_vec();
        // Huawei-Acct-IPv6-Input-Octets and -Output-Octets.
        for (kind, octets) in [(144u8, 7u32), (145, 70)] {
            let value = octets.to_be_bytes();
            radius_wire::write::push_vendor(&mut attributes, 2011, kind, &value).unwrap();
        }
        record.attributes = &attributes;
        for (ipv6_counters, octets) in
            [(Ipv6Counters::Included, (100, 10)), (Ipv6Counters::Separate, (170, 17))]
        {
            let mut bytes = Vec::new();
            Record { ipv6_counters, ..record }.encode(&mut bytes);
            let Message::Session(report) = read(&bytes, true).unwrap() else { panic!("nothing") };
            assert_eq!((report.download_octets, report.upload_octets), octets);
        }
    }

    #[test]
    fn a_stop_is_read_whole() {
        let report = session(
            Said::stop("8100", 4600, 3600)
                .login("  Asha ")
                .octets((3 << 32) + 1, 7)
                .ip([10, 0, 0, 9])
                .delay(5)
                .cause(1),
        );
        assert_eq!(report.kind, Kind::Stop { cause: "user_request".to_owned() });
        assert_eq!(report.key, Key { nas: nas(1), acct_session_id: "8100".to_owned() });
        assert_eq!((report.login.as_str(), report.login_key.as_str()), ("  Asha ", "asha"));
        assert_eq!((report.download_octets, report.upload_octets), ((3 << 32) + 1, 7));
        assert_eq!(report.ip, Some(IpAddr::from([10, 0, 0, 9])));
        assert_eq!(report.at, Said::time(4595));
        assert_eq!(report.started, Said::time(995));
    }

    #[test]
    fn what_a_nas_cannot_mean_is_not_believed() {
        let report = session(Said::interim("a", 1000, u32::MAX).delay(1_700_000_000));
        assert_eq!((report.at, report.started), (Said::time(1000), Said::time(1000)));
        assert_eq!(report.session_time_s, 0);
    }

    #[test]
    fn what_can_never_be_applied_says_why() {
        assert!(matches!(read(&[], true), Err(Unfit::Record(_))));
        let mut record = Said::start("a", 0).record();
        record.push(9);
        assert!(matches!(read(&record, true), Err(Unfit::Attributes(_))));
        assert!(matches!(read(&Said::start("", 0).record(), true), Err(Unfit::NoSessionId)));
        let mut record = Said::start("a", 0).record();
        record[1..9].copy_from_slice(&i64::MIN.to_be_bytes());
        assert!(matches!(read(&record, true), Err(Unfit::Received(_))));
    }

    #[test]
    fn octets_that_are_no_text_are_shown_as_digits_and_stay_apart() {
        assert_eq!(text_of("größe".as_bytes()), "größe");
        assert_eq!(text_of(&[0, 0xff]), "0x00ff");
        assert_eq!(text_of(b"a\0"), "0x6100");
        assert_eq!(text_of(b"0x6100"), "0x307836313030");
    }

    #[test]
    fn a_cause_is_a_word_of_ours() {
        assert_eq!(cause_of(0), "unspecified");
        assert_eq!(cause_of(9999), "cause_9999");
        assert!(cause_of(2).chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    }
}
