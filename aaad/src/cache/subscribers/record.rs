//! A plain subscriber as octets.
//!
//! Plain is who has one identity, one profile, perhaps an end, and nothing else: nearly
//! everybody. A shard of the table and a block of the local snapshot are made of such records,
//! one behind the other; they are the same octets in both places. Everybody else is kept
//! [`Whole`](super::Whole), and has a record in the local snapshot alone.
//!
//! | at | octets | field |
//! |---:|---:|---|
//! | 0 | 4 | length of the record |
//! | 4 | 1 | form: 1 plain, 2 whole |
//! | 5 | 1 | kind of the identity |
//! | 6 | 1 | credential: 0 none, 1 password, 2 NT hash |
//! | 7 | 1 | length of the key id |
//! | 8 | 8 | revision |
//! | 16 | 5 × 16 | service, organisation, customer, profile, identity |
//! | 96 | 8 | when its time is over, microseconds; `i64::MAX`: never |
//! | 104 | 2 | length of the identity's value |
//! | 106 | 2 | length of the sealed credential |
//! | 108 | | value, key id, sealed credential |
//!
//! Numbers are little-endian. A record of the form "whole" ends its head at 16; the rest is the
//! subscriber in JSON. Credentials stay sealed here: nobody who reads this memory or this file
//! has a password, a million of them need not be opened at a start, and the snapshot can be
//! written from the table. Opening one costs a login a fraction of a microsecond.

use daemon::secrets::SealedParts;
use model::identity::{Credential, Identity};
use model::policy::Subscriber;
use model::{CustomerId, IdentityId, OrganisationId, PlanVersionId, ServiceId, Ts};
use uuid::Uuid;

/// Octets in front of a whole subscriber's JSON.
pub(super) const HEAD_OCTETS: usize = 16;
const FIXED_OCTETS: usize = 108;

const PLAIN: u8 = 1;
const WHOLE: u8 = 2;

const SERVICE: usize = 16;
const ORGANISATION: usize = 32;
const CUSTOMER: usize = 48;
const PROFILE: usize = 64;
const IDENTITY: usize = 80;
const EXPIRES: usize = 96;

/// How a credential is to be used once it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    /// It is the password.
    Clear,
    /// It is MD4 of the UTF-16 password.
    NtHash,
}

/// A credential as it is kept: sealed, bound to its identity.
#[derive(Clone, Copy)]
pub(crate) struct SealedCredential<'a> {
    pub(crate) kind: CredentialKind,
    pub(crate) identity: IdentityId,
    pub(crate) key: &'a str,
    pub(crate) octets: &'a [u8],
}

/// One record, whole and consistent.
#[derive(Clone, Copy)]
pub(super) struct Record<'a>(&'a [u8]);

/// What a block of the snapshot has next.
pub(super) enum Item<'a> {
    Plain(Record<'a>),
    /// A revision, and a subscriber in JSON.
    Whole(u64, &'a [u8]),
}

impl<'a> Record<'a> {
    /// The record that begins here. The octets are ones that [`append`] wrote.
    pub(super) fn at(octets: &'a [u8]) -> Self {
        let len = u32::from_le_bytes(array(octets, 0)) as usize;
        Self(&octets[..len])
    }

    pub(super) fn octets(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn revision(self) -> u64 {
        u64::from_le_bytes(array(self.0, 8))
    }

    pub(super) fn service(self) -> ServiceId {
        ServiceId(self.id(SERVICE))
    }

    pub(super) fn organisation(self) -> OrganisationId {
        OrganisationId(self.id(ORGANISATION))
    }

    pub(super) fn customer(self) -> CustomerId {
        CustomerId(self.id(CUSTOMER))
    }

    pub(super) fn profile(self) -> PlanVersionId {
        PlanVersionId(self.id(PROFILE))
    }

    pub(super) fn expires_at(self) -> Option<Ts> {
        let at = i64::from_le_bytes(array(self.0, EXPIRES));
        (at != i64::MAX).then_some(Ts(at))
    }

    /// The kind of its identity, as a number.
    pub(super) fn kind(self) -> u8 {
        self.0[5]
    }

    /// The lookup key of its identity.
    pub(super) fn value(self) -> &'a [u8] {
        &self.0[FIXED_OCTETS..FIXED_OCTETS + self.value_len()]
    }

    pub(super) fn credential(self) -> Option<SealedCredential<'a>> {
        let kind = match self.0[6] {
            1 => CredentialKind::Clear,
            2 => CredentialKind::NtHash,
            _ => return None,
        };
        let rest = &self.0[FIXED_OCTETS + self.value_len()..];
        let (key, octets) = rest.split_at(usize::from(self.0[7]));
        let key = std::str::from_utf8(key).unwrap_or_default();
        Some(SealedCredential { kind, identity: IdentityId(self.id(IDENTITY)), key, octets })
    }

    fn id(self, at: usize) -> Uuid {
        Uuid::from_bytes(array(self.0, at))
    }

    fn value_len(self) -> usize {
        usize::from(u16::from_le_bytes(array(self.0, 104)))
    }

    fn sealed_len(self) -> usize {
        usize::from(u16::from_le_bytes(array(self.0, 106)))
    }

    /// Whether the lengths inside the record add up to its own.
    fn is_consistent(self) -> bool {
        let parts = self.value_len() + usize::from(self.0[7]) + self.sealed_len();
        FIXED_OCTETS + parts == self.0.len()
    }
}

