//! The accounting record: what `aaad` journals before it answers, and `policyd` applies.
//!
//! A record is raw fact plus stamps: the request's attributes as they came, when and from
//! where, which NAS that is, and, as far as `aaad` knew them at that moment, whose service it
//! concerned and the hash of the policy that was given. Who the session belongs to and where
//! it begins and ends is decided by `policyd` alone.
//!
//! # Layout (format 2), big-endian
//!
//! | octets | field |
//! |---|---|
//! | 1 | format, 2 |
//! | 8 | received, microseconds since 1970-01-01 UTC |
//! | 16 each | client, NAS, organisation, customer, service, plan version (nil: not known) |
//! | 8 | policy hash (0: not known) |
//! | 1 | how the NAS counts IPv6: 0 included, 1 separate |
//! | 16 | source address, IPv4 mapped into IPv6 |
//! | rest | RADIUS attributes as received (RFC 2866 §5), at most 4076 octets |

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::nas::{Fnv, Ipv6Counters};
use crate::{ClientId, CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};

/// The format of [`Record`], [`Shipped`] and [`Ack`]; a reader refuses every other one. Format 1
/// did not say how the NAS counts IPv6, and was never released.
pub const FORMAT: u8 = 2;

/// How many partitions the accounting stream has. Part of the contract between `aaad` and
/// `policyd`: a change needs an empty stream.
pub const PARTITIONS: u16 = 8;

/// Octets before the attributes.
const HEAD: usize = 1 + 8 + 6 * 16 + 8 + 1 + 16;

/// Largest encoded record: head plus the attributes of the largest RADIUS packet
/// (RFC 2865 §3: 4096 octets, 20 of them header).
pub const RECORD_OCTETS_MAX: usize = HEAD + 4096 - 20;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer program.
    #[error("accounting record has format {0}, this program reads up to {FORMAT}: upgrade it")]
    Format(u8),
    /// Of a format from before the first release, or of none.
    #[error("accounting record has format {0}, which is no longer read, only {FORMAT}")]
    Older(u8),
    /// Shorter than its fixed part.
    #[error("accounting record is cut short at {0} octets")]
    Short(usize),
}

impl RecordError {
    fn of(format: u8) -> Self {
        if format > FORMAT { Self::Format(format) } else { Self::Older(format) }
    }

    /// The format, if it is that of a newer program: the bytes are good, and whoever is
    /// upgraded reads them.
    pub fn newer_format(&self) -> Option<u8> {
        match self {
            Self::Format(format) => Some(*format),
            Self::Older(_) | Self::Short(_) => None,
        }
    }
}

/// One accounting request, as journaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it arrived.
    pub received: Ts,
    /// The RADIUS client it came from.
    pub client: ClientId,
    /// The NAS it came from.
    pub nas: NasId,
    /// The subscriber's organisation, or nil.
    pub organisation: OrganisationId,
    /// The customer, or nil.
    pub customer: CustomerId,
    /// The service, or nil.
    pub service: ServiceId,
    /// The plan version given, or nil.
    pub plan_version: PlanVersionId,
    /// Hash of the policy given, or 0.
    pub policy_hash: u64,
    /// How the NAS counts a dual-stack session.
    pub ipv6_counters: Ipv6Counters,
    /// The address the datagram came from.
    pub source: IpAddr,
    /// The request's attributes.
    pub attributes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Appends the encoded record to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(&self.received.0.to_be_bytes());
        for id in [
            self.client.0,
            self.nas.0,
            self.organisation.0,
            self.customer.0,
            self.service.0,
            self.plan_version.0,
        ] {
            out.extend_from_slice(id.as_bytes());
        }
        out.extend_from_slice(&self.policy_hash.to_be_bytes());
        out.push(u8::from(self.ipv6_counters == Ipv6Counters::Separate));
        let source = match self.source {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        out.extend_from_slice(&source.octets());
        out.extend_from_slice(self.attributes);
    }

    /// Reads what [`Record::encode`] wrote.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let short = RecordError::Short(bytes.len());
        match bytes.first() {
            Some(&FORMAT) => {}
            Some(other) => return Err(RecordError::of(*other)),
            None => return Err(short),
        }
        if bytes.len() < HEAD {
            return Err(short);
        }
        let mut at = 1;
        let received = i64::from_be_bytes(take(bytes, &mut at));
        let mut uuid = || Uuid::from_bytes(take(bytes, &mut at));
        let (client, nas) = (ClientId(uuid()), NasId(uuid()));
        let (organisation, customer) = (OrganisationId(uuid()), CustomerId(uuid()));
        let (service, plan_version) = (ServiceId(uuid()), PlanVersionId(uuid()));
        let policy_hash = u64::from_be_bytes(take(bytes, &mut at));
        let ipv6_counters = match take(bytes, &mut at) {
            [0] => Ipv6Counters::Included,
            _ => Ipv6Counters::Separate,
        };
        let source = Ipv6Addr::from(take::<16>(bytes, &mut at)).to_canonical();
        Ok(Self {
            received: Ts(received),
            client,
            nas,
            organisation,
            customer,
            service,
            plan_version,
            policy_hash,
            ipv6_counters,
            source,
            attributes: &bytes[at..],
        })
    }
}

/// The next `N` octets; the caller has checked the length.
fn take<const N: usize>(bytes: &[u8], at: &mut usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[*at..*at + N]);
    *at += N;
    out
}

