//! `explain`: the same decision with a trace, for people.

use std::net::IpAddr;
use std::sync::LazyLock;

use dialect::{Item, Leased, Sink, Unfit};
use ipnetwork::Ipv6Network;
use model::control::{ExplainAttribute, ExplainStep, Explanation};
use model::identity::{IdentityKind, MacAddress, login_key, parse_circuit};
use model::nas::Vendor;
use model::policy::{Access, Context, Step, effective};
use model::pool::Part;
use model::reject::RejectReason;
use model::units::ShowRate;
use model::{NasId, ServiceId, Ts, text};
use radius_wire::dictionary::{Dictionary, builtin};
use radius_wire::write::{push, push_vendor};
use radius_wire::{Attribute, Full, attr};

use super::Engine;
use super::admission::Rules;
use crate::cache::{Opened, SubscriberEntry};
use crate::pools::{Asking, Wanted};
use crate::presence::{Claim, Limit};

impl Engine {
    /// What a login with the right password would get now on a NAS of this vendor, and why.
    /// Without an id it is some NAS.
    pub(crate) fn explain(
        &self,
        now: Ts,
        login: &str,
        (nas, vendor): (Option<NasId>, Vendor),
        sessions: usize,
    ) -> Explanation {
        let mut key = Vec::new();
        login_key(login.as_bytes(), self.fold_case, &mut key);
        let mut explanation = Explanation {
            login: String::from_utf8_lossy(&key).into_owned(),
            accepted: false,
            garden: false,
            reason: None,
            steps: Vec::new(),
            attributes: Vec::new(),
            sessions,
        };
        let Some((entry, kind)) = self.named(login, &mut key) else {
            explanation.step("identity", format!("no identity \"{}\"", explanation.login));
            explanation.refuse(RejectReason::UnknownLogin);
            return explanation;
        };
        let subscriber = entry.subscriber();
        explanation.step(
            "identity",
            format!(
                "{} \"{}\" is service {}",
                kind.as_str(),
                String::from_utf8_lossy(&key),
                subscriber.service
            ),
        );
        explanation.step("credential", self.credential_text(&entry, kind, &key));
        let Some(compiled) = self.cache.profile(subscriber.profile) else {
            explanation.step("profile", format!("{} is not known here", subscriber.profile));
            explanation.refuse(RejectReason::NoProfile);
            return explanation;
        };
        let context = Context { now, billing_heard: self.cache.billing_heard() };
        let mut steps = Vec::new();
        let policy =
            effective(context, &compiled.profile, &subscriber, entry.overlays(), &mut steps);
        for step in &steps {
            let (rule, outcome) = step_text(step);
            explanation.step(rule, outcome);
        }
        match policy.access {
            Access::Reject(reason) => {
                explanation.refuse(reason.into());
                return explanation;
            }
            Access::Garden(_) => explanation.garden = true,
            Access::Full => {}
        }
        if let (Some(own), Some(nas)) = (subscriber.own().nas, nas)
            && own != nas
        {
            explanation.step("NAS", format!("the service may come through {own} only"));
            explanation.refuse(RejectReason::NasNotAllowed);
            return explanation;
        }
        let rules = Rules::of(&policy, nas.and_then(|nas| self.group_of(nas)));
        if let Some(limit) = rules.limit
            && !self.explain_limit(subscriber.service, limit, now, &mut explanation)
        {
            return explanation;
        }
        let mut leased = Leased::default();
        if let Some(wanted) = &rules.wanted {
            match self.explain_lease(subscriber.service, wanted, &mut explanation) {
                Some(own) => leased = own,
                None => return explanation,
            }
        }
        let mut shown = Shown { attributes: Vec::new(), left_out: Vec::new(), octets: 0 };
        let told = dialect::accept(vendor, &policy, &mut shown);
        let told = told.and_then(|()| dialect::leased(vendor, &leased, &mut shown));
        for left_out in &shown.left_out {
            explanation.step("left out", left_out.to_string());
        }
        if let Err(unfit) = told {
            explanation.step("reply", format!("cannot be told to this NAS: {unfit}"));
            explanation.refuse(RejectReason::PolicyUnfit);
            return explanation;
        }
        shown.put(
            &[attr::ACCT_INTERIM_INTERVAL, 6],
            &policy.interim_s.to_be_bytes(),
            Item::Interim.as_str(),
        );
        if let Some(interim) = shown.attributes.last_mut() {
            interim.value += " ± 10 % by session";
        }
        let hash = dialect::hash_for(vendor, &policy);
        shown.attributes.push(ExplainAttribute {
            name: "Class".to_owned(),
            value: format!("service {}, policy {hash:016x}", subscriber.service),
            from: "evidence".to_owned(),
        });
        explanation.attributes = shown.attributes;
        explanation.accepted = true;
        explanation
    }

