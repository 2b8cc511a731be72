//! The engine: what to answer, as plain functions of `now`, the cache and the request.
//!
//! It knows no socket and reads no clock. The listener hands it a verified request and gets
//! back an [`Answer`]; the reply is composed into the listener's buffer.

mod admission;
mod explain;
mod identify;
mod method;

use std::sync::Arc;

use dialect::{CompiledProfile, Item, Unfit, Why};
use model::identity::IdentityKind;
use model::nas::Vendor;
use model::policy::{Access, Context, Effective, NoTrace, effective};
use model::reject::RejectReason;
use model::{CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts, text};
use radius_wire::{Attributes, ClientKey, Code, Packet, Writer, attr};

use crate::cache::{Cache, SubscriberEntry};
use crate::class::{Class, ClassKey};
use crate::counters::DropReason;
use crate::pools::Pools;
use crate::presence::Presence;
use admission::Admitted;
pub(crate) use admission::{Replaced, station_of};
pub(crate) use identify::PPP;
use identify::{Found, identify};
use method::Proof;

/// Service-Types that ask for the NAS's own console: Administrative, NAS Prompt, and the two
/// with a call back (RFC 2865 §5.6). Not Login, which hotspots ask for.
const OF_THE_NAS: [u32; 4] = [6, 7, 9, 11];

/// What the engine decided about an Access-Request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The reply lets it in.
    Accept,
    /// The reply refuses it.
    Reject(RejectReason),
    /// The reply refuses it: the policy cannot be told to this NAS.
    Unfit(Unfit),
    /// There is no reply.
    Drop(DropReason),
}

/// A verified Access-Request and whom it came from.
pub(crate) struct AccessRequest<'a> {
    pub(crate) packet: Packet<'a>,
    pub(crate) key: &'a ClientKey,
    pub(crate) nas: NasId,
    pub(crate) vendor: Vendor,
}

/// Buffers a shard lends the engine, so that a request allocates nothing.
#[derive(Default)]
pub(crate) struct Scratch {
    login: Vec<u8>,
    /// Room for a credential while it is open.
    credential: Vec<u8>,
    /// The service the last Access-Request was for, where it named one we know.
    service: Option<ServiceId>,
    /// What it replaces, where it was let in beyond its limit.
    replaced: Option<Replaced>,
}

impl Scratch {
    /// Sessions that must go because of the last Access-Request.
    pub(crate) fn replaced(&self) -> Option<Replaced> {
        self.replaced
    }

    /// The service the last Access-Request was for, let in or not.
    pub(crate) fn service(&self) -> Option<ServiceId> {
        self.service
    }
}

/// Who an accounting record concerns, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) organisation: OrganisationId,
    pub(crate) customer: CustomerId,
    pub(crate) service: ServiceId,
    pub(crate) plan_version: PlanVersionId,
    pub(crate) policy_hash: u64,
}

impl Stamp {
    const UNKNOWN: Stamp = Stamp {
        organisation: OrganisationId::NONE,
        customer: CustomerId::NONE,
        service: ServiceId::NONE,
        plan_version: PlanVersionId::NONE,
        policy_hash: 0,
    };
}

/// The engine: cache, keys and settings, and who is online with which addresses. Shared by every
/// shard.
pub(crate) struct Engine {
    pub(crate) cache: Arc<Cache>,
    pub(crate) presence: Presence,
    pub(crate) pools: Pools,
    pub(crate) class_key: ClassKey,
    pub(crate) fold_case: bool,
    reply_texts: [Box<[u8]>; RejectReason::ALL.len()],
}

impl Engine {
    pub(crate) fn new(cache: Arc<Cache>, class_key: ClassKey, fold_case: bool) -> Self {
        // A packet names no language: English, looked up once.
        let reply_texts = RejectReason::ALL
            .map(|reason| text::text("en", reason.text_key(), &[]).into_bytes().into_boxed_slice());
        let (presence, pools) = (Presence::default(), Pools::default());
        Self { cache, presence, pools, class_key, fold_case, reply_texts }
    }

