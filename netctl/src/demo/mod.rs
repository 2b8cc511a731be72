//! `netctl up --demo`: a small provider to look at.
//!
//! - `town`: who lives there, and what they bought; invented names, plans and logins.
//! - `plan`: `DIR/demo.json`, written before the first thing is made, so that a start which was
//!   cut short goes on with the same logins and passwords.
//! - `seed`: makes them, looking before each whether it is there.
//! - `traffic`: keeps them online through a simulated NAS.

mod plan;
mod seed;
mod town;
mod traffic;

pub(crate) use plan::Demo;
pub(crate) use seed::seed;
pub(crate) use traffic::Traffic;

/// The name of the simulated NAS.
pub(crate) const NAS_NAME: &str = "demo-bng1";
