//! A profile compiled once into wire bytes per dialect.

use model::nas::Vendor;
use model::policy::{Effective, Profile};
use radius_wire::write::{push, push_vendor};
use radius_wire::{Full, PACKET_OCTETS_MAX};

use crate::fit::with_plain;
use crate::item::{Item, Unfit};
use crate::places::Sink;

/// A profile, and what a subscriber who has nothing but this profile is told.
///
/// Most subscribers are of that kind; their replies are copied, not composed. Whoever has an
/// override, an overlay or a garden hashes differently and is composed on the spot.
pub struct CompiledProfile {
    /// The profile.
    pub profile: Profile,
    plain_hash: u64,
    /// [`crate::hash_for`] of the plain policy.
    told: [u64; Vendor::ALL.len()],
    bytes: [Result<Box<[u8]>, Unfit>; Vendor::ALL.len()],
}

impl CompiledProfile {
    /// Compiles for every vendor.
    pub fn compile(profile: &Profile) -> Self {
        with_plain(profile, false, |policy| {
            let bytes = Vendor::ALL.map(|vendor| {
                let mut bytes = Bytes(Vec::new());
                let result = crate::accept(vendor, policy, &mut bytes);
                result.map(|()| bytes.0.into_boxed_slice())
            });
            let told = Vendor::ALL.map(|vendor| crate::hash_for(vendor, policy));
            Self { plain_hash: policy.hash(), told, bytes, profile: profile.clone() }
        })
    }

    /// The compiled attributes, the interim interval apart, if `policy` is exactly the plain
    /// profile.
    pub fn bytes_for(
        &self,
        vendor: Vendor,
        policy: &Effective<'_>,
        hash: u64,
    ) -> Option<Result<&[u8], Unfit>> {
        if !self.is_plain(policy, hash) {
            return None;
        }
        Some(self.bytes[vendor as usize].as_deref().map_err(|e| *e))
    }

    /// [`crate::hash_for`] of a policy that came from this profile and has this `hash`: known
    /// already where it is exactly the plain profile.
    pub fn hash_for(&self, vendor: Vendor, policy: &Effective<'_>, hash: u64) -> u64 {
        if self.is_plain(policy, hash) {
            self.told[vendor as usize]
        } else {
            crate::hash_for(vendor, policy)
        }
    }

    fn is_plain(&self, policy: &Effective<'_>, hash: u64) -> bool {
        hash == self.plain_hash && policy.garden.is_none()
    }
}

/// Attributes as bytes, at most a packet's.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    fn within(&self) -> Result<(), Full> {
        if self.0.len() > PACKET_OCTETS_MAX { Err(Full::Packet) } else { Ok(()) }
    }
}

impl Sink for Bytes {
    fn standard(&mut self, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        push(&mut self.0, kind, value)?;
        self.within()
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Item) -> Result<(), Full> {
        push_vendor(&mut self.0, vendor, kind, value)?;
        self.within()
    }
}
