//! A subscriber with something of its own: overrides, holds, a fixed address, several
//! identities, overlays. Kept as the model has it.

use daemon::secrets::SealedParts;
use model::identity::{Credential, Identity, IdentityKind};
use model::policy::{Overlay, Subscriber};

use super::record::{CredentialKind, SealedCredential};
use crate::cache::Rules;

/// The subscriber.
pub(crate) struct Whole {
    pub(super) subscriber: Subscriber,
    pub(super) revision: u64,
    pub(super) overlays: Vec<Overlay>,
    /// One per identity, in the same order: its credential taken apart, so that a login does
    /// not decode text. Nothing where there is none.
    sealed: Box<[Option<Sealed>]>,
    /// What is asked of its logins, and what is added to the reply.
    pub(super) rules: Option<Box<Rules>>,
}

struct Sealed {
    kind: CredentialKind,
    key: Box<str>,
    octets: Box<[u8]>,
}

impl Whole {
    pub(super) fn new(subscriber: Subscriber, revision: u64) -> Self {
        let take_apart = |identity: &Identity| {
            let (kind, sealed) = match identity.credential.as_ref()? {
                Credential::Clear(sealed) => (CredentialKind::Clear, sealed),
                Credential::NtHash(sealed) => (CredentialKind::NtHash, sealed),
            };
            Some(match SealedParts::of(sealed) {
                Ok(parts) => Sealed { kind, key: parts.key.into(), octets: parts.octets.into() },
                // It has a password all the same, one that no key opens: no line and no MAC may
                // pass for one that asks for nothing.
                Err(_) => Sealed { kind, key: "".into(), octets: Box::default() },
            })
        };
        let sealed = subscriber.identities.iter().map(take_apart).collect();
        let rules = Rules::compile(&subscriber.own().rules, subscriber.service);
        Self { subscriber, revision, overlays: Vec::new(), sealed, rules }
    }

    pub(super) fn identity(&self, kind: IdentityKind, value: &[u8]) -> Option<usize> {
        let mut identities = self.subscriber.identities.iter();
        identities.position(|i| i.kind == kind && i.value.as_bytes() == value)
    }

    pub(super) fn credential(
        &self,
        kind: IdentityKind,
        value: &[u8],
    ) -> Option<SealedCredential<'_>> {
        let at = self.identity(kind, value)?;
        let sealed = self.sealed.get(at)?.as_ref()?;
        Some(SealedCredential {
            kind: sealed.kind,
            identity: self.subscriber.identities.get(at)?.id,
            key: &sealed.key,
            octets: &sealed.octets,
        })
    }

    /// Calls `each` with the id of every credential's key: empty where it is no sealed value.
    pub(super) fn keys(&self, each: impl FnMut(&str)) {
        self.sealed.iter().flatten().map(|sealed| &*sealed.key).for_each(each);
    }
}
