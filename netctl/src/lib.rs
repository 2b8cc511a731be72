//! `netctl`: the operator's command line, and the one program that can start everything.
//!
//! In the order a call meets the modules:
//!
//! - [`cli`]: the arguments; nouns, then verbs.
//! - `exit`: exit codes, and failures on their way to one of them.
//! - `output`: tables and colours, as wide as the terminal.
//! - `ask`: finds the daemons' sockets and asks them.
//! - `status`, `sessions`, `disconnect`, `explain`, `nas`, `auth_log`, `block`, `coa`, `policy`:
//!   what they are asked.
//! - `key`: the key file.
//! - `backup`: backups, and restoring them.
//! - `billing`: what a customer has to pay, and why.
//! - `radius`: one login over RADIUS, as a NAS would do it.
//! - `import`: what another server knows.
//! - `bench`: how fast a RADIUS server is, and the office.
//! - `dict`: what an attribute is.
//! - [`up`]: all programs in this process.
//! - `api`: as much HTTP as making things through the API takes.
//! - `demo`: a small provider to look at, made through the API.
//! - [`nas_sim`]: a NAS that speaks RADIUS over real sockets, for the demo and for tests.

pub mod cli;

mod exit;
mod output;

mod access;
mod ask;
mod auth_log;
mod block;
mod coa;
mod disconnect;
mod explain;
mod nas;
mod policy;
mod pool;
mod sessions;
mod status;

mod backup;
mod billing;
mod key;
mod radius;

mod bench;
mod dict;

mod import;

mod api;
mod demo;
pub mod up;

pub mod nas_sim;

mod chance;

pub use cli::main;
