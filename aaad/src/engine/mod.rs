//! The engine: what to answer, as plain functions of `now`, the cache and the request.
//!
//! It knows no socket and reads no clock. The listener hands it a verified request and gets
//! back an [`Answer`]; the reply is composed into the listener's buffer.

mod admission;
mod explain;
mod identify;
mod method;
mod realm;
mod rules;

use std::sync::Arc;

use dialect::{CompiledProfile, Item, Unfit, Why};
use model::identity::IdentityKind;
use model::identity::MacAddress;
use model::nas::Vendor;
use model::policy::{Access, Context, Effective, NoTrace, effective};
use model::reject::RejectReason;
use model::{CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts, text};
use radius_wire::{Attributes, ClientKey, Code, Packet, Writer, attr};

use crate::cache::{Admitted, Cache, SubscriberEntry};
use crate::class::{Class, ClassKey};
use crate::counters::DropReason;
use crate::pools::Pools;
use crate::presence::Presence;
use admission::Taken;
pub(crate) use admission::{Replaced, station_of};
pub(crate) use identify::PPP;
use identify::{Found, identify};
use method::Proof;
use realm::Names;
pub(crate) use rules::Bound;

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
    /// Room for what a session is told, where that is not the reply.
    told: Vec<u8>,
    /// What the last Access-Request taught us.
    learned: Option<NewMac>,
}

/// A MAC address that a service is bound to from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewMac {
    pub(crate) service: ServiceId,
    pub(crate) mac: MacAddress,
    pub(crate) generation: u32,
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

    /// What the last Access-Request taught us, and the office should hear of.
    pub(crate) fn learned(&self) -> Option<NewMac> {
        self.learned
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
    /// Whether a name with a realm that nobody made is refused.
    refuse_unknown_realms: bool,
    reply_texts: [Box<[u8]>; RejectReason::ALL.len()],
}

impl Engine {
    pub(crate) fn new(cache: Arc<Cache>, class_key: ClassKey, fold_case: bool) -> Self {
        // A packet names no language: English, looked up once.
        let reply_texts = RejectReason::ALL
            .map(|reason| text::text("en", reason.text_key(), &[]).into_bytes().into_boxed_slice());
        let (presence, pools) = (Presence::default(), Pools::default());
        Self {
            cache,
            presence,
            pools,
            class_key,
            fold_case,
            refuse_unknown_realms: false,
            reply_texts,
        }
    }

    /// Refuses names with a realm that nobody made, or takes such a realm for a part of the login.
    pub(crate) fn refuse_unknown_realms(self, refuse: bool) -> Self {
        Self { refuse_unknown_realms: refuse, ..self }
    }

    /// Whom a request is from.
    fn identify(
        &self,
        attributes: Attributes<'_>,
        nas: NasId,
        scratch: &mut Scratch,
    ) -> Result<Found, RejectReason> {
        let names = Names {
            realms: &self.cache.realms(),
            fold_case: self.fold_case,
            refuse_unknown: self.refuse_unknown_realms,
        };
        identify(self.cache.subscribers(), attributes, nas, &names, scratch)
    }

    /// The key under which guesses at a name are counted.
    pub(crate) fn guess_key(&self, name: &[u8], key: &mut Vec<u8>) {
        let names = Names {
            realms: &self.cache.realms(),
            fold_case: self.fold_case,
            refuse_unknown: self.refuse_unknown_realms,
        };
        names.guess_key(name, key);
    }

