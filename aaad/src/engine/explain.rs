//! `explain`: the same decision with a trace, for people.

use std::net::IpAddr;

use dialect::attributes::Reply;
use dialect::{Item, Leased, Sink, Unfit};
use ipnetwork::Ipv6Network;
use model::control::{ExplainAttribute, ExplainStep, Explanation};
use model::identity::{IdentityKind, MacAddress, login_key, parse_circuit};
use model::nas::Vendor;
use model::policy::{Access, Context, MacBinding, MacMode, Step, effective};
use model::pool::Part;
use model::reject::RejectReason;
use model::units::ShowRate;
use model::{NasId, ServiceId, Ts, text};
use radius_wire::write::{push, push_vendor};
use radius_wire::{Attribute, Attributes, Full, attr};

use super::Engine;
use super::admission::Rules;
use super::realm::{Names, Split};
use super::rules::{self, Bound, Whose};
use crate::cache::{Opened, SubscriberEntry};
use crate::pools::{Asking, Wanted};
use crate::presence::{Claim, Limit};

impl Engine {
    /// What a login with the right password would get now on a NAS of this vendor, and why.
    /// Without an id it is some NAS. `said` is what is known of the request; what is asked of the
    /// rest is shown and taken to be met.
    pub(crate) fn explain(
        &self,
        now: Ts,
        login: &str,
        (nas, vendor): (Option<NasId>, Vendor),
        said: Attributes<'_>,
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
        let realms = self.cache.realms();
        let names = Names {
            realms: &realms,
            fold_case: self.fold_case,
            refuse_unknown: self.refuse_unknown_realms,
        };
        match names.split(login.as_bytes()) {
            Split::Plain => {}
            Split::Unknown if self.refuse_unknown_realms => {
                explanation.step("realm", "not known: such names are refused".to_owned());
                explanation.refuse(RejectReason::UnknownRealm);
                return explanation;
            }
            Split::Unknown => {
                explanation.step("realm", "not known: it is a part of the login".to_owned());
            }
            Split::Of(realm, _) => {
                let how = if realm.strip { "stripped" } else { "kept" };
                let outcome = format!("\"{}\" of {}, {how}", realm.name, realm.organisation);
                explanation.step("realm", outcome);
            }
        }
        let Some((entry, kind)) = self.named(login, &names, &mut key) else {
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
        let groups = self.cache.groups();
        let bound = Bound::of(&compiled, &entry, &groups);
        if let Some(reason) = asked(&bound, now, nas, said, &mut explanation) {
            explanation.refuse(reason);
            return explanation;
        }
        if let Some(binding) = bound.mac()
            && !binding_allows(binding, said, &mut explanation)
        {
            explanation.refuse(RejectReason::MacMismatch);
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
        let mut shown =
            Shown { attributes: Vec::new(), left_out: Vec::new(), octets: 0, raw: Vec::new() };
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
        let mut hash = dialect::hash_for(vendor, &policy);
        if bound.adds(policy.access) {
            self.add(&bound, said, &mut shown, &mut explanation);
            hash = rules::hash_of_all(vendor, &policy, &bound, hash, &mut Vec::new());
        }
        if let Some(left) = bound.left(now).filter(|left| *left != u32::MAX) {
            shown.end_with_hours(left);
        }
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
    fn named(
        &self,
        name: &str,
        names: &Names<'_>,
        key: &mut Vec<u8>,
    ) -> Option<(SubscriberEntry, IdentityKind)> {
        let subscribers = self.cache.subscribers();
        if let Ok(Some(entry)) = names.find(subscribers, name.as_bytes(), key) {
            return Some((entry, IdentityKind::Login));
        }
        let mut find = |kind, value: &[u8]| {
            let entry = subscribers.identify(kind, value)?;
            *key = value.to_vec();
            Some((entry, kind))
        };
        let line = parse_circuit(name).unwrap_or_default();
        let mac = name.parse::<MacAddress>().map(MacAddress::key).unwrap_or_default();
        find(IdentityKind::Circuit, line.as_bytes())
            .or_else(|| find(IdentityKind::Mac, mac.as_bytes()))
    }

    /// Applies reply attributes to what is shown, and says of each where it comes from.
    fn add(
        &self,
        bound: &Bound<'_>,
        said: Attributes<'_>,
        shown: &mut Shown,
        explanation: &mut Explanation,
    ) {
        for group in bound.groups() {
            let met = rules::meets_what_is_said(group, said);
            let how = match (group.check.is_empty(), met) {
                (true, _) => format!("priority {}", group.priority),
                (false, true) => {
                    let asked: Vec<&str> = group.check.iter().map(|check| check.line()).collect();
                    format!("priority {}, if {}", group.priority, asked.join(", "))
                }
                (false, false) => "its check attributes are not met".to_owned(),
            };
            explanation.step("group", format!("\"{}\": {how}", group.name));
        }
        for (whose, reply) in bound.replies(None) {
            let from = match whose {
                Whose::Plan => "plan".to_owned(),
                Whose::Group(group) if !rules::meets_what_is_said(group, said) => continue,
                Whose::Group(group) => format!("group \"{}\"", group.name),
                Whose::Service => "service".to_owned(),
            };
            shown.apply(reply, &from);
        }
    }
}

/// What is asked of a login besides its password, and the reason where it is refused.
fn asked(
    bound: &Bound<'_>,
    now: Ts,
    nas: Option<NasId>,
    said: Attributes<'_>,
    explanation: &mut Explanation,
) -> Option<RejectReason> {
    let mut refused = None;
    for rules in bound.each() {
        let mut ask = |rule: &str, asked: String, known: bool, met: bool, reason: RejectReason| {
            let verdict = match (known, met) {
                (false, _) => "each login is asked",
                (true, true) => "met",
                (true, false) => "not met",
            };
            explanation.step(rule, format!("{asked} ({verdict})"));
            if known && !met {
                refused = refused.or(Some(reason));
            }
        };
        if !rules.nas.is_empty() {
            let names: Vec<String> = rules.nas.iter().map(NasId::to_string).collect();
            let met = nas.is_some_and(|nas| rules.nas.contains(&nas));
            ask("NAS", names.join(", "), nas.is_some(), met, RejectReason::NasNotAllowed);
        }
        if !rules.ports.is_empty() {
            let known =
                [attr::NAS_PORT_ID, attr::NAS_PORT].iter().any(|k| said.first(*k).is_some());
            let met = rules::port_is_one_of(&rules.ports, said);
            ask("port", rules.ports.join(", "), known, met, RejectReason::PortNotAllowed);
        }
        if !rules.called_stations.is_empty() {
            let station = said.first(attr::CALLED_STATION_ID);
            let met = rules::one_of(&rules.called_stations, station);
            let (asked, reason) =
                (rules.called_stations.join(", "), RejectReason::CalledStationNotAllowed);
            ask("called station", asked, station.is_some(), met, reason);
        }
        for check in &rules.check {
            let (known, met) = (check.is_said(said), check.passes(said));
            ask("check", check.line().to_owned(), known, met, RejectReason::CheckFailed);
        }
        if rules.unreadable {
            let asked = "a check or the hours do not read here".to_owned();
            ask("check", asked, true, false, RejectReason::CheckFailed);
        }
        if let Some(hours) = &rules.hours {
            let zone = bound.own.and_then(|own| own.zone.as_ref());
            let zone = zone.and_then(|zone| zone.iana_name()).unwrap_or("UTC");
            let met = bound.left(now).is_some();
            ask("hours", format!("{hours}, {zone}"), true, met, RejectReason::OutsideHours);
        }
    }
    refused
}

/// Whether a binding lets the station in that is named; one that is not named is let in.
fn binding_allows(
    binding: &MacBinding,
    said: Attributes<'_>,
    explanation: &mut Explanation,
) -> bool {
    let known: Vec<String> = binding.addresses.iter().map(MacAddress::to_string).collect();
    let room = match binding.mode {
        MacMode::Fixed => false,
        MacMode::Learn => binding.addresses.len() < usize::from(binding.limit),
    };
    let bound = match (known.is_empty(), binding.mode) {
        (true, _) => "no address yet".to_owned(),
        (false, MacMode::Fixed) => known.join(", "),
        (false, MacMode::Learn) => format!("{}, learned", known.join(", ")),
    };
    let more = if room { "; the next new one is kept" } else { "" };
    explanation.step("MAC", format!("{bound}{more}"));
    match rules::mac_of(said) {
        None => true,
        Some(mac) => room || binding.addresses.contains(&mac),
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

/// Collects attributes as text.
struct Shown {
    attributes: Vec<ExplainAttribute>,
    left_out: Vec<Unfit>,
    octets: usize,
    /// The attributes on the wire, each in the place of its text.
    raw: Vec<Vec<u8>>,
}

impl Shown {
    /// An attribute's head, of which only the type counts here, and its value.
    fn put(&mut self, head: &[u8], value: &[u8], from: &str) {
        self.octets += head.len() + value.len();
        self.raw.push([head, value].concat());
        let shown = dialect::attributes::names().show(&Attribute { kind: head[0], value });
        let (name, value) = shown.split_once(" = ").unwrap_or((shown.as_str(), ""));
        self.attributes.push(ExplainAttribute {
            name: name.to_owned(),
            value: value.to_owned(),
            from: from.to_owned(),
        });
    }

    /// Applies a reply attribute as a login does; the order stays that of what comes later.
    fn apply(&mut self, reply: &Reply, from: &str) {
        let mut before = Vec::new();
        self.raw.iter().for_each(|own| before.extend_from_slice(own));
        let mut after = before.clone();
        // What is too long for a packet refuses each login; here it is only not shown.
        if reply.apply(&mut after, 0).is_err() || after == before {
            return;
        }
        let Ok(told) = Attributes::parse(&after) else { return };
        let (old_raw, old) = (std::mem::take(&mut self.raw), std::mem::take(&mut self.attributes));
        let mut old: Vec<_> = old_raw.into_iter().zip(old).collect();
        for attribute in told.iter() {
            let mut octets = vec![attribute.kind, attribute.value.len() as u8 + 2];
            octets.extend_from_slice(attribute.value);
            match old.iter().position(|(own, _)| *own == octets) {
                Some(at) => {
                    let (octets, shown) = old.remove(at);
                    self.raw.push(octets);
                    self.attributes.push(shown);
                }
                None => self.put(&octets[..2], attribute.value, from),
            }
        }
    }

    /// Shows the session's end with the hours.
    fn end_with_hours(&mut self, left: u32) {
        let kind = attr::SESSION_TIMEOUT;
        let at = self.raw.iter().position(|own| own.first() == Some(&kind));
        if let Some(at) = at {
            let own = self.raw[at].get(2..).and_then(|value| value.try_into().ok());
            if own.map(u32::from_be_bytes).is_some_and(|own| own <= left) {
                return;
            }
            self.raw.remove(at);
            self.attributes.remove(at);
        }
        self.put(&[kind, 6], &left.to_be_bytes(), "hours");
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