impl<'a> Item<'a> {
    /// Splits the first record off; nothing where these octets do not begin with one.
    pub(super) fn split(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let len = u32::from_le_bytes(*octets.first_chunk()?) as usize;
        let (own, rest) = octets.split_at_checked(len)?;
        let item = match *own.get(4)? {
            PLAIN if own.len() >= FIXED_OCTETS && Record(own).is_consistent() => {
                Self::Plain(Record(own))
            }
            WHOLE if own.len() >= HEAD_OCTETS => {
                Self::Whole(Record(own).revision(), &own[HEAD_OCTETS..])
            }
            _ => return None,
        };
        Some((item, rest))
    }
}

/// `N` octets from `at`; the caller knows they are there.
fn array<const N: usize>(octets: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&octets[at..at + N]);
    out
}

/// Appends the record of a plain subscriber; false, and nothing appended, for anyone else.
pub(super) fn append(subscriber: &Subscriber, revision: u64, out: &mut Vec<u8>) -> bool {
    let [identity] = subscriber.identities.as_slice() else { return false };
    // No rest pattern: a new field of an identity is a question to this function.
    let Identity { id, kind, value, credential } = identity;
    if !is_plain(subscriber) || subscriber.expires_at == Some(Ts(i64::MAX)) {
        return false;
    }
    let (credential, sealed) = match credential {
        None => (0, None),
        Some(Credential::Clear(sealed)) => (1, Some(sealed)),
        Some(Credential::NtHash(sealed)) => (2, Some(sealed)),
    };
    let parts = match sealed.map(SealedParts::of) {
        None => SealedParts { key: "", octets: Vec::new() },
        Some(Ok(parts)) => parts,
        // Kept whole, where the log says so.
        Some(Err(_)) => return false,
    };
    let lengths = (
        u8::try_from(parts.key.len()),
        u16::try_from(value.len()),
        u16::try_from(parts.octets.len()),
    );
    let (Ok(key_len), Ok(value_len), Ok(sealed_len)) = lengths else { return false };
    // At most 108 + 255 + 2 × 65 535.
    let len = FIXED_OCTETS + parts.key.len() + value.len() + parts.octets.len();
    let expires = subscriber.expires_at.map_or(i64::MAX, |at| at.0);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[PLAIN, *kind as u8, credential, key_len]);
    out.extend_from_slice(&revision.to_le_bytes());
    for uuid in [
        subscriber.service.0,
        subscriber.organisation.0,
        subscriber.customer.0,
        subscriber.profile.0,
        id.0,
    ] {
        out.extend_from_slice(uuid.as_bytes());
    }
    out.extend_from_slice(&expires.to_le_bytes());
    out.extend_from_slice(&value_len.to_le_bytes());
    out.extend_from_slice(&sealed_len.to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(parts.key.as_bytes());
    out.extend_from_slice(&parts.octets);
    true
}

/// Appends the record of a subscriber who is kept whole.
pub(super) fn append_whole(
    subscriber: &Subscriber,
    revision: u64,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let at = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, WHOLE, 0, 0, 0]);
    out.extend_from_slice(&revision.to_le_bytes());
    serde_json::to_writer(&mut *out, subscriber)?;
    // A record of 4 GiB is longer than anything a bus carries.
    let len = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
    Ok(())
}

/// Whether a subscriber has nothing of its own besides identities and an end.
fn is_plain(subscriber: &Subscriber) -> bool {
    // Compared as a whole: a field that is added later is never left out of the record.
    let Subscriber { service, organisation, customer, profile, expires_at, .. } = *subscriber;
    let mut bare = Subscriber::plain(service, organisation, customer, profile, expires_at);
    bare.identities.clone_from(&subscriber.identities);
    bare == *subscriber
}
