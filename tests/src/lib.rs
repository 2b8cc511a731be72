//! The lab: starts the real programs on free ports in a temporary directory, and speaks the
//! domain: `lab.nas("bng1").login("asha", "s3cret")`.
//!
//! In the order a scenario meets the modules:
//!
//! - [`lab`]: one object that is a running installation, embedded or as separate programs.
//! - [`api`]: the office's side: plans, customers, services, NAS over HTTP.
//! - [`nas`]: the network's side, through FreeRADIUS's `radclient`.
//! - [`peer`]: the NAS's CoA port, a real UDP peer that decodes with the `radius` crate.
//! - [`wire`]: a client of our own for what `radclient` does not show: bytes, and load.
//! - [`receiver`]: what webhooks lead to.
//! - [`console`]: the console as staff use it, in a [`browser`]; [`accessible`] judges its pages.
//! - [`waiting`]: deadlines instead of sleeps.
//!
//! Below them: [`program`] (one child process), [`place`] (addresses and ports), [`servers`]
//! (Postgres and Redis), and `webdriver` (the driver of the browsers).
//!
//! Being test support, everything here panics where it cannot go on.

pub mod lab;

pub mod api;
pub mod freeradius;
pub mod nas;
pub mod peer;
pub mod receiver;
pub mod wire;

pub mod accessible;
pub mod browser;
pub mod console;

pub mod waiting;

pub mod place;
pub mod program;
pub mod servers;
mod webdriver;

pub use api::{Answer, Api};
pub use browser::{Browser, Scheme};
pub use console::Console;
pub use lab::{Isp, Lab, Way};
pub use nas::{Nas, Reply, Session, Status};
pub use peer::{CoaPeer, CoaRequest, Manner};
pub use waiting::{PATIENCE, SECOND, eventually};

/// Whether the searching tests take the time they want: `tests/run --long`.
#[must_use]
pub fn long() -> bool {
    std::env::var_os("LASTMILE_TEST_LONG").is_some()
}
