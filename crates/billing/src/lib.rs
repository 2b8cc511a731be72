//! What a customer has to pay, as pure functions: no clock, no database, no files.
//!
//! `items = generate(events, existing items, target date, terms)`: everything else is keeping
//! the items. In the order data meets the modules:
//!
//! - [`exact`], [`amount`]: fractions, the one rounding, amounts as text.
//! - [`interval`], [`period`]: days, and the billing periods they lie in.
//! - [`policy`]: what a provider decides for itself.
//! - [`event`]: what happens to a customer.
//! - [`timeline`]: which days of a service should be billed, and when.
//! - [`proration`]: which share of a price they cost.
//! - [`generate`]: what of that is not billed yet, and what was billed wrongly.
//! - [`item`]: the lines that come of it.
//! - [`tax`]: their taxes.
//! - [`explain`]: why a line is what it is, in words.
//! - [`account`]: documents, payments, account credit.
//! - [`simulate`]: all of it for a file of events, for whoever asks "what if".

pub mod amount;
pub mod exact;

pub mod interval;
pub mod period;

pub mod event;
pub mod policy;

pub mod explain;
pub mod generate;
pub mod item;
pub mod proration;
pub mod timeline;

pub mod account;
pub mod tax;

pub mod simulate;

mod words;

pub use account::{Account, Document};
pub use event::{Action, Event};
pub use explain::explain;
pub use generate::{Refused, Terms, generate};
pub use item::{Item, Kind};
pub use policy::Policy;
