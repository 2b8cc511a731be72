//! What a NAS of each vendor is told.
//!
//! A dialect turns an [`Effective`] policy into attributes, in two selections: everything, for
//! an Access-Accept, and what the NAS can change while a session lives, for a CoA-Request.
//! Directions and units change here and nowhere else. What a vendor has no words for is an
//! error that names the part of the policy, here and for whoever assigns it.
//!
//! - [`item`]: the parts of a policy, and why one cannot be told.
//! - [`places`]: where attributes go; [`vendors`]: the table, a vendor each.
//! - [`rate`]: rates, by number and by name; [`text`]: room for a value, without allocation.
//! - [`compose`]: the two selections.
//! - [`hash`]: whether a living session is told something else now, and whether CoA can say it.
//! - [`compiled`]: a profile as bytes, made once.
//! - [`fit`]: whether a vendor can carry a policy, asked in advance.
//! - [`attributes`]: attributes that staff write, over what the dialect says.
//! - [`spread`]: interim intervals that differ a little by session.
//! - [`table`]: what the documentation shows of all this.

pub mod attributes;

mod compiled;
mod compose;
mod fit;
mod hash;
mod item;
mod places;
mod rate;
mod spread;
mod table;
mod text;
mod vendors;

use model::nas::Vendor;
use model::policy::{Difference, Effective};

pub use compiled::CompiledProfile;
pub use compose::Leased;
pub use fit::{Finding, of_plan, of_subscriber};
pub use hash::{hash_for, hash_of_told};
pub use item::{Item, Unfit, Why};
pub use places::Sink;
pub use spread::{interim_s, session_key};
pub use table::markdown;

/// Everything an Access-Accept says about the policy.
pub fn accept(vendor: Vendor, policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    compose::accept(vendors::of(vendor), policy, out)
}

/// What an Access-Accept says besides, where addresses were leased.
pub fn leased(vendor: Vendor, leased: &Leased, out: &mut impl Sink) -> Result<(), Unfit> {
    compose::leased(vendors::of(vendor), leased, out)
}

/// What a CoA-Request says: rates, always in full, and timeouts.
pub fn change(vendor: Vendor, policy: &Effective<'_>, out: &mut impl Sink) -> Result<(), Unfit> {
    compose::change(vendors::of(vendor), policy, out)
}

/// Whether a CoA-Request to a NAS of this vendor can say this attribute of an Access-Accept anew.
pub fn changes(vendor: Vendor, attribute: &radius_wire::Attribute<'_>) -> bool {
    places::changes(vendors::of(vendor), attribute)
}

/// Whether a NAS of this vendor can carry a difference by CoA; else it takes a Disconnect.
pub fn carries(vendor: Vendor, difference: Difference) -> bool {
    match difference {
        Difference::None => true,
        Difference::Live => vendors::of(vendor).live != places::Live::Nothing,
        // No vendor's list of attributes that CoA may change has addresses, pools and routes.
        Difference::Fixed => false,
    }
}