    /// What a login would meet at its limit; false where it would be refused.
    fn explain_limit(
        &self,
        service: ServiceId,
        limit: Limit,
        now: Ts,
        explanation: &mut Explanation,
    ) -> bool {
        let (online, claim) = self.presence.look(service, limit, now);
        let next = match claim {
            Claim::Within => "there is room for one more",
            Claim::Replaces => "a login from another place replaces the oldest",
            Claim::Refused => "a login from another place is refused",
        };
        let silent = format!("silent for {} s: counts no more", limit.silence_s());
        let outcome = format!("{online} of {} online ({silent}); {next}", limit.sessions);
        explanation.step("sessions", outcome);
        if claim == Claim::Refused {
            explanation.refuse(RejectReason::TooManySessions);
        }
        claim != Claim::Refused
    }

    /// What a login would be leased that its service has or had; nothing where no pool is usable.
    fn explain_lease(
        &self,
        service: ServiceId,
        wanted: &Wanted,
        explanation: &mut Explanation,
    ) -> Option<Leased> {
        let asking = Asking { service, station: 0, session: 0, sole: true };
        let (any, held) = self.pools.look(wanted, &asking);
        if !any {
            explanation.step("addresses", "no pool that this NAS may use".to_owned());
            explanation.refuse(RejectReason::NoPool);
            return None;
        }
        let mut leased = Leased::default();
        for holder in &held {
            let outcome = format!(
                "{}/{} of pool \"{}\" was its last ({})",
                holder.address, holder.length, holder.pool_name, holder.state
            );
            explanation.step("addresses", outcome);
            let prefix = match holder.address {
                IpAddr::V6(ip) => Ipv6Network::new(ip, holder.length).ok(),
                IpAddr::V4(_) => None,
            };
            match (holder.part, holder.address) {
                (Part::Ipv4, IpAddr::V4(ip)) => leased.ipv4 = Some(ip),
                (Part::Ipv6, _) => leased.ipv6 = prefix,
                (Part::Delegated, _) => leased.delegated = prefix,
                _ => {}
            }
        }
        if held.is_empty() {
            let online = self.pools.of_service(service);
            let text = match online.iter().find(|holder| holder.state == "used") {
                Some(holder) => format!("it has {}; another session gets another", holder.address),
                None => "one that is free will be leased".to_owned(),
            };
            explanation.step("addresses", text);
        }
        Some(leased)
    }

    fn credential_text(&self, entry: &SubscriberEntry, kind: IdentityKind, key: &[u8]) -> String {
        let mut room = Vec::new();
        let sealed = entry.credential(kind, key);
        if kind != IdentityKind::Login && sealed.is_none() {
            return "none, and none is needed: the NAS names it".to_owned();
        }
        match sealed.and_then(|sealed| self.cache.open(&sealed, &mut room)) {
            Some(Opened::Clear(_)) => "password in clear: PAP, CHAP, MS-CHAP and MS-CHAPv2 work",
            Some(Opened::NtHash(_)) => "NT hash: PAP, MS-CHAP and MS-CHAPv2 work",
            None => "none that opens: every login is refused",
        }
        .to_owned()
    }

    /// Whom people mean by a name: a login, else a line, else a MAC. The key it was found by is
    /// left in `key`.
    fn named(&self, name: &str, key: &mut Vec<u8>) -> Option<(SubscriberEntry, IdentityKind)> {
        let subscribers = self.cache.subscribers();
        let mut find = |kind, value: &[u8]| {
            let entry = subscribers.identify(kind, value)?;
            *key = value.to_vec();
            Some((entry, kind))
        };
        let mut login = Vec::new();
        login_key(name.as_bytes(), self.fold_case, &mut login);
        let line = parse_circuit(name).unwrap_or_default();
        let mac = name.parse::<MacAddress>().map(MacAddress::key).unwrap_or_default();
        find(IdentityKind::Login, &login)
            .or_else(|| find(IdentityKind::Circuit, line.as_bytes()))
            .or_else(|| find(IdentityKind::Mac, mac.as_bytes()))
    }
}

