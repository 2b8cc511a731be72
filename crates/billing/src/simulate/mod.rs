//! A file of events, run through the generator: `netctl billing simulate`.
//!
//! An event is known to a run from the day it counts from, or from the day it was `recorded`,
//! where the file says one: later for what came to be known too late, earlier for what was
//! planned. docs/billing-policy.md describes the file.
//!
//! - [`node`]: the file as a tree, and errors that name the place.
//! - [`read`]: the tree as a [`Scenario`].
//! - [`play`]: the runs, and what they answer.

pub mod node;
pub mod play;
pub mod read;

pub use node::{Misplaced, Node};
pub use play::Outcome;
pub use read::Scenario;
