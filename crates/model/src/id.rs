//! Typed identifiers.
//!
//! Every identifier is a UUIDv7 (RFC 9562 §5.7) in its own type, shown as a prefix and 26
//! characters of Crockford base 32: `cus_06a8k2v7…`. The text sorts as the id does, which is
//! by time of creation. Swapping two kinds of id does not compile; sending the wrong kind
//! over the API is an error that names both kinds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Crockford's alphabet in lower case: no i, l, o, u, so that an id survives a phone call.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of one encoded id: 128 bits in groups of five.
const TEXT_LEN: usize = 26;

/// Why a text is not the identifier that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text carries no prefix or another kind's.
    #[error("expected an id that starts with \"{expected}_\"")]
    Prefix {
        /// The prefix the wanted kind has.
        expected: &'static str,
    },
    /// The prefix is right, the rest is not 26 characters of base 32.
    #[error("\"{prefix}_\" must be followed by 26 characters (0-9, a-z without i, l, o, u)")]
    Body {
        /// The prefix that was found.
        prefix: &'static str,
    },
}

/// Writes 128 bits as 26 base-32 characters, most significant first.
fn encode(value: u128) -> [u8; TEXT_LEN] {
    let mut out = [0; TEXT_LEN];
    for (i, byte) in out.iter_mut().enumerate() {
        let shift = 5 * (TEXT_LEN - 1 - i);
        *byte = ALPHABET[((value >> shift) & 31) as usize];
    }
    out
}

/// Reads what [`encode`] wrote; letters may be in either case.
fn decode(text: &[u8]) -> Option<u128> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let mut value: u128 = 0;
    for (i, byte) in text.iter().enumerate() {
        let lower = byte.to_ascii_lowercase();
        let digit = ALPHABET.iter().position(|a| *a == lower)? as u128;
        // 26 characters hold 130 bits: the first may only use its low three.
        if i == 0 && digit > 7 {
            return None;
        }
        value = (value << 5) | digit;
    }
    Some(value)
}

/// The text of an id whose kind is known only while running: the interpreter of entity
/// descriptions needs it.
pub fn show(prefix: &str, id: Uuid) -> String {
    let text = encode(id.as_u128());
    format!("{prefix}_{}", String::from_utf8_lossy(&text))
}

/// Reads what [`show`] wrote.
pub fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let body = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError::Prefix { expected: prefix })?;
    decode(body.as_bytes()).map(Uuid::from_u128).ok_or(IdError::Body { prefix })
}

/// The text of an id on the stack, for places that must not allocate.
#[derive(Clone, Copy)]
pub struct IdText {
    octets: [u8; ID_TEXT_OCTETS_MAX],
    len: usize,
}

/// The longest prefix has four letters; then the underscore and the encoded id.
const ID_TEXT_OCTETS_MAX: usize = 4 + 1 + TEXT_LEN;

impl IdText {
    /// Writes [`show`]'s text. `prefix` has at most four letters.
    fn of(prefix: &'static str, id: Uuid) -> Self {
        let prefix = prefix.as_bytes();
        let mut octets = [0; ID_TEXT_OCTETS_MAX];
        let (head, rest) = octets.split_at_mut(prefix.len());
        head.copy_from_slice(prefix);
        let (separator, body) = rest.split_at_mut(1);
        separator[0] = b'_';
        body.split_at_mut(TEXT_LEN).0.copy_from_slice(&encode(id.as_u128()));
        Self { octets, len: prefix.len() + 1 + TEXT_LEN }
    }
}

impl std::ops::Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        // Prefixes and the alphabet are ASCII.
        std::str::from_utf8(&self.octets[..self.len]).unwrap_or_default()
    }
}