trait Explain {
    fn step(&mut self, rule: &str, outcome: String);
    fn refuse(&mut self, reason: RejectReason);
}

impl Explain for Explanation {
    fn step(&mut self, rule: &str, outcome: String) {
        self.steps.push(ExplainStep { rule: rule.to_owned(), outcome });
    }

    fn refuse(&mut self, reason: RejectReason) {
        self.reason = Some(reason);
        self.attributes = vec![ExplainAttribute {
            name: "Reply-Message".to_owned(),
            value: format!("\"{}\"", text::text("en", reason.text_key(), &[])),
            from: reason.as_str().to_owned(),
        }];
    }
}

fn step_text(step: &Step<'_>) -> (&'static str, String) {
    let rate = |rate: Option<u64>| rate.map_or("no limit".to_owned(), |r| ShowRate(r).to_string());
    match step {
        Step::Hold { reason, network, wins } => {
            let weight =
                if *wins { "decides" } else { "a stronger one stands, or it only holds billing" };
            ("hold", format!("{}: {} ({weight})", reason.as_str(), network.as_str()))
        }
        Step::Expired { at, enforced: true } => ("expiry", format!("expired at {at}")),
        Step::Expired { at, enforced: false } => {
            ("expiry", format!("expired at {at}, not enforced: billing is silent"))
        }
        Step::Profile(profile) => (
            "profile",
            format!(
                "\"{}\": {} down, {} up",
                profile.name,
                rate(profile.gives.download_bps),
                rate(profile.gives.upload_bps)
            ),
        ),
        Step::Override(field) => ("override", format!("{field} is the subscriber's own")),
        Step::Overlay { overlay, applied } => {
            let state = if *applied { "applied" } else { "not applied: ended or replaced" };
            (
                "overlay",
                format!(
                    "{:?}: {} down, {} up, {} ({state})",
                    overlay.kind,
                    rate(overlay.download_bps),
                    rate(overlay.upload_bps),
                    overlay.reason
                ),
            )
        }
        Step::Garden => ("garden", "the walled garden's rates and list apply".to_owned()),
    }
}

/// The names of the shipped dictionaries. That they can be read is tested.
static NAMES: LazyLock<Dictionary> = LazyLock::new(|| builtin().unwrap_or_default());

/// Collects attributes as text.
struct Shown {
    attributes: Vec<ExplainAttribute>,
    left_out: Vec<Unfit>,
    octets: usize,
}

impl Shown {
    /// An attribute's head, of which only the type counts here, and its value.
    fn put(&mut self, head: &[u8], value: &[u8], from: &str) {
        self.octets += head.len() + value.len();
        let shown = NAMES.show(&Attribute { kind: head[0], value });
        let (name, value) = shown.split_once(" = ").unwrap_or((shown.as_str(), ""));
        self.attributes.push(ExplainAttribute {
            name: name.to_owned(),
            value: value.to_owned(),
            from: from.to_owned(),
        });
    }

    fn show(&mut self, octets: &[u8], from: Item) -> Result<(), Full> {
        if self.octets + octets.len() > radius_wire::PACKET_OCTETS_MAX {
            return Err(Full::Packet);
        }
        if let Some((head, value)) = octets.split_at_checked(2) {
            self.put(head, value, from.as_str());
        }
        Ok(())
    }
}

impl Sink for Shown {
    fn standard(&mut self, kind: u8, value: &[u8], from: Item) -> Result<(), Full> {
        let mut octets = Vec::new();
        push(&mut octets, kind, value)?;
        self.show(&octets, from)
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], from: Item) -> Result<(), Full> {
        let mut octets = Vec::new();
        push_vendor(&mut octets, vendor, kind, value)?;
        self.show(&octets, from)
    }

    fn left_out(&mut self, unfit: Unfit) {
        if !self.left_out.contains(&unfit) {
            self.left_out.push(unfit);
        }
    }
}
