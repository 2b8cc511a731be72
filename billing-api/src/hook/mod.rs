//! Webhooks, and programs that hear of events.
//!
//! Events are written to the outbox with the change they report. In the order an event meets
//! the modules:
//!
//! - [`catalogue`]: every type of event there is.
//! - [`filter`]: who hears of which.
//! - [`payload`]: what is sent.
//! - [`dispatcher`]: outbox → deliveries → attempts, the task.
//! - [`schedule`]: when to try again, and what an answer means.
//! - [`program`]: hooks that are programs on this machine, listed in a file.
//! - [`endpoint`]: webhooks as staff make and change them.
//! - [`log`]: deliveries as staff see them, and sending them again.
//!
//! A webhook hears of its organisation and those below. Each event goes to each webhook at least
//! once: a process that dies between sending and writing down that it sent sends again, under
//! the same `webhook-id`. Order is not promised.

pub(crate) mod catalogue;
pub(crate) mod filter;
pub(crate) mod payload;

pub(crate) mod dispatcher;
mod schedule;

pub(crate) mod program;

pub(crate) mod endpoint;
pub(crate) mod log;

#[cfg(test)]
mod tests;

use daemon::exit::chain;
use outcall::Caller;
use tokio::sync::Notify;

use crate::config::{Calls, Config, Webhooks};
use program::Program;

/// All addresses.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// What webhooks need at hand. Part of the office.
pub(crate) struct Hooks {
    /// Calls to the outside.
    pub(crate) caller: Caller,
    /// Calls to wherever the root's own staff say: whoever sets these runs this machine.
    pub(crate) anywhere: Caller,
    /// How long a call may take, seconds.
    pub(crate) call_s: u32,
    /// The programs that hear of events.
    pub(crate) programs: Vec<Program>,
    pub(crate) settings: Webhooks,
    /// Something was committed that webhooks should hear of.
    pub(crate) woken: Notify,
}

impl Hooks {
    /// Reads the list of programs, and makes ready to call.
    pub(crate) fn open(config: &Config) -> Result<Self, String> {
        config.webhooks.check()?;
        let caller = Caller::new(&config.calls).map_err(|error| chain(&error))?;
        let allow = EVERYWHERE.iter().filter_map(|net| net.parse().ok()).collect();
        let anywhere = Calls { allow, ports: Vec::new(), ..config.calls.clone() };
        let anywhere = Caller::new(&anywhere).map_err(|error| chain(&error))?;
        let programs = match &config.hooks_file {
            None => Vec::new(),
            Some(path) => program::load(path, &catalogue::kinds())
                .map_err(|error| format!("hooks_file: {}", chain(&error)))?,
        };
        let (call_s, settings) = (config.calls.timeout_s, config.webhooks.clone());
        Ok(Self { caller, anywhere, call_s, programs, settings, woken: Notify::new() })
    }

    /// No programs, and nothing inside may be called.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::open(&Config::default()).expect("the defaults are good")
    }
}