macro_rules! define_ids {
    ($( $(#[$doc:meta])* $name:ident = $prefix:literal; )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(pub Uuid);

            impl $name {
                /// What the text form starts with, before the underscore.
                pub const PREFIX: &'static str = $prefix;
                /// The id no row has; used where a record's owner is not known.
                pub const NONE: $name = $name(Uuid::nil());

                /// A new id, unique and later than every earlier one of this process.
                pub fn generate() -> Self {
                    Self(Uuid::now_v7())
                }

                /// The text [`fmt::Display`] writes, without allocation.
                pub fn text(self) -> IdText {
                    const { assert!($prefix.len() <= 4, "IdText has no room for the prefix") };
                    IdText::of($prefix, self.0)
                }

                /// The id, or nothing where it is [`Self::NONE`].
                pub fn known(self) -> Option<Self> {
                    (self != Self::NONE).then_some(self)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.text())
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = IdError;

                fn from_str(text: &str) -> Result<Self, IdError> {
                    parse($prefix, text).map(Self)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
        )*

        /// Calls `$callback!(Name)` for every identifier type, so that another crate can
        /// implement its own trait for all of them.
        #[macro_export]
        macro_rules! for_each_id {
            ($callback:ident) => { $( $callback!($crate::$name); )* };
        }
    };
}

define_ids! {
    /// An organisation: the ISP itself, a partner or a branch.
    OrganisationId = "org";
    /// A member of staff.
    StaffId = "usr";
    /// A signed-in staff session.
    StaffSessionId = "ses";
    /// A sign-in that is not complete.
    ChallengeId = "chl";
    /// A browser somebody has signed in with.
    BrowserId = "brw";
    /// A code for the day the second factor is lost.
    RecoveryCodeId = "rcc";
    /// A link to set a password with.
    LinkId = "lnk";
    /// A role: what its staff may do.
    RoleId = "rol";
    /// An API token.
    TokenId = "tok";
    /// A customer: the person or company that pays.
    CustomerId = "cus";
    /// A plan: what is sold.
    PlanId = "pln";
    /// One version of a plan; a profile is compiled from it.
    PlanVersionId = "plv";
    /// A price of a plan.
    PriceId = "prc";
    /// A service: one plan for one customer, one or more ways in.
    ServiceId = "svc";
    /// An access identity of a service: a login, a MAC, a circuit or a port.
    IdentityId = "idn";
    /// A hold on a service.
    HoldId = "hld";
    /// A RADIUS client: a source address or prefix with its secret.
    ClientId = "rcl";
    /// A NAS: the device that asks.
    NasId = "nas";
    /// A group of NAS: those that may use the same address pools.
    NasGroupId = "ngr";
    /// An address pool.
    PoolId = "pol";
    /// A group: check and reply attributes that services share.
    RadiusGroupId = "rgr";
    /// A realm: what stands beside a login.
    RealmId = "rlm";
    /// A subscriber's session on a NAS, minted by policyd alone.
    SessionId = "sess";
    /// A row of the log of refused logins.
    RefusalId = "rfl";
    /// An audit entry.
    AuditId = "aud";
    /// A domain event in the outbox.
    EventId = "evt";
    /// A job: work by schedule or by hand.
    JobId = "job";
    /// One run of a job.
    RunId = "run";
    /// A webhook: an address that hears of events.
    WebhookId = "whk";
    /// One event on its way to one webhook or program.
    DeliveryId = "dlv";
    /// One attempt of a delivery.
    AttemptId = "att";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        for _ in 0..100 {
            let id = CustomerId::generate();
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(*id.text(), *show(CustomerId::PREFIX, id.0));
        }
        assert_eq!(CustomerId(Uuid::max()).to_string(), "cus_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn text_order_is_id_order() {
        let mut ids: Vec<PlanId> = (0..50).map(|_| PlanId::generate()).collect();
        ids.sort();
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        assert!(texts.is_sorted());
    }

    #[test]
    fn the_wrong_kind_is_refused_by_name() {
        let plan = PlanId::generate().to_string();
        assert_eq!(plan.parse::<CustomerId>(), Err(IdError::Prefix { expected: "cus" }));
        assert_eq!("cus_12".parse::<CustomerId>(), Err(IdError::Body { prefix: "cus" }));
        let too_big = "cus_8zzzzzzzzzzzzzzzzzzzzzzzzz";
        assert_eq!(too_big.parse::<CustomerId>(), Err(IdError::Body { prefix: "cus" }));
    }
}
