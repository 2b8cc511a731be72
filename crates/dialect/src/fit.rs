//! Whether a vendor can carry a policy, asked in advance: by whoever makes or assigns a plan.

use model::nas::Vendor;
use model::policy::{
    Context, Effective, Hold, HoldNetwork, HoldReason, NoTrace, Profile, Subscriber, effective,
};
use model::{CustomerId, ServiceId, Ts};
use radius_wire::Full;

use crate::compiled::Bytes;
use crate::compose::{Out, parts};
use crate::item::{Item, Unfit, Why};
use crate::places::Sink;
use crate::vendors;

/// Octets a reply needs besides the policy: its header, Message-Authenticator, interim interval,
/// Class, what MS-CHAPv2 owes, and some Proxy-State.
const RESERVED_OCTETS: usize = 20 + 18 + 6 + 50 + 160 + 255;

/// A part of a policy that a vendor does not carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The part, the vendor, and why not.
    pub unfit: Unfit,
    /// The field of the plan or the service that asks for it.
    pub field: &'static str,
    /// Whether a login is refused for it; else it is left out.
    pub refuses: bool,
}

/// What of a plan a vendor does not carry, for a subscriber who has nothing else, and in the
/// walled garden.
pub fn of_plan(vendor: Vendor, profile: &Profile) -> Vec<Finding> {
    let mut found = with_plain(profile, false, |policy| of(vendor, policy));
    let garden = with_plain(profile, true, |policy| of(vendor, policy));
    for finding in garden {
        // What is no matter of the garden was found above.
        let walls = &profile.gives.garden;
        let own = match finding.unfit.item {
            Item::Garden | Item::Redirect | Item::Rate => true,
            Item::Pool => walls.pool.is_some(),
            Item::Dns => !walls.dns.is_empty(),
            Item::VendorProfiles => !walls.vendor_profiles.is_empty(),
            _ => false,
        };
        let known = |known: &Finding| (known.unfit, known.field) == (finding.unfit, finding.field);
        if own && !found.iter().any(known) {
            // The plan works; whoever is held does not get in.
            found.push(Finding { refuses: false, ..finding });
        }
    }
    found
}

/// What a subscriber's policy, in force or not, asks of a vendor that does not carry it.
pub fn of_subscriber(vendor: Vendor, profile: &Profile, subscriber: &Subscriber) -> Vec<Finding> {
    let free = Subscriber { holds: Vec::new(), expires_at: None, ..subscriber.clone() };
    let context = Context { now: Ts(0), billing_heard: Ts(0) };
    of(vendor, &effective(context, profile, &free, &[], &mut NoTrace))
}

fn of(vendor: Vendor, policy: &Effective<'_>) -> Vec<Finding> {
    let mut sink = Looking { bytes: Bytes(Vec::new()), left_out: Vec::new() };
    let mut out = Out::new(vendors::of(vendor), &mut sink);
    let mut refused: Vec<Unfit> = parts().filter_map(|part| part(policy, &mut out).err()).collect();
    if sink.bytes.0.len() + RESERVED_OCTETS > radius_wire::PACKET_OCTETS_MAX {
        // Routes are what there can be many of.
        let item = if policy.routes.is_empty() { Item::Ipv6Routes } else { Item::Routes };
        refused.push(Unfit { item, vendor, why: Why::PacketFull });
    }
    let garden = policy.garden.is_some();
    let finding =
        |refuses| move |unfit: Unfit| Finding { unfit, field: unfit.item.field(garden), refuses };
    let left_out = sink.left_out.into_iter().map(finding(false));
    refused.into_iter().map(finding(true)).chain(left_out).collect()
}

/// Calls `f` with what a subscriber who has nothing but the profile gets.
pub(crate) fn with_plain<T>(
    profile: &Profile,
    garden: bool,
    f: impl FnOnce(&Effective<'_>) -> T,
) -> T {
    let held = Hold { reason: HoldReason::Nonpayment, network: HoldNetwork::Garden };
    let plain = Subscriber {
        service: ServiceId::NONE,
        organisation: profile.organisation,
        customer: CustomerId::NONE,
        profile: profile.id,
        identities: Vec::new(),
        holds: if garden { vec![held] } else { Vec::new() },
        expires_at: None,
        ipv4: None,
        overrides: None,
    };
    let context = Context { now: Ts(0), billing_heard: Ts(0) };
    f(&effective(context, profile, &plain, &[], &mut NoTrace))
}

/// Measures, and keeps what is left out.
struct Looking {
    bytes: Bytes,
    left_out: Vec<Unfit>,
}

impl Sink for Looking {
    fn standard(&mut self, kind: u8, value: &[u8], from: Item) -> Result<(), Full> {
        self.bytes.standard(kind, value, from)
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], from: Item) -> Result<(), Full> {
        self.bytes.vendor(vendor, kind, value, from)
    }

    fn left_out(&mut self, unfit: Unfit) {
        if !self.left_out.contains(&unfit) {
            self.left_out.push(unfit);
        }
    }
}
