//! A profile compiled once into wire bytes per dialect.

use model::nas::Vendor;
use model::policy::{Context, Effective, NoTrace, Profile, Subscriber, effective};
use model::{CustomerId, ServiceId, Ts};
use tracing::warn;

use super::{Rule, Sink, Unfit};

/// A profile, and what a subscriber who has nothing but this profile is told.
///
/// Most subscribers are of that kind; their replies are copied, not composed. Whoever has an
/// override, an overlay or a garden hashes differently and is composed on the spot.
pub(crate) struct CompiledProfile {
    pub(crate) profile: Profile,
    plain_hash: u64,
    bytes: [Result<Box<[u8]>, Unfit>; Vendor::ALL.len()],
}

impl CompiledProfile {
    /// Compiles for every vendor. A vendor that cannot carry the profile is told to the log
    /// here, once, and to each login through the reply's error.
    pub(crate) fn compile(profile: &Profile) -> Self {
        let plain = Subscriber::plain(
            ServiceId::NONE,
            profile.organisation,
            CustomerId::NONE,
            profile.id,
            None,
        );
        let context = Context { now: Ts(0), billing_heard: Ts(0) };
        let policy = effective(context, profile, &plain, &[], &mut NoTrace);
        let bytes = Vendor::ALL.map(|vendor| {
            let mut bytes = Bytes(Vec::new());
            let result = super::accept(vendor, &policy, &mut bytes);
            if let Err(error) = result {
                warn!(profile = %profile.name, vendor = vendor.as_str(), %error, "profile does not fit a vendor");
            }
            result.map(|()| bytes.0.into_boxed_slice())
        });
        Self { plain_hash: policy.hash(), bytes, profile: profile.clone() }
    }

    /// The compiled attributes, if `policy` is exactly the plain profile.
    pub(crate) fn bytes_for(
        &self,
        vendor: Vendor,
        policy: &Effective<'_>,
        hash: u64,
    ) -> Option<Result<&[u8], Unfit>> {
        if hash != self.plain_hash || policy.address_list.is_some() {
            return None;
        }
        Some(self.bytes[vendor as usize].as_deref().map_err(|e| *e))
    }
}

/// Attributes as bytes.
struct Bytes(Vec<u8>);

/// Octets of one attribute, its two of header included (RFC 2865 §5).
const ATTRIBUTE_OCTETS_MAX: usize = 255;

impl Bytes {
    fn put(&mut self, head: &[u8], value: &[u8]) -> Result<(), Unfit> {
        if head.len() + value.len() > ATTRIBUTE_OCTETS_MAX {
            return Err(Unfit::Full);
        }
        self.0.extend_from_slice(head);
        self.0.extend_from_slice(value);
        Ok(())
    }
}

impl Sink for Bytes {
    fn standard(&mut self, kind: u8, value: &[u8], _: Rule) -> Result<(), Unfit> {
        self.put(&[kind, (value.len() + 2) as u8], value)
    }

    fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8], _: Rule) -> Result<(), Unfit> {
        let [a, b, c, d] = vendor.to_be_bytes();
        // RFC 2865 §5.26: vendor id, then the vendor's own type and length.
        let head = [26, (value.len() + 8) as u8, a, b, c, d, kind, (value.len() + 2) as u8];
        self.put(&head, value)
    }
}
