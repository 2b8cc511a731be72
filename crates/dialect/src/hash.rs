//! What a session of a vendor is told, as a number.
//!
//! Two policies that a NAS is told alike are one to it: an edit it never hears of must not end
//! its sessions, nor send it a CoA. So what is hashed are the attributes, not the fields.
//!
//! The high half covers what only a login can say, the low half what a CoA-Request can change
//! in a living session, so that two hashes tell whether the difference can be carried
//! ([`model::policy::difference`]). A CoA-Request can say something new and cannot take
//! anything back: whether a name, a timeout or a number is said at all belongs to the high half.

use model::nas::{Fnv, Vendor};
use model::policy::{Access, Effective};
use radius_wire::{Full, attr};

use crate::compose::{self, Out, lasting_parts};
use crate::item::{Item, Unfit};
use crate::places::{Dialect, Live, Rate, Sink};
use crate::rate::{self, When};
use crate::vendors;

/// A stable hash of everything a session behind a NAS of this vendor is told: equal hashes, equal
/// treatment. Stamped into Class and accounting records. It does not allocate.
///
/// The interim interval is not in it: it differs by session, and no CoA sends it.
pub fn hash_for(vendor: Vendor, policy: &Effective<'_>) -> u64 {
    let dialect = vendors::of(vendor);
    u64::from(fixed(dialect, policy)) << 32 | u64::from(live(dialect, policy))
}

/// A hash of attributes as a session was told them, where staff's own are among them: what an
/// attribute that a CoA-Request can say anew says is in the low half, that it is said at all in the
/// high one. `fixed`: nothing can be said anew, since what is told depends on the request. It does
/// not allocate.
pub fn hash_of_told(vendor: Vendor, told: radius_wire::Attributes<'_>, fixed: bool) -> u64 {
    let dialect = vendors::of(vendor);
    let (mut high, mut low) = (Hash::default(), Hash::default());
    let mut presence = 0u64;
    // The interim interval differs by session.
    for attribute in told.iter().filter(|one| one.kind != attr::ACCT_INTERIM_INTERVAL) {
        if fixed || !crate::places::changes(dialect, &attribute) {
            high.take(0, attribute.kind, attribute.value);
            continue;
        }
        low.take(0, attribute.kind, attribute.value);
        // Vendor and type: what it is, without what it says. Sums do not depend on the order, in
        // which a replaced attribute comes last.
        let head = if attribute.kind == attr::VENDOR_SPECIFIC { 5 } else { 0 };
        let mut said = Hash::default();
        said.take(0, attribute.kind, attribute.value.get(..head).unwrap_or_default());
        presence = presence.wrapping_add(said.0.0);
    }
    high.0.write(&presence.to_be_bytes());
    u64::from(high.0.fold()) << 32 | u64::from(low.0.fold())
}

fn fixed(dialect: &'static Dialect, policy: &Effective<'_>) -> u32 {
    let mut hash = Hash::default();
    let access: u8 = match policy.access {
        Access::Full => 0,
        Access::Garden(_) => 1,
        Access::Reject(_) => 2,
    };
    hash.0.write(&[
        access,
        u8::from(policy.session_timeout_s.is_some()),
        u8::from(policy.idle_timeout_s.is_some()),
    ]);
    // Where both are possible, a name that stood for the rate stays in force beside a number.
    let by_name = dialect.rate != Rate::Names && rate::standing(dialect, policy);
    hash.0.write(&[u8::from(by_name)]);
    let mut out = Out::new(dialect, &mut hash);
    for (name, text) in rate::names_told(dialect, policy) {
        out.sink.0.write(&[1, name.profile as u8]);
        let changes = match dialect.live {
            Live::AsAccept => true,
            Live::Service(profile, _) => profile == name.profile,
            Live::Numbers { .. } | Live::Nothing => false,
        };
        if !changes {
            note(out.name(name.place, text, policy), &mut out);
        }
    }
    for part in lasting_parts() {
        note(part(policy, &mut out), &mut out);
    }
    // Which address is leased differs by session; from where, does not.
    if let Some(lease) = policy.lease {
        out.sink.0.write(&[4]);
        out.sink.0.write(lease.pool().unwrap_or(model::PoolId::NONE).0.as_bytes());
    }
    hash.0.fold()
}

fn live(dialect: &'static Dialect, policy: &Effective<'_>) -> u32 {
    let mut hash = Hash::default();
    if compose::change(dialect, policy, &mut hash).is_ok() {
        return hash.0.fold();
    }
    // No CoA-Request says it: then it is what a login is told.
    let mut hash = Hash::default();
    hash.0.write(&[1]);
    let mut out = Out::new(dialect, &mut hash);
    note(rate::rate(dialect, policy, When::Login, &mut out), &mut out);
    note(compose::timeouts(policy, &mut out), &mut out);
    hash.0.fold()
}

/// A part that cannot be told is not what was told before.
fn note(told: Result<(), Unfit>, out: &mut Out<'_, Hash>) {
    if let Err(Unfit { item, vendor: _, why }) = told {
        out.sink.0.write(&[2, item as u8, why as u8]);
    }
}

/// Takes attributes and keeps their hash.
#[derive(Default)]
struct Hash(Fnv);

impl Hash {
    fn take(&mut self, vendor: u32, kind: u8, value: &[u8]) {
        self.0.write(&[3, kind]);
        self.0.write(&vendor.to_be_bytes());
        self.0.write(&(value.len() as u32).to_be_bytes());
        self.0.write(value);
    }
}

impl Sink for Hash {
    fn standard(&mut self, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        self.take(0, kind, value);
        Ok(())
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        self.take(vendor, kind, value);
        Ok(())
    }
}