/// A record on the stream: with the journal position that makes a repeat recognisable, and the
/// one before it that makes a gap recognisable.
///
/// A *lane* is what one journal incarnation has in one partition; `policyd` counts its progress
/// by lane. It skips what is not above its progress, applies what claims a `previous` that it
/// has, and refuses the rest: records between were lost on the way, and it asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped<'a> {
    /// The journal's incarnation: random, renewed when a journal is created or recovered.
    pub incarnation: u128,
    /// The record's place in the journal; higher is later.
    pub sequence: u64,
    /// What `policyd` should have of this lane already: the sequence published before this one,
    /// or, for the first since the shipper began to read or went back, the last one `policyd`
    /// said it has. 0: nothing is known of the lane, no claim.
    pub previous: u64,
    /// The encoded [`Record`].
    pub record: &'a [u8],
}

/// Octets of a [`Shipped`] before its record.
const SHIPPED_HEAD: usize = 1 + 16 + 8 + 8;

impl<'a> Shipped<'a> {
    /// Writes format, incarnation, sequence, previous, record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SHIPPED_HEAD + self.record.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.incarnation.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.previous.to_be_bytes());
        out.extend_from_slice(self.record);
        out
    }

    /// Reads what [`Shipped::encode`] wrote.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        match bytes.first() {
            Some(&FORMAT) if bytes.len() >= SHIPPED_HEAD => {
                let mut at = 1;
                let incarnation = u128::from_be_bytes(take(bytes, &mut at));
                let sequence = u64::from_be_bytes(take(bytes, &mut at));
                let previous = u64::from_be_bytes(take(bytes, &mut at));
                Ok(Self { incarnation, sequence, previous, record: &bytes[at..] })
            }
            Some(&FORMAT) | None => Err(RecordError::Short(bytes.len())),
            Some(other) => Err(RecordError::of(*other)),
        }
    }
}

/// `policyd`'s word that everything of a partition up to a sequence is in its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// [`FORMAT`].
    pub format: u8,
    /// The journal's incarnation, as 32 hexadecimal digits.
    pub incarnation: String,
    /// The partition.
    pub partition: u16,
    /// The last sequence applied; 0: none.
    pub sequence: u64,
    /// Records behind `sequence` are missing: send again from there.
    #[serde(default)]
    pub missing: bool,
}

/// The stream of one partition.
pub fn stream(partition: u16) -> String {
    format!("acct:{partition}")
}

/// The stream `policyd` acknowledges on.
pub const ACKS: &str = "acct-acks";

/// The partition of a session. Accounting-On and Off go to every partition.
pub fn partition(nas: NasId, acct_session_id: &[u8]) -> u16 {
    let mut hash = Fnv::default();
    hash.write(nas.0.as_bytes());
    hash.write(acct_session_id);
    (hash.fold() % u32::from(PARTITIONS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(attributes: &[u8]) -> Record<'_> {
        Record {
            received: Ts(1_772_357_400_123_456),
            client: ClientId::generate(),
            nas: NasId::generate(),
            organisation: OrganisationId::generate(),
            customer: CustomerId::NONE,
            service: ServiceId::generate(),
            plan_version: PlanVersionId::generate(),
            policy_hash: 0xfeed,
            ipv6_counters: Ipv6Counters::Separate,
            source: IpAddr::from([192, 0, 2, 7]),
            attributes,
        }
    }

    #[test]
    fn a_record_reads_back_what_it_wrote() {
        let attributes = [40, 6, 0, 0, 0, 1];
        let original = record(&attributes);
        let mut bytes = Vec::new();
        original.encode(&mut bytes);
        assert_eq!(Record::decode(&bytes), Ok(original));
        let shipped = Shipped { incarnation: 7 << 90, sequence: 9, previous: 4, record: &bytes };
        assert_eq!(Shipped::decode(&shipped.encode()), Ok(shipped));
        let bare = Shipped { record: &[], ..shipped }.encode();
        assert_eq!(Shipped::decode(&bare[..32]), Err(RecordError::Short(32)));
    }

    #[test]
    fn a_newer_or_cut_record_is_refused() {
        let mut bytes = Vec::new();
        record(&[]).encode(&mut bytes);
        for cut in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..cut]), Err(RecordError::Short(cut)));
        }
        bytes[0] = 3;
        assert_eq!(Record::decode(&bytes), Err(RecordError::Format(3)));
        assert_eq!(Shipped::decode(&bytes), Err(RecordError::Format(3)));
        assert_eq!(RecordError::Format(3).newer_format(), Some(3));
        for older in [0, 1] {
            bytes[0] = older;
            let refused = Record::decode(&bytes).unwrap_err();
            assert_eq!(refused, RecordError::Older(older), "no octet of it is taken for another");
            assert_eq!(Shipped::decode(&bytes), Err(RecordError::Older(older)));
            assert_eq!(refused.newer_format(), None, "no upgrade reads it");
        }
    }

    #[test]
    fn an_acknowledgement_without_the_word_asks_for_nothing() {
        let text = r#"{"format":2,"incarnation":"07","partition":3,"sequence":9}"#;
        let ack: Ack = serde_json::from_str(text).unwrap();
        assert!(!ack.missing);
    }

    #[test]
    fn partitions_are_used_evenly() {
        let nas = NasId(Uuid::from_u128(5));
        let mut counts = [0; PARTITIONS as usize];
        for n in 0..8000 {
            counts[partition(nas, format!("8{n:07x}").as_bytes()) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
    }
}
