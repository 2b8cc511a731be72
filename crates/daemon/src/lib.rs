//! What every Lastmile program needs around its work, in the order a start meets it.
//!
//! - [`cli`]: the arguments all daemons share, and the `main` they share.
//! - [`config`]: typed settings from defaults, file, environment and flags.
//! - [`exit`]: exit codes, and the one line that says why.
//! - [`secrets`]: the key file, sealed values, tokens; [`base64`] for its texts.
//! - [`telemetry`]: logs and metrics.
//! - [`lifecycle`]: soft and hard stop, signals, supervised tasks, systemd.
//! - [`health`]: which parts are ready.
//! - [`admin`]: health and metrics over HTTP, where a program has no web server.
//! - [`control`]: the unix socket `netctl` asks.

pub mod cli;
pub mod config;
pub mod exit;

pub mod base64;
pub mod secrets;

pub mod telemetry;

pub mod health;
pub mod lifecycle;

pub mod admin;
pub mod control;
