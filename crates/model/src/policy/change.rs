//! Changes: policy as it travels and as it is kept in snapshots.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Group, Profile, Realm, Subscriber};
use crate::nas::{Client, Nas};
use crate::pool::Pool;
use crate::{ClientId, NasId, PlanVersionId, PoolId, RadiusGroupId, RealmId, ServiceId};

/// The format of [`Change`] and [`Mark`]; a reader refuses a newer one.
pub const FORMAT: u8 = 1;

/// What a change is about; its text is the key of the snapshot table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A plan version.
    Profile(PlanVersionId),
    /// A service.
    Subscriber(ServiceId),
    /// A RADIUS client.
    Client(ClientId),
    /// A NAS.
    Nas(NasId),
    /// An address pool.
    Pool(PoolId),
    /// A group.
    Group(RadiusGroupId),
    /// A realm.
    Realm(RealmId),
}

/// The key's prefix names no kind of policy record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the key of a policy record")]
pub struct KeyError(String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(id) => id.fmt(f),
            Self::Subscriber(id) => id.fmt(f),
            Self::Client(id) => id.fmt(f),
            Self::Nas(id) => id.fmt(f),
            Self::Pool(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
            Self::Realm(id) => id.fmt(f),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bad = |_| KeyError(text.to_owned());
        match text.split('_').next() {
            Some(PlanVersionId::PREFIX) => text.parse().map(Self::Profile).map_err(bad),
            Some(ServiceId::PREFIX) => text.parse().map(Self::Subscriber).map_err(bad),
            Some(ClientId::PREFIX) => text.parse().map(Self::Client).map_err(bad),
            Some(NasId::PREFIX) => text.parse().map(Self::Nas).map_err(bad),
            Some(PoolId::PREFIX) => text.parse().map(Self::Pool).map_err(bad),
            Some(RadiusGroupId::PREFIX) => text.parse().map(Self::Group).map_err(bad),
            Some(RealmId::PREFIX) => text.parse().map(Self::Realm).map_err(bad),
            _ => Err(KeyError(text.to_owned())),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The present state of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A plan version.
    Profile(Box<Profile>),
    /// A service.
    Subscriber(Subscriber),
    /// A RADIUS client.
    Client(Client),
    /// A NAS.
    Nas(Nas),
    /// An address pool.
    Pool(Pool),
    /// A group.
    Group(Group),
    /// A realm.
    Realm(Realm),
}

/// One record's state with its revision; without a body the record is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// [`FORMAT`].
    pub format: u8,
    /// The line's epoch.
    pub epoch: u64,
    /// The line's revision; a consumer keeps the highest it has seen per key.
    pub revision: u64,
    /// The revision published just before it on the stream; a consumer that has not come that
    /// far has missed something. 0 in snapshots.
    #[serde(default)]
    pub after: u64,
    /// What it is about.
    pub key: Key,
    /// The state; absent: deleted.
    pub body: Option<Body>,
}

/// What the policy stream carries. A message is a nudge: whoever doubts reloads the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// One record changed.
    Change(Box<Change>),
    /// The snapshot table was written anew: load it.
    Snapshot(Mark),
    /// The relay lives; sent each minute, so that silence means something.
    Heartbeat {
        /// [`FORMAT`].
        format: u8,
        /// When it was sent.
        at: crate::Ts,
    },
}

/// The stream billing-api's policy line is published on.
pub const STREAM: &str = "policy";

/// The snapshot table of billing-api's policy line.
pub const TABLE: &str = "policy";

/// The end marker of a snapshot: how far it goes and how many live records it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// [`FORMAT`].
    pub format: u8,
    /// The line's epoch.
    pub epoch: u64,
    /// The highest revision in it.
    pub revision: u64,
    /// Live records in it.
    pub count: u64,
}
