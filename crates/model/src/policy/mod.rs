//! Policy: what a subscriber is given.
//!
//! Three kinds of record meet in [`effective::effective`]:
//!
//! - a [`Profile`], compiled from one version of a plan and shared by many subscribers;
//! - a [`Subscriber`]: one service with its identities, holds, expiry and overrides;
//! - [`Overlay`]s from `policyd`: fair use, time window, boost.
//!
//! What a login is asked besides its password, and what the attributes of groups and of staff add
//! to its reply, are [`Rules`] of profile and subscriber; a [`Realm`] says whose login a name
//! beside it is.
//!
//! They travel as [`Change`]s on a *line*: billing-api's policy is one line, policyd's overlays
//! another. A line has an epoch (renewed when its database is restored) and revisions, which
//! its relay leader gives when it publishes.

mod change;
mod effective;
mod hours;
mod overlay;
mod profile;
mod rules;
mod subscriber;
mod terms;

pub use change::{Body, Change, FORMAT, Key, Mark, Message, STREAM, TABLE};
pub use effective::{
    Access, BILLING_SILENT_S, Context, Difference, EXPIRY_DEFERRED_S_MAX, Effective, Lease,
    NAS_CHOOSES, NoTrace, Step, Trace, difference, effective,
};
pub use hours::{Hours, HoursError};
pub use overlay::{Boost, Overlay, OverlayKind};
pub use profile::{Garden, Gives, OnHold, Profile};
pub use rules::{
    Group, MAC_LIMIT_MAX, MacBinding, MacMode, Realm, Rules, is_pattern, matches_pattern,
};
pub use subscriber::{Hold, HoldBilling, HoldNetwork, HoldReason, Overrides, Subscriber};
pub use terms::{
    Burst, FramedProtocol, Ipv4Method, LimitAction, ServiceType, VendorProfile, VendorProfiles,
};