    /// Decides an Access-Request and composes the reply into `out`.
    pub(crate) fn access(
        &self,
        now: Ts,
        request: &AccessRequest<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Answer {
        (scratch.service, scratch.learned, scratch.replaced) = (None, None, None);
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
        let found = self.identify(attributes, request.nas, scratch);
        (scratch.learned, scratch.replaced) = (None, None);
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
        let found = self.identify(attributes, request.nas, scratch)?;
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
        let groups = self.cache.groups();
        let bound = Bound::of(&compiled, entry, &groups);
        if let Some(reason) = bound.refuses(now, request.nas, attributes) {
            return Err(Refusal::Reject(reason));
        }

        let service = entry.service();
        let taken = self.admit(now, (service, request.nas), attributes, &policy, scratch)?;
        let accepted = Accepted {
            compiled: &compiled,
            policy: &policy,
            bound: &bound,
            taken: &taken,
            proof: &proof,
        };
        let said = self.say(now, request, &accepted, scratch, out);
        if said.is_err() {
            self.dismiss(now, &taken, scratch);
        }
        said
    }

    /// Composes an Access-Accept, and learns from it.
    fn say(
        &self,
        now: Ts,
        request: &AccessRequest<'_>,
        accepted: &Accepted<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let Accepted { compiled, policy, bound, taken, proof } = *accepted;
        let (attributes, service) = (request.packet.attributes(), taken.service);
        let hash = policy.hash();
        let mut writer = Writer::response(Code::ACCESS_ACCEPT, &request.packet, out, true);
        // What fits by itself and not with the rest of a reply is too long all the same.
        let full = |_| Unfit { item: Item::Routes, vendor: request.vendor, why: Why::PacketFull };
        let from = writer.len();
        match compiled.bytes_for(request.vendor, policy, hash) {
            Some(bytes) => writer.raw(bytes?).map_err(full)?,
            None => dialect::accept(request.vendor, policy, &mut writer)?,
        }
        if let Some(leased) = &taken.leased {
            dialect::leased(request.vendor, leased, &mut writer)?;
        }
        let interim_s = dialect::interim_s(policy.interim_s, dialect::session_key(attributes));
        writer.attribute_u32(attr::ACCT_INTERIM_INTERVAL, interim_s).map_err(full)?;
        let policy_hash = if bound.adds(policy.access) {
            let apply = |packet: &mut Vec<u8>| bound.apply(Some(attributes), packet, from);
            let plain = compiled.hash_for(request.vendor, policy, hash);
            let before = dialect::hash_of_told(request.vendor, writer.written(from), false);
            let unsaid =
                |_| Unfit { item: Item::Attributes, vendor: request.vendor, why: Why::PacketFull };
            writer.rewrite(from, apply).map_err(unsaid)?;
            // An address that is leased differs by session, and the policy does not.
            if bound.depends() || taken.leased.is_some() {
                rules::hash_of_all(request.vendor, policy, bound, plain, &mut scratch.told)
            } else {
                plain ^ before ^ dialect::hash_of_told(request.vendor, writer.written(from), false)
            }
        } else {
            compiled.hash_for(request.vendor, policy, hash)
        };
        let left = bound.left(now).unwrap_or(u32::MAX);
        writer.rewrite(from, |packet| rules::end_with_hours(left, packet, from)).map_err(full)?;
        let class = self.class_key.mint(Class { service, policy_hash, minted: now });
        writer.attribute(attr::CLASS, &class).map_err(full)?;
        proof.write(&mut writer, &request.packet, request.key)?;
        writer.proxy_states_of(&request.packet)?;
        writer.finish_response(request.key, request.packet.authenticator());
        // At the very end: whoever is refused for something else teaches us nothing.
        if let Some(binding) = bound.mac() {
            let mac = rules::mac_of(attributes);
            match self.cache.learned().admit(now, service, binding, mac) {
                Admitted::Known => {}
                Admitted::Learned(mac) => {
                    // What was published since the entry was read waits in no table any more.
                    let entry = self.cache.subscribers().find(service);
                    let in_force = entry.as_ref().and_then(SubscriberEntry::rules);
                    let in_force = in_force.and_then(|rules| rules.mac.as_ref());
                    if in_force.is_some_and(|own| own != binding && !own.addresses.contains(&mac)) {
                        return Err(Refusal::Reject(RejectReason::MacMismatch));
                    }
                    let generation = binding.generation;
                    scratch.learned = Some(NewMac { service, mac, generation });
                }
                Admitted::Refused => return Err(Refusal::Reject(RejectReason::MacMismatch)),
            }
        }
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
        let found = self.identify(attributes, nas, scratch);
        let Ok(Found { entry, .. }) = found else { return Stamp::UNKNOWN };
        let wanted = self.wanted(now, &entry, vendor, &mut scratch.told);
        stamp_of(&entry, wanted.map_or(0, |(_, hash)| hash))
    }

    /// Whether and how a subscriber should get in now, and the hash of what a NAS of this vendor
    /// is told of it; nothing where the profile is unknown. `room` is written over.
    pub(crate) fn wanted(
        &self,
        now: Ts,
        entry: &SubscriberEntry,
        vendor: Vendor,
        room: &mut Vec<u8>,
    ) -> Option<(Access, u64)> {
        self.with_policy(now, entry, |policy, compiled, bound| {
            let plain = compiled.hash_for(vendor, policy, policy.hash());
            let hash = if bound.adds(policy.access) {
                rules::hash_of_all(vendor, policy, bound, plain, room)
            } else {
                plain
            };
            (policy.access, hash)
        })
    }

    /// Calls `f` with what a subscriber should have now, the profile it is on, and its rules;
    /// nothing where that is unknown.
    pub(crate) fn with_policy<T>(
        &self,
        now: Ts,
        entry: &SubscriberEntry,
        f: impl FnOnce(&Effective<'_>, &CompiledProfile, &Bound<'_>) -> T,
    ) -> Option<T> {
        let compiled = self.cache.profile(entry.profile())?;
        let context = Context { now, billing_heard: self.cache.billing_heard() };
        let subscriber = entry.subscriber();
        let (profile, overlays) = (&compiled.profile, entry.overlays());
        let policy = effective(context, profile, &subscriber, overlays, &mut NoTrace);
        let groups = self.cache.groups();
        Some(f(&policy, &compiled, &Bound::of(&compiled, entry, &groups)))
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

/// A login that is let in, as far as it can be told.
struct Accepted<'a> {
    compiled: &'a CompiledProfile,
    policy: &'a Effective<'a>,
    bound: &'a Bound<'a>,
    taken: &'a Taken,
    proof: &'a Proof,
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