    /// Decides an Access-Request and composes the reply into `out`.
    pub(crate) fn access(
        &self,
        now: Ts,
        request: &AccessRequest<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Answer {
        (scratch.service, scratch.replaced) = (None, None);
        let decided = self.decide(now, request, scratch, out);
        match decided {
            Ok(()) => Answer::Accept,
            Err(Refusal::Reject(reason)) => {
                self.compose_refusal(request, reason, Answer::Reject(reason), out)
            }
            Err(Refusal::Policy(unfit)) => {
                self.compose_refusal(request, RejectReason::PolicyUnfit, Answer::Unfit(unfit), out)
            }
            Err(Refusal::Unsaid) => Answer::Drop(DropReason::ReplyUnfit),
        }
    }

    /// Refuses an Access-Request whatever it proves, and composes the reply into `out`.
    pub(crate) fn refuse(
        &self,
        request: &AccessRequest<'_>,
        reason: RejectReason,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Answer {
        let attributes = request.packet.attributes();
        let subscribers = self.cache.subscribers();
        let found = identify(subscribers, attributes, request.nas, self.fold_case, scratch);
        scratch.replaced = None;
        scratch.service = found.ok().map(|found| found.entry.service());
        self.compose_refusal(request, reason, Answer::Reject(reason), out)
    }

    fn decide(
        &self,
        now: Ts,
        request: &AccessRequest<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let attributes = request.packet.attributes();
        // EAP is a conversation that we do not hold yet. Whoever asks for it must not get in by a
        // line or a MAC that asks for nothing.
        if attributes.first(attr::EAP_MESSAGE).is_some() {
            return Err(Refusal::Reject(RejectReason::MethodNotPossible));
        }
        // Whoever asks for the NAS itself is no subscriber: an accept would open its console.
        if attributes.u32(attr::SERVICE_TYPE).is_some_and(|kind| OF_THE_NAS.contains(&kind)) {
            return Err(Refusal::Reject(RejectReason::MethodNotPossible));
        }
        let found =
            identify(self.cache.subscribers(), attributes, request.nas, self.fold_case, scratch)?;
        let entry = &found.entry;
        scratch.service = Some(entry.service());
        let name = attributes.first(attr::USER_NAME).unwrap_or_default();
        let sealed = entry.credential(found.kind, &scratch.login);
        let proof = match (found.kind, found.mac, sealed.is_some()) {
            (IdentityKind::Mac, Some(mac), false) => {
                method::prove_mac(&request.packet, request.key, mac)?
            }
            (IdentityKind::Circuit | IdentityKind::Port, _, false) => Proof::None,
            _ => {
                let credential =
                    sealed.and_then(|sealed| self.cache.open(&sealed, &mut scratch.credential));
                method::prove(&request.packet, request.key, name, credential.as_ref())?
            }
        };

        let compiled =
            self.cache.profile(entry.profile()).ok_or(Refusal::Reject(RejectReason::NoProfile))?;
        let context = Context { now, billing_heard: self.cache.billing_heard() };
        let subscriber = entry.subscriber();
        let policy =
            effective(context, &compiled.profile, &subscriber, entry.overlays(), &mut NoTrace);
        if let Access::Reject(reason) = policy.access {
            return Err(Refusal::Reject(reason.into()));
        }
        if subscriber.own().nas.is_some_and(|nas| nas != request.nas) {
            return Err(Refusal::Reject(RejectReason::NasNotAllowed));
        }

        let service = entry.service();
        let admitted = self.admit(now, (service, request.nas), attributes, &policy, scratch)?;
        let said = self.say(now, request, &compiled, &policy, &admitted, &proof, out);
        if said.is_err() {
            self.dismiss(now, &admitted, scratch);
        }
        said
    }

    /// Composes an Access-Accept.
    #[allow(clippy::too_many_arguments)] // All of it is one decision, made by the caller.
    fn say(
        &self,
        now: Ts,
        request: &AccessRequest<'_>,
        compiled: &CompiledProfile,
        policy: &Effective<'_>,
        admitted: &Admitted,
        proof: &Proof,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let attributes = request.packet.attributes();
        let hash = policy.hash();
        let mut writer = Writer::response(Code::ACCESS_ACCEPT, &request.packet, out, true);
        // What fits by itself and not with the rest of a reply is too long all the same.
        let full = |_| Unfit { item: Item::Routes, vendor: request.vendor, why: Why::PacketFull };
        match compiled.bytes_for(request.vendor, policy, hash) {
            Some(bytes) => writer.raw(bytes?).map_err(full)?,
            None => dialect::accept(request.vendor, policy, &mut writer)?,
        }
        if let Some(leased) = &admitted.leased {
            dialect::leased(request.vendor, leased, &mut writer)?;
        }
        let interim_s = dialect::interim_s(policy.interim_s, dialect::session_key(attributes));
        let service = admitted.service;
        let policy_hash = compiled.hash_for(request.vendor, policy, hash);
        let class = self.class_key.mint(Class { service, policy_hash, minted: now });
        writer.attribute_u32(attr::ACCT_INTERIM_INTERVAL, interim_s).map_err(full)?;
        writer.attribute(attr::CLASS, &class).map_err(full)?;
        proof.write(&mut writer, &request.packet, request.key)?;
        writer.proxy_states_of(&request.packet)?;
        writer.finish_response(request.key, request.packet.authenticator());
        Ok(())
    }

    fn compose_refusal(
        &self,
        request: &AccessRequest<'_>,
        reason: RejectReason,
        answer: Answer,
        out: &mut Vec<u8>,
    ) -> Answer {
        match self.compose_reject(request, reason, out) {
            Ok(()) => answer,
            Err(_) => Answer::Drop(DropReason::ReplyUnfit),
        }
    }

    fn compose_reject(
        &self,
        request: &AccessRequest<'_>,
        reason: RejectReason,
        out: &mut Vec<u8>,
    ) -> Result<(), radius_wire::Full> {
        out.clear();
        let mut writer = Writer::response(Code::ACCESS_REJECT, &request.packet, out, true);
        writer.attribute(attr::REPLY_MESSAGE, &self.reply_texts[reason as usize])?;
        writer.proxy_states_of(&request.packet)?;
        writer.finish_response(request.key, request.packet.authenticator());
        Ok(())
    }

    /// Who an accounting request concerns: its Class where it is ours, else what it names.
    ///
    /// Where only that is known, the policy is taken to be the one in force now: the login
    /// went just before, and a session without evidence must still follow later changes.
    pub(crate) fn stamp(
        &self,
        now: Ts,
        attributes: Attributes<'_>,
        (nas, vendor): (NasId, Vendor),
        scratch: &mut Scratch,
    ) -> Stamp {
        let class = attributes
            .iter()
            .filter(|a| a.kind == attr::CLASS)
            .find_map(|a| self.class_key.read(a.value));
        if let Some(class) = class
            && let Some(entry) = self.cache.subscribers().find(class.service)
        {
            return stamp_of(&entry, class.policy_hash);
        }
        let subscribers = self.cache.subscribers();
        let found = identify(subscribers, attributes, nas, self.fold_case, scratch);
        let Ok(Found { entry, .. }) = found else { return Stamp::UNKNOWN };
        let wanted = self.wanted(now, &entry, vendor);
        stamp_of(&entry, wanted.map_or(0, |(_, hash)| hash))
    }

    /// Whether and how a subscriber should get in now, and the hash of what a NAS of this vendor
    /// is told of it; nothing where the profile is unknown.
    pub(crate) fn wanted(
        &self,
        now: Ts,
        entry: &SubscriberEntry,
        vendor: Vendor,
    ) -> Option<(Access, u64)> {
        self.with_policy(now, entry, |policy, compiled| {
            (policy.access, compiled.hash_for(vendor, policy, policy.hash()))
        })
    }

    /// Calls `f` with what a subscriber should have now, and the profile it is on; nothing where
    /// that is unknown.
    pub(crate) fn with_policy<T>(
        &self,
        now: Ts,
        entry: &SubscriberEntry,
        f: impl FnOnce(&Effective<'_>, &CompiledProfile) -> T,
    ) -> Option<T> {
        let compiled = self.cache.profile(entry.profile())?;
        let context = Context { now, billing_heard: self.cache.billing_heard() };
        let subscriber = entry.subscriber();
        let (profile, overlays) = (&compiled.profile, entry.overlays());
        let policy = effective(context, profile, &subscriber, overlays, &mut NoTrace);
        Some(f(&policy, &compiled))
    }
}

fn stamp_of(entry: &SubscriberEntry, policy_hash: u64) -> Stamp {
    Stamp {
        organisation: entry.organisation(),
        customer: entry.customer(),
        service: entry.service(),
        plan_version: entry.profile(),
        policy_hash,
    }
}

/// Why [`Engine::decide`] stopped.
enum Refusal {
    Reject(RejectReason),
    /// The policy cannot be told to this NAS.
    Policy(Unfit),
    /// The rest of the reply cannot be composed: too many Proxy-States, no random numbers.
    Unsaid,
}

impl From<RejectReason> for Refusal {
    fn from(reason: RejectReason) -> Self {
        Self::Reject(reason)
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        Self::Policy(unfit)
    }
}

impl From<radius_wire::Full> for Refusal {
    fn from(_: radius_wire::Full) -> Self {
        Self::Unsaid
    }
}
